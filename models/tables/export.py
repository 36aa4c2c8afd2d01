"""Exports that are asked for, under way, ready and over; what they hold lies in files."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import TENANT, Base, Identified, of, of_clinic


class ExportContent(StrEnum):
    """What an export holds: one kind of row, one file."""

    SESSIONS = "sessions"
    ENTRIES = "entries"
    PROGRAMS = "programs"
    PRESCRIPTIONS = "prescriptions"
    PATIENTS = "patients"
    FLAGS = "flags"
    WEEKS = "weeks"


class ExportFormat(StrEnum):
    """How its file is written."""

    NDJSON = "ndjson"
    CSV = "csv"
    XLSX = "xlsx"


class ExportStatus(StrEnum):
    """Where an export is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"


class ExportFailure(StrEnum):
    """Why there is no file."""

    STORAGE = "storage"
    """It could not be written: no room, no right to."""
    DOES_NOT_FIT = "does_not_fit"
    """The format cannot hold a value, and nothing is cut."""
    INTERRUPTED = "interrupted"
    """Taken up again and again, and never finished."""
    OURS = "ours"


class Export(Identified, Base, kw_only=True):
    """A file that is written piece by piece. Whoever claims it has it until `leased_until`; if they die, another goes
    on from `place` then.
    """

    __tablename__ = "export"
    __table_args__ = (
        of_clinic(),
        of("account", "requested_by"),
        # The queue, and nothing but the queue.
        Index(
            "ix_export_waiting",
            "clinic_id",
            "requested_at",
            sqlite_where=text("finished_at IS NULL"),
            postgresql_where=text("finished_at IS NULL"),
        ),
        CheckConstraint("(leased_until IS NULL) = (lease_holder IS NULL)", "leased"),
        CheckConstraint("(finished_at IS NULL) = (status IN ('waiting', 'running'))", "finished"),
        CheckConstraint("(finished_at IS NULL) = (expires_at IS NULL)", "expires"),
        CheckConstraint("(failure IS NULL) = (status <> 'failed')", "failed"),
        CheckConstraint("finished_at IS NULL OR salt IS NULL", "salt"),
        {"info": TENANT},
    )

    requested_by: Mapped[UUID]
    requested_at: Mapped[datetime]
    content: Mapped[ExportContent]
    format: Mapped[ExportFormat]
    options: Mapped[dict[str, Any]]
    """Of CSV: bom, delimiter, decimal."""
    de_identified: Mapped[bool]
    salt: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """What the pseudonyms of a de-identified export are made with, while it is written; then nobody has it."""
    from_on: Mapped[date | None]
    to_on: Mapped[date | None]
    status: Mapped[ExportStatus] = mapped_column(default=ExportStatus.WAITING)
    rows_done: Mapped[int] = mapped_column(BigInteger, default=0)
    rows_total: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """Counted once, as it begins; what comes meanwhile may exceed it."""
    place: Mapped[list[Any] | None] = mapped_column(default=None)
    """The key of the last row written."""
    bytes_done: Mapped[int] = mapped_column(BigInteger, default=0)
    checksum: Mapped[int] = mapped_column(BigInteger, default=0)
    """CRC-32 of so many bytes of the file."""
    interruptions: Mapped[int] = mapped_column(default=0)
    """How often whoever had it did not come back, or its file was not what had been written down."""
    leased_until: Mapped[datetime | None] = mapped_column(default=None)
    lease_holder: Mapped[UUID | None] = mapped_column(default=None)
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
    """When its file was ready, or given up."""
    expires_at: Mapped[datetime | None] = mapped_column(default=None)
    """When its file is removed."""
    failure: Mapped[ExportFailure | None] = mapped_column(default=None)
