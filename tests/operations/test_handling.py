"""What therapists do about flags, told as stories: what closing means for each kind, and what comes back."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.adherence.kinds import FlagKind, Severity
from models.operations import findings, handling, notices, patients, prescribing, programs, sweep
from models.operations.callers import Caller
from models.operations.checking import check_program
from models.operations.courses import Course
from models.operations.handling import FlagState, Handled
from models.operations.policy import visible_programs
from models.operations.sessions import Deletion, record_sessions
from models.operations.worklist import Row, worklist
from models.refusals import FlagClosed, FlagNotOpen, Invalid, NotAllowed, NotByHand, Unknown, VersionMismatch
from models.tables import ConditionStatus, DoneShare, Flag, Role
from tests.builders import (
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
    log_days,
    weeks,
)

SEEN = "Seen by Dr. Okafor today; cleared to go on."


def rows(tx: Session, caller: Caller, day: str, hour: int = 12) -> list[Row]:
    return worklist(tx, caller, limit=100, now=at(day, hour))


def kinds(tx: Session, caller: Caller, day: str, hour: int = 12) -> list[tuple[str, str]]:
    return [(row.kind.value, row.severity.word) for row in rows(tx, caller, day, hour)]


def close(tx: Session, caller: Caller, row: Row, day: str, *, because: Handled = Handled.HANDLED, **but: Any) -> Flag:
    asked: dict[str, Any] = {"version": row.version, "now": at(day)} | but
    note = asked.pop("note", None)
    return handling.close(tx, caller, row.flag_id, because, note, **asked)


def all_is_as_rebuilt(tx: Session, caller: Caller, course: Course) -> bool:
    tx.flush()
    return sweep.misjudged(tx, caller.clinic_id, [course.program.id]) == []


@pytest.fixture
def ines(tx: Session) -> Caller:
    return a_clinic(tx)


@pytest.fixture
def course(tx: Session, ines: Caller) -> Course:
    """Running since Monday 3 March."""
    return a_program(tx, ines, a_patient(tx, ines))


@pytest.fixture
def silent(tx: Session, ines: Caller, course: Course) -> Course:
    """Four perfect weeks, then nothing: lapsed when 7 April ends, stopped when 11 April does."""
    log_days(tx, ines, course.program.id, weeks(4))
    return course


# Silence.


def test_a_silence_closed_by_hand_stays_closed_through_later_writes(tx: Session, ines: Caller, silent: Course) -> None:
    (row,) = rows(tx, ines, "04-13")
    assert (row.kind, row.severity) == (FlagKind.SILENCE, Severity.HIGH)
    close(tx, ines, row, "04-13", because=Handled.REACHED_AGREED)
    assert rows(tx, ines, "04-13") == []
    assert all_is_as_rebuilt(tx, ines, silent)
    said = a_report(silent.program.id, date(2025, 4, 14), done=DoneShare.NONE, reason="no_time")
    record_sessions(tx, ines, [said], now=at("04-14"))
    sweep.reassess(tx, ines.clinic_id, [silent.program.id], now=at("04-20"))
    assert kinds(tx, ines, "04-20") == [("barrier", "medium")]
    assert all_is_as_rebuilt(tx, ines, silent)


def test_the_next_silence_is_a_new_flag_and_the_old_one_is_its_history(
    tx: Session, ines: Caller, silent: Course
) -> None:
    (row,) = rows(tx, ines, "04-13")
    closed = close(tx, ines, row, "04-13")
    log_days(tx, ines, silent.program.id, weeks(2, start=date(2025, 4, 14)))
    (again,) = rows(tx, ines, "05-15")
    assert (again.kind, again.flag_id == closed.id) == (FlagKind.SILENCE, False)
    known = handling.flag_of(tx, ines, again.flag_id, now=at("05-15"))
    assert [one.id for one in known.earlier] == [closed.id]
    assert all_is_as_rebuilt(tx, ines, silent)


def test_a_session_taken_back_does_not_bring_a_closed_silence_back(tx: Session, ines: Caller, silent: Course) -> None:
    (row,) = rows(tx, ines, "04-13")
    close(tx, ines, row, "04-13")
    mistaken = a_report(silent.program.id, date(2025, 4, 14))
    record_sessions(tx, ines, [mistaken], now=at("04-14"))
    gone = Deletion(id=mistaken.id, program_id=silent.program.id, base_version=1)
    record_sessions(tx, ines, [gone], now=at("04-14", 13))
    assert rows(tx, ines, "05-15") == []
    assert all_is_as_rebuilt(tx, ines, silent)


def test_a_lapse_closed_by_hand_comes_back_when_it_rises_to_stopped(tx: Session, ines: Caller, silent: Course) -> None:
    """Who called at lapsed has not seen stopped; it opens by itself at the very hour, as any promise."""
    (row,) = rows(tx, ines, "04-08")
    assert row.severity is Severity.MEDIUM
    close(tx, ines, row, "04-08", because=Handled.REACHED_AGREED)
    assert rows(tx, ines, "04-11", 22) == []
    (risen,) = rows(tx, ines, "04-11", 23)
    assert (risen.kind, risen.severity, risen.opened_at) == (FlagKind.SILENCE, Severity.HIGH, at("04-11", 23))
    assert risen.flag_id != row.flag_id
    assert all_is_as_rebuilt(tx, ines, silent)
    close(tx, ines, risen, "04-12")
    sweep.reassess(tx, ines.clinic_id, [silent.program.id], now=at("04-30"))
    assert rows(tx, ines, "05-30") == []
    assert all_is_as_rebuilt(tx, ines, silent)


def test_a_rise_that_late_news_move_before_the_closing_opens_no_sooner_than_it(
    tx: Session, ines: Caller, silent: Course
) -> None:
    (row,) = rows(tx, ines, "04-08")
    close(tx, ines, row, "04-08")
    for day in ("04-09", "04-11"):
        said = a_report(silent.program.id, date.fromisoformat(f"2025-{day}"), done=DoneShare.NONE, reason="no_time")
        record_sessions(tx, ines, [said], now=at(day))
    opened = tx.scalars(select(Flag.opens_at).where(Flag.kind == FlagKind.SILENCE, Flag.closed_at.is_(None))).one()
    assert opened >= at("04-08")
    assert all_is_as_rebuilt(tx, ines, silent)


def test_returning_between_closing_and_rising_withdraws_the_promise(tx: Session, ines: Caller, silent: Course) -> None:
    (row,) = rows(tx, ines, "04-08")
    close(tx, ines, row, "04-08", because=Handled.REACHED_AGREED)
    log_days(tx, ines, silent.program.id, [date(2025, 4, 9)])
    assert kinds(tx, ines, "04-11", 23) == [("screening_due", "medium")]
    assert all_is_as_rebuilt(tx, ines, silent)


# Pain, reasons, reviews, a start that did not come.


def test_pain_closed_by_hand_comes_back_with_a_new_painful_session_only(
    tx: Session, ines: Caller, course: Course
) -> None:
    program_id = course.program.id
    log_days(tx, ines, program_id, [MONDAY], pain_during=8)
    (row,) = rows(tx, ines, "03-03", 13)
    assert row.kind is FlagKind.PAIN_HIGH
    close(tx, ines, row, "03-03", now=at("03-03", 13))
    log_days(tx, ines, program_id, [MONDAY + DAY], pain_during=5)
    assert rows(tx, ines, "03-04", 13) == []
    assert all_is_as_rebuilt(tx, ines, course)
    log_days(tx, ines, program_id, [MONDAY + 2 * DAY], pain_during=7)
    assert kinds(tx, ines, "03-05", 13) == [("pain_high", "urgent")]
    assert all_is_as_rebuilt(tx, ines, course)


def test_a_painful_session_amended_to_worse_after_the_closing_is_told_again(
    tx: Session, ines: Caller, course: Course
) -> None:
    said = a_report(course.program.id, pain_during=6)
    record_sessions(tx, ines, [said], now=NOON)
    (row,) = rows(tx, ines, "03-03")
    close(tx, ines, row, "03-03", now=at("03-03", 13))
    for version, pain, hour, found in ((1, 6, 14, []), (2, 9, 15, [("pain_high", "urgent")])):
        amended = a_report(course.program.id, id=said.id, pain_during=pain, effort=version, base_version=version)
        record_sessions(tx, ines, [amended], now=at("03-03", hour))
        assert kinds(tx, ines, "03-03", hour) == found
    assert all_is_as_rebuilt(tx, ines, course)


def test_a_reason_that_was_answered_no_longer_hides_a_lesser_one(tx: Session, ines: Caller, course: Course) -> None:
    for day, reason in ((3, "symptoms_worse"), (4, "no_time")):
        said = a_report(course.program.id, date(2025, 3, day), done=DoneShare.NONE, reason=reason)
        record_sessions(tx, ines, [said], now=at(f"03-0{day}"))
    (row,) = rows(tx, ines, "03-04")
    assert "worse" in row.evidence
    close(tx, ines, row, "03-04")
    (left,) = rows(tx, ines, "03-04")
    assert (left.kind, left.severity) == (FlagKind.BARRIER, Severity.MEDIUM)
    assert "no time" in left.evidence
    close(tx, ines, left, "03-05")
    sweep.reassess(tx, ines.clinic_id, [course.program.id], now=at("03-06"))
    assert rows(tx, ines, "03-06") == []
    assert all_is_as_rebuilt(tx, ines, course)


def test_an_answered_reason_amended_to_a_graver_one_is_told_again(tx: Session, ines: Caller, course: Course) -> None:
    said = a_report(course.program.id, done=DoneShare.NONE, reason="no_time")
    record_sessions(tx, ines, [said], now=NOON)
    (row,) = rows(tx, ines, "03-03")
    close(tx, ines, row, "03-03")
    worse = a_report(course.program.id, id=said.id, done=DoneShare.NONE, reason="symptoms_worse", base_version=1)
    record_sessions(tx, ines, [worse], now=at("03-03", 13))
    assert kinds(tx, ines, "03-03", 13) == [("barrier", "high")]
    assert all_is_as_rebuilt(tx, ines, course)


def test_not_started_and_review_due_stay_closed_until_there_is_another(
    tx: Session, ines: Caller, course: Course
) -> None:
    (row,) = rows(tx, ines, "03-10")
    assert row.kind is FlagKind.NOT_STARTED
    close(tx, ines, row, "03-10")
    programs.review(tx, ines, course.program.id, note=None, next_review_on=date(2025, 3, 20), now=at("03-11"))
    assert kinds(tx, ines, "03-22") == [("review_due", "medium")]
    (due,) = rows(tx, ines, "03-22")
    close(tx, ines, due, "03-22")
    sweep.reassess(tx, ines.clinic_id, [course.program.id], now=at("03-23"))
    assert rows(tx, ines, "03-23") == []
    assert all_is_as_rebuilt(tx, ines, course)
    programs.review(tx, ines, course.program.id, note=None, next_review_on=date(2025, 4, 1), now=at("03-24"))
    assert kinds(tx, ines, "04-03") == [("review_due", "medium")]


# Red flags and falls.


def a_red_flag(tx: Session, ines: Caller, course: Course, chip: str = "RF-01") -> tuple[UUID, Row]:
    said = a_report(course.program.id, chips=[chip])
    record_sessions(tx, ines, [said], now=NOON)
    row = rows(tx, ines, "03-03")[0]
    assert row.kind in {FlagKind.RED_FLAG, FlagKind.FALL}
    return said.id, row


def test_a_red_flag_closes_with_a_disposition_by_a_therapist_and_is_never_put_off(
    tx: Session, ines: Caller, course: Course
) -> None:
    admin = a_member(tx, ines.clinic_id, Role.ADMIN)
    for chip in ("RF-01", "fall"):
        _, row = a_red_flag(tx, ines, course, chip)
        with pytest.raises(NotByHand):
            handling.snooze(tx, ines, row.flag_id, days=7, until=None, version=row.version, now=NOON)
        with pytest.raises(NotAllowed):
            close(tx, admin, row, "03-03", note=SEEN)
        with pytest.raises(Invalid) as refused:
            close(tx, ines, row, "03-03")
        assert refused.value.field == "/note"
        closed = close(tx, ines, row, "03-03", note=SEEN)
        assert (closed.closed_by, closed.closed_note) == (ines.account_id, SEEN)


def test_a_red_flag_seen_to_unlocks_the_phone_and_the_safety_check(tx: Session, ines: Caller, course: Course) -> None:
    patient_id = course.program.patient_id
    a_red_flag(tx, ines, course)
    patients.record_screening(tx, ines, patient_id, {"RF-02": True}, None, now=at("03-03", 13))
    draft = prescribing.create_program(tx, ines, patient_id, a_draft(), now=at("03-03", 13)).id

    def is_blocked() -> bool:
        every = visible_programs(ines)
        found = check_program(tx, every, ines.clinic_id, draft, now=at("03-03", 15)).findings
        return any(one.rule == "R-01" and one.severity == "block" for one in found)

    caution = notices.caution_for(tx, ines.clinic_id, patient_id, at("03-03", 13))
    assert caution
    assert caution.is_locked
    assert is_blocked()
    (row,) = rows(tx, ines, "03-03", 13)
    close(tx, ines, row, "03-03", note=SEEN, now=at("03-03", 14))
    tx.flush()
    assert notices.caution_for(tx, ines.clinic_id, patient_id, at("03-03", 14)) is None
    assert not is_blocked()
    # Said once more, it counts once more.
    patients.record_screening(tx, ines, patient_id, {"RF-02": True}, None, now=at("03-03", 15))
    again = notices.caution_for(tx, ines.clinic_id, patient_id, at("03-03", 15))
    assert again
    assert again.is_locked
    assert is_blocked()


def test_amending_the_session_that_raised_it_does_not_raise_it_again(tx: Session, ines: Caller, course: Course) -> None:
    session_id, row = a_red_flag(tx, ines, course)
    close(tx, ines, row, "03-03", note=SEEN)
    same = a_report(course.program.id, id=session_id, chips=["RF-01"], effort=3, base_version=1)
    record_sessions(tx, ines, [same], now=at("03-03", 14))
    assert rows(tx, ines, "03-03", 14) == []
    more = a_report(course.program.id, id=session_id, chips=["RF-01", "RF-06"], effort=3, base_version=2)
    record_sessions(tx, ines, [more], now=at("03-03", 15))
    (again,) = rows(tx, ines, "03-03", 15)
    assert (again.kind, again.flag_id == row.flag_id) == (FlagKind.RED_FLAG, False)
    assert "Reported" in again.evidence


def test_the_same_chip_in_another_session_opens_a_new_red_flag(tx: Session, ines: Caller, course: Course) -> None:
    _, row = a_red_flag(tx, ines, course)
    close(tx, ines, row, "03-03", note=SEEN)
    record_sessions(tx, ines, [a_report(course.program.id, MONDAY + DAY, chips=["RF-01"])], now=at("03-04"))
    assert kinds(tx, ines, "03-04") == [("red_flag", "emergency")]


def test_what_a_patient_adds_meanwhile_is_not_closed_unread(tx: Session, ines: Caller, course: Course) -> None:
    """Who closes what they have read has not read this; and it takes back that somebody took it on."""
    _, row = a_red_flag(tx, ines, course, "RF-06")
    handling.acknowledge(tx, ines, row.flag_id, now=NOON)
    (read,) = rows(tx, ines, "03-03")
    assert read.is_acknowledged
    record_sessions(tx, ines, [a_report(course.program.id, chips=["RF-01"])], now=at("03-03", 13))
    with pytest.raises(VersionMismatch):
        close(tx, ines, read, "03-03", note=SEEN)
    (now,) = rows(tx, ines, "03-03", 13)
    assert not now.is_acknowledged
    close(tx, ines, now, "03-03", note=SEEN, now=at("03-03", 14))


def test_an_endangered_program_is_changed_not_closed(tx: Session, ines: Caller) -> None:
    ann = a_patient(tx, ines)
    (phase,) = a_draft(a_dosage()).phases
    curl_up = prescribing.ItemDraft(exercise="modified-curl-up", dosage=a_dosage())
    said = a_draft(phases=[prescribing.PhaseDraft(label=phase.label, from_day=1, to_day=None, items=[curl_up])])
    a_program(tx, ines, ann, said)
    brittle = findings.ConditionDraft(code="osteoporosis", status=ConditionStatus.CONFIRMED)
    findings.record_condition(tx, ines, ann.id, brittle, now=NOON)
    (row,) = rows(tx, ines, "03-03")
    assert row.kind is FlagKind.ENDANGERED
    with pytest.raises(NotByHand):
        close(tx, ines, row, "03-03", note="It is fine")
    with pytest.raises(NotByHand):
        handling.snooze(tx, ines, row.flag_id, days=7, until=None, version=row.version, now=NOON)


# Taking on, putting off, and the refusals.


def test_whoever_takes_it_on_first_stays_until_it_rises(tx: Session, ines: Caller, silent: Course) -> None:
    tomas = a_member(tx, ines.clinic_id, Role.THERAPIST)
    (row,) = rows(tx, ines, "04-08")
    for caller in (ines, tomas):
        handling.acknowledge(tx, caller, row.flag_id, now=at("04-08"))
    flag = tx.get_one(Flag, {"clinic_id": ines.clinic_id, "id": row.flag_id})
    assert (flag.acknowledged_by, flag.version) == (ines.account_id, row.version + 1)
    assert [one.is_acknowledged for one in rows(tx, ines, "04-09")] == [True]
    assert [one.is_acknowledged for one in rows(tx, ines, "04-12")] == [False]
    handling.acknowledge(tx, tomas, row.flag_id, now=at("04-12"))
    known = handling.flag_of(tx, ines, row.flag_id, now=at("04-12"))
    assert [(one.event.value, one.by_name) for one in known.history] == [
        ("opened", None),
        ("acknowledged", "A therapist"),
        ("risen", None),
        ("acknowledged", "A therapist"),
    ]
    assert flag.acknowledged_by == tomas.account_id
    assert all_is_as_rebuilt(tx, ines, silent)


def test_a_snoozed_flag_is_back_when_the_patients_day_begins_and_is_not_announced_before(
    tx: Session, ines: Caller, silent: Course
) -> None:
    (row,) = rows(tx, ines, "04-13")
    flag = handling.snooze(tx, ines, row.flag_id, days=7, until=None, version=row.version, now=at("04-13"))
    assert flag.snoozed_until == at("04-19", 23)
    assert handling.state_at(flag, at("04-14")) is FlagState.SNOOZED
    assert sweep.announce_due(tx, ines.clinic_id, now=at("04-15")) == 0
    assert [len(rows(tx, ines, "04-19", hour)) for hour in (22, 23)] == [0, 1]
    assert sweep.announce_due(tx, ines.clinic_id, now=at("04-20")) == 1
    assert all_is_as_rebuilt(tx, ines, silent)


def test_a_snooze_ends_when_the_flag_rises(tx: Session, ines: Caller, silent: Course) -> None:
    (row,) = rows(tx, ines, "04-08")
    handling.snooze(tx, ines, row.flag_id, days=30, until=None, version=row.version, now=at("04-08"))
    assert [len(rows(tx, ines, "04-11", hour)) for hour in (22, 23)] == [0, 1]
    assert sweep.misjudged(tx, ines.clinic_id, [silent.program.id]) == []


def test_a_patient_who_returns_closes_a_snoozed_flag(tx: Session, ines: Caller, silent: Course) -> None:
    (row,) = rows(tx, ines, "04-13")
    handling.snooze(tx, ines, row.flag_id, days=30, until=None, version=row.version, now=at("04-13"))
    log_days(tx, ines, silent.program.id, [date(2025, 4, 14)])
    known = handling.flag_of(tx, ines, row.flag_id, now=at("04-15"))
    assert (known.state, known.flag.closed_because, known.flag.closed_by) == (FlagState.CLOSED, "returned", None)


@pytest.mark.parametrize("until", [date(2025, 4, 13), date(2025, 4, 12), date(2025, 5, 14)])
def test_a_snooze_is_from_tomorrow_to_thirty_days_ahead(tx: Session, ines: Caller, silent: Course, until: date) -> None:
    assert silent
    (row,) = rows(tx, ines, "04-13")
    with pytest.raises(Invalid) as refused:
        handling.snooze(tx, ines, row.flag_id, days=None, until=until, version=row.version, now=at("04-13"))
    assert refused.value.field == "/until"
    last = date(2025, 5, 13)
    flag = handling.snooze(tx, ines, row.flag_id, days=None, until=last, version=row.version, now=at("04-13"))
    assert flag.snoozed_until == at("05-12", 23)


def test_a_promise_is_nothing_to_act_on(tx: Session, ines: Caller, silent: Course) -> None:
    assert silent
    promise = tx.scalars(select(Flag).where(Flag.kind == FlagKind.SILENCE, Flag.closed_at.is_(None))).one()
    assert handling.flag_of(tx, ines, promise.id, now=at("04-01")).state is FlagState.PROMISED
    with pytest.raises(FlagNotOpen):
        handling.acknowledge(tx, ines, promise.id, now=at("04-01"))
    with pytest.raises(FlagNotOpen):
        handling.snooze(tx, ines, promise.id, days=7, until=None, version=promise.version, now=at("04-01"))
    with pytest.raises(FlagNotOpen):
        handling.close(tx, ines, promise.id, Handled.HANDLED, None, version=promise.version, now=at("04-01"))


def test_a_reason_that_faded_is_nothing_to_act_on_either(tx: Session, ines: Caller, course: Course) -> None:
    said = a_report(course.program.id, done=DoneShare.NONE, reason="no_time")
    record_sessions(tx, ines, [said], now=NOON)
    (row,) = rows(tx, ines, "03-03")
    assert handling.flag_of(tx, ines, row.flag_id, now=at("03-20")).state is FlagState.FADED
    with pytest.raises(FlagClosed):
        close(tx, ines, row, "03-20")


def test_closing_twice_is_closing_once_and_others_are_told_who_was_first(
    tx: Session, ines: Caller, silent: Course
) -> None:
    assert silent
    tomas = a_member(tx, ines.clinic_id, Role.THERAPIST)
    (row,) = rows(tx, ines, "04-13")
    first = close(tx, ines, row, "04-13", note="Called")
    again = close(tx, ines, row, "04-14", note="Called")
    assert (again.closed_at, again.version) == (first.closed_at, first.version)
    for caller, note in ((tomas, "Called"), (ines, "Called twice")):
        with pytest.raises(FlagClosed) as refused:
            close(tx, caller, row, "04-14", note=note)
        assert refused.value.more["closed_by"] == str(ines.account_id)
    with pytest.raises(FlagClosed):
        handling.acknowledge(tx, tomas, row.flag_id, now=at("04-14"))


def test_other_is_no_reason_without_words(tx: Session, ines: Caller, silent: Course) -> None:
    assert silent
    (row,) = rows(tx, ines, "04-13")
    with pytest.raises(Invalid) as refused:
        close(tx, ines, row, "04-13", because=Handled.OTHER)
    assert refused.value.field == "/note"
    assert close(tx, ines, row, "04-13", because=Handled.OTHER, note="In hospital").closed_because == "other"


def test_a_flag_of_another_clinic_or_of_a_patient_who_is_gone_does_not_exist(
    tx: Session, ines: Caller, silent: Course
) -> None:
    stranger = a_clinic(tx)
    (row,) = rows(tx, ines, "04-13")
    for deed in (
        lambda: handling.flag_of(tx, stranger, row.flag_id, now=at("04-13")),
        lambda: handling.acknowledge(tx, stranger, row.flag_id, now=at("04-13")),
        lambda: close(tx, stranger, row, "04-13"),
    ):
        with pytest.raises(Unknown):
            deed()
    patients.patient(tx, ines, silent.program.patient_id).deleted_at = at("04-13")
    tx.flush()
    for mine in (
        lambda: handling.flag_of(tx, ines, row.flag_id, now=at("04-13")),
        lambda: handling.acknowledge(tx, ines, row.flag_id, now=at("04-13")),
    ):
        with pytest.raises(Unknown):
            mine()
