"""The nineteen protocols pass their own checks, for a patient with just what they are for."""

from collections.abc import Iterator
from typing import Any

import pytest

from models.safety.conditions import JOINTS
from models.safety.facts import Condition, Patient
from models.safety.rules import Finding, RuleSeverity
from seed_data.load import protocols
from tests.safety.situations import (
    a_patient,
    found,
    has,
    maintenance_phase,
    protocol,
    protocol_phases,
    rules_of,
)

CODES = [row["code"] for row in protocols()]
CLEARED = {"cleared_by": "Dr Vance", "cleared_on": "2025-02-01"}
CONFIRMED = {"back_pain_confirmed_by": "Dr Vance", "back_pain_confirmed_on": "2025-01-01"}
ASKED: dict[str, dict[str, Any]] = {
    "ra": CONFIRMED,
    "sle": CONFIRMED | {"sun_plan_on": "2025-01-01"},
    "ra-cervical-instability": CLEARED,
    "corticosteroid-long-term": {"bone_status": "low"},
}
"""What a clinic has recorded by the time it prescribes."""


def the_patient(code: str, *more: str, flared: str = "knee") -> Patient:
    return a_patient(*conditions_of(code, *more, flared=flared))


def conditions_of(code: str, *more: str, flared: str = "knee") -> Iterator[Condition]:
    for name in (*protocol(code)["conditions"], *more):
        yield has(name, joints=[flared]) if name == "joint-flare" else has(name, **ASKED.get(name, {}))


def exemptions(code: str) -> dict[str, str]:
    return {row["rule"]: row["why"] for row in protocol(code)["rule_exemptions"]}


def course(code: str, patient: Patient, **but: Any) -> list[Finding]:
    asked = {"exemptions": exemptions(code)}
    return found(patient, *protocol_phases(code), **(asked | but))


def maintenance(code: str, patient: Patient, **but: Any) -> list[Finding]:
    asked = {"exemptions": exemptions(code)}
    last = protocol_phases(code)[-1]
    return found(patient, maintenance_phase(code), is_maintenance=True, previous_last_phase=last, **(asked | but))


def cautions(findings: list[Finding]) -> set[tuple[str | None, str | None]]:
    return {(finding.exercise, finding.condition) for finding in findings if finding.rule == "R-09"}


def troubles(code: str, findings: list[Finding]) -> list[str]:
    """What still blocks or warns once the protocol's own cautions are accepted."""
    accepted = {(row["exercise"], row["condition"]) for row in protocol(code)["cautions"]}
    return [
        f"{finding.severity} {finding.key}: {finding.message}"
        for finding in findings
        if finding.severity is not RuleSeverity.INFO
        if finding.rule != "R-09" or (finding.exercise, finding.condition) not in accepted
    ]


def after_the_flare(code: str) -> Patient:
    return a_patient(*(condition for condition in conditions_of(code) if condition.code != "joint-flare"))


def test_there_are_nineteen() -> None:
    assert [f"T{number:02d}" for number in range(1, 20)] == CODES


@pytest.mark.parametrize("code", CODES)
def test_its_course_passes(code: str) -> None:
    assert troubles(code, course(code, the_patient(code))) == []


@pytest.mark.parametrize("code", CODES)
def test_its_maintenance_passes(code: str) -> None:
    assert troubles(code, maintenance(code, after_the_flare(code))) == []


@pytest.mark.parametrize("joint", JOINTS)
def test_flare_days_suit_any_inflamed_joint(joint: str) -> None:
    assert troubles("T07", course("T07", the_patient("T07", flared=joint))) == []


@pytest.mark.parametrize("code", CODES)
def test_every_caution_says_why_and_is_needed(code: str) -> None:
    listed = {(row["exercise"], row["condition"]) for row in protocol(code)["cautions"]}
    assert all(row["why"].endswith(".") for row in protocol(code)["cautions"])
    assert listed == cautions(course(code, the_patient(code))) | cautions(maintenance(code, after_the_flare(code)))


@pytest.mark.parametrize(
    ("code", "rule"), [(row["code"], each["rule"]) for row in protocols() for each in row["rule_exemptions"]]
)
def test_every_exemption_says_why_and_is_needed(code: str, rule: str) -> None:
    assert exemptions(code)[rule].endswith(".")
    more = ("chronic-lbp",) if code == "T16" else ()
    patient = the_patient(code, *more)
    strict = [*course(code, patient, exemptions={}), *maintenance(code, patient, exemptions={})]
    assert rule in rules_of(strict, "warn") | rules_of(strict, "block")
    exempt = [*course(code, patient), *maintenance(code, patient)]
    assert rule not in rules_of(exempt, "block")
    # What would block is still read by someone.
    assert (rule in rules_of(exempt, "warn")) == (rule in rules_of(strict, "block"))


def test_what_the_fitness_plan_leaves_to_the_back_program_beside_it() -> None:
    assert list(exemptions("T16")) == ["R-03", "R-05", "R-07", "R-16", "R-25"]
    patient = the_patient("T16", "chronic-lbp")
    assert "R-02" not in rules_of([*course("T16", patient, exemptions={}), *maintenance("T16", patient, exemptions={})])
    for told in (course("T16", patient), maintenance("T16", patient)):
        of = {one.rule: one for one in told if one.rule in exemptions("T16")}
        assert {rule for rule, one in of.items() if one.severity == "warn"} == {"R-03"}
        assert all(one.message.endswith(exemptions("T16")[rule]) for rule, one in of.items())


def test_the_aerobic_ramp_stands_beside_a_back_program() -> None:
    for told in (course("T16", the_patient("T16", "chronic-lbp")), maintenance("T16", the_patient("T16"))):
        assert "block" not in {finding.severity for finding in told}


def test_a_protocol_tells_what_is_to_be_cleared_but_the_rule_asks_anyway() -> None:
    """What a protocol says of clearances is for people to read; R-49 asks whatever the program."""
    named = {code: set(protocol(code)["clearance_for"]) for code in CODES if protocol(code)["clearance_for"]}
    assert named == {"T06": {"ra-cervical-instability"}, "T07": {"ra-cervical-instability"}}


@pytest.mark.parametrize("code", CODES)
def test_a_confirmed_unstable_neck_needs_a_specialist(code: str) -> None:
    def refusals(neck: Condition) -> list[Finding]:
        patient = a_patient(neck)
        told = [*course(code, patient), *maintenance(code, patient)]
        return [finding for finding in told if finding.rule == "R-49"]

    for refused in refusals(has("ra-cervical-instability")):
        assert (refused.severity, refused.final, refused.condition) == ("block", True, "ra-cervical-instability")
    assert len(refusals(has("ra-cervical-instability"))) == 2
    assert refusals(has("ra-cervical-instability", is_confirmed=False)) == []
    assert refusals(has("ra-cervical-instability", **CLEARED)) == []
    assert refusals(has("chronic-lbp")) == []
    halves = refusals(has("ra-cervical-instability", cleared_by="Dr Vance"))
    assert [half.final for half in halves] == [True, True]


@pytest.mark.parametrize("code", ["T06", "T07"])
def test_a_suspected_unstable_neck_may_start_gently(code: str) -> None:
    suspected = has("ra-cervical-instability", is_confirmed=False)
    others = [one for one in conditions_of(code) if one.code != suspected.code]
    told = course(code, a_patient(*others, suspected))
    assert "R-49" not in rules_of(told)
