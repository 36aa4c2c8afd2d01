"""The words of the flags: kinds, severities, reasons; what a rule finds, and what a session reports."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any

PAIN_HIGH = 6
"""Pain during exercise, 0-10: above 5 is not acceptable under the pain-monitoring model (engine study, section 6)."""


class Severity(IntEnum):
    """One ordered scale everywhere; amber is medium, red is high."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    URGENT = 4
    EMERGENCY = 5

    @property
    def word(self) -> str:
        """As it is said on the wire."""
        return self.name.lower()


class FlagKind(StrEnum):
    """What a flag is about."""

    RED_FLAG = "red_flag"
    FALL = "fall"
    SYMPTOM = "symptom"
    PAIN_HIGH = "pain_high"
    PAIN_24H = "pain_24h"
    PAIN_TREND = "pain_trend"
    SPREADING = "spreading"
    NOT_STARTED = "not_started"
    SILENCE = "silence"
    RETURNED = "returned"
    SYNC_STALE = "sync_stale"
    LOW_TRUST = "low_trust"
    LOW_ADHERENCE = "low_adherence"
    DECLINING = "declining"
    INCOMPLETE = "incomplete"
    PARTIAL_DOSE = "partial_dose"
    STRENGTH_DROPPED = "strength_dropped"
    CORE_DROPPED = "core_dropped"
    UNSURE = "unsure"
    FLARE_LONG = "flare_long"
    CHECK_IN_OVERDUE = "check_in_overdue"
    MEASURE_WORSE = "measure_worse"
    SCREENING_DUE = "screening_due"
    BARRIER = "barrier"
    WITHDRAWN = "withdrawn"
    REVIEW_DUE = "review_due"
    ENDANGERED = "endangered"
    RECURRENCE = "recurrence"
    CONTACT_WANTED = "contact_wanted"


class Reason(StrEnum):
    """Why a session was not done or a program was stopped (engine study, 1.3)."""

    SYMPTOMS_WORSE = "symptoms_worse"
    AFRAID_OF_HARM = "afraid_of_harm"
    UNSURE_HOW = "unsure_how"
    UNSURE_IF_CORRECT = "unsure_if_correct"
    NOT_HELPING = "not_helping"
    DONT_BELIEVE_NEEDED = "dont_believe_needed"
    FEEL_BETTER = "feel_better"
    NO_TIME = "no_time"
    FORGOT = "forgot"
    NO_SPACE_OR_EQUIPMENT = "no_space_or_equipment"
    TRAVEL = "travel"
    ILL = "ill"
    FATIGUE = "fatigue"
    LOW_MOOD = "low_mood"
    NO_SUPPORT = "no_support"
    TOO_MANY_EXERCISES = "too_many_exercises"
    BORING = "boring"
    APP_PROBLEM = "app_problem"
    OTHER = "other"


SAME_DAY_REASONS = frozenset({Reason.SYMPTOMS_WORSE, Reason.AFRAID_OF_HARM, Reason.NOT_HELPING})
"""Hurt, afraid, no relief: the therapist hears of them the same day (clinical content S3-27)."""

_OTHER_WORDS = {
    "hurt": Reason.SYMPTOMS_WORSE,
    "too_much_pain": Reason.SYMPTOMS_WORSE,
    "no_relief": Reason.NOT_HELPING,
    "did_not_help": Reason.NOT_HELPING,
    "afraid": Reason.AFRAID_OF_HARM,
    "felt_fine": Reason.FEEL_BETTER,
}
"""What apps with words of their own call the reasons that must not be missed; it is kept as it was sent."""


def meaning(reason: str | None) -> Reason | None:
    """What a reason code means; a word only a newer app knows means `other`."""
    if reason is None:
        return None
    word = reason.strip().lower()
    return _OTHER_WORDS.get(word) or (Reason(word) if word in set(Reason) else Reason.OTHER)


def is_same_day(reason: str | None) -> bool:
    """Whether the therapist must hear of this reason today."""
    return meaning(reason) in SAME_DAY_REASONS


def main_reason(of_session: str | None, of_entries: Iterable[str | None]) -> str | None:
    """The reason a session is remembered by: the session's own, unless only that of an entry cannot wait."""
    if not is_same_day(of_session):
        grave = next((reason for reason in of_entries if is_same_day(reason)), None)
        return grave or of_session
    return of_session


def worst_pain(pains: Iterable[int | None]) -> int | None:
    """The worst of the pains told, 0-10; None if none was."""
    return max((pain for pain in pains if pain is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A flag that is open or will open."""

    kind: FlagKind
    severity: Severity
    opens_at: datetime
    rises_at: datetime | None = None
    """When it turns into `rises_to`."""
    rises_to: Severity | None = None
    nudges_at: datetime | None = None
    """When the patient, not the therapist, is reminded."""
    expires_at: datetime | None = None
    episode: str
    """Findings of one kind and episode are one flag; a new episode is a new flag."""
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one session said, for the flags that listen to words and pain rather than to silence."""

    session_id: str
    day: date
    performed_at: datetime
    received_at: datetime
    exercised: bool
    worst_pain: int | None
    """During or after exercise, 0-10, also of a single exercise."""
    reason: str | None
    pain_before: int | None = None
    settled: bool | None = None
    """Whether the pain of the session before was back to usual by this morning."""
    chips: tuple[str, ...] = ()
    low_trust: bool = False
    unsure: bool = False
    """Somebody was not sure how to do an exercise, or all of it."""
    changed_at: datetime | None = None
    """When what the flags listen to was said as it stands; None: as it first came."""

    @property
    def told_at(self) -> datetime:
        """When the clinic heard of it as it stands."""
        return self.changed_at or self.received_at


def by_time(report: Report) -> tuple[datetime, str]:
    """The order in which sessions were done."""
    return report.performed_at, report.session_id
