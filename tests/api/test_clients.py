"""Other systems: let in with public keys, proved by what they sign, held within their scopes, shut out at once."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from sqlalchemy import func, select, update

from api.app import create_app
from api.settings import Settings
from models.database import Database
from models.operations import clients, sweep
from models.operations.assertions import LASTS_AT_MOST, LEEWAY, MAX_JTI
from models.operations.clients import MOST, TOKEN_LASTS
from models.operations.throttles import PER_NAME_HERE
from models.tables import Account, Client, Examination, SessionLog, SignIn, Source, UsedAssertion
from tests.api.conftest import Clinic, assert_problem
from tests.api.test_access import SESSION
from tests.builders import DAY, NOON, a_client_draft
from tests.conftest import Clock

URL = "/v1/clients"
TOKEN = "/v1/auth/token"
HERE = "http://test/v1/auth/token"
SECOND = timedelta(seconds=1)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@cache
def a_key(what: str) -> Any:
    """A private key; made once a run, since RSA's take long."""
    match what:
        case "P-256":
            return ec.generate_private_key(ec.SECP256R1())
        case "P-384":
            return ec.generate_private_key(ec.SECP384R1())
        case "P-521":
            return ec.generate_private_key(ec.SECP521R1())
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "Ed448":
            return ed448.Ed448PrivateKey.generate()
        case _:
            return rsa.generate_private_key(65537, int(what))


def jwk(key: Any, **but: Any) -> dict[str, Any]:
    """A key as JWK, as a browser or a JWT library exports it."""
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        made: dict[str, Any] = RSAAlgorithm.to_jwk(key, as_dict=True)
    elif isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        made = ECAlgorithm.to_jwk(key, as_dict=True)
    else:
        made = OKPAlgorithm.to_jwk(key, as_dict=True)
    return made | but


def public(key: Any, **but: Any) -> dict[str, Any]:
    return jwk(key.public_key(), **but)


@dataclass
class System:
    """Another system, with its private key."""

    http: httpx.Client
    id: str
    client_id: str
    etag: str
    key: Any = field(default_factory=lambda: a_key("P-256"))
    algorithm: str = "ES256"

    def claims(self, **but: Any) -> dict[str, Any]:
        said = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": HERE,
            "exp": int((NOON + LASTS_AT_MOST).timestamp()),
            "jti": str(uuid4()),
        } | but
        return {name: value for name, value in said.items() if value is not None}

    def assertion(self, headers: dict[str, Any] | None = None, **but: Any) -> str:
        return jwt.encode(self.claims(**but), self.key, algorithm=self.algorithm, headers=headers)

    def asks(self, assertion: str | None = None, **form: Any) -> httpx.Response:
        said = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(),
        } | form
        return self.http.post(TOKEN, data={name: value for name, value in said.items() if value is not None})

    def headers(self, **form: Any) -> dict[str, str]:
        answer = self.asks(**form)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def registered(client: httpx.Client, clinic: Clinic, key: Any = None, algorithm: str = "ES256", **but: Any) -> System:
    key = key or a_key("P-256")
    said = {"name": "Record system", "scopes": ["records:read", "sessions:write"], "keys": [public(key)]} | but
    answer = client.post(URL, json=said, headers=clinic.admin)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return System(client, made["id"], made["client_id"], answer.headers["etag"], key, algorithm)


@pytest.fixture
def system(client: httpx.Client, clinic: Clinic) -> System:
    return registered(client, clinic)


def assert_unproved(answer: httpx.Response) -> None:
    """Every way to fail is answered alike."""
    body = assert_problem(answer, 401, "invalid_client")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert body["error"] == "invalid_client"
    said = "The client is unknown or shut out, or its assertion does not prove who it is."
    assert body["title"] == body["error_description"] == said
    assert set(body) == {"type", "title", "status", "code", "request_id", "error", "error_description"}


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        ("P-256", "ES256"),
        ("P-384", "ES384"),
        ("Ed25519", "EdDSA"),
        ("2048", "RS256"),
        ("2048", "RS384"),
        ("2048", "RS512"),
        ("2048", "PS256"),
        ("2048", "PS384"),
        ("2048", "PS512"),
    ],
)
def test_a_signed_assertion_buys_a_token(client: httpx.Client, clinic: Clinic, key: str, algorithm: str) -> None:
    system = registered(client, clinic, a_key(key), algorithm)
    answer = system.asks()
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json()
    assert token == {
        "access_token": token["access_token"],
        "token_type": "bearer",
        "expires_in": TOKEN_LASTS.total_seconds(),
        "scope": "records:read sessions:write",
    }
    me = client.get("/v1/me", headers={"Authorization": f"Bearer {token['access_token']}"}).json()
    assert (me["role"], me["name"], me["clinic_id"]) == ("integration", "Record system", str(clinic.ines.clinic_id))


