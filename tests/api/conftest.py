"""A clinic with everyone in it, each with a token, and a stranger's clinic beside it."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from models.database import Database, open_database
from models.delivery.addresses import Allowed
from models.operations import clients, consents, exports, findings, prescribing, programs, protocols, webhooks
from models.operations.callers import Caller, identify
from models.tables import ConditionStatus, ConsentBy, ExportContent, ExportFormat, PauseReason, Role
from tests.architecture.statements import watch
from tests.builders import (
    DAY,
    MONDAY,
    NOON,
    a_carer,
    a_check_in,
    a_client_draft,
    a_clients_token,
    a_clinic,
    a_dosage,
    a_draft,
    a_member,
    a_patient,
    a_phone,
    a_program,
    a_token,
    bearer,
)
from tests.conftest import copied, inside, undone

OSTEOARTHRITIS = findings.ConditionDraft(code="oa-hand", status=ConditionStatus.CONFIRMED)
SYSTEM = a_client_draft()
REMINDERS = consents.ConsentDraft(purpose="reminders", text_version="2025-01", given_by=ConsentBy.PATIENT)
HOOK = webhooks.WebhookDraft(url="https://hooks.example/followthrough")
_ITEM = {"exercise": "bird-dog", "dosage": {"sets": 2, "reps": 8, "days_per_week": 3}}
OURS = protocols.OwnDraft(
    name="Our back course",
    indication="Backs",
    conditions=["chronic-lbp"],
    phases=[{"label": "All along", "from_day": 1, "to_day": 28, "items": [_ITEM]}],
    maintenance=[_ITEM],
)


@dataclass(frozen=True)
class Clinic:
    """Who is there, and with which header they call."""

    ines: Caller
    patient_id: UUID
    program_id: UUID
    lines: list[UUID]
    condition_id: UUID
    flare_id: UUID
    pause_id: UUID
    device_id: UUID
    """The patient's phone."""
    check_in_id: UUID
    webhook_id: UUID
    export_id: UUID
    """One whose file is ready."""
    therapist: dict[str, str]
    admin: dict[str, str]
    patient: dict[str, str]
    proxy: dict[str, str]
    """The patient's carer."""
    carer_id: UUID
    consent_id: UUID
    integration: dict[str, str]
    """Another system, with every scope."""
    client_id: UUID
    """The same, as its clinic's admin sees it."""
    auditor: dict[str, str]


def an_export(tx: Session, admin: Caller, folder: Path) -> UUID:
    """One of nothing, that is ready."""
    draft = exports.ExportDraft(content=ExportContent.WEEKS, format=ExportFormat.NDJSON, options={})
    made = exports.request_export(tx, admin, draft, now=NOON)
    claimed = exports.claim(tx, admin.clinic_id, made.id, now=NOON)
    assert claimed
    (folder / str(made.id)).touch()
    assert exports.finish(tx, admin.clinic_id, claimed, now=NOON)
    return made.id


def someone(tx: Session, therapist: Caller) -> dict[str, Any]:
    """A therapist's patient with everything a patient may have, and how they and their carer call."""
    ann = a_patient(tx, therapist)
    condition = findings.record_condition(tx, therapist, ann.id, OSTEOARTHRITIS, now=NOON)
    flare = prescribing.Flare(items=[prescribing.ItemDraft(exercise="bed-knee-rocks", dosage=a_dosage())])
    course = a_program(tx, therapist, ann, a_draft(a_dosage(), a_dosage(), flare=flare))
    declared = programs.declare_flare(
        tx, therapist, course.program.id, from_on=MONDAY + DAY, to_on=MONDAY + DAY, joints=[], note=None, now=NOON
    )
    later = programs.pause(
        *(tx, therapist, course.program.id),
        from_on=MONDAY + 60 * DAY,
        to_on=MONDAY + 61 * DAY,
        reason=PauseReason.HOLIDAY,
        now=NOON,
    )
    phone = a_phone(tx, therapist, ann).access
    named, carers_phone = a_carer(tx, therapist, ann)
    device_id = identify(tx, phone, NOON).device_id
    assert device_id is not None
    return {
        "patient_id": ann.id,
        "program_id": course.program.id,
        "lines": [item.line_id for item in course.items],
        "condition_id": condition.id,
        "flare_id": declared.id,
        "pause_id": later.id,
        "device_id": device_id,
        "check_in_id": a_check_in(tx, course.program).id,
        "carer_id": named.proxy.id,
        "consent_id": consents.give(tx, therapist, ann.id, REMINDERS, now=NOON).id,
        "patient": bearer(phone),
        "proxy": bearer(carers_phone.access),
    }


def a_peopled_clinic(database: Database, folder: Path) -> Clinic:
    with database.writing() as tx:
        ines = a_clinic(tx)
        admin = a_member(tx, ines.clinic_id, Role.ADMIN)
        auditor = a_member(tx, ines.clinic_id, Role.AUDITOR)
        system = clients.create_client(tx, admin, SYSTEM, now=NOON)
        protocols.save_protocol(tx, ines, "our-back", OURS, now=NOON)
        return Clinic(
            ines=ines,
            webhook_id=webhooks.create_webhook(tx, admin, HOOK, Allowed(), now=NOON).id,
            export_id=an_export(tx, admin, folder),
            therapist=bearer(a_token(tx, ines)),
            admin=bearer(a_token(tx, admin)),
            integration=bearer(a_clients_token(tx, system)),
            client_id=system.client.id,
            auditor=bearer(a_token(tx, auditor)),
            **someone(tx, ines),
        )


@pytest.fixture(scope="session")
def peopled(template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Connection, Clinic, Clinic]]:
    """Two peopled clinics in a transaction that is never committed, for all tests that look at such: making one takes
    longer than most of them.
    """
    with copied(template) as url:
        engine, _ = open_database(url)
        watch(engine)
        with engine.connect() as connection, connection.begin() as outer:
            database, folder = inside(connection), tmp_path_factory.mktemp("exports")
            yield connection, a_peopled_clinic(database, folder), a_peopled_clinic(database, folder)
            outer.rollback()
        engine.dispose()


@pytest.fixture
def connection(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Connection]:
    """As elsewhere, but where a peopled clinic is asked for: then a savepoint beside it."""
    if not {"clinic", "stranger"} & set(request.fixturenames):
        with undone(engine) as plain:
            yield plain
        return
    among, *_ = request.getfixturevalue("peopled")
    with among.begin_nested() as savepoint:
        yield among
        savepoint.rollback()


@pytest.fixture
def clinic(peopled: tuple[Connection, Clinic, Clinic], folder: Path) -> Clinic:
    return _with_its_file(peopled[1], folder)


@pytest.fixture
def stranger(peopled: tuple[Connection, Clinic, Clinic], folder: Path) -> Clinic:
    return _with_its_file(peopled[2], folder)


def _with_its_file(known: Clinic, folder: Path) -> Clinic:
    (folder / str(known.export_id)).touch()
    return deepcopy(known)  # some tests change what they know


def assert_problem(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, object]:
    """Assert that an answer is a problem document of that status, and give it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["code"] == (code or body["code"])
    assert body["type"] == f"/problems/{body['code']}"
    assert body["request_id"] == answer.headers["x-request-id"]
    return body
