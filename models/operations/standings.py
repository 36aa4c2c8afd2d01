"""Writing down what the engine says: standings and flags, in the transaction of whatever changed them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, func, literal, null, or_, select, type_coerce
from sqlalchemy.orm import Session

from models.adherence import RULE_VERSION, Assessment, Change, Done, Standing, assess, standing_at
from models.adherence.flags import findings
from models.adherence.kinds import FlagKind, Report, by_time
from models.adherence.plan import Plan
from models.adherence.silence import HISTORY_DAYS
from models.adherence.view import LOOK_BACK_DAYS, View, Withdrawal
from models.database import insert_or_replace
from models.operations import weeks
from models.operations.bouts import done_in
from models.operations.courses import Course
from models.operations.flags import Because, Heard, detached, heed, save, settle, superseded
from models.operations.versions import Past
from models.tables import (
    CheckIn,
    Contact,
    Flag,
    Program,
    ProgramStanding,
    ProgramStatus,
    ProgramWeek,
    Screening,
    SessionLog,
)

SETTLES = timedelta(minutes=15)
"""A phone that sends its queue one session at a time has not said all at the first one: only after this long does
having been in touch prove that nothing more was waiting."""
_REPLANNED = frozenset({Because.PLAN_CHANGED, Because.PAUSED, Because.PROGRAM_ENDED})
"""What changes expectation: every week is counted anew."""
TOUCH_DAYS = 60
"""Days up to the last session from which on contacts tell how often a phone is usually in touch."""


@dataclass(frozen=True, slots=True)
class History:
    """What of a program's sessions the engine listens to."""

    done: tuple[Done, ...]
    contacts: tuple[datetime, ...]
    reports: tuple[Report, ...]
    touches: tuple[datetime, ...] = ()
    """When a phone was in touch lately."""


@dataclass(frozen=True, slots=True)
class _Before:
    """What was last written of a program, and when its patient was last asked the red-flag questions."""

    standing: ProgramStanding | None
    flags: list[Flag]
    screened_at: datetime | None
    has_weeks: bool
    """False in a database from before there were any, until they are counted."""


def _before() -> Any:
    """Written once: what is sent with every log should not be put together anew each time."""
    clinic_id = bindparam("clinic_id", type_=Program.clinic_id.type)
    screened = (
        select(func.max(Screening.screened_at))
        .where(Screening.clinic_id == clinic_id, Screening.patient_id == Program.patient_id)
        .correlate(Program)
        .scalar_subquery()
    )
    has_weeks = (
        select(ProgramWeek.monday)
        .where(ProgramWeek.clinic_id == clinic_id, ProgramWeek.program_id == Program.id)
        .correlate(Program)
        .exists()
    )
    named = and_(Flag.clinic_id == clinic_id, Flag.about_id.in_(bindparam("abouts", expanding=True)))
    return (
        select(Program.id, ProgramStanding, screened, has_weeks, Flag)
        .join(
            ProgramStanding,
            and_(ProgramStanding.clinic_id == Program.clinic_id, ProgramStanding.program_id == Program.id),
            isouter=True,
        )
        .join(
            Flag,
            and_(
                # One arm for each partial index, and what they are asked for named: else all flags are read.
                or_(and_(named, Flag.closed_at.is_(None)), and_(named, Flag.closed_by.is_not(None))),
                Flag.about_id.in_([Program.id, Program.patient_id]),
            ),
            isouter=True,
        )
        .where(Program.clinic_id == clinic_id, Program.id.in_(bindparam("programs", expanding=True)))
        .order_by(Program.id, Flag.id)
    )


_BEFORE = _before()


