"""Phones: when they were last in touch, how wrong their clocks are, how late they send, and who has fallen silent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from models.adherence.clock import skew_of
from models.database import insert_for
from models.operations.callers import Caller
from models.operations.courses import courses
from models.operations.flags import Because
from models.operations.patients import patient
from models.operations.policy import patients_in_sight
from models.operations.standings import restate
from models.refusals import Unknown
from models.tables import Contact, Device, Patient, Program, ProgramStatus, SessionLog, SignIn

TOUCH_EVERY = timedelta(hours=1)
"""A phone's contacts are written down at most so often."""
SKEW_STEP = timedelta(minutes=1)
"""A skew that changed by less is the network's."""
DELAY_OVER = timedelta(days=30)
"""Days of sessions over which the usual delay between doing and sending is judged, as the engine does."""
SILENT_AFTER_DAYS = 7
"""A phone not in touch for so long is worth a question (engine study, section 7: sync_stale)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A patient's device, as staff and the patient see it."""

    device: Device
    usual_delay_hours: float | None
    """The median time between doing and sending, of the sessions it sent in the last 30 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsynced:
    """A patient with a running program whose phones have not been in touch."""

    patient: Patient
    last_sync_at: datetime | None
    """None: never, or no phone at all."""
    devices: int
    """Phones that may still sign in."""


def is_due(caller: Caller, *, sent_at: datetime | None = None, now: datetime) -> bool:
    """Whether this contact of a phone is worth writing down."""
    if caller.device_id is None or caller.patient_id is None:
        return False
    if caller.last_sync_at is None or now - caller.last_sync_at >= TOUCH_EVERY:
        return True
    known = timedelta(seconds=caller.skew_seconds or 0)
    return sent_at is not None and abs(skew_of(sent_at, now) - known) >= SKEW_STEP


def in_touch(tx: Session, caller: Caller, *, sent_at: datetime | None = None, now: datetime) -> None:
    """Write down that a phone was in touch, if it is due. The first time on a local day that is news for the engine:
    what has not come by now is not on its way, so silence may be judged without waiting for a late log.
    """
    if not is_due(caller, sent_at=sent_at, now=now) or caller.patient_id is None:
        return
    said = {"last_sync_at": now, "last_seen_at": now}
    skew = {} if sent_at is None else {"skew_seconds": round(skew_of(sent_at, now).total_seconds())}
    known = tx.execute(
        update(Device)
        .where(Device.clinic_id == caller.clinic_id, Device.id == caller.device_id)
        .values(**said, **skew)
        .returning(Device.id)
        .execution_options(synchronize_session=False)
    )
    if known.first() is None:
        return  # erased since the caller was identified: nothing of theirs comes back
    # The patient is not held here: whoever logs holds the program first, and two must not wait for each other.
    zone = tx.scalars(
        select(Patient.time_zone).where(Patient.clinic_id == caller.clinic_id, Patient.id == caller.patient_id)
    ).one()
    contact = insert_for(tx, Contact).values(
        clinic_id=caller.clinic_id,
        patient_id=caller.patient_id,
        local_date=now.astimezone(ZoneInfo(zone)).date(),
        at=now,
        device_id=caller.device_id,
    )
    if tx.execute(contact.on_conflict_do_nothing().returning(Contact.at)).first() is None:
        return
    running = select(Program).where(
        Program.clinic_id == caller.clinic_id,
        Program.patient_id == caller.patient_id,
        Program.status == ProgramStatus.ACTIVE,
    )
    found = courses(tx, caller.clinic_id, running, lock=True)
    if found:
        restate(tx, caller.clinic_id, found, because=Because.RECOUNTED, now=now)


def devices_of(tx: Session, caller: Caller, patient_id: UUID, *, now: datetime) -> list[Phone]:
    """A patient's phones, the latest first, revoked ones too."""
    known = patient(tx, caller, patient_id)
    if known.account_id is None:
        return []
    found = tx.scalars(
        select(Device)
        .where(Device.clinic_id == known.clinic_id, Device.account_id == known.account_id)
        .order_by(Device.created_at.desc(), Device.id.desc())
        .limit(100)
    ).all()
    sent = tx.execute(
        select(SessionLog.device_id, SessionLog.performed_at, SessionLog.received_at).where(
            SessionLog.clinic_id == known.clinic_id,
            SessionLog.patient_id == known.id,
            SessionLog.device_id.is_not(None),
            SessionLog.local_date > (now - DELAY_OVER).date(),
        )
    ).all()
    delays: dict[UUID, list[float]] = {}
    for device_id, performed_at, received_at in sent:
        assert device_id is not None  # the statement left those out
        hours = max(0.0, (received_at - performed_at) / timedelta(hours=1))
        delays.setdefault(device_id, []).append(hours)
    return [
        Phone(device=one, usual_delay_hours=round(median(delays[one.id]), 1) if one.id in delays else None)
        for one in found
    ]


