"""Whose fuzz it is: a clinic with everyone in it, put back after each case, and words that get past the first 404."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from models.operations.credentials import hash_password, new_key
from models.operations.sealing import Seal
from models.operations.sign_ins import email_key
from models.tables import Account, Login, Role
from tests.api.conftest import a_peopled_clinic
from tests.api.test_access import ALL_RULES, BODIES, VERSIONS, filled, routes
from tests.api.test_matrix import COLLEAGUES, NOBODYS, OWN, RICHER, STRANGERS, World, a_world, ids_about
from tests.builders import NOON
from tests.conftest import inside
from tests.fuzz.knocking import Answer, Asked, knock, parsed

NOBODY = "nobody"
ROLES = [*(role.value for role in Role), NOBODY]
WHOSE = [OWN] * 6 + [COLLEAGUES, STRANGERS, NOBODYS]
"""Mostly one's own: what is refused at the door says little of the rooms."""
WORDS: dict[str, list[Any]] = {
    "exercise": ["bird-dog", "glute-bridge", "cat-camel", "walk-easy"],
    "protocol": ["neck-posture-desk", "our-back"],
    "slug": ["our-back", "another-one"],
    "time_zone": ["Europe/London", "UTC", "Pacific/Kiritimati"],
    "performed_at": ["2025-03-03T12:00:00Z", "2025-03-03T11:59:59.999999+00:00"],
    "local_date": ["2025-03-03"],
    "from_on": ["2025-03-10", "2025-03-03"],
    "to_on": ["2025-03-12"],
    "acknowledged": [ALL_RULES],
    "code": ["pain", "oa-hand", "osteoporosis"],
    "url": ["https://hooks.example/another"],
    "email": ["someone@clinic.example", "admin@clinic.example"],
    "present": ["long enough for this"],
    "password": ["long enough for this", "another one of such length"],
    "otp": ["123456"],
    "grant_type": ["password", "refresh_token", "client_credentials", "urn:followthrough:grant-type:invitation"],
    "phone": ["+49 30 1234567"],
    "language": ["en", "pt-BR"],
    "from": ["2025-03-01", "2024-01-01"],
    "to": ["2025-03-31", "2025-04-01"],
    "as_of": ["2025-03-03T12:00:00Z"],
    "format": ["json", "csv", "xlsx"],
    "kind": ["caseload", "retention"],
}
"""What nobody would guess: values that fit, by the name of the member or parameter."""
ENDING = {"discharge_patient", "decide_sign_in_rules"}
"""What ends more than it creates: of it nothing is kept for the others to find."""
PASSWORD = "long enough for this"
KEYS = ["one", "one", "another", "x" * 128, "x" * 129, "a key with spaces"]
FORM = {"grant_type": "password", "username": "admin@clinic.example", "password": PASSWORD, "device_name": "a phone"}


