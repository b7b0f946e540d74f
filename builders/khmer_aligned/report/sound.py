"""Audio as a page carries it: Opus, and the peaks of its waveform."""

from __future__ import annotations

import io
from base64 import b64encode

import av
import numpy as np

from khmer_aligned.schema import SAMPLE_RATE

BIT_RATE = 24_000  # bits a second: speech at 16 kHz sounds as it is
PEAKS_A_SECOND = 60
_FRAME = SAMPLE_RATE // 50  # samples; Opus takes 20 ms at once


def encode_opus(waveform: np.ndarray) -> bytes:
    """A mono waveform (n,) at 16 kHz as Opus in Ogg."""
    buffer = io.BytesIO()
    samples = (np.clip(waveform, -1, 1) * 32767).astype(np.int16)
    samples = np.pad(samples, (0, -len(samples) % _FRAME))
    # bitexact: without it the number of the stream is a random one, and no page is twice the same.
    options = {"fflags": "+bitexact"}
    with av.open(buffer, mode="w", format="ogg", options=options) as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        for start in range(0, len(samples), _FRAME):
            frame = av.AudioFrame.from_ndarray(
                samples[None, start : start + _FRAME], format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = SAMPLE_RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def peaks(waveform: np.ndarray) -> np.ndarray:
    """The highest level of each 1/60 s of a waveform (n,), uint8, 255 the loudest."""
    hop = SAMPLE_RATE // PEAKS_A_SECOND
    if len(waveform) == 0:
        return np.zeros(0, np.uint8)
    padded = np.pad(np.abs(waveform), (0, -len(waveform) % hop)).reshape(-1, hop)
    levels = padded.max(axis=1)
    return np.round(255 * levels / max(float(levels.max()), 1e-6)).astype(np.uint8)


def base64(content: bytes) -> str:
    """Bytes as they stand in a page."""
    return b64encode(content).decode("ascii")
