"""What a patient's record consists of: every table that may hold something of them, said once.

The export tells it, the erasure removes it, and what a clinic must keep by law is chosen here. A table that is neither
a part nor named in `NOT_OF_PATIENTS` fails a test, so that none can be forgotten.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Boolean,
    Column as Stored,
    ColumnElement,
    Date,
    Enum as Enumeration,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    and_,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session

from models.adherence.kinds import meaning
from models.adherence.measures import MEASURES
from models.reports.tables import Column, ColumnKind
from models.safety.red_flags import CHIPS
from models.tables import (
    Account,
    Announcement,
    AnswerVersion,
    Base,
    CheckIn,
    Condition,
    Consent,
    Contact,
    Delivery,
    Device,
    Examination,
    Flag,
    Flare,
    Invitation,
    Item,
    Measurement,
    Outreach,
    Patient,
    Pause,
    Phase,
    Program,
    ProgramStanding,
    ProgramWeek,
    Proxy,
    RejectedSession,
    Reply,
    Review,
    Revision,
    SafetyCheck,
    Screening,
    SessionEntry,
    SessionLog,
    SessionVersion,
    SignIn,
    Teaching,
    Token,
    WeeklyAnswer,
)
from models.tables.base import UtcDateTime

AT_ONCE = 500
"""Rows that are held in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Whose record, and by what its rows are found."""

    clinic_id: UUID
    patient_id: UUID
    programs: Sequence[UUID]
    accounts: Sequence[UUID]
    """The patient's own and those of all carers they ever had."""


Tell = Callable[[Any], Any]
"""What may be kept of a text, or of a list or record, when nothing may say who it was; None: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table of a record."""

    table: type[Base]
    says: str
    """What a row is, in words for the patient."""
    whose: Callable[[Record], ColumnElement[bool]]
    untold: str | None = None
    """Why the patient's copy goes without it."""
    hidden: frozenset[str] = frozenset()
    """Columns that are secrets; what is binary is a digest, and hidden anyway."""
    facts: Mapping[str, Tell] | None = None
    """What is kept of texts, by column, where the law demands the facts: numbers, days and words of ours are kept
    without being named. None: no row of it is a clinical fact.
    """
    tells_who: frozenset[str] = field(default=frozenset())
    """Columns that are never among the facts, though they are no texts."""

    @property
    def name(self) -> str:
        """Of the table."""
        return str(self.table.__tablename__)

    @property
    def columns(self) -> list[Stored[Any]]:
        """What is told of a row."""
        known = kept_in(self.table).columns
        left_out = {"clinic_id", *self.hidden}
        return [one for one in known if one.name not in left_out and not isinstance(one.type, LargeBinary)]


def kept_in(table: type[Base]) -> Table:
    """Where rows are kept."""
    found = table.__table__
    assert isinstance(found, Table)
    return found


def record_of(tx: Session, clinic_id: UUID, patient_id: UUID) -> Record:
    """By what the rows of a patient are found."""
    programs = select(Program.id).where(Program.clinic_id == clinic_id, Program.patient_id == patient_id)
    own = select(Patient.account_id).where(
        Patient.clinic_id == clinic_id, Patient.id == patient_id, Patient.account_id.is_not(None)
    )
    carers = select(Proxy.account_id).where(Proxy.clinic_id == clinic_id, Proxy.patient_id == patient_id)
    return Record(
        clinic_id=clinic_id,
        patient_id=patient_id,
        programs=tx.scalars(programs.order_by(Program.id)).all(),
        accounts=[one for one in (*tx.scalars(own), *tx.scalars(carers)) if one is not None],
    )


def rows(tx: Session, part: Part, record: Record, columns: Sequence[Stored[Any]]) -> Iterator[dict[str, Any]]:
    """The rows of a part in the order of their keys, a few held at a time."""
    stmt = select(*columns).where(part.whose(record)).order_by(*kept_in(part.table).primary_key)
    for row in tx.execute(stmt.execution_options(yield_per=AT_ONCE)):
        yield dict(zip((column.name for column in columns), row, strict=True))


