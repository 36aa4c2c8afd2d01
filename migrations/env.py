"""Alembic's way in: migrate the connection we are handed, or open the application's own."""

import os
from typing import Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection

from models.database import open_database
from models.tables import Base
from models.tables.base import UtcDateTime


def migrate(connection: Connection) -> None:
    """Run the migrations on a connection."""
    if connection.dialect.name == "postgresql":
        # A migration waits for no one: it gives up rather than queue everybody behind it.
        connection.execute(sa.text("SET lock_timeout = '10s'"))
        connection.execute(sa.text("SET statement_timeout = '600s'"))
        connection.commit()
    else:
        # A table is changed by copying it; while the old one is dropped, nothing may cascade from it.
        _foreign_keys(connection, "off")
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=render_item,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    if connection.dialect.name == "sqlite":
        orphans = connection.exec_driver_sql("pragma foreign_key_check").all()
        connection.rollback()
        _foreign_keys(connection, "on")
        if orphans:
            raise RuntimeError(f"The migration left rows without what they refer to: {orphans[:5]}")


def _foreign_keys(connection: Connection, state: str) -> None:
    # Said to the driver: SQLite ignores it inside a transaction, and SQLAlchemy would begin one.
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(f"pragma foreign_keys = {state}")


def render_item(type_: str, obj: object, autogen: AutogenContext) -> str | Literal[False]:
    """A revision never imports living code: our own column types are written as what they are in the database."""
    if type_ == "type" and isinstance(obj, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if type_ == "type" and isinstance(obj, sa.JSON):
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    if type_ == "type" and isinstance(obj, sa.Enum):
        return f"sa.String(length={obj.length})"
    return False


if (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    engine, _ = open_database(os.environ.get("DATABASE_URL", "sqlite:///followthrough.db"))
    with engine.connect() as opened:
        migrate(opened)
