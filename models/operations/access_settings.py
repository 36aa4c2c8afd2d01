"""What a clinic decides about who sees whom."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.clinics import held_clinic
from models.refusals import VersionMismatch
from models.tables import Clinic

VERSION = "access_settings_version"


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """A clinic's."""

    shares_caseloads: bool
    """Whether every therapist sees every patient, or only their own and those nobody treats yet."""
    version: int


def access_settings(tx: Session, caller: Caller) -> AccessSettings:
    """What the caller's clinic decided."""
    return _of(tx.scalars(select(Clinic).where(Clinic.id == caller.clinic_id)).one())


def decide(tx: Session, caller: Caller, *, shares_caseloads: bool, version: int) -> AccessSettings:
    """Let therapists see each other's patients, or not; it counts from the next request on."""
    clinic = held_clinic(tx, caller)
    if _of(clinic).version != version:
        raise VersionMismatch("Someone changed this meanwhile; read it again.")
    clinic.shares_caseloads = shares_caseloads
    clinic.settings = {**clinic.settings, VERSION: version + 1}
    return _of(clinic)


def _of(clinic: Clinic) -> AccessSettings:
    return AccessSettings(clinic.shares_caseloads, int(clinic.settings.get(VERSION, 1)))
