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

from khmer_aligned.text.spans import Edit, TextWithSpans, rewrite

NORMALIZER_VERSION = "3"  # of normalize and verbalize together; published with every error rate

COENG = "\u17d2"
BASES = "\u1780-\u17b3\u25cc"
MARKS = "\u17b6-\u17d1\u17d3\u17dd"

# Neither seen nor spoken; between a base and its mark they split the cluster.
_INVISIBLE = (
    "\x00-\x08\x0e-\x1b\x7f\xad\u034f\u061c\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff"
)
_SPACES = "\\t-\\r\\x1c-\\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_EMOJI = "\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"
_INVISIBLES = re.compile(f"[{_INVISIBLE}]")
_NEWLINES = re.compile("[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")

_REPLACEMENTS = {
    "\u17a3": "អ",  # deprecated: only ever the letter QA
    "\u17a4": "អា",  # discouraged: QA + AA
    "\u17d3": "\u17c6",  # bathamasat, discouraged; in running text a mistyped nikahit
    "\u17d8": "។ល។",  # beyyal, discouraged: the spelled-out sequence
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe58\ufe63\uff0d", "-"),
    "\u2015": "—",
    **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if code != 0xFF0D},
}
_TRANSLATION = str.maketrans(_REPLACEMENTS)

_CLUSTER = f"[{BASES}](?:[{_INVISIBLE}]*(?:{COENG}(?:[{_INVISIBLE}{COENG}]*[{BASES}])?|[{MARKS}]))+"
_ITEM = re.compile(
    f"(?P<cluster>{_CLUSTER})"
    f"|(?P<space>[{_INVISIBLE}]*[{_SPACES}][{_INVISIBLE}{_SPACES}]*)"
    f"|(?P<emoji_joiner>(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}]))"
    f"|(?P<invisible>[{_INVISIBLE}]+)"
    f"|(?P<accented>[^\\W\\d_\u1780-\u17ff](?:[{_INVISIBLE}]*[\u0300-\u036f])+)"
    f"|(?P<replaced>[{''.join(map(re.escape, _REPLACEMENTS))}])"
)

# A short cut for text that is canonical already: plain characters, single spaces, and clusters in
# order. The rules below would return unchanged whatever this matches.
_VOWELS = "\u17b6-\u17c5"
_CANONICAL = re.compile(
    "(?:"
    f"(?!ទ{COENG}ប)[\u1780-\u17a2\u17a5-\u17b3](?:{COENG}(?!ដ)[\u1780-\u1799\u179b-\u17a2])?"
    f"(?:{COENG}រ)?(?:[{_VOWELS}](?![{_VOWELS}])[\u17c6-\u17c8\u17cb]?"
    "|[\u17c9\u17ca](?:[\u17bb\u17bc\u17bd\u17c1-\u17c5]|\u17b6(?!\u17c6))?[\u17c7\u17c8\u17cb]?"
    "|[\u17c6-\u17c8\u17cb\u17cd\u17cf\u17d0])?"
    f"(?![{COENG}{MARKS}{_INVISIBLE}])"
    "|[!-~។-ៗ៛០-៩“”‘’«»…\u00c0-\u00ff—](?![\u0300-\u036f])"
    f"|(?<=[^{_SPACES}])[ \n](?=[^{_SPACES}])(?![{_INVISIBLE}])"
    ")*"
)

# What stands after the base: a coeng with its letter, or one mark.
_PART = re.compile(f"{COENG}+[{BASES}]|.", re.DOTALL)
_VOWEL_ABOVE = re.compile("[\u17b7-\u17ba\u17be\u17d0\u17dd]|\u17b6\u17c6")
_MUUSIKATOAN, _TRIISAP = "\u17c9", "\u17ca"
_SHIFTERS = frozenset({_MUUSIKATOAN, _TRIISAP})
# The consonants that take muusikatoan; every other one takes triisap.
_TAKES_MUUSIKATOAN = frozenset(
    "ងញណនបមយរលវឝឞឡ"
    "\u17a3\u17a4\u17a5\u17a6\u17a7\u17a8\u17a9\u17aa\u17ab\u17ac"
    "\u17ad\u17ae\u17af\u17b0\u17b1\u17b2\u17b3\u25cc"
)

