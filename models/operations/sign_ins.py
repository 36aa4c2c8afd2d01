"""Signing in and staying signed in: password and second factor, invitation code, refresh; which sign-ins there are.

A refusal that must leave a trace (a counted failure, a revoked family) is returned, not raised, so that the
transaction it is recorded in commits; the door raises it afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import Session

from models.operations.callers import PATIENTS_SIDE, Caller
from models.operations.credentials import HeldToken, code_hash, fits, new_token, read_token
from models.operations.ids import new_id
from models.operations.sealing import NO_KEY, Seal
from models.operations.second_factors import prove
from models.operations.throttles import count_failure, refuse_if_spent, throttle_keys
from models.operations.walls import within
from models.refusals import InvalidGrant, OtpRequired, Refusal, Unknown, WhichClinic
from models.tables import (
    STAFF,
    Account,
    Clinic,
    Device,
    Invitation,
    InvitationCode,
    Login,
    Patient,
    Proxy,
    Role,
    SignIn,
    Token,
    TokenKind,
)

ACCESS_LASTS = timedelta(minutes=15)
STAFF_REFRESH_LASTS = timedelta(days=7)
PATIENT_REFRESH_LASTS = timedelta(days=180)
"""A phone may lie in a drawer over a holiday without being locked out."""
GRACE = timedelta(seconds=60)
"""A refresh repeated this soon is a lost answer, not a theft: it gets the same successor."""
REUSED = "refresh_token_reused"
"""Why a sign-in ended whose refresh token somebody had a copy of."""
INVITATION_TRIES = 5
LONGEST_AGENT = 200
"""Characters of a User-Agent that are kept."""
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a successful sign-in or refresh hands out."""

    access: str
    refresh: str
    access_lasts: timedelta
    clinic_id: UUID
    account_id: UUID


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account an e-mail might belong to, before the password was checked."""

    clinic_id: UUID
    clinic_name: str
    account_id: UUID
    password_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSignIn:
    """A sign-in that still works."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    """When its newest token was given out."""
    address: str | None
    agent: str | None
    device_id: UUID | None
    is_this: bool
    """The one that asks."""


def email_key(email: str) -> str:
    """How an address is looked up."""
    return email.strip().casefold()


def candidates(tx: Session, email: str, clinic_id: UUID | None, *, address: str, now: datetime) -> list[Candidate]:
    """Accounts that `email` may sign in to; refuses when the failures allowed are spent."""
    refuse_if_spent(tx, throttle_keys("login", name=email_key(email), address=address), now)
    return may_sign_in(tx, email, clinic_id)


def may_sign_in(tx: Session, email: str, clinic_id: UUID | None) -> list[Candidate]:
    """Staff accounts of an address that are not disabled, in any clinic or in one."""
    logins = tx.execute(select(Login.clinic_id, Login.account_id).where(Login.email_key == email_key(email)))
    found = []
    # Nobody is looked for too, so that an unknown address costs as many statements.
    for home, account_id in [(row[0], row[1]) for row in logins] or [(_NOBODY, _NOBODY)]:
        within(tx, home)
        row = tx.execute(
            select(Account.password_hash, Clinic.name)
            .join(Clinic, Clinic.id == Account.clinic_id)
            .where(
                Account.clinic_id == home,
                Account.id == account_id,
                Account.disabled_at.is_(None),
                Account.role.in_(STAFF),
            )
        ).one_or_none()
        if row is not None and clinic_id in {None, home}:
            found.append(Candidate(home, row[1], account_id, row[0]))
    return found


def choose(found: list[Candidate], password: str) -> Candidate | None:
    """The one candidate the password fits. Touches no database: hashing is slow, locks are precious."""
    fitting = [candidate for candidate in found if fits(password, candidate.password_hash)]
    if not found:
        fits(password, None)
    if len(fitting) > 1:
        raise WhichClinic(
            "This login fits accounts in several clinics; say which with clinic_id.",
            field="/clinic_id",
            clinics=[{"clinic_id": str(one.clinic_id), "name": one.clinic_name} for one in fitting],
        )
    return fitting[0] if fitting else None


def sign_in(
    tx: Session,
    chosen: Candidate | None,
    email: str,
    *,
    address: str,
    agent: str | None = None,
    otp: str | None = None,
    seal: Seal = NO_KEY,
    now: datetime,
) -> Tokens | Refusal:
    """Open a sign-in for the account whose password fitted, if the second factor fits too; or count the failure. That
    there is a second factor is told only to whom the password fitted.
    """
    account = _still(tx, chosen) if chosen is not None else None
    if account is None:
        count_failure(tx, throttle_keys("login", name=email_key(email), address=address), now)
        return InvalidGrant("The e-mail or the password is wrong.")
    if account.second_factor_since is not None:
        if not otp:
            return OtpRequired("Say also the code of the authenticator app, or a recovery code, as otp.", field="/otp")
        refused = prove(tx, account.clinic_id, account.id, seal, otp, address=address, now=now)
        if refused is not None:
            return refused
    lasts = STAFF_REFRESH_LASTS
    return _open(tx, account.clinic_id, account.id, None, lasts, now, address=address, agent=agent)


def redeem(
    tx: Session,
    code: str,
    birth_date: date | None,
    device_name: str,
    *,
    address: str,
    agent: str | None = None,
    now: datetime,
) -> Tokens | Refusal:
    """Exchange an invitation code, once, for tokens bound to a new device of the patient.

    Where the record holds a birth date it must be given too: a letter in the wrong hands opens nothing. Every
    failure is answered alike.
    """
    hashed = code_hash(code)
    keys = throttle_keys("invitation", name=hashed.hex(), address=address)
    refuse_if_spent(tx, keys, now)
    refused = InvalidGrant("The code is not valid, was used or has expired, or the birth date does not fit.")
    found = tx.execute(
        select(InvitationCode.clinic_id, InvitationCode.invitation_id).where(InvitationCode.code_hash == hashed)
    ).one_or_none()
    patient = invitation = None
    if found is not None:
        within(tx, found[0])
        # The patient first, as in `invite`: two that lock in turn must lock in the same order.
        whose = select(Invitation.patient_id).where(Invitation.clinic_id == found[0], Invitation.id == found[1])
        patient = tx.scalars(
            select(Patient)
            .where(Patient.clinic_id == found[0], Patient.id == whose.scalar_subquery(), Patient.deleted_at.is_(None))
            .with_for_update()
        ).one_or_none()
        invitation = tx.scalars(
            select(Invitation).where(Invitation.clinic_id == found[0], Invitation.id == found[1]).with_for_update()
        ).one()
    if invitation is None or invitation.ended_at is not None or invitation.expires_at <= now:
        count_failure(tx, keys, now)
        return refused
    if patient is None or patient.birth_date not in {None, birth_date}:
        count_failure(tx, keys, now)
        invitation.failures += 1
        if invitation.failures >= INVITATION_TRIES:
            invitation.ended_at, invitation.ended_because = now, "too_many_tries"
        return refused
    invitation.ended_at, invitation.ended_because = now, "used"
    if invitation.proxy_id is None:
        account_id = _patients_account(tx, patient, now)
    else:
        carer = select(Proxy.account_id).where(Proxy.clinic_id == patient.clinic_id, Proxy.id == invitation.proxy_id)
        account_id = tx.scalars(carer).one()
    device = Device(
        clinic_id=patient.clinic_id,
        id=new_id(now),
        account_id=account_id,
        name=device_name,
        created_at=now,
        last_seen_at=now,
    )
    tx.add(device)
    tx.flush()  # the sign-in's foreign key needs it
    lasts = PATIENT_REFRESH_LASTS
    return _open(tx, patient.clinic_id, account_id, device.id, lasts, now, address=address, agent=agent)


def invited_by(tx: Session, code: str) -> tuple[UUID, UUID] | None:
    """The clinic, and the patient whose record an invitation code opens, or once did; None: it is nobody's."""
    found = tx.execute(
        select(InvitationCode.clinic_id, InvitationCode.invitation_id).where(
            InvitationCode.code_hash == code_hash(code)
        )
    ).one_or_none()
    if found is None:
        return None
    clinic_id, invitation_id = found
    within(tx, clinic_id)
    whose = select(Invitation.patient_id).where(Invitation.clinic_id == clinic_id, Invitation.id == invitation_id)
    return clinic_id, tx.scalars(whose).one()


