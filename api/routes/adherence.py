"""How programs are followed, and who needs a therapist now."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, TypeAdapter

from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.adherence import AdherenceOut, Worklist, WorklistRow
from api.schemas.words import Instant
from api.visit import SignedInVisit, StaffVisit
from models.adherence.flags import FlagKind
from models.operations.adherence import following
from models.operations.worklist import worklist

router = APIRouter(prefix="/v1", tags=["adherence"])

_Place = tuple[Annotated[int, Field(ge=0, le=5)], Instant, UUID]
_PLACE: TypeAdapter[tuple[int, datetime, UUID]] = TypeAdapter(_Place)


@router.get("/programs/{program_id}/adherence", summary="How a program is being followed")
def get_adherence(
    program_id: UUID,
    visit: SignedInVisit,
    as_of: Annotated[Instant | None, Query(description="Judge as of a past moment, from what was known then.")] = None,
) -> AdherenceOut:
    with visit.reading() as (tx, caller):
        return AdherenceOut.of(following(tx, caller, program_id, as_of=as_of, now=visit.now))


@router.get("/worklist", summary="Who needs a therapist now")
def get_worklist(
    visit: StaffVisit,
    request: Request,
    response: Response,
    therapist_id: Annotated[UUID | None, Query(description="Only patients of this therapist.")] = None,
    kind: FlagKind | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Worklist:
    after = read_cursor(cursor, _PLACE)
    with visit.reading() as (tx, caller):
        rows = worklist(tx, caller, therapist_id=therapist_id, kind=kind, after=after, limit=limit + 1, now=visit.now)
    last = rows[limit - 1] if len(rows) > limit else None
    place = (int(last.severity), last.opened_at.isoformat(), last.flag_id) if last else None
    return Worklist(
        as_of=visit.now,
        items=[WorklistRow.of(row) for row in rows[:limit]],
        next=next_cursor(request, response, place),
    )
