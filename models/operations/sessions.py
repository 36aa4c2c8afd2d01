"""Logging sessions: the only way in, for one or for a whole queue."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, delete, or_, select, tuple_, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from models.adherence.clock import Moment, corrected, date_there, skew_of
from models.adherence.kinds import main_reason, worst_pain
from models.database import insert_for, insert_or_replace
from models.operations.callers import Caller
from models.operations.courses import Course, courses
from models.operations.flags import Because, Heard, loose_alarms
from models.operations.policy import SOURCE, visible_programs
from models.operations.standings import restate
from models.operations.versions import content_of
from models.refusals import (
    AfterProgram,
    BeforeProgram,
    Conflict,
    FutureDated,
    NotStorable,
    OtherProgram,
    ProgramNotActive,
    SessionRefused,
    TooLate,
    UnknownLine,
    UnknownProgram,
    UnknownSession,
    WrongDate,
)
from models.safety.red_flags import Alarm, SafetyAnswers, alarms
from models.tables import (
    DoneShare,
    Patient,
    Program,
    ProgramStatus,
    SessionEntry,
    SessionLog,
    SessionVersion,
)

CLOCK_TOLERANCE = timedelta(hours=1)
LOW_TRUST_AFTER = timedelta(days=7)
"""Back-dated further than this a log is accepted, and marked (clinical content 7.2)."""
AMENDABLE = timedelta(days=14)
"""How long after it first came a patient may change or delete a session; staff may at any time."""

_DELETED = sha256(b"deleted").digest()
"""What a tombstone's content hashes to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryReport:
    """What was done of one line; amounts left out were done as prescribed."""

    line_id: UUID
    sets: int | None = None
    reps: int | None = None
    hold_seconds: int | None = None
    minutes: float | None = None
    skipped: bool = False
    reason: str | None = None
    pain: int | None = None
    not_sure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """What a patient says about one session, as it was said."""

    id: UUID
    program_id: UUID
    performed_at: datetime
    time_zone: str
    local_date: date
    done: DoneShare
    reason: str | None = None
    pain_before: int | None = None
    pain_during: int | None = None
    pain_after: int | None = None
    effort: int | None = None
    settled_by_morning: bool | None = None
    fatigue: int | None = None
    stiffness_minutes: int | None = None
    spread_to: str | None = None
    chips: Sequence[str] = ()
    note: str | None = None
    entries: Sequence[EntryReport] = ()
    ext: Mapping[str, Any] | None = None
    base_version: int | None = None
    """The version it changes; None if it is said for the first time."""

    def content_hash(self) -> bytes:
        """SHA-256 of the canonical body: the same words in any order, from any phone, hash alike."""
        body = {name: getattr(self, name) for name in _SAID}
        for later in ("fatigue", "stiffness_minutes", "spread_to"):
            # Asked since the second version of the log: where unsaid, an older phone's body hashes as it did.
            if body[later] is None:
                del body[later]
        body["performed_at"] = self.performed_at.astimezone(UTC)
        body["chips"] = sorted(set(self.chips))
        body["entries"] = [_entry(entry) for entry in sorted(self.entries, key=lambda entry: str(entry.line_id))]
        return sha256(json.dumps(body, sort_keys=True, default=str, separators=(",", ":")).encode()).digest()

    def safety(self) -> SafetyAnswers:
        """What it says about safety."""
        return SafetyAnswers(
            chips=tuple(self.chips),
            reason=main_reason(self.reason, [entry.reason for entry in self.entries]),
            worst_pain=worst_pain([self.pain_during, self.pain_after, *(entry.pain for entry in self.entries)]),
        )


_SAID = tuple(one.name for one in fields(SessionReport) if one.name != "base_version")
_OF_ENTRY = tuple(one.name for one in fields(EntryReport))


