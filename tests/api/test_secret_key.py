"""Where the key that second factors are sealed with comes from."""

import base64
from pathlib import Path

import pytest

from api.settings import Settings

ONE, OTHER = bytes(range(32)), bytes(range(32, 64))


def as_text(*keys: bytes) -> str:
    return "\n".join(base64.b64encode(key).decode() for key in keys) + "\n"


def test_there_is_none_unless_it_is_said() -> None:
    assert Settings.from_environment().secret_keys == ()


def test_the_environment_says_it_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FOLLOWTHROUGH_SECRET_KEY", as_text(ONE))
    said = Settings.from_environment()
    assert said.secret_keys == (ONE,)
    assert as_text(ONE).strip() not in repr(said)
    assert repr(ONE) not in repr(said)
    (tmp_path / "key").write_text(as_text(OTHER, ONE))
    monkeypatch.setenv("FOLLOWTHROUGH_SECRET_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ValueError, match="say one of them"):
        Settings.from_environment()
    monkeypatch.delenv("FOLLOWTHROUGH_SECRET_KEY")
    assert Settings.from_environment().secret_keys == (OTHER, ONE)


@pytest.mark.parametrize("said", ["secret", as_text(ONE[:31]), as_text(ONE, ONE[:16]), "é" * 44, "!" * 44])
def test_a_key_that_is_none_is_refused_without_being_told(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("FOLLOWTHROUGH_SECRET_KEY", said)
    with pytest.raises(ValueError, match="FOLLOWTHROUGH_SECRET_KEY") as refused:
        Settings.from_environment()
    assert said.strip() not in str(refused.value).replace("FOLLOWTHROUGH_SECRET_KEY", "")


def test_a_file_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FOLLOWTHROUGH_SECRET_KEY_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="cannot be read"):
        Settings.from_environment()
