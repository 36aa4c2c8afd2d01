"""Writing down what the engine says: standings and flags, in the transaction of whatever changed them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Table, and_, inspect, or_, select
from sqlalchemy.orm import Session

from models.adherence import RULE_VERSION, Assessment, Change, Done, Standing, assess, standing_at
from models.adherence.flags import SELF_CLOSING, Finding, FlagKind, Report, barrier, not_started, pain_high, silence
from models.adherence.silence import HISTORY_DAYS
from models.database import insert_for
from models.operations.courses import Course
from models.operations.ids import new_id
from models.safety.red_flags import Alarm
from models.tables import Base, DoneShare, Flag, Program, ProgramStanding, ProgramStatus, SessionLog

SETTLES = timedelta(minutes=15)
"""A phone that sends its queue one session at a time has not said all at the first one: only after this long does
having been in touch prove that nothing more was waiting."""


class Because(StrEnum):
    """Why a flag closed by itself."""

    RETURNED = "returned"
    LATE_DATA = "late_data"
    PLAN_CHANGED = "plan_changed"
    PAUSED = "paused"
    PROGRAM_ENDED = "program_ended"
    STARTED = "started"
    SETTLED = "settled"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    RECOUNTED = "recounted"


_ENDS_BY_LOGGING = {FlagKind.PAIN_HIGH: Because.SETTLED, FlagKind.NOT_STARTED: Because.STARTED}


@dataclass(frozen=True, slots=True)
class Heard:
    """Safety answers from one source, a session or a refused one; the same source again adds nothing."""

    source: str
    day: date
    alarms: Sequence[Alarm]


@dataclass(frozen=True, slots=True)
class History:
    """What of a program's sessions the engine listens to."""

    done: tuple[Done, ...]
    contacts: tuple[datetime, ...]
    reports: tuple[Report, ...]


def restate(
    tx: Session,
    clinic_id: UUID,
    found: Mapping[UUID, Course],
    *,
    because: Because,
    now: datetime,
    told: Sequence[Finding] = (),
    heard: Mapping[UUID, Sequence[Heard]] | None = None,
) -> dict[UUID, Assessment]:
    """Judge every course anew and write its standing and flags: four statements, however many courses.

    `told` are findings of a single course that do not come from its sessions; `heard` are safety answers by
    program.
    """
    before = _standings_and_flags(tx, clinic_id, found)
    histories = _histories(tx, clinic_id, found, {pid: standing for pid, (standing, _) in before.items()})
    assessments: dict[UUID, Assessment] = {}
    standings: list[dict[str, Any]] = []
    flags: list[Flag] = []
    for program_id, course in found.items():
        if course.program.status is ProgramStatus.DRAFT:
            continue
        standing, open_flags = before[program_id]
        history = histories[program_id]
        judged = assess(course.plan(), history.done, now, contacts=history.contacts, withdrawn=course.withdrawn)
        assessments[program_id] = judged
        standings.append(_standing_row(clinic_id, program_id, judged, standing, now))
        findings = [*_findings(course, judged, history, now), *told]
        about_program = [flag for flag in open_flags if flag.about_id == program_id]
        flags += _settle(course, about_program, findings, because=because, now=now)
    flags += _heeded(clinic_id, found, before, heard or {}, now)
    _save(tx, ProgramStanding, standings)
    _save(tx, Flag, [_row(flag) for flag in flags])
    return assessments


