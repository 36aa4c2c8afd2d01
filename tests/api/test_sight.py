"""Who sees whom: caseloads, carers, and patients who see who looked."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select, update

from models.database import Database
from models.operations import audit, clients
from models.tables import AuditEvent, Patient, Role, Source
from tests.api.conftest import Clinic, assert_problem
from tests.builders import (
    BORN,
    NOON,
    a_client_draft,
    a_clients_token,
    a_member,
    a_patient,
    a_token,
    bearer,
)
from tests.conftest import Clock

CARER = {"name": "Jonas Lindqvist", "relationship": "son", "consent_by": "patient", "consented_on": "2025-03-01"}


@pytest.fixture
def theo(database: Database, clinic: Clinic) -> dict[str, str]:
    """A colleague of the therapist's, in a clinic that does not share caseloads."""
    with database.writing() as tx:
        return bearer(a_token(tx, a_member(tx, clinic.ines.clinic_id, Role.THERAPIST)))


def share(client: httpx.Client, clinic: Clinic, *, shares: bool) -> httpx.Response:
    read = client.get("/v1/access-settings", headers=clinic.admin)
    headers = {**clinic.admin, "If-Match": read.headers["etag"]}
    return client.put("/v1/access-settings", json={"shares_caseloads": shares}, headers=headers)


def names(client: httpx.Client, headers: dict[str, str]) -> list[str]:
    return [one["given_name"] for one in client.get("/v1/patients", headers=headers).json()["items"]]


def test_therapists_see_their_own_and_those_nobody_treats_yet(
    client: httpx.Client, database: Database, clinic: Clinic, theo: dict[str, str]
) -> None:
    assert share(client, clinic, shares=False).status_code == 200
    with database.writing() as tx:
        admin = a_member(tx, clinic.ines.clinic_id, Role.ADMIN)
        a_patient(tx, admin, given_name="Nobody's")
    assert names(client, theo) == ["Nobody's"]
    assert sorted(names(client, clinic.therapist)) == ["Ann", "Nobody's"]
    assert sorted(names(client, clinic.admin)) == ["Ann", "Nobody's"]
    said = {"program_id": str(clinic.program_id), "done": "none", "reason": "hurt"}
    session = {"performed_at": NOON.isoformat(), "time_zone": "UTC", "local_date": "2025-03-03"} | said
    client.put("/v1/sessions/0195a000-0000-7000-8000-000000000001", json=session, headers=clinic.patient)
    assert client.get("/v1/worklist", headers=clinic.therapist).json()["items"]
    theirs = client.get("/v1/worklist", headers=theo).json()
    assert (theirs["items"], theirs["counts"]["kinds"]) == ([], {})
    assert client.get("/v1/unsynced?days=1", headers=theo).json()["items"] == []


def test_a_flag_tells_nobody_whose_patient_there_is(client: httpx.Client, clinic: Clinic, theo: dict[str, str]) -> None:
    """An attempt about a flag is refused alike for a colleague's patient and for nobody's."""
    share(client, clinic, shares=False)
    said = {"channel": "phone", "outcome": "no_answer", "flag_id": str(uuid4())}
    told = []
    for patient_id in (clinic.patient_id, uuid4()):
        problem = assert_problem(client.post(f"/v1/patients/{patient_id}/outreach", json=said, headers=theo), 404)
        told.append({name for name in problem if name != "request_id"})
        assert str(patient_id) in str(problem["title"])
    assert told[0] == told[1]


def test_what_is_proposed_for_a_colleagues_program_is_not_looked_at(
    client: httpx.Client, clinic: Clinic, theo: dict[str, str]
) -> None:
    share(client, clinic, shares=False)
    line = {"exercise": "bird-dog", "line_id": str(uuid4()), "dosage": {"sets": 2, "reps": 8, "days_per_week": 3}}
    said = {"phases": [{"label": "All along", "from_day": 1, "items": [line]}]}
    check = f"/v1/programs/{clinic.program_id}/check"
    hers, his = (
        assert_problem(client.post(check, json=said, headers=headers), 404) for headers in (clinic.therapist, theo)
    )
    assert str(hers["title"]).startswith("The program has no line")
    assert (his["title"], "errors" in his) == (f"No program {clinic.program_id}.", False)


def test_a_clinic_may_share_its_caseloads_and_stop(client: httpx.Client, clinic: Clinic, theo: dict[str, str]) -> None:
    assert names(client, theo) == ["Ann"]
    assert share(client, clinic, shares=False).json() == {"shares_caseloads": False}
    assert_problem(client.get(f"/v1/patients/{clinic.patient_id}", headers=theo), 404, "unknown")
    assert share(client, clinic, shares=True).json() == {"shares_caseloads": True}
    assert client.get(f"/v1/patients/{clinic.patient_id}", headers=theo).status_code == 200
    stale = {**clinic.admin, "If-Match": '"v1"'}
    answer = client.put("/v1/access-settings", json={"shares_caseloads": False}, headers=stale)
    assert_problem(answer, 412)


