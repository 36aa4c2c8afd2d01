"""Check-ins, weekly questions and measures as they are said on the wire."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from api.schemas.sessions import BaseVersion, Ext
from api.schemas.words import Answer, Code, Day, Flagged, Line, Note, Reference, Said, Score, number, whole
from models.adherence.measures import MEASURES, MOST_ACTIVITIES, PSYCHOSOCIAL_ITEMS, Direction, Moment, Risk, Wanted
from models.adherence.questions import CHECK_IN, AnswerKind, weekly
from models.operations.measures import Answered, Answers, Due, MeasurementDraft, Point, Series, risk_of
from models.operations.sessions import Outcome
from models.tables import CheckIn, Measurement, Source, TakenFrom, WeeklyAnswer


def _within(code: str) -> Any:
    """The constraints of a measure's scores."""
    measure = MEASURES[code]
    return (whole if measure.whole else number)(int(measure.lowest), int(measure.highest))


class ActivityIn(Said):
    """One of the patient's own activities."""

    activity: Line = Field(examples=["Carry my daughter"])
    score: Score = Field(description="How well, 0-10, 10 as before.")


Activities = Annotated[list[ActivityIn], Field(max_length=MOST_ACTIVITIES)]


class _AnswersIn(Said):
    base_version: BaseVersion | None = Field(
        default=None, description="The version of the answers these change; left out, they are said for the first time."
    )

    def as_answers(self) -> Answers:
        return Answers(**self.model_dump(exclude={"base_version"}))


class WeekIn(_AnswersIn):
    """Answers to the weekly questions; leave out what is not answered. The questions: `GET /v1/me/check-ins`."""

    pain: Annotated[int, _within("pain")] | None = Field(default=None, description="Average of the last week, 0-10.")
    function: Activities = Field(default=[], description="One or more own activities.")
    sleep: Annotated[int, _within("sleep")] | None = Field(default=None, description="0-10, 10 very well.")
    stress: Annotated[int, _within("stress")] | None = Field(default=None, description="0-10, 10 as much as can be.")
    sitting_hours: Annotated[float, _within("sitting_hours")] | None = Field(default=None, description="A usual day's.")
    confidence: Annotated[int, _within("confidence")] | None = Field(default=None, description="To keep going, 0-10.")
    stiffness_minutes: Annotated[int, _within("stiffness_minutes")] | None = Field(
        default=None, description="On a usual morning."
    )
    fatigue: Annotated[int, _within("fatigue")] | None = Field(default=None, description="0-10, 10 exhausted.")
    flare_days: Annotated[int, _within("flare_days")] | None = Field(default=None, description="Of the last 7.")
    chips: Annotated[list[Code], Field(max_length=30)] = Field(
        default=[], description="One-tap reports, as in a session: fall, RF-01 …", examples=[[]]
    )
    note: Note | None = Field(default=None, description="Anything to tell the therapist.")
    ext: Ext | None = Field(default=None, description="Whatever a newer app wants kept: at most 2 KiB.")


class CheckInAnswersIn(_AnswersIn):
    """Answers to a check-in; leave out what is not answered. The questions: `GET /v1/me/check-ins`."""

    pain: Annotated[int, _within("pain")] | None = Field(default=None, description="Average of the last week, 0-10.")
    pain_worst: Annotated[int, _within("pain_worst")] | None = Field(default=None, description="Of the last week.")
    function: Activities = Field(default=[], description="Own activities, 3 to 5 at best.")
    recurrence: Flagged | None = Field(
        default=None, description="Pain of 2 or more of 10 for 24 hours or longer since last asked."
    )
    days_exercised: Annotated[int, _within("days_exercised")] | None = Field(default=None, description="Of the last 7.")
    still_doing: Annotated[list[Reference], Field(max_length=60)] = Field(
        default=[], description="What is still done: line ids or slugs.", examples=[["bird-dog"]]
    )
    confidence: Annotated[int, _within("confidence")] | None = Field(default=None, description="To keep going, 0-10.")
    sitting_hours: Annotated[float, _within("sitting_hours")] | None = Field(default=None, description="A usual day's.")
    global_change: Annotated[int, _within("global_change")] | None = Field(
        default=None, description="Since the program began: -5 very much worse, 5 completely well."
    )
    wants_contact: Flagged | None = None
    chips: Annotated[list[Code], Field(max_length=30)] = Field(
        default=[], description="One-tap reports, as in a session: fall, RF-01 …", examples=[[]]
    )
    note: Note | None = Field(default=None, description="Anything to tell the therapist.")
    ext: Ext | None = Field(default=None, description="Whatever a newer app wants kept: at most 2 KiB.")


class AnswersOut(Answer):
    """What was answered."""

    answers: dict[str, Any] | None = Field(description="By question; what was not answered is left out.")
    version: int = Field(description="0: not answered yet.")
    answered_on: date | None = Field(description="The patient's date when it was first answered.")
    answered_at: AwareDatetime | None
    source: Source | None


class CheckInOut(AnswersOut):
    """A check-in after discharge."""

    id: UUID
    program_id: UUID = Field(description="The program that was discharged.")
    month: int
    due_on: date


class CheckInPage(Answer):
    """A patient's check-ins, in the order they are due."""

    items: list[CheckInOut]


class WeekOut(AnswersOut):
    """The weekly questions of one week."""

    monday: date
    late: bool = Field(description="First answered more than a week after the week was over.")


class WeekPage(Answer):
    """A patient's weekly answers, latest first."""

    items: list[WeekOut]


class _BecameOut(Answer):
    outcome: Outcome
    advice: list[str] = Field(description="What to tell the patient now, gravest first.")
    safety_raised: bool = Field(description="Whether the clinic has been told of something that cannot wait.")


