"""When a row of the matrix applies, and which joints a flare minds."""

from dataclasses import replace
from datetime import timedelta

import pytest

from models.safety.conditions import JOINTS
from models.safety.facts import Condition
from models.safety.precautions import HOLDS, is_gentle, joints_near, loads_flared_joint, verdicts
from tests.safety.situations import TODAY, ago, catalogue, has, matrix


def due_in(days: int) -> Condition:
    return has("pregnancy", due_on=(TODAY + timedelta(days=days)).isoformat())


def blocked(slug: str, *joints: str) -> bool:
    return loads_flared_joint(catalogue()[slug], has("joint-flare", joints=joints))


@pytest.mark.parametrize(
    ("holds", "condition", "expected"),
    [
        ("first_two_weeks", has("acute-strain", onset_on=ago(13)), True),
        ("first_two_weeks", has("acute-strain", onset_on=ago(14)), False),
        ("first_two_weeks", has("acute-strain", onset_on=TODAY), True),
        ("first_two_weeks", has("acute-strain"), True),
        ("from_second_trimester", due_in(280 - 97), False),
        ("from_second_trimester", due_in(280 - 98), True),
        ("from_second_trimester", due_in(280), False),
        ("from_second_trimester", due_in(281), True),
        ("from_second_trimester", due_in(0), True),
        ("from_second_trimester", due_in(-10), True),
        ("from_second_trimester", has("pregnancy"), True),
        ("until_released", has("post-op-hip", released_on="2025-03-02"), False),
        ("until_released", has("post-op-hip", released_on="2025-03-03"), False),
        ("until_released", has("post-op-hip", released_on="2025-03-04"), True),
        ("until_released", has("post-op-hip"), True),
        ("until_bone_is_normal", has("corticosteroid-long-term", bone_status="normal"), False),
        ("until_bone_is_normal", has("corticosteroid-long-term", bone_status="low"), True),
        ("until_bone_is_normal", has("corticosteroid-long-term", bone_status="unknown"), True),
        ("until_bone_is_normal", has("corticosteroid-long-term"), True),
        ("until_neck_is_cleared", has("ra", neck_status="cleared"), False),
        ("until_neck_is_cleared", has("ra", neck_status="unstable"), True),
        ("until_neck_is_cleared", has("ra"), True),
    ],
)
def test_when_a_row_applies(holds: str, condition: Condition, expected: bool) -> None:
    assert HOLDS[holds](condition, TODAY) is expected


def test_every_row_has_a_time_that_can_be_told() -> None:
    assert {row.holds for row in matrix()} == {None, *HOLDS}


@pytest.mark.parametrize(
    ("joint", "near"),
    [
        ("neck", {"neck", "thoracic", "shoulder"}),
        ("thoracic", {"neck", "thoracic", "low_back"}),
        ("low_back", {"thoracic", "low_back", "hip"}),
        ("hip", {"low_back", "hip", "knee"}),
        ("knee", {"hip", "knee", "ankle"}),
        ("ankle", {"knee", "ankle", "foot"}),
        ("foot", {"ankle", "foot"}),
        ("shoulder", {"neck", "shoulder", "elbow"}),
        ("elbow", {"shoulder", "elbow", "wrist_hand"}),
        ("wrist_hand", {"elbow", "wrist_hand"}),
    ],
)
def test_a_joint_and_its_neighbours(joint: str, near: set[str]) -> None:
    assert joints_near(has("joint-flare", joints=[joint])) == near


def test_several_joints_have_all_their_neighbours() -> None:
    assert joints_near(has("joint-flare", joints=["foot", "elbow"])) == {
        *("foot", "ankle", "elbow", "shoulder", "wrist_hand"),
    }


def test_a_flare_nobody_named_a_joint_for_is_near_every_joint() -> None:
    flare = has("joint-flare")
    assert joints_near(flare) == set(JOINTS)
    for slug in ("step-up", "putty-squeeze", "neck-isometrics", "band-row", "wall-plank"):
        assert loads_flared_joint(catalogue()[slug], flare), slug
    for slug in ("quad-set", "bed-heel-slides", "tendon-glides", "walk-easy"):
        assert not loads_flared_joint(catalogue()[slug], flare), slug
    (refused,) = {one.tags for one in verdicts(catalogue()["putty-squeeze"], [flare], matrix(), TODAY)}
    assert refused == ("GRP",)


@pytest.mark.parametrize(
    ("slug", "joint"),
    [
        ("step-up", "knee"),
        ("step-up", "ankle"),
        ("glute-bridge", "knee"),
        ("glute-bridge", "low_back"),
        ("hip-flexor-half-kneeling", "knee"),
        ("bird-dog", "wrist_hand"),
        ("cat-camel", "wrist_hand"),
        ("cat-camel", "knee"),
        ("wall-plank", "low_back"),
        ("wall-plank", "thoracic"),
        ("wall-plank", "elbow"),
        ("band-row", "shoulder"),
        ("stair-walking", "foot"),
        ("wrist-extension-weight", "wrist_hand"),
        ("calf-stretch-wall", "ankle"),
        ("clamshell", "low_back"),
        ("neck-isometrics", "neck"),
        ("suitcase-carry", "foot"),
        ("chair-aerobics", "neck"),
    ],
)
def test_it_loads_an_inflamed_joint(slug: str, joint: str) -> None:
    assert blocked(slug, joint)


