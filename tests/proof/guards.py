"""Is the wall tested? Each guard is taken away in turn (a cell of the policy, a clinic's filter, an ownership check)
and a test must fail: `make prove`. Whatever survives is printed, and is a hole in the tests or no guard at all.

A mutant is one source file with one expression changed. A fork of this process puts its functions in the place of
ours and asks the access matrix on SQLite; what survives that is asked by the tests that speak of its module.
"""

import argparse
import ast
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FunctionType, ModuleType
from typing import Any

import httpx
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.orm import sessionmaker

from api.app import create_app
from api.settings import Settings
from models.database import Database, open_database
from models.operations.policy import MAY, REACH, SCOPES, Deed, Reach
from models.tables import Role
from seed_data.load import load
from tests.api import test_matrix as matrix
from tests.architecture.statements import watch
from tests.asgi import InProcess
from tests.builders import NOON
from tests.conftest import migrate

ROOT = Path(__file__).parents[2]
SQL_TRUE = '__import__("sqlalchemy").true()'
AS_ADMIN = '__import__("dataclasses").replace(caller, role="admin")'
GATES = frozenset({"patient", "course", "visible_patients", "visible_programs", "patients_in_sight", "_held"})
"""What an operation asks whether somebody is in the caller's sight."""
OWN = frozenset({"patient_id", "account_id"})
SECONDS = 900
"""Who takes longer is a survivor."""


@dataclass(frozen=True)
class Mutant:
    """A source file without one guard."""

    path: Path
    line: int
    what: str
    source: str
    row: str | None = None
    """Of the policy's tables: the statement that changes a row."""

    @property
    def module(self) -> str:
        """Its dotted name."""
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts)

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.what}"


def mutants() -> Iterator[Mutant]:
    """Every guard, taken away."""
    yield from _of_policy()
    for path in sorted([*(ROOT / "models/operations").rglob("*.py"), ROOT / "api/visit.py"]):
        yield from _of_source(path)


def _of_policy() -> Iterator[Mutant]:
    """A cell of the policy turned over; a role that sees further, or less far; a scope with a deed more, or less."""
    path = ROOT / "models/operations/policy.py"
    source = path.read_text()

    def with_line(what: str, line: str) -> Mutant:
        return Mutant(path, 0, what, f"{source}\n{line}\n", line)

    for deed in MAY:
        for role in Role:
            yield with_line(f"MAY {deed} ^ {role}", f"MAY[Deed.{deed.name}] ^= {{Role.{role.name}}}")
    for role, reach in REACH.items():
        for other in Reach:
            if other is not reach:
                yield with_line(f"REACH {role} = {other}", f"REACH[Role.{role.name}] = Reach.{other.name}")
    for scope in SCOPES:
        for deed in Deed:
            if deed is not Deed.USE_OWN_SIGN_IN and Role.INTEGRATION in MAY[deed]:
                yield with_line(f"SCOPES {scope} ^ {deed}", f'SCOPES["{scope}"] ^= {{Deed.{deed.name}}}')


def _of_source(path: Path) -> Iterator[Mutant]:
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            sides = (node.left, node.comparators[0])
            if any(_is_attribute(side, "clinic_id") for side in sides):
                yield _changed(path, source, node, SQL_TRUE, "clinic's filter")
            elif any(_is_callers(side) for side in sides):
                yield _changed(path, source, node, SQL_TRUE, "ownership check")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in GATES:
            for said in node.args:
                if isinstance(said, ast.Name) and said.id == "caller":
                    yield _changed(path, source, said, AS_ADMIN, f"sight of {node.func.id}()")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "may":
            yield _changed(path, source, node, "True", "the door's question")


