"""The safety check: what it says, what it lets through, and the record of who answered what."""

from typing import Any

import httpx
import pytest

from models.database import Database
from models.safety.red_flags import RED_FLAGS
from tests.api.conftest import Clinic, assert_problem
from tests.api.desk import ALL_RULES, REASON, Desk, Json, a_desk, answers, care, item, of_rule, phase, pointer
from tests.architecture.statements import counting
from tests.builders import DAY
from tests.conftest import Clock

CURL_UP = item("modified-curl-up")
BONE = "R-08/modified-curl-up/osteoporosis/FLL"


@pytest.fixture
def desk(client: httpx.Client, database: Database, clock: Clock) -> Desk:
    return a_desk(client, database, clock)


@pytest.fixture
def bo(desk: Desk) -> str:
    """Screened, with osteoporosis."""
    patient = desk.a_patient()
    desk.screens(patient)
    desk.has(patient, "osteoporosis")
    return patient


def test_a_patient_who_was_never_screened_is_blocked_first_of_all(desk: Desk) -> None:
    patient = desk.a_patient()
    program = desk.drafts(patient)
    said = desk.checks(program)
    first = said["findings"][0]
    assert (first["finding"], first["severity"], first["can_be_overridden"]) == ("R-01/screening", "block", True)
    assert first["message"] == (
        "Screen for serious causes first; not asked in the last 14 days: RF-01, RF-02, RF-05, RF-06, RF-08, RF-10."
    )
    assert said["blocks"] == 1
    desk.screens(patient)
    assert of_rule(desk.checks(program), "R-01") == []


GENERAL = ["RF-01", "RF-02", "RF-05", "RF-06", "RF-08", "RF-10"]


@pytest.mark.parametrize(
    ("condition", "further"),
    [
        (None, []),
        ("oa-hand", []),
        ("ra", ["RF-03"]),
        ("ra-cervical-instability", ["RF-03"]),
        ("neck-pain", ["RF-03"]),
        ("cervical-radiculopathy", ["RF-03"]),
        ("sle", ["RF-07"]),
        ("lupus-nephritis", ["RF-07"]),
        ("pregnancy", ["RF-13"]),
    ],
)
def test_what_must_be_asked_depends_on_the_conditions(desk: Desk, condition: str | None, further: list[str]) -> None:
    patient = desk.a_patient()
    if condition:
        desk.has(patient, condition)
    program = desk.drafts(patient)
    unasked = sorted([*GENERAL, *further])
    while unasked:
        (finding,) = of_rule(desk.checks(program), "R-01")
        assert finding["message"].endswith(f" 14 days: {', '.join(unasked)}.")
        # Each of them counts by itself, in whichever screening it was asked.
        asked = {"answers": {unasked.pop(0): False}}
        desk.post(f"/patients/{patient}/screenings", asked)
    assert of_rule(desk.checks(program), "R-01") == []


def test_each_question_is_asked_anew_every_fourteen_days(desk: Desk, clock: Clock) -> None:
    patient = desk.a_patient()
    desk.screens(patient)
    program = desk.drafts(patient)
    clock.now += 10 * DAY
    desk.post(f"/patients/{patient}/screenings", {"answers": {"RF-05": False, "RF-10": False, "RF-03": False}})
    clock.now += 5 * DAY
    (finding,) = of_rule(desk.checks(program), "R-01")
    assert finding["message"].endswith(" 14 days: RF-01, RF-02, RF-06, RF-08.")


def test_a_screening_lasts_fourteen_days(desk: Desk, clock: Clock) -> None:
    patient = desk.a_patient()
    desk.screens(patient)
    program = desk.drafts(patient)
    clock.now += 14 * DAY
    assert of_rule(desk.checks(program), "R-01") == []
    clock.now += DAY
    assert [one["finding"] for one in of_rule(desk.checks(program), "R-01")] == ["R-01/screening"]