def count(tx: Session, part: Part, record: Record, *but: ColumnElement[bool]) -> int:
    """How many rows there are of a part."""
    stmt = select(func.count()).select_from(part.table).where(part.whose(record), *but)
    return tx.execute(stmt).scalar_one()


def facts_of(tx: Session, part: Part, record: Record) -> Iterator[dict[str, Any]]:
    """What is kept of a part's rows where facts must be: nothing that a person typed, nothing that says who it was."""
    assert part.facts is not None
    tells: dict[str, Tell] = {
        column.name: part.facts.get(column.name, _nothing if _is_text(column) else _as_is)
        for column in part.columns
        if column.name not in part.tells_who
    }
    for row in rows(tx, part, record, [column for column in part.columns if column.name in tells]):
        told = ((name, None if value is None else tells[name](value)) for name, value in row.items())
        yield {name: plain(value) for name, value in told if value is not None}


def cell_of(column: Stored[Any]) -> Column:
    """The column as a file has it."""
    title = column.name.replace("_", " ").capitalize()
    return Column(name=column.name, title=title, kind=next(kind for of, kind in _KINDS if isinstance(column.type, of)))


def plain(value: Any) -> Any:
    """A value as JSON has it: instants in UTC, words instead of enumerations."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case UUID():
            return str(value)
        case Enum():
            return value.value
        case _:
            return value


_KINDS: tuple[tuple[type, ColumnKind], ...] = (
    (UtcDateTime, ColumnKind.INSTANT),
    (Date, ColumnKind.DATE),
    (Boolean, ColumnKind.FLAG),
    (Integer, ColumnKind.COUNT),
    (Float, ColumnKind.NUMBER),
    (object, ColumnKind.TEXT),
)


def _is_text(column: Stored[Any]) -> bool:
    is_words = isinstance(column.type, String) and not isinstance(column.type, Enumeration)
    return is_words or isinstance(column.type, JSON)


# What may be kept of texts.


def _as_is(value: Any) -> Any:
    return value


def _nothing(_value: Any) -> None:
    return None


def _chips(value: Sequence[str]) -> list[str]:
    return [chip for chip in value if chip in CHIPS]


def _reason(value: str) -> str | None:
    return value if value in {"completed", "discharged"} else meaning(value)


def _numbers(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in value.items() if isinstance(one, int | float)}


def _tests(value: Mapping[str, Any]) -> dict[str, Any]:
    """A clinic's own tests are named by people."""
    return {name: one for name, one in _numbers(value).items() if name in MEASURES}


def _findings(value: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: one.get(name) for name in ("rule", "rule_version", "severity", "exercise")} for one in value]


def _before(value: Mapping[str, Any]) -> dict[str, Any]:
    """An earlier version of a session, as far as the session itself would be kept."""
    same = {"performed_at", "local_date", "received_at", "source", "done"}
    kept = _numbers(value) | {name: value[name] for name in same & value.keys()}
    kept |= {"reason": meaning(value.get("reason")), "chips": _chips(value.get("chips") or ())}
    entries = value.get("entries") or ()
    return kept | {
        "entries": [
            _numbers(one) | {"line_id": one["line_id"], "reason": meaning(one.get("reason"))} for one in entries
        ]
    }


# Whose a row is. Tables are searched with their clinic, always.


def _of_patient(table: Any) -> Callable[[Record], ColumnElement[bool]]:
    return lambda record: and_(table.clinic_id == record.clinic_id, table.patient_id == record.patient_id)


def _of_program(table: Any) -> Callable[[Record], ColumnElement[bool]]:
    return lambda record: and_(table.clinic_id == record.clinic_id, table.program_id.in_(record.programs))


def _of_account(table: Any) -> Callable[[Record], ColumnElement[bool]]:
    return lambda record: and_(table.clinic_id == record.clinic_id, table.account_id.in_(record.accounts))


