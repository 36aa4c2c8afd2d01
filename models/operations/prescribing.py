"""Writing prescriptions: drafts, protocols adapted on the way, and immutable revisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models.adherence.following import UNTITLED
from models.operations.callers import Caller
from models.operations.checking import Answers, Checked, ItemFacts, PhaseFacts, accept, advice_of, check_program
from models.operations.courses import Course, courses, dosage_of, mark_changed, slug_of
from models.operations.dangers import mark_endangered
from models.operations.flags import Because
from models.operations.ids import new_id
from models.operations.patients import patient
from models.operations.policy import visible_programs
from models.operations.protocols import FLARE_LABEL, Template, check_phases, template
from models.operations.standings import restate
from models.prescription.changes import changes
from models.prescription.dosage import Dosage, Side, dosage_from
from models.refusals import Invalid, Unknown, VersionMismatch, WrongStatus
from models.tables import (
    Care,
    Deed,
    Exercise,
    Item,
    Laterality,
    Phase,
    PhaseKind,
    Program,
    ProgramStatus,
    ProgramType,
    Revision,
    Teaching,
)

REVIEW_AFTER = timedelta(days=28)
"""A first course of four weeks, then a review (clinical content S3-04)."""
STARTS_WITHIN = timedelta(days=366)
RUNNING = frozenset({ProgramStatus.ACTIVE, ProgramStatus.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemDraft:
    """One exercise, or one thing to do beside them, with its dosage."""

    dosage: Dosage
    exercise: str | None = None
    care: str | None = None
    """Exactly one of the two, as a slug."""
    side: Side | None = None
    goal: str | None = None
    line_id: UUID | None = None
    """The line it continues, in a revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDraft:
    """Items from one day of the program to another, counted from 1."""

    label: str
    from_day: int
    to_day: int | None
    items: Sequence[ItemDraft]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """One change to a protocol as it is prescribed: to an exercise of one phase, or of all."""

    exercise: str
    """Slug, also of a care item."""
    phase: str | None = None
    """Label; None: wherever it stands."""
    remove: bool = False
    instead: str | None = None
    """Slug of the exercise that takes its place."""
    dosage: Dosage | None = None
    side: Side | None = None
    goal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flare:
    """The plan for flare days: items of your own, or those of a protocol's first phase."""

    items: Sequence[ItemDraft] = ()
    protocol: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramDraft:
    """What a therapist prescribes: a protocol, adapted or as it is, or phases of their own."""

    type: ProgramType = ProgramType.PRESCRIBED
    title: str | None = None
    starts_on: date | None = None
    """None: today, where the patient lives."""
    goal: str | None = None
    note: str | None = None
    protocol: str | None = None
    adapt: Sequence[Adaptation] = ()
    phases: Sequence[PhaseDraft] = ()
    """Beside a protocol: further items for its phases, by label."""
    flare: Flare | None = None
    review_due_on: date | None = None
    """None: in four weeks."""
    previous_program_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionDraft:
    """The whole prescription as it shall be from a day on."""

    phases: Sequence[PhaseDraft]
    flare: Flare | None = None
    """None: no plan for flare days any more."""
    keeps_flare: bool = False
    """The plan for flare days stays as it is, whatever `flare` says."""
    effective_on: date | None = None
    """None: today, where the patient lives."""
    note: str | None = None


def course(tx: Session, caller: Caller, program_id: UUID, *, lock: bool = False) -> Course:
    """One program in the caller's sight, with its prescription."""
    found = courses(tx, caller.clinic_id, visible_programs(caller).where(Program.id == program_id), lock=lock)
    if program_id not in found:
        raise Unknown(f"No program {program_id}.")
    caller.seen.add(found[program_id].program.patient_id)
    return found[program_id]


