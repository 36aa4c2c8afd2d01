"""Who is told of what, and how far it has come; in one transaction, by `now`."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.orm import Session

from models.adherence.kinds import Severity
from models.database import Database
from models.delivery.addresses import Allowed
from models.delivery.retries import FAILING_FOR, LEASE, WAITS, Attempt, Failure
from models.operations import announcements, sweep, webhooks
from models.operations.announcements import BATCH, KEPT, Claimed, Target
from models.operations.callers import Caller
from models.operations.ids import new_id
from models.operations.sessions import record_sessions
from models.tables import Account, Announcement, Delivery, DeliveryChannel, Flag, Patient, Role, Webhook
from tests.architecture.statements import explaining
from tests.builders import DAY, NOON, a_clinic, a_member, a_patient, a_program, a_report

LATER = NOON + 10 * DAY
BOTH = [DeliveryChannel.MAIL, DeliveryChannel.WEBHOOK]
DOWN = Attempt(failure=Failure.UNREACHABLE)


def a_webhook(tx: Session, caller: Caller, *, now: datetime = NOON, **but: object) -> Webhook:
    said = webhooks.WebhookDraft(**{"url": "https://hooks.example/a"} | but)  # type: ignore[arg-type]
    return webhooks.create_webhook(tx, caller, said, Allowed(), now=now)


def with_mail(tx: Session, caller: Caller, email: str) -> Caller:
    account = tx.get_one(Account, {"clinic_id": caller.clinic_id, "id": caller.account_id})
    account.email = email
    tx.flush()
    return caller


def a_fall(tx: Session, ines: Caller, patient: Patient | None = None, *, now: datetime = NOON) -> UUID:
    """A patient who fell, announced; whose flag it is."""
    patient = patient or a_patient(tx, ines)
    course = a_program(tx, ines, patient)
    record_sessions(tx, ines, [a_report(course.program.id, chips=["fall"])], now=now)
    assert sweep.announce_due(tx, ines.clinic_id, by_mail=True, now=now) == 1
    return tx.scalars(select(Flag.id).where(Flag.about_id == patient.id)).one()


def told(tx: Session) -> list[tuple[str, str, str]]:
    """(event, severity, channel) of every delivery."""
    rows = tx.execute(
        select(Announcement.kind, Announcement.payload, Delivery.channel)
        .join(Delivery, Delivery.announcement_id == Announcement.id)
        .order_by(Announcement.id, Delivery.channel)
    )
    return [(kind, payload["severity"], channel.value) for kind, payload, channel in rows]


def claimed(tx: Session, target: Target, clinic_id: UUID, *, now: datetime = NOON) -> list[Claimed]:
    return announcements.claim(tx, clinic_id, target, now=now)


def the_target(tx: Session, ines: Caller, *, now: datetime = NOON) -> Target:
    (target,) = announcements.waiting(tx, ines.clinic_id, BOTH, now=now)
    return target


def fails(tx: Session, ines: Caller, attempt: Attempt = DOWN, *, now: datetime) -> Delivery:
    """The one delivery is claimed and tried."""
    (one,) = claimed(tx, the_target(tx, ines, now=now), ines.clinic_id, now=now)
    announcements.settle(tx, ines.clinic_id, one, attempt, now=now)
    tx.flush()
    return tx.scalars(select(Delivery)).one()


def test_an_opening_is_told_to_every_webhook_that_listens(tx: Session) -> None:
    ines, stranger = a_clinic(tx), a_clinic(tx)
    all_kinds, openings, rises, off = (
        a_webhook(tx, ines),
        a_webhook(tx, ines, kinds=["flag.opened"]),
        a_webhook(tx, ines, kinds=["flag.risen"]),
        a_webhook(tx, ines, enabled=False),
    )
    a_webhook(tx, stranger)
    flag_id = a_fall(tx, ines)
    assert {row.target_id for row in tx.scalars(select(Delivery))} == {all_kinds.id, openings.id}
    assert rises.id != off.id
    payload = tx.scalars(select(Announcement.payload)).one()
    assert payload == {
        "flag_id": str(flag_id),
        "patient_id": str(tx.scalars(select(Patient.id)).one()),
        "program_id": payload["program_id"],
        "severity": "urgent",
    }


def test_mail_goes_to_the_therapist_responsible_for_what_is_grave(tx: Session) -> None:
    ines = with_mail(tx, a_clinic(tx), "ines@clinic.example")
    with_mail(tx, a_member(tx, ines.clinic_id, Role.THERAPIST), "tomas@clinic.example")
    a_fall(tx, ines)
    a_program(tx, ines, a_patient(tx, ines))
    assert sweep.announce_due(tx, ines.clinic_id, by_mail=True, now=LATER) > 0
    assert {row.target_id for row in tx.scalars(select(Delivery))} == {ines.account_id}
    assert told(tx) == [("flag.opened", "urgent", "mail")]
    (one,) = claimed(tx, the_target(tx, ines), ines.clinic_id)
    assert (one.address, one.is_theirs) == ("ines@clinic.example", True)


def test_where_no_therapist_is_responsible_the_whole_staff_is_mailed(tx: Session) -> None:
    ines = with_mail(tx, a_clinic(tx), "ines@clinic.example")
    ada = with_mail(tx, a_member(tx, ines.clinic_id, Role.ADMIN), "ada@clinic.example")
    gone = with_mail(tx, a_member(tx, ines.clinic_id, Role.THERAPIST), "gone@clinic.example")
    tx.get_one(Account, {"clinic_id": ines.clinic_id, "id": gone.account_id}).disabled_at = NOON
    stranger = with_mail(tx, a_clinic(tx), "else@where.example")
    for therapist_id in (None, gone.account_id):
        tx.execute(delete(Delivery))
        patient = a_patient(tx, ines)
        patient.therapist_id = therapist_id
        a_fall(tx, ines, patient)
        told_to = {row.target_id for row in tx.scalars(select(Delivery))}
        assert told_to == {ines.account_id, ada.account_id}
    assert stranger.account_id not in told_to
    targets = announcements.waiting(tx, ines.clinic_id, BOTH, now=NOON)
    (one,) = claimed(tx, targets[0], ines.clinic_id)
    assert not one.is_theirs


def test_without_a_mail_server_no_mail_piles_up(tx: Session) -> None:
    ines = with_mail(tx, a_clinic(tx), "ines@clinic.example")
    course = a_program(tx, ines, a_patient(tx, ines))
    record_sessions(tx, ines, [a_report(course.program.id, chips=["fall"])], now=NOON)
    assert sweep.announce_due(tx, ines.clinic_id, now=NOON) == 1
    assert told(tx) == []
    assert tx.scalar(select(func.count()).select_from(Announcement)) == 1


def test_a_rise_is_told_as_one(tx: Session) -> None:
    ines = a_clinic(tx)
    a_webhook(tx, ines)
    a_fall(tx, ines)
    flag = tx.scalars(select(Flag).where(Flag.announced.is_not(None))).one()
    flag.rises_at, flag.rises_to = NOON + DAY, int(Severity.EMERGENCY)
    tx.flush()
    sweep.announce_due(tx, ines.clinic_id, now=NOON + DAY)
    assert told(tx)[:2] == [("flag.opened", "urgent", "webhook"), ("flag.risen", "emergency", "webhook")]


def test_what_is_claimed_is_nobody_elses_until_the_lease_is_over(tx: Session) -> None:
    ines = a_clinic(tx)
    a_webhook(tx, ines)
    a_fall(tx, ines)
    target = the_target(tx, ines)
    (first,) = claimed(tx, target, ines.clinic_id)
    almost = NOON + LEASE - timedelta(seconds=1)
    assert claimed(tx, target, ines.clinic_id, now=almost) == []
    assert announcements.waiting(tx, ines.clinic_id, BOTH, now=almost) == []
    (second,) = claimed(tx, target, ines.clinic_id, now=NOON + LEASE)
    assert (second.announcement_id, second.holder != first.holder) == (first.announcement_id, True)
    # The first was slow, not dead. Its failure is nobody's business now; its success is a success.
    announcements.settle(tx, ines.clinic_id, first, DOWN, now=NOON + LEASE)
    assert tx.scalars(select(Delivery.attempts)).one() == 0
    announcements.settle(tx, ines.clinic_id, first, Attempt(status=200), now=NOON + LEASE)
    announcements.settle(tx, ines.clinic_id, second, DOWN, now=NOON + LEASE)
    row = tx.scalars(select(Delivery)).one()
    assert (row.delivered_at, row.next_try_at, row.attempts) == (NOON + LEASE, None, 1)


def test_a_failure_is_tried_again_on_schedule_and_given_up_after_ten(tx: Session) -> None:
    ines = a_clinic(tx)
    a_webhook(tx, ines)
    a_fall(tx, ines)
    now, waited = NOON, []
    for _ in range(9):
        row = fails(tx, ines, now=now)
        assert row.next_try_at is not None
        assert announcements.waiting(tx, ines.clinic_id, BOTH, now=row.next_try_at - timedelta(seconds=1)) == []
        waited.append(row.next_try_at - now)
        now = row.next_try_at
    assert all(wait <= took <= wait * 1.1 for wait, took in zip(WAITS, waited, strict=True))
    row = fails(tx, ines, now=now)
    assert (row.gave_up_at, row.attempts, row.failure, row.next_try_at) == (now, 10, Failure.UNREACHABLE, None)
    assert announcements.waiting(tx, ines.clinic_id, BOTH, now=now + 30 * DAY) == []


def test_410_disables_the_webhook_and_what_waits_for_it_is_given_up(tx: Session) -> None:
    ines = a_clinic(tx)
    webhook = a_webhook(tx, ines)
    for _ in range(3):
        a_fall(tx, ines)
    target = the_target(tx, ines)
    first = claimed(tx, target, ines.clinic_id)[0]
    announcements.settle(tx, ines.clinic_id, first, Attempt(failure=Failure.STATUS, status=410), now=NOON)
    # Whoever asked at the same moment settles afterwards, and changes nothing.
    announcements._judge(tx, ines.clinic_id, webhook.id, Attempt(failure=Failure.STATUS, status=410), LATER)
    tx.refresh(webhook)
    assert (webhook.disabled_at, webhook.disabled_because, webhook.version) == (NOON, "gone", 2)
    assert claimed(tx, target, ines.clinic_id, now=NOON + LEASE) == []
    ends = tx.execute(select(Delivery.gave_up_at.is_not(None), Delivery.failure).order_by(Delivery.failure)).all()
    assert [(bool(ended), why) for ended, why in ends] == [
        (True, Failure.NO_TARGET),
        (True, Failure.NO_TARGET),
        (True, Failure.STATUS),
    ]
    a_fall(tx, ines)
    assert announcements.waiting(tx, ines.clinic_id, BOTH, now=LATER) == []


def test_a_webhook_at_which_nothing_arrives_for_days_is_disabled(tx: Session) -> None:
    ines = a_clinic(tx)
    webhook = a_webhook(tx, ines)
    for days, attempt, is_enabled in (
        (0, DOWN, True),
        (3, Attempt(status=204), True),
        (4, DOWN, True),
        (8.9, DOWN, True),
        (4 + FAILING_FOR / DAY, DOWN, False),
    ):
        now = NOON + days * DAY
        tx.execute(delete(Delivery))
        a_fall(tx, ines, now=now)
        fails(tx, ines, attempt, now=now)
        tx.refresh(webhook)
        assert (webhook.disabled_at is None) is is_enabled, days
    assert webhook.disabled_because == "failing"
    said = webhooks.WebhookDraft(url=webhook.url)
    again = webhooks.amend_webhook(tx, ines, webhook.id, said, Allowed(), version=webhook.version, now=LATER)
    assert (again.disabled_at, again.failing_since) == (None, None)


def test_a_recipient_who_has_left_is_not_written_to(tx: Session) -> None:
    ines = with_mail(tx, a_clinic(tx), "ines@clinic.example")
    a_fall(tx, ines)
    tx.get_one(Account, {"clinic_id": ines.clinic_id, "id": ines.account_id}).disabled_at = NOON
    tx.flush()
    assert claimed(tx, the_target(tx, ines), ines.clinic_id) == []
    assert tx.scalars(select(Delivery.failure)).one() is Failure.NO_TARGET


def test_a_busy_endpoint_is_left_alone_for_as_long_as_it_asks(tx: Session) -> None:
    ines = a_clinic(tx)
    a_webhook(tx, ines)
    a_fall(tx, ines)
    busy = Attempt(failure=Failure.STATUS, status=429, retry_after=timedelta(minutes=10))
    assert fails(tx, ines, busy, now=NOON).next_try_at == NOON + timedelta(minutes=10)


def test_announcements_are_forgotten_after_thirty_days(tx: Session) -> None:
    ines, stranger = a_clinic(tx), a_clinic(tx)
    for caller in (ines, stranger):
        a_webhook(tx, caller)
        a_fall(tx, caller)
    target = the_target(tx, ines)
    announcements.settle(tx, ines.clinic_id, claimed(tx, target, ines.clinic_id)[0], Attempt(status=200), now=NOON)
    tx.flush()
    sweep.forget_expired(tx, ines.clinic_id, now=NOON + KEPT)
    assert tx.scalar(select(func.count()).select_from(Announcement)) == 2
    sweep.forget_expired(tx, ines.clinic_id, now=NOON + KEPT + timedelta(seconds=1))
    assert tx.scalars(select(Announcement.clinic_id)).all() == [stranger.clinic_id]
    assert tx.scalars(select(Delivery.clinic_id)).all() == [stranger.clinic_id]
    assert sweep.announce_due(tx, ines.clinic_id, now=NOON + DAY) == 0


def test_each_target_has_a_queue_of_its_own(tx: Session) -> None:
    """However much waits for one of them."""
    ines = with_mail(tx, a_clinic(tx), "ines@clinic.example")
    dead, well = a_webhook(tx, ines), a_webhook(tx, ines)
    for _ in range(BATCH + 2):
        a_fall(tx, ines)
    targets = announcements.waiting(tx, ines.clinic_id, BOTH, now=NOON)
    assert {target.id for target in targets} == {dead.id, well.id, ines.account_id}
    sizes = [len(claimed(tx, target, ines.clinic_id)) for target in targets]
    assert sizes == [BATCH] * 3
    mail_only = announcements.waiting(tx, ines.clinic_id, [DeliveryChannel.MAIL], now=NOON)
    assert {target.channel for target in mail_only} == {DeliveryChannel.MAIL}


HISTORY = 5000


@pytest.mark.parametrize("question", ["waiting", "claim"])
def test_the_queue_is_asked_by_its_index_which_holds_nothing_that_was_delivered(
    shared_database: Database, question: str
) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        webhook = a_webhook(tx, ines)
        a_fall(tx, ines)
        told_of = tx.scalars(select(Announcement)).one()
        ids = [new_id(NOON) for _ in range(HISTORY)]
        same = {"kind": told_of.kind, "payload": told_of.payload, "created_at": NOON}
        tx.execute(insert(Announcement), [{"clinic_id": ines.clinic_id, "id": one, **same} for one in ids])
        tx.execute(insert(Delivery), [_delivered(ines.clinic_id, one, webhook.id) for one in ids])
    with shared_database.writing() as tx:
        tx.execute(text("ANALYZE"))
        target = Target(DeliveryChannel.WEBHOOK, webhook.id)
        with explaining(tx, "delivery") as plans:
            if question == "waiting":
                assert announcements.waiting(tx, ines.clinic_id, BOTH, now=LATER) == [target]
            else:
                assert len(announcements.claim(tx, ines.clinic_id, target, now=LATER)) == 1
        tx.rollback()
    assert plans
    for plan in plans:
        assert "ix_delivery_due" in plan, plan
        assert "Seq Scan on delivery" not in plan


def _delivered(clinic_id: UUID, announcement_id: UUID, target_id: UUID) -> dict[str, object]:
    return {
        "clinic_id": clinic_id,
        "announcement_id": announcement_id,
        "target_id": target_id,
        "channel": DeliveryChannel.WEBHOOK,
        "next_try_at": None,
        "attempts": 1,
        "delivered_at": NOON,
    }
