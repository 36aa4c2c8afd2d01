"""What exports hold: the columns of each content, where they are read, and how they are told of nobody in particular.

Rows are read in pieces in the order of their keys, each piece from the key of the last row on: no piece is dearer than
another, and whoever has that key can go on. What changes meanwhile appears as it was or as it is; of what does not
change, nothing appears twice and nothing is left out.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from models.adherence.kinds import Severity, meaning
from models.operations.consents import RESEARCH, has_not_withdrawn
from models.operations.pseudonyms import Veil
from models.operations.walls import within
from models.reports.tables import Column, ColumnKind, Value
from models.safety.red_flags import CHIPS
from models.tables import (
    ExportContent,
    Flag,
    Item,
    Patient,
    Program,
    ProgramWeek,
    Revision,
    SessionEntry,
    SessionLog,
)
from models.tables.base import UtcDateTime

Place = list[Any]
"""The key of a row, as JSON keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which rows."""

    content: ExportContent
    from_on: date | None
    to_on: date | None
    """Local days, both included."""
    zone: ZoneInfo
    """The clinic's, for what has an instant only."""
    as_of: datetime
    """When it was asked for: what lies ahead of it has not happened."""


class Page(NamedTuple):
    """Some of the rows."""

    rows: list[dict[str, Value]]
    place: Place | None
    """The key of the last row looked at."""
    looked_at: int
    """Rows, also those that were not asked for."""
    is_last: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One column and where it comes from."""

    column: Column
    source: Any
    plain: Callable[[Any], Value] | None
    """How it is told; None: only de-identified."""
    veiled: Callable[[Any, Veil, UUID], Value] | None
    """How it is told de-identified, with whose it is; None: not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    fields: Sequence[Field]
    key: Sequence[Any]
    """The primary key after the clinic."""
    patient: Any
    joined: Callable[[Select[Any]], Select[Any]]
    """FROM, with what it takes to know whose a row is."""
    happened: Callable[[Asked], Sequence[ColumnElement[bool]]] = lambda _: ()
    on: Any = None
    """The day, or instant, a period is about; None: this content has none."""

    @property
    def table(self) -> Any:
        """Whose rows are told, one each."""
        return self.key[0].class_


def columns(content: ExportContent, *, de_identified: bool) -> Sequence[Column]:
    """The columns of a content, in order."""
    return [field.column for field in _fields(content, de_identified=de_identified)]


def has_periods(content: ExportContent) -> bool:
    """Whether the rows of a content are of a day."""
    return _CONTENTS[content].on is not None


def count_rows(tx: Session, clinic_id: UUID, asked: Asked) -> int:
    """How many rows there are to look through now, whether they are asked for or not: that costs no join."""
    within(tx, clinic_id)
    table = _CONTENTS[asked.content].table
    stmt = select(func.count()).select_from(table).where(table.clinic_id == clinic_id)
    return tx.execute(stmt).scalar_one()


def next_page(
    tx: Session, clinic_id: UUID, asked: Asked, after: Place | None, veil: Veil | None, *, limit: int
) -> Page:
    """What is asked for of the next `limit` rows after a place; with a veil, de-identified, and without the patients
    who withdrew their consent to that. One statement.

    The keys are read first and by themselves, and what is not asked for is left out last: whatever is asked for, and
    whatever the database expects to find, a page looks at so many rows and no more.
    """
    within(tx, clinic_id)
    content = _CONTENTS[asked.content]
    keys, width = content.key, len(content.key)
    fields = _fields(asked.content, de_identified=veil is not None)
    page = select(*keys).where(content.table.clinic_id == clinic_id)
    if after is not None:
        held = [literal(_read_key(key, one), key.type) for key, one in zip(keys, after, strict=True)]
        page = page.where(tuple_(*keys) > tuple_(*held))
    those = page.order_by(*keys).limit(limit).subquery("page")
    # By position: several columns may come from one source.
    conditions = [*_conditions(content, asked), *([] if veil is None else [has_not_withdrawn(RESEARCH)])]
    wanted = [and_(*conditions), content.patient, *(field.source for field in fields)]
    stmt = content.joined(select(*those.c, *wanted)).join(those, and_(*(key == those.c[key.key] for key in keys)))
    found = tx.execute(stmt.where(content.table.clinic_id == clinic_id).order_by(*those.c)).all()
    tells = [(field.column.name, _teller(field, veil)) for field in fields]
    rows = [
        {
            name: None if value is None else tell(value, row[width + 1])
            for (name, tell), value in zip(tells, row[width + 2 :], strict=True)
        }
        for row in found
        if row[width]
    ]
    place = [_kept_key(one) for one in found[-1][:width]] if found else after
    return Page(rows, place, len(found), len(found) < limit)


