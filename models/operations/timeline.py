"""A patient's record as one stream, latest first: what was done, said, changed, noticed and tried."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, case, func, literal, or_, select, tuple_, union_all
from sqlalchemy.orm import Session

from models.adherence.flags import RULES
from models.adherence.kinds import FlagKind, Severity
from models.adherence.schedule import midnight_after
from models.adherence.wording import sentence, short_day, why
from models.operations.callers import Caller
from models.operations.flags import Because
from models.operations.policy import visible_patients
from models.refusals import Invalid, Unknown
from models.tables import (
    CheckIn,
    Condition,
    DoneShare,
    Examination,
    Flag,
    Flare,
    Outreach,
    Patient,
    Pause,
    Program,
    ProgramStatus,
    Review,
    Revision,
    Screening,
    SessionLog,
    WeeklyAnswer,
)

DAY = timedelta(days=1)


class EntryKind(StrEnum):
    """What an entry tells."""

    SESSION = "session"
    PROGRAM_ACTIVATED = "program_activated"
    PROGRAM_ENDED = "program_ended"
    REVISION = "revision"
    PAUSE = "pause"
    PAUSE_LIFTED = "pause_lifted"
    FLARE = "flare"
    FLARE_ENDED = "flare_ended"
    CHECK_IN_DUE = "check_in_due"
    CHECK_IN_ANSWERED = "check_in_answered"
    WEEK_ANSWERED = "week_answered"
    FLAG_OPENED = "flag_opened"
    FLAG_RISEN = "flag_risen"
    FLAG_CLOSED = "flag_closed"
    OUTREACH = "outreach"
    SCREENING = "screening"
    CONDITION = "condition"
    CONDITION_CHANGED = "condition_changed"
    EXAMINATION = "examination"
    REVIEW = "review"


PATIENTS_SEE = frozenset(
    {
        *(EntryKind.SESSION, EntryKind.PROGRAM_ACTIVATED, EntryKind.PROGRAM_ENDED, EntryKind.REVISION),
        *(EntryKind.PAUSE, EntryKind.PAUSE_LIFTED, EntryKind.FLARE, EntryKind.FLARE_ENDED),
        *(EntryKind.CHECK_IN_DUE, EntryKind.CHECK_IN_ANSWERED, EntryKind.WEEK_ANSWERED),
    }
)
"""What a patient reads of their own record here: what they can read elsewhere. The rest is the clinic's work on it."""


class Mark(StrEnum):
    """What became of an entry afterwards, or how it came."""

    AMENDED = "amended"
    TAKEN_BACK = "taken_back"
    LOW_TRUST = "low_trust"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened."""

    at: datetime
    kind: EntryKind
    says: str
    """One plain sentence."""
    refs: Mapping[str, str]
    """Name of an id → id, to read on with."""
    marks: Sequence[Mark] = ()
    key: str
    """What tells it from others of its kind and moment."""


Place = tuple[datetime, EntryKind, str]
"""Where a page ended: moment, kind, key. At one moment, kinds come in their order; of one kind, keys descend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stream:
    """What every source is asked for."""

    tx: Session
    clinic_id: UUID
    patient_id: UUID
    programs: Sequence[Program]
    zone: ZoneInfo
    kinds: Collection[EntryKind]
    after: Place | None
    limit: int
    now: datetime

    def rows(self, *branches: Any) -> list[Any]:
        """The rows of the branches that are wanted, in one statement; none if there are none."""
        wanted = [branch for branch in branches if branch is not None]
        if not wanted:
            return []
        if len(wanted) == 1:
            return list(self.tx.execute(wanted[0]))
        return list(self.tx.execute(union_all(*(select(branch.subquery()) for branch in wanted))))

    def branch(self, kind: EntryKind, table: Any, at: Any, key: Any, *columns: Any, where: Any) -> Any:
        """The latest rows of one kind after the cursor, no more than a page of them; None if it is not asked for."""
        keys = key if isinstance(key, tuple) else (key,)
        if kind not in self.kinds:
            return None
        stmt = select(literal(kind.value), at.label("at"), *columns)
        stmt = stmt.where(table.clinic_id == self.clinic_id, where, at <= self.now)
        if self.after is not None:
            moment, last, last_key = self.after
            order = list(EntryKind)
            if order.index(kind) > order.index(last):
                stmt = stmt.where(at <= moment)
            elif kind is last:
                stmt = stmt.where(at <= moment, or_(at < moment, tuple_(*keys) < _typed(keys, last_key)))
            else:
                stmt = stmt.where(at < moment)
        return stmt.order_by(at.desc(), *(one.desc() for one in keys)).limit(self.limit)

    def of_patient(self, table: Any) -> Any:
        return table.patient_id == self.patient_id

    def of_programs(self, table: Any) -> Any:
        return table.program_id.in_([program.id for program in self.programs])

    def day(self, moment: datetime) -> str:
        return short_day(moment.astimezone(self.zone).date())


