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
from khmer_aligned.alignment.doubts import UNSPOKEN, UNTRANSCRIBED
from khmer_aligned.alignment.lag import differing_lag
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips import cut, quality
from khmer_aligned.clips.cues import find_far_cues
from khmer_aligned.clips.cut import Piece
from khmer_aligned.clips.fingerprint import fingerprint
from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.clips.outcomes import (
    Stretch,
    audio_path,
    cut_out,
    make_clip,
    reject,
    reject_recording,
    reject_unread,
)
from khmer_aligned.clips.parts import Part, Row, divide
from khmer_aligned.clips.quality import Figures
from khmer_aligned.clips.stretch import judge_stretch, keep_all
from khmer_aligned.errors import Failed, UserError
from khmer_aligned.files import fetch
from khmer_aligned.schema import CLIP_FEATURES, SAMPLE_RATE, Problem, cues_of
from khmer_aligned.speech import speech_seconds
from khmer_aligned.stores import as_path
from khmer_aligned.text import Transcript

# A row of the result is a clip, or a rejection (as JSON) and no clip.
OUTCOME_FEATURES = Features(
    {
        **CLIP_FEATURES,
        "rejection": Value("string"),
        # Both sides of the balance: the part of the recording that the row takes, and on the first
        # row of a recording the whole of it.
        "samples": Value("int64"),
        "characters": Value("int64"),
        # The raw text of a clip: what it is rejected with, where its sentence is held out.
        "raw": Value("string"),
        "raw_first": Value("int64"),  # where it begins in the recording's text
        # On the first row of a recording: its audio file, as `Rejection.path`.
        "path": Value("string"),
        "recording_samples": Value("int64"),
        "recording_characters": Value("int64"),
        # On the first row of a recording that tells another lag than the aligner's: that, as JSON.
        "differing_lag": Value("string"),
        # On the first row of a recording that could be decoded.
        "fingerprint": Value("binary"),
    }
)

FAR_FROM_CAPTION = "spoken far from the time of its caption"