def _patients_account(tx: Session, patient: Patient, now: datetime) -> UUID:
    """The patient's own login, made the first time one of theirs is invited in."""
    if patient.account_id is None:
        account = Account(
            clinic_id=patient.clinic_id,
            id=new_id(now),
            role=Role.PATIENT,
            name=f"{patient.given_name} {patient.family_name}",
            created_at=now,
        )
        tx.add(account)
        tx.flush()  # the patient's foreign key needs it
        patient.account_id = account.id
    return patient.account_id


def refresh(tx: Session, presented: str, now: datetime) -> Tokens | Refusal:
    """Exchange a refresh token for the next pair. A token used twice revokes everything descended from its
    sign-in, unless the second time comes within the grace: then the first answer was lost and is given again.
    """
    refused = InvalidGrant("The refresh token is unknown, expired or revoked; sign in again.")
    held = read_token(presented)
    if held is None:
        return refused
    within(tx, held.clinic_id)
    found = tx.execute(
        select(Token, SignIn, Account.role)
        .join(SignIn, and_(SignIn.clinic_id == Token.clinic_id, SignIn.id == Token.sign_in_id))
        .join(Account, and_(Account.clinic_id == SignIn.clinic_id, Account.id == SignIn.account_id))
        .join(Device, and_(Device.clinic_id == SignIn.clinic_id, Device.id == SignIn.device_id), isouter=True)
        .where(
            Token.clinic_id == held.clinic_id,
            Token.hash == held.hash,
            Token.kind == TokenKind.REFRESH,
            SignIn.revoked_at.is_(None),
            Account.disabled_at.is_(None),
            Device.revoked_at.is_(None),
        )
        .with_for_update(of=(SignIn, Token))  # a second refresh must see what the first one did
    ).one_or_none()
    if found is None:
        return refused
    token, signed_in, role = found
    if token.expires_at <= now:
        return refused
    if token.used_at is not None and token.successor_sealed is not None:
        if now - token.used_at > GRACE:
            signed_in.revoked_at, signed_in.revoked_because = now, REUSED
            return refused
        return Tokens(
            access=_issue(tx, signed_in, TokenKind.ACCESS, ACCESS_LASTS, now).text,
            refresh=held.unseal(token.successor_sealed).text,
            access_lasts=ACCESS_LASTS,
            clinic_id=signed_in.clinic_id,
            account_id=signed_in.account_id,
        )
    lasts = PATIENT_REFRESH_LASTS if role in PATIENTS_SIDE else STAFF_REFRESH_LASTS
    successor = _issue(tx, signed_in, TokenKind.REFRESH, lasts, now)
    token.used_at, token.successor_sealed = now, held.seal(successor)
    if signed_in.device_id is not None:
        tx.execute(
            update(Device)
            .where(Device.clinic_id == signed_in.clinic_id, Device.id == signed_in.device_id)
            .values(last_seen_at=now)
        )
    return Tokens(
        access=_issue(tx, signed_in, TokenKind.ACCESS, ACCESS_LASTS, now).text,
        refresh=successor.text,
        access_lasts=ACCESS_LASTS,
        clinic_id=signed_in.clinic_id,
        account_id=signed_in.account_id,
    )


