"""`make bench`: what one log costs, and what judging 10,000 programs anew costs, against 1,000."""

import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from models.database import Database, open_database
from models.operations import sweep
from seed_data.load import load
from tests.bench.crowd import many_like
from tests.builders import DAY, MONDAY, NOON, a_clinic, a_dosage, a_draft, a_patient, a_program, log_days, weeks
from tests.conftest import migrate

SIZES = (1_000, 10_000)
WEEKS, YEAR = 6, 52
"""Weeks of five sessions each of a program that is judged anew; and of the one that is logged to."""


def main() -> None:
    per_program = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            engine, database = open_database(f"sqlite:///{Path(folder) / 'bench.db'}")
            migrate(engine)
            if size == SIZES[0]:
                _logging(database)
            per_program.append(_anew(database, size))
            engine.dispose()
    print(
        f"reassess: {per_program[1] / per_program[0]:.2f} times as long a program among 10 times as many (linear is 1)"
    )


def _logging(database: Database) -> None:
    with database.writing() as tx:
        load(tx)
        ines = a_clinic(tx)
        course = a_program(tx, ines, a_patient(tx, ines), a_draft(*[a_dosage()] * 6))
        log_days(tx, ines, course.program.id, weeks(YEAR))
    taken = []
    for number in range(60):
        with database.writing() as tx:
            began = time.perf_counter()
            log_days(tx, ines, course.program.id, [MONDAY + timedelta(weeks=YEAR) + number * DAY])
            taken.append((time.perf_counter() - began) * 1000)
    print(f"one log, six exercises, a year behind it: median {statistics.median(taken):.1f} ms (SQLite, no HTTP)")


def _anew(database: Database, size: int) -> float:
    with database.writing() as tx:
        load(tx)
        ines = a_clinic(tx)
        course = a_program(tx, ines, a_patient(tx, ines), a_draft(a_dosage(), a_dosage()))
        log_days(tx, ines, course.program.id, weeks(WEEKS))
        many_like(tx, course.program, size - 1)
    with database.reading() as tx:
        batches = list(sweep.program_batches(tx, ines.clinic_id))
    assert sum(map(len, batches)) == size
    began = time.perf_counter()
    for batch in batches:
        with database.writing() as tx:
            sweep.reassess(tx, ines.clinic_id, batch, now=NOON + timedelta(weeks=WEEKS))
    each = (time.perf_counter() - began) / size * 1000
    print(f"reassess, {size:,} programs of {5 * WEEKS} sessions: {each:.2f} ms each, {each * size / 1000:.1f} s in all")
    return each


if __name__ == "__main__":
    main()
