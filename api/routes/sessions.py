"""Sessions: the patient's log, one at a time or a phone's whole queue, and what is new for a phone."""

import json
from dataclasses import replace
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from api import problems
from api.hearing import hearing
from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.sessions import SessionAnswer, SessionOut, SessionPage, SessionPut
from api.schemas.sync import ItemOut, PullOut, PushIn, PushOut, QueueItem, TodayOut, pushed
from api.schemas.words import Day, instant_or_none
from api.visit import (
    KEPT,
    ExpectedVersion,
    MatchedVersion,
    ToAnswer,
    ToLog,
    ToReadRecord,
    Visit,
    credential_of,
    show_version,
    visit_of,
)
from models.operations import devices, feed, rejects, sessions, sync, today as first_screen
from models.operations.policy import Deed
from models.operations.sessions import Deletion, Outcome, Result
from models.refusals import NotAllowed, NotSignedIn, Refusal, SessionRefused, TooManyItems, VersionMismatch

_PLACE: TypeAdapter[tuple[Day, UUID]] = TypeAdapter(tuple[Day, UUID])


def _keep(request: Request, body: str, code: str) -> None:
    try:
        said = json.loads(body)
        session_id = UUID(request.path_params["session_id"]) if "session_id" in request.path_params else None
    except (ValueError, RecursionError):
        return  # not a session at all: there is nothing to keep it under, or nothing to read
    refused = [rejects.Refused(session_id=session_id, raw=body, said=said, code=code)]
    if session_id is None:
        items = said.get("items") if isinstance(said, dict) else None
        items = items[: sync.MOST_ITEMS] if isinstance(items, list) else []
        read = [pushed(item, None) for item in items]
        refused = [rejects.Refused(session_id=one.session_id, raw=one.raw, said=one.said, code=code) for one in read]
    visit = replace(visit_of(request, credential_of(request), Deed.LOG), operation=KEPT)
    sent_at = instant_or_none(said.get("client_sent_at")) if isinstance(said, dict) else None
    try:
        with visit.writing() as (tx, caller):
            devices.in_touch(tx, caller, sent_at=sent_at, now=visit.now)
            kept = rejects.keep_refused(tx, caller, refused, sent_at=sent_at, now=visit.now)
    except (NotSignedIn, NotAllowed):
        return  # a stranger's body is not kept
    request.state.more = {
        "kept": True,
        "safety_raised": any(one.safety_raised for one in kept),
        "advice": list(dict.fromkeys(advice for one in kept for advice in one.advice)),
    }


kept = APIRouter(prefix="/v1", tags=["log"], route_class=hearing(_keep, SessionRefused, VersionMismatch))
router = APIRouter(prefix="/v1", tags=["log"])


@kept.put(
    "/sessions/{session_id}",
    summary="Log a session, or change it; saying it twice is saying it once",
    responses={201: {"model": SessionAnswer, "description": "Logged"}, 200: {"description": "Changed, or was there"}},
)
def log_session(
    session_id: UUID, said: SessionPut, visit: ToLog, response: Response, matched: MatchedVersion
) -> SessionAnswer:
    base = matched if matched is not None else said.base_version
    with visit.writing() as (tx, caller):
        devices.in_touch(tx, caller, sent_at=said.client_sent_at, now=visit.now)
        report = said.as_report(session_id, base)
        result = sessions.record_sessions(tx, caller, [report], sent_at=said.client_sent_at, now=visit.now)[0]
        if matched is not None and result.outcome is Outcome.CREATED:
            raise VersionMismatch("There is no such session to change; log it without If-Match.")
        _raise_refusal(result, is_matched=matched is not None)
    response.status_code = 201 if result.outcome is Outcome.CREATED else 200
    assert result.version is not None  # what was not refused is held
    show_version(response, result.version)
    return SessionAnswer.of(session_id, result)


