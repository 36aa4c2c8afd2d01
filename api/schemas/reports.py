"""Reports: tables with typed columns, and how each number came about."""

from datetime import date
from typing import Self

from pydantic import AwareDatetime, Field

from api.exports.cells import record
from api.schemas.words import Answer
from models.reports.tables import ColumnKind, Report, Table


class ColumnOut(Answer):
    """One column of a table."""

    name: str = Field(examples=["frequency"])
    title: str = Field(examples=["Frequency"])
    kind: ColumnKind = Field(description="`rate` is 0-1; `instant` is a moment, `date` a local day.")
    unit: str | None


class TableOut(Answer):
    """Rows of values by the columns' names."""

    name: str = Field(examples=["by_week"])
    title: str
    columns: list[ColumnOut]
    rows: list[dict[str, str | int | float | bool | date | AwareDatetime | None]] = Field(
        description="Null: unknown, not applicable or withheld; what is withheld is named in the column `withheld`.",
        examples=[[{"week": "2026-03-02", "frequency": 0.8}]],
    )
    note: str | None = Field(description="What a reader must know beside it.")

    @classmethod
    def of(cls, table: Table) -> Self:
        return cls(
            name=table.name,
            title=table.title,
            columns=[ColumnOut.model_validate(column) for column in table.columns],
            rows=[record(table.columns, row) for row in table.rows],
            note=table.note,
        )


class DefinitionOut(Answer):
    """How a number came about."""

    id: str = Field(examples=["frequency"])
    version: int
    says: str
    source: str


class ReportOut(Answer):
    """A report as it is known at a moment."""

    kind: str = Field(examples=["retention"])
    title: str
    from_on: date | None = Field(description="Local, included; null: not about a period.")
    to_on: date | None = Field(description="Local, included; null: not about a period.")
    data_through: AwareDatetime = Field(description="What had arrived by then is in it.")
    late_items: int = Field(description="Sessions of the period that arrived after it had ended.")
    smallest_cell: int = Field(description="Counts of fewer people are withheld; 0: nothing is.")
    definitions: list[DefinitionOut]
    tables: list[TableOut]
    caution: str | None

    @classmethod
    def of(cls, report: Report) -> Self:
        return cls(
            kind=report.kind,
            title=report.title,
            from_on=report.from_on,
            to_on=report.to_on,
            data_through=report.data_through,
            late_items=report.late_items,
            smallest_cell=report.smallest_cell,
            definitions=[DefinitionOut.model_validate(one) for one in report.definitions],
            tables=[TableOut.of(table) for table in report.tables],
            caution=report.caution,
        )
