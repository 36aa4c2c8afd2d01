"""PostgreSQL: copied by `pg_dump` in a snapshot that is also counted, put back by `pg_restore` in one transaction."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, create_engine, func, make_url, select, table, text
from sqlalchemy.exc import ProgrammingError

from models.database import COPYING, open_database
from models.operations.backups.archive import BackupError

_TABLES = text(
    "select relname from pg_catalog.pg_class join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace"
    " where relkind in ('r', 'p') and nspname = current_schema() order by relname"
)

_HIDDEN = text(
    "select relname from pg_catalog.pg_class where relnamespace = current_schema()::regnamespace and relkind = 'r'"
    " and row_security_active(oid) and not exists (select from pg_catalog.pg_policy"
    " where polrelid = pg_class.oid and polname = 'followthrough_copy') order by relname"
)


@dataclass(frozen=True, slots=True)
class Programs:
    """Where `pg_dump` and `pg_restore` are: a folder, else on the PATH."""

    folder: Path | None = None

    def find(self, name: str, major: int) -> str:
        """A program that knows PostgreSQL `major`: one that is older does not."""
        found = shutil.which(name, path=str(self.folder) if self.folder else None)
        if found is None:
            where = f"in {self.folder}" if self.folder else "on the PATH"
            raise BackupError(f"There is no {name} {where}: install PostgreSQL's client programs, or say --programs.")
        said = _said([found, "--version"], {})
        version = re.search(r"(\d+)", said)
        if version is None or int(version[1]) < major:
            raise BackupError(
                f"{found} is of PostgreSQL {version[1] if version else '?'}, the database of {major}: it takes"
                f" {major} or newer; say --programs FOLDER."
            )
        return found


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied."""

    server: str
    revision: str
    rows: dict[str, int]


def copy(url: str, to: Path, programs: Programs) -> Copied:
    """Copy a database as it is at one moment, and count it as of the same."""
    with _looking(url) as connection:
        program = programs.find("pg_dump", _major(connection))
        snapshot = connection.execute(text("select pg_catalog.pg_export_snapshot()")).scalar_one()
        copied = Copied(_server(connection), revision(connection), rows(connection))
        hidden = connection.scalars(_HIDDEN).all()
        if hidden:
            raise BackupError(f"Rows of {', '.join(hidden)} may be hidden from this role; say followthrough db harden.")
        _run(program, url, "--format=custom", f"--snapshot={snapshot}", f"--file={to}", "--enable-row-security")
    return copied


def rows(connection: Connection) -> dict[str, int]:
    """Table → rows."""
    tables = connection.scalars(_TABLES).all()
    return {name: connection.execute(select(func.count()).select_from(table(name))).scalar_one() for name in tables}


def revision(connection: Connection) -> str:
    """The migration a database is at."""
    try:
        return str(connection.execute(text("select version_num from alembic_version")).scalar_one())
    except ProgrammingError:
        raise BackupError("The database has no tables yet; say followthrough migrate.") from None


def look(url: str) -> tuple[str, dict[str, int]]:
    """A database's migration, and its tables with their rows."""
    with _looking(url) as connection:
        return revision(connection), rows(connection)


@contextmanager
def scratch(url: str) -> Iterator[str]:
    """The URL of a new database on the server of `url`, dropped afterwards."""
    server, name = make_url(url).set(drivername="postgresql+psycopg"), f"followthrough_verify_{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            try:
                connection.execute(text(f"create database {name} template template0"))
            except ProgrammingError as error:
                raise BackupError("Verifying makes a database for a while, which this role may not.") from error
            try:
                yield server.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
            finally:
                connection.execute(text(f"drop database {name} with (force)"))
    finally:
        engine.dispose()


def restore(path: Path, url: str, programs: Programs, *, tables: set[str], replace: bool) -> None:
    """Put a copy with these `tables` into a database: all of it, or nothing."""
    with _looking(url) as connection:
        program = programs.find("pg_restore", _major(connection))
        present = set(connection.scalars(_TABLES).all())
        others = connection.execute(
            text(
                "select count(*) from pg_catalog.pg_stat_activity where datname = current_database()"
                " and pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
        ).scalar_one()
    if others:
        raise BackupError(f"The database is in use ({others} connections): stop the server first.")
    if present and not replace:
        raise BackupError("The database is not empty; say --replace to restore over it.")
    if more := sorted(present - tables):
        raise BackupError(f"The database has tables the backup does not know ({', '.join(more)}): use an empty one.")
    said = ["--clean", "--if-exists"] if present else []
    _run(program, url, "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", *said, str(path))


@contextmanager
def _looking(url: str) -> Iterator[Connection]:
    """A transaction in which nothing moves."""
    engine, _ = open_database(url)
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True) as opened:
            # Counting is long work on a large database, and so is the copy that waits for its end.
            opened.execute(text("set local statement_timeout = 0"))
            opened.execute(text("set local idle_in_transaction_session_timeout = 0"))
            # Behind a wall (models.operations.walls) we are let through to copy.
            opened.execute(text("select pg_catalog.set_config(:setting, 'on', true)"), {"setting": COPYING})
            yield opened
    finally:
        engine.dispose()


def _server(connection: Connection) -> str:
    return str(connection.execute(text("show server_version")).scalar_one())


def _major(connection: Connection) -> int:
    return int(connection.execute(text("show server_version_num")).scalar_one()) // 10_000


def _run(program: str, url: str, *arguments: str) -> None:
    """Run a program on a database. The password goes by the environment: arguments can be read by anybody."""
    target = make_url(url).set(drivername="postgresql")
    password = target.password or target.query.get("password")
    plain = target.set(password=None).difference_update_query(["password"]).render_as_string()
    environment = {"PGOPTIONS": f"{os.environ.get('PGOPTIONS', '')} -c {COPYING}=on"}
    environment |= {"PGPASSWORD": str(password)} if password else {}
    _said([program, "--no-password", f"--dbname={plain}", *arguments], environment)


def _said(words: list[str], environment: Mapping[str, str]) -> str:
    """What a program answers."""
    done = subprocess.run(  # noqa: S603  (PostgreSQL's own, chosen by who runs us; no shell)
        words, check=False, capture_output=True, text=True, env=os.environ | environment
    )
    if done.returncode:
        raise BackupError(f"{Path(words[0]).name} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout
