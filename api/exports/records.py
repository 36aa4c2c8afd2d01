"""One patient's whole record as a ZIP: one JSON object, one CSV a table, and what all of it is in plain words."""

import json
from collections.abc import Iterator
from datetime import datetime
from io import TextIOWrapper
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sqlalchemy.orm import Session

from api.exports.chunks import CHUNK
from api.exports.delimited import rows_as_csv
from models.operations.records import PARTS, Part, Record, cell_of, plain, record_of, rows
from models.reports.tables import Value

MEDIA_TYPE = "application/zip"
TOLD = tuple(part for part in PARTS if part.untold is None)
"""The tables a record is told by, one file each."""
_README = """\
The whole record of one patient
===============================

Patient {patient_id}, as of {as_of}.

record.json   Everything in one file, for other programs: {{"tables": {{"patient": [...], ...}}}}.
*.csv         The same, one table a file, for a spreadsheet: the first line names the columns.

Texts are UTF-8. Days are written 2026-03-04, instants 2026-03-04T06:30:00Z (UTC). Ids tie the files
together: the `program_id` of a session is the `id` of a program. People of the clinic are told by
their ids. In the CSV files a text that a spreadsheet might take for a formula has an apostrophe in
front, and lists and records are written as JSON. A file of one line has no rows.

{files}

Left out are secrets and digests of secrets, which say nothing more of you: digests of passwords and
codes, and digests by which a repeated request is recognised. And of whole tables:
{untold}

Beside this record, as long as the clinic keeps it: who read or changed it (the audit trail), counts
in which nobody in particular can be found, and whatever the clinic exported, printed or wrote down.
"""


def write_record(tx: Session, clinic_id: UUID, patient_id: UUID, file: IO[bytes], *, now: datetime) -> None:
    """Write a patient's record into `file`; memory does not grow with it. Whoever calls has seen that they may, in the
    same transaction, which sees one moment: every file tells of the same.
    """
    record = record_of(tx, clinic_id, patient_id)
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        archive.writestr(_entry("README.txt", now), _readme(patient_id, now))
        entry = _entry("record.json", now)
        with archive.open(entry, "w", force_zip64=True) as file_in, TextIOWrapper(file_in, "utf-8") as text:
            text.writelines(_json(tx, record, now))
        for part in TOLD:
            columns = [cell_of(column) for column in part.columns]
            with archive.open(_entry(f"{part.name}.csv", now), "w", force_zip64=True) as file_in:
                file_in.writelines(rows_as_csv(columns, _cells(tx, part, record)))


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file piece by piece; it is closed, and with that gone, behind the last."""
    with file:
        file.seek(0)
        while piece := file.read(CHUNK):
            yield piece


def _entry(name: str, now: datetime) -> ZipInfo:
    entry = ZipInfo(name, now.timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry


def _json(tx: Session, record: Record, now: datetime) -> Iterator[str]:
    yield f'{{"patient_id": "{record.patient_id}", "as_of": "{plain(now)}", "tables": {{'
    for number, part in enumerate(TOLD):
        yield f"{',' if number else ''}\n{json.dumps(part.name)}: ["
        for line, row in enumerate(rows(tx, part, record, part.columns)):
            told = {name: plain(value) for name, value in row.items()}
            yield f"{',' if line else ''}\n{json.dumps(told, ensure_ascii=False)}"
        yield "]"
    yield "}}\n"


def _cells(tx: Session, part: Part, record: Record) -> Iterator[dict[str, Value]]:
    for row in rows(tx, part, record, part.columns):
        yield {name: _cell(value) for name, value in row.items()}


def _cell(value: Any) -> Value:
    if isinstance(value, UUID):
        return str(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _readme(patient_id: UUID, now: datetime) -> str:
    width = max(len(part.name) for part in TOLD) + 4
    files = "\n".join(f"{part.name + '.csv':<{width}}  {part.says}" for part in TOLD)
    untold = "\n".join(f"{part.name}: {part.untold}." for part in PARTS if part.untold)
    return _README.format(patient_id=patient_id, as_of=plain(now), files=files, untold=untold)
