"""Refusals become problem responses (RFC 9457) here and nowhere else."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.logs import log
from models import refusals

STATUS: dict[type[refusals.Refusal], int] = {
    refusals.NotSignedIn: 401,
    refusals.InvalidGrant: 400,
    refusals.InvalidClient: 401,
    refusals.InvalidScope: 400,
    refusals.OtpRequired: 400,
    refusals.SecondFactorRequired: 403,
    refusals.SecondFactorOn: 409,
    refusals.NoSecondFactor: 409,
    refusals.NoSecretKey: 409,
    refusals.NoPassword: 409,
    refusals.LastAdmin: 409,
    refusals.Busy: 503,
    refusals.WhichClinic: 400,
    refusals.TooManyAttempts: 429,
    refusals.NotAllowed: 403,
    refusals.Unknown: 404,
    refusals.Invalid: 422,
    refusals.EmailTaken: 409,
    refusals.WrongStatus: 409,
    refusals.NotAsked: 409,
    refusals.FlagNotOpen: 409,
    refusals.FlagClosed: 409,
    refusals.NotByHand: 409,
    refusals.SafetyBlocked: 409,
    refusals.NotAcknowledged: 409,
    refusals.NoFlarePlan: 409,
    refusals.NameTaken: 409,
    refusals.TooManyWebhooks: 409,
    refusals.TooManyExports: 409,
    refusals.TooManyClients: 409,
    refusals.VersionMismatch: 412,
    refusals.KeyReused: 422,
    refusals.SessionRefused: 422,
    refusals.FutureDated: 422,
    refusals.BeforeProgram: 422,
    refusals.AfterProgram: 422,
    refusals.ProgramNotActive: 409,
    refusals.WrongDate: 422,
    refusals.UnknownLine: 422,
    refusals.TooLate: 409,
    refusals.OtherProgram: 422,
    refusals.NotStorable: 422,
    refusals.Conflict: 409,
    refusals.UnknownProgram: 404,
    refusals.UnknownSession: 404,
    refusals.TooManyItems: 413,
    refusals.ResyncRequired: 409,
}

MEDIA_TYPE = "application/problem+json"
_OAUTH = refusals.InvalidGrant | refusals.InvalidClient | refusals.InvalidScope
"""Refusals whose codes are OAuth 2's own."""


class FieldError(BaseModel):
    """One input that was refused."""

    pointer: str = Field(
        examples=["/entries/0/pain"], description="JSON pointer, or the parameter's name after a slash."
    )
    detail: str = Field(examples=["Input should be less than or equal to 10"])
    in_: str | None = Field(default=None, alias="in", description="body, query, path or header", examples=["body"])


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/invalid"])
    title: str = Field(examples=["Invalid input."])
    status: int = Field(examples=[422])
    code: str = Field(examples=["invalid"])
    errors: list[FieldError] = []
    request_id: str | None = None
    kept: bool | None = Field(default=None, description="A refused session or answer: its body is kept.")
    safety_raised: bool | None = Field(
        default=None, description="A refused session or answer: what it says about safety was heard."
    )
    advice: list[str] | None = Field(
        default=None, description="A refused session or answer: what to tell the patient now."
    )
    findings: list[dict[str, Any]] | None = Field(
        default=None, description="A prescription that was not let through: what the safety rules found, gravest first."
    )
    retryable: bool | None = Field(default=None, description="The same request may succeed later.")
    limit: int | None = Field(default=None, description="With 413: how many items, or bytes, are taken.")
    version: int | None = Field(default=None, description="A conflict: the version the clinic holds.")
    session: dict[str, Any] | None = Field(default=None, description="A conflict: the clinic's copy.")


