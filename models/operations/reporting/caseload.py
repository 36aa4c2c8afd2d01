"""Who is being treated, how they stand, and how the weeks went."""

import json
from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import String, and_, case, cast, func, literal, not_, or_, select, union_all
from sqlalchemy.orm import Session

from models.adherence import Standing
from models.adherence.schedule import UNIT
from models.operations.callers import Caller
from models.operations.prescribing import RUNNING
from models.operations.reporting.basis import Period, count, number, partition, report, share, split, text
from models.reports.definitions import COMPLETENESS, DOSE, WEEKLY_FREQUENCY
from models.reports.tables import WITHHELD, Column, ColumnKind, Definition, Report, Table, Value
from models.reports.withheld import Cell, Shown, withhold
from models.tables import Account, Condition, ConditionStatus, Patient, Program, ProgramStanding, ProgramWeek

CASELOAD = Definition(
    id="caseload",
    version=1,
    says="Programs that run or are paused now, and their patients. A standing is what the silence says at this moment.",
    source="Followthrough",
)
OVER = frozenset({Standing.ENDED, Standing.WITHDRAWN})
_SUMS = (
    "expected",
    "done",
    "items_expected",
    "items_done",
    "dose_sum",
    "dose_count",
    "pain_sum",
    "pain_count",
    "excluded_days",
    "late",
)
_WEEK = (
    Column(name="monday", title="Week from", kind=ColumnKind.DATE),
    count("programs", "Programs being followed"),
    number("expected", "Session days expected"),
    number("done", "Session days done"),
    share("frequency", "Frequency"),
    number("items_expected", "Items expected"),
    number("items_done", "Items touched"),
    share("completeness", "Completeness"),
    number("dose_done", "Doses done, in whole ones"),
    count("dose_items", "Items whose dose is known"),
    share("dose", "Dose"),
    count("excluded_days", "Days excluded (paused, or outside the program)"),
    number("mean_pain", "Mean pain with exercise", "0-10"),
    WITHHELD,
)


def caseload_report(tx: Session, caller: Caller, period: Period, *, now: datetime) -> Report:
    """Patients by standing, therapist, condition and protocol as of now, and the whole weeks of the period: two
    statements.
    """
    found = _counts(tx, caller, now)
    standings: Counter[str] = Counter(found["standing"])
    for forecast, programs in found["changed"].items():
        changes = [(datetime.fromisoformat(at), standing) for at, standing in json.loads(forecast)]
        standings[max(change for change in changes if change[0] <= now)[1]] += programs
    shown_standings = {one.value: standings[one.value] for one in Standing if one not in OVER}
    weekly, late = _weeks(tx, caller, period)
    of_programs, of_patients = _shown(found, shown_standings, period)
    return report(
        tx,
        caller,
        period,
        kind="caseload",
        title="Caseload",
        definitions=(CASELOAD, WEEKLY_FREQUENCY, COMPLETENESS, DOSE),
        tables=(
            partition(
                *("by_standing", "How programs stand", text("standing", "Standing")),
                *(of_programs.splits["standing"], of_programs.count),
                what="Programs",
            ),
            partition(
                *("by_therapist", "Whose patients they are", text("therapist", "Therapist")),
                *(of_patients.splits["therapist"], of_patients.count),
                what="Patients",
            ),
            partition(
                *("by_protocol", "What was prescribed", text("protocol", "Protocol")),
                *(of_programs.splits["protocol"], of_programs.count),
                what="Programs",
            ),
            _by_condition(found["condition"], found["patients"]["all"], period.least),
            weekly,
        ),
        late=late,
        now=now,
    )


def _shown(found: dict[str, dict[str, int]], standings: dict[str, int], period: Period) -> tuple[Shown, Shown]:
    """Programs and patients, each in all their splits. Where one total is withheld so is the other: as a rule they are
    the same people.
    """
    programs = Cell(
        sum(standings.values()),
        {"standing": split(standings), "protocol": split(dict(sorted(found["protocol"].items())))},
    )
    patients = Cell(found["patients"]["all"], {"therapist": split(dict(sorted(found["therapist"].items())))})
    shown = [withhold(one, period.least) for one in (programs, patients)]
    if any(one.count is None for one in shown):
        # Less than there are to be: everything but zeros is withheld.
        shown = [withhold(one, max(one.count, 1) + 1) for one in (programs, patients)]
    return shown[0], shown[1]


