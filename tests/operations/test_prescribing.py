"""Prescriptions over time: what was written stays, what was expected stays, and each turn is checked."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session, SessionTransaction

from models.adherence.schedule import Schedule
from models.database import Database
from models.operations import adherence, prescribing, programs, protocols, sweep
from models.operations.callers import Caller
from models.operations.courses import Course, dosage_of
from models.operations.sessions import EntryReport, record_sessions
from models.refusals import Invalid, NotAcknowledged, SafetyBlocked, Unknown, VersionMismatch, WrongStatus
from models.tables import (
    DoneShare,
    Item,
    Patient,
    PauseReason,
    Phase,
    ProgramStatus,
    Revision,
    SafetyCheck,
    SessionEntry,
    SessionLog,
    TeachBack,
)
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
    at,
    discharged,
    handed_over,
    log_days,
    screened,
    weeks,
)

PROTOCOL = "chronic-lbp-core-stabilisation"
REST = prescribing.Flare(
    items=[prescribing.ItemDraft(exercise="bed-knee-rocks", dosage=a_dosage(weekdays=tuple(range(7))))]
)


def as_it_stands(course: Course, *, flare: prescribing.Flare | None = REST) -> prescribing.RevisionDraft:
    """The latest revision, to be changed."""
    phases = [
        prescribing.PhaseDraft(
            label=phase.label,
            from_day=phase.from_day,
            to_day=phase.to_day,
            items=[
                prescribing.ItemDraft(
                    exercise=line.exercise_slug,
                    care=line.care_slug,
                    dosage=dosage_of(line),
                    side=line.side,
                    goal=line.goal,
                    line_id=line.line_id,
                )
                for line in items
            ],
        )
        for phase, items in course.phases_of(max(course.revisions))
        if phase.kind == "course"
    ]
    return prescribing.RevisionDraft(phases=phases, flare=flare)


def with_dosage(draft: prescribing.RevisionDraft, **but: Any) -> prescribing.RevisionDraft:
    """Its first item with another dosage."""
    (phase, *others) = draft.phases
    (item, *rest) = phase.items
    changed = replace(item, dosage=replace(item.dosage, **but))
    return replace(draft, phases=[replace(phase, items=[changed, *rest]), *others])


def revised(tx: Session, ines: Caller, course: Course, now: Any, **but: Any) -> Course:
    """The program with its first item's dosage changed, from today on."""
    known = prescribing.course(tx, ines, course.program.id)
    screened(tx, ines, known.program.patient_id, now=now)
    draft = with_dosage(as_it_stands(known), **but)
    return prescribing.revise(tx, ines, course.program.id, draft, ALL_WARNINGS, version=known.program.version, now=now)


def test_adherence_before_a_change_is_judged_by_the_old_revision(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(a_dosage(weekdays=None, days_per_week=7)))
    log_days(tx, ines, course.program.id, weeks(2, range(7)))
    before = adherence.following(tx, ines, course.program.id, as_of=None, now=at("03-16", 20)).rates["14_days"]
    revised(tx, ines, course, at("03-17", 8), days_per_week=1)
    after = adherence.following(tx, ines, course.program.id, as_of=None, now=at("03-17", 9)).rates["14_days"]
    assert before == after
    assert (after.frequency.denominator, after.frequency.value) == (14, 1.0)
    later = adherence.following(tx, ines, course.program.id, as_of=None, now=at("03-31", 9)).rates["14_days"]
    assert later.frequency.denominator == 2


def test_a_line_keeps_its_id_whether_named_or_not(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(a_dosage(), a_dosage()))
    first = [item.line_id for item in course.items]
    nameless = as_it_stands(course)
    (phase,) = nameless.phases
    swapped = [replace(item, line_id=None) for item in reversed(phase.items)]
    draft = with_dosage(replace(nameless, phases=[replace(phase, items=swapped)]), sets=2)
    again = prescribing.revise(tx, ines, course.program.id, draft, ALL_WARNINGS, version=2, now=NOON)
    assert [item.line_id for item in again.items if item.revision_number == 2][:2] == first[::-1]
    other = replace(phase.items[0], exercise="cat-camel", side=None)
    renamed = replace(nameless, phases=[replace(phase, items=[other, phase.items[1]])])
    with pytest.raises(Invalid) as refused:
        prescribing.revise(tx, ines, course.program.id, renamed, ALL_WARNINGS, version=3, now=NOON)
    assert refused.value.field == "/phases/0/items/0/line_id"  # what was logged of a line stays true


