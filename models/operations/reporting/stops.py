"""Which programs ended in a period, how, after how long, and what was told of why."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from models.adherence import Standing, standing_at
from models.adherence.kinds import Reason, meaning
from models.operations.callers import Caller
from models.operations.reporting.basis import Period, count, marked, report, seconds_between, text, too_few
from models.operations.standings import forecast_of
from models.reports.tables import WITHHELD, Definition, Report, Table, Value
from models.reports.withheld import Cell, Shown, withhold
from models.tables import Program, ProgramStanding, ProgramStatus, SessionLog

IMPROVED, WITHDRAWN, SILENT = "improved_and_stopped", "withdrawn", "went_silent"
_HOW = (IMPROVED, WITHDRAWN, SILENT, ProgramStatus.COMPLETED.value, ProgramStatus.DISCHARGED.value)
NONE_GIVEN = "none_given"
_REASONS = (*Reason, NONE_GIVEN)
_WEEK = 7 * 24 * 3600
_BANDS = {
    "under_4": "Programs of under 4 weeks",
    "4_to_11": "Programs of 4 to 11 weeks",
    "12_to_25": "Programs of 12 to 25 weeks",
    "26_and_more": "Programs of 26 weeks and more",
}

DEFINITIONS = (
    Definition(
        id="program_ended",
        version=1,
        says="A program whose last day lies in the period: completed, discharged, or withdrawn by the patient.",
        source="Followthrough",
    ),
    Definition(
        id="went_silent",
        version=1,
        says="A program without a session with exercise since a day in the period, whose silence had gone on by the"
        " end of the period for so long that the patient has most likely stopped. Who has come back since, or whose"
        " program was ended since, is not counted. It is a judgement about silence: nobody said so.",
        source="Followthrough",
    ),
    Definition(
        id="improved_and_stopped",
        version=1,
        says="Withdrawn because the patient feels better, or gone silent after that was the last reason told.",
        source="Followthrough",
    ),
    Definition(
        id="reason_for_stopping",
        version=1,
        says="Of a withdrawn program the reason given for it; of one that went silent the last reason told within the"
        " period for leaving a session or an exercise out.",
        source="Followthrough",
    ),
    Definition(
        id="weeks_to_end",
        version=1,
        says="From the first day of the program to its last; of one that went silent to the last day with exercise.",
        source="Followthrough",
    ),
)


@dataclass(frozen=True, slots=True)
class _Stop:
    """Programs that ended alike."""

    status: ProgramStatus | None
    """None: they went silent."""
    reason: str
    band: str
    programs: int

    @property
    def how(self) -> str:
        if self.status in {ProgramStatus.COMPLETED, ProgramStatus.DISCHARGED}:
            return self.status.value
        if self.reason == Reason.FEEL_BETTER:
            return IMPROVED
        return SILENT if self.status is None else WITHDRAWN


def stops_report(tx: Session, caller: Caller, period: Period, *, now: datetime) -> Report:
    """The programs that ended in a period, those improved apart from those given up. Two statements, and that of every
    report.
    """
    stops = [*_ended(tx, caller.clinic_id, period), *_gone_silent(tx, caller.clinic_id, period, now)]
    cells = {how: _cell([stop for stop in stops if stop.how == how], how) for how in _HOW}
    shown = withhold(Cell(sum(cell.count for cell in cells.values()), {"how": cells}), period.least)
    by_how = shown.splits["how"]
    return report(
        tx,
        caller,
        period,
        kind="stops",
        title="How programs ended, and why",
        definitions=DEFINITIONS,
        tables=[_ends_table(shown), _improved_table(by_how[IMPROVED]), _reasons_table(by_how), _weeks_table(by_how)],
        now=now,
    )


def _ended(tx: Session, clinic_id: UUID, period: Period) -> list[_Stop]:
    ended = (
        select(Program.status, Program.end_reason, _band(Program.ended_on).label("band"))
        .where(
            Program.clinic_id == clinic_id,
            Program.ended_on >= period.from_on,
            Program.ended_on <= period.to_on,
        )
        .subquery()
    )
    alike = (ended.c.status, ended.c.end_reason, ended.c.band)
    rows = tx.execute(select(*alike, func.count()).group_by(*alike))
    return [_Stop(status, _meant(reason), band, programs) for status, reason, band, programs in rows]


def _gone_silent(tx: Session, clinic_id: UUID, period: Period, now: datetime) -> list[_Stop]:
    """The programs that had stopped by the end of the period, or by now if that lies ahead, one by one."""
    told = (
        select(SessionLog.main_reason)
        .where(
            SessionLog.clinic_id == clinic_id,
            SessionLog.program_id == Program.id,
            SessionLog.local_date >= period.from_on,
            SessionLog.local_date <= period.to_on,
            SessionLog.main_reason.is_not(None),
            SessionLog.deleted_at.is_(None),
        )
        .order_by(SessionLog.local_date.desc(), SessionLog.performed_at.desc(), SessionLog.id.desc())
        .limit(1)
        .correlate(Program)
        .scalar_subquery()
    )
    rows = tx.execute(
        select(ProgramStanding, told, _band(ProgramStanding.last_day))
        .join(Program, and_(Program.clinic_id == ProgramStanding.clinic_id, Program.id == ProgramStanding.program_id))
        .where(
            ProgramStanding.clinic_id == clinic_id,
            ProgramStanding.last_day >= period.from_on,
            ProgramStanding.last_day <= period.to_on,
            Program.ended_on.is_(None),
        ),
        execution_options={"populate_existing": True},
    )
    at = min(period.ends_at, now)
    return [_Stop(None, _meant(reason), band, 1) for row, reason, band in rows if _had_stopped(row, at)]


def _had_stopped(row: ProgramStanding, at: datetime) -> bool:
    """Whether a program stood at "stopped" at a moment, before or after it was last written to."""
    return row.since <= at and standing_at(row.standing, forecast_of(row), at) is Standing.STOPPED


def _band(last: Any) -> Any:
    weeks = seconds_between(Program.starts_on, last) / _WEEK
    under_4, under_12, under_26, more = _BANDS
    return case((weeks < 4, under_4), (weeks < 12, under_12), (weeks < 26, under_26), else_=more)


def _meant(reason: str | None) -> str:
    return meaning(reason) or NONE_GIVEN


def _cell(stops: Sequence[_Stop], how: str) -> Cell:
    """The programs that ended in one way: by their weeks, and by what was told of why."""
    splits = {"weeks": _split(((stop.band, stop.programs) for stop in stops), _BANDS)}
    if how == IMPROVED:
        said = ((SILENT if stop.status is None else WITHDRAWN, stop.programs) for stop in stops)
        splits["said"] = _split(said, (WITHDRAWN, SILENT))
    elif how in {WITHDRAWN, SILENT}:
        splits["reason"] = _split(((stop.reason, stop.programs) for stop in stops), _REASONS)
    return Cell(sum(stop.programs for stop in stops), splits)


def _split(counted: Iterable[tuple[str, int]], names: Iterable[str]) -> dict[str, Cell]:
    counts = Counter[str]()
    for name, programs in counted:
        counts[name] += programs
    return {name: Cell(counts[name]) for name in names}


def _counted(words: Mapping[str, Value], cell: Shown) -> dict[str, Value]:
    return marked({**words, "count": cell.count}, too_few({"count": cell}))


def _ends_table(total: Shown) -> Table:
    rows = [_counted({"how": how}, cell) for how, cell in total.splits["how"].items()]
    return Table(
        name="ends",
        title="How programs ended",
        columns=(text("how", "How it ended"), count("count", "Programs"), WITHHELD),
        rows=[*rows, _counted({"how": "total"}, total)],
        note="Stopping because one feels better is no failure, and is told apart: it asks for a maintenance plan, not"
        " for a reproach.",
    )


def _improved_table(improved: Shown) -> Table:
    return Table(
        name="improved",
        title="Improved and stopped",
        columns=(text("how", "How it ended"), count("count", "Programs"), WITHHELD),
        rows=[_counted({"how": how}, cell) for how, cell in improved.splits["said"].items()],
        note="Both gave feeling better as their reason: the first as they stopped the program, the others as the last"
        " thing they told before they went silent.",
    )


def _reasons_table(by_how: Mapping[str, Shown]) -> Table:
    rows = []
    for reason in _REASONS:
        cells = {how: by_how[how].splits["reason"][reason] for how in (WITHDRAWN, SILENT)}
        if any(cell.count != 0 for cell in cells.values()):
            values: dict[str, Value] = {"reason": str(reason), **{how: cell.count for how, cell in cells.items()}}
            rows.append(marked(values, too_few(cells)))
    return Table(
        name="reasons",
        title="Reasons of those who stopped otherwise",
        columns=(
            text("reason", "Reason"),
            count(WITHDRAWN, "Programs withdrawn"),
            count(SILENT, "Programs gone silent, by the last reason told"),
            WITHHELD,
        ),
        rows=rows,
        note="The last reason told before a silence need not be the reason of the silence, and those who went silent"
        " without a word may have others. Reasons nobody gave are left out.",
    )


def _weeks_table(by_how: Mapping[str, Shown]) -> Table:
    rows = []
    for how, cell in by_how.items():
        bands = cell.splits["weeks"]
        values: dict[str, Value] = {"how": how, **{band: bands[band].count for band in _BANDS}}
        rows.append(marked(values, too_few(bands)))
    return Table(
        name="weeks",
        title="Weeks from the start to the end",
        columns=(text("how", "How it ended"), *(count(band, title) for band, title in _BANDS.items()), WITHHELD),
        rows=rows,
        note="Only programs that ended are in it: those that go on are longer, and say how long people persist in the"
        " report on retention.",
    )
