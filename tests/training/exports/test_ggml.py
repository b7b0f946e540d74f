"""The file for whisper.cpp: what is in it, and what whisper.cpp makes of it."""

import json
import struct
import sys

import pytest
import torch
from click.testing import CliRunner

from khmer_aligned.errors import UserError
from khmer_whisper import cli
from khmer_whisper import model as models
from khmer_whisper.exports import export
from khmer_whisper.exports.ggml import list_entries, list_tensors, text_positions, write_ggml

# openai/whisper's names for a model with one layer on each side.
BLOCK = {
    *(f"attn.{part}.{kind}" for part in ("query", "value", "out") for kind in ("weight", "bias")),
    "attn.key.weight",
    *(f"{part}.{kind}" for part in ("attn_ln", "mlp.0", "mlp.2", "mlp_ln")
      for kind in ("weight", "bias")),
}  # fmt: skip
CROSS = {f"cross_{name}" for name in BLOCK if name.startswith("attn")}


def test_the_tensors_have_the_names_of_openai_whisper(tiny):
    names = {tensor.name for tensor in list_tensors(tiny)}
    assert names == {
        *(f"encoder.blocks.0.{name}" for name in BLOCK),
        *(f"decoder.blocks.0.{name}" for name in BLOCK | CROSS),
        *(f"encoder.conv{k}.{kind}" for k in (1, 2) for kind in ("weight", "bias")),
        *(f"{norm}.{kind}" for norm in ("encoder.ln_post", "decoder.ln")
          for kind in ("weight", "bias")),
        "encoder.positional_embedding",
        "decoder.positional_embedding",
        "decoder.token_embedding.weight",
    }  # fmt: skip


def test_the_entries_are_the_bytes_that_each_id_writes(tiny):
    entries = list_entries(tiny)
    assert len(entries) == tiny.labeller.end
    text = "ខ្ញុំ ទៅ 3"
    assert b"".join(entries[label] for label in tiny.labeller.encode(text)).decode() == text


def test_a_model_that_whisper_cpp_cannot_run_is_refused(tiny_folder, dataset, tmp_path):
    command = ["export", str(tiny_folder), str(tmp_path / "out"), "--format", "ggml"]
    done = CliRunner().invoke(cli.main, [*command, "--dataset", str(dataset)])
    reason = "whisper.cpp cannot run it: its window is 2 s, not 30 s"
    assert (done.exit_code, done.output) == (1, f"Error: {tiny_folder}: {reason}\n")
    with pytest.raises(UserError, match="--format ggml has no int8 weights; choose from float16"):
        export(str(tiny_folder), tmp_path / "out", form="ggml", quantization="int8")


@pytest.mark.slow
def test_the_header_states_the_sizes_of_the_model(untrained_folder, tmp_path):
    whisper = models.load(str(untrained_folder))
    write_ggml(whisper, tmp_path / "model.bin")
    with (tmp_path / "model.bin").open("rb") as file:
        numbers = struct.unpack("<14i", file.read(56))
        filters = file.read(4 * 80 * 201)
        entries = struct.unpack("<i", file.read(4))[0]
    sizes = (51_865, 1500, 128, 4, 4, 896, 128, 4, 2, 80, 1)
    assert numbers == (0x67676D6C, *sizes, 80, 201)
    expected = torch.from_numpy(whisper.extractor.mel_filters.T.copy()).float()
    assert torch.equal(torch.frombuffer(bytearray(filters), dtype=torch.float32), expected.ravel())
    assert entries == 50_257


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("ids", "its vocabulary has 51864 ids, not 51,865 or 51,866"),
        ("output", "its output layer has its own weights"),
        ("float16", "encoder.conv1.weight: a weight is too large for float16"),
    ],
)
def test_what_the_format_cannot_say_is_refused(untrained_folder, tmp_path, change, reason):
    whisper = models.load(str(untrained_folder))
    if change == "ids":
        whisper.model.config.vocab_size -= 1
    elif change == "output":
        whisper.model.proj_out.weight = torch.nn.Parameter(whisper.model.proj_out.weight + 1)
    else:
        whisper.model.model.encoder.conv1.weight.data[0, 0, 0] = 1e5
    with pytest.raises(UserError, match=reason):
        write_ggml(whisper, tmp_path / "model.bin")


@pytest.mark.slow
def test_khmer_entries_come_out_of_whisper_cpp(extended_folder, short_clips, tmp_path):
    out = tmp_path / "ggml"
    command = ["export", str(extended_folder), str(out), "--dataset", str(short_clips)]
    done = CliRunner().invoke(cli.main, [*command, "--format", "ggml"])
    assert done.exit_code == 0, done.output
    assert "2 of 2 clips are the same text" in done.output
    record = json.loads((out / "export.json").read_text(encoding="utf-8"))
    assert (record["same"], record["format"], record["quantization"]) == (2, "ggml", "float16")
    assert record["export"]["cer"] == record["original"]["cer"]
    assert {path.name for path in out.iterdir()} == {"ggml-model.bin", "export.json"}
    whisper = models.load(str(extended_folder))
    assert text_positions(whisper) == 448
    assert "--max-context" not in done.output


@pytest.mark.slow
def test_more_than_220_labels_come_out_of_whisper_cpp(standard_folder, long_clip, tmp_path):
    result = export(str(standard_folder), tmp_path / "out", str(long_clip), form="ggml")
    (prediction,) = result.exported.predictions
    assert prediction.hypothesis == prediction.reference
    assert prediction.steps > 220
    assert any("--max-context 0" in note for note in result.notes)


@pytest.mark.slow
def test_an_export_that_writes_something_else_is_not_written(
    extended_folder, short_clips, tmp_path, monkeypatch
):
    broken = {"decoder.blocks.1.cross_attn.value.weight": -1.0}

    def tensors(whisper):
        for tensor in list_tensors(whisper):
            yield tensor._replace(values=tensor.values * broken.get(tensor.name, 1.0))

    monkeypatch.setattr("khmer_whisper.exports.ggml.list_tensors", tensors)
    with pytest.raises(UserError, match=r"not written: .*0 of 1 clips are the same"):
        export(str(extended_folder), tmp_path / "out", str(short_clips), form="ggml", clips=1)
    assert not list(tmp_path.iterdir())


def test_the_missing_engine_is_named(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "_pywhispercpp", None)
    with pytest.raises(UserError, match="install pywhispercpp"):
        export(str(tiny_folder), tmp_path / "out", form="ggml")
