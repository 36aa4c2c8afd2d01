"""Choosing for a patient: which exercises suit and why others do not, what to swap, what comes next.

Suggestions are for a therapist to approve; nothing here changes a program.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.safety.facts import Exercise, Situation
from models.safety.harms import harms


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One exercise as it suits one patient."""

    exercise: Exercise
    is_allowed: bool
    reasons: tuple[str, ...]
    """Why it is not allowed."""
    cautions: tuple[str, ...]
    adaptations: tuple[str, ...]
    missing: tuple[str, ...]
    """Equipment the patient does not have; empty if nobody asked."""

    @property
    def rank(self) -> int:
        """0 allowed as it is, 1 with care or something to get first, 2 not allowed."""
        if not self.is_allowed:
            return 2
        return 1 if self.cautions or self.missing else 0

    @property
    def place(self) -> tuple[int, int, str]:
        """Where it stands in a list: what suits first, within that the easiest."""
        return self.rank, self.exercise.level, self.exercise.slug


def choose(exercise: Exercise, s: Situation) -> Choice:
    """How an exercise suits the patient."""
    found = list(harms(exercise, s))
    owned = s.patient.equipment
    return Choice(
        exercise=exercise,
        is_allowed=not any(harm.blocks for harm in found),
        reasons=_told(harm.reason for harm in found if harm.blocks),
        cautions=_told(harm.reason for harm in found if not harm.blocks and harm.rule != "R-10"),
        adaptations=_told(harm.reason for harm in found if harm.rule == "R-10"),
        missing=() if owned is None else _told(" or ".join(sorted(slot)) for slot in exercise.missing(owned)),
    )


def ranked(s: Situation) -> list[Choice]:
    """The whole catalogue: what suits first, and within that the easiest first."""
    offered = (choose(one, s) for one in s.catalogue.values() if not one.is_retired)
    return sorted(offered, key=lambda choice: choice.place)


def swaps(exercise: Exercise, s: Situation) -> list[Choice]:
    """What could stand in its place: the same goal, allowed, and with what the patient owns; nearest first.

    Never harder, and never something the program has already.
    """
    taken = {one.slug for one in s.program.exercises} | {exercise.slug}
    goals = set(exercise.goals)
    alike = [
        one
        for one in s.catalogue.values()
        if one.slug not in taken and not one.is_retired and one.category == exercise.category and goals & set(one.goals)
        if one.level <= exercise.level and one.region == exercise.region
    ]
    suitable = [choice for choice in (choose(one, s) for one in alike) if choice.is_allowed and not choice.missing]
    return sorted(suitable, key=lambda choice: (choice.rank, *_distance(exercise, choice.exercise)))


def progressions(exercise: Exercise, s: Situation) -> list[Choice]:
    """The next steps of its chain, hardest last."""
    after = [one for one in s.catalogue.values() if one.progression_of == exercise.slug and not one.is_retired]
    return sorted((choose(one, s) for one in after), key=lambda choice: (choice.exercise.level, choice.exercise.slug))


def regressions(exercise: Exercise, s: Situation) -> list[Choice]:
    """The step it comes from, if any."""
    before = s.catalogue.get(exercise.progression_of or "")
    return [choose(before, s)] if before else []


def chain(exercise: Exercise, catalogue: Mapping[str, Exercise]) -> frozenset[str]:
    """The exercises it leads back to, and itself: slugs."""
    found = {exercise.slug}
    before = exercise.progression_of
    while before is not None and before in catalogue and before not in found:
        found.add(before)
        before = catalogue[before].progression_of
    return frozenset(found)


def _distance(exercise: Exercise, other: Exercise) -> tuple[int, int, int, str]:
    return (
        exercise.level - other.level,
        -len(set(exercise.goals) & set(other.goals)),
        int(exercise.subcategory != other.subcategory) + int(exercise.position != other.position),
        other.slug,
    )


def _told(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