def raise_alarms(tx: Session, clinic_id: UUID, patient_id: UUID, heard: Sequence[Heard], *, now: datetime) -> None:
    """Open or add to the patient's safety flags, for answers that came without a session."""
    stmt = (
        select(Flag)
        .where(Flag.clinic_id == clinic_id, Flag.about_id == patient_id, Flag.closed_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    known = [_detached(tx, flag) for flag in tx.scalars(stmt).all()]
    _save(tx, Flag, [_row(flag) for flag in _alarm_flags(known, heard, clinic_id, patient_id, None, now)])


def history_of(tx: Session, clinic_id: UUID, course: Course, as_of: datetime) -> History:
    """A program's sessions as they were known at `as_of`, all of them."""
    rows = tx.execute(_sessions(clinic_id, [course.program.id]).where(SessionLog.received_at <= as_of)).all()
    return _history([row[1:] for row in rows])


def _standings_and_flags(
    tx: Session, clinic_id: UUID, found: Collection[UUID]
) -> dict[UUID, tuple[ProgramStanding | None, list[Flag]]]:
    """Each program's standing as last written, and the open flags about it or its patient, in one statement."""
    rows = tx.execute(
        select(Program.id, ProgramStanding, Flag)
        .join(
            ProgramStanding,
            and_(ProgramStanding.clinic_id == Program.clinic_id, ProgramStanding.program_id == Program.id),
            isouter=True,
        )
        .join(
            Flag,
            and_(
                Flag.clinic_id == Program.clinic_id,
                Flag.about_id.in_([Program.id, Program.patient_id]),
                Flag.closed_at.is_(None),
            ),
            isouter=True,
        )
        .where(Program.clinic_id == clinic_id, Program.id.in_(found))
        .execution_options(populate_existing=True)
    ).all()
    before: dict[UUID, tuple[ProgramStanding | None, list[Flag]]] = {}
    for program_id, standing, flag in rows:
        _, flags = before.setdefault(program_id, (standing, []))
        if flag is not None:
            flags.append(flag)
    for flag in {id(flag): flag for _, flags in before.values() for flag in flags}.values():
        _detached(tx, flag)
    return before


def _sessions(clinic_id: UUID, programs: Collection[UUID]) -> Any:
    return (
        select(
            SessionLog.program_id,
            SessionLog.id,
            SessionLog.local_date,
            SessionLog.performed_at,
            SessionLog.received_at,
            SessionLog.done,
            SessionLog.pain_during,
            SessionLog.reason,
        )
        .where(SessionLog.clinic_id == clinic_id, SessionLog.program_id.in_(programs), SessionLog.deleted_at.is_(None))
        .order_by(SessionLog.local_date, SessionLog.id)
    )


def _histories(
    tx: Session, clinic_id: UUID, found: Mapping[UUID, Course], standings: Mapping[UUID, ProgramStanding | None]
) -> dict[UUID, History]:
    """The sessions habit is learnt from: those of the last `HISTORY_DAYS` up to the last one."""
    stmt = _sessions(clinic_id, found)
    windows = []
    for program_id in found:
        standing = standings[program_id]
        # The last day only moves forward here, so a window from the one last written is wide enough.
        known = standing.last_day if standing else None
        first = known - timedelta(days=HISTORY_DAYS) if known else date.min
        windows.append(and_(SessionLog.program_id == program_id, SessionLog.local_date >= first))
    rows: dict[UUID, list[Any]] = {program_id: [] for program_id in found}
    for row in tx.execute(stmt.where(or_(*windows))):
        rows[row[0]].append(row[1:])
    return {program_id: _history(of_program) for program_id, of_program in rows.items()}


def _history(rows: Sequence[Any]) -> History:
    reports = tuple(
        Report(
            session_id=str(session_id),
            day=day,
            performed_at=performed_at,
            received_at=received_at,
            exercised=done is not DoneShare.NONE,
            pain_during=pain,
            reason=reason,
        )
        for session_id, day, performed_at, received_at, done, pain, reason in rows
    )
    return History(
        done=tuple(Done(report.day, report.received_at) for report in reports if report.exercised),
        contacts=tuple(report.received_at + SETTLES for report in reports),
        reports=reports,
    )


def _findings(course: Course, judged: Assessment, history: History, now: datetime) -> list[Finding]:
    over = judged.standing in {Standing.ENDED, Standing.WITHDRAWN} or course.program.ended_on is not None
    found = [pain_high(history.reports)]
    if not over:
        found += [silence(judged), not_started(judged, course.program.starts_on), barrier(history.reports)]
    return [finding for finding in found if finding and (finding.expires_at is None or finding.expires_at > now)]


def _settle(
    course: Course, open_flags: Sequence[Flag], findings: Sequence[Finding], *, because: Because, now: datetime
) -> list[Flag]:
    """What to write so that the open flags say what `findings` say: at most one open flag of a kind."""
    wanted = {finding.kind: finding for finding in findings}
    write: list[Flag] = []
    for flag in open_flags:
        finding = wanted.pop(flag.kind, None)
        if flag.kind not in SELF_CLOSING:
            continue
        if finding is not None and _is_same(flag, finding, now):
            if _tells(flag, finding, now):
                write.append(flag)
            continue
        # Closed rows come before new ones: the index allows one open flag of a kind.
        flag.closed_at, flag.closed_because = now, _reason(course, flag, finding, because, now)
        write.append(flag)
        if finding is not None:
            wanted[finding.kind] = finding
    program = course.program
    write += [
        _new_flag(program.clinic_id, program.patient_id, program.id, finding, about_id=program.id, now=now)
        for finding in wanted.values()
    ]
    return write


def _is_same(flag: Flag, finding: Finding, now: datetime) -> bool:
    """A promise that has not come due may be reworded; a flag someone may have seen only within its episode."""
    if flag.opens_at > now:
        return True
    return flag.episode == finding.episode and finding.opens_at <= now


def _tells(flag: Flag, finding: Finding, now: datetime) -> bool:
    """Write `finding` into `flag`; whether that changed anything."""
    said = _said(finding)
    if flag.opens_at <= now:
        # Never back-dated, never post-dated: it opened when it opened.
        said["opens_at"] = flag.opens_at
    changed = False
    for name, value in said.items():
        if getattr(flag, name) != value:
            setattr(flag, name, value)
            changed = True
    return changed


def _reason(course: Course, flag: Flag, finding: Finding | None, because: Because, now: datetime) -> Because:
    """Why an open flag closes, seen from what replaced it."""
    if flag.expires_at is not None and flag.expires_at <= now:
        return Because.EXPIRED
    if flag.kind is FlagKind.BARRIER and finding is not None:
        return Because.SUPERSEDED
    if because is not Because.RETURNED:
        return because
    if flag.kind in _ENDS_BY_LOGGING:
        return _ENDS_BY_LOGGING[flag.kind]
    # A session from before the flag opened had been done all along; one from after is a return.
    last = finding.evidence.get("last_day") if finding else None
    opened = flag.opens_at.astimezone(course.zone).date()
    return Because.LATE_DATA if last is not None and date.fromisoformat(last) < opened else Because.RETURNED


def _heeded(
    clinic_id: UUID,
    found: Mapping[UUID, Course],
    before: Mapping[UUID, tuple[ProgramStanding | None, list[Flag]]],
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
        known = [flag for flag in before[program_id][1] if flag.about_id == patient_id]
        flags += _alarm_flags(known, [answer for _, answer in told], clinic_id, patient_id, program_id, now)
    return flags


def _alarm_flags(
    known: Sequence[Flag],
    heard: Sequence[Heard],
    clinic_id: UUID,
    patient_id: UUID,
    program_id: UUID | None,
    now: datetime,
) -> list[Flag]:
    """What to write for safety answers. They concern the patient, not a program, and close only by hand."""
    flags = {flag.kind: flag for flag in known}
    changed: dict[FlagKind, Flag] = {}
    for one in heard:
        for kind in sorted({alarm.kind for alarm in one.alarms}):
            alarms = [alarm for alarm in one.alarms if alarm.kind is kind]
            severity = max(alarm.severity for alarm in alarms)
            answer = {"source": one.source, "day": one.day.isoformat(), "said": [alarm.said for alarm in alarms]}
            flag = flags.get(kind)
            if flag is None:
                evidence = {"answers": [answer]}
                finding = Finding(kind=kind, severity=severity, opens_at=now, episode=one.source, evidence=evidence)
                flag = _new_flag(clinic_id, patient_id, program_id, finding, about_id=patient_id, now=now)
            elif all(earlier["source"] != one.source for earlier in flag.evidence["answers"]):
                flag.evidence = {"answers": [*flag.evidence["answers"], answer]}
                flag.severity = max(flag.severity, severity)
            flags[kind] = changed[kind] = flag
    return list(changed.values())


def _new_flag(
    clinic_id: UUID, patient_id: UUID, program_id: UUID | None, finding: Finding, *, about_id: UUID, now: datetime
) -> Flag:
    return Flag(
        clinic_id=clinic_id,
        id=new_id(now),
        patient_id=patient_id,
        program_id=program_id,
        about_id=about_id,
        kind=finding.kind,
        rule_version=RULE_VERSION,
        created_at=now,
        **_said(finding),
    )


def _said(finding: Finding) -> dict[str, Any]:
    return {
        "severity": int(finding.severity),
        "opens_at": finding.opens_at,
        "rises_at": finding.rises_at,
        "rises_to": None if finding.rises_to is None else int(finding.rises_to),
        "nudges_at": finding.nudges_at,
        "expires_at": finding.expires_at,
        "episode": finding.episode,
        "evidence": finding.evidence,
    }


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


def _detached(tx: Session, flag: Flag) -> Flag:
    """A flag as it was read; `_save` writes what becomes of it, all of them in one statement."""
    tx.expunge(flag)
    return flag


def _row(flag: Flag) -> dict[str, Any]:
    return {column.key: getattr(flag, column.key) for column in inspect(Flag).columns}


def _save(tx: Session, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, or replace those that are there: one statement, written once."""
    if rows:
        tx.execute(_insert_or_replace(table, tx.get_bind().dialect.name), rows)


@cache
def _insert_or_replace(table: type[Base], dialect: str) -> Any:
    kept = table.__table__
    assert isinstance(kept, Table)
    stmt = insert_for(dialect, table)
    keys = [column.key for column in kept.primary_key]
    replaced = {column.key: stmt.excluded[column.key] for column in kept.columns if column.key not in keys}
    return stmt.on_conflict_do_update(index_elements=keys, set_=replaced)
