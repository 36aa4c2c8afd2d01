"""Opening the database: one engine, two ways in."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from threading import Lock
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, sessionmaker

from models.tables.base import Base

POOL_SIZE = 12
"""Connections a process holds at most; as many as there are worker threads, so that no thread waits for one."""

WALLED = "walled"
"""Among what is known of a connection (`Connection.info`): whether row-level security was on as it was made."""
COPYING = "followthrough.copying"
"""The setting of PostgreSQL by which a backup reads every clinic's rows through the wall."""


@dataclass(frozen=True, slots=True)
class Database:
    """`with database.writing() as tx:` is one transaction: it commits at the end of the block, or rolls back
    if the block raises.
    """

    reading: Callable[[], AbstractContextManager[Session]]
    """A transaction that may not write; the database itself refuses."""

    snapshot: Callable[[], AbstractContextManager[Session]]
    """One that may not write and sees the database as it is at one moment, however many statements it reads with."""

    writing: Callable[[], AbstractContextManager[Session]]


def open_database(url: str, **engine_options: Any) -> tuple[Engine, Database]:
    """Open `url` (SQLite or PostgreSQL); nothing is connected yet."""
    url = url.replace("postgres://", "postgresql://", 1)  # as many hosts still say it
    kind = make_url(url).get_backend_name()
    # An error's text would quote what was written, and errors reach logs.
    engine_options = {"hide_parameters": True, **engine_options}
    if kind == "sqlite":
        if make_url(url).database in {None, "", ":memory:"}:
            raise ValueError("DATABASE_URL: name a file, for example sqlite:///followthrough.db.")
        engine = create_engine(url, module=sqlite_module(), pool_size=POOL_SIZE, max_overflow=0, **engine_options)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif kind == "postgresql":
        engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=POOL_SIZE,
            max_overflow=0,
            # Every statement of ours is short; compiling one takes longer than running it.
            connect_args={"options": "-c jit=off -c timezone=UTC -c statement_timeout=30000 -c lock_timeout=10000"},
            **engine_options,
        )
        event.listen(engine, "connect", _look_for_the_wall)
    else:
        raise ValueError(f"DATABASE_URL: {kind} is not supported; use sqlite or postgresql.")
    readers = engine.execution_options(readonly=True, postgresql_readonly=True)
    # SQLite's readers see one moment anyway.
    still = readers if kind == "sqlite" else readers.execution_options(isolation_level="REPEATABLE READ")
    writing = sessionmaker(engine, expire_on_commit=False).begin
    return engine, Database(
        reading=sessionmaker(readers, expire_on_commit=False, autoflush=False).begin,
        snapshot=sessionmaker(still, expire_on_commit=False, autoflush=False).begin,
        writing=_one_at_a_time(writing) if kind == "sqlite" else writing,
    )


def insert_for(database: Session | str, table: type[Base]) -> Any:
    """An INSERT that knows ON CONFLICT, in the words of the database at hand (or of a dialect's name)."""
    dialect = database if isinstance(database, str) else database.get_bind().dialect.name
    words = postgresql if dialect == "postgresql" else sqlite
    return words.insert(table.__table__)


def insert_or_replace(
    tx: Session, table: type[Base], rows: Sequence[dict[str, Any]], *, keeping: tuple[str, ...] = ()
) -> None:
    """Insert rows, or replace those whose key is there but for the columns `keeping`: one statement."""
    if rows:
        tx.execute(_insert_or_replace(table, tx.get_bind().dialect.name, keeping), rows)


@cache
def _insert_or_replace(table: type[Base], dialect: str, keeping: tuple[str, ...]) -> Any:
    kept = table.__table__
    assert isinstance(kept, Table)
    stmt = insert_for(dialect, table)
    keys = [column.key for column in kept.primary_key]
    replaced = {column.key: stmt.excluded[column.key] for column in kept.columns if column.key not in {*keys, *keeping}}
    return stmt.on_conflict_do_update(index_elements=keys, set_=replaced)


def sqlite_module() -> ModuleType:
    """The SQLite to run on: the bundled one where there is a wheel, since versions before 3.51.3 can corrupt a
    database when two connections write and checkpoint at once.
    """
    try:
        return import_module("pysqlite3.dbapi2")
    except ImportError:
        return import_module("sqlite3")


def _one_at_a_time(
    writing: Callable[[], AbstractContextManager[Session]],
) -> Callable[[], AbstractContextManager[Session]]:
    # SQLite has one writer; its busy handler sleeps and retries, which is unfair. Our threads queue instead.
    turn = Lock()

    @contextmanager
    def in_turn() -> Iterator[Session]:
        with turn, writing() as tx:
            yield tx

    return in_turn


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, in _begin_sqlite
    # FULL: an acknowledged log survives a power cut.
    connection.executescript(
        "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma busy_timeout = 10000;"
    )


def _look_for_the_wall(connection: Any, record: Any) -> None:
    # Once a connection, so that no transaction pays for a wall that is not there (models.operations.walls).
    with connection.cursor() as cursor:
        cursor.execute("select relrowsecurity from pg_catalog.pg_class where oid = to_regclass('clinic')")
        record.info[WALLED] = cursor.fetchone() == (True,)
    connection.rollback()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the write lock as it begins. Taken later, at the first write, the lock is refused at once
    # if anyone wrote in between: SQLite will not wait for a lock in the middle of a transaction.
    readonly = connection.get_execution_options().get("readonly", False)
    connection.exec_driver_sql(f"pragma query_only = {'on' if readonly else 'off'}")
    connection.exec_driver_sql("begin" if readonly else "begin immediate")
