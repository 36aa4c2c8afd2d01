"""Programs, their phases, items and dosages."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from api.schemas.words import Answer, Code, Line, Note, ProgramDay, Said, Slug, number, whole
from models.adherence.flags import Reason
from models.operations.courses import Course
from models.operations.programs import Dosage, ItemDraft, PhaseDraft, ProgramDraft
from models.tables import Item, PauseReason, ProgramStatus, ProgramType, Side, TeachBack

_FREQUENCIES = ("days_per_week", "weekdays", "every_n_days", "as_needed_max_per_day")
_AMOUNTS = ("reps", "hold_seconds", "duration_minutes", "distance_m")


class DosageIn(Said):
    """How much and how often. Exactly one frequency; an amount: repetitions, hold, minutes or metres."""

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
    def _complete(self) -> "DosageIn":
        if sum(getattr(self, name) is not None for name in _FREQUENCIES) != 1:
            raise ValueError(f"say exactly one frequency: {', '.join(_FREQUENCIES)}")
        if all(getattr(self, name) is None for name in _AMOUNTS):
            raise ValueError(f"say an amount: {', '.join(_AMOUNTS)}")
        if self.weekdays is not None and len(set(self.weekdays)) != len(self.weekdays):
            raise ValueError("weekdays repeat")
        return self

    def as_dosage(self) -> Dosage:
        return Dosage(**self.model_dump())


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
    """One exercise with its dosage."""

    exercise: Slug = Field(examples=["bird-dog"])
    dosage: DosageIn
    side: Side | None = Field(default=None, description="For one-sided exercises; both if left out.")
    goal: Line | None = None

    def as_draft(self) -> ItemDraft:
        return ItemDraft(exercise=self.exercise, dosage=self.dosage.as_dosage(), side=self.side, goal=self.goal)


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


class ProgramIn(Said):
    """A prescription: a protocol as it stands, or phases of your own."""

    type: ProgramType = ProgramType.PRESCRIBED
    title: Line | None = None
    starts_on: ProgramDay | None = Field(default=None, description="Today, where the patient lives, if left out.")
    goal: Line | None = Field(default=None, examples=["Walk to work without pain"])
    note: Note | None = None
    protocol: Slug | None = Field(default=None, examples=["chronic-lbp-core-stabilisation"])
    phases: Annotated[list[PhaseIn], Field(max_length=12)] = Field(default=[])
    previous_program_id: UUID | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "ProgramIn":
        if (self.protocol is None) == (not self.phases):
            raise ValueError("say either a protocol or phases")
        return self

    def as_draft(self) -> ProgramDraft:
        return ProgramDraft(
            type=self.type,
            title=self.title,
            starts_on=self.starts_on,
            goal=self.goal,
            note=self.note,
            protocol=self.protocol,
            phases=[phase.as_draft() for phase in self.phases],
            previous_program_id=self.previous_program_id,
        )


class ItemOut(Answer):
    """One line of a prescription."""

    line_id: UUID = Field(description="Stays the same from revision to revision; entries name it.")
    exercise: str
    name: str
    side: Side | None
    goal: str | None
    taught_on: date | None
    teach_back: TeachBack | None
    dosage: DosageOut


class PhaseOut(Answer):
    """A stretch of the program's days."""

    label: str
    from_day: int
    to_day: int | None
    items: list[ItemOut]


class RevisionOut(Answer):
    """One immutable version of the prescription."""

    number: int
    effective_on: date
    note: str | None
    phases: list[PhaseOut]


class PauseOut(Answer):
    """Days, both included, on which nothing is expected."""

    id: UUID
    from_on: date
    to_on: date
    reason: PauseReason
    created_at: AwareDatetime


class ProgramBrief(Answer):
    """A program in a list."""

    id: UUID
    patient_id: UUID
    type: ProgramType
    status: ProgramStatus
    title: str
    protocol: str | None = Field(validation_alias="protocol_slug")
    goal: str | None
    starts_on: date
    review_due_on: date | None
    ended_on: date | None
    end_reason: str | None
    previous_program_id: UUID | None
    version: int


class ProgramPage(Answer):
    """A patient's programs, latest first."""

    items: list[ProgramBrief]


class ProgramOut(ProgramBrief):
    """A program with the prescription in force."""

    revision: RevisionOut
    pauses: list[PauseOut]

    @classmethod
    def of(cls, course: Course) -> "ProgramOut":
        number = max(course.revisions)
        revision = course.revisions[number]
        phases = [
            PhaseOut(
                label=phase.label,
                from_day=phase.from_day,
                to_day=phase.to_day,
                items=[
                    _item(item, course.names[item.exercise_slug])
                    for item in course.items
                    if (item.revision_number, item.phase_number) == key
                ],
            )
            for key, phase in course.phases.items()
            if key[0] == number
        ]
        brief = ProgramBrief.model_validate(course.program).model_dump()
        return cls.model_validate(
            {
                **brief,
                "protocol_slug": brief["protocol"],
                "revision": RevisionOut(
                    number=number, effective_on=revision.effective_on, note=revision.note, phases=phases
                ),
                "pauses": [PauseOut.model_validate(pause) for pause in course.pauses],
            }
        )


class PauseIn(Said):
    """A stretch of days to expect nothing on."""

    from_on: ProgramDay
    to_on: ProgramDay = Field(description="The last day; a pause always ends.", examples=["2026-03-14"])
    reason: PauseReason


class DischargeIn(Said):
    """How care goes on after the program: there is no discharge without a maintenance program."""

    maintenance: "MaintenanceIn"


class MaintenanceIn(Said):
    """The maintenance program: a protocol's maintenance list, or phases of your own."""

    protocol: Slug | None = Field(default=None, examples=["chronic-lbp-core-stabilisation"])
    phases: Annotated[list[PhaseIn], Field(max_length=12)] = Field(default=[])
    title: Line | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "MaintenanceIn":
        if (self.protocol is None) == (not self.phases):
            raise ValueError("say either a protocol or phases")
        return self

    def as_draft(self) -> ProgramDraft:
        return ProgramDraft(
            title=self.title,
            protocol=self.protocol,
            phases=[phase.as_draft() for phase in self.phases],
        )


class StopIn(Said):
    """The patient stops, and says why."""

    reason: Reason = Field(examples=["feel_better"])


def _item(item: Item, name: str) -> ItemOut:
    return ItemOut(
        line_id=item.line_id,
        exercise=item.exercise_slug,
        name=name,
        side=item.side,
        goal=item.goal,
        taught_on=item.taught_on,
        teach_back=item.teach_back,
        dosage=DosageOut.model_validate(item),
    )
