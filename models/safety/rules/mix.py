"""The right mix: what a program must hold, and what long-term care must keep (clinical content 5.1)."""

from collections.abc import Iterable, Iterator

from models.prescription.burden import minutes_a_week
from models.safety.conditions import BACK
from models.safety.facts import Item, Situation
from models.safety.rules.registry import BLOCK, INFO, WARN, Hit, rule

STRETCHING_SHARE = 0.5
TRUNK_DAYS = 3
"""Days a week of core or stabilization work (MUE20)."""
MODERATE_MINUTES, LEAST_MINUTES = 150, 60
"""Aerobic minutes a week (WHO20, EUL18)."""
STRENGTH_DAYS = 2
BALANCE_DAYS, BALANCE_DAYS_BONE = 3, 7
OLDER = 65
CHECK_INS = (1, 3, 6, 12, 24)
"""Months after discharge."""
_DOMAIN_WORDS = {"neuromotor": "balance or coordination", "cardiorespiratory": "aerobic"}
DOMAINS = ("strength", "flexibility", "cardiorespiratory", "neuromotor")
_BACK_STRENGTH = frozenset(
    {"multifidus", "extensors", "lumbar extensors", "back extensors", "gluteals", "thoracic extensors"}
)
_DEEP_ABDOMINALS = frozenset({"transversus", "deep trunk", "abdominals"})


def is_back_program(s: Situation) -> bool:
    """Whether the patient has a back condition."""
    return s.has(*BACK)


@rule("R-02", "A back program has active exercise", BLOCK, "S3; CPG21, NG59 (manual therapy only with exercise)")
def r02(s: Situation) -> Iterator[Hit]:
    """Nothing in it is exercise: heat, TENS and advice are not treatment."""
    if is_back_program(s) and s.program.phases and not s.program.expected:
        yield Hit(message="Passive treatment only: add active exercise.")


@rule("R-03", "A back program trains the trunk", BLOCK, "S3")
def r03(s: Situation) -> Iterator[Hit]:
    """No stabilization and no core."""
    if is_back_program(s) and s.program.phases and not any(e.trains_trunk for e in s.program.expected):
        yield Hit(message="Nothing trains the trunk: add stabilization or core.")


@rule("R-04", "A back program has stabilization and core", WARN, "S3")
def r04(s: Situation) -> Iterator[Hit]:
    """Over the whole program only one of the two; maintenance answers to R-25."""
    found = {e.category for e in s.program.expected if e.trains_trunk}
    if is_back_program(s) and not s.program.is_maintenance and len(found) == 1:
        missing = ({"stabilization", "core"} - found).pop()
        yield Hit(message=f"Add {missing} by week 4.")


@rule("R-05", "The belt has no gap: front, sides and back are trained", WARN, "S3")
def r05(s: Situation) -> Iterator[Hit]:
    """In the last phase one side of the trunk is left out. Deep-abdominal control counts as front, extensor or
    hip-extensor strength as back.
    """
    if not is_back_program(s) or not s.program.phases:
        return
    trained = {side for item in s.program.phases[-1].items for side in trunk_sides(item)}
    for side in ("front", "sides", "back"):
        if side not in trained:
            yield Hit(
                message=f"Nothing trains the {side} of the trunk in the last phase.",
                about=side,
                phase=s.program.phases[-1],
            )


def trunk_sides(item: Item) -> frozenset[str]:
    """Which sides of the trunk an exercise trains."""
    exercise, sides = item.exercise, set(item.exercise.trunk_sides)
    if exercise.trains_trunk:
        sides |= {"front"} if exercise.muscles & _DEEP_ABDOMINALS else set()
        sides |= {"back"} if exercise.muscles & _BACK_STRENGTH else set()
    return frozenset(sides)


@rule("R-06", "Chronic back pain: stretching is not the plan", WARN, "NMA20")
def r06(s: Situation) -> Iterator[Hit]:
    """More than half of the items are stretches."""
    exercises = s.program.exercises
    stretches = sum(e.category == "stretching" for e in exercises)
    if s.has("chronic-lbp") and exercises and stretches / len(exercises) > STRETCHING_SHARE:
        yield Hit(message=f"{stretches} of {len(exercises)} items are stretches; stretching alone was no better.")


@rule("R-07", "A back program combines types of exercise", WARN, "S3")
def r07(s: Situation) -> Iterator[Hit]:
    """Fewer than two of stretching, stabilization and core; maintenance answers to R-25."""
    found = {e.category for e in s.program.expected} & {"stretching", "stabilization", "core"}
    if is_back_program(s) and not s.program.is_maintenance and s.program.exercises and len(found) < 2:
        yield Hit(message="Combine exercise types: at least two of stretching, stabilization and core.")


@rule("R-16", "Chronic back pain: trunk work on three days a week", WARN, "MUE20")
def r16(s: Situation) -> Iterator[Hit]:
    """Core or stabilization on fewer than three days in some phase; maintenance may be less."""
    if s.has("chronic-lbp") and not s.program.is_maintenance:
        for phase in s.program.phases:
            days = _days(item for item in phase.items if item.exercise.trains_trunk)
            if days < TRUNK_DAYS:
                yield Hit(message=f"Core or stabilization on {_told(days)} a week; 3 to 5 worked best.", phase=phase)


