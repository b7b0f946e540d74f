"""Compare our cardinals with ICU's spell-out for Khmer: a development script, not a test.

    uv run python tests/text/icu_cardinals.py [how many]

ICU is taken from the system (libicui18n) by ctypes and is no dependency. Numbers are drawn evenly
over the digits they have, below 10^9, where ICU and we name the powers alike.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import random
import re
import sys

from khmer_aligned.text.numbers import read_cardinal

UNUM_SPELLOUT = 5


def spell_out():
    """A function from int to the words ICU spells it in."""
    name = ctypes.util.find_library("icui18n")
    if name is None:
        sys.exit("libicui18n is not on this machine: install ICU to compare with it")
    icu = ctypes.CDLL(name)
    version = re.search(r"\d+$", name)
    suffix = f"_{version[0]}" if version else ""
    open_format = getattr(icu, f"unum_open{suffix}")
    open_format.restype = ctypes.c_void_p
    error = ctypes.c_int(0)
    formatter = open_format(UNUM_SPELLOUT, None, 0, b"km", None, ctypes.byref(error))
    if error.value > 0:
        sys.exit(f"ICU has no Khmer spell-out: error {error.value}")
    format_number = getattr(icu, f"unum_formatInt64{suffix}")
    buffer = (ctypes.c_uint16 * 500)()

    def words(number: int) -> tuple[str, ...]:
        failed = ctypes.c_int(0)
        length = format_number(
            ctypes.c_void_p(formatter),
            ctypes.c_int64(number),
            buffer,
            len(buffer),
            None,
            ctypes.byref(failed),
        )
        return tuple(bytes(buffer)[: 2 * length].decode("utf-16-le").split("\u200b"))

    return words, name


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000
    words, library = spell_out()
    draw = random.Random(0)
    numbers = {draw.randrange(10 ** draw.randint(1, 9)) for _ in range(4 * count)}
    chosen = draw.sample(sorted(numbers), count)
    wrong = [n for n in chosen if read_cardinal(n) != words(n)]
    for number in wrong[:20]:
        print(number, "ours:", *read_cardinal(number), "| ICU:", *words(number))
    print(f"{library}: {count - len(wrong)} of {count} cardinals below 10^9 alike, word by word")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
