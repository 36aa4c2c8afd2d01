"""Who is asking."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from models.operations.credentials import read_token
from models.operations.walls import within
from models.refusals import NotSignedIn
from models.tables import Account, Clinic, Device, Patient, Proxy, Role, SignIn, Token, TokenKind

PATIENTS_SIDE = frozenset({Role.PATIENT, Role.PROXY})
SECOND_FACTOR_REQUIRED = "second_factor_required"
"""The clinic's setting: whoever signs in by password needs a second factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Someone identified, for operations to decide what they may see and do."""

    clinic_id: UUID
    account_id: UUID
    role: Role
    name: str
    sign_in_id: UUID | None = None
    patient_id: UUID | None = None
    """Set for patients and their carers, who see nothing but this record."""
    device_id: UUID | None = None
    last_sync_at: datetime | None = None
    """When their phone was last in touch, as it was written down."""
    skew_seconds: int | None = None
    """How far their phone's clock was behind ours then."""
    shares_caseloads: bool = False
    """Whether the clinic lets every therapist see every patient."""
    scopes: frozenset[str] = frozenset()
    """What an integration was given, or as much of it as it asked for."""
    must_enrol: bool = False
    """Their clinic requires a second factor, and they have none: they may do nothing else before."""
    seen: set[UUID] = field(default_factory=set, compare=False, repr=False)
    """Whose records they saw or changed, for the audit trail."""
    refused: list[str] = field(default_factory=list, compare=False, repr=False)
    """Codes of the refusals whose transaction commits, since they are counted, for the audit trail."""

    @property
    def is_patients(self) -> bool:
        """Whether the caller stands on the patient's side: the patient, or the carer named for them."""
        return self.role in PATIENTS_SIDE


def _holder() -> Select[*tuple[Any, ...]]:
    """The holder of the access token `hash` of a clinic, if it is valid `now`."""
    cared_for = aliased(Patient)
    return (
        select(
            Account.id,
            Account.role,
            Account.name,
            SignIn.id,
            SignIn.device_id,
            func.coalesce(Patient.id, cared_for.id),
            Device.last_sync_at,
            Device.skew_seconds,
            Clinic.shares_caseloads,
            Account.scopes,
            SignIn.scopes,
            and_(
                Clinic.settings[SECOND_FACTOR_REQUIRED].as_boolean(),
                Account.password_hash.is_not(None),
                Account.second_factor_since.is_(None),
            ),
        )
        .select_from(Token)
        .join(SignIn, and_(SignIn.clinic_id == Token.clinic_id, SignIn.id == Token.sign_in_id))
        .join(Account, and_(Account.clinic_id == SignIn.clinic_id, Account.id == SignIn.account_id))
        .join(
            Patient,
            and_(
                Patient.clinic_id == Account.clinic_id, Patient.account_id == Account.id, Patient.deleted_at.is_(None)
            ),
            isouter=True,
        )
        .join(
            Proxy,
            and_(Proxy.clinic_id == Account.clinic_id, Proxy.account_id == Account.id, Proxy.ended_at.is_(None)),
            isouter=True,
        )
        .join(
            cared_for,
            and_(
                cared_for.clinic_id == Proxy.clinic_id,
                cared_for.id == Proxy.patient_id,
                cared_for.deleted_at.is_(None),
            ),
            isouter=True,
        )
        .join(Device, and_(Device.clinic_id == SignIn.clinic_id, Device.id == SignIn.device_id), isouter=True)
        .join(Clinic, Clinic.id == Account.clinic_id)
        .where(
            Token.clinic_id == bindparam("clinic_id"),
            Token.hash == bindparam("hash"),
            Token.kind == TokenKind.ACCESS,
            Token.expires_at > bindparam("now"),
            SignIn.revoked_at.is_(None),
            Account.disabled_at.is_(None),
            Device.revoked_at.is_(None),
        )
    )


_HOLDER = _holder()
"""Put together once: every request sends it."""


def identify(tx: Session, credential: str | None, now: datetime) -> Caller:
    """The holder of a valid access token."""
    token = read_token(credential)
    if token is None:
        raise NotSignedIn("Sign in first: this needs a bearer token.")
    within(tx, token.clinic_id)
    row = tx.execute(_HOLDER, {"clinic_id": token.clinic_id, "hash": token.hash, "now": now}).one_or_none()
    if row is None or (row[1] in PATIENTS_SIDE and row[5] is None):
        raise NotSignedIn("The token is unknown, expired or revoked; sign in again.")
    account_id, role, name, sign_in_id, device_id, patient_id, last_sync_at, skew_seconds = row[:8]
    shares, given, asked, must_enrol = row[8:]
    return Caller(
        clinic_id=token.clinic_id,
        account_id=account_id,
        role=role,
        name=name,
        sign_in_id=sign_in_id,
        patient_id=patient_id,
        device_id=device_id,
        last_sync_at=last_sync_at,
        skew_seconds=skew_seconds,
        shares_caseloads=shares,
        # What is taken from an integration is out of its tokens at once.
        scopes=frozenset(given or ()) & frozenset(given or () if asked is None else asked),
        must_enrol=bool(must_enrol),
    )
