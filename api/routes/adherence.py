"""How programs are followed, and who needs a therapist now."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import Field, TypeAdapter

from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.adherence import (
    AdherenceReportOut,
    CountsOut,
    FlagRulesOut,
    Level,
    RelapseWatchOut,
    ThresholdsIn,
    Worklist,
    WorklistRow,
)
from api.schemas.words import Code, Day, Instant
from api.visit import ExpectedVersion, ToReadClinical, ToReadRecord, ToRunClinic, show_version
from models.adherence.kinds import FlagKind, Severity
from models.operations.flag_settings import flag_settings, move_thresholds as move
from models.operations.patient_report import patient_report
from models.operations.relapse import relapse_watch
from models.operations.worklist import Wanted, counts, worklist

router = APIRouter(prefix="/v1", tags=["adherence"])

_Place = tuple[Annotated[int, Field(ge=0, le=5)], Instant, UUID]
_PLACE: TypeAdapter[tuple[int, datetime, UUID]] = TypeAdapter(_Place)


@router.get("/programs/{program_id}/adherence", summary="How a program is being followed, and was over a period")
def get_adherence(
    program_id: UUID,
    visit: ToReadRecord,
    as_of: Annotated[Instant | None, Query(description="Judge as of a past moment, from what was known then.")] = None,
    from_on: Annotated[Day | None, Query(alias="from", description="The first day; left out: the program's.")] = None,
    to_on: Annotated[Day | None, Query(alias="to", description="The last day; left out: today, or the end.")] = None,
) -> AdherenceReportOut:
    with visit.reading() as (tx, caller):
        found = patient_report(tx, caller, program_id, from_on=from_on, to_on=to_on, as_of=as_of, now=visit.now)
        return AdherenceReportOut.told(found)


@router.get("/patients/{patient_id}/relapse-watch", summary="What speaks for a relapse after discharge; not calibrated")
def get_relapse_watch(patient_id: UUID, visit: ToReadClinical) -> RelapseWatchOut:
    with visit.reading() as (tx, caller):
        return RelapseWatchOut.of(relapse_watch(tx, caller, patient_id, now=visit.now))


@router.get("/worklist", summary="Who needs a therapist now")
def get_worklist(
    visit: ToReadClinical,
    request: Request,
    response: Response,
    therapist_id: Annotated[UUID | None, Query(description="Only patients of this therapist.")] = None,
    kind: Annotated[
        list[FlagKind], Query(max_length=len(FlagKind), description="Only these kinds; may be repeated.")
    ] = [],  # noqa: B006  (FastAPI copies it)
    level: Annotated[
        Level | None, Query(description="At least so grave; `low`, or all of the kinds that are asked for.")
    ] = None,
    region: Annotated[
        Code | None,
        Query(description="Whose program has an exercise for this part of the body.", examples=["low_back"]),
    ] = None,
    unacknowledged: Annotated[bool, Query(description="Only what nobody has taken on.")] = False,  # noqa: FBT002  (a query)
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Worklist:
    after = read_cursor(cursor, _PLACE)
    wanted = Wanted(
        therapist_id=therapist_id,
        kinds=kind,
        level=Severity[level.upper()] if level else Severity.INFO if kind else Severity.LOW,
        region=region,
        unacknowledged=unacknowledged,
    )
    with visit.reading() as (tx, caller):
        rows = worklist(tx, caller, wanted=wanted, after=after, limit=limit + 1, now=visit.now)
        caller.seen.update(row.patient_id for row in rows[:limit])
        counted = counts(tx, caller, wanted, now=visit.now)
    last = rows[limit - 1] if len(rows) > limit else None
    place = (int(last.severity), last.opened_at.isoformat(), last.flag_id) if last else None
    return Worklist(
        as_of=visit.now,
        items=[WorklistRow.of(row) for row in rows[:limit]],
        counts=CountsOut.of(counted),
        next=next_cursor(request, response, place),
    )


@router.get("/flag-rules", summary="Every kind of flag: when it opens and closes, on whose word, and its lines")
def list_flag_rules(visit: ToReadClinical, response: Response) -> FlagRulesOut:
    with visit.reading() as (tx, caller):
        settings = flag_settings(tx, caller)
    show_version(response, settings.version)
    return FlagRulesOut.of(settings)


@router.put("/flag-rules/thresholds", summary="Move some of the lines, each within its bounds; null is the default")
def move_thresholds(
    said: Annotated[ThresholdsIn, Body()], version: ExpectedVersion, visit: ToRunClinic, response: Response
) -> FlagRulesOut:
    with visit.writing() as (tx, caller):
        settings = move(tx, caller, said.model_dump(exclude_unset=True), version=version, now=visit.now)
    show_version(response, settings.version)
    return FlagRulesOut.of(settings)
