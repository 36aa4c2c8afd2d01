"""Reports of the whole clinic, as JSON, CSV or a workbook; closed months in versions."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from api.exports import delimited, xlsx
from api.schemas.reports import MonthOut, ReportKindsOut, ReportOut, ReportSettingsIn, ReportSettingsOut
from api.schemas.words import Code, Day, MonthName
from api.visit import ExpectedVersion, ToReadReports, ToRunClinic, show_version
from models.operations.reporting import settings
from models.operations.reporting.basis import period_of
from models.operations.reporting.catalogue import REPORTS
from models.operations.reporting.months import month_of
from models.refusals import Unknown
from models.reports.tables import Report

router = APIRouter(prefix="/v1", tags=["reports"])


@router.get("/reports", summary="The reports there are")
def list_reports(visit: ToReadReports) -> ReportKindsOut:
    with visit.reading():
        return ReportKindsOut.all()


@router.get(
    "/reports/{kind}",
    summary="A report of a period",
    response_model=ReportOut,
    responses={200: {"content": {delimited.MEDIA_TYPE: {}, xlsx.MEDIA_TYPE: {}}}},
)
def get_report(
    kind: Code,
    visit: ToReadReports,
    from_on: Annotated[Day | None, Query(alias="from", description="The first day; left out: as is usual.")] = None,
    to_on: Annotated[Day | None, Query(alias="to", description="The last day; left out: yesterday.")] = None,
    file_format: Annotated[Literal["json", "csv", "xlsx"], Query(alias="format")] = "json",
    table: Annotated[Code | None, Query(description="Of CSV: which table; left out: the first.")] = None,
    bom: Annotated[bool, Query(description="Of CSV: begin with a byte-order mark, for Excel.")] = False,  # noqa: FBT002  (a query)
    delimiter: Annotated[Literal[",", ";"], Query(description="Of CSV.")] = ",",
) -> Any:
    if kind not in REPORTS:
        raise Unknown(f"No report {kind}; there are {', '.join(REPORTS)}.")
    with visit.reading() as (tx, caller):
        period = period_of(tx, caller, from_on, to_on, usual=REPORTS[kind].usual, now=visit.now)
        report = REPORTS[kind].make(tx, caller, period, now=visit.now)
    name = f"{kind}-{report.from_on}-{report.to_on}"
    if file_format == "xlsx":
        pieces = xlsx.report_as_xlsx(report, created=visit.now)
        return StreamingResponse(pieces, media_type=xlsx.MEDIA_TYPE, headers=_named(f"{name}.xlsx"))
    if file_format == "csv":
        chosen = _table(report, table)
        pieces = delimited.rows_as_csv(chosen.columns, chosen.rows, bom=bom, delimiter=delimiter)
        return StreamingResponse(pieces, media_type=delimited.MEDIA_TYPE, headers=_named(f"{name}-{chosen.name}.csv"))
    return ReportOut.of(report)


@router.get("/reports/{kind}/months/{month}", summary="A closed month as it was told, in versions")
def get_report_month(kind: Code, month: MonthName, visit: ToReadReports) -> MonthOut:
    with visit.writing() as (tx, caller):
        first = date.fromisoformat(f"{month}-01")
        return MonthOut.of(month_of(tx, caller, kind, first, _content, now=visit.now))


@router.get("/report-settings", summary="What the clinic withholds")
def get_report_settings(visit: ToReadReports, response: Response) -> ReportSettingsOut:
    with visit.reading() as (tx, caller):
        decided = settings.report_settings(tx, caller)
    show_version(response, decided.version)
    return ReportSettingsOut(smallest_cell=decided.smallest_cell)


@router.put("/report-settings", summary="Withhold counts of fewer people")
def decide_report_settings(
    said: ReportSettingsIn, version: ExpectedVersion, visit: ToRunClinic, response: Response
) -> ReportSettingsOut:
    with visit.writing() as (tx, caller):
        decided = settings.decide(tx, caller, said.smallest_cell, version=version)
    show_version(response, decided.version)
    return ReportSettingsOut(smallest_cell=decided.smallest_cell)


def _content(report: Report) -> dict[str, Any]:
    return ReportOut.of(report).model_dump(mode="json")


def _table(report: Report, name: str | None) -> Any:
    for table in report.tables:
        if name is None or table.name == name:
            return table
    raise Unknown(f"No table {name}; there are {', '.join(table.name for table in report.tables)}.", field="/table")


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
