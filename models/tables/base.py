"""The declarative base: names, column types, keys; nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    DateTime,
    Enum,
    ForeignKeyConstraint,
    MetaData,
    TypeDecorator,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column
from sqlalchemy.schema import Constraint, Table


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in, the same moment in UTC out, on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002, D102  (SQLAlchemy calls it)
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002, D102  (SQLAlchemy calls it)
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@lru_cache(maxsize=10_000)
def _id(text: str) -> UUID:
    """The same few come with row after row: a program's, its lines'."""
    return UUID(text)


class Id(Uuid[UUID]):
    """An id; where the database gives text, it is read once."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:  # noqa: D102  (SQLAlchemy calls it)
        reads: Any = super().result_processor(dialect, coltype)  # type: ignore[no-untyped-call]
        return reads and (lambda value: None if value is None else _id(value))


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def _last_column(constraint: Constraint, _table: Table) -> str:
    # clinic_id comes first in every key; the last column is the one that says which key it is.
    assert isinstance(constraint, ForeignKeyConstraint)
    return constraint.column_keys[-1]


class Base(MappedAsDataclass, DeclarativeBase, kw_only=True, repr=False, eq=False):
    """What every table is."""

    # A dataclass for its typed constructor only. No generated repr: rows hold health data, and a repr ends
    # up in logs. No generated eq: a row is equal to itself.

    metadata = MetaData(
        naming_convention={
            "last_column": _last_column,
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(last_column)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {
        datetime: UtcDateTime,
        UUID: Id,
        dict[str, Any]: Json,
        list[Any]: Json,
        list[str]: Json,
        list[int]: Json,
        StrEnum: Enum(
            StrEnum, native_enum=False, length=32, values_callable=lambda kind: [member.value for member in kind]
        ),
    }


# Every table says where its rows live, so that the schema can be sharded by clinic as it is (docs/decisions/0002).
TENANT = {"placement": "tenant", "shard": "clinic_id"}
REFERENCE = {"placement": "reference"}


def lookup(shard: str) -> dict[str, str]:
    """A table of globally unique keys, each row placed by its own key; no foreign keys, never joined."""
    return {"placement": "lookup", "shard": shard}


class Tenant(MappedAsDataclass, kw_only=True, repr=False, eq=False):
    """A row of one clinic: the clinic is the first part of its key."""

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-2)


class Identified(Tenant, kw_only=True, repr=False, eq=False):
    """A row of one clinic with an id of its own."""

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-1)


def of_clinic() -> ForeignKeyConstraint:
    """The row's clinic exists."""
    return ForeignKeyConstraint(["clinic_id"], ["clinic.id"])


def of(table: str, column: str, key: str = "id") -> ForeignKeyConstraint:
    """`column` names a row of `table` in the same clinic."""
    return ForeignKeyConstraint(["clinic_id", column], [f"{table}.clinic_id", f"{table}.{key}"])
