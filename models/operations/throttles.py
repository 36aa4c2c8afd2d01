"""Counting failed attempts, so that guessing is slow."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv4Address, ip_address, ip_network

from sqlalchemy import case, delete, select
from sqlalchemy.orm import Session

from models.database import insert_for
from models.refusals import TooManyAttempts
from models.tables import Throttle

WINDOW = timedelta(minutes=15)
PER_NAME_HERE = 10
"""Failures in a window for one account name or code from one network address."""
PER_ADDRESS = 50
"""Failures in a window from one network address; a clinic's staff may share one."""
PER_NAME = 200
"""Failures in a window for one name from anywhere; high, or anyone could lock anyone out."""
PER_PROVEN_NAME = 10
"""The same where only who has the password, or the token, gets so far: six digits are few (RFC 6238 says so)."""
PER_MAILED_NAME = 5
"""Mails in a window to one address. Whoever spends them has made us send five that work."""


def throttle_keys(what: str, *, name: str, address: str, per_name: int = PER_NAME) -> list[tuple[str, int]]:
    """What is counted for one attempt: (key, limit) by name, by address and by both, as digests."""
    return [
        (_key(what, "name", name), per_name),
        (_key(what, "address", _network(address)), PER_ADDRESS),
        (_key(what, "both", name, _network(address)), PER_NAME_HERE),
    ]


def refuse_if_spent(tx: Session, keys: Sequence[tuple[str, int]], now: datetime) -> None:
    """Raise if any of `keys` has had its failures."""
    limits = dict(keys)
    rows = tx.execute(
        select(Throttle.key, Throttle.failures, Throttle.window_started_at).where(
            Throttle.key.in_(limits), Throttle.window_started_at > now - WINDOW
        )
    )
    spent = [started for key, failures, started in rows if failures >= limits[key]]
    if spent:
        raise TooManyAttempts("Too many failed attempts; wait before trying again.", until=max(spent) + WINDOW)


def count_failure(tx: Session, keys: Sequence[tuple[str, int]], now: datetime) -> None:
    """Count one failed attempt against every key."""
    for key, _limit in sorted(keys):
        fresh = Throttle.window_started_at > now - WINDOW
        tx.execute(
            insert_for(tx, Throttle)
            .values(key=key, window_started_at=now, failures=1)
            .on_conflict_do_update(
                index_elements=["key"],
                set_={
                    "failures": case((fresh, Throttle.failures + 1), else_=1),
                    "window_started_at": case((fresh, Throttle.window_started_at), else_=now),
                },
            )
        )


def forget_old_failures(tx: Session, now: datetime) -> None:
    """Drop windows that have closed."""
    tx.execute(delete(Throttle).where(Throttle.window_started_at <= now - WINDOW))


def _network(address: str) -> str:
    """What one caller has of addresses: one of IPv4, of IPv6 all that begin with the same 64 bits (RFC 4291, 2.5.4)."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or ip_network((known, 64), strict=False))


def _key(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()
