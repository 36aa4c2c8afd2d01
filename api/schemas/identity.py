"""Logins, tokens, staff, who is asking, and what proves it."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr

from api.schemas.words import Answer, Email, Flagged, Name, Said
from models.operations.passwords import MAX_PASSWORD, MIN_PASSWORD
from models.operations.sign_ins import Tokens
from models.tables import Role

INVITATION_GRANT = "urn:followthrough:grant-type:invitation"


def _typable(secret: SecretStr) -> SecretStr:
    said = secret.get_secret_value()
    if "\x00" in said:
        raise ValueError("control characters are not allowed")
    if any("\ud800" <= letter <= "\udfff" for letter in said):  # JSON can say it, UTF-8 cannot
        raise ValueError("holds half a character")
    return secret


Password = Annotated[SecretStr, Field(min_length=1, max_length=4 * MAX_PASSWORD), AfterValidator(_typable)]
"""A password as it comes; how long and how good it is, is judged once it is composed."""
NewPassword = Annotated[
    Password,
    Field(
        description=f"{MIN_PASSWORD} to {MAX_PASSWORD} characters, and not easy to guess.",
        examples=["a long sentence is a good password"],
    ),
]
Otp = Annotated[
    SecretStr,
    Field(min_length=1, max_length=40, description="Six digits of the app.", examples=["123456"]),
    AfterValidator(_typable),
]


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
    must_enrol: bool = Field(description="Nothing else may be done before a second factor is enrolled.")


class StaffIn(Said):
    """A new member of staff."""

    role: Literal["admin", "therapist", "auditor"] = Field(examples=["therapist"])
    name: Name = Field(examples=["Ines Okafor"])
    email: Email = Field(examples=["ines@clinic.example"])
    password: NewPassword | None = Field(
        default=None, description="Left out: they set one by a link (`POST /v1/staff/{id}/invitation`), or by mail."
    )


class StaffOut(Answer):
    """A member of staff."""

    id: UUID
    role: Role
    name: str
    email: str | None
    created_at: AwareDatetime
    disabled_at: AwareDatetime | None
    second_factor_since: AwareDatetime | None


class StaffPage(Answer):
    """The clinic's staff."""

    items: list[StaffOut]


class PasswordLinkOut(Answer):
    """What sets a password, once."""

    token: str = Field(description="For `POST /v1/auth/password`; told this once.", examples=["ft_..."])
    expires_at: AwareDatetime


class PasswordResetIn(Said):
    """Who forgot a password."""

    email: Email = Field(examples=["ines@clinic.example"])


class PasswordByLinkIn(Said):
    """A new password, by a link."""

    token: Annotated[SecretStr, AfterValidator(_typable)] = Field(min_length=1, max_length=200, examples=["ft_..."])
    password: NewPassword


class PasswordChangeIn(Said):
    """A new password in the place of the present one."""

    present: Password = Field(description="The present password.")
    password: NewPassword


class SignInOut(Answer):
    """A sign-in that still works."""

    id: UUID
    created_at: AwareDatetime
    last_used_at: AwareDatetime = Field(description="When it last got a token, which lasts 15 minutes.")
    address: str | None = Field(description="The network address it was opened from.")
    agent: str | None = Field(description="What the browser or app called itself.")
    device_id: UUID | None = Field(description="A patient's phone.")
    is_this: bool = Field(description="The one that asks.")


class SignInList(Answer):
    """One's own sign-ins, the latest used first."""

    items: list[SignInOut]


class SecondFactorOut(Answer):
    """How one stands with a second factor."""

    since: AwareDatetime | None = Field(description="Null: there is none in force.")
    recovery_codes: int = Field(description="How many are left.")


class SecondFactorIn(Said):
    """Whoever begins has to be who signed in."""

    present: Password = Field(description="The present password.")


class EnrolmentOut(Answer):
    """What the authenticator app is told, once."""

    secret: str = Field(description="To type in.", examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    uri: str = Field(description="To draw as a QR code.", examples=["otpauth://totp/Followthrough:ines..."])


class OtpIn(Said):
    """A code of the app."""

    otp: Otp


class ProofIn(Said):
    """A code of the app, or a recovery code."""

    otp: Otp = Field(description="Six digits of the app, or a recovery code.")


class RecoveryCodesOut(Answer):
    """Codes that stand in for the app, each once; told this once."""

    codes: list[str] = Field(examples=[["7KQ4-M2XD-0HT1"]])


class SignInRulesIn(Said):
    """What the clinic asks of its staff."""

    second_factor_required: Flagged


class SignInRulesOut(Answer):
    """What the clinic asks of its staff."""

    second_factor_required: bool
