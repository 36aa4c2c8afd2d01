"""Where a clinic wants to be told: webhooks, their secrets, and what became of what was sent to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, and_, delete, func, select
from sqlalchemy.orm import Session

from models.delivery.addresses import Allowed, fault_of
from models.operations.announcements import announce_test
from models.operations.callers import Caller
from models.operations.credentials import new_key
from models.operations.ids import new_id
from models.refusals import Invalid, TooManyWebhooks, Unknown, VersionMismatch, WrongStatus
from models.tables import Announcement, Clinic, Delivery, EventKind, Webhook

MOST = 10
"""Webhooks a clinic may have: each is sent every announcement."""
BOTH_SECRETS_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDraft:
    """What an admin says of a webhook."""

    url: str
    description: str | None = None
    kinds: Sequence[str] | None = None
    """None: whatever happens."""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Sent:
    """An announcement and how far it has come on its way to one webhook."""

    announcement: Announcement
    delivery: Delivery


def webhooks(tx: Session, caller: Caller) -> Sequence[Webhook]:
    """The clinic's webhooks, the oldest first."""
    return tx.scalars(_visible(caller).order_by(Webhook.id)).all()


def webhook(tx: Session, caller: Caller, webhook_id: UUID) -> Webhook:
    """One webhook."""
    return _one(tx, caller, webhook_id)


def create_webhook(tx: Session, caller: Caller, said: WebhookDraft, allowed: Allowed, *, now: datetime) -> Webhook:
    """A new webhook with a new secret."""
    _check(said, allowed)
    # Two at once must not both be the last that fits.
    tx.execute(select(Clinic.id).where(Clinic.id == caller.clinic_id).with_for_update(key_share=True))
    known = tx.scalars(select(func.count()).select_from(Webhook).where(Webhook.clinic_id == caller.clinic_id)).one()
    if known >= MOST:
        raise TooManyWebhooks(f"A clinic has at most {MOST} webhooks; delete one first.")
    made = Webhook(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        url=said.url,
        description=said.description,
        kinds=None if said.kinds is None else sorted(set(said.kinds)),
        secret=new_key(),
        created_by=caller.account_id,
        created_at=now,
    )
    _switch(made, said, now)
    tx.add(made)
    tx.flush()  # the answer to a repeated request is found by its id
    return made


def amend_webhook(
    tx: Session, caller: Caller, webhook_id: UUID, said: WebhookDraft, allowed: Allowed, *, version: int, now: datetime
) -> Webhook:
    """Replace what is said of a webhook. Enabling it forgives its failures; what was waiting when it was disabled is
    given up.
    """
    known = _one(tx, caller, webhook_id, lock=True)
    if known.version != version:
        raise VersionMismatch("Someone changed this webhook meanwhile; read it again.")
    _check(said, allowed)
    known.url, known.description = said.url, said.description
    known.kinds = None if said.kinds is None else sorted(set(said.kinds))
    _switch(known, said, now)
    known.version += 1
    return known


def rotate_secret(tx: Session, caller: Caller, webhook_id: UUID, *, now: datetime) -> Webhook:
    """A new secret; for a day both sign, so that the receiver has time to change over. Rotated again within the day,
    the oldest of the three is out at once.
    """
    known = _one(tx, caller, webhook_id, lock=True)
    known.previous_secret, known.previous_until = known.secret, now + BOTH_SECRETS_FOR
    known.secret = new_key()
    known.version += 1
    return known


def delete_webhook(tx: Session, caller: Caller, webhook_id: UUID) -> None:
    """Forget a webhook and all that was sent to it."""
    known = _one(tx, caller, webhook_id)
    # Deliveries before their webhook, as by whoever settles them: two must not wait for each other.
    tx.execute(delete(Delivery).where(Delivery.clinic_id == caller.clinic_id, Delivery.target_id == known.id))
    tx.execute(delete(Webhook).where(Webhook.clinic_id == caller.clinic_id, Webhook.id == known.id))


def try_webhook(tx: Session, caller: Caller, webhook_id: UUID, *, now: datetime) -> Sent:
    """Have a test sent with the next sweep. While one is waiting there is no second."""
    known = _one(tx, caller, webhook_id, lock=True)
    if known.disabled_at is not None:
        raise WrongStatus("This webhook is disabled; enable it first.")
    still = _sent(caller, known.id).where(
        Announcement.kind == EventKind.WEBHOOK_TEST, Delivery.next_try_at.is_not(None)
    )
    if tx.execute(still.limit(1)).first() is None:
        announce_test(tx, caller.clinic_id, known.id, now=now)
    announcement, delivery = tx.execute(still.limit(1)).one()
    return Sent(announcement, delivery)


def deliveries(tx: Session, caller: Caller, webhook_id: UUID, *, after: UUID | None, limit: int) -> list[Sent]:
    """A page of what was, or will be, sent to a webhook, the latest first."""
    known = _one(tx, caller, webhook_id)
    stmt = _sent(caller, known.id)
    if after is not None:
        stmt = stmt.where(Delivery.announcement_id < after)
    rows = tx.execute(stmt.order_by(Delivery.announcement_id.desc()).limit(limit))
    return [Sent(announcement, delivery) for announcement, delivery in rows]


def _visible(caller: Caller) -> Select[Webhook]:
    return select(Webhook).where(Webhook.clinic_id == caller.clinic_id)


def _one(tx: Session, caller: Caller, webhook_id: UUID, *, lock: bool = False) -> Webhook:
    stmt = _visible(caller).where(Webhook.id == webhook_id).execution_options(populate_existing=True)
    found = tx.scalars(stmt.with_for_update() if lock else stmt).one_or_none()
    if found is None:
        raise Unknown(f"No webhook {webhook_id}.")
    return found


def _sent(caller: Caller, webhook_id: UUID) -> Select[Announcement, Delivery]:
    return (
        select(Announcement, Delivery)
        .join(
            Delivery,
            and_(Delivery.clinic_id == Announcement.clinic_id, Delivery.announcement_id == Announcement.id),
        )
        .where(Delivery.clinic_id == caller.clinic_id, Delivery.target_id == webhook_id)
    )


def _check(said: WebhookDraft, allowed: Allowed) -> None:
    fault = fault_of(said.url, allowed)
    if fault is not None:
        raise Invalid(fault, field="/url")


def _switch(known: Webhook, said: WebhookDraft, now: datetime) -> None:
    if said.enabled:
        known.disabled_at = known.disabled_because = known.failing_since = None
    elif known.disabled_at is None:
        known.disabled_at, known.disabled_because = now, "by_hand"
