"""Sets larger than the disk: the same clips, in an order that only the seed decides."""

import json
from dataclasses import replace

import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler
from transformers import TrainerCallback

from khmer_whisper import evaluation, training
from khmer_whisper.config import Config, Mixed
from khmer_whisper.examples import data
from khmer_whisper.examples.fitting import select_fitting
from khmer_whisper.examples.mix import Part
from khmer_whisper.examples.stream import StreamedClips
from khmer_whisper.trainer import WhisperTrainer

from ..conftest import clip, close, random_words, sounds, write_dataset


@pytest.fixture(scope="module")
def streamed(tmp_path_factory):
    """32 clips in 4 shards, 2 clips that do not fit, and the splits that are scored."""
    folder = sounds(tmp_path_factory.mktemp("streamed"), {"validation": 2, "test": 3})
    rows = [clip(i, random_words(i), f"train{i // 4}") for i in range(32)]
    rows[5] = clip(5, ["ទឹក"] * 6, "train1")
    rows[20] = clip(20, ["ធំ"], "train5", text="ខ្មែរ" * 10)
    for shard in range(4):
        part = write_dataset(tmp_path_factory.mktemp("part"), {"train": rows[shard::4]})
        (part / "data/train-00000-of-00001.parquet").rename(
            folder / f"data/train-0000{shard}-of-00004.parquet"
        )
    return folder


def clips_of(folder, tiny, config) -> StreamedClips:
    splits = data.load(str(folder), streaming=True)
    fitting = select_fitting(splits, "train", tiny, config.text)
    return StreamedClips([Part("d", fitting)], tiny, config)


def options(folder, tiny_folder, **more) -> Config:
    settings = {"max_steps": 10, "batch_size": 4, "evaluate_every": 2, "learning_rate": 1e-3}
    settings |= {"timestamps": 0.5, "augment": 0.5, "spec_augment": True}
    return Config(dataset=str(folder), model=str(tiny_folder), streaming=True, **settings | more)


def test_each_pass_has_every_clip_that_fits_in_its_own_order(streamed, tiny, tiny_folder):
    clips = clips_of(streamed, tiny, options(streamed, tiny_folder, max_steps=15))
    read = list(clips.sampler(clips.config))
    assert len(read) == len(clips.sampler(clips.config)) == 60
    first, second = [r.row["id"] for r in read[:30]], [r.row["id"] for r in read[30:]]
    assert len(set(first)) == 30
    assert set(first) == set(second)
    assert first != second
    assert {r.epoch for r in read[:30]} == {0}
    assert {r.epoch for r in read[30:]} == {1}
    again = clips_of(streamed, tiny, clips.config)
    assert [r.row["id"] for r in again.sampler(clips.config)] == first + second
    other = replace(clips.config, seed=9)
    assert [r.row["id"] for r in clips.sampler(other)][:30] != first
    one, two = clips[read[0]], again[read[0]]
    assert (one.samples == two.samples).all()


@pytest.mark.parametrize("processes", [2, 3, 6])
def test_processes_share_the_clips(streamed, tiny, tiny_folder, processes):
    """As accelerate deals batches out; 6 processes are more than there are shards."""
    config = options(streamed, tiny_folder, batch_size=5, max_steps=30 // processes // 5)
    clips = clips_of(streamed, tiny, config)
    seen = []
    for process in range(processes):
        sampler = clips.sampler(config)
        sampler.process, sampler.processes = process, processes
        batches = BatchSamplerShard(BatchSampler(sampler, 5, False), processes, process)
        assert len(batches) == len(list(batches)) == config.max_steps
        seen += [read.row["id"] for batch in batches for read in batch]
    assert len(seen) == 30 // processes // 5 * 5 * processes
    assert len(set(seen)) >= 24  # shards differ by a clip: a process may begin anew before another


def test_datasets_are_drawn_by_weight_and_size(streamed, tiny, tiny_folder):
    config = options(streamed, tiny_folder, max_steps=150)
    part = clips_of(streamed, tiny, config).parts[0]
    mixed = [part, Part("other", part.fitting, 0.25, "en")]
    drawn = [read.part for read in StreamedClips(mixed, tiny, config).sampler(config)]
    assert 0.75 < drawn.count(0) / len(drawn) < 0.85


@pytest.mark.slow
def test_a_stream_is_learned_scored_and_never_put_on_disk(
    streamed, tiny_folder, tmp_path, monkeypatch
):
    cache = tmp_path / "cache"
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", cache)
    result = training.train(options(streamed, tiny_folder, max_steps=2), tmp_path / "out")
    written = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    assert written < 1_000  # of 37 clips, each 5,000 bytes or more
    assert sorted(clip.id for clip in result.left_out) == ["train1-00005", "train5-00020"]
    report = json.loads((tmp_path / "out/metrics.json").read_text(encoding="utf-8"))
    assert report["seen_recordings"] == []
    # The scores are those of the same clips, loaded.
    whisper = training.models.load(str(tmp_path / "out"))
    loaded = evaluation.evaluate(whisper, data.load(str(streamed)))
    assert loaded.scores == result.tuned
    toml = Config.read(tmp_path / "out/training.toml")
    assert toml.streaming


class Cut(TrainerCallback):
    """Ends a training in the middle, as if it were killed."""

    def on_step_begin(self, args, state, control, **kwargs) -> None:
        if state.global_step == 5:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_cut_off_in_its_second_pass_it_ends_with_the_same_weights(
    streamed, tiny_folder, tmp_path, workers
):
    mix = (Mixed(str(sounds(tmp_path / "other", {"train": 8})), 1.0),)
    config = options(streamed, tiny_folder, mix=mix, workers=workers)
    torch.set_num_threads(1)
    training.train(config, tmp_path / "undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        plain = WhisperTrainer.__init__

        def cut(self, *args):
            plain(self, *args)
            self.add_callback(Cut())

        patch.setattr(WhisperTrainer, "__init__", cut)
        with pytest.raises(KeyboardInterrupt):
            training.train(config, tmp_path / "cut")
    assert (tmp_path / "cut/checkpoints/checkpoint-4").exists()
    training.train(config, tmp_path / "cut")
    close(tmp_path / "cut", tmp_path / "undisturbed")
