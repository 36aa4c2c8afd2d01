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
    parsed = sqlglot.parse_one(plain.replace("?", "1"), dialect="sqlite")
    if isinstance(parsed, exp.Insert) and parsed.expression.find(exp.Select) is None:
        return ()  # VALUES carry the clinic in the key
    found: list[str] = []
    for block in parsed.find_all(exp.Select, exp.Update, exp.Delete):
        tied = _tied(block)
        found += [
            table.name
            for table in _tables(block)
            if table.name in CLINIC_KEY and (table.alias_or_name, CLINIC_KEY[table.name]) not in tied
        ]
    return tuple(found)


def _tables(block: exp.Expression) -> Iterator[exp.Table]:
    return (
        table for table in block.find_all(exp.Table) if table.find_ancestor(exp.Select, exp.Update, exp.Delete) is block
    )


def _tied(block: exp.Expression) -> set[tuple[str, str]]:
    """(table, column) pairs that the block compares with something, by = or IN."""
    return {
        (column.table or _only_table(block), column.name)
        for comparison in block.find_all(exp.EQ, exp.In)
        for column in comparison.find_all(exp.Column)
        if comparison.find_ancestor(exp.Select, exp.Update, exp.Delete) is block
    }


def _only_table(block: exp.Expression) -> str:
    tables = list(_tables(block))
    return tables[0].alias_or_name if len(tables) == 1 else ""
