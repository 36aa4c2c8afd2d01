"""What was flagged in a period, what became of it, and what reaching out brought."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from models.adherence.kinds import FlagKind
from models.operations.callers import Caller
from models.operations.flags import Because
from models.operations.handling import Handled
from models.operations.outreach import RETURNS_WITHIN, first_session_after, has_returned
from models.operations.reporting.basis import (
    Period,
    count,
    marked,
    number,
    report,
    seconds_between,
    share,
    text,
    too_few,
)
from models.reports.tables import WITHHELD, Definition, Report, Table, Value
from models.reports.withheld import Cell, Shown, withhold
from models.tables import Flag, Outreach


class Fate(StrEnum):
    """What became of a flag."""

    RETURNED = "returned"
    ENDED = "ended"
    LATE_DATA = "late_data"
    SETTLED = "settled"
    HANDLED = "handled"
    DISMISSED = "dismissed"
    OPEN = "open"


_FATES = {
    Fate.RETURNED.value: "Patients who came back, or started",
    Fate.ENDED.value: "Patients whose program ended",
    Fate.LATE_DATA.value: "Patients whose late sessions explained it",
    Fate.SETTLED.value: "Patients of whom it settled by itself otherwise",
    Fate.HANDLED.value: "Patients of whom it was closed by hand",
    Fate.DISMISSED.value: "Patients of whom it was closed as no problem or a duplicate",
    Fate.OPEN.value: "Patients of whom it is still open",
}
_TURNED_OUT = {
    "true": (Fate.RETURNED, Fate.ENDED, Fate.HANDLED),
    "false": (Fate.LATE_DATA, Fate.SETTLED, Fate.DISMISSED),
    "unknown": (Fate.OPEN,),
}
"""What a silence turned out to be, by what became of it. One settles when the plan, a pause, an amended session or the
rules explain it."""
_BACK = {True: "returned", False: "not_returned", None: "too_early"}

DEFINITIONS = (
    Definition(
        id="flag_raised",
        version=1,
        says="A flag that opened within the period and was still there when it opened. A patient counts once for each"
        " kind, with the last flag of that kind.",
        source="Followthrough",
    ),
    Definition(
        id="flag_fate",
        version=1,
        says="What has become of that flag by now. Those that closed or faded without anybody having acted, and for no"
        " reason named in a column of its own, settled by themselves.",
        source="Followthrough",
    ),
    Definition(
        id="silence_precision",
        version=1,
        says="Of the silences that are closed, the share in which the patient had really gone: they came back after it"
        " had opened, the program ended, or somebody closed it as handled. What speaks against it: sessions that came"
        " late or were amended, a changed plan or rule, a pause, and being closed as no problem or a duplicate. It"
        " cannot know who exercised without ever logging it, nor what will become of silences still open.",
        source="Followthrough",
    ),
    Definition(
        id="time_to_contact",
        version=1,
        says="Hours from the opening of the flag to the first attempt to reach the patient about it, whatever came of"
        " it: the median of those with an attempt. An attempt made before the flag opened counts as 0 hours.",
        source="Followthrough",
    ),
    Definition(
        id="returned_after_contact",
        version=1,
        says=f"A session with exercise within {RETURNS_WITHIN.days} days after the first attempt about a silence. The"
        " share is of those of whom it is known: the days have passed, or they returned.",
        source="Followthrough",
    ),
)


@dataclass(frozen=True, slots=True)
class _Group:
    """Patients whose last flag of a kind went alike."""

    kind: FlagKind
    fate: Fate
    contacted: bool
    contacted_on: date | None
    """Of silences only."""
    back_on: date | None
    patients: int
    flags: int

    def back(self, today: date) -> str:
        """Whether they returned after the contact."""
        assert self.contacted_on is not None  # asked of those contacted about a silence
        return _BACK[has_returned(self.contacted_on, self.back_on, today)]


def flags_report(tx: Session, caller: Caller, period: Period, *, now: datetime) -> Report:
    """The flags of a period: how many, whether they were right, how soon somebody acted and whether that was followed
    by a return. Two statements, and that of every report.
    """
    told = _told(caller.clinic_id, period, now)
    groups = _groups(tx, told)
    hours = _median_hours(tx, told)
    kinds = {kind.value: _cell(kind, groups, period.today) for kind in sorted({group.kind for group in groups})}
    total = Cell(sum(cell.count for cell in kinds.values()), {"kind": kinds})
    shown = withhold(total, period.least)
    raised = Counter[FlagKind]()
    for group in groups:
        raised[group.kind] += group.flags
    by_kind = {FlagKind(kind): cell for kind, cell in shown.splits["kind"].items()}
    # Those withheld come last, by name: a place among the others would tell about how many they are.
    order = sorted(by_kind, key=lambda kind: (0 if by_kind[kind].count is None else -raised[kind], kind))
    by_kind = {kind: by_kind[kind] for kind in order}
    silences = by_kind.get(FlagKind.SILENCE)
    return report(
        tx,
        caller,
        period,
        kind="flags",
        title="Flags and what became of them",
        definitions=DEFINITIONS,
        tables=[
            _flags_table(by_kind, raised, shown),
            _precision_table(silences),
            _contact_table(by_kind, hours),
            _returns_table(silences),
        ],
        now=now,
    )


def _told(clinic_id: UUID, period: Period, now: datetime) -> Any:
    """A row for each patient and kind: the last flag of the period, how many there were, and the first attempt."""
    attempt = aliased(Outreach)
    first_attempt = (
        select(attempt.id)
        .where(attempt.clinic_id == clinic_id, attempt.flag_id == Flag.id)
        .order_by(attempt.at, attempt.id)
        .limit(1)
        .correlate(Flag)
        .scalar_subquery()
    )
    alike = (Flag.kind, Flag.patient_id)
    latest_first = (Flag.opens_at.desc(), Flag.id.desc())
    lived = (
        select(
            Flag.kind,
            _fate(now).label("fate"),
            Flag.opens_at,
            func.count().over(partition_by=alike).label("flags"),
            func.row_number().over(partition_by=alike, order_by=latest_first).label("place"),
            first_attempt.label("attempt_id"),
        )
        .where(
            Flag.clinic_id == clinic_id,
            Flag.opens_at >= period.starts_at,
            Flag.opens_at < period.ends_at,
            Flag.opens_at <= now,
            or_(Flag.closed_at.is_(None), Flag.closed_at >= Flag.opens_at),
        )
        .subquery()
    )
    waited = seconds_between(lived.c.opens_at, Outreach.at) / 3600
    is_silence = lived.c.kind == FlagKind.SILENCE
    return (
        select(
            lived.c.kind,
            lived.c.fate,
            lived.c.flags,
            Outreach.id.is_not(None).label("contacted"),
            case((waited < 0, 0.0), else_=waited).label("hours"),
            case((is_silence, Outreach.local_date)).label("contacted_on"),
            case((is_silence, first_session_after(clinic_id))).label("back_on"),
        )
        .select_from(lived)
        .join(Outreach, and_(Outreach.clinic_id == clinic_id, Outreach.id == lived.c.attempt_id), isouter=True)
        .where(lived.c.place == 1)
        .subquery()
    )


def _fate(now: datetime) -> Any:
    by_hand = Flag.closed_by.is_not(None)
    return case(
        (and_(by_hand, Flag.closed_because.in_([Handled.NOT_A_PROBLEM, Handled.DUPLICATE])), Fate.DISMISSED.value),
        (by_hand, Fate.HANDLED.value),
        (Flag.closed_because.in_([Because.RETURNED, Because.STARTED]), Fate.RETURNED.value),
        (Flag.closed_because == Because.PROGRAM_ENDED, Fate.ENDED.value),
        (Flag.closed_because == Because.LATE_DATA, Fate.LATE_DATA.value),
        (or_(Flag.closed_at.is_not(None), Flag.expires_at <= now), Fate.SETTLED.value),
        else_=Fate.OPEN.value,
    )


def _groups(tx: Session, told: Any) -> list[_Group]:
    alike = (told.c.kind, told.c.fate, told.c.contacted, told.c.contacted_on, told.c.back_on)
    rows = tx.execute(select(*alike, func.count(), func.sum(told.c.flags)).group_by(*alike))
    return [
        _Group(kind, Fate(fate), bool(contacted), contacted_on, back_on, patients, int(flags))
        for kind, fate, contacted, contacted_on, back_on, patients, flags in rows
    ]


def _median_hours(tx: Session, told: Any) -> dict[FlagKind, float]:
    of_kind = {"partition_by": told.c.kind}
    ranked = (
        select(
            told.c.kind,
            told.c.hours,
            func.row_number().over(**of_kind, order_by=told.c.hours).label("place"),
            func.count().over(**of_kind).label("of"),
        )
        .where(told.c.contacted)
        .subquery()
    )
    in_the_middle = (ranked.c.place * 2).between(ranked.c.of, ranked.c.of + 2)
    rows = tx.execute(select(ranked.c.kind, func.avg(ranked.c.hours)).where(in_the_middle).group_by(ranked.c.kind))
    return {kind: round(float(hours), 1) for kind, hours in rows}


def _cell(kind: FlagKind, groups: Sequence[_Group], today: date) -> Cell:
    """The patients with a kind of flag: by what became of it, and by whether somebody tried to reach them about it."""
    mine = [group for group in groups if group.kind is kind]
    fates = Counter[Fate]()
    contacts, backs = Counter[bool](), Counter[str]()
    for group in mine:
        fates[group.fate] += group.patients
        contacts[group.contacted] += group.patients
        if group.contacted and kind is FlagKind.SILENCE:
            backs[group.back(today)] += group.patients
    by_fate = _parts(fates, _FATES)
    splits: dict[str, Mapping[str, Cell]] = {"fate": by_fate}
    contacted = Cell(contacts[True])
    if kind is FlagKind.SILENCE:
        splits = {
            "turned_out": {
                name: Cell(sum(fates[fate] for fate in some), {"fate": {fate.value: by_fate[fate] for fate in some}})
                for name, some in _TURNED_OUT.items()
            }
        }
        contacted = Cell(contacts[True], {"back": _parts(backs, _BACK.values())})
    splits["contact"] = {"contacted": contacted, "not_contacted": Cell(contacts[False])}
    return Cell(contacts.total(), splits)


def _parts(counts: Mapping[Any, int], names: Iterable[str]) -> dict[str, Cell]:
    return {name: Cell(counts[name]) for name in names}


def _fates_of(cell: Shown) -> dict[str, Shown]:
    if "fate" in cell.splits:
        return dict(cell.splits["fate"])
    return {fate: one for part in cell.splits["turned_out"].values() for fate, one in part.splits["fate"].items()}


def _values(cells: Mapping[str, Shown]) -> dict[str, Value]:
    return {name: cell.count for name, cell in cells.items()}


def _flags_table(by_kind: Mapping[FlagKind, Shown], raised: Mapping[FlagKind, int], total: Shown) -> Table:
    rows = []
    for kind, cell in by_kind.items():
        fates = _fates_of(cell)
        cells = {"patients": cell} | {fate: fates[fate] for fate in _FATES}
        hidden = too_few(cells)
        row: dict[str, Value] = {"kind": kind.value, "raised": raised[kind], **_values(cells)}
        rows.append(marked(row, hidden | ({"raised"} if "patients" in hidden else set())))
    last: dict[str, Value] = {"kind": "total", "raised": sum(raised.values()), "patients": total.count}
    last |= dict.fromkeys(_FATES)
    rows.append(marked(last, {"raised", "patients"} if total.count is None else ()))
    return Table(
        name="flags",
        title="Flags raised, and what became of them",
        columns=(
            text("kind", "Kind of flag"),
            count("raised", "Flags raised"),
            count("patients", "Patients (once for each kind)"),
            *(count(fate, title) for fate, title in _FATES.items()),
            WITHHELD,
        ),
        rows=rows,
        note="What became of a flag is told of the last one of each patient and kind, as it is known now: flags of the"
        " last weeks have had little time to close. A patient with flags of several kinds is in several rows, and is"
        " counted as often in the total.",
    )


def _precision_table(silences: Shown | None) -> Table:
    rows = []
    if silences is not None:
        parts = silences.splits["turned_out"]
        cells = {"patients": silences} | dict(parts)
        hidden = too_few(cells)
        true, false = parts["true"].count, parts["false"].count
        row: dict[str, Value] = {
            "kind": FlagKind.SILENCE.value,
            **_values(cells),
            "precision": _share(true, false),
        }
        rows.append(marked(row, hidden | ({"precision"} if hidden & {"true", "false"} else set())))
    return Table(
        name="silence_precision",
        title="Silences by what they turned out to be",
        columns=(
            text("kind", "Kind of flag"),
            count("patients", "Patients (the last flag of each)"),
            count("true", "Patients who had really gone"),
            count("false", "Patients who had not"),
            count("unknown", "Patients of whom it is not known yet"),
            share("precision", "Share who had really gone, of those of whom it is known"),
            WITHHELD,
        ),
        rows=rows,
        note="A share of the silences that are closed. Those still open are often the longest, and in neither number.",
    )


def _contact_table(by_kind: Mapping[FlagKind, Shown], hours: Mapping[FlagKind, float]) -> Table:
    rows = []
    for kind, cell in by_kind.items():
        parts = cell.splits["contact"]
        cells = {"patients": cell} | dict(parts)
        hidden = too_few(cells)
        row: dict[str, Value] = {
            "kind": kind.value,
            **_values(cells),
            "share_contacted": _share(parts["contacted"].count, parts["not_contacted"].count),
            "median_hours": hours.get(kind),
        }
        hidden |= {"share_contacted"} if hidden & parts.keys() else set()
        hidden |= {"median_hours"} if "contacted" in hidden else set()
        rows.append(marked(row, hidden))
    return Table(
        name="contact",
        title="How soon somebody tried to reach the patient",
        columns=(
            text("kind", "Kind of flag"),
            count("patients", "Patients (the last flag of each)"),
            count("contacted", "Patients with an attempt about it"),
            count("not_contacted", "Patients without one"),
            share("share_contacted", "Share with an attempt"),
            number("median_hours", "Half of those with an attempt waited at most", unit="hours"),
            WITHHELD,
        ),
        rows=rows,
        note="The hours are those of patients with an attempt; whoever is still waiting is not in them. Attempts that"
        " were not written down beside the flag are not counted.",
    )


def _returns_table(silences: Shown | None) -> Table:
    rows = []
    if silences is not None:
        contacted = silences.splits["contact"]["contacted"]
        parts = contacted.splits["back"]
        cells = {"contacted": contacted} | dict(parts)
        hidden = too_few(cells)
        row: dict[str, Value] = {
            "kind": FlagKind.SILENCE.value,
            **_values(cells),
            "share_returned": _share(parts["returned"].count, parts["not_returned"].count),
        }
        rows.append(marked(row, hidden | ({"share_returned"} if hidden & {"returned", "not_returned"} else set())))
    return Table(
        name="returns",
        title=f"Returned within {RETURNS_WITHIN.days} days after an attempt about a silence",
        columns=(
            text("kind", "Kind of flag"),
            count("contacted", "Patients with an attempt about the last of each"),
            count("returned", f"Patients who returned within {RETURNS_WITHIN.days} days"),
            count("not_returned", "Patients who did not"),
            count("too_early", "Patients of whom it is too early to say"),
            share("share_returned", "Share who returned, of those of whom it is known"),
            WITHHELD,
        ),
        rows=rows,
        note="A return after an attempt is not always because of it: some would have come back by themselves, and"
        " whoever is easier to reach may be likelier to return.",
    )


def _share(some: int | None, others: int | None) -> float | None:
    """The share of some among all; None of nobody, or where either is withheld."""
    return some / (some + others) if some is not None and others is not None and some + others else None
