"""Ids for what the house creates."""

import secrets
from datetime import datetime
from uuid import UUID


def new_id(now: datetime) -> UUID:
    """A UUIDv7 (RFC 9562): ordered by time, so that indexes grow at one end, and not guessable."""
    milliseconds = int(now.timestamp() * 1000) & ((1 << 48) - 1)
    random = secrets.randbits(74)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & ((1 << 62) - 1))


def ids_at(moment: datetime) -> tuple[UUID, UUID]:
    """The first and the last id there can be of a moment."""
    milliseconds = max(0, int(moment.timestamp() * 1000))
    return UUID(int=milliseconds << 80), UUID(int=(milliseconds << 80) + (1 << 80) - 1)
