"""The catalogue as it is read."""

from pydantic import Field

from api.schemas.programs import DosageOut
from api.schemas.words import Answer
from models.operations.catalogue import Found
from models.tables import Category, Laterality, Protocol


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
    dosage: DosageOut = Field(description="The starting dosage, for a therapist to confirm.")
    progression_of: str | None
    evidence: str
    steps: list[str]
    cues: list[str]
    common_errors: list[str]
    stop_if: list[str]
    alt_text: str | None
    retired: bool

    @classmethod
    def of(cls, found: Found) -> "ExerciseOut":
        row = found.exercise
        plain = {name: getattr(row, name) for name in cls.model_fields if name not in {"needs", "dosage", "retired"}}
        return cls(**plain, needs=found.needs, dosage=DosageOut(**row.dosage), retired=row.retired_at is not None)


class ExercisePage(Answer):
    """A page of the catalogue."""

    items: list[ExerciseOut]
    next: str | None = Field(description="Cursor of the next page.")


class ProtocolItemOut(Answer):
    """One exercise of a protocol."""

    exercise: str
    dosage: DosageOut


class ProtocolPhaseOut(Answer):
    """A stretch of a protocol, in days from 1."""

    label: str
    from_day: int
    to_day: int
    items: list[ProtocolItemOut]


class ProtocolOut(Answer):
    """A template for a program. Decision support: not signed off by a clinician."""

    slug: str = Field(examples=["chronic-lbp-core-stabilisation"])
    version: int
    code: str = Field(examples=["T02"])
    name: str
    indication: str
    conditions: list[str]
    weeks: int
    phases: list[ProtocolPhaseOut]
    maintenance: list[ProtocolItemOut]
    progression: str
    not_for: str
    modalities: str
    rule_exemptions: list[str]
    check_in_months: list[int]
    sources: str

    @classmethod
    def of(cls, row: Protocol) -> "ProtocolOut":
        return cls.model_validate(row)


class ProtocolPage(Answer):
    """Every protocol."""

    items: list[ProtocolOut]
