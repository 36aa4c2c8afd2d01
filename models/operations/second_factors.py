"""The second factor: an authenticator app's codes (RFC 6238), and recovery codes for when it is lost.

As in `sign_ins`, a refusal that must leave a trace is returned, not raised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from uuid import UUID

from pyotp import TOTP
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.credentials import code_hash, new_code, new_shared_secret
from models.operations.revocations import revoke_sign_ins
from models.operations.sealing import Seal
from models.operations.throttles import PER_PROVEN_NAME, count_failure, refuse_if_spent, throttle_keys
from models.refusals import InvalidGrant, NoSecondFactor, Refusal, SecondFactorOn
from models.tables import Account, RecoveryCode, SecondFactor

STEP_SECONDS = 30
RECOVERY_CODES = 10
ISSUER = "Followthrough"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the app is told, once."""

    secret: str
    uri: str
    """The same as an `otpauth:` URI, for a QR code."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands with its second factor."""

    since: datetime | None
    recovery_codes: int
    """How many are left."""


def standing(tx: Session, caller: Caller) -> Standing:
    """The caller's own."""
    left = select(func.count()).where(
        RecoveryCode.clinic_id == caller.clinic_id, RecoveryCode.account_id == caller.account_id
    )
    return Standing(own_account(tx, caller).second_factor_since, tx.scalars(left).one())


def begin(tx: Session, caller: Caller, seal: Seal, *, now: datetime) -> Enrolment:
    """Draw a secret for the caller's app. It counts once a code proves that it arrived; drawn again, it is another."""
    account = own_account(tx, caller, lock=True)
    if account.second_factor_since is not None:
        raise SecondFactorOn("This account has a second factor; take it off first.")
    secret = new_shared_secret()
    sealed = seal.close(secret.encode(), _place(caller.clinic_id, caller.account_id))
    _drop(tx, SecondFactor, caller.clinic_id, caller.account_id)
    tx.add(SecondFactor(clinic_id=caller.clinic_id, account_id=caller.account_id, sealed=sealed, created_at=now))
    return Enrolment(secret, TOTP(secret, name=account.email or account.name, issuer=ISSUER).provisioning_uri())


def confirm(
    tx: Session, caller: Caller, seal: Seal, otp: str, *, address: str, now: datetime
) -> Sequence[str] | Refusal:
    """Put the caller's second factor into force by its first code; the recovery codes. Sign-ins that were opened by
    the password alone end, but for this one.
    """
    account = own_account(tx, caller, lock=True)
    if account.second_factor_since is not None:
        raise SecondFactorOn("This account has a second factor already.")
    factor, keys = _next_try(tx, caller.clinic_id, caller.account_id, address=address, now=now)
    if not _take(factor, seal, otp, now):
        return _count(tx, keys, now)
    account.second_factor_since = now
    revoke_sign_ins(
        tx, caller.clinic_id, caller.account_id, because="second_factor_added", but=caller.sign_in_id, now=now
    )
    return _new_codes(tx, caller)


def renew_codes(
    tx: Session, caller: Caller, seal: Seal, otp: str, *, address: str, now: datetime
) -> Sequence[str] | Refusal:
    """Fresh recovery codes; the earlier ones stop working."""
    _in_force(tx, caller)
    refused = prove(tx, caller.clinic_id, caller.account_id, seal, otp, address=address, now=now)
    return _new_codes(tx, caller) if refused is None else refused


def take_off(tx: Session, caller: Caller, seal: Seal, otp: str, *, address: str, now: datetime) -> Refusal | None:
    """End the caller's second factor; a recovery code will do."""
    account = _in_force(tx, caller)
    refused = prove(tx, caller.clinic_id, caller.account_id, seal, otp, address=address, now=now)
    if refused is None:
        forget(tx, account)
    return refused


def own_account(tx: Session, caller: Caller, *, lock: bool = False) -> Account:
    """The caller's account, perhaps held against whoever changes it at the same time."""
    stmt = select(Account).where(Account.clinic_id == caller.clinic_id, Account.id == caller.account_id)
    stmt = stmt.execution_options(populate_existing=True)
    return tx.scalars(stmt.with_for_update(key_share=True) if lock else stmt).one()


