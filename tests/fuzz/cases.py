"""Requests that schemathesis makes of the OpenAPI document, brought near the clinic, and what holds of the answers."""

from random import Random
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok

from api.problems import MEDIA_TYPE
from tests.fuzz.knocking import Answer, Asked, parsed
from tests.fuzz.worlds import Fuzzed

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SLOWEST = 10.0
"""Seconds."""

Operation = Any
"""schemathesis' APIOperation; its parameters are of no use to the type checker here."""


def operations(app: FastAPI) -> dict[str, Operation]:
    """Every operation of the OpenAPI document, by its id."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    found = (result.ok() for result in schema.get_all_operations() if isinstance(result, Ok))
    return {one.definition.raw["operationId"]: one for one in found}


def unspoken(operation: Operation) -> Case[Operation]:
    """The case that holds the answer to a request no case made."""
    places = [one["name"] for one in operation.definition.raw.get("parameters", []) if one["in"] == "path"]
    case: Case[Operation] = operation.Case(path_parameters=dict.fromkeys(places, "-"))
    return case


def generated(operation: Operation) -> st.SearchStrategy[tuple[Case[Operation], int]]:
    """Cases that fit the document and cases that do not, each with dice of its own."""
    said = operation.definition.raw
    modes = [GenerationMode.POSITIVE]
    if said.get("parameters") or said.get("requestBody"):
        modes.append(GenerationMode.NEGATIVE)
    return st.tuples(st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes]), st.integers(0, 2**32))


def brought_home(case: Case[Operation], name: str, role: str, world: Fuzzed, dice: Random) -> None:
    """Put the clinic's own ids and words in some of a case's places. More than half become valid but for one place, or
    altogether: those get furthest in. The rest stays much as it was made up.
    """
    is_near = dice.random() < 0.6
    ids = world.path_ids(name, role, dice, is_near=is_near)
    case.path_parameters = {
        one: ids[one] if one in ids and (is_near or dice.random() < 0.5) else value
        for one, value in case.path_parameters.items()
    }
    required = {one["name"] for one in case.operation.definition.raw.get("parameters", []) if one["required"]}
    for one in list(case.query or {}):
        word = world.word(one, dice, is_near=is_near)
        if word is not None and (is_near or dice.random() < 0.5):
            case.query[one] = word
        elif is_near and one not in required and dice.random() < 0.8:
            del case.query[one]
    if is_near or dice.random() < 0.2:
        for header in ("If-Match", "Idempotency-Key"):
            case.headers.pop(header, None)
        case.headers.update(world.headers(name, dice))
    if isinstance(case.body, dict):
        case.body = _closer(case.body, name, world, dice, is_near=is_near)


def _closer(made_up: dict[str, Any], name: str, world: Fuzzed, dice: Random, *, is_near: bool) -> Any:
    known = world.body(name, dice, is_near=is_near)
    if not isinstance(known, dict) or not is_near:
        return _with_words(made_up, world, dice) if dice.random() < 0.6 else made_up
    for member in dice.sample(sorted(made_up), min(len(made_up), dice.choice([0, 0, 0, 1, 1, 2]))):
        known[member] = _with_words(made_up[member], world, dice)
    return known


def _with_words(said: Any, world: Fuzzed, dice: Random) -> Any:
    if isinstance(said, list):
        return [_with_words(one, world, dice) for one in said]
    if not isinstance(said, dict):
        return said
    found = {}
    for name, value in said.items():
        word = world.word(name, dice) if isinstance(name, str) and dice.random() < 0.7 else None
        found[name] = word if word is not None else _with_words(value, world, dice)
    return found


def as_sent(case: Case[Operation], token: bytes | None) -> Asked:
    """What goes over the wire for a case, with a role's token."""
    said = case.as_transport_kwargs(base_url="http://test")
    fields = ("method", "url", "headers", "data", "json", "params", "cookies", "files")
    sent = requests.Request(**{name: said[name] for name in fields if name in said}).prepare()
    target = urlsplit(str(sent.url))
    body = _bytes(sent.body) if isinstance(sent.body, str | bytes) else b""
    headers = [(_bytes(name).lower(), _bytes(value)) for name, value in sent.headers.items()]
    if token is not None:
        headers = [(name, value) for name, value in headers if name != b"authorization"] + [(b"authorization", token)]
    return Asked(case.method, target.path.encode(), target.query.encode(), headers, [body] if body else [])


def _bytes(said: str | bytes) -> bytes:
    return said if isinstance(said, bytes) else said.encode("latin-1", "replace")


def faults(case: Case[Operation], answer: Answer) -> list[str]:
    """What an answer of an operation breaks: the document, or our word that every refusal is a problem, and soon."""
    found = [] if answer.seconds <= SLOWEST else [f"took {answer.seconds:.1f} s"]
    request = requests.Request(case.method, "http://test/").prepare()
    checked = schemathesis.Response(
        answer.status, answer.headers, answer.body, request, answer.seconds, verify=True, encoding="utf-8"
    )
    try:
        case.validate_response(checked, checks=CHECKS)
    except FailureGroup as group:
        found += [f"{one.title}: {' '.join(one.message.split())[:400]}" for one in group.exceptions]
    if answer.status >= 400:
        found += _of_a_problem(answer)
    return found


def _of_a_problem(answer: Answer) -> list[str]:
    said = parsed(answer)
    if answer.header("content-type") != MEDIA_TYPE or not isinstance(said, dict):
        return [f"no problem document: {answer.header('content-type')} {answer.body[:100]!r}"]
    expected = {
        "status": answer.status,
        "type": f"/problems/{said.get('code')}",
        "request_id": answer.header("x-request-id"),
    }
    found = [f"a problem's {name} is {said.get(name)!r}" for name, value in expected.items() if said.get(name) != value]
    return found + ([] if said.get("title") else ["a problem without a title"])
