"""A phone's queue: every item has its one outcome, and nothing that was said is lost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.devices import in_touch
from models.operations.rejects import Refused, keep_refused
from models.operations.sessions import REFUSED, Deletion, Item, Outcome, Result, record_sessions

MOST_ITEMS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """One item of a push, as far as it could be read."""

    item: Item | None
    """None: it cannot be read as a session or a deletion."""
    session_id: UUID | None
    raw: str
    said: object
    """The session in it."""


def push(
    tx: Session, caller: Caller, pushed: Sequence[Pushed], *, sent_at: datetime | None = None, now: datetime
) -> list[Result]:
    """Take a phone's queue; one result each, in order. What is refused is kept and heard (`keep_refused`)."""
    in_touch(tx, caller, sent_at=sent_at, now=now)
    readable = [number for number, one in enumerate(pushed) if one.item is not None]
    items = [one.item for one in pushed if one.item is not None]
    results = [Result(outcome=Outcome.REJECTED) for _ in pushed]
    for number, result in zip(readable, record_sessions(tx, caller, items, sent_at=sent_at, now=now), strict=True):
        results[number] = result
    refused = [
        number
        for number, (one, result) in enumerate(zip(pushed, results, strict=True))
        if result.outcome in REFUSED and not isinstance(one.item, Deletion)
    ]
    kept = keep_refused(
        tx,
        caller,
        [_refused(pushed[number], results[number]) for number in refused],
        sent_at=sent_at,
        now=now,
    )
    for number, one in zip(refused, kept, strict=True):
        results[number] = replace(results[number], advice=tuple(one.advice), safety_raised=one.safety_raised)
    return results


def _refused(pushed: Pushed, result: Result) -> Refused:
    code = result.refusal.code if result.refusal else "invalid"
    return Refused(session_id=pushed.session_id, raw=pushed.raw, said=pushed.said, code=code)
