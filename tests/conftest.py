"""A real database for every test, SQLite and PostgreSQL both, and the cheapest way to each.

`database`, `tx`, `client`   all inside one transaction, rolled back afterwards.
`shared_database`            really commits, for tests with several connections; emptied afterwards.

Every test that touches a database runs twice. The catalogue is on the shelf in all of them.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from alembic import command
from alembic.config import Config
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from api.settings import Settings
from models.database import Database, open_database
from models.tables import Base
from seed_data.load import load
from tests.architecture.statements import watch
from tests.asgi import InProcess
from tests.builders import NOON
from tests.overhearing import overhearing
from tests.postgres import PrivateServer

ROOT = Path(__file__).parent.parent
POSTGRES = "FOLLOWTHROUGH_TEST_POSTGRES"
RUN = "FOLLOWTHROUGH_TEST_RUN"
"""Begins the names of the databases of one run, whichever worker makes them."""

# At home the dice fall anew each time and may find something; in CI a red run must be about the change.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("suite")

_private: list[PrivateServer] = []


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL once a run, before the workers are."""
    if hasattr(config, "workerinput"):
        return
    os.environ[RUN] = f"followthrough_{uuid4().hex[:8]}"
    if config.option.collectonly or os.environ.get(POSTGRES):
        return
    try:
        server = PrivateServer()
    except Exception as error:
        raise pytest.UsageError(
            f"PostgreSQL cannot start, and half of the suite needs it: {error}\n"
            f"Name a server with {POSTGRES}=postgresql://… to use instead."
        ) from error
    _private.append(server)
    os.environ[POSTGRES] = server.url


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop it; on a server that goes on, leave nothing of this run behind."""
    for server in _private:
        server.stop()
    if not hasattr(config, "workerinput") and not _private and POSTGRES in os.environ:
        with _server() as admin:
            named = text("select datname from pg_database where starts_with(datname, :run)")
            for name in admin.scalars(named, {"run": os.environ[RUN]}).all():
                admin.execute(text(f"drop database {name} with (force)"))


# Databases. Migrations run once a run and kind; everything after that is a copy.


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def template(kind: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a migrated database with the catalogue, that nobody else writes to."""

    def make(folder: Path) -> str:
        url = new_database(kind, folder / "template.db")
        engine, database = open_database(url)
        migrate(engine)
        with database.writing() as tx:
            load(tx)
        engine.dispose()
        return url

    return once_a_run(tmp_path_factory, f"template-{kind}", make)


@pytest.fixture(scope="session")
def engine(template: str) -> Iterator[Engine]:
    with copied(template) as url:
        engine, _ = open_database(url)
        watch(engine)
        yield engine
        engine.dispose()


@pytest.fixture(scope="session")
def _committing(template: str) -> Iterator[tuple[Engine, Database]]:
    with copied(template) as url:
        engine, database = open_database(url)
        watch(engine)
        yield engine, database
        engine.dispose()


# What every test must keep.


@pytest.fixture(autouse=True)
def _nothing_told_is_logged() -> Iterator[None]:
    with overhearing() as overheard:
        yield
    assert not overheard.leaks()


# What tests ask for.


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with undone(engine) as connection:
        yield connection


@contextmanager
def undone(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that is rolled back afterwards."""
    with engine.connect() as connection, connection.begin() as outer:
        yield connection
        outer.rollback()


@pytest.fixture
def database(connection: Connection) -> Database:
    return inside(connection)


def inside(connection: Connection) -> Database:
    """A database whose every transaction is a savepoint in the connection's."""
    sessions = sessionmaker(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
    return Database(reading=sessions.begin, snapshot=sessions.begin, writing=sessions.begin)


@pytest.fixture
def tx(database: Database) -> Iterator[Session]:
    with database.writing() as tx:
        yield tx


@pytest.fixture
def shared_database(_committing: tuple[Engine, Database]) -> Iterator[Database]:
    engine, database = _committing
    yield database
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            if table.info["placement"] != "reference":
                connection.execute(table.delete())


@dataclass
class Clock:
    """What time the app is told it is."""

    now: datetime = NOON


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def app() -> FastAPI:
    return create_app(Settings(sweep_seconds=0), Database(reading=nowhere, snapshot=nowhere, writing=nowhere))


@pytest.fixture
def folder(app: FastAPI, tmp_path: Path) -> Path:
    """Where the files of exports lie."""
    app.state.exports = tmp_path / "exports"
    app.state.exports.mkdir()
    return tmp_path / "exports"


@pytest.fixture
def client(app: FastAPI, database: Database, clock: Clock, portal: BlockingPortal) -> Iterator[httpx.Client]:
    app.state.database = database
    app.state.clock = lambda: clock.now
    with httpx.Client(transport=InProcess(app, portal), base_url="http://test") as client:
        yield client


# Making and copying databases, for either kind of server.


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring a database up to a revision."""
    with engine.connect() as connection:
        command.upgrade(Config(toml_file=ROOT / "pyproject.toml", attributes={"connection": connection}), revision)


def once_a_run(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], str]) -> str:
    """What `make` makes in a folder of its own: by the worker that comes first, while the others wait for it."""
    of_worker = factory.getbasetemp()
    folder = (of_worker.parent if "PYTEST_XDIST_WORKER" in os.environ else of_worker) / name
    folder.mkdir(exist_ok=True)
    made = folder / "made"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.write_text(make(folder))
    return made.read_text()


def new_database(kind: str, path: Path) -> str:
    """The URL of an empty database: a file of SQLite's, or one of PostgreSQL's that goes with the run."""
    return f"sqlite:///{path}" if kind == "sqlite" else _create("")


@contextmanager
def copied(template: str) -> Iterator[str]:
    """The URL of a database like `template`, for one user."""
    if template.startswith("sqlite"):
        original = Path(str(make_url(template).database))
        copy = original.with_name(f"{uuid4().hex}.db")
        shutil.copyfile(original, copy)
        yield f"sqlite:///{copy}"
    else:
        with created(f"template {make_url(template).database}") as url:
            yield url


@contextmanager
def created(options: str = "") -> Iterator[str]:
    """The URL of a new PostgreSQL database, dropped afterwards."""
    url = _create(options)
    yield url
    with _server() as admin:
        admin.execute(text(f"drop database {make_url(url).database} with (force)"))


def _create(options: str) -> str:
    name = f"{os.environ[RUN]}_{uuid4().hex}"
    with _server() as admin:
        admin.execute(text(f"create database {name} {options}"))
    url = make_url(os.environ[POSTGRES]).set(database=name, drivername="postgresql")
    return url.render_as_string(hide_password=False)


@contextmanager
def _server() -> Iterator[Connection]:
    """A connection on which databases are made and dropped."""
    server = make_url(os.environ[POSTGRES]).set(drivername="postgresql+psycopg")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        yield connection
    admin.dispose()


def nowhere() -> AbstractContextManager[Session]:
    """Where nothing may be asked."""
    raise AssertionError("this test has no database")
