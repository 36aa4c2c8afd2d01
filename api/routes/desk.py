"""What therapists do about flags, whom they tried to reach, and a patient's record in order."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.desk import CloseIn, EntryOut, FlagOut, OutreachIn, OutreachOut, OutreachPage, SnoozeIn, TimelinePage
from api.schemas.words import Instant, Reference
from api.visit import ExpectedVersion, ToReadClinical, ToReadRecord, ToWorkFlags, show_version
from models.operations import handling, outreach
from models.operations.timeline import EntryKind, timeline

router = APIRouter(prefix="/v1", tags=["desk"])

_ATTEMPT: TypeAdapter[tuple[datetime, UUID]] = TypeAdapter(tuple[Instant, UUID])
_ENTRY: TypeAdapter[tuple[datetime, EntryKind, str]] = TypeAdapter(tuple[Instant, EntryKind, Reference])


@router.get("/flags/{flag_id}", summary="One flag, with its evidence and its life so far")
def get_flag(flag_id: UUID, visit: ToReadClinical, response: Response) -> FlagOut:
    with visit.reading() as (tx, caller):
        return _shown(handling.flag_of(tx, caller, flag_id, now=visit.now), response, visit.now)


@router.post("/flags/{flag_id}/acknowledge", summary="Take a flag on; whoever is first stays")
def acknowledge_flag(flag_id: UUID, visit: ToWorkFlags, response: Response) -> FlagOut:
    with visit.writing() as (tx, caller):
        handling.acknowledge(tx, caller, flag_id, now=visit.now)
        return _shown(handling.flag_of(tx, caller, flag_id, now=visit.now), response, visit.now)


@router.post("/flags/{flag_id}/snooze", summary="Put a flag off; it is back on the day, or when it rises")
def snooze_flag(
    flag_id: UUID, said: SnoozeIn, version: ExpectedVersion, visit: ToWorkFlags, response: Response
) -> FlagOut:
    with visit.writing() as (tx, caller):
        handling.snooze(tx, caller, flag_id, days=said.days, until=said.until, version=version, now=visit.now)
        return _shown(handling.flag_of(tx, caller, flag_id, now=visit.now), response, visit.now)


@router.post("/flags/{flag_id}/close", summary="Close a flag for its episode; saying it twice is saying it once")
def close_flag(
    flag_id: UUID, said: CloseIn, version: ExpectedVersion, visit: ToWorkFlags, response: Response
) -> FlagOut:
    with visit.writing() as (tx, caller):
        handling.close(tx, caller, flag_id, said.because, said.note, version=version, now=visit.now)
        return _shown(handling.flag_of(tx, caller, flag_id, now=visit.now), response, visit.now)


@router.get("/patients/{patient_id}/outreach", summary="Attempts to reach a patient, latest first, and who returned")
def list_outreach(
    patient_id: UUID,
    visit: ToReadClinical,
    request: Request,
    response: Response,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> OutreachPage:
    after = read_cursor(cursor, _ATTEMPT)
    with visit.reading() as (tx, caller):
        found = outreach.outreach_of(tx, caller, patient_id, after=after, limit=limit + 1, now=visit.now)
    last = found[limit - 1].outreach if len(found) > limit else None
    place = (last.at.isoformat(), last.id) if last else None
    return OutreachPage(
        items=[OutreachOut.of(one) for one in found[:limit]], next=next_cursor(request, response, place)
    )


@router.post("/patients/{patient_id}/outreach", status_code=201, summary="Keep an attempt to reach a patient")
def record_outreach(patient_id: UUID, said: OutreachIn, visit: ToWorkFlags) -> OutreachOut:
    with visit.writing() as (tx, caller):
        made = visit.made_before(tx, caller, said)
        if made is None:
            made = outreach.reach_out(tx, caller, patient_id, said.as_draft(), now=visit.now).id
            visit.remember(tx, caller, said, made)
        return OutreachOut.of(outreach.attempt(tx, caller, patient_id, made, now=visit.now))


@router.get("/patients/{patient_id}/timeline", summary="A patient's record as one stream, latest first")
def get_timeline(
    patient_id: UUID,
    visit: ToReadRecord,
    request: Request,
    response: Response,
    kinds: Annotated[
        list[EntryKind],
        Query(
            alias="kind",
            max_length=len(EntryKind),
            description="Only these. Patients see sessions, programs, revisions, pauses, flares and what they answered;"
            " flags, outreach, reviews and examinations are the clinic's.",
        ),
    ] = [],  # noqa: B006  (FastAPI copies it)
    limit: Limit = 50,
    cursor: Cursor = None,
) -> TimelinePage:
    after = read_cursor(cursor, _ENTRY)
    with visit.reading() as (tx, caller):
        found = timeline(tx, caller, patient_id, kinds=kinds, after=after, limit=limit + 1, now=visit.now)
    last = found[limit - 1] if len(found) > limit else None
    place = (last.at.isoformat(), last.kind.value, last.key) if last else None
    return TimelinePage(items=[EntryOut.of(one) for one in found[:limit]], next=next_cursor(request, response, place))


def _shown(known: handling.Known, response: Response, now: datetime) -> FlagOut:
    show_version(response, known.flag.version)
    return FlagOut.of(known, now)
