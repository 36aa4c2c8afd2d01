"""A patient of whom there is something in every table that may hold anything of a patient, and a clinic around them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from models.delivery.addresses import Allowed
from models.operations import (
    consents,
    devices,
    findings,
    handling,
    measures,
    outreach,
    patients,
    prescribing,
    programs,
    rejects,
    sessions,
    sweep,
    webhooks,
)
from models.operations.callers import Caller, identify
from models.operations.measures import Answers
from models.operations.replies import remember_resource
from models.safety.red_flags import RED_FLAGS
from models.tables import (
    Base,
    Channel,
    ConditionStatus,
    ConsentBy,
    DoneShare,
    Flag,
    Reached,
    Role,
    TeachBack,
)
from tests.builders import (
    ALL_WARNINGS,
    DAY,
    LATER,
    MONDAY,
    NOON,
    a_carer,
    a_check_in,
    a_clinic,
    a_dosage,
    a_member,
    a_patient,
    a_phone,
    a_report,
    a_token,
    bearer,
)

EVENING = NOON + 6 * DAY
"""Sunday, when the story is told."""
FAMILY = "Quillfeather"
SAID = (
    *("Zebediah", FAMILY, "zeb@mail.example", "+49 30 5550123", "rollator-of-zeb", "bathroom floor"),
    *("seen by Dr Owl", "screening words", "own-test-of-zeb", "examination words", "course for Zeb", "to lift Jemima"),
    *("thick purple", "first weeks of Zeb", "revision words", "flare words", "review words"),
    *("session words", "left calf of Zeb", "zebs chip", "zebs reason", "newer things", "first words", "refused words"),
    *("week words", "earlier week words", "check-in words", "carrying Jemima", "outreach words", "call the son"),
    *("closing words", "Guardian Goose", "Cara Archer", "daughter", "carer's phone"),
)
"""Everything anybody typed of them or about them, and what they and theirs are called."""


@dataclass(frozen=True)
class Story:
    """Who is in it."""

    ines: Caller
    admin: Caller
    patient_id: UUID
    program_id: UUID
    phone: str
    """The patient's access token."""
    refresh: str
    carers_phone: str

    @property
    def clinic_id(self) -> UUID:
        return self.ines.clinic_id

    def as_admin(self, tx: Session) -> dict[str, str]:
        return bearer(a_token(tx, self.admin, now=EVENING))


def a_whole_record(tx: Session, ines: Caller | None = None) -> Story:
    """Of one patient, in a clinic of their own unless it is said."""
    ines = ines or a_clinic(tx)
    admin = a_member(tx, ines.clinic_id, Role.ADMIN)
    webhooks.create_webhook(tx, admin, webhooks.WebhookDraft(url="https://hooks.example/a"), Allowed(), now=NOON)
    zeb = a_patient(
        tx,
        ines,
        given_name="Zebediah",
        family_name=FAMILY,
        email="zeb@mail.example",
        phone="+49 30 5550123",
        equipment=["rollator-of-zeb"],
        preferences={"place": "bathroom floor"},
    )
    _agrees(tx, ines, zeb.id)
    _is_examined(tx, ines, zeb.id)
    program_id, lines = _is_treated(tx, ines, zeb.id)
    _, carers = a_carer(tx, ines, zeb)
    tokens = a_phone(tx, ines, zeb)
    phone = identify(tx, tokens.access, NOON)
    _logs(tx, ines, phone, program_id, lines)
    _answers(tx, phone, zeb.id, program_id)
    _is_looked_after(tx, ines, zeb.id)
    remember_resource(tx, phone, "a-key", b"a request", uuid4(), now=NOON)
    tx.flush()
    return Story(ines, admin, zeb.id, program_id, tokens.access, tokens.refresh, carers.access)


def _agrees(tx: Session, ines: Caller, patient_id: UUID) -> None:
    draft = consents.ConsentDraft(
        purpose="treatment_data", text_version="2025-01", given_by=ConsentBy.GUARDIAN, given_name="Guardian Goose"
    )
    consents.give(tx, ines, patient_id, draft, now=NOON)


def _is_examined(tx: Session, ines: Caller, patient_id: UUID) -> None:
    condition = findings.ConditionDraft(code="oa-hand", status=ConditionStatus.CONFIRMED, source="seen by Dr Owl")
    findings.record_condition(tx, ines, patient_id, condition, now=NOON)
    examined = {"sit_to_stand_30s": 11, "own-test-of-zeb": 3}
    findings.examine(
        tx, ines, patient_id, findings.ExaminationDraft(pain=5, tests=examined, note="examination words"), now=NOON
    )
    patients.record_screening(tx, ines, patient_id, dict.fromkeys(RED_FLAGS, False), "screening words", now=NOON)


