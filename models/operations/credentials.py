"""Secrets: passwords, tokens, invitation and recovery codes, and what is kept of them.

Tokens are 256 random bits that carry their clinic's id, so that the look-up is routed; only hashes are stored.
Randomness is drawn here and in `ids`, nowhere else.
"""

import base64
import binascii
import secrets
from dataclasses import dataclass
from hashlib import sha256
from unicodedata import normalize
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PREFIX = "ft_"
_SECRET_BYTES = 32
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})
CODE_LENGTH = 12
"""60 bits: beyond guessing at any rate the throttle lets through."""

# OWASP's argon2id cost. Each hash takes some 20 MiB and a core for tens of milliseconds; the doors bound how many run
# at once, and never hash inside a transaction.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODYS_HASH = _hasher.hash("no account has this password")


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A token as its holder has it, and what we may keep of it."""

    clinic_id: UUID
    hash: bytes
    secret: bytes

    @property
    def text(self) -> str:
        """As it travels."""
        return PREFIX + base64.urlsafe_b64encode(self.clinic_id.bytes + self.secret).decode()

    def seal(self, successor: "HeldToken") -> bytes:
        """The successor's secret, readable only with this token: a repeated refresh can be answered alike
        although no token is stored. Each secret seals at most one successor, so the pad is used once.
        """
        return _xor(successor.secret, self._pad())

    def unseal(self, sealed: bytes) -> "HeldToken":
        """The successor that `seal` sealed."""
        return _held(self.clinic_id, _xor(sealed, self._pad()))

    def _pad(self) -> bytes:
        return sha256(b"successor" + self.secret).digest()


def new_key() -> bytes:
    """A fresh key to sign with."""
    return secrets.token_bytes(_SECRET_BYTES)


def new_token(clinic_id: UUID) -> HeldToken:
    """A fresh token of a clinic."""
    return _held(clinic_id, secrets.token_bytes(_SECRET_BYTES))


def read_token(text: str | None) -> HeldToken | None:
    """What someone presents as a token, or None if it cannot be one."""
    if not text or not text.startswith(PREFIX):
        return None
    try:
        raw = base64.b64decode(text.removeprefix(PREFIX), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return _held(UUID(bytes=raw[:16]), raw[16:]) if len(raw) == 16 + _SECRET_BYTES else None


def new_code() -> str:
    """An invitation code as it is printed: three groups of four, without letters that look like digits."""
    code = "".join(secrets.choice(_ALPHABET) for _ in range(CODE_LENGTH))
    return "-".join(code[i : i + 4] for i in range(0, CODE_LENGTH, 4))


def code_hash(code: str, purpose: bytes = b"invitation") -> bytes:
    """What is kept of a code; forgiving of case, spaces, dashes and look-alike letters."""
    plain = "".join(letter for letter in code.upper() if letter.isalnum()).translate(_READ_AS)
    return sha256(purpose + plain.encode()).digest()


def new_shared_secret() -> str:
    """A fresh secret to share with an authenticator app: 160 bits in base 32 (RFC 4226, section 4, R6)."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def new_nonce() -> bytes:
    """A fresh number used once, of AES-GCM's size."""
    return secrets.token_bytes(12)


def as_typed(password: str) -> str:
    """A password as every keyboard types it: composed (NFC), as RFC 8265 (4.2.2) says."""
    return normalize("NFC", password)


def hash_password(password: str) -> str:
    """What is kept of a password."""
    return _hasher.hash(as_typed(password))


def fits(password: str, kept: str | None) -> bool:
    """Whether `password` is the one `kept` was made from; as slow when there is no account."""
    try:
        return _hasher.verify(kept or _NOBODYS_HASH, as_typed(password)) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def _held(clinic_id: UUID, secret: bytes) -> HeldToken:
    return HeldToken(clinic_id, sha256(clinic_id.bytes + secret).digest(), secret)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
