"""A restore drill: a backup taken while phones log, restored, and looked at."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from uuid import UUID

import pytest
from sqlalchemy import func, select

from models.database import Database, open_database
from models.operations import sweep
from models.operations.backups import postgres, sqlite
from models.operations.callers import Caller
from models.operations.sessions import EntryReport, Outcome, record_sessions
from models.tables import SessionEntry, SessionLog
from tests.backups.conftest import Safe
from tests.builders import DAY, MONDAY, NOON, a_clinic, a_patient, a_program, a_report
from tests.postgres import wait_for

WRITERS = 4
MOST = 500
"""Sessions a writer logs at most: the drill ends whatever happens."""


@dataclass
class Ward:
    """Patients who log as fast as they can."""

    database: Database
    ines: Caller
    programs: list[tuple[UUID, list[UUID]]]
    acknowledged: list[UUID] = field(default_factory=list)
    stop: Event = field(default_factory=Event)

    def log(self, number: int) -> None:
        program_id, lines = self.programs[number]
        for count in range(MOST):
            if self.stop.is_set():
                return
            day = MONDAY + count % 14 * DAY
            entries = [EntryReport(line_id=line, sets=2) for line in lines]
            said = a_report(program_id, day, pain_during=count % 10, entries=entries)
            with self.database.writing() as tx:
                result = record_sessions(tx, self.ines, [said], now=NOON + 14 * DAY)[0]
            assert result.outcome is Outcome.CREATED, result.refusal
            self.acknowledged.append(said.id)


@pytest.fixture
def ward(source: str) -> Iterator[Ward]:
    engine, database = open_database(source)
    with database.writing() as tx:
        ines = a_clinic(tx)
        courses = [a_program(tx, ines, a_patient(tx, ines)) for _ in range(WRITERS)]
        lines = [(course.program.id, [item.line_id for item in course.items]) for course in courses]
    yield Ward(database, ines, lines)
    engine.dispose()


def test_a_restore_drill_while_phones_log(
    kind: str, ward: Ward, source: str, safe: Safe, empty: Callable[[], str]
) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(ward.log, number) for number in range(WRITERS)]
        try:
            wait_for(lambda: len(ward.acknowledged) >= 20 or any(writer.done() for writer in writers))
            before = set(ward.acknowledged)
            manifest = safe.back_up(source)
            wait_for(lambda: len(ward.acknowledged) > len(before) or any(writer.done() for writer in writers))
        finally:
            ward.stop.set()
        for writer in writers:
            writer.result()
    assert len(before) >= 20
    assert set(ward.acknowledged) > before

    assert safe.verify(source).faults == []
    fresh = empty()
    safe.restore(fresh)
    engine, database = open_database(fresh)
    with database.writing() as tx:
        found = set(tx.scalars(select(SessionLog.id)))
        assert before <= found <= set(ward.acknowledged)
        halves = select(SessionLog.id, func.count(SessionEntry.line_id)).join(
            SessionEntry, SessionEntry.session_id == SessionLog.id, isouter=True
        )
        lines = {len(lines) for _, lines in ward.programs}
        assert {count for _, count in tx.execute(halves.group_by(SessionLog.id))} == lines
        for batch in sweep.program_batches(tx, ward.ines.clinic_id):
            assert sweep.misjudged(tx, ward.ines.clinic_id, batch) == []
        tx.rollback()
    engine.dispose()
    assert manifest.rows["session"] == len(found)
    if kind == "sqlite":
        assert sqlite.faults(sqlite.path_of(fresh)) == []
        assert sqlite.rows(sqlite.path_of(fresh)) == manifest.rows
    else:
        assert postgres.look(fresh) == (manifest.revision, manifest.rows)
