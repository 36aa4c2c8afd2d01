"""When a session happened, told by a phone whose clock may be wrong.

The phone says what its clock showed as it sent (`sent_at`); the difference to our clock is its skew. A large skew is a
wrong clock: every instant it told is moved by as much, and the local date with it. Nobody is locked out for it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

SKEW_TOLERANCE = timedelta(minutes=10)
"""A smaller skew is the network's delay or of no consequence (as Community Health Toolkit reckons)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant and the patient's date at it."""

    at: datetime
    local_date: date


def skew_of(sent_at: datetime | None, received_at: datetime) -> timedelta:
    """How far the phone's clock is behind ours; negative if it is ahead; nothing if the phone did not say."""
    return received_at - sent_at if sent_at is not None else timedelta(0)


def date_there(at: datetime, zone: str) -> date:
    """The date in an IANA zone at an instant."""
    return at.astimezone(ZoneInfo(zone)).date()


def corrected(said: Moment, zone: str, skew: timedelta) -> Moment:
    """What a phone said, moved by its skew where that is more than `SKEW_TOLERANCE`.

    The local date follows the corrected instant; where the patient dated the session a day beside the phone's date (an
    exercise after midnight that belongs to the evening before), it stays as many days beside.
    """
    if abs(skew) <= SKEW_TOLERANCE:
        return said
    at = said.at + skew
    beside = said.local_date - date_there(said.at, zone)
    return Moment(at, date_there(at, zone) + beside)