def revoke_device(tx: Session, caller: Caller, patient_id: UUID, device_id: UUID, *, now: datetime) -> None:
    """Shut a phone out, at once and for good: lost, stolen or replaced. What it sent stays."""
    known = patient(tx, caller, patient_id)
    found = tx.scalars(
        select(Device)
        .where(Device.clinic_id == known.clinic_id, Device.id == device_id, Device.account_id == known.account_id)
        .with_for_update()
    ).one_or_none()
    if found is None:
        raise Unknown(f"No device {device_id}.")
    if found.revoked_at is None:
        found.revoked_at, found.revoked_by = now, caller.account_id
        tx.execute(
            update(SignIn)
            .where(
                SignIn.clinic_id == known.clinic_id,
                SignIn.account_id == known.account_id,
                SignIn.device_id == device_id,
                SignIn.revoked_at.is_(None),
            )
            .values(revoked_at=now, revoked_because="device_revoked")
        )


def unsynced(
    tx: Session,
    caller: Caller,
    *,
    days: int,
    therapist_id: UUID | None,
    after: tuple[str, str, UUID] | None,
    limit: int,
    now: datetime,
) -> list[Unsynced]:
    """A page of the patients with a running program whose phones have not been in touch for `days` days, or who never
    had one, by name: what they did may be waiting on the phone.
    """
    latest = (
        select(
            Device.account_id,
            func.max(Device.last_sync_at).label("last_sync_at"),
            func.sum(case((Device.revoked_at.is_(None), 1), else_=0)).label("devices"),
        )
        .where(Device.clinic_id == caller.clinic_id)
        .group_by(Device.account_id)
        .subquery()
    )
    running = (
        select(Program.id)
        .where(
            Program.clinic_id == caller.clinic_id,
            Program.patient_id == Patient.id,
            Program.status == ProgramStatus.ACTIVE,
            Program.activated_at <= now - timedelta(days=days),
        )
        .exists()
    )
    stmt = (
        select(Patient, latest.c.last_sync_at, func.coalesce(latest.c.devices, 0))
        .join(latest, latest.c.account_id == Patient.account_id, isouter=True)
        .where(
            Patient.clinic_id == caller.clinic_id,
            patients_in_sight(caller),
            running,
            or_(latest.c.last_sync_at.is_(None), latest.c.last_sync_at <= now - timedelta(days=days)),
        )
    )
    if therapist_id is not None:
        stmt = stmt.where(Patient.therapist_id == therapist_id)
    place = tuple_(Patient.family_name, Patient.given_name, Patient.id)
    if after is not None:
        stmt = stmt.where(place > after)
    rows = tx.execute(stmt.order_by(Patient.family_name, Patient.given_name, Patient.id).limit(limit))
    return [Unsynced(patient=one, last_sync_at=last, devices=count) for one, last, count in rows]
