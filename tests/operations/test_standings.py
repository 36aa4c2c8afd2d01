"""Standings and flags as they are written: each story told in a few lines, each flag closing for the right reason."""

from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from models.adherence import Standing
from models.adherence.kinds import FlagKind
from models.adherence.view import LOOK_BACK_DAYS
from models.operations import adherence, patients, prescribing, programs, sweep
from models.operations.callers import Caller
from models.operations.courses import Course
from models.operations.sessions import record_sessions
from models.operations.standings import forecast_of
from models.operations.worklist import Row, worklist
from models.tables import DoneShare, Flag, Pause, PauseReason, ProgramStanding
from tests.builders import (
    DAY,
    MONDAY,
    NOON,
    a_clinic,
    a_patient,
    a_program,
    a_report,
    at,
    discharged,
    log_days,
    screened,
    weeks,
)

MIDNIGHT = timedelta(hours=12)


def the_list(tx: Session, caller: Caller, day: str, hour: int = 12) -> list[Row]:
    return worklist(tx, caller, limit=100, now=at(day, hour))


def closed(tx: Session, kind: FlagKind = FlagKind.SILENCE) -> list[str | None]:
    """Why flags that had come due were closed."""
    rows = select(Flag.closed_because).where(Flag.kind == kind, Flag.closed_at >= Flag.opens_at)
    return list(tx.scalars(rows.order_by(Flag.closed_at, Flag.id)))


def a_followed_program(tx: Session) -> tuple[Caller, Course]:
    """Four perfect weeks, the last session on Friday 28 March 2025."""
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(4))
    screened(tx, ines, course.program.patient_id, now=at("04-01"))
    return ines, course


def test_silence_comes_due_by_itself_at_the_very_hour(tx: Session) -> None:
    """Vector A: lapsed when 7 April ends in London, an hour before midnight UTC; nothing has run since the log."""
    ines, _ = a_followed_program(tx)
    assert the_list(tx, ines, "04-07", 22) == []
    (row,) = the_list(tx, ines, "04-07", 23)
    assert (row.kind, row.severity.word, row.opened_at) == (FlagKind.SILENCE, "medium", at("04-07", 23))
    expected = "Usually 5 of 5 days a week; nothing since 28 Mar; 6 sessions missed that we would have expected."
    assert the_list(tx, ines, "04-08")[0].evidence == expected
    assert the_list(tx, ines, "04-11", 23)[0].severity.word == "high"


def test_the_standing_row_holds_its_own_future(tx: Session) -> None:
    _, course = a_followed_program(tx)
    row = tx.scalars(select(ProgramStanding)).one()
    assert (row.standing, row.last_day, row.changes_at) == (Standing.ON_TRACK, date(2025, 3, 28), at("04-03", 23))
    told = [(change.at, change.standing) for change in forecast_of(row)]
    assert told == [
        (at("04-03", 23), Standing.WATCH),
        (at("04-07", 23), Standing.LAPSED),
        (at("04-11", 23), Standing.STOPPED),
    ]
    assert course.program.id == row.program_id


def test_a_session_closes_the_flag_and_promises_the_next(tx: Session) -> None:
    ines, course = a_followed_program(tx)
    log_days(tx, ines, course.program.id, [date(2025, 4, 9)])
    assert closed(tx) == ["returned"]
    assert the_list(tx, ines, "04-09") == []
    assert tx.scalars(select(Flag.episode).where(Flag.kind == FlagKind.SILENCE, Flag.closed_at.is_(None))).all() == [
        "2025-04-09"
    ]


def test_a_log_that_was_only_late_closes_it_as_such(tx: Session) -> None:
    ines, course = a_followed_program(tx)
    log_days(tx, ines, course.program.id, [date(2025, 4, 4)], late=timedelta(days=5))
    assert closed(tx) == ["late_data"]


def test_a_promise_that_never_came_due_leaves_no_history(tx: Session) -> None:
    a_followed_program(tx)
    assert closed(tx) == []
    assert len(tx.scalars(select(Flag).where(Flag.kind == FlagKind.SILENCE)).all()) == 1


def test_a_pause_takes_a_patient_off_the_list_until_it_ends(tx: Session) -> None:
    """Also one declared in advance, and with nothing having run; what announces looks at the same list."""
    ines, course = a_followed_program(tx)
    away = {"from_on": date(2025, 4, 10), "to_on": date(2025, 4, 20), "reason": PauseReason.HOLIDAY}
    programs.pause(tx, ines, course.program.id, **away, now=at("04-09"))  # type: ignore[arg-type]
    on_list = [(day, hour, len(the_list(tx, ines, day, hour))) for day, hour in SPAN]
    assert on_list == [("04-09", 22, 1), ("04-09", 23, 0), ("04-15", 12, 0), ("04-20", 22, 0), ("04-20", 23, 1)]
    assert sweep.announce_due(tx, ines.clinic_id, now=at("04-15")) == 0
    assert sweep.announce_due(tx, ines.clinic_id, now=at("04-21")) == 1
    assert sweep.misjudged(tx, ines.clinic_id, [course.program.id]) == []


