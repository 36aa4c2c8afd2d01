"""Watching every statement the suite sends: each must name the clinic of every tenant table it touches, so that a
forgotten filter fails here and not in a clinic, and the schema can be sharded by clinic as it is.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlglot
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session
from sqlglot import exp

from models.tables import Base

CLINIC_KEY = {
    table.name: table.info["shard"] for table in Base.metadata.tables.values() if table.info["placement"] == "tenant"
}
# every_clinic, demo_clinic, any_clinic look for clinics, across them by design.
LOOKS_FOR_CLINICS = re.compile(
    r"SELECT clinic\.[^;]* FROM clinic( WHERE clinic\.is_demo( (IS|=) 1)?)?"
    r"( ORDER BY [a-z_., ]+)?( LIMIT \?( OFFSET \?)?)?"
)

ROOT = Path(__file__).parents[2]

BLOCKS = (exp.Select, exp.Update, exp.Delete)
"""What finds rows."""

seen: set[str] = set()
"""What was sent, whatever the number of values."""

_sent: list[list[str]] = []


class ClinicForgottenError(AssertionError):
    """A statement that touches a tenant table without saying whose rows it means."""


def watch(engine: Engine) -> None:
    """Look at every statement of an engine."""
    event.listen(engine, "before_cursor_execute", _look)


@contextmanager
def counting() -> Iterator[list[str]]:
    """The statements sent inside the block, transaction control left out."""
    sent: list[str] = []
    _sent.append(sent)
    try:
        yield sent
    finally:
        _sent.remove(sent)


@contextmanager
def at_most(limit: int) -> Iterator[None]:
    """Assert that no more than so many statements are sent."""
    with counting() as sent:
        yield
    assert len(sent) <= limit, "\n".join(sent)


@contextmanager
def explaining(tx: Session, table: str) -> Iterator[list[str]]:
    """How the database means to find what is asked of a table inside the block, question by question."""
    engine, plans = tx.get_bind().engine, list[str]()
    words = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and f"FROM {table}" in statement:
            cursor.execute(f"{words} {statement}", parameters)
            plans.append("\n".join(str(row) for row in cursor.fetchall()))

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def _look(_connection: Any, _cursor: Any, statement: str, _parameters: Any, _context: Any, _many: bool) -> None:
    verb = statement.split(None, 1)[0].upper()
    if verb not in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"} or "pg_catalog" in statement:
        return
    for sent in _sent:
        if "audit_event" not in statement:  # the trail is no part of what a request costs
            sent.append(statement)
    forgotten = forgotten_tables(statement)
    if forgotten and not _asked_by_a_test():
        raise ClinicForgottenError(f"{', '.join(forgotten)} without a clinic in:\n{statement}")


def _asked_by_a_test() -> bool:
    """Whether the nearest code of ours on the stack is a test, which may look across clinics."""
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and ".venv" not in path.parts and path != Path(__file__):
            return path.is_relative_to(ROOT / "tests")
    return False


@cache
def forgotten_tables(statement: str) -> tuple[str, ...]:
    """The tenant tables of a statement, block by block, that are not tied to a clinic."""
    plain = re.sub(r"%\(\w+\)s(::[A-Z]+( WITH TIME ZONE| PRECISION)?)?|\?", "?", " ".join(statement.split()))
    if LOOKS_FOR_CLINICS.fullmatch(plain):
        return ()
    plain = plain.replace("?", "1")
    seen.add(re.sub(r"\(1(, 1)*\)", "(1)", plain))
    parsed = sqlglot.parse_one(plain, dialect="sqlite")
    if isinstance(parsed, exp.Insert) and parsed.expression.find(exp.Select) is None:
        return ()  # VALUES carry the clinic in the key
    found: list[str] = []
    for block in parsed.find_all(*BLOCKS):
        tables = {table.alias_or_name: table.name for table in _tables(block) if table.name in CLINIC_KEY}
        named = _named(block, tables)
        found += [name for alias, name in tables.items() if alias not in named]
    return tuple(found)


def _tables(block: exp.Expr) -> Iterator[exp.Table]:
    return (table for table in block.find_all(exp.Table) if table.find_ancestor(*BLOCKS) is block)


def _named(block: exp.Expr, tables: dict[str, str]) -> set[str]:
    """The tables (by alias) of a block whose clinic it says: it must equal a value, or what another block finds, or the
    clinic of a table of which it is said.
    """
    where = block.args.get("where")
    conditions = [join.args.get("on") for join in block.find_all(exp.Join) if join.find_ancestor(*BLOCKS) is block]
    conditions.append(where and where.this)
    return _known(_merged([_told(one, tables) for one in conditions if one]))


Told = tuple[set[str], list[set[str]]]
"""The tables of which a condition says the clinic, and those of which it says that they are of one clinic."""


def _merged(told: list[Told]) -> Told:
    return {alias for named, _ in told for alias in named}, [pair for _, alike in told for pair in alike]


def _known(told: Told) -> set[str]:
    named, alike = told
    while more := {alias for pair in alike if pair & named for alias in pair} - named:
        named = named | more
    return named


def _told(condition: exp.Expr, tables: dict[str, str]) -> Told:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        return _merged([_told(condition.left, tables), _told(condition.right, tables)])
    if isinstance(condition, exp.Or):
        return _known(_told(condition.left, tables)) & _known(_told(condition.right, tables)), []
    if not isinstance(condition, exp.EQ | exp.In):
        return set(), []
    sides = [condition.this] if isinstance(condition, exp.In) else [condition.left, condition.right]
    columns = [_of_table(side.unnest(), tables) for side in sides]
    keys = {alias for alias, name in columns if alias in tables and name == CLINIC_KEY[tables[alias]]}
    if len(keys) == 2:
        return set(), [keys]
    return (set() if any(alias in tables for alias, _ in columns if alias not in keys) else keys), []


def _of_table(side: exp.Expr, tables: dict[str, str]) -> tuple[str, str]:
    """The alias and the name of a column; a value has none."""
    if not isinstance(side, exp.Column):
        return "", ""
    return side.table or (next(iter(tables)) if len(tables) == 1 else ""), side.name
