"""Telling the outside what has come due: who is to be told, who has taken it on, and what came of it.

A delivery is claimed in one transaction, sent outside of any, and settled in another. Whoever dies in between leaves it
to be claimed anew when the lease is over, under the same id: what is announced arrives at least once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from models.adherence.kinds import Severity
from models.database import insert_for
from models.delivery.retries import FAILING_FOR, GONE, LEASE, Attempt, Failure, next_try
from models.operations.ids import new_id
from models.operations.links import MAILED_FOR, issue_link
from models.operations.walls import within
from models.tables import Account, Announcement, Delivery, DeliveryChannel, EventKind, Patient, Role, Webhook

MAILED_FROM = Severity.HIGH
"""Mail interrupts: it is for what cannot wait until someone looks at the worklist."""
KEPT = timedelta(days=30)
BATCH = 20
"""Deliveries one sender takes on at a time."""
_FORGOTTEN_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something to announce."""

    kind: EventKind
    payload: dict[str, Any]
    patient_id: UUID
    severity: Severity


@dataclass(frozen=True, slots=True)
class Target:
    """Whom deliveries wait for."""

    channel: DeliveryChannel
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that is ours until `until`, with all it takes to send it."""

    announcement_id: UUID
    kind: str
    payload: dict[str, Any]
    created_at: datetime
    target: Target
    address: str
    """A URL, or an e-mail address."""
    secrets: Sequence[bytes]
    """What to sign with, the present secret first."""
    is_theirs: bool
    """Mail: the patient is the recipient's own; otherwise the whole staff is told."""
    link: str | None = None
    """Mail: the token that sets a password, which is drawn as it leaves and not kept."""
    holder: UUID
    until: datetime


def announce(tx: Session, clinic_id: UUID, news: Sequence[News], *, by_mail: bool, now: datetime) -> None:
    """Write announcements, and a delivery for each whom they are for: all or none, with what they tell of."""
    told = [
        (Announcement(clinic_id=clinic_id, id=new_id(now), kind=one.kind, payload=one.payload, created_at=now), one)
        for one in news
    ]
    targets: list[tuple[Announcement, DeliveryChannel, UUID]] = []
    listening = tx.execute(
        select(Webhook.id, Webhook.kinds).where(Webhook.clinic_id == clinic_id, Webhook.disabled_at.is_(None))
    ).all()
    for announcement, one in told:
        targets += [
            (announcement, DeliveryChannel.WEBHOOK, webhook_id)
            for webhook_id, kinds in listening
            if kinds is None or one.kind in kinds
        ]
    if by_mail:
        grave = [(announcement, one.patient_id) for announcement, one in told if one.severity >= MAILED_FROM]
        recipients = _recipients(tx, clinic_id, {patient_id for _, patient_id in grave})
        for announcement, patient_id in grave:
            targets += [(announcement, DeliveryChannel.MAIL, account_id) for account_id in recipients[patient_id]]
    _send_out(tx, clinic_id, [announcement for announcement, _ in told], targets, now)


def announce_test(tx: Session, clinic_id: UUID, webhook_id: UUID, *, now: datetime) -> None:
    """One announcement for one webhook, that tells of nothing."""
    announcement = Announcement(
        clinic_id=clinic_id,
        id=new_id(now),
        kind=EventKind.WEBHOOK_TEST,
        payload={"webhook_id": str(webhook_id)},
        created_at=now,
    )
    _send_out(tx, clinic_id, [announcement], [(announcement, DeliveryChannel.WEBHOOK, webhook_id)], now)


def announce_reset(tx: Session, clinic_id: UUID, account_id: UUID, *, now: datetime) -> None:
    """One mail for one account, with a link that sets its password; webhooks hear nothing of it."""
    announcement = Announcement(
        clinic_id=clinic_id, id=new_id(now), kind=EventKind.PASSWORD_RESET, payload={}, created_at=now
    )
    _send_out(tx, clinic_id, [announcement], [(announcement, DeliveryChannel.MAIL, account_id)], now)


def waiting(tx: Session, clinic_id: UUID, channels: Sequence[DeliveryChannel], *, now: datetime) -> list[Target]:
    """Whom something is due for that nobody has taken on. Each has a queue of its own: one that does not answer keeps
    nobody else waiting.
    """
    within(tx, clinic_id)
    rows = tx.execute(
        select(Delivery.channel, Delivery.target_id)
        .where(Delivery.clinic_id == clinic_id, Delivery.channel.in_(channels), _is_free(now))
        .distinct()
    )
    return [Target(channel, target_id) for channel, target_id in rows]


