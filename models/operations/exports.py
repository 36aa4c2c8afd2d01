"""Exports as jobs: asked for, taken on by whoever sweeps, written on from where the last one came to, and expired.

A piece of a file is written first and its place after it, so that a crash in between leaves bytes that are not counted:
whoever goes on cuts the file back to what is. Nothing here touches files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.credentials import new_key
from models.operations.exporting import Asked, Place, has_periods
from models.operations.ids import new_id
from models.operations.pseudonyms import Veil
from models.operations.walls import within
from models.refusals import Invalid, TooManyExports, Unknown
from models.tables import Clinic, Export, ExportContent, ExportFailure, ExportFormat, ExportStatus

MOST = 20
"""Exports of a clinic that are asked for, under way or ready: files take room."""
EXPIRES_AFTER = timedelta(days=7)
KEPT = timedelta(days=30)
"""How long after its file is gone an export is still listed."""
LEASE = timedelta(minutes=2)
WORKBOOK_LEASE = timedelta(minutes=15)
"""A workbook is put together in one piece, after its last row."""
MOST_INTERRUPTIONS = 10
"""What takes its process down with it must not do so for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportDraft:
    """What an admin asks for."""

    content: ExportContent
    format: ExportFormat
    options: dict[str, Any]
    """Of CSV: bom, delimiter, decimal."""
    de_identified: bool = False
    from_on: date | None = None
    to_on: date | None = None
    """Local days, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An export that is ours until `until`, with all it takes to go on with it."""

    id: UUID
    asked: Asked
    format: ExportFormat
    options: dict[str, Any]
    veil: Veil | None
    rows_done: int
    rows_written: int
    rows_total: int | None
    """None: not counted yet."""
    place: Place | None
    bytes_done: int
    checksum: int
    """CRC-32 of so many bytes."""
    holder: UUID
    until: datetime


def request_export(tx: Session, caller: Caller, said: ExportDraft, *, now: datetime) -> Export:
    """A new export, which the next sweep begins."""
    check(said)
    # Two at once must not both be the last that fits.
    tx.execute(select(Clinic.id).where(Clinic.id == caller.clinic_id).with_for_update(key_share=True))
    held = select(func.count()).where(Export.clinic_id == caller.clinic_id, _takes_room(now))
    if tx.execute(held).scalar_one() >= MOST:
        raise TooManyExports(f"A clinic has at most {MOST} exports that have not expired; delete one first.")
    made = Export(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        requested_by=caller.account_id,
        requested_at=now,
        content=said.content,
        format=said.format,
        options=said.options,
        de_identified=said.de_identified,
        salt=new_key() if said.de_identified else None,
        from_on=said.from_on,
        to_on=said.to_on,
    )
    tx.add(made)
    tx.flush()  # the answer to a repeated request is found by its id
    return made


def check(said: ExportDraft) -> None:
    """Refuse a period that is none, or that this content has not."""
    if (said.from_on or said.to_on) and not has_periods(said.content):
        raise Invalid(f"There is no day by which {said.content} could be chosen.", field="/from_on")
    if said.from_on and said.to_on and said.from_on > said.to_on:
        raise Invalid("The period ends before it begins.", field="/from_on")


def asked_of(tx: Session, clinic_id: UUID, said: ExportDraft, *, now: datetime) -> Asked:
    """Which rows of a clinic an export without a job holds."""
    within(tx, clinic_id)
    check(said)
    return _asked(tx, clinic_id, said.content, said.from_on, said.to_on, now)


def exports(tx: Session, caller: Caller, *, after: UUID | None, limit: int) -> Sequence[Export]:
    """A page of the clinic's exports, the latest first."""
    stmt = _visible(caller)
    if after is not None:
        stmt = stmt.where(Export.id < after)
    return tx.scalars(stmt.order_by(Export.id.desc()).limit(limit)).all()


def export(tx: Session, caller: Caller, export_id: UUID) -> Export:
    """One export."""
    found = tx.scalars(_visible(caller).where(Export.id == export_id)).one_or_none()
    if found is None:
        raise Unknown("No such export.")
    return found


def ready(tx: Session, caller: Caller, export_id: UUID, *, now: datetime) -> Export:
    """One export whose file can be fetched."""
    found = export(tx, caller, export_id)
    if status_at(found, now) is not ExportStatus.DONE:
        raise Unknown("There is no file of this export, or not yet, or no longer.")
    return found


