"""A clinic in which something was said of everything an export may hold, and ways to have it exported."""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from api.exports.jobs import Exporter, path_of
from models.database import Database
from models.operations import exports
from models.operations.callers import Caller
from models.operations.prescribing import ItemDraft, PhaseDraft, ProgramDraft
from models.operations.sessions import EntryReport, record_sessions
from models.tables import ExportContent, ExportFormat, Program
from tests.builders import DAY, LATER, MONDAY, NOON, a_dosage, a_patient, a_program, a_report
from tests.conftest import Clock

EVENING = NOON + 4 * DAY + timedelta(hours=6)
"""Friday, when the week is exported."""
PEOPLE = (("Zebediah", "Quillfeather", "zeb@mail.example"), ("Ophelia", "Marchbanks", "oph@mail.example"))
TYPED = (
    *(word for person in PEOPLE for word in person),
    *("+49 30 5550123", "note of the knee", "back course for Zeb", "to lift Jemima", "thick purple", "phone's word"),
    *("my chip", "left calf", "newer things", "rollator", "bathroom floor", "Europe/London"),
)
"""Everything that people typed, or that tells where they are."""


def a_busy_clinic(tx: Session, ines: Caller) -> list[Program]:
    """Two patients, each with a program and, from Monday to Friday, a session of two entries a day; both fell."""
    return [_a_course(tx, ines, *person) for person in PEOPLE]


def _a_course(tx: Session, ines: Caller, given: str, family: str, email: str) -> Program:
    details: dict[str, Any] = {"email": email, "phone": "+49 30 5550123", "equipment": ["rollator"]}
    details |= {"given_name": given, "family_name": family, "preferences": {"place": "bathroom floor"}}
    patient = a_patient(tx, ines, **details)
    dosages = (("bird-dog", a_dosage()), ("glute-bridge", a_dosage(band="thick purple")))
    items = [ItemDraft(exercise=slug, dosage=dosage, goal="to lift Jemima") for slug, dosage in dosages]
    phase = PhaseDraft(label="All along", from_day=1, to_day=None, items=items)
    words: dict[str, Any] = {"title": "back course for Zeb", "goal": "to lift Jemima", "review_due_on": LATER}
    course = a_program(tx, ines, patient, ProgramDraft(starts_on=MONDAY, phases=[phase], **words))
    for number in range(5):
        said = a_report(
            course.program.id,
            MONDAY + number * DAY,
            performed_at=NOON + number * DAY + timedelta(minutes=17 * number),
            chips=["fall", "my chip"] if number == 1 else [],
            reason="phone's word" if number == 2 else None,
            note="note of the knee",
            spread_to="left calf",
            pain_during=number,
            ext={"say": "newer things"},
            entries=[EntryReport(line_id=item.line_id, sets=2, reason="phone's word") for item in course.items],
        )
        record_sessions(tx, ines, [said], now=said.performed_at)
    return course.program


def asked_for(tx: Session, caller: Caller, content: str = "sessions", written_as: str = "ndjson", **but: Any) -> UUID:
    """An export, asked for on the evening unless `now` says otherwise."""
    options, now = but.pop("options", {}), but.pop("now", EVENING)
    draft = exports.ExportDraft(content=ExportContent(content), format=ExportFormat(written_as), options=options, **but)
    return exports.request_export(tx, caller, draft, now=now).id


@dataclass
class Office:
    """A folder of exports and who works on them."""

    database: Database
    folder: Path
    clock: Clock

    def exporter(self, **but: Any) -> Exporter:
        ways: dict[str, Any] = {"reading": self.database.reading, "writing": self.database.writing, "size": 3}
        return Exporter(self.folder, clock=lambda: self.clock.now, **(ways | but))

    def have(self, caller: Caller, content: str = "sessions", written_as: str = "ndjson", **but: Any) -> bytes:
        """An export asked for and written, at once; its file."""
        with self.database.writing() as tx:
            export_id = asked_for(tx, caller, content, written_as, **but)
        assert self.exporter().work([caller.clinic_id]) == 1
        return path_of(self.folder, export_id).read_bytes()

    def rows(self, caller: Caller, content: str = "sessions", **but: Any) -> list[dict[str, Any]]:
        """The rows of an export."""
        return [json.loads(line) for line in self.have(caller, content, **but).splitlines()]
