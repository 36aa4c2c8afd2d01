"""Before anything is handed over: screening, baseline, clearances, reviews, teaching (clinical content 5.1)."""

from collections.abc import Iterator
from datetime import timedelta

from models.adherence.kinds import Severity
from models.safety.conditions import BACK, POST_OP
from models.safety.facts import Examination, Phase, Situation
from models.safety.red_flags import RED_FLAGS
from models.safety.rules.registry import BLOCK, INFO, WARN, Hit, on, rule

GENERAL_QUESTIONS = frozenset({"RF-01", "RF-02", "RF-05", "RF-06", "RF-08", "RF-10"})
CONDITION_QUESTIONS = (
    (("ra", "ra-cervical-instability", "neck-pain", "cervical-radiculopathy"), frozenset({"RF-03"})),
    (("sle", "lupus-nephritis"), frozenset({"RF-07"})),
    (("pregnancy",), frozenset({"RF-13"})),
)
"""Asked where one of the conditions is there (clinical content 2.5)."""
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
    """A question that must be asked was not answered in 14 days, a red flag is unresolved, or rheumatoid arthritis or
    lupus comes with back pain that no clinician has confirmed. An emergency red flag cannot be overridden.
    """
    unasked = sorted(one for one in required_questions(s) if not s.within(s.screened.get(one), SCREENING_LASTS))
    if unasked:
        message = (
            f"Screen for serious causes first; not asked in the last {SCREENING_LASTS} days: {', '.join(unasked)}."
        )
        yield Hit(message=message, about="screening")
    for flag_id in sorted(s.red_flags):
        flag = RED_FLAGS[flag_id]
        yield Hit(
            message=f"A red flag is open: {flag.suspect.lower()} ({flag_id}); the patient is told: {flag.advice}",
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


def required_questions(s: Situation) -> frozenset[str]:
    """The six general red-flag questions, and those of the patient's conditions (clinical content 2.5)."""
    return GENERAL_QUESTIONS.union(
        *(asked for codes, asked in CONDITION_QUESTIONS if s.has(*codes)),
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
    """Something of the first phase, of one that has begun, or of the plan for flare days was not taught by a
    physiotherapist.
    """
    conditions = s.of("vertebral-fracture", *POST_OP)
    today = (s.today - s.program.runs_since).days + 1 if s.program.runs_since else 1
    begun = [phase for phase in s.program.phases if phase.from_day <= today] or list(s.program.phases[:1])
    for phase in [*begun, *([s.program.flare] if s.program.flare else [])] if conditions else ():
        for item in phase.items:
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
    if seen is None:
        return
    yield from _pressure_hits(s, seen) if s.within(seen.pressure_on or seen.examined_on, READING_LASTS) else ()
    if seen.low_pressure_symptoms and s.within(seen.low_pressure_on or seen.examined_on, READING_LASTS):
        yield Hit(message="Low blood pressure with symptoms: ask a clinician.", severity=WARN, about="low")
    pulse = seen.resting_pulse
    if pulse is not None and pulse > PULSE_ASK and s.within(seen.pulse_on or seen.examined_on, READING_LASTS):
        yield Hit(message=f"Resting pulse {pulse}: ask a clinician.", severity=WARN, about="pulse")


def _pressure_hits(s: Situation, seen: Examination) -> Iterator[Hit]:
    reading = f"{seen.systolic or '?'}/{seen.diastolic or '?'}"
    if _reaches(seen.systolic, seen.diastolic, PRESSURE_STOP):
        yield Hit(message=f"Blood pressure {reading}: too high to exercise today.", about="pressure")
    elif _reaches(seen.systolic, seen.diastolic, PRESSURE_ASK) and any(
        exercise.domain == "strength" for exercise in s.program.exercises
    ):
        yield Hit(message=f"Blood pressure {reading}: ask before strength work.", severity=WARN, about="pressure")


def _reaches(systolic: int | None, diastolic: int | None, limit: tuple[int, int]) -> bool:
    return (systolic is not None and systolic >= limit[0]) or (diastolic is not None and diastolic >= limit[1])


@rule(
    "R-49",
    "A confirmed unstable neck is cleared by a specialist before any program",
    BLOCK,
    "clinical content, amendments (T06 is refused for it; any other program asks more of the neck)",
    is_fixed=True,
)
def r49(s: Situation) -> Iterator[Hit]:
    """An unstable neck is confirmed, and no named clinician's clearance is on record."""
    for condition in s.of("ra-cervical-instability"):
        if condition.is_confirmed and not condition.is_cleared:
            yield Hit(
                message="Confirmed unstable neck: record the specialist's clearance (name and day) first.",
                condition=condition.code,
                final=True,
            )


RULES = (r01, r26, r27, r28, r37, r40, r45, r47, r48, r49)
