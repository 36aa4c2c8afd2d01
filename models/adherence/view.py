"""What the rules of the flags look at: one program as it is known at a moment."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from uuid import UUID

from models.adherence.assessment import Assessment, Standing
from models.adherence.episodes import Absence, absences
from models.adherence.kinds import FlagKind, Report
from models.adherence.plan import Plan
from models.adherence.rates import Bout
from models.adherence.schedule import UNIT, WEEK, Schedule, line_weight, midnight_after
from models.adherence.silence import Done
from models.adherence.thresholds import DEFAULTS, Thresholds

DAY = timedelta(days=1)
WALK_DAYS = 14
"""How far back windows are walked to see whether a matter that began then is over: it is, if for so long it has not
been sure any more."""
LOOK_BACK_DAYS = 42 + WALK_DAYS
"""Days of entries the rules look at: declining compares 14 with the 28 before."""
AHEAD_DAYS = 42
"""How far ahead a window is moved without a session; by then silence has long been the matter."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A patient's word that they stopped."""

    reason: str
    on: date
    told_at: datetime


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything the flags of one program look at."""

    plan: Plan
    judged: Assessment
    now: datetime
    reports: Sequence[Report] = ()
    """In the order they were done (`kinds.by_time`)."""
    bouts: Sequence[Bout] = ()
    """The sessions with exercise of the last `LOOK_BACK_DAYS` days, with their entries, in order."""
    done: Sequence[Done] = ()
    contacts: Sequence[datetime] = ()
    """Moments at which a phone had sent all it had."""
    touches: Sequence[datetime] = ()
    """When a phone was in touch lately, the first time on each day."""
    trains: Mapping[UUID, frozenset[str]] = field(default_factory=dict)
    """Line → `strength`, `core`."""
    screened_on: date | None = None
    """When the patient was last asked the red-flag questions."""
    review_due_on: date | None = None
    check_in: tuple[date, int] | None = None
    """The first check-in nobody has answered: its day and month."""
    withdrawal: Withdrawal | None = None
    answered: frozenset[tuple[str, str | None]] = frozenset()
    """Sessions whose reason (session, reason) somebody has dealt with."""
    closed_at: Mapping[FlagKind, datetime] = field(default_factory=dict)
    """When people last closed a flag of a kind by hand: windows count anew from the day after."""
    limits: Thresholds = DEFAULTS

    @cached_property
    def schedule(self) -> Schedule:
        """The plan on the calendar."""
        return Schedule(self.plan)

    @cached_property
    def days(self) -> "Days":
        """What was expected and done, day by day."""
        return Days(self)

    @cached_property
    def today(self) -> date:
        """The patient's date."""
        return self.now.astimezone(self.plan.zone).date()

    @property
    def is_over(self) -> bool:
        """Whether the program has ended."""
        return self.judged.standing in {Standing.ENDED, Standing.WITHDRAWN}

    @property
    def lapses_at(self) -> datetime | None:
        """When silence is the therapist's matter: flags about how the program is followed give way to it."""
        return self.judged.silence.lapsed_at if self.judged.silence else None

    @property
    def nudges_at(self) -> datetime | None:
        """When the patient is reminded of their silence: from then on missing days are that silence's."""
        return self.judged.silence.watch_at if self.judged.silence else None

    @cached_property
    def absences(self) -> list[Absence]:
        """The silences of the `LOOK_BACK_DAYS` days up to the last session that had lapsed before they ended, in order.

        Implementation is judged within episodes (ABC taxonomy): such days are the silence's, not missed days of a
        program that is being followed.
        """
        last = max((one.day for one in self.done), default=self.today)
        since = min(last, self.today) - LOOK_BACK_DAYS * DAY
        return absences(self.plan, self.schedule, self.done, self.contacts, self.limits.silence, since)

    def fresh(self, kind: FlagKind) -> list[Report]:
        """The reports told since people last closed a flag of this kind."""
        closed = self.closed_at.get(kind)
        return [report for report in self.reports if closed is None or report.told_at > closed]

    def closed_on(self, kind: FlagKind) -> date | None:
        """The patient's day on which people last closed a flag of this kind."""
        closed = self.closed_at.get(kind)
        return closed.astimezone(self.plan.zone).date() if closed else None

    def episode(self, kind: FlagKind) -> str:
        """What tells a matter that is judged over a window from the one people closed before."""
        closed = self.closed_at.get(kind)
        return closed.isoformat() if closed else ""

    def ends(self, day: date) -> datetime:
        """The instant at which a local day ends."""
        return midnight_after(day, self.plan.zone)


