"""From recordings to a folder that `load_dataset` reads, with nothing lost on the way."""

import io
import json
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from datasets import Audio, load_dataset

from khmer_aligned.audio import load
from khmer_aligned.clips.make import MakeClips
from khmer_aligned.dataset import rows as plan_rows
from khmer_aligned.dataset.build import build
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.errors import UserError
from khmer_aligned.hub.folder import published_files
from khmer_aligned.recordings import sources
from khmer_aligned.schema import CLIP_FEATURES, MAX_CLIP_SECONDS, SAMPLE_RATE
from khmer_aligned.text import Transcript

pytestmark = pytest.mark.slow

MAX_LABELS = 150


@pytest.fixture(scope="module")
def config(aligner_folder, tokenizer_folder):
    return BuildConfig(str(aligner_folder), str(tokenizer_folder), MAX_LABELS)


@pytest.fixture(scope="module")
def source(recordings, tmp_path_factory) -> Path:
    """The demo's recordings, and beside them everything that can be wrong with one."""
    folder = tmp_path_factory.mktemp("source")
    for path in [*recordings.glob("*.ogg"), *recordings.glob("*.txt")]:
        shutil.copy(path, folder)
    text = (folder / "farm.txt").read_text(encoding="utf-8")
    half_second = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE // 2)
    sf.write(folder / "crowded.wav", half_second, SAMPLE_RATE)
    sf.write(folder / "short.wav", half_second[:160], SAMPLE_RATE)
    sf.write(folder / "silence.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    sf.write(folder / "no-text.wav", half_second, SAMPLE_RATE)
    sf.write(folder / "blank.wav", half_second, SAMPLE_RATE)
    (folder / "broken.mp3").write_bytes(b"no audio")
    (folder / "nothing.wav").write_bytes(b"")
    for name in ("crowded", "short", "silence", "broken", "nothing", "no-audio"):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    (folder / "blank.txt").write_text("\ufeff \n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def built(source, config, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "dataset"
    return out, build(source, out, config).report


@pytest.fixture(scope="module")
def rows(built):
    loaded = load_dataset(str(built[0])).cast_column("audio", Audio(decode=False))
    return [row for split in loaded.values() for row in split]


def content(folder: Path) -> dict[str, bytes]:
    """The published files."""
    return {name: path.read_bytes() for name, path in published_files(folder).items()}


def test_load_dataset_gives_the_contract(built):
    loaded = load_dataset(str(built[0]))
    assert {*loaded} == {"train", "validation", "test"}
    for split in loaded.values():
        assert split.features == CLIP_FEATURES


def test_clips_are_what_their_columns_say(rows, recordings):
    assert len(rows) > 20
    assert len({row["id"] for row in rows}) == len(rows)
    whole_of = {
        name: load(recordings / f"{name}.ogg", name=name)
        for name in {row["recording"] for row in rows}
    }
    for row in rows:
        samples, rate = sf.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
        assert (rate, samples.ndim) == (SAMPLE_RATE, 1)
        assert len(samples) / rate == pytest.approx(row["duration"], abs=1e-3)
        assert row["end"] - row["start"] == pytest.approx(row["duration"], abs=1e-3)
        assert row["duration"] <= MAX_CLIP_SECONDS
        assert len(row["text"].encode()) <= MAX_LABELS  # the tokenizer is over bytes
        assert row["id"] == f"{row['recording']}-{row['id'][-5:]}"
        part = whole_of[row["recording"]][round(row["start"] * rate) :][: len(samples)]
        assert np.abs(part - samples).max() < 2**-14
        ends = [0.0, *(word["end"] for word in row["words"])]
        for word, before in zip(row["words"], ends, strict=False):
            assert before - 0.021 <= word["start"] <= word["end"] <= row["duration"] + 0.021
            assert 0 <= word["score"] <= 1


def test_each_clip_holds_the_words_that_are_spoken_in_it(rows, recordings, true_words):
    wrong = total = 0
    for row in rows:
        raw = (recordings / f"{row['recording']}.txt").read_text(encoding="utf-8")
        first = Transcript.from_text(raw).canonical.replace("\n", " ").index(row["text"])
        last = first + len(row["text"])
        for begin, _, start, end in true_words(row["recording"]):
            written = first <= begin < last
            spoken = row["start"] < (start + min(end, start + 0.3)) / 2 < row["end"]
            total += written
            wrong += written != spoken
    assert total > 300
    assert wrong == 0


def test_written_and_spoken_forms(rows):
    digits = set("០១២៣៤៥៦៧៨៩ៗ")
    numbered = [row for row in rows if digits & set(row["text"])]
    assert len(numbered) > 3
    for row in rows:
        assert not digits & set(row["spoken"])
        words = "".join(word["text"] for word in row["words"])
        assert words == "".join(c for c in row["spoken"] if not c.isspace() and c in words)


def test_nothing_is_lost(built, rows, source):
    out, report = built
    rejected = [json.loads(line) for line in (out / "rejected.jsonl").open(encoding="utf-8")]
    for unit in ("samples", "characters"):
        balance = report["balance"][unit]
        assert balance["in"] == balance["clips"] + balance["rejected"] > 0
    characters = samples = 0
    for recording in sources.read(sources.find(str(source))):
        characters += len(recording.text)
        if recording.problem is None:
            with suppress(UserError):  # what cannot be decoded holds no samples
                samples += len(load(recording.audio, name=recording.path))
    assert report["balance"]["samples"]["in"] == samples
    # A text for which there is no audio of its name is of no recording by itself.
    unspoken = len((source / "no-audio.txt").read_text(encoding="utf-8"))
    assert report["balance"]["characters"]["in"] == characters + unspoken
    assert (
        sum(round(r["duration"] * SAMPLE_RATE) for r in rows)
        == (report["balance"]["samples"]["clips"])
    )
    # In time, the clips and rejections of a recording follow each other without a gap.
    stretches = {}
    for row in rows + [r for r in rejected if r["start"] is not None]:
        stretches.setdefault(row["recording"], []).append((row["start"], row["end"]))
    for spans in stretches.values():
        spans.sort()
        assert spans[0][0] == 0
        assert [a[1] for a in spans[:-1]] == pytest.approx([b[0] for b in spans[1:]], abs=1e-3)


def test_everything_bad_is_named_with_its_reason(built):
    out, _ = built
    rejected = [json.loads(line) for line in (out / "rejected.jsonl").open(encoding="utf-8")]
    reasons = {}
    for row in rejected:
        reason = (row["reason"], row["figures"].get("detail", ""))
        reasons.setdefault(row["recording"], []).append(reason)
    expected = {
        "crowded": ("the transcript is too long for the audio", "tokens"),
        "short": ("the audio is too short", "10 ms of audio are too short"),
        "silence": ("the audio is silent", "the audio is silent: nothing in it is over"),
        # The text without audio may be of the audio without text: it is looked for in there.
        "no-text": ("no passage of the text is clearly what the recording speaks", "no-audio.txt"),
        "blank": ("the transcript is empty", "the transcript is empty"),
        "broken": ("the audio cannot be read", "broken.mp3: cannot be decoded"),
        "nothing": ("the audio cannot be read", "nothing.wav: is an empty file"),
        "no-audio": ("a part of the text that no recording speaks", "no-audio.txt: characters"),
    }
    for recording, (category, detail) in expected.items():
        ((reason, said),) = reasons[recording]
        assert reason == category
        assert detail in said
    assert ("speech that is not in the transcript", "") in reasons["market"]
    # Of a sentence that nobody said, the text is rejected and next to no audio.
    (unspoken,) = [row for row in rejected if row["recording"] == "school" and row["text"]]
    assert unspoken["reason"] == "not spoken where the transcript has it"
    assert unspoken["text"].strip() == "ពួកគេស្រលាញ់សាលា និងមិត្តភក្តិ។"
    assert unspoken["end"] - unspoken["start"] < 1
    assert unspoken["figures"]["distance"] > 0.7


def test_the_lag_is_measured_once_and_recorded(built):
    _, report = built
    lag = report["lag"]
    assert lag["source"] == "measured"
    assert lag["seconds"] == pytest.approx(0.038, abs=0.01)
    assert lag["edges"] > 400 and lag["recordings"] == 4
    assert lag["standard_error"] < 0.01
    assert lag["differing"] == []
    assert "lag" in json.loads((built[0] / "build.json").read_text(encoding="utf-8"))


def test_recordings_that_tell_another_lag_are_named_and_not_moved(source, config, tmp_path):
    result = build(source, tmp_path / "out", config, lag=0.2)
    lag = result.report["lag"]
    assert (lag["seconds"], lag["source"]) == (0.2, "given")
    assert {d["recording"] for d in lag["differing"]} == {"farm", "journey", "market", "school"}
    for item in lag["differing"]:
        assert item["seconds"] == pytest.approx(0.038, abs=0.02)
    assert "4 recordings tell another lag" in result.summary()


def test_killed_and_started_again_gives_the_same_bytes(source, config, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_rows, "_SHARD_CHARACTERS", 900)
    make_clips, calls = MakeClips.__call__, []

    def counted(self, batch, rank=None):
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        calls.append(batch["id"])
        return make_clips(self, batch, rank)

    monkeypatch.setattr(MakeClips, "__call__", counted)
    whole, cut_off = tmp_path / "whole", tmp_path / "cut-off"
    stop_at = None
    build(source, whole, config)
    shards = len(calls)
    assert shards > 4
    calls.clear()
    stop_at = 3
    with pytest.raises(KeyboardInterrupt):
        build(source, cut_off, config)
    assert not (cut_off / "build.json").exists()
    stop_at = None
    build(source, cut_off, config)
    assert len(calls) == shards  # nothing was aligned twice
    assert content(cut_off) == content(whole)


def test_a_folder_is_never_built_over(built, source, config, tmp_path):
    out, report = built
    before = content(out)
    assert build(source, out, config).report == report
    assert content(out) == before
    with pytest.raises(UserError, match="holds a build with max_labels 150, not 149; name a new"):
        build(source, out, config, max_labels=MAX_LABELS - 1)
    (tmp_path / "thesis.doc").write_text("precious")
    with pytest.raises(UserError, match="holds other files"):
        build(source, tmp_path, config)


def test_the_result_and_the_card_have_the_numbers(built, rows, source, config):
    out, report = built
    result = build(source, out, config)
    assert (result.folder, result.clips) == (out, len(rows))
    assert result.seconds == pytest.approx(sum(row["duration"] for row in rows), abs=0.1)
    assert f"{report['splits']['train']['clips']}" in result.summary().splitlines()[1]
    card = (out / "README.md").read_text(encoding="utf-8")
    assert f"{len(rows):,} clips" in card
    assert report["config"]["aligner"].startswith("aligner@sha256:")
    assert report["config"]["aligner"] in card
    assert str(Path.home()) not in card + json.dumps(report)


def test_a_tokenizer_that_cannot_be_loaded_is_named_before_the_work(source, tmp_path, config):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="tokenizer"):
        build(source, tmp_path / "out", config, tokenizer=str(tmp_path / "empty"))
    assert not (tmp_path / "out").exists()


def test_a_folder_built_anew_is_not_served_from_the_cache(source, config, tmp_path):
    """`datasets` keys its cache of a folder by name and header, not by what the files hold."""
    counts = []
    for place, max_labels in (("first", MAX_LABELS), ("second", MAX_LABELS + 60)):
        result = build(source, tmp_path / place / "khmer-aligned", config, max_labels=max_labels)
        loaded = load_dataset(str(result.folder))
        assert {name: len(rows) for name, rows in loaded.items()} == {
            name: size["clips"] for name, size in result.report["splits"].items()
        }
        counts.append(sum(len(rows) for rows in loaded.values()))
    assert counts[0] > counts[1]
