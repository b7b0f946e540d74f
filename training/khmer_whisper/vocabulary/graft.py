"""New entries over ids in place: which ids, and the tokenizer.json that has them.

An id behind the timestamps would be read as a timestamp by transformers, and whisper.cpp tells a
multilingual Whisper by the number of its ids. So the vocabulary keeps its size, and the new
entries take the ids of old ones, of scripts that a Khmer Whisper does not write.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from khmer_aligned.errors import UserError
from khmer_whisper.vocabulary.learn import Merge, pre_tokenizer, written

# The scripts whose entries may be overwritten, in the order in which they are used up, with the
# languages that need them. So one script is lost and not a part of each. What Cambodia's
# neighbours write comes last or, like Latin and Thai, not at all.
SCRIPTS = {
    "CYRILLIC": "be bg ba kk mk mn ru sr tg tt uk",
    "HANGUL": "ko",
    "HEBREW": "he iw yi",
    "GREEK": "el",
    "ARABIC": "ar fa ps sd ur",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "ja yue zh",
}


@dataclass(frozen=True, slots=True)
class Overwritten:
    """An entry that gives up its id."""

    entry: str
    id: int
    script: str  # a key of SCRIPTS


@dataclass(frozen=True, slots=True)
class Grafted:
    """A tokenizer with new entries: `ids` of each of them, and what had these ids before."""

    tokenizer: Tokenizer
    ids: dict[str, int]
    overwritten: list[Overwritten]

    @property
    def scripts(self) -> list[str]:
        """The scripts that entries were taken from, in the order of SCRIPTS."""
        return list(dict.fromkeys(old.script for old in self.overwritten))


def graft(tokenizer: Tokenizer, merges: Sequence[Merge], keep: Collection[str]) -> Grafted:
    """`tokenizer`, a byte-level BPE, with `merges` in front and an entry for each one's result.

    A merge's result that is an entry already stays that entry. `keep` are codes of languages
    whose script is not touched. Raises UserError where too few entries may be overwritten.
    """
    table = json.loads(tokenizer.to_str())
    vocabulary: dict[str, int] = table["model"]["vocab"]
    before: list[Merge] = [(left, right) for left, right in table["model"]["merges"]]
    new = [left + right for left, right in merges if left + right not in vocabulary]
    overwritten = choose_overwritten(vocabulary, before, len(new), keep)
    if len(overwritten) < len(new):
        raise UserError(
            f"the vocabulary has {len(overwritten)} entries that may be overwritten, not "
            f"{len(new)}: give fewer --tokens, or keep fewer languages"
        )
    ids = {entry: old.id for entry, old in zip(new, overwritten, strict=True)}
    gone = {old.entry for old in overwritten}
    kept = {entry: i for entry, i in vocabulary.items() if entry not in gone}
    moved = set(merges)
    table["model"]["vocab"] = dict(sorted((kept | ids).items(), key=lambda item: item[1]))
    table["model"]["merges"] = [
        *map(list, merges),
        *([a, b] for a, b in before if a + b not in gone and (a, b) not in moved),
    ]
    grafted = Tokenizer.from_str(json.dumps(table))
    grafted.pre_tokenizer = pre_tokenizer()
    return Grafted(grafted, ids, overwritten)


def choose_overwritten(
    vocabulary: dict[str, int], merges: Sequence[Merge], count: int, keep: Collection[str]
) -> list[Overwritten]:
    """At most `count` entries that may lose their ids, the first script's rarest first.

    Such an entry holds letters of one of SCRIPTS and spaces, and no other merge is made of it.
    Without it, text that had it is written with smaller entries, and all other text as before:
    once merged, such an entry stays to the end.
    """
    results = Counter(left + right for left, right in merges)
    parts = Counter(part for merge in merges for part in merge)
    chosen: list[Overwritten] = []
    for script in _given_up(keep):
        for left, right in reversed(merges):  # a frequent entry is merged before a rare one
            if len(chosen) == count:
                return chosen
            entry = left + right
            if entry not in vocabulary or results[entry] != 1 or parts[entry]:
                continue
            if script_of(entry) == script:
                chosen.append(Overwritten(entry, vocabulary[entry], script))
                parts.subtract((left, right))
    return chosen


def script_of(entry: str) -> str | None:
    """The script of SCRIPTS in which an entry is written; None where there is anything else."""
    text = written(entry)
    if text is None:
        return None
    letters = text.replace(" ", "")
    scripts = {
        unicodedata.name(letter, "").partition(" ")[0] if letter.isalpha() else ""
        for letter in letters
    }
    script = scripts.pop() if len(scripts) == 1 else ""
    return script if script in SCRIPTS else None


def _given_up(keep: Collection[str]) -> list[str]:
    return [
        script for script, languages in SCRIPTS.items() if not set(keep) & set(languages.split())
    ]
