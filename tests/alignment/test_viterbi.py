"""The path against every path there is, a slow float64 trellis, and torchaudio."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
import torch
import torchaudio

from khmer_aligned.alignment.trellis import CHUNK
from khmer_aligned.alignment.viterbi import STAR_MARGIN, Path, align, merge
from khmer_aligned.errors import UserError

STAR = 5000


def emission(rng, frames, columns, spread=3.0):
    """Random log-probabilities; the larger the spread, the surer is each frame."""
    logits = rng.normal(size=(frames, columns)) * spread
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)


def star_log_probs(log_probs, blank=0):
    return np.delete(log_probs, blank, axis=1).max(1) - np.float32(STAR_MARGIN)


def reference_score(log_probs, tokens, blank=0):
    """Score of the best path by the plain recursion over 2L + 1 states in float64."""
    ordinary = [token for token in tokens if token != STAR]
    starred, seen = np.zeros(len(ordinary) + 1, bool), 0
    for token in tokens:
        if token == STAR:
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


def check(path: Path, log_probs, tokens, blank=0):
    """The path is one of `tokens`, and its score is what it emits."""
    assert path.position.shape == (len(log_probs),) and path.position.dtype == np.int32
    star, total, last, fresh = star_log_probs(log_probs, blank), 0.0, -1, True
    met = set()
    for t, at in enumerate(path.position):
        if at < 0:
            emitted, fresh = log_probs[t, blank], True
        elif tokens[at] == STAR:
            assert at >= last
            emitted, fresh, last = star[t], True, at
        else:
            assert at >= last
            if at != last and last >= 0 and tokens[at] == tokens[last]:
                assert fresh, "equal neighbours without a blank between them"
            emitted, fresh, last = log_probs[t, tokens[at]], False, at
            met.add(int(at))
        assert emitted == path.log_probs[t]
        total += float(emitted)
    assert met == {i for i, token in enumerate(tokens) if token != STAR}
    assert path.score == pytest.approx(total, abs=1e-6 * max(1.0, abs(total)))


def every_path_score(log_probs, tokens, blank=0):
    """The best of all strings over the letters, the blank "_" and the star "*" that fit."""
    letters = {column: chr(ord("a") + column) for column in range(log_probs.shape[1])}
    pattern, starred, before = "", False, None
    for token in [*tokens, None]:
        if token == STAR:
            starred = True
            continue
        gap = "[_*]" if starred else "_"
        pattern += gap + ("+" if token is not None and token == before else "*")
        if token is not None:
            pattern += letters[token] + "+"
        before, starred = token, False
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


def random_tokens(rng, count, columns, stars=0.0, blank=0):
    """Few different tokens, so that repeats are common."""
    tokens = rng.choice([c for c in range(columns) if c != blank], count)
    return np.where(rng.random(count) < stars, STAR, tokens)


@pytest.mark.parametrize("stars", [0.0, 0.4])
def test_no_other_path_is_better(stars):
    rng = np.random.default_rng(1)
    impossible = 0
    for _ in range(120):
        blank = int(rng.integers(3))
        log_probs = emission(rng, int(rng.integers(1, 6)), 3, 1.5)
        tokens = random_tokens(rng, int(rng.integers(0, 5)), 3, stars, blank)
        best = every_path_score(log_probs, tokens, blank)
        if best == -np.inf:
            impossible += 1
            with pytest.raises(UserError, match="frames cannot hold"):
                align(log_probs, tokens, blank, STAR)
            continue
        path = align(log_probs, tokens, blank, STAR)
        check(path, log_probs, tokens, blank)
        assert path.score == pytest.approx(best, abs=1e-5)
    assert 0 < impossible < 100


def test_torchaudio_finds_the_same_score():
    rng = np.random.default_rng(2)
    for case in range(1000):
        columns = int(rng.integers(3, 40))
        frames = int(rng.integers(1, 90))
        log_probs = emission(rng, frames, columns, float(rng.uniform(0.5, 5)))
        tokens = random_tokens(rng, int(rng.integers(1, frames + 1)), min(columns, 6))
        if case % 4 == 0:
            tokens[:] = tokens[0]
        need = len(tokens) + int((tokens[1:] == tokens[:-1]).sum())
        if frames < need:
            with pytest.raises(UserError, match="frames cannot hold"):
                align(log_probs, tokens)
            continue
        path = align(log_probs, tokens)
        check(path, log_probs, tokens)
        _, theirs = torchaudio.functional.forced_align(
            torch.from_numpy(log_probs)[None], torch.from_numpy(tokens)[None], blank=0
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
    tokens = random_tokens(rng, count, columns, stars)
    if columns == 2:
        tokens = tokens[: frames // 3]
    repeats = rng.random(len(tokens)) < 0.02
    tokens[1:][repeats[1:]] = tokens[:-1][repeats[1:]]
    ordinary = tokens[tokens != STAR]
    tokens = tokens[: len(tokens) - int((ordinary[1:] == ordinary[:-1]).sum())]
    path = align(log_probs, tokens, star=STAR)
    check(path, log_probs, tokens)
    assert path.score >= reference_score(log_probs, tokens) - 1e-3


def test_threads_change_nothing():
    rng = np.random.default_rng(5)
    log_probs, tokens = emission(rng, 9001, 29), random_tokens(rng, 6000, 29, 0.1)
    expected = align(log_probs, tokens, star=STAR, threads=1)
    for threads in (2, 3, 5):
        path = align(log_probs, tokens, star=STAR, threads=threads)
        assert np.array_equal(path.position, expected.position)
        assert path.score == expected.score


def test_ties_have_one_answer():
    # Ends in the blank, stays there as long as it can.
    flat = np.zeros((6, 4), np.float32)
    assert align(flat, [1, 2, 3]).position.tolist() == [0, 1, 2, -1, -1, -1]
    assert align(flat, [1, 1]).position.tolist() == [0, -1, 1, -1, -1, -1]
    flat = np.zeros((5000, 3), np.float32)
    tokens = np.tile([1, 2], 1000)
    path = align(flat, tokens)
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
    with pytest.raises(UserError, match="2 tokens through 5 frames has a probability above zero"):
        align(log_probs, [1, 2])


def test_nothing_to_align():
    assert align(np.zeros((0, 3), np.float32), []).score == 0.0
    assert align(np.zeros((0, 3), np.float32), [STAR, STAR], star=STAR).position.size == 0
    silence = align(np.full((7, 3), -1, np.float32), np.zeros(0, np.int64))
    assert silence.position.tolist() == [-1] * 7 and silence.score == -7.0


def test_too_many_tokens_are_counted():
    log_probs = emission(np.random.default_rng(0), 4, 5)
    assert align(log_probs, [1, 1, 2]).position.tolist() == [0, -1, 1, 2]
    # A star between equal tokens may be what parts them; stars need no frame.
    assert align(log_probs, [STAR, 1, STAR, 2, STAR, 3, 4], star=STAR).position.min() >= 0
    with pytest.raises(UserError, match=r"4 frames cannot hold 3 tokens with 2 repeats.* 5:"):
        align(log_probs, [1, 1, 1])
    with pytest.raises(UserError, match="0 frames cannot hold 1 tokens with 0 repeats"):
        align(np.zeros((0, 3), np.float32), [1])


@pytest.mark.parametrize(
    ("log_probs", "tokens", "more", "message"),
    [
        (np.full((3, 2), np.nan, np.float32), [1], {}, "NaN or \\+infinity at frame 0"),
        (np.array([[0, 0], [0, np.inf]], np.float32), [1], {}, "\\+infinity at frame 1"),
        (np.zeros((3, 2)), [1], {}, "float32 .* not float64"),
        (np.zeros(3, np.float32), [1], {}, "\\(3,\\)"),
        (np.zeros((3, 2), np.float32), [1.0], {}, "tokens must be integers"),
        (np.zeros((3, 2), np.float32), [[1]], {}, "\\(1, 1\\)"),
        (np.zeros((3, 2), np.float32), [1, 2], {}, "token 2 at 1 is none of 2 columns"),
        (np.zeros((3, 2), np.float32), [-1], {}, "token -1 at 0"),
        (np.zeros((3, 2), np.float32), [0], {}, "token 0 at 0"),
        (np.zeros((3, 2), np.float32), [1], {"blank": 2}, "blank 2 is none of 2 columns"),
        (np.zeros((3, 2), np.float32), [1], {"blank": 1, "star": 1}, "both 1"),
    ],
)
def test_what_is_no_alignment_problem_is_refused(log_probs, tokens, more, message):
    with pytest.raises(ValueError, match=message):
        align(log_probs, tokens, **more)


def test_layout_of_the_input_does_not_matter():
    rng = np.random.default_rng(7)
    log_probs, tokens = emission(rng, 300, 29), random_tokens(rng, 80, 29)
    expected = align(log_probs, tokens).position
    frozen = log_probs.copy()
    frozen.flags.writeable = False
    for same in (np.asfortranarray(log_probs), frozen, np.repeat(log_probs, 2, axis=0)[::2]):
        assert np.array_equal(align(same, tokens.astype(np.uint8)).position, expected)


def speak(rng, words, peak=0.97, columns=29):
    """Log-probabilities of a model that is sure of `words`, blanks between the letters, and the
    most probable token of each frame."""
    greedy = []
    for word in words:
        for letter in word:
            greedy += [letter] + [0] * int(rng.integers(1, 5))
        greedy += [0] * 8
    probabilities = np.full((len(greedy), columns), (1 - peak) / (columns - 1))
    probabilities[np.arange(len(greedy)), greedy] = peak
    return np.log(probabilities).astype(np.float32), greedy


def test_a_star_takes_what_is_not_transcribed_and_no_more():
    rng = np.random.default_rng(8)
    words = [rng.integers(1, 29, 5).tolist() for _ in range(60)]
    log_probs, greedy = speak(rng, words)
    peaks = np.flatnonzero(greedy)
    untranscribed = range(20, 35)
    tokens, truth = [STAR], []
    for number, word in enumerate(words):
        if number not in untranscribed:
            truth += [len(tokens) + k for k in range(5)]
            tokens += [*word, STAR]
    path = align(log_probs, tokens, star=STAR)
    check(path, log_probs, tokens)
    spans = merge(path, tokens)
    transcribed = np.r_[peaks[:100], peaks[175:]]
    assert np.array_equal(spans.start[truth], transcribed)
    with_frames = [at for at in range(len(tokens)) if spans.end[at] > spans.start[at]]
    stars = [at for at in with_frames if tokens[at] == STAR]
    assert len(stars) == 1  # the one in the place of the words left out, over all their letters
    assert spans.start[stars[0]] == peaks[100] and spans.end[stars[0]] == peaks[174] + 1
    assert spans.score[stars[0]] == pytest.approx(0.97 * np.exp(-STAR_MARGIN), rel=1e-4)


def test_stars_where_all_is_transcribed_change_nothing():
    rng = np.random.default_rng(9)
    words = [rng.integers(1, 29, 4).tolist() for _ in range(50)]
    log_probs, _ = speak(rng, words)
    plain = align(log_probs, np.concatenate(words))
    tokens = [STAR] + [token for word in words for token in (*word, STAR)]
    starred = align(log_probs, tokens, star=STAR)
    assert starred.score == plain.score
    place = np.flatnonzero(np.array(tokens) != STAR)
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


def test_spans_of_tokens():
    log_probs = np.log(
        np.array(
            [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.9, 0.05, 0.05], [0.1, 0.1, 0.8]],
            np.float32,
        )
    )
    tokens = np.array([STAR, 1, STAR, 2, STAR])
    spans = merge(align(log_probs, tokens, star=STAR), tokens)
    assert spans.start.tolist() == [0, 1, 3, 4, 5]
    assert spans.end.tolist() == [0, 3, 3, 5, 5]
    assert spans.score == pytest.approx([0, np.sqrt(0.8 * 0.6), 0, 0.8, 0], abs=1e-6)
    nothing = merge(align(log_probs, []), [])
    assert nothing.start.size == nothing.end.size == nothing.score.size == 0
