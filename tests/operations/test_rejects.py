"""What was refused is kept 90 days, and can be said again."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.schemas.sync import kept_item
from models.operations import programs, sweep
from models.operations.callers import Caller
from models.operations.rejects import KEPT, Refused, keep_refused, rejects, replay
from models.operations.sessions import Outcome, record_sessions
from models.tables import RejectedSession, SessionLog
from tests.builders import DAY, MONDAY, NOON, a_clinic, a_patient, a_program, a_report, as_patient


class Scene:
    def __init__(self, tx: Session) -> None:
        self.tx, self.ines = tx, a_clinic(tx)
        self.ann = a_patient(tx, self.ines)
        self.program_id = a_program(tx, self.ines, self.ann).program.id
        self.phone = as_patient(tx, self.ines, self.ann)

    def body(self, **but: Any) -> dict[str, Any]:
        said = {"program_id": str(self.program_id), "performed_at": "2025-03-03T11:00:00Z", "time_zone": "UTC"}
        return {**said, "local_date": "2025-03-03", "done": "all", **but}

    def keeps(
        self, session_id: UUID, said: object, code: str = "invalid", by: Caller | None = None, **but: Any
    ) -> None:
        refused = Refused(session_id=session_id, raw=json.dumps(said), said=said, code=code)
        keep_refused(self.tx, by or self.phone, [refused], **{"now": NOON, **but})

    def replays(self, **but: Any) -> list[str]:
        outcomes = []
        for one in rejects(self.tx, self.ines.clinic_id):
            item = kept_item(one.session_id, one.body)
            outcomes.append(replay(self.tx, one, item, **{"now": NOON, **but}).outcome.value if item else "unreadable")
        return outcomes


@pytest.fixture
def scene(tx: Session) -> Scene:
    return Scene(tx)


def test_what_was_refused_for_what_has_changed_since_is_stored(scene: Scene) -> None:
    """Logged before the program began on the record; the start was mended afterwards."""
    session_id = uuid4()
    scene.keeps(session_id, scene.body(), "before_program")
    assert scene.replays() == ["created"]
    log = scene.tx.scalars(select(SessionLog)).one()
    assert (log.id, log.patient_id, log.source.value) == (session_id, scene.ann.id, "patient")
    assert rejects(scene.tx, scene.ines.clinic_id) == []
    assert len(rejects(scene.tx, scene.ines.clinic_id, landed=True)) == 1


def test_an_item_of_a_push_is_said_again_as_it_was(scene: Scene) -> None:
    session_id = uuid4()
    scene.keeps(session_id, {"op": "put", "id": str(session_id), "session": scene.body(pain_during=3)}, "unknown")
    assert scene.replays() == ["created"]
    assert scene.tx.scalars(select(SessionLog.pain_during)).one() == 3


def test_a_replay_goes_by_the_clock_it_was_sent_by(scene: Scene) -> None:
    off = timedelta(days=100)
    said = scene.body(performed_at=(NOON - off).isoformat(), local_date=(MONDAY - off).isoformat())
    scene.keeps(uuid4(), said, "before_program", sent_at=NOON - off)
    assert scene.replays(now=NOON + 3 * DAY) == ["created"]
    # Moved by what the clock was off then, not by how long the reject lay here.
    assert scene.tx.scalars(select(SessionLog.local_date)).one() == MONDAY


def test_what_still_cannot_be_stored_stays_and_says_so(scene: Scene) -> None:
    scene.keeps(uuid4(), scene.body(local_date="2024-01-01"), "wrong_local_date")
    scene.keeps(uuid4(), "not a session")
    assert sorted(scene.replays()) == ["rejected", "unreadable"]
    left = {one.replayed_to for one in rejects(scene.tx, scene.ines.clinic_id)}
    assert left == {"rejected", None}


def test_what_arrived_by_itself_is_not_listed(scene: Scene) -> None:
    session_id = uuid4()
    scene.keeps(session_id, scene.body(), "unknown")
    said = a_report(scene.program_id, id=session_id)
    assert record_sessions(scene.tx, scene.phone, [said], now=NOON + DAY)[0].outcome is Outcome.CREATED
    assert rejects(scene.tx, scene.ines.clinic_id) == []


def test_a_patient_who_is_signed_out_by_now_is_still_the_sender(scene: Scene) -> None:
    scene.keeps(uuid4(), scene.body(), "unknown", by=scene.ines)
    scene.keeps(uuid4(), scene.body(), "unknown")
    programs.stop(scene.tx, scene.ines, scene.program_id, reason="other", now=NOON + DAY)
    assert scene.replays(now=NOON + 2 * DAY) == ["created", "created"]
    assert sorted(scene.tx.scalars(select(SessionLog.source))) == ["patient", "therapist"]


def test_rejects_are_forgotten_after_ninety_days(scene: Scene) -> None:
    scene.keeps(uuid4(), scene.body(), "invalid")
    sweep.forget_expired(scene.tx, scene.ines.clinic_id, now=NOON + KEPT)
    assert scene.tx.scalars(select(RejectedSession.id)).all()
    sweep.forget_expired(scene.tx, scene.ines.clinic_id, now=NOON + KEPT + timedelta(seconds=1))
    assert not scene.tx.scalars(select(RejectedSession.id)).all()


def test_another_clinics_rejects_are_not_seen(scene: Scene) -> None:
    scene.keeps(uuid4(), scene.body(), "invalid")
    assert rejects(scene.tx, a_clinic(scene.tx).clinic_id, landed=True) == []
