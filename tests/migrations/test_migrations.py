"""Migrations arrive at the tables we declare."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, column, insert, inspect, table as sql_table, text
from sqlalchemy.exc import IntegrityError

from models.database import open_database
from models.operations import sweep
from models.operations.weeks import weeks_of
from models.tables import Base
from seed_data.load import load
from tests.builders import DAY, MONDAY, NOON, a_clinic, a_patient, a_program, log_days, weeks
from tests.conftest import ROOT, created, migrate


def test_migrations_arrive_at_the_tables_we_declare(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_check_constraints_arrive_too(engine: Engine) -> None:
    """Alembic compares tables, columns, keys and indexes; checks are compared here, by name."""
    with engine.connect() as connection:
        found = {
            str(check["name"])
            for table in Base.metadata.tables
            for check in inspect(connection).get_check_constraints(table)
        }
    declared = {
        str(constraint.name)
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    assert found == declared


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_heads() == ("0015",)


def test_data_of_the_first_revision_comes_along(kind: str, tmp_path: Path) -> None:
    """A clinic's rows as version 0001 held them: nothing is lost, and what is new has its value."""
    with ExitStack() as undo:
        url = f"sqlite:///{tmp_path / 'old.db'}" if kind == "sqlite" else undo.enter_context(created())
        engine, _ = open_database(url)
        undo.callback(engine.dispose)
        migrate(engine, "0001")
        with engine.begin() as connection:
            for table, row in OLD_ROWS:
                add(connection, table, row)
        migrate(engine)
        with engine.connect() as connection:
            sessions = connection.execute(text("SELECT done, exercised FROM session ORDER BY done")).all()
            assert [(done, bool(exercised)) for done, exercised in sessions] == [("all", True), ("none", False)]
            logged = text(
                "SELECT id, change_number, received_at = changed_at, worst_pain, main_reason FROM session ORDER BY id"
            )
            numbered = [
                (number, bool(same), pain, reason) for _, number, same, pain, reason in connection.execute(logged)
            ]
            assert numbered == [(1, True, None, None), (2, True, None, None)]
            assert connection.execute(text("SELECT change_number FROM patient")).scalar_one() == 2
            assert connection.execute(text("SELECT change_number FROM program")).scalar_one() == 0
            assert len(connection.execute(text("SELECT cursor_key FROM clinic")).scalar_one()) == 32
            assert connection.execute(text("SELECT kind, label FROM phase")).all() == [("course", "All along")]
            assert connection.execute(text("SELECT exercise_slug, care_slug, sets FROM item")).all() == [
                ("bird-dog", None, 3)
            ]
            assert len(connection.execute(text("SELECT * FROM session_entry")).all()) == 1
            assert str(connection.execute(text("SELECT goals FROM exercise")).scalar_one()) == "[]"
            with pytest.raises(IntegrityError):
                connection.execute(text("UPDATE item SET sets = 7"))
            connection.rollback()
        if kind == "sqlite":
            with engine.connect() as connection, pytest.raises(IntegrityError):
                connection.execute(text("UPDATE item SET exercise_slug = 'no-such'"))


def test_programs_of_before_the_weeks_are_counted_by_the_sweep(kind: str, tmp_path: Path) -> None:
    with ExitStack() as undo:
        url = f"sqlite:///{tmp_path / 'old.db'}" if kind == "sqlite" else undo.enter_context(created())
        engine, database = open_database(url)
        undo.callback(engine.dispose)
        migrate(engine)
        with database.writing() as tx:
            load(tx)
            ines = a_clinic(tx)
            log_days(tx, ines, a_program(tx, ines, a_patient(tx, ines)).program.id, weeks(2))
        with engine.connect() as connection:
            config = Config(toml_file=ROOT / "pyproject.toml", attributes={"connection": connection})
            command.downgrade(config, "0006")
        migrate(engine)
        with database.writing() as tx:
            assert tx.execute(text("SELECT count(*) FROM week")).scalar_one() == 0
            assert sweep.thresholds_moved(tx) == [ines.clinic_id]
            while sweep.apply_thresholds(tx, ines.clinic_id, now=NOON + 20 * DAY):
                pass
            assert tx.execute(text("SELECT sum(sessions) FROM week")).scalar_one() == 10
            assert sweep.thresholds_moved(tx) == []


