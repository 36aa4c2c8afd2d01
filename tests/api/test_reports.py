"""Reports over HTTP: one shape as JSON, CSV and a workbook; months in versions; what the clinic withholds."""

import csv
import io
from datetime import timedelta
from typing import Any

import httpx
import openpyxl
import pytest

from models.database import Database
from models.operations.reporting.catalogue import REPORTS
from tests.api.conftest import Clinic, assert_problem
from tests.builders import MONDAY, NOON, a_patient, a_program, a_token, bearer, log_days, log_queue, weeks
from tests.conftest import Clock

SETTINGS = "/v1/report-settings"


@pytest.fixture
def busy(client: httpx.Client, database: Database, clinic: Clinic, clock: Clock) -> Clinic:
    """Six patients who did four weeks each, nine weeks later."""
    with database.writing() as tx:
        for _ in range(6):
            course = a_program(tx, clinic.ines, a_patient(tx, clinic.ines))
            log_queue(tx, clinic.ines, course.program.id, weeks(4), now=NOON + timedelta(weeks=4), pain_during=3)
        clock.now = NOON + timedelta(weeks=9)
        clinic.therapist.update(bearer(a_token(tx, clinic.ines, now=clock.now)))
        clinic.admin.update(bearer(a_token(tx, clinic.ines, now=clock.now)))
    del client
    return clinic


def report(client: httpx.Client, clinic: Clinic, kind: str, **asked: str) -> httpx.Response:
    return client.get(f"/v1/reports/{kind}", params=asked, headers=clinic.therapist)


def test_every_report_is_the_same_in_every_format(client: httpx.Client, busy: Clinic) -> None:
    for name in REPORTS:
        asked = {"from": "2025-03-03", "to": "2025-04-27"}
        said: Any = report(client, busy, name, **asked).json()
        assert (said["kind"], said["from_on"], said["to_on"], said["smallest_cell"]) == (name, *asked.values(), 5)
        assert said["definitions"]
        assert all(one["id"] and one["version"] and one["says"] for one in said["definitions"])
        book = openpyxl.load_workbook(io.BytesIO(report(client, busy, name, format="xlsx", **asked).content))
        assert len(book.sheetnames) == len(said["tables"]) + 1  # and About
        for table, sheet in zip(said["tables"], book.worksheets, strict=False):
            columns = [column["name"] for column in table["columns"]]
            lines = report(client, busy, name, format="csv", table=table["name"], **asked).text
            read = list(csv.DictReader(io.StringIO(lines, newline="")))
            assert [[row[column] for column in columns] for row in read] == [
                ["" if row[column] is None else as_text(row[column]) for column in columns] for row in table["rows"]
            ]
            assert sheet.max_row - 1 == len(table["rows"])
            assert sheet.freeze_panes == "A2"


def as_text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def test_what_cannot_be_asked_is_said(client: httpx.Client, busy: Clinic) -> None:
    assert_problem(report(client, busy, "nothing"), 404)
    assert_problem(report(client, busy, "caseload", format="csv", table="nothing"), 404)
    assert_problem(report(client, busy, "caseload", format="pdf"), 422)
    assert_problem(report(client, busy, "caseload", **{"from": "2025-04-02", "to": "2025-04-01"}), 422)
    assert_problem(report(client, busy, "caseload", **{"from": "1950-01-01"}), 422)
    for month, status in (("2025-13", 422), ("2025-3", 422), ("2025-05", 422)):
        assert_problem(client.get(f"/v1/reports/caseload/months/{month}", headers=busy.therapist), status)
    assert_problem(client.get("/v1/reports/retention/months/2025-03", headers=busy.therapist), 404)


def test_a_month_is_told_alike_until_something_arrives_late(client: httpx.Client, busy: Clinic) -> None:
    path = "/v1/reports/caseload/months/2025-03"
    first, again = (client.get(path, headers=busy.therapist).json() for _ in range(2))
    assert [one["version"] for one in again["versions"]] == [1]
    assert first["report"] == again["report"]
    assert [table["name"] for table in first["report"]["tables"]] == ["by_week"]


def test_what_is_withheld_is_the_clinics_to_say(client: httpx.Client, busy: Clinic) -> None:
    answer = client.get(SETTINGS, headers=busy.therapist)
    assert (answer.json(), answer.headers["ETag"]) == ({"smallest_cell": 5}, '"v1"')


def test_an_admin_decides_within_bounds(client: httpx.Client, clinic: Clinic) -> None:
    def decide(least: Any, version: int) -> httpx.Response:
        return client.put(SETTINGS, json={"smallest_cell": least}, headers=clinic.admin | {"If-Match": f'"v{version}"'})

    for least in (2, -1, 51, "5", None):
        assert_problem(decide(least, 1), 422, "invalid")
    assert decide(3, 1).headers["ETag"] == '"v2"'
    assert_problem(decide(4, 1), 412, "version_mismatch")
    assert decide(0, 2).json() == {"smallest_cell": 0}


def test_a_programs_report_of_a_part(client: httpx.Client, database: Database, clinic: Clinic, clock: Clock) -> None:
    with database.writing() as tx:
        log_days(tx, clinic.ines, clinic.program_id, weeks(2))
        clock.now = NOON + timedelta(weeks=3)
        headers = bearer(a_token(tx, clinic.ines, now=clock.now))
    path = f"/v1/programs/{clinic.program_id}/adherence"
    whole = client.get(path, headers=headers).json()
    assert (whole["from_on"], len(whole["weeks"]), len(whole["moments"])) == (MONDAY.isoformat(), 4, 10)
    assert {one["id"] for one in whole["definitions"]} >= {"initiation", "implementation", "persistence"}
    part = client.get(path, params={"from": "2025-03-10", "to": "2025-03-16"}, headers=headers).json()
    assert (part["implementation"]["frequency"]["denominator"], len(part["weeks"])) == (5.0, 1)
    assert_problem(client.get(path, params={"from": "2030-01-01"}, headers=headers), 422)
    assert_problem(client.get(path, params={"from": "soon"}, headers=headers), 422)
