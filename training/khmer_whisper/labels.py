"""Text to the labels that a Whisper decoder learns, and back.

A decoder reads `inputs` and learns `labels`, one position ahead:

    inputs  [<|startofprev|> previous ...] <|startoftranscript|> <|km|> <|transcribe|> ... text
    labels  [-100 ...                -100] <|km|> <|transcribe|> ... text <|endoftext|>

`<|notimestamps|>` follows the task, or timestamps stand around the phrases of the text. Everything
after `<|startoftranscript|>` is learned (Radford et al. 2022, "Robust speech recognition via
large-scale weak supervision", section 2.3), the end token included: padding is added later and
masked by position, never by id, because Whisper's pad is its end token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import WhisperTokenizer

from khmer_aligned.errors import UserError
from khmer_whisper.config import LANGUAGE

TASK = "transcribe"
IGNORED = -100  # a label that torch's cross entropy skips
TIMESTAMP_STEP = 0.02  # seconds


@dataclass(frozen=True, slots=True)
class Labels:
    """What the decoder reads and what it learns: two lists of one length.

    `labels` is IGNORED where nothing is learned.
    """

    inputs: list[int]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A part of a clip's text and its time in seconds from the start of the clip."""

    text: str
    start: float
    end: float


class Labeller:
    """Makes labels of one language, with the special tokens of a tokenizer.

    Raises UserError when the tokenizer has no token for the language, as in English-only Whispers.
    """

    def __init__(self, tokenizer: WhisperTokenizer, language: str = LANGUAGE) -> None:
        self.tokenizer = tokenizer
        self.start = self._special("<|startoftranscript|>")
        self.language = self._special(f"<|{language}|>")
        self.task = self._special(f"<|{TASK}|>")
        self.no_timestamps = self._special("<|notimestamps|>")
        self.previous = self._special("<|startofprev|>")
        self.end = self._special("<|endoftext|>")
        self.no_speech = self.no_timestamps - 1  # <|nospeech|>; <|nocaptions|> in older ones
        self.first_timestamp = self.no_timestamps + 1  # <|0.00|>, in every Whisper
        translate = self._special("<|translate|>")
        self.tasks = {"transcribe": self.task, "translate": translate}
        # The ids of Whisper's special tokens are in order: end, start, languages, tasks, ...
        languages = range(self.start + 1, translate)
        self.languages = {tokenizer.convert_ids_to_tokens(i): i for i in languages}
        self.not_text = list(range(self.start, self.no_timestamps))

    def encode(self, text: str) -> list[int]:
        """The labels of `text` without any special tokens."""
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def plain(self, text: str, previous: Sequence[int] = ()) -> Labels:
        """Labels without timestamps; `previous` are encoded text from before the clip."""
        return self._assemble([self.no_timestamps, *self.encode(text)], previous)

    def timed(self, phrases: Sequence[Phrase], previous: Sequence[int] = ()) -> Labels:
        """Labels with a timestamp before and after each phrase, in Whisper's steps of 20 ms.

        Times never decrease: a phrase starts no earlier than the one before it ends. Each phrase
        but the first begins with a space, since readers of Whisper's segments concatenate them.
        """
        body: list[int] = []
        last = 0  # the highest timestamp so far, in steps
        for phrase in phrases:
            start = max(_steps(phrase.start), last)
            last = max(_steps(phrase.end), start)
            text = f" {phrase.text}" if body else phrase.text
            body += [self.first_timestamp + start, *self.encode(text)]
            body.append(self.first_timestamp + last)
        return self._assemble(body, previous)

    def prompt(self, language: str | None = None, previous: str = "") -> list[int]:
        """The ids that a decoder is given before it writes a text without timestamps.

        language: a code such as en; by default that of the labeller. previous: text from before the
        audio. Raises UserError for a language that the tokenizer does not have.
        """
        before = [self.previous, *self.encode(previous.strip())] if previous.strip() else []
        spoken = self._special(f"<|{language}|>") if language else self.language
        return [*before, self.start, spoken, self.task, self.no_timestamps]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of labels or generated ids, without special tokens and timestamps."""
        ids = [i for i in ids if 0 <= i < self.end]
        return self.tokenizer.decode(ids, skip_special_tokens=True).strip()

    def _assemble(self, body: list[int], previous: Sequence[int]) -> Labels:
        prompt = [self.previous, *previous] if previous else []
        learned = [self.language, self.task, *body]
        return Labels(
            inputs=[*prompt, self.start, *learned],
            labels=[*[IGNORED] * len(prompt), *learned, self.end],
        )

    def _special(self, token: str) -> int:
        label = self.tokenizer.convert_tokens_to_ids(token)
        unknown = label == self.tokenizer.unk_token_id and token != self.tokenizer.unk_token
        if not isinstance(label, int) or unknown:
            raise UserError(
                f"the model's tokenizer has no {token}: choose a multilingual Whisper "
                "(openai/whisper-small, not openai/whisper-small.en), and languages that it has"
            )
        return label


def _steps(seconds: float) -> int:
    return round(seconds / TIMESTAMP_STEP)
