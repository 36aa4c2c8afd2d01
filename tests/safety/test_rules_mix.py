"""The right mix: each rule at its threshold, on both sides."""

from dataclasses import replace

import pytest

from models.safety.facts import Item, Phase, Situation
from models.safety.rules import check
from models.safety.rules.mix import trunk_sides
from tests.safety.situations import (
    NearMisses,
    Triggers,
    a_patient,
    care_item,
    catalogue,
    found,
    has,
    item,
    named,
    phase,
    said,
    situation,
)

BACK, WELL = a_patient("chronic-lbp"), a_patient()
LEGS = "sit-to-stand"
"""Stabilization, and no trunk work."""
BRACE, BRIDGE, PLANK, SIDE_PLANK = "abdominal-brace", "glute-bridge", "wall-plank", "wall-side-plank"
STRETCH, STRETCH_2, STRETCH_3 = "calf-stretch-wall", "lower-trunk-rotation", "hip-flexor-standing"
MONTHS = (1, 3, 6, 12, 24)
KEPT = phase(PLANK, label="Maintenance")
FLEXIBLE = phase(STRETCH, label="Maintenance")
NO_TRUNK = "block: Nothing trains the trunk: add stabilization or core."
WEAK = "warn: Combine exercise types: at least two of stretching, stabilization and core."


def no_belt(side: str) -> str:
    return f"warn: Nothing trains the {side} of the trunk in the last phase."


def needed(slug: str) -> Item:
    """Only when it hurts: nobody expects it."""
    return item(slug, sets=1, reps=10, as_needed_max_per_day=3)


def days(slug: str, a_week: int, number: int = 1) -> Phase:
    return phase(item(slug, sets=1, reps=10, days_per_week=a_week), number=number)


def weekly(*often: tuple[int, ...] | int, slug: str = PLANK) -> Phase:
    """The same exercise in several lines: on these weekdays, or on so many days a week."""
    return phase(
        *(
            item(slug, sets=1, reps=10, **({"weekdays": one} if isinstance(one, tuple) else {"days_per_week": one}))
            for one in often
        )
    )


def walking(minutes: float, days_a_week: int = 1) -> Phase:
    return phase(item("walk-easy", duration_minutes=minutes, days_per_week=days_a_week))


MON_SAT = weekly((0, 5), slug=BRACE)


def kept(plan: Phase, last: Phase | None = None) -> Situation:
    """A back patient's maintenance, after a last phase."""
    return situation(BACK, plan, is_maintenance=True, previous_last_phase=last)


