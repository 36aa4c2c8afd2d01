"""How pain and function changed, by how much of the program was followed: shown as association, with the caution."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.reporting.basis import Period, count, number, report, share, text
from models.reports.definitions import WEEKLY_FREQUENCY
from models.reports.tables import WITHHELD, Definition, Report, Table, Value
from models.reports.withheld import Cell, rate, withhold
from models.tables import Measurement, Program, ProgramStanding, ProgramStatus, ProgramWeek

BANDS = ((0.8, "80 % and more"), (0.6, "60 to 79 %"), (0.0, "under 60 %"))
"""Of the expected session days: cuts for reporting, not truths (Bailey 2018, Jones 2025: engine study, 1.1)."""
FEWEST_WEEKS = 4
PAIN_MATTERS, FUNCTION_MATTERS = 2.0, 2.0
"""Points (Ostelo 2008; Stratford 1995: engine study, section 5)."""
OUTCOME = Definition(
    id="outcome_change",
    version=1,
    says="Pain with exercise: the mean of the last week in which it was told less that of the first, of at least four"
    " weeks. Function: the last patient-specific score less the first, on or after the program's first day. Programs"
    " that started in the period.",
    source="Ostelo 2008; Stratford 1995",
)
CAUTION = (
    "An association, no effect: who gets better may exercise more, and who hurts may stop. Covertly measured adherence"
    " was not associated with pain in one study (Nicolson); high adherence was in another (Jones 2025)."
)


@dataclass(frozen=True, slots=True)
class Changed:
    """One program."""

    frequency: float
    pain: float | None
    function: float | None


def outcomes_report(tx: Session, caller: Caller, period: Period, *, now: datetime) -> Report:
    """Programs of at least four weeks that started in the period: one statement."""
    found = [_changed(*row) for row in tx.execute(_statement(caller, period))]
    groups = {words: [one for one in found if _band(one.frequency) == words] for _, words in BANDS}
    return report(
        tx,
        caller,
        period,
        kind="outcomes",
        title="Outcomes by adherence",
        definitions=(OUTCOME, WEEKLY_FREQUENCY),
        tables=(
            _table("pain", "Pain", groups, PAIN_MATTERS, -1, period.least),
            _table("function", "Function", groups, FUNCTION_MATTERS, 1, period.least),
        ),
        caution=CAUTION,
        now=now,
    )


def _changed(
    expected: int,
    done: int,
    pain_first: float | None,
    pain_last: float | None,
    function_first: float | None,
    function_last: float | None,
) -> Changed:
    return Changed(
        done / expected,
        None if pain_first is None or pain_last is None else pain_last - pain_first,
        None if function_first is None or function_last is None else function_last - function_first,
    )


def _statement(caller: Caller, period: Period) -> Any:
    """Per program: expected and done of its weeks, the first and last weekly mean of pain, the first and last score."""
    followed = (
        select(
            ProgramWeek.program_id,
            func.sum(ProgramWeek.expected).label("expected"),
            func.sum(ProgramWeek.done).label("done"),
            func.count().label("weeks"),
        )
        .join(
            ProgramStanding,
            and_(
                ProgramStanding.clinic_id == ProgramWeek.clinic_id,
                ProgramStanding.program_id == ProgramWeek.program_id,
                ProgramStanding.last_day >= ProgramWeek.monday,
            ),
        )
        .where(ProgramWeek.clinic_id == caller.clinic_id)
        .group_by(ProgramWeek.program_id)
        .subquery()
    )
    told = (ProgramWeek.clinic_id == caller.clinic_id, ProgramWeek.pain_count > 0)
    program, mean = ProgramWeek.program_id, (ProgramWeek.pain_sum * 1.0) / ProgramWeek.pain_count
    pains = (
        select(
            ProgramWeek.program_id,
            func.first_value(mean).over(partition_by=program, order_by=ProgramWeek.monday).label("first"),
            func.first_value(mean).over(partition_by=program, order_by=ProgramWeek.monday.desc()).label("last"),
            func.count().over(partition_by=program).label("weeks"),
            func.row_number().over(partition_by=program, order_by=ProgramWeek.monday).label("place"),
        )
        .where(*told)
        .subquery()
    )
    scored = (Program.clinic_id == Measurement.clinic_id, Program.patient_id == Measurement.patient_id)
    in_order = (Measurement.taken_on, Measurement.created_at, Measurement.id)
    scores = (
        select(
            Program.id.label("program_id"),
            func.first_value(Measurement.score).over(partition_by=Program.id, order_by=in_order).label("first"),
            func.first_value(Measurement.score)
            .over(partition_by=Program.id, order_by=[column.desc() for column in in_order])
            .label("last"),
            func.count().over(partition_by=Program.id).label("times"),
            func.row_number().over(partition_by=Program.id, order_by=in_order).label("place"),
        )
        .join(Program, and_(*scored))
        .where(
            Measurement.clinic_id == caller.clinic_id,
            Program.clinic_id == caller.clinic_id,
            Measurement.code == "psfs",
            Measurement.taken_on >= Program.starts_on,
        )
        .subquery()
    )
    return (
        select(
            followed.c.expected,
            followed.c.done,
            pains.c.first,
            pains.c.last,
            scores.c.first,
            scores.c.last,
        )
        .select_from(Program)
        .join(followed, followed.c.program_id == Program.id)
        .join(
            pains,
            and_(pains.c.program_id == Program.id, pains.c.place == 1, pains.c.weeks >= FEWEST_WEEKS),
            isouter=True,
        )
        .join(scores, and_(scores.c.program_id == Program.id, scores.c.place == 1, scores.c.times > 1), isouter=True)
        .where(
            Program.clinic_id == caller.clinic_id,
            Program.status != ProgramStatus.DRAFT,
            Program.starts_on >= period.from_on,
            Program.starts_on <= period.to_on,
            followed.c.weeks >= FEWEST_WEEKS,
            followed.c.expected > 0,
        )
    )


def _table(
    name: str,
    title: str,
    groups: dict[str, list[Changed]],
    matters: float,
    better: int,
    least: int,
) -> Table:
    """`better` is the sign of a change for the better."""
    changes = {
        band: [value for one in some if (value := getattr(one, name)) is not None] for band, some in groups.items()
    }
    counts = {band: Cell(len(values)) for band, values in changes.items()}
    shown = withhold(Cell(sum(cell.count for cell in counts.values()), {"by": counts}), least).splits["by"]
    rows: list[dict[str, Value]] = []
    for band, values in changes.items():
        known = shown[band].count
        improved = sum(better * value >= matters for value in values)
        hidden = ["programs", "mean_change", "improved"] if known is None else []
        improved_share = rate(improved, len(values), least) if known else None
        if known and improved_share is None:
            hidden.append("improved")
        rows.append(
            {
                "band": band,
                "programs": known,
                "mean_change": round(sum(values) / len(values), 2) if known else None,
                "improved": None if improved_share is None else round(improved_share, 4),
                "withheld": " ".join(hidden) or None,
            }
        )
    return Table(
        name=name,
        title=f"{title} by how much was followed",
        columns=(
            text("band", "Expected days done"),
            count("programs", "Programs"),
            number("mean_change", f"Mean change of {title.lower()}", "points"),
            share("improved", f"Better by {matters:g} points or more"),
            WITHHELD,
        ),
        rows=rows,
        note=CAUTION,
    )


def _band(frequency: float) -> str:
    return next(words for least, words in BANDS if frequency >= least)
