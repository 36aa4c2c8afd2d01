"""What the safety rules look at: frozen values, made by operations from rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from models.prescription.burden import Load
from models.prescription.dosage import Dosage, Side

HOUSEHOLD = frozenset({"bed", "chair", "wall", "doorway", "pillow", "towel", "table", "counter", "shoes", "anchor"})
"""What every home has; never missing (design choice)."""
_TRUNK = frozenset({"low_back", "thoracic", "trunk", "hip", "whole_body"})
_NEUROMOTOR = frozenset({"motor_control", "neck_control", "posture"})


def trains_trunk(category: str, region: str) -> bool:
    """Whether an exercise is core work, or stabilization of trunk or hips: the limbs have theirs there too."""
    return category == "core" or (category == "stabilization" and region in _TRUNK)


def domain_of(category: str, subcategory: str) -> str:
    """An exercise's EULAR domain: strength, flexibility, cardiorespiratory or neuromotor (EUL18)."""
    if category == "stretching":
        return "flexibility"
    if category == "low_impact_aerobic":
        return "cardiorespiratory"
    if category == "balance" or subcategory in _NEUROMOTOR:
        return "neuromotor"
    return "strength"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """An exercise of the catalogue."""

    slug: str
    name: str
    category: str
    subcategory: str
    region: str
    position: str
    level: int
    """0 bed or flare day, 1 easy, 2 moderate, 3 hard, 4 advanced."""
    one_sided: bool = False
    load_tags: frozenset[str] = frozenset()
    trunk_sides: frozenset[str] = frozenset()
    muscles: frozenset[str] = frozenset()
    goals: tuple[str, ...] = ()
    progression_of: str | None = None
    needs: tuple[frozenset[str], ...] = ()
    """Any thing of a slot will do, every slot is needed."""
    is_retired: bool = False
    """It may go on where it stands; nobody is offered it."""

    @property
    def is_aerobic(self) -> bool:
        """Whether it trains heart and lungs."""
        return self.category == "low_impact_aerobic"

    @property
    def trains_trunk(self) -> bool:
        """Whether it is core work, or stabilization of trunk or hips: the limbs have theirs in that category too."""
        return trains_trunk(self.category, self.region)

    @property
    def domain(self) -> str:
        """Its EULAR domain."""
        return domain_of(self.category, self.subcategory)

    def missing(self, owned: frozenset[str]) -> list[frozenset[str]]:
        """The slots nothing at hand fits."""
        return [slot for slot in self.needs if not slot & (owned | HOUSEHOLD)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """A modality, a habit or a piece of advice: it can be listed and ticked, and is never active exercise."""

    slug: str
    name: str
    kind: str
    """modality, self_care or advice."""
    agent: str | None = None
    """Of a modality: cold, heat, water, massage, ultrasound, tens, manual_therapy."""
    at_home: bool = True
    max_minutes: int | None = None
    topic: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One exercise of a phase."""

    exercise: Exercise
    dosage: Dosage
    side: Side | None = None
    goal: str | None = None
    line_id: UUID | None = None
    taught_on: date | None = None
    """When a therapist taught it in person."""
    taught_back: bool = False
    """Whether the patient has shown it back."""

    @property
    def load(self) -> Load:
        """It as the burden sees it."""
        return Load(self.dosage, self.side, self.exercise.is_aerobic)


@dataclass(frozen=True, slots=True, kw_only=True)
class CareItem:
    """One thing to do beside the exercises."""

    care: Care
    dosage: Dosage
    line_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of days, or the plan for flare days."""

    number: int
    label: str
    items: tuple[Item, ...]
    care: tuple[CareItem, ...] = ()
    from_day: int = 1
    to_day: int | None = None
    """None runs on."""

    @property
    def weeks(self) -> float | None:
        """How long it lasts, in weeks."""
        return None if self.to_day is None else (self.to_day - self.from_day + 1) / 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is to be handed to a patient."""

    phases: tuple[Phase, ...]
    flare: Phase | None = None
    is_maintenance: bool = False
    runs_since: date | None = None
    """None: a draft."""
    review_due_on: date | None = None
    exemptions: Mapping[str, str] = field(default_factory=dict)
    """Rule → why the protocol it came from departs from it."""
    check_in_months: tuple[int, ...] | None = None
    """The check-ins planned at a discharge; None where there is no discharge."""
    discharges: bool = False
    """Whether this ends a program: then `phases` are the maintenance program's, none if there is none."""

    def items(self) -> Iterator[tuple[Phase, Item]]:
        """Every exercise, flare days' too."""
        for phase in (*self.phases, *([self.flare] if self.flare else [])):
            for item in phase.items:
                yield phase, item

    def care(self) -> Iterator[tuple[Phase, CareItem]]:
        """Everything else in the daily list."""
        for phase in (*self.phases, *([self.flare] if self.flare else [])):
            for item in phase.care:
                yield phase, item

    @property
    def expected(self) -> list[Exercise]:
        """Every exercise that is expected: what is only done as needed is not."""
        return [item.exercise for phase in self.phases for item in phase.items if item.dosage.days_a_week > 0]

    @property
    def exercises(self) -> list[Exercise]:
        """Every exercise of the ordinary days."""
        return [item.exercise for phase in self.phases for item in phase.items]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What a patient has, not resolved."""

    code: str
    is_confirmed: bool = True
    onset_on: date | None = None
    side: str | None = None
    joints: frozenset[str] = frozenset()
    details: Mapping[str, Any] = field(default_factory=dict)

    def on(self, name: str) -> date | None:
        """A detail that is a date."""
        said = self.details.get(name)
        return date.fromisoformat(said) if isinstance(said, str) else None

    @property
    def is_cleared(self) -> bool:
        """Whether a named clinician recorded that it is safe to go on, and not before it began."""
        cleared = self.on("cleared_on")
        if cleared is None or not self.details.get("cleared_by"):
            return False
        return self.onset_on is None or cleared >= self.onset_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What the rules know of a patient. None: never asked."""

    age: int | None = None
    conditions: tuple[Condition, ...] = ()
    """As recorded; `conditions.effective` adds what follows from them."""
    falls_risk: bool | None = None
    can_get_up_from_floor: bool | None = None
    equipment: frozenset[str] | None = None
    minutes_available: int | None = None
    has_preferences: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was measured in the clinic, latest of each."""

    examined_on: date
    """The day of whatever below has no day of its own."""
    pain: int | None = None
    function: float | None = None
    has_tests: bool = False
    confidence: int | None = None
    systolic: int | None = None
    diastolic: int | None = None
    pressure_on: date | None = None
    resting_pulse: int | None = None
    pulse_on: date | None = None
    low_pressure_symptoms: bool = False
    low_pressure_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One session as the rules about progress read it."""

    day: date
    pain: int | None = None
    settled: bool | None = None
    """Whether the pain was back to usual by the next morning."""
    spread: bool = False
    """Whether pain moved away from the spine."""
    hurt: bool = False
    """Whether something was left out because it made the symptoms worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything one check looks at."""

    today: date
    """The patient's date."""
    patient: Patient
    program: Program
    conditions: tuple[Condition, ...] = ()
    """Recorded and derived."""
    precautions: tuple["Precaution", ...] = ()
    catalogue: Mapping[str, Exercise] = field(default_factory=dict)
    screened: Mapping[str, date] = field(default_factory=dict)
    """Red-flag question → when it was answered last."""
    red_flags: frozenset[str] = frozenset()
    """Red-flag questions answered yes, and not with no since."""
    unknown_red_flag: bool = False
    """A phone reported a red flag that has not been screened since."""
    examination: Examination | None = None
    logs: tuple[Logged, ...] = ()
    """The last sessions, latest last."""
    done_lately: frozenset[str] = frozenset()
    """Slugs of exercises done in the last 28 days."""
    before: tuple[Phase, ...] | None = None
    """The phases of the revision a running program has now."""
    previous_last_phase: Phase | None = None
    """The last phase of the program this one follows."""

    def has(self, *codes: str) -> bool:
        """Whether the patient has any of these."""
        return any(condition.code in codes for condition in self.conditions)

    def of(self, *codes: str) -> list[Condition]:
        """The conditions with these codes."""
        return [condition for condition in self.conditions if condition.code in codes]

    def within(self, day: date | None, days: int) -> bool:
        """Whether `day` lies at most so many days back."""
        return day is not None and self.today - day <= timedelta(days=days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Precaution:
    """What a condition makes of some load tags: one row of the matrix."""

    condition: str
    severity: str
    """avoid, caution or adapt."""
    load_tags: frozenset[str]
    reason: str
    source: str
    advice: str | None = None
    """What the patient is told."""
    holds: str | None = None
    """When the row applies (`precautions.HOLDS`); None: always."""
