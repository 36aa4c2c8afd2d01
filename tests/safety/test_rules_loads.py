"""What may harm this patient: each rule at its threshold, on both sides."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.prescription.dosage import Side
from models.safety.facts import CareItem, Item, Phase, Precaution, Situation
from models.safety.rules import Finding, check
from models.safety.rules.loads import long_supine
from tests.safety.situations import (
    TODAY,
    NearMisses,
    Triggers,
    a_patient,
    ago,
    care_item,
    catalogue,
    has,
    item,
    matrix,
    named,
    phase,
    said,
    situation,
)

WELL = a_patient()
CLEARED = {"cleared_by": "Dr Vance", "cleared_on": "2025-02-01"}
UNSURE_NECK = a_patient("ra")
CLEARED_NECK = a_patient(has("ra", neck_status="cleared", neck_cleared_by="Dr Vance", neck_cleared_on="2025-02-01"))
STIFF = a_patient(can_get_up_from_floor=False)
HEAT, TENS = care_item("heat-pack"), care_item("tens-home")
FIRM = phase("wall-plank")
LINE = UUID(int=7)
RISKY = (
    "block: Modified curl-up: weighted, rapid, repeated or full-range bending and twisting are the risky spine loads"
    " (osteoporosis)."
)
SHORT = (
    "info: Wall plank: short lever, pain up to 5/10 allowed if it is back to usual before the next session"
    " (shoulder-impingement)."
)


def flared(*joints: str) -> Any:
    return a_patient(has("joint-flare", joints=joints))


def lasting(slug: str, minutes: float, sets: int | None = None) -> CareItem:
    return care_item(slug, sets=sets, duration_minutes=minutes, as_needed_max_per_day=2)


COLD = lasting("cold-pack", 10)


def effort(rpe: int | None, slug: str = "walk-easy") -> Phase:
    return phase(item(slug, duration_minutes=10, days_per_week=5, rpe_target=rpe))


def prefers(direction: str, **details: Any) -> Any:
    return a_patient(has("sciatica", direction_preference=direction, **details))


def on_flare_days(plan: Phase, patient: Any = WELL) -> Situation:
    return situation(patient, phase("glute-set"), flare=replace(plan, label="Flare days"))


def neck(slug: str) -> str:
    lifted_by = "only a recorded clearance of the neck (who, when) lifts this"
    return f"block: {item(slug).exercise.name}: neck not cleared; {lifted_by}."


def hangs(slug: str) -> str:
    return f"warn: {item(slug).exercise.name}: the head hangs and the neck is not cleared; support it in neutral."


def massage(minutes: float, at_most: int | None) -> CareItem:
    line = lasting("self-massage-ball", minutes)
    return replace(line, care=replace(line.care, max_minutes=at_most))


def cold(minutes: float, at_most: int | None) -> CareItem:
    line = lasting("cold-pack", minutes)
    return replace(line, care=replace(line.care, max_minutes=at_most))


# Lying flat on the back. None of these has the tag of it.

LYING = {"hook_lying": "brace-march", "supine": "short-arc-quad", "bed": "glute-set"}
NOT_LYING = ("clamshell", "calf-stretch-wall", "sit-to-stand", "bird-dog")
UNSTABLE = a_patient("ra-cervical-instability")
PREGNANT = a_patient("pregnancy")
AFTER_3_MINUTES = (
    "after the first trimester no more than about 3 minutes flat on the back in a row: wedge, side-lying or chair"
    " version; stop if dizzy (pregnancy)."
)


def pregnant(days: int) -> Any:
    """So many days into it."""
    return a_patient(has("pregnancy", due_on=(TODAY + timedelta(days=280 - days)).isoformat()))


def taking(slug: str, minutes: float) -> Item:
    return item(
        slug, side=Side.LEFT if catalogue()[slug].one_sided else None, duration_minutes=minutes, days_per_week=7
    )


def lying(*minutes: float, slug: str = "brace-march") -> Phase:
    return phase(*(taking(slug, each) for each in minutes))


TRIGGERS: Triggers = [
    (
        "R-08",
        "loaded bending with osteoporosis",
        situation(a_patient("osteoporosis"), phase("modified-curl-up")),
        [RISKY],
    ),
    (
        "R-08",
        "fast twisting on day 13 of a strain",
        situation(a_patient(has("acute-strain", onset_on=ago(13))), phase("band-chop")),
        ["block: Band chop: first two weeks (acute-strain)."],
    ),
    (
        "R-09",
        "arms overhead with a sore shoulder",
        situation(a_patient("shoulder-impingement"), phase("serratus-wall-slide")),
        ["warn: Wall slide with reach: start below shoulder height (shoulder-impingement)."],
    ),
    (
        "R-10",
        "weight on the hand with a sore shoulder",
        situation(a_patient("shoulder-impingement"), FIRM),
        [SHORT],
    ),
    (
        "R-09",
        "over 3 minutes on the back in the second trimester",
        situation(pregnant(98), lying(1.5, 1.51)),
        [f"warn: Brace with march: {AFTER_3_MINUTES}"],
    ),
    (
        "R-09",
        "over 3 minutes on the back on flare days, due nobody knows when",
        on_flare_days(lying(1.5, 1.51), PREGNANT),
        [f"warn: Brace with march: {AFTER_3_MINUTES}"],
    ),
    (
        "R-10",
        "over 3 minutes on the back with an unstable neck",
        situation(UNSTABLE, lying(1.5, 1.51)),
        ["info: Brace with march: head supported in neutral on a pillow (ra-cervical-instability)."],
    ),
    (
        "R-10",
        "over 3 minutes on the back on flare days",
        on_flare_days(lying(3.1), UNSTABLE),
        ["info: Brace with march: head supported in neutral on a pillow (ra-cervical-instability)."],
    ),
    (
        "R-11",
        "the inflamed joint itself",
        situation(flared("wrist_hand"), phase("putty-squeeze")),
        ["block: Therapy-putty squeeze: inflamed joint (wrist hand); use level 0 or another region."],
    ),
    (
        "R-11",
        "its neighbour",
        situation(flared("knee", "elbow"), phase("heel-raise")),
        ["block: Supported heel raise: inflamed joint (elbow, knee); use level 0 or another region."],
    ),
    (
        "R-11",
        "level 2 on flare days",
        on_flare_days(phase("bridge-march")),
        ["warn: Bridge with march: a flare day stays at level 0 or 1."],
    ),
    ("R-12", "moving the neck", situation(UNSURE_NECK, phase("chin-tuck-seated")), [neck("chin-tuck-seated")]),
    ("R-12", "stretching the neck", situation(UNSURE_NECK, phase("levator-stretch")), [neck("levator-stretch")]),
    ("R-12", "loading the neck", situation(UNSURE_NECK, phase("side-plank")), [neck("side-plank")]),
    ("R-12", "head down", situation(UNSURE_NECK, phase("downward-dog")), [neck("downward-dog")]),
    ("R-12", "face down", situation(UNSURE_NECK, phase("front-plank")), [hangs("front-plank")]),
    ("R-12", "on hands and knees", situation(UNSURE_NECK, phase("bird-dog")), [hangs("bird-dog")]),
    (
        "R-11",
        "a joint nobody named",
        situation(a_patient("joint-flare"), phase("heel-raise")),
        ["block: Supported heel raise: inflamed joint (which one is not said); use level 0 or another region."],
    ),
    (
        "R-12",
        "unstable",
        situation(a_patient(has("ra", neck_status="unstable")), phase("neck-isometrics")),
        [neck("neck-isometrics")],
    ),
    (
        "R-13",
        "cold with Raynaud",
        situation(a_patient("raynaud"), phase(COLD)),
        ["block: Cold pack: not suitable (raynaud)."],
    ),
    (
        "R-13",
        "cold for 11 minutes",
        situation(WELL, phase(lasting("cold-pack", 11))),
        ["block: Cold pack: at most 10 minutes."],
    ),
    (
        "R-13",
        "cold for just over 10 minutes in two goes",
        situation(WELL, phase(lasting("cold-pack", 5.1, sets=2))),
        ["block: Cold pack: at most 10 minutes."],
    ),
    (
        "R-13",
        "heat for just over 20 minutes in two goes",
        situation(WELL, phase(lasting("heat-pack", 10.1, sets=2))),
        ["warn: Heat pack: at most 20 minutes."],
    ),
    (
        "R-13",
        "cold for longer than it may last itself",
        situation(WELL, phase(cold(5.5, at_most=5))),
        ["block: Cold pack: at most 5 minutes."],
    ),
    (
        "R-13",
        "cold for 11 minutes, though it may last 15",
        situation(WELL, phase(cold(11, at_most=15))),
        ["block: Cold pack: at most 10 minutes."],
    ),
    (
        "R-13",
        "cold for no given time",
        situation(WELL, phase(care_item("cold-pack", sets=2, as_needed_max_per_day=3))),
        ["warn: Cold pack: say how long: at most 10 minutes."],
    ),
    (
        "R-13",
        "cold for no given time, with Raynaud",
        situation(a_patient("raynaud"), phase(care_item("cold-pack"))),
        ["block: Cold pack: not suitable (raynaud).", "warn: Cold pack: say how long: at most 10 minutes."],
    ),
    (
        "R-13",
        "cold 48 hours after a strain",
        situation(a_patient(has("acute-strain", onset_on=ago(2))), phase(COLD)),
        ["warn: Cold pack: after the first 48 hours heat serves better."],
    ),
    (
        "R-13",
        "heat on numb skin",
        situation(a_patient("reduced-sensation"), phase(HEAT)),
        ["block: Heat pack: not suitable (reduced-sensation)."],
    ),
    (
        "R-13",
        "heat on a hot joint and thin skin",
        situation(a_patient(has("joint-flare", joints=["knee"]), "corticosteroid-long-term"), phase(HEAT)),
        ["block: Heat pack: not suitable (joint-flare).", "warn: Heat pack: not on thin skin."],
    ),
    (
        "R-13",
        "heat on thin skin",
        situation(a_patient("corticosteroid-long-term"), phase(HEAT)),
        ["warn: Heat pack: not on thin skin."],
    ),
    (
        "R-13",
        "heat for 21 minutes",
        situation(WELL, phase(lasting("heat-pack", 21), lasting("warm-shower", 21))),
        ["warn: Heat pack: at most 20 minutes.", "warn: Warm shower: at most 20 minutes."],
    ),
    (
        "R-13",
        "a massage for longer than it may last",
        situation(WELL, phase(massage(15.5, at_most=15))),
        ["warn: Self-massage with a ball: at most 15 minutes."],
    ),
    (
        "R-13",
        "cold for 11 minutes, though its own limit is not known",
        situation(WELL, phase(cold(11, at_most=None))),
        ["block: Cold pack: at most 10 minutes."],
    ),
    (
        "R-13",
        "TENS with a pacemaker",
        situation(a_patient("pacemaker"), phase(TENS)),
        ["block: TENS at home: not suitable (pacemaker)."],
    ),
    (
        "R-13",
        "TENS for 31 minutes",
        situation(WELL, phase(lasting("tens-home", 31))),
        ["warn: TENS at home: at most 30 minutes."],
    ),
    (
        "R-13",
        "ultrasound at home",
        situation(WELL, phase(care_item("ultrasound-clinic"))),
        ["warn: Ultrasound in the clinic: only in the clinic, not at home."],
    ),
    (
        "R-13",
        "cold on flare days",
        on_flare_days(phase(COLD), a_patient("cold-urticaria")),
        ["block: Cold pack: not suitable (cold-urticaria)."],
    ),
    (
        "R-33",
        "effort 4 in a flare",
        situation(flared("knee"), effort(4)),
        ["warn: Easy walking: effort 4 is too hard in a flare."],
    ),
    (
        "R-33",
        "effort 4 on flare days",
        on_flare_days(effort(4)),
        ["warn: Easy walking: effort 4 is too hard in a flare."],
    ),
    (
        "R-33",
        "effort 7 with heart disease",
        situation(a_patient("cardiac"), effort(7)),
        ["warn: Easy walking: effort 7 is too hard for now (cardiac)."],
    ),
    (
        "R-33",
        "effort 7, cleared the day before it began",
        situation(a_patient(has("cardiac", onset_on=date(2025, 2, 2), **CLEARED)), effort(7)),
        ["warn: Easy walking: effort 7 is too hard for now (cardiac)."],
    ),
    (
        "R-33",
        "effort 7, one of two cleared",
        situation(a_patient(has("hypertension", **CLEARED), "sle"), effort(7, "wall-plank")),
        ["warn: Wall plank: effort 7 is too hard for now (sle)."],
    ),
    (
        "R-33",
        "no effort with a beta-blocker",
        situation(a_patient("beta-blocker"), effort(None)),
        ["info: Easy walking: with a beta-blocker the pulse misleads; give an effort to aim at."],
    ),
    (
        "R-35",
        "on the floor",
        situation(STIFF, phase("front-plank-knees")),
        ["warn: Front plank from knees: use a bed or chair variant, for example seated lean-back."],
    ),
    (
        "R-36",
        "bending forward, prefers extension",
        situation(prefers("extension"), phase("single-knee-to-chest", "prone-on-elbows")),
        ["warn: Single knee to chest: bending forward is against the patient's direction (sciatica)."],
    ),
    (
        "R-36",
        "bending backward, prefers flexion",
        situation(prefers("flexion"), phase("prone-on-elbows", "single-knee-to-chest")),
        ["warn: Prone on elbows: bending backward is against the patient's direction (sciatica)."],
    ),
    (
        "R-36",
        "twisting provokes",
        situation(prefers("none", provoked_by=["rotation", "sitting"]), phase("lower-trunk-rotation", "band-chop")),
        [
            "warn: Band chop: twisting is against the patient's direction (sciatica).",
            "warn: Lower trunk rotation: twisting is against the patient's direction (sciatica).",
        ],
    ),
    (
        "R-36",
        "loaded bending",
        situation(prefers("none", provoked_by=["flexion"]), phase("modified-curl-up")),
        ["warn: Modified curl-up: bending forward is against the patient's direction (sciatica)."],
    ),
    (
        "R-36",
        "extension only, prefers flexion",
        situation(prefers("flexion"), phase("single-knee-to-chest"), phase("prone-on-elbows", number=2)),
        [
            "warn: Prone on elbows: bending backward is against the patient's direction (sciatica).",
            "warn: The plan goes only into extension; the patient prefers flexion.",
        ],
    ),
    (
        "R-38",
        "TENS",
        situation(a_patient("chronic-lbp"), phase(TENS)),
        ["info: TENS at home: the guideline advises against it for low-back pain."],
    ),
    (
        "R-38",
        "ultrasound",
        situation(a_patient("spinal-stenosis"), phase(care_item("ultrasound-clinic"))),
        ["info: Ultrasound in the clinic: the guideline advises against it for low-back pain."],
    ),
    ("R-39", "lupus", situation(a_patient("sle"), phase("walk-easy")), ["warn: Easy walking: agree a sun plan."]),
    (
        "R-39",
        "skin that burns",
        situation(a_patient("photosensitivity"), phase("walk-easy")),
        ["warn: Easy walking: agree a sun plan."],
    ),
    (
        "R-41",
        "a high risk",
        situation(a_patient(has("falls-risk", is_high=True)), phase("walk-brisk")),
        ["warn: Brisk walking: brisk walking is not for a high risk of falls."],
    ),
]
NEAR_MISSES: NearMisses = [
    ("R-08", "unloaded bending with osteoporosis", situation(a_patient("osteoporosis"), phase("seated-cat-camel"))),
    ("R-08", "loaded bending, well", situation(WELL, phase("modified-curl-up"))),
    (
        "R-08",
        "fast twisting on day 14 of a strain",
        situation(a_patient(has("acute-strain", onset_on=ago(14))), phase("band-chop")),
    ),
    ("R-09", "below the shoulder", situation(a_patient("shoulder-impingement"), phase("band-row"))),
    ("R-09", "only to avoid", situation(a_patient("pool-exclusion"), phase("pool-walk"))),
    ("R-10", "no weight on the hand", situation(a_patient("shoulder-impingement"), phase("band-row"))),
    ("R-09", "3 minutes on the back", situation(pregnant(98), lying(1.5, 1.5))),
    ("R-09", "over 3 minutes on the back in the first trimester", situation(pregnant(97), lying(5))),
    ("R-09", "3 minutes on the back on flare days", on_flare_days(lying(3), PREGNANT)),
    ("R-10", "3 minutes on the back", situation(UNSTABLE, lying(1, 1, 1))),
    ("R-10", "over 3 minutes on the back, well", situation(WELL, lying(9))),
    ("R-10", "over 3 minutes on the side", situation(UNSTABLE, lying(9, slug="side-lying-external-rotation"))),
    ("R-11", "level 0", situation(flared("knee"), phase("quad-set", "bed-heel-slides"))),
    ("R-11", "range of motion at level 1", situation(flared("wrist_hand"), phase("tendon-glides"))),
    ("R-11", "another region", situation(flared("wrist_hand"), phase("heel-raise", "hip-flexor-half-kneeling"))),
    ("R-11", "level 1 on flare days", on_flare_days(phase("glute-bridge"))),
    ("R-11", "level 2 on ordinary days", situation(WELL, phase("bridge-march"))),
    ("R-12", "cleared", situation(CLEARED_NECK, phase("chin-tuck-seated", "bird-dog", "downward-dog"))),
    ("R-12", "kneeling upright", situation(UNSURE_NECK, phase("hip-flexor-half-kneeling", "childs-pose"))),
    ("R-12", "seated", situation(UNSURE_NECK, phase("seated-brace-march"))),
    ("R-12", "without arthritis", situation(a_patient("neck-pain"), phase("chin-tuck-seated"))),
    ("R-13", "cold for 10 minutes", situation(WELL, phase(lasting("cold-pack", 10)))),
    ("R-13", "cold for 10 minutes in two goes", situation(WELL, phase(lasting("cold-pack", 5, sets=2)))),
    ("R-13", "heat for 20 minutes in two goes", situation(WELL, phase(lasting("heat-pack", 10, sets=2)))),
    ("R-13", "cold for as long as it may last itself", situation(WELL, phase(cold(5, at_most=5)))),
    ("R-13", "cold for 10 minutes, though it may last 15", situation(WELL, phase(cold(10, at_most=15)))),
    ("R-13", "cold the day after", situation(a_patient(has("acute-strain", onset_on=ago(1))), phase(COLD))),
    (
        "R-13",
        "heat and TENS after a strain",
        situation(a_patient(has("acute-strain", onset_on=ago(9))), phase(HEAT, TENS)),
    ),
    ("R-13", "cold, who knows when", situation(a_patient("acute-strain"), phase(COLD))),
    ("R-13", "heat with Raynaud", situation(a_patient("raynaud", "pacemaker"), phase(HEAT))),
    ("R-13", "cold with a hot joint", situation(flared("knee"), phase(COLD))),
    ("R-13", "heat for 20 minutes", situation(WELL, phase(lasting("heat-pack", 20), lasting("warm-shower", 20)))),
    ("R-13", "a massage for as long as it may last", situation(WELL, phase(massage(15, at_most=15)))),
    ("R-13", "a massage of any length", situation(WELL, phase(massage(90, at_most=None)))),
    ("R-13", "heat for no given time", situation(WELL, phase(HEAT))),
    ("R-13", "cold on thin skin", situation(a_patient("corticosteroid-long-term"), phase(COLD))),
    ("R-13", "TENS for 30 minutes", situation(a_patient("raynaud"), phase(lasting("tens-home", 30)))),
    ("R-13", "music for hours", situation(WELL, phase(lasting("music", 120)))),
    ("R-33", "effort 3 in a flare", situation(flared("knee"), effort(3))),
    ("R-33", "effort 4 on ordinary days", situation(WELL, effort(4), flare=phase("glute-set"))),
    ("R-33", "effort 6 with heart disease", situation(a_patient("cardiac"), effort(6))),
    ("R-33", "effort 7, cleared", situation(a_patient(*(has(c, **CLEARED) for c in ("cardiac", "sle"))), effort(7))),
    (
        "R-33",
        "effort 7, cleared the day it began",
        situation(a_patient(has("cardiac", onset_on=date(2025, 2, 1), **CLEARED)), effort(7)),
    ),
    ("R-33", "effort 7, well", situation(WELL, effort(7))),
    ("R-33", "with an effort and a beta-blocker", situation(a_patient("beta-blocker"), effort(5))),
    ("R-33", "a plank and a beta-blocker", situation(a_patient("beta-blocker"), FIRM)),
    ("R-33", "no effort, well", situation(WELL, effort(None))),
    ("R-35", "on a bed", situation(STIFF, phase("glute-bridge"))),
    ("R-35", "on the floor, can get up", situation(WELL, phase("front-plank-knees"))),
    ("R-35", "on the floor, never asked", situation(a_patient(can_get_up_from_floor=None), phase("front-plank-knees"))),
    ("R-36", "the preferred way", situation(prefers("extension"), phase("prone-on-elbows"))),
    ("R-36", "nothing recorded", situation(a_patient("sciatica"), phase("prone-on-elbows", "single-knee-to-chest"))),
    ("R-36", "no preference", situation(prefers("none"), phase("prone-on-elbows", "lower-trunk-rotation"))),
    (
        "R-36",
        "sitting provokes",
        situation(prefers("unknown", provoked_by=["sitting", "standing"]), phase("prone-on-elbows")),
    ),
    ("R-36", "neither way", situation(prefers("flexion"), phase("glute-bridge"))),
    ("R-38", "heat", situation(a_patient("chronic-lbp"), phase(HEAT))),
    ("R-38", "TENS for a knee", situation(a_patient("oa-knee"), phase(TENS))),
    ("R-39", "indoors", situation(a_patient("sle"), phase("corridor-walk"))),
    ("R-39", "with a plan", situation(a_patient(has("sle", sun_plan_on="2025-01-01")), phase("walk-easy"))),
    (
        "R-39",
        "with a plan for the skin",
        situation(a_patient("sle", has("photosensitivity", sun_plan_on="2025-01-01")), phase("walk-easy")),
    ),
    ("R-39", "well", situation(WELL, phase("walk-easy"))),
    (
        "R-41",
        "an easy walk",
        situation(a_patient(has("falls-risk", is_high=True)), phase("walk-easy", "stair-walking")),
    ),
    ("R-41", "not a high risk", situation(a_patient(has("falls-risk", is_high=False)), phase("walk-brisk"))),
    ("R-41", "some risk", situation(a_patient(falls_risk=True), phase("walk-brisk"))),
]


@pytest.mark.parametrize(("rule", "when", "s", "expected"), TRIGGERS, ids=named(TRIGGERS))
def test_it_speaks(rule: str, when: str, s: Situation, expected: list[str]) -> None:
    assert said(s, rule) == expected, when


@pytest.mark.parametrize(("rule", "when", "s"), NEAR_MISSES, ids=named(NEAR_MISSES))
def test_it_keeps_silent(rule: str, when: str, s: Situation) -> None:
    assert said(s, rule) == [], when


def of(s: Situation, rule: str) -> list[Finding]:
    return [finding for finding in check(s) if finding.rule == rule]


@pytest.mark.parametrize(
    "code", ["raynaud", "cold-urticaria", "cryoglobulinaemia", "poor-circulation", "reduced-sensation"]
)
def test_who_must_not_have_cold(code: str) -> None:
    assert said(situation(a_patient(code), phase(COLD)), "R-13") == [f"block: Cold pack: not suitable ({code})."]


@pytest.mark.parametrize("code", ["pacemaker", "pregnancy", "epilepsy", "broken-skin"])
def test_who_must_not_have_tens(code: str) -> None:
    assert said(situation(a_patient(code), phase(TENS)), "R-13") == [f"block: TENS at home: not suitable ({code})."]


@pytest.mark.parametrize("code", ["reduced-sensation", "broken-skin"])
def test_who_must_not_have_heat(code: str) -> None:
    assert said(situation(a_patient(code), phase(HEAT)), "R-13") == [f"block: Heat pack: not suitable ({code})."]


@pytest.mark.parametrize(
    "code", ["acute-strain", "chronic-lbp", "disc-herniation", "sciatica", "spinal-stenosis", "spondylolisthesis"]
)
def test_for_which_low_backs_tens_is_advised_against(code: str) -> None:
    assert len(of(situation(a_patient(code), phase(TENS)), "R-38")) == 1


@pytest.mark.parametrize("code", ["cardiac", "hypertension", "sle"])
def test_who_needs_a_clearance_for_effort(code: str) -> None:
    assert len(of(situation(a_patient(code), effort(7)), "R-33")) == 1
    assert of(situation(a_patient(has(code, **CLEARED)), effort(7)), "R-33") == []


def test_care_is_told_once_by_its_line() -> None:
    line = replace(COLD, line_id=LINE)
    s = situation(a_patient("raynaud", "poor-circulation"), phase(line), phase(line, number=2))
    both = ("Phase 1", "Phase 2")
    assert [(one.key, one.line_ids, one.phases) for one in of(s, "R-13")] == [
        ("R-13/cold-pack/poor-circulation", (LINE,), both),
        ("R-13/cold-pack/raynaud", (LINE,), both),
    ]
    line = replace(TENS, line_id=LINE)
    s = situation(a_patient("sciatica"), FIRM, phase(line, number=2), flare=phase(line, label="Flare days"))
    (advised,) = of(s, "R-38")
    assert (advised.key, advised.line_ids, advised.phases) == ("R-38/tens-home", (LINE,), ("Phase 2", "Flare days"))


def test_cold_for_no_given_time_is_told_apart_from_cold_for_too_long() -> None:
    plan = phase(care_item("cold-pack"), lasting("cold-pack", 11), care_item("ultrasound-clinic"))
    told = {(one.key, one.severity) for one in of(situation(WELL, plan), "R-13")}
    assert told == {
        ("R-13/cold-pack/at", "block"),
        ("R-13/cold-pack/say", "warn"),
        ("R-13/ultrasound-clinic/only", "warn"),
    }


def test_what_the_patient_is_told_comes_with_the_finding() -> None:
    """A precaution has its sentence for patients, and so has the head that hangs; what is refused outright has none."""
    patient = a_patient("ra", "shoulder-impingement", has("joint-flare", joints=["knee"]), can_get_up_from_floor=False)
    slugs = ("bird-dog", "wall-plank", "serratus-wall-slide", "heel-raise", "chin-tuck-seated")
    told = {one.key: one.advice for one in check(situation(patient, phase(*slugs)))}
    rows = {(row.condition, row.severity): row.advice for row in matrix() if row.condition == "shoulder-impingement"}
    assert told["R-12/bird-dog/ra/head"] == (
        "Rest your forehead on a towel or keep your neck long, in line with your back."
    )
    assert told["R-10/wall-plank/shoulder-impingement/WRI"] == rows["shoulder-impingement", "adapt"]
    assert told["R-09/serratus-wall-slide/shoulder-impingement/OVH"] == rows["shoulder-impingement", "caution"]
    assert all(rows.values())
    for key in ("R-11/heel-raise/joint-flare/knee", "R-12/chin-tuck-seated/ra", "R-35/bird-dog/floor"):
        assert told[key] is None


def test_a_flare_nobody_named_a_joint_for_is_told_so() -> None:
    (told,) = of(situation(a_patient("joint-flare"), phase("heel-raise")), "R-11")
    assert told.key == "R-11/heel-raise/joint-flare/which one is not said"


def test_cold_too_long_too_late_and_with_raynaud_are_three_findings() -> None:
    patient = a_patient("raynaud", has("acute-strain", onset_on=ago(5)))
    assert {one.key for one in of(situation(patient, phase(lasting("cold-pack", 20))), "R-13")} == {
        "R-13/cold-pack/raynaud",
        "R-13/cold-pack/at",
        "R-13/cold-pack/acute-strain",
    }


def test_what_the_pool_asks_is_told_for_the_exercise_and_the_condition() -> None:
    (refused,) = of(situation(a_patient("pool-exclusion"), phase("pool-walk")), "R-08")
    assert (refused.exercise, refused.condition, refused.phases) == ("pool-walk", "pool-exclusion", ("Phase 1",))
    assert refused.key == "R-08/pool-walk/pool-exclusion/WTR"


def test_flare_days_are_checked_too() -> None:
    s = on_flare_days(phase("pool-walk"), a_patient("pool-exclusion"))
    (refused,) = of(s, "R-08")
    assert refused.phases == ("Flare days",)


@pytest.mark.parametrize(
    ("details", "is_final"),
    [
        ({"onset_on": ago(83)}, True),
        ({"onset_on": ago(84)}, False),
        ({"onset_on": None}, True),
        ({"onset_on": ago(3), **CLEARED}, True),
        ({"onset_on": ago(3), **CLEARED | {"cleared_on": ago(4).isoformat()}}, True),
        ({"onset_on": ago(3), **CLEARED | {"cleared_on": ago(3).isoformat()}}, False),
        ({"onset_on": None, **CLEARED}, False),
        ({"onset_on": ago(3), "cleared_by": "Dr Vance"}, True),
        ({"onset_on": ago(3), "cleared_on": "2025-02-01"}, True),
    ],
)
def test_a_fresh_fracture_yields_only_to_a_clearance(details: dict[str, Any], is_final: bool) -> None:
    (refused,) = of(situation(a_patient(has("vertebral-fracture", **details)), phase("lower-trunk-rotation")), "R-08")
    assert (refused.severity, refused.final) == ("block", is_final)


@pytest.mark.parametrize(("details", "is_final"), [({}, True), (CLEARED, False)])
def test_an_unstable_neck_yields_only_to_a_clearance(details: dict[str, Any], is_final: bool) -> None:
    patient = a_patient(has("ra-cervical-instability", **details))
    told = of(situation(patient, phase("chin-tuck-seated", "bird-dog")), "R-08")
    assert [(one.exercise, one.severity, one.final) for one in told] == [("chin-tuck-seated", "block", is_final)]
    assert not any(one.final for one in of(situation(patient, phase("bird-dog")), "R-09"))


def test_other_conditions_yield_to_a_reason() -> None:
    told = of(situation(a_patient("osteoporosis", "cardiac"), phase("modified-curl-up", "front-plank")), "R-08")
    assert {(one.condition, one.final) for one in told} == {("osteoporosis", False), ("cardiac", False)}


def test_a_neck_that_is_moved_is_final_a_head_that_hangs_is_not() -> None:
    told = of(situation(UNSURE_NECK, phase("chin-tuck-seated", "bird-dog")), "R-12")
    assert [(one.key, one.severity, one.final) for one in told] == [
        ("R-12/chin-tuck-seated/ra", "block", True),
        ("R-12/bird-dog/ra/head", "warn", False),
    ]


def test_a_level_too_high_for_a_flare_day_is_its_own_finding() -> None:
    (hard,) = of(on_flare_days(phase("bridge-march")), "R-11")
    assert (hard.key, hard.phases) == ("R-11/bridge-march/level", ("Flare days",))


def test_two_inflamed_joints_are_two_findings() -> None:
    patient = a_patient(has("joint-flare", joints=["knee"]), has("joint-flare", joints=["ankle"]))
    told = of(situation(patient, phase("heel-raise")), "R-11")
    assert [one.key for one in told] == ["R-11/heel-raise/joint-flare/ankle", "R-11/heel-raise/joint-flare/knee"]


def test_inflamed_joints_are_named_in_order() -> None:
    joints = ("ankle", "elbow", "foot", "hip", "knee", "shoulder")
    (told,) = of(situation(flared(*reversed(joints)), phase("heel-raise")), "R-11")
    assert told.key == f"R-11/heel-raise/joint-flare/{', '.join(joints)}"


def test_on_hands_without_knees_the_head_does_not_hang() -> None:
    bird_dog = item("bird-dog")
    for tags, expected in (({"KNL"}, ["R-12/bird-dog/ra/head"]), (set[str](), []), ({"WRI"}, [])):
        plan = phase(replace(bird_dog, exercise=replace(bird_dog.exercise, load_tags=frozenset(tags))))
        assert [one.key for one in of(situation(UNSURE_NECK, plan), "R-12")] == expected


def test_effort_is_told_by_what_forbids_it() -> None:
    patient = a_patient("cardiac", "hypertension", "beta-blocker")
    keys = {one.key for one in of(situation(patient, effort(7)), "R-33")}
    assert keys == {"R-33/walk-easy/cardiac", "R-33/walk-easy/hypertension"}
    (in_flare,) = of(situation(a_patient("cardiac", has("joint-flare", joints=["knee"])), effort(7)), "R-33")
    assert in_flare.key == "R-33/walk-easy/flare"
    (unguided,) = of(situation(patient, effort(None)), "R-33")
    assert (unguided.key, unguided.severity) == ("R-33/walk-easy/beta-blocker", "info")


def test_a_bed_or_chair_variant_is_offered() -> None:
    (floor,) = of(situation(STIFF, phase("front-plank-knees")), "R-35")
    assert floor.key == "R-35/front-plank-knees/floor"
    assert floor.suggestions == ("seated-lean-back", "seated-back-extension-band", "seated-band-press")
    few = {slug: catalogue()[slug] for slug in ("counter-plank", "side-plank-knees")}
    (small,) = of(replace(situation(STIFF, phase("front-plank-knees")), catalogue=few), "R-35")
    assert small.suggestions == ("counter-plank",)
    (alone,) = of(replace(situation(STIFF, phase("front-plank-knees")), catalogue={}), "R-35")
    assert (alone.suggestions, alone.message) == ((), "Front plank from knees: use a bed or chair variant.")


def test_bed_and_chair_come_before_the_nearest() -> None:
    """What stands nearest comes first only among beds and chairs, and among the rest."""
    plank = catalogue()["front-plank-knees"]
    places = ("wall", "bed", "standing", "chair_sitting", "prone")
    rest = {
        f"{letter}-{place}": replace(
            plank, slug=f"{letter}-{place}", name=f"{letter.upper()} {place}", position=place, load_tags=frozenset()
        )
        for letter, place in zip("abcde", places, strict=True)
    }
    near = {"z-chair": replace(rest["d-chair_sitting"], slug="z-chair", goals=plank.goals[:1])}
    on_floor = {"0-bed": replace(rest["b-bed"], slug="0-bed", load_tags=frozenset({"FLR"}))}
    (told,) = of(replace(situation(STIFF, phase(plank.slug)), catalogue=rest), "R-35")
    assert told.suggestions == ("b-bed", "d-chair_sitting", "e-prone")
    assert told.message.endswith(", for example b bed.")
    (told,) = of(replace(situation(STIFF, phase(plank.slug)), catalogue=rest | near | on_floor), "R-35")
    assert told.suggestions == ("b-bed", "d-chair_sitting", "z-chair")


@pytest.mark.parametrize("slug", LYING.values())
def test_which_positions_are_on_the_back(slug: str) -> None:
    assert long_supine(lying(3.01, slug=slug)) == [taking(slug, 3.01)]
    assert long_supine(lying(3, slug=slug)) == []


@pytest.mark.parametrize("slug", NOT_LYING)
def test_another_position_ends_the_time_on_the_back(slug: str) -> None:
    before, between, after = taking("glute-set", 2), taking(slug, 60), taking("brace-march", 2)
    assert long_supine(phase(before, between, after)) == []
    assert long_supine(phase(before, after, between)) == [before, after]
    assert long_supine(phase(between, before, after)) == [before, after]
    longer = taking("brace-march", 3.5)
    assert long_supine(phase(before, between, longer)) == [longer]
    assert long_supine(phase(longer, between, before)) == [longer]
    assert long_supine(phase(longer, between, longer)) == [longer, longer]


def test_heat_between_two_exercises_does_not_end_it_but_a_new_phase_does() -> None:
    one, other = taking("glute-set", 2), taking("short-arc-quad", 2)
    assert long_supine(phase(one, HEAT, other)) == [one, other]
    keys = {finding.key for finding in of(situation(UNSTABLE, phase(one), phase(other, number=2)), "R-10")}
    assert keys == set()
    assert long_supine(phase()) == []


def test_minutes_on_the_back_are_those_of_the_burden() -> None:
    """Both sides, sets and the time around them: 2 × 3 × 20 s each side with rests and a moment to lie down."""
    once = item("short-arc-quad", side=Side.LEFT, sets=2, reps=3, hold_seconds=20, days_per_week=3)
    assert long_supine(phase(once)) == []
    assert long_supine(phase(replace(once, side=Side.BOTH))) == [replace(once, side=Side.BOTH)]
    assert long_supine(phase(once, once)) == [once, once]


def test_everyone_of_a_long_time_on_the_back_is_told_once() -> None:
    flat = phase(taking("glute-bridge", 2), taking("brace-march", 2), "sit-to-stand", taking("glute-set", 2))
    told = of(situation(PREGNANT, flat), "R-09")
    assert [(one.key, one.exercise, one.condition, one.severity, one.final) for one in told] == [
        ("R-09/brace-march/pregnancy/SUP", "brace-march", "pregnancy", "warn", False),
        ("R-09/glute-bridge/pregnancy/SUP", "glute-bridge", "pregnancy", "warn", False),
    ]
    short = phase(taking("glute-bridge", 1), taking("brace-march", 1))
    assert [one.exercise for one in of(situation(PREGNANT, short), "R-09")] == ["glute-bridge"]


def test_long_on_the_back_on_flare_days_only_is_told_for_them_only() -> None:
    s = situation(UNSTABLE, lying(2), lying(4), flare=replace(lying(5), label="Flare days"))
    (told,) = of(replace(s, program=replace(s.program, phases=(lying(2), replace(lying(4), label="Second")))), "R-10")
    assert told.phases == ("Second", "Flare days")
    (told,) = of(on_flare_days(lying(5), UNSTABLE), "R-10")
    assert told.phases == ("Flare days",)


def test_long_on_the_back_meets_every_row_of_the_matrix() -> None:
    row = Precaution(condition="other", severity="avoid", load_tags=frozenset({"SUP"}), reason="Not flat", source="B")
    for minutes, expected in ((3, []), (3.1, ["R-08/brace-march/other/SUP"])):
        s = replace(situation(a_patient("other"), lying(minutes)), precautions=(row,))
        assert [one.key for one in of(s, "R-08")] == expected


def test_a_weekly_total_on_the_back_is_not_one_go() -> None:
    daily = taking("brace-march", 1)
    assert long_supine(phase(replace(daily, dosage=replace(daily.dosage, sessions_per_day=4)))) == []


def test_directions_are_told_apart() -> None:
    s = situation(prefers("flexion", provoked_by=["rotation", "extension"]), phase("gentle-yoga-session"))
    assert {one.key for one in of(s, "R-36")} == {
        "R-36/gentle-yoga-session/sciatica/extension",
        "R-36/gentle-yoga-session/sciatica/rotation",
    }
    s = situation(prefers("extension"), phase("single-knee-to-chest"))
    only, into = of(s, "R-36")
    assert (only.key, only.condition, only.phases) == ("R-36/sciatica/only", "sciatica", ("Phase 1",))
    assert into.key == "R-36/single-knee-to-chest/sciatica/flexion"


def test_sun_and_speed_name_the_exercise() -> None:
    (sun,) = of(situation(a_patient("photosensitivity", "sle"), phase("walk-easy", "glute-set")), "R-39")
    assert (sun.exercise, sun.condition) == ("walk-easy", "photosensitivity")
    (fast,) = of(situation(a_patient(has("falls-risk", is_high=True)), phase("walk-intervals", "pool-jog")), "R-41")
    assert fast.exercise == "walk-intervals"


def test_the_day_counts_in_the_patients_own_calendar() -> None:
    patient = a_patient(has("acute-strain", onset_on=TODAY))
    assert of(situation(patient, phase(COLD)), "R-13") == []
