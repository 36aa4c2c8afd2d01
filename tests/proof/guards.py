"""Is the wall tested? Each guard is taken away in turn (a cell of the policy, a clinic's filter, an ownership check,
what is expired or revoked, a refusal of who asks) and a test must fail: `make prove`. Whatever survives is printed, and
is a hole in the tests or no guard at all. In the end the tests that failed are asked again with every guard in
place: one that fails even so has proved nothing.

A mutant is one source file with one expression changed. A fork of this process puts its functions in the place of
ours and asks those questions of the access matrix that reach them, on SQLite; what survives that is asked by all other
tests that reach them.
"""

import argparse
import ast
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FunctionType
from typing import Any, TypeVar

import httpx
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Engine

from api.app import create_app
from api.settings import Settings
from api.visit import deed_of
from models.database import Database, open_database
from models.operations.policy import MAY, REACH, SCOPES, Deed, Reach
from models.tables import Role
from seed_data.load import load
from tests.api import test_matrix as matrix
from tests.api.conftest import a_peopled_clinic
from tests.api.test_access import MAY as TO_BE
from tests.architecture.statements import seen, watch
from tests.asgi import InProcess
from tests.builders import NOON
from tests.conftest import POSTGRES, inside, migrate, nowhere
from tests.postgres import PrivateServer
from tests.proof.in_place import FAILED, MODULE, NOTES, SECONDS, SOURCE, STATEMENTS, TWICE_SAID, Looking

Asked = TypeVar("Asked")

ROOT = Path(__file__).parents[2]
SQL_TRUE = '__import__("sqlalchemy").true()'
FILTER = "clinic's filter"
MISSED = 1
"""How a process ends in which a test failed; whatever else went wrong proves nothing."""
AS_ADMIN = '__import__("dataclasses").replace(caller, role="admin")'
GATES = frozenset({"patient", "course", "visible_patients", "visible_programs", "patients_in_sight", "_held"})
"""What an operation asks whether somebody is in the caller's sight."""
OWN = frozenset({"patient_id", "account_id"})
ENDINGS = frozenset(
    {
        *("SignIn.revoked_at", "Device.revoked_at", "Client.revoked_at", "Account.disabled_at", "Webhook.disabled_at"),
        *("Proxy.ended_at", "Invitation.ended_at"),
        *("Patient.deleted_at", "cared_for.deleted_at", "SessionLog.deleted_at"),
    }
)
"""What lets nobody in any more, or is nobody's to see, when they are set."""
EXPIRIES = frozenset({"Token", "PasswordLink", "Export"})
REFUSALS = frozenset(
    {
        *("NotSignedIn", "NotAllowed", "InvalidGrant", "InvalidClient", "InvalidScope", "OtpRequired"),
        *("SecondFactorRequired", "TooManyAttempts", "Unknown", "UnknownProgram", "UnknownSession"),
    }
)
"""What somebody is told who may not, or not yet, or does not see it."""
SAID_BEFORE = {
    ("handling.py", "_judge_anew", "sight of visible_programs(): caller", 1): "whoever closes a flag saw its patient",
    ("outreach.py", "reach_out", "sight of visible_programs(): caller", 1): "the program is one of a patient just seen",
    ("prescribing.py", "course_with_advice", "refusal where: seen_from is None", 1): "no patient's sight has drafts",
    ("prescribing.py", "revise", "sight of course(): caller", 2): "it is read again after it was seen and changed",
    ("prescribing.py", "_previous", "sight of visible_programs(): caller", 1): "the patient was just seen",
    ("programs.py", "activate", "sight of visible_programs(): caller", 1): "the program was just seen",
    ("programs.py", "discharge", "sight of visible_programs(): caller", 1): "the program was just seen",
    ("programs.py", "discharge", "sight of course(): caller", 2): "it was just made",
    ("sessions.py", "_programs", "ownership check: SessionLog.patient_id == caller.patient_id", 1): (
        "of the programs it names, only those in the caller's sight are held"
    ),
    (
        "prescribing.py",
        "_check_proposed",
        "sight of visible_programs(): caller",
        1,
    ): "both who ask it have just seen it",
}
"""Guards behind another, so that nobody can miss them: not taken away, and named in the end with the reason."""


