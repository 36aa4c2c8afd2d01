"""A therapist's desk: what is said over HTTP at whatever hour, by whom, and what comes back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx

from models.database import Database
from models.operations.callers import Caller
from models.operations.patients import patient
from models.safety.rules import RULES
from models.tables import Role
from tests.api.conftest import assert_problem
from tests.builders import a_clinic, a_member, a_token, as_patient, bearer
from tests.conftest import Clock

Json = dict[str, Any]
ALL_RULES = sorted(RULES)
DOSE: Json = {"sets": 2, "reps": 8, "days_per_week": 3}
REASON = "Bone scan of last week is normal; report on paper."


def item(exercise: str, *, line_id: str | None = None, side: str | None = None, **but: Any) -> Json:
    """One exercise, 2 × 8 on 3 days a week, unless said otherwise."""
    named = {name: value for name, value in (("line_id", line_id), ("side", side)) if value is not None}
    return {"exercise": exercise, "goal": "strength", "dosage": {**DOSE, **but}, **named}


def care(slug: str, **dosage: Any) -> Json:
    return {"care": slug, "dosage": dosage}


def phase(*items: Json, label: str = "All along", from_day: int = 1, to_day: int | None = None) -> Json:
    return {"label": label, "from_day": from_day, "to_day": to_day, "items": list(items)}


def of_rule(said: Mapping[str, Any], rule: str) -> list[Json]:
    """The findings of one rule, in a check or in a problem."""
    return [finding for finding in said["findings"] if finding["rule"] == rule]


def pointer(answer: httpx.Response, status: int = 422) -> str:
    """Where the one thing lies that was refused."""
    problem: Any = assert_problem(answer, status)
    (error,) = problem["errors"]
    return str(error["pointer"])


@dataclass
class Desk:
    """Who calls is "therapist", "admin", or a patient by id; tokens last, whatever the clock is set to."""

    client: httpx.Client
    database: Database
    ines: Caller
    clock: Clock
    _callers: dict[str, Caller] = field(default_factory=dict)
    _tokens: dict[tuple[str, datetime], str] = field(default_factory=dict)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        by: str = "therapist",
        match: int | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        headers = self._header(by) | ({"If-Match": f'"v{match}"'} if match is not None else {})
        headers |= {"Idempotency-Key": key} if key is not None else {}
        return self.client.request(method, f"/v1{path}", json=body, headers=headers)

    def get(self, path: str, *, by: str = "therapist") -> Any:
        answer = self.call("GET", path, by=by)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: object = None, *, by: str = "therapist", match: int | None = None) -> Any:
        answer = self.call("POST", path, body, by=by, match=match)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    def a_patient(self, **but: object) -> str:
        said = {"given_name": "Bo", "family_name": "Berg", "birth_date": "1970-05-14", **but}
        return str(self.post("/patients", said)["id"])

    def screens(self, patient_id: str, *present: str) -> Any:
        """Every question asked; no to all but those present."""
        questions = [flag["id"] for flag in self.get("/red-flags")["items"]]
        answers = {question: question in present for question in questions}
        return self.post(f"/patients/{patient_id}/screenings", {"answers": answers})

    def has(self, patient_id: str, code: str, **but: object) -> Any:
        return self.post(f"/patients/{patient_id}/conditions", {"code": code, "status": "confirmed", **but})

    def drafts(self, patient_id: str, *items: Json, **but: object) -> Any:
        """A program of one phase that runs on, unless said otherwise."""
        source = {} if {"protocol", "phases"} & but.keys() else {"phases": [phase(*(items or (item("bird-dog"),)))]}
        return self.post(f"/patients/{patient_id}/programs", {**source, **but})

    def checks(self, program: Json, proposed: Json | None = None) -> Any:
        return self.post(f"/programs/{program['id']}/check", proposed)

    def activates(
        self,
        program: Json,
        overrides: Mapping[str, str] | None = None,
        acknowledged: Collection[str] = tuple(ALL_RULES),
        *,
        by: str = "therapist",
    ) -> httpx.Response:
        said = answers(overrides, acknowledged)
        return self.call("POST", f"/programs/{program['id']}/activate", said, by=by)

    def runs(self, patient_id: str, *items: Json, **but: object) -> Any:
        """A program handed over to a patient who was screened, every warning read."""
        self.screens(patient_id)
        activated = self.activates(self.drafts(patient_id, *items, **but))
        assert activated.status_code == 200, activated.text
        return activated.json()

    def revises(self, program: Json, *phases: Json, match: int | None = None, **but: object) -> httpx.Response:
        """From the version that is there now, every warning read."""
        version = match if match is not None else self.program(program)["version"]
        said = {"phases": list(phases), "acknowledged": ALL_RULES, **but}
        return self.call("POST", f"/programs/{program['id']}/revisions", said, match=version)

    def program(self, program: Json, *, by: str = "therapist") -> Any:
        return self.get(f"/programs/{program['id']}", by=by)

    def logs(self, program: Json, **but: object) -> Any:
        """A session just now, all of it done; by the therapist, as on the telephone."""
        said = {
            "program_id": program["id"],
            "performed_at": self.clock.now.isoformat(),
            "time_zone": "Europe/London",
            "local_date": self.clock.now.date().isoformat(),
            "done": "all",
            **but,
        }
        answer = self.call("PUT", f"/sessions/{uuid4()}", said)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def _header(self, by: str) -> dict[str, str]:
        now = self.clock.now
        if (by, now) not in self._tokens:
            with self.database.writing() as tx:
                if by not in self._callers:
                    self._callers[by] = self._caller(by)
                self._tokens[by, now] = a_token(tx, self._callers[by], now=now)
        return bearer(self._tokens[by, now])

    def _caller(self, by: str) -> Caller:
        if by == "therapist":
            return self.ines
        with self.database.writing() as tx:
            if by == "admin":
                return a_member(tx, self.ines.clinic_id, Role.ADMIN, now=self.clock.now)
            return as_patient(tx, self.ines, patient(tx, self.ines, UUID(by)), now=self.clock.now)


def answers(overrides: Mapping[str, str] | None = None, acknowledged: Collection[str] = ()) -> Json:
    """What a therapist says to the findings of a check."""
    given = [{"finding": finding, "reason": reason} for finding, reason in (overrides or {}).items()]
    return {"overrides": given, "acknowledged": list(acknowledged)}


def a_desk(client: httpx.Client, database: Database, clock: Clock) -> Desk:
    """In a clinic of its own, where nobody has come yet."""
    with database.writing() as tx:
        return Desk(client, database, a_clinic(tx), clock)
