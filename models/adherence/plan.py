"""What was prescribed, as the clock sees it: frozen values, made by operations from rows."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One exercise of a phase. Exactly one of the four frequency forms is set."""

    line_id: UUID
    days_per_week: int | None = None
    """1-7, on any days the patient likes."""
    weekdays: frozenset[int] = frozenset()
    """Definite days, Monday is 0."""
    every_n_days: int | None = None
    """Definite days, counted from the first day of the phase."""
    as_needed: bool = False
    """Logged when done, never expected."""
    sessions_per_day: int = 1
    sets: int | None = None
    reps: int | None = None
    hold_seconds: int | None = None
    duration_minutes: float | None = None
    """Minutes per set or bout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Lines in force from day `from_day` to day `to_day` of the program; its first day is day 1."""

    from_day: int
    to_day: int | None
    """None runs on until the program is revised or ends."""
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One immutable version of the prescription, in force from `effective_on` until a later one is."""

    number: int
    effective_on: date
    phases: tuple[Phase, ...]
    flare: Phase | None = None
    """What a flare day is judged against; its days are those the patient declares."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Local days, both included, on which nothing is expected."""

    from_on: date
    to_on: date | None
    """None: until it is lifted."""


@dataclass(frozen=True, slots=True)
class Flare:
    """Local days, both included, on which the flare plan stands in for the course."""

    from_on: date
    to_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole program: everything expectation depends on."""

    starts_on: date
    zone: ZoneInfo
    """The patient's present zone; it places local midnights, never local dates."""
    revisions: tuple[Revision, ...]
    pauses: tuple[Pause, ...] = ()
    flares: tuple[Flare, ...] = ()
    ends_on: date | None = None
    """The last day of a program that is over."""
    ended_at: datetime | None = None
    """When its end was declared: from then on the standing says so. None: at the end of its last day."""
