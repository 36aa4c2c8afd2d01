"""What a cell may hold, by the kind of its column, and how days and instants are written in every file."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any

from models.reports.tables import Column, ColumnKind, Value


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and isfinite(value))


# Exact types: true is not a count, an instant is not a day. Words of ours are text, though they are enumerations.
_HOLDS: dict[ColumnKind, Callable[[Any], bool]] = {
    ColumnKind.TEXT: lambda value: isinstance(value, str),
    ColumnKind.COUNT: lambda value: type(value) is int,
    ColumnKind.NUMBER: _is_number,
    ColumnKind.RATE: _is_number,
    ColumnKind.DATE: lambda value: type(value) is date,
    ColumnKind.INSTANT: lambda value: type(value) is datetime and value.tzinfo is not None,
    ColumnKind.FLAG: lambda value: type(value) is bool,
}


def record(columns: Sequence[Column], row: Mapping[str, Value]) -> dict[str, Value]:
    """The row in the columns' order, instants in UTC; what else it holds is left out.

    Raises KeyError where a column is missing (what is not known is None), and TypeError for a value that is not of its
    column's kind: text where a number should be could reach a spreadsheet unguarded; infinity and NaN are no numbers.
    The value itself is not told, for errors end in logs.
    """
    found = {}
    for column in columns:
        value = row[column.name]
        if value is not None and not _HOLDS[column.kind](value):
            raise TypeError(f"Column {column.name} holds {column.kind}, which this {type(value).__name__} is not.")
        found[column.name] = value.astimezone(UTC) if isinstance(value, datetime) else value
    return found


def iso(moment: date) -> str:
    """ISO 8601: a day as 2026-03-04, an instant, which is in UTC, as 2026-03-04T06:30:00Z."""
    return moment.isoformat().replace("+00:00", "Z")