def forget(tx: Session, account: Account) -> None:
    """Drop an account's second factor and its recovery codes."""
    account.second_factor_since = None
    _drop(tx, SecondFactor, account.clinic_id, account.id)
    _drop(tx, RecoveryCode, account.clinic_id, account.id)


def prove(
    tx: Session, clinic_id: UUID, account_id: UUID, seal: Seal, otp: str, *, address: str, now: datetime
) -> Refusal | None:
    """Take a code of the account's app, or one of its recovery codes. Each is taken once."""
    factor, keys = _next_try(tx, clinic_id, account_id, address=address, now=now)
    is_taken = _take(factor, seal, otp, now) if _is_of_an_app(otp) else _spend(tx, clinic_id, account_id, otp)
    return None if is_taken else _count(tx, keys, now)


def _next_try(
    tx: Session, clinic_id: UUID, account_id: UUID, *, address: str, now: datetime
) -> tuple[SecondFactor, list[tuple[str, int]]]:
    """An account's second factor, and what a wrong code counts against; refuses when the failures allowed are spent.
    One at a time: of two with the same code the second must see the first, and no burst slips past the count.
    """
    factor = tx.scalars(
        select(SecondFactor)
        .where(SecondFactor.clinic_id == clinic_id, SecondFactor.account_id == account_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if factor is None:
        raise NoSecondFactor("Begin to enrol a second factor first.")
    keys = throttle_keys("otp", name=account_id.hex, address=address, per_name=PER_PROVEN_NAME)
    refuse_if_spent(tx, keys, now)
    return factor, keys


def _take(factor: SecondFactor, seal: Seal, otp: str, now: datetime) -> bool:
    totp = TOTP(seal.open(factor.sealed, _place(factor.clinic_id, factor.account_id)).decode())
    present = int(now.timestamp()) // STEP_SECONDS
    # One step to either side: clocks differ, and people type slowly (RFC 6238, 5.2).
    for step in (present, present - 1, present + 1):
        is_fresh = factor.last_step is None or step > factor.last_step
        if compare_digest(totp.generate_otp(step), _plain(otp)) and is_fresh:
            factor.last_step = step
            return True
    return False


def _spend(tx: Session, clinic_id: UUID, account_id: UUID, code: str) -> bool:
    spent = tx.execute(
        delete(RecoveryCode)
        .where(
            RecoveryCode.clinic_id == clinic_id,
            RecoveryCode.account_id == account_id,
            RecoveryCode.hash == _recovery_hash(account_id, code),
        )
        .returning(RecoveryCode.hash)
    )
    return spent.first() is not None


def _in_force(tx: Session, caller: Caller) -> Account:
    account = own_account(tx, caller, lock=True)
    if account.second_factor_since is None:
        raise NoSecondFactor("This account has no second factor.")
    return account


def _drop(tx: Session, table: type[SecondFactor | RecoveryCode], clinic_id: UUID, account_id: UUID) -> None:
    tx.execute(delete(table).where(table.clinic_id == clinic_id, table.account_id == account_id))


def _new_codes(tx: Session, caller: Caller) -> list[str]:
    _drop(tx, RecoveryCode, caller.clinic_id, caller.account_id)
    codes = [new_code() for _ in range(RECOVERY_CODES)]
    tx.add_all(
        RecoveryCode(
            clinic_id=caller.clinic_id, account_id=caller.account_id, hash=_recovery_hash(caller.account_id, code)
        )
        for code in codes
    )
    return codes


def _count(tx: Session, keys: list[tuple[str, int]], now: datetime) -> Refusal:
    count_failure(tx, keys, now)
    return InvalidGrant("The code is wrong, has been used or is over.", field="/otp")


def _is_of_an_app(otp: str) -> bool:
    plain = _plain(otp)
    return len(plain) == 6 and plain.isascii() and plain.isdigit()


def _plain(otp: str) -> str:
    # compare_digest takes ASCII only.
    return "".join(otp.split()).encode("ascii", "replace").decode()


def _recovery_hash(account_id: UUID, code: str) -> bytes:
    return code_hash(code, b"recovery" + account_id.bytes)


def _place(clinic_id: UUID, account_id: UUID) -> bytes:
    return b"second factor" + clinic_id.bytes + account_id.bytes