class Days:
    """What was expected and done on each day around today, ready to be summed over any window: the counting of
    `models.adherence.rates`, once instead of once a window, and without the days of lapsed silences.
    """

    def __init__(self, view: View) -> None:
        self._schedule = view.schedule
        # From the last session back: windows end with it, however long ago it was.
        last = max((one.day for one in view.done), default=view.today)
        self._first = min(last, view.today).toordinal() - LOOK_BACK_DAYS - 2
        self._last = view.today.toordinal() + AHEAD_DAYS
        self._absent = {
            ordinal
            for absence in view.absences
            for ordinal in range(absence.last_day.toordinal() + 1, absence.back.day.toordinal())
        }
        self._bouts: dict[int, list[Bout]] = {}
        for bout in view.bouts:
            self._bouts.setdefault(bout.day.toordinal(), []).append(bout)
        self._expected, self._done = [0], [0]
        for ordinal in range(self._first, self._last + 1):
            counts = self.counts(ordinal)
            self._expected.append(self._expected[-1] + (self._schedule.weight(ordinal) if counts else 0))
            self._done.append(self._done[-1] + (UNIT if counts and ordinal in self._bouts else 0))

    def counts(self, ordinal: int) -> bool:
        """Whether a day is one on which the program was to be followed: in force, not paused, no lapsed silence."""
        return (
            ordinal not in self._absent
            and not self._schedule.is_paused(ordinal)
            and self._schedule.stretch(ordinal) is not None
        )

    def silent(self, last: date, days: int) -> int:
        """How many of the days up to `last` were a lapsed silence's."""
        return sum(last.toordinal() - days < ordinal <= last.toordinal() for ordinal in self._absent)

    def frequency(self, last: date, days: int, after: date | None) -> tuple[float, float]:
        """Session days done and expected in the days up to `last`, none of them by `after`; done capped at expected in
        each seven.
        """
        done = expected = 0
        for first, end in self._blocks(last, days, after):
            due = self._expected[end] - self._expected[first]
            expected += due
            done += min(self._done[end] - self._done[first], due)
        return done / UNIT, expected / UNIT

    def items(self, last: date, days: int, after: date | None) -> tuple[float, float]:
        """Items touched and expected, touched capped at expected for each line in each seven days."""
        done = expected = 0
        for first, end in self._blocks(last, days, after):
            due: Counter[UUID] = Counter()
            touched: Counter[UUID] = Counter()
            for ordinal in range(self._first + first, self._first + end):
                self._count(ordinal, due, touched)
            expected += sum(due.values())
            done += sum(min(count, due[line_id]) for line_id, count in touched.items())
        return done / UNIT, expected / UNIT

    def _blocks(self, last: date, days: int, after: date | None) -> Iterable[tuple[int, int]]:
        end = last.toordinal() - self._first + 1
        start = max(0, end - days, after.toordinal() - self._first + 1 if after else 0)
        while end > start:
            yield max(start, end - WEEK), end
            end -= WEEK

    def _count(self, ordinal: int, due: Counter[UUID], touched: Counter[UUID]) -> None:
        stretch = self._schedule.stretch(ordinal)
        if stretch is None or not self.counts(ordinal):
            return
        today: Counter[UUID] = Counter()
        for bout in self._bouts.get(ordinal, ()):
            today.update(entry.line_id for entry in bout.entries if not entry.skipped)
        for line in stretch.phase.lines:
            if not line.as_needed:
                due[line.line_id] += line_weight(line, stretch.phase_start, ordinal) * line.sessions_per_day
                touched[line.line_id] += min(today[line.line_id], line.sessions_per_day) * UNIT