def ended_by_reuse(tx: Session, presented: str, now: datetime) -> tuple[UUID, UUID] | None:
    """The clinic and the account of the sign-in that a refresh token, used again, has just ended; None: it has not."""
    held = read_token(presented)
    if held is None:
        return None
    within(tx, held.clinic_id)
    account_id = tx.scalars(
        select(SignIn.account_id)
        .join(Token, and_(Token.clinic_id == SignIn.clinic_id, Token.sign_in_id == SignIn.id))
        .where(
            Token.clinic_id == held.clinic_id,
            Token.hash == held.hash,
            SignIn.revoked_at == now,
            SignIn.revoked_because == REUSED,
        )
    ).one_or_none()
    return None if account_id is None else (held.clinic_id, account_id)


def sign_out(tx: Session, caller: Caller, now: datetime) -> None:
    """Revoke the sign-in the caller's token descends from."""
    tx.execute(
        update(SignIn)
        .where(SignIn.clinic_id == caller.clinic_id, SignIn.id == caller.sign_in_id)
        .values(revoked_at=now, revoked_because="signed_out")
    )


def open_for_client(
    tx: Session, clinic_id: UUID, account_id: UUID, scopes: Sequence[str], lasts: timedelta, now: datetime
) -> str:
    """The access token of another system that proved who it is: it proves it again when this one has expired."""
    signed_in = SignIn(clinic_id=clinic_id, id=new_id(now), account_id=account_id, scopes=list(scopes), created_at=now)
    tx.add(signed_in)
    tx.flush()  # the token's foreign key needs it
    return _issue(tx, signed_in, TokenKind.ACCESS, lasts, now).text


