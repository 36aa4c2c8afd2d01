"""The pages themselves: every chart with its words and numbers, nothing from elsewhere, no name as markup."""

import re
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from api.pages.charts import DayState
from api.pages.files import clinic_files, program_files
from api.pages.report import patient_charts
from models.operations import programs
from models.operations.callers import Caller
from models.operations.patient_report import patient_report
from models.operations.reporting.basis import SMALLEST_CELL
from models.operations.reporting.catalogue import REPORTS
from models.operations.sessions import EntryReport, record_sessions
from models.tables import Clinic, DoneShare, PauseReason
from tests.builders import a_clinic, a_dosage, a_draft, a_patient, a_program, a_report, at, log_days, weeks

HOSTILE = "<script>alert('&')</script>"


@pytest.fixture
def ines(tx: Session) -> Caller:
    return a_clinic(tx)


class Outline(HTMLParser):
    """Which elements there are, that all are closed, and what is loaded."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.loaded: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.loaded += [
            str(value) for name, value in attrs if name in {"src", "href"} and not str(value).startswith("#")
        ]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  (as it is called)
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_patients_page(tx: Session, ines: Caller) -> None:
    """Two weeks, of which one day only in part and two paused."""
    course = a_program(
        tx, ines, a_patient(tx, ines, given_name=HOSTILE), a_draft(a_dosage(), a_dosage(), title="Back & neck")
    )
    log_days(tx, ines, course.program.id, weeks(1), pain_during=4, effort=5)
    said = a_report(
        course.program.id,
        date(2025, 3, 10),
        done=DoneShare.SOME,
        entries=[EntryReport(line_id=course.items[0].line_id)],
    )
    record_sessions(tx, ines, [said], now=said.performed_at)
    away = {"from_on": date(2025, 3, 12), "to_on": date(2025, 3, 13), "reason": PauseReason.ILLNESS}
    programs.pause(tx, ines, course.program.id, **away, now=at("03-11"))  # type: ignore[arg-type]
    tx.flush()
    files = program_files(tx, ines, course.program.id, None, None, now=at("03-16"))
    assert set(files) == {"report.html", "calendar.svg", "pain.svg", "dose.svg"}
    page = files["report.html"].decode()
    outline = Outline(page)
    assert (outline.open, outline.loaded, outline.seen.count("svg"), outline.seen.count("script")) == ([], [], 3, 0)
    assert "&lt;script&gt;" in page
    for name in ("calendar", "pain", "dose"):
        ET.fromstring(files[f"{name}.svg"].decode())  # noqa: S314  (our own)
    report = patient_report(tx, ines, course.program.id, from_on=None, to_on=None, as_of=None, now=at("03-16"))
    calendar = patient_charts(report)["calendar"]
    states = [row[-1] for row in calendar.rows]
    assert calendar.says == (
        "3 Mar 2025 to 16 Mar 2025: done on 5 days, partly on 1 and missed on 2. Paused: 2 days. Not due: 4 days."
    )
    assert len(states) == 14
    assert DayState.FLARE not in states


def test_a_page_of_nothing_yet(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines))
    tx.flush()
    page = program_files(tx, ines, course.program.id, None, None, now=at("03-03"))["report.html"].decode()
    assert "No session has been logged." in page
    assert Outline(page).open == []


@pytest.mark.parametrize("least", [0, 5])
def test_a_clinics_page_and_its_files(tx: Session, ines: Caller, least: int) -> None:
    tx.execute(update(Clinic).where(Clinic.id == ines.clinic_id).values(settings={SMALLEST_CELL: least}))
    for count in (4, 2, 1):
        course = a_program(tx, ines, a_patient(tx, ines))
        log_days(tx, ines, course.program.id, weeks(count))
    tx.flush()
    files = clinic_files(tx, ines, None, None, now=at("04-20"))
    assert {f"{kind}.xlsx" for kind in REPORTS} <= set(files)
    assert {"retention.svg", "standings.svg", "flags.svg", "caseload-by_week.csv"} <= set(files)
    page = files["report.html"].decode()
    outline = Outline(page)
    assert (outline.open, outline.loaded, outline.seen.count("svg")) == ([], [], 3)
    assert (">withheld<" in page) == (least > 0)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
