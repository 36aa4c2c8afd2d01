"""What all clinic reports stand on: the period, what is withheld, and what must be said beside the numbers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Float, cast, extract, func, select
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.refusals import Invalid
from models.reports.tables import WITHHELD, Column, ColumnKind, Definition, Report, Table, Value
from models.reports.withheld import Cell, Shown
from models.tables import Clinic, ProgramWeek

SMALLEST_CELL = "smallest_cell"
"""Among a clinic's settings: counts of fewer people are withheld; 0: nothing is."""
DEFAULT_SMALLEST, FEWEST, MOST = 5, 3, 50
"""A minimum of 2 would tell that what is withheld is one person."""
LONGEST = timedelta(days=3 * 366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole local days of the clinic, both included, and the instants that bound them."""

    from_on: date
    to_on: date
    starts_at: datetime
    ends_at: datetime
    """The first instant after it."""
    today: date
    """The clinic's date now."""
    zone: ZoneInfo
    least: int
    """Counts of fewer people are withheld."""

    @property
    def mondays(self) -> tuple[date, date]:
        """The first and last Monday of the whole weeks within it; the first after the last where there is none."""
        first = self.from_on + timedelta(days=-self.from_on.weekday() % 7)
        return first, self.to_on - timedelta(days=self.to_on.weekday() + (7 if self.to_on.weekday() < 6 else 0))


def period_of(
    tx: Session,
    caller: Caller,
    from_on: date | None,
    to_on: date | None,
    *,
    usual: timedelta = timedelta(days=90),
    now: datetime,
) -> Period:
    """The days asked for, the `usual` many up to yesterday if none are. Never later ones: an unfinished day is not
    reported, and what is to come is no fact.
    """
    clinic = tx.scalars(select(Clinic).where(Clinic.id == caller.clinic_id)).one()
    zone = ZoneInfo(clinic.time_zone)
    today = now.astimezone(zone).date()
    yesterday = today - timedelta(days=1)
    last = min(to_on or yesterday, yesterday)
    first = from_on or last - usual + timedelta(days=1)
    if first > last:
        raise Invalid("The period ends before it begins.", field="/from")
    if last - first > LONGEST:
        raise Invalid(f"A report covers at most {LONGEST.days} days.", field="/from")
    return Period(
        from_on=first,
        to_on=last,
        starts_at=begins(first, zone),
        ends_at=begins(last + timedelta(days=1), zone),
        today=today,
        zone=zone,
        least=int(clinic.settings.get(SMALLEST_CELL, DEFAULT_SMALLEST)),
    )


def report(
    tx: Session,
    caller: Caller,
    period: Period,
    *,
    kind: str,
    title: str,
    definitions: Sequence[Definition],
    tables: Sequence[Table],
    caution: str | None = None,
    late: tuple[int, int] | None = None,
    now: datetime,
) -> Report:
    """A report of a period; one statement for how much of it came `late` (sessions, of so many programs), unless that
    is known.
    """
    if late is None:
        first, last = period.mondays
        came = select(
            func.coalesce(func.sum(ProgramWeek.late), 0), func.count(ProgramWeek.program_id.distinct())
        ).where(
            ProgramWeek.clinic_id == caller.clinic_id,
            ProgramWeek.monday >= first,
            ProgramWeek.monday <= last,
            ProgramWeek.late > 0,
        )
        sessions, programs = tx.execute(came).one()
        late = int(sessions), programs
    return Report(
        kind=kind,
        title=title,
        from_on=period.from_on,
        to_on=period.to_on,
        data_through=now,
        # Of people, not of sessions, there must be enough.
        late_items=None if 0 < late[1] < period.least else late[0],
        smallest_cell=period.least,
        definitions=definitions,
        tables=tables,
        caution=caution,
    )


def text(name: str, title: str) -> Column:
    """A column of words."""
    return Column(name=name, title=title, kind=ColumnKind.TEXT)


def count(name: str, title: str, unit: str | None = None) -> Column:
    """A column of whole numbers."""
    return Column(name=name, title=title, kind=ColumnKind.COUNT, unit=unit)


def number(name: str, title: str, unit: str | None = None) -> Column:
    """A column of numbers."""
    return Column(name=name, title=title, kind=ColumnKind.NUMBER, unit=unit)


def share(name: str, title: str) -> Column:
    """A column of shares, 0-1."""
    return Column(name=name, title=title, kind=ColumnKind.RATE)


def split(counts: Mapping[str, int]) -> dict[str, Cell]:
    """Counts as the parts of a total."""
    return {part: Cell(value) for part, value in counts.items()}


def partition(
    name: str,
    title: str,
    of: Column,
    parts: Mapping[str, Shown],
    total: int | None,
    *,
    what: str,
    note: str | None = None,
) -> Table:
    """How a total splits by `of`, as far as it is shown: one row a part, in the order given, and the total last. `what`
    names the counts. All tables of one total are of one tree, so that none gives away what another withholds.
    """
    rows: list[dict[str, Value]] = [{of.name: part, "count": cell.count} for part, cell in parts.items()]
    rows.append({of.name: "total", "count": total})
    return Table(
        name=name,
        title=title,
        columns=(of, count("count", what), WITHHELD),
        rows=[row | {"withheld": "count" if row["count"] is None else None} for row in rows],
        note=note,
    )


def too_few(cells: Mapping[str, Shown]) -> set[str]:
    """The names of the cells that are withheld."""
    return {name for name, cell in cells.items() if cell.count is None}


def marked(row: Mapping[str, Value], withheld: Collection[str]) -> dict[str, Value]:
    """A row as it is published: without the values of the columns that are withheld, which it names."""
    names = [name for name in row if name in withheld]
    shown = {name: None if name in withheld else value for name, value in row.items()}
    return shown | {"withheld": " ".join(names) or None}


def seconds_between(earlier: Any, later: Any) -> ColumnElement[float]:
    """Seconds from one column to another, both instants or both dates, on either database."""
    return cast(extract("epoch", later) - extract("epoch", earlier), Float)


def begins(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day."""
    return datetime.combine(day, time(), zone)
