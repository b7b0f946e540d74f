"""Canonical Khmer: one sequence of code points for one visible text.

The order inside a cluster follows SIL's Khmer Character Specification (base, robat, coeng with
coeng RO last, register shifter, vowel, signs); what is discouraged or deprecated follows the
Unicode code chart of the Khmer block. NFC is never run over Khmer: it detaches a coeng after
U+17DD.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from khmer_aligned.text.spans import Edit, Traced, rewrite

NORMALIZER_VERSION = "1"  # of normalize and verbalize together; published with every error rate

COENG = "\u17d2"
BASES = "\u1780-\u17b3\u25cc"
MARKS = "\u17b6-\u17d1\u17d3\u17dd"

# Unseen and unsaid; between a base and its mark they split the cluster.
_UNSEEN = (
    "\x00-\x08\x0e-\x1b\x7f\xad\u034f\u061c\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff"
)
_SPACES = "\\t-\\r\\x1c-\\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_NEWLINES = re.compile("[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_PICTURES = "\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"

_REPLACED = {
    "\u17a3": "អ",  # deprecated: only ever the letter QA
    "\u17a4": "អា",  # discouraged: QA + AA
    "\u17d3": "\u17c6",  # bathamasat, discouraged; in running text a mistyped nikahit
    "\u17d8": "។ល។",  # beyyal, discouraged: the spelled-out sequence
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe58\ufe63\uff0d", "-"),
    "\u2015": "—",
    **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if code != 0xFF0D},
}
_TRANSLATE = str.maketrans(_REPLACED)

_CLUSTER = f"[{BASES}](?:[{_UNSEEN}]*(?:{COENG}(?:[{_UNSEEN}{COENG}]*[{BASES}])?|[{MARKS}]))+"
_ITEM = re.compile(
    f"(?P<cluster>{_CLUSTER})"
    f"|(?P<space>[{_UNSEEN}]*[{_SPACES}][{_UNSEEN}{_SPACES}]*)"
    f"|(?P<picture>(?<=[{_PICTURES}])\u200d(?=[{_PICTURES}]))"
    f"|(?P<unseen>[{_UNSEEN}]+)"
    f"|(?P<accent>[^\\W\\d_\u1780-\u17ff](?:[{_UNSEEN}]*[\u0300-\u036f])+)"
    f"|(?P<other>[{''.join(map(re.escape, _REPLACED))}])"
)

# What needs no look: plain characters, single spaces, and clusters already in order. Only a
# short cut; whatever it lets pass, the rules below would return unchanged.
_VOWELS = "\u17b6-\u17c5"
_ORDERED = re.compile(
    "(?:"
    f"(?!ទ{COENG}ប)[\u1780-\u17a2\u17a5-\u17b3](?:{COENG}(?!ដ)[\u1780-\u1799\u179b-\u17a2])?"
    f"(?:{COENG}រ)?(?:[{_VOWELS}](?![{_VOWELS}])[\u17c6-\u17c8\u17cb]?"
    "|[\u17c9\u17ca](?:[\u17bb\u17bc\u17bd\u17c1-\u17c5]|\u17b6(?!\u17c6))?[\u17c7\u17c8\u17cb]?"
    "|[\u17c6-\u17c8\u17cb\u17cd\u17cf\u17d0])?"
    f"(?![{COENG}{MARKS}{_UNSEEN}])"
    "|[!-~។-ៗ៛០-៩“”‘’«»…\u00c0-\u00ff—](?![\u0300-\u036f])"
    f"|(?<=[^{_SPACES}])[ \n](?=[^{_SPACES}])(?![{_UNSEEN}])"
    ")*"
)


def normalize(text: str) -> str:
    """Canonical form of `text`: what is canonical already is returned unchanged.

    Settles the order of code points in each cluster, doubled marks, the look-alike coeng DA (to
    coeng TA), composed vowels and register shifters, discouraged code points, invisible
    characters, kinds of space and dash, and strips white space at both ends. Line breaks stay.
    """
    if _ORDERED.fullmatch(text):
        return text
    length = len(text)
    return _ITEM.sub(lambda match: _settled(match, length), text)


def normalize_traced(text: str) -> Traced:
    """The canonical form with, for each character, its span in `text`."""
    return rewrite(text, _edits(text))


def _edits(text: str) -> Iterator[Edit]:
    for match in _ITEM.finditer(text):
        settled = _settled(match, len(text))
        if settled != match[0]:
            yield match.start(), match.end(), settled


def _settled(match: re.Match[str], length: int) -> str:
    kind = match.lastgroup
    found = match[0]
    if kind == "cluster":
        return _ordered(found)
    if kind == "space":
        if match.start() == 0 or match.end() == length:
            return ""
        return "\n" if _NEWLINES.search(found) else " "
    if kind == "unseen":
        return ""
    if kind == "accent":
        return unicodedata.normalize("NFC", _SEEN.sub("", found).translate(_TRANSLATE))
    if kind == "other":
        return _REPLACED[found]
    return found


_SEEN = re.compile(f"[{_UNSEEN}]")
_UNIT = re.compile(f"{COENG}+[{BASES}]|.", re.DOTALL)
_ABOVE = re.compile("[\u17b7-\u17ba\u17be\u17d0\u17dd]|\u17b6\u17c6")
# Consonants that the first-series shifter (muusikatoan) turns; every other one takes triisap.
_WEAK = frozenset(
    "ងញណនបមយរលវឝឞឡ"
    "\u17a3\u17a4\u17a5\u17a6\u17a7\u17a8\u17a9\u17aa\u17ab\u17ac"
    "\u17ad\u17ae\u17af\u17b0\u17b1\u17b2\u17b3\u25cc"
)
_MUUSIKATOAN, _TRIISAP = "\u17c9", "\u17ca"
_SHIFTERS = frozenset({_MUUSIKATOAN, _TRIISAP})

_RANK: dict[str, int] = {
    "\u17cc": 1,  # robat
    # 2: coeng, 3: coeng RO
    **dict.fromkeys("\u17c9\u17ca", 4),  # register shifters
    **dict.fromkeys(
        "\u17be\u17bf\u17c0\u17c1\u17c2\u17c3\u17c4\u17c5", 5
    ),  # vowels with a left part
    **dict.fromkeys("\u17bb\u17bc\u17bd", 6),  # below
    **dict.fromkeys("\u17b7\u17b8\u17b9\u17ba", 7),  # above
    "\u17b6": 8,  # right
    **dict.fromkeys("\u17c6\u17cb\u17cd\u17ce\u17cf\u17d0\u17d1\u17dd", 9),  # signs
    **dict.fromkeys("\u17c7\u17c8", 10),  # final signs
}


def _rank(unit: str) -> int:
    if unit[0] == COENG:
        return 3 if unit[1] == "រ" else 2
    return _RANK[unit]


@lru_cache(maxsize=1 << 16)
def _ordered(cluster: str) -> str:
    """One cluster in canonical order."""
    cluster = _SEEN.sub("", cluster).translate(_TRANSLATE)
    base, rest = cluster[0], cluster[1:]
    units: dict[str, None] = {}  # an ordered set: a doubled mark or coeng is one
    for unit in _UNIT.findall(rest):
        if unit[0] == COENG:
            if len(unit) == 1:
                continue  # nothing stands under it
            unit = COENG + ("ត" if unit[-1] == "ដ" else unit[-1])
        if unit in _SHIFTERS and not _SHIFTERS.isdisjoint(units):
            continue  # a cluster is shifted once
        units[unit] = None
    if base == "ទ" and COENG + "ប" in units:  # ឡ typed as its look-alike
        base = "ឡ"
        del units[COENG + "ប"]
    marks = "".join(sorted(units, key=_rank))
    marks = re.sub("\u17c1([\u17bb-\u17bd]?)\u17b8", "\u17be\\1", marks)  # េ + ី is ើ
    marks = re.sub("\u17c1([\u17bb-\u17bd]?)\u17b6", "\u17c4\\1", marks)  # េ + ា is ោ
    return base + _shifted(base, marks)


def _shifted(base: str, marks: str) -> str:
    """Below a vowel that stands above, both register shifters look like ុ: write the one meant."""
    if not _ABOVE.search(marks):
        return marks
    consonants = {base, *re.findall(f"{COENG}(.)", marks)}
    if "ប" in consonants:  # takes either, and a typed one stays; of ុ the usual one is meant:
        meant = _MUUSIKATOAN if "\u17d0" in marks else _TRIISAP  # នំប៉័ង, but ប៊ី ប៊ើ ប៊ិ
    else:
        meant = _MUUSIKATOAN if consonants <= _WEAK else _TRIISAP
        marks = re.sub(f"[{_MUUSIKATOAN}{_TRIISAP}]", meant, marks)
    if "\u17bb" in marks:
        marks = marks.replace("\u17bb", "")
        if _MUUSIKATOAN not in marks and _TRIISAP not in marks:
            marks = "".join(sorted(_UNIT.findall(marks + meant), key=_rank))
    return marks
