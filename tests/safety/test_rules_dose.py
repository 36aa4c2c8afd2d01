"""How much, how fast, and whether it can be done at all: each rule at its threshold, on both sides."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from models.prescription.dosage import Side
from models.safety.facts import Item, Logged, Phase, Situation
from models.safety.rules import Finding, check
from models.safety.rules.dose import hold_reason
from tests.safety.situations import (
    ALL_EQUIPMENT,
    NearMisses,
    Triggers,
    a_patient,
    ago,
    catalogue,
    dosage,
    item,
    named,
    phase,
    said,
    situation,
)

WELL, OLD = a_patient(), a_patient(age=65)
DAILY: dict[str, Any] = {"sets": 1, "reps": 10, "days_per_week": 7}
LIST = (
    *("glute-set", "quad-set", "heel-raise", "toe-raise", "wall-plank"),
    *("band-row", "sit-to-stand", "abdominal-brace", "clamshell"),
)
A_LINE, ANOTHER = UUID(int=1), UUID(int=2)
MON_WED_FRI, TUE_THU_SAT = (0, 2, 4), (1, 3, 5)


def a_list(count: int, number: int = 1, **but: Any) -> Phase:
    return phase(*(item(slug, **DAILY) for slug in LIST[:count]), number=number, **but)


def sitting(minutes: float, slug: str = "tai-chi-seated") -> Phase:
    return phase(item(slug, duration_minutes=minutes, days_per_week=7))


def walk(minutes: float, days: int = 5, **but: Any) -> Phase:
    return phase(item("walk-easy", duration_minutes=minutes, days_per_week=days), **but)


def two_aerobic(*minutes: float) -> Phase:
    slugs = ("walk-easy", "bed-pedalling")
    return phase(*(item(s, duration_minutes=m, days_per_week=5) for s, m in zip(slugs, minutes, strict=True)))


def then(first: Phase, second: Phase, weeks: int | None = 1) -> Situation:
    """Two phases, the second so many weeks long."""
    lasting: dict[str, Any] = {"from_day": 15, "to_day": None if weeks is None else max(17, 14 + 7 * weeks)}
    return situation(WELL, first, replace(second, label="Phase 2", number=2, **lasting))


def revised(was: Phase, now: Phase, patient: Any = WELL, **but: Any) -> Situation:
    return situation(patient, now, before=(was,), **but)


def times(reps: int | None, **but: Any) -> Phase:
    return phase(item("glute-set", **({"sets": 1, "reps": reps, "days_per_week": 1} | but)))


def distance(metres: int, **but: Any) -> Phase:
    return phase(item("walk-easy", **({"distance_m": metres, "days_per_week": 5} | but)))


def carry(metres: int) -> Phase:
    return phase(item("suitcase-carry", side=Side.LEFT, distance_m=metres, days_per_week=5))


def sides(*reps: int, **but: Any) -> Phase:
    """One exercise in a line for the left and a line for the right, once a week."""
    lines = zip(reps, (Side.LEFT, Side.RIGHT), strict=False)
    return phase(*(item("quad-set", side=side, sets=1, reps=count, days_per_week=1) for count, side in lines), **but)


def both(reps: int) -> Phase:
    """The same for both sides, in one line."""
    return phase(item("quad-set", side=Side.BOTH, sets=1, reps=reps, days_per_week=1))


def held(times_held: int) -> Item:
    return item("quad-set", side=Side.RIGHT, sets=times_held, reps=1, hold_seconds=10, days_per_week=1)


def hold(seconds: int | None, slug: str = "calf-stretch-wall") -> Phase:
    return phase(item(slug, sets=2, reps=1, hold_seconds=seconds, days_per_week=5))


def owning(*things: str) -> Any:
    return a_patient(equipment=frozenset(things))


def incomplete(**but: Any) -> Phase:
    return phase(item("glute-set", **but))


def felt(*pains: int | None) -> tuple[Logged, ...]:
    return tuple(Logged(day=ago(len(pains) - number), pain=pain) for number, pain in enumerate(pains))


def settled(*answers: bool | None) -> tuple[Logged, ...]:
    return tuple(Logged(day=ago(number), settled=answer) for number, answer in enumerate(answers))


STILL_CORE = replace(catalogue()["wall-plank"], subcategory="static")
STILL = phase("heel-raise", label="Still")
EASY, HARDER = phase("sit-to-stand"), phase("sit-to-stand-no-hands")
SPREAD = (Logged(day=ago(1), spread=True),)
WORSE = (Logged(day=ago(4), hurt=True),)
FASTER = "info: Simplify the timetable: too many different frequencies."
JUMP = "warn: Lateral step-down: jump of two levels; insert sit to stand without hands."
ASK = "info: Ask what the patient has at home: the plan needs equipment."

TRIGGERS: Triggers = [
    (
        "R-14",
        "nine items a day",
        situation(WELL, a_list(9)),
        ["warn: 9 items a day: a list this long is seldom done, or done well."],
    ),
    (
        "R-14",
        "eight items a day",
        situation(WELL, a_list(8)),
        ["warn: 8 items a day: long lists lower adherence and quality."],
    ),
    (
        "R-14",
        "seven items a day, one of them on a day of one's choice",
        situation(WELL, phase(*a_list(6).items, item("wall-angel", sets=1, reps=10, days_per_week=1))),
        ["warn: 7 items a day: long lists lower adherence and quality."],
    ),
    (
        "R-14",
        "seven items a day",
        situation(WELL, a_list(7)),
        ["warn: 7 items a day: long lists lower adherence and quality."],
    ),
    (
        "R-14",
        "six items in the first days",
        situation(WELL, a_list(6)),
        ["info: 6 items a day in the first 14 days: starting with 4 is easier to keep up."],
    ),
    (
        "R-14",
        "five items from day 14",
        situation(WELL, a_list(5, from_day=14)),
        ["info: 5 items a day in the first 14 days: starting with 4 is easier to keep up."],
    ),
    (
        "R-15",
        "30.1 minutes on both sides",
        situation(WELL, phase(item("clamshell", duration_minutes=15.05, days_per_week=3))),
        ["warn: Session about 31 min; 30 is the limit."],
    ),
    ("R-15", "30.1 minutes", situation(WELL, sitting(30.1)), ["warn: Session about 31 min; 30 is the limit."]),
    (
        "R-15",
        "longer than the patient has",
        situation(a_patient(minutes_available=10), sitting(11)),
        ["warn: Session about 11 min; 10 is the limit."],
    ),
    (
        "R-15",
        "31 minutes with an hour free",
        situation(a_patient(minutes_available=60), sitting(31)),
        ["warn: Session about 31 min; 30 is the limit."],
    ),
    (
        "R-21",
        "two levels above what was done",
        situation(WELL, phase("lateral-step-down"), done_lately=frozenset({"sit-to-stand"})),
        [JUMP],
    ),
    ("R-21", "two levels above an earlier phase", then(EASY, phase("lateral-step-down")), [JUMP]),
    ("R-21", "two levels above the present plan", revised(EASY, phase("lateral-step-down")), [JUMP]),
    (
        "R-21",
        "with nothing between",
        situation(WELL, phase("butterfly-stretch"), done_lately=frozenset({"bed-hip-bent-knee-openings"})),
        ["warn: Butterfly stretch: jump of two levels."],
    ),
    (
        "R-22",
        "20.3 % and 6.1 minutes",
        then(walk(30), walk(36.1)),
        ["warn: Aerobic minutes from 150 to 180 a week: too big a step."],
    ),
    (
        "R-22",
        "more than five minutes a week",
        then(walk(20), walk(31), weeks=2),
        ["warn: Aerobic minutes from 100 to 155 a week: too big a step."],
    ),
    (
        "R-22",
        "in a revision, whatever the weeks",
        revised(walk(20, to_day=70), walk(26, to_day=70)),
        ["warn: Aerobic minutes from 100 to 130 a week: too big a step."],
    ),
    (
        "R-22",
        "in bouts",
        then(walk(10), phase(item("walk-easy", sets=2, duration_minutes=8, days_per_week=5))),
        ["warn: Aerobic minutes from 50 to 80 a week: too big a step."],
    ),
    (
        "R-22",
        "420 metres more",
        then(distance(1400), distance(1820)),
        ["warn: Aerobic minutes from 100 to 130 a week: too big a step."],
    ),
    (
        "R-22",
        "metres after minutes",
        revised(walk(20), distance(1820)),
        ["warn: Aerobic minutes from 100 to 130 a week: too big a step."],
    ),
    (
        "R-22",
        "metres in bouts",
        then(distance(700), distance(700, sets=2)),
        ["warn: Aerobic minutes from 50 to 100 a week: too big a step."],
    ),
    (
        "R-22",
        "left and right together",
        then(sides(10, 10), sides(20, 7)),
        ["warn: Quadriceps set: repetitions from 20 to 27 a week: too big a step."],
    ),
    (
        "R-22",
        "one line of two",
        revised(sides(20), sides(20, 7)),
        ["warn: Quadriceps set: repetitions from 20 to 27 a week: too big a step."],
    ),
    (
        "R-22",
        "both sides after one",
        then(sides(20), both(14)),
        ["warn: Quadriceps set: repetitions from 20 to 28 a week: too big a step."],
    ),
    (
        "R-22",
        "one side after both",
        then(both(10), sides(27)),
        ["warn: Quadriceps set: repetitions from 20 to 27 a week: too big a step."],
    ),
    (
        "R-22",
        "in a phase that was renamed",
        situation(WELL, walk(50, label="New"), before=(walk(10, label="Old"),)),
        ["warn: Aerobic minutes from 50 to 250 a week: too big a step."],
    ),
    (
        "R-22",
        "in a second phase that was renamed",
        situation(WELL, EASY, walk(50, label="New"), before=(EASY, walk(10, label="Old"))),
        ["warn: Aerobic minutes from 50 to 250 a week: too big a step."],
    ),
    (
        "R-22",
        "in a phase that moved",
        situation(WELL, STILL, walk(50, label="Walks"), before=(walk(10, label="Walks"), STILL)),
        ["warn: Aerobic minutes from 50 to 250 a week: too big a step."],
    ),
    (
        "R-22",
        "131 repetitions after 100",
        then(times(100), times(131)),
        ["warn: Gluteal set: repetitions from 100 to 131 a week: too big a step."],
    ),
    (
        "R-22",
        "three repetitions after two",
        then(times(2), times(3)),
        ["warn: Gluteal set: repetitions from 2 to 3 a week: too big a step."],
    ),
    (
        "R-22",
        "161 repetitions after two weeks",
        then(times(100), times(161), weeks=2),
        ["warn: Gluteal set: repetitions from 100 to 161 a week: too big a step."],
    ),
    (
        "R-22",
        "221 repetitions in a phase that runs on",
        then(times(100), times(221), weeks=None),
        ["warn: Gluteal set: repetitions from 100 to 221 a week: too big a step."],
    ),
    (
        "R-23",
        "pain of 6",
        revised(EASY, HARDER, logs=felt(6, 2, 2)),
        ["warn: Hold the level: pain 6 of 10 within the last 3 sessions."],
    ),
    (
        "R-23",
        "pain up by 2",
        revised(EASY, HARDER, logs=felt(2, 1, 4)),
        ["warn: Hold the level: pain rose from 2 to 4."],
    ),
    (
        "R-23",
        "it made the symptoms worse",
        revised(EASY, HARDER, logs=(*WORSE, *felt(0, 0))),
        ["warn: Hold the level: it made the symptoms worse."],
    ),
    (
        "R-23",
        "harder in a phase that was renamed",
        revised(EASY, replace(HARDER, label="New"), logs=felt(9)),
        ["warn: Hold the level: pain 9 of 10 within the last 3 sessions."],
    ),
    (
        "R-23",
        "harder in one phase of two",
        situation(WELL, STILL, HARDER, before=(STILL, EASY), logs=felt(9)),
        ["warn: Hold the level: pain 9 of 10 within the last 3 sessions."],
    ),
    (
        "R-23",
        "twice not settled",
        revised(EASY, HARDER, logs=settled(False, None, False)),
        ["warn: Hold the level: the pain had not settled by the next morning."],
    ),
    (
        "R-23",
        "spreading down the leg",
        revised(EASY, HARDER, a_patient("sciatica"), logs=SPREAD),
        ["warn: Hold the level: the pain moved away from the spine."],
    ),
    (
        "R-29",
        "no side",
        situation(WELL, phase(replace(item("quad-set"), side=None))),
        ["block: Quadriceps set: which side?"],
    ),
    (
        "R-30",
        "no amount",
        situation(WELL, incomplete(days_per_week=3)),
        ["block: Gluteal set: dosage incomplete, say how much."],
    ),
    (
        "R-30",
        "sets without repetitions",
        situation(WELL, incomplete(sets=3, days_per_week=3)),
        ["block: Gluteal set: dosage incomplete, say how much."],
    ),
    (
        "R-30",
        "repetitions without sets",
        situation(WELL, incomplete(reps=3, days_per_week=3)),
        ["block: Gluteal set: dosage incomplete, say how much."],
    ),
    (
        "R-30",
        "no frequency",
        situation(WELL, incomplete(sets=3, reps=10)),
        ["block: Gluteal set: dosage incomplete, say how often."],
    ),
    (
        "R-30",
        "two frequencies",
        situation(WELL, incomplete(hold_seconds=10, days_per_week=3, every_n_days=2)),
        ["block: Gluteal set: dosage incomplete, say how often."],
    ),
    (
        "R-31",
        "held for 9 s",
        situation(WELL, hold(9)),
        ["info: Wall calf stretch, straight knee: hold of 9 s; 10 to 60 s is usual."],
    ),
    (
        "R-31",
        "held for 61 s",
        situation(WELL, hold(61)),
        ["info: Wall calf stretch, straight knee: hold of 61 s; 10 to 60 s is usual."],
    ),
    (
        "R-31",
        "held for 29 s at 65",
        situation(OLD, hold(29)),
        ["info: Wall calf stretch, straight knee: hold of 29 s; 30 to 60 s is usual."],
    ),
    (
        "R-32",
        "five repetitions",
        situation(WELL, times(5)),
        ["info: Gluteal set: 5 repetitions; 6 to 20 is usual."],
    ),
    (
        "R-32",
        "21 repetitions",
        situation(WELL, times(21)),
        ["info: Gluteal set: 21 repetitions; 6 to 20 is usual."],
    ),
    (
        "R-34",
        "no pool",
        situation(owning(), phase("pool-squat")),
        ["warn: Pool squat: the patient has no pool; swap for mini squat at counter."],
    ),
    (
        "R-34",
        "no band",
        situation(owning(), phase("clamshell-band")),
        ["warn: Banded clamshell: the patient has no loop band; swap for bridge with march."],
    ),
    ("R-34", "never asked", situation(a_patient(equipment=None), phase("pool-squat", "band-row")), [ASK]),
    (
        "R-42",
        "an item and what it comes from",
        situation(WELL, phase("glute-bridge", "bridge-march")),
        ["info: Bridge with march is the next step after glute bridge: replace rather than add."],
    ),
    (
        "R-43",
        "four frequencies",
        situation(WELL, phase(*(item("glute-set", sets=1, reps=9, days_per_week=n) for n in (1, 2, 3, 4)))),
        [FASTER],
    ),
    (
        "R-43",
        "four items three times a day",
        situation(WELL, phase(*(item(slug, **DAILY, sessions_per_day=3) for slug in LIST[:4]))),
        [FASTER],
    ),
    (
        "R-44",
        "no goal",
        situation(WELL, phase(item("glute-set", goal=None))),
        ["info: Gluteal set: tell the patient what it is for."],
    ),
    (
        "R-44",
        "an empty goal",
        situation(WELL, phase(item("glute-set", goal=""))),
        ["info: Gluteal set: tell the patient what it is for."],
    ),
    (
        "R-22",
        "a phase renamed and moved",
        situation(WELL, STILL, walk(50, label="New"), before=(walk(10, label="Old"), STILL)),
        ["warn: Aerobic minutes from 50 to 250 a week: too big a step."],
    ),
    (
        "R-23",
        "a phase renamed and moved",
        situation(WELL, STILL, replace(HARDER, label="New"), before=(replace(EASY, label="Old"), STILL), logs=felt(9)),
        ["warn: Hold the level: pain 9 of 10 within the last 3 sessions."],
    ),
]
NEAR_MISSES: NearMisses = [
    ("R-14", "four items in the first days", situation(WELL, a_list(4))),
    ("R-14", "six items from day 15", situation(WELL, a_list(6, from_day=15))),
    (
        "R-14",
        "eight items, four a day",
        situation(
            WELL,
            phase(
                *(item(slug, sets=1, reps=10, weekdays=MON_WED_FRI) for slug in LIST[:4]),
                *(item(slug, sets=1, reps=10, weekdays=TUE_THU_SAT) for slug in LIST[4:8]),
            ),
        ),
    ),
    (
        "R-14",
        "nine items as needed",
        situation(WELL, phase(*(item(s, sets=1, reps=10, as_needed_max_per_day=3) for s in LIST))),
    ),
    (
        "R-14",
        "eight items, four a day if half of them wait for the empty days",
        situation(
            WELL,
            phase(
                *(item(slug, sets=1, reps=10, weekdays=MON_WED_FRI) for slug in LIST[:4]),
                *(item(slug, sets=1, reps=10, days_per_week=3) for slug in LIST[4:8]),
            ),
        ),
    ),
    ("R-15", "30 minutes", situation(WELL, sitting(30))),
    ("R-15", "30 minutes to a tenth", situation(WELL, sitting(30.04))),
    ("R-15", "as long as the patient has", situation(a_patient(minutes_available=10), sitting(10))),
    ("R-15", "an hour of walking", situation(WELL, sitting(60, "walk-easy"))),
    ("R-21", "one level", situation(WELL, phase("step-up"), done_lately=frozenset({"sit-to-stand"}))),
    (
        "R-21",
        "two levels, the step between done too",
        situation(WELL, phase("lateral-step-down"), done_lately=frozenset({"sit-to-stand", "step-up"})),
    ),
    (
        "R-21",
        "done already",
        situation(WELL, phase("lateral-step-down"), done_lately=frozenset({"sit-to-stand", "lateral-step-down"})),
    ),
    ("R-21", "nothing known", situation(WELL, phase("lateral-step-down"))),
    (
        "R-21",
        "two levels above another chain",
        situation(WELL, phase("lateral-step-down"), done_lately=frozenset({"heel-raise"})),
    ),
    ("R-21", "done in another catalogue", situation(WELL, phase("step-up"), done_lately=frozenset({"squat-of-2031"}))),
    (
        "R-21",
        "done already, no longer in the catalogue",
        replace(situation(WELL, phase("step-up"), done_lately=frozenset({"step-up"})), catalogue={}),
    ),
    (
        "R-21",
        "done already and no longer in the catalogue, what it came from is",
        replace(
            situation(WELL, phase("lateral-step-down"), done_lately=frozenset({"sit-to-stand", "lateral-step-down"})),
            catalogue={slug: one for slug, one in catalogue().items() if slug != "lateral-step-down"},
        ),
    ),
    ("R-21", "in one phase", situation(WELL, phase("sit-to-stand", "lateral-step-down"))),
    ("R-22", "20 % and 6 minutes", then(walk(30), walk(36))),
    ("R-22", "25 % and 5 minutes", then(walk(20), walk(25))),
    ("R-22", "25 % and 5 minutes in a revision", revised(walk(20), walk(25))),
    ("R-22", "25 % and 5 minutes in half a week", then(walk(20), walk(25), weeks=0)),
    ("R-22", "the shorter of two", then(two_aerobic(20, 5), two_aerobic(20, 11))),
    ("R-22", "much else", then(walk(10), phase(*walk(13).items, *sitting(30).items))),
    ("R-22", "less", then(walk(30), walk(10))),
    ("R-22", "five minutes a week", then(walk(20), walk(30), weeks=2)),
    ("R-22", "the first walks", then(times(10), walk(30))),
    ("R-22", "five minutes a week in a phase that runs on", then(walk(20), walk(40), weeks=None)),
    ("R-22", "350 metres more", then(distance(1400), distance(1750))),
    ("R-22", "metres for minutes", then(walk(20), distance(1750))),
    ("R-22", "minutes for metres", revised(distance(1400), walk(25))),
    ("R-22", "a distance that is no aerobic work", then(carry(100), carry(900))),
    ("R-22", "left and right together no more than 30 %", then(sides(10, 10), sides(20, 6))),
    ("R-22", "one line instead of two", then(sides(10, 10), sides(26))),
    ("R-22", "the second line held", then(sides(20), phase(*sides(20).items, held(9)))),
    ("R-22", "130 repetitions after 100", then(times(100), times(130))),
    ("R-22", "160 repetitions after two weeks", then(times(100), times(160), weeks=2)),
    ("R-22", "220 repetitions in a phase that runs on", then(times(100), times(220), weeks=None)),
    ("R-22", "one repetition, held", then(times(1), times(1, sets=9, hold_seconds=5))),
    ("R-22", "minutes first", then(times(None, duration_minutes=5), times(90))),
    ("R-22", "repetitions first", then(times(90), times(None, sets=20, hold_seconds=5, days_per_week=7))),
    ("R-22", "another exercise", then(times(10), phase(item("quad-set", sets=9, reps=20, days_per_week=7)))),
    ("R-22", "one line for both sides instead of two", then(sides(10, 10), both(10))),
    ("R-22", "both sides no more than 30 % after one", then(sides(20), both(13))),
    ("R-22", "in a phase that was not there", situation(WELL, EASY, walk(50, label="New"), before=(EASY,))),
    ("R-22", "a phase beside what there was", situation(WELL, STILL, walk(50, label="New"), before=(STILL,))),
    ("R-23", "worse before the last three", revised(EASY, HARDER, logs=(*WORSE, *felt(0, 0, 0)))),
    ("R-23", "worse, no harder", revised(HARDER, HARDER, logs=WORSE)),
    ("R-23", "pain of 5", revised(EASY, HARDER, logs=felt(5, 5, 5))),
    ("R-23", "pain up by 1", revised(EASY, HARDER, logs=felt(2, 1, 3))),
    ("R-23", "pain of 6 before the last three", revised(EASY, HARDER, logs=felt(6, 2, 2, 2))),
    ("R-23", "once not settled", revised(EASY, HARDER, logs=settled(False, True, None))),
    ("R-23", "spreading, no nerve pain", revised(EASY, HARDER, a_patient("chronic-lbp"), logs=SPREAD)),
    ("R-23", "no harder", revised(HARDER, HARDER, logs=felt(9, 9, 9))),
    ("R-23", "without the easiest", revised(phase("glute-set", "step-up"), phase("step-up"), logs=felt(9))),
    ("R-23", "easier", revised(HARDER, EASY, logs=felt(9, 9, 9))),
    ("R-23", "a first plan", situation(WELL, HARDER, logs=felt(9, 9, 9))),
    ("R-23", "no logs", revised(EASY, HARDER)),
    ("R-29", "a side", situation(WELL, phase(item("quad-set", side=Side.LEFT)))),
    ("R-29", "both at once", situation(WELL, phase(replace(item("glute-set"), side=None)))),
    *(
        ("R-30", f"only {' and '.join(amount)}", situation(WELL, incomplete(**amount, days_per_week=3)))
        for amount in (
            {"sets": 2, "reps": 10},
            {"hold_seconds": 10},
            {"duration_minutes": 5},
            {"distance_m": 50},
        )
    ),
    *(
        ("R-30", f"by {' and '.join(often)}", situation(WELL, incomplete(hold_seconds=10, **often)))
        for often in (
            {"weekdays": (0,)},
            {"every_n_days": 2},
            {"as_needed_max_per_day": 3},
        )
    ),
    ("R-31", "held for 10 s", situation(WELL, hold(10))),
    ("R-31", "held for 60 s", situation(OLD, hold(60))),
    ("R-31", "held for 30 s at 65", situation(OLD, hold(30))),
    ("R-31", "held for 29 s at 64", situation(a_patient(age=64), hold(29))),
    ("R-31", "held for 29 s at any age", situation(a_patient(age=None), hold(29))),
    ("R-31", "no hold", situation(WELL, hold(None))),
    ("R-31", "range of motion held for 3 s", situation(WELL, hold(3, "lower-trunk-rotation"))),
    (
        "R-31",
        "held still for 90 s, and no stretch",
        situation(WELL, phase(replace(hold(90).items[0], exercise=STILL_CORE))),
    ),
    ("R-31", "a plank held for 90 s", situation(WELL, hold(90, "wall-plank"))),
    ("R-32", "six repetitions", situation(WELL, times(6))),
    ("R-32", "20 repetitions", situation(WELL, times(20))),
    ("R-32", "five long holds", situation(WELL, times(5, hold_seconds=10))),
    ("R-32", "one bout of minutes", situation(WELL, times(1, duration_minutes=3))),
    ("R-32", "a hold without repetitions", situation(WELL, times(None))),
    (
        "R-32",
        "30 bends of the knee in a stretch",
        situation(WELL, phase(item("tendon-glides", **DAILY | {"reps": 30}))),
    ),
    ("R-34", "what every home has", situation(owning(), phase("sit-to-stand", "glute-set"))),
    ("R-34", "what the patient has", situation(owning("pool"), phase("pool-squat"))),
    ("R-34", "one of two that will do", situation(owning("balance_machine"), phase("balance-board-rock"))),
    ("R-34", "nothing to get, never asked", situation(a_patient(equipment=None), phase("sit-to-stand"))),
    ("R-42", "two steps apart", situation(WELL, phase("sit-to-stand", "step-up"))),
    ("R-42", "in the next phase", situation(WELL, EASY, phase("sit-to-stand-no-hands", number=2))),
    (
        "R-43",
        "three frequencies",
        situation(WELL, phase(*(item("glute-set", sets=1, reps=9, days_per_week=n) for n in (1, 2, 2, 4)))),
    ),
    (
        "R-43",
        "three items three times a day, one twice",
        situation(
            WELL,
            phase(
                *(item(slug, **DAILY, sessions_per_day=3) for slug in LIST[:3]),
                *(item(slug, **DAILY, sessions_per_day=2) for slug in LIST[3:9]),
            ),
        ),
    ),
    ("R-44", "a goal", situation(WELL, phase("glute-set"))),
]


@pytest.mark.parametrize(("rule", "when", "s", "expected"), TRIGGERS, ids=named(TRIGGERS))
def test_it_speaks(rule: str, when: str, s: Situation, expected: list[str]) -> None:
    assert said(s, rule) == expected, when


@pytest.mark.parametrize(("rule", "when", "s"), NEAR_MISSES, ids=named(NEAR_MISSES))
def test_it_keeps_silent(rule: str, when: str, s: Situation) -> None:
    assert said(s, rule) == [], when


def of(s: Situation, rule: str) -> list[Finding]:
    return [finding for finding in check(s) if finding.rule == rule]


@pytest.mark.parametrize("code", ["sciatica", "disc-herniation", "cervical-radiculopathy", "spinal-stenosis"])
def test_nerve_pain_that_spreads_holds_whatever_its_score(code: str) -> None:
    logs = (Logged(day=ago(3), pain=0, spread=True), Logged(day=ago(2), pain=0), Logged(day=ago(1), pain=0))
    assert len(of(revised(EASY, HARDER, a_patient(code), logs=logs), "R-23")) == 1
    assert of(revised(EASY, HARDER, a_patient(code), logs=(*logs, *felt(0))), "R-23") == []


def test_worse_is_said_before_where_it_went() -> None:
    logs = (*SPREAD, *WORSE)
    assert hold_reason(logs, is_radicular=True) == "it made the symptoms worse"
    assert hold_reason(SPREAD, is_radicular=True) == "the pain moved away from the spine"


@pytest.mark.parametrize(
    ("logs", "reason"),
    [
        ((), None),
        (felt(None, None, None), None),
        (felt(None, 6), "pain 6 of 10 within the last 3 sessions"),
        (felt(7, 9, 8), "pain 9 of 10 within the last 3 sessions"),
        (felt(5, None, 3), None),
        (felt(0, None, 2), "pain rose from 0 to 2"),
        (felt(3, 5, 4), None),
        (settled(False, False), "the pain had not settled by the next morning"),
        (settled(False, False, True), "the pain had not settled by the next morning"),
        (settled(None, None, None), None),
        (WORSE, "it made the symptoms worse"),
        ((*WORSE, *felt(0, 0)), "it made the symptoms worse"),
        ((*WORSE, *felt(0, 0, 0)), None),
        ((*felt(9), *WORSE), "it made the symptoms worse"),
    ],
)
def test_what_holds_the_level(logs: tuple[Logged, ...], reason: str | None) -> None:
    assert hold_reason(logs, is_radicular=False) == reason


BEFORE = item("glute-set", sets=2, reps=10, days_per_week=3, load_kg=2.0)


def lined(slug: str, line_id: UUID | None) -> Item:
    return replace(item(slug), line_id=line_id)


@pytest.mark.parametrize(
    ("now", "is_held"),
    [
        ({}, False),
        ({"reps": 11}, True),
        ({"sets": 3}, True),
        ({"days_per_week": 4}, True),
        ({"sessions_per_day": 2}, True),
        ({"load_kg": 2.5}, True),
        ({"load_kg": 1.5}, False),
        ({"load_kg": None}, False),
        ({"load_kg": 0.0}, False),
        ({"reps": 9}, False),
        ({"hold_seconds": 5}, True),
        ({"reps": 5, "load_kg": 2.5}, True),
    ],
)
def test_what_is_harder_than_the_line_was(now: dict[str, Any], is_held: bool) -> None:
    line = replace(BEFORE, line_id=A_LINE)
    again = replace(line, dosage=replace(line.dosage, **now))
    plan = revised(phase(line, label="Then"), phase(again, label="Now"), logs=felt(9))
    assert (of(plan, "R-23") != []) is is_held


def test_a_harder_line_in_one_phase_of_two_is_progress() -> None:
    line = replace(BEFORE, line_id=A_LINE)
    more = replace(line, dosage=replace(line.dosage, reps=11))
    for after in ((STILL, phase(more, number=2)), (phase(more, label="Still"), phase(line, number=2))):
        assert len(of(situation(WELL, *after, before=(STILL, phase(line, number=2)), logs=felt(9)), "R-23")) == 1


def test_longer_is_harder_and_so_is_a_load_where_there_was_none() -> None:
    line = replace(item("walk-easy", duration_minutes=10, days_per_week=5), line_id=A_LINE)
    for but, is_harder in (
        ({"duration_minutes": 11}, True),
        ({"reps": 2}, True),
        ({"load_kg": 1.0}, True),
        ({"load_kg": 0.0}, False),
    ):
        longer = replace(line, dosage=replace(line.dosage, **but))
        assert (of(revised(phase(line), phase(longer), logs=felt(9)), "R-23") != []) is is_harder


def test_another_line_is_no_progress() -> None:
    """Lines are compared by their identity, phases by the hardest of their levels."""
    line = replace(item("glute-set"), line_id=A_LINE)
    more = replace(item("glute-set", sets=5, reps=10, days_per_week=7), line_id=ANOTHER)
    unnamed = replace(more, line_id=None)
    for other in (more, unnamed):
        assert of(revised(phase(line), phase(line, other), logs=felt(9)), "R-23") == []
        assert of(revised(phase(replace(line, line_id=None)), phase(line, other), logs=felt(9)), "R-23") == []


@pytest.mark.parametrize(
    ("slug", "is_held"),
    [
        ("step-up", True),
        ("bird-dog", True),
        ("lateral-step-down", True),
        ("mini-squat-counter", False),
        ("glute-set", False),
    ],
)
def test_something_new_is_progress_if_it_is_as_hard_as_all_there_was(slug: str, *, is_held: bool) -> None:
    was = phase(lined("step-up", A_LINE), lined("heel-raise", UUID(int=3)))
    assert max(one.exercise.level for one in was.items) == catalogue()["bird-dog"].level == 2
    for line_id in (ANOTHER, None):
        now = phase(*was.items, lined(slug, line_id))
        assert (of(revised(was, now, logs=felt(9)), "R-23") != []) is is_held
        only = phase(lined(slug, line_id))
        assert (of(revised(was, only, logs=felt(9)), "R-23") != []) is is_held
    assert of(revised(was, was, logs=felt(9)), "R-23") == []


def test_something_new_and_easier_than_the_hardest_is_no_progress() -> None:
    was = phase(lined("lateral-step-down", A_LINE))
    for slug, is_held in (("step-up", False), ("bird-dog", False), ("front-plank", True)):
        now = phase(*was.items, lined(slug, ANOTHER))
        assert (of(revised(was, now, logs=felt(9)), "R-23") != []) is is_held


def test_something_new_and_easy_is_no_progress() -> None:
    """At level 1 nothing is as hard as it gets, whatever there was."""
    was = phase(lined("heel-raise", A_LINE))
    for slug, is_held in (("sit-to-stand", False), ("glute-set", False), ("bird-dog", True)):
        now = phase(*was.items, lined(slug, ANOTHER))
        assert (of(revised(was, now, logs=felt(9)), "R-23") != []) is is_held
    flare = phase(lined("glute-set", A_LINE))
    assert of(revised(flare, phase(lined("quad-set", ANOTHER)), logs=felt(9)), "R-23") == []
    assert of(revised(flare, phase(lined("heel-raise", ANOTHER)), logs=felt(9)), "R-23")


def test_what_moves_within_the_plan_is_new_where_it_goes() -> None:
    first, second = phase(lined("bird-dog", A_LINE)), phase(lined("brace-march", ANOTHER), number=2)
    joined = situation(WELL, phase(*first.items, *second.items), before=(first, second), logs=felt(9))
    assert of(joined, "R-23")
    kept = situation(WELL, first, second, before=(first, second), logs=felt(9))
    assert of(kept, "R-23") == []


def test_a_harder_exercise_in_the_same_line_is_progress_wherever_it_stands() -> None:
    line = replace(item("sit-to-stand", **DAILY), line_id=A_LINE)
    harder = replace(item("step-up", side=Side.LEFT, **DAILY), line_id=A_LINE)
    plan = situation(WELL, phase(harder, label="New"), before=(phase("plank-shoulder-tap"), phase(line, number=2)))
    assert of(replace(plan, logs=felt(9)), "R-23")


def test_a_new_phase_is_no_progress_by_itself() -> None:
    plan = situation(WELL, EASY, phase(replace(item("step-up"), line_id=ANOTHER), number=2), before=(EASY,))
    assert of(replace(plan, logs=felt(9)), "R-23") == []


def test_an_empty_phase_asks_for_nothing() -> None:
    assert of(revised(phase(), phase("glute-set"), logs=felt(9)), "R-23") == []
    assert len(of(revised(phase(), phase("sit-to-stand"), logs=felt(9)), "R-23")) == 1


def test_the_steps_between_are_suggested() -> None:
    (jump,) = of(situation(WELL, phase("lateral-step-down"), done_lately=frozenset({"sit-to-stand"})), "R-21")
    assert (jump.key, jump.suggestions) == ("R-21/lateral-step-down", ("sit-to-stand-no-hands", "step-up"))
    (direct,) = of(
        situation(WELL, phase("butterfly-stretch"), done_lately=frozenset({"bed-hip-bent-knee-openings"})), "R-21"
    )
    assert direct.suggestions == ()
    for done, slug, between in (
        ({"seated-march"}, "walk-brisk", ("walk-easy",)),
        ({"feet-together-stance", "single-leg-stance-supported"}, "single-leg-eyes-closed", ("single-leg-stance",)),
    ):
        (jump,) = of(situation(WELL, phase(slug), done_lately=frozenset(done)), "R-21")
        assert jump.suggestions == between


def test_swaps_are_suggested_for_what_is_missing() -> None:
    (pool,) = of(situation(owning(), phase("pool-squat")), "R-34")
    assert pool.key == "R-34/pool-squat"
    assert len(pool.suggestions) == 3
    for slug in pool.suggestions:
        assert not catalogue()[slug].missing(frozenset())
    alone = replace(situation(owning(), phase("balance-board-rock")), catalogue={})
    (board,) = of(alone, "R-34")
    assert (board.message, board.suggestions) == (
        "Balance-board rocking: the patient has no balance board or balance machine.",
        (),
    )


def test_the_steps_between_are_named_in_order() -> None:
    plank = catalogue()["wall-plank"]
    slugs = ("a-start", *(f"{letter}-step" for letter in "gcebfd"), "z-end")
    made = {
        slug: replace(plank, slug=slug, name=slug.title(), level=level, progression_of=before)
        for slug, level, before in zip(slugs, (0, 1, 1, 1, 1, 1, 1, 2), (None, *slugs), strict=False)
    }
    s = situation(WELL, phase(replace(item("wall-plank"), exercise=made["z-end"])), done_lately=frozenset({"a-start"}))
    (jump,) = of(replace(s, catalogue=made), "R-21")
    assert jump.suggestions == tuple(f"{letter}-step" for letter in "bcdefg")
    assert jump.message == "Z-End: jump of two levels; insert b-step."


def test_things_that_would_do_are_named_in_order_wherever_they_stand() -> None:
    things = ("anchor_bar", "bench", "cane", "dowel", "elastic", "foam")
    rare = replace(catalogue()["wall-plank"], needs=(frozenset(things),))
    plan = phase("sit-to-stand", replace(item("wall-plank"), exercise=rare))
    (told,) = of(replace(situation(owning(), plan), catalogue={}), "R-34")
    assert told.message == "Wall plank: the patient has no anchor bar or bench or cane or dowel or elastic or foam."


def test_everything_missing_is_named() -> None:
    (none,) = of(replace(situation(owning(), phase("pool-noodle-plank")), catalogue={}), "R-34")
    assert none.message.endswith(": the patient has no pool, noodle.")


def test_equipment_is_asked_for_once() -> None:
    (ask,) = of(situation(a_patient(equipment=None), phase("pool-squat"), flare=phase("pool-jog")), "R-34")
    assert (ask.key, ask.severity, ask.exercise) == ("R-34/ask", "info", None)
    both = of(situation(owning(*(ALL_EQUIPMENT - {"pool", "band"})), phase("pool-squat", "band-row")), "R-34")
    assert [one.exercise for one in both] == ["band-row", "pool-squat"]


def test_a_side_and_a_dosage_are_final() -> None:
    plan = phase(replace(item("quad-set"), side=None, dosage=dosage(days_per_week=None)))
    for s in (situation(WELL, plan), situation(WELL, flare=plan)):
        told = [(one.key, one.severity, one.final) for one in check(s) if one.rule in {"R-29", "R-30"}]
        assert told == [("R-29/quad-set", "block", True), ("R-30/quad-set", "block", True)]


def test_findings_name_their_line_and_phase() -> None:
    def lined(slug: str, **but: Any) -> Item:
        return replace(item(slug, **but), line_id=A_LINE, side=None, goal=None)

    plan = situation(
        OLD,
        phase(lined("quad-set", sets=1, reps=30, days_per_week=7)),
        phase(lined("calf-stretch-wall", hold_seconds=5, days_per_week=7), number=2),
    )
    told = {one.key: (one.phases, one.line_ids) for one in check(plan)}
    for key in ("R-29/quad-set", "R-32/quad-set", "R-44/quad-set"):
        assert told[key] == (("Phase 1",), (A_LINE,))
    for key in ("R-29/calf-stretch-wall", "R-31/calf-stretch-wall", "R-44/calf-stretch-wall"):
        assert told[key] == (("Phase 2",), (A_LINE,))


def test_long_days_are_told_for_their_phase() -> None:
    for rule, plan in (
        ("R-14", situation(WELL, a_list(3), a_list(7, number=2))),
        ("R-14", situation(WELL, a_list(3), a_list(9, number=2))),
        ("R-14", situation(WELL, a_list(3), a_list(5, number=2))),
        ("R-15", situation(WELL, phase("glute-set"), replace(sitting(40), label="Phase 2"))),
        ("R-22", then(walk(10), walk(60))),
    ):
        (long,) = of(plan, rule)
        assert long.phases == ("Phase 2",)
    (busy,) = of(then(EASY, phase(*(item("glute-set", sets=1, reps=9, days_per_week=n) for n in (1, 2, 3, 4)))), "R-43")
    assert busy.phases == ("Phase 2",)


def test_repetitions_of_left_and_right_are_one_finding_with_both_lines() -> None:
    left, right = (replace(one, line_id=line) for one, line in zip(sides(20, 20).items, (A_LINE, ANOTHER), strict=True))
    (told,) = of(then(sides(5, 5), phase(left, right, replace(held(9), line_id=UUID(int=9)))), "R-22")
    assert (told.key, told.line_ids) == ("R-22/quad-set", (A_LINE, ANOTHER))
    assert told.message == "Quadriceps set: repetitions from 10 to 40 a week: too big a step."


def test_the_longest_bout_counts_in_minutes_or_metres() -> None:
    """Walks of 20 minutes more often are no step; one of them longer is, in whatever it is said."""
    more = then(walk(20, days=3), walk(20, days=7))
    longer = then(walk(20), phase(*walk(20, days=4).items, *distance(1820, days_per_week=1).items))
    both = then(walk(20), phase(*walk(20).items, *distance(1820, days_per_week=1).items))
    assert (of(more, "R-22"), of(longer, "R-22")) == ([], [])
    (told,) = of(both, "R-22")
    assert told.message == "Aerobic minutes from 100 to 126 a week: too big a step."


def test_minutes_and_repetitions_are_told_apart() -> None:
    plan = then(
        phase(*walk(10).items, *times(10).items),
        phase(*walk(60).items, *times(90).items),
    )
    assert {one.key for one in of(plan, "R-22")} == {"R-22/aerobic", "R-22/glute-set"}
