"""Links that set a password: single-use tokens of which only the hash is kept."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from models.operations.credentials import HeldToken, new_token
from models.tables import PasswordLink

MAILED_FOR = timedelta(minutes=30)
"""How long a mailed link works, from when it was asked for."""


def issue_link(tx: Session, clinic_id: UUID, account_id: UUID, *, until: datetime, now: datetime) -> HeldToken:
    """A fresh link for an account."""
    held = new_token(clinic_id)
    tx.add(PasswordLink(clinic_id=clinic_id, hash=held.hash, account_id=account_id, created_at=now, expires_at=until))
    return held


def drop_links(tx: Session, clinic_id: UUID, account_id: UUID) -> None:
    """End every link of an account."""
    tx.execute(delete(PasswordLink).where(PasswordLink.clinic_id == clinic_id, PasswordLink.account_id == account_id))


def forget_links(tx: Session, clinic_id: UUID, now: datetime) -> None:
    """Drop links that have expired."""
    tx.execute(delete(PasswordLink).where(PasswordLink.clinic_id == clinic_id, PasswordLink.expires_at <= now))
