"""What every answer says to browsers, whatever the question, and to which other sites it speaks."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from uuid import uuid4

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI

from api.app import create_app
from api.headers import ALWAYS
from api.settings import Settings
from models.database import Database
from tests.api.conftest import Clinic, assert_problem
from tests.asgi import InProcess

PLAIN = Settings(sweep_seconds=0)
APP = "https://app.clinic.example"


def a_client(settings: Settings, database: Database, portal: BlockingPortal) -> httpx.Client:
    return httpx.Client(transport=InProcess(create_app(settings, database), portal), base_url="http://test")


def assert_safe(answer: httpx.Response) -> None:
    for name, value in ALWAYS.items():
        assert answer.headers.get_list(name.decode()) == [value.decode()], name


def test_every_answer_carries_them(app: FastAPI, client: httpx.Client, clinic: Clinic) -> None:
    answers = [
        client.get("/v1/me", headers=clinic.therapist),
        client.get("/v1/worklist", headers=clinic.therapist),
        client.get("/v1/exercises", headers=clinic.patient),
        client.get("/healthz"),
        client.get("/v1/me"),
        client.get("/v1/nothing"),
        client.delete("/v1/exercises"),
        client.put(f"/v1/sessions/{uuid4()}", content=b"{", headers=clinic.patient),
        client.put(f"/v1/sessions/{uuid4()}", content=b" " * 2_000_000, headers=clinic.patient),
        client.post("/v1/auth/token", data={"grant_type": "password", "username": "a@b.example", "password": "wrong"}),
    ]

    def broken() -> None:
        raise RuntimeError

    app.state.clock = broken
    answers.append(client.get("/v1/me", headers=clinic.therapist))
    assert [one.status_code for one in answers] == [200, 200, 200, 200, 401, 404, 405, 422, 413, 400, 500]
    for answer in answers:
        assert_safe(answer)
        assert "strict-transport-security" not in answer.headers


def test_a_record_is_not_kept_and_its_version_is_still_told(client: httpx.Client, clinic: Clinic) -> None:
    answer = client.get(f"/v1/patients/{clinic.patient_id}", headers=clinic.therapist)
    assert (answer.headers["cache-control"], answer.headers["etag"]) == ("no-store", '"v1"')


def test_a_file_says_its_own_words_once(client: httpx.Client, clinic: Clinic) -> None:
    answer = client.get(f"/v1/exports/{clinic.export_id}/file", headers=clinic.admin)
    assert answer.status_code == 200
    assert answer.headers.get_list("cache-control") == ["private, no-store"]
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


def test_the_documentation_runs_its_own_script_and_no_other(client: httpx.Client) -> None:
    page = client.get("/docs")
    (inline,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = b64encode(sha256(inline.encode()).digest()).decode()
    (policy,) = page.headers.get_list("content-security-policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["script-src"] == f"'self' 'sha256-{digest}'"
    assert rules["default-src"] == rules["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy
    for local in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        file = client.get(local)
        assert (file.status_code, file.headers["cache-control"]) == (200, "no-cache")
        again = client.get(local, headers={"If-None-Match": file.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    document = client.get("/openapi.json")
    assert (document.status_code, document.headers["cache-control"]) == (200, "no-cache")


def test_in_production_browsers_are_told_to_come_by_https_only(database: Database, portal: BlockingPortal) -> None:
    with a_client(replace(PLAIN, production=True), database, portal) as client:
        for path in ("/healthz", "/v1/nothing", "/docs", "/openapi.json"):
            assert client.get(path).headers["strict-transport-security"] == "max-age=63072000"


# Other sites.


def test_no_other_site_is_spoken_to_unless_it_is_named(client: httpx.Client, clinic: Clinic) -> None:
    asking = {"Origin": APP, "Access-Control-Request-Method": "GET"}
    assert_problem(client.options("/v1/me", headers=asking), 405)
    answer = client.get("/v1/me", headers={**clinic.therapist, "Origin": APP})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.fixture
def spoken_to(database: Database, portal: BlockingPortal) -> httpx.Client:
    return a_client(replace(PLAIN, cors_origins=(APP, "https://localhost")), database, portal)


def test_a_named_site_may_ask_and_read(spoken_to: httpx.Client) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        wanted = "authorization,content-type,if-match,idempotency-key,range,x-request-id"
        asking = {"Origin": APP, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": wanted}
        answer = spoken_to.options("/v1/me", headers=asking)
        assert answer.status_code == 200, answer.text
        assert answer.headers["access-control-allow-origin"] == APP
        assert method in answer.headers["access-control-allow-methods"]
        assert_safe(answer)
        assert answer.headers["x-request-id"]
    for path, status in (("/healthz", 200), ("/v1/me", 401), ("/v1/nothing", 404)):
        answer = spoken_to.get(path, headers={"Origin": APP})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == APP
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers
        readable = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert readable >= {"ETag", "Link", "Location", "Retry-After", "X-Request-Id"}


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.clinic.example.evil.example",
        "https://evil.example",
        "http://app.clinic.example",
        "https://app.clinic.example:8443",
        "https://sub.app.clinic.example",
        "null",
    ],
)
def test_a_site_that_was_not_named_may_not(spoken_to: httpx.Client, origin: str) -> None:
    asking = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    refused = spoken_to.options("/v1/me", headers=asking)
    assert refused.status_code == 400
    answer = spoken_to.get("/healthz", headers={"Origin": origin})
    assert "access-control-allow-origin" not in {*refused.headers, *answer.headers}


# The id of a request.


@pytest.mark.parametrize("given", ["46eb88fdaf2842aab6f7a444d53ca57b", "873adbc3-9170-48eb-a041-eb0832ee940a"])
def test_a_request_keeps_the_id_it_came_with(client: httpx.Client, given: str) -> None:
    answer = client.get("/v1/me", headers={"X-Request-Id": given})
    assert assert_problem(answer, 401)["request_id"] == given
    assert answer.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize("given", ["", "Ann Archer", "a" * 31, "a" * 33, "A" * 32, "g" * 32, "a" * 32 + "\t"])
def test_words_are_no_id(client: httpx.Client, given: str) -> None:
    answer = client.get("/v1/me", headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answer.headers["x-request-id"] != given
