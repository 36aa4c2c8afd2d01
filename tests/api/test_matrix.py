"""The access matrix, generated: every operation of the OpenAPI document, asked by every role, about a record that is
their own, another caseload's, another clinic's or nobody's; and every foreign key of every body, swapped for one of
another clinic. Each cell says status, refusal, what is stored before and after, and what the audit trail tells.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Connection, Table, select
from sqlalchemy.orm import Session

from api.visit import UNRECORDED, deed_of
from models.database import Database
from models.operations import clients, prescribing, sessions
from models.operations.callers import PATIENTS_SIDE
from models.operations.policy import Deed
from models.tables import Base, DoneShare, Flag, Role
from tests.api.conftest import Clinic, assert_problem, someone
from tests.api.test_access import ANY_SCOPE, BODIES, MAY, SCOPED, SESSION, SLUGS, VERSIONS, filled, routes
from tests.architecture.statements import counting
from tests.builders import (
    MONDAY,
    NOON,
    a_client_draft,
    a_clients_token,
    a_draft,
    a_member,
    a_report,
    a_token,
    bearer,
)

OWN, COLLEAGUES, STRANGERS, NOBODYS = "own", "another caseload's", "another clinic's", "nobody's"
RELATIONS = [OWN, COLLEAGUES, STRANGERS, NOBODYS]
SEES: dict[Role, set[str]] = {
    Role.ADMIN: {OWN, COLLEAGUES},
    Role.AUDITOR: {OWN, COLLEAGUES},
    Role.INTEGRATION: {OWN, COLLEAGUES},
    Role.THERAPIST: {OWN},
    Role.PATIENT: {OWN},
    Role.PROXY: {OWN},
}
"""Said a second time, on purpose."""
OF_RECORDS = {"patient_id", "program_id", "flag_id"}
OF_CLINIC = {"webhook_id", "export_id", "client_id", "staff_id"}
IN_BODY = {"log_session", "delete_session"}
"""Whose record it is stands in the body or the query."""
NOT_NOW = {
    "resume_program": "wrong_status",
    "complete_program": "wrong_status",
    "change_password": "no_password",
    "begin_second_factor": "no_password",
    "confirm_second_factor": "no_second_factor",
    "renew_recovery_codes": "no_second_factor",
    "take_off_second_factor": "no_second_factor",
}
"""What is allowed, and refused of a program that runs and of accounts without a password."""
OF_DRAFTS = {"activate_program", "discard_program"}
HEARING = {"log_session", "push_items", "answer_check_in", "answer_patients_check_in", "answer_week"}
"""Routes that keep what they refuse, so that nothing a patient entered is lost, and note the phone's contact."""
TRAIL = {"audit_event"}
LEFT_BY_A_REFUSAL = {
    *TRAIL,
    *("rejected_session", "rejected_answer", "device", "contact", "standing", "flag", "week", "patient", "program"),
}


@dataclass(frozen=True)
class World:
    """Two clinics; in the first, two therapists who do not see each other's patients."""

    records: dict[str, Clinic]
    flags: dict[str, UUID]
    sessions: dict[str, UUID]
    drafts: dict[str, UUID]
    rows: dict[str, set[tuple[Any, ...]]]
    """Every row, by table, as the world began."""
    connection: Connection

    def out_of_sight(self, role: Role) -> set[str]:
        """The ids of what a role may not see."""
        others = {COLLEAGUES, STRANGERS} - SEES[role]
        ids = {one for other in others for one in (self.flags[other], self.sessions[other], self.drafts[other])}
        known = [self.records[other] for other in others]
        return {str(one) for one in ids} | {str(one) for it in known for one in (it.patient_id, it.program_id)}

    def headers(self, role: Role) -> dict[str, str]:
        found: dict[str, str] = getattr(self.records[OWN], role.value)
        return found