def course_with_advice(
    tx: Session, caller: Caller, program_id: UUID, *, now: datetime
) -> tuple[Course, dict[UUID, list[str]]]:
    """One program, and by line what its patient minds with the prescription in force at `now`."""
    tx.flush()  # a check that was just let through is read back
    found = course(tx, caller, program_id)
    program = found.program
    seen_from = program.activated_at if caller.is_patients else program.created_at
    if seen_from is None or now < seen_from:
        raise Unknown(f"There was no program {program_id} yet.", field="/as_of")
    key = program_id, found.revision_on(found.local_today(now), now).number
    return found, advice_of(tx, caller.clinic_id, [key]).get(key, {})


def create_program(tx: Session, caller: Caller, patient_id: UUID, draft: ProgramDraft, *, now: datetime) -> Program:
    """A draft with its first revision. Nothing is expected until it is activated."""
    whose = patient(tx, caller, patient_id, lock=True)
    source = template(tx, caller, draft.protocol) if draft.protocol is not None else None
    _new_lines(draft)
    _known_things(tx, draft.phases, draft.flare.items if draft.flare else [], draft.adapt)
    phases = _from_protocol(source, _with_starting_dosages(tx, draft)) if source else list(draft.phases)
    maintenance = draft.type is ProgramType.MAINTENANCE
    title = draft.title
    if source and not title:
        title = f"{source.name}: maintenance" if maintenance else source.name
    program = Program(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        patient_id=whose.id,
        type=draft.type,
        status=ProgramStatus.DRAFT,
        title=title or UNTITLED,
        protocol_slug=source.slug if source and not source.is_own else None,
        own_protocol_slug=source.slug if source and source.is_own else None,
        protocol_version=source.version if source else None,
        previous_program_id=_previous(tx, caller, whose.id, draft.previous_program_id),
        goal=draft.goal,
        starts_on=draft.starts_on or now.astimezone(ZoneInfo(whose.time_zone)).date(),
        created_by=caller.account_id,
        created_at=now,
    )
    _near(program.starts_on, now, "/starts_on")
    # Maintenance is followed by check-ins, not by four-week reviews.
    program.review_due_on = draft.review_due_on or (None if maintenance else program.starts_on + REVIEW_AFTER)
    if program.review_due_on is not None and program.review_due_on <= program.starts_on:
        raise Invalid("A review follows the start.", field="/review_due_on")
    tx.add(program)
    tx.flush()  # the revision's foreign key needs it
    _write_revision(
        tx,
        caller,
        program,
        number=1,
        phases=phases,
        flare=_flare_items(tx, caller, draft.flare),
        effective_on=program.starts_on,
        note=draft.note,
        now=now,
    )
    return program


def _near(day: date, now: datetime, field: str) -> None:
    if abs(day - now.date()) > STARTS_WITHIN:
        raise Invalid("A program starts within a year of today.", field=field)


def _new_lines(draft: ProgramDraft) -> None:
    """A new program continues no line."""
    rows = [*((f"/phases/{number}/items", phase.items) for number, phase in enumerate(draft.phases))]
    rows += [("/flare/items", draft.flare.items)] if draft.flare else []
    for place, items in rows:
        for position, item in enumerate(items):
            if item.line_id is not None:
                raise Invalid("A new program's lines are new; leave line_id out.", field=f"{place}/{position}/line_id")


