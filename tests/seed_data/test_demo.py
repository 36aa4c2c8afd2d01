"""The demo clinic: told through the operations, deterministic, and convincing."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.adherence import Standing
from models.adherence.kinds import FlagKind
from models.operations import adherence, sweep
from models.operations.callers import Caller
from models.operations.worklist import Row, worklist
from models.tables import Account, Announcement, CheckIn, Flag, Patient, Program, Role, SessionLog
from seed_data.demo import build as demo

TODAY = datetime(2026, 11, 21, 14, tzinfo=UTC)


@pytest.fixture
def ines(tx: Session, kind: str) -> Caller:
    if kind == "postgresql":
        pytest.skip("the walk builds the whole clinic there")
    assert len(list(demo.build(tx, TODAY))) == demo.PATIENTS == 40
    tx.flush()
    account = tx.scalars(select(Account).where(Account.email == "ines@demo.example")).one()
    return Caller(
        clinic_id=account.clinic_id,
        account_id=account.id,
        role=Role.THERAPIST,
        name=account.name,
        shares_caseloads=True,
    )


def the_list(tx: Session, ines: Caller) -> list[Row]:
    return worklist(tx, ines, limit=100, now=TODAY)


def test_the_demo_clinic_convinces(tx: Session, ines: Caller) -> None:
    rows = the_list(tx, ines)
    kinds = Counter(row.kind for row in rows)
    assert 12 <= len(rows) <= 50
    assert {FlagKind.SILENCE, FlagKind.NOT_STARTED, FlagKind.PAIN_HIGH, FlagKind.BARRIER, FlagKind.FALL} <= set(kinds)

    # Of the two who were discharged, one answered that all is well; the other's pain came back.
    answered = tx.scalars(select(CheckIn).where(CheckIn.version > 0)).all()
    assert [one.answers and one.answers["recurrence"] for one in answered].count(True) == 1
    assert len(answered) == 2
    assert kinds[FlagKind.RECURRENCE] == kinds[FlagKind.CONTACT_WANTED] == 1

    # Three of the silent were called this morning, and one more is taken on.
    silent = [row for row in rows if row.kind is FlagKind.SILENCE]
    assert [row.last_outreach is not None for row in silent].count(True) == 3
    assert [row.is_acknowledged for row in silent].count(True) == 4

    # Each silent patient's reason can be checked against their sessions.
    for row in rows:
        if row.kind is not FlagKind.SILENCE or row.program_id is None:
            continue
        days = tx.scalars(
            select(SessionLog.local_date).where(SessionLog.program_id == row.program_id, SessionLog.done != "none")
        ).all()
        last = max(days)
        assert f" since {last.day} {last:%b}" in row.evidence
        known = adherence.following(tx, ines, row.program_id, as_of=None, now=TODAY)
        assert known.last_day == last
        assert known.assessment.standing in {"lapsed", "stopped"}
        assert f" {round(known.expected_missed)} session" in row.evidence

    # Nobody who exercised in the last three days is called silent.
    recent = date(2026, 11, 18)
    active = set(tx.scalars(select(SessionLog.program_id).where(SessionLog.local_date >= recent)))
    assert not [row for row in rows if row.kind is FlagKind.SILENCE and row.program_id in active]

    standings = Counter(
        adherence.following(tx, ines, program_id, as_of=None, now=TODAY).assessment.standing
        for program_id in tx.scalars(select(Program.id))
    )
    assert {"on_track", "lapsed", "stopped", "not_started", "paused", "ended"} <= set(standings)
    assert standings[Standing.ON_TRACK] >= 12

    # Its past is announced: a first sweep stays silent; a day later it speaks of what is new.
    assert sweep.announce_due(tx, ines.clinic_id, now=TODAY) == 0
    assert tx.scalars(select(Announcement)).all() == []
    programs = next(sweep.program_batches(tx, ines.clinic_id, 200))
    assert sweep.misjudged(tx, ines.clinic_id, programs) == []
    assert sweep.announce_due(tx, ines.clinic_id, now=TODAY + timedelta(days=7)) > 0


def test_the_same_day_gives_the_same_clinic(tx: Session) -> None:
    clinics = []
    for _ in range(2):
        with tx.begin_nested() as once:
            assert len(list(islice(demo.build(tx, TODAY), 3))) == 3
            tx.flush()
            clinics.append(told(tx))
            once.rollback()
    assert clinics[0] == clinics[1]
    assert len(clinics[0]) > 200


def told(tx: Session) -> list[str]:
    """All that does not hang on ids made by the house."""
    stories = (
        select(Flag.kind, Flag.opens_at, Flag.evidence),
        select(Patient.family_name, Patient.birth_date, Patient.phone),
        select(SessionLog.id, SessionLog.performed_at, SessionLog.pain_during),
    )
    return sorted(str(row) for story in stories for row in tx.execute(story))
