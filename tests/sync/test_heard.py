"""What is said of safety reaches the clinic, however and whenever it arrives; and what stands beside it stays right."""

import json
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from models.adherence.kinds import FlagKind
from models.database import Database
from models.operations import devices, feed, patients, programs, sweep
from models.operations.callers import identify
from models.operations.rejects import rejects
from models.operations.sessions import record_sessions
from models.tables import Device, Flag, Patient
from tests.api.conftest import assert_problem
from tests.builders import (
    DAY,
    NOON,
    a_clinic,
    a_dosage,
    a_draft,
    a_patient,
    a_phone,
    a_program,
    a_report,
    a_token,
    as_patient,
    bearer,
)
from tests.sync.plain_phone import Wire


def open_flags(wire: Wire) -> list[tuple[str, bool]]:
    """Kind, and whether it is about the patient rather than a program."""
    with wire.database.reading() as tx:
        found = tx.scalars(select(Flag).where(Flag.closed_at.is_(None), Flag.opens_at <= wire.clock.now))
        return sorted((flag.kind.value, flag.about_id == wire.clinic.patient_id) for flag in found)


def kinds(wire: Wire) -> set[str]:
    return {kind for kind, _ in open_flags(wire)}


def stop(wire: Wire) -> None:
    path = f"/v1/programs/{wire.clinic.program_id}/stop"
    assert wire.client.post(path, json={"reason": "no_time"}, headers=wire.header()).status_code == 200


def test_a_queue_that_ends_calmly_still_says_what_hurt_in_it(wire: Wire) -> None:
    """Three days offline: pain 9, then two calm days, all in one push."""
    wire.clock.now = NOON + 3 * DAY
    said = [wire.put(at=NOON + day * DAY, pain_during=pain) for day, pain in enumerate((9, 1, 1))]
    assert [one["safety_raised"] for one in wire.push(*said)] == [True, False, False]
    assert "pain_high" in kinds(wire)
    # Two calm sessions told after it settle it.
    wire.clock.now = NOON + 5 * DAY
    wire.push(wire.put(at=NOON + 4 * DAY, pain_during=1), wire.put(pain_during=2))
    assert "pain_high" not in kinds(wire)


def test_a_painful_day_that_comes_late_is_heard_behind_calm_ones(wire: Wire) -> None:
    wire.clock.now = NOON + 3 * DAY
    wire.push(wire.put(at=NOON + DAY, pain_during=1), wire.put(at=NOON + 2 * DAY, pain_during=1))
    wire.push(wire.put(at=NOON, pain_during=10))
    assert "pain_high" in kinds(wire)


def test_pain_said_and_taken_back_in_one_push_was_said(wire: Wire) -> None:
    said = wire.put(pain_during=9)
    wire.push(said, wire.put(said["id"], base=1, pain_during=1))
    assert "pain_high" in kinds(wire)


def test_hurt_told_after_the_end_is_heard(wire: Wire) -> None:
    wire.clock.now = NOON + DAY
    stop(wire)
    wire.clock.now = NOON + 20 * DAY
    wire.push(wire.put(at=NOON, done="none", reason="symptoms_worse"), wire.put(at=NOON, pain_during=10))
    assert {"barrier", "pain_high"} <= kinds(wire)


def test_what_was_told_before_the_end_gives_way_to_it(wire: Wire) -> None:
    wire.push(wire.put(done="none", reason="no_time"))
    wire.clock.now = NOON + DAY
    stop(wire)
    assert "barrier" not in kinds(wire)


@pytest.mark.parametrize("how", ["put", "one item", "two items"])
def test_what_the_database_cannot_hold_is_kept_and_heard(wire: Wire, kind: str, how: str) -> None:
    """A value that no check foresaw: made here by a rule only this test's database has."""
    with wire.database.writing() as tx:
        refuse(tx, kind)
    said: Any = {"note": "unstorable", "chips": ["RF-01"]}
    if how == "put":
        answer = wire.client.put(f"/v1/sessions/{uuid4()}", json=wire.session(**said), headers=wire.header())
        assert_problem(answer, 422, "not_storable")
    else:
        others = [wire.put()] if how == "two items" else []
        assert wire.outcomes(wire.put(**said), *others) == ["rejected", *(["created"] * len(others))]
    assert "red_flag" in kinds(wire)
    with wire.database.writing() as tx:
        assert [one.code for one in rejects(tx, wire.clinic.ines.clinic_id)] == ["not_storable"]
        if kind == "sqlite":
            tx.execute(text("DROP TRIGGER refuse"))


def refuse(tx: Session, kind: str) -> None:
    if kind == "sqlite":
        when = "BEFORE INSERT ON session WHEN NEW.note = 'unstorable'"
        tx.execute(text(f"CREATE TEMP TRIGGER refuse {when} BEGIN SELECT RAISE(ABORT, 'no'); END"))
    else:
        tx.execute(text("ALTER TABLE session ADD CONSTRAINT refuse CHECK (note <> 'unstorable')"))


