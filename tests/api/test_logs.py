"""The logs hold nothing of anybody; that the suite would notice, and where words could slip in."""

import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api import logs
from api.app import create_app
from api.logs import log
from api.settings import Settings
from models.database import Database, open_database
from tests.api.conftest import Clinic, a_peopled_clinic, assert_problem
from tests.api.test_bad_input import a_body
from tests.asgi import InProcess
from tests.conftest import Clock, copied
from tests.overhearing import overhearing

NOTE = "my left knee buckles on the stairs"


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO, logging.ERROR])
@pytest.mark.parametrize(
    ("said", "given", "extra"),
    [
        ("%s", "note", {}),
        ("heard %r of somebody", "note", {}),
        ("session", None, {"error": "note"}),
        ("%s", "token", {}),
        ("no patient named %s", "query", {}),
        ("of %s", "id", {}),
        ("of %s", "name", {}),
        ("for %s.", "password", {}),
    ],
)
def test_a_word_in_a_log_would_be_noticed(
    client: httpx.Client, clinic: Clinic, level: int, said: str, given: str | None, extra: dict[str, str]
) -> None:
    told = {
        "note": NOTE,
        "token": clinic.patient["Authorization"].removeprefix("Bearer "),
        "query": "Nobody-Such",
        "id": str(clinic.program_id),
        "name": "Archer",
        "password": "correct horse battery",
    }
    form = {"grant_type": "password", "username": "a@b.example", "password": told["password"]}
    with overhearing() as overheard:
        client.put(f"/v1/sessions/{uuid4()}", json=a_body(clinic, note=NOTE), headers=clinic.patient)
        client.get(f"/v1/patients?name={told['query']}", headers=clinic.therapist)
        client.get(f"/v1/patients/{clinic.patient_id}", headers=clinic.therapist)
        client.post("/v1/auth/token", data=form)
        assert overheard.lines
        assert not overheard.leaks()
        log.log(level, said, *([told[given]] if given else []), extra={key: told[name] for key, name in extra.items()})
        (leak,) = overheard.leaks()
    assert leak[0] == told[given or "note"]


def test_an_accident_tells_nothing_of_what_it_was_about(app: FastAPI, client: httpx.Client, clinic: Clinic) -> None:
    def broken() -> None:
        try:
            int(NOTE)
        except ValueError as error:
            raise RuntimeError(f"Ann Archer: {NOTE}") from error

    with overhearing() as overheard:
        app.state.clock = broken
        answer = client.put(f"/v1/sessions/{uuid4()}", json=a_body(clinic, note=NOTE), headers=clinic.patient)
        assert_problem(answer, 500, "accident")
        overheard.hear("Archer")
        assert any("RuntimeError" in line for line in overheard.lines)
        assert not overheard.leaks()
    assert NOTE not in answer.text


def test_a_database_error_does_not_quote_what_was_written(database: Database) -> None:
    with pytest.raises(SQLAlchemyError) as refused, database.writing() as tx:
        tx.execute(text("INSERT INTO no_such_table (note) VALUES (:note)"), {"note": NOTE})
    assert "no_such_table" in str(refused.value)
    assert NOTE not in f"{refused.value} {refused.value!r}"


@pytest.fixture
def talkative(template: str) -> Iterator[Database]:
    """A database whose every statement is logged, as whoever looks for a mistake would have it."""
    statements = logging.getLogger("sqlalchemy.engine")
    statements.setLevel(logging.INFO)
    try:
        with copied(template) as url:
            engine, database = open_database(url)
            yield database
            engine.dispose()
    finally:
        statements.setLevel(logging.NOTSET)


def test_statements_are_logged_without_what_they_carry(
    talkative: Database, portal: BlockingPortal, clock: Clock, tmp_path: Path
) -> None:
    app = create_app(Settings(sweep_seconds=0), talkative)
    app.state.clock = lambda: clock.now
    with overhearing() as overheard, httpx.Client(transport=InProcess(app, portal), base_url="http://test") as client:
        clinic = a_peopled_clinic(talkative, tmp_path)
        answer = client.put(f"/v1/sessions/{uuid4()}", json=a_body(clinic, note=NOTE), headers=clinic.patient)
        assert answer.status_code == 201
        new = {"given_name": "Wilhelmina", "family_name": "Quist", "email": "w.quist@mail.example"}
        assert client.post("/v1/patients", json=new, headers=clinic.therapist).status_code == 201
        client.get("/v1/worklist", headers=clinic.therapist)
        assert any("INSERT INTO patient " in line for line in overheard.lines.values())
        assert not overheard.leaks()


def test_others_details_are_not_logged_whatever_level_is_asked_for() -> None:
    root, ours = logging.getLogger(), logging.getLogger("followthrough")
    before = (root.handlers[:], root.level, ours.level)
    try:
        for level, ours_is, root_is in (("debug", 10, 20), ("info", 20, 20), ("warning", 30, 30)):
            root.handlers = []
            logs.start(level)
            assert (ours.level, root.level) == (ours_is, root_is)
            assert not logging.getLogger("python_multipart.multipart").isEnabledFor(logging.DEBUG)
            assert logging.getLogger("uvicorn.access").disabled
    finally:
        root.handlers, (root.level, ours.level) = before[0], before[1:]
        logging.getLogger("uvicorn.access").disabled = False
    with pytest.raises(ValueError, match="level"):
        logs.start("loud")
