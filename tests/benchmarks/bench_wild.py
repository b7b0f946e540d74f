"""Transcripts as people have them, over real speech: what is kept, and what is lost to neighbours.

    uv run python tests/benchmarks/bench_wild.py MODEL DATA

MODEL is a CTC model by folder or Hub id; DATA holds keosaly_labelled/ (see bench_alignment.py).
One recording of joined sentences is listened to once. Each transcript is written to a file, read
as a source and aligned; its clips are compared with those of the clean text.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from rapidfuzz.distance import Levenshtein

sys.path.insert(0, str(Path(__file__).parents[1]))
from joined import concatenate, read
from khmer_aligned import aligners
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips import make
from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.clips.make import MakeClips
from khmer_aligned.dataset.config import MAX_CLIP_LABELS
from khmer_aligned.recordings.transcripts import read_transcript
from khmer_aligned.schema import RECORDING_FEATURES, Cue

BUNDLED = Path(__file__).parents[2] / "training" / "khmer_whisper" / "demo" / "assets" / "whisper"
LAG = 0.19  # seconds, of khmer-ctc-micro; no figure here depends on it


class Line(NamedTuple):
    """A right sentence and when it is spoken."""

    start: float
    end: float
    text: str


Lines = list[Line]
Wild = Callable[[Lines], str | bytes]


def each(change: Callable[[int, str], str]) -> Wild:
    return lambda lines: "\n".join(change(k, line.text) for k, line in enumerate(lines)) + "\n"


def middle(text: str, what: str) -> str:
    """`what` in place of the space nearest to the middle."""
    spaces = [k for k, char in enumerate(text) if char == " "]
    if not spaces:
        return text + what
    k = min(spaces, key=lambda k: abs(k - len(text) / 2))
    return f"{text[:k]} {what} {text[k + 1 :]}"


def spoken_name(text: str) -> str:
    """The first word before a colon: a name, and read aloud."""
    return text.replace(" ", "៖ ", 1)


def spoken_aside(text: str) -> str:
    """The second half in brackets, and read aloud."""
    spaces = [k for k, char in enumerate(text) if char == " "]
    if not spaces:
        return text
    k = min(spaces, key=lambda k: abs(k - len(text) / 2))
    end = len(text.rstrip("។ "))
    return f"{text[:k]} ({text[k + 1 : end]}){text[end:]}"


def clock(seconds: float, mark: str = ",") -> str:
    whole, part = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{mark}{part:03}"


def srt(lines: Lines, offset: float = 0.0, drift: float = 0.0) -> str:
    return "\n".join(
        f"{k}\n{clock(a * (1 + drift) + offset)} --> {clock(b * (1 + drift) + offset)}\n{text}\n"
        for k, (a, b, text) in enumerate(lines, start=1)
    )


def vtt(lines: Lines) -> str:
    cues = (f"{clock(a, '.')} --> {clock(b, '.')} align:start\n{text}\n" for a, b, text in lines)
    return "WEBVTT\n\nSTYLE\n::cue { color: red }\n\nNOTE translated by\nnobody\n\n" + "\n".join(
        cues
    )


def vtt_tags(lines: Lines) -> str:
    cues = (
        f"cue {k}\n{clock(a, '.')} --> {clock(b, '.')}\n<v សុខា><c.yellow>{text}</c>&nbsp;\n"
        for k, (a, b, text) in enumerate(lines)
    )
    return "WEBVTT\n\n" + "\n".join(cues)


def rolling(lines: Lines) -> str:
    """YouTube's: the line before stays above, and 10 ms show it alone."""
    cues, before = ["WEBVTT\nKind: captions\nLanguage: km\n"], " "
    for a, b, text in lines:
        head, _, tail = text.partition(" ")
        timed = f"{head}<{clock(a + 0.5, '.')}><c> {tail}</c>"
        place = "align:start position:0%"
        start, late, end = (clock(seconds, ".") for seconds in (a, b - 0.01, b))
        cues.append(f"{start} --> {late} {place}\n{before}\n{timed}\n")
        cues.append(f"{late} --> {end} {place}\n{text}\n \n")
        before = text
    return "\n".join(cues)


