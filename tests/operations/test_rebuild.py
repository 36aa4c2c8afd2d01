"""Whatever happens to a program, in whatever order: what was written step by step is what a rebuild would write."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from hypothesis import HealthCheck, example, given, settings, strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.database import Database
from models.operations import prescribing, programs, sweep
from models.operations.callers import Caller
from models.operations.handling import DISPOSITION, Handled, close
from models.operations.sessions import Deletion, EntryReport, Outcome, SessionReport, record_sessions
from models.refusals import Refusal
from models.tables import DoneShare, Flag, PauseReason, Program
from tests.builders import (
    ALL_WARNINGS,
    DAY,
    MONDAY,
    NOON,
    a_clinic,
    a_dosage,
    a_draft,
    a_patient,
    a_program,
    a_report,
    discharged,
    screened,
)


@dataclass
class Life:
    """One patient's program, and what of it can still be changed."""

    tx: Session
    ines: Caller
    patient_id: UUID
    program_id: UUID
    logged: list[SessionReport]
    now: datetime = NOON


Deed = Callable[[Life, int, int], object]


def log(life: Life, age: int, share: int) -> None:
    """Done on a day before today, all of it, some, or nothing; now and then it hurt."""
    day = max(MONDAY, (life.now - age * DAY).date())
    done = [DoneShare.ALL, DoneShare.ALL, DoneShare.SOME, DoneShare.NONE][share % 4]
    said = a_report(
        life.program_id,
        day,
        done=done,
        pain_during=share if share % 3 == 0 else None,
        reason=["no_time", "symptoms_worse", None][share % 3] if done is not DoneShare.ALL else None,
        chips=["not_sure"] if share == 5 else [],
    )
    (result,) = record_sessions(life.tx, life.ines, [said], now=life.now)
    if result.outcome is Outcome.CREATED:
        life.logged.append(replace(said, base_version=1))


def edit(life: Life, which: int, pain: int) -> None:
    """A session said anew, with another day's pain or one exercise left out."""
    if life.logged:
        place = which % len(life.logged)
        known = life.logged[place]
        lines = prescribing.course(life.tx, life.ines, known.program_id).items
        left_out = [EntryReport(line_id=lines[0].line_id, skipped=True)] if pain % 2 else []
        said = replace(known, pain_during=pain, entries=left_out, done=DoneShare.SOME if left_out else known.done)
        (result,) = record_sessions(life.tx, life.ines, [said], now=life.now)
        if result.outcome is Outcome.UPDATED and result.version is not None:
            life.logged[place] = replace(said, base_version=result.version)


def delete(life: Life, which: int, _: int) -> None:
    if life.logged:
        known = life.logged.pop(which % len(life.logged))
        assert known.base_version is not None
        said = Deletion(id=known.id, base_version=known.base_version, program_id=known.program_id)
        record_sessions(life.tx, life.ines, [said], now=life.now)


def revise(life: Life, days_per_week: int, ahead: int) -> None:
    known = prescribing.course(life.tx, life.ines, life.program_id)
    dosage = a_dosage(weekdays=None, days_per_week=1 + days_per_week % 7)
    draft = prescribing.RevisionDraft(
        phases=a_draft(dosage, a_dosage()).phases, effective_on=known.local_today(life.now) + ahead % 4 * DAY
    )
    prescribing.revise(
        life.tx, life.ines, life.program_id, draft, ALL_WARNINGS, version=known.program.version, now=life.now
    )


def pause(life: Life, ahead: int, days: int) -> None:
    first = life.now.date() + (ahead - 3) * DAY
    programs.pause(
        life.tx,
        life.ines,
        life.program_id,
        from_on=first,
        to_on=first + days * DAY,
        reason=PauseReason.HOLIDAY,
        now=life.now,
    )


def resume(life: Life, _: int, __: int) -> None:
    programs.resume(life.tx, life.ines, life.program_id, now=life.now)


def flare(life: Life, back: int, days: int) -> None:
    first = max(MONDAY, life.now.date() - back % 3 * DAY)
    programs.declare_flare(
        life.tx,
        life.ines,
        life.program_id,
        from_on=first,
        to_on=first + days * DAY,
        joints=["knee"],
        note=None,
        now=life.now,
    )


def end_flare(life: Life, which: int, _: int) -> None:
    flares = prescribing.course(life.tx, life.ines, life.program_id).flares
    if flares:
        one = flares[which % len(flares)]
        programs.end_flare(life.tx, life.ines, life.program_id, one.id, now=life.now)


