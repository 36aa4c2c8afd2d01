"""What one exercise may do to one patient: R-08 to R-12 and R-35, told once for programs and for choices."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from models.safety.conditions import is_neck_cleared
from models.safety.facts import Condition, Exercise, Situation
from models.safety.precautions import loads_flared_joint, verdicts

NECK_TAGS = frozenset({"CMV", "CEN", "CLD", "INV"})
"""Neck movement, stretch and load, and the head below the heart (R-12 as amended)."""
FRACTURE_WEEKS = 12
_UNCLEARED = "neck not cleared; only a recorded clearance of the neck (who, when) lifts this"
_MATRIX_RULES = {"avoid": "R-08", "caution": "R-09", "adapt": "R-10"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """One reason against an exercise, or for care with it."""

    rule: str
    blocks: bool
    """Or else it is a caution; R-10 is an adaptation."""
    reason: str
    condition: str | None
    about: str
    final: bool = False
    """No typed reason overrides it."""
    advice: str | None = None
    """What the patient is told beside the exercise."""


def harms(exercise: Exercise, s: Situation) -> Iterator[Harm]:
    """Everything to mind about this exercise in this patient."""
    for verdict in verdicts(exercise, s.conditions, s.precautions, s.today):
        row, condition = verdict.precaution, verdict.condition
        yield Harm(
            rule=_MATRIX_RULES[row.severity],
            blocks=row.severity == "avoid",
            reason=f"{_lower(row.reason)} ({condition.code})",
            condition=condition.code,
            about=",".join(verdict.tags),
            final=row.severity == "avoid" and is_final(condition, s),
            advice=row.advice,
        )
    for flare in s.of("joint-flare"):
        if loads_flared_joint(exercise, flare):
            joints = ", ".join(sorted(flare.joints)).replace("_", " ") or "which one is not said"
            reason = f"inflamed joint ({joints}); use level 0 or another region"
            yield Harm(rule="R-11", blocks=True, reason=reason, condition=flare.code, about=joints)
    if any(not is_neck_cleared(ra) for ra in s.of("ra")):
        if exercise.load_tags & NECK_TAGS:
            yield Harm(rule="R-12", blocks=True, reason=_UNCLEARED, condition="ra", about="", final=True)
        elif is_head_hanging(exercise):
            reason = "the head hangs and the neck is not cleared; support it in neutral"
            advice = "Rest your forehead on a towel or keep your neck long, in line with your back."
            yield Harm(rule="R-12", blocks=False, reason=reason, condition="ra", about="head", advice=advice)
    if s.patient.can_get_up_from_floor is False and "FLR" in exercise.load_tags:
        yield Harm(rule="R-35", blocks=False, reason="use a bed or chair variant", condition=None, about="floor")


def is_final(condition: Condition, s: Situation) -> bool:
    """Whether "avoid" for this condition yields to no typed reason: an unstable neck, and a vertebra broken in the last
    12 weeks (or who knows when), until a named clinician's clearance is on record.
    """
    if condition.is_cleared:
        return False
    if condition.code == "vertebral-fracture":
        onset = condition.onset_on
        return onset is None or s.today - onset < timedelta(weeks=FRACTURE_WEEKS)
    return condition.code == "ra-cervical-instability"


def is_head_hanging(exercise: Exercise) -> bool:
    """Face down, or on hands and knees."""
    return "PRN" in exercise.load_tags or ("KNL" in exercise.load_tags and exercise.position == "quadruped")


def _lower(reason: str) -> str:
    return reason if reason[1:2].isupper() else reason[0].lower() + reason[1:]