TRIGGERS: Triggers = [
    (
        "R-02",
        "with heat alone",
        situation(BACK, phase(care_item("heat-pack"))),
        ["block: Passive treatment only: add active exercise."],
    ),
    (
        "R-02",
        "with exercise as needed only",
        situation(BACK, phase(needed(PLANK), needed(BRACE))),
        ["block: Passive treatment only: add active exercise."],
    ),
    ("R-03", "with a plank as needed", situation(BACK, phase(STRETCH, needed(PLANK))), [NO_TRUNK]),
    (
        "R-04",
        "with a brace as needed",
        situation(BACK, phase(PLANK, needed(BRACE))),
        ["warn: Add stabilization by week 4."],
    ),
    ("R-07", "with core as needed", situation(BACK, phase(STRETCH, needed(PLANK))), [WEAK]),
    ("R-07", "with everything as needed", situation(BACK, phase(needed(STRETCH), needed(PLANK))), [WEAK]),
    (
        "R-03",
        "with a stretch alone",
        situation(BACK, phase(STRETCH)),
        [NO_TRUNK],
    ),
    ("R-03", "with legs and arms", situation(BACK, phase(LEGS, "heel-raise", "band-row", "walk-easy")), [NO_TRUNK]),
    ("R-04", "without core", situation(BACK, phase(BRACE, STRETCH)), ["warn: Add core by week 4."]),
    ("R-04", "without stabilization", situation(BACK, phase(PLANK)), ["warn: Add stabilization by week 4."]),
    (
        "R-04",
        "without stabilization of the trunk",
        situation(BACK, phase(PLANK, LEGS)),
        ["warn: Add stabilization by week 4."],
    ),
    (
        "R-05",
        "in the last phase",
        situation(BACK, phase(PLANK, SIDE_PLANK, "bird-dog"), phase(PLANK, number=2)),
        [no_belt("back"), no_belt("sides")],
    ),
    (
        "R-05",
        "with the gluteals of a leg exercise",
        situation(BACK, phase(PLANK, SIDE_PLANK, LEGS)),
        [no_belt("back")],
    ),
    ("R-05", "without a front", situation(BACK, phase(SIDE_PLANK, "bird-dog")), [no_belt("front")]),
    (
        "R-06",
        "two stretches of three",
        situation(BACK, phase(STRETCH, STRETCH_2, BRIDGE)),
        ["warn: 2 of 3 items are stretches; stretching alone was no better."],
    ),
    ("R-07", "with stretches only", situation(BACK, phase(STRETCH)), [WEAK]),
    ("R-07", "with core and a walk", situation(BACK, phase(PLANK, "walk-easy")), [WEAK]),
    (
        "R-16",
        "two days a week",
        situation(BACK, days(PLANK, 2)),
        ["warn: Core or stabilization on 2 days a week; 3 to 5 worked best."],
    ),
    (
        "R-16",
        "twice on the same days",
        situation(BACK, weekly((0, 2), (0, 2))),
        ["warn: Core or stabilization on 2 days a week; 3 to 5 worked best."],
    ),
    (
        "R-16",
        "on days that may coincide",
        situation(BACK, weekly((0, 2), 2, 1)),
        ["warn: Core or stabilization on 2 days a week; 3 to 5 worked best."],
    ),
    (
        "R-16",
        "once a week",
        situation(BACK, phase(item(BRACE, sets=1, reps=9, every_n_days=7))),
        ["warn: Core or stabilization on 1 day a week; 3 to 5 worked best."],
    ),
    (
        "R-16",
        "every third day",
        situation(BACK, phase(*weekly((0, 2)).items, item(BRACE, sets=1, reps=9, every_n_days=3))),
        ["warn: Core or stabilization on 2.3 days a week; 3 to 5 worked best."],
    ),
    (
        "R-16",
        "with legs every day",
        situation(BACK, phase(*days(PLANK, 2).items, *days(LEGS, 7).items)),
        ["warn: Core or stabilization on 2 days a week; 3 to 5 worked best."],
    ),
    (
        "R-16",
        "never in a phase",
        situation(BACK, days(PLANK, 3), days(STRETCH, 7, number=2)),
        ["warn: Core or stabilization on 0 days a week; 3 to 5 worked best."],
    ),
    (
        "R-17",
        "59 minutes",
        situation(WELL, walking(59.4)),
        ["warn: 59 aerobic minutes a week; the target is 150. Fine while ramping up."],
    ),
    (
        "R-17",
        "a moment short of 60 minutes",
        situation(WELL, walking(59.96)),
        ["warn: 59 aerobic minutes a week; the target is 150. Fine while ramping up."],
    ),
    (
        "R-17",
        "a moment short of 150 minutes",
        situation(WELL, walking(149.96)),
        ["info: 149 aerobic minutes a week; the target is 150. Fine while ramping up."],
    ),
    (
        "R-17",
        "4.2 km",
        situation(WELL, phase(item("walk-easy", distance_m=4200, days_per_week=1))),
        ["info: 60 aerobic minutes a week; the target is 150. Fine while ramping up."],
    ),
    (
        "R-17",
        "60 minutes",
        situation(WELL, walking(60)),
        ["info: 60 aerobic minutes a week; the target is 150. Fine while ramping up."],
    ),
    (
        "R-17",
        "149 minutes at the end",
        situation(WELL, walking(300), walking(149)),
        ["info: 149 aerobic minutes a week; the target is 150. Fine while ramping up."],
    ),
    (
        "R-18",
        "one day in phase 2",
        situation(WELL, phase(STRETCH), days(BRIDGE, 1, number=2)),
        ["warn: Strength on 1 day a week; 2 or more."],
    ),
    (
        "R-18",
        "on one weekday in phase 2",
        situation(WELL, phase(STRETCH), replace(weekly((3,), (3,), 1, slug=BRIDGE), label="Phase 2")),
        ["warn: Strength on 1 day a week; 2 or more."],
    ),
    (
        "R-18",
        "never in maintenance",
        situation(WELL, FLEXIBLE, is_maintenance=True),
        ["warn: Strength on 0 days a week; 2 or more."],
    ),
    (
        "R-19",
        "at 65, on two days",
        situation(a_patient(age=65), days("tai-chi-seated", 2)),
        ["warn: Balance practice on 2 days a week; at least 3."],
    ),
    (
        "R-19",
        "at 65, every third day",
        situation(a_patient(age=65), phase(item("tai-chi-seated", duration_minutes=10, every_n_days=3))),
        ["warn: Balance practice on 2.3 days a week; at least 3."],
    ),
    (
        "R-19",
        "with thin bones, once a week",
        situation(a_patient("osteoporosis"), days("tai-chi-seated", 1)),
        ["info: Balance practice on 1 day a week; daily is best."],
    ),
    (
        "R-19",
        "at 65, once a week",
        situation(a_patient(age=65), days("tai-chi-seated", 1)),
        ["warn: Balance practice on 1 day a week; at least 3."],
    ),
    (
        "R-19",
        "at risk of falls",
        situation(a_patient(falls_risk=True), days(BRIDGE, 7)),
        ["warn: Balance practice on 0 days a week; at least 3."],
    ),
    (
        "R-19",
        "with thin bones, on six days",
        situation(a_patient("osteoporosis"), days("tai-chi-seated", 6)),
        ["info: Balance practice on 6 days a week; daily is best."],
    ),
    (
        "R-19",
        "with thin bones at 65, on three days",
        situation(a_patient("osteoporosis", age=65), days("tai-chi-seated", 3)),
        ["info: Balance practice on 3 days a week; daily is best."],
    ),
    (
        "R-20",
        "with strength alone",
        situation(a_patient("oa-hip"), phase(BRIDGE)),
        [
            "info: No aerobic work in the program.",
            "info: No flexibility work in the program.",
            "info: No balance or coordination work in the program.",
        ],
    ),
    (
        "R-20",
        "without strength",
        situation(a_patient("sle"), phase(STRETCH, "walk-easy"), phase(BRACE, number=2)),
        ["info: No strength work in the program."],
    ),
    (
        "R-24",
        "with nothing to go on with",
        situation(WELL, discharges=True, check_in_months=MONTHS),
        ["block: No maintenance phase: add a maintenance program."],
    ),
    (
        "R-24",
        "without check-ins",
        situation(WELL, KEPT, discharges=True),
        ["block: No check-in at 1, 3, 6, 12, 24 months."],
    ),
    (
        "R-24",
        "without two of them",
        situation(WELL, KEPT, discharges=True, check_in_months=(1, 6, 24)),
        ["block: No check-in at 3, 12 months."],
    ),
    (
        "R-25",
        "without core",
        kept(phase(BRIDGE), phase(BRIDGE)),
        ["warn: Strength kept the back well: no core item is kept."],
    ),
    (
        "R-25",
        "without the strength there was",
        kept(phase(STRETCH), phase(BRIDGE)),
        [
            "warn: Strength kept the back well: no core item is kept.",
            "warn: Strength kept the back well: every strength item is dropped.",
        ],
    ),
    (
        "R-46",
        "with comfort only",
        situation(WELL, phase(PLANK, care_item("heat-pack")), is_maintenance=True),
        ["info: Add education or ergonomics: with exercise it beat exercise alone."],
    ),
]
NEAR_MISSES: NearMisses = [
    ("R-02", "with one stretch", situation(BACK, phase(STRETCH))),
    ("R-02", "with one stretch, once a week", situation(BACK, phase(needed(PLANK), *days(STRETCH, 1).items))),
    ("R-03", "with a brace once a week", situation(BACK, phase(needed(PLANK), *days(BRACE, 1).items))),
    ("R-04", "with both, one of them once a week", situation(BACK, phase(PLANK, *days(BRACE, 1).items))),
    ("R-04", "with both as needed only", situation(BACK, phase(needed(PLANK), needed(BRACE)))),
    ("R-07", "with two types, one of them once a week", situation(BACK, phase(PLANK, *days(STRETCH, 1).items))),
    ("R-02", "nothing prescribed", situation(BACK)),
    ("R-02", "heat for a knee", situation(a_patient("oa-knee"), phase(care_item("heat-pack")))),
    ("R-03", "with a brace", situation(BACK, phase(STRETCH), phase(BRACE, number=2))),
    ("R-03", "with a plank", situation(BACK, phase(PLANK))),
    ("R-03", "nothing prescribed", situation(BACK)),
    ("R-03", "a stretch for a knee", situation(a_patient("oa-knee"), phase(STRETCH))),
    ("R-04", "with both in the end", situation(BACK, phase(BRACE), phase(PLANK, number=2))),
    ("R-03", "with a bridge", situation(BACK, phase(LEGS, BRIDGE))),
    ("R-04", "with legs only", situation(BACK, phase(LEGS))),
    ("R-04", "with neither", situation(BACK, phase(STRETCH))),
    ("R-04", "in maintenance", situation(BACK, phase(PLANK), is_maintenance=True)),
    ("R-04", "for a knee", situation(a_patient("oa-knee"), phase(PLANK))),
    ("R-05", "with all sides", situation(BACK, phase(PLANK, SIDE_PLANK, "bird-dog"))),
    ("R-05", "with a brace and bridges", situation(BACK, phase(BRACE, SIDE_PLANK, BRIDGE))),
    ("R-05", "for a knee", situation(a_patient("oa-knee"), phase(PLANK))),
    ("R-05", "nothing prescribed", situation(BACK)),
    ("R-06", "one stretch of two", situation(BACK, phase(STRETCH, BRIDGE))),
    ("R-06", "with a strain", situation(a_patient("acute-strain"), phase(STRETCH))),
    ("R-06", "with no items", situation(BACK, phase(care_item("heat-pack")))),
    ("R-07", "with two types", situation(BACK, phase(STRETCH), phase(BRACE, number=2))),
    ("R-07", "with core and legs", situation(BACK, phase(PLANK, LEGS))),
    ("R-07", "in maintenance", situation(BACK, phase(PLANK), is_maintenance=True)),
    ("R-07", "for a knee", situation(a_patient("oa-knee"), phase(PLANK))),
    ("R-07", "nothing prescribed", situation(BACK, phase(care_item("heat-pack")))),
    ("R-16", "three days a week", situation(BACK, days(PLANK, 3))),
    (
        "R-16",
        "three days among others",
        situation(BACK, phase(item(BRACE, reps=9, weekdays=(0, 2, 4)), *days(PLANK, 1).items)),
    ),
    ("R-16", "on different weekdays", situation(BACK, weekly((0, 2), (2, 4)))),
    ("R-16", "on weekdays of core and of stabilization", situation(BACK, phase(*weekly((0, 2)).items, *MON_SAT.items))),
    ("R-16", "one weekday, and three days of one's choice", situation(BACK, weekly((0,), 3))),
    ("R-16", "every other day", situation(BACK, phase(item(BRACE, sets=1, reps=9, every_n_days=2)))),
    ("R-16", "in maintenance", situation(BACK, days(PLANK, 2), is_maintenance=True)),
    ("R-16", "with a strain", situation(a_patient("acute-strain"), days(PLANK, 2))),
    ("R-17", "150 minutes", situation(WELL, walking(30, 5))),
    ("R-17", "150 minutes at the end", situation(WELL, walking(5), walking(150))),
    ("R-17", "nothing prescribed", situation(WELL)),
    ("R-18", "two days in phase 2", situation(WELL, phase(STRETCH), days(BRIDGE, 2, number=2))),
    (
        "R-18",
        "on two weekdays in phase 2",
        situation(WELL, phase(STRETCH), replace(weekly((3,), (5,), slug=BRIDGE), label="Phase 2")),
    ),
    ("R-18", "never in phase 1", situation(WELL, phase(STRETCH))),
    ("R-18", "two days in maintenance", situation(WELL, days(BRIDGE, 2), is_maintenance=True)),
    ("R-19", "at 64, never", situation(a_patient(age=64), days(BRIDGE, 7))),
    ("R-19", "at an unknown age, never", situation(a_patient(age=None), days(BRIDGE, 7))),
    ("R-19", "at 65, on three days", situation(a_patient(age=65), days("tai-chi-seated", 3))),
    ("R-19", "at 65, on three weekdays", situation(a_patient(age=65), weekly((0,), (1,), (2,), slug="tai-chi-seated"))),
    ("R-19", "with thin bones, every day", situation(a_patient("osteoporosis"), days("tai-chi-seated", 7))),
    (
        "R-20",
        "with all four",
        situation(a_patient("ra"), phase(BRIDGE, STRETCH), phase("walk-easy", "tai-chi-seated", number=2)),
    ),
    ("R-20", "with a strain", situation(a_patient("acute-strain"), phase(BRIDGE))),
    ("R-20", "nothing prescribed", situation(a_patient("ra"))),
    ("R-24", "with both", situation(WELL, KEPT, discharges=True, check_in_months=MONTHS)),
    ("R-24", "no discharge", situation(WELL)),
    ("R-25", "with core", kept(KEPT, phase(BRIDGE))),
    ("R-25", "after no program", kept(KEPT)),
    ("R-25", "a course", situation(BACK, phase(BRIDGE), previous_last_phase=phase(BRIDGE))),
    ("R-25", "for a knee", situation(a_patient("oa-knee"), FLEXIBLE, is_maintenance=True)),
    ("R-25", "nothing kept", situation(BACK, is_maintenance=True)),
    ("R-46", "with education", situation(WELL, phase(PLANK, care_item("back-basics")), is_maintenance=True)),
    ("R-46", "with ergonomics", situation(WELL, phase(PLANK, care_item("screen-height")), is_maintenance=True)),
    ("R-46", "a course", situation(WELL, phase(PLANK))),
    ("R-46", "nothing prescribed", situation(WELL, is_maintenance=True)),
]