def restate(
    tx: Session,
    clinic_id: UUID,
    found: Mapping[UUID, Course],
    *,
    because: Because,
    now: datetime,
    heard: Mapping[UUID, Sequence[Heard]] | None = None,
    rewritten: Collection[UUID] = (),
    days: Mapping[UUID, Collection[date]] = MappingProxyType({}),
) -> None:
    """Judge every course anew and write its standing, its flags and its weeks: nine statements at most, however many
    courses; three more where the plan changed.

    `heard` are the safety answers by program; `rewritten` are the programs whose past was changed: sessions amended or
    deleted, so that their last day may lie earlier than the one last written; `days` are the days whose sessions
    changed.
    """
    before = _standings_and_flags(tx, clinic_id, found)
    last_days = {
        program_id: known.standing.last_day if known.standing and program_id not in rewritten else None
        for program_id, known in before.items()
    }
    histories = _histories(tx, clinic_id, found, last_days)
    # Some days more, for those who live ahead of us.
    looked_back_to = {program_id: _looks_back_to(history, now) for program_id, history in histories.items()}
    since = min(looked_back_to.values())
    done = weeks.with_weeks(tx, clinic_id, done_in(tx, clinic_id, found, since=since), days, since)
    unsure = {str(session_id) for session_id in done.unsure}
    check_ins = _check_ins(tx, clinic_id, found, before)
    standings: list[dict[str, Any]] = []
    flags: list[Flag] = []
    plans: dict[UUID, Plan] = {}
    for program_id, course in found.items():
        if course.program.status is ProgramStatus.DRAFT:
            continue
        known, history = before[program_id], histories[program_id]
        plans[program_id] = plan = course.plan()
        judged = assess(
            plan,
            history.done,
            now,
            contacts=history.contacts,
            withdrawn=course.withdrawn,
            rule=course.thresholds.silence,
        )
        standings.append(_standing_row(clinic_id, program_id, judged, known.standing, now))
        about_program = [flag for flag in known.flags if flag.about_id == program_id]
        view = _view(course, plan, judged, history, known, now)
        told = [replace(one, unsure=True) if one.session_id in unsure else one for one in view.reports]
        lately = [bout for bout in done.of(program_id) if bout.day >= looked_back_to[program_id]]
        view = replace(view, reports=told, bouts=lately, check_in=check_ins.get(program_id))
        flags += settle(course, about_program, findings(view), because=because, now=now)
    flags += _heeded(clinic_id, found, before, heard or {}, now)
    insert_or_replace(tx, ProgramStanding, standings)
    save(tx, flags)
    running = {one: found[one] for one in plans}
    written = {
        one: row.assessed_at for one in running if (row := before[one].standing) is not None and before[one].has_weeks
    }
    if because in _REPLANNED or written.keys() != running.keys():
        weeks.recount_all(tx, clinic_id, running, now)
    else:
        weeks.recount_some(tx, clinic_id, running, plans, done, days, written, now)


def _known(tx: Session, clinic_id: UUID, course: Course, as_of: datetime, replaced: Sequence[Past]) -> list["_Row"]:
    """A program's sessions as they were known at `as_of`, all of them; `replaced` are those amended or deleted since,
    as they were then.
    """
    program_id = course.program.id
    rows = tx.execute(
        _heard(clinic_id, [program_id])
        .where(SessionLog.changed_at <= as_of)
        .union_all(_contacts(clinic_id, [program_id]).where(Contact.at <= as_of))
    )
    known = [_Row(*row) for row in rows]
    known += [
        _Row(
            program_id=program_id,
            session_id=past.session_id,
            local_date=past.local_date,
            performed_at=past.performed_at,
            received_at=past.received_at,
            exercised=past.exercised,
            worst_pain=past.worst_pain,
            main_reason=past.main_reason,
            told_at=past.told_at,
            pain_before=past.pain_before,
            settled=past.settled,
            chips=past.chips,
        )
        for past in replaced
    ]
    return known


def everything_of(
    tx: Session, clinic_id: UUID, course: Course, as_of: datetime, replaced: Sequence[Past]
) -> tuple[History, History]:
    """A program's sessions as they were known at `as_of`: what the engine listens to, and the same with everything that
    is too old for it. `replaced` are those amended or deleted since, as they were then.
    """
    known = _known(tx, clinic_id, course, as_of, replaced)
    return _history(known), _history(known, whole=True)


