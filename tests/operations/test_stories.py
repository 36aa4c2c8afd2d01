"""A patient's weeks in a few lines: each flag opens at its very hour, and closes for the right reason."""

from collections.abc import Sequence
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.adherence.flags import RULES
from models.adherence.kinds import FlagKind
from models.operations import devices, measures, patients, prescribing, programs, sweep
from models.operations.callers import Caller
from models.operations.courses import Course
from models.operations.handling import Handled, close
from models.operations.measures import MeasurementDraft, record_measurement
from models.operations.sessions import EntryReport, record_sessions
from models.tables import CheckIn, DoneShare, Flag, Patient
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
    at,
    discharged,
    log_days,
    screened,
    weeks,
)

STRENGTH, WALK = 0, 1
"""The lines of `two_lines`: a bird dog, which trains strength and the trunk, and an easy walk."""


@pytest.fixture
def ines(tx: Session) -> Caller:
    return a_clinic(tx)


@pytest.fixture
def course(tx: Session, ines: Caller) -> Course:
    """Five weekdays a week since Monday 3 March, in London: from 30 March on its midnights are at 23 UTC."""
    return a_program(tx, ines, a_patient(tx, ines))


@pytest.fixture
def two_lines(tx: Session, ines: Caller) -> Course:
    draft = a_draft(a_dosage(), a_dosage(), a_dosage(), a_dosage(sets=None, reps=None, duration_minutes=20))
    items = [draft.phases[0].items[number] for number in (0, 3)]
    phase = draft.phases[0].__class__(label="All along", from_day=1, to_day=None, items=items)
    return a_program(tx, ines, a_patient(tx, ines), a_draft(phases=[phase]))


def told(tx: Session, kind: FlagKind) -> list[tuple[str, str | None]]:
    """The hours at which flags of a kind opened, in UTC, and why they closed; promises nobody saw left out."""
    rows = tx.scalars(select(Flag).where(Flag.kind == kind).order_by(Flag.opens_at, Flag.id)).all()
    seen = [row for row in rows if row.closed_at is None or row.opens_at <= row.closed_at]
    return [(f"{row.opens_at:%m-%d %H}", row.closed_because) for row in seen]


def the_flag(tx: Session, kind: FlagKind) -> Flag:
    return tx.scalars(select(Flag).where(Flag.kind == kind, Flag.closed_at.is_(None))).one()


def does(tx: Session, ines: Caller, course: Course, lines: Sequence[int], days: Sequence[date], **but: object) -> None:
    """Some of the program's lines on each day."""
    for day in days:
        entries = [EntryReport(line_id=course.items[number].line_id, **but) for number in lines]  # type: ignore[arg-type]
        said = a_report(course.program.id, day, done=DoneShare.SOME, entries=entries)
        record_sessions(tx, ines, [said], now=said.performed_at)


def is_as_rebuilt(tx: Session, ines: Caller, course: Course) -> bool:
    tx.flush()
    return sweep.misjudged(tx, ines.clinic_id, [course.program.id]) == []


def test_every_kind_that_closes_by_itself_has_a_story() -> None:
    """And those of the first flags have theirs in test_standings and test_handling."""
    here = {name for name in globals() if name.startswith("test_")}
    elsewhere = {"silence", "not_started", "pain_high", "barrier", "withdrawn", "review_due"}
    judged = {rule.kind.value for rule in RULES.values() if rule.judge}
    assert {kind for kind in judged if not any(kind in name for name in here)} == elsewhere


def test_pain_24h_is_told_at_once_until_a_morning_is_calm(tx: Session, ines: Caller, course: Course) -> None:
    program_id = course.program.id
    log_days(tx, ines, program_id, weeks(1)[:2], pain_before=2)
    log_days(tx, ines, program_id, [MONDAY + 2 * DAY], pain_before=4)  # two more than the day before
    assert told(tx, FlagKind.PAIN_24H) == [("03-05 12", None)]
    log_days(tx, ines, program_id, [MONDAY + 3 * DAY], settled_by_morning=False)
    log_days(tx, ines, program_id, [MONDAY + 4 * DAY], settled_by_morning=True)
    assert told(tx, FlagKind.PAIN_24H) == [("03-05 12", "settled")]


def test_pain_trend_opens_with_the_session_that_lifts_the_median(tx: Session, ines: Caller, course: Course) -> None:
    """Three at 2, then 4, 5, 4: the last three at a median of 4 are two points and 100 % above."""
    for day, pain in zip(weeks(3), (2, 2, 2, 4, 5, 4, 2, 2, 2, 2, 2), strict=False):
        log_days(tx, ines, course.program.id, [day], pain_during=pain)
    # Back under for three sessions in a row: medians of 2 on 12, 13 and 14 March.
    assert told(tx, FlagKind.PAIN_TREND) == [("03-10 12", "settled")]
    assert is_as_rebuilt(tx, ines, course)


