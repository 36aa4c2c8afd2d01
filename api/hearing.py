"""Routes that hear what they refuse: nothing a patient entered is lost, whatever is wrong with it."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from models.refusals import Refusal

Keep = Callable[[Request, str, str], None]
"""Keep a request's refused body, told as text, and why it was refused; `request.state.more` becomes part of the answer.
"""


def hearing(keep: Keep, *refusals: type[Refusal]) -> type[APIRoute]:
    """A kind of route that passes the body to `keep` before it answers one of `refusals`, or that it cannot be read."""
    caught: tuple[type[Exception], ...] = (RequestValidationError, *refusals)

    class Hearing(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def heard(request: Request) -> Response:
                try:
                    return await handle(request)
                except caught as error:
                    code = error.code if isinstance(error, Refusal) else "invalid"
                    body = (await request.body()).decode(errors="replace")
                    await run_in_threadpool(keep, request, body, code)
                    raise

            return heard

    return Hearing
