"""Hashing passwords: a few at a time, beside the threads that serve everybody else, and never behind a long queue.

A hash takes a core for tens of milliseconds. Were it taken in the threads that answer requests, a burst of logins would
keep every log waiting.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar, TypeVarTuple

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from api.turns import CURRENT
from models.refusals import Busy

AT_ONCE = 2
MOST_WAITING = 64
"""The last of them waits for about two seconds; who comes later is told so at once."""

Answer = TypeVar("Answer")
Said = TypeVarTuple("Said")


class Hashing:
    """The room where passwords are hashed. What is done there opens no transaction."""

    def __init__(self, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._limiter = CapacityLimiter(at_once)

    def waiting(self) -> int:
        """How many wait for their turn."""
        return self._limiter.statistics().tasks_waiting

    async def run(self, deed: Callable[[*Said], Answer], *said: *Said) -> Answer:
        """What `deed` answers, when its turn comes."""
        if self.waiting() >= self._most_waiting:
            raise Busy("Too many are signing in at this moment; try again in a moment.")
        # Who waits here does no work that others would have to wait for.
        turn = CURRENT.get()
        if turn is not None:
            turn.give_back()
        answer = await to_thread.run_sync(deed, *said, limiter=self._limiter)
        if turn is not None:
            await turn.take()
        return answer


async def _hashing(request: Request) -> Hashing:
    room: Hashing = request.app.state.hashing
    return room


HashingRoom = Annotated[Hashing, Depends(_hashing)]
