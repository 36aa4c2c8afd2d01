"""The way between a phone and the clinic: it loses requests, loses answers, and remembers all that arrived."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import httpx

from tests.conftest import Clock

Json = dict[str, Any]

PAGE = 3
"""Sessions a pull."""


class Trouble(Enum):
    """What becomes of one request."""

    NONE = "none"
    LOST = "the request is lost"
    UNHEARD = "the answer is lost, after all was stored"
    BUSY = "the clinic is busy"
    TOO_LARGE = "somebody on the way finds it too large"


@dataclass(frozen=True)
class Delivery:
    """A push that arrived, and what was answered to it, whether or not that was heard."""

    patient: int
    body: Json
    results: list[Json]
    skew: timedelta
    """How far the phone's clock was ahead as it sent."""

    def now(self, now: datetime) -> Json:
        """The same once more, as a phone would send it now."""
        return self.body | {"client_sent_at": (now + self.skew).isoformat()}


class Wire(httpx.BaseTransport):
    def __init__(self, carry: httpx.BaseTransport, patient: int, clock: Clock, arrived: list[Delivery]) -> None:
        self.carry, self.patient, self.clock, self.arrived = carry, patient, clock, arrived
        self.ahead: list[Trouble] = []
        """What becomes of the requests to come; of those after that, nothing bad."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        trouble = self.ahead.pop(0) if self.ahead else Trouble.NONE
        if trouble is Trouble.LOST:
            raise httpx.ConnectError("no way there")
        if trouble is Trouble.BUSY:
            return httpx.Response(503, headers={"Retry-After": "5"}, json={"code": "busy"})
        if request.url.path.endswith("/pull"):
            # Small pages, so that short stories have several.
            request.url = request.url.copy_set_param("limit", str(PAGE))
        body = json.loads(request.read() or b"{}") if request.url.path.endswith("/push") else {}
        if trouble is Trouble.TOO_LARGE and len(body.get("items", ())) > 1:
            return httpx.Response(413, json={"code": "too_large", "limit": 1})
        answer = self.carry.handle_request(request)
        assert answer.status_code < 500, answer.read()
        if body and answer.status_code == 200:
            results = json.loads(answer.read())["results"]
            skew = datetime.fromisoformat(body["client_sent_at"]) - self.clock.now
            self.arrived.append(Delivery(self.patient, body, results, skew))
        if trouble is Trouble.UNHEARD:
            raise httpx.ReadTimeout("no way back")
        return answer
