"""Pages as they look on the wire: an opaque cursor, and where the next page is."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from models.refusals import Invalid

Limit = Annotated[int, Query(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=2000, description="`next` of the page before.")]


T = TypeVar("T")


def read_cursor(cursor: str | None, place: TypeAdapter[T]) -> T | None:
    """Where the page before ended."""
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return place.validate_json(raw)
    except (binascii.Error, ValueError, ValidationError) as error:
        raise Invalid("Not a cursor of this list; start again without one.", field="/cursor") from error


def next_cursor(request: Request, response: Response, place: Sequence[Any] | None) -> str | None:
    """The cursor of the next page, if there is one, also as a Link header (RFC 8288)."""
    if place is None:
        return None
    raw = json.dumps([str(part) if not isinstance(part, int) else part for part in place], ensure_ascii=False)
    cursor = base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")
    url = request.url.include_query_params(cursor=cursor)
    response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return cursor
