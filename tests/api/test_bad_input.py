"""Bad input: a clear problem that names the field, and nothing stored among sessions."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select

from models.database import Database
from models.safety.red_flags import EMERGENCY, PAIN_ADVICE, salvage
from models.tables import Flag, RejectedSession, SessionLog
from tests.api.conftest import Clinic, assert_problem
from tests.builders import NOON


def a_body(clinic: Clinic, **but: Any) -> dict[str, Any]:
    words = {
        "program_id": str(clinic.program_id),
        "performed_at": NOON.isoformat(),
        "time_zone": "Europe/London",
        "local_date": "2025-03-03",
        "done": "all",
    }
    return {key: value for key, value in (words | but).items() if value is not ...}


def put(client: httpx.Client, clinic: Clinic, body: Any, session_id: UUID | str | None = None) -> httpx.Response:
    return client.put(f"/v1/sessions/{session_id or uuid4()}", json=body, headers=clinic.patient)


def stored(database: Database) -> tuple[int, int]:
    with database.reading() as tx:
        sessions = tx.scalar(select(func.count()).select_from(SessionLog))
        kept = tx.scalar(select(func.count()).select_from(RejectedSession))
    return sessions or 0, kept or 0


@pytest.mark.parametrize(
    ("but", "pointer"),
    [
        ({"unheard_of": 1}, "/unheard_of"),
        ({"program_id": "no uuid"}, "/program_id"),
        ({"program_id": ...}, "/program_id"),
        ({"performed_at": "2025-03-03T12:00:00"}, "/performed_at"),
        ({"performed_at": 1741003200}, "/performed_at"),
        ({"performed_at": "1967-03-03T12:00:00Z"}, "/performed_at"),
        ({"performed_at": "0001-01-01T00:00:00+14:00"}, "/performed_at"),
        ({"performed_at": (NOON + timedelta(hours=2)).isoformat()}, "/performed_at"),
        ({"performed_at": "2099-01-01T00:00:00Z", "local_date": "2099-01-01"}, "/performed_at"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"time_zone": "../etc/passwd"}, "/time_zone"),
        ({"time_zone": "localtime"}, "/time_zone"),
        ({"local_date": "2025-03-06"}, "/local_date"),
        ({"local_date": "03.03.2025"}, "/local_date"),
        ({"local_date": 20250303}, "/local_date"),
        ({"local_date": "2025-03-02", "performed_at": "2025-03-02T12:00:00Z"}, "/local_date"),
        ({"done": "mostly"}, "/done"),
        ({"pain_during": 11}, "/pain_during"),
        ({"pain_during": -1}, "/pain_during"),
        ({"pain_during": "3"}, "/pain_during"),
        ({"pain_during": 3.0}, "/pain_during"),
        ({"pain_during": True}, "/pain_during"),
        ({"pain_during": 10**30}, "/pain_during"),
        ({"effort": 11}, "/effort"),
        ({"settled_by_morning": "yes"}, "/settled_by_morning"),
        ({"chips": "fall"}, "/chips"),
        ({"chips": ["x" * 33]}, "/chips/0"),
        ({"chips": ["fall"] * 31}, "/chips"),
        ({"note": "x" * 2001}, "/note"),
        ({"note": "a\x00b"}, "/note"),
        ({"ext": [1]}, "/ext"),
        ({"ext": {"long": "x" * 2048}}, "/ext"),
        ({"ext": {"zero": "\x00"}}, "/ext"),
        ({"entries": [{"line_id": str(uuid4())}]}, "/entries/0/line_id"),
        ({"entries": [{"sets": 1}]}, "/entries/0/line_id"),
        ({"entries": [{"line_id": str(uuid4()), "pain": 12}]}, "/entries/0/pain"),
        ({"entries": [{"line_id": str(uuid4()), "minutes": "ten"}]}, "/entries/0/minutes"),
        ({"done": "none", "entries": [{"line_id": str(uuid4())}]}, ""),
    ],
)
def test_a_bad_session_is_refused_named_and_kept(
    client: httpx.Client, database: Database, clinic: Clinic, but: dict[str, Any], pointer: str
) -> None:
    problem = assert_problem(put(client, clinic, a_body(clinic, **but)), 422)
    assert pointer in [error["pointer"] for error in problem["errors"]]  # type: ignore[attr-defined]
    grave = salvage(but).matter
    assert (problem["kept"], problem["safety_raised"]) == (True, grave)
    assert stored(database) == (0, 1)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("😀", 201),
        ("통증", 201),
        ("\\ud800 and \\u0000, as text", 201),
        ("통" * 678, 201),  # with {"mood": ""} around it 2,046 bytes
        ("통" * 679, 422),
        ("\x00", 422),
        ("\\\x00", 422),
    ],
)
def test_ext_takes_any_writing_up_to_its_bytes(client: httpx.Client, clinic: Clinic, text: str, status: int) -> None:
    assert put(client, clinic, a_body(clinic, ext={"mood": text})).status_code == status


def test_half_a_character_in_ext_is_refused(client: httpx.Client, clinic: Clinic) -> None:
    headers = {**clinic.patient, "content-type": "application/json"}
    whole = json.dumps(a_body(clinic, ext={"mood": "\ud800"}))
    problem = assert_problem(client.put(f"/v1/sessions/{uuid4()}", content=whole, headers=headers), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/ext"]  # type: ignore[attr-defined]


def test_a_refused_session_still_says_what_cannot_wait(
    client: httpx.Client, database: Database, clinic: Clinic
) -> None:
    problem = assert_problem(put(client, clinic, a_body(clinic, pain_during=11, chips=["RF-01"], effort="hard")), 422)
    assert problem["safety_raised"] is True
    assert problem["advice"] == [EMERGENCY, PAIN_ADVICE]
    with database.reading() as tx:
        assert {flag.kind for flag in tx.scalars(select(Flag).where(Flag.about_id == clinic.patient_id))} == {
            "red_flag",
            "pain_high",
        }
    assert stored(database) == (0, 1)


def test_one_broken_chip_breaks_nothing(client: httpx.Client, clinic: Clinic) -> None:
    body = '{"chips": ["RF-01", "rf-\\ud800", "rf-\\u0000"]}'
    headers = {**clinic.patient, "content-type": "application/json"}
    problem = assert_problem(client.put(f"/v1/sessions/{uuid4()}", content=body, headers=headers), 422)
    assert (problem["kept"], problem["safety_raised"]) == (True, True)
    (row,) = client.get("/v1/worklist", headers=clinic.therapist).json()["items"]
    assert row["severity"] == "emergency"


def test_another_clinics_program_is_no_program(
    client: httpx.Client, database: Database, clinic: Clinic, stranger: Clinic
) -> None:
    foreign = put(client, clinic, a_body(clinic, program_id=str(stranger.program_id)))
    made_up = put(client, clinic, a_body(clinic, program_id=str(uuid4())))
    for answer in (foreign, made_up):
        problem = assert_problem(answer, 404, "unknown")
        assert problem["errors"][0]["pointer"] == "/program_id"  # type: ignore[index]
    assert stored(database) == (0, 2)


def test_a_reused_id_with_other_content_is_a_conflict(client: httpx.Client, database: Database, clinic: Clinic) -> None:
    session_id = uuid4()
    assert put(client, clinic, a_body(clinic, pain_during=2), session_id).status_code == 201
    assert put(client, clinic, a_body(clinic, pain_during=2), session_id).status_code == 200
    problem = assert_problem(put(client, clinic, a_body(clinic, pain_during=9), session_id), 409, "conflict")
    assert problem["safety_raised"] is True
    with database.reading() as tx:
        assert tx.scalars(select(SessionLog.pain_during)).all() == [2]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"nonsense", 400),
        (b'{"pain_during": NaN}', 422),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 100_000, 400),
        (b"9" * 10_000, 400),
        (b"[]", 422),
        (b'"text"', 422),
        (b"null", 422),
        (b'{"note": "\\ud800"}', 422),
    ],
)
def test_what_is_no_session_at_all(
    client: httpx.Client, database: Database, clinic: Clinic, content: bytes, status: int
) -> None:
    headers = {**clinic.patient, "content-type": "application/json"}
    assert_problem(client.put(f"/v1/sessions/{uuid4()}", content=content, headers=headers), status)
    assert stored(database)[0] == 0


def test_a_huge_body_is_refused_unread(client: httpx.Client, database: Database, clinic: Clinic) -> None:
    problem = assert_problem(put(client, clinic, a_body(clinic, note="x" * (1024 * 1024))), 413, "too_large")
    assert problem["limit"] == 1024 * 1024
    assert stored(database) == (0, 0)


def test_a_huge_body_without_a_length_is_refused_too(client: httpx.Client, clinic: Clinic) -> None:
    parts = (b" " * 65_536 for _ in range(20))
    headers = {**clinic.patient, "content-type": "application/json"}
    assert_problem(client.put(f"/v1/sessions/{uuid4()}", content=parts, headers=headers), 413, "too_large")


def test_an_id_that_is_none(client: httpx.Client, clinic: Clinic) -> None:
    problem = assert_problem(put(client, clinic, a_body(clinic), "not-an-id"), 422)
    assert problem["errors"][0]["pointer"] == "/session_id"  # type: ignore[index]


def test_strangers_leave_nothing_behind(client: httpx.Client, database: Database, clinic: Clinic) -> None:
    for headers in ({}, {"Authorization": "Bearer ft_made_up"}, {"Authorization": "Basic eDp5"}):
        answer = client.put(f"/v1/sessions/{uuid4()}", json={"chips": ["RF-01"]}, headers=headers)
        assert answer.status_code in {401, 422}
        good = client.put(f"/v1/sessions/{uuid4()}", json=a_body(clinic), headers=headers)
        assert_problem(good, 401, "not_signed_in")
        assert good.headers["www-authenticate"] == "Bearer"
    assert stored(database) == (0, 0)


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v1/patients", {"family_name": "Archer"}, "/given_name"),
        ("/v1/patients", {"given_name": "  ", "family_name": "Archer"}, "/given_name"),
        ("/v1/patients", {"given_name": "A\x00", "family_name": "B"}, "/given_name"),
        ("/v1/patients", {"given_name": "A", "family_name": "B", "birth_date": "2031-01-01"}, "/birth_date"),
        ("/v1/patients", {"given_name": "A", "family_name": "B", "email": "nobody"}, "/email"),
        ("/v1/patients", {"given_name": "A", "family_name": "B", "time_zone": "Mars"}, "/time_zone"),
        ("/v1/patients", {"given_name": "A", "family_name": "B", "minutes_available": 0}, "/minutes_available"),
        ("/v1/patients", {"given_name": "A", "family_name": "B", "therapist_id": str(uuid4())}, "/therapist_id"),
        ("/v1/patients/{patient}/screenings", {"answers": {}}, "/answers"),
        ("/v1/patients/{patient}/screenings", {"answers": {"RF-99": True}}, "/answers/RF-99"),
        ("/v1/patients/{patient}/screenings", {"answers": {"RF-01": 1}}, "/answers/RF-01"),
        ("/v1/patients/{patient}/programs", {}, ""),
        ("/v1/patients/{patient}/programs", {"protocol": "no-such"}, "/protocol"),
        ("/v1/patients/{patient}/programs", {"protocol": "No Such"}, "/protocol"),
        ("/v1/patients/{patient}/programs", {"phases": [{"label": "x", "items": []}]}, "/phases/0/items"),
        ("/v1/programs/{program}/pauses", {"from_on": "2025-03-09", "to_on": "2025-03-08", "reason": "hold"}, "/to_on"),
        (
            "/v1/programs/{program}/pauses",
            {"from_on": "2025-03-09", "to_on": "2025-03-09", "reason": "bored"},
            "/reason",
        ),
        ("/v1/programs/{program}/pauses", {"from_on": "2025-03-09", "reason": "hold"}, "/to_on"),
        ("/v1/programs/{program}/stop", {"reason": "because"}, "/reason"),
        ("/v1/programs/{program}/discharge", {"check_in_months": [0]}, "/check_in_months/0"),
        ("/v1/programs/{program}/discharge", {"maintenance": {"protocol": "no-such"}}, "/maintenance/protocol"),
    ],
)
def test_every_door_names_what_is_wrong(
    client: httpx.Client, clinic: Clinic, path: str, body: dict[str, Any], pointer: str
) -> None:
    where = path.format(patient=clinic.patient_id, program=clinic.program_id)
    answer = client.post(where, json=body, headers=clinic.therapist)
    problem = assert_problem(answer, answer.status_code)
    assert answer.status_code in {404, 422}
    assert pointer in [error["pointer"] for error in problem["errors"]]  # type: ignore[attr-defined]


DOSAGE = {"sets": 3, "reps": 10, "days_per_week": 3}


@pytest.mark.parametrize(
    ("dosage", "pointer"),
    [
        ({"sets": 3, "reps": 10}, "/dosage"),
        ({**DOSAGE, "weekdays": [0]}, "/dosage"),
        ({**DOSAGE, "sets": 7}, "/dosage/sets"),
        ({**DOSAGE, "reps": 0}, "/dosage/reps"),
        ({**DOSAGE, "hold_seconds": 61}, "/dosage/hold_seconds"),
        ({**DOSAGE, "duration_minutes": 0.25}, "/dosage/duration_minutes"),
        ({**DOSAGE, "load_kg": 61}, "/dosage/load_kg"),
        ({**DOSAGE, "rpe_target": 9}, "/dosage/rpe_target"),
        ({**DOSAGE, "days_per_week": 8}, "/dosage/days_per_week"),
        ({"reps": 5, "weekdays": []}, "/dosage/weekdays"),
        ({"reps": 5, "weekdays": [1, 1]}, "/dosage"),
        ({"reps": 5, "weekdays": [7]}, "/dosage/weekdays/0"),
        ({"reps": 5, "every_n_days": 1}, "/dosage/every_n_days"),
        ({**DOSAGE, "tempo": [1, 2]}, "/dosage/tempo"),
    ],
)
def test_a_dosage_out_of_bounds(client: httpx.Client, clinic: Clinic, dosage: dict[str, Any], pointer: str) -> None:
    body = {"phases": [{"label": "x", "items": [{"exercise": "bird-dog", "dosage": dosage}]}]}
    answer = client.post(f"/v1/patients/{clinic.patient_id}/programs", json=body, headers=clinic.therapist)
    problem = assert_problem(answer, 422)
    assert f"/phases/0/items/0{pointer}" in [error["pointer"] for error in problem["errors"]]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=%00",
        "cursor=bm9uc2Vuc2U",
        "cursor=W10",
        "cursor=é",
        "q=%00",
        "q=",
        "category=x",
    ],
)
def test_bad_queries(client: httpx.Client, clinic: Clinic, query: str) -> None:
    assert_problem(client.get(f"/v1/exercises?{query}", headers=clinic.therapist), 422)


@pytest.mark.parametrize(
    "path", ["/v1/exercises/%00", "/v1/exercises/Bird%20Dog", "/v1/protocols/..%2f", "/v1/patients/1"]
)
def test_bad_paths(client: httpx.Client, clinic: Clinic, path: str) -> None:
    answer = client.get(path, headers=clinic.therapist)
    assert_problem(answer, answer.status_code)
    assert answer.status_code in {404, 422}


def test_pages_and_methods_that_are_not_there(client: httpx.Client) -> None:
    assert_problem(client.get("/v1/nothing"), 404)
    assert_problem(client.delete("/v1/exercises"), 405)