_RANK: dict[str, int] = {
    "\u17cc": 1,  # robat
    # 2: coeng, 3: coeng RO
    **dict.fromkeys("\u17c9\u17ca", 4),  # register shifters
    **dict.fromkeys("\u17be\u17bf\u17c0\u17c1\u17c2\u17c3\u17c4\u17c5", 5),  # with a left part
    **dict.fromkeys("\u17bb\u17bc\u17bd", 6),  # below
    **dict.fromkeys("\u17b7\u17b8\u17b9\u17ba", 7),  # above
    "\u17b6": 8,  # right
    **dict.fromkeys("\u17c6\u17cb\u17cd\u17ce\u17cf\u17d0\u17d1\u17dd", 9),  # signs
    **dict.fromkeys("\u17c7\u17c8", 10),  # final signs
}


def normalize(text: str) -> str:
    """Canonical form of `text`: what is canonical already is returned unchanged.

    Settles the order of code points in each cluster, doubled marks, the look-alike coeng DA (to
    coeng TA), composed vowels and register shifters, discouraged code points, invisible
    characters, kinds of space and dash, and strips white space at both ends. Line breaks stay.
    """
    if _CANONICAL.fullmatch(text):
        return text
    length = len(text)
    return _ITEM.sub(lambda match: _canonical_item(match, length), text)


def normalize_with_spans(text: str) -> TextWithSpans:
    """The canonical form with, for each of its characters, the span in `text`."""
    return rewrite(text, _edits(text))


def _edits(text: str) -> Iterator[Edit]:
    for match in _ITEM.finditer(text):
        canonical = _canonical_item(match, len(text))
        if canonical != match[0]:
            yield match.start(), match.end(), canonical


def _canonical_item(match: re.Match[str], length: int) -> str:
    """The canonical form of one match of `_ITEM` in a text of `length` characters."""
    item = match[0]
    match match.lastgroup:
        case "cluster":
            return _canonical_cluster(item)
        case "space" if match.start() == 0 or match.end() == length:
            return ""
        case "space":
            return "\n" if _NEWLINES.search(item) else " "
        case "invisible":
            return ""
        case "accented":
            visible = _INVISIBLES.sub("", item).translate(_TRANSLATION)
            return unicodedata.normalize("NFC", visible)
        case "replaced":
            return _REPLACEMENTS[item]
    return item


@lru_cache(maxsize=1 << 16)
def _canonical_cluster(cluster: str) -> str:
    """A cluster with its parts in canonical order and its look-alikes replaced."""
    cluster = _INVISIBLES.sub("", cluster).translate(_TRANSLATION)
    base, rest = cluster[0], cluster[1:]
    parts: dict[str, None] = {}  # an ordered set: a doubled mark or coeng is one
    for part in _PART.findall(rest):
        if part[0] == COENG:
            if len(part) == 1:
                continue  # a coeng without a letter
            part = COENG + ("ត" if part[-1] == "ដ" else part[-1])
        if part in _SHIFTERS and not _SHIFTERS.isdisjoint(parts):
            continue  # a cluster is shifted once
        parts[part] = None
    if base == "ទ" and COENG + "ប" in parts:  # ឡ typed as its look-alike
        base = "ឡ"
        del parts[COENG + "ប"]
    marks = "".join(sorted(parts, key=_rank))
    marks = re.sub("\u17c1([\u17bb-\u17bd]?)\u17b8", "\u17be\\1", marks)  # េ + ី is ើ
    marks = re.sub("\u17c1([\u17bb-\u17bd]?)\u17b6", "\u17c4\\1", marks)  # េ + ា is ោ
    return base + _settle_shifter(base, marks)


def _rank(part: str) -> int:
    if part[0] == COENG:
        return 3 if part[1] == "រ" else 2
    return _RANK[part]


def _settle_shifter(base: str, marks: str) -> str:
    """Write the register shifter that is meant: under a vowel above, both look like ុ."""
    if not _VOWEL_ABOVE.search(marks):
        return marks
    consonants = {base, *re.findall(f"{COENG}(.)", marks)}
    if "ប" in consonants:  # takes either: a typed shifter stays, and ុ stands for the usual one,
        shifter = _MUUSIKATOAN if "\u17d0" in marks else _TRIISAP  # នំប៉័ង, but ប៊ី ប៊ើ ប៊ិ
    else:
        shifter = _MUUSIKATOAN if consonants <= _TAKES_MUUSIKATOAN else _TRIISAP
        marks = re.sub(f"[{_MUUSIKATOAN}{_TRIISAP}]", shifter, marks)
    if "\u17bb" in marks:
        marks = marks.replace("\u17bb", "")
        if _MUUSIKATOAN not in marks and _TRIISAP not in marks:
            marks = "".join(sorted(_PART.findall(marks + shifter), key=_rank))
    return marks
