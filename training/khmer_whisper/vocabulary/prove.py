"""The proof that new entries have changed nothing but Khmer, made before anything is written."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass

from tokenizers import Tokenizer

from khmer_aligned.errors import UserError
from khmer_whisper.vocabulary.graft import Grafted
from khmer_whisper.vocabulary.learn import CHARACTERS, symbols

# Most are of article 1 of the Universal Declaration of Human Rights.
SAMPLES = {
    "LATIN": "All human beings are born free and equal in dignity and rights. Tous les êtres "
    "humains naissent libres et égaux. Tất cả mọi người sinh ra đều được tự do và bình đẳng.",
    "DIGITS": "1948-12-10, 3.14 × 100 % = 314 %! (No. 7) \"a\" 'b' [c] {d} <e> #f @g $h ~ ♪ …\n\n",
    "GREEK": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "CYRILLIC": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "ARMENIAN": "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։",
    "GEORGIAN": "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.",
    "HEBREW": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "ARABIC": "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق.",
    "DEVANAGARI": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।",
    "TAMIL": "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.",
    "THAI": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "LAO": "ມະນຸດເກີດມາມີສິດເສລີພາບ ແລະ ສະເໝີໜ້າກັນໃນທາງກຽດຕິສັກ ແລະ ທາງສິດ",
    "MYANMAR": "လူတိုင်းသည် တူညီ လွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် မွေးဖွားလာသူများ ဖြစ်သည်။",
    "CJK": "人人生而自由,在尊严和权利上一律平等。",
    "HIRAGANA": "すべての人間は、生れながらにして自由であり、尊厳と権利とについて平等である。",
    "KATAKANA": "インターネット、コンピューター、カンボジア",
    "HANGUL": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
}
KHMER = "មនុស្សទាំងអស់ កើតមកមានសេរីភាព និងសមភាព ។ ១៩៤៨ «ៗ» abcខ្មែរ123"
_KHMER_BYTES = re.compile("|".join(sorted({symbols(c)[:2] for c in CHARACTERS})))


@dataclass(frozen=True, slots=True)
class Proof:
    """What holds of a tokenizer before and after, in numbers."""

    same_ids: int  # entries, special and timestamp tokens that kept their id
    unchanged: list[str]  # scripts whose sample has the same ids
    changed: dict[str, tuple[int, int]]  # ids of the other samples, before and after


def prove(before: Tokenizer, grafted: Grafted) -> Proof:
    """Show that only Khmer and the overwritten entries are written in another way.

    By rule: every entry that was not overwritten has its id, the special and timestamp tokens
    among them, and the merges are the old ones in their order behind new ones, which all hold the
    first bytes of a Khmer character. By example: the ids of SAMPLES, and text that comes back from
    its ids. Raises UserError where that does not hold.
    """
    after = grafted.tokenizer
    gone = {old.entry for old in grafted.overwritten}
    old, new = before.get_vocab(), after.get_vocab()
    same = {entry for entry, i in old.items() if new.get(entry) == i}
    _hold(set(old) - same == gone, "an entry that was not overwritten has another id")
    _hold(len(old) == len(new), "the vocabulary has another size")
    _hold(_added(before) == _added(after), "a special token has changed")
    khmer = [merge for merge in _merges(after) if _KHMER_BYTES.search("".join(merge))]
    kept = [
        merge
        for merge in _merges(before)
        if "".join(merge) not in gone and not _KHMER_BYTES.search("".join(merge))
    ]
    _hold(_merges(after) == khmer + kept, "a merge of other text has moved")
    unchanged, changed = [], {}
    for name, text in SAMPLES.items():
        first, second = _ids(before, text), _ids(after, text)
        _hold(after.decode(second) == text, f"the sample {name} does not come back from its ids")
        if first == second:
            unchanged.append(name)
        else:
            _hold(bool(_scripts(text) & set(grafted.scripts)), f"the sample {name} has other ids")
            changed[name] = len(first), len(second)
    _hold(after.decode(_ids(after, KHMER)) == KHMER, "Khmer does not come back from its ids")
    return Proof(len(same), unchanged, changed)


def _merges(tokenizer: Tokenizer) -> list[list[str]]:
    return [list(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]


def _added(tokenizer: Tokenizer) -> dict[int, str]:
    return {i: token.content for i, token in tokenizer.get_added_tokens_decoder().items()}


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def _scripts(text: str) -> set[str]:
    return {unicodedata.name(letter, "").partition(" ")[0] for letter in text}


def _hold(holds: bool, otherwise: str) -> None:
    if not holds:
        raise UserError(f"the vocabulary cannot be extended: {otherwise}")
