"""Prescribing: what is written, what is refused, and who may be told of it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.operations import adherence, patients, prescribing, programs, sweep
from models.operations.sign_ins import ACCESS_LASTS
from models.operations.throttles import WINDOW, count_failure
from models.refusals import Invalid, Unknown, WrongStatus
from models.tables import Item, Laterality, PauseReason, Role, Side, Throttle, Token
from tests.builders import (
    DAY,
    MONDAY,
    NOON,
    a_clinic,
    a_dosage,
    a_draft,
    a_member,
    a_patient,
    a_phone,
    a_program,
    discharged,
    handed_over,
)

PROTOCOL = "chronic-lbp-core-stabilisation"


def test_a_protocol_becomes_a_program_with_its_phases(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    program = prescribing.create_program(tx, ines, ann.id, prescribing.ProgramDraft(protocol=PROTOCOL), now=NOON)
    course = prescribing.course(tx, ines, program.id)
    assert (program.status, program.starts_on, program.review_due_on) == ("draft", MONDAY, MONDAY + 28 * DAY)
    assert [(phase.from_day, phase.to_day) for phase in course.phases.values()] == [(1, 28), (29, 56), (57, None)]
    assert len([item for item in course.items if item.exercise_slug]) == 18
    assert len({item.line_id for item in course.items}) == len(course.items)
    walk = course.items[0]
    assert (walk.exercise_slug, walk.duration_minutes, walk.days_per_week, walk.hold_seconds) == (
        "walk-easy",
        15,
        5,
        None,
    )


def test_only_an_exercise_done_one_side_at_a_time_has_a_side(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    items = [
        prescribing.ItemDraft(exercise="wall-side-plank", dosage=a_dosage(), side=Side.BOTH),
        prescribing.ItemDraft(exercise="wall-side-plank", dosage=a_dosage(), side=Side.LEFT),
        prescribing.ItemDraft(exercise="glute-bridge", dosage=a_dosage(), side=Side.BOTH),
    ]
    phases = [prescribing.PhaseDraft(label="x", from_day=1, to_day=None, items=items)]
    a_program(tx, ines, ann, prescribing.ProgramDraft(phases=phases))
    found = tx.execute(select(Item.exercise_slug, Item.side).order_by(Item.position)).all()
    assert found == [("wall-side-plank", Side.BOTH), ("wall-side-plank", Side.LEFT), ("glute-bridge", None)]
    assert set(Laterality) == {"both_together", "each_side", "alternating"}


def test_maintenance_of_a_protocol_is_one_phase_that_runs_on(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    following = discharged(tx, ines, course.program.id, prescribing.ProgramDraft(protocol=PROTOCOL), now=NOON)
    kept = prescribing.course(tx, ines, following.id)
    assert following.title.endswith(": maintenance")
    assert [(phase.label, phase.to_day) for phase in kept.phases.values()] == [("Maintenance", None)]
    assert course.program.status == "discharged"
    assert course.program.ended_on == MONDAY


def phases(*spans: tuple[int, int | None]) -> Sequence[prescribing.PhaseDraft]:
    (one,) = a_draft().phases
    return [replace(one, from_day=first, to_day=last) for first, last in spans]


@pytest.mark.parametrize(
    ("spans", "field"),
    [
        ([], "/phases"),
        ([(5, 4)], "/phases/0/to_day"),
        ([(1, 7), (7, 14)], "/phases/1/from_day"),
        ([(1, None), (8, 14)], "/phases/1/from_day"),
    ],
)
def test_phases_follow_one_another(tx: Session, spans: list[tuple[int, int | None]], field: str) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    with pytest.raises(Invalid) as refused:
        prescribing.create_program(tx, ines, ann.id, prescribing.ProgramDraft(phases=phases(*spans)), now=NOON)
    assert refused.value.field == field


def test_what_is_not_on_the_shelf_or_not_the_patients_is_refused(tx: Session) -> None:
    ines = a_clinic(tx)
    ann, bob = a_patient(tx, ines), a_patient(tx, ines)
    bobs = a_program(tx, ines, bob).program.id
    (phase,) = a_draft().phases
    unheard = replace(phase, items=[*phase.items, replace(phase.items[0], exercise="unheard-of")])
    for draft, field in (
        (prescribing.ProgramDraft(phases=[unheard]), "/phases/0/items/1/exercise"),
        (a_draft(previous_program_id=bobs), "/previous_program_id"),
        (a_draft(previous_program_id=uuid4()), "/previous_program_id"),
        (prescribing.ProgramDraft(protocol="unheard-of"), "/protocol"),
    ):
        with pytest.raises(Unknown) as refused:
            prescribing.create_program(tx, ines, ann.id, draft, now=NOON)
        assert refused.value.field == field


def test_each_turn_of_a_life_once(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    draft = prescribing.create_program(tx, ines, ann.id, a_draft(), now=NOON)
    with pytest.raises(WrongStatus):
        adherence.following(tx, ines, draft.id, as_of=None, now=NOON)
    with pytest.raises(WrongStatus):
        programs.stop(tx, ines, draft.id, reason="no_time", now=NOON)
    handed_over(tx, ines, draft.id, now=NOON)
    with pytest.raises(WrongStatus):
        handed_over(tx, ines, draft.id, now=NOON)
    programs.stop(tx, ines, draft.id, reason="no_time", now=NOON)
    for again in (
        lambda: programs.stop(tx, ines, draft.id, reason="no_time", now=NOON),
        lambda: discharged(tx, ines, draft.id, a_draft(), now=NOON),
        lambda: programs.pause(tx, ines, draft.id, from_on=MONDAY, to_on=MONDAY, reason=PauseReason.HOLD, now=NOON),
    ):
        with pytest.raises(WrongStatus):
            again()


@pytest.mark.parametrize("length", [-1, 181])
def test_a_pause_always_ends(tx: Session, length: int) -> None:
    ines = a_clinic(tx)
    program_id = a_program(tx, ines, a_patient(tx, ines)).program.id
    until = MONDAY + length * DAY
    with pytest.raises(Invalid) as refused:
        programs.pause(tx, ines, program_id, from_on=MONDAY, to_on=until, reason=PauseReason.HOLD, now=NOON)
    assert refused.value.field == "/to_on"


def test_a_draft_handed_over_late_starts_that_day(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    draft = prescribing.create_program(tx, ines, ann.id, prescribing.ProgramDraft(protocol=PROTOCOL), now=NOON)
    course = handed_over(tx, ines, draft.id, now=NOON + 10 * DAY)
    assert course.program.starts_on == MONDAY + 10 * DAY
    assert course.revisions[1].effective_on == MONDAY  # a revision never changes; its first day is the program's
    chosen = prescribing.create_program(tx, ines, ann.id, a_draft(starts_on=MONDAY - DAY), now=NOON)
    assert handed_over(tx, ines, chosen.id, now=NOON + 10 * DAY).program.starts_on == MONDAY - DAY


def test_a_program_called_off_before_it_began_ends_on_its_first_day(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(starts_on=MONDAY + 7 * DAY))
    programs.stop(tx, ines, course.program.id, reason="feel_better", now=NOON)
    assert course.program.ended_on == MONDAY + 7 * DAY


def test_today_is_where_the_patient_lives(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines, time_zone="Pacific/Auckland")
    program = prescribing.create_program(tx, ines, ann.id, prescribing.ProgramDraft(protocol=PROTOCOL), now=NOON)
    assert program.starts_on == date(2025, 3, 4)


def test_a_colleague_may_be_responsible(tx: Session) -> None:
    ines = a_clinic(tx)
    tomas = a_member(tx, ines.clinic_id, Role.THERAPIST)
    admin = a_member(tx, ines.clinic_id, Role.ADMIN)
    assert a_patient(tx, ines).therapist_id == ines.account_id
    assert a_patient(tx, admin).therapist_id is None
    assert a_patient(tx, ines, therapist_id=tomas.account_id).therapist_id == tomas.account_id
    with pytest.raises(Unknown):
        patients.screening(tx, ines, a_patient(tx, ines).id, uuid4())


def test_what_has_expired_is_forgotten(tx: Session) -> None:
    ines = a_clinic(tx)
    a_phone(tx, ines, a_patient(tx, ines))
    count_failure(tx, [("someone", 1)], NOON)
    assert sweep.every_clinic(tx) == [ines.clinic_id]
    sweep.forget_expired(tx, ines.clinic_id, now=NOON + WINDOW - timedelta(seconds=1))
    assert (len(tx.scalars(select(Token)).all()), len(tx.scalars(select(Throttle)).all())) == (2, 1)
    sweep.forget_expired(tx, ines.clinic_id, now=NOON + ACCESS_LASTS + 2 * DAY)
    assert tx.scalars(select(Token.kind)).all() == ["refresh"]
    assert tx.scalars(select(Throttle)).all() == []
