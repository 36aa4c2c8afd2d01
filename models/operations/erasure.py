"""Erasing a patient: everything of them goes, but for a row that says they were erased, and the audit.

Where the clinic must keep records, the clinical facts are copied first, without anything that says whose they are, to
where nothing but the console reads them. So no route, report or export has to know that somebody was erased.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count as numbers, islice
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, delete, insert, select
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.exports import recall
from models.operations.records import AT_ONCE, PARTS, Record, count, facts_of, kept_in, plain, record_of
from models.operations.retention import expired, forget_codes, is_finished, must_keep_until
from models.operations.walls import within
from models.refusals import Invalid, Unknown
from models.tables import Account, Invitation, KeptFacts, Patient

ERASED = "erased"
"""What an erased patient is called."""
TIME = "The time for which the clinic keeps records was over."


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erasure did."""

    patient: Patient
    removed: Mapping[str, int]
    """Rows by table."""
    kept: Mapping[str, int]
    """Rows by table, as facts of nobody."""
    recalled: Sequence[UUID]
    """Exports whose files may hold the patient: nobody gets them any more, and the files are to be removed."""


def erase_patient(
    tx: Session, caller: Caller, patient_id: UUID, *, because: str, family_name: str, now: datetime
) -> Erasure:
    """Erase a patient of the caller's clinic for good. Their family name is said again, so that it is the right one;
    of somebody who was erased before there is none any more, and nothing changes but what came in between.
    """
    known = tx.scalars(
        select(Patient).where(Patient.clinic_id == caller.clinic_id, Patient.id == patient_id)
    ).one_or_none()
    if known is None:
        raise Unknown(f"No patient {patient_id}.")
    if known.deleted_at is None and _spoken(known.family_name) != _spoken(family_name):
        raise Invalid("That is not this patient's family name.", field="/family_name")
    caller.seen.add(known.id)
    return _erase(tx, caller.clinic_id, patient_id, because=because, by=caller.account_id, now=now)


def erase_finished(tx: Session, clinic_id: UUID, patient_id: UUID, *, now: datetime) -> Erasure | None:
    """Erase a patient whose time has come; None if it has not, by now."""
    within(tx, clinic_id)
    _hold(tx, clinic_id, patient_id)
    if not is_finished(tx, clinic_id, patient_id, now=now):
        return None
    return _erase(tx, clinic_id, patient_id, because=TIME, by=None, now=now)


def would_remove(tx: Session, clinic_id: UUID, patient_id: UUID, *, now: datetime) -> dict[str, int]:
    """What erasing a patient would remove, table by table, beside what is expired anyway."""
    within(tx, clinic_id)
    record, over = record_of(tx, clinic_id, patient_id), expired(clinic_id, now=now)
    return {
        part.name: count(tx, part, record, *([~over[part.table]] if part.table in over else []))
        for part in PARTS
        if part.table is not Patient
    }


def kept_record(tx: Session, clinic_id: UUID, patient_id: UUID) -> dict[str, Any]:
    """What is kept of an erased patient, table by table."""
    within(tx, clinic_id)
    known = tx.scalars(
        select(Patient).where(Patient.clinic_id == clinic_id, Patient.id == patient_id, Patient.deleted_at.is_not(None))
    ).one_or_none()
    if known is None:
        raise Unknown(f"No erased patient {patient_id}; whoever is not erased has an export.")
    tables: dict[str, list[Any]] = {}
    for of_table, rows in _pages(tx, clinic_id, patient_id):
        tables.setdefault(of_table, []).extend(rows)
    told = {
        "patient_id": known.id,
        "erased_at": known.deleted_at,
        "erased_because": known.erased_because,
        "erased_by": known.erased_by,
        "kept_until": known.kept_until,
    }
    return {name: plain(value) for name, value in told.items()} | {"tables": tables}


