"""Programs: prescribing them, and the turns of their life."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from models.adherence.schedule import midnight_after
from models.operations.callers import Caller
from models.operations.catalogue import protocol
from models.operations.courses import Course, courses
from models.operations.flags import Because
from models.operations.ids import new_id
from models.operations.patients import patient
from models.operations.standings import restate
from models.refusals import Invalid, Unknown, WrongStatus
from models.tables import (
    Exercise,
    Item,
    Laterality,
    Pause,
    PauseReason,
    Phase,
    Program,
    ProgramStatus,
    ProgramType,
    Revision,
    Role,
    Side,
)

REVIEW_AFTER = timedelta(days=28)
"""A first course of four weeks, then a review (clinical content S3-04)."""
LONGEST_PAUSE = timedelta(days=180)
RUNNING = frozenset({ProgramStatus.ACTIVE, ProgramStatus.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dosage:
    """How much and how often; exactly one of the four frequency forms (clinical content 2.2, with its bounds)."""

    sets: int | None = None
    reps: int | None = None
    hold_seconds: int | None = None
    tempo: Sequence[int] | None = None
    rest_seconds: int | None = None
    duration_minutes: float | None = None
    distance_m: int | None = None
    load_kg: float | None = None
    band: str | None = None
    rpe_target: int | None = None
    pain_limit: int = 5
    sessions_per_day: int = 1
    days_per_week: int | None = None
    weekdays: Sequence[int] | None = None
    every_n_days: int | None = None
    as_needed_max_per_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDraft:
    """One exercise with its dosage, as prescribed."""

    exercise: str
    dosage: Dosage
    side: Side | None = None
    goal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDraft:
    """Items from one day of the program to another, counted from 1."""

    label: str
    from_day: int
    to_day: int | None
    items: Sequence[ItemDraft]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramDraft:
    """What a therapist prescribes: a protocol as it is, or phases of their own."""

    type: ProgramType = ProgramType.PRESCRIBED
    title: str | None = None
    starts_on: date | None = None
    """None: today, where the patient lives."""
    goal: str | None = None
    note: str | None = None
    protocol: str | None = None
    phases: Sequence[PhaseDraft] = ()
    previous_program_id: UUID | None = None


def visible_programs(caller: Caller) -> Select[Program]:
    """Every read of programs starts here: staff see their clinic's, a patient their own, drafts left out."""
    seen = select(Program).where(Program.clinic_id == caller.clinic_id)
    if caller.role is Role.PATIENT:
        return seen.where(Program.patient_id == caller.patient_id, Program.status != ProgramStatus.DRAFT)
    return seen


def course(tx: Session, caller: Caller, program_id: UUID, *, lock: bool = False) -> Course:
    """One program in the caller's sight, with its prescription."""
    found = courses(tx, caller.clinic_id, visible_programs(caller).where(Program.id == program_id), lock=lock)
    if program_id not in found:
        raise Unknown(f"No program {program_id}.")
    return found[program_id]


def programs_of(tx: Session, caller: Caller, patient_id: UUID) -> Sequence[Program]:
    """A patient's programs, latest first."""
    known = patient(tx, caller, patient_id)
    return tx.scalars(
        visible_programs(caller).where(Program.patient_id == known.id).order_by(Program.id.desc()).limit(100)
    ).all()


