"""An export is written only when it is as good as the original."""

import json
import sys

import ctranslate2
import pytest
from click.testing import CliRunner
from transformers import WhisperTokenizerFast

from khmer_aligned.errors import UserError
from khmer_whisper import cli
from khmer_whisper.cli import using
from khmer_whisper.exports import export
from khmer_whisper.exports.export import TOLERATED


@pytest.mark.slow
def test_the_export_gives_the_text_of_the_original(trained, dataset, tmp_path):
    out = tmp_path / "sub/exported"
    command = ["export", str(trained.folder), str(out), "--dataset", str(dataset)]
    done = CliRunner().invoke(cli.main, command)
    assert done.exit_code == 0, done.output
    assert "12 of 12 clips are the same text" in done.output
    assert done.output.count(f"CER {trained.tuned.cer}") == 2
    files = {path.name for path in out.iterdir()}
    # Without the last two faster-whisper asks the Hub for another model's.
    assert files >= {"model.bin", "config.json", "tokenizer.json", "preprocessor_config.json"}
    assert not [path for path in out.parent.iterdir() if path != out]
    record = json.loads((out / "export.json").read_text(encoding="utf-8"))
    assert (record["same"], record["dataset"]["clips"]) == (12, 12)
    assert record["model"]["version"].startswith("sha256:")
    tokenizer = WhisperTokenizerFast.from_pretrained(out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    assert tokenizer.convert_tokens_to_ids("<|km|>") in config["lang_ids"]
    assert len(config["lang_ids"]) == 99
    assert "faster-whisper cannot run it: its window is 2 s, not 30 s" in done.output.splitlines()


@pytest.mark.slow
def test_a_quantized_export_is_smaller_and_not_worse(trained, dataset, tmp_path):
    assert set(using.QUANTIZATIONS) == set(TOLERATED)
    export(str(trained.folder), tmp_path / "whole", str(dataset), clips=2)
    done = export(str(trained.folder), tmp_path / "int8", str(dataset), quantization="int8")
    assert done.exported.scores.cer.rate <= done.original.scores.cer.rate + 0.01
    whole, small = ((tmp_path / name / "model.bin").stat().st_size for name in ("whole", "int8"))
    assert small < whole / 2


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["float32", "int8"])
def test_an_export_whose_texts_differ_is_not_written(
    trained, dataset, tmp_path, monkeypatch, quantization
):
    convert = ctranslate2.converters.TransformersConverter.convert

    def broken(self, output_dir, **options):
        from safetensors.torch import load_file, save_file

        weights = f"{self._model_name_or_path}/model.safetensors"
        tensors = load_file(weights)
        tensors["model.encoder.conv1.weight"] *= -1
        save_file(tensors, weights, metadata={"format": "pt"})
        return convert(self, output_dir, **options)

    monkeypatch.setattr(ctranslate2.converters.TransformersConverter, "convert", broken)
    with pytest.raises(UserError, match=r"not written: .* of 12 clips are the same") as error:
        export(str(trained.folder), tmp_path / "out", str(dataset), quantization=quantization)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_what_is_missing_is_named(trained, dataset, tiny_folder, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="give --dataset"):
        export(str(tiny_folder), tmp_path / "out")
    with pytest.raises(UserError, match=r"its dataset sounds.*was a folder: give --dataset"):
        export(str(trained.folder), tmp_path / "out")
    with pytest.raises(UserError, match="exists already"):
        export(str(trained.folder), tmp_path)
    (tmp_path / "file").write_text("in the way")
    command = ["export", str(trained.folder), f"{tmp_path}/file/out", "--dataset", str(dataset)]
    done = CliRunner().invoke(cli.main, command)
    assert (done.exit_code, done.output) == (1, f"Error: {tmp_path}/file: File exists\n")
    monkeypatch.setattr(ctranslate2, "__version__", "3.24.0")
    with pytest.raises(UserError, match=r"3\.24\.0 is too old: install khmer-aligned\[ctransl"):
        export(str(trained.folder), tmp_path / "out")
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(UserError, match=r"needs CTranslate2: install khmer-aligned\[ctransl"):
        export(str(trained.folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()