@pytest.mark.parametrize(("rule", "when", "s", "expected"), TRIGGERS, ids=named(TRIGGERS))
def test_it_speaks(rule: str, when: str, s: Situation, expected: list[str]) -> None:
    assert said(s, rule) == expected, when


@pytest.mark.parametrize(("rule", "when", "s"), NEAR_MISSES, ids=named(NEAR_MISSES))
def test_it_keeps_silent(rule: str, when: str, s: Situation) -> None:
    assert said(s, rule) == [], when


@pytest.mark.parametrize(
    ("slug", "sides"),
    [
        ("wall-plank", {"front"}),
        ("wall-side-plank", {"sides"}),
        ("pool-board-push-pull", {"front", "sides", "back"}),
        ("pelvic-clock", {"front"}),
        ("brace-march", {"front"}),
        ("pelvic-tilt-supine", {"front", "back"}),
        ("supine-spine-press", {"back"}),
        ("wall-angel", {"back"}),
        ("hip-hinge-stick", {"back"}),
        ("multifidus-activation-prone", {"back"}),
        ("sit-to-stand", set()),
        ("heel-raise", set()),
        ("ball-squeeze-adduction", set()),
        ("double-knee-to-chest", set()),
        ("bed-full-body-reach", set()),
    ],
)
def test_which_sides_of_the_trunk_it_trains(slug: str, sides: set[str]) -> None:
    assert trunk_sides(item(slug)) == sides