def test_handing_a_patient_over_hands_over_the_sight_of_them(
    client: httpx.Client, clinic: Clinic, theo: dict[str, str]
) -> None:
    share(client, clinic, shares=False)
    known = client.get(f"/v1/patients/{clinic.patient_id}", headers=clinic.therapist)
    colleague = client.get("/v1/me", headers=theo).json()["account_id"]
    said = {name: known.json()[name] for name in ("given_name", "family_name", "birth_date")}
    headers = {**clinic.therapist, "If-Match": known.headers["etag"]}
    body = said | {"therapist_id": colleague}
    assert client.put(f"/v1/patients/{clinic.patient_id}", json=body, headers=headers).status_code == 200
    assert names(client, theo) == ["Ann"]
    assert_problem(client.get(f"/v1/patients/{clinic.patient_id}", headers=clinic.therapist), 404, "unknown")


def invited(client: httpx.Client, clinic: Clinic, carer_id: str) -> dict[str, Any]:
    path = f"/v1/patients/{clinic.patient_id}/carers/{carer_id}/invitation"
    answer: dict[str, Any] = client.post(path, headers=clinic.therapist).json()
    return answer


def redeemed(client: httpx.Client, code: str) -> httpx.Response:
    grant = "urn:followthrough:grant-type:invitation"
    return client.post("/v1/auth/token", data={"grant_type": grant, "code": code, "birth_date": BORN.isoformat()})


def test_a_carer_is_named_with_consent_logs_for_the_patient_and_is_shut_out(
    client: httpx.Client, clinic: Clinic
) -> None:
    carers = f"/v1/patients/{clinic.patient_id}/carers"
    named = client.post(carers, json=CARER, headers=clinic.therapist)
    assert named.status_code == 201, named.text
    code = invited(client, clinic, named.json()["id"])["code"]
    tokens = redeemed(client, code)
    assert tokens.status_code == 200, tokens.text
    jonas = bearer(tokens.json()["access_token"])
    me = client.get("/v1/me", headers=jonas).json()
    assert (me["role"], me["name"], me["patient_id"]) == ("proxy", "Jonas Lindqvist", str(clinic.patient_id))
    body = {
        "program_id": str(clinic.program_id),
        "performed_at": NOON.isoformat(),
        "time_zone": "UTC",
        "local_date": "2025-03-03",
        "done": "all",
    }
    logged = client.put("/v1/sessions/0195a000-0000-7000-8000-000000000002", json=body, headers=jonas)
    assert logged.status_code == 201, logged.text
    listed = client.get(f"/v1/programs/{clinic.program_id}/sessions", headers=jonas).json()["items"]
    assert [one["source"] for one in listed] == [Source.PROXY]
    assert client.get("/v1/me/today", headers=jonas).status_code == 200
    assert_problem(client.get(f"{carers[:-7]}/screenings", headers=jonas), 403, "not_allowed")
    assert client.delete(f"{carers}/{named.json()['id']}", headers=clinic.patient).status_code == 204
    assert_problem(client.get("/v1/me", headers=jonas), 401, "not_signed_in")
    listed = client.get(carers, headers=clinic.patient).json()["items"]
    assert [one["ended_at"] for one in listed if one["name"] == "Jonas Lindqvist"] != [None]
    assert_problem(redeemed(client, code), 400, "invalid_grant")


def test_a_carers_invitation_is_not_the_patients(client: httpx.Client, clinic: Clinic) -> None:
    """Inviting the one leaves the other's code good."""
    named = client.post(f"/v1/patients/{clinic.patient_id}/carers", json=CARER, headers=clinic.therapist).json()
    theirs = client.post(f"/v1/patients/{clinic.patient_id}/invitation", headers=clinic.therapist).json()["code"]
    first, second = (invited(client, clinic, named["id"])["code"] for _ in range(2))
    assert_problem(redeemed(client, first), 400, "invalid_grant")
    assert redeemed(client, second).status_code == 200
    assert redeemed(client, theirs).status_code == 200


@pytest.mark.parametrize(
    ("but", "pointer"),
    [
        ({"consent_by": "guardian"}, "/consent_name"),
        ({"consented_on": "2025-03-04"}, "/consented_on"),
        ({"consent_by": "the son"}, "/consent_by"),
    ],
)
def test_nobody_is_a_carer_without_consent(
    client: httpx.Client, clinic: Clinic, but: dict[str, str], pointer: str
) -> None:
    answer = client.post(f"/v1/patients/{clinic.patient_id}/carers", json=CARER | but, headers=clinic.therapist)
    problem = assert_problem(answer, 422)
    assert pointer in [one["pointer"] for one in problem["errors"]]  # type: ignore[attr-defined]


