"""What the fuzz would say of an API that breaks its word."""

from typing import Any

import pytest
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

from api import problems
from tests.fuzz.cases import faults, operations, unspoken
from tests.fuzz.knocking import Asked, knock


class Told(BaseModel):
    number: int


def an_app(answer: Any) -> FastAPI:
    app = FastAPI()
    refused = {"content": {problems.MEDIA_TYPE: {"schema": {"type": "object"}}}}

    @app.get("/", operation_id="ask", response_model=Told, responses={404: refused})
    def ask() -> Any:
        return answer

    return app


def a_problem(status: int = 404, media_type: str = problems.MEDIA_TYPE, **but: Any) -> JSONResponse:
    said = {"type": "/problems/unknown", "title": "No.", "status": 404, "code": "unknown", "request_id": "a"} | but
    return JSONResponse(said, status, headers={"X-Request-Id": "a"}, media_type=media_type)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"number": 1}, []),
        (JSONResponse({"number": "one"}), ["Response violates schema"]),
        (JSONResponse({"number": 1}, 202), ["Undocumented status code"]),
        (PlainTextResponse("1"), ["Undocumented Content-Type"]),
        (a_problem(), []),
        (a_problem(status=500), ["Server error", "Undocumented status code", "a problem's status"]),
        (a_problem(request_id="b"), ["a problem's request_id"]),
        (a_problem(type="/problems/other"), ["a problem's type"]),
        (a_problem(title=""), ["a problem without a title"]),
        (a_problem(media_type="application/json"), ["Undocumented Content-Type", "no problem document"]),
        (PlainTextResponse("No.", 404), ["Undocumented Content-Type", "no problem document"]),
    ],
)
def test_a_broken_word_is_found(portal: BlockingPortal, answer: Any, expected: list[str]) -> None:
    app = an_app(answer)
    answered = knock(app, portal, Asked("GET", b"/", b"", [], []))
    found = faults(unspoken(operations(app)["ask"]), answered)
    assert [fault[: len(start)] for fault, start in zip(sorted(found), sorted(expected), strict=True)] == sorted(
        expected
    )


def test_a_request_is_told_as_a_curl_line() -> None:
    asked = Asked("PUT", b"/v1/x", b"q=%00", [(b"authorization", b"Bearer ft_1"), (b"x", b"\xff'")], [b'{"a', b'": 1}'])
    assert asked.as_curl("admin") == (
        "curl -i -X PUT -H \"Authorization: Bearer $ADMIN\" -H $'x: \\xff\\'' "
        "--data-binary $'{\"a\": 1}' $'http://127.0.0.1:8000/v1/x?q=%00'"
    )