@dataclass(frozen=True)
class Mutant:
    """A source file without one guard."""

    path: Path
    line: int
    what: str
    source: str
    within: str | None = None
    """The function or class at the top of the module that it lies in."""
    nth: int = 1
    """Of those in there that read the same."""
    row: str | None = None
    """Of the policy's tables: the statement that changes a row."""
    deed: Deed | None = None
    who: str | None = None
    """The deed, and the role or scope, that the row is about: asked first."""

    @property
    def is_filter(self) -> bool:
        """Whether a clinic's filter is gone."""
        return self.what.startswith(FILTER)

    @property
    def module(self) -> str:
        """Its dotted name."""
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts)

    @property
    def said_before(self) -> str | None:
        """Why nobody can miss it, if so."""
        return SAID_BEFORE.get((self.path.name, self.within or "", self.what, self.nth))

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

    def with_line(what: str, line: str, who: str, deed: Deed | None = None) -> Mutant:
        return Mutant(path, 0, what, f"{source}\n{line}\n", row=line, deed=deed, who=who)

    for deed in MAY:
        for role in Role:
            yield with_line(f"MAY {deed} ^ {role}", f"MAY[Deed.{deed.name}] ^= {{Role.{role.name}}}", role, deed)
    for role, reach in REACH.items():
        for other in Reach:
            if other is not reach:
                yield with_line(f"REACH {role} = {other}", f"REACH[Role.{role.name}] = Reach.{other.name}", role)
    for scope in SCOPES:
        for deed in Deed:
            if deed is not Deed.USE_OWN_SIGN_IN and Role.INTEGRATION in MAY[deed]:
                yield with_line(f"SCOPES {scope} ^ {deed}", f'SCOPES["{scope}"] ^= {{Deed.{deed.name}}}', scope, deed)


def _of_source(path: Path) -> Iterator[Mutant]:
    source = path.read_text()
    found = [
        _changed(path, source, top, guard, text, what)
        for top in ast.parse(source).body
        for node in ast.walk(top)
        for guard, text, what in _guards(node)
    ]
    alike: Counter[tuple[str | None, str]] = Counter()
    for mutant in sorted(found, key=lambda one: one.line):
        alike[mutant.within, mutant.what] += 1
        yield replace(mutant, nth=alike[mutant.within, mutant.what])


def _guards(node: ast.AST) -> Iterator[tuple[ast.expr, str, str]]:
    """The guards that a node is: which expression, what stands in its place, what it was."""
    match node:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            if any(_is_attribute(side, "clinic_id") for side in (left, right)):
                yield node, SQL_TRUE, FILTER
            elif any(_is_callers(side) for side in (left, right)):
                yield node, SQL_TRUE, "ownership check"
        case ast.Compare(left=ast.Attribute(attr="expires_at", value=ast.Name(id=of)), ops=[ast.Gt()]):
            if of in EXPIRIES:
                yield node, SQL_TRUE, "expiry"
        case ast.Call():
            yield from _guarding_calls(node)
        case ast.If(test=test, body=[*_, ast.Raise(exc=said) | ast.Return(value=said)]) if _is_refusal(said):
            any_of = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) else [test]
            yield from ((one, "False", "refusal where") for one in any_of)


def _guarding_calls(node: ast.Call) -> Iterator[tuple[ast.expr, str, str]]:
    match node:
        case ast.Call(func=ast.Attribute(attr="is_", value=ast.Attribute() as ended), args=[ast.Constant(value=None)]):
            if ast.unparse(ended) in ENDINGS:
                yield node, SQL_TRUE, "not ended"
        case ast.Call(func=ast.Name(id=asked)) if asked in GATES:
            for said in node.args:
                if isinstance(said, ast.Name) and said.id == "caller":
                    yield said, AS_ADMIN, f"sight of {asked}()"
        case ast.Call(func=ast.Name(id="may")):
            yield node, "True", "the door's question"


def _is_refusal(said: ast.expr | None) -> bool:
    """Made on the spot, or before and called `refused`."""
    match said:
        case ast.Call(func=ast.Name(id=name)):
            return name in REFUSALS
        case ast.Name(id=name):
            return name == "refused"
    return False


