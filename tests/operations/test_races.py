"""Many at once, on real connections that really commit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from models.adherence.flags import FlagKind
from models.database import Database
from models.operations import sign_ins, sweep
from models.operations.sessions import Outcome, Result, record_sessions
from models.operations.sign_ins import Tokens
from models.tables import Announcement, Clinic, Flag, ProgramStanding, SessionEntry, SessionLog, Token, TokenKind
from tests.builders import DAY, NOON, a_clinic, a_patient, a_phone, a_program, a_report


def at_once(count: int, deed: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(deed, range(count)))


def test_sixteen_phones_saying_the_same_log_it_once(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        program_id = a_program(tx, ines, a_patient(tx, ines)).program.id
    said = a_report(program_id, chips=["fall"])

    def log(_: int) -> Result:
        with shared_database.writing() as tx:
            return record_sessions(tx, ines, [said], now=NOON)[0]

    outcomes = [result.outcome for result in at_once(16, log)]
    assert sorted(outcomes) == [Outcome.CREATED] + [Outcome.UNCHANGED] * 15
    with shared_database.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(SessionLog)) == 1
        assert tx.scalar(select(func.count()).select_from(SessionEntry)) == 1
        assert tx.scalar(select(func.count()).select_from(Flag).where(Flag.kind == FlagKind.FALL)) == 1


def test_eight_first_logs_of_a_day_are_eight_sessions(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        program_id = a_program(tx, ines, a_patient(tx, ines)).program.id
    reports = [a_report(program_id, pain_during=number) for number in range(6)]
    reports += [replace(a_report(program_id), note="evening"), a_report(program_id)]

    def log(number: int) -> Result:
        with shared_database.writing() as tx:
            return record_sessions(tx, ines, [reports[number]], now=NOON)[0]

    assert {result.outcome for result in at_once(8, log)} == {Outcome.CREATED}
    with shared_database.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(SessionLog)) == 8
        assert tx.scalars(select(ProgramStanding.last_day)).one() == NOON.date()
        open_silence = select(func.count()).select_from(Flag).where(Flag.kind == FlagKind.SILENCE)
        assert tx.scalar(open_silence.where(Flag.closed_at.is_(None))) == 1


def test_a_refresh_sent_eight_times_has_one_successor(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        tokens = a_phone(tx, ines, a_patient(tx, ines))

    def refresh(_: int) -> object:
        with shared_database.writing() as tx:
            return sign_ins.refresh(tx, tokens.refresh, NOON)

    fresh = at_once(8, refresh)
    assert len({one.refresh for one in fresh if isinstance(one, Tokens)}) == 1
    assert all(isinstance(one, Tokens) for one in fresh)
    with shared_database.reading() as tx:
        kept = select(func.count()).select_from(Token).where(Token.kind == TokenKind.REFRESH)
        assert tx.scalar(kept) == 2


def test_four_sweepers_announce_each_opening_once(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        for _ in range(12):
            a_program(tx, ines, a_patient(tx, ines))

    def announce(_: int) -> int:
        with shared_database.writing() as tx:
            return sweep.announce_due(tx, ines.clinic_id, now=NOON + 10 * DAY)

    assert sum(at_once(4, announce)) == 12
    with shared_database.reading() as tx:
        told = [row.payload["flag_id"] for row in tx.scalars(select(Announcement))]
    assert len(told) == len(set(told)) == 12


def test_a_reading_transaction_cannot_write(shared_database: Database) -> None:
    clinic = Clinic(id=uuid4(), name="x", time_zone="UTC", locale="en", created_at=NOON)
    with shared_database.reading() as tx:
        tx.add(clinic)
        with pytest.raises(DBAPIError):
            tx.flush()
        tx.rollback()
