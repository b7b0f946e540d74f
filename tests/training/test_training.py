"""The whole line on sounds: what is learned, and what stops it."""

import pytest

from khmer_aligned.errors import UserError
from khmer_whisper import training
from khmer_whisper.config import Config
from khmer_whisper.trainer import WhisperTrainer

from .conftest import clip, close, write_dataset


@pytest.mark.slow
def test_it_learns_and_says_how_sure_it_is(trained):
    assert trained.split == "test"
    assert trained.base.cer.rate > 0.9
    assert trained.tuned.cer.rate < 0.4
    assert trained.tuned.cer.total == trained.base.cer.total
    gain = trained.difference["cer"]
    assert gain.high < 0
    assert gain.difference == pytest.approx(trained.tuned.cer.rate - trained.base.cer.rate)


@pytest.mark.slow
def test_a_training_that_diverges_is_stopped(few, tiny_folder, tmp_path):
    config = Config(
        dataset=str(few), model=str(tiny_folder), batch_size=4, learning_rate=1e30,
        max_grad_norm=1e30, warmup=0,
    )  # fmt: skip
    with pytest.raises(UserError, match=r"the loss is nan at step .* lower --learning-rate"):
        training.train(config, tmp_path / "out")
    assert not (tmp_path / "out/model.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_clip_stops_training_by_its_name(tmp_path, tiny_folder, workers):
    broken = clip(7, ["ធំ"], "b", audio={"bytes": b"RIFF, not really", "path": None})
    splits = {"train": [clip(0, ["ទឹក"], "a"), broken], "test": [clip(1, ["ទឹក"], "c")]}
    folder = write_dataset(tmp_path / "d", splits)
    config = Config(dataset=str(folder), model=str(tiny_folder), workers=workers)
    with pytest.raises(UserError, match=r"^clip b-00007: cannot be decoded.*") as error:
        training.train(config, tmp_path / "out")
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_out_of_memory_divides_the_batch_and_keeps_the_step(few, tiny_folder, tmp_path):
    class SmallGpu(WhisperTrainer):
        def training_step(self, model, inputs, *args):
            if len(inputs["labels"]) > 4:
                # As cuBLAS says it.
                raise RuntimeError(
                    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"
                )
            return super().training_step(model, inputs, *args)

    config = Config(dataset=str(few), model=str(tiny_folder), batch_size=16, max_steps=2, epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "WhisperTrainer", SmallGpu)
        divided = training.train(config, tmp_path / "small")
    assert divided.steps == 2
    training.train(config, tmp_path / "large", licence="MIT")
    close(tmp_path / "small", tmp_path / "large", atol=1e-5)
    cards = [(tmp_path / name / "README.md").read_text("utf-8") for name in ("small", "large")]
    assert ["license: mit\n" in card for card in cards] == [False, True]