def revise(
    tx: Session,
    caller: Caller,
    program_id: UUID,
    draft: RevisionDraft,
    answers: Answers,
    *,
    version: int,
    now: datetime,
) -> Course:
    """Write a new revision. It takes effect today or later: what was expected of a past day never changes.

    A running program's revision passes the safety check first; a draft's does when it is activated.
    """
    found = course(tx, caller, program_id, lock=True)
    program = found.program
    if program.version != version:
        raise VersionMismatch("Someone changed this program meanwhile; read it again.")
    running = program.status in RUNNING
    if not running and program.status is not ProgramStatus.DRAFT:
        raise WrongStatus(f"The program is {program.status}.")
    earliest = max(found.local_today(now), program.starts_on) if running else program.starts_on
    effective_on = draft.effective_on or earliest
    if effective_on < earliest or (not running and effective_on != program.starts_on):
        raise Invalid(f"A revision takes effect on {earliest} or later.", field="/effective_on")
    flare = _revised_flare(tx, caller, found, draft)
    phases = _continued(found, draft.phases)
    number = max(found.revisions) + 1
    # A revision that only takes back one yet to begin changes something too.
    base = found.revision_on(effective_on).number
    pending = found.upcoming(effective_on, now)
    checked = _check_proposed(tx, caller, program, phases, flare, now) if running else None
    _write_revision(
        tx,
        caller,
        program,
        number=number,
        phases=phases,
        flare=flare,
        effective_on=effective_on,
        note=draft.note,
        now=now,
    )
    revised = course(tx, caller, program_id)
    if not pending and not changes(revised.prescribed(base), revised.prescribed(number)):
        raise Invalid("This revision changes nothing.", field="/phases")
    mark_changed(tx, revised)
    if checked:
        accept(tx, caller, checked, answers, program_id=program_id, revision_number=number, deed=Deed.REVISE, now=now)
        restate(tx, caller.clinic_id, {program_id: revised}, because=Because.PLAN_CHANGED, now=now)
        mark_endangered(tx, caller.clinic_id, program.patient_id, now=now)
    return revised


def discard(tx: Session, caller: Caller, program_id: UUID) -> None:
    """Throw a draft away: nobody but staff ever saw it."""
    found = course(tx, caller, program_id, lock=True)
    if found.program.status is not ProgramStatus.DRAFT:
        raise WrongStatus(f"Only a draft is thrown away; this program is {found.program.status}.")
    for table in (Teaching, Item, Phase, Revision):
        tx.execute(delete(table).where(table.clinic_id == caller.clinic_id, table.program_id == program_id))
    tx.execute(delete(Program).where(Program.clinic_id == caller.clinic_id, Program.id == program_id))


def check(
    tx: Session, caller: Caller, program_id: UUID, proposed: RevisionDraft | None = None, *, now: datetime
) -> Checked:
    """What the safety rules say of a program, or of a revision that is only proposed."""
    if proposed is None:
        checked = check_program(tx, visible_programs(caller), caller.clinic_id, program_id, now=now)
        caller.seen.add(checked.patient_id)
        return checked
    found = course(tx, caller, program_id)
    phases = _continued(found, proposed.phases)
    flare = _revised_flare(tx, caller, found, proposed)
    return _check_proposed(tx, caller, found.program, phases, flare, now)


def _check_proposed(
    tx: Session,
    caller: Caller,
    program: Program,
    phases: Sequence[PhaseDraft],
    flare: Sequence[ItemDraft],
    now: datetime,
) -> Checked:
    _check_shape(phases)
    _known_things(tx, phases, flare)
    proposed = [
        PhaseFacts(
            label=phase.label,
            from_day=phase.from_day,
            to_day=phase.to_day,
            items=[_facts(item) for item in phase.items],
        )
        for phase in phases
    ]
    if flare:
        proposed.append(PhaseFacts(label=FLARE_LABEL, is_flare=True, items=[_facts(item) for item in flare]))
    return check_program(tx, visible_programs(caller), caller.clinic_id, program.id, now=now, proposed=proposed)


def _facts(item: ItemDraft) -> ItemFacts:
    return ItemFacts(
        slug=_slug(item),
        is_care=item.care is not None,
        dosage=item.dosage,
        side=item.side,
        goal=item.goal,
        line_id=item.line_id,
    )


def _slug(item: ItemDraft) -> str:
    slug = item.exercise or item.care
    if slug is None or (item.exercise and item.care):
        raise Invalid("An item is either an exercise or a care item.", field="/phases")
    return slug


def _previous(tx: Session, caller: Caller, patient_id: UUID, named: UUID | None) -> UUID | None:
    """The program this one follows: the one named, or the patient's last that was handed over."""
    theirs = visible_programs(caller).where(Program.patient_id == patient_id, Program.status != ProgramStatus.DRAFT)
    if named is not None:
        if tx.scalars(theirs.where(Program.id == named)).one_or_none() is None:
            raise Unknown(f"No program {named}.", field="/previous_program_id")
        return named
    last = tx.scalars(theirs.order_by(Program.id.desc()).limit(1)).one_or_none()
    return last.id if last else None


