"""`followthrough export`: straight into a file, page by page, without a job."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from api.cli import main
from models.database import open_database
from models.tables import ExportContent
from tests.builders import a_clinic
from tests.conftest import copied
from tests.exports.busy import a_busy_clinic


@dataclass
class Shell:
    """Where commands are said."""

    clinic_id: UUID
    out: Path

    def says(self, *but: str, clinic_id: UUID | None = None) -> int:
        return main(["export", "--clinic", str(clinic_id or self.clinic_id), "--out", str(self.out), *but])


@pytest.fixture
def shell(template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    with copied(template) as url:
        engine, database = open_database(url)
        with database.writing() as tx:
            ines = a_clinic(tx)
            a_busy_clinic(tx, ines)
        engine.dispose()
        monkeypatch.setenv("DATABASE_URL", url)
        yield Shell(ines.clinic_id, tmp_path / "out")


def test_the_command_writes_a_file_that_only_we_may_read(shell: Shell) -> None:
    assert shell.says("--content", "sessions", "--from", "2025-03-04", "--to", "2025-03-05") == 0
    days = [json.loads(line)["local_date"] for line in shell.out.read_text().splitlines()]
    assert sorted(days) == ["2025-03-04"] * 2 + ["2025-03-05"] * 2
    assert shell.out.stat().st_mode & 0o777 == 0o600


def test_the_command_writes_every_content_de_identified(shell: Shell) -> None:
    for content in ExportContent:
        assert shell.says("--content", content, "--de-identified", "--format", "csv", "--delimiter", ";") == 0
        head, first, *_ = shell.out.read_text().splitlines()
        assert head.count(";") == first.count(";") > 5
        assert "Quillfeather" not in shell.out.read_text()
        shell.out.unlink()


def test_the_command_writes_a_workbook_and_leaves_nothing_beside_it(shell: Shell) -> None:
    assert shell.says("--content", "patients", "--format", "xlsx") == 0
    assert shell.out.read_bytes().startswith(b"PK")
    assert [path.name for path in shell.out.parent.glob("*")] == ["out"]


def test_the_command_overwrites_nothing_and_knows_its_clinics(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.says("--content", "patients", clinic_id=uuid4()) == 1
    assert "No such clinic" in capsys.readouterr().err
    assert not shell.out.exists()
    shell.out.write_text("dear")
    assert shell.says("--content", "patients") == 1
    assert "is there already" in capsys.readouterr().err
    assert shell.out.read_text() == "dear"
