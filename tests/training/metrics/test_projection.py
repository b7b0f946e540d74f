"""The fewest words hit, against every alignment there is."""

import random

import pytest

from khmer_whisper.metrics.counts import characters, projected_words
from khmer_whisper.metrics.projection import Hits, count_hits


def brute_force(words: list[str], hypothesis: str) -> Hits:
    """The best of all alignments, one by one."""
    reference = "".join(words)
    word_of = [i for i, word in enumerate(words) for _ in word]
    found: list[Hits] = []

    def walk(i: int, j: int, edits: int, hit: frozenset[int]) -> None:
        if i == len(reference) and j == len(hypothesis):
            found.append(Hits(edits, len(hit)))
        if i < len(reference) and j < len(hypothesis):
            same = reference[i] == hypothesis[j]
            walk(i + 1, j + 1, edits + (not same), hit if same else hit | {word_of[i]})
        if i < len(reference):
            walk(i + 1, j, edits + 1, hit | {word_of[i]})
        if j < len(hypothesis):
            walk(i, j + 1, edits + 1, hit | {word_of[max(i - 1, 0)]})

    walk(0, 0, 0, frozenset())
    return min(found)


def test_it_is_the_minimum_over_all_alignments():
    generator = random.Random(0)
    compared = 0
    while compared < 400:
        words = ["".join(generator.choices("កខគ", k=generator.randint(1, 3))) for _ in range(3)]
        words = words[: generator.randint(1, 3)]
        if sum(map(len, words)) > 6:
            continue
        hypothesis = "".join(generator.choices("កខគ", k=generator.randint(0, 6)))
        assert count_hits(words, hypothesis) == brute_force(words, hypothesis)
        compared += 1


@pytest.mark.parametrize(
    ("words", "hypothesis", "hits"),
    [
        # A missing ក may have been the last of the first word or the first of the second.
        (["កក", "ក", "ខ"], "កកខ", Hits(1, 1)),
        # Two missing ones can lie in one word or in two: the fewest count.
        (["កក", "កក"], "កក", Hits(2, 1)),
        (["ក", "ខ"], "", Hits(2, 2)),
        (["ក", "ខ"], "គកខ", Hits(1, 1)),
        (["ក"], "ក", Hits(0, 0)),
        ([], "កខ", Hits(2, 0)),
    ],
)
def test_examples(words, hypothesis, hits):
    assert (
        count_hits(words, hypothesis) == hits == (brute_force(words, hypothesis) if words else hits)
    )


def test_the_order_of_equally_cheap_alignments_does_not_matter():
    """Read backwards, a text has the same alignments: a count that depended on one would differ."""
    generator = random.Random(1)
    for _ in range(50):
        words = ["".join(generator.choices("កខ", k=generator.randint(1, 5))) for _ in range(8)]
        letters = [letter for word in words for letter in word if generator.random() > 0.2]
        forward = count_hits(words, "".join(letters))
        backward = count_hits([word[::-1] for word in words[::-1]], "".join(letters[::-1]))
        assert forward == backward  # nothing is inserted, which would have a side


def test_edits_are_those_of_the_characters():
    references = ["ខ្ញុំទៅផ្សារជាមួយម្ដាយ", "ទឹក"]
    hypotheses = ["ខ្ញុំផ្សារជាមួយឪពុក", "ទុកទុក"]
    edits = [count_hits([r], h).edits for r, h in zip(references, hypotheses, strict=True)]
    assert edits == characters(references, hypotheses).errors.tolist()
    assert projected_words(references, hypotheses).errors.tolist() == [2, 1]
