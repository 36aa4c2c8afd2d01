"""The red-flag questions, the safety rules, and what a check says."""

from collections import Counter
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from api.schemas.words import Answer, Line, Note, Said
from models.operations.checking import Answers, Checked, told
from models.operations.rule_settings import RuleSetting
from models.safety.red_flags import RedFlag
from models.safety.rules import RuleSeverity


class RedFlagOut(Answer):
    """One screening question. Decision support: not signed off by a clinician."""

    id: str = Field(examples=["RF-01"], description="The key in a screening's answers, and the chip in a session.")
    question: str
    suspect: str
    severity: str = Field(examples=["emergency"])
    advice: str = Field(description="What the patient is told when the answer is yes.")

    @classmethod
    def of(cls, flag: RedFlag) -> "RedFlagOut":
        return cls(
            id=flag.id,
            question=flag.question,
            suspect=flag.suspect,
            severity=flag.severity.word,
            advice=flag.advice,
        )


class RedFlagPage(Answer):
    """Every red-flag question, and the other chips a session may carry."""

    items: list[RedFlagOut]
    other_chips: list[str]


class OverrideIn(Said):
    """A therapist overrides one finding that blocks."""

    finding: Line = Field(examples=["R-08/band-chop/corticosteroid-long-term/RTL"])
    reason: Annotated[Note, Field(min_length=10)] = Field(
        description="Why it is right for this patient all the same.",
        examples=["Bone scan of last week is normal; report on paper."],
    )


class AnswersIn(Said):
    """Answers to the findings of the safety check."""

    overrides: Annotated[list[OverrideIn], Field(max_length=50)] = Field(
        default=[], description="Each block with a typed reason; only a therapist's, and some blocks have none."
    )
    acknowledged: Annotated[list[Line], Field(max_length=200)] = Field(
        default=[],
        description="Each warning that was read: the finding, or its rule for all of that rule.",
        examples=[["R-27", "R-09/band-row/ra/GRP"]],
    )

    def as_answers(self) -> Answers:
        return Answers(overrides=[(one.finding, one.reason) for one in self.overrides], acknowledged=self.acknowledged)


class FindingOut(Answer):
    """What one rule says of the prescription."""

    finding: str = Field(description="Names it in overrides and acknowledgements.")
    rule: str = Field(examples=["R-08"])
    rule_version: int
    severity: RuleSeverity
    message: str
    source: str
    can_be_overridden: bool = Field(description="A block that a typed reason of a therapist overrides.")
    exercise: str | None
    condition: str | None
    phases: list[str] = Field(description="Labels of the phases concerned; none: the whole program.")
    line_ids: list[UUID]
    suggestions: list[str] = Field(description="Exercises to use instead.")
    advice: str | None = Field(description="What the patient is told beside the exercise.")


class BurdenOut(Answer):
    """What a phase asks of the patient; minutes are estimates."""

    phase: str
    items: int = Field(description="Active exercises on the list.")
    items_per_day: int = Field(description="On the fullest day, flexible items spread over the week.")
    minutes_per_session: float = Field(description="One round of everything but the aerobic items.")
    minutes_per_day: float = Field(description="The mean day: all rounds, aerobic items too.")
    aerobic_minutes_per_week: float


class CheckOut(Answer):
    """The safety check: all findings, gravest first, and the burden. Not signed off by a clinician."""

    blocks: int
    warnings: int
    findings: list[FindingOut]
    burden: list[BurdenOut]

    @classmethod
    def of(cls, checked: Checked) -> "CheckOut":
        severities = Counter(finding.severity for finding in checked.findings)
        return cls(
            blocks=severities[RuleSeverity.BLOCK],
            warnings=severities[RuleSeverity.WARN],
            findings=[FindingOut.model_validate(told(finding)) for finding in checked.findings],
            burden=[BurdenOut(phase=label, **asdict(burden)) for label, burden in checked.burdens],
        )


class DecisionOut(Answer):
    """What a therapist answered to a finding."""

    reason: str | None = Field(description="None: a warning that was acknowledged.")
    by: UUID
    at: AwareDatetime
    rule_version: int
    message: str


class RuleOut(Answer):
    """One rule of the registry."""

    id: str = Field(examples=["R-14"])
    version: int
    title: str
    severity: RuleSeverity = Field(description="The gravest it says in this clinic.")
    default_severity: RuleSeverity
    source: str
    is_design: bool = Field(description="Its numbers are product choices with no evidence behind them.")
    is_fixed: bool = Field(description="No clinic can switch it.")
    setting_version: int

    @classmethod
    def of(cls, setting: RuleSetting) -> "RuleOut":
        rule = setting.rule
        return cls(
            id=rule.id,
            version=rule.version,
            title=rule.title,
            severity=setting.severity,
            default_severity=rule.severity,
            source=rule.source,
            is_design=rule.is_design,
            is_fixed=rule.is_fixed,
            setting_version=setting.version,
        )


class RulePage(Answer):
    """Every rule."""

    items: list[RuleOut]


class RuleIn(Said):
    """How grave a clinic takes a rule."""

    severity: RuleSeverity


class DetailOut(Answer):
    """One thing only some conditions tell."""

    name: str
    kind: str = Field(description="date, number, flag, name, one or several of the words")
    words: list[str]


class ConditionWordOut(Answer):
    """One code of the conditions vocabulary."""

    code: str = Field(examples=["ra"])
    name: str
    details: list[DetailOut]


class ConditionWordPage(Answer):
    """The conditions vocabulary."""

    items: list[ConditionWordOut]
