"""The page of a build: one file, every text as text, and a player that follows the words."""

import csv
import json
import re
import shutil

import pytest

from khmer_aligned.hub.folder import published_files
from khmer_aligned.report.page import write_report

pytestmark = pytest.mark.slow

HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'> "
    "\u202eabc\u202c \u2067x\u2069 😀 </script> & &lt;b&gt; {{ 7 * 7 }} "
)


@pytest.fixture(scope="module")
def hostile_build(small_source, build_small, tmp_path_factory):
    """A build of a recording whose name and text are not what one would like."""
    folder = tmp_path_factory.mktemp("hostile")
    source, out = folder / "source", folder / "khmer-aligned"
    source.mkdir()
    name = "😀 <b>&'\u202e.ogg"
    for copy in ("journey.ogg", name):
        shutil.copy(small_source / "journey.ogg", source / copy)
    long = HOSTILE + "ក ខ គ " * 1700
    assert len(long) > 10_000
    with (small_source / "metadata.csv").open(encoding="utf-8", newline="") as table:
        header, _, journey = csv.reader(table)
    with (source / "metadata.csv").open("w", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows([header, journey, [name, long, "", "test", 0, 8]])
    build_small(source, out)
    return out


def test_every_text_is_shown_as_text(hostile_build, page):
    file = write_report(hostile_build)
    page.goto(file.as_uri())
    page.wait_for_selector("body[data-ready]")
    assert page.evaluate("window.hacked") is None
    texts = page.locator(".flow").all_inner_texts()
    (shown,) = [text for text in texts if "onerror" in text]
    assert "<script>window.hacked = 1</script>" in shown
    assert "{{ 7 * 7 }}" in shown and "&lt;b&gt;" in shown and "😀" in shown
    assert "U+202Eabc" in shown and "\u202e" not in shown
    assert len(shown) > 10_000
    names = page.locator(".item .id").all_inner_texts()
    assert any("😀 <b>&'U+202E" in name for name in names)


def test_the_page_needs_nothing_but_itself(small_build, small_source, page, tmp_path):
    file = write_report(small_build, tmp_path / "report.html", source=str(small_source))
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:)""", text)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector("body[data-ready]")
    assert asked == [file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= 1200
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_player_follows_the_words_and_the_keys(small_build, small_source, page, tmp_path):
    file = write_report(small_build, tmp_path / "report.html", source=str(small_source))
    page.goto(file.as_uri())
    page.wait_for_selector("body[data-ready]")
    page.keyboard.press("j")
    page.keyboard.press(" ")
    page.wait_for_selector(".current .flow .now")
    page.keyboard.press(" ")
    page.locator(".item").nth(2).locator(".word").nth(1).click()
    page.wait_for_selector(".item:nth-child(3) .flow .now")
    examples = json.loads(page.locator("#examples").text_content())
    rules = {example["rule"] for example in examples}
    assert {"worst", "median", "random", "silence"} < rules
    assert all(example["audio"] for example in examples if example["seconds"] > 0.1)
    for example in examples:
        _, own, _ = example["context"]
        if example["kind"] == "clip":
            assert own.strip().replace("\n", " ") == example["text"]
        assert f"--clip {example['key'].split('@')[0]}" in example["command"].replace("'", "")
    page.select_option("#kind", "worst")
    scores = [
        float(t.split()[1]) for t in page.locator(".figures > span:text('score')").all_inner_texts()
    ]
    worst = sum(example["rule"] == "worst" for example in examples)
    assert page.locator(".item").count() == worst
    page.select_option("#order", "score")
    assert scores == sorted(scores)
    page.fill("#search", "no such text anywhere")
    assert page.inner_text("#count") == f"0 of {len(examples)} examples"


def test_a_page_without_the_recordings_says_so(small_build, tmp_path, capsys):
    out = tmp_path / "khmer-aligned"
    shutil.copytree(small_build, out)
    shutil.rmtree(out / ".build")
    page = write_report(out).read_text(encoding="utf-8")
    assert "give --source" in capsys.readouterr().err
    assert "rejections have no audio" in page
    assert "report.html" not in published_files(out)
    assert not [name for name in published_files(out) if ".build" in name]
