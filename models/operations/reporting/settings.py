"""What a clinic decides about its reports."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.clinics import held_clinic
from models.operations.reporting.basis import DEFAULT_SMALLEST, FEWEST, MOST, SMALLEST_CELL
from models.refusals import Invalid, VersionMismatch
from models.tables import Clinic

VERSION = "report_settings_version"


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """A clinic's."""

    smallest_cell: int
    """Counts of fewer people are withheld; 0: nothing is."""
    version: int


def report_settings(tx: Session, caller: Caller) -> ReportSettings:
    """What the caller's clinic decided."""
    return _of(tx.scalars(select(Clinic).where(Clinic.id == caller.clinic_id)).one())


def decide(tx: Session, caller: Caller, smallest_cell: int, *, version: int) -> ReportSettings:
    """Withhold counts of fewer people than this."""
    clinic = held_clinic(tx, caller)
    if _of(clinic).version != version:
        raise VersionMismatch("Someone changed this meanwhile; read it again.")
    if smallest_cell != 0 and not FEWEST <= smallest_cell <= MOST:
        raise Invalid(f"Say 0, or a number from {FEWEST} to {MOST}.", field="/smallest_cell")
    clinic.settings = {**clinic.settings, SMALLEST_CELL: smallest_cell, VERSION: version + 1}
    return _of(clinic)


def _of(clinic: Clinic) -> ReportSettings:
    said = clinic.settings
    return ReportSettings(int(said.get(SMALLEST_CELL, DEFAULT_SMALLEST)), int(said.get(VERSION, 1)))
