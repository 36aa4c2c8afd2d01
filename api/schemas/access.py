"""Carers, and who sees whom."""

from datetime import date
from uuid import UUID

from pydantic import AwareDatetime, Field

from api.schemas.words import Answer, Day, Flagged, Line, Name, Said
from models.operations.carers import Carer, CarerDraft
from models.tables import ConsentBy


class CarerIn(Said):
    """A carer, and the consent that lets them in."""

    name: Name = Field(examples=["Jonas Lindqvist"])
    relationship: Line = Field(examples=["son"])
    consent_by: ConsentBy = Field(description="Who agreed: the patient, or their guardian.")
    consent_name: Name | None = Field(default=None, description="The guardian's name; needed where it was a guardian.")
    consented_on: Day = Field(examples=["2025-03-03"])

    def as_draft(self) -> CarerDraft:
        """As operations take it."""
        return CarerDraft(**self.model_dump())


class CarerOut(Answer):
    """A carer of a patient."""

    id: UUID
    name: str
    relationship: str
    consent_by: ConsentBy
    consent_name: str | None
    consented_on: date
    named_by: UUID
    created_at: AwareDatetime
    ended_at: AwareDatetime | None = Field(description="Since when they are shut out.")

    @classmethod
    def of(cls, carer: Carer) -> "CarerOut":
        plain = {name: getattr(carer.proxy, name) for name in cls.model_fields if name != "name"}
        return cls(**plain, name=carer.name)


class CarerPage(Answer):
    """A patient's carers."""

    items: list[CarerOut]


class AccessSettingsIn(Said):
    """Who sees whom."""

    shares_caseloads: Flagged = Field(description="Whether every therapist sees every patient.")


class AccessSettingsOut(Answer):
    """Who sees whom."""

    shares_caseloads: bool = Field(
        description="Whether every therapist sees every patient, or only their own and those nobody treats yet."
    )
