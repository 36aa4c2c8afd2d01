"""Patients: their record, screenings and invitations."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.patients import (
    ConditionIn,
    ConditionOut,
    ConditionPage,
    ExaminationIn,
    ExaminationOut,
    ExaminationPage,
    InvitationOut,
    PatientIn,
    PatientOut,
    PatientPage,
    ScreeningIn,
    ScreeningOut,
    ScreeningPage,
)
from api.schemas.words import Line, Name
from api.visit import ExpectedVersion, ToInvite, ToReadClinical, ToReadRecord, ToWriteRecord, show_version
from models.operations import dangers, findings, patients

router = APIRouter(prefix="/v1/patients", tags=["patients"])

_PLACE: TypeAdapter[tuple[Name, Name, UUID]] = TypeAdapter(tuple[Name, Name, UUID])


@router.get("", summary="The clinic's patients, by name")
def list_patients(
    visit: ToReadClinical,
    request: Request,
    response: Response,
    name: Annotated[Line | None, Query(description="The beginning of either name.")] = None,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> PatientPage:
    after = read_cursor(cursor, _PLACE)
    with visit.reading() as (tx, caller):
        found = patients.patients(tx, caller, name=name, after=after, limit=limit + 1)
        caller.seen.update(one.id for one in found[:limit])
    last = found[limit - 1] if len(found) > limit else None
    place = (last.family_name, last.given_name, last.id) if last else None
    return PatientPage(
        items=[PatientOut.model_validate(one) for one in found[:limit]], next=next_cursor(request, response, place)
    )


@router.post("", status_code=201, summary="Add a patient")
def create_patient(said: PatientIn, visit: ToWriteRecord, response: Response) -> PatientOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            created = patients.patient(tx, caller, known)
        else:
            created = patients.create_patient(tx, caller, said.as_draft(), now=visit.now)
            visit.remember(tx, caller, said, created.id)
        show_version(response, created.version)
        return PatientOut.model_validate(created)


@router.get("/{patient_id}", summary="One patient")
def get_patient(patient_id: UUID, visit: ToReadRecord, response: Response) -> PatientOut:
    with visit.reading() as (tx, caller):
        found = patients.patient(tx, caller, patient_id)
        show_version(response, found.version)
        return PatientOut.model_validate(found)


@router.put("/{patient_id}", summary="Replace what is known of a patient")
def amend_patient(
    patient_id: UUID, said: PatientIn, version: ExpectedVersion, visit: ToWriteRecord, response: Response
) -> PatientOut:
    with visit.writing() as (tx, caller):
        amended = patients.amend_patient(tx, caller, patient_id, said.as_draft(), version=version, now=visit.now)
        show_version(response, amended.version)
        return PatientOut.model_validate(amended)


@router.get("/{patient_id}/screenings", summary="A patient's screenings, latest first")
def list_screenings(patient_id: UUID, visit: ToReadClinical) -> ScreeningPage:
    with visit.reading() as (tx, caller):
        found = patients.screenings(tx, caller, patient_id)
        return ScreeningPage(items=[ScreeningOut.of(one) for one in found])


@router.post("/{patient_id}/screenings", status_code=201, summary="Record a red-flag screening")
def record_screening(patient_id: UUID, said: ScreeningIn, visit: ToWriteRecord) -> ScreeningOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            return ScreeningOut.of(patients.screening(tx, caller, patient_id, known))
        recorded = patients.record_screening(tx, caller, patient_id, said.answers, said.note, now=visit.now)
        visit.remember(tx, caller, said, recorded.id)
        return ScreeningOut.of(recorded)


@router.get("/{patient_id}/conditions", summary="What a patient has or had, and what follows from it")
def list_conditions(patient_id: UUID, visit: ToReadClinical) -> ConditionPage:
    with visit.reading() as (tx, caller):
        found = findings.conditions_of(tx, caller, patient_id)
        derived = findings.derived_conditions(tx, caller, patient_id, now=visit.now)
        return ConditionPage(items=[ConditionOut.of(one) for one in found], derived=derived)


@router.post(
    "/{patient_id}/conditions", status_code=201, summary="Record a condition; says which programs it endangers"
)
def record_condition(patient_id: UUID, said: ConditionIn, visit: ToWriteRecord, response: Response) -> ConditionOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            recorded = findings.condition(tx, caller, patient_id, known)
        else:
            recorded = findings.record_condition(tx, caller, patient_id, said.as_draft(), now=visit.now)
            visit.remember(tx, caller, said, recorded.id)
        show_version(response, recorded.version)
        return ConditionOut.of(recorded, dangers.endangered(tx, caller.clinic_id, patient_id, now=visit.now))


@router.put("/{patient_id}/conditions/{condition_id}", summary="Replace what is known of a condition, or resolve it")
def amend_condition(
    patient_id: UUID,
    condition_id: UUID,
    said: ConditionIn,
    version: ExpectedVersion,
    visit: ToWriteRecord,
    response: Response,
) -> ConditionOut:
    with visit.writing() as (tx, caller):
        amended = findings.amend_condition(
            tx, caller, patient_id, condition_id, said.as_draft(), version=version, now=visit.now
        )
        show_version(response, amended.version)
        return ConditionOut.of(amended, dangers.endangered(tx, caller.clinic_id, patient_id, now=visit.now))


@router.get("/{patient_id}/examinations", summary="A patient's examinations, latest first")
def list_examinations(patient_id: UUID, visit: ToReadClinical) -> ExaminationPage:
    with visit.reading() as (tx, caller):
        found = findings.examinations_of(tx, caller, patient_id)
        return ExaminationPage(items=[ExaminationOut.model_validate(one) for one in found])


@router.post("/{patient_id}/examinations", status_code=201, summary="Record a baseline or what was measured today")
def examine_patient(patient_id: UUID, said: ExaminationIn, visit: ToWriteRecord) -> ExaminationOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            return ExaminationOut.model_validate(findings.examination(tx, caller, patient_id, known))
        examined = findings.examine(tx, caller, patient_id, said.as_draft(), now=visit.now)
        visit.remember(tx, caller, said, examined.id)
        return ExaminationOut.model_validate(examined)


@router.post(
    "/{patient_id}/invitation", status_code=201, summary="Invite a patient's phone; earlier codes stop working"
)
def invite_patient(patient_id: UUID, visit: ToInvite, response: Response) -> InvitationOut:
    response.headers["Cache-Control"] = "no-store"
    with visit.writing() as (tx, caller):
        invitation, code = patients.invite(tx, caller, patient_id, now=visit.now)
        known = patients.patient(tx, caller, patient_id)
        return InvitationOut(
            id=invitation.id,
            code=code,
            expires_at=invitation.expires_at,
            needs_birth_date=known.birth_date is not None,
        )
