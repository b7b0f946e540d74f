"""Which clips and rejections a page plays."""

from khmer_aligned.report.choose import MAX_SECONDS, choose
from khmer_aligned.report.items import Item


def clip(number: int, seconds: float = 10.0) -> Item:
    score = number / 1000
    return Item(f"a-{number:05d}", "clip", "a", "a", "ក", 0.0, seconds, score=score)


def rejection(number: int, reason: str, seconds: float = 1.0) -> Item:
    return Item(f"{reason}@{number}", "rejection", "a", "a", "", 0.0, seconds, reason=reason)


def test_the_worst_the_middle_and_some_of_each_reason_are_chosen():
    items = [clip(i) for i in range(1000)]
    items += [rejection(i, reason, seconds=i) for reason in ("noise", "silence") for i in range(50)]
    chosen = choose(items, budget=1800)
    by_rule = {}
    for example in chosen:
        by_rule.setdefault(example.rule, []).append(example.item)
    assert [item.score for item in by_rule["worst"]] == [i / 1000 for i in range(40)]
    assert all(0.48 < item.score < 0.52 for item in by_rule["median"])
    assert min(len(by_rule["noise"]), len(by_rule["silence"])) >= 6
    assert max(item.seconds for item in by_rule["noise"]) == 49
    assert len({example.item.key for example in chosen}) == len(chosen)
    assert choose(items, budget=1800) == chosen  # the same page each time


def test_audio_stays_within_the_budget_and_no_rule_is_left_out():
    items = [clip(i, 28.0) for i in range(500)] + [rejection(i, "no", 4000.0) for i in range(9)]
    chosen = choose(items, budget=600)
    assert sum(min(MAX_SECONDS, example.item.seconds) for example in chosen) <= 600
    assert {example.rule for example in chosen} == {"worst", "median", "random", "no"}


def test_a_small_build_is_shown_whole():
    items = [clip(1), clip(2), rejection(0, "no")]
    assert {example.item.key for example in choose(items, 600)} == {item.key for item in items}
