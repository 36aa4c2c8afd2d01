"""Exports as jobs: whoever dies, stalls or comes second, the file has each row once; and it does not stay for ever."""

import csv
import io
import json
import os
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from openpyxl import load_workbook
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from api.exports.jobs import path_of
from api.settings import Settings
from api.sweeping import Sweeper, Swept, carrier
from models.database import Database
from models.operations import exports
from models.operations.callers import Caller
from models.operations.exports import EXPIRES_AFTER, KEPT, LEASE, MOST_INTERRUPTIONS, WORKBOOK_LEASE
from models.tables import Export, ExportFailure, ExportStatus, Patient, Program, SessionLog
from tests.bench.crowd import many_like, more_sessions
from tests.builders import NOON, a_clinic, a_patient
from tests.exports.busy import EVENING, Office, a_busy_clinic, asked_for
from tests.postgres import wait_for


class KilledError(BaseException):
    """The process is no more: nothing of ours catches it."""


Transaction = Callable[[], AbstractContextManager[Session]]


def killed(writing: Transaction, at: int, *, committed: bool) -> Transaction:
    """Transactions of a process that dies at the number `at`, before it begins or after it was committed."""
    begun = 0

    @contextmanager
    def mortal() -> Iterator[Session]:
        nonlocal begun
        begun += 1
        if begun == at and not committed:
            raise KilledError
        with writing() as tx:
            yield tx
        if begun == at:
            raise KilledError

    return mortal


def a_job(office: Office, written_as: str = "ndjson", content: str = "sessions") -> tuple[Caller, UUID]:
    """An export of ten sessions, waiting."""
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        a_busy_clinic(tx, ines)
        return ines, asked_for(tx, ines, content, written_as)


def row_of(database: Database, export_id: UUID) -> Export:
    with database.reading() as tx:
        return tx.scalars(select(Export).where(Export.id == export_id)).one()


def logged(database: Database, ines: Caller) -> list[str]:
    """The ids of the clinic's sessions, as a query of the test's own finds them."""
    with database.reading() as tx:
        return sorted(map(str, tx.scalars(select(SessionLog.id).where(SessionLog.clinic_id == ines.clinic_id))))


def told(path: Path, written_as: str) -> list[str]:
    """The ids of the sessions in a file."""
    data = path.read_bytes()
    if written_as == "ndjson":
        return sorted(json.loads(line)["session_id"] for line in data.splitlines())
    if written_as == "csv":
        return sorted(row["session_id"] for row in csv.DictReader(io.StringIO(data.decode())))
    head, *rows = load_workbook(io.BytesIO(data), read_only=True)["Sessions"].iter_rows(values_only=True)
    at = head.index("Session id")
    return sorted(str(row[at]) for row in rows)


@pytest.mark.parametrize("written_as", ["ndjson", "csv", "xlsx"])
def test_a_sweep_writes_what_was_asked_for(shared_office: Office, written_as: str) -> None:
    office = shared_office
    ines, export_id = a_job(office, written_as)
    settings = Settings(sweep_seconds=0, exports=office.folder)
    sweeper = Sweeper(settings, office.database, carrier(settings), clock=lambda: office.clock.now)
    assert sweeper.sweep().exported == 1
    assert sweeper.sweep() == Swept()
    known, path = row_of(office.database, export_id), path_of(office.folder, export_id)
    assert told(path, written_as) == logged(office.database, ines)
    assert (known.status, known.rows_done, known.rows_total, known.rows_written) == (ExportStatus.DONE, 10, 10, 10)
    assert known.bytes_done == path.stat().st_size
    assert (known.finished_at, known.expires_at) == (EVENING, EVENING + EXPIRES_AFTER)
    assert path.stat().st_mode & 0o777 == 0o600
    assert office.folder.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in office.folder.iterdir()] == [str(export_id)]


def test_without_time_a_sweep_writes_one_piece_and_the_next_goes_on(office: Office) -> None:
    ines, export_id = a_job(office)
    for pieces in (1, 2, 3):
        assert office.exporter().work([ines.clinic_id], seconds=0) == 0
        known = row_of(office.database, export_id)
        assert (known.status, known.rows_done, known.lease_holder) == (ExportStatus.RUNNING, 3 * pieces, None)
        assert known.bytes_done == path_of(office.folder, export_id).stat().st_size
    assert office.exporter().work([ines.clinic_id], seconds=0) == 1
    assert told(path_of(office.folder, export_id), "ndjson") == logged(office.database, ines)


