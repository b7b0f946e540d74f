"""A batch of recordings to clips and rejections: the function given to `Dataset.map`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Features, Value

from khmer_aligned import aligners, audio
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import align
from khmer_aligned.clips import cut, quality
from khmer_aligned.clips.labels import TokenCounter
from khmer_aligned.errors import UserError
from khmer_aligned.schema import CLIP_FEATURES, SAMPLE_RATE, Clip, Rejection, Word
from khmer_aligned.text import Transcript

# What the map gives: a row is a clip, or a rejection (as JSON) and no clip.
OUTCOME_FEATURES = Features(
    {
        **CLIP_FEATURES,
        "rejection": Value("string"),
        # What the row takes out of its recording, and on the recording's first row all there is:
        # both sides of the balance.
        "samples": Value("int64"),
        "characters": Value("int64"),
        "recording_samples": Value("int64"),
        "recording_characters": Value("int64"),
    }
)

# Of transcript that goes through the model at once: some seven minutes.
_GROUP_CHARACTERS = 5_000

Row = dict[str, Any]


@dataclass
class MakeClips:
    """Aligns a batch of rows of `RECORDING_FEATURES`, cuts them and judges the pieces.

    The models are loaded at the first call, in the process that makes it, and never pickled: the
    fingerprint of `Dataset.map` is a hash of the configuration alone. A result depends on its
    recording and the configuration, not on the batch.
    """

    aligner: str
    tokenizer: str
    max_tokens: int
    offset: float | None
    thresholds: quality.Thresholds
    _loaded: tuple[Aligner, TokenCounter] | None = field(default=None, repr=False)

    def __getstate__(self) -> Row:
        return {**self.__dict__, "_loaded": None}

    def __call__(self, batch: dict[str, list], rank: int | None = None) -> dict[str, list]:
        if self._loaded is None:
            aligner = aligners.load(self.aligner, rank=rank, offset=self.offset)
            self._loaded = aligner, TokenCounter(self.tokenizer)
        rows = [
            dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)
        ]
        # Decoding runs ahead, and of two groups one is aligned and cut while the other has the
        # model: decoders, models and paths release the GIL.
        with ThreadPoolExecutor() as decoders, ThreadPoolExecutor(2) as groups:
            waveforms = [decoders.submit(_load, row) for row in rows]
            outcomes = list(
                groups.map(lambda part: self._outcomes(rows[part], waveforms[part]), _groups(rows))
            )
        found = [outcome for group in outcomes for outcome in group]
        return {name: [outcome.get(name) for outcome in found] for name in OUTCOME_FEATURES}

    def _outcomes(
        self, rows: list[Row], decoded: list[Future[np.ndarray | UserError]]
    ) -> list[Row]:
        waveforms = [each.result() for each in decoded]
        transcripts = [Transcript.from_text(row["text"]) for row in rows]
        readable = [i for i, w in enumerate(waveforms) if not isinstance(w, UserError)]
        aligned = align.align(
            [waveforms[i] for i in readable], [transcripts[i] for i in readable], self._loaded[0]
        )
        alignments: list[align.Alignment | UserError] = list(waveforms)
        for i, alignment in zip(readable, aligned, strict=True):
            alignments[i] = alignment

        outcomes: list[Row] = []
        for row, waveform, alignment in zip(rows, waveforms, alignments, strict=True):
            samples = 0 if isinstance(waveform, UserError) else len(waveform)
            if isinstance(alignment, UserError):
                own = [_lost(row, samples, str(alignment))]
            else:
                own = list(self._clips(row, waveform, alignment))
            own[0] |= {"recording_samples": samples, "recording_characters": len(row["text"])}
            outcomes.extend(own)
        return outcomes

    def _clips(self, row: Row, waveform: np.ndarray, alignment: align.Alignment) -> Iterator[Row]:
        """The pieces of one recording and the quiet between them, in order."""
        transcript = alignment.transcript
        number = reached = 0
        for piece in cut.cut(alignment, len(waveform), self._loaded[1], self.max_tokens):
            figures = quality.measure(alignment, piece)
            verdict = quality.judge(figures, self.thresholds)
            raw_start, raw_end = transcript.slice_raw(piece.first, piece.last)
            if verdict is True:
                lo, hi = piece.start, piece.end
                clip = _clip(row, waveform, alignment, piece, number, figures.score)
                outcome = asdict(clip) | {"audio": {"bytes": clip.audio, "path": f"{clip.id}.flac"}}
                number += 1
            else:
                lo, hi = piece.region
                text = transcript.raw[raw_start:raw_end]
                outcome = _rejected(row, lo, hi, text, verdict[1], figures.as_row())
            yield from _between(row, alignment, reached, lo)
            yield outcome | {"samples": hi - lo, "characters": raw_end - raw_start}
            reached = hi
        yield from _between(row, alignment, reached, len(waveform))


def _groups(rows: list[Row]) -> list[slice]:
    """Rows that go through the model together: about `_GROUP_CHARACTERS`, one row at least."""
    groups, start, characters = [], 0, 0
    for i, row in enumerate(rows):
        characters += len(row["text"])
        if characters >= _GROUP_CHARACTERS or i + 1 == len(rows):
            groups.append(slice(start, i + 1))
            start, characters = i + 1, 0
    return groups


def _load(row: Row) -> np.ndarray | UserError:
    if row["problem"]:
        return UserError(row["problem"])
    source = row["audio"]["bytes"] or Path(row["audio"]["path"])
    try:
        return audio.load(source, name=row["path"], start=row["start"], end=row["end"])
    except UserError as error:
        return error


def _clip(
    row: Row,
    waveform: np.ndarray,
    alignment: align.Alignment,
    piece: cut.Piece,
    number: int,
    score: float,
) -> Clip:
    begin = row["start"] or 0.0  # a recording may be a stretch of its file
    start, end = piece.start / SAMPLE_RATE, piece.end / SAMPLE_RATE
    transcript = alignment.transcript
    return Clip(
        id=f"{row['id']}-{number:05d}",
        audio=audio.encode_flac(waveform[piece.start : piece.end]),
        text=_one_line(transcript.written(piece.first, piece.last)),
        spoken=_one_line(transcript.spoken_text(piece.first, piece.last)),
        words=[
            Word(word.text, word.start - start, word.end - start, word.score)
            for word in alignment.words[piece.first : piece.last]
        ],
        duration=end - start,
        score=score,
        recording=row["recording"],
        speaker=row["speaker"],
        start=begin + start,
        end=begin + end,
    )


def _one_line(text: str) -> str:
    return text.replace("\n", " ")


def _between(row: Row, alignment: align.Alignment, lo: int, hi: int) -> Iterator[Row]:
    """Samples [lo, hi) without a word of the transcript."""
    if lo == hi:
        return
    speech = alignment.energy.speech_seconds(lo / SAMPLE_RATE, hi / SAMPLE_RATE)
    reason = quality.UNTRANSCRIBED if speech > quality.MAX_UNTRANSCRIBED else "silence"
    yield _rejected(row, lo, hi, "", reason, {"speech_seconds": round(speech, 2)})


def _rejected(row: Row, lo: int, hi: int, text: str, reason: str, figures: Row) -> Row:
    begin = row["start"] or 0.0
    start, end = round(begin + lo / SAMPLE_RATE, 4), round(begin + hi / SAMPLE_RATE, 4)
    rejection = Rejection(row["recording"], start, end, text, reason, figures)
    return {
        "rejection": json.dumps(rejection.as_row(), ensure_ascii=False),
        "samples": hi - lo,
        "characters": len(text),
    }


def _lost(row: Row, samples: int, reason: str) -> Row:
    """A whole recording that could not be aligned; its times are open where nothing was read."""
    if samples:
        return _rejected(row, 0, samples, row["text"], reason, {"path": row["path"]})
    rejection = Rejection(row["recording"], None, None, row["text"], reason, {"path": row["path"]})
    return {
        "rejection": json.dumps(rejection.as_row(), ensure_ascii=False),
        "samples": 0,
        "characters": len(row["text"]),
    }
