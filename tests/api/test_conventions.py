"""What every door does alike: pages, versions, keys, logs, the OpenAPI document."""

import json
import logging
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from api.logs import JsonLines
from api.problems import STATUS
from models import refusals
from models.database import Database
from models.safety.rules import RULES
from models.tables import RejectedSession
from tests.api.conftest import Clinic, assert_problem
from tests.builders import NOON

ANN = {"given_name": "Ann", "family_name": "Other"}


def test_the_catalogue_in_pages_is_the_whole_catalogue(client: httpx.Client, clinic: Clinic) -> None:
    seen: list[str] = []
    path: str | None = "/v1/exercises?limit=100"
    while path:
        answer = client.get(path, headers=clinic.therapist)
        seen += [exercise["slug"] for exercise in answer.json()["items"]]
        link = answer.headers.get("link")
        assert (link is None) == (answer.json()["next"] is None)
        path = link.split(">")[0].removeprefix("<") if link else None
    assert len(seen) == len(set(seen)) == 245
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("category=balance", lambda one: one["category"] == "balance"),
        ("region=neck", lambda one: one["region"] == "neck"),
        ("position=pool", lambda one: one["position"] == "pool"),
        ("max_level=0", lambda one: one["level"] == 0),
        ("min_level=3&max_level=3", lambda one: one["level"] == 3),
        ("q=bridge", lambda one: "bridge" in (one["name"] + one["summary"] + " ".join(one["muscles"])).lower()),
        ("equipment=none", lambda one: one["needs"] == []),
        (
            "equipment=mat&equipment=pillow",
            lambda one: all({"mat", "pillow"} & set(slot) for slot in one["needs"]),
        ),
        ("category=core&region=trunk&equipment=mat&q=plank", lambda one: "lank" in one["name"]),
    ],
)
def test_filters_find_just_what_they_say(client: httpx.Client, clinic: Clinic, query: str, holds: Any) -> None:
    everything, found = whole_list(client, clinic, ""), whole_list(client, clinic, f"&{query}")
    assert found
    if "q=" not in query:
        assert [one["slug"] for one in found] == [one["slug"] for one in everything if holds(one)]
    assert all(holds(one) for one in found)


