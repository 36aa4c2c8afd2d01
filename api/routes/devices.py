"""Phones: which a patient has, which are shut out, and who has not synced."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.devices import DeviceOut, DevicePage, UnsyncedOut, UnsyncedPage
from api.schemas.words import Name
from api.visit import ToReadClinical, ToReadRecord, ToShutOut
from models.operations import devices

router = APIRouter(prefix="/v1", tags=["devices"])

_PLACE: TypeAdapter[tuple[Name, Name, UUID]] = TypeAdapter(tuple[Name, Name, UUID])


@router.get("/patients/{patient_id}/devices", summary="A patient's phones, the latest first")
def list_devices(patient_id: UUID, visit: ToReadRecord) -> DevicePage:
    with visit.reading() as (tx, caller):
        found = devices.devices_of(tx, caller, patient_id, now=visit.now)
        return DevicePage(items=[DeviceOut.of(one) for one in found])


@router.delete(
    "/patients/{patient_id}/devices/{device_id}", status_code=204, summary="Shut a phone out, at once and for good"
)
def revoke_device(patient_id: UUID, device_id: UUID, visit: ToShutOut) -> None:
    with visit.writing() as (tx, caller):
        devices.revoke_device(tx, caller, patient_id, device_id, now=visit.now)


@router.get("/unsynced", summary="Patients with a running program whose phones have not been in touch")
def list_unsynced(
    visit: ToReadClinical,
    request: Request,
    response: Response,
    days: Annotated[int, Query(ge=1, le=365, description="Not in touch for so many days.")] = (
        devices.SILENT_AFTER_DAYS
    ),
    therapist_id: Annotated[UUID | None, Query(description="Only patients of this therapist.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> UnsyncedPage:
    after = read_cursor(cursor, _PLACE)
    with visit.reading() as (tx, caller):
        found = devices.unsynced(
            tx, caller, days=days, therapist_id=therapist_id, after=after, limit=limit + 1, now=visit.now
        )
        caller.seen.update(one.patient.id for one in found[:limit])
    last = found[limit - 1].patient if len(found) > limit else None
    place = (last.family_name, last.given_name, last.id) if last else None
    return UnsyncedPage(
        items=[UnsyncedOut.of(one) for one in found[:limit]], next=next_cursor(request, response, place)
    )
