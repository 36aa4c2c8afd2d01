"""What a rule is, and how its findings come about."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from models.prescription.dosage import text
from models.safety.facts import Item, Phase, Situation


class RuleSeverity(StrEnum):
    """What a finding asks for: a block needs a typed reason, a warning an acknowledgement."""

    BLOCK = "block"
    WARN = "warn"
    INFO = "info"


BLOCK, WARN, INFO = RuleSeverity.BLOCK, RuleSeverity.WARN, RuleSeverity.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One thing a rule found."""

    message: str
    severity: RuleSeverity | None = None
    """None: the rule's own."""
    about: str = ""
    """Tells apart findings of one rule that concern the same exercise and condition, or none."""
    exercise: str | None = None
    """Slug."""
    condition: str | None = None
    final: bool = False
    """No reason overrides it, and no clinic can switch it."""
    phase: Phase | None = None
    line_id: UUID | None = None
    suggestions: tuple[str, ...] = ()
    """Slugs to use instead."""
    advice: str | None = None
    """What the patient is told beside the exercise."""
    fact: str = ""
    """What it rests on beside the condition: an answer given to other facts does not stand."""


def on(item: Item, phase: Phase, message: str, **more: object) -> Hit:
    """A hit on one line of the prescription."""
    return Hit(
        message=message,
        exercise=item.exercise.slug,
        phase=phase,
        line_id=item.line_id,
        fact=text(item.dosage, item.side),
        **more,  # type: ignore[arg-type]  # the hit checks its own names
    )


Condition = Callable[[Situation], Iterator[Hit]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the registry."""

    id: str
    version: int
    title: str
    severity: RuleSeverity
    """The gravest it says, unless a clinic switched it."""
    source: str
    is_design: bool
    """Its numbers are product choices with no evidence behind them."""
    is_fixed: bool
    """No clinic can switch its severity."""
    finds: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check says: merged over the phases it concerns."""

    key: str
    """Names it in an override or an acknowledgement: rule, exercise, condition."""
    rule: str
    version: int
    severity: RuleSeverity
    message: str
    source: str
    final: bool
    exercise: str | None
    condition: str | None
    phases: tuple[str, ...]
    """Labels."""
    line_ids: tuple[UUID, ...]
    suggestions: tuple[str, ...]
    advice: str | None
    """What the patient is told beside the exercise."""
    fact: str
    """What it rests on: dosage and condition as they are. Another fact is another finding to answer."""


def rule(
    id: str,  # noqa: A002  (what a rule is known by)
    title: str,
    severity: RuleSeverity,
    source: str,
    *,
    version: int = 1,
    is_design: bool = False,
    is_fixed: bool = False,
) -> Callable[[Condition], Rule]:
    """Make a rule of a condition. A design choice says so in its source."""

    def made(finds: Condition) -> Rule:
        return Rule(
            id=id,
            version=version,
            title=title,
            severity=severity,
            source=f"{source}; the numbers are a design choice" if is_design else source,
            is_design=is_design,
            is_fixed=is_fixed,
            finds=finds,
        )

    return made