def test_a_harmful_load_blocks_and_says_why_and_where(desk: Desk, bo: str) -> None:
    early = phase(item("bird-dog"), label="Early", to_day=14)
    program = desk.drafts(bo, phases=[early, phase(CURL_UP, label="Late", from_day=15)])
    (finding,) = of_rule(desk.checks(program), "R-08")
    line = program["revision"]["phases"][1]["items"][0]["line_id"]
    assert finding["finding"] == BONE
    assert finding["severity"] == "block"
    assert finding["can_be_overridden"] is True
    assert (finding["exercise"], finding["condition"]) == ("modified-curl-up", "osteoporosis")
    assert (finding["phases"], finding["line_ids"]) == (["Late"], [line])
    assert finding["message"].startswith("Modified curl-up: ")
    assert finding["source"]


def test_findings_come_gravest_first_and_are_counted(desk: Desk, bo: str) -> None:
    said = desk.checks(desk.drafts(bo, CURL_UP))
    severities = [finding["severity"] for finding in said["findings"]]
    assert severities == sorted(severities, key=["block", "warn", "info"].index)
    assert (said["blocks"], said["warnings"]) == (severities.count("block"), severities.count("warn"))
    assert said["blocks"] == 1
    assert len({finding["finding"] for finding in said["findings"]}) == len(said["findings"])


def test_the_burden_is_told_phase_by_phase(desk: Desk) -> None:
    # 3 × 10 at 4 s and 20 s between sets and 15 s to set up: 175 s; both sides twice of it, but for setting up.
    walk = item("walk-easy", sets=1, reps=1, duration_minutes=20, days_per_week=5)
    early = phase(item("bird-dog", sets=3, reps=10, days_per_week=5), walk, label="Early", to_day=14)
    late = phase(
        item("wall-side-plank", side="both", sets=3, reps=10, days_per_week=7),
        care("heat-pack", duration_minutes=15, as_needed_max_per_day=3),
        item("glute-bridge", days_per_week=None, as_needed_max_per_day=2),
        label="Late",
        from_day=15,
    )
    flare = {"items": [item("bed-knee-rocks", sets=1, reps=15, days_per_week=7)]}
    program = desk.drafts(desk.a_patient(), phases=[early, late], flare=flare)
    assert desk.checks(program)["burden"] == [
        {
            "phase": "Early",
            "items": 2,
            "items_per_day": 2,
            "minutes_per_session": 2.9,
            "minutes_per_day": round((5 * 175 / 60 + 100) / 7, 1),
            "aerobic_minutes_per_week": 100.0,
        },
        {
            "phase": "Late",
            "items": 1,
            "items_per_day": 1,
            "minutes_per_session": round((240 + 100 + 15) / 60, 1),
            "minutes_per_day": round((240 + 100 + 15) / 60, 1),
            "aerobic_minutes_per_week": 0.0,
        },
        {
            "phase": "Flare plan",
            "items": 1,
            "items_per_day": 1,
            "minutes_per_session": 1.2,
            "minutes_per_day": 1.2,
            "aerobic_minutes_per_week": 0.0,
        },
    ]


def test_what_is_proposed_is_checked_and_nothing_is_written(desk: Desk, bo: str) -> None:
    program = desk.runs(bo)
    before = [desk.program(program), desk.get(f"/programs/{program['id']}/checks")]
    with counting() as sent:
        said = desk.checks(program, {"phases": [phase(item("bird-dog"), CURL_UP)]})
    assert [finding["finding"] for finding in of_rule(said, "R-08")] == [BONE]
    assert said["burden"][0]["items"] == 2
    assert of_rule(desk.checks(program), "R-08") == []
    assert not [statement for statement in sent if statement.split()[0].upper() in {"INSERT", "UPDATE", "DELETE"}]
    assert [desk.program(program), desk.get(f"/programs/{program['id']}/checks")] == before
    assert len(desk.get(f"/programs/{program['id']}/revisions")["items"]) == 1


def test_a_proposal_is_as_well_formed_as_a_revision(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo)
    where = f"/programs/{program['id']}/check"
    for phases, status, at in (
        ([phase(item("unheard-of"))], 404, "/phases/0/items/0/exercise"),
        ([phase(care("unheard-of", days_per_week=3))], 404, "/phases/0/items/0/care"),
        ([phase(CURL_UP), phase(CURL_UP, label="Late", from_day=15)], 422, "/phases/1/from_day"),
        ([], 422, "/phases"),
    ):
        assert pointer(desk.call("POST", where, {"phases": phases}), status) == at


