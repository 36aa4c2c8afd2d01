"""Protocols: the shelf's, adapted as they are prescribed, and a clinic's own with all their versions."""

from typing import Any

import httpx
import pytest

from models.database import Database
from tests.api.conftest import Clinic, assert_problem
from tests.api.desk import DOSE, Desk, Json, a_desk, care, item, of_rule, phase, pointer
from tests.builders import DAY
from tests.conftest import Clock

BACK = "chronic-lbp-core-stabilisation"


@pytest.fixture
def desk(client: httpx.Client, database: Database, clock: Clock) -> Desk:
    return a_desk(client, database, clock)


@pytest.fixture
def bo(desk: Desk) -> str:
    return desk.a_patient()


def ours(*items: Json, **but: object) -> Json:
    """Two phases and what is kept afterwards."""
    return {
        "name": "Our desk course",
        "indication": "Backs after desk work",
        "conditions": ["chronic-lbp"],
        "phases": [
            phase(*(items or (item("bird-dog"),)), label="Start", to_day=14),
            phase(
                item("bird-dog", sets=3), care("micro-breaks", days_per_week=5), label="Build", from_day=15, to_day=40
            ),
        ],
        "maintenance": [item("glute-bridge")],
        **but,
    }


def things(shown: Json) -> dict[str, list[str]]:
    """Phase → what is on its list."""
    return {one["label"]: [line["exercise"] or line["care"] for line in one["items"]] for one in shown["phases"]}


# Adapting as it is prescribed.


def test_a_protocol_is_adapted_as_it_is_prescribed(desk: Desk, bo: str) -> None:
    plain = things(desk.drafts(bo, protocol=BACK)["revision"])
    dosage = {"duration_minutes": 10, "days_per_week": 3}
    adapt = [
        {"exercise": "cat-camel", "remove": True},
        {"exercise": "modified-curl-up", "instead": "dead-bug-arms", "goal": "endurance"},
        {"exercise": "walk-easy", "dosage": dosage},
        {"exercise": "walk-brisk", "phase": "Strength", "dosage": dosage},
        {"exercise": "bird-dog", "instead": "glute-bridge", "dosage": {"sets": 4, "reps": 5, "days_per_week": 2}},
    ]
    program = desk.drafts(bo, protocol=BACK, adapt=adapt)
    found = things(program["revision"])
    swapped = {"modified-curl-up": "dead-bug-arms", "bird-dog": "glute-bridge"}
    expected = {
        label: [swapped.get(one, one) for one in listed if one != "cat-camel"] for label, listed in plain.items()
    }
    assert found == expected != plain
    lines = {(one["label"], line["exercise"]): line for one in program["revision"]["phases"] for line in one["items"]}
    assert lines["Control", "walk-easy"]["text"] == "10 min; 3 days a week"
    assert lines["Strength", "walk-brisk"]["text"] == "10 min; 3 days a week"
    assert lines["Endurance", "walk-brisk"]["text"] == "20 min, effort 5 of 10; 5 days a week"
    assert lines["Endurance", "dead-bug-arms"]["goal"] == "endurance"
    # The place in the list is the protocol's; the dosage is the exercise's own, unless one was said.
    starting = desk.get("/exercises/dead-bug-arms")["dosage"]
    swap = lines["Endurance", "dead-bug-arms"]
    assert {name: swap["dosage"][name] for name in starting} == starting
    assert lines["Endurance", "dead-bug-arms"]["text"] == "2 × 10; 5 days a week"
    assert {line["text"] for (_, name), line in lines.items() if name == "glute-bridge"} >= {"4 × 5; 2 days a week"}
    assert (program["protocol"], program["protocol_version"]) == (BACK, 1)


def test_items_are_added_to_a_phase_by_its_label(desk: Desk, bo: str) -> None:
    plain = things(desk.drafts(bo, protocol=BACK)["revision"])
    extra = [phase(item("sit-to-stand"), care("back-basics", as_needed_max_per_day=1), label="Endurance")]
    program = desk.drafts(bo, protocol=BACK, phases=extra)
    assert things(program["revision"]) == {**plain, "Endurance": [*plain["Endurance"], "sit-to-stand", "back-basics"]}
    assert [(one["from_day"], one["to_day"]) for one in program["revision"]["phases"]] == [
        (1, 28),
        (29, 56),
        (57, None),
    ]


