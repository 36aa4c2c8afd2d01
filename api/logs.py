"""One line of JSON per request: what was asked of which route, how it went, how long it took. No health data:
neither bodies nor query strings nor names are logged, and ids in paths only as the route's template.
"""

import json
import logging
import re
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("followthrough")

_REQUEST_ID = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What we take from a client or a proxy; nothing else, so that nobody writes words into the log."""
_EXTRAS = ("request_id", "method", "route", "status", "ms", "error")


class JsonLines(logging.Formatter):
    """A log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "said": record.getMessage(),
        }
        line |= {name: vars(record)[name] for name in _EXTRAS if name in vars(record)}
        if record.exc_info and record.exc_info[0]:
            # The trace says where; the message of an exception may quote data, so it stays out.
            line["error"] = record.exc_info[0].__name__
            line["where"] = _frames(record)
        return json.dumps(line)


def start(level: str) -> None:
    """Write our log, and the server's, to standard error as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    log.setLevel(level.upper())
    # Others' details quote what they handle: passwords, bodies, parameters.
    logging.basicConfig(level=max(log.level, logging.INFO), handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True  # it quotes query strings; RequestLog says the rest


class RequestLog:
    """Gives every request an id unless it has one, answers with it, and logs the outcome. Pure ASGI: the other kind is
    slow.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  (ASGI)
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = sent.decode() if _REQUEST_ID.fullmatch(sent) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        began, status = time.perf_counter(), 499  # unless it is answered, who asked has left

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).append((b"x-request-id", request_id.encode()))
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except BaseException:
            status = 500
            raise
        finally:
            route = getattr(scope.get("route"), "path", None)
            log.info(
                "request",
                extra={
                    "request_id": request_id,
                    "method": scope["method"],
                    "route": route or "-",
                    "status": status,
                    "ms": round((time.perf_counter() - began) * 1000, 1),
                },
            )


def _frames(record: logging.LogRecord) -> list[str]:
    assert record.exc_info
    trace, frames = record.exc_info[2], []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return frames[-12:]