def test_patients_see_who_looked(client: httpx.Client, clinic: Clinic, clock: Clock) -> None:
    for headers in (clinic.auditor, clinic.therapist):
        clock.now += timedelta(seconds=1)
        client.get(f"/v1/patients/{clinic.patient_id}/timeline", headers=headers)
    clock.now += timedelta(seconds=1)
    client.get("/v1/worklist", headers=clinic.therapist)
    found = client.get(f"/v1/patients/{clinic.patient_id}/accesses", headers=clinic.patient).json()["items"]
    assert [(one["operation"], one["by"], one["role"], one["writes"]) for one in found[:2]] == [
        ("get_timeline", "A therapist", "therapist", False),
        ("get_timeline", "A auditor", "auditor", False),
    ]
    clock.now += timedelta(seconds=1)
    client.get(f"/v1/exports/{clinic.export_id}/file", headers=clinic.admin)
    latest = client.get(f"/v1/patients/{clinic.patient_id}/accesses?limit=2", headers=clinic.patient).json()
    assert ("get_export_file", True) in [(one["operation"], one["of_everybody"]) for one in latest["items"]]
    rest = client.get(
        f"/v1/patients/{clinic.patient_id}/accesses", params={"cursor": latest["next"]}, headers=clinic.patient
    ).json()
    assert "get_timeline" in [one["operation"] for one in rest["items"]]


def test_auditors_ask_by_whom_what_whose_and_when(client: httpx.Client, clinic: Clinic, clock: Clock) -> None:
    patient = str(clinic.patient_id)
    client.get(f"/v1/patients/{patient}", headers=clinic.therapist)
    client.get("/v1/patients/0195a000-0000-7000-8000-000000000003", headers=clinic.therapist)
    client.get("/v1/webhooks", headers=clinic.therapist)
    clock.now += timedelta(days=1)

    def asked(**wanted: Any) -> list[tuple[str, str]]:
        answer = client.get("/v1/audit", params=wanted, headers=clinic.auditor)
        assert answer.status_code == 401 or answer.is_success, answer.text
        return [(one["operation"], one["outcome"]) for one in answer.json()["items"]]

    clock.now = NOON + timedelta(minutes=5)
    ines = str(clinic.ines.account_id)
    done = [("get_patient", "done"), ("get_patient", "unknown"), ("list_webhooks", "not_allowed")]
    assert sorted(asked(account_id=ines)) == done
    assert asked(account_id=ines, patient_id=patient) == [("get_patient", "done")]
    assert asked(outcome="not_allowed") == [("list_webhooks", "not_allowed")]
    assert asked(operation="get_patient", writes=True) == []
    assert asked(account_id=ines, since=(NOON + timedelta(minutes=1)).isoformat()) == []
    assert len(asked(account_id=ines, until=(NOON + timedelta(minutes=1)).isoformat())) == 3


def on_record(database: Database, clinic: Clinic, operation: str) -> list[tuple[str, UUID | None]]:
    """Outcome and patient of every event of an operation."""
    with database.reading() as tx:
        every = select(AuditEvent.outcome, AuditEvent.patient_id).where(
            AuditEvent.clinic_id == clinic.ines.clinic_id, AuditEvent.operation == operation
        )
        return [(row[0], row[1]) for row in tx.execute(every)]


@pytest.mark.parametrize(
    ("what", "body"),
    [("screenings", {"answers": {"RF-01": False}}), ("examinations", {"pain": 3, "note": "as agreed"})],
)
def test_an_earlier_answer_is_told_only_to_who_still_sees_the_patient(
    client: httpx.Client,
    database: Database,
    clinic: Clinic,
    theo: dict[str, str],
    what: str,
    body: dict[str, Any],
) -> None:
    share(client, clinic, shares=False)
    path, once = f"/v1/patients/{clinic.patient_id}/{what}", {**clinic.therapist, "Idempotency-Key": "once"}
    assert client.post(path, json=body, headers=once).status_code == 201
    assert client.post(path, json=body, headers=once).status_code == 201
    operation = "record_screening" if what == "screenings" else "examine_patient"
    assert on_record(database, clinic, operation) == [("done", clinic.patient_id)] * 2
    known = client.get(f"/v1/patients/{clinic.patient_id}", headers=clinic.therapist)
    said = {name: known.json()[name] for name in ("given_name", "family_name", "birth_date")}
    said["therapist_id"] = client.get("/v1/me", headers=theo).json()["account_id"]
    headers = {**clinic.therapist, "If-Match": known.headers["etag"]}
    assert client.put(f"/v1/patients/{clinic.patient_id}", json=said, headers=headers).status_code == 200
    assert_problem(client.post(path, json=body, headers=once), 404, "unknown")


