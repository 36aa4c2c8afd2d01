"""Answers and scores below the doors, on both databases."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.operations import measures, programs
from models.operations.callers import Caller
from models.operations.measures import Answers, MeasurementDraft
from models.operations.sessions import Outcome
from models.refusals import Invalid, NotAsked
from models.tables import CheckIn, Flag, Measurement, Patient, TakenFrom, WeeklyAnswer
from tests.architecture.statements import counting
from tests.builders import DAY, MONDAY, NOON, a_check_in, a_clinic, a_draft, a_patient, a_program, as_patient


@pytest.fixture
def ines(tx: Session) -> Caller:
    return a_clinic(tx)


@pytest.fixture
def ann(tx: Session, ines: Caller) -> Patient:
    return a_patient(tx, ines)


@pytest.mark.parametrize(("running", "statements"), [(True, 2), (False, 1)])
def test_what_to_ask_costs_two_statements_at_most(
    tx: Session, ines: Caller, ann: Patient, running: bool, statements: int
) -> None:
    program = a_program(tx, ines, ann).program
    asked = [a_check_in(tx, program, MONDAY + days * DAY, month) for month, days in ((1, -9), (3, -2), (6, 7), (12, 8))]
    with counting() as sent:
        due = measures.questions_for(tx, ines.clinic_id, ann.id, MONDAY, running=running)
    assert len(sent) == statements
    assert [one.id for one in due.check_ins] == [asked[1].id, asked[2].id]
    assert due.monday == (MONDAY if running else None)


def test_check_ins_of_two_programs_do_not_hide_each_other(tx: Session, ines: Caller, ann: Patient) -> None:
    one, other = (a_program(tx, ines, ann).program for _ in range(2))
    asked = [a_check_in(tx, one, MONDAY - 5 * DAY, 1), a_check_in(tx, other, MONDAY - DAY, 1)]
    due = measures.questions_for(tx, ines.clinic_id, ann.id, MONDAY, running=False)
    assert [row.id for row in due.check_ins] == [row.id for row in asked]


def test_answers_refused_leave_nothing_behind(tx: Session, ines: Caller, ann: Patient) -> None:
    phone = as_patient(tx, ines, ann)
    asked = a_check_in(tx, a_program(tx, ines, ann).program, MONDAY + 15 * DAY)
    with pytest.raises(NotAsked):
        measures.answer_check_in(tx, phone, ann.id, asked.id, Answers(pain=3), now=NOON)
    with pytest.raises(Invalid):
        measures.answer_check_in(tx, phone, ann.id, asked.id, Answers(ext={"a": 1}), now=NOON)
    with pytest.raises(Invalid):
        measures.answer_week(tx, phone, ann.id, MONDAY, Answers(), now=NOON)
    with pytest.raises(Invalid):
        measures.answer_week(tx, phone, ann.id, MONDAY + 7 * DAY, Answers(pain=3), now=NOON)
    tx.expire_all()
    kept = tx.scalars(select(CheckIn)).one()
    assert (kept.version, kept.answers, kept.answered_on) == (0, None, None)
    assert tx.scalars(select(WeeklyAnswer)).all() == []
    assert tx.scalars(select(Measurement)).all() == []


def test_a_late_check_in_may_still_be_answered(tx: Session, ines: Caller, ann: Patient) -> None:
    phone = as_patient(tx, ines, ann)
    asked = a_check_in(tx, a_program(tx, ines, ann).program, MONDAY - 300 * DAY)
    answered = measures.answer_check_in(tx, phone, ann.id, asked.id, Answers(still_doing=["walk-easy"]), now=NOON)
    assert answered.outcome is Outcome.CREATED
    assert asked.answered_on == MONDAY


def test_the_days_of_answers_and_scores_are_the_patients_own(tx: Session, ines: Caller) -> None:
    kiri = a_patient(tx, ines, time_zone="Pacific/Kiritimati")
    asked = a_check_in(tx, a_program(tx, ines, kiri).program)
    late = datetime(2025, 3, 4, 11, tzinfo=UTC)
    measures.answer_check_in(tx, ines, kiri.id, asked.id, Answers(pain=3, wants_contact=True), now=late)
    assert asked.answered_on == date(2025, 3, 5)
    taken = measures.record_measurement(
        tx, ines, kiri.id, MeasurementDraft(code="pain", score=2, taken_on=date(2025, 3, 5)), now=late
    )
    assert (taken.taken_on, taken.source) == (date(2025, 3, 5), TakenFrom.CLINIC)
    ahead = MeasurementDraft(code="pain", score=2, taken_on=date(2025, 3, 6))
    with pytest.raises(Invalid):
        measures.record_measurement(tx, ines, kiri.id, ahead, now=late)
    flag = tx.scalars(select(Flag).where(Flag.kind == "contact_wanted")).one()
    assert flag.evidence["answers"][0]["day"] == "2025-03-05"
    assert flag.expires_at is None


def test_only_fading_kinds_fade(tx: Session, ines: Caller, ann: Patient) -> None:
    measures.answer_week(tx, ines, ann.id, MONDAY, Answers(chips=["fall", "RF-02"], note="Hello"), now=NOON)
    assert {flag.kind: flag.expires_at for flag in tx.scalars(select(Flag).where(Flag.about_id == ann.id))} == {
        "fall": None,
        "red_flag": None,
        "contact_wanted": None,
    }


def test_scores_of_one_day_come_in_the_order_they_were_taken(tx: Session, ines: Caller, ann: Patient) -> None:
    for minutes, score in enumerate((7, 2, 5)):
        draft = MeasurementDraft(code="pain", score=score)
        measures.record_measurement(tx, ines, ann.id, draft, now=NOON + timedelta(minutes=minutes))
    (pain,) = measures.series_of(tx, ines, ann.id)
    assert [point.score for point in pain.points] == [7, 2, 5]
    assert (pain.baseline.score, pain.latest.score) == (7, 5)


def test_a_running_programs_baseline_comes_before_a_later_one_that_ended(
    tx: Session, ines: Caller, ann: Patient
) -> None:
    def scores(score: int, day: int) -> None:
        now = NOON + day * DAY
        measures.record_measurement(tx, ines, ann.id, MeasurementDraft(code="pain", score=score), now=now)

    scores(8, 0)
    a_program(tx, ines, ann)
    scores(6, 40)
    other = a_program(tx, ines, ann, a_draft(starts_on=MONDAY + 40 * DAY), now=NOON + 40 * DAY).program
    programs.stop(tx, ines, other.id, reason="no_time", now=NOON + 41 * DAY)
    scores(3, 60)
    (pain,) = measures.series_of(tx, ines, ann.id)
    assert (other.starts_on, pain.baseline.score) == (MONDAY + 40 * DAY, 8)
