"""The schema can be sharded by clinic as it is: the rules of docs/decisions/0002 on the metadata."""

from collections.abc import Iterator

import pytest
from sqlalchemy import CheckConstraint, Column, ForeignKeyConstraint, Integer, MetaData, String, Table, UniqueConstraint

from models.tables import Base
from tests.architecture.statements import forgotten_tables

TABLES = sorted(Base.metadata.tables.values(), key=lambda table: table.name)


def broken_rules(table: Table) -> Iterator[str]:  # noqa: C901, PLR0912  (one rule after another)
    placement = table.info.get("placement")
    shard = table.info.get("shard")
    if placement not in {"tenant", "reference", "lookup", "local"}:
        yield "says no placement"
    if placement == "tenant" and next(iter(table.primary_key.columns)).name != shard:
        yield "its clinic is not first in its key"
    if placement == "lookup":
        if next(iter(table.primary_key.columns)).name != shard:
            yield "a lookup is keyed by what is looked up"
        if table.foreign_keys:
            yield "a lookup refers to nothing"
    for constraint in table.constraints:
        if constraint.name is None:
            yield f"an unnamed constraint: {constraint!r}"
        elif len(str(constraint.name)) > 54:
            yield f"{constraint.name} is too long"
        if placement != "tenant" or shard == "id":
            continue
        if isinstance(constraint, UniqueConstraint) and constraint.columns.keys()[0] != "clinic_id":
            yield f"{constraint.name} is unique across clinics"
        if isinstance(constraint, ForeignKeyConstraint):
            target = constraint.referred_table
            if target.info["placement"] == "tenant" and constraint.column_keys[0] != "clinic_id":
                yield f"{constraint.name} may point into another clinic"
            if target.info["placement"] not in {"tenant", "reference"}:
                yield f"{constraint.name} points at a {target.info['placement']} table"
    for index in table.indexes:
        if len(str(index.name)) > 54:
            yield f"{index.name} is too long"
        if placement == "tenant" and index.columns.keys()[0] != "clinic_id":
            yield f"{index.name} does not begin with the clinic"
    for key in table.foreign_keys:
        if key.ondelete == "SET NULL" or key.onupdate:
            yield f"{key.name} acts on its own"
    for column in table.columns:
        if column.server_default is not None or column.computed is not None or column.identity is not None:
            yield f"{column.name} is filled by the database"
        if column.onupdate is not None:
            yield f"{column.name} is changed by the database"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_can_be_placed(table: Table) -> None:
    assert list(broken_rules(table)) == []


def test_bad_tables_are_caught() -> None:
    bad = MetaData()
    clinic = Table("clinic", bad, Column("id", Integer, primary_key=True), info={"placement": "tenant", "shard": "id"})
    tenant = {"placement": "tenant", "shard": "clinic_id"}
    Table("homeless", bad, Column("id", Integer, primary_key=True))
    Table(
        "backwards",
        bad,
        Column("id", Integer, primary_key=True),
        Column("clinic_id", Integer, primary_key=True),
        info=tenant,
    )
    Table(
        "global_name",
        bad,
        Column("clinic_id", Integer, primary_key=True),
        Column("name", String),
        UniqueConstraint("name", name="uq"),
        CheckConstraint("name <> ''", name="a" * 60),
        info=tenant,
    )
    Table(
        "crossing",
        bad,
        Column("clinic_id", Integer, primary_key=True),
        Column("id", Integer, primary_key=True),
        Column("other", Integer),
        ForeignKeyConstraint(["other"], [clinic.c.id], name="fk"),
        info=tenant,
    )
    found = {name: " ".join(broken_rules(table)) for name, table in bad.tables.items()}
    assert "no placement" in found["homeless"]
    assert "not first" in found["backwards"]
    assert "unique across" in found["global_name"]
    assert "too long" in found["global_name"]
    assert "another clinic" in found["crossing"]


@pytest.mark.parametrize(
    ("statement", "forgotten"),
    [
        ("SELECT patient.id FROM patient WHERE patient.clinic_id = ?", ()),
        ("SELECT patient.id FROM patient WHERE patient.id = ?", ("patient",)),
        ("SELECT p.id FROM patient AS p JOIN program AS g ON g.clinic_id = p.clinic_id WHERE p.clinic_id = ?", ()),
        ("SELECT p.id FROM patient AS p JOIN program AS g ON g.patient_id = p.id WHERE p.clinic_id = ?", ("program",)),
        (
            "SELECT p.id FROM patient AS p WHERE p.clinic_id = ? AND EXISTS (SELECT 1 FROM flag WHERE flag.id = ?)",
            ("flag",),
        ),
        ("SELECT p.id FROM patient AS p JOIN program AS g ON g.clinic_id = p.clinic_id", ("patient", "program")),
        ("SELECT p.id FROM patient AS p JOIN program AS g ON g.clinic_id = p.id WHERE p.clinic_id = ?", ("program",)),
        ("SELECT p.id FROM patient AS p WHERE p.clinic_id = ? OR p.id = ?", ("patient",)),
        ("SELECT p.id FROM patient AS p WHERE p.clinic_id IN (SELECT clinic.id FROM clinic WHERE clinic.id = ?)", ()),
        ("SELECT p.id FROM patient AS p WHERE (p.clinic_id = ? AND p.id = ?) OR p.clinic_id = ?", ()),
        ("DELETE FROM flag WHERE flag.clinic_id = ? AND EXISTS (SELECT 1 FROM item WHERE item.clinic_id = ?)", ()),
        ("UPDATE flag SET severity=? WHERE flag.id = ?", ("flag",)),
        ("DELETE FROM token WHERE token.clinic_id = ?", ()),
        ("SELECT exercise.slug FROM exercise", ()),
    ],
)
def test_a_forgotten_clinic_is_noticed(statement: str, forgotten: tuple[str, ...]) -> None:
    assert forgotten_tables(statement) == forgotten
