"""The path in a beam against that through the whole trellis, where text and audio differ."""

from __future__ import annotations

import numpy as np
import pytest

from khmer_aligned.alignment import beam, viterbi
from khmer_aligned.alignment.beam import HEIGHT, find_path_in_beam
from khmer_aligned.errors import UserError

STAR, COLUMNS = 29, 29
MINUTE = 3000  # frames


class Talk:
    """Lines of random letters, and emissions of a model that is mostly sure of them."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.text: list[int] = [STAR]
        self.greedy: list[int] = []

    def line(self) -> list[int]:
        return self.rng.integers(1, COLUMNS, int(self.rng.integers(15, 60))).tolist()

    def write(self, line: list[int]) -> None:
        self.text += [*line, STAR]

    def say(self, line: list[int]) -> None:
        for letter in line:
            self.greedy += [letter] + [0] * int(self.rng.integers(1, 6))
        self.greedy += [0] * 20

    def both(self, minutes: float) -> None:
        end = len(self.greedy) + minutes * MINUTE
        while len(self.greedy) < end:
            line = self.line()
            self.write(line)
            self.say(line)

    def emission(self) -> np.ndarray:
        """(T, 29), one frame in twelve of another letter."""
        greedy = np.array(self.greedy)
        wrong = self.rng.random(len(greedy)) < 1 / 12
        greedy[wrong] = self.rng.integers(0, COLUMNS, int(wrong.sum()))
        logits = self.rng.normal(size=(len(greedy), COLUMNS)).astype(np.float32)
        logits[np.arange(len(greedy)), greedy] += 5
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def plain(talk: Talk) -> None:
    talk.both(24)


def lines_without_text(talk: Talk) -> None:
    for _ in range(8):
        talk.both(2)
        for _ in range(int(talk.rng.integers(1, 20))):
            talk.say(talk.line())


def lines_not_spoken(talk: Talk) -> None:
    for _ in range(8):
        talk.both(2)
        for _ in range(int(talk.rng.integers(1, 20))):
            talk.write(talk.line())


def a_chapter_not_spoken_and_another_not_written(talk: Talk) -> None:
    talk.both(8)
    for _ in range(120):
        talk.write(talk.line())
    talk.both(4)
    for _ in range(120):
        talk.say(talk.line())
    talk.both(4)


def repeated_passages(talk: Talk) -> None:
    """The same six lines again and again; some are said twice and some written twice."""
    lines = [talk.line() for _ in range(6)]
    for k in talk.rng.integers(0, 6, 400):
        draw = talk.rng.random()
        for _ in range(2 if draw < 0.1 else 1):
            talk.say(lines[k])
        for _ in range(2 if draw > 0.9 else 1):
            talk.write(lines[k])


def music(talk: Talk) -> None:
    """Minutes in which the model gives any letters."""
    for minutes in (3, 6):
        talk.both(6)
        talk.greedy += talk.rng.integers(0, COLUMNS, minutes * MINUTE).tolist()
    talk.both(4)


@pytest.mark.parametrize(
    "case",
    [
        plain,
        lines_without_text,
        lines_not_spoken,
        a_chapter_not_spoken_and_another_not_written,
        repeated_passages,
        music,
    ],
)
def test_a_beam_gives_the_path_through_the_whole_trellis(case, monkeypatch):
    talk = Talk(1)
    case(talk)
    emission, tokens = talk.emission(), np.array(talk.text)
    whole = viterbi.align(emission, tokens, star=STAR)
    # As if the recording were of hours: a beam that is too narrow at first, parted from for
    # three minutes at least.
    narrow = []

    def find(trellis):
        narrow.append(True)
        return find_path_in_beam(trellis, beam=500.0, apart=3 * MINUTE)

    monkeypatch.setattr(viterbi, "WHOLE_CELLS", 0)
    monkeypatch.setattr(viterbi, "find_path_in_beam", find)
    path = viterbi.align(emission, tokens, star=STAR)
    assert narrow and len(emission) > 10 * HEIGHT
    assert path.score == pytest.approx(whole.score, abs=1e-6)
    assert np.array_equal(path.position, whole.position)
    assert np.array_equal(path.log_probs, whole.log_probs)


def test_a_beam_is_widened_until_it_is_proven(monkeypatch):
    talk = Talk(2)
    a_chapter_not_spoken_and_another_not_written(talk)
    beams, forward = [], beam._forward

    def watch(trellis, width):
        result = forward(trellis, width)
        beams.append((width, sum(len(narrow.row.gaps) for narrow in result[0])))
        return result

    monkeypatch.setattr(beam, "_forward", watch)
    monkeypatch.setattr(viterbi, "WHOLE_CELLS", 0)
    viterbi.align(talk.emission(), np.array(talk.text), star=STAR)
    widths, states = zip(*beams, strict=True)
    # The chapter's letters cost more than the first beam to pass without their sound.
    assert len(beams) > 1 and list(widths) == sorted(widths) and states[0] < states[-1]


def test_what_has_no_path_is_named_as_through_the_whole_trellis(monkeypatch):
    talk = Talk(3)
    talk.both(5)
    emission = talk.emission()
    emission[:, 7] = -np.inf
    assert 7 in talk.text
    monkeypatch.setattr(viterbi, "WHOLE_CELLS", 0)
    with pytest.raises(UserError, match="has a probability above zero"):
        viterbi.align(emission, np.array(talk.text), star=STAR)
