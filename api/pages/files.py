"""A report as files: the page, its charts as SVG, its tables as CSV and as one workbook."""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from api.exports.delimited import rows_as_csv
from api.exports.xlsx import report_as_xlsx
from api.pages.report import clinic_charts, clinic_page, patient_charts, patient_page
from models.operations.accounts import clinic_name
from models.operations.callers import Caller
from models.operations.patient_report import patient_report
from models.operations.patients import patient
from models.operations.reporting.basis import period_of
from models.operations.reporting.catalogue import REPORTS
from models.operations.reporting.retention import programs_begun


def program_files(
    tx: Session, caller: Caller, program_id: UUID, from_on: date | None, to_on: date | None, *, now: datetime
) -> dict[str, bytes]:
    """File name → content, of one program."""
    report = patient_report(tx, caller, program_id, from_on=from_on, to_on=to_on, as_of=None, now=now)
    known = patient(tx, caller, report.following.course.program.patient_id)
    page = patient_page(report, name=f"{known.given_name} {known.family_name}")
    charts = {f"{name}.svg": chart.svg.encode() for name, chart in patient_charts(report).items()}
    return {"report.html": page.encode()} | charts


def clinic_files(
    tx: Session, caller: Caller, from_on: date | None, to_on: date | None, *, now: datetime
) -> dict[str, bytes]:
    """File name → content, of a whole clinic: every report there is."""
    files: dict[str, bytes] = {}
    reports = []
    for kind, one in REPORTS.items():
        period = period_of(tx, caller, from_on, to_on, usual=one.usual, now=now)
        report = one.make(tx, caller, period, now=now)
        reports.append(report)
        files[f"{kind}.xlsx"] = b"".join(report_as_xlsx(report, created=now))
        for table in report.tables:
            files[f"{kind}-{table.name}.csv"] = b"".join(rows_as_csv(table.columns, table.rows, bom=True))
    long = period_of(tx, caller, from_on, to_on, usual=timedelta(days=731), now=now)
    begun, _ = programs_begun(tx, caller, long, now)
    charts = clinic_charts(reports, [one.life for one in begun], long.least)
    until = f"known up to {now:%Y-%m-%d %H:%M} UTC"
    span = f"{long.from_on} to {long.to_on} at most: each report says its own period; {until}."
    page = clinic_page(reports, list(charts.values()), clinic=clinic_name(tx, caller.clinic_id), span=span)
    return (
        {"report.html": page.encode()} | {f"{name}.svg": chart.svg.encode() for name, chart in charts.items()} | files
    )
