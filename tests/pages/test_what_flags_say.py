"""Flags by kind and fate: the lengths of bars and the words' sums."""

import re

import pytest
from hypothesis import assume, given

from api.pages.charts import Fate, FlagRow, flags_by_kind
from api.pages.charts.flags import LEFT, WORDS
from tests.pages.cohorts import flag_tables
from tests.pages.drawings import hinted, parsed, words_of

SILENCE = FlagRow(kind="Silence", fates={Fate.RETURNED: 12, Fate.OPEN: 4, Fate.LATE_DATA: 4})
PAIN = FlagRow(kind="High pain", fates={Fate.BY_HAND: 5})


def test_a_bar_is_stacked_from_the_axis_and_its_lengths_are_its_counts() -> None:
    drawn = hinted(parsed(flags_by_kind([SILENCE], key="k")))
    parts = [(words, float(part.attrib["x"]), float(part.attrib["width"])) for words, part in drawn.items()]
    assert [words for words, _, _ in parts] == ["Silence: 12 returned", "Silence: 4 late data", "Silence: 4 still open"]
    assert parts[0][1] == LEFT
    assert parts[0][1] + parts[0][2] == pytest.approx(parts[1][1])
    assert parts[1][1] + parts[1][2] == pytest.approx(parts[2][1])
    assert parts[0][2] == pytest.approx(3 * parts[1][2])
    assert parts[1][2] == parts[2][2]


def test_the_most_frequent_kind_is_on_top() -> None:
    words = words_of(parsed(flags_by_kind([PAIN, SILENCE], key="k")))
    assert words.index("Silence") < words.index("High pain")
    assert words[words.index("Silence") + 1] == "20"


def test_a_kind_without_a_flag_is_in_the_table_alone() -> None:
    chart = flags_by_kind([SILENCE, FlagRow(kind="Fall", fates={})], key="k")
    assert "Fall" not in chart.svg
    assert chart.rows[1] == ("Fall", "0", "0", "0", "0", "0")


def test_the_words_of_two_kinds() -> None:
    chart = flags_by_kind([SILENCE, PAIN], key="k")
    assert chart.says == (
        "25 flags of 2 kinds: 12 returned, 5 handled by hand, 4 late data and 4 still open."
        " Silence, 20 flags: 12 returned, 4 late data and 4 still open. High pain, 5 flags: 5 handled by hand."
    )
    assert chart.header == ("Flag", "Returned", "Handled by hand", "Late data", "Other", "Still open")
    assert chart.rows[0] == ("Silence", "12", "0", "4", "0", "4")


def test_a_withheld_count_is_not_drawn_and_not_passed_over() -> None:
    chart = flags_by_kind([FlagRow(kind="Silence", fates={Fate.RETURNED: 12, Fate.OPEN: None})], key="k")
    assert chart.rows == (("Silence", "12", "0", "0", "0", "withheld"),)
    assert "12 flags shown of 1 kind" in chart.says
    assert chart.says.endswith("Some counts are withheld because too few.")
    assert {"12+", "Some counts are withheld because too few."} <= set(words_of(parsed(chart)))


def test_a_kind_of_which_all_is_withheld_says_so_at_its_place() -> None:
    rows = [SILENCE, FlagRow(kind="Fall", fates={Fate.OPEN: None})]
    words = words_of(parsed(flags_by_kind(rows, key="k")))
    assert words[words.index("Fall") + 1] == "withheld"


@given(flag_tables)
def test_the_words_sum_every_fate(rows: list[FlagRow]) -> None:
    assume(any(count != 0 for row in rows for count in row.fates.values()))
    chart = flags_by_kind([FlagRow(kind=f"K{place}", fates=row.fates) for place, row in enumerate(rows)], key="k")
    first = chart.says.split(".")[0]
    total, *told = re.findall(r"([\d,]+) (flag|returned|handled by hand|late data|other|still open)", first)
    sums = {WORDS[fate].lower(): sum(row.fates.get(fate) or 0 for row in rows) for fate in Fate}
    assert {words: int(number.replace(",", "")) for number, words in told} == {
        words: number for words, number in sums.items() if number
    }
    assert int(total[0].replace(",", "")) == sum(sums.values())
