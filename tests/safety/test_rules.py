"""The registry and the check: every rule has its cases, final findings stay, the rest can be switched."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from models.prescription.dosage import Side
from models.safety import rules
from models.safety.facts import Patient, Program, Situation
from models.safety.rules import RULES, Finding, RuleSeverity, check
from models.safety.rules.registry import Hit, Rule, rule
from tests.safety import test_rules_dose, test_rules_gate, test_rules_loads, test_rules_mix
from tests.safety.situations import TODAY, a_patient, ago, has, item, phase, protocol, said, situation

MODULES = (test_rules_gate, test_rules_mix, test_rules_loads, test_rules_dose)
TRIGGERS = [case for module in MODULES for case in module.TRIGGERS]
NEAR_MISSES = [case for module in MODULES for case in module.NEAR_MISSES]
FIXED = {"R-01", "R-08", "R-12", "R-29", "R-30", "R-49"}
DESIGN = {"R-14", "R-21", "R-22", "R-42"}
WELL = a_patient()
CLEARED = {"cleared_by": "Dr Vance", "cleared_on": TODAY.isoformat()}
BLOCK, WARN, INFO = RuleSeverity.BLOCK, RuleSeverity.WARN, RuleSeverity.INFO
OFF = dict.fromkeys(RULES, INFO)
EXEMPT = dict.fromkeys(RULES, "The protocol says so.")


def test_every_rule_has_a_case_and_a_near_miss() -> None:
    assert {case[0] for case in TRIGGERS} == {case[0] for case in NEAR_MISSES} == set(RULES)


def test_the_rules_are_numbered_without_gaps() -> None:
    assert list(RULES) == [f"R-{number:02d}" for number in range(1, 50)]
    assert [one.id for one in RULES.values()] == list(RULES)


@pytest.mark.parametrize("one", RULES.values(), ids=list(RULES))
def test_a_rule_says_what_it_is(one: Rule) -> None:
    assert one.version >= 1
    assert one.title
    assert one.source[0] not in "; "
    assert ("design choice" in one.source) == one.is_design
    assert one.is_fixed == (one.id in FIXED)
    assert one.is_design == (one.id in DESIGN)
    assert one.finds.__doc__
    assert not one.title.endswith(".")


@pytest.mark.parametrize(
    ("severity", "ids"),
    [
        (BLOCK, {1, 2, 3, 8, 11, 12, 13, 24, 29, 30, 37, 40, 48, 49}),
        (WARN, {*range(4, 8), 9, *range(14, 20), *range(21, 24), *range(25, 29), *range(33, 37), 39, 41, 45}),
        (INFO, {10, 20, 31, 32, 38, 42, 43, 44, 46, 47}),
    ],
)
def test_how_grave_each_rule_is(severity: RuleSeverity, ids: set[int]) -> None:
    assert {int(one.id[2:]) for one in RULES.values() if one.severity is severity} == ids


@pytest.mark.parametrize("case", TRIGGERS, ids=lambda case: f"{case[0]} {case[1]}")
def test_what_a_finding_carries(case: tuple[str, str, Situation, list[str]]) -> None:
    of, _, s, _ = case
    for finding in check(s):
        if finding.rule == of:
            assert finding.key.split("/")[0] == of
            assert "" not in finding.key.split("/")
            assert (finding.version, finding.source) == (RULES[of].version, RULES[of].source)
            assert not finding.message[0].islower()
            assert finding.message.endswith((".", "?"))
            assert not finding.final or (finding.severity is BLOCK and RULES[of].is_fixed)


@pytest.mark.parametrize("case", TRIGGERS, ids=lambda case: f"{case[0]} {case[1]}")
def test_no_rule_is_graver_than_it_says(case: tuple[str, str, Situation, list[str]]) -> None:
    order = [BLOCK, WARN, INFO]
    for finding in check(case[2]):
        assert order.index(finding.severity) >= order.index(RULES[finding.rule].severity)


UNTOUCHABLE = {
    "R-01": situation(WELL, red_flags=frozenset({"RF-01"})),
    "R-12": situation(a_patient("ra"), phase("chin-tuck-seated")),
    "R-08 of a neck": situation(a_patient("ra-cervical-instability"), phase("chin-tuck-seated")),
    "R-08 of a vertebra": situation(a_patient(has("vertebral-fracture", onset_on=ago(83))), phase("band-chop")),
    "R-29": situation(WELL, phase(replace(item("quad-set"), side=None))),
    "R-30": situation(WELL, phase(item("quad-set", sets=3))),
    "R-49": situation(a_patient("ra-cervical-instability")),
}


@pytest.mark.parametrize("case", UNTOUCHABLE)
def test_final_findings_stay_whatever_a_clinic_or_a_protocol_says(case: str) -> None:
    s, of = UNTOUCHABLE[case], case[:4]
    expected = [finding for finding in check(s) if finding.rule == of]
    assert {(finding.severity, finding.final) for finding in expected} == {(BLOCK, True)}
    exempt = replace(s, program=replace(s.program, exemptions=EXEMPT))
    for findings in (check(s, OFF), check(exempt), check(exempt, OFF)):
        assert [finding for finding in findings if finding.rule == of] == expected


@pytest.mark.parametrize(
    "s",
    [
        situation(a_patient(has("vertebral-fracture", onset_on=ago(84))), phase("band-chop")),
        situation(a_patient(has("vertebral-fracture", onset_on=ago(1), **CLEARED)), phase("band-chop")),
        situation(a_patient(has("ra-cervical-instability", **CLEARED)), phase("chin-tuck-seated")),
        situation(a_patient("osteoporosis"), phase("band-chop")),
    ],
)
def test_an_avoided_load_can_be_overridden_but_not_switched_off(s: Situation) -> None:
    exempt = replace(s, program=replace(s.program, exemptions=EXEMPT))
    for findings in (check(s), check(s, OFF), check(exempt)):
        told = {(finding.severity, finding.final) for finding in findings if finding.rule == "R-08"}
        assert told == {(BLOCK, False)}


ORDER = [BLOCK, WARN, INFO]


def severities(told: list[str]) -> list[RuleSeverity]:
    return [RuleSeverity(line.split(": ", 1)[0]) for line in told]


def switched(was: RuleSeverity, of: str, to: RuleSeverity) -> RuleSeverity:
    """The gravest a rule says becomes what the clinic says, what is milder gets no graver."""
    return to if was is RULES[of].severity else ORDER[max(ORDER.index(was), ORDER.index(to))]


@pytest.mark.parametrize("case", TRIGGERS, ids=lambda case: f"{case[0]} {case[1]}")
def test_a_clinic_switches_what_is_not_fixed(case: tuple[str, str, Situation, list[str]]) -> None:
    of, _, s, expected = case
    for severity in RuleSeverity:
        told = [finding.severity for finding in check(s, {of: severity}) if finding.rule == of]
        if of in FIXED:
            assert [finding.severity for finding in check(s) if finding.rule == of] == told
        else:
            assert told == sorted((switched(was, of, severity) for was in severities(expected)), key=ORDER.index)


@pytest.mark.parametrize("case", TRIGGERS, ids=lambda case: f"{case[0]} {case[1]}")
def test_an_exempt_rule_is_a_step_milder_and_says_why(case: tuple[str, str, Situation, list[str]]) -> None:
    of, _, s, expected = case
    exempt = replace(s, program=replace(s.program, exemptions={of: "Walking joins later."}))
    if of in FIXED:
        assert said(exempt, of) == expected
    else:
        milder = {BLOCK: WARN, WARN: INFO, INFO: INFO}
        sentences = zip(severities(expected), (line.split(": ", 1)[1] for line in expected), strict=True)
        assert set(said(exempt, of)) == {
            f"{milder[was]}: {line} Accepted in this protocol: Walking joins later." for was, line in sentences
        }


def test_other_rules_stay_as_they_are() -> None:
    s = situation(a_patient("chronic-lbp"), phase("calf-stretch-wall"), exemptions={"R-04": "It is short."})
    assert [one for one in check(s, {"R-05": INFO}) if one.rule not in {"R-04", "R-05"}] == [
        one for one in check(replace(s, program=replace(s.program, exemptions={}))) if one.rule not in {"R-04", "R-05"}
    ]


def test_an_exemption_comes_after_a_switch() -> None:
    t17 = {row["rule"]: row["why"] for row in protocol("T17")["rule_exemptions"]}
    s = situation(WELL, phase("glute-set"), exemptions=t17)
    for switch, expected in ((BLOCK, WARN), (WARN, INFO), (INFO, INFO)):
        (told,) = [one for one in check(s, {"R-17": switch}) if one.rule == "R-17"]
        assert (told.severity, told.message[-len(t17["R-17"]) :]) == (expected, t17["R-17"])


# What a check makes of what the rules find.

A, B = UUID(int=1), UUID(int=2)
ONE, TWO = phase(label="One"), phase(label="Two")


def made(*hits: Hit, of: str = "R-90", severity: RuleSeverity = WARN, is_fixed: bool = False) -> Rule:
    return rule(of, "Made up", severity, "Nobody", version=3, is_fixed=is_fixed)(lambda _: iter(hits))


def checked(monkeypatch: pytest.MonkeyPatch, *found: Rule, exempt: bool = False) -> list[Finding]:
    monkeypatch.setattr(rules, "RULES", {one.id: one for one in found})
    s = situation(WELL)
    return check(replace(s, program=Program(phases=(), exemptions=EXEMPT | {"R-90": "So."} if exempt else {})))


def test_a_finding_is_made_of_its_rule_and_its_hit(monkeypatch: pytest.MonkeyPatch) -> None:
    hit = Hit(
        message="Too much.",
        about="load",
        exercise="plank",
        condition="ra",
        phase=ONE,
        line_id=A,
        suggestions=("brace",),
        advice="Slowly.",
        fact="2 × 10",
    )
    assert checked(monkeypatch, made(hit)) == [
        Finding(
            key="R-90/plank/ra/load",
            rule="R-90",
            version=3,
            severity=WARN,
            message="Too much.",
            source="Nobody",
            final=False,
            exercise="plank",
            condition="ra",
            phases=("One",),
            line_ids=(A,),
            suggestions=("brace",),
            advice="Slowly.",
            fact="2 × 10",
        )
    ]
    (bare,) = checked(monkeypatch, made(Hit(message="So.")))
    assert (bare.key, bare.phases, bare.line_ids, bare.suggestions) == ("R-90", (), (), ())
    assert (bare.advice, bare.fact) == (None, "")


def test_a_rule_is_in_its_first_version_until_it_says_otherwise() -> None:
    first = rule("R-90", "Made up", WARN, "Nobody", is_design=True)(lambda _: iter(()))
    assert (first.version, first.source) == (1, "Nobody; the numbers are a design choice")
    assert not first.is_fixed
    assert not rule("R-90", "Made up", WARN, "Nobody")(lambda _: iter(())).is_design


def test_the_same_in_two_phases_is_one_finding_and_the_graver_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    mild = Hit(message="Mild.", severity=INFO, phase=ONE, line_id=A, suggestions=("x", "y"))
    grave = Hit(message="Grave.", severity=BLOCK, phase=TWO, line_id=B, suggestions=("y", "z"), final=True)
    for hits in ((mild, grave), (grave, mild)):
        (merged,) = checked(monkeypatch, made(*hits))
        assert (merged.message, merged.severity, merged.final) == ("Grave.", BLOCK, True)
        assert (set(merged.phases), set(merged.line_ids)) == ({"One", "Two"}, {A, B})
        assert set(merged.suggestions) == {"x", "y", "z"}
    (again,) = checked(monkeypatch, made(mild, mild, replace(mild, message="Later.")))
    assert (again.message, again.phases, again.line_ids, again.suggestions) == ("Mild.", ("One",), (A,), ("x", "y"))
    (kept,) = checked(monkeypatch, made(mild, grave))
    assert (kept.phases, kept.line_ids, kept.suggestions) == (("One", "Two"), (A, B), ("x", "y", "z"))


def test_what_is_final_in_one_phase_is_final() -> None:
    calm = Hit(message="So.", severity=BLOCK, phase=ONE)
    for hits in ((calm, replace(calm, final=True)), (replace(calm, final=True), calm)):
        with pytest.MonkeyPatch.context() as patch:
            (merged,) = checked(patch, made(*hits))
        assert merged.final


@pytest.mark.parametrize(
    ("gravest", "says", "to", "told"),
    [
        *((gravest, None, to, to) for gravest in RuleSeverity for to in RuleSeverity),
        *((gravest, gravest, to, to) for gravest in RuleSeverity for to in RuleSeverity),
        (BLOCK, WARN, BLOCK, WARN),
        (BLOCK, WARN, WARN, WARN),
        (BLOCK, WARN, INFO, INFO),
        (BLOCK, INFO, BLOCK, INFO),
        (BLOCK, INFO, WARN, INFO),
        (BLOCK, INFO, INFO, INFO),
        (WARN, INFO, BLOCK, INFO),
        (WARN, INFO, WARN, INFO),
        (WARN, INFO, INFO, INFO),
    ],
)
def test_what_is_said_more_mildly_is_switched_no_graver(
    monkeypatch: pytest.MonkeyPatch,
    gravest: RuleSeverity,
    says: RuleSeverity | None,
    to: RuleSeverity,
    told: RuleSeverity,
) -> None:
    monkeypatch.setattr(rules, "RULES", {"R-90": made(Hit(message="So.", severity=says), severity=gravest)})
    (found,) = check(situation(WELL), {"R-90": to})
    assert found.severity is told
    (untouched,) = check(situation(WELL), {"R-91": to})
    assert untouched.severity is (says or gravest)


def test_a_switched_rule_is_still_exempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "RULES", {"R-90": made(Hit(message="So."), severity=WARN)})
    for to, expected in ((BLOCK, WARN), (WARN, INFO), (INFO, INFO)):
        (found,) = check(situation(WELL, exemptions={"R-90": "Later."}), {"R-90": to})
        assert (found.severity, found.message) == (expected, "So. Accepted in this protocol: Later.")


def facts(monkeypatch: pytest.MonkeyPatch, patient: Patient, *hits: Hit) -> str:
    monkeypatch.setattr(rules, "RULES", {"R-90": made(*hits)})
    (found,) = check(situation(patient))
    return found.fact


def test_a_finding_tells_what_it_rests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    about, bare = Hit(message="So.", condition="sle", fact="2 × 10"), Hit(message="So.", fact="2 × 10")
    known = has(
        "sle", onset_on=ago(3), joints=["knee", "hip", "ankle"], sun_plan_on="2025-01-01", cleared_by="Dr Vance"
    )
    told = "True 2025-02-28 None [('cleared_by', 'Dr Vance'), ('sun_plan_on', '2025-01-01')] ['ankle', 'hip', 'knee']"
    assert facts(monkeypatch, a_patient(known, "ra"), about) == f"2 × 10; {told}"
    assert facts(monkeypatch, a_patient(known), replace(about, fact="")) == told
    assert facts(monkeypatch, a_patient(known), bare) == facts(monkeypatch, a_patient("ra"), about) == "2 × 10"
    assert facts(monkeypatch, a_patient("ra", known, "sle"), about) == f"2 × 10; {told}, True None None [] []"
    assert facts(monkeypatch, a_patient("sle"), Hit(message="So.")) == ""


def test_what_a_merged_finding_rests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Hit(message="So.", fact="2 × 10"), Hit(message="So.", severity=BLOCK, fact="3 × 10")
    assert facts(monkeypatch, WELL, one, one) == "2 × 10"
    assert facts(monkeypatch, WELL, one, other) == "2 × 10 | 3 × 10"
    assert facts(monkeypatch, WELL, other, one) == "2 × 10 | 3 × 10"
    assert facts(monkeypatch, WELL, one, one, other) == "2 × 10 | 3 × 10"


def test_a_line_rests_on_its_dosage_and_side() -> None:
    patient = a_patient(has("osteoporosis", onset_on=ago(3)))

    def rests_on(side: Side, **but: Any) -> str:
        plan = phase(item("band-chop", side=side, **but))
        (found,) = [one for one in check(situation(patient, plan)) if one.key == "R-08/band-chop/osteoporosis/RTL"]
        return found.fact

    known = "True 2025-02-28 None [] []"
    assert rests_on(Side.LEFT, sets=2, reps=10, days_per_week=5) == f"2 × 10, left side; 5 days a week; {known}"
    assert rests_on(Side.BOTH, sets=3, reps=9, days_per_week=1) == f"3 × 9, each side; 1 day a week; {known}"


def test_the_advice_of_the_graver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    mild, grave = Hit(message="So.", severity=INFO, advice="Mild."), Hit(message="So.", severity=WARN, advice="Grave.")
    for hits in ((mild, grave), (grave, mild)):
        (merged,) = checked(monkeypatch, made(*hits))
        assert merged.advice == "Grave."


@pytest.mark.parametrize("but", [{"exercise": "plank"}, {"condition": "ra"}, {"about": "load"}])
def test_what_differs_is_not_merged(monkeypatch: pytest.MonkeyPatch, but: dict[str, str]) -> None:
    assert len(checked(monkeypatch, made(Hit(message="So."), Hit(message="So.", **but)))) == 2  # type: ignore[arg-type]


def test_the_gravest_comes_first_then_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    found = checked(
        monkeypatch,
        made(Hit(message="So."), Hit(message="So.", severity=BLOCK, about="b"), of="R-92"),
        made(Hit(message="So."), Hit(message="So.", severity=INFO, about="a"), of="R-91"),
    )
    assert [one.key for one in found] == ["R-92/b", "R-91", "R-92", "R-91/a"]


def test_a_final_hit_stays_though_its_rule_is_not_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    final = made(Hit(message="So.", final=True), severity=BLOCK)
    (told,) = checked(monkeypatch, final, exempt=True)
    assert (told.severity, told.message) == (BLOCK, "So.")
    (loose,) = checked(monkeypatch, made(Hit(message="So."), severity=BLOCK), exempt=True)
    assert (loose.severity, loose.message) == (WARN, "So. Accepted in this protocol: So.")
    for mild in (WARN, INFO):
        (milder,) = checked(monkeypatch, made(Hit(message="So.", severity=mild), severity=BLOCK), exempt=True)
        assert (milder.severity, milder.message) == (INFO, "So. Accepted in this protocol: So.")
    (fixed,) = checked(monkeypatch, made(Hit(message="So."), severity=BLOCK, is_fixed=True), exempt=True)
    assert (fixed.severity, fixed.message) == (BLOCK, "So.")


def test_the_order_of_a_real_check() -> None:
    findings = check(situation(a_patient("chronic-lbp", "ra"), phase("chin-tuck-seated", "calf-stretch-wall")))
    order = [BLOCK, WARN, INFO]
    assert findings == sorted(findings, key=lambda one: (order.index(one.severity), one.key))
    assert len({one.key for one in findings}) == len(findings)