def test_a_renamed_phase_takes_its_lines_along(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(a_dosage(), a_dosage()))
    (phase,) = as_it_stands(course).phases
    items = [replace(item, line_id=None) for item in phase.items]
    draft = prescribing.RevisionDraft(phases=[replace(phase, label="Calm", items=items)])
    again = prescribing.revise(tx, ines, course.program.id, draft, ALL_WARNINGS, version=2, now=NOON)
    assert [item.line_id for item in again.items if item.revision_number == 2] == [
        item.line_id for item in course.items
    ]


def test_a_newer_revision_takes_the_place_of_one_that_was_yet_to_begin(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines), a_draft())
    later = replace(with_dosage(as_it_stands(course), sets=4), effective_on=MONDAY + 7 * DAY)
    prescribing.revise(tx, ines, course.program.id, later, ALL_WARNINGS, version=2, now=NOON)
    now = revised(tx, ines, course, NOON + DAY, sets=2)
    sets = {day: now.lines_on(MONDAY + day * DAY)[0].sets for day in (0, 1, 7, 30)}
    assert sets == {0: 3, 1: 2, 7: 2, 30: 2}
    assert [now.revision_on(MONDAY + day * DAY).number for day in (0, 1, 7)] == [1, 3, 3]


@pytest.mark.parametrize("days", [-1, -30])
def test_a_revision_never_reaches_back(tx: Session, days: int) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    draft = replace(with_dosage(as_it_stands(course), sets=2), effective_on=MONDAY + (10 + days) * DAY)
    with pytest.raises(Invalid) as refused:
        prescribing.revise(tx, ines, course.program.id, draft, ALL_WARNINGS, version=2, now=NOON + 10 * DAY)
    assert refused.value.field == "/effective_on"
    with pytest.raises(VersionMismatch):
        prescribing.revise(tx, ines, course.program.id, as_it_stands(course), ALL_WARNINGS, version=1, now=NOON)


def test_a_draft_is_revised_without_being_handed_over(tx: Session) -> None:
    ines = a_clinic(tx)
    draft = prescribing.create_program(tx, ines, a_patient(tx, ines).id, a_draft(), now=NOON)
    course = prescribing.course(tx, ines, draft.id)
    changed = with_dosage(as_it_stands(course), sets=2)
    prescribing.revise(tx, ines, draft.id, changed, ALL_WARNINGS, version=1, now=NOON)
    assert tx.scalars(select(SafetyCheck)).all() == []
    assert handed_over(tx, ines, draft.id).lines_on(MONDAY)[0].sets == 2


