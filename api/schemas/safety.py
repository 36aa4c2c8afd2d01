"""The red-flag questions as they are asked."""

from pydantic import Field

from api.schemas.words import Answer
from models.safety.red_flags import RedFlag


class RedFlagOut(Answer):
    """One screening question. Decision support: not signed off by a clinician."""

    id: str = Field(examples=["RF-01"], description="The key in a screening's answers, and the chip in a session.")
    question: str
    suspect: str
    severity: str = Field(examples=["emergency"])
    advice: str = Field(description="What the patient is told when the answer is yes.")

    @classmethod
    def of(cls, flag: RedFlag) -> "RedFlagOut":
        return cls(
            id=flag.id,
            question=flag.question,
            suspect=flag.suspect,
            severity=flag.severity.word,
            advice=flag.advice,
        )


class RedFlagPage(Answer):
    """Every red-flag question, and the other chips a session may carry."""

    items: list[RedFlagOut]
    other_chips: list[str]