def test_a_token_lasts_five_minutes(client: httpx.Client, system: System, clock: Clock) -> None:
    headers = system.headers()
    clock.now = NOON + timedelta(minutes=5) - SECOND
    assert client.get("/v1/me", headers=headers).status_code == 200
    clock.now += SECOND
    assert_problem(client.get("/v1/me", headers=headers), 401, "not_signed_in")


def test_an_assertion_is_taken_once(system: System, clock: Clock) -> None:
    assertion = system.assertion()
    assert system.asks(assertion).status_code == 200
    assert_unproved(system.asks(assertion))
    clock.now = NOON + LASTS_AT_MOST - SECOND
    assert_unproved(system.asks(assertion))
    # Nor is its id, by whatever other assertion.
    jti = jwt.decode(assertion, options={"verify_signature": False})["jti"]
    assert_unproved(system.asks(system.assertion(jti=jti, exp=int((clock.now + LASTS_AT_MOST).timestamp()))))


def test_two_clients_may_use_the_same_id(client: httpx.Client, clinic: Clinic, system: System) -> None:
    other = registered(client, clinic, a_key("P-384"), "ES384")
    for one in (system, other):
        assert one.asks(one.assertion(jti="1")).status_code == 200


def moment(by: timedelta) -> float:
    return (NOON + by).timestamp()


AHEAD = LASTS_AT_MOST + LEEWAY


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": moment(SECOND)},
        {"exp": moment(AHEAD)},
        {"exp": moment(LASTS_AT_MOST) + 0.5},
        {"iat": moment(-AHEAD + SECOND)},
        {"iat": moment(LEEWAY)},
        {"nbf": moment(LEEWAY)},
        {"nbf": 0},
        {"aud": [HERE]},
        {"jti": "x" * MAX_JTI},
        {"jti": "\ud800"},
        {"whatever": {"else": ["is", "said"]}},
    ],
    ids=str,
)
def test_what_lies_within_the_bounds_is_taken(system: System, claims: dict[str, Any]) -> None:
    answer = system.asks(system.assertion(**claims))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": moment(timedelta())},
        {"exp": moment(-SECOND)},
        {"exp": moment(AHEAD + SECOND)},
        {"exp": None},
        {"exp": str(moment(SECOND))},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"iat": moment(LEEWAY + SECOND)},
        {"iat": moment(-AHEAD)},
        {"iat": "now"},
        {"nbf": moment(LEEWAY + SECOND)},
        {"nbf": [0]},
        {"aud": "https://elsewhere.example/v1/auth/token"},
        {"aud": [HERE, "https://elsewhere.example/token"]},
        {"aud": []},
        {"aud": "http://test/"},
        {"aud": None},
        {"aud": {}},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * (MAX_JTI + 1)},
        {"iss": None},
        {"iss": "somebody"},
        {"sub": None},
        {"sub": "somebody"},
        {"sub": "ftc_\ud800"},
        {"sub": ["ftc_"]},
        {"iss": "ftc_", "sub": "ftc_"},
    ],
    ids=str,
)
def test_what_does_not_hold_proves_nothing(system: System, claims: dict[str, Any]) -> None:
    # PyJWT will not sign some of it; anybody else may.
    payload = json.dumps(system.claims(**claims)).encode()
    assert_unproved(system.asks(jwt.api_jws.encode(payload, system.key, algorithm="ES256")))
    assert system.asks().status_code == 200


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    return ".".join([*parts, signature])


