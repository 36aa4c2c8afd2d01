"""What a forgotten filter finds behind the wall: nothing of anybody else's."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from sqlalchemy import Executable, delete, event, func, insert, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from models.database import Database, open_database
from models.operations import patients
from models.operations.callers import Caller
from models.operations.ids import new_id
from models.operations.walls import across, within
from models.tables import Account, Base, Clinic, Flag, Patient, Program, Role, SessionLog
from tests.asgi import InProcess
from tests.builders import MONDAY, NOON, a_clinic, a_patient, a_program, a_token, bearer, log_days
from tests.conftest import Clock, copied

TENANTS = [table for table in Base.metadata.sorted_tables if table.info["placement"] == "tenant"]


@dataclass
class Two:
    """Two clinics in one database, with a patient each."""

    database: Database
    ines: Caller
    theirs: Caller
    patient_id: UUID
    their_patient_id: UUID
    headers: dict[str, str]


def _told(database: Database) -> tuple[Caller, UUID, dict[str, str]]:
    with database.writing() as tx:
        ines = a_clinic(tx)
        ann = a_patient(tx, ines)
        log_days(tx, ines, a_program(tx, ines, ann).program.id, [MONDAY], chips=["fall"])
        return ines, ann.id, bearer(a_token(tx, ines))


def _two(url: str) -> Iterator[Two]:
    engine, database = open_database(url)
    ines, patient_id, headers = _told(database)
    theirs, their_patient_id, _ = _told(database)
    yield Two(database, ines, theirs, patient_id, their_patient_id, headers)
    engine.dispose()


@pytest.fixture
def two(hardened: str) -> Iterator[Two]:
    yield from _two(hardened)


@pytest.fixture
def two_unwalled(template: str) -> Iterator[Two]:
    with copied(template) as url:
        yield from _two(url)


def test_whoever_says_no_clinic_sees_nothing(two: Two) -> None:
    with two.database.reading() as tx:
        counts = {table.name: tx.scalar(select(func.count()).select_from(table)) for table in TENANTS}
    assert counts == dict.fromkeys(counts, 0)


def test_whoever_forgets_the_filter_sees_only_their_clinic(two: Two) -> None:
    with two.database.reading() as tx:
        within(tx, two.ines.clinic_id)
        for table in TENANTS:
            assert set(tx.scalars(select(table.c[table.info["shard"]]))) <= {two.ines.clinic_id}, table.name
        found = [len(tx.scalars(select(one.id)).all()) for one in (Clinic, Patient, Program, SessionLog, Flag)]
        assert found[:4] == [1, 1, 1, 1]
        assert found[4] >= 1


def test_a_write_that_forgets_the_filter_reaches_only_their_clinic(two: Two) -> None:
    with two.database.writing() as tx:
        within(tx, two.ines.clinic_id)
        tx.execute(update(Patient).values(family_name="Everybody"))
        tx.execute(delete(Flag))
    with two.database.reading() as tx:
        assert (_family_name(tx, two.ines), _flags(tx, two.ines)) == ("Everybody", 0)
        within(tx, two.theirs.clinic_id)
        assert (_family_name(tx, two.theirs), _flags(tx, two.theirs) > 0) == ("Archer", True)


def test_nothing_is_written_into_another_clinic(two: Two) -> None:
    account = {"id": new_id(NOON), "role": Role.ADMIN, "name": "Intruder", "created_at": NOON}
    into = {
        "insert": insert(Account).values(clinic_id=two.theirs.clinic_id, **account),
        "move": update(Account).where(Account.id == two.ines.account_id).values(clinic_id=two.theirs.clinic_id),
    }
    for clinic_id, name in ((two.ines.clinic_id, "insert"), (two.ines.clinic_id, "move"), (None, "insert")):
        with pytest.raises(ProgrammingError, match="row-level security"):
            _say(two.database, clinic_id, into[name])


def test_a_filter_removed_on_purpose_leaks_without_the_wall_and_not_behind_it(
    app: FastAPI,
    portal: BlockingPortal,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    two: Two,
    two_unwalled: Two,
) -> None:
    monkeypatch.setattr(patients, "visible_patients", lambda _caller: select(Patient))
    app.state.clock = lambda: clock.now
    for there, status, seen in ((two_unwalled, 200, 2), (two, 404, 1)):
        app.state.database = there.database
        with httpx.Client(transport=InProcess(app, portal), base_url="http://test/v1") as client:
            answer = client.get(f"/patients/{there.their_patient_id}", headers=there.headers)
            assert answer.status_code == status, answer.text
            listed = client.get("/patients", headers=there.headers).json()["items"]
            assert len(listed) == seen
            own = client.get(f"/patients/{there.patient_id}", headers=there.headers)
            assert own.status_code == 200


def test_who_looks_for_clinics_sees_their_own_rows_and_nothing_else(two: Two) -> None:
    with two.database.reading() as tx:
        with across(tx):
            assert {two.ines.clinic_id, two.theirs.clinic_id} <= set(tx.scalars(select(Clinic.id)))
            assert tx.scalars(select(Patient.id)).all() == []
        assert tx.scalars(select(Clinic.id)).all() == []
    with two.database.writing() as tx, across(tx):
        assert tx.execute(update(Clinic).values(name="All mine").returning(Clinic.id)).all() == []


def test_a_clinic_is_forgotten_with_its_transaction(two: Two) -> None:
    """On the very same connection, after a commit, after a failure and after a savepoint."""
    engine, database = open_database(_url(two))
    with database.writing() as tx:
        within(tx, two.ines.clinic_id)
        backend = tx.scalar(text("select pg_backend_pid()"))
        savepoint = tx.begin_nested()
        within(tx, two.theirs.clinic_id)
        assert tx.scalars(select(Patient.id)).all() == [two.their_patient_id]
        savepoint.rollback()
        assert tx.scalars(select(Patient.id)).all() == [two.patient_id]
        within(tx, two.theirs.clinic_id)
        assert tx.scalars(select(Patient.id)).all() == [two.their_patient_id]
    with pytest.raises(ProgrammingError):
        _say(database, two.ines.clinic_id, text("select no_such_function()"))
    with database.reading() as tx:
        assert tx.scalar(text("select pg_backend_pid()")) == backend
        assert tx.scalars(select(Patient.id)).all() == []
    engine.dispose()


def test_what_waits_is_written_before_the_next_clinic(two: Two) -> None:
    with two.database.writing() as tx:
        for caller in (two.ines, two.theirs):
            within(tx, caller.clinic_id)
            tx.add(Account(clinic_id=caller.clinic_id, id=new_id(NOON), role=Role.ADMIN, name="New", created_at=NOON))
    for caller in (two.ines, two.theirs):
        with two.database.reading() as tx:
            within(tx, caller.clinic_id)
            new = select(Account.name).where(Account.clinic_id == caller.clinic_id, Account.name == "New")
            assert tx.scalars(new).all() == ["New"]


def test_the_wall_costs_one_statement_a_transaction_and_nothing_where_it_does_not_stand(
    two: Two, two_unwalled: Two
) -> None:
    for there, expected in ((two, 1), (two_unwalled, 0)):
        said: list[str] = []
        with there.database.reading() as tx:
            event.listen(tx.get_bind(), "before_cursor_execute", lambda *words: said.append(words[2]))  # noqa: B023
            for _ in range(3):
                within(tx, there.ines.clinic_id)
        assert len(said) == expected


def _say(database: Database, clinic_id: UUID | None, stmt: Executable) -> None:
    with database.writing() as tx:
        if clinic_id is not None:
            within(tx, clinic_id)
        tx.execute(stmt)


def _url(two: Two) -> str:
    with two.database.reading() as tx:
        return tx.get_bind().engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def _family_name(tx: Session, caller: Caller) -> str | None:
    within(tx, caller.clinic_id)
    return tx.scalar(select(Patient.family_name))


def _flags(tx: Session, caller: Caller) -> int:
    within(tx, caller.clinic_id)
    return len(tx.scalars(select(Flag.id)).all())
