"""Implementation as three rates, always together: how often, how much of the list, how much of the dose.

Frequency is session days done ÷ expected, completeness is items touched ÷ expected, dose is the mean
share of the prescribed amount over the items touched. Exercise cannot be banked: done is capped at what was
expected in each block of seven days counted back from the window's last day, and each item's dose at 100 %.
(Definitions after the ABC taxonomy and the exercise-reporting literature: engine study, sections 1.1 and 4.)
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from models.adherence.plan import Line, Plan
from models.adherence.schedule import UNIT, WEEK, Schedule, line_weight

WINDOWS = (7, 14, 28)
"""Days; the whole program is the fourth window."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One exercise of a session. An amount left out was done as prescribed."""

    line_id: UUID
    sets: int | None = None
    reps: int | None = None
    hold_seconds: int | None = None
    minutes: float | None = None
    """Minutes in all, over the session's sets or bouts."""
    skipped: bool = False
    reason: str | None = None
    """Why it was left out."""
    pain: int | None = None
    not_sure: bool = False


@dataclass(frozen=True, slots=True)
class Bout:
    """One session with exercise, on its local date."""

    day: date
    entries: tuple[Entry, ...]
    pain: int | None = None
    """The worst of it, 0-10."""
    effort: int | None = None
    """0-10."""
    waited: timedelta | None = None
    """From the session to its arrival."""
    low_trust: bool = False
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate with the numbers it came from; both count session days or items."""

    numerator: float
    denominator: float

    @property
    def value(self) -> float | None:
        """0-1, or None where nothing was expected."""
        return min(1.0, self.numerator / self.denominator) if self.denominator else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The three rates of one window, both days included."""

    first: date
    last: date
    frequency: Rate
    completeness: Rate
    dose: Rate
    """Numerator: summed shares of the prescribed amount; denominator: items touched."""
    excluded_days: int
    """Days of the window outside the program or paused: in neither numerator nor denominator."""


def windows(plan: Plan, today: date, *, logged_today: bool) -> dict[str, tuple[date, date]]:
    """The windows ending at `today`. An unfinished day is never a missed one: today counts once it is logged."""
    last = today.toordinal() - (0 if logged_today else 1)
    if plan.ends_on:
        last = min(last, plan.ends_on.toordinal())
    spans = {f"{days}_days": last - days + 1 for days in WINDOWS} | {"program": plan.starts_on.toordinal()}
    return {name: (date.fromordinal(first), date.fromordinal(last)) for name, first in spans.items()}


def rates(plan: Plan, bouts: Sequence[Bout], first: date, last: date) -> Rates:
    """The three rates of `plan` from `first` to `last`, both included."""
    schedule = Schedule(plan)
    by_day: dict[int, list[Bout]] = {}
    for bout in bouts:
        if first <= bout.day <= last:
            by_day.setdefault(bout.day.toordinal(), []).append(bout)
    days_done = days_expected = items_done = items_expected = excluded = 0
    dose_sum, touched = 0.0, 0
    # Whole weeks back from the last day, so that "three a week" is judged over seven days wherever the window ends.
    end = last.toordinal()
    while end >= first.toordinal():
        block = Block.of(schedule, by_day, max(first.toordinal(), end - WEEK + 1), end)
        excluded += block.excluded
        days_expected += block.expected
        days_done += min(block.done, block.expected)
        items_expected += sum(block.line_expected.values())
        items_done += block.items_done
        dose_sum += block.dose_sum
        touched += block.touched
        end -= WEEK
    return Rates(
        first=first,
        last=last,
        frequency=Rate(days_done / UNIT, days_expected / UNIT),
        completeness=Rate(items_done / UNIT, items_expected / UNIT),
        dose=Rate(dose_sum, float(touched)),
        excluded_days=excluded,
    )


