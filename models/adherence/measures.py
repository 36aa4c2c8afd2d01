"""Outcome measures: what can be asked or tested, and which change in it matters.

Sources: clinical content 7.1 and 7.3 and the engine study, section 5. MIC08: Ostelo et al. 2008 (minimum important
change in back pain); Stratford et al. 1995 (patient-specific function); SBST: Hill et al. 2008 (STarT Back); EARSBR:
the Brazilian version of the Exercise Adherence Rating Scale; RECUR19: da Silva et al. 2019 (recurrence). Items of
licensed questionnaires are not here: of those only the score is kept. Not signed off by a clinician.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

PAIN_SEVERE = 8
"""Pain of a week, average or worst, that a therapist hears of at once.

During exercise 6 is too much (`kinds.PAIN_HIGH`): the exercise brought it, and it can be changed. A week with
chronic pain may average 6 and be no news. 8 and more is what scales of 0-10 commonly call severe. Where the line lies
is a design choice; not signed off by a clinician.
"""
MUCH_WORSE = -4
"""Global change (-5 to 5) that a therapist hears of at once: its last two steps. A design choice too."""


class Wanted(StrEnum):
    """Which way a score gets better."""

    LOWER = "lower"
    HIGHER = "higher"


class Moment(StrEnum):
    """When a measure is taken."""

    BASELINE = "baseline"
    WEEKLY = "weekly"
    WEEK_4 = "week_4"
    DISCHARGE = "discharge"
    CHECK_IN = "check_in"


class Direction(StrEnum):
    """What a change comes to."""

    BETTER = "better"
    WORSE = "worse"
    NO_CHANGE_THAT_MATTERS = "no_change_that_matters"
    UNKNOWN = "unknown"
    """There is nothing to compare, or nobody knows which change matters."""


class Risk(StrEnum):
    """The risk that back pain persists (SBST)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One outcome measure."""

    code: str
    name: str
    lowest: float
    highest: float
    unit: str
    """What one point is."""
    whole: bool = True
    """Whether scores are whole numbers."""
    wanted: Wanted
    points: float | None = None
    """The change that matters, in points."""
    percent: float | None = None
    """The change that matters, in percent of the baseline."""
    source: str | None = None
    """Who says that it matters."""
    taken: tuple[Moment, ...]
    question: str | None = None
    """As a patient reads it; only where the words are our own."""
    licence: str
    score_only: bool = False
    """The items are licensed: a clinic enters the score of its own form."""
    by_patient: bool = True
    """Whether a patient may report it."""


MIC08, PSFS95, EARSBR = "MIC08 (Ostelo 2008)", "Stratford 1995, MDC90", "EARSBR"
OWN, FREE = "Own item.", "Free."
_GENERIC = "A generic 0-10 scale, free."
_CLINIC = (Moment.BASELINE, Moment.DISCHARGE)
_OFTEN = (Moment.BASELINE, Moment.WEEKLY, Moment.CHECK_IN)
_COURSE = (Moment.BASELINE, Moment.WEEK_4, Moment.DISCHARGE, Moment.CHECK_IN)

MEASURES = {
    measure.code: measure
    for measure in (
        Measure(
            code="pain",
            name="Pain, average of the last week",
            lowest=0,
            highest=10,
            unit="points",
            wanted=Wanted.LOWER,
            points=2,
            percent=30,
            source=MIC08,
            taken=_OFTEN,
            question="How much pain did you have on average over the last 7 days?"
            " 0 is none, 10 the worst you can imagine.",
            licence=_GENERIC,
        ),
        Measure(
            code="pain_worst",
            name="Pain, worst of the last week",
            lowest=0,
            highest=10,
            unit="points",
            wanted=Wanted.LOWER,
            points=2,
            percent=30,
            source=MIC08,
            taken=_OFTEN,
            question="How bad was the pain at its worst in the last 7 days?",
            licence=_GENERIC,
        ),
        Measure(
            code="psfs",
            name="Patient-specific function, mean of 3 to 5 own activities",
            lowest=0,
            highest=10,
            unit="points",
            whole=False,
            wanted=Wanted.HIGHER,
            points=2,
            source=PSFS95,
            taken=_COURSE,
            question="Name up to five things that your trouble makes hard, three at best. How well can you do each"
            " today? 0 is not at all, 10 as well as before.",
            licence="Listed as free; to be confirmed. Stratford et al. 1995.",
        ),
        Measure(
            code="activity",
            name="Own activities, fewer than 3",
            lowest=0,
            highest=10,
            unit="points",
            whole=False,
            wanted=Wanted.HIGHER,
            points=3,
            source=f"{PSFS95}, a single activity",
            taken=(Moment.WEEKLY,),
            question="Take one thing that your trouble makes hard. How well can you do it today?"
            " 0 is not at all, 10 as well as before.",
            licence="Listed as free; to be confirmed. Stratford et al. 1995.",
        ),
        Measure(
            code="rmdq",
            name="Roland-Morris disability questionnaire",
            lowest=0,
            highest=24,
            unit="points",
            wanted=Wanted.LOWER,
            points=5,
            percent=30,
            source=MIC08,
            taken=_COURSE,
            licence="No permission needed for the published form; its items are not here.",
            score_only=True,
            by_patient=False,
        ),
        Measure(
            code="odi",
            name="Oswestry disability index",
            lowest=0,
            highest=100,
            unit="points",
            whole=False,
            wanted=Wanted.LOWER,
            points=10,
            percent=30,
            source=MIC08,
            taken=_COURSE,
            licence="Electronic use of the items is licensed: enter the score of your own form.",
            score_only=True,
            by_patient=False,
        ),
        Measure(
            code="start_back",
            name="STarT Back, total",
            lowest=0,
            highest=9,
            unit="points",
            wanted=Wanted.LOWER,
            taken=(Moment.BASELINE,),
            licence="© Keele University, free for non-commercial use: enter the scores of your own form.",
            score_only=True,
            by_patient=False,
        ),
        Measure(
            code="ears",
            name="Exercise Adherence Rating Scale",
            lowest=0,
            highest=24,
            unit="points",
            wanted=Wanted.HIGHER,
            points=5.5,
            source=EARSBR,
            taken=(Moment.WEEK_4, Moment.CHECK_IN),
            licence="Ask its authors for the items: enter the score of your own form.",
            score_only=True,
            by_patient=False,
        ),
        Measure(
            code="global_change",
            name="Global rating of change",
            lowest=-5,
            highest=5,
            unit="points",
            wanted=Wanted.HIGHER,
            taken=(Moment.WEEK_4, Moment.DISCHARGE, Moment.CHECK_IN),
            question="All in all, how is it compared with when your program began?"
            " -5 is very much worse, 0 the same, 5 completely well.",
            licence=FREE,
        ),
        Measure(
            code="confidence",
            name="Confidence to keep going",
            lowest=0,
            highest=10,
            unit="points",
            wanted=Wanted.HIGHER,
            taken=(Moment.BASELINE, Moment.WEEKLY, Moment.DISCHARGE, Moment.CHECK_IN),
            question="How sure are you that you can keep going with the exercises? 0 is not at all, 10 completely.",
            licence=OWN,
        ),
        Measure(
            code="stiffness_minutes",
            name="Morning stiffness",
            lowest=0,
            highest=1440,
            unit="minutes",
            wanted=Wanted.LOWER,
            taken=(Moment.WEEKLY,),
            question="How many minutes were you stiff after getting up, on a usual morning of the last 7 days?",
            licence=OWN,
        ),
        Measure(
            code="fatigue",
            name="Fatigue",
            lowest=0,
            highest=10,
            unit="points",
            wanted=Wanted.LOWER,
            taken=(Moment.WEEKLY,),
            question="How tired were you over the last 7 days? 0 is not at all, 10 exhausted.",
            licence=OWN,
        ),
        Measure(
            code="flare_days",
            name="Days with a flare, of the last 7",
            lowest=0,
            highest=7,
            unit="days",
            wanted=Wanted.LOWER,
            taken=(Moment.WEEKLY,),
            question="On how many of the last 7 days did you have a flare?",
            licence=OWN,
        ),
        Measure(
            code="sleep",
            name="Sleep",
            lowest=0,
            highest=10,
            unit="points",
            wanted=Wanted.HIGHER,
            taken=(Moment.WEEKLY,),
            question="How well did you sleep in the last 7 days? 0 is very badly, 10 very well.",
            licence=OWN,
        ),
        Measure(
            code="stress",
            name="Stress",
            lowest=0,
            highest=10,
            unit="points",
            wanted=Wanted.LOWER,
            taken=(Moment.WEEKLY,),
            question="How stressed were you in the last 7 days? 0 is not at all, 10 as much as can be.",
            licence=OWN,
        ),
        Measure(
            code="sitting_hours",
            name="Sitting, hours a day",
            lowest=0,
            highest=24,
            unit="hours",
            whole=False,
            wanted=Wanted.LOWER,
            taken=(Moment.WEEKLY, Moment.CHECK_IN),
            question="How many hours do you sit on a usual day?",
            licence=OWN,
        ),
        Measure(
            code="days_exercised",
            name="Days exercised, of the last 7",
            lowest=0,
            highest=7,
            unit="days",
            wanted=Wanted.HIGHER,
            taken=(Moment.CHECK_IN,),
            question="On how many of the last 7 days did you exercise?",
            licence=OWN,
        ),
        *(
            Measure(
                code=code,
                name=name,
                lowest=0,
                highest=highest,
                unit=unit,
                whole=whole,
                wanted=Wanted.HIGHER,
                taken=_CLINIC,
                licence=FREE,
                by_patient=False,
            )
            for code, name, highest, unit, whole in (
                ("sit_to_stand_30s", "Sit to stand in 30 seconds", 60, "times", True),
                ("balance_stage", "4-stage balance test, stages held", 4, "stages", True),
                ("plank_seconds", "Plank hold", 600, "seconds", False),
                ("side_plank_seconds", "Side plank hold", 600, "seconds", False),
                ("walk_minutes", "Usual walk", 600, "minutes", False),
            )
        ),
    )
}

PSYCHOSOCIAL_ITEMS = 5
"""Of the nine items of STarT Back: the last five (SBST)."""
MOST_ACTIVITIES, FEWEST_FOR_PSFS = 5, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One value of one measure."""

    code: str
    value: float
    parts: Mapping[str, Any] | None = None
    """What it was made of: the activities, the psychosocial subscale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The scores from which on a change from the baseline matters; None where the scale ends before."""

    better_at: float | None
    worse_at: float | None