@pytest.mark.parametrize(
    ("slug", "joint"),
    [
        # A hand flare does not block kneeling, nor anything else of the leg.
        ("hip-flexor-half-kneeling", "wrist_hand"),
        ("step-up", "wrist_hand"),
        # Level 0, whatever the region.
        ("quad-set", "knee"),
        ("bed-knee-rocks", "low_back"),
        ("shoulder-pendulum", "shoulder"),
        ("seated-march", "hip"),
        # Range of motion at level 1, with no weight on the joint.
        ("tendon-glides", "wrist_hand"),
        ("neck-rotation-arom", "neck"),
        ("lower-trunk-rotation", "low_back"),
        ("table-slide-flexion", "shoulder"),
        # Standing, walking and getting down take time; they are adapted, not refused.
        ("walk-easy", "knee"),
        ("corridor-walk", "ankle"),
        ("walk-brisk", "hip"),
        # Elsewhere.
        ("band-row", "knee"),
        ("heel-raise", "hip"),
        ("stair-walking", "neck"),
        ("wall-plank", "foot"),
    ],
)
def test_it_spares_an_inflamed_joint(slug: str, joint: str) -> None:
    assert blocked(slug, joint) is False


@pytest.mark.parametrize("joint", JOINTS)
def test_level_0_stays_allowed(joint: str) -> None:
    for exercise in catalogue().values():
        if exercise.level == 0:
            assert not blocked(exercise.slug, joint), exercise.slug


def test_getting_down_does_not_load_what_it_passes() -> None:
    on_the_floor = replace(catalogue()["clamshell"], load_tags=frozenset({"FLR", "STD"}))
    assert not loads_flared_joint(on_the_floor, has("joint-flare", joints=["shoulder"]))
    assert loads_flared_joint(on_the_floor, has("joint-flare", joints=["hip"]))


@pytest.mark.parametrize(
    ("level", "subcategory", "tags", "expected"),
    [
        (0, "flare_isometric", set(), True),
        (1, "mobility", set(), True),
        (1, "flare_rom", {"ROT", "OVH"}, True),
        (1, "static", set(), False),
        (2, "mobility", set(), False),
        (1, "mobility", {"KNL"}, False),
        (0, "flare_rom", {"KNL"}, False),
        (1, "mobility", {"WRI"}, True),
    ],
)
def test_what_is_gentle_on_a_knee(level: int, subcategory: str, tags: set[str], expected: bool) -> None:
    exercise = replace(catalogue()["tendon-glides"], level=level, subcategory=subcategory, load_tags=frozenset(tags))
    assert is_gentle(exercise, frozenset({"hip", "knee", "ankle"})) is expected


@pytest.mark.parametrize("tag", ["KNL", "WRI", "IMP", "DKF", "AXL", "SRF", "PFL", "SLS", "GRP"])
def test_weight_on_the_joint_is_never_gentle(tag: str) -> None:
    exercise = replace(catalogue()["tendon-glides"], load_tags=frozenset({tag}))
    assert not is_gentle(exercise, frozenset(JOINTS))
    assert is_gentle(exercise, frozenset({"neck"}))


def test_a_flare_keeps_the_whole_bodys_effort_in_mind() -> None:
    flare = has("joint-flare", joints=["foot"])
    for slug, tag in (("arm-cycle", "CAR"), ("counter-plank", "ISO")):
        (told,) = verdicts(catalogue()[slug], [flare], matrix(), TODAY)
        assert (told.precaution.severity, told.tags, told.condition) == ("caution", (tag,), flare)


def test_a_verdict_names_its_tags_in_order() -> None:
    exercise = catalogue()["band-chop"]
    (fast,) = verdicts(exercise, [has("corticosteroid-long-term", bone_status="low")], matrix(), TODAY)
    assert fast.tags == ("RTL",)
    told = list(verdicts(catalogue()["side-plank"], [has("pregnancy"), has("cardiac")], matrix(), TODAY))
    assert [(one.condition.code, one.precaution.severity, one.tags) for one in told] == [
        ("pregnancy", "adapt", ("FLR",)),
        ("pregnancy", "caution", ("ISO",)),
        ("cardiac", "avoid", ("ISO",)),
    ]
    (both,) = verdicts(catalogue()["hip-flexor-half-kneeling"], [has("ra")], matrix(), TODAY)
    assert both.tags == ("FLR", "KNL")


def test_a_row_of_another_condition_says_nothing() -> None:
    assert list(verdicts(catalogue()["band-chop"], [has("other")], matrix(), TODAY)) == []
    assert list(verdicts(catalogue()["band-chop"], [], matrix(), TODAY)) == []
    assert list(verdicts(catalogue()["band-chop"], [has("osteoporosis")], (), TODAY)) == []