class CheckInAnswerOut(_BecameOut):
    """What became of the answers to a check-in."""

    check_in: CheckInOut

    @classmethod
    def of(cls, answered: Answered) -> "CheckInAnswerOut":
        assert isinstance(answered.row, CheckIn)
        return cls(**_became(answered), check_in=CheckInOut.model_validate(answered.row))


class WeekAnswerOut(_BecameOut):
    """What became of the answers to a week's questions."""

    week: WeekOut

    @classmethod
    def of(cls, answered: Answered) -> "WeekAnswerOut":
        assert isinstance(answered.row, WeeklyAnswer)
        return cls(**_became(answered), week=WeekOut.model_validate(answered.row))


def _became(answered: Answered) -> dict[str, Any]:
    return {name: getattr(answered, name) for name in ("outcome", "advice", "safety_raised")}


class QuestionOut(Answer):
    """One question, as a patient reads it."""

    name: str = Field(description="The member of the answer.")
    text: str
    kind: AnswerKind
    lowest: float | None
    highest: float | None
    whole: bool | None
    most: int | None = Field(description="How many activities at most.")


class QuestionsOut(Answer):
    """What a patient's phone should ask today."""

    check_ins: list[CheckInOut] = Field(description="Due, overdue, or due within a week.")
    check_in_questions: list[QuestionOut]
    monday: date | None = Field(
        description="The week whose questions are due; null where they are answered or no program runs."
    )
    weekly_questions: list[QuestionOut]

    @classmethod
    def of(cls, due: Due) -> "QuestionsOut":
        asked = weekly(inflammatory=due.inflammatory)
        return cls(
            check_ins=[CheckInOut.model_validate(one) for one in due.check_ins],
            check_in_questions=[QuestionOut.model_validate(one) for one in CHECK_IN] if due.check_ins else [],
            monday=due.monday,
            weekly_questions=[QuestionOut.model_validate(one) for one in asked] if due.monday else [],
        )


class MeasureOut(Answer):
    """One outcome measure."""

    code: str
    name: str
    lowest: float
    highest: float
    unit: str
    whole: bool = Field(description="Whether scores are whole numbers.")
    wanted: Wanted = Field(description="Which way is better.")
    points: float | None = Field(description="The change that matters, in points.")
    percent: float | None = Field(
        description="The change that matters, in percent of the baseline; better takes the larger, worse the points."
    )
    source: str | None = Field(description="Who says that it matters.")
    taken: list[Moment]
    question: str | None = Field(description="As a patient reads it; only where the words are our own.")
    licence: str
    score_only: bool = Field(description="The items are licensed: enter the score of your own form.")
    by_patient: bool = Field(description="Whether a patient may report it.")


class MeasurePage(Answer):
    """Every measure there is."""

    items: list[MeasureOut]


class MeasurementIn(Said):
    """One score. Patient-specific function may be said by its activities, and its mean is taken."""

    code: Code = Field(description="Of `GET /v1/measures`.", examples=["pain"])
    score: Annotated[float, number(-1000, 1000)] | None = Field(default=None, examples=[4])
    activities: Activities = Field(default=[], description="psfs only, instead of the score.", examples=[[]])
    psychosocial: Annotated[int, whole(0, PSYCHOSOCIAL_ITEMS)] | None = Field(
        default=None, description="start_back only: the subscale, 0-5."
    )
    taken_on: Day | None = Field(default=None, description="The patient's local date; today if left out.")

    def as_draft(self) -> MeasurementDraft:
        return MeasurementDraft(**self.model_dump())


class PointOut(Answer):
    """One score in a series."""

    taken_on: date
    score: float
    parts: dict[str, Any] | None = Field(description="What it was made of: the activities, the psychosocial subscale.")
    source: TakenFrom
    risk: Risk | None = Field(description="start_back only.")


class MeasurementOut(PointOut):
    """A recorded score."""

    id: UUID
    patient_id: UUID
    code: str
    recorded_by: UUID
    created_at: AwareDatetime

    @classmethod
    def of(cls, row: Measurement) -> "MeasurementOut":
        plain = {name: getattr(row, name) for name in cls.model_fields if name != "risk"}
        return cls(**plain, risk=risk_of(row.code, row.score, row.parts))


class SeriesOut(Answer):
    """One measure of one patient through time."""

    measure: MeasureOut
    points: list[PointOut] = Field(description="The latest 200, oldest first.")
    baseline: PointOut = Field(description="The first of the current or latest program; else the first of all.")
    latest: PointOut
    change: float | None = Field(description="From baseline to latest; null while there is one point.")
    matters: bool | None = Field(description="Whether the change is one that matters; null where nobody can say.")
    direction: Direction
    better_at: float | None = Field(description="From which score on the change is for the better: draw it.")
    worse_at: float | None = Field(description="From which score on it is for the worse.")
    says: str | None = Field(description="The change in plain words.")

    @classmethod
    def of(cls, series: Series) -> "SeriesOut":
        return cls(
            measure=MeasureOut.model_validate(series.measure),
            points=[_point(one) for one in series.points],
            baseline=_point(series.baseline),
            latest=_point(series.latest),
            change=series.change,
            matters=None if series.direction is Direction.UNKNOWN else series.direction in _MATTERS,
            direction=series.direction,
            **asdict(series.bounds),
            says=series.says,
        )


class SeriesPage(Answer):
    """Every measure taken of a patient."""

    items: list[SeriesOut]


_MATTERS = frozenset({Direction.BETTER, Direction.WORSE})


def _point(point: Point) -> PointOut:
    return PointOut.model_validate(point)
