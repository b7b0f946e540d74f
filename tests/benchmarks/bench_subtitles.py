"""How subtitles of real text read: widths of lines, reading speed, words that are cut.

    python tests/benchmarks/bench_subtitles.py DATA [--minutes 60] [--show 12]

DATA is as for bench_conditions.py. The texts are what was read in DATA: sentences of one voice, the
announcements and a piece of news, one after the other, each a segment over the seconds of its
recording (a perfect transcription without word times). Long segments are as long as the windows of
Whisper, up to 30 s. A word counts as cut where a line or a cue ends inside it by the segmenter that
made the cues, and by the spaces that the first voice's texts have between their words.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.speech import Speech
from khmer_aligned.subtitles import Cue, render_cue
from khmer_aligned.text.normalize import normalize
from khmer_aligned.text.words import segment as segment_words
from khmer_whisper.transcription.captions import (
    MAX_COLUMNS,
    MAX_LINES,
    MAX_SECONDS,
    MAX_SPEED,
    count_columns,
    make_cues,
)
from khmer_whisper.transcription.segments import Segment

JOINED = 25.0  # seconds of sentences in a segment, about a window
PAUSE = 0.4  # seconds between two sentences
# The labels of the first voice have spaces between words, which people do not write.
INNER_SPACE = re.compile("(?<=[\u1780-\u17d3]) (?=[\u1780-\u17b3])")


class Reader:
    """Sentences in order, as segments of a recording that goes on."""

    def __init__(self) -> None:
        self.time = 0.0

    def read(self, sentences: list[tuple[str, float]]) -> Segment:
        """A segment of sentences with their seconds, PAUSE between."""
        speech = []
        for _, seconds in sentences:
            speech.append(Speech(self.time, self.time + seconds))
            self.time += seconds + PAUSE
        text = " ".join(text for text, _ in sentences)
        return Segment(speech[0].start, speech[-1].end, text, None, tuple(speech), 0, 0, 1, 0)


def read_sentences(data: Path) -> Iterator[tuple[str, float]]:
    """What was read, and its seconds."""
    for path in [*sorted((data / "sevakhum").glob("*.mp3")), data / "long" / "audio.wav"]:
        seconds = len(audio.load(path, name=path.name)) / SAMPLE_RATE
        text = normalize(path.with_suffix(".txt").read_text(encoding="utf-8"))
        yield " ".join(text.split()), seconds
    with (data / "keosaly" / "metadata.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            seconds = soundfile.info(data / "keosaly" / row["file_name"]).duration
            yield INNER_SPACE.sub("", normalize(row["transcription"])), seconds


def read_segments(data: Path, minutes: float) -> Iterator[Segment]:
    """Segments of about JOINED seconds."""
    reader, sentences = Reader(), list[tuple[str, float]]()
    for sentence in read_sentences(data):
        if sentences and sum(s for _, s in sentences) + sentence[1] > JOINED:
            yield reader.read(sentences)
            sentences = []
        sentences.append(sentence)
        if reader.time > 60 * minutes:
            return


def count_cut(segments: list[Segment], cues: list[Cue]) -> tuple[int, int]:
    """The breaks between lines and cues, and those inside a word."""
    breaks = cut = 0
    remaining = iter(cues)
    for segment in segments:
        pieces, rest = [], segment.text
        while rest.strip():
            for line in next(remaining).text.split("\n"):
                assert rest.lstrip().startswith(line), "the cues are not the text"
                position = len(segment.text) - len(rest.lstrip())
                rest = segment.text[position + len(line) :]
                pieces.append(position + len(line))
        inside = {k for w in segment_words(segment.text) for k in range(w.start + 1, w.end)}
        breaks += len(pieces)
        cut += sum(end in inside for end in pieces)
    return breaks, cut


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--show", type=int, default=12, help="cues to read")
    options = parser.parse_args()
    segments = list(read_segments(options.data, options.minutes))
    cues = list(make_cues(segments))
    lines = [line for cue in cues for line in cue.text.split("\n")]
    widths = np.array([count_columns(line) for line in lines])
    seconds = np.array([cue.end - cue.start for cue in cues])
    columns = np.array([count_columns(cue.text) for cue in cues])
    speeds = columns / seconds
    spoken = np.array(
        [count_columns(s.text) / sum(x.end - x.start for x in s.speech) for s in segments]
    )
    breaks, cut = count_cut(segments, cues)
    overlapping = sum(a.end > b.start + 1e-6 for a, b in pairwise(cues))
    print(f"{segments[-1].end / 60:.0f} min, {len(segments)} segments, {len(cues)} cues")
    print(f"lines in a cue: at most {max(c.text.count(chr(10)) + 1 for c in cues)} of {MAX_LINES}")
    print(
        f"columns of a line: median {np.median(widths):.0f}, widest {widths.max()}, "
        f"{np.mean(widths > MAX_COLUMNS):.1%} of {len(lines)} over {MAX_COLUMNS}"
    )
    print(
        f"seconds of a cue: median {np.median(seconds):.1f}, shortest {seconds.min():.1f}, "
        f"longest {seconds.max():.1f}, {np.mean(seconds > MAX_SECONDS + 1e-6):.1%} over "
        f"{MAX_SECONDS}"
    )
    print(
        f"columns a second: median {np.median(speeds):.1f}, 95 % at most "
        f"{np.percentile(speeds, 95):.1f}, {np.mean(speeds > MAX_SPEED + 0.01):.1%} over "
        f"{MAX_SPEED}; "
        f"the speakers themselves: median {np.median(spoken):.1f}, "
        f"{np.mean(spoken > MAX_SPEED):.1%} over {MAX_SPEED}"
    )
    print(f"breaks: {breaks}, inside a word: {cut}; cues that overlap: {overlapping}\n")
    for number, cue in enumerate(cues[: options.show], start=1):
        print(render_cue(cue, "srt", number), end="")


if __name__ == "__main__":
    main()
