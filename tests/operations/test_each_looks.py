"""Every operation on somebody's record looks for itself at who asks, whatever was looked at before: the record of
another caseload, or of another clinic, is as far as one that does not exist.
"""

import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import isfunction, signature
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

import models.operations
from models.database import Database
from models.operations import findings, measures, outreach, patients, programs, sessions
from models.operations.callers import Caller
from models.refusals import Unknown
from models.safety.red_flags import RED_FLAGS
from models.tables import Channel, DoneShare, Flag, Reached, Role
from tests.api.conftest import OSTEOARTHRITIS, REMINDERS, a_peopled_clinic, someone
from tests.builders import (
    DAY,
    MONDAY,
    NOON,
    a_clinic,
    a_dosage,
    a_draft,
    a_member,
    a_patient,
    a_program,
    a_report,
    discharged,
)

ABOUT = ("patient_id", "program_id", "flag_id")
"""What names a record."""
WITHIN = (
    *("condition_id", "flare_id", "pause_id", "device_id", "check_in_id", "carer_id", "consent_id"),
    *("screening_id", "examination_id", "measurement_id", "outreach_id"),
)
"""What names something in one."""
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


@dataclass(frozen=True)
class Known:
    """A therapist, and all there is to name of two patients of theirs."""

    ines: Caller
    ids: dict[str, Any]
    others: dict[str, Any]


@pytest.fixture
def known(database: Database, folder: Path) -> Known:
    clinic = a_peopled_clinic(database, folder)
    with database.writing() as tx:
        first = {name: getattr(clinic, name) for name in (*ABOUT[:2], *WITHIN) if hasattr(clinic, name)}
        second = {name: value for name, value in someone(tx, clinic.ines).items() if name in first}
        return Known(clinic.ines, *(ids | the_rest(tx, clinic.ines, ids) for ids in (first, second)))


def the_rest(tx: Session, ines: Caller, ids: dict[str, Any]) -> dict[str, Any]:
    """What a peopled clinic has not: a flag, answers, an examination, a measurement, a call."""
    ann = ids["patient_id"]
    report = a_report(ids["program_id"], done=DoneShare.NONE, reason="hurt")
    sessions.record_sessions(tx, ines, [report], now=report.performed_at)
    flags = select(Flag.id).where(Flag.clinic_id == ines.clinic_id, Flag.patient_id == ann)
    return {
        "flag_id": tx.scalars(flags).first(),
        "screening_id": patients.record_screening(tx, ines, ann, dict.fromkeys(RED_FLAGS, False), None, now=NOON).id,
        "examination_id": findings.examine(tx, ines, ann, findings.ExaminationDraft(pain=4), now=NOON).id,
        "measurement_id": measures.record_measurement(tx, ines, ann, WALKED, now=NOON).id,
        "outreach_id": outreach.reach_out(tx, ines, ann, CALL, now=NOON).id,
    }


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


def test_every_operation_looks_at_who_asks(tx: Session, known: Known) -> None:
    colleague = replace(a_member(tx, known.ines.clinic_id, Role.THERAPIST), shares_caseloads=False)
    told = {
        (name, who): answer(name, tx, caller, known.ids, ABOUT)
        for name in sorted(OPERATIONS.keys() - ELSEWHERE.keys())
        for who, caller in (("a colleague", colleague), ("a stranger", a_clinic(tx)))
    }
    assert len(told) > 140
    assert {one: said for one, said in told.items() if said != "unknown"} == {}
    assert not colleague.seen


def test_what_follows_on_a_program_is_told_to_who_sees_it(tx: Session) -> None:
    ines = a_clinic(tx)
    theo = a_member(tx, ines.clinic_id, Role.THERAPIST)
    before = a_program(tx, ines, a_patient(tx, ines)).program.id
    after = discharged(tx, ines, before, a_draft(a_dosage())).id
    told = [
        programs.maintenance_after(tx, replace(one, shares_caseloads=False), before)
        for one in (ines, theo, a_clinic(tx))
    ]
    assert told == [after, None, None]


def test_nothing_is_found_in_a_record_that_is_not_in_it(tx: Session, known: Known) -> None:
    told = {
        (name, one, whose): answer(name, tx, known.ines, known.ids | {one: key}, [one])
        for name, function in OPERATIONS.items()
        for one in WITHIN
        if one in signature(function).parameters
        for whose, key in (("nobody's", uuid4()), ("another patient's", known.others[one]))
    }
    assert {one for _, one, _ in told} == set(WITHIN)
    assert {one: said for one, said in told.items() if said != "unknown"} == {}


def answer(name: str, tx: Session, caller: Caller, ids: dict[str, Any], looked_for: Sequence[str]) -> str:
    """What an operation tells; `unknown` where it told that what it looked for is not there."""
    try:
        return f"done: {ask(name, tx, caller, ids)}"
    except Unknown as refused:
        return "unknown" if any(str(ids[one]) in str(refused) for one in looked_for) else f"not that: {refused}"
    except Exception as other:  # noqa: BLE001  (it went on without looking)
        return repr(other)
