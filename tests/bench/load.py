"""`make load`: the real server under 200 clients at once, then under far too many, on both databases.

What must hold: nothing but 503 is answered with 5xx, no connection is left open or in a transaction, the memory stays
what it was, and who is turned away is told so at once. The clients share the server's processor cores.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from models.database import POOL_SIZE, open_database, sqlite_module
from models.operations import accounts
from models.operations.credentials import hash_password
from models.tables import Role
from seed_data.load import load
from tests.bench.clinics import many_flags
from tests.builders import a_clinic, a_draft, a_patient, a_phone, a_program, a_token
from tests.conftest import migrate
from tests.postgres import PrivateServer, wait_for
from tests.sync.torture import Server

CLIENTS = 200
TOO_MANY = 1000
WARMING = 10.0
PHONES_OF_TEN = 8
PROGRAMS, DUE = 1_000, 200
PATIENCE = 1.0
"""Seconds until a client that was turned away comes again; told to wait for five."""
FLAT = 1.1
"""The memory of the last third over that of the first."""
AT_ONCE = 0.25
"""The slowest hundredth of those turned away over the middle of those served: who is turned away does not queue."""
PASSWORD = "a long one for the load"


@dataclass
class Someone:
    """Whom a client speaks for."""

    access: str
    refresh: str = ""
    program_id: UUID | None = None
    email: str = ""


@dataclass
class Tally:
    """What was answered: route → milliseconds each, of those served and of those turned away."""

    served: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    turned_away: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    broken: int = 0
    """Connections that ended without an answer."""


class Line:
    """One client's connection, kept open between requests. As little as possible: it is not what is measured."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, token: str, body: bytes, media_type: str) -> tuple[int, bytes]:
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        signed = f"Authorization: Bearer {token}\r\n" if token else ""
        said = f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n" if body else ""
        writer.write(f"{method} /v1{path} HTTP/1.1\r\nHost: load\r\n{signed}{said}\r\n".encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        answer = await reader.readexactly(length)
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), answer

    def close(self) -> None:
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


class Client:
    """Asks one thing after another, without a pause."""

    def __init__(self, number: int, port: int, who: Someone, tally: Tally) -> None:
        self.dice, self.line, self.who, self.tally = Random(number), Line(port), who, tally

    async def live(self, until: float) -> None:
        deeds: Sequence[Callable[[], Awaitable[None]]]
        deeds = [self.today, self.log, self.refresh] if self.who.program_id else [self.worklist, self.login]
        weights = [45, 45, 10 if self.who.refresh else 0] if self.who.program_id else [90, 10]
        while time.monotonic() < until:
            try:
                await self.dice.choices(deeds, weights)[0]()
            except (OSError, asyncio.IncompleteReadError):
                self.tally.broken += 1
                self.line.close()
                await asyncio.sleep(PATIENCE)
        self.line.close()

    async def today(self) -> None:
        await self._ask("today", "GET", "/me/today")

    async def worklist(self) -> None:
        await self._ask("worklist", "GET", "/worklist")

    async def log(self) -> None:
        now = datetime.now(UTC)
        said = {"program_id": str(self.who.program_id), "performed_at": now.isoformat(), "time_zone": "UTC"}
        said |= {"local_date": f"{now:%Y-%m-%d}", "done": "all"}
        body = json.dumps({**said, "pain_during": self.dice.randrange(4)}).encode()
        await self._ask("log", "PUT", f"/sessions/{uuid4()}", body)

    async def refresh(self) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": self.who.refresh}
        told = await self._ask("refresh", "POST", "/auth/token", urlencode(form).encode(), form=True)
        if told:
            self.who.access, self.who.refresh = told["access_token"], told["refresh_token"]

    async def login(self) -> None:
        form = {"grant_type": "password", "username": self.who.email, "password": PASSWORD}
        told = await self._ask("login", "POST", "/auth/token", urlencode(form).encode(), form=True)
        if told:
            self.who.access = told["access_token"]

    async def _ask(self, what: str, method: str, path: str, body: bytes = b"", *, form: bool = False) -> Any:
        media_type = "application/x-www-form-urlencoded" if form else "application/json"
        began = time.perf_counter()
        status, answer = await self.line.ask(method, path, "" if form else self.who.access, body, media_type)
        taken = (time.perf_counter() - began) * 1000
        if status == 503 and json.loads(answer)["code"] == "busy":
            self.tally.turned_away.append(taken)
            await asyncio.sleep(PATIENCE * self.dice.uniform(0.5, 1.5))
            return None
        if status not in {200, 201}:
            self.tally.faults.append(f"{what}: {status} {answer[:300]!r}")
            return None
        self.tally.served[what].append(taken)
        return json.loads(answer) if form else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    asked = parser.parse_args()
    failed: list[str] = []
    for kind in asked.database or ["sqlite", "postgresql"]:
        with tempfile.TemporaryDirectory() as folder, _a_database(kind, Path(folder)) as url:
            failed += [f"{kind}: {why}" for why in _measure(kind, url, Path(folder), asked.seconds)]
    print("\n".join(f"FAILED {why}" for why in failed) or "all of it held")
    return bool(failed)


