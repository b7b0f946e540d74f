"""A person at the keyboard, in a real browser, against a real server."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow

CORRECTIONS = 30


@pytest.fixture
def work(small_source, small_build, tmp_path) -> tuple[Path, Path]:
    """A copy of the source and of its build: what a test may change."""
    source, out = tmp_path / "source", tmp_path / "khmer-aligned"
    shutil.copytree(small_source, source)
    shutil.copytree(small_build, out)
    return source, out


def open_page(page, url: str, recording: str = "") -> None:
    page.goto(url)
    page.wait_for_selector("body[data-ready]")
    page.uncheck("#autoplay")
    page.locator("#autoplay").blur()
    if recording:
        page.select_option("#recording", recording)
        page.locator("#recording").blur()
        page.locator("#key", has_text=recording).wait_for()


def press(page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def decide(page, number: int) -> None:
    """One decision by keyboard: by turns a text mended, a stretch rejected, an edge moved."""
    done = page.evaluate("Number(document.body.dataset.decided || 0)")
    shown = page.evaluate("document.body.dataset.shown")
    if number % 3 == 0:
        press(page, "e", "Backspace", "Control+Enter")
        page.wait_for_selector(f"body[data-decided='{done + 1}']")
        press(page, "n")
    elif number % 3 == 1:
        press(page, "r", "1")
    else:
        press(page, "]", "a")
    page.wait_for_selector(f"body[data-decided='{done + 1}']")
    page.wait_for_selector(f"body:not([data-shown='{shown}'])")


def rows_of(out: Path) -> dict[str, dict]:
    tables = [pq.read_table(path) for path in sorted((out / "data").glob("*.parquet"))]
    return {row["id"]: row for table in tables for row in table.to_pylist()}


def test_thirty_corrections_by_keyboard_survive_a_kill(page, serve, work, build_small, tmp_path):
    source, out = work
    clips = [row for row in rows_of(out).values() if row["recording"] == "market"]
    assert len(clips) >= CORRECTIONS
    arguments = (str(out), "--source", str(source), "--who", "sokha")
    server = serve(*arguments)
    open_page(page, server.url, "market")
    for number in range(CORRECTIONS // 2):
        decide(page, number)
    server.kill()
    file = source / "corrections.jsonl"
    half = file.read_text(encoding="utf-8").splitlines()
    assert len(half) == CORRECTIONS // 2
    open_page(page, serve(*arguments).url, "market")
    assert page.inner_text("#done").startswith(f"{CORRECTIONS // 2} of ")
    for number in range(CORRECTIONS // 2, CORRECTIONS):
        decide(page, number)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[: len(half)] == half
    decisions = [json.loads(line) for line in lines]
    assert len(decisions) == CORRECTIONS
    assert {item["recording"] for item in decisions} == {"market"}
    assert {item["verdict"] for item in decisions} == {"accept", "reject"}

    again = tmp_path / "again"
    build_small(source, again)
    before, after = rows_of(out), rows_of(again)
    for recording, is_same in (("journey", True), ("market", False)):
        old, new = (
            {id: row for id, row in rows.items() if row["recording"] == recording}
            for rows in (before, after)
        )
        assert (old == new) == is_same
    rejected = [json.loads(line) for line in (again / "rejected.jsonl").open(encoding="utf-8")]
    by_ear = [row for row in rejected if row["reason"] == "rejected by ear: wrong text"]
    assert len(by_ear) == sum(
        (item["kind"], item["verdict"]) == ("clip", "reject") for item in decisions
    )


def test_a_text_that_does_not_fit_is_seen_at_once_and_taken_back(page, serve_here, work):
    source, out = work
    open_page(page, serve_here(out, source))
    first = page.input_value("#text")
    press(page, "e", "Control+A")
    page.keyboard.insert_text("ថ្ងៃនេះយើងទៅផ្សារទិញត្រីនិងបន្លែស្រស់")
    press(page, "Control+Enter")
    page.locator("#fit", has_text="does not fit").wait_for()  # it is aligned again when it is saved
    page.wait_for_selector("body[data-fits=no]")
    assert page.inner_text("#verdict").startswith("accepted")
    press(page, "u")
    page.wait_for_selector("body[data-fits=yes]")
    assert page.input_value("#text") == first
    assert (source / "corrections.jsonl").read_text(encoding="utf-8") == ""


def test_an_edge_is_dragged_and_a_word_is_heard(page, serve_here, work):
    source, out = work
    open_page(page, serve_here(out, source))
    start = page.evaluate("Number(document.querySelector('.edge.start').ariaValueNow)")
    box = page.locator(".edge.start").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=4)
    page.mouse.up()
    moved = page.evaluate("Number(document.querySelector('.edge.start').ariaValueNow)")
    assert moved < start - 0.1
    page.locator(".flow .word").first.click()
    page.wait_for_selector(".flow .word.now")
    press(page, "a")
    page.wait_for_selector("body[data-decided='1']")
    (line,) = (source / "corrections.jsonl").read_text(encoding="utf-8").splitlines()
    decision = json.loads(line)
    assert decision["moved"] and decision["changed"] and decision["after"] == decision["before"]


def test_a_phone_shows_one_thing_at_a_time(page, serve_here, work):
    source, out = work
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(serve_here(out, source))
    page.wait_for_selector("body[data-ready]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.is_visible("#rows")
    page.click("#menu")
    assert page.is_visible("#rows")
