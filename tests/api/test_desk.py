"""A therapist's desk over HTTP: flags, outreach, the worklist's filters, and a patient's record in order."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import update

from models.database import Database
from models.operations.timeline import PATIENTS_SEE, EntryKind
from models.tables import SessionLog
from tests.api.conftest import assert_problem
from tests.api.desk import ALL_RULES, Desk, Json, a_desk, item, phase, pointer
from tests.architecture.statements import counting
from tests.builders import NOON, at
from tests.conftest import Clock


@pytest.fixture
def desk(client: httpx.Client, database: Database, clock: Clock) -> Desk:
    return a_desk(client, database, clock)


@pytest.fixture
def bo(desk: Desk) -> str:
    return desk.a_patient(phone="+49 30 555 0001")


@pytest.fixture
def program(desk: Desk, bo: str) -> Json:
    found: Json = desk.runs(bo, item("bird-dog", days_per_week=7), review_due_on="2026-01-01")
    return found


@pytest.fixture
def silent(desk: Desk, program: Json, clock: Clock) -> Json:
    """A week of sessions, then nothing; it is 14 April."""
    for day in range(7):
        clock.now = NOON + timedelta(days=day)
        desk.logs(program)
    clock.now = at("04-14")
    (row,) = desk.get("/worklist")["items"]
    assert row["kind"] == "silence"
    found: Json = row
    return found


def act(desk: Desk, row: Json, what: str, body: Json | None = None, **but: Any) -> httpx.Response:
    return desk.call("POST", f"/flags/{row['flag_id']}/{what}", body, **({"match": row["version"]} | but))


def reach(desk: Desk, patient_id: str, **but: Any) -> httpx.Response:
    key = but.pop("key", None)
    said = {"channel": "phone", "outcome": "no_answer", **but}
    return desk.call("POST", f"/patients/{patient_id}/outreach", said, key=key)


# Flags.


def test_a_flag_tells_what_it_rests_on_and_its_life_so_far(desk: Desk, bo: str, silent: Json, clock: Clock) -> None:
    flag = desk.get(f"/flags/{silent['flag_id']}")
    assert (flag["kind"], flag["patient_id"], flag["state"], flag["listed"]) == ("silence", bo, "open", True)
    assert (flag["severity"], flag["rises_to"]) == ("high", "high")
    assert flag["says"] == silent["evidence"]
    assert flag["evidence"]["last_day"] == "2025-03-09"
    assert [one["event"] for one in flag["history"]] == ["opened", "risen"]
    taken = act(desk, silent, "acknowledge", match=None).json()
    assert taken["acknowledged"]["by"]["name"] == "A therapist"
    assert taken["is_acknowledged"]
    put_off = act(desk, taken | {"flag_id": taken["id"]}, "snooze", {"days": 7}).json()
    assert (put_off["state"], put_off["listed"], put_off["snoozed_until"]) == ("snoozed", False, "2025-04-20T23:00:00Z")
    clock.now = at("04-21")
    closed = act(desk, put_off | {"flag_id": put_off["id"]}, "close", {"because": "handled", "note": "Spoke"}).json()
    assert (closed["closed"]["because"], closed["closed"]["note"]) == ("handled", "Spoke")
    assert closed["closed"]["by"]["id"] == str(desk.ines.account_id)
    assert [one["event"] for one in closed["history"]] == ["opened", "risen", "acknowledged", "snoozed", "closed"]
    assert desk.get("/worklist")["items"] == []


def test_who_acts_on_a_flag_has_read_the_latest(desk: Desk, silent: Json) -> None:
    read = desk.call("GET", f"/flags/{silent['flag_id']}")
    assert read.headers["etag"] == f'"v{silent["version"]}"'
    for what, body in (("snooze", {"days": 7}), ("close", {"because": "handled"})):
        assert_problem(act(desk, silent, what, body, match=None), 428)
        assert_problem(act(desk, silent, what, body, match=silent["version"] + 1), 412, "version_mismatch")
    assert act(desk, silent, "acknowledge", match=None).status_code == 200
    assert_problem(act(desk, silent, "snooze", {"days": 7}), 412, "version_mismatch")


def test_closing_is_said_twice_without_harm_and_once_only_by_two(desk: Desk, silent: Json) -> None:
    said = {"because": "reached_agreed"}
    first = act(desk, silent, "close", said)
    assert first.status_code == 200
    assert act(desk, silent, "close", said).json() == first.json()
    problem: Any = assert_problem(act(desk, silent, "close", said, by="admin"), 409, "flag_closed")
    assert problem["closed_by"] == str(desk.ines.account_id)
    assert problem["closed_because"] == "reached_agreed"


@pytest.mark.parametrize(
    ("what", "body", "where"),
    [
        ("snooze", {}, ""),
        ("snooze", {"days": 7, "until": "2025-04-20"}, ""),
        ("snooze", {"days": 8}, "/days"),
        ("snooze", {"days": "7"}, "/days"),
        ("snooze", {"until": "2025-04-14"}, "/until"),
        ("snooze", {"until": "2025-05-15"}, "/until"),
        ("snooze", {"until": 20250420}, "/until"),
        ("close", {}, "/because"),
        ("close", {"because": "tired"}, "/because"),
        ("close", {"because": "other"}, "/note"),
        ("close", {"because": "other", "note": ""}, "/note"),
        ("close", {"because": "handled", "note": "x" * 2001}, "/note"),
        ("close", {"because": "handled", "unheard_of": 1}, "/unheard_of"),
    ],
)
def test_bad_deeds_are_refused_and_named(desk: Desk, silent: Json, what: str, body: Json, where: str) -> None:
    assert pointer(act(desk, silent, what, body)) == where
    assert desk.get("/worklist")["items"] == [silent]


def test_a_flag_nobody_has_is_unknown(desk: Desk) -> None:
    for what in ("acknowledge", "snooze", "close"):
        bodies: dict[str, Json] = {"snooze": {"days": 7}, "close": {"because": "handled"}}
        body = bodies.get(what)
        assert_problem(act(desk, {"flag_id": uuid4(), "version": 1}, what, body), 404, "unknown")
    assert_problem(desk.call("GET", f"/flags/{uuid4()}"), 404, "unknown")


def test_a_red_flag_that_is_seen_to_unlocks_the_phone(desk: Desk, bo: str, program: Json) -> None:
    desk.logs(program, chips=["RF-01"])
    assert desk.get("/me/today", by=bo)["safety"]["locked"]
    (row,) = desk.get("/worklist")["items"]
    assert_problem(act(desk, row, "snooze", {"days": 7}), 409, "not_by_hand")
    assert pointer(act(desk, row, "close", {"because": "referred_on"})) == "/note"
    said = {"because": "referred_on", "note": "Seen in A&E; MRI clear, back on Monday."}
    assert_problem(act(desk, row, "close", said, by="admin"), 403, "not_allowed")
    assert act(desk, row, "close", said).status_code == 200
    assert desk.get("/me/today", by=bo)["safety"] == {"locked": False, "advice": []}


# Outreach.


def test_an_attempt_about_a_flag_takes_it_on_and_shows_on_the_list(desk: Desk, bo: str, silent: Json) -> None:
    made = reach(desk, bo, flag_id=silent["flag_id"], next_step="Call after work", next_step_on="2025-04-15")
    assert made.status_code == 201
    body = made.json()
    assert (body["flag_kind"], body["program_id"], body["returned"]) == ("silence", silent["program_id"], None)
    assert body["by"] == {"id": str(desk.ines.account_id), "name": "A therapist"}
    (row,) = desk.get("/worklist")["items"]
    assert row["is_acknowledged"]
    assert row["last_outreach"]["outcome"] == "no_answer"
    assert row["last_outreach"]["by_name"] == "A therapist"
    assert desk.get(f"/flags/{silent['flag_id']}")["acknowledged"]["by"]["id"] == str(desk.ines.account_id)


def test_whether_they_returned_within_two_weeks(desk: Desk, bo: str, program: Json, silent: Json, clock: Clock) -> None:
    """Three attempts: one a month too early, one too early to tell, then one that brought a session in time."""
    flag = {"flag_id": silent["flag_id"]}
    reach(desk, bo, **flag, at="2025-03-30T09:00:00Z")
    reach(desk, bo, **flag, outcome="reached_agreed")
    reach(desk, bo, at="2025-04-14T11:00:00Z")
    returned = [one["returned"] for one in desk.get(f"/patients/{bo}/outreach")["items"]]
    assert returned == [None, None, False]
    clock.now = at("04-28", 22)
    desk.logs(program)
    found = desk.get(f"/patients/{bo}/outreach")["items"]
    assert [(one["flag_kind"], one["returned"], one["returned_on"]) for one in found] == [
        ("silence", True, "2025-04-28"),
        (None, None, None),
        ("silence", False, None),
    ]


def test_a_session_after_the_fourteenth_day_is_no_return(
    desk: Desk, bo: str, program: Json, silent: Json, clock: Clock
) -> None:
    reach(desk, bo, flag_id=silent["flag_id"])
    clock.now = at("04-29")
    assert [one["returned"] for one in desk.get(f"/patients/{bo}/outreach")["items"]] == [False]
    desk.logs(program)
    assert [one["returned"] for one in desk.get(f"/patients/{bo}/outreach")["items"]] == [False]


def test_a_session_before_the_call_of_that_day_is_no_return(
    desk: Desk, bo: str, program: Json, silent: Json, clock: Clock
) -> None:
    desk.logs(program, performed_at="2025-04-14T08:00:00Z")
    reach(desk, bo, flag_id=silent["flag_id"])
    assert [one["returned"] for one in desk.get(f"/patients/{bo}/outreach")["items"]] == [None]
    clock.now += timedelta(hours=3)
    desk.logs(program)
    assert [one["returned"] for one in desk.get(f"/patients/{bo}/outreach")["items"]] == [True]
    with desk.database.writing() as tx:
        tx.execute(update(SessionLog).where(SessionLog.clinic_id == desk.ines.clinic_id).values(deleted_at=clock.now))
    assert [one["returned"] for one in desk.get(f"/patients/{bo}/outreach")["items"]] == [None]


def test_an_attempt_with_a_key_is_kept_once(desk: Desk, bo: str, silent: Json) -> None:
    first = reach(desk, bo, flag_id=silent["flag_id"], key="call-1")
    assert reach(desk, bo, flag_id=silent["flag_id"], key="call-1").json() == first.json()
    assert len(desk.get(f"/patients/{bo}/outreach")["items"]) == 1


@pytest.mark.parametrize(
    ("but", "status", "where"),
    [
        ({"channel": "pigeon"}, 422, "/channel"),
        ({"outcome": "dead"}, 422, "/outcome"),
        ({"at": "2025-04-14T12:00:01Z"}, 422, "/at"),
        ({"at": "2025-01-01T12:00:00Z"}, 422, "/at"),
        ({"at": "2025-04-14"}, 422, "/at"),
        ({"next_step_on": "2025-04-13"}, 422, "/next_step_on"),
        ({"next_step_on": "2026-04-20"}, 422, "/next_step_on"),
        ({"next_step": "x" * 201}, 422, "/next_step"),
        ({"flag_id": str(uuid4())}, 404, "/flag_id"),
        ({"program_id": str(uuid4())}, 404, "/program_id"),
        ({"unheard_of": 1}, 422, "/unheard_of"),
    ],
)
def test_bad_attempts_are_refused_and_named(
    desk: Desk, bo: str, silent: Json, but: Json, status: int, where: str
) -> None:
    assert silent
    assert pointer(reach(desk, bo, **but), status) == where
    assert desk.get(f"/patients/{bo}/outreach")["items"] == []


def test_an_attempt_is_about_the_patients_own_flag_and_program(desk: Desk, silent: Json) -> None:
    ada = desk.a_patient(given_name="Ada")
    hers = desk.runs(ada)
    assert pointer(reach(desk, ada, flag_id=silent["flag_id"]), 404) == "/flag_id"
    bo = silent["patient"]["id"]
    assert pointer(reach(desk, bo, program_id=hers["id"]), 404) == "/program_id"
    assert pointer(reach(desk, bo, flag_id=silent["flag_id"], program_id=hers["id"])) == "/program_id"


def test_attempts_in_pages_latest_first(desk: Desk, bo: str) -> None:
    for outcome in ("no_answer", "wrong_number", "reached_agreed"):
        reach(desk, bo, outcome=outcome)
    seen, cursor = [], ""
    while cursor is not None:
        page = desk.get(f"/patients/{bo}/outreach?limit=1{cursor}")
        seen += [one["id"] for one in page["items"]]
        cursor = f"&cursor={page['next']}" if page["next"] else None  # type: ignore[assignment]
    assert seen == [one["id"] for one in desk.get(f"/patients/{bo}/outreach")["items"]]
    assert len(set(seen)) == 3


# The worklist's filters.


@pytest.fixture
def busy(desk: Desk, clock: Clock) -> dict[str, str]:
    """Three patients: one whose neck program has a fall, one who is ill, one screened positive without a program."""
    neck = desk.runs(desk.a_patient(given_name="Neck"), item("wall-angel"))
    desk.logs(neck, chips=["fall"])
    back = desk.runs(desk.a_patient(given_name="Back"), item("bird-dog"))
    desk.logs(back, done="none", reason="ill")
    bare = desk.a_patient(given_name="Bare")
    desk.screens(bare, "RF-01")
    clock.now += timedelta(hours=1)
    return {"neck": neck["patient_id"], "back": back["patient_id"], "bare": bare}


def names(desk: Desk, query: str = "") -> list[str]:
    return [row["patient"]["given_name"] for row in desk.get(f"/worklist?{query}")["items"]]


def test_filters_of_the_worklist(desk: Desk, busy: dict[str, str]) -> None:
    assert busy
    assert names(desk) == ["Bare", "Neck", "Back"]
    assert names(desk, "level=urgent") == ["Bare", "Neck"]
    assert names(desk, "kind=fall&kind=barrier") == ["Neck", "Back"]
    assert names(desk, "kind=barrier&level=high") == []
    assert names(desk, f"therapist_id={desk.ines.account_id}") == ["Bare", "Neck", "Back"]
    assert names(desk, f"therapist_id={uuid4()}") == []
    regions = {one["slug"]: one["region"] for one in desk.get("/exercises?limit=100&q=wall")["items"]}
    assert names(desk, f"region={regions['wall-angel']}") == ["Neck"]
    assert names(desk, "region=nowhere") == []
    for row in desk.get("/worklist?kind=fall")["items"]:
        act(desk, row, "acknowledge", match=None)
    assert names(desk, "unacknowledged=true") == ["Bare", "Back"]
    for row in desk.get("/worklist")["items"]:
        assert row["severity_rank"] == ["info", "low", "medium", "high", "urgent", "emergency"].index(row["severity"])


def test_a_region_is_that_of_the_revision_in_force(desk: Desk, clock: Clock) -> None:
    program = desk.runs(desk.a_patient(), item("bird-dog"))
    desk.logs(program, done="none", reason="ill")
    where = {one["slug"]: one["region"] for one in desk.get("/exercises?limit=100&q=bird")["items"]}
    regions = (where["bird-dog"], desk.get("/exercises/wall-angel")["region"])
    assert regions[0] != regions[1]
    found = [len(names(desk, f"region={region}")) for region in regions]
    desk.revises(program, phase(item("wall-angel")))
    clock.now += timedelta(hours=1)
    assert [found, [len(names(desk, f"region={region}")) for region in regions]] == [[1, 0], [0, 1]]


def test_counts_go_with_every_filter_but_that_of_kinds(desk: Desk, busy: dict[str, str]) -> None:
    assert busy
    everything = {
        "kinds": {"red_flag": 1, "fall": 1, "barrier": 1},
        "levels": {"emergency": 1, "urgent": 1, "medium": 1},
    }
    assert desk.get("/worklist")["counts"] == everything
    assert desk.get("/worklist?kind=fall&limit=1")["counts"] == everything
    assert desk.get("/worklist?level=urgent")["counts"]["kinds"] == {"red_flag": 1, "fall": 1}
    assert desk.get("/worklist?region=nowhere")["counts"] == {"kinds": {}, "levels": {}}


@pytest.mark.parametrize("query", ["level=red", "kind=silent", "unacknowledged=maybe", "therapist_id=ines", "region="])
def test_a_filter_that_is_none_is_refused(desk: Desk, query: str) -> None:
    name = query.partition("=")[0]
    problem: Any = assert_problem(desk.call("GET", f"/worklist?{query}"), 422)
    assert problem["errors"][0]["pointer"].startswith(f"/{name}")


# The record in order.


@pytest.fixture
def story(desk: Desk, bo: str, program: Json, clock: Clock) -> str:
    """Some weeks of everything there is."""
    condition = desk.has(bo, "oa-hand")
    desk.post(f"/patients/{bo}/examinations", {"pain": 4, "note": "Stiff"})
    clock.now = at("03-04")
    logged = desk.logs(program, pain_during=7)
    clock.now = at("03-05")
    taken_back = desk.logs(program)
    where = f"/sessions/{taken_back['id']}?program_id={program['id']}"
    assert desk.call("DELETE", where, match=1).is_success
    clock.now = at("03-06")
    said = {"program_id": program["id"], "performed_at": "2025-03-04T12:00:00Z", "time_zone": "Europe/London"}
    said |= {"local_date": "2025-03-04", "done": "all", "pain_during": 8, "base_version": 1}
    assert desk.call("PUT", f"/sessions/{logged['id']}", said).status_code == 200
    desk.call("PUT", f"/patients/{bo}/conditions/{condition['id']}", {"code": "oa-hand", "status": "resolved"}, match=1)
    clock.now = at("03-07")
    assert desk.revises(program, phase(item("glute-bridge")), note="Easier").status_code == 201
    away = {"from_on": "2025-03-08", "to_on": "2025-03-12", "reason": "holiday"}
    paused = desk.post(f"/programs/{program['id']}/pauses", away)
    clock.now = at("03-09")
    desk.post(f"/programs/{program['id']}/pauses/{paused['id']}/end")
    monday = {"pain": 4, "note": "Fine"}
    assert desk.call("PUT", "/me/weeks/2025-03-03", monday, by=bo).is_success
    clock.now = at("03-11")
    desk.post(f"/programs/{program['id']}/reviews", {"note": "Goes well"})
    clock.now = at("06-20")
    (silence,) = [row for row in desk.get("/worklist")["items"] if row["kind"] == "silence"]
    reach(desk, bo, flag_id=silence["flag_id"], next_step="Call again")
    clock.now = at("06-21")
    assert act(desk, silence | {"version": silence["version"] + 1}, "close", {"because": "handled"}).is_success
    desk.post(f"/programs/{program['id']}/stop", {"reason": "feel_better"})
    clock.now = at("06-22")
    return bo


def test_everything_that_happened_is_told_once_latest_first(desk: Desk, story: str) -> None:
    entries = desk.get(f"/patients/{story}/timeline?limit=100")["items"]
    assert [one["at"] for one in entries] == sorted((one["at"] for one in entries), reverse=True)
    assert {one["kind"] for one in entries} == set(EntryKind) - {
        "flare",
        "flare_ended",
        "check_in_due",
        "check_in_answered",
    }
    told = {one["kind"]: one for one in entries}
    says = {kind: one["says"] for kind, one in told.items()}
    assert says["session"] == "Did everything, pain 8 of 10."
    assert says["revision"] == "The program changed, from 7 Mar on. Easier"
    assert says["pause"] == "A pause was declared from 8 Mar to 12 Mar: holiday."
    assert says["pause_lifted"].startswith("The pause from 8 Mar to 12 Mar was ended; from 9 Mar on")
    assert says["condition_changed"] == "What is known of oa-hand was changed; it is resolved."
    assert says["examination"] == "Examined: pain 4 of 10. Stiff"
    assert says["outreach"] == "Tried by phone: no answer. Next: Call again."
    assert says["program_ended"].endswith("was stopped by the patient: feels better.")
    assert [one["marks"] for one in entries if one["kind"] == "session"] == [["taken_back"], ["amended"]]
    silence = [one["says"] for one in entries if "(silence)" in one["says"]]
    assert [one.split(":")[0] for one in silence] == [
        "Closed (silence)",
        "Rose to high (silence)",
        "Flagged (silence)",
    ]
    assert all(one["refs"] for one in entries)


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_pages_of_the_record_join_without_gap_or_repeat(desk: Desk, story: str, limit: int) -> None:
    whole = desk.get(f"/patients/{story}/timeline?limit=100")["items"]
    assert len(whole) > 20
    seen: list[Json] = []
    cursor = ""
    while cursor is not None:
        page = desk.get(f"/patients/{story}/timeline?limit={limit}{cursor}")
        seen += page["items"]
        cursor = f"&cursor={page['next']}" if page["next"] else None  # type: ignore[assignment]
    assert seen == whole


def test_what_comes_late_does_not_disturb_the_pages(desk: Desk, story: str, program: Json) -> None:
    first = desk.get(f"/patients/{story}/timeline?limit=5")
    reach(desk, story)
    rest = desk.get(f"/patients/{story}/timeline?limit=100&cursor={first['next']}")["items"]
    whole = desk.get(f"/patients/{story}/timeline?limit=100")["items"]
    assert program
    assert first["items"] + rest == whole[1:]


def test_a_patient_reads_what_is_theirs_without_the_clinics_work_on_it(desk: Desk, story: str) -> None:
    mine = {one["kind"] for one in desk.get(f"/patients/{story}/timeline?limit=100", by=story)["items"]}
    assert mine == {
        "session",
        "program_activated",
        "program_ended",
        "revision",
        "pause",
        "pause_lifted",
        "week_answered",
    }
    assert mine <= PATIENTS_SEE
    asked = "kind=flag_opened&kind=outreach"
    assert desk.get(f"/patients/{story}/timeline?{asked}", by=story)["items"] == []
    assert len(desk.get(f"/patients/{story}/timeline?{asked}")["items"]) > 1


def test_check_ins_and_flares_are_told_on_their_days(desk: Desk, bo: str, clock: Clock) -> None:
    flare = {"items": [item("bed-knee-rocks", days_per_week=7)]}
    program = desk.runs(bo, item("bird-dog"), flare=flare)
    declared = desk.post(f"/programs/{program['id']}/flares", {"to_on": "2025-03-06"})
    clock.now = at("03-04")
    desk.post(f"/programs/{program['id']}/flares/{declared['id']}/end")
    desk.screens(bo)
    keep = {"maintenance": {"phases": [phase(item("bird-dog"))]}, "acknowledged": ALL_RULES}
    desk.post(f"/programs/{program['id']}/discharge", keep)
    clock.now = at("04-05")
    (asked, *_) = desk.get(f"/patients/{bo}/check-ins")["items"]
    assert desk.call("PUT", f"/patients/{bo}/check-ins/{asked['id']}", {"pain": 2}).is_success
    wanted = "&".join(f"kind={kind}" for kind in ("flare", "flare_ended", "check_in_due", "check_in_answered"))
    found = desk.get(f"/patients/{bo}/timeline?{wanted}")["items"]
    assert [(one["kind"], one["at"]) for one in found] == [
        ("check_in_answered", "2025-04-05T12:00:00Z"),
        ("check_in_due", "2025-04-03T23:00:00Z"),
        ("flare_ended", "2025-03-04T12:00:00Z"),
        ("flare", "2025-03-03T12:00:00Z"),
    ]


@pytest.mark.parametrize(
    "cursor", ["x", "WzFd", "WyIyMDI1LTAzLTAzVDEyOjAwOjAwWiIsICJzZXNzaW9uIiwgImFiYyJd", "WyJhIiwgImIiLCAiYyJd"]
)
def test_what_is_no_cursor_of_the_record_is_refused(desk: Desk, bo: str, cursor: str) -> None:
    assert pointer(desk.call("GET", f"/patients/{bo}/timeline?cursor={cursor}")) == "/cursor"


@pytest.mark.parametrize("limit", [1, 50])
def test_the_record_costs_the_same_however_long_it_is(desk: Desk, story: str, limit: int) -> None:
    desk.get("/me", by="therapist")
    with counting() as sent:
        desk.get(f"/patients/{story}/timeline?limit={limit}")
    assert len(sent) <= 14, "\n".join(sent)