def test_the_oldest_is_written_first_whosever_it_is(office: Office) -> None:
    with office.database.writing() as tx:
        ines, other = a_clinic(tx), a_clinic(tx)
        second, first = asked_for(tx, ines, "weeks"), asked_for(tx, other, "weeks", now=NOON)
    assert office.exporter().work([ines.clinic_id, other.clinic_id], seconds=0) == 1
    statuses = {export_id: row_of(office.database, export_id).status for export_id in (first, second)}
    assert statuses == {first: ExportStatus.DONE, second: ExportStatus.WAITING}


@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("written_as", ["ndjson", "csv", "xlsx"])
def test_whenever_a_process_dies_another_finishes_and_each_row_is_there_once(
    shared_office: Office, written_as: str, *, committed: bool
) -> None:
    """At every transaction in turn: claiming, counting, each of four pieces, the workbook's last word, finishing."""
    office = shared_office
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        a_busy_clinic(tx, ines)
    expected = logged(office.database, ines)
    options = {"options": {"bom": True, "delimiter": ";", "decimal": ","}} if written_as == "csv" else {}
    whole = office.have(ines, "sessions", written_as, **options)
    for at in range(1, 8 + (written_as == "xlsx")):
        with office.database.writing() as tx:
            export_id = asked_for(tx, ines, "sessions", written_as, **options)
        mortal = office.exporter(writing=killed(office.database.writing, at, committed=committed))
        with pytest.raises(KilledError):
            mortal.work([ines.clinic_id])
        office.clock.now += WORKBOOK_LEASE
        office.exporter().work([ines.clinic_id])
        known, path = row_of(office.database, export_id), path_of(office.folder, export_id)
        assert (known.status, known.rows_done, known.rows_written) == (ExportStatus.DONE, 10, 10), at
        if written_as == "xlsx":
            assert told(path, written_as) == expected
        else:
            assert path.read_bytes() == whole, at


def test_nobody_takes_it_up_while_the_lease_holds(office: Office) -> None:
    ines, export_id = a_job(office)
    with office.database.writing() as tx:
        assert exports.claim(tx, ines.clinic_id, export_id, now=EVENING)
    office.clock.now += LEASE / 2
    assert office.exporter().work([ines.clinic_id]) == 0
    office.clock.now += LEASE / 2
    assert office.exporter().work([ines.clinic_id]) == 1


def test_sweepers_at_once_write_each_export_once(shared_office: Office) -> None:
    office = shared_office
    ines, first = a_job(office)
    with office.database.writing() as tx:
        ids = [first, *(asked_for(tx, ines) for _ in range(3)), asked_for(tx, ines, written_as="xlsx")]
    with ThreadPoolExecutor(4) as pool:
        ready = list(pool.map(lambda _: office.exporter().work([ines.clinic_id]), range(4)))
    assert sum(ready) == len(ids)
    for export_id in ids:
        known = row_of(office.database, export_id)
        assert (known.status, known.interruptions) == (ExportStatus.DONE, 0)
        assert told(path_of(office.folder, export_id), known.format) == logged(office.database, ines)


def test_one_that_wakes_up_when_another_has_finished_touches_nothing(shared_office: Office) -> None:
    office = shared_office
    ines, export_id = a_job(office)
    path, whole = path_of(office.folder, export_id), b""

    @contextmanager
    def asleep() -> Iterator[Session]:
        nonlocal whole
        with office.database.reading() as tx:
            yield tx
        if path.exists() and not whole:  # it has read its second piece
            office.clock.now += LEASE
            assert office.exporter().work([ines.clinic_id]) == 1
            whole = path.read_bytes()

    assert office.exporter(reading=asleep).work([ines.clinic_id]) == 0
    assert path.read_bytes() == whole
    assert told(path, "ndjson") == logged(office.database, ines)
    assert row_of(office.database, export_id).status is ExportStatus.DONE


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["gone", "cut"])
def test_a_file_that_is_gone_or_too_short_is_begun_anew(office: Office, harm: Callable[[Path], None]) -> None:
    ines, export_id = a_job(office)
    office.exporter().work([ines.clinic_id], seconds=0)
    harm(path_of(office.folder, export_id))
    assert office.exporter().work([ines.clinic_id]) == 1
    assert told(path_of(office.folder, export_id), "ndjson") == logged(office.database, ines)