def _life(tx: Session, known: Clinic) -> tuple[UUID, UUID, UUID]:
    """A session of a clinic's patient, the flag it opens, and a draft beside the program."""
    report = a_report(known.program_id, done=DoneShare.NONE, reason="hurt")
    (result,) = sessions.record_sessions(tx, known.ines, [report], now=report.performed_at)
    assert result.refusal is None
    stmt = select(Flag.id).where(Flag.clinic_id == known.ines.clinic_id, Flag.patient_id == known.patient_id)
    flag = tx.scalars(stmt.where(Flag.opens_at <= report.performed_at).order_by(Flag.id)).first()
    assert flag is not None
    draft = prescribing.create_program(tx, known.ines, known.patient_id, a_draft(), now=NOON)
    return flag, report.id, draft.id


@pytest.fixture
def world(database: Database, connection: Connection, clinic: Clinic, stranger: Clinic) -> World:
    return a_world(database, connection, clinic, stranger)


def a_world(database: Database, connection: Connection, mine: Clinic, strangers: Clinic) -> World:
    """Everything the matrix asks about."""
    with database.writing() as tx:
        theo = a_member(tx, mine.ines.clinic_id, Role.THERAPIST)
        theirs = replace(mine, ines=theo, therapist=bearer(a_token(tx, theo)), **someone(tx, theo))
        records = {OWN: mine, COLLEAGUES: theirs, STRANGERS: strangers}
        lives = {relation: _life(tx, known) for relation, known in records.items()}
        clinics = Base.metadata.tables["clinic"]
        tx.execute(clinics.update().where(clinics.c.id == mine.ines.clinic_id).values(shares_caseloads=False))
    ids = (
        "patient_id",
        "program_id",
        "condition_id",
        "flare_id",
        "pause_id",
        "device_id",
        "check_in_id",
        "carer_id",
        "consent_id",
    )
    unknown: dict[str, Any] = {name: uuid4() for name in (*ids, *(OF_CLINIC - {"staff_id"}))}
    nobody = replace(strangers, **unknown, lines=[uuid4() for _ in range(2)])
    nobody = replace(nobody, ines=replace(strangers.ines, account_id=uuid4()))
    rows = {table.name: _rows(connection, table) for table in Base.metadata.sorted_tables if _is_ours(table)}
    lives[NOBODYS] = uuid4(), uuid4(), uuid4()
    flags, logs, drafts = ({relation: life[which] for relation, life in lives.items()} for which in range(3))
    records[NOBODYS] = nobody
    return World(records=records, flags=flags, sessions=logs, drafts=drafts, rows=rows, connection=connection)


def _is_ours(table: Table) -> bool:
    return bool(table.info["placement"] != "reference")


def _rows(connection: Connection, table: Table) -> set[tuple[Any, ...]]:
    return {tuple(repr(value) for value in row) for row in connection.execute(select(table))}


@contextmanager
def cell(world: World) -> Iterator[list[str]]:
    """A cell of the matrix: the world is as it began, and afterwards again; gives the statements sent in it."""
    undo = world.connection.begin_nested()
    with counting() as sent:
        yield sent
    undo.rollback()


