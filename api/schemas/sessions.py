"""Sessions as they are said on the wire."""

import json
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from api.schemas.words import Answer, Code, Day, Flagged, Instant, Note, Said, Score, Zone, number, whole
from models.operations.sessions import EntryReport, Outcome, Result, SessionReport
from models.tables import DoneShare, SessionEntry, SessionLog, Source

EXT_BYTES = 2048


def _small(ext: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(ext, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise ValueError("must be plain JSON") from error
    if len(text.encode()) > EXT_BYTES or "\\u0000" in text or "\\ud" in text.lower():
        raise ValueError(f"must be at most {EXT_BYTES} bytes of JSON without broken characters")
    return ext


Ext = Annotated[dict[str, Any], AfterValidator(_small)]
"""Whatever a newer app wants kept."""


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
    performed_at: Instant
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
    chips: Annotated[list[Code], Field(max_length=30)] = Field(
        default=[], description="One-tap reports: fall, dizzy, not_sure, RF-01 …", examples=[["not_sure"]]
    )
    note: Note | None = None
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

    def as_report(self, session_id: UUID) -> SessionReport:
        said = self.model_dump(exclude={"entries"})
        return SessionReport(
            id=session_id, **said, entries=[EntryReport(**entry.model_dump()) for entry in self.entries]
        )


class SessionAnswer(Answer):
    """What became of a session that was sent."""

    id: UUID
    outcome: Outcome
    version: int
    advice: list[str] = Field(description="What to tell the patient now, gravest first.")
    safety_raised: bool = Field(description="Whether the clinic has been told of something that cannot wait.")

    @classmethod
    def of(cls, session_id: UUID, result: Result) -> "SessionAnswer":
        return cls(
            id=session_id,
            outcome=result.outcome,
            version=1,
            advice=list(result.advice),
            safety_raised=result.safety_raised,
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
    received_at: AwareDatetime
    source: Source
    done: DoneShare
    reason: str | None
    pain_before: int | None
    pain_during: int | None
    pain_after: int | None
    effort: int | None
    settled_by_morning: bool | None
    chips: list[str]
    note: str | None
    ext: dict[str, Any] | None
    low_trust: bool = Field(description="Back-dated by more than seven days.")
    version: int
    entries: list[EntryOut]

    @classmethod
    def of(cls, log: SessionLog, entries: list[SessionEntry]) -> "SessionOut":
        plain = {name: getattr(log, name) for name in cls.model_fields if name != "entries"}
        return cls(**plain, entries=[EntryOut.model_validate(entry) for entry in entries])


class SessionPage(Answer):
    """A page of a program's sessions, latest first."""

    items: list[SessionOut]
    next: str | None = Field(description="Cursor of the next page.")
