"""`make bench-export`: what exporting a million entries costs in time and memory (SQLite)."""

import resource
import tempfile
import time
import tracemalloc
from datetime import timedelta
from pathlib import Path

from api.exports.jobs import Exporter, path_of
from models.database import open_database
from models.operations import exports
from models.operations.sessions import EntryReport, record_sessions
from models.tables import ExportContent, ExportFormat
from seed_data.load import load
from tests.bench.crowd import many_like, more_sessions
from tests.builders import MONDAY, NOON, a_clinic, a_dosage, a_draft, a_patient, a_program, a_report
from tests.conftest import migrate

PATIENTS, SESSIONS, ENTRIES = 400, 500, 5
"""A million entries."""
MANY = 100
"""Patients that are written at a time."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine, database = open_database(f"sqlite:///{Path(folder) / 'bench.db'}")
        migrate(engine)
        with database.writing() as tx:
            load(tx)
            ines = a_clinic(tx)
            course = a_program(tx, ines, a_patient(tx, ines), a_draft(*[a_dosage()] * ENTRIES))
            entries = [EntryReport(line_id=item.line_id, sets=2) for item in course.items]
            record_sessions(tx, ines, [a_report(course.program.id, MONDAY, entries=entries)], now=NOON)
            more_sessions(tx, course.program, SESSIONS - 1)
        for copies in [MANY - 1] + [MANY] * (PATIENTS // MANY - 1):
            with database.writing() as tx:
                many_like(tx, course.program, copies)
        print(
            f"{PATIENTS * SESSIONS * ENTRIES:,} entries of {PATIENTS} patients; resident before: {_resident():.0f} MB"
        )
        exporter = Exporter(Path(folder) / "files", database.reading, database.writing, lambda: NOON)
        for written_as, hidden, traced in (
            (ExportFormat.NDJSON, False, False),
            (ExportFormat.NDJSON, False, True),
            (ExportFormat.NDJSON, True, False),
            (ExportFormat.CSV, False, False),
            (ExportFormat.XLSX, False, False),
        ):
            with database.writing() as tx:
                draft = exports.ExportDraft(
                    content=ExportContent.ENTRIES, format=written_as, options={}, de_identified=hidden
                )
                made = exports.request_export(tx, ines, draft, now=NOON)
            if traced:
                tracemalloc.start()
            began = time.perf_counter()
            assert exporter.work([ines.clinic_id], seconds=timedelta(hours=1).total_seconds()) == 1
            took = time.perf_counter() - began
            size = path_of(exporter.folder, made.id).stat().st_size / 1e6
            peak = f"traced peak {tracemalloc.get_traced_memory()[1] / 1e6:.1f} MB" if traced else ""
            tracemalloc.stop()
            told = " de-identified" if hidden else ""
            print(
                f"{written_as}{told}: {took:.0f} s, {size:.0f} MB, resident at most {_resident():.0f} MB {peak}",
                flush=True,
            )
        engine.dispose()


def _resident() -> float:
    """Megabytes, at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
