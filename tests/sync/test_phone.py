"""The reference phone keeps the discipline that docs/mobile-client.md asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from sqlalchemy import func, select

from models.database import Database
from models.operations import patients
from models.operations.callers import Caller
from models.tables import SessionLog
from tests.asgi import InProcess
from tests.builders import BORN, MONDAY, NOON, a_clinic, a_patient, a_program
from tests.conftest import Clock
from tests.sync.phone import Json, Phone, SignedOutError
from tests.sync.wire import Delivery, Trouble, Wire


@dataclass
class Pocket:
    """A phone, the way it goes to the clinic, and the clinic."""

    phone: Phone
    wire: Wire
    database: Database
    ines: Caller
    patient_id: UUID
    program_id: UUID
    clock: Clock

    def log(self, **but: object) -> str:
        return self.phone.log(
            {
                "program_id": str(self.program_id),
                "performed_at": NOON.isoformat(),
                "time_zone": "Europe/London",
                "local_date": MONDAY.isoformat(),
                "done": "all",
                **but,
            }
        )

    def invite(self) -> str:
        with self.database.writing() as tx:
            return patients.invite(tx, self.ines, self.patient_id, now=self.clock.now)[1]

    def held(self) -> int:
        with self.database.reading() as tx:
            return tx.scalar(select(func.count()).select_from(SessionLog)) or 0

    @property
    def sent(self) -> list[list[Json]]:
        return [delivery.body["items"] for delivery in self.wire.arrived]


@pytest.fixture
def pocket(app: FastAPI, portal: BlockingPortal, database: Database, clock: Clock, tmp_path: Path) -> Iterator[Pocket]:
    app.state.database, app.state.clock = database, lambda: clock.now
    with database.writing() as tx:
        ines = a_clinic(tx)
        ann = a_patient(tx, ines)
        program_id = a_program(tx, ines, ann).program.id
    arrived: list[Delivery] = []
    wire = Wire(InProcess(app, portal), 0, clock, arrived)
    with httpx.Client(transport=wire, base_url="http://test/v1") as http:
        phone = Phone(tmp_path / "phone.db", http, lambda: clock.now, Random(1))
        pocket = Pocket(phone, wire, database, ines, ann.id, program_id, clock)
        phone.sign_in(pocket.invite(), BORN.isoformat())
        yield pocket
        phone.db.close()


def test_waits_grow_with_some_chance_and_end_with_an_answer(pocket: Pocket) -> None:
    pocket.log()
    pocket.wire.ahead = [Trouble.LOST] * 12
    waits = [pocket.phone.sync() for _ in range(12)]
    for number, wait in enumerate(waits):
        longest = min(300, 2**number)
        assert longest / 2 <= wait <= longest
    pocket.wire.ahead = [Trouble.BUSY]
    assert pocket.phone.sync() >= 5  # the clinic says when
    assert pocket.phone.sync() == 0.0
    pocket.wire.ahead = [Trouble.LOST]
    assert 0.5 <= pocket.phone.sync() <= 1


def test_an_answer_that_was_lost_is_asked_for_again_and_nothing_is_doubled(pocket: Pocket) -> None:
    session_id = pocket.log()
    pocket.wire.ahead = [Trouble.UNHEARD]
    assert pocket.phone.sync() > 0
    # It may be there by now, so the change comes behind it.
    pocket.phone.amend(session_id, note="and a walk")
    assert pocket.phone.sync() == 0.0
    assert pocket.sent[0] == pocket.sent[1]
    assert [result["outcome"] for delivery in pocket.wire.arrived for result in delivery.results] == [
        "created",
        "unchanged",
        "updated",
    ]
    assert pocket.phone.sessions()[session_id]["note"] == "and a walk"
    assert pocket.held() == 1


def test_what_was_never_sent_is_changed_where_it_waits(pocket: Pocket) -> None:
    kept, gone = pocket.log(), pocket.log()
    pocket.phone.amend(kept, effort=3)
    pocket.phone.amend(kept, effort=3)
    pocket.phone.take_back(gone)
    assert pocket.phone.sync() == 0.0
    ((item,),) = pocket.sent
    assert (item["id"], item["session"]["effort"], item.get("base_version")) == (kept, 3, None)


def test_a_batch_that_is_too_large_is_halved_until_it_fits(pocket: Pocket) -> None:
    for _ in range(205):
        pocket.log()
    pocket.phone.batch = 1000
    assert pocket.phone.sync() == 0.0
    assert [len(items) for items in pocket.sent] == [102, 102, 1]
    assert pocket.held() == 205


def test_an_item_too_large_by_itself_does_not_stop_the_others(pocket: Pocket) -> None:
    large = pocket.log(note="x" * 1_100_000)
    pocket.log()
    assert pocket.phone.sync() == 0.0
    assert pocket.held() == 1
    ((item, problem),) = pocket.phone.refused()
    assert (item["id"], problem["code"]) == (large, "too_large")
    assert pocket.phone.queued() == []


def test_a_token_that_ran_out_is_refreshed_and_a_phone_shut_out_keeps_its_queue(pocket: Pocket) -> None:
    pocket.log()
    pocket.clock.now += timedelta(days=10)
    assert pocket.phone.sync() == 0.0
    pocket.log()
    pocket.clock.now += timedelta(days=200)
    with pytest.raises(SignedOutError):
        pocket.phone.sync()
    assert len(pocket.phone.queued()) == 1
    pocket.phone.sign_in(pocket.invite(), BORN.isoformat())
    assert pocket.phone.sync() == 0.0
    assert (pocket.held(), len(pocket.phone.sessions())) == (2, 2)


def test_a_cursor_that_cannot_be_gone_on_from_is_given_up_and_the_queue_kept(pocket: Pocket) -> None:
    session_id = pocket.log()
    pocket.phone.sync()
    pocket.phone._keep("cursor", "bm90IG91cnM")
    pocket.phone.db.execute("update session set version = 9")  # as if the clinic had forgotten the rest
    other = pocket.log()
    assert pocket.phone.sync() == 0.0
    rows = pocket.phone.db.execute("select id, version from session").fetchall()
    assert dict(rows) == {session_id: 1, other: 1}


def test_a_refused_session_is_shown_to_the_patient_and_what_rests_on_it_goes_on(pocket: Pocket) -> None:
    session_id = pocket.log(pain_during=99, chips=["RF-01"])
    doomed = pocket.log(pain_during=99)
    pocket.wire.ahead = [Trouble.LOST]
    pocket.phone.sync()
    pocket.phone.amend(session_id, pain_during=9)
    pocket.phone.take_back(doomed)
    assert pocket.phone.sync() == 0.0
    assert [item["id"] for item, _ in pocket.phone.refused()] == [session_id, doomed]
    assert pocket.phone.sessions()[session_id]["pain_during"] == 9
    assert (pocket.phone.queued(), pocket.held()) == ([], 1)
    assert any("emergency" in advice for advice in pocket.phone.advice())


@pytest.mark.parametrize("wrong", [timedelta(days=700), timedelta(days=-700)])
def test_a_clock_set_right_before_the_first_push_takes_what_waits_along(pocket: Pocket, wrong: timedelta) -> None:
    """As when the network comes back and with it the time."""
    at = NOON + wrong
    session_id = pocket.log(performed_at=at.isoformat(), local_date=at.date().isoformat())
    pocket.phone.clock_was_set(-wrong)
    assert pocket.phone.sync() == 0.0
    (delivery,) = pocket.wire.arrived
    assert delivery.results[0]["outcome"] == "created"
    shown = pocket.phone.sessions()[session_id]
    assert (shown["performed_at"], shown["local_date"]) == ("2025-03-03T12:00:00Z", "2025-03-03")
