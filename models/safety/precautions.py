"""The precaution matrix: what a condition makes of how an exercise loads the body.

The rows are data (`seed_data/precautions.json`); here is how they are read. Source: clinical content 2.4 as amended.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from models.safety.conditions import PREGNANCY_DAYS, is_neck_cleared
from models.safety.facts import Condition, Exercise, Precaution

ACUTE_DAYS = 14
"""The first two weeks of a strain."""
FIRST_TRIMESTER_DAYS = 14 * 7
"""Thirteen weeks and six days; from then on it is the second."""

_LEGS = frozenset({"hip", "knee", "ankle", "foot"})
_SPINE = frozenset({"low_back", "thoracic"})
_REGION_JOINTS: Mapping[str, frozenset[str]] = {
    "trunk": _SPINE,
    # Walks and the like load by their tags, not by their region.
    "whole_body": frozenset(),
}
_TAG_JOINTS: Mapping[str, frozenset[str]] = {
    "KNL": frozenset({"knee"}),
    "PFL": frozenset({"knee"}),
    "DKF": frozenset({"knee", "hip"}),
    **dict.fromkeys(("HF90", "HAD", "HRO"), frozenset({"hip"})),
    **dict.fromkeys(("SLS", "SRF", "STD"), _LEGS),
    "IMP": _LEGS | _SPINE,
    "AXL": _LEGS | _SPINE,
    **dict.fromkeys(("WRI", "GRP"), frozenset({"wrist_hand"})),
    **dict.fromkeys(("OVH", "SHR"), frozenset({"shoulder"})),
    **dict.fromkeys(("CMV", "CEN", "CLD"), frozenset({"neck"})),
    **dict.fromkeys(("FLX", "FLL", "EXT", "ROT", "RTL", "LEV"), _SPINE),
    "FLR": frozenset({"knee", "hip", "wrist_hand", "shoulder"}),
}
_WHOLE_BODY_TAGS = frozenset({"CAR", "ISO"})
"""They strain the whole body, so any flare minds them."""
_WEIGHT_BEARING = frozenset({"KNL", "WRI", "IMP", "DKF", "AXL", "SRF", "PFL", "SLS", "GRP"})
_NEIGHBOURS: Mapping[str, frozenset[str]] = {
    "neck": frozenset({"thoracic", "shoulder"}),
    "thoracic": frozenset({"neck", "low_back"}),
    "low_back": frozenset({"thoracic", "hip"}),
    "hip": frozenset({"low_back", "knee"}),
    "knee": frozenset({"hip", "ankle"}),
    "ankle": frozenset({"knee", "foot"}),
    "foot": frozenset({"ankle"}),
    "shoulder": frozenset({"neck", "elbow"}),
    "elbow": frozenset({"shoulder", "wrist_hand"}),
    "wrist_hand": frozenset({"elbow"}),
}
_TIME_NOT_LOAD = frozenset({"STD", "FLR"})
"""Standing long and getting down are adapted in a flare, not spared (joint-flare rows)."""
_RANGE_OF_MOTION = frozenset({"flare_rom", "mobility"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of the matrix that an exercise meets."""

    precaution: Precaution
    condition: Condition
    tags: tuple[str, ...]


def verdicts(
    exercise: Exercise, conditions: Iterable[Condition], precautions: Iterable[Precaution], today: date
) -> Iterator[Verdict]:
    """Every row that this exercise meets in a patient with these conditions."""
    rows = list(precautions)
    for condition in conditions:
        for row in rows:
            if row.condition != condition.code or not _holds(row, condition, today):
                continue
            tags = row.load_tags & exercise.load_tags
            if condition.code == "joint-flare":
                tags = _near(tags, exercise, condition, avoid=row.severity == "avoid")
            if tags:
                yield Verdict(row, condition, tuple(sorted(tags)))


def loads_flared_joint(exercise: Exercise, flare: Condition) -> bool:
    """Whether it loads the inflamed joint or its neighbour; gentle range of motion does not count (R-11 as amended)."""
    near = joints_near(flare)
    if is_gentle(exercise, near):
        return False
    return bool(near & (_region_joints(exercise) | _joints_of(exercise.load_tags - _TIME_NOT_LOAD)))


def is_gentle(exercise: Exercise, near: frozenset[str]) -> bool:
    """Level 0, or range of motion at level 1, that puts no weight on joints near the flare."""
    if exercise.level > 1 or (exercise.level == 1 and exercise.subcategory not in _RANGE_OF_MOTION):
        return False
    return not _joints_of(exercise.load_tags & _WEIGHT_BEARING) & near


def joints_near(flare: Condition) -> frozenset[str]:
    """The inflamed joints and their neighbours; every joint where nobody said which."""
    if not flare.joints:
        return frozenset(_NEIGHBOURS)
    return flare.joints.union(*(_NEIGHBOURS.get(joint, frozenset()) for joint in flare.joints))


def _near(tags: frozenset[str], exercise: Exercise, flare: Condition, *, avoid: bool) -> frozenset[str]:
    near = joints_near(flare)
    if avoid and is_gentle(exercise, near):
        return frozenset()
    return frozenset(tag for tag in tags if tag in _WHOLE_BODY_TAGS or _TAG_JOINTS[tag] & near)


def _region_joints(exercise: Exercise) -> frozenset[str]:
    return _REGION_JOINTS.get(exercise.region, frozenset({exercise.region}))


def _joints_of(tags: Iterable[str]) -> frozenset[str]:
    return frozenset[str]().union(*(_TAG_JOINTS.get(tag, frozenset()) for tag in tags))


def _holds(row: Precaution, condition: Condition, today: date) -> bool:
    return row.holds is None or HOLDS[row.holds](condition, today)


def _in_acute_days(condition: Condition, today: date) -> bool:
    return condition.onset_on is None or today - condition.onset_on < timedelta(days=ACUTE_DAYS)


def _past_first_trimester(condition: Condition, today: date) -> bool:
    due = condition.on("due_on")
    if due is None or (due - today).days > PREGNANCY_DAYS:
        return True  # unknown, or cannot be
    return PREGNANCY_DAYS - (due - today).days >= FIRST_TRIMESTER_DAYS


def _not_released(condition: Condition, today: date) -> bool:
    released = condition.on("released_on")
    return released is None or released > today


def _bone_not_normal(condition: Condition, _today: date) -> bool:
    return condition.details.get("bone_status") != "normal"


def _neck_not_cleared(condition: Condition, _today: date) -> bool:
    return not is_neck_cleared(condition)


HOLDS: Mapping[str, Callable[[Condition, date], bool]] = {
    "first_two_weeks": _in_acute_days,
    "from_second_trimester": _past_first_trimester,
    "until_released": _not_released,
    "until_bone_is_normal": _bone_not_normal,
    "until_neck_is_cleared": _neck_not_cleared,
}
"""When a row of the matrix applies; what is not known counts against the patient's freedom, never their safety."""
