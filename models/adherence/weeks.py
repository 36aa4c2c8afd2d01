"""A program week by week: what was expected and done in each ISO week of the patient's calendar.

The counting is that of `models.adherence.rates`, with the week as the block over which done is capped at expected. A
week depends on the plan and on its own sessions, on nothing else: so it can be written with each of them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from models.adherence.plan import Plan
from models.adherence.rates import Block, Bout
from models.adherence.schedule import WEEK, Schedule

AHEAD_WEEKS = 13
"""Weeks ahead of the last thing that happened for which expectation is written down: a program nobody hears of is
missed week by week until long after silence has become the matter."""
LATE_AFTER = timedelta(hours=48)
"""A session that took longer to arrive was late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One program in one ISO week. Expected and done are in `UNIT`ths of session days and of items."""

    monday: date
    expected: int
    done: int
    """Session days on which something was expected to be followed, capped at `expected`."""
    items_expected: int
    items_done: int
    """Each line's capped at what was expected of it."""
    dose_sum: float
    """Shares of the prescribed amount, one for each item touched."""
    dose_count: int
    excluded_days: int
    """Paused, or outside the program."""
    paused_days: int
    flare_days: int
    sessions: int
    """With exercise, on any day."""
    first_day: date | None
    """The first day with exercise."""
    pain_sum: int
    pain_count: int
    pain_worst: int | None
    effort_sum: int
    effort_count: int
    late: int
    """Sessions that took more than 48 hours to arrive."""
    low_trust: int
    """Sessions dated back by more than a week."""


def weeks(plan: Plan, bouts: Iterable[Bout], mondays: Collection[date]) -> list[Week]:
    """The weeks that begin on `mondays`; `bouts` hold at least every session with exercise of those weeks."""
    schedule = Schedule(plan)
    by_day: dict[int, list[Bout]] = {}
    for bout in bouts:
        by_day.setdefault(bout.day.toordinal(), []).append(bout)
    flares = [(flare.from_on.toordinal(), flare.to_on.toordinal()) for flare in plan.flares]
    return [_week(schedule, by_day, flares, monday) for monday in sorted(mondays)]


def mondays_of(plan: Plan, through: date) -> list[date]:
    """The Mondays of a plan's weeks, up to the week of `through` or of its end."""
    last = min(through, plan.ends_on) if plan.ends_on else through
    first = monday_of(plan.starts_on)
    return [first + number * timedelta(days=WEEK) for number in range((monday_of(last) - first).days // WEEK + 1)]


def monday_of(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def _week(schedule: Schedule, by_day: dict[int, list[Bout]], flares: Sequence[tuple[int, int]], monday: date) -> Week:
    first = monday.toordinal()
    days = range(first, first + WEEK)
    block = Block.of(schedule, by_day, first, first + WEEK - 1)
    held = [bout for day in days for bout in by_day.get(day, ())]
    pains = [bout.pain for bout in held if bout.pain is not None]
    efforts = [bout.effort for bout in held if bout.effort is not None]
    inside = [day for day in days if schedule.stretch(day) is not None]
    return Week(
        monday=monday,
        expected=block.expected,
        done=min(block.done, block.expected),
        items_expected=sum(block.line_expected.values()),
        items_done=block.items_done,
        dose_sum=block.dose_sum,
        dose_count=block.touched,
        excluded_days=block.excluded,
        paused_days=sum(map(schedule.is_paused, inside)),
        flare_days=sum(any(one <= day <= other for one, other in flares) for day in inside),
        sessions=len(held),
        first_day=min((bout.day for bout in held), default=None),
        pain_sum=sum(pains),
        pain_count=len(pains),
        pain_worst=max(pains, default=None),
        effort_sum=sum(efforts),
        effort_count=len(efforts),
        late=sum(bout.waited is not None and bout.waited > LATE_AFTER for bout in held),
        low_trust=sum(bout.low_trust for bout in held),
    )
