"""Caseload, retention and outcomes of a clinic, on paper: four patients, every number beside them.

| patient | protocol | from | did | stands on 1 May |
|---|---|---|---|---|
| Ann | own, 2 exercises | 3 Mar | every weekday to 30 Apr; pain 6 in the first week, 3 from then on | on track |
| Bo | own, 1 exercise | 3 Mar | weekdays of two weeks, then nothing | stopped, after 11 days |
| Cy | own, 1 exercise | 3 Mar | Mon, Wed, Fri of five weeks; pain 4; stopped by his own word on 7 Apr | withdrawn |
| Di | own, 1 exercise | 28 Apr | nothing yet | not started |
"""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.adherence.schedule import UNIT
from models.operations import programs
from models.operations.callers import Caller
from models.operations.findings import ConditionDraft, record_condition
from models.operations.measures import MeasurementDraft, record_measurement
from models.operations.reporting.basis import DEFAULT_SMALLEST, SMALLEST_CELL, Period, period_of
from models.operations.reporting.caseload import caseload_report
from models.operations.reporting.months import differences, month_of
from models.operations.reporting.outcomes import outcomes_report
from models.operations.reporting.retention import retention_report
from models.operations.reporting.standings import standings_report
from models.refusals import Invalid, Unknown
from models.reports.tables import Report, Table
from models.tables import Clinic, ConditionStatus, Patient, Program, ProgramWeek
from tests.architecture.statements import at_most
from tests.builders import (
    DAY,
    MONDAY,
    a_clinic,
    a_dosage,
    a_draft,
    a_patient,
    a_program,
    at,
    log_days,
    weeks,
)

NOW = at("05-01")


@pytest.fixture
def ines(tx: Session) -> Caller:
    """Nothing is withheld, unless the test says so."""
    caller = a_clinic(tx)
    withhold(tx, caller, 0)
    return caller


def withhold(tx: Session, ines: Caller, least: int) -> None:
    tx.execute(update(Clinic).where(Clinic.id == ines.clinic_id).values(settings={SMALLEST_CELL: least}))
    tx.expire_all()


@pytest.fixture
def four(tx: Session, ines: Caller) -> None:
    ann = a_patient(tx, ines, given_name="Ann")
    record_condition(tx, ines, ann.id, ConditionDraft(code="chronic-lbp", status=ConditionStatus.CONFIRMED), now=NOW)
    hers = a_program(tx, ines, ann, a_draft(a_dosage(), a_dosage()))
    log_days(tx, ines, hers.program.id, weeks(1), pain_during=6)
    days = [MONDAY + number * DAY for number in range(7, 59)]
    log_days(tx, ines, hers.program.id, [day for day in days if day.weekday() < 5], pain_during=3)
    for on, score in ((MONDAY, 4.0), (date(2025, 4, 28), 7.0)):
        record_measurement(tx, ines, ann.id, MeasurementDraft(code="psfs", score=score, taken_on=on), now=NOW)
    bo = a_program(tx, ines, a_patient(tx, ines, given_name="Bo"))
    log_days(tx, ines, bo.program.id, weeks(2))
    cy = a_program(tx, ines, a_patient(tx, ines, given_name="Cy"))
    log_days(tx, ines, cy.program.id, weeks(5, (0, 2, 4)), pain_during=4)
    programs.stop(tx, ines, cy.program.id, reason="no_time", now=at("04-07"))
    a_program(tx, ines, a_patient(tx, ines, given_name="Di"), a_draft(starts_on=date(2025, 4, 28)), now=at("04-28", 8))
    tx.flush()


def a_period(tx: Session, ines: Caller, first: date = MONDAY, last: date = date(2025, 4, 30)) -> Period:
    return period_of(tx, ines, first, last, now=NOW)


def table(report: Report, name: str) -> Table:
    return next(one for one in report.tables if one.name == name)


def counts(report: Report, name: str) -> dict[Any, Any]:
    found = table(report, name)
    key = found.columns[0].name
    return {row[key]: row["count"] for row in found.rows if row["count"] != 0}


