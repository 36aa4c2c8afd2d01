"""Reading how a program is followed, now or as it was known at a past moment."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from models.adherence import Assessment, Plan, assess
from models.adherence.kinds import Report, by_time
from models.adherence.rates import Bout, Entry, Rates, rates, windows
from models.adherence.silence import probability_stopped
from models.adherence.wording import missed_slots
from models.operations.bouts import done_in
from models.operations.callers import Caller
from models.operations.courses import Course
from models.operations.prescribing import course
from models.operations.sessions import LOW_TRUST_AFTER
from models.operations.standings import everything_of
from models.operations.versions import Past, known_at
from models.refusals import WrongStatus
from models.tables import ProgramStatus

_ENTRY = tuple(field.name for field in fields(Entry))


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """How a program is being followed as of a moment, with the numbers behind it."""

    program_id: UUID
    as_of: datetime
    today: date
    """The patient's date at that moment."""
    assessment: Assessment
    missed: int
    """Expected sessions missed since the last one."""
    expected_missed: float
    """Of those, how many this patient would have done: missed x habit."""
    probability_stopped: float | None
    rates: dict[str, Rates]
    first_day: date | None
    last_day: date | None
    course: Course
    plan: Plan
    """As it was known at that moment."""
    bouts: Sequence[Bout]
    """Every session with exercise."""
    reports: Sequence[Report]
    contacts: Sequence[datetime]


def following(tx: Session, caller: Caller, program_id: UUID, *, as_of: datetime | None, now: datetime) -> Following:
    """Judge a program as of `as_of` (now if None), from what was known then."""
    moment = min(as_of or now, now)
    known = course(tx, caller, program_id)
    if known.program.status is ProgramStatus.DRAFT:
        raise WrongStatus("The program is a draft; nothing is expected yet.")
    plan = known.plan(moment)
    # Only of a past moment can there be sessions that said something else then.
    past = known_at(tx, caller.clinic_id, program_id, moment) if moment < now else []
    history, whole = everything_of(tx, caller.clinic_id, known, moment, past)
    rule = known.thresholds.silence
    judged = assess(
        plan,
        history.done,
        moment,
        contacts=history.contacts,
        withdrawn=known.withdrawn and plan.ends_on is not None,
        rule=rule,
    )
    bouts = _bouts(tx, caller.clinic_id, program_id, moment, past)
    today = known.local_today(moment)
    logged_today = any(bout.day == today for bout in bouts)
    heard = judged.silence
    missed = 0
    if heard is not None:
        missed = missed_slots(heard.slots_after_days(), heard.last_day, today)
    return Following(
        program_id=program_id,
        as_of=moment,
        today=today,
        assessment=judged,
        missed=missed,
        expected_missed=missed * heard.habit if heard else 0.0,
        probability_stopped=probability_stopped(missed, heard.prior, rule) if heard else None,
        rates={
            name: rates(plan, bouts, first, last)
            for name, (first, last) in windows(plan, today, logged_today=logged_today).items()
        },
        first_day=min((bout.day for bout in bouts), default=None),
        last_day=max((bout.day for bout in bouts), default=None),
        course=known,
        plan=plan,
        bouts=bouts,
        reports=sorted(whole.reports, key=by_time),
        contacts=whole.contacts,
    )


def _bouts(tx: Session, clinic_id: UUID, program_id: UUID, as_of: datetime, replaced: Sequence[Past]) -> list[Bout]:
    """The sessions with exercise and their entries, as they were known then."""
    known = done_in(tx, clinic_id, [program_id], as_of=as_of).bouts[program_id]
    for past in replaced:
        if past.exercised:
            entries = (Entry(**{name: entry[name] for name in _ENTRY}) for entry in past.entries)
            waited = past.received_at - past.performed_at
            known[past.session_id] = Bout(
                *(past.local_date, tuple(entries), past.worst_pain, past.effort, waited),
                low_trust=waited > LOW_TRUST_AFTER,
                received_at=past.received_at,
            )
    ordered = sorted(known.items(), key=lambda one: (one[1].day, _performed(one[1]), one[0]))
    return [bout for _, bout in ordered]


def _performed(bout: Bout) -> datetime:
    assert bout.received_at is not None  # both are of every stored session
    assert bout.waited is not None
    return bout.received_at - bout.waited
