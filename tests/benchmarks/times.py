"""How far words are from where they are spoken: joined sentences, joined words, and gaps."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from peers import PEERS, Starts

from joined import Joined, Sentence, concatenate, read
from khmer_aligned import audio
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.align import Alignment, locate, set_times
from khmer_aligned.alignment.lag import Lag, estimate_lag
from khmer_aligned.errors import Failed, UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript

GROUP = 30  # sentences in a recording
FAR = 0.1  # seconds
MARGINS = (0.1, 0.3, 1.0, 2.0, 3.0)
GAPS, GAP_SECONDS, GAP_MINUTES = 10, 6.0, 10.0
_PAUSE = 0.15  # seconds
_SPEECH_DB = 30.0  # below the loudest 10 ms of a word's recording


_transcript = lru_cache(Transcript.from_text)


def aligned(waveform: np.ndarray, text: str, aligner: Aligner) -> Alignment:
    (located,) = locate([waveform], [_transcript(text)], aligner)
    if isinstance(located, Failed):
        raise UserError(located.reason)
    return set_times(located, Lag.of(estimate_lag([located.edges]), "measured"))


_MIN_SCORE = 0.45  # of words that the model understands


def starts_of(alignment: Alignment, min_score: float = 0.0) -> Starts:
    return {word.span[0]: word.start for word in alignment.words if word.score >= min_score}


def starts_by(peer: Callable, joined: Joined, aligner: Aligner) -> Starts | str:
    """A peer's starts, or in a few words why it gives none."""
    (emission,) = aligner.emissions([joined.waveform])
    seconds = len(joined.waveform) / SAMPLE_RATE
    try:
        return peer(emission, _transcript(joined.text), aligner, seconds)
    except (ImportError, RuntimeError, AssertionError, IndexError) as error:
        return " ".join(str(error).split())[:60] or type(error).__name__


def differences(starts: Starts, joined: Joined, offset: float = 0.0) -> list[float]:
    """Seconds from the truth, of the words that begin where a labelled word does."""
    return [starts[w[0]] - offset - w[1] for w in joined.words if w[0] in starts]


def row(name: str, found: Sequence[float]) -> str:
    off = np.abs(found)
    return (
        f"| {name} | {len(off):,} | {np.median(found) * 1000:+.0f} | {np.median(off) * 1000:.0f} "
        f"| {np.percentile(off, 90) * 1000:.0f} | {np.mean(off > FAR):.1%} |"
    )


HEAD = (
    "| | words | median error, ms | median distance, ms | 90th percentile, ms | over 100 ms |\n"
    "|---|---|---|---|---|---|"
)


def sentences(aligner: Aligner, data: Path) -> None:
    """Joined sentences, spaced and unspaced, with and without what a model is late by."""
    groups = list(_groups(read(data / "keosaly_labelled")))
    for spaced in (False, True):
        parts = [concatenate(group, spaced=spaced) for group in groups]
        ours = [aligned(part.waveform, part.text, aligner) for part in parts]
        print(f"\nJoined sentences, {'spaced' if spaced else 'unspaced'} text\n\n{HEAD}")
        found = [differences(starts_of(a), p) for a, p in zip(ours, parts, strict=True)]
        print(row("khmer-aligned", np.concatenate(found)))
        for name, peer in PEERS.items():
            starts = [starts_by(peer, part, aligner) for part in parts]
            failed = [each for each in starts if isinstance(each, str)]
            if failed:
                print(f"| {name} | {failed[0]} | | | | |")
                continue
            for which, used in (("", False), (", less our lag", True)):
                found = [
                    differences(one, part, alignment.acoustics.lag if used else 0.0)
                    for one, part, alignment in zip(starts, parts, ours, strict=True)
                ]
                print(row(name + which, np.concatenate(found)), flush=True)
        lags = ", ".join(f"{alignment.acoustics.lag:.3f}" for alignment in ours)
        print(f"\nLag of each recording, s: {lags}")
        if spaced:  # a word of the text ends where a labelled one does
            _ends([(part.waveform, part.text, _word_ends(part)) for part in parts], ours)


