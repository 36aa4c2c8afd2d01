"""What may bring the pain back after discharge, as a list of points with its reasons (clinical content 5.2).

The points and their lines are a design choice, **not calibrated**: nobody has measured what a total means, so no
chance of a relapse is told, and the list is shown, never the total alone. Half of the rows rest on one study of
recurrence (RECUR19: more than two earlier episodes, sitting more than five hours a day, awkward postures).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from models.adherence.rates import Rate
from models.adherence.wording import short_day

WATCH, CALL = 3, 5
"""Points from which the list says to watch, and to call."""
MANY_EPISODES = 2
"""More than so many earlier episodes (RECUR19)."""
LONG_SITTING = 5
"""More than so many hours a day (RECUR19)."""
LOW_CONFIDENCE = 6
"""Confidence to keep going, of 10, under which it counts."""
HALF = 0.5
"""Of the maintenance minutes, of the last 28 days."""
RISKY_MONTHS = (1, 6)
"""From the end of the first month to the end of the sixth after discharge: the median return is after 139 days."""

CAUTION = (
    "Not calibrated: the points are a design choice, not a measured risk. Look at the reasons, not at the total, and"
    " decide yourself."
)
CONTEXT = (
    "Back pain comes back within a year in about 7 of 10 people; exercise that goes on after treatment about halves"
    " that in the first year; the protection fades when people stop."
)
CONTEXT_SOURCE = "RECUR19; engine study, 1.4"


class Advice(StrEnum):
    """What the points come to."""

    LOW = "low"
    WATCH = "watch"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Told:
    """A number somebody told, and when."""

    value: float
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a discharged patient; None is not known."""

    today: date
    discharged_on: date
    second_month_on: date
    """When the first month after discharge is over."""
    seventh_month_on: date
    stopped: bool | None = None
    """Whether the program after discharge has been stopped, or was never started; None: there is no such program."""
    silent_since: date | None = None
    """The last session before a silence on it that has lapsed."""
    strength_lost: bool | None = None
    """Whether strength work has been left out gravely, or core work at all."""
    episodes: int | None = None
    awkward_postures: bool | None = None
    sitting_hours: Told | None = None
    confidence: Told | None = None
    minutes: Rate | None = None
    """Maintenance minutes of the last 28 days, done and prescribed."""
    recurred: bool = False
    """Whether the patient has said since discharge that the pain came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One row of the list."""

    code: str
    points: int
    """What it counts if it applies."""
    applies: bool | None
    """None: nobody knows; it counts nothing until somebody asks."""
    says: str
    source: str


def points(facts: Facts) -> list[Point]:
    """The whole list, also what does not apply and what is not known."""
    return [
        _point(
            ("stopped", 3, "clinical content 5.2, F-02"),
            facts.stopped,
            "Has stopped the program that was to go on after discharge, or never started it.",
            f"Silent since {short_day(facts.silent_since)} on the program after discharge, not yet counted as stopped."
            if facts.silent_since
            else "Follows the program after discharge, or has not been silent for long.",
            "There is no program after discharge to be followed.",
        ),
        _point(
            ("strength_lost", 2, "clinical content 5.2, F-05 and F-06"),
            facts.strength_lost,
            "Strength or core exercises have been left out for weeks while others go on.",
            "Strength and core exercises have not been left out for weeks.",
            "There is no program after discharge to be followed.",
        ),
        _point(
            ("episodes", 2, "RECUR19"),
            None if facts.episodes is None else facts.episodes > MANY_EPISODES,
            f"Has had {facts.episodes} episodes before.",
            f"Has had no more than {MANY_EPISODES} episodes before.",
            "Earlier episodes are not on record.",
        ),
        _point(
            ("sitting", 1, "RECUR19"),
            None if facts.sitting_hours is None else facts.sitting_hours.value > LONG_SITTING,
            *_twice(facts.sitting_hours, "Sits {} hours a day"),
            "Has not been asked how long they sit.",
        ),
        _point(
            ("awkward_postures", 1, "RECUR19"),
            facts.awkward_postures,
            "Is often in awkward postures.",
            "Is not often in awkward postures.",
            "Awkward postures are not on record.",
        ),
        _minutes(facts.minutes),
        _point(
            ("confidence", 1, "clinical content 5.2"),
            None if facts.confidence is None else facts.confidence.value < LOW_CONFIDENCE,
            *_twice(facts.confidence, "Confidence to keep going is {} of 10"),
            "Has not been asked how confident they are to keep going.",
        ),
        _point(
            ("risky_months", 1, "RECUR19: half of those whose pain came back had it back after 139 days"),
            facts.second_month_on <= facts.today < facts.seventh_month_on,
            f"Discharged on {short_day(facts.discharged_on)}: months 2 to 6 are those in which pain comes back most.",
            f"Discharged on {short_day(facts.discharged_on)}: not in months 2 to 6.",
            "",
        ),
        _point(
            ("recurred", 2, "definition of RECUR19; clinical content F-14"),
            facts.recurred,
            "Has said since discharge that the pain came back for a day or longer.",
            "Has not said since discharge that the pain came back.",
            "",
        ),
    ]


def total(found: Sequence[Point]) -> int:
    """The points that apply."""
    return sum(point.points for point in found if point.applies)


def advice(count: int) -> Advice:
    """What so many points come to: 0-2 low, 3-4 watch, 5 and more call."""
    if count >= CALL:
        return Advice.CALL
    return Advice.WATCH if count >= WATCH else Advice.LOW


def _minutes(minutes: Rate | None) -> Point:
    row = ("few_minutes", 1, "clinical content 5.2")
    if minutes is None or minutes.value is None:
        return _point(row, None, "", "", "There are not yet two weeks of a program after discharge to count.")
    told = f"Has done {minutes.numerator:.0f} of {minutes.denominator:.0f} minutes prescribed in the last four weeks."
    return _point(row, minutes.value < HALF, told, told, "")


def _twice(told: Told | None, words: str) -> tuple[str, str]:
    """The same sentence whether or not it counts: the number speaks for itself."""
    said = f"{words.format(f'{told.value:g}')} (told on {short_day(told.on)})." if told else ""
    return said, said


def _point(row: tuple[str, int, str], applies: bool | None, if_so: str, if_not: str, unknown: str) -> Point:  # noqa: FBT001
    code, count, source = row
    says = unknown if applies is None else if_so if applies else if_not
    return Point(code=code, points=count, applies=applies, says=says, source=source)