@pytest.mark.parametrize(
    ("said", "status", "where"),
    [
        (
            {"adapt": [{"exercise": "walk-easy", "goal": "endurance"}, {"exercise": "sit-to-stand", "side": "left"}]},
            404,
            "/adapt/1/exercise",
        ),
        ({"adapt": [{"exercise": "walk-easy", "phase": "Strength", "remove": True}]}, 404, "/adapt/0/exercise"),
        ({"adapt": [{"exercise": "walk-easy", "remove": True}, {"exercise": "walk-brisk"}]}, 422, "/adapt/1"),
        ({"adapt": [{"exercise": "walk-easy", "phase": "Control", "remove": False}]}, 422, "/adapt/0"),
        ({"adapt": [{"exercise": "unheard-of", "remove": True}]}, 404, "/adapt/0/exercise"),
        ({"adapt": [{"exercise": "walk-easy", "dosage": {"sets": 2}}]}, 422, "/adapt/0/dosage"),
        ({"phases": [phase(item("bird-dog"), label="Middle")]}, 422, "/phases/0/label"),
    ],
)
def test_what_does_not_fit_the_protocol_is_pointed_at(desk: Desk, bo: str, said: Json, status: int, where: str) -> None:
    answer = desk.call("POST", f"/patients/{bo}/programs", {"protocol": BACK, **said})
    assert pointer(answer, status) == where
    assert desk.get(f"/patients/{bo}/programs")["items"] == []


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"adapt": [{"exercise": "walk-easy", "instead": "unheard-of"}]}, "/adapt/0/instead"),
        ({"phases": [phase(item("unheard-of"), label="Endurance")]}, "/phases/0/items/0/exercise"),
    ],
)
def test_an_exercise_nobody_knows_is_pointed_at_where_it_was_said(desk: Desk, bo: str, said: Json, where: str) -> None:
    answer = desk.call("POST", f"/patients/{bo}/programs", {"protocol": BACK, **said})
    assert pointer(answer, 404) == where


def test_only_a_protocol_is_adapted(desk: Desk, bo: str) -> None:
    said = {"phases": [phase(item("bird-dog"))], "adapt": [{"exercise": "bird-dog", "remove": True}]}
    assert_problem(desk.call("POST", f"/patients/{bo}/programs", said), 422, "invalid")
    assert_problem(desk.call("POST", f"/patients/{bo}/programs", {}), 422, "invalid")
    assert pointer(desk.call("POST", f"/patients/{bo}/programs", {"protocol": "unheard-of"}), 404) == "/protocol"


def test_an_adapted_program_is_checked_as_it_is(desk: Desk, bo: str) -> None:
    desk.screens(bo)
    desk.has(bo, "osteoporosis")
    plain = desk.drafts(bo, protocol=BACK)
    harmful = {one["exercise"] for one in of_rule(desk.checks(plain), "R-08")}
    assert "modified-curl-up" in harmful
    adapt = [{"exercise": exercise, "remove": True} for exercise in sorted(harmful)]
    adapted = desk.drafts(bo, protocol=BACK, adapt=adapt)
    assert desk.checks(adapted)["blocks"] == 0
    assert desk.activates(adapted).is_success


def test_a_protocol_refused_for_an_unstable_neck_yields_to_a_clearance_only(desk: Desk, bo: str) -> None:
    desk.screens(bo)
    neck = desk.has(bo, "ra-cervical-instability")
    program = desk.drafts(bo, protocol="ra-spine-safe")
    (finding,) = of_rule(desk.checks(program), "R-49")
    assert (finding["severity"], finding["can_be_overridden"]) == ("block", False)
    cleared = {"cleared_by": "Dr Rao", "cleared_on": "2025-03-01"}
    said = {"code": neck["code"], "status": "confirmed", "details": cleared}
    assert desk.call("PUT", f"/patients/{bo}/conditions/{neck['id']}", said, match=1).status_code == 200
    assert of_rule(desk.checks(program), "R-49") == []


@pytest.mark.parametrize(
    "said",
    [
        {"phases": [phase(item("glute-bridge"))], "flare": {"protocol": "ra-flare-day"}},
        {"phases": [phase(item("glute-bridge"))]},
        {"protocol": "ra-flare-day"},
        {"protocol": BACK},
        {"phases": [phase(care("heat-pack", days_per_week=3))]},
    ],
)
def test_any_program_waits_for_an_unstable_neck_to_be_cleared(desk: Desk, bo: str, said: Json) -> None:
    desk.screens(bo)
    desk.has(bo, "ra-cervical-instability")
    program = desk.drafts(bo, **said)
    (finding,) = of_rule(desk.checks(program), "R-49")
    assert (finding["severity"], finding["can_be_overridden"]) == ("block", False)
    assert_problem(desk.activates(program), 409, "safety_blocked")