def wrong(code: str, value: float) -> str | None:
    """What is wrong with a score, as a sentence."""
    measure = MEASURES[code]
    if not measure.lowest <= value <= measure.highest:
        return f"{measure.name}: say a number from {measure.lowest:g} to {measure.highest:g}."
    if measure.whole and value != round(value):
        return f"{measure.name}: say a whole number."
    return None


def bounds(measure: Measure, baseline: float) -> Bounds:
    """From which score on a change from `baseline` matters.

    "2 points or 30 %" gives two thresholds, and the literature does not say which wins. Here *better* takes the larger
    of the two: one point off a pain of 3 is a third of it, but well within what a scale wavers by itself, and of a pain
    of 9 two points are little. *Worse* takes the points alone: the percentage was found for improvement, and a
    worsening overlooked costs more than one noticed too early.
    """
    if measure.points is None:
        return Bounds(better_at=None, worse_at=None)
    sign = 1 if measure.wanted is Wanted.HIGHER else -1
    gain = max(measure.points, (measure.percent or 0) / 100 * abs(baseline))
    better, worse = (round(at, 6) for at in (baseline + sign * gain, baseline - sign * measure.points))
    return Bounds(
        better_at=better if measure.lowest <= better <= measure.highest else None,
        worse_at=worse if measure.lowest <= worse <= measure.highest else None,
    )


