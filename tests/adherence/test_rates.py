"""The three rates, each worked out beside the test."""

from datetime import date, timedelta

import pytest
from hypothesis import given, strategies as st

from models.adherence import Line, Pause, Plan
from models.adherence.rates import Bout, Entry, Rates, dose_share, rates, windows
from tests.adherence.plans import MON_FRI, MON_WED_FRI, START, a_line, a_plan, plans, weeks

SUNDAY = START + timedelta(days=27)
"""The end of four weeks."""


def bouts(days: list[date], *lines: Line) -> list[Bout]:
    return [Bout(day, tuple(Entry(line_id=line.line_id) for line in lines)) for day in days]


def four_weeks(plan: Plan, done: list[Bout]) -> Rates:
    return rates(plan, done, START, SUNDAY)


def test_everything_done() -> None:
    line = a_line(weekdays=MON_FRI)
    found = four_weeks(a_plan(line), bouts(weeks(range(5)), line))
    assert (found.frequency.numerator, found.frequency.denominator) == (20, 20)
    assert (found.completeness.numerator, found.completeness.denominator) == (20, 20)
    assert (found.dose.numerator, found.dose.denominator) == (20, 20)


def test_three_of_six_exercises_each_day_in_full() -> None:
    """Clinical vector: completeness 50 %, dose 100 %, every day done."""
    six = [a_line(weekdays=MON_FRI) for _ in range(6)]
    found = four_weeks(a_plan(*six), bouts(weeks(range(5)), *six[:3]))
    assert found.frequency.value == 1.0
    assert found.completeness.value == 0.5
    assert found.dose.value == 1.0


def test_extra_days_cannot_be_banked() -> None:
    """Three a week: six days in week 1 and none in week 2 is 3 of 6, not 6 of 6."""
    line = a_line(days_per_week=3)
    done = [START + timedelta(days=day) for day in range(6)]
    found = rates(a_plan(line), bouts(done, line), START, START + timedelta(days=13))
    assert (found.frequency.numerator, found.frequency.denominator) == (3, 6)


def test_three_a_week_is_met_wherever_the_window_ends() -> None:
    line = a_line(days_per_week=3)
    done = bouts(weeks([0, 2, 4]), line)
    for end in range(13, 28):
        last = START + timedelta(days=end)
        assert rates(a_plan(line), done, last - timedelta(days=6), last).frequency.value == 1.0


def test_the_other_days_count_as_well() -> None:
    line = a_line(weekdays=MON_WED_FRI)
    found = four_weeks(a_plan(line), bouts(weeks([1, 3, 5]), line))
    assert found.frequency.value == 1.0


def test_paused_days_are_in_neither_number() -> None:
    line = a_line(weekdays=MON_FRI)
    plan = a_plan(line, pauses=[Pause(START + timedelta(days=7), START + timedelta(days=13))])
    found = four_weeks(plan, bouts(weeks(range(5), 1), line))
    assert (found.frequency.numerator, found.frequency.denominator) == (5, 15)
    assert found.excluded_days == 7


def test_each_prescribed_session_of_a_day_counts_for_completeness() -> None:
    """Twice a day prescribed, once done: half of the items, every day."""
    line = a_line(weekdays=MON_FRI, sessions_per_day=2)
    found = four_weeks(a_plan(line), bouts(weeks(range(5)), line))
    assert found.frequency.value == 1.0
    assert (found.completeness.numerator, found.completeness.denominator) == (20, 40)


def test_more_sessions_than_prescribed_in_a_day_count_once() -> None:
    """Monday three times and nothing else: 1 of 5 items, though three were touched."""
    line = a_line(weekdays=MON_FRI)
    found = rates(a_plan(line), bouts([START] * 3, line), START, START + timedelta(days=6))
    assert (found.frequency.numerator, found.frequency.denominator) == (1, 5)
    assert (found.completeness.numerator, found.completeness.denominator) == (1, 5)
    assert found.dose.denominator == 3


def test_as_needed_is_never_expected_and_never_counted() -> None:
    needed, line = a_line(as_needed=True), a_line(weekdays=MON_FRI)
    found = four_weeks(a_plan(needed, line), bouts(weeks(range(5)), needed))
    assert found.frequency.value == 1.0
    assert found.completeness.numerator == 0
    assert found.dose.value is None


def test_a_skipped_item_is_not_touched() -> None:
    line = a_line(weekdays=MON_FRI)
    skipped = [Bout(day, (Entry(line_id=line.line_id, skipped=True),)) for day in weeks(range(5))]
    assert four_weeks(a_plan(line), skipped).completeness.value == 0.0


@pytest.mark.parametrize(
    ("prescribed", "did", "share"),
    [
        ({"sets": 3, "reps": 10}, {}, 1.0),
        ({"sets": 3, "reps": 10}, {"sets": 2}, 2 / 3),
        ({"sets": 3, "reps": 10}, {"sets": 2, "reps": 5}, 1 / 3),
        ({"sets": 3, "reps": 10}, {"sets": 5}, 1.0),
        ({"sets": 3, "reps": 1, "hold_seconds": 20}, {"hold_seconds": 10}, 0.5),
        ({"duration_minutes": 20.0}, {"minutes": 15.0}, 0.75),
        ({"sets": 4, "duration_minutes": 5.0}, {"minutes": 15.0}, 0.75),
        ({"sets": 4, "duration_minutes": 5.0}, {"sets": 3}, 0.75),
        ({"duration_minutes": 20.0}, {"minutes": 30.0}, 1.0),
    ],
)
def test_dose(prescribed: dict[str, float], did: dict[str, float], share: float) -> None:
    line = a_line(days_per_week=3, **prescribed)
    assert dose_share(line, Entry(line_id=line.line_id, **did)) == pytest.approx(share)  # type: ignore[arg-type]


def test_an_unfinished_day_is_never_missed() -> None:
    line = a_line(weekdays=MON_FRI)
    plan, friday = a_plan(line), START + timedelta(days=4)
    before = windows(plan, friday, logged_today=False)["7_days"]
    after = windows(plan, friday, logged_today=True)["7_days"]
    assert before == (START - timedelta(days=3), friday - timedelta(days=1))
    assert after == (START - timedelta(days=2), friday)


def test_a_program_that_is_over_is_judged_to_its_end() -> None:
    plan = a_plan(a_line(weekdays=MON_FRI), ends_on=START + timedelta(days=4))
    assert windows(plan, SUNDAY, logged_today=False)["program"] == (START, START + timedelta(days=4))


@given(plans(), st.sets(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_rates_stay_between_none_and_all(plan: Plan, days: set[int], first: int, length: int) -> None:
    lines = [line for revision in plan.revisions for phase in revision.phases for line in phase.lines]
    done = bouts([START + timedelta(days=day) for day in sorted(days)], *lines)
    begin = START + timedelta(days=first)
    found = rates(plan, done, begin, begin + timedelta(days=length))
    for rate in (found.frequency, found.completeness, found.dose):
        assert 0 <= rate.numerator <= rate.denominator + 1e-9
        assert rate.value is None or 0 <= rate.value <= 1
