"""`make bench`: a caseload report of 5,000 patients and 90 days, against the bare sums of the same weeks."""

import statistics
import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import text

from models.database import Database
from models.operations.reporting.basis import period_of
from models.operations.reporting.caseload import caseload_report
from seed_data.load import load
from tests.bench.crowd import many_like
from tests.bench.databases import a_database
from tests.builders import NOON, a_clinic, a_draft, a_patient, a_program, log_days, weeks

PATIENTS, ROUNDS = 5_000, 15
BARE = (
    "SELECT monday, count(*), sum(expected), sum(done), sum(items_expected), sum(items_done), sum(dose_sum),"
    " sum(dose_count), sum(pain_sum), sum(pain_count), sum(late) FROM week"
    " WHERE clinic_id = :clinic AND monday BETWEEN :first AND :last GROUP BY monday ORDER BY monday"
)


def main() -> None:
    for kind in ("sqlite", "postgresql"):
        with a_database(kind) as database:
            _measure(kind, database)


def _measure(kind: str, database: Database) -> None:
    with database.writing() as tx:
        load(tx)
        ines = a_clinic(tx)
        course = a_program(tx, ines, a_patient(tx, ines), a_draft())
        log_days(tx, ines, course.program.id, weeks(13), pain_during=3)
        many_like(tx, course.program, PATIENTS - 1, counted=True)
        tx.execute(text("ANALYZE"))
    now = NOON + timedelta(weeks=13)

    def told() -> None:
        with database.reading() as tx:
            report = caseload_report(tx, ines, period_of(tx, ines, None, None, now=now), now=now)
            assert report.tables[-1].rows[-1]["programs"] == PATIENTS

    def bare() -> None:
        with database.reading() as tx:
            period = period_of(tx, ines, None, None, now=now)
            clinic = ines.clinic_id.hex if kind == "sqlite" else ines.clinic_id
            first, last = (str(day) if kind == "sqlite" else day for day in period.mondays)
            assert tx.execute(text(BARE), {"clinic": clinic, "first": first, "last": last}).all()

    whole, floor = _medians(told, bare)
    print(
        f"caseload report, {kind}, {PATIENTS:,} patients, 90 days: {whole:.0f} ms,"
        f" {whole / floor:.2f} times the bare sums of {floor:.0f} ms (bar 3)"
    )


def _medians(*deeds: Callable[[], None]) -> list[float]:
    """In turn, so that a slow moment meets both."""
    taken: list[list[float]] = [[] for _ in deeds]
    for _ in range(ROUNDS):
        for deed, times in zip(deeds, taken, strict=True):
            began = time.perf_counter()
            deed()
            times.append((time.perf_counter() - began) * 1000)
    return [statistics.median(times) for times in taken]


if __name__ == "__main__":
    main()