def timeline(
    tx: Session,
    caller: Caller,
    patient_id: UUID,
    *,
    kinds: Collection[EntryKind] = (),
    after: Place | None = None,
    limit: int,
    now: datetime,
) -> list[Entry]:
    """A page of a patient's record, latest first: from each source at most a page is read, in one statement each."""
    rows = tx.execute(
        visible_patients(caller)
        .where(Patient.id == patient_id)
        .with_only_columns(Patient.time_zone, Program)
        .join(
            Program,
            and_(
                Program.clinic_id == Patient.clinic_id,
                Program.patient_id == Patient.id,
                Program.status != ProgramStatus.DRAFT,
            ),
            isouter=True,
        )
    ).all()
    if not rows:
        raise Unknown(f"No patient {patient_id}.")
    caller.seen.add(patient_id)
    asked = set(kinds) or set(EntryKind)
    stream = _Stream(
        tx=tx,
        clinic_id=caller.clinic_id,
        patient_id=patient_id,
        programs=[program for _, program in rows if program is not None],
        zone=ZoneInfo(rows[0][0]),
        kinds=asked & PATIENTS_SEE if caller.is_patients else asked,
        after=after,
        limit=limit,
        now=now,
    )
    order = {kind: number for number, kind in enumerate(EntryKind)}
    found = [entry for source in _SOURCES for entry in source(stream)]
    found.sort(key=lambda entry: entry.key, reverse=True)
    found.sort(key=lambda entry: order[entry.kind])
    found.sort(key=lambda entry: entry.at, reverse=True)
    return found[:limit]


def _typed(keys: Sequence[Any], said: str) -> tuple[Any, ...]:
    """A key out of a cursor, as its columns compare it."""
    try:
        return tuple(_READ[key.type.python_type](part) for key, part in zip(keys, said.split("/"), strict=True))
    except ValueError as error:
        raise Invalid("Not a cursor of this list; start again without one.", field="/cursor") from error


_READ: dict[type, Callable[[str], Any]] = {date: date.fromisoformat, UUID: UUID, int: int}


def _sessions(stream: _Stream) -> list[Entry]:
    log = SessionLog
    rows = stream.rows(
        stream.branch(
            *(EntryKind.SESSION, log, log.performed_at, log.id, log.id, log.program_id, log.done, log.exercised),
            *(log.worst_pain, log.effort, log.main_reason, log.version, log.low_trust, log.deleted_at),
            where=stream.of_patient(log),
        )
    )
    return [_session(*row[1:]) for row in rows]


def _session(
    at: datetime,
    session_id: UUID,
    program_id: UUID,
    done: DoneShare,
    exercised: bool,  # noqa: FBT001  (a column)
    pain: int | None,
    effort: int | None,
    reason: str | None,
    version: int,
    low_trust: bool,  # noqa: FBT001  (a column)
    deleted_at: datetime | None,
) -> Entry:
    what = {DoneShare.ALL: "Did everything", DoneShare.SOME: "Did some of it", DoneShare.NONE: "Did not exercise"}[done]
    if done is DoneShare.SOME and not exercised:
        what = "Ticked care items"
    told = [what]
    told += [f"pain {pain} of 10"] if pain is not None else []
    told += [f"effort {effort} of 10"] if effort is not None else []
    told += [f"reason: {why(reason)}"] if reason else []
    says = f"{', '.join(told)}."
    marks = []
    if deleted_at is not None:
        says, marks = "A session that was taken back.", [Mark.TAKEN_BACK]
    elif version > 1:
        marks = [Mark.AMENDED]
    if low_trust:
        marks.append(Mark.LOW_TRUST)
    refs = {"session_id": str(session_id), "program_id": str(program_id)}
    return Entry(at=at, kind=EntryKind.SESSION, says=says, refs=refs, marks=marks, key=str(session_id))


def _programs(stream: _Stream) -> list[Entry]:
    """Out of what was read with the patient; they are few."""
    found = []
    for program in stream.programs:
        refs = {"program_id": str(program.id)}
        for kind, at, says in (
            (EntryKind.PROGRAM_ACTIVATED, program.activated_at, f"{program.title} was handed over."),
            (EntryKind.PROGRAM_ENDED, program.ended_at, _ended(program)),
        ):
            if at is not None and at <= stream.now and kind in stream.kinds:
                entry = Entry(at=at, kind=kind, says=says, refs=refs, key=str(program.id))
                if _is_after(entry, stream.after):
                    found.append(entry)
    return found


