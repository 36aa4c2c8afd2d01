"""A phone's requests, said plainly."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx

from models.database import Database
from models.operations import sign_ins
from models.tables import Device
from tests.api.conftest import Clinic
from tests.builders import bearer
from tests.conftest import Clock

Json = dict[str, Any]


class Wire:
    """One phone of the clinic's patient, whose token never runs out."""

    def __init__(self, client: httpx.Client, database: Database, clinic: Clinic, clock: Clock) -> None:
        self.client, self.database, self.clinic, self.clock = client, database, clinic, clock

    def header(self, whose: Clinic | None = None) -> dict[str, str]:
        clinic = whose or self.clinic
        with self.database.writing() as tx:
            device = tx.get_one(Device, {"clinic_id": clinic.ines.clinic_id, "id": clinic.device_id})
            lasts = sign_ins.PATIENT_REFRESH_LASTS
            tokens = sign_ins._open(tx, device.clinic_id, device.account_id, device.id, lasts, self.clock.now)
            return bearer(tokens.access)

    def session(self, at: datetime | None = None, **but: Any) -> Json:
        at = at or self.clock.now
        said = {"program_id": str(self.clinic.program_id), "performed_at": at.isoformat(), "time_zone": "UTC"}
        return {**said, "local_date": at.date().isoformat(), "done": "all", **but}

    def put(self, session_id: str | None = None, *, base: int | None = None, **but: Any) -> Json:
        item = {"op": "put", "id": session_id or str(uuid4()), "session": self.session(**but)}
        return item | ({"base_version": base} if base is not None else {})

    def push(self, *items: Any, by: dict[str, str] | None = None, **but: Any) -> Any:
        body = {"items": list(items), **but}
        answer = self.client.post("/v1/sync/push", json=body, headers=by or self.header())
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]

    def outcomes(self, *items: Any, **but: Any) -> list[str]:
        return [one["outcome"] for one in self.push(*items, **but)]

    def pull(self, cursor: str | None = None, **query: Any) -> Any:
        params = {**query, **({"cursor": cursor} if cursor else {})}
        answer = self.client.get("/v1/sync/pull", params=params, headers=self.header())
        assert answer.status_code == 200, answer.text
        return answer.json()
