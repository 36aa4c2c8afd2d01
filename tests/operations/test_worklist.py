"""The worklist: right at any moment, gravest first, one clinic's."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, event
from sqlalchemy.orm import Session

from models.adherence.kinds import FlagKind, Severity
from models.operations.callers import Caller
from models.operations.sessions import record_sessions
from models.operations.worklist import Place, Row, Wanted, counts, worklist
from models.tables import Flag, Patient, Role
from tests.bench.clinics import many_flags
from tests.builders import DAY, NOON, a_clinic, a_member, a_patient, a_program, a_report, log_days

LATER = NOON + 10 * DAY


def the_list(tx: Session, caller: Caller, *, after: Place | None = None, limit: int = 100, **but: Any) -> list[Row]:
    return worklist(tx, caller, wanted=Wanted(**but), after=after, limit=limit, now=LATER)


def test_gravest_first_then_oldest(tx: Session) -> None:
    ines = a_clinic(tx)
    for number, chips in enumerate([[], ["fall"], ["RF-01"], ["fall"]]):
        patient = a_patient(tx, ines, family_name=f"Patient {number}")
        course = a_program(tx, ines, patient)
        if chips:
            now = NOON + timedelta(hours=number)
            record_sessions(tx, ines, [a_report(course.program.id, chips=chips)], now=now)
    found = [(row.severity.word, row.family_name) for row in the_list(tx, ines) if row.kind != "silence"]
    assert found == [
        ("emergency", "Patient 2"),
        ("urgent", "Patient 1"),
        ("urgent", "Patient 3"),
        ("medium", "Patient 0"),
    ]


def test_pages_join_without_gap_or_repeat(tx: Session) -> None:
    ines = a_clinic(tx)
    for chips in (["fall"], ["RF-01"], [], ["fall"], [], ["RF-02"]):
        course = a_program(tx, ines, a_patient(tx, ines))
        record_sessions(tx, ines, [a_report(course.program.id, chips=chips)] if chips else [], now=NOON)
    whole = the_list(tx, ines)
    paged: list[Row] = []
    while True:
        last = paged[-1] if paged else None
        place = (int(last.severity), last.opened_at, last.flag_id) if last else None
        page = the_list(tx, ines, after=place, limit=2)
        paged += page
        if len(page) < 2:
            break
    assert paged == whole
    assert len(whole) >= 6


def test_filters(tx: Session) -> None:
    ines = a_clinic(tx)
    tomas = a_member(tx, ines.clinic_id, Role.THERAPIST)
    a_program(tx, ines, a_patient(tx, ines))
    a_program(tx, tomas, a_patient(tx, tomas, family_name="Brown"))
    assert [row.family_name for row in the_list(tx, ines, therapist_id=tomas.account_id)] == ["Brown"]
    assert len(the_list(tx, ines, kinds=[FlagKind.NOT_STARTED])) == 2
    assert the_list(tx, ines, kinds=[FlagKind.SILENCE]) == []


def test_another_clinic_sees_nothing(tx: Session) -> None:
    ines, stranger = a_clinic(tx), a_clinic(tx)
    a_program(tx, ines, a_patient(tx, ines))
    assert len(the_list(tx, ines)) == 1
    assert the_list(tx, stranger) == []


# What it costs.


def test_among_a_hundred_thousand_the_list_is_the_same_statements_and_a_range_of_the_index(tx: Session) -> None:
    """Twenty due among a hundred thousand promised: the others are not read, by the page or the counts. And a log
    finds its own program, patient, sessions and flags by their keys.
    """
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    lists, logs = [], []
    for programs in (40, 100_000):
        many_flags(tx, ines.clinic_id, ines.account_id, programs=programs, due=20, closed_each=0, now=LATER)
        with sent_by(tx) as sent:
            for wanted in (Wanted(), Wanted(therapist_id=ines.account_id, level=Severity.MEDIUM, unacknowledged=True)):
                found = worklist(tx, ines, wanted=wanted, limit=51, now=LATER)
                assert len(found) == sum(counts(tx, ines, wanted, now=LATER).levels.values()) >= 20
        lists.append(sent)
        with sent_by(tx) as sent:
            log_days(tx, ines, course.program.id, [LATER.date()])
        logs.append(sent)
        if programs == 40:
            tx.execute(delete(Flag).where(Flag.about_id != course.program.id))
            tx.execute(delete(Patient).where(Patient.id != course.program.patient_id))
    small, large = ([statement for statement, _ in sent] for sent in lists)
    assert small == large
    for statement, parameters in lists[1] + logs[1]:
        if not statement.startswith(("SELECT", "WITH")):
            continue
        plan = explained(tx, statement, parameters)
        assert "FROM flag" not in statement or "ix_flag_" in plan or "uq_flag_" in plan, plan
        assert not re.search(r"(SCAN|Seq Scan on) (flag|patient)\b", plan), plan


@contextmanager
def sent_by(tx: Session) -> Iterator[list[tuple[str, Any]]]:
    """The statements of a transaction, with their parameters."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    connection = tx.connection()
    event.listen(connection, "before_cursor_execute", note)
    yield sent
    event.remove(connection, "before_cursor_execute", note)


def explained(tx: Session, statement: str, parameters: Any) -> str:
    """How the database would answer a statement."""
    words = "EXPLAIN QUERY PLAN" if tx.get_bind().dialect.name == "sqlite" else "EXPLAIN"
    rows = tx.connection().exec_driver_sql(f"{words} {statement}", parameters)
    return "\n".join(str(row[-1]) for row in rows)
