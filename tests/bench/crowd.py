"""Many patients who did what one did: copies of a program and its sessions, written in bulk."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from models.tables import (
    Base,
    Item,
    Patient,
    Phase,
    Program,
    ProgramStanding,
    ProgramWeek,
    Revision,
    SessionEntry,
    SessionLog,
)

OF_PATIENT: tuple[type[Base], ...] = (SessionLog, SessionEntry)
OF_PROGRAM: tuple[type[Base], ...] = (Revision, Phase, Item)
COUNTED: tuple[type[Base], ...] = (ProgramStanding, ProgramWeek)
CHUNK = 5_000


def many_like(tx: Session, program: Program, copies: int, *, counted: bool = False) -> list[UUID]:
    """The programs of so many new patients of the same clinic, alike in all but their ids; flags are left to whoever
    counts anew, standings and weeks too, unless they are copied (`counted`) in the place of the sessions.
    """
    people = [(uuid4(), uuid4()) for _ in range(copies)]
    for table, rows in _rows(tx, program, counted=counted):
        written = _copies(rows, program, people)
        while chunk := list(islice(written, CHUNK)):
            tx.execute(insert(table), chunk)
    return [program_id for _, program_id in people]


def more_sessions(tx: Session, program: Program, copies: int) -> None:
    """So many more sessions of a program, each with its entries and alike to its first in all but the id."""
    first = tx.scalars(
        select(SessionLog.id)
        .where(SessionLog.clinic_id == program.clinic_id, SessionLog.program_id == program.id)
        .order_by(SessionLog.id)
        .limit(1)
    ).one()
    ids = [uuid4() for _ in range(copies)]
    for kind, name in ((SessionLog, "id"), (SessionEntry, "session_id")):
        table = kind.__table__
        assert isinstance(table, Table)
        of_first = (
            table.c.clinic_id == program.clinic_id,
            table.c.patient_id == program.patient_id,
            table.c[name] == first,
        )
        rows = tx.execute(select(table).where(*of_first)).mappings().all()
        written = ({**row, name: id_} for id_ in ids for row in rows)
        while chunk := list(islice(written, CHUNK)):
            tx.execute(insert(table), chunk)


def _rows(tx: Session, program: Program, *, counted: bool) -> Iterator[tuple[Table, Sequence[Any]]]:
    keys: list[tuple[type[Base], str, UUID]] = [(Patient, "id", program.patient_id), (Program, "id", program.id)]
    keys += [(table, "program_id", program.id) for table in (*OF_PROGRAM, *(COUNTED if counted else ()))]
    keys += [(table, "patient_id", program.patient_id) for table in (() if counted else OF_PATIENT)]
    for kind, name, value in keys:
        table = kind.__table__
        assert isinstance(table, Table)
        stmt = select(table).where(table.c.clinic_id == program.clinic_id, table.c[name] == value)
        yield table, tx.execute(stmt).mappings().all()


def _copies(rows: Sequence[Any], program: Program, people: Sequence[tuple[UUID, UUID]]) -> Iterator[dict[str, Any]]:
    for patient_id, program_id in people:
        # Sessions may keep their ids: their keys hold the patient's.
        ids = {program.patient_id: patient_id, program.id: program_id}
        for row in rows:
            changed = {
                name: ids[row[name]] for name in ("id", "patient_id", "program_id") if name in row and row[name] in ids
            }
            yield {**row, **changed}
