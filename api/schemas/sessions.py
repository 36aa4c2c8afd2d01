"""Sessions as they are said on the wire."""

import json
import re
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, model_validator

from api.schemas.words import Answer, Code, Day, Flagged, Note, PhoneInstant, Said, Score, Zone, number, whole
from models.operations.sessions import EntryReport, Held, Outcome, Result, SessionReport
from models.tables import DoneShare, Source

EXT_BYTES = 2048
BaseVersion = Annotated[int, whole(0, 1_000_000)]
"""The version of a session that a change rests on."""
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""A character no database keeps, as JSON writes it; after a backslash that is itself escaped it is only text."""


def _small(ext: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(ext, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (ValueError, RecursionError) as error:  # half a character cannot be encoded: that is a ValueError too
        raise ValueError("must be plain JSON without broken characters") from error
    if size > EXT_BYTES or _NUL.search(text):
        raise ValueError(f"must be at most {EXT_BYTES} bytes of JSON without broken characters")
    return ext


Ext = Annotated[dict[str, Any], AfterValidator(_small)]
"""Whatever a newer app wants kept."""


def _nothing(said: Any) -> Any:
    """An empty box is nothing said."""
    return None if isinstance(said, str) and not said.strip() else said


class EntryIn(Said):
    """What was done of one line. Leave out what was done as prescribed."""

    line_id: UUID
    sets: Annotated[int, whole(0, 50)] | None = None
    reps: Annotated[int, whole(0, 500)] | None = Field(default=None, description="Per set.")
    hold_seconds: Annotated[int, whole(0, 3600)] | None = None
    minutes: Annotated[float, number(0, 1440)] | None = Field(default=None, description="In all, over every set.")
    skipped: Flagged = False
    reason: Code | None = Field(default=None, examples=["no_time"])
    pain: Score | None = None
    not_sure: Flagged = False


class SessionIn(Said):
    """What a patient says after exercising, or instead. The phone makes the session's id."""

    program_id: UUID
    performed_at: PhoneInstant
    time_zone: Zone
    local_date: Day = Field(description="The patient's date at the time.")
    done: DoneShare = Field(description="All as prescribed, some, or none.")
    reason: Code | None = Field(
        default=None, description="Why not, where something was left out.", examples=["no_time"]
    )
    pain_before: Score | None = None
    pain_during: Score | None = Field(default=None, description="The worst of it, 0-10.")
    pain_after: Score | None = None
    effort: Score | None = Field(default=None, description="How hard it was, 0-10.")
    settled_by_morning: Flagged | None = Field(
        default=None, description="Was the pain after the last session back to usual by this morning?"
    )
    fatigue: Score | None = Field(default=None, description="Asked with rheumatoid arthritis or lupus.")
    stiffness_minutes: Annotated[int, whole(0, 1440)] | None = Field(
        default=None, description="Morning stiffness; asked with rheumatoid arthritis or lupus."
    )
    spread_to: Code | None = Field(default=None, description="How far down the limb the pain went.", examples=["knee"])
    chips: Annotated[list[Code], Field(max_length=30)] = Field(
        default=[], description="One-tap reports: fall, dizzy, not_sure, RF-01 …", examples=[["not_sure"]]
    )
    note: Annotated[Note | None, BeforeValidator(_nothing)] = None
    entries: Annotated[list[EntryIn], Field(max_length=60)] = Field(default=[])
    ext: Ext | None = Field(
        default=None, description="Whatever a newer app wants kept: at most 2 KiB, returned unchanged."
    )

    @model_validator(mode="after")
    def _consistent(self) -> "SessionIn":
        lines = [entry.line_id for entry in self.entries]
        if len(set(lines)) != len(lines):
            raise ValueError("a line has more than one entry")
        if self.done is DoneShare.NONE and any(not entry.skipped for entry in self.entries):
            raise ValueError("a session of which nothing was done has no entries but skipped ones")
        return self

    def as_report(self, session_id: UUID, base_version: int | None = None) -> SessionReport:
        said = self.model_dump(exclude={"entries"}, include=set(SessionIn.model_fields))
        return SessionReport(
            id=session_id,
            base_version=base_version,
            **said,
            entries=[EntryReport(**entry.model_dump()) for entry in self.entries],
        )


class SessionPut(SessionIn):
    """A session, and what the phone knows of it."""

    base_version: BaseVersion | None = Field(
        default=None, description="The version it changes; left out, it is said for the first time."
    )
    client_sent_at: PhoneInstant | None = Field(
        default=None, description="What the phone's clock shows as it sends: a wrong clock is corrected by it."
    )


class EntryOut(Answer):
    """What was done of one line; amounts left out were done as prescribed."""

    line_id: UUID
    sets: int | None
    reps: int | None
    hold_seconds: int | None
    minutes: float | None
    skipped: bool
    reason: str | None
    pain: int | None
    not_sure: bool


class SessionOut(Answer):
    """A logged session."""

    id: UUID
    program_id: UUID
    performed_at: AwareDatetime
    time_zone: str
    local_date: date
    said_performed_at: AwareDatetime | None = Field(
        description="As the phone said it, where its clock was wrong and that was corrected."
    )
    said_local_date: date | None
    received_at: AwareDatetime = Field(description="When it first came.")
    changed_at: AwareDatetime = Field(description="When this version came.")
    source: Source
    done: DoneShare
    reason: str | None
    pain_before: int | None
    pain_during: int | None
    pain_after: int | None
    effort: int | None
    settled_by_morning: bool | None
    fatigue: int | None
    stiffness_minutes: int | None
    spread_to: str | None
    chips: list[str]
    note: str | None
    ext: dict[str, Any] | None
    low_trust: bool = Field(description="Back-dated by more than seven days.")
    version: int
    deleted_at: AwareDatetime | None = Field(description="Set: it was taken back, and this is its tombstone.")
    entries: list[EntryOut]

    @classmethod
    def of(cls, held: Held) -> "SessionOut":
        plain = {name: getattr(held.log, name) for name in cls.model_fields if name != "entries"}
        return cls(**plain, entries=[EntryOut.model_validate(entry) for entry in held.entries])


class SessionAnswer(Answer):
    """What became of a session that was sent."""

    id: UUID
    outcome: Outcome
    version: int
    advice: list[str] = Field(description="What to tell the patient now, gravest first.")
    safety_raised: bool = Field(description="Whether the clinic has been told of something that cannot wait.")
    session: SessionOut | None = Field(description="The clinic's copy, where it is not what was said.")

    @classmethod
    def of(cls, session_id: UUID, result: Result) -> "SessionAnswer":
        assert result.version is not None  # only what is stored is answered so
        return cls(
            id=session_id,
            outcome=result.outcome,
            version=result.version,
            advice=list(result.advice),
            safety_raised=result.safety_raised,
            session=SessionOut.of(result.held) if result.held else None,
        )


class SessionPage(Answer):
    """A page of a program's sessions, latest first."""

    items: list[SessionOut]
    next: str | None = Field(description="Cursor of the next page.")