@pytest.mark.usefixtures("four")
def test_the_caseload(tx: Session, ines: Caller) -> None:
    """Of the four programs Cy's is over. Weeks are whole: the last is that of 21 April, and Bo's second is his last.

    | week | programs | expected | done |
    |---|---|---|---|
    | 3 Mar | Ann, Bo, Cy | 15 | 5 + 5 + 3 |
    | 10 Mar | Ann, Bo, Cy | 15 | 5 + 5 + 3 |
    | 17, 24, 31 Mar | Ann, Cy | 10 | 5 + 3 |
    | 7, 14, 21 Apr | Ann | 5 | 5 |
    """
    period = a_period(tx, ines)
    with at_most(2):
        report = caseload_report(tx, ines, period, now=NOW)
    assert counts(report, "by_standing") == {"on_track": 1, "stopped": 1, "not_started": 1, "total": 3}
    assert counts(report, "by_therapist") == {"A therapist": 3, "total": 3}
    assert counts(report, "by_protocol") == {"own program": 3, "total": 3}
    assert counts(report, "by_condition") == {"chronic-lbp": 1}
    told = [(row["monday"], row["programs"], row["expected"], row["done"]) for row in table(report, "by_week").rows]
    assert told == [
        (MONDAY, 3, 15, 13),
        (date(2025, 3, 10), 3, 15, 13),
        *((MONDAY + timedelta(weeks=week), 2, 10, 8) for week in (2, 3, 4)),
        *((MONDAY + timedelta(weeks=week), 1, 5, 5) for week in (5, 6, 7)),
    ]
    # Two exercises of Ann's, one of each of the others.
    first = table(report, "by_week").rows[0]
    assert (first["items_expected"], first["items_done"], first["completeness"]) == (20, 18, 0.9)
    assert (first["dose_done"], first["dose_items"], first["dose"], first["excluded_days"]) == (18, 18, 1.0, 0)
    # 3 March: five at 6 and three at 4, of eight that told it.
    assert (table(report, "by_week").rows[0]["frequency"], table(report, "by_week").rows[0]["mean_pain"]) == (
        0.8667,
        5.25,
    )


@pytest.mark.usefixtures("four")
def test_retention(tx: Session, ines: Caller) -> None:
    """Lives of those who began: Ann 59 days and going, Bo 11 and stopped, Cy 32 and stopped (last session 4 April).

    Day 11: 2 of 3 left, .6667; day 32: 1 of 2 of those, .3333. At 28 days Ann and Cy were at risk, at 84 nobody.
    """
    period = a_period(tx, ines)
    with at_most(2):
        report = retention_report(tx, ines, period, now=NOW)
    (row,) = table(report, "all").rows
    assert (row["started"], row["going_4_weeks"], row["at_risk_4_weeks"]) == (3, 0.67, 2)
    assert (row["going_12_weeks"], row["at_risk_12_weeks"], row["withheld"]) == (None, 0, None)
    bands = {one["group"]: one["started"] for one in table(report, "by_exercises").rows}
    assert bands == {"1-3 exercises": 3}
    assert table(report, "all").note == "1 programs of the period have no session yet and are not among those started."


@pytest.mark.usefixtures("four")
def test_outcomes(tx: Session, ines: Caller) -> None:
    """Of four weeks or more: Ann with all days done, pain 6 to 3 and function 4 to 7; Cy with 3 of 5, pain 4 to 4."""
    report = outcomes_report(tx, ines, a_period(tx, ines), now=NOW)
    assert [tuple(row.values()) for row in table(report, "pain").rows] == [
        ("80 % and more", 1, -3.0, 1.0, None),
        ("60 to 79 %", 1, 0.0, 0.0, None),
        ("under 60 %", 0, None, None, None),
    ]
    assert tuple(table(report, "function").rows[0].values()) == ("80 % and more", 1, 3.0, 1.0, None)
    assert report.caution is not None
    assert "association" in report.caution


@pytest.mark.usefixtures("four")
def test_standings_over_time(tx: Session, ines: Caller) -> None:
    """Bo's silence, from 14 March, lapses and comes to stand at stopped in the week of 24 March; Cy's word ends his
    program on 7 April; Di has only begun.
    """
    period = a_period(tx, ines)
    with at_most(4):
        report = standings_report(tx, ines, period, now=NOW)
    told = [tuple(row.values())[1:-1] for row in table(report, "standings_by_week").rows]
    assert told == [
        *[(3, 0, 0, 0, 0, 3)] * 3,
        *[(2, 0, 0, 1, 0, 3)] * 2,
        *[(1, 0, 0, 1, 0, 2)] * 3,
    ]


@pytest.mark.usefixtures("four")
def test_small_counts_are_withheld(tx: Session, ines: Caller) -> None:
    withhold(tx, ines, DEFAULT_SMALLEST)
    period = a_period(tx, ines)
    report = caseload_report(tx, ines, period, now=NOW)
    assert set(counts(report, "by_standing").values()) == {None}
    assert {row["programs"] for row in table(report, "by_week").rows} == {None}
    assert all(row["withheld"] for row in table(report, "by_week").rows)
    (row,) = table(retention_report(tx, ines, period, now=NOW), "all").rows
    assert row["started"] is None
    assert {row["programs"] for row in table(outcomes_report(tx, ines, period, now=NOW), "pain").rows} <= {None, 0}


@pytest.mark.usefixtures("four")
def test_whoever_is_erased_is_on_no_caseload(tx: Session, ines: Caller) -> None:
    tx.execute(update(Patient).where(Patient.clinic_id == ines.clinic_id).values(deleted_at=NOW))
    assert counts(caseload_report(tx, ines, a_period(tx, ines), now=NOW), "by_standing") == {}


