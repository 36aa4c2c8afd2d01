"""The turns of a program's life: handed over, paused, in a flare, reviewed, taught, ended."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from models.adherence.schedule import midnight_after
from models.operations.callers import Caller
from models.operations.checking import Answers, Discharge, accept, check_program
from models.operations.courses import Course, change, last_flare_day, mark_changed, pause_holds
from models.operations.flags import Because
from models.operations.ids import new_id
from models.operations.patients import patient
from models.operations.policy import visible_programs
from models.operations.prescribing import RUNNING, ProgramDraft, course, create_program
from models.operations.protocols import CHECK_IN_MONTHS
from models.operations.standings import restate
from models.refusals import Invalid, NoFlarePlan, NotAllowed, Unknown, WrongStatus
from models.tables import (
    CheckIn,
    Deed,
    Flare,
    Pause,
    PauseReason,
    PhaseKind,
    Program,
    ProgramStatus,
    ProgramType,
    Review,
    TeachBack,
    Teaching,
)

REVIEW_EVERY = timedelta(days=28)
"""Four weeks (R-26)."""
LONGEST_PAUSE = timedelta(days=180)
PAUSE_TOLD_LATE = timedelta(days=14)
"""How far back a patient may declare a pause, as far as a log can be amended; a therapist may go further."""
LONGEST_FLARE = timedelta(days=14)
"""One declaration covers at most so much; a flare over 7 days needs rheumatology anyway (T07)."""
FLARE_AHEAD = timedelta(days=1)
FLARE_TOLD_LATE = timedelta(days=7)
"""How far back a flare may be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A program in a list, with where it is in its life."""

    program: Program
    status: ProgramStatus


def programs_of(tx: Session, caller: Caller, patient_id: UUID, *, now: datetime) -> list[Listed]:
    """A patient's programs, latest first."""
    known = patient(tx, caller, patient_id)
    paused = pause_holds(Program.clinic_id, Program.id, now)
    rows = tx.execute(
        visible_programs(caller)
        .where(Program.patient_id == known.id)
        .add_columns(and_(paused, Program.status == ProgramStatus.ACTIVE))
        .order_by(Program.id.desc())
        .limit(100)
    )
    return [
        Listed(program=program, status=ProgramStatus.PAUSED if is_paused else program.status)
        for program, is_paused in rows
    ]


def activate(tx: Session, caller: Caller, program_id: UUID, answers: Answers, *, now: datetime) -> Course:
    """Hand the program to the patient: from its first day on sessions are expected. The safety check comes first."""
    found = course(tx, caller, program_id, lock=True)
    if found.program.status is not ProgramStatus.DRAFT:
        raise WrongStatus(f"Only a draft can be activated; this program is {found.program.status}.")
    checked = check_program(tx, visible_programs(caller), caller.clinic_id, program_id, now=now)
    number = max(found.revisions)
    accept(tx, caller, checked, answers, program_id=program_id, revision_number=number, deed=Deed.ACTIVATE, now=now)
    return _hand_over(tx, caller, found, now)


def pause(
    tx: Session,
    caller: Caller,
    program_id: UUID,
    *,
    from_on: date,
    to_on: date,
    reason: PauseReason,
    now: datetime,
) -> Pause:
    """Expect nothing on the days from `from_on` to `to_on`, both included. A pause always ends: nobody falls off the
    clock because it was forgotten. A hold is a therapist's.
    """
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
    _may_hold(caller, reason)
    if caller.is_patients and from_on < found.local_today(now) - PAUSE_TOLD_LATE:
        raise Invalid(f"A pause can be told up to {PAUSE_TOLD_LATE.days} days late.", field="/from_on")
    if not from_on <= to_on <= from_on + LONGEST_PAUSE:
        raise Invalid(f"A pause lasts from 1 to {LONGEST_PAUSE.days + 1} days.", field="/to_on")
    declared = Pause(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        program_id=program_id,
        from_on=from_on,
        to_on=to_on,
        from_at=midnight_after(from_on - timedelta(days=1), found.zone),
        until_at=midnight_after(to_on, found.zone),
        reason=reason,
        declared_by=caller.account_id,
        created_at=now,
    )
    tx.add(declared)
    found.pauses.append(declared)
    mark_changed(tx, found)
    restate(tx, caller.clinic_id, {program_id: found}, because=Because.PAUSED, now=now)
    return declared