def _is_after(entry: Entry, after: Place | None) -> bool:
    if after is None:
        return True
    order = list(EntryKind)
    moment, kind, key = after
    here, there = order.index(entry.kind), order.index(kind)
    if entry.at != moment:
        return entry.at < moment
    return here > there or (here == there and entry.key < key)


def _ended(program: Program) -> str:
    if program.status is ProgramStatus.WITHDRAWN:
        return f"{program.title} was stopped by the patient: {why(program.end_reason or 'other')}."
    word = "completed" if program.status is ProgramStatus.COMPLETED else "ended by discharge"
    return f"{program.title} was {word}."


def _revisions(stream: _Stream) -> list[Entry]:
    if not stream.programs:
        return []
    first = {program.id: program.activated_at for program in stream.programs}
    one = Revision
    # A program's first revision is told with its handing over.
    rows = stream.rows(
        stream.branch(
            *(EntryKind.REVISION, one, one.created_at, (one.program_id, one.number)),
            *(one.program_id, one.number, one.effective_on, one.note),
            where=and_(stream.of_programs(one), one.number > 1),
        )
    )
    found = []
    for _, at, program_id, number, effective_on, note in rows:
        before = first[program_id]
        if before is not None and at < before:
            continue  # nobody had it yet
        says = f"The program changed, from {short_day(effective_on)} on."
        refs = {"program_id": str(program_id), "revision": str(number)}
        entry = Entry(
            at=at,
            kind=EntryKind.REVISION,
            says=says + (f" {note}" if note else ""),
            refs=refs,
            key=f"{program_id}/{number:06}",
        )
        found.append(entry)
    return found


def _pauses(stream: _Stream) -> list[Entry]:
    if not stream.programs:
        return []
    one = Pause
    columns = (one.id, one.program_id, one.from_on, one.to_on, one.reason, one.lifted_on)
    theirs = stream.of_programs(one)
    rows = stream.rows(
        stream.branch(EntryKind.PAUSE, one, one.created_at, one.id, *columns, where=theirs),
        stream.branch(
            *(EntryKind.PAUSE_LIFTED, one, one.lifted_at, one.id, *columns),
            where=and_(theirs, one.lifted_at.is_not(None)),
        ),
    )
    found = []
    for kind, at, pause_id, program_id, from_on, to_on, reason, lifted_on in rows:
        span = f"from {short_day(from_on)} to {short_day(to_on)}"
        says = f"A pause was declared {span}: {reason}."
        if kind == EntryKind.PAUSE_LIFTED:
            says = f"The pause {span} was ended; from {short_day(lifted_on)} on sessions were expected again."
        refs = {"pause_id": str(pause_id), "program_id": str(program_id)}
        found.append(Entry(at=at, kind=EntryKind(kind), says=says, refs=refs, key=str(pause_id)))
    return found


def _flares(stream: _Stream) -> list[Entry]:
    if not stream.programs:
        return []
    one = Flare
    columns = (one.id, one.program_id, one.from_on, one.to_on, one.ended_on)
    theirs = stream.of_programs(one)
    rows = stream.rows(
        stream.branch(EntryKind.FLARE, one, one.created_at, one.id, *columns, where=theirs),
        stream.branch(
            *(EntryKind.FLARE_ENDED, one, one.ended_at, one.id, *columns),
            where=and_(theirs, one.ended_at.is_not(None)),
        ),
    )
    found = []
    for kind, at, flare_id, program_id, from_on, to_on, ended_on in rows:
        says = f"A flare was declared from {short_day(from_on)} to {short_day(to_on)}."
        if kind == EntryKind.FLARE_ENDED:
            says = f"The flare that began on {short_day(from_on)} ended with {short_day(ended_on)}."
        refs = {"flare_id": str(flare_id), "program_id": str(program_id)}
        found.append(Entry(at=at, kind=EntryKind(kind), says=says, refs=refs, key=str(flare_id)))
    return found


