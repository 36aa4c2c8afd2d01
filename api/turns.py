"""Whose turn it is: only so many requests are worked on at a time, in the order they came."""

from contextvars import ContextVar

import anyio


class Turn:
    """One request's. It is given back for good when the answer starts, and laid down while others do the work."""

    def __init__(self, turns: anyio.Semaphore) -> None:
        self._turns = turns
        self._is_ours = False

    async def take(self) -> None:
        """Wait until it is our turn."""
        await self._turns.acquire()
        self._is_ours = True

    def give_back(self) -> None:
        """Let the next one in; a second time changes nothing."""
        if self._is_ours:
            self._is_ours = False
            self._turns.release()


CURRENT: ContextVar[Turn | None] = ContextVar("turn", default=None)
"""The turn of the request at hand; None: nobody counts."""
