"""Readings that differ from their transcripts."""

from demo_assets.make_recordings import SCRIPTS, perform
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.demo.run import RECORDINGS


def test_a_performance_leaves_out_and_adds_what_its_script_says(espeak):
    script = SCRIPTS["school"]
    text = (RECORDINGS / "school.txt").read_text(encoding="utf-8")
    samples, timed = perform(espeak, text, script, seed=0)
    start = text.index(script.unspoken)
    spans = [each.span for each in timed]
    assert not [s for s in spans if start <= s[0] < start + len(script.unspoken)]
    assert all(text[a:b] for a, b in spans)
    assert spans == sorted(spans)
    assert timed[-1].end < len(samples) / SAMPLE_RATE
