"""Tokens that strayed from the edge of a line come back to it; pauses inside a line stay."""

from dataclasses import dataclass

import numpy as np
import pytest

from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.readings import BestPath
from khmer_aligned.alignment.strays import pull_in_strays

STAR = 30  # the first id behind the vocabulary
LINE = np.arange(1, 13)


@dataclass
class Model:
    vocabulary = tuple("-abcdefghijklmnopqrstuvwxyz....")[:STAR]
    blank = 0
    stride = 320  # 20 ms


@dataclass
class Ids:
    ids: np.ndarray


def path_of(starts):
    """A line between two stars, its tokens one frame long."""
    starts = np.array(starts)
    ids = np.concatenate([[STAR], LINE, [STAR]])
    start = np.concatenate([[0], starts, [starts[-1] + 1]])
    end = np.concatenate([[starts[0]], starts + 1, [200]])
    return BestPath(Ids(ids), 0.0, viterbi.Spans(start, end, np.full(14, 0.5)))


def emission_with(*peaks):
    """Mostly blank, but for these (frame, token)."""
    probabilities = np.full((200, STAR), 1.0)
    probabilities[:, Model.blank] = 5.0
    for frame, token in peaks:
        probabilities[frame, token] = 20.0
    return np.log(probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


EVEN = [20 + 4 * k for k in range(12)]


def test_a_last_token_comes_back_to_its_best_frame_there():
    strayed = path_of([*EVEN[:-1], 150])
    path = pull_in_strays(strayed, emission_with((150, 12), (68, 12)), Model())
    assert path.spans.start[12] == 68
    assert path.spans.start[:12].tolist() == strayed.spans.start[:12].tolist()
    assert strayed.spans.start[12] == 150  # the path given is left as it is


def test_first_tokens_come_back_in_order():
    strayed = path_of([2, 5, *(start + 60 for start in EVEN[2:])])
    path = pull_in_strays(strayed, emission_with((2, 1), (5, 2), (80, 1), (84, 2)), Model())
    assert path.spans.start[1:3].tolist() == [80, 84]


@pytest.mark.parametrize(
    "starts",
    [
        EVEN,
        [*EVEN[:-1], EVEN[-2] + 30],  # 0.6 s
        [*EVEN[:6], *(start + 60 for start in EVEN[6:])],  # a pause in the middle
    ],
)
def test_others_stay(starts):
    path = path_of(starts)
    moved = pull_in_strays(path, emission_with(), Model())
    assert moved.spans.start.tolist() == path.spans.start.tolist()