def _standings_and_flags(tx: Session, clinic_id: UUID, found: Mapping[UUID, Course]) -> dict[UUID, _Before]:
    """Each program's standing as last written, and the flags about it or its patient that are open or were closed by
    hand, in one statement.
    """
    patients = {course.program.patient_id for course in found.values()}
    asked = {"clinic_id": clinic_id, "programs": list(found), "abouts": [*found, *patients]}
    rows = tx.execute(_BEFORE, asked, execution_options={"populate_existing": True}).all()
    before: dict[UUID, _Before] = {}
    for program_id, standing, screened_at, has_weeks, flag in rows:
        known = before.setdefault(program_id, _Before(standing, [], screened_at, bool(has_weeks)))
        if flag is not None:
            known.flags.append(flag)
    for flag in {id(flag): flag for known in before.values() for flag in known.flags}.values():
        detached(tx, flag)
    return before


def _check_ins(
    tx: Session, clinic_id: UUID, found: Mapping[UUID, Course], before: Mapping[UUID, _Before]
) -> dict[UUID, tuple[date, int]]:
    """The day and month of the first check-in of each discharged program that waits for an answer: one before another
    that was answered is not asked any more, and one whose flag somebody closed does not stand before the next.
    """
    discharged = [one.program.id for one in found.values() if one.program.status is ProgramStatus.DISCHARGED]
    if not discharged:
        return {}
    rows = tx.execute(
        select(CheckIn.program_id, CheckIn.due_on, CheckIn.month, CheckIn.version)
        .where(CheckIn.clinic_id == clinic_id, CheckIn.program_id.in_(discharged))
        .order_by(CheckIn.due_on)
    )
    waiting: dict[UUID, tuple[date, int]] = {}
    closed = {
        (flag.about_id, flag.episode)
        for known in before.values()
        for flag in known.flags
        if flag.kind is FlagKind.CHECK_IN_OVERDUE and flag.closed_by is not None
    }
    for program_id, due_on, month, version in rows:
        if version:
            waiting.pop(program_id, None)
        elif (program_id, due_on.isoformat()) not in closed:
            waiting.setdefault(program_id, (due_on, month))
    return waiting


@dataclass(frozen=True, slots=True)
class _Row:
    """A session, or a contact that brought none (then without an id)."""

    program_id: UUID
    session_id: UUID | None
    local_date: date
    performed_at: datetime
    received_at: datetime
    exercised: bool
    worst_pain: int | None
    main_reason: str | None
    pain_before: int | None = None
    settled: bool | None = None
    chips: Sequence[str] = ()
    low_trust: bool = False
    told_at: datetime | None = None


def _heard(clinic_id: Any, programs: Any) -> Any:
    """The sessions of some programs; ids, or parameters for them."""
    return select(
        SessionLog.program_id,
        SessionLog.id,
        SessionLog.local_date,
        SessionLog.performed_at,
        SessionLog.received_at,
        SessionLog.exercised,
        SessionLog.worst_pain,
        SessionLog.main_reason,
        SessionLog.pain_before,
        SessionLog.settled_by_morning,
        SessionLog.chips,
        SessionLog.low_trust,
        SessionLog.told_at,
    ).where(SessionLog.clinic_id == clinic_id, SessionLog.program_id.in_(programs), SessionLog.deleted_at.is_(None))


def _contacts(clinic_id: Any, programs: Any) -> Any:
    """In the columns of `_heard`."""
    return (
        select(
            Program.id,
            type_coerce(null(), SessionLog.id.type),
            Contact.local_date,
            Contact.at,
            Contact.at,
            literal(value=False),
            type_coerce(null(), SessionLog.worst_pain.type),
            type_coerce(null(), SessionLog.main_reason.type),
            type_coerce(null(), SessionLog.pain_before.type),
            type_coerce(null(), SessionLog.settled_by_morning.type),
            type_coerce(null(), SessionLog.chips.type),
            literal(value=False),
            type_coerce(null(), SessionLog.told_at.type),
        )
        .join(Program, and_(Program.clinic_id == Contact.clinic_id, Program.patient_id == Contact.patient_id))
        .where(Contact.clinic_id == clinic_id, Program.clinic_id == clinic_id, Program.id.in_(programs))
    )


