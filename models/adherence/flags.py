"""The flags: what puts a program or a patient on the therapist's list, from when, and on what evidence.

Every kind is one pure function from frozen values to at most one `Finding`. A finding is a promise: the
instants at which it opens and rises may lie ahead, and hold if nothing more is heard.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

from models.adherence.assessment import Assessment, Standing

PAIN_HIGH = 6
"""Pain during exercise, 0-10: above 5 is not acceptable under the pain-monitoring model (engine study, section 6)."""
PAIN_SETTLED_SESSIONS = 2
BARRIER_DAYS = 14


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
    NOT_STARTED = "not_started"
    SILENCE = "silence"
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


HIDDEN_BY_PAUSES = (FlagKind.SILENCE, FlagKind.NOT_STARTED)
"""Kinds that are on nobody's list while the program is paused; they come back when the pause ends."""

FADING = frozenset({FlagKind.PAIN_HIGH, FlagKind.BARRIER, FlagKind.SYMPTOM})
"""Kinds that fade after `BARRIER_DAYS` where an answer without a session opened them. The others that answers open wait
for a therapist: a danger, a fall, pain that is back, and whoever asked for a person."""

SELF_CLOSING = frozenset(
    {
        *(FlagKind.SILENCE, FlagKind.NOT_STARTED, FlagKind.PAIN_HIGH),
        *(FlagKind.BARRIER, FlagKind.WITHDRAWN, FlagKind.REVIEW_DUE),
    }
)
"""Kinds judged anew at every write; the others stay open until a therapist closes them."""


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
    changed_at: datetime | None = None
    """When it was said as it stands; None: as it first came."""

    @property
    def told_at(self) -> datetime:
        """When the clinic heard of it as it stands."""
        return self.changed_at or self.received_at


def silence(assessment: Assessment, reports: Sequence[Report] = ()) -> Finding | None:
    """`watch` reminds the patient, `lapsed` and `stopped` are the therapist's; any later session ends it.

    The last of `reports` that came instead of exercise is told with it.
    """
    heard = assessment.silence
    if heard is None or heard.lapsed_at is None or _is_over(assessment):
        return None
    return Finding(
        kind=FlagKind.SILENCE,
        severity=Severity.MEDIUM,
        opens_at=heard.lapsed_at,
        rises_at=heard.stopped_at,
        rises_to=Severity.HIGH if heard.stopped_at else None,
        nudges_at=heard.watch_at,
        episode=heard.last_day.isoformat(),
        evidence={
            "last_day": heard.last_day.isoformat(),
            "habit": round(heard.habit, 4),
            "usual_done": round(heard.usual_done, 4),
            "usual_expected": round(heard.usual_expected, 4),
            "sync_allowance_slots": heard.allowance,
            # Days after the last one, by whose end the 1st, 2nd, … expected session was missed.
            "slots_after_days": heard.slots_after_days(),
            **_told_instead([report for report in reports if report.day >= heard.last_day]),
        },
    )


def not_started(assessment: Assessment, starts_on: date) -> Finding | None:
    """No session by the fifth expected one or the seventh day (engine study, section 7)."""
    waiting = assessment.waiting
    if waiting is None or waiting.opens_at is None or _is_over(assessment):
        return None
    return Finding(
        kind=FlagKind.NOT_STARTED,
        severity=Severity.MEDIUM,
        opens_at=waiting.opens_at,
        episode=starts_on.isoformat(),
        evidence={
            "starts_on": starts_on.isoformat(),
            "slots_after_days": [(day - starts_on).days + 1 for day in waiting.slot_days],
        },
    )


def pain_high(reports: Sequence[Report]) -> Finding | None:
    """Pain of 6 or more during or after exercise, until two later sessions in a row stay at 5 or less.

    Only what was told after it settles it: a queue that comes all at once, or a painful day that comes late, is heard.
    """
    told = [report for report in sorted(reports, key=_by_time) if report.worst_pain is not None]
    high = [number for number, report in enumerate(told) if (report.worst_pain or 0) >= PAIN_HIGH]
    unsettled = [told[number] for number in high if not _settled(told[number], told[number + 1 :])]
    if not unsettled:
        return None
    report = max(unsettled, key=lambda one: (one.told_at, *_by_time(one)))
    return Finding(
        kind=FlagKind.PAIN_HIGH,
        severity=Severity.URGENT,
        opens_at=report.told_at,
        episode="",
        evidence={"session_id": report.session_id, "day": report.day.isoformat(), "pain": report.worst_pain},
    )


def _settled(painful: Report, later: Sequence[Report]) -> bool:
    in_a_row = 0
    for report in later:
        if report.told_at <= painful.told_at:
            continue
        in_a_row = in_a_row + 1 if (report.worst_pain or 0) < PAIN_HIGH else 0
        if in_a_row == PAIN_SETTLED_SESSIONS:
            return True
    return False


def barrier(reports: Sequence[Report], now: datetime) -> Finding | None:
    """The reason given for not exercising in the last 14 days, the gravest before the latest; red and the same day
    for hurt, afraid and no relief.
    """
    fresh = timedelta(days=BARRIER_DAYS)
    recent = [report for report in reports if report.reason and report.told_at + fresh > now]
    told = max(recent, key=lambda report: (is_same_day(report.reason), *_by_time(report)), default=None)
    if told is None:
        return None
    return Finding(
        kind=FlagKind.BARRIER,
        severity=Severity.HIGH if is_same_day(told.reason) else Severity.MEDIUM,
        opens_at=told.told_at,
        expires_at=told.told_at + fresh,
        episode=told.session_id,
        evidence={
            "session_id": told.session_id,
            "day": told.day.isoformat(),
            "reason": told.reason,
            "exercised": told.exercised,
        },
    )


def withdrawn(reason: str, on: date, told_at: datetime) -> Finding:
    """The patient said they stopped, and why; hurt, afraid and no relief are red."""
    return Finding(
        kind=FlagKind.WITHDRAWN,
        severity=Severity.HIGH if is_same_day(reason) else Severity.MEDIUM,
        opens_at=told_at,
        episode=on.isoformat(),
        evidence={"reason": reason, "day": on.isoformat()},
    )


def review_due(due_on: date, opens_at: datetime) -> Finding:
    """The four-week review is due: `opens_at` is the local midnight that ends `due_on` (clinical content R-26)."""
    return Finding(
        kind=FlagKind.REVIEW_DUE,
        severity=Severity.MEDIUM,
        opens_at=opens_at,
        episode=due_on.isoformat(),
        evidence={"due_on": due_on.isoformat()},
    )


def _told_instead(reports: Sequence[Report]) -> dict[str, str]:
    told = max((report for report in reports if not report.exercised), key=_by_time, default=None)
    if told is None:
        return {}
    return {"told_on": told.day.isoformat()} | ({"reason": told.reason} if told.reason else {})


def _is_over(assessment: Assessment) -> bool:
    return assessment.standing in {Standing.ENDED, Standing.WITHDRAWN}


def _by_time(report: Report) -> tuple[datetime, str]:
    return report.performed_at, report.session_id
