"""Changes that come by a wrong clock, and changes that rest on something that never was."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.sessions import Deletion, Item, Outcome, Result, SessionReport, record_sessions
from tests.builders import DAY, MONDAY, NOON, a_clinic, a_patient, a_program, a_report, as_patient

WRONG = timedelta(days=700)
"""How far the phone is ahead."""


@pytest.fixture
def phone(tx: Session) -> tuple[Caller, UUID]:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    return as_patient(tx, ines, ann), a_program(tx, ines, ann).program.id


def by_a_wrong_clock(tx: Session, ann: Caller, said: SessionReport, *, wrong: timedelta = WRONG) -> Result:
    return record_sessions(tx, ann, [said], sent_at=NOON + wrong, now=NOON)[0]


def test_a_corrected_session_that_is_changed_is_not_corrected_twice(tx: Session, phone: tuple[Caller, UUID]) -> None:
    """The phone is told to take our copy of it, so it says our instant when it says it again."""
    ann, program_id = phone
    said = a_report(program_id, MONDAY + WRONG)
    first = by_a_wrong_clock(tx, ann, said)
    assert first.held
    assert (first.held.log.performed_at, first.held.log.local_date) == (NOON, MONDAY)
    ours = replace(said, performed_at=NOON, local_date=MONDAY, note="and it was fine", base_version=1)
    changed = by_a_wrong_clock(tx, ann, ours)
    assert changed.outcome is Outcome.UPDATED
    again = by_a_wrong_clock(tx, ann, replace(ours, note="yes", base_version=2), wrong=-WRONG)
    assert again.outcome is Outcome.UPDATED
    undone = record_sessions(tx, ann, [Deletion(id=said.id, base_version=2)], now=NOON)[0]
    assert undone.held
    assert (undone.held.log.performed_at, undone.held.log.local_date) == (NOON, MONDAY)


def test_a_session_said_by_a_wrong_clock_may_be_changed_once_the_clock_is_right(
    tx: Session, phone: tuple[Caller, UUID]
) -> None:
    """The change was queued behind it, with the instant it was first said with."""
    ann, program_id = phone
    said = a_report(program_id, MONDAY + WRONG)
    by_a_wrong_clock(tx, ann, said)
    changed = by_a_wrong_clock(tx, ann, replace(said, effort=3, base_version=1), wrong=timedelta(0))
    assert changed.outcome is Outcome.UPDATED
    assert changed.held
    assert (changed.held.log.performed_at, changed.held.log.local_date) == (NOON, MONDAY)
    assert changed.held.log.said_performed_at == said.performed_at


def test_a_change_that_rests_on_a_refused_one_does_not_overwrite_anothers(
    tx: Session, phone: tuple[Caller, UUID]
) -> None:
    """Two changes wait on this phone; another phone was faster. The version the second expects is the other's."""
    ann, program_id = phone
    said = a_report(program_id)
    record_sessions(tx, ann, [said], now=NOON)
    theirs = replace(said, note="theirs", base_version=1)
    record_sessions(tx, ann, [theirs], now=NOON)
    first, second = replace(said, note="a", base_version=1), replace(said, note="b", base_version=2)
    behind: list[Item] = [second, Deletion(id=said.id, base_version=2)]
    for item in behind:
        results = record_sessions(tx, ann, [first, item], now=NOON + DAY)
        assert [one.outcome for one in results] == [Outcome.CONFLICT, Outcome.CONFLICT]
        assert all(one.held and one.held.log.note == "theirs" for one in results)
    # What rests on a creation that was refused is said for the first time.
    late = replace(a_report(program_id), local_date=MONDAY - DAY, performed_at=NOON - DAY)
    mended = replace(late, local_date=MONDAY, performed_at=NOON, base_version=1)
    results = record_sessions(tx, ann, [late, mended], now=NOON)
    assert [one.outcome for one in results] == [Outcome.REJECTED, Outcome.CREATED]
