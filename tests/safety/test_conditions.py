"""What a patient can have: what is said wrongly, and what follows from what is said."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from models.safety.conditions import (
    BACK,
    POST_OP,
    RADICULAR,
    VOCABULARY,
    effective,
    errors,
    is_long_term,
    is_neck_cleared,
)
from models.safety.facts import Condition
from tests.safety.situations import TODAY, a_patient, ago, has, matrix

CLEARED = {"cleared_by": "Dr Vance", "cleared_on": "2025-03-03"}
A_DATE = "Say a date as 2026-03-04."
A_NAME = "Say a name of at most 100 characters."
A_DOSE = "Say a number from 0 to 200."
A_FUTURE = "This lies in the future."
A_PAIR = "A clearance names the clinician and the day."


def wrong(code: str, /, *joints: str, onset_on: date | None = None, **details: Any) -> list[tuple[str, str]]:
    return list(errors(code, joints, details, TODAY, onset_on))


@pytest.mark.parametrize(
    ("code", "details"),
    [
        ("chronic-lbp", {}),
        ("ra", {"neck_status": "unknown", "spine_involvement": "cervical"}),
        ("ra", {"neck_status": "unstable"}),
        ("ra", {"neck_status": "cleared", "neck_cleared_by": "Dr Vance", "neck_cleared_on": "2025-03-03"}),
        ("ra", {"back_pain_confirmed_by": "Dr Vance", "back_pain_confirmed_on": "2025-03-03"}),
        ("sle", {**CLEARED, "sun_plan_on": "2025-03-03"}),
        ("sle", {"back_pain_confirmed_by": "Dr Vance", "back_pain_confirmed_on": "2025-03-03"}),
        *((code, CLEARED) for code in ("ra-cervical-instability", "vertebral-fracture", "hypertension", "cardiac")),
        ("photosensitivity", {"sun_plan_on": "1999-12-31"}),
        *(
            (code, {"dose_mg_per_day": dose, "bone_status": "low", "bone_status_on": "2025-03-03"})
            for code in ("corticosteroid", "corticosteroid-long-term")
            for dose in (0, 2.5, 200)
        ),
        ("pregnancy", {"due_on": "2025-09-01"}),
        ("falls-risk", {"is_high": True}),
        ("falls-risk", {"is_high": False}),
        ("sciatica", {"direction_preference": "extension", "provoked_by": ["flexion", "sitting"]}),
        ("sciatica", {"direction_preference": "unknown", "provoked_by": []}),
        ("post-op-hip", {"surgery_on": "2025-03-03", "released_on": "2025-09-01", "released_by": "Dr Vance"}),
        ("ra", {"neck_cleared_by": "x" * 100, "neck_cleared_on": "2000-02-29"}),
        ("ra", {"neck_cleared_by": "X", "neck_cleared_on": "2000-02-29"}),
        *(("ra", {"spine_involvement": part}) for part in ("none", "cervical", "thoracic", "lumbar", "unknown")),
    ],
)
def test_said_rightly(code: str, details: dict[str, Any]) -> None:
    assert wrong(code, **details) == []


@pytest.mark.parametrize(
    ("code", "name", "value", "sentence"),
    [
        ("chronic-lbp", "is_high", True, "Chronic low-back pain has no detail is_high."),
        ("pregnancy", "due_on", "2025-9-1", A_DATE),
        ("pregnancy", "due_on", "20250901", A_DATE),
        ("pregnancy", "due_on", "2025-02-30", A_DATE),
        ("pregnancy", "due_on", "1899-02-03", A_DATE),
        ("pregnancy", "due_on", "2100-02-03", A_DATE),
        ("pregnancy", "due_on", "2025-09-01T00:00", A_DATE),
        ("pregnancy", "due_on", 20250901, A_DATE),
        ("pregnancy", "due_on", None, A_DATE),
        ("sle", "sun_plan_on", "2025-03-04", A_FUTURE),
        ("sle", "sun_plan_on", "tomorrow", A_DATE),
        ("post-op-hip", "surgery_on", "2025-03-04", A_FUTURE),
        ("corticosteroid", "bone_status_on", "2025-03-04", A_FUTURE),
        ("post-op-hip", "released_by", "", A_NAME),
        ("post-op-hip", "released_by", "   ", A_NAME),
        ("post-op-hip", "released_by", "x" * 101, A_NAME),
        ("post-op-hip", "released_by", "Dr\nVance", A_NAME),
        ("post-op-hip", "released_by", 7, A_NAME),
        ("corticosteroid", "dose_mg_per_day", -0.1, A_DOSE),
        ("corticosteroid", "dose_mg_per_day", 200.1, A_DOSE),
        ("corticosteroid", "dose_mg_per_day", "5", A_DOSE),
        ("corticosteroid", "dose_mg_per_day", True, A_DOSE),
        ("corticosteroid", "dose_mg_per_day", float("nan"), A_DOSE),
        ("corticosteroid", "bone_status", "fine", "Say one of unknown, normal, low, osteoporosis."),
        ("ra", "neck_status", ["cleared"], "Say one of unknown, cleared, unstable."),
        ("falls-risk", "is_high", "yes", "Say true or false."),
        ("falls-risk", "is_high", 1, "Say true or false."),
        ("sciatica", "direction_preference", "up", "Say one of flexion, extension, none, unknown."),
        *(
            ("sciatica", "provoked_by", value, "Say a list out of flexion, extension, rotation, sitting, standing.")
            for value in ("flexion", ["flexion", "lifting"], {"flexion": True}, None)
        ),
    ],
)
def test_said_wrongly(code: str, name: str, value: Any, sentence: str) -> None:
    assert wrong(code, **{name: value}) == [(f"/details/{name}", sentence)]


@pytest.mark.parametrize(
    ("code", "by", "on"),
    [
        ("cardiac", "cleared_by", "cleared_on"),
        ("ra", "neck_cleared_by", "neck_cleared_on"),
        ("ra", "back_pain_confirmed_by", "back_pain_confirmed_on"),
    ],
)
def test_a_clearance_names_the_clinician_and_the_day(code: str, by: str, on: str) -> None:
    def told(**said: Any) -> list[tuple[str, str]]:
        return wrong(code, **said)

    assert told(**{by: "Dr Vance"}) == [(f"/details/{on}", A_PAIR)]
    assert told(**{on: "2025-03-03"}) == [(f"/details/{by}", A_PAIR)]
    assert told(**{by: "Dr Vance", on: "2025-03-04"}) == [(f"/details/{on}", A_FUTURE)]


@pytest.mark.parametrize("code", ["cardiac", "sle", "hypertension", "vertebral-fracture", "ra-cervical-instability"])
def test_a_clearance_follows_the_onset(code: str) -> None:
    late = [("/details/cleared_on", "A clearance follows the onset.")]
    assert wrong(code, onset_on=ago(9), cleared_by="Dr Vance", cleared_on=ago(10).isoformat()) == late
    assert wrong(code, onset_on=ago(9), cleared_by="Dr Vance", cleared_on=ago(9).isoformat()) == []
    assert wrong(code, onset_on=None, cleared_by="Dr Vance", cleared_on=ago(10).isoformat()) == []
    assert wrong(code, onset_on=ago(9)) == []


@pytest.mark.parametrize("code", ["post-op-hip", "post-op-lumbar"])
def test_a_release_follows_the_surgery(code: str) -> None:
    early = [("/details/released_on", "A release follows the surgery.")]
    on = {days: ago(days).isoformat() for days in (8, 9, 10)}
    assert wrong(code, surgery_on=on[9], released_on=on[10]) == early
    assert wrong(code, surgery_on=on[9], released_on=on[9]) == []
    assert wrong(code, onset_on=ago(9), released_on=on[10]) == early
    assert wrong(code, onset_on=ago(9), released_on=on[9]) == []
    # The surgery counts, not the onset, where both are known.
    assert wrong(code, onset_on=ago(8), surgery_on=on[10], released_on=on[9]) == []
    assert wrong(code, onset_on=ago(10), surgery_on=on[8], released_on=on[9]) == early
    assert wrong(code, released_on=on[10]) == wrong(code, surgery_on=on[10]) == wrong(code, onset_on=ago(9)) == []


def test_a_birth_is_at_most_a_pregnancy_ahead() -> None:
    def due_in(days: int) -> str:
        return (TODAY + timedelta(days=days)).isoformat()

    assert wrong("pregnancy", due_on=due_in(280)) == []
    assert wrong("pregnancy", due_on=due_in(-20)) == []
    assert wrong("pregnancy", due_on=due_in(281)) == [
        ("/details/due_on", "A due date lies at most 280 days ahead."),
    ]


def test_days_that_are_no_days_are_compared_with_nothing() -> None:
    assert wrong("cardiac", onset_on=TODAY, cleared_by="Dr Vance", cleared_on="2025-3-1") == [
        ("/details/cleared_on", A_DATE),
    ]
    assert wrong("post-op-hip", surgery_on="2025-02-30", released_on="2025-01-01") == [
        ("/details/surgery_on", A_DATE),
    ]


def test_several_wrong_days_are_all_told() -> None:
    on = {days: ago(days).isoformat() for days in (9, 10)}
    told = wrong("post-op-hip", onset_on=ago(1), surgery_on=on[9], released_on=on[10], released_by="")
    assert told == [("/details/released_by", A_NAME), ("/details/released_on", "A release follows the surgery.")]


def test_a_cleared_neck_was_cleared_by_someone() -> None:
    assert wrong("ra", neck_status="cleared") == [("/details/neck_cleared_by", "Say who cleared the neck, and when.")]


def test_a_condition_is_one_of_the_vocabulary() -> None:
    assert wrong("lumbago", cleared_by="x") == [
        ("/code", "No condition lumbago; use one of the vocabulary, or other."),
    ]
    assert wrong("other") == []


def test_joints_are_some_of_the_known() -> None:
    sentence = "Say one of neck, thoracic, low_back, hip, knee, ankle, foot, shoulder, elbow, wrist_hand."
    assert wrong("joint-flare", "knee", "nose", "hip", "chin") == [("/joints/1", sentence), ("/joints/3", sentence)]
    assert wrong("joint-flare", "knee", ends_on="2025-03-09") == []
    assert wrong("joint-flare") == [("/joints", "Say which joints are inflamed.")]
    assert wrong("oa-knee", "knee") == []


def test_the_vocabulary() -> None:
    used = {row.condition for row in matrix()} | BACK | RADICULAR | POST_OP
    used |= {"beta-blocker", "corticosteroid", "pacemaker", "epilepsy", "reduced-sensation", "broken-skin"}
    used |= {"cold-urticaria", "cryoglobulinaemia", "poor-circulation", "other"}
    assert used == VOCABULARY.keys()
    assert len(VOCABULARY) == 46
    assert all(code == word.code and word.name for code, word in VOCABULARY.items())


# What follows.


def codes(*conditions: Condition | str, **but: Any) -> list[str]:
    return [condition.code for condition in effective(a_patient(*conditions, **but), TODAY)]


@pytest.mark.parametrize(
    ("onset", "dose", "is_long"),
    [
        (91, 2.5, True),
        (90, 2.5, False),
        (91, 2.49, False),
        (None, 2.49, False),
        (None, 2.5, True),
        (91, None, True),
        (90, None, False),
        (None, None, True),
        (4000, 0, False),
        (0, 60, False),
    ],
)
def test_long_term_steroids_follow_from_dose_and_time(onset: int | None, dose: float | None, is_long: bool) -> None:
    details = {} if dose is None else {"dose_mg_per_day": dose}
    steroid = has("corticosteroid", onset_on=None if onset is None else ago(onset), **details)
    assert ("corticosteroid-long-term" in codes(steroid)) is is_long
    assert is_long_term(steroid, TODAY) is is_long


def test_long_term_steroids_keep_what_was_said_of_the_steroid() -> None:
    steroid = has("corticosteroid", onset_on=ago(200), dose_mg_per_day=5, bone_status="low")
    found = effective(a_patient(steroid), TODAY)
    assert found == (steroid, replace(steroid, code="corticosteroid-long-term"))


@pytest.mark.parametrize("code", ["corticosteroid", "corticosteroid-long-term"])
def test_a_bone_status_of_osteoporosis_is_osteoporosis(code: str) -> None:
    short = {"onset_on": ago(3)}
    assert codes(has(code, bone_status="osteoporosis", **short)) == [code, "osteoporosis"]
    for status in ("unknown", "normal", "low"):
        assert codes(has(code, bone_status=status, **short)) == [code]
    assert codes(has("ra", bone_status="osteoporosis")) == ["ra"]


def test_an_unstable_neck_follows_from_the_neck_status() -> None:
    assert codes(has("ra", neck_status="unstable")) == ["ra", "ra-cervical-instability"]
    for status in ("unknown", "cleared"):
        assert codes(has("ra", neck_status=status)) == ["ra"]
    for is_confirmed in (True, False):
        _, neck = effective(a_patient(has("ra", neck_status="unstable", is_confirmed=is_confirmed)), TODAY)
        assert neck == Condition(code="ra-cervical-instability", is_confirmed=is_confirmed)
    assert codes(has("neck-pain", neck_status="unstable")) == ["neck-pain"]


def test_falls_risk_follows_from_the_record() -> None:
    assert codes(falls_risk=True) == ["falls-risk"]
    assert codes(falls_risk=False) == codes(falls_risk=None) == []


@pytest.mark.parametrize(
    ("ends", "lasts"), [({"ends_on": "2025-03-02"}, False), ({"ends_on": "2025-03-03"}, True), ({}, True)]
)
def test_a_flare_lasts_to_its_last_day(ends: dict[str, str], lasts: bool) -> None:
    assert codes(has("joint-flare", joints=["knee"], **ends), "ra") == (["joint-flare", "ra"] if lasts else ["ra"])
    assert codes(has("oa-knee", **ends)) == ["oa-knee"]


def test_nothing_is_derived_twice_or_over_what_was_recorded() -> None:
    cleared = has("ra-cervical-instability", **CLEARED)
    recorded = (
        has("ra", neck_status="unstable"),
        cleared,
        has("corticosteroid", bone_status="osteoporosis"),
        has("corticosteroid-long-term", bone_status="osteoporosis"),
        has("falls-risk", is_high=True),
    )
    found = effective(a_patient(*recorded, falls_risk=True), TODAY)
    long_term = replace(recorded[2], code="corticosteroid-long-term")
    assert found == (*recorded, long_term, Condition(code="osteoporosis"))


def test_each_steroid_has_its_own_bone_loss() -> None:
    """What is known of the bones in one course does not speak for the other."""
    normal = has("corticosteroid", onset_on=ago(200), dose_mg_per_day=5, bone_status="normal")
    unknown = has("corticosteroid", onset_on=ago(100), dose_mg_per_day=5)
    short = has("corticosteroid", onset_on=ago(90), dose_mg_per_day=5)
    recorded = has("corticosteroid-long-term", bone_status="normal")
    long_normal, long_unknown = (replace(one, code="corticosteroid-long-term") for one in (normal, unknown))
    assert effective(a_patient(normal, unknown), TODAY) == (normal, unknown, long_normal, long_unknown)
    assert effective(a_patient(recorded, unknown), TODAY) == (recorded, unknown, long_unknown)
    assert effective(a_patient(recorded, short), TODAY) == (recorded, short)
    assert effective(a_patient(unknown, short, normal), TODAY) == (unknown, short, normal, long_unknown, long_normal)


def test_an_osteoporosis_is_derived_once() -> None:
    thin = has("corticosteroid", onset_on=ago(200), bone_status="osteoporosis")
    again = has("corticosteroid-long-term", bone_status="osteoporosis")
    assert codes(thin, again) == [thin.code, again.code, again.code, "osteoporosis"]
    unstable = has("ra", neck_status="unstable")
    assert codes(unstable, unstable) == ["ra", "ra", "ra-cervical-instability"]


def test_a_clearance_is_a_name_and_a_day() -> None:
    assert has("cardiac", **CLEARED).is_cleared
    for name, value in CLEARED.items():
        assert has("cardiac", **{name: value}).is_cleared is False
    assert not has("cardiac", cleared_by="", cleared_on="2025-03-03").is_cleared


@pytest.mark.parametrize(("onset", "is_cleared"), [(None, True), (TODAY, True), (ago(1), True), (ago(-1), False)])
def test_a_clearance_lies_not_before_the_onset(onset: date | None, *, is_cleared: bool) -> None:
    assert has("cardiac", onset_on=onset, **CLEARED).is_cleared is is_cleared


@pytest.mark.parametrize(
    ("recorded", "found"),
    [
        ([], [True]),
        ([has("ra-cervical-instability", is_confirmed=False)], [False, True]),
        ([has("ra-cervical-instability")], [True]),
    ],
)
def test_an_unstable_neck_is_as_sure_as_the_arthritis(recorded: list[Condition], found: list[bool]) -> None:
    """Whatever the order, and whatever weaker suspicion stands beside it."""
    unstable = has("ra", neck_status="unstable")
    for conditions in (
        [unstable, *recorded],
        [*recorded, unstable],
        [*recorded, replace(unstable, is_confirmed=False), unstable],
    ):
        known = effective(a_patient(*conditions), TODAY)
        assert [one.is_confirmed for one in known if one.code == "ra-cervical-instability"] == found


def test_a_suspected_unstable_neck_may_already_be_cleared() -> None:
    suspected = has("ra-cervical-instability", is_confirmed=False, cleared_by="Dr Vance", cleared_on="2025-02-01")
    known = effective(a_patient(suspected, has("ra", neck_status="unstable")), TODAY)
    assert all(one.is_cleared for one in known if one.code == "ra-cervical-instability")


def test_a_neck_cleared_before_the_arthritis_is_not_cleared() -> None:
    cleared = {"neck_status": "cleared", "neck_cleared_by": "Dr Vance", "neck_cleared_on": "2025-01-31"}
    assert is_neck_cleared(has("ra", onset_on=date(2025, 1, 31), **cleared))
    assert not is_neck_cleared(has("ra", onset_on=date(2025, 2, 1), **cleared))
    said = list(errors("ra", [], cleared, TODAY, date(2025, 2, 1)))
    assert said == [("/details/neck_cleared_on", "A clearance follows the onset.")]
