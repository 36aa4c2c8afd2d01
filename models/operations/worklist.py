"""Who needs a therapist now: the open flags that have come due, gravest first, then oldest."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from models.adherence.kinds import FlagKind, Severity
from models.adherence.wording import next_step, sentence
from models.operations.callers import Caller
from models.operations.flags import is_due, severity_at
from models.operations.outreach import latest_outreach
from models.operations.policy import patients_in_sight
from models.tables import Account, Exercise, Flag, Item, Outreach, Patient, Program, ProgramStatus, Reached, Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows somebody wants to see."""

    therapist_id: UUID | None = None
    kinds: Collection[FlagKind] = ()
    """None named is all."""
    level: Severity = Severity.LOW
    """At least so grave. What is told beside the others (`info`) is on the list only if it is asked for."""
    region: str | None = None
    """Whose program has an exercise for this part of the body."""
    unacknowledged: bool = False
    """Only what nobody has taken on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The last attempt to reach a patient."""

    at: datetime
    outcome: Reached
    by: UUID
    by_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One reason to look at one patient."""

    flag_id: UUID
    kind: FlagKind
    severity: Severity
    opened_at: datetime
    evidence: str
    """One plain sentence."""
    next_step: str
    beside: tuple[str, ...] = ()
    """What is told beside it (`info`): a return, a phone that is not in touch, sessions entered late."""
    rule_version: int
    version: int
    is_acknowledged: bool
    last_outreach: Tried | None
    patient_id: UUID
    given_name: str
    family_name: str
    phone: str | None
    email: str | None
    program_id: UUID | None
    program_title: str | None
    therapist_id: UUID | None
    therapist_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many rows there are of each kind and of each level, whatever kinds are asked for."""

    kinds: dict[FlagKind, int]
    levels: dict[Severity, int]


Place = tuple[int, datetime, UUID]
"""Where a page ended: severity, opening, flag."""


def worklist(
    tx: Session,
    caller: Caller,
    *,
    wanted: Wanted | None = None,
    after: Place | None = None,
    limit: int,
    now: datetime,
) -> list[Row]:
    """A page of the worklist as of `now`: an index range scan over the instants written with each log, so it is
    right at any moment without anything having run in between. The page is cut before anything else is looked up.
    """
    wanted = wanted or Wanted()
    severity = severity_at(now)
    chosen = _due(select(Flag.id, severity.label("grave")), caller, wanted, now)
    if wanted.kinds:
        chosen = chosen.where(Flag.kind.in_(wanted.kinds))
    if after is not None:
        grave, opened, flag_id = after
        chosen = chosen.where(
            or_(severity < grave, and_(severity == grave, tuple_(Flag.opens_at, Flag.id) > (opened, flag_id)))
        )
    page = chosen.order_by(severity.desc(), Flag.opens_at, Flag.id).limit(limit).subquery()
    tried_by = aliased(Account)
    rows = tx.execute(
        select(
            Flag,
            page.c.grave,
            _is_acknowledged(now),
            Patient,
            Program.title,
            Account.name,
            Outreach.at,
            Outreach.outcome,
            Outreach.made_by,
            tried_by.name,
        )
        .select_from(page)
        .join(Flag, and_(Flag.clinic_id == caller.clinic_id, Flag.id == page.c.id))
        .join(Patient, and_(Patient.clinic_id == Flag.clinic_id, Patient.id == Flag.patient_id))
        .join(Program, and_(Program.clinic_id == Flag.clinic_id, Program.id == Flag.program_id), isouter=True)
        .join(Account, and_(Account.clinic_id == Flag.clinic_id, Account.id == Patient.therapist_id), isouter=True)
        .join(
            Outreach,
            and_(
                Outreach.clinic_id == Flag.clinic_id,
                Outreach.id == latest_outreach(caller.clinic_id, Flag.patient_id),
            ),
            isouter=True,
        )
        .join(tried_by, and_(tried_by.clinic_id == Outreach.clinic_id, tried_by.id == Outreach.made_by), isouter=True)
        .order_by(page.c.grave.desc(), Flag.opens_at, Flag.id)
    )
    listed = [_row(*row, now=now) for row in rows]
    beside = _beside(tx, caller, {row.patient_id for row in listed}, now) if listed else {}
    return [
        replace(row, beside=tuple(beside.get(row.patient_id, ()))) if row.severity > Severity.INFO else row
        for row in listed
    ]


def _beside(tx: Session, caller: Caller, patients: Collection[UUID], now: datetime) -> dict[UUID, list[str]]:
    """What is told beside the flags of some patients, oldest first."""
    found = tx.execute(
        select(Flag, Patient.time_zone)
        .join(Patient, and_(Patient.clinic_id == Flag.clinic_id, Patient.id == Flag.patient_id))
        .where(
            Flag.clinic_id == caller.clinic_id,
            Flag.patient_id.in_(patients),
            Flag.severity == int(Severity.INFO),
            is_due(now),
        )
        .order_by(Flag.opens_at, Flag.id)
    )
    told: dict[UUID, list[str]] = {}
    for flag, zone in found:
        words = sentence(flag.kind, flag.evidence, now.astimezone(ZoneInfo(zone)).date())
        told.setdefault(flag.patient_id, []).append(words)
    return told


