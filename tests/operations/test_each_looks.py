"""Every operation on somebody's record looks for itself at who asks, whatever was looked at before: the record of
another caseload, or of another clinic, is as far as one that does not exist.
"""

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from inspect import isfunction, signature
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

import models.operations
from models.database import Database
from models.operations import findings, measures, outreach, patients, sessions
from models.operations.callers import Caller
from models.refusals import Unknown
from models.safety.red_flags import RED_FLAGS
from models.tables import Channel, DoneShare, Flag, Reached, Role
from tests.api.conftest import OSTEOARTHRITIS, REMINDERS, a_peopled_clinic
from tests.builders import DAY, MONDAY, NOON, a_clinic, a_draft, a_member, a_report

ABOUT = ("patient_id", "program_id", "flag_id")
"""What names a record."""
ELSEWHERE = {
    "checking.accept": "the program was looked for before, and what was checked of it is handed over",
    "erasure.erase_patient": "an admin's, who sees the whole clinic",
    "programs.maintenance_after": "nothing is nothing: it tells what follows on a program, or that nothing does",
}
CALL = outreach.OutreachDraft(channel=Channel.PHONE, outcome=Reached.NO_ANSWER)
WALKED = measures.MeasurementDraft(code="sit_to_stand_30s", score=12)
SAID: dict[str, Any] = {
    "findings.record_condition": OSTEOARTHRITIS,
    "findings.amend_condition": OSTEOARTHRITIS,
    "findings.examine": findings.ExaminationDraft(pain=4),
    "measures.record_measurement": WALKED,
    "outreach.reach_out": CALL,
    "prescribing.create_program": a_draft(),
    "consents.give": REMINDERS,
    "measures.answer_check_in": measures.Answers(pain=2),
    "measures.answer_week": measures.Answers(pain=2),
    "patients.record_screening": dict.fromkeys(RED_FLAGS, False),
}
"""What is said before anybody looks."""


def operations() -> Iterator[tuple[str, Callable[..., Any]]]:
    for found in pkgutil.walk_packages(models.operations.__path__, "models.operations."):
        module = import_module(found.name)
        for name, function in sorted(vars(module).items()):
            if isfunction(function) and function.__module__ == found.name and not name.startswith("_"):
                asked = signature(function).parameters
                if {"tx", "caller"} <= asked.keys() and any(one in asked for one in ABOUT):
                    yield f"{found.name.removeprefix('models.operations.')}.{name}", function


OPERATIONS = dict(operations())


@pytest.fixture
def known(database: Database, folder: Path) -> tuple[Caller, dict[str, Any]]:
    """A therapist, and all there is to name of a patient of theirs."""
    clinic = a_peopled_clinic(database, folder)
    ines, ann = clinic.ines, clinic.patient_id
    with database.writing() as tx:
        report = a_report(clinic.program_id, done=DoneShare.NONE, reason="hurt")
        sessions.record_sessions(tx, ines, [report], now=report.performed_at)
        flag_id = tx.scalars(select(Flag.id).where(Flag.clinic_id == ines.clinic_id, Flag.patient_id == ann)).first()
        asked = patients.record_screening(tx, ines, ann, dict.fromkeys(RED_FLAGS, False), None, now=NOON)
        ids = {
            "patient_id": ann,
            "program_id": clinic.program_id,
            "flag_id": flag_id,
            "screening_id": asked.id,
            "examination_id": findings.examine(tx, ines, ann, findings.ExaminationDraft(pain=4), now=NOON).id,
            "measurement_id": measures.record_measurement(tx, ines, ann, WALKED, now=NOON).id,
            "outreach_id": outreach.reach_out(tx, ines, ann, CALL, now=NOON).id,
        }
    names = ("condition_id", "flare_id", "pause_id", "device_id", "check_in_id", "carer_id", "consent_id")
    return ines, ids | {name: getattr(clinic, name) for name in names}


def ask(name: str, tx: Session, caller: Caller, ids: dict[str, Any]) -> Any:
    function = OPERATIONS[name]
    said = {"tx": tx, "caller": caller, "now": NOON, "monday": MONDAY, "limit": 10, **ids}
    said |= {"draft": SAID.get(name), "answers": SAID.get(name)}
    # Whoever looks first never sees these.
    others = {"first": MONDAY, "last": MONDAY + DAY, "version": 1, "kinds": ()}
    asked = signature(function).parameters.values()
    return function(
        *(said.get(one.name, others.get(one.name)) for one in asked if one.kind is not one.KEYWORD_ONLY),
        **{one.name: said.get(one.name, others.get(one.name)) for one in asked if one.kind is one.KEYWORD_ONLY},
    )


def test_every_operation_looks_at_who_asks(tx: Session, known: tuple[Caller, dict[str, Any]]) -> None:
    ines, ids = known
    colleague = replace(a_member(tx, ines.clinic_id, Role.THERAPIST), shares_caseloads=False)
    told = {
        (name, who): answer(name, tx, caller, ids)
        for name in sorted(OPERATIONS.keys() - ELSEWHERE.keys())
        for who, caller in (("a colleague", colleague), ("a stranger", a_clinic(tx)))
    }
    assert len(told) > 140
    assert {one: said for one, said in told.items() if said != "unknown"} == {}


def answer(name: str, tx: Session, caller: Caller, ids: dict[str, Any]) -> str:
    """What an operation tells; `unknown` where it told that what it looked for first is not there."""
    try:
        return f"done: {ask(name, tx, caller, ids)}"
    except Unknown as refused:
        assert not caller.seen, name
        return "unknown" if any(str(ids[one]) in str(refused) for one in ABOUT) else f"not the record: {refused}"
    except Exception as other:  # noqa: BLE001  (it went on without looking)
        return repr(other)
