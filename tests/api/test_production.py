"""What the environment may say, where secrets may lie, and what is not served to patients."""

import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api import production
from api.cli import main
from api.settings import MailServer, Settings
from models.database import Database
from models.delivery.addresses import Allowed
from seed_data.demo import build as demo
from tests.conftest import POSTGRES

FIT = Settings(
    production=True,
    base_url="https://ft.clinic.example",
    trusted_proxies=("10.0.0.1/32",),
    cors_origins=("https://app.clinic.example", "capacitor://localhost"),
    database_url="postgresql://followthrough:Kd83hs-72Jqk@db/followthrough",
    mail=MailServer.of("smtps://u:long-and-odd@mail.example", "ft@clinic.example"),
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("FOLLOWTHROUGH_", "DATABASE_URL")) and name != POSTGRES:
            monkeypatch.delenv(name)


def test_the_defaults_let_nobody_in_and_bound_everything() -> None:
    said = Settings.from_environment()
    assert said == Settings()
    assert (said.production, said.host, said.cors_origins, said.trusted_proxies) == (False, "127.0.0.1", (), ())


def test_every_setting_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MODE": "production",
        "CORS_ORIGINS": "https://app.clinic.example, http://localhost:5173,capacitor://localhost",
        "TRUSTED_PROXIES": "10.0.0.1, 192.168.0.0/16,::1",
        "HEADER_LIMIT": "8192",
        "BODY_LIMIT": "2048",
        "REQUEST_SECONDS": "2.5",
        "KEEP_ALIVE_SECONDS": "75",
        "REQUESTS_AT_ONCE": "10",
    }.items():
        monkeypatch.setenv(f"FOLLOWTHROUGH_{name}", value)
    assert Settings.from_environment() == Settings(
        production=True,
        cors_origins=("https://app.clinic.example", "http://localhost:5173", "capacitor://localhost"),
        trusted_proxies=("10.0.0.1/32", "192.168.0.0/16", "::1/128"),
        header_limit=8192,
        body_limit=2048,
        request_seconds=2.5,
        keep_alive_seconds=75,
        requests_at_once=10,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODE", "prod"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://*.clinic.example"),
        ("CORS_ORIGINS", "https://app.clinic.example/"),
        ("CORS_ORIGINS", "https://app.clinic.example/path"),
        ("CORS_ORIGINS", "https://app.clinic.example?x"),
        ("CORS_ORIGINS", "https://app.clinic.example:443"),
        ("CORS_ORIGINS", "https://app.clinic.example:x"),
        ("CORS_ORIGINS", "https://App.clinic.example"),
        ("CORS_ORIGINS", "https://user@app.clinic.example"),
        ("CORS_ORIGINS", "app.clinic.example"),
        ("CORS_ORIGINS", "file:///x"),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", "https://app.clinic.example https://b.example"),
        ("TRUSTED_PROXIES", "*"),
        ("TRUSTED_PROXIES", "proxy.clinic.example"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("HEADER_LIMIT", "10"),
        ("BODY_LIMIT", "many"),
        ("REQUEST_SECONDS", "0"),
        ("REQUEST_SECONDS", "nan"),
        ("REQUESTS_AT_ONCE", "0"),
        ("REQUESTS_AT_ONCE", "1.5"),
        ("KEEP_ALIVE_SECONDS", "-1"),
        ("PORT", "65536"),
        ("PORT", "no"),
        ("SWEEP_SECONDS", "86401"),
    ],
)
def test_a_setting_that_says_nothing_sensible_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"FOLLOWTHROUGH_{name}", value)
    with pytest.raises(ValueError, match=f"FOLLOWTHROUGH_{name}"):
        Settings.from_environment()


# Secrets.