@pytest.mark.parametrize(
    ("muscle", "side"),
    [
        *((muscle, "front") for muscle in ("transversus", "deep trunk", "abdominals")),
        *((muscle, "back") for muscle in ("multifidus", "extensors", "lumbar extensors", "back extensors")),
        *((muscle, "back") for muscle in ("gluteals", "thoracic extensors")),
    ],
)
def test_which_muscles_count_as_a_side(muscle: str, side: str) -> None:
    alone = replace(catalogue()["clamshell"], muscles=frozenset({muscle}))
    assert trunk_sides(replace(item("clamshell"), exercise=alone)) == {side}
    for but in ({"region": "knee"}, {"category": "stretching"}):
        elsewhere = replace(alone, **but)  # type: ignore[arg-type]
        assert trunk_sides(replace(item("clamshell"), exercise=elsewhere)) == set()


@pytest.mark.parametrize("code", ["ra", "sle", "oa-knee", "oa-hip", "oa-hand", "oa-spine"])
def test_who_needs_all_four_domains(code: str) -> None:
    (missing,) = [one for one in found(a_patient(code), phase(BRIDGE, STRETCH, "walk-easy")) if one.rule == "R-20"]
    assert missing.key == "R-20/neuromotor"


@pytest.mark.parametrize(
    ("slug", "domain"),
    [
        ("calf-stretch-wall", "flexibility"),
        ("walk-easy", "cardiorespiratory"),
        ("single-leg-stance", "neuromotor"),
        ("abdominal-brace", "neuromotor"),
        ("neck-isometrics", "neuromotor"),
        ("wall-angel", "neuromotor"),
        ("glute-bridge", "strength"),
        ("wall-plank", "strength"),
        ("sit-to-stand", "strength"),
    ],
)
def test_the_domain_of_an_exercise(slug: str, domain: str) -> None:
    assert catalogue()[slug].domain == domain


