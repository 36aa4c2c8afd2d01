"""One patient's whole record: nothing is forgotten, nothing is told that is a secret, and it is of one moment."""

import csv
import gc
import io
import json
import tracemalloc
from datetime import timedelta
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from sqlalchemy import LargeBinary, insert
from sqlalchemy.orm import Session

from api.exports.records import TOLD, write_record
from models.database import Database
from models.operations import erasure
from models.operations.records import NOT_OF_PATIENTS, PARTS, count, kept_in, record_of
from models.operations.sessions import record_sessions
from models.tables import Base, Contact, Role
from tests.builders import NOON, a_clinic, a_member, a_patient, a_program, a_report, a_token, bearer
from tests.conftest import Clock
from tests.fuzz.knocking import Asked, knock
from tests.rights.whole import EVENING, SAID, Story, a_whole_record

TABLES = sorted(table.name for table in Base.metadata.sorted_tables if table.info["placement"] != "reference")


@pytest.fixture
def story(database: Database, clock: Clock) -> Story:
    clock.now = EVENING
    with database.writing() as tx:
        return a_whole_record(tx)


def fetched(client: httpx.Client, story: Story, headers: dict[str, str]) -> ZipFile:
    answer = client.get(f"/v1/patients/{story.patient_id}/export", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "private, no-store"
    assert int(answer.headers["content-length"]) == len(answer.content)
    return ZipFile(io.BytesIO(answer.content))


@pytest.fixture
def archive(client: httpx.Client, database: Database, story: Story) -> ZipFile:
    with database.writing() as tx:
        headers = bearer(a_token(tx, story.ines, now=EVENING))
    return fetched(client, story, headers)


def lines(archive: ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode(), newline="")))


def tables(archive: ZipFile) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = json.loads(archive.read("record.json"))["tables"]
    return told


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_part_of_a_record_or_is_known_not_to_be(table: str) -> None:
    assert (table in {part.name for part in PARTS}) != (table in NOT_OF_PATIENTS)


def test_no_table_is_named_that_is_not_there() -> None:
    named = [part.name for part in PARTS] + list(NOT_OF_PATIENTS)
    assert sorted(named) == TABLES


def test_there_is_something_of_the_patient_in_every_table(tx: Session) -> None:
    story = a_whole_record(tx)
    record = record_of(tx, story.clinic_id, story.patient_id)
    assert {part.name: count(tx, part, record) > 0 for part in PARTS} == {part.name: True for part in PARTS}


def test_every_row_of_every_table_turns_up_in_both_forms(archive: ZipFile, database: Database, story: Story) -> None:
    told = tables(archive)
    assert list(told) == [part.name for part in TOLD]
    with database.reading() as tx:
        record = record_of(tx, story.clinic_id, story.patient_id)
        for part in TOLD:
            there = count(tx, part, record)
            assert len(told[part.name]) == len(lines(archive, part.name)) == there > 0, part.name
    assert set(archive.namelist()) == {"README.txt", "record.json", *(f"{part.name}.csv" for part in TOLD)}
    assert archive.testzip() is None


def test_every_column_is_told_but_secrets(archive: ZipFile) -> None:
    told = tables(archive)
    for part in TOLD:
        known = {column.name for column in kept_in(part.table).columns if not isinstance(column.type, LargeBinary)}
        assert known - set(told[part.name][0]) <= {"clinic_id", "password_hash"}
        assert set(told[part.name][0]) == set(lines(archive, part.name)[0])


def test_every_word_that_was_said_is_in_it(archive: ZipFile) -> None:
    whole = archive.read("record.json").decode()
    sheets = "".join(archive.read(f"{part.name}.csv").decode() for part in TOLD)
    for word in SAID:
        assert word in whole, word
        assert word in sheets, word


def test_no_secret_is_in_it(archive: ZipFile) -> None:
    names = " ".join(name for rows in tables(archive).values() for row in rows for name in row)
    for secret in ("hash", "salt", "secret", "sealed", "cursor_key"):
        assert secret not in names


def test_the_readme_says_what_each_file_is(archive: ZipFile) -> None:
    said = archive.read("README.txt").decode()
    for part in TOLD:
        assert f"{part.name}.csv" in said
        assert part.says in said
    for part in PARTS:
        assert part.untold is None or f"{part.name}: {part.untold}" in said