def test_care_items_are_adapted_too(desk: Desk, bo: str) -> None:
    plain = desk.get(f"/protocols/{BACK}")
    label, slug = next((one["label"], line["care"]) for one in plain["phases"] for line in one["items"] if line["care"])
    dosage = {"duration_minutes": 5, "as_needed_max_per_day": 1}
    changed = desk.drafts(bo, protocol=BACK, adapt=[{"exercise": slug, "phase": label, "dosage": dosage}])
    texts = {
        (one["label"], line["care"]): line["text"] for one in changed["revision"]["phases"] for line in one["items"]
    }
    assert texts[label, slug] == "5 min; as needed, at most once a day"
    assert things(changed["revision"]) == things(plain)
    without = desk.drafts(bo, protocol=BACK, adapt=[{"exercise": slug, "remove": True}])
    assert things(without["revision"]) == {
        name: [one for one in listed if one != slug] for name, listed in things(plain).items()
    }
    swapped = desk.drafts(bo, protocol=BACK, adapt=[{"exercise": slug, "phase": label, "instead": "glute-bridge"}])
    at = things(plain)[label].index(slug)
    line = next(one for one in swapped["revision"]["phases"] if one["label"] == label)["items"][at]
    assert (line["exercise"], line["care"]) == ("glute-bridge", None)


def test_what_would_block_only_warns_where_a_protocol_departs_from_it(desk: Desk, bo: str) -> None:
    desk.screens(bo)
    desk.has(bo, "chronic-lbp")
    plain = desk.drafts(bo, item("walk-easy", sets=1, reps=1, duration_minutes=30))
    assert [one["severity"] for one in of_rule(desk.checks(plain), "R-03")] == ["block"]
    program = desk.drafts(bo, protocol="low-impact-aerobic-ramp")
    (finding,) = of_rule(desk.checks(program), "R-03")
    assert (finding["severity"], finding["can_be_overridden"]) == ("warn", False)
    assert "Accepted in this protocol: " in finding["message"]
    refused: Any = assert_problem(desk.activates(program, acknowledged=[]), 409, "not_acknowledged")
    assert of_rule(refused, "R-03") == [finding]
    assert desk.activates(program).is_success


def test_a_rule_a_protocol_departs_from_only_informs(desk: Desk, bo: str) -> None:
    desk.screens(bo)
    (finding,) = of_rule(desk.checks(desk.drafts(bo, protocol="aquatic-spine-joint")), "R-17")
    assert finding["severity"] == "info"
    assert "Accepted in this protocol: " in finding["message"]


# The list.


def test_the_shelf_and_the_clinics_own_are_listed(desk: Desk, bo: str) -> None:
    desk.post("/protocols", {"slug": "our-desk", **ours()})
    listed = desk.get("/protocols", by=bo)["items"]
    shelf = [one for one in listed if not one["is_own"]]
    assert [one["code"] for one in shelf] == [f"T{number:02}" for number in range(1, 20)]
    assert [one["slug"] for one in listed if one["is_own"]] == ["our-desk"]
    for protocol in listed:
        lists = [*(one["items"] for one in protocol["phases"]), protocol["maintenance"]]
        assert all(lists), protocol["slug"]
        for line in (line for one in lists for line in one):
            assert (line["exercise"] is None) != (line["care"] is None)
            assert line["text"]
            assert "None" not in line["text"]
    back = desk.get(f"/protocols/{BACK}")
    assert back == next(one for one in listed if one["slug"] == BACK)
    assert [line["text"] for line in back["phases"][0]["items"]][-2:] == [
        "3 × 15 s; 5 days a week",
        "15 min; as needed, at most 3 times a day",
    ]


def test_every_protocol_of_the_shelf_becomes_a_program(desk: Desk, bo: str) -> None:
    for protocol in desk.get("/protocols")["items"]:
        program = desk.drafts(bo, protocol=protocol["slug"])
        assert things(program["revision"]) == things(protocol)
        assert (program["title"], program["protocol"]) == (protocol["name"], protocol["slug"])


