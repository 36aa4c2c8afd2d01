"""Patients' rights: a copy of the whole record, its erasure, consents, and how long records are kept."""

from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from api.exports.jobs import path_of, remove
from api.exports.records import MEDIA_TYPE, pieces, write_record
from api.schemas.rights import (
    ConsentIn,
    ConsentOut,
    ConsentPage,
    ErasureIn,
    ErasureOut,
    RetentionSettingsIn,
    RetentionSettingsOut,
)
from api.visit import (
    ExpectedVersion,
    ToConsent,
    ToErase,
    ToReadRecord,
    ToReadStaff,
    ToRunClinic,
    ToTakeRecord,
    show_version,
)
from models.operations import consents, erasure, retention
from models.operations.patients import patient

router = APIRouter(prefix="/v1", tags=["rights"])

_ZIP = {"description": "The record.", "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}


async def _folder(request: Request) -> Path:
    found: Path = request.app.state.exports
    return found


@router.get(
    "/patients/{patient_id}/export",
    summary="A patient's whole record as a ZIP: JSON, one CSV a table, and what they are",
    response_class=StreamingResponse,
    responses={200: _ZIP},
)
def export_record(
    patient_id: UUID, visit: ToTakeRecord, folder: Annotated[Path, Depends(_folder)]
) -> StreamingResponse:
    # On disk first, where nobody sees it: however slow the line, the database is not kept waiting.
    file = TemporaryFile(dir=folder if folder.is_dir() else None)  # noqa: SIM115  (whoever sends it closes it)
    try:
        with visit.snapshot() as (tx, caller):
            known = patient(tx, caller, patient_id)
            write_record(tx, known.clinic_id, known.id, file, now=visit.now)
    except BaseException:
        file.close()
        raise
    headers = {
        "Content-Disposition": f'attachment; filename="record-{patient_id}.zip"',
        "Content-Length": str(file.tell()),
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    # Who asked may be gone before the first piece, and then nobody begins to read.
    closing = BackgroundTask(file.close)
    return StreamingResponse(pieces(file), media_type=MEDIA_TYPE, headers=headers, background=closing)


@router.post("/patients/{patient_id}/erasure", summary="Erase a patient, for good; says what was removed and kept")
def erase_patient(
    patient_id: UUID, said: ErasureIn, visit: ToErase, folder: Annotated[Path, Depends(_folder)]
) -> ErasureOut:
    with visit.writing() as (tx, caller):
        done = erasure.erase_patient(
            tx, caller, patient_id, because=said.reason, family_name=said.family_name, now=visit.now
        )
    for export_id in done.recalled:
        remove(path_of(folder, export_id))
    return ErasureOut.of(done)


@router.get("/patients/{patient_id}/consents", summary="What a patient agreed to or took back, the latest first")
def list_consents(patient_id: UUID, visit: ToReadRecord) -> ConsentPage:
    with visit.reading() as (tx, caller):
        found = consents.consents_of(tx, caller, patient_id)
        return ConsentPage(items=[ConsentOut.model_validate(one) for one in found])


@router.post("/patients/{patient_id}/consents", status_code=201, summary="Record what was agreed to")
def give_consent(patient_id: UUID, said: ConsentIn, visit: ToConsent) -> ConsentOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            return ConsentOut.model_validate(consents.consent(tx, caller, patient_id, known))
        given = consents.give(tx, caller, patient_id, said.as_draft(), now=visit.now)
        visit.remember(tx, caller, said, given.id)
        return ConsentOut.model_validate(given)


@router.post(
    "/patients/{patient_id}/consents/{consent_id}/withdraw", summary="Take back what was agreed to its purpose"
)
def withdraw_consent(patient_id: UUID, consent_id: UUID, visit: ToConsent) -> ConsentOut:
    with visit.writing() as (tx, caller):
        return ConsentOut.model_validate(consents.withdraw(tx, caller, patient_id, consent_id, now=visit.now))


@router.get("/retention-settings", summary="For how many years records are kept")
def get_retention_settings(visit: ToReadStaff, response: Response) -> RetentionSettingsOut:
    with visit.reading() as (tx, caller):
        decided = retention.retention_settings(tx, caller.clinic_id)
    show_version(response, decided.version)
    return RetentionSettingsOut.model_validate(decided)


@router.put("/retention-settings", summary="Keep records for so many years")
def decide_retention_settings(
    said: RetentionSettingsIn, version: ExpectedVersion, visit: ToRunClinic, response: Response
) -> RetentionSettingsOut:
    with visit.writing() as (tx, caller):
        decided = retention.decide(tx, caller, keep_records_years=said.keep_records_years, version=version)
    show_version(response, decided.version)
    return RetentionSettingsOut.model_validate(decided)