def resume(tx: Session, caller: Caller, program_id: UUID, *, now: datetime) -> Course:
    """End every pause that holds today: from today on sessions are expected again. What is past stays as it was."""
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
    holding = [one for one in found.pauses if one.from_at <= now < one.until_at]
    if not holding:
        raise WrongStatus("The program is not paused.")
    for one in holding:
        _lift(tx, caller, found, one, now)
    mark_changed(tx, found)
    restate(tx, caller.clinic_id, {program_id: found}, because=Because.PLAN_CHANGED, now=now)
    return found


def end_pause(tx: Session, caller: Caller, program_id: UUID, pause_id: UUID, *, now: datetime) -> Pause:
    """End one pause today, or call it off if it was yet to begin."""
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
    known = next((one for one in found.pauses if one.id == pause_id), None)
    if known is None:
        raise Unknown(f"No pause {pause_id}.")
    if now < known.until_at:
        _lift(tx, caller, found, known, now)
        mark_changed(tx, found)
        restate(tx, caller.clinic_id, {program_id: found}, because=Because.PLAN_CHANGED, now=now)
    return known


def _lift(tx: Session, caller: Caller, found: Course, held: Pause, now: datetime) -> None:
    """Let a pause hold no longer, from today on or from its first day."""
    _may_hold(caller, held.reason)
    first_free = max(found.local_today(now), held.from_on)
    ends_at = max(held.from_at, midnight_after(first_free - timedelta(days=1), found.zone))
    change(tx, held, lifted_on=first_free, lifted_by=caller.account_id, lifted_at=now, until_at=ends_at)


def declare_flare(
    tx: Session,
    caller: Caller,
    program_id: UUID,
    *,
    from_on: date | None,
    to_on: date | None,
    joints: Sequence[str],
    note: str | None,
    now: datetime,
) -> Flare:
    """Switch to the plan for flare days, which the therapist authorised in advance: the days are judged against it."""
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
    today = found.local_today(now)
    first = from_on or today
    last = to_on or first
    revision = found.revision_on(max(first, today))
    if not any(phase.kind is PhaseKind.FLARE for phase, _ in found.phases_of(revision.number)):
        raise NoFlarePlan("No plan for flare days is authorised; rest, and ask your therapist or declare a pause.")
    if first < max(today - FLARE_TOLD_LATE, found.program.starts_on):
        raise Invalid(f"A flare can be told up to {FLARE_TOLD_LATE.days} days late.", field="/from_on")
    if first > today + FLARE_AHEAD:
        raise Invalid("A flare begins today or tomorrow.", field="/from_on")
    if not first <= last < first + LONGEST_FLARE:
        raise Invalid(f"A flare is declared for 1 to {LONGEST_FLARE.days} days at a time.", field="/to_on")
    declared = Flare(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        program_id=program_id,
        from_on=first,
        to_on=last,
        joints=list(joints),
        note=note,
        declared_by=caller.account_id,
        created_at=now,
    )
    tx.add(declared)
    found.flares.append(declared)
    mark_changed(tx, found)
    restate(tx, caller.clinic_id, {program_id: found}, because=Because.PLAN_CHANGED, now=now)
    return declared


def end_flare(tx: Session, caller: Caller, program_id: UUID, flare_id: UUID, *, now: datetime) -> Flare:
    """Let a flare end with today; the days it stood for stay flare days."""
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
    flare = next((one for one in found.flares if one.id == flare_id), None)
    if flare is None:
        raise Unknown(f"No flare {flare_id}.")
    today = found.local_today(now)
    if last_flare_day(flare) > today:
        change(tx, flare, ended_on=max(flare.from_on, today), ended_at=now)
        mark_changed(tx, found)
        restate(tx, caller.clinic_id, {program_id: found}, because=Because.PLAN_CHANGED, now=now)
    return flare


