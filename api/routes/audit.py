"""The audit trail: all of it for auditors, one's own for patients."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.audit import AccessOut, AccessPage, AuditEventOut, AuditPage
from api.schemas.words import Instant, Line
from api.visit import ToReadAudit, ToReadRecord
from models.operations import audit

router = APIRouter(prefix="/v1", tags=["audit"])

_PLACE: TypeAdapter[tuple[UUID]] = TypeAdapter(tuple[UUID])


@router.get("/audit", summary="Who did what to whose record, latest first")
def list_audit_events(
    visit: ToReadAudit,
    request: Request,
    response: Response,
    patient_id: UUID | None = None,
    account_id: UUID | None = None,
    operation: Annotated[Line | None, Query(examples=["get_patient"])] = None,
    outcome: Annotated[Line | None, Query(description="`done`, or the code of a refusal.")] = None,
    writes: Annotated[bool | None, Query(description="Only what may have changed something, or only looks.")] = None,
    since: Instant | None = None,
    until: Instant | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AuditPage:
    wanted = audit.Wanted(
        patient_id=patient_id,
        account_id=account_id,
        operation=operation,
        outcome=outcome,
        writes=writes,
        since=since,
        until=until,
    )
    after = read_cursor(cursor, _PLACE)
    with visit.reading() as (tx, caller):
        found = audit.events(tx, caller, wanted, after=after[0] if after else None, limit=limit + 1)
    place = (found[limit - 1].event.id,) if len(found) > limit else None
    return AuditPage(items=[AuditEventOut.of(one) for one in found[:limit]], next=next_cursor(request, response, place))


@router.get("/patients/{patient_id}/accesses", summary="Who saw or changed a patient's record, latest first")
def list_accesses(
    patient_id: UUID,
    visit: ToReadRecord,
    request: Request,
    response: Response,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AccessPage:
    after = read_cursor(cursor, _PLACE)
    with visit.reading() as (tx, caller):
        found = audit.accesses(tx, caller, patient_id, after=after[0] if after else None, limit=limit + 1)
    place = (found[limit - 1].event.id,) if len(found) > limit else None
    return AccessPage(items=[AccessOut.of(one) for one in found[:limit]], next=next_cursor(request, response, place))
