"""What happened to one person, and when it became known: all that a replay needs, simulated or real."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from models.adherence import Done, Line, Pause, Phase, Plan, Revision

ZONE = ZoneInfo("UTC")
ON_DAYS = {3: frozenset({0, 2, 4}), 5: frozenset(range(5)), 7: frozenset(range(7))}
"""Definite weekdays of the simulated prescriptions; other numbers a week are on any days."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A pause the patient told of, usually before it began."""

    at: datetime
    pause: Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One course of exercise, with the truth beside it."""

    plan: Plan
    """Without pauses; they enter when declared."""
    logs: tuple[Done, ...]
    """In the order received; at least one."""
    stopped_at: datetime | None
    """From then on nothing more is done. None: active until the end of the observation."""
    until: datetime
    """The end of the observation."""
    contacts: tuple[datetime, ...] = ()
    """When the phone had sent all it had, in order."""
    declared: tuple[Declared, ...] = ()
    """In the order declared."""


def midnight(day: date) -> datetime:
    """The instant at which a day begins."""
    return datetime.combine(day, time(), UTC)


def prescribed(starts_on: date, per_week: int) -> Plan:
    """One exercise, so many days a week."""
    weekdays = ON_DAYS.get(per_week, frozenset[int]())
    line = Line(line_id=UUID(int=1), weekdays=weekdays, days_per_week=None if weekdays else per_week)
    phase = Phase(from_day=1, to_day=None, lines=(line,))
    revision = Revision(number=1, effective_on=starts_on, phases=(phase,))
    return Plan(starts_on=starts_on, zone=ZONE, revisions=(revision,))


def days_between(one: datetime, other: datetime) -> float:
    """From `one` to `other` in days."""
    return (other - one) / timedelta(days=1)