def test_weeks_of_the_tenth_revision_come_to_know_the_next_that_was_followed(kind: str, tmp_path: Path) -> None:
    """Weeks 1, 2 and 5 of those written: 3 and 4 look to 5, those after it to none; another program's are its own."""
    with ExitStack() as undo:
        url = f"sqlite:///{tmp_path / 'old.db'}" if kind == "sqlite" else undo.enter_context(created())
        engine, database = open_database(url)
        undo.callback(engine.dispose)
        migrate(engine)
        with database.writing() as tx:
            load(tx)
            ines = a_clinic(tx)
            followed, never = (a_program(tx, ines, a_patient(tx, ines)).program.id for _ in range(2))
            log_days(tx, ines, followed, [*weeks(2), MONDAY + 28 * DAY])
            before = weeks_of(tx, ines.clinic_id, [followed, never])
        with engine.connect() as connection:
            config = Config(toml_file=ROOT / "pyproject.toml", attributes={"connection": connection})
            command.downgrade(config, "0010")
        migrate(engine)
        with database.reading() as tx:
            after = weeks_of(tx, ines.clinic_id, [followed, never])
        assert after == before
        told = [next_on and (next_on - MONDAY).days // 7 for _, next_on in after[followed][:6]]
        assert told == [0, 1, 4, 4, 4, None]
        assert {next_on for _, next_on in after[never]} == {None}


def test_a_check_in_of_the_second_revision_comes_along_unanswered(kind: str, tmp_path: Path) -> None:
    with ExitStack() as undo:
        url = f"sqlite:///{tmp_path / 'old.db'}" if kind == "sqlite" else undo.enter_context(created())
        engine, _ = open_database(url)
        undo.callback(engine.dispose)
        migrate(engine, "0002")
        due = {"clinic_id": ID, "id": ID, "patient_id": ID, "program_id": ID, "month": 3, "due_on": "2025-06-03"}
        with engine.begin() as connection:
            for table, row in OLD_ROWS:
                if table in {"clinic", "account", "patient", "program"}:
                    add(connection, table, row)
            add(connection, "check_in", due)
        migrate(engine)
        with engine.connect() as connection:
            kept = connection.execute(text("SELECT month, version, answers, answered_on FROM check_in")).all()
            assert kept == [(3, 0, None, None)]
            for broken in ("UPDATE check_in SET month = 61", "UPDATE check_in SET version = 1"):
                with pytest.raises(IntegrityError):
                    connection.execute(text(broken))
                connection.rollback()


def test_a_flag_of_the_fourth_revision_comes_along_with_nothing_done_about_it(kind: str, tmp_path: Path) -> None:
    """And there is still at most one open of a kind, however many are closed."""
    with ExitStack() as undo:
        url = f"sqlite:///{tmp_path / 'old.db'}" if kind == "sqlite" else undo.enter_context(created())
        engine, _ = open_database(url)
        undo.callback(engine.dispose)
        migrate(engine, "0004")
        flag = {"clinic_id": ID, "patient_id": ID, "program_id": ID, "about_id": ID, "kind": "silence", "severity": 2}
        flag |= {"opens_at": NOW, "episode": "2025-03-03", "evidence": "{}", "rule_version": 1}
        closed = {"closed_at": NOW, "closed_because": "returned"}
        new: dict[str, dict[str, Any]] = {"clinic": {"cursor_key": b"x" * 32}, "account": {}}
        with engine.begin() as connection:
            for table, row in OLD_ROWS:
                if table in {"clinic", "account", "patient", "program"}:
                    add(connection, table, row | new.get(table, {"change_number": 0}))
            for number, more in enumerate(({}, closed, closed), start=1):
                add(connection, "flag", flag | {"id": f"{number:032x}"} | more)
        migrate(engine)
        with engine.connect() as connection:
            kept = connection.execute(text("SELECT version, deeds, closed_by FROM flag")).all()
            assert [(version, str(deeds), by) for version, deeds, by in kept] == [(1, "[]", None)] * 3
            for broken in (
                "UPDATE flag SET closed_at = NULL, closed_because = NULL",
                "UPDATE flag SET closed_by = patient_id WHERE closed_at IS NULL",
                "UPDATE flag SET closed_at = NULL WHERE closed_at IS NOT NULL",
            ):
                with pytest.raises(IntegrityError):
                    connection.execute(text(broken))
                connection.rollback()


ID = "00000000000000000000000000000001"
NOW = "2025-03-03 12:00:00"
OLD_ROWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("clinic", {"id": ID, "name": "Old", "time_zone": "UTC", "locale": "en", "is_demo": 0, "settings": "{}"}),
    (
        "exercise",
        {
            **dict.fromkeys(("name", "summary", "category", "subcategory", "region", "position"), "x"),
            **dict.fromkeys(("evidence", "search_text"), "x"),
            **dict.fromkeys(("load_tags", "muscles", "trunk_sides", "steps", "cues", "common_errors", "stop_if"), "[]"),
            "slug": "bird-dog",
            "version": 1,
            "level": 2,
            "laterality": "alternating",
            "dosage": "{}",
        },
    ),
    ("account", {"clinic_id": ID, "id": ID, "role": "therapist", "name": "Ines"}),
    (
        "patient",
        {
            "clinic_id": ID,
            "id": ID,
            "given_name": "Ann",
            "family_name": "Archer",
            "time_zone": "UTC",
            "language": "en",
            "equipment": "[]",
            "preferences": "{}",
            "version": 1,
        },
    ),
    (
        "program",
        {
            "clinic_id": ID,
            "id": ID,
            "patient_id": ID,
            "type": "prescribed",
            "status": "active",
            "title": "Back",
            "starts_on": "2025-03-03",
            "created_by": ID,
            "version": 2,
        },
    ),
    ("revision", {"clinic_id": ID, "program_id": ID, "number": 1, "effective_on": "2025-03-03", "author_id": ID}),
    (
        "phase",
        {"clinic_id": ID, "program_id": ID, "revision_number": 1, "number": 1, "label": "All along", "from_day": 1},
    ),
    (
        "item",
        {
            "clinic_id": ID,
            "program_id": ID,
            "revision_number": 1,
            "line_id": ID,
            "phase_number": 1,
            "position": 1,
            "exercise_slug": "bird-dog",
            "sets": 3,
            "reps": 10,
            "pain_limit": 5,
            "sessions_per_day": 1,
            "days_per_week": 3,
        },
    ),
    *(
        (
            "session",
            {
                "clinic_id": ID,
                "patient_id": ID,
                "id": f"{number:032x}",
                "program_id": ID,
                "performed_at": NOW,
                "time_zone": "UTC",
                "local_date": "2025-03-04",
                "received_at": NOW,
                "source": "patient",
                "done": done,
                "chips": "[]",
                "low_trust": 0,
                "version": 1,
                "content_hash": b"x" * 32,
            },
        )
        for number, done in ((1, "all"), (2, "none"))
    ),
    (
        "session_entry",
        {"clinic_id": ID, "patient_id": ID, "session_id": ID, "line_id": ID, "skipped": 0, "not_sure": 0},
    ),
)
FLAGS = {"is_demo", "low_trust", "skipped", "not_sure"}


def add(connection: Connection, table: str, row: dict[str, Any]) -> None:
    """A row as an older version would have written it, by its names alone."""
    columns = {one["name"] for one in inspect(connection).get_columns(table)}
    said = row | ({"created_at": NOW} if "created_at" in columns else {})
    if connection.dialect.name == "postgresql":
        said = {name: bool(value) if name in FLAGS else value for name, value in said.items()}
    connection.execute(insert(sql_table(table, *map(column, said))).values(said))
