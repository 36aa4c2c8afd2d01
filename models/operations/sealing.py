"""Keeping what we must be able to read again, but nobody who only has the database."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.operations.credentials import new_nonce
from models.refusals import NoSecretKey

KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, repr=False)
class Seal:
    """Seals with the first of its keys and opens with any: a new key is put in front, an old one dropped when nothing
    is sealed with it any more. No keys: it seals nothing.
    """

    keys: tuple[bytes, ...] = ()

    def close(self, plain: bytes, place: bytes) -> bytes:
        """Seal something so that it opens only at its `place`: copied into another row it is worth nothing."""
        if not self.keys:
            raise NoSecretKey("This installation has no secret key; whoever runs it sets FOLLOWTHROUGH_SECRET_KEY.")
        nonce = new_nonce()
        return nonce + AESGCM(self.keys[0]).encrypt(nonce, plain, place)

    def open(self, closed: bytes, place: bytes) -> bytes:
        """What was sealed."""
        for key in self.keys:
            try:
                return AESGCM(key).decrypt(closed[:_NONCE_BYTES], closed[_NONCE_BYTES:], place)
            except InvalidTag:
                continue
        raise NoSecretKey("This was sealed with a key that the installation does not have (FOLLOWTHROUGH_SECRET_KEY).")


NO_KEY = Seal()
