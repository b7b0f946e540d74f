"""Text to the ids a Whisper decoder learns, and back.

A decoder reads `inputs` and learns `labels`, one position ahead:

    inputs  [<|startofprev|> previous ...] <|startoftranscript|> <|km|> <|transcribe|> ... text
    labels  [-100 ...                -100] <|km|> <|transcribe|> ... text <|endoftext|>

`<|notimestamps|>` follows the task, or timestamp tokens stand around the stretches of the text.
Everything after `<|startoftranscript|>` is learned (Radford et al. 2022, "Robust speech
recognition via large-scale weak supervision", section 2.3), the end token above all: padding is
put on later and masked by position, never by id, because Whisper's pad is its end token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import WhisperTokenizer

from khmer_aligned.errors import UserError
from khmer_whisper.config import LANGUAGE

TASK = "transcribe"
IGNORED = -100  # torch's cross entropy leaves such a label out
TIMESTAMP_STEP = 0.02  # seconds


@dataclass(frozen=True, slots=True)
class Labels:
    """What the decoder reads and what it learns: two lists of one length."""

    inputs: list[int]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a clip's text with its time; seconds from the clip's start."""

    text: str
    start: float
    end: float


class Labeller:
    """Makes labels of one language with a tokenizer's own special tokens.

    Raises UserError when the tokenizer does not know the language: an English-only Whisper.
    """

    def __init__(self, tokenizer: WhisperTokenizer, language: str = LANGUAGE) -> None:
        self.tokenizer = tokenizer
        self.start = self._special("<|startoftranscript|>")
        self.language = self._special(f"<|{language}|>")
        self.task = self._special(f"<|{TASK}|>")
        self.no_timestamps = self._special("<|notimestamps|>")
        self.previous = self._special("<|startofprev|>")
        self.end = self._special("<|endoftext|>")
        self.first_timestamp = self.no_timestamps + 1  # <|0.00|>, in every Whisper
        translate = self._special("<|translate|>")
        self.tasks = {"transcribe": self.task, "translate": translate}
        # Whisper's special tokens lie in one order: end, start, the languages, the tasks, ...
        languages = range(self.start + 1, translate)
        self.languages = {tokenizer.convert_ids_to_tokens(i): i for i in languages}
        self.unspoken = list(range(self.start, self.no_timestamps))

    def text_ids(self, text: str) -> list[int]:
        """The tokens of `text` alone."""
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def plain(self, text: str, previous: Sequence[int] = ()) -> Labels:
        """Labels without timestamps; `previous` are the text tokens of what was said before."""
        return self._assemble([self.no_timestamps, *self.text_ids(text)], previous)

    def timed(self, stretches: Sequence[Stretch], previous: Sequence[int] = ()) -> Labels:
        """Labels with a timestamp before and after each stretch, in Whisper's steps of 20 ms.

        Times never run backwards: a stretch starts no earlier than the one before it ends. Each
        but the first begins with the space before it: who reads them puts them together as they
        are.
        """
        body: list[int] = []
        reached = 0
        for stretch in stretches:
            start = max(self._steps(stretch.start), reached)
            reached = max(self._steps(stretch.end), start)
            text = f" {stretch.text}" if body else stretch.text
            body += [self.first_timestamp + start, *self.text_ids(text)]
            body.append(self.first_timestamp + reached)
        return self._assemble(body, previous)

    def text(self, ids: Sequence[int]) -> str:
        """The text of generated or learned ids, without special and timestamp tokens."""
        ids = [i for i in ids if 0 <= i < self.end]
        return self.tokenizer.decode(ids, skip_special_tokens=True).strip()

    def _assemble(self, body: list[int], previous: Sequence[int]) -> Labels:
        prompt = [self.previous, *previous] if previous else []
        said = [self.language, self.task, *body]
        return Labels(
            inputs=[*prompt, self.start, *said],
            labels=[*[IGNORED] * len(prompt), *said, self.end],
        )

    def _steps(self, seconds: float) -> int:
        return round(seconds / TIMESTAMP_STEP)

    def _special(self, token: str) -> int:
        number = self.tokenizer.convert_tokens_to_ids(token)
        unknown = number == self.tokenizer.unk_token_id and token != self.tokenizer.unk_token
        if number is None or unknown:
            raise UserError(
                f"the model's tokenizer has no {token}: choose a multilingual Whisper "
                "(openai/whisper-small, not openai/whisper-small.en), and languages that it knows"
            )
        return number
