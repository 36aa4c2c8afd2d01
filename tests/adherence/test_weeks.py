"""A program week by week: worked out on paper, and equal to the rates of the same days."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, strategies as st

from models.adherence import Flare, Pause, Plan
from models.adherence.rates import Bout, Entry, rates
from models.adherence.schedule import UNIT
from models.adherence.weeks import Week, monday_of, mondays_of, weeks
from tests.adherence.plans import MON_FRI, START, a_line, a_plan, plans

WEEK = timedelta(weeks=1)
HOUR = timedelta(hours=1)


def day(number: int) -> date:
    return START + timedelta(days=number)


def test_three_weeks_on_paper() -> None:
    """Monday to Friday, two exercises, one of them three sets.

    | week | done on | expected | done | items | dose | pain | effort |
    |---|---|---|---|---|---|---|---|
    | 1 | Mon Tue Wed Sat, all but one item, one set of three once | 5 | 4 | 7 of 10 | 6 1/3 of 7 | 3, 6 | 4 |
    | 2 | paused Wed to Fri, done Mon | 2 | 1 | 2 of 4 | 2 of 2 | none | none |
    | 3 | nothing | 5 | 0 | 0 of 10 | none | none | none |
    """
    one, two = a_line(weekdays=MON_FRI, sets=3), a_line(weekdays=MON_FRI)
    plan = a_plan(one, two, pauses=(Pause(day(9), day(11)),))
    both = (Entry(line_id=one.line_id), Entry(line_id=two.line_id))
    done = [
        Bout(day(0), both, pain=3, effort=4, waited=HOUR),
        Bout(day(1), (Entry(line_id=one.line_id, sets=1), both[1]), pain=6, waited=49 * HOUR),
        Bout(day(2), (both[0], Entry(line_id=two.line_id, skipped=True)), waited=200 * HOUR, low_trust=True),
        Bout(day(5), both, waited=48 * HOUR),
        Bout(day(7), both),
    ]
    first, second, third = weeks(plan, done, mondays_of(plan, day(20)))
    assert first == Week(
        monday=START,
        expected=5 * UNIT,
        done=4 * UNIT,
        items_expected=10 * UNIT,
        items_done=7 * UNIT,
        dose_sum=first.dose_sum,
        dose_count=7,
        excluded_days=0,
        paused_days=0,
        flare_days=0,
        sessions=4,
        first_day=day(0),
        pain_sum=9,
        pain_count=2,
        pain_worst=6,
        effort_sum=4,
        effort_count=1,
        late=2,
        low_trust=1,
    )
    assert (second.expected, second.done, second.items_expected, second.items_done) == (
        2 * UNIT,
        UNIT,
        4 * UNIT,
        2 * UNIT,
    )
    assert (second.excluded_days, second.paused_days, second.dose_sum, second.pain_worst) == (3, 3, 2.0, None)
    assert (third.expected, third.done, third.sessions, third.dose_count) == (5 * UNIT, 0, 0, 0)


def test_exercise_cannot_be_banked_from_week_to_week() -> None:
    line = a_line(days_per_week=3)
    plan = a_plan(line)
    done = [Bout(day(number), (Entry(line_id=line.line_id),)) for number in range(6)]
    assert [(week.done, week.sessions) for week in weeks(plan, done, [START, START + WEEK])] == [(3 * UNIT, 6), (0, 0)]


def test_flare_days_are_told_apart() -> None:
    plan = replace(a_plan(a_line(weekdays=MON_FRI)), flares=(Flare(day(4), day(8)),))
    assert [week.flare_days for week in weeks(plan, [], mondays_of(plan, day(13)))] == [3, 2]


def test_a_plan_that_starts_on_a_thursday_has_its_first_week_begin_on_monday() -> None:
    plan = replace(a_plan(a_line(weekdays=MON_FRI), ends_on=day(8)), starts_on=day(3))
    assert mondays_of(plan, day(90)) == [START, START + WEEK]
    first, last = weeks(plan, [], mondays_of(plan, day(90)))
    assert (first.expected, first.excluded_days, last.expected, last.excluded_days) == (2 * UNIT, 3, 2 * UNIT, 5)


@given(plans(), st.lists(st.integers(0, 60), max_size=30))
def test_a_week_is_the_rates_of_its_days(plan: Plan, numbers: list[int]) -> None:
    lines = [line for revision in plan.revisions for phase in revision.phases for line in phase.lines]
    done = [
        Bout(plan.starts_on + timedelta(days=one), tuple(Entry(line_id=x.line_id) for x in lines)) for one in numbers
    ]
    for week in weeks(plan, done, mondays_of(plan, plan.starts_on + timedelta(days=60))):
        same = rates(plan, done, week.monday, week.monday + timedelta(days=6))
        assert (week.done / UNIT, week.expected / UNIT) == (same.frequency.numerator, same.frequency.denominator)
        assert (week.items_done / UNIT, week.items_expected / UNIT) == (
            same.completeness.numerator,
            same.completeness.denominator,
        )
        assert (week.dose_sum, week.dose_count) == (same.dose.numerator, same.dose.denominator)
        assert week.monday == monday_of(week.monday)