def test_a_draft_is_thrown_away_and_nothing_else_is(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    kept = a_program(tx, ines, ann)
    draft = prescribing.create_program(tx, ines, ann.id, a_draft(), now=NOON)
    line = prescribing.course(tx, ines, draft.id).items[0].line_id
    programs.teach(tx, ines, draft.id, [(line, TeachBack.SHOWN)], taught_on=None, now=NOON)
    prescribing.discard(tx, ines, draft.id)
    assert [listed.program.id for listed in programs.programs_of(tx, ines, ann.id, now=NOON)] == [kept.program.id]
    with pytest.raises(WrongStatus):
        prescribing.discard(tx, ines, kept.program.id)
    with pytest.raises(Unknown):
        prescribing.discard(tx, ines, draft.id)


def test_what_the_check_refuses_is_not_written(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    course = a_program(tx, ines, ann)
    unread = prescribing.RevisionDraft(phases=with_dosage(as_it_stands(course), sets=6, reps=30).phases)
    nobody = replace(ALL_WARNINGS, acknowledged=())
    with tx.begin_nested() as once:
        with pytest.raises(NotAcknowledged):
            prescribing.revise(tx, ines, course.program.id, unread, nobody, version=2, now=NOON)
        once.rollback()
    with tx.begin_nested() as again:
        with pytest.raises(SafetyBlocked) as refused:
            prescribing.revise(tx, ines, course.program.id, unread, ALL_WARNINGS, version=2, now=NOON + 15 * DAY)
        again.rollback()
    assert "R-01" in {finding["rule"] for finding in refused.value.more["findings"]}
    assert max(prescribing.course(tx, ines, course.program.id).revisions) == 1


def test_what_a_protocol_does_not_have_cannot_be_adapted(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    for change, field in (
        (prescribing.Adaptation(exercise="plank", remove=True), "/adapt/0/exercise"),
        (prescribing.Adaptation(exercise="bird-dog", phase="Control", remove=True), "/adapt/0/exercise"),
        (prescribing.Adaptation(exercise="bird-dog", instead="unheard-of"), "/adapt/0/instead"),
    ):
        draft = prescribing.ProgramDraft(protocol=PROTOCOL, adapt=[change])
        with pytest.raises(Unknown) as refused:
            prescribing.create_program(tx, ines, ann.id, draft, now=NOON)
        assert refused.value.field == field


def test_a_flare_day_is_judged_against_its_plan(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(flare=REST))
    log_days(tx, ines, course.program.id, weeks(1))
    saturday = MONDAY + 5 * DAY
    programs.declare_flare(
        tx, ines, course.program.id, from_on=saturday, to_on=saturday + 2 * DAY, joints=["knee"], note=None,
        now=NOON + 5 * DAY,
    )  # fmt: skip
    log_days(tx, ines, course.program.id, [saturday, saturday + DAY])
    known = prescribing.course(tx, ines, course.program.id)
    assert [len(known.lines_on(MONDAY + day * DAY)) for day in (4, 5, 7, 8)] == [1, 1, 1, 1]
    rest = next(item.line_id for item in known.items if item.exercise_slug == "bed-knee-rocks")
    entries = tx.scalars(select(SessionEntry.line_id).where(SessionEntry.line_id == rest)).all()
    assert len(entries) == 2
    rates = adherence.following(tx, ines, course.program.id, as_of=None, now=at("03-09", 20)).rates["program"]
    assert (rates.frequency.denominator, rates.frequency.value, rates.completeness.value) == (7, 1.0, 1.0)


def test_maintenance_keeps_the_goal(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines), a_draft(goal="Carry my daughter again"))
    following = discharged(tx, ines, course.program.id, prescribing.ProgramDraft(protocol=PROTOCOL))
    assert following.goal == "Carry my daughter again"
    named = prescribing.ProgramDraft(protocol=PROTOCOL, goal="Stay well")
    other = a_program(tx, ines, a_patient(tx, ines), a_draft(goal="Walk"))
    assert discharged(tx, ines, other.program.id, named).goal == "Stay well"


def test_ticking_heat_is_not_exercise(tx: Session) -> None:
    ines = a_clinic(tx)
    draft = a_draft(a_dosage())
    (phase,) = draft.phases
    heat = prescribing.ItemDraft(care="heat-pack", dosage=a_dosage(sets=None, reps=None))
    course = a_program(
        tx, ines, a_patient(tx, ines), replace(draft, phases=[replace(phase, items=[*phase.items, heat])])
    )
    exercise, ticked = (item.line_id for item in course.items)
    log_days(tx, ines, course.program.id, [MONDAY])
    assert tx.scalars(select(SessionEntry.line_id)).all() == [exercise]
    for day, lines in ((1, [ticked]), (2, [ticked, exercise])):
        said = a_report(
            course.program.id,
            MONDAY + day * DAY,
            done=DoneShare.SOME,
            entries=[EntryReport(line_id=line) for line in lines],
        )
        assert record_sessions(tx, ines, [said], now=NOON + day * DAY)[0].outcome == "created"
    assert tx.scalars(select(SessionLog.exercised).order_by(SessionLog.local_date)).all() == [True, False, True]
    known = adherence.following(tx, ines, course.program.id, as_of=None, now=at("03-05", 20))
    assert (known.rates["program"].frequency.numerator, known.last_day) == (2, MONDAY + 2 * DAY)
    assert known.rates["program"].completeness.denominator == 3


def test_a_check_in_falls_on_the_same_day_of_its_month(tx: Session) -> None:
    assert programs.months_after(date(2025, 1, 31), 1) == date(2025, 2, 28)
    assert programs.months_after(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert programs.months_after(date(2025, 11, 30), 3) == date(2026, 2, 28)
    assert programs.months_after(date(2025, 3, 30), 24) == date(2027, 3, 30)
    assert tx.scalars(select(Patient)).all() == []


def test_a_pause_ended_early_leaves_its_days_and_opens_the_rest(tx: Session) -> None:
    ines = a_clinic(tx)
    course = a_program(tx, ines, a_patient(tx, ines))
    programs.pause(
        tx, ines, course.program.id, from_on=MONDAY + DAY, to_on=MONDAY + 20 * DAY, reason=PauseReason.ILLNESS, now=NOON
    )
    paused = prescribing.course(tx, ines, course.program.id)
    assert (paused.status(NOON), paused.status(NOON + 2 * DAY)) == (ProgramStatus.ACTIVE, ProgramStatus.PAUSED)
    resumed = programs.resume(tx, ines, course.program.id, now=NOON + 4 * DAY)
    assert resumed.status(NOON + 4 * DAY) is ProgramStatus.ACTIVE
    schedule = Schedule(prescribing.course(tx, ines, course.program.id).plan())
    assert [schedule.is_paused((MONDAY + day * DAY).toordinal()) for day in range(6)] == [
        False,
        *[True] * 3,
        False,
        False,
    ]
    as_known = Schedule(prescribing.course(tx, ines, course.program.id).plan(NOON + 3 * DAY))
    assert as_known.is_paused((MONDAY + 5 * DAY).toordinal())
    assert sweep.misjudged(tx, ines.clinic_id, [course.program.id]) == []


edits = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["dosage", "frequency", "later", "pause", "resume", "flare", "end", "review", "log"]),
        st.integers(1, 6),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(edits)
def test_no_later_edit_touches_the_past(shared_database: Database, told: list[tuple[int, str, int]]) -> None:
    """Revisions never change once written; what was expected of a past day stays expected; a pause takes expectation
    away, not history.
    """
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        course = a_program(tx, ines, a_patient(tx, ines), a_draft(a_dosage(), a_dosage(), flare=REST))
        program_id, now = course.program.id, NOON
        expected: dict[date, Any] = {}
        written: dict[int, Any] = {}
        logged = 0
        for wait, word, number in told:
            now += wait * DAY
            with tx.begin_nested() as deed:
                logged += edit(deed, tx, ines, program_id, word, number, now)
            tx.flush()
            tx.expire_all()
            known = prescribing.course(tx, ines, program_id)
            for revision, rows in prescription(tx, program_id).items():
                assert written.setdefault(revision, rows) == rows
            schedule = Schedule(known.plan())
            day = MONDAY
            while day < now.date():
                told_then = (schedule.unpaused_weight(day.toordinal()), known.lines_on(day))
                assert expected.setdefault(day, told_then) == told_then
                day += DAY
            assert len(tx.scalars(select(SessionLog).where(SessionLog.program_id == program_id)).all()) == logged
            assert sweep.misjudged(tx, ines.clinic_id, [program_id]) == []
        tx.rollback()


def edit(
    deed: SessionTransaction, tx: Session, ines: Caller, program_id: UUID, word: str, number: int, now: Any
) -> int:
    """One deed, whatever comes of it; how many sessions it logged."""
    today = now.date()
    known = prescribing.course(tx, ines, program_id)
    try:
        if word in {"dosage", "frequency", "later"}:
            change_prescription(tx, ines, known, word, number, now)
        elif word == "pause":
            until = today + number * DAY
            programs.pause(tx, ines, program_id, from_on=today - DAY, to_on=until, reason=PauseReason.OTHER, now=now)
        elif word == "resume" and known.status(now) is ProgramStatus.PAUSED:
            programs.resume(tx, ines, program_id, now=now)
        elif word == "flare":
            until = today + number * DAY
            programs.declare_flare(tx, ines, program_id, from_on=today, to_on=until, joints=[], note=None, now=now)
        elif word == "end" and known.flares:
            programs.end_flare(tx, ines, program_id, known.flares[-1].id, now=now)
        elif word == "review":
            programs.review(tx, ines, program_id, note=None, next_review_on=None, now=now)
        elif word == "log":
            return len(record_sessions(tx, ines, [a_report(program_id, today)], now=now + timedelta(minutes=1)))
    except Invalid as refused:
        if refused.field != "/phases":  # nothing changed
            raise
        deed.rollback()
    return 0


def change_prescription(tx: Session, ines: Caller, known: Course, word: str, number: int, now: Any) -> None:
    screened(tx, ines, known.program.patient_id, now=now)
    frequency = {"weekdays": None, "days_per_week": number}
    draft = with_dosage(as_it_stands(known), **(frequency if word == "frequency" else {"sets": number}))
    if word == "later":
        draft = replace(draft, effective_on=now.date() + number * DAY)
    version = known.program.version
    prescribing.revise(tx, ines, known.program.id, draft, ALL_WARNINGS, version=version, now=now)


def prescription(tx: Session, program_id: UUID) -> dict[int, Any]:
    """Revision → every column of it, its phases and its items."""
    found: dict[int, list[Any]] = {}
    for table, number in ((Revision, Revision.number), (Phase, Phase.revision_number), (Item, Item.revision_number)):
        columns = table.__table__.columns
        for row in tx.execute(select(number, *columns).where(table.program_id == program_id).order_by(*columns)):
            found.setdefault(row[0], []).append(tuple(map(str, row)))
    return found


def test_an_own_protocol_that_runs_on_has_no_weeks(tx: Session) -> None:
    ines = a_clinic(tx)
    item = {"exercise": "bird-dog", "dosage": {"sets": 2, "reps": 8, "days_per_week": 3}}
    for slug, to_day, weeks_long in (("runs-on", None, None), ("four-weeks", 28, 4), ("five-begun", 29, 5)):
        phase = {"label": "All along", "from_day": 1, "to_day": to_day, "items": [item]}
        ours = protocols.OwnDraft(name=slug, indication="x", conditions=[], phases=[phase], maintenance=[item])
        assert protocols.save_protocol(tx, ines, slug, ours, now=NOON).weeks == weeks_long