def test_a_battery_that_was_empty_between_exercise_and_sending(wire: Wire) -> None:
    """The clock was right while exercising and wrong while sending: what was right is not corrected."""
    wire.clock.now = NOON + DAY
    (one,) = wire.push(wire.put(at=NOON), client_sent_at="1970-01-01T00:10:00Z")
    assert (one["outcome"], one["session"]) == ("created", None)
    (two,) = wire.push(wire.put(at=NOON), client_sent_at=(NOON + 700 * DAY).isoformat())
    assert (two["outcome"], two["session"]) == ("created", None)


def test_a_red_flag_dealt_with_is_not_raised_by_another_change(wire: Wire) -> None:
    said = wire.put(chips=["RF-01"])
    wire.push(said)
    dealt_with(wire)
    wire.push(wire.put(said["id"], base=1, chips=["RF-01"], effort=3))
    assert "red_flag" not in kinds(wire)
    wire.push(wire.put(said["id"], base=2, chips=["RF-01", "RF-10"], effort=3))
    assert "red_flag" in kinds(wire)


def dealt_with(wire: Wire) -> None:
    with wire.database.writing() as tx:
        mine = (Flag.clinic_id == wire.clinic.ines.clinic_id, Flag.kind == FlagKind.RED_FLAG)
        tx.execute(update(Flag).where(*mine).values(closed_at=wire.clock.now, closed_because="settled"))


def test_a_refused_pain_months_after_another_is_announced_anew(wire: Wire) -> None:
    def announced() -> int:
        with wire.database.writing() as tx:
            return sweep.announce_due(tx, wire.clinic.ines.clinic_id, now=wire.clock.now)

    wire.push({"op": "put", "id": str(uuid4()), "session": {"pain_during": 9}})
    assert announced() == 1
    wire.clock.now = NOON + 60 * DAY
    announced()
    wire.push({"op": "put", "id": str(uuid4()), "session": {"pain_during": 10}})
    assert announced() == 1


def test_a_refused_session_that_is_mended_speaks_for_itself(wire: Wire) -> None:
    bad = wire.put(pain_during=9, local_date="2024-01-01")
    wire.push(bad)
    assert [flag for flag in open_flags(wire) if flag[0] == "pain_high"] == [("pain_high", True)]
    wire.push({**bad, "session": {**bad["session"], "local_date": "2025-03-03"}})
    assert [flag for flag in open_flags(wire) if flag[0] == "pain_high"] == [("pain_high", False)]


@pytest.mark.parametrize(
    "chip", ["RF01", "rf_01", "RF 1", "rf-1", "Rf-01", "fell", "Fall", "numb-or-weak", "Numb or weak"]
)
def test_an_alarm_is_one_however_an_app_spells_it(wire: Wire, chip: str) -> None:
    (one,) = wire.push(wire.put(chips=[chip]))
    assert one["safety_raised"]
    assert kinds(wire) & {"red_flag", "fall"}
    (back,) = wire.pull()["sessions"]
    assert back["chips"] == [chip]


def test_the_answers_of_a_flag_are_bounded(wire: Wire) -> None:
    for _ in range(3):
        wire.push(*(wire.put(chips=["fall"]) for _ in range(60)))
    with wire.database.reading() as tx:
        flag = tx.scalars(select(Flag).where(Flag.kind == FlagKind.FALL)).one()
    assert len(flag.evidence["answers"]) == 101
    assert len(json.dumps(flag.evidence)) < 20_000


def test_an_offline_phone_knows_that_exercise_is_locked(wire: Wire) -> None:
    cursor = wire.pull()["cursor"]
    wire.push(wire.put(chips=["RF-01"]))
    pulled = wire.pull(cursor)
    assert pulled["safety"]["locked"]
    assert wire.pull(pulled["cursor"])["safety"]["locked"]


# Beside safety.


def test_flags_equal_a_rebuild_when_history_outgrows_its_window(wire: Wire) -> None:
    said: Any = None
    for day, pain in ((0, 9), (100, None), (230, None), (260, None), (500, None)):
        wire.clock.now = NOON + day * DAY
        said = wire.put(pain_during=pain)
        wire.push(said)
        assert misjudged(wire) == []
    wire.push({"op": "delete", "id": said["id"], "base_version": 1})
    assert misjudged(wire) == []


def misjudged(wire: Wire) -> list[Any]:
    with wire.database.writing() as tx:
        return sweep.misjudged(tx, wire.clinic.ines.clinic_id, [wire.clinic.program_id])


def test_a_copy_that_lost_a_conflict_stays_listed(wire: Wire) -> None:
    said = wire.put()
    wire.push(said)
    wire.clock.now += timedelta(hours=1)
    wire.push(wire.put(said["id"], note="what only this phone knows"))
    wire.clock.now += timedelta(hours=1)
    wire.push(wire.put(said["id"], base=1, note="the other phone"))
    with wire.database.reading() as tx:
        assert [one.code for one in rejects(tx, wire.clinic.ines.clinic_id)] == ["conflict"]


