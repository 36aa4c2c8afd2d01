"""The golden vectors of the engine: a patient's four weeks, and the days at whose end silence crosses each line."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pytest

from models.adherence import Line, Pause, Plan, assess
from models.adherence.silence import DEFAULT_RULE, probability_stopped, slots_to_reach
from tests.adherence.plans import LONDON, MON_FRI, MON_WED_FRI, START, a_line, a_plan, done, evening, weeks

FIVE = a_line(weekdays=MON_FRI)
THREE_ANY = a_line(days_per_week=3)
THREE_FIXED = a_line(weekdays=MON_WED_FRI)
AWAY = Pause(date(2025, 3, 31), date(2025, 4, 11))


def last_day_before(moment: datetime | None) -> str:
    assert moment is not None
    return (moment.astimezone(LONDON).date() - timedelta(days=1)).strftime("%m-%d")


@pytest.mark.parametrize(
    ("line", "pauses", "days", "late", "expected"),
    [
        pytest.param(FIVE, (), weeks(range(5)), 0, "04-03 04-07 04-11", id="A perfect"),
        pytest.param(FIVE, (), weeks([0, 2, 4]), 0, "04-08 04-11 04-24", id="B three of five"),
        pytest.param(FIVE, (), weeks([0]), 0, "04-08 04-14 05-13", id="C one of five, the net"),
        pytest.param(FIVE, (), weeks(range(5)), 4, "04-10 04-14 04-18", id="D perfect, four days late"),
        pytest.param(FIVE, (AWAY,), weeks(range(5)), 0, "04-17 04-21 04-25", id="E perfect, then a pause"),
        pytest.param(FIVE, (), [START], 0, "03-11 03-14 03-25", id="F one session"),
        pytest.param(THREE_ANY, (), weeks([0, 2, 4]), 0, "04-07 04-11 04-21", id="G three a week, any day"),
        pytest.param(THREE_ANY, (), weeks([1]), 0, "04-15 04-15 05-25", id="H one of three, the net"),
        pytest.param(THREE_FIXED, (), weeks([0, 2, 4]), 0, "04-07 04-11 04-21", id="I fixed days"),
        pytest.param(THREE_FIXED, (), weeks([1, 3, 5]), 0, "04-07 04-11 04-21", id="J the other days"),
        pytest.param(a_line(days_per_week=7), (), weeks(range(7)), 0, "04-03 04-05 04-09", id="K daily"),
        pytest.param(THREE_FIXED, (), weeks([0, 2, 4]), 4, "04-14 04-18 04-28", id="N fixed days, four days late"),
    ],
)
def test_golden_vectors(line: Line, pauses: Sequence[Pause], days: list[date], late: int, expected: str) -> None:
    judged = assess(a_plan(line, pauses=pauses), done(days, late), evening(days[-1])).silence
    assert judged is not None
    found = [last_day_before(moment) for moment in (judged.watch_at, judged.lapsed_at, judged.stopped_at)]
    assert " ".join(found) == expected


def test_the_probability_of_having_stopped_after_a_perfect_month() -> None:
    judged = assess(a_plan(FIVE), done(weeks(range(5))), evening(START + timedelta(days=25))).silence
    assert judged is not None
    found = [round(probability_stopped(missed, judged.prior, DEFAULT_RULE), 4) for missed in range(7)]
    assert found == [0.0, 0.0328, 0.1003, 0.2019, 0.3245, 0.4498, 0.5635]


@pytest.mark.parametrize(
    ("adherence", "slots"),
    [
        (0.85, [5, 7, 12]),
        (0.70, [6, 9, 16]),
        (0.50, [8, 12, 22]),
        (0.30, [11, 16, 33]),
        (0.20, [12, 19, 40]),
    ],
)
def test_slots_in_a_row_by_adherence(adherence: float, slots: list[int]) -> None:
    """The engine study's table: two scheduled days' worth of history at a given adherence. Its row for .95 lies on
    the line (P is .8004 after ten slots) and is left to vector A.
    """
    a, b = 1.31 + 2 * adherence, 1.0 + 2 * (1 - adherence)
    assert slots_to_reach((0.3, 0.5, 0.8), a, b, 0.0078) == slots


def plan_with(*lines: Line) -> Plan:
    return a_plan(*lines)


def test_a_phone_in_touch_that_brought_nothing_needs_no_allowance() -> None:
    """As N, but the phone was in touch after the fourth missed slot: nothing is on its way."""
    days = weeks([0, 2, 4])
    plan = plan_with(THREE_FIXED)
    in_touch = evening(date(2025, 4, 8))
    judged = assess(plan, done(days, 4), evening(days[-1]), contacts=[in_touch]).silence
    assert judged is not None
    assert judged.watch_at == in_touch
    assert last_day_before(judged.lapsed_at) == "04-18"


def test_nothing_expected_is_never_missed() -> None:
    judged = assess(plan_with(a_line(as_needed=True)), done([START]), evening(START))
    assert judged.changes_at is None
    waiting = assess(plan_with(a_line(as_needed=True)), [], evening(START))
    assert waiting.waiting is not None
    assert waiting.waiting.opens_at is None


@pytest.mark.parametrize(
    ("line", "due"),
    [
        (a_line(days_per_week=7), "03-07"),
        (FIVE, "03-07"),
        (THREE_FIXED, "03-09"),
        (a_line(days_per_week=1), "03-09"),
        (a_line(every_n_days=14), "03-09"),
    ],
)
def test_not_started_at_five_slots_or_seven_days(line: Line, due: str) -> None:
    judged = assess(plan_with(line), [], evening(START)).waiting
    assert judged is not None
    assert last_day_before(judged.opens_at) == due
