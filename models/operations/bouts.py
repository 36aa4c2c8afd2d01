"""The sessions with exercise and their entries, as the rates and the rules read them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, select
from sqlalchemy.orm import Session

from models.adherence.rates import Bout, Entry
from models.tables import SessionEntry, SessionLog

_FOR_EVER = datetime.max.replace(tzinfo=UTC)
_ON = SessionLog.local_date.type
_EVERY: Any = (
    select(
        SessionLog.program_id,
        SessionLog.id,
        SessionLog.local_date,
        SessionLog.exercised,
        SessionLog.worst_pain,
        SessionLog.effort,
        SessionLog.performed_at,
        SessionLog.received_at,
        SessionLog.low_trust,
        SessionEntry.line_id,
        SessionEntry.sets,
        SessionEntry.reps,
        SessionEntry.hold_seconds,
        SessionEntry.minutes,
        SessionEntry.skipped,
        SessionEntry.reason,
        SessionEntry.pain,
        SessionEntry.not_sure,
    )
    .join(
        SessionEntry,
        and_(
            SessionEntry.clinic_id == SessionLog.clinic_id,
            SessionEntry.patient_id == SessionLog.patient_id,
            SessionEntry.session_id == SessionLog.id,
        ),
        isouter=True,
    )
    .where(
        SessionLog.clinic_id == bindparam("clinic_id", type_=SessionLog.clinic_id.type),
        SessionLog.program_id.in_(bindparam("programs", type_=SessionLog.program_id.type, expanding=True)),
        SessionLog.deleted_at.is_(None),
        SessionLog.changed_at <= bindparam("as_of", type_=SessionLog.changed_at.type),
    )
    .order_by(SessionLog.local_date, SessionLog.performed_at, SessionLog.id, SessionLog.program_id)
)
_SINCE = _EVERY.where(SessionLog.local_date >= bindparam("since", type_=_ON))
"""Written once: it goes with every log."""
_ON_DAYS = _EVERY.where(SessionLog.local_date.in_(bindparam("days", type_=_ON, expanding=True)))
_OF_ENTRY = 9
"""Columns from here on are an entry's; those before are its session's."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done of some programs."""

    bouts: dict[UUID, dict[UUID, Bout]]
    """Program → session → what was done in it, in the order of days."""
    unsure: frozenset[UUID]
    """Of all sessions, those in which someone was not sure how to do an exercise."""

    def of(self, program_id: UUID) -> list[Bout]:
        """The sessions of one program, in order."""
        return list(self.bouts[program_id].values())


def done_in(
    tx: Session,
    clinic_id: UUID,
    programs: Collection[UUID],
    *,
    since: date | None = None,
    as_of: datetime | None = None,
) -> Done:
    """What was done of some programs from a local day on, as it was known at `as_of`: one statement."""
    return _done(tx, _SINCE, clinic_id, programs, as_of, {"since": since or date.min})


def done_on(tx: Session, clinic_id: UUID, programs: Collection[UUID], days: Collection[date]) -> Done:
    """What was done of some programs on some local days: one statement."""
    return _done(tx, _ON_DAYS, clinic_id, programs, None, {"days": sorted(days)})


def _done(
    tx: Session,
    stmt: Any,
    clinic_id: UUID,
    programs: Collection[UUID],
    as_of: datetime | None,
    when: dict[str, Any],
) -> Done:
    asked = {"clinic_id": clinic_id, "programs": list(programs), "as_of": as_of or _FOR_EVER} | when
    bouts: dict[UUID, dict[UUID, Bout]] = {program_id: {} for program_id in programs}
    unsure: set[UUID] = set()
    for session, rows in groupby(tx.execute(stmt, asked), key=itemgetter(slice(0, _OF_ENTRY))):
        program_id, session_id, day, exercised, pain, effort, performed_at, received_at, low_trust = session
        entries = []
        for row in rows:
            line_id, sets, reps, hold, minutes, skipped, reason, worst, not_sure = row[_OF_ENTRY:]
            if not_sure:
                unsure.add(session_id)
            if line_id is not None:
                entries.append(Entry(line_id, sets, reps, hold, minutes, skipped, reason, worst, not_sure))
        if exercised:
            bouts[program_id][session_id] = Bout(
                day, tuple(entries), pain, effort, received_at - performed_at, low_trust, received_at
            )
    return Done(bouts, frozenset(unsure))