def lrc(lines: Lines) -> str:
    times = (f"[{int(a // 60):02}:{a % 60:05.2f}]{text}" for a, _, text in lines)
    return "[ti:រឿង]\n[ar:អ្នកអាន]\n" + "\n".join(times)


def textgrid(lines: Lines, short: bool = False) -> str:
    end = lines[-1].end
    rows = [(f"{a}", f"{b}", f'"{text}"') for a, b, text in lines]
    if short:
        body = "\n".join("\n".join(row) for row in rows)
        head = f'0\n{end}\n<exists>\n1\n"IntervalTier"\n"km"\n0\n{end}\n{len(rows)}\n'
        return f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n{head}{body}\n'
    body = "".join(
        f"        intervals [{k}]:\n            xmin = {a}\n            xmax = {b}\n"
        f"            text = {text}\n"
        for k, (a, b, text) in enumerate(rows, start=1)
    )
    return (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        f"xmin = 0\nxmax = {end}\ntiers? <exists>\nsize = 1\nitem []:\n    item [1]:\n"
        f'        class = "IntervalTier"\n        name = "km"\n        xmin = 0\n'
        f"        xmax = {end}\n        intervals: size = {len(rows)}\n{body}"
    )


def elan(lines: Lines) -> str:
    slots = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="a{k}" TIME_VALUE="{round(a * 1000)}"/>'
        f'<TIME_SLOT TIME_SLOT_ID="b{k}" TIME_VALUE="{round(b * 1000)}"/>'
        for k, (a, b, _) in enumerate(lines)
    )
    notes = "".join(
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="n{k}" TIME_SLOT_REF1="a{k}" '
        f'TIME_SLOT_REF2="b{k}"><ANNOTATION_VALUE>{text}</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION></ANNOTATION>"
        for k, (_, _, text) in enumerate(lines)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ANNOTATION_DOCUMENT>'
        f'<TIME_ORDER>{slots}</TIME_ORDER><TIER TIER_ID="km">{notes}</TIER></ANNOTATION_DOCUMENT>'
    )


def whisper(lines: Lines) -> str:
    return json.dumps({"text": "", "segments": [line._asdict() for line in lines]})


def whisper_cpp(lines: Lines) -> str:
    rows = [
        {"offsets": {"from": round(a * 1000), "to": round(b * 1000)}, "text": f" {text}"}
        for a, b, text in lines
    ]
    return json.dumps({"transcription": rows}, ensure_ascii=False)


def interleave(every: int, extra: str) -> Wild:
    return lambda lines: "".join(
        (f"{extra.format(k=k)}\n" if k % every == 0 else "") + line.text + "\n"
        for k, line in enumerate(lines)
    )


def below_times(lines: Lines) -> str:
    return "".join(f"{int(a) // 60}:{int(a) % 60:02}\n{text}\n" for a, _, text in lines)


def utf16_crlf(lines: Lines) -> bytes:
    return b"\xfe\xff" + "".join(f"{line.text}\r\n" for line in lines).encode("utf-16-be")


