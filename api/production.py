"""What must not be served to patients: judged before a server of theirs starts."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from api.settings import Settings
from models.database import Database
from models.operations import accounts
from seed_data.demo import build as demo

_GUESSED = frozenset({"postgres", "password", "secret", "changeme", "followthrough", "admin", "test", demo.PASSWORD})
"""Passwords of examples and images, tried first by whoever tries."""


def insist(settings: Settings, database: Database) -> None:
    """Refuse to serve, with every reason, what is not fit for production, where that mode is on."""
    if settings.production:
        faults = [*_faults(settings), *_demo(database)]
        if faults:
            raise ValueError("not fit for production:\n" + "\n".join(f"  - {one}" for one in faults))


def is_open_trial(settings: Settings) -> bool:
    """Whether other machines reach what nobody has insisted on."""
    return not settings.production and not _is_here(settings.host)


def _faults(settings: Settings) -> Iterator[str]:
    if not (settings.base_url or "").startswith("https://"):
        yield "FOLLOWTHROUGH_BASE_URL: say where this installation is found, with https://."
    if not settings.trusted_proxies:
        # Everybody would come from the proxy's address, and one who guesses passwords would lock all the others out.
        yield "FOLLOWTHROUGH_TRUSTED_PROXIES: say which proxy speaks TLS for this server."
    for origin in settings.cors_origins:
        if origin.startswith("http://"):
            yield f"FOLLOWTHROUGH_CORS_ORIGINS: {origin} is not https."
    if settings.allowed.plain_http:
        yield "FOLLOWTHROUGH_WEBHOOK_ALLOW_HTTP: webhooks in the clear are for trials."
    told = urlsplit(settings.database_url)
    if _is_guessed(told.username, told.password):
        yield "DATABASE_URL: the password is one that everybody tries first."
    if settings.mail and _is_guessed(settings.mail.user, settings.mail.password):
        yield "FOLLOWTHROUGH_SMTP_URL: the password is one that everybody tries first."


def _demo(database: Database) -> Iterator[str]:
    with database.reading() as tx:
        if accounts.demo_clinic(tx) is not None:
            yield "The database holds the demo clinic, whose passwords are printed in the README; use another one."


def _is_guessed(user: str | None, password: str | None) -> bool:
    return password is not None and unquote(password).lower() in {*_GUESSED, (user or "").lower()}


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