def test_a_patient_has_the_same_copy_and_a_carer_has_none(
    client: httpx.Client, clock: Clock, database: Database, story: Story
) -> None:
    clock.now = NOON + timedelta(minutes=10)
    assert "week words" in fetched(client, story, bearer(story.phone)).read("record.json").decode()
    where = f"/v1/patients/{story.patient_id}/export"
    assert client.get(where, headers=bearer(story.carers_phone)).status_code == 403
    with database.writing() as tx:
        auditor = bearer(a_token(tx, a_member(tx, story.clinic_id, Role.AUDITOR)))
    assert client.get(where, headers=auditor).status_code == 403


@pytest.mark.usefixtures("client")
def test_who_left_before_the_first_piece_leaves_no_file_open(
    app: FastAPI, portal: BlockingPortal, database: Database, story: Story
) -> None:
    with database.writing() as tx:
        token = bearer(a_token(tx, story.ines, now=EVENING))["Authorization"].encode()
    path = f"/v1/patients/{story.patient_id}/export".encode()
    gone = Asked("GET", path, b"", [(b"authorization", token)], [], stays=False)
    assert knock(app, portal, gone).status == 200
    gc.collect()  # a file that was left open is a warning now, and so an error


def test_it_holds_nothing_of_anybody_else(client: httpx.Client, database: Database, story: Story) -> None:
    with database.writing() as tx:
        other = a_patient(tx, story.ines, given_name="Ophelia", family_name="Marchbanks")
        course = a_program(tx, story.ines, other, now=EVENING)
        said = a_report(course.program.id, EVENING.date(), note="words of Ophelia")
        record_sessions(tx, story.ines, [said], now=EVENING)
        headers = bearer(a_token(tx, story.ines, now=EVENING))
    whole = fetched(client, story, headers).read("record.json").decode()
    for word in (str(other.id), "Ophelia", "Marchbanks"):
        assert word not in whole


def test_who_is_out_of_sight_has_no_record(client: httpx.Client, database: Database, story: Story) -> None:
    with database.writing() as tx:
        stranger = bearer(a_token(tx, a_clinic(tx), now=EVENING))
    answer = client.get(f"/v1/patients/{story.patient_id}/export", headers=stranger)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown")


def test_formulas_are_guarded_in_the_sheets_and_as_they_were_in_the_record(
    client: httpx.Client, database: Database, story: Story
) -> None:
    with database.writing() as tx:
        record_sessions(tx, story.ines, [a_report(story.program_id, note="=cmd()")], now=EVENING)
        headers = bearer(a_token(tx, story.ines, now=EVENING))
    archive = fetched(client, story, headers)
    assert "'=cmd()" in [row["note"] for row in lines(archive, "session")]
    assert "=cmd()" in [row["note"] for row in tables(archive)["session"]]


def test_it_is_of_one_moment(shared_database: Database) -> None:
    """What is logged between two of its statements is in none of its files."""
    with shared_database.writing() as tx:
        story = a_whole_record(tx)
    file = io.BytesIO()
    with shared_database.snapshot() as tx:
        before = record_of(tx, story.clinic_id, story.patient_id)
        with shared_database.writing() as other:
            report = a_report(story.program_id, note="too late")
            record_sessions(other, story.ines, [report], now=EVENING)
        write_record(tx, before.clinic_id, before.patient_id, file, now=EVENING)
    archive = ZipFile(file)
    assert "too late" not in archive.read("record.json").decode()
    assert "too late" not in archive.read("session.csv").decode()
    with shared_database.snapshot() as tx:
        write_record(tx, before.clinic_id, before.patient_id, again := io.BytesIO(), now=EVENING)
    assert "too late" in ZipFile(again).read("session.csv").decode()


def test_memory_does_not_grow_with_the_record(shared_database: Database, tmp_path: Any) -> None:
    with shared_database.writing() as tx:
        story = a_whole_record(tx)
        days = [
            {"clinic_id": story.clinic_id, "patient_id": story.patient_id, "at": NOON, "device_id": story.patient_id}
            | {"local_date": NOON.date() - timedelta(days=number)}
            for number in range(1, 20_001)
        ]
        tx.execute(insert(Contact), days)
        del days
    with (tmp_path / "record.zip").open("wb") as file, shared_database.snapshot() as tx:
        tracemalloc.start()
        write_record(tx, story.clinic_id, story.patient_id, file, now=EVENING)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 6_000_000
    assert len(lines(ZipFile(tmp_path / "record.zip"), "contact")) > 20_000


def test_there_is_no_record_of_the_erased(client: httpx.Client, database: Database, story: Story) -> None:
    with database.writing() as tx:
        said = {"because": "asked for", "family_name": "Quillfeather"}
        erasure.erase_patient(tx, story.admin, story.patient_id, **said, now=EVENING)
        headers = story.as_admin(tx)
    assert client.get(f"/v1/patients/{story.patient_id}/export", headers=headers).status_code == 404
