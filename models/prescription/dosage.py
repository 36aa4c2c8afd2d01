"""How much and how often, and the one text form people read."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

WEEK = 7
DEFAULT_PAIN_LIMIT = 5
"""Stop or adapt above it (clinical content 2.2)."""
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIMES = {1: "once", 2: "twice"}


class Side(StrEnum):
    """Which side an exercise is done on."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    AFFECTED = "affected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dosage:
    """How much and how often (clinical content 2.2, with its units; the bounds are kept by the doors and the tables).

    Exactly one of `days_per_week`, `weekdays`, `every_n_days` and `as_needed_max_per_day` is set.
    """

    sets: int | None = None
    reps: int | None = None
    """Per set, and per side where the exercise is one-sided."""
    hold_seconds: int | None = None
    """Per repetition."""
    tempo: tuple[int, ...] | None = None
    """Seconds up, hold, down, rest."""
    rest_seconds: int | None = None
    duration_minutes: float | None = None
    """Per set or bout."""
    distance_m: int | None = None
    load_kg: float | None = None
    band: str | None = None
    rpe_target: int | None = None
    """Effort to aim at, 0-10."""
    pain_limit: int = DEFAULT_PAIN_LIMIT
    sessions_per_day: int = 1
    days_per_week: int | None = None
    weekdays: tuple[int, ...] | None = None
    """Monday is 0."""
    every_n_days: int | None = None
    as_needed_max_per_day: int | None = None

    @property
    def days_a_week(self) -> float:
        """Days of an ordinary week it is expected on; 0 for as-needed."""
        if self.weekdays is not None:
            return len(set(self.weekdays))
        if self.every_n_days is not None:
            return WEEK / self.every_n_days
        return self.days_per_week or 0

    @property
    def frequencies(self) -> int:
        """How many frequency forms are said; a dosage has exactly one (R-30)."""
        forms = (self.days_per_week, self.weekdays, self.every_n_days, self.as_needed_max_per_day)
        return sum(form is not None for form in forms)

    @property
    def has_amount(self) -> bool:
        """Whether it says how much: sets of repetitions, a hold, minutes or metres (R-30)."""
        repeated = self.sets is not None and self.reps is not None
        return repeated or any(
            amount is not None for amount in (self.hold_seconds, self.duration_minutes, self.distance_m)
        )


def dosage_from(said: Mapping[str, Any]) -> Dosage:
    """A dosage out of JSON or a row's columns, where tuples are lists."""
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    return Dosage(**plain)


def text(dosage: Dosage, side: Side | None = None) -> str:
    """A dosage as people read it: "3 × 10, hold 5 s, each side; twice a day, Mon Wed Fri"."""
    how_much = [
        *amount_words(dosage),
        *(["each side" if side is Side.BOTH else f"{side} side"] if side else []),
        *load_words(dosage),
    ]
    how_often = frequency_words(dosage)
    return "; ".join(part for part in (", ".join(how_much), how_often) if part)


def amount_words(dosage: Dosage) -> list[str]:
    """Sets, repetitions, hold, minutes and metres; "3 × 20 s" is three holds."""
    sets, reps, hold = dosage.sets, dosage.reps, dosage.hold_seconds
    words = []
    if dosage.duration_minutes is not None:
        minutes = f"{dosage.duration_minutes:g} min"
        words.append(f"{sets} × {minutes}" if sets is not None and sets > 1 else minutes)
    if dosage.distance_m is not None:
        metres = f"{dosage.distance_m} m"
        words.append(f"{sets} × {metres}" if sets is not None and sets > 1 else metres)
    if words:
        # Beside minutes or metres one repetition goes without saying.
        words += [f"{reps} repetitions"] if reps is not None and reps > 1 else []
        words += [f"hold {hold} s"] if hold is not None else []
    elif hold is not None and (reps is None or reps == 1):
        words.append(f"{sets or 1} × {hold} s")
    elif reps is not None:
        words.append(f"{sets or 1} × {reps}")
        if hold is not None:
            words.append(f"hold {hold} s")
    if dosage.tempo is not None:
        words.append(f"tempo {'-'.join(map(str, dosage.tempo))}")
    if dosage.rest_seconds:
        words.append(f"rest {dosage.rest_seconds} s between sets")
    return words


def load_words(dosage: Dosage) -> list[str]:
    """Weight, band, effort, and the pain limit where it is not the usual one."""
    words = []
    if dosage.load_kg is not None:
        words.append(f"{dosage.load_kg:g} kg")
    if dosage.band is not None:
        words.append(f"{dosage.band} band")
    if dosage.rpe_target is not None:
        words.append(f"effort {dosage.rpe_target} of 10")
    if dosage.pain_limit != DEFAULT_PAIN_LIMIT:
        words.append(f"stop above pain {dosage.pain_limit} of 10")
    return words


def frequency_words(dosage: Dosage) -> str:
    """How often: "twice a day, Mon Wed Fri", "5 days a week", "as needed, at most 3 times a day"."""
    if dosage.as_needed_max_per_day is not None:
        return f"as needed, at most {times(dosage.as_needed_max_per_day)} a day"
    a_day = f"{times(dosage.sessions_per_day)} a day" if dosage.sessions_per_day > 1 else ""
    return ", ".join(part for part in (a_day, days_words(dosage)) if part)


def days_words(dosage: Dosage) -> str:
    """On which days."""
    if dosage.weekdays is not None:
        days = sorted(set(dosage.weekdays))
        return "every day" if len(days) == WEEK else " ".join(_WEEKDAYS[day] for day in days)
    if dosage.every_n_days is not None:
        return "every other day" if dosage.every_n_days == 2 else f"every {dosage.every_n_days} days"
    if dosage.days_per_week == WEEK:
        return "every day"
    if dosage.days_per_week is not None:
        return f"{dosage.days_per_week} day{'s' if dosage.days_per_week > 1 else ''} a week"
    return ""


def times(count: int) -> str:
    """Once, twice, 3 times."""
    return _TIMES.get(count, f"{count} times")
