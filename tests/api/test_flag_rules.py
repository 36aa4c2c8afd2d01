"""The registry of flags over HTTP, and a clinic that draws its own lines."""

from datetime import timedelta

import httpx

from models.adherence.flags import RULES
from models.adherence.kinds import FlagKind
from models.adherence.thresholds import BOUNDS
from models.database import Database
from models.operations import sweep
from models.operations.flag_settings import flag_settings, move_thresholds
from models.operations.worklist import worklist
from tests.api.conftest import Clinic, assert_problem
from tests.builders import NOON, a_patient, a_program, log_days, weeks

LINES = "/v1/flag-rules/thresholds"


def move(client: httpx.Client, clinic: Clinic, said: object, version: int = 1) -> httpx.Response:
    return client.put(LINES, json=said, headers=clinic.admin | {"If-Match": f'"v{version}"'})


def test_every_kind_says_when_it_opens_and_closes_on_whose_word(client: httpx.Client, clinic: Clinic) -> None:
    answer = client.get("/v1/flag-rules", headers=clinic.therapist)
    assert answer.headers["ETag"] == '"v1"'
    items = answer.json()["items"]
    assert {one["kind"] for one in items} == set(FlagKind) == set(RULES)
    assert all(one["opens"] and one["closes"] and one["source"] and one["levels"] for one in items)
    assert {line["name"] for one in items for line in one["thresholds"]} == set(BOUNDS)
    assert all(line["value"] == line["default"] for one in items for line in one["thresholds"])


def test_lines_move_within_their_bounds_only(client: httpx.Client, clinic: Clinic) -> None:
    for said, field in (
        ({"low_amber": 0.95}, "/low_amber"),
        ({"net_days": 14.5}, "/net_days"),
        ({"pain_low": 1}, "/pain_low"),
        ({"low_amber": 0.6, "low_red": 0.7}, "/low_red"),
    ):
        problem = assert_problem(move(client, clinic, said), 422, "invalid")
        assert f"'{field}'" in str(problem["errors"])
    assert_problem(move(client, clinic, {"low_amber": "much"}), 422, "invalid")
    assert move(client, clinic, {"net_days": 14, "low_amber": 0.7}).status_code == 200
    assert_problem(move(client, clinic, {"net_days": 20}), 412, "version_mismatch")
    back = move(client, clinic, {"low_amber": None}, version=2).json()
    lines = {line["name"]: line["value"] for one in back["items"] for line in one["thresholds"]}
    assert (lines["net_days"], lines["low_amber"], back["is_applied"]) == (14, 0.8, False)


def test_moved_lines_reach_every_program_without_a_log(database: Database, clinic: Clinic) -> None:
    """Once a week on Mondays lapses by the net of 21 silent days; with a net of 10, eleven days sooner."""
    with database.writing() as tx:
        course = a_program(tx, clinic.ines, a_patient(tx, clinic.ines))
        log_days(tx, clinic.ines, course.program.id, weeks(4, (0,)))

    def lapsed_after(days: int) -> bool:
        with database.reading() as tx:
            rows = worklist(tx, clinic.ines, limit=50, now=NOON + timedelta(days=21 + days))
            return (FlagKind.SILENCE, course.program.id) in {(row.kind, row.program_id) for row in rows}

    assert not lapsed_after(12)
    assert lapsed_after(22)
    with database.writing() as tx:
        move_thresholds(tx, clinic.ines, {"net_days": 10}, version=1, now=NOON + timedelta(days=22))
    with database.reading() as tx:
        assert sweep.thresholds_moved(tx) == [clinic.ines.clinic_id]
    while True:
        with database.writing() as tx:
            if not sweep.apply_thresholds(tx, clinic.ines.clinic_id, now=NOON + timedelta(days=22)):
                break
    with database.reading() as tx:
        assert sweep.thresholds_moved(tx) == []
    assert lapsed_after(12)
    with database.reading() as tx:
        assert flag_settings(tx, clinic.ines).is_applied
