"""Requests broken below the level of any schema: byte by byte in the body, the query, the path and the headers."""

import json
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from tests.fuzz.knocking import Asked, Headers, length
from tests.fuzz.worlds import Fuzzed

BODY_LIMIT = 1024 * 1024
DEEP = 20_000
"""Brackets in brackets; far more than any parser recurses into."""
JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"
NUMBERS = [b"1e999", b"-1e999", b"NaN", b"Infinity", b"-Infinity", b"9" * 400, b"9" * 5000, b"1e-400", b"-0", b"0.1e1"]
NUMBERS += [
    b"9223372036854775808",
    b"-9223372036854775809",
    b"2147483648",
    b"1.0000000000000000000000001",
    b"01",
    b"0x1",
]
NUMBERS += [b"true", b"null", b"[]", b"{}", b'""']
WHOLE = [b"", b"null", b"[]", b"{}", b"1", b'"word"', b"true", b"NaN", b" ", b"\x00", b"[{}]", b'{"":1}', b"{", b"]"]
TEXTS = [b"\\ud800", b"\\udc00\\ud800", b"\xed\xa0\x80", b"\\u0000", b"\x00", b"\x1f", b"\x7f", b"\xff", b"\xc0\xaf"]
TEXTS += [
    "\u202e\u200b\ufeff".encode(),
    "\U0001f9b4".encode() * 40,
    b"\\",
    b'"',
    b"' or 1=1 --",
    b"%s%n{0}",
    b"../" * 20,
]
MEDIA_TYPES = [b"", b"text/plain", b"application/xml", b"application/x-www-form-urlencoded", b"multipart/form-data"]
MEDIA_TYPES += [
    b"application/json; charset=utf-16",
    b"application/json; charset=nonsense",
    b"application/merge-patch+json",
]
MEDIA_TYPES += [
    b"multipart/form-data; boundary=x",
    b"\xff/\xfe",
    b"application/json;;;=",
    b"application/" + b"x" * 4000,
]
# Bytes beyond ASCII in the first line are refused by the server's parser, and never reach the app.
QUERIES = [b"%", b"%zz", b"%00", b"%ff", b"a=%ed%a0%80", b"&&==&", b"limit=1&limit=2", b"limit[]=1", b"limit=1e3"]
QUERIES += [b"limit=" + b"9" * 5000, b"limit=-1", b"limit=NaN", b"cursor=", b"cursor=%00", b"cursor=" + b"A" * 8000]
QUERIES += [b"cursor=eyJ9", b"cursor=bnVsbA", b"cursor=W10", b"cursor=e30", b"from=0000-00-00&to=9999-12-31"]
QUERIES += [b"from=9999-12-31&to=9999-12-31", b"as_of=9999-12-31T23:59:59-23:59", b"as_of=0001-01-01T00:00:00%2B23:59"]
QUERIES += [
    b"since=1e400",
    b"program_id=%00",
    b"q=%25%5F%5C",
    b"q=" + b"%F0%9F%A6%B4" * 60,
    b"name=%00",
    b"x=1&" * 2000,
]
PATHS = ["\x00", "%", "'", "\ud800", "0" * 5000, "..", "null", "00000000-0000-0000-0000-000000000000", "{x}", "\u0661"]
PATHS += ["2025-02-30", "9999-12-31", "0001-01-01", "\u0662025-03-03", "-1", " "]
HEADERS: list[tuple[bytes, bytes]] = [
    (name, value)
    for name in (
        b"if-match",
        b"idempotency-key",
        b"x-request-id",
        b"accept",
        b"range",
        b"if-none-match",
        b"authorization",
    )
    for value in (b"", b"\xff\xfe", b"*", b'W/"v1"', b'"v"', b'"v' + b"9" * 30 + b'"', b"x" * 6000, b"bytes=0-", b"\t")
]
HEADERS += [
    (b"if-match", b'"v\xb2"'),
    (b"if-match", b'"v1", "v2"'),
    (b"range", b"bytes=9-1"),
    (b"range", b"bytes=-" + b"9" * 30),
]
HEADERS += [
    (b"authorization", value) for value in (b"Bearer", b"Bearer ", b"bearer \xff", b"Basic Og==", b"Bearer a b")
]
HEADERS += [
    (b"x-forwarded-for", b"\xff"),
    (b"content-encoding", b"gzip"),
    (b"expect", b"100-continue"),
    (b"cookie", b"\xff=;"),
]

Mangler = Callable[[bytes, Random], bytes]


def _truncated(body: bytes, dice: Random) -> bytes:
    return body[: dice.randrange(len(body))]


def _flipped(body: bytes, dice: Random) -> bytes:
    torn = bytearray(body)
    for _ in range(dice.choice([1, 1, 2, 8])):
        torn[dice.randrange(len(torn))] ^= 1 << dice.randrange(8)
    return bytes(torn)


def _inserted(body: bytes, dice: Random) -> bytes:
    at = dice.randrange(len(body) + 1)
    return body[:at] + dice.choice(TEXTS) + body[at:]


def _in_text(body: bytes, dice: Random) -> bytes:
    quotes = [at for at, one in enumerate(body) if one == ord('"')]
    at = dice.choice(quotes) + 1 if quotes else 0
    return body[:at] + dice.choice(TEXTS) + body[at:]