@lru_cache(maxsize=100)
def _windows(count: int) -> Any:
    """The sessions and contacts of so many programs, each from days of its own on. Written once: it goes with every
    log.
    """
    programs = bindparam("programs", type_=Program.id.type, expanding=True)
    clinic_id = bindparam("clinic_id", type_=Program.clinic_id.type)
    heard, contacts = _heard(clinic_id, programs), _contacts(clinic_id, programs)
    names = ("program", "first", "lately")
    asked: list[Any] = [[bindparam(f"{name}_{number}") for name in names] for number in range(count)]
    return heard.where(
        or_(*(and_(SessionLog.program_id == one, SessionLog.local_date >= first) for one, first, _ in asked))
    ).union_all(
        contacts.where(or_(*(and_(Program.id == one, Contact.local_date >= lately) for one, _, lately in asked)))
    )


def _histories(
    tx: Session,
    clinic_id: UUID,
    found: Mapping[UUID, Course],
    last_days: Mapping[UUID, date | None],
) -> dict[UUID, History]:
    """The sessions habit is learnt from, of the last `HISTORY_DAYS` up to the last one; and the contacts of the last
    `TOUCH_DAYS` before it, and since.
    """
    asked: dict[str, Any] = {"clinic_id": clinic_id, "programs": list(found)}
    for number, program_id in enumerate(found):
        # The last day only moves forward here, so a window from the one last written is wide enough.
        known = last_days[program_id]
        asked[f"program_{number}"] = program_id
        asked[f"first_{number}"] = known - timedelta(days=HISTORY_DAYS) if known else date.min
        asked[f"lately_{number}"] = known - timedelta(days=TOUCH_DAYS) if known else date.min
    rows: dict[UUID, list[_Row]] = {program_id: [] for program_id in found}
    for row in tx.execute(_windows(len(found)), asked):
        rows[row[0]].append(_Row(*row))
    return {program_id: _history(of_program) for program_id, of_program in rows.items()}


def _history(rows: Sequence[_Row], *, whole: bool = False) -> History:
    """In the order of days, whatever order the rows came in; no further back than habit is learnt from, however far the
    rows go, so that whoever judges the same history judges it alike; or the `whole` of it.
    """
    last = max((row.local_date for row in rows if row.exercised), default=date.min)
    first = last - timedelta(days=HISTORY_DAYS) if last > date.min and not whole else date.min
    ordered = sorted(
        (row for row in rows if row.local_date >= first), key=lambda row: (row.local_date, str(row.session_id))
    )
    reports = tuple(
        Report(
            session_id=str(row.session_id),
            day=row.local_date,
            performed_at=row.performed_at,
            received_at=row.received_at,
            exercised=row.exercised,
            worst_pain=row.worst_pain,
            reason=row.main_reason,
            pain_before=row.pain_before,
            settled=row.settled,
            chips=tuple(row.chips),
            low_trust=row.low_trust,
            changed_at=row.told_at,
        )
        for row in ordered
        if row.session_id is not None
    )
    return History(
        done=tuple(Done(report.day, report.received_at) for report in reports if report.exercised),
        contacts=tuple(row.received_at + SETTLES for row in ordered),
        reports=reports,
        touches=tuple(
            row.received_at
            for row in ordered
            if row.session_id is None and (last == date.min or row.local_date >= last - timedelta(days=TOUCH_DAYS))
        ),
    )