def test_a_file_that_is_not_what_was_written_is_begun_anew(office: Office) -> None:
    ines, export_id = a_job(office)
    office.exporter().work([ines.clinic_id], seconds=0)
    path = path_of(office.folder, export_id)
    path.write_bytes(b"x" * path.stat().st_size)
    assert office.exporter().work([ines.clinic_id]) == 0
    assert office.exporter().work([ines.clinic_id]) == 1
    assert told(path, "ndjson") == logged(office.database, ines)


def test_what_kills_every_process_is_given_up(office: Office) -> None:
    ines, export_id = a_job(office)
    for _ in range(MOST_INTERRUPTIONS):
        mortal = office.exporter(writing=killed(office.database.writing, 2, committed=False))
        with pytest.raises(KilledError):
            mortal.work([ines.clinic_id])
        office.clock.now += LEASE
    assert office.exporter().work([ines.clinic_id]) == 0
    known = row_of(office.database, export_id)
    assert (known.status, known.failure) == (ExportStatus.FAILED, ExportFailure.INTERRUPTED)


def test_being_stopped_is_no_interruption_and_leaves_the_rest_to_the_next(office: Office) -> None:
    ines, lines = a_job(office)
    for _ in range(2):
        assert office.exporter(is_stopping=lambda: True).work([ines.clinic_id]) == 0
    assert row_of(office.database, lines).rows_done == 6
    assert office.exporter().work([ines.clinic_id]) == 1
    with office.database.writing() as tx:
        workbook = asked_for(tx, ines, written_as="xlsx")
    assert office.exporter(is_stopping=lambda: True).work([ines.clinic_id]) == 0
    assert [path.name for path in office.folder.iterdir()] == [str(lines)]
    assert office.exporter().work([ines.clinic_id]) == 1
    assert told(path_of(office.folder, workbook), "xlsx") == logged(office.database, ines)
    assert [row_of(office.database, one).interruptions for one in (lines, workbook)] == [0, 0]


def test_a_folder_that_cannot_be_written_to_fails_it_and_the_others_go_on(office: Office) -> None:
    ines, export_id = a_job(office)
    office.folder.write_text("a file where the folder should be")
    assert office.exporter().work([ines.clinic_id]) == 0
    known = row_of(office.database, export_id)
    assert (known.status, known.failure, known.lease_holder) == (ExportStatus.FAILED, ExportFailure.STORAGE, None)
    office.folder.unlink()
    with office.database.writing() as tx:
        asked_for(tx, ines)
    assert office.exporter().work([ines.clinic_id]) == 1


