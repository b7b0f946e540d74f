"""What the decoder reads and learns, with the byte tokenizer and with Whisper's own."""

import csv

import pytest
from transformers import WhisperTokenizer

from khmer_aligned.errors import UserError
from khmer_whisper.demo.tokenizer import byte_tokenizer
from khmer_whisper.labels import IGNORED, Labeller, Phrase

from ..conftest import SHARED

TEXT = "ខ្ញុំ ទៅ ផ្សារ។"


@pytest.fixture(scope="module")
def labeller() -> Labeller:
    return Labeller(byte_tokenizer())


def names(labeller: Labeller, ids: list[int]) -> list[str]:
    return [labeller.tokenizer.convert_ids_to_tokens(i) for i in ids]


def test_prefix_stands_once_and_the_end_is_learned(labeller):
    made = labeller.plain(TEXT)
    prefix = ["<|startoftranscript|>", "<|km|>", "<|transcribe|>", "<|notimestamps|>"]
    assert names(labeller, made.inputs[:4]) == prefix
    assert made.inputs.count(labeller.start) == 1
    assert labeller.start not in made.labels
    assert made.labels == [*made.inputs[1:], labeller.end]
    assert labeller.end not in made.inputs
    assert len(made) == 4 + len(TEXT.encode())
    assert labeller.decode(made.labels) == TEXT


def test_labels_are_the_tokenizers_own(labeller):
    # The same ids as the tokenizer's call makes, which recipes then cut and shift by hand.
    assert [*labeller.plain(TEXT).inputs, labeller.end] == labeller.tokenizer(TEXT).input_ids


def test_previous_text_is_read_and_not_learned(labeller):
    previous = labeller.encode("មុន")
    made, plain = labeller.plain(TEXT, previous), labeller.plain(TEXT)
    assert made.inputs == [labeller.previous, *previous, *plain.inputs]
    assert made.labels == [IGNORED] * (len(previous) + 1) + plain.labels


def test_timestamps_stand_around_each_phrase(labeller):
    phrases = [Phrase("មួយ", 0.033, 0.5), Phrase("ពីរ", 0.49, 1.0)]
    labels = labeller.timed(phrases).labels
    marks = [n for n in names(labeller, labels) if n.startswith("<|") and n[2].isdigit()]
    # In steps of 20 ms, and never backwards.
    assert marks == ["<|0.04|>", "<|0.50|>", "<|0.50|>", "<|1.00|>"]
    assert labeller.no_timestamps not in labels
    assert labels[-1] == labeller.end
    assert labeller.decode(labels) == labeller.decode(labeller.plain("មួយ ពីរ").labels) == "មួយ ពីរ"


def test_an_english_whisper_is_refused():
    english = WhisperTokenizer(vocab={"a": 0}, merges=[])
    with pytest.raises(UserError, match=r"no <\|.*multilingual Whisper"):
        Labeller(english)


@pytest.mark.skipif(not SHARED.exists(), reason="no real tokenizer and text beside the checkout")
def test_real_text_survives_whispers_tokenizer():
    labeller = Labeller(WhisperTokenizer.from_pretrained(SHARED / "models/whisper-tokenizer"))
    assert (labeller.end, labeller.start, labeller.language) == (50257, 50258, 50323)
    assert (labeller.task, labeller.no_timestamps) == (50359, 50363)
    assert len(labeller.languages) == 99
    assert labeller.encode(" ") == [220]  # suppressed at the beginning, as in the checkpoints
    texts = (SHARED / "data/text/ntrex_khm_1-1000.txt").read_text(encoding="utf-8").splitlines()
    for path in (SHARED / "data").rglob("metadata.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            texts += [row["transcription"] for row in csv.DictReader(file)]
    texts += [p.read_text(encoding="utf-8-sig") for p in (SHARED / "data/sevakhum").glob("*.txt")]
    assert len(texts) > 3000
    for text in texts:
        assert labeller.decode(labeller.plain(text).labels) == text.strip()