def _themselves(record: Record) -> ColumnElement[bool]:
    return and_(Patient.clinic_id == record.clinic_id, Patient.id == record.patient_id)


def _accounts(record: Record) -> ColumnElement[bool]:
    return and_(Account.clinic_id == record.clinic_id, Account.id.in_(record.accounts))


def _tokens(record: Record) -> ColumnElement[bool]:
    theirs = select(SignIn.id).where(_of_account(SignIn)(record))
    return and_(Token.clinic_id == record.clinic_id, Token.sign_in_id.in_(theirs))


def _rejected(record: Record) -> ColumnElement[bool]:
    theirs = or_(
        RejectedSession.patient_id == record.patient_id,
        and_(RejectedSession.patient_id.is_(None), RejectedSession.account_id.in_(record.accounts)),
    )
    return and_(RejectedSession.clinic_id == record.clinic_id, theirs)


def _announced(record: Record) -> ColumnElement[bool]:
    about = Announcement.payload["patient_id"].as_string()
    return and_(Announcement.clinic_id == record.clinic_id, about == str(record.patient_id))


def _delivered(record: Record) -> ColumnElement[bool]:
    about = select(Announcement.id).where(_announced(record))
    return and_(Delivery.clinic_id == record.clinic_id, Delivery.announcement_id.in_(about))