class Fuzzed:
    """The app, on a clinic that can be put back to how it was."""

    def __init__(self, app: FastAPI, portal: BlockingPortal, world: World) -> None:
        self.app = app
        self.portal = portal
        self.world = world
        self.routes: dict[str, APIRoute] = {route.name: route for route in routes(app)}
        self.sign_ins = {role: self._a_sign_in(role) for role in ROLES}
        self._ids = {whose: self._known(whose) for whose in set(WHOSE)}

    def _known(self, whose: str) -> dict[str, Any]:
        about = self.world.records[whose]
        anybodys = next(iter(self.routes.values()))
        ids = ids_about(anybodys, self.world, whose)
        ids["session_id"] = self.world.sessions[whose]
        ids["previous_program_id"] = ids["program_id"]
        ids["safe_for"] = ids["patient_id"]
        ids["therapist_id"] = ids["account_id"] = about.ines.account_id if whose != NOBODYS else uuid4()
        return ids

    def _a_sign_in(self, role: str) -> str:
        token = self.token(role)
        headers = [(b"authorization", token)] if token else []
        found = parsed(knock(self.app, self.portal, Asked("GET", b"/v1/me/sign-ins", b"", headers, [])))
        return str(found["items"][0]["id"] if "items" in found else uuid4())

    def word(self, name: str, dice: Random, *, is_near: bool = False) -> Any:
        """A value that fits what is called so, of one's own where it is to be near; None where there is none."""
        ids = self._ids[OWN if is_near else dice.choice(WHOSE)]
        if name in WORDS:
            return dice.choice(WORDS[name])
        return str(ids[name]) if name in ids else None

    def path_ids(self, name: str, role: str, dice: Random, *, is_near: bool = False) -> dict[str, str]:
        """Path parameters of an operation, about one record; sign-ins are the role's own."""
        whose = OWN if is_near else dice.choice(WHOSE)
        ids = ids_about(self.routes[name], self.world, whose)
        if dice.random() < 0.25:
            ids["session_id"] = self._ids[whose]["session_id"]
        ids["sign_in_id"] = self.sign_ins[role]
        return {one: str(value) for one, value in ids.items()}

    def body(self, name: str, dice: Random, *, is_near: bool = False) -> Any:
        """A valid body of an operation; None where none is known."""
        if name == "exchange_token":
            return dict(FORM)
        known = dice.choice([RICHER, BODIES]).get(name, BODIES.get(name))
        return filled(known, {**self._ids[OWN if is_near else dice.choice(WHOSE)], "session_id": uuid4()})

    def version(self, name: str, dice: Random) -> str:
        """An If-Match that mostly fits."""
        return f'"v{VERSIONS.get(name, 1) if dice.random() < 0.8 else dice.randint(0, 6)}"'

    def headers(self, name: str, dice: Random) -> dict[str, str]:
        """Headers that mostly fit an operation."""
        said = {}
        if name in VERSIONS or dice.random() < 0.1:
            said["If-Match"] = self.version(name, dice)
        if dice.random() < 0.2:
            said["Idempotency-Key"] = dice.choice(KEYS)
        return said

    def token(self, role: str) -> bytes | None:
        """The Authorization of a role."""
        found = self.world.headers(Role(role)) if role != NOBODY else {}
        return found["Authorization"].encode() if found else None

    def ask(self, name: str, asked: Asked, *, keep: bool) -> Answer:
        """Knock. What was created may be left for others to find; everything else is undone."""
        case = self.world.connection.begin_nested()
        answer = knock(self.app, self.portal, asked)
        creates = answer.status == 201 or (asked.method == "PUT" and answer.status == 200)
        if keep and creates and name not in ENDING and case.is_active:
            case.commit()
        elif case.is_active:
            case.rollback()
        return answer


@contextmanager
def fuzzed(engine: Engine, app: FastAPI, portal: BlockingPortal, folder: Path) -> Iterator[Fuzzed]:
    """A world inside one transaction, of which nothing is left afterwards."""
    app.state.clock = lambda: NOON
    app.state.exports = folder
    without, app.state.seal = app.state.seal, Seal((new_key(),))
    with engine.connect() as connection, connection.begin() as outer:
        app.state.database = database = inside(connection)
        clinics = a_peopled_clinic(database, folder), a_peopled_clinic(database, folder)
        world = a_world(database, connection, *clinics)
        with database.writing() as tx:
            _with_passwords(tx, world.records[OWN].ines.clinic_id)
        yield Fuzzed(app, portal, world)
        outer.rollback()
    app.state.seal = without


def _with_passwords(tx: Session, clinic_id: UUID) -> None:
    """Staff who can sign in, which the matrix has no time for."""
    hashed = hash_password(PASSWORD)
    for role in (Role.ADMIN, Role.THERAPIST, Role.AUDITOR):
        stmt = select(Account).where(Account.clinic_id == clinic_id, Account.role == role).order_by(Account.id)
        account = tx.scalars(stmt.limit(1)).one()
        account.email, account.password_hash = f"{role}@clinic.example", hashed
        tx.add(Login(email_key=email_key(account.email), clinic_id=clinic_id, account_id=account.id))
