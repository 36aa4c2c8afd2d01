"""Restoring: never half, never by accident, and nobody gets in who was shut out meanwhile."""

import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, create_engine, inspect, make_url, select, text, update

from api.cli import main
from models.database import open_database
from models.operations import patients, sign_ins
from models.operations.backups import archive, keeping, postgres, sqlite
from models.operations.backups.archive import BackupError, Manifest
from models.operations.backups.postgres import Programs
from models.operations.callers import identify
from models.refusals import NotSignedIn
from models.tables import Clinic, Invitation, Patient, SignIn
from tests.backups.conftest import Safe, bare
from tests.builders import BORN, NOON, a_clinic, a_patient, a_phone
from tests.conftest import migrate


def names(url: str) -> list[str]:
    """The patients in a database."""
    engine, database = open_database(url)
    with database.reading() as tx:
        found = list(tx.scalars(select(Patient.given_name).order_by(Patient.given_name)))
    engine.dispose()
    return found


def add(url: str, name: str) -> UUID:
    """A clinic with a patient."""
    engine, database = open_database(url)
    with database.writing() as tx:
        ines = a_clinic(tx)
        a_patient(tx, ines, given_name=name)
    engine.dispose()
    return ines.clinic_id


def broken(safe: Safe, manifest: Manifest, payload: Path) -> None:
    """A backup whose file is sound, of a database that is not."""
    safe.file.unlink()
    said = {name: getattr(manifest, name) for name in ("database", "server", "revision", "product", "rows")}
    archive.write(safe.file, archive.manifest_of(payload, **said, now=NOON), payload)


def test_a_target_that_is_not_empty_is_replaced_only_where_that_is_said(
    source: str, empty: Callable[[], str], safe: Safe
) -> None:
    add(source, "Ann")
    safe.back_up(source)
    target = empty()
    safe.restore(target)
    add(target, "Later")
    with pytest.raises(BackupError, match="say --replace"):
        safe.restore(target)
    assert names(target) == ["Ann", "Later"]
    safe.restore(target, replace=True)
    assert names(target) == ["Ann"]


def test_a_database_that_somebody_has_open_is_not_replaced(source: str, safe: Safe) -> None:
    add(source, "Ann")
    safe.back_up(source)
    engine, _ = open_database(source)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("select count(*) from clinic"))
        with pytest.raises(BackupError, match="in use"):
            safe.restore(source, replace=True)
    with engine.connect(), pytest.raises(BackupError, match="in use"):
        safe.restore(source, replace=True)
    engine.dispose()
    safe.restore(source, replace=True)
    assert names(source) == ["Ann"]


