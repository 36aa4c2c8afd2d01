"""What is expected on each local day, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from models.adherence.schedule import UNIT, WEEK, line_weight
from models.operations.callers import Caller
from models.operations.courses import Course, last_day, last_flare_day, line_of, slug_of
from models.operations.prescribing import course
from models.refusals import Invalid, WrongStatus
from models.tables import Item, PauseReason, Phase, PhaseKind, ProgramStatus, SessionEntry, SessionLog

Done = Mapping[tuple[UUID, date], int]
"""(Line, local day) → sessions that touched it."""
LONGEST = timedelta(days=62)
"""Days one agenda covers."""


class Why(StrEnum):
    """Why a day is as it is."""

    PHASE = "phase"
    FLARE = "flare"
    PAUSED = "paused"
    NOT_BEGUN = "not_begun"
    ENDED = "ended"
    BETWEEN_PHASES = "between_phases"


class Kind(StrEnum):
    """How an item stands on a day."""

    DUE = "due"
    """On this very day."""
    FLEXIBLE = "flexible"
    """On some days of the week, whichever the patient likes."""
    AS_NEEDED = "as_needed"
    """Never expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgendaItem:
    """One line on one day."""

    item: Item
    name: str
    kind: Kind
    times_done: int
    """Sessions of the day that touched it."""
    days_left: int | None
    """Flexible: how many days of this week (Monday to Sunday) are still to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgendaDay:
    """One local day."""

    day: date
    why: Why
    phase: str | None
    pause_reason: PauseReason | None
    items: Sequence[AgendaItem]


def agenda(
    tx: Session, caller: Caller, program_id: UUID, *, first: date | None, last: date | None, now: datetime
) -> list[AgendaDay]:
    """Each day from `first` to `last`, both included: today and the six days after it unless said otherwise."""
    found = course(tx, caller, program_id)
    if found.program.status is ProgramStatus.DRAFT:
        raise WrongStatus("The program is a draft; nothing is expected yet.")
    start = first or found.local_today(now)
    end = last or start + timedelta(days=WEEK - 1)
    if not start <= end <= start + LONGEST:
        raise Invalid(f"An agenda covers 1 to {LONGEST.days + 1} days.", field="/to")
    done = done_on(tx, caller.clinic_id, [found], start, end)
    return [day_of(found, start + timedelta(days=number), done) for number in range((end - start).days + 1)]


def day_of(found: Course, day: date, done: Done) -> AgendaDay:
    """One local day of a program, seen with what was done (`done_on`)."""
    program = found.program
    paused = next((one for one in found.pauses if one.from_on <= day <= last_day(one)), None)
    if day < program.starts_on:
        return _nothing(day, Why.NOT_BEGUN)
    if program.ended_on is not None and day > program.ended_on:
        return _nothing(day, Why.ENDED)
    if paused is not None:
        return _nothing(day, Why.PAUSED, paused.reason)
    phases = found.phases_of(found.revision_on(day).number)
    in_flare = any(one.from_on <= day <= last_flare_day(one) for one in found.flares)
    flare = next((one for one in phases if one[0].kind is PhaseKind.FLARE), None)
    number = (day - program.starts_on).days + 1
    course_phase = next((one for one in phases if _covers(one[0], number)), None)
    standing = flare if in_flare and flare else course_phase
    if standing is None:
        return _nothing(day, Why.BETWEEN_PHASES)
    phase, items = standing
    is_flare = phase.kind is PhaseKind.FLARE
    begins = program.starts_on + timedelta(days=phase.from_day - 1)
    listed = [one for item in items if (one := _item(found, item, begins, day, done)) is not None]
    why = Why.FLARE if is_flare else Why.PHASE
    return AgendaDay(day=day, why=why, phase=phase.label, pause_reason=None, items=listed)


def _covers(phase: Phase, number: int) -> bool:
    within = phase.from_day <= number and (phase.to_day is None or number <= phase.to_day)
    return phase.kind is PhaseKind.COURSE and within


def _nothing(day: date, why: Why, reason: PauseReason | None = None) -> AgendaDay:
    return AgendaDay(day=day, why=why, phase=None, pause_reason=reason, items=())


def _item(found: Course, item: Item, begins: date, day: date, done: Done) -> AgendaItem | None:
    """The item on that day; None on a day that is not one of its definite days."""
    kind, left = Kind.DUE, None
    weight = line_weight(line_of(item), begins.toordinal(), day.toordinal())
    if item.as_needed_max_per_day is not None:
        kind = Kind.AS_NEEDED
    elif weight == 0:
        return None
    elif weight < UNIT:
        monday = day - timedelta(days=day.weekday())
        week = [monday + timedelta(days=number) for number in range(WEEK)]
        quota = item.days_per_week or 0
        kind, left = Kind.FLEXIBLE, max(0, quota - sum((item.line_id, one) in done for one in week))
    return AgendaItem(
        item=item,
        name=found.names[slug_of(item)],
        kind=kind,
        times_done=done.get((item.line_id, day), 0),
        days_left=left,
    )


def done_on(tx: Session, clinic_id: UUID, found: Sequence[Course], first: date, last: date) -> Done:
    """What was done of one patient's programs in the weeks, Monday to Sunday, of the days from `first` to `last`."""
    monday, sunday = first - timedelta(days=first.weekday()), last + timedelta(days=WEEK - 1 - last.weekday())
    rows = tx.execute(
        select(SessionEntry.line_id, SessionLog.local_date, func.count())
        .join(
            SessionLog,
            and_(
                SessionLog.clinic_id == SessionEntry.clinic_id,
                SessionLog.patient_id == SessionEntry.patient_id,
                SessionLog.id == SessionEntry.session_id,
            ),
        )
        .where(
            SessionEntry.clinic_id == clinic_id,
            SessionEntry.patient_id.in_({course.program.patient_id for course in found}),
            SessionEntry.skipped.is_(False),
            SessionLog.clinic_id == clinic_id,
            SessionLog.program_id.in_([course.program.id for course in found]),
            SessionLog.deleted_at.is_(None),
            SessionLog.local_date.between(monday, sunday),
        )
        .group_by(SessionEntry.line_id, SessionLog.local_date)
    )
    return {(line_id, day): count for line_id, day, count in rows}
