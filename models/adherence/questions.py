"""What a patient is asked each week, and at check-ins after discharge; the words are our own (clinical content 7.3)."""

from dataclasses import dataclass
from enum import StrEnum

from models.adherence.measures import MEASURES, MOST_ACTIVITIES


class AnswerKind(StrEnum):
    """How a question is answered."""

    NUMBER = "number"
    YES_NO = "yes_no"
    ACTIVITIES = "activities"
    """A list of {activity, score}, each score from `lowest` to `highest`."""
    ITEMS = "items"
    """A list of what is still done: line ids or slugs."""
    CHIPS = "chips"
    """One-tap reports; the red-flag questions: `GET /v1/red-flags`."""
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, as a patient reads it."""

    name: str
    """The member of the answer."""
    text: str
    kind: AnswerKind
    lowest: float | None = None
    highest: float | None = None
    whole: bool | None = None
    most: int | None = None
    """How many activities at most."""


def _measured(code: str) -> Question:
    measure = MEASURES[code]
    assert measure.question is not None  # every measure that is asked has words of our own
    return Question(
        name=code,
        text=measure.question,
        kind=AnswerKind.NUMBER,
        lowest=measure.lowest,
        highest=measure.highest,
        whole=measure.whole,
    )


def _activities(code: str, most: int) -> Question:
    text = MEASURES[code].question
    assert text is not None  # as above
    return Question(name="function", text=text, kind=AnswerKind.ACTIVITIES, lowest=0, highest=10, whole=True, most=most)


_NEWS = Question(name="chips", text="Is any of these new?", kind=AnswerKind.CHIPS)
_MESSAGE = Question(name="note", text="Is there anything to tell your therapist?", kind=AnswerKind.TEXT)
INFLAMMATORY_QUESTIONS = ("stiffness_minutes", "fatigue", "flare_days")
"""Asked only of patients with rheumatoid arthritis or lupus."""

WEEKLY = (
    _measured("pain"),
    _activities("activity", 1),
    *(_measured(code) for code in ("sleep", "stress", "sitting_hours", "confidence", *INFLAMMATORY_QUESTIONS)),
    _NEWS,
    _MESSAGE,
)
CHECK_IN = (
    _measured("pain"),
    _measured("pain_worst"),
    _activities("psfs", MOST_ACTIVITIES),
    Question(
        name="recurrence",
        text="Since you were last asked, did you have pain of 2 or more of 10 that lasted 24 hours or longer?",
        kind=AnswerKind.YES_NO,
    ),
    _measured("days_exercised"),
    Question(name="still_doing", text="Which of your exercises do you still do?", kind=AnswerKind.ITEMS),
    *(_measured(code) for code in ("confidence", "sitting_hours", "global_change")),
    _NEWS,
    Question(name="wants_contact", text="Would you like your therapist to contact you?", kind=AnswerKind.YES_NO),
    _MESSAGE,
)


def weekly(*, inflammatory: bool) -> tuple[Question, ...]:
    """The weekly questions; `inflammatory` for rheumatoid arthritis or lupus."""
    return tuple(one for one in WEEKLY if inflammatory or one.name not in INFLAMMATORY_QUESTIONS)