def test_spreading_is_two_of_the_last_four(tx: Session, ines: Caller, course: Course) -> None:
    days = weeks(2)
    log_days(tx, ines, course.program.id, days[:1], chips=["further_down"])
    log_days(tx, ines, course.program.id, days[1:3])
    assert told(tx, FlagKind.SPREADING) == []
    log_days(tx, ines, course.program.id, days[3:4], chips=["further_down"])
    log_days(tx, ines, course.program.id, days[4:5])  # the first has moved out of the last four
    assert told(tx, FlagKind.SPREADING) == [("03-06 12", "settled")]


def test_returned_stands_beside_the_rest_for_two_weeks(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, [*weeks(4), date(2025, 4, 9)])
    flag = the_flag(tx, FlagKind.RETURNED)
    assert (flag.opens_at, flag.expires_at) == (at("04-09"), at("04-23"))
    assert flag.evidence == {"day": "2025-04-09", "absent_since": "2025-03-28"}
    # The days of that silence are the silence's: they are not held against how the program is followed.
    assert told(tx, FlagKind.LOW_ADHERENCE) == told(tx, FlagKind.DECLINING) == []
    assert told(tx, FlagKind.SILENCE)[0] == ("04-07 23", "returned")


def test_sync_stale_waits_a_week_or_three_times_the_usual_gap(tx: Session, ines: Caller, course: Course) -> None:
    patient = tx.get_one(Patient, {"clinic_id": ines.clinic_id, "id": course.program.patient_id})
    ann = as_patient(tx, ines, patient)

    def in_touch(*days: int) -> None:
        for day in days:
            devices.in_touch(tx, ann, now=NOON + day * DAY)

    in_touch(0, 1, 2)
    log_days(tx, ines, course.program.id, [MONDAY + 2 * DAY])
    assert the_flag(tx, FlagKind.SYNC_STALE).opens_at == at("03-12")
    in_touch(7, 12)
    log_days(tx, ines, course.program.id, [MONDAY + 12 * DAY])
    # Gaps of 1, 1, 5 and 5 days: three times their median of 3 is 9 days.
    assert the_flag(tx, FlagKind.SYNC_STALE).opens_at == at("03-24")


def test_low_trust_is_three_of_ten_dated_back(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, weeks(1)[:3], late=8 * DAY)
    flag = the_flag(tx, FlagKind.LOW_TRUST)
    assert (flag.opens_at, flag.expires_at) == (at("03-13"), at("03-27"))


def test_low_adherence_opens_when_it_is_sure_and_names_the_days(tx: Session, ines: Caller, course: Course) -> None:
    """Three of five days a week: sure of less than 80 % with the fifth session, of eight expected."""
    log_days(tx, ines, course.program.id, weeks(4, (0, 2, 4)))
    (opened,) = told(tx, FlagKind.LOW_ADHERENCE)
    assert opened == ("03-12 12", None)
    assert the_flag(tx, FlagKind.LOW_ADHERENCE).evidence == {
        "done": 12.0,
        "expected": 20.0,
        "days": 26,
        "through": "2025-03-28",
        "silent_days": 0,
    }
    # What is closed by hand is counted anew from the next day: eight days must be expected first.
    tx.flush()
    flag = the_flag(tx, FlagKind.LOW_ADHERENCE)
    close(tx, ines, flag.id, Handled.REACHED_AGREED, None, version=flag.version, now=at("03-28", 13))
    log_days(tx, ines, course.program.id, weeks(2, (0, 2, 4), date(2025, 3, 31)))
    assert [because for _, because in told(tx, FlagKind.LOW_ADHERENCE)] == ["reached_agreed", None]
    assert is_as_rebuilt(tx, ines, course)


def test_low_adherence_closes_when_the_patient_comes_more_often(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, weeks(2, (0, 2, 4)) + weeks(5, start=date(2025, 3, 17)))
    assert [because for _, because in told(tx, FlagKind.LOW_ADHERENCE)] == ["settled"]


def test_declining_compares_two_weeks_with_the_four_before(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, weeks(4) + weeks(2, (0, 2), date(2025, 3, 31)))
    ((opened, because),) = told(tx, FlagKind.DECLINING)
    assert (opened[:2], because) == ("04", None)
    assert the_flag(tx, FlagKind.DECLINING).evidence["share_before"] == 1.0


def test_incomplete_is_the_same_exercise_left_out_again_and_again(tx: Session, ines: Caller, two_lines: Course) -> None:
    does(tx, ines, two_lines, [WALK], weeks(1))
    assert told(tx, FlagKind.INCOMPLETE) == [("03-06 12", None)]  # four expected days are enough to say so
    does(tx, ines, two_lines, [STRENGTH, WALK], weeks(1, start=MONDAY + 7 * DAY))
    assert [because for _, because in told(tx, FlagKind.INCOMPLETE)] == ["settled"]


