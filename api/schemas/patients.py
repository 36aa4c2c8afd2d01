"""Patients, screenings and invitations."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from api.schemas.safety import FindingOut
from api.schemas.words import (
    Answer,
    Code,
    Day,
    Email,
    Flagged,
    Language,
    Line,
    Name,
    Note,
    Phone,
    Plain,
    Said,
    Score,
    Zone,
    number,
    whole,
)
from models.operations.checking import told
from models.operations.findings import ConditionDraft, ExaminationDraft
from models.operations.patients import PatientDraft, advice_for
from models.prescription.dosage import Side
from models.safety.rules import Finding
from models.tables import Condition, ConditionStatus, Screening


def _short(preferences: dict[str, str]) -> dict[str, str]:
    if len(preferences) > 20:
        raise ValueError("at most 20 preferences")
    return preferences


class PatientIn(Said):
    """What staff say of a patient."""

    given_name: Name = Field(examples=["Amara"])
    family_name: Name = Field(examples=["Lindqvist"])
    birth_date: Day | None = Field(
        default=None, description="Asked again when the invitation is used.", examples=["1967-05-14"]
    )
    email: Email | None = Field(default=None, examples=["amara@mail.example"])
    phone: Phone | None = None
    time_zone: Zone | None = Field(
        default=None, description="Where the patient lives; left out: as it was, at first the clinic's."
    )
    language: Language = "en"
    therapist_id: UUID | None = Field(
        default=None, description="Who is responsible; when adding a patient, the caller if left out."
    )
    equipment: Annotated[list[Code], Field(max_length=40)] = Field(
        default=[], description="What the patient has at home.", examples=[["mat", "band"]]
    )
    minutes_available: Annotated[int, whole(1, 240)] | None = Field(default=None, examples=[20])
    falls_risk: Flagged | None = None
    can_get_up_from_floor: Flagged | None = None
    preferences: Annotated[dict[Code, Code], AfterValidator(_short)] = Field(
        default={}, description="Place, time, water or land, as words.", examples=[{"time": "morning"}]
    )

    def as_draft(self) -> PatientDraft:
        return PatientDraft(**self.model_dump())


class PatientOut(Answer):
    """A patient."""

    id: UUID
    given_name: str
    family_name: str
    birth_date: date | None
    email: str | None
    phone: str | None
    time_zone: str
    language: str
    therapist_id: UUID | None
    equipment: list[str]
    minutes_available: int | None
    falls_risk: bool | None
    can_get_up_from_floor: bool | None
    preferences: dict[str, Any]
    version: int
    created_at: AwareDatetime


class PatientPage(Answer):
    """A page of patients."""

    items: list[PatientOut]
    next: str | None = Field(description="Cursor of the next page.")


class ScreeningIn(Said):
    """The red-flag questions as they were answered; leave out what was not asked."""

    answers: Annotated[dict[Code, Flagged], Field(min_length=1, max_length=30)] = Field(
        description="Red-flag id → present?", examples=[{"RF-01": False, "RF-02": False, "RF-05": False}]
    )
    note: Note | None = None


class ScreeningOut(Answer):
    """A recorded screening."""

    id: UUID
    patient_id: UUID
    screened_by: UUID
    screened_at: AwareDatetime
    answers: dict[str, bool]
    note: str | None
    advice: list[str] = Field(default=[], description="What to tell the patient now, gravest first.")

    @classmethod
    def of(cls, screening: Screening) -> "ScreeningOut":
        return cls.model_validate(screening).model_copy(update={"advice": advice_for(screening)})


class ScreeningPage(Answer):
    """A patient's screenings, latest first."""

    items: list[ScreeningOut]


class ConditionIn(Said):
    """One condition, as the safety rules need to know it. The vocabulary: `GET /v1/conditions`."""

    code: Code = Field(examples=["osteoporosis"])
    status: ConditionStatus = Field(examples=["confirmed"])
    onset_on: Day | None = None
    side: Side | None = None
    joints: Annotated[list[Code], Field(max_length=20)] = Field(default=[], description="Of a flare: which.")
    details: Annotated[dict[Code, Plain], Field(max_length=20)] = Field(
        default={},
        description="What only this condition tells: neck_status, dose_mg_per_day, cleared_by and cleared_on …",
        examples=[{}],
    )
    source: Line | None = Field(default=None, description="Who says so.", examples=["Letter of the rheumatologist"])
    review_on: Day | None = None

    def as_draft(self) -> ConditionDraft:
        return ConditionDraft(**self.model_dump())


class ConditionOut(Answer):
    """A recorded condition."""

    id: UUID
    code: str
    status: ConditionStatus
    onset_on: date | None
    side: str | None
    joints: list[str]
    details: dict[str, Any]
    source: str | None
    review_on: date | None
    version: int
    created_at: AwareDatetime
    endangers: list["EndangeredOut"] = Field(
        default=[], description="After a change: running programs that would now be blocked. Look at them today."
    )

    @classmethod
    def of(cls, row: Condition, endangered: Sequence[tuple[UUID, Sequence[Finding]]] = ()) -> "ConditionOut":
        programs = [
            EndangeredOut(program_id=program, findings=[FindingOut.model_validate(told(one)) for one in findings])
            for program, findings in endangered
        ]
        return cls.model_validate(row).model_copy(update={"endangers": programs})


class EndangeredOut(Answer):
    """A running program that what is known now would block."""

    program_id: UUID
    findings: list[FindingOut]


class ConditionPage(Answer):
    """What a patient has or had."""

    items: list[ConditionOut]
    derived: list[str] = Field(description="What follows from it today, for instance long-term steroids.")


class ExaminationIn(Said):
    """What was measured and asked in the clinic; leave out what was not."""

    pain: Score | None = Field(default=None, description="Average of the last week, 0-10.", examples=[5])
    function: Annotated[float, number(0, 10)] | None = Field(
        default=None, description="Mean of the patient's own activities, 0-10, 10 as before.", examples=[4.5]
    )
    confidence: Score | None = Field(default=None, description="To do the exercises alone.")
    importance: Score | None = None
    systolic: Annotated[int, whole(50, 300)] | None = Field(default=None, description="mmHg.")
    diastolic: Annotated[int, whole(20, 200)] | None = None
    resting_pulse: Annotated[int, whole(20, 250)] | None = Field(default=None, description="Beats a minute.")
    low_pressure_symptoms: Flagged | None = None
    tests: Annotated[dict[Code, Plain], Field(max_length=20)] = Field(
        default={}, description="Physical tests and their results.", examples=[{"sit_to_stand_30s": 11}]
    )
    note: Note | None = None

    def as_draft(self) -> ExaminationDraft:
        return ExaminationDraft(**self.model_dump())


class ExaminationOut(Answer):
    """A recorded examination."""

    id: UUID
    examined_by: UUID
    examined_at: AwareDatetime
    pain: int | None
    function: float | None
    confidence: int | None
    importance: int | None
    systolic: int | None
    diastolic: int | None
    resting_pulse: int | None
    low_pressure_symptoms: bool | None
    tests: dict[str, Any]
    note: str | None


class ExaminationPage(Answer):
    """A patient's examinations, latest first."""

    items: list[ExaminationOut]


class InvitationOut(Answer):
    """A code for the patient's phone; it is shown this once and kept nowhere."""

    id: UUID
    code: str = Field(examples=["7KQ4-M2XD-9HTR"])
    expires_at: AwareDatetime
    needs_birth_date: bool = Field(description="Whether the phone must also give the birth date on record.")
