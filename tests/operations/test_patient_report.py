"""A patient's report: three patients on paper, every number worked out beside them."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.adherence.following import Persistence, Trend
from models.adherence.schedule import UNIT
from models.database import Database
from models.operations import prescribing, programs
from models.operations.callers import Caller
from models.operations.patient_report import PatientReport, Span, patient_report
from models.operations.sessions import Deletion, EntryReport, record_sessions
from models.operations.weeks import weeks_of
from models.refusals import Invalid
from models.tables import DoneShare, PauseReason, ProgramWeek
from tests.builders import (
    ALL_WARNINGS,
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
    at,
    log_days,
    weeks,
)


@pytest.fixture
def ines(tx: Session) -> Caller:
    return a_clinic(tx)


def told(tx: Session, ines: Caller, course: Any, now: datetime, **but: Any) -> PatientReport:
    tx.flush()
    asked: dict[str, Any] = {"from_on": None, "to_on": None, "as_of": None}
    return patient_report(tx, ines, course.program.id, **(asked | but), now=now)


def rate(found: Any) -> tuple[float, float]:
    return round(found.numerator, 4), round(found.denominator, 4)


def test_ann_who_follows_it_with_a_pause_and_a_revision(tx: Session, ines: Caller) -> None:
    """Two exercises of 3 x 10, Monday to Friday, from 3 March.

    | week | done | expected days | items | dose |
    |---|---|---|---|---|
    | 3 Mar | Mon to Fri; on Tue only the first; on Wed two sets of the first | 5 of 5 | 9 of 10 | 8 2/3 of 9 |
    | 10 Mar | Mon, Tue; a holiday from Wed to Sun | 2 of 2 | 4 of 4 | 4 of 4 |
    | 17 Mar | Mon to Thu, from then on only the second exercise is prescribed | 4 of 4 | 4 of 4 | 4 of 4 |

    Pain 6, 6, 5, 5, 4, 4, 3, 3, 3, 2, 2: medians 6 and 2. Looked at on Sunday evening, 23 March.
    """
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(a_dosage(), a_dosage()))
    first, second = (item.line_id for item in course.items)
    pains = iter((6, 6, 5, 5, 4, 4, 3, 3, 3, 2, 2))

    def log(day: date, *entries: EntryReport) -> None:
        done = DoneShare.SOME if entries else DoneShare.ALL
        said = a_report(course.program.id, day, done=done, entries=entries, pain_during=next(pains))
        record_sessions(tx, ines, [said], now=said.performed_at)

    monday, tuesday, wednesday, thursday, friday = weeks(1)
    log(monday)
    log(tuesday, EntryReport(line_id=first), EntryReport(line_id=second, skipped=True, reason="unsure_how"))
    log(wednesday, EntryReport(line_id=first, sets=2), EntryReport(line_id=second))
    for day in (thursday, friday, monday + 7 * DAY, tuesday + 7 * DAY):
        log(day)
    away = {"from_on": date(2025, 3, 12), "to_on": date(2025, 3, 16), "reason": PauseReason.HOLIDAY}
    programs.pause(tx, ines, course.program.id, **away, now=at("03-12"))  # type: ignore[arg-type]
    known = prescribing.course(tx, ines, course.program.id)
    kept = prescribing.ItemDraft(
        exercise="glute-bridge", dosage=a_dosage(weekdays=(0, 1, 2, 3)), line_id=second, side=None
    )
    phase = prescribing.PhaseDraft(label="All along", from_day=1, to_day=None, items=[kept])
    prescribing.revise(
        tx,
        ines,
        course.program.id,
        prescribing.RevisionDraft(phases=[phase], effective_on=date(2025, 3, 17), note="Fewer, better."),
        ALL_WARNINGS,
        version=known.program.version,
        now=at("03-16"),
    )
    for day in weeks(1, (0, 1, 2, 3), date(2025, 3, 17)):
        log(day)
    report = told(tx, ines, course, at("03-23", 20))

    assert (report.from_on, report.to_on, report.initiation_days) == (MONDAY, date(2025, 3, 23), 0)
    found = report.implementation
    assert (rate(found.frequency), rate(found.completeness)) == ((11, 11), (17, 18))
    assert (rate(found.dose), found.excluded_days) == ((16.6667, 17), 5)
    assert report.persistence == Persistence(20, discontinued=False, on=date(2025, 3, 23))
    assert [(one.monday.day, one.done / UNIT, one.expected / UNIT) for one in report.weeks] == [
        (3, 5, 5),
        (10, 2, 2),
        (17, 4, 4),
    ]
    assert [(one.name, one.expected, one.done, one.skipped) for one in report.exercises] == [
        ("Bird dog", 7, 7, 0),
        ("Glute bridge", 11, 10, 1),
    ]
    assert report.exercises[1].reasons == {"unsure_how": 1}
    assert report.pain == Trend(6.0, 2.0, 11)
    assert report.excluded == [Span(kind="pause", from_on=date(2025, 3, 12), to_on=date(2025, 3, 16))]
    (revised,) = report.revisions
    assert (revised.number, revised.note, bool(revised.changes)) == (2, "Fewer, better.", True)
    assert revised.before is not None
    assert revised.after is not None
    assert (rate(revised.before.frequency), rate(revised.after.frequency)) == ((7, 7), (4, 4))
    assert report.letter == (
        "Home exercise program, 3 Mar 2025 to 23 Mar 2025. Begun on the first day. While"
        " following it the patient exercised on 11 of 11 expected days (100 %), did 94 % of the exercises prescribed"
        " for them, 98 % of the prescribed amount of those. Not counted: 5 days of pause. Still going 20 days after"
        " the first session. Pain with exercise went from 6 to 2 of 10 (medians of the first and last three told), a"
        " change that matters (2). Reasons given for leaving exercise out: unsure how to do it (1). From the patient's"
        " own logs, which tend to say somewhat more than was done."
    )
    assert report.own_words.startswith("You exercised on 11 of 11 planned days.")


def test_bo_who_was_silent_for_a_month_and_came_back(tx: Session, ines: Caller) -> None:
    """Mon to Fri: two full weeks from 3 March, nothing until Monday 14 April, then that week.

    Silent from 15 March to 13 April, 30 days: neither missed nor counted. 15 of 15.
    """
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(2) + weeks(1, start=date(2025, 4, 14)))
    report = told(tx, ines, course, at("04-20", 20))
    assert report.excluded == [Span(kind="silence", from_on=date(2025, 3, 15), to_on=date(2025, 4, 13))]
    assert (rate(report.implementation.frequency), report.implementation.excluded_days) == ((15, 15), 30)
    assert rate(report.following.rates["program"].frequency) == (15, 35)  # of all days
    assert report.letter is not None
    assert "Not counted: 30 days of silence." in report.letter
    assert report.persistence == Persistence(48, discontinued=False, on=date(2025, 4, 20))


def test_cy_who_stopped(tx: Session, ines: Caller) -> None:
    """Mon to Fri, begun two days late, two weeks, nothing after Friday 14 March: stopped then, not when noticed."""
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(2)[2:])
    report = told(tx, ines, course, at("06-01"))
    assert (report.initiation_days, report.persistence) == (2, Persistence(9, discontinued=True, on=date(2025, 3, 14)))
    assert rate(report.implementation.frequency) == (8, 10)
    assert report.letter is not None
    assert "Last session on 14 Mar 2025, 9 days after the first; none since." in report.letter
    assert "not" not in report.own_words


def test_nobody_who_has_not_begun_is_told_of_rates(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines))
    report = told(tx, ines, course, at("03-05"))
    assert (report.initiation_days, report.persistence, report.pain) == (None, None, None)
    assert report.letter is not None
    assert report.letter.endswith("No session has been logged.")
    assert report.own_words.startswith("Your program is ready")


def test_an_unfinished_day_is_never_a_missed_one(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(1)[:2])
    assert rate(told(tx, ines, course, at("03-05")).implementation.frequency) == (2, 2)
    assert [(week.done / UNIT, week.expected / UNIT) for week in told(tx, ines, course, at("03-05")).weeks] == [(2, 2)]


def test_a_part_of_it_can_be_asked_for(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(4))
    part = told(tx, ines, course, at("04-01"), from_on=date(2025, 3, 10), to_on=date(2025, 3, 16))
    assert (rate(part.implementation.frequency), len(part.weeks), len(part.moments)) == ((5, 5), 1, 5)
    with pytest.raises(Invalid):
        told(tx, ines, course, at("04-01"), from_on=date(2025, 4, 10))
    with pytest.raises(Invalid):
        told(tx, ines, course, at("04-01"), from_on=date(2025, 3, 10), to_on=date(2025, 3, 9))


def test_a_patient_reads_their_own_without_the_clinics_work(tx: Session, ines: Caller) -> None:
    person = a_patient(tx, ines)
    course = a_program(tx, ines, person)
    log_days(tx, ines, course.program.id, [MONDAY], chips=["RF-01"])
    theirs = told(tx, as_patient(tx, ines, person), course, at("03-04"))
    assert (theirs.letter, theirs.events) == (None, None)
    assert theirs.advised  # what they were told, they may read again
    events = told(tx, ines, course, at("03-04")).events
    assert events is not None
    assert [entry.kind for entry in events] == ["flag_opened"]


deeds = st.sampled_from(["log", "log", "edit", "delete"])
histories = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9), deeds), max_size=12)


def test_the_past_never_changes_and_weeks_add_up(shared_database: Database) -> None:
    """What was known on a day is told alike ever after; and the weeks written down are those counted from scratch."""

    @settings(max_examples=15)
    @given(histories, st.integers(0, 30))
    def live(history: list[tuple[int, int, str]], looked: int) -> None:
        with shared_database.writing() as tx:
            ines = a_clinic(tx)
            draft = a_draft(a_dosage(), a_dosage(days_per_week=3, weekdays=None))
            course = a_program(tx, ines, a_patient(tx, ines), draft)
            moment, seen = NOON + looked * DAY + timedelta(hours=1), None
            logged: list[Any] = []
            for on, age, deed in sorted(history):
                now = NOON + on * DAY
                if seen is None and now > moment:
                    seen = summary(told(tx, ines, course, moment))
                _do(tx, ines, course, logged, deed, now, age)
            later = NOON + 60 * DAY
            if seen is None:
                seen = summary(told(tx, ines, course, moment))
            assert summary(told(tx, ines, course, later, as_of=moment)) == seen
            report = told(tx, ines, course, later)
            written = weeks_of(tx, ines.clinic_id, [course.program.id])[course.program.id]
            stored = {week.monday: week for week, _ in written}
            silent = [span for span in report.excluded if span.kind == "silence"]
            for week in report.weeks:
                kept = stored.get(week.monday)
                if kept is not None and not silent and week.monday + 6 * DAY < report.to_on:
                    assert kept == week
            assert sum(week.sessions for week in stored.values()) == len(report.moments)
            tx.rollback()

    live()


def _do(tx: Session, ines: Caller, course: Any, logged: list[Any], deed: str, now: datetime, age: int) -> None:
    if deed == "log" or not logged:
        day = max(MONDAY, (now - age * DAY).date())
        said = a_report(course.program.id, day, pain_during=age, performed_at=datetime.combine(day, NOON.timetz()))
        record_sessions(tx, ines, [said], now=now)
        logged.append(replace(said, base_version=1))
    elif deed == "edit":
        said = replace(logged[age % len(logged)], pain_during=(age + 1) % 6)
        (result,) = record_sessions(tx, ines, [said], now=now)
        if result.version is not None:
            logged[age % len(logged)] = replace(said, base_version=result.version)
    else:
        said = logged.pop(age % len(logged))
        gone = Deletion(id=said.id, base_version=said.base_version, program_id=said.program_id)
        record_sessions(tx, ines, [gone], now=now)
    tx.flush()


def summary(report: PatientReport) -> Any:
    """Everything but what was done about it, and with the rates and the standing of that moment."""
    told = {name: getattr(report, name) for name in PatientReport.__dataclass_fields__ if name != "following"}
    following = report.following
    return told | {"events": None, "rates": following.rates, "standing": following.assessment.standing}


def test_the_weeks_written_down_are_the_recount(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(3))
    rows = tx.scalars(select(ProgramWeek).order_by(ProgramWeek.monday)).all()
    assert [(row.sessions, row.done / UNIT, row.expected / UNIT) for row in rows[:4]] == [(5, 5, 5)] * 3 + [(0, 0, 5)]
    assert len(rows) == 3 + 13  # a quarter ahead of the last thing that happened
