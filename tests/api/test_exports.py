"""Exports over HTTP: asked for once, watched, fetched whole or from where it broke off, and removed."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.exports.jobs import Exporter
from models.database import Database
from models.operations.exports import EXPIRES_AFTER, MOST
from models.operations.sessions import record_sessions
from models.tables import Role
from tests.api.conftest import Clinic, assert_problem
from tests.builders import DAY, MONDAY, NOON, a_member, a_report, a_token, bearer
from tests.conftest import Clock

DAYS = 5


@pytest.fixture
def exporter(database: Database, folder: Path, clock: Clock, clinic: Clinic) -> Exporter:
    """Works on exports, two rows at a time, of a clinic with five sessions."""
    with database.writing() as tx:
        for day in range(DAYS):
            said = a_report(clinic.program_id, MONDAY + day * DAY, note="=1+1")
            record_sessions(tx, clinic.ines, [said], now=said.performed_at)
    return Exporter(folder, database.reading, database.writing, lambda: clock.now, size=2)


def ask(client: httpx.Client, clinic: Clinic, **said: Any) -> dict[str, Any]:
    answer = client.post("/v1/exports", json={"content": "sessions"} | said, headers=clinic.admin)
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/exports/{body['id']}"
    return body


def look(client: httpx.Client, clinic: Clinic, export_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/v1/exports/{export_id}", headers=clinic.admin).json()
    return found


def test_an_export_comes_along_until_its_file_can_be_fetched(
    client: httpx.Client, clinic: Clinic, exporter: Exporter
) -> None:
    made = ask(client, clinic)
    assert (made["status"], made["progress"], made["rows_total"], made["file"]) == ("waiting", 0, None, None)
    seen = [made["progress"]]
    while not exporter.work([clinic.ines.clinic_id], seconds=0):
        now = look(client, clinic, made["id"])
        assert (now["status"], now["rows_total"], now["file"]) == ("running", DAYS, None)
        assert_problem(client.get(f"/v1/exports/{made['id']}/file", headers=clinic.admin), 404, "unknown")
        seen.append(now["progress"])
    assert seen == [0, 2 / 5, 4 / 5]
    done = look(client, clinic, made["id"])
    assert (done["status"], done["progress"], done["rows_done"]) == ("done", 1, DAYS)
    fetched = client.get(done["file"], headers=clinic.admin)
    assert fetched.headers["content-type"].startswith("application/x-ndjson")
    assert fetched.headers["content-disposition"] == 'attachment; filename="sessions-2025-03-03.ndjson"'
    assert fetched.headers["cache-control"] == "private, no-store"
    assert int(fetched.headers["content-length"]) == done["bytes_done"]
    assert len(fetched.text.splitlines()) == DAYS


def test_a_download_that_broke_off_goes_on_where_it_was(
    client: httpx.Client, clinic: Clinic, exporter: Exporter
) -> None:
    file = f"/v1/exports/{ask(client, clinic)['id']}/file"
    exporter.work([clinic.ines.clinic_id])
    whole = client.get(file, headers=clinic.admin)
    assert whole.headers["accept-ranges"] == "bytes"
    rest = {"Range": "bytes=100-", "If-Range": whole.headers["etag"]}
    part = client.get(file, headers=clinic.admin | rest)
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes 100-{len(whole.content) - 1}/{len(whole.content)}"
    assert part.content == whole.content[100:]


def test_asking_twice_with_one_key_asks_once(client: httpx.Client, clinic: Clinic) -> None:
    said, key = {"content": "weeks"}, {"Idempotency-Key": "k-1"}
    first, again = (client.post("/v1/exports", json=said, headers=clinic.admin | key) for _ in range(2))
    assert first.json() == again.json()
    assert len(client.get("/v1/exports", headers=clinic.admin).json()["items"]) == 2  # with the clinic's first
    other = client.post("/v1/exports", json={"content": "flags"}, headers=clinic.admin | key)
    assert_problem(other, 422, "idempotency_key_reused")


def test_csv_is_as_it_was_asked_for_and_no_formula(client: httpx.Client, clinic: Clinic, exporter: Exporter) -> None:
    made = ask(client, clinic, format="csv", bom=True, delimiter=";", decimal=",")
    exporter.work([clinic.ines.clinic_id])
    fetched = client.get(f"/v1/exports/{made['id']}/file", headers=clinic.admin)
    assert fetched.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(fetched.content.decode("utf-8-sig")), delimiter=";"))
    assert {row["note"] for row in rows} == {"'=1+1"}
    assert fetched.content.count(b"\xef\xbb\xbf") == 1
    assert fetched.text.count("session_id") == 1
    assert len(rows) == DAYS


def test_a_de_identified_file_says_so_in_its_name_alone(
    client: httpx.Client, clinic: Clinic, exporter: Exporter
) -> None:
    made = ask(client, clinic, de_identified=True)
    exporter.work([clinic.ines.clinic_id])
    done = look(client, clinic, made["id"])
    assert "salt" not in done
    fetched = client.get(done["file"], headers=clinic.admin)
    assert 'filename="de-identified-sessions-2025-03-03.ndjson"' in fetched.headers["content-disposition"]
    assert str(clinic.patient_id) not in fetched.text
    assert all(len(json.loads(line)["patient_id"]) == 32 for line in fetched.text.splitlines())


@pytest.mark.parametrize(
    "said",
    [
        {"content": "secrets"},
        {"content": "sessions", "format": "pdf"},
        {"content": "sessions", "bom": True},
        {"content": "sessions", "format": "csv", "decimal": ","},
        {"content": "patients", "from_on": "2025-03-03"},
        {"content": "sessions", "from_on": "2025-03-03", "to_on": "2025-03-02"},
        {"content": "sessions", "salt": "mine"},
    ],
)
def test_what_cannot_be_written_is_refused(client: httpx.Client, clinic: Clinic, said: dict[str, Any]) -> None:
    assert_problem(client.post("/v1/exports", json=said, headers=clinic.admin), 422, "invalid")


def test_a_deleted_export_is_gone_with_its_file(client: httpx.Client, clinic: Clinic, folder: Path) -> None:
    path, url = folder / str(clinic.export_id), f"/v1/exports/{clinic.export_id}"
    assert client.get(f"{url}/file", headers=clinic.admin).status_code == 200
    assert client.delete(url, headers=clinic.admin).status_code == 204
    assert not path.exists()
    for method, place in (("GET", url), ("GET", f"{url}/file"), ("DELETE", url)):
        assert_problem(client.request(method, place, headers=clinic.admin), 404, "unknown")


def test_an_expired_export_has_no_file_even_before_it_is_swept(
    client: httpx.Client, clinic: Clinic, clock: Clock, database: Database
) -> None:
    url = f"/v1/exports/{clinic.export_id}"
    ready = client.get(url, headers=clinic.admin).json()
    assert ready["expires_at"] == "2025-03-10T12:00:00Z"
    clock.now = NOON + EXPIRES_AFTER
    headers = signed_in_again(database, clinic, clock)
    expired = client.get(url, headers=headers).json()
    assert (expired["status"], expired["file"]) == ("expired", None)
    assert_problem(client.get(f"{url}/file", headers=headers), 404, "unknown")


def signed_in_again(database: Database, clinic: Clinic, clock: Clock) -> dict[str, str]:
    with database.writing() as tx:
        return bearer(a_token(tx, a_member(tx, clinic.ines.clinic_id, Role.ADMIN), now=clock.now))


def test_another_clinic_can_neither_fetch_nor_delete_it(
    client: httpx.Client, clinic: Clinic, stranger: Clinic, folder: Path
) -> None:
    for export_id in (clinic.export_id, uuid4()):
        for method, place in (("GET", ""), ("GET", "/file"), ("DELETE", "")):
            answer = client.request(method, f"/v1/exports/{export_id}{place}", headers=stranger.admin)
            assert_problem(answer, 404, "unknown")
    assert (folder / str(clinic.export_id)).exists()


def test_a_file_that_is_not_where_it_should_be_is_unknown(client: httpx.Client, clinic: Clinic, folder: Path) -> None:
    (folder / str(clinic.export_id)).unlink()
    assert_problem(client.get(f"/v1/exports/{clinic.export_id}/file", headers=clinic.admin), 404, "unknown")


def test_a_clinic_has_so_many_and_no_more(client: httpx.Client, clinic: Clinic) -> None:
    for _ in range(MOST - 1):
        ask(client, clinic)
    full = client.post("/v1/exports", json={"content": "sessions"}, headers=clinic.admin)
    assert_problem(full, 409, "too_many_exports")
    client.delete(f"/v1/exports/{clinic.export_id}", headers=clinic.admin)
    ask(client, clinic)


def test_what_has_expired_takes_no_room(client: httpx.Client, clinic: Clinic, clock: Clock, database: Database) -> None:
    for _ in range(MOST - 1):
        ask(client, clinic)
    clock.now = NOON + EXPIRES_AFTER
    headers = signed_in_again(database, clinic, clock)
    assert client.post("/v1/exports", json={"content": "sessions"}, headers=headers).status_code == 202


def test_exports_are_listed_the_latest_first_page_by_page(client: httpx.Client, clinic: Clinic, clock: Clock) -> None:
    made = [str(clinic.export_id)]
    for _ in range(4):
        clock.now += timedelta(seconds=1)
        made.append(ask(client, clinic)["id"])
    found, url = [], "/v1/exports?limit=2"
    while url:
        page = client.get(url, headers=clinic.admin)
        found += [one["id"] for one in page.json()["items"]]
        url = page.links.get("next", {}).get("url", "")
    assert found == made[::-1]
