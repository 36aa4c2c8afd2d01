"""Who is let in: requests that arrive whole, small and in time, while there is room."""

from typing import Any

import anyio
from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import busy, problem
from api.turns import CURRENT, Turn

_BODIES_HELD = 64
"""How many bodies of the largest size may be held at once; slow senders would fill the memory otherwise."""


class _RefusedError(Exception):
    """With the answer that says why."""

    def __init__(self, answer: JSONResponse) -> None:
        super().__init__()
        self.answer = answer


class Door:
    """Reads a request's body, then lets it in. A slow sender takes no place from others: a place is taken when the
    body is there. Who finds all places taken is told so at once, with 503, and when to come again.

    Only a few are worked on at a time, in the order they came. A request needs a thread more than once; if all went in,
    each would wait behind all the others every time, and nobody would be answered before everybody is.
    """

    def __init__(self, app: ASGIApp, *, body_limit: int, seconds: float, places: int, turns: int) -> None:
        self.app = app
        self.body_limit = body_limit
        self.seconds = seconds
        """How long a body may take to arrive."""
        self.places = places
        """Requests in work or waiting for their turn, at once."""
        self._turns = anyio.Semaphore(turns, fast_acquire=True)
        self._inside = 0
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  (ASGI)
        # Whether the process is alive is asked most when it is busiest.
        if scope["type"] != "http" or scope["path"] == "/healthz":
            await self.app(scope, receive, send)
            return
        body = bytearray()
        try:
            self._insist_on_room(scope)
            if await self._read(scope, receive, body):
                self._insist_on_room(scope)
                await self._let_in(scope, _telling(body, receive), send)
        except _RefusedError as refused:
            await refused.answer(scope, receive, send)
        finally:
            self._held -= len(body)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = Turn(self._turns)

        async def passing_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The work is done; a client who reads slowly does not hold up the next.
                turn.give_back()
            await send(message)

        self._inside += 1
        try:
            await turn.take()
            CURRENT.set(turn)
            await self.app(scope, receive, passing_on)
        finally:
            turn.give_back()
            self._inside -= 1

    def _insist_on_room(self, scope: Scope) -> None:
        if self._inside >= self.places:
            raise _RefusedError(busy(Request(scope), "Too many requests at once; try again."))

    async def _read(self, scope: Scope, receive: Receive, body: bytearray) -> bool:
        """Whether the sender stayed until the end of the body."""
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.body_limit:
            raise _RefusedError(self._too_large(scope))
        if declared == b"0" and b"transfer-encoding" not in headers:
            return True
        with anyio.move_on_after(self.seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return False
                piece = message.get("body", b"")
                body += piece
                self._held += len(piece)
                if len(body) > self.body_limit:
                    raise _RefusedError(self._too_large(scope, **_CLOSING))
                if self._held > _BODIES_HELD * self.body_limit:
                    raise _RefusedError(busy(Request(scope), "Too many requests at once; try again.", **_CLOSING))
                if not message.get("more_body", False):
                    return True
        title = f"The body did not arrive within {self.seconds:g} seconds."
        raise _RefusedError(problem(Request(scope), 408, "too_slow", title, headers=_CLOSING, more={"retryable": True}))

    def _too_large(self, scope: Scope, **headers: str) -> JSONResponse:
        title = f"The body is larger than {self.body_limit} bytes."
        return problem(Request(scope), 413, "too_large", title, headers=headers, more={"limit": self.body_limit})


# What is still on its way must not be taken for the next request, nor waited for.
_CLOSING: dict[str, Any] = {"Connection": "close"}


def _telling(body: bytearray, receive: Receive) -> Receive:
    """As if the body came only now."""
    told = False

    async def telling() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return telling
