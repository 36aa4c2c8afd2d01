"""The registry of flags, and where a clinic draws their lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.adherence.thresholds import BOUNDS, Thresholds, thresholds_of, wrong
from models.operations.callers import Caller
from models.operations.clinics import held_clinic
from models.refusals import Invalid, VersionMismatch
from models.tables import Clinic

VERSION, CHANGED, APPLIED = "thresholds_version", "thresholds_changed_at", "thresholds_applied_at"
"""Beside `thresholds` among a clinic's settings: raised with every change; when that was; and which change every
program has been judged by since (`models.operations.sweep`).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagSettings:
    """A clinic's thresholds."""

    thresholds: Thresholds
    version: int
    is_applied: bool
    """Whether every program has been judged by them; until then some still stand by the earlier ones."""


def flag_settings(tx: Session, caller: Caller) -> FlagSettings:
    """Where the caller's clinic draws the lines."""
    return _settings(tx.scalars(select(Clinic).where(Clinic.id == caller.clinic_id)).one())


def move_thresholds(
    tx: Session, caller: Caller, moved: Mapping[str, float | None], *, version: int, now: datetime
) -> FlagSettings:
    """Move some of the lines, each within its bounds; None puts one back to its default.

    Programs are judged by the new lines with their next log, and within minutes by the sweep.
    """
    clinic = held_clinic(tx, caller)
    if _settings(clinic).version != version:
        raise VersionMismatch("Someone moved the thresholds meanwhile; read them again.")
    held = dict(clinic.settings.get("thresholds", {}))
    for name, value in moved.items():
        if name not in BOUNDS:
            raise Invalid(f"No threshold {name}.", field=f"/{name}")
        if value is None:
            held.pop(name, None)
        elif problem := wrong(name, value):
            raise Invalid(f"{name} {problem}.", field=f"/{name}")
        else:
            held[name] = value
    said = thresholds_of({"thresholds": held})
    if said.low_red >= said.low_amber:
        raise Invalid("Red lies below amber.", field="/low_red")
    if held == clinic.settings.get("thresholds", {}):
        return _settings(clinic)
    clinic.settings = {
        **clinic.settings,
        "thresholds": held,
        VERSION: version + 1,
        CHANGED: now.isoformat(),
    }
    return _settings(clinic)


def _settings(clinic: Clinic) -> FlagSettings:
    said = clinic.settings
    return FlagSettings(
        thresholds=thresholds_of(said),
        version=int(said.get(VERSION, 1)),
        is_applied=said.get(CHANGED) == said.get(APPLIED),
    )
