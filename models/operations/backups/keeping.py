"""Taking a backup, trying it out, and restoring it."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url, update
from sqlalchemy.orm import Session

from models.database import open_database, sqlite_module
from models.operations import feed, sweep
from models.operations.backups import archive, postgres, sqlite
from models.operations.backups.archive import BackupError, Manifest
from models.operations.backups.postgres import Programs
from models.operations.walls import within
from models.tables import Invitation, SignIn

RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of trying a backup out."""

    manifest: Manifest
    rows: dict[str, int]
    """Table → rows, as found in the database made from it."""
    faults: Sequence[str]
    """What is wrong; nothing, if it can be relied on."""


@dataclass(frozen=True, slots=True)
class StartedAnew:
    """What a restored database no longer lets in."""

    clinics: int
    """Whose phones pull anew."""
    sign_ins: int
    invitations: int


def back_up(url: str, path: Path, programs: Programs, *, product: str, now: datetime) -> Manifest:
    """Copy a database, which others may go on writing to, into a file that is not there yet."""
    if path.exists():
        raise BackupError(f"{path} is there already.")
    with TemporaryDirectory(prefix=".backup-", dir=path.absolute().parent) as folder:
        payload = Path(folder) / "database"
        kind = _kind(url)
        if kind == "sqlite":
            sqlite.copy(url, archive.private(payload))
            if found := sqlite.faults(payload):
                raise BackupError(f"The database itself is damaged: {'; '.join(found)}.")
            server = sqlite_module().sqlite_version
            copied = postgres.Copied(server, sqlite.revision(payload), sqlite.rows(payload))
        else:
            copied = postgres.copy(url, archive.private(payload), programs)
        manifest = archive.manifest_of(
            payload,
            database=kind,
            server=copied.server,
            revision=copied.revision,
            product=product,
            rows=copied.rows,
            now=now,
        )
        archive.write(path, manifest, payload)
    return manifest


def verify(path: Path, url: str, programs: Programs) -> Verified:
    """Restore a backup into a database of its own, look at that, and throw it away. One of PostgreSQL needs a server:
    the one of `url`.
    """
    with ExitStack() as undo:
        payload = Path(undo.enter_context(TemporaryDirectory(prefix="followthrough-"))) / "database"
        manifest = archive.read(path, payload)
        if manifest.database == "sqlite":
            return _file_looked_at(manifest, payload)
        _refuse_another_kind(manifest, url)
        made = undo.enter_context(postgres.scratch(url))
        postgres.restore(payload, made, programs, tables=set(manifest.rows), replace=False)
        return _looked_at(manifest, *postgres.look(made))


def restore(
    path: Path,
    url: str,
    programs: Programs,
    *,
    known: Sequence[str],
    bring_up_to_date: Callable[[str], None],
    replace: bool = False,
    keep_sign_ins: bool = False,
    now: datetime,
) -> tuple[Manifest, StartedAnew]:
    """Put a backup into the database of `url`, which nobody may have open, and bring its tables up to date.

    `known` are the migrations this version has; `bring_up_to_date` runs them. Whoever was signed in when the backup was
    taken is not any more, unless `keep_sign_ins`: what was revoked since would be valid again.
    """
    with ExitStack() as undo:
        is_file, target = _kind(url) == "sqlite", sqlite.path_of(url)
        beside = target.parent if is_file else None  # from where it can be renamed
        payload = Path(undo.enter_context(TemporaryDirectory(prefix=".restore-", dir=beside))) / "database"
        manifest = archive.read(path, payload)
        _refuse_another_kind(manifest, url)
        if manifest.revision not in known:
            raise BackupError(
                f"The backup is of a newer version ({manifest.product}, tables {manifest.revision}): install that one."
            )
        if not is_file:
            postgres.restore(payload, url, programs, tables=set(manifest.rows), replace=replace)
            _refuse_faults(_looked_at(manifest, *postgres.look(url)))
            return manifest, _made_ready(url, bring_up_to_date, keep_sign_ins=keep_sign_ins, now=now)
        sqlite.refuse_if_in_use(target, replace=replace)
        _refuse_faults(_file_looked_at(manifest, payload))
        anew = _made_ready(f"sqlite:///{payload}", bring_up_to_date, keep_sign_ins=keep_sign_ins, now=now)
        sqlite.refuse_if_in_use(target, replace=replace)  # once more: that took a while
        sqlite.put_in_place(payload, target)
        return manifest, anew


def start_anew(tx: Session, *, keep_sign_ins: bool, now: datetime) -> StartedAnew:
    """Let a database that went back in time start anew: void the cursors of what it has forgotten, end the sign-ins and
    open invitations of then, unless they are to stay. Works across clinics, by design.
    """
    sign_ins = invitations = 0
    for clinic_id in [] if keep_sign_ins else sweep.every_clinic(tx):
        within(tx, clinic_id)
        revoked = update(SignIn).where(SignIn.clinic_id == clinic_id, SignIn.revoked_at.is_(None))
        ended = update(Invitation).where(Invitation.clinic_id == clinic_id, Invitation.ended_at.is_(None))
        sign_ins += len(tx.scalars(revoked.values(revoked_at=now, revoked_because=RESTORED).returning(SignIn.id)).all())
        invitations += len(
            tx.scalars(ended.values(ended_at=now, ended_because=RESTORED).returning(Invitation.id)).all()
        )
    return StartedAnew(feed.void_cursors(tx), sign_ins, invitations)


def _made_ready(
    url: str, bring_up_to_date: Callable[[str], None], *, keep_sign_ins: bool, now: datetime
) -> StartedAnew:
    bring_up_to_date(url)
    engine, database = open_database(url)
    try:
        with database.writing() as tx:
            return start_anew(tx, keep_sign_ins=keep_sign_ins, now=now)
    finally:
        engine.dispose()


def _file_looked_at(manifest: Manifest, payload: Path) -> Verified:
    if faults := sqlite.faults(payload):
        return Verified(manifest, {}, faults)  # what is damaged is not counted
    return _looked_at(manifest, sqlite.revision(payload), sqlite.rows(payload))


def _looked_at(manifest: Manifest, revision: str, rows: dict[str, int]) -> Verified:
    found = []
    if revision != manifest.revision:
        found.append(f"its tables are at {revision}, its manifest says {manifest.revision}")
    found += [
        f"{table} has {rows.get(table, 'no')} rows, its manifest says {manifest.rows.get(table, 'no')}"
        for table in sorted(rows.keys() | manifest.rows.keys())
        if rows.get(table) != manifest.rows.get(table)
    ]
    return Verified(manifest, rows, found)


def _refuse_faults(verified: Verified) -> None:
    if verified.faults:
        raise BackupError(f"The backup is not sound: {'; '.join(verified.faults)}.")


def _refuse_another_kind(manifest: Manifest, url: str) -> None:
    if _kind(url) != manifest.database:
        raise BackupError(f"The backup is of {manifest.database}; DATABASE_URL names a database of {_kind(url)}.")


def _kind(url: str) -> str:
    return "sqlite" if make_url(url).get_backend_name() == "sqlite" else "postgresql"
