"""How programs stand, and what has been flagged."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.adherence import Standing
from models.adherence.kinds import FlagKind
from models.tables.base import TENANT, Base, Identified, Tenant, of, of_clinic


class ProgramStanding(Tenant, Base, kw_only=True):
    """How a program stood when it was last written to, and its whole future if nothing more is heard."""

    __tablename__ = "standing"
    __table_args__ = (of("program", "program_id"), {"info": TENANT})

    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    standing: Mapped[Standing]
    since: Mapped[datetime]
    changes_at: Mapped[datetime | None]
    """The first moment the standing differs if nothing more is heard."""
    forecast: Mapped[list[Any]]
    """[[instant, standing], …]: every later change."""
    last_day: Mapped[date | None]
    """The last local day with exercise."""
    stopped_at: Mapped[datetime | None]
    """When the silence since comes to stand at *stopped*, whatever ends or pauses the program meanwhile."""
    habit: Mapped[float | None]
    weekly_slots: Mapped[float | None]
    assessed_at: Mapped[datetime]
    rule_version: Mapped[int]


class ProgramWeek(Tenant, Base, kw_only=True):
    """One program in one ISO week (`models.adherence.weeks`): what every report over many programs is summed from."""

    __tablename__ = "week"
    __table_args__ = (
        of("program", "program_id"),
        Index("ix_week_monday", "clinic_id", "monday"),
        {"info": TENANT},
    )

    program_id: Mapped[UUID] = mapped_column(primary_key=True)
    monday: Mapped[date] = mapped_column(primary_key=True)
    expected: Mapped[int]
    done: Mapped[int]
    items_expected: Mapped[int]
    items_done: Mapped[int]
    dose_sum: Mapped[float]
    dose_count: Mapped[int]
    excluded_days: Mapped[int]
    paused_days: Mapped[int]
    flare_days: Mapped[int]
    sessions: Mapped[int]
    first_day: Mapped[date | None]
    followed_on: Mapped[date | None]
    """The Monday of the first week from this one on with exercise: a period counts this week if it reaches that one."""
    pain_sum: Mapped[int]
    pain_count: Mapped[int]
    pain_worst: Mapped[int | None]
    effort_sum: Mapped[int]
    effort_count: Mapped[int]
    late: Mapped[int]
    low_trust: Mapped[int]


class ReportVersion(Tenant, Base, kw_only=True):
    """A closed month's report as it was told: never changed."""

    __tablename__ = "report_version"
    __table_args__ = (of_clinic(), {"info": TENANT})

    kind: Mapped[str] = mapped_column(primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    """Its first day."""
    version: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]]
    changes: Mapped[list[Any]]
    """What is not as the version before said, value by value."""
    created_at: Mapped[datetime]


class Flag(Identified, Base, kw_only=True):
    """Something a therapist should look at, open or promised: `opens_at` may lie ahead."""

    __tablename__ = "flag"
    __table_args__ = (
        of("patient", "patient_id"),
        of("program", "program_id"),
        Index(
            "uq_flag_open",
            "clinic_id",
            "about_id",
            "kind",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index(
            "ix_flag_opens",
            "clinic_id",
            "opens_at",
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index("ix_flag_patient", "clinic_id", "patient_id", "id"),
        # What people closed is remembered for its episode, and read with every log: few rows, found at once.
        Index(
            "ix_flag_handled",
            "clinic_id",
            "about_id",
            sqlite_where=text("closed_by IS NOT NULL"),
            postgresql_where=text("closed_by IS NOT NULL"),
        ),
        CheckConstraint("(rises_at IS NULL) = (rises_to IS NULL)", "rises"),
        CheckConstraint("(closed_at IS NULL) = (closed_because IS NULL)", "closed"),
        CheckConstraint("closed_by IS NULL OR closed_at IS NOT NULL", "closed_by"),
        {"info": TENANT},
    )

    patient_id: Mapped[UUID]
    program_id: Mapped[UUID | None]
    about_id: Mapped[UUID]
    """The program; for what concerns the whole patient, the patient."""
    kind: Mapped[FlagKind]
    severity: Mapped[int] = mapped_column(SmallInteger)
    opens_at: Mapped[datetime]
    rises_at: Mapped[datetime | None] = mapped_column(default=None)
    rises_to: Mapped[int | None] = mapped_column(SmallInteger, default=None)
    nudges_at: Mapped[datetime | None] = mapped_column(default=None)
    expires_at: Mapped[datetime | None] = mapped_column(default=None)
    episode: Mapped[str]
    evidence: Mapped[dict[str, Any]]
    announced: Mapped[int | None] = mapped_column(SmallInteger, default=None)
    """The highest severity the outside was told of."""
    acknowledged_at: Mapped[datetime | None] = mapped_column(default=None)
    acknowledged_by: Mapped[UUID | None] = mapped_column(default=None)
    snoozed_until: Mapped[datetime | None] = mapped_column(default=None)
    closed_at: Mapped[datetime | None] = mapped_column(default=None)
    """Before `opens_at`: a promise that was never needed, no history of anything."""
    closed_because: Mapped[str | None] = mapped_column(default=None)
    closed_by: Mapped[UUID | None] = mapped_column(default=None)
    """Who closed it; None for those that closed by themselves."""
    closed_note: Mapped[str | None] = mapped_column(default=None)
    deeds: Mapped[list[Any]] = mapped_column(default_factory=list)
    """What people did about it, in order: {deed, at, by, …}. Only ever added to."""
    version: Mapped[int] = mapped_column(default=1)
    """Counts what a reader may have missed: what people did about it, and what was added to its evidence."""
    rule_version: Mapped[int]
    created_at: Mapped[datetime]
