"""Exports: a clinic's rows as files, written in the background."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import FileResponse
from pydantic import TypeAdapter

from api.exports.jobs import MEDIA_TYPES, path_of, remove
from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.exports import ExportIn, ExportOut, ExportPage
from api.visit import ToTakeOut
from models.operations import exports
from models.refusals import Unknown

router = APIRouter(prefix="/v1/exports", tags=["exports"])

_PLACE: TypeAdapter[tuple[UUID]] = TypeAdapter(tuple[UUID])
_FILE = {
    "description": "The file, or the part of it that a Range asks for (206).",
    "content": {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in MEDIA_TYPES.values()},
}


async def _folder(request: Request) -> Path:
    found: Path = request.app.state.exports
    return found


Folder = Annotated[Path, Depends(_folder)]
"""Where this installation keeps the files."""


@router.get("", summary="The clinic's exports, the latest first")
def list_exports(
    visit: ToTakeOut, request: Request, response: Response, limit: Limit = 50, cursor: Cursor = None
) -> ExportPage:
    after = read_cursor(cursor, _PLACE)
    with visit.reading() as (tx, caller):
        found = exports.exports(tx, caller, after=after[0] if after else None, limit=limit + 1)
    last = found[limit - 1].id if len(found) > limit else None
    return ExportPage(
        items=[ExportOut.of(one, visit.now) for one in found[:limit]],
        next=next_cursor(request, response, None if last is None else (last,)),
    )


@router.post("", status_code=202, summary="Have a file written; Location says where to look how far it has come")
def request_export(said: ExportIn, visit: ToTakeOut, response: Response) -> ExportOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            made = exports.export(tx, caller, known)
        else:
            made = exports.request_export(tx, caller, said.as_draft(), now=visit.now)
            visit.remember(tx, caller, said, made.id)
        response.headers["Location"] = f"/v1/exports/{made.id}"
        return ExportOut.of(made, visit.now)


@router.get("/{export_id}", summary="How far an export has come, and where its file is")
def get_export(export_id: UUID, visit: ToTakeOut) -> ExportOut:
    with visit.reading() as (tx, caller):
        return ExportOut.of(exports.export(tx, caller, export_id), visit.now)


@router.get(
    "/{export_id}/file",
    summary="The file of an export, whole or (Range) from where a download broke off",
    response_class=FileResponse,
    responses={200: _FILE},
)
def get_export_file(export_id: UUID, visit: ToTakeOut, folder: Folder) -> FileResponse:
    with visit.reading() as (tx, caller):
        found = exports.ready(tx, caller, export_id, now=visit.now)
        path = path_of(folder, found.id)
        if not path.is_file():
            raise Unknown("The file of this export is not here.")
    told = "de-identified-" if found.de_identified else ""
    return FileResponse(
        path,
        media_type=MEDIA_TYPES[found.format],
        filename=f"{told}{found.content}-{found.requested_at:%Y-%m-%d}.{found.format}",
        headers={"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"},
    )


@router.delete("/{export_id}", status_code=204, summary="Forget an export and remove its file")
def delete_export(export_id: UUID, visit: ToTakeOut, folder: Folder) -> None:
    with visit.writing() as (tx, caller):
        exports.delete_export(tx, caller, export_id)
    remove(path_of(folder, export_id))
