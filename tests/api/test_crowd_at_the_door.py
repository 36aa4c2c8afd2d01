"""Many who sign in at once keep nobody else waiting, and do not wait for ever themselves."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import uuid4

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI

from api.hashing import AT_ONCE, MOST_WAITING, Hashing
from models.database import POOL_SIZE, Database
from tests.api.conftest import Clinic, a_peopled_clinic, assert_problem
from tests.asgi import InProcess
from tests.builders import NOON

CROWD = 50
assert POOL_SIZE < CROWD < MOST_WAITING


@pytest.fixture
def room(app: FastAPI) -> Iterator[Hashing]:
    room = app.state.hashing = Hashing()
    yield room
    app.state.hashing = Hashing()


@pytest.fixture
def client(app: FastAPI, shared_database: Database, portal: BlockingPortal) -> Iterator[httpx.Client]:
    """One whose every request has a transaction of its own."""
    app.state.database = shared_database
    app.state.clock = lambda: NOON
    with httpx.Client(transport=InProcess(app, portal), base_url="http://test") as client:
        yield client


@pytest.fixture
def peopled(shared_database: Database, folder: object) -> Clinic:
    return a_peopled_clinic(shared_database, folder)  # type: ignore[arg-type]


def login(client: httpx.Client, number: int) -> httpx.Response:
    said = {"grant_type": "password", "username": f"{number}@clinic.example", "password": "a guess"}
    return client.post("/v1/auth/token", data=said)


async def occupy(room: Hashing, leave: Event) -> bool:
    return await room.run(leave.wait)


def until_waiting(room: Hashing, portal: BlockingPortal, count: int) -> None:
    """Wait for the crowd to gather."""
    began = time.monotonic()
    while portal.call(room.waiting) < count:
        assert time.monotonic() - began < 60


def test_a_log_is_answered_while_logins_queue(
    client: httpx.Client, peopled: Clinic, room: Hashing, portal: BlockingPortal
) -> None:
    leave = Event()
    with ThreadPoolExecutor(CROWD + MOST_WAITING) as crowd:
        try:
            hashing = [portal.start_task_soon(occupy, room, leave) for _ in range(AT_ONCE)]
            logins = [crowd.submit(login, client, number) for number in range(CROWD)]
            until_waiting(room, portal, CROWD)
            assert client.get("/healthz").status_code == 200
            session = {
                "program_id": str(peopled.program_id),
                "performed_at": NOON.isoformat(),
                "time_zone": "UTC",
                "local_date": NOON.date().isoformat(),
                "done": "all",
            }
            logged = client.put(f"/v1/sessions/{uuid4()}", json=session, headers=peopled.patient)
            assert logged.status_code == 201, logged.text
            assert not any(one.done() for one in logins)
            logins += [crowd.submit(login, client, number) for number in range(CROWD, MOST_WAITING)]
            until_waiting(room, portal, MOST_WAITING)
            turned_away = login(client, 1000)
            assert assert_problem(turned_away, 503, "busy")["retryable"] is True
            assert turned_away.headers["retry-after"] == "2"
        finally:
            leave.set()
        assert {one.result().status_code for one in logins} <= {400, 429}
        assert all(one.result() for one in hashing)
    assert login(client, 2000).status_code in {400, 429}
