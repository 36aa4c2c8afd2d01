"""What the environment says, read once."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from models.delivery.addresses import Allowed

_SMTP_PORTS = {"smtp": 587, "smtps": 465}
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def _port(said: str) -> int:
    if not said.isdecimal() or not 0 < int(said) < 65536:
        raise ValueError("FOLLOWTHROUGH_PORT: a number from 1 to 65535.")
    return int(said)


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over, and in whose name."""

    host: str
    port: int
    sender: str
    tls: bool = False
    """TLS from the first byte."""
    starttls: bool = True
    """TLS after a greeting in the clear; a server that does not offer it is not spoken to."""
    user: str | None = None
    password: str | None = None

    @classmethod
    def of(cls, url: str, sender: str) -> "MailServer":
        """`smtp://user:password@host:587` (STARTTLS, but for a server on this machine) or `smtps://…:465`;
        `?starttls=no` for a server inside a network of one's own, `=yes` to insist.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ValueError("FOLLOWTHROUGH_SMTP_URL: not a URL.") from error
        if parts.scheme not in _SMTP_PORTS or not parts.hostname:
            raise ValueError("FOLLOWTHROUGH_SMTP_URL: say smtp://host or smtps://host.")
        if sender.count("@") != 1 or not sender.isascii() or not sender.isprintable() or " " in sender:
            raise ValueError("FOLLOWTHROUGH_MAIL_FROM: mail needs a plain address to come from.")
        tls = parts.scheme == "smtps"
        wish = parse_qs(parts.query).get("starttls", ["no" if parts.hostname in _HERE else "yes"])[-1]
        starttls = not tls and wish != "no"
        if parts.username and not tls and not starttls:
            raise ValueError("FOLLOWTHROUGH_SMTP_URL: a password is not sent in the clear; say ?starttls=yes or smtps.")
        return cls(
            host=parts.hostname,
            port=port or _SMTP_PORTS[parts.scheme],
            sender=sender,
            tls=tls,
            starttls=starttls,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


@dataclass(frozen=True)
class Settings:
    """Everything that may differ from one installation to another."""

    database_url: str = "sqlite:///followthrough.db"
    host: str = "127.0.0.1"
    port: int = 8000
    log_level: str = "info"
    body_limit: int = 1024 * 1024
    """Bytes; larger requests are refused with 413."""
    sweep_seconds: float = 15.0
    """How often a server process announces what has come due; 0: never, `followthrough sweep` does."""
    allowed: Allowed = field(default_factory=Allowed)
    """Where webhooks may lie."""
    mail: MailServer | None = None
    """None: nobody is sent mail."""
    exports: Path = Path("exports")
    """The folder of the exports' files, which all processes of this installation share and nobody else uses."""
    base_url: str | None = None
    """Where this installation is found: for the link in a mail, and whom assertions of clients must be meant for."""

    @classmethod
    def from_environment(cls) -> "Settings":
        """`DATABASE_URL`, and `FOLLOWTHROUGH_` before the other names."""

        def said(name: str, default: str) -> str:
            return os.environ.get(f"FOLLOWTHROUGH_{name}") or default

        smtp_url = said("SMTP_URL", "")
        sweep_seconds = float(said("SWEEP_SECONDS", str(cls.sweep_seconds)))
        if not 0 <= sweep_seconds <= 24 * 3600:
            raise ValueError("FOLLOWTHROUGH_SWEEP_SECONDS: from 0 (never) to 86400.")
        return cls(
            database_url=os.environ.get("DATABASE_URL") or cls.database_url,
            host=said("HOST", cls.host),
            port=_port(said("PORT", str(cls.port))),
            log_level=said("LOG_LEVEL", cls.log_level),
            body_limit=int(said("BODY_LIMIT", str(cls.body_limit))),
            sweep_seconds=sweep_seconds,
            allowed=Allowed(
                plain_http=_yes("WEBHOOK_ALLOW_HTTP", said("WEBHOOK_ALLOW_HTTP", "no")),
                private=_yes("WEBHOOK_ALLOW_PRIVATE", said("WEBHOOK_ALLOW_PRIVATE", "no")),
            ),
            mail=MailServer.of(smtp_url, said("MAIL_FROM", "")) if smtp_url else None,
            exports=Path(said("EXPORTS", str(cls.exports))),
            base_url=said("BASE_URL", "").rstrip("/") or None,
        )


def _yes(name: str, said: str) -> bool:
    if said.lower() not in {"yes", "no", "true", "false", "1", "0"}:
        raise ValueError(f"FOLLOWTHROUGH_{name}: say yes or no.")
    return said.lower() in {"yes", "true", "1"}
