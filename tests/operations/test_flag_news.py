"""What is added to an open flag, and what only looks like news: the stories a list could get wrong quietly."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.adherence.kinds import FlagKind, Severity
from models.operations import patients, prescribing, programs, sweep
from models.operations.callers import Caller
from models.operations.courses import Course
from models.operations.handling import Handled, acknowledge, close, is_acknowledged, snooze
from models.operations.sessions import EntryReport, record_sessions
from models.operations.timeline import EntryKind, timeline
from models.operations.worklist import worklist
from models.tables import DoneShare, Flag
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
    at,
    discharged,
    log_days,
    weeks,
)
from tests.operations.test_stories import does, is_as_rebuilt, the_flag, told


@pytest.fixture
def ines(tx: Session) -> Caller:
    return a_clinic(tx)


@pytest.fixture
def course(tx: Session, ines: Caller) -> Course:
    return a_program(tx, ines, a_patient(tx, ines))


def listed(tx: Session, ines: Caller, day: str | date, kind: FlagKind) -> bool:
    tx.flush()
    return kind in {row.kind for row in worklist(tx, ines, limit=100, now=at(day, 13))}


def put_off(tx: Session, ines: Caller, kind: FlagKind, day: str) -> Flag:
    """Announced, taken on and snoozed for a month."""
    tx.flush()
    flag = the_flag(tx, kind)
    tx.execute(update(Flag).where(Flag.id == flag.id).values(announced=flag.severity))
    acknowledge(tx, ines, flag.id, now=at(day))
    held = tx.get_one(Flag, {"clinic_id": ines.clinic_id, "id": flag.id}, populate_existing=True)
    snooze(tx, ines, flag.id, days=30, until=None, version=held.version, now=at(day))
    tx.flush()
    return held


def shut(tx: Session, ines: Caller, kind: FlagKind, day: str, hour: int = 13) -> None:
    tx.flush()
    flag = the_flag(tx, kind)
    close(tx, ines, flag.id, Handled.REACHED_AGREED, None, version=flag.version, now=at(day, hour))
    tx.flush()


# News wakes a flag.


def test_worse_pain_is_back_on_the_list_and_announced(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, [MONDAY], pain_during=6)
    put_off(tx, ines, FlagKind.PAIN_HIGH, "03-03")
    log_days(tx, ines, course.program.id, [MONDAY + DAY], pain_during=6)
    assert not listed(tx, ines, "03-04", FlagKind.PAIN_HIGH)  # as it was
    log_days(tx, ines, course.program.id, [MONDAY + 2 * DAY], pain_during=9)
    assert listed(tx, ines, "03-05", FlagKind.PAIN_HIGH)
    assert sweep.is_anything_due(tx, ines.clinic_id, now=at("03-05", 13))
    assert sweep.announce_due(tx, ines.clinic_id, now=at("03-05", 13)) >= 1
    assert not sweep.is_anything_due(tx, ines.clinic_id, now=at("03-05", 13))


def test_another_red_flag_is_announced_though_the_first_was(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, [MONDAY], chips=["RF-01"])
    sweep.announce_due(tx, ines.clinic_id, now=at("03-03", 13))
    log_days(tx, ines, course.program.id, [MONDAY + DAY], chips=["RF-01"])
    log_days(tx, ines, course.program.id, [MONDAY + 7 * DAY], chips=["RF-03"])
    assert sweep.is_anything_due(tx, ines.clinic_id, now=at("03-10", 13))


def test_spreading_that_turns_red_wakes_the_flag(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, weeks(1)[:2], chips=["further_down"])
    put_off(tx, ines, FlagKind.SPREADING, "03-04")
    log_days(tx, ines, course.program.id, weeks(1)[2:3], chips=["further_down", "numb_or_weak"])
    assert listed(tx, ines, "03-05", FlagKind.SPREADING)


def test_a_rise_that_comes_sooner_ends_a_snooze_sooner(tx: Session, ines: Caller, course: Course) -> None:
    """Logs four days late: put off to the rise; the phone was in touch, and it rises earlier."""
    log_days(tx, ines, course.program.id, weeks(4), late=4 * DAY)
    put_off(tx, ines, FlagKind.SILENCE, "04-15")
    said = a_report(course.program.id, date(2025, 4, 16), done=DoneShare.NONE, reason="no_time")
    record_sessions(tx, ines, [said], now=at("04-16"))
    tx.flush()
    tx.expire_all()
    flag = the_flag(tx, FlagKind.SILENCE)
    assert flag.snoozed_until == flag.rises_at


def test_what_has_faded_and_is_said_again_is_a_new_flag(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, [MONDAY], chips=["not_sure"])
    log_days(tx, ines, course.program.id, [MONDAY + 21 * DAY], chips=["not_sure"])
    assert told(tx, FlagKind.UNSURE) == [("03-03 12", "expired"), ("03-24 12", None)]
    assert is_as_rebuilt(tx, ines, course)


def test_a_rise_nobody_took_on_stays_untaken(tx: Session, ines: Caller) -> None:
    """Two of five days a week for months: amber, then red, and red it rose to once its first weeks are out of sight."""
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(2, (0, 2, 4)) + weeks(8, (0, 2), MONDAY + 14 * DAY))
    tx.flush()
    flag = the_flag(tx, FlagKind.LOW_ADHERENCE)
    assert (flag.severity, flag.rises_to) == (Severity.MEDIUM, Severity.HIGH)
    flag.acknowledged_at = flag.opens_at
    assert not is_acknowledged(flag, at("05-10"))


# What is no news.


def test_a_note_put_right_is_no_news(tx: Session, ines: Caller, course: Course) -> None:
    said = a_report(course.program.id, MONDAY, pain_during=8, chips=["hot_swollen_joint", "not_sure"])
    record_sessions(tx, ines, [said], now=NOON)
    log_days(tx, ines, course.program.id, weeks(1)[1:3], pain_during=2)
    shut(tx, ines, FlagKind.UNSURE, "03-05")
    assert told(tx, FlagKind.PAIN_HIGH) == [("03-03 12", "settled")]
    record_sessions(tx, ines, [replace(said, note="A typo less.", base_version=1)], now=at("03-06"))
    tx.flush()
    assert told(tx, FlagKind.PAIN_HIGH) == [("03-03 12", "settled")]
    assert told(tx, FlagKind.SYMPTOM) == [("03-03 12", None)]
    assert told(tx, FlagKind.UNSURE) == [("03-03 12", "reached_agreed")]
    record_sessions(tx, ines, [replace(said, note="A typo less.", pain_during=7, base_version=2)], now=at("03-07"))
    assert told(tx, FlagKind.PAIN_HIGH)[-1] == ("03-07 12", None)  # what it says of pain is


def test_spreading_is_not_over_because_the_patient_stopped(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, weeks(1)[:2], chips=["further_down"])
    log_days(tx, ines, course.program.id, weeks(1)[2:], done=DoneShare.NONE, reason="symptoms_worse")
    assert told(tx, FlagKind.SPREADING) == [("03-04 12", None)]


def test_pain_that_goes_on_rising_by_little_is_not_settled(tx: Session, ines: Caller, course: Course) -> None:
    for day, pain in zip(weeks(1), (2, 4, 5, 4, 3), strict=True):
        log_days(tx, ines, course.program.id, [day], pain_before=pain)
    assert told(tx, FlagKind.PAIN_24H) == [("03-04 12", "settled")]
    assert tx.scalars(select(Flag.closed_at).where(Flag.kind == FlagKind.PAIN_24H)).one() == at("03-07")


def test_the_days_after_a_hand_closing_open_anew(tx: Session, ines: Caller, course: Course) -> None:
    """Also after the second closing of the same day."""
    for hour in (8, 11):
        said = a_report(course.program.id, MONDAY, chips=["not_sure"], performed_at=at("03-03", hour))
        record_sessions(tx, ines, [said], now=said.performed_at)
        shut(tx, ines, FlagKind.UNSURE, "03-03", hour + 1)
    log_days(tx, ines, course.program.id, [MONDAY + DAY], chips=["not_sure"])
    assert told(tx, FlagKind.UNSURE)[-1] == ("03-04 12", None)


def test_moving_to_another_zone_opens_nothing_anew(tx: Session, ines: Caller) -> None:
    person = a_patient(tx, ines)
    draft = a_draft(a_dosage(), a_dosage())
    course = a_program(tx, ines, person, draft)
    does(tx, ines, course, [0], weeks(1))
    shut(tx, ines, FlagKind.INCOMPLETE, "03-07", 14)
    does(tx, ines, course, [0], weeks(2, start=MONDAY + 7 * DAY))
    before = told(tx, FlagKind.INCOMPLETE)
    moved = patients.PatientDraft(given_name="Ann", family_name="Archer", time_zone="Pacific/Auckland")
    patients.amend_patient(tx, ines, person.id, moved, version=1, now=at("03-22"))
    tx.flush()
    assert told(tx, FlagKind.INCOMPLETE) == before
    assert len(before) == 2


def test_a_recount_without_a_session_changes_no_window(tx: Session, ines: Caller) -> None:
    """Six full weeks, then one session: declining, until silence takes it over and not before."""
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(a_dosage(weekdays=(0, 2, 4))))
    days = [*weeks(6, (0, 2, 4)), date(2025, 4, 24)]
    log_days(tx, ines, course.program.id, days)
    tx.flush()
    flag = the_flag(tx, FlagKind.DECLINING)
    assert flag.expires_at is not None
    for later in range(1, (flag.expires_at - at("04-24")).days):
        sweep.reassess(tx, ines.clinic_id, [course.program.id], now=at("04-24") + later * DAY)
    tx.flush()
    assert [because for _, because in told(tx, FlagKind.DECLINING)] == [None]


# What must come.


def test_a_check_in_that_was_dealt_with_does_not_hide_the_next(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, weeks(4))
    discharged(tx, ines, course.program.id, a_draft(starts_on=date(2025, 3, 31)), now=at("03-31"))
    shut(tx, ines, FlagKind.CHECK_IN_OVERDUE, "05-23")
    assert listed(tx, ines, "07-10", FlagKind.CHECK_IN_OVERDUE)


def test_a_silence_of_a_weekly_program_is_an_absence_too(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(a_dosage(weekdays=(0,))))
    log_days(tx, ines, course.program.id, [*weeks(5, (0,)), date(2025, 4, 28), date(2025, 5, 5)])
    assert told(tx, FlagKind.SILENCE)[0] == ("04-21 23", "returned")
    assert told(tx, FlagKind.RETURNED) == [("04-28 12", None)]


def test_a_lesser_reason_is_not_lost_when_the_graver_fades(tx: Session, ines: Caller, course: Course) -> None:
    for day, reason in ((3, "symptoms_worse"), (13, "unsure_how")):
        said = a_report(course.program.id, date(2025, 3, day), done=DoneShare.NONE, reason=reason)
        record_sessions(tx, ines, [said], now=said.performed_at)
    assert listed(tx, ines, "03-18", FlagKind.BARRIER)
    assert not listed(tx, ines, "03-28", FlagKind.BARRIER)


def test_a_second_flare_does_not_end_what_the_first_told(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(flare=prescribing.Flare(items=a_draft().phases[0].items)))
    for first, last in ((3, 13), (15, 16)):
        programs.declare_flare(
            *(tx, ines, course.program.id),
            from_on=date(2025, 3, first),
            to_on=date(2025, 3, last),
            joints=[],
            note=None,
            now=at(f"03-{first:02}"),
        )
    assert told(tx, FlagKind.FLARE_LONG) == [("03-10 00", None)]


def test_the_record_tells_of_no_rise_after_a_flag_has_faded(tx: Session, ines: Caller) -> None:
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(a_dosage(), a_dosage(weekdays=None, days_per_week=2)))
    lines = [item.line_id for item in course.items]
    for day in weeks(4):
        entries = [EntryReport(line_id=lines[1])]
        said = a_report(course.program.id, day, done=DoneShare.SOME, entries=entries)
        record_sessions(tx, ines, [said], now=said.performed_at)
    tx.flush()
    kinds = [EntryKind.FLAG_OPENED, EntryKind.FLAG_RISEN, EntryKind.FLAG_CLOSED]
    found = timeline(tx, ines, course.program.patient_id, kinds=kinds, after=None, limit=100, now=at("06-01"))
    ended: set[str] = set()
    for entry in reversed(found):
        assert not (entry.kind is EntryKind.FLAG_RISEN and entry.refs["flag_id"] in ended)
        if entry.kind is EntryKind.FLAG_CLOSED:
            ended.add(entry.refs["flag_id"])
    assert ended


def test_usual_days_are_those_of_the_week(tx: Session, ines: Caller, course: Course) -> None:
    """Monday to Friday once is five of five, though the fifth day was the last."""
    log_days(tx, ines, course.program.id, weeks(1))
    tx.flush()
    (says,) = [row.evidence for row in worklist(tx, ines, limit=50, now=at("04-20")) if row.kind is FlagKind.SILENCE]
    assert says.startswith("Usually 5 of 5 days a week;")