def whole_list(client: httpx.Client, clinic: Clinic, query: str) -> list[dict[str, Any]]:
    """Every page of the catalogue under a filter."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        page = client.get(f"/v1/exercises?limit=100{query}{more}", headers=clinic.patient).json()
        found += page["items"]
        cursor = page["next"]
    return found


def test_a_search_takes_percent_and_underscore_as_they_are(client: httpx.Client, clinic: Clinic) -> None:
    for text in ("%25", "_", "100%25", "\\"):
        assert client.get(f"/v1/exercises?q={text}", headers=clinic.therapist).json()["items"] == []


def test_a_patient_is_replaced_only_by_who_read_the_latest(client: httpx.Client, clinic: Clinic) -> None:
    where = f"/v1/patients/{clinic.patient_id}"
    tag = client.get(where, headers=clinic.therapist).headers["etag"]
    assert_problem(client.put(where, json=ANN, headers=clinic.therapist), 428)
    assert client.put(where, json=ANN, headers={**clinic.therapist, "If-Match": tag}).headers["etag"] == '"v2"'
    for stale in (tag, "*", "W/" + tag, '"v02"', "nonsense"):
        assert_problem(client.put(where, json=ANN, headers={**clinic.therapist, "If-Match": stale}), 412)
    assert client.get(where, headers=clinic.therapist).json()["family_name"] == "Other"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/patients", ANN),
        ("/v1/patients/{patient}/screenings", {"answers": {"RF-01": False}}),
        ("/v1/patients/{patient}/programs", {"protocol": "neck-posture-desk"}),
        ("/v1/patients/{patient}/measures", {"code": "pain", "score": 4}),
        ("/v1/patients/{patient}/outreach", {"channel": "phone", "outcome": "no_answer"}),
        ("/v1/programs/{program}/pauses", {"from_on": "2025-03-10", "to_on": "2025-03-12", "reason": "holiday"}),
        (
            "/v1/programs/{program}/discharge",
            {"maintenance": {"protocol": "neck-posture-desk"}, "acknowledged": sorted(RULES)},
        ),
        ("/v1/webhooks", {"url": "https://hooks.example/a"}),
        ("/v1/staff", {"role": "admin", "name": "Ada", "email": "ada@b.example", "password": "long enough for this"}),
    ],
)
def test_creating_with_a_key_creates_once(
    client: httpx.Client, clinic: Clinic, path: str, body: dict[str, Any]
) -> None:
    where = path.format(patient=clinic.patient_id, program=clinic.program_id)
    headers = {**clinic.admin, "Idempotency-Key": str(uuid4())}
    first = client.post(where, json=body, headers=headers)
    again = client.post(where, json=body, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert_problem(client.post(where, json={**body, "unheard_of": 1}, headers=headers), 422)
    without = client.post(where, json=body, headers=clinic.admin)
    assert without.status_code == 409 or without.json()["id"] != first.json()["id"]


def test_a_key_used_for_another_request_is_refused(client: httpx.Client, clinic: Clinic) -> None:
    headers = {**clinic.therapist, "Idempotency-Key": "one"}
    client.post("/v1/patients", json=ANN, headers=headers)
    answer = client.post("/v1/patients", json={**ANN, "given_name": "Bob"}, headers=headers)
    assert_problem(answer, 422, "idempotency_key_reused")


def test_patients_by_name_in_pages(client: httpx.Client, clinic: Clinic) -> None:
    for name in ("Zoe", "abe", "Åsa", "O'Hara %"):
        client.post("/v1/patients", json={"given_name": name, "family_name": "Brown"}, headers=clinic.therapist)
    seen: list[str] = []
    cursor = ""
    while True:
        query = f"limit=2{'&cursor=' + cursor if cursor else ''}"
        page = client.get(f"/v1/patients?{query}", headers=clinic.therapist).json()
        seen += [patient["given_name"] for patient in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5
    found = client.get("/v1/patients?name=zo", headers=clinic.therapist).json()["items"]
    assert [patient["given_name"] for patient in found] == ["Zoe"]
    assert client.get("/v1/patients?name=%25", headers=clinic.therapist).json()["items"] == []


def test_a_positive_screening_is_on_the_list_at_once(client: httpx.Client, clinic: Clinic) -> None:
    questions = client.get("/v1/red-flags", headers=clinic.therapist).json()["items"]
    answers = {question["id"]: question["id"] in {"RF-01", "RF-06"} for question in questions}
    where = f"/v1/patients/{clinic.patient_id}/screenings"
    advice = client.post(where, json={"answers": answers}, headers=clinic.therapist).json()["advice"]
    assert advice == [question["advice"] for question in questions if answers[question["id"]]]
    (row,) = client.get("/v1/worklist", headers=clinic.therapist).json()["items"]
    assert (row["kind"], row["severity"]) == ("red_flag", "emergency")
    for question in questions:
        assert (question["question"] in row["evidence"]) is answers[question["id"]]


def test_ordinary_reasons_can_wait(client: httpx.Client, clinic: Clinic) -> None:
    for reason, cannot_wait in (("no_time", False), ("symptoms_worse", True)):
        body = {
            "program_id": str(clinic.program_id),
            "performed_at": NOON.isoformat(),
            "time_zone": "UTC",
            "local_date": "2025-03-03",
            "done": "none",
            "reason": reason,
        }
        answer = client.put(f"/v1/sessions/{uuid4()}", json=body, headers=clinic.patient)
        assert answer.json()["safety_raised"] is cannot_wait


def test_sessions_in_pages_latest_first(client: httpx.Client, clinic: Clinic) -> None:
    sent = []
    for minute in range(5):
        session_id = uuid4()
        body = {
            "program_id": str(clinic.program_id),
            "performed_at": f"2025-03-03T11:0{minute}:00Z",
            "time_zone": "UTC",
            "local_date": "2025-03-03",
            "done": "some",
        }
        assert client.put(f"/v1/sessions/{session_id}", json=body, headers=clinic.patient).status_code == 201
        sent.append(str(session_id))
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        where = f"/v1/programs/{clinic.program_id}/sessions?limit=2{more}"
        page = client.get(where, headers=clinic.patient).json()
        seen += [session["id"] for session in page["items"]]
        cursor = page["next"]
    assert sorted(seen) == sorted(sent)


def test_a_therapists_refused_session_is_kept_too(client: httpx.Client, database: Database, clinic: Clinic) -> None:
    for program in (str(clinic.program_id), str(uuid4()), "nonsense", 7):
        body = {"program_id": program, "chips": ["fall"]}
        problem = assert_problem(client.put(f"/v1/sessions/{uuid4()}", json=body, headers=clinic.therapist), 422)
        assert problem["kept"] is True
        assert problem["safety_raised"] is (program == str(clinic.program_id))
    with database.reading() as tx:
        assert len(tx.scalars(select(RejectedSession)).all()) == 4


def test_every_refusal_has_a_status_and_every_status_a_refusal() -> None:
    family = {refusals.Refusal}
    while more := {sub for one in family for sub in one.__subclasses__()} - family:
        family |= more
    assert set(STATUS) == family - {refusals.Refusal}


def test_the_openapi_document_is_complete(app: FastAPI, client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert document == app.openapi()
    names = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            names.append(operation["operationId"])
            assert operation["summary"], where
            assert operation["tags"], where
            problems = [code for code in operation["responses"] if code[0] == "4"]
            if path.startswith("/v1"):
                assert problems, where
            for code in problems:
                content = operation["responses"][code]["content"]
                assert list(content) == ["application/problem+json"], where
    assert len(names) == len(set(names))
    inputs = [schema for name, schema in document["components"]["schemas"].items() if name.endswith("In")]
    assert inputs
    for schema in inputs:
        assert schema["description"], schema["title"]
        assert schema["additionalProperties"] is False


def test_every_operation_that_looks_at_a_key_says_that_it_may_refuse_it(
    app: FastAPI, client: httpx.Client, clinic: Clinic
) -> None:
    headers = {**clinic.patient, "Idempotency-Key": "with spaces"}
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            if operation.get("security"):
                place = path.replace("{", "").replace("}", "")
                assert client.request(method, place, headers=headers).status_code in {412, 422, 428}
                assert "422" in operation["responses"], f"{method} {path}"


def test_the_docs_need_no_internet(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert "http://" not in page.replace("http://test", "")
    assert "https://" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert asset in page
        assert client.get(f"/static-offline-docs/{asset}").status_code == 200


def test_healthz_and_readyz(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}


def test_the_log_says_what_happened_and_nothing_of_health(
    client: httpx.Client, clinic: Clinic, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "followthrough")
    client.get("/v1/patients?name=Archer", headers=clinic.therapist)
    answer = client.put(
        f"/v1/sessions/{uuid4()}", json={"note": "it hurts", "chips": ["RF-01"]}, headers=clinic.patient
    )
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    told = lines[-1]
    assert told["request_id"] == answer.headers["x-request-id"]
    assert (told["method"], told["route"], told["status"]) == ("PUT", "/v1/sessions/{session_id}", 422)
    text = json.dumps(lines)
    for secret in ("Archer", "hurts", "RF-01", str(clinic.patient_id), "ft_"):
        assert secret not in text


def test_an_accident_is_a_problem_too_and_its_message_stays_inside(
    app: FastAPI, client: httpx.Client, clinic: Clinic, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("patient Ann Archer")

    app.state.clock = broken
    answer = client.get("/v1/me", headers=clinic.therapist)
    assert_problem(answer, 500, "accident")
    told = "".join(JsonLines().format(record) for record in caplog.records)
    assert "RuntimeError" in told
    assert "Archer" not in told + answer.text


def test_adherence_can_be_asked_of_the_past(client: httpx.Client, clinic: Clinic) -> None:
    where = f"/v1/programs/{clinic.program_id}/adherence"
    body = {
        "program_id": str(clinic.program_id),
        "performed_at": NOON.isoformat(),
        "time_zone": "Europe/London",
        "local_date": "2025-03-03",
        "done": "all",
    }
    assert client.put(f"/v1/sessions/{uuid4()}", json=body, headers=clinic.patient).status_code == 201
    now = client.get(where, headers=clinic.patient).json()
    before = client.get(where, params={"as_of": "2025-03-03T11:00:00Z"}, headers=clinic.patient).json()
    assert (now["standing"], before["standing"]) == ("on_track", "not_started")
    assert now["rates"]["program"]["frequency"] == {"value": 1.0, "numerator": 1.0, "denominator": 1.0}
    assert now["rates"]["program"]["completeness"]["value"] == 1.0
    assert [change["standing"] for change in now["forecast"]][:3] == ["watch", "lapsed", "stopped"]