def claim(tx: Session, clinic_id: UUID, target: Target, *, now: datetime) -> list[Claimed]:
    """Take on what is due for a target, oldest first, until the lease is over; others skip what we hold. What cannot be
    delivered any more, since nobody is there, is given up.
    """
    within(tx, clinic_id)
    found = tx.scalars(
        select(Delivery)
        .where(
            Delivery.clinic_id == clinic_id,
            Delivery.channel == target.channel,
            Delivery.target_id == target.id,
            _is_free(now),
        )
        .order_by(Delivery.next_try_at, Delivery.announcement_id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    if not found:
        return []
    reached = _reached(tx, clinic_id, target, now)
    if reached is None:
        for delivery in found:
            delivery.failure, delivery.status_code = Failure.NO_TARGET, None
            _finish(delivery, gave_up_at=now)
        return []
    address, secrets = reached
    holder, until = new_id(now), now + LEASE
    for delivery in found:
        delivery.leased_until, delivery.lease_holder = until, holder
    told = _told(tx, clinic_id, [delivery.announcement_id for delivery in found])
    late = {one.id for one, _ in told if one.kind == EventKind.PASSWORD_RESET and one.created_at + MAILED_FOR <= now}
    for delivery in found:
        if delivery.announcement_id in late:
            _finish(delivery, gave_up_at=now)
    return [
        Claimed(
            announcement_id=announcement.id,
            kind=announcement.kind,
            payload=announcement.payload,
            created_at=announcement.created_at,
            target=target,
            address=address,
            secrets=secrets,
            is_theirs=therapist_id == target.id,
            link=_link(tx, announcement, target, now),
            holder=holder,
            until=until,
        )
        for announcement, therapist_id in told
        if announcement.id not in late
    ]


def settle(tx: Session, clinic_id: UUID, claimed: Claimed, attempt: Attempt, *, now: datetime) -> None:
    """Write down what came of an attempt. What arrived has arrived, whoever holds the lease by now; a failure counts
    only while the lease is ours.
    """
    within(tx, clinic_id)
    delivery = tx.scalars(
        select(Delivery)
        .where(
            Delivery.clinic_id == clinic_id,
            Delivery.announcement_id == claimed.announcement_id,
            Delivery.target_id == claimed.target.id,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if delivery is None or delivery.next_try_at is None:
        return
    if not attempt.arrived and delivery.lease_holder != claimed.holder:
        return
    delivery.attempts += 1
    delivery.last_tried_at, delivery.failure, delivery.status_code = now, attempt.failure, attempt.status
    if attempt.arrived:
        _finish(delivery, delivered_at=now)
    else:
        again = next_try(
            delivery.attempts, claimed.announcement_id, claimed.target.id, wish=attempt.retry_after, now=now
        )
        if again is None or attempt.status == GONE:
            _finish(delivery, gave_up_at=now)
        else:
            delivery.next_try_at, delivery.leased_until, delivery.lease_holder = again, None, None
    if claimed.target.channel is DeliveryChannel.WEBHOOK:
        tx.flush()  # the delivery is held before its webhook, as by whoever deletes the webhook
        _judge(tx, clinic_id, claimed.target.id, attempt, now)


def forget_announcements(tx: Session, clinic_id: UUID, *, now: datetime) -> None:
    """Drop announcements that are older than they are kept, with their deliveries; the longest schedule of retries is
    over long before.
    """
    old = tx.scalars(
        select(Announcement.id)
        .where(is_old(clinic_id, now))
        .order_by(Announcement.created_at)
        .limit(_FORGOTTEN_AT_ONCE)
    ).all()
    if old:
        tx.execute(delete(Delivery).where(Delivery.clinic_id == clinic_id, Delivery.announcement_id.in_(old)))
        tx.execute(delete(Announcement).where(Announcement.clinic_id == clinic_id, Announcement.id.in_(old)))


def is_old(clinic_id: UUID, now: datetime) -> ColumnElement[bool]:
    """Whether an announcement is older than it is kept."""
    return and_(Announcement.clinic_id == clinic_id, Announcement.created_at < now - KEPT)


def _send_out(
    tx: Session,
    clinic_id: UUID,
    announcements: Sequence[Announcement],
    targets: Sequence[tuple[Announcement, DeliveryChannel, UUID]],
    now: datetime,
) -> None:
    tx.add_all(announcements)
    tx.flush()  # their deliveries refer to them
    rows = [
        {
            "clinic_id": clinic_id,
            "announcement_id": announcement.id,
            "target_id": target_id,
            "channel": channel,
            "next_try_at": now,
            "attempts": 0,
        }
        for announcement, channel, target_id in targets
    ]
    if rows:
        tx.execute(insert_for(tx, Delivery), rows)


def _recipients(tx: Session, clinic_id: UUID, patients: set[UUID]) -> dict[UUID, list[UUID]]:
    """Whom mail about each patient goes to: the therapist responsible, or else everyone on the staff."""
    if not patients:
        return {}
    rows = tx.execute(
        select(Patient.id, Account.id)
        .join(Account, and_(Account.clinic_id == Patient.clinic_id, Account.id == Patient.therapist_id))
        .where(Patient.clinic_id == clinic_id, Patient.id.in_(patients), _can_read())
    )
    found = {patient_id: [account_id] for patient_id, account_id in rows}
    if patients - found.keys():
        staff = tx.scalars(
            select(Account.id).where(
                Account.clinic_id == clinic_id, Account.role.in_([Role.ADMIN, Role.THERAPIST]), _can_read()
            )
        ).all()
        found |= {patient_id: list(staff) for patient_id in patients - found.keys()}
    return found


def _can_read() -> ColumnElement[bool]:
    return and_(Account.email.is_not(None), Account.disabled_at.is_(None))


def _is_free(now: datetime) -> ColumnElement[bool]:
    return and_(Delivery.next_try_at <= now, or_(Delivery.leased_until.is_(None), Delivery.leased_until <= now))


def _reached(tx: Session, clinic_id: UUID, target: Target, now: datetime) -> tuple[str, list[bytes]] | None:
    """Where a target is to be found at this moment, and what to sign with."""
    if target.channel is DeliveryChannel.MAIL:
        email = tx.scalars(
            select(Account.email).where(Account.clinic_id == clinic_id, Account.id == target.id, _can_read())
        ).one_or_none()
        return None if email is None else (email, [])
    row = tx.execute(
        select(Webhook.url, Webhook.secret, Webhook.previous_secret, Webhook.previous_until).where(
            Webhook.clinic_id == clinic_id, Webhook.id == target.id, Webhook.disabled_at.is_(None)
        )
    ).one_or_none()
    if row is None:
        return None
    url, secret, previous, until = row
    still = previous is not None and until is not None and until > now
    return url, [secret, previous] if still and previous else [secret]


def _told(tx: Session, clinic_id: UUID, ids: Sequence[UUID]) -> list[tuple[Announcement, UUID | None]]:
    """Announcements, each with the therapist of the patient it is about, oldest first."""
    found = tx.scalars(
        select(Announcement)
        .where(Announcement.clinic_id == clinic_id, Announcement.id.in_(ids))
        .order_by(Announcement.id)
    ).all()
    about = {one.id: UUID(one.payload["patient_id"]) for one in found if "patient_id" in one.payload}
    rows = tx.execute(
        select(Patient.id, Patient.therapist_id).where(
            Patient.clinic_id == clinic_id, Patient.id.in_(set(about.values()))
        )
    )
    therapists = {patient_id: therapist_id for patient_id, therapist_id in rows}  # noqa: C416  (mypy reads rows so)
    return [(one, therapists.get(about[one.id]) if one.id in about else None) for one in found]


def _link(tx: Session, announcement: Announcement, target: Target, now: datetime) -> str | None:
    if announcement.kind != EventKind.PASSWORD_RESET:
        return None
    until = announcement.created_at + MAILED_FOR
    return issue_link(tx, announcement.clinic_id, target.id, until=until, now=now).text


def _finish(delivery: Delivery, *, delivered_at: datetime | None = None, gave_up_at: datetime | None = None) -> None:
    delivery.next_try_at = delivery.leased_until = delivery.lease_holder = None
    delivery.delivered_at, delivery.gave_up_at = delivered_at, gave_up_at


def _judge(tx: Session, clinic_id: UUID, webhook_id: UUID, attempt: Attempt, now: datetime) -> None:
    """What an attempt says about the webhook: well again, failing, failing for too long, gone."""
    stmt = (
        update(Webhook)
        .where(Webhook.clinic_id == clinic_id, Webhook.id == webhook_id)
        .execution_options(synchronize_session=False)
    )
    if attempt.arrived:
        tx.execute(stmt.where(Webhook.failing_since.is_not(None)).values(failing_since=None))
        return
    tx.execute(stmt.where(Webhook.failing_since.is_(None)).values(failing_since=now))
    enabled = stmt.where(Webhook.disabled_at.is_(None))
    if attempt.status == GONE:
        disabled = {"disabled_at": now, "disabled_because": "gone", "version": Webhook.version + 1}
        tx.execute(enabled.values(disabled))
    else:
        disabled = {"disabled_at": now, "disabled_because": "failing", "version": Webhook.version + 1}
        tx.execute(enabled.where(Webhook.failing_since <= now - FAILING_FOR).values(disabled))
