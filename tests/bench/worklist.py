"""`make bench`: what the worklist costs among 1,000 and among 100,000 programs."""

import statistics
import time

from models.database import Database
from models.operations.callers import Caller
from models.operations.worklist import Wanted, counts, worklist
from tests.bench.clinics import many_flags
from tests.bench.databases import a_database
from tests.builders import NOON, a_clinic

ROUNDS = 60
WARMING = 20
CLOSED_EACH = 5
SIZES = ((1_000, 200), (100_000, 200), (100_000, 2_000))
"""Programs, and how many of them are due: the list's length is what it may cost."""


def main() -> None:
    for kind in ("sqlite", "postgresql"):
        taken = []
        for programs, due in SIZES:
            with a_database(kind) as database:
                with database.writing() as tx:
                    ines = a_clinic(tx)
                    many_flags(
                        tx,
                        ines.clinic_id,
                        ines.account_id,
                        programs=programs,
                        due=due,
                        closed_each=CLOSED_EACH,
                        now=NOON,
                    )
                taken.append(_median(database, ines))
                print(f"worklist, {kind}, {programs:,} programs, {due:,} due: median {taken[-1]:.2f} ms")
        print(f"worklist, {kind}: {taken[1] / taken[0]:.2f} times as long among 100 times the programs (bar 2)")


def _median(database: Database, ines: Caller) -> float:
    taken = []
    for _ in range(ROUNDS + WARMING):
        began = time.perf_counter()
        with database.reading() as tx:
            assert len(worklist(tx, ines, limit=51, now=NOON)) == 51
            assert counts(tx, ines, Wanted(), now=NOON).kinds
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken[WARMING:])


if __name__ == "__main__":
    main()