def hmac_with_the_public_key(system: System, secret: bytes) -> str:
    """Signed with what everybody may know. By hand: PyJWT refuses to."""
    text = unsigned({"alg": "HS256"}, system.claims()).removesuffix(".")
    return f"{text}.{urlsafe_b64encode(hmac.digest(secret, text.encode(), 'sha256')).decode().rstrip('=')}"


def pem(key: Any) -> bytes:
    found: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found


FORGED: dict[str, Callable[[System], str]] = {
    "alg none": lambda one: unsigned({"alg": "none"}, one.claims()),
    "alg None": lambda one: unsigned({"alg": "NoNe"}, one.claims()),
    "no alg": lambda one: unsigned({"typ": "JWT"}, one.claims()),
    "alg a list": lambda one: unsigned({"alg": ["ES256"]}, one.claims(), "AAAA"),
    "HS256 with the PEM": lambda one: hmac_with_the_public_key(one, pem(one.key)),
    "HS256 with the JWK": lambda one: hmac_with_the_public_key(one, json.dumps(public(one.key)).encode()),
    "HS256 with nothing": lambda one: hmac_with_the_public_key(one, b""),
    "another key": lambda one: jwt.encode(one.claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
    "another kind of key": lambda one: jwt.encode(one.claims(), a_key("2048"), algorithm="RS256"),
    "its key in the header": lambda one: jwt.encode(
        one.claims(),
        a_key("P-384"),
        algorithm="ES384",
        headers={"jwk": public(a_key("P-384")), "jku": "https://elsewhere.example/keys"},
    ),
    "unknown kid": lambda one: one.assertion({"kid": "no-such"}),
    "unknown critical header": lambda one: one.assertion({"crit": ["exp"], "exp": 1}),
    "signature cut off": lambda one: one.assertion().rpartition(".")[0] + ".",
    "other claims under the signature": lambda one: ".".join(
        [*one.assertion().split(".")[:1], one.assertion(jti="2").split(".")[1], one.assertion().split(".")[2]]
    ),
    "claims a list": lambda one: jwt.api_jws.encode(b"[1]", one.key, algorithm="ES256"),
    "claims no JSON": lambda one: jwt.api_jws.encode(b"{", one.key, algorithm="ES256"),
    "claims deep": lambda one: jwt.api_jws.encode(b"[" * 2900, one.key, algorithm="ES256"),
    "no JWT": lambda _one: "hello",
    "dots": lambda _one: "..",
    "not ASCII": lambda _one: "é.é.é",
}


@pytest.mark.parametrize("how", list(FORGED))
def test_a_forged_assertion_proves_nothing(system: System, how: str) -> None:
    assert_unproved(system.asks(FORGED[how](system)))
    assert system.asks().status_code == 200


def test_a_key_signs_with_the_algorithm_it_says(client: httpx.Client, clinic: Clinic) -> None:
    key = a_key("2048")
    system = registered(client, clinic, key, "PS384", keys=[public(key, alg="PS384")])
    assert system.asks().status_code == 200
    system.algorithm = "RS256"
    assert_unproved(system.asks())


def test_a_key_that_is_named_is_the_one(client: httpx.Client, clinic: Clinic) -> None:
    old, new = a_key("P-384"), a_key("P-256")
    system = registered(client, clinic, new, keys=[public(old, kid="old"), public(new, kid="new")])
    assert system.asks(system.assertion({"kid": "new"})).status_code == 200
    assert system.asks(system.assertion()).status_code == 200
    assert_unproved(system.asks(system.assertion({"kid": "old"})))


def test_nobody_speaks_for_another_client(
    client: httpx.Client, clinic: Clinic, stranger: Clinic, system: System
) -> None:
    for other in (registered(client, clinic, a_key("Ed25519"), "EdDSA"), registered(client, stranger, a_key("P-384"))):
        theirs = jwt.encode(system.claims(), other.key, algorithm="EdDSA" if other.algorithm == "EdDSA" else "ES384")
        assert_unproved(system.asks(theirs))
        assert_unproved(system.asks(client_id=other.client_id))
    assert system.asks(client_id=system.client_id).status_code == 200


def test_an_unknown_client_is_answered_like_a_wrong_key(system: System, stranger: Clinic) -> None:
    names = [clients.public_id(home, uuid4()) for home in (stranger.ines.clinic_id, uuid4())]
    for name in names:
        assert_unproved(system.asks(system.assertion(iss=name, sub=name)))


def test_the_endpoint_is_where_the_settings_say(
    app: FastAPI, database: Database, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = create_app(Settings(base_url="https://followthrough.clinic.example", sweep_seconds=0), database)
    there = "https://followthrough.clinic.example/v1/auth/token"
    assert named.state.token_endpoint == there
    monkeypatch.setitem(app.state._state, "token_endpoint", there)
    assert_unproved(system.asks())
    assert system.asks(system.assertion(aud=there)).status_code == 200


def test_failures_are_throttled_by_client_and_address(client: httpx.Client, clinic: Clinic, system: System) -> None:
    other = registered(client, clinic)
    for _ in range(PER_NAME_HERE):
        assert_unproved(system.asks(system.assertion(aud="elsewhere")))
    refused = system.asks()
    assert_problem(refused, 429, "too_many_attempts")
    assert int(refused.headers["retry-after"]) > 0
    assert other.asks().status_code == 200


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"client_assertion": None}, "/client_assertion"),
        ({"client_assertion_type": None}, "/client_assertion_type"),
        (
            {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
            "/client_assertion_type",
        ),
        ({"client_assertion": "x" * 4097}, "/client_assertion"),
        ({"scope": "x" * 301}, "/scope"),
    ],
    ids=str,
)
def test_an_incomplete_request_names_the_field(system: System, form: dict[str, Any], field: str) -> None:
    said = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": "x"} | form
    answer = system.http.post(TOKEN, data={name: value for name, value in said.items() if value is not None})
    body: Any = assert_problem(answer, 422, "invalid")
    assert [error["pointer"] for error in body["errors"]] == [field]


