"""Writing down what each week came to, in the transaction of whatever changed it: the rollup under every report."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.orm import Session, aliased

from models.adherence.plan import Plan
from models.adherence.weeks import AHEAD_WEEKS, Week, monday_of, mondays_of, weeks
from models.database import insert_or_replace
from models.operations.bouts import Done, done_in, done_on
from models.operations.courses import Course
from models.tables import ProgramWeek

AHEAD, WEEK = timedelta(weeks=AHEAD_WEEKS), timedelta(weeks=1)


def with_weeks(tx: Session, clinic_id: UUID, lately: Done, days: Mapping[UUID, Collection[date]], since: date) -> Done:
    """What was done `lately`, which is from the day `since` on, and in the weeks of `days` before it: those alone are
    read, however long ago they were. One statement, where there are any.
    """
    mondays = {monday_of(day) for some in days.values() for day in some}
    before = {day for monday in mondays for day in _week_of(monday) if day < since}
    if not before:
        return lately
    long_ago = done_on(tx, clinic_id, list(lately.bouts), before)
    return Done({one: long_ago.bouts[one] | recent for one, recent in lately.bouts.items()}, lately.unsure)


def _week_of(monday: date) -> list[date]:
    return [monday + timedelta(days=number) for number in range(7)]


def recount_some(
    tx: Session,
    clinic_id: UUID,
    found: Mapping[UUID, Course],
    plans: Mapping[UUID, Plan],
    done: Done,
    days: Mapping[UUID, Collection[date]],
    written: Mapping[UUID, datetime],
    now: datetime,
) -> None:
    """Recount the weeks of `days`, and write ahead those that have come into sight since each program was last
    `written`; `done` holds their sessions.
    """
    counted: dict[UUID, list[Week]] = {}
    changed: dict[UUID, list[date]] = {}
    for program_id, course in found.items():
        mondays = {monday_of(day) for day in days.get(program_id, ())}
        reached = monday_of(course.local_today(written[program_id]) + AHEAD)
        ahead = set()
        while (reached := reached + WEEK) <= monday_of(course.local_today(now) + AHEAD):
            ahead.add(reached)
        if mondays or ahead:
            plan, bouts = plans[program_id], done.of(program_id)
            of_plan = mondays_of(plan, course.local_today(now) + AHEAD)
            counted[program_id] = weeks(plan, bouts, (mondays | ahead).intersection(of_plan))
            held = {monday_of(bout.day) for bout in bouts}
            # Where the week before a week with exercise has some too, no earlier one looks beyond it.
            plain = {one for one in mondays.intersection(of_plan, held) if one == of_plan[0] or one - WEEK in held}
            changed[program_id] = sorted(mondays.intersection(of_plan) - plain)
    _write(tx, clinic_id, counted)
    _follow(tx, clinic_id, changed)


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


def weeks_of(tx: Session, clinic_id: UUID, programs: Iterable[UUID]) -> dict[UUID, list[tuple[Week, date | None]]]:
    """The weeks of some programs as they are written, in order, each with the Monday of the next that was followed."""
    rows = tx.scalars(
        select(ProgramWeek)
        .where(ProgramWeek.clinic_id == clinic_id, ProgramWeek.program_id.in_(programs))
        .order_by(ProgramWeek.program_id, ProgramWeek.monday)
        .execution_options(populate_existing=True)
    )
    found: dict[UUID, list[tuple[Week, date | None]]] = {}
    for row in rows:
        week = Week(**{name: getattr(row, name) for name in _COLUMNS})
        found.setdefault(row.program_id, []).append((week, row.followed_on))
    return found


_COLUMNS = tuple(Week.__dataclass_fields__)


def _write(tx: Session, clinic_id: UUID, counted: Mapping[UUID, Sequence[Week]]) -> None:
    rows = []
    for program_id, some in counted.items():
        followed_on = None
        for week in reversed(some):
            followed_on = week.monday if week.sessions else followed_on
            known = {"clinic_id": clinic_id, "program_id": program_id, "followed_on": followed_on}
            rows.append(known | {name: getattr(week, name) for name in _COLUMNS})
    insert_or_replace(tx, ProgramWeek, rows)


def _followed() -> Any:
    """Written once: it goes with many a log."""
    later = aliased(ProgramWeek)
    clinic_id = bindparam("of_clinic", type_=ProgramWeek.clinic_id.type)
    next_followed = (
        select(later.monday)
        .where(
            later.clinic_id == clinic_id,
            later.program_id == ProgramWeek.program_id,
            later.monday >= ProgramWeek.monday,
            later.sessions > 0,
        )
        .order_by(later.monday)
        .limit(1)
        .correlate(ProgramWeek)
        .scalar_subquery()
    )
    return (
        update(ProgramWeek.__table__)  # type: ignore[arg-type]
        .where(
            ProgramWeek.clinic_id == clinic_id,
            ProgramWeek.program_id == bindparam("of_program", type_=ProgramWeek.program_id.type),
            ProgramWeek.monday <= bindparam("last", type_=ProgramWeek.monday.type),
            or_(
                ProgramWeek.followed_on.is_(None),
                ProgramWeek.followed_on >= bindparam("first", type_=ProgramWeek.monday.type),
            ),
        )
        .values(followed_on=next_followed)
    )


_FOLLOWED = _followed()


def _follow(tx: Session, clinic_id: UUID, changed: Mapping[UUID, Sequence[date]]) -> None:
    """Have the weeks before those that changed look to them, or beyond them: back to the one with exercise before."""
    asked = [
        {"of_clinic": clinic_id, "of_program": program_id, "first": mondays[0], "last": mondays[-1]}
        for program_id, mondays in changed.items()
        if mondays
    ]
    if asked:
        tx.execute(_FOLLOWED, asked)
