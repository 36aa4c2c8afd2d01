"""What is known of a patient's health: conditions, examinations, check-ins."""

import re
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from models.database import Database
from tests.api.conftest import Clinic, assert_problem
from tests.api.desk import ALL_RULES, Desk, Json, a_desk, answers, item, of_rule, phase, pointer
from tests.builders import DAY, MONDAY
from tests.conftest import Clock

LONG_AGO = (MONDAY - timedelta(days=120)).isoformat()
TOMORROW = (MONDAY + DAY).isoformat()


@pytest.fixture
def desk(client: httpx.Client, database: Database, clock: Clock) -> Desk:
    return a_desk(client, database, clock)


@pytest.fixture
def bo(desk: Desk) -> str:
    return desk.a_patient()


def conditions(desk: Desk, patient: str) -> Any:
    return desk.get(f"/patients/{patient}/conditions")


# Conditions.


def test_the_vocabulary_says_what_each_condition_tells(desk: Desk, bo: str) -> None:
    words = {word["code"]: word for word in desk.get("/conditions", by=bo)["items"]}
    assert words["osteoporosis"] == {"code": "osteoporosis", "name": "Osteoporosis", "details": []}
    neck = next(detail for detail in words["ra"]["details"] if detail["name"] == "neck_status")
    assert neck == {"name": "neck_status", "kind": "one", "words": ["unknown", "cleared", "unstable"]}
    assert "other" in words


def test_a_condition_is_kept_as_it_was_told(desk: Desk, bo: str) -> None:
    said: Json = {
        "code": "ra",
        "status": "suspected",
        "onset_on": "2019-05-01",
        "side": "both",
        "joints": ["wrist_hand", "knee"],
        "details": {"neck_status": "cleared", "neck_cleared_by": "Dr Rao", "neck_cleared_on": "2025-03-01"},
        "source": "Letter of the rheumatologist",
        "review_on": "2025-09-01",
    }
    made = desk.has(bo, **said)
    assert {name: made[name] for name in said} == said
    assert (made["version"], made["endangers"]) == (1, [])
    assert conditions(desk, bo)["items"] == [made]


WRONG: list[tuple[Json, str]] = [
    ({"code": "unheard-of"}, "/code"),
    ({"code": ""}, "/code"),
    ({"status": "maybe"}, "/status"),
    ({"code": "osteoporosis", "details": {"neck_status": "cleared"}}, "/details/neck_status"),
    ({"details": {"neck_status": "fine"}}, "/details/neck_status"),
    ({"details": {"neck_status": ["unknown"]}}, "/details/neck_status"),
    ({"details": {"neck_status": True}}, "/details/neck_status"),
    ({"details": {"neck_status": "cleared"}}, "/details/neck_cleared_by"),
    ({"details": {"neck_cleared_on": "2025-03-01"}}, "/details/neck_cleared_by"),
    ({"details": {"neck_cleared_by": "Dr Rao"}}, "/details/neck_cleared_on"),
    ({"details": {"neck_cleared_by": "Dr Rao", "neck_cleared_on": TOMORROW}}, "/details/neck_cleared_on"),
    ({"details": {"neck_cleared_by": "Dr Rao", "neck_cleared_on": "1 March"}}, "/details/neck_cleared_on"),
    ({"code": "cardiac", "details": {"cleared_on": "2025-03-01"}}, "/details/cleared_by"),
    ({"code": "cardiac", "details": {"cleared_by": "Dr Rao", "cleared_on": "2025-02-30"}}, "/details/cleared_on"),
    ({"code": "corticosteroid", "details": {"dose_mg_per_day": 201}}, "/details/dose_mg_per_day"),
    ({"code": "corticosteroid", "details": {"dose_mg_per_day": "5"}}, "/details/dose_mg_per_day"),
    ({"code": "corticosteroid", "details": {"bone_status": "good"}}, "/details/bone_status"),
    ({"code": "sciatica", "details": {"provoked_by": ["flexion", "rain"]}}, "/details/provoked_by"),
    ({"code": "sciatica", "details": {"provoked_by": "flexion"}}, "/details/provoked_by"),
    ({"code": "falls-risk", "details": {"is_high": "yes"}}, "/details/is_high"),
    ({"code": "post-op-hip", "details": {"surgery_on": TOMORROW}}, "/details/surgery_on"),
    ({"code": "joint-flare"}, "/joints"),
    ({"code": "joint-flare", "joints": ["knee", "elbows"]}, "/joints/1"),
    ({"onset_on": TOMORROW}, "/onset_on"),
    ({"onset_on": "long ago"}, "/onset_on"),
    ({"unheard_of": 1}, "/unheard_of"),
]


