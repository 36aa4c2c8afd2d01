"""`make bench`: what judging one program costs, with a year of logs behind it."""

import statistics
import time
from datetime import UTC, datetime, timedelta

from models.adherence import assess
from tests.adherence.plans import MON_FRI, a_line, a_plan, done, weeks

ROUNDS = 300


def main() -> None:
    plan = a_plan(a_line(weekdays=MON_FRI), a_line(days_per_week=3))
    days = weeks(range(5), 52)
    logs = done(days)
    at = datetime.combine(days[-1] + timedelta(days=3), datetime.min.time(), UTC)
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        assess(plan, logs, at)
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    print(
        f"assess, a year of logs: median {statistics.median(taken):.3f} ms, p99 {taken[int(ROUNDS * 0.99)]:.3f} ms"
        " (bar 1 ms, excellent 0.2 ms)"
    )


if __name__ == "__main__":
    main()
