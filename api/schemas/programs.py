"""Programs, their phases, items and dosages."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from api.schemas.safety import AnswersIn, DecisionOut, FindingOut
from api.schemas.words import Answer, Code, Flagged, Line, Note, ProgramDay, Said, Slug, number, whole
from models.adherence.kinds import Reason
from models.operations.courses import Course, dosage_of, last_day, last_flare_day, slug_of
from models.operations.prescribing import Adaptation, Flare, ItemDraft, PhaseDraft, ProgramDraft, RevisionDraft
from models.operations.programs import Listed
from models.operations.protocols import CHECK_IN_MONTHS
from models.prescription.changes import changes
from models.prescription.dosage import Dosage, Side, dosage_from, text
from models.safety.conditions import JOINTS
from models.safety.red_flags import FLARE_ADVICE
from models.tables import (
    Deed,
    Flare as FlareDays,
    Item,
    Pause,
    PauseReason,
    Phase,
    PhaseKind,
    ProgramStatus,
    ProgramType,
    Revision,
    TeachBack,
)

Joint = Literal[JOINTS]  # type: ignore[valid-type]  # the vocabulary says which
_FREQUENCIES = ("days_per_week", "weekdays", "every_n_days", "as_needed_max_per_day")


class DosageIn(Said):
    """How much and how often. Exactly one frequency; an amount that is missing the safety check asks for (R-30)."""

    sets: Annotated[int, whole(1, 6)] | None = Field(default=None, examples=[3])
    reps: Annotated[int, whole(1, 30)] | None = Field(default=None, examples=[10])
    hold_seconds: Annotated[int, whole(1, 60)] | None = None
    tempo: Annotated[list[Annotated[int, whole(0, 10)]], Field(min_length=4, max_length=4)] | None = Field(
        default=None, description="Seconds up, hold, down, rest."
    )
    rest_seconds: Annotated[int, whole(0, 180)] | None = None
    duration_minutes: Annotated[float, number(0.5, 90)] | None = Field(default=None, description="Per set or bout.")
    distance_m: Annotated[int, whole(10, 20_000)] | None = None
    load_kg: Annotated[float, number(0.25, 60)] | None = None
    band: Code | None = Field(default=None, examples=["red"])
    rpe_target: Annotated[int, whole(0, 8)] | None = Field(default=None, description="Effort 0-10 to aim at.")
    pain_limit: Annotated[int, whole(0, 10)] = Field(default=5, description="Stop or adapt above it.")
    sessions_per_day: Annotated[int, whole(1, 8)] = 1
    days_per_week: Annotated[int, whole(1, 7)] | None = Field(default=None, examples=[3])
    weekdays: Annotated[list[Annotated[int, whole(0, 6)]], Field(min_length=1, max_length=7)] | None = Field(
        default=None, description="Monday is 0."
    )
    every_n_days: Annotated[int, whole(2, 30)] | None = None
    as_needed_max_per_day: Annotated[int, whole(1, 8)] | None = Field(
        default=None, description="Logged when done, never expected."
    )

    @model_validator(mode="after")
    def _one_frequency(self) -> "DosageIn":
        if sum(getattr(self, name) is not None for name in _FREQUENCIES) != 1:
            raise ValueError(f"say exactly one frequency: {', '.join(_FREQUENCIES)}")
        if self.weekdays is not None and len(set(self.weekdays)) != len(self.weekdays):
            raise ValueError("weekdays repeat")
        return self

    def as_dosage(self) -> Dosage:
        return dosage_from(self.model_dump())


class DosageOut(Answer):
    """How much and how often."""

    sets: int | None = None
    reps: int | None = None
    hold_seconds: int | None = None
    tempo: list[int] | None = None
    rest_seconds: int | None = None
    duration_minutes: float | None = None
    distance_m: int | None = None
    load_kg: float | None = None
    band: str | None = None
    rpe_target: int | None = None
    pain_limit: int = 5
    sessions_per_day: int = 1
    days_per_week: int | None = None
    weekdays: list[int] | None = None
    every_n_days: int | None = None
    as_needed_max_per_day: int | None = None


class ItemIn(Said):
    """One exercise, or one care item (heat, breaks, advice), with its dosage."""

    exercise: Slug | None = Field(default=None, examples=["bird-dog"])
    care: Slug | None = Field(default=None, description="Instead of an exercise: something to tick, never exercise.")
    dosage: DosageIn = Field(examples=[{"sets": 3, "reps": 10, "days_per_week": 3}])
    side: Side | None = Field(default=None, description="Required, by the safety check, where it is one-sided.")
    goal: Line | None = Field(default=None, description="Why: shown to the patient.", examples=["core_strength"])
    line_id: UUID | None = Field(
        default=None, description="In a revision: the line it continues; left out, the same thing in the same phase."
    )

    @model_validator(mode="after")
    def _one_thing(self) -> "ItemIn":
        if (self.exercise is None) == (self.care is None):
            raise ValueError("say either an exercise or a care item")
        return self

    def as_draft(self) -> ItemDraft:
        return ItemDraft(
            exercise=self.exercise,
            care=self.care,
            dosage=self.dosage.as_dosage(),
            side=self.side,
            goal=self.goal,
            line_id=self.line_id,
        )


class PhaseIn(Said):
    """Items from one day of the program to another, counted from 1."""

    label: Line = Field(examples=["Weeks 1-4"])
    from_day: Annotated[int, whole(1, 3650)] = Field(default=1, examples=[1])
    to_day: Annotated[int, whole(1, 3650)] | None = Field(
        default=None, description="Left out: until the program is revised or ends."
    )
    items: Annotated[list[ItemIn], Field(min_length=1, max_length=40)]

    def as_draft(self) -> PhaseDraft:
        return PhaseDraft(
            label=self.label,
            from_day=self.from_day,
            to_day=self.to_day,
            items=[item.as_draft() for item in self.items],
        )


class AdaptationIn(Said):
    """One change to a protocol on the way: what is said replaces what the protocol says."""

    exercise: Slug = Field(description="The protocol's exercise, or care item.", examples=["modified-curl-up"])
    phase: Line | None = Field(default=None, description="Label of one phase; left out: wherever it stands.")
    remove: Flagged = False
    instead: Slug | None = Field(default=None, description="The exercise that takes its place.")
    dosage: DosageIn | None = None
    side: Side | None = None
    goal: Line | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "AdaptationIn":
        if not (self.remove or self.instead or self.dosage or self.side or self.goal):
            raise ValueError("say what to change: remove, instead, dosage, side or goal")
        return self

    def as_draft(self) -> Adaptation:
        return Adaptation(
            exercise=self.exercise,
            phase=self.phase,
            remove=self.remove,
            instead=self.instead,
            dosage=self.dosage.as_dosage() if self.dosage else None,
            side=self.side,
            goal=self.goal,
        )


class FlareIn(Said):
    """The plan for flare days, authorised in advance: items of your own, or a protocol's first phase."""

    items: Annotated[list[ItemIn], Field(max_length=20)] = Field(default=[])
    protocol: Slug | None = Field(default=None, examples=["ra-flare-day"])

    @model_validator(mode="after")
    def _one_source(self) -> "FlareIn":
        if (self.protocol is None) == (not self.items):
            raise ValueError("say either a protocol or items")
        return self

    def as_draft(self) -> Flare:
        return Flare(items=[item.as_draft() for item in self.items], protocol=self.protocol)


