"""How many labels of Whisper a text takes."""

from __future__ import annotations

from functools import lru_cache

from transformers import AutoTokenizer

from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import resolve
from khmer_aligned.hub.tokenizer import restore_pre_tokenizer


class LabelCounter:
    """Counts with a Whisper tokenizer by Hub id or folder; never by a guess."""

    def __init__(self, source: str) -> None:
        resolved = resolve(source, "model")
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(
                resolved.path, revision=resolved.revision, trust_remote_code=False
            )
            restore_pre_tokenizer(self._tokenizer, resolved)
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{source}: cannot be loaded as a tokenizer: {reason}") from error
        self._count = lru_cache(maxsize=1 << 16)(
            lambda text: len(self._tokenizer(text, add_special_tokens=False).input_ids)
        )

    def __call__(self, written: str, spoken: str) -> int:
        """The labels of the longer form, so that either form fits when it is trained on."""
        return max(self._count(written), self._count(spoken))
