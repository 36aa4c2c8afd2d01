"""The server's connections, over real sockets: nobody keeps one for nothing, and every refusal is a problem."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import httpx
import pytest
import uvicorn

from api import serving
from api.app import create_app
from api.headers import ALWAYS
from api.serving import Connection
from api.settings import Settings
from models.database import Database
from tests.postgres import wait_for

SECONDS = 0.4
HEADER_LIMIT = 4096
HEAD = b"GET /healthz HTTP/1.1\r\nHost: here\r\n"
PUSH = b"POST /v1/sync/push HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"


@dataclass(frozen=True)
class Here:
    """A server on a port of its own."""

    port: int
    server: uvicorn.Server

    @contextmanager
    def line(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
            yield line


@contextmanager
def a_server(app: Any, *, most: int = 50, **options: Any) -> Iterator[Here]:
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=cast("Any", partial(Connection, header_limit=HEADER_LIMIT, seconds=SECONDS, most=most)),
        ws="none",
        log_config=None,
        **{"proxy_headers": False, "timeout_keep_alive": 5, **options},
    )
    server = uvicorn.Server(config)
    running = threading.Thread(target=server.run, args=([listening],))
    running.start()
    try:
        wait_for(lambda: server.started)
        yield Here(listening.getsockname()[1], server)
    finally:
        server.should_exit = True
        running.join()
        listening.close()


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    settings = Settings(sweep_seconds=0, request_seconds=SECONDS)
    with a_server(create_app(settings, cast("Database", None))) as here:
        yield here


def heard(line: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    told = b""
    try:
        while some := line.recv(65_536):
            told += some
    except ConnectionResetError:
        pass
    return told


def problem_in(told: bytes) -> dict[str, Any]:
    """The problem an answer is; it has every header that other answers have."""
    head, _, body = told.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    said: dict[str, Any] = json.loads(body)
    assert status.split()[1] == str(said["status"])
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert headers["x-request-id"] == said["request_id"]
    for name, value in ALWAYS.items():
        assert headers[name.decode()] == value.decode().lower()
    return said


@pytest.mark.parametrize("sent", [b"GET", HEAD, HEAD + b"X-Slow: " + b"a" * 100])
def test_headers_that_do_not_end_are_not_waited_for(here: Here, sent: bytes) -> None:
    with here.line() as line:
        line.sendall(sent)
        assert problem_in(heard(line))["code"] == "too_slow"


def test_headers_that_trickle_are_not_waited_for_either(here: Here) -> None:
    with here.line() as line:
        line.settimeout(SECONDS / 10)
        told = b""
        try:
            for letter in HEAD[:-2] + b"x" * 1000:
                line.sendall(bytes([letter]))
                try:
                    told += line.recv(65_536)
                except TimeoutError:
                    continue
                break
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert b" 408 " in told


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
def test_who_says_nothing_is_not_answered(here: Here, sent: bytes) -> None:
    with here.line() as line:
        line.sendall(sent)
        assert heard(line) == b""


def test_a_body_that_does_not_arrive_is_not_waited_for(here: Here) -> None:
    with here.line() as line:
        line.sendall(PUSH + b'{"items": [')
        assert problem_in(heard(line))["code"] == "too_slow"


def test_a_body_that_nobody_reads_does_not_keep_the_connection(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.serving._AFTER_THE_DOOR", 0)
    with here.line() as line:
        line.sendall(PUSH.replace(b"50", b"2000000000") + b"x")
        told = heard(line)  # hangs up though more could come
        assert b" 413 " in told


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"X-Long: " + b"a" * HEADER_LIMIT + b"\r\n\r\n",
        HEAD + b"X-Long: " + b"a" * 2 * HEADER_LIMIT,
        HEAD + b"X: y\r\n" * HEADER_LIMIT + b"\r\n",
        b"GET /" + b"a" * HEADER_LIMIT + b" HTTP/1.1\r\n\r\n",
        b"GET /healthz?" + b"a" * 10 * HEADER_LIMIT,
    ],
)
def test_headers_without_measure(here: Here, sent: bytes) -> None:
    with here.line() as line:
        line.sendall(sent)
        said = problem_in(heard(line))
        assert (said["status"], said["code"]) == (431, "headers_too_large")


def test_ordinary_headers_are_taken(here: Here) -> None:
    with here.line() as line:
        line.sendall(HEAD + b"X-Long: " + b"a" * (HEADER_LIMIT - 200) + b"\r\nConnection: close\r\n\r\n")
        assert heard(line).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        HEAD + b"Content-Length: x\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"No colon\r\n\r\n",
    ],
)
def test_what_is_no_request_is_a_problem(here: Here, sent: bytes) -> None:
    with here.line() as line:
        line.sendall(sent)
        said = problem_in(heard(line))
        assert (said["status"], said["code"]) == (400, "malformed_request")


def test_a_connection_serves_many_requests_one_after_the_other(here: Here) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{here.port}") as client:
        for _ in range(5):
            assert client.get("/healthz").status_code == 200
        assert len(here.server.server_state.connections) == 1
    with here.line() as line:
        line.sendall((HEAD + b"\r\n") * 2 + HEAD + b"Connection: close\r\n\r\n")
        assert heard(line).count(b"HTTP/1.1 200") == 3


def test_what_comes_after_an_answer_is_bounded_too() -> None:
    with a_server(create_app(Settings(sweep_seconds=0), cast("Database", None)), timeout_keep_alive=0.3) as here:
        for idle in (b"", b"\r\n"):
            with here.line() as line:
                line.sendall(HEAD + b"\r\n" + idle)
                assert heard(line).count(b"HTTP/1.1 200") == 1
        with here.line() as line:
            line.sendall(HEAD + b"\r\n" + HEAD)  # and half a second one
            assert b" 408 " in heard(line)


def test_who_does_not_read_the_answer_is_left() -> None:
    gone = threading.Event()

    async def talking(scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(400):
                await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            gone.set()

    with a_server(talking) as here, here.line() as line:
        line.sendall(HEAD + b"\r\n")
        assert gone.wait(10)  # the server goes on without us
        wait_for(lambda: not here.server.server_state.connections)


def test_there_is_an_end_to_connections() -> None:
    with a_server(create_app(Settings(sweep_seconds=0), cast("Database", None)), most=3) as here:
        lines = [socket.create_connection(("127.0.0.1", here.port), timeout=10) for _ in range(3)]
        wait_for(lambda: len(here.server.server_state.connections) == 3)
        with here.line() as line:
            told = heard(line)
            assert (problem_in(told)["status"], b"retry-after: 5" in told) == (503, True)
        for line in lines:
            line.close()
        wait_for(lambda: not here.server.server_state.connections)
        assert httpx.get(f"http://127.0.0.1:{here.port}/healthz").status_code == 200


async def who(scope: Any, _receive: Any, send: Any) -> None:
    """Answers with the address it was called from."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["client"][0].encode()})


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        ((), "198.51.100.7", "127.0.0.1"),
        (("127.0.0.1/32",), "198.51.100.7", "198.51.100.7"),
        (("127.0.0.0/8",), "203.0.113.5, 198.51.100.7", "198.51.100.7"),
        (("127.0.0.0/8", "198.51.100.0/24"), "203.0.113.5, 198.51.100.7", "203.0.113.5"),
        (("192.0.2.1/32",), "198.51.100.7", "127.0.0.1"),
    ],
)
def test_only_a_trusted_proxy_says_who_is_calling(
    monkeypatch: pytest.MonkeyPatch, trusted: tuple[str, ...], forwarded: str, address: str
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # what uvicorn reads by itself
    said: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda _app, **options: said.update(options))
    serving.serve("x", replace(Settings(), trusted_proxies=trusted), workers=1)
    chosen = {name: said[name] for name in ("proxy_headers", "forwarded_allow_ips")}
    with a_server(who, **chosen) as here:
        answer = httpx.get(f"http://127.0.0.1:{here.port}/", headers={"X-Forwarded-For": forwarded})
        assert answer.text == address