# Scopes.


def test_a_narrower_scope_narrows_the_token(client: httpx.Client, clinic: Clinic, system: System) -> None:
    answer = system.asks(scope="records:read")
    assert answer.json()["scope"] == "records:read"
    narrow = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    said = {**SESSION, "program_id": str(clinic.program_id)}
    assert client.get("/v1/patients", headers=narrow).status_code == 200
    refused = client.put(f"/v1/sessions/{uuid4()}", json=said, headers=narrow)
    assert assert_problem(refused, 403, "not_allowed")["title"] == "This needs the scope sessions:write."
    wide = system.headers(scope="sessions:write records:read")
    assert client.put(f"/v1/sessions/{uuid4()}", json=said, headers=wide).status_code == 201


@pytest.mark.parametrize("scope", ["reports:read", "records:read reports:read", "no:such", "records:read\x00", "*"])
def test_a_scope_that_was_not_given_is_refused(system: System, scope: str) -> None:
    assertion = system.assertion()
    body = assert_problem(system.asks(assertion, scope=scope), 400, "invalid_scope")
    assert body["error"] == "invalid_scope"
    # It proved who it is by that assertion, once.
    assert_unproved(system.asks(assertion))


def test_a_scope_taken_away_is_out_of_the_tokens_at_once(client: httpx.Client, clinic: Clinic, system: System) -> None:
    headers = system.headers()
    said = {"name": "Record system", "scopes": ["sessions:write"], "keys": [public(system.key)]}
    amended = client.put(f"{URL}/{system.id}", json=said, headers={**clinic.admin, "If-Match": system.etag})
    assert amended.status_code == 200, amended.text
    assert_problem(client.get("/v1/patients", headers=headers), 403, "not_allowed")
    # And one that is given anew is not in a token that never asked for it.
    more = {**said, "scopes": ["sessions:write", "reports:read", "records:read"]}
    client.put(f"{URL}/{system.id}", json=more, headers={**clinic.admin, "If-Match": amended.headers["etag"]})
    assert client.get("/v1/patients", headers=headers).status_code == 200
    assert_problem(client.get("/v1/reports", headers=headers), 403, "not_allowed")


