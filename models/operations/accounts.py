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
from models.operations.credentials import hash_password, new_key
from models.operations.ids import new_id
from models.operations.sign_ins import email_key
from models.operations.walls import across, within
from models.refusals import EmailTaken, Invalid, Unknown
from models.tables import STAFF, Account, Clinic, Login, Role

TIME_ZONES = frozenset(available_timezones() - {"Factory", "localtime", "posixrules"})
"""IANA names, without those that mean the machine's own setting."""
MIN_PASSWORD, MAX_PASSWORD = 12, 128
"""NIST SP 800-63B: length, and no rules of composition."""


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
    tx: Session, clinic_id: UUID, *, role: Role, name: str, email: str, password: str, now: datetime
) -> Account:
    """A new member of staff with a login."""
    within(tx, clinic_id)
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Invalid(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.", field="/password")
    key = email_key(email)
    if tx.get(Login, {"email_key": key, "clinic_id": clinic_id}) is not None:
        raise EmailTaken("This e-mail address already has an account in this clinic.", field="/email")
    account = Account(
        clinic_id=clinic_id,
        id=new_id(now),
        role=role,
        name=name,
        email=email.strip(),
        password_hash=hash_password(password),
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
