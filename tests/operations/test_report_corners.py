"""Corners of the reports in which a number could be wrong, or give somebody away, quietly."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from models.adherence.following import Persistence
from models.adherence.schedule import UNIT
from models.operations import prescribing, programs, sweep
from models.operations.callers import Caller
from models.operations.flag_settings import CHANGED
from models.operations.handling import Handled, close
from models.operations.patient_report import PatientReport, patient_report
from models.operations.reporting.basis import SMALLEST_CELL, period_of
from models.operations.reporting.caseload import caseload_report
from models.operations.reporting.data_quality import data_quality_report
from models.operations.reporting.retention import retention_report
from models.operations.reporting.standings import standings_report
from models.operations.sessions import Deletion, EntryReport, record_sessions
from models.reports.tables import Report
from models.tables import Clinic, DoneShare, Flag, PauseReason, ProgramType, ProgramWeek, Role
from tests.builders import (
    ALL_WARNINGS,
    DAY,
    MONDAY,
    NOON,
    a_clinic,
    a_dosage,
    a_draft,
    a_member,
    a_patient,
    a_program,
    a_report,
    at,
    handed_over,
    log_days,
    log_queue,
    weeks,
)


@pytest.fixture
def ines(tx: Session) -> Caller:
    return a_clinic(tx)


def least(tx: Session, ines: Caller, smallest: int) -> None:
    tx.execute(update(Clinic).where(Clinic.id == ines.clinic_id).values(settings={SMALLEST_CELL: smallest}))
    tx.expire_all()


def told(tx: Session, ines: Caller, course: Any, now: Any, **but: Any) -> PatientReport:
    tx.flush()
    asked: dict[str, Any] = {"from_on": None, "to_on": None, "as_of": None}
    return patient_report(tx, ines, course.program.id, **(asked | but), now=now)


def of_clinic(tx: Session, ines: Caller, make: Any, now: Any, first: date = MONDAY, last: date | None = None) -> Report:
    tx.flush()
    made: Report = make(tx, ines, period_of(tx, ines, first, last, now=now), now=now)
    return made


def rows(report: Report, name: str) -> list[Any]:
    return list(next(one for one in report.tables if one.name == name).rows)


def shares(report: PatientReport) -> tuple[float, float]:
    frequency = report.implementation.frequency
    return frequency.numerator, frequency.denominator


# A program's report.


def test_stopping_or_pausing_after_a_silence_does_not_turn_it_into_missed_days(tx: Session, ines: Caller) -> None:
    """Two full weeks, then nothing; on 1 May she says that she stopped, or a pause is declared."""
    stopped, paused = (a_program(tx, ines, a_patient(tx, ines)) for _ in range(2))
    for course in (stopped, paused):
        log_days(tx, ines, course.program.id, weeks(2))
    programs.stop(tx, ines, stopped.program.id, reason="no_time", now=at("05-01"))
    away = {"from_on": date(2025, 5, 1), "to_on": date(2025, 5, 10), "reason": PauseReason.HOLIDAY}
    programs.pause(tx, ines, paused.program.id, **away, now=at("05-01"))  # type: ignore[arg-type]
    for course in (stopped, paused):
        report = told(tx, ines, course, at("05-03"))
        assert shares(report) == (10, 10)
        assert report.persistence == Persistence(11, discontinued=True, on=date(2025, 3, 14))


def test_ending_a_silent_program_does_not_make_it_one_that_was_kept_up(tx: Session, ines: Caller) -> None:
    least(tx, ines, 0)
    draft = a_draft(type=ProgramType.MAINTENANCE)
    course = a_program(tx, ines, a_patient(tx, ines), draft)
    log_days(tx, ines, course.program.id, weeks(2))
    programs.complete(tx, ines, course.program.id, now=at("06-01"))
    report = told(tx, ines, course, at("07-01"))
    assert report.letter is not None
    assert "Still going" not in report.letter
    (row,) = rows(of_clinic(tx, ines, retention_report, at("07-01"), last=date(2025, 6, 30)), "all")
    assert (row["at_risk_4_weeks"], row["going_4_weeks"]) == (0, None)


def test_what_is_silent_is_not_said_to_be_going(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(4))
    report = told(tx, ines, course, at("04-09"))
    assert report.letter is not None
    assert "Silent at present, not yet counted as stopped." in report.letter
    assert "get the most out of it" not in report.own_words


def test_a_period_long_past_is_told_alike_after_a_year(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines))
    said = a_report(course.program.id, MONDAY, done=DoneShare.NONE, reason="ill", chips=["RF-01"])
    record_sessions(tx, ines, [said], now=NOON)
    log_days(tx, ines, course.program.id, weeks(1)[1:])
    spring = {"from_on": MONDAY, "to_on": MONDAY + 6 * DAY}
    before = told(tx, ines, course, at("03-10"), **spring)
    log_days(tx, ines, course.program.id, [MONDAY + 300 * DAY])
    after = told(tx, ines, course, NOON + 301 * DAY, **spring)
    assert before.advised
    assert (after.advised, after.reasons, shares(after)) == (before.advised, before.reasons, shares(before))


def test_advice_of_a_session_that_was_changed_since_is_still_told_of_the_past(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines))
    said = a_report(course.program.id, MONDAY, chips=["RF-01"])
    record_sessions(tx, ines, [said], now=NOON)
    before = told(tx, ines, course, at("03-04")).advised
    record_sessions(tx, ines, [replace(said, effort=3, chips=[], base_version=1)], now=at("03-05"))
    assert told(tx, ines, course, at("03-06"), as_of=at("03-04")).advised == before != []


def test_a_revision_that_never_held_is_not_told(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines))
    for days, on in ((3, date(2025, 3, 20)), (2, date(2025, 3, 18))):
        known = prescribing.course(tx, ines, course.program.id)
        draft = prescribing.RevisionDraft(
            phases=a_draft(a_dosage(weekdays=None, days_per_week=days)).phases, effective_on=on
        )
        version = known.program.version
        prescribing.revise(tx, ines, course.program.id, draft, ALL_WARNINGS, version=version, now=at("03-10"))
    assert [one.number for one in told(tx, ines, course, at("04-01")).revisions] == [3]


def test_a_grave_reason_of_an_exercise_counts_once(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(a_dosage(), a_dosage()))
    one, other = (item.line_id for item in course.items)
    entries = [EntryReport(line_id=one), EntryReport(line_id=other, skipped=True, reason="symptoms_worse")]
    said = a_report(course.program.id, MONDAY, done=DoneShare.SOME, entries=entries)
    record_sessions(tx, ines, [said], now=NOON)
    assert told(tx, ines, course, at("03-04")).reasons == {"symptoms_worse": 1}


def test_the_weeks_of_a_part_hold_that_part(tx: Session, ines: Caller) -> None:
    """Wednesday 5 to Wednesday 12 March of a program that is followed every weekday."""
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(2))
    report = told(tx, ines, course, at("03-20"), from_on=date(2025, 3, 5), to_on=date(2025, 3, 12))
    assert [(one.sessions, one.done / UNIT, one.expected / UNIT) for one in report.weeks] == [(3, 3, 3)] * 2
    assert sum(one.paused_days for one in report.weeks) == 0


def test_a_program_that_has_not_begun_has_a_report(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(starts_on=MONDAY + 7 * DAY))
    assert told(tx, ines, course, at("03-05")).initiation_days is None


def test_less_than_a_day_expected_is_no_share(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(a_dosage(weekdays=None, days_per_week=3)))
    log_days(tx, ines, course.program.id, [MONDAY])
    report = told(tx, ines, course, at("03-03", 20))
    assert report.letter is not None
    assert "0 of 0" not in report.letter
    assert report.own_words.startswith("You exercised on 1 day.")


# A clinic's reports.


def test_a_log_before_the_sweep_counts_the_weeks_of_before(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(3))
    tx.execute(delete(ProgramWeek))
    tx.execute(update(Clinic).values(settings={CHANGED: at("03-25").isoformat()}))
    tx.expire_all()
    log_days(tx, ines, course.program.id, [date(2025, 3, 26)])
    tx.flush()
    assert tx.execute(text("SELECT sum(sessions) FROM week")).scalar_one() == 16
    assert sweep.misjudged(tx, ines.clinic_id, [course.program.id]) == []


def test_what_is_to_come_is_no_fact(tx: Session, ines: Caller) -> None:
    asked = period_of(tx, ines, MONDAY, date(2030, 1, 1), now=at("03-20"))
    assert (asked.from_on, asked.to_on) == (MONDAY, date(2025, 3, 19))


def test_a_silence_closed_by_hand_goes_on_until_a_session(tx: Session, ines: Caller) -> None:
    least(tx, ines, 0)
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(4))
    tx.flush()
    flag = tx.scalars(select(Flag).where(Flag.kind == "silence", Flag.closed_at.is_(None))).one()
    close(tx, ines, flag.id, Handled.HANDLED, None, version=flag.version, now=at("04-12", 12))
    log_days(tx, ines, course.program.id, [date(2025, 4, 28)])
    found = rows(of_clinic(tx, ines, standings_report, at("05-06"), last=date(2025, 5, 4)), "standings_by_week")
    assert [row["on_track"] for row in found] == [1, 1, 1, 1, 1, 0, 0, 0, 1]


def test_two_therapists_of_one_name_are_two(tx: Session, ines: Caller) -> None:
    least(tx, ines, 0)
    for _ in range(2):
        other = a_member(tx, ines.clinic_id, Role.THERAPIST)
        a_program(tx, other, a_patient(tx, other))
    counts = {
        row["therapist"]: row["count"]
        for row in rows(of_clinic(tx, ines, caseload_report, at("03-20")), "by_therapist")
    }
    assert counts == {"A therapist": 1, "A therapist (2)": 1, "total": 2}


def test_no_total_gives_away_what_another_table_withholds(tx: Session, ines: Caller) -> None:
    """Five programs, each of a protocol of its own name and all on track: were the five told, each would be one."""
    for number in range(5):
        course = a_program(tx, ines, a_patient(tx, ines))
        course.program.protocol_slug = ["neck-posture-desk", "knee-oa-neuromuscular", "hip-oa-strength-mobility"][
            number % 3
        ]
    least(tx, ines, 5)
    report = of_clinic(tx, ines, caseload_report, at("03-05"))
    totals = {
        row["count"]
        for name in ("by_standing", "by_therapist", "by_protocol")
        for row in rows(report, name)
        if "total" in row.values()
    }
    assert len(totals) == 1


def test_no_group_is_told_by_what_is_left_of_those_at_risk(tx: Session, ines: Caller) -> None:
    """Six with one exercise and two with four, all going: eight at risk less six would tell the two."""
    for number in range(8):
        dosages = [a_dosage()] * (1 if number < 6 else 4)
        course = a_program(tx, ines, a_patient(tx, ines), a_draft(*dosages))
        log_queue(tx, ines, course.program.id, weeks(5), now=at("04-04", 13))
    least(tx, ines, 5)
    report = of_clinic(tx, ines, retention_report, at("04-05"), last=date(2025, 4, 4))
    (every,) = rows(report, "all")
    groups = {row["group"]: row["at_risk_4_weeks"] for row in rows(report, "by_exercises")}
    assert every["at_risk_4_weeks"] == 8
    assert set(groups.values()) == {None}


def test_how_much_a_patient_was_given_is_what_they_saw(tx: Session, ines: Caller) -> None:
    least(tx, ines, 0)
    person = a_patient(tx, ines)
    draft = prescribing.create_program(tx, ines, person.id, a_draft(a_dosage()), now=NOON - timedelta(hours=2))
    more = prescribing.RevisionDraft(phases=a_draft(*[a_dosage()] * 4).phases, effective_on=MONDAY)
    prescribing.revise(tx, ines, draft.id, more, ALL_WARNINGS, version=draft.version, now=NOON - timedelta(hours=1))
    handed_over(tx, ines, draft.id)
    log_days(tx, ines, draft.id, weeks(1))
    (row,) = rows(of_clinic(tx, ines, retention_report, at("03-20")), "by_exercises")
    assert row["group"] == "4-6 exercises"


def test_a_mean_of_one_is_withheld_and_late_items_of_one_person_are(tx: Session, ines: Caller) -> None:
    for number in range(6):
        course = a_program(tx, ines, a_patient(tx, ines))
        late = timedelta(days=3) if number == 0 else timedelta()
        log_days(tx, ines, course.program.id, weeks(1), late=late, pain_during=9 if number == 0 else None)
    least(tx, ines, 5)
    report = of_clinic(tx, ines, caseload_report, at("03-20"))
    (row,) = rows(report, "by_week")[:1]
    assert (row["programs"], row["mean_pain"], row["withheld"]) == (6, None, "mean_pain")
    assert report.late_items is None
    assert of_clinic(tx, ines, data_quality_report, at("03-20")).late_items is None


def test_a_month_says_the_same_when_a_patient_comes_back_later(tx: Session, ines: Caller) -> None:
    least(tx, ines, 0)
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(3))

    def march() -> list[Any]:
        return rows(of_clinic(tx, ines, caseload_report, at("05-01"), last=date(2025, 3, 31)), "by_week")

    before = march()
    log_days(tx, ines, course.program.id, [date(2025, 4, 7)])
    assert march() == before


def test_weeks_count_up_to_the_last_that_was_followed_whichever_sessions_come_late_or_go(
    tx: Session, ines: Caller
) -> None:
    """Followed in weeks 1 and 2; then, long after, week 4 is told of, and 6, and 6 is taken back, and 4."""
    least(tx, ines, 0)
    course = a_program(tx, ines, a_patient(tx, ines))

    def counted() -> int:
        return len(rows(of_clinic(tx, ines, caseload_report, at("06-01"), last=date(2025, 4, 13)), "by_week"))

    log_days(tx, ines, course.program.id, [MONDAY, MONDAY + 7 * DAY])
    told, late = [counted()], {}
    for week in (3, 5):
        late[week] = a_report(course.program.id, MONDAY + 7 * week * DAY)
        record_sessions(tx, ines, [late[week]], now=at("05-30"))
        told.append(counted())
    log_days(tx, ines, course.program.id, [date(2025, 5, 31)])  # after the period: nothing to it
    told.append(counted())
    for week in (5, 3):
        gone = Deletion(id=late[week].id, base_version=1, program_id=course.program.id)
        record_sessions(tx, ines, [gone], now=at("05-31"))
        told.append(counted())
    assert told == [2, 4, 6, 6, 4, 2]
    assert sweep.misjudged(tx, ines.clinic_id, [course.program.id]) == []