def _is_attribute(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name


def _is_callers(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in OWN
        and isinstance(node.value, ast.Name)
        and node.value.id == "caller"
    )


def _changed(path: Path, source: str, top: ast.stmt, node: ast.expr, text: str, what: str) -> Mutant:
    assert node.end_lineno is not None  # parsed just now
    assert node.end_col_offset is not None  # as above
    lines = source.encode().splitlines(keepends=True)
    start = sum(len(line) for line in lines[: node.lineno - 1]) + node.col_offset
    end = sum(len(line) for line in lines[: node.end_lineno - 1]) + node.end_col_offset
    raw = source.encode()
    was = " ".join(raw[start:end].decode().split())
    within = top.name if isinstance(top, ast.FunctionDef | ast.ClassDef) else None
    changed = (raw[:start] + text.encode() + raw[end:]).decode()
    return Mutant(path, node.lineno, f"{what}: {was}", changed, within=within)


def put_in_place(mutant: Mutant) -> None:
    """Give our functions the mutant's code; whoever imported them has it too."""
    module = sys.modules[mutant.module]
    if mutant.row is not None:
        exec(mutant.row, module.__dict__)  # noqa: S102  (written above)
        return
    _swap(compile(mutant.source, str(mutant.path), "exec"), module)
    # What the module made of a changed function, or of changed words, when it was read.
    changed = {mutant.within}
    for top in ast.parse(mutant.source).body:
        if isinstance(top, ast.Assign) and isinstance(name := top.targets[0], ast.Name):
            holds = top.lineno <= mutant.line <= (top.end_lineno or top.lineno)
            if holds or changed & {one.id for one in ast.walk(top.value) if isinstance(one, ast.Name)}:
                changed.add(name.id)
                one = ast.Module([top], [])
                exec(compile(one, str(mutant.path), "exec"), module.__dict__)  # noqa: S102  (our own source)


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
class Question:
    """One cell of the matrix."""

    who: str
    """A role or a scope."""
    deed: Deed | None
    relation: str
    ask: Callable[["Asking"], object]


@dataclass(frozen=True)
class Asking:
    """Who asks, and what they know."""

    client: httpx.Client
    world: matrix.World
    database: Database
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    def of_scope(self, scope: str) -> dict[str, str]:
        """The headers of an integration with one scope."""
        if scope not in self.headers:
            self.headers[scope] = matrix.headers_of_scope(self.database, self.world, scope)
        return self.headers[scope]


def questions(app: FastAPI) -> list[Question]:
    """The matrix, cell by cell; those first that a missing filter is likeliest to show in."""
    found: list[Question] = []
    by_name = {route.name: route for route, _ in matrix.cells(app)}
    for role in Role:
        for route, relation in matrix.cells(app):

            def of_role(asking: Asking, role: Role = role, route: APIRoute = route, relation: str = relation) -> object:
                return matrix.is_done(asking.client, asking.world, role, route, relation)

            found.append(Question(role, deed_of(route), relation, of_role))
        for name, where in matrix.FOREIGN:
            if role in TO_BE[name]:

                def of_key(asking: Asking, role: Role = role, name: str = name, where: str = where) -> None:
                    matrix.assert_key(asking.client, asking.world, role, by_name[name], where)

                found.append(Question(role, deed_of(by_name[name]), matrix.STRANGERS, of_key))
    for scope in sorted(SCOPES):
        for route in by_name.values():

            def of_scope(asking: Asking, scope: str = scope, route: APIRoute = route) -> None:
                matrix.assert_scope(asking.client, asking.world, asking.of_scope(scope), scope, route)

            found.append(Question(scope, deed_of(route), matrix.OWN, of_scope))
    order = [matrix.STRANGERS, matrix.COLLEAGUES, matrix.OWN, matrix.NOBODYS]
    return sorted(found, key=lambda one: order.index(one.relation))


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
            clinics = a_peopled_clinic(database, place), a_peopled_clinic(database, place)
            return cls(app, engine, place, matrix.a_world(database, connection, *clinics))

    def ask(self, wanted: Sequence[Question], before_each: Callable[[], None] = lambda: None) -> None:
        """Some questions of the matrix; raises at the first wrong answer. Nothing of it stays."""
        files = [self.place / str(known.export_id) for known in self.world.records.values()]
        with start_blocking_portal() as portal, self.engine.connect() as connection, connection.begin() as outer:
            database = inside(connection)
            state = self.app.state
            state.database, state.clock, state.exports = database, lambda: NOON, self.place
            with httpx.Client(transport=InProcess(self.app, portal), base_url="http://test") as client:
                asking = Asking(client, replace(self.world, connection=connection), database)
                for question in wanted:
                    before_each()
                    for path in files:
                        path.touch()  # files are not undone with the transaction
                    question.ask(asking)
            outer.rollback()
        self.engine.dispose()


class Reached:
    """Which questions of the matrix reach which functions."""

    def __init__(self, bench: Bench, asked: Sequence[Question]) -> None:
        self.asked = asked
        looking = Looking()
        by_question: list[set[tuple[str, str]]] = []

        def begin() -> None:
            looking.reached = set()
            by_question.append(looking.reached)

        bench.ask(asked, begin)
        looking.stop()
        self.reached: dict[tuple[str, str], list[int]] = {}
        for number, functions in enumerate(by_question):
            for function in functions:
                self.reached.setdefault(function, []).append(number)

    def questions_for(self, mutant: Mutant) -> list[Question]:
        """What to ask about a mutant; what cannot tell is left out."""
        if mutant.row is not None:
            return sorted(self.asked, key=lambda one: (one.who != mutant.who, one.deed is not mutant.deed))
        return [self.asked[number] for number in sorted(_of(self.reached, mutant))]


def _of(reached: Mapping[tuple[str, str], Sequence[Asked]], mutant: Mutant) -> set[Asked]:
    """Who reaches a mutant's function; where it was called when its module was read: who reaches the module."""
    path = str(mutant.path)
    if (path, mutant.within) in reached:
        return set(reached[path, mutant.within or ""])
    return {one for (file, _), asked in reached.items() if file == path for one in asked}


def start(mutant: Mutant | None, bench: Bench, wanted: Sequence[Question]) -> int:
    """Ask the matrix without a guard (None: with all of them), in a fork of this process; gives its number."""
    child = os.fork()
    if child:
        return child
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    signal.alarm(SECONDS)
    known = len(seen)
    try:
        if mutant is not None:
            put_in_place(mutant)
        bench.ask(wanted)
    except BaseException:  # noqa: BLE001  (whatever goes wrong, somebody notices)
        os._exit(1)
    os._exit(TWICE_SAID if len(seen) > known and mutant is not None and mutant.is_filter else 0)


class Notes:
    """Which tests reach which functions, on SQLite, and what they send; noted by a run of them all."""

    def __init__(self, folder: Path) -> None:
        if not any(folder.glob("*.json")):
            run = ["-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", "-k", "not postgresql"]
            environment = os.environ | {"CI": "1", "PYTEST_PLUGINS": "tests.proof.in_place", NOTES: str(folder)}
            beside = [f"--ignore=tests/{name}" for name in ("walk", "fuzz", "bench", "seed_data")]
            subprocess.run([sys.executable, *run, *beside], cwd=ROOT, env=environment, check=False)
        self.reached: dict[tuple[str, str], list[str]] = {}
        self.breadth: dict[str, int] = {}
        """Test → how many functions it reaches."""
        self.statements = folder / "statements"
        sent: set[str] = set()
        for path in folder.glob("*.json"):
            told = json.loads(path.read_text())
            sent |= set(told["statements"])
            for test, functions in told["tests"]:
                self.breadth[test] = len(functions)
                for file, within in functions:
                    self.reached.setdefault((file, within), []).append(test)
        self.statements.write_text("\n".join(sent))

    def tests_for(self, mutant: Mutant) -> list[str]:
        """The tests that reach a mutant, file by file: first the file of the test that reaches the least."""
        by_file: dict[str, list[str]] = {}
        for test in sorted(_of(self.reached, mutant), key=lambda test: (self.breadth[test], test)):
            by_file.setdefault(test.partition("::")[0], []).append(test)
        return [test for tests in by_file.values() for test in tests]


def start_tests(mutant: Mutant, notes: Notes, place: Path) -> int:
    """Run the tests that reach a mutant with it in place; gives the process's number."""
    source = place / "mutant.py"
    source.write_text(mutant.source)
    environment = {MODULE: mutant.module, SOURCE: str(source), FAILED: str(place / "failed")}
    if mutant.is_filter:
        environment[STATEMENTS] = str(notes.statements)
    return _start_pytest(notes.tests_for(mutant), place, environment, "-x")


def _start_pytest(tests: Sequence[str], place: Path, environment: dict[str, str], *options: str) -> int:
    named = place / "tests"
    named.write_text("\n".join(tests))
    (place / "failed").write_text("")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", "-q", *options, f"@{named}"]
    beside = {"CI": "1", "PYTEST_PLUGINS": "tests.proof.in_place"}
    silent = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | beside | environment, stdout=silent, stderr=silent).pid


