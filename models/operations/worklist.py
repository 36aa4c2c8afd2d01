"""Who needs a therapist now: the open flags that have come due, gravest first, then oldest."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select, tuple_
from sqlalchemy.orm import Session

from models.adherence.flags import FlagKind, Severity
from models.adherence.wording import next_step, sentence
from models.operations.callers import Caller
from models.operations.flags import is_due, severity_at
from models.tables import Account, Flag, Patient, Program


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
    rule_version: int
    patient_id: UUID
    given_name: str
    family_name: str
    phone: str | None
    email: str | None
    program_id: UUID | None
    program_title: str | None
    therapist_id: UUID | None
    therapist_name: str | None


Place = tuple[int, datetime, UUID]
"""Where a page ended: severity, opening, flag."""


def worklist(
    tx: Session,
    caller: Caller,
    *,
    therapist_id: UUID | None,
    kind: FlagKind | None,
    after: Place | None,
    limit: int,
    now: datetime,
) -> list[Row]:
    """A page of the worklist as of `now`: an index range scan over the instants written with each log, so it is
    right at any moment without anything having run in between.
    """
    severity = severity_at(now)
    stmt = (
        select(
            Flag.id,
            Flag.kind,
            severity,
            Flag.opens_at,
            Flag.evidence,
            Flag.rule_version,
            Patient.id,
            Patient.given_name,
            Patient.family_name,
            Patient.phone,
            Patient.email,
            Patient.time_zone,
            Program.id,
            Program.title,
            Account.id,
            Account.name,
        )
        .select_from(Flag)
        .join(Patient, and_(Patient.clinic_id == Flag.clinic_id, Patient.id == Flag.patient_id))
        .join(Program, and_(Program.clinic_id == Flag.clinic_id, Program.id == Flag.program_id), isouter=True)
        .join(Account, and_(Account.clinic_id == Flag.clinic_id, Account.id == Patient.therapist_id), isouter=True)
        .where(
            Flag.clinic_id == caller.clinic_id,
            is_due(now),
            Patient.deleted_at.is_(None),
        )
    )
    if therapist_id is not None:
        stmt = stmt.where(Patient.therapist_id == therapist_id)
    if kind is not None:
        stmt = stmt.where(Flag.kind == kind)
    if after is not None:
        grave, opened, flag_id = after
        stmt = stmt.where(
            or_(severity < grave, and_(severity == grave, tuple_(Flag.opens_at, Flag.id) > (opened, flag_id)))
        )
    rows = tx.execute(stmt.order_by(severity.desc(), Flag.opens_at, Flag.id).limit(limit))
    return [
        Row(
            flag_id=flag_id,
            kind=flag_kind,
            severity=Severity(grave),
            opened_at=opens_at,
            evidence=sentence(flag_kind, evidence, now.astimezone(ZoneInfo(zone)).date()),
            next_step=next_step(flag_kind, evidence, Severity(grave)),
            rule_version=rule_version,
            patient_id=patient_id,
            given_name=given_name,
            family_name=family_name,
            phone=phone,
            email=email,
            program_id=program_id,
            program_title=title,
            therapist_id=whose,
            therapist_name=name,
        )
        for (
            flag_id,
            flag_kind,
            grave,
            opens_at,
            evidence,
            rule_version,
            patient_id,
            given_name,
            family_name,
            phone,
            email,
            zone,
            program_id,
            title,
            whose,
            name,
        ) in rows
    ]