def _values(body: bytes, dice: Random, value: bytes) -> bytes:
    """The body with a value of some member replaced."""
    if not body.startswith(b"{"):
        return _in_form(body, dice, value)
    said = json.loads(body)
    mark = "a mark that stands nowhere else"
    _replaced(said, mark, dice)
    return json.dumps(said).encode().replace(json.dumps(mark).encode(), value)


def _in_form(body: bytes, dice: Random, value: bytes) -> bytes:
    fields = body.split(b"&")
    at = dice.randrange(len(fields))
    fields[at] = fields[at].partition(b"=")[0] + b"=" + value
    return b"&".join(fields)


def _replaced(said: Any, mark: str, dice: Random) -> None:
    places: list[tuple[Any, Any]] = []

    def walk(one: Any) -> None:
        pairs = one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ()
        for key, below in list(pairs):
            places.append((one, key))
            walk(below)

    walk(said)
    if places:
        holder, key = dice.choice(places)
        holder[key] = mark


def _with_number(body: bytes, dice: Random) -> bytes:
    return _values(body, dice, dice.choice(NUMBERS))


def _deep(body: bytes, dice: Random) -> bytes:
    deep = dice.choice([100, 900, DEEP])
    opening, closing = dice.choice([(b"[", b"]"), (b'{"a":', b"}")])
    nested = opening * deep + b"1" + closing * deep
    return dice.choice([nested, _values(body, dice, nested), opening * deep])


def _twice(body: bytes, dice: Random) -> bytes:
    said = json.loads(body) if body.startswith(b"{") else None
    if not said:
        return body + b"&" + body
    name = dice.choice(sorted(said))
    again = json.dumps({name: dice.choice([None, 1, "word", said[name]])})[1:]
    return body[:-1] + b", " + again.encode()


def _gigantic(body: bytes, dice: Random) -> bytes:
    size = dice.choice([10_000, 100_000, BODY_LIMIT - len(body) - 100, BODY_LIMIT + 1])
    return dice.choice([_values(body, dice, b'"' + b"x" * size + b'"'), body[:-1] + b" " * size + body[-1:]])


def _encoded(body: bytes, dice: Random) -> bytes:
    text = body.decode()
    return dice.choice([b"\xef\xbb\xbf" + body, text.encode("utf-16"), text.encode("utf-32"), b"\xff\xfe" + body])


def _whole(_body: bytes, dice: Random) -> bytes:
    return dice.choice(WHOLE)


def _renamed(body: bytes, dice: Random) -> bytes:
    name = dice.choice(["", "\\u0000", "__class__", "a/b~c", "\\ud800", "x" * 5000]).encode()
    return b'{"' + name + b'": 1, ' + body[1:] if body.startswith(b"{") else name + b"=1&" + body


MANGLERS: list[Mangler] = [
    *(_truncated, _flipped, _inserted, _in_text, _with_number, _with_number),
    *(_deep, _twice, _gigantic, _encoded, _whole, _renamed),
]


def mangled(name: str, role: str, world: Fuzzed, dice: Random) -> Asked:
    """A request of an operation that is nearly right."""
    route = world.routes[name]
    (method,) = route.methods or {"GET"}
    ids = world.path_ids(name, role, dice)
    headers: Headers = []
    token = world.token(role)
    if token is not None:
        headers.append((b"authorization", token))
    if dice.random() < 0.7:
        headers.append((b"if-match", world.version(name, dice).encode()))
    known = world.body(name, dice)
    where = (
        dice.choice(["body"] * 4 + ["headers", "query", "path"])
        if route.body_field
        else dice.choice(["headers", "query", "path"])
    )
    query = dice.choice(QUERIES) if where == "query" else b""
    if where == "path" and route.param_convertors:
        ids[dice.choice(sorted(route.param_convertors))] = dice.choice(PATHS)
    if where == "headers":
        name_, value = dice.choice(HEADERS)
        headers = [(one, said) for one, said in headers if one != name_] + [(name_, value)]
    path = route.path
    for one in route.param_convertors:
        path = path.replace(f"{{{one}}}", quote(ids[one].encode(errors="surrogatepass"), safe="'{}"))
    pieces: list[bytes] = []
    if route.body_field:
        is_form = name == "exchange_token"
        body = urlencode(known).encode() if is_form else json.dumps(known if known is not None else {}).encode()
        if where == "body":
            body = dice.choice(MANGLERS)(body, dice)
        media_type = dice.choice(MEDIA_TYPES) if dice.random() < 0.15 else FORM if is_form else JSON
        headers.append((b"content-type", media_type))
        if dice.random() < 0.3 and body:
            pieces = _cut(body, dice)
            headers.append((b"transfer-encoding", b"chunked"))
        else:
            pieces = [body]
            headers += length(body)
    return Asked(method, path.encode(), query, headers, pieces)


def _cut(body: bytes, dice: Random) -> list[bytes]:
    cuts = sorted({0, len(body), *(dice.randrange(len(body)) for _ in range(dice.randint(1, 5)))})
    return [body[start:end] for start, end in pairwise(cuts)] + dice.choice([[], [b""]])
