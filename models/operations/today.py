"""A phone's first screen: what is due now, what is done, what is new, in one answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.adherence.schedule import UNIT, WEEK, Schedule
from models.operations.agenda import AgendaDay, Done, Kind, day_of, done_on
from models.operations.callers import Caller
from models.operations.checking import advice_of
from models.operations.courses import Course, courses
from models.operations.measures import Due, questions_for
from models.operations.notices import Caution, Notice, caution_for, notices_of
from models.operations.policy import visible_patients, visible_programs
from models.tables import Patient, Program, ProgramStatus, SessionLog

AHEAD = timedelta(days=14)
"""How far ahead the next session is looked for."""
STREAK_WEEKS = 26
"""Weeks a streak is counted over."""
NOTICED = timedelta(days=14)
"""How long a notice is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramToday:
    """One running program as it is today."""

    course: Course
    day: AgendaDay
    advice: Mapping[UUID, Sequence[str]]
    """By line."""
    sessions_today: int
    week_done: int
    """Days with exercise since Monday."""
    week_expected: int
    """Session days asked for from Monday to Sunday."""
    next_on: date | None
    """The next day with something left to do, today among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """The first screen."""

    patient: Patient
    day: date
    caution: Caution | None
    programs: Sequence[ProgramToday]
    streak_weeks: int
    """Weeks in a row, up to this one, with at least one session; this week never breaks it."""
    settled_since: UUID | None
    """Yesterday's session, if it is still to be asked whether its pain was back to usual by this morning (R-23)."""
    notices: Sequence[Notice]
    due: Due
    """Check-ins and weekly questions to ask."""


def today(tx: Session, caller: Caller, *, now: datetime) -> Today:
    """Everything the calling patient's phone shows first."""
    patient = tx.scalars(visible_patients(caller)).one()
    day = now.astimezone(ZoneInfo(patient.time_zone)).date()
    lately = visible_programs(caller).where(
        (Program.status == ProgramStatus.ACTIVE) | (Program.ended_at > now - NOTICED)
    )
    found = courses(tx, caller.clinic_id, lately)
    running = [course for course in found.values() if course.program.status is ProgramStatus.ACTIVE]
    logged = _logged(tx, caller, day)
    done = done_on(tx, caller.clinic_id, running, day, day + AHEAD)
    keys = [(course.program.id, course.revision_on(day, now).number) for course in running]
    advice = advice_of(tx, caller.clinic_id, keys)
    caution = caution_for(tx, caller.clinic_id, patient.id, now)
    return Today(
        patient=patient,
        day=day,
        caution=caution,
        programs=[
            _program(
                course, day, done, [one for one in logged if one.program_id == course.program.id], advice.get(key, {})
            )
            for course, key in zip(running, keys, strict=True)
        ],
        streak_weeks=_streak({one.local_date for one in logged if one.exercised}, day),
        settled_since=_to_settle(logged, day),
        notices=[
            notice for course in found.values() for notice in notices_of(course, now) if notice.at > now - NOTICED
        ],
        due=questions_for(tx, caller.clinic_id, patient.id, day, running=bool(running)),
    )


def _program(
    course: Course, day: date, done: Done, logged: Sequence[SessionLog], advice: Mapping[UUID, Sequence[str]]
) -> ProgramToday:
    monday = day - timedelta(days=day.weekday())
    schedule = Schedule(course.plan())
    week = [monday + timedelta(days=number) for number in range(WEEK)]
    weight = sum(schedule.unpaused_weight(one.toordinal()) for one in week if not schedule.is_paused(one.toordinal()))
    days_ahead = (day + timedelta(days=number) for number in range(AHEAD.days + 1))
    return ProgramToday(
        course=course,
        day=day_of(course, day, done),
        advice=advice,
        sessions_today=sum(one.exercised for one in logged if one.local_date == day),
        week_done=len({one.local_date for one in logged if one.exercised and one.local_date >= monday}),
        week_expected=round(weight / UNIT),
        next_on=next((one for one in days_ahead if _asks(day_of(course, one, done))), None),
    )


def _asks(agenda: AgendaDay) -> bool:
    """Whether a day has an exercise left to do."""
    return any(
        (one.kind is Kind.DUE and one.times_done < one.item.sessions_per_day)
        or (one.kind is Kind.FLEXIBLE and bool(one.days_left) and not one.times_done)
        for one in agenda.items
        if one.item.exercise_slug is not None
    )


def _streak(days: set[date], day: date) -> int:
    monday = day - timedelta(days=day.weekday())
    weeks = {one - timedelta(days=one.weekday()) for one in days}
    count, week = int(monday in weeks), monday - timedelta(weeks=1)
    while week in weeks:
        count, week = count + 1, week - timedelta(weeks=1)
    return count


def _to_settle(logged: Sequence[SessionLog], day: date) -> UUID | None:
    answered = any(one.local_date == day and one.settled_by_morning is not None for one in logged)
    yesterday = [one for one in logged if one.exercised and one.local_date == day - timedelta(days=1)]
    return None if answered or not yesterday else max(yesterday, key=lambda one: (one.performed_at, one.id)).id


def _logged(tx: Session, caller: Caller, day: date) -> Sequence[SessionLog]:
    """The patient's sessions of the last weeks, of every program they ever had."""
    theirs = visible_programs(caller).with_only_columns(Program.id)
    return tx.scalars(
        select(SessionLog).where(
            SessionLog.clinic_id == caller.clinic_id,
            SessionLog.program_id.in_(theirs),
            SessionLog.local_date > day - timedelta(weeks=STREAK_WEEKS),
            SessionLog.deleted_at.is_(None),
        )
    ).all()
