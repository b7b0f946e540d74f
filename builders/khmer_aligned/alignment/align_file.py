"""One audio file and its transcript, aligned and written out."""

from __future__ import annotations

from pathlib import Path

from khmer_aligned import aligners, audio
from khmer_aligned.alignment import exports
from khmer_aligned.alignment.align import align
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips.quality import doubts
from khmer_aligned.errors import UserError
from khmer_aligned.recordings.transcripts import read_transcript
from khmer_aligned.text import Transcript


def align_file(
    recording: Path, transcript: Path, form: str, level: str, aligner: str, offset: float | None
) -> str:
    """The text of an alignment file in `form`, a key of `exports.FORMATS`."""
    waveform = audio.load(recording, name=str(recording))
    raw = read_transcript(transcript)
    model = aligners.load(aligner, offset=offset)
    (alignment,) = align([waveform], [Transcript.from_text(raw)], model)
    if isinstance(alignment, UserError):
        raise UserError(f"{recording} with {transcript}: {alignment}") from alignment
    found = doubts(alignment, Thresholds())
    return exports.write(alignment, found, form, level, str(recording), model.name)
