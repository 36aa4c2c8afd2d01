"""What is known of a discharged patient that speaks for a relapse, read anew at every look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from models.adherence import Standing, standing_at
from models.adherence.kinds import FlagKind, Severity
from models.adherence.rates import Rate, minutes_done
from models.adherence.relapse import Advice, Facts, Point, Told, advice, points, total
from models.operations.bouts import done_in
from models.operations.callers import Caller
from models.operations.courses import Course, courses, dosage_of, line_of
from models.operations.flags import level_at
from models.operations.measures import series_of
from models.operations.patients import patient
from models.operations.prescribing import RUNNING
from models.operations.programs import months_after
from models.operations.standings import forecast_of
from models.prescription.burden import Load, minutes
from models.tables import Condition, Flag, Program, ProgramStanding, ProgramStatus, ProgramType

WINDOW_DAYS, FEWEST_DAYS = 28, 14
"""Days over which maintenance minutes are counted, and the fewest that tell anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A discharged patient's list of points; nothing to watch where `program_id` is None."""

    patient_id: UUID
    as_of: datetime
    program_id: UUID | None = None
    """The program that was ended by the discharge."""
    following_id: UUID | None = None
    """The program that goes on after it."""
    discharged_on: date | None = None
    points: Sequence[Point] = ()
    total: int = 0
    most: int = 0
    """What the total would be if everything unknown applied."""
    advice: Advice | None = None


def relapse_watch(tx: Session, caller: Caller, patient_id: UUID, *, now: datetime) -> Watch:
    """The points of a patient whose latest course ended with a discharge; whoever is treated again is watched by the
    flags of that program.
    """
    known = patient(tx, caller, patient_id)
    today = now.astimezone(ZoneInfo(known.time_zone)).date()
    ended, following = _latest(tx, caller, patient_id)
    if ended is None or ended.ended_on is None or ended.ended_at is None:
        return Watch(patient_id=patient_id, as_of=now)
    told = {one.measure.code: Told(one.latest.score, one.latest.taken_on) for one in series_of(tx, caller, patient_id)}
    stopped, silent_since, open_kinds = _about(tx, caller, following, now)
    episodes, postures = _history(tx, caller, patient_id)
    facts = Facts(
        today=today,
        discharged_on=ended.ended_on,
        second_month_on=months_after(ended.ended_on, 1),
        seventh_month_on=months_after(ended.ended_on, 6),
        stopped=stopped,
        silent_since=silent_since,
        strength_lost=bool(open_kinds) if following else None,
        sitting_hours=told.get("sitting_hours"),
        confidence=told.get("confidence"),
        minutes=_minutes(tx, caller, following, today) if following else None,
        recurred=_recurred(tx, caller, patient_id, ended.ended_at),
        episodes=episodes,
        awkward_postures=postures,
    )
    found = points(facts)
    count = total(found)
    return Watch(
        patient_id=patient_id,
        as_of=now,
        program_id=ended.id,
        following_id=following.id if following else None,
        discharged_on=ended.ended_on,
        points=found,
        total=count,
        most=count + sum(point.points for point in found if point.applies is None),
        advice=advice(count),
    )


def _latest(tx: Session, caller: Caller, patient_id: UUID) -> tuple[Program | None, Program | None]:
    """The discharged program and the one that followed it; neither where a course runs or ended otherwise since."""
    rows = tx.scalars(
        select(Program)
        .where(
            Program.clinic_id == caller.clinic_id,
            Program.patient_id == patient_id,
            Program.status != ProgramStatus.DRAFT,
        )
        .order_by(Program.activated_at.desc(), Program.id.desc())
    ).all()
    ended = next((one for one in rows if one.status is ProgramStatus.DISCHARGED), None)
    if ended is None:
        return None, None
    after = [one for one in rows if one.ended_at is None or _began_after(one, ended)]
    if any(one.type is not ProgramType.MAINTENANCE for one in after):
        return None, None
    return ended, next((one for one in after if one.previous_program_id == ended.id), None)