@rule("R-17", "Enough aerobic minutes by the last phase", WARN, "WHO20, EUL18")
def r17(s: Situation) -> Iterator[Hit]:
    """Under 150 minutes a week informs, under 60 warns."""
    if not s.program.phases:
        return
    last = s.program.phases[-1]
    found = sum(minutes_a_week(item.load) for item in last.items if item.exercise.is_aerobic)
    if found < MODERATE_MINUTES:
        yield Hit(
            message=f"{int(found)} aerobic minutes a week; the target is 150. Fine while ramping up.",
            severity=WARN if found < LEAST_MINUTES else INFO,
            phase=last,
        )


@rule("R-18", "Strength on two days a week from phase 2", WARN, "WHO20, TFF")
def r18(s: Situation) -> Iterator[Hit]:
    """A later phase, or maintenance, trains strength less often."""
    for phase in s.program.phases if s.program.is_maintenance else s.program.phases[1:]:
        days = _days(item for item in phase.items if item.exercise.domain == "strength")
        if days < STRENGTH_DAYS:
            yield Hit(message=f"Strength on {_told(days)} a week; 2 or more.", phase=phase)


@rule("R-19", "Balance often enough", WARN, "WHO20, TFF")
def r19(s: Situation) -> Iterator[Hit]:
    """From 65, or at risk of falls, under three days a week warns; osteoporosis asks for every day and informs."""
    at_risk = s.has("falls-risk") or (s.patient.age is not None and s.patient.age >= OLDER)
    for phase in s.program.phases:
        days = _days(item for item in phase.items if item.exercise.category == "balance")
        if at_risk and days < BALANCE_DAYS:
            yield Hit(message=f"Balance practice on {_told(days)} a week; at least 3.", phase=phase)
        elif s.has("osteoporosis") and days < BALANCE_DAYS_BONE:
            yield Hit(message=f"Balance practice on {_told(days)} a week; daily is best.", severity=INFO, phase=phase)


@rule("R-20", "All four domains in inflammatory and wear-and-tear disease", INFO, "EUL18")
def r20(s: Situation) -> Iterator[Hit]:
    """Rheumatoid arthritis, lupus or osteoarthritis and a domain left out over the whole program."""
    if s.program.phases and s.has("ra", "sle", "oa-knee", "oa-hip", "oa-hand", "oa-spine"):
        found = {e.domain for e in s.program.exercises}
        for domain in DOMAINS:
            if domain not in found:
                yield Hit(message=f"No {_DOMAIN_WORDS.get(domain, domain)} work in the program.", about=domain)


@rule("R-24", "No discharge without maintenance and check-ins", BLOCK, "S3 shortfall 4; BOOST17")
def r24(s: Situation) -> Iterator[Hit]:
    """Discharged without a maintenance program, or without check-ins at 1, 3, 6, 12 and 24 months."""
    if not s.program.discharges:
        return
    if not s.program.phases:
        yield Hit(message="No maintenance phase: add a maintenance program.", about="maintenance")
    missing = [str(month) for month in CHECK_INS if month not in (s.program.check_in_months or ())]
    if missing:
        yield Hit(message=f"No check-in at {', '.join(missing)} months.", about="check-ins")


@rule("R-25", "Maintenance keeps the strength that was built", WARN, "S3")
def r25(s: Situation) -> Iterator[Hit]:
    """A back patient's maintenance has no core item, or drops every strength item of the last phase."""
    if not s.program.is_maintenance or not is_back_program(s) or not s.program.phases:
        return
    kept = s.program.exercises
    if not any(e.category == "core" for e in kept):
        yield Hit(message="Strength kept the back well: no core item is kept.", about="core")
    last = s.previous_last_phase
    strong = [item.exercise for item in last.items if item.exercise.domain == "strength"] if last else []
    if strong and not any(e.domain == "strength" for e in kept):
        yield Hit(message="Strength kept the back well: every strength item is dropped.", about="strength")


@rule("R-46", "Maintenance with education or ergonomics", INFO, "STE16")
def r46(s: Situation) -> Iterator[Hit]:
    """Exercise with education beat exercise alone."""
    topics = {item.care.topic for phase in s.program.phases for item in phase.care}
    if s.program.is_maintenance and s.program.phases and not topics & {"education", "ergonomics"}:
        yield Hit(message="Add education or ergonomics: with exercise it beat exercise alone.")


def _days(items: Iterable[Item]) -> float:
    """Days of a week on which at least one of them is expected, at the least: definite weekdays are counted together,
    flexible days may coincide.
    """
    dosages = [item.dosage for item in items]
    definite = {day for dosage in dosages for day in dosage.weekdays or ()}
    return max([len(definite), *(dosage.days_a_week for dosage in dosages)])


def _told(days: float) -> str:
    """Days as people say them."""
    return "1 day" if days == 1 else f"{round(days, 1):g} days"


RULES = (r02, r03, r04, r05, r06, r07, r16, r17, r18, r19, r20, r24, r25, r46)
