"""Other systems: letting them in with public keys and scopes, their tokens, and shutting them out."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, delete, func, select
from sqlalchemy.orm import Session

from models.database import insert_for
from models.operations.assertions import LEEWAY, Assertion, fault_of_key, fits, is_signed, read_assertion
from models.operations.callers import Caller
from models.operations.ids import new_id
from models.operations.policy import SCOPES
from models.operations.revocations import revoke_sign_ins
from models.operations.sign_ins import open_for_client
from models.operations.throttles import count_failure, refuse_if_spent, throttle_keys
from models.operations.walls import within
from models.refusals import (
    Invalid,
    InvalidClient,
    InvalidScope,
    Refusal,
    TooManyClients,
    Unknown,
    VersionMismatch,
    WrongStatus,
)
from models.tables import Account, Client, Clinic, Role, SignIn, Token, UsedAssertion

MOST = 20
"""Clients a clinic may have, those shut out not counted."""
MOST_KEYS = 5
"""Keys a client may have: the one in use, the next, and a few machines."""
TOKEN_LASTS = timedelta(minutes=5)
"""As SMART Backend Services ask; there is no refresh token, the client proves itself again."""
PREFIX = "ftc_"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDraft:
    """What an admin says of another system."""

    name: str
    scopes: Sequence[str]
    keys: Sequence[dict[str, str]]
    """Public keys as JWKs."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A client, and the account it acts as."""

    client: Client
    account: Account


@dataclass(frozen=True, slots=True)
class ClientToken:
    """What a client that proved itself gets."""

    access: str
    lasts: timedelta
    scopes: Sequence[str]
    clinic_id: UUID
    account_id: UUID


def public_id(clinic_id: UUID, client_id: UUID) -> str:
    """What a client calls itself: it carries its clinic's id, so that the look-up is routed."""
    return PREFIX + base64.urlsafe_b64encode(clinic_id.bytes + client_id.bytes).decode().rstrip("=")