def test_only_the_clinics_staff_ask_for_a_check(desk: Desk, bo: str, stranger: Clinic) -> None:
    where = f"/programs/{desk.runs(bo)['id']}/check"
    assert_problem(desk.call("POST", where, by=bo), 403, "not_allowed")
    assert desk.call("POST", where, by="admin").status_code == 200
    for body in (None, {"phases": [phase(CURL_UP)]}):
        assert_problem(desk.call("POST", f"/programs/{stranger.program_id}/check", body), 404, "unknown")


# Handing over.


def test_what_blocks_keeps_the_program_a_draft(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo, CURL_UP)
    problem: Any = assert_problem(desk.activates(program), 409, "safety_blocked")
    assert [finding["finding"] for finding in of_rule(problem, "R-08")] == [BONE]
    assert desk.program(program)["status"] == "draft"
    assert desk.get(f"/programs/{program['id']}/checks")["items"] == []


def test_a_refusal_holds_every_finding_still_open_and_nothing_that_only_informs(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo, CURL_UP)
    checked = desk.checks(program)["findings"]
    problem: Any = assert_problem(desk.activates(program, acknowledged=["R-27"]), 409, "safety_blocked")
    still_open = [one for one in checked if one["severity"] != "info" and one["rule"] != "R-27"]
    assert problem["findings"] == still_open
    assert {one["severity"] for one in still_open} == {"block", "warn"}


def test_warnings_are_acknowledged_by_rule_or_one_by_one(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo)
    refused: Any = assert_problem(desk.activates(program, acknowledged=[]), 409, "not_acknowledged")
    warnings = [finding["finding"] for finding in refused["findings"]]
    assert len(warnings) >= 2
    assert {finding["severity"] for finding in refused["findings"]} == {"warn"}
    left: Any = assert_problem(desk.activates(program, acknowledged=warnings[1:]), 409, "not_acknowledged")
    assert [finding["finding"] for finding in left["findings"]] == warnings[:1]
    by_rule = [refused["findings"][0]["rule"], *warnings[1:]]
    activated = desk.activates(program, acknowledged=by_rule)
    assert activated.json()["status"] == "active"
    (kept,) = desk.get(f"/programs/{program['id']}/checks")["items"]
    assert sorted(kept["decisions"]) == sorted(warnings)
    assert {decision["reason"] for decision in kept["decisions"].values()} == {None}


def test_an_acknowledgement_does_not_lift_a_block(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo, CURL_UP)
    assert_problem(desk.activates(program, acknowledged=[*ALL_RULES, BONE]), 409, "safety_blocked")


def test_an_override_is_on_record_with_who_and_why(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo, CURL_UP)
    (found,) = of_rule(desk.checks(program), "R-08")
    assert desk.activates(program, {BONE: f"  {REASON} "}).json()["status"] == "active"
    (kept,) = desk.get(f"/programs/{program['id']}/checks")["items"]
    ines = str(desk.ines.account_id)
    assert (kept["deed"], kept["revision_number"], kept["checked_by"]) == ("activate", 1, ines)
    assert kept["decisions"][BONE] == {
        "reason": REASON,
        "by": ines,
        "at": kept["checked_at"],
        "rule_version": found["rule_version"],
        "message": found["message"],
    }
    assert found in kept["findings"]


def test_only_the_clinics_staff_read_the_record(desk: Desk, bo: str, stranger: Clinic) -> None:
    program = desk.runs(bo)
    assert_problem(desk.call("GET", f"/programs/{program['id']}/checks", by=bo), 403)
    assert_problem(desk.call("GET", f"/programs/{stranger.program_id}/checks"), 404)


def test_a_reason_has_at_least_ten_characters(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo, CURL_UP)
    for reason in ("fine", "         ", " too short          "):
        assert pointer(desk.activates(program, {BONE: reason})) == "/overrides/0/reason"
    assert desk.program(program)["status"] == "draft"


def test_only_a_therapist_overrides(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo, CURL_UP)
    assert_problem(desk.activates(program, {BONE: REASON}, by="admin"), 403, "not_allowed")
    assert desk.program(program)["status"] == "draft"
    harmless = desk.drafts(bo)
    assert desk.activates(harmless, by="admin").json()["status"] == "active"


