"""The agenda: each day of a few weeks told, and the reason for it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import update
from sqlalchemy.orm import Session

from models.adherence.schedule import UNIT, Schedule
from models.database import Database
from models.operations import prescribing, programs
from models.operations.agenda import AgendaDay, Kind, agenda
from models.operations.callers import Caller
from models.operations.courses import Course
from models.refusals import Invalid, WrongStatus
from models.tables import PauseReason, SessionLog
from tests.adherence.plans import frequencies
from tests.builders import (
    DAY,
    MONDAY,
    NOON,
    a_clinic,
    a_dosage,
    a_draft,
    a_patient,
    a_program,
    log_days,
)

REST = prescribing.Flare(items=[prescribing.ItemDraft(exercise="bed-knee-rocks", dosage=a_dosage())])


def told(tx: Session, ines: Caller, course: Course, days: int, **but: Any) -> list[AgendaDay]:
    last = MONDAY + (days - 1) * DAY
    return agenda(tx, ines, course.program.id, **({"first": MONDAY, "last": last, "now": NOON} | but))


def test_definite_items_stand_on_their_days_and_flexible_ones_on_all(tx: Session) -> None:
    ines = a_clinic(tx)
    dosages = (
        a_dosage(weekdays=(0, 2, 4)),
        a_dosage(weekdays=None, every_n_days=3),
        a_dosage(weekdays=None, days_per_week=3, sessions_per_day=2),
        a_dosage(weekdays=None, days_per_week=7),
        a_dosage(weekdays=None, as_needed_max_per_day=2),
    )
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(*dosages))
    log_days(tx, ines, course.program.id, [MONDAY])
    week = told(tx, ines, course, 7, now=NOON + DAY)
    assert [day.why for day in week] == ["phase"] * 7
    assert {day.phase for day in week} == {"All along"}
    kinds: dict[str, list[int]] = {
        name: [] for name in ("Bird dog", "Glute bridge", "Cat and camel", "Easy walking", "Side plank from knees")
    }
    for day in week:
        for item in day.items:
            kinds[item.name].append(day.day.weekday())
    assert list(kinds.values()) == [[0, 2, 4], [0, 3, 6], [*range(7)], [*range(7)], [*range(7)]]
    monday, tuesday, *_ = week
    by_kind = {item.name: (item.kind, item.times_done, item.days_left) for item in monday.items}
    assert by_kind == {
        "Bird dog": (Kind.DUE, 1, None),
        "Glute bridge": (Kind.DUE, 1, None),
        "Cat and camel": (Kind.FLEXIBLE, 1, 2),
        "Easy walking": (Kind.DUE, 1, None),
        "Side plank from knees": (Kind.AS_NEEDED, 0, None),
    }
    assert [item.times_done for item in tuesday.items] == [0, 0, 0]
    (following,) = agenda(tx, ines, course.program.id, first=MONDAY + 7 * DAY, last=MONDAY + 7 * DAY, now=NOON)
    assert [item.days_left for item in following.items if item.kind is Kind.FLEXIBLE] == [3]
    # What was taken back was not done.
    tx.execute(update(SessionLog).where(SessionLog.clinic_id == ines.clinic_id).values(deleted_at=NOON))
    monday, *_ = told(tx, ines, course, 1, now=NOON + DAY)
    assert {item.times_done for item in monday.items} == {0}


def test_pauses_flares_and_the_ends_say_why(tx: Session) -> None:
    ines = a_clinic(tx)
    draft = a_draft(a_dosage(), starts_on=MONDAY + DAY, flare=REST)
    course = a_program(tx, ines, a_patient(tx, ines), draft)
    away = {"from_on": MONDAY + 3 * DAY, "to_on": MONDAY + 3 * DAY, "reason": PauseReason.HOLIDAY}
    programs.pause(tx, ines, course.program.id, **away, now=NOON)  # type: ignore[arg-type]
    programs.declare_flare(
        tx, ines, course.program.id, from_on=MONDAY + DAY, to_on=None, joints=[], note=None, now=NOON
    )
    week = told(tx, ines, course, 5)
    assert [(day.why, day.phase, len(day.items)) for day in week] == [
        ("not_begun", None, 0),
        ("flare", "Flare plan", 1),
        ("phase", "All along", 1),
        ("paused", None, 0),
        ("phase", "All along", 1),
    ]
    assert week[3].pause_reason == "holiday"
    programs.stop(tx, ines, course.program.id, reason="no_time", now=NOON + 2 * DAY)
    assert [day.why for day in told(tx, ines, course, 5)][3:] == ["ended", "ended"]


def test_it_is_this_week_unless_said_and_has_its_limits(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    course = a_program(tx, ines, ann)
    days = agenda(tx, ines, course.program.id, first=None, last=None, now=NOON + 2 * DAY)
    assert [day.day for day in days] == [MONDAY + number * DAY for number in range(2, 9)]
    assert len(told(tx, ines, course, 63)) == 63
    for first, last in ((MONDAY, MONDAY - DAY), (MONDAY, MONDAY + 63 * DAY)):
        with pytest.raises(Invalid) as refused:
            agenda(tx, ines, course.program.id, first=first, last=last, now=NOON)
        assert refused.value.field == "/to"
    draft = prescribing.create_program(tx, ines, ann.id, a_draft(), now=NOON)
    with pytest.raises(WrongStatus):
        agenda(tx, ines, draft.id, first=None, last=None, now=NOON)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(frequencies, min_size=1, max_size=4), st.integers(0, 20), st.integers(0, 9))
def test_a_day_with_a_due_item_weighs_one_in_the_engine(
    shared_database: Database, said: list[dict[str, Any]], paused_from: int, paused_days: int
) -> None:
    """The agenda and the clock read one plan."""
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        dosages = [a_dosage(**frequency_of(frequency)) for frequency in said]
        course = a_program(tx, ines, a_patient(tx, ines), a_draft(*dosages))
        first = MONDAY + paused_from * DAY
        until = first + paused_days * DAY
        programs.pause(tx, ines, course.program.id, from_on=first, to_on=until, reason=PauseReason.OTHER, now=NOON)
        schedule = Schedule(prescribing.course(tx, ines, course.program.id).plan())
        for day in told(tx, ines, course, 30):
            weight = schedule.weight(day.day.toordinal())
            due = any(item.kind is Kind.DUE for item in day.items)
            flexible = any(item.kind is Kind.FLEXIBLE for item in day.items)
            assert (weight == 0) or due or flexible
            assert weight == UNIT or not due
            assert (day.why == "paused") == (first <= day.day <= until)
        tx.rollback()


def frequency_of(said: dict[str, Any]) -> dict[str, Any]:
    """A frequency of the engine's tests as a dosage says it."""
    if "as_needed" in said:
        return {"weekdays": None, "as_needed_max_per_day": 2}
    if "weekdays" in said:
        return {"weekdays": tuple(sorted(said["weekdays"]))}
    return {"weekdays": None, **said}