def test_what_a_workbook_cannot_hold_fails_it(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        patient = a_patient(tx, ines)
        tx.get_one(Patient, (ines.clinic_id, patient.id)).family_name = "x" * 40_000
        export_id = asked_for(tx, ines, "patients", "xlsx", de_identified=False)
    assert office.exporter().work([ines.clinic_id]) == 0
    known = row_of(office.database, export_id)
    assert (known.status, known.failure) == (ExportStatus.FAILED, ExportFailure.DOES_NOT_FIT)
    assert list(office.folder.iterdir()) == []


def test_what_breaks_on_our_side_fails_it_and_leaves_no_file(office: Office) -> None:
    ines, export_id = a_job(office)
    office.exporter().work([ines.clinic_id], seconds=0)
    assert path_of(office.folder, export_id).exists()
    reads = 0

    @contextmanager
    def breaking() -> Iterator[Session]:
        nonlocal reads
        reads += 1
        if reads > 1:  # the first looks for what is waiting
            raise RuntimeError
        with office.database.reading() as tx:
            yield tx

    assert office.exporter(reading=breaking).work([ines.clinic_id]) == 0
    assert row_of(office.database, export_id).failure is ExportFailure.OURS
    assert list(office.folder.iterdir()) == []


def test_beside_the_server_exports_are_written_by_themselves(shared_office: Office) -> None:
    office = shared_office
    ines, export_id = a_job(office, "xlsx")
    settings = Settings(sweep_seconds=0.01, exports=office.folder)
    sweeper = Sweeper(settings, office.database, carrier(settings), clock=lambda: office.clock.now)
    sweeper.start()
    wait_for(lambda: row_of(office.database, export_id).finished_at)
    sweeper.stop()
    assert told(path_of(office.folder, export_id), "xlsx") == logged(office.database, ines)


def test_a_deleted_export_is_not_written_any_further(office: Office) -> None:
    ines, export_id = a_job(office)
    path = path_of(office.folder, export_id)

    @contextmanager
    def slow() -> Iterator[Session]:
        with office.database.reading() as tx:
            yield tx
        if path.exists():
            with office.database.writing() as tx:
                exports.delete_export(tx, ines, export_id)

                path.unlink()  # as who deletes it does

    assert office.exporter(reading=slow).work([ines.clinic_id]) == 0
    assert list(office.folder.iterdir()) == []


def test_an_export_expires_and_is_forgotten(shared_office: Office) -> None:
    office = shared_office
    ines, export_id = a_job(office)

    def sweep() -> None:
        settings = Settings(sweep_seconds=0, exports=office.folder)
        Sweeper(settings, office.database, carrier(settings), clock=lambda: office.clock.now).sweep()

    sweep()
    path = path_of(office.folder, export_id)
    office.clock.now = EVENING + EXPIRES_AFTER - NOON.resolution
    sweep()
    assert path.exists()
    office.clock.now = EVENING + EXPIRES_AFTER
    sweep()
    assert not path.exists()
    assert row_of(office.database, export_id).status is ExportStatus.EXPIRED
    office.clock.now += KEPT
    sweep()
    assert row_of(office.database, export_id)
    office.clock.now += NOON.resolution
    sweep()
    with office.database.reading() as tx:
        assert tx.scalars(select(Export).where(Export.clinic_id == ines.clinic_id)).all() == []


def test_what_is_nobodys_is_removed_and_nothing_else(office: Office) -> None:
    """Files that nobody knows of may be another installation's: they go when they would have expired there too."""
    ines, export_id = a_job(office)
    assert office.exporter().work([ines.clinic_id]) == 1
    with office.database.writing() as tx:
        running = asked_for(tx, ines, written_as="xlsx")
        held = exports.claim(tx, ines.clinic_id, running, now=EVENING)
        assert held
    bench, crashed = f"{running}.{held.holder}", f"{running}.{uuid4()}"
    new, old, old_bench = str(uuid4()), str(uuid4()), f"{uuid4()}.{uuid4()}"
    for name in (bench, crashed, old_bench):
        (office.folder / name).mkdir()
        (office.folder / name / "book.xlsx").touch()
    for name in (new, old, "read me.txt"):
        (office.folder / name).touch()
    seen = {new: EVENING - EXPIRES_AFTER} | dict.fromkeys((old, old_bench, "read me.txt"), EVENING - 2 * EXPIRES_AFTER)
    for name, at in seen.items():
        os.utime(office.folder / name, (at.timestamp(), at.timestamp()))
    office.exporter().tidy([ines.clinic_id])
    assert {path.name for path in office.folder.iterdir()} == {str(export_id), bench, new, "read me.txt"}


def test_rows_that_come_meanwhile_do_no_harm(office: Office) -> None:
    """Those that were there are there once; those that came may be."""
    ines, export_id = a_job(office)
    before = logged(office.database, ines)
    office.exporter().work([ines.clinic_id], seconds=0)
    with office.database.writing() as tx:
        program = tx.scalars(select(Program).where(Program.clinic_id == ines.clinic_id).limit(1)).one()
        more_sessions(tx, program, 20)
    office.exporter().work([ines.clinic_id])
    found = told(path_of(office.folder, export_id), "ndjson")
    assert set(before) <= set(found) <= set(logged(office.database, ines))
    assert len(found) == len(set(found))


def test_memory_does_not_grow_with_the_rows(office: Office) -> None:
    """5,000 entries and four times as many, of twenty-five patients and of a hundred."""
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        program = a_busy_clinic(tx, ines)[0]
        more_sessions(tx, program, 95)
    peaks, counts = [], []
    for copies in (25, 75):
        with office.database.writing() as tx:
            many_like(tx, program, copies)
            tx.execute(text("ANALYZE"))  # written in bulk: what a database learns by itself in time
            export_id = asked_for(tx, ines, "entries")
        tracemalloc.start()
        assert office.exporter(size=2_000).work([ines.clinic_id], seconds=3600) == 1
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        counts.append(row_of(office.database, export_id).rows_done)
    assert counts == [5_210, 20_210]
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 15e6
