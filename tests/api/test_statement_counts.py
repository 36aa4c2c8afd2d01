"""What a request costs the database, whatever the history's length."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from models.database import Database
from models.operations import findings, patients, prescribing
from models.prescription.dosage import Side
from models.tables import ConditionStatus
from tests.api.conftest import Clinic
from tests.architecture.statements import at_most
from tests.builders import (
    MONDAY,
    NOON,
    a_dosage,
    a_draft,
    a_patient,
    a_program,
    a_token,
    as_patient,
    log_queue,
    screened,
)
from tests.conftest import Clock


@pytest.fixture(params=[0, 200], ids=["new", "a long history"])
def history(request: pytest.FixtureRequest, database: Database, clinic: Clinic, clock: Clock) -> int:
    days: int = request.param
    clock.now = NOON + timedelta(days=days)
    with database.writing() as tx:
        every_day = [MONDAY + timedelta(days=day) for day in range(days)]
        log_queue(tx, clinic.ines, clinic.program_id, every_day, now=clock.now)
    return days


def log(client: httpx.Client, clinic: Clinic, clock: Clock, **but: object) -> httpx.Response:
    body = {
        "program_id": str(clinic.program_id),
        "performed_at": clock.now.isoformat(),
        "time_zone": "UTC",
        "local_date": clock.now.date().isoformat(),
        "done": "all",
    }
    headers = {**clinic.patient}
    return client.put(f"/v1/sessions/{uuid4()}", json=body | but, headers=headers)


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("but", [{}, {"chips": ["fall", "RF-01"], "pain_during": 8}, {"done": "none", "reason": "ill"}])
def test_logging_a_session(
    client: httpx.Client, database: Database, clinic: Clinic, clock: Clock, but: dict[str, object]
) -> None:
    phone(database, clinic, clock)
    for away in (timedelta(0), timedelta(days=40)):
        clock.now += away
        phone(database, clinic, clock)
        # One more says that there is news; one that the weeks of a silence were followed after all, or are not yet.
        with at_most(13 + ("chips" in but) + (away.days > 0 or but.get("done") == "none")):
            answer = log(client, clinic, clock, **but)
        assert answer.status_code == 201, answer.text


def phone(database: Database, clinic: Clinic, clock: Clock) -> None:
    """Fresh tokens: time has passed."""
    with database.writing() as tx:
        patient = patients.patient(tx, clinic.ines, clinic.patient_id)
        caller = as_patient(tx, clinic.ines, patient, now=clock.now)
        clinic.patient["Authorization"] = f"Bearer {a_token(tx, caller, now=clock.now)}"
        clinic.therapist["Authorization"] = f"Bearer {a_token(tx, clinic.ines, now=clock.now)}"


@pytest.mark.usefixtures("history")
def test_reading(client: httpx.Client, database: Database, clinic: Clinic, clock: Clock) -> None:
    phone(database, clinic, clock)
    for limit, path in (
        (4, "/v1/worklist"),
        (4, "/v1/worklist?level=medium&kind=silence&kind=fall&region=low_back&unacknowledged=true"),
        (14, f"/v1/patients/{clinic.patient_id}/timeline"),
        (3, f"/v1/patients/{clinic.patient_id}/outreach"),
        (5, f"/v1/programs/{clinic.program_id}"),
        (5, f"/v1/programs/{clinic.program_id}/agenda"),
        (9, f"/v1/programs/{clinic.program_id}/adherence"),
        (4, f"/v1/programs/{clinic.program_id}/sessions"),
        (3, "/v1/exercises"),
        (2, "/v1/patients"),
        (5, f"/v1/patients/{clinic.patient_id}/measures"),
        (3, f"/v1/patients/{clinic.patient_id}/weeks"),
        (1, "/v1/measures"),
    ):
        with at_most(limit):
            assert client.get(path, headers=clinic.therapist).status_code == 200


def test_answering_a_check_in_or_a_week(client: httpx.Client, database: Database, clinic: Clinic, clock: Clock) -> None:
    """First, amended, unchanged; with everything that can be raised."""
    phone(database, clinic, clock)
    with at_most(5):
        assert client.get("/v1/me/check-ins", headers=clinic.patient).status_code == 200
    for path in (f"/v1/me/check-ins/{clinic.check_in_id}", f"/v1/me/weeks/{MONDAY}"):
        for limit, base, pain, chips in (
            (21, 0, 8, ["RF-01"]),
            (22, 1, 9, ["RF-01", "fall"]),
            (3, 1, 9, ["RF-01", "fall"]),
        ):
            said = {"base_version": base, "pain": pain, "confidence": 5, "chips": chips, "note": f"Pain {pain}"}
            with at_most(limit):
                assert client.put(path, json=said, headers=clinic.patient).is_success


def test_a_worklist_of_many_costs_what_a_worklist_of_one_does(
    client: httpx.Client, database: Database, clinic: Clinic, clock: Clock
) -> None:
    with database.writing() as tx:
        for _ in range(20):
            a_program(tx, clinic.ines, a_patient(tx, clinic.ines))
    clock.now = NOON + timedelta(days=30)
    phone(database, clinic, clock)
    with at_most(4):
        items = client.get("/v1/worklist", headers=clinic.therapist).json()["items"]
    assert len(items) == 21


@pytest.mark.usefixtures("history")
def test_acting_on_a_flag(client: httpx.Client, database: Database, clinic: Clinic, clock: Clock) -> None:
    """To see it, take it on, put it off, call about it, and close it."""
    clock.now += timedelta(days=40)
    phone(database, clinic, clock)
    row = client.get("/v1/worklist", headers=clinic.therapist).json()["items"][0]
    where = f"/v1/flags/{row['flag_id']}"
    with at_most(4):
        assert client.get(where, headers=clinic.therapist).status_code == 200
    call = {"channel": "phone", "outcome": "no_answer", "flag_id": row["flag_id"]}
    with at_most(10):
        assert client.post(f"/v1/patients/{clinic.patient_id}/outreach", json=call, headers=clinic.therapist).is_success
    for limit, what, body in (
        (8, "acknowledge", None),
        (9, "snooze", {"days": 7}),
        (18, "close", {"because": "handled"}),
    ):
        match = {"If-Match": client.get(where, headers=clinic.therapist).headers["etag"]}
        with at_most(limit):
            answer = client.post(f"{where}/{what}", json=body, headers=clinic.therapist | match)
        assert answer.status_code == 200, answer.text


@pytest.mark.usefixtures("history")
def test_checking_ten_items(client: httpx.Client, database: Database, clinic: Clinic, clock: Clock) -> None:
    """Ten items, five conditions, four screenings and examinations: what it costs does not depend on any of them."""
    phone(database, clinic, clock)
    with database.writing() as tx:
        for code in ("osteoporosis", "chronic-lbp", "raynaud", "hypertension", "oa-knee"):
            said = findings.ConditionDraft(code=code, status=ConditionStatus.CONFIRMED)
            findings.record_condition(tx, clinic.ines, clinic.patient_id, said, now=clock.now)
        for pain in range(4):
            screened(tx, clinic.ines, clinic.patient_id, now=clock.now)
            examined = findings.ExaminationDraft(pain=pain)
            findings.examine(tx, clinic.ines, clinic.patient_id, examined, now=clock.now)
        draft = a_draft()
        (phase,) = draft.phases
        ten = [replace(phase.items[0], exercise=slug, side=Side.BOTH) for slug in TEN]
        ten.append(prescribing.ItemDraft(care="heat-pack", dosage=a_dosage()))
        drafted = prescribing.create_program(
            tx, clinic.ines, clinic.patient_id, replace(draft, phases=[replace(phase, items=ten)]), now=clock.now
        )
    path = f"/v1/programs/{drafted.id}/check"
    assert client.post(path, headers=clinic.therapist).status_code == 200  # the catalogue is read once a process
    with at_most(8):
        found = client.post(path, headers=clinic.therapist).json()
    assert found["burden"][0]["items"] == 10
    assert len(found["findings"]) > 20


TEN = (
    *("bird-dog", "glute-bridge", "cat-camel", "side-plank-knees", "dead-bug-arms"),
    *("walk-easy", "step-up", "heel-raise", "wall-angel", "modified-curl-up"),
)
