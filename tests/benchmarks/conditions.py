"""Recordings of read sentences as they come from the world: noise, rooms, codecs, gates, edits.

Every condition keeps the time of each word: filters have no delay, codecs are moved back by
correlation, and a change of speed scales the labels with the audio.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import av
import numpy as np
import soxr

from joined import Joined, JoinedSentence, JoinedWord, Sentence, concatenate
from khmer_aligned.schema import SAMPLE_RATE

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]

GAP_SECONDS = (0.3, 1.2)  # between two sentences
SILENT_DB, ROOM_DB = -85.0, -62.0  # of full scale: an edited gap, and the studio's floor
_HOP = 160  # samples


def white(waveform: np.ndarray, rng: np.random.Generator, decibels: float) -> np.ndarray:
    """White noise at a ratio of speech to noise, in dB."""
    return _mixed(waveform, rng.standard_normal(len(waveform)), decibels)


def pink(waveform: np.ndarray, rng: np.random.Generator, decibels: float) -> np.ndarray:
    """Pink noise (3 dB less per octave, from 50 Hz) at a ratio of speech to noise, in dB."""
    return _mixed(waveform, _pink_noise(len(waveform), rng), decibels)


def music(waveform: np.ndarray, rng: np.random.Generator, decibels: float) -> np.ndarray:
    """Decaying chords of three notes with overtones, two a second, at a ratio in dB."""
    bed = np.zeros(len(waveform) + 2 * SAMPLE_RATE)
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    for begin in range(0, len(waveform), SAMPLE_RATE // 2):
        root = 110 * 2 ** (rng.integers(0, 24) / 12)
        for ratio in (1, 2 ** (rng.choice([3, 4]) / 12), 2 ** (7 / 12)):
            for overtone in range(1, 6):
                tone = np.sin(2 * np.pi * (root * ratio * overtone * time + rng.random()))
                bed[begin : begin + len(time)] += tone * np.exp(-3 * time) / overtone
    return _mixed(waveform, bed[: len(waveform)], decibels)


def reverberation(
    waveform: np.ndarray, rng: np.random.Generator, seconds: float, direct: float
) -> np.ndarray:
    """A room: noise that falls by 60 dB in `seconds`, `direct` dB below the direct sound."""
    length = round(seconds * SAMPLE_RATE)
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: SAMPLE_RATE // 200] = 0  # 5 ms to the first wall
    tail *= 10 ** (-direct / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    size = _fft_size(len(waveform) + length)
    wet = np.fft.irfft(np.fft.rfft(waveform, size) * np.fft.rfft(tail, size), size)
    return wet[: len(waveform)].astype(np.float32)


def gate(
    waveform: np.ndarray,
    rng: np.random.Generator,
    ahead: float,
    hold: float = 0.15,
    noise: float = 20.0,
) -> np.ndarray:
    """A noise gate over a noisy room: closed by 60 dB, `ahead` seconds early, `hold` late."""
    noisy = pink(waveform, rng, noise)
    level = _levels(noisy)
    threshold = (np.percentile(level, 5) + np.percentile(level, 95)) / 2
    is_open = np.repeat(level > threshold, _HOP)
    before, after = round(ahead * SAMPLE_RATE), round(hold * SAMPLE_RATE)
    edges = np.flatnonzero(np.diff(is_open.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    gain = np.full(len(waveform), 1e-3, np.float32)
    for start, end in edges:
        gain[max(0, start - before) : end + after] = 1.0
    ramp = np.ones(80) / 80  # 5 ms
    return noisy * np.convolve(gain, ramp, mode="same").astype(np.float32)


def mp3(waveform: np.ndarray, rng: np.random.Generator, kilobits: int) -> np.ndarray:
    """Through an mp3 encoder and back, moved to where it was."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = kilobits * 1000
        samples = np.clip(waveform, -1, 1).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for each in (frame, None):
            container.mux(stream.encode(each))
    with av.open(io.BytesIO(buffer.getvalue())) as container:
        decoded = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    return _moved_back(decoded.astype(np.float32), waveform)


