"""Ending sign-ins: everything descended from them stops at once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from models.tables import SignIn


def revoke_sign_ins(
    tx: Session, clinic_id: UUID, account_id: UUID, *, because: str, but: UUID | None = None, now: datetime
) -> None:
    """Revoke an account's sign-ins, all `but` one."""
    stmt = update(SignIn).where(
        SignIn.clinic_id == clinic_id, SignIn.account_id == account_id, SignIn.revoked_at.is_(None)
    )
    if but is not None:
        stmt = stmt.where(SignIn.id != but)
    tx.execute(stmt.values(revoked_at=now, revoked_because=because).execution_options(synchronize_session=False))
