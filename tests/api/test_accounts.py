"""Passwords, second factors, sign-ins and staff accounts, as they are told over HTTP."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pyotp import TOTP
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.database import Database
from models.operations import accounts
from models.operations.credentials import hash_password, new_key
from models.operations.sealing import NO_KEY, Seal
from models.operations.sign_ins import GRACE
from models.operations.throttles import PER_MAILED_NAME, PER_NAME_HERE, PER_PROVEN_NAME, WINDOW
from models.tables import Account, Announcement, AuditEvent, Role
from tests.api.conftest import assert_problem
from tests.builders import a_clinic, a_patient, as_patient, bearer
from tests.conftest import Clock

PASSWORD = "a sentence of some length"
KEPT = hash_password(PASSWORD)
NEW = "another sentence of length"
EMAIL = "ines@clinic.example"
Json = dict[str, Any]


@dataclass
class Door:
    """A clinic whose people sign in over HTTP."""

    http: httpx.Client
    clock: Clock
    clinic_id: UUID

    def enter(self, email: str = EMAIL, password: str = PASSWORD, **more: str) -> httpx.Response:
        said = {"grant_type": "password", "username": email, "password": password, **more}
        return self.http.post("/v1/auth/token", data=said)

    def signed_in(self, email: str = EMAIL, password: str = PASSWORD, **more: str) -> dict[str, str]:
        answer = self.enter(email, password, **more)
        assert answer.status_code == 200, answer.text
        return bearer(answer.json()["access_token"])

    def enrolled(self, headers: dict[str, str]) -> tuple[TOTP, list[str]]:
        """An app in force, whose next code is fresh."""
        begun = self.http.post("/v1/me/second-factor", json={"present": PASSWORD}, headers=headers)
        assert begun.status_code == 200, begun.text
        app = TOTP(begun.json()["secret"])
        said = {"otp": app.at(self.clock.now - timedelta(seconds=30))}
        confirmed = self.http.post("/v1/me/second-factor/confirm", json=said, headers=headers)
        assert confirmed.status_code == 200, confirmed.text
        return app, confirmed.json()["codes"]


@pytest.fixture
def door(app: FastAPI, client: httpx.Client, database: Database, clock: Clock) -> Iterator[Door]:
    """Ines, a therapist, and Ada, an admin, of one clinic; Ann is a patient with an e-mail address."""
    app.state.seal = Seal((new_key(),))
    with database.writing() as tx:
        ines = a_clinic(tx)
        for name, role in (("ines", Role.THERAPIST), ("ada", Role.ADMIN)):
            a_login(tx, ines.clinic_id, f"{name}@clinic.example", role)
        as_patient(tx, ines, a_patient(tx, ines, email="ann@home.example"))
    yield Door(client, clock, ines.clinic_id)
    app.state.seal = NO_KEY


def a_login(tx: Session, clinic_id: UUID, email: str, role: Role = Role.THERAPIST) -> Account:
    return accounts.create_staff(
        tx, clinic_id, role=role, name="Somebody", email=email, password_hash=KEPT, now=Clock().now
    )


def staff_id(door: Door, email: str) -> str:
    listed = door.http.get("/v1/staff", headers=door.signed_in("ada@clinic.example")).json()["items"]
    return str(next(one["id"] for one in listed if one["email"] == email))


# Signing in


def nobody(_tx: Session, _clinic_id: UUID) -> str:
    return "nobody@clinic.example"


def wrong_password(_tx: Session, _clinic_id: UUID) -> str:
    return EMAIL


def a_patients_address(_tx: Session, _clinic_id: UUID) -> str:
    return "ann@home.example"


def disabled(tx: Session, clinic_id: UUID) -> str:
    a_login(tx, clinic_id, "gone@clinic.example").disabled_at = Clock().now
    return "gone@clinic.example"


def invited_only(tx: Session, clinic_id: UUID) -> str:
    a_login(tx, clinic_id, "new@clinic.example").password_hash = None
    return "new@clinic.example"


def in_two_clinics(tx: Session, _clinic_id: UUID) -> str:
    for _ in range(2):
        a_login(tx, a_clinic(tx).clinic_id, "both@clinic.example")
    return "both@clinic.example"


STRANGERS = [nobody, wrong_password, a_patients_address, disabled, invited_only, in_two_clinics]


@pytest.mark.parametrize("who", STRANGERS)
def test_whoever_does_not_get_in_is_answered_alike(
    door: Door, database: Database, who: Callable[[Session, UUID], str]
) -> None:
    with database.writing() as tx:
        email = who(tx, door.clinic_id)
    answers = {plain(door.enter(email, password, **otp)) for password in (NEW, "x") for otp in ({}, {"otp": "123456"})}
    assert answers == {plain(door.enter("somebody.else@clinic.example", NEW))}
    ((status, _, _),) = answers
    assert status == 400


def plain(answer: httpx.Response) -> tuple[int, tuple[str, ...], str]:
    """All of an answer but its request id and what the clock says."""
    hidden = {"request_id"}
    body = {key: value for key, value in answer.json().items() if key not in hidden} if answer.content else {}
    headers = tuple(sorted(name for name in answer.headers if name not in {"x-request-id", "date"}))
    return answer.status_code, headers, str(body)


@pytest.mark.parametrize("who", STRANGERS)
def test_guessing_is_spent_alike_and_said_with_retry_after(
    door: Door, database: Database, who: Callable[[Session, UUID], str]
) -> None:
    with database.writing() as tx:
        email = who(tx, door.clinic_id)
    for _ in range(PER_NAME_HERE):
        assert door.enter(email, "x").status_code == 400
    spent = door.enter(email)
    assert_problem(spent, 429, "too_many_attempts")
    assert spent.headers["retry-after"] == str(int(WINDOW.total_seconds()))


def test_a_second_factor_is_asked_for_after_the_password(door: Door) -> None:
    app, codes = door.enrolled(door.signed_in())
    problem = assert_problem(door.enter(), 400, "otp_required")
    assert problem["error"] == "invalid_request"
    assert_problem(door.enter(password=NEW), 400, "invalid_grant")
    wrong = assert_problem(door.enter(otp="000000"), 400, "invalid_grant")
    assert wrong["errors"] == [{"pointer": "/otp", "detail": wrong["title"]}]
    assert door.enter(otp=app.at(door.clock.now)).status_code == 200
    assert_problem(door.enter(otp=app.at(door.clock.now)), 400, "invalid_grant")
    assert door.enter(otp=codes[0]).status_code == 200
    assert_problem(door.enter(otp=codes[0]), 400, "invalid_grant")


def test_guessing_the_second_factor_is_spent(door: Door) -> None:
    app, _ = door.enrolled(door.signed_in())
    for _ in range(PER_PROVEN_NAME):
        assert_problem(door.enter(otp="000000"), 400, "invalid_grant")
    spent = door.enter(otp=app.at(door.clock.now))
    assert_problem(spent, 429, "too_many_attempts")
    assert spent.headers["retry-after"] == "900"


def test_what_was_refused_is_not_on_record_as_done(door: Door, database: Database) -> None:
    """Though its transaction commits: the failure is counted in it."""
    ines = door.signed_in()
    door.enrolled(ines)
    me = "/v1/me"
    door.http.post(f"{me}/second-factor/take-off", json={"otp": "000000"}, headers=ines)
    door.http.post(f"{me}/second-factor/recovery-codes", json={"otp": "000000"}, headers=ines)
    door.http.put(f"{me}/password", json={"present": NEW, "password": NEW}, headers=ines)
    tried = ("take_off_second_factor", "renew_recovery_codes", "change_password")
    with database.reading() as tx:
        every = select(AuditEvent.operation, AuditEvent.outcome).where(
            AuditEvent.clinic_id == door.clinic_id, AuditEvent.operation.in_(tried)
        )
        found = {row[0]: row[1] for row in tx.execute(every)}
    assert found == dict(zip(tried, ("invalid_grant", "invalid_grant", "invalid"), strict=True))


def test_a_stolen_refresh_token_is_on_record(door: Door, database: Database) -> None:
    first = door.enter().json()["refresh_token"]
    again = {"grant_type": "refresh_token", "refresh_token": first}
    assert door.http.post("/v1/auth/token", data=again).status_code == 200
    for _ in range(2):
        door.clock.now += GRACE + timedelta(seconds=1)
        assert_problem(door.http.post("/v1/auth/token", data=again), 400, "invalid_grant")
    assert entrances(database, door.clinic_id) == ["done", "refresh_token_reused"]


def test_a_password_that_fits_in_two_clinics_is_on_record_in_both(door: Door, database: Database) -> None:
    with database.writing() as tx:
        other = a_clinic(tx).clinic_id
        a_login(tx, other, EMAIL)
    assert_problem(door.enter(), 400, "which_clinic")
    assert [entrances(database, one) for one in (door.clinic_id, other)] == [["which_clinic"]] * 2


def entrances(database: Database, clinic_id: UUID) -> list[str]:
    with database.reading() as tx:
        every = select(AuditEvent.outcome).where(
            AuditEvent.clinic_id == clinic_id, AuditEvent.operation == "exchange_token"
        )
        return sorted(tx.scalars(every))


# A clinic that requires it


def test_whoever_must_enrol_can_do_nothing_else(door: Door) -> None:
    ada, ines = door.signed_in("ada@clinic.example"), door.signed_in()
    read = door.http.get("/v1/sign-in-rules", headers=ada)
    assert (read.json(), read.headers["etag"]) == ({"second_factor_required": False}, '"v1"')
    required = {"second_factor_required": True}
    assert_problem(door.http.put("/v1/sign-in-rules", json=required, headers=ada), 428)
    decided = door.http.put("/v1/sign-in-rules", json=required, headers=ada | {"If-Match": '"v1"'})
    assert (decided.status_code, decided.headers["etag"]) == (200, '"v2"')
    for headers in (ines, door.signed_in()):
        for path in ("worklist", "patients", "staff", "exercises", "sign-in-rules", "reports"):
            assert_problem(door.http.get(f"/v1/{path}", headers=headers), 403, "second_factor_required")
        assert_problem(door.http.post("/v1/sync/push", json={"items": []}, headers=headers), 403)
        assert door.http.get("/v1/me", headers=headers).json()["must_enrol"] is True
        assert door.http.get("/v1/me/second-factor", headers=headers).json() == {"since": None, "recovery_codes": 0}
    assert_problem(door.http.put("/v1/sign-in-rules", json=required, headers=ada | {"If-Match": '"v2"'}), 403)
    door.enrolled(ines)
    assert door.http.get("/v1/worklist", headers=ines).status_code == 200
    assert door.http.get("/v1/me", headers=ines).json()["must_enrol"] is False
    assert door.http.post("/v1/auth/revoke", headers=ada).status_code == 204


def test_a_lost_phone_is_taken_off_by_an_admin(door: Door) -> None:
    headers = door.signed_in()
    door.enrolled(headers)
    where = f"/v1/staff/{staff_id(door, EMAIL)}/second-factor"
    assert_problem(door.http.delete(where, headers=headers), 403, "not_allowed")
    assert door.http.delete(where, headers=door.signed_in("ada@clinic.example")).status_code == 204
    assert_problem(door.http.get("/v1/me", headers=headers), 401)
    assert door.enter().status_code == 200


def test_enrolling_asks_for_the_password_and_is_told_once(door: Door) -> None:
    headers = door.signed_in()
    refused = door.http.post("/v1/me/second-factor", json={"present": NEW}, headers=headers)
    assert assert_problem(refused, 422)["errors"] == [
        {"pointer": "/present", "detail": "This is not your present password."}
    ]
    assert_problem(door.http.post("/v1/me/second-factor/confirm", json={"otp": "1"}, headers=headers), 409)
    app, codes = door.enrolled(headers)
    where = "/v1/me/second-factor"
    assert_problem(door.http.post(where, json={"present": PASSWORD}, headers=headers), 409, "second_factor_on")
    assert door.http.get(where, headers=headers).json()["recovery_codes"] == len(codes) == 10
    said = {"otp": app.at(door.clock.now)}
    fresh = door.http.post(f"{where}/recovery-codes", json=said, headers=headers)
    assert fresh.headers["cache-control"] == "no-store"
    assert not set(fresh.json()["codes"]) & set(codes)
    assert_problem(door.http.post(f"{where}/take-off", json=said, headers=headers), 400, "invalid_grant")
    last = {"otp": fresh.json()["codes"][0]}
    assert door.http.post(f"{where}/take-off", json=last, headers=headers).status_code == 204
    assert door.enter().status_code == 200


def test_without_a_secret_key_there_are_no_second_factors(app: FastAPI, door: Door) -> None:
    app.state.seal = NO_KEY
    ada = door.signed_in("ada@clinic.example")
    begun = door.http.post("/v1/me/second-factor", json={"present": PASSWORD}, headers=ada)
    assert_problem(begun, 409, "no_secret_key")
    required = {"second_factor_required": True}
    decided = door.http.put("/v1/sign-in-rules", json=required, headers=ada | {"If-Match": '"v1"'})
    assert_problem(decided, 409, "no_secret_key")


# Sign-ins


def test_sign_ins_are_listed_and_ended(door: Door) -> None:
    here, there = door.signed_in(), door.signed_in()
    door.signed_in("ada@clinic.example")
    listed = door.http.get("/v1/me/sign-ins", headers=here).json()["items"]
    assert [one["is_this"] for one in listed].count(True) == 1
    assert len(listed) == 2
    assert {(one["address"], one["agent"].split("/")[0]) for one in listed} == {("127.0.0.1", "python-httpx")}
    (other,) = [one["id"] for one in listed if not one["is_this"]]
    assert door.http.delete(f"/v1/me/sign-ins/{other}", headers=here).status_code == 204
    assert_problem(door.http.get("/v1/me", headers=there), 401)
    ada = door.signed_in("ada@clinic.example")
    assert_problem(door.http.delete(f"/v1/me/sign-ins/{listed[0]['id']}", headers=ada), 404, "unknown")


def test_a_disabled_account_is_shut_out_at_once(door: Door) -> None:
    ines, ada = door.signed_in(), door.signed_in("ada@clinic.example")
    ids = {email: staff_id(door, email) for email in (EMAIL, "ada@clinic.example")}
    assert_problem(door.http.post(f"/v1/staff/{ids[EMAIL]}/disable", headers=ines), 403, "not_allowed")
    shut = door.http.post(f"/v1/staff/{ids[EMAIL]}/disable", headers=ada)
    assert shut.json()["disabled_at"] is not None
    assert_problem(door.http.get("/v1/me", headers=ines), 401)
    assert_problem(door.enter(), 400, "invalid_grant")
    again = door.http.post(f"/v1/staff/{ids[EMAIL]}/enable", headers=ada)
    assert again.json()["disabled_at"] is None
    assert_problem(door.http.get("/v1/me", headers=ines), 401)
    assert door.enter().status_code == 200
    last = door.http.post(f"/v1/staff/{ids['ada@clinic.example']}/disable", headers=ada)
    assert_problem(last, 409, "last_admin")


# Passwords


def test_changing_a_password_ends_the_other_sign_ins(door: Door) -> None:
    here, there = door.signed_in(), door.signed_in()
    said = {"present": PASSWORD, "password": NEW}
    wrong = door.http.put("/v1/me/password", json=said | {"present": NEW}, headers=here)
    assert assert_problem(wrong, 422, "invalid")["errors"] == [
        {"pointer": "/present", "detail": "This is not your present password."}
    ]
    for weak in ("short", "Test clinic ines!", "passwordpassword", "x" * 129):
        refused = assert_problem(door.http.put("/v1/me/password", json=said | {"password": weak}, headers=here), 422)
        assert refused["errors"][0]["pointer"] == "/password"  # type: ignore[index]
    assert_problem(door.http.put("/v1/me/password", json=said | {"password": "a\x00" * 10}, headers=here), 422)
    assert door.http.put("/v1/me/password", json=said, headers=here).status_code == 204
    assert door.http.get("/v1/me", headers=here).status_code == 200
    assert_problem(door.http.get("/v1/me", headers=there), 401)
    assert_problem(door.enter(), 400)
    assert door.enter(password=NEW).status_code == 200


def test_guessing_the_present_password_is_spent(door: Door) -> None:
    headers, said = door.signed_in(), {"present": NEW, "password": NEW}
    for _ in range(PER_PROVEN_NAME):
        assert_problem(door.http.put("/v1/me/password", json=said, headers=headers), 422)
    spent = door.http.put("/v1/me/password", json=said | {"present": PASSWORD}, headers=headers)
    assert_problem(spent, 429)
    assert spent.headers["retry-after"] == "900"


def test_whoever_asks_for_a_link_is_answered_alike(door: Door, database: Database) -> None:
    with database.writing() as tx:
        emails = [who(tx, door.clinic_id) for who in STRANGERS]
    for email in emails:
        answer = door.http.post("/v1/auth/password-reset", json={"email": email})
        assert (answer.status_code, answer.content) == (202, b"null")
    with database.reading() as tx:
        # Ines, whoever is invited, and one in two clinics twice.
        assert tx.scalars(select(func.count()).select_from(Announcement)).one() == 4
    for email in (EMAIL, "nobody@clinic.example"):
        for _ in range(PER_MAILED_NAME - 1):
            assert door.http.post("/v1/auth/password-reset", json={"email": email}).status_code == 202
        spent = door.http.post("/v1/auth/password-reset", json={"email": email})
        assert_problem(spent, 429, "too_many_attempts")
        assert spent.headers["retry-after"] == "900"


def test_staff_without_a_password_set_one_by_a_link(door: Door) -> None:
    ada = door.signed_in("ada@clinic.example")
    said = {"role": "therapist", "name": "Bob", "email": "bob@clinic.example"}
    weak = door.http.post("/v1/staff", json=said | {"password": "bob@clinic.example"}, headers=ada)
    assert assert_problem(weak, 422)["errors"][0]["pointer"] == "/password"  # type: ignore[index]
    made = door.http.post("/v1/staff", json=said, headers=ada)
    assert made.status_code == 201, made.text
    where = f"/v1/staff/{made.json()['id']}/invitation"
    first = door.http.post(where, headers=ada).json()["token"]
    answer = door.http.post(where, headers=ada)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    link = {"token": answer.json()["token"], "password": NEW}
    assert_problem(door.http.post("/v1/auth/password", json=link | {"token": first}), 400, "invalid_grant")
    weak = door.http.post("/v1/auth/password", json=link | {"password": "bob@clinic.example"})
    assert assert_problem(weak, 422)["errors"][0]["pointer"] == "/password"  # type: ignore[index]
    assert door.http.post("/v1/auth/password", json=link).status_code == 204
    assert_problem(door.http.post("/v1/auth/password", json=link), 400, "invalid_grant")
    assert door.enter("bob@clinic.example", NEW).status_code == 200


def test_a_link_does_not_stand_in_for_the_second_factor(door: Door) -> None:
    app, _ = door.enrolled(door.signed_in())
    ada, where = door.signed_in("ada@clinic.example"), f"/v1/staff/{staff_id(door, EMAIL)}/invitation"
    token = door.http.post(where, headers=ada).json()["token"]
    assert door.http.post("/v1/auth/password", json={"token": token, "password": NEW}).status_code == 204
    assert_problem(door.enter(password=NEW), 400, "otp_required")
    assert door.enter(password=NEW, otp=app.at(door.clock.now)).status_code == 200


def test_guessing_links_is_spent_by_address(door: Door) -> None:
    for number in range(50):
        said = {"token": f"ft_{number}", "password": NEW}
        assert_problem(door.http.post("/v1/auth/password", json=said), 400, "invalid_grant")
    assert_problem(door.http.post("/v1/auth/password", json={"token": "ft_x", "password": NEW}), 429)


@pytest.mark.parametrize("password", [r"\ud800" * 20, r"\ud83d" * 15, "ü" * 300, r"\u0000" * 20])
def test_no_password_breaks_anything(door: Door, password: str) -> None:
    headers = {**door.signed_in(), "Content-Type": "application/json"}
    for said in (f'{{"present": "{password}", "password": "{NEW}"}}', f'{{"present": "x", "password": "{password}"}}'):
        answer = door.http.put("/v1/me/password", content=said.encode(), headers=headers)
        assert_problem(answer, answer.status_code)
        assert answer.status_code in {400, 422}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("password-reset", r'{"email": "\ud800@clinic.example"}'),
        ("password-reset", r'{"email": "a\u0000@clinic.example"}'),
        ("password", r'{"token": "ft_\ud800", "password": "another sentence of length"}'),
        ("password", r'{"token": "ft_é", "password": "another sentence of length"}'),
        ("password", r'{"token": "ft_x", "password": "\udfff"}'),
    ],
)
def test_nothing_anybody_says_breaks_anything(client: httpx.Client, path: str, said: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/v1/auth/{path}", content=said.encode(), headers=headers)
    assert answer.status_code in {202, 400, 422}, answer.text


@pytest.mark.parametrize("said", ["%ED%A0%80", "%FF%FE", "%00", "%F0%9F"])
@pytest.mark.parametrize("field", ["username", "password", "otp"])
def test_no_form_breaks_anything(door: Door, field: str, said: str) -> None:
    form = {"grant_type": "password", "username": "ines%40clinic.example", "password": PASSWORD, field: said}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    content = "&".join(f"{name}={value}" for name, value in form.items())
    assert door.http.post("/v1/auth/token", content=content, headers=headers).status_code < 500
