"""Whole recordings, transcribed as a user would, against their whole transcripts.

On clips a model is never given silence or music, and never has to be cut: what it leaves out and
what it invents in a recording of an hour shows only here.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from khmer_aligned import audio
from khmer_aligned.errors import UserError
from khmer_aligned.recordings import sources
from khmer_aligned.schema import Recording
from khmer_whisper import metrics
from khmer_whisper.decode import write_rows
from khmer_whisper.examples.fitting import LeftOut
from khmer_whisper.transcription.options import Options
from khmer_whisper.transcription.transcriber import Transcriber


@dataclass(frozen=True, slots=True)
class LongPrediction:
    """A line of long.jsonl: a whole recording, and how much of it was taken for speech."""

    id: str
    recording: str
    duration: float
    speech: float  # seconds
    segments: int
    reference: str
    hypothesis: str


@dataclass(frozen=True, slots=True)
class LongEvaluation:
    """A model on the whole recordings of a source.

    left_out: those without a transcript or audio, and those that the model was tuned on.
    """

    source: str
    engine: str
    predictions: list[LongPrediction]
    scores: metrics.Scores
    left_out: list[LeftOut]

    def as_dict(self) -> dict[str, Any]:
        """What metrics.json holds of it."""
        return {
            "source": self.source,
            "engine": self.engine,
            "recordings": len(self.predictions),
            "seconds": round(sum(p.duration for p in self.predictions), 3),
            "left_out": [asdict(item) for item in self.left_out],
            **self.scores.as_dict(),
        }


def evaluate_long(
    transcriber: Transcriber,
    source: str,
    trained_on: Set[str] = frozenset(),
    options: Options | None = None,
) -> LongEvaluation:
    """Transcribe and score every whole recording of `source`: a folder of recordings with
    transcripts, or a dataset, whatever `khmer-aligned build` reads.

    trained_on: names of recordings that are left out. Captions that are read as a transcript count
    as far as they go. Raises UserError where no recording is left.
    """
    corpus = sources.find(source)
    predictions: list[LongPrediction] = []
    left_out: list[LeftOut] = []
    recordings = tqdm(sources.read(corpus), desc="whole recordings", unit="recording", delay=2)
    for recording in recordings:
        reason = _why_left_out(recording, trained_on)
        try:
            if reason is None:
                predictions.append(_predict(transcriber, recording, options or Options()))
        except UserError as error:
            reason = str(error)
        if reason is not None:
            left_out.append(LeftOut(recording.id, reason))
    if not predictions:
        why = f": {left_out[0].id}: {left_out[0].reason}" if left_out else ""
        raise UserError(f"{source}: holds no recording to score{why}")
    scores = metrics.score(
        [p.reference for p in predictions],
        [p.hypothesis for p in predictions],
        [p.recording for p in predictions],
    )
    if scores.cer.total == 0:
        raise UserError(f"{source}: the transcripts are all empty")
    return LongEvaluation(source, transcriber.engine.name, predictions, scores, left_out)


def write_predictions(folder: Path, evaluation: LongEvaluation) -> None:
    """Write long.jsonl."""
    write_rows(folder / "long.jsonl", [asdict(item) for item in evaluation.predictions])


def format_scores(model: str, evaluation: LongEvaluation) -> str:
    """The scores, and how much was transcribed of what."""
    scores, predictions = evaluation.scores, evaluation.predictions
    minutes = sum(item.duration for item in predictions) / 60
    sure = scores.no_interval or f"95 % intervals over {scores.units} {scores.unit}"
    count = "1 whole recording" if len(predictions) == 1 else f"{len(predictions)} whole recordings"
    return (
        f"{count} of {evaluation.source}, {minutes:.1f} minutes; {sure}\n"
        f"{model}  CER {scores.cer}  WER {scores.wer} by {scores.segmenter}  "
        f"projected WER {scores.projected_wer}"
    )


def _why_left_out(recording: Recording, trained_on: Set[str]) -> str | None:
    if recording.problem:
        return f"{recording.problem}: {recording.detail}" if recording.detail else recording.problem
    if recording.recording in trained_on:
        return "is in the train split"
    return None


def _predict(transcriber: Transcriber, recording: Recording, options: Options) -> LongPrediction:
    """Transcribe a recording: its stretch of the file, where it is one."""
    source = recording.audio
    if source is None:
        raise UserError(f"{recording.path}: has no audio")
    waveform = audio.load(source, name=recording.path, start=recording.start, end=recording.end)
    result = transcriber.transcribe(waveform, options).collect()
    speech = [span for segment in result.segments for span in segment.speech]
    return LongPrediction(
        recording.id,
        recording.recording,
        round(result.duration, 3),
        round(sum(span.end - span.start for span in speech), 3),
        len(result.segments),
        recording.text,
        result.text,
    )
