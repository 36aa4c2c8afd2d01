"""The audit trail: written with every deed, chained when it is sealed, read by auditors and by patients.

A write's events are in its transaction; a read's are added in a short write of their own before the answer leaves.
Sealing puts what has been committed into one chain per clinic, in batches, so that the chain makes nobody wait
(docs/decisions/0010).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Row, Select, and_, func, literal_column, select, update
from sqlalchemy.orm import Session

from models.database import insert_for
from models.operations.callers import Caller
from models.operations.ids import ids_at, new_id
from models.operations.patients import patient
from models.operations.walls import within
from models.tables import Account, AuditEvent, AuditHead, Role

BATCH = 1000
BEGINNING = bytes(32)
"""What the first event of a chain is chained to."""
DONE = "done"
EVERYBODYS = ("get_export_file", "console: export")
"""Whoever fetches the file of an export, or writes one at the console, holds everybody's record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done, as the door saw it."""

    operation: str
    writes: bool
    outcome: str = DONE
    asked: str | None = None
    address: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An event and who did it."""

    event: AuditEvent
    name: str | None
    """None: nobody known, or somebody who was erased."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something in a chain that is not as it was written."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of walking a clinic's chain."""

    flaws: Sequence[Flaw]
    events: int
    head: str
    """`number:hash` of the last event, to be noted down elsewhere: whoever can rewrite the whole database can rewrite
    the whole chain, but not your note.
    """
    unsealed: int
    """Events of the last moments, not in the chain yet."""


def note(tx: Session, caller: Caller, deed: Done, *, now: datetime) -> None:
    """Keep what a caller did: one event for each patient whose record they saw, or one about nobody."""
    add_events(tx, caller.clinic_id, caller.account_id, caller.role, deed, sorted(caller.seen) or [None], now=now)


def add_events(
    tx: Session,
    clinic_id: UUID,
    account_id: UUID | None,
    role: Role | None,
    deed: Done,
    patients: Sequence[UUID | None],
    *,
    now: datetime,
) -> None:
    """Keep a deed on some patients' records: one statement."""
    within(tx, clinic_id)
    rows = [
        {
            "clinic_id": clinic_id,
            "id": new_id(now),
            "at": now,
            "account_id": account_id,
            "role": role,
            "operation": deed.operation,
            "writes": deed.writes,
            "outcome": deed.outcome,
            "patient_id": patient_id,
            "asked": deed.asked,
            "address": deed.address,
            "request_id": deed.request_id,
        }
        for patient_id in patients
    ]
    tx.execute(insert_for(tx, AuditEvent), rows)


def is_unsealed(tx: Session, clinic_id: UUID) -> bool:
    """Whether `seal` would find an event; asked by reading, so that a quiet clinic costs no write."""
    within(tx, clinic_id)
    waiting = select(AuditEvent.id).where(AuditEvent.clinic_id == clinic_id, AuditEvent.seq.is_(None))
    return tx.scalars(waiting.limit(1)).first() is not None


