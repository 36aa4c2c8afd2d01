"""How far the numbers of a period can be relied on: what came late or not at all, and whose phones are out of touch."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, case, func, select, true
from sqlalchemy.orm import Session

from models.adherence.weeks import LATE_AFTER
from models.operations.callers import Caller
from models.operations.prescribing import RUNNING
from models.operations.rejects import KEPT, has_landed
from models.operations.reporting.basis import Period, begins, count, marked, partition, report, share, split, text
from models.operations.sessions import LOW_TRUST_AFTER
from models.reports.tables import WITHHELD, Column, ColumnKind, Definition, Report, Table, Value
from models.reports.withheld import Cell, withhold
from models.tables import Device, Patient, Program, ProgramWeek, RejectedSession, SessionLog

DAY = timedelta(days=1)
_IN_TOUCH = {1: "today or yesterday", 7: "2 to 7 days ago", 30: "8 to 30 days ago"}
"""So many days back from today at most → how it is said."""
_LONGER, _NEVER, _NO_PHONE = "longer ago", "never", "no phone"
_LATE_HOURS = LATE_AFTER // timedelta(hours=1)

DEFINITIONS = (
    Definition(
        id="sessions_received",
        version=1,
        says="Sessions of the period's days that have come by now, those in which nothing was done and those taken back"
        " since included.",
        source="Followthrough",
    ),
    Definition(
        id="late",
        version=1,
        says=f"Sessions with exercise that took more than {_LATE_HOURS} hours to arrive, of all those with exercise in"
        " the whole weeks, Monday to Sunday, within the period.",
        source="Followthrough",
    ),
    Definition(
        id="dated_back",
        version=1,
        says=f"Sessions entered more than {LOW_TRUST_AFTER.days} days after they were done: what is remembered for so"
        " long is trusted less.",
        source="Followthrough",
    ),
    Definition(
        id="changed_since",
        version=1,
        says="Sessions that were amended, and not taken back, and sessions that were taken back. Every earlier version"
        " is kept.",
        source="Followthrough",
    ),
    Definition(
        id="rejected",
        version=1,
        says="What was sent within the period and could not be stored. It has landed when its session was stored since,"
        f" or when it was said again with success. Rejected items are kept for {KEPT.days} days.",
        source="Followthrough",
    ),
    Definition(
        id="phone_in_touch",
        version=1,
        says="When a phone last sent or fetched anything. A patient with several phones counts with the one last in"
        " touch; phones that were shut out do not count.",
        source="Followthrough",
    ),
)


@dataclass(frozen=True, slots=True)
class _Came:
    """Sessions of some days, and how many of them were something."""

    what: str
    from_on: date
    to_on: date
    sessions: int
    such: int
    people: int
    """With sessions on those days."""
    people_such: int


def data_quality_report(tx: Session, caller: Caller, period: Period, *, now: datetime) -> Report:
    """How sessions came in a period, what was rejected, and how phones are in touch now: three statements."""
    came, late = _came(tx, caller.clinic_id, period)
    table = _sessions_table(came, period.least)
    if any("such" in str(row["withheld"]).split() for row in table.rows if row["what"] == "late"):
        late = late[0], 1  # what the table withholds is not told beside it
    return report(
        tx,
        caller,
        period,
        kind="data-quality",
        title="How far the data can be relied on",
        definitions=DEFINITIONS,
        tables=[
            table,
            _rejected_table(tx, caller.clinic_id, period),
            _phones_table(tx, caller.clinic_id, period),
        ],
        late=late,
        now=now,
    )


def _came(tx: Session, clinic_id: UUID, period: Period) -> tuple[list[_Came], tuple[int, int]]:
    """How sessions came, and how many of them late, of how many programs."""
    live = SessionLog.deleted_at.is_(None)
    ways = {
        "dated back": and_(live, SessionLog.low_trust),
        "amended": and_(live, SessionLog.version > 1),
        "taken back": ~live,
    }
    of_sessions = (
        select(
            func.count().label("sessions"),
            func.count(SessionLog.patient_id.distinct()).label("patients"),
            *(func.count(case((way, 1))).label(f"such_{place}") for place, way in enumerate(ways.values())),
            *(
                func.count(case((way, SessionLog.patient_id)).distinct()).label(f"patients_{place}")
                for place, way in enumerate(ways.values())
            ),
        )
        .where(
            SessionLog.clinic_id == clinic_id,
            SessionLog.local_date >= period.from_on,
            SessionLog.local_date <= period.to_on,
        )
        .subquery()
    )
    first, last = period.mondays
    of_weeks = (
        select(
            func.coalesce(func.sum(ProgramWeek.sessions), 0).label("done"),
            func.coalesce(func.sum(ProgramWeek.late), 0).label("late"),
            func.count(case((ProgramWeek.sessions > 0, ProgramWeek.program_id)).distinct()).label("programs"),
            func.count(case((ProgramWeek.late > 0, ProgramWeek.program_id)).distinct()).label("programs_late"),
        )
        .where(ProgramWeek.clinic_id == clinic_id, ProgramWeek.monday >= first, ProgramWeek.monday <= last)
        .subquery()
    )
    # Each is one row; side by side they are one statement.
    row = tuple(tx.execute(select(of_sessions, of_weeks).select_from(of_sessions).join(of_weeks, true())).one())
    sessions, patients, *counted, done, late, programs, programs_late = row
    such, patients_such = counted[: len(ways)], counted[len(ways) :]
    found = [_Came("late", first, last + 6 * DAY, done, late, programs, programs_late)]
    for what, some, of_whom in zip(ways, such, patients_such, strict=True):
        found.append(_Came(what, period.from_on, period.to_on, sessions, some, patients, of_whom))
    # Without a whole week, nothing is said of late ones.
    return found if first <= last else found[1:], (int(late), programs_late)


def _sessions_table(came: Sequence[_Came], least: int) -> Table:
    rows = []
    for one in came:
        split = {"such": Cell(one.people_such), "others": Cell(one.people - one.people_such)}
        shown = withhold(Cell(one.people, {"by": split}), least)
        hidden = {"sessions", "people"} if shown.count is None else set()
        if shown.splits["by"]["such"].count is None:
            hidden |= {"such", "share", "people_such"}
        row: dict[str, Value] = {
            "what": one.what,
            "from_on": one.from_on,
            "to_on": one.to_on,
            "sessions": one.sessions,
            "such": one.such,
            "share": one.such / one.sessions if one.sessions else None,
            "people": one.people,
            "people_such": one.people_such,
        }
        rows.append(marked(row, hidden))
    return Table(
        name="sessions",
        title="How sessions came",
        columns=(
            text("what", "Sessions that were"),
            Column(name="from_on", title="From", kind=ColumnKind.DATE),
            Column(name="to_on", title="To", kind=ColumnKind.DATE),
            count("sessions", "Sessions received of these days"),
            count("such", "Of them such"),
            share("share", "Share of them"),
            count("people", "Patients with sessions (late ones: programs)"),
            count("people_such", "Of them with such sessions"),
            WITHHELD,
        ),
        rows=rows,
        note="Late sessions are counted by whole weeks, of sessions with exercise alone; the others day by day. A late"
        " session is no wrong one: a phone may have been without a network.",
    )


def _rejected_table(tx: Session, clinic_id: UUID, period: Period) -> Table:
    of_sender = (
        select(
            RejectedSession.code,
            func.count().label("kept"),
            func.count(case((has_landed(), RejectedSession.id))).label("landed"),
        )
        .where(
            RejectedSession.clinic_id == clinic_id,
            RejectedSession.received_at >= period.starts_at,
            RejectedSession.received_at < period.ends_at,
        )
        .group_by(RejectedSession.code, RejectedSession.account_id)
        .subquery()
    )
    waits = of_sender.c.landed < of_sender.c.kept
    found = tx.execute(
        select(
            of_sender.c.code,
            func.sum(of_sender.c.kept),
            func.sum(of_sender.c.landed),
            func.count(),
            func.count(case((waits, 1))),
        )
        .group_by(of_sender.c.code)
        .order_by(of_sender.c.code)
    )
    rows = []
    for code, items, landed, people, waiting in found:
        split = {"waiting": Cell(waiting), "landed": Cell(people - waiting)}
        shown = withhold(Cell(people, {"by": split}), period.least)
        row: dict[str, Value] = {
            "code": code,
            "items": int(items),
            "landed": int(landed),
            "waiting": int(items - landed),
            "people": people,
            "people_waiting": waiting,
        }
        hidden = {"items", "people"} if shown.count is None else set()
        if any(part.count is None for part in shown.splits["by"].values()):
            hidden |= {name for name in ("landed", "waiting", "people_waiting") if row[name]}
        rows.append(marked(row, hidden))
    return Table(
        name="rejected",
        title="What could not be stored",
        columns=(
            text("code", "Why it was rejected"),
            count("items", "Items rejected"),
            count("landed", "Items landed since"),
            count("waiting", "Items still waiting"),
            count("people", "People who sent them"),
            count("people_waiting", "People of whom something still waits"),
            WITHHELD,
        ),
        rows=rows,
        note=f"Rejected items are kept for {KEPT.days} days; of earlier days there are none left to count. Whoever met"
        " several reasons is counted with each.",
    )


def _phones_table(tx: Session, clinic_id: UUID, period: Period) -> Table:
    phones = (
        select(Device.account_id, func.max(Device.last_sync_at).label("last_sync_at"))
        .where(Device.clinic_id == clinic_id, Device.revoked_at.is_(None))
        .group_by(Device.account_id)
        .subquery()
    )
    runs = (
        select(Program.id)
        .where(Program.clinic_id == clinic_id, Program.patient_id == Patient.id, Program.status.in_(RUNNING))
        .exists()
    )
    in_touch = case(
        (phones.c.account_id.is_(None), _NO_PHONE),
        (phones.c.last_sync_at.is_(None), _NEVER),
        *(
            (phones.c.last_sync_at >= begins(period.today - days * DAY, period.zone), said)
            for days, said in _IN_TOUCH.items()
        ),
        else_=_LONGER,
    )
    patients = (
        select(in_touch.label("in_touch"))
        .select_from(Patient)
        .join(phones, phones.c.account_id == Patient.account_id, isouter=True)
        .where(Patient.clinic_id == clinic_id, Patient.deleted_at.is_(None), runs)
        .subquery()
    )
    found = Counter[str]()
    for said, number in tx.execute(select(patients.c.in_touch, func.count()).group_by(patients.c.in_touch)):
        found[said] = number
    counts = {said: found[said] for said in (*_IN_TOUCH.values(), _LONGER, _NEVER, _NO_PHONE)}
    shown = withhold(Cell(sum(counts.values()), {"in_touch": split(counts)}), period.least)
    return partition(
        "phones",
        "Phones of patients with a running program, by when they were last in touch",
        text("in_touch", "Phone last in touch"),
        shown.splits["in_touch"],
        shown.count,
        what="Patients with a running program",
        note="As it is now, whatever the period. A phone out of touch may hold sessions that are not in any number"
        " here; without a phone, sessions are written down by the clinic or not at all.",
    )
