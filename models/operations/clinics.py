"""The clinic's own row, for whoever decides something about it."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.tables import Clinic


def held_clinic(tx: Session, caller: Caller) -> Clinic:
    """The caller's clinic as nobody can change it any more before this transaction ends."""
    stmt = select(Clinic).where(Clinic.id == caller.clinic_id).with_for_update(key_share=True)
    return tx.scalars(stmt.execution_options(populate_existing=True)).one()
