"""A phone and a clinic that went back in time: what the phone had been told is stored is stored again."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from sqlalchemy import func, select

from models.database import open_database
from models.operations import patients
from models.tables import SessionLog
from tests.asgi import InProcess
from tests.backups.conftest import Safe
from tests.builders import BORN, MONDAY, NOON, a_clinic, a_patient, a_program
from tests.conftest import Clock
from tests.sync.phone import Phone, SignedOutError


def test_a_phone_says_again_what_a_restored_clinic_forgot(
    app: FastAPI,
    portal: BlockingPortal,
    clock: Clock,
    source: str,
    empty: Callable[[], str],
    safe: Safe,
    tmp_path: Path,
) -> None:
    engine, app.state.database = open_database(source)
    app.state.clock = lambda: clock.now
    with app.state.database.writing() as tx:
        ines = a_clinic(tx)
        ann = a_patient(tx, ines)
        program_id = a_program(tx, ines, ann).program.id
        code = patients.invite(tx, ines, ann.id, now=NOON)[1]
    said = {"program_id": str(program_id), "performed_at": NOON.isoformat(), "time_zone": "Europe/London"}
    said |= {"local_date": MONDAY.isoformat(), "done": "all"}
    with httpx.Client(transport=InProcess(app, portal), base_url="http://test/v1") as http:
        phone = Phone(tmp_path / "phone.db", http, lambda: clock.now, Random(1))
        phone.sign_in(code, BORN.isoformat())
        kept, changed, taken_back = (phone.log(said | {"effort": number}) for number in range(3))
        assert phone.sync() == 0.0
        safe.back_up(source)

        clock.now += timedelta(hours=1)
        new = phone.log(said | {"note": "after the backup"})
        phone.amend(changed, pain_during=4)
        phone.take_back(taken_back)
        assert phone.sync() == 0.0
        queued = phone.log(said | {"note": "still on the phone"})
        shown = phone.sessions()
        engine.dispose()

        restored = empty()
        anew = safe.restore(restored)
        assert (anew.clinics, anew.sign_ins, anew.invitations) == (1, 1, 0)
        engine, app.state.database = open_database(restored)
        with pytest.raises(SignedOutError):
            phone.sync()
        with app.state.database.writing() as tx:
            code = patients.invite(tx, ines, ann.id, now=clock.now)[1]
        phone.sign_in(code, BORN.isoformat())
        assert phone.sync() == 0.0
        assert (phone.queued(), phone.conflicts(), phone.refused()) == ([], [], [])
        assert phone.sessions().keys() == shown.keys() == {kept, changed, new, queued}
        phone.db.close()
    with app.state.database.reading() as tx:
        held = {
            one.id: (one.version, one.pain_during, one.note, one.deleted_at is not None)
            for one in tx.scalars(select(SessionLog))
        }
        assert tx.scalar(select(func.count()).select_from(SessionLog)) == 5
    engine.dispose()
    assert held[UUID(kept)] == (1, None, None, False)
    assert held[UUID(changed)] == (2, 4, None, False)
    assert held[UUID(taken_back)][3]
    assert held[UUID(new)] == (1, None, "after the backup", False)
    assert held[UUID(queued)] == (1, None, "still on the phone", False)
