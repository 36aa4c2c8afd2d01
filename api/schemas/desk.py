"""What therapists do about flags, whom they tried to reach, and the record in order."""

from datetime import date
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from api.schemas.words import Answer, Day, Instant, Line, Note, Said
from models.adherence.kinds import FlagKind, Severity
from models.operations.handling import Event, FlagState, Handled, Known, is_acknowledged
from models.operations.outreach import Attempt, OutreachDraft
from models.operations.timeline import Entry, EntryKind, Mark
from models.tables import Channel, Flag, Reached


class WhoOut(Answer):
    """A member of staff."""

    id: UUID
    name: str | None


class DoneOut(Answer):
    """When something was done to a flag, and by whom."""

    at: AwareDatetime
    by: WhoOut


class ClosedOut(Answer):
    """How a flag was closed."""

    at: AwareDatetime
    because: str = Field(
        description="`handled, reached_agreed, not_a_problem, duplicate, referred_on, other` by hand; by itself"
        " `returned, late_data, plan_changed, paused, …`.",
        examples=["returned"],
    )
    by: WhoOut | None = Field(description="Null where it closed by itself.")
    note: str | None


class HappenedOut(Answer):
    """One event of a flag's life."""

    at: AwareDatetime
    event: Event
    severity: str | None = Field(description="Of an opening or a rise.")
    by: WhoOut | None
    until: AwareDatetime | None = Field(description="Of a snooze.")
    because: str | None
    note: str | None


class EarlierOut(Answer):
    """An earlier flag of the same kind."""

    id: UUID
    opened_at: AwareDatetime
    closed_at: AwareDatetime
    closed_because: str

    @classmethod
    def of(cls, flag: Flag) -> Self:
        assert flag.closed_at is not None  # only those that lived and closed are told
        return cls(
            id=flag.id, opened_at=flag.opens_at, closed_at=flag.closed_at, closed_because=flag.closed_because or ""
        )


class FlagOut(Answer):
    """A flag with everything that is known of it, and its life so far."""

    id: UUID
    kind: FlagKind
    patient_id: UUID
    program_id: UUID | None
    state: FlagState
    listed: bool = Field(description="Whether it is on the worklist now; a pause may keep an open flag off it.")
    severity: str = Field(examples=["high"], description="Now; of a closed flag, when it closed.")
    opens_at: AwareDatetime = Field(description="When it opened, or will.")
    rises_at: AwareDatetime | None
    rises_to: str | None
    expires_at: AwareDatetime | None
    evidence: dict[str, Any] = Field(description="What it rests on.")
    says: str = Field(description="The evidence in one plain sentence.")
    next_step: str = Field(description="A suggestion.")
    rule_version: int
    announced: str | None = Field(description="The highest severity the outside was told of.")
    is_acknowledged: bool = Field(description="Taken on, as grave as it is now.")
    acknowledged: DoneOut | None
    snoozed_until: AwareDatetime | None
    closed: ClosedOut | None
    history: list[HappenedOut]
    earlier: list[EarlierOut] = Field(description="Earlier flags of this kind, latest first.")
    version: int

    @classmethod
    def of(cls, known: Known, now: AwareDatetime) -> Self:
        flag = known.flag
        acknowledged = closed = None
        if flag.acknowledged_at is not None and flag.acknowledged_by is not None:
            who = WhoOut(id=flag.acknowledged_by, name=known.acknowledged_by_name)
            acknowledged = DoneOut(at=flag.acknowledged_at, by=who)
        if flag.closed_at is not None:
            by = WhoOut(id=flag.closed_by, name=known.closed_by_name) if flag.closed_by else None
            closed = ClosedOut(at=flag.closed_at, because=flag.closed_because or "", by=by, note=flag.closed_note)
        return cls(
            **{name: getattr(flag, name) for name in _AS_IT_IS},
            state=known.state,
            listed=known.is_listed,
            severity=known.severity.word,
            rises_to=None if flag.rises_to is None else Severity(flag.rises_to).word,
            says=known.says,
            next_step=known.next_step,
            announced=None if flag.announced is None else Severity(flag.announced).word,
            is_acknowledged=is_acknowledged(flag, now),
            acknowledged=acknowledged,
            closed=closed,
            history=[
                HappenedOut(
                    at=one.at,
                    event=one.event,
                    severity=one.severity.word if one.severity is not None else None,
                    by=WhoOut(id=one.by, name=one.by_name) if one.by else None,
                    until=one.until,
                    because=one.because,
                    note=one.note,
                )
                for one in known.history
            ],
            earlier=[EarlierOut.of(one) for one in known.earlier],
        )


