"""Choosing exercises for one patient: the catalogue ranked for them, and what could follow or replace a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.catalogue import ExerciseFilter, Found, exercises, found_by_slug
from models.operations.checking import check_program, situation_of
from models.operations.policy import Deed, may, scopes_for, visible_patients, visible_programs
from models.refusals import NotAllowed
from models.safety.choices import Choice, choose, progressions, ranked, regressions, swaps
from models.safety.conditions import RADICULAR
from models.safety.rules.dose import hold_reason

SUGGESTIONS = 5
"""Swaps shown for a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suited:
    """An exercise of the catalogue and how it suits the patient."""

    found: Found
    choice: Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What a therapist may do with one line. Nothing happens by itself."""

    line_id: UUID | None
    phase: str
    choice: Choice
    """The exercise as it is, and how it suits the patient now."""
    progressions: Sequence[Choice]
    regressions: Sequence[Choice]
    swaps: Sequence[Choice]


def catalogue_for(
    tx: Session,
    caller: Caller,
    patient_id: UUID,
    wanted: ExerciseFilter,
    *,
    after: tuple[int, int, str] | None,
    limit: int,
    now: datetime,
) -> list[Suited]:
    """A page of the catalogue for one patient: what suits first, then what needs care, then what is not allowed, with
    the reasons, which tell of their health: who may read the shelf alone may not ask for them.
    """
    if not may(caller, Deed.READ_RECORD):
        raise NotAllowed(f"To say safe_for needs the scope {' or '.join(scopes_for(Deed.READ_RECORD))}.")
    situation = situation_of(tx, visible_patients(caller), caller.clinic_id, patient_id, now=now)
    caller.seen.add(patient_id)
    matching = {one.exercise.slug for one in exercises(tx, wanted, after=None, limit=len(situation.catalogue))}
    page = [
        choice
        for choice in ranked(situation)
        if choice.exercise.slug in matching and (after is None or choice.place > after)
    ][:limit]
    rows = found_by_slug(tx, [choice.exercise.slug for choice in page])
    return [Suited(found=rows[choice.exercise.slug], choice=choice) for choice in page]


def suggestions(tx: Session, caller: Caller, program_id: UUID, *, now: datetime) -> tuple[str | None, list[Suggestion]]:
    """For each line of the latest revision its next and its easier steps and what could stand in its place; and why the
    last sessions say to hold the level, if they do.
    """
    checked = check_program(tx, visible_programs(caller), caller.clinic_id, program_id, now=now)
    situation = checked.situation
    caller.seen.add(checked.patient_id)
    hold = hold_reason(situation.logs, is_radicular=situation.has(*RADICULAR))
    found = [
        Suggestion(
            line_id=item.line_id,
            phase=phase.label,
            choice=choose(item.exercise, situation),
            progressions=progressions(item.exercise, situation),
            regressions=regressions(item.exercise, situation),
            swaps=swaps(item.exercise, situation)[:SUGGESTIONS],
        )
        for phase, item in situation.program.items()
    ]
    return hold, found
