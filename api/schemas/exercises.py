"""The catalogue as it is read."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from api.schemas.programs import DosageOut, ItemIn, PhaseIn
from api.schemas.words import Answer, Code, Line, Note, Said, Slug
from models.operations.catalogue import Found
from models.operations.choosing import Suggestion, Suited
from models.operations.protocols import OwnDraft, Template
from models.prescription.dosage import Side, dosage_from, text
from models.safety.choices import Choice
from models.tables import Care, CareKind, Category, Laterality


class ChoiceOut(Answer):
    """How an exercise suits one patient."""

    exercise: str
    name: str
    level: int
    is_allowed: bool
    reasons: list[str] = Field(description="Why it is not allowed.")
    cautions: list[str]
    adaptations: list[str]
    missing: list[str] = Field(description="Equipment the patient does not have; empty if nobody asked.")

    @classmethod
    def of(cls, choice: Choice) -> "ChoiceOut":
        exercise = choice.exercise
        plain = {name: list(getattr(choice, name)) for name in ("reasons", "cautions", "adaptations", "missing")}
        return cls(
            exercise=exercise.slug, name=exercise.name, level=exercise.level, is_allowed=choice.is_allowed, **plain
        )


class ExerciseOut(Answer):
    """One exercise."""

    slug: str = Field(examples=["bird-dog"])
    version: int
    name: str = Field(examples=["Bird dog"])
    summary: str = Field(description="One plain sentence that says how it is done.")
    category: Category
    subcategory: str
    region: str
    position: str
    level: int = Field(description="0 bed or flare day, 1 easy, 2 moderate, 3 hard, 4 advanced.")
    laterality: Laterality
    needs: list[list[str]] = Field(
        description="Equipment: any thing of a group will do, every group is needed.", examples=[[["mat", "bed"]]]
    )
    load_tags: list[str] = Field(description="How it loads the body; the precautions are keyed to these.")
    muscles: list[str]
    trunk_sides: list[str]
    goals: list[str] = Field(description="What it is for, the most important first.")
    dosage: DosageOut = Field(description="The starting dosage, for a therapist to confirm.")
    progression_of: str | None
    evidence: str
    steps: list[str]
    cues: list[str]
    common_errors: list[str]
    stop_if: list[str]
    alt_text: str | None
    retired: bool
    for_patient: ChoiceOut | None = Field(default=None, description="With `safe_for`: how it suits that patient.")

    @classmethod
    def of(cls, found: Found, choice: Choice | None = None) -> "ExerciseOut":
        row = found.exercise
        made = {"needs", "dosage", "retired", "for_patient"}
        plain = {name: getattr(row, name) for name in cls.model_fields if name not in made}
        return cls(
            **plain,
            needs=found.needs,
            dosage=DosageOut(**row.dosage),
            retired=row.retired_at is not None,
            for_patient=ChoiceOut.of(choice) if choice else None,
        )

    @classmethod
    def suited(cls, suited: Suited) -> "ExerciseOut":
        return cls.of(suited.found, suited.choice)


class ExercisePage(Answer):
    """A page of the catalogue."""

    items: list[ExerciseOut]
    next: str | None = Field(description="Cursor of the next page.")


class CareOut(Answer):
    """Something to list and tick beside the exercises; it is never active exercise."""

    slug: str = Field(examples=["heat-pack"])
    kind: CareKind
    name: str
    summary: str
    agent: str | None
    at_home: bool = Field(description="Or only in the clinic.")
    max_minutes: int | None
    topic: str
    evidence: str

    @classmethod
    def of(cls, row: Care) -> "CareOut":
        return cls.model_validate(row)


class CarePage(Answer):
    """Every care item."""

    items: list[CareOut]


class SuggestionOut(Answer):
    """What a therapist may do with one line; nothing happens by itself."""

    line_id: UUID | None
    phase: str
    exercise: ChoiceOut
    progressions: list[ChoiceOut] = Field(description="The next steps of its chain.")
    regressions: list[ChoiceOut] = Field(description="The step it comes from.")
    swaps: list[ChoiceOut] = Field(description="The same goal, allowed, with what the patient owns; nearest first.")

    @classmethod
    def of(cls, one: Suggestion) -> "SuggestionOut":
        return cls(
            line_id=one.line_id,
            phase=one.phase,
            exercise=ChoiceOut.of(one.choice),
            progressions=[ChoiceOut.of(choice) for choice in one.progressions],
            regressions=[ChoiceOut.of(choice) for choice in one.regressions],
            swaps=[ChoiceOut.of(choice) for choice in one.swaps],
        )


class SuggestionPage(Answer):
    """Progressions, regressions and swaps for each line of a program."""

    hold: str | None = Field(description="Why the last sessions say not to progress yet (R-23).")
    items: list[SuggestionOut]


class ProtocolItemOut(Answer):
    """One item of a protocol."""

    exercise: str | None = None
    care: str | None = None
    goal: str | None = None
    side: Side | None = None
    text: str = Field(description="The dosage as people read it.")
    dosage: DosageOut

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "ProtocolItemOut":
        side = Side(item["side"]) if item.get("side") else None
        return cls.model_validate({**item, "side": side, "text": text(dosage_from(item["dosage"]), side)})


class ProtocolPhaseOut(Answer):
    """A stretch of a protocol, in days from 1."""

    label: str
    from_day: int
    to_day: int | None
    items: list[ProtocolItemOut]


class ExemptionOut(Answer):
    """A safety rule the protocol departs from on purpose."""

    rule: str
    why: str


class AcceptedCautionOut(Answer):
    """A caution the protocol accepts, and how."""

    exercise: str
    condition: str
    why: str


class ProtocolOut(Answer):
    """A template for a program. Decision support: not signed off by a clinician."""

    slug: str = Field(examples=["chronic-lbp-core-stabilisation"])
    version: int
    is_own: bool = Field(description="The clinic's own, or the shelf's.")
    code: str | None = Field(examples=["T02"])
    name: str
    indication: str
    conditions: list[str]
    weeks: int | None = Field(description="None: its last phase runs on.")
    phases: list[ProtocolPhaseOut]
    maintenance: list[ProtocolItemOut]
    progression: str = Field(description="When to move on, hold or step back.")
    not_for: str
    modalities: str
    rule_exemptions: list[ExemptionOut]
    cautions: list[AcceptedCautionOut]
    clearance_for: list[str] = Field(description="Conditions a specialist must have cleared first.")
    check_in_months: list[int]
    sources: str

    @classmethod
    def of(cls, one: Template) -> "ProtocolOut":
        plain = {name: getattr(one, name) for name in cls.model_fields if name not in {"phases", "maintenance"}}
        phases = [
            ProtocolPhaseOut(**{**phase, "items": [ProtocolItemOut.of(item) for item in phase["items"]]})
            for phase in one.phases
        ]
        return cls.model_validate(
            {**plain, "phases": phases, "maintenance": [ProtocolItemOut.of(item) for item in one.maintenance]}
        )


class ProtocolPage(Answer):
    """Every protocol."""

    items: list[ProtocolOut]


class OwnProtocolIn(Said):
    """A protocol of the clinic's own."""

    name: Line = Field(examples=["Our back course"])
    indication: Line = Field(examples=["Back pain after desk work"])
    conditions: Annotated[list[Code], Field(max_length=20)] = Field(default=[], examples=[["chronic-lbp"]])
    phases: Annotated[list[PhaseIn], Field(min_length=1, max_length=12)]
    maintenance: Annotated[list[ItemIn], Field(min_length=1, max_length=40)] = Field(
        description="What goes on after discharge."
    )
    progression: Note | None = None
    not_for: Note | None = None

    def as_draft(self) -> OwnDraft:
        return OwnDraft(
            name=self.name,
            indication=self.indication,
            conditions=self.conditions,
            phases=[
                {
                    "label": phase.label,
                    "from_day": phase.from_day,
                    "to_day": phase.to_day,
                    "items": [_template_item(item) for item in phase.items],
                }
                for phase in self.phases
            ],
            maintenance=[_template_item(item) for item in self.maintenance],
            progression=self.progression or "",
            not_for=self.not_for or "",
        )


class NewProtocolIn(OwnProtocolIn):
    """A new protocol of the clinic's own."""

    slug: Slug = Field(examples=["our-back-course"])


def _template_item(item: ItemIn) -> dict[str, Any]:
    said = item.model_dump(exclude={"line_id"}, exclude_none=True, mode="json")
    return said | {"dosage": item.dosage.model_dump(exclude_none=True, mode="json")}