_AS_IT_IS = (
    *("id", "kind", "patient_id", "program_id", "opens_at", "rises_at", "expires_at", "evidence", "rule_version"),
    *("snoozed_until", "version"),
)


class SnoozeIn(Said):
    """Until when a flag is put off: 7 days, 30 days, or a day at most 30 days ahead."""

    days: Literal[7, 30] | None = None
    until: Day | None = Field(default=None, description="The patient's day on which it is back.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.days is None) == (self.until is None):
            raise ValueError("say either days or until")
        return self


class CloseIn(Said):
    """Why a flag is closed."""

    because: Handled = Field(examples=["reached_agreed"])
    note: Note | None = Field(
        default=None,
        description="Needed for `other`; of a red flag or a fall: who saw the patient, and what was decided.",
    )


class OutreachIn(Said):
    """An attempt to reach a patient."""

    channel: Channel = Field(examples=["phone"])
    outcome: Reached = Field(examples=["reached_agreed"])
    at: Instant | None = Field(default=None, description="When; left out: now.")
    flag_id: UUID | None = Field(default=None, description="The flag it is about; an open one is acknowledged by it.")
    program_id: UUID | None = Field(default=None, description="Left out: the flag's.")
    next_step: Line | None = Field(default=None, examples=["Call again after work"])
    next_step_on: Day | None = None
    note: Note | None = None

    def as_draft(self) -> OutreachDraft:
        return OutreachDraft(**self.model_dump())


class OutreachOut(Answer):
    """An attempt to reach a patient, and what followed."""

    id: UUID
    patient_id: UUID
    program_id: UUID | None
    flag_id: UUID | None
    flag_kind: FlagKind | None
    at: AwareDatetime
    by: WhoOut
    channel: Channel
    outcome: Reached
    next_step: str | None
    next_step_on: date | None
    note: str | None
    returned: bool | None = Field(
        description="About a silence: whether a session dated after it came within 14 days. Null where it was about"
        " something else, or where it is too early to say no."
    )
    returned_on: date | None

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        made = attempt.outreach
        plain = (
            *("id", "patient_id", "program_id", "flag_id", "at", "channel", "outcome", "next_step", "next_step_on"),
            "note",
        )
        return cls(
            **{name: getattr(made, name) for name in plain},
            flag_kind=attempt.about,
            by=WhoOut(id=made.made_by, name=attempt.made_by_name),
            returned=attempt.returned,
            returned_on=attempt.first_session_on,
        )


class OutreachPage(Answer):
    """A page of the attempts to reach a patient, latest first."""

    items: list[OutreachOut]
    next: str | None = Field(description="Cursor of the next page.")


class EntryOut(Answer):
    """One thing that happened."""

    at: AwareDatetime
    kind: EntryKind
    says: str = Field(examples=["Did everything, pain 3 of 10, effort 4 of 10."])
    refs: dict[str, str] = Field(description="Ids to read on with.", examples=[{"session_id": "…"}])
    marks: list[Mark] = Field(description="What became of it afterwards, or how it came.")

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls(at=entry.at, kind=entry.kind, says=entry.says, refs=dict(entry.refs), marks=list(entry.marks))


class TimelinePage(Answer):
    """A page of a patient's record, latest first."""

    items: list[EntryOut]
    next: str | None = Field(description="Cursor of the next page.")