def _is_treated(tx: Session, ines: Caller, patient_id: UUID) -> tuple[UUID, list[UUID]]:
    item = prescribing.ItemDraft(exercise="bird-dog", dosage=a_dosage(band="thick purple"), goal="to lift Jemima")
    phase = prescribing.PhaseDraft(label="first weeks of Zeb", from_day=1, to_day=None, items=[item])
    gentle = prescribing.Flare(items=[prescribing.ItemDraft(exercise="bed-knee-rocks", dosage=a_dosage())])
    draft = prescribing.ProgramDraft(
        title="course for Zeb",
        goal="to lift Jemima",
        note="revision words",
        starts_on=MONDAY,
        phases=[phase],
        flare=gentle,
        review_due_on=LATER,
    )
    program_id = prescribing.create_program(tx, ines, patient_id, draft, now=NOON).id
    found = programs.activate(tx, ines, program_id, ALL_WARNINGS, now=NOON)
    lines = [one.line_id for one in found.items]
    programs.teach(tx, ines, program_id, [(lines[0], TeachBack.SHOWN)], taught_on=None, now=NOON)
    programs.review(tx, ines, program_id, note="review words", next_review_on=LATER, now=NOON)
    days: dict[str, Any] = {"from_on": MONDAY + 5 * DAY, "to_on": MONDAY + 5 * DAY}
    programs.declare_flare(tx, ines, program_id, **days, joints=["knee"], note="flare words", now=EVENING - DAY)
    away: dict[str, Any] = {"from_on": MONDAY + 60 * DAY, "to_on": MONDAY + 61 * DAY, "reason": "holiday"}
    programs.pause(tx, ines, program_id, **away, now=NOON)
    return program_id, lines


def _logs(tx: Session, ines: Caller, phone: Caller, program_id: UUID, lines: list[UUID]) -> None:
    devices.in_touch(tx, phone, now=NOON)
    entries = [sessions.EntryReport(line_id=lines[0], sets=2, reason="zebs reason")]
    said: dict[str, Any] = {
        "done": DoneShare.SOME,
        "reason": "zebs reason",
        "spread_to": "left calf of Zeb",
        "chips": ["fall", "zebs chip"],
        "pain_during": 7,
        "ext": {"say": "newer things"},
        "entries": entries,
        "id": uuid4(),
    }
    first = a_report(program_id, MONDAY, note="first words", **said)
    again = a_report(program_id, MONDAY, note="session words", base_version=1, **said)
    taken_back = a_report(program_id, MONDAY + DAY)
    told: list[sessions.Item] = [first, again, taken_back, sessions.Deletion(id=taken_back.id, base_version=1)]
    outcomes = [one.outcome for one in sessions.record_sessions(tx, phone, told, now=NOON + 2 * DAY)]
    assert outcomes == ["created", "updated", "created", "deleted"]
    raw = rejects.Refused(session_id=uuid4(), raw='{"note": "refused words"}', said={}, code="invalid")
    rejects.keep_refused(tx, phone, [raw], now=NOON)
    rejects.keep_refused(tx, ines, [_staffs(program_id)], now=NOON)


def _staffs(program_id: UUID) -> rejects.Refused:
    said = {"program_id": str(program_id), "note": "refused words"}
    return rejects.Refused(
        session_id=uuid4(), raw=f'{{"program_id": "{program_id}", "note": "refused words"}}', said=said, code="invalid"
    )


def _answers(tx: Session, phone: Caller, patient_id: UUID, program_id: UUID) -> None:
    course = prescribing.course(tx, phone, program_id)
    asked = a_check_in(tx, course.program)
    measures.answer_check_in(
        tx,
        phone,
        patient_id,
        asked.id,
        Answers(pain=4, function=[{"activity": "carrying Jemima", "score": 4}], note="check-in words"),
        now=NOON,
    )
    measures.answer_week(tx, phone, patient_id, MONDAY, Answers(pain=3, note="earlier week words"), now=NOON)
    measures.answer_week(tx, phone, patient_id, MONDAY, Answers(pain=4, note="week words"), base_version=1, now=NOON)


def _is_looked_after(tx: Session, ines: Caller, patient_id: UUID) -> None:
    tx.flush()
    flags = tx.scalars(select(Flag).where(Flag.patient_id == patient_id, Flag.opens_at <= EVENING)).all()
    fell = next(one for one in flags if one.kind == "fall")
    draft = outreach.OutreachDraft(
        channel=Channel.PHONE,
        outcome=Reached.NO_ANSWER,
        flag_id=fell.id,
        next_step="call the son",
        next_step_on=EVENING.date(),
        note="outreach words",
    )
    outreach.reach_out(tx, ines, patient_id, draft, now=EVENING)
    assert sweep.announce_due(tx, ines.clinic_id, now=EVENING)
    tx.refresh(fell)
    handling.close(tx, ines, fell.id, handling.Handled.HANDLED, "closing words", version=fell.version, now=EVENING)


def everything(tx: Session) -> dict[str, str]:
    """All rows of all tables that are not the shelf's, as text."""
    return {
        table.name: "\n".join(str(tuple(_told(value) for value in row)) for row in tx.execute(_all(table)))
        for table in Base.metadata.sorted_tables
        if table.info["placement"] != "reference"
    }


def _all(table: Table) -> Any:
    return select(table).order_by(*table.primary_key)


def _told(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
