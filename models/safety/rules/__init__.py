"""The rules R-01 … as one registry, and the check that runs them over a situation."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from models.safety.facts import Situation
from models.safety.rules import dose, gate, loads, mix
from models.safety.rules.registry import Finding, Hit, Rule, RuleSeverity

__all__ = ["RULES", "Finding", "Rule", "RuleSeverity", "check"]

RULES: Mapping[str, Rule] = {
    rule.id: rule for rule in sorted((*gate.RULES, *mix.RULES, *loads.RULES, *dose.RULES), key=lambda rule: rule.id)
}

T = TypeVar("T")
_ORDER = {severity: number for number, severity in enumerate(RuleSeverity)}


def check(situation: Situation, switched: Mapping[str, RuleSeverity] | None = None) -> list[Finding]:
    """Everything the rules find, gravest first, then by rule.

    `switched` are a clinic's own severities by rule id; fixed rules and final findings keep theirs. A rule the
    protocol is exempt from only informs, or warns where it would block, with the reason.
    """
    found: dict[str, Finding] = {}
    for rule in RULES.values():
        for hit in rule.finds(situation):
            finding = _finding(rule, hit, situation, (switched or {}).get(rule.id))
            known = found.get(finding.key)
            found[finding.key] = _merged(known, finding) if known else finding
    return sorted(found.values(), key=lambda finding: (_ORDER[finding.severity], finding.key))


def _finding(rule: Rule, hit: Hit, situation: Situation, switched: RuleSeverity | None) -> Finding:
    severity, message = hit.severity or rule.severity, hit.message
    if not rule.is_fixed and not hit.final:
        severity = _switched(severity, rule, switched)
        if exempt := situation.program.exemptions.get(rule.id):
            # What would block is still read by someone.
            severity = RuleSeverity.WARN if severity is RuleSeverity.BLOCK else RuleSeverity.INFO
            message = f"{message} Accepted in this protocol: {exempt}"
    return Finding(
        key="/".join(part for part in (rule.id, hit.exercise, hit.condition, hit.about) if part),
        rule=rule.id,
        version=rule.version,
        severity=severity,
        message=message,
        source=rule.source,
        final=hit.final,
        exercise=hit.exercise,
        condition=hit.condition,
        phases=(hit.phase.label,) if hit.phase else (),
        line_ids=(hit.line_id,) if hit.line_id else (),
        suggestions=hit.suggestions,
        advice=hit.advice,
        fact="; ".join(part for part in (hit.fact, _facts_of(situation, hit.condition)) if part),
    )


def _switched(severity: RuleSeverity, rule: Rule, switched: RuleSeverity | None) -> RuleSeverity:
    """A switch sets the gravest a rule says; what it says more mildly is never made graver."""
    if switched is None:
        return severity
    return switched if severity is rule.severity else max(severity, switched, key=_ORDER.__getitem__)


def _facts_of(situation: Situation, code: str | None) -> str:
    """What is known of the conditions a finding names."""
    known = situation.of(code) if code else []
    return ", ".join(
        f"{one.is_confirmed} {one.onset_on} {one.side} {sorted(one.details.items())} {sorted(one.joints)}"
        for one in known
    )


def _merged(known: Finding, again: Finding) -> Finding:
    """The same finding in another phase; the graver of the two speaks."""
    graver = min(known, again, key=lambda finding: _ORDER[finding.severity])
    return replace(
        graver,
        phases=_union(known.phases, again.phases),
        line_ids=_union(known.line_ids, again.line_ids),
        suggestions=_union(known.suggestions, again.suggestions),
        final=known.final or again.final,
        fact=" | ".join(sorted({*known.fact.split(" | "), *again.fact.split(" | ")})),
    )


def _union(one: Iterable[T], other: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*one, *other)))
