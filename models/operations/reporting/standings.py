"""How many programs stood how at the end of each week."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models.adherence import Standing
from models.adherence.kinds import FlagKind
from models.operations.callers import Caller
from models.operations.reporting.basis import Period, begins, count, report
from models.reports.tables import WITHHELD, Column, ColumnKind, Definition, Report, Table, Value
from models.reports.withheld import Cell, withhold
from models.tables import Flag, Pause, Program, ProgramStatus

SHOWN = (Standing.ON_TRACK, Standing.NOT_STARTED, Standing.LAPSED, Standing.STOPPED, Standing.PAUSED)
STOOD = Definition(
    id="stood",
    version=1,
    says="Programs that ran at the end of each whole week of the period: paused, lapsed or stopped by the silence that"
    " stood open then, not started, or else on track (a patient's reminder, “watch”, is among these).",
    source="Followthrough",
)
WEEK = timedelta(days=7)


@dataclass(slots=True)
class _Life:
    ran_from: datetime
    ran_until: datetime | None
    pauses: list[tuple[datetime, datetime]] = field(default_factory=list)
    silences: list[tuple[datetime, datetime | None, datetime | None]] = field(default_factory=list)
    """Lapsed, stopped, closed."""
    waits: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    """Not started: from, until."""

    def standing(self, at: datetime) -> Standing | None:
        """None: it did not run then."""
        if at < self.ran_from or (self.ran_until is not None and self.ran_until <= at):
            return None
        if any(first <= at < until for first, until in self.pauses):
            return Standing.PAUSED
        for lapsed, stopped, closed in self.silences:
            if lapsed <= at and (closed is None or at < closed):
                return Standing.STOPPED if stopped is not None and stopped <= at else Standing.LAPSED
        if any(first <= at and (until is None or at < until) for first, until in self.waits):
            return Standing.NOT_STARTED
        return Standing.ON_TRACK


def standings_report(tx: Session, caller: Caller, period: Period, *, now: datetime) -> Report:
    """Whole weeks of the period: three statements."""
    lives = _lives(tx, caller, period)
    rows = [_row(monday, lives, begins(monday + WEEK, period.zone), period.least) for monday in _mondays(period)]
    return report(
        tx,
        caller,
        period,
        kind="standings",
        title="Standings over time",
        definitions=(STOOD,),
        tables=(
            Table(
                name="standings_by_week",
                title="How programs stood at the end of each week",
                columns=(
                    Column(name="monday", title="Week from", kind=ColumnKind.DATE),
                    *(count(one.value, one.value.replace("_", " ").capitalize(), "programs") for one in SHOWN),
                    count("total", "Programs"),
                    WITHHELD,
                ),
                rows=rows,
            ),
        ),
        now=now,
    )


def _lives(tx: Session, caller: Caller, period: Period) -> list[_Life]:
    """The programs that ran at some moment of the period."""
    ran = select(Program.id, Program.activated_at, Program.ended_at).where(
        Program.clinic_id == caller.clinic_id,
        Program.status != ProgramStatus.DRAFT,
        Program.activated_at < period.ends_at,
        or_(Program.ended_at.is_(None), Program.ended_at > period.starts_at),
    )
    lives: dict[UUID, _Life] = {}
    for program_id, activated_at, ended_at in tx.execute(ran):
        assert activated_at is not None  # no draft is among them
        lives[program_id] = _Life(activated_at, ended_at)
    flags = (
        select(
            *(Flag.about_id, Flag.kind, Flag.opens_at, Flag.rises_at, Flag.closed_at, Flag.closed_by, Flag.created_at),
            Flag.episode,
        )
        .where(
            Flag.clinic_id == caller.clinic_id,
            Flag.kind.in_([FlagKind.SILENCE, FlagKind.NOT_STARTED]),
            or_(Flag.closed_at.is_(None), Flag.closed_at > period.starts_at, Flag.closed_by.is_not(None)),
        )
        .order_by(Flag.created_at.desc(), Flag.id.desc())
    )
    next_began: dict[tuple[UUID, FlagKind], tuple[datetime, str]] = {}
    for program_id, kind, opens_at, rises_at, closed_at, closed_by, created_at, episode in tx.execute(flags):
        # A silence that somebody dealt with goes on, until another begins with a session, or one that was counted on.
        after = next_began.get((program_id, kind))
        next_began[program_id, kind] = created_at, episode
        until = closed_at
        if closed_by is not None:
            until = after[0] if after is not None and after[1] != episode else None
        if (life := lives.get(program_id)) is None:
            continue
        if kind is FlagKind.SILENCE:
            life.silences.append((opens_at, rises_at, until))
        else:
            life.waits.append((opens_at, until))
    pauses = select(Pause.program_id, Pause.from_at, Pause.until_at).where(
        Pause.clinic_id == caller.clinic_id, Pause.from_at < period.ends_at, Pause.until_at > period.starts_at
    )
    for program_id, from_at, until_at in tx.execute(pauses):
        if (life := lives.get(program_id)) is not None:
            life.pauses.append((from_at, until_at))
    return list(lives.values())


def _row(monday: date, lives: Iterable[_Life], at: datetime, least: int) -> dict[str, Value]:
    stood = Counter(standing for life in lives if (standing := life.standing(at)) is not None)
    shown = withhold(Cell(stood.total(), {"by": {one.value: Cell(stood[one]) for one in SHOWN}}), least)
    values = {name: cell.count for name, cell in shown.splits["by"].items()} | {"total": shown.count}
    hidden = [name for name, value in values.items() if value is None]
    return {"monday": monday, **values, "withheld": " ".join(hidden) or None}


def _mondays(period: Period) -> Iterator[date]:
    monday, last = period.mondays
    while monday <= last:
        yield monday
        monday += WEEK