def test_a_session_staff_logged_stays_on_its_day_when_a_wrong_phone_changes_it(wire: Wire) -> None:
    wire.clock.now = NOON + 5 * DAY
    said = wire.put(at=NOON + 4 * DAY)
    with wire.database.writing() as tx:
        staff = bearer(a_token(tx, wire.clinic.ines, now=wire.clock.now))
    wire.push(said, by=staff)
    changed = {**said, "base_version": 1, "session": {**said["session"], "effort": 3}}
    wire.push(changed, client_sent_at=(wire.clock.now + 2 * DAY).isoformat())
    (held,) = wire.pull()["sessions"]
    assert (held["version"], held["local_date"]) == (2, said["session"]["local_date"])


def test_a_refused_put_is_a_contact(wire: Wire) -> None:
    body = wire.session(local_date="2024-01-01")
    assert_problem(wire.client.put(f"/v1/sessions/{uuid4()}", json=body, headers=wire.header()), 422)
    with wire.database.reading() as tx:
        seen = select(Device.last_sync_at).where(Device.id == wire.clinic.device_id)
        assert tx.scalars(seen).one() == NOON


@pytest.mark.parametrize("match", ['"v7"', "*", 'W/"v1"'])
def test_if_match_never_logs_a_session_anew(wire: Wire, match: str) -> None:
    headers = {**wire.header(), "If-Match": match}
    problem = assert_problem(wire.client.put(f"/v1/sessions/{uuid4()}", json=wire.session(), headers=headers), 412)
    assert problem["kept"]


def test_a_put_that_waits_for_its_program_says_so(wire: Wire) -> None:
    body = wire.session(program_id=str(uuid4()))
    problem = assert_problem(wire.client.put(f"/v1/sessions/{uuid4()}", json=body, headers=wire.header()), 404)
    assert (problem["retryable"], problem["kept"]) == (True, True)


def test_a_streak_goes_on_in_the_program_that_follows(wire: Wire) -> None:
    for week in range(4):
        wire.clock.now = NOON + 7 * week * DAY
        wire.push(wire.put())
    with wire.database.writing() as tx:
        ann = tx.scalars(select(Patient).where(Patient.id == wire.clinic.patient_id)).one()
        draft = a_draft(a_dosage(), starts_on=wire.clock.now.date())
        following = a_program(tx, wire.clinic.ines, ann, draft, now=wire.clock.now).program.id
    stop(wire)
    for week in range(4, 7):
        wire.clock.now = NOON + 7 * week * DAY
        wire.push(wire.put(program_id=str(following)))
    assert wire.client.get("/v1/me/today", headers=wire.header()).json()["streak_weeks"] == 7


def test_after_a_restore_every_phone_starts_anew(wire: Wire) -> None:
    cursor = wire.pull()["cursor"]
    with wire.database.writing() as tx:
        assert feed.void_cursors(tx) >= 1
    answer = wire.client.get("/v1/sync/pull", params={"cursor": cursor}, headers=wire.header())
    assert_problem(answer, 409, "resync_required")


# Nobody waits for each other.


def both(*deeds: Any) -> list[Any]:
    answers: list[Any] = [None] * len(deeds)

    def run(number: int) -> None:
        try:
            answers[number] = deeds[number]()
        except Exception as error:  # noqa: BLE001  (it is the answer)
            answers[number] = error

    threads = [Thread(target=run, args=(number,)) for number in range(len(deeds))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_patient_who_moves_while_a_phone_logs(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        ann = a_patient(tx, ines)
        program_id = a_program(tx, ines, ann).program.id
        phone = as_patient(tx, ines, ann)

    def move() -> None:
        for number in range(10):
            zone = ("Europe/Berlin", "Europe/London")[number % 2]
            draft = patients.PatientDraft(given_name="Ann", family_name="Archer", time_zone=zone)
            with shared_database.writing() as tx:
                patients.amend_patient(tx, ines, ann.id, draft, version=number + 1, now=NOON)

    def log() -> None:
        for _ in range(20):
            with shared_database.writing() as tx:
                record_sessions(tx, phone, [a_report(program_id)], now=NOON)

    assert both(move, log) == [None, None]


def test_the_first_contact_of_a_day_beside_a_late_log_of_an_ended_program(shared_database: Database, kind: str) -> None:
    if kind == "sqlite":
        pytest.skip("one writer at a time has nobody to wait for")
    later = NOON + timedelta(minutes=6)
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        ann = a_patient(tx, ines)
        ended = min(a_program(tx, ines, ann).program.id for _ in range(2))
        programs.stop(tx, ines, ended, reason="no_time", now=NOON + timedelta(minutes=3))
        token = a_phone(tx, ines, ann).access
    held = Barrier(2, timeout=8)

    def first() -> str:
        with shared_database.writing() as tx:
            caller = identify(tx, token, later)
            devices.in_touch(tx, caller, now=later)
            held.wait()
            return record_sessions(tx, caller, [a_report(ended)], now=later)[0].outcome

    def second() -> str:
        held.wait()
        with shared_database.writing() as tx:
            return record_sessions(tx, ines, [a_report(ended)], now=later)[0].outcome

    assert both(first, second) == ["created", "created"]
