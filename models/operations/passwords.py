"""Passwords: which are taken, how they are changed, and links that set one.

The rules are those of NIST SP 800-63B-4, 3.1.1.2: fifteen characters, since a password may be the only factor; no rules
of composition; nothing that is common or follows from whose account it is. They are judged and hashed outside of any
transaction, for both take their time.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from zxcvbn import zxcvbn

from models.operations.announcements import announce_reset
from models.operations.callers import Caller
from models.operations.credentials import HeldToken, as_typed, hash_password, read_token
from models.operations.links import drop_links, issue_link
from models.operations.revocations import revoke_sign_ins
from models.operations.second_factors import own_account
from models.operations.sign_ins import email_key, may_sign_in
from models.operations.throttles import (
    PER_MAILED_NAME,
    PER_PROVEN_NAME,
    count_failure,
    refuse_if_spent,
    throttle_keys,
)
from models.operations.walls import within
from models.refusals import Invalid, InvalidGrant, NoPassword, Refusal
from models.tables import Account, Clinic, PasswordLink

MIN_PASSWORD, MAX_PASSWORD = 15, 128
"""Characters, as typed (NFC)."""
FEWEST_GUESSES = 10**10
"""What zxcvbn calls safely unguessable (its score 4). It knows 30,000 leaked passwords, common words, names, keyboard
rows, repeats and dates, and is told whose account it is.
"""
PRODUCT = "followthrough"
INVITED_FOR = timedelta(days=7)
_JUDGED = 72
"""Characters from the beginning that are judged; what follows them makes nothing weaker."""
_one_at_a_time = Lock()


def check_password(password: str, about: Sequence[str]) -> None:
    """Refuse what is too short, too long, common, or follows from what is known `about` its owner."""
    typed = as_typed(password)
    if not MIN_PASSWORD <= len(typed) <= MAX_PASSWORD:
        raise Invalid(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.", field="/password")
    words = _words(about)
    # What belongs to the account is worth nothing: zxcvbn alone takes three known words in a row for a good password.
    rest = re.sub("|".join(re.escape(word) for word in words), "", typed, flags=re.IGNORECASE)[:_JUDGED]
    with _one_at_a_time:  # zxcvbn keeps the words it is told where every thread finds them
        guesses = zxcvbn(rest, user_inputs=words, max_length=_JUDGED)["guesses"] if rest else 0
    if guesses < FEWEST_GUESSES:
        raise Invalid(
            "This password is too easy to guess: it is common, repeats itself, or is made of names and words that "
            "belong to this account. A sentence of your own is good.",
            field="/password",
        )


def kept(password: str, about: Sequence[str]) -> str:
    """What is kept of a password that the rules take."""
    check_password(password, about)
    return hash_password(password)


def about_new_staff(tx: Session, clinic_id: UUID, name: str, email: str) -> list[str]:
    """What the password of a new member of staff must not be made of."""
    within(tx, clinic_id)
    return [name, email, *tx.scalars(select(Clinic.name).where(Clinic.id == clinic_id)).all()]


def present_hash(tx: Session, caller: Caller, *, address: str, now: datetime) -> tuple[str, list[str]]:
    """What the caller's password must fit, before a deed that asks for it again, and what is known about them;
    refuses when the failures allowed are spent.
    """
    refuse_if_spent(tx, _keys(caller, address), now)
    account = own_account(tx, caller)
    if account.password_hash is None:
        raise NoPassword("This account has no password.")
    return account.password_hash, about_new_staff(tx, caller.clinic_id, account.name, account.email or "")


def count_misfit(tx: Session, caller: Caller, *, address: str, now: datetime) -> Refusal:
    """Count a present password that did not fit; the refusal to answer with."""
    count_failure(tx, _keys(caller, address), now)
    return Invalid("This is not your present password.", field="/present")


def change(tx: Session, caller: Caller, fitted: str, password_hash: str, *, now: datetime) -> None:
    """Replace the caller's password, if it still is the one that `fitted`; every other sign-in ends."""
    account = own_account(tx, caller, lock=True)
    if account.password_hash != fitted:
        raise Invalid("This is not your present password any more.", field="/present")
    _replace(tx, account, password_hash, because="password_changed", but=caller.sign_in_id, now=now)