def test_what_cannot_be_restored_leaves_the_target_as_it_was(
    kind: str, source: str, safe: Safe, tmp_path: Path, programs: Programs
) -> None:
    """A copy cut short, in a backup whose own checksum is right."""
    add(source, "Ann")
    manifest = safe.back_up(source)
    archive.read(safe.file, tmp_path / "payload")
    add(source, "Later")
    whole = (tmp_path / "payload").read_bytes()
    (tmp_path / "payload").write_bytes(whole[: len(whole) * 9 // 10])
    broken(safe, manifest, tmp_path / "payload")
    with pytest.raises(BackupError):
        safe.restore(source, replace=True)
    assert names(source) == ["Ann", "Later"]
    if kind == "sqlite":
        assert keeping.verify(safe.file, source, programs).faults
    else:
        with pytest.raises(BackupError):
            keeping.verify(safe.file, source, programs)


def test_rows_that_are_missing_are_told(source: str, safe: Safe, tmp_path: Path) -> None:
    add(source, "Ann")
    manifest = safe.back_up(source)
    archive.read(safe.file, tmp_path / "payload")
    manifest.rows["patient"] += 1
    broken(safe, manifest, tmp_path / "payload")
    assert safe.verify(source).faults == ["patient has 1 rows, its manifest says 2"]


def test_rows_without_what_they_refer_to_are_told(kind: str, source: str, safe: Safe, tmp_path: Path) -> None:
    if kind == "postgresql":
        pytest.skip("PostgreSQL checks its foreign keys as it restores")
    add(source, "Ann")
    manifest = safe.back_up(source)
    archive.read(safe.file, tmp_path / "payload")
    engine = create_engine(f"sqlite:///{tmp_path / 'payload'}")
    with engine.begin() as connection:
        connection.execute(text("delete from clinic"))
    engine.dispose()
    manifest.rows["clinic"] = 0
    broken(safe, manifest, tmp_path / "payload")
    assert "a row of patient refers to a row of clinic that is not there" in safe.verify(source).faults
    add(source, "Later")
    with pytest.raises(BackupError, match="not sound"):
        safe.restore(source, replace=True)
    assert names(source) == ["Ann", "Later"]


def test_whoever_was_shut_out_since_stays_out(source: str, empty: Callable[[], str], safe: Safe) -> None:
    engine, database = open_database(source)
    with database.writing() as tx:
        ines = a_clinic(tx)
        ann, bob = a_patient(tx, ines), a_patient(tx, ines)
        token = a_phone(tx, ines, ann).access
        code = patients.invite(tx, ines, bob.id, now=NOON)[1]
        key = tx.scalars(select(Clinic.cursor_key)).one()
    safe.back_up(source)
    with database.writing() as tx:
        stolen = update(SignIn).where(SignIn.clinic_id == ines.clinic_id)
        tx.execute(stolen.values(revoked_at=NOON, revoked_because="device_revoked"))
    engine.dispose()
    for keep in (False, True):
        target = empty()
        anew = safe.restore(target, keep_sign_ins=keep)
        assert (anew.clinics, anew.sign_ins, anew.invitations) == (1, 0 if keep else 1, 0 if keep else 1)
        engine, database = open_database(target)
        with database.writing() as tx:
            assert tx.scalars(select(Clinic.cursor_key)).one() != key
            redeemed = sign_ins.redeem(tx, code, BORN, "phone", address="", now=NOON)
            assert isinstance(redeemed, sign_ins.Tokens) is keep
            if keep:
                assert identify(tx, token, NOON).patient_id == ann.id
            else:
                with pytest.raises(NotSignedIn):
                    identify(tx, token, NOON)
                assert set(tx.scalars(select(SignIn.revoked_because))) == {keeping.RESTORED}
                assert keeping.RESTORED in set(tx.scalars(select(Invitation.ended_because)))
        engine.dispose()


def test_a_backup_of_an_older_version_is_brought_up_to_date(empty: Callable[[], str], safe: Safe) -> None:
    old, target = empty(), empty()
    engine, _ = open_database(old)
    migrate(engine, "0006")
    engine.dispose()
    assert safe.back_up(old).revision == "0006"
    assert safe.verify(old).faults == []
    safe.restore(target)
    engine, _ = open_database(target)
    assert "export" in inspect(engine).get_table_names()
    engine.dispose()


def test_a_backup_of_a_newer_version_is_refused(source: str, empty: Callable[[], str], safe: Safe) -> None:
    engine, _ = open_database(source)
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    engine.dispose()
    safe.back_up(source)
    with pytest.raises(BackupError, match="newer version"):
        safe.restore(empty())


def test_a_database_without_tables_is_not_backed_up(empty: Callable[[], str], safe: Safe) -> None:
    with pytest.raises(BackupError, match=r"no tables yet|no database"):
        safe.back_up(empty())
    assert list(safe.folder.iterdir()) == []


def test_the_other_kind_of_database_is_refused(kind: str, source: str, safe: Safe, tmp_path: Path) -> None:
    safe.back_up(source)
    other = "postgresql://nobody@nowhere.invalid/x" if kind == "sqlite" else f"sqlite:///{tmp_path / 'x.db'}"
    with pytest.raises(BackupError, match="names a database of"):
        safe.restore(other)


def test_a_damaged_sqlite_database_is_replaced_with_its_log(kind: str, source: str, safe: Safe) -> None:
    if kind == "postgresql":
        pytest.skip("a server looks after its own files")
    add(source, "Ann")
    safe.back_up(source)
    path = sqlite.path_of(source)
    path.write_bytes(b"no database at all" * 1000)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).write_bytes(b"of what was")
    with pytest.raises(BackupError, match="say --replace"):
        safe.restore(source)
    safe.restore(source, replace=True)
    assert bare(source) == [path.name]
    assert names(source) == ["Ann"]


# PostgreSQL's programs.


def a_program_of(folder: Path, name: str, major: int, deed: str) -> None:
    path = folder / name
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{name} (PostgreSQL) {major}.1"; exit; fi\n{deed}\n'
    )
    path.chmod(0o755)