def telephone(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """300 to 3,400 Hz, by 8 kHz."""
    narrow = soxr.resample(waveform, SAMPLE_RATE, 8000, quality="HQ")
    spectrum = np.fft.rfft(narrow)
    hertz = np.fft.rfftfreq(len(narrow), 1 / 8000)
    low, high = (hertz / 300) ** 8, (hertz / 3400) ** 16
    narrow = np.fft.irfft(spectrum * low / (1 + low) / (1 + high), len(narrow))
    wide = soxr.resample(narrow.astype(np.float32), 8000, SAMPLE_RATE, quality="HQ")
    return np.pad(wide, (0, max(0, len(waveform) - len(wide))))[: len(waveform)]


@dataclass(frozen=True)
class Condition:
    """What is done to joined sentences.

    gaps: `room`, of the studio's own level, before the change; `silent`, near-digital silence put
    in after it, as an editor does.
    """

    name: str
    change: Change | None = None
    gaps: str = "room"
    speed: float = 1.0

    def make(self, sentences: Sequence[Sentence], seed: int) -> Joined:
        """A recording of some sentences under this condition."""
        rng = np.random.default_rng(seed)
        gaps = [round(s * SAMPLE_RATE) for s in rng.uniform(*GAP_SECONDS, len(sentences))]
        spoken = list(sentences)
        if self.gaps == "room":
            spoken = [
                _followed(s, _noise(n, ROOM_DB, rng)) for s, n in zip(spoken, gaps, strict=True)
            ]
        if self.change is not None:
            lengths = np.cumsum([len(s.waveform) for s in spoken])
            whole = self.change(np.concatenate([s.waveform for s in spoken]), rng)
            parts = np.split(whole.astype(np.float32), lengths[:-1])
            spoken = [replace(s, waveform=part) for s, part in zip(spoken, parts, strict=True)]
        if self.gaps == "silent":
            spoken = [
                _followed(s, _noise(n, SILENT_DB, rng)) for s, n in zip(spoken, gaps, strict=True)
            ]
        return _at_speed(concatenate(spoken), self.speed)


def _by(change: Callable[..., np.ndarray], *options: float) -> Change:
    return lambda waveform, rng: change(waveform, rng, *options)


_CHANGES: dict[str, Change | None] = {
    "clean": None,
    "room tone, 30 dB": _by(pink, 30.0),
    "white noise, 20 dB": _by(white, 20.0),
    "white noise, 10 dB": _by(white, 10.0),
    "pink noise, 20 dB": _by(pink, 20.0),
    "pink noise, 10 dB": _by(pink, 10.0),
    "music, 20 dB": _by(music, 20.0),
    "music, 10 dB": _by(music, 10.0),
    "mp3, 32 kbit/s": _by(mp3, 32),
    "reverberation, 0.5 s": _by(reverberation, 0.5, 3.0),
}
CONDITIONS = [
    *(
        Condition(name, change, gaps)
        for name, change in _CHANGES.items()
        for gaps in ("room", "silent")
    ),
    Condition("noise gate", _by(gate, 0.0)),
    Condition("noise gate, slow", _by(gate, 0.02, 0.4)),
    Condition("noise gate, 50 ms ahead", _by(gate, 0.05)),
    Condition("noise gate, 90 ms ahead", _by(gate, 0.09)),
]
DEGRADED = [
    Condition("pink noise, 5 dB", _by(pink, 5.0)),
    Condition("telephone", telephone),
    Condition("mp3, 24 kbit/s", _by(mp3, 24)),
    Condition("music, 5 dB", _by(music, 5.0)),
    Condition("reverberation, 1 s", _by(reverberation, 1.0, 0.0)),
    Condition("speed 0.8", speed=0.8),
    Condition("speed 1.25", speed=1.25),
]


def _followed(sentence: Sentence, gap: np.ndarray) -> Sentence:
    return replace(sentence, waveform=np.concatenate([sentence.waveform, gap]))


def _noise(samples: int, decibels: float, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(samples) * 10 ** (decibels / 20)
    return noise.astype(np.float32)


def _pink_noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    size = _fft_size(samples)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 50)), size)[:samples]


def _fft_size(samples: int) -> int:
    """As long or a little longer, with small factors only."""
    unit = 1 << max(0, samples.bit_length() - 4)
    return -(-samples // unit) * unit


def _mixed(waveform: np.ndarray, noise: np.ndarray, decibels: float) -> np.ndarray:
    """The ratio is that of the speech's level, where it is loud, to the noise's mean."""
    level = _levels(waveform)
    loud = 10 * np.log10(np.mean(10 ** (level[level > level.max() - 30] / 10)))
    scale = 10 ** ((loud - decibels) / 20) / np.sqrt(np.mean(np.square(noise)))
    return (waveform + scale * noise).astype(np.float32)


def _levels(waveform: np.ndarray) -> np.ndarray:
    """dB of every 10 ms, the last one repeated to cover the end."""
    padded = np.pad(waveform, (0, -len(waveform) % _HOP), mode="edge").reshape(-1, _HOP)
    return 10 * np.log10(np.square(padded, dtype=np.float64).mean(axis=1) + 1e-10)


def _moved_back(decoded: np.ndarray, original: np.ndarray) -> np.ndarray:
    """`decoded` without the delay of its codec, as long as `original`."""
    size = _fft_size(len(decoded) + len(original))
    spectrum = np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(original, size))
    delay = int(np.argmax(np.fft.irfft(spectrum, size)[: SAMPLE_RATE // 2]))
    moved = decoded[delay : delay + len(original)]
    return np.pad(moved, (0, len(original) - len(moved)))


def _at_speed(joined: Joined, speed: float) -> Joined:
    if speed == 1.0:
        return joined
    waveform = soxr.resample(joined.waveform, SAMPLE_RATE, SAMPLE_RATE / speed, quality="HQ")
    return Joined(
        waveform.astype(np.float32),
        joined.text,
        [JoinedWord(at, start / speed, end / speed) for at, start, end in joined.words],
        [JoinedSentence(a, b, start / speed, end / speed) for a, b, start, end in joined.sentences],
    )
