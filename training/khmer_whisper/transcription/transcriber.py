"""A model, ready to transcribe recordings of any length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from khmer_aligned import audio as audio_files
from khmer_aligned.console import note
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE, Word
from khmer_whisper import model as models
from khmer_whisper.decode import map_batches
from khmer_whisper.model import Whisper
from khmer_whisper.transcription import checks
from khmer_whisper.transcription.ctranslate2_engine import CTranslate2Engine, is_export
from khmer_whisper.transcription.engine import Decoded, Engine, longest_stretch
from khmer_whisper.transcription.options import Options
from khmer_whisper.transcription.segments import Segment, Transcription
from khmer_whisper.transcription.torch_engine import TorchEngine
from khmer_whisper.transcription.windows import Window, cut_windows
from khmer_whisper.transcription.word_times import choose_time_words
from khmer_whisper.transcription.words import TimeWords

Audio = str | PathLike[str] | np.ndarray

MARGIN = 0.1  # seconds by which a word may begin before the speech that was detected
SHORTEST = 0.1  # seconds; nothing shorter holds a word


class Transcriber:
    """A model, on the library that runs it, with a way to time words.

    model: a Whisper that was loaded, a Hub id or a folder; a folder that `export` has written for
    CTranslate2 is read with it. engine: transformers or ctranslate2, to be sure which one runs.
    device: cpu, cuda or cuda:N; by default the GPU, if there is one. compute_type: by default the
    best that the engine has on the device. time_words: by default the best way there is for the
    model. Threads have to take turns.

    Raises UserError where the model cannot be loaded.
    """

    def __init__(
        self,
        model: Whisper | str | PathLike[str],
        *,
        engine: str | None = None,
        device: str | None = None,
        compute_type: str | None = None,
        time_words: TimeWords | None = None,
    ) -> None:
        self.engine = load_engine(model, engine, device, compute_type)
        self.time_words = time_words
        self._noted: set[str] = set()  # languages

    def transcribe(self, audio: Audio, options: Options | None = None) -> SegmentStream:
        """The segments of a file, or of a waveform (n,), mono float32 at 16 kHz, as they are found.

        Speech is found first, cut at its pauses into windows no longer than the clips that the
        model was tuned on, and decoded in batches; nothing is written where nobody speaks. Memory
        does not grow with the length of a file. Raises UserError, at the latest when the segments
        are read, for a file that cannot be read, and for a language that the model does not have.
        """
        options = options or Options()
        prompt = self.engine.labeller.prompt(options.language, options.initial_prompt)
        if len(prompt) > self.engine.positions // 2:
            raise UserError(
                f"the initial prompt takes {len(prompt)} of the model's {self.engine.positions} "
                "positions: give at most half of them"
            )
        self._note_language(options.language)
        if options.word_times and self.time_words is None:
            self.time_words = choose_time_words(self.engine)
        return SegmentStream(self, audio, options, prompt)

    def _note_language(self, language: str) -> None:
        """Say once that the model was not tuned on a language."""
        tuned = self.engine.languages
        if tuned and language not in tuned and language not in self._noted:
            self._noted.add(language)
            note(
                f"the model was tuned on {' and '.join(tuned)}, not on {language}: it may have "
                f"unlearned it; train with --mix to keep it"
            )


class SegmentStream(Iterator[Segment]):
    """The segments of one recording.

    duration: the seconds that were read so far; count: the segments that were found so far
    """

    def __init__(
        self, transcriber: Transcriber, audio: Audio, options: Options, prompt: list[int]
    ) -> None:
        self.duration = 0.0
        self.count = 0
        self.language = options.language
        self.name = "" if isinstance(audio, np.ndarray) else Path(audio).name
        self._transcriber = transcriber
        self._options = options
        self._prompt = prompt
        where = str(audio) if self.name else "audio"
        self._segments = self._transcribe(self._count(read_blocks(audio), where))

    def __next__(self) -> Segment:
        segment = next(self._segments)
        self.count += 1
        return segment

    def collect(self, before: Sequence[Segment] = ()) -> Transcription:
        """All segments; `before`: those that were taken already."""
        segments = [*before, *self]
        return Transcription(self.name, self.duration, self.language, segments)

    def _count(self, blocks: Iterable[np.ndarray], where: str) -> Iterator[np.ndarray]:
        for block in blocks:
            self.duration += len(block) / SAMPLE_RATE
            yield block
        if self.duration < SHORTEST:
            raise UserError(f"{where}: {1000 * self.duration:.0f} ms hold no word")

    def _transcribe(self, blocks: Iterable[np.ndarray]) -> Iterator[Segment]:
        windows = cut_windows(blocks, longest_stretch(self._transcriber.engine))
        for segment in map_batches(
            windows, self._options.batch_size, self._make_segments, self.name or "transcribing"
        ):
            if segment is not None:
                yield segment

    def _make_segments(self, windows: list[Window]) -> list[Segment | None]:
        """The segment of each window; None where nothing is spoken."""
        results = self._decode(windows)
        words: list[list[Word] | None] = [None] * len(windows)
        spoken = [i for i, (result, _) in enumerate(results) if result.text]
        time_words = self._transcriber.time_words
        if self._options.word_times and time_words is not None and spoken:
            timed = time_words(
                [windows[i].samples for i in spoken], [results[i][0].text for i in spoken]
            )
            for i, its_words in zip(spoken, timed, strict=True):
                words[i] = its_words and [_place(word, windows[i]) for word in its_words]
        return [
            _make_segment(windows[i], *results[i], words[i]) if i in spoken else None
            for i in range(len(windows))
        ]

    def _decode(self, windows: list[Window]) -> list[tuple[Decoded, float]]:
        """The best result for each window, and its temperature."""
        engine, options = self._transcriber.engine, self._options
        waveforms = [window.samples for window in windows]
        tried = [
            [result]
            for result in engine.decode(
                waveforms, self._prompt, beams=options.beams, temperature=0.0
            )
        ]
        for temperature in checks.TEMPERATURES[1:] if options.fallback else ():
            again = [i for i, results in enumerate(tried) if checks.needs_fallback(results[-1])]
            if not again:
                break
            for i, result in zip(
                again,
                engine.decode(
                    [waveforms[i] for i in again], self._prompt, beams=1, temperature=temperature
                ),
                strict=True,
            ):
                tried[i].append(result)
        chosen = [checks.choose(results) for results in tried]
        return [
            (_silenced(results[i]), checks.TEMPERATURES[i])
            for i, results in zip(chosen, tried, strict=True)
        ]


def transcribe(
    whisper: Whisper,
    audio: Audio,
    batch_size: int = 8,
    quiet: bool = False,
    **options: Any,
) -> Transcription:
    """Transcribe a file, or a waveform (n,): mono float32 at 16 kHz.

    `options` are the other fields of `Options`, such as beams=5. Shows a progress bar unless
    `quiet`. Raises UserError for a file that cannot be read or is too short.
    """
    chosen = Options(batch_size=batch_size, **options)
    stream = Transcriber(whisper).transcribe(audio, chosen)
    segments = []
    with tqdm(desc=stream.name, unit="s", delay=2, disable=quiet) as progress:
        for segment in stream:
            segments.append(segment)
            progress.update(round(segment.end) - progress.n)
    return stream.collect(segments)


def load_engine(
    model: Whisper | str | PathLike[str],
    engine: str | None,
    device: str | None,
    compute_type: str | None,
) -> Engine:
    """The engine for a model; see `Transcriber`."""
    if isinstance(model, Whisper):
        return TorchEngine(model, compute_type)
    exported = is_export(Path(model))
    if engine == "transformers" and exported:
        raise UserError(f"{model}: is written for CTranslate2: give the model it was made from")
    if engine == "ctranslate2" and not exported:
        raise UserError(
            f"{model}: is not written for CTranslate2: khmer-whisper export {model} FOLDER"
        )
    if exported:
        return CTranslate2Engine(Path(model), device, compute_type)
    whisper = models.place(models.load(str(model)))
    if device is not None:
        whisper.move(device)
    return TorchEngine(whisper, compute_type)


def read_blocks(audio: Audio) -> Iterator[np.ndarray]:
    """The samples of a file or waveform in blocks (n,) float32 at 16 kHz."""
    if isinstance(audio, np.ndarray):
        step = 60 * SAMPLE_RATE
        return (audio[i : i + step].astype(np.float32) for i in range(0, len(audio), step))
    return audio_files.stream(Path(audio), name=str(audio))


def _silenced(result: Decoded) -> Decoded:
    if not checks.is_silence(result):
        return result
    return Decoded("", result.looped, result.avg_logprob, result.no_speech_prob)


def _make_segment(
    window: Window, result: Decoded, temperature: float, words: list[Word] | None
) -> Segment:
    return Segment(
        window.speech[0].start,
        window.speech[-1].end,
        result.text,
        words,
        window.speech,
        round(result.avg_logprob, 4),
        round(result.no_speech_prob, 4),
        round(checks.compression_ratio(result.text), 3),
        temperature,
    )


def _place(word: Word, window: Window) -> Word:
    """A word of a window in the recording's time, at most MARGIN outside of the window's speech."""
    first, last = window.speech[0].start - MARGIN, window.speech[-1].end + MARGIN
    start, end = (
        round(min(max(time + window.start, first), last), 3) for time in (word.start, word.end)
    )
    return Word(word.text, start, end, word.score)