class ProgramIn(Said):
    """A prescription: a protocol, adapted or as it stands, or phases of your own."""

    type: ProgramType = ProgramType.PRESCRIBED
    title: Line | None = None
    starts_on: ProgramDay | None = Field(default=None, description="Today, where the patient lives, if left out.")
    goal: Line | None = Field(default=None, examples=["Walk to work without pain"])
    note: Note | None = None
    protocol: Slug | None = Field(default=None, examples=["chronic-lbp-core-stabilisation"])
    adapt: Annotated[list[AdaptationIn], Field(max_length=60)] = Field(
        default=[], description="Changes to the protocol's items."
    )
    phases: Annotated[list[PhaseIn], Field(max_length=12)] = Field(
        default=[], description="Beside a protocol: items to add to its phases of the same label."
    )
    flare: FlareIn | None = None
    review_due_on: ProgramDay | None = Field(
        default=None, description="When it is looked at again: in four weeks if left out; maintenance has check-ins."
    )
    previous_program_id: UUID | None = Field(
        default=None, description="The episode before; the patient's last program if left out."
    )

    @model_validator(mode="after")
    def _one_source(self) -> "ProgramIn":
        _check_source(self.protocol, self.phases, self.adapt)
        return self

    def as_draft(self) -> ProgramDraft:
        return ProgramDraft(
            type=self.type,
            title=self.title,
            starts_on=self.starts_on,
            goal=self.goal,
            note=self.note,
            protocol=self.protocol,
            adapt=[change.as_draft() for change in self.adapt],
            phases=[phase.as_draft() for phase in self.phases],
            flare=self.flare.as_draft() if self.flare else None,
            review_due_on=self.review_due_on,
            previous_program_id=self.previous_program_id,
        )


