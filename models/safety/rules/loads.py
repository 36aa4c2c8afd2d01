"""What may harm this patient: loads, joints, directions, effort, heat and cold (clinical content 2.4 and 5.1)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import groupby

from models.prescription.burden import minutes
from models.prescription.dosage import text
from models.safety.choices import swaps
from models.safety.facts import CareItem, Condition, Item, Phase, Situation
from models.safety.harms import harms
from models.safety.rules.registry import BLOCK, INFO, WARN, Hit, RuleSeverity, on, rule

FLARE_EFFORT, CARDIAC_EFFORT = 3, 6
"""Of 10 (R-33)."""
COLD_MINUTES = 10
COLD_HOURS = 48
FLARE_LEVEL = 1
_OFF_FLOOR = frozenset({"bed", "chair_sitting"})
SUPINE_MINUTES = 3
"""Lying flat on the back for longer in one go counts as SUP (amendment)."""
_SUPINE = frozenset({"supine", "hook_lying", "bed"})
_COLD_REFUSED = ("raynaud", "cold-urticaria", "cryoglobulinaemia", "poor-circulation", "reduced-sensation")
_TENS_REFUSED = ("pacemaker", "pregnancy", "epilepsy", "broken-skin")
_HEAT_REFUSED = ("reduced-sensation", "broken-skin", "joint-flare")
_LOW_BACK = ("acute-strain", "chronic-lbp", "disc-herniation", "sciatica", "spinal-stenosis", "spondylolisthesis")
_AGAINST: dict[str, tuple[frozenset[str], str]] = {
    "flexion": (frozenset({"FLX", "FLL"}), "bending forward"),
    "extension": (frozenset({"EXT"}), "bending backward"),
    "rotation": (frozenset({"ROT", "RTL"}), "twisting"),
}
_OPPOSITE = {"flexion": "extension", "extension": "flexion"}


def _harmful(s: Situation, rule_id: str) -> Iterator[Hit]:
    lying = {id(item) for phase in (*s.program.phases, s.program.flare) if phase for item in long_supine(phase)}
    for phase, item in s.program.items():
        exercise = item.exercise
        if id(item) in lying:
            exercise = replace(exercise, load_tags=exercise.load_tags | {"SUP"})
        for harm in harms(exercise, s):
            if harm.rule == rule_id:
                # Only R-12 has a lighter side: the head that hangs.
                severity = WARN if harm.rule == "R-12" and not harm.blocks else None
                yield on(
                    item,
                    phase,
                    f"{item.exercise.name}: {harm.reason}.",
                    severity=severity,
                    condition=harm.condition,
                    about=harm.about,
                    final=harm.final,
                    advice=harm.advice,
                )


def long_supine(phase: Phase) -> list[Item]:
    """The items of every run of supine exercises that takes more than three minutes in one go."""
    found: list[Item] = []
    for is_supine, run in groupby(phase.items, key=lambda item: item.exercise.position in _SUPINE):
        items = list(run)
        if is_supine and sum(minutes(item.load) for item in items) > SUPINE_MINUTES:
            found += items
    return found


@rule("R-08", "No load that a condition says to avoid", BLOCK, "clinical content 2.4", is_fixed=True)
def r08(s: Situation) -> Iterator[Hit]:
    """A load tag of the item is "avoid" for a condition of the patient. Without a recorded clearance no reason
    overrides it for an unstable neck, or for a vertebra broken in the last 12 weeks.
    """
    yield from _harmful(s, "R-08")


@rule("R-09", "Cautions are acknowledged", WARN, "clinical content 2.4")
def r09(s: Situation) -> Iterator[Hit]:
    """A load tag of the item is "caution" for a condition of the patient."""
    yield from _harmful(s, "R-09")


@rule("R-10", "Adaptations are told to the patient", INFO, "clinical content 2.4")
def r10(s: Situation) -> Iterator[Hit]:
    """A load tag of the item is "adapt" for a condition of the patient: its text is added to the instruction."""
    yield from _harmful(s, "R-10")


@rule("R-11", "An inflamed joint is spared", BLOCK, "SLE24")
def r11(s: Situation) -> Iterator[Hit]:
    """In a flare, an item that loads the inflamed joint or its neighbour; gentle range of motion stays allowed. A plan
    for flare days stays at level 0 or 1.
    """
    yield from _harmful(s, "R-11")
    for phase, item in s.program.items():
        if phase is s.program.flare and item.exercise.level > FLARE_LEVEL:
            message = f"{item.exercise.name}: a flare day stays at level 0 or 1."
            yield on(item, phase, message, severity=WARN, about="level")


@rule("R-12", "The neck is cleared in rheumatoid arthritis", BLOCK, "S1; RANECK13", is_fixed=True)
def r12(s: Situation) -> Iterator[Hit]:
    """Rheumatoid arthritis, the neck not cleared, and an item that moves, stretches or loads the neck or puts the head
    down: no reason overrides it. Face down, or on hands and knees with the head hanging: caution.
    """
    yield from _harmful(s, "R-12")


@rule("R-13", "Heat, cold and currents suit the patient", BLOCK, "S1; COLD; B")
def r13(s: Situation) -> Iterator[Hit]:
    """Cold with Raynaud and its like, or over 10 minutes, blocks; more than 48 hours after a strain it warns. Heat with
    numb or broken skin or an inflamed joint blocks, with thin skin it warns. TENS with a pacemaker and its like blocks.
    What only a clinic can give warns.
    """
    for phase, line in s.program.care():
        for message, condition, severity in _care_conflicts(line, s):
            yield Hit(
                message=f"{line.care.name}: {message}",
                phase=phase,
                severity=severity,
                exercise=line.care.slug,
                condition=condition,
                about="" if condition else message.split()[0],
                line_id=line.line_id,
                fact=text(line.dosage),
            )


def _care_conflicts(line: CareItem, s: Situation) -> Iterator[tuple[str, str | None, RuleSeverity]]:
    care, length = line.care, line.dosage.duration_minutes
    refused = {"cold": _COLD_REFUSED, "heat": _HEAT_REFUSED, "tens": _TENS_REFUSED}.get(care.agent or "", ())
    for condition in s.of(*refused):
        yield f"not suitable ({condition.code}).", condition.code, BLOCK
    if care.agent == "cold":
        for strain in s.of("acute-strain"):
            if strain.onset_on and s.today - strain.onset_on >= timedelta(hours=COLD_HOURS):
                yield "after the first 48 hours heat serves better.", strain.code, WARN
    if care.agent == "heat":
        for condition in s.of("corticosteroid-long-term"):
            yield "not on thin skin.", condition.code, WARN
    limits = [care.max_minutes, COLD_MINUTES if care.agent == "cold" else None]
    limit = min((one for one in limits if one is not None), default=None)
    if limit is not None and length is not None and length * (line.dosage.sets or 1) > limit:
        yield f"at most {limit} minutes.", None, BLOCK if care.agent == "cold" else WARN
    if care.agent == "cold" and length is None:
        yield f"say how long: at most {limit} minutes.", None, WARN
    if not care.at_home:
        yield "only in the clinic, not at home.", None, WARN


@rule("R-33", "Effort fits the disease", WARN, "B")
def r33(s: Situation) -> Iterator[Hit]:
    """Effort above 3 in a flare; above 6 with heart disease, high blood pressure or lupus that nobody cleared. With a
    beta-blocker the pulse misleads: an aerobic item names an effort.
    """
    in_flare = s.has("joint-flare")
    uncleared = [one for one in s.of("cardiac", "hypertension", "sle") if not one.is_cleared]
    for phase, item in s.program.items():
        effort = item.dosage.rpe_target
        if effort is None:
            if s.has("beta-blocker") and item.exercise.is_aerobic:
                message = f"{item.exercise.name}: with a beta-blocker the pulse misleads; give an effort to aim at."
                yield on(item, phase, message, severity=INFO, condition="beta-blocker")
        elif effort > FLARE_EFFORT and (in_flare or phase is s.program.flare):
            yield on(item, phase, f"{item.exercise.name}: effort {effort} is too hard in a flare.", about="flare")
        elif effort > CARDIAC_EFFORT:
            for condition in uncleared:
                message = f"{item.exercise.name}: effort {effort} is too hard for now ({condition.code})."
                yield on(item, phase, message, condition=condition.code)


@rule("R-36", "Not against the patient's direction", WARN, "S4-19; DP11")
def r36(s: Situation) -> Iterator[Hit]:
    """Where a direction was recorded, as preferred or as provoking: an item into the one that provokes, or against the
    preferred one; and a plan that goes only the wrong way.
    """
    for condition in s.conditions:
        preference = condition.details.get("direction_preference")
        provoked = set(condition.details.get("provoked_by", ()))
        if preference in _OPPOSITE:
            provoked.add(_OPPOSITE[preference])
        for direction in sorted(provoked & _AGAINST.keys()):
            tags, words = _AGAINST[direction]
            for phase, item in s.program.items():
                if item.exercise.load_tags & tags:
                    message = f"{item.exercise.name}: {words} is against the patient's direction ({condition.code})."
                    yield on(item, phase, message, condition=condition.code, about=direction)
        if preference in _OPPOSITE:
            yield from _only_wrong_way(s, condition, preference)


def _only_wrong_way(s: Situation, condition: Condition, preference: str) -> Iterator[Hit]:
    """A phase with items of the opposite direction and none of the preferred one."""
    wanted, against = _AGAINST[preference][0], _AGAINST[_OPPOSITE[preference]][0]
    for phase in s.program.phases:
        tags = frozenset[str]().union(*(item.exercise.load_tags for item in phase.items))
        if tags & against and not tags & wanted:
            message = f"The plan goes only into {_OPPOSITE[preference]}; the patient prefers {preference}."
            yield Hit(message=message, condition=condition.code, about="only", phase=phase)


@rule("R-38", "Ultrasound and TENS for the low back: advised against", INFO, "NG59")
def r38(s: Situation) -> Iterator[Hit]:
    """The guideline does not offer them for low-back pain."""
    if s.has(*_LOW_BACK):
        for phase, line in s.program.care():
            if line.care.agent in {"ultrasound", "tens"}:
                yield Hit(
                    phase=phase,
                    message=f"{line.care.name}: the guideline advises against it for low-back pain.",
                    exercise=line.care.slug,
                    line_id=line.line_id,
                    fact=text(line.dosage),
                )


@rule("R-39", "A sun plan for outdoor exercise", WARN, "SLE24")
def r39(s: Situation) -> Iterator[Hit]:
    """Outdoors with lupus or skin that burns, and no sun plan agreed."""
    conditions = s.of("sle", "photosensitivity")
    if not conditions or any(condition.on("sun_plan_on") for condition in conditions):
        return
    for phase, item in s.program.items():
        if "OUT" in item.exercise.load_tags:
            yield on(item, phase, f"{item.exercise.name}: agree a sun plan.", condition=conditions[0].code)


@rule("R-41", "No brisk walking at a high risk of falls", WARN, "FALLS11")
def r41(s: Situation) -> Iterator[Hit]:
    """The falls risk is high and the plan has brisk walking."""
    if any(condition.details.get("is_high") for condition in s.of("falls-risk")):
        for phase, item in s.program.items():
            if item.exercise.subcategory == "walking" and "CAR" in item.exercise.load_tags:
                yield on(item, phase, f"{item.exercise.name}: brisk walking is not for a high risk of falls.")


@rule("R-35", "Down to the floor only who can get up again", WARN, "TFF (floor caution)")
def r35(s: Situation) -> Iterator[Hit]:
    """The item needs the floor and the patient cannot get up from it."""
    for phase, item in s.program.items():
        for harm in harms(item.exercise, s):
            if harm.rule == "R-35":
                off_floor = [one.exercise for one in swaps(item.exercise, s) if "FLR" not in one.exercise.load_tags]
                instead = sorted(off_floor, key=lambda one: one.position not in _OFF_FLOOR)[:3]
                swap = f", for example {instead[0].name.lower()}" if instead else ""
                message = f"{item.exercise.name}: {harm.reason}{swap}."
                yield on(item, phase, message, about=harm.about, suggestions=tuple(one.slug for one in instead))


RULES = (r08, r09, r10, r11, r12, r13, r33, r35, r36, r38, r39, r41)
