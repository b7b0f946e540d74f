"""How audio is transcribed: the options of the command, of Python and of the server."""

from __future__ import annotations

from dataclasses import dataclass

from khmer_aligned.options import check_options, option
from khmer_whisper.config import LANGUAGE


@dataclass(frozen=True, kw_only=True)
class Options:
    """Raises UserError for a value out of its bounds."""

    language: str = option(LANGUAGE, "Code of the language that is spoken, such as km or en.")
    beams: int = option(1, "Texts that are followed at a time; 1 is greedy.", at_least=1)
    fallback: bool = option(
        True,
        "Decode a stretch again at higher temperatures, up to 1, where its text repeats itself or "
        "is improbable.",
    )
    initial_prompt: str = option(
        "", "Text that could precede each stretch: names and spellings to prefer."
    )
    word_times: bool = option(False, "Also give the time of each word.")
    batch_size: int = option(8, "Stretches of a file decoded at a time.", at_least=1)

    def __post_init__(self) -> None:
        check_options(self)