def direction(measure: Measure, baseline: float | None, latest: float | None) -> Direction:
    """Whether the change from `baseline` to `latest` matters, and which way it goes."""
    if baseline is None or latest is None or measure.points is None:
        return Direction.UNKNOWN
    found = bounds(measure, baseline)
    sign = 1 if measure.wanted is Wanted.HIGHER else -1
    # Means of activities are thirds: compared as they are rounded, so that 4 1/3 → 6 1/3 is two points.
    now = round(sign * latest, 6)
    if found.better_at is not None and now >= sign * found.better_at:
        return Direction.BETTER
    if found.worse_at is not None and now <= sign * found.worse_at:
        return Direction.WORSE
    return Direction.NO_CHANGE_THAT_MATTERS


def sentence(measure: Measure, baseline: float | None, latest: float | None) -> str | None:
    """The change in plain words. "Better" is said only of a change that matters."""
    if baseline is None or latest is None:
        return None
    went = f"{measure.name}: from {_told(baseline)} to {_told(latest)} {measure.unit}"
    match direction(measure, baseline, latest):
        case Direction.BETTER:
            return f"{went}; better, and by enough to matter."
        case Direction.WORSE:
            return f"{went}; worse, and by enough to matter."
        case Direction.NO_CHANGE_THAT_MATTERS:
            return f"{went}; no change that matters."
        case Direction.UNKNOWN:
            return f"{went}."


def risk(total: float, psychosocial: float) -> Risk:
    """The STarT Back group: 3 or less in all is low; else 4 or 5 psychosocial is high (SBST)."""
    if total <= 3:
        return Risk.LOW
    return Risk.HIGH if psychosocial >= 4 else Risk.MEDIUM


def function_of(activities: Sequence[Mapping[str, Any]]) -> Score:
    """The mean of own activities, each {activity, score}. Of fewer than three it is less certain: another measure."""
    scores = [one["score"] for one in activities]
    code = "psfs" if len(scores) >= FEWEST_FOR_PSFS else "activity"
    return Score(code=code, value=sum(scores) / len(scores), parts={"activities": list(activities)})


def scores_of(answers: Mapping[str, Any]) -> Iterator[Score]:
    """Every number among the answers of a week or a check-in."""
    for name, said in answers.items():
        if name in MEASURES:
            yield Score(code=name, value=float(said))
    if answers.get("function"):
        yield function_of(answers["function"])


def examined(findings: Mapping[str, Any]) -> Iterator[Score]:
    """The scores in an examination: pain, function, confidence, and tests as they are known here."""
    named = {"pain": findings["pain"], "psfs": findings["function"], "confidence": findings["confidence"]}
    tests = {code: value for code, value in findings["tests"].items() if code in MEASURES and code not in named}
    for code, value in (named | tests).items():
        if isinstance(value, int | float) and not isinstance(value, bool) and wrong(code, value) is None:
            yield Score(code=code, value=float(value))


def _told(score: float) -> str:
    return f"{round(score, 1):g}"
