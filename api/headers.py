"""What every answer tells browsers: not to frame it, guess at it, keep it or lend it to other sites."""

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALWAYS: Mapping[bytes, bytes] = {
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-frame-options": b"DENY",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    # Says nothing to fetch() under CORS; it keeps other sites from embedding an answer unasked.
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
"""Unless the route says otherwise itself."""

_HTTPS_ONLY = (b"strict-transport-security", b"max-age=63072000")

_PAGES = frozenset({"/docs", "/docs/oauth2-redirect"})
_PUBLIC = ("/static-offline-docs/", "/openapi.json", *_PAGES)
_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class SafeHeaders:
    """Adds to every answer the headers it does not have yet."""

    def __init__(self, app: ASGIApp, *, https_only: bool) -> None:
        self.app = app
        self._always = [*ALWAYS.items(), *([_HTTPS_ONLY] if https_only else [])]
        # What holds nobody's data may be kept, and is asked for by its ETag.
        self._public = [
            *((b"cache-control", b"no-cache") if one[0] == b"cache-control" else one for one in self._always)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  (ASGI)
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        said = self._public if path.startswith(_PUBLIC) else self._always
        held: Message | None = None

        async def adding(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                there = {name.lower() for name, _ in headers}
                if path in _PAGES and message["status"] == 200:
                    held = message  # its policy depends on the page
                    there.add(b"content-security-policy")
                headers += [one for one in said if one[0] not in there]
                if held is not None:
                    return
            elif held is not None:
                held["headers"].append((b"content-security-policy", _policy_of(message.get("body", b""))))
                first, held = held, None
                await send(first)
            await send(message)

        await self.app(scope, receive, adding)


def _policy_of(page: bytes) -> bytes:
    """Swagger UI's page: its own files, and the very script that stands in it."""
    scripts = b" ".join(b"'sha256-%s'" % b64encode(sha256(inline).digest()) for inline in _INLINE.findall(page))
    return (
        b"default-src 'none'; script-src 'self' %s; style-src 'self'; img-src 'self' data:; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" % scripts
    )
