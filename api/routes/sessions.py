"""Sessions: the patient's log."""

import json
from collections.abc import Callable, Coroutine
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool

from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.sessions import SessionAnswer, SessionIn, SessionOut, SessionPage
from api.schemas.words import Day
from api.visit import SignedInVisit, credential_of, visit_of
from models.operations import sessions
from models.operations.sessions import Outcome
from models.refusals import NotSignedIn, SessionRefused
from models.tables import Role

_PLACE: TypeAdapter[tuple[Day, UUID]] = TypeAdapter(tuple[Day, UUID])


class KeepsRefused(APIRoute):
    """A route that keeps the body of a session it refuses: nothing a patient entered is lost, and what it says
    about safety is heard, whatever is wrong with the rest.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:  # noqa: D102  (FastAPI calls it)
        handle = super().get_route_handler()

        async def keeping(request: Request) -> Response:
            try:
                return await handle(request)
            except (RequestValidationError, SessionRefused) as error:
                code = error.code if isinstance(error, SessionRefused) else "invalid"
                body = (await request.body()).decode(errors="replace")
                await run_in_threadpool(_keep, request, body, code)
                raise

        return keeping


def _keep(request: Request, body: str, code: str) -> None:
    try:
        session_id, said = UUID(request.path_params["session_id"]), json.loads(body)
    except (ValueError, RecursionError):
        return  # not a session at all: there is nothing to keep it under, or nothing to read
    visit = visit_of(request, credential_of(request), frozenset(Role))
    try:
        with visit.writing() as (tx, caller):
            raised, advice = sessions.keep_rejected(tx, caller, session_id, body, said, code, now=visit.now)
    except NotSignedIn:
        return  # a stranger's body is not kept
    request.state.more = {"kept": True, "safety_raised": raised, "advice": advice}


kept = APIRouter(prefix="/v1", tags=["log"], route_class=KeepsRefused)
router = APIRouter(prefix="/v1", tags=["log"])


@kept.put(
    "/sessions/{session_id}",
    summary="Log a session; saying it twice is saying it once",
    responses={201: {"model": SessionAnswer, "description": "Logged"}, 200: {"description": "Was logged already"}},
)
def log_session(session_id: UUID, said: SessionIn, visit: SignedInVisit, response: Response) -> SessionAnswer:
    with visit.writing() as (tx, caller):
        result = sessions.record_sessions(tx, caller, [said.as_report(session_id)], now=visit.now)[0]
        if result.refusal is not None:
            raise result.refusal
    response.status_code = 201 if result.outcome is Outcome.CREATED else 200
    return SessionAnswer.of(session_id, result)


@router.get("/programs/{program_id}/sessions", summary="What was logged, latest first")
def list_sessions(
    program_id: UUID,
    visit: SignedInVisit,
    request: Request,
    response: Response,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> SessionPage:
    before: tuple[date, UUID] | None = read_cursor(cursor, _PLACE)
    with visit.reading() as (tx, caller):
        found = sessions.sessions_of(tx, caller, program_id, before=before, limit=limit + 1)
    last = found[limit - 1][0] if len(found) > limit else None
    place = (last.local_date, last.id) if last else None
    return SessionPage(
        items=[SessionOut.of(log, entries) for log, entries in found[:limit]],
        next=next_cursor(request, response, place),
    )
