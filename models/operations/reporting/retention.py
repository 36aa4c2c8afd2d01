"""How many programs that were begun are still going, by protocol and by how much was prescribed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from models.adherence import Standing
from models.operations.callers import Caller
from models.operations.reporting.basis import Period, count, report, share, text
from models.reports.definitions import PERSISTENCE
from models.reports.retention import HORIZONS, Life, at_risk, curve, survival_at
from models.reports.tables import WITHHELD, Column, Definition, Report, Table, Value
from models.reports.withheld import Cell, Shown, withhold
from models.tables import Item, Program, ProgramStanding, ProgramStatus, ProgramWeek, Revision

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
    by = {
        "protocol": _grouped(begun, lambda one: one.protocol),
        "exercises": _grouped(begun, lambda one: one.exercises),
    }
    shown = _Published(by, [one.life for one in begun], period.least)
    whole = Table(
        name="all",
        title="All programs",
        columns=columns,
        rows=[shown.row("all", [one.life for one in begun])],
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
            shown.table("protocol", "By protocol", columns),
            shown.table("exercises", "By how many exercises", columns),
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
    # What was changed before it was handed over the patient never saw.
    given = (
        select(func.max(Revision.number))
        .where(
            Revision.clinic_id == Program.clinic_id,
            Revision.program_id == Program.id,
            Revision.created_at < Program.activated_at,
        )
        .correlate(Program)
        .scalar_subquery()
    )
    exercises = (
        select(func.count())
        .where(
            Item.clinic_id == Program.clinic_id,
            Item.program_id == Program.id,
            Item.revision_number == func.coalesce(given, 1),
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
            Program.ended_at,
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
        Begun(protocol, _band(number), _life(first, ended_on, ended_at, standing, period.today, now))
        for protocol, ended_on, ended_at, first, number, standing in rows
        if first is not None
    ]
    return begun, len(rows) - len(begun)


def _life(
    first: date, ended_on: date | None, ended_at: datetime | None, standing: ProgramStanding, today: date, now: datetime
) -> Life:
    """Ending or pausing a program that had been stopped does not make it one that was kept up."""
    until = min(now, ended_at or now)
    gone = standing.standing is Standing.WITHDRAWN or (standing.stopped_at is not None and standing.stopped_at <= until)
    last = standing.last_day or first
    observed = last if gone else max(last, min(today, ended_on or today))
    return Life((observed - first).days, gone)


def _band(exercises: int) -> str:
    return next((words for most, words in BANDS if exercises <= most), MOST)


def _grouped(begun: Iterable[Begun], key: Callable[[Begun], str]) -> dict[str, list[Life]]:
    groups: dict[str, list[Life]] = {}
    for one in begun:
        groups.setdefault(key(one), []).append(one.life)
    return dict(sorted(groups.items()))


class _Published:
    """What may be shown of all and of the groups: the starts, and those at risk at each horizon, are one tree each, so
    that no group is told by what is left of the total. Where too few are left nothing is said of them: a step of the
    curve would tell of one.
    """

    def __init__(self, by: Mapping[str, Mapping[str, Sequence[Life]]], every: Sequence[Life], least: int) -> None:
        self._by = by
        self._started = _tree(by, every, len, least)
        self._at_risk = {day: _tree(by, every, partial(_going, day), least) for day in HORIZONS}

    def table(self, split: str, title: str, columns: Sequence[Column]) -> Table:
        rows = [self.row(group, lives, split) for group, lives in self._by[split].items()]
        return Table(name=f"by_{split}", title=title, columns=columns, rows=rows)

    def row(self, group: str, lives: Sequence[Life], split: str | None = None) -> Mapping[str, Value]:
        def shown(tree: Shown) -> int | None:
            return tree.count if split is None else tree.splits[split][group].count

        row: dict[str, Value] = {"group": group, "started": shown(self._started)}
        hidden = [] if row["started"] is not None else ["started"]
        steps = curve(lives)
        for day, words in HORIZONS.items():
            name = words.replace(" ", "_")
            left = shown(self._at_risk[day]) if row["started"] is not None else None
            step = survival_at(steps, day) if left else None
            told = {
                "going": None if step is None else step.survival,
                "low": None if step is None else step.low,
                "high": None if step is None else step.high,
            }
            row |= {f"{what}_{name}": None if value is None else round(value, 2) for what, value in told.items()}
            row[f"at_risk_{name}"] = left
            if left is None:
                hidden += [f"{what}_{name}" for what in ("going", "low", "high", "at_risk")]
        return row | {"withheld": " ".join(hidden) or None}


def _going(day: int, lives: Sequence[Life]) -> int:
    return at_risk(lives, day)


def _tree(
    by: Mapping[str, Mapping[str, Sequence[Life]]],
    every: Sequence[Life],
    count_of: Callable[[Sequence[Life]], int],
    least: int,
) -> Shown:
    splits = {name: {group: Cell(count_of(lives)) for group, lives in groups.items()} for name, groups in by.items()}
    return withhold(Cell(count_of(every), splits), least)
