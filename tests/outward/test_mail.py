"""Mail as it is really handed over, and what stands in it."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from api.outward import mail_of, send_mail
from api.settings import MailServer, Settings
from models.delivery.retries import Attempt, Failure
from models.operations.announcements import Claimed, Target
from models.tables import DeliveryChannel
from tests.builders import NOON
from tests.outward.receiver import Postbox, a_closed_port, a_postbox

INES = "ines@clinic.example"
CLAIMED = Claimed(
    announcement_id=UUID(int=7),
    kind="flag.opened",
    payload={"flag_id": "f", "patient_id": "p", "program_id": None, "severity": "urgent"},
    created_at=NOON,
    target=Target(DeliveryChannel.MAIL, UUID(int=9)),
    address=INES,
    secrets=[],
    is_theirs=True,
    holder=UUID(int=1),
    until=NOON,
)


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    with a_postbox() as postbox:
        yield postbox


def server_at(port: int, query: str = "") -> MailServer:
    return MailServer.of(f"smtp://127.0.0.1:{port}{query}", "followthrough@clinic.example")


def test_a_mail_arrives_and_says_no_more_than_it_must(postbox: Postbox) -> None:
    server = server_at(postbox.port)
    message = mail_of(CLAIMED, server, "https://ft.clinic.example")
    assert send_mail(server, INES, message) == Attempt()
    ((to, received),) = postbox.received
    assert (to, received["To"], received["From"]) == ([INES], INES, "followthrough@clinic.example")
    assert received["Subject"] == "A patient of yours needs attention (urgent)"
    assert received["Auto-Submitted"] == "auto-generated"
    assert received["Date"].datetime == NOON
    assert received.get_content().splitlines() == [
        "A patient of yours needs attention; severity: urgent.",
        "",
        "Open your worklist: https://ft.clinic.example",
    ]


def test_a_mail_sent_again_is_the_same_mail() -> None:
    server = server_at(25)
    first, again = (mail_of(CLAIMED, server, None) for _ in range(2))
    assert first.as_bytes() == again.as_bytes()
    assert first["Message-ID"] == f"<{UUID(int=7).hex}.{UUID(int=9).hex}@clinic.example>"
    other = mail_of(replace(CLAIMED, target=Target(DeliveryChannel.MAIL, UUID(int=8)), is_theirs=False), server, None)
    assert other["Message-ID"] != first["Message-ID"]
    assert other["Subject"] == "A patient of your clinic needs attention (urgent)"


@pytest.mark.parametrize(
    ("base_url", "where"),
    [
        ("https://ft.clinic.example", f"https://ft.clinic.example/set-password#token=ft_{'x' * 64}"),
        (None, f"ft_{'x' * 64}"),
    ],
)
def test_a_mail_that_sets_a_password_names_nobody_and_no_clinic(
    postbox: Postbox, base_url: str | None, where: str
) -> None:
    claimed = replace(CLAIMED, kind="password.reset", payload={}, link=f"ft_{'x' * 64}")
    server = server_at(postbox.port)
    assert send_mail(server, INES, mail_of(claimed, server, base_url)) == Attempt()
    ((_, received),) = postbox.received
    assert received["Subject"] == "Your new password"
    lines = received.get_content().splitlines()
    assert where in lines
    assert [line for line in lines if line and line != where] == [
        "Someone, you we hope, has asked for a new password.",
        "Open this page to set a new one:" if base_url else "Set a new one with this code:",
        "It works once, for 30 minutes from when it was asked for. If it was not you, there is nothing to do.",
    ]


@pytest.mark.parametrize("says", ["451 later", "550 no such mailbox"])
def test_what_the_server_refuses_is_told(postbox: Postbox, says: str) -> None:
    postbox.says = says
    attempt = send_mail(server_at(postbox.port), INES, mail_of(CLAIMED, server_at(25), None))
    assert attempt == Attempt(failure=Failure.SMTP, status=int(says[:3]))


def test_a_server_that_is_away_is_unreachable() -> None:
    server = server_at(a_closed_port())
    assert send_mail(server, INES, mail_of(CLAIMED, server, None)).failure is Failure.UNREACHABLE


def test_where_tls_is_wanted_nothing_is_said_without_it(postbox: Postbox) -> None:
    server = server_at(postbox.port, "?starttls=yes")
    assert send_mail(server, INES, mail_of(CLAIMED, server, None)).failure is Failure.TLS
    assert postbox.received == []


def test_an_address_is_one_address(postbox: Postbox) -> None:
    """Whatever was typed as an address when the account was made."""
    server, odd = server_at(postbox.port), "ines,bob@clinic.example"
    send_mail(server, odd, mail_of(replace(CLAIMED, address=odd), server, None))
    assert all(len(to) == 1 for to, _ in postbox.received)


def test_what_the_settings_say_of_mail() -> None:
    away = MailServer.of("smtp://user%40x:pa%3Ass@mail.example", "a@b.example")
    assert (away.port, away.tls, away.starttls, away.user, away.password) == (587, False, True, "user@x", "pa:ss")
    assert MailServer.of("smtps://mail.example", "a@b.example").port == 465
    assert not MailServer.of("smtp://localhost:25", "a@b.example").starttls
    assert not MailServer.of("smtp://relay:25?starttls=no", "a@b.example").starttls
    for url, sender in (
        ("http://mail.example", "a@b.example"),
        ("smtp://", "a@b.example"),
        ("smtp://mail.example:x", "a@b.example"),
        ("smtp://mail.example", ""),
        ("smtp://mail.example", "a@b.example\r\nBcc: c@d.example"),
        ("smtp://user:secret@mail.example?starttls=no", "a@b.example"),
    ):
        with pytest.raises(ValueError, match="FOLLOWTHROUGH_"):
            MailServer.of(url, sender)


def test_the_environment_says_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLLOWTHROUGH_WEBHOOK_ALLOW_HTTP", "yes")
    monkeypatch.setenv("FOLLOWTHROUGH_SWEEP_SECONDS", "0")
    monkeypatch.setenv("FOLLOWTHROUGH_BASE_URL", "https://ft.example/")
    said = Settings.from_environment()
    assert (said.allowed.plain_http, said.allowed.private, said.sweep_seconds, said.mail) == (True, False, 0, None)
    assert said.base_url == "https://ft.example"
    for name, value in (("WEBHOOK_ALLOW_PRIVATE", "perhaps"), ("SWEEP_SECONDS", "-1"), ("SWEEP_SECONDS", "nan")):
        with monkeypatch.context() as once:
            once.setenv(f"FOLLOWTHROUGH_{name}", value)
            with pytest.raises(ValueError, match=name):
                Settings.from_environment()