def test_what_a_discharge_lacks_is_told_apart() -> None:
    keys = {finding.key for finding in found(WELL, discharges=True) if finding.rule == "R-24"}
    assert keys == {"R-24/maintenance", "R-24/check-ins"}


def test_a_gap_is_told_for_the_last_phase_and_a_week_for_each() -> None:
    plan = situation(BACK, days(PLANK, 2), days(PLANK, 1, number=2))
    told = {finding.key: finding.phases for finding in check(plan)}
    assert told["R-05/sides"] == told["R-05/back"] == told["R-17"] == ("Phase 2",)
    assert told["R-16"] == ("Phase 1", "Phase 2")
    assert told["R-18"] == ("Phase 2",)
    for patient in (a_patient(age=65), a_patient("osteoporosis")):
        balance = situation(patient, days("tai-chi-seated", 7), days("tai-chi-seated", 2, number=2))
        (seldom,) = [finding for finding in check(balance) if finding.rule == "R-19"]
        assert seldom.phases == ("Phase 2",)


def test_the_graver_of_two_phases_speaks() -> None:
    """Balance on two days warns a patient of 65 with osteoporosis, on six it only informs."""
    patient = a_patient("osteoporosis", age=65)
    for first, second in ((2, 6), (6, 2)):
        plan = situation(patient, days("tai-chi-seated", first), days("tai-chi-seated", second, number=2))
        assert said(plan, "R-19") == ["warn: Balance practice on 2 days a week; at least 3."]


def test_falls_risk_is_one_however_it_is_known() -> None:
    for patient in (a_patient(falls_risk=True), a_patient("falls-risk"), a_patient(has("falls-risk"), age=None)):
        assert "R-19" in {finding.rule for finding in found(patient, days(BRIDGE, 7))}


def test_maintenance_need_not_keep_what_was_never_there() -> None:
    told = said(kept(phase("abdominal-brace"), phase("abdominal-brace", STRETCH)), "R-25")
    assert told == ["warn: Strength kept the back well: no core item is kept."]