def _check_source(protocol: str | None, phases: list["PhaseIn"], adapt: list[AdaptationIn]) -> None:
    if protocol is None and not phases:
        raise ValueError("say either a protocol or phases")
    if protocol is None and adapt:
        raise ValueError("only a protocol is adapted")


class ProposalIn(Said):
    """A whole prescription as it is proposed: what a check can be asked about before it is written."""

    phases: Annotated[list[PhaseIn], Field(min_length=1, max_length=12)]
    flare: FlareIn | None = None

    def as_draft(self) -> RevisionDraft:
        return RevisionDraft(
            phases=[phase.as_draft() for phase in self.phases],
            flare=self.flare.as_draft() if self.flare else None,
            keeps_flare="flare" not in self.model_fields_set,
        )


class RevisionIn(AnswersIn):
    """The whole prescription as it shall be from a day on, with the answers to the safety check."""

    phases: Annotated[list[PhaseIn], Field(min_length=1, max_length=12)]
    flare: FlareIn | None = Field(
        default=None, description="Left out, it stays; null: no plan for flare days any more."
    )
    effective_on: ProgramDay | None = Field(
        default=None, description="Today, where the patient lives, if left out; never a past day."
    )
    note: Note | None = Field(default=None, examples=["Easier side plank while the shoulder settles"])

    def as_draft(self) -> RevisionDraft:
        return RevisionDraft(
            phases=[phase.as_draft() for phase in self.phases],
            flare=self.flare.as_draft() if self.flare else None,
            keeps_flare="flare" not in self.model_fields_set,
            effective_on=self.effective_on,
            note=self.note,
        )


class ItemOut(Answer):
    """One line of a prescription."""

    line_id: UUID = Field(description="Stays the same from revision to revision; entries name it.")
    exercise: str | None
    care: str | None = Field(description="Instead of an exercise: something to tick that is never active exercise.")
    name: str
    side: Side | None
    goal: str | None
    text: str = Field(
        description="The dosage as people read it.", examples=["3 × 10, hold 5 s, each side; twice a day, Mon Wed Fri"]
    )
    dosage: DosageOut
    advice: list[str] = Field(default=[], description="What this patient minds with this item.")


class PhaseOut(Answer):
    """A stretch of the program's days."""

    label: str
    from_day: int
    to_day: int | None
    items: list[ItemOut]

    @classmethod
    def of(cls, phase: Phase, items: list[Item], course: Course, advice: Mapping[UUID, list[str]]) -> "PhaseOut":
        return cls(
            label=phase.label,
            from_day=phase.from_day,
            to_day=phase.to_day,
            items=[_item(item, course.names[slug_of(item)], advice) for item in items],
        )


class RevisionOut(Answer):
    """One immutable version of the prescription."""

    number: int
    effective_on: date
    author_id: UUID
    created_at: AwareDatetime
    note: str | None
    changes: list[str] = Field(
        description="What it changed, as the patient is told.", examples=[["Bird dog: 2 → 3 sets", "Cat-camel removed"]]
    )
    phases: list[PhaseOut]
    flare: PhaseOut | None = Field(description="The plan for flare days, if one is authorised.")

    @classmethod
    def of(
        cls, course: Course, revision: Revision, advice: Mapping[UUID, list[str]], *, since: int | None = None
    ) -> "RevisionOut":
        """`since`: the first revision the reader may know of; in a program, the first the patient was given."""
        phases = [
            (phase.kind, PhaseOut.of(phase, items, course, advice))
            for phase, items in course.phases_of(revision.number)
        ]
        base = course.base_of(revision.number)
        before = base if base and base >= (since or course.first_seen) else None
        return cls(
            number=revision.number,
            effective_on=revision.effective_on,
            author_id=revision.author_id,
            created_at=revision.created_at,
            note=revision.note,
            changes=changes(course.prescribed(before), course.prescribed(revision.number)) if before else [],
            phases=[phase for kind, phase in phases if kind is PhaseKind.COURSE],
            flare=next((phase for kind, phase in phases if kind is PhaseKind.FLARE), None),
        )


