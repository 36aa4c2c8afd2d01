"""What exports hold: the clinic's own rows, each once, as they are; nothing that was taken back or never came to be."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from models.operations import exporting, exports
from models.refusals import Invalid, Unknown
from models.tables import ExportContent, ExportFormat, Flag, Item, Patient, ProgramWeek, SessionEntry, SessionLog
from tests.builders import DAY, MONDAY, NOON, a_clinic, a_patient, a_program
from tests.exports.busy import EVENING, Office, a_busy_clinic, asked_for

CONTENTS = [content.value for content in ExportContent]


def test_sessions_are_told_as_they_were_said(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        program = a_busy_clinic(tx, ines)[0]
    rows = [row for row in office.rows(ines) if row["program_id"] == str(program.id)]
    (second,) = [row for row in rows if row["local_date"] == "2025-03-04"]
    expected = {
        "patient_id": str(program.patient_id),
        "performed_at": "2025-03-04T12:17:00Z",
        "time_zone": "Europe/London",
        "source": "therapist",
        "done": "all",
        "exercised": True,
        "reason": None,
        "pain_during": 1,
        "chips": '["fall", "my chip"]',
        "note": "note of the knee",
        "ext": '{"say": "newer things"}',
        "low_trust": False,
    }
    assert {name: second[name] for name in expected} == expected
    assert [column.name for column in exporting.columns(ExportContent.SESSIONS, de_identified=False)] == list(second)


def test_every_content_holds_each_row_of_the_clinic_once(office: Office) -> None:
    with office.database.writing() as tx:
        ines, other = a_clinic(tx), a_clinic(tx)
        programs = a_busy_clinic(tx, ines)
        a_busy_clinic(tx, other)
    keys: dict[str, tuple[Any, tuple[str, ...]]] = {
        "sessions": ((SessionLog.patient_id, SessionLog.id), ("patient_id", "session_id")),
        "entries": ((SessionEntry.session_id, SessionEntry.line_id), ("session_id", "line_id")),
        "prescriptions": ((Item.program_id, Item.line_id), ("program_id", "line_id")),
        "patients": ((Patient.id,), ("patient_id",)),
        "weeks": ((ProgramWeek.program_id, ProgramWeek.monday), ("program_id", "monday")),
    }
    for content, (columns, names) in keys.items():
        with office.database.reading() as tx:
            there = tx.execute(select(*columns).where(columns[0].class_.clinic_id == ines.clinic_id)).all()
        assert there
        told = [tuple(row[name] for name in names) for row in office.rows(ines, content)]
        assert sorted(told) == sorted(tuple(map(str, row)) for row in there), content
    assert {row["program_id"] for row in office.rows(ines, "programs")} == {str(program.id) for program in programs}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("de_identified", [False, True])
def test_every_content_can_be_written_in_every_format(office: Office, content: str, *, de_identified: bool) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        a_busy_clinic(tx, ines)
    lines = office.have(ines, content, "ndjson", de_identified=de_identified).splitlines()
    table = office.have(ines, content, "csv", de_identified=de_identified).split(b"\r\n")
    assert len(lines) >= 2
    assert len(table) == 1 + len(lines) + 1
    assert office.have(ines, content, "xlsx", de_identified=de_identified).startswith(b"PK")


def test_flags_that_lie_ahead_or_were_never_needed_are_no_history(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        a_busy_clinic(tx, ines)
        quiet = a_program(tx, ines, a_patient(tx, ines)).program
        promised = tx.scalars(
            select(Flag.id).where(Flag.clinic_id == ines.clinic_id, Flag.opens_at > EVENING, Flag.closed_at.is_(None))
        ).all()
        of_quiet = select(Flag).where(Flag.clinic_id == ines.clinic_id, Flag.program_id == quiet.id)
        never = tx.scalars(of_quiet.order_by(Flag.id).limit(1)).one()
        never.opens_at, never.closed_at, never.closed_because = EVENING, NOON, "started"
    assert promised
    told = office.rows(ines, "flags")
    assert {row["kind"] for row in told} >= {"fall"}
    assert not {row["flag_id"] for row in told} & {str(never.id), *map(str, promised)}
    assert {row["severity"] for row in told if row["kind"] == "fall"} == {"urgent"}


def test_what_was_taken_back_and_whoever_was_deleted_is_left_out(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        first, second = a_busy_clinic(tx, ines)
        of_first = (SessionLog.clinic_id == ines.clinic_id, SessionLog.patient_id == first.patient_id)
        gone = tx.scalars(select(SessionLog).where(*of_first).limit(1)).one()
        gone.deleted_at = EVENING
        tx.execute(
            update(Patient)
            .where(Patient.clinic_id == ines.clinic_id, Patient.id == second.patient_id)
            .values(deleted_at=EVENING)
        )
    assert len(office.rows(ines)) == 4
    assert len(office.rows(ines, "entries")) == 8
    for content in CONTENTS:
        told = office.rows(ines, content)
        assert told, content
        assert {row["patient_id"] for row in told} == {str(first.patient_id)}, content


def test_a_period_is_of_local_days_both_included(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        a_busy_clinic(tx, ines)
    days: dict[str, Any] = {"from_on": MONDAY + DAY, "to_on": MONDAY + 2 * DAY}
    assert {row["local_date"] for row in office.rows(ines, **days)} == {"2025-03-04", "2025-03-05"}
    assert len(office.rows(ines, "entries", **days)) == 2 * 2 * 2
    assert office.rows(ines, "weeks", from_on=MONDAY + DAY, to_on=MONDAY + 6 * DAY) == []
    assert len(office.rows(ines, "weeks", from_on=MONDAY, to_on=MONDAY)) == 2


def test_a_flags_day_is_the_clinics(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx, zone="Pacific/Auckland")
        a_busy_clinic(tx, ines)
    falls = [row for row in office.rows(ines, "flags") if row["kind"] == "fall"]
    assert {row["opened_at"] for row in falls} == {"2025-03-04T12:17:00Z"}  # the fifth, in Auckland
    for day, found in ((date(2025, 3, 4), 0), (date(2025, 3, 5), 2), (date(2025, 3, 6), 0)):
        kinds = [row["kind"] for row in office.rows(ines, "flags", from_on=day, to_on=day)]
        assert kinds.count("fall") == found


def test_a_period_must_be_one_and_have_something_to_choose_by(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        for content in ("patients", "programs", "prescriptions"):
            with pytest.raises(Invalid, match="no day"):
                asked_for(tx, ines, content, from_on=MONDAY)
        with pytest.raises(Invalid, match="ends before"):
            asked_for(tx, ines, from_on=MONDAY, to_on=MONDAY - timedelta(days=1))


def test_a_clinic_that_is_none_has_no_rows(office: Office) -> None:
    draft = exports.ExportDraft(content=ExportContent.WEEKS, format=ExportFormat.NDJSON, options={})
    with office.database.writing() as tx, pytest.raises(Unknown):
        exports.asked_of(tx, a_patient(tx, a_clinic(tx)).id, draft, now=NOON)
