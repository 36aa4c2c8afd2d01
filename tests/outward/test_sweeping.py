"""The whole way, from a flag that comes due to a server that hears of it: with several sweepers, and with crashes."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from standardwebhooks.webhooks import Webhook as Reference

from api import sweeping
from api.app import create_app
from api.logs import JsonLines
from api.settings import MailServer, Settings
from api.sweeping import Sweeper, Swept, carrier
from models.database import Database
from models.delivery.addresses import Allowed
from models.delivery.retries import LEASE, Attempt, Failure
from models.delivery.signing import secret_text
from models.operations import accounts, announcements, passwords, sweep, webhooks
from models.operations.announcements import Claimed, Target
from models.operations.callers import Caller
from models.operations.credentials import hash_password
from models.operations.sessions import record_sessions
from models.tables import Account, Announcement, Delivery, DeliveryChannel, Flag, Role, Webhook
from tests.architecture.statements import counting
from tests.builders import DAY, NOON, a_clinic, a_patient, a_program, a_report
from tests.conftest import Clock
from tests.outward.receiver import Receiver, a_closed_port, a_postbox, a_receiver, a_slow_line

HERE = Allowed(plain_http=True, private=True)
SETTINGS = Settings(sweep_seconds=0, allowed=HERE, exports=Path("no such folder"))
LATER = NOON + 10 * DAY


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as receiver:
        yield receiver


def a_listening_clinic(tx: Session, url: str) -> tuple[Caller, Webhook]:
    ines = a_clinic(tx)
    return ines, webhooks.create_webhook(tx, ines, webhooks.WebhookDraft(url=url), HERE, now=NOON)


def falls(tx: Session, ines: Caller, count: int = 1, *, now: datetime = NOON) -> None:
    for _ in range(count):
        course = a_program(tx, ines, a_patient(tx, ines))
        record_sessions(tx, ines, [a_report(course.program.id, chips=["fall"])], now=now)


def a_sweeper(database: Database, clock: Clock, settings: Settings = SETTINGS) -> Sweeper:
    return Sweeper(settings, database, carrier(settings), clock=lambda: clock.now)


def rows(database: Database) -> list[Delivery]:
    with database.reading() as tx:
        return list(tx.scalars(select(Delivery).order_by(Delivery.announcement_id)))


def test_what_comes_due_arrives_signed_and_says_nothing_of_health(
    shared_database: Database, receiver: Receiver
) -> None:
    with shared_database.writing() as tx:
        ines, webhook = a_listening_clinic(tx, f"{receiver.base}/hooks")
        falls(tx, ines)
    clock = Clock(datetime.now(UTC))  # the reference package looks at its own clock
    assert a_sweeper(shared_database, clock).sweep() == Swept(announced=2, delivered=2, failed=0)
    assert a_sweeper(shared_database, clock).sweep() == Swept()
    verify = Reference(secret_text(webhook.secret)).verify
    told = [verify(heard.body, heard.headers) for heard in receiver.heard]
    assert {one["type"] for one in told} == {"flag.opened"}
    assert {one["data"]["severity"] for one in told} == {"urgent", "high"}
    assert all(set(one["data"]) == {"flag_id", "patient_id", "program_id", "severity"} for one in told)
    assert len({heard.id for heard in receiver.heard}) == 2
    for word in (b"fall", b"Ann", b"Archer", b"evidence", b"silence", b"not_started"):
        assert not any(word in heard.body for heard in receiver.heard)


def test_while_a_secret_is_rotated_both_verify_and_afterwards_only_the_new_one(
    shared_database: Database, receiver: Receiver
) -> None:
    now = datetime.now(UTC)
    with shared_database.writing() as tx:
        ines, webhook = a_listening_clinic(tx, receiver.base)
        old = webhook.secret
        new = webhooks.rotate_secret(tx, ines, webhook.id, now=now).secret
        falls(tx, ines)
    clock = Clock(now)
    sweeper = a_sweeper(shared_database, clock)
    sweeper.sweep()
    heard = receiver.heard[-1]
    for secret in (old, new):
        Reference(secret_text(secret)).verify(heard.body, heard.headers)
    assert len(heard.headers["webhook-signature"].split()) == 2
    with shared_database.writing() as tx:
        falls(tx, ines, now=now)
    clock.now = now + timedelta(hours=24)
    sweeper.sweep()
    assert len(receiver.heard[-1].headers["webhook-signature"].split()) == 1


def test_four_sweepers_at_once_deliver_each_announcement_once(shared_database: Database, receiver: Receiver) -> None:
    with shared_database.writing() as tx:
        ines, _ = a_listening_clinic(tx, receiver.base)
        webhooks.create_webhook(tx, ines, webhooks.WebhookDraft(url=f"{receiver.base}/b"), HERE, now=NOON)
        for _ in range(20):
            a_program(tx, ines, a_patient(tx, ines))
    clock = Clock(LATER)
    with ThreadPoolExecutor(4) as pool:
        swept = list(pool.map(lambda _: a_sweeper(shared_database, clock).sweep(), range(4)))
    a_sweeper(shared_database, clock).sweep()  # what another held when its queue was looked at
    assert sum(one.announced for one in swept) == 20
    assert len(receiver.heard) == 40
    assert len({(heard.path, heard.id) for heard in receiver.heard}) == 40
    with shared_database.reading() as tx:
        told = [row.payload["flag_id"] for row in tx.scalars(select(Announcement))]
    assert len(told) == len(set(told)) == 20
    assert all(row.delivered_at and row.attempts == 1 for row in rows(shared_database))


def test_four_claimers_at_once_claim_each_delivery_once(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines, webhook = a_listening_clinic(tx, "http://127.0.0.1:1/")
        falls(tx, ines, 12)
        sweep.announce_due(tx, ines.clinic_id, now=NOON)
    target = Target(DeliveryChannel.WEBHOOK, webhook.id)

    def claim(_: int) -> list[Claimed]:
        with shared_database.writing() as tx:
            return announcements.claim(tx, ines.clinic_id, target, now=NOON)

    with ThreadPoolExecutor(4) as pool:
        claimed = [one.announcement_id for batch in pool.map(claim, range(8)) for one in batch]
    assert len(claimed) == len(set(claimed)) == 12


@pytest.mark.parametrize("sent_before", [False, True], ids=["before sending", "after sending"])
def test_a_crash_after_claiming_leads_to_a_repeat_under_the_same_id(
    shared_database: Database, receiver: Receiver, *, sent_before: bool
) -> None:
    with shared_database.writing() as tx:
        ines, webhook = a_listening_clinic(tx, receiver.base)
        falls(tx, ines)
        sweep.announce_due(tx, ines.clinic_id, now=NOON)
    with shared_database.writing() as tx:
        (one,) = announcements.claim(tx, ines.clinic_id, Target(DeliveryChannel.WEBHOOK, webhook.id), now=NOON)
    if sent_before:
        assert carrier(SETTINGS)(one, NOON).arrived
    # Here it dies.
    clock = Clock(NOON + LEASE - timedelta(seconds=1))
    sweeper = a_sweeper(shared_database, clock)
    assert sweeper.sweep() == Swept()
    clock.now = NOON + LEASE
    assert sweeper.sweep() == Swept(delivered=1)
    assert len(receiver.heard) == 1 + sent_before
    assert len({heard.id for heard in receiver.heard}) == 1
    assert len({heard.body for heard in receiver.heard}) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_however_often_sweepers_die_everything_arrives(
    shared_database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They die before sending, after sending, and while they write down that they sent; endpoints fail, too."""
    with shared_database.writing() as tx:
        ines, webhook = a_listening_clinic(tx, receiver.base)
        webhooks.create_webhook(tx, ines, webhooks.WebhookDraft(url=f"{receiver.base}/b"), HERE, now=NOON)
        falls(tx, ines, 15)
    clock, dice, dying = Clock(NOON), Random(7), True
    plain, settle = carrier(SETTINGS), announcements.settle

    def send(claimed: Claimed, now: datetime) -> Attempt:
        fate = dice.random()
        if dying and fate < 0.15:
            raise SystemExit
        receiver.status = 500 if dying and fate > 0.8 else 204
        attempt = plain(claimed, now)
        if dying and fate < 0.3:
            raise SystemExit
        return attempt

    def settling(*said: object, **named: object) -> None:
        settle(*said, **named)  # type: ignore[arg-type]
        if dying and dice.random() < 0.15:
            raise SystemExit

    monkeypatch.setattr(announcements, "settle", settling)
    for _ in range(12):
        Sweeper(SETTINGS, shared_database, send, clock=lambda: clock.now).sweep()
        clock.now += LEASE + timedelta(minutes=4)
    dying = False
    for _ in range(3):
        clock.now += timedelta(hours=6)
        Sweeper(SETTINGS, shared_database, send, clock=lambda: clock.now).sweep()
    with shared_database.reading() as tx:
        announced = {f"msg_{one.hex}" for one in tx.scalars(select(Announcement.id))}
        assert tx.scalar(select(func.count()).select_from(Flag).where(Flag.announced.is_not(None))) == 15
    for path in ("/", "/b"):
        assert {heard.id for heard in receiver.heard if heard.path == path} == announced
    bodies = {(heard.id, heard.body) for heard in receiver.heard}
    assert len(bodies) == len(announced) == 15
    assert len(receiver.heard) > 30
    assert all(row.delivered_at for row in rows(shared_database))
    assert webhook.id


