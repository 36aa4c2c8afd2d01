"""The server itself: uvicorn, with limits to what a connection may ask of it."""

import ctypes
import json
from asyncio import TimerHandle, Transport
from contextlib import suppress
from functools import partial
from typing import Any, cast
from uuid import uuid4

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.headers import ALWAYS
from api.logs import log
from api.problems import MEDIA_TYPE
from api.settings import Settings

_MOST_FILES = 16_384
_OTHER_FILES = 128
"""What a process has open beside its connections."""
_AFTER_THE_DOOR = 5.0
"""Seconds the application has to answer a late body itself."""
_MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of mallopt(3)."""
_LARGE = 1024 * 1024
"""Bytes."""


class Connection(HttpToolsProtocol):
    """A client's connection. uvicorn waits for ever for headers and takes any number of them; this one does not."""

    def __init__(self, *given: Any, header_limit: int, seconds: float, most: int, **named: Any) -> None:
        super().__init__(*given, **named)
        self.header_limit = header_limit
        """Bytes of the first line and the headers together."""
        self.seconds = seconds
        """For a request's head to arrive, then for its body, and for an answer to be read on."""
        self.most = most
        """Connections of a process."""
        self._is_in_head = False
        self._is_whole = True
        self._head_bytes = 0
        self._arriving: TimerHandle | None = None
        self._leaving: TimerHandle | None = None
        self._refusal = (400, "malformed_request", "This is no HTTP request.")

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # noqa: D102  (asyncio)
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._refuse(503, "busy", "Too many connections; try again.", ("Retry-After", "5"))
            return
        self._await_arrival(self.seconds)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102  (asyncio)
        self._await_arrival(None)
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:  # noqa: D102  (asyncio)
        if self.transport.is_closing():
            return
        if self._arriving is None:
            self._await_arrival(self.seconds)
        super().data_received(data)
        if self.transport.is_closing():
            self._await_arrival(None)
        elif self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.header_limit:
                self._refuse(*self._too_large())
        elif self._is_whole and self.cycle is not None:
            self._await_arrival(None)
            if self.cycle.response_complete and self.timeout_keep_alive_task is None:
                # Empty lines between requests are allowed, and do not keep a connection.
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )

    def on_message_begin(self) -> None:  # noqa: D102  (httptools)
        self._is_in_head, self._is_whole, self._head_bytes = True, False, 0
        self._await_arrival(self.seconds)
        super().on_message_begin()

    def on_headers_complete(self) -> None:  # noqa: D102  (httptools)
        self._is_in_head = False
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > self.header_limit:
            self._refusal = self._too_large()
            raise ValueError  # the parser calls send_400_response
        self._await_arrival(self.seconds + _AFTER_THE_DOOR)
        super().on_headers_complete()

    def on_message_complete(self) -> None:  # noqa: D102  (httptools)
        self._is_whole = True
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:  # noqa: D102  (uvicorn)
        if not self._is_in_head:  # else it is not idle
            super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:  # noqa: D102  (asyncio)
        super().pause_writing()
        self._leaving = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:  # noqa: D102  (asyncio)
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002, D102  (uvicorn calls it; we say it in our words)
        self._refuse(*self._refusal)

    def _too_large(self) -> tuple[int, str, str]:
        return 431, "headers_too_large", f"The headers are larger than {self.header_limit} bytes."

    def _await_arrival(self, seconds: float | None) -> None:
        if self._arriving is not None:
            self._arriving.cancel()
        self._arriving = None if seconds is None else self.loop.call_later(seconds, self._is_late)

    def _is_late(self) -> None:
        if self._is_in_head:
            self._refuse(408, "too_slow", f"The headers did not arrive within {self.seconds:g} seconds.")
        else:
            self.transport.abort()

    def _refuse(self, status: int, code: str, title: str, *headers: tuple[str, str]) -> None:
        """Say why, and hang up: what comes next on this connection cannot be understood."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()  # another answer is on its way, which must not be mixed with this one
            return
        request_id = uuid4().hex
        told = {"type": f"/problems/{code}", "title": title, "status": status, "code": code, "request_id": request_id}
        body = json.dumps(told).encode()
        lines = [
            *self.server_state.default_headers,
            *ALWAYS.items(),
            *((name.lower().encode(), value.encode()) for name, value in headers),
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            (b"connection", b"close"),
        ]
        head = b"".join(b"%s: %s\r\n" % line for line in lines)
        self.transport.write(STATUS_LINE[status] + head + b"\r\n" + body)
        self.transport.close()
        log.info("refused", extra={"request_id": request_id, "status": status, "error": code})


def serve(application: str, settings: Settings, *, workers: int) -> None:
    """Serve the application that the factory `module:name` makes, until interrupted."""
    protocol = partial(
        Connection,
        header_limit=settings.header_limit,
        seconds=settings.request_seconds,
        most=_files() - _OTHER_FILES,
    )
    uvicorn.run(
        application,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=workers,
        http=cast("Any", protocol),
        ws="none",
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=int(settings.request_seconds),
        # Who is nobody's proxy is not believed when it says who is calling; uvicorn believes this machine.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        log_config=None,
        server_header=False,
    )


def give_memory_back() -> None:
    """Let glibc return large pieces at once. By itself it learns from the first to keep them, in every thread: with the
    19 MiB of each password's hash a process would grow to three times its size.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)


def _files() -> int:
    """How many files, connections among them, this process may have open: as many as it may allow itself."""
    with suppress(ImportError):  # Windows has no such limit
        import resource  # noqa: PLC0415  (as above)

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return _MOST_FILES
        wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return max(soft, wanted)
    return _MOST_FILES
