"""What leaves the house: requests to webhooks, and mail. Nothing here knows the database."""

import smtplib
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from http.client import HTTPConnection, HTTPException
from importlib.metadata import version
from ipaddress import IPv4Address, IPv6Address, ip_address
from threading import Timer
from urllib.parse import urlsplit

from api.settings import MailServer
from models.delivery.addresses import Allowed, fault_of, is_public
from models.delivery.retries import TIMEOUT, Attempt, Failure
from models.operations.announcements import Claimed

_BUSY = frozenset({429, 502, 503, 504})


class ForbiddenAddressError(Exception):
    """A name resolved to where we do not send."""


class _Connection(HTTPConnection):
    """A connection to an address that was looked at before it was connected to. Whatever the name resolves to a moment
    later, this is where the request goes. Proxies of the environment are not asked: they would resolve it again.
    """

    def __init__(self, host: str, port: int, allowed: Allowed, *, tls: bool, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._allowed, self._tls, self._deadline = allowed, tls, time.monotonic() + timeout
        self._watch: Timer | None = None

    def connect(self) -> None:
        """Resolve, look, connect; cut the line at the deadline, however slowly the other side speaks."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        if not self._allowed.private and not all(is_public(_address(info[4][0])) for info in found):
            raise ForbiddenAddressError
        line = self._first_that_answers([(info[0], info[4]) for info in found])
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            line = _trust().wrap_socket(line, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock = line
        # Each read may take as long as the timeout; an endpoint that sends a byte now and then would hold us for ever.
        self._watch = Timer(self._left(), _cut, [line])
        self._watch.daemon = True
        self._watch.start()
        if isinstance(line, ssl.SSLSocket):
            line.do_handshake()

    def close(self) -> None:
        """Let go."""
        if self._watch is not None:
            self._watch.cancel()
        super().close()

    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self._deadline

    def _left(self) -> float:
        return max(0.001, self._deadline - time.monotonic())

    def _first_that_answers(self, found: list[tuple[socket.AddressFamily, tuple[object, ...]]]) -> socket.socket:
        for number, (family, where) in enumerate(found, 1):
            line = socket.socket(family, socket.SOCK_STREAM)
            line.settimeout(self._left())
            try:
                line.connect(where)
            except OSError:
                line.close()
                if number == len(found):
                    raise
            else:
                return line
        raise OSError("no address")


def post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    allowed: Allowed,
    *,
    timeout: timedelta = TIMEOUT,
) -> Attempt:
    """Send one request and look at the status only: redirects are not followed, and no answer is read."""
    if fault_of(url, allowed) is not None:  # it was fine when it was registered, but the setting has changed
        return Attempt(failure=Failure.FORBIDDEN_ADDRESS)
    parts = urlsplit(url)
    assert parts.hostname
    tls = parts.scheme == "https"
    connection = _Connection(
        parts.hostname, parts.port or (443 if tls else 80), allowed, tls=tls, timeout=timeout.total_seconds()
    )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body, {**_SAID, **headers})
        with connection.getresponse() as answer:
            arrived = 200 <= answer.status < 300
            return Attempt(
                failure=None if arrived else Failure.STATUS,
                status=answer.status,
                retry_after=_retry_after(answer.headers.get("Retry-After")) if answer.status in _BUSY else None,
            )
    except (OSError, HTTPException, ValueError, ForbiddenAddressError) as error:
        return Attempt(failure=Failure.TIMEOUT if connection.is_late() else _why(error))
    finally:
        connection.close()


def send_mail(server: MailServer, to: str, message: EmailMessage, *, timeout: timedelta = TIMEOUT) -> Attempt:
    """Hand one mail over."""
    seconds = timeout.total_seconds()
    try:
        with (
            smtplib.SMTP_SSL(server.host, server.port, timeout=seconds, context=_trust())
            if server.tls
            else smtplib.SMTP(server.host, server.port, timeout=seconds)
        ) as line:
            line.ehlo_or_helo_if_needed()
            if server.starttls and not line.has_extn("starttls"):
                return Attempt(failure=Failure.TLS)
            if server.starttls:
                line.starttls(context=_trust())
            if server.user is not None:
                line.login(server.user, server.password or "")
            line.send_message(message, server.sender, [to])
    except smtplib.SMTPException as error:
        return _refused(error)
    except (OSError, ValueError) as error:
        return Attempt(failure=_why(error))
    return Attempt()


def mail_of(claimed: Claimed, server: MailServer, base_url: str | None) -> EmailMessage:
    """The mail of an announcement, under the same Message-ID each time it is sent, and the same to the byte unless it
    carries a link.
    """
    subject, text = _attention(claimed, base_url) if claimed.link is None else _password_link(claimed.link, base_url)
    message = EmailMessage()
    message["From"] = server.sender
    message["To"] = claimed.address
    message["Subject"] = subject
    message["Date"] = format_datetime(claimed.created_at)
    domain = server.sender.rpartition("@")[2]
    message["Message-ID"] = f"<{claimed.announcement_id.hex}.{claimed.target.id.hex}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday replies
    message.set_content(text)
    return message


def _attention(claimed: Claimed, base_url: str | None) -> tuple[str, str]:
    """That someone needs attention, and how urgently; not who, nor why."""
    severity = claimed.payload["severity"]
    whose = "A patient of yours" if claimed.is_theirs else "A patient of your clinic"
    where = f": {base_url}" if base_url else "."
    return (
        f"{whose} needs attention ({severity})",
        f"{whose} needs attention; severity: {severity}.\n\nOpen your worklist{where}\n",
    )


def _password_link(link: str, base_url: str | None) -> tuple[str, str]:
    """What sets a password; not whose clinic it is. In the fragment, which browsers keep to themselves."""
    how = f"Open this page to set a new one:\n\n{base_url}/set-password#token={link}"
    if base_url is None:
        how = f"Set a new one with this code:\n\n{link}"
    text = (
        f"Someone, you we hope, has asked for a new password.\n\n{how}\n\n"
        "It works once, for 30 minutes from when it was asked for. If it was not you, there is nothing to do.\n"
    )
    return "Your new password", text


def _address(text: str | int) -> IPv4Address | IPv6Address:
    return ip_address(str(text).partition("%")[0])


def _cut(line: socket.socket) -> None:
    with suppress(OSError):  # closed already
        # Of the plain socket: an SSLSocket's own would forget its TLS while another thread reads.
        socket.socket.shutdown(line, socket.SHUT_RDWR)


def _refused(error: smtplib.SMTPException) -> Attempt:
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return Attempt(failure=Failure.UNREACHABLE)
    status = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        status = next(iter(error.recipients.values()))[0]
    return Attempt(failure=Failure.SMTP, status=status)


def _why(error: Exception) -> Failure:
    if isinstance(error, ForbiddenAddressError):
        return Failure.FORBIDDEN_ADDRESS
    if isinstance(error, TimeoutError):
        return Failure.TIMEOUT
    if isinstance(error, ssl.SSLError):
        return Failure.TLS
    if isinstance(error, OSError | UnicodeError):  # UnicodeError: a name that cannot be one
        return Failure.UNREACHABLE
    return Failure.NO_HTTP


def _retry_after(said: str | None) -> timedelta | None:
    return timedelta(seconds=int(said)) if said and said.isdecimal() and len(said) < 7 else None


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


_SAID = {
    "Content-Type": "application/json",
    "User-Agent": f"followthrough/{version('followthrough')}",
    "Connection": "close",
}
