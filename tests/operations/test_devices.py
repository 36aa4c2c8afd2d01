"""Phones: contacts, clocks, delays, revoking, and who has fallen silent."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.adherence.kinds import FlagKind
from models.operations import devices, programs, sign_ins, sweep
from models.operations.adherence import following
from models.operations.callers import Caller, identify
from models.operations.sessions import record_sessions
from models.refusals import NotSignedIn, Unknown
from models.tables import Contact, Device, Flag, Patient, ProgramStanding, Role
from tests.architecture.statements import counting
from tests.builders import (
    DAY,
    MONDAY,
    NOON,
    a_clinic,
    a_member,
    a_patient,
    a_phone,
    a_program,
    a_report,
    at,
    log_days,
    weeks,
)


class Scene:
    """Ann with a program and a phone that stays signed in."""

    def __init__(self, tx: Session) -> None:
        self.tx, self.ines = tx, a_clinic(tx)
        self.ann = a_patient(tx, self.ines)
        self.program_id = a_program(tx, self.ines, self.ann).program.id
        self.device_id = self.phone_of(self.ann).device_id

    def phone_of(self, patient: Patient) -> Caller:
        return identify(self.tx, a_phone(self.tx, self.ines, patient).access, NOON)

    def phone(self, now: datetime) -> Caller:
        device = self.tx.get_one(Device, {"clinic_id": self.ines.clinic_id, "id": self.device_id})
        lasts = sign_ins.PATIENT_REFRESH_LASTS
        tokens = sign_ins._open(self.tx, device.clinic_id, device.account_id, device.id, lasts, now)
        self.tx.flush()
        return identify(self.tx, tokens.access, now)

    def touch(self, now: datetime, **but: Any) -> None:
        devices.in_touch(self.tx, self.phone(now), now=now, **but)

    def silence(self) -> Flag:
        stmt = select(Flag).where(Flag.kind == FlagKind.SILENCE, Flag.closed_at.is_(None))
        return self.tx.scalars(stmt.execution_options(populate_existing=True)).one()


@pytest.fixture
def scene(tx: Session) -> Scene:
    return Scene(tx)


def test_a_contact_is_written_once_an_hour_and_counts_once_a_day(scene: Scene) -> None:
    for minutes in (0, 20, 59, 61, 300):
        scene.touch(NOON + timedelta(minutes=minutes))
    scene.touch(NOON + DAY)
    stmt = select(Contact.local_date, Contact.at).order_by(Contact.at)
    assert scene.tx.execute(stmt).all() == [(MONDAY, NOON), (MONDAY + DAY, NOON + DAY)]
    device = scene.tx.get_one(Device, {"clinic_id": scene.ines.clinic_id, "id": scene.device_id})
    scene.tx.refresh(device)
    assert device.last_sync_at == NOON + DAY


def test_an_hour_later_costs_nothing(scene: Scene) -> None:
    scene.touch(NOON)
    phone = scene.phone(NOON + timedelta(minutes=30))
    with counting() as sent:
        devices.in_touch(scene.tx, phone, now=NOON + timedelta(minutes=30))
    assert sent == []


def test_the_day_of_a_contact_is_the_patients(tx: Session) -> None:
    scene = Scene(tx)
    scene.ann.time_zone = "Pacific/Auckland"
    tx.flush()
    scene.touch(NOON)
    assert tx.scalars(select(Contact.local_date)).one() == MONDAY + DAY


def test_the_skew_of_a_clock_is_remembered(scene: Scene) -> None:
    scene.touch(NOON, sent_at=NOON - timedelta(days=2))
    device = scene.tx.get_one(Device, {"clinic_id": scene.ines.clinic_id, "id": scene.device_id})
    scene.tx.refresh(device)
    assert device.skew_seconds == 2 * 86_400
    # Set right within the hour: worth writing at once.
    scene.touch(NOON + timedelta(minutes=5), sent_at=NOON + timedelta(minutes=5))
    scene.tx.refresh(device)
    assert device.skew_seconds == 0


def test_a_phone_in_touch_that_brings_nothing_ends_the_wait_for_late_logs(scene: Scene) -> None:
    """Vector D: every log four days late. Silence waits for the next, unless the phone was there without it."""
    log_days(scene.tx, scene.phone(NOON), scene.program_id, weeks(4), late=timedelta(days=4))
    assert scene.silence().opens_at == at("04-15", 0) - timedelta(hours=1)  # the end of 14 April, summer time
    scene.touch(at("04-08", 9))
    opened = scene.silence().opens_at
    assert opened == at("04-08", 9) + timedelta(minutes=15)
    assert sweep.misjudged(scene.tx, scene.ines.clinic_id, [scene.program_id]) == []


def test_staff_and_phoneless_callers_are_no_contact(scene: Scene) -> None:
    devices.in_touch(scene.tx, scene.ines, now=NOON)
    assert scene.tx.scalars(select(Contact)).all() == []


def test_a_contact_is_remembered_when_the_past_is_read(scene: Scene) -> None:
    log_days(scene.tx, scene.phone(NOON), scene.program_id, weeks(4), late=timedelta(days=4))
    scene.touch(at("04-08", 9))
    before = following(scene.tx, scene.ines, scene.program_id, as_of=at("04-08", 8), now=at("06-01"))
    after = following(scene.tx, scene.ines, scene.program_id, as_of=at("04-08", 10), now=at("06-01"))
    assert before.assessment.silence is not None
    assert after.assessment.silence is not None
    assert before.assessment.silence.lapsed_at != after.assessment.silence.lapsed_at
    row = scene.tx.scalars(select(ProgramStanding).execution_options(populate_existing=True)).one()
    assert row.assessed_at == at("04-08", 9)


def test_the_usual_delay_is_the_median_of_a_month(scene: Scene) -> None:
    phone = scene.phone(NOON)
    for days, hours in ((1, 1), (2, 5), (3, 30)):
        said = a_report(scene.program_id, MONDAY + days * DAY)
        record_sessions(scene.tx, phone, [said], now=said.performed_at + timedelta(hours=hours))
    (shown,) = devices.devices_of(scene.tx, phone, scene.ann.id, now=NOON + 5 * DAY)
    assert shown.usual_delay_hours == 5.0
    (shown,) = devices.devices_of(scene.tx, phone, scene.ann.id, now=NOON + 60 * DAY)
    assert shown.usual_delay_hours is None


def test_a_revoked_phone_is_out_at_once_and_stays_on_record(scene: Scene) -> None:
    phone = scene.phone(NOON)
    tokens = a_phone(scene.tx, scene.ines, scene.ann)
    other = identify(scene.tx, tokens.access, NOON)
    assert scene.device_id is not None
    for _ in range(2):
        devices.revoke_device(scene.tx, other, scene.ann.id, scene.device_id, now=NOON)
    scene.tx.flush()
    with pytest.raises(NotSignedIn):
        scene.phone(NOON)
    assert isinstance(sign_ins.refresh(scene.tx, tokens.refresh, NOON), sign_ins.Tokens)
    shown = {one.device.id: one.device for one in devices.devices_of(scene.tx, other, scene.ann.id, now=NOON)}
    assert shown[scene.device_id].revoked_at == NOON
    assert shown[scene.device_id].revoked_by == other.account_id
    assert phone.device_id == scene.device_id


def test_someone_elses_phone_does_not_exist(scene: Scene) -> None:
    bob = a_patient(scene.tx, scene.ines)
    his = scene.phone_of(bob)
    assert his.device_id is not None
    assert scene.device_id is not None
    for caller, patient_id, device_id in (
        (his, bob.id, scene.device_id),
        (his, scene.ann.id, scene.device_id),
        (scene.ines, scene.ann.id, his.device_id),
        (a_clinic(scene.tx), scene.ann.id, scene.device_id),
    ):
        with pytest.raises(Unknown):
            devices.revoke_device(scene.tx, caller, patient_id, device_id, now=NOON)


def names(scene: Scene, now: datetime, **but: Any) -> list[tuple[str, bool, int]]:
    asked: dict[str, Any] = {"days": 7, "therapist_id": None, "after": None, "limit": 10}
    found = devices.unsynced(scene.tx, scene.ines, **(asked | but), now=now)
    return [(one.patient.family_name, one.last_sync_at is not None, one.devices) for one in found]


def test_a_phone_in_touch_has_its_own_patients_programs_judged_anew(scene: Scene) -> None:
    other = a_program(scene.tx, scene.ines, a_patient(scene.tx, scene.ines)).program.id
    scene.touch(NOON + 3 * DAY)
    scene.tx.expire_all()
    judged = {one.program_id: one.assessed_at for one in scene.tx.scalars(select(ProgramStanding))}
    assert judged == {scene.program_id: NOON + 3 * DAY, other: NOON}


def test_who_has_not_synced(scene: Scene) -> None:
    phoneless = a_patient(scene.tx, scene.ines, family_name="Brown")
    a_program(scene.tx, scene.ines, phoneless)
    a_patient(scene.tx, scene.ines, family_name="Without a program")
    over = a_patient(scene.tx, scene.ines, family_name="Over")
    programs.stop(scene.tx, scene.ines, a_program(scene.tx, scene.ines, over).program.id, reason="other", now=NOON)
    scene.touch(NOON + 3 * DAY)
    assert names(scene, NOON + 6 * DAY) == []
    assert names(scene, NOON + 7 * DAY) == [("Brown", False, 0)]
    assert names(scene, NOON + 10 * DAY) == [("Archer", True, 1), ("Brown", False, 0)]
    assert names(scene, NOON + 10 * DAY, limit=1) == [("Archer", True, 1)]
    theo = replace(a_member(scene.tx, scene.ines.clinic_id, Role.THERAPIST), shares_caseloads=False)
    asked: dict[str, Any] = {"days": 7, "therapist_id": None, "after": None, "limit": 10, "now": NOON + 10 * DAY}
    assert devices.unsynced(scene.tx, theo, **asked) == []
    place = ("Archer", "Ann", scene.ann.id)
    assert names(scene, NOON + 10 * DAY, after=place) == [("Brown", False, 0)]
    assert names(scene, NOON + 10 * DAY, therapist_id=scene.ann.id) == []
    assert scene.device_id is not None
    devices.revoke_device(scene.tx, scene.ines, scene.ann.id, scene.device_id, now=NOON + 4 * DAY)
    assert names(scene, NOON + 10 * DAY)[0] == ("Archer", True, 0)
