"""Before anything is handed over: screening, baseline, clearances, reviews, teaching (clinical content 5.1)."""

from collections.abc import Iterator
from datetime import timedelta

from models.adherence.flags import Severity
from models.safety.conditions import BACK, POST_OP
from models.safety.facts import Phase, Situation
from models.safety.red_flags import RED_FLAGS
from models.safety.rules.registry import BLOCK, INFO, WARN, Hit, on, rule

SCREENING_LASTS = 14
"""Days (R-01)."""
TEACH_BACK_WITHIN = 7
"""Days (R-28)."""
LOW_CONFIDENCE = 7
"""Of 10; below it a patient is not sure (R-28)."""
SURGERY_WEEKS = 12
PRESSURE_STOP, PRESSURE_ASK = (200, 110), (180, 105)
"""mmHg, systolic and diastolic (R-48)."""
PULSE_ASK = 120
"""Beats a minute at rest (R-48)."""
READING_LASTS = 14
"""Days a blood pressure or pulse counts as today's (design choice)."""


@rule(
    "R-01",
    "Screened for serious causes, with no red flag open",
    BLOCK,
    "S3, S1-08, S2-08",
    is_fixed=True,
)
def r01(s: Situation) -> Iterator[Hit]:
    """No screening in 14 days, a red flag unresolved, or rheumatoid arthritis or lupus with back pain that no clinician
    has confirmed. An emergency red flag cannot be overridden.
    """
    if not s.within(s.screened_on, SCREENING_LASTS):
        yield Hit(message="Screen for serious causes first: no screening in the last 14 days.", about="screening")
    for flag_id in sorted(s.red_flags):
        flag = RED_FLAGS[flag_id]
        yield Hit(
            message=f"A red flag is open: {flag.suspect.lower()} ({flag_id}). {flag.advice}",
            about=flag_id,
            final=flag.severity is Severity.EMERGENCY,
        )
    if s.unknown_red_flag:
        yield Hit(message="The patient's phone reported a red flag; screen again.", about="reported")
    if not s.has(*BACK):
        return
    for condition in s.of("ra", "sle"):
        if condition.on("back_pain_confirmed_on") is None:
            yield Hit(
                message="Back pain in rheumatoid arthritis or lupus: a clinician must confirm its cause first.",
                condition=condition.code,
            )


@rule("R-26", "Reviewed every four weeks", WARN, "S3-04")
def r26(s: Situation) -> Iterator[Hit]:
    """The program runs on past its review."""
    due = s.program.review_due_on
    if s.program.runs_since is not None and due is not None and due < s.today:
        yield Hit(message=f"Four-week review due since {due.day} {due:%b}.")


@rule("R-27", "A baseline of pain, function and physical tests", WARN, "S3-05, S0-10")
def r27(s: Situation) -> Iterator[Hit]:
    """One of the three was never examined."""
    seen = s.examination
    missing = [
        name
        for name, is_there in (
            ("pain", seen and seen.pain is not None),
            ("function", seen and seen.function is not None),
            ("physical tests", seen and seen.has_tests),
        )
        if not is_there
    ]
    if missing:
        yield Hit(message=f"Baseline missing: {', '.join(missing)}.")


@rule("R-28", "Each exercise shown back, with confidence", WARN, "S3 shortfall 2; MED09 (clarifying doubts)")
def r28(s: Situation) -> Iterator[Hit]:
    """Seven days into the program an exercise was not shown back, or the patient is not confident."""
    phase = _phase_of_today(s)
    if phase is not None and not s.within(s.program.runs_since, TEACH_BACK_WITHIN):
        for item in phase.items:
            if not item.taught_back:
                yield on(item, phase, f"{item.exercise.name}: check understanding; not shown back yet.")
    seen = s.examination
    if seen and seen.confidence is not None and seen.confidence < LOW_CONFIDENCE:
        yield Hit(message=f"Confidence {seen.confidence} of 10: go through the exercises again.", about="confidence")


def _phase_of_today(s: Situation) -> Phase | None:
    since = s.program.runs_since
    if since is None:
        return None
    day = (s.today - since).days + 1
    return next((p for p in s.program.phases if p.from_day <= day and (p.to_day is None or day <= p.to_day)), None)