def create_program(tx: Session, caller: Caller, patient_id: UUID, draft: ProgramDraft, *, now: datetime) -> Program:
    """A draft with its first revision. Nothing is expected until it is activated."""
    whose = patient(tx, caller, patient_id)
    title, phases, slug = draft.title, draft.phases, draft.protocol
    if slug is not None:
        template = protocol(tx, slug)
        maintenance = draft.type is ProgramType.MAINTENANCE
        phases = _maintenance_of(template.maintenance) if maintenance else _phases_of(template.phases)
        title = title or (f"{template.name}: maintenance" if maintenance else template.name)
    _check_phases(phases)
    if draft.previous_program_id is not None:
        previous = tx.scalars(
            visible_programs(caller).where(Program.id == draft.previous_program_id, Program.patient_id == whose.id)
        ).one_or_none()
        if previous is None:
            raise Unknown(f"No program {draft.previous_program_id}.", field="/previous_program_id")
    program = Program(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        patient_id=whose.id,
        type=draft.type,
        status=ProgramStatus.DRAFT,
        title=title or "Home exercise program",
        protocol_slug=slug,
        previous_program_id=draft.previous_program_id,
        goal=draft.goal,
        starts_on=draft.starts_on or now.astimezone(ZoneInfo(whose.time_zone)).date(),
        created_by=caller.account_id,
        created_at=now,
    )
    program.review_due_on = program.starts_on + REVIEW_AFTER
    tx.add(program)
    tx.flush()  # the revision's foreign key needs it
    _write_revision(tx, caller, program, 1, phases, note=draft.note, now=now)
    return program


