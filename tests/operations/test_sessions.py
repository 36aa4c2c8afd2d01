"""Logging: exactly once, checked against the program, and nothing lost."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.adherence.kinds import FlagKind, Severity
from models.operations import prescribing, programs
from models.operations.rejects import Refused, keep_refused
from models.operations.sessions import EntryReport, Outcome, record_sessions, sessions_of
from models.refusals import (
    AfterProgram,
    BeforeProgram,
    Conflict,
    FutureDated,
    ProgramNotActive,
    SessionRefused,
    UnknownLine,
    UnknownProgram,
    WrongDate,
)
from models.safety.red_flags import EMERGENCY, FALL_ADVICE, PAIN_ADVICE
from models.tables import DoneShare, Flag, RejectedSession, SessionEntry, SessionLog
from tests.builders import (
    DAY,
    MONDAY,
    NOON,
    a_clinic,
    a_dosage,
    a_draft,
    a_patient,
    a_program,
    a_report,
    as_patient,
    log_days,
)


def count(tx: Session, table: Any) -> int:
    return tx.scalar(select(func.count()).select_from(table)) or 0


def test_a_session_is_stored_as_it_was_said(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    course = a_program(tx, ines, ann, a_draft(a_dosage(), a_dosage()))
    phone = as_patient(tx, ines, ann)
    line = course.items[0].line_id
    said = a_report(
        course.program.id,
        done=DoneShare.SOME,
        pain_during=3,
        effort=5,
        chips=["not_sure"],
        note="stiff this morning",
        entries=[EntryReport(line_id=line, sets=2, pain=4, not_sure=True)],
        ext={"mood": "fine"},
    )
    result = record_sessions(tx, phone, [said], now=NOON)[0]
    assert (result.outcome, list(result.advice), result.safety_raised) == (Outcome.CREATED, [], False)
    (held,) = sessions_of(tx, phone, course.program.id, before=None, limit=10)
    log, entries = held.log, held.entries
    assert (log.id, log.local_date, log.pain_during, log.note) == (said.id, MONDAY, 3, "stiff this morning")
    assert (log.ext, log.chips, log.low_trust, log.received_at) == ({"mood": "fine"}, ["not_sure"], False, NOON)
    assert [(entry.line_id, entry.sets, entry.reps, entry.not_sure) for entry in entries] == [(line, 2, None, True)]


def test_all_writes_every_line_of_the_day_as_prescribed(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    monday_only, as_needed = a_dosage(weekdays=(0,)), a_dosage(weekdays=None, as_needed_max_per_day=2)
    course = a_program(tx, ines, ann, a_draft(a_dosage(), monday_only, as_needed))
    log_days(tx, ines, course.program.id, [MONDAY])
    (held,) = sessions_of(tx, ines, course.program.id, before=None, limit=10)
    expected = {item.line_id for item in course.items if item.as_needed_max_per_day is None}
    assert {entry.line_id for entry in held.entries} == expected


def test_saying_it_twice_logs_it_once(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    said = a_report(course.program.id, chips=["dizzy", "fall"])
    again = replace(said, chips=["fall", "dizzy"], performed_at=said.performed_at.astimezone())
    results = [record_sessions(tx, ines, [one], now=NOON)[0].outcome for one in (said, again, said)]
    assert results == [Outcome.CREATED, Outcome.UNCHANGED, Outcome.UNCHANGED]
    assert (count(tx, SessionLog), count(tx, SessionEntry)) == (1, 1)


def test_twice_in_one_batch_is_once(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    said = a_report(course.program.id)
    other = replace(said, pain_during=4)
    results = record_sessions(tx, ines, [said, said, other], now=NOON)
    assert [result.outcome for result in results] == [Outcome.CREATED, Outcome.UNCHANGED, Outcome.CONFLICT]
    assert isinstance(results[2].refusal, Conflict)
    assert count(tx, SessionLog) == 1


def test_a_reused_id_with_other_content_changes_nothing(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    said = a_report(course.program.id, pain_during=2)
    record_sessions(tx, ines, [said], now=NOON)
    result = record_sessions(tx, ines, [replace(said, pain_during=3)], now=NOON)[0]
    assert isinstance(result.refusal, Conflict)
    assert tx.scalars(select(SessionLog.pain_during)).all() == [2]


def test_an_id_someone_else_used_is_simply_new(tx: Session) -> None:
    ines = a_clinic(tx)
    first = a_program(tx, ines, a_patient(tx, ines))
    second = a_program(tx, ines, a_patient(tx, ines))
    said = a_report(first.program.id)
    for program in (first.program.id, second.program.id):
        result = record_sessions(tx, ines, [replace(said, program_id=program)], now=NOON)[0]
        assert result.outcome is Outcome.CREATED


@pytest.mark.parametrize(
    ("but", "refusal"),
    [
        ({"performed_at": NOON + timedelta(minutes=61)}, FutureDated),
        ({"local_date": MONDAY + 2 * DAY}, WrongDate),
        ({"performed_at": NOON - DAY, "local_date": MONDAY - DAY}, BeforeProgram),
        ({"entries": [EntryReport(line_id=uuid4())]}, UnknownLine),
        ({"program_id": uuid4()}, UnknownProgram),
    ],
)
def test_what_cannot_have_happened_is_refused_and_its_neighbours_stored(
    tx: Session, but: dict[str, Any], refusal: type[SessionRefused]
) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    bad = replace(a_report(course.program.id), **but)
    good = a_report(course.program.id)
    results = record_sessions(tx, ines, [bad, good], now=NOON)
    assert type(results[0].refusal) is refusal
    assert results[0].refusal.field
    assert results[1].outcome is Outcome.CREATED
    assert count(tx, SessionLog) == 1


def test_a_draft_takes_no_sessions(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    draft = prescribing.create_program(tx, ines, ann.id, a_draft(), now=NOON)
    assert isinstance(record_sessions(tx, ines, [a_report(draft.id)], now=NOON)[0].refusal, ProgramNotActive)
    phone = as_patient(tx, ines, ann)
    assert isinstance(record_sessions(tx, phone, [a_report(draft.id)], now=NOON)[0].refusal, UnknownProgram)


def test_a_session_done_in_time_is_taken_after_the_end(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    programs.stop(tx, ines, course.program.id, reason="no_time", now=NOON + DAY)
    late = record_sessions(tx, ines, [a_report(course.program.id)], now=NOON + 3 * DAY)[0]
    after = record_sessions(tx, ines, [a_report(course.program.id, MONDAY + 2 * DAY)], now=NOON + 3 * DAY)[0]
    assert late.outcome is Outcome.CREATED
    assert isinstance(after.refusal, AfterProgram)


def test_a_session_dated_long_ago_is_taken_and_marked(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    for age in (7, 8):
        record_sessions(tx, ines, [a_report(course.program.id)], now=NOON + age * DAY)
    assert sorted(tx.scalars(select(SessionLog.low_trust))) == [False, True]


def test_what_cannot_wait_is_told_at_once(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    course = a_program(tx, ines, ann)
    said = a_report(course.program.id, chips=["fall", "RF-01", "a_newer_chip"], pain_during=8)
    result = record_sessions(tx, ines, [said], now=NOON)[0]
    assert list(result.advice) == [EMERGENCY, FALL_ADVICE, PAIN_ADVICE]
    assert result.safety_raised
    flags = {flag.kind: flag for flag in tx.scalars(select(Flag).where(Flag.opens_at <= NOON))}
    assert flags[FlagKind.RED_FLAG].severity == Severity.EMERGENCY
    assert flags[FlagKind.RED_FLAG].about_id == ann.id
    assert flags[FlagKind.FALL].severity == Severity.URGENT
    assert flags[FlagKind.PAIN_HIGH].severity == Severity.URGENT


def test_a_second_red_flag_adds_to_the_first_and_raises_it(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    for chip in ("RF-08", "RF-10", "RF-08"):
        record_sessions(tx, ines, [a_report(course.program.id, chips=[chip])], now=NOON)
    flag = tx.scalars(select(Flag).where(Flag.kind == FlagKind.RED_FLAG)).one()
    assert flag.severity == Severity.EMERGENCY
    assert len(flag.evidence["answers"]) == 3


def test_a_refused_session_is_kept_once_and_its_safety_answers_heard(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    course = a_program(tx, ines, ann)
    phone = as_patient(tx, ines, ann)
    said = {"program_id": str(course.program.id), "chips": ["RF-01", 7], "reason": "symptoms_worse", "pain_during": 11}
    session_id = uuid4()
    for _ in range(2):
        refused = Refused(session_id=session_id, raw='{"…": 1}', said=said, code="invalid")
        (kept,) = keep_refused(tx, phone, [refused], now=NOON)
        assert kept.safety_raised
        assert kept.advice == [EMERGENCY, PAIN_ADVICE]
    row = tx.scalars(select(RejectedSession)).one()
    assert (row.patient_id, row.body, row.safety_raised) == (ann.id, '{"…": 1}', True)
    assert count(tx, SessionLog) == 0
    flags = {flag.kind: flag for flag in tx.scalars(select(Flag).where(Flag.about_id == ann.id))}
    assert set(flags) == {FlagKind.RED_FLAG, FlagKind.BARRIER, FlagKind.PAIN_HIGH}
    assert all(len(flag.evidence["answers"]) == 1 for flag in flags.values())


@pytest.mark.parametrize(
    "said", [None, 7, [], "RF-01", {"chips": {"RF-01": False}}, {"chips": ["nothing"], "pain_during": True}]
)
def test_a_body_that_says_nothing_of_safety_raises_nothing(tx: Session, said: object) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    refused = Refused(session_id=uuid4(), raw="…", said=said, code="invalid")
    (kept,) = keep_refused(tx, as_patient(tx, ines, ann), [refused], now=NOON)
    assert (kept.safety_raised, kept.advice) == (False, [])
    assert count(tx, RejectedSession) == 1
    assert count(tx, Flag) == 0
