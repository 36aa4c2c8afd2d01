"""The file of a backup: a plain tar of `manifest.json`, the database and, last, a checksum of every byte before it.

`tar -xf` opens it without us, and `sha256sum` finds in it what the manifest says of the database.
"""

import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, BinaryIO
from uuid import uuid4

FORMAT = 1
MANIFEST, CHECKSUM = "manifest.json", "SHA256"
PAYLOADS = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}
_PIECE = 1 << 20
_TAIL = 4 * tarfile.BLOCKSIZE
"""The checksum's header and block, and the two empty blocks that end a tar."""


class BackupError(ValueError):
    """Why a backup cannot be taken, read or restored; a sentence for who asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup is of. Rows were counted in the very snapshot that was copied."""

    format: int
    taken_at: str
    product: str
    """The version of Followthrough that took it."""
    revision: str
    """The migration the tables were at."""
    database: str
    """`sqlite` or `postgresql`."""
    server: str
    """The version of the database's own program."""
    sha256: str
    """Of the database in it."""
    rows: dict[str, int]
    """Table → rows."""


def manifest_of(
    payload: Path, *, database: str, server: str, revision: str, product: str, rows: dict[str, int], now: datetime
) -> Manifest:
    """The manifest of a copy that was taken."""
    return Manifest(
        format=FORMAT,
        taken_at=now.isoformat(),
        product=product,
        revision=revision,
        database=database,
        server=server,
        sha256=_digest(payload),
        rows=rows,
    )


def write(path: Path, manifest: Manifest, payload: Path) -> None:
    """Put a backup into its place: whole or not at all, on the disk, readable by us alone, and over nothing."""
    said = json.dumps(asdict(manifest), indent=2).encode()
    with beside(path) as making, making.open("r+b") as file:
        for name, size, content in (
            (MANIFEST, len(said), io.BytesIO(said)),
            (PAYLOADS[manifest.database], payload.stat().st_size, payload.open("rb")),
        ):
            with content:
                file.write(_header(name, size))
                for piece in _pieces(content):
                    file.write(piece)
                file.write(bytes(-size % tarfile.BLOCKSIZE))
        length = file.tell()
        file.seek(0)
        digest = _digest_of(file, length)
        file.seek(length)
        file.write(_tail(digest))
        on_disk(file)
        try:
            private(path)  # a name that is taken is not renamed over
        except FileExistsError:
            raise BackupError(f"{path} is there already.") from None
        making.replace(path)
    sync_folder(path.parent)


def read(path: Path, payload: Path) -> Manifest:
    """Check a backup byte by byte and lay its database down at `payload`, a file that is not there yet."""
    if not path.is_file():
        raise BackupError(f"There is no file {path}.")
    length = path.stat().st_size - _TAIL
    with path.open("rb") as file:
        digest = _digest_of(file, length)
        if length <= 0 or file.read() != _tail(digest):
            raise BackupError(
                f"{path} is no backup, or is damaged or incomplete: its checksum does not fit what is in it."
            )
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:") as tar:
            manifest = _manifest(path, tar)
            content = tar.extractfile(PAYLOADS[manifest.database])
            assert content is not None  # what we write is a file
            with content, private(payload).open("wb") as out:
                for piece in _pieces(content):
                    out.write(piece)
                on_disk(out)
    if _digest(payload) != manifest.sha256:
        raise BackupError(f"{path}: the database in it is not the one its manifest tells of.")
    return manifest


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new private file in the same folder as `path`, gone afterwards unless it was moved away."""
    making = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        yield private(making)
    finally:
        making.unlink(missing_ok=True)


def private(path: Path) -> Path:
    """A new file that only we may read, made before anything is in it."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return path


def on_disk(file: BinaryIO) -> None:
    """Wait until what was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _manifest(path: Path, tar: tarfile.TarFile) -> Manifest:
    content = tar.extractfile(MANIFEST)
    assert content is not None  # as above
    said = json.load(content)
    if said["format"] != FORMAT:
        raise BackupError(f"{path} is a backup of format {said['format']}; this version reads format {FORMAT}.")
    return Manifest(**said)


def _header(name: str, size: int) -> bytes:
    told = tarfile.TarInfo(name)
    told.size, told.mode = size, 0o600
    return told.tobuf(tarfile.PAX_FORMAT)


def _tail(digest: str) -> bytes:
    said = f"{digest}\n".encode()
    return (_header(CHECKSUM, len(said)) + said).ljust(_TAIL, b"\0")


def _pieces(content: IO[bytes]) -> Iterator[bytes]:
    while piece := content.read(_PIECE):
        yield piece


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return _digest_of(file, path.stat().st_size)


def _digest_of(file: BinaryIO, length: int) -> str:
    """SHA-256 of the next `length` bytes."""
    found = sha256()
    while length > 0 and (piece := file.read(min(_PIECE, length))):
        found.update(piece)
        length -= len(piece)
    return found.hexdigest()