def fail_anyway(tests: Sequence[str], place: Path) -> set[str]:
    """Those of some tests that fail with every guard in place."""
    os.waitpid(_start_pytest(tests, place, {FAILED: str(place / "failed")}), 0)
    return set((place / "failed").read_text().split("\n"))


class Proof:
    """Takes guards away, as many at a time as there are benches, and keeps what came of it."""

    def __init__(self, benches: Sequence[Bench]) -> None:
        self.benches = benches
        self.left: list[Mutant] = []
        """Nobody missed them."""
        self.twice: list[Mutant] = []
        self.missed_by: dict[Mutant, str] = {}
        """The test that failed, of those that the matrix did not miss."""

    def run(self, wanted: Sequence[Mutant], begin: Callable[[Mutant, Bench], int]) -> None:
        """Take each away; `begin` starts a process that fails where it is missed, and gives its number."""
        self.left = []
        waiting, free = deque(wanted), deque(self.benches)
        running: dict[int, tuple[Mutant, Bench]] = {}
        done, began = 0, time.monotonic()
        while waiting or running:
            while waiting and free:
                mutant, bench = waiting.popleft(), free.popleft()
                running[begin(mutant, bench)] = mutant, bench
            child, status = os.wait()
            mutant, bench = running.pop(child)
            free.append(bench)
            code = os.waitstatus_to_exitcode(status)
            if code == TWICE_SAID:
                self.twice.append(mutant)
            elif code != MISSED:  # it took too long, no test reaches it, or the tests could not be asked
                self.left.append(mutant)
            elif (failed := bench.place / "failed").exists():
                self.missed_by[mutant] = failed.read_text().split("\n")[0]
            done += 1
            if done % 10 == 0:
                print(f"{done} of {len(wanted)}, {time.monotonic() - began:.0f} s", flush=True)

    def ask_again(self) -> None:
        """What is missed only by a test that fails with every guard in place is not missed."""
        anyway = fail_anyway(sorted(set(self.missed_by.values())), self.benches[0].place)
        self.left += [mutant for mutant, test in self.missed_by.items() if test in anyway]