def test_programs_that_are_missing_or_too_old_are_told(kind: str, source: str, tmp_path: Path) -> None:
    if kind == "sqlite":
        pytest.skip("SQLite needs none")
    with pytest.raises(BackupError, match="There is no pg_dump in"):
        Safe(tmp_path, Programs(tmp_path)).back_up(source)
    a_program_of(tmp_path, "pg_dump", 9, "exit 0")
    with pytest.raises(BackupError, match=r"is of PostgreSQL 9, the database of \d\d"):
        Safe(tmp_path, Programs(tmp_path)).back_up(source)
    a_program_of(tmp_path, "pg_dump", 99, "echo 'the disk is full' >&2; exit 3")
    with pytest.raises(BackupError, match="pg_dump failed: the disk is full"):
        Safe(tmp_path, Programs(tmp_path)).back_up(source)
    assert [path.name for path in tmp_path.iterdir()] == ["pg_dump"]


def test_the_password_is_not_among_the_arguments(kind: str, source: str, tmp_path: Path) -> None:
    if kind == "sqlite":
        pytest.skip("SQLite has none")
    a_program_of(tmp_path, "pg_dump", 99, f'echo "$@" > {tmp_path}/said; echo "$PGPASSWORD" > {tmp_path}/kept; exit 3')
    url = make_url(source).set(password="hush hush").render_as_string(hide_password=False)
    with pytest.raises(BackupError, match="pg_dump failed"):
        Safe(tmp_path, Programs(tmp_path)).back_up(url)
    assert "hush" not in (tmp_path / "said").read_text()
    assert (tmp_path / "kept").read_text() == "hush hush\n"


def test_tables_the_backup_does_not_know_are_not_lost(kind: str, source: str, safe: Safe) -> None:
    if kind == "sqlite":
        pytest.skip("SQLite's file is replaced whole")
    safe.back_up(source)
    engine: Engine
    engine, _ = open_database(source)
    with engine.begin() as connection:
        connection.execute(text("create table dear (id int)"))
    engine.dispose()
    with pytest.raises(BackupError, match=r"does not know \(dear\)"):
        safe.restore(source, replace=True)
    assert "dear" in postgres.look(source)[1]


# The commands.


def test_the_commands(
    source: str,
    empty: Callable[[], str],
    safe: Safe,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add(source, "Ann")
    programs = [f"--programs={safe.programs.folder}"] if safe.programs.folder else []
    monkeypatch.setenv("DATABASE_URL", source)
    assert main(["backup", "--out", str(safe.file), *programs]) == 0
    assert "tables" in capsys.readouterr().out
    assert main(["backup", "--out", str(safe.file), *programs]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["restore", str(safe.file), "--verify", *programs]) == 0
    told = capsys.readouterr().out
    assert "The backup is sound." in told
    assert ["patient", "1", "1"] in [line.split() for line in told.splitlines()]
    target = empty()
    monkeypatch.setenv("DATABASE_URL", target)
    assert main(["restore", str(safe.file), *programs]) == 0
    assert capsys.readouterr().out == (
        "Restored. 0 sign-ins and 0 invitations ended; the phones of 1 clinics start anew.\n"
    )
    assert names(target) == ["Ann"]
    damaged = bytearray(safe.file.read_bytes())
    damaged[len(damaged) // 2] ^= 0x40
    shutil.copyfile(safe.file, safe.folder / "sound")
    safe.file.write_bytes(damaged)
    for more in (["--verify"], ["--replace"]):
        assert main(["restore", str(safe.file), *more, *programs]) == 1
        assert "checksum does not fit" in capsys.readouterr().err
    assert names(target) == ["Ann"]
