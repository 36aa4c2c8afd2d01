"""The trail: what is chained cannot be altered, taken or moved unnoticed."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from models.database import Database
from models.operations import audit
from models.operations.callers import Caller
from models.tables import AuditEvent, AuditHead
from tests.architecture.statements import explaining
from tests.builders import DAY, NOON, a_clinic

LOOKED = audit.Done(operation="get_patient", writes=False, asked="GET /v1/patients/1", address="192.0.2.7")


@pytest.fixture
def ines(tx: Session) -> Caller:
    return a_clinic(tx)


def look(tx: Session, caller: Caller, times: int) -> None:
    for number in range(times):
        audit.note(tx, caller, LOOKED, now=NOON + number * DAY)


def chained(tx: Session, caller: Caller, times: int = 5) -> list[UUID]:
    """A sealed chain; the events' ids in order."""
    look(tx, caller, times)
    assert audit.seal(tx, caller.clinic_id) == times
    every = select(AuditEvent.id).where(AuditEvent.clinic_id == caller.clinic_id).order_by(AuditEvent.seq)
    return list(tx.scalars(every))


def flaws(tx: Session, caller: Caller, noted: str | None = None) -> list[tuple[int, str]]:
    tx.expire_all()
    return [(flaw.seq, flaw.what) for flaw in audit.verify(tx, caller.clinic_id, noted=noted).flaws]


def tamper(tx: Session, caller: Caller, event_id: UUID, **but: Any) -> None:
    tx.execute(
        update(AuditEvent).where(AuditEvent.clinic_id == caller.clinic_id, AuditEvent.id == event_id).values(**but)
    )


def take(tx: Session, caller: Caller, *ids: UUID) -> None:
    tx.execute(delete(AuditEvent).where(AuditEvent.clinic_id == caller.clinic_id, AuditEvent.id.in_(ids)))


def test_an_untouched_chain_has_no_flaw_and_names_its_tail(tx: Session, ines: Caller) -> None:
    chained(tx, ines)
    look(tx, ines, 2)
    verdict = audit.verify(tx, ines.clinic_id)
    assert (verdict.flaws, verdict.events, verdict.unsealed) == ([], 5, 2)
    assert audit.is_unsealed(tx, ines.clinic_id)
    assert audit.seal(tx, ines.clinic_id) == 2
    assert audit.seal(tx, ines.clinic_id) == 0
    assert not audit.is_unsealed(tx, ines.clinic_id)
    assert audit.verify(tx, ines.clinic_id).events == 7


ALTERATIONS: list[dict[str, Any]] = [
    {"at": NOON},
    {"account_id": UUID(int=1)},
    {"role": "admin"},
    {"operation": "list_exercises"},
    {"writes": True},
    {"outcome": "not_allowed"},
    {"patient_id": UUID(int=1)},
    {"asked": None},
    {"address": "192.0.2.8"},
    {"request_id": "another"},
    {"hash": bytes(32)},
]


@pytest.mark.parametrize("but", ALTERATIONS, ids=lambda but: next(iter(but)))
def test_an_altered_event_is_found_whatever_was_altered(tx: Session, ines: Caller, but: dict[str, Any]) -> None:
    third = chained(tx, ines)[2]
    tamper(tx, ines, third, **but)
    assert (3, "altered, or not where it was written") in flaws(tx, ines)
    assert {seq for seq, _ in flaws(tx, ines)} <= {3, 4}


def test_every_column_is_in_the_chain() -> None:
    """What a test alters above, and where the row stands, is all there is to an event."""
    altered = {name for but in ALTERATIONS for name in but}
    assert {column.name for column in AuditEvent.__table__.columns} == altered | {"clinic_id", "id", "seq"}


def test_missing_events_are_named(tx: Session, ines: Caller) -> None:
    ids = chained(tx, ines, 6)
    take(tx, ines, ids[2], ids[3])
    assert flaws(tx, ines) == [(3, "missing: event 3 to 4")]


def test_a_cut_tail_is_found(tx: Session, ines: Caller) -> None:
    ids = chained(tx, ines)
    take(tx, ines, ids[4])
    assert flaws(tx, ines) == [(5, "missing: the chain ended with event 5")]


def test_sealing_while_a_chain_is_walked_is_no_flaw(shared_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each statement sees what was committed before it the chain would seem to be cut."""
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        chained(tx, ines)
        look(tx, ines, 2)
    walk = audit._chain

    def sealed_afterwards(tx: Session, clinic_id: UUID) -> Iterator[AuditEvent]:
        yield from walk(tx, clinic_id)
        with shared_database.writing() as other:
            assert audit.seal(other, clinic_id) == 2

    monkeypatch.setattr(audit, "_chain", sealed_afterwards)
    with shared_database.snapshot() as tx:
        assert audit.verify(tx, ines.clinic_id).flaws == []


def test_events_that_changed_places_are_found(tx: Session, ines: Caller) -> None:
    ids = chained(tx, ines)
    tamper(tx, ines, ids[1], seq=100)
    tamper(tx, ines, ids[2], seq=2)
    tamper(tx, ines, ids[1], seq=3)
    assert {seq for seq, _ in flaws(tx, ines)} >= {2, 3}


def test_a_chain_written_anew_does_not_have_the_end_that_was_noted(tx: Session, ines: Caller) -> None:
    ids = chained(tx, ines)
    noted = audit.verify(tx, ines.clinic_id).head
    look(tx, ines, 1)
    audit.seal(tx, ines.clinic_id)
    assert flaws(tx, ines, noted) == []
    take(tx, ines, ids[0])
    tx.execute(update(AuditEvent).where(AuditEvent.clinic_id == ines.clinic_id).values(seq=None, hash=None))
    tx.execute(delete(AuditHead).where(AuditHead.clinic_id == ines.clinic_id))
    tx.expire_all()
    audit.seal(tx, ines.clinic_id)
    assert flaws(tx, ines) == []
    assert flaws(tx, ines, noted) == [(5, "not what was noted down")]


def test_chains_are_by_clinic(tx: Session, ines: Caller) -> None:
    other = a_clinic(tx)
    ids = chained(tx, ines)
    chained(tx, other)
    take(tx, ines, *ids)
    assert flaws(tx, ines) == [(1, "missing: the chain ended with event 5")]
    assert flaws(tx, other) == []


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(alterations=st.lists(st.tuples(st.integers(0, 19), st.sampled_from(["take", "alter"])), max_size=3))
def test_whatever_is_done_to_a_chain_is_found(tx: Session, alterations: list[tuple[int, str]]) -> None:
    ines = a_clinic(tx)
    ids = chained(tx, ines, 20)
    for number, what in alterations:
        if what == "take":
            take(tx, ines, ids[number])
        else:
            tamper(tx, ines, ids[number], address="somewhere else")
    assert bool(flaws(tx, ines)) == bool(alterations)


def test_refusals_are_found_without_reading_the_trail(tx: Session, ines: Caller) -> None:
    audit.add_events(tx, ines.clinic_id, ines.account_id, ines.role, LOOKED, [None] * 5000, now=NOON)
    for code in ("not_allowed", "unknown"):
        audit.note(tx, ines, replace(LOOKED, outcome=code), now=NOON)
    tx.execute(text("ANALYZE"))
    with explaining(tx, "audit_event") as plans:
        (found,) = audit.events(tx, ines, audit.Wanted(outcome="not_allowed"), after=None, limit=50)
    assert found.event.outcome == "not_allowed"
    (plan,) = plans
    assert "ix_audit_event_refused" in plan