def test_what_is_wrong_with_a_condition_is_pointed_at(desk: Desk, bo: str) -> None:
    for said, where in WRONG:
        answer = desk.call("POST", f"/patients/{bo}/conditions", {"code": "ra", "status": "confirmed", **said})
        assert pointer(answer) == where, said
    assert conditions(desk, bo)["items"] == []


NO_SHAPE: list[object] = ["", -1, 1e9, None, {}, {"mg": 5}, [[]], [{}], "x" * 500, "a\u0000b"]


@pytest.mark.parametrize("value", NO_SHAPE)
def test_a_detail_of_no_known_shape_is_pointed_at(desk: Desk, bo: str, value: object) -> None:
    said = {"code": "corticosteroid", "status": "confirmed", "details": {"dose_mg_per_day": value}}
    assert pointer(desk.call("POST", f"/patients/{bo}/conditions", said)) == "/details/dose_mg_per_day"
    assert conditions(desk, bo)["items"] == []


@pytest.mark.parametrize("value", [None, {}, {"left": 40}, [[]], [{}], "x" * 5000, "a\u0000b"])
def test_a_test_of_no_known_shape_is_pointed_at(desk: Desk, bo: str, value: object) -> None:
    where = f"/patients/{bo}/examinations"
    said = {"tests": {"sit_to_stand_30s": 11, "straight_leg_raise": value}}
    assert pointer(desk.call("POST", where, said)) == "/tests/straight_leg_raise"
    assert desk.get(where)["items"] == []


def test_each_wrong_value_is_one_error(desk: Desk, bo: str) -> None:
    said = {"code": "corticosteroid", "status": "confirmed", "details": {"dose_mg_per_day": {}, "bone_status": None}}
    problem: Any = assert_problem(desk.call("POST", f"/patients/{bo}/conditions", said), 422, "invalid")
    assert sorted(error["pointer"] for error in problem["errors"]) == [
        "/details/bone_status",
        "/details/dose_mg_per_day",
    ]


@pytest.mark.parametrize(
    ("days", "details", "derived"),
    [
        (120, {"dose_mg_per_day": 5}, ["corticosteroid-long-term"]),
        (91, {"dose_mg_per_day": 2.5}, ["corticosteroid-long-term"]),
        (90, {"dose_mg_per_day": 5}, []),
        (120, {"dose_mg_per_day": 2}, []),
        (120, {}, ["corticosteroid-long-term"]),
        (30, {"dose_mg_per_day": 5, "bone_status": "osteoporosis"}, ["osteoporosis"]),
    ],
)
def test_long_term_steroids_follow_from_dose_and_time(
    desk: Desk, bo: str, days: int, details: Json, derived: list[str]
) -> None:
    onset = (MONDAY - timedelta(days=days)).isoformat()
    desk.has(bo, "corticosteroid", onset_on=onset, details=details)
    assert conditions(desk, bo)["derived"] == derived


def test_what_follows_is_as_of_today_and_goes_when_its_cause_does(desk: Desk, bo: str, clock: Clock) -> None:
    steroid = desk.has(bo, "corticosteroid", onset_on=MONDAY.isoformat(), details={"dose_mg_per_day": 5})
    assert conditions(desk, bo)["derived"] == []
    clock.now += 91 * DAY
    assert conditions(desk, bo)["derived"] == ["corticosteroid-long-term"]
    over = {"code": "corticosteroid", "status": "resolved"}
    assert desk.call("PUT", f"/patients/{bo}/conditions/{steroid['id']}", over, match=1).status_code == 200
    assert conditions(desk, bo)["derived"] == []
    assert [one["status"] for one in conditions(desk, bo)["items"]] == ["resolved"]


def test_long_term_steroids_count_in_the_check(desk: Desk, bo: str) -> None:
    desk.has(bo, "corticosteroid", onset_on=LONG_AGO, details={"dose_mg_per_day": 5})
    program = desk.drafts(bo, item("modified-curl-up"))
    assert [one["condition"] for one in of_rule(desk.checks(program), "R-08")] == ["corticosteroid-long-term"]