@router.delete("/sessions/{session_id}", summary="Take a session back; every version of it is kept")
def delete_session(
    session_id: UUID,
    visit: ToLog,
    version: ExpectedVersion,
    response: Response,
    program_id: Annotated[UUID | None, Query(description="Whose session it is; only staff must say.")] = None,
) -> SessionAnswer:
    item = Deletion(id=session_id, base_version=version, program_id=program_id)
    with visit.writing() as (tx, caller):
        devices.in_touch(tx, caller, now=visit.now)
        result = sessions.record_sessions(tx, caller, [item], now=visit.now)[0]
        _raise_refusal(result, is_matched=True)
    assert result.version is not None  # what was not refused is held
    show_version(response, result.version)
    return SessionAnswer.of(session_id, result)


@router.get("/programs/{program_id}/sessions", summary="What was logged, latest first")
def list_sessions(
    program_id: UUID,
    visit: ToReadRecord,
    request: Request,
    response: Response,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> SessionPage:
    before: tuple[date, UUID] | None = read_cursor(cursor, _PLACE)
    with visit.reading() as (tx, caller):
        found = sessions.sessions_of(tx, caller, program_id, before=before, limit=limit + 1)
    last = found[limit - 1].log if len(found) > limit else None
    place = (last.local_date, last.id) if last else None
    return SessionPage(
        items=[SessionOut.of(held) for held in found[:limit]],
        next=next_cursor(request, response, place),
    )


@kept.post("/sync/push", summary="Send a phone's queue: one outcome per item, in order")
def push_items(said: PushIn, visit: ToLog) -> PushOut:
    if len(said.items) > sync.MOST_ITEMS:
        raise TooManyItems(f"A push takes up to {sync.MOST_ITEMS} items; send half as many.", limit=sync.MOST_ITEMS)
    read, wrong = [], {}
    for number, one in enumerate(said.items):
        try:
            item = QueueItem.validate_python(one)
        except ValidationError as error:
            # What is wrong lies below the word that told put from delete.
            found = [{**one, "loc": one["loc"][1:]} for one in error.errors()]
            item, wrong[number] = None, problems.invalid(found)
        read.append(pushed(one, item))
    with visit.writing() as (tx, caller):
        results = sync.push(tx, caller, read, sent_at=said.client_sent_at, now=visit.now)
    return PushOut(
        received_at=visit.now,
        results=[
            ItemOut.of(one.session_id, result, wrong.get(number) or _problem(result))
            for number, (one, result) in enumerate(zip(read, results, strict=True))
        ],
    )


@router.get("/sync/pull", summary="What is new for a patient's phone since its cursor")
def pull_changes(
    visit: ToAnswer,
    cursor: Annotated[str | None, Query(max_length=400, description="`cursor` of the pull before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Sessions at most; programs come whole.")] = 200,
) -> PullOut:
    with visit.reading() as (tx, caller):
        pulled = feed.pull(tx, caller, cursor, limit=limit, now=visit.now)
        answer = PullOut.of(pulled, visit.now)
        is_due = devices.is_due(caller, now=visit.now)
    _note_contact(visit, is_due=is_due)
    return answer


@router.get("/me/today", summary="A phone's first screen")
def get_today(visit: ToAnswer) -> TodayOut:
    with visit.reading() as (tx, caller):
        answer = TodayOut.of(first_screen.today(tx, caller, now=visit.now), visit.now)
        is_due = devices.is_due(caller, now=visit.now)
    _note_contact(visit, is_due=is_due)
    return answer


def _note_contact(visit: Visit, *, is_due: bool) -> None:
    if is_due:
        with visit.writing() as (tx, caller):
            devices.in_touch(tx, caller, now=visit.now)


def _problem(result: Result) -> dict[str, Any] | None:
    """Why an item was refused; its fields lie in the item's session, but for what the item itself says."""
    if result.refusal is None:
        return None
    below = "" if result.refusal.field == "/base_version" else "/session"
    return problems.told(result.refusal, below=below)


def _raise_refusal(result: Result, *, is_matched: bool) -> None:
    """Refuse the request, showing the clinic's copy where there is one."""
    refusal: Refusal | None = result.refusal
    if refusal is None:
        return
    if result.outcome is Outcome.CONFLICT and is_matched:
        refusal = VersionMismatch("The session was changed meanwhile; look at it again.")
    if result.retryable:
        refusal.more |= {"retryable": True}
    if result.held is not None:
        refusal.more |= {
            "version": result.version,
            "session": SessionOut.of(result.held).model_dump(mode="json"),
        }
    raise refusal
