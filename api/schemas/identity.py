"""Logins, tokens, staff, and who is asking."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr

from api.schemas.words import Answer, Email, Name, Said
from models.operations.accounts import MAX_PASSWORD, MIN_PASSWORD
from models.operations.sign_ins import Tokens
from models.tables import Role

INVITATION_GRANT = "urn:followthrough:grant-type:invitation"


def _long_enough(password: SecretStr) -> SecretStr:
    if not MIN_PASSWORD <= len(password.get_secret_value()) <= MAX_PASSWORD:
        raise ValueError(f"has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    if "\x00" in password.get_secret_value():
        raise ValueError("control characters are not allowed")
    return password


class TokensOut(Answer):
    """A pair of tokens (RFC 6749, 5.1)."""

    access_token: str = Field(examples=["ft_..."])
    token_type: Literal["bearer"] = Field(default="bearer")
    expires_in: int = Field(description="Seconds until the access token expires.", examples=[900])
    refresh_token: str = Field(examples=["ft_..."])

    @classmethod
    def of(cls, tokens: Tokens) -> "TokensOut":
        return cls(
            access_token=tokens.access,
            expires_in=int(tokens.access_lasts.total_seconds()),
            refresh_token=tokens.refresh,
        )


class MeOut(Answer):
    """Who is asking."""

    account_id: UUID
    clinic_id: UUID
    role: Role
    name: str
    patient_id: UUID | None = Field(description="Set for patients and their carers.")
    device_id: UUID | None


class StaffIn(Said):
    """A new member of staff."""

    role: Literal["admin", "therapist", "auditor"] = Field(examples=["therapist"])
    name: Name = Field(examples=["Ines Okafor"])
    email: Email = Field(examples=["ines@clinic.example"])
    password: Annotated[SecretStr, AfterValidator(_long_enough)] = Field(
        description=f"{MIN_PASSWORD} to {MAX_PASSWORD} characters.", examples=["a long sentence is a good password"]
    )


class StaffOut(Answer):
    """A member of staff."""

    id: UUID
    role: Role
    name: str
    email: str | None
    created_at: AwareDatetime
    disabled_at: AwareDatetime | None


class StaffPage(Answer):
    """The clinic's staff."""

    items: list[StaffOut]
