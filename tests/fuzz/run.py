"""`make fuzz`: the whole API, as each role, under requests that schemathesis makes and under mangled bytes.

What must hold: nothing is answered with 500 or more, every answer conforms to the OpenAPI document, every refusal is a
problem document, and none takes longer than ten seconds. A fault is told as a curl line, with the seed that makes it
again: `make fuzz SEED=… DATABASE=… OPERATION=…`.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random
from zlib import crc32

from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, given, seed as seeded, settings
from schemathesis import Case
from sqlalchemy import Engine

from api.app import create_app
from api.settings import Settings
from models.database import Database, open_database
from seed_data.load import load
from tests.conftest import migrate, nowhere
from tests.fuzz.cases import Operation, as_sent, brought_home, faults, generated, operations, unspoken
from tests.fuzz.knocking import Answer, Asked
from tests.fuzz.mangling import mangled
from tests.fuzz.worlds import ROLES, Fuzzed, fuzzed
from tests.postgres import PrivateServer

DATABASES = ("sqlite", "postgresql")
SCHEMA, BYTES = "schemathesis", "bytes"
EACH = 6
"""Generated cases of an operation as a role in a round; after a round the world is as it was."""
BYTES_EACH = 2
KEPT = 0.25
"""Of what is created, how much is left for the cases after it."""


@dataclass
class Tally:
    """What was asked and answered."""

    answers: Counter[tuple[str, str, str, int]] = field(default_factory=Counter)
    """By origin, operation, role and status."""
    faults: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """By operation and fault: how often, told once as a curl line for each role."""
    slowest: float = 0.0

    def add(
        self, origin: str, name: str, role: str, asked: Asked, answer: Answer, found: Iterable[str], again: str
    ) -> None:
        """One case."""
        self.answers[origin, name, role, answer.status] += 1
        self.slowest = max(self.slowest, answer.seconds)
        for fault in found:
            told = f"{asked.as_curl(role)[:4000]}  # {again}"
            self.faults.setdefault((name, fault), []).append(told)

    def count(self, **by: str) -> Counter[str]:
        """How many answers of each hundred."""
        found: Counter[str] = Counter()
        for (origin, name, role, status), number in self.answers.items():
            if by.items() <= {"origin": origin, "name": name, "role": role}.items():
                found[f"{status // 100}xx"] += number
        return found


def a_round(
    world: Fuzzed,
    known: dict[str, Operation],
    tally: Tally,
    *,
    seed: int,
    each: int = EACH,
    bytes_each: int = BYTES_EACH,
) -> None:
    """Every operation as every role, a few times, in an order of its own."""
    names = sorted(known)
    Random(seed).shuffle(names)
    for name in names:
        here = crc32(f"{seed} {name}".encode())
        _generated(world, known[name], name, tally, f"SEED={seed} OPERATION={name}", seed=here, each=each)
        dice = Random(here)
        for role in ROLES * bytes_each:
            asked = mangled(name, role, world, dice)
            answer = world.ask(name, asked, keep=False)
            found = faults(unspoken(known[name]), answer)
            tally.add(BYTES, name, role, asked, answer, found, f"SEED={seed} OPERATION={name}")


def _generated(
    world: Fuzzed, operation: Operation, name: str, tally: Tally, again: str, *, seed: int, each: int
) -> None:
    turns = cycle(ROLES)

    def one(drawn: tuple[Case[Operation], int]) -> None:
        (case, number), role = drawn, next(turns)
        dice = Random(number)
        brought_home(case, name, role, world, dice)
        asked = as_sent(case, world.token(role))
        answer = world.ask(name, asked, keep=dice.random() < KEPT)
        tally.add(SCHEMA, name, role, asked, answer, faults(case, answer), again)

    # Nothing is raised, so nothing is shrunk: what was created and kept makes the cases depend on each other.
    careless = settings(
        max_examples=each * len(ROLES),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seeded(seed)(careless(given(generated(operation))(one)))()


def told(tally: Tally, kind: str, seconds: float) -> str:
    """The run as tables, and every fault with how to meet it again."""
    hundreds = ["2xx", "3xx", "4xx", "5xx"]
    lines = [f"{'operation':32}{'cases':>8}" + "".join(f"{one:>8}" for one in hundreds)]

    def line(what: str, counted: Counter[str]) -> None:
        lines.append(f"{what:32}{counted.total():>8}" + "".join(f"{counted[one]:>8}" for one in hundreds))

    for name in sorted({name for _, name, _, _ in tally.answers}):
        line(name, tally.count(name=name))
    lines.append("")
    for role in ROLES:
        line(role, tally.count(role=role))
    for origin in (SCHEMA, BYTES):
        line(f"all, by {origin}", tally.count(origin=origin))
    lines.append(f"{kind}: {seconds:.0f} s, the slowest answer {tally.slowest * 1000:.0f} ms")
    for (name, fault), all_told in sorted(tally.faults.items()):
        lines += ["", f"{name}: {fault} ({len(all_told)} times)", f"  {all_told[0]}"]
    lines.append(f"\n{len(tally.faults)} faults" if tally.faults else "\nno faults")
    return "\n".join(lines)


@contextmanager
def a_database(kind: str, folder: Path) -> Iterator[Engine]:
    """A migrated database with the catalogue."""
    server = PrivateServer() if kind == "postgresql" else None
    try:
        engine, database = open_database(server.url if server else f"sqlite:///{folder / 'fuzz.db'}")
        migrate(engine)
        with database.writing() as tx:
            load(tx)
        yield engine
        engine.dispose()
    finally:
        if server:
            server.stop()


def fuzz(kind: str, *, seed: int, cases: int, seconds: float | None, only: str | None) -> Tally:
    """Rounds until there were enough cases, or the time is up."""
    tally, began = Tally(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, a_database(kind, Path(folder)) as engine:
        app = create_app(Settings(sweep_seconds=0), Database(reading=nowhere, writing=nowhere, snapshot=nowhere))
        known = {name: one for name, one in operations(app).items() if only in {None, name}}
        exports = Path(folder) / "exports"
        exports.mkdir()
        with start_blocking_portal() as portal:
            while tally.count(origin=SCHEMA).total() < cases:
                if seconds is not None and time.monotonic() - began > seconds:
                    break
                with fuzzed(engine, app, portal, exports) as world:
                    a_round(world, known, tally, seed=seed)
                seed += 1
                print(f"{kind}: {tally.answers.total()} cases, {len(tally.faults)} faults", file=sys.stderr, flush=True)
    return tally


def main(arguments: list[str] | None = None) -> int:
    """Fuzz as the command line says; 1 if anything was found."""
    says = argparse.ArgumentParser(description=__doc__)
    says.add_argument("--cases", type=int, default=10_000, help="generated by schemathesis, on each database")
    says.add_argument("--seconds", type=float, help="on each database, should the cases take longer")
    says.add_argument("--seed", type=int, default=Random().randrange(1_000_000), help="of the first round; by dice")
    says.add_argument("--database", choices=DATABASES, action="append", help="both unless said")
    says.add_argument("--operation", help="only this operationId")
    wish = says.parse_args(arguments)
    found = 0
    for kind in wish.database or DATABASES:
        print(f"{kind}: seed {wish.seed}", flush=True)
        began = time.monotonic()
        tally = fuzz(kind, seed=wish.seed, cases=wish.cases, seconds=wish.seconds, only=wish.operation)
        print(told(tally, kind, time.monotonic() - began), flush=True)
        found += len(tally.faults)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
