"""What a patient is told without asking: that their program is new, changed or over, and that safety comes first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models.adherence.kinds import FlagKind, Severity
from models.adherence.wording import short_day
from models.operations.courses import Course
from models.prescription.changes import changes
from models.safety.red_flags import FALL_ADVICE, KEEP_TO_COMFORT, PAIN_ADVICE, RED_FLAGS, SAME_DAY, SYMPTOMS
from models.tables import Flag

FRESH = timedelta(hours=24)
"""How long "rest today" is what to do."""
FALL_TOLD = timedelta(days=3)
"""How long what to mind after a fall is shown."""


class NoticeKind(StrEnum):
    """What a notice is about."""

    PROGRAM_NEW = "program_new"
    PROGRAM_CHANGED = "program_changed"
    PROGRAM_ENDED = "program_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to show once; its id stays the same, so a phone knows which it has shown."""

    id: str
    kind: NoticeKind
    program_id: UUID
    at: datetime
    title: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """What stands between a patient and their exercises."""

    advice: Sequence[str]
    """What to do now, gravest first."""
    is_locked: bool
    """Whether no session may be begun until a therapist has looked (clinical content 2.5)."""


def notices_of(course: Course, now: datetime) -> list[Notice]:
    """The notices of a program's life up to `now`, in order."""
    program = course.program
    if program.activated_at is None:
        return []
    told = [
        Notice(
            id=f"{program.id}/new",
            kind=NoticeKind.PROGRAM_NEW,
            program_id=program.id,
            at=program.activated_at,
            title=f"Your program: {program.title}",
            lines=[f"It starts on {short_day(program.starts_on)}."],
        )
    ]
    for number in sorted(course.revisions):
        revision, base = course.revisions[number], course.base_of(number)
        if base is None or number <= course.first_seen or revision.created_at > now:
            continue
        said = changes(course.prescribed(base), course.prescribed(number))
        told.append(
            Notice(
                id=f"{program.id}/{number}",
                kind=NoticeKind.PROGRAM_CHANGED,
                program_id=program.id,
                at=revision.created_at,
                title=f"Your program changes on {short_day(revision.effective_on)}",
                lines=[*said, *([revision.note] if revision.note else [])],
            )
        )
    if program.ended_at is not None and program.ended_at <= now:
        told.append(
            Notice(
                id=f"{program.id}/ended",
                kind=NoticeKind.PROGRAM_ENDED,
                program_id=program.id,
                at=program.ended_at,
                title=f"{program.title} has ended",
                lines=[],
            )
        )
    return told


def caution_for(tx: Session, clinic_id: UUID, patient_id: UUID, now: datetime) -> Caution | None:
    """What a patient with an open red flag is told until a therapist closes it; and what they were told of a fall, a
    symptom or pain for as long as it holds, on whichever phone they look.
    """
    rows = tx.execute(
        select(Flag.kind, Flag.severity, Flag.evidence, Flag.opens_at).where(
            Flag.clinic_id == clinic_id,
            Flag.patient_id == patient_id,
            Flag.kind.in_([FlagKind.RED_FLAG, FlagKind.FALL, FlagKind.SYMPTOM, FlagKind.PAIN_HIGH]),
            Flag.closed_at.is_(None),
            Flag.opens_at <= now,
            or_(Flag.expires_at.is_(None), Flag.expires_at > now),
        )
    ).all()
    advice: list[tuple[int, str]] = []
    for kind, severity, evidence, opens_at in rows:
        is_fresh = now - opens_at < FRESH
        if kind is FlagKind.PAIN_HIGH:
            advice.append((severity, PAIN_ADVICE if is_fresh else KEEP_TO_COMFORT))
            continue
        said = {words for answer in evidence["answers"] for words in answer["said"]}
        if kind is FlagKind.RED_FLAG:
            known = [flag for flag in RED_FLAGS.values() if flag.question in said]
            advice += [(flag.severity, flag.advice) for flag in known] or [(severity, SAME_DAY)]
        elif kind is FlagKind.SYMPTOM and is_fresh:
            advice += [(grave, told) for grave, words, told in SYMPTOMS.values() if words in said]
        elif kind is FlagKind.FALL and now - opens_at < FALL_TOLD:
            advice.append((severity, FALL_ADVICE))
    if not advice:
        return None
    gravest_first = dict.fromkeys(text for _, text in sorted(advice, key=lambda one: -one[0]))
    locked = any(kind is FlagKind.RED_FLAG and severity >= Severity.HIGH for kind, severity, *_ in rows)
    return Caution(advice=list(gravest_first), is_locked=locked)
