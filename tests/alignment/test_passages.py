"""Which passage of a text is spoken: made-up tokens with errors, and the demo's recordings."""

import numpy as np
import pytest

from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.passages import find_passage
from khmer_aligned.alignment.text_index import index_text, make_index

TOKENS, PHRASE = 12_000, 40  # of a text, about a quarter of an hour; of a phrase
LETTERS = 20


@pytest.fixture(scope="module")
def tokens():
    # Khmer in Latin letters: a few of them are most of a text.
    weights = 1 / np.arange(2, LETTERS + 2)
    return np.random.default_rng(0).choice(LETTERS, TOKENS, p=weights / weights.sum())


def index_of(tokens):
    """A text with a character for each token."""
    places = np.arange(len(tokens))
    spans = np.stack([places, places + 1], axis=1)
    phrases = np.unique([*range(0, len(tokens), PHRASE), len(tokens)])
    return make_index("x" * len(tokens), tokens, spans, phrases)


def spoil(tokens, rate, seed=1):
    """Tokens of which a share is left out, wrong, or followed by a wrong one."""
    random = np.random.default_rng(seed)
    fate, wrong = random.random(len(tokens)) / rate, random.integers(0, LETTERS, len(tokens))
    parts = [
        [] if f < 1 / 3 else [w] if f < 2 / 3 else [t, w] if f < 1 else [t]
        for t, f, w in zip(tokens, fate, wrong, strict=True)
    ]
    return np.array([token for part in parts for token in part])


def assert_near(passage, first, last, phrases=1):
    assert passage.is_clear
    assert abs(passage.span[0] - first) <= phrases * PHRASE
    assert abs(passage.span[1] - last) <= phrases * PHRASE


@pytest.mark.parametrize("rate", [0.15, 0.35])
def test_a_passage_is_found_though_a_third_of_the_tokens_are_wrong(tokens, rate):
    index = index_of(tokens)
    for first, last in ((0, 1_000), (4_000, 4_800), (TOKENS - 3_000, TOKENS), (0, TOKENS)):
        assert_near(find_passage(spoil(tokens[first:last], rate), index), first, last)


def test_without_errors_its_ends_are_exact(tokens):
    assert find_passage(tokens[2_000:2_600], index_of(tokens)).span == (2_000, 2_600)
    # In the middle of phrases: to their ends.
    assert find_passage(tokens[2_010:2_590], index_of(tokens)).span == (2_000, 2_600)


def test_what_is_not_in_the_text_is_refused(tokens):
    foreign = np.random.default_rng(9).permutation(tokens)
    for length in (100, 1_000, 10_000):
        passage = find_passage(foreign[:length], index_of(tokens))
        assert passage is None or not passage.is_clear
    assert find_passage(np.full(300, LETTERS + 5), index_of(tokens)) is None
    assert find_passage(np.zeros(0, int), index_of(tokens)) is None


def test_a_little_speech_is_no_evidence(tokens):
    passage = find_passage(tokens[500:520], index_of(tokens))
    assert passage.span == (480, 520)
    assert not passage.is_clear


def test_a_passage_that_the_text_holds_twice_is_refused(tokens):
    text = np.concatenate([tokens[:3_000], tokens[1_000:2_000], tokens[3_000:]])
    passage = find_passage(spoil(tokens[1_200:1_800], 0.1), index_of(text))
    assert passage.score > 100
    assert not passage.is_clear
    # What stands before it tells which of the two it is.
    assert_near(find_passage(spoil(tokens[400:1_800], 0.1), index_of(text)), 400, 1_800)


def test_speech_around_and_inside_and_lines_that_are_left_out(tokens):
    foreign = np.random.default_rng(9).permutation(tokens)
    index = index_of(tokens)
    passage = tokens[5_000:7_000]
    around = np.concatenate([foreign[:1_500], spoil(passage, 0.2), foreign[2_000:4_000]])
    assert_near(find_passage(around, index), 5_000, 7_000, phrases=2)
    inside = np.concatenate([passage[:900], foreign[:800], passage[900:]])
    assert_near(find_passage(inside, index), 5_000, 7_000)
    left_out = np.concatenate([passage[:700], passage[1_300:]])
    assert_near(find_passage(spoil(left_out, 0.2), index), 5_000, 7_000)


def test_what_is_said_twice_is_found_once(tokens):
    passage = spoil(tokens[5_000:6_000], 0.2)
    twice = np.concatenate([passage, spoil(tokens[5_000:6_000], 0.2, seed=2)])
    assert_near(find_passage(twice, index_of(tokens)), 5_000, 6_000, phrases=2)


def test_each_recording_finds_its_own_text(aligner, located, texts):
    order = ("school", "farm", "market", "journey")
    text = "".join(f"{texts[name].strip()}\n" for name in order)
    first = 0
    for name in order:
        greedy = viterbi.collapse(located[name].acoustics.greedy, aligner.blank)
        last = first + len(texts[name].strip()) + 1
        passage = find_passage(greedy, index_text(text, aligner))
        assert passage.is_clear, passage
        assert passage.span == (first, last)
        first = last


def test_tokens_of_a_long_text_lead_back_to_its_characters(aligner, texts):
    text = "\n".join(texts[name].strip() for name in texts) * 8
    index = index_text(text, aligner)
    assert len(text) > 8_000  # it is read in pieces
    assert (np.diff(index.spans[:, 0]) >= 0).all()
    assert all(text[a:b].strip() for a, b in index.spans)
    assert index.phrases[-1] == len(text)
    assert index_text(text, aligner) is index