def _flags(stream: _Stream) -> list[Entry]:
    """A promise that never came due is no history of anything."""
    one = Flag
    ends_at = case(
        (one.closed_because == Because.EXPIRED, func.coalesce(one.expires_at, one.closed_at)),
        else_=func.coalesce(one.closed_at, one.expires_at),
    )
    columns = (one.id, one.program_id, one.kind, one.severity, one.rises_to, one.evidence)
    why_closed = (one.closed_because, one.closed_note)
    lived = and_(stream.of_patient(one), or_(one.closed_at.is_(None), one.closed_at >= one.opens_at))
    rows = stream.rows(
        stream.branch(EntryKind.FLAG_OPENED, one, one.opens_at, one.id, *columns, *why_closed, where=lived),
        stream.branch(
            *(EntryKind.FLAG_RISEN, one, one.rises_at, one.id, *columns, *why_closed),
            where=and_(
                *(lived, one.rises_at.is_not(None), one.rises_at > one.opens_at),
                or_(one.closed_at.is_(None), one.closed_at >= one.rises_at),
                or_(one.expires_at.is_(None), one.expires_at > one.rises_at),
            ),
        ),
        stream.branch(
            *(EntryKind.FLAG_CLOSED, one, ends_at, one.id, *columns, *why_closed),
            where=and_(lived, ends_at.is_not(None)),
        ),
    )
    return [_flag(stream, *row) for row in rows]


def _flag(
    stream: _Stream,
    kind: str,
    at: datetime,
    flag_id: UUID,
    program_id: UUID | None,
    about: FlagKind,
    severity: int,
    rises_to: int | None,
    evidence: dict[str, Any],
    because: str | None,
    note: str | None,
) -> Entry:
    today = at.astimezone(stream.zone).date()
    name = about.replace("_", " ")
    # What a flag rests on may have moved on: the record says only what was known then.
    then = "." if RULES[about].moves else f": {sentence(about, evidence, today)}"
    if kind == EntryKind.FLAG_CLOSED:
        reason = (because or Because.EXPIRED).replace("_", " ")
        says = f"Closed ({name}): {reason}." + (f" {note}" if note else "")
    elif kind == EntryKind.FLAG_RISEN:
        says = f"Rose to {Severity(rises_to or severity).word} ({name}){then}"
    else:
        says = f"Flagged ({name}){then}"
    refs = {"flag_id": str(flag_id)} | ({"program_id": str(program_id)} if program_id else {})
    return Entry(at=at, kind=EntryKind(kind), says=says, refs=refs, key=str(flag_id))


def _outreach(stream: _Stream) -> list[Entry]:
    one = Outreach
    rows = stream.rows(
        stream.branch(
            *(EntryKind.OUTREACH, one, one.at, one.id, one.id, one.flag_id, one.channel, one.outcome, one.next_step),
            *(one.next_step_on, one.note),
            where=stream.of_patient(one),
        )
    )
    found = []
    for _, at, outreach_id, flag_id, channel, outcome, next_step, next_step_on, note in rows:
        said = [f"Tried by {channel}: {outcome.replace('_', ' ')}.", _next(next_step, next_step_on)]
        said += [f"Note: {note}"] if note else []
        refs = {"outreach_id": str(outreach_id)} | ({"flag_id": str(flag_id)} if flag_id else {})
        says = " ".join(part for part in said if part)
        found.append(Entry(at=at, kind=EntryKind.OUTREACH, says=says, refs=refs, key=str(outreach_id)))
    return found


def _next(step: str | None, on: date | None) -> str:
    """What is to come: the step, its day, or both."""
    told = [step or "", f"on {short_day(on)}" if on else ""]
    return f"Next: {' '.join(part for part in told if part)}." if step or on else ""


def _check_ins(stream: _Stream) -> list[Entry]:
    """Due ones happen on a day: when it begins for the patient."""
    one = CheckIn
    today = stream.now.astimezone(stream.zone).date()
    found = []
    due = None
    if EntryKind.CHECK_IN_DUE in stream.kinds:
        # A day more than the cursor's; what is not after it is left out below.
        latest = min(today, stream.after[0].astimezone(stream.zone).date() + DAY) if stream.after else today
        due = (
            select(literal(EntryKind.CHECK_IN_DUE.value), one.due_on, one.id, one.month, one.answered_at)
            .where(one.clinic_id == stream.clinic_id, stream.of_patient(one), one.due_on <= latest)
            .order_by(one.due_on.desc(), one.id.desc())
        )
    answered = stream.branch(
        *(EntryKind.CHECK_IN_ANSWERED, one, one.answered_at, one.id, one.due_on, one.id, one.month),
        where=and_(stream.of_patient(one), one.answered_at.is_not(None)),
    )
    if answered is not None:
        answered = answered.with_only_columns(
            literal(EntryKind.CHECK_IN_ANSWERED.value), one.due_on, one.id, one.month, one.answered_at
        )
    for kind, due_on, check_in_id, month, answered_at in stream.rows(due, answered):
        at, says = midnight_after(due_on - DAY, stream.zone), f"The check-in at month {month} was due."
        if kind == EntryKind.CHECK_IN_ANSWERED:
            at, says = answered_at, f"The check-in at month {month} was answered."
        refs = {"check_in_id": str(check_in_id)}
        entry = Entry(at=at, kind=EntryKind(kind), says=says, refs=refs, key=str(check_in_id))
        if _is_after(entry, stream.after):
            found.append(entry)
    return found


