"""Writing exports: piece by piece into their files, so that any process can go on where another was stopped."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zlib import crc32

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.exports import delimited, ndjson, xlsx
from api.exports.chunks import CHUNK
from api.logs import log
from models.operations import exports
from models.operations.exporting import Asked, Page, Place, columns, count_rows, next_page
from models.operations.exports import Claimed
from models.operations.pseudonyms import Veil
from models.reports.tables import Column, Value
from models.tables import ExportFailure, ExportFormat

ROWS = 2_000
"""Rows that are read, written and settled at a time."""
SECONDS = 10.0
"""How long a sweep works on exports, give or take a piece or a workbook; the next one goes on."""
MEDIA_TYPES = {
    ExportFormat.NDJSON: ndjson.MEDIA_TYPE,
    ExportFormat.CSV: delimited.MEDIA_TYPE,
    ExportFormat.XLSX: xlsx.MEDIA_TYPE,
}

Transaction = Callable[[], AbstractContextManager[Session]]
_OURS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.[0-9a-f-]{36})?")
"""What we name files, and the folders that workbooks are put together in."""


class _LostError(Exception):
    """Somebody else has the export, or it was deleted, or we are asked to stop."""


def path_of(folder: Path, export_id: UUID) -> Path:
    """Where the file of an export lies; its name tells nothing."""
    return folder / str(export_id)


def pages(
    reading: Transaction,
    clinic_id: UUID,
    asked: Asked,
    veil: Veil | None,
    *,
    after: Place | None = None,
    size: int = ROWS,
) -> Iterator[Page]:
    """Page after page to the last, each read in a transaction of its own."""
    while True:
        with reading() as tx:
            page = next_page(tx, clinic_id, asked, after, veil, limit=size)
        yield page
        if page.is_last:
            return
        after = page.place


def lines(
    written_as: ExportFormat,
    columns: Sequence[Column],
    rows: Sequence[Mapping[str, Value]],
    options: Mapping[str, Any],
    *,
    first: bool,
) -> bytes:
    """Rows as a piece of an NDJSON or CSV file, the first with what stands above them."""
    if written_as is ExportFormat.CSV:
        return b"".join(delimited.rows_as_csv(columns, rows, header=first, **options))
    return b"".join(ndjson.rows_as_ndjson(columns, rows))


@dataclass(frozen=True)
class Exporter:
    """Works on what is waiting. Any number of processes may, as long as they share the folder."""

    folder: Path
    reading: Transaction
    writing: Transaction
    clock: Callable[[], datetime]
    is_stopping: Callable[[], bool] = lambda: False
    size: int = ROWS

    def work(self, clinics: Sequence[UUID], *, seconds: float = SECONDS) -> int:
        """Write exports, the oldest first, for about so many seconds; returns how many are ready."""
        ends_at, ready = time.monotonic() + seconds, 0
        queue = []
        with self.reading() as tx:
            for clinic_id in clinics:
                queue += [(*one, clinic_id) for one in exports.waiting(tx, clinic_id, now=self.clock())]
        for _, export_id, clinic_id in sorted(queue):
            ready += self._export(clinic_id, export_id, ends_at)
            if time.monotonic() >= ends_at or self.is_stopping():
                break
        return ready

    def tidy(self, clinics: Sequence[UUID]) -> None:
        """Remove what is nobody's: files that have expired or were deleted, and what a crash left behind."""
        found = [path for path in self.folder.glob("*") if _OURS.fullmatch(path.name)]
        if not found:
            return
        # Looked up after they were seen: a row is there before its file.
        held: set[str] = set()
        with self.reading() as tx:
            for clinic_id in clinics:
                for export_id, holder in exports.kept(tx, clinic_id):
                    held |= {str(export_id), f"{export_id}.{holder}"}
        for path in found:
            if path.name not in held:
                remove(path)

    def _export(self, clinic_id: UUID, export_id: UUID, ends_at: float) -> bool:
        with self.writing() as tx:
            claimed = exports.claim(tx, clinic_id, export_id, now=self.clock())
        if claimed is None:
            return False
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if claimed.rows_total is None:
                with self.reading() as tx:
                    total = count_rows(tx, clinic_id, claimed.asked)
                claimed = self._settle(clinic_id, replace(claimed, rows_total=total))
            if claimed.format is ExportFormat.XLSX:
                written = self._workbook(clinic_id, claimed)
            else:
                whole = self._stream(clinic_id, claimed, ends_at)
                if whole is None:
                    return False
                written = whole
            with self.writing() as tx:
                return exports.finish(tx, clinic_id, written, now=self.clock())
        except _LostError:
            with self.writing() as tx:
                exports.release(tx, clinic_id, claimed)
        except SQLAlchemyError:
            raise  # the lease will be over, and then it goes on
        except Exception as error:  # noqa: BLE001  (it must end up as failed, or it would be tried for ever)
            log.warning("export", extra={"error": type(error).__name__}, exc_info=error)
            self._give_up(clinic_id, claimed, _failure_of(error))
        return False

    def _stream(self, clinic_id: UUID, claimed: Claimed, ends_at: float) -> Claimed | None:
        """Go on with a file of lines; None if the time is up before its end."""
        path, told = path_of(self.folder, claimed.id), columns(claimed.asked.content, de_identified=bool(claimed.veil))
        if not _is_there(path, claimed.bytes_done):
            claimed = self._anew(clinic_id, claimed)
        for page in self._pages(clinic_id, claimed):
            piece = lines(claimed.format, told, page.rows, claimed.options, first=not claimed.bytes_done)
            if self.clock() >= claimed.until:
                raise _LostError
            _append(path, claimed.bytes_done, piece)
            claimed = self._settle(
                clinic_id,
                replace(
                    claimed,
                    rows_done=claimed.rows_done + len(page.rows),
                    place=page.place,
                    bytes_done=claimed.bytes_done + len(piece),
                    checksum=crc32(piece, claimed.checksum),
                ),
            )
            if not page.is_last and (time.monotonic() >= ends_at or self.is_stopping()):
                with self.writing() as tx:
                    exports.release(tx, clinic_id, claimed)
                return None
        if _checksum(path) != claimed.checksum:
            self._anew(clinic_id, claimed)
            raise _LostError
        return claimed

    def _workbook(self, clinic_id: UUID, claimed: Claimed) -> Claimed:
        """Write a workbook from its first row on, and put it in its place when it is whole."""
        bench = self.folder / f"{claimed.id}.{claimed.holder}"
        bench.mkdir(mode=0o700)
        held = claimed

        def rows() -> Iterator[dict[str, Value]]:
            nonlocal held
            for page in self._pages(clinic_id, claimed):
                yield from page.rows
                if self.is_stopping():
                    raise _LostError
                held = self._settle(clinic_id, replace(held, rows_done=held.rows_done + len(page.rows)))

        try:
            told = columns(claimed.asked.content, de_identified=bool(claimed.veil))
            title = claimed.asked.content.value.capitalize()
            pieces = xlsx.rows_as_xlsx(title, told, rows(), created=claimed.asked.as_of, folder=bench)
            with private(bench / "whole").open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
            held = self._settle(clinic_id, replace(held, bytes_done=size))
            (bench / "whole").replace(path_of(self.folder, claimed.id))
            return held
        finally:
            shutil.rmtree(bench)

    def _pages(self, clinic_id: UUID, claimed: Claimed) -> Iterator[Page]:
        return pages(self.reading, clinic_id, claimed.asked, claimed.veil, after=claimed.place, size=self.size)

    def _settle(self, clinic_id: UUID, written: Claimed) -> Claimed:
        with self.writing() as tx:
            claimed = exports.advance(tx, clinic_id, written, now=self.clock())
        if claimed is None:
            raise _LostError
        return claimed

    def _anew(self, clinic_id: UUID, claimed: Claimed) -> Claimed:
        if not claimed.bytes_done:
            return claimed
        with self.writing() as tx:
            anew = exports.begin_anew(tx, clinic_id, claimed)
        if anew is None:
            raise _LostError
        return anew

    def _give_up(self, clinic_id: UUID, claimed: Claimed, failure: ExportFailure) -> None:
        with self.writing() as tx:
            exports.fail(tx, clinic_id, claimed, failure, now=self.clock())


def private(path: Path) -> Path:
    """A new file that only we may read, made before anything is in it. Raises FileExistsError."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return path


def remove(path: Path) -> None:
    """Remove a file, or a folder a workbook was put together in, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _failure_of(error: Exception) -> ExportFailure:
    if isinstance(error, xlsx.DoesNotFit):
        return ExportFailure.DOES_NOT_FIT
    return ExportFailure.STORAGE if isinstance(error, OSError) else ExportFailure.OURS


def _is_there(path: Path, length: int) -> bool:
    return path.is_file() and path.stat().st_size >= length


def _append(path: Path, length: int, piece: bytes) -> None:
    """Cut the file back to what was settled and write on from there, to the disk."""
    if not length and not path.is_file():
        private(path)
    with path.open("r+b") as file:
        file.truncate(length)
        file.seek(length)
        file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _checksum(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            found = crc32(piece, found)
    return found