plain = each(lambda k, text: text)
CASES: dict[str, tuple[str, Wild]] = {
    "clean": (".txt", plain),
    "names before a colon": (".txt", each(lambda k, t: f"{('សុខា', 'លោក ដារ៉ា')[k % 2]}៖ {t}")),
    "Latin names": (".txt", each(lambda k, t: f"{('SOKHA', 'Mr. Dara')[k % 2]}: {t}")),
    "names in brackets": (".txt", each(lambda k, t: f"[ពិធីករ] {t}")),
    "stage directions": (".txt", each(lambda k, t: middle(t, "[សើចយ៉ាងខ្លាំង]"))),
    "asides": (".txt", each(lambda k, t: middle(t, "(មនុស្សទះដៃ)"))),
    "music": (".txt", interleave(3, "♪ ភ្លេងចាប់ផ្តើម ♪")),
    "emoji": (".txt", each(lambda k, t: f"{t} 😀👍🏽")),
    "emoji inside": (".txt", each(lambda k, t: middle(t, "❤️🇰🇭"))),
    "URLs": (".txt", each(lambda k, t: middle(t, "https://www.example.com/a/b?c=1"))),
    "bare domains": (".txt", each(lambda k, t: f"{t} news.example.com.kh")),
    "e-mail": (".txt", each(lambda k, t: middle(t, "contact.us@example.com"))),
    "telephone": (".txt", each(lambda k, t: f"{t} 012 345 678")),
    "telephone +855": (".txt", interleave(2, "ទូរស័ព្ទ៖ +855 12 345 678")),
    "tags": (".txt", each(lambda k, t: f"<p class='x'><b>{t}</b><br/></p>")),
    "&nbsp;": (".txt", each(lambda k, t: t.replace(" ", "&nbsp;") + "&quot;")),
    "footnotes": (".txt", each(lambda k, t: middle(t, f"[{k + 1}]"))),
    "superscripts": (".txt", each(lambda k, t: t + "¹²"[k % 2])),
    "asterisks": (".txt", each(lambda k, t: f"{t}*")),
    "page numbers": (".txt", interleave(3, "- {k} -")),
    "page words": (".txt", interleave(3, "ទំព័រ {k}")),
    "headings": (".txt", interleave(4, "\nជំពូកទី{k}\n")),
    "Markdown": (".txt", interleave(4, "## ចំណងជើងរឿងនិទាន")),
    "list numbers": (".txt", each(lambda k, t: f"{k + 1}. {t}")),
    "Khmer list numbers": (".txt", each(lambda k, t: f"{chr(0x17E0 + k % 9 + 1)}) {t}")),
    "bullets": (".txt", each(lambda k, t: f"• {t}")),
    "English lines": (".txt", interleave(1, "This is what the sentence below means.")),
    "Chinese lines": (".txt", interleave(2, "这是下面句子的意思。")),
    "English in brackets": (".txt", each(lambda k, t: middle(t, "(United Nations)"))),
    "abbreviations": (".txt", each(lambda k, t: middle(t, "(UN)"))),
    "times inside": (".txt", each(lambda k, t: f"[00:{k:02}] {t}" if k % 4 == 0 else t)),
    "a name that is spoken": (".txt", each(lambda k, t: spoken_name(t))),
    "an aside that is spoken": (".txt", each(lambda k, t: spoken_aside(t))),
    "headings that are spoken": (".txt", each(lambda k, t: t if k % 5 else t.rstrip("។ ") + "\n")),
    "&amp;": (".txt", each(lambda k, t: t.replace(" ", " &lt;", 1))),
    "SRT": (".srt", srt),
    "SRT in .txt": (".txt", srt),
    "SRT off by 2 s": (".srt", lambda lines: srt(lines, offset=2.0)),
    "SRT drifting 1 %": (".srt", lambda lines: srt(lines, drift=0.01)),
    "SRT both": (".srt", lambda lines: srt(lines, offset=2.0, drift=0.01)),
    "SRT, the first half": (".srt", srt),
    "SRT, every second line": (".srt", srt),
    "SRT, every second line, both": (".srt", lambda lines: srt(lines, offset=2.0, drift=0.01)),
    "WebVTT": (".vtt", vtt),
    "WebVTT, tags": (".vtt", vtt_tags),
    "rolling captions": (".vtt", rolling),
    "LRC": (".lrc", lrc),
    "TextGrid": (".TextGrid", textgrid),
    "TextGrid, short": (".TextGrid", lambda lines: textgrid(lines, short=True)),
    "ELAN": (".eaf", elan),
    "Audacity": (".txt", lambda lines: "".join(f"{a:.3f}\t{b:.3f}\t{t}\n" for a, b, t in lines)),
    "Whisper": (".json", whisper),
    "whisper.cpp": (".json", whisper_cpp),
    "a video's page": (".txt", below_times),
    "UTF-16": (".txt", lambda lines: b"\xff\xfe" + str(plain(lines)).encode("utf-16-le")),
    "UTF-16 BE, CRLF": (".txt", utf16_crlf),
}  # fmt: skip


# Captions that cover a part of the recording: which lines.
PARTS: dict[str, slice] = {
    "SRT, the first half": slice(None, 8),
    "SRT, every second line": slice(None, None, 2),
    "SRT, every second line, both": slice(None, None, 2),
}


