"""The rules put to the test. Each says, of what is known now, when its thresholds will be crossed under silence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from math import ceil
from typing import Protocol

from models.adherence import Done, Plan, SilenceRule, assess
from models.adherence.schedule import UNIT, WEEK, Schedule, midnight_after
from models.adherence.silence import DEFAULT_RULE
from tests.bench.bgnbd import Habits, Seen, p_alive

NO_NET = 300
"""Silent days of a net that never catches within the 240 days of a simulated story."""
BINS = ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.95), (0.95, 0.99))
"""Of P(stopped); their edges are among the thresholds of `EngineSweep`."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What was known at a moment. Contacts up to the next log may be among them: each acts at its own instant only."""

    at: datetime
    plan: Plan
    """With the pauses declared so far."""
    done: Sequence[Done]
    """Received so far, of the days habit is learnt from."""
    contacts: Sequence[datetime]
    first_day: date
    last_day: date
    days: int
    """How many different days, `first_day` and `last_day` among them."""

    @cached_property
    def schedule(self) -> Schedule:
        return Schedule(self.plan)

    def end_of_silent_day(self, number: int) -> datetime:
        """The instant at which the so-manieth silent day, paused ones not counted, is over."""
        day = self.last_day.toordinal()
        if not self.plan.pauses:
            day += number
        while self.plan.pauses and number:
            day += 1
            number -= not self.schedule.is_paused(day)
        return midnight_after(date.fromordinal(day), self.plan.zone)


class Rule(Protocol):
    """Thresholds are in rising order: each is crossed no sooner than the one before."""

    @property
    def name(self) -> str: ...

    @property
    def thresholds(self) -> Sequence[float]: ...

    def instants(self, known: Known, until: datetime) -> Sequence[datetime | None]:
        """When silence crosses each threshold. May break off at the first that is not crossed before `until`."""
        ...


class Engine:
    """The product as it ships: watch, lapsed (with its net) and stopped."""

    name = "engine"
    thresholds = (DEFAULT_RULE.watch, DEFAULT_RULE.lapsed, DEFAULT_RULE.stopped)

    def instants(self, known: Known, until: datetime) -> Sequence[datetime | None]:
        return [] if _too_soon(known, until) else _heard(known, DEFAULT_RULE)


class EngineSweep:
    """The product's P(stopped) at other thresholds than its own three, without the net."""

    name = "engine, P(stopped)"
    thresholds = (
        *(0.12, 0.16, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60),
        *(0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95, 0.97, 0.99, 0.995),
    )
    _rules = tuple(
        SilenceRule(watch=watch, lapsed=lapsed, stopped=stopped, net_days=NO_NET)
        for watch, lapsed, stopped in zip(thresholds[::3], thresholds[1::3], thresholds[2::3], strict=True)
    )

    def instants(self, known: Known, until: datetime) -> Sequence[datetime | None]:
        found: list[datetime | None] = []
        for rule in () if _too_soon(known, until) else self._rules:
            found += _heard(known, rule)
            if found[-1] is None or found[-1] >= until:
                break
        return found


def _too_soon(known: Known, until: datetime) -> bool:
    """Whether the product need not be asked: with its constants P(stopped) is below .12 after two missed slots,
    whatever the habit, and there are no three slots in two days.
    """
    return until <= known.end_of_silent_day(3)


def _heard(known: Known, rule: SilenceRule) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Watch, lapsed and stopped, from the product's own `assess`."""
    silence = assess(known.plan, known.done, known.at, contacts=known.contacts, rule=rule).silence
    assert silence is not None
    return silence.watch_at, silence.lapsed_at, silence.stopped_at


class FixedGap:
    """So many silent days."""

    name = "fixed gap"
    thresholds = (*range(3, 17), 18, 19, 20, 21, 22, 24, 26, 28, 31, 34, 37, 40, 44, 48, 52, 56, 60)

    def instants(self, known: Known, until: datetime) -> Sequence[datetime | None]:
        found: list[datetime | None] = []
        for gap in self.thresholds:
            found.append(crossed := known.end_of_silent_day(gap))
            if crossed >= until:
                break
        return found


class MissedInARow:
    """So many expected sessions missed since the last day done."""

    name = "missed in a row"
    thresholds = (*range(1, 17), 18, 20, 22, 24, 27, 30, 33, 36, 40, 45)

    def instants(self, known: Known, until: datetime) -> Sequence[datetime | None]:
        found: list[datetime | None] = []
        expected, day = 0, known.last_day.toordinal()
        last = until.toordinal()
        while len(found) < len(self.thresholds) and day <= last:
            day += 1
            expected += known.schedule.weight(day)
            while len(found) < len(self.thresholds) and expected >= self.thresholds[len(found)] * UNIT:
                found.append(midnight_after(date.fromordinal(day), known.plan.zone))
        return found


class Cadence:
    """So many times the person's own mean gap, to which one gap as prescribed is added so that there always is one."""

    name = "personal cadence"
    thresholds = (1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20, 25, 30, 40)

    def instants(self, known: Known, until: datetime) -> Sequence[datetime | None]:
        first = known.first_day.toordinal()
        weekly = sum(known.schedule.unpaused_weight(first + day) for day in range(WEEK)) / UNIT
        mean = ((known.last_day - known.first_day).days + WEEK / weekly) / known.days
        found: list[datetime | None] = []
        for times in self.thresholds:
            found.append(crossed := known.end_of_silent_day(ceil(times * mean)))
            if crossed >= until:
                break
        return found


@dataclass(frozen=True)
class BgNbd:
    """P(alive) of the BG/NBD at most so much; as 1 - P, so that thresholds rise."""

    habits: Habits
    name: str = "BG/NBD"
    thresholds: Sequence[float] = (
        *(0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50, 0.60, 0.70, 0.80, 0.85),
        *(0.90, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998),
    )

    def instants(self, known: Known, until: datetime) -> Sequence[datetime | None]:
        last = (known.last_day - known.first_day).days
        found: list[datetime | None] = []
        silent = 0
        end = midnight_after(known.last_day, known.plan.zone)
        while len(found) < len(self.thresholds) and end < until:
            silent += 1
            end += timedelta(days=1)
            gone = 1 - p_alive(self.habits, Seen(known.days - 1, last, last + silent))
            while len(found) < len(self.thresholds) and gone >= self.thresholds[len(found)]:
                found.append(end)
        return found


def seen(days: Sequence[date], now: date) -> Seen:
    """What BG/NBD wants to know of a person, from the different days in order."""
    return Seen(len(days) - 1, (days[-1] - days[0]).days, (now - days[0]).days)
