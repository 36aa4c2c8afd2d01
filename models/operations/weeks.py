"""Writing down what each week came to, in the transaction of whatever changed it: the rollup under every report."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from models.adherence.weeks import AHEAD_WEEKS, Week, monday_of, mondays_of, weeks
from models.database import insert_or_replace
from models.operations.bouts import Done, done_in
from models.operations.courses import Course
from models.tables import ProgramWeek

AHEAD = timedelta(weeks=AHEAD_WEEKS)


def mondays_before(days: Mapping[UUID, Collection[date]]) -> list[date]:
    """The days from which on sessions must be known to recount the weeks of `days`."""
    return [monday_of(day) for some in days.values() for day in some]


def recount_some(
    tx: Session,
    clinic_id: UUID,
    found: Mapping[UUID, Course],
    done: Done,
    days: Mapping[UUID, Collection[date]],
    written: Mapping[UUID, datetime],
    now: datetime,
) -> None:
    """Recount the weeks of `days`, and write ahead those that have come into sight since each program was last
    `written`; `done` holds their sessions.
    """
    counted: dict[UUID, list[Week]] = {}
    for program_id, course in found.items():
        mondays = {monday_of(day) for day in days.get(program_id, ())}
        reached = monday_of(course.local_today(written[program_id]) + AHEAD)
        while (reached := reached + timedelta(weeks=1)) <= monday_of(course.local_today(now) + AHEAD):
            mondays.add(reached)
        if mondays:
            plan = course.plan()
            of_plan = mondays.intersection(mondays_of(plan, course.local_today(now) + AHEAD))
            counted[program_id] = weeks(plan, done.of(program_id), of_plan)
    _write(tx, clinic_id, counted)


def recount_all(tx: Session, clinic_id: UUID, found: Mapping[UUID, Course], now: datetime) -> None:
    """Recount every week of every program, from every session: four statements at most, however many programs."""
    done = done_in(tx, clinic_id, found)
    counted = {
        program_id: weeks(plan, done.of(program_id), mondays_of(plan, course.local_today(now) + AHEAD))
        for program_id, course in found.items()
        for plan in [course.plan()]
    }
    tx.execute(delete(ProgramWeek).where(ProgramWeek.clinic_id == clinic_id, ProgramWeek.program_id.in_(found)))
    _write(tx, clinic_id, counted)


def weeks_of(tx: Session, clinic_id: UUID, programs: Iterable[UUID]) -> dict[UUID, list[Week]]:
    """The weeks of some programs as they are written, in order."""
    rows = tx.scalars(
        select(ProgramWeek)
        .where(ProgramWeek.clinic_id == clinic_id, ProgramWeek.program_id.in_(programs))
        .order_by(ProgramWeek.program_id, ProgramWeek.monday)
        .execution_options(populate_existing=True)
    )
    found: dict[UUID, list[Week]] = {}
    for row in rows:
        found.setdefault(row.program_id, []).append(Week(**{name: getattr(row, name) for name in _COLUMNS}))
    return found


_COLUMNS = tuple(Week.__dataclass_fields__)


def _write(tx: Session, clinic_id: UUID, counted: Mapping[UUID, Iterable[Week]]) -> None:
    rows = [
        {"clinic_id": clinic_id, "program_id": program_id} | asdict(week)
        for program_id, some in counted.items()
        for week in some
    ]
    insert_or_replace(tx, ProgramWeek, rows)
