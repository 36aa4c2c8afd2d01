"""What the environment says, read once."""

import base64
import binascii
import os
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from models.delivery.addresses import Allowed
from models.operations.sealing import KEY_BYTES

_SMTP_PORTS = {"smtp": 587, "smtps": 465}
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


_ORIGINS = {"https": 443, "http": 80, "capacitor": None, "ionic": None}
"""Where pages may come from, and the port that goes without saying; the latter two are apps made of pages."""


def secret(name: str) -> str | None:
    """A setting that may hold a password: said in the environment, or in the file that `NAME_FILE` names."""
    said, place = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if not place:
        return said or None
    if said:
        raise ValueError(f"{name}, {name}_FILE: say one of them.")
    try:
        text = Path(place).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ValueError(f"{name}_FILE: the file cannot be read ({type(error).__name__}).") from error
    if not text:
        raise ValueError(f"{name}_FILE: the file is empty.")
    return text


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
    production: bool = False
    """Refuse to serve what is only fit for a trial."""
    cors_origins: tuple[str, ...] = ()
    """The other origins whose pages may use the API."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose X-Forwarded-For is believed."""
    body_limit: int = 1024 * 1024
    """Bytes; larger requests are refused with 413."""
    header_limit: int = 16 * 1024
    """Bytes of a request's first line and headers; more are refused with 431."""
    request_seconds: float = 30.0
    """How long headers may take to arrive, and then the body, and an answer to be read on; else 408, or the end."""
    keep_alive_seconds: int = 5
    """How long a connection may be idle."""
    requests_at_once: int = 256
    """In work or waiting, in a process; more are refused with 503."""
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
    """Where staff find this installation, for the link in a mail."""
    secret_keys: tuple[bytes, ...] = field(default=(), repr=False)
    """What second factors are sealed with; none: there are no second factors."""

    @classmethod
    def from_environment(cls) -> "Settings":
        """`DATABASE_URL`, and `FOLLOWTHROUGH_` before the other names."""

        def said(name: str, default: str) -> str:
            return os.environ.get(f"FOLLOWTHROUGH_{name}") or default

        smtp_url = secret("FOLLOWTHROUGH_SMTP_URL")

        def number(name: str, default: float, low: int, high: int) -> float:
            text = said(name, str(default))
            try:
                found = float(text)
            except ValueError:
                found = float("nan")
            if not low <= found <= high or (isinstance(default, int) and not text.isdecimal()):
                raise ValueError(f"FOLLOWTHROUGH_{name}: a number from {low} to {high}.")
            return found

        return cls(
            database_url=secret("DATABASE_URL") or cls.database_url,
            host=said("HOST", cls.host),
            port=int(number("PORT", cls.port, 1, 65535)),
            log_level=said("LOG_LEVEL", cls.log_level),
            production=_one_of("MODE", said("MODE", "development"), "development", "production") == "production",
            cors_origins=tuple(_origin(one) for one in _listed(said("CORS_ORIGINS", ""))),
            trusted_proxies=tuple(_network(one) for one in _listed(said("TRUSTED_PROXIES", ""))),
            body_limit=int(number("BODY_LIMIT", cls.body_limit, 1024, 1 << 30)),
            header_limit=int(number("HEADER_LIMIT", cls.header_limit, 1024, 1 << 20)),
            request_seconds=number("REQUEST_SECONDS", cls.request_seconds, 1, 3600),
            keep_alive_seconds=int(number("KEEP_ALIVE_SECONDS", cls.keep_alive_seconds, 1, 3600)),
            requests_at_once=int(number("REQUESTS_AT_ONCE", cls.requests_at_once, 1, 100_000)),
            sweep_seconds=number("SWEEP_SECONDS", cls.sweep_seconds, 0, 24 * 3600),
            allowed=Allowed(
                plain_http=_yes("WEBHOOK_ALLOW_HTTP", said("WEBHOOK_ALLOW_HTTP", "no")),
                private=_yes("WEBHOOK_ALLOW_PRIVATE", said("WEBHOOK_ALLOW_PRIVATE", "no")),
            ),
            mail=MailServer.of(smtp_url, said("MAIL_FROM", "")) if smtp_url else None,
            exports=Path(said("EXPORTS", str(cls.exports))),
            base_url=said("BASE_URL", "").rstrip("/") or None,
            secret_keys=_keys(secret("FOLLOWTHROUGH_SECRET_KEY") or ""),
        )


def _yes(name: str, said: str) -> bool:
    if said.lower() not in {"yes", "no", "true", "false", "1", "0"}:
        raise ValueError(f"FOLLOWTHROUGH_{name}: say yes or no.")
    return said.lower() in {"yes", "true", "1"}


def _one_of(name: str, said: str, *words: str) -> str:
    if said not in words:
        raise ValueError(f"FOLLOWTHROUGH_{name}: say {' or '.join(words)}.")
    return said


def _listed(said: str) -> list[str]:
    return [one.strip() for one in said.split(",") if one.strip()]


def _origin(said: str) -> str:
    """An origin just as browsers send it: compared letter by letter, another spelling would never match."""
    try:
        parts = urlsplit(said)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    usual = _ORIGINS.get(parts.scheme)
    spelt = f"{parts.scheme}://{parts.netloc.lower()}"
    if not parts.hostname or parts.scheme not in _ORIGINS or said != spelt or (port is not None and port == usual):
        raise ValueError(f"FOLLOWTHROUGH_CORS_ORIGINS: {said!r} is no origin; say https://app.example, without a path.")
    if "@" in parts.netloc or "*" in parts.netloc:
        raise ValueError("FOLLOWTHROUGH_CORS_ORIGINS: name every origin; there is no * and no user.")
    return said


def _network(said: str) -> str:
    try:
        return str(ip_network(said))
    except ValueError as error:
        raise ValueError(f"FOLLOWTHROUGH_TRUSTED_PROXIES: {said!r} is no address and no network.") from error


def _keys(said: str) -> tuple[bytes, ...]:
    wrong = f"FOLLOWTHROUGH_SECRET_KEY: {KEY_BYTES} bytes as base64, as `openssl rand -base64 {KEY_BYTES}` writes them."
    try:
        keys = tuple(base64.b64decode(one, validate=True) for one in said.split())
    except (binascii.Error, ValueError) as error:
        raise ValueError(wrong) from error
    if any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(wrong)
    return keys