def _began_after(one: Program, ended: Program) -> bool:
    """Whether it was handed over when `ended` was over; a maintenance program is, at that very moment."""
    began, over = one.activated_at, ended.ended_at
    return one is not ended and began is not None and over is not None and began >= over


def _about(
    tx: Session, caller: Caller, following: Program | None, now: datetime
) -> tuple[bool | None, date | None, Sequence[FlagKind]]:
    """Whether the program after discharge stands at *stopped*, since when a lapsed silence holds, and which of its
    flags say that strength is lost.
    """
    if following is None:
        return None, None, ()
    rows = tx.execute(
        select(ProgramStanding, Flag)
        .join(
            Flag,
            and_(
                Flag.clinic_id == ProgramStanding.clinic_id,
                Flag.about_id == ProgramStanding.program_id,
                Flag.kind.in_([FlagKind.STRENGTH_DROPPED, FlagKind.CORE_DROPPED, FlagKind.NOT_STARTED]),
                Flag.closed_at.is_(None),
                Flag.opens_at <= now,
                or_(Flag.expires_at.is_(None), Flag.expires_at > now),
            ),
            isouter=True,
        )
        .where(ProgramStanding.clinic_id == caller.clinic_id, ProgramStanding.program_id == following.id)
    ).all()
    standing = rows[0][0]
    says = standing_at(standing.standing, forecast_of(standing), now)
    lost = [
        flag.kind
        for _, flag in rows
        if flag is not None
        and (
            flag.kind is FlagKind.CORE_DROPPED
            or (flag.kind is FlagKind.STRENGTH_DROPPED and level_at(flag, now) >= Severity.HIGH)
        )
    ]
    silent_since = standing.last_day if says is Standing.LAPSED else None
    never = any(flag is not None and flag.kind is FlagKind.NOT_STARTED for _, flag in rows)
    return never or says in {Standing.STOPPED, Standing.WITHDRAWN}, silent_since, lost


def _minutes(tx: Session, caller: Caller, following: Program, today: date) -> Rate | None:
    """Maintenance minutes of the last 28 whole days."""
    last = today - timedelta(days=1)
    first = max(following.starts_on, last - timedelta(days=WINDOW_DAYS - 1))
    if (last - first).days + 1 < FEWEST_DAYS or following.status not in RUNNING:
        return None
    only = select(Program).where(Program.clinic_id == caller.clinic_id, Program.id == following.id)
    found = courses(tx, caller.clinic_id, only)[following.id]
    of_round = _round_minutes(found)
    done = done_in(tx, caller.clinic_id, [following.id], since=first).of(following.id)
    return minutes_done(found.plan(), done, first, last, lambda line: of_round[line])


def _round_minutes(found: Course) -> Mapping[object, float]:
    """Line → the estimated minutes of one round."""
    return {
        line_of(item): minutes(Load(dosage=dosage_of(item), side=item.side, is_aerobic=False))
        for item in found.items
        if item.exercise_slug is not None
    }


def _recurred(tx: Session, caller: Caller, patient_id: UUID, since: datetime) -> bool:
    # A flag may be open from before; each answer in it says when it was told.
    told = tx.scalars(
        select(Flag.evidence).where(
            Flag.clinic_id == caller.clinic_id, Flag.patient_id == patient_id, Flag.kind == FlagKind.RECURRENCE
        )
    )
    return any(datetime.fromisoformat(answer["at"]) >= since for one in told for answer in one["answers"])


def _history(tx: Session, caller: Caller, patient_id: UUID) -> tuple[int | None, bool | None]:
    """What is on record of earlier episodes and postures, of any condition, the graver where two differ."""
    details = tx.scalars(
        select(Condition.details).where(Condition.clinic_id == caller.clinic_id, Condition.patient_id == patient_id)
    ).all()
    episodes = [int(one["previous_episodes"]) for one in details if "previous_episodes" in one]
    postures = [bool(one["awkward_postures"]) for one in details if "awkward_postures" in one]
    return max(episodes, default=None), any(postures) if postures else None
