"""Every operation once more behind the wall: it stands in nobody's way, and another clinic is as far as ever."""

from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Connection

from models.database import Database
from models.operations.walls import within
from models.tables import Role
from tests.api.conftest import Clinic, a_peopled_clinic
from tests.api.test_access import MAY, routes, test_lists_hold_only_the_callers_clinic
from tests.api.test_matrix import NOT_NOW, OF_CLINIC, OF_RECORDS, OWN, STRANGERS, World, _life, cell, knock

__all__ = ["test_lists_hold_only_the_callers_clinic"]


@pytest.fixture
def clinic(database: Database, folder: Path) -> Clinic:
    return a_peopled_clinic(database, folder)


@pytest.fixture
def stranger(database: Database, folder: Path) -> Clinic:
    return a_peopled_clinic(database, folder)


@pytest.fixture
def world(database: Database, connection: Connection, clinic: Clinic, stranger: Clinic) -> World:
    records = {OWN: clinic, STRANGERS: stranger}
    lives = {}
    for relation, known in records.items():
        with database.writing() as tx:
            within(tx, known.ines.clinic_id)
            lives[relation] = _life(tx, known)
    flags, logs, drafts = ({relation: life[which] for relation, life in lives.items()} for which in range(3))
    return World(records=records, flags=flags, sessions=logs, drafts=drafts, rows={}, connection=connection)


@pytest.mark.parametrize("role", list(Role))
def test_every_operation_works_and_another_clinic_is_not_there(
    app: FastAPI, client: httpx.Client, world: World, role: Role
) -> None:
    for route in routes(app):
        if role not in MAY[route.name]:
            continue
        with cell(world):
            answer = knock(client, route, world, OWN, world.headers(role))
        assert answer.status_code == 409 if route.name in NOT_NOW else answer.is_success, (route.name, answer.text)
        if (OF_RECORDS | OF_CLINIC) & set(route.param_convertors):
            with cell(world):
                answer = knock(client, route, world, STRANGERS, world.headers(role))
            assert answer.status_code == 404, (route.name, answer.text)


def test_a_stranger_stays_one(client: httpx.Client, world: World) -> None:
    for headers in ({}, {"Authorization": "Bearer ft_nothing"}):
        path = f"/v1/patients/{world.records[OWN].patient_id}"
        assert client.get(path, headers=headers).status_code == 401
    unknown = client.get(f"/v1/patients/{uuid4()}", headers=world.headers(Role.ADMIN))
    assert unknown.status_code == 404