def _is_attribute(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name


def _is_callers(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in OWN
        and isinstance(node.value, ast.Name)
        and node.value.id == "caller"
    )


def _changed(path: Path, source: str, node: ast.expr, text: str, what: str) -> Mutant:
    assert node.end_lineno is not None  # parsed just now
    assert node.end_col_offset is not None  # as above
    lines = source.encode().splitlines(keepends=True)
    start = sum(len(line) for line in lines[: node.lineno - 1]) + node.col_offset
    end = sum(len(line) for line in lines[: node.end_lineno - 1]) + node.end_col_offset
    raw = source.encode()
    was = " ".join(raw[start:end].decode().split())
    return Mutant(path, node.lineno, f"{what}: {was}", (raw[:start] + text.encode() + raw[end:]).decode())


class _InPlace(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutant where the module is asked for."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Ours, or nobody's."""
        if fullname != self.mutant.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self.mutant.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed source."""
        exec(compile(self.mutant.source, str(self.mutant.path), "exec"), module.__dict__)  # noqa: S102  (our own source)


def put_in_place(mutant: Mutant) -> None:
    """Give our functions the mutant's code; whoever imported them has it too."""
    module = sys.modules[mutant.module]
    if mutant.row is not None:
        exec(mutant.row, module.__dict__)  # noqa: S102  (written above)
    else:
        _swap(compile(mutant.source, str(mutant.path), "exec"), module)


def _swap(code: CodeType, scope: Any) -> None:
    for inner in (const for const in code.co_consts if isinstance(const, CodeType)):
        found = vars(scope).get(inner.co_name)
        if isinstance(found, type):
            _swap(inner, found)
            continue
        plain = inspect.unwrap(found.fget if isinstance(found, property) and found.fget else found) if found else None
        if isinstance(plain, FunctionType):
            plain.__code__ = inner


@dataclass(frozen=True)
class Bench:
    """A peopled database to ask about, whose statements are compiled and read already: a fork inherits all that."""

    app: FastAPI
    engine: Engine
    place: Path
    world: matrix.World

    @classmethod
    def of(cls, app: FastAPI, template: Path, place: Path) -> "Bench":
        """On a copy of `template` of its own; every guard is in place."""
        copy = place / "copy.db"
        shutil.copyfile(template, copy)
        engine, database = open_database(f"sqlite:///{copy}")
        watch(engine)
        with engine.connect() as connection:
            bench = cls(app, engine, place, matrix.a_world(database, connection, place))
        bench.ask()
        engine.dispose()
        return bench

    def ask(self) -> None:
        """Every question of the matrix; raises at the first wrong answer. Nothing of it stays."""
        for known in self.world.records.values():
            (self.place / str(known.export_id)).touch()  # files are not undone with the transaction
        with start_blocking_portal() as portal, self.engine.connect() as connection, connection.begin() as outer:
            sessions = sessionmaker(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
            database = Database(reading=sessions.begin, snapshot=sessions.begin, writing=sessions.begin)
            state = self.app.state
            state.database, state.clock, state.exports = database, lambda: NOON, self.place
            world = replace(self.world, connection=connection)
            with httpx.Client(transport=InProcess(self.app, portal), base_url="http://test") as client:
                for role in Role:
                    matrix.test_every_operation_of_every_role_about_every_record(self.app, client, world, role)
                for role in Role:
                    matrix.test_another_clinics_key_is_worth_what_no_key_is(self.app, client, world, role)
                for scope in sorted(SCOPES):
                    matrix.test_a_scope_opens_what_it_says_and_nothing_else(self.app, client, database, world, scope)
            outer.rollback()


def start(mutant: Mutant | None, bench: Bench) -> int:
    """Ask the matrix without a guard (None: with all of them), in a fork of this process; gives its number."""
    child = os.fork()
    if child:
        return child
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    signal.alarm(SECONDS)
    try:
        if mutant is not None:
            put_in_place(mutant)
        bench.ask()
    except BaseException:  # noqa: BLE001  (whatever goes wrong, somebody notices)
        os._exit(1)
    os._exit(0)


def about(mutant: Mutant) -> list[str]:
    """The test files that speak of the mutant's module."""
    name = mutant.path.stem
    spoken = re.compile(rf"models\.operations(\.\w+)*\.{name}\b|models\.operations(\.\w+)* import [^\n]*\b{name}\b")
    files = (path for path in (ROOT / "tests").rglob("test_*.py") if not {"bench", "walk", "fuzz"} & set(path.parts))
    return sorted(str(path.relative_to(ROOT)) for path in files if spoken.search(path.read_text()))


def start_tests(number: int, mutant: Mutant) -> int:
    """Run the tests that speak of a mutant's module with it in place; gives the process's number."""
    command = [sys.executable, "-m", "tests.proof.guards", "--run", str(number), *about(mutant)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid


def run_tests(mutant: Mutant, tests: Sequence[str]) -> int:
    """Run some tests with a mutant in place, in this process."""
    import pytest  # noqa: PLC0415  (it must not see what we imported)

    for name in [name for name in sys.modules if name.split(".")[0] in {"api", "models", "seed_data", "tests"}]:
        del sys.modules[name]
    sys.meta_path.insert(0, _InPlace(mutant))
    signal.alarm(SECONDS)
    return int(pytest.main([*tests, "-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", "not postgresql"]))


def survivors(every: Sequence[Mutant], wanted: Sequence[Mutant], benches: Sequence[Bench]) -> Iterator[Mutant]:
    """The mutants no test fails for: the matrix is asked first, then whatever speaks of the module."""
    waiting: deque[tuple[Mutant, bool]] = deque((one, True) for one in wanted)
    free, running = deque(benches), dict[int, tuple[Mutant, bool, Bench]]()
    done, began = 0, time.monotonic()
    while waiting or running:
        while waiting and free:
            (mutant, is_first), bench = waiting.popleft(), free.popleft()
            child = start(mutant, bench) if is_first else start_tests(every.index(mutant), mutant)
            running[child] = mutant, is_first, bench
        child, status = os.wait()
        mutant, is_first, bench = running.pop(child)
        free.append(bench)
        if not os.WIFEXITED(status):
            yield mutant  # it took too long to be missed
        elif os.waitstatus_to_exitcode(status) in {0, 5}:
            if is_first and about(mutant):
                waiting.append((mutant, False))
                continue
            yield mutant
        done += 1
        if done % 50 == 0:
            print(f"{done} of {len(wanted)}, {time.monotonic() - began:.0f} s", flush=True)


def main() -> int:
    """Take every guard away; say which nobody missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="mutants whose description holds this")
    parser.add_argument("--every", type=int, default=1, help="only each n-th mutant")
    parser.add_argument("--list", action="store_true", help="say what would be taken away")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--run", type=int, help="run the tests named with this mutant in place")
    parser.add_argument("tests", nargs="*", help="of --run")
    arguments = parser.parse_args()
    every = list(mutants())
    if arguments.run is not None:
        return run_tests(every[arguments.run], arguments.tests)
    wanted = [one for one in every if arguments.only in str(one)][:: arguments.every]
    if arguments.list:
        print(*wanted, f"{len(wanted)} guards", sep="\n")
        return 0
    app = create_app(Settings(sweep_seconds=0), Database(reading=_nowhere, snapshot=_nowhere, writing=_nowhere))
    app.openapi()
    with TemporaryDirectory() as place:
        template = Path(place) / "template.db"
        engine, database = open_database(f"sqlite:///{template}")
        migrate(engine)
        with database.writing() as tx:
            load(tx)
        engine.dispose()
        benches = []
        for number in range(arguments.jobs):
            folder = Path(place) / f"{number}"
            folder.mkdir()
            benches.append(Bench.of(app, template, folder))
        _, status = os.waitpid(start(None, benches[0]), 0)
        if status:
            print("The matrix fails with every guard in place; mend that first.", file=sys.stderr)
            return 2
        left = []
        for mutant in survivors(every, wanted, benches):
            left.append(mutant)
            print("nobody misses", mutant, flush=True)
    missed = len(wanted) - len(left)
    print(f"{missed} of {len(wanted)} guards are missed when they are gone ({missed / len(wanted):.1%}).")
    return 1 if left else 0


def _nowhere() -> Any:
    raise AssertionError("the matrix brings a database of its own")


if __name__ == "__main__":
    sys.exit(main())
