"""Decisions on a real build, and what the next build makes of them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.request import Request, urlopen

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.origin import read_origin
from khmer_aligned.dataset.verify import read_report, verify
from khmer_aligned.errors import UserError
from khmer_aligned.recordings import sources
from khmer_aligned.recordings.corrections import CLIP, read_decisions
from khmer_aligned.report.items import read_items
from khmer_aligned.report.source import Source
from khmer_aligned.review.app import make_app
from khmer_aligned.review.realign import Realigner
from khmer_aligned.review.serve import ReviewSettings, open_session, record_checked, review

pytestmark = pytest.mark.slow


@pytest.fixture
def work(small_source, small_build, tmp_path) -> tuple[Path, Path]:
    """A copy of the source and of its build: what a test may change."""
    source, out = tmp_path / "source", tmp_path / "khmer-aligned"
    shutil.copytree(small_source, source)
    shutil.copytree(small_build, out)
    return source, out


def open_work(work, **settings):
    source, out = work
    return open_session(
        out, read_report(out), ReviewSettings(source=str(source), who="sokha", **settings)
    )


def rows_of(out: Path) -> dict[str, dict]:
    tables = [pq.read_table(path) for path in sorted((out / "data").glob("*.parquet"))]
    return {row["id"]: row for table in tables for row in table.to_pylist()}


def test_every_clip_and_rejection_is_located_in_the_text(small_build, small_source):
    items = read_items(small_build)
    source = Source(
        replace(read_origin(small_build), source=str(small_source)), read_report(small_build)
    )
    by_recording = {}
    for item in source.locate(items):
        by_recording.setdefault(item.recording_id, []).append(item)
    for id, members in by_recording.items():
        raw = source.texts[id].source
        members.sort(key=lambda item: item.span)
        assert "".join(raw[slice(*item.span)] for item in members) == raw
        for item in members:
            if item.kind == CLIP:
                assert raw[slice(*item.span)].strip().replace("\n", " ") == item.text


def test_the_next_build_takes_the_corrections(work, build_small, tmp_path):
    source, out = work
    session, _ = open_work(work)
    clips = [
        i
        for i, item in enumerate(session.items)
        if item.recording_id == "market" and item.kind == CLIP
    ]
    fixed, moved, rejected, accepted = clips[:4]
    indices = {"fixed": fixed, "moved": moved, "rejected": rejected}
    before = {name: session.view(index) for name, index in indices.items()}
    view = before["fixed"]
    words = view["text"].split("។")[0]
    session.decide(fixed, "accept", words, (view["start"], view["end"]))
    view = before["moved"]
    session.decide(moved, "accept", view["text"], (view["start"] - 0.05, view["end"] + 0.03))
    view = before["rejected"]
    session.decide(rejected, "reject", view["text"], (view["start"], view["end"]), "noise or music")
    view = session.view(accepted)
    session.decide(accepted, "accept", view["text"], (view["start"], view["end"]))
    assert len(read_decisions(source / "corrections.jsonl")) == 4

    again = tmp_path / "again"
    report = build_small(source, again).report
    old, new = rows_of(out), rows_of(again)
    journey = {id: row for id, row in old.items() if row["recording"] == "journey"}
    assert journey
    assert journey == {id: row for id, row in new.items() if row["recording"] == "journey"}
    at = {round(row["start"], 2): row for row in new.values() if row["recording"] == "market"}
    assert at[round(before["fixed"]["start"], 2)]["text"] == words
    edges = round(before["moved"]["start"] - 0.05, 2)
    assert at[edges]["end"] == pytest.approx(before["moved"]["end"] + 0.03, abs=1e-3)
    reasons = report["rejected"]["rejected by ear: noise or music"]
    assert reasons["stretches"] == 1
    checked = report["checked"]
    assert (checked["clips"], checked["corrected"], checked["rejected"]) == (4, 2, 1)
    assert checked["stale"] == 0
    assert verify(again).differences == 0
    card = (again / "README.md").read_text(encoding="utf-8")
    assert "4 clips checked by ear, of them 2 corrected and 1 rejected." in card
    assert "sokha" not in card + (again / "build.json").read_text()

    # What was decided is shown on the build that has it, and nothing is to be done twice.
    after, _ = open_work((source, again))
    states = {after.items[i].key: state for i, state in enumerate(after.states()) if state}
    assert len(states) == 4
    # And a text that is changed in the source is no longer corrected, but named.
    table = (source / "metadata.csv").read_text(encoding="utf-8")
    built = before["fixed"]["built"]
    (source / "metadata.csv").write_text(table.replace(built, built[1:]), encoding="utf-8")
    stale = [line for item in sources.read(sources.find(str(source))) for line in item.stale]
    assert stale and all("the text has changed since" in line for line in stale)


def test_undo_takes_back_one_act_after_the_other(work):
    session, _ = open_work(work)
    view = session.view(0)
    session.decide(0, "accept", view["text"], (view["start"], view["end"]))
    session.decide(0, "reject", view["text"], (view["start"], view["end"]), "wrong text")
    assert session.view(0)["state"] == "reject"
    assert (session.undo(), session.view(0)["state"]) == (0, "accept")
    # Another session of the same person takes back what the first one left.
    other, _ = open_work(work)
    assert (other.undo(), other.view(0)["state"]) == (0, "")
    assert other.undo() is None


def test_a_second_look_that_agrees_keeps_the_correction(work):
    session, _ = open_work(work)
    rejection = next(i for i, item in enumerate(session.items) if item.kind != CLIP)
    view = session.view(rejection)
    session.decide(rejection, "accept", "សូមអភ័យទោស", (view["start"], view["end"]))
    view = session.view(0)
    session.decide(0, "accept", view["text"], (view["start"] + 0.1, view["end"]))
    again, _ = open_work(work, again=True)
    for index in (0, rejection):
        view = session.view(index)
        again.decide(index, "accept", view["text"], (view["start"], view["end"]))
    moved, accepted = read_decisions(again.file)[2:]
    assert moved.moved and moved.is_change
    assert accepted.kind == "rejection" and accepted.is_change


def test_what_cannot_be_a_clip_is_refused_and_not_saved(work):
    session, _ = open_work(work)
    view = session.view(0)
    text, start, end = view["text"], view["start"], view["end"]
    for verdict, words, low, high in (
        ("perhaps", text, start, end),
        ("accept", " \n", start, end),
        ("accept", text, end, start),
        ("accept", text, start, 1e6),
        ("accept", text, 0.0, 40.0),
    ):
        with pytest.raises(UserError):
            session.decide(0, verdict, words, (low, high))
    with pytest.raises(UserError, match="no stretch"):
        session.view(10_000)
    assert not session.file.exists()


def test_a_sample_is_the_same_again_and_gives_a_figure(work):
    _, out = work
    session, _ = open_work(work, sample=10, seed=1)
    keys = [item.key for item in session.items]
    assert len(keys) == 10 and keys == [i.key for i in open_work(work, sample=10, seed=1)[0].items]
    assert keys != [item.key for item in open_work(work, sample=10, seed=2)[0].items]
    for index in range(10):
        view = session.view(index)
        verdict = "reject" if index == 0 else "accept"
        session.decide(index, verdict, view["text"], (view["start"], view["end"]), "wrong text")
    words = record_checked(out, session.decisions)
    assert "of 10 clips checked, 9 right (95 %: 59.6-98.2)" in words
    assert read_report(out)["checked"]["sample"]["right"] == 9
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "of 10 clips checked, 9 right (95 %: 59.6-98.2)" in card and "license: cc0-1.0" in card
    assert verify(out).differences == 0
    again, _ = open_work(work, sample=10, seed=1, again=True)
    assert set(again.states()) == {""}  # a second look does not see the first


def test_nothing_but_the_stretches_can_be_asked_for(work, aligner_folder, tokenizer_folder):
    session, _ = open_work(work)
    config = BuildConfig(str(aligner_folder), str(tokenizer_folder), 96)
    app = make_app(session, Realigner(config, 0.038), name="<b>&amp;")
    client = TestClient(app, base_url="http://127.0.0.1:8017")
    assert "<b>&amp;" not in client.get("/").text
    (work[0] / "secret.txt").write_text("secret")
    for path in (
        "/secret.txt",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/api/audio/..%2fsecret.txt",
        f"/api/stretch/{work[0]}/secret.txt",
        "/api/audio/-1",
    ):
        response = client.get(path)
        assert response.status_code == 404 and "secret" not in response.text
    assert client.get("/api/audio/0?low=0&high=9999").status_code == 422
    assert client.get("/api/audio/0?low=nan&high=1").status_code == 422
    assert client.get("/api/stretch/99999").status_code == 422
    view = client.get("/api/stretch/0").json()
    body = {"index": 0, "text": view["text"], "start": view["start"], "end": view["end"]}
    fit = client.post("/api/align", json=body).json()
    assert fit["fits"] and len(fit["words"]) == len(view["fit"]["words"])
    wrong = client.post("/api/align", json=body | {"text": "ថ្ងៃនេះយើងទៅផ្សារទិញត្រី"}).json()
    assert not wrong["fits"] and wrong["problem"]
    decided = client.post("/api/decide", json=body | {"verdict": "accept"})
    assert decided.json()["state"] == "accept"
    (line,) = (work[0] / "corrections.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["who"] == "sokha"


def test_another_address_needs_a_token(work):
    with pytest.raises(UserError, match="--token"):
        review(work[1], ReviewSettings(host="0.0.0.0"))


def test_a_server_that_is_ended_writes_the_numbers(work, serve):
    source, out = work
    session, _ = open_work(work)
    index = next(i for i, item in enumerate(session.items) if item.kind == CLIP)
    view = session.view(index)
    server = serve(str(out), "--source", str(source), "--who", "sokha")
    act = {name: view[name] for name in ("index", "text", "start", "end")}
    body = json.dumps(act | {"verdict": "accept", "reason": ""}).encode()
    request = Request(f"{server.url}api/decide", body, {"Content-Type": "application/json"})
    urlopen(request).close()
    assert server.end() == 0
    assert read_report(out)["checked"]["clips"] == 1
