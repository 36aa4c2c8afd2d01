"""Something to send to: a real HTTP server and a real mail server on this machine."""

import socket
import socketserver
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller


@dataclass(frozen=True)
class Heard:
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """Answers every request with `status`, or as `answer` says, and remembers it."""

    base: str
    port: int
    heard: list[Heard] = field(default_factory=list)
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None


@contextmanager
def a_receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.heard.append(Heard(self.path, headers, body))
            if receiver.answer is not None:
                receiver.answer(self)
                return
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Who asked has hung up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        port = server.server_address[1]
        receiver = Receiver(f"http://127.0.0.1:{port}", port)
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        serving.start()
        yield receiver
        server.shutdown()
        serving.join()


@contextmanager
def a_slow_line(pause: Callable[[], None]) -> Iterator[int]:
    """The port of a server that answers a byte at a time, and never comes to an end."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                for _ in range(1000):
                    self.request.sendall(b"H")
                    pause()
            except OSError:
                return  # who asked has hung up

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        serving.start()
        yield server.server_address[1]
        server.shutdown()
        serving.join()


def a_closed_port() -> int:
    """A port nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass
class Postbox:
    """Mail that was handed over, with the addresses of its envelope; `says` is what is answered to the next."""

    port: int = 0
    received: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    says: str = "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  (aiosmtpd calls it)
        if self.says.startswith("250"):
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.received.append((list(envelope.rcpt_tos), message))
        return self.says


@contextmanager
def a_postbox() -> Iterator[Postbox]:
    postbox = Postbox(port=a_closed_port())
    controller = Controller(postbox, hostname="127.0.0.1", port=postbox.port)
    controller.start()
    yield postbox
    controller.stop()