SPAN = (("04-09", 22), ("04-09", 23), ("04-15", 12), ("04-20", 22), ("04-20", 23))


def test_a_pause_told_afterwards_closes_what_it_explains(tx: Session) -> None:
    ines, course = a_followed_program(tx)
    away = {"from_on": date(2025, 3, 31), "to_on": date(2025, 4, 11), "reason": PauseReason.ILLNESS}
    programs.pause(tx, ines, course.program.id, **away, now=at("04-09"))  # type: ignore[arg-type]
    assert closed(tx) == ["paused"]
    assert the_list(tx, ines, "04-21") == []
    assert [row.kind for row in the_list(tx, ines, "04-21", 23)] == [FlagKind.SILENCE]


def test_a_patient_who_moves_takes_their_midnights_along(tx: Session) -> None:
    ines, course = a_followed_program(tx)
    away = {"from_on": date(2025, 5, 1), "to_on": date(2025, 5, 2), "reason": PauseReason.HOLIDAY}
    programs.pause(tx, ines, course.program.id, **away, now=at("03-29"))  # type: ignore[arg-type]
    patient = patients.patient(tx, ines, course.program.patient_id)
    draft = patients.PatientDraft(given_name="Ann", family_name="Archer", time_zone="Pacific/Auckland")
    patients.amend_patient(tx, ines, patient.id, draft, version=1, now=at("03-30"))
    flag = tx.scalars(select(Flag).where(Flag.kind == FlagKind.SILENCE, Flag.closed_at.is_(None))).one()
    assert flag.opens_at.astimezone(ZoneInfo("Pacific/Auckland")).time() == time()
    assert tx.scalars(select(Pause.from_at)).one() == at("04-30", 12)
    assert sweep.misjudged(tx, ines.clinic_id, [course.program.id]) == []


def test_a_pause_declared_in_time_moves_the_promise(tx: Session) -> None:
    """Vector E."""
    ines, course = a_followed_program(tx)
    away = {"from_on": date(2025, 3, 31), "to_on": date(2025, 4, 11), "reason": PauseReason.HOLIDAY}
    programs.pause(tx, ines, course.program.id, **away, now=at("03-29"))  # type: ignore[arg-type]
    flag = tx.scalars(select(Flag).where(Flag.kind == FlagKind.SILENCE, Flag.closed_at.is_(None))).one()
    assert flag.opens_at == at("04-21", 23)