class RevisionPage(Answer):
    """A page of a program's revisions, latest first."""

    items: list[RevisionOut]
    next: str | None = Field(description="Cursor of the next page.")


class UpcomingOut(Answer):
    """A revision that is written and not yet in force."""

    number: int
    effective_on: date
    note: str | None
    changes: list[str]


class PauseOut(Answer):
    """Days, both included, on which nothing is expected."""

    id: UUID
    from_on: date
    to_on: date = Field(description="The last day it holds, or held if it was ended early.")
    reason: PauseReason
    lifted_on: date | None = Field(description="The first day it no longer holds, where it was ended early.")
    created_at: AwareDatetime

    @classmethod
    def of(cls, pause: Pause, as_of: datetime | None = None) -> "PauseOut":
        lifted = pause.lifted_at is not None and (as_of is None or pause.lifted_at <= as_of)
        return cls(
            id=pause.id,
            from_on=pause.from_on,
            to_on=max(last_day(pause, as_of), pause.from_on),
            reason=pause.reason,
            lifted_on=pause.lifted_on if lifted else None,
            created_at=pause.created_at,
        )


class FlareDaysOut(Answer):
    """Days, both included, on which the plan for flare days stands in for the course."""

    id: UUID
    from_on: date
    to_on: date = Field(description="The last flare day.")
    joints: list[str]
    note: str | None
    created_at: AwareDatetime
    advice: list[str] = Field(default=list(FLARE_ADVICE), description="What to tell the patient.")

    @classmethod
    def of(cls, flare: FlareDays, as_of: datetime | None = None) -> "FlareDaysOut":
        return cls.model_validate(flare).model_copy(update={"to_on": last_flare_day(flare, as_of)})


class ProgramBrief(Answer):
    """A program in a list."""

    id: UUID
    patient_id: UUID
    type: ProgramType
    status: ProgramStatus
    title: str
    protocol: str | None
    protocol_version: int | None
    goal: str | None
    starts_on: date
    review_due_on: date | None
    ended_on: date | None
    end_reason: str | None
    end_note: str | None
    previous_program_id: UUID | None
    version: int

    @classmethod
    def listed(cls, listed: Listed) -> "ProgramBrief":
        return ProgramBrief.model_validate(_brief(listed))


class ProgramPage(Answer):
    """A patient's programs, latest first."""

    items: list[ProgramBrief]


class ProgramOut(ProgramBrief):
    """A program with the prescription in force."""

    revision: RevisionOut
    upcoming: list[UpcomingOut] = Field(description="Revisions that take effect later.")
    pauses: list[PauseOut]
    flares: list[FlareDaysOut]

    @classmethod
    def of(
        cls,
        course: Course,
        now: datetime,
        *,
        as_of: datetime | None = None,
        advice: Mapping[UUID, list[str]] | None = None,
    ) -> "ProgramOut":
        moment = min(as_of or now, now)
        today = course.local_today(moment)
        revision = course.revision_on(today, moment)
        listed = Listed(program=course.program, status=course.status(moment))
        return cls.model_validate(
            {
                **_brief(listed, moment),
                "revision": RevisionOut.of(course, revision, advice or {}),
                "upcoming": [
                    UpcomingOut(
                        number=one.number,
                        effective_on=one.effective_on,
                        note=one.note,
                        changes=changes(course.prescribed(revision.number), course.prescribed(one.number)),
                    )
                    for one in course.upcoming(today, moment)
                ],
                "pauses": [PauseOut.of(pause, moment) for pause in course.pauses if pause.created_at <= moment],
                "flares": [FlareDaysOut.of(one, moment) for one in course.flares if one.created_at <= moment],
            }
        )


def _brief(listed: Listed, as_of: datetime | None = None) -> dict[str, Any]:
    program = listed.program
    over = program.ended_at is not None and (as_of is None or program.ended_at <= as_of)
    plain = {name: getattr(program, name) for name in ProgramBrief.model_fields if name not in {"status", "protocol"}}
    unsaid = {} if over else dict.fromkeys(("ended_on", "end_reason", "end_note"))
    return plain | unsaid | {"status": listed.status, "protocol": program.protocol_slug or program.own_protocol_slug}


