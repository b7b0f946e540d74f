"""One audio file and its transcript, aligned."""

from __future__ import annotations

from pathlib import Path

from khmer_aligned import aligners, audio
from khmer_aligned.alignment.align import Alignment, align
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
    come late, used where the recording has too few pauses to measure it.

    `exports.render` writes the alignment as a file, `find_doubts` says where not to trust it.
    Raises UserError for a file that cannot be read or aligned.
    """
    waveform = audio.load(Path(recording), name=str(recording))
    text = Transcript.from_text(read_transcript(Path(transcript)).text)
    model = aligners.load(aligner, lag=lag)
    (result,) = align([waveform], [text], model, thresholds)
    if isinstance(result, Failed):
        raise UserError(f"{recording} with {transcript}: {result.reason}")
    return result