def problem(
    request: Request,
    status: int,
    code: str,
    title: str,
    *,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """A problem response."""
    body: dict[str, Any] = {"type": f"/problems/{code}", "title": title, "status": status, "code": code}
    if errors:
        body["errors"] = list(errors)
    body |= {"request_id": getattr(request.state, "request_id", None), **getattr(request.state, "more", {})}
    return JSONResponse({**body, **(more or {})}, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def busy(request: Request, title: str, **headers: str) -> JSONResponse:
    """Not now, but soon."""
    return problem(request, 503, "busy", title, headers={"Retry-After": "5", **headers}, more=_RETRYABLE)


def install(app: FastAPI) -> None:
    """Answer every refusal, bad input and accident with a problem."""
    app.add_exception_handler(refusals.Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(IntegrityError, _raced)
    app.add_exception_handler(DataError, _not_storable)
    app.add_exception_handler(OperationalError, _busy)
    app.add_exception_handler(PoolTimeout, _busy)


async def _refused(request: Request, refusal: Exception) -> JSONResponse:
    assert isinstance(refusal, refusals.Refusal)
    headers: dict[str, str] = {}
    more = dict(refusal.more)
    if isinstance(refusal, refusals.NotSignedIn | refusals.InvalidClient):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(refusal, refusals.TooManyAttempts):
        now = request.app.state.clock()
        headers["Retry-After"] = str(max(1, math.ceil((refusal.until - now).total_seconds())))
    if isinstance(refusal, refusals.Busy):
        headers["Retry-After"] = "2"
        more |= _RETRYABLE
    if request.url.path.endswith("/auth/token"):
        # OAuth 2 clients read these two members (RFC 6749, 5.2).
        error = refusal.code if isinstance(refusal, _OAUTH) else "invalid_request"
        more |= {"error": error, "error_description": str(refusal)}
    return problem(
        request,
        STATUS[type(refusal)],
        refusal.code,
        str(refusal),
        errors=_pointed(refusal),
        headers=headers,
        more=more,
    )


def told(refusal: refusals.Refusal, *, below: str = "") -> dict[str, Any]:
    """A refusal as a problem inside an answer; `below` is where the refused input lies."""
    body = {
        "type": f"/problems/{refusal.code}",
        "title": str(refusal),
        "status": STATUS[type(refusal)],
        "code": refusal.code,
    }
    return body | {"errors": [error | {"pointer": f"{below}{error['pointer']}"} for error in _pointed(refusal)]}


def invalid(errors: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What pydantic found wrong with a part of a request, as a problem inside an answer."""
    body = {"type": "/problems/invalid", "title": "Invalid input.", "status": 422, "code": "invalid"}
    return body | {"errors": [{"pointer": _pointer(one["loc"]), "detail": _detail(one)} for one in errors]}


def _pointed(refusal: refusals.Refusal) -> list[dict[str, Any]]:
    return [{"pointer": refusal.field, "detail": str(refusal)}] if refusal.field else []


def _pointer(path: Sequence[Any]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    # A name may hold half a character, which cannot be sent.
    return "".join(f"/{part}" for part in parts).encode(errors="replace").decode()


def _detail(error: Mapping[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = []
    for one in error.errors():
        if one["type"] == "json_invalid":
            return problem(request, 400, "malformed_json", "The body is not JSON.")
        place, *path = one["loc"]
        errors.append({"in": place, "pointer": _pointer(path), "detail": _detail(one)})
    return problem(request, 422, "invalid", "Invalid input.", errors=errors)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    codes = {400: "bad_request", 404: "unknown", 405: "method_not_allowed", 413: "too_large", 428: "if_match_required"}
    code = codes.get(error.status_code, "http_error")
    title = {404: "No such page."}.get(error.status_code, str(error.detail))
    return problem(request, error.status_code, code, title, headers=error.headers)


async def _raced(request: Request, _error: Exception) -> JSONResponse:
    return problem(
        request, 409, "raced", "Someone else wrote this at the same moment; send the request again.", more=_RETRYABLE
    )


async def _not_storable(request: Request, _error: Exception) -> JSONResponse:
    return problem(request, 422, "invalid", "The database cannot hold a value of this request.")


async def _busy(request: Request, error: Exception) -> JSONResponse:
    log.warning("database", extra={"error": type(error).__name__})
    return busy(request, "The database is busy or away; try again.")


_RETRYABLE = {"retryable": True}
_THROTTLED = ("/v1/auth/token", "/v1/auth/password", "/v1/me/password", "/v1/me/second-factor")
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request creates once.",
    "schema": {"type": "string", "maxLength": 128},
}


class Accidents:
    """Answers what nobody foresaw, inside the request log, so that the answer carries its request id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  (ASGI)
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noting)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            log.exception("accident", exc_info=error)
            title = "Something broke on our side; it has been logged under this request id."
            await problem(Request(scope), 500, "accident", title)(scope, receive, send)


def describe(app: FastAPI, *, who_may: Mapping[str, Sequence[str]], scopes: Mapping[str, Sequence[str]]) -> None:
    """Say in the OpenAPI document who may call each operation (roles, and scopes of integrations, by operation id) and
    how it may be refused.
    """
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    name = operation["operationId"]
                    _describe(path, method, operation, who_may[name], scopes[name])
                    # An invitation repeated is a new one on purpose: its code is not kept to be said again.
                    creates = "201" in operation["responses"] or path == "/v1/exports"
                    if method == "post" and creates and "invitation" not in path:
                        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _describe(path: str, method: str, operation: dict[str, Any], roles: Sequence[str], scopes: Sequence[str]) -> None:
    operation["x-who-may"] = list(roles) or ["anybody"]
    operation["description"] = f"Who may: {', '.join(operation['x-who-may'])}."
    if scopes:
        operation["x-scopes"] = list(scopes)
        operation["description"] += f" Integrations with the scope {' or '.join(scopes)}."
    answer = {
        "description": "Problem",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    parameters = {parameter["name"].lower() for parameter in operation.get("parameters", [])}
    # An Idempotency-Key is looked at wherever somebody signed in may ask.
    is_looked_at = parameters or operation.get("requestBody") or operation.get("security")
    statuses = ["503"] + (["422"] if is_looked_at else [])
    if operation.get("security"):
        statuses += ["401", "403"]
    if "{" in path or method != "get" or "safe_for" in parameters:
        statuses.append("404")
    if method != "get" or path.endswith("/sync/pull"):
        statuses.append("409")
    if operation.get("requestBody"):
        statuses += ["400", "408", "413"]
    if "if-match" in parameters:
        statuses += ["412", "428"]
    if path.endswith("/auth/token"):
        statuses += ["401", "429"]
    if method != "get" and path.startswith(_THROTTLED):
        statuses.append("429")
    operation["responses"].pop("422", None)
    for status in sorted(statuses):
        operation["responses"][status] = answer