def test_a_secret_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://u:p@db/x\n")
    (tmp_path / "mail").write_text("smtps://u:p@mail.example")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    monkeypatch.setenv("FOLLOWTHROUGH_SMTP_URL_FILE", str(tmp_path / "mail"))
    monkeypatch.setenv("FOLLOWTHROUGH_MAIL_FROM", "ft@clinic.example")
    said = Settings.from_environment()
    assert (said.database_url, said.mail and said.mail.password) == ("postgresql://u:p@db/x", "p")
    monkeypatch.setenv("DATABASE_URL", "sqlite:///other.db")
    with pytest.raises(ValueError, match="say one of them"):
        Settings.from_environment()


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_file_without_a_secret_is_named_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "url").write_bytes(content)
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(ValueError, match="DATABASE_URL_FILE: the file") as refused:
        Settings.from_environment()
    assert str(tmp_path) not in str(refused.value)


def test_no_command_takes_a_secret_as_an_argument(capsys: pytest.CaptureFixture[str]) -> None:
    def told_of(*command: str) -> str:
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        return capsys.readouterr().out

    commands = re.findall(r"^    ([a-z-]+)(?: |$)", told_of(), re.MULTILINE)
    assert {"serve", "create-staff", "backup"} <= set(commands)
    told = "".join(told_of(command) for command in commands)
    words = {word.strip("[],") for word in told.split() if word.strip("[],").startswith("--")}
    assert "--email" in words
    assert not [word for word in words if any(bad in word for bad in ("pass", "secret", "token", "url", "key"))]


# Production.


def test_what_is_fit_is_served(database: Database) -> None:
    production.insist(FIT, database)
    assert not production.is_open_trial(replace(FIT, host="::"))


@pytest.mark.parametrize(
    ("but", "named"),
    [
        ({"base_url": None}, "FOLLOWTHROUGH_BASE_URL"),
        ({"base_url": "http://ft.clinic.example"}, "FOLLOWTHROUGH_BASE_URL"),
        ({"trusted_proxies": ()}, "FOLLOWTHROUGH_TRUSTED_PROXIES"),
        ({"cors_origins": ("http://app.clinic.example",)}, "FOLLOWTHROUGH_CORS_ORIGINS: http://app.clinic.example"),
        ({"allowed": Allowed(plain_http=True)}, "FOLLOWTHROUGH_WEBHOOK_ALLOW_HTTP"),
        ({"database_url": "postgresql://postgres:postgres@db/x"}, "DATABASE_URL"),
        ({"database_url": "postgresql://ada:ada@db/x"}, "DATABASE_URL"),
        ({"database_url": "postgresql://ada:%70assword@db/x"}, "DATABASE_URL"),
        ({"database_url": "postgresql://ada:demo-followthrough@db/x"}, "DATABASE_URL"),
        ({"mail": MailServer.of("smtps://u:changeme@mail.example", "a@b.example")}, "FOLLOWTHROUGH_SMTP_URL"),
    ],
)
def test_what_is_not_fit_is_not_served(database: Database, but: dict[str, object], named: str) -> None:
    unfit = replace(FIT, **but)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not fit for production") as refused:
        production.insist(unfit, database)
    assert str(refused.value).count("\n  - ") == 1
    assert named in str(refused.value)
    for secret in ("postgres:", "changeme", "%70"):
        assert secret not in str(refused.value)
    production.insist(replace(unfit, production=False), database)


def test_every_fault_is_told_at_once(database: Database) -> None:
    with pytest.raises(ValueError, match="not fit") as refused:
        production.insist(replace(FIT, base_url=None, allowed=Allowed(plain_http=True)), database)
    assert str(refused.value).count("\n  - ") == 2


def test_the_demo_clinic_is_not_served(database: Database) -> None:
    with database.writing() as tx:
        next(iter(demo.build(tx, datetime(2026, 3, 2, 12, tzinfo=UTC))))
    with pytest.raises(ValueError, match="demo clinic"):
        production.insist(FIT, database)


@pytest.mark.parametrize(
    ("host", "is_open"),
    [("127.0.0.1", False), ("localhost", False), ("::1", False), ("127.9.9.9", False)]
    + [(host, True) for host in ("::", "192.168.1.9", "10.0.0.7", "ft.clinic.example")],
)
def test_a_trial_that_others_can_reach_is_told(host: str, is_open: bool) -> None:
    assert production.is_open_trial(Settings(host=host)) == is_open