def test_not_started_opens_after_five_slots_and_closes_on_the_first_session(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    assert the_list(tx, ines, "03-07") == []
    (row,) = the_list(tx, ines, "03-08")
    assert row.evidence == "Was to start on 3 Mar, 5 days ago; no session yet."
    log_days(tx, ines, course.program.id, [date(2025, 3, 8)])
    assert closed(tx, FlagKind.NOT_STARTED) == ["started"]


def test_high_pain_settles_after_two_calm_sessions(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    for day, pain in ((3, 6), (4, 5)):
        log_days(tx, ines, course.program.id, [date(2025, 3, day)], pain_during=pain)
    assert [row.kind for row in the_list(tx, ines, "03-04", 13)] == [FlagKind.PAIN_HIGH]
    log_days(tx, ines, course.program.id, [date(2025, 3, 5)], pain_during=5)
    assert the_list(tx, ines, "03-05", 13) == []
    assert closed(tx, FlagKind.PAIN_HIGH) == ["settled"]


def test_a_reason_is_heard_the_same_day_and_fades_after_two_weeks(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    said = a_report(course.program.id, done=DoneShare.NONE, reason="symptoms_worse")
    record_sessions(tx, ines, [said], now=NOON)
    (row,) = the_list(tx, ines, "03-03")
    assert (row.severity.word, row.evidence) == ("high", "Did not exercise on 3 Mar: it made the symptoms worse.")
    kinds = [row.kind for row in the_list(tx, ines, "03-18")]
    assert FlagKind.BARRIER not in kinds


def test_pain_of_a_program_that_is_over_fades(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, [MONDAY], pain_during=8)
    programs.stop(tx, ines, course.program.id, reason="no_time", now=at("03-04"))
    kinds = [{row.kind for row in the_list(tx, ines, day)} for day in ("03-17", "03-19")]
    assert kinds == [{FlagKind.PAIN_HIGH, FlagKind.WITHDRAWN}, {FlagKind.WITHDRAWN}]


def test_a_reason_for_leaving_something_out_is_told_as_such(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    said = a_report(course.program.id, done=DoneShare.SOME, reason="no_time")
    record_sessions(tx, ines, [said], now=NOON)
    (row,) = the_list(tx, ines, "03-03")
    assert row.evidence == "Left something out on 3 Mar: no time."


def test_a_graver_reason_takes_the_place_of_a_lesser_never_the_reverse(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    for day, reason in ((3, "no_time"), (4, "symptoms_worse"), (5, "no_time")):
        said = a_report(course.program.id, date(2025, 3, day), done=DoneShare.NONE, reason=reason)
        record_sessions(tx, ines, [said], now=at(f"03-0{day}"))
    assert closed(tx, FlagKind.BARRIER) == ["superseded"]
    (row,) = the_list(tx, ines, "03-05")
    assert (row.severity.word, row.evidence) == ("high", "Did not exercise on 4 Mar: it made the symptoms worse.")


def test_nothing_done_is_contact_not_exercise(tx: Session) -> None:
    """It does not move the last day, and it proves that nothing is waiting to be sent."""
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, weeks(4), late=4 * DAY)
    promised = tx.scalars(select(Flag.opens_at).where(Flag.kind == FlagKind.SILENCE, Flag.closed_at.is_(None))).one()
    assert promised == at("04-14", 23)
    said = a_report(course.program.id, date(2025, 4, 8), done=DoneShare.NONE, reason="no_time")
    record_sessions(tx, ines, [said], now=at("04-08"))
    flag = tx.scalars(select(Flag).where(Flag.kind == FlagKind.SILENCE, Flag.closed_at.is_(None))).one()
    assert (flag.episode, flag.opens_at) == ("2025-03-28", at("04-08") + timedelta(minutes=15))


def test_stopping_ends_the_clock_and_tells_the_therapist_why(tx: Session) -> None:
    ines, course = a_followed_program(tx)
    programs.stop(tx, ines, course.program.id, reason="not_helping", now=at("04-01"))
    (row,) = the_list(tx, ines, "05-01")
    assert (row.kind, row.severity.word) == (FlagKind.WITHDRAWN, "high")
    assert row.evidence == "Stopped the program on 1 Apr: it is not helping."
    log_days(tx, ines, course.program.id, [date(2025, 3, 31)], late=5 * DAY)
    assert the_list(tx, ines, "05-01") == [row]  # what came late does not unsay it
    assert sweep.misjudged(tx, ines.clinic_id, [course.program.id]) == []
    assert tx.scalars(select(ProgramStanding.standing)).one() is Standing.WITHDRAWN
    for moment, standing in (("03-31", Standing.ON_TRACK), ("04-01", Standing.WITHDRAWN)):
        known = adherence.following(tx, ines, course.program.id, as_of=at(moment), now=at("05-01"))
        assert known.assessment.standing is standing


def test_discharge_goes_on_watching_the_maintenance_program(tx: Session) -> None:
    ines, course = a_followed_program(tx)
    maintenance = prescribing.ProgramDraft(protocol="chronic-lbp-core-stabilisation")
    following = discharged(tx, ines, course.program.id, maintenance, now=at("03-30"))
    assert (following.type, following.previous_program_id) == ("maintenance", course.program.id)
    assert closed(tx) == []  # the promise had not come due: nothing to close
    (row,) = the_list(tx, ines, "04-10")
    assert (row.kind, row.program_id) == (FlagKind.NOT_STARTED, following.id)


def test_the_past_can_be_judged_as_it_was_known(tx: Session) -> None:
    ines, course = a_followed_program(tx)
    log_days(tx, ines, course.program.id, [date(2025, 4, 4)], late=10 * DAY)
    before = adherence.following(tx, ines, course.program.id, as_of=at("04-10"), now=at("05-01"))
    after = adherence.following(tx, ines, course.program.id, as_of=at("04-15"), now=at("05-01"))
    assert (before.assessment.standing, before.last_day, before.missed) == (Standing.LAPSED, date(2025, 3, 28), 8)
    assert after.last_day == date(2025, 4, 4)


def test_a_log_dated_far_back_reads_its_own_week_and_what_is_recent(tx: Session) -> None:
    """100 days of sessions, and one more of the first week that comes now: not all that lies between."""
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    log_days(tx, ines, course.program.id, [MONDAY + number * DAY for number in range(1, 100)])
    tx.flush()  # so that what is read below is only what the log reads
    connection = tx.connection()
    read: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "JOIN session_entry" in statement:
            read.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    log_days(tx, ines, course.program.id, [MONDAY], late=100 * DAY)
    event.remove(connection, "before_cursor_execute", note)
    rows = [len(connection.exec_driver_sql(*one).all()) for one in read]
    assert rows == [LOOK_BACK_DAYS + 4, 7]
    assert sweep.misjudged(tx, ines.clinic_id, [course.program.id]) == []
