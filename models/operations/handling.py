"""What therapists do about a flag: look at it, take it on, put it off, close it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from models.adherence.kinds import FlagKind, Severity
from models.adherence.schedule import midnight_after
from models.adherence.wording import next_step, sentence
from models.operations.callers import Caller
from models.operations.courses import courses
from models.operations.flags import Because, is_due, level_at
from models.operations.patients import patient
from models.operations.policy import patients_in_sight, visible_programs
from models.operations.standings import restate
from models.refusals import FlagClosed, FlagNotOpen, Invalid, NotAllowed, NotByHand, Unknown, VersionMismatch
from models.tables import Account, Flag, Patient, Program, Role

SNOOZES = (7, 30)
"""Days a flag is put off for; another day may be named, no later than the last of these."""
LONGEST_SNOOZE = timedelta(days=SNOOZES[-1])
DISPOSITION = frozenset({FlagKind.RED_FLAG, FlagKind.FALL})
"""Kinds that only a therapist closes, saying who saw the patient and what was decided; they are never put off."""
EARLIER = 10
"""Earlier flags of the same kind that are told with one."""
DAY = timedelta(days=1)


class Handled(StrEnum):
    """Why somebody closed a flag."""

    HANDLED = "handled"
    REACHED_AGREED = "reached_agreed"
    NOT_A_PROBLEM = "not_a_problem"
    DUPLICATE = "duplicate"
    REFERRED_ON = "referred_on"
    OTHER = "other"


class FlagState(StrEnum):
    """Where a flag is in its life at a moment."""

    PROMISED = "promised"
    """It will open, if nothing more is heard."""
    OPEN = "open"
    SNOOZED = "snoozed"
    FADED = "faded"
    """It is too old to act on."""
    CLOSED = "closed"


class Event(StrEnum):
    """What happened to a flag."""

    OPENED = "opened"
    RISEN = "risen"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One event of a flag's life."""

    at: datetime
    event: Event
    severity: Severity | None = None
    by: UUID | None = None
    by_name: str | None = None
    until: datetime | None = None
    because: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A flag as it is at a moment, with its life so far."""

    flag: Flag
    state: FlagState
    severity: Severity
    says: str
    next_step: str
    is_listed: bool
    """Whether it is on the worklist now; a pause may keep an open flag off it."""
    acknowledged_by_name: str | None
    closed_by_name: str | None
    history: Sequence[Happened]
    earlier: Sequence[Flag]
    """The flags of the same kind about the same program or patient before it that had opened, latest first."""


def flag_of(tx: Session, caller: Caller, flag_id: UUID, *, now: datetime) -> Known:
    """One flag of the caller's clinic with its life so far: three statements."""
    row = tx.execute(
        select(Flag, Patient.time_zone, is_due(now))
        .join(Patient, and_(Patient.clinic_id == Flag.clinic_id, Patient.id == Flag.patient_id))
        .where(Flag.clinic_id == caller.clinic_id, Flag.id == flag_id, patients_in_sight(caller))
    ).one_or_none()
    if row is None:
        raise Unknown(f"No flag {flag_id}.")
    flag, zone, is_listed = row
    caller.seen.add(flag.patient_id)
    earlier = tx.scalars(
        select(Flag)
        .where(
            Flag.clinic_id == caller.clinic_id,
            Flag.patient_id == flag.patient_id,
            Flag.about_id == flag.about_id,
            Flag.kind == flag.kind,
            Flag.closed_at >= Flag.opens_at,
            Flag.opens_at < flag.opens_at,
        )
        .order_by(Flag.opens_at.desc(), Flag.id.desc())
        .limit(EARLIER)
    ).all()
    by = {UUID(deed["by"]) for deed in flag.deeds}
    names = select(Account.id, Account.name).where(Account.clinic_id == caller.clinic_id, Account.id.in_(by))
    name_of: dict[UUID, str] = {row.id: row.name for row in tx.execute(names)} if by else {}
    severity = level_at(flag, min(now, flag.closed_at or now))
    return Known(
        flag=flag,
        state=state_at(flag, now),
        severity=severity,
        says=sentence(flag.kind, flag.evidence, now.astimezone(ZoneInfo(zone)).date()),
        next_step=next_step(flag.kind, flag.evidence, severity),
        is_listed=is_listed,
        acknowledged_by_name=name_of.get(flag.acknowledged_by) if flag.acknowledged_by else None,
        closed_by_name=name_of.get(flag.closed_by) if flag.closed_by else None,
        history=_history(flag, name_of, now),
        earlier=earlier,
    )