def _looks_back_to(history: History, now: datetime) -> date:
    """From which day on the rules look at entries: from the last session back, with some days more for those who live
    ahead of us.
    """
    last = max((one.day for one in history.done), default=now.date())
    return min(last, now.date()) - timedelta(days=LOOK_BACK_DAYS + 3)


def _view(course: Course, plan: Plan, judged: Assessment, history: History, known: _Before, now: datetime) -> View:
    program = course.program
    about = [flag for flag in known.flags if flag.about_id == program.id]
    by_hand = [flag for flag in about if flag.closed_by is not None]
    withdrawal = None
    if course.withdrawn and program.ended_on is not None and program.ended_at is not None:
        withdrawal = Withdrawal(program.end_reason or "other", program.ended_on, program.ended_at)
    closed_at: dict[FlagKind, datetime] = {}
    for flag in by_hand:
        if flag.closed_at is not None:
            closed_at[flag.kind] = max(flag.closed_at, closed_at.get(flag.kind, flag.closed_at))
    return View(
        plan=plan,
        judged=judged,
        now=now,
        reports=sorted(history.reports, key=by_time),
        done=history.done,
        contacts=history.contacts,
        touches=history.touches,
        trains=course.trains,
        screened_on=known.screened_at.astimezone(course.zone).date() if known.screened_at else None,
        review_due_on=program.review_due_on,
        withdrawal=withdrawal,
        # A reason somebody has answered does not stand before one that nobody has.
        answered=frozenset(
            (flag.episode, flag.evidence.get("reason")) for flag in by_hand if flag.kind is FlagKind.BARRIER
        ),
        closed_at=closed_at,
        limits=course.thresholds,
    )


def _heeded(
    clinic_id: UUID,
    found: Mapping[UUID, Course],
    before: Mapping[UUID, _Before],
    heard: Mapping[UUID, Sequence[Heard]],
    now: datetime,
) -> list[Flag]:
    """The safety flags to write for answers that came with sessions, patient by patient."""
    by_patient: dict[UUID, list[tuple[UUID, Heard]]] = {}
    for program_id, answers in heard.items():
        patient_id = found[program_id].program.patient_id
        by_patient.setdefault(patient_id, []).extend((program_id, answer) for answer in answers)
    flags: list[Flag] = []
    for patient_id, told in by_patient.items():
        program_id = told[0][0]
        known = [flag for flag in before[program_id].flags if flag.about_id == patient_id]
        answers = [answer for _, answer in told]
        stood_in = superseded(known, {answer.source for answer in answers}, now)
        flags += stood_in
        left = [flag for flag in known if flag not in stood_in]
        flags += heed(left, answers, clinic_id, patient_id, program_id, now)
    return flags


def _standing_row(
    clinic_id: UUID, program_id: UUID, judged: Assessment, before: ProgramStanding | None, now: datetime
) -> dict[str, Any]:
    heard = judged.silence
    return {
        "clinic_id": clinic_id,
        "program_id": program_id,
        "standing": judged.standing,
        "since": _since(judged.standing, before, now),
        "changes_at": judged.changes_at,
        "forecast": [[change.at.isoformat(), change.standing.value] for change in judged.forecast],
        "last_day": heard.last_day if heard else None,
        "stopped_at": heard.stopped_at if heard else None,
        "habit": heard.habit if heard else None,
        "weekly_slots": heard.weekly_slots if heard else None,
        "assessed_at": now,
        "rule_version": RULE_VERSION,
    }


def forecast_of(row: ProgramStanding) -> list[Change]:
    """The stored future of a program."""
    return [Change(datetime.fromisoformat(at), Standing(standing)) for at, standing in row.forecast]


def _since(standing: Standing, before: ProgramStanding | None, now: datetime) -> datetime:
    """When the present standing began: time may have changed it since it was last written."""
    if before is None:
        return now
    forecast = forecast_of(before)
    if standing_at(before.standing, forecast, now) is not standing:
        return now
    return max((change.at for change in forecast if change.at <= now), default=before.since)
