"""Patients, screenings and invitations."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from api.schemas.words import Answer, Code, Day, Email, Flagged, Language, Name, Note, Phone, Said, Zone, whole
from models.operations.patients import PatientDraft, advice_for
from models.tables import Screening


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


class InvitationOut(Answer):
    """A code for the patient's phone; it is shown this once and kept nowhere."""

    id: UUID
    code: str = Field(examples=["7KQ4-M2XD-9HTR"])
    expires_at: AwareDatetime
    needs_birth_date: bool = Field(description="Whether the phone must also give the birth date on record.")
