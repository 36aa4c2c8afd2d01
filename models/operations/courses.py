"""A course: one program with everything the engine needs of it, read in three statements for any number of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    func,
    literal,
    null,
    select,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from models.adherence import (
    Flare as PlannedFlare,
    Line,
    Pause as PlannedPause,
    Phase as PlannedPhase,
    Plan,
    Revision as PlannedRevision,
)
from models.adherence.schedule import Schedule
from models.adherence.thresholds import DEFAULTS, Thresholds, thresholds_of
from models.prescription.changes import PrescribedLine, PrescribedPhase
from models.prescription.dosage import Dosage, dosage_from
from models.safety.facts import domain_of, trains_trunk
from models.tables import (
    Care,
    Clinic,
    Exercise,
    Flare,
    Item,
    Patient,
    Pause,
    Phase,
    PhaseKind,
    Program,
    ProgramStatus,
    Revision,
)


@dataclass(slots=True)
class Course:
    """A program, its patient's zone, its pauses, and every item it ever had."""

    program: Program
    zone: ZoneInfo
    changes_before: int = 0
    """The patient's change number as it was read; exact while the patient is held."""
    pauses: list[Pause] = field(default_factory=list)
    flares: list[Flare] = field(default_factory=list)
    revisions: dict[int, Revision] = field(default_factory=dict)
    phases: dict[tuple[int, int], Phase] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Slug of an exercise or a care item → name."""
    trains: dict[UUID, frozenset[str]] = field(default_factory=dict)
    """Line → `strength`, `core`, both or neither."""
    thresholds: Thresholds = DEFAULTS
    """Where the clinic's flags draw their lines."""

    def revision_on(self, day: date, as_of: datetime | None = None) -> Revision:
        """The revision in force on a local day, of those written by `as_of`; before the program's first day, the one
        that will be on it.
        """
        known = [one for one in self.revisions.values() if as_of is None or one.created_at <= as_of or one.number == 1]
        reigning = [one for one in known if one.effective_on <= max(day, self.program.starts_on)]
        return max(reigning, key=lambda one: one.number) if reigning else min(known, key=lambda one: one.number)

    def phases_of(self, revision: int) -> list[tuple[Phase, list[Item]]]:
        """A revision's phases with their items, in order; the plan for flare days last."""
        of_phase: dict[int, list[Item]] = {number: [] for of, number in self.phases if of == revision}
        for item in self.items:
            if item.revision_number == revision:
                of_phase[item.phase_number].append(item)
        found = [(self.phases[revision, number], items) for number, items in of_phase.items()]
        return sorted(found, key=lambda one: (one[0].kind is PhaseKind.FLARE, one[0].number))

    def prescribed(self, revision: int) -> list[PrescribedPhase]:
        """A revision as people see it."""
        return [
            PrescribedPhase(
                label=phase.label,
                from_day=phase.from_day,
                to_day=phase.to_day,
                is_flare=phase.kind is PhaseKind.FLARE,
                lines=tuple(
                    PrescribedLine(
                        line_id=item.line_id,
                        name=self.names[slug_of(item)],
                        dosage=dosage_of(item),
                        side=item.side,
                        goal=item.goal,
                    )
                    for item in items
                ),
            )
            for phase, items in self.phases_of(revision)
        ]

    def status(self, at: datetime) -> ProgramStatus:
        """Where it was in its life at `at`, as it was known then: a running program is paused while a pause holds."""
        program = self.program
        if program.activated_at is None or at < program.activated_at:
            return ProgramStatus.DRAFT
        if program.ended_at is not None and program.ended_at <= at:
            return program.status
        today = self.local_today(at)
        paused = any(pause.from_on <= today <= last_day(pause, at) for pause in self.pauses if pause.created_at <= at)
        return ProgramStatus.PAUSED if paused else ProgramStatus.ACTIVE

    @property
    def first_seen(self) -> int:
        """The first revision the patient was given: what was changed before it was handed over they never saw."""
        handed_over = self.program.activated_at
        before = [one.number for one in self.revisions.values() if handed_over and one.created_at < handed_over]
        return max(before, default=1)

    def base_of(self, number: int) -> int | None:
        """The revision that `number` changed: the one that would have held on its first day without it."""
        earlier = [one for one in self.revisions.values() if one.number < number]
        held = [one.number for one in earlier if one.effective_on <= self.revisions[number].effective_on]
        return max(held or (one.number for one in earlier), default=None)

    def upcoming(self, day: date, as_of: datetime) -> list[Revision]:
        """The revisions written by `as_of` that take effect after `day`, and that no later one takes the place of."""
        known = [one for one in self.revisions.values() if one.created_at <= as_of]
        return [
            one
            for one in known
            if one.effective_on > max(day, self.program.starts_on)
            and not any(other.number > one.number and other.effective_on <= one.effective_on for other in known)
        ]

    def plan(self, as_of: datetime | None = None) -> Plan:
        """As the engine reads it; `as_of` leaves out what was not yet written then."""
        known = [pause for pause in self.pauses if as_of is None or pause.created_at <= as_of]
        ended = self.program.ended_at is not None and (as_of is None or self.program.ended_at <= as_of)
        return Plan(
            starts_on=self.program.starts_on,
            zone=self.zone,
            revisions=tuple(
                PlannedRevision(
                    number=number,
                    effective_on=revision.effective_on,
                    phases=tuple(_planned(phases, PhaseKind.COURSE)),
                    flare=next(_planned(phases, PhaseKind.FLARE), None),
                )
                for number, revision in self.revisions.items()
                if as_of is None or revision.created_at <= as_of or number == 1
                for phases in [self.phases_of(number)]
            ),
            pauses=tuple(
                PlannedPause(pause.from_on, last)
                for pause in known
                if (last := last_day(pause, as_of)) >= pause.from_on
            ),
            flares=tuple(
                PlannedFlare(flare.from_on, last_flare_day(flare, as_of))
                for flare in self.flares
                if as_of is None or flare.created_at <= as_of
            ),
            ends_on=self.program.ended_on if ended else None,
            ended_at=self.program.ended_at if ended else None,
        )

    def lines_on(self, day: date) -> tuple[Line, ...]:
        """The lines in force on a local day, as-needed ones included, in order."""
        stretch = Schedule(self.plan()).stretch(day.toordinal())
        return stretch.phase.lines if stretch else ()

    @property
    def withdrawn(self) -> bool:
        """Whether the patient stopped it."""
        return self.program.status is ProgramStatus.WITHDRAWN

    def local_today(self, now: datetime) -> date:
        """The patient's date."""
        return now.astimezone(self.zone).date()