def test_an_override_of_nothing_is_refused(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo, CURL_UP)
    twice = {BONE: REASON, "R-08/modified-curl-up/sciatica/FLL": REASON}
    assert pointer(desk.activates(program, twice)) == "/overrides/1/finding"
    # A rule is not a finding: each block wants its own reason.
    assert pointer(desk.activates(program, {"R-08": REASON})) == "/overrides/0/finding"
    assert desk.program(program)["status"] == "draft"


def test_an_acknowledgement_of_nothing_is_pointed_at(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo)
    assert pointer(desk.activates(program, acknowledged=["R-99", "R-27"])) == "/acknowledged/0"
    assert pointer(desk.activates(program, acknowledged=["R-27", "R-27/none", "R-26"])) == "/acknowledged/1"
    assert desk.program(program)["status"] == "draft"


def test_pointers_follow_the_order_of_the_overrides(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo, CURL_UP)
    unknown = "R-08/aaa/osteoporosis/FLL"
    assert pointer(desk.activates(program, {BONE: REASON, unknown: REASON})) == "/overrides/1/finding"
    assert pointer(desk.activates(program, {unknown: REASON, BONE: REASON})) == "/overrides/0/finding"


def test_a_finding_has_one_reason(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo, CURL_UP)
    twice = [{"finding": BONE, "reason": reason} for reason in (REASON, "Another reason, as good as that one.")]
    said = {"overrides": twice, "acknowledged": ALL_RULES}
    assert pointer(desk.call("POST", f"/programs/{program['id']}/activate", said)) == "/overrides/1/finding"
    assert desk.program(program)["status"] == "draft"


def test_a_refusal_says_in_a_sentence_what_it_is_about(desk: Desk, bo: str) -> None:
    program = desk.drafts(bo, CURL_UP, item("band-chop", side="both"))
    problem: Any = assert_problem(desk.activates(program), 409, "safety_blocked")
    messages = [one["message"] for one in problem["findings"] if one["severity"] == "block"]
    assert len(messages) == 2
    how = "A therapist may override with a typed reason."
    assert problem["title"] == f"Blocked for safety. {' '.join(messages)} {how}"
    read = desk.drafts(bo, *SEVEN)
    problem = assert_problem(desk.activates(read, acknowledged=[]), 409, "not_acknowledged")
    messages = [one["message"] for one in problem["findings"]]
    assert len(messages) > 3
    named = " ".join(messages[:3])
    assert problem["title"] == f"Read and acknowledge first. {named} And {len(messages) - 3} more."
    final = desk.drafts(bo, item("bird-dog", reps=None))
    problem = assert_problem(desk.activates(final), 409, "safety_blocked")
    (message,) = (one["message"] for one in problem["findings"])
    assert problem["title"] == f"Blocked for safety. {message} Some of it no reason overrides."


def test_each_block_wants_a_reason_of_its_own(desk: Desk) -> None:
    patient = desk.a_patient()
    desk.has(patient, "osteoporosis")
    program = desk.drafts(patient, CURL_UP)
    problem: Any = assert_problem(desk.activates(program, {BONE: REASON}), 409, "safety_blocked")
    assert [one["finding"] for one in problem["findings"]] == ["R-01/screening"]
    assert desk.activates(program, {BONE: REASON, "R-01/screening": "Screened on paper this morning."}).is_success


# What no reason overrides.

RA: Json = {"code": "ra", "details": {"neck_status": "unknown"}}
EMERGENCY = next(flag.id for flag in RED_FLAGS.values() if flag.severity.word == "emergency")