def test_what_it_writes_is_an_import_and_has_its_name(client: httpx.Client, database: Database, clinic: Clinic) -> None:
    system = registered(client, clinic, scopes=["records:write", "sessions:write"])
    headers, session = system.headers(), uuid4()
    said = {**SESSION, "program_id": str(clinic.program_id)}
    assert client.put(f"/v1/sessions/{session}", json=said, headers=headers).status_code == 201
    examined = f"/v1/patients/{clinic.patient_id}/examinations"
    made = client.post(examined, json={"pain": 4}, headers=headers)
    assert made.status_code == 201, made.text
    home = clinic.ines.clinic_id
    with database.reading() as tx:
        source = select(SessionLog.source).where(SessionLog.clinic_id == home, SessionLog.id == session)
        assert tx.scalars(source).one() == Source.IMPORT
        by = select(Examination.examined_by).where(
            Examination.clinic_id == home, Examination.id == UUID(made.json()["id"])
        )
        account = client.get(f"{URL}/{system.id}", headers=clinic.admin).json()["account_id"]
        assert tx.scalars(by).one() == UUID(account)


# What admins do.


def test_a_client_is_seen_by_its_clinics_admin_only(
    client: httpx.Client, clinic: Clinic, stranger: Clinic, system: System
) -> None:
    found = client.get(f"{URL}/{system.id}", headers=clinic.admin)
    assert found.headers["etag"] == system.etag
    shown = found.json()
    assert shown["client_id"] == system.client_id
    assert shown["keys"] == [public(system.key)]
    assert shown["revoked_at"] is None
    assert system.id in [one["id"] for one in client.get(URL, headers=clinic.admin).json()["items"]]
    theirs = {**stranger.admin, "If-Match": system.etag}
    said = {"name": "Mine now", "scopes": ["records:read"], "keys": [public(a_key("P-384"))]}
    assert_problem(client.get(f"{URL}/{system.id}", headers=theirs), 404, "unknown")
    assert_problem(client.put(f"{URL}/{system.id}", json=said, headers=theirs), 404, "unknown")
    assert_problem(client.delete(f"{URL}/{system.id}", headers=theirs), 404, "unknown")
    assert system.id not in [one["id"] for one in client.get(URL, headers=stranger.admin).json()["items"]]
    assert client.get(f"{URL}/{system.id}", headers=clinic.admin).json() == shown
    assert system.asks().status_code == 200


@pytest.mark.parametrize("ended", ["the client", "its account"])
def test_either_end_of_a_client_shuts_it_out(system: System, clinic: Clinic, database: Database, ended: str) -> None:
    assert system.asks().status_code == 200
    known = select(Client.account_id).where(Client.clinic_id == clinic.ines.clinic_id, Client.id == UUID(system.id))
    with database.writing() as tx:
        if ended == "the client":
            shut_out = {"revoked_at": NOON, "revoked_by": clinic.ines.account_id}
            tx.execute(update(Client).where(Client.id == UUID(system.id)).values(shut_out))
        else:
            tx.execute(update(Account).where(Account.id.in_(known)).values(disabled_at=NOON))
    assert_unproved(system.asks())


def test_a_client_shut_out_is_out_at_once(client: httpx.Client, clinic: Clinic, system: System, clock: Clock) -> None:
    headers = system.headers()
    assert client.delete(f"{URL}/{system.id}", headers=clinic.admin).status_code == 204
    assert_problem(client.get("/v1/me", headers=headers), 401, "not_signed_in")
    assert_unproved(system.asks())
    shown = client.get(f"{URL}/{system.id}", headers=clinic.admin)
    clock.now += SECOND
    assert client.delete(f"{URL}/{system.id}", headers=clinic.admin).status_code == 204
    assert client.get(f"{URL}/{system.id}", headers=clinic.admin).json() == shown.json()
    assert shown.json()["revoked_at"] is not None
    said = {"name": "Again", "scopes": ["records:read"], "keys": [public(system.key)]}
    again = client.put(f"{URL}/{system.id}", json=said, headers={**clinic.admin, "If-Match": shown.headers["etag"]})
    assert_problem(again, 409, "wrong_status")
    listed = client.get(URL, headers=clinic.admin).json()["items"]
    assert listed[-1]["id"] == system.id