def test_the_protocol_for_flare_days_becomes_a_program_too(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo, protocol="ra-flare-day")
    assert list(things(program["revision"])) == ["Flare days"]
    assert things(program["revision"]) == things(desk.get("/protocols/ra-flare-day"))
    desk.screens(bo)
    assert desk.activates(program).is_success


# A clinic's own.


def test_a_clinic_saves_its_own_and_prescribes_from_it(desk: Desk, bo: str) -> None:
    saved = desk.call("POST", "/protocols", {"slug": "our-desk", **ours()})
    assert (saved.status_code, saved.headers["etag"]) == (201, '"v1"')
    said = saved.json()
    assert (said["slug"], said["version"], said["is_own"], said["code"]) == ("our-desk", 1, True, None)
    assert (said["name"], said["conditions"], said["weeks"]) == ("Our desk course", ["chronic-lbp"], 6)
    assert said["check_in_months"] == [1, 3, 6, 12, 24]
    assert said["phases"][0]["items"][0]["text"] == "2 × 8; 3 days a week"
    assert things(said) == {"Start": ["bird-dog"], "Build": ["bird-dog", "micro-breaks"]}
    assert desk.get("/protocols/our-desk") == said
    program = desk.drafts(bo, protocol="our-desk", adapt=[{"exercise": "bird-dog", "phase": "Build", "remove": True}])
    assert (program["protocol"], program["protocol_version"], program["title"]) == ("our-desk", 1, "Our desk course")
    assert things(program["revision"]) == {"Start": ["bird-dog"], "Build": ["micro-breaks"]}


def test_an_amended_protocol_leaves_programs_as_they_were(desk: Desk, bo: str, clock: Clock) -> None:
    desk.post("/protocols", {"slug": "our-desk", **ours()})
    program = desk.runs(bo, protocol="our-desk")
    clock.now += DAY
    new = ours(item("glute-bridge"), item("cat-camel"), name="Our desk course, shorter")
    assert_problem(desk.call("PUT", "/protocols/our-desk", new), 428, "if_match_required")
    amended = desk.call("PUT", "/protocols/our-desk", new, match=1)
    assert (amended.status_code, amended.headers["etag"]) == (200, '"v2"')
    assert (amended.json()["version"], amended.json()["name"]) == (2, "Our desk course, shorter")
    assert_problem(desk.call("PUT", "/protocols/our-desk", new, match=1), 412, "version_mismatch")
    assert desk.program(program)["revision"] == program["revision"]
    assert desk.program(program)["protocol_version"] == 1
    listed = [one for one in desk.get("/protocols")["items"] if one["slug"] == "our-desk"]
    assert [one["version"] for one in listed] == [2]
    again = desk.drafts(bo, protocol="our-desk")
    assert again["protocol_version"] == 2
    assert things(again["revision"])["Start"] == ["glute-bridge", "cat-camel"]


def test_maintenance_comes_from_the_clinics_own_too(desk: Desk, bo: str) -> None:
    desk.post("/protocols", {"slug": "our-desk", **ours()})
    program = desk.runs(bo, protocol="our-desk")
    said = {"maintenance": {"protocol": "our-desk"}, "acknowledged": ["R-17", "R-27"]}
    kept = desk.post(f"/programs/{program['id']}/discharge", said)["maintenance"]
    assert (kept["protocol"], kept["title"]) == ("our-desk", "Our desk course: maintenance")
    assert things(kept["revision"]) == {"Maintenance": ["glute-bridge"]}


def test_a_name_is_taken_once(desk: Desk, bo: str) -> None:
    desk.post("/protocols", {"slug": "our-desk", **ours()})
    for slug in (BACK, "our-desk"):
        answer = desk.call("POST", "/protocols", {"slug": slug, **ours()})
        problem: Any = assert_problem(answer, 409, "name_taken")
        assert [error["pointer"] for error in problem["errors"]] == ["/slug"]
    assert desk.get(f"/protocols/{BACK}")["is_own"] is False
    assert_problem(desk.call("PUT", f"/protocols/{BACK}", ours(), match=1), 404, "unknown")
    assert_problem(desk.call("POST", "/protocols", {"slug": "x", **ours()}, by=bo), 403)