def _erase(tx: Session, clinic_id: UUID, patient_id: UUID, *, because: str, by: UUID | None, now: datetime) -> Erasure:
    known = _hold(tx, clinic_id, patient_id)
    record = record_of(tx, clinic_id, patient_id)
    # Nothing new refers to a login that is held: what its phone sends meanwhile fails, and is not stored.
    logins = select(Account.id).where(Account.clinic_id == clinic_id, Account.id.in_(record.accounts))
    tx.execute(logins.order_by(Account.id).with_for_update())
    if known.deleted_at is None:
        known.kept_until = must_keep_until(tx, clinic_id, patient_id, now=now)
        if known.kept_until is not None:
            _keep(tx, record, known)
        _blank(known)
        known.deleted_at, known.erased_because, known.erased_by = now, because, by
        tx.flush()  # nothing refers to the login any more
    removed = _remove(tx, record)
    return Erasure(
        patient=known,
        removed=removed,
        kept=_count_kept(tx, clinic_id, patient_id),
        recalled=recall(tx, clinic_id, now=now),
    )


def _hold(tx: Session, clinic_id: UUID, patient_id: UUID) -> Patient:
    """Whoever writes about a patient holds them too, and finds nobody afterwards."""
    stmt = select(Patient).where(Patient.clinic_id == clinic_id, Patient.id == patient_id).with_for_update()
    return tx.scalars(stmt.execution_options(populate_existing=True)).one()


def _keep(tx: Session, record: Record, known: Patient) -> None:
    """Copy the facts, a few hundred rows to a page."""
    for part in PARTS:
        if part.facts is None:
            continue
        told = facts_of(tx, part, record)
        for number in numbers():
            page = list(islice(told, AT_ONCE))
            if not page:
                break
            key = {"clinic_id": record.clinic_id, "patient_id": record.patient_id, "of_table": part.name}
            tx.execute(insert(KeptFacts).values(key | {"number": number, "rows": page, "until": known.kept_until}))


def _remove(tx: Session, record: Record) -> dict[str, int]:
    """Delete every row, whatever refers to another before that."""
    order = list(Patient.metadata.sorted_tables)
    removed = {}
    for part in sorted(PARTS, key=lambda part: order.index(kept_in(part.table)), reverse=True):
        if part.table is Patient:
            continue
        if part.table is Invitation:
            theirs = tx.scalars(select(Invitation.id).where(part.whose(record))).all()
            forget_codes(tx, record.clinic_id, theirs)
        gone = tx.execute(delete(part.table).where(part.whose(record)).execution_options(synchronize_session=False))
        assert isinstance(gone, CursorResult)
        removed[part.name] = gone.rowcount
    return removed


def _blank(known: Patient) -> None:
    """Leave nothing in the row that says who it was."""
    known.given_name = known.family_name = ERASED
    known.birth_date = known.email = known.phone = known.therapist_id = known.account_id = None
    known.time_zone, known.language = "UTC", "en"
    known.equipment, known.preferences = [], {}
    known.minutes_available = known.falls_risk = known.can_get_up_from_floor = None
    known.version += 1


def _pages(tx: Session, clinic_id: UUID, patient_id: UUID) -> Iterator[tuple[str, list[Any]]]:
    stmt = select(KeptFacts.of_table, KeptFacts.rows).where(
        KeptFacts.clinic_id == clinic_id, KeptFacts.patient_id == patient_id
    )
    found = tx.execute(stmt.order_by(KeptFacts.of_table, KeptFacts.number).execution_options(yield_per=1))
    yield from ((of_table, rows) for of_table, rows in found)


def _count_kept(tx: Session, clinic_id: UUID, patient_id: UUID) -> dict[str, int]:
    kept: dict[str, int] = {}
    for of_table, rows in _pages(tx, clinic_id, patient_id):
        kept[of_table] = kept.get(of_table, 0) + len(rows)
    return kept


def _spoken(name: str) -> str:
    return " ".join(name.split()).casefold()