def test_a_dead_endpoint_keeps_no_other_waiting_and_is_asked_once_a_batch(
    shared_database: Database, receiver: Receiver
) -> None:
    dead = f"http://127.0.0.1:{a_closed_port()}/"
    with shared_database.writing() as tx:
        ines, webhook = a_listening_clinic(tx, dead)
        webhooks.create_webhook(tx, ines, webhooks.WebhookDraft(url=receiver.base), HERE, now=NOON)
        falls(tx, ines, 8)
    asked: list[str] = []
    plain = carrier(SETTINGS)

    def send(claimed: Claimed, now: datetime) -> Attempt:
        asked.append(claimed.address)
        return plain(claimed, now)

    assert Sweeper(SETTINGS, shared_database, send, clock=lambda: NOON).sweep() == Swept(8, 8, 8)
    assert (asked.count(dead), asked.count(receiver.base)) == (1, 8)
    failed = [row for row in rows(shared_database) if row.target_id == webhook.id]
    assert {(row.attempts, row.failure) for row in failed} == {(1, Failure.UNREACHABLE)}


def test_nothing_is_begun_that_the_lease_would_not_outlast(shared_database: Database) -> None:
    """A slow endpoint takes up the time of its batch; the rest is claimed anew rather than sent by two."""
    with shared_database.writing() as tx:
        ines, _ = a_listening_clinic(tx, "http://slow.example/")
        falls(tx, ines, 12)
    clock, sent = Clock(NOON), []

    def send(claimed: Claimed, now: datetime) -> Attempt:
        assert now + timedelta(seconds=15) < claimed.until
        sent.append(claimed.announcement_id)
        clock.now += timedelta(seconds=14)
        return Attempt(status=200)

    sweeper = Sweeper(SETTINGS, shared_database, send, clock=lambda: clock.now)
    for _ in range(4):
        sweeper.sweep()
        clock.now += LEASE
    assert len(sent) == len(set(sent)) == 12


