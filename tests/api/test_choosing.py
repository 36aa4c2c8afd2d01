"""Choosing: the catalogue as it suits one patient, and what may follow or replace a line."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from models.database import Database
from tests.api.conftest import Clinic, assert_problem
from tests.api.desk import Desk, Json, a_desk, item, phase
from tests.builders import DAY
from tests.conftest import Clock


@pytest.fixture
def desk(client: httpx.Client, database: Database, clock: Clock) -> Desk:
    return a_desk(client, database, clock)


@pytest.fixture
def bo(desk: Desk) -> str:
    """With osteoporosis, who owns a mat."""
    patient = desk.a_patient(equipment=["mat"])
    desk.has(patient, "osteoporosis")
    return patient


def catalogue(desk: Desk, query: str, *, by: str = "therapist", limit: int = 100) -> list[Json]:
    """Every page."""
    found: list[Json] = []
    cursor: str | None = ""
    while cursor is not None:
        page = desk.get(f"/exercises?limit={limit}&{query}{'&cursor=' + cursor if cursor else ''}", by=by)
        found += page["items"]
        cursor = page["next"]
    return found


def rank(exercise: Json) -> int:
    """0 allowed as it is, 1 with care or something to get first, 2 not allowed."""
    choice = exercise["for_patient"]
    return 2 if not choice["is_allowed"] else int(bool(choice["cautions"] or choice["missing"]))


def place(exercise: Json) -> tuple[int, int, str]:
    """What suits first, within that the easiest."""
    return rank(exercise), exercise["level"], exercise["slug"]


def test_what_suits_comes_first_and_what_is_not_allowed_last(desk: Desk, bo: str) -> None:
    found = catalogue(desk, f"safe_for={bo}")
    order = [place(one) for one in found]
    assert order == sorted(order)
    assert {one for one, *_ in order} == {0, 1, 2}
    assert len({one["slug"] for one in found}) == len(found) == 245


@pytest.mark.parametrize("limit", [3, 7])
def test_pages_join_where_one_group_ends(desk: Desk, bo: str, limit: int) -> None:
    whole = [one["slug"] for one in catalogue(desk, f"safe_for={bo}&category=core")]
    paged = [one["slug"] for one in catalogue(desk, f"safe_for={bo}&category=core", limit=limit)]
    assert paged == whole
    assert sorted(paged) == [one["slug"] for one in catalogue(desk, "category=core")]


def test_the_next_page_is_linked(desk: Desk, bo: str) -> None:
    first = desk.call("GET", f"/exercises?limit=50&safe_for={bo}")
    link = first.headers["link"].split(">")[0].removeprefix("<")
    second = desk.call("GET", link[link.index("/exercises") :]).json()["items"]
    assert len(second) == 50
    assert all(one["for_patient"] for one in second)
    assert not {one["slug"] for one in second} & {one["slug"] for one in first.json()["items"]}


def test_each_exercise_says_how_it_suits(desk: Desk, bo: str) -> None:
    found = {one["slug"]: one["for_patient"] for one in catalogue(desk, f"safe_for={bo}")}
    curl_up, camel, row, bridge, bird = (
        found[slug] for slug in ("modified-curl-up", "cat-camel", "band-row", "glute-bridge", "bird-dog")
    )
    assert (curl_up["is_allowed"], len(curl_up["reasons"])) == (False, 1)
    assert curl_up["reasons"][0].endswith("(osteoporosis)")
    assert (camel["is_allowed"], len(camel["cautions"]), camel["reasons"]) == (True, 1, [])
    assert (row["is_allowed"], row["missing"]) == (True, ["band"])
    assert bridge == {
        "exercise": "glute-bridge",
        "name": "Glute bridge",
        "level": 1,
        "is_allowed": True,
        "reasons": [],
        "cautions": [],
        "adaptations": [],
        "missing": [],
    }
    # Support within reach: told, and no reason to be shy of it.
    assert (bird["is_allowed"], len(bird["adaptations"]), bird["cautions"]) == (True, 1, [])


def test_nothing_is_missing_where_nobody_asked(desk: Desk) -> None:
    found = catalogue(desk, f"safe_for={desk.a_patient()}")
    assert all(one["for_patient"]["missing"] == [] for one in found)
    easiest_first = sorted(found, key=lambda one: (one["level"], one["slug"]))
    assert [one["slug"] for one in found] == [one["slug"] for one in easiest_first]
    assert {rank(one) for one in found} == {0}


def test_without_a_patient_nothing_is_said_of_one(desk: Desk) -> None:
    assert {one["for_patient"] for one in desk.get("/exercises?limit=5")["items"]} == {None}
    assert desk.get("/exercises/bird-dog")["for_patient"] is None
    assert desk.call("GET", "/exercises/no-such-exercise").status_code == 404


@pytest.mark.parametrize("query", ["category=core", "q=plank", "region=neck&max_level=1", "equipment=none"])
def test_it_goes_with_every_other_filter(desk: Desk, bo: str, query: str) -> None:
    plain = {one["slug"] for one in catalogue(desk, query)}
    found = catalogue(desk, f"{query}&safe_for={bo}")
    assert {one["slug"] for one in found} == plain
    assert plain
    order = [place(one) for one in found]
    assert order == sorted(order)


def test_an_exercise_is_not_allowed_just_when_the_check_blocks_it(desk: Desk, bo: str) -> None:
    desk.has(bo, "ra")
    suited = catalogue(desk, f"safe_for={bo}&category=core")
    lines = [item(one["slug"], side="both") for one in suited][:40]
    found = desk.checks(desk.drafts(bo, *lines))["findings"]
    blocked = {
        one["exercise"] for one in found if one["rule"] in {"R-08", "R-11", "R-12"} and one["severity"] == "block"
    }
    refused = {one["slug"] for one in suited if not one["for_patient"]["is_allowed"]}
    assert blocked == refused & {line["exercise"] for line in lines}
    assert blocked


def test_a_patient_asks_for_themself_only(desk: Desk, bo: str) -> None:
    found = desk.get(f"/exercises?safe_for={bo}&q=curl-up", by=bo)["items"]
    assert [one["slug"] for one in found if not one["for_patient"]["is_allowed"]]
    assert_problem(desk.call("GET", f"/exercises?safe_for={desk.a_patient()}", by=bo), 404, "unknown")


def test_a_patient_nobody_knows_is_unknown(desk: Desk, stranger: Clinic) -> None:
    for patient in (stranger.patient_id, uuid4()):
        assert_problem(desk.call("GET", f"/exercises?safe_for={patient}"), 404, "unknown")
    assert_problem(desk.call("GET", "/exercises?safe_for=me"), 422, "invalid")


# Suggestions.


def of_line(found: Json, number: int = 0) -> Any:
    return found["items"][number]


def slugs(choices: list[Json]) -> list[str]:
    return [one["exercise"] for one in choices]


def test_the_next_and_the_easier_step_are_the_trees(desk: Desk) -> None:
    patient = desk.a_patient()
    program = desk.runs(patient, item("bird-dog"), item("bed-knee-rocks"))
    found = desk.get(f"/programs/{program['id']}/suggestions")
    tree = {one["slug"]: one["progression_of"] for one in catalogue(desk, "")}
    for number, exercise in enumerate(("bird-dog", "bed-knee-rocks")):
        line = of_line(found, number)
        assert (line["exercise"]["exercise"], line["phase"]) == (exercise, "All along")
        assert line["line_id"] == program["revision"]["phases"][0]["items"][number]["line_id"]
        assert sorted(slugs(line["progressions"])) == sorted(slug for slug in tree if tree[slug] == exercise)
        assert slugs(line["regressions"]) == [tree[exercise]] * (tree[exercise] is not None)
    assert of_line(found)["progressions"]
    assert of_line(found)["regressions"]
    assert found["hold"] is None


def test_a_swap_is_allowed_and_at_hand_and_no_harder(desk: Desk, bo: str) -> None:
    desk.screens(bo)
    shelf = {one["slug"]: one for one in catalogue(desk, f"safe_for={bo}")}
    program = desk.drafts(bo, item("modified-curl-up"), item("dead-bug-arms"))
    line = of_line(desk.get(f"/programs/{program['id']}/suggestions"))
    assert line["exercise"]["is_allowed"] is False
    assert 1 <= len(line["swaps"]) <= 5
    was = shelf["modified-curl-up"]
    for swap in line["swaps"]:
        one = shelf[swap["exercise"]]
        assert swap["is_allowed"]
        assert swap["missing"] == []
        assert one["level"] <= was["level"]
        assert set(one["goals"]) & set(was["goals"])
        assert swap["exercise"] not in {"modified-curl-up", "dead-bug-arms"}


def test_a_swap_keeps_the_program_safe(desk: Desk, bo: str) -> None:
    desk.screens(bo)
    program = desk.drafts(bo, item("modified-curl-up"))
    line = of_line(desk.get(f"/programs/{program['id']}/suggestions"))
    for swap in slugs(line["swaps"]):
        said = desk.checks(program, {"phases": [phase(item(swap, side="both"))]})
        assert said["blocks"] == 0, swap


def test_after_three_painful_sessions_the_level_is_held(desk: Desk, clock: Clock) -> None:
    program = desk.runs(desk.a_patient(), item("bird-dog"))
    where = f"/programs/{program['id']}/suggestions"
    for pain in (6, 7, 6):
        desk.logs(program, pain_during=pain)
        clock.now += DAY
    assert desk.get(where)["hold"] == "pain 7 of 10 within the last 3 sessions"
    # Three sessions that went well, and it is over.
    for _ in range(3):
        desk.logs(program, pain_during=3)
        clock.now += DAY
    assert desk.get(where)["hold"] is None


@pytest.mark.parametrize(
    ("condition", "sessions", "hold"),
    [
        (None, [{"pain_during": 1}, {"pain_during": 2}, {"pain_during": 3}], "pain rose from 1 to 3"),
        (
            None,
            [{"settled_by_morning": False}, {}, {"settled_by_morning": False}],
            "the pain had not settled by the next morning",
        ),
        ("sciatica", [{"chips": ["further_down"], "pain_during": 1}], "the pain moved away from the spine"),
        (None, [{"chips": ["further_down"], "pain_during": 1}], None),
        (None, [{"pain_during": 5}, {"pain_during": 5}, {"pain_during": 5}], None),
    ],
)
def test_pain_says_in_several_ways_to_hold(
    desk: Desk, clock: Clock, condition: str | None, sessions: list[Json], hold: str | None
) -> None:
    patient = desk.a_patient()
    if condition:
        desk.has(patient, condition)
    program = desk.runs(patient, item("bird-dog"))
    for said in sessions:
        desk.logs(program, **said)
        clock.now += DAY
    assert desk.get(f"/programs/{program['id']}/suggestions")["hold"] == hold


def test_suggestions_are_the_staffs_and_change_nothing(desk: Desk, bo: str, stranger: Clinic) -> None:
    program = desk.runs(bo)
    before = desk.program(program)
    desk.get(f"/programs/{program['id']}/suggestions", by="admin")
    assert desk.program(program) == before
    assert_problem(desk.call("GET", f"/programs/{program['id']}/suggestions", by=bo), 403, "not_allowed")
    assert_problem(desk.call("GET", f"/programs/{stranger.program_id}/suggestions"), 404, "unknown")