@pytest.mark.usefixtures("four")
def test_another_clinic_is_not_counted(tx: Session) -> None:
    stranger = a_clinic(tx)
    withhold(tx, stranger, 0)
    period = a_period(tx, stranger)
    assert counts(caseload_report(tx, stranger, period, now=NOW), "by_standing") == {}
    assert table(retention_report(tx, stranger, period, now=NOW), "all").rows[0]["started"] == 0


def test_a_period_has_whole_weeks_and_an_end(tx: Session, ines: Caller) -> None:
    assert a_period(tx, ines, date(2025, 3, 4), date(2025, 3, 30)).mondays == (date(2025, 3, 10), date(2025, 3, 24))
    assert a_period(tx, ines, MONDAY, date(2025, 3, 29)).mondays == (MONDAY, date(2025, 3, 17))
    usual = period_of(tx, ines, None, None, now=NOW)
    assert (usual.from_on, usual.to_on) == (date(2025, 1, 31), date(2025, 4, 30))
    for first, last in ((date(2025, 4, 2), date(2025, 4, 1)), (date(2020, 1, 1), date(2025, 1, 1))):
        with pytest.raises(Invalid):
            a_period(tx, ines, first, last)


@pytest.mark.usefixtures("four")
def test_a_closed_month_is_kept_and_late_data_makes_the_next_version(tx: Session, ines: Caller) -> None:
    def content(report: Report) -> dict[str, Any]:
        return {
            "data_through": report.data_through.isoformat(),
            "smallest_cell": report.smallest_cell,
            "late_items": report.late_items,
            "tables": [
                {
                    "name": one.name,
                    "columns": [{"name": column.name} for column in one.columns],
                    "rows": [{name: str(value) for name, value in row.items()} for row in one.rows],
                }
                for one in report.tables
            ],
        }

    def told(now: Any) -> Any:
        return month_of(tx, ines, "caseload", date(2025, 3, 15), content, now=now)

    first = told(NOW)
    assert ([one.version for one in first.versions], first.month) == ([1], date(2025, 3, 1))
    assert [one.version for one in told(NOW + DAY).versions] == [1]  # nothing new, nothing written
    tx.flush()
    patient = tx.scalars(select(Patient).where(Patient.given_name == "Cy")).one()
    his = tx.scalars(select(Program).where(Program.patient_id == patient.id)).one()
    log_days(tx, ines, his.id, [date(2025, 3, 11)], late=60 * DAY)
    tx.flush()
    second = told(NOW + 10 * DAY)
    assert [one.version for one in second.versions] == [1, 2]
    assert second.versions[0].content == first.versions[0].content
    changed = {(one["row"], one["column"]): (one["was"], one["now"]) for one in second.versions[1].changes}
    assert changed["2025-03-10", "done"] == ("13.0", "14.0")
    assert changed.pop(("", "late_items")) == (0, 1)
    assert all(row == "2025-03-10" for row, _ in changed)
    # The clinic begins to withhold: that is all that is told of it.
    withhold(tx, ines, DEFAULT_SMALLEST)
    third = told(NOW + 11 * DAY)
    assert [(one["column"], one["was"], one["now"]) for one in third.versions[2].changes] == [("smallest_cell", 0, 5)]
    with pytest.raises(Invalid):
        month_of(tx, ines, "caseload", date(2025, 5, 1), content, now=NOW)
    with pytest.raises(Unknown):
        month_of(tx, ines, "retention", date(2025, 3, 1), content, now=NOW)


def test_what_changed_is_told_value_by_value() -> None:
    def of(*rows: dict[str, Any]) -> dict[str, Any]:
        return {"tables": [{"name": "t", "columns": [{"name": "week"}], "rows": list(rows)}]}

    before = of({"week": "1", "done": 4}, {"week": "2", "done": 5})
    after = of({"week": "1", "done": 6}, {"week": "2", "done": 5}, {"week": "3", "done": 1})
    assert differences(before, after) == [
        {"table": "t", "row": "1", "column": "done", "was": 4, "now": 6},
        {"table": "t", "row": "3", "column": "week", "was": None, "now": "3"},
        {"table": "t", "row": "3", "column": "done", "was": None, "now": 1},
    ]


@pytest.mark.usefixtures("four")
def test_the_sums_of_the_weeks_are_those_of_the_rollup(tx: Session, ines: Caller) -> None:
    rows = tx.scalars(select(ProgramWeek).where(ProgramWeek.monday < date(2025, 4, 28))).all()
    report = caseload_report(tx, ines, a_period(tx, ines), now=NOW)
    assert sum(float(str(row["done"])) for row in table(report, "by_week").rows) == sum(row.done for row in rows) / UNIT