def test_a_condition_is_amended_by_who_read_the_latest(desk: Desk, bo: str) -> None:
    made = desk.has(bo, "ra")
    where = f"/patients/{bo}/conditions/{made['id']}"
    said = {"code": "ra", "status": "confirmed", "source": "Letter"}
    assert_problem(desk.call("PUT", where, said), 428, "if_match_required")
    amended = desk.call("PUT", where, said, match=1)
    assert (amended.headers["etag"], amended.json()["source"]) == ('"v2"', "Letter")
    assert_problem(desk.call("PUT", where, said, match=1), 412, "version_mismatch")
    assert pointer(desk.call("PUT", where, {**said, "code": "sle"}, match=2)) == "/code"
    future = {**said, "details": {"neck_cleared_by": "Dr Rao", "neck_cleared_on": TOMORROW}}
    assert pointer(desk.call("PUT", where, future, match=2)) == "/details/neck_cleared_on"
    assert [(one["code"], one["version"]) for one in conditions(desk, bo)["items"]] == [("ra", 2)]


def test_a_condition_of_someone_else_is_unknown(desk: Desk, bo: str, stranger: Clinic) -> None:
    ann = desk.a_patient()
    hers = desk.has(ann, "oa-hand")["id"]
    said = {"code": "oa-hand", "status": "resolved"}
    for patient, condition in (
        (bo, hers),
        (ann, stranger.condition_id),
        (stranger.patient_id, stranger.condition_id),
        (ann, uuid4()),
    ):
        assert_problem(desk.call("PUT", f"/patients/{patient}/conditions/{condition}", said, match=1), 404, "unknown")
    assert_problem(desk.call("GET", f"/patients/{ann}/conditions", by=ann), 403)


def test_a_new_condition_says_which_running_programs_it_endangers(desk: Desk, bo: str, clock: Clock) -> None:
    running = desk.runs(bo, item("bird-dog"), item("modified-curl-up"))
    harmless = desk.runs(bo, item("bird-dog"))
    desk.drafts(bo, item("modified-curl-up"))
    over = desk.runs(bo, item("modified-curl-up"))
    desk.post(f"/programs/{over['id']}/stop", {"reason": "no_time"})
    untaught = desk.runs(bo, item("glute-bridge"))
    clock.now += 30 * DAY
    for one in (running, harmless):
        taught = [{"line_id": line["line_id"], "teach_back": "shown"} for line in one["revision"]["phases"][0]["items"]]
        desk.post(f"/programs/{one['id']}/teachings", {"lines": taught})
    made = desk.has(bo, "vertebral-fracture", onset_on="2025-03-20")
    assert endangers(made).pop(untaught["id"]) == ["R-37/glute-bridge/vertebral-fracture"]
    made["endangers"] = [one for one in made["endangers"] if one["program_id"] != untaught["id"]]
    (endangered,) = made["endangers"]
    assert endangered["program_id"] == running["id"] != harmless["id"]
    assert [one["finding"] for one in endangered["findings"]] == ["R-08/modified-curl-up/vertebral-fracture/FLL"]
    assert endangered["findings"][0]["can_be_overridden"] is False
    line = running["revision"]["phases"][0]["items"][1]["line_id"]
    assert endangered["findings"][0]["line_ids"] == [line]
    assert desk.program(running)["status"] == "active"


def test_an_amended_condition_endangers_too(desk: Desk, bo: str) -> None:
    cleared = {"neck_status": "cleared", "neck_cleared_by": "Dr Rao", "neck_cleared_on": "2025-03-01"}
    ra = desk.has(bo, "ra", details=cleared)
    assert ra["endangers"] == []
    program = desk.runs(bo, item("chin-tuck-seated"))
    said = {"code": "ra", "status": "confirmed", "details": {"neck_status": "unstable"}}
    amended = desk.call("PUT", f"/patients/{bo}/conditions/{ra['id']}", said, match=1).json()
    assert conditions(desk, bo)["derived"] == ["ra-cervical-instability"]
    (endangered,) = amended["endangers"]
    assert endangered["program_id"] == program["id"]
    assert {one["rule"] for one in endangered["findings"]} == {"R-08", "R-12", "R-49"}


# Programs that new facts endanger.

CURL_UP = item("modified-curl-up")
BONE = "R-08/modified-curl-up/osteoporosis/FLL"