PARTS: tuple[Part, ...] = (
    Part(
        table=Patient,
        says="You: names, birth date, how to reach you, what you have at home to exercise with",
        whose=_themselves,
        facts={"language": _as_is},
        tells_who=frozenset({"birth_date", "account_id"}),
    ),
    Part(
        table=Account,
        says="The logins: yours, and those of the people who may act for you",
        whose=_accounts,
        hidden=frozenset({"password_hash"}),
    ),
    Part(
        table=Proxy,
        says="The people who may or might act for you, and who agreed to it",
        whose=_of_patient(Proxy),
        facts={},
    ),
    Part(
        table=Consent,
        says="What you agreed to, to which text, and what you took back",
        whose=_of_patient(Consent),
        facts={"purpose": _as_is, "text_version": _as_is},
    ),
    Part(table=Invitation, says="Invitations of phones; the codes are not kept", whose=_of_patient(Invitation)),
    Part(table=Device, says="Phones that were signed in, and when they were last in touch", whose=_of_account(Device)),
    Part(table=SignIn, says="Every time a phone signed in, and why that ended", whose=_of_account(SignIn)),
    Part(
        table=Token,
        says="Keys of the sign-ins",
        whose=_tokens,
        untold="nothing but digests of keys and their times; the sign-ins say when",
    ),
    Part(
        table=Reply,
        says="Requests that were answered once",
        whose=_of_account(Reply),
        untold="digests of requests, so that none is done twice; what they made is told itself",
    ),
    Part(table=Contact, says="Days on which a phone of yours was in touch", whose=_of_patient(Contact)),
    Part(
        table=Condition,
        says="What you have or had",
        whose=_of_patient(Condition),
        facts={"code": _as_is, "side": _as_is},
    ),
    Part(
        table=Screening,
        says="Questions about warning signs, and your answers",
        whose=_of_patient(Screening),
        facts={"answers": _numbers},
    ),
    Part(
        table=Examination,
        says="What was measured and asked in the clinic",
        whose=_of_patient(Examination),
        facts={"tests": _tests},
    ),
    Part(
        table=Program,
        says="Your exercise programs",
        whose=lambda record: and_(Program.clinic_id == record.clinic_id, Program.patient_id == record.patient_id),
        facts={"protocol_slug": _as_is, "end_reason": _reason},
    ),
    Part(
        table=Revision, says="Each version of a program, and from when it held", whose=_of_program(Revision), facts={}
    ),
    Part(
        table=Phase, says="The stretches of a program, and the plan for flare days", whose=_of_program(Phase), facts={}
    ),
    Part(
        table=Item,
        says="The exercises of a program, and how much of each",
        whose=_of_program(Item),
        facts={"exercise_slug": _as_is, "care_slug": _as_is, "tempo": _as_is, "weekdays": _as_is},
    ),
    Part(table=Pause, says="Days on which nothing was expected of you", whose=_of_program(Pause), facts={}),
    Part(table=Flare, says="Flares you declared", whose=_of_program(Flare), facts={"joints": _as_is}),
    Part(
        table=Teaching,
        says="Exercises that were taught, and whether you showed them",
        whose=_of_program(Teaching),
        facts={},
    ),
    Part(
        table=SafetyCheck,
        says="What the safety rules said of a program, and what your therapist answered",
        whose=_of_program(SafetyCheck),
        facts={"findings": _findings},
    ),
    Part(
        table=Review,
        says="When your therapist looked at a program, and what was decided",
        whose=_of_program(Review),
        facts={},
    ),
    Part(
        table=CheckIn,
        says="Questions after your discharge, and your answers",
        whose=_of_patient(CheckIn),
        facts={"answers": _numbers},
    ),
    Part(
        table=SessionLog,
        says="The sessions you logged; one with `deleted_at` was taken back",
        whose=_of_patient(SessionLog),
        facts={"reason": _reason, "main_reason": _reason, "chips": _chips},
    ),
    Part(
        table=SessionEntry,
        says="The exercises of each session",
        whose=_of_patient(SessionEntry),
        facts={"reason": _reason},
    ),
    Part(
        table=SessionVersion,
        says="What a session said before it was changed or taken back",
        whose=_of_patient(SessionVersion),
        facts={"content": _before},
    ),
    Part(
        table=RejectedSession,
        says="What a phone sent that could not be accepted, as it was sent; kept for 90 days",
        whose=_rejected,
    ),
    Part(
        table=WeeklyAnswer,
        says="Your answers to the questions of each week",
        whose=_of_patient(WeeklyAnswer),
        facts={"answers": _numbers},
    ),
    Part(
        table=AnswerVersion,
        says="What you had answered before you changed it",
        whose=_of_patient(AnswerVersion),
        facts={"answer": _as_is, "answers": _numbers},
    ),
    Part(
        table=Measurement,
        says="Scores, one a day and measure",
        whose=_of_patient(Measurement),
        facts={"code": _as_is, "answer": _as_is},
    ),
    Part(
        table=ProgramStanding,
        says="How each program stood when it was last judged, and when that will change",
        whose=_of_program(ProgramStanding),
    ),
    Part(table=ProgramWeek, says="Each program by week, added up", whose=_of_program(ProgramWeek)),
    Part(
        table=Flag,
        says="What the clinic was made aware of, on what grounds, and what was done",
        whose=_of_patient(Flag),
        facts={"closed_because": _as_is},
    ),
    Part(table=Outreach, says="When the clinic tried to reach you", whose=_of_patient(Outreach), facts={}),
    Part(table=Announcement, says="What the clinic's own systems were told about you", whose=_announced),
    Part(table=Delivery, says="To whom that was sent, and what came of it", whose=_delivered),
)
"""In the order in which they are read."""

NOT_OF_PATIENTS: dict[str, str] = {
    "clinic": "the tenant itself",
    "own_protocol": "the clinic's templates",
    "webhook": "addresses of the clinic's own systems",
    "export": "the clinic's exports: what was asked for; their files are recalled when somebody is erased",
    "report_version": "counts of closed months, of nobody in particular",
    "kept_facts": "what is left of the erased, who have no copy to be given",
    "audit_event": "who did what, by ids alone: never erased, told by itself",
    "audit_head": "the end of the audit trail",
    "client": "other systems that were let in",
    "used_assertion": "what other systems signed in with",
    "second_factor": "of staff; patients sign in by their phone",
    "recovery_code": "of staff, as above",
    "password_link": "of staff, as above",
    "login": "e-mail addresses of staff; patients have none",
    "invitation_code": "digests of codes; removed with their invitations",
    "throttle": "digests of what was attempted, forgotten after minutes",
}
"""Tables that hold nothing of one patient, and why."""