# From a protocol.


def _from_protocol(source: Template, draft: ProgramDraft) -> list[PhaseDraft]:
    """A protocol's phases, adapted. The last one runs on until the program is revised or ended: a patient whose course
    has run out must not fall off the clock.
    """
    if draft.type is ProgramType.MAINTENANCE:
        phases = [PhaseDraft(label="Maintenance", from_day=1, to_day=None, items=_items_of(source.maintenance))]
    else:
        last = len(source.phases) - 1
        phases = [
            PhaseDraft(
                label=phase["label"],
                from_day=phase["from_day"],
                to_day=None if number == last else phase["to_day"],
                items=_items_of(phase["items"]),
            )
            for number, phase in enumerate(source.phases)
        ]
    for number, adaptation in enumerate(draft.adapt):
        phases = _adapted(phases, adaptation, number)
    for number, extra in enumerate(draft.phases):
        if extra.label not in {phase.label for phase in phases}:
            raise Invalid(f"The protocol has no phase {extra.label}.", field=f"/phases/{number}/label")
        phases = [
            replace(phase, items=[*phase.items, *extra.items]) if phase.label == extra.label else phase
            for phase in phases
        ]
    return phases


def _with_starting_dosages(tx: Session, draft: ProgramDraft) -> ProgramDraft:
    """An exercise that takes another's place has its own starting dosage, unless one was said."""
    slugs = {change.instead for change in draft.adapt if change.instead}
    rows = tx.execute(select(Exercise.slug, Exercise.dosage).where(Exercise.slug.in_(slugs)))
    starting = {slug: dosage_from(said) for slug, said in rows}
    adapt = [
        replace(change, dosage=change.dosage or starting[change.instead]) if change.instead else change
        for change in draft.adapt
    ]
    return replace(draft, adapt=adapt)


def _adapted(phases: Sequence[PhaseDraft], change: Adaptation, number: int) -> list[PhaseDraft]:
    touched = False
    result = []
    for phase in phases:
        items: list[ItemDraft] = []
        for item in phase.items:
            if change.exercise not in {item.exercise, item.care} or change.phase not in {None, phase.label}:
                items.append(item)
                continue
            touched = True
            if not change.remove:
                items.append(
                    replace(
                        item,
                        exercise=change.instead or item.exercise,
                        care=None if change.instead else item.care,
                        dosage=change.dosage or item.dosage,
                        side=change.side or item.side,
                        goal=change.goal or item.goal,
                    )
                )
        result.append(replace(phase, items=items))
    if not touched:
        raise Unknown(f"The protocol has no exercise {change.exercise} there.", field=f"/adapt/{number}/exercise")
    return result


def _items_of(items: Sequence[Mapping[str, Any]]) -> list[ItemDraft]:
    # Where an exercise is one-sided and a protocol says nothing, both sides are meant; _write_revision knows which are.
    return [
        ItemDraft(
            exercise=item.get("exercise"),
            care=item.get("care"),
            dosage=dosage_from(item["dosage"]),
            side=Side(item["side"]) if item.get("side") else None if item.get("care") else Side.BOTH,
            goal=item.get("goal"),
        )
        for item in items
    ]


def _flare_items(tx: Session, caller: Caller, flare: Flare | None) -> Sequence[ItemDraft]:
    if flare is None:
        return []
    if flare.protocol is None:
        return flare.items
    return _items_of(template(tx, caller, flare.protocol, field="/flare/protocol").phases[0]["items"])


# Revisions.


