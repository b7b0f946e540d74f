"""The rows of a dataset of clips, and the waveform of one."""

from __future__ import annotations

import io
from typing import Any, TypeAlias

import numpy as np
import soundfile
from datasets import Dataset, IterableDataset

from khmer_aligned import audio
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE

Row: TypeAlias = dict[str, Any]  # the columns of schema.CLIP_FEATURES; audio stays encoded
Rows: TypeAlias = Dataset | IterableDataset

TOLERANCE = 0.1  # seconds; the header of an MP3 counts padding that decoding removes


def waveform(row: Row) -> np.ndarray:
    """The samples of a clip: (n,) float32, mono at 16 kHz.

    Raises UserError when they cannot be read or their duration is not that of the row: a clip
    that was cut off would teach a Whisper to invent words.
    """
    clip = row["id"]
    samples = audio.load(_encoded(row["audio"], clip), name=f"clip {clip}")
    seconds = len(samples) / SAMPLE_RATE
    if abs(seconds - row["duration"]) > TOLERANCE:
        raise UserError(
            f"clip {clip}: holds {seconds:.2f} s of audio where its row says "
            f"{row['duration']:.2f} s; build its dataset anew, or leave it out"
        )
    return samples


def measure(sound: dict[str, Any] | None, clip: str) -> float:
    """Seconds of an encoded sound, from its header where libsndfile reads it."""
    encoded = _encoded(sound, clip)
    try:
        return soundfile.info(io.BytesIO(encoded)).duration
    except (soundfile.LibsndfileError, OSError):
        return len(audio.load(encoded, name=f"clip {clip}")) / SAMPLE_RATE


def _encoded(sound: dict[str, Any] | None, clip: str) -> bytes:
    """The bytes of a sound. A row may name a file instead, any file of this machine: whoever
    published the dataset chose the name, and it is not read."""
    if sound is None or (sound["bytes"] is None and sound["path"] is None):
        raise UserError(f"clip {clip}: has no audio; leave it out of its dataset")
    if sound["bytes"] is None:
        raise UserError(
            f"clip {clip}: names a file instead of holding its audio, and no such file is read; "
            "put the audio into the dataset"
        )
    return bytes(sound["bytes"])
