"""Running programs that new facts make unsafe: found, and put on the worklist."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.operations.checking import check_program, not_overridden
from models.operations.courses import courses
from models.operations.flags import raise_dangers
from models.safety.rules import Finding, RuleSeverity
from models.tables import Program, ProgramStatus

_HARM_RULES = frozenset({"R-08", "R-11", "R-12", "R-13", "R-37", "R-40", "R-48", "R-49"})
"""What new facts can make of a program that was safe when it was handed over."""


def endangered(
    tx: Session, clinic_id: UUID, patient_id: UUID, *, now: datetime
) -> list[tuple[UUID, Sequence[Finding]]]:
    """The patient's running programs that what is known now would block, in force or yet to begin, with the findings
    that no therapist has overridden as they are.
    """
    running = select(Program).where(
        Program.clinic_id == clinic_id, Program.patient_id == patient_id, Program.status == ProgramStatus.ACTIVE
    )
    found: list[tuple[UUID, Sequence[Finding]]] = []
    for program_id, course in courses(tx, clinic_id, running).items():
        today = course.local_today(now)
        blocks: dict[str, Finding] = {}
        for revision in (course.revision_on(today, now), *course.upcoming(today, now)):
            checked = check_program(tx, running, clinic_id, program_id, now=now, revision=revision.number)
            blocks |= {
                one.key: one
                for one in checked.findings
                if one.severity is RuleSeverity.BLOCK and one.rule in _HARM_RULES
            }
        if left := not_overridden(tx, clinic_id, program_id, blocks.values()):
            found.append((program_id, left))
    return found


def mark_endangered(tx: Session, clinic_id: UUID, patient_id: UUID, *, now: datetime) -> None:
    """Put the programs that are endangered now on the worklist, and take those that are not any more off it."""
    tx.flush()  # what was just recorded is what they are held against
    found = endangered(tx, clinic_id, patient_id, now=now)
    dangers = {program_id: [one.message for one in blocks] for program_id, blocks in found}
    raise_dangers(tx, clinic_id, patient_id, dangers, now=now)