def dangers(desk: Desk) -> list[Json]:
    found: list[Json] = desk.get("/worklist?kind=endangered")["items"]
    return found


def endangers(made: Json) -> dict[str, list[str]]:
    """Program → findings."""
    return {one["program_id"]: [finding["finding"] for finding in one["findings"]] for one in made["endangers"]}


def amends(desk: Desk, patient: str, known: Json, **but: object) -> Json:
    said = {"code": known["code"], "status": known["status"], **but}
    where = f"/patients/{patient}/conditions/{known['id']}"
    answer = desk.call("PUT", where, said, match=known["version"])
    assert answer.status_code == 200, answer.text
    amended: Json = answer.json()
    return amended


def test_an_endangered_program_is_on_the_worklist(desk: Desk, bo: str, stranger: Clinic, clock: Clock) -> None:
    program = desk.runs(bo, CURL_UP, item("bird-dog"))
    desk.runs(bo, item("bird-dog"))
    desk.drafts(bo, CURL_UP)
    desk.runs(desk.a_patient(), CURL_UP)
    clock.now += DAY
    assert dangers(desk) == []
    made = desk.has(bo, "osteoporosis")
    assert endangers(made) == {program["id"]: [BONE]}
    (row,) = dangers(desk)
    assert (row["program_id"], row["patient"]["id"], row["severity"]) == (program["id"], bo, "high")
    assert row["opened_at"] == "2025-03-04T12:00:00Z"
    (finding,) = of_rule(desk.checks(program), "R-08")
    assert row["evidence"] == f"What is known now makes the running program unsafe. {finding['message']}"
    assert row["next_step"].startswith("Today: change the program or override with a reason")
    theirs = Desk(desk.client, desk.database, stranger.ines, clock)
    assert dangers(theirs) == []
    clock.now += DAY
    # More of it rewords the flag that is open.
    desk.has(bo, "vertebral-fracture", onset_on="2025-03-01")
    (again,) = (one for one in dangers(desk) if one["program_id"] == program["id"])
    assert (again["flag_id"], again["opened_at"]) == (row["flag_id"], row["opened_at"])
    assert re.search(r" And \d+ more\.$", again["evidence"])


def test_a_program_that_is_revised_safely_is_off_the_worklist(desk: Desk, bo: str) -> None:
    program = desk.runs(bo, CURL_UP, item("bird-dog"))
    desk.has(bo, "osteoporosis")
    assert len(dangers(desk)) == 1
    # Something else was changed meanwhile, and that is no reason to let it through.
    assert_problem(desk.revises(program, phase(CURL_UP)), 409, "safety_blocked")
    assert len(dangers(desk)) == 1
    # From next week on is not yet safe.
    assert desk.revises(program, phase(item("bird-dog")), effective_on="2025-03-10").status_code == 201
    assert len(dangers(desk)) == 1
    assert desk.revises(program, phase(item("bird-dog"))).status_code == 201
    assert dangers(desk) == []


def test_a_condition_that_is_over_endangers_nothing(desk: Desk, bo: str) -> None:
    program = desk.runs(bo, CURL_UP)
    bone = desk.has(bo, "osteoporosis")
    assert [row["program_id"] for row in dangers(desk)] == [program["id"]]
    assert amends(desk, bo, bone, status="resolved")["endangers"] == []
    assert dangers(desk) == []
    again = desk.has(bo, "osteoporosis")
    assert endangers(again) == {program["id"]: [BONE]}
    assert len(dangers(desk)) == 1


def test_an_override_given_again_takes_it_off_the_worklist(desk: Desk, bo: str, clock: Clock) -> None:
    desk.screens(bo)
    bone = desk.has(bo, "osteoporosis")
    program = desk.drafts(bo, CURL_UP)
    assert desk.activates(program, {BONE: "Scanned last week, all well."}).is_success
    # What was overridden as it is endangers nothing; as it is not any more, it does.
    sure = amends(desk, bo, bone, source="Letter")
    assert (sure["endangers"], dangers(desk)) == ([], [])
    clock.now += DAY
    older = amends(desk, bo, sure, onset_on="2024-03-01")
    assert endangers(older) == {program["id"]: [BONE]}
    assert [row["program_id"] for row in dangers(desk)] == [program["id"]]
    more = phase(CURL_UP, item("bird-dog"))
    assert_problem(desk.revises(program, more), 409, "safety_blocked")
    assert len(dangers(desk)) == 1
    given = answers({BONE: "The scan is newer than that."}, ALL_RULES)
    assert desk.revises(program, more, **given).status_code == 201
    assert dangers(desk) == []


