"""The form in which two texts are compared: only what can be heard decides an error rate."""

from __future__ import annotations

import unicodedata

from khmer_aligned.text.verbalize import verbalize


def scoring_form(text: str) -> str:
    """`text` canonical and verbalized, in lower case, without spaces, punctuation and symbols.

    Letters, combining marks and numerals stay: all of them are spoken.
    """
    spoken = verbalize(text).lower()
    return "".join(char for char in spoken if unicodedata.category(char)[0] in "LMN")
