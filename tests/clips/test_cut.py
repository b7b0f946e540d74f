"""Cut at pauses, within both budgets, every word and every sample somewhere."""

import itertools

import pytest

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips.cut import PADDING, cut
from khmer_aligned.schema import MAX_CLIP_SAMPLES, SAMPLE_RATE
from khmer_aligned.text import Break


@pytest.fixture
def journey(aligned):
    return aligned["journey"]


def characters(written: str, spoken: str) -> int:
    return max(len(written), len(spoken))


@pytest.mark.parametrize("budget", [40, 80, 200, 440])
def test_pieces_tile_words_and_samples_within_the_budget(journey, budget):
    alignment, samples = journey
    pieces = cut(alignment, samples, characters, budget, Thresholds())
    assert [p.first for p in pieces] == [0, *(p.last for p in pieces[:-1])]
    assert pieces[-1].last == len(alignment.words)
    assert [p.region[0] for p in pieces] == [0, *(p.region[1] for p in pieces[:-1])]
    assert pieces[-1].region[1] == samples
    for piece in pieces:
        assert piece.region[0] <= piece.start < piece.end <= piece.region[1]
        if piece.fits:
            written = alignment.transcript.written(piece.first, piece.last)
            spoken = alignment.transcript.spoken_text(piece.first, piece.last)
            assert piece.labels == characters(written, spoken) <= budget
            assert piece.end - piece.start <= MAX_CLIP_SAMPLES
    assert sum(piece.fits for piece in pieces) >= len(pieces) - 1


def test_cuts_lie_in_pauses_and_never_inside_a_written_unit(journey, true_words):
    alignment, samples = journey
    spoken = [(start, end) for _, _, start, end in true_words("journey")]
    pieces = cut(alignment, samples, characters, 60, Thresholds())
    assert len(pieces) > 5
    for before, after in itertools.pairwise(pieces):
        moment = before.region[1] / SAMPLE_RATE
        # Word times of the synthesizer run on to the next word; a cut may touch a word's rim only.
        assert not any(start + 0.12 < moment < end - 0.25 for start, end in spoken)
        assert alignment.transcript.words[after.first - 1].break_after != Break.NEVER


def test_a_larger_budget_gives_fewer_clips(journey):
    alignment, samples = journey
    counts = [len(cut(alignment, samples, characters, b, Thresholds())) for b in (40, 80, 160, 320)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 2 * counts[-1]


def test_no_clip_goes_across_untranscribed_speech(aligned):
    alignment, samples = aligned["market"]
    start, end = max(alignment.stars.tolist(), key=lambda star: star[1] - star[0])
    assert end - start > 2
    for piece in cut(alignment, samples, characters, 440, Thresholds()):
        inside = min(end, piece.end / SAMPLE_RATE) - max(start, piece.start / SAMPLE_RATE)
        assert inside < 2 * PADDING


def test_unspoken_words_stay_by_themselves(aligned):
    alignment, samples = aligned["school"]
    for piece in cut(alignment, samples, characters, 440, Thresholds()):
        unspoken = [phrase is not None for phrase in alignment.unspoken[piece.first : piece.last]]
        assert all(unspoken) or not any(unspoken)


def test_pauses_are_as_long_as_the_thresholds(journey):
    alignment, samples = journey

    def gaps(thresholds, budget):
        """Seconds between the words on both sides of each cut."""
        pieces = cut(alignment, samples, characters, budget, thresholds)
        words = alignment.words
        return [words[p.first].start - words[p.first - 1].end for p in pieces[1:]]

    assert 0.15 <= min(gaps(Thresholds(), 40)) < 0.4
    assert min(gaps(Thresholds(min_pause=0.4), 40)) >= 0.4
    # Behind each longer pause a new clip begins.
    assert len(gaps(Thresholds(max_pause=0.4), 440)) > len(gaps(Thresholds(), 440))
