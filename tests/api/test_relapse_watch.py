"""The list of what speaks for a relapse after discharge, as a therapist reads it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from models.adherence.relapse import CAUTION
from models.database import Database
from tests.api.desk import ALL_RULES, Desk, Json, a_desk, answers, item, phase
from tests.architecture.statements import at_most
from tests.builders import DAY
from tests.conftest import Clock


@pytest.fixture
def desk(client: httpx.Client, database: Database, clock: Clock) -> Desk:
    return a_desk(client, database, clock)


@pytest.fixture
def bo(desk: Desk) -> str:
    return desk.a_patient()


def discharged(desk: Desk, patient: str) -> Json:
    """A course that ended today, and the program that goes on after it: the latter."""
    program = desk.runs(patient)
    daily = item("bird-dog", sets=3, reps=10, hold_seconds=8, days_per_week=7)
    keep = {"maintenance": {"phases": [phase(daily)]}, **answers(acknowledged=ALL_RULES)}
    found: Json = desk.post(f"/programs/{program['id']}/discharge", keep)["maintenance"]
    return found


def applying(desk: Desk, patient: str) -> dict[str, Any]:
    found = desk.get(f"/patients/{patient}/relapse-watch")
    return {one["code"]: one["says"] for one in found["points"] if one["applies"]}


def test_before_a_discharge_there_is_nothing_to_watch(desk: Desk, bo: str) -> None:
    desk.runs(bo)
    said = desk.get(f"/patients/{bo}/relapse-watch")
    assert (said["program_id"], said["points"], said["total"], said["advice"]) == (None, [], None, None)


def test_the_list_says_what_it_rests_on_and_that_it_is_not_calibrated(desk: Desk, bo: str) -> None:
    following = discharged(desk, bo)
    said = desk.get(f"/patients/{bo}/relapse-watch")
    assert (said["following_id"], said["total"], said["most"], said["advice"]) == (following["id"], 0, 6, "low")
    assert (said["calibrated"], said["caution"]) == (False, CAUTION)
    assert said["caution"].startswith("Not calibrated")
    assert all(one["says"] and one["source"] for one in said["points"])


def test_everything_that_can_speak_for_it_is_on_the_list(desk: Desk, clock: Clock, bo: str) -> None:
    """Three weeks of a daily program, then nothing; at the first check-in she tells the rest."""
    desk.has(bo, "chronic-lbp", details={"previous_episodes": 4, "awkward_postures": True})
    following = discharged(desk, bo)
    for _ in range(21):
        clock.now += DAY
        desk.logs(following)
    assert applying(desk, bo).keys() == {"episodes", "awkward_postures"}
    clock.now += timedelta(days=25)
    first = desk.get(f"/patients/{bo}/check-ins")["items"][0]
    said = {"recurrence": True, "sitting_hours": 7.5, "confidence": 4}
    assert desk.call("PUT", f"/patients/{bo}/check-ins/{first['id']}", said).status_code in {200, 201}
    with at_most(15):
        found = desk.get(f"/patients/{bo}/relapse-watch")
    assert {one["code"]: one["says"] for one in found["points"] if one["applies"]} == {
        "stopped": "Has stopped the program that was to go on after discharge, or never started it.",
        "episodes": "Has had 4 episodes before.",
        "sitting": "Sits 7.5 hours a day (told on 18 Apr).",
        "awkward_postures": "Is often in awkward postures.",
        # 3 x 10 x (8 + 3) s, 2 x 20 s between and 15 s to set up: 6.4 minutes on 4 of 28 days.
        "few_minutes": "Has done 26 of 180 minutes prescribed in the last four weeks.",
        "confidence": "Confidence to keep going is 4 of 10 (told on 18 Apr).",
        "risky_months": "Discharged on 3 Mar: months 2 to 6 are those in which pain comes back most.",
        "recurred": "Has said since discharge that the pain came back for a day or longer.",
    }
    assert (found["total"], found["most"], found["advice"]) == (12, 12, "call")


def test_a_patient_who_is_treated_again_is_not_watched(desk: Desk, clock: Clock, bo: str) -> None:
    discharged(desk, bo)
    clock.now += 40 * DAY
    assert desk.get(f"/patients/{bo}/relapse-watch")["program_id"] is not None
    desk.runs(bo)
    assert desk.get(f"/patients/{bo}/relapse-watch")["program_id"] is None


def test_stopping_the_program_after_discharge_counts_at_once(desk: Desk, bo: str) -> None:
    following = discharged(desk, bo)
    desk.post(f"/programs/{following['id']}/stop", {"reason": "feel_better"})
    assert "stopped" in applying(desk, bo)


def test_what_was_told_of_earlier_episodes_is_checked(desk: Desk, bo: str) -> None:
    said = {"code": "sciatica", "status": "confirmed", "details": {"previous_episodes": -1}}
    assert desk.call("POST", f"/patients/{bo}/conditions", said).status_code == 422
