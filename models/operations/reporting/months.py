"""A closed month, kept as it was told: what arrives later makes the next version, which says what changed."""

from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.reporting.basis import period_of
from models.operations.reporting.catalogue import REPORTS
from models.refusals import Invalid, Unknown
from models.reports.tables import Report
from models.tables import Clinic, ReportVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A month's report in every version, the latest last."""

    kind: str
    month: date
    """Its first day."""
    versions: Sequence[ReportVersion]


def month_of(
    tx: Session,
    caller: Caller,
    kind: str,
    month: date,
    content_of: Callable[[Report], dict[str, Any]],
    *,
    now: datetime,
) -> Month:
    """The versions of a closed month's report, the present one among them: where what is known now differs from the
    latest, or there is none, it is kept as the next. `content_of` turns a report into what is kept.
    """
    monthly = REPORTS[kind].monthly if kind in REPORTS else None
    if monthly is None:
        kept = ", ".join(name for name, one in REPORTS.items() if one.monthly is not None)
        raise Unknown(f"No monthly report {kind}; there are {kept}.")
    # Whoever asks second waits for the first: a version is written once.
    tx.execute(select(Clinic.id).where(Clinic.id == caller.clinic_id).with_for_update(key_share=True))
    first = month.replace(day=1)
    last = first.replace(day=monthrange(first.year, first.month)[1])
    period = period_of(tx, caller, first, last, now=now)
    if period.today <= last:
        raise Invalid("The month has not ended.", field="/month")
    versions = list(_versions(tx, caller, kind, first))
    made = REPORTS[kind].make(tx, caller, period, now=now)
    content = content_of(replace(made, tables=[table for table in made.tables if table.name in monthly]))
    said = _comparable(content)
    if not versions or _comparable(versions[-1].content) != said:
        changes = _changes(versions[-1].content, content) if versions else []
        new = ReportVersion(
            clinic_id=caller.clinic_id,
            kind=kind,
            month=first,
            version=len(versions) + 1,
            content=content,
            changes=changes,
            created_at=now,
        )
        tx.add(new)
        versions.append(new)
    return Month(kind=kind, month=first, versions=versions)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where the clinic withholds other counts than before, only that: value by value it would tell what is withheld."""
    if before["smallest_cell"] != after["smallest_cell"]:
        return [_of_whole("smallest_cell", before, after)]
    late = [] if before["late_items"] == after["late_items"] else [_of_whole("late_items", before, after)]
    return [*late, *differences(before, after)]


def _of_whole(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {"table": "", "row": "", "column": name, "was": before[name], "now": after[name]}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What changed between two contents, value by value; a row is named by its first column."""
    found = []
    old = {table["name"]: table for table in before["tables"]}
    for table in after["tables"]:
        key = table["columns"][0]["name"]
        rows = {row[key]: row for row in old.get(table["name"], {"rows": []})["rows"]}
        now_rows = {row[key]: row for row in table["rows"]}
        for name in dict.fromkeys([*rows, *now_rows]):
            was, now = rows.get(name, {}), now_rows.get(name, {})
            found += [
                {
                    "table": table["name"],
                    "row": str(name),
                    "column": column,
                    "was": was.get(column),
                    "now": now.get(column),
                }
                for column in dict.fromkeys([*was, *now])
                if was.get(column) != now.get(column)
            ]
    return found


def _versions(tx: Session, caller: Caller, kind: str, month: date) -> Sequence[ReportVersion]:
    return tx.scalars(
        select(ReportVersion)
        .where(ReportVersion.clinic_id == caller.clinic_id, ReportVersion.kind == kind, ReportVersion.month == month)
        .order_by(ReportVersion.version)
    ).all()


def _comparable(content: Mapping[str, Any]) -> dict[str, Any]:
    """Without the moment at which it was looked at."""
    return {name: value for name, value in content.items() if name != "data_through"}
