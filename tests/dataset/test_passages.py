"""One text of several recordings, from folder to folder."""

import json
import shutil

import pytest
import soundfile as sf
from datasets import Audio, load_dataset

from khmer_aligned import audio
from khmer_aligned.dataset.build import build
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.verify import read_report
from khmer_aligned.recordings.corrections import CLIP
from khmer_aligned.review.serve import ReviewSettings, open_session
from khmer_aligned.schema import SAMPLE_RATE, Problem

pytestmark = pytest.mark.slow
ORDER = ("school", "farm", "journey", "market")
UNSPOKEN = "គ្មាននរណាអានកន្លែងនេះទេ។ វាជាទំព័រចុងក្រោយ។\n"


@pytest.fixture(scope="module")
def source(recordings, tmp_path_factory):
    """Four recordings whose names say nothing, one of nothing in the text, and the text."""
    folder = tmp_path_factory.mktemp("book")
    for k, name in enumerate(sorted(ORDER)):
        shutil.copy(recordings / f"{name}.ogg", folder / f"{k}.ogg")
    backwards = audio.load(recordings / "farm.ogg", name="farm")[::-1]
    sf.write(folder / "4.wav", backwards, SAMPLE_RATE)
    texts = [(recordings / f"{name}.txt").read_text(encoding="utf-8") for name in ORDER]
    (folder / "book.txt").write_text("".join(texts) + UNSPOKEN, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def config(aligner_folder, tokenizer_folder):
    return BuildConfig(str(aligner_folder), str(tokenizer_folder), 420)


@pytest.fixture(scope="module")
def result(source, config, tmp_path_factory):
    return build(source, tmp_path_factory.mktemp("built") / "out", config)


def test_each_recording_has_its_passage_and_the_rest_is_named(source, recordings, result):
    whole = (source / "book.txt").read_text(encoding="utf-8")
    expected, first = {}, 0
    for name in ORDER:
        last = first + len((recordings / f"{name}.txt").read_text(encoding="utf-8"))
        expected[str(sorted(ORDER).index(name))] = (first, last)
        first = last
    report = result.report["texts"]["book.txt"]
    assert {id: tuple(span) for id, span in report["passages"].items()} == expected
    assert [tuple(span) for span in report["unspoken"]] == [(first, len(whole))]
    assert result.report["balance"]["characters"]["in"] == len(whole)
    assert result.report["recordings"] == {"in": 5, "unread": 0}
    assert "book.txt: 4 recordings speak" in result.summary()


def test_clips_hold_the_text_of_their_passage(source, result):
    whole = (source / "book.txt").read_text(encoding="utf-8").replace("\n", " ")
    passages = result.report["texts"]["book.txt"]["passages"]
    rows = load_dataset(str(result.folder)).cast_column("audio", Audio(decode=False))
    clips = [row for split in rows.values() for row in split]
    assert {clip["recording"] for clip in clips} == {"0", "1", "2", "3"}
    for clip in clips:
        first, last = passages[clip["recording"]]
        assert clip["text"] in whole[first:last]


def test_passages_are_corrected_by_ear(source, result, config, tmp_path, capsys):
    book, out = tmp_path / "book", tmp_path / "out"
    shutil.copytree(source, book)
    shutil.copytree(result.folder, out)
    settings = ReviewSettings(source=str(book), who="sokha")
    session, _ = open_session(out, read_report(out), settings)
    clips = {item.key: k for k, item in enumerate(session.items) if item.kind == CLIP}
    assert {item.recording for item in session.items} == {"0", "1", "2", "3", "4"}
    corrected, rejected = next(k for k in clips if k < "1"), next(k for k in clips if k > "2")
    shown = session.view(clips[corrected])
    text = shown["text"].replace(" ", "", 1) + " ណា៎"
    session.decide(clips[corrected], "accept", text, (shown["start"], shown["end"]))
    shown = session.view(clips[rejected])
    session.decide(clips[rejected], "reject", "", (shown["start"], shown["end"]), "wrong text")

    built = build(book, out, config)
    assert "not applied" not in capsys.readouterr().err
    assert built.report["checked"]["stale"] == 0
    assert (built.report["checked"]["corrected"], built.report["checked"]["rejected"]) == (1, 1)
    assert built.report["texts"] == result.report["texts"]
    rows = load_dataset(str(out)).cast_column("audio", Audio(decode=False))
    texts = [row["text"] for split in rows.values() for row in split]
    assert sum(written.endswith("ណា៎") for written in texts) == 1
    lines = [json.loads(line) for line in (out / "rejected.jsonl").open()]
    (by_ear,) = [row for row in lines if row["reason"] == "rejected by ear: wrong text"]
    assert by_ear["recording"] == rejected[:-6]
    # A review of what was built finds the corrected stretch where it was.
    session, _ = open_session(out, read_report(out), settings)
    states = [session.view(k)["state"] for k in range(len(session.items))]
    assert (states.count("accept"), states.count("reject")) == (1, 1)


def test_what_is_of_no_recording_and_who_speaks_no_passage_is_rejected(result):
    lines = [json.loads(line) for line in (result.folder / "rejected.jsonl").open()]
    (unspoken,) = [row for row in lines if row["reason"] == Problem.UNSPOKEN_TEXT]
    assert unspoken["text"] == UNSPOKEN
    assert unspoken["figures"]["detail"].startswith("book.txt: characters ")
    (refused,) = [row for row in lines if row["reason"] == Problem.NOT_IN_TEXT]
    assert (refused["recording"], refused["text"], refused["start"]) == ("4", "", 0.0)
    assert refused["end"] > 20
    assert "scores" in refused["figures"]["detail"] or "nothing" in refused["figures"]["detail"]