def test_what_suits_a_patient_tells_of_them(client: httpx.Client, database: Database, clinic: Clinic) -> None:
    """So it is on record, and not for a system that may read the shelf alone."""
    query = f"/v1/exercises?safe_for={clinic.patient_id}"
    assert client.get("/v1/exercises", headers=clinic.therapist).status_code == 200
    assert on_record(database, clinic, "list_exercises") == []
    assert client.get(query, headers=clinic.therapist).status_code == 200
    assert on_record(database, clinic, "list_exercises") == [("done", clinic.patient_id)]
    for scopes, status in (("shelf:read",), 403), (("shelf:read", "records:read"), 200):
        with database.writing() as tx:
            admin = a_member(tx, clinic.ines.clinic_id, Role.ADMIN)
            system = clients.create_client(tx, admin, a_client_draft(*scopes), now=NOON)
            token = bearer(a_clients_token(tx, system))
        assert client.get(query, headers=token).status_code == status
        assert client.get("/v1/exercises", headers=token).status_code == 200


def test_what_is_heard_of_a_refused_session_is_on_the_patients_record(
    client: httpx.Client, database: Database, clinic: Clinic
) -> None:
    said = {"program_id": str(clinic.program_id), "done": "perhaps", "chips": ["fall"]}
    answer = client.put("/v1/sessions/0195a000-0000-7000-8000-000000000004", json=said, headers=clinic.therapist)
    assert answer.json()["safety_raised"]
    assert on_record(database, clinic, "keep_refused") == [("done", clinic.patient_id)]


def test_who_comes_in_by_a_letter_is_on_the_patients_record(
    client: httpx.Client, database: Database, clinic: Clinic
) -> None:
    code = client.post(f"/v1/patients/{clinic.patient_id}/invitation", headers=clinic.therapist).json()["code"]
    grant = {"grant_type": "urn:followthrough:grant-type:invitation", "code": code, "birth_date": "2001-01-01"}
    assert_problem(client.post("/v1/auth/token", data=grant), 400, "invalid_grant")
    assert redeemed(client, code).status_code == 200
    assert redeemed(client, "0000-0000-0000").status_code == 400
    entered = [("done", clinic.patient_id), ("invalid_grant", clinic.patient_id)]
    assert sorted(on_record(database, clinic, "exchange_token")) == entered


@pytest.mark.parametrize("who", ["proxy", "patient", "therapist", "admin", "auditor", "integration"])
def test_nobody_sees_a_patient_who_is_gone(client: httpx.Client, database: Database, clinic: Clinic, who: str) -> None:
    with database.writing() as tx:
        gone = update(Patient).where(Patient.clinic_id == clinic.ines.clinic_id, Patient.id == clinic.patient_id)
        tx.execute(gone.values(deleted_at=NOON))
    status = 401 if who in {"proxy", "patient"} else 404
    for path in ("", "/sessions", "/adherence", "/agenda", "/revisions"):
        answer = client.get(f"/v1/programs/{clinic.program_id}{path}", headers=getattr(clinic, who))
        assert answer.status_code == status, path


def test_the_patients_of_who_was_shut_out_are_seen_by_all_therapists(
    client: httpx.Client, clinic: Clinic, theo: dict[str, str]
) -> None:
    share(client, clinic, shares=False)
    assert names(client, theo) == []
    shut_out = client.post(f"/v1/staff/{clinic.ines.account_id}/disable", headers=clinic.admin)
    assert shut_out.status_code == 200
    assert names(client, theo) == ["Ann"]
    assert client.get(f"/v1/programs/{clinic.program_id}", headers=theo).status_code == 200
    assert client.get("/v1/worklist", headers=theo).status_code == 200


def test_patients_see_who_took_everybody_out_at_the_console(
    client: httpx.Client, database: Database, clinic: Clinic
) -> None:
    done = audit.Done(operation="console: export", writes=False)
    with database.writing() as tx:
        audit.add_events(tx, clinic.ines.clinic_id, None, None, done, [None], now=NOON + timedelta(seconds=1))
    found = client.get(f"/v1/patients/{clinic.patient_id}/accesses", headers=clinic.patient).json()["items"]
    assert (found[0]["operation"], found[0]["of_everybody"]) == ("console: export", True)


def test_a_page_shows_what_it_shows_and_no_more_is_on_record(
    client: httpx.Client, database: Database, clinic: Clinic
) -> None:
    with database.writing() as tx:
        a_patient(tx, clinic.ines, given_name="Zoe", family_name="Zimmer")
    answer = client.get("/v1/patients?limit=1", headers=clinic.therapist)
    assert answer.json()["next"]
    trail = client.get("/v1/audit?operation=list_patients", headers=clinic.auditor).json()["items"]
    assert [one["patient_id"] for one in trail] == [str(clinic.patient_id)]
