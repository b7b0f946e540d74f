"""A batch of recordings to clips and rejections: the function given to `Dataset.map`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Features, Value

from khmer_aligned import aligners, audio
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import align
from khmer_aligned.alignment.doubts import UNREAD, UNTRANSCRIBED
from khmer_aligned.alignment.lag import differing_lag
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips import cut, quality
from khmer_aligned.clips.cues import find_far_cues
from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.errors import Failed, UserError
from khmer_aligned.schema import (
    CLIP_FEATURES,
    SAMPLE_RATE,
    Clip,
    Cue,
    Problem,
    Rejection,
    Word,
)
from khmer_aligned.text import Transcript, Unread

# A row of the result is a clip, or a rejection (as JSON) and no clip.
OUTCOME_FEATURES = Features(
    {
        **CLIP_FEATURES,
        "rejection": Value("string"),
        # Both sides of the balance: the part of the recording that the row takes, and on the first
        # row of a recording the whole of it.
        "samples": Value("int64"),
        "characters": Value("int64"),
        "recording_samples": Value("int64"),
        "recording_characters": Value("int64"),
        # On the first row of a recording that tells another lag than the aligner's: that, as JSON.
        "differing_lag": Value("string"),
    }
)

FAR_FROM_CAPTION = "spoken far from the time of its caption"

# Characters of transcript that go through the model at once: about seven minutes.
_GROUP_CHARACTERS = 5_000

Row = dict[str, Any]


@dataclass
class MakeClips:
    """Aligns a batch of rows of `RECORDING_FEATURES`, cuts them and judges the pieces.

    The models are loaded at the first call, in the process that makes it, and never pickled: the
    fingerprint of `Dataset.map` is a hash of the configuration alone. A result depends on its
    recording and the configuration, not on the batch.

    lag: seconds that the aligner's tokens come late
    """

    aligner: str
    tokenizer: str
    max_labels: int
    lag: float
    thresholds: Thresholds
    track: int = 1
    _models: tuple[Aligner, LabelCounter] | None = field(default=None, repr=False)

    def __getstate__(self) -> Row:
        return {**self.__dict__, "_models": None}

    def __call__(self, batch: dict[str, list[Any]], rank: int | None = None) -> dict[str, list]:
        aligner, count_labels = self._load_models(rank)
        rows: list[Row] = [
            dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)
        ]

        def make_group(group: slice) -> list[Row]:
            waveforms = [future.result() for future in decoded[group]]
            return self._make_rows(rows[group], waveforms, aligner, count_labels)

        # Decoding runs ahead, and of two groups one is aligned and cut while the other has the
        # model: decoders, models and paths release the GIL.
        with ThreadPoolExecutor() as decoders, ThreadPoolExecutor(2) as groups:
            decoded = [decoders.submit(load_waveform, row, self.track) for row in rows]
            outcomes = [row for group in groups.map(make_group, _group(rows)) for row in group]
        return {name: [outcome.get(name) for outcome in outcomes] for name in OUTCOME_FEATURES}

    def _load_models(self, rank: int | None) -> tuple[Aligner, LabelCounter]:
        if self._models is None:
            aligner = aligners.load(self.aligner, rank=rank)
            self._models = aligner, LabelCounter(self.tokenizer)
        return self._models

    def _make_rows(
        self,
        rows: list[Row],
        waveforms: list[np.ndarray | Failed],
        aligner: Aligner,
        count_labels: LabelCounter,
    ) -> list[Row]:
        """The clips and rejections of a group of recordings."""
        decoded = {
            i: waveform
            for i, waveform in enumerate(waveforms)
            if not isinstance(waveform, Failed) and not rows[i]["problem"]
        }
        transcripts = [Transcript.from_text(rows[i]["text"]) for i in decoded]
        results = align.align(
            list(decoded.values()), transcripts, aligner, lag=self.lag, thresholds=self.thresholds
        )
        alignments = dict(zip(decoded, results, strict=True))

        outcomes: list[Row] = []
        for i, (row, waveform) in enumerate(zip(rows, waveforms, strict=True)):
            if isinstance(waveform, Failed):
                samples, made = 0, [_reject_recording(row, 0, waveform)]
            else:
                samples = len(waveform)
                # Its audio can be read, but no passage of its text is found in it.
                failed = Failed(row["detail"], row["problem"] or "")
                alignment = alignments.get(i, failed)
                if isinstance(alignment, Failed):
                    made = [_reject_recording(row, samples, alignment)]
                else:
                    made = list(self._cut_and_judge(row, waveform, alignment, count_labels))
                    made[0] |= {"differing_lag": self._differing_lag(row, alignment)}
            is_recording = row["problem"] != Problem.UNSPOKEN_TEXT
            made[0] |= {
                "recording_samples": samples if is_recording else None,
                "recording_characters": len(row["text"]),
            }
            outcomes.extend(made)
        return outcomes

    def _differing_lag(self, row: Row, alignment: align.Alignment) -> str | None:
        seconds = differing_lag(alignment.edges, self.lag)
        if seconds is None:
            return None
        return json.dumps({"recording": row["id"], "seconds": round(seconds, 3)})

    def _cut_and_judge(
        self,
        row: Row,
        waveform: np.ndarray,
        alignment: align.Alignment,
        count_labels: LabelCounter,
    ) -> Iterator[Row]:
        """The pieces of one recording and the quiet between them, in order."""
        transcript = alignment.transcript
        far_cues = find_far_cues(alignment, [Cue(**cue) for cue in row["cues"] or ()])
        pieces = cut.cut(alignment, len(waveform), count_labels, self.max_labels, self.thresholds)
        number = last_sample = 0
        for piece in pieces:
            figures = quality.measure(alignment, piece)
            verdict = quality.judge(figures, self.thresholds)
            raw_start, raw_end = transcript.slice_raw(piece.first, piece.last)
            far = [cue for cue in far_cues if cue.span[0] < raw_end and raw_start < cue.span[1]]
            if verdict is True and far:
                verdict = False, FAR_FROM_CAPTION
            unread: list[Row] = []
            if verdict is True:
                lo, hi = piece.start, piece.end
                unread = [
                    _reject_unread(row, hi, phrase, transcript.raw)
                    for phrase in transcript.omitted
                    if raw_start <= phrase.span[0] and phrase.span[1] <= raw_end
                ]
                clip = _clip(row, waveform, alignment, piece, number, figures.score)
                outcome = asdict(clip) | {"audio": {"bytes": clip.audio, "path": f"{clip.id}.flac"}}
                number += 1
            else:
                lo, hi = piece.region
                text = transcript.raw[raw_start:raw_end]
                details = figures.as_row()
                if far:
                    details["seconds_from_caption"] = round(far[0].seconds, 2)
                outcome = _reject(row, lo, hi, text, verdict[1], details)
            yield from self._reject_gap(row, alignment, last_sample, lo)
            characters = raw_end - raw_start - sum(each["characters"] for each in unread)
            yield outcome | {"samples": hi - lo, "characters": characters}
            yield from unread
            last_sample = hi
        yield from self._reject_gap(row, alignment, last_sample, len(waveform))

    def _reject_gap(self, row: Row, alignment: align.Alignment, lo: int, hi: int) -> Iterator[Row]:
        """Samples [lo, hi) without a word of the transcript, rejected, if there are any."""
        if lo == hi:
            return
        energy = alignment.acoustics.energy
        speech = energy.speech_seconds(lo / SAMPLE_RATE, hi / SAMPLE_RATE)
        reason = UNTRANSCRIBED if speech > self.thresholds.max_untranscribed else "silence"
        yield _reject(row, lo, hi, "", reason, {"speech_seconds": round(speech, 2)})


def _group(rows: list[Row]) -> list[slice]:
    """Rows that go through the model together: about `_GROUP_CHARACTERS`, one row at least."""
    groups: list[slice] = []
    start = characters = 0
    for i, row in enumerate(rows):
        characters += len(row["text"])
        if characters >= _GROUP_CHARACTERS or i + 1 == len(rows):
            groups.append(slice(start, i + 1))
            start, characters = i + 1, 0
    return groups


def load_waveform(row: Row, track: int = 1) -> np.ndarray | Failed:
    """The waveform of a recording, or why there is none."""
    if row["problem"] and not row["text_file"]:
        return Failed(row["detail"], row["problem"])
    source = row["audio"]["bytes"] or Path(row["audio"]["path"])
    try:
        return audio.load(source, name=row["path"], start=row["start"], end=row["end"], track=track)
    except UserError as error:
        return Failed.of(error)


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
        speaker=row["speaker"] or transcript.speaker_of(piece.first, piece.last),
        start=begin + start,
        end=begin + end,
    )


def _one_line(text: str) -> str:
    return text.replace("\n", " ")


def _reject(row: Row, lo: int, hi: int, text: str, reason: str, figures: Row) -> Row:
    """Samples [lo, hi) of a recording and the text in them, rejected."""
    begin = row["start"] or 0.0
    start, end = round(begin + lo / SAMPLE_RATE, 4), round(begin + hi / SAMPLE_RATE, 4)
    rejection = Rejection(row["recording"], start, end, text, reason, figures)
    return {
        "rejection": json.dumps(rejection.as_row(), ensure_ascii=False),
        "samples": hi - lo,
        "characters": len(text),
    }


def _reject_unread(row: Row, sample: int, phrase: Unread, raw: str) -> Row:
    """A phrase in a clip's text that was not read aloud; it takes no audio."""
    text = raw[slice(*phrase.span)]
    return _reject(row, sample, sample, text, UNREAD, {"kind": phrase.kind})


def _reject_recording(row: Row, samples: int, failed: Failed) -> Row:
    """A whole recording that cannot be aligned; it has no times where nothing was decoded."""
    reason = failed.category or failed.reason
    figures = {"path": row["path"], "detail": failed.reason}
    if samples:
        return _reject(row, 0, samples, row["text"], reason, figures)
    rejection = Rejection(row["recording"], None, None, row["text"], reason, figures)
    return {
        "rejection": json.dumps(rejection.as_row(), ensure_ascii=False),
        "samples": 0,
        "characters": len(row["text"]),
    }
