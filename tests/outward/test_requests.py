"""Requests as they really go out: to a server on this machine, and never where they must not."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from api import outward
from api.outward import post
from models.delivery.addresses import Allowed
from models.delivery.retries import Attempt, Failure
from tests.outward.receiver import Receiver, a_closed_port, a_receiver, a_slow_line

HERE = Allowed(plain_http=True, private=True)
SHORT = timedelta(seconds=0.5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as receiver:
        yield receiver


@pytest.fixture
def resolving(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Let every name resolve to these addresses, one answer a question; gives the names that were asked for."""

    def resolve(*answers: list[str], port: int | None = None) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: str, said_port: int, **_: Any) -> list[Any]:
            asked.append(host)
            found = answers[min(len(asked), len(answers)) - 1]
            return [
                (
                    socket.AF_INET6 if ":" in address else socket.AF_INET,
                    socket.SOCK_STREAM,
                    6,
                    "",
                    (address, port or said_port, 0, 0) if ":" in address else (address, port or said_port),
                )
                for address in found
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return resolve


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Nothing is connected to; what would have been is listed."""
    tried: list[object] = []

    def connect(_line: socket.socket, where: object) -> None:
        tried.append(where)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


def test_a_request_arrives_as_it_was_sent(receiver: Receiver) -> None:
    attempt = post(f"{receiver.base}/hooks/a?b=c", {"webhook-id": "msg_1"}, b'{"a":1}', HERE)
    assert attempt == Attempt(status=204)
    (heard,) = receiver.heard
    assert (heard.path, heard.body, heard.id) == ("/hooks/a?b=c", b'{"a":1}', "msg_1")
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert heard.headers["user-agent"].startswith("followthrough/")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_success(receiver: Receiver, status: int) -> None:
    receiver.status = status
    assert post(receiver.base, {}, b"{}", HERE).arrived


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503])
def test_anything_else_is_not_and_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.status = status
    receiver.headers = {"Location": f"{receiver.base}/elsewhere", "Retry-After": "120"}
    attempt = post(receiver.base, {}, b"{}", HERE)
    assert (attempt.failure, attempt.status) == (Failure.STATUS, status)
    assert attempt.retry_after == (timedelta(minutes=2) if status in {429, 503} else None)
    assert [heard.path for heard in receiver.heard] == ["/"]


def test_a_server_that_keeps_silent_is_given_up_in_time(receiver: Receiver) -> None:
    enough = Event()

    def wait(_: BaseHTTPRequestHandler) -> None:
        enough.wait(5)

    receiver.answer = wait
    began = time.monotonic()
    assert post(receiver.base, {}, b"{}", HERE, timeout=SHORT).failure is Failure.TIMEOUT
    assert time.monotonic() - began < 3
    enough.set()


def test_a_server_that_speaks_a_byte_at_a_time_is_given_up_in_time_too() -> None:
    """Each single read is quick: only the deadline of the whole ends it."""
    with a_slow_line(lambda: time.sleep(0.1)) as port:
        began = time.monotonic()
        attempt = post(f"http://127.0.0.1:{port}/", {}, b"{}", HERE, timeout=SHORT)
        assert attempt.failure is Failure.TIMEOUT
        assert time.monotonic() - began < 3


def test_who_is_not_there_is_unreachable(resolving: Callable[..., list[str]]) -> None:
    assert post(f"http://127.0.0.1:{a_closed_port()}/", {}, b"{}", HERE).failure is Failure.UNREACHABLE
    resolving([])
    assert post("http://nobody.example/", {}, b"{}", HERE).failure is Failure.UNREACHABLE


def test_a_name_that_cannot_be_one_is_unreachable() -> None:
    assert post(f"http://{'a' * 70}.example/", {}, b"{}", HERE).failure is Failure.UNREACHABLE


def test_what_does_not_speak_http_is_told_apart() -> None:
    def hang_up(line: socket.socket) -> None:
        with line.accept()[0] as other:
            other.recv(1000)
            other.sendall(b"220 mail.example ESMTP\r\n")

    with socket.create_server(("127.0.0.1", 0)) as line:
        serving = Thread(target=hang_up, args=[line], daemon=True)
        serving.start()
        attempt = post(f"http://127.0.0.1:{line.getsockname()[1]}/", {}, b"{}", HERE)
        serving.join()
    assert attempt.failure is Failure.NO_HTTP


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "fe80::1",
    ],
)
def test_a_name_that_resolves_into_our_network_is_not_connected_to(
    resolving: Callable[..., list[str]], connected: list[object], address: str
) -> None:
    resolving([address])
    attempt = post("https://innocent.example/", {}, b"{}", Allowed())
    assert (attempt.failure, connected) == (Failure.FORBIDDEN_ADDRESS, [])
    resolving(["1.1.1.1", address])
    attempt = post("https://innocent.example/", {}, b"{}", Allowed())
    assert (attempt.failure, connected) == (Failure.FORBIDDEN_ADDRESS, [])


@pytest.mark.parametrize("url", ["https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://localhost/"])
def test_other_ways_to_write_this_machine_are_not_connected_to(connected: list[object], url: str) -> None:
    assert post(url, {}, b"{}", Allowed()).failure is Failure.FORBIDDEN_ADDRESS
    assert connected == []


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://[::1]/", "https://[::ffff:7f00:1]/", "http://a.example/"]
)
def test_a_url_that_a_setting_no_longer_allows_is_not_connected_to(connected: list[object], url: str) -> None:
    assert post(url, {}, b"{}", Allowed()).failure is Failure.FORBIDDEN_ADDRESS
    assert connected == []


def test_a_name_is_resolved_once_and_what_was_looked_at_is_connected_to(
    receiver: Receiver, resolving: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers differently the second time gets no second question."""
    monkeypatch.setattr(outward, "is_public", lambda address: str(address) == "127.0.0.1")
    asked = resolving(["127.0.0.1"], ["10.0.0.1"], port=receiver.port)
    attempt = post("http://hooks.example/", {}, b"{}", Allowed(plain_http=True))
    assert (attempt.arrived, asked) == (True, ["hooks.example"])
    assert receiver.heard[0].headers["host"] == "hooks.example"


def test_a_second_address_is_tried_where_the_first_is_dead(
    receiver: Receiver, resolving: Callable[..., list[str]]
) -> None:
    resolving(["::1", "127.0.0.1"], port=receiver.port)
    assert post("http://hooks.example/", {}, b"{}", HERE).arrived


def test_proxies_of_the_environment_are_not_asked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{a_closed_port()}")
    assert post(receiver.base, {}, b"{}", HERE).arrived


def test_https_at_a_server_without_it_is_a_tls_failure(receiver: Receiver) -> None:
    attempt = post(f"https://127.0.0.1:{receiver.port}/", {}, b"{}", HERE, timeout=timedelta(seconds=5))
    assert attempt.failure is Failure.TLS
    assert receiver.heard == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_a_certificate_must_be_trusted_and_must_name_the_host(
    tmp_path: Path, resolving: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hooks.example"]
    made += ["-addext", "subjectAltName=DNS:hooks.example", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([shutil.which("openssl") or "", *made], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)

    def answer(line: socket.socket) -> None:
        for _ in range(3):
            try:
                with line.accept()[0] as plain, server.wrap_socket(plain, server_side=True) as other:
                    asked = b""
                    while not asked.endswith(b"{}"):  # hung up on too early, who asks might not hear the answer
                        asked += other.recv(5000)
                    other.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            except OSError:
                continue  # who asked did not like the certificate

    with socket.create_server(("127.0.0.1", 0)) as line:
        resolving(["127.0.0.1"], port=line.getsockname()[1])
        serving = Thread(target=answer, args=[line], daemon=True)
        serving.start()
        assert post("https://hooks.example/", {}, b"{}", HERE).failure is Failure.TLS
        trusting = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr(outward, "_trust", lambda: trusting)
        assert post("https://hooks.example/", {}, b"{}", HERE).arrived
        assert post("https://others.example/", {}, b"{}", HERE).failure is Failure.TLS
        serving.join(5)
