"""The sweep: announcing what has come due, carrying it out of the house and writing exports, once or every few seconds.
Any number of processes may do it at the same time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from uuid import UUID

from sqlalchemy.orm import Session

from api.exports.jobs import SECONDS, Exporter
from api.logs import log
from api.outward import mail_of, post, send_mail
from api.settings import Settings
from models.database import Database
from models.delivery.retries import SILENCES, TIMEOUT, Attempt, Failure
from models.delivery.signing import body_of, message_id, signed
from models.operations import announcements, audit, sweep
from models.operations.announcements import Claimed, Target
from models.tables import DeliveryChannel

SENDERS = 8
"""Targets that are sent to at the same time: each may take its time without keeping the others waiting."""
_FORGET_EVERY = timedelta(hours=1)
_STOPS_WITHIN = 5.0
"""Seconds to wait for a sender that is in the middle of a request. What it does not settle is sent again, under the
same id, when its lease is over."""


@dataclass(slots=True)
class Swept:
    """What a sweep did."""

    announced: int = 0
    delivered: int = 0
    failed: int = 0
    exported: int = 0


Send = Callable[[Claimed, datetime], Attempt]
"""How a claimed delivery leaves the house; `datetime` is when."""


def carrier(settings: Settings) -> Send:
    """Sends by HTTP and SMTP, as this installation is set up."""

    def send(claimed: Claimed, now: datetime) -> Attempt:
        if claimed.target.channel is DeliveryChannel.MAIL:
            assert settings.mail is not None  # mail is only claimed where there is a server for it
            return send_mail(settings.mail, claimed.address, mail_of(claimed, settings.mail, settings.base_url))
        body = body_of(claimed.kind, claimed.created_at, claimed.payload)
        headers = signed(message_id(claimed.announcement_id), now, body, claimed.secrets)
        return post(claimed.address, headers, body, settings.allowed)

    return send


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Sweeper:
    """Sweeps a database. It uses one connection at a time, and none while it waits for the network."""

    settings: Settings
    database: Database
    send: Send
    clock: Callable[[], datetime] = _now
    export_seconds: float = SECONDS
    _turn: Lock = field(default_factory=Lock)
    _stopping: Event = field(default_factory=Event)
    _threads: list[Thread] = field(default_factory=list)
    _forgot_at: datetime | None = None

    @property
    def channels(self) -> list[DeliveryChannel]:
        """The ways that lead out of this installation."""
        return (
            [DeliveryChannel.WEBHOOK] if self.settings.mail is None else [DeliveryChannel.MAIL, DeliveryChannel.WEBHOOK]
        )

    def sweep(self) -> Swept:
        """Announce and deliver all that is due by now, clinic by clinic; forget what has expired; work on exports for a
        while.
        """
        swept = self.tell()
        swept.exported = self.export()
        return swept

    def tell(self) -> Swept:
        """Announce, deliver and forget."""
        swept = Swept()
        with self._reading() as tx:
            clinics = sweep.every_clinic(tx)
            moved = sweep.thresholds_moved(tx)
        for clinic_id in moved:
            self._judge_anew(clinic_id)
        with self._reading() as tx:
            due = [clinic_id for clinic_id in clinics if sweep.is_anything_due(tx, clinic_id, now=self.clock())]
        for clinic_id in due:
            swept.announced += self._announce(clinic_id)
        self._seal(clinics)
        self._deliver(clinics, swept)
        if self._forgot_at is None or self.clock() - self._forgot_at >= _FORGET_EVERY:
            for clinic_id in clinics:
                with self._writing() as tx:
                    sweep.forget_expired(tx, clinic_id, now=self.clock())
            self._exporter.tidy(clinics)
            self._forgot_at = self.clock()
        return swept

    def export(self) -> int:
        """Work on exports for a while; returns how many are ready."""
        with self._reading() as tx:
            clinics = sweep.every_clinic(tx)
        return self._exporter.work(clinics, seconds=self.export_seconds)

    def start(self) -> None:
        """Sweep beside the server, every so often, until stopped; exports by themselves, for a workbook takes its time
        and nobody's announcement waits for it.
        """
        for name, deed in (("sweep", self.tell), ("exports", self.export)):
            self._threads.append(Thread(target=self._run, args=(deed,), name=name, daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing new and wait a moment for what is under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(_STOPS_WITHIN)

    @property
    def _exporter(self) -> Exporter:
        return Exporter(self.settings.exports, self._reading, self._writing, self.clock, self._stopping.is_set)

    def _run(self, deed: Callable[[], object]) -> None:
        while not self._stopping.wait(self.settings.sweep_seconds):
            try:
                deed()
            except Exception as error:  # noqa: BLE001  (a database away for a while must not end the sweeping for good)
                log.warning("sweep", extra={"error": type(error).__name__}, exc_info=error)

    def _judge_anew(self, clinic_id: UUID) -> None:
        judged = 1
        while judged and not self._stopping.is_set():
            with self._writing() as tx:
                judged = sweep.apply_thresholds(tx, clinic_id, now=self.clock())

    def _announce(self, clinic_id: UUID) -> int:
        announced = 0
        while not self._stopping.is_set():
            with self._writing() as tx:
                due = sweep.announce_due(tx, clinic_id, by_mail=DeliveryChannel.MAIL in self.channels, now=self.clock())
            announced += due
            if not due:
                break
        return announced

    def _seal(self, clinics: Sequence[UUID]) -> None:
        """Lengthen the chains of the audit trail by what was done since."""
        with self._reading() as tx:
            waiting = [clinic_id for clinic_id in clinics if audit.is_unsealed(tx, clinic_id)]
        for clinic_id in waiting:
            sealed = audit.BATCH
            while sealed == audit.BATCH and not self._stopping.is_set():
                with self._writing() as tx:
                    sealed = audit.seal(tx, clinic_id)

    def _deliver(self, clinics: Sequence[UUID], swept: Swept) -> None:
        queue: SimpleQueue[tuple[UUID, Target]] = SimpleQueue()
        with self._reading() as tx:
            for clinic_id in clinics:
                for target in announcements.waiting(tx, clinic_id, self.channels, now=self.clock()):
                    queue.put((clinic_id, target))
        senders = [
            Thread(target=self._carry, args=(queue, swept), name=f"sender {number}", daemon=True)
            for number in range(min(SENDERS, queue.qsize()))
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    def _carry(self, queue: "SimpleQueue[tuple[UUID, Target]]", swept: Swept) -> None:
        """Serve one target after another."""
        while not self._stopping.is_set():
            try:
                clinic_id, target = queue.get_nowait()
            except Empty:
                return
            try:
                self._serve(clinic_id, target, swept)
            except Exception as error:  # noqa: BLE001  (what is not settled is taken up again when its lease is over)
                log.warning("delivery", extra={"error": type(error).__name__}, exc_info=error)

    def _serve(self, clinic_id: UUID, target: Target, swept: Swept) -> None:
        """Send a target all that waits for it, batch by batch, while it answers."""
        answers = True
        while answers and not self._stopping.is_set():
            with self._writing() as tx:
                claimed = announcements.claim(tx, clinic_id, target, now=self.clock())
            if not claimed:
                return
            silence: Attempt | None = None
            for one in claimed:
                now = self.clock()
                if self._stopping.is_set() or now + TIMEOUT >= one.until:
                    return  # the lease would be over before the answer: another takes it up then
                # One silence answers for the batch: an endpoint that is down is not asked twenty times in a row.
                attempt = silence or self._attempt(one, now)
                with self._writing() as tx:
                    announcements.settle(tx, clinic_id, one, attempt, now=self.clock())
                if attempt.failure in SILENCES:
                    silence, answers = attempt, False
                with self._turn:
                    swept.delivered += attempt.arrived
                    swept.failed += not attempt.arrived

    def _attempt(self, claimed: Claimed, now: datetime) -> Attempt:
        try:
            return self.send(claimed, now)
        except Exception as error:  # noqa: BLE001  (it must end up on the schedule, or it would be first in line for ever)
            log.warning("delivery", extra={"error": type(error).__name__}, exc_info=error)
            return Attempt(failure=Failure.OURS)

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with self._turn, self.database.reading() as tx:
            yield tx

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with self._turn, self.database.writing() as tx:
            yield tx
