"""From recordings to a folder that `load_dataset` reads, with nothing lost on the way."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from datasets import Audio, load_dataset

from khmer_aligned.alignment import align
from khmer_aligned.alignment.doubts import UNSPOKEN, UNTRANSCRIBED
from khmer_aligned.audio import load
from khmer_aligned.clips import make
from khmer_aligned.dataset import build
from khmer_aligned.errors import Failed, UserError
from khmer_aligned.recordings import sources
from khmer_aligned.schema import CLIP_FEATURES, MAX_CLIP_SECONDS, SAMPLE_RATE
from khmer_aligned.text import Transcript

MAX_TOKENS = 150


@pytest.fixture(scope="module")
def config(aligner_folder, tokenizer_folder):
    return build.Config(str(aligner_folder), str(tokenizer_folder), MAX_TOKENS)


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
    sf.write(folder / "untold.wav", half_second, SAMPLE_RATE)
    sf.write(folder / "blank.wav", half_second, SAMPLE_RATE)
    (folder / "broken.mp3").write_bytes(b"no audio")
    (folder / "nothing.wav").write_bytes(b"")
    for name in ("crowded", "short", "silence", "broken", "nothing", "unheard"):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    (folder / "blank.txt").write_text("\ufeff \n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def built(source, config, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "dataset"
    return out, build.build(str(source), out, config)


@pytest.fixture(scope="module")
def rows(built):
    loaded = load_dataset(str(built[0])).cast_column("audio", Audio(decode=False))
    return [row for split in loaded.values() for row in split]


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_load_dataset_gives_the_contract(built):
    loaded = load_dataset(str(built[0]))
    assert {*loaded} == {"train", "validation", "test"}
    for split in loaded.values():
        assert split.features == CLIP_FEATURES


def test_clips_are_what_their_columns_say(rows, recordings):
    assert len(rows) > 20
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        samples, rate = sf.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
        assert (rate, samples.ndim) == (SAMPLE_RATE, 1)
        assert len(samples) / rate == pytest.approx(row["duration"], abs=1e-3)
        assert row["end"] - row["start"] == pytest.approx(row["duration"], abs=1e-3)
        assert row["duration"] <= MAX_CLIP_SECONDS
        assert len(row["text"].encode()) <= MAX_TOKENS  # the tokenizer is over bytes
        assert row["id"] == f"{row['recording']}-{row['id'][-5:]}"
        whole = load(recordings / f"{row['recording']}.ogg", name="whole")
        part = whole[round(row["start"] * rate) :][: len(samples)]
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
            told = first <= begin < last
            spoken = row["start"] < (start + min(end, start + 0.3)) / 2 < row["end"]
            total += told
            wrong += told != spoken
    assert total > 300
    assert wrong == 0


def test_written_and_spoken_forms(rows):
    digits = set("០១២៣៤៥៦៧៨៩ៗ")
    numbered = [row for row in rows if digits & set(row["text"])]
    assert len(numbered) > 3
    for row in rows:
        assert not digits & set(row["spoken"])
        said = "".join(word["text"] for word in row["words"])
        assert said == "".join(c for c in row["spoken"] if not c.isspace() and c in said)


def test_nothing_is_lost(built, rows, source):
    out, report = built
    rejected = [json.loads(line) for line in (out / "rejected.jsonl").open(encoding="utf-8")]
    for unit in ("samples", "characters"):
        balance = report["balance"][unit]
        assert balance["in"] == balance["clips"] + balance["rejected"] > 0
    characters = samples = 0
    for recording in sources.read(sources.find(str(source))):
        characters += len(recording.text)
        waveform = make._load(
            {"problem": recording.problem, "audio": {"bytes": None, "path": recording.audio},
             "path": "x", "start": None, "end": None}
        )  # fmt: skip
        samples += 0 if isinstance(waveform, Failed) else len(waveform)
    assert report["balance"]["samples"]["in"] == samples
    assert report["balance"]["characters"]["in"] == characters
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
        reasons.setdefault(row["recording"], []).append(row["reason"])
    expected = {
        "crowded": "labels",
        "short": "10 ms of audio are too short",
        "silence": "silent",
        "untold": "untold.txt is missing",
        "blank": "transcript is empty",
        "broken": "cannot be decoded",
        "nothing": "empty file",
        "unheard": "no audio file",
    }
    for recording, words in expected.items():
        (reason,) = reasons[recording]
        assert words in reason
    assert UNTRANSCRIBED in reasons["market"]
    # Of a sentence that nobody said, the text is rejected and next to no audio.
    (lost,) = [row for row in rejected if row["recording"] == "school" and row["text"]]
    assert lost["reason"] == UNSPOKEN
    assert lost["text"].strip() == "ពួកគេស្រលាញ់សាលា និងមិត្តភក្តិ។"
    assert lost["end"] - lost["start"] < 1
    assert lost["figures"]["distance"] > 0.7


def test_killed_and_started_again_gives_the_same_bytes(
    built, source, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(build, "_SHARD_CHARACTERS", 900)
    run, calls = align.align, []

    def counted(waveforms, *rest):
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        calls.append(len(waveforms))
        return run(waveforms, *rest)

    monkeypatch.setattr(align, "align", counted)
    whole, cut_off = tmp_path / "whole", tmp_path / "cut-off"
    stop_at = None
    build.build(str(source), whole, config)
    shards = len(calls)
    assert shards > 4
    calls.clear()
    stop_at = 3
    with pytest.raises(KeyboardInterrupt):
        build.build(str(source), cut_off, config)
    assert not (cut_off / "build.json").exists()
    stop_at = None
    build.build(str(source), cut_off, config)
    assert len(calls) == shards  # nothing was aligned twice
    assert content(cut_off) == content(whole)


def test_a_folder_is_never_built_over(built, source, config, tmp_path, aligner_folder):
    out, report = built
    before = content(out)
    assert build.build(str(source), out, config) == report
    assert content(out) == before
    other = build.Config(config.aligner, config.tokenizer, MAX_TOKENS - 1)
    with pytest.raises(UserError, match="holds a build of other recordings"):
        build.build(str(source), out, other)
    (tmp_path / "thesis.doc").write_text("precious")
    with pytest.raises(UserError, match="holds other files"):
        build.build(str(source), tmp_path, config)


def test_the_card_has_the_numbers(built, rows):
    out, report = built
    card = (out / "README.md").read_text(encoding="utf-8")
    assert f"{len(rows):,} clips" in card
    assert "$" not in card
    assert report["config"]["aligner"].startswith("aligner@sha256:")
    assert report["config"]["aligner"] in card
    assert str(Path.home()) not in card + json.dumps(report)


def test_a_tokenizer_that_cannot_be_loaded_is_said_before_the_work(source, tmp_path, config):
    (tmp_path / "empty").mkdir()
    broken = build.Config(config.aligner, str(tmp_path / "empty"), MAX_TOKENS)
    with pytest.raises(UserError, match="tokenizer"):
        build.build(str(source), tmp_path / "out", broken)
    with pytest.raises(UserError, match="max-tokens 441"):
        build.Config(max_tokens=441)


def test_a_folder_built_anew_is_not_served_from_the_cache(source, config, tmp_path):
    """`datasets` keys its cache of a folder by name and header, not by what the files hold."""
    counts = []
    for place, max_tokens in (("first", MAX_TOKENS), ("second", MAX_TOKENS + 60)):
        out = tmp_path / place / "khmer-aligned"
        changed = build.Config(config.aligner, config.tokenizer, max_tokens)
        report = build.build(str(source), out, changed)
        loaded = load_dataset(str(out))
        assert {name: len(rows) for name, rows in loaded.items()} == {
            name: own["clips"] for name, own in report["splits"].items()
        }
        counts.append(sum(len(rows) for rows in loaded.values()))
    assert counts[0] > counts[1]
