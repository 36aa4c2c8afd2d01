"""Which exercises are left out, which hurt, and of which patients are not sure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, and_, case, cast, func, select
from sqlalchemy.orm import Session

from models.adherence.kinds import Reason, meaning
from models.operations.callers import Caller
from models.operations.reporting.basis import Period, count, marked, number, report, share, text
from models.reports.tables import WITHHELD, Definition, Report, Table, Value
from models.reports.withheld import Cell, withhold
from models.tables import Exercise, Item, SessionEntry, SessionLog

MOST_ROWS = 20
"""Exercises in a short table."""
_FEW = ""
"""In the statements: the exercises of too few patients, together."""

DEFINITIONS = (
    Definition(
        id="exercise_skipped",
        version=1,
        says="Of the times an exercise was written down in a session with exercise, done or skipped, the share it was"
        " skipped. A session said to be done in full counts as doing every exercise due that day; a session in which"
        " nothing was done is not counted.",
        source="Followthrough",
    ),
    Definition(
        id="exercise_reason",
        version=1,
        says="The reason told most often for skipping the exercise; of two told as often, the one of more patients.",
        source="Followthrough",
    ),
    Definition(
        id="exercise_unsure",
        version=1,
        says="Times a patient said that they were not sure how to do the exercise, and how many patients said so.",
        source="Followthrough",
    ),
    Definition(
        id="exercise_pain",
        version=1,
        says="The mean and the worst of the pains told for the exercise itself, 0 to 10. Pain told for a whole session"
        " is not in it.",
        source="Followthrough",
    ),
)

_COLUMNS = {
    column.name: column
    for column in (
        text("exercise", "Exercise"),
        text("name", "Name"),
        count("patients", "Patients who wrote it down"),
        count("done", "Times done"),
        count("skipped", "Times skipped"),
        count("patients_skipped", "Patients who skipped it"),
        share("share_skipped", "Share skipped, of the times written down"),
        text("reason", "Reason told most often"),
        count("not_sure", "Times not sure"),
        count("patients_not_sure", "Patients who were not sure"),
        share("share_not_sure", "Share of the patients who were not sure"),
        count("pain_told", "Times pain was told"),
        count("patients_pain", "Patients who told pain"),
        number("mean_pain", "Mean pain", unit="0-10"),
        count("worst_pain", "Worst pain", unit="0-10"),
        WITHHELD,
    )
}

_OF_SPLIT = {
    "skipped": ("skipped", "patients_skipped", "share_skipped", "reason"),
    "not_sure": ("not_sure", "patients_not_sure", "share_not_sure"),
    "pain": ("pain_told", "patients_pain", "mean_pain", "worst_pain"),
}
"""The columns that tell of the patients with something."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What was written down of an exercise, or of all those of too few patients."""

    slug: str
    name: str | None
    exercises: int
    patients: int
    done: int
    skipped: int
    patients_skipped: int
    not_sure: int
    patients_not_sure: int
    pain_told: int
    patients_pain: int
    pain_sum: int
    worst_pain: int | None


def exercises_report(tx: Session, caller: Caller, period: Period, *, now: datetime) -> Report:
    """How each exercise went in a period: left out and why, unsure, painful. Two statements, and that of every
    report.
    """
    each = _each(caller.clinic_id, period)
    told = _told(tx, each, period.least)
    reasons = _reasons(tx, caller.clinic_id, period)
    rows = [_row(one, reasons.get(one.slug), period.least) for one in told if one.slug != _FEW]
    few = [_row(one, None, period.least) for one in told if one.slug == _FEW]
    return report(
        tx,
        caller,
        period,
        kind="exercises",
        title="How the exercises go",
        definitions=DEFINITIONS,
        tables=[
            _short_table(
                "most_skipped",
                "Most skipped",
                ("patients", "done", "skipped", "patients_skipped", "share_skipped", "reason"),
                _ranked(rows, "share_skipped", "skipped"),
                few,
            ),
            _short_table(
                "most_painful",
                "Most painful",
                ("patients", "pain_told", "patients_pain", "mean_pain", "worst_pain"),
                _ranked(rows, "mean_pain", "worst_pain"),
                few,
                note="Pain beside an exercise is told by those who chose to tell it, and is no proof that the exercise"
                " causes it: harder exercises are given to some patients and not to others.",
            ),
            _short_table(
                "most_unsure",
                "Most unsure",
                ("patients", "not_sure", "patients_not_sure", "share_not_sure"),
                _ranked(rows, "share_not_sure", "not_sure"),
                few,
            ),
            Table(
                name="exercises",
                title="Every exercise",
                columns=tuple(_COLUMNS.values()),
                rows=[*sorted(rows, key=lambda row: str(row["exercise"])), *few],
                note="A patient who was given several exercises is counted with each.",
            ),
        ],
        now=now,
    )