def _planned(phases: Iterable[tuple[Phase, Iterable[Item]]], kind: PhaseKind) -> Iterator[PlannedPhase]:
    return (
        PlannedPhase(
            from_day=phase.from_day,
            to_day=phase.to_day,
            lines=tuple(line_of(item) for item in items if item.exercise_slug is not None),
        )
        for phase, items in phases
        if phase.kind is kind
    )


def last_day(pause: Pause, as_of: datetime | None = None) -> date:
    """The last local day a pause holds; before its first day if it was lifted at once."""
    if pause.lifted_on is None or (as_of is not None and pause.lifted_at is not None and pause.lifted_at > as_of):
        return pause.to_on
    return min(pause.to_on, pause.lifted_on - timedelta(days=1))


def last_flare_day(flare: Flare, as_of: datetime | None = None) -> date:
    """The last local day a flare stands for, as it was known at `as_of`."""
    if flare.ended_on is None or (as_of is not None and flare.ended_at is not None and flare.ended_at > as_of):
        return flare.to_on
    return flare.ended_on


def dosage_of(item: Item) -> Dosage:
    """How much and how often, out of its columns."""
    return dosage_from({one.name: getattr(item, one.name) for one in fields(Dosage)})


def slug_of(item: Item) -> str:
    """What an item is about: an exercise or a care item."""
    slug = item.exercise_slug or item.care_slug
    assert slug is not None  # the table sees to it
    return slug


def courses(tx: Session, clinic_id: UUID, programs: Select[Program], *, lock: bool = False) -> dict[UUID, Course]:
    """The courses of the programs that `programs` selects within `clinic_id`.

    With `lock`, each program's and its patient's row are held before anything else is read: whoever writes second must
    see all that the first one wrote, also to the flags that concern the whole patient.
    """
    stmt = (
        programs.join(Patient, and_(Patient.clinic_id == Program.clinic_id, Patient.id == Program.patient_id))
        .join(Clinic, Clinic.id == Program.clinic_id)
        .where(Program.clinic_id == clinic_id, Patient.clinic_id == clinic_id, Clinic.id == clinic_id)
        .add_columns(Patient.time_zone, Patient.change_number, Clinic.settings)
        .order_by(Patient.id, Program.id)
    )
    if lock:
        # The patient first, patients in their order: two that hold several must not wait for each other.
        stmt = stmt.with_for_update(of=(Patient, Program), key_share=True)
    rows = tx.execute(stmt.execution_options(populate_existing=True))
    found = {
        program.id: Course(program, ZoneInfo(zone), changes, thresholds=thresholds_of(settings))
        for program, zone, changes, settings in rows
    }
    if found:
        _add_items(tx, clinic_id, found)
        _add_interruptions(tx, clinic_id, found)
    return found


def _add_interruptions(tx: Session, clinic_id: UUID, found: dict[UUID, Course]) -> None:
    """Pauses and flares in one statement. They are copies: whoever changes one writes it with `change`."""
    rows = tx.execute(_INTERRUPTIONS, {"clinic_id": clinic_id, "programs": list(found)}).mappings()
    for row in rows:
        kind: type[Pause | Flare] = Flare if row["is_flare"] else Pause
        copy = kind(**{name: row[name] for name in _INTERRUPTION if name in _table(kind).columns})
        course = found[row["program_id"]]
        if isinstance(copy, Flare):
            course.flares.append(copy)
        else:
            course.pauses.append(copy)