class ClipWord(NamedTuple):
    """A word of a clip, and when it starts in the recording."""

    text: str
    start: float


class Result(NamedTuple):
    """words: of all clips, in order; said: why the rest was rejected."""

    words: list[ClipWord]
    said: Counter[str]


def clip_maker(model: Aligner, tokenizer: str) -> MakeClips:
    """What makes clips with a model that is loaded, and counts the labels of a tokenizer."""
    return MakeClips(
        "", tokenizer, MAX_CLIP_LABELS, LAG, Thresholds(),
        _models=(model, LabelCounter(tokenizer)),
    )  # fmt: skip


def run(make_clips: MakeClips, text: str, cues: Sequence[Cue], waveform: np.ndarray) -> Result:
    row = dict.fromkeys(RECORDING_FEATURES) | {
        "id": "wild", "recording": "wild", "path": "wild", "audio": {"bytes": b"-", "path": None},
        "text": text, "cues": [asdict(cue) for cue in cues],
    }  # fmt: skip
    with patch.object(make.audio, "load", lambda *_, **__: waveform):
        columns = make_clips({name: [value] for name, value in row.items()})
    words, said = [], Counter()
    characters = 0
    for values in zip(*columns.values(), strict=True):
        outcome = dict(zip(columns, values, strict=True))
        characters += outcome["characters"]
        if outcome["rejection"] is None:
            words += [
                ClipWord(word["text"], outcome["start"] + word["start"])
                for word in outcome["words"]
            ]
        else:
            rejection = json.loads(outcome["rejection"])
            kind = rejection["figures"].get("kind")
            said[f"{rejection['reason']}: {kind}" if kind else rejection["reason"]] += 1
    assert characters == len(text), "the outcomes of a build tile its text"
    return Result(words, said)


def compare(clean: list[ClipWord], words: list[ClipWord], covered: Lines) -> tuple[float, float]:
    """The shares of the clean words in the covered lines that are lost, and that are wrong."""
    expected = [
        word.text for word in clean if any(line.start <= word.start < line.end for line in covered)
    ]
    edits = Counter(e.tag for e in Levenshtein.editops(expected, [word.text for word in words]))
    lost, wrong = (edits[tag] + edits["replace"] for tag in ("delete", "insert"))
    return lost / len(expected), wrong / len(expected)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("--tokenizer", default=str(BUNDLED), help="of Whisper, for the clips")
    parser.add_argument("--sentences", type=int, default=16)
    parser.add_argument("--only", action="append", help="a case; may be given again")
    options = parser.parse_args()
    joined = concatenate(read(options.data / "keosaly_labelled", 0, options.sentences))
    lines = [Line(s.start, s.end, joined.text[s.first : s.last].strip()) for s in joined.sentences]
    model = aligners.load(options.model)
    emissions = model.emissions([joined.waveform])
    with patch.object(model, "emissions", lambda waveforms: emissions):
        make_clips = clip_maker(model, options.tokenizer)
        print(
            f"{len(joined.waveform) / 16_000 / 60:.1f} min, {len(lines)} sentences\n\n"
            "| transcript | words kept | of the clean ones lost | wrong words kept | said |\n"
            "|---|---|---|---|---|"
        )
        clean: list[ClipWord] = []
        worst = 0.0
        with tempfile.TemporaryDirectory() as folder:
            for name, (ending, wild) in CASES.items():
                if options.only and name not in ("clean", *options.only):
                    continue
                covered = lines[PARTS.get(name, slice(None))]
                content = wild(covered)
                path = Path(folder) / f"wild{ending}"
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
                words, said = run(make_clips, *read_transcript(path), joined.waveform)
                clean = clean or words
                lost, wrong = compare(clean, words, covered)
                worst = max(worst, lost)
                reasons = ", ".join(f"{n} x {reason}" for reason, n in said.most_common())
                print(
                    f"| {name} | {len(words)} | {lost:.1%} | {wrong:.1%} | {reasons} |", flush=True
                )
    print(f"\n{len(CASES) - 1} wild transcripts; most lost: {worst:.1%}")


if __name__ == "__main__":
    main()
