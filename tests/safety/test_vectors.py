"""The worked examples of clinical content 5.3 that concern prescribing."""

import pytest

from models.safety.facts import Patient, Phase
from tests.safety.situations import (
    a_patient,
    ago,
    care_item,
    found,
    has,
    item,
    maintenance_phase,
    phase,
    protocol_phases,
    rules_of,
)

STRETCHES = (
    *("single-knee-to-chest", "lower-trunk-rotation", "hip-flexor-standing"),
    *("figure-four-supine", "calf-stretch-wall", "open-book-rotation"),
)


@pytest.mark.parametrize(
    ("patient", "plan", "expected"),
    [
        pytest.param(
            a_patient("chronic-lbp"),
            phase(care_item("heat-pack"), care_item("tens-home")),
            {"R-02 block", "R-03 block", "R-38 info"},
            id="chronic back pain with heat and TENS",
        ),
        pytest.param(
            a_patient("chronic-lbp"),
            phase(*STRETCHES),
            {"R-03 block", "R-06 warn", "R-07 warn"},
            id="chronic back pain with six stretches",
        ),
        pytest.param(
            a_patient(has("ra", neck_status="unknown")),
            phase("chin-tuck-seated"),
            {"R-12 block"},
            id="rheumatoid arthritis, neck unknown, with a chin tuck",
        ),
        pytest.param(
            a_patient("osteoporosis"), phase("modified-curl-up"), {"R-08 block"}, id="osteoporosis with a curl-up"
        ),
        pytest.param(
            a_patient("spinal-stenosis"), phase("prone-press-up"), {"R-08 block"}, id="stenosis with a press-up"
        ),
        pytest.param(
            a_patient(has("corticosteroid", onset_on=ago(120), dose_mg_per_day=5)),
            phase("band-chop"),
            {"R-45 warn", "R-08 block"},
            id="prednisone without a bone status with a band chop",
        ),
        pytest.param(
            a_patient("sle"), phase("walk-brisk"), {"R-39 warn"}, id="lupus with a brisk walk and no sun plan"
        ),
        pytest.param(
            a_patient(has("joint-flare", joints=["knee"], side="right")),
            phase("step-up"),
            {"R-11 block"},
            id="inflamed knee with a step-up",
        ),
        pytest.param(
            a_patient("raynaud"), phase(care_item("cold-pack")), {"R-13 block"}, id="Raynaud with a cold pack"
        ),
    ],
)
def test_prescribing(patient: Patient, plan: Phase, expected: set[str]) -> None:
    assert expected <= {f"{finding.rule} {finding.severity}" for finding in found(patient, plan)}


@pytest.mark.parametrize(
    ("condition", "slug", "tag"),
    [
        ("osteoporosis", "modified-curl-up", "FLL"),
        ("spinal-stenosis", "prone-press-up", "EXT"),
        ("corticosteroid-long-term", "band-chop", "RTL"),
    ],
)
def test_the_load_that_is_refused(condition: str, slug: str, tag: str) -> None:
    (refused,) = [finding for finding in found(a_patient(condition), phase(slug)) if finding.rule == "R-08"]
    assert refused.key == f"R-08/{slug}/{condition}/{tag}"


def test_an_inflamed_knee_may_tighten_its_thigh() -> None:
    flare = has("joint-flare", joints=["knee"], side="right")
    assert "R-11" not in rules_of(found(a_patient(flare), phase("quad-set")))


def test_t02_as_written_weeks_1_to_4() -> None:
    findings = found(a_patient("chronic-lbp"), protocol_phases("T02")[0])
    assert [(finding.rule, finding.severity) for finding in findings] == [
        ("R-14", "info"),
        ("R-17", "info"),
        ("R-42", "info"),
    ]


def test_t02_discharge_with_walking_only() -> None:
    walking = phase(item("walk-brisk", duration_minutes=30, days_per_week=5), label="Maintenance")
    leaving = {
        "discharges": True,
        "is_maintenance": True,
        "check_in_months": (1, 3, 6, 12, 24),
        "previous_last_phase": protocol_phases("T02")[-1],
    }
    patient = a_patient("chronic-lbp")
    findings = found(patient, walking, **leaving)
    assert {finding.key for finding in findings if finding.rule == "R-25"} == {"R-25/core", "R-25/strength"}
    assert "R-24" not in rules_of(findings)
    assert "R-24" in rules_of(found(patient, walking, **(leaving | {"check_in_months": None})), "block")
    whole = found(patient, maintenance_phase("T02"), **leaving)
    assert not {"R-24", "R-25"} & rules_of(whole)
