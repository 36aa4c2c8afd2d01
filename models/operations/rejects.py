"""What could not be logged: kept for 90 days as it was sent, heard for what it says about safety, and replayed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from models.database import insert_for
from models.operations.callers import Caller
from models.operations.flags import Heard, loose_alarms, raise_alarms
from models.operations.ids import new_id
from models.operations.policy import visible_programs
from models.operations.sessions import REFUSED, Item, Outcome, Result, record_sessions
from models.operations.walls import within
from models.refusals import Conflict, VersionMismatch
from models.safety.red_flags import alarms, salvage
from models.tables import Account, Patient, Program, Proxy, RejectedSession, SessionLog

KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An item that was not stored."""

    session_id: UUID | None
    """None: it named none that can be read."""
    raw: str
    """As it was sent."""
    said: object
    """The session in it, as far as it could be read."""
    code: str
    """Why it was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What came of keeping one."""

    safety_raised: bool
    advice: Sequence[str]
    """What to tell the patient now, gravest first."""


def keep_refused(
    tx: Session, caller: Caller, refused: Sequence[Refused], *, sent_at: datetime | None = None, now: datetime
) -> list[Kept]:
    """Keep refused items; their safety answers open flags all the same. Sent again, one copy is kept."""
    patients = _patients_of(tx, caller, refused)
    caller.seen.update(patients.values())
    kept, rows = [], []
    heard_of: dict[UUID, list[Heard]] = {}
    for one in refused:
        heard = salvage(one.said)
        patient_id = patients.get(_program_of(one.said)) if caller.patient_id is None else caller.patient_id
        content_hash = sha256(one.raw.encode()).digest()
        session_id = one.session_id or UUID(bytes=content_hash[:16])
        raised = heard.matter and patient_id is not None
        kept.append(Kept(safety_raised=raised, advice=heard.advice()))
        rows.append(
            {
                "clinic_id": caller.clinic_id,
                "id": new_id(now),
                "account_id": caller.account_id,
                "patient_id": patient_id,
                "session_id": session_id,
                "body": one.raw,
                "content_hash": content_hash,
                "code": one.code,
                "safety_raised": raised,
                "received_at": now,
                "client_sent_at": sent_at,
            }
        )
        if patient_id is not None and raised:
            answers = Heard(str(session_id), now.date(), [*alarms(heard.chips), *loose_alarms(heard)])
            heard_of.setdefault(patient_id, []).append(answers)
    if rows:
        tx.execute(insert_for(tx, RejectedSession).on_conflict_do_nothing(), rows)
    for patient_id in sorted(heard_of):
        raise_alarms(tx, caller.clinic_id, patient_id, heard_of[patient_id], now=now)
    return kept


def rejects(tx: Session, clinic_id: UUID, *, landed: bool = False) -> Sequence[RejectedSession]:
    """A clinic's rejected items, oldest first; without those whose session was stored since, unless `landed`."""
    within(tx, clinic_id)
    stmt = select(RejectedSession).where(RejectedSession.clinic_id == clinic_id)
    if not landed:
        stmt = stmt.where(~has_landed())
    return tx.scalars(stmt.order_by(RejectedSession.received_at, RejectedSession.id)).all()


def has_landed() -> ColumnElement[bool]:
    """Whether the session of a rejected item was stored since: a column beside `RejectedSession`."""
    stored = (
        select(SessionLog.id)
        .where(
            SessionLog.clinic_id == RejectedSession.clinic_id,
            SessionLog.patient_id == RejectedSession.patient_id,
            SessionLog.id == RejectedSession.session_id,
            SessionLog.changed_at >= RejectedSession.received_at,
            # Of a conflict the other copy is stored: this one waits until somebody decides.
            RejectedSession.code.not_in([Conflict.code, VersionMismatch.code]),
        )
        .exists()
    )
    done = RejectedSession.replayed_to.in_([one.value for one in Outcome if one not in REFUSED])
    return or_(stored, and_(RejectedSession.replayed_to.is_not(None), done))


def replay(tx: Session, reject: RejectedSession, item: Item, *, now: datetime) -> Result:
    """Say a rejected item again, for whoever sent it and by the clock it was sent by; notes what came of it."""
    within(tx, reject.clinic_id)
    sent_at = None
    if reject.client_sent_at is not None:
        sent_at = now - (reject.received_at - reject.client_sent_at)
    result = record_sessions(tx, _sender(tx, reject), [item], sent_at=sent_at, now=now)[0]
    tx.execute(
        update(RejectedSession)
        .where(RejectedSession.clinic_id == reject.clinic_id, RejectedSession.id == reject.id)
        .values(replayed_at=now, replayed_to=result.outcome.value)
    )
    return result


def forget_rejects(tx: Session, clinic_id: UUID, *, now: datetime) -> None:
    """Drop what was rejected longer ago than it is kept."""
    tx.execute(delete(RejectedSession).where(is_old(clinic_id, now)))


def is_old(clinic_id: UUID, now: datetime) -> ColumnElement[bool]:
    """Whether something was rejected longer ago than it is kept."""
    return and_(RejectedSession.clinic_id == clinic_id, RejectedSession.received_at < now - KEPT)


def _sender(tx: Session, reject: RejectedSession) -> Caller:
    """Who sent it, though they may be signed out by now."""
    account, patient_id = tx.execute(
        select(Account, func.coalesce(Patient.id, Proxy.patient_id))
        .join(Patient, and_(Patient.clinic_id == Account.clinic_id, Patient.account_id == Account.id), isouter=True)
        .join(Proxy, and_(Proxy.clinic_id == Account.clinic_id, Proxy.account_id == Account.id), isouter=True)
        .where(Account.clinic_id == reject.clinic_id, Account.id == reject.account_id)
    ).one()
    return Caller(
        clinic_id=account.clinic_id,
        account_id=account.id,
        role=account.role,
        name=account.name,
        patient_id=patient_id,
    )


def _program_of(said: object) -> UUID | None:
    try:
        return UUID(str(said.get("program_id"))) if isinstance(said, dict) else None
    except ValueError:
        return None


def _patients_of(tx: Session, caller: Caller, refused: Sequence[Refused]) -> dict[UUID | None, UUID]:
    """Program → whose it is, for refused sessions that staff sent."""
    named = {program for one in refused if (program := _program_of(one.said)) is not None}
    if caller.patient_id is not None or not named:
        return {}
    rows = tx.execute(
        visible_programs(caller).with_only_columns(Program.id, Program.patient_id).where(Program.id.in_(named))
    )
    patients: dict[UUID | None, UUID] = {row[0]: row[1] for row in rows}
    return patients
