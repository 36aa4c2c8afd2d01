"""The door: who comes with too much, too slowly or when it is full is told so at once."""

import json
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from anyio.from_thread import BlockingPortal
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.app import create_app
from api.limits import Door
from api.settings import Settings
from models.database import Database
from tests.api.conftest import assert_problem
from tests.asgi import InProcess

LIMIT = 1000


class Counter:
    """An app that takes as long as it is told to, and counts who is inside."""

    def __init__(self) -> None:
        self.inside = self.most = self.served = 0
        self.go_on = anyio.Event()
        self.heard: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if scope["path"] == "/slow":
            await self.go_on.wait()
        message = await receive()
        self.heard.append(message["body"])
        self.inside -= 1
        self.served += 1
        await PlainTextResponse("done")(scope, receive, send)


async def ask(app: ASGIApp, path: str = "/quick", *pieces: Message, **headers: str) -> httpx.Response:
    """One request whose body comes in pieces; after the last nothing comes any more."""
    answer: dict[str, Any] = {"body": b""}
    left = list(pieces)

    async def receive() -> Message:
        if left:
            return left.pop(0)
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        answer.update({key: value for key, value in message.items() if key != "body"})
        answer["body"] += message.get("body", b"")

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "query_string": b"",
    }
    with anyio.fail_after(10):
        await app(scope, receive, send)
    return httpx.Response(answer.get("status", 499), headers=answer.get("headers"), content=answer["body"])