def _written(sent: list[str]) -> set[str]:
    found = (re.match(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', one) for one in sent)
    return {match.group(1) for match in found if match}


def _changed(world: World, tables: set[str]) -> dict[str, set[tuple[Any, ...]]]:
    """By table, the rows that are not as they were, both as they were and as they are."""
    return {
        name: changed
        for name in tables
        if (changed := world.rows[name] ^ _rows(world.connection, Base.metadata.tables[name]))
    }


def _of(rows: set[tuple[Any, ...]], whose: UUID) -> list[tuple[Any, ...]]:
    return [row for row in rows if repr(whose) in row]


def ids_about(route: APIRoute, world: World, relation: str) -> dict[str, Any]:
    """What a route is asked with when it is asked about a relation's record: path parameters and a body's ids."""
    about = world.records[relation]
    return {
        "patient_id": about.patient_id,
        "program_id": world.drafts[relation] if route.name in OF_DRAFTS else about.program_id,
        "flag_id": world.flags[relation],
        "condition_id": about.condition_id,
        "flare_id": about.flare_id,
        "pause_id": about.pause_id,
        "check_in_id": about.check_in_id,
        "monday": MONDAY,
        "line_id": about.lines[0],
        "session_id": world.sessions[relation] if route.name == "delete_session" else uuid4(),
        "device_id": about.device_id,
        "carer_id": about.carer_id,
        "consent_id": about.consent_id,
        "webhook_id": about.webhook_id,
        "export_id": about.export_id,
        "client_id": about.client_id,
        "staff_id": about.ines.account_id,
        "rule_id": "R-14",
        "kind": "caseload",
        "month": "2025-01",
        "slug": SLUGS.get(route.name, "neck-posture-desk"),
    }


def knock(
    client: httpx.Client, route: APIRoute, world: World, relation: str, headers: dict[str, str]
) -> httpx.Response:
    """Ask for a route about a relation's record."""
    ids = ids_about(route, world, relation)
    if "sign_in_id" in route.param_convertors:
        ids["sign_in_id"] = _a_sign_in(client, headers)
    query = f"?program_id={ids['program_id']}" if route.name == "delete_session" else ""
    extra = {"If-Match": f'"v{VERSIONS[route.name]}"'} if route.name in VERSIONS else {}
    (method,) = route.methods or {"GET"}
    body = filled(BODIES.get(route.name), ids)
    return client.request(method, f"{route.path.format(**ids)}{query}", json=body, headers={**headers, **extra})


def _a_sign_in(client: httpx.Client, headers: dict[str, str]) -> object:
    """One of the caller's own."""
    found = client.get("/v1/me/sign-ins", headers=headers)
    return found.json()["items"][0]["id"] if found.is_success else uuid4()


def relations_of(route: APIRoute) -> list[str]:
    """The relations that make a difference to a route."""
    asked = set(route.param_convertors)
    if asked & OF_RECORDS or route.name in IN_BODY:
        return RELATIONS
    return [OWN, STRANGERS, NOBODYS] if asked & OF_CLINIC else [OWN]


def _events(world: World, answer: httpx.Response) -> list[Any]:
    trail = Base.metadata.tables["audit_event"]
    stmt = select(trail).where(trail.c.request_id == answer.headers["x-request-id"])
    return list(world.connection.execute(stmt))


def cells(app: FastAPI) -> Iterator[tuple[APIRoute, str]]:
    """Every operation that is not for anybody, with every relation that makes a difference to it."""
    for route in routes(app):
        if MAY[route.name]:
            yield from ((route, relation) for relation in relations_of(route))


@pytest.mark.parametrize("role", list(Role))
def test_every_operation_of_every_role_about_every_record(
    app: FastAPI, client: httpx.Client, world: World, role: Role
) -> None:
    done = {route.name for route, relation in cells(app) if is_done(client, world, role, route, relation)}
    assert done == {name for name, roles in MAY.items() if role in roles} - NOT_NOW.keys()


def is_done(client: httpx.Client, world: World, role: Role, route: APIRoute, relation: str) -> bool:
    """Ask one cell and hold the answer, what is stored and the trail against the policy; whether it was done."""
    about = world.records[relation]
    with cell(world) as sent:
        answer = knock(client, route, world, relation, world.headers(role))
        changed = _changed(world, _written(sent) & world.rows.keys())
        events = _events(world, answer)
    told = f"{role} {route.name} {relation}: {answer.status_code} {answer.text[:300]}"
    may_change = relation if role in MAY[route.name] and relation in SEES[role] else None
    is_success = False
    if role not in MAY[route.name]:
        assert_problem(answer, 403, "not_allowed")
        assert not changed.keys() - TRAIL, told
    elif relation not in SEES[role]:
        assert answer.status_code == 404, told
        assert answer.json()["code"] in {"unknown", "unknown_program", "unknown_session"}, told
        assert not changed.keys() - (LEFT_BY_A_REFUSAL if route.name in HEARING else TRAIL), told
    elif route.name in NOT_NOW:
        assert_problem(answer, 409, NOT_NOW[route.name])
    else:
        assert answer.is_success, told
        assert not [one for one in world.out_of_sight(role) if one in answer.text], told
        is_success = True
    for name, rows in changed.items():
        for other in {COLLEAGUES, STRANGERS} - {may_change}:
            assert not _of(rows, world.records[other].patient_id), f"{told} changed {name}"
        assert not _of(rows, world.records[STRANGERS].ines.clinic_id), f"{told} changed {name}"
    _assert_trail(route, role, answer, events, about, told)
    return is_success


def _assert_trail(
    route: APIRoute, role: Role, answer: httpx.Response, events: list[Any], about: Clinic, told: str
) -> None:
    """Everything is on record but reading what shows nobody's record, and a refusal names no record it did not show."""
    code = "done" if answer.is_success else answer.json()["code"]
    if not (deed_of(route) in UNRECORDED and route.methods == {"GET"} and code == "done"):
        assert code in {event.outcome for event in events}, told
        assert {event.role for event in events} == {role}, told
    if answer.is_success and "patient_id" in route.param_convertors:
        assert about.patient_id in {event.patient_id for event in events}, told
    if not answer.is_success and answer.status_code in {403, 404}:
        shown = {event.patient_id for event in events} - {None}
        assert not shown or role in PATIENTS_SIDE, told  # theirs is the one record they stand for


@pytest.mark.parametrize("scope", sorted(SCOPED))
def test_a_scope_opens_what_it_says_and_nothing_else(
    app: FastAPI, client: httpx.Client, database: Database, world: World, scope: str
) -> None:
    headers = headers_of_scope(database, world, scope)
    for route in {route.name: route for route, _ in cells(app)}.values():
        assert_scope(client, world, headers, scope, route)


def headers_of_scope(database: Database, world: World, scope: str) -> dict[str, str]:
    """An integration's that has this scope alone."""
    with database.writing() as tx:
        admin = a_member(tx, world.records[OWN].ines.clinic_id, Role.ADMIN)
        return bearer(a_clients_token(tx, clients.create_client(tx, admin, a_client_draft(scope), now=NOON)))


def assert_scope(client: httpx.Client, world: World, headers: dict[str, str], scope: str, route: APIRoute) -> None:
    """Ask one operation with one scope."""
    with cell(world) as sent:
        answer = knock(client, route, world, OWN, headers)
        written = _written(sent) & world.rows.keys()
    told = f"{scope} {route.name}: {answer.status_code} {answer.text[:300]}"
    if route.name not in SCOPED[scope] | ANY_SCOPE:
        assert_problem(answer, 403, "not_allowed")
        assert not written - TRAIL, told
    elif route.name not in NOT_NOW:
        assert answer.is_success, told


@pytest.mark.usefixtures("world")
def test_nobody_comes_in_unknown(app: FastAPI, client: httpx.Client, world: World) -> None:
    for route, headers in product(routes(app), ({}, {"Authorization": "Bearer ft_nothing"})):
        if MAY[route.name]:
            with cell(world) as sent:
                assert_problem(knock(client, route, world, OWN, headers), 401, "not_signed_in")
                assert not _written(sent)


FOREIGN: dict[tuple[str, str], str] = {
    ("log_session", "/program_id"): "program_id",
    ("log_session", "/entries/0/line_id"): "line_id",
    ("push_items", "/items/0/program_id"): "program_id",
    ("push_items", "/items/0/session/program_id"): "program_id",
    ("push_items", "/items/0/session/entries/0/line_id"): "line_id",
    ("delete_session", "?program_id"): "program_id",
    ("record_outreach", "/flag_id"): "flag_id",
    ("record_outreach", "/program_id"): "program_id",
    ("create_program", "/previous_program_id"): "program_id",
    ("create_program", "/phases/0/items/0/line_id"): "line_id",
    ("create_program", "/flare/items/0/line_id"): "line_id",
    ("check_program", "/phases/0/items/0/line_id"): "line_id",
    ("check_program", "/flare/items/0/line_id"): "line_id",
    ("revise_program", "/phases/0/items/0/line_id"): "line_id",
    ("revise_program", "/flare/items/0/line_id"): "line_id",
    ("teach_program", "/lines/0/line_id"): "line_id",
    ("discharge_patient", "/maintenance/phases/0/items/0/line_id"): "line_id",
    ("save_protocol", "/phases/0/items/0/line_id"): "line_id",
    ("save_protocol", "/maintenance/0/line_id"): "line_id",
    ("amend_protocol", "/phases/0/items/0/line_id"): "line_id",
    ("amend_protocol", "/maintenance/0/line_id"): "line_id",
    ("create_patient", "/therapist_id"): "therapist_id",
    ("amend_patient", "/therapist_id"): "therapist_id",
    ("get_worklist", "?therapist_id"): "therapist_id",
    ("list_unsynced", "?therapist_id"): "therapist_id",
    ("list_exercises", "?safe_for"): "patient_id",
    ("list_audit_events", "?patient_id"): "patient_id",
    ("list_audit_events", "?account_id"): "therapist_id",
}
"""Every foreign key a body or a query may hold, and what it names."""
NO_KEYS = {
    ("push_items", "/items/0/id"): "the phone makes it, and the patient is part of the key",
    ("exchange_token", "/clinic_id"): "nobody is signed in yet; a clinic it does not fit is a wrong password",
}
_DOSED = {"exercise": "bird-dog", "dosage": {"sets": 2, "reps": 8, "days_per_week": 3}}
_PHASES = [{"label": "A", "items": [_DOSED]}]
RICHER: dict[str, dict[str, Any]] = {
    "log_session": {**SESSION, "done": "some", "entries": [{"line_id": "{line_id}", "sets_done": 1, "reps_done": 5}]},
    "push_items": {
        "items": [
            {
                "op": "put",
                "id": "{session_id}",
                "session": {**SESSION, "done": "some", "entries": [{"line_id": "{line_id}", "sets_done": 1}]},
            }
        ]
    },
    "create_program": {"phases": _PHASES, "flare": {"items": [_DOSED]}},
    "check_program": {"phases": _PHASES, "flare": {"items": [_DOSED]}},
    "revise_program": {**BODIES["revise_program"], "flare": {"items": [_DOSED]}},
    "discharge_patient": {"maintenance": {"phases": _PHASES}, "acknowledged": BODIES["revise_program"]["acknowledged"]},
    "save_protocol": {**BODIES["save_protocol"], "slug": "another-one"},
}
"""Bodies with room for every key."""


def _uuids(schema: dict[str, Any], known: dict[str, Any], at: str, seen: frozenset[str]) -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if name not in seen:
            yield from _uuids(known[name], known, at, seen | {name})
        return
    for among in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(among, []):
            yield from _uuids(one, known, at, seen)
    if schema.get("format") == "uuid":
        yield at
    for name, below in schema.get("properties", {}).items():
        yield from _uuids(below, known, f"{at}/{name}", seen)
    if "items" in schema:
        yield from _uuids(schema["items"], known, f"{at}/0", seen)


def keys_of(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Every id a body or a query of the API may hold."""
    known, found = document["components"]["schemas"], set()
    for operations in document["paths"].values():
        for operation in operations.values():
            name = operation["operationId"]
            for content in operation.get("requestBody", {}).get("content", {}).values():
                found |= {(name, at) for at in _uuids(content["schema"], known, "", frozenset())}
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query" and next(_uuids(parameter["schema"], known, "", frozenset()), None) == "":
                    found.add((name, f"?{parameter['name']}"))
    return found


def test_every_foreign_key_has_its_row(app: FastAPI) -> None:
    assert keys_of(app.openapi()) == FOREIGN.keys() | NO_KEYS.keys()


def _put(body: Any, pointer: str, value: str) -> None:
    *way, last = pointer.strip("/").split("/")
    for step in way:
        body = body[int(step)] if isinstance(body, list) else body.setdefault(step, {})
    body[last] = value


@pytest.mark.parametrize("role", [Role.ADMIN, Role.THERAPIST, Role.PATIENT, Role.PROXY, Role.INTEGRATION, Role.AUDITOR])
def test_another_clinics_key_is_worth_what_no_key_is(
    app: FastAPI, client: httpx.Client, world: World, role: Role
) -> None:
    by_name = {route.name: route for route in routes(app)}
    for name, where in FOREIGN:
        if role in MAY[name]:
            assert_key(client, world, role, by_name[name], where)


def assert_key(client: httpx.Client, world: World, role: Role, route: APIRoute, where: str) -> None:
    """Ask one operation with one key of another clinic's, of nobody's, and of another caseload's."""
    what = FOREIGN[route.name, where]
    told = {one: _swapped(client, route, world, role, where, what, one) for one in (STRANGERS, NOBODYS)}
    assert told[STRANGERS] == told[NOBODYS], f"{role} {route.name} {where}"
    if what != "therapist_id" and role is Role.THERAPIST:
        theirs = _swapped(client, route, world, role, where, what, COLLEAGUES)
        assert theirs == told[NOBODYS], f"{route.name} {where} of another caseload"


def _swapped(
    client: httpx.Client, route: APIRoute, world: World, role: Role, where: str, what: str, relation: str
) -> tuple[int, Any, set[str]]:
    """What comes of a request about the caller's own record with one key of a relation's: status, refusal or outcome,
    and which tables of nobody else's were written.
    """
    mine, theirs = world.records[OWN], world.records[relation]
    value = {
        "program_id": theirs.program_id,
        "line_id": theirs.lines[0],
        "flag_id": world.flags[relation],
        "therapist_id": theirs.ines.account_id if relation != NOBODYS else uuid4(),
        "patient_id": theirs.patient_id,
    }[what]
    ids = {
        "patient_id": mine.patient_id,
        "program_id": mine.program_id,
        "line_id": mine.lines[0],
        "session_id": uuid4(),
        "slug": SLUGS.get(route.name, "x"),
    }
    body = filled(RICHER.get(route.name, BODIES.get(route.name)), ids)
    params = {}
    if where.startswith("?"):
        params = {where[1:]: str(value)}
        ids["session_id"] = world.sessions[OWN]
    else:
        _put(body, where, str(value))
    extra = {"If-Match": f'"v{VERSIONS[route.name]}"'} if route.name in VERSIONS else {}
    (method,) = route.methods or {"GET"}
    path = route.path.format(**ids)
    with cell(world) as sent:
        answer = client.request(method, path, params=params, json=body, headers={**world.headers(role), **extra})
        changed = _changed(world, _written(sent) & world.rows.keys())
    assert answer.status_code < 500
    for name, rows in changed.items():
        for other in (world.records[COLLEAGUES], world.records[STRANGERS]):
            assert not _of(rows, other.patient_id), f"{role} {route.name} {where} changed {name}"
    said = answer.json() if answer.content else {}
    if not answer.is_success:
        return answer.status_code, (said["code"], [one["pointer"] for one in said.get("errors", [])]), set()
    if route.name == "push_items":
        return answer.status_code, said["results"][0]["outcome"], set(changed)
    return answer.status_code, len(said.get("items", [])) if method == "GET" else None, set(changed)


def test_a_deed_without_a_row_is_for_nobody() -> None:
    from models.operations.policy import MAY as ROWS  # noqa: PLC0415  (beside this file's own)

    assert ROWS.keys() == set(Deed)
    assert all(ROWS.values())