def minutes_done(
    plan: Plan, bouts: Sequence[Bout], first: date, last: date, minutes_of: Callable[[Line], float]
) -> Rate:
    """Minutes done and prescribed from `first` to `last`, paused days in neither; `minutes_of` is one round of a line.

    Not capped: whoever does it all on two days has done it.
    """
    schedule = Schedule(plan)
    by_day: dict[int, list[Entry]] = {}
    for bout in bouts:
        by_day.setdefault(bout.day.toordinal(), []).extend(bout.entries)
    done = prescribed = 0.0
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        stretch = schedule.stretch(ordinal)
        if stretch is None or schedule.is_paused(ordinal):
            continue
        lines = {line.line_id: line for line in stretch.phase.lines if not line.as_needed}
        for line in lines.values():
            rounds = line_weight(line, stretch.phase_start, ordinal) * line.sessions_per_day / UNIT
            prescribed += rounds * minutes_of(line)
        for entry in by_day.get(ordinal, ()):
            if entry.line_id in lines and not entry.skipped:
                line = lines[entry.line_id]
                done += dose_share(line, entry) * minutes_of(line)
    return Rate(done, prescribed)


def dose_share(line: Line, entry: Entry) -> float:
    """The share of the prescribed amount that was done: sets x reps x hold, or minutes; 0-1."""
    if line.duration_minutes is not None:
        if entry.minutes is not None:
            return min(1.0, entry.minutes / (line.duration_minutes * (line.sets or 1)))
        return _share(entry.sets, line.sets)
    return min(
        1.0,
        _ratio(entry.sets, line.sets) * _ratio(entry.reps, line.reps) * _ratio(entry.hold_seconds, line.hold_seconds),
    )


class Block:
    """Up to seven days over which done is capped at expected. Days and items are in `UNIT`ths."""

    def __init__(self) -> None:
        self.expected = self.done = 0
        self.excluded = 0
        """Days outside the program or paused."""
        self.line_expected: Counter[UUID] = Counter()
        self.line_done: Counter[UUID] = Counter()
        self.dose_sum, self.touched = 0.0, 0

    @classmethod
    def of(cls, schedule: Schedule, by_day: Mapping[int, Sequence[Bout]], first: int, last: int) -> "Block":
        """The days from `first` to `last`, both included, as ordinals."""
        block = cls()
        for ordinal in range(first, last + 1):
            block._add(schedule, ordinal, by_day.get(ordinal, ()))
        return block

    @property
    def items_done(self) -> int:
        """Items touched, each line's capped at what was expected of it."""
        return sum(min(done, self.line_expected[line]) for line, done in self.line_done.items())

    def _add(self, schedule: Schedule, ordinal: int, bouts: Sequence[Bout]) -> None:
        stretch = schedule.stretch(ordinal)
        if stretch is None or schedule.is_paused(ordinal):
            self.excluded += 1
            return
        self.expected += stretch.weight(ordinal)
        self.done += UNIT if bouts else 0
        lines = {line.line_id: line for line in stretch.phase.lines}
        for line in lines.values():
            weight = line_weight(line, stretch.phase_start, ordinal)
            self.line_expected[line.line_id] += weight * line.sessions_per_day
        self._count_entries(lines, [entry for bout in bouts for entry in bout.entries])

    def _count_entries(self, lines: dict[UUID, Line], entries: Iterable[Entry]) -> None:
        touches: Counter[UUID] = Counter()
        for entry in entries:
            line = lines.get(entry.line_id)
            if line is None or line.as_needed or entry.skipped:
                continue
            touches[line.line_id] += 1
            if touches[line.line_id] <= line.sessions_per_day:
                self.line_done[line.line_id] += UNIT
            self.dose_sum += dose_share(line, entry)
            self.touched += 1


def _ratio(done: float | None, prescribed: float | None) -> float:
    return 1.0 if done is None or not prescribed else done / prescribed


def _share(done: float | None, prescribed: float | None) -> float:
    return min(1.0, _ratio(done, prescribed))
