"""Clinics and their staff."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from models.database import Database
from models.operations.callers import Caller
from models.operations.credentials import new_key
from models.operations.ids import new_id
from models.operations.links import drop_links
from models.operations.revocations import revoke_sign_ins
from models.operations.second_factors import forget
from models.operations.sign_ins import email_key
from models.operations.walls import across, within
from models.refusals import EmailTaken, Invalid, LastAdmin, Unknown
from models.tables import STAFF, Account, Clinic, Login, Role

TIME_ZONES = frozenset(available_timezones() - {"Factory", "localtime", "posixrules"})
"""IANA names, without those that mean the machine's own setting."""


def create_clinic(
    tx: Session,
    *,
    name: str,
    time_zone: str,
    locale: str = "en",
    is_demo: bool = False,
    shares_caseloads: bool = False,
    now: datetime,
) -> Clinic:
    """A new, empty tenant."""
    clinic = Clinic(
        id=new_id(now),
        name=name,
        time_zone=check_time_zone(time_zone),
        locale=locale,
        is_demo=is_demo,
        shares_caseloads=shares_caseloads,
        cursor_key=new_key(),
        created_at=now,
    )
    within(tx, clinic.id)
    tx.add(clinic)
    tx.flush()  # whatever is created in it next needs the row
    return clinic


def create_staff(
    tx: Session, clinic_id: UUID, *, role: Role, name: str, email: str, password_hash: str | None, now: datetime
) -> Account:
    """A new member of staff with a login; without a password they set one by a link first."""
    within(tx, clinic_id)
    key = email_key(email)
    if tx.get(Login, {"email_key": key, "clinic_id": clinic_id}) is not None:
        raise EmailTaken("This e-mail address already has an account in this clinic.", field="/email")
    account = Account(
        clinic_id=clinic_id,
        id=new_id(now),
        role=role,
        name=name,
        email=email.strip(),
        password_hash=password_hash,
        created_at=now,
    )
    tx.add_all([account, Login(email_key=key, clinic_id=clinic_id, account_id=account.id)])
    tx.flush()  # a race for the address fails here, not at commit
    return account


def staff(tx: Session, caller: Caller) -> Sequence[Account]:
    """The clinic's staff, by name."""
    return tx.scalars(
        select(Account)
        .where(Account.clinic_id == caller.clinic_id, Account.role.in_(STAFF))
        .order_by(Account.name, Account.id)
    ).all()


def member(tx: Session, caller: Caller, staff_id: UUID, *, lock: bool = False) -> Account:
    """A member of the clinic's staff."""
    stmt = (
        select(Account)
        .where(Account.clinic_id == caller.clinic_id, Account.id == staff_id, Account.role.in_(STAFF))
        .execution_options(populate_existing=True)
    )
    found = tx.scalars(stmt.with_for_update(key_share=True) if lock else stmt).one_or_none()
    if found is None:
        raise Unknown(f"No member of staff {staff_id}.")
    return found


def disable_staff(tx: Session, caller: Caller, staff_id: UUID, *, now: datetime) -> Account:
    """Shut a member of staff out, at once: no sign-in and no link of theirs works again. Never the last administrator
    who can sign in.
    """
    # All of them, in one order: two who disable each other must not both succeed.
    admins = tx.scalars(
        select(Account)
        .where(Account.clinic_id == caller.clinic_id, Account.role == Role.ADMIN)
        .order_by(Account.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    account = member(tx, caller, staff_id, lock=True)
    if account.disabled_at is not None:
        return account
    others = [one for one in admins if one.id != staff_id and one.disabled_at is None and one.password_hash is not None]
    if account.role is Role.ADMIN and not others:
        raise LastAdmin("This is the last administrator who can sign in; make another one first.")
    account.disabled_at = now
    revoke_sign_ins(tx, account.clinic_id, account.id, because="account_disabled", now=now)
    drop_links(tx, account.clinic_id, account.id)
    return account


def enable_staff(tx: Session, caller: Caller, staff_id: UUID) -> Account:
    """Let a member of staff sign in again, with the password and the second factor they had."""
    account = member(tx, caller, staff_id, lock=True)
    account.disabled_at = None
    return account


def reset_second_factor(tx: Session, caller: Caller, staff_id: UUID, *, now: datetime) -> None:
    """Take a colleague's second factor off, whose phone is lost; their sign-ins end."""
    account = member(tx, caller, staff_id, lock=True)
    forget(tx, account)
    revoke_sign_ins(tx, account.clinic_id, account.id, because="second_factor_reset", now=now)


def demo_clinic(tx: Session) -> Clinic | None:
    """The demo clinic, if one was made. Reads across clinics, by design: it looks for a clinic."""
    with across(tx):
        return tx.scalars(select(Clinic).where(Clinic.is_demo).order_by(Clinic.created_at)).first()


def any_clinic(tx: Session) -> Clinic | None:
    """Any clinic at all: whether this database is in use. Reads across clinics, by design."""
    with across(tx):
        return tx.scalars(select(Clinic).limit(1)).first()


def clinic_name(tx: Session, clinic_id: UUID) -> str:
    """What a clinic is called."""
    return tx.scalars(select(Clinic.name).where(Clinic.id == clinic_id)).one()


def console(tx: Session, clinic_id: UUID) -> Caller:
    """Whoever sits at the server's console, as the clinic's first administrator."""
    within(tx, clinic_id)
    admins = select(Account).where(Account.clinic_id == clinic_id, Account.role == Role.ADMIN)
    admin = tx.scalars(admins.order_by(Account.created_at, Account.id)).first()
    if admin is None:
        raise Unknown(f"No clinic {clinic_id}, or it has no administrator yet.")
    return Caller(clinic_id=clinic_id, account_id=admin.id, role=Role.ADMIN, name=admin.name)


def is_ready(database: Database) -> bool:
    """Whether the database answers, with the tables this version needs."""
    try:
        with database.reading() as tx:
            any_clinic(tx)
    except SQLAlchemyError:
        return False
    return True


def check_time_zone(name: str) -> str:
    """The name of an IANA time zone, or a refusal."""
    if name not in TIME_ZONES:
        raise Invalid("Not an IANA time zone; say for example Europe/Berlin.", field="/time_zone")
    return name
