"""De-identified exports: nothing that is searched for is found, and what research needs is still there."""

import json
import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.operations.pseudonyms import FURTHEST, Veil
from models.tables import Base, Export, ExportContent
from tests.builders import BORN, MONDAY, a_clinic, a_patient
from tests.exports.busy import EVENING, TYPED, Office, a_busy_clinic, asked_for

SALTS = st.binary(min_size=32, max_size=32)
DAYS = st.dates(date(2000, 1, 1), date(2099, 1, 1))
PSEUDONYM = re.compile(r"\b[0-9a-f]{32}\b")
CONTENTS = [content.value for content in ExportContent]


def ids_of(tx: Session, clinic_id: UUID) -> set[UUID]:
    """Every id in every row of the clinic."""
    found = set()
    for table in Base.metadata.sorted_tables:
        if "clinic_id" in table.c:
            for row in tx.execute(select(table).where(table.c.clinic_id == clinic_id)):
                found |= {value for value in row if isinstance(value, UUID)}
    return found


@pytest.mark.parametrize("content", CONTENTS)
def test_nothing_that_is_searched_for_is_found(office: Office, content: str) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        a_busy_clinic(tx, ines)
        ids = ids_of(tx, ines.clinic_id)
    assert len(ids) > 30
    as_it_is = office.have(ines, content).decode()
    text = office.have(ines, content, de_identified=True).decode()
    looked_for = {*TYPED, *(str(id_) for id_ in ids), *(id_.hex for id_ in ids), BORN.isoformat()}
    assert any(word in as_it_is for word in looked_for)  # it would be found
    assert [word for word in looked_for if word.lower() in text.lower()] == []
    if content not in {"flags", "weeks"}:  # their days lie weeks apart: one may be moved to where another was
        days = [(MONDAY + timedelta(days=number)).isoformat() for number in range(7)]
        assert any(day in as_it_is for day in days)
        assert [day for day in days if day in text] == []


def by_person(rows: list[dict[str, Any]], name: str) -> list[list[Any]]:
    found = defaultdict(list)
    for row in rows:
        found[row["patient_id"]].append(row[name])
    return [sorted(told) for told in found.values()]


@pytest.mark.parametrize(
    ("content", "name", "read"),
    [
        ("sessions", "local_date", date),
        ("sessions", "performed_at", datetime),
        ("flags", "opened_at", datetime),
        ("weeks", "monday", date),
    ],
)
def test_weekdays_and_intervals_stay_and_no_day_does(office: Office, content: str, name: str, read: type[date]) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        a_busy_clinic(tx, ines)
    shapes, firsts = [], []
    for hidden in (False, True):
        people = by_person(office.rows(ines, content, de_identified=hidden), name)
        days = [[read.fromisoformat(value) for value in person] for person in people]
        shapes.append(sorted([(day - person[0], day.weekday()) for day in person] for person in days))
        firsts.append({person[0] for person in days})
    assert shapes[0] == shapes[1]
    assert len(shapes[0]) == 2
    assert not firsts[0] & firsts[1]  # both began on the same day