def _entries(clinic_id: UUID, period: Period, *columns: Any) -> Any:
    """Entries of the sessions with exercise of the period, beside the exercise of their line."""
    # A line keeps its exercise from revision to revision.
    lines = (
        select(Item.program_id, Item.line_id, func.min(Item.exercise_slug).label("slug"))
        .where(Item.clinic_id == clinic_id, Item.exercise_slug.is_not(None))
        .group_by(Item.program_id, Item.line_id)
        .subquery()
    )
    return (
        select(lines.c.slug, SessionEntry.patient_id, *columns)
        .select_from(SessionLog)
        .join(
            SessionEntry,
            and_(
                SessionEntry.clinic_id == clinic_id,
                SessionEntry.patient_id == SessionLog.patient_id,
                SessionEntry.session_id == SessionLog.id,
            ),
        )
        .join(lines, and_(lines.c.program_id == SessionLog.program_id, lines.c.line_id == SessionEntry.line_id))
        .where(
            SessionLog.clinic_id == clinic_id,
            SessionLog.local_date >= period.from_on,
            SessionLog.local_date <= period.to_on,
            SessionLog.exercised,
            SessionLog.deleted_at.is_(None),
        )
    )


def _times(condition: Any) -> Any:
    return func.sum(case((condition, 1), else_=0))


def _each(clinic_id: UUID, period: Period) -> Any:
    """A row for each exercise and patient."""
    entries = _entries(
        clinic_id,
        period,
        _times(~SessionEntry.skipped).label("done"),
        _times(SessionEntry.skipped).label("skipped"),
        _times(SessionEntry.not_sure).label("not_sure"),
        func.count(SessionEntry.pain).label("pain_told"),
        func.coalesce(func.sum(SessionEntry.pain), 0).label("pain_sum"),
        func.max(SessionEntry.pain).label("worst_pain"),
    )
    slug, patient_id = entries.selected_columns[0], entries.selected_columns[1]
    return entries.group_by(slug, patient_id).cte("each")


def _told(tx: Session, each: Any, least: int) -> list[_Told]:
    sizes = select(each.c.slug, func.count().label("patients")).group_by(each.c.slug).subquery()
    rows = (
        select(case((sizes.c.patients >= least, each.c.slug), else_=_FEW).label("shown_as"), each)
        .join(sizes, sizes.c.slug == each.c.slug)
        .subquery()
    )
    found = tx.execute(
        select(
            rows.c.shown_as,
            Exercise.name,
            func.count(rows.c.slug.distinct()),
            func.count(rows.c.patient_id.distinct()),
            _total(rows.c.done),
            _total(rows.c.skipped),
            _patients_with(rows, rows.c.skipped),
            _total(rows.c.not_sure),
            _patients_with(rows, rows.c.not_sure),
            _total(rows.c.pain_told),
            _patients_with(rows, rows.c.pain_told),
            _total(rows.c.pain_sum),
            func.max(rows.c.worst_pain),
        )
        .select_from(rows)
        .join(Exercise, Exercise.slug == rows.c.shown_as, isouter=True)
        .group_by(rows.c.shown_as, Exercise.name)
    )
    return [_Told(*row) for row in found]


def _total(times: Any) -> Any:
    # PostgreSQL sums whole numbers up to a decimal.
    return cast(func.sum(times), Integer)


def _patients_with(rows: Any, times: Any) -> Any:
    return func.count(case((times > 0, rows.c.patient_id)).distinct())


