"""Work that time brings, clinic by clinic: announcing flags that have come due, and forgetting what has expired.

Nothing here makes an answer right that was not right before: the worklist reads the instants themselves.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from models.adherence.kinds import Severity
from models.operations.announcements import News, announce, forget_announcements
from models.operations.clients import forget_assertions
from models.operations.courses import courses
from models.operations.exports import forget_exports
from models.operations.flag_settings import APPLIED, CHANGED
from models.operations.flags import Because, is_due, severity_at
from models.operations.links import forget_links
from models.operations.rejects import forget_rejects
from models.operations.sign_ins import forget_expired_tokens
from models.operations.standings import restate
from models.operations.throttles import forget_old_failures
from models.operations.walls import across, within
from models.operations.weeks import recount_all, weeks_of
from models.tables import Clinic, EventKind, Flag, Program, ProgramStanding, ProgramStatus

BATCH = 100


def every_clinic(tx: Session) -> Sequence[UUID]:
    """Every clinic's id. Reads across clinics, by design: queues are drained clinic by clinic."""
    with across(tx):
        return tx.scalars(select(Clinic.id).order_by(Clinic.id)).all()


def is_anything_due(tx: Session, clinic_id: UUID, *, now: datetime) -> bool:
    """Whether `announce_due` would find a flag; asked by reading, so that a quiet clinic costs no write."""
    within(tx, clinic_id)
    return tx.scalars(_due(Flag.id, clinic_id, now).limit(1)).first() is not None