def test_what_breaks_in_us_is_put_on_the_schedule(shared_database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with shared_database.writing() as tx:
        ines, _ = a_listening_clinic(tx, "http://hooks.example/")
        falls(tx, ines)

    def send(_claimed: Claimed, _now: datetime) -> Attempt:
        raise KeyError("Ann Archer")

    assert Sweeper(SETTINGS, shared_database, send, clock=lambda: NOON).sweep() == Swept(1, 0, 1)
    assert [(row.failure, row.attempts) for row in rows(shared_database)] == [(Failure.OURS, 1)]
    told = "".join(JsonLines().format(record) for record in caplog.records)
    assert "KeyError" in told
    assert "Archer" not in told


def test_mail_arrives_at_the_therapists_and_a_repeat_is_the_same_mail(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        tx.get_one(Account, {"clinic_id": ines.clinic_id, "id": ines.account_id}).email = "ines@clinic.example"
        falls(tx, ines, 2)
    with a_postbox() as postbox:
        settings = replace(SETTINGS, mail=MailServer.of(f"smtp://127.0.0.1:{postbox.port}", "ft@clinic.example"))
        clock = Clock(NOON)
        sweeper = a_sweeper(shared_database, clock, settings)
        postbox.says = "451 come back later"
        assert sweeper.sweep() == Swept(2, 0, 2)
        postbox.says = "250 OK"
        clock.now += timedelta(seconds=6)
        assert sweeper.sweep() == Swept(0, 2, 0)
    ids = {message["Message-ID"] for _, message in postbox.received}
    assert (len(ids), {tuple(to) for to, _ in postbox.received}) == (2, {("ines@clinic.example",)})
    assert not any("Archer" in str(message) or "fall" in str(message) for _, message in postbox.received)


def test_a_wish_for_a_new_password_is_mailed_and_told_to_no_webhook(
    shared_database: Database, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with shared_database.writing() as tx:
        ines, _ = a_listening_clinic(tx, f"{receiver.base}/hooks")
        accounts.create_staff(
            tx,
            ines.clinic_id,
            role=Role.THERAPIST,
            name="Ines",
            email="ines@clinic.example",
            password_hash=None,
            now=NOON,
        )
        passwords.mail_links(tx, "ines@clinic.example", now=NOON)
    with a_postbox() as postbox:
        settings = replace(SETTINGS, mail=MailServer.of(f"smtp://127.0.0.1:{postbox.port}", "ft@clinic.example"))
        clock = Clock(NOON)
        sweeper = a_sweeper(shared_database, clock, settings)
        postbox.says = "451 come back later"
        assert sweeper.sweep() == Swept(0, 0, 1)
        postbox.says = "250 OK"
        clock.now += timedelta(seconds=6)
        assert sweeper.sweep() == Swept(0, 1, 0)
    ((to, message),) = postbox.received
    assert to == ["ines@clinic.example"]
    (link,) = [line for line in message.get_content().splitlines() if line.startswith("ft_")]
    assert receiver.heard == []
    assert link not in "".join(JsonLines().format(record) for record in caplog.records)
    with shared_database.writing() as tx:
        kept = hash_password("another sentence of length")
        assert passwords.set_by_link(tx, link, kept, address="", now=clock.now) is None


@contextmanager
def alive(app: FastAPI) -> Iterator[None]:
    """The app between its start and its end, as a server has it."""
    from anyio.from_thread import start_blocking_portal  # noqa: PLC0415

    with start_blocking_portal() as portal, portal.wrap_async_context_manager(app.router.lifespan_context(app)):
        yield


def wait_until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def sweepers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "sweep"]


def test_a_server_sweeps_beside_its_requests_and_stops_with_them(shared_database: Database, receiver: Receiver) -> None:
    with shared_database.writing() as tx:
        ines, _ = a_listening_clinic(tx, receiver.base)
        falls(tx, ines)
    app = create_app(replace(SETTINGS, sweep_seconds=0.05), shared_database)
    with alive(app):
        wait_until(lambda: len(receiver.heard) == 2)  # the fall, and what time has brought since
        with shared_database.writing() as tx:
            falls(tx, ines)
        wait_until(lambda: len(receiver.heard) == 4)
        assert sweepers() == ["sweep"]
    assert sweepers() == []
    assert len({heard.id for heard in receiver.heard}) == 4


def test_a_server_that_shall_not_sweep_does_not(shared_database: Database) -> None:
    with alive(create_app(SETTINGS, shared_database)):
        assert sweepers() == []


def test_a_database_that_is_away_for_a_while_ends_nothing(
    shared_database: Database, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "followthrough")
    with shared_database.writing() as tx:
        ines, _ = a_listening_clinic(tx, receiver.base)
        falls(tx, ines)
    away = Away(shared_database)
    app = create_app(replace(SETTINGS, sweep_seconds=0.02), away.database)
    with alive(app):
        wait_until(lambda: away.refused >= 3)
        assert receiver.heard == []
        away.is_away = False
        wait_until(lambda: len(receiver.heard) == 2)
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    assert {(line["said"], line["error"]) for line in lines} == {("sweep", "OperationalError")}


@dataclass
class Away:
    """A database that cannot be reached, until it can."""

    real: Database
    is_away: bool = True
    refused: int = 0

    @property
    def database(self) -> Database:
        return Database(
            reading=lambda: self._opened(self.real.reading),
            snapshot=lambda: self._opened(self.real.snapshot),
            writing=lambda: self._opened(self.real.writing),
        )

    def _opened(self, opening: Callable[[], AbstractContextManager[Session]]) -> AbstractContextManager[Session]:
        if self.is_away:
            self.refused += 1
            raise OperationalError("SELECT 1", {}, Exception("away"))
        return opening()


def test_a_sender_in_the_middle_of_a_request_does_not_hold_up_the_end(
    shared_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_STOPS_WITHIN", 0.2)
    over = threading.Event()

    def pause() -> None:
        if over.wait(0.05):
            raise OSError

    with a_slow_line(pause) as port:
        with shared_database.writing() as tx:
            ines, _ = a_listening_clinic(tx, f"http://127.0.0.1:{port}/")
            falls(tx, ines)
        sweeper = a_sweeper(shared_database, Clock(NOON), replace(SETTINGS, sweep_seconds=0.01))
        sweeper.start()
        wait_until(lambda: any(row.leased_until for row in rows(shared_database)))
        began = time.monotonic()
        sweeper.stop()
        assert time.monotonic() - began < 2
        (row,) = rows(shared_database)
        assert row.next_try_at == NOON  # claimed, and still to be delivered by whoever comes after the lease
        over.set()
        wait_until(lambda: not any("send" in thread.name for thread in threading.enumerate()))


def test_a_quiet_clinic_costs_a_few_reads_and_no_write(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        a_listening_clinic(tx, "http://hooks.example/")
    sweeper = a_sweeper(shared_database, Clock(NOON))
    sweeper.sweep()
    with counting() as sent:
        assert sweeper.sweep() == Swept()
    assert len(sent) == 6
    assert all(statement.startswith("SELECT") for statement in sent)


def test_only_those_of_a_clinic_are_told(shared_database: Database, receiver: Receiver) -> None:
    with a_receiver() as elsewhere:
        with shared_database.writing() as tx:
            ines, _ = a_listening_clinic(tx, receiver.base)
            a_listening_clinic(tx, elsewhere.base)
            falls(tx, ines, 3)
        a_sweeper(shared_database, Clock(NOON)).sweep()
        assert (len(receiver.heard), len(elsewhere.heard)) == (3, 0)
