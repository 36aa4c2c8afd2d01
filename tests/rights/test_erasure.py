"""Erasing a patient: nothing of them is left, nobody else is touched, and nothing of them comes back."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from api.exports.jobs import path_of
from api.exports.records import write_record
from models.database import Database
from models.operations import devices, erasure, exports, outreach, patients, prescribing, retention, sign_ins
from models.operations.callers import Caller, identify
from models.operations.records import PARTS, count, record_of
from models.refusals import Invalid, InvalidGrant, Unknown
from models.tables import (
    Channel,
    Contact,
    Export,
    ExportStatus,
    InvitationCode,
    KeptFacts,
    Patient,
    Reached,
    ReportVersion,
    Role,
)
from tests.api.conftest import assert_problem
from tests.builders import (
    DAY,
    NOON,
    a_clinic,
    a_draft,
    a_member,
    a_patient,
    a_program,
    a_token,
    bearer,
    log_days,
    weeks,
)
from tests.conftest import Clock
from tests.exports.busy import Office, asked_for
from tests.postgres import wait_for
from tests.rights.whole import EVENING, FAMILY, SAID, Story, a_whole_record, everything

REASON = {"reason": "Asked for in writing", "family_name": FAMILY}
YEARS = [0, 10]


@pytest.fixture
def story(database: Database, clock: Clock, folder: Path) -> Story:  # noqa: ARG001  (exports lie there)
    clock.now = EVENING
    with database.writing() as tx:
        return a_whole_record(tx)


def keep(tx: Session, caller: Caller, years: int) -> None:
    known = retention.retention_settings(tx, caller.clinic_id)
    retention.decide(tx, caller, keep_records_years=years, version=known.version)
    tx.flush()


def erase(tx: Session, story: Story, *, family_name: str = FAMILY) -> erasure.Erasure:
    return erasure.erase_patient(
        tx, story.admin, story.patient_id, because="asked for", family_name=family_name, now=EVENING
    )


def rows_of(tx: Session, story: Story) -> dict[str, int]:
    record = record_of(tx, story.clinic_id, story.patient_id)
    return {part.name: count(tx, part, record) for part in PARTS}


@pytest.mark.parametrize("years", YEARS)
def test_nothing_that_was_ever_said_is_in_any_table(tx: Session, years: int) -> None:
    story = a_whole_record(tx)
    keep(tx, story.admin, years)
    before = "".join(everything(tx).values())
    for word in SAID:
        assert word in before, word
    erase(tx, story)
    tx.flush()
    after = everything(tx)
    for word in SAID:
        assert [table for table, rows in after.items() if word.lower() in rows.lower()] == [], word


@pytest.mark.parametrize(("years", "left"), [(0, {"patient"}), (10, {"patient", "kept_facts"})])
def test_no_row_is_left_but_the_tombstone_and_what_must_be_kept(tx: Session, years: int, left: set[str]) -> None:
    story = a_whole_record(tx)
    keep(tx, story.admin, years)
    before = rows_of(tx, story)
    record = record_of(tx, story.clinic_id, story.patient_id)
    done = erase(tx, story)
    tx.flush()
    assert done.removed == {name: rows for name, rows in before.items() if name != "patient"}
    assert rows_of(tx, story) == dict.fromkeys(before, 0) | {"patient": 1}
    ids = [str(one) for one in (story.patient_id, *record.programs, *record.accounts)]
    assert {table for table, rows in everything(tx).items() if any(one in rows for one in ids)} == left
    assert tx.scalars(select(InvitationCode)).all() == []


def test_the_tombstone_says_when_why_and_by_whom_and_nothing_else(tx: Session) -> None:
    story = a_whole_record(tx)
    erase(tx, story)
    tx.flush()
    row = tx.scalars(select(Patient).execution_options(populate_existing=True)).one()
    assert (row.deleted_at, row.erased_because, row.erased_by) == (EVENING, "asked for", story.admin.account_id)
    assert row.kept_until == date(2035, 3, 9)
    said: dict[str, Any] = {"given_name": "erased", "family_name": "erased", "time_zone": "UTC", "language": "en"}
    said |= {"equipment": [], "preferences": {}}
    silent = ("birth_date", "email", "phone", "therapist_id", "account_id", "falls_risk", "can_get_up_from_floor")
    assert {name: getattr(row, name) for name in said} == said
    assert [getattr(row, name) for name in (*silent, "minutes_available")] == [None] * 8


def test_what_is_kept_are_facts_of_nobody(tx: Session) -> None:
    story = a_whole_record(tx)
    done = erase(tx, story)
    tx.flush()
    kept = erasure.kept_record(tx, story.clinic_id, story.patient_id)
    assert {table: len(rows) for table, rows in kept["tables"].items()} == done.kept
    assert (kept["erased_at"], kept["kept_until"]) == ("2025-03-09T12:00:00Z", "2035-03-09")
    tables = kept["tables"]
    without = {"account", "invitation", "device", "sign_in", "token", "reply", "contact", "rejected_session"}
    without |= {"standing", "week", "outbox", "delivery"}
    assert set(tables) == {part.name for part in PARTS} - without
    first = next(one for one in tables["session"] if one["version"] == 2 and "deleted_at" not in one)
    assert (first["done"], first["pain_during"], first["reason"], first["chips"]) == ("some", 7, "other", ["fall"])
    assert not {"note", "ext", "spread_to", "time_zone", "content_hash"} & set(first)
    assert tables["condition"][0]["code"] == "oa-hand"
    assert tables["examination"][0]["tests"] == {"sit_to_stand_30s": 11}
    assert tables["item"][0]["exercise_slug"] == "bed-knee-rocks" or tables["item"][0]["exercise_slug"] == "bird-dog"
    assert "birth_date" not in tables["patient"][0]
    before = next(one for one in tables["session_version"] if one["content"]["done"] == "some")["content"]
    assert (before["reason"], before["chips"], before["entries"][0]["reason"]) == ("other", ["fall"], "other")
    json.dumps(kept)


def test_a_clinic_that_keeps_nothing_keeps_nothing(tx: Session) -> None:
    story = a_whole_record(tx)
    keep(tx, story.admin, 0)
    done = erase(tx, story)
    assert (done.kept, done.patient.kept_until) == ({}, None)
    assert tx.scalars(select(KeptFacts)).all() == []
    assert erasure.kept_record(tx, story.clinic_id, story.patient_id)["tables"] == {}


def test_nothing_is_kept_of_a_treatment_that_ended_long_ago(tx: Session) -> None:
    ines = a_clinic(tx)
    admin = a_member(tx, ines.clinic_id, Role.ADMIN)
    old = a_patient(tx, ines)
    late = NOON + 3653 * DAY
    erased = erasure.erase_patient(tx, admin, old.id, because="asked for", family_name="archer ", now=late)
    assert (erased.kept, erased.patient.kept_until) == ({}, None)


def test_only_the_patients_own_family_name_confirms(tx: Session) -> None:
    story = a_whole_record(tx)
    before = everything(tx)
    for name in ("Quillfeathe", "Zebediah", "erased"):
        with pytest.raises(Invalid) as refused:
            erase(tx, story, family_name=name)
        assert refused.value.field == "/family_name"
    assert everything(tx) == before
    assert erase(tx, story, family_name=" quillFEATHER").removed["session"] == 2


def test_the_door_wants_a_reason_and_the_name(client: httpx.Client, database: Database, story: Story) -> None:
    with database.writing() as tx:
        admin = story.as_admin(tx)
    where = f"/v1/patients/{story.patient_id}/erasure"
    for said, pointer in (
        ({**REASON, "family_name": "Somebody"}, "/family_name"),
        ({**REASON, "reason": "  "}, "/reason"),
        ({"family_name": FAMILY}, "/reason"),
        ({"reason": "asked for"}, "/family_name"),
        ({**REASON, "unheard_of": 1}, "/unheard_of"),
    ):
        problem = assert_problem(client.post(where, json=said, headers=admin), 422)
        assert problem["errors"][0]["pointer"] == pointer  # type: ignore[index]
    answer = client.post(where, json=REASON, headers=admin)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["patient_id"], told["reason"]) == (str(story.patient_id), "Asked for in writing")
    assert (told["removed"]["session"], told["kept"]["session"], told["kept_until"]) == (2, 2, "2035-03-09")


def test_erasing_twice_is_erasing_once(tx: Session) -> None:
    story = a_whole_record(tx)
    first = erase(tx, story)
    tx.flush()
    before = everything(tx)
    again = erasure.erase_patient(
        tx, story.admin, story.patient_id, because="another", family_name="whatever", now=EVENING + DAY
    )
    tx.flush()
    assert everything(tx) == before
    assert (again.patient.deleted_at, again.patient.erased_because) == (EVENING, "asked for")
    assert set(again.removed.values()) == {0}
    assert again.kept == first.kept


def test_nobody_elses_clinic_and_nobody_unknown(tx: Session) -> None:
    story = a_whole_record(tx)
    stranger = a_member(tx, a_clinic(tx).clinic_id, Role.ADMIN)
    before = everything(tx)
    for admin, patient_id in ((stranger, story.patient_id), (story.admin, uuid4())):
        with pytest.raises(Unknown):
            erasure.erase_patient(tx, admin, patient_id, because="x", family_name=FAMILY, now=EVENING)
    with pytest.raises(Unknown):
        erasure.kept_record(tx, stranger.clinic_id, story.patient_id)
    assert everything(tx) == before


def test_everybody_else_stays_as_they_were(tx: Session) -> None:
    story = a_whole_record(tx)
    other = a_whole_record(tx, story.ines)
    before = archive_of(tx, other)
    erase(tx, story)
    tx.flush()
    assert archive_of(tx, other) == before
    assert identify(tx, other.phone, NOON).patient_id == other.patient_id


def archive_of(tx: Session, story: Story) -> str:
    write_record(tx, story.clinic_id, story.patient_id, file := io.BytesIO(), now=EVENING)
    return ZipFile(file).read("record.json").decode()


def test_their_phones_are_out_and_what_they_send_is_not_stored(
    client: httpx.Client, database: Database, clock: Clock, story: Story
) -> None:
    with database.writing() as tx:
        admin = story.as_admin(tx)
    assert client.post(f"/v1/patients/{story.patient_id}/erasure", json=REASON, headers=admin).status_code == 200
    clock.now = NOON + timedelta(minutes=1)  # while their tokens would still be good
    with database.reading() as tx:
        before = everything(tx)
    session = {
        "program_id": str(story.program_id),
        "performed_at": NOON.isoformat(),
        "time_zone": "UTC",
        "local_date": "2025-03-03",
        "done": "all",
        "note": "a zombie",
    }
    items = {"items": [{"op": "put", "id": str(uuid4()), "session": session}]}
    for token in (story.phone, story.carers_phone):
        headers = bearer(token)
        for answer in (
            client.post("/v1/sync/push", json=items, headers=headers),
            client.put(f"/v1/sessions/{uuid4()}", json=session, headers=headers),
            client.put("/v1/me/weeks/2025-03-03", json={"pain": 4}, headers=headers),
            client.get("/v1/sync/pull", headers=headers),
            client.get("/v1/me/today", headers=headers),
        ):
            assert_problem(answer, 401, "not_signed_in")
        unreadable = client.put(f"/v1/sessions/{uuid4()}", json={"note": "a zombie"}, headers=headers)
        assert "kept" not in assert_problem(unreadable, 422)
    refresh = {"grant_type": "refresh_token", "refresh_token": story.refresh}
    assert_problem(client.post("/v1/auth/token", data=refresh), 400, "invalid_grant")
    with database.reading() as tx:
        assert everything(tx) == before


def test_staff_find_nobody_any_more(client: httpx.Client, database: Database, story: Story) -> None:
    with database.writing() as tx:
        admin, ines = story.as_admin(tx), bearer(a_token(tx, story.ines, now=EVENING))
    rows = client.get("/v1/worklist", headers=ines).json()["items"]
    flag_id = rows[0]["flag_id"]
    shown = {"smallest_cell": 0}
    client.put("/v1/report-settings", json=shown, headers={**admin, "If-Match": '"v1"'})
    told = client.get("/v1/reports/flags?from=2025-03-01&to=2025-03-08", headers=ines).json()
    assert client.post(f"/v1/patients/{story.patient_id}/erasure", json=REASON, headers=admin).status_code == 200
    for path in (
        f"patients/{story.patient_id}",
        f"patients/{story.patient_id}/timeline",
        f"patients/{story.patient_id}/programs",
        f"patients/{story.patient_id}/consents",
        f"patients/{story.patient_id}/carers",
        f"patients/{story.patient_id}/measures",
        f"programs/{story.program_id}",
        f"programs/{story.program_id}/adherence",
        f"programs/{story.program_id}/sessions",
        f"programs/{story.program_id}/checks",
        f"flags/{flag_id}",
    ):
        for who in (admin, ines):
            assert_problem(client.get(f"/v1/{path}", headers=who), 404, "unknown")
    for path in ("patients", "worklist", "unsynced"):
        answer = client.get(f"/v1/{path}", headers=ines)
        assert answer.json()["items"] == [], path
    assert client.get("/v1/reports/flags?from=2025-03-01&to=2025-03-08", headers=ines).json() != told
    screening = client.post(
        f"/v1/patients/{story.patient_id}/screenings", json={"answers": {"RF-01": True}}, headers=ines
    )
    assert_problem(screening, 404, "unknown")


def test_an_invitation_that_was_open_opens_nothing(tx: Session) -> None:
    story = a_whole_record(tx)
    _, code = patients.invite(tx, story.ines, story.patient_id, now=EVENING)
    tx.flush()
    erase(tx, story)
    tx.flush()
    refused = sign_ins.redeem(tx, code, date(1970, 5, 14), "phone", address="", now=EVENING)
    assert isinstance(refused, InvalidGrant)


def test_a_phone_that_was_let_in_just_before_leaves_nothing_behind(tx: Session) -> None:
    story = a_whole_record(tx)
    phone = identify(tx, story.phone, NOON)
    erase(tx, story)
    tx.flush()
    devices.in_touch(tx, phone, now=EVENING + DAY)
    assert tx.scalars(select(func.count()).select_from(Contact)).one() == 0


WRITES: dict[str, Callable[[Session, Story], object]] = {
    "screening": lambda tx, story: patients.record_screening(
        tx, story.ines, story.patient_id, {"RF-01": True}, "a zombie", now=EVENING
    ),
    "outreach": lambda tx, story: outreach.reach_out(
        tx,
        story.ines,
        story.patient_id,
        outreach.OutreachDraft(channel=Channel.PHONE, outcome=Reached.NO_ANSWER, note="a zombie"),
        now=EVENING,
    ),
    "program": lambda tx, story: prescribing.create_program(
        tx, story.ines, story.patient_id, a_draft(starts_on=EVENING.date(), title="a zombie"), now=EVENING
    ),
}


@pytest.mark.parametrize("what", list(WRITES))
def test_whoever_writes_at_the_same_moment_is_waited_for_or_finds_nobody(shared_database: Database, what: str) -> None:
    with shared_database.writing() as tx:
        first, second = a_whole_record(tx), a_whole_record(tx)

    def writes(story: Story) -> None:
        with shared_database.writing() as tx:
            WRITES[what](tx, story)

    def erases(story: Story) -> None:
        with shared_database.writing() as tx:
            erase(tx, story)

    with ThreadPoolExecutor(1) as other:
        with shared_database.writing() as tx:
            WRITES[what](tx, first)
            erased = other.submit(erases, first)
        erased.result(20)
        with shared_database.writing() as tx:
            erase(tx, second)
            written = other.submit(writes, second)
            wait_for(lambda: written.done() or somebody_waits(shared_database))
        with pytest.raises(Unknown):
            written.result(20)
    with shared_database.reading() as tx:
        assert "zombie" not in "".join(everything(tx).values())


def somebody_waits(database: Database) -> bool:
    """Whether a statement waits for a lock; on SQLite writers take turns, and nobody has begun."""
    with database.reading() as tx:
        if tx.get_bind().dialect.name == "sqlite":
            return True
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(tx.execute(text(waiting)).scalar_one())


def test_exports_that_may_hold_them_are_recalled(
    client: httpx.Client, database: Database, story: Story, folder: Path
) -> None:
    office = Office(database, folder, Clock(EVENING))
    with database.writing() as tx:
        admin = story.as_admin(tx)
    whole = office.have(story.admin, "patients", "csv")
    assert FAMILY in whole.decode()
    with database.writing() as tx:
        ready = tx.scalars(select(Export.id)).one()
        begun = asked_for(tx, story.admin, "patients")
        claimed = exports.claim(tx, story.clinic_id, begun, now=EVENING)
        assert claimed is not None
    told = client.post(f"/v1/patients/{story.patient_id}/erasure", json=REASON, headers=admin).json()
    assert told["exports_recalled"] == 1
    assert not path_of(folder, ready).exists()
    assert_problem(client.get(f"/v1/exports/{ready}/file", headers=admin), 404, "unknown")
    with database.writing() as tx:
        assert exports.advance(tx, story.clinic_id, claimed, now=EVENING) is None
        assert tx.get_one(Export, {"clinic_id": story.clinic_id, "id": ready}).status is ExportStatus.EXPIRED
    assert office.exporter().work([story.clinic_id]) == 1
    assert path_of(folder, begun).read_bytes() == b""


def test_a_closed_month_stays_as_it_was_told(
    client: httpx.Client, database: Database, clock: Clock, story: Story
) -> None:
    with database.writing() as tx:
        others = [a_patient(tx, story.ines, family_name=f"Other{number}") for number in range(2)]
        for one in others:
            log_days(tx, story.ines, a_program(tx, story.ines, one).program.id, weeks(1))
    clock.now = NOON + 40 * DAY
    with database.writing() as tx:
        admin = bearer(a_token(tx, story.admin, now=clock.now))
    for kind in ("caseload", "exercises", "data-quality"):
        assert client.get(f"/v1/reports/{kind}/months/2025-03", headers=admin).status_code == 200

    def told() -> list[Any]:
        with database.reading() as tx:
            rows = tx.execute(select(ReportVersion.kind, ReportVersion.content).order_by(ReportVersion.kind))
            return [tuple(row) for row in rows]

    before = told()
    assert client.post(f"/v1/patients/{story.patient_id}/erasure", json=REASON, headers=admin).status_code == 200
    assert len(before) == 3
    assert told() == before


def test_the_facts_are_in_pages(tx: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    story = a_whole_record(tx)
    monkeypatch.setattr(erasure, "AT_ONCE", 1)
    done = erase(tx, story)
    pages = tx.execute(select(KeptFacts.of_table, KeptFacts.number).where(KeptFacts.of_table == "session")).all()
    assert [tuple(page) for page in pages] == [("session", 0), ("session", 1)]
    assert done.kept["session"] == 2
