"""What a session said before it was amended or deleted: written once, read for past moments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.tables import SessionVersion

_ENTRY = ("line_id", "sets", "reps", "hold_seconds", "minutes", "skipped", "reason", "pain", "not_sure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A session as it was known for a while, as far as the engine and the rates listen to it."""

    session_id: UUID
    local_date: date
    performed_at: datetime
    received_at: datetime
    changed_at: datetime
    told_at: datetime | None
    effort: int | None
    exercised: bool
    worst_pain: int | None
    main_reason: str | None
    pain_before: int | None
    settled: bool | None
    chips: Sequence[str]
    entries: Sequence[Mapping[str, Any]]


def content_of(columns: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A session's columns and entries as they are kept; what keys the row or counts its versions is beside it."""
    beside = {"clinic_id", "patient_id", "id", "program_id", "content_hash", "change_number", "version", "changed_at"}
    kept = {name: _plain(value) for name, value in columns.items() if name not in beside}
    return kept | {"entries": [{name: _plain(entry[name]) for name in _ENTRY} for entry in entries]}


def known_at(tx: Session, clinic_id: UUID, program_id: UUID, as_of: datetime) -> list[Past]:
    """What a program's sessions said at `as_of` that they do not say any more, tombstones left out."""
    rows = tx.execute(
        select(SessionVersion.session_id, SessionVersion.content, SessionVersion.changed_at).where(
            SessionVersion.clinic_id == clinic_id,
            SessionVersion.program_id == program_id,
            SessionVersion.changed_at <= as_of,
            SessionVersion.replaced_at > as_of,
        )
    )
    return [
        Past(
            session_id=session_id,
            local_date=date.fromisoformat(content["local_date"]),
            performed_at=datetime.fromisoformat(content["performed_at"]),
            received_at=datetime.fromisoformat(content["received_at"]),
            changed_at=changed_at,
            told_at=datetime.fromisoformat(told) if (told := content.get("told_at")) else None,
            effort=content["effort"],
            exercised=content["exercised"],
            worst_pain=content["worst_pain"],
            main_reason=content["main_reason"],
            pain_before=content["pain_before"],
            settled=content["settled_by_morning"],
            chips=tuple(content["chips"]),
            entries=[entry | {"line_id": UUID(entry["line_id"])} for entry in content["entries"]],
        )
        for session_id, content, changed_at in rows
        if content["deleted_at"] is None
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