def count_request(tx: Session, email: str, *, address: str, now: datetime) -> None:
    """Count one wish for a link, whoever has the address; refuses when there were too many."""
    keys = throttle_keys("reset", name=email_key(email), address=address, per_name=PER_MAILED_NAME)
    refuse_if_spent(tx, keys, now)
    count_failure(tx, keys, now)


def mail_links(tx: Session, email: str, *, now: datetime) -> int:
    """Have a link mailed for every account that `email` may sign in to."""
    found = may_sign_in(tx, email, None)
    for candidate in found:
        within(tx, candidate.clinic_id)
        announce_reset(tx, candidate.clinic_id, candidate.account_id, now=now)
    return len(found)


def invite(tx: Session, account: Account, *, now: datetime) -> tuple[HeldToken, datetime]:
    """A link for a member of staff, to be handed on, and until when it works; their earlier ones stop working."""
    drop_links(tx, account.clinic_id, account.id)
    until = now + INVITED_FOR
    return issue_link(tx, account.clinic_id, account.id, until=until, now=now), until


def about_link(tx: Session, token: str, *, address: str, now: datetime) -> list[str] | None:
    """What is known about whom a link is for; None if it is not valid."""
    refuse_if_spent(tx, _link_keys(token, address), now)
    account = _linked(tx, token, now=now)
    return about_new_staff(tx, account.clinic_id, account.name, account.email or "") if account is not None else None


def set_by_link(tx: Session, token: str, password_hash: str | None, *, address: str, now: datetime) -> Refusal | None:
    """Set the password a link is for, once; every sign-in ends. A second factor is asked for as before."""
    account = _linked(tx, token, now=now, lock=True) if password_hash is not None else None
    if account is None:
        count_failure(tx, _link_keys(token, address), now)
        return InvalidGrant("The link is not valid, was used or has expired; ask for another.", field="/token")
    assert password_hash is not None  # or nobody was looked for
    _replace(tx, account, password_hash, because="password_reset", but=None, now=now)
    return None


def _replace(
    tx: Session, account: Account, password_hash: str, *, because: str, but: UUID | None, now: datetime
) -> None:
    account.password_hash = password_hash
    drop_links(tx, account.clinic_id, account.id)
    revoke_sign_ins(tx, account.clinic_id, account.id, because=because, but=but, now=now)


def _linked(tx: Session, token: str, *, now: datetime, lock: bool = False) -> Account | None:
    held = read_token(token)
    if held is None:
        return None
    within(tx, held.clinic_id)
    # The account first, as whoever changes its password does: the link is looked for once it is held.
    link = select(PasswordLink.account_id).where(
        PasswordLink.clinic_id == held.clinic_id, PasswordLink.hash == held.hash, PasswordLink.expires_at > now
    )
    account_id = tx.scalars(link).one_or_none()
    if account_id is None:
        return None
    stmt = (
        select(Account)
        .where(Account.clinic_id == held.clinic_id, Account.id == account_id, Account.disabled_at.is_(None))
        .execution_options(populate_existing=True)
    )
    if not lock:
        return tx.scalars(stmt).one_or_none()
    account = tx.scalars(stmt.with_for_update(key_share=True)).one_or_none()
    return account if tx.scalars(link).one_or_none() is not None else None


def _keys(caller: Caller, address: str) -> list[tuple[str, int]]:
    return throttle_keys("password", name=caller.account_id.hex, address=address, per_name=PER_PROVEN_NAME)


def _link_keys(token: str, address: str) -> list[tuple[str, int]]:
    return throttle_keys("link", name=token, address=address)


def _words(about: Sequence[str]) -> list[str]:
    """Each text by itself and word by word, the longest first; shorter words than three letters give nothing away."""
    parts = {part for text in [PRODUCT, *about] for part in (text, *re.split(r"[\W_]+", text))}
    return sorted({part.casefold() for part in parts if len(part) >= 3}, key=lambda part: (-len(part), part))