def _continued(found: Course, phases: Sequence[PhaseDraft]) -> list[PhaseDraft]:
    """The phases with the lines they continue: the line named, or the same thing in the phase of the same label, or in
    a phase that is no more. So a dosage can be changed, or a phase renamed, without naming lines, and adherence still
    knows which line is which.
    """
    free = _free_lines(found, PhaseKind.COURSE)
    labels = {phase.label for phase in phases}
    places = [
        [f"/phases/{number}/items/{position}" for position, _ in enumerate(phase.items)]
        for number, phase in enumerate(phases)
    ]
    items = _with_lines(found, [phase.items for phase in phases], places)
    claimed = {item.line_id for row in items for item in row if item.line_id}
    result = []
    for phase, row in zip(phases, items, strict=True):
        lines = []
        for item in row:
            same = free.get((phase.label, _slug(item)), [])
            gone = [
                line
                for (label, slug), held in free.items()
                for line in held
                if slug == _slug(item) and label not in labels
            ]
            lines.append(_with_line(item, [*same, *gone], claimed))
        result.append(replace(phase, items=lines))
    return result


def _revised_flare(tx: Session, caller: Caller, found: Course, draft: RevisionDraft) -> Sequence[ItemDraft]:
    if draft.keeps_flare:
        return _kept_flare(found)
    return _continued_flare(found, _flare_items(tx, caller, draft.flare))


def _continued_flare(found: Course, items: Sequence[ItemDraft]) -> Sequence[ItemDraft]:
    free = _free_lines(found, PhaseKind.FLARE)
    (row,) = _with_lines(found, [items], [[f"/flare/items/{position}" for position, _ in enumerate(items)]])
    claimed = {item.line_id for item in row if item.line_id}
    return [_with_line(item, free.get((FLARE_LABEL, _slug(item)), []), claimed) for item in row]


def _kept_flare(found: Course) -> list[ItemDraft]:
    """The plan for flare days of the latest revision, as it is."""
    return [
        ItemDraft(
            exercise=item.exercise_slug,
            care=item.care_slug,
            dosage=dosage_of(item),
            side=item.side,
            goal=item.goal,
            line_id=item.line_id,
        )
        for _, items in _latest(found, PhaseKind.FLARE)
        for item in items
    ]


def _latest(found: Course, kind: PhaseKind) -> list[tuple[Phase, list[Item]]]:
    return [(phase, items) for phase, items in found.phases_of(max(found.revisions)) if phase.kind is kind]


def _free_lines(found: Course, kind: PhaseKind) -> dict[tuple[str, str], list[UUID]]:
    """Phase label and slug → the lines of the latest revision."""
    lines: dict[tuple[str, str], list[UUID]] = {}
    for phase, items in _latest(found, kind):
        for item in items:
            lines.setdefault((phase.label, slug_of(item)), []).append(item.line_id)
    return lines


def _with_lines(
    found: Course, rows: Sequence[Sequence[ItemDraft]], places: Sequence[Sequence[str]]
) -> Sequence[Sequence[ItemDraft]]:
    """Refuse lines the program never had, and lines that were something else: what was logged of a line stays true."""
    known = {item.line_id: slug_of(item) for item in found.items}
    for row, pointers in zip(rows, places, strict=True):
        for item, place in zip(row, pointers, strict=True):
            if item.line_id is None:
                continue
            if item.line_id not in known:
                raise Unknown(f"The program has no line {item.line_id}.", field=f"{place}/line_id")
            if known[item.line_id] != _slug(item):
                raise Invalid(
                    f"This line is {known[item.line_id]}; leave line_id out to begin another.", field=f"{place}/line_id"
                )
    return rows


def _with_line(item: ItemDraft, lines: Sequence[UUID], claimed: set[UUID]) -> ItemDraft:
    if item.line_id is not None:
        return item
    line_id = next((line for line in lines if line not in claimed), None)
    if line_id is not None:
        claimed.add(line_id)
    return replace(item, line_id=line_id)