def counts(tx: Session, caller: Caller, wanted: Wanted, *, now: datetime) -> Counts:
    """How many rows there are under the same filters but that of kinds: one statement."""
    severity = severity_at(now)
    stmt = _due(select(Flag.kind, severity, func.count()), caller, wanted, now).group_by(Flag.kind, severity)
    kinds: Counter[FlagKind] = Counter()
    levels: Counter[Severity] = Counter()
    for kind, grave, count in tx.execute(stmt):
        kinds[kind] += count
        levels[Severity(grave)] += count
    return Counts(
        kinds={kind: kinds[kind] for kind in FlagKind if kinds[kind]},
        levels={level: levels[level] for level in reversed(Severity) if levels[level]},
    )


def _due(stmt: Any, caller: Caller, wanted: Wanted, now: datetime) -> Any:
    """The flags on the list now, but for the filter of kinds."""
    # Looked up flag by flag: PostgreSQL takes the due for many, as most flags lie in the past (closed), and would read
    # every patient first.
    in_care = select(patients_in_sight(caller)).where(
        Patient.clinic_id == caller.clinic_id, Patient.id == Flag.patient_id
    )
    if wanted.therapist_id is not None:
        in_care = in_care.where(Patient.therapist_id == wanted.therapist_id)
    stmt = stmt.select_from(Flag).where(
        Flag.clinic_id == caller.clinic_id, is_due(now), in_care.scalar_subquery().is_(True)
    )
    if wanted.level > Severity.INFO:
        stmt = stmt.where(severity_at(now) >= int(wanted.level))
    if wanted.unacknowledged:
        stmt = stmt.where(~_is_acknowledged(now))
    if wanted.region is not None:
        stmt = stmt.where(_trains(wanted.region, caller.clinic_id, now))
    return stmt


def _is_acknowledged(now: datetime) -> ColumnElement[bool]:
    """As `handling.is_acknowledged`."""
    return and_(
        Flag.acknowledged_at.is_not(None),
        or_(Flag.rises_at.is_(None), Flag.rises_at > now, Flag.acknowledged_at >= Flag.rises_at),
    )


def _trains(region: str, clinic_id: UUID, now: datetime) -> ColumnElement[bool]:
    """Whether the flag's program has an exercise for that part of the body in the revision in force; for a flag about a
    patient, whether a running program of theirs has. Today is UTC's: a day sooner or later finds the same patients.
    """
    program, earlier = aliased(Program), aliased(Revision)
    today = now.date()
    day = case((program.starts_on > today, program.starts_on), else_=today)
    in_force = (
        select(func.max(earlier.number))
        .where(earlier.clinic_id == clinic_id, earlier.program_id == program.id, earlier.effective_on <= day)
        .correlate(program)
        .scalar_subquery()
    )
    return (
        select(Item.line_id)
        .select_from(program)
        .join(Item, and_(Item.clinic_id == program.clinic_id, Item.program_id == program.id))
        .join(Exercise, Exercise.slug == Item.exercise_slug)
        .where(
            program.clinic_id == clinic_id,
            program.patient_id == Flag.patient_id,
            or_(
                program.id == Flag.program_id,
                and_(Flag.program_id.is_(None), program.status == ProgramStatus.ACTIVE),
            ),
            Item.clinic_id == clinic_id,
            Item.revision_number == in_force,
            Exercise.region == region,
        )
        .correlate(Flag)
        .exists()
    )


def _row(
    flag: Flag,
    grave: int,
    is_acknowledged: bool,  # noqa: FBT001  (a column of the statement)
    patient: Patient,
    title: str | None,
    therapist_name: str | None,
    tried_at: datetime | None,
    outcome: Reached | None,
    tried_by: UUID | None,
    tried_by_name: str | None,
    *,
    now: datetime,
) -> Row:
    tried = None
    if tried_at and outcome and tried_by:
        tried = Tried(at=tried_at, outcome=outcome, by=tried_by, by_name=tried_by_name or "")
    severity = Severity(grave)
    return Row(
        flag_id=flag.id,
        kind=flag.kind,
        severity=severity,
        opened_at=flag.opens_at,
        evidence=sentence(flag.kind, flag.evidence, now.astimezone(ZoneInfo(patient.time_zone)).date()),
        next_step=next_step(flag.kind, flag.evidence, severity),
        rule_version=flag.rule_version,
        version=flag.version,
        is_acknowledged=bool(is_acknowledged),
        last_outreach=tried,
        patient_id=patient.id,
        given_name=patient.given_name,
        family_name=patient.family_name,
        phone=patient.phone,
        email=patient.email,
        program_id=flag.program_id,
        program_title=title,
        therapist_id=patient.therapist_id,
        therapist_name=therapist_name,
    )
