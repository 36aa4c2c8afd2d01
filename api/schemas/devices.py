"""Phones as they are seen by patients and staff."""

from uuid import UUID

from pydantic import AwareDatetime, Field

from api.schemas.adherence import ContactOut
from api.schemas.words import Answer
from models.operations.devices import Phone, Unsynced


class DeviceOut(Answer):
    """A patient's phone."""

    id: UUID
    name: str
    created_at: AwareDatetime
    last_seen_at: AwareDatetime
    last_sync_at: AwareDatetime | None = Field(description="The last push, pull or first screen, give or take an hour.")
    skew_seconds: int | None = Field(description="How far its clock was behind ours; negative: ahead.")
    usual_delay_hours: float | None = Field(
        description="Median time between doing and sending, over the sessions of the last 30 days."
    )
    revoked_at: AwareDatetime | None

    @classmethod
    def of(cls, phone: Phone) -> "DeviceOut":
        plain = {name: getattr(phone.device, name) for name in cls.model_fields if name != "usual_delay_hours"}
        return cls(**plain, usual_delay_hours=phone.usual_delay_hours)


class DevicePage(Answer):
    """A patient's phones, the latest first."""

    items: list[DeviceOut]


class UnsyncedOut(Answer):
    """A patient with a running program whose phone has not been in touch."""

    patient_id: UUID
    given_name: str
    family_name: str
    contact: ContactOut
    therapist_id: UUID | None
    last_sync_at: AwareDatetime | None = Field(description="Null: never.")
    devices: int = Field(description="Phones that may still sign in; none: invite one.")

    @classmethod
    def of(cls, one: Unsynced) -> "UnsyncedOut":
        patient = one.patient
        return cls(
            patient_id=patient.id,
            given_name=patient.given_name,
            family_name=patient.family_name,
            contact=ContactOut(phone=patient.phone, email=patient.email),
            therapist_id=patient.therapist_id,
            last_sync_at=one.last_sync_at,
            devices=one.devices,
        )


class UnsyncedPage(Answer):
    """A page of them, by name."""

    items: list[UnsyncedOut]
    next: str | None = Field(description="Cursor of the next page.")