def _entry(entry: EntryReport) -> dict[str, Any]:
    """An entry's columns; `asdict` would copy each value as well, several times with every log."""
    return {name: getattr(entry, name) for name in _OF_ENTRY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A session is taken back."""

    id: UUID
    base_version: int
    """The version that is deleted: what changed since is not."""
    program_id: UUID | None = None
    """Whose session it is; staff must say, a patient need not."""


class Outcome(StrEnum):
    """What became of one item."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DELETED = "deleted"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    DEFERRED = "deferred"


REFUSED = frozenset({Outcome.CONFLICT, Outcome.REJECTED, Outcome.DEFERRED})
"""What these outcomes answer was not stored among the sessions; its body is kept (`keep_refused`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A session as the clinic holds it, with its entries; a tombstone has `deleted_at`."""

    log: SessionLog
    entries: Sequence[SessionEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The one outcome of one item."""

    outcome: Outcome
    version: int | None = None
    """The version the clinic holds now."""
    refusal: SessionRefused | None = None
    held: Held | None = None
    """The clinic's copy, where it is not what the phone said."""
    advice: Sequence[str] = ()
    """What to tell the patient now, gravest first."""
    safety_raised: bool = False

    @property
    def retryable(self) -> bool:
        """Whether the same item may succeed later."""
        return self.outcome is Outcome.DEFERRED


Item = SessionReport | Deletion
_Key = tuple[UUID, UUID]
"""Patient and session."""


@dataclass(slots=True)
class _Known:
    """A session as it stands in the middle of a batch."""

    row: dict[str, Any]
    entries: list[dict[str, Any]]
    past: dict[int, bytes] = field(default_factory=dict)
    """Earlier versions' content hashes."""
    archive: list[dict[str, Any]] = field(default_factory=list)
    """Versions this batch replaced."""

    def had(self, base_version: int | None, content_hash: bytes) -> bool:
        """Whether this very change was made before: repeating it changes nothing."""
        return self.past.get((base_version or 0) + 1) == content_hash

    def replace(self, row: dict[str, Any], entries: list[dict[str, Any]], now: datetime) -> None:
        """Put the next version in the place of this one, which is kept."""
        old = self.row
        self.archive.append(
            {
                "clinic_id": old["clinic_id"],
                "patient_id": old["patient_id"],
                "session_id": old["id"],
                "version": old["version"],
                "program_id": old["program_id"],
                "content_hash": old["content_hash"],
                "changed_at": old["changed_at"],
                "replaced_at": now,
                "device_id": old["device_id"],
                "content": content_of(old, self.entries),
            }
        )
        self.past[old["version"]] = old["content_hash"]
        is_news = _heard_in(old, self.entries) != _heard_in(row, entries)
        row = row | {"told_at": now if is_news else old["told_at"]}
        self.row, self.entries = row | {"version": old["version"] + 1, "changed_at": now}, entries


def _heard_in(row: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> list[Any]:
    """What the flags listen to in a session."""
    names = ("exercised", "local_date", "worst_pain", "main_reason", "pain_before", "settled_by_morning")
    return [*(row[name] for name in names), sorted(row["chips"]), any(entry["not_sure"] for entry in entries)]


@dataclass(slots=True)
class _Batch:
    """One call of `record_sessions`: what it was asked, what it found, and what it will write."""

    tx: Session
    caller: Caller
    skew: timedelta
    now: datetime
    found: dict[UUID, Course]
    numbers: dict[UUID, int] = field(default_factory=dict)
    """Patient → the last change number given out."""
    moved: dict[_Key, dict[datetime, timedelta]] = field(default_factory=dict)
    """Sessions that are changed: an instant that is known of one → by how much it is to be moved."""
    known: dict[_Key, _Known] = field(default_factory=dict)
    created: dict[_Key, int] = field(default_factory=dict)
    """What was new → the number of the item that said it."""
    refused: set[_Key] = field(default_factory=set)
    """Sessions of which an item was refused: what comes after it rests on something that never was."""

    def next_number(self, course: Course) -> int:
        patient_id = course.program.patient_id
        self.numbers[patient_id] = self.numbers.get(patient_id, course.changes_before) + 1
        return self.numbers[patient_id]


def record_sessions(
    tx: Session, caller: Caller, items: Sequence[Item], *, sent_at: datetime | None = None, now: datetime
) -> list[Result]:
    """Log, change or take back `items`; one result each, in order. A refused one harms none of its neighbours.

    Exactly once by the primary key: insert, and where the id is taken compare what it holds; while that goes on the
    patient's row is held. `sent_at` is what the phone's clock showed as it sent (`models.adherence.clock`). A refusal
    is returned, not raised; who has its body keeps it, and that raises its safety answers (`keep_refused`).
    """
    try:
        with tx.begin_nested():
            return _record(tx, caller, items, sent_at, now, set())
    except (IntegrityError, DataError):
        # One of them the database cannot hold, for a reason nobody foresaw: found by asking one at a time.
        refused: set[_Key] = set()
        return [_alone(tx, caller, item, sent_at, now, refused) for item in items]


def sessions_of(
    tx: Session, caller: Caller, program_id: UUID, *, before: tuple[date, UUID] | None, limit: int
) -> list[Held]:
    """A page of a program's sessions with their entries, latest first."""
    program = tx.scalars(visible_programs(caller).where(Program.id == program_id)).one_or_none()
    if program is None:
        raise UnknownProgram(f"No program {program_id}.")
    caller.seen.add(program.patient_id)
    stmt = select(SessionLog).where(
        SessionLog.clinic_id == caller.clinic_id,
        SessionLog.program_id == program_id,
        SessionLog.deleted_at.is_(None),
    )
    if before is not None:
        stmt = stmt.where(tuple_(SessionLog.local_date, SessionLog.id) < before)
    page = tx.scalars(stmt.order_by(SessionLog.local_date.desc(), SessionLog.id.desc()).limit(limit)).all()
    return with_entries(tx, caller.clinic_id, page)


def with_entries(tx: Session, clinic_id: UUID, logs: Sequence[SessionLog]) -> list[Held]:
    """Sessions with their entries, in one statement more; a tombstone has none."""
    entries: dict[_Key, list[SessionEntry]] = {(log.patient_id, log.id): [] for log in logs}
    if entries:
        stmt = select(SessionEntry).where(SessionEntry.clinic_id == clinic_id, _are(SessionEntry, entries))
        for entry in tx.scalars(stmt.order_by(SessionEntry.line_id)):
            entries[entry.patient_id, entry.session_id].append(entry)
    return [Held(log=log, entries=entries[log.patient_id, log.id]) for log in logs]


def _alone(
    tx: Session, caller: Caller, item: Item, sent_at: datetime | None, now: datetime, refused: set[_Key]
) -> Result:
    try:
        with tx.begin_nested():
            return _record(tx, caller, [item], sent_at, now, refused)[0]
    except (IntegrityError, DataError):
        refusal = NotStorable("The database cannot hold a value of this session.")
        return _told(item, Result(outcome=Outcome.REJECTED, refusal=refusal))


def _record(
    tx: Session, caller: Caller, items: Sequence[Item], sent_at: datetime | None, now: datetime, refused: set[_Key]
) -> list[Result]:
    found = courses(tx, caller.clinic_id, _programs(caller, items), lock=True)
    caller.seen.update(course.program.patient_id for course in found.values())
    batch = _Batch(tx, caller, skew_of(sent_at, now), now, found, refused=refused)
    keys = [_key(batch, item) for item in items]
    _recall_moments(batch, items, keys)
    refusals = {number: refusal for number, item in enumerate(items) if (refusal := _refusal(batch, item))}
    _insert(batch, items, keys, refusals)
    _recall(batch, items, keys)
    results = []
    for number, (item, key) in enumerate(zip(items, keys, strict=True)):
        results.append(_apply(batch, number, item, key, refusals.get(number)))
        if key is not None and results[-1].outcome in {Outcome.CONFLICT, Outcome.REJECTED}:
            batch.refused.add(key)
    _write(batch)
    _restate(batch, items, keys, results)
    return [_told(item, result) for item, result in zip(items, results, strict=True)]


def _programs(caller: Caller, items: Sequence[Item]) -> Any:
    """The programs to hold: those the items name, and those of the sessions a patient takes back."""
    wanted: ColumnElement[bool] = Program.id.in_({item.program_id for item in items if item.program_id is not None})
    taken_back = {item.id for item in items if isinstance(item, Deletion)}
    if taken_back and caller.patient_id is not None:
        theirs = select(SessionLog.program_id).where(
            SessionLog.clinic_id == caller.clinic_id,
            SessionLog.patient_id == caller.patient_id,
            SessionLog.id.in_(taken_back),
        )
        wanted = or_(wanted, Program.id.in_(theirs))
    return visible_programs(caller).where(wanted)


def _key(batch: _Batch, item: Item) -> _Key | None:
    """Whose session an item is about, as far as the caller may know."""
    if batch.caller.patient_id is not None:
        return batch.caller.patient_id, item.id
    course = batch.found.get(item.program_id) if item.program_id is not None else None
    return (course.program.patient_id, item.id) if course else None


def _refusal(batch: _Batch, item: Item) -> SessionRefused | None:
    """Why an item cannot be taken as it stands, whatever the clinic holds."""
    if isinstance(item, Deletion):
        return None
    known = batch.found.get(item.program_id)
    if known is None:
        return UnknownProgram(f"No program {item.program_id}.", field="/program_id")
    try:
        _check(item, known, batch)
    except SessionRefused as refusal:
        return refusal
    return None


def _check(report: SessionReport, known: Course, batch: _Batch) -> None:
    """Refuse what cannot have happened."""
    program = known.program
    if program.status is ProgramStatus.DRAFT:
        raise ProgramNotActive("The program is a draft; activate it first.", field="/program_id")
    there = date_there(report.performed_at, report.time_zone)
    if abs((report.local_date - there).days) > 1:
        raise WrongDate(f"At that instant the date in {report.time_zone} was {there}.", field="/local_date")
    moment = _moment(report, batch)
    if moment.at > batch.now + CLOCK_TOLERANCE:
        raise FutureDated("The session lies in the future; check the phone's clock.", field="/performed_at")
    if moment.local_date < program.starts_on:
        raise BeforeProgram(f"The program started on {program.starts_on}.", field="/local_date")
    if program.ended_on is not None and moment.local_date > program.ended_on:
        raise AfterProgram(f"The program ended on {program.ended_on}.", field="/local_date")
    lines = {item.line_id for item in known.items}
    for number, entry in enumerate(report.entries):
        if entry.line_id not in lines:
            raise UnknownLine(f"The program has no line {entry.line_id}.", field=f"/entries/{number}/line_id")


def _moment(report: SessionReport, batch: _Batch) -> Moment:
    key = batch.found[report.program_id].program.patient_id, report.id
    skew = batch.moved.get(key, {}).get(report.performed_at, batch.skew)
    said = Moment(report.performed_at, report.local_date)
    moved = corrected(said, report.time_zone, skew)
    # A clock that was right while exercising and wrong while sending: an empty battery in between.
    return said if _can_be(said, report, batch) and not _can_be(moved, report, batch) else moved


def _can_be(moment: Moment, report: SessionReport, batch: _Batch) -> bool:
    """Whether a session of the program can have happened then."""
    starts_on = batch.found[report.program_id].program.starts_on
    return moment.local_date >= starts_on and moment.at <= batch.now + CLOCK_TOLERANCE


def _recall_moments(batch: _Batch, items: Sequence[Item], keys: Sequence[_Key | None]) -> None:
    """Read when sessions that are to be changed happened: a phone that says again what we told it, or what it first
    said, has not looked at its clock for it, and its clock may have been set right since.
    """
    changed = {
        key
        for item, key in zip(items, keys, strict=True)
        if key and isinstance(item, SessionReport) and item.base_version is not None
    }
    if not changed:
        return
    known = select(SessionLog.patient_id, SessionLog.id, SessionLog.performed_at, SessionLog.said_performed_at).where(
        SessionLog.clinic_id == batch.caller.clinic_id, _are(SessionLog, changed)
    )
    for patient_id, session_id, at, said in batch.tx.execute(known):
        batch.moved[patient_id, session_id] = {said or at: at - (said or at), at: timedelta(0)}


def _insert(
    batch: _Batch, items: Sequence[Item], keys: Sequence[_Key | None], refusals: Mapping[int, SessionRefused]
) -> None:
    """Insert what is new, whatever version it claims to change: a phone may know of one that a restored clinic lost."""
    first: dict[_Key, int] = {}
    for number, (item, key) in enumerate(zip(items, keys, strict=True)):
        if key is not None and isinstance(item, SessionReport) and number not in refusals:
            first.setdefault(key, number)
    fresh: dict[_Key, _Known] = {}
    for key, number in first.items():
        report = items[number]
        assert isinstance(report, SessionReport)
        course = batch.found[report.program_id]
        fresh[key] = _Known(_row(batch, report, course, received_at=batch.now), _entries(batch, report, course))
    if not fresh:
        return
    stmt = insert_for(batch.tx, SessionLog).on_conflict_do_nothing(index_elements=["clinic_id", "patient_id", "id"])
    returning = stmt.returning(SessionLog.patient_id, SessionLog.id)
    for patient_id, session_id in batch.tx.execute(returning, [known.row for known in fresh.values()]):
        key = patient_id, session_id
        batch.known[key], batch.created[key] = fresh[key], first[key]


def _recall(batch: _Batch, items: Sequence[Item], keys: Sequence[_Key | None]) -> None:
    """Read what the ids that were taken hold; entries and earlier versions only where more than the same was said."""
    tx, clinic_id = batch.tx, batch.caller.clinic_id
    asked = [(item, key) for item, key in zip(items, keys, strict=True) if key and key not in batch.created]
    if not asked:
        return
    held = {
        (log.patient_id, log.id): log
        for log in tx.scalars(
            select(SessionLog)
            .where(SessionLog.clinic_id == clinic_id, _are(SessionLog, {key for _, key in asked}))
            .execution_options(populate_existing=True)
        )
    }
    for log in held.values():
        tx.expunge(log)
    entries: dict[_Key, list[dict[str, Any]]] = {key: [] for key in held}
    past: dict[_Key, dict[int, bytes]] = {key: {} for key in held}
    doubtful = {
        key
        for item, key in asked
        if key in held and (isinstance(item, Deletion) or item.content_hash() != held[key].content_hash)
    }
    if doubtful:
        for entry in tx.scalars(
            select(SessionEntry).where(SessionEntry.clinic_id == clinic_id, _are(SessionEntry, doubtful))
        ):
            entries[entry.patient_id, entry.session_id].append(_columns(entry))
        for patient_id, session_id, version, content_hash in tx.execute(
            select(
                SessionVersion.patient_id,
                SessionVersion.session_id,
                SessionVersion.version,
                SessionVersion.content_hash,
            ).where(SessionVersion.clinic_id == clinic_id, _are(SessionVersion, doubtful))
        ):
            past[patient_id, session_id][version] = content_hash
    for key, log in held.items():
        batch.known[key] = _Known(_columns(log), entries[key], past[key])


def _apply(batch: _Batch, number: int, item: Item, key: _Key | None, refusal: SessionRefused | None) -> Result:
    """Decide one item, seeing what those before it in the batch did."""
    known = batch.known.get(key) if key is not None else None
    if key is not None and number < batch.created.get(key, 0):
        known = None  # what a later item of the batch creates
    if isinstance(item, Deletion):
        return _take_back(batch, item, known)
    if said_before := _repeated(batch, number, item, key, known):
        return said_before
    if refusal is not None:
        waits = isinstance(refusal, UnknownProgram | ProgramNotActive)
        return Result(outcome=Outcome.DEFERRED if waits else Outcome.REJECTED, refusal=refusal)
    assert known is not None  # what was not refused was inserted, or was there
    if refused := _unchangeable(batch, item, known):
        return refused
    course = batch.found[item.program_id]
    row = _row(batch, item, course, received_at=known.row["received_at"])
    known.replace(row, _entries(batch, item, course), batch.now)
    return Result(outcome=Outcome.UPDATED, version=known.row["version"], held=_if_corrected(known))


def _repeated(batch: _Batch, number: int, item: SessionReport, key: _Key | None, known: _Known | None) -> Result | None:
    """What is said of an item that made what is there, just now or at any time before."""
    if known is None or key is None:
        return None
    version, content_hash = known.row["version"], item.content_hash()
    if batch.created.get(key) == number:
        return Result(outcome=Outcome.CREATED, version=version, held=_if_corrected(known))
    if known.row["content_hash"] == content_hash:
        return Result(outcome=Outcome.UNCHANGED, version=version, held=_if_corrected(known))
    if known.had(item.base_version, content_hash):
        return Result(outcome=Outcome.UNCHANGED, version=version, held=_held(known))
    return None


def _take_back(batch: _Batch, item: Deletion, known: _Known | None) -> Result:
    if known is None or known.row["program_id"] not in batch.found:
        refusal = UnknownSession(f"No session {item.id}; if it is still on its way, send this again after it.")
        return Result(outcome=Outcome.DEFERRED, refusal=refusal)
    if known.row["deleted_at"] is not None or known.had(item.base_version, _DELETED):
        held = None if known.row["deleted_at"] is not None else _held(known)
        return Result(outcome=Outcome.UNCHANGED, version=known.row["version"], held=held)
    if refused := _unchangeable(batch, item, known):
        return refused
    gone = {"deleted_at": batch.now, "content_hash": _DELETED, "device_id": batch.caller.device_id}
    number = batch.next_number(batch.found[known.row["program_id"]])
    known.replace(known.row | gone | {"change_number": number}, [], batch.now)
    return Result(outcome=Outcome.DELETED, version=known.row["version"])


def _unchangeable(batch: _Batch, item: Item, known: _Known) -> Result | None:
    """Why a session that is there cannot be changed so."""
    version = known.row["version"]
    refusal: SessionRefused | None = None
    key = known.row["patient_id"], known.row["id"]
    if item.base_version != version or key in batch.refused:
        # Also where the numbers fit by chance: an item before it was refused, and what it rests on is another's.
        refusal = Conflict(f"The session was changed meanwhile; it is at version {version}.", field="/base_version")
        return Result(outcome=Outcome.CONFLICT, version=version, refusal=refusal, held=_held(known))
    if item.program_id not in {None, known.row["program_id"]}:
        refusal = OtherProgram("A session keeps its program; take it back and log another.", field="/program_id")
    elif batch.caller.is_patients and batch.now - known.row["received_at"] > AMENDABLE:
        refusal = TooLate(f"A session can be changed for {AMENDABLE.days} days; ask your therapist.")
    return Result(outcome=Outcome.REJECTED, version=version, refusal=refusal, held=_held(known)) if refusal else None


def _write(batch: _Batch) -> None:
    """Write what came of it: five statements at most, however many items."""
    tx, clinic_id = batch.tx, batch.caller.clinic_id
    replaced = {key: known for key, known in batch.known.items() if known.archive}
    if replaced:
        archived = [row for known in replaced.values() for row in known.archive]
        tx.execute(insert_for(tx, SessionVersion), archived)
        insert_or_replace(tx, SessionLog, [known.row for known in replaced.values()])
        entries = delete(SessionEntry).where(SessionEntry.clinic_id == clinic_id, _are(SessionEntry, replaced))
        tx.execute(entries.execution_options(synchronize_session=False))
    rows = [row for key in batch.created.keys() | replaced for row in batch.known[key].entries]
    if rows:
        tx.execute(insert_for(tx, SessionEntry), rows)
    changed = {key[0] for key in batch.created.keys() | replaced}
    if changed:
        counted = (
            update(Patient)
            .where(Patient.clinic_id == clinic_id, Patient.id == bindparam("of_patient"))
            .values(change_number=bindparam("counted"))
        )
        # On the connection: many rows, each with its own number, in one statement.
        tx.connection().execute(
            counted, [{"of_patient": one, "counted": batch.numbers[one]} for one in sorted(changed)]
        )


def _restate(batch: _Batch, items: Sequence[Item], keys: Sequence[_Key | None], results: Sequence[Result]) -> None:
    """Judge anew every program whose sessions changed, and hear what they say about safety."""
    heard: dict[UUID, list[Heard]] = {}
    rewritten = {known.row["program_id"] for known in batch.known.values() if known.archive}
    for item, key, result in zip(items, keys, results, strict=True):
        if isinstance(item, SessionReport) and result.outcome in {Outcome.CREATED, Outcome.UPDATED}:
            assert key is not None
            answers = Heard(str(item.id), batch.known[key].row["local_date"], _news(batch.known[key], item))
            heard.setdefault(item.program_id, []).append(answers)
    changed = {key for key, known in batch.known.items() if known.archive} | batch.created.keys()
    days: dict[UUID, set[date]] = {}
    for known in (batch.known[key] for key in changed):
        before = (date.fromisoformat(one["content"]["local_date"]) for one in known.archive)
        days.setdefault(known.row["program_id"], set()).update([known.row["local_date"], *before])
    touched = {program_id: batch.found[program_id] for program_id in heard.keys() | rewritten}
    if touched:
        because = Because.RETURNED if batch.created else Because.AMENDED
        restate(
            batch.tx,
            batch.caller.clinic_id,
            touched,
            because=because,
            now=batch.now,
            heard=heard,
            rewritten=rewritten,
            days=days,
        )


def _news(known: _Known, report: SessionReport) -> list[Alarm]:
    """What a report says that its session did not say before: what a therapist has dealt with is not told again. And
    what it no longer says, because a later item of the same batch took it back: no flag would tell it otherwise.
    """
    before = next((one for one in known.archive if one["version"] == report.base_version), None)
    said_before = set(before["content"]["chips"]) if before else set()
    said = report.safety()
    fresh = [chip for chip in report.chips if chip not in said_before]
    took_back = known.row["content_hash"] != report.content_hash()
    return [*alarms(fresh), *(loose_alarms(said) if took_back and said.cannot_wait else [])]


def _row(batch: _Batch, report: SessionReport, course: Course, *, received_at: datetime) -> dict[str, Any]:
    """Every column of a session as it is said now."""
    moment = _moment(report, batch)
    was_corrected = moment.at != report.performed_at
    safety = report.safety()
    return {
        "clinic_id": batch.caller.clinic_id,
        "patient_id": course.program.patient_id,
        "id": report.id,
        "program_id": report.program_id,
        "performed_at": moment.at.astimezone(UTC),
        "said_performed_at": report.performed_at.astimezone(UTC) if was_corrected else None,
        "time_zone": report.time_zone,
        "local_date": moment.local_date,
        "said_local_date": report.local_date if was_corrected else None,
        "received_at": received_at,
        "changed_at": batch.now,
        "source": SOURCE[batch.caller.role],
        "device_id": batch.caller.device_id,
        "done": report.done,
        "exercised": _exercised(report, course),
        "reason": report.reason,
        "pain_before": report.pain_before,
        "pain_during": report.pain_during,
        "pain_after": report.pain_after,
        "effort": report.effort,
        "settled_by_morning": report.settled_by_morning,
        "fatigue": report.fatigue,
        "stiffness_minutes": report.stiffness_minutes,
        "spread_to": report.spread_to,
        "worst_pain": safety.worst_pain,
        "main_reason": safety.reason,
        "chips": list(dict.fromkeys(report.chips)),
        "note": report.note,
        "ext": report.ext,
        "low_trust": received_at - moment.at > LOW_TRUST_AFTER,
        "told_at": None,
        "version": 1,
        "content_hash": report.content_hash(),
        "change_number": batch.next_number(course),
        "deleted_at": None,
    }


def _entries(batch: _Batch, report: SessionReport, course: Course) -> list[dict[str, Any]]:
    """What is stored: "all" writes every line in force that day as prescribed, except as said otherwise."""
    said = {entry.line_id: entry for entry in report.entries}
    if report.done is DoneShare.ALL:
        for line in course.lines_on(_moment(report, batch).local_date):
            if not line.as_needed:
                said.setdefault(line.line_id, EntryReport(line_id=line.line_id))
    key = {
        "clinic_id": batch.caller.clinic_id,
        "patient_id": course.program.patient_id,
        "session_id": report.id,
    }
    return [key | _entry(entry) for entry in said.values()]


def _exercised(report: SessionReport, course: Course) -> bool:
    """Whether anything of it was exercise: what was only ticked beside the exercises is not."""
    if report.done is not DoneShare.SOME or not report.entries:
        return report.done is not DoneShare.NONE
    exercises = {item.line_id for item in course.items if item.exercise_slug is not None}
    return any(entry.line_id in exercises and not entry.skipped for entry in report.entries)


def _told(item: Item, result: Result) -> Result:
    """What the patient is told at once, whatever became of the rest of the item."""
    if isinstance(item, Deletion):
        return result
    heard = item.safety()
    raised = heard.cannot_wait and result.outcome not in REFUSED
    return replace(result, advice=tuple(heard.advice()), safety_raised=raised)


def _if_corrected(known: _Known) -> Held | None:
    """The clinic's copy, where the phone's clock was wrong."""
    return _held(known) if known.row["said_performed_at"] is not None else None


def _held(known: _Known) -> Held:
    return Held(log=SessionLog(**known.row), entries=[SessionEntry(**row) for row in known.entries])


def _are(table: type[SessionLog | SessionEntry | SessionVersion], keys: Iterable[_Key]) -> ColumnElement[bool]:
    """Whether a row is of one of the sessions `keys`."""
    by_patient: dict[UUID, set[UUID]] = {}
    for patient_id, session_id in keys:
        by_patient.setdefault(patient_id, set()).add(session_id)
    column = table.id if table is SessionLog else table.session_id  # type: ignore[union-attr]
    return or_(*(and_(table.patient_id == patient_id, column.in_(ids)) for patient_id, ids in by_patient.items()))


def _columns(row: SessionLog | SessionEntry) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in type(row).__table__.columns}
