"""The calendar strip: where each day stands, and whether its words count right."""

import re
from datetime import date, timedelta

from hypothesis import given

from api.pages.charts import Day, DayState, calendar_strip
from api.pages.charts.days import LEFT, PITCH, STRIP_HEIGHT, TOP, WEEKS_PER_STRIP, WORDS
from tests.pages.cohorts import MONDAY, calendars, some_days
from tests.pages.drawings import hinted, parsed, words_of


def places(days: list[Day]) -> dict[str, tuple[float, float]]:
    found = hinted(parsed(calendar_strip(days, key="k")))
    return {told: (float(part.attrib["x"]), float(part.attrib["y"])) for told, part in found.items()}


def test_weeks_are_columns_and_monday_is_on_top() -> None:
    placed = places([Day(date(2025, 3, 5), DayState.DONE), Day(date(2025, 3, 10), DayState.MISSED)])
    assert placed == {
        "Wed 5 Mar 2025: done": (LEFT, TOP + 2 * PITCH),
        "Mon 10 Mar 2025: missed": (LEFT + PITCH, TOP),
    }


def test_a_long_time_goes_on_in_a_second_strip() -> None:
    placed = list(places(some_days(7 * WEEKS_PER_STRIP + 1)).values())
    assert placed[-2] == (LEFT + (WEEKS_PER_STRIP - 1) * PITCH, TOP + 6 * PITCH)
    assert placed[-1] == (LEFT, TOP + STRIP_HEIGHT)


def test_a_day_is_drawn_as_its_state() -> None:
    for state in DayState:
        chart = calendar_strip([Day(MONDAY, state)], key="k")
        (square,) = hinted(parsed(chart)).values()
        assert square.attrib["href"] == f"#k-{state}"
        assert f'id="k-{state}"' in chart.svg


def test_the_legend_names_the_states_that_occur_and_no_other() -> None:
    days = [Day(MONDAY, DayState.FLARE), Day(MONDAY + timedelta(days=1), DayState.DONE)]
    words = words_of(parsed(calendar_strip(days, key="k")))
    assert [word for word in words if word in WORDS.values()] == ["Done", "In a flare"]


def test_months_are_named_and_the_year_where_it_begins() -> None:
    """2 Dec 2024 to 28 Feb 2025: January stands in the column of its first day."""
    words = words_of(parsed(calendar_strip(some_days(89, date(2024, 12, 2)), key="k")))
    assert words[4:9] == ["Dec", "2024", "Jan", "2025", "Feb"]


def test_a_month_that_is_cut_off_is_named_if_there_is_room() -> None:
    words = words_of(parsed(calendar_strip(some_days(40, date(2025, 3, 27)), key="k")))
    assert words[4:7] == ["Apr", "2025", "May"]


def test_the_words_of_a_month() -> None:
    states = [DayState.DONE] * 17 + [DayState.PARTLY, DayState.MISSED, DayState.MISSED] + [DayState.PAUSED] * 5
    states += [DayState.FLARE]
    days = [Day(MONDAY + timedelta(days=index), state) for index, state in enumerate(states)]
    chart = calendar_strip(days, key="k")
    assert chart.title == "Day by day, 3 Mar 2025 to 28 Mar 2025"
    assert chart.says == (
        "3 Mar 2025 to 28 Mar 2025: done on 17 days, partly on 1 and missed on 2. Paused: 5 days. In a flare: 1 day."
    )
    assert chart.rows[17] == ("Thu 20 Mar 2025", "Partly done")


def test_where_nothing_was_due_it_says_so() -> None:
    chart = calendar_strip([Day(MONDAY, DayState.NOT_DUE)], key="k")
    assert chart.says == "3 Mar 2025: no day was due. Not due: 1 day."


@given(calendars)
def test_the_words_count_every_day_once(days: list[Day]) -> None:
    chart = calendar_strip(days, key="k")
    if not days:
        return
    said = chart.says.split(": ", 1)[1]
    told = {state: len([day for day in days if day.state is state]) for state in DayState}
    due = told[DayState.DONE] + told[DayState.PARTLY] + told[DayState.MISSED]
    found = re.search(r"done on (\d+) days?", said)
    assert (due > 0) == bool(found)
    if found:
        assert int(found[1]) == told[DayState.DONE]
    for state, words in (
        (DayState.PARTLY, r"partly on (\d+)"),
        (DayState.MISSED, r"missed on (\d+)"),
        *((state, rf"{WORDS[state]}: (\d+) days?\.") for state in list(DayState)[3:]),
    ):
        assert [int(number) for number in re.findall(words, said)] == [told[state]] * bool(told[state])


@given(calendars)
def test_the_order_of_the_days_does_not_matter(days: list[Day]) -> None:
    assert calendar_strip(days, key="k") == calendar_strip(days[::-1], key="k")