def _fields(content: ExportContent, *, de_identified: bool) -> list[Field]:
    return [
        field for field in _CONTENTS[content].fields if (field.veiled if de_identified else field.plain) is not None
    ]


def _teller(field: Field, veil: Veil | None) -> Callable[[Any, UUID], Value]:
    plain, veiled = field.plain, field.veiled
    if veil is None:
        assert plain is not None
        return lambda value, _patient_id: plain(value)
    assert veiled is not None
    return lambda value, patient_id: veiled(value, veil, patient_id)


def _conditions(content: _Content, asked: Asked) -> list[ColumnElement[bool]]:
    """What a row must be to be told."""
    found = [Patient.deleted_at.is_(None), *content.happened(asked)]
    on, first, last = content.on, asked.from_on, asked.to_on
    is_instant = on is not None and isinstance(on.type, UtcDateTime)
    if first is not None:
        found.append(on >= (_begins(first, asked.zone) if is_instant else first))
    if last is not None:
        found.append(on < _begins(last + timedelta(days=1), asked.zone) if is_instant else on <= last)
    return found


def _begins(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _kept_key(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)


def _read_key(key: Any, kept: Any) -> Any:
    kind = key.type.python_type
    if kind is date:
        return date.fromisoformat(kept)
    return kind(kept)


# How values are told.


def _as_is(value: Any) -> Value:
    found: Value = value
    return found


def _as_text(value: Any) -> Value:
    return str(value)


def _as_json(value: Any) -> Value:
    return json.dumps(value, ensure_ascii=False)


def _grave(value: Any) -> Value:
    return Severity(value).word


def _reason(value: Any, _veil: Veil, _patient_id: UUID) -> Value:
    return meaning(value)


def _end_reason(value: Any, _veil: Veil, _patient_id: UUID) -> Value:
    return str(value) if value in _OUR_ENDS else meaning(value)


_OUR_ENDS = {"completed", "discharged"}
_KNOWN_CHIPS = frozenset(CHIPS)


def _chips(value: Any, _veil: Veil, _patient_id: UUID) -> Value:
    """The chips we know; a newer phone may send any word."""
    return _as_json([chip for chip in value if chip in _KNOWN_CHIPS])


def _pseudonym(value: Any, veil: Veil, _patient_id: UUID) -> Value:
    return veil.pseudonym(value)


def _moved(value: Any, veil: Veil, patient_id: UUID) -> Value:
    moment: date = veil.moved(value, patient_id)
    return moment


# Fields by what they are. Their titles are their names, as people read them.


def _column(name: str, kind: ColumnKind, unit: str | None = None) -> Column:
    return Column(name=name, title=name.replace("_", " ").capitalize(), kind=kind, unit=unit)


def _id(name: str, source: Any) -> Field:
    return Field(_column(name, ColumnKind.TEXT), source, _as_text, _pseudonym)


def _day(name: str, source: Any) -> Field:
    return Field(_column(name, ColumnKind.DATE), source, _as_is, _moved)


def _instant(name: str, source: Any) -> Field:
    return Field(_column(name, ColumnKind.INSTANT), source, _as_is, _moved)


def _word(name: str, source: Any, tell: Callable[[Any], Value] = _as_text) -> Field:
    """A word of ours: from the catalogue, or one of an enumeration."""
    return Field(_column(name, ColumnKind.TEXT), source, tell, lambda value, _veil, _patient_id: tell(value))


def _same(name: str, source: Any, kind: ColumnKind, unit: str | None = None) -> Field:
    return Field(_column(name, kind, unit), source, _as_is, lambda value, _veil, _patient_id: _as_is(value))


def _count(name: str, source: Any, unit: str | None = None) -> Field:
    return _same(name, source, ColumnKind.COUNT, unit)


def _number(name: str, source: Any, unit: str | None = None) -> Field:
    return _same(name, source, ColumnKind.NUMBER, unit)


def _flag(name: str, source: Any) -> Field:
    return _same(name, source, ColumnKind.FLAG)


def _personal(
    name: str, source: Any, kind: ColumnKind = ColumnKind.TEXT, tell: Callable[[Any], Value] = _as_is
) -> Field:
    """What a person typed, or what tells who or where they are: never in a de-identified export."""
    return Field(_column(name, kind), source, tell, None)


def _with_patient(stmt: Select[Any], patient_id: Any) -> Select[Any]:
    """Whose a row is, so that what belongs to a deleted patient is left out."""
    return stmt.join(Patient, and_(Patient.clinic_id == patient_id.class_.clinic_id, Patient.id == patient_id))


def _with_program(stmt: Select[Any], table: Any) -> Select[Any]:
    return stmt.join(Program, and_(Program.clinic_id == table.clinic_id, Program.id == table.program_id))


def _of_sessions(stmt: Select[Any]) -> Select[Any]:
    return _with_patient(stmt.select_from(SessionLog), SessionLog.patient_id)


def _of_entries(stmt: Select[Any]) -> Select[Any]:
    session = and_(
        SessionLog.clinic_id == SessionEntry.clinic_id,
        SessionLog.patient_id == SessionEntry.patient_id,
        SessionLog.id == SessionEntry.session_id,
    )
    return _with_patient(stmt.select_from(SessionEntry).join(SessionLog, session), SessionEntry.patient_id)


def _of_programs(stmt: Select[Any]) -> Select[Any]:
    return _with_patient(stmt.select_from(Program), Program.patient_id)


def _of_items(stmt: Select[Any]) -> Select[Any]:
    revision = and_(
        Revision.clinic_id == Item.clinic_id,
        Revision.program_id == Item.program_id,
        Revision.number == Item.revision_number,
    )
    return _with_patient(_with_program(stmt.select_from(Item).join(Revision, revision), Item), Program.patient_id)


def _of_patients(stmt: Select[Any]) -> Select[Any]:
    return stmt.select_from(Patient)


def _of_flags(stmt: Select[Any]) -> Select[Any]:
    return _with_patient(stmt.select_from(Flag), Flag.patient_id)


def _of_weeks(stmt: Select[Any]) -> Select[Any]:
    return _with_patient(_with_program(stmt.select_from(ProgramWeek), ProgramWeek), Program.patient_id)


def _not_taken_back(_asked: Asked) -> Sequence[ColumnElement[bool]]:
    return (SessionLog.deleted_at.is_(None),)


def _opened(asked: Asked) -> Sequence[ColumnElement[bool]]:
    """A flag that lies ahead, or was never needed, is no history of anything."""
    return Flag.opens_at <= asked.as_of, or_(Flag.closed_at.is_(None), Flag.closed_at >= Flag.opens_at)


_SESSIONS = _Content(
    key=(SessionLog.patient_id, SessionLog.id),
    patient=SessionLog.patient_id,
    joined=_of_sessions,
    happened=_not_taken_back,
    on=SessionLog.local_date,
    fields=(
        _id("session_id", SessionLog.id),
        _id("patient_id", SessionLog.patient_id),
        _id("program_id", SessionLog.program_id),
        _instant("performed_at", SessionLog.performed_at),
        _personal("time_zone", SessionLog.time_zone),
        _day("local_date", SessionLog.local_date),
        _instant("received_at", SessionLog.received_at),
        _instant("changed_at", SessionLog.changed_at),
        _word("source", SessionLog.source),
        _id("device_id", SessionLog.device_id),
        _word("done", SessionLog.done),
        _flag("exercised", SessionLog.exercised),
        Field(_column("reason", ColumnKind.TEXT), SessionLog.reason, _as_is, _reason),
        _count("pain_before", SessionLog.pain_before, "0-10"),
        _count("pain_during", SessionLog.pain_during, "0-10"),
        _count("pain_after", SessionLog.pain_after, "0-10"),
        _count("effort", SessionLog.effort, "0-10"),
        _flag("settled_by_morning", SessionLog.settled_by_morning),
        _count("fatigue", SessionLog.fatigue, "0-10"),
        _count("stiffness_minutes", SessionLog.stiffness_minutes, "min"),
        _personal("spread_to", SessionLog.spread_to),
        Field(_column("chips", ColumnKind.TEXT), SessionLog.chips, _as_json, _chips),
        _personal("note", SessionLog.note),
        _personal("ext", SessionLog.ext, tell=_as_json),
        _flag("low_trust", SessionLog.low_trust),
        _count("version", SessionLog.version),
    ),
)
_ENTRIES = _Content(
    key=(SessionEntry.patient_id, SessionEntry.session_id, SessionEntry.line_id),
    patient=SessionEntry.patient_id,
    joined=_of_entries,
    happened=_not_taken_back,
    on=SessionLog.local_date,
    fields=(
        _id("session_id", SessionEntry.session_id),
        _id("line_id", SessionEntry.line_id),
        _id("patient_id", SessionEntry.patient_id),
        _id("program_id", SessionLog.program_id),
        _instant("performed_at", SessionLog.performed_at),
        _day("local_date", SessionLog.local_date),
        _count("sets", SessionEntry.sets),
        _count("reps", SessionEntry.reps),
        _count("hold_seconds", SessionEntry.hold_seconds, "s"),
        _number("minutes", SessionEntry.minutes, "min"),
        _flag("skipped", SessionEntry.skipped),
        Field(_column("reason", ColumnKind.TEXT), SessionEntry.reason, _as_is, _reason),
        _count("pain", SessionEntry.pain, "0-10"),
        _flag("not_sure", SessionEntry.not_sure),
    ),
)
_PROGRAMS = _Content(
    key=(Program.id,),
    patient=Program.patient_id,
    joined=_of_programs,
    fields=(
        _id("program_id", Program.id),
        _id("patient_id", Program.patient_id),
        _word("type", Program.type),
        _word("status", Program.status),
        _personal("title", Program.title),
        _word("protocol_slug", Program.protocol_slug),
        _personal("own_protocol_slug", Program.own_protocol_slug),
        _count("protocol_version", Program.protocol_version),
        _id("previous_program_id", Program.previous_program_id),
        _personal("goal", Program.goal),
        _day("starts_on", Program.starts_on),
        _day("review_due_on", Program.review_due_on),
        _id("created_by", Program.created_by),
        _instant("created_at", Program.created_at),
        _instant("activated_at", Program.activated_at),
        _day("ended_on", Program.ended_on),
        Field(_column("end_reason", ColumnKind.TEXT), Program.end_reason, _as_is, _end_reason),
        _personal("end_note", Program.end_note),
        _count("version", Program.version),
    ),
)
_PRESCRIPTIONS = _Content(
    key=(Item.program_id, Item.revision_number, Item.line_id),
    patient=Program.patient_id,
    joined=_of_items,
    fields=(
        _id("program_id", Item.program_id),
        _count("revision_number", Item.revision_number),
        _id("line_id", Item.line_id),
        _id("patient_id", Program.patient_id),
        _day("effective_on", Revision.effective_on),
        _count("phase_number", Item.phase_number),
        _count("position", Item.position),
        _word("exercise_slug", Item.exercise_slug),
        _word("care_slug", Item.care_slug),
        _word("side", Item.side),
        _personal("goal", Item.goal),
        _count("sets", Item.sets),
        _count("reps", Item.reps),
        _count("hold_seconds", Item.hold_seconds, "s"),
        _word("tempo", Item.tempo, _as_json),
        _count("rest_seconds", Item.rest_seconds, "s"),
        _number("duration_minutes", Item.duration_minutes, "min"),
        _count("distance_m", Item.distance_m, "m"),
        _number("load_kg", Item.load_kg, "kg"),
        _personal("band", Item.band),
        _count("rpe_target", Item.rpe_target, "0-10"),
        _count("pain_limit", Item.pain_limit, "0-10"),
        _count("sessions_per_day", Item.sessions_per_day),
        _count("days_per_week", Item.days_per_week),
        _word("weekdays", Item.weekdays, _as_json),
        _count("every_n_days", Item.every_n_days),
        _count("as_needed_max_per_day", Item.as_needed_max_per_day),
    ),
)
_PATIENTS = _Content(
    key=(Patient.id,),
    patient=Patient.id,
    joined=_of_patients,
    fields=(
        _id("patient_id", Patient.id),
        _personal("given_name", Patient.given_name),
        _personal("family_name", Patient.family_name),
        _personal("birth_date", Patient.birth_date, ColumnKind.DATE),
        Field(
            _column("birth_year", ColumnKind.NUMBER),
            Patient.birth_date,
            None,
            lambda born, veil, _patient_id: veil.birth_year(born),
        ),
        Field(
            _column("is_90_or_older", ColumnKind.FLAG),
            Patient.birth_date,
            None,
            lambda born, veil, _patient_id: veil.is_oldest(born),
        ),
        _personal("email", Patient.email),
        _personal("phone", Patient.phone),
        _personal("time_zone", Patient.time_zone),
        _personal("language", Patient.language),
        _id("therapist_id", Patient.therapist_id),
        _personal("equipment", Patient.equipment, tell=_as_json),
        _count("minutes_available", Patient.minutes_available, "min"),
        _flag("falls_risk", Patient.falls_risk),
        _flag("can_get_up_from_floor", Patient.can_get_up_from_floor),
        _personal("preferences", Patient.preferences, tell=_as_json),
        _instant("created_at", Patient.created_at),
        _count("version", Patient.version),
    ),
)
_FLAGS = _Content(
    key=(Flag.id,),
    patient=Flag.patient_id,
    joined=_of_flags,
    happened=_opened,
    on=Flag.opens_at,
    fields=(
        _id("flag_id", Flag.id),
        _id("patient_id", Flag.patient_id),
        _id("program_id", Flag.program_id),
        _word("kind", Flag.kind),
        _word("severity", Flag.severity, _grave),
        _instant("opened_at", Flag.opens_at),
        _instant("rises_at", Flag.rises_at),
        _word("rises_to", Flag.rises_to, _grave),
        _instant("expires_at", Flag.expires_at),
        _instant("acknowledged_at", Flag.acknowledged_at),
        _id("acknowledged_by", Flag.acknowledged_by),
        _instant("snoozed_until", Flag.snoozed_until),
        _instant("closed_at", Flag.closed_at),
        _word("closed_because", Flag.closed_because),
        _id("closed_by", Flag.closed_by),
        _personal("closed_note", Flag.closed_note),
        _personal("evidence", Flag.evidence, tell=_as_json),
        _count("rule_version", Flag.rule_version),
    ),
)
_WEEKS = _Content(
    key=(ProgramWeek.program_id, ProgramWeek.monday),
    patient=Program.patient_id,
    joined=_of_weeks,
    on=ProgramWeek.monday,
    fields=(
        _id("program_id", ProgramWeek.program_id),
        _id("patient_id", Program.patient_id),
        _day("monday", ProgramWeek.monday),
        _count("expected", ProgramWeek.expected),
        _count("done", ProgramWeek.done),
        _count("items_expected", ProgramWeek.items_expected),
        _count("items_done", ProgramWeek.items_done),
        _number("dose_sum", ProgramWeek.dose_sum),
        _count("dose_count", ProgramWeek.dose_count),
        _count("excluded_days", ProgramWeek.excluded_days),
        _count("paused_days", ProgramWeek.paused_days),
        _count("flare_days", ProgramWeek.flare_days),
        _count("sessions", ProgramWeek.sessions),
        _count("pain_sum", ProgramWeek.pain_sum),
        _count("pain_count", ProgramWeek.pain_count),
        _count("pain_worst", ProgramWeek.pain_worst, "0-10"),
        _count("effort_sum", ProgramWeek.effort_sum),
        _count("effort_count", ProgramWeek.effort_count),
        _count("late", ProgramWeek.late),
        _count("low_trust", ProgramWeek.low_trust),
    ),
)
_CONTENTS = {
    ExportContent.SESSIONS: _SESSIONS,
    ExportContent.ENTRIES: _ENTRIES,
    ExportContent.PROGRAMS: _PROGRAMS,
    ExportContent.PRESCRIPTIONS: _PRESCRIPTIONS,
    ExportContent.PATIENTS: _PATIENTS,
    ExportContent.FLAGS: _FLAGS,
    ExportContent.WEEKS: _WEEKS,
}
