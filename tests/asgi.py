"""Knocking on the app from a plain, synchronous test."""

from collections.abc import AsyncIterator

import httpx
from anyio.from_thread import BlockingPortal
from starlette.types import ASGIApp

from tests.overhearing import note


class _Async(httpx.AsyncByteStream):
    """A sync stream, chunk by chunk, for a transport that awaits it; what was read of it is kept in `sent`."""

    def __init__(self, stream: httpx.SyncByteStream, sent: bytearray) -> None:
        self._stream = stream
        self._sent = sent

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._stream:
            self._sent += chunk
            yield chunk


class InProcess(httpx.BaseTransport):
    """Carries a sync client's requests to an ASGI app on the portal's event loop."""

    def __init__(self, app: ASGIApp, portal: BlockingPortal) -> None:
        # What breaks in the app is answered as in life: the server logs it and says 500.
        self._carry = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._portal = portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        sent = bytearray()
        request.stream = _Async(request.stream, sent)  # type: ignore[arg-type]
        answer = self._portal.call(self._answer, request)
        note(request, bytes(sent), answer)
        return answer

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._carry.handle_async_request(request)
        return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())