def status_at(known: Export, now: datetime) -> ExportStatus:
    """Where an export is in its life; it has expired at its time, whenever that is written down."""
    is_over = known.expires_at is not None and known.expires_at <= now
    return ExportStatus.EXPIRED if is_over and known.status is ExportStatus.DONE else known.status


def delete_export(tx: Session, caller: Caller, export_id: UUID) -> None:
    """Forget an export; whoever writes it finds out with the next piece."""
    known = export(tx, caller, export_id)
    tx.execute(delete(Export).where(Export.clinic_id == caller.clinic_id, Export.id == known.id))


def waiting(tx: Session, clinic_id: UUID, *, now: datetime) -> list[tuple[datetime, UUID]]:
    """When they were asked for, and which: those that nobody works on, the oldest first."""
    within(tx, clinic_id)
    rows = tx.execute(
        select(Export.requested_at, Export.id)
        .where(Export.clinic_id == clinic_id, _is_free(now))
        .order_by(Export.requested_at, Export.id)
    )
    return [(requested_at, export_id) for requested_at, export_id in rows]


def claim(tx: Session, clinic_id: UUID, export_id: UUID, *, now: datetime) -> Claimed | None:
    """Take an export on until the lease is over; None if another has it, or it is over. A workbook begins
    anew, for it can only be written in one go.
    """
    within(tx, clinic_id)
    found = tx.scalars(
        select(Export)
        .where(Export.clinic_id == clinic_id, Export.id == export_id, _is_free(now))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        return None
    if found.lease_holder is not None:
        found.interruptions += 1
    if found.interruptions >= MOST_INTERRUPTIONS:
        _finish(found, ExportStatus.FAILED, now, ExportFailure.INTERRUPTED)
        return None
    asked = _asked(tx, clinic_id, found.content, found.from_on, found.to_on, found.requested_at)
    if found.format is ExportFormat.XLSX:
        _begin_anew(found)
    found.status, found.lease_holder, found.leased_until = ExportStatus.RUNNING, new_id(now), _until(found.format, now)
    return Claimed(
        id=found.id,
        asked=asked,
        format=found.format,
        options=found.options,
        veil=None if found.salt is None else Veil(found.salt, found.requested_at.date()),
        rows_done=found.rows_done,
        rows_written=found.rows_written,
        rows_total=found.rows_total,
        place=found.place,
        bytes_done=found.bytes_done,
        checksum=found.checksum,
        holder=found.lease_holder,
        until=found.leased_until,
    )


def advance(tx: Session, clinic_id: UUID, written: Claimed, *, now: datetime) -> Claimed | None:
    """Write down how far it has come, and have it for longer; None if it is not ours any more."""
    within(tx, clinic_id)
    until = _until(written.format, now)
    values = {
        "rows_done": written.rows_done,
        "rows_written": written.rows_written,
        "rows_total": written.rows_total,
        "place": written.place,
        "bytes_done": written.bytes_done,
        "checksum": written.checksum,
        "leased_until": until,
    }
    return replace(written, until=until) if _write(tx, clinic_id, written, values) else None


def begin_anew(tx: Session, clinic_id: UUID, claimed: Claimed) -> Claimed | None:
    """Forget how far it had come: the file is not what was written down of it. That counts as an interruption, for it
    must not go on for ever. None if it is not ours any more.
    """
    within(tx, clinic_id)
    nothing: dict[str, Any] = {"rows_done": 0, "rows_written": 0, "place": None, "bytes_done": 0, "checksum": 0}
    if not _write(tx, clinic_id, claimed, nothing | {"interruptions": Export.interruptions + 1}):
        return None
    return replace(claimed, **nothing)


def release(tx: Session, clinic_id: UUID, claimed: Claimed) -> None:
    """Leave it to whoever comes next."""
    within(tx, clinic_id)
    _write(tx, clinic_id, claimed, {"leased_until": None, "lease_holder": None})


def finish(tx: Session, clinic_id: UUID, written: Claimed, *, now: datetime) -> bool:
    """The file is ready; its salt is forgotten. False if it is not ours any more."""
    within(tx, clinic_id)
    return _end(tx, clinic_id, written, ExportStatus.DONE, now)


def fail(tx: Session, clinic_id: UUID, claimed: Claimed, failure: ExportFailure, *, now: datetime) -> bool:
    """There will be no file. False if it is not ours any more."""
    within(tx, clinic_id)
    return _end(tx, clinic_id, claimed, ExportStatus.FAILED, now, failure)


def forget_exports(tx: Session, clinic_id: UUID, *, now: datetime) -> None:
    """Mark what has expired, whose file is then nobody's, and drop what expired long ago."""
    tx.execute(
        update(Export)
        .where(Export.clinic_id == clinic_id, Export.status == ExportStatus.DONE, Export.expires_at <= now)
        .values(status=ExportStatus.EXPIRED)
        .execution_options(synchronize_session=False)
    )
    tx.execute(delete(Export).where(is_forgotten(clinic_id, now)))


def is_forgotten(clinic_id: UUID, now: datetime) -> ColumnElement[bool]:
    """Whether an export expired so long ago that it is not even listed."""
    return and_(Export.clinic_id == clinic_id, Export.expires_at < now - KEPT)


def recall(tx: Session, clinic_id: UUID, *, now: datetime) -> list[UUID]:
    """What was written before somebody was erased may hold them: files that are ready expire at once, those under way
    begin anew, and nobody goes on with what they had. Returns those that expired.
    """
    begun = update(Export).where(Export.clinic_id == clinic_id, Export.finished_at.is_(None))
    nothing = {"rows_done": 0, "rows_written": 0, "place": None, "bytes_done": 0, "checksum": 0}
    tx.execute(
        begun.values(nothing | {"leased_until": None, "lease_holder": None}).execution_options(
            synchronize_session=False
        )
    )
    ready = update(Export).where(Export.clinic_id == clinic_id, Export.status == ExportStatus.DONE)
    expired = ready.values(status=ExportStatus.EXPIRED, expires_at=now).returning(Export.id)
    return list(tx.scalars(expired.execution_options(synchronize_session=False)))


def kept(tx: Session, clinic_id: UUID) -> dict[UUID, list[str]]:
    """Every export with the names under which something of it may lie: its file, and what its writer is at."""
    within(tx, clinic_id)
    live = {ExportStatus.WAITING, ExportStatus.RUNNING, ExportStatus.DONE}
    rows = tx.execute(select(Export.id, Export.status, Export.lease_holder).where(Export.clinic_id == clinic_id))
    return {
        export_id: [str(export_id), f"{export_id}.{holder}"] if status in live else []
        for export_id, status, holder in rows
    }


def _asked(
    tx: Session, clinic_id: UUID, content: ExportContent, from_on: date | None, to_on: date | None, as_of: datetime
) -> Asked:
    zone = tx.scalars(select(Clinic.time_zone).where(Clinic.id == clinic_id)).one_or_none()
    if zone is None:
        raise Unknown("No such clinic.")
    return Asked(content=content, from_on=from_on, to_on=to_on, zone=ZoneInfo(zone), as_of=as_of)


def _visible(caller: Caller) -> Select[Export]:
    return select(Export).where(Export.clinic_id == caller.clinic_id)


def _is_free(now: datetime) -> ColumnElement[bool]:
    return and_(Export.finished_at.is_(None), or_(Export.leased_until.is_(None), Export.leased_until <= now))


def _takes_room(now: datetime) -> ColumnElement[bool]:
    return or_(Export.finished_at.is_(None), and_(Export.status == ExportStatus.DONE, Export.expires_at > now))


def _until(written_as: ExportFormat, now: datetime) -> datetime:
    return now + (WORKBOOK_LEASE if written_as is ExportFormat.XLSX else LEASE)


def _begin_anew(known: Export) -> None:
    known.rows_done = known.rows_written = known.bytes_done = known.checksum = 0
    known.place = None


def _write(tx: Session, clinic_id: UUID, claimed: Claimed, values: dict[str, Any]) -> bool:
    """Write about an export that is still ours: nobody else's lease is touched."""
    done = tx.execute(
        update(Export)
        .where(Export.clinic_id == clinic_id, Export.id == claimed.id, Export.lease_holder == claimed.holder)
        .values(values)
        .returning(Export.id)
        .execution_options(synchronize_session=False)
    )
    return done.one_or_none() is not None


def _end(
    tx: Session,
    clinic_id: UUID,
    claimed: Claimed,
    status: ExportStatus,
    now: datetime,
    failure: ExportFailure | None = None,
) -> bool:
    found = tx.scalars(
        select(Export)
        .where(Export.clinic_id == clinic_id, Export.id == claimed.id, Export.lease_holder == claimed.holder)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        return False
    _finish(found, status, now, failure)
    return True


def _finish(known: Export, status: ExportStatus, now: datetime, failure: ExportFailure | None = None) -> None:
    known.status, known.failure = status, failure
    known.finished_at, known.expires_at = now, now + EXPIRES_AFTER
    known.leased_until = known.lease_holder = known.salt = known.place = None
