"""Patients' rights: consents, erasure, and how long records are kept."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from api.schemas.words import Answer, Code, Instant, Line, Name, Said, whole
from models.operations.consents import PURPOSES, ConsentDraft
from models.operations.erasure import Erasure
from models.operations.retention import MOST_YEARS
from models.tables import ConsentBy

_KNOWN = "; ".join(f"`{purpose}`: {says}" for purpose, says in PURPOSES.items())
Purpose = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class ConsentIn(Said):
    """What somebody agreed to."""

    purpose: Purpose = Field(description=f"What for. {_KNOWN}. A clinic may name others.", examples=["research_export"])
    text_version: Code = Field(description="Which text was shown.", examples=["2026-01"])
    given_by: ConsentBy = Field(description="Who agreed: the patient, or their guardian.")
    given_name: Name | None = Field(default=None, description="The guardian's name; needed where it was a guardian.")
    given_at: Instant | None = Field(default=None, description="Left out: now.")

    def as_draft(self) -> ConsentDraft:
        """As operations take it."""
        return ConsentDraft(**self.model_dump())


class ConsentOut(Answer):
    """What was agreed to, and whether it was taken back."""

    id: UUID
    purpose: str
    text_version: str
    given_by: ConsentBy
    given_name: str | None
    given_at: AwareDatetime
    recorded_by: UUID
    withdrawn_at: AwareDatetime | None
    withdrawn_by: UUID | None


class ConsentPage(Answer):
    """What a patient agreed to."""

    items: list[ConsentOut]


class ErasureIn(Said):
    """Why a patient is erased, and that it is the right one."""

    reason: Line = Field(
        description="Stays on record: say it without naming anybody.", examples=["Asked for by the patient in writing"]
    )
    family_name: Name = Field(description="The patient's, typed again to confirm.", examples=["Rossi"])


class ErasureOut(Answer):
    """What an erasure did."""

    patient_id: UUID
    erased_at: AwareDatetime
    reason: str
    erased_by: UUID | None = Field(description="None: the time for which records are kept was over.")
    removed: dict[str, int] = Field(description="Rows removed, by table.")
    kept: dict[str, int] = Field(
        description="Rows whose clinical facts are kept, by table: no route and no report tells them."
    )
    kept_until: date | None = Field(description="The first day on which they need not be kept.")
    exports_recalled: int = Field(
        description="Exports of the clinic that were ready; their files are gone. What was downloaded is not."
    )

    @classmethod
    def of(cls, done: Erasure) -> "ErasureOut":
        known = done.patient
        return cls.model_validate(
            {
                "patient_id": known.id,
                "erased_at": known.deleted_at,
                "reason": known.erased_because,
                "erased_by": known.erased_by,
                "removed": done.removed,
                "kept": done.kept,
                "kept_until": known.kept_until,
                "exports_recalled": len(done.recalled),
            }
        )


class RetentionSettingsIn(Said):
    """How long records are kept."""

    keep_records_years: Annotated[int, whole(0, MOST_YEARS)] = Field(
        description="Years after the end of a treatment; 0: an erasure keeps nothing.", examples=[10]
    )


class RetentionSettingsOut(Answer):
    """How long records are kept."""

    keep_records_years: int = Field(
        description="Years after the end of a treatment for which its facts are kept, though the patient is erased."
    )
