"""Is the wall tested? Each guard is taken away in turn (a cell of the policy, a clinic's filter, an ownership check)
and a test must fail: `make prove`. Whatever survives is printed, and is a hole in the tests or no guard at all.

A mutant is a copy of one source file with one expression changed, imported in its place by a fork of this process.
"""

import argparse
import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
SQL_TRUE = '__import__("sqlalchemy").true()'
AS_ADMIN = '__import__("dataclasses").replace(caller, role="admin")'
GATES = frozenset({"patient", "course", "visible_patients", "visible_programs", "patients_in_sight", "_held"})
"""What an operation asks whether somebody is in the caller's sight."""
OWN = frozenset({"patient_id", "account_id"})
QUICK = ["tests/api/test_matrix.py"]
SECONDS = 900
"""A test run that takes longer is a guard that is missed, too: it is told as a survivor."""


@dataclass(frozen=True)
class Mutant:
    """A source file without one guard."""

    path: Path
    line: int
    what: str
    source: str

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
    from models.operations.policy import MAY, REACH, SCOPES, Deed, Reach  # noqa: PLC0415  (forks import mutants of it)
    from models.tables import Role  # noqa: PLC0415  (as above)

    path = ROOT / "models/operations/policy.py"
    source = path.read_text()

    def with_line(what: str, line: str) -> Mutant:
        return Mutant(path, 0, what, f"{source}\n{line}\n")

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


def start(mutant: Mutant | None, tests: Sequence[str]) -> int:
    """Run tests without a guard in a fork of this process; gives its number."""
    child = os.fork()
    if child:
        return child
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    import pytest  # noqa: PLC0415  (the parent has imported it)

    if mutant is not None:
        sys.meta_path.insert(0, _InPlace(mutant))
    signal.alarm(SECONDS)
    try:
        code = pytest.main([*tests, "-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", "not postgresql"])
    except BaseException:  # noqa: BLE001  (what cannot even be imported is found)
        code = 1
    os._exit(int(code))


def about(mutant: Mutant) -> list[str]:
    """The test files that speak of the mutant's module."""
    name = mutant.path.stem
    spoken = re.compile(rf"models\.operations(\.\w+)*\.{name}\b|models\.operations import [^\n]*\b{name}\b")
    files = (path for path in (ROOT / "tests").rglob("test_*.py") if not {"bench", "walk"} & set(path.parts))
    return sorted(str(path.relative_to(ROOT)) for path in files if spoken.search(path.read_text()))


def survivors(wanted: Sequence[Mutant], jobs: int) -> Iterator[Mutant]:
    """The mutants no test fails for: the matrix is asked first, then whatever speaks of the module."""
    waiting: deque[tuple[Mutant, list[list[str]]]] = deque((one, [QUICK, about(one)]) for one in wanted)
    running: dict[int, tuple[Mutant, list[list[str]]]] = {}
    done, began = 0, time.monotonic()
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant, stages = waiting.popleft()
            running[start(mutant, stages[0])] = mutant, stages[1:]
        child, status = os.wait()
        mutant, left = running.pop(child)
        if os.WIFEXITED(status) and os.waitstatus_to_exitcode(status) in {0, 5}:
            if left and left[0]:
                waiting.appendleft((mutant, left))
                continue
            yield mutant
        elif not os.WIFEXITED(status):
            yield mutant  # it took too long to be missed
        done += 1
        if done % 25 == 0:
            print(f"{done} of {len(wanted)}, {time.monotonic() - began:.0f} s", flush=True)


def main() -> int:
    """Take every guard away; say which nobody missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="mutants whose description holds this")
    parser.add_argument("--every", type=int, default=1, help="only each n-th mutant")
    parser.add_argument("--list", action="store_true", help="say what would be taken away")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    wanted = [one for one in mutants() if arguments.only in str(one)][:: arguments.every]
    if arguments.list:
        print(*wanted, f"{len(wanted)} guards", sep="\n")
        return 0
    for name in [name for name in sys.modules if name.split(".")[0] in {"api", "models", "seed_data", "tests"}]:
        del sys.modules[name]  # forks import them anew, one of them changed
    _import_what_is_slow()
    os.environ["FOLLOWTHROUGH_TEST_POSTGRES"] = "postgresql://nobody@localhost/none"  # SQLite's half is enough here
    _, status = os.waitpid(start(None, QUICK), 0)
    if status:
        print("The tests fail with every guard in place; mend that first.", file=sys.stderr)
        return 2
    left = []
    for mutant in survivors(wanted, arguments.jobs):
        left.append(mutant)
        print("nobody misses", mutant, flush=True)
    missed = len(wanted) - len(left)
    print(f"{missed} of {len(wanted)} guards are missed when they are gone ({missed / len(wanted):.1%}).")
    return 1 if left else 0


def _import_what_is_slow() -> None:
    for name in (
        "alembic.command",
        "fastapi_offline",
        "httpx",
        "hypothesis",
        "openpyxl",
        "psycopg",
        "pytest",
        "sqlglot",
    ):
        importlib.import_module(name)


if __name__ == "__main__":
    sys.exit(main())