def _counts(tx: Session, caller: Caller, now: datetime) -> dict[str, dict[str, int]]:
    """By what is counted: the standings as they were written, those that time has changed since by their forecast,
    therapists, protocols, conditions, and all patients: one statement.
    """
    running = (
        select(
            Program.id,
            Program.patient_id,
            func.coalesce(Program.protocol_slug, Program.own_protocol_slug, "own program").label("protocol"),
            func.coalesce(Account.name, "nobody").label("therapist"),
            Account.id.label("therapist_id"),
            ProgramStanding.standing,
            ProgramStanding.changes_at,
            cast(ProgramStanding.forecast, String).label("forecast"),
        )
        .join(Patient, and_(Patient.clinic_id == Program.clinic_id, Patient.id == Program.patient_id))
        .join(
            ProgramStanding,
            and_(ProgramStanding.clinic_id == Program.clinic_id, ProgramStanding.program_id == Program.id),
        )
        .join(Account, and_(Account.clinic_id == Patient.clinic_id, Account.id == Patient.therapist_id), isouter=True)
        .where(
            Program.clinic_id == caller.clinic_id,
            Patient.clinic_id == caller.clinic_id,
            ProgramStanding.clinic_id == caller.clinic_id,
            Program.status.in_(RUNNING),
            Patient.deleted_at.is_(None),
        )
        .cte("running")
    )
    holds = or_(running.c.changes_at.is_(None), running.c.changes_at > now)
    patients = func.count(running.c.patient_id.distinct())
    conditions = (
        select(literal("condition"), Condition.code, func.count(Condition.patient_id.distinct()))
        .where(
            Condition.clinic_id == caller.clinic_id,
            Condition.status != ConditionStatus.RESOLVED,
            Condition.patient_id.in_(select(running.c.patient_id)),
        )
        .group_by(Condition.code)
    )
    every = union_all(
        select(literal("standing").label("what"), cast(running.c.standing, String).label("name"), func.count())
        .where(holds)
        .group_by(running.c.standing),
        select(literal("changed"), running.c.forecast, func.count()).where(not_(holds)).group_by(running.c.forecast),
        select(literal("therapist"), running.c.therapist, patients).group_by(
            running.c.therapist_id, running.c.therapist
        ),
        select(literal("protocol"), running.c.protocol, func.count()).group_by(running.c.protocol),
        conditions,
        select(literal("patients"), literal("all"), patients),
    )
    found: dict[str, dict[str, int]] = {what: {} for what in _COUNTED}
    for what, name, number_of in tx.execute(every):
        # Two therapists may have one name.
        alike = sum(one == name or one.startswith(f"{name} (") for one in found[what]) if what == "therapist" else 0
        found[what][f"{name} ({alike + 1})" if alike else name] = int(number_of)
    return found


_COUNTED = ("standing", "changed", "therapist", "protocol", "condition", "patients")


def _by_condition(conditions: dict[str, int], patients: int, least: int) -> Table:
    """A patient may have several: the rows do not add up, and each stands against those who have it not."""
    rows: list[dict[str, Value]] = []
    for code, having in sorted(conditions.items()):
        split = {"having": Cell(having), "others": Cell(patients - having)}
        shown = withhold(Cell(patients, {"by": split}), least).splits["by"]["having"].count
        rows.append({"condition": code, "count": shown, "withheld": "count" if shown is None else None})
    return Table(
        name="by_condition",
        title="What they have",
        columns=(text("condition", "Condition"), count("count", "Patients"), WITHHELD),
        rows=rows,
        note="A patient with several conditions is in several rows.",
    )


def _weeks(tx: Session, caller: Caller, period: Period) -> tuple[Table, tuple[int, int]]:
    """The weeks; and how many sessions came late, of how many programs at least (the most of one week)."""
    first, last = period.mondays
    sums = [func.sum(getattr(ProgramWeek, name)).label(name) for name in _SUMS]
    tell = func.sum(case((ProgramWeek.pain_count > 0, 1), else_=0)).label("tell_pain")
    late_programs = func.sum(case((ProgramWeek.late > 0, 1), else_=0)).label("late_programs")
    rows = tx.execute(
        select(ProgramWeek.monday, func.count().label("programs"), tell, late_programs, *sums)
        .where(
            ProgramWeek.clinic_id == caller.clinic_id,
            ProgramWeek.monday >= first,
            ProgramWeek.monday <= last,
            # Weeks of silence at the end are persistence, not implementation. Seen from the period alone: who comes
            # back after it changes nothing of it.
            ProgramWeek.followed_on <= last,
        )
        .group_by(ProgramWeek.monday)
        .order_by(ProgramWeek.monday)
    ).mappings()
    told = [dict(row) for row in rows]
    table = Table(
        name="by_week",
        title="Week by week",
        columns=_WEEK,
        rows=[_week(row, period.least) for row in told],
        note="Whole weeks of the period; each program up to the week of its last session in it.",
    )
    late = sum(int(row["late"]) for row in told), max((int(row["late_programs"]) for row in told), default=0)
    return table, late


def _week(row: dict[str, Any], least: int) -> dict[str, Value]:
    if 0 < row["programs"] < least:
        hidden = [column.name for column in _WEEK if column.name not in {"monday", "withheld"}]
        return {"monday": row["monday"], **dict.fromkeys(hidden), "withheld": " ".join(hidden)}
    few_tell = 0 < row["tell_pain"] < least
    return {
        "monday": row["monday"],
        "programs": row["programs"],
        "expected": round(row["expected"] / UNIT, 2),
        "done": round(row["done"] / UNIT, 2),
        "frequency": _ratio(row["done"], row["expected"]),
        "items_expected": round(row["items_expected"] / UNIT, 2),
        "items_done": round(row["items_done"] / UNIT, 2),
        "completeness": _ratio(row["items_done"], row["items_expected"]),
        "dose_done": round(row["dose_sum"], 2),
        "dose_items": row["dose_count"],
        "dose": _ratio(row["dose_sum"], row["dose_count"]),
        "excluded_days": row["excluded_days"],
        "mean_pain": None if few_tell or not row["pain_count"] else round(row["pain_sum"] / row["pain_count"], 2),
        "withheld": "mean_pain" if few_tell else None,
    }


def _ratio(done: float, expected: float) -> float | None:
    return round(done / expected, 4) if expected else None