# Characters of transcript that go through the model at once: about seven minutes.
_GROUP_CHARACTERS = 5_000


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
        parts_of = {
            i: divide(rows[i], waveform)
            for i, waveform in enumerate(waveforms)
            if not isinstance(waveform, Failed) and not rows[i]["problem"]
        }
        parts = [part for parts in parts_of.values() for part in parts]
        alignments = self._align(parts, aligner)
        outcomes: list[Row] = []
        for i, (row, waveform) in enumerate(zip(rows, waveforms, strict=True)):
            if isinstance(waveform, Failed):
                samples, made = 0, [reject_recording(row, 0, waveform)]
            else:
                samples, made = len(waveform), []
                if i not in parts_of:  # no passage of its text is found in it
                    failed = Failed(row["detail"], row["problem"])
                    made = [reject_recording(row, samples, failed)]
                for part in parts_of.get(i, ()):
                    number = sum("rejection" not in outcome for outcome in made)
                    alignment = alignments.get(id(part))
                    made += self._make_part(part, alignment, count_labels, number)
                if i in parts_of:
                    made[0] |= {"differing_lag": self._differing_lag(row, parts_of[i], alignments)}
                made[0] |= {"fingerprint": fingerprint(waveform)}
            is_recording = row["problem"] != Problem.UNSPOKEN_TEXT
            made[0] |= {
                "recording_samples": samples if is_recording else None,
                "recording_characters": len(row["text"]),
                "path": audio_path(row),
            }
            outcomes.extend(made)
        return outcomes

    def _align(self, parts: list[Part], aligner: Aligner) -> dict[int, align.Alignment | Failed]:
        """The alignments of the parts that are aligned, by the id of the part.

        What a person accepted is spoken: no phrase of it is dropped.
        """
        alignments: dict[int, align.Alignment | Failed] = {}
        for accepted in (False, True):
            chosen = [part for part in parts if part.is_aligned and part.is_accepted == accepted]
            if not chosen:
                continue
            thresholds = keep_all(self.thresholds) if accepted else self.thresholds
            results = align.align(
                [part.waveform for part in chosen],
                [Transcript.from_text(part.row["text"]) for part in chosen],
                aligner,
                lag=self.lag,
                thresholds=thresholds,
                cues=[cues_of(part.row) for part in chosen],
            )
            alignments.update(zip(map(id, chosen), results, strict=True))
        return alignments

    def _differing_lag(
        self, row: Row, parts: list[Part], alignments: dict[int, align.Alignment | Failed]
    ) -> str | None:
        """The lag that a recording tells where it is another one; of a whole recording only."""
        alignment = alignments.get(id(parts[0]))
        if not parts[0].is_whole or alignment is None or isinstance(alignment, Failed):
            return None
        seconds = differing_lag(alignment.edges, self.lag)
        if seconds is None:
            return None
        return json.dumps({"recording": row["id"], "seconds": round(seconds, 3)})

    def _make_part(
        self,
        part: Part,
        alignment: align.Alignment | Failed | None,
        count_labels: LabelCounter,
        number: int,
    ) -> list[Row]:
        """The clips and rejections of a part of a recording; number: of its first clip."""
        row, samples = part.row, len(part.waveform)
        whole = Stretch(0, samples, part.first, row["text"])
        if part.correction is not None and not part.is_accepted:
            return [reject(row, whole, part.correction.reason, {})]
        if alignment is None:
            return [self._reject_gap(row, speech_seconds(part.waveform), whole)]
        if isinstance(alignment, Failed):
            if samples == 0 and not part.is_whole:  # the corrected parts took all the audio
                return [reject(row, whole, UNSPOKEN, {})]
            return [reject_recording(row, samples, alignment, part.first)]
        if part.is_accepted:
            stretch = judge_stretch(
                alignment, samples, count_labels, self.max_labels, self.thresholds
            )
            if stretch.is_kept:
                return self._keep(part, alignment, stretch.piece, number, stretch.figures)
        return list(self._cut_and_judge(part, alignment, count_labels, number))

    def _keep(
        self, part: Part, alignment: align.Alignment, piece: Piece, number: int, figures: Figures
    ) -> list[Row]:
        """The clip of a piece, and the phrases in its text that are not read aloud."""
        transcript = alignment.transcript
        first, last = transcript.slice_raw(piece.first, piece.last)
        omitted = [p for p in transcript.omitted if first <= p.span[0] and p.span[1] <= last]
        unread = [
            reject_unread(part.row, piece.end, phrase, transcript.raw, part.first)
            for phrase in omitted
        ]
        raw = cut_out(transcript.raw, (first, last), [phrase.span for phrase in omitted])
        clip = make_clip(part, alignment, piece, number, figures.score)
        outcome = asdict(clip) | {
            "audio": {"bytes": clip.audio, "path": f"{clip.id}.flac"},
            "samples": piece.end - piece.start,
            "characters": len(raw),
            "raw": raw,
            "raw_first": part.first + first,
        }
        return [outcome, *unread]

    def _cut_and_judge(
        self, part: Part, alignment: align.Alignment, count_labels: LabelCounter, number: int
    ) -> Iterator[Row]:
        """The pieces of one part and the quiet between them, in order."""
        row, samples, offset = part.row, len(part.waveform), part.first
        transcript = alignment.transcript
        far_cues = find_far_cues(alignment, cues_of(row))
        pieces = cut.cut(alignment, samples, count_labels, self.max_labels, self.thresholds)
        last_sample = raw_end = 0
        for piece in pieces:
            figures = quality.measure(alignment, piece)
            verdict = quality.judge(figures, self.thresholds)
            raw_start, raw_end = transcript.slice_raw(piece.first, piece.last)
            far = [cue for cue in far_cues if cue.span[0] < raw_end and raw_start < cue.span[1]]
            if verdict is True and far:
                verdict = False, FAR_FROM_CAPTION
            if verdict is True:
                lo, hi = piece.start, piece.end
                made = self._keep(part, alignment, piece, number, figures)
                number += 1
            else:
                lo, hi = piece.region
                details = figures.as_row()
                if far:
                    details["seconds_from_caption"] = round(far[0].seconds, 2)
                text = transcript.raw[raw_start:raw_end]
                stretch = Stretch(lo, hi, offset + raw_start, text)
                made = [reject(row, stretch, verdict[1], details)]
            gap = Stretch(last_sample, lo, offset + raw_start)
            yield from self._reject_gaps(row, alignment, gap)
            yield from made
            last_sample = hi
        yield from self._reject_gaps(
            row, alignment, Stretch(last_sample, samples, offset + raw_end)
        )

    def _reject_gaps(self, row: Row, alignment: align.Alignment, gap: Stretch) -> Iterator[Row]:
        """Audio without a word of the transcript, rejected, if there is any."""
        if gap.lo < gap.hi:
            bounds = gap.lo / SAMPLE_RATE, gap.hi / SAMPLE_RATE
            speech = alignment.acoustics.speech_seconds(*bounds)
            yield self._reject_gap(row, speech, gap)

    def _reject_gap(self, row: Row, speech: float, gap: Stretch) -> Row:
        """Audio without a word of the transcript, with so many seconds of speech, rejected."""
        reason = UNTRANSCRIBED if speech > self.thresholds.max_untranscribed else "silence"
        return reject(row, gap, reason, {"speech_seconds": round(speech, 2)})


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
    if content := row["audio"]["bytes"]:
        return _decode(content, row, track)
    with fetch(as_path(row["audio"]["path"])) as file:
        return _decode(file, row, track)


def _decode(source: Path | bytes, row: Row, track: int) -> np.ndarray | Failed:
    try:
        return audio.load(source, name=row["path"], start=row["start"], end=row["end"], track=track)
    except UserError as error:
        return Failed.of(error)
