"""Reports: tables with typed columns, and how each number came about."""

from datetime import date
from typing import Any, Self

from pydantic import AwareDatetime, Field

from api.exports.cells import record
from api.schemas.words import Answer, Said
from models.operations.reporting.basis import MOST
from models.operations.reporting.catalogue import REPORTS
from models.operations.reporting.months import Month
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
    late_items: int | None = Field(
        description="Sessions of its whole weeks that took more than 48 hours; null: too few to say."
    )
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


class ReportKindOut(Answer):
    """A report there is."""

    kind: str = Field(examples=["caseload"])
    title: str
    says: str
    monthly: bool = Field(description="Whether a closed month of it is kept in versions.")


class ReportKindsOut(Answer):
    """The reports there are."""

    items: list[ReportKindOut]

    @classmethod
    def all(cls) -> Self:
        return cls(
            items=[
                ReportKindOut(kind=kind, title=one.title, says=one.says, monthly=one.monthly is not None)
                for kind, one in REPORTS.items()
            ]
        )


class ChangeOut(Answer):
    """One value that is not what the version before said."""

    table: str
    row: str = Field(description="The row's first value.")
    column: str
    was: Any
    now: Any


class ReportVersionOut(Answer):
    """A closed month as it was told."""

    version: int
    created_at: AwareDatetime
    changes: list[ChangeOut]


class MonthOut(Answer):
    """A closed month's report: the latest version, and what each changed."""

    kind: str
    month: date = Field(description="Its first day.")
    versions: list[ReportVersionOut]
    report: ReportOut

    @classmethod
    def of(cls, month: Month) -> Self:
        return cls(
            kind=month.kind,
            month=month.month,
            versions=[ReportVersionOut.model_validate(one) for one in month.versions],
            report=ReportOut.model_validate(month.versions[-1].content),
        )


class ReportSettingsIn(Said):
    """What the clinic withholds."""

    smallest_cell: int = Field(
        strict=True,
        ge=0,
        le=MOST,
        description="Counts of fewer people are withheld; 0: nothing is; else at least 3.",
        examples=[5],
    )


class ReportSettingsOut(Answer):
    """What the clinic withholds."""

    smallest_cell: int