def _weeks(stream: _Stream) -> list[Entry]:
    one = WeeklyAnswer
    rows = stream.rows(
        stream.branch(
            *(EntryKind.WEEK_ANSWERED, one, one.answered_at, one.monday, one.monday, one.version),
            where=stream.of_patient(one),
        )
    )
    return [
        Entry(
            at=at,
            kind=EntryKind.WEEK_ANSWERED,
            says=f"The questions of the week from {short_day(monday)} were answered.",
            refs={"monday": monday.isoformat()},
            marks=[Mark.AMENDED] if version > 1 else [],
            key=monday.isoformat(),
        )
        for _, at, monday, version in rows
    ]


def _screenings(stream: _Stream) -> list[Entry]:
    one = Screening
    rows = stream.rows(
        stream.branch(
            *(EntryKind.SCREENING, one, one.screened_at, one.id, one.id, one.answers), where=stream.of_patient(one)
        )
    )
    found = []
    for _, at, screening_id, answers in rows:
        present = sorted(question for question, yes in answers.items() if yes)
        what = f"{', '.join(present)} present" if present else "none present"
        says = f"{len(answers)} red-flag questions were asked: {what}."
        refs = {"screening_id": str(screening_id)}
        found.append(Entry(at=at, kind=EntryKind.SCREENING, says=says, refs=refs, key=str(screening_id)))
    return found


def _conditions(stream: _Stream) -> list[Entry]:
    one = Condition
    theirs = stream.of_patient(one)
    columns = (one.id, one.code, one.status)
    rows = stream.rows(
        stream.branch(EntryKind.CONDITION, one, one.created_at, one.id, *columns, where=theirs),
        stream.branch(
            *(EntryKind.CONDITION_CHANGED, one, one.changed_at, one.id, *columns),
            where=and_(theirs, one.changed_at.is_not(None)),
        ),
    )
    found = []
    for kind, at, condition_id, code, status in rows:
        says = f"A condition was recorded: {code}."
        if kind == EntryKind.CONDITION_CHANGED:
            says = f"What is known of {code} was changed; it is {status}."
        refs = {"condition_id": str(condition_id)}
        found.append(Entry(at=at, kind=EntryKind(kind), says=says, refs=refs, key=str(condition_id)))
    return found


def _examinations(stream: _Stream) -> list[Entry]:
    one = Examination
    rows = stream.rows(
        stream.branch(
            *(EntryKind.EXAMINATION, one, one.examined_at, one.id, one.id, one.pain, one.note),
            where=stream.of_patient(one),
        )
    )
    found = []
    for _, at, examination_id, pain, note in rows:
        told = f"Examined: pain {pain} of 10." if pain is not None else "Examined."
        says = f"{told} {note}" if note else told
        refs = {"examination_id": str(examination_id)}
        found.append(Entry(at=at, kind=EntryKind.EXAMINATION, says=says, refs=refs, key=str(examination_id)))
    return found


def _reviews(stream: _Stream) -> list[Entry]:
    if not stream.programs:
        return []
    one = Review
    rows = stream.rows(
        stream.branch(
            *(EntryKind.REVIEW, one, one.reviewed_at, one.id, one.id, one.program_id, one.note, one.next_review_on),
            where=stream.of_programs(one),
        )
    )
    found = []
    for _, at, review_id, program_id, note, next_on in rows:
        told = f"Reviewed; the next review is due on {short_day(next_on)}." if next_on else "Reviewed."
        refs = {"review_id": str(review_id), "program_id": str(program_id)}
        says = f"{told} {note}" if note else told
        found.append(Entry(at=at, kind=EntryKind.REVIEW, says=says, refs=refs, key=str(review_id)))
    return found


_SOURCES: tuple[Callable[[_Stream], list[Entry]], ...] = (
    *(_sessions, _programs, _revisions, _pauses, _flares, _flags, _outreach),
    *(_check_ins, _weeks, _screenings, _conditions, _examinations, _reviews),
)