@rule("R-37", "Fracture of a vertebra or surgery: taught in person", BLOCK, "TFF")
def r37(s: Situation) -> Iterator[Hit]:
    """Something of a phase that begins now, or has begun, was not taught by a physiotherapist."""
    conditions = s.of("vertebral-fracture", *POST_OP)
    today = (s.today - s.program.runs_since).days + 1 if s.program.runs_since else 1
    for phase in s.program.phases if conditions else ():
        for item in phase.items if phase.from_day <= today else ():
            if item.taught_on is None:
                message = f"{item.exercise.name}: teach it in person first."
                yield on(item, phase, message, condition=conditions[0].code)


@rule("R-40", "Released by the surgeon", BLOCK, "POSTOP")
def r40(s: Situation) -> Iterator[Hit]:
    """Surgery less than 12 weeks ago, or no release yet."""
    for condition in s.of(*POST_OP):
        surgery, released = condition.on("surgery_on") or condition.onset_on, condition.on("released_on")
        if released is None or released > s.today:
            yield Hit(message="Surgeon's release needed: none is recorded.", condition=condition.code)
        elif surgery is None:
            yield Hit(message="Surgeon's release needed: the day of surgery is unknown.", condition=condition.code)
        elif s.today - surgery < timedelta(weeks=SURGERY_WEEKS):
            yield Hit(message="Surgeon's release needed: surgery was less than 12 weeks ago.", condition=condition.code)


@rule("R-45", "Long-term steroids: bone status known", WARN, "GIOP22")
def r45(s: Situation) -> Iterator[Hit]:
    """2.5 mg a day or more for over three months and no bone status."""
    for steroid in s.of("corticosteroid-long-term"):
        if steroid.details.get("bone_status", "unknown") == "unknown":
            yield Hit(
                message="Long-term steroids and no bone status: handle as bone-fragile; ask for a bone assessment.",
                condition=steroid.code,
            )


@rule("R-47", "The patient's preferences are asked", INFO, "EUL18 (shared decision)")
def r47(s: Situation) -> Iterator[Hit]:
    """Nothing is known of place, time, water or land."""
    if not s.patient.has_preferences:
        yield Hit(message="Ask what the patient prefers: place, time of day, water or land.")


@rule("R-48", "Blood pressure and pulse allow exercise", BLOCK, "B (sources vary from 160/100 to 200/110)")
def r48(s: Situation) -> Iterator[Hit]:
    """200/110 blocks; 180/105 with strength items, symptomatic low pressure and a resting pulse above 120 warn."""
    seen = s.examination
    if seen is None or not s.within(seen.examined_on, READING_LASTS):
        return
    reading = f"{seen.systolic or '?'}/{seen.diastolic or '?'}"
    if _reaches(seen.systolic, seen.diastolic, PRESSURE_STOP):
        yield Hit(message=f"Blood pressure {reading}: too high to exercise today.", about="pressure")
    elif _reaches(seen.systolic, seen.diastolic, PRESSURE_ASK) and any(
        exercise.domain == "strength" for exercise in s.program.exercises
    ):
        yield Hit(message=f"Blood pressure {reading}: ask before strength work.", severity=WARN, about="pressure")
    if seen.low_pressure_symptoms:
        yield Hit(message="Low blood pressure with symptoms: ask a clinician.", severity=WARN, about="low")
    if seen.resting_pulse is not None and seen.resting_pulse > PULSE_ASK:
        yield Hit(message=f"Resting pulse {seen.resting_pulse}: ask a clinician.", severity=WARN, about="pulse")


def _reaches(systolic: int | None, diastolic: int | None, limit: tuple[int, int]) -> bool:
    return (systolic is not None and systolic >= limit[0]) or (diastolic is not None and diastolic >= limit[1])


@rule(
    "R-49",
    "A protocol that needs a specialist's clearance has one",
    BLOCK,
    "clinical content, amendments (T06, T07 with a confirmed unstable neck)",
    is_fixed=True,
)
def r49(s: Situation) -> Iterator[Hit]:
    """The protocol is refused for a confirmed condition that no specialist has cleared."""
    for condition in s.conditions:
        if condition.code in s.program.clearance_for and condition.is_confirmed and not condition.is_cleared:
            yield Hit(
                message="This protocol needs a specialist's recorded clearance for the unstable neck.",
                condition=condition.code,
                final=True,
            )


RULES = (r01, r26, r27, r28, r37, r40, r45, r47, r48, r49)