def words(aligner: Aligner, data: Path) -> None:
    """Single words joined with silence: where they begin and end is heard without a model."""
    rng = np.random.default_rng(0)
    with (data / "words" / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    waveforms = [audio.load(data / "words" / row["file_name"], name="words") for row in rows]
    for name, noise in (("digital silence", 0.0), ("a noise floor of -70 dB", 10 ** (-70 / 20))):
        parts, ends = [], []
        for chosen in np.array_split(rng.permutation(len(rows)), 5):
            pieces, text, starts, own_ends, begin = [], "", [], {}, 0
            for k in chosen:
                silence = np.zeros(round(rng.uniform(0.2, 0.6) * SAMPLE_RATE), np.float32)
                first, last = _speech(waveforms[k])
                begin += len(silence)
                starts.append((len(text), begin / SAMPLE_RATE, 0.0))
                word = rows[k]["transcription"].strip()
                own_ends[len(text) + len(word)] = (begin + last - first) / SAMPLE_RATE, True
                text += word + "\n"
                pieces += [silence, waveforms[k][first:last]]
                begin += last - first
            whole = np.concatenate([*pieces, np.zeros(SAMPLE_RATE // 2, np.float32)])
            whole += noise * rng.standard_normal(len(whole)).astype(np.float32)
            parts.append(Joined(whole, text, starts, []))
            ends.append(own_ends)
        ours = [aligned(part.waveform, part.text, aligner) for part in parts]
        found = [differences(starts_of(a), p) for a, p in zip(ours, parts, strict=True)]
        print(f"\nSingle words of other voices, joined with {name}\n\n{HEAD}")
        print(row("khmer-aligned", np.concatenate(found)))
        found = [differences(starts_of(a, _MIN_SCORE), p) for a, p in zip(ours, parts, strict=True)]
        print(row(f"khmer-aligned, words that score {_MIN_SCORE} or more", np.concatenate(found)))
        peer = "torchaudio 2.11, the tutorial"
        theirs = [differences(starts_by(PEERS[peer], p, aligner), p) for p in parts]
        print(row(peer, np.concatenate(theirs)))
        lags = ", ".join(f"{alignment.acoustics.lag:.3f}" for alignment in ours)
        print(f"\nLag of each recording, s: {lags}")
        _ends([(p.waveform, p.text, e) for p, e in zip(parts, ends, strict=True)], ours)


def gaps(aligner: Aligner, data: Path) -> None:
    """Ten minutes of sentences with ten stretches of other sentences that are not written.

    Moved: by the gaps, against the same recording without them.
    """
    recordings = list(_with_gaps(read(data / "keosaly_labelled")))
    forms = [
        [(concatenate(before, spaced=spaced), concatenate(after, spaced=spaced))
         for before, after in recordings]
        for spaced in (False, True)
    ]  # fmt: skip
    print(
        f"\n{GAPS} gaps of {GAP_SECONDS:.0f} s untranscribed in {GAP_MINUTES:.0f} min, "
        f"{len(recordings)} recordings; words over 100 ms off, and moved by as much\n\n"
        "| | unspaced text: words | without gaps | with gaps | moved by the gaps "
        "| spaced text: words | without gaps | with gaps | moved by the gaps |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )

    def line(name: str, place: Callable[[Joined], Starts]) -> None:
        cells = []
        for form in forms:
            before, after = [], []
            for whole, interrupted in form:
                before += differences(place(whole), whole)
                after += differences(place(interrupted), interrupted)
            moved = np.subtract(after, before)
            shares = [f"{np.mean(np.abs(each) > FAR):.2%}" for each in (before, after, moved)]
            cells += [f"{len(after):,}", *shares]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)

    def ours(joined: Joined) -> Starts:
        return starts_of(aligned(joined.waveform, joined.text, aligner))

    for margin in (np.inf, *MARGINS):
        with patch.object(viterbi, "align", partial(viterbi.align, margin=margin)):
            told = f"star at {margin} nats" if margin < np.inf else "no star"
            chosen = ", the default" if margin == viterbi.STAR_MARGIN else ""
            line(f"khmer-aligned, {told}{chosen}", ours)
    late = {
        id(joined): aligned(joined.waveform, joined.text, aligner).acoustics.lag
        for form in forms
        for pair in form
        for joined in pair
    }
    for name, peer in PEERS.items():

        def theirs(joined: Joined, peer: Callable = peer) -> Starts:
            starts = starts_by(peer, joined, aligner)
            return {word: start - late[id(joined)] for word, start in starts.items()}

        line(f"{name}, less our lag", theirs)


def _groups(all_sentences: list[Sentence]) -> Iterator[list[Sentence]]:
    for first in range(0, len(all_sentences), GROUP):
        yield all_sentences[first : first + GROUP]


def _with_gaps(
    all_sentences: list[Sentence],
) -> Iterator[tuple[list[Sentence], list[Sentence]]]:
    """Sentences of a recording, without and with the gaps."""
    rng = np.random.default_rng(0)
    seconds = [len(sentence.waveform) / SAMPLE_RATE for sentence in all_sentences]
    wanted = GAP_MINUTES * 60 - GAPS * GAP_SECONDS
    first = 0
    while sum(seconds[first:]) >= wanted:
        last = first + int(np.searchsorted(np.cumsum(seconds[first:]), wanted)) + 1
        own = all_sentences[first:last]
        others = all_sentences[:first] + all_sentences[last:]
        gap_before = set(rng.choice(np.arange(1, len(own)), GAPS, replace=False).tolist())
        mixed = []
        for k, sentence in enumerate(own):
            if k in gap_before:
                mixed.append(Sentence(_stretch(others, rng), "", []))
            mixed.append(sentence)
        yield own, mixed
        first = last


def _stretch(others: list[Sentence], rng: np.random.Generator) -> np.ndarray:
    """`GAP_SECONDS` of sentences in a row."""
    first = int(rng.integers(len(others) - 10))
    waveform = np.concatenate([sentence.waveform for sentence in others[first : first + 10]])
    return waveform[: round(GAP_SECONDS * SAMPLE_RATE)]


def _speech(waveform: np.ndarray) -> tuple[int, int]:
    """Samples [first, last) of what is within `_SPEECH_DB` of the loudest 10 ms."""
    hop = SAMPLE_RATE // 100
    level = np.square(waveform[: len(waveform) // hop * hop].reshape(-1, hop)).mean(axis=1)
    loud = np.flatnonzero(level > level.max() * 10 ** (-_SPEECH_DB / 10))
    return int(loud[0]) * hop, int(loud[-1] + 1) * hop


Ends = dict[int, tuple[float, bool]]  # behind a word's last character -> seconds, before a pause


def _word_ends(joined: Joined) -> Ends:
    ends = {}
    later = [word[1] for word in joined.words[1:]] + [np.inf]
    for (character, _, end), following in zip(joined.words, later, strict=True):
        last = re.compile(r"[\s\u200b]|$").search(joined.text, character).start()
        ends[last] = end, following - end >= _PAUSE
    return ends


def _ends(parts: list[tuple[np.ndarray, str, Ends]], ours: list[Alignment]) -> None:
    before: dict[bool, list[float]] = {True: [], False: []}
    after: dict[bool, list[float]] = {True: [], False: []}
    for (_, _, ends), alignment in zip(parts, ours, strict=True):
        for word, (lo, hi) in zip(alignment.words, alignment.token_ranges, strict=True):
            if word.span[1] in ends and hi > lo:
                end, pause = ends[word.span[1]]
                before[pause].append(alignment.tokens[hi - 1].end - end)
                after[pause].append(word.end - end)
    print(f"\nWord ends\n\n{HEAD}")
    for pause, where in ((True, "before a pause"), (False, "inside speech")):
        if before[pause]:
            print(row(f"{where}, the last peak", before[pause]))
            print(row(f"{where}, widened", after[pause]), flush=True)
