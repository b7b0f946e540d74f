"""A Whisper fine-tuned on an aligned Khmer dataset, with error rates that anyone can reproduce.

    import khmer_whisper

    khmer_whisper.train("org/khmer-aligned", "out/whisper-khmer", epochs=3)
    whisper = khmer_whisper.load("out/whisper-khmer")
    print(khmer_whisper.transcribe(whisper, "speech.mp3").text)
    print(khmer_whisper.score(["ទឹក"], ["ទុក"]).cer)

torch and transformers are imported when a function is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from khmer_whisper.api import load, score, train, transcribe

__all__ = ["load", "score", "train", "transcribe"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from khmer_whisper import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