def flare(tx: Session, caller: Caller, program_id: UUID, flare_id: UUID) -> Flare:
    """One declared flare of a program in the caller's sight."""
    found = next((one for one in course(tx, caller, program_id).flares if one.id == flare_id), None)
    if found is None:
        raise Unknown(f"No flare {flare_id}.")
    return found


def review(
    tx: Session, caller: Caller, program_id: UUID, *, note: str | None, next_review_on: date | None, now: datetime
) -> Review:
    """Record that a therapist looked at the program and decided how it goes on; the next is due in four weeks, unless
    another day is said.
    """
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
    today = found.local_today(now)
    due = next_review_on or today + REVIEW_EVERY
    if due <= today:
        raise Invalid("The next review lies ahead.", field="/next_review_on")
    done = Review(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        program_id=program_id,
        reviewed_by=caller.account_id,
        reviewed_at=now,
        note=note,
        next_review_on=due,
    )
    tx.add(done)
    found.program.review_due_on = due
    mark_changed(tx, found)
    restate(tx, caller.clinic_id, {program_id: found}, because=Because.REVIEWED, now=now)
    return done


def reviews_of(tx: Session, caller: Caller, program_id: UUID) -> Sequence[Review]:
    """A program's reviews, latest first."""
    known = course(tx, caller, program_id)
    return tx.scalars(
        select(Review)
        .where(Review.clinic_id == caller.clinic_id, Review.program_id == known.program.id)
        .order_by(Review.reviewed_at.desc(), Review.id.desc())
        .limit(100)
    ).all()


def teach(
    tx: Session,
    caller: Caller,
    program_id: UUID,
    shown: Sequence[tuple[UUID, TeachBack]],
    *,
    taught_on: date | None,
    now: datetime,
) -> list[Teaching]:
    """Record which exercises were taught in person, and whether the patient showed them back. Also of a draft."""
    found = course(tx, caller, program_id)
    if found.program.status is not ProgramStatus.DRAFT:
        _must_run(found.program)
    today = found.local_today(now)
    day = taught_on or today
    if day > today:
        raise Invalid("Teaching lies in the past.", field="/taught_on")
    known = {item.line_id for item in found.items if item.exercise_slug is not None}
    for number, (line_id, _) in enumerate(shown):
        if line_id not in known:
            raise Unknown(f"The program has no exercise line {line_id}.", field=f"/lines/{number}/line_id")
    taught = [
        Teaching(
            clinic_id=caller.clinic_id,
            id=new_id(now),
            program_id=program_id,
            line_id=line_id,
            taught_on=day,
            teach_back=teach_back,
            taught_by=caller.account_id,
            created_at=now,
        )
        for line_id, teach_back in shown
    ]
    tx.add_all(taught)
    return taught


def teachings_of(tx: Session, caller: Caller, program_id: UUID) -> Sequence[Teaching]:
    """What was taught of a program, latest first."""
    known = course(tx, caller, program_id)
    return tx.scalars(
        select(Teaching)
        .where(Teaching.clinic_id == caller.clinic_id, Teaching.program_id == known.program.id)
        .order_by(Teaching.created_at.desc(), Teaching.id.desc())
        .limit(500)
    ).all()


def complete(tx: Session, caller: Caller, program_id: UUID, *, now: datetime) -> Program:
    """A maintenance or self-directed program has run its course. A prescribed one ends by discharge, so that the
    patient stays watched.
    """
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
    if found.program.type is ProgramType.PRESCRIBED:
        raise WrongStatus("A prescribed program ends by discharge, with a maintenance program and check-ins.")
    _end(tx, found, ProgramStatus.COMPLETED, "completed", now)
    restate(tx, caller.clinic_id, {program_id: found}, because=Because.PROGRAM_ENDED, now=now)
    return found.program


