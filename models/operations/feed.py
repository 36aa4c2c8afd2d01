"""What a patient's phones have to be told, in the order in which it was committed.

Every change to a patient's sessions and programs takes the next of the patient's change numbers while their row is held
until the end of the transaction. So a number that can be read has every lower one committed: a cursor made of it
neither skips nor repeats, whatever commits when (docs/decisions/0005-a-commit-safe-cursor.md).
"""

import base64
import binascii
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.catalogue import Found, found_by_slug
from models.operations.checking import Advice, advice_of
from models.operations.courses import Course, courses
from models.operations.credentials import new_key
from models.operations.notices import Caution, Notice, caution_for, notices_of
from models.operations.policy import visible_patients, visible_programs
from models.operations.sessions import Held, with_entries
from models.operations.walls import across, within
from models.refusals import ResyncRequired
from models.tables import Clinic, Patient, Program, SessionLog

CURSOR_LASTS = timedelta(days=180)
"""As long as a phone stays signed in; an older one starts anew."""
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """A page of what is new since a cursor."""

    patient: Patient
    programs: Sequence[Course]
    """Those that changed, whole."""
    advice: Advice
    exercises: Sequence[Found]
    """What the changed programs name."""
    sessions: Sequence[Held]
    """Created and amended ones, wherever that was done, and tombstones, in the order of the changes."""
    notices: Sequence[Notice]
    caution: Caution | None
    """What stands between the patient and the exercises; whatever the cursor says."""
    cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a phone has heard."""

    sessions: int = 0
    programs: int = -1


def pull(tx: Session, caller: Caller, cursor: str | None, *, limit: int, now: datetime) -> Pulled:
    """What changed for the calling patient since `cursor`, from the beginning without one; `limit` sessions a page.

    Programs that changed come whole, with the first page; of sessions a page at a time.
    """
    patient = tx.scalars(visible_patients(caller).execution_options(populate_existing=True)).one()
    key = tx.scalars(select(Clinic.cursor_key).where(Clinic.id == caller.clinic_id)).one()
    latest = patient.change_number
    place = _read(cursor, key, caller, latest, now) if cursor is not None else _Place()
    page = tx.scalars(
        select(SessionLog)
        .where(
            SessionLog.clinic_id == caller.clinic_id,
            SessionLog.patient_id == patient.id,
            SessionLog.change_number > place.sessions,
            # What commits while this is read is told next time: its number is higher.
            SessionLog.change_number <= latest,
        )
        .order_by(SessionLog.change_number)
        .limit(limit + 1)
    ).all()
    has_more = len(page) > limit
    page = page[:limit]
    changed = visible_programs(caller).where(Program.change_number > place.programs, Program.change_number <= latest)
    found = list(courses(tx, caller.clinic_id, changed).values())
    shown = [(course.program.id, number) for course in found for number in _shown_revisions(course, now)]
    slugs = {item.exercise_slug for course in found for item in course.items if item.exercise_slug is not None}
    reached = _Place(sessions=page[-1].change_number if has_more else latest, programs=latest)
    return Pulled(
        patient=patient,
        programs=found,
        advice=advice_of(tx, caller.clinic_id, shown),
        exercises=list(found_by_slug(tx, sorted(slugs)).values()) if slugs else [],
        sessions=with_entries(tx, caller.clinic_id, page),
        caution=caution_for(tx, caller.clinic_id, patient.id, now),
        notices=[notice for course in found for notice in notices_of(course, now)],
        cursor=_written(reached, key, caller, now),
        has_more=has_more,
    )


def void_cursors(tx: Session) -> int:
    """Make every cursor of every clinic one that cannot be gone on from; returns how many clinics there are. Works
    across clinics, by design: a database is restored as a whole.
    """
    with across(tx):
        clinics = tx.scalars(select(Clinic.id)).all()
    for clinic_id in clinics:
        within(tx, clinic_id)
        tx.execute(update(Clinic).where(Clinic.id == clinic_id).values(cursor_key=new_key()))
    return len(clinics)


def _shown_revisions(course: Course, now: datetime) -> list[int]:
    """The revision in force and those to come: an offline phone turns the page by itself."""
    today = course.local_today(now)
    return [course.revision_on(today, now).number, *(one.number for one in course.upcoming(today, now))]


def _written(place: _Place, key: bytes, caller: Caller, now: datetime) -> str:
    said = json.dumps([_VERSION, int(now.timestamp()), place.sessions, place.programs], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_signature(said, key, caller) + said).decode().rstrip("=")


def _read(cursor: str, key: bytes, caller: Caller, latest: int, now: datetime) -> _Place:
    """Where a phone is, if the cursor is one we gave this patient and can be gone on from."""
    start_anew = ResyncRequired("This cursor cannot be gone on from; pull without one, and keep what is queued.")
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise start_anew from None
    signature, said = raw[:_SIGNATURE], raw[_SIGNATURE:]
    if not hmac.compare_digest(signature, _signature(said, key, caller)):
        raise start_anew
    version, issued, sessions, programs = json.loads(said)
    too_old = now.timestamp() - issued > CURSOR_LASTS.total_seconds()
    # A number we have not reached: the clinic was restored from a backup, and may have forgotten what came after.
    from_elsewhen = max(sessions, programs) > latest
    if version != _VERSION or too_old or from_elsewhen:
        raise start_anew
    return _Place(sessions=sessions, programs=programs)


_SIGNATURE = 16
"""Bytes of the signature: 128 bits."""


def _signature(said: bytes, key: bytes, caller: Caller) -> bytes:
    whose: UUID | None = caller.patient_id
    assert whose is not None  # only patients pull
    return hmac.digest(key, whose.bytes + said, "sha256")[:_SIGNATURE]
