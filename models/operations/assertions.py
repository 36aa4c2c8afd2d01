"""How another system proves who it is: a short-lived text it signs with its private key (RFC 7521 and 7523, as SMART
Backend Services use them), checked with the public keys it registered.

Touches no database. The JWT library checks signatures only: its own look at the claims would ask the machine's clock.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError

LASTS_AT_MOST = timedelta(minutes=5)
LEEWAY = timedelta(seconds=60)
"""How far the other system's clock may be off."""
MAX_JTI = 200
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
"""Members of a JWK that nobody but its owner may have (RFC 7518, 6)."""
PRIVATE_KEY = "This is a private key: keep it to yourself, and send its public half."
MIN_RSA, MAX_RSA = 2048, 4096
"""Bits: NIST SP 800-131A, and no key that is costly to check."""

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_SIGNS_WITH = {
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("RSA", None): _RSA,
}
_jws = PyJWS(algorithms=[name for names in _SIGNS_WITH.values() for name in names])


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an assertion says, before anything of it is believed."""

    text: str
    algorithm: object
    key_id: object
    claims: Mapping[str, Any]

    @property
    def expires_at(self) -> datetime:
        """When it stops working; of one that `fits`."""
        return datetime.fromtimestamp(self.claims["exp"], UTC)


def fault_of_key(jwk: Mapping[str, str]) -> str | None:
    """Why a JWK is not one to check signatures with; None: it is one."""
    if is_private(jwk):
        return PRIVATE_KEY
    fitting = algorithms_of(jwk)
    if not fitting:
        return "Not a key we take: EC on P-256 or P-384, Ed25519, or RSA; and its `alg`, where it has one, fits it."
    try:
        key = PyJWK(dict(jwk), fitting[0]).key
    except PyJWTError:
        return "Not a valid key."
    if jwk["kty"] == "RSA" and not MIN_RSA <= key.key_size <= MAX_RSA:
        return f"An RSA key has {MIN_RSA} to {MAX_RSA} bits."
    return None


def is_private(jwk: Mapping[str, Any]) -> bool:
    """Whether a JWK holds what nobody but its owner may have."""
    return any(member in jwk for member in PRIVATE)


def algorithms_of(jwk: Mapping[str, str]) -> tuple[str, ...]:
    """What a key may sign with: it decides, not the assertion."""
    fitting = _SIGNS_WITH.get((jwk.get("kty", ""), jwk.get("crv")), ())
    return tuple(name for name in fitting if jwk.get("alg") in {None, name})


def read_assertion(text: str) -> Assertion | None:
    """What someone presents as an assertion, or None if it cannot be one."""
    if not text.isascii():
        return None
    try:
        parts = _jws.decode_complete(text, options={"verify_signature": False})
        claims = json.loads(parts["payload"])
    except (PyJWTError, ValueError, RecursionError):
        return None
    header = parts["header"]
    return Assertion(text, header.get("alg"), header.get("kid"), claims) if isinstance(claims, dict) else None


def is_signed(assertion: Assertion, keys: Sequence[Mapping[str, str]]) -> bool:
    """Whether one of `keys` signed it: the key it names, where it names one."""
    return any(
        _is_signed_with(assertion, jwk)
        for jwk in keys
        if assertion.key_id is None or assertion.key_id == jwk.get("kid")
    )


def fits(assertion: Assertion, *, client_id: str, audience: str, now: datetime) -> bool:
    """Whether it says, here and now, that it is `client_id`. One meant for several audiences is refused: another of
    them could present it here.
    """
    said, moment = assertion.claims, now.timestamp()
    lasts, leeway = LASTS_AT_MOST.total_seconds(), LEEWAY.total_seconds()
    jti = said.get("jti")
    return (
        said.get("iss") == said.get("sub") == client_id
        and said.get("aud") in (audience, [audience])
        and isinstance(jti, str)
        and 0 < len(jti) <= MAX_JTI
        and _lies_within(said.get("exp"), moment, moment + lasts + leeway)
        and _lies_within(said.get("iat", moment), moment - lasts - leeway, moment + leeway)
        and _lies_within(said.get("nbf", moment), float("-inf"), moment + leeway)
    )


def _is_signed_with(assertion: Assertion, jwk: Mapping[str, str]) -> bool:
    name = assertion.algorithm
    if not isinstance(name, str) or name not in algorithms_of(jwk):
        return False
    try:
        _jws.decode(assertion.text, PyJWK(dict(jwk), name), algorithms=[name])
    except PyJWTError:
        return False
    return True


def _lies_within(said: object, after: float, until: float) -> bool:
    """Whether it is a NumericDate with `after` < it <= `until`."""
    if isinstance(said, bool) or not isinstance(said, int | float):
        return False
    return (isinstance(said, int) or isfinite(said)) and after < said <= until
