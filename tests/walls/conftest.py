"""A hardened PostgreSQL, and a role that its policies hold back: the owner of the tables, without privileges."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.orm import Session, sessionmaker

from models.database import Database, open_database
from models.operations import walls
from seed_data.load import load
from tests.architecture.statements import watch
from tests.conftest import created, migrate

PASSWORD = "only for these tests"


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """There are walls on PostgreSQL only. The parameter is narrowed, and no other `kind` put in its place: what hangs
    on that one would be kept for the next test of SQLite.
    """
    if "kind" in metafunc.fixturenames:
        there = pytest.mark.parametrize("kind", ["postgresql"], indirect=True, scope="session")
        metafunc.definition.add_marker(there)


@contextmanager
def owned() -> Iterator[str]:
    """The URL of a new, migrated and hardened database, as its owner who is nobody else."""
    role = f"followthrough_{uuid4().hex}"
    with created() as url:
        admin = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"create role {role} login createdb password '{PASSWORD}'"))
            connection.execute(text(f"alter database {make_url(url).database} owner to {role}"))
            connection.execute(text(f"grant all on schema public to {role}"))
        home = make_url(url).set(username=role, password=PASSWORD).render_as_string(hide_password=False)
        engine, database = open_database(home)
        migrate(engine)
        with database.writing() as tx:
            load(tx)
        with engine.begin() as connection:
            walls.harden(connection)
        engine.dispose()
        yield home
        with admin.connect() as connection:
            connection.execute(text(f"reassign owned by {role} to current_user"))
            connection.execute(text(f"drop owned by {role}"))
            connection.execute(text(f"alter database {make_url(url).database} owner to current_user"))
            connection.execute(text(f"drop role {role}"))
        admin.dispose()


@pytest.fixture(scope="session")
def hardened() -> Iterator[str]:
    with owned() as url:
        yield url


@pytest.fixture(scope="session")
def engine(hardened: str) -> Iterator[Engine]:
    engine, _ = open_database(hardened)
    watch(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def database(connection: Connection) -> Database:
    """As everywhere, but every transaction begins as in life: within no clinic."""
    sessions = sessionmaker(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")

    @contextmanager
    def begin() -> Iterator[Session]:
        with sessions.begin() as tx:
            for setting in (walls.CLINIC, walls.EVERY_CLINIC):
                tx.execute(text("select pg_catalog.set_config(:setting, '', true)"), {"setting": setting})
            yield tx

    ways: Callable[[], AbstractContextManager[Session]] = begin
    return Database(reading=ways, snapshot=ways, writing=ways)
