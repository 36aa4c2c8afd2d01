"""Webhooks as the Standard Webhooks specification signs them (v1: HMAC-SHA256 with a shared secret)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

SECRET_PREFIX = "whsec_"  # noqa: S105  (the prefix is public)


def message_id(announcement_id: UUID) -> str:
    """What a receiver knows an announcement by: the same however often and wherever it is sent."""
    return f"msg_{announcement_id.hex}"


def secret_text(secret: bytes) -> str:
    """A secret as its holder is shown it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def body_of(kind: str, created_at: datetime, data: Mapping[str, Any]) -> bytes:
    """The body of an announcement, the same to the byte each time it is sent."""
    said = {"type": kind, "timestamp": created_at.isoformat(), "data": dict(data)}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def signed(message: str, at: datetime, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """The three headers; one signature a secret, so that a secret can be changed without a gap."""
    timestamp = str(int(at.timestamp()))
    content = b".".join((message.encode(), timestamp.encode(), body))
    return {
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_digest(secret, content)}" for secret in secrets),
    }


def _digest(secret: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