@pytest.mark.parametrize(
    ("condition", "red_flag", "line", "keys"),
    [
        (RA, None, item("chin-tuck-seated"), ["R-12/chin-tuck-seated/ra"]),
        ({"code": "ra"}, None, item("chin-tuck-seated"), ["R-12/chin-tuck-seated/ra"]),
        (None, EMERGENCY, item("bird-dog"), [f"R-01/{EMERGENCY}"]),
        (None, None, item("side-plank-knees"), ["R-29/side-plank-knees"]),
        (None, None, item("bird-dog", sets=None, reps=None), ["R-30/bird-dog"]),
        (None, None, item("bird-dog", reps=None), ["R-30/bird-dog"]),
        ({"code": "vertebral-fracture"}, None, CURL_UP, ["R-08/modified-curl-up/vertebral-fracture/FLL"]),
        ({"code": "ra-cervical-instability"}, None, item("bird-dog"), ["R-49/ra-cervical-instability"]),
        (
            {"code": "ra-cervical-instability"},
            None,
            item("chin-tuck-seated"),
            ["R-08/chin-tuck-seated/ra-cervical-instability/CMV", "R-49/ra-cervical-instability"],
        ),
    ],
)
def test_some_blocks_yield_to_no_reason(
    desk: Desk, condition: Json | None, red_flag: str | None, line: Json, keys: list[str]
) -> None:
    patient = desk.a_patient()
    desk.screens(patient, *([red_flag] if red_flag else []))
    if condition:
        desk.has(patient, **condition)
    program = desk.drafts(patient, line)
    found = {one["finding"]: one for one in desk.checks(program)["findings"]}
    assert {(found[key]["severity"], found[key]["can_be_overridden"]) for key in keys} == {("block", False)}
    blocks = [one for one, finding in found.items() if finding["severity"] == "block"]
    yielding = {one: REASON for one in blocks if one not in keys}
    problem: Any = assert_problem(desk.activates(program, yielding), 409, "safety_blocked")
    assert [one["finding"] for one in problem["findings"]] == keys
    assert problem["title"].endswith(" Some of it no reason overrides.")
    for key in keys:
        refused = desk.activates(program, {**yielding, key: REASON})
        assert pointer(refused) == f"/overrides/{len(yielding)}/finding"
        assert refused.json()["title"] == f"No reason overrides {key}."
    assert desk.program(program)["status"] == "draft"


def test_a_neck_that_is_only_suspected_blocks_no_program(desk: Desk) -> None:
    patient = desk.a_patient()
    desk.screens(patient)
    desk.has(patient, "ra-cervical-instability", status="suspected")
    assert of_rule(desk.checks(desk.drafts(patient)), "R-49") == []


def test_a_neck_that_a_clinician_cleared_lets_it_pass(desk: Desk) -> None:
    patient = desk.a_patient()
    desk.screens(patient)
    ra = desk.has(patient, "ra")
    program = desk.drafts(patient, item("chin-tuck-seated"))
    assert_problem(desk.activates(program), 409, "safety_blocked")
    cleared = {"neck_status": "cleared", "neck_cleared_by": "Dr Rao", "neck_cleared_on": "2025-03-01"}
    said = {"code": "ra", "status": "confirmed", "details": cleared}
    answer = desk.call("PUT", f"/patients/{patient}/conditions/{ra['id']}", said, match=1)
    assert answer.status_code == 200, answer.text
    assert of_rule(desk.checks(program), "R-12") == []
    assert desk.activates(program).json()["status"] == "active"


def test_a_red_flag_that_can_wait_yields_to_a_reason(desk: Desk) -> None:
    patient = desk.a_patient()
    flag = next(flag.id for flag in RED_FLAGS.values() if flag.severity.word != "emergency")
    desk.screens(patient, flag)
    program = desk.drafts(patient)
    (finding,) = of_rule(desk.checks(program), "R-01")
    assert (finding["finding"], finding["can_be_overridden"]) == (f"R-01/{flag}", True)
    assert desk.activates(program, {finding["finding"]: "Seen by her doctor on Friday."}).is_success


def test_a_screening_that_answers_no_lifts_the_red_flag(desk: Desk, clock: Clock) -> None:
    patient = desk.a_patient()
    desk.screens(patient, EMERGENCY)
    program = desk.drafts(patient)
    assert_problem(desk.activates(program), 409, "safety_blocked")
    clock.now += DAY
    desk.screens(patient)
    assert desk.activates(program).json()["status"] == "active"