def _reasons(tx: Session, clinic_id: UUID, period: Period) -> dict[str, tuple[Reason, int]]:
    """Exercise → the reason told most often for skipping it, and how many patients at least told it."""
    entries = (
        _entries(clinic_id, period, SessionEntry.reason)
        .where(SessionEntry.skipped, SessionEntry.reason.is_not(None))
        .subquery()
    )
    rows = tx.execute(
        select(entries.c.slug, entries.c.reason, func.count(), func.count(entries.c.patient_id.distinct())).group_by(
            entries.c.slug, entries.c.reason
        )
    )
    found: dict[str, dict[Reason, tuple[int, int]]] = {}
    for slug, word, times, patients in rows:
        reason = meaning(word) or Reason.OTHER
        of_slug = found.setdefault(slug, {})
        # Several words may mean the same: their patients may be the same people.
        before, at_least = of_slug.get(reason, (0, 0))
        of_slug[reason] = before + times, max(at_least, patients)
    most: dict[str, tuple[Reason, int]] = {}
    for slug, of_slug in found.items():
        reason = max(sorted(of_slug), key=lambda reason: of_slug[reason])
        most[slug] = reason, of_slug[reason][1]
    return most


def _row(one: _Told, most: tuple[Reason, int] | None, least: int) -> dict[str, Value]:
    """One exercise as it is published: what only too few patients did, or all but too few, is withheld."""

    def by(patients: int) -> dict[str, Cell]:
        return {"with": Cell(patients), "without": Cell(one.patients - patients)}

    shown = withhold(
        Cell(
            one.patients,
            {"skipped": by(one.patients_skipped), "not_sure": by(one.patients_not_sure), "pain": by(one.patients_pain)},
        ),
        least,
    )
    row: dict[str, Value] = {
        "exercise": one.slug or f"{one.exercises} of fewer than {least} patients each",
        "name": one.name,
        "patients": one.patients,
        "done": one.done,
        "skipped": one.skipped,
        "patients_skipped": one.patients_skipped,
        "share_skipped": one.skipped / (one.done + one.skipped),
        "reason": most[0].value if most else None,
        "not_sure": one.not_sure,
        "patients_not_sure": one.patients_not_sure,
        "share_not_sure": one.patients_not_sure / one.patients,
        "pain_told": one.pain_told,
        "patients_pain": one.patients_pain,
        "mean_pain": round(one.pain_sum / one.pain_told, 2) if one.pain_told else None,
        "worst_pain": one.worst_pain,
    }
    hidden = {"patients", "done"} if shown.count is None else set()
    for split, columns in _OF_SPLIT.items():
        if shown.splits[split]["with"].count is None:
            hidden |= {column for column in columns if row[column] is not None}
    if most and most[1] < least:
        hidden |= {"reason"}
    return marked(row, hidden)


def _ranked(rows: Sequence[Mapping[str, Value]], first: str, then: str) -> list[Mapping[str, Value]]:
    """The first rows by what is shown of two columns; without those of which nothing is."""

    def amount(row: Mapping[str, Value], name: str) -> float:
        value = row[name]
        return value if isinstance(value, int | float) else 0

    told = [row for row in rows if amount(row, first) > 0]
    return sorted(told, key=lambda row: (-amount(row, first), -amount(row, then), str(row["exercise"])))[:MOST_ROWS]


def _short_table(
    name: str,
    title: str,
    columns: Sequence[str],
    ranked: Sequence[Mapping[str, Value]],
    few: Sequence[Mapping[str, Value]],
    note: str | None = None,
) -> Table:
    """`ranked`, and `few` below: only the `columns`, and of what is withheld only what is among them."""
    names = ("exercise", "name", *columns)
    rows = []
    for row in (*ranked, *few):
        withheld = [one for one in str(row["withheld"] or "").split() if one in names]
        rows.append({one: row[one] for one in names} | {"withheld": " ".join(withheld) or None})
    said = f"At most {MOST_ROWS} exercises; those of which the number is withheld are not among them."
    return Table(
        name=name,
        title=title,
        columns=(*(_COLUMNS[one] for one in names), WITHHELD),
        rows=rows,
        note=f"{said} {note}" if note else said,
    )
