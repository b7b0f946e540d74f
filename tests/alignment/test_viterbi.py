"""The path against every path there is, a slow float64 trellis, and torchaudio."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
import torch
import torchaudio

from khmer_aligned.alignment.trellis import CHUNK
from khmer_aligned.alignment.viterbi import STAR_MARGIN, Path, align, align_many, merge
from khmer_aligned.errors import UserError

STAR = 5000


def emission(rng, frames, columns, spread=3.0):
    """Log-probabilities of a model that is sure of something else in every frame."""
    logits = rng.normal(size=(frames, columns)) * spread
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)


def star_log_probs(log_probs, blank=0):
    return np.delete(log_probs, blank, axis=1).max(1) - np.float32(STAR_MARGIN)


def reference_score(log_probs, labels, blank=0):
    """Score of the best path by the plain recursion over 2L + 1 states in float64."""
    ordinary = [label for label in labels if label != STAR]
    starred, seen = np.zeros(len(ordinary) + 1, bool), 0
    for label in labels:
        if label == STAR:
            starred[seen] = True
        else:
            seen += 1
    columns = np.repeat(blank, 2 * len(ordinary) + 1)
    columns[1::2] = ordinary
    jump = np.full(len(columns), -np.inf)
    jump[3::2] = np.where(np.diff(ordinary) == 0, -np.inf, 0.0) if len(ordinary) > 1 else 0.0
    emitted = log_probs.astype(np.float64)
    star = np.maximum(emitted[:, blank], star_log_probs(log_probs, blank))
    alpha = np.full(len(columns), -np.inf)
    alpha[0] = 0.0  # before the first frame
    for t in range(len(log_probs)):
        one, two = np.full_like(alpha, -np.inf), np.full_like(alpha, -np.inf)
        one[1:], two[2:] = alpha[:-1], alpha[:-2]
        frame = emitted[t, columns]
        frame[::2] = np.where(starred, star[t], frame[::2])
        alpha = np.maximum(np.maximum(alpha, one), two + jump) + frame
    return max(alpha[-1], alpha[-2]) if len(ordinary) else alpha[-1]


def check(path: Path, log_probs, labels, blank=0):
    """The path is one of `labels`, and its score is what it emits."""
    assert path.position.shape == (len(log_probs),) and path.position.dtype == np.int32
    star, total, last, fresh = star_log_probs(log_probs, blank), 0.0, -1, True
    met = set()
    for t, at in enumerate(path.position):
        if at < 0:
            emitted, fresh = log_probs[t, blank], True
        elif labels[at] == STAR:
            assert at >= last
            emitted, fresh, last = star[t], True, at
        else:
            assert at >= last
            if at != last and last >= 0 and labels[at] == labels[last]:
                assert fresh, "equal neighbours without a blank between them"
            emitted, fresh, last = log_probs[t, labels[at]], False, at
            met.add(int(at))
        assert emitted == path.log_probs[t]
        total += float(emitted)
    assert met == {i for i, label in enumerate(labels) if label != STAR}
    assert path.score == pytest.approx(total, abs=1e-6 * max(1.0, abs(total)))


def every_path_score(log_probs, labels, blank=0):
    """The best of all strings over the letters, the blank "_" and the star "*" that fit."""
    letters = {column: chr(ord("a") + column) for column in range(log_probs.shape[1])}
    pattern, starred, before = "", False, None
    for label in [*labels, None]:
        if label == STAR:
            starred = True
            continue
        gap = "[_*]" if starred else "_"
        pattern += gap + ("+" if label is not None and label == before else "*")
        if label is not None:
            pattern += letters[label] + "+"
        before, starred = label, False
    values = {letters[c]: log_probs[:, c].astype(np.float64) for c in letters if c != blank}
    values["_"] = log_probs[:, blank].astype(np.float64)
    values["*"] = star_log_probs(log_probs, blank).astype(np.float64)
    matches = re.compile(pattern).fullmatch
    return max(
        (
            sum(values[letter][t] for t, letter in enumerate(string))
            for string in itertools.product(values, repeat=len(log_probs))
            if matches("".join(string))
        ),
        default=-np.inf,
    )


def random_labels(rng, count, columns, stars=0.0, blank=0):
    """Few different labels, so that repeats are common."""
    labels = rng.choice([c for c in range(columns) if c != blank], count)
    return np.where(rng.random(count) < stars, STAR, labels)


@pytest.mark.parametrize("stars", [0.0, 0.4])
def test_no_other_path_is_better(stars):
    rng = np.random.default_rng(1)
    impossible = 0
    for _ in range(120):
        blank = int(rng.integers(3))
        log_probs = emission(rng, int(rng.integers(1, 6)), 3, 1.5)
        labels = random_labels(rng, int(rng.integers(0, 5)), 3, stars, blank)
        best = every_path_score(log_probs, labels, blank)
        if best == -np.inf:
            impossible += 1
            with pytest.raises(UserError, match="frames cannot hold"):
                align(log_probs, labels, blank, STAR)
            continue
        path = align(log_probs, labels, blank, STAR)
        check(path, log_probs, labels, blank)
        assert path.score == pytest.approx(best, abs=1e-5)
    assert 0 < impossible < 100


def test_torchaudio_finds_the_same_score():
    rng = np.random.default_rng(2)
    for case in range(1000):
        columns = int(rng.integers(3, 40))
        frames = int(rng.integers(1, 90))
        log_probs = emission(rng, frames, columns, float(rng.uniform(0.5, 5)))
        labels = random_labels(rng, int(rng.integers(1, frames + 1)), min(columns, 6))
        if case % 4 == 0:
            labels[:] = labels[0]
        need = len(labels) + int((labels[1:] == labels[:-1]).sum())
        if frames < need:
            with pytest.raises(UserError, match="frames cannot hold"):
                align(log_probs, labels)
            continue
        path = align(log_probs, labels)
        check(path, log_probs, labels)
        _, theirs = torchaudio.functional.forced_align(
            torch.from_numpy(log_probs)[None], torch.from_numpy(labels)[None], blank=0
        )
        assert path.score == pytest.approx(theirs.double().sum().item(), abs=1e-3)


@pytest.mark.parametrize(
    ("frames", "count", "columns", "stars"),
    [
        (1500, 375, 29, 0.0),  # half a minute
        (1500, 375, 29, 0.2),
        (3001, 2900, 29, 0.0),  # hardly room to move, and three chunks
        (5003, CHUNK - 1, 29, 0.1),  # the last gap ends a chunk
        (5003, CHUNK, 29, 0.1),  # and begins one
        (4099, 2 * CHUNK, 29, 0.0),
        (2000, 500, 2, 0.0),
        (2500, 600, 16, 0.3),
        (2500, 600, 17, 0.3),
        (2500, 600, 33, 0.3),
        (2500, 1200, 110, 0.1),  # Khmer characters
        (1200, 300, 1400, 0.1),
        (6000, 3, 29, 0.5),
        (15000, 3750, 29, 0.0),  # five minutes
        (15000, 3750, 29, 0.1),
    ],
)
def test_score_is_that_of_float64(frames, count, columns, stars):
    rng = np.random.default_rng(frames + count + columns)
    log_probs = emission(rng, frames, columns)
    labels = random_labels(rng, count, columns, stars)
    if columns == 2:
        labels = labels[: frames // 3]
    repeats = rng.random(len(labels)) < 0.02
    labels[1:][repeats[1:]] = labels[:-1][repeats[1:]]
    ordinary = labels[labels != STAR]
    labels = labels[: len(labels) - int((ordinary[1:] == ordinary[:-1]).sum())]
    path = align(log_probs, labels, star=STAR)
    check(path, log_probs, labels)
    assert path.score >= reference_score(log_probs, labels) - 1e-3


def test_threads_change_nothing():
    rng = np.random.default_rng(5)
    log_probs, labels = emission(rng, 9001, 29), random_labels(rng, 6000, 29, 0.1)
    alone = align(log_probs, labels, star=STAR, threads=1)
    for threads in (2, 3, 5):
        path = align(log_probs, labels, star=STAR, threads=threads)
        assert np.array_equal(path.position, alone.position)
        assert path.score == alone.score


def test_many_are_aligned_as_each_alone_and_one_that_cannot_be_costs_no_other():
    rng = np.random.default_rng(6)
    items = [
        (emission(rng, 10 * n + 1, 29), random_labels(rng, 3 * n, 29, 0.1)) for n in range(1, 30)
    ]
    items.insert(4, (items[0][0], np.arange(1, 20)))
    items.append((emission(rng, 12000, 29), random_labels(rng, 6000, 29)))
    paths = align_many(items, star=STAR, threads=3)
    assert isinstance(paths[4], UserError)
    for number, (item, path) in enumerate(zip(items, paths, strict=True)):
        if number != 4:
            assert np.array_equal(path.position, align(*item, star=STAR).position)


def test_ties_have_one_answer():
    # Ends in the blank, stays there as long as it can.
    flat = np.zeros((6, 4), np.float32)
    assert align(flat, [1, 2, 3]).position.tolist() == [0, 1, 2, -1, -1, -1]
    assert align(flat, [1, 1]).position.tolist() == [0, -1, 1, -1, -1, -1]
    flat = np.zeros((5000, 3), np.float32)
    labels = np.tile([1, 2], 1000)
    path = align(flat, labels)
    assert path.position.tolist() == [*range(2000), *[-1] * 3000]


def test_an_hour_of_doubt_is_rounded_no_worse_than_a_second():
    # Two ways through, 0.001 nats apart in every frame, after a loss of 400,000 nats.
    frames = 40_000
    log_probs = np.full((frames, 3), -30.0, np.float32)
    log_probs[:, 0] = -10.0
    log_probs[frames // 2 :: 7, 1] = -10.001
    log_probs[frames - 500, 1] = -10.0
    path = align(log_probs, [1])
    assert path.position.tolist().index(0) == frames - 500
    assert path.score == pytest.approx(-10.0 * frames, abs=1e-6)


def test_minus_infinity_is_avoided_or_named():
    log_probs = np.log(np.full((5, 3), 1 / 3, np.float32))
    log_probs[:3, 1] = -np.inf
    path = align(log_probs, [1, 2])
    assert path.position.tolist() == [-1, -1, -1, 0, 1]
    log_probs[:, 1] = -np.inf
    with pytest.raises(UserError, match="2 labels through 5 frames has a probability above zero"):
        align(log_probs, [1, 2])


def test_nothing_to_align():
    assert align(np.zeros((0, 3), np.float32), []).score == 0.0
    assert align(np.zeros((0, 3), np.float32), [STAR, STAR], star=STAR).position.size == 0
    silence = align(np.full((7, 3), -1, np.float32), np.zeros(0, np.int64))
    assert silence.position.tolist() == [-1] * 7 and silence.score == -7.0


def test_too_many_labels_are_counted():
    log_probs = emission(np.random.default_rng(0), 4, 5)
    assert align(log_probs, [1, 1, 2]).position.tolist() == [0, -1, 1, 2]
    # A star between equal labels may be what parts them; stars need no frame.
    assert align(log_probs, [STAR, 1, STAR, 2, STAR, 3, 4], star=STAR).position.min() >= 0
    with pytest.raises(UserError, match=r"4 frames cannot hold 3 labels with 2 repeats.* 5:"):
        align(log_probs, [1, 1, 1])
    with pytest.raises(UserError, match="0 frames cannot hold 1 labels with 0 repeats"):
        align(np.zeros((0, 3), np.float32), [1])


@pytest.mark.parametrize(
    ("log_probs", "labels", "more", "message"),
    [
        (np.full((3, 2), np.nan, np.float32), [1], {}, "NaN or \\+infinity at frame 0"),
        (np.array([[0, 0], [0, np.inf]], np.float32), [1], {}, "\\+infinity at frame 1"),
        (np.zeros((3, 2)), [1], {}, "float32 .* not float64"),
        (np.zeros(3, np.float32), [1], {}, "\\(3,\\)"),
        (np.zeros((3, 2), np.float32), [1.0], {}, "labels must be integers"),
        (np.zeros((3, 2), np.float32), [[1]], {}, "\\(1, 1\\)"),
        (np.zeros((3, 2), np.float32), [1, 2], {}, "label 2 at 1 is none of 2 columns"),
        (np.zeros((3, 2), np.float32), [-1], {}, "label -1 at 0"),
        (np.zeros((3, 2), np.float32), [0], {}, "label 0 at 0"),
        (np.zeros((3, 2), np.float32), [1], {"blank": 2}, "blank 2 is none of 2 columns"),
        (np.zeros((3, 2), np.float32), [1], {"blank": 1, "star": 1}, "both 1"),
    ],
)
def test_what_is_no_alignment_problem_is_refused(log_probs, labels, more, message):
    with pytest.raises(ValueError, match=message):
        align(log_probs, labels, **more)


def test_layout_of_the_input_does_not_matter():
    rng = np.random.default_rng(7)
    log_probs, labels = emission(rng, 300, 29), random_labels(rng, 80, 29)
    expected = align(log_probs, labels).position
    frozen = log_probs.copy()
    frozen.flags.writeable = False
    for same in (np.asfortranarray(log_probs), frozen, np.repeat(log_probs, 2, axis=0)[::2]):
        assert np.array_equal(align(same, labels.astype(np.uint8)).position, expected)


def spoken(rng, words, peak=0.97, columns=29):
    """Log-probabilities of a sure model hearing `words`: a peak for a letter, blanks between."""
    heard = []
    for word in words:
        for letter in word:
            heard += [letter] + [0] * int(rng.integers(1, 5))
        heard += [0] * 8
    probabilities = np.full((len(heard), columns), (1 - peak) / (columns - 1))
    probabilities[np.arange(len(heard)), heard] = peak
    return np.log(probabilities).astype(np.float32), heard


def test_a_star_takes_what_is_not_transcribed_and_no_more():
    rng = np.random.default_rng(8)
    words = [rng.integers(1, 29, 5).tolist() for _ in range(60)]
    log_probs, heard = spoken(rng, words)
    peaks = np.flatnonzero(heard)
    unsaid = range(20, 35)
    labels, truth = [STAR], []
    for number, word in enumerate(words):
        if number not in unsaid:
            truth += [len(labels) + k for k in range(5)]
            labels += [*word, STAR]
    path = align(log_probs, labels, star=STAR)
    check(path, log_probs, labels)
    spans = merge(path, labels)
    transcribed = np.r_[peaks[:100], peaks[175:]]
    assert np.array_equal(spans.start[truth], transcribed)
    held = [at for at in range(len(labels)) if spans.end[at] > spans.start[at]]
    stars = [at for at in held if labels[at] == STAR]
    assert len(stars) == 1  # the one in the place of the words left out, over all their letters
    assert spans.start[stars[0]] == peaks[100] and spans.end[stars[0]] == peaks[174] + 1
    assert spans.score[stars[0]] == pytest.approx(0.97 * np.exp(-STAR_MARGIN), rel=1e-4)


def test_stars_where_all_is_transcribed_change_nothing():
    rng = np.random.default_rng(9)
    words = [rng.integers(1, 29, 4).tolist() for _ in range(50)]
    log_probs, _ = spoken(rng, words)
    plain = align(log_probs, np.concatenate(words))
    labels = [STAR] + [label for word in words for label in (*word, STAR)]
    starred = align(log_probs, labels, star=STAR)
    assert starred.score == plain.score
    place = np.flatnonzero(np.array(labels) != STAR)
    expected = np.where(plain.position < 0, -1, place[plain.position])
    assert np.array_equal(starred.position, expected)


def test_neighbouring_stars_are_one_and_margin_is_its_price():
    log_probs = np.log(
        np.array([[0.001, 0.8, 0.199], [0.001, 0.001, 0.8], [0.001, 0.8, 0.199]], np.float32)
    )
    one = align(log_probs, [STAR, 1], star=STAR)
    two = align(log_probs, [STAR, STAR, 1], star=STAR)
    assert one.position.tolist() == [0, 0, 1] and two.position.tolist() == [0, 0, 2]
    assert one.score == two.score
    assert one.score == pytest.approx(3 * np.log(0.8) - 2 * STAR_MARGIN, abs=1e-5)
    free = align(log_probs, [STAR, 1], star=STAR, margin=0.0)
    assert free.score == pytest.approx(3 * np.log(0.8), abs=1e-5)
    # The star's own column, where there is one, is not among those it is measured by.
    column = np.concatenate([log_probs, np.zeros((3, 1), np.float32)], axis=1)
    assert align(column, [3, 1], star=3).score == one.score


def test_spans_of_labels():
    log_probs = np.log(
        np.array(
            [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.9, 0.05, 0.05], [0.1, 0.1, 0.8]],
            np.float32,
        )
    )
    labels = np.array([STAR, 1, STAR, 2, STAR])
    spans = merge(align(log_probs, labels, star=STAR), labels)
    assert spans.start.tolist() == [0, 1, 3, 4, 5]
    assert spans.end.tolist() == [0, 3, 3, 5, 5]
    assert spans.score == pytest.approx([0, np.sqrt(0.8 * 0.6), 0, 0.8, 0], abs=1e-6)
    nothing = merge(align(log_probs, []), [])
    assert nothing.start.size == nothing.end.size == nothing.score.size == 0
