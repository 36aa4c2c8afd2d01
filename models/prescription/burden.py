"""What a plan asks of a patient: minutes and items a day, estimated.

The seconds below reproduce the session lengths of every phase of the 19 protocols (clinical content 4) to the minute;
they are a design choice, meant to compare plans, not to time a patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from models.prescription.dosage import WEEK, Dosage, Side

SECONDS_A_REPETITION = 4
SECONDS_AROUND_A_HOLD = 3
SECONDS_BETWEEN_SETS = 20
SECONDS_TO_SET_UP = 15
METRES_A_MINUTE = 70
"""An easy walk, for distances."""


@dataclass(frozen=True, slots=True)
class Load:
    """One active exercise as the burden sees it."""

    dosage: Dosage
    side: Side | None
    is_aerobic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Burden:
    """What a phase asks for. Minutes are estimates."""

    items: int
    """Active exercises on the list."""
    items_per_day: int
    """On the fullest day, if flexible items are spread over the week as well as they can be (R-14)."""
    minutes_per_session: float
    """One round of everything but the aerobic items (R-15)."""
    minutes_per_day: float
    """The mean day of the week, all rounds, aerobic items too."""
    aerobic_minutes_per_week: float


def burden(loads: Sequence[Load]) -> Burden:
    """The burden of one phase; as-needed items do not count."""
    expected = [load for load in loads if load.dosage.days_a_week > 0]
    weekly = sum(minutes_a_week(load) for load in expected)
    return Burden(
        items=len(expected),
        items_per_day=_items_per_day([load.dosage for load in expected]),
        minutes_per_session=round(sum(minutes(load) for load in expected if not load.is_aerobic), 1),
        minutes_per_day=round(weekly / WEEK, 1),
        aerobic_minutes_per_week=round(sum(minutes_a_week(load) for load in expected if load.is_aerobic), 1),
    )


def minutes(load: Load) -> float:
    """One round of one exercise, in minutes. Aerobic work is only its own minutes: nobody rests between walks."""
    dosage = load.dosage
    sides = 2 if load.side is Side.BOTH else 1
    sets = dosage.sets or 1
    if dosage.duration_minutes is not None:
        return sets * sides * dosage.duration_minutes
    if dosage.distance_m is not None:
        return sets * sides * dosage.distance_m / METRES_A_MINUTE
    hold = dosage.hold_seconds
    repetition = SECONDS_A_REPETITION if hold is None else hold + SECONDS_AROUND_A_HOLD
    work = sets * sides * (dosage.reps or 1) * repetition
    return (work + (sets * sides - 1) * SECONDS_BETWEEN_SETS + SECONDS_TO_SET_UP) / 60


def minutes_a_week(load: Load) -> float:
    """Every round of an ordinary week, in minutes."""
    return minutes(load) * load.dosage.sessions_per_day * load.dosage.days_a_week


def repetitions_a_week(dosage: Dosage) -> float:
    """Repetitions of an ordinary week, per side."""
    return (dosage.sets or 1) * (dosage.reps or 1) * dosage.sessions_per_day * dosage.days_a_week


def _items_per_day(dosages: Sequence[Dosage]) -> int:
    """Items on the fullest day: definite weekdays stand where they are, the rest fills the emptiest days, the most
    frequent first.
    """
    days = [sum(1 for dosage in dosages if dosage.weekdays and day in dosage.weekdays) for day in range(WEEK)]
    for count in sorted((ceil(dosage.days_a_week) for dosage in dosages if not dosage.weekdays), reverse=True):
        for day in sorted(range(WEEK), key=lambda day: days[day])[:count]:
            days[day] += 1
    return max(days)