def announce_due(tx: Session, clinic_id: UUID, *, by_mail: bool = False, silently: bool = False, now: datetime) -> int:
    """Put one announcement per opening, and per rise, into the outbox, with a delivery for each who is to be told;
    returns how many flags were due.

    Rows that another sweep holds are left to it. `silently` marks them as announced and tells nobody.
    """
    within(tx, clinic_id)
    severity = severity_at(now)
    due = tx.execute(
        _due(Flag, clinic_id, now)
        .add_columns(severity)
        .order_by(Flag.opens_at, Flag.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    news = []
    for flag, grave in due:
        news.append(
            News(
                kind=EventKind.FLAG_OPENED if flag.announced is None else EventKind.FLAG_RISEN,
                # Not what kind of flag it is: with the patient's id, that would be health data.
                payload={
                    "flag_id": str(flag.id),
                    "patient_id": str(flag.patient_id),
                    "program_id": str(flag.program_id) if flag.program_id else None,
                    "severity": Severity(grave).word,
                },
                patient_id=flag.patient_id,
                severity=Severity(grave),
            )
        )
        flag.announced = grave
    if news and not silently:
        announce(tx, clinic_id, news, by_mail=by_mail, now=now)
    return len(due)


def thresholds_moved(tx: Session) -> Sequence[UUID]:
    """The clinics that moved a threshold by which not every program has been judged yet. Reads across clinics, by
    design: queues are drained clinic by clinic.
    """
    with across(tx):
        rows = tx.execute(select(Clinic.id, Clinic.settings).order_by(Clinic.id)).all()
    return [clinic_id for clinic_id, said in rows if said.get(CHANGED) != said.get(APPLIED)]


def apply_thresholds(tx: Session, clinic_id: UUID, *, now: datetime) -> int:
    """Judge the next batch of programs by the thresholds their clinic moved; returns how many, 0 once all are."""
    within(tx, clinic_id)
    clinic = tx.scalars(select(Clinic).where(Clinic.id == clinic_id).with_for_update(key_share=True)).one()
    changed = clinic.settings[CHANGED]
    since = datetime.fromisoformat(changed)
    programs = tx.scalars(
        select(ProgramStanding.program_id)
        .where(ProgramStanding.clinic_id == clinic_id, ProgramStanding.assessed_at < since)
        .order_by(ProgramStanding.program_id)
        .limit(BATCH)
    ).all()
    if programs:
        _restate(tx, clinic_id, programs, max(now, since))  # another machine's clock may be ahead of ours
    else:
        clinic.settings = {**clinic.settings, APPLIED: changed}
    return len(programs)


def forget_expired(tx: Session, clinic_id: UUID, *, now: datetime) -> None:
    """Drop what no longer matters: tokens, links, assertions, throttle windows, rejects, announcements, exports."""
    within(tx, clinic_id)
    forget_expired_tokens(tx, clinic_id, now)
    forget_links(tx, clinic_id, now)
    forget_assertions(tx, clinic_id, now=now)
    forget_old_failures(tx, now)
    forget_rejects(tx, clinic_id, now=now)
    forget_announcements(tx, clinic_id, now=now)
    forget_exports(tx, clinic_id, now=now)


def program_batches(tx: Session, clinic_id: UUID, size: int = BATCH) -> Iterator[Sequence[UUID]]:
    """The ids of a clinic's programs that have a standing, `size` at a time."""
    within(tx, clinic_id)
    last: UUID | None = None
    while True:
        stmt = select(Program.id).where(Program.clinic_id == clinic_id, Program.status != ProgramStatus.DRAFT)
        if last is not None:
            stmt = stmt.where(Program.id > last)
        batch = tx.scalars(stmt.order_by(Program.id).limit(size)).all()
        if not batch:
            return
        yield batch
        last = batch[-1]


def reassess(tx: Session, clinic_id: UUID, programs: Sequence[UUID], *, now: datetime) -> list[UUID]:
    """Judge programs anew from their sessions and write what comes of it; returns those for which that made a
    difference, as it may once a pause has ended or a reason has faded.
    """
    within(tx, clinic_id)
    before = _promises(tx, clinic_id, programs)
    _restate(tx, clinic_id, programs, now)
    after = _promises(tx, clinic_id, programs)
    return [program_id for program_id in programs if before.get(program_id) != after.get(program_id)]


def misjudged(tx: Session, clinic_id: UUID, programs: Sequence[UUID]) -> list[UUID]:
    """The programs whose standing or flags are not what the rules make of the same history as of the moment they
    were last written: none, if every write wrote what it should. Writes what it finds, for the caller to undo.
    """
    within(tx, clinic_id)
    before = _promises(tx, clinic_id, programs)
    written = select(ProgramStanding.program_id, ProgramStanding.assessed_at).where(
        ProgramStanding.clinic_id == clinic_id, ProgramStanding.program_id.in_(programs)
    )
    for program_id, assessed_at in tx.execute(written).all():
        _restate(tx, clinic_id, [program_id], assessed_at)
    after = _promises(tx, clinic_id, programs)
    return [program_id for program_id in programs if before.get(program_id) != after.get(program_id)]


def _due(what: Any, clinic_id: UUID, now: datetime) -> Select[Any]:
    """The flags on the list that have not been announced as grave as they are."""
    severity = severity_at(now)
    return select(what).where(
        Flag.clinic_id == clinic_id, is_due(now), or_(Flag.announced.is_(None), Flag.announced < severity)
    )


def _restate(tx: Session, clinic_id: UUID, programs: Sequence[UUID], now: datetime) -> None:
    chosen = select(Program).where(Program.clinic_id == clinic_id, Program.id.in_(programs))
    found = courses(tx, clinic_id, chosen, lock=True)
    restate(tx, clinic_id, found, because=Because.RECOUNTED, now=now)
    recount_all(tx, clinic_id, found, now)


def _promises(tx: Session, clinic_id: UUID, programs: Sequence[UUID]) -> dict[UUID, object]:
    """What a program's standing, open flags and weeks say, without the times they were written."""
    rows = tx.execute(
        select(
            ProgramStanding.program_id,
            ProgramStanding.last_day,
            ProgramStanding.habit,
            ProgramStanding.weekly_slots,
            ProgramStanding.standing,
            ProgramStanding.changes_at,
            ProgramStanding.forecast,
            Flag.kind,
            Flag.severity,
            Flag.opens_at,
            Flag.rises_at,
            Flag.rises_to,
            Flag.nudges_at,
            Flag.expires_at,
            Flag.episode,
            Flag.evidence,
        )
        .join(
            Flag,
            and_(
                Flag.clinic_id == ProgramStanding.clinic_id,
                Flag.about_id == ProgramStanding.program_id,
                Flag.closed_at.is_(None),
            ),
            isouter=True,
        )
        .where(ProgramStanding.clinic_id == clinic_id, ProgramStanding.program_id.in_(programs))
        .order_by(ProgramStanding.program_id, Flag.kind)
    )
    found: dict[UUID, list[object]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(tuple(row[1:]))
    for program_id, weeks in weeks_of(tx, clinic_id, programs).items():
        found.setdefault(program_id, []).extend(weeks)
    return dict(found)
