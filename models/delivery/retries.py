"""When to try again, and when to stop trying."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""How long to wait after each failed attempt, the first of which is immediate (Standard Webhooks' example schedule)."""
JITTER = 0.1
"""A wait is up to so much longer, so that what failed together does not come back together."""
LONGEST_WISH = timedelta(hours=24)
"""The longest Retry-After that is heeded."""
FAILING_FOR = timedelta(days=5)
"""An endpoint at which nothing has arrived for so long is disabled; longer than one announcement is tried for."""
LEASE = timedelta(minutes=2)
"""How long whoever claimed a delivery has it for themselves."""
TIMEOUT = timedelta(seconds=15)
"""How long one attempt may take."""


class Failure(StrEnum):
    """Why an attempt failed, as far as those who look after the endpoint need to know."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    """No such name, no route, connection refused or cut."""
    TLS = "tls"
    FORBIDDEN_ADDRESS = "forbidden_address"
    """The name resolves to an address inside our own network."""
    NO_HTTP = "no_http"
    """What answered does not speak HTTP."""
    STATUS = "status"
    """Answered, but not with 2xx."""
    SMTP = "smtp"
    """The mail server refused."""
    OURS = "ours"
    """Something broke on our side; the log says what."""
    NO_TARGET = "no_target"
    """The endpoint is disabled or the account is gone."""


SILENCES = frozenset({Failure.TIMEOUT, Failure.UNREACHABLE, Failure.TLS, Failure.FORBIDDEN_ADDRESS})
"""Failures that say something about the target, whatever was to be delivered."""
GONE = 410
"""The status by which an endpoint asks to be told no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of trying once."""

    failure: Failure | None = None
    """None: it arrived."""
    status: int | None = None
    """The HTTP status or SMTP code that was answered."""
    retry_after: timedelta | None = None
    """What a busy endpoint asked for."""

    @property
    def arrived(self) -> bool:
        """Whether the other side took it."""
        return self.failure is None


def next_try(
    made: int, announcement_id: UUID, target_id: UUID, *, wish: timedelta | None = None, now: datetime
) -> datetime | None:
    """When to try again after `made` failed attempts; None when it is time to give up."""
    if made > len(WAITS):
        return None
    wait = WAITS[made - 1] * (1 + JITTER * _draw(announcement_id, target_id, made))
    return now + max(wait, min(wish or timedelta(), LONGEST_WISH))


def _draw(*parts: object) -> float:
    """A number in [0, 1) that is always the same for the same attempt and unlike any other's: dice that can be
    thrown again.
    """
    return int.from_bytes(sha256(repr(parts).encode()).digest()[:4]) / 2**32
