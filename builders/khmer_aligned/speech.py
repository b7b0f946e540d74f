"""Where somebody speaks in a recording of any length, by Silero VAD.

Silero's model (https://github.com/snakers4/silero-vad, MIT) lies in its package: nothing is
fetched. It gives a probability of speech for each frame of 32 ms, with an LSTM over the frames.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE

FRAME = 512  # samples of a frame at 16 kHz, the only length that the model reads
_CONTEXT = 64  # samples before a frame, which it reads with it
_BLOCK = 512  # frames encoded at once; fixed, so that a result depends on no caller's blocks
_STATE = 128  # of the LSTM
_BINS = 129  # of the spectrum

State = tuple[Tensor, Tensor]  # of an LSTM

# Silero's own defaults.
_ONSET, _OFFSET = 0.5, 0.35  # speech begins above the first, and ends under the second
# What is never surer is no speech. In ten minutes of two voices at 5 dB of noise no word is lost
# by it, and a third less of music and noise passes.
_SURE = 0.8
_MIN_PAUSE = 0.1  # seconds
_PADDING = 0.03  # seconds of audio kept at both ends
_MIN_SPEECH = 0.1  # seconds; Silero's 0.25 would drop words of one short syllable


class Speech(NamedTuple):
    """A stretch in which somebody speaks, in seconds from the start of the recording."""

    start: float
    end: float


def find_speech(waveform: np.ndarray) -> list[Speech]:
    """The stretches of speech in a waveform (n,): mono float32 at 16 kHz.

    They are in order and do not overlap. Pauses shorter than 100 ms are part of a stretch.
    """
    detector = SpeechDetector()
    return [*detector.feed(waveform), *detector.finish()]


def speech_probabilities(waveform: np.ndarray) -> np.ndarray:
    """The probability of speech in each frame of 32 ms of a waveform (n,): float32 (frames,)."""
    model = _Probabilities()
    return np.concatenate([model.feed(waveform), model.finish()])


class SpeechDetector:
    """Finds the stretches of speech in a recording that is fed block by block.

    A stretch longer than `longest` seconds is cut where speech is least probable in the second
    half of that time. Memory does not grow with the recording.
    """

    def __init__(self, longest: float = float("inf")) -> None:
        self._model = _Probabilities()
        self._longest = longest * SAMPLE_RATE / FRAME  # frames
        self._frame = 0  # the next one
        self._samples = 0  # fed so far
        self._open: list[float] = []  # the probabilities of the stretch that goes on
        self._quiet = 0  # frames of quiet at its end
        self._last_end = 0.0  # seconds

    def feed(self, block: np.ndarray) -> list[Speech]:
        """The stretches that ended in or before `block` (n,), which follows those fed before."""
        self._samples += len(block)
        return list(self._follow(self._model.feed(block)))

    def finish(self) -> list[Speech]:
        """The stretches that had not ended yet."""
        found = list(self._follow(self._model.finish()))
        if self._open:
            found += self._close(len(self._open) - self._quiet)
        return found

    @property
    def settled(self) -> float:
        """Seconds before which no further stretch can begin."""
        return max(self._last_end, (self._frame - len(self._open)) * FRAME / SAMPLE_RATE - _PADDING)

    def _follow(self, probabilities: np.ndarray) -> Iterator[Speech]:
        for probability in probabilities.tolist():
            self._frame += 1
            if not self._open:
                if probability >= _ONSET:
                    self._open, self._quiet = [probability], 0
                continue
            self._open.append(probability)
            if probability >= _ONSET:
                self._quiet = 0
            elif probability < _OFFSET or self._quiet:
                self._quiet += 1
            if self._quiet * FRAME >= _MIN_PAUSE * SAMPLE_RATE:
                yield from self._close(len(self._open) - self._quiet)
            elif len(self._open) > self._longest:
                yield from self._split()

    def _close(self, frames: int) -> Iterator[Speech]:
        """End the stretch after its first `frames` frames."""
        yield from self._make(frames, _PADDING)
        self._open = []

    def _split(self) -> Iterator[Speech]:
        """End the stretch at its least probable frame, where the next one begins."""
        middle = len(self._open) // 2
        cut = middle + int(np.argmin(self._open[middle:]))
        yield from self._make(cut, 0.0)
        self._open = self._open[cut:]

    def _make(self, frames: int, padding: float) -> Iterator[Speech]:
        """The first `frames` frames of the stretch that goes on, if they are speech."""
        if frames * FRAME < _MIN_SPEECH * SAMPLE_RATE or max(self._open[:frames]) < _SURE:
            return
        first = self._frame - len(self._open)
        start = max(self._last_end, first * FRAME / SAMPLE_RATE - _PADDING)
        end = (first + frames) * FRAME / SAMPLE_RATE + padding
        self._last_end = min(end, self._samples / SAMPLE_RATE)
        yield Speech(round(start, 3), round(self._last_end, 3))


class _Probabilities:
    """The model on a recording that is fed block by block."""

    def __init__(self) -> None:
        self._pending = np.zeros(_CONTEXT, np.float32)  # the context, and samples of no full block
        self._state = (torch.zeros(1, 1, _STATE), torch.zeros(1, 1, _STATE))

    def feed(self, block: np.ndarray) -> np.ndarray:
        """The probabilities of the frames that are complete, in blocks of _BLOCK."""
        samples = np.concatenate([self._pending, block.astype(np.float32, copy=False)])
        step = _BLOCK * FRAME
        probabilities = []
        position = 0
        while len(samples) - _CONTEXT - position >= step:
            probabilities.append(self._run(samples[position : position + _CONTEXT + step]))
            position += step
        self._pending = samples[position:].copy()
        return np.concatenate(probabilities) if probabilities else np.zeros(0, np.float32)

    def finish(self) -> np.ndarray:
        """The probabilities of the last frames; the last one is filled up with silence."""
        rest = len(self._pending) - _CONTEXT
        if rest == 0:
            return np.zeros(0, np.float32)
        return self._run(np.pad(self._pending, (0, -rest % FRAME)))

    def _run(self, samples: np.ndarray) -> np.ndarray:
        frames = torch.from_numpy(samples).unfold(0, _CONTEXT + FRAME, FRAME)
        with torch.no_grad():
            probabilities, self._state = _load()(frames, self._state)
        return probabilities.numpy()


class _Silero(nn.Module):
    """Silero VAD 6 for 16 kHz, with the names of its own parts.

    Of them only the LSTM has to go frame by frame: a whole block goes through the others at once,
    eight times as fast as frame by frame.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stft = nn.Conv1d(1, 2 * _BINS, kernel_size=256, stride=128, bias=False)
        self.encoder = nn.Sequential(
            nn.Conv1d(_BINS, 128, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv1d(128, 64, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv1d(64, 64, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv1d(64, _STATE, kernel_size=3, padding=1),
            nn.ReLU(),
        )
        self.rnn = nn.LSTM(_STATE, _STATE)
        self.decoder = nn.Sequential(nn.ReLU(), nn.Conv1d(_STATE, 1, kernel_size=1), nn.Sigmoid())

    def forward(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        """Frames (n, context + frame) to probabilities (n,), and the state after them."""
        parts = self.stft(pad(frames, (0, 64), mode="reflect").unsqueeze(1))
        spectrum = (parts[:, :_BINS].square() + parts[:, _BINS:].square()).sqrt()
        encoded = self.encoder(spectrum)  # (n, _STATE, 1)
        hidden, state = self.rnn(encoded.transpose(1, 2), state)
        return self.decoder(hidden.transpose(1, 2)).flatten(), state


@cache
def _load() -> _Silero:
    """Silero's model with the weights of the package silero-vad.

    The package itself is not imported: that would limit torch to one thread in the whole process.
    Raises UserError where it is not there, or holds another model.
    """
    package = find_spec("silero_vad")
    folders = package.submodule_search_locations if package else None
    if not folders:
        raise UserError("the detection of speech needs the package silero-vad: install it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's, of its own format
        theirs = torch.jit.load(Path(folders[0]) / "data" / "silero_vad.jit", map_location="cpu")
    model = _Silero().eval()
    weights = {_rename(name): weight for name, weight in theirs._model.state_dict().items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        version = metadata.version("silero-vad")
        raise UserError(f"silero-vad {version} holds another model: install 6.2") from error
    return model


def _rename(name: str) -> str:
    """The name that a weight of Silero's has in `_Silero`: there ReLUs are counted, too."""
    if convolution := re.fullmatch(r"encoder\.(\d)\.reparam_conv\.(\w+)", name):
        return f"encoder.{2 * int(convolution[1])}.{convolution[2]}"
    if recurrent := re.fullmatch(r"decoder\.rnn\.(\w+)", name):
        return f"rnn.{recurrent[1]}_l0"
    return {
        "stft.forward_basis_buffer": "stft.weight",
        "decoder.decoder.2.weight": "decoder.1.weight",
        "decoder.decoder.2.bias": "decoder.1.bias",
    }.get(name, name)
