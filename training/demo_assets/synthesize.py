"""Speech with exact word times, read from romanized words by espeak-ng.

Needed only to remake the demo's assets: espeak-ng's library comes with the wheel
`espeakng-loader`, in the dependency group `dev`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import soxr

from khmer_aligned.schema import SAMPLE_RATE

# espeak-ng's speak_lib.h
SYNCHRONOUS = 2
PHONEME_EVENTS = 1
UTF8 = 1
RATE, PITCH, RANGE = 1, 3, 4
EVENT_END_OF_LIST, EVENT_WORD, EVENT_PHONEME = 0, 1, 7
PAUSES = {"_", "_:", "_::", "_!"}  # their names among the phonemes; "_|" is inside a word


class _Event(ctypes.Structure):
    _fields_: ClassVar = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # 1 for the first character
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),  # the phoneme's name
    ]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class Voice:
    """How espeak-ng speaks: a language's phonemes, a variant's timbre, and the prosody."""

    language: str  # whose letters and phonemes, such as "id"
    variant: str  # the timbre, such as "f2"
    rate: int = 150  # words a minute
    pitch: int = 50  # 0-100
    spread: int = 50  # of the pitch, 0-100

    @property
    def name(self) -> str:
        return f"{self.language}+{self.variant}"


@dataclass(frozen=True, slots=True)
class Speech:
    """Samples (n,), mono float32 at 16 kHz, and [start, end) of each word in seconds."""

    samples: np.ndarray
    times: list[tuple[float, float]]


@cache
def _load() -> tuple[ctypes.CDLL, int]:
    """The library, whose state is the process's own, and its sample rate."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path()
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), PHONEME_EVENTS)
    if rate <= 0:
        raise RuntimeError(f"espeak-ng did not start with its data in {data}")
    return library, rate


class Espeak:
    """A reader of romanized words; not for threads."""

    def __init__(self) -> None:
        self._library, self._rate = _load()
        self._callback = _CALLBACK(self._receive)  # a reference, or it would be collected

    def _synthesize(self, text: str, voice: Voice) -> bool:
        """Collect the chunks and events of `text`. Returns whether there were any."""
        self._chunks: list[np.ndarray] = []
        self._events: list[tuple[int, int | str]] = []
        library = self._library
        library.espeak_SetSynthCallback(self._callback)
        if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice.name}")
        for parameter, value in ((RATE, voice.rate), (PITCH, voice.pitch), (RANGE, voice.spread)):
            library.espeak_SetParameter(parameter, value, 0)
        raw = text.encode()
        library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, UTF8, None, None)
        return bool(self._events)

    def _receive(self, samples, count, events) -> int:
        if samples and count:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        for event in events:
            if event.type == EVENT_END_OF_LIST:
                break
            if event.type == EVENT_WORD:
                self._events.append((event.sample, event.text_position - 1))
            elif event.type == EVENT_PHONEME:
                self._events.append((event.sample, event.id.decode(errors="replace")))
        return 0

    def speak(self, words: Sequence[str], voice: Voice) -> Speech:
        """Read romanized `words` as one phrase.

        Raises RuntimeError when espeak-ng reads other words than these, such as one that it
        spells, or when its times are out of order.
        """
        text = " ".join(words) + "."
        # Once in some ten thousand times espeak-ng returns without a sound; asked again it speaks.
        if not self._synthesize(text, voice) and not self._synthesize(text, voice):
            raise RuntimeError(f"espeak-ng does not read {text!r}")

        places: dict[int, int] = {}  # a word's first character in the text -> its number
        position = 0
        for number, word in enumerate(words):
            position = text.index(word, position)
            places[position] = number
            position += len(word)

        starts: dict[int, int] = {}
        ends: dict[int, int] = {}
        current = None
        for sample, what in self._events:
            begins = isinstance(what, int)
            if current is not None and (begins or what in PAUSES):
                ends.setdefault(current, sample)
            if begins:
                if what not in places:
                    raise RuntimeError(f"espeak-ng reads a word at character {what} of {text!r}")
                current = places[what]
                starts[current] = sample
        if list(starts) != list(range(len(places))) or len(ends) != len(places):
            raise RuntimeError(f"espeak-ng gives {len(starts)} of {len(places)} words of {text!r}")
        if any(ends[i] <= starts[i] for i in starts):
            raise RuntimeError(f"espeak-ng gives times out of order for {text!r}")
        speech = np.concatenate(self._chunks).astype(np.float32) / 32768
        return Speech(
            soxr.resample(speech, self._rate, SAMPLE_RATE).astype(np.float32),
            [(starts[i] / self._rate, ends[i] / self._rate) for i in range(len(places))],
        )
