"""Check-ins after discharge, weekly questions, and outcome measures."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from api.hearing import hearing
from api.schemas.measures import (
    CheckInAnswerOut,
    CheckInAnswersIn,
    CheckInOut,
    CheckInPage,
    MeasurementIn,
    MeasurementOut,
    MeasureOut,
    MeasurePage,
    QuestionsOut,
    SeriesOut,
    SeriesPage,
    WeekAnswerOut,
    WeekIn,
    WeekOut,
    WeekPage,
)
from api.schemas.words import Day
from api.visit import KEPT, ToAnswer, ToLog, ToReadRecord, ToReadShelf, ToWriteRecord, credential_of, visit_of
from models.adherence.measures import MEASURES
from models.operations import measures
from models.operations.callers import Caller
from models.operations.measures import Refused
from models.operations.policy import Deed
from models.operations.sessions import Outcome
from models.refusals import Conflict, Invalid, NotAllowed, NotAsked, NotSignedIn, Unknown


def _keep(request: Request, body: str, code: str) -> None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return  # nothing that could be read
    visit = replace(visit_of(request, credential_of(request), Deed.LOG), operation=KEPT)
    place = request.path_params
    about = _read(UUID, place.get("check_in_id")) or _read(date.fromisoformat, place.get("monday"))
    try:
        with visit.writing() as (tx, caller):
            patient_id = caller.patient_id or _read(UUID, place.get("patient_id"))
            if patient_id is None:
                return  # about nobody
            refused = Refused(about=about, raw=body, said=said, code=code)
            raised, advice = measures.keep_refused(tx, caller, patient_id, refused, now=visit.now)
    except (NotSignedIn, NotAllowed, Unknown):
        return  # a stranger's, or about nobody in sight
    request.state.more = {"kept": True, "safety_raised": raised, "advice": advice}


def _read(read: Callable[[str], Any], said: str | None) -> Any:
    """A part of the path as what it should be, if it can be read."""
    try:
        return read(said or "")
    except ValueError:
        return None


heard = APIRouter(prefix="/v1", tags=["measures"], route_class=hearing(_keep, Invalid, NotAsked, Unknown, Conflict))
router = APIRouter(prefix="/v1", tags=["measures"])


def _own(caller: Caller) -> UUID:
    assert caller.patient_id is not None  # patients have one
    return caller.patient_id


@router.get("/me/check-ins", summary="What the phone should ask today: open check-ins and the week's questions")
def list_questions(visit: ToAnswer) -> QuestionsOut:
    with visit.reading() as (tx, caller):
        return QuestionsOut.of(measures.due_now(tx, caller, _own(caller), now=visit.now))


@heard.put("/me/check-ins/{check_in_id}", summary="Answer a check-in; saying it twice is saying it once")
def answer_check_in(check_in_id: UUID, said: CheckInAnswersIn, visit: ToAnswer) -> CheckInAnswerOut:
    with visit.writing() as (tx, caller):
        answers = said.as_answers()
        answered = measures.answer_check_in(
            tx, caller, _own(caller), check_in_id, answers, base_version=said.base_version, now=visit.now
        )
        return CheckInAnswerOut.of(answered)


@heard.put(
    "/me/weeks/{monday}",
    summary="Answer the weekly questions; saying it twice is saying it once",
    responses={201: {"model": WeekAnswerOut, "description": "Answered"}, 200: {"description": "Was answered already"}},
)
def answer_week(
    monday: Annotated[Day, Path(description="Of the patient's local week.")],
    said: WeekIn,
    visit: ToAnswer,
    response: Response,
) -> WeekAnswerOut:
    with visit.writing() as (tx, caller):
        answered = measures.answer_week(
            tx, caller, _own(caller), monday, said.as_answers(), base_version=said.base_version, now=visit.now
        )
        response.status_code = 201 if answered.outcome is Outcome.CREATED else 200
        return WeekAnswerOut.of(answered)


@router.get("/patients/{patient_id}/check-ins", summary="Check-ins after discharge, in the order they are due")
def list_check_ins(patient_id: UUID, visit: ToReadRecord) -> CheckInPage:
    with visit.reading() as (tx, caller):
        found = measures.check_ins_of(tx, caller, patient_id)
        return CheckInPage(items=[CheckInOut.model_validate(one) for one in found])


@heard.put(
    "/patients/{patient_id}/check-ins/{check_in_id}", summary="Answer a check-in for a patient, as on the telephone"
)
def answer_patients_check_in(
    patient_id: UUID, check_in_id: UUID, said: CheckInAnswersIn, visit: ToWriteRecord
) -> CheckInAnswerOut:
    with visit.writing() as (tx, caller):
        answers = said.as_answers()
        answered = measures.answer_check_in(
            tx, caller, patient_id, check_in_id, answers, base_version=said.base_version, now=visit.now
        )
        return CheckInAnswerOut.of(answered)


@router.get("/patients/{patient_id}/weeks", summary="A patient's weekly answers, latest first")
def list_weeks(patient_id: UUID, visit: ToReadRecord) -> WeekPage:
    with visit.reading() as (tx, caller):
        found = measures.weeks_of(tx, caller, patient_id)
        return WeekPage(items=[WeekOut.model_validate(one) for one in found])


@router.get("/measures", summary="Every outcome measure, and which change in it matters")
def list_measures(visit: ToReadShelf) -> MeasurePage:
    with visit.reading():
        return MeasurePage(items=[MeasureOut.model_validate(one) for one in MEASURES.values()])


@router.get(
    "/patients/{patient_id}/measures", summary="A patient's scores through time, and what their change comes to"
)
def list_series(patient_id: UUID, visit: ToReadRecord) -> SeriesPage:
    with visit.reading() as (tx, caller):
        found = measures.series_of(tx, caller, patient_id)
        return SeriesPage(items=[SeriesOut.of(one) for one in found])


@router.post("/patients/{patient_id}/measures", status_code=201, summary="Record a score")
def record_measurement(patient_id: UUID, said: MeasurementIn, visit: ToLog) -> MeasurementOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            return MeasurementOut.of(measures.measurement(tx, caller, patient_id, known))
        taken = measures.record_measurement(tx, caller, patient_id, said.as_draft(), now=visit.now)
        visit.remember(tx, caller, said, taken.id)
        return MeasurementOut.of(taken)
