"""The shape of every report: tables with typed columns, and the words that say how each number came about.

One shape for all of them, so that JSON, CSV, XLSX and a page show the same numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

Value = str | int | float | bool | date | datetime | None


class ColumnKind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    COUNT = "count"
    """A whole number of people, programs, days, flags…"""
    NUMBER = "number"
    RATE = "rate"
    """0-1."""
    DATE = "date"
    INSTANT = "instant"
    FLAG = "flag"
    """True or false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    name: str
    """`snake_case`, unique within its table."""
    title: str
    """As people read it."""
    kind: ColumnKind
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of values by column name. A value that is not there is None: unknown, not applicable or withheld."""

    name: str
    """`snake_case`, unique within its report."""
    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Value]]
    note: str | None = None
    """What a reader must know beside it: that an association is no effect, for instance."""


WITHHELD = Column(name="withheld", title="Withheld (too few)", kind=ColumnKind.TEXT)
"""The last column of every table of counts: the names of the row's columns that are None because the group, or its
complement, is smaller than the clinic publishes; separated by spaces, None where nothing is withheld."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """How a number came about."""

    id: str
    """Stable, for example `frequency`."""
    version: int
    says: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report as it is known at a moment."""

    kind: str
    title: str
    from_on: date | None
    to_on: date | None
    """Local dates, both included; None: not about a period."""
    data_through: datetime
    """Up to when what had arrived is in it."""
    late_items: int | None
    """Sessions of the period's whole weeks that took more than 48 hours to arrive; None: too few to say."""
    smallest_cell: int
    """Counts of fewer people are withheld; 0: nothing is."""
    definitions: Sequence[Definition]
    tables: Sequence[Table]
    caution: str | None = None
