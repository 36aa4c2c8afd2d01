"""What the outside must be told, whom it is told to, and how far that has come."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from models.delivery.retries import Failure
from models.tables.base import TENANT, Base, Identified, Tenant, of, of_clinic


class EventKind(StrEnum):
    """What can be announced."""

    FLAG_OPENED = "flag.opened"
    FLAG_RISEN = "flag.risen"
    WEBHOOK_TEST = "webhook.test"
    PASSWORD_RESET = "password.reset"  # noqa: S105  (a word, not a secret)


class DeliveryChannel(StrEnum):
    """By what way."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class Announcement(Identified, Base, kw_only=True):
    """Something the outside must be told, written with what it tells of."""

    __tablename__ = "outbox"
    __table_args__ = (of_clinic(), Index("ix_outbox_created", "clinic_id", "created_at"), {"info": TENANT})

    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    """Ids only: no health data leaves with an announcement."""
    created_at: Mapped[datetime]


class Webhook(Identified, Base, kw_only=True):
    """An address on the web that a clinic wants told."""

    __tablename__ = "webhook"
    __table_args__ = (
        of_clinic(),
        of("account", "created_by"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_because IS NULL)", "disabled"),
        CheckConstraint("(previous_secret IS NULL) = (previous_until IS NULL)", "previous"),
        {"info": TENANT},
    )

    url: Mapped[str]
    description: Mapped[str | None] = mapped_column(default=None)
    kinds: Mapped[list[str] | None] = mapped_column(default=None)
    """None: whatever happens."""
    secret: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Kept as it is, since every request is signed with it."""
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary(32), default=None)
    previous_until: Mapped[datetime | None] = mapped_column(default=None)
    """Until then requests are signed with the previous secret too."""
    version: Mapped[int] = mapped_column(default=1)
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None] = mapped_column(default=None)
    disabled_because: Mapped[str | None] = mapped_column(default=None)
    failing_since: Mapped[datetime | None] = mapped_column(default=None)
    """The first failure since something last arrived."""


class Delivery(Tenant, Base, kw_only=True):
    """One announcement on its way to one target. Whoever claims it has it until `leased_until`; if they die, another
    takes it up then.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        of("outbox", "announcement_id"),
        # The queue, and nothing but the queue: what is delivered or given up is not in it.
        Index(
            "ix_delivery_due",
            "clinic_id",
            "channel",
            "target_id",
            "next_try_at",
            sqlite_where=text("next_try_at IS NOT NULL"),
            postgresql_where=text("next_try_at IS NOT NULL"),
        ),
        Index("ix_delivery_target", "clinic_id", "target_id", "announcement_id"),
        CheckConstraint(
            "(next_try_at IS NULL) = (delivered_at IS NOT NULL OR gave_up_at IS NOT NULL)",
            "finished",
        ),
        CheckConstraint("(leased_until IS NULL) = (lease_holder IS NULL)", "leased"),
        {"info": TENANT},
    )

    announcement_id: Mapped[UUID] = mapped_column(primary_key=True)
    target_id: Mapped[UUID] = mapped_column(primary_key=True)
    """The webhook; for mail, the account."""
    channel: Mapped[DeliveryChannel]
    next_try_at: Mapped[datetime | None]
    """None: delivered or given up."""
    attempts: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None] = mapped_column(default=None)
    lease_holder: Mapped[UUID | None] = mapped_column(default=None)
    last_tried_at: Mapped[datetime | None] = mapped_column(default=None)
    failure: Mapped[Failure | None] = mapped_column(default=None)
    """Why the last attempt failed."""
    status_code: Mapped[int | None] = mapped_column(default=None)
    """What the other side answered to it."""
    delivered_at: Mapped[datetime | None] = mapped_column(default=None)
    gave_up_at: Mapped[datetime | None] = mapped_column(default=None)
