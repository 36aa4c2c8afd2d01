"""Who sees whom: carers of a patient, and whether therapists share their caseloads."""

from uuid import UUID

from fastapi import APIRouter, Response

from api.schemas.access import AccessSettingsIn, AccessSettingsOut, CarerIn, CarerOut, CarerPage
from api.schemas.patients import InvitationOut
from api.visit import ExpectedVersion, ToInvite, ToReadRecord, ToReadStaff, ToRunClinic, ToShutOut, show_version
from models.operations import access_settings, carers, patients

router = APIRouter(prefix="/v1", tags=["access"])


@router.get("/patients/{patient_id}/carers", summary="Who may act for a patient, the latest first")
def list_carers(patient_id: UUID, visit: ToReadRecord) -> CarerPage:
    with visit.reading() as (tx, caller):
        return CarerPage(items=[CarerOut.of(one) for one in carers.carers_of(tx, caller, patient_id)])


@router.post("/patients/{patient_id}/carers", status_code=201, summary="Name a carer, with the consent on record")
def name_carer(patient_id: UUID, said: CarerIn, visit: ToInvite) -> CarerOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            return CarerOut.of(carers.carer(tx, caller, patient_id, known))
        named = carers.name_carer(tx, caller, patient_id, said.as_draft(), now=visit.now)
        visit.remember(tx, caller, said, named.proxy.id)
        return CarerOut.of(named)


@router.delete(
    "/patients/{patient_id}/carers/{carer_id}", status_code=204, summary="Shut a carer out, at once and for good"
)
def end_carer(patient_id: UUID, carer_id: UUID, visit: ToShutOut) -> None:
    with visit.writing() as (tx, caller):
        carers.end_carer(tx, caller, patient_id, carer_id, now=visit.now)


@router.post(
    "/patients/{patient_id}/carers/{carer_id}/invitation",
    status_code=201,
    summary="Invite a carer's phone; earlier codes of theirs stop working",
)
def invite_carer(patient_id: UUID, carer_id: UUID, visit: ToInvite, response: Response) -> InvitationOut:
    response.headers["Cache-Control"] = "no-store"
    with visit.writing() as (tx, caller):
        invitation, code = carers.invite_carer(tx, caller, patient_id, carer_id, now=visit.now)
        known = patients.patient(tx, caller, patient_id)
        return InvitationOut(
            id=invitation.id,
            code=code,
            expires_at=invitation.expires_at,
            needs_birth_date=known.birth_date is not None,
        )


@router.get("/access-settings", summary="Whether therapists see each other's patients")
def get_access_settings(visit: ToReadStaff, response: Response) -> AccessSettingsOut:
    with visit.reading() as (tx, caller):
        decided = access_settings.access_settings(tx, caller)
    show_version(response, decided.version)
    return AccessSettingsOut(shares_caseloads=decided.shares_caseloads)


@router.put("/access-settings", summary="Let therapists see each other's patients, or not")
def decide_access_settings(
    said: AccessSettingsIn, version: ExpectedVersion, visit: ToRunClinic, response: Response
) -> AccessSettingsOut:
    with visit.writing() as (tx, caller):
        decided = access_settings.decide(tx, caller, shares_caseloads=said.shares_caseloads, version=version)
    show_version(response, decided.version)
    return AccessSettingsOut(shares_caseloads=decided.shares_caseloads)
