"""The file: whole or refused, whichever byte of it is another."""

import json
import subprocess
from pathlib import Path

import pytest

from models.operations.backups import archive
from models.operations.backups.archive import BackupError, Manifest
from tests.builders import NOON


def written(folder: Path, content: bytes = b"rows" * 300) -> tuple[Path, Manifest]:
    payload = folder / "payload"
    payload.write_bytes(content)
    manifest = archive.manifest_of(
        payload, database="sqlite", server="3", revision="0001", product="1", rows={"clinic": 2}, now=NOON
    )
    archive.write(folder / "backup", manifest, payload)
    payload.unlink()
    return folder / "backup", manifest


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path, manifest = written(tmp_path)
    assert archive.read(path, tmp_path / "out") == manifest
    assert (tmp_path / "out").read_bytes() == b"rows" * 300
    assert path.stat().st_mode & 0o777 == (tmp_path / "out").stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backup", "out"]


def test_one_flipped_bit_is_refused_wherever_it_is(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BackupError, match="checksum does not fit"):
            archive.read(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("length", [0, 1, 2047, 2048, 2049, -1, -512])
def test_what_is_incomplete_is_refused(tmp_path: Path, length: int) -> None:
    path, _ = written(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(BackupError, match="incomplete"):
        archive.read(path, tmp_path / "out")


def test_nothing_is_overwritten_and_nothing_left_behind(tmp_path: Path) -> None:
    path, manifest = written(tmp_path)
    (tmp_path / "payload").write_bytes(b"other")
    path.write_text("dear")
    with pytest.raises(BackupError, match="is there already"):
        archive.write(path, manifest, tmp_path / "payload")
    assert path.read_text() == "dear"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backup", "payload"]


def test_a_file_that_is_not_there_and_a_format_to_come_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackupError, match="There is no file"):
        archive.read(tmp_path / "backup", tmp_path / "out")
    monkeypatch.setattr(archive, "FORMAT", 2)
    path, _ = written(tmp_path)
    monkeypatch.undo()
    with pytest.raises(BackupError, match="format 2"):
        archive.read(path, tmp_path / "out")


def test_tar_opens_it_and_sha256sum_agrees(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    subprocess.run(["tar", "-xf", path], check=True, cwd=tmp_path)  # noqa: S607
    summed = subprocess.run(["sha256sum", "database.sqlite3"], check=True, cwd=tmp_path, capture_output=True)  # noqa: S607
    said = json.loads((tmp_path / "manifest.json").read_text())
    assert summed.stdout.split()[0].decode() == said["sha256"]
    assert said["rows"] == {"clinic": 2}
