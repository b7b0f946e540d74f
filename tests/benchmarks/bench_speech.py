"""How much of what is no speech reaches the decoder, and how much speech does not.

    uv run --group benchmarks python tests/benchmarks/bench_speech.py detect DATA [--others]
    uv run --group benchmarks python tests/benchmarks/bench_speech.py write DATA MODEL
    uv run --group benchmarks python tests/benchmarks/bench_speech.py speed DATA MODEL EXPORT
    uv run --group benchmarks python tests/benchmarks/bench_speech.py memory DATA MODEL --hours 3

DATA is as for bench_conditions.py. `detect`: ten minutes of two voices with silence, music, noise
and applause between, in pink noise, by the level of the audio as this project did it before, by
`khmer-whisper transcribe`, by faster-whisper's batched pipeline and in WhisperX's way. pyannote's
detector, WhisperX's default, cannot be installed beside this torch; its own merging to 30 s is
imitated on Silero, the detector that it offers as well. Another --seed takes other sentences and
sounds, and --others other voices. `write`: what MODEL writes over that recording. `speed`: one run
of both engines and of faster-whisper on EXPORT. `memory`: of a process that transcribes hours.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mixed import KINDS, Mixed, add_noise, mix

from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.speech import find_speech
from khmer_whisper.transcription.windows import cut_windows

Spans = list[tuple[float, float]]  # seconds that are decoded, in order

LONGEST = 30.0  # seconds of a window
NOISE = (None, 20.0, 10.0, 5.0)  # decibels
MIN_COVERED = 0.5  # of a word; less is lost
INSIDE = 0.05  # seconds from both ends of a word, the precision of its labels


def by_energy(waveform: np.ndarray) -> Spans:
    """The level of the audio: what is 50 dB under the loudest is silence, and cuts lie at the
    quietest moment of the second half of a window."""
    hop, smoothing = SAMPLE_RATE // 100, 20
    power = np.square(waveform[: len(waveform) // hop * hop].reshape(-1, hop)).mean(axis=1)
    smooth = np.convolve(power, np.ones(smoothing) / smoothing, mode="same")
    levels = 10 * np.log10(smooth + 1e-10)
    floor, limit = max(levels.max() - 50, -70), int(LONGEST * 100)
    spans = []
    start = 0
    while start < len(levels):
        end = min(start + limit, len(levels))
        if end < len(levels):
            middle = start + limit // 2
            end = middle + int(np.argmin(levels[middle:end])) + 1
        loud = np.flatnonzero(levels[start:end] > floor)
        if len(loud):
            first = max(start, start + int(loud[0]) - smoothing)
            last = min(end, start + int(loud[-1]) + 1 + smoothing)
            spans.append((first / 100, last / 100))
        start = end
    return spans


def by_windows(waveform: np.ndarray) -> Spans:
    """What `khmer-whisper transcribe` decodes."""
    windows = cut_windows([waveform], LONGEST)
    return [(w.start, w.start + len(w.samples) / SAMPLE_RATE) for w in windows]


def by_faster_whisper(waveform: np.ndarray) -> Spans:
    """What faster-whisper's BatchedInferencePipeline decodes by default."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(max_speech_duration_s=LONGEST, min_silence_duration_ms=160)
    stretches = get_speech_timestamps(waveform, options)
    return [(s["start"] / SAMPLE_RATE, s["end"] / SAMPLE_RATE) for s in stretches]


def by_whisperx(waveform: np.ndarray) -> Spans:
    """WhisperX's merging: stretches of speech joined, with all that is between, to 30 s."""
    spans: Spans = []
    for start, end in find_speech(waveform):
        if spans and end - spans[-1][0] <= LONGEST:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


DETECTORS: dict[str, Callable[[np.ndarray], Spans]] = {
    "level of the audio": by_energy,
    "khmer-whisper": by_windows,
    "faster-whisper": by_faster_whisper,
    "WhisperX's way, on Silero": by_whisperx,
}


