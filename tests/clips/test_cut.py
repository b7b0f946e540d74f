"""Cut at pauses, within both budgets, every word and every sample somewhere."""

import itertools

import pytest

from khmer_aligned import aligners, audio
from khmer_aligned.alignment import align
from khmer_aligned.clips import cut
from khmer_aligned.schema import MAX_CLIP_SAMPLES, SAMPLE_RATE
from khmer_aligned.text import Break, Transcript


@pytest.fixture(scope="module")
def journey(aligner_folder, recordings):
    waveform = audio.load(recordings / "journey.ogg", name="journey")
    transcript = Transcript.from_text((recordings / "journey.txt").read_text(encoding="utf-8"))
    (alignment,) = align.align([waveform], [transcript], aligners.load(str(aligner_folder)))
    return alignment, len(waveform)


def characters(written: str, spoken: str) -> int:
    return max(len(written), len(spoken))


@pytest.mark.parametrize("budget", [40, 80, 200, 440])
def test_pieces_tile_words_and_samples_within_the_budget(journey, budget):
    alignment, samples = journey
    pieces = cut.cut(alignment, samples, characters, budget)
    assert [p.first for p in pieces] == [0, *(p.last for p in pieces[:-1])]
    assert pieces[-1].last == len(alignment.words)
    assert [p.region[0] for p in pieces] == [0, *(p.region[1] for p in pieces[:-1])]
    assert pieces[-1].region[1] == samples
    for piece in pieces:
        assert piece.region[0] <= piece.start < piece.end <= piece.region[1]
        if piece.fits:
            written = alignment.transcript.written(piece.first, piece.last)
            spoken = alignment.transcript.spoken_text(piece.first, piece.last)
            assert piece.tokens == characters(written, spoken) <= budget
            assert piece.end - piece.start <= MAX_CLIP_SAMPLES
    assert sum(piece.fits for piece in pieces) >= len(pieces) - 1


def test_cuts_lie_in_pauses_and_never_inside_a_written_unit(journey, true_words):
    alignment, samples = journey
    spoken = [(start, end) for _, _, start, end in true_words("journey")]
    pieces = cut.cut(alignment, samples, characters, 60)
    assert len(pieces) > 5
    for before, after in itertools.pairwise(pieces):
        moment = before.region[1] / SAMPLE_RATE
        # Word times of the synthesizer run on to the next word; a cut may touch a word's rim only.
        assert not any(start + 0.12 < moment < end - 0.25 for start, end in spoken)
        assert alignment.transcript.words[after.first - 1].break_after != Break.NEVER


def test_a_larger_budget_gives_fewer_clips(journey):
    alignment, samples = journey
    counts = [len(cut.cut(alignment, samples, characters, b)) for b in (40, 80, 160, 320)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 2 * counts[-1]


def test_no_clip_goes_across_untranscribed_speech(aligner_folder, recordings):
    waveform = audio.load(recordings / "market.ogg", name="market")
    transcript = Transcript.from_text((recordings / "market.txt").read_text(encoding="utf-8"))
    (alignment,) = align.align([waveform], [transcript], aligners.load(str(aligner_folder)))
    lengths = alignment.stars[:, 1] - alignment.stars[:, 0]
    start, end = alignment.stars[lengths.argmax()]
    assert end - start > 2
    for piece in cut.cut(alignment, len(waveform), characters, 440):
        inside = min(end, piece.end / SAMPLE_RATE) - max(start, piece.start / SAMPLE_RATE)
        assert inside < 2 * cut.PADDING
