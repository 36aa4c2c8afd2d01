"""Knocking on the app byte by byte: nothing between the test and the app tidies a request up."""

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import anyio
from anyio.from_thread import BlockingPortal
from starlette.types import ASGIApp, Message, Scope

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Asked:
    """A request, as it goes over the wire."""

    method: str
    path: bytes
    query: bytes
    headers: Headers
    pieces: list[bytes]
    """The body, as it arrives."""
    stays: bool = True
    """Until the answer is there."""

    def as_curl(self, role: str) -> str:
        """The same for a shell, with a variable for the role's token."""
        token = f'-H "Authorization: Bearer ${role.upper()}"'
        said = [
            token
            if name == b"authorization" and value.startswith(b"Bearer ft_")
            else f"-H {_quoted(name + b': ' + value)}"
            for name, value in self.headers
        ]
        body = b"".join(self.pieces)
        data = [f"--data-binary {_quoted(body)}"] if body else []
        target = b"http://127.0.0.1:8000" + self.path + (b"?" + self.query if self.query else b"")
        return " ".join(["curl -i -X", self.method, *said, *data, _quoted(target)])


@dataclass(frozen=True)
class Answer:
    """What came back, and after how many seconds."""

    status: int
    headers: dict[str, list[str]]
    body: bytes
    seconds: float

    def header(self, name: str) -> str:
        """A header's value; empty where there is none."""
        return ", ".join(self.headers.get(name, []))


def knock(app: ASGIApp, portal: BlockingPortal, asked: Asked) -> Answer:
    """Send a request to the app on the portal's event loop."""
    began = time.perf_counter()
    sent = portal.call(_carry, app, asked)
    start = next(message for message in sent if message["type"] == "http.response.start")
    headers: dict[str, list[str]] = {}
    for name, value in start["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return Answer(start["status"], headers, body, time.perf_counter() - began)


async def _carry(app: ASGIApp, asked: Asked) -> list[Message]:
    sent: list[Message] = []
    answered = anyio.Event()
    coming = list(reversed(asked.pieces or [b""]))

    async def receive() -> Message:
        if not coming:
            if asked.stays:
                await answered.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": coming.pop(), "more_body": bool(coming)}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            answered.set()

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": "http",
        "path": unquote(asked.path.decode("latin-1")),
        "raw_path": asked.path,
        "query_string": asked.query,
        "root_path": "",
        "headers": asked.headers,
        "client": ("127.0.0.1", 50000),
        "server": ("test", 80),
        "state": {},
    }
    await app(scope, receive, send)
    return sent


def length(body: bytes) -> Headers:
    """The header that says how long a body is."""
    return [(b"content-length", str(len(body)).encode())]


def _quoted(said: bytes) -> str:
    plain = {ord("'"): "\\'", ord("\\"): "\\\\"}
    return "$'" + "".join(plain.get(one) or (chr(one) if 32 <= one < 127 else f"\\x{one:02x}") for one in said) + "'"


def parsed(answer: Answer) -> Any:
    """The JSON of an answer; None where it is none."""
    try:
        return json.loads(answer.body)
    except ValueError:
        return None
