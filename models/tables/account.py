"""Accounts and what proves that a caller holds one: logins, sign-ins, tokens, devices."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import TENANT, Base, Identified, Tenant, lookup, of, of_clinic


class Role(StrEnum):
    """What an account is."""

    ADMIN = "admin"
    THERAPIST = "therapist"
    PATIENT = "patient"
    PROXY = "proxy"
    """A carer, for one named patient."""
    INTEGRATION = "integration"
    """Another system, within its scopes."""
    AUDITOR = "auditor"
    """Reads, and writes nothing."""


STAFF = frozenset({Role.ADMIN, Role.THERAPIST, Role.AUDITOR})
"""Who signs in with a password."""


class TokenKind(StrEnum):
    """What a token is good for."""

    ACCESS = "access"
    REFRESH = "refresh"


class Account(Identified, Base, kw_only=True):
    """Someone who can log in: staff by password, a patient by the device they were invited on."""

    __tablename__ = "account"
    __table_args__ = (of_clinic(), {"info": TENANT})

    role: Mapped[Role]
    name: Mapped[str]
    email: Mapped[str | None] = mapped_column(default=None)
    password_hash: Mapped[str | None] = mapped_column(default=None)
    scopes: Mapped[list[str] | None] = mapped_column(default=None)
    """What an integration may do; None: it is not one."""
    second_factor_since: Mapped[datetime | None] = mapped_column(default=None)
    """From then on a password alone opens nothing."""
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None] = mapped_column(default=None)


class Login(Base, kw_only=True):
    """Where an e-mail address has an account; one address may have one in each of several clinics."""

    __tablename__ = "login"
    __table_args__ = {"info": lookup("email_key")}

    email_key: Mapped[str] = mapped_column(primary_key=True)
    """The address, case-folded."""
    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]


class Device(Identified, Base, kw_only=True):
    """A phone a patient was invited on."""

    __tablename__ = "device"
    __table_args__ = (
        of("account", "account_id"),
        Index("ix_device_account", "clinic_id", "account_id"),
        {"info": TENANT},
    )

    account_id: Mapped[UUID]
    name: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    last_sync_at: Mapped[datetime | None] = mapped_column(default=None)
    """The last push, pull or first screen, give or take an hour."""
    skew_seconds: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """How far the phone's clock was behind ours (negative: ahead) when it last said."""
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)
    revoked_by: Mapped[UUID | None] = mapped_column(default=None)


class Contact(Tenant, Base, kw_only=True):
    """The first moment of a local day at which a phone of the patient was in touch: it proves that nothing more is on
    its way. One a day is enough, since thresholds open at the end of a day.
    """

    __tablename__ = "contact"
    __table_args__ = (of("patient", "patient_id"), {"info": TENANT})

    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    local_date: Mapped[date] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    device_id: Mapped[UUID]


class SignIn(Identified, Base, kw_only=True):
    """One proven login and every token descended from it; revoking it revokes them all."""

    __tablename__ = "sign_in"
    __table_args__ = (
        of("account", "account_id"),
        of("device", "device_id"),
        Index("ix_sign_in_account", "clinic_id", "account_id"),
        {"info": TENANT},
    )

    account_id: Mapped[UUID]
    device_id: Mapped[UUID | None] = mapped_column(default=None)
    scopes: Mapped[list[str] | None] = mapped_column(default=None)
    """What an integration asked for, of what its account may; None: it is not one."""
    address: Mapped[str | None] = mapped_column(default=None)
    """The network address it was opened from."""
    agent: Mapped[str | None] = mapped_column(default=None)
    """What the browser or app called itself."""
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)
    revoked_because: Mapped[str | None] = mapped_column(default=None)


class Token(Tenant, Base, kw_only=True):
    """An access or refresh token, of which only the SHA-256 is kept."""

    __tablename__ = "token"
    __table_args__ = (
        of("sign_in", "sign_in_id"),
        Index("ix_token_sign_in", "clinic_id", "sign_in_id"),
        CheckConstraint("(used_at IS NULL) = (successor_sealed IS NULL)", "used_with_successor"),
        {"info": TENANT},
    )

    hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    kind: Mapped[TokenKind]
    sign_in_id: Mapped[UUID]
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)
    """When a refresh token was first exchanged; a second time is a theft or a lost answer."""
    successor_sealed: Mapped[bytes | None] = mapped_column(LargeBinary(32), default=None)
    """The token it was exchanged for, readable only by who holds this one."""


class SecondFactor(Tenant, Base, kw_only=True):
    """What an account's authenticator app and we both know. It counts once the account says since when."""

    __tablename__ = "second_factor"
    __table_args__ = (of("account", "account_id"), {"info": TENANT})

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    """The secret, readable only with a key that is not in the database."""
    created_at: Mapped[datetime]
    last_step: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """The time step of the last code taken: neither it nor an earlier one is taken again."""


class RecoveryCode(Tenant, Base, kw_only=True):
    """A code that stands in for the app, once: it is deleted when it is used. Only the SHA-256 is kept."""

    __tablename__ = "recovery_code"
    __table_args__ = (of("account", "account_id"), {"info": TENANT})

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)


class PasswordLink(Tenant, Base, kw_only=True):
    """A token that sets an account's password, once: it is deleted when it is used. Only the SHA-256 is kept."""

    __tablename__ = "password_link"
    __table_args__ = (
        of("account", "account_id"),
        Index("ix_password_link_account", "clinic_id", "account_id"),
        {"info": TENANT},
    )

    hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    account_id: Mapped[UUID]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Throttle(Base, kw_only=True):
    """Failed attempts counted by what was attempted; nothing personal, the key is a digest."""

    __tablename__ = "throttle"
    __table_args__ = {"info": lookup("key")}

    key: Mapped[str] = mapped_column(primary_key=True)
    window_started_at: Mapped[datetime]
    failures: Mapped[int]


class Reply(Tenant, Base, kw_only=True):
    """What was answered to a creating request with an Idempotency-Key, to be said again if it is repeated."""

    __tablename__ = "reply"
    __table_args__ = (of("account", "account_id"), {"info": TENANT})

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    resource_id: Mapped[UUID]
    """What the first request created; the repeat reads it again."""
    created_at: Mapped[datetime]
