"""A phone's queue, what is new for it, and its first screen."""

import json
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, SkipValidation, TypeAdapter, WithJsonSchema

from api.schemas.agenda import AgendaItemOut
from api.schemas.exercises import ExerciseOut
from api.schemas.measures import QuestionsOut
from api.schemas.programs import ProgramOut, RevisionOut
from api.schemas.sessions import BaseVersion, SessionIn, SessionOut, SessionPut
from api.schemas.words import Answer, PhoneInstant, Said
from models.adherence.wording import OWN_WORDS
from models.operations.agenda import Why
from models.operations.feed import Pulled
from models.operations.notices import Caution, Notice, NoticeKind
from models.operations.sessions import Deletion, Item, Outcome, Result
from models.operations.sync import Pushed
from models.operations.today import ProgramToday, Today
from models.safety.red_flags import FIRST_SCREEN_CHIPS
from models.tables import PauseReason


class PutItem(Said):
    """A session to log, or to change."""

    op: Literal["put"]
    id: UUID = Field(description="Made by the phone, once and for all.")
    base_version: BaseVersion | None = Field(
        default=None, description="The version it changes; left out, it is said for the first time."
    )
    session: SessionIn

    def as_item(self) -> Item:
        return self.session.as_report(self.id, self.base_version)


class DeleteItem(Said):
    """A session to take back."""

    op: Literal["delete"]
    id: UUID
    base_version: BaseVersion = Field(description="The version that is taken back.")
    program_id: UUID | None = Field(default=None, description="Whose session it is; only staff must say.")

    def as_item(self) -> Item:
        return Deletion(id=self.id, base_version=self.base_version, program_id=self.program_id)


QueueItem: TypeAdapter[PutItem | DeleteItem] = TypeAdapter(Annotated[PutItem | DeleteItem, Field(discriminator="op")])


class PushIn(Said):
    """What waits in a phone's queue, oldest first."""

    client_sent_at: PhoneInstant | None = Field(
        default=None, description="What the phone's clock shows as it sends: a wrong clock is corrected by it."
    )
    items: list[SkipValidation[Annotated[PutItem | DeleteItem, Field(discriminator="op")]]] = Field(
        description="Up to 200, each read by itself: a bad one never harms its neighbours."
    )


def pushed(said: Any, item: PutItem | DeleteItem | None) -> Pushed:
    """An item as the house takes it: as read, and as it was sent."""
    fields = said if isinstance(said, dict) else {}
    return Pushed(
        item=item.as_item() if item else None,
        session_id=item.id if item else _uuid(fields.get("id")),
        raw=json.dumps(said),
        said=fields.get("session", said),
    )


def _uuid(said: object) -> UUID | None:
    try:
        return UUID(said) if isinstance(said, str) else None
    except ValueError:
        return None


def kept_item(session_id: UUID, body: str) -> Item | None:
    """What a kept body says, if it can be read by now: an item of a push, or the body of a PUT."""
    try:
        said = json.loads(body)
        if isinstance(said, dict) and "op" in said:
            return QueueItem.validate_python(said).as_item()
        put = SessionPut.model_validate(said)
    except ValueError:
        return None
    return put.as_report(session_id, put.base_version)


_PROBLEM = WithJsonSchema({"anyOf": [{"$ref": "#/components/schemas/Problem"}, {"type": "null"}]})


class ItemOut(Answer):
    """The one outcome of one item."""

    id: UUID | None = Field(description="Null: the item named none that can be read.")
    outcome: Outcome
    version: int | None = Field(description="The version the clinic holds now.")
    retryable: bool = Field(description="True: keep it queued and send it again, as it is, later.")
    advice: list[str] = Field(description="What to tell the patient now, gravest first.")
    safety_raised: bool = Field(description="Whether the clinic has been told of something that cannot wait.")
    session: SessionOut | None = Field(description="The clinic's copy, where it is not what was said.")
    problem: Annotated[dict[str, Any] | None, _PROBLEM] = Field(
        description="Why it was refused, as a problem (RFC 9457); its body is kept by the clinic."
    )

    @classmethod
    def of(cls, session_id: UUID | None, result: Result, problem: dict[str, Any] | None) -> "ItemOut":
        return cls(
            id=session_id,
            outcome=result.outcome,
            version=result.version,
            retryable=result.retryable,
            advice=list(result.advice),
            safety_raised=result.safety_raised,
            session=SessionOut.of(result.held) if result.held else None,
            problem=problem,
        )


class PushOut(Answer):
    """One result per item, in order."""

    received_at: AwareDatetime
    results: list[ItemOut]


class NoticeOut(Answer):
    """Something to show once."""

    id: str = Field(description="Stays the same: a phone knows which it has shown.")
    kind: NoticeKind
    program_id: UUID
    at: AwareDatetime
    title: str
    lines: list[str]

    @classmethod
    def of(cls, notice: Notice) -> "NoticeOut":
        return cls.model_validate(notice)


class PulledProgram(ProgramOut):
    """A program that changed, whole, with what is to come: an offline phone turns the page by itself."""

    coming: list[RevisionOut] = Field(description="Revisions that take effect later, whole.")


class TombstoneOut(Answer):
    """A session that was taken back."""

    id: UUID
    program_id: UUID
    version: int
    deleted_at: AwareDatetime


class SafetyOut(Answer):
    """What stands between the patient and the exercises."""

    locked: bool = Field(description="True: show the advice instead of the exercises; no praise, no reminders.")
    advice: list[str] = Field(description="What to do now, gravest first.")

    @classmethod
    def of(cls, caution: Caution | None) -> "SafetyOut":
        return cls(locked=caution is not None and caution.is_locked, advice=list(caution.advice) if caution else [])


