"""The agenda: what is expected on each day, and why."""

from datetime import date
from uuid import UUID

from pydantic import Field

from api.schemas.words import Answer
from models.operations.agenda import AgendaDay, AgendaItem, Kind, Why
from models.operations.courses import dosage_of
from models.prescription.dosage import Side, text
from models.tables import PauseReason


class AgendaItemOut(Answer):
    """One line on one day."""

    line_id: UUID
    exercise: str | None
    care: str | None
    name: str
    side: Side | None
    text: str = Field(description="The dosage as people read it.")
    kind: Kind = Field(description="Due that day, flexible within the week, or as needed.")
    times_a_day: int = Field(description="Sessions asked for on a day it is done; as needed: at most.")
    times_done: int = Field(description="Sessions of that day that touched it.")
    days_left: int | None = Field(description="Flexible: days of this week, Monday to Sunday, still to be done.")

    @classmethod
    def of(cls, one: AgendaItem) -> "AgendaItemOut":
        item = one.item
        return cls(
            line_id=item.line_id,
            exercise=item.exercise_slug,
            care=item.care_slug,
            name=one.name,
            side=item.side,
            text=text(dosage_of(item), item.side),
            kind=one.kind,
            times_a_day=item.as_needed_max_per_day or item.sessions_per_day,
            times_done=one.times_done,
            days_left=one.days_left,
        )


class AgendaDayOut(Answer):
    """One local day."""

    day: date
    why: Why = Field(description="A phase, the flare plan, a pause; or nothing, and why not.")
    phase: str | None
    pause_reason: PauseReason | None
    items: list[AgendaItemOut]

    @classmethod
    def of(cls, one: AgendaDay) -> "AgendaDayOut":
        return cls(
            day=one.day,
            why=one.why,
            phase=one.phase,
            pause_reason=one.pause_reason,
            items=[AgendaItemOut.of(item) for item in one.items],
        )


class AgendaOut(Answer):
    """Days in order."""

    program_id: UUID
    days: list[AgendaDayOut]