def test_a_stranger_neither_sees_nor_uses_nor_amends_it(desk: Desk, stranger: Clinic, clock: Clock) -> None:
    desk.post("/protocols", {"slug": "our-desk", **ours()})
    theirs = Desk(desk.client, desk.database, stranger.ines, clock)
    assert_problem(theirs.call("GET", "/protocols/our-desk"), 404, "unknown")
    assert "our-desk" not in [one["slug"] for one in theirs.get("/protocols")["items"]]
    assert_problem(theirs.call("PUT", "/protocols/our-desk", ours(), match=1), 404, "unknown")
    someone = theirs.a_patient()
    assert pointer(theirs.call("POST", f"/patients/{someone}/programs", {"protocol": "our-desk"}), 404) == "/protocol"
    # The name is theirs to use.
    assert theirs.call("POST", "/protocols", {"slug": "our-desk", **ours(name="Theirs")}).status_code == 201
    assert desk.get("/protocols/our-desk")["name"] == "Our desk course"


WRONG: list[tuple[Json, int, str]] = [
    ({"conditions": ["chronic-lbp", "unheard-of"]}, 422, "/conditions/1"),
    ({"phases": [phase(item("bird-dog"), item("unheard-of"))]}, 404, "/phases/0/items/1/exercise"),
    ({"phases": [phase(care("unheard-of", days_per_week=1))]}, 404, "/phases/0/items/0/care"),
    ({"maintenance": [item("unheard-of")]}, 404, "/maintenance/0/exercise"),
    ({"maintenance": []}, 422, "/maintenance"),
    ({"phases": []}, 422, "/phases"),
    ({"phases": [phase({"exercise": "bird-dog", "care": "heat-pack", "dosage": DOSE})]}, 422, "/phases/0/items/0"),
    ({"slug": "Our Desk"}, 422, "/slug"),
]


def test_what_is_wrong_with_a_protocol_is_pointed_at(desk: Desk) -> None:
    for but, status, where in WRONG:
        answer = desk.call("POST", "/protocols", {"slug": "our-desk", **ours(), **but})
        assert pointer(answer, status) == where, but
    assert [one["slug"] for one in desk.get("/protocols")["items"] if one["is_own"]] == []


def test_phases_of_a_protocol_follow_one_another(desk: Desk) -> None:
    one, two = item("bird-dog"), item("glute-bridge")
    bo = desk.a_patient()
    running = desk.runs(bo)
    for phases, where in (
        ([phase(one, label="A"), phase(two, label="B", from_day=15)], "/phases/1/from_day"),
        ([phase(one, label="A", to_day=14), phase(two, label="B", from_day=14)], "/phases/1/from_day"),
        ([phase(one, label="A", to_day=14), phase(two, label="A", from_day=15)], "/phases/1/label"),
        ([phase(one, label="A", from_day=9, to_day=8), phase(two, label="B", from_day=10)], "/phases/0/to_day"),
        ([phase(one, label="Flare plan")], "/phases/0/label"),
        ([phase(one, label="A", to_day=14), phase(two, label="Flare plan", from_day=15)], "/phases/1/label"),
    ):
        saved = desk.call("POST", "/protocols", {"slug": "our-desk", **ours(), "phases": phases})
        assert pointer(saved) == where
        assert pointer(desk.call("POST", f"/patients/{bo}/programs", {"phases": phases})) == where
        assert pointer(desk.call("POST", f"/programs/{running['id']}/check", {"phases": phases})) == where
        assert pointer(desk.revises(running, *phases)) == where
    assert "our-desk" not in [one["slug"] for one in desk.get("/protocols")["items"]]


def test_what_is_amended_is_as_well_formed_as_what_is_saved(desk: Desk) -> None:
    desk.post("/protocols", {"slug": "our-desk", **ours()})
    for phases, where in (
        ([phase(item("bird-dog"), label="A", from_day=9, to_day=8)], "/phases/0/to_day"),
        ([phase(item("bird-dog"), label="Flare plan")], "/phases/0/label"),
    ):
        assert pointer(desk.call("PUT", "/protocols/our-desk", {**ours(), "phases": phases}, match=1)) == where
    assert desk.get("/protocols/our-desk")["version"] == 1


@pytest.mark.parametrize(
    "phases",
    [
        [phase(item("bird-dog"), label="A", from_day=8, to_day=8), phase(item("bird-dog"), label="B", from_day=10)],
        [phase(item("bird-dog"), label="Flare days")],
    ],
)
def test_what_can_be_saved_can_be_prescribed(desk: Desk, bo: str, phases: list[Json]) -> None:
    desk.post("/protocols", {"slug": "our-desk", **ours(), "phases": phases})
    program = desk.drafts(bo, protocol="our-desk")
    assert [one["label"] for one in program["revision"]["phases"]] == [one["label"] for one in phases]