class PullOut(Answer):
    """What is new since the cursor."""

    as_of: AwareDatetime
    time_zone: str = Field(description="Where the patient lives: its midnights end their days.")
    programs: list[PulledProgram]
    exercises: list[ExerciseOut] = Field(description="What the changed programs name.")
    sessions: list[SessionOut] = Field(
        description="Created or changed on any phone or by the clinic, in order; one's own come back too."
    )
    tombstones: list[TombstoneOut]
    messages: list[NoticeOut]
    safety: SafetyOut = Field(description="As it stands now, with every pull.")
    cursor: str = Field(description="Pull with it next time. It is opaque, and only this patient's.")
    has_more: bool = Field(description="True: pull again at once.")

    @classmethod
    def of(cls, pulled: Pulled, now: AwareDatetime) -> "PullOut":
        programs = []
        for course in pulled.programs:
            today = course.local_today(now)
            key = course.program.id, course.revision_on(today, now).number
            shown = ProgramOut.of(course, now, advice=pulled.advice.get(key))
            coming = [
                RevisionOut.of(course, one, pulled.advice.get((course.program.id, one.number), {}))
                for one in course.upcoming(today, now)
            ]
            programs.append(PulledProgram(**shown.model_dump(), coming=coming))
        return cls(
            as_of=now,
            time_zone=pulled.patient.time_zone,
            programs=programs,
            exercises=[ExerciseOut.of(one) for one in pulled.exercises],
            sessions=[SessionOut.of(one) for one in pulled.sessions if one.log.deleted_at is None],
            tombstones=[
                TombstoneOut.model_validate(one.log) for one in pulled.sessions if one.log.deleted_at is not None
            ],
            messages=[NoticeOut.of(one) for one in pulled.notices],
            safety=SafetyOut.of(pulled.caution),
            cursor=pulled.cursor,
            has_more=pulled.has_more,
        )


class DueOut(AgendaItemOut):
    """One line of today."""

    pain_limit: int = Field(description="Pain allowed during it, 0-10; above that it is stopped.")
    advice: list[str] = Field(description="What this patient minds with it.")
    exercise_url: str | None = Field(description="How it is done; pulled with the program for use without a network.")
    figure_url: str | None = Field(description="Its drawing; null while it has none.")


class ProgramTodayOut(Answer):
    """One running program as it is today."""

    id: UUID
    title: str
    goal: str | None
    version: int
    why: Why = Field(description="A phase, the flare plan, a pause; or nothing, and why not.")
    phase: str | None
    pause_reason: PauseReason | None
    items: list[DueOut] = Field(description="What is due now, what may be done this week, what is there when needed.")
    sessions_today: int
    week_done: int = Field(description="Days with exercise since Monday.")
    week_expected: int = Field(description="Session days asked for from Monday to Sunday.")
    next_on: date | None = Field(description="The next day with something left to do; today's date: today.")

    @classmethod
    def of(cls, one: ProgramToday, *, locked: bool) -> "ProgramTodayOut":
        program = one.course.program
        return cls(
            id=program.id,
            title=program.title,
            goal=program.goal,
            version=program.version,
            why=one.day.why,
            phase=one.day.phase,
            pause_reason=one.day.pause_reason,
            items=[]
            if locked
            else [
                DueOut(
                    **AgendaItemOut.of(item).model_dump(),
                    pain_limit=item.item.pain_limit,
                    advice=list(one.advice.get(item.item.line_id, ())),
                    exercise_url=f"/v1/exercises/{item.item.exercise_slug}" if item.item.exercise_slug else None,
                    figure_url=None,
                )
                for item in one.day.items
            ],
            sessions_today=one.sessions_today,
            week_done=one.week_done,
            week_expected=one.week_expected,
            next_on=None if locked else one.next_on,
        )


class ChoiceWord(Answer):
    """One thing to tap."""

    code: str
    text: str


class AskOut(Answer):
    """What the log asks, ready to show."""

    settled_since: UUID | None = Field(
        description="Yesterday's session, if it is to be asked: back to usual by this morning?"
    )
    chips: list[ChoiceWord]
    reasons: list[ChoiceWord]


class TodayOut(Answer):
    """A phone's first screen."""

    as_of: AwareDatetime
    day: date
    time_zone: str
    given_name: str
    safety: SafetyOut
    programs: list[ProgramTodayOut]
    streak_weeks: int = Field(
        description="Weeks in a row with at least one session. Shown when it is 2 or more; never when it breaks."
    )
    ask: AskOut
    messages: list[NoticeOut] = Field(description="News of the last 14 days; show each once, by its id.")
    questions: QuestionsOut = Field(description="Check-ins and weekly questions to ask today.")

    @classmethod
    def of(cls, today: Today, now: AwareDatetime) -> "TodayOut":
        caution = today.caution
        safety = SafetyOut.of(caution)
        return cls(
            as_of=now,
            day=today.day,
            time_zone=today.patient.time_zone,
            given_name=today.patient.given_name,
            safety=safety,
            programs=[ProgramTodayOut.of(one, locked=safety.locked) for one in today.programs],
            streak_weeks=0 if safety.locked else today.streak_weeks,
            ask=AskOut(
                settled_since=today.settled_since,
                chips=[ChoiceWord(code=code, text=text) for code, text in FIRST_SCREEN_CHIPS.items()],
                reasons=[ChoiceWord(code=code, text=text) for code, text in OWN_WORDS.items()],
            ),
            messages=[NoticeOut.of(one) for one in today.notices],
            questions=QuestionsOut.of(today.due),
        )