def seal(tx: Session, clinic_id: UUID) -> int:
    """Put up to a batch of a clinic's events into its chain; returns how many. Who seals holds the chain's end."""
    within(tx, clinic_id)
    start = {"clinic_id": clinic_id, "seq": 0, "hash": BEGINNING}
    tx.execute(insert_for(tx, AuditHead).values(start).on_conflict_do_nothing())
    head = tx.scalars(
        select(AuditHead)
        .where(AuditHead.clinic_id == clinic_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    waiting = tx.scalars(
        select(AuditEvent)
        .where(AuditEvent.clinic_id == clinic_id, AuditEvent.seq.is_(None))
        .order_by(AuditEvent.id)
        .limit(BATCH)
        .execution_options(populate_existing=True)
    ).all()
    places = []
    for event in waiting:
        head.seq += 1
        head.hash = _chained(head.seq, head.hash, event)
        places.append({"clinic_id": clinic_id, "id": event.id, "seq": head.seq, "hash": head.hash})
    if places:
        tx.execute(update(AuditEvent), places)
    return len(places)


def verify(tx: Session, clinic_id: UUID, *, noted: str | None = None) -> Verdict:
    """Walk a clinic's chain from its beginning; `noted` is a head (`number:hash`) that was noted down earlier. The
    transaction is a snapshot: what is sealed meanwhile would look like an end that is missing.
    """
    within(tx, clinic_id)
    flaws: list[Flaw] = []
    seq, before = 0, BEGINNING
    found_there = b""
    noted_seq, _, noted_hash = (noted or "0:").partition(":")
    for event in _chain(tx, clinic_id):
        assert event.seq is not None  # the chain holds sealed events
        assert event.hash is not None
        if event.seq != seq + 1:
            gone = f"{seq + 1}" if event.seq == seq + 2 else f"{seq + 1} to {event.seq - 1}"
            flaws.append(Flaw(seq + 1, f"missing: event {gone}"))
        elif _chained(event.seq, before, event) != event.hash:
            flaws.append(Flaw(event.seq, "altered, or not where it was written"))
        seq, before = event.seq, event.hash
        if seq == int(noted_seq):
            found_there = before
    head = tx.get(AuditHead, {"clinic_id": clinic_id})
    if head is not None and (head.seq, head.hash) != (seq, before):
        flaws.append(Flaw(seq + 1, f"missing: the chain ended with event {head.seq}"))
    if head is None and seq:
        flaws.append(Flaw(seq, "the end of the chain is missing"))
    if noted is not None and found_there.hex() != noted_hash:
        flaws.append(Flaw(int(noted_seq), "not what was noted down"))
    waiting = select(func.count()).where(AuditEvent.clinic_id == clinic_id, AuditEvent.seq.is_(None))
    return Verdict(flaws=flaws, events=seq, head=f"{seq}:{before.hex()}", unsealed=tx.scalar(waiting) or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events somebody wants to see."""

    patient_id: UUID | None = None
    account_id: UUID | None = None
    operation: str | None = None
    outcome: str | None = None
    writes: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


def events(tx: Session, caller: Caller, wanted: Wanted, *, after: UUID | None, limit: int) -> list[Known]:
    """A page of the clinic's trail, latest first."""
    stmt = _named(caller.clinic_id)
    for column in ("patient_id", "account_id", "operation", "outcome", "writes"):
        said = getattr(wanted, column)
        if said is not None:
            stmt = stmt.where(getattr(AuditEvent, column) == said)
    if wanted.outcome not in {None, DONE}:
        stmt = stmt.where(AuditEvent.outcome != literal_column(f"'{DONE}'"))  # in the words of the index of refusals
    # By the ids too, which begin with the moment: so no more of the trail is read.
    if wanted.since is not None:
        stmt = stmt.where(AuditEvent.at >= wanted.since, AuditEvent.id >= ids_at(wanted.since)[0])
    if wanted.until is not None:
        stmt = stmt.where(AuditEvent.at < wanted.until, AuditEvent.id <= ids_at(wanted.until)[1])
    return _page(tx, stmt, after, limit)


def accesses(tx: Session, caller: Caller, patient_id: UUID, *, after: UUID | None, limit: int) -> list[Known]:
    """A page of who saw or changed one patient's record, latest first; and who took out everybody's."""
    known = patient(tx, caller, patient_id)
    done = _named(caller.clinic_id).where(AuditEvent.outcome == DONE)
    # One by one: each is the end of an index, and together they would be the whole trail.
    found = _page(tx, done.where(AuditEvent.patient_id == known.id), after, limit)
    for taken in EVERYBODYS:
        everybodys = done.where(AuditEvent.operation == taken, AuditEvent.at >= known.created_at)
        found += _page(tx, everybodys, after, limit)
    return sorted(found, key=lambda one: one.event.id, reverse=True)[:limit]


def _named(clinic_id: UUID) -> Select[AuditEvent, str | None]:
    return (
        select(AuditEvent, Account.name)
        .join(
            Account,
            and_(Account.clinic_id == AuditEvent.clinic_id, Account.id == AuditEvent.account_id),
            isouter=True,
        )
        .where(AuditEvent.clinic_id == clinic_id)
    )


def _page(tx: Session, stmt: Select[AuditEvent, str | None], after: UUID | None, limit: int) -> list[Known]:
    if after is not None:
        stmt = stmt.where(AuditEvent.id < after)
    rows: Sequence[Row[AuditEvent, str | None]] = tx.execute(stmt.order_by(AuditEvent.id.desc()).limit(limit)).all()
    return [Known(event=event, name=name) for event, name in rows]


def _chain(tx: Session, clinic_id: UUID) -> Iterator[AuditEvent]:
    last = -1
    while True:
        page = tx.scalars(
            select(AuditEvent)
            .where(AuditEvent.clinic_id == clinic_id, AuditEvent.seq > last)
            .order_by(AuditEvent.seq)
            .limit(BATCH)
        ).all()
        yield from page
        if len(page) < BATCH:
            return
        assert page[-1].seq is not None  # compared just now
        last = page[-1].seq
        tx.expunge_all()  # a chain is longer than memory


_TOLD = (
    *("clinic_id", "id", "at", "account_id", "role", "operation", "writes", "outcome", "patient_id", "asked"),
    *("address", "request_id"),
)


def _chained(seq: int, before: bytes, event: AuditEvent) -> bytes:
    """The hash of an event at its place: over everything it says, whatever the database."""
    said = {name: getattr(event, name) for name in _TOLD}
    said["at"] = event.at.astimezone(UTC).isoformat()
    told = json.dumps([seq, before.hex(), said], default=str, sort_keys=True, separators=(",", ":"))
    return sha256(told.encode()).digest()
