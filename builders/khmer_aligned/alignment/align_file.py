"""One audio file and its transcript, aligned."""

from __future__ import annotations

from pathlib import Path

from khmer_aligned import aligners, audio
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import calibration
from khmer_aligned.alignment.align import Alignment, locate, set_times
from khmer_aligned.alignment.lag import (
    MAX_DIFFERENCE,
    Edges,
    Lag,
    count,
    differing_lag,
    estimate_lag,
)
from khmer_aligned.alignment.thresholds import DEFAULT, Thresholds
from khmer_aligned.errors import Failed, UserError
from khmer_aligned.recordings.transcripts import read_transcript
from khmer_aligned.text import Transcript


def align_file(
    recording: Path | str,
    transcript: Path | str,
    aligner: str = "mms",
    *,
    lag: float | None = None,
    thresholds: Thresholds = DEFAULT,
) -> Alignment:
    """When each word of a text file is spoken in an audio file.

        alignment = align_file("talk.mp3", "talk.txt")
        for word in alignment.words:
            print(word.start, word.end, word.text)

    recording: any format that FFmpeg reads, of any length; transcript: text, or captions, whose
    lines are then the text that spans count in. aligner: `mms`,
    or a CTC model of transformers by folder or Hub id. lag: seconds by which the aligner's tokens
    come late; by default the figure that `khmer-aligned calibrate` keeps for it, else what this
    recording tells, else 0. `alignment.lag` says which, `describe_lag` in words.

    `exports.render` writes the alignment as a file, `find_doubts` says where not to trust it.
    Raises UserError for a file that cannot be read or aligned.
    """
    waveform = audio.load(Path(recording), name=str(recording))
    text, cues = read_transcript(Path(transcript))
    model = aligners.load(aligner)
    (located,) = locate([waveform], [Transcript.from_text(text)], model, thresholds, [cues])
    if isinstance(located, Failed):
        raise UserError(f"{recording} with {transcript}: {located.reason}")
    return set_times(located, _choose_lag(lag, model, located.edges))


def _choose_lag(given: float | None, aligner: Aligner, edges: Edges) -> Lag:
    if given is not None:
        return Lag(given, "given")
    if aligner.lag is not None:
        return Lag(round(aligner.lag, 3), "stated")
    return calibration.read_lag(aligner.name) or Lag.of(estimate_lag([edges]), "measured")


def describe_lag(alignment: Alignment, aligner: str) -> list[str]:
    """Lines for the screen: the lag that was subtracted, where it is from, and what is in doubt.

    aligner: as the user named it.
    """
    lag = alignment.lag
    milliseconds, evidence = f"{lag.seconds * 1000:.0f} ms", count(lag.edges, "edge") + " of speech"
    lines = {
        "given": [f"lag of the aligner: {milliseconds}, as given"],
        "stated": [f"lag of the aligner: {milliseconds}, as its config.json states"],
        "kept": [
            f"lag of the aligner: {milliseconds}, kept from a calibration on {evidence} in "
            + count(lag.recordings, "recording")
        ],
        "measured": [
            f"lag of the aligner: {milliseconds}, measured on this recording alone ({evidence}); "
            f"over more recordings: khmer-aligned calibrate {aligner} SOURCE"
        ],
        "none": [
            f"lag of the aligner: unknown, {milliseconds} taken: {evidence} in this recording are "
            "too little, and none is kept for this aligner",
            "  times may come some 0.2 s late; give --lag, or measure it once over more recordings "
            f"with: khmer-aligned calibrate {aligner} SOURCE",
        ],
    }[lag.source]
    if (own := differing_lag(alignment.edges, lag.seconds)) is not None:
        lines.append(
            f"  this recording tells {own * 1000:.0f} ms, more than {MAX_DIFFERENCE * 1000:.0f} ms "
            f"from it; {milliseconds} were taken: check some times by ear"
        )
    return lines
