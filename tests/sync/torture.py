"""Phones send while the real server is killed again and again, with SIGKILL, on both databases; then it is counted.

`make torture` runs it for a minute on each; the test suite for some seconds.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.database import open_database
from models.operations import patients, sweep
from models.operations.callers import Caller
from models.tables import Program, SessionEntry, SessionLog, SessionVersion
from seed_data.load import load
from tests.builders import BORN, a_clinic, a_dosage, a_draft, a_patient, a_program
from tests.conftest import POSTGRES, ROOT, created, migrate
from tests.postgres import PrivateServer, wait_for
from tests.sync.phone import Json, Phone

CLIENTS = 4
LINES = 5
STORED = {"created", "updated", "deleted", "unchanged"}
PATIENCE = 0.25
"""Seconds a phone waits at most here: an hour of bad luck in a minute."""


@dataclass
class Numbers:
    """What came of it."""

    kind: str
    counted: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    """What must never happen; empty, or it was not good."""
    seconds: float = 0.0

    def __str__(self) -> str:
        said = ", ".join(f"{name} {self.counted[name]}" for name in NAMES)
        return f"{self.kind}: {said}, faults {len(self.faults)}; {self.seconds:.0f} s"


NAMES = (
    *("kills", "restarts", "requests", "unanswered", "retries", "acknowledged sessions", "acknowledged versions"),
    *("answered unchanged", "conflicts", "sessions in the end", "lost", "doubled", "halves", "misjudged"),
)


class Server:
    """The server as `make run` starts it, on a port of its own."""

    def __init__(self, url: str, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "DATABASE_URL": url, "FOLLOWTHROUGH_PORT": str(self.port)}
        self.log = log
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.starts += 1
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "serve"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(self._is_up, 60)

    def kill(self) -> None:
        """Without a word, in the middle of whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"The server ended by itself:\n{self.log.read_text()[-2000:]}")
        try:
            return httpx.get(f"{self.base}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False


class Ledger(httpx.HTTPTransport):
    """The way to the server; writes down what was acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: Counter[str] = Counter()
        self.faults: list[str] = []
        self.held: dict[tuple[str, int], Json | None] = {}
        """Session and version → what was acknowledged."""
        self.sent: set[str] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.counted["requests"] += 1
        body = json.loads(request.read()) if request.url.path.endswith("/sync/push") else {"items": []}
        texts = {json.dumps(item, sort_keys=True) for item in body["items"]}
        self.counted["retries"] += len(texts & self.sent)
        self.sent |= texts
        try:
            answer = super().handle_request(request)
            answer.read()
        except httpx.TransportError:
            self.counted["unanswered"] += 1
            raise
        if answer.status_code >= 500 and answer.status_code != 503:
            self.faults.append(f"{answer.status_code} {answer.text}")
        if body["items"] and answer.status_code == 200:
            for item, result in zip(body["items"], answer.json()["results"], strict=True):
                self._note(item, result)
        return answer

    def _note(self, item: Json, result: Json) -> None:
        outcome = result["outcome"]
        if outcome in STORED:
            self.held[item["id"], (item.get("base_version") or 0) + 1] = item.get("session")
            self.counted["answered unchanged"] += outcome == "unchanged"
        elif outcome == "conflict":
            self.counted["conflicts"] += 1
        else:
            self.faults.append(f"{outcome}: {result['problem']}")


class Client:
    """A patient in a hurry: logs, changes, takes back, syncs, and now and then the phone restarts."""

    def __init__(self, number: int, path: Path, base: str, program_id: UUID, code: str) -> None:
        self.dice = Random(number)
        self.ledger = Ledger()
        self.http = httpx.Client(transport=self.ledger, base_url=f"{base}/v1", timeout=10)
        self.path, self.program_id, self.code = path, program_id, code
        self.logged = 0

    def live(self, over: Event) -> None:
        """Until `over`."""
        phone = self._booted()
        phone.sign_in(self.code, BORN.isoformat())
        while not over.is_set():
            self._use(phone)
            over.wait(min(phone.sync(), PATIENCE))
            if self.dice.random() < 0.05:
                phone.db.close()
                phone = self._booted()
        phone.db.close()

    def finish(self) -> tuple[dict[str, Json], int]:
        """With the server at rest: send what is left. Returns what the phone shows, and how much still waits."""
        phone = self._booted()
        wait_for(lambda: phone.sync() == 0.0)
        shown, left = phone.sessions(), len(phone.queued()) + len(phone.conflicts())
        phone.db.close()
        return shown, left

    def _booted(self) -> Phone:
        return Phone(self.path, self.http, lambda: datetime.now(UTC), self.dice)

    def _use(self, phone: Phone) -> None:
        for _ in range(self.dice.choice((1, 1, 2, 5, 20))):
            self.logged += 1
            phone.log(self._session())
        shown = sorted(phone.sessions())
        if self.dice.random() < 0.5:
            phone.amend(self.dice.choice(shown), note=f"changed, {self.logged}", pain_during=self.dice.randrange(11))
        if self.dice.random() < 0.1:
            phone.take_back(self.dice.choice(shown))

    def _session(self) -> Json:
        at = datetime.now(UTC) - timedelta(days=self.dice.randrange(10))
        return {
            "program_id": str(self.program_id),
            "performed_at": at.isoformat(),
            "time_zone": "UTC",
            "local_date": at.date().isoformat(),
            "done": "all",
            "pain_during": self.dice.randrange(6),
            "ext": {"n": self.logged},
        }


def torture(kind: str, url: str, folder: Path, *, kills: int, seconds: float) -> Numbers:
    """Run it on a migrated database with its catalogue."""
    numbers, began = Numbers(kind), time.monotonic()
    engine, database = open_database(url)
    server = Server(url, folder / "server.log")
    with ExitStack() as undo:
        undo.callback(engine.dispose)
        undo.callback(server.kill)
        with database.writing() as tx:
            ines, people = _people(tx)
        server.start()
        clients = [
            Client(number, folder / f"{number}.db", server.base, *person) for number, person in enumerate(people)
        ]
        over, dice = Event(), Random(0)
        with ThreadPoolExecutor(CLIENTS) as pool:
            lives = [pool.submit(client.live, over) for client in clients]
            try:
                while numbers.counted["kills"] < kills or time.monotonic() - began < seconds:
                    time.sleep(dice.uniform(0.2, 2.0))
                    server.kill()
                    numbers.counted["kills"] += 1
                    server.start()
            finally:
                over.set()
            for life in lives:
                life.result()
        numbers.counted["restarts"] = server.starts - 1
        with database.reading() as tx:
            _check_acknowledged(tx, ines, clients, numbers)
        with database.writing() as tx:
            _check_whole(tx, ines, numbers)
            tx.rollback()
        ends = [client.finish() for client in clients]
        with database.reading() as tx:
            _check_end(tx, ines, clients, ends, numbers)
        for client in clients:
            numbers.counted += client.ledger.counted
            numbers.counted["acknowledged sessions"] += len({session_id for session_id, _ in client.ledger.held})
            numbers.counted["acknowledged versions"] += len(client.ledger.held)
            numbers.faults += client.ledger.faults
            client.http.close()
    said = server.log.read_text()
    if "Traceback" in said or '"trace"' in said:
        numbers.faults.append(said[said.find("race") - 200 :][:2000])
    numbers.seconds = time.monotonic() - began
    return numbers


def _people(tx: Session) -> tuple[Caller, list[tuple[UUID, str]]]:
    """A clinic, and for every phone its patient's program and invitation."""
    now = datetime.now(UTC)
    ines = a_clinic(tx, zone="UTC", now=now)
    people = []
    for _ in range(CLIENTS):
        ann = a_patient(tx, ines, now=now)
        dosages = [a_dosage(weekdays=tuple(range(7))) for _ in range(LINES)]
        draft = a_draft(*dosages, starts_on=now.date() - timedelta(days=11))
        program_id = a_program(tx, ines, ann, draft, now=now).program.id
        people.append((program_id, patients.invite(tx, ines, ann.id, now=now)[1]))
    return ines, people


def _sessions(tx: Session, ines: Caller) -> dict[str, SessionLog]:
    return {str(row.id): row for row in tx.scalars(select(SessionLog).where(SessionLog.clinic_id == ines.clinic_id))}


def _check_acknowledged(tx: Session, ines: Caller, clients: list[Client], numbers: Numbers) -> None:
    """Every version a phone was told is stored is stored, as it was said."""
    held = _sessions(tx, ines)
    past = {
        (str(row.session_id), row.version): row.content
        for row in tx.scalars(select(SessionVersion).where(SessionVersion.clinic_id == ines.clinic_id))
    }
    for client in clients:
        for (session_id, version), body in client.ledger.held.items():
            row = held.get(session_id)
            content: dict[str, Any] | None = past.get((session_id, version))
            if row is not None and row.version == version:
                content = {name: getattr(row, name) for name in ("deleted_at", "note", "pain_during", "ext")}
            if content is None or not _says(content, body):
                numbers.counted["lost"] += 1
                numbers.faults.append(f"acknowledged and not there: {session_id} version {version}")


def _says(content: Json, body: Json | None) -> bool:
    if body is None:
        return content["deleted_at"] is not None
    return content["deleted_at"] is None and all(
        content[name] == body.get(name) for name in ("note", "pain_during", "ext")
    )


def _check_whole(tx: Session, ines: Caller, numbers: Numbers) -> None:
    """Whatever is there is there with all that belongs to it, acknowledged or not."""
    held = _sessions(tx, ines)
    entries: Counter[str] = Counter()
    for of, count in tx.execute(
        select(SessionEntry.session_id, func.count())
        .where(SessionEntry.clinic_id == ines.clinic_id)
        .group_by(SessionEntry.session_id)
    ):
        entries[str(of)] = count
    versions: Counter[str] = Counter()
    for row in tx.scalars(select(SessionVersion).where(SessionVersion.clinic_id == ines.clinic_id)):
        versions[str(row.session_id)] += 1
    for session_id, one in held.items():
        if entries[session_id] != (0 if one.deleted_at else LINES) or versions[session_id] != one.version - 1:
            numbers.counted["halves"] += 1
    numbers.counted["halves"] += len((entries.keys() | versions.keys()) - held.keys())
    running = tx.scalars(select(Program.id).where(Program.clinic_id == ines.clinic_id)).all()
    numbers.counted["misjudged"] = len(sweep.misjudged(tx, ines.clinic_id, running))
    for fault in ("halves", "misjudged"):
        if numbers.counted[fault]:
            numbers.faults.append(f"{fault}: {numbers.counted[fault]}")


def _check_end(
    tx: Session, ines: Caller, clients: list[Client], ends: list[tuple[dict[str, Json], int]], numbers: Numbers
) -> None:
    """In the end the clinic holds what the phones show, each session once."""
    living = {session_id: row for session_id, row in _sessions(tx, ines).items() if row.deleted_at is None}
    shown = {session_id: body for end, _ in ends for session_id, body in end.items()}
    logged = [(row.patient_id, (row.ext or {})["n"]) for row in living.values()]
    numbers.counted["sessions in the end"] = len(living)
    numbers.counted["doubled"] = len(logged) - len(set(logged))
    if numbers.counted["doubled"]:
        numbers.faults.append(f"doubled: {numbers.counted['doubled']}")
    if left := sum(left for _, left in ends):
        numbers.faults.append(f"still waiting after the last sync: {left}")
    missing = [session_id for session_id in shown if session_id not in living]
    numbers.counted["lost"] += len(missing)
    different = [one for one in shown.keys() & living.keys() if living[one].note != shown[one].get("note")]
    if missing or different or len(shown) != len(living):
        numbers.faults.append(f"missing {missing}, different {different}, shown {len(shown)}, held {len(living)}")
    if sum(client.logged for client in clients) < len(shown):
        numbers.faults.append("more is shown than was logged")


@contextmanager
def _databases(folder: Path) -> Iterator[dict[str, str]]:
    """One of each kind, ready."""
    with ExitStack() as undo:
        server = PrivateServer(durable=True)
        undo.callback(server.stop)
        os.environ[POSTGRES] = server.url
        urls = {"sqlite": f"sqlite:///{folder / 'clinic.db'}", "postgresql": undo.enter_context(created())}
        for url in urls.values():
            engine, database = open_database(url)
            migrate(engine)
            with database.writing() as tx:
                load(tx)
            engine.dispose()
        yield urls


def main() -> int:
    """Torture both databases for a minute each, and print the numbers."""
    wrong = 0
    with TemporaryDirectory(prefix="torture-") as name, _databases(Path(name)) as urls:
        for kind, url in urls.items():
            folder = Path(name, kind)
            folder.mkdir()
            numbers = torture(kind, url, folder, kills=20, seconds=60)
            print(numbers, *numbers.faults[:10], sep="\n", flush=True)
            wrong += len(numbers.faults)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