def _write_revision(
    tx: Session,
    caller: Caller,
    program: Program,
    *,
    number: int,
    phases: Sequence[PhaseDraft],
    flare: Sequence[ItemDraft],
    effective_on: date,
    note: str | None,
    now: datetime,
) -> None:
    _check_shape(phases)
    laterality = _known_things(tx, phases, flare)
    key: dict[str, Any] = {"clinic_id": caller.clinic_id, "program_id": program.id}
    tx.add(
        Revision(
            **key, number=number, effective_on=effective_on, author_id=caller.account_id, note=note, created_at=now
        )
    )
    tx.flush()  # the phases' foreign key needs it
    rows = [(phase.label, phase.from_day, phase.to_day, PhaseKind.COURSE, phase.items) for phase in phases]
    if flare:
        rows.append((FLARE_LABEL, 1, None, PhaseKind.FLARE, flare))
    for position, (label, from_day, to_day, kind, _) in enumerate(rows, start=1):
        tx.add(
            Phase(
                **key,
                revision_number=number,
                number=position,
                kind=kind,
                label=label,
                from_day=from_day,
                to_day=to_day,
            )
        )
    tx.flush()  # the items' foreign key needs them
    for phase_number, (*_, items) in enumerate(rows, start=1):
        for position, drafted in enumerate(items, start=1):
            tx.add(
                Item(
                    **key,
                    revision_number=number,
                    line_id=drafted.line_id or new_id(now),
                    phase_number=phase_number,
                    position=position,
                    exercise_slug=drafted.exercise,
                    care_slug=drafted.care,
                    side=_side(laterality.get(drafted.exercise or ""), drafted.side),
                    goal=drafted.goal,
                    **_columns(drafted.dosage),
                )
            )
    tx.flush()  # so that what the database refuses is refused here


def _known_things(
    tx: Session, phases: Sequence[PhaseDraft], flare: Sequence[ItemDraft], adapt: Sequence[Adaptation] = ()
) -> dict[str, Laterality]:
    """The exercises' laterality; an exercise or care item that is not on the shelf is refused where it was said."""
    places = [
        *(
            (f"/phases/{number}/items/{position}", item)
            for number, phase in enumerate(phases)
            for position, item in enumerate(phase.items)
        ),
        *((f"/flare/items/{position}", item) for position, item in enumerate(flare)),
    ]
    slugs = {item.exercise for _, item in places if item.exercise} | {one.instead for one in adapt if one.instead}
    cares = {item.care for _, item in places if item.care}
    # A retired exercise may go on where it stands; nobody begins it.
    continued = {item.exercise for _, item in places if item.line_id is not None}
    rows = tx.execute(select(Exercise.slug, Exercise.laterality, Exercise.retired_at).where(Exercise.slug.in_(slugs)))
    known = {slug: laterality for slug, laterality, retired_at in rows if retired_at is None or slug in continued}
    known_cares = set(tx.scalars(select(Care.slug).where(Care.slug.in_(cares)))) if cares else set()
    for number, one in enumerate(adapt):
        if one.instead and one.instead not in known:
            raise Unknown(f"No exercise {one.instead}.", field=f"/adapt/{number}/instead")
    lines = set[UUID]()
    for place, item in places:
        _slug(item)
        if item.exercise and item.exercise not in known:
            raise Unknown(f"No exercise {item.exercise}.", field=f"{place}/exercise")
        if item.care and item.care not in known_cares:
            raise Unknown(f"No care item {item.care}.", field=f"{place}/care")
        if item.line_id is not None and item.line_id in lines:
            raise Invalid("Two items continue the same line.", field=f"{place}/line_id")
        if item.line_id is not None:
            lines.add(item.line_id)
    return known


def _side(laterality: Laterality | None, side: Side | None) -> Side | None:
    """Only an exercise done one side at a time has a side; where nobody said which, the safety check asks (R-29)."""
    return side if laterality is Laterality.EACH_SIDE else None


def _columns(dosage: Dosage) -> dict[str, Any]:
    columns = {each.name: getattr(dosage, each.name) for each in fields(dosage)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in columns.items()}


def _check_shape(phases: Sequence[PhaseDraft]) -> None:
    if not phases or not all(phase.items for phase in phases):
        raise Invalid("A program needs a protocol, or phases with at least one item each.", field="/phases")
    check_phases([(phase.label, phase.from_day, phase.to_day) for phase in phases])
