"""Logins, tokens, staff, and who is asking."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, SecretStr

from api.schemas.words import Answer, Email, Name, Said
from models.operations.accounts import MAX_PASSWORD, MIN_PASSWORD
from models.operations.sign_ins import Tokens
from models.tables import Role

INVITATION_GRANT = "urn:followthrough:grant-type:invitation"


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
    patient_id: UUID | None = Field(description="Set for patients.")
    device_id: UUID | None


class StaffIn(Said):
    """A new member of staff."""

    role: Literal[Role.ADMIN, Role.THERAPIST] = Field(examples=["therapist"])
    name: Name = Field(examples=["Ines Okafor"])
    email: Email = Field(examples=["ines@clinic.example"])
    password: Annotated[SecretStr, Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD)] = Field(
        examples=["a long sentence is a good password"]
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