def state_at(flag: Flag, now: datetime) -> FlagState:
    """Where a flag is in its life."""
    if flag.closed_at is not None:
        return FlagState.CLOSED
    if flag.opens_at > now:
        return FlagState.PROMISED
    if flag.expires_at is not None and flag.expires_at <= now:
        return FlagState.FADED
    return FlagState.SNOOZED if flag.snoozed_until is not None and flag.snoozed_until > now else FlagState.OPEN


def is_acknowledged(flag: Flag, now: datetime) -> bool:
    """Whether somebody has taken it on as grave as it is now: a rise since asks again."""
    if flag.acknowledged_at is None:
        return False
    return flag.rises_at is None or flag.rises_at > now or flag.acknowledged_at >= flag.rises_at


def acknowledge(tx: Session, caller: Caller, flag_id: UUID, *, now: datetime) -> Flag:
    """Take a flag on. Whoever is first stays; saying it again changes nothing, until it rises."""
    flag, _ = _hold(tx, caller, flag_id, now)
    take_on(flag, caller, now)
    return flag


def take_on(flag: Flag, caller: Caller, now: datetime) -> None:
    """Acknowledge an open flag that is held."""
    if not is_acknowledged(flag, now):
        flag.acknowledged_at, flag.acknowledged_by = now, caller.account_id
        _note(flag, caller, Event.ACKNOWLEDGED, now)


def snooze(
    tx: Session,
    caller: Caller,
    flag_id: UUID,
    *,
    days: int | None,
    until: date | None,
    version: int,
    now: datetime,
) -> Flag:
    """Put a flag off for 7 or 30 days, or until a day: it is back when the patient's day begins, or when it rises.

    A patient who returns closes it meanwhile, as ever.
    """
    flag, zone = _hold(tx, caller, flag_id, now)
    _read_latest(flag, version)
    if flag.kind in {*DISPOSITION, FlagKind.ENDANGERED}:
        raise NotByHand(f"A flag of the kind {flag.kind} cannot wait.")
    today = now.astimezone(zone).date()
    day = until or today + timedelta(days=days or 0)
    if not today < day <= today + LONGEST_SNOOZE:
        raise Invalid(f"A flag is put off to a day from 1 to {LONGEST_SNOOZE.days} days ahead.", field="/until")
    back = midnight_after(day - DAY, zone)
    if flag.rises_at is not None and flag.rises_at > now:
        back = min(back, flag.rises_at)
    flag.snoozed_until = back
    _note(flag, caller, Event.SNOOZED, now, until=back.isoformat())
    return flag


def close(
    tx: Session,
    caller: Caller,
    flag_id: UUID,
    because: Handled,
    note: str | None,
    *,
    version: int,
    now: datetime,
) -> Flag:
    """Close a flag, saying why. The same by the same person again changes nothing.

    What is closed stays closed for its episode: this silence, this painful session, this reason, this review. The next
    episode, or a rise above the level that was closed, opens anew.
    """
    flag, _ = _hold(tx, caller, flag_id, now, closing=(because, note))
    if flag.closed_at is not None:
        return flag
    _read_latest(flag, version)
    if flag.kind is FlagKind.ENDANGERED:
        raise NotByHand("This closes when the program is changed, or revised with a reason that overrides the finding.")
    if flag.kind in DISPOSITION and caller.role is not Role.THERAPIST:
        raise NotAllowed(f"A flag of the kind {flag.kind} is closed by a therapist.")
    if flag.kind in DISPOSITION and not note:
        raise Invalid("Say who saw the patient, and what was decided.", field="/note")
    if because is Handled.OTHER and not note:
        raise Invalid("Say why.", field="/note")
    flag.closed_at, flag.closed_because = now, because.value
    flag.closed_by, flag.closed_note = caller.account_id, note
    _note(flag, caller, Event.CLOSED, now)
    if flag.about_id == flag.program_id:
        _judge_anew(tx, caller, flag.about_id, now)
    return flag


def hold_for_outreach(tx: Session, caller: Caller, patient_id: UUID, flag_id: UUID, *, now: datetime) -> Flag:
    """A flag of a patient that somebody tried to reach them about; it may have closed meanwhile. An open one is
    acknowledged by that.
    """
    flag, _ = _held(tx, caller, flag_id)
    if flag.patient_id != patient_id:
        raise Unknown(f"No flag {flag_id}.", field="/flag_id")
    if flag.opens_at > now:
        raise FlagNotOpen("The flag has not opened; leave it out.", field="/flag_id")
    if state_at(flag, now) in {FlagState.OPEN, FlagState.SNOOZED}:
        take_on(flag, caller, now)
    return flag


