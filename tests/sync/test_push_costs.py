"""What a whole queue costs the database."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from models.database import Database
from tests.architecture.statements import counting
from tests.builders import MONDAY, NOON, a_clinic, a_dosage, a_draft, a_patient, a_phone, a_program, bearer
from tests.sync.phone import Json

QUEUE = 200
MOST = 40
"""Statements; a fifth of one per session."""


class Queue:
    """A patient's phone with 200 sessions of five entries each to say."""

    def __init__(self, client: httpx.Client, database: Database) -> None:
        with database.writing() as tx:
            ines = a_clinic(tx)
            ann = a_patient(tx, ines)
            course = a_program(tx, ines, ann, a_draft(*[a_dosage()] * 5))
            self.headers = bearer(a_phone(tx, ines, ann).access)
        self.client = client
        lines = [{"line_id": str(item.line_id), "reps": 8} for item in course.items]
        assert len(lines) == 5
        self.items: list[Json] = [
            {
                "op": "put",
                "id": str(uuid4()),
                "session": {
                    "program_id": str(course.program.id),
                    "performed_at": NOON.isoformat(),
                    "time_zone": "Europe/London",
                    "local_date": MONDAY.isoformat(),
                    "done": "some",
                    "entries": lines,
                },
            }
            for _ in range(QUEUE)
        ]

    def push(self, items: list[Json]) -> tuple[set[str], int]:
        """The outcomes, and how many statements they took."""
        said = {"client_sent_at": NOON.isoformat(), "items": items}
        with counting() as sent:
            answer = self.client.post("/v1/sync/push", json=said, headers=self.headers)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["results"]) == len(items)
        print(len(sent), "statements")
        return {result["outcome"] for result in answer.json()["results"]}, len(sent)


@pytest.fixture
def queue(client: httpx.Client, database: Database) -> Queue:
    return Queue(client, database)


def test_a_queue_and_its_repetition_cost_a_few_statements(queue: Queue) -> None:
    for outcome in ("created", "unchanged"):
        outcomes, cost = queue.push(queue.items)
        assert outcomes == {outcome}
        assert cost <= MOST


def test_changing_and_taking_back_a_queue_costs_a_few_statements(queue: Queue) -> None:
    queue.push(queue.items)
    changed = [item | {"base_version": 1, "session": item["session"] | {"effort": 4}} for item in queue.items]
    gone = [{"op": "delete", "id": item["id"], "base_version": 2} for item in queue.items]
    for items, outcome in ((changed, "updated"), (gone, "deleted"), (changed, "unchanged")):
        outcomes, cost = queue.push(items)
        assert outcomes == {outcome}
        assert cost <= MOST


@pytest.mark.parametrize(
    "wrong",
    [
        {"local_date": "2025-03-02", "performed_at": "2025-03-02T12:00:00Z"},
        {"pain_during": 99},
        {"chips": ["RF-01"], "pain_after": 99},
        {"program_id": str(uuid4()), "chips": ["fall"]},
    ],
)
def test_a_queue_of_which_nothing_can_be_stored_costs_a_few_statements(queue: Queue, wrong: dict[str, Any]) -> None:
    items = [item | {"session": item["session"] | wrong} for item in queue.items]
    for _ in range(2):
        outcomes, cost = queue.push(items)
        assert outcomes <= {"rejected", "deferred"}
        assert cost <= MOST
