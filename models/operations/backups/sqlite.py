"""SQLite: copied online, checked, and put into its place whole."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from models.database import sqlite_module
from models.operations.backups.archive import BackupError, sync_folder


def path_of(url: str) -> Path:
    """The file of a SQLite database."""
    return Path(str(make_url(url).database)).absolute()


def copy(url: str, to: Path) -> None:
    """Copy a database as it is at one moment, while others go on writing to it."""
    path = path_of(url)
    if not path.is_file():
        raise BackupError(f"There is no database {path}.")
    # All in one step: a reader of a write-ahead log sees one moment, however long it takes, and holds nobody up.
    with _opened(path) as source, _opened(to) as target:
        source.backup(target)
        target.execute("pragma journal_mode = delete")  # one file, without a log beside it


def rows(path: Path) -> dict[str, int]:
    """Table → rows."""
    with _opened(path) as connection:
        names = connection.execute(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite~_%' escape '~' order by name"
        )
        tables = [name for (name,) in names.fetchall()]
        counting = {name: f'select count(*) from "{name}"' for name in tables}  # noqa: S608  (the database's own names)
        return {name: connection.execute(stmt).fetchone()[0] for name, stmt in counting.items()}


def revision(path: Path) -> str:
    """The migration a database is at."""
    with _opened(path) as connection:
        try:
            return str(connection.execute("select version_num from alembic_version").fetchone()[0])
        except (sqlite_module().OperationalError, TypeError):
            raise BackupError("The database has no tables yet; say followthrough migrate.") from None


def faults(path: Path) -> list[str]:
    """What the database's own checks find; nothing, if it is sound."""
    with _opened(path) as connection:
        try:
            found = [text for (text,) in connection.execute("pragma integrity_check(10)").fetchall() if text != "ok"]
            orphans = connection.execute("pragma foreign_key_check").fetchall()
        except sqlite_module().DatabaseError as error:
            return [str(error)]
    return found + [
        f"a row of {table} refers to a row of {parent} that is not there" for table, _, parent, _ in orphans
    ]


def refuse_if_in_use(target: Path, *, replace: bool) -> None:
    """Refuse to restore over a database that has tables, unless that is wanted; and over one that somebody has open,
    always: they would go on writing to a file that nobody reads again. What it left beside itself is tidied into it.
    """
    if not target.exists() or not target.stat().st_size:
        return
    with _opened(target) as connection:
        try:
            # Only who is alone with a database may end its write-ahead log.
            connection.execute("pragma journal_mode = delete")
            is_empty = connection.execute("select count(*) from sqlite_master").fetchone()[0] == 0
        except sqlite_module().OperationalError as error:
            raise BackupError(f"{target} is in use ({error}): stop the server first.") from None
        except sqlite_module().DatabaseError:
            is_empty = False  # damaged, or no database: replaced only if that is said
    if not is_empty and not replace:
        raise BackupError(f"{target} is not empty; say --replace to restore over it.")


def put_in_place(made: Path, target: Path) -> None:
    """Move a finished database to where it is served from."""
    with _opened(made) as connection:
        connection.execute("pragma journal_mode = delete")
    with made.open("rb") as file:
        os.fsync(file.fileno())
    # A log that a damaged database left behind would be read into the one that takes its place.
    for rest in ("-wal", "-shm", "-journal"):
        target.with_name(target.name + rest).unlink(missing_ok=True)
    made.replace(target)
    sync_folder(target.parent)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with closing(sqlite_module().connect(str(path), timeout=2, isolation_level=None)) as connection:
        yield connection