def _table(kind: type[Pause | Flare]) -> Table:
    table = kind.__table__
    assert isinstance(table, Table)
    return table


_INTERRUPTION: dict[str, Any] = {
    column.key: column.type for table in (Pause, Flare) for column in _table(table).columns
}


def _column(table: type[Pause | Flare], name: str) -> Any:
    columns = _table(table).columns
    return columns[name] if name in columns else type_coerce(null(), _INTERRUPTION[name]).label(name)


def mark_changed(tx: Session, course: Course) -> None:
    """The program changed: whoever holds an older version is told, and so are the patient's phones."""
    program = course.program
    program.version += 1
    # A draft is nobody's business but the clinic's; handing it over is its first change for the patient.
    if program.status is not ProgramStatus.DRAFT:
        program.change_number = next_change(tx, program.clinic_id, program.patient_id)


def next_change(tx: Session, clinic_id: UUID, patient_id: UUID) -> int:
    """Count one more change to a patient's record. The patient's row is held from here to the end of the transaction,
    so numbers are committed in their order.
    """
    counted = (
        update(Patient)
        .where(Patient.clinic_id == clinic_id, Patient.id == patient_id)
        .values(change_number=Patient.change_number + 1)
        .returning(Patient.change_number)
        .execution_options(synchronize_session=False)
    )
    return tx.execute(counted).scalar_one()


def change(tx: Session, interruption: Pause | Flare, **values: Any) -> None:
    """Change a pause or a flare of a course, in the database and in the copy."""
    table = type(interruption)
    tx.execute(
        update(table)
        .where(table.clinic_id == interruption.clinic_id, table.id == interruption.id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    for name, value in values.items():
        setattr(interruption, name, value)


def prescriptions(*wanted: Any) -> Select[Any]:
    """Select from revisions with their phases and items; the caller names clinic and programs."""
    return (
        select(*wanted)
        .select_from(Revision)
        .join(
            Phase,
            and_(
                Phase.clinic_id == Revision.clinic_id,
                Phase.program_id == Revision.program_id,
                Phase.revision_number == Revision.number,
            ),
        )
        .join(
            Item,
            and_(
                Item.clinic_id == Phase.clinic_id,
                Item.program_id == Phase.program_id,
                Item.revision_number == Phase.revision_number,
                Item.phase_number == Phase.number,
            ),
        )
    )


def pause_holds(clinic_id: Any, program_id: Any, now: datetime) -> ColumnElement[bool]:
    """Whether a pause of a program holds at `now`; `clinic_id` and `program_id` are columns of the statement around."""
    return (
        select(Pause.id)
        .where(Pause.clinic_id == clinic_id, Pause.program_id == program_id, Pause.from_at <= now, Pause.until_at > now)
        .exists()
    )


# Written once: they go with every log.
_OF_CLINIC = bindparam("clinic_id", type_=Program.clinic_id.type)
_OF_PROGRAMS = bindparam("programs", type_=Program.id.type, expanding=True)
_ITEMS = (
    prescriptions(
        Revision,
        Phase,
        Item,
        func.coalesce(Exercise.name, Care.name),
        Exercise.category,
        Exercise.subcategory,
        Exercise.region,
    )
    .join(Exercise, Exercise.slug == Item.exercise_slug, isouter=True)
    .join(Care, Care.slug == Item.care_slug, isouter=True)
    .where(Revision.clinic_id == _OF_CLINIC, Revision.program_id.in_(_OF_PROGRAMS))
    .order_by(Revision.program_id, Revision.number, Phase.number, Item.position)
)
_INTERRUPTIONS = union_all(
    *(
        select(literal(value=is_flare).label("is_flare"), *(_column(table, name) for name in _INTERRUPTION)).where(
            table.clinic_id == _OF_CLINIC, table.program_id.in_(_OF_PROGRAMS)
        )
        for table, is_flare in ((Pause, False), (Flare, True))
    )
).order_by("from_on", "id")


def _add_items(tx: Session, clinic_id: UUID, found: dict[UUID, Course]) -> None:
    rows = tx.execute(_ITEMS, {"clinic_id": clinic_id, "programs": list(found)})
    for revision, phase, item, name, category, subcategory, region in rows:
        course = found[revision.program_id]
        course.revisions[revision.number] = revision
        course.phases[revision.number, phase.number] = phase
        course.items.append(item)
        course.names[slug_of(item)] = name
        if item.exercise_slug is not None:
            strength = {"strength"} if domain_of(category, subcategory) == "strength" else set()
            course.trains[item.line_id] = frozenset(strength | ({"core"} if trains_trunk(category, region) else set()))


def line_of(item: Item) -> Line:
    """An item as the engine sees it."""
    return Line(
        line_id=item.line_id,
        days_per_week=item.days_per_week,
        weekdays=frozenset(item.weekdays or ()),
        every_n_days=item.every_n_days,
        as_needed=item.as_needed_max_per_day is not None,
        sessions_per_day=item.sessions_per_day,
        sets=item.sets,
        reps=item.reps,
        hold_seconds=item.hold_seconds,
        duration_minutes=item.duration_minutes,
    )
