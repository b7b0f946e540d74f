"""A Whisper that writes Khmer in a fifth of the labels: a model folder with a longer alphabet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from khmer_aligned.errors import UserError
from khmer_aligned.text import normalize
from khmer_whisper import model as models
from khmer_whisper.examples import data
from khmer_whisper.labels import Labeller
from khmer_whisper.model import Whisper
from khmer_whisper.vocabulary.graft import Grafted, graft
from khmer_whisper.vocabulary.learn import character_merges, learn_merges
from khmer_whisper.vocabulary.prove import Proof, prove
from khmer_whisper.vocabulary.rows import Beginning, begin_rows, khmer_ids, pieces

TOKENS = 2_000


@dataclass(frozen=True, slots=True)
class Extended:
    """What was written into `folder`."""

    folder: Path
    tokens: int  # new entries of the vocabulary
    scripts: list[str]  # whose entries were overwritten
    proof: Proof
    before: float  # tokens a character of the text that was learned from
    after: float

    def __str__(self) -> str:
        lines = [
            f"{self.tokens} tokens of Khmer in place of {_titles(self.scripts)}",
            f"{self.after:.2f} tokens a character of this text, {self.before:.2f} before",
            f"{self.proof.same_ids} tokens have their ids, all special ones among them",
            f"unchanged: {_titles(self.proof.unchanged)}",
        ]
        for script, (before, after) in self.proof.changed.items():
            lines.append(
                f"changed: {script.title()}, {before} tokens of a sample before, {after} after"
            )
        return "\n".join(lines)


def extend(
    name: str,
    out: Path,
    files: Sequence[Path] = (),
    dataset: str | None = None,
    tokens: int = TOKENS,
    keep: Sequence[str] = (),
) -> Extended:
    """Write the Whisper `name`, with `tokens` Khmer entries in its vocabulary, into `out`.

    They are learned from the lines of text `files` and the train split of `dataset`, and take the
    ids of entries of other scripts than those of the languages `keep`. The new folder is a model
    that has to be trained before it is of use. Raises UserError, and leaves nothing, where that
    cannot be done or changes anything but Khmer.
    """
    if out.exists():
        raise UserError(f"{out}: exists already; extend into a new folder")
    whisper = models.load(name)
    texts = list(_texts(files, dataset))
    before = whisper.tokenizer.backend_tokenizer
    grafted = new_tokenizer(whisper, texts, tokens, keep)
    proof = prove(before, grafted)
    extended = with_entries(whisper, grafted)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        folder = Path(scratch) / "model"
        extended.save(folder)
        loaded = models.load(str(folder)).tokenizer.backend_tokenizer
        prove(before, replace(grafted, tokenizer=loaded))  # as everything else will find it
        folder.rename(out)
    return Extended(
        out,
        tokens,
        grafted.scripts,
        proof,
        tokens_per_character(before, texts),
        tokens_per_character(grafted.tokenizer, texts),
    )


def new_tokenizer(
    whisper: Whisper, texts: Sequence[str], tokens: int, keep: Sequence[str] = ()
) -> Grafted:
    """The tokenizer of `whisper` with `tokens` entries learned from canonical `texts`.

    Each Khmer character becomes one entry; the rest are what the texts repeat most. Raises
    UserError where there is too little text, or too little to overwrite.
    """
    if khmer_ids(whisper.tokenizer):
        raise UserError(
            f"{whisper.source.path}: has Khmer entries already; extend the model that it was "
            "made from"
        )
    for language in keep:
        if f"<|{language}|>" not in whisper.labeller.languages:
            raise UserError(f"{language}: no language of this Whisper; give codes such as ru, ko")
    tokenizer: Tokenizer = whisper.tokenizer.backend_tokenizer
    vocabulary = tokenizer.get_vocab()
    characters = character_merges()
    fixed = sum(left + right not in vocabulary for left, right in characters)
    if tokens < fixed:
        raise UserError(f"--tokens {tokens}: the Khmer characters alone are {fixed}; give more")
    learned = learn_merges(texts, tokens - fixed)
    if fixed + len(learned) < tokens:
        raise UserError(
            f"the text has enough Khmer for {fixed + len(learned)} tokens, not for {tokens}: give "
            "more text, or fewer --tokens"
        )
    return graft(tokenizer, [*characters, *learned], keep)


def with_entries(whisper: Whisper, grafted: Grafted, beginning: Beginning = "mean") -> Whisper:
    """`whisper` with the tokenizer and beginnings of rows for its new entries.

    Changes the model and the tokenizer that are given. The model's configuration names the base
    and says what has changed: `khmer_vocabulary`, which stays with it through a training.
    """
    before: Tokenizer = whisper.tokenizer.backend_tokenizer
    parts = [pieces(before, entry) for entry in grafted.ids]
    ids = torch.tensor(list(grafted.ids.values()))
    model = whisper.model
    tables = {model.get_input_embeddings().weight, model.get_output_embeddings().weight}
    with torch.no_grad():
        for table in tables:  # one, unless somebody has untied them
            table[ids] = begin_rows(table, parts, beginning).to(table)
    description = {
        "base": whisper.source.pinned,
        "tokens": len(grafted.ids),
        "overwritten": grafted.scripts,
    }
    model.config.update(
        {"khmer_vocabulary": description, "clip_seconds": None, "tuned_languages": None}
    )
    whisper.tokenizer._tokenizer = grafted.tokenizer  # transformers has no public way to set it
    return replace(whisper, labeller=Labeller(whisper.tokenizer), clip_seconds=None, languages=())


def tokens_per_character(tokenizer: Tokenizer, texts: Sequence[str]) -> float:
    """How many ids of `tokenizer` a character of `texts` takes."""
    ids = sum(len(e.ids) for e in tokenizer.encode_batch(list(texts), add_special_tokens=False))
    return ids / max(1, sum(map(len, texts)))


def _texts(files: Sequence[Path], dataset: str | None) -> Iterator[str]:
    """Canonical lines of the files, and the texts of the dataset's train split, as they are."""
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{file}: cannot be read as UTF-8 text: {error}") from error
        yield from map(normalize, lines)
    if dataset:
        splits = data.load(dataset)
        if splits.get("train") is None:
            raise UserError(f"{dataset}: has no train split to learn from")
        for part in splits.columns("train", ["text"]):
            yield from (text for text in part["text"] if text)


def _titles(scripts: Sequence[str]) -> str:
    return ", ".join(script.title() for script in scripts)
