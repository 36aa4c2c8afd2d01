"""Attempts to reach patients, and whether they came back."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, select, tuple_
from sqlalchemy.orm import Session, aliased

from models.adherence.kinds import FlagKind
from models.operations.callers import Caller
from models.operations.handling import hold_for_outreach
from models.operations.ids import new_id
from models.operations.patients import patient
from models.operations.policy import visible_programs
from models.refusals import Invalid, Unknown
from models.tables import Account, Channel, Flag, Outreach, Program, Reached, SessionLog

RETURNS_WITHIN = timedelta(days=14)
"""A session so soon after an attempt counts as a return."""
TOLD_LATE = timedelta(days=90)
"""How far back an attempt may be told."""
PLANNED_AHEAD = timedelta(days=366)

Place = tuple[datetime, UUID]
"""Where a page ended: when the attempt was, which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutreachDraft:
    """What somebody says of an attempt."""

    channel: Channel
    outcome: Reached
    at: datetime | None = None
    """None is now."""
    flag_id: UUID | None = None
    program_id: UUID | None = None
    """None takes the flag's."""
    next_step: str | None = None
    next_step_on: date | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt, and what followed."""

    outreach: Outreach
    made_by_name: str
    about: FlagKind | None
    first_session_on: date | None
    """Of an attempt about a silence: the next day with exercise, if it came in time to count."""
    returned: bool | None
    """None where it was not about a silence, or where it is too early to say no."""


def reach_out(tx: Session, caller: Caller, patient_id: UUID, draft: OutreachDraft, *, now: datetime) -> Outreach:
    """Keep an attempt to reach a patient. One about an open flag acknowledges it."""
    program_id = draft.program_id
    if draft.flag_id is not None:
        try:
            flag = hold_for_outreach(tx, caller, patient_id, draft.flag_id, now=now)
        except Unknown as unknown:
            patient(tx, caller, patient_id)
            raise Unknown(str(unknown), field="/flag_id") from None
        if program_id is not None and flag.program_id not in {None, program_id}:
            raise Invalid("The flag is about another program.", field="/program_id")
        program_id = program_id or flag.program_id
    known = patient(tx, caller, patient_id, lock=True)
    if draft.program_id is not None:
        theirs = visible_programs(caller).where(Program.patient_id == known.id, Program.id == draft.program_id)
        if tx.scalars(theirs.with_only_columns(Program.id)).one_or_none() is None:
            raise Unknown(f"No program {draft.program_id}.", field="/program_id")
    at = draft.at or now
    if not now - TOLD_LATE <= at <= now:
        raise Invalid(f"An attempt lies in the past, by at most {TOLD_LATE.days} days.", field="/at")
    day = at.astimezone(ZoneInfo(known.time_zone)).date()
    if draft.next_step_on is not None and not day <= draft.next_step_on <= day + PLANNED_AHEAD:
        raise Invalid("A next step lies ahead, within a year.", field="/next_step_on")
    made = Outreach(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        patient_id=known.id,
        program_id=program_id,
        flag_id=draft.flag_id,
        at=at,
        local_date=day,
        made_by=caller.account_id,
        channel=draft.channel,
        outcome=draft.outcome,
        next_step=draft.next_step,
        next_step_on=draft.next_step_on,
        note=draft.note,
        created_at=now,
    )
    tx.add(made)
    tx.flush()  # its foreign keys are checked here, and it is read back
    return made


def outreach_of(
    tx: Session, caller: Caller, patient_id: UUID, *, after: Place | None, limit: int, now: datetime
) -> list[Attempt]:
    """A page of the attempts to reach a patient, latest first, each with whether it brought them back."""
    known = patient(tx, caller, patient_id)
    stmt = _attempts(caller.clinic_id).where(Outreach.patient_id == known.id)
    if after is not None:
        stmt = stmt.where(tuple_(Outreach.at, Outreach.id) < after)
    rows = tx.execute(stmt.order_by(Outreach.at.desc(), Outreach.id.desc()).limit(limit))
    today = now.astimezone(ZoneInfo(known.time_zone)).date()
    return [_attempt(*row, today=today) for row in rows]


def attempt(tx: Session, caller: Caller, patient_id: UUID, outreach_id: UUID, *, now: datetime) -> Attempt:
    """One attempt to reach a patient in the caller's sight."""
    known = patient(tx, caller, patient_id)
    stmt = _attempts(caller.clinic_id).where(Outreach.patient_id == known.id, Outreach.id == outreach_id)
    row = tx.execute(stmt).one_or_none()
    if row is None:
        raise Unknown(f"No outreach {outreach_id}.")
    return _attempt(*row, today=now.astimezone(ZoneInfo(known.time_zone)).date())


def first_session_after(clinic_id: UUID) -> ColumnElement[date]:
    """The local day of the first session with exercise after an attempt, in the program it was about: a column beside
    `Outreach`, found in the program's days and no further than needed.
    """
    return (
        select(SessionLog.local_date)
        .where(
            SessionLog.clinic_id == clinic_id,
            SessionLog.program_id == Outreach.program_id,
            SessionLog.local_date >= Outreach.local_date,
            SessionLog.performed_at > Outreach.at,
            SessionLog.exercised,
            SessionLog.deleted_at.is_(None),
        )
        .order_by(SessionLog.local_date, SessionLog.id)
        .limit(1)
        .correlate(Outreach)
        .scalar_subquery()
    )


def has_returned(local_date: date, first_session_on: date | None, today: date) -> bool | None:
    """Whether an attempt of `local_date` was followed by a session within 14 days; None while it still may be."""
    if first_session_on is not None and first_session_on <= local_date + RETURNS_WITHIN:
        return True
    return False if today > local_date + RETURNS_WITHIN else None


def _attempts(clinic_id: UUID) -> Any:
    return (
        select(Outreach, Account.name, Flag.kind, first_session_after(clinic_id))
        .join(Account, and_(Account.clinic_id == Outreach.clinic_id, Account.id == Outreach.made_by))
        .join(Flag, and_(Flag.clinic_id == Outreach.clinic_id, Flag.id == Outreach.flag_id), isouter=True)
        .where(Outreach.clinic_id == clinic_id)
    )


def _attempt(outreach: Outreach, name: str, about: FlagKind | None, first: date | None, *, today: date) -> Attempt:
    returned = has_returned(outreach.local_date, first, today) if about is FlagKind.SILENCE else None
    return Attempt(
        outreach=outreach,
        made_by_name=name,
        about=about,
        first_session_on=first if returned else None,
        returned=returned,
    )


def latest_outreach(clinic_id: UUID, patient_id: Any) -> ColumnElement[UUID]:
    """The id of the last attempt to reach a patient; `patient_id` is a column of the statement around."""
    last = aliased(Outreach)
    return (
        select(last.id)
        .where(last.clinic_id == clinic_id, last.patient_id == patient_id)
        .order_by(last.at.desc(), last.id.desc())
        .limit(1)
        .scalar_subquery()
    )