def test_a_red_flag_from_the_phone_blocks_until_screened(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.runs(bo)
    clock.now += DAY
    desk.logs(program, chips=[EMERGENCY])
    (finding,) = of_rule(desk.checks(program), "R-01")
    assert (finding["finding"], finding["can_be_overridden"]) == (f"R-01/{EMERGENCY}", False)
    clock.now += DAY
    desk.screens(bo)
    assert of_rule(desk.checks(program), "R-01") == []


# Answers that stand.


def test_answers_stand_for_the_same_finding_of_a_later_revision(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.drafts(bo, CURL_UP)
    assert desk.activates(program, {BONE: REASON}).is_success
    clock.now += DAY
    more = phase(CURL_UP, item("glute-bridge"))
    assert desk.revises(program, more, acknowledged=[]).status_code == 201
    first, second = desk.get(f"/programs/{program['id']}/checks")["items"]
    assert (second["deed"], second["revision_number"]) == ("revise", 2)
    assert second["decisions"][BONE] == first["decisions"][BONE]


def test_an_answer_does_not_stand_for_another_dose(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.drafts(bo, CURL_UP)
    assert desk.activates(program, {BONE: REASON}).is_success
    clock.now += DAY
    harder = phase(item("modified-curl-up", reps=9))
    problem: Any = assert_problem(desk.revises(program, harder), 409, "safety_blocked")
    assert [one["finding"] for one in problem["findings"]] == [BONE]
    given = answers({BONE: "Nine of them, watched in the clinic."}, ALL_RULES)
    assert desk.revises(program, harder, **given).status_code == 201
    first, second = (one["decisions"][BONE] for one in desk.get(f"/programs/{program['id']}/checks")["items"])
    assert (first["reason"], second["reason"]) == (REASON, "Nine of them, watched in the clinic.")


def test_an_answer_does_not_stand_once_more_is_known_of_the_condition(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.drafts(bo, CURL_UP)
    assert desk.activates(program, {BONE: REASON}).is_success
    (bone,) = desk.get(f"/patients/{bo}/conditions")["items"]
    more = phase(CURL_UP, item("glute-bridge"))
    clock.now += DAY
    said = {"code": "osteoporosis", "status": "confirmed", "onset_on": "2025-02-01"}
    assert desk.call("PUT", f"/patients/{bo}/conditions/{bone['id']}", said, match=1).is_success
    problem: Any = assert_problem(desk.revises(program, more), 409, "safety_blocked")
    assert [one["finding"] for one in problem["findings"]] == [BONE]


def test_how_the_patient_is_today_is_answered_anew(desk: Desk) -> None:
    patient = desk.a_patient()
    flag = next(flag.id for flag in RED_FLAGS.values() if flag.severity.word != "emergency")
    desk.screens(patient, flag)
    desk.post(f"/patients/{patient}/examinations", {"systolic": 205, "diastolic": 95})
    program = desk.drafts(patient, item("bird-dog"), item("cat-camel"))
    why = {f"R-01/{flag}": REASON, "R-48/pressure": "Taken again at rest: 150/90."}
    assert desk.activates(program, why).is_success
    easier = phase(item("bird-dog"))
    problem: Any = assert_problem(desk.revises(program, easier), 409, "safety_blocked")
    assert [one["finding"] for one in problem["findings"]] == sorted(why)
    assert desk.revises(program, easier, **answers(why, ALL_RULES)).status_code == 201


def test_pain_is_acknowledged_anew_each_time(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.runs(bo, item("bird-dog"))
    for _ in range(3):
        desk.logs(program, pain_during=7)
        clock.now += DAY
    assert desk.revises(program, phase(item("bird-dog", reps=9)), acknowledged=ALL_RULES).status_code == 201
    harder = phase(item("bird-dog", reps=10))
    problem: Any = assert_problem(desk.revises(program, harder, acknowledged=[]), 409, "not_acknowledged")
    assert len(of_rule(problem, "R-23")) == 1
    assert desk.revises(program, harder).status_code == 201


def test_pain_that_was_taken_back_holds_nothing(desk: Desk, bo: str) -> None:
    program = desk.runs(bo, item("bird-dog"))
    harder = {"phases": [phase(item("bird-dog", reps=10))]}
    hurt = desk.logs(program, pain_during=9)
    assert len(of_rule(desk.checks(program, harder), "R-23")) == 1
    assert desk.call("DELETE", f"/sessions/{hurt['id']}?program_id={program['id']}", match=1).is_success
    assert not of_rule(desk.checks(program, harder), "R-23")


def test_a_new_finding_is_answered_anew(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.drafts(bo, CURL_UP)
    assert desk.activates(program, {BONE: REASON}).is_success
    clock.now += DAY
    more = phase(CURL_UP, item("band-chop", side="both"))
    problem: Any = assert_problem(desk.revises(program, more), 409, "safety_blocked")
    new = [one["finding"] for one in problem["findings"]]
    assert new == ["R-08/band-chop/osteoporosis/RTL"]
    assert len(desk.get(f"/programs/{program['id']}/revisions")["items"]) == 1
    given = answers({new[0]: "Slow and light, shown in the clinic."}, ALL_RULES)
    assert desk.revises(program, more, **given).status_code == 201
    _, second = desk.get(f"/programs/{program['id']}/checks")["items"]
    assert {key for key, one in second["decisions"].items() if one["reason"]} == {BONE, *new}


def test_answers_stand_for_one_program_only(desk: Desk, bo: str) -> None:
    assert desk.activates(desk.drafts(bo, CURL_UP), {BONE: REASON}).is_success
    assert_problem(desk.activates(desk.drafts(bo, CURL_UP)), 409, "safety_blocked")


def test_the_patient_reads_what_to_mind_with_each_exercise(desk: Desk, bo: str) -> None:
    program = desk.runs(bo, item("cat-camel"), item("glute-bridge"))
    mind, harmless = desk.program(program, by=bo)["revision"]["phases"][0]["items"]
    (warning,) = of_rule(desk.checks(program), "R-09")
    assert warning["line_ids"] == [mind["line_id"]]
    # Its own sentence, not the therapist's: no codes of conditions in it.
    said = [one["advice"] for one in desk.checks(program)["findings"] if mind["line_id"] in one["line_ids"]]
    assert mind["advice"] == list(dict.fromkeys(one for one in said if one))
    assert warning["advice"] in mind["advice"]
    assert warning["advice"] not in warning["message"]
    for advice in mind["advice"]:
        assert advice[0].isupper()
        assert advice.endswith(".")
        assert "osteoporosis" not in advice.lower()
    assert harmless["advice"] == []


def test_heat_and_cold_suit_the_patient(desk: Desk) -> None:
    patient = desk.a_patient()
    desk.screens(patient)
    desk.has(patient, "raynaud")
    cold = care("cold-pack", duration_minutes=10, as_needed_max_per_day=3)
    program = desk.drafts(patient, item("bird-dog"), cold)
    (finding,) = of_rule(desk.checks(program), "R-13")
    assert (finding["finding"], finding["severity"]) == ("R-13/cold-pack/raynaud", "block")
    assert finding["can_be_overridden"] is True
    line = program["revision"]["phases"][0]["items"][1]["line_id"]
    assert finding["line_ids"] == [line]
    assert_problem(desk.activates(program), 409, "safety_blocked")
    warm = care("heat-pack", duration_minutes=15, as_needed_max_per_day=3)
    assert of_rule(desk.checks(program, {"phases": [phase(item("bird-dog"), warm)]}), "R-13") == []


# How grave a clinic takes a rule.

SEVEN = [
    item(exercise, days_per_week=7)
    for exercise in (
        *("bird-dog", "glute-bridge", "cat-camel", "dead-bug-arms", "sit-to-stand", "abdominal-brace"),
        "quadruped-arm-reach",
    )
]


def test_every_rule_is_listed(desk: Desk) -> None:
    rules = desk.get("/rules")["items"]
    assert [rule["id"] for rule in rules] == [f"R-{number:02}" for number in range(1, 50)]
    assert all(rule["severity"] == rule["default_severity"] and rule["setting_version"] == 1 for rule in rules)
    assert all(rule["title"] and rule["source"] for rule in rules)
    fixed = {rule["id"] for rule in rules if rule["is_fixed"]}
    assert fixed == {"R-01", "R-08", "R-12", "R-29", "R-30", "R-49"}
    assert all("design choice" in rule["source"] for rule in rules if rule["is_design"])
    assert desk.get("/rules/R-14") == next(rule for rule in rules if rule["id"] == "R-14")


def test_an_admin_switches_a_rule_and_the_next_check_knows(desk: Desk, stranger: Clinic, clock: Clock) -> None:
    patient = desk.a_patient()
    desk.screens(patient)
    program = desk.drafts(patient, *SEVEN)
    assert [one["severity"] for one in of_rule(desk.checks(program), "R-14")] == ["warn"]
    said = {"severity": "info"}
    assert_problem(desk.call("PUT", "/rules/R-14", said, by="admin"), 428, "if_match_required")
    switched = desk.call("PUT", "/rules/R-14", said, by="admin", match=1)
    assert (switched.headers["etag"], switched.json()["severity"]) == ('"v2"', "info")
    assert switched.json()["default_severity"] == "warn"
    assert_problem(desk.call("PUT", "/rules/R-14", said, by="admin", match=1), 412, "version_mismatch")
    assert [one["severity"] for one in of_rule(desk.checks(program), "R-14")] == ["info"]
    assert desk.activates(program, acknowledged=sorted(set(ALL_RULES) - {"R-14"})).is_success
    theirs = Desk(desk.client, desk.database, stranger.ines, clock)
    assert theirs.get("/rules/R-14")["severity"] == "warn"
    someone = theirs.a_patient()
    assert [one["severity"] for one in of_rule(theirs.checks(theirs.drafts(someone, *SEVEN)), "R-14")] == ["warn"]


def test_a_rule_can_be_made_to_block(desk: Desk) -> None:
    patient = desk.a_patient()
    desk.screens(patient)
    program = desk.drafts(patient, *SEVEN)
    assert desk.call("PUT", "/rules/R-14", {"severity": "block"}, by="admin", match=1).is_success
    (finding,) = of_rule(desk.checks(program), "R-14")
    assert (finding["severity"], finding["can_be_overridden"]) == ("block", True)
    assert_problem(desk.activates(program), 409, "safety_blocked")
    assert desk.activates(program, {finding["finding"]: "She asked for all seven of them."}).is_success


def test_a_switch_never_makes_a_milder_finding_graver(desk: Desk) -> None:
    patient = desk.a_patient()
    desk.screens(patient)
    desk.post(f"/patients/{patient}/examinations", {"systolic": 210, "diastolic": 90, "resting_pulse": 130})

    def grave() -> dict[str, str]:
        return {one["finding"]: one["severity"] for one in of_rule(desk.checks(program), "R-48")}

    program = desk.drafts(patient)
    assert grave() == {"R-48/pressure": "block", "R-48/pulse": "warn"}
    for version, (switched, pulse) in enumerate((("warn", "warn"), ("info", "info"), ("block", "warn")), start=1):
        assert desk.call("PUT", "/rules/R-48", {"severity": switched}, by="admin", match=version).is_success
        assert grave() == {"R-48/pressure": switched, "R-48/pulse": pulse}


def test_what_only_informs_stays_so_in_a_rule_that_blocks(desk: Desk) -> None:
    program = desk.drafts(desk.a_patient(), item("walk-easy", sets=1, reps=1, duration_minutes=40))
    assert [one["severity"] for one in of_rule(desk.checks(program), "R-17")] == ["info"]
    assert desk.call("PUT", "/rules/R-17", {"severity": "block"}, by="admin", match=1).is_success
    assert [one["severity"] for one in of_rule(desk.checks(program), "R-17")] == ["info"]
    none = {"phases": [phase(item("bird-dog"))]}
    assert [one["severity"] for one in of_rule(desk.checks(program, none), "R-17")] == ["block"]


def test_some_rules_are_the_same_everywhere(desk: Desk) -> None:
    for rule in ("R-01", "R-08", "R-12", "R-29", "R-30", "R-49"):
        answer = desk.call("PUT", f"/rules/{rule}", {"severity": "info"}, by="admin", match=1)
        assert_problem(answer, 403, "not_allowed")
        assert desk.get(f"/rules/{rule}")["severity"] == "block"


def test_only_an_admin_switches_and_only_what_there_is(desk: Desk, bo: str) -> None:
    said = {"severity": "info"}
    for by in ("therapist", bo):
        assert_problem(desk.call("PUT", "/rules/R-14", said, by=by, match=1), 403, "not_allowed")
    assert desk.get("/rules/R-14")["severity"] == "warn"
    assert_problem(desk.call("PUT", "/rules/R-99", said, by="admin", match=1), 404, "unknown")
    assert_problem(desk.call("GET", "/rules/R-99"), 404, "unknown")
    assert pointer(desk.call("PUT", "/rules/R-14", {"severity": "off"}, by="admin", match=1)) == "/severity"