def read_public_id(text: object) -> tuple[UUID, UUID] | None:
    """The clinic's and the client's id, or None if it cannot be what a client calls itself."""
    if not isinstance(text, str) or not text.startswith(PREFIX):
        return None
    try:
        raw = base64.b64decode(text.removeprefix(PREFIX) + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return (UUID(bytes=raw[:16]), UUID(bytes=raw[16:])) if len(raw) == 32 else None


def clients(tx: Session, caller: Caller) -> Sequence[Registered]:
    """The clinic's clients, the latest first, those shut out last."""
    stmt = _visible(caller).order_by(Client.revoked_at.is_not(None), Client.id.desc()).limit(100)
    return [Registered(known, account) for known, account in tx.execute(stmt)]


def client(tx: Session, caller: Caller, client_id: UUID) -> Registered:
    """One client."""
    return _one(tx, caller, client_id)


def create_client(tx: Session, caller: Caller, said: ClientDraft, *, now: datetime) -> Registered:
    """Let another system in, with the account it acts as."""
    _check(said)
    # Two at once must not both be the last that fits.
    tx.execute(select(Clinic.id).where(Clinic.id == caller.clinic_id).with_for_update(key_share=True))
    live = select(func.count()).where(Client.clinic_id == caller.clinic_id, Client.revoked_at.is_(None))
    if tx.scalars(live).one() >= MOST:
        raise TooManyClients(f"A clinic has at most {MOST} clients; shut one out first.")
    account = Account(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        role=Role.INTEGRATION,
        name=said.name,
        scopes=sorted(set(said.scopes)),
        created_at=now,
    )
    tx.add(account)
    tx.flush()  # the client's foreign key needs it
    made = Client(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        account_id=account.id,
        keys=list(said.keys),
        created_by=caller.account_id,
        created_at=now,
    )
    tx.add(made)
    tx.flush()  # the answer to a repeated request is found by its id
    return Registered(made, account)


def amend_client(
    tx: Session, caller: Caller, client_id: UUID, said: ClientDraft, *, version: int, now: datetime
) -> Registered:
    """Replace what is said of a client. Scopes taken away are out of its tokens at once; where the keys change, tokens
    end, since the old keys proved them.
    """
    known = _one(tx, caller, client_id, lock=True)
    if known.client.version != version:
        raise VersionMismatch("Someone changed this client meanwhile; read it again.")
    if known.client.revoked_at is not None:
        raise WrongStatus("This client was shut out for good; register a new one.")
    _check(said)
    if known.client.keys != list(said.keys):
        revoke_sign_ins(tx, known.client.clinic_id, known.client.account_id, because="client_keys_changed", now=now)
    known.account.name, known.account.scopes = said.name, sorted(set(said.scopes))
    known.client.keys = list(said.keys)
    known.client.version += 1
    return known


def revoke_client(tx: Session, caller: Caller, client_id: UUID, *, now: datetime) -> None:
    """Shut a client out, at once and for good. What it wrote stays."""
    known = _one(tx, caller, client_id, lock=True)
    if known.client.revoked_at is None:
        known.client.revoked_at, known.client.revoked_by = now, caller.account_id
        known.client.version += 1
        known.account.disabled_at = now
        revoke_sign_ins(tx, known.client.clinic_id, known.client.account_id, because="client_revoked", now=now)


def sign_in(
    tx: Session, presented: str, client_id: str | None, scope: str | None, *, audience: str, address: str, now: datetime
) -> ClientToken | Refusal:
    """Exchange an assertion, once, for a token within `scope` (space-separated; None: all the client was given).

    `audience` is our token endpoint; `client_id`, where it is said beside the assertion, names the same client. Every
    failure to prove itself is answered alike. A refusal is returned, not raised: it must leave its trace.
    """
    assertion = read_assertion(presented)
    named = read_public_id(assertion.claims.get("sub")) if assertion else None
    keys = throttle_keys("client", name=public_id(*named) if named else "", address=address)
    refuse_if_spent(tx, keys, now)
    known = _proved(tx, assertion, *named, client_id, audience, now) if assertion and named else None
    if known is None:
        count_failure(tx, keys, now)
        return InvalidClient("The client is unknown or shut out, or its assertion does not prove who it is.")
    given = known.account.scopes or []
    asked = sorted(set(scope.split())) if scope else given
    if not set(asked) <= set(given):
        return InvalidScope("Not every scope asked for was given to this client.", field="/scope")
    home, account_id = known.account.clinic_id, known.account.id
    access = open_for_client(tx, home, account_id, asked, TOKEN_LASTS, now)
    return ClientToken(access, TOKEN_LASTS, asked, clinic_id=home, account_id=account_id)


def forget_assertions(tx: Session, clinic_id: UUID, *, now: datetime) -> None:
    """Drop assertions that nobody can use again, and sign-ins of clients whose tokens are forgotten: there would be
    hundreds a day.
    """
    # Another machine's clock may be behind ours.
    old = UsedAssertion.expires_at < now - LEEWAY
    tx.execute(delete(UsedAssertion).where(UsedAssertion.clinic_id == clinic_id, old))
    tokens = select(Token.hash).where(Token.clinic_id == SignIn.clinic_id, Token.sign_in_id == SignIn.id)
    tx.execute(
        delete(SignIn).where(
            SignIn.clinic_id == clinic_id,
            SignIn.scopes.is_not(None),
            SignIn.created_at < now - timedelta(days=1),
            ~tokens.exists(),
        )
    )


def _proved(
    tx: Session, assertion: Assertion, home: UUID, known_as: UUID, client_id: str | None, audience: str, now: datetime
) -> Registered | None:
    """The client that an assertion proves is calling; the assertion is used up by that."""
    within(tx, home)
    text = public_id(home, known_as)
    row = tx.execute(
        _with_account(home).where(Client.id == known_as, Client.revoked_at.is_(None), Account.disabled_at.is_(None))
    ).one_or_none()
    if (
        row is None
        or client_id not in {None, text}
        or not fits(assertion, client_id=text, audience=audience, now=now)
        or not is_signed(assertion, row[0].keys)
    ):
        return None
    # Half a character is no UTF-8, and is an id all the same.
    jti_hash = sha256(assertion.claims["jti"].encode(errors="surrogatepass")).digest()
    use: dict[str, Any] = {"clinic_id": home, "client_id": known_as, "jti_hash": jti_hash}
    used = insert_for(tx, UsedAssertion).values(**use, expires_at=assertion.expires_at).on_conflict_do_nothing()
    first = tx.execute(used.returning(UsedAssertion.client_id)).first() is not None
    return Registered(*row) if first else None


def _check(said: ClientDraft) -> None:
    for place, scope in enumerate(said.scopes):
        if scope not in SCOPES:
            raise Invalid(f"No such scope; there are {', '.join(SCOPES)}.", field=f"/scopes/{place}")
    for place, jwk in enumerate(said.keys):
        fault = fault_of_key(jwk)
        if fault is not None:
            raise Invalid(fault, field=f"/keys/{place}")
    named = [jwk["kid"] for jwk in said.keys if "kid" in jwk]
    if len(set(named)) < len(named):
        raise Invalid("Two keys have the same `kid`.", field="/keys")


def _with_account(clinic_id: UUID) -> Select[Client, Account]:
    return (
        select(Client, Account)
        .join(Account, and_(Account.clinic_id == Client.clinic_id, Account.id == Client.account_id))
        .where(Client.clinic_id == clinic_id)
    )


def _visible(caller: Caller) -> Select[Client, Account]:
    return _with_account(caller.clinic_id)


def _one(tx: Session, caller: Caller, client_id: UUID, *, lock: bool = False) -> Registered:
    stmt = _visible(caller).where(Client.id == client_id).execution_options(populate_existing=True)
    row = tx.execute(stmt.with_for_update() if lock else stmt).one_or_none()
    if row is None:
        raise Unknown(f"No client {client_id}.")
    return Registered(*row)
