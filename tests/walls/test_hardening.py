"""Raising the wall, looking after it, and living behind it: commands, migrations, backups."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, make_url, select, text, update

from api import cli
from api.cli import _alembic, main
from models.database import Database, open_database
from models.operations import sweep, walls
from models.operations.backups.postgres import Programs
from models.operations.walls import WallError, within
from models.tables import Base, Clinic, Patient
from tests.backups.conftest import Safe, programs
from tests.builders import a_clinic, a_patient, a_program, log_days, weeks
from tests.conftest import copied, created
from tests.walls.conftest import owned

__all__ = ["programs"]

TENANTS = {table.name for table in Base.metadata.tables.values() if table.info["placement"] == "tenant"}


@pytest.fixture
def ours() -> Iterator[str]:
    """A hardened database of one's own, as its owner."""
    with owned() as url:
        yield url


@pytest.fixture
def says(ours: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where commands are said. A command ends its process, which closes what it opened; here somebody must."""
    engines = []

    def opening(url: str) -> tuple[Engine, Database]:
        engine, database = open_database(url)
        engines.append(engine)
        return engine, database

    monkeypatch.setattr(cli, "open_database", opening)
    monkeypatch.setenv("DATABASE_URL", ours)
    yield ours
    for engine in engines:
        engine.dispose()


def opened(url: str) -> Engine:
    return open_database(url)[0]


def test_every_tenant_table_is_behind_the_wall_and_no_other(ours: str) -> None:
    """Asked of PostgreSQL itself, so that a table to come cannot be forgotten."""
    engine = opened(ours)
    with engine.connect() as connection:
        walled = text("select relname from pg_class where relrowsecurity and relforcerowsecurity")
        assert set(connection.scalars(walled)) == TENANTS
        policies = text("select tablename, count(*) from pg_policies where with_check is not null group by 1")
        assert dict(connection.execute(policies).all()) == dict.fromkeys(TENANTS, 1)
        assert walls.walls(connection).stands
    engine.dispose()


def test_a_breach_is_told_and_mended(says: str, capsys: pytest.CaptureFixture[str]) -> None:
    engine = opened(says)
    assert main(["db", "harden", "--check"]) == 0
    for breach in (
        "alter table patient disable row level security",
        "alter table patient no force row level security",
        "drop policy followthrough_clinic on patient",
        "create policy anybody on patient using (true)",
    ):
        with engine.begin() as connection:
            connection.execute(text(breach))
        assert main(["db", "harden", "--check"]) == 1
        assert "no second wall around: patient." in capsys.readouterr().out
        with engine.begin() as connection:
            connection.execute(text("drop policy if exists anybody on patient"))  # theirs to drop, not ours
        assert main(["db", "harden"]) == 0
        assert main(["db", "harden", "--check"]) == 0
    assert main(["db", "soften"]) == 0
    with engine.connect() as connection:
        assert set(walls.walls(connection).open) == TENANTS
    assert main(["db", "harden", "--check"]) == 1
    engine.dispose()


def test_a_superuser_is_told_that_the_wall_is_none(
    template: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with copied(template) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        assert main(["db", "harden"]) == 0
        told = capsys.readouterr().out
        assert f"nobody back who connects as {make_url(url).username}" in told
        assert "create role followthrough_app login" in told
        assert main(["db", "harden", "--check"]) == 1


def test_the_role_we_propose_works_and_is_held_back(ours: str) -> None:
    admin = opened(ours)
    role = f"{make_url(ours).username}_app"
    with created() as other:
        superuser = create_engine(
            make_url(other).set(drivername="postgresql+psycopg", database=make_url(ours).database)
        )
        with superuser.begin() as connection:
            connection.execute(text(f"create role {role} login password 'app' nosuperuser nobypassrls"))
            connection.execute(text(f"grant usage on schema public to {role}"))
            connection.execute(text(f"grant select, insert, update, delete on all tables in schema public to {role}"))
        url = make_url(ours).set(username=role, password="app").render_as_string(hide_password=False)
        engine, database = open_database(url)
        with database.writing() as tx:
            ines = a_clinic(tx)
            log_days(tx, ines, a_program(tx, ines, a_patient(tx, ines)).program.id, weeks(1))
        with database.reading() as tx:
            assert tx.scalars(select(Patient.id)).all() == []
        with engine.connect() as connection:
            assert walls.walls(connection).stands
            with pytest.raises(WallError, match="Only the owner"):
                walls.harden(connection)
        engine.dispose()
        with superuser.begin() as connection:
            connection.execute(text(f"drop owned by {role}"))
            connection.execute(text(f"drop role {role}"))
        superuser.dispose()
    admin.dispose()


def test_where_there_can_be_no_wall_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'f.db'}")
    assert main(["db", "harden"]) == 1
    assert "SQLite has no row-level security" in capsys.readouterr().err
    with created() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        assert main(["db", "harden"]) == 1
        assert "say followthrough migrate first" in capsys.readouterr().err
        engine = opened(url)
        with engine.begin() as connection:
            connection.execute(
                text(
                    "insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)"
                    " values (99999, 'citus', 10, 11, false, '13')"
                )
            )
        engine.dispose()
        assert main(["db", "harden"]) == 1
        assert "Citus" in capsys.readouterr().err


def test_a_migration_reaches_every_row_and_leaves_the_wall_standing(says: str) -> None:
    """Revision 7 writes into every clinic, 7 and 8 make tables."""
    engine, database = open_database(says)
    clinics = []
    for _ in range(2):
        with database.writing() as tx:
            clinics.append(a_clinic(tx).clinic_id)
    with engine.connect() as connection:
        config = _alembic()
        config.attributes["connection"] = connection
        command.downgrade(config, "0006")
    assert main(["migrate"]) == 0
    with engine.connect() as connection:
        assert walls.walls(connection).stands
    with database.reading() as tx:
        assert sorted(sweep.thresholds_moved(tx)) == sorted(clinics)
        assert tx.scalars(select(Clinic.id)).all() == []
    engine.dispose()


def test_a_migration_where_there_is_no_wall_raises_none(template: str) -> None:
    with copied(template) as url:
        engine = opened(url)
        with walls.owner_sees_all(engine), engine.connect() as connection:
            connection.execute(update(Clinic).values(locale="en"))
        with engine.connect() as connection:
            assert set(walls.walls(connection).open) == TENANTS
        engine.dispose()


def test_every_command_works_behind_the_wall(
    says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOLLOWTHROUGH_PASSWORD", "long enough for this")
    monkeypatch.setenv("FOLLOWTHROUGH_EXPORTS", str(tmp_path / "exports"))
    assert main(["create-clinic", "Mine", "--time-zone", "Europe/Berlin"]) == 0
    mine = capsys.readouterr().out.strip()
    hiring = ["create-staff", "--clinic", mine, "--role", "admin", "--name", "Ada", "--email", "ada@clinic.example"]
    assert main(hiring) == 0
    engine, database = open_database(says)
    with database.writing() as tx:
        ines = a_clinic(tx)
        log_days(tx, ines, a_program(tx, ines, a_patient(tx, ines)).program.id, weeks(1), chips=["fall"])
    engine.dispose()
    capsys.readouterr()
    assert main(["demo", "--if-empty"]) == 0
    assert main(["reassess", "--verify"]) == 0
    assert "0 programs differ" in capsys.readouterr().out
    assert main(["reassess"]) == 0
    capsys.readouterr()
    assert main(["sweep"]) == 0
    assert not capsys.readouterr().out.startswith("0 flags")
    out = tmp_path / "sessions"
    assert main(["export", "--clinic", str(ines.clinic_id), "--content", "sessions", "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 5
    assert main(["report", "--clinic", mine, "--out", str(tmp_path / "report")]) == 0
    assert main(["rejects", "list"]) == 0
    capsys.readouterr()
    assert main(["resync"]) == 0
    assert "2 clinics" in capsys.readouterr().out


def test_a_backup_taken_and_restored_behind_the_wall_is_whole(ours: str, tmp_path: Path, programs: Programs) -> None:
    engine, database = open_database(ours)
    for _ in range(2):
        with database.writing() as tx:
            ines = a_clinic(tx, now=datetime.now(UTC))
            log_days(tx, ines, a_program(tx, ines, a_patient(tx, ines)).program.id, weeks(1))
    safe = Safe(tmp_path, programs)
    manifest = safe.back_up(ours)
    assert (manifest.rows["clinic"], manifest.rows["session"]) == (2, 10)
    assert safe.verify(ours).faults == []
    engine.dispose()
    anew = safe.restore(ours, replace=True)
    assert anew.clinics == 2
    engine, database = open_database(ours)
    with engine.connect() as connection:
        assert walls.walls(connection).stands
    with database.reading() as tx:
        assert tx.scalars(select(Patient.id)).all() == []
        within(tx, ines.clinic_id)
        assert len(tx.scalars(select(Patient.id)).all()) == 1
    with engine.begin() as connection:
        connection.execute(text("drop policy followthrough_copy on patient"))
    with pytest.raises(ValueError, match="Rows of patient may be hidden"):
        Safe(tmp_path / "..", programs).back_up(ours)
    engine.dispose()