def test_other_keys_end_the_tokens_the_old_ones_proved(client: httpx.Client, clinic: Clinic, system: System) -> None:
    headers = system.headers()
    said = {"name": "Renamed", "scopes": ["records:read"], "keys": [public(system.key)]}
    renamed = client.put(f"{URL}/{system.id}", json=said, headers={**clinic.admin, "If-Match": system.etag})
    assert client.get("/v1/me", headers=headers).json()["name"] == "Renamed"
    stale = client.put(f"{URL}/{system.id}", json=said, headers={**clinic.admin, "If-Match": system.etag})
    assert_problem(stale, 412, "version_mismatch")
    other = {**said, "keys": [public(a_key("P-384"))]}
    client.put(f"{URL}/{system.id}", json=other, headers={**clinic.admin, "If-Match": renamed.headers["etag"]})
    assert_problem(client.get("/v1/me", headers=headers), 401, "not_signed_in")
    assert_unproved(system.asks())
    system.key, system.algorithm = a_key("P-384"), "ES384"
    assert system.asks().status_code == 200


EC = {"kty": "EC", "crv": "P-256"}
REFUSED_KEYS: dict[str, tuple[Callable[[], list[dict[str, Any]]], str, str]] = {
    "private EC": (lambda: [jwk(a_key("P-256"))], "/keys/0", "private key"),
    "private Ed25519": (lambda: [jwk(a_key("Ed25519"))], "/keys/0", "private key"),
    "private RSA, second": (lambda: [public(a_key("P-256")), jwk(a_key("2048"))], "/keys/1", "private key"),
    "a secret": (lambda: [{"kty": "oct", "k": "c2VjcmV0"}], "/keys/0", "private key"),
    "symmetric": (lambda: [{"kty": "oct"}], "/keys/0/kty", "Input should be"),
    "P-521": (lambda: [public(a_key("P-521"))], "/keys/0/crv", "Input should be"),
    "Ed448": (lambda: [public(a_key("Ed448"))], "/keys/0/crv", "Input should be"),
    "short RSA": (lambda: [public(a_key("1024"))], "/keys/0", "2048 to 4096"),
    "RSA with a curve": (lambda: [public(a_key("2048"), crv="P-256")], "/keys/0", "Not a key we take"),
    "EC on Ed25519": (lambda: [public(a_key("P-256"), crv="Ed25519")], "/keys/0", "Not a key we take"),
    "an algorithm that does not fit": (lambda: [public(a_key("P-256"), alg="RS256")], "/keys/0", "Not a key we take"),
    "HS256": (lambda: [public(a_key("2048"), alg="HS256")], "/keys/0", "Not a key we take"),
    "no coordinates": (lambda: [EC], "/keys/0", "Not a valid key"),
    "short coordinates": (lambda: [{**EC, "x": "AAAA", "y": "AAAA"}], "/keys/0", "Not a valid key"),
    "not on the curve": (lambda: [{**EC, "x": "A" * 43, "y": "A" * 43}], "/keys/0", "Not a valid key"),
    "half a byte": (lambda: [{**EC, "x": "A", "y": "A"}], "/keys/0", "Not a valid key"),
    "RSA without a modulus": (lambda: [{"kty": "RSA", "e": "AQAB"}], "/keys/0", "Not a valid key"),
    "RSA with an even exponent": (lambda: [public(a_key("2048"), e="AAAA")], "/keys/0", "Not a valid key"),
    "OKP without x": (lambda: [{"kty": "OKP", "crv": "Ed25519"}], "/keys/0", "Not a valid key"),
    "no base64": (lambda: [public(a_key("P-256"), x="+/=")], "/keys/0/x", "pattern"),
    "for encryption": (lambda: [public(a_key("2048"), use="enc")], "/keys/0/use", "Input should be"),
    "a certificate": (lambda: [public(a_key("2048"), x5c=["MII"])], "/keys/0/x5c", "not permitted"),
    "the same name twice": (
        lambda: [public(a_key("P-256"), kid="1"), public(a_key("P-384"), kid="1")],
        "/keys",
        "same `kid`",
    ),
    "none": (list, "/keys", "at least 1"),
    "too many": (lambda: [public(a_key("P-256"))] * 6, "/keys", "at most 5"),
}