def tell(proof: Proof, wanted: int) -> None:
    """What came of it."""
    for mutant in proof.left:
        print("nobody misses", mutant)
    for mutant in proof.twice:
        print("said twice", mutant)
    asked_for = wanted - len(proof.twice)
    missed = asked_for - len(proof.left)
    print(f"{missed} of {asked_for} guards are missed when they are gone ({missed / asked_for:.1%}).")
    print(f"{len(proof.twice)} filters more are said twice: without them every table's clinic is said all the same.")


def main() -> int:
    """Take every guard away; say which nobody missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="mutants whose description holds this")
    parser.add_argument("--every", type=int, default=1, help="only each n-th mutant")
    parser.add_argument("--matrix", action="store_true", help="ask the matrix alone, and no other tests")
    parser.add_argument("--notes", type=Path, help="a folder to keep, or find, the notes of what the tests reach")
    parser.add_argument("--list", action="store_true", help="say what would be taken away")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    asked_for = [one for one in mutants() if arguments.only in str(one)][:: arguments.every]
    wanted = [one for one in asked_for if one.said_before is None]
    if arguments.list:
        print(*wanted, f"{len(wanted)} guards", sep="\n")
        return 0
    app = create_app(Settings(sweep_seconds=0), Database(reading=nowhere, snapshot=nowhere, writing=nowhere))
    app.openapi()
    with TemporaryDirectory() as place, ExitStack() as undo:
        template = Path(place) / "template.db"
        engine, database = open_database(f"sqlite:///{template}")
        migrate(engine)
        with database.writing() as tx:
            load(tx)
        engine.dispose()
        benches = []
        asked = questions(app)
        for number in range(arguments.jobs):
            folder = Path(place) / f"{number}"
            folder.mkdir()
            benches.append(Bench.of(app, template, folder))
        reached = Reached(benches[0], asked)
        for bench in benches:
            bench.ask(asked)  # so that every statement is compiled
        _, status = os.waitpid(start(None, benches[0], asked), 0)
        if status:
            print("The matrix fails with every guard in place; mend that first.", file=sys.stderr)
            return 2
        proof = Proof(benches)
        proof.run(wanted, lambda mutant, bench: start(mutant, bench, reached.questions_for(mutant)))
        print(f"{len(proof.left)} of {len(wanted)} are not missed by the matrix.", *proof.left, sep="\n", flush=True)
        if proof.left and not arguments.matrix:
            folder = arguments.notes or Path(place) / "notes"
            folder.mkdir(exist_ok=True)
            if POSTGRES not in os.environ:
                server = PrivateServer()  # one for them all: each run would start its own
                undo.callback(server.stop)
                os.environ[POSTGRES] = server.url
            notes = Notes(folder)
            proof.run(proof.left, lambda mutant, bench: start_tests(mutant, notes, bench.place))
            if proof.missed_by:
                proof.ask_again()
    tell(proof, len(wanted))
    for mutant in asked_for:
        if mutant.said_before is not None:
            print("not taken away", mutant, f"({mutant.said_before})")
    return 1 if proof.left else 0


if __name__ == "__main__":
    sys.exit(main())