def piece(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def a_door(places: int = 2, seconds: float = 0.05, turns: int = 10) -> tuple[Door, Counter]:
    counter = Counter()
    return Door(counter, body_limit=LIMIT, seconds=seconds, places=places, turns=turns), counter


def test_the_body_comes_through_whole() -> None:
    async def story() -> None:
        door, counter = a_door()
        sent = (piece(b"one, ", more=True), piece(b"", more=True), piece(b"two"))
        for headers in ({"content_length": "8"}, {"transfer_encoding": "chunked"}):
            assert (await ask(door, "/quick", *sent, **headers)).text == "done"
        assert (await ask(door, "/quick", piece(b""))).status_code == 200
        assert counter.heard == [b"one, two", b"one, two", b""]

    anyio.run(story)


@pytest.mark.parametrize(
    ("pieces", "headers", "status", "code"),
    [
        ((), {"content_length": str(LIMIT + 1)}, 413, "too_large"),
        ((piece(b"x" * LIMIT, more=True), piece(b"x")), {"transfer_encoding": "chunked"}, 413, "too_large"),
        ((piece(b"x" * LIMIT, more=True), piece(b"x")), {"content_length": "5"}, 413, "too_large"),
        ((), {"content_length": "5"}, 408, "too_slow"),
        ((piece(b"x", more=True),), {"transfer_encoding": "chunked"}, 408, "too_slow"),
        ((piece(b"x" * LIMIT),), {"transfer_encoding": "chunked"}, 200, None),
        ((piece(b"x", more=True), {"type": "http.disconnect"}), {"content_length": "5"}, 499, None),
    ],
)
def test_what_is_too_much_or_too_slow(
    pieces: tuple[Message, ...], headers: dict[str, str], status: int, code: str | None
) -> None:
    async def story() -> None:
        door, counter = a_door()
        answer = await ask(door, "/quick", *pieces, **headers)
        assert answer.status_code == status
        assert counter.served == (status == 200)
        if code is not None:
            assert (answer.json()["code"], answer.headers["content-type"]) == (code, "application/problem+json")
        if code == "too_slow":
            assert (answer.headers["connection"], answer.json()["retryable"]) == ("close", True)
        assert (door._held, door._inside) == (0, 0)

    anyio.run(story)


def test_who_finds_all_places_taken_is_told_at_once_and_the_others_are_served() -> None:
    async def story() -> None:
        door, counter = a_door(places=2)
        answers: list[httpx.Response] = []

        async def slow() -> None:
            answers.append(await ask(door, "/slow", piece(b"")))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(slow)
            await anyio.wait_all_tasks_blocked()
            refused = [one.status_code for one in answers]
            assert refused == [503, 503, 503]  # while the two are still inside
            assert (await ask(door, "/healthz", piece(b""))).status_code == 200
            counter.go_on.set()
        assert sorted(one.status_code for one in answers) == [200, 200, 503, 503, 503]
        busy = answers[0]
        assert (busy.headers["retry-after"], busy.headers["content-type"]) == ("5", "application/problem+json")
        assert (busy.json()["code"], busy.json()["retryable"]) == ("busy", True)
        assert (await ask(door, "/quick", piece(b""))).status_code == 200  # there is room again

    anyio.run(story)


def test_a_few_are_worked_on_at_a_time_in_the_order_they_came() -> None:
    async def story() -> None:
        door, counter = a_door(places=10, turns=2)
        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(partial(ask, door, "/slow", piece(b"%d" % number), content_length="1"))
            await anyio.wait_all_tasks_blocked()
            assert (counter.inside, door._inside) == (2, 6)
            counter.go_on.set()
        assert (counter.most, counter.heard) == (2, [b"%d" % number for number in range(6)])
        assert door._turns.value == 2

    anyio.run(story)


def test_who_reads_the_answer_slowly_holds_up_nobody() -> None:
    reading = anyio.Event()

    async def telling(scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/slow":
            await reading.wait()
        await send({"type": "http.response.body", "body": b"done"})

    async def story() -> None:
        door = Door(telling, body_limit=LIMIT, seconds=1, places=9, turns=1)
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask, door, "/slow")
            await anyio.wait_all_tasks_blocked()
            assert (await ask(door, "/quick")).text == "done"
            assert (door._inside, door._turns.value) == (3, 1)
            reading.set()
        assert (door._inside, door._turns.value) == (0, 1)

    anyio.run(story)


def test_slow_senders_take_no_place() -> None:
    async def story() -> None:
        door, counter = a_door(places=1, seconds=5)
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(lambda: ask(door, "/quick", piece(b"x", more=True), content_length="9"))
            await anyio.wait_all_tasks_blocked()
            assert (counter.inside, door._held) == (0, 20)
            assert (await ask(door, "/quick", piece(b"y"), content_length="1")).status_code == 200
            tasks.cancel_scope.cancel()
        assert door._held == 0

    anyio.run(story)


def test_bodies_do_not_fill_the_memory() -> None:
    async def story() -> None:
        door, _counter = a_door(seconds=5)
        async with anyio.create_task_group() as tasks:
            for _ in range(64):
                tasks.start_soon(lambda: ask(door, "/quick", piece(b"x" * LIMIT, more=True), content_length="1000"))
            await anyio.wait_all_tasks_blocked()
            refused = await ask(door, "/quick", piece(b"x", more=True), content_length="2")
            assert (refused.status_code, refused.headers["connection"]) == (503, "close")
            tasks.cancel_scope.cancel()
        assert door._held == 0

    anyio.run(story)


def test_a_place_is_given_back_when_the_app_breaks() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError

    async def story() -> None:
        door = Door(broken, body_limit=LIMIT, seconds=1, places=1, turns=1)
        for _ in range(3):
            with pytest.raises(RuntimeError):
                await ask(door, "/quick", piece(b"x"), content_length="1")
        assert (door._inside, door._held, door._turns.value) == (0, 0, 1)

    anyio.run(story)


def test_the_application_has_that_door(database: Database, portal: BlockingPortal) -> None:
    app = create_app(Settings(sweep_seconds=0, requests_at_once=0), database)
    with httpx.Client(transport=InProcess(app, portal), base_url="http://test") as client:
        refused = client.get("/v1/me")
        assert_problem(refused, 503, "busy")
        assert refused.headers["retry-after"] == "5"
        assert client.get("/healthz").status_code == 200
    documented = json.dumps(app.openapi()["paths"]["/v1/sync/push"]["post"]["responses"])
    assert all(f'"{status}"' in documented for status in (408, 413, 503))
