"""How many programs that were begun are still going, by protocol and by how much was prescribed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from models.adherence import Standing, standing_at
from models.operations.callers import Caller
from models.operations.reporting.basis import Period, count, report, share, text
from models.operations.standings import forecast_of
from models.reports.definitions import PERSISTENCE
from models.reports.retention import HORIZONS, Life, at_risk, curve, survival_at
from models.reports.tables import WITHHELD, Column, Definition, Report, Table, Value
from models.reports.withheld import Cell, withhold
from models.tables import Item, Program, ProgramStanding, ProgramStatus, ProgramWeek

GOING = Definition(
    id="still_going",
    version=1,
    says="The share of programs begun in the period that are still followed so long after their first session"
    " (Kaplan-Meier), with 95 % limits (Greenwood, log-log). At risk: programs known to have been followed so long.",
    source="Kaplan & Meier 1958",
)
BANDS = ((3, "1-3 exercises"), (6, "4-6 exercises"), (9, "7-9 exercises"))
"""How many exercises the first phase has: two to four are done best (Bachmann 2018: engine study, 1.2)."""
MOST = "10 or more exercises"


@dataclass(frozen=True, slots=True)
class Begun:
    """A program from its first session on."""

    protocol: str
    exercises: str
    life: Life


def retention_report(tx: Session, caller: Caller, period: Period, *, now: datetime) -> Report:
    """Programs that started in the period: one statement."""
    begun, never = programs_begun(tx, caller, period, now)
    columns = [text("group", "Programs"), count("started", "Started")]
    for words in HORIZONS.values():
        name = words.replace(" ", "_")
        columns += [
            share(f"going_{name}", f"Going at {words}"),
            share(f"low_{name}", "95 % from"),
            share(f"high_{name}", "to"),
            count(f"at_risk_{name}", f"At risk at {words}"),
        ]
    columns.append(WITHHELD)
    whole = Table(
        name="all",
        title="All programs",
        columns=columns,
        rows=[_row("all", [one.life for one in begun], period.least, shown=True)],
        note=f"{never} programs of the period have no session yet and are not among those started."
        if never == 0 or never >= period.least
        else None,
    )
    return report(
        tx,
        caller,
        period,
        kind="retention",
        title="Retention",
        definitions=(GOING, PERSISTENCE),
        tables=(
            whole,
            _grouped("by_protocol", "By protocol", begun, lambda one: one.protocol, period.least, columns),
            _grouped("by_exercises", "By how many exercises", begun, lambda one: one.exercises, period.least, columns),
        ),
        caution="Groups differ in more than their protocol: a difference here is an association, no effect.",
        now=now,
    )


def programs_begun(tx: Session, caller: Caller, period: Period, now: datetime) -> tuple[list[Begun], int]:
    """The programs that started in the period and have a session, and how many have none."""
    first_day = (
        select(func.min(ProgramWeek.first_day))
        .where(ProgramWeek.clinic_id == Program.clinic_id, ProgramWeek.program_id == Program.id)
        .correlate(Program)
        .scalar_subquery()
    )
    exercises = (
        select(func.count())
        .where(
            Item.clinic_id == Program.clinic_id,
            Item.program_id == Program.id,
            Item.revision_number == 1,
            Item.phase_number == 1,
            Item.exercise_slug.is_not(None),
        )
        .correlate(Program)
        .scalar_subquery()
    )
    rows = tx.execute(
        select(
            func.coalesce(Program.protocol_slug, Program.own_protocol_slug, "own program"),
            Program.ended_on,
            first_day,
            exercises,
            ProgramStanding,
        )
        .join(
            ProgramStanding,
            and_(ProgramStanding.clinic_id == Program.clinic_id, ProgramStanding.program_id == Program.id),
        )
        .where(
            Program.clinic_id == caller.clinic_id,
            Program.status != ProgramStatus.DRAFT,
            Program.starts_on >= period.from_on,
            Program.starts_on <= period.to_on,
        )
    ).all()
    begun = [
        Begun(protocol, _band(number), _life(first, ended_on, standing, period.today, now))
        for protocol, ended_on, first, number, standing in rows
        if first is not None
    ]
    return begun, len(rows) - len(begun)


def _life(first: date, ended_on: date | None, standing: ProgramStanding, today: date, now: datetime) -> Life:
    says = standing_at(standing.standing, forecast_of(standing), now)
    gone = says in {Standing.STOPPED, Standing.WITHDRAWN}
    last = standing.last_day or first
    observed = last if gone else max(last, min(today, ended_on or today))
    return Life((observed - first).days, gone)


def _band(exercises: int) -> str:
    return next((words for most, words in BANDS if exercises <= most), MOST)


def _grouped(
    name: str,
    title: str,
    begun: Iterable[Begun],
    key: Callable[[Begun], str],
    least: int,
    columns: Sequence[Column],
) -> Table:
    groups: dict[str, list[Life]] = {}
    for one in begun:
        groups.setdefault(key(one), []).append(one.life)
    counts = {group: Cell(len(lives)) for group, lives in groups.items()}
    shown = withhold(Cell(sum(cell.count for cell in counts.values()), {"by": counts}), least).splits["by"]
    return Table(
        name=name,
        title=title,
        columns=columns,
        rows=[_row(group, groups[group], least, shown=shown[group].count is not None) for group in sorted(groups)],
    )


def _row(group: str, lives: Sequence[Life], least: int, *, shown: bool) -> Mapping[str, Value]:
    """Where fewer than `least` are left, nothing is said of them: a step of the curve would tell of one."""
    row: dict[str, Value] = {"group": group, "started": len(lives) if shown and not 0 < len(lives) < least else None}
    hidden = [] if row["started"] is not None else ["started"]
    steps = curve(lives)
    for day, words in HORIZONS.items():
        name = words.replace(" ", "_")
        left = at_risk(lives, day)
        step = survival_at(steps, day)
        told = row["started"] is not None and (left == 0 or left >= least)
        known = told and step is not None and left > 0
        row |= {
            f"going_{name}": round(step.survival, 2) if known and step is not None else None,
            f"low_{name}": round(step.low, 2) if known and step is not None and step.low is not None else None,
            f"high_{name}": round(step.high, 2) if known and step is not None and step.high is not None else None,
            f"at_risk_{name}": left if told else None,
        }
        if not told:
            hidden += [f"{what}_{name}" for what in ("going", "low", "high", "at_risk")]
    return row | {"withheld": " ".join(hidden) or None}
