"""Khmer to test on: hypothesis strategies, and the sentences beside the checkout."""

from hypothesis import strategies as st

from ..conftest import SHARED

NEWS = SHARED / "data" / "text" / "ntrex_khm_1-1000.txt"

_BASES = "កខគងចញដតទនបពមយរលវសហឡអឣឤឥឯឱឲ"
_MARKS = "ាិីឹឺុូួើឿៀេែៃោៅំះៈ៉៊់៌៍៎៏័\u17d1\u17d3\u17dd\u17b4"
_INVISIBLE = "\u200b\u200c\u200d\ufeff\u00ad"
_SIGNS = "។៕៖ៗ៘៛$€%&+-–—=×/.,:;!?()«»\"'  \u00a0\n\r°²½"
_DIGITS = "0123456789០១២៣៤៥៦៧៨៩"

clusters = st.builds(
    lambda base, coengs, marks, invisible: base + coengs + marks + invisible,
    st.sampled_from(_BASES),
    st.lists(st.sampled_from(["្" + base for base in "តដរមនបសយ"]), max_size=2).map("".join),
    st.text(_MARKS + _INVISIBLE, max_size=3),
    st.sampled_from(["", "", "", "\u200b"]),
)
numbers = st.from_regex(
    r"[$-]?[0-9០-៩]{1,4}([.,:/-][0-9០-៩]{1,3}){0,2}( ?(kg|%|៛|លាន))?", fullmatch=True
)
spoken_like = st.lists(
    st.one_of(
        clusters,
        clusters,
        numbers,
        st.sampled_from(
            ["ខ្មែរ", "ក្មេងៗ", "គ.ស.", "។ល។", "លោក ហ៊ុន សែន ", "COVID-19", "don't", "😀", "ម៉ោង"]
        ),
        st.text(_SIGNS, min_size=1, max_size=2),
    ),
    max_size=14,
).map("".join)
anything = st.text(
    _BASES + _MARKS + "្្" + _INVISIBLE + _SIGNS + _DIGITS + "aZé\u0301😀ทก่", max_size=24
)
khmer_texts = st.one_of(spoken_like, anything)


def news() -> list[str]:
    return NEWS.read_text(encoding="utf-8").splitlines()