@pytest.mark.parametrize("how", list(REFUSED_KEYS))
def test_a_key_that_is_no_good_is_refused_with_the_reason(client: httpx.Client, clinic: Clinic, how: str) -> None:
    make, field, reason = REFUSED_KEYS[how]
    said = {"name": "A", "scopes": ["records:read"], "keys": make()}
    answer = client.post(URL, json=said, headers=clinic.admin)
    body: Any = assert_problem(answer, 422, "invalid")
    assert [error["pointer"] for error in body["errors"]] == [field]
    assert reason in body["errors"][0]["detail"]
    # A private key that was sent is not sent about.
    secrets = [key[name] for key in make() for name in ("d", "k") if name in key]
    assert not any(secret in answer.text for secret in secrets)


def test_a_key_as_browsers_export_it_is_taken(client: httpx.Client, clinic: Clinic) -> None:
    key = public(a_key("P-256"), kid="1", use="sig", ext=True, key_ops=["verify"], alg="ES256")
    system = registered(client, clinic, keys=[key])
    shown = client.get(f"{URL}/{system.id}", headers=clinic.admin).json()["keys"]
    assert shown == [{name: value for name, value in key.items() if name not in {"use", "ext", "key_ops"}}]


@pytest.mark.parametrize("scopes", [[], ["no:such"], ["records:read", "RECORDS:READ"], ["x" * 41], "records:read"])
def test_a_scope_that_does_not_exist_cannot_be_given(client: httpx.Client, clinic: Clinic, scopes: Any) -> None:
    said = {"name": "A", "scopes": scopes, "keys": [public(a_key("P-256"))]}
    body: Any = assert_problem(client.post(URL, json=said, headers=clinic.admin), 422, "invalid")
    assert body["errors"][0]["pointer"].startswith("/scopes")


def test_a_clinic_has_so_many_clients_and_no_more(
    client: httpx.Client, database: Database, clinic: Clinic, system: System
) -> None:
    with database.writing() as tx:
        known = tx.scalars(
            select(func.count()).select_from(Client).where(Client.clinic_id == clinic.ines.clinic_id)
        ).one()
        for _ in range(MOST - known):
            clients.create_client(tx, clinic.ines, a_client_draft(), now=NOON)
    said = {"name": "One more", "scopes": ["records:read"], "keys": [public(system.key)]}
    assert_problem(client.post(URL, json=said, headers=clinic.admin), 409, "too_many_clients")
    client.delete(f"{URL}/{system.id}", headers=clinic.admin)
    assert client.post(URL, json=said, headers=clinic.admin).status_code == 201


def test_a_creation_repeated_is_one_client(client: httpx.Client, clinic: Clinic) -> None:
    said = {"name": "Once", "scopes": ["records:read"], "keys": [public(a_key("P-256"))]}
    headers = {**clinic.admin, "Idempotency-Key": "once"}
    first, second = (client.post(URL, json=said, headers=headers).json() for _ in range(2))
    assert first == second


def test_what_is_over_is_forgotten_by_the_sweep(
    client: httpx.Client, database: Database, clinic: Clinic, system: System
) -> None:
    home = clinic.ines.clinic_id
    assertion = system.assertion()
    system.asks(assertion)
    account = UUID(client.get(f"{URL}/{system.id}", headers=clinic.admin).json()["account_id"])

    def kept() -> tuple[int, int]:
        with database.reading() as tx:
            used = select(func.count()).select_from(UsedAssertion).where(UsedAssertion.clinic_id == home)
            signed_in = select(func.count()).select_from(SignIn)
            mine = signed_in.where(SignIn.clinic_id == home, SignIn.account_id == account)
            return tx.scalars(used).one(), tx.scalars(mine).one()

    def swept(after: timedelta) -> tuple[int, int]:
        with database.writing() as tx:
            sweep.forget_expired(tx, home, now=NOON + after)
        return kept()

    assert swept(LASTS_AT_MOST + LEEWAY) == (1, 1)
    assert_unproved(system.asks(assertion))
    assert swept(LASTS_AT_MOST + LEEWAY + SECOND) == (0, 1)
    assert swept(TOKEN_LASTS + DAY) == (0, 1)
    assert swept(TOKEN_LASTS + DAY + SECOND) == (0, 0)
    # Nobody else's sign-in goes with them, whatever became of its tokens.
    swept(200 * DAY)
    with database.reading() as tx:
        assert tx.scalars(select(SignIn.id).where(SignIn.clinic_id == home)).all()
