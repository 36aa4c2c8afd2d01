"""Creating once: an Idempotency-Key repeated finds what the first request created."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.refusals import KeyReused
from models.tables import Reply


def earlier_resource(tx: Session, caller: Caller, key: str | None, request: bytes) -> UUID | None:
    """The id of what this very request already created, if it did. The same key with another request is refused."""
    if key is None:
        return None
    reply = tx.get(Reply, {"clinic_id": caller.clinic_id, "account_id": caller.account_id, "key": key})
    if reply is None:
        return None
    if reply.request_hash != sha256(request).digest():
        raise KeyReused("This Idempotency-Key was used for a different request.")
    return reply.resource_id


def remember_resource(
    tx: Session, caller: Caller, key: str | None, request: bytes, resource_id: UUID, *, now: datetime
) -> None:
    """Keep what a request with a key created, in the transaction that creates it."""
    if key is not None:
        tx.add(
            Reply(
                clinic_id=caller.clinic_id,
                account_id=caller.account_id,
                key=key,
                request_hash=sha256(request).digest(),
                resource_id=resource_id,
                created_at=now,
            )
        )
        tx.flush()  # of two at once the second fails here, on the key