def test_of_the_words_only_known_ones_stay(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        a_busy_clinic(tx, ines)
    sessions = office.rows(ines, de_identified=True)
    assert {row["chips"] for row in sessions} == {"[]", '["fall"]'}
    assert {row["reason"] for row in sessions} == {None, "other"}
    assert {row["reason"] for row in office.rows(ines, "entries", de_identified=True)} == {"other"}
    assert sorted(row["pain_during"] for row in sessions) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_two_exports_share_no_pseudonym_and_within_one_a_person_has_one(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        a_busy_clinic(tx, ines)
    one, two = (office.have(ines, "sessions", de_identified=True).decode() for _ in range(2))
    found = set(PSEUDONYM.findall(one)), set(PSEUDONYM.findall(two))
    assert len(found[0]) == len(found[1]) == 2 + 2 + 10  # patients, programs, sessions
    assert not found[0] & found[1]
    assert len({json.loads(line)["patient_id"] for line in one.splitlines()}) == 2


def test_the_salt_is_there_while_it_is_written_and_nowhere_afterwards(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        a_busy_clinic(tx, ines)
        ids = [asked_for(tx, ines, de_identified=True), asked_for(tx, ines, de_identified=False)]

    def salts() -> list[bytes | None]:
        with office.database.reading() as tx:
            stmt = select(Export.salt).where(Export.clinic_id == ines.clinic_id)
            return [tx.scalars(stmt.where(Export.id == export_id)).one() for export_id in ids]

    salt, none = salts()
    assert none is None
    assert salt is not None
    assert len(salt) == 32
    office.exporter().work([ines.clinic_id], seconds=0)
    assert salts()[0] == salt
    office.exporter().work([ines.clinic_id])
    assert salts() == [None, None]


def test_an_export_that_fails_forgets_its_salt(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        export_id = asked_for(tx, ines, de_identified=True)
    office.folder.write_text("a file where the folder should be")
    office.exporter().work([ines.clinic_id])
    with office.database.reading() as tx:
        stmt = select(Export.salt).where(Export.clinic_id == ines.clinic_id, Export.id == export_id)
        assert tx.scalars(stmt).one() is None


def test_a_person_stays_the_same_wherever_the_export_was_stopped(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        a_busy_clinic(tx, ines)
        asked_for(tx, ines, de_identified=True)
    while not office.exporter().work([ines.clinic_id], seconds=0):
        pass
    (path,) = office.folder.iterdir()
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert len(rows) == 10
    assert len({row["patient_id"] for row in rows}) == 2


def test_ages_are_years_and_the_oldest_are_one_group(office: Office) -> None:
    with office.database.writing() as tx:
        ines = a_clinic(tx)
        for born in (date(1935, 12, 31), date(1936, 1, 1), date(1990, 6, 1), None):
            a_patient(tx, ines, birth_date=born)
    rows = office.rows(ines, "patients", de_identified=True)
    told = {(row["birth_year"], row["is_90_or_older"]) for row in rows}
    assert EVENING.year == 2025
    assert told == {(None, True), (1936, False), (1990, False), (None, None)}


@given(SALTS, st.uuids(), st.lists(DAYS, min_size=2, max_size=5))
def test_a_persons_days_are_moved_together_by_whole_weeks(salt: bytes, patient_id: UUID, days: list[date]) -> None:
    veil = Veil(salt, MONDAY)
    (by,) = {veil.moved(day, patient_id) - day for day in days}
    assert by.days % 7 == 0
    assert 1 <= abs(by.days) // 7 <= FURTHEST
    noon = datetime(2025, 3, 3, 12, tzinfo=UTC)
    assert veil.moved(noon, patient_id) - noon == by


def test_people_are_moved_by_every_number_of_weeks_alike() -> None:
    veil = Veil(b"salt" * 8, MONDAY)
    moved = [(veil.moved(MONDAY, UUID(int=number)) - MONDAY).days // 7 for number in range(5_200)]
    counts = {weeks: moved.count(weeks) for weeks in set(moved)}
    assert set(counts) == {*range(-FURTHEST, 0), *range(1, FURTHEST + 1)}
    assert max(counts.values()) < 2 * min(counts.values())  # 100 each, give or take


@given(SALTS, SALTS, st.uuids(), st.uuids())
def test_pseudonyms_are_one_to_one_and_of_their_salt(salt: bytes, other: bytes, one: UUID, two: UUID) -> None:
    veil = Veil(salt, MONDAY)
    assert (veil.pseudonym(one) == veil.pseudonym(two)) == (one == two)
    assert (veil.pseudonym(one) == Veil(other, MONDAY).pseudonym(one)) == (salt == other)
    assert PSEUDONYM.fullmatch(veil.pseudonym(one))