def _hold(
    tx: Session, caller: Caller, flag_id: UUID, now: datetime, *, closing: tuple[Handled, str | None] | None = None
) -> tuple[Flag, ZoneInfo]:
    """An open flag and its patient's zone, held until the end of the transaction; or the one this very request has
    closed already.
    """
    flag, zone = _held(tx, caller, flag_id)
    state = state_at(flag, now)
    if state is FlagState.PROMISED:
        raise FlagNotOpen(f"The flag opens on {flag.opens_at:%Y-%m-%d}, if nothing more is heard.")
    if state is FlagState.FADED:
        raise FlagClosed(f"The flag faded on {flag.expires_at:%Y-%m-%d}.", closed_because=Because.EXPIRED.value)
    if flag.closed_at is not None:
        said = flag.closed_by, flag.closed_because, flag.closed_note
        if closing is None or said != (caller.account_id, *closing):
            raise FlagClosed(
                f"The flag was closed on {flag.closed_at:%Y-%m-%d}: {flag.closed_because}.",
                closed_at=flag.closed_at.isoformat(),
                closed_by=str(flag.closed_by) if flag.closed_by else None,
                closed_because=flag.closed_because,
            )
    return flag, zone


def _held(tx: Session, caller: Caller, flag_id: UUID) -> tuple[Flag, ZoneInfo]:
    """A flag as nobody can change it any more before this transaction ends: the engine and every therapist hold the
    patient first, then the program a flag is about.
    """
    stmt = select(Flag).where(Flag.clinic_id == caller.clinic_id, Flag.id == flag_id)
    seen = tx.execute(stmt.with_only_columns(Flag.patient_id, Flag.program_id, Flag.about_id)).one_or_none()
    if seen is None:
        raise Unknown(f"No flag {flag_id}.")
    patient_id, program_id, about_id = seen
    if about_id == program_id:
        held = (
            select(Program.id)
            .join(Patient, and_(Patient.clinic_id == Program.clinic_id, Patient.id == Program.patient_id))
            .where(Program.clinic_id == caller.clinic_id, Patient.clinic_id == caller.clinic_id, Program.id == about_id)
        )
        tx.execute(held.with_for_update(of=(Patient, Program), key_share=True))
    else:
        held = select(Patient.id).where(Patient.clinic_id == caller.clinic_id, Patient.id == patient_id)
        tx.execute(held.with_for_update(key_share=True))
    try:
        zone = ZoneInfo(patient(tx, caller, patient_id).time_zone)
    except Unknown:
        raise Unknown(f"No flag {flag_id}.") from None  # of a patient who is gone
    return tx.scalars(stmt.execution_options(populate_existing=True)).one(), zone


def _judge_anew(tx: Session, caller: Caller, program_id: UUID, now: datetime) -> None:
    """Let the program's flags say what is left: a rise still to come, or a reason the closed one stood before."""
    tx.flush()  # the judgement reads what was just closed
    found = courses(tx, caller.clinic_id, visible_programs(caller).where(Program.id == program_id), lock=True)
    restate(tx, caller.clinic_id, found, because=Because.RECOUNTED, now=now)


def _read_latest(flag: Flag, version: int) -> None:
    if flag.version != version:
        raise VersionMismatch("Something was added to this flag, or somebody acted on it, meanwhile; read it again.")


def _note(flag: Flag, caller: Caller, event: Event, now: datetime, **more: Any) -> None:
    flag.deeds = [*flag.deeds, {"event": event.value, "at": now.isoformat(), "by": str(caller.account_id), **more}]
    flag.version += 1


def _history(flag: Flag, name_of: dict[UUID, str], now: datetime) -> list[Happened]:
    """Everything that happened to a flag by `now`, in order."""
    end = min(flag.closed_at or now, flag.expires_at or now, now)
    told: list[Happened] = []
    if flag.opens_at <= end:
        told.append(Happened(at=flag.opens_at, event=Event.OPENED, severity=Severity(flag.severity)))
    if flag.rises_at is not None and flag.opens_at < flag.rises_at <= end:
        told.append(Happened(at=flag.rises_at, event=Event.RISEN, severity=level_at(flag, end)))
    for deed in flag.deeds:
        by = UUID(deed["by"])
        event = Event(deed["event"])
        told.append(
            Happened(
                at=datetime.fromisoformat(deed["at"]),
                event=event,
                by=by,
                by_name=name_of.get(by),
                until=datetime.fromisoformat(deed["until"]) if "until" in deed else None,
                because=flag.closed_because if event is Event.CLOSED else None,
                note=flag.closed_note if event is Event.CLOSED else None,
            )
        )
    if flag.closed_at is not None and flag.closed_by is None and flag.closed_at >= flag.opens_at:
        told.append(Happened(at=flag.closed_at, event=Event.CLOSED, because=flag.closed_because))
    return sorted(told, key=lambda one: one.at)