def test_a_revision_yet_to_begin_is_endangered_too(desk: Desk, bo: str) -> None:
    program = desk.runs(bo, item("bird-dog"))
    later = phase(item("bird-dog"), CURL_UP)
    assert desk.revises(program, later, effective_on="2025-03-17").status_code == 201
    made = desk.has(bo, "osteoporosis")
    assert endangers(made) == {program["id"]: [BONE]}
    assert [row["program_id"] for row in dangers(desk)] == [program["id"]]
    # Taken back.
    assert desk.revises(program, phase(item("bird-dog"))).status_code == 201
    assert dangers(desk) == []


def test_a_program_yet_to_begin_is_endangered_too(desk: Desk, bo: str) -> None:
    program = desk.runs(bo, CURL_UP, starts_on="2025-03-17")
    assert endangers(desk.has(bo, "osteoporosis")) == {program["id"]: [BONE]}
    assert [row["program_id"] for row in dangers(desk)] == [program["id"]]


def test_an_examination_endangers_until_the_next_one(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.runs(bo, item("bird-dog"))
    desk.post(f"/patients/{bo}/examinations", {"systolic": 210, "diastolic": 100})
    (row,) = dangers(desk)
    assert row["program_id"] == program["id"]
    assert row["evidence"].endswith(" unsafe. Blood pressure 210/100: too high to exercise today.")
    clock.now += DAY
    desk.post(f"/patients/{bo}/examinations", {"pain": 3})
    assert len(dangers(desk)) == 1
    desk.post(f"/patients/{bo}/examinations", {"systolic": 150, "diastolic": 90})
    assert dangers(desk) == []


def test_the_patients_record_endangers_too(desk: Desk, bo: str) -> None:
    program = desk.runs(bo, item("single-leg-eyes-closed", side="both"))
    record = {"given_name": "Bo", "family_name": "Berg", "birth_date": "1970-05-14"}
    assert dangers(desk) == []
    answer = desk.call("PUT", f"/patients/{bo}", {**record, "falls_risk": True}, match=1)
    assert answer.status_code == 200, answer.text
    (row,) = dangers(desk)
    assert row["program_id"] == program["id"]
    (finding,) = (one for one in of_rule(desk.checks(program), "R-08") if one["condition"] == "falls-risk")
    assert finding["message"] in row["evidence"]
    assert desk.call("PUT", f"/patients/{bo}", {**record, "falls_risk": False}, match=2).status_code == 200
    assert dangers(desk) == []


def test_what_only_warns_endangers_nothing(desk: Desk, bo: str) -> None:
    desk.runs(bo, item("cat-camel"))
    assert desk.has(bo, "osteoporosis")["endangers"] == []
    desk.post(f"/patients/{bo}/examinations", {"resting_pulse": 130})
    assert dangers(desk) == []


def test_a_program_that_ended_is_off_the_worklist(desk: Desk, bo: str) -> None:
    program = desk.runs(bo, CURL_UP)
    desk.has(bo, "osteoporosis")
    assert len(dangers(desk)) == 1
    desk.post(f"/programs/{program['id']}/stop", {"reason": "no_time"})
    assert dangers(desk) == []


# Examinations.


def test_an_examination_is_kept_and_completes_the_baseline(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.drafts(bo)
    where = f"/patients/{bo}/examinations"
    said = {
        "pain": 5,
        "function": 4.5,
        "confidence": 8,
        "systolic": 128,
        "diastolic": 82,
        "tests": {"sit_to_stand_30s": 11, "straight_leg_raise": "left 40"},
        "note": "Stiff in the morning",
    }
    (missing,) = of_rule(desk.checks(program), "R-27")
    assert missing["message"] == "Baseline missing: pain, function, physical tests."
    made = desk.post(where, said)
    assert {name: made[name] for name in said} == said
    assert (made["importance"], made["low_pressure_symptoms"]) == (None, None)
    assert made["examined_by"] == str(desk.ines.account_id)
    assert of_rule(desk.checks(program), "R-27") == []
    clock.now += DAY
    later = desk.post(where, {"pain": 0})
    assert [one["id"] for one in desk.get(where)["items"]] == [later["id"], made["id"]]
    assert later["pain"] == 0
    assert of_rule(desk.checks(program), "R-27") == []


@pytest.mark.parametrize("said", [{}, {"pain": None}, {"tests": {}}])
def test_an_empty_examination_is_refused(desk: Desk, bo: str, said: Json) -> None:
    where = f"/patients/{bo}/examinations"
    assert_problem(desk.call("POST", where, said), 422, "invalid")
    assert desk.get(where)["items"] == []


def test_a_measure_has_its_limits(desk: Desk, bo: str) -> None:
    for name, value in (
        ("pain", 11),
        ("pain", 4.5),
        ("function", -1),
        ("systolic", 20),
        ("resting_pulse", 900),
        ("unheard_of", 1),
    ):
        assert pointer(desk.call("POST", f"/patients/{bo}/examinations", {name: value})) == f"/{name}"


def test_a_pressure_too_high_blocks_until_it_is_old(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.drafts(bo)
    desk.post(f"/patients/{bo}/examinations", {"systolic": 200, "diastolic": 95})
    (finding,) = of_rule(desk.checks(program), "R-48")
    assert (finding["severity"], finding["message"]) == ("block", "Blood pressure 200/95: too high to exercise today.")
    clock.now += DAY
    # Asked about something else meanwhile: the pressure is still the last one taken.
    desk.post(f"/patients/{bo}/examinations", {"pain": 4})
    assert [one["severity"] for one in of_rule(desk.checks(program), "R-48")] == ["block"]
    clock.now += DAY
    desk.post(f"/patients/{bo}/examinations", {"systolic": 150, "diastolic": 90})
    assert of_rule(desk.checks(program), "R-48") == []


def test_only_the_clinics_staff_examine(desk: Desk, bo: str, stranger: Clinic) -> None:
    for method, body in (("GET", None), ("POST", {"pain": 4})):
        own, theirs = (f"/patients/{one}/examinations" for one in (bo, stranger.patient_id))
        assert_problem(desk.call(method, own, body, by=bo), 403, "not_allowed")
        assert_problem(desk.call(method, theirs, body), 404, "unknown")


# Check-ins.


@pytest.mark.parametrize(
    ("today", "due"),
    [
        ("2026-01-31", ["2026-02-28", "2026-04-30", "2026-07-31", "2027-01-31", "2028-01-31"]),
        ("2026-11-30", ["2026-12-30", "2027-02-28", "2027-05-30", "2027-11-30", "2028-11-30"]),
        ("2027-12-31", ["2028-01-31", "2028-03-31", "2028-06-30", "2028-12-31", "2029-12-31"]),
        ("2028-02-29", ["2028-03-29", "2028-05-29", "2028-08-29", "2029-02-28", "2030-02-28"]),
    ],
)
def test_check_ins_are_due_by_calendar_months(desk: Desk, bo: str, clock: Clock, today: str, due: list[str]) -> None:
    clock.now += date.fromisoformat(today) - MONDAY
    program = desk.runs(bo)
    assert desk.get(f"/patients/{bo}/check-ins", by=bo)["items"] == []
    keep = {"maintenance": {"phases": [phase(item("bird-dog"))]}, **answers(acknowledged=["R-17", "R-27"])}
    desk.post(f"/programs/{program['id']}/discharge", keep)
    found = desk.get(f"/patients/{bo}/check-ins", by=bo)["items"]
    assert [(one["month"], one["due_on"]) for one in found] == list(zip((1, 3, 6, 12, 24), due, strict=True))


def test_check_ins_of_two_discharges_come_in_the_order_they_are_due(desk: Desk, bo: str, clock: Clock) -> None:
    first, second = desk.runs(bo), desk.runs(bo)
    for program in (first, second):
        keep = {"maintenance": {"phases": [phase(item("bird-dog"))]}, **answers(acknowledged=["R-17", "R-27"])}
        desk.post(f"/programs/{program['id']}/discharge", keep)
        clock.now += 10 * DAY
    found = desk.get(f"/patients/{bo}/check-ins")["items"]
    assert [one["due_on"] for one in found] == sorted(one["due_on"] for one in found)
    assert [one["program_id"] for one in found[:4]] == [first["id"], second["id"]] * 2
    assert len(found) == 10