def test_partial_dose_is_the_median_of_six_sessions(tx: Session, ines: Caller, two_lines: Course) -> None:
    does(tx, ines, two_lines, [STRENGTH], weeks(2)[:6], sets=2)  # of three
    assert told(tx, FlagKind.PARTIAL_DOSE) == [("03-10 12", None)]
    does(tx, ines, two_lines, [STRENGTH], weeks(2)[6:10], sets=3)
    assert told(tx, FlagKind.PARTIAL_DOSE) == [("03-10 12", "settled")]


def test_strength_dropped_and_core_dropped_count_the_days_they_were_asked_for(
    tx: Session, ines: Caller, two_lines: Course
) -> None:
    """A week of everything, then only walks: the fourteenth day without is 21 March; red at the twenty-eighth."""
    does(tx, ines, two_lines, [STRENGTH, WALK], weeks(1))
    does(tx, ines, two_lines, [WALK], weeks(3, start=MONDAY + 7 * DAY))
    for kind in (FlagKind.STRENGTH_DROPPED, FlagKind.CORE_DROPPED):
        flag = the_flag(tx, kind)
        assert (flag.opens_at, flag.rises_at) == (at("03-22", 0), at("04-04", 23))
    does(tx, ines, two_lines, [STRENGTH], [date(2025, 3, 31)])
    assert told(tx, FlagKind.CORE_DROPPED) == [("03-22 00", "settled")]


def test_core_dropped_that_was_never_done_is_one_flag_however_long(
    tx: Session, ines: Caller, two_lines: Course
) -> None:
    does(tx, ines, two_lines, [WALK], weeks(12))
    assert [because for _, because in told(tx, FlagKind.CORE_DROPPED)] == [None]


def test_unsure_is_heard_at_once_and_fades(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, [MONDAY], chips=["not_sure"])
    flag = the_flag(tx, FlagKind.UNSURE)
    assert (flag.opens_at, flag.expires_at) == (NOON, NOON + 14 * DAY)


def test_flare_long_opens_when_its_seventh_day_ends(tx: Session, ines: Caller) -> None:
    draft = a_draft(flare=prescribing.Flare(protocol="ra-flare-day"))
    course = a_program(tx, ines, a_patient(tx, ines), draft)
    log_days(tx, ines, course.program.id, [MONDAY])
    first, last = MONDAY + DAY, MONDAY + 10 * DAY
    program_id = course.program.id
    programs.declare_flare(tx, ines, program_id, from_on=first, to_on=last, joints=["knee"], note=None, now=NOON + DAY)
    assert the_flag(tx, FlagKind.FLARE_LONG).opens_at == at("03-11", 0)


def test_screening_due_a_month_after_the_last_one(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, weeks(6))
    assert told(tx, FlagKind.SCREENING_DUE) == [("04-03 23", None)]
    screened(tx, ines, course.program.patient_id, now=at("04-12"))
    assert told(tx, FlagKind.SCREENING_DUE) == [("04-03 23", "screened")]


def test_check_in_overdue_rises_and_an_answer_closes_it(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, weeks(4))
    discharged(tx, ines, course.program.id, a_draft(starts_on=date(2025, 3, 31)), now=at("03-31"))
    flag = the_flag(tx, FlagKind.CHECK_IN_OVERDUE)
    assert (flag.opens_at, flag.rises_at) == (at("05-07", 23), at("05-21", 23))  # due on 30 April
    second = tx.scalars(select(CheckIn).where(CheckIn.month == 3)).one()
    answers = measures.Answers(pain=1, recurrence=False)
    measures.answer_check_in(tx, ines, course.program.patient_id, second.id, answers, now=at("06-30"))
    # The first is not asked any more: the same questions were answered since.
    assert told(tx, FlagKind.CHECK_IN_OVERDUE)[0] == ("05-07 23", "answered")
    assert the_flag(tx, FlagKind.CHECK_IN_OVERDUE).evidence["month"] == 6


def test_measure_worse_opens_on_the_change_that_matters_and_closes_when_it_is_back(
    tx: Session, ines: Caller, course: Course
) -> None:
    patient_id = course.program.patient_id
    for number, pain in enumerate((3, 4, 5, 3)):
        now = NOON + number * DAY
        record_measurement(tx, ines, patient_id, MeasurementDraft(code="pain", score=pain), now=now)
    assert told(tx, FlagKind.MEASURE_WORSE) == [("03-05 12", "settled")]


def test_a_screening_that_is_not_the_patients_closes_nothing(tx: Session, ines: Caller, course: Course) -> None:
    log_days(tx, ines, course.program.id, weeks(6))
    other = a_patient(tx, ines)
    patients.record_screening(tx, ines, other.id, {}, None, now=at("04-12"))
    assert told(tx, FlagKind.SCREENING_DUE) == [("04-03 23", None)]
