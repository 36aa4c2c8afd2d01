"""How long records are kept: whose time has come, what is removed, and that a dry run removes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.cli import main
from models.database import Database, open_database
from models.operations import erasure, outreach, patients, programs, rejects, retention
from models.operations.callers import Caller
from models.operations.replies import remember_resource
from models.refusals import Unknown, VersionMismatch
from models.tables import Channel, InvitationCode, KeptFacts, Patient, Program, ProgramStatus, Reached, Role
from tests.api.conftest import assert_problem
from tests.builders import (
    DAY,
    NOON,
    a_check_in,
    a_clinic,
    a_draft,
    a_member,
    a_patient,
    a_phone,
    a_program,
    a_token,
    bearer,
    log_days,
)
from tests.conftest import copied
from tests.rights.whole import everything

LONG_AGO = datetime(2010, 3, 1, 12, tzinfo=UTC)
"""A Monday."""
BATCHES = 2


@pytest.fixture
def ines(tx: Session) -> Caller:
    return a_clinic(tx)


def treated(tx: Session, ines: Caller, *, began: datetime = LONG_AGO, ends: bool = True, **but: Any) -> Patient:
    """Somebody who exercised for five days from `began` and, unless it runs, whose program ended the week after."""
    someone = a_patient(tx, ines, now=began, **but)
    program = a_program(tx, ines, someone, a_draft(starts_on=began.date()), now=began).program
    log_days(tx, ines, program.id, [began.date() + number * DAY for number in range(5)])
    if ends:
        programs.stop(tx, ines, program.id, reason="feel_better", now=began + 7 * DAY)
        assert program.status is ProgramStatus.WITHDRAWN
    tx.flush()
    return someone


def over(tx: Session, ines: Caller, on: date) -> list[UUID]:
    now = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    found, _ = retention.finished(tx, ines.clinic_id, now=now)
    return [one.patient_id for one in found]


def keeps(tx: Session, ines: Caller, years: int) -> None:
    version = retention.retention_settings(tx, ines.clinic_id).version
    retention.decide(tx, ines, keep_records_years=years, version=version)
    tx.flush()


def test_a_record_is_over_ten_years_after_the_treatment_ended_unless_the_clinic_says_otherwise(
    tx: Session, ines: Caller
) -> None:
    someone = treated(tx, ines)
    assert over(tx, ines, date(2020, 3, 7)) == []
    assert over(tx, ines, date(2020, 3, 8)) == [someone.id]
    keeps(tx, ines, 12)
    assert over(tx, ines, date(2022, 3, 7)) == []
    assert over(tx, ines, date(2022, 3, 8)) == [someone.id]


def test_however_little_a_clinic_keeps_a_record_stays_a_year(tx: Session, ines: Caller) -> None:
    someone = treated(tx, ines)
    keeps(tx, ines, 0)
    assert over(tx, ines, date(2011, 3, 7)) == []
    assert over(tx, ines, date(2011, 3, 8)) == [someone.id]


def test_a_program_that_runs_keeps_the_record(tx: Session, ines: Caller) -> None:
    treated(tx, ines, ends=False)
    assert over(tx, ines, date(2099, 1, 1)) == []


def test_whatever_was_done_last_counts(tx: Session, ines: Caller) -> None:
    someone = treated(tx, ines)
    draft = outreach.OutreachDraft(channel=Channel.PHONE, outcome=Reached.NO_ANSWER)
    outreach.reach_out(tx, ines, someone.id, draft, now=LONG_AGO + 500 * DAY)
    tx.flush()
    assert over(tx, ines, date(2021, 7, 13)) == []
    assert over(tx, ines, date(2021, 7, 14)) == [someone.id]
    patients.record_screening(tx, ines, someone.id, {"RF-01": False}, None, now=LONG_AGO + 501 * DAY)
    assert over(tx, ines, date(2021, 7, 14)) == []


def test_a_check_in_that_is_still_to_come_keeps_the_record(tx: Session, ines: Caller) -> None:
    someone = treated(tx, ines)
    program = tx.scalars(select(Program).where(Program.patient_id == someone.id)).one()
    asked = a_check_in(tx, program, due_on=date(2012, 3, 8))
    assert over(tx, ines, date(2022, 3, 7)) == []
    assert over(tx, ines, date(2022, 3, 8)) == [someone.id]
    tx.delete(asked)
    tx.flush()
    assert over(tx, ines, date(2020, 3, 8)) == [someone.id]


def test_the_29th_of_february_has_its_years_too(tx: Session, ines: Caller) -> None:
    someone = a_patient(tx, ines, now=datetime(2012, 2, 29, 12, tzinfo=UTC))
    keeps(tx, ines, 1)
    assert over(tx, ines, date(2013, 2, 28)) == []
    assert over(tx, ines, date(2013, 3, 1)) == [someone.id]


def test_nobody_of_another_clinic_and_nobody_erased_is_over(tx: Session, ines: Caller) -> None:
    someone = treated(tx, ines)
    other = a_clinic(tx)
    assert over(tx, other, date(2025, 1, 1)) == []
    assert erasure.erase_finished(tx, ines.clinic_id, someone.id, now=NOON) is not None
    tx.flush()
    assert over(tx, ines, date(2025, 1, 1)) == []


def test_they_are_looked_at_page_by_page(tx: Session, ines: Caller) -> None:
    everyone = sorted(treated(tx, ines, ends=number != 1).id for number in range(5))
    seen: list[UUID] = []
    after: UUID | None = None
    pages = 0
    while True:
        found, after = retention.finished(tx, ines.clinic_id, after=after, now=NOON, limit=BATCHES)
        seen += [one.patient_id for one in found]
        pages += 1
        if after is None:
            break
    assert (len(seen), pages) == (4, 3)
    assert seen == [one for one in everyone if one in seen]


def test_who_came_back_meanwhile_is_not_erased(tx: Session, ines: Caller) -> None:
    someone = treated(tx, ines)
    a_program(tx, ines, someone)
    before = everything(tx)
    assert erasure.erase_finished(tx, ines.clinic_id, someone.id, now=NOON) is None
    assert everything(tx) == before


def test_whose_time_has_come_is_erased_and_nothing_is_kept(tx: Session, ines: Caller) -> None:
    someone = treated(tx, ines)
    told = erasure.would_remove(tx, ines.clinic_id, someone.id, now=NOON)
    done = erasure.erase_finished(tx, ines.clinic_id, someone.id, now=NOON)
    assert done is not None
    assert done.removed == told
    assert told["session"] == 5
    assert (done.kept, done.patient.erased_by, done.patient.erased_because) == ({}, None, erasure.TIME)


# The settings' door.


def test_an_admin_says_for_how_long(client: httpx.Client, database: Database) -> None:
    with database.writing() as tx:
        ines = a_clinic(tx)
        admin, therapist = bearer(a_token(tx, a_member(tx, ines.clinic_id, Role.ADMIN))), bearer(a_token(tx, ines))
    answer = client.get("/v1/retention-settings", headers=therapist)
    assert (answer.json(), answer.headers["etag"]) == ({"keep_records_years": 10}, '"v1"')

    def says(years: object, version: str | None = '"v1"') -> httpx.Response:
        headers = {**admin, "If-Match": version} if version else admin
        return client.put("/v1/retention-settings", json={"keep_records_years": years}, headers=headers)

    for years in (-1, 101, "10", 1.5, True, None):
        assert_problem(says(years), 422, "invalid")
    assert_problem(says(3, None), 428)
    answer = says(3)
    assert (answer.json(), answer.headers["etag"]) == ({"keep_records_years": 3}, '"v2"')
    assert_problem(says(4), 412)
    assert client.get("/v1/retention-settings", headers=therapist).json() == {"keep_records_years": 3}


def test_settings_of_no_clinic_are_unknown(tx: Session, ines: Caller) -> None:
    with pytest.raises(Unknown):
        retention.retention_settings(tx, uuid4())
    with pytest.raises(VersionMismatch):
        retention.decide(tx, ines, keep_records_years=3, version=2)


# The command.


@dataclass
class Shell:
    """Where commands are said, in a clinic with people of long ago and of now and with what has expired."""

    database: Database
    clinic_id: UUID
    capsys: pytest.CaptureFixture[str]

    def says(self, *words: str) -> list[str]:
        assert main([*words]) == 0
        return self.capsys.readouterr().out.splitlines()

    def retention(self, how: str) -> list[str]:
        told = self.says("retention", "--clinic", str(self.clinic_id), how)
        return [line.replace("would be erased", "erased") for line in told]

    def rows(self) -> dict[str, str]:
        with self.database.reading() as tx:
            return everything(tx)


@pytest.fixture
def shell(template: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    with copied(template) as url:
        engine, database = open_database(url)
        with database.writing() as tx:
            ines = a_clinic(tx)
            for number in range(3):
                someone = treated(tx, ines, family_name=f"Former{number}")
                a_phone(tx, ines, someone, now=LONG_AGO)
            now = datetime.now(UTC)
            present = a_patient(tx, ines, family_name="Present", now=now)
            old = now - 200 * DAY
            patients.invite(tx, ines, present.id, now=old)
            patients.invite(tx, ines, present.id, now=now)
            remember_resource(tx, ines, "old", b"", uuid4(), now=old)
            remember_resource(tx, ines, "new", b"", uuid4(), now=now)
            for at, text in ((old, "old words"), (now, "new words")):
                refused = rejects.Refused(session_id=uuid4(), raw=text, said={}, code="invalid")
                rejects.keep_refused(tx, ines, [refused], now=at)
            a_token(tx, ines, now=old)
            a_token(tx, ines, now=now)
            treated(tx, a_clinic(tx), family_name="Elsewhere")
        monkeypatch.setenv("DATABASE_URL", url)
        yield Shell(database, ines.clinic_id, capsys)
        engine.dispose()


def test_what_another_clinic_must_keep_is_not_ours_to_remove(tx: Session) -> None:
    ours, theirs = a_clinic(tx), a_clinic(tx)
    for one in (ours, theirs):
        admin = a_member(tx, one.clinic_id, Role.ADMIN)
        someone = treated(tx, one, began=NOON, family_name="Former")
        erasure.erase_patient(tx, admin, someone.id, because="asked for", family_name="Former", now=NOON + 9 * DAY)
    after = NOON + 3700 * DAY
    tx.flush()
    assert retention.count_expired(tx, ours.clinic_id, now=after)["kept_facts"] > 0
    while retention.remove_expired(tx, ours.clinic_id, KeptFacts, now=after):
        pass
    assert set(tx.scalars(select(KeptFacts.clinic_id))) == {theirs.clinic_id}


def test_a_dry_run_changes_nothing_and_says_what_applying_removes(shell: Shell) -> None:
    before = shell.rows()
    told = shell.retention("--dry-run")
    assert shell.rows() == before
    assert shell.retention("--apply") == told
    counts = {line.split()[0]: int(line.split()[1]) for line in told if line.startswith("  ")}
    assert (counts["session"], counts["reply"], counts["rejected_session"], counts["invitation"]) == (15, 1, 1, 4)
    assert (counts["token"], counts["program"], counts["account"], counts["device"]) == (8, 3, 3, 3)
    assert sum(counts.values()) == 2 * counts["together"]
    after = shell.rows()
    for name in ("Former0", "Former1", "Former2", "old words"):
        assert name not in "".join(after.values())
    for name in ("Present", "Elsewhere", "new words"):
        assert name in "".join(after.values())
    assert after["audit_event"].count("console: retention") == 3
    with shell.database.reading() as tx:
        assert len(tx.scalars(select(InvitationCode)).all()) == 1


def test_applied_again_it_finds_nothing(shell: Shell) -> None:
    shell.retention("--apply")
    before = shell.rows()
    told = shell.retention("--apply")
    assert told[1:] == ["0 patients erased; rows:", f"  {'together':<20} {0:>9}"]
    assert shell.rows() == before


def test_stopped_in_the_middle_it_goes_on(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    erases = erasure.erase_finished
    done: list[UUID] = []

    def stopped(tx: Session, clinic_id: UUID, patient_id: UUID, *, now: datetime) -> erasure.Erasure | None:
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(patient_id)
        return erases(tx, clinic_id, patient_id, now=now)

    monkeypatch.setattr(erasure, "erase_finished", stopped)
    with pytest.raises(KeyboardInterrupt):
        shell.retention("--apply")
    monkeypatch.undo()
    assert sum(f"Former{number}" in shell.rows()["patient"] for number in range(3)) == 2


def test_it_is_said_which_of_the_two_is_meant_and_of_which_clinic(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["retention", "--clinic", str(shell.clinic_id)])
    with pytest.raises(SystemExit):
        main(["retention", "--clinic", str(shell.clinic_id), "--apply", "--dry-run"])
    assert main(["retention", "--clinic", str(uuid4()), "--apply"]) == 1
    assert "No clinic" in capsys.readouterr().err


def test_the_console_tells_what_is_kept_until_its_time_is_over(shell: Shell) -> None:
    with shell.database.writing() as tx:
        admin = a_member(tx, shell.clinic_id, Role.ADMIN)
        present = tx.scalars(select(Patient).where(Patient.family_name == "Present")).one()
        now = datetime.now(UTC)
        patients.record_screening(tx, admin, present.id, {"RF-01": False}, "a note", now=now)
        said = {"because": "asked for", "family_name": "Present"}
        erasure.erase_patient(tx, admin, present.id, **said, now=now - timedelta(minutes=1))
    where = ("record", "--clinic", str(shell.clinic_id), "--patient", str(present.id))
    told = "\n".join(shell.says(*where))
    assert '"RF-01": false' in told
    assert "console: record" in shell.rows()["audit_event"]
    assert "asked for" in told
    for word in ("Present", "a note"):
        assert word not in told
    assert main([*where[:-1], str(uuid4())]) == 1
    with shell.database.writing() as tx:
        retention.remove_expired(tx, shell.clinic_id, KeptFacts, now=now + 3660 * DAY)
    assert '"RF-01"' not in "\n".join(shell.says(*where))
