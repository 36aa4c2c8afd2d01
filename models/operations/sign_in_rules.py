"""What a clinic asks of its staff when they sign in."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.operations.callers import SECOND_FACTOR_REQUIRED, Caller
from models.operations.clinics import held_clinic
from models.operations.sealing import Seal
from models.refusals import NoSecretKey, VersionMismatch
from models.tables import Clinic

VERSION = "sign_in_rules_version"


@dataclass(frozen=True, slots=True)
class SignInRules:
    """A clinic's."""

    second_factor_required: bool
    version: int


def sign_in_rules(tx: Session, caller: Caller) -> SignInRules:
    """What the caller's clinic decided."""
    return _of(tx.scalars(select(Clinic).where(Clinic.id == caller.clinic_id)).one())


def decide(tx: Session, caller: Caller, seal: Seal, *, second_factor_required: bool, version: int) -> SignInRules:
    """Ask everyone who signs in by password for a second factor, at once, or nobody. Whoever has none yet can do
    nothing but enrol one.
    """
    clinic = held_clinic(tx, caller)
    if _of(clinic).version != version:
        raise VersionMismatch("Someone changed this meanwhile; read it again.")
    if second_factor_required and not seal.keys:
        raise NoSecretKey("Nobody could enrol: whoever runs this installation sets FOLLOWTHROUGH_SECRET_KEY first.")
    clinic.settings = {
        **clinic.settings,
        SECOND_FACTOR_REQUIRED: second_factor_required,
        VERSION: version + 1,
    }
    return _of(clinic)


def _of(clinic: Clinic) -> SignInRules:
    said = clinic.settings
    return SignInRules(bool(said.get(SECOND_FACTOR_REQUIRED, False)), int(said.get(VERSION, 1)))
