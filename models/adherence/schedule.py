"""When exercise is expected: the weight of each local day.

A day weighs 1 if a line is due on that definite day (weekdays, every n days). Other days share what
the flexible lines ("n days a week") leave over: (n - D) / (7 - D), at least 0, with n the largest days
per week among the flexible lines and D the definite days of that week. Paused days, rest days and days
outside the program weigh 0. Weights are whole numbers of `UNIT`ths, so that sums are exact.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from models.adherence.plan import Flare, Line, Pause, Phase, Plan, Revision

UNIT = 420
"""A full day's weight: the least common multiple of 1..7, which every share of a week divides."""

WEEK = 7
_A_MONDAY = 1
"""1 January of year 1, as an ordinal."""


def midnight_after(day: date, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which local `day` ends; where the clock skips midnight, the next day's first instant."""
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)


def weekday(ordinal: int) -> int:
    """Monday is 0; `ordinal` as in `date.toordinal`."""
    return (ordinal + 6) % WEEK


def line_weight(line: Line, phase_start: int, ordinal: int) -> int:
    """How much of a day's sessions of `line` one day expects, in `UNIT`ths; the caller minds phases and pauses."""
    if line.as_needed:
        return 0
    if line.weekdays:
        return UNIT if weekday(ordinal) in line.weekdays else 0
    if line.every_n_days:
        return UNIT if (ordinal - phase_start) % line.every_n_days == 0 else 0
    return UNIT * (line.days_per_week or 0) // WEEK


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days on which one phase of one revision is in force. Days are ordinals, both included."""

    first: int
    last: int
    phase: Phase
    phase_start: int
    """Day 1 of the phase, from which "every n days" counts, also after a revision."""
    flexible: int
    definite_weekdays: frozenset[int]
    intervals: frozenset[int]
    by_weekday: tuple[int, ...] | None
    """What each weekday weighs, where that does not change from week to week."""

    def weight(self, ordinal: int) -> int:
        """What a day expects, pauses aside, in `UNIT`ths."""
        return self.by_weekday[weekday(ordinal)] if self.by_weekday else self._weight(ordinal)

    def _weight(self, ordinal: int) -> int:
        if self._is_definite(ordinal):
            return UNIT
        if not self.flexible:
            return 0
        if self.intervals:
            monday = ordinal - weekday(ordinal)
            definite = sum(self._is_definite(day) for day in range(monday, monday + WEEK))
        else:
            definite = len(self.definite_weekdays)
        return max(0, self.flexible - definite) * UNIT // (WEEK - definite)

    def _is_definite(self, ordinal: int) -> bool:
        return weekday(ordinal) in self.definite_weekdays or any(
            (ordinal - self.phase_start) % n == 0 for n in self.intervals
        )


class Schedule:
    """A plan laid out on the calendar."""

    def __init__(self, plan: Plan) -> None:
        self.first = plan.starts_on.toordinal()
        self.last = plan.ends_on.toordinal() if plan.ends_on else date.max.toordinal()
        self.stretches = tuple(_stretches(plan, self.last))
        self._starts = [stretch.first for stretch in self.stretches]
        self._pauses = _merged(plan.pauses)
        self._pause_starts = [first for first, _ in self._pauses]

    def weight(self, ordinal: int) -> int:
        """What is expected on a day, in `UNIT`ths of a session day."""
        return 0 if self.is_paused(ordinal) else self.unpaused_weight(ordinal)

    def unpaused_weight(self, ordinal: int) -> int:
        """What would be expected on a day but for pauses."""
        stretch = self.stretch(ordinal)
        return stretch.weight(ordinal) if stretch else 0

    def stretch(self, ordinal: int) -> Stretch | None:
        """The phase in force on a day, if any."""
        found = bisect_right(self._starts, ordinal) - 1
        if found < 0 or ordinal > self.stretches[found].last:
            return None
        return self.stretches[found]

    def is_paused(self, ordinal: int) -> bool:
        """Whether nothing is expected because of a pause."""
        if not self._pauses:
            return False
        found = bisect_right(self._pause_starts, ordinal) - 1
        return found >= 0 and ordinal <= self._pauses[found][1]

    def pauses(self) -> list[tuple[int, int]]:
        """Paused days as merged (first, last) ordinals, in order."""
        return self._pauses


def _stretches(plan: Plan, last: int) -> Iterable[Stretch]:
    # A later revision replaces all earlier ones from its first day on, also one that was yet to begin.
    start, found = plan.starts_on.toordinal(), list[Stretch]()
    for revision in sorted(plan.revisions, key=lambda revision: -revision.number):
        first = max(start, revision.effective_on.toordinal())
        if first <= last:
            found += _reign(revision, start, first, last, plan.flares)
        last = min(last, revision.effective_on.toordinal() - 1)
    return sorted(found, key=lambda stretch: stretch.first)


def _reign(revision: Revision, start: int, first: int, last: int, flares: Iterable[Flare]) -> Iterable[Stretch]:
    """The stretches of one revision between two days: its phases, and its flare plan on the days of a flare."""
    spans = _merged(flares) if revision.flare else []
    for flare_first, flare_last in spans:
        if revision.flare and max(first, flare_first) <= min(last, flare_last):
            yield _stretch(revision.flare, max(first, flare_first), min(last, flare_last), start)
    ordinary = _without(first, last, spans)
    for phase in revision.phases:
        phase_start = start + phase.from_day - 1
        phase_end = last if phase.to_day is None else start + phase.to_day - 1
        for one, other in ordinary:
            if max(one, phase_start) <= min(other, phase_end):
                yield _stretch(phase, max(one, phase_start), min(other, phase_end), phase_start)


def _without(first: int, last: int, spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of the days from `first` to `last` between merged spans."""
    left = []
    for one, other in spans:
        if first < one:
            left.append((first, min(last, one - 1)))
        first = max(first, other + 1)
    if first <= last:
        left.append((first, last))
    return [(one, other) for one, other in left if one <= other]


def _stretch(phase: Phase, first: int, last: int, phase_start: int) -> Stretch:
    expected = [line for line in phase.lines if not line.as_needed]
    stretch = Stretch(
        first=first,
        last=last,
        phase=phase,
        phase_start=phase_start,
        flexible=max((line.days_per_week or 0 for line in expected), default=0),
        definite_weekdays=frozenset(day for line in expected for day in line.weekdays),
        intervals=frozenset(line.every_n_days for line in expected if line.every_n_days),
        by_weekday=None,
    )
    if stretch.intervals:
        return stretch
    return replace(stretch, by_weekday=tuple(stretch.weight(day) for day in range(_A_MONDAY, _A_MONDAY + WEEK)))


def _merged(pauses: Iterable[Pause | Flare]) -> list[tuple[int, int]]:
    spans = sorted(
        (pause.from_on.toordinal(), pause.to_on.toordinal() if pause.to_on else date.max.toordinal())
        for pause in pauses
    )
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged
