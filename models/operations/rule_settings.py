"""How grave a clinic takes each safety rule."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.checking import switched_rules
from models.refusals import NotAllowed, Unknown, VersionMismatch
from models.safety.rules import RULES, Rule, RuleSeverity
from models.tables import Clinic


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSetting:
    """A rule and what the clinic makes of it."""

    rule: Rule
    severity: RuleSeverity
    version: int
    """Raised with every switch."""


def rules(tx: Session, caller: Caller) -> list[RuleSetting]:
    """The whole registry, with the clinic's severities."""
    clinic = _clinic(tx, caller)
    return [_setting(clinic, rule) for rule in RULES.values()]


def rule_setting(tx: Session, caller: Caller, rule_id: str) -> RuleSetting:
    """One rule."""
    if rule_id not in RULES:
        raise Unknown(f"No rule {rule_id}.")
    return _setting(_clinic(tx, caller), RULES[rule_id])


def switch_rule(
    tx: Session, caller: Caller, rule_id: str, severity: RuleSeverity, *, version: int, now: datetime
) -> RuleSetting:
    """Make a rule block, warn or only inform in this clinic. The rules that nobody overrides stay as they are."""
    known = rule_setting(tx, caller, rule_id)
    if known.rule.is_fixed:
        raise NotAllowed(f"{rule_id} keeps its severity in every clinic.")
    clinic = _clinic(tx, caller, lock=True)
    held = clinic.settings.get("rules", {})
    if _version(clinic, rule_id) != version:
        raise VersionMismatch("Someone switched this rule meanwhile; read it again.")
    said = {
        "severity": severity.value,
        "version": version + 1,
        "by": str(caller.account_id),
        "at": now.isoformat(),
    }
    clinic.settings = {**clinic.settings, "rules": {**held, rule_id: said}}
    return _setting(clinic, known.rule)


def _clinic(tx: Session, caller: Caller, *, lock: bool = False) -> Clinic:
    stmt = select(Clinic).where(Clinic.id == caller.clinic_id).execution_options(populate_existing=True)
    return tx.scalars(stmt.with_for_update() if lock else stmt).one()


def _setting(clinic: Clinic, rule: Rule) -> RuleSetting:
    return RuleSetting(
        rule=rule,
        severity=switched_rules(clinic.settings).get(rule.id, rule.severity),
        version=_version(clinic, rule.id),
    )


def _version(clinic: Clinic, rule_id: str) -> int:
    return int(clinic.settings.get("rules", {}).get(rule_id, {}).get("version", 1))
