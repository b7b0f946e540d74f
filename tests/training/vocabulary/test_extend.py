"""An extended model folder, as everything that reads it finds it."""

import pytest
import torch
from click.testing import CliRunner
from tokenizers import Tokenizer
from transformers import AutoTokenizer, WhisperForConditionalGeneration, WhisperProcessor

from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.errors import UserError
from khmer_whisper import cli
from khmer_whisper import model as models
from khmer_whisper.vocabulary import extend
from khmer_whisper.vocabulary.rows import begin_rows, khmer_ids

from ..conftest import sounds
from .conftest import TOKENS
from .small import SENTENCES

TEXT = "ខ្ញុំ ទៅ ផ្សារ។ ok ៤"


def test_the_folder_loads_and_encodes_with_its_own_pre_tokenizer(stock_folder, extended_folder):
    stock, extended = models.load(str(stock_folder)), models.load(str(extended_folder))
    ids = extended.labeller.encode(TEXT)
    assert len(ids) < len(TEXT) < len(stock.labeller.encode(TEXT))
    assert extended.labeller.decode(ids) == TEXT
    assert extended.labeller.__dict__.keys() == stock.labeller.__dict__.keys()
    for name in ("start", "end", "language", "no_timestamps", "previous", "languages", "not_text"):
        assert getattr(extended.labeller, name) == getattr(stock.labeller, name)
    file = Tokenizer.from_file(str(extended_folder / "tokenizer.json"))  # as faster-whisper does
    assert file.encode(TEXT, add_special_tokens=False).ids == ids
    assert LabelCounter(str(extended_folder))(TEXT, "") == len(ids)


def test_transformers_decodes_it_by_id(extended_folder):
    ids = models.load(str(extended_folder)).labeller.encode(TEXT)
    for tokenizer in (
        AutoTokenizer.from_pretrained(extended_folder),
        WhisperProcessor.from_pretrained(extended_folder).tokenizer,
    ):
        assert tokenizer.decode(ids) == TEXT
        assert tokenizer.decode(tokenizer(TEXT).input_ids, skip_special_tokens=True) == TEXT
    model = WhisperForConditionalGeneration.from_pretrained(extended_folder)
    assert model.config.khmer_vocabulary["tokens"] == TOKENS
    assert model.config.khmer_vocabulary["overwritten"] == ["CYRILLIC"]


def test_it_stays_extended_when_it_is_saved_again(extended_folder, tmp_path):
    whisper = models.load(str(extended_folder))
    whisper.save(tmp_path / "again")
    again = models.load(str(tmp_path / "again"))
    assert again.labeller.encode(TEXT) == whisper.labeller.encode(TEXT)
    assert again.khmer_vocabulary == whisper.khmer_vocabulary


def test_only_the_new_rows_differ_and_begin_as_the_mean_of_their_bytes(
    stock_folder, extended_folder
):
    stock, extended = models.load(str(stock_folder)), models.load(str(extended_folder))
    weights = extended.model.state_dict()
    differing = set()
    for name, tensor in stock.model.state_dict().items():
        rows = (tensor != weights[name]).reshape(len(tensor), -1).any(1).nonzero()[:, 0].tolist()
        if rows:
            differing.add(name)
            table, changed = tensor, rows
    assert differing <= {"model.decoder.embed_tokens.weight", "proj_out.weight"}
    new = khmer_ids(extended.tokenizer)
    assert set(new) <= set(changed) and len(changed) == TOKENS
    text = extended.tokenizer.decode([new[0]])
    mean = table[stock.labeller.encode(text)].mean(0)
    torch.testing.assert_close(weights["proj_out.weight"][new[0]], mean)


def test_beginnings_of_rows():
    table = torch.tensor([[0.0, 3.0], [3.0, 0.0], [9.0, 9.0]])
    parts = [[0, 1], [2]]
    torch.testing.assert_close(begin_rows(table, parts), torch.tensor([[1.5, 1.5], [9.0, 9.0]]))
    torch.testing.assert_close(
        begin_rows(table, parts, "last"), torch.tensor([[2.0, 1.0], [9.0, 9.0]])
    )
    torch.manual_seed(0)
    assert begin_rows(table, parts * 500, "random").mean(0).sub(table.mean(0)).abs().max() < 0.5


def test_the_command_says_what_has_changed(stock_folder, text_file, tmp_path):
    command = ["extend", str(stock_folder), str(tmp_path / "out"), "--text", str(text_file)]
    done = CliRunner().invoke(cli.main, [*command, "--tokens", str(TOKENS)])
    assert done.exit_code == 0, done.output
    assert f"{TOKENS} tokens of Khmer in place of Cyrillic" in done.output
    assert "unchanged: Latin, " in done.output and "Thai" in done.output
    assert "--warm-rows" in done.output
    refused = CliRunner().invoke(cli.main, [*command, "--tokens", str(TOKENS)])
    assert refused.output == f"Error: {tmp_path}/out: exists already; extend into a new folder\n"
    nothing = CliRunner().invoke(cli.main, [*command[:2], str(tmp_path / "other")])
    assert nothing.exit_code == 2 and "give --text or --dataset" in nothing.output


def test_the_transcripts_of_a_dataset_are_text_too(stock_folder, tmp_path):
    dataset = sounds(tmp_path / "sounds", {"train": 16})
    done = extend(str(stock_folder), tmp_path / "out", dataset=str(dataset), tokens=120)
    assert done.after < 1 < 2 < done.before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tokens": 100}, "--tokens 100: the Khmer characters alone are 116"),
        ({"tokens": 5_000}, "enough Khmer for 140 tokens, not for 5000"),
        ({"tokens": TOKENS, "keep": ["ru"]}, "has 0 entries that may be overwritten"),
        ({"tokens": TOKENS, "keep": ["xx"]}, "xx: no language of this Whisper"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(
    stock_folder, text_file, tmp_path, options, reason
):
    with pytest.raises(UserError, match=reason):
        extend(str(stock_folder), tmp_path / "out", [text_file], **options)
    assert not list(tmp_path.iterdir())


def test_an_extended_model_is_not_extended_again(extended_folder, text_file, tmp_path):
    with pytest.raises(UserError, match="has Khmer entries already"):
        extend(str(extended_folder), tmp_path / "out", [text_file])


def test_text_that_is_no_text(stock_folder, tmp_path):
    (tmp_path / "sound").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="sound: cannot be read as UTF-8"):
        extend(str(stock_folder), tmp_path / "out", [tmp_path / "sound"])


def test_khmer_lines_come_back(extended_folder):
    labeller = models.load(str(extended_folder)).labeller
    for sentence in SENTENCES:
        assert labeller.decode(labeller.plain(sentence).labels) == sentence
