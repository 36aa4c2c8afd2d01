"""Every exercise under every condition, against the matrix read naively and on its own."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from models.safety.conditions import JOINTS
from models.safety.facts import Condition, Exercise, Precaution, Program, Situation
from models.safety.harms import Harm, harms
from models.safety.precautions import loads_flared_joint
from seed_data.load import precautions
from tests.safety.situations import TODAY, a_patient, catalogue, has, matrix

ROWS: list[dict[str, Any]] = precautions()["precautions"]
CODES = sorted({row["condition"] for row in ROWS})
RULES = {"avoid": "R-08", "caution": "R-09", "adapt": "R-10"}
Told = tuple[str, str | None, str, bool]
"""(rule, condition, about, blocks)."""

LOADED_BY = {
    "neck": {"CMV", "CEN", "CLD"},
    "thoracic": {"IMP", "AXL", "FLX", "FLL", "EXT", "ROT", "RTL", "LEV"},
    "low_back": {"IMP", "AXL", "FLX", "FLL", "EXT", "ROT", "RTL", "LEV"},
    "hip": {"DKF", "HF90", "HAD", "HRO", "SLS", "SRF", "IMP", "AXL"},
    "knee": {"KNL", "PFL", "DKF", "SLS", "SRF", "IMP", "AXL"},
    "ankle": {"SLS", "SRF", "IMP", "AXL"},
    "foot": {"SLS", "SRF", "IMP", "AXL"},
    "shoulder": {"OVH", "SHR"},
    "elbow": set[str](),
    "wrist_hand": {"WRI", "GRP"},
}
"""What works on each joint."""
SPENT_ON = {
    "hip": {"STD", "FLR"},
    "knee": {"STD", "FLR"},
    "ankle": {"STD"},
    "foot": {"STD"},
    "shoulder": {"FLR"},
    "wrist_hand": {"FLR"},
}
"""What takes time on a joint, or passes over it, without loading it."""
BEARS_WEIGHT = {"KNL", "WRI", "IMP", "DKF", "AXL", "SRF", "PFL", "SLS", "GRP"}
STRAINS_ALL = {"CAR", "ISO"}
LIMBS = [
    ("neck", "thoracic"),
    ("thoracic", "low_back"),
    ("low_back", "hip"),
    ("hip", "knee"),
    ("knee", "ankle"),
    ("ankle", "foot"),
    ("neck", "shoulder"),
    ("shoulder", "elbow"),
    ("elbow", "wrist_hand"),
]
BENIGN: dict[str, dict[str, Any]] = {
    "acute-strain": {"onset_on": TODAY - timedelta(days=400)},
    "pregnancy": {"due_on": (TODAY + timedelta(days=250)).isoformat()},
    "post-op-lumbar": {"released_on": "2024-01-01"},
    "post-op-hip": {"released_on": "2024-01-01"},
    "corticosteroid-long-term": {"bone_status": "normal"},
    "ra": {"neck_status": "cleared"},
    "vertebral-fracture": {"onset_on": TODAY - timedelta(days=4000)},
}
"""Details that lift what may be lifted."""


def with_neighbours(joint: str) -> set[str]:
    return {joint} | {one for pair in LIMBS for one in pair if joint in pair}


def works_on(exercise: Exercise) -> set[str]:
    if exercise.region == "whole_body":
        return set()
    return {"low_back", "thoracic"} if exercise.region == "trunk" else {exercise.region}


def is_spared(exercise: Exercise, near: set[str]) -> bool:
    """Level 0 or easy range of motion, with no weight on the joints near the flare."""
    is_easy = exercise.level == 0 or (exercise.level == 1 and exercise.subcategory in {"flare_rom", "mobility"})
    return is_easy and not any(exercise.load_tags & LOADED_BY[joint] & BEARS_WEIGHT for joint in near)


def told_by_matrix(exercise: Exercise, code: str, *, lifted: bool, joint: str | None) -> Iterator[Told]:
    near = with_neighbours(joint) if joint else set()
    for row in ROWS:
        if row["condition"] != code or (row.get("holds") and lifted):
            continue
        tags = set(row["load_tags"]) & exercise.load_tags
        if joint:
            if row["severity"] == "avoid" and is_spared(exercise, near):
                continue
            local = set[str]().union(*(LOADED_BY[one] | SPENT_ON.get(one, set()) for one in near))
            tags &= local | STRAINS_ALL
        if tags:
            yield RULES[row["severity"]], code, ",".join(sorted(tags)), row["severity"] == "avoid"


def told_by_rules(exercise: Exercise, code: str, *, lifted: bool, joint: str | None) -> Iterator[Told]:
    if joint and not is_spared(exercise, near := with_neighbours(joint)):
        loaded = {one for one in near if exercise.load_tags & LOADED_BY[one]} | (works_on(exercise) & near)
        if loaded:
            yield "R-11", code, joint.replace("_", " "), True
    if code == "ra" and not lifted:
        if exercise.load_tags & {"CMV", "CEN", "CLD", "INV"}:
            yield "R-12", code, "", True
        elif "PRN" in exercise.load_tags or ("KNL" in exercise.load_tags and exercise.position == "quadruped"):
            yield "R-12", code, "head", False


def all_told(exercise: Exercise, code: str, *, lifted: bool, joint: str | None = None) -> set[Told]:
    return {
        *told_by_matrix(exercise, code, lifted=lifted, joint=joint),
        *told_by_rules(exercise, code, lifted=lifted, joint=joint),
    }


def under(condition: Condition, today: date = TODAY) -> Situation:
    return Situation(
        today=today,
        patient=a_patient(),
        program=Program(phases=()),
        conditions=(condition,),
        precautions=matrix(),
    )


def found(exercise: Exercise, s: Situation) -> list[Harm]:
    return list(harms(exercise, s))


def as_told(found: list[Harm]) -> set[Told]:
    return {(harm.rule, harm.condition, harm.about, harm.blocks) for harm in found}


def advised(harm: Harm) -> list[str]:
    """What the row that speaks tells the patient."""
    tags = set(harm.about.split(","))
    return [
        row["advice"]
        for row in ROWS
        if (row["condition"], RULES[row["severity"]]) == (harm.condition, harm.rule)
        if tags <= set(row["load_tags"]) and harm.reason[1:].startswith(row["reason"][1:])
    ]


def check_every_exercise(condition: Condition, *, lifted: bool, joint: str | None = None) -> None:
    s = under(condition)
    for exercise in catalogue().values():
        told = found(exercise, s)
        assert as_told(told) == all_told(exercise, condition.code, lifted=lifted, joint=joint), exercise.slug
        assert found(exercise, s) == told
        for harm in told:
            assert harm.reason
            assert harm.reason[-1] not in ".;,"
            if harm.rule in RULES.values():
                assert harm.reason.endswith(f" ({condition.code})")
                assert harm.advice in advised(harm)
            elif harm.about != "head":
                assert harm.advice is None


@pytest.mark.parametrize("code", [code for code in CODES if code != "joint-flare"])
def test_with_nothing_known(code: str) -> None:
    check_every_exercise(has(code), lifted=False)


@pytest.mark.parametrize("code", [code for code in CODES if code != "joint-flare"])
def test_with_all_that_can_be_lifted(code: str) -> None:
    check_every_exercise(has(code, **BENIGN.get(code, {})), lifted=True)


@pytest.mark.parametrize("joint", JOINTS)
def test_with_an_inflamed_joint(joint: str) -> None:
    check_every_exercise(has("joint-flare", joints=[joint]), lifted=False, joint=joint)


def test_what_can_be_lifted_is_lifted_by_something() -> None:
    assert {row["condition"] for row in ROWS if row.get("holds")} == BENIGN.keys() - {"vertebral-fracture"}


def test_the_matrix_names_known_conditions_and_tags_once() -> None:
    assert len(CODES) == 35
    for code in CODES:
        said = [(row["severity"], tag) for row in ROWS if row["condition"] == code for tag in row["load_tags"]]
        assert len(said) == len(set(said)), code


def test_every_row_tells_the_patient_something() -> None:
    assert len(ROWS) == 84
    for row in ROWS:
        assert row["advice"], row["condition"]
        assert row["advice"].endswith(".")
        assert row["advice"] != row["reason"]


@pytest.mark.parametrize(
    ("joints", "told"),
    [
        ((), "which one is not said"),
        (("low_back",), "low back"),
        (("low_back", "elbow", "wrist_hand"), "elbow, low back, wrist hand"),
    ],
)
def test_which_joint_is_inflamed(joints: tuple[str, ...], told: str) -> None:
    (harm,) = [
        one for one in found(catalogue()["side-plank"], under(has("joint-flare", joints=joints))) if one.rule == "R-11"
    ]
    assert (harm.about, harm.reason) == (told, f"inflamed joint ({told}); use level 0 or another region")


def test_a_row_without_a_sentence_tells_nothing() -> None:
    row = Precaution(condition="ra", severity="avoid", load_tags=frozenset({"STD"}), reason="Not yet", source="B")
    for advice in (None, "Sit down."):
        s = replace(under(has("ra")), precautions=(replace(row, advice=advice),))
        (harm,) = harms(catalogue()["walk-easy"], s)
        assert harm.advice == advice


@pytest.mark.parametrize("joint", JOINTS)
def test_each_load_alone(joint: str) -> None:
    flare = has("joint-flare", joints=[joint])
    for tag in precautions()["load_tags"]:
        alone = replace(catalogue()["walk-brisk"], load_tags=frozenset({tag}))
        assert loads_flared_joint(alone, flare) == any(tag in LOADED_BY[one] for one in with_neighbours(joint)), tag


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("First two weeks", "first two weeks (ra)"),
        ("A fall costs more", "a fall costs more (ra)"),
        ("MRI first", "MRI first (ra)"),
        ("PTs decide", "PTs decide (ra)"),
    ],
)
def test_a_reason_goes_on_in_a_sentence(reason: str, told: str) -> None:
    row = Precaution(condition="ra", severity="avoid", load_tags=frozenset({"STD"}), reason=reason, source="B")
    (harm,) = harms(catalogue()["walk-easy"], replace(under(has("ra")), precautions=(row,)))
    assert harm.reason == told


def test_several_conditions_tell_what_each_tells() -> None:
    pair = (has("osteoporosis"), has("ra"))
    both = Situation(
        today=TODAY, patient=a_patient(), program=Program(phases=()), conditions=pair, precautions=matrix()
    )
    for exercise in catalogue().values():
        assert as_told(found(exercise, both)) == set[Told]().union(
            *(all_told(exercise, one.code, lifted=False) for one in pair)
        )


def test_getting_up_from_the_floor() -> None:
    for able, expected in ((False, {("R-35", None, "floor", False)}), (True, set()), (None, set())):
        patient = a_patient(can_get_up_from_floor=able)
        s = Situation(today=TODAY, patient=patient, program=Program(phases=()), precautions=matrix())
        for exercise in catalogue().values():
            assert as_told(found(exercise, s)) == (expected if "FLR" in exercise.load_tags else set())