def open_sign_ins(tx: Session, caller: Caller, *, now: datetime) -> list[OpenSignIn]:
    """The caller's own, the latest used first: those a token of which still works."""
    newest = func.max(Token.issued_at)
    rows = tx.execute(
        select(SignIn, newest)
        .join(Token, and_(Token.clinic_id == SignIn.clinic_id, Token.sign_in_id == SignIn.id))
        .join(Device, and_(Device.clinic_id == SignIn.clinic_id, Device.id == SignIn.device_id), isouter=True)
        .where(
            SignIn.clinic_id == caller.clinic_id,
            SignIn.account_id == caller.account_id,
            SignIn.revoked_at.is_(None),
            Device.revoked_at.is_(None),
            Token.expires_at > now,
        )
        .group_by(SignIn.clinic_id, SignIn.id)
        .order_by(newest.desc(), SignIn.id.desc())
        .limit(100)
    )
    return [
        OpenSignIn(
            id=one.id,
            created_at=one.created_at,
            last_used_at=used,
            address=one.address,
            agent=one.agent,
            device_id=one.device_id,
            is_this=one.id == caller.sign_in_id,
        )
        for one, used in rows
    ]


def revoke_sign_in(tx: Session, caller: Caller, sign_in_id: UUID, now: datetime) -> None:
    """End one of the caller's own sign-ins; ended already, it stays as it is."""
    found = tx.scalars(
        select(SignIn)
        .where(SignIn.clinic_id == caller.clinic_id, SignIn.account_id == caller.account_id, SignIn.id == sign_in_id)
        .with_for_update()
    ).one_or_none()
    if found is None:
        raise Unknown(f"No sign-in {sign_in_id}.")
    if found.revoked_at is None:
        found.revoked_at, found.revoked_because = now, "revoked"


def forget_expired_tokens(tx: Session, clinic_id: UUID, now: datetime) -> None:
    """Drop tokens that stopped working a day ago or more."""
    tx.execute(delete(Token).where(is_expired(clinic_id, now)))


def is_expired(clinic_id: UUID, now: datetime) -> ColumnElement[bool]:
    """Whether a token stopped working a day ago or more."""
    return and_(Token.clinic_id == clinic_id, Token.expires_at < now - timedelta(days=1))


def _still(tx: Session, chosen: Candidate) -> Account | None:
    """The account, if the password that fitted is still its own. Held until the sign-in is there, so that whoever
    changes the password at this moment finds it and ends it.
    """
    within(tx, chosen.clinic_id)
    return tx.scalars(
        select(Account)
        .where(
            Account.clinic_id == chosen.clinic_id,
            Account.id == chosen.account_id,
            Account.password_hash == chosen.password_hash,
            Account.disabled_at.is_(None),
        )
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _open(
    tx: Session,
    clinic_id: UUID,
    account_id: UUID,
    device_id: UUID | None,
    refresh_lasts: timedelta,
    now: datetime,
    *,
    address: str | None = None,
    agent: str | None = None,
) -> Tokens:
    signed_in = SignIn(
        clinic_id=clinic_id,
        id=new_id(now),
        account_id=account_id,
        device_id=device_id,
        address=address,
        agent=_printable(agent),
        created_at=now,
    )
    tx.add(signed_in)
    tx.flush()  # the tokens' foreign key needs it
    return Tokens(
        access=_issue(tx, signed_in, TokenKind.ACCESS, ACCESS_LASTS, now).text,
        refresh=_issue(tx, signed_in, TokenKind.REFRESH, refresh_lasts, now).text,
        access_lasts=ACCESS_LASTS,
        clinic_id=clinic_id,
        account_id=account_id,
    )


def _printable(agent: str | None) -> str | None:
    return "".join(letter for letter in agent if letter.isprintable())[:LONGEST_AGENT] if agent else None


def _issue(tx: Session, signed_in: SignIn, kind: TokenKind, lasts: timedelta, now: datetime) -> HeldToken:
    held = new_token(signed_in.clinic_id)
    tx.add(
        Token(
            clinic_id=signed_in.clinic_id,
            hash=held.hash,
            kind=kind,
            sign_in_id=signed_in.id,
            issued_at=now,
            expires_at=now + lasts,
        )
    )
    return held
