"""Which ids are overwritten, and that all other text stays as it was."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import WhisperTokenizer

from khmer_aligned.errors import UserError
from khmer_whisper.vocabulary.graft import Grafted, choose_overwritten, graft, script_of
from khmer_whisper.vocabulary.learn import character_merges, learn_merges, symbols, written
from khmer_whisper.vocabulary.prove import SAMPLES, prove

from ...conftest import SHARED
from .small import CYRILLIC, SENTENCES, small_tokenizer

BEFORE: Tokenizer = small_tokenizer().backend_tokenizer
MERGES = [*character_merges(), *learn_merges(SENTENCES, 20)]
GRAFTED = graft(BEFORE, MERGES, keep=())
KHMER = st.text(st.sampled_from([*map(chr, range(0x1780, 0x1800)), " ", " ", "a", "1", "«"]))


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


@given(st.text())
def test_text_without_overwritten_entries_keeps_its_ids(text):
    ids = encode(BEFORE, text)
    khmer = any("\u1780" <= letter <= "\u17ff" for letter in text)
    if not khmer and not {old.id for old in GRAFTED.overwritten} & set(ids):
        assert encode(GRAFTED.tokenizer, text) == ids


@given(st.one_of(KHMER, st.text(), st.text(CYRILLIC + " ក្")))
def test_every_text_comes_back_from_its_ids(text):
    ids = encode(GRAFTED.tokenizer, text)
    if "<|" not in text:
        assert GRAFTED.tokenizer.decode(ids, skip_special_tokens=False) == text


@given(
    st.lists(st.sampled_from([written(left + right) for left, right in MERGES[2:]])).map("".join)
)
def test_khmer_takes_no_more_ids_than_characters(text):
    assert len(encode(GRAFTED.tokenizer, text)) <= len(text)


def test_the_rarest_of_the_script_are_overwritten_and_no_part_of_another():
    overwritten = [old.entry for old in GRAFTED.overwritten]
    assert len(overwritten) == len(GRAFTED.ids) == len(MERGES)
    assert {old.script for old in GRAFTED.overwritten} == {"CYRILLIC"}
    merges = json.loads(GRAFTED.tokenizer.to_str())["model"]["merges"]
    assert not {part for merge in merges for part in merge} & set(overwritten)
    pairs = [symbols(a + b) for a in CYRILLIC for b in CYRILLIC]
    assert overwritten == pairs[: -len(overwritten) - 1 : -1]


def test_letters_are_overwritten_after_all_that_is_made_of_them():
    table = json.loads(BEFORE.to_str())["model"]
    merges = [tuple(merge) for merge in table["merges"]]
    chosen = choose_overwritten(table["vocab"], merges, 10_000, keep=())
    assert len(chosen) == len(merges)
    assert [written(old.entry) for old in chosen[-2:]] == ["б", "а"]
    assert choose_overwritten(table["vocab"], merges, 10_000, keep=("ru",)) == []


def test_only_whole_words_of_one_script_are_overwritten():
    assert script_of(symbols(" где")) == "CYRILLIC"
    assert script_of(symbols("한국")) == "HANGUL"
    for text in ("a", " the", "ขอ", "где1", "где.", "где a", "ខ", " ", "é", "今日は", "12"):
        assert script_of(symbols(text)) is None
    assert script_of(symbols("где")[:3]) is None  # a part of a letter


def test_too_little_to_overwrite_is_said():
    with pytest.raises(UserError, match=r"has 0 entries that may be overwritten, not 136"):
        graft(BEFORE, MERGES, keep=("uk",))


def test_a_tokenizer_that_changes_other_text_is_refused():
    prove(BEFORE, GRAFTED)
    table = json.loads(GRAFTED.tokenizer.to_str())
    merges = table["model"]["merges"]
    a, b = merges[-1], merges[-2]
    merges[-2:] = [a, b]
    with pytest.raises(UserError, match="a merge of other text has moved"):
        prove(BEFORE, _with_table(table))
    table = json.loads(GRAFTED.tokenizer.to_str())
    vocabulary = table["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
    with pytest.raises(UserError, match="not overwritten has another id"):
        prove(BEFORE, _with_table(table))


def _with_table(table: dict) -> Grafted:
    return replace(GRAFTED, tokenizer=Tokenizer.from_str(json.dumps(table)))


@pytest.fixture(scope="module")
def lines() -> list[str]:
    if not SHARED.exists():
        pytest.skip("no real text beside the checkout")
    path = SHARED / "data/text/ntrex_khm_1-1000.txt"
    return path.read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def whispers(lines) -> Tokenizer:
    folder = SHARED / "models/whisper-tokenizer"
    return WhisperTokenizer.from_pretrained(folder).backend_tokenizer


@pytest.fixture(scope="module")
def extended(whispers, lines) -> Grafted:
    """Whisper's own tokenizer with 1,000 entries or so."""
    return graft(whispers, [*character_merges(), *learn_merges(lines[:700], 884)], keep=())


def test_whispers_special_ids_and_other_scripts_are_the_same(whispers, extended):
    proof = prove(whispers, extended)
    assert len(proof.unchanged) >= 15
    assert set(SAMPLES) - set(proof.unchanged) <= {"CYRILLIC"}
    assert proof.same_ids == 51_865 - len(extended.ids)
    for i, token in whispers.get_added_tokens_decoder().items():
        assert extended.tokenizer.token_to_id(token.content) == i
    assert extended.scripts == ["CYRILLIC"]


def test_lines_not_learned_from_take_a_quarter_of_whispers_labels(whispers, extended, lines):
    held_out = lines[700:]
    characters = sum(map(len, held_out))
    stock, ours = (
        sum(len(encode(tokenizer, line)) for line in held_out) / characters
        for tokenizer in (whispers, extended.tokenizer)
    )
    assert stock > 1.9
    assert ours < 0.5


def test_every_real_line_comes_back(extended, lines):
    for line in lines:
        assert extended.tokenizer.decode(encode(extended.tokenizer, line)) == line