def share_covered(spans: Spans, start: float, end: float) -> float:
    covered = sum(max(0.0, min(end, b) - max(start, a)) for a, b in spans)
    return covered / (end - start)


def detect(data: Path, minutes: float, seed: int, others: bool) -> None:
    mixed = mix(data, minutes, seed, others)
    seconds = sum(s.end - s.start for s in mixed.between)
    print(
        f"{len(mixed.waveform) / SAMPLE_RATE / 60:.1f} min, {len(mixed.words)} words, "
        f"{seconds:.0f} s without speech\n"
    )
    print(
        "| noise | detector | passed without speech | " + " | ".join(KINDS) + " | words lost "
        "| cuts inside a word |\n|" + "---|" * (5 + len(KINDS))
    )
    for decibels in NOISE:
        waveform = mixed.waveform if decibels is None else add_noise(mixed.waveform, decibels)
        for name, detector in DETECTORS.items():
            noise = "none" if decibels is None else f"{decibels:.0f} dB"
            print(f"| {noise} | {name} | {figures(detector(waveform), mixed)} |", flush=True)


def figures(spans: Spans, mixed: Mixed) -> str:
    def passed(kinds: tuple[str, ...]) -> str:
        chosen = [s for s in mixed.between if s.what in kinds]
        seconds = sum(s.end - s.start for s in chosen)
        return (
            f"{sum(share_covered(spans, *s[:2]) * (s.end - s.start) for s in chosen) / seconds:.1%}"
        )

    lost = sum(share_covered(spans, word.start, word.end) < MIN_COVERED for word in mixed.words)
    bounds = [time for span in spans for time in span]
    inside = sum(
        any(word.start + INSIDE < time < word.end - INSIDE for word in mixed.words)
        for time in bounds
    )
    kinds = " | ".join(passed((kind,)) for kind in KINDS)
    return f"{passed(KINDS)} | {kinds} | {lost} | {inside} of {len(bounds)}"


def write(data: Path, model: str, minutes: float) -> None:
    """Characters over stretches without speech, ours and with windows by the level."""
    from khmer_whisper import model as models
    from khmer_whisper.decode import recognize
    from khmer_whisper.transcription.engine import longest_stretch
    from khmer_whisper.transcription.transcriber import Transcriber

    global LONGEST
    whisper = models.place(models.load(model))
    transcriber = Transcriber(whisper)
    LONGEST = longest_stretch(transcriber.engine)
    mixed = mix(data, minutes)
    print("| noise | windows | segments | characters | of them over no speech |\n|" + "---|" * 5)
    for decibels in NOISE:
        waveform = mixed.waveform if decibels is None else add_noise(mixed.waveform, decibels)
        noise = "none" if decibels is None else f"{decibels:.0f} dB"
        spans = by_energy(waveform)
        texts = []
        for first in range(0, len(spans), 8):
            pieces = [
                waveform[int(a * SAMPLE_RATE) : int(b * SAMPLE_RATE)]
                for a, b in spans[first : first + 8]
            ]
            texts += [result.text for result in recognize(whisper, pieces)]
        before = [(*span, text) for span, text in zip(spans, texts, strict=True)]
        now = [(s.start, s.end, s.text) for s in transcriber.transcribe(waveform)]
        for name, segments in (("level of the audio", before), ("khmer-whisper", now)):
            over = sum(
                len(text) * sum(share_covered([s[:2]], a, b) * 1.0 for s in mixed.between)
                for a, b, text in segments
            )
            total = sum(len(text) for *_, text in segments)
            print(f"| {noise} | {name} | {len(segments)} | {total} | {over:.0f} |", flush=True)