def _measure(kind: str, url: str, folder: Path, seconds: float) -> Iterator[str]:
    engine, database = open_database(url)
    migrate(engine)
    with database.writing() as tx:
        load(tx)
        people = _people(tx)
    engine.dispose()
    server = Server(url, folder / "log")
    server.environment["FOLLOWTHROUGH_EXPORTS"] = str(folder / "exports")
    server.start()
    assert server.process is not None
    watched = Path(f"/proc/{server.process.pid}")
    try:
        _run(server.port, people[:CLIENTS], WARMING)
        open_files = _settled(watched)
        tally, memory = _run(server.port, people[:CLIENTS], seconds, watched)
        _tell(f"{kind}, {CLIENTS} clients, {seconds:g} s", tally, seconds)
        third = len(memory) // 3
        first, last = statistics.mean(memory[:third]), statistics.mean(memory[-third:])
        left = _settled(watched)
        print(f"  memory {first:.0f} → {last:.0f} MB; open files {open_files} → {left}")
        yield from tally.faults[:5]
        if tally.broken:
            yield f"{tally.broken} connections broke"
        if last > FLAT * first:
            yield f"the memory grew from {first:.0f} to {last:.0f} MB"
        tally, _ = _run(server.port, people, max(10.0, seconds / 4))
        _tell(f"{kind}, {TOO_MANY} clients", tally, max(10.0, seconds / 4))
        yield from tally.faults[:5]
        if not tally.turned_away:
            yield "nobody was turned away"
        elif _quantile(tally.turned_away, 99) > AT_ONCE * statistics.median(
            one for each in tally.served.values() for one in each
        ):
            yield f"turned away only after {_quantile(tally.turned_away, 99):.0f} ms"
        if _settled(watched) > open_files + 2 * POOL_SIZE:
            yield f"{_settled(watched)} open files, {open_files} before"
        yield from _left_open(url)
        if '"accident"' in server.log.read_text():
            yield "the log tells of an accident"
    finally:
        server.kill()


def _run(
    port: int, people: Sequence[Someone], seconds: float, watched: Path | None = None
) -> tuple[Tally, Sequence[float]]:
    tally, memory = Tally(), []

    async def watch() -> None:
        while watched is not None:
            memory.append(_memory(watched))
            await asyncio.sleep(0.5)

    async def everybody() -> None:
        until = time.monotonic() + seconds
        watching = asyncio.create_task(watch())
        await asyncio.gather(*(Client(number, port, who, tally).live(until) for number, who in enumerate(people)))
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    asyncio.run(everybody())
    return tally, memory


def _people(tx: Session) -> list[Someone]:
    """Phones and staff in turn, `TOO_MANY` of them; those beyond `CLIENTS` speak for the same people again."""
    now = datetime.now(UTC)
    ines = a_clinic(tx, zone="UTC", now=now)
    many_flags(tx, ines.clinic_id, ines.account_id, programs=PROGRAMS, due=DUE, closed_each=1, now=now)
    staff, kept = [], hash_password(PASSWORD)
    for number in range(CLIENTS // 10):
        email = f"staff{number}@load.example"
        accounts.create_staff(
            tx, ines.clinic_id, role=Role.THERAPIST, name=f"T {number}", email=email, password_hash=kept, now=now
        )
        staff.append(Someone(a_token(tx, ines, now=now), email=email))
    starts_on = now.date() - timedelta(days=14)
    phones = []
    for number in range(CLIENTS // 10 * PHONES_OF_TEN):
        patient = a_patient(tx, ines, now=now, given_name=f"P {number}", time_zone="UTC")
        program = a_program(tx, ines, patient, a_draft(starts_on=starts_on), now=now).program
        tokens = a_phone(tx, ines, patient, now=now)
        phones.append(Someone(tokens.access, tokens.refresh, program.id))
    people = [phones.pop() if number % 10 < PHONES_OF_TEN else staff[number % len(staff)] for number in range(CLIENTS)]
    # A refresh token works once: only one client may hold it.
    return people + [replace(one, refresh="") for one in people] * (TOO_MANY // CLIENTS - 1)


def _settled(watched: Path) -> int:
    """The server's open files, once the clients' connections are gone; the pool opens its own when it needs them."""
    counts: list[int] = []

    def is_still() -> bool:
        counts.append(len(list((watched / "fd").iterdir())))
        return len(counts) > 10 and len(set(counts[-10:])) == 1

    wait_for(is_still)
    return counts[-1]


def _left_open(url: str) -> Iterator[str]:
    """What still holds the database."""
    if url.startswith("sqlite"):
        with sqlite_module().connect(make_url(url).database, timeout=1) as connection:
            busy, *_ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        if busy:
            yield "a transaction is still open"
        return
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        told = text("SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        states = list(connection.scalars(told))
    engine.dispose()
    if len(states) > POOL_SIZE or set(states) - {"idle"}:
        yield f"connections left: {states}"


@contextmanager
def _a_database(kind: str, folder: Path) -> Iterator[str]:
    with ExitStack() as undo:
        if kind == "sqlite":
            yield f"sqlite:///{folder / 'load.db'}"
        else:
            server = PrivateServer()
            undo.callback(server.stop)
            yield server.url


def _memory(watched: Path) -> float:
    told = (watched / "status").read_text()
    return int(told.partition("VmRSS:")[2].split()[0]) / 1024


def _quantile(taken: Sequence[float], percent: int) -> float:
    return statistics.quantiles(taken, n=100, method="inclusive")[percent - 1] if len(taken) > 1 else sum(taken)


def _tell(title: str, tally: Tally, seconds: float) -> None:
    served = sum(map(len, tally.served.values()))
    print(
        f"{title}: {served / seconds:.0f} answers/s, {len(tally.turned_away)} turned away, {len(tally.faults)} faults"
    )
    rows = [*sorted(tally.served.items()), *([("503", tally.turned_away)] if tally.turned_away else [])]
    for name, taken in rows:
        p50, p95, p99 = (_quantile(taken, percent) for percent in (50, 95, 99))
        print(f"  {name:<9} {len(taken):>7}   p50 {p50:>6.0f}   p95 {p95:>6.0f}   p99 {p99:>6.0f} ms")


if __name__ == "__main__":
    sys.exit(main())
