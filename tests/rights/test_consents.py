"""What patients agree to and take back, and what follows from it."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.database import Database
from models.operations import consents
from models.operations.callers import Caller
from models.operations.consents import RESEARCH
from models.tables import Consent, ConsentBy, ExportContent, Patient, Program
from tests.api.conftest import Clinic, a_peopled_clinic, assert_problem
from tests.builders import DAY, NOON, a_clinic, as_patient
from tests.conftest import Clock
from tests.exports.busy import EVENING, Office, a_busy_clinic

SAID = {"purpose": "reminders", "text_version": "2026-01", "given_by": "patient"}


@pytest.fixture
def clinic(database: Database, folder: Path) -> Clinic:
    return a_peopled_clinic(database, folder)


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path / "files", Clock(EVENING))


def given(client: httpx.Client, clinic: Clinic, headers: dict[str, str] | None = None, **but: Any) -> httpx.Response:
    where = f"/v1/patients/{clinic.patient_id}/consents"
    return client.post(where, json=SAID | but, headers=headers or clinic.therapist)


def listed(client: httpx.Client, clinic: Clinic) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/patients/{clinic.patient_id}/consents", headers=clinic.patient)
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_consent_says_to_which_text_by_whom_and_when(client: httpx.Client, clinic: Clinic) -> None:
    told = given(client, clinic, purpose="remote_care", given_at="2025-03-02T09:00:00Z").json()
    assert (told["purpose"], told["text_version"], told["given_by"]) == ("remote_care", "2026-01", "patient")
    assert (told["given_at"], told["recorded_by"]) == ("2025-03-02T09:00:00Z", str(clinic.ines.account_id))
    assert told["withdrawn_at"] is None
    assert [one["purpose"] for one in listed(client, clinic)] == ["reminders", "remote_care"]


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"given_by": "guardian"}, "/given_name"),
        ({"given_at": "2025-03-04T12:00:00Z"}, "/given_at"),
        ({"purpose": "Not a word"}, "/purpose"),
        ({"purpose": "x" * 33}, "/purpose"),
        ({"text_version": ""}, "/text_version"),
        ({"given_by": "neighbour"}, "/given_by"),
    ],
)
def test_what_is_wrong_with_a_consent_is_pointed_at(
    client: httpx.Client, clinic: Clinic, said: dict[str, Any], pointer: str
) -> None:
    problem = assert_problem(given(client, clinic, **said), 422)
    assert problem["errors"][0]["pointer"] == pointer  # type: ignore[index]


def test_a_guardians_consent_is_the_clinics_to_record(client: httpx.Client, clinic: Clinic) -> None:
    guardian: dict[str, Any] = {"given_by": "guardian", "given_name": "Gail Archer"}
    assert given(client, clinic, **guardian).json()["given_name"] == "Gail Archer"
    assert_problem(given(client, clinic, clinic.patient, **guardian), 422, "invalid")


def test_a_patient_agrees_and_takes_it_back_by_themselves_and_all_of_it_stays_on_record(
    client: httpx.Client, clinic: Clinic, database: Database
) -> None:
    mine = [given(client, clinic, clinic.patient, text_version=version).json()["id"] for version in ("1", "2")]
    other = given(client, clinic, purpose="remote_care").json()["id"]
    where = f"/v1/patients/{clinic.patient_id}/consents"
    first = client.post(f"{where}/{mine[0]}/withdraw", headers=clinic.patient)
    again = client.post(f"{where}/{mine[0]}/withdraw", headers=clinic.therapist)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    told = {one["id"]: one["withdrawn_at"] for one in listed(client, clinic)}
    # Agreed to twice, and by the clinic's own example before: whatever the text, the purpose is withdrawn.
    assert {told[one] for one in (*mine, str(clinic.consent_id))} == {"2025-03-03T12:00:00Z"}
    assert told[other] is None
    with database.reading() as tx:
        assert len(tx.scalars(select(Consent)).all()) == 4


def test_a_consent_of_somebody_else_does_not_exist(
    client: httpx.Client, clinic: Clinic, database: Database, folder: Path
) -> None:
    other = a_peopled_clinic(database, folder)
    where = f"/v1/patients/{clinic.patient_id}/consents"
    for consent_id in (other.consent_id, uuid4()):
        assert_problem(client.post(f"{where}/{consent_id}/withdraw", headers=clinic.patient), 404, "unknown")


def people(office: Office, caller: Caller, content: str, *, de_identified: bool) -> int:
    rows = office.rows(caller, content, de_identified=de_identified)
    office.remove_all(caller)
    name = "patient_id"
    return len({row[name] for row in rows if name in row})


@pytest.mark.parametrize("content", sorted(ExportContent))
def test_whoever_takes_back_research_is_in_no_de_identified_export(office: Office, content: str) -> None:
    """Of two, one: until they agree again. The clinic's own exports have both."""
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        program = a_busy_clinic(tx, ines)[0]
        phone = whose(tx, ines, program)
        agreed = consents.ConsentDraft(purpose=RESEARCH, text_version="1", given_by=ConsentBy.PATIENT)
        known = consents.give(tx, phone, program.patient_id, agreed, now=NOON)
    assert people(office, ines, content, de_identified=True) == 2
    with office.database.writing() as tx:
        consents.withdraw(tx, phone, program.patient_id, known.id, now=NOON + DAY)
    assert people(office, ines, content, de_identified=True) == 1
    assert people(office, ines, content, de_identified=False) == 2
    with office.database.writing() as tx:
        consents.give(tx, phone, program.patient_id, agreed, now=NOON + DAY)
    assert people(office, ines, content, de_identified=True) == 2


def test_taking_back_another_purpose_changes_no_export(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        program = a_busy_clinic(tx, ines)[0]
        agreed = consents.ConsentDraft(purpose="reminders", text_version="1", given_by=ConsentBy.PATIENT)
        known = consents.give(tx, ines, program.patient_id, agreed, now=NOON)
        consents.withdraw(tx, ines, program.patient_id, known.id, now=NOON)
    assert people(office, ines, "patients", de_identified=True) == 2


def whose(tx: Session, ines: Caller, program: Program) -> Caller:
    return as_patient(tx, ines, tx.get_one(Patient, {"clinic_id": ines.clinic_id, "id": program.patient_id}))
