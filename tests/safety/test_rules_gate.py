"""Before anything is handed over: each rule at its threshold, on both sides."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from models.safety.facts import Item, Patient, Situation
from models.safety.red_flags import ASK, RED_FLAGS, WITHIN_DAYS
from models.safety.rules import check
from models.safety.rules.gate import GENERAL_QUESTIONS, required_questions
from tests.safety.situations import (
    BASELINE,
    TODAY,
    NearMisses,
    Triggers,
    a_patient,
    ago,
    found,
    has,
    item,
    named,
    phase,
    running,
    said,
    situation,
)

WELL = a_patient()
UNSURE = "block: Back pain in rheumatoid arthritis or lupus: a clinician must confirm its cause first."
UNASKED = "block: Screen for serious causes first; not asked in the last 14 days: "
UNSCREENED = f"{UNASKED}RF-01, RF-02, RF-05, RF-06, RF-08, RF-10."
NOT_SHOWN = "warn: Gluteal set: check understanding; not shown back yet."
NO_RELEASE = "block: Surgeon's release needed: none is recorded."
TOO_SOON = "block: Surgeon's release needed: surgery was less than 12 weeks ago."
UNKNOWN_DAY = "block: Surgeon's release needed: the day of surgery is unknown."
NO_BONE = "warn: Long-term steroids and no bone status: handle as bone-fragile; ask for a bone assessment."
NO_CLEARANCE = "block: Confirmed unstable neck: record the specialist's clearance (name and day) first."
UNSTABLE = "ra-cervical-instability"
NOT_TAUGHT = "block: Gluteal set: teach it in person first."
SHOWN = replace(item("glute-set"), taught_back=True)
TAUGHT = replace(item("glute-set"), taught_on=ago(1))
CONFIRMED = {"back_pain_confirmed_by": "Dr Vance", "back_pain_confirmed_on": "2025-01-01"}
CLEARED = {"cleared_by": "Dr Vance", "cleared_on": "2025-02-01"}
TOO_HIGH: dict[str, Any] = {
    "systolic": 230,
    "diastolic": 130,
    "resting_pulse": 140,
    "low_pressure_symptoms": True,
}
PRESSURE = "block: Blood pressure 230/130: too high to exercise today."
LOW = "warn: Low blood pressure with symptoms: ask a clinician."
PULSE = "warn: Resting pulse 140: ask a clinician."
STRENGTH, STRETCH = phase("glute-set"), phase("calf-stretch-wall")


def measured(**but: object) -> Situation:
    """A plan with strength work, and a reading of today."""
    return situation(WELL, STRENGTH, examination=replace(BASELINE, **but))  # type: ignore[arg-type]


def asked(patient: Patient, *, but: str, on: date | None = None) -> Situation:
    """Every question answered today but one."""
    others = dict.fromkeys(RED_FLAGS.keys() - {but}, TODAY)
    return situation(patient, screened=others | ({but: on} if on else {}))


def on_days(days: int) -> dict[str, Any]:
    """Everything measured so many days ago, whenever the examination was."""
    return dict.fromkeys(("pressure_on", "pulse_on", "low_pressure_on"), ago(days))


def two_phases(day: int) -> Situation:
    """The first phase was shown back and ends on day 10; the second was not."""
    first = phase(SHOWN, to_day=10)
    return running(WELL, first, phase("glute-set", number=2, from_day=11, to_day=20), for_days=day - 1)


def to_be_taught(day: int) -> Situation:
    """After a fracture, on a day of the program: the first phase was taught, the second, from day 11, was not."""
    plan = (phase(TAUGHT, to_day=10), phase("glute-set", number=2, from_day=11))
    return running(a_patient("vertebral-fracture"), *plan, for_days=day - 1)


def operated(weeks_ago: int, day: int = 0, **but: str) -> Situation:
    dates = {"surgery_on": ago(7 * weeks_ago + day).isoformat(), "released_on": "2025-03-03"}
    return situation(a_patient(has("post-op-hip", **(dates | but))))


def released_today(**but: str) -> Patient:
    return a_patient(has("post-op-lumbar", released_on=TODAY.isoformat(), **but))


TRIGGERS: Triggers = [
    ("R-01", "never screened", situation(WELL, screened_on=None), [UNSCREENED]),
    ("R-01", "screened 15 days ago", situation(WELL, screened_on=ago(15)), [UNSCREENED]),
    ("R-01", "one question not asked", asked(WELL, but="RF-06"), [f"{UNASKED}RF-06."]),
    ("R-01", "one question asked 15 days ago", asked(WELL, but="RF-02", on=ago(15)), [f"{UNASKED}RF-02."]),
    (
        "R-01",
        "with lupus, pregnant and a bad neck, never asked",
        situation(a_patient("sle", "pregnancy", "neck-pain"), screened_on=None),
        [f"{UNASKED}RF-01, RF-02, RF-03, RF-05, RF-06, RF-07, RF-08, RF-10, RF-13."],
    ),
    ("R-01", "pregnant and not asked of it", asked(a_patient("pregnancy"), but="RF-13"), [f"{UNASKED}RF-13."]),
    (
        "R-01",
        "pregnant and asked of it 15 days ago",
        asked(a_patient("pregnancy"), but="RF-13", on=ago(15)),
        [f"{UNASKED}RF-13."],
    ),
    (
        "R-01",
        "with a red flag open",
        situation(WELL, red_flags=frozenset({"RF-09", "RF-08"})),
        [
            f"block: A red flag is open: tumour (RF-08); the patient is told: {WITHIN_DAYS}",
            f"block: A red flag is open: inflammatory back disease (RF-09); the patient is told: {ASK}",
        ],
    ),
    (
        "R-01",
        "after a phone reported a red flag",
        situation(WELL, unknown_red_flag=True),
        ["block: The patient's phone reported a red flag; screen again."],
    ),
    ("R-01", "with back pain in lupus", situation(a_patient("sle", "chronic-lbp")), [UNSURE]),
    (
        "R-26",
        "due yesterday",
        running(WELL, STRENGTH, for_days=29, review_due_on=ago(1)),
        ["warn: Four-week review due since 2 Mar."],
    ),
    (
        "R-27",
        "never examined",
        situation(WELL, examination=None),
        ["warn: Baseline missing: pain, function, physical tests."],
    ),
    ("R-27", "without pain", measured(pain=None), ["warn: Baseline missing: pain."]),
    ("R-27", "without function", measured(function=None), ["warn: Baseline missing: function."]),
    ("R-27", "without tests", measured(has_tests=False), ["warn: Baseline missing: physical tests."]),
    ("R-28", "not shown back by the eighth day", running(WELL, STRENGTH, for_days=8), [NOT_SHOWN]),
    ("R-28", "in a phase begun today", two_phases(day=11), [NOT_SHOWN]),
    ("R-28", "in a phase that ends today", two_phases(day=20), [NOT_SHOWN]),
    ("R-28", "not sure", measured(confidence=6), ["warn: Confidence 6 of 10: go through the exercises again."]),
    (
        "R-37",
        "after surgery",
        situation(a_patient("post-op-hip"), phase("glute-set", TAUGHT)),
        [NOT_TAUGHT],
    ),
    (
        "R-37",
        "after a fracture",
        situation(a_patient("vertebral-fracture"), STRENGTH),
        [NOT_TAUGHT],
    ),
    ("R-37", "on its first day", running(a_patient("post-op-hip"), STRENGTH, for_days=0), [NOT_TAUGHT]),
    ("R-37", "in a phase that begins today", to_be_taught(day=11), [NOT_TAUGHT]),
    ("R-37", "in a phase that began yesterday", to_be_taught(day=12), [NOT_TAUGHT]),
    (
        "R-37",
        "in a phase that is over",
        running(
            a_patient("post-op-hip"), phase("glute-set", to_day=7), phase(TAUGHT, number=2, from_day=8), for_days=9
        ),
        [NOT_TAUGHT],
    ),
    (
        "R-37",
        "in a first phase that begins later",
        situation(a_patient("post-op-hip"), phase("glute-set", from_day=9)),
        [NOT_TAUGHT],
    ),
    (
        "R-37",
        "in a draft's second phase that begins with the first",
        situation(a_patient("post-op-hip"), phase(TAUGHT), phase("glute-set", number=2, from_day=1)),
        [NOT_TAUGHT],
    ),
    (
        "R-37",
        "on flare days",
        situation(a_patient("post-op-hip"), phase(TAUGHT), flare=phase("glute-set", label="Flare days")),
        [NOT_TAUGHT],
    ),
    ("R-40", "without a release", situation(a_patient("post-op-lumbar")), [NO_RELEASE]),
    (
        "R-40",
        "released, and nobody knows when the surgery was",
        situation(a_patient(has("post-op-lumbar", released_on="2025-03-03"))),
        [UNKNOWN_DAY],
    ),
    (
        "R-40",
        "to be released tomorrow, and nobody knows when the surgery was",
        situation(a_patient(has("post-op-lumbar", released_on="2025-03-04"))),
        [NO_RELEASE],
    ),
    (
        "R-40",
        "a day short of 12 weeks, whatever the onset",
        situation(
            a_patient(has("post-op-hip", surgery_on=ago(83).isoformat(), released_on="2025-03-03", onset_on=ago(400)))
        ),
        [TOO_SOON],
    ),
    ("R-40", "to be released tomorrow", operated(20, released_on="2025-03-04"), [NO_RELEASE]),
    ("R-40", "a day short of 12 weeks", operated(12, day=-1), [TOO_SOON]),
    (
        "R-40",
        "released and surgery known by the onset only",
        situation(a_patient(has("post-op-hip", released_on="2025-03-03", onset_on=ago(83)))),
        [TOO_SOON],
    ),
    (
        "R-45",
        "after 91 days of 2.5 mg",
        situation(a_patient(has("corticosteroid", onset_on=ago(91), dose_mg_per_day=2.5))),
        [NO_BONE],
    ),
    (
        "R-45",
        "with an unknown status",
        situation(a_patient(has("corticosteroid-long-term", bone_status="unknown"))),
        [NO_BONE],
    ),
    (
        "R-47",
        "never asked",
        situation(a_patient(has_preferences=False)),
        ["info: Ask what the patient prefers: place, time of day, water or land."],
    ),
    (
        "R-48",
        "at 200 systolic",
        measured(systolic=200, diastolic=80),
        ["block: Blood pressure 200/80: too high to exercise today."],
    ),
    (
        "R-48",
        "at 110 diastolic",
        measured(diastolic=110),
        ["block: Blood pressure ?/110: too high to exercise today."],
    ),
    (
        "R-48",
        "a point below both",
        measured(systolic=199, diastolic=109),
        ["warn: Blood pressure 199/109: ask before strength work."],
    ),
    ("R-48", "at 180 systolic", measured(systolic=180), ["warn: Blood pressure 180/?: ask before strength work."]),
    (
        "R-48",
        "at 105 diastolic",
        measured(systolic=120, diastolic=105),
        ["warn: Blood pressure 120/105: ask before strength work."],
    ),
    (
        "R-48",
        "low and dizzy",
        measured(low_pressure_symptoms=True),
        ["warn: Low blood pressure with symptoms: ask a clinician."],
    ),
    ("R-48", "with a pulse of 121", measured(resting_pulse=121), ["warn: Resting pulse 121: ask a clinician."]),
    (
        "R-48",
        "measured 14 days ago",
        measured(**TOO_HIGH, examined_on=ago(14)),
        [PRESSURE, LOW, PULSE],
    ),
    (
        "R-48",
        "examined long ago, measured 14 days ago",
        measured(**TOO_HIGH, **on_days(14), examined_on=ago(90)),
        [PRESSURE, LOW, PULSE],
    ),
    (
        "R-48",
        "only the pressure measured lately",
        measured(**TOO_HIGH, examined_on=ago(15), pressure_on=ago(14)),
        [PRESSURE],
    ),
    ("R-48", "only the pulse measured lately", measured(**TOO_HIGH, examined_on=ago(15), pulse_on=ago(14)), [PULSE]),
    ("R-48", "only lately low", measured(**TOO_HIGH, examined_on=ago(15), low_pressure_on=ago(14)), [LOW]),
    ("R-49", "confirmed and not cleared", situation(a_patient(UNSTABLE)), [NO_CLEARANCE]),
    ("R-49", "with a program of any kind", situation(a_patient(UNSTABLE), STRETCH), [NO_CLEARANCE]),
    (
        "R-49",
        "unstable in rheumatoid arthritis",
        situation(a_patient(has("ra", neck_status="unstable"))),
        [NO_CLEARANCE],
    ),
    (
        "R-49",
        "cleared the day before it began",
        situation(a_patient(has(UNSTABLE, onset_on=date(2025, 2, 2), **CLEARED))),
        [NO_CLEARANCE],
    ),
]
NEAR_MISSES: NearMisses = [
    ("R-01", "screened 14 days ago", situation(WELL, screened_on=ago(14))),
    ("R-01", "one question asked 14 days ago", asked(WELL, but="RF-02", on=ago(14))),
    ("R-01", "what only others are asked", situation(WELL, screened=dict.fromkeys(GENERAL_QUESTIONS, TODAY))),
    ("R-01", "pregnant and asked of it 14 days ago", asked(a_patient("pregnancy"), but="RF-13", on=ago(14))),
    ("R-01", "with back pain in lupus, confirmed", situation(a_patient(has("sle", **CONFIRMED), "chronic-lbp"))),
    ("R-01", "in rheumatoid arthritis with a bad knee", situation(a_patient("ra", "oa-knee"))),
    ("R-01", "with back pain alone", situation(a_patient("chronic-lbp"))),
    ("R-26", "due today", running(WELL, STRENGTH, for_days=28, review_due_on=TODAY)),
    ("R-26", "a draft", situation(WELL, STRENGTH, review_due_on=ago(1))),
    ("R-26", "with no day set", running(WELL, STRENGTH, for_days=90)),
    ("R-27", "all three examined, and zero", measured(pain=0, function=0.0)),
    ("R-28", "not shown back on the seventh day", running(WELL, STRENGTH, for_days=7)),
    ("R-28", "shown back", running(WELL, phase(SHOWN), for_days=8)),
    ("R-28", "shown back, the next phase tomorrow", two_phases(day=10)),
    ("R-28", "over since yesterday", two_phases(day=21)),
    ("R-28", "before its first phase", running(WELL, replace(STRENGTH, from_day=10), for_days=8)),
    ("R-28", "a draft", situation(WELL, STRENGTH)),
    ("R-28", "sure", measured(confidence=7)),
    ("R-28", "sure enough never to be asked", running(WELL, phase(SHOWN), for_days=8, examination=None)),
    ("R-37", "taught in person", situation(a_patient("post-op-hip"), phase(TAUGHT))),
    ("R-37", "not taught, a bad hip", situation(a_patient("oa-hip"), STRENGTH)),
    (
        "R-37",
        "not taught in a later phase of a draft",
        situation(a_patient("post-op-hip"), phase(TAUGHT), phase("glute-set", number=2, from_day=2)),
    ),
    ("R-37", "not taught in a phase that begins tomorrow", to_be_taught(day=10)),
    ("R-37", "nothing prescribed", situation(a_patient("post-op-hip"))),
    (
        "R-37",
        "taught in a first phase that begins later",
        situation(a_patient("post-op-hip"), phase(TAUGHT, from_day=9), phase("glute-set", number=2, from_day=10)),
    ),
    (
        "R-37",
        "flare days taught too",
        situation(a_patient("post-op-hip"), phase(TAUGHT), flare=phase(TAUGHT, label="Flare days")),
    ),
    (
        "R-37",
        "not taught for flare days, a bad hip",
        situation(a_patient("oa-hip"), flare=phase("glute-set", label="Flare days")),
    ),
    ("R-40", "released today, after 12 weeks", operated(12)),
    (
        "R-40",
        "after 12 weeks, whatever the onset",
        situation(
            a_patient(has("post-op-hip", surgery_on=ago(84).isoformat(), released_on="2025-03-03", onset_on=ago(3)))
        ),
    ),
    ("R-40", "never operated", situation(a_patient("oa-hip"))),
    (
        "R-40",
        "after 12 weeks by the onset",
        situation(a_patient(has("post-op-hip", released_on="2025-03-03", onset_on=ago(84)))),
    ),
    ("R-45", "after 90 days", situation(a_patient(has("corticosteroid", onset_on=ago(90), dose_mg_per_day=2.5)))),
    ("R-45", "on 2.49 mg", situation(a_patient(has("corticosteroid", onset_on=ago(91), dose_mg_per_day=2.49)))),
    ("R-45", "bone known", situation(a_patient(has("corticosteroid-long-term", bone_status="low")))),
    ("R-47", "asked", situation(a_patient(has_preferences=True))),
    ("R-48", "never measured", situation(WELL, STRENGTH, examination=None)),
    ("R-48", "at 179/104 with strength work", measured(systolic=179, diastolic=104)),
    (
        "R-48",
        "at 199/109 with stretches only",
        situation(WELL, STRETCH, examination=replace(BASELINE, systolic=199, diastolic=109)),
    ),
    ("R-48", "with a pulse of 120", measured(resting_pulse=120)),
    ("R-48", "measured 15 days ago", measured(**TOO_HIGH, examined_on=ago(15))),
    ("R-48", "examined today, measured 15 days ago", measured(**TOO_HIGH, **on_days(15), examined_on=TODAY)),
    ("R-49", "only suspected", situation(a_patient(has(UNSTABLE, is_confirmed=False)))),
    (
        "R-49",
        "unstable in a rheumatoid arthritis that is only suspected",
        situation(a_patient(has("ra", neck_status="unstable", is_confirmed=False))),
    ),
    ("R-49", "cleared", situation(a_patient(has(UNSTABLE, **CLEARED)))),
    (
        "R-49",
        "cleared the day it began",
        situation(a_patient(has(UNSTABLE, onset_on=date(2025, 2, 1), **CLEARED))),
    ),
    ("R-49", "another condition", situation(a_patient("ra", "neck-pain"))),
]


@pytest.mark.parametrize(("rule", "when", "s", "expected"), TRIGGERS, ids=named(TRIGGERS))
def test_it_speaks(rule: str, when: str, s: Situation, expected: list[str]) -> None:
    assert said(s, rule) == expected, when


@pytest.mark.parametrize(("rule", "when", "s"), NEAR_MISSES, ids=named(NEAR_MISSES))
def test_it_keeps_silent(rule: str, when: str, s: Situation) -> None:
    assert said(s, rule) == [], when


GENERAL = {"RF-01", "RF-02", "RF-05", "RF-06", "RF-08", "RF-10"}


@pytest.mark.parametrize(
    ("codes", "more"),
    [
        ((), set()),
        (("chronic-lbp", "oa-knee", "post-op-hip", "raynaud", "osteoporosis"), set()),
        *(((code,), {"RF-03"}) for code in ("ra", "ra-cervical-instability", "neck-pain", "cervical-radiculopathy")),
        *(((code,), {"RF-07"}) for code in ("sle", "lupus-nephritis")),
        (("pregnancy",), {"RF-13"}),
        (("ra", "sle", "pregnancy"), {"RF-03", "RF-07", "RF-13"}),
    ],
)
def test_what_must_be_asked(codes: tuple[str, ...], more: set[str]) -> None:
    """Each of them, and no other, holds the program up when it was not asked."""
    s = situation(a_patient(*codes))
    assert required_questions(s) == GENERAL | more
    for question in RED_FLAGS:
        others = {one: day for one, day in s.screened.items() if one != question}
        told = [one for one in said(replace(s, screened=others), "R-01") if one.startswith(UNASKED)]
        assert told == ([f"{UNASKED}{question}."] if question in GENERAL | more else [])


@pytest.mark.parametrize("flag_id", RED_FLAGS)
def test_only_an_emergency_is_final(flag_id: str) -> None:
    (open_flag,) = [one for one in found(WELL, red_flags=frozenset({flag_id})) if one.rule == "R-01"]
    assert open_flag.final == (flag_id in {"RF-01", "RF-03", "RF-04", "RF-10", "RF-12"})
    assert open_flag.key == f"R-01/{flag_id}"


def test_what_else_stops_the_screening_is_not_final() -> None:
    findings = found(a_patient("ra", "sciatica"), screened_on=None, unknown_red_flag=True)
    stops = {finding.key: finding.final for finding in findings if finding.rule == "R-01"}
    assert stops == {"R-01/screening": False, "R-01/reported": False, "R-01/ra": False}


@pytest.mark.parametrize(
    "code",
    [
        *("acute-strain", "chronic-lbp", "disc-herniation", "sciatica", "spinal-stenosis", "spondylolisthesis"),
        *("si-joint-pain", "piriformis", "oa-spine", "scoliosis"),
    ],
)
def test_every_back_condition_is_back_pain(code: str) -> None:
    assert said(situation(a_patient("ra", code)), "R-01") == [UNSURE]
    assert said(situation(a_patient("sle", code)), "R-01") == [UNSURE]


@pytest.mark.parametrize("code", ["neck-pain", "oa-hip", "cervical-radiculopathy", "post-op-lumbar", "other"])
def test_other_conditions_are_not(code: str) -> None:
    assert said(situation(a_patient("ra", code)), "R-01") == []


def test_findings_name_the_line_and_the_condition() -> None:
    patient, plan = a_patient("post-op-hip", "vertebral-fracture"), (STRENGTH, phase(TAUGHT, number=2))
    begun = running(patient, replace(STRENGTH, to_day=7), phase("glute-set", number=2, from_day=8), for_days=8)
    (again,) = [one for one in check(begun) if one.rule == "R-37"]
    assert again.phases == ("Phase 1", "Phase 2")
    (untaught,) = [one for one in found(patient, *plan) if one.rule == "R-37"]
    assert (untaught.exercise, untaught.condition, untaught.phases) == ("glute-set", "post-op-hip", ("Phase 1",))
    (unreleased,) = [one for one in found(a_patient("post-op-hip")) if one.rule == "R-40"]
    assert unreleased.condition == "post-op-hip"
    for details in ({}, {"surgery_on": ago(3).isoformat()}):
        (early,) = [one for one in found(released_today(**details)) if one.rule == "R-40"]
        assert (early.key, early.condition) == ("R-40/post-op-lumbar", "post-op-lumbar")
    (unknown,) = [one for one in found(a_patient("corticosteroid-long-term")) if one.rule == "R-45"]
    assert unknown.condition == "corticosteroid-long-term"


def test_every_item_is_to_be_shown_back() -> None:
    lines: tuple[Item, ...] = (item("glute-set"), SHOWN, item("quad-set"))
    plan = running(WELL, phase(*lines), for_days=8, examination=replace(BASELINE, confidence=3))
    told = [finding for finding in check(plan) if finding.rule == "R-28"]
    assert [finding.key for finding in told] == ["R-28/confidence", "R-28/glute-set", "R-28/quad-set"]


def test_pressure_and_pulse_are_told_apart() -> None:
    told = found(WELL, examination=replace(BASELINE, systolic=220, low_pressure_symptoms=True, resting_pulse=130))
    keys = {finding.key for finding in told if finding.rule == "R-48"}
    assert keys == {"R-48/pressure", "R-48/low", "R-48/pulse"}
    mixed = phase("calf-stretch-wall", "glute-set")
    (ask,) = [one for one in found(WELL, mixed, examination=replace(BASELINE, systolic=190)) if one.rule == "R-48"]
    assert (ask.key, ask.severity) == ("R-48/pressure", "warn")
