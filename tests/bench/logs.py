"""Any log of `person,date` rows as stories. Nobody wrote down who had stopped, so silence itself must tell."""

import csv
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

from models.adherence import Done
from tests.bench.story import Story, midnight, prescribed

GONE_DAYS = 60
"""A silence this long, with the log still running, counts as a true stop; what follows it is a story of its own."""
_MOST_NAMED = 20


class LogError(ValueError):
    """The file cannot be read as a log; says every line (up to twenty) and what is wrong with it."""


def read(path: Path) -> dict[str, list[date]]:
    """The days of each person, in order, each day once. Other columns than `person` and `date` are ignored."""
    days: dict[str, set[date]] = {}
    wrong: list[str] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        missing = {"person", "date"} - set(rows.fieldnames or ())
        if missing:
            raise LogError(f"{path}: line 1: no column {' and '.join(sorted(missing))}")
        for row in rows:
            person, said = (row["person"] or "").strip(), (row["date"] or "").strip()
            try:
                day = date.fromisoformat(said)
            except ValueError:
                wrong.append(f"line {rows.line_num}: not a date (YYYY-MM-DD): {said!r}")
                continue
            if not person:
                wrong.append(f"line {rows.line_num}: no person")
                continue
            days.setdefault(person, set()).add(day)
    if wrong:
        more = f"; and {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else ""
        raise LogError(f"{path}: {'; '.join(wrong[:_MOST_NAMED])}{more}")
    if not days:
        raise LogError(f"{path}: no rows")
    return {person: sorted(found) for person, found in sorted(days.items())}


def stories(days: dict[str, list[date]], per_week: int) -> list[Story]:
    """Each person cut at silences of `GONE_DAYS` or more. `per_week` is what is taken to have been expected.

    The day after the last one of a cut story is its true stop. Who was last heard less than `GONE_DAYS` before the
    log's end may yet return: observed until that last day only, active throughout. Logs arrive on their day.
    """
    log_ends = max(found[-1] for found in days.values())
    return [_story(part, per_week, log_ends) for found in days.values() for part in _parts(found)]


def _parts(days: list[date]) -> list[list[date]]:
    parts = [[days[0]]]
    for one, other in pairwise(days):
        if (other - one).days > GONE_DAYS:
            parts.append([])
        parts[-1].append(other)
    return parts


def _story(days: list[date], per_week: int, log_ends: date) -> Story:
    after = days[-1] + timedelta(days=1)
    gone = (log_ends - days[-1]).days >= GONE_DAYS
    return Story(
        plan=prescribed(days[0], per_week),
        logs=tuple(Done(day, midnight(day) + timedelta(hours=20)) for day in days),
        stopped_at=midnight(after) if gone else None,
        until=midnight(after + timedelta(days=GONE_DAYS if gone else 0)),
    )
