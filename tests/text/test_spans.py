"""Edits of a text, and the spans that they leave."""

from khmer_aligned.text.spans import rewrite


def test_rewrite_and_compose():
    inner = rewrite("a--b", [(1, 3, "-")])
    assert (inner.text, inner.spans) == ("a-b", ((0, 1), (1, 3), (3, 4)))
    outer = rewrite(inner.text, [(0, 1, "xyz"), (1, 2, "")]).compose(inner)
    assert (outer.text, outer.spans) == ("xyzb", ((0, 1), (0, 1), (0, 1), (3, 4)))
    assert outer.locate(2, 4) == (0, 4)
    assert outer.locate(3, 3) == (3, 3)
    assert outer.locate(4, 4) == (4, 4)
    assert rewrite("", []).locate(0, 0) == (0, 0)