def speed(data: Path, model: str, export: str, minutes: float) -> None:
    """Seconds of work for a second of audio, greedily. On a machine that has other work as well the
    seconds of the processor are what counts."""
    import torch
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    from khmer_whisper.transcription.engine import longest_stretch
    from khmer_whisper.transcription.options import Options
    from khmer_whisper.transcription.transcriber import Transcriber

    waveform = mix(data, minutes).waveform
    seconds = len(waveform) / SAMPLE_RATE
    options = Options(fallback=False)

    def ours(name: str) -> Callable[[], object]:
        transcriber = Transcriber(name)
        print(f"{name}: windows of at most {longest_stretch(transcriber.engine):.1f} s")
        return lambda: list(transcriber.transcribe(waveform, options))

    def theirs(clips: list[dict[str, float]] | None) -> Callable[[], object]:
        pipeline = BatchedInferencePipeline(WhisperModel(export, device="cpu"))

        def run() -> object:
            segments, _ = pipeline.transcribe(
                waveform,
                language="km",
                beam_size=1,
                temperature=0,
                batch_size=8,
                vad_filter=clips is None,
                clip_timestamps=clips,
            )
            return list(segments)

        return run

    print(f"{seconds / 60:.1f} min on {cpu_name()}, {torch.get_num_threads()} threads")
    runs = {"transformers": ours(model), "ctranslate2": ours(export)}
    longest = longest_stretch(Transcriber(export).engine)
    same = [
        {"start": w.start, "end": w.start + len(w.samples) / SAMPLE_RATE}
        for w in cut_windows([waveform], longest)
    ]
    runs["faster-whisper, its own windows"] = theirs(None)
    runs["faster-whisper, the same windows"] = theirs(same)
    print("\n| engine | seconds of processor for a second of audio | seconds |\n|---|---|---|")
    for name, run in runs.items():
        begin, busy = time.perf_counter(), time.process_time()
        try:
            run()
        except (RuntimeError, ValueError) as error:
            print(f"| {name} | {' '.join(str(error).split())} | |", flush=True)
            continue
        busy, passed = time.process_time() - busy, time.perf_counter() - begin
        print(f"| {name} | {busy / seconds:.3f} | {passed / seconds:.3f} |", flush=True)


def cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((s.split(": ")[1] for s in lines if s.startswith("model name")), "a processor")


def memory(data: Path, model: str, hours: float) -> None:
    """The memory of the process at every tenth minute of hours of speech in one file."""
    import tempfile

    import soundfile

    from khmer_whisper.transcription.options import Options
    from khmer_whisper.transcription.transcriber import Transcriber

    transcriber = Transcriber(model)
    waveform = mix(data, minutes=5).waveform
    options = Options(fallback=False)
    with tempfile.NamedTemporaryFile(suffix=".flac") as file:
        with soundfile.SoundFile(file.name, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as sound:
            for _ in range(round(hours * 12)):
                sound.write(waveform)
        stream = transcriber.transcribe(file.name, options)
        print("| minutes | segments | highest memory |\n|---|---|---|")
        mark = 1.0
        for segment in stream:
            if segment.end >= 60 * mark:
                show_memory(segment.end, stream.count)
                mark = 10 * (segment.end // 600 + 1)
    show_memory(stream.duration, stream.count)


def show_memory(seconds: float, segments: int) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {seconds / 60:.0f} | {segments} | {peak:.0f} MB |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, arguments in (
        ("detect", ["data"]),
        ("write", ["data", "model"]),
        ("speed", ["data", "model", "export"]),
    ):
        command = commands.add_parser(name)
        for argument in arguments:
            command.add_argument(argument, type=Path if argument == "data" else str)
        command.add_argument("--minutes", type=float, default=10.0)
        if name == "detect":
            command.add_argument("--seed", type=int, default=0)
            command.add_argument("--others", action="store_true")
    command = commands.add_parser("memory")
    command.add_argument("data", type=Path)
    command.add_argument("model")
    command.add_argument("--hours", type=float, default=3.0)
    settings = vars(parser.parse_args())
    {"detect": detect, "write": write, "speed": speed, "memory": memory}[settings.pop("command")](
        **settings
    )


if __name__ == "__main__":
    main()