def activate(tx: Session, caller: Caller, program_id: UUID, *, now: datetime) -> Course:
    """Hand the program to the patient: from its first day on sessions are expected."""
    found = course(tx, caller, program_id, lock=True)
    if found.program.status is not ProgramStatus.DRAFT:
        raise WrongStatus(f"Only a draft can be activated; this program is {found.program.status}.")
    _start_today(found, now)
    found.program.status, found.program.activated_at = ProgramStatus.ACTIVE, now
    found.program.version += 1
    restate(tx, caller.clinic_id, {program_id: found}, because=Because.PLAN_CHANGED, now=now)
    return found


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
    clock because it was forgotten.
    """
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
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
    found.program.version += 1
    restate(tx, caller.clinic_id, {program_id: found}, because=Because.PAUSED, now=now)
    return declared


def discharge(tx: Session, caller: Caller, program_id: UUID, maintenance: ProgramDraft, *, now: datetime) -> Program:
    """End a program and begin the maintenance program that follows it: the patient stays watched."""
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
    draft = replace(maintenance, type=ProgramType.MAINTENANCE, previous_program_id=program_id)
    following = create_program(tx, caller, found.program.patient_id, draft, now=now)
    activate(tx, caller, following.id, now=now)
    _end(found, ProgramStatus.DISCHARGED, "discharged", now)
    restate(tx, caller.clinic_id, {program_id: found}, because=Because.PROGRAM_ENDED, now=now)
    return following


def stop(tx: Session, caller: Caller, program_id: UUID, *, reason: str, now: datetime) -> Program:
    """The patient stops, and says why: that is for the therapist to hear, today if it hurt or did not help."""
    found = course(tx, caller, program_id, lock=True)
    _must_run(found.program)
    _end(found, ProgramStatus.WITHDRAWN, reason, now)
    restate(tx, caller.clinic_id, {program_id: found}, because=Because.PROGRAM_ENDED, now=now)
    return found.program


def _start_today(found: Course, now: datetime) -> None:
    """A draft that was to start on the day it was written starts on the day it is handed over: nothing was expected of
    a patient who did not have it. A start that was chosen stays.
    """
    program, today = found.program, found.local_today(now)
    if program.starts_on == found.local_today(program.created_at) and program.starts_on < today:
        program.starts_on, program.review_due_on = today, today + REVIEW_AFTER
        for revision in found.revisions.values():
            revision.effective_on = today


def _must_run(program: Program) -> None:
    if program.status not in RUNNING:
        raise WrongStatus(f"The program is {program.status}.")


def _end(found: Course, status: ProgramStatus, reason: str, now: datetime) -> None:
    found.program.status, found.program.end_reason = status, reason
    # A program called off before its first day ends on it.
    found.program.ended_on = max(found.local_today(now), found.program.starts_on)
    found.program.ended_at = now
    found.program.version += 1


def _write_revision(
    tx: Session,
    caller: Caller,
    program: Program,
    number: int,
    phases: Sequence[PhaseDraft],
    *,
    note: str | None,
    now: datetime,
) -> None:
    exercises = _exercises(tx, phases)
    key: dict[str, Any] = {"clinic_id": caller.clinic_id, "program_id": program.id}
    tx.add(
        Revision(
            **key, number=number, effective_on=program.starts_on, author_id=caller.account_id, note=note, created_at=now
        )
    )
    tx.flush()  # the phases' foreign key needs it
    for phase_number, phase in enumerate(phases, start=1):
        tx.add(
            Phase(
                **key,
                revision_number=number,
                number=phase_number,
                label=phase.label,
                from_day=phase.from_day,
                to_day=phase.to_day,
            )
        )
    tx.flush()  # the items' foreign key needs them
    for phase_number, phase in enumerate(phases, start=1):
        for position, drafted in enumerate(phase.items, start=1):
            tx.add(
                Item(
                    **key,
                    revision_number=number,
                    line_id=new_id(now),
                    phase_number=phase_number,
                    position=position,
                    exercise_slug=drafted.exercise,
                    side=_side(exercises[drafted.exercise], drafted.side),
                    goal=drafted.goal,
                    **_columns(drafted.dosage),
                )
            )
    tx.flush()  # so that what the database refuses is refused here


def _exercises(tx: Session, phases: Sequence[PhaseDraft]) -> dict[str, Laterality]:
    wanted = {drafted.exercise for phase in phases for drafted in phase.items}
    rows = tx.execute(select(Exercise.slug, Exercise.laterality).where(Exercise.slug.in_(wanted)))
    known = {slug: laterality for slug, laterality in rows}  # noqa: C416  (rows are not pairs to the type checker)
    for number, phase in enumerate(phases):
        for position, drafted in enumerate(phase.items):
            if drafted.exercise not in known:
                raise Unknown(f"No exercise {drafted.exercise}.", field=f"/phases/{number}/items/{position}/exercise")
    return known


def _side(laterality: Laterality, side: Side | None) -> Side | None:
    """A one-sided exercise is done on both sides unless someone says otherwise."""
    return side or (Side.BOTH if laterality is Laterality.EACH_SIDE else None)


def _columns(dosage: Dosage) -> dict[str, Any]:
    columns = {each.name: getattr(dosage, each.name) for each in fields(dosage)}
    for name in ("weekdays", "tempo"):
        columns[name] = None if columns[name] is None else list(columns[name])
    return columns


def _check_phases(phases: Sequence[PhaseDraft]) -> None:
    if not phases or not all(phase.items for phase in phases):
        raise Invalid("A program needs a protocol, or phases with at least one item each.", field="/phases")
    for number, (phase, following) in enumerate(zip(phases, [*phases[1:], None], strict=True)):
        if phase.to_day is not None and phase.to_day < phase.from_day:
            raise Invalid("A phase ends on or after the day it begins.", field=f"/phases/{number}/to_day")
        if following is not None and (phase.to_day is None or following.from_day <= phase.to_day):
            raise Invalid("Phases follow one another without overlap.", field=f"/phases/{number + 1}/from_day")


def _phases_of(template: Sequence[dict[str, Any]]) -> list[PhaseDraft]:
    """A protocol's phases. The last one runs on until the program is revised or ended: a patient whose course has
    run out must not fall off the clock.
    """
    last = len(template) - 1
    return [
        PhaseDraft(
            label=phase["label"],
            from_day=phase["from_day"],
            to_day=None if number == last else phase["to_day"],
            items=_items_of(phase["items"]),
        )
        for number, phase in enumerate(template)
    ]


def _maintenance_of(items: Sequence[dict[str, Any]]) -> list[PhaseDraft]:
    return [PhaseDraft(label="Maintenance", from_day=1, to_day=None, items=_items_of(items))]


def _items_of(items: Sequence[dict[str, Any]]) -> list[ItemDraft]:
    return [ItemDraft(exercise=item["exercise"], dosage=Dosage(**item["dosage"])) for item in items]