class PauseIn(Said):
    """A stretch of days to expect nothing on."""

    from_on: ProgramDay
    to_on: ProgramDay = Field(description="The last day; a pause always ends.", examples=["2026-03-14"])
    reason: PauseReason


class FlareDaysIn(Said):
    """The patient switches to the plan for flare days."""

    from_on: ProgramDay | None = Field(default=None, description="Today, where the patient lives, if left out.")
    to_on: ProgramDay | None = Field(default=None, description="The last day; only that one day if left out.")
    joints: Annotated[list[Joint], Field(max_length=10)] = Field(default=[], examples=[["knee"]])
    note: Note | None = None


class ReviewIn(Said):
    """A therapist looked at the program and decided how it goes on."""

    note: Note | None = Field(default=None, examples=["Pain down by 3; progress to Endurance."])
    next_review_on: ProgramDay | None = Field(default=None, description="In four weeks, if left out.")


class ReviewOut(Answer):
    """A recorded review."""

    id: UUID
    reviewed_by: UUID
    reviewed_at: AwareDatetime
    note: str | None
    next_review_on: date | None


class ReviewPage(Answer):
    """A program's reviews, latest first."""

    items: list[ReviewOut]


class TaughtIn(Said):
    """One exercise that was taught."""

    line_id: UUID
    teach_back: TeachBack = Field(description="Whether the patient showed it back.", examples=["shown"])


class TeachingIn(Said):
    """Exercises taught in person."""

    lines: Annotated[list[TaughtIn], Field(min_length=1, max_length=60)]
    taught_on: ProgramDay | None = Field(default=None, description="Today, if left out.")


class TaughtOut(Answer):
    """One exercise that was taught."""

    line_id: UUID
    taught_on: date
    teach_back: TeachBack
    taught_by: UUID
    created_at: AwareDatetime


class TeachingPage(Answer):
    """What was taught of a program, latest first."""

    items: list[TaughtOut]


class DischargeIn(AnswersIn):
    """How care goes on after the program. Without maintenance, or without a check-in, R-24 blocks."""

    maintenance: "MaintenanceIn | None" = None
    check_in_months: Annotated[list[Annotated[int, whole(1, 60)]], Field(max_length=20)] = Field(
        default=list(CHECK_IN_MONTHS), description="Months after discharge."
    )


class MaintenanceIn(Said):
    """The maintenance program: a protocol's maintenance list, adapted or as it stands, or phases of your own."""

    protocol: Slug | None = Field(default=None, examples=["chronic-lbp-core-stabilisation"])
    adapt: Annotated[list[AdaptationIn], Field(max_length=60)] = Field(default=[])
    phases: Annotated[list[PhaseIn], Field(max_length=12)] = Field(default=[])
    title: Line | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "MaintenanceIn":
        _check_source(self.protocol, self.phases, self.adapt)
        return self

    def as_draft(self) -> ProgramDraft:
        return ProgramDraft(
            title=self.title,
            protocol=self.protocol,
            adapt=[change.as_draft() for change in self.adapt],
            phases=[phase.as_draft() for phase in self.phases],
        )


class DischargeOut(Answer):
    """A discharge: the program that ended, and what follows it."""

    ended: ProgramBrief
    maintenance: ProgramOut | None


class StopIn(Said):
    """The patient stops, and says why."""

    reason: Reason = Field(examples=["feel_better"])
    note: Note | None = None


class SafetyCheckOut(Answer):
    """What was let through: the findings as they were shown, and what was answered."""

    id: UUID
    revision_number: int
    deed: Deed
    checked_by: UUID
    checked_at: AwareDatetime
    findings: list[FindingOut]
    decisions: dict[str, DecisionOut] = Field(description="Finding → who overrode it with which reason, or read it.")


class SafetyCheckPage(Answer):
    """The record of a program's safety checks, earliest first."""

    items: list[SafetyCheckOut]


def _item(item: Item, name: str, advice: Mapping[UUID, list[str]]) -> ItemOut:
    dosage = dosage_of(item)
    return ItemOut(
        line_id=item.line_id,
        exercise=item.exercise_slug,
        care=item.care_slug,
        name=name,
        side=item.side,
        goal=item.goal,
        text=text(dosage, item.side),
        dosage=DosageOut.model_validate(item),
        advice=advice.get(item.line_id, []),
    )