def handle(life: Life, which: int, _: int) -> None:
    """A therapist closes one of the flags that are open."""
    flags = life.tx.scalars(
        select(Flag)
        .where(Flag.clinic_id == life.ines.clinic_id, Flag.closed_at.is_(None), Flag.opens_at <= life.now)
        .where(Flag.kind.not_in(DISPOSITION))
        .order_by(Flag.kind)
        .execution_options(populate_existing=True)
    ).all()
    if flags:
        flag = flags[which % len(flags)]
        close(life.tx, life.ines, flag.id, Handled.HANDLED, None, version=flag.version, now=life.now)


def screen(life: Life, _: int, __: int) -> None:
    screened(life.tx, life.ines, life.patient_id, now=life.now)


def look_at(life: Life, _: int, __: int) -> None:
    programs.review(life.tx, life.ines, life.program_id, note=None, next_review_on=None, now=life.now)


def go_home(life: Life, _: int, __: int) -> None:
    """Discharged: what is logged from now on is the maintenance program's."""
    draft = prescribing.ProgramDraft(phases=a_draft().phases)
    life.program_id = discharged(life.tx, life.ines, life.program_id, draft, now=life.now).id


def stop(life: Life, _: int, __: int) -> None:
    programs.stop(life.tx, life.ines, life.program_id, reason="no_time", now=life.now)


OFTEN: tuple[Deed, ...] = (log, log, log, log, log, edit, delete, revise, pause, resume, flare, end_flare, handle)
SELDOM: tuple[Deed, ...] = (screen, look_at, go_home, stop)
deeds = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from([*OFTEN * 2, *SELDOM]), st.integers(0, 9), st.integers(0, 9)),
    max_size=24,
)

EVERYTHING: list[tuple[int, Deed, int, int]] = [
    *[(1, log, 0, 6)] * 3,
    (0, edit, 1, 8),
    (1, delete, 0, 0),
    (2, screen, 0, 0),
    (0, handle, 0, 0),
    (1, pause, 3, 5),
    (2, resume, 0, 0),
    (1, flare, 0, 6),
    (2, end_flare, 0, 0),
    (1, revise, 3, 2),
    (5, log, 2, 3),
    (1, look_at, 0, 0),
    (1, go_home, 0, 0),
    (6, log, 1, 1),
    (1, stop, 0, 0),
]
AFTER_A_SILENCE: list[tuple[int, Deed, int, int]] = [(1, log, 0, 0), *[(6, screen, 0, 0)] * 4, (1, log, 0, 0)]
"""The weeks of the silence were followed after all."""
NOT_AFTER_ALL = [*AFTER_A_SILENCE, (0, delete, 1, 0)]


def test_what_was_written_step_by_step_is_what_a_rebuild_writes(shared_database: Database) -> None:
    done: Counter[Deed] = Counter()

    @settings(max_examples=25, suppress_health_check=[HealthCheck.data_too_large])
    @example(EVERYTHING)
    @example(AFTER_A_SILENCE)
    @example(NOT_AFTER_ALL)
    @given(deeds)
    def live(told: list[tuple[int, Deed, int, int]]) -> None:
        with shared_database.writing() as tx:
            done.update(one_life(tx, told))
            tx.rollback()

    live()
    assert {*OFTEN, *SELDOM} <= done.keys()  # one that is always refused would prove nothing


def one_life(tx: Session, told: list[tuple[int, Deed, int, int]]) -> list[Deed]:
    """What was not refused of it, after a rebuild has been shown to change nothing."""
    ines = a_clinic(tx)
    person = a_patient(tx, ines)
    flare_plan = prescribing.Flare(items=a_draft().phases[0].items)
    draft = a_draft(a_dosage(), a_dosage(weekdays=None, days_per_week=3), flare=flare_plan)
    life = Life(tx, ines, person.id, a_program(tx, ines, person, draft).program.id, [])
    done = []
    for gap, deed, one, other in told:
        life.now += gap * DAY
        try:
            with tx.begin_nested():
                deed(life, one, other)
            done.append(deed)
        except Refusal:
            pass  # what is refused leaves everything as it was
    every = tx.scalars(select(Program.id).where(Program.clinic_id == ines.clinic_id).order_by(Program.id)).all()
    assert sweep.misjudged(tx, ines.clinic_id, every) == []
    for later in (0, 5, 40):
        sweep.reassess(tx, ines.clinic_id, every, now=life.now + later * DAY)
        assert sweep.reassess(tx, ines.clinic_id, every, now=life.now + later * DAY) == []
    return done
