"""How much, how fast, and whether it can be done at all: burden, steps, completeness (clinical content 5.1)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil

from models.prescription.burden import burden, minutes, minutes_a_week, repetitions_a_week
from models.prescription.dosage import Side
from models.safety.choices import chain, swaps
from models.safety.conditions import RADICULAR
from models.safety.facts import Item, Logged, Phase, Situation
from models.safety.rules.registry import BLOCK, INFO, WARN, Hit, on, rule

LONG_LIST, LONGER_LIST, FIRST_LIST = 6, 8, 4
"""Items a day: more than these (R-14)."""
FIRST_DAYS = 14
SESSION_MINUTES = 30
JUMP = 2
"""Levels (R-21)."""
AEROBIC_STEP, AEROBIC_MINUTES_STEP, REPETITION_STEP = 1.2, 5, 1.3
"""At most so much more (R-22)."""
PAIN_HELD, PAIN_RISE = 5, 2
"""Of 10 (R-23)."""
LOGS = 3
EASY = 1
"""Level; adding something easy is no progression."""
UNSETTLED = 2
STRETCH_SECONDS, STRETCH_SECONDS_OLDER = (10, 60), 30
OLDER = 65
REPETITIONS = (6, 20)
FREQUENCIES, TIMES_A_DAY, TIMES_A_DAY_ITEMS = 3, 2, 3


@rule("R-14", "A list short enough to be done", WARN, "ECK15, HEN99, MED09; the steps at 4, 6 and 8", is_design=True)
def r14(s: Situation) -> Iterator[Hit]:
    """More than 6 items on a scheduled day, or more than 8, warn; more than 4 in the first 14 days inform."""
    for phase in s.program.phases:
        count = burden([item.load for item in phase.items]).items_per_day
        if count > LONGER_LIST:
            yield Hit(message=f"{count} items a day: a list this long is seldom done, or done well.", phase=phase)
        elif count > LONG_LIST:
            yield Hit(message=f"{count} items a day: long lists lower adherence and quality.", phase=phase)
        elif count > FIRST_LIST and phase.from_day <= FIRST_DAYS:
            message = f"{count} items a day in the first {FIRST_DAYS} days: starting with 4 is easier to keep up."
            yield Hit(message=message, severity=INFO, phase=phase)


@rule("R-15", "A session short enough for the patient's day", WARN, "MUE20; QUAL10 (burden named by patients)")
def r15(s: Situation) -> Iterator[Hit]:
    """One round without the aerobic items takes more than 30 minutes, or more than the patient has."""
    limit = min(SESSION_MINUTES, s.patient.minutes_available or SESSION_MINUTES)
    for phase in s.program.phases:
        length = burden([item.load for item in phase.items]).minutes_per_session
        if length > limit:
            yield Hit(message=f"Session about {ceil(length)} min; {limit} is the limit.", phase=phase)


@rule("R-21", "No jump of two levels", WARN, "product rule", is_design=True)
def r21(s: Situation) -> Iterator[Hit]:
    """An item two levels above the hardest of its progression chain that was done in the last 28 days, or stands in an
    earlier phase. Where nothing of the chain was, the therapist's choice of where to start stands.
    """
    known = set(s.done_lately) | {item.exercise.slug for phase in s.before or () for item in phase.items}
    for phase in s.program.phases:
        for item in phase.items:
            exercise = item.exercise
            related = chain(exercise, s.catalogue)
            levels = [s.catalogue[slug].level for slug in related & known if slug in s.catalogue]
            if exercise.slug not in known and levels and exercise.level - max(levels) >= JUMP:
                between = [
                    one
                    for one in sorted(related)
                    if max(levels) < s.catalogue[one].level < exercise.level and one not in known
                ]
                insert = f"; insert {s.catalogue[between[0]].name.lower()}" if between else ""
                message = f"{exercise.name}: jump of two levels{insert}."
                yield on(item, phase, message, suggestions=tuple(between))
        known |= {item.exercise.slug for item in phase.items}


@rule("R-22", "Steps small enough", WARN, "SLE24 (gradual)", is_design=True)
def r22(s: Situation) -> Iterator[Hit]:
    """From one phase to the next, or from the present revision to this one: weekly aerobic minutes up by more than 20 %
    and by more than 5 minutes a session, or an exercise's weekly repetitions up by more than 30 %. Between phases each
    week of the later phase may bring one such step, since its numbers are what it ends with.
    """
    for earlier, later, weeks in _steps(s):
        was, now = (sum(minutes_a_week(i.load) for i in p.items if i.exercise.is_aerobic) for p in (earlier, later))
        longest = [
            max((minutes(i.load) for i in p.items if i.exercise.is_aerobic), default=0.0) for p in (earlier, later)
        ]
        if was and now > was * AEROBIC_STEP and longest[1] - longest[0] > AEROBIC_MINUTES_STEP * weeks:
            message = f"Aerobic minutes from {was:.0f} to {now:.0f} a week: too big a step."
            yield Hit(message=message, about="aerobic", phase=later)
        counted, counts = _repetitions(earlier), _repetitions(later)
        for item in later.items:
            before, after = counted[item.exercise.slug], counts[item.exercise.slug]
            if _repeated(item) and before and after > before * (1 + (REPETITION_STEP - 1) * weeks):
                message = f"{item.exercise.name}: repetitions from {before:.0f} to {after:.0f} a week: too big a step."
                yield on(item, later, message)


def _steps(s: Situation) -> Iterator[tuple[Phase, Phase, float]]:
    """What follows what, and the weeks there are to get there."""
    for earlier, later in pairwise(s.program.phases):
        yield earlier, later, max(1.0, later.weeks or 4.0)
    if s.before:
        for was, now in _paired(s.before, s.program.phases):
            yield was, now, 1.0


def _paired(before: Sequence[Phase], after: Sequence[Phase]) -> Iterator[tuple[Phase, Phase]]:
    """Each phase with what it was: the one of its label, and those whose labels are gone with the new ones in order."""
    old, new = {phase.label: phase for phase in before}, {phase.label for phase in after}
    yield from ((old[phase.label], phase) for phase in after if phase.label in old)
    gone = [phase for phase in before if phase.label not in new]
    yield from zip(gone, [phase for phase in after if phase.label not in old], strict=False)


def _repetitions(phase: Phase) -> Counter[str]:
    """Weekly repetitions of each exercise, all lines and both sides together."""
    counted: Counter[str] = Counter()
    for item in phase.items:
        if _repeated(item):
            sides = 2 if item.side is Side.BOTH else 1
            counted[item.exercise.slug] += sides * repetitions_a_week(item.dosage)  # type: ignore[assignment]
    return counted


def _repeated(item: Item) -> bool:
    return item.dosage.reps is not None and item.dosage.reps > 1


@rule("R-23", "No harder while it hurts", WARN, "SAPS12; MIC08")
def r23(s: Situation) -> Iterator[Hit]:
    """Progressing while any of the last three logs has pain above 5, pain rose by 2 over them, or two were not settled
    next morning. With nerve pain any spread away from the spine holds, whatever the score.
    """
    if s.before is None or not is_harder(s.before, s.program.phases):
        return
    reason = hold_reason(s.logs, is_radicular=s.has(*RADICULAR))
    if reason:
        yield Hit(message=f"Hold the level: {reason}.")


def hold_reason(logs: Sequence[Logged], *, is_radicular: bool) -> str | None:
    """Why the last three logs say not to progress; None if they do not."""
    last = logs[-LOGS:]
    pains = [log.pain for log in last if log.pain is not None]
    if any(log.hurt for log in last):
        return "it made the symptoms worse"
    if is_radicular and any(log.spread for log in last):
        return "the pain moved away from the spine"
    if any(pain > PAIN_HELD for pain in pains):
        return f"pain {max(pains)} of 10 within the last {LOGS} sessions"
    if pains and pains[-1] - pains[0] >= PAIN_RISE:
        return f"pain rose from {pains[0]} to {pains[-1]}"
    if sum(log.settled is False for log in last) >= UNSETTLED:
        return "the pain had not settled by the next morning"
    return None


def is_harder(before: Sequence[Phase], after: Sequence[Phase]) -> bool:
    """Whether a phase asks for more than it did: a higher level, more repetitions or minutes, more load."""
    harder = any(_has_harder_item(now, was) for was, now in _paired(before, after))
    return harder or any(_is_line_harder(phase, before) for phase in after)


def _has_harder_item(phase: Phase, was: Phase) -> bool:
    """Something new that is harder than all there was, or as hard and not easy."""
    known, hardest = {item.line_id for item in was.items}, max((item.exercise.level for item in was.items), default=0)
    return any(
        item.exercise.level > hardest
        or (item.line_id not in known and item.exercise.level == hardest and item.exercise.level > EASY)
        for item in phase.items
    )


def _is_line_harder(phase: Phase, before: Sequence[Phase]) -> bool:
    old = {item.line_id: item for earlier in before for item in earlier.items if item.line_id}
    for item in phase.items:
        was = old.get(item.line_id) if item.line_id else None
        if was and (
            item.exercise.level > was.exercise.level
            or (item.dosage.load_kg or 0) > (was.dosage.load_kg or 0)
            or repetitions_a_week(item.dosage) > repetitions_a_week(was.dosage)
            or minutes_a_week(item.load) > minutes_a_week(was.load)
        ):
            return True
    return False


@rule("R-29", "A one-sided exercise says its side", BLOCK, "data", is_fixed=True)
def r29(s: Situation) -> Iterator[Hit]:
    """One side at a time, and no side."""
    for phase, item in s.program.items():
        if item.exercise.one_sided and item.side is None:
            yield on(item, phase, f"{item.exercise.name}: which side?", final=True)


@rule("R-30", "A dosage is complete", BLOCK, "CERT", is_fixed=True)
def r30(s: Situation) -> Iterator[Hit]:
    """Not (sets and repetitions) nor a hold, minutes or metres; or not exactly one frequency."""
    for phase, item in s.program.items():
        if not item.dosage.has_amount or item.dosage.frequencies != 1:
            what = "how often" if item.dosage.has_amount else "how much"
            yield on(item, phase, f"{item.exercise.name}: dosage incomplete, say {what}.", final=True)


@rule("R-31", "Stretches held for a usual time", INFO, "ACSM")
def r31(s: Situation) -> Iterator[Hit]:
    """A static stretch held under 10 s or over 60 s; from age 65 under 30 s."""
    least = STRETCH_SECONDS_OLDER if (s.patient.age or 0) >= OLDER else STRETCH_SECONDS[0]
    for phase, item in s.program.items():
        hold = item.dosage.hold_seconds
        is_static = item.exercise.category == "stretching" and item.exercise.subcategory == "static"
        if is_static and hold is not None and not least <= hold <= STRETCH_SECONDS[1]:
            message = f"{item.exercise.name}: hold of {hold} s; {least} to {STRETCH_SECONDS[1]} s is usual."
            yield on(item, phase, message)


@rule("R-32", "Strength in a usual number of repetitions", INFO, "TFF")
def r32(s: Situation) -> Iterator[Hit]:
    """Fewer than 6 or more than 20 repetitions a set, holds left out."""
    for phase, item in s.program.items():
        dosage = item.dosage
        counts = item.exercise.domain == "strength" and dosage.hold_seconds is None and dosage.duration_minutes is None
        if counts and dosage.reps is not None and not REPETITIONS[0] <= dosage.reps <= REPETITIONS[1]:
            yield on(item, phase, f"{item.exercise.name}: {dosage.reps} repetitions; 6 to 20 is usual.")


@rule("R-34", "The patient has what it needs", WARN, "B (adherence barrier)")
def r34(s: Situation) -> Iterator[Hit]:
    """Something the patient does not own, with a swap; if nobody asked, that informs."""
    owned = s.patient.equipment
    for phase, item in s.program.items():
        exercise = item.exercise
        missing = exercise.missing(owned or frozenset())
        if not missing:
            continue
        things = ", ".join(" or ".join(sorted(slot)) for slot in missing).replace("_", " ")
        if owned is None:
            message = "Ask what the patient has at home: the plan needs equipment."
            yield Hit(message=message, severity=INFO, about="ask")
            return
        instead = tuple(choice.exercise.slug for choice in swaps(exercise, s)[:3])
        swap = f"; swap for {s.catalogue[instead[0]].name.lower()}" if instead else ""
        yield on(item, phase, f"{exercise.name}: the patient has no {things}{swap}.", suggestions=instead)


@rule("R-42", "Replace, not add", INFO, "product rule", is_design=True)
def r42(s: Situation) -> Iterator[Hit]:
    """An item and what it progresses from stand in one phase."""
    for phase in s.program.phases:
        slugs = {item.exercise.slug: item.exercise for item in phase.items}
        for item in phase.items:
            easier = slugs.get(item.exercise.progression_of or "")
            if easier:
                message = f"{item.exercise.name} is the next step after {easier.name.lower()}: replace rather than add."
                yield on(item, phase, message)


@rule("R-43", "A simple timetable", INFO, "MED09 (frequency is the harder part)")
def r43(s: Situation) -> Iterator[Hit]:
    """More than three different weekly frequencies, or more than three items more than twice a day."""
    for phase in s.program.phases:
        frequencies = {item.dosage.days_a_week for item in phase.items}
        often = sum(item.dosage.sessions_per_day > TIMES_A_DAY for item in phase.items)
        if len(frequencies) > FREQUENCIES or often > TIMES_A_DAY_ITEMS:
            yield Hit(message="Simplify the timetable: too many different frequencies.", phase=phase)


@rule("R-44", "Each exercise says why", INFO, "S4-27")
def r44(s: Situation) -> Iterator[Hit]:
    """An item without a goal."""
    for phase, item in s.program.items():
        if not item.goal:
            yield on(item, phase, f"{item.exercise.name}: tell the patient what it is for.")


RULES = (r14, r15, r21, r22, r23, r29, r30, r31, r32, r34, r42, r43, r44)