def discharge(
    tx: Session,
    caller: Caller,
    program_id: UUID,
    maintenance: ProgramDraft | None,
    answers: Answers,
    *,
    check_in_months: Sequence[int] = CHECK_IN_MONTHS,
    now: datetime,
) -> Program | None:
    """End a program and begin the maintenance program that follows it, with its check-ins: the patient stays watched.

    Without maintenance, or without check-ins at 1, 3, 6, 12 and 24 months, the safety check blocks (R-24). Returns the
    maintenance program.
    """
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
    following = None
    if maintenance is not None:
        draft = replace(
            maintenance,
            type=ProgramType.MAINTENANCE,
            previous_program_id=program_id,
            goal=maintenance.goal or found.program.goal,
        )
        following = create_program(tx, caller, found.program.patient_id, draft, now=now)
    about = following or found.program
    planned = Discharge(check_in_months=check_in_months, of_program=following is None)
    checked = check_program(tx, visible_programs(caller), caller.clinic_id, about.id, now=now, discharge=planned)
    number = 1 if following else max(found.revisions)
    accept(tx, caller, checked, answers, program_id=about.id, revision_number=number, deed=Deed.DISCHARGE, now=now)
    if following is not None:
        _hand_over(tx, caller, course(tx, caller, following.id, lock=True), now)
    _end(tx, found, ProgramStatus.DISCHARGED, "discharged", now)
    today = found.local_today(now)
    tx.add_all(
        CheckIn(
            clinic_id=caller.clinic_id,
            id=new_id(now),
            patient_id=found.program.patient_id,
            program_id=program_id,
            month=month,
            due_on=months_after(today, month),
            created_at=now,
        )
        for month in sorted(set(check_in_months))
    )
    restate(tx, caller.clinic_id, {program_id: found}, because=Because.PROGRAM_ENDED, now=now)
    return following


def maintenance_after(tx: Session, caller: Caller, program_id: UUID) -> UUID | None:
    """The maintenance program that a discharge began."""
    return tx.scalars(
        visible_programs(caller)
        .with_only_columns(Program.id)
        .where(
            Program.previous_program_id == program_id,
            Program.type == ProgramType.MAINTENANCE,
            Program.status != ProgramStatus.DRAFT,
        )
        .order_by(Program.id)
    ).first()


def stop(
    tx: Session, caller: Caller, program_id: UUID, *, reason: str, note: str | None = None, now: datetime
) -> Program:
    """The patient stops, and says why: that is for the therapist to hear, today if it hurt or did not help."""
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
    _end(tx, found, ProgramStatus.WITHDRAWN, reason, now)
    found.program.end_note = note
    restate(tx, caller.clinic_id, {program_id: found}, because=Because.PROGRAM_ENDED, now=now)
    return found.program


def months_after(day: date, months: int) -> date:
    """The same day so many months later, or that month's last."""
    year, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + year, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _hand_over(tx: Session, caller: Caller, found: Course, now: datetime) -> Course:
    _start_today(found, now)
    found.program.status, found.program.activated_at = ProgramStatus.ACTIVE, now
    mark_changed(tx, found)
    restate(tx, caller.clinic_id, {found.program.id: found}, because=Because.PLAN_CHANGED, now=now)
    return found


def _start_today(found: Course, now: datetime) -> None:
    """A draft whose first day has passed since it was written starts on the day it is handed over: nothing was expected
    of a patient who did not have it. A start dated back when it was written stays. Its revisions took effect earlier,
    which changes nothing.
    """
    program, today = found.program, found.local_today(now)
    if found.local_today(program.created_at) <= program.starts_on < today:
        if program.review_due_on == program.starts_on + REVIEW_EVERY:
            program.review_due_on = today + REVIEW_EVERY
        program.starts_on = today


def _must_run(program: Program) -> None:
    if program.status not in RUNNING:
        raise WrongStatus(f"The program is {program.status}.")


def _may_hold(caller: Caller, reason: PauseReason) -> None:
    if reason is PauseReason.HOLD and caller.is_patients:
        raise NotAllowed("A hold is declared and lifted by a therapist.")


def _end(tx: Session, found: Course, status: ProgramStatus, reason: str, now: datetime) -> None:
    found.program.status, found.program.end_reason = status, reason
    # A program called off before its first day ends on it.
    found.program.ended_on = max(found.local_today(now), found.program.starts_on)
    found.program.ended_at = now
    mark_changed(tx, found)
