"""What patients logged, and what could not be accepted but is kept."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import TENANT, Base, Identified, Tenant, of


class DoneShare(StrEnum):
    """How much of the day's list was done."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


class Source(StrEnum):
    """Who said it."""

    PATIENT = "patient"
    PROXY = "proxy"
    THERAPIST = "therapist"
    IMPORT = "import"
    """Another system."""


class SessionLog(Tenant, Base, kw_only=True):
    """One session the patient says they did, or did not. The phone makes its id; the patient is part of the key.

    A deleted session stays as a tombstone, so that its deletion reaches every phone and an old copy cannot revive it.
    """

    __tablename__ = "session"
    __table_args__ = (
        of("patient", "patient_id"),
        of("program", "program_id"),
        Index("ix_session_program_day", "clinic_id", "program_id", "local_date", "id"),
        Index("ix_session_change", "clinic_id", "patient_id", "change_number"),
        Index("ix_session_patient", "clinic_id", "patient_id", "performed_at", "id"),
        CheckConstraint("pain_before BETWEEN 0 AND 10", "pain_before"),
        CheckConstraint("pain_during BETWEEN 0 AND 10", "pain_during"),
        CheckConstraint("pain_after BETWEEN 0 AND 10", "pain_after"),
        CheckConstraint("effort BETWEEN 0 AND 10", "effort"),
        CheckConstraint("fatigue BETWEEN 0 AND 10", "fatigue"),
        CheckConstraint("worst_pain BETWEEN 0 AND 10", "worst_pain"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    program_id: Mapped[UUID]
    performed_at: Mapped[datetime]
    """What counts: as the phone said it, or corrected by how wrong the phone's clock was."""
    said_performed_at: Mapped[datetime | None] = mapped_column(default=None)
    """As the phone said it, where that was corrected."""
    time_zone: Mapped[str]
    local_date: Mapped[date]
    """The patient's date at the time; moving to another zone never changes it."""
    said_local_date: Mapped[date | None] = mapped_column(default=None)
    """As the phone said it, where that was corrected."""
    received_at: Mapped[datetime]
    """When it first came."""
    changed_at: Mapped[datetime]
    """When this version came."""
    source: Mapped[Source]
    device_id: Mapped[UUID | None] = mapped_column(default=None)
    done: Mapped[DoneShare]
    exercised: Mapped[bool]
    """Whether anything of it was exercise: ticking heat or advice is not."""
    reason: Mapped[str | None] = mapped_column(default=None)
    pain_before: Mapped[int | None] = mapped_column(default=None)
    pain_during: Mapped[int | None] = mapped_column(default=None)
    pain_after: Mapped[int | None] = mapped_column(default=None)
    effort: Mapped[int | None] = mapped_column(default=None)
    settled_by_morning: Mapped[bool | None] = mapped_column(default=None)
    """Whether the pain of the session before was back to usual by this morning."""
    fatigue: Mapped[int | None] = mapped_column(default=None)
    stiffness_minutes: Mapped[int | None] = mapped_column(default=None)
    """Morning stiffness, asked of patients with rheumatoid arthritis or lupus."""
    spread_to: Mapped[str | None] = mapped_column(default=None)
    """How far down the limb the pain went."""
    worst_pain: Mapped[int | None] = mapped_column(default=None)
    """The worst of what exercise brought: during, after, and of every entry. What the flags listen to."""
    main_reason: Mapped[str | None] = mapped_column(default=None)
    """The gravest of the reasons given for the session and its entries. What the flags listen to."""
    chips: Mapped[list[str]] = mapped_column(default_factory=list)
    note: Mapped[str | None] = mapped_column(default=None)
    ext: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    """What newer phones say that this version does not know; returned unchanged."""
    low_trust: Mapped[bool] = mapped_column(default=False)
    """Back-dated by more than seven days."""
    told_at: Mapped[datetime | None] = mapped_column(default=None)
    """When what the flags listen to was changed to what it says now; None: it never was. A note put right is no news.
    """
    version: Mapped[int] = mapped_column(default=1)
    content_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    change_number: Mapped[int] = mapped_column(BigInteger)
    """Where this version stands among all changes to the patient's record (`Patient.change_number`)."""
    deleted_at: Mapped[datetime | None] = mapped_column(default=None)


class SessionVersion(Tenant, Base, kw_only=True):
    """What a session said before it was amended or deleted. Never changed once written."""

    __tablename__ = "session_version"
    __table_args__ = (
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "session_id"], ["session.clinic_id", "session.patient_id", "session.id"]
        ),
        Index("ix_session_version_program", "clinic_id", "program_id", "replaced_at"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    program_id: Mapped[UUID]
    content_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    """By which a phone that repeats what it once said is recognised."""
    changed_at: Mapped[datetime]
    """When this version came."""
    replaced_at: Mapped[datetime]
    """When the next one came."""
    device_id: Mapped[UUID | None] = mapped_column(default=None)
    content: Mapped[dict[str, Any]]
    """The columns of the session and of its entries."""


class SessionEntry(Tenant, Base, kw_only=True):
    """One exercise of a session. An amount left out was done as prescribed."""

    __tablename__ = "session_entry"
    __table_args__ = (
        ForeignKeyConstraint(
            ["clinic_id", "patient_id", "session_id"], ["session.clinic_id", "session.patient_id", "session.id"]
        ),
        CheckConstraint("pain BETWEEN 0 AND 10", "pain"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    sets: Mapped[int | None] = mapped_column(default=None)
    reps: Mapped[int | None] = mapped_column(default=None)
    hold_seconds: Mapped[int | None] = mapped_column(default=None)
    minutes: Mapped[float | None] = mapped_column(default=None)
    skipped: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str | None] = mapped_column(default=None)
    pain: Mapped[int | None] = mapped_column(default=None)
    not_sure: Mapped[bool] = mapped_column(default=False)


class RejectedSession(Identified, Base, kw_only=True):
    """A session, or answers, that were refused, as they were sent: nothing a patient entered is lost."""

    __tablename__ = "rejected_session"
    __table_args__ = (
        of("account", "account_id"),
        Index("uq_rejected_session_body", "clinic_id", "account_id", "session_id", "content_hash", "code", unique=True),
        Index("ix_rejected_session_received", "clinic_id", "received_at"),
        {"info": TENANT},
    )

    account_id: Mapped[UUID]
    patient_id: Mapped[UUID | None] = mapped_column(default=None)
    session_id: Mapped[UUID]
    """Made of its content, where the item named none that can be read; of refused answers, the check-in."""
    about: Mapped[str | None] = mapped_column(default=None)
    """Of refused answers: which check-in or week."""
    body: Mapped[str]
    """As it was sent: a session, or an item of a push."""
    content_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    code: Mapped[str]
    """Why it was refused."""
    safety_raised: Mapped[bool]
    received_at: Mapped[datetime]
    client_sent_at: Mapped[datetime | None] = mapped_column(default=None)
    """What the phone's clock said as it sent, so that a replay corrects it alike."""
    replayed_at: Mapped[datetime | None] = mapped_column(default=None)
    replayed_to: Mapped[str | None] = mapped_column(default=None)
    """The outcome of the last replay."""
