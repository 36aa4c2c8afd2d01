"""A course: one program with everything the engine needs of it, read in three statements for any number of them."""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, select
from sqlalchemy.orm import Session

from models.adherence import Line, Pause as PlannedPause, Phase as PlannedPhase, Plan, Revision as PlannedRevision
from models.adherence.schedule import Schedule
from models.tables import Exercise, Item, Patient, Pause, Phase, Program, ProgramStatus, Revision


@dataclass(slots=True)
class Course:
    """A program, its patient's zone, its pauses, and every item it ever had."""

    program: Program
    zone: ZoneInfo
    pauses: list[Pause] = field(default_factory=list)
    revisions: dict[int, Revision] = field(default_factory=dict)
    phases: dict[tuple[int, int], Phase] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    """Exercise slug → name."""

    def plan(self, as_of: datetime | None = None) -> Plan:
        """As the engine reads it; `as_of` leaves out what was not yet written then."""
        known = [pause for pause in self.pauses if as_of is None or pause.created_at <= as_of]
        ended = self.program.ended_at is not None and (as_of is None or self.program.ended_at <= as_of)
        return Plan(
            starts_on=self.program.starts_on,
            zone=self.zone,
            revisions=tuple(
                PlannedRevision(number=number, effective_on=revision.effective_on, phases=self._phases(number))
                for number, revision in self.revisions.items()
                if as_of is None or revision.created_at <= as_of or number == 1
            ),
            pauses=tuple(PlannedPause(pause.from_on, pause.to_on) for pause in known),
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

    def _phases(self, revision: int) -> tuple[PlannedPhase, ...]:
        return tuple(
            PlannedPhase(
                from_day=phase.from_day,
                to_day=phase.to_day,
                lines=tuple(
                    _line(item)
                    for item in self.items
                    if (item.revision_number, item.phase_number) == (revision, number)
                ),
            )
            for (of_revision, number), phase in self.phases.items()
            if of_revision == revision
        )


def courses(tx: Session, clinic_id: UUID, programs: Select[Program], *, lock: bool = False) -> dict[UUID, Course]:
    """The courses of the programs that `programs` selects within `clinic_id`.

    With `lock`, each program's and its patient's row are held before anything else is read: whoever writes second must
    see all that the first one wrote, also to the flags that concern the whole patient.
    """
    stmt = (
        programs.join(Patient, and_(Patient.clinic_id == Program.clinic_id, Patient.id == Program.patient_id))
        .where(Program.clinic_id == clinic_id, Patient.clinic_id == clinic_id)
        .add_columns(Patient.time_zone)
        .order_by(Program.id)
    )
    if lock:
        stmt = stmt.with_for_update(of=(Program, Patient), key_share=True)
    rows = tx.execute(stmt.execution_options(populate_existing=True))
    found = {program.id: Course(program, ZoneInfo(zone)) for program, zone in rows}
    if found:
        _add_items(tx, clinic_id, found)
        pauses = select(Pause).where(Pause.clinic_id == clinic_id, Pause.program_id.in_(found))
        for pause in tx.scalars(pauses.order_by(Pause.from_on, Pause.id)):
            found[pause.program_id].pauses.append(pause)
    return found


def _add_items(tx: Session, clinic_id: UUID, found: dict[UUID, Course]) -> None:
    rows = tx.execute(
        select(Revision, Phase, Item, Exercise.name)
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
        .join(Exercise, Exercise.slug == Item.exercise_slug)
        .where(Revision.clinic_id == clinic_id, Revision.program_id.in_(found))
        .order_by(Revision.program_id, Revision.number, Phase.number, Item.position)
    )
    for revision, phase, item, name in rows:
        course = found[revision.program_id]
        course.revisions[revision.number] = revision
        course.phases[revision.number, phase.number] = phase
        course.items.append(item)
        course.names[item.exercise_slug] = name


def _line(item: Item) -> Line:
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
