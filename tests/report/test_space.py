"""The page of a build as a Space, against a Hub on loopback."""

import sys

import pytest

pytestmark = pytest.mark.slow


def test_a_space_is_published_in_one_commit(hub, small_build, small_source):
    push = [sys.executable, "-m", "khmer_aligned.cli", "push-space", str(small_build), "org/listen"]
    push += ["--source", str(small_source)]
    done = hub.run(push)
    assert done.returncode == 0, done.stderr
    assert "/spaces/org/listen" in done.stderr and "2 files uploaded" in done.stderr
    card = hub.read("space", "org/listen", "README.md").decode()
    assert "sdk: static" in card and "license: cc0-1.0" in card
    page = hub.read("space", "org/listen", "index.html").decode()
    assert "khmer-aligned review OUT --clip" in page
    assert str(small_build.parent) not in page and str(small_source.parent) not in page
    commits = len(hub.commits("space", "org/listen"))
    again = hub.run(push)
    assert "0 files uploaded" in again.stderr
    assert len(hub.commits("space", "org/listen")) == commits
