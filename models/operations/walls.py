"""The second wall: PostgreSQL itself shows a transaction no other clinic's rows than those of the clinic it is within.

`followthrough db harden` raises it, by row-level security on every tenant table. Every query names its clinic anyway;
behind the wall one that forgets to finds nothing. Where there is no wall, `within` and `across` cost nothing
(docs/decisions/0012).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, Table, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from models.database import COPYING, WALLED
from models.tables import Base

CLINIC = "followthrough.clinic"
"""The setting that says whose rows a transaction sees and writes; it ends with the transaction."""
EVERY_CLINIC = "followthrough.every_clinic"
"""The setting that shows every clinic's own row, never what a clinic owns, to what looks for clinics."""

_SET = text("select pg_catalog.set_config(:setting, :value, true)")
_POLICIES = ("followthrough_clinic", "followthrough_copy", "followthrough_every_clinic")


class WallError(ValueError):
    """Why there can be no wall; a sentence for who asked."""


@dataclass(frozen=True, slots=True)
class Walls:
    """How the second wall stands."""

    open: Sequence[str]
    """Tenant tables that have none."""
    role: str
    """As whom we are connected."""
    passes_through: bool
    """Whether that role is one for which PostgreSQL looks at no policy."""

    @property
    def stands(self) -> bool:
        """Whether a forgotten filter finds nothing."""
        return not self.open and not self.passes_through


def within(tx: Session, clinic_id: UUID) -> None:
    """From here on the transaction sees and writes the rows of this clinic and no others. Said before the first
    statement about a clinic, by whatever learns whose rows it is about: from a token, or from its caller.
    """
    connection = tx.connection()
    # A savepoint that is rolled back takes with it what was said inside.
    said = tx.get_nested_transaction(), clinic_id
    if not connection.info.get(WALLED) or tx.info.get(CLINIC) == said:
        return
    if CLINIC in tx.info:
        tx.flush()  # what waits to be written is the clinic's before
    connection.execute(_SET, {"setting": CLINIC, "value": str(clinic_id)})
    tx.info[CLINIC] = said


@contextmanager
def across(tx: Session) -> Iterator[None]:
    """Inside the block the transaction sees every clinic's own row: for the few that look for clinics."""
    connection = tx.connection()
    if not connection.info.get(WALLED):
        yield
        return
    connection.execute(_SET, {"setting": EVERY_CLINIC, "value": "on"})
    yield
    connection.execute(_SET, {"setting": EVERY_CLINIC, "value": ""})


def harden(connection: Connection) -> None:
    """Raise the wall on every tenant table, or mend it."""
    _refuse_where_there_can_be_none(connection)
    present = set(connection.scalars(text("select tablename from pg_tables where schemaname = current_schema()")))
    if missing := sorted(table.name for table in _tenants() if table.name not in present):
        raise WallError(f"The database has no tables {', '.join(missing)}; say followthrough migrate first.")
    try:
        for table in _tenants():
            for words in _wall_of(table):
                connection.execute(text(words))
    except ProgrammingError as error:
        raise WallError(f"Only the owner of the tables may say this, or a superuser ({error.orig}).") from None


def soften(connection: Connection) -> None:
    """Take the wall down."""
    _refuse_where_there_can_be_none(connection)
    for name in _walled(connection):
        for words in (*_without_policies(name), "disable row level security", "no force row level security"):
            connection.execute(text(words if words.startswith("drop") else f'alter table "{name}" {words}'))


@contextmanager
def owner_sees_all(engine: Engine) -> Iterator[None]:
    """Around a migration: the tables' owner, who is walled in like everybody, sees every row while it lasts; then the
    wall stands again, around new tables too. Does nothing where there is no wall.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.begin() as connection:
        walled = _walled(connection)
        for name in walled:
            connection.execute(text(f'alter table "{name}" no force row level security'))
    yield
    if walled:
        with engine.begin() as connection:
            harden(connection)


def walls(connection: Connection) -> Walls:
    """How the wall stands for whoever is connected."""
    _refuse_where_there_can_be_none(connection)
    found = connection.execute(
        text(
            "select relname from pg_catalog.pg_class where relnamespace = current_schema()::regnamespace"
            " and relrowsecurity and relforcerowsecurity and array(select polname from pg_catalog.pg_policy"
            " where polrelid = pg_class.oid order by polname)::text[]"
            " = case when relname = 'clinic' then cast(:clinics as text[]) else cast(:others as text[]) end"
        ),
        {"clinics": list(_POLICIES), "others": list(_POLICIES[:2])},
    ).scalars()
    standing = set(found)
    role, passes = connection.execute(
        text("select rolname, rolsuper or rolbypassrls from pg_catalog.pg_roles where rolname = current_user")
    ).one()
    return Walls([table.name for table in _tenants() if table.name not in standing], role, passes)


def _tenants() -> list[Table]:
    return [table for table in Base.metadata.sorted_tables if table.info["placement"] == "tenant"]


def _wall_of(table: Table) -> Iterator[str]:
    # A subselect is worked out once a statement; asked bare, the setting would be read for every row.
    is_ours = f"{table.info['shard']} = (select nullif(current_setting('{CLINIC}', true), '')::uuid)"
    yield from _without_policies(table.name)
    yield f'create policy {_POLICIES[0]} on "{table.name}" using ({is_ours}) with check ({is_ours})'
    yield f'create policy {_POLICIES[1]} on "{table.name}" for select using ({_is_on(COPYING)})'
    if table.info["shard"] == "id":
        yield f'create policy {_POLICIES[2]} on "{table.name}" for select using ({_is_on(EVERY_CLINIC)})'
    yield f'alter table "{table.name}" enable row level security'
    yield f'alter table "{table.name}" force row level security'


def _is_on(setting: str) -> str:
    return f"(select current_setting('{setting}', true)) = 'on'"


def _without_policies(name: str) -> list[str]:
    return [f'drop policy if exists {policy} on "{name}"' for policy in _POLICIES]


def _walled(connection: Connection) -> Sequence[str]:
    return connection.scalars(
        text(
            "select relname from pg_catalog.pg_class where relnamespace = current_schema()::regnamespace"
            " and relrowsecurity order by relname"
        )
    ).all()


def _refuse_where_there_can_be_none(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        raise WallError("SQLite has no row-level security; the second wall is PostgreSQL's.")
    if connection.execute(text("select 1 from pg_catalog.pg_extension where extname = 'citus'")).first():
        raise WallError("Citus does not carry row-level security to its shards reliably: there is no second wall.")
