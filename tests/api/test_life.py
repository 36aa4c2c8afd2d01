"""The turns of a program's life: paused, in a flare, reviewed, discharged, completed, stopped."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from models.database import Database
from tests.api.conftest import assert_problem
from tests.api.desk import REASON, Desk, Json, a_desk, answers, care, item, of_rule, phase, pointer
from tests.builders import DAY, at
from tests.conftest import Clock

FLARE = {"items": [item("bed-knee-rocks", days_per_week=7), item("bed-ankle-pumps", days_per_week=7)]}
KEEP: Json = {"phases": [phase(item("bird-dog"), item("walk-easy", sets=1, reps=1, duration_minutes=30))]}


@pytest.fixture
def desk(client: httpx.Client, database: Database, clock: Clock) -> Desk:
    return a_desk(client, database, clock)


@pytest.fixture
def bo(desk: Desk) -> str:
    return desk.a_patient()


@pytest.fixture
def program(desk: Desk, bo: str) -> Json:
    """Running since Monday, every day of the week, with a plan for flare days."""
    found: Json = desk.runs(bo, item("bird-dog", days_per_week=7), item("glute-bridge", days_per_week=7), flare=FLARE)
    return found


def turn(
    desk: Desk, program: Json, what: str, body: object = None, *, by: str = "therapist", match: int | None = None
) -> httpx.Response:
    return desk.call("POST", f"/programs/{program['id']}/{what}", body, by=by, match=match)


def status(desk: Desk, program: Json, *, by: str = "therapist") -> str:
    """As the program and the list of programs both say it."""
    shown: str = desk.program(program, by=by)["status"]
    listed = desk.get(f"/patients/{program['patient_id']}/programs", by=by)["items"]
    assert shown == next(one["status"] for one in listed if one["id"] == program["id"])
    return shown


def worklist(desk: Desk, program: Json) -> list[str]:
    return [row["kind"] for row in desk.get("/worklist")["items"] if row["program_id"] == program["id"]]


def rates(desk: Desk, program: Json, window: str = "program") -> Any:
    return desk.get(f"/programs/{program['id']}/adherence")["rates"][window]


# Pauses.


def test_a_patient_pauses_and_resumes(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    said = {"from_on": "2025-03-04", "to_on": "2025-03-20", "reason": "holiday"}
    paused = turn(desk, program, "pauses", said, by=bo)
    assert paused.status_code == 201
    assert {name: paused.json()[name] for name in said} == said
    assert paused.json()["lifted_on"] is None
    assert status(desk, program, by=bo) == "active"
    clock.now = at("03-04", 0)
    assert status(desk, program, by=bo) == "paused"
    clock.now = at("03-10")
    assert status(desk, program, by=bo) == "paused"
    resumed = turn(desk, program, "resume", by=bo).json()
    assert resumed["status"] == status(desk, program, by=bo) == "active"
    (shown,) = resumed["pauses"]
    assert (shown["from_on"], shown["to_on"], shown["lifted_on"]) == ("2025-03-04", "2025-03-09", "2025-03-10")
    # Expected again from today on, and not on the days that were paused.
    clock.now = at("03-12")
    assert rates(desk, program)["frequency"]["denominator"] == 1 + 2
    assert rates(desk, program)["excluded_days"] == 6


def test_a_pause_ends_by_itself(desk: Desk, program: Json, clock: Clock) -> None:
    turn(desk, program, "pauses", {"from_on": "2025-03-03", "to_on": "2025-03-04", "reason": "illness"})
    assert status(desk, program) == "paused"
    clock.now = datetime(2025, 3, 4, 23, 59, 59, tzinfo=UTC)
    assert status(desk, program) == "paused"
    clock.now += timedelta(seconds=1)
    assert status(desk, program) == "active"
    assert_problem(turn(desk, program, "resume"), 409, "wrong_status")


def test_a_hold_is_a_therapists(desk: Desk, bo: str, program: Json) -> None:
    said = {"from_on": "2025-03-03", "to_on": "2025-03-20", "reason": "hold"}
    assert_problem(turn(desk, program, "pauses", said, by=bo), 403, "not_allowed")
    assert status(desk, program) == "active"
    assert turn(desk, program, "pauses", said).status_code == 201
    assert_problem(turn(desk, program, "resume", by=bo), 403, "not_allowed")
    assert status(desk, program, by=bo) == "paused"
    assert turn(desk, program, "resume").json()["status"] == "active"


@pytest.mark.parametrize("to_on", ["2025-03-02", "2025-08-31"])
def test_a_pause_lasts_from_a_day_to_half_a_year(desk: Desk, program: Json, to_on: str) -> None:
    said = {"from_on": "2025-03-03", "reason": "holiday"}
    assert pointer(turn(desk, program, "pauses", {**said, "to_on": to_on})) == "/to_on"
    assert turn(desk, program, "pauses", {**said, "to_on": "2025-08-30"}).status_code == 201


def test_a_pause_lifted_since_is_shown_to_the_past_as_it_was(desk: Desk, program: Json, clock: Clock) -> None:
    turn(desk, program, "pauses", {"from_on": "2025-03-03", "to_on": "2025-03-20", "reason": "holiday"})
    clock.now = at("03-10")
    turn(desk, program, "resume")
    shown = desk.get(f"/programs/{program['id']}?as_of=2025-03-05T12:00:00Z")
    (pause,) = shown["pauses"]
    assert (shown["status"], pause["to_on"], pause["lifted_on"]) == ("paused", "2025-03-20", None)


def test_one_pause_ends_today_and_the_others_hold(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    away = {"from_on": "2025-03-04", "to_on": "2025-03-20", "reason": "holiday"}
    ill = {"from_on": "2025-03-04", "to_on": "2025-03-12", "reason": "illness"}
    holiday, illness = (turn(desk, program, "pauses", said, by=bo).json()["id"] for said in (away, ill))
    clock.now = at("03-10")
    ended = turn(desk, program, f"pauses/{holiday}/end", by=bo)
    assert ended.status_code == 200, ended.text
    shown = ended.json()
    assert (shown["from_on"], shown["to_on"], shown["lifted_on"]) == ("2025-03-04", "2025-03-09", "2025-03-10")
    assert status(desk, program, by=bo) == "paused"
    again = turn(desk, program, f"pauses/{holiday}/end", by=bo)
    assert again.json() == shown
    assert turn(desk, program, f"pauses/{illness}/end", by=bo).json()["to_on"] == "2025-03-09"
    assert status(desk, program, by=bo) == "active"
    clock.now = at("03-12")
    assert rates(desk, program)["excluded_days"] == 6
    assert rates(desk, program)["frequency"]["denominator"] == 1 + 2


def test_a_pause_yet_to_begin_is_called_off(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    said = {"from_on": "2025-03-06", "to_on": "2025-03-20", "reason": "holiday"}
    pause = turn(desk, program, "pauses", said, by=bo).json()
    off = turn(desk, program, f"pauses/{pause['id']}/end", by=bo)
    assert (off.status_code, off.json()["lifted_on"]) == (200, "2025-03-06")
    for day in ("03-05", "03-06", "03-10"):
        clock.now = at(day)
        assert status(desk, program, by=bo) == "active"
    assert rates(desk, program)["excluded_days"] == 0
    assert rates(desk, program)["frequency"]["denominator"] == 7


def test_a_patient_ends_no_hold(desk: Desk, bo: str, program: Json) -> None:
    for from_on in ("2025-03-03", "2025-04-07"):
        said = {"from_on": from_on, "to_on": "2025-04-30", "reason": "hold"}
        hold = turn(desk, program, "pauses", said).json()
        assert_problem(turn(desk, program, f"pauses/{hold['id']}/end", by=bo), 403, "not_allowed")
        shown = next(one for one in desk.program(program)["pauses"] if one["id"] == hold["id"])
        assert (shown["to_on"], shown["lifted_on"]) == ("2025-04-30", None)
        assert status(desk, program, by=bo) == "paused"
    (first, later) = desk.program(program)["pauses"]
    assert turn(desk, program, f"pauses/{first['id']}/end").json()["lifted_on"] == "2025-03-03"
    assert turn(desk, program, f"pauses/{later['id']}/end").json()["lifted_on"] == "2025-04-07"
    assert status(desk, program, by=bo) == "active"


def test_a_pause_of_another_program_is_unknown(desk: Desk, bo: str, program: Json) -> None:
    said = {"from_on": "2025-03-03", "to_on": "2025-03-20", "reason": "holiday"}
    pause = turn(desk, desk.runs(bo), "pauses", said).json()
    assert_problem(turn(desk, program, f"pauses/{pause['id']}/end"), 404, "unknown")
    someone = desk.a_patient()
    assert_problem(turn(desk, program, f"pauses/{pause['id']}/end", by=someone), 404, "unknown")


def test_a_pause_that_is_over_stays_as_it_was(desk: Desk, program: Json, clock: Clock) -> None:
    said = {"from_on": "2025-03-03", "to_on": "2025-03-04", "reason": "holiday"}
    pause = turn(desk, program, "pauses", said).json()
    clock.now = at("03-06")
    assert turn(desk, program, f"pauses/{pause['id']}/end").json() == pause
    assert desk.program(program)["pauses"] == [pause]


def test_a_patient_tells_of_a_pause_within_fourteen_days(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    clock.now = at("03-31")
    late = {"from_on": "2025-03-16", "to_on": "2025-03-20", "reason": "illness"}
    assert pointer(turn(desk, program, "pauses", late, by=bo)) == "/from_on"
    assert desk.program(program)["pauses"] == []
    assert turn(desk, program, "pauses", {**late, "from_on": "2025-03-17"}, by=bo).status_code == 201
    assert turn(desk, program, "pauses", late).status_code == 201


# As it was known then.


def test_the_past_is_told_as_it_was_known(desk: Desk, bo: str, clock: Clock) -> None:
    clock.now = at("03-03")
    draft = desk.drafts(bo, item("bird-dog", days_per_week=7), flare=FLARE)
    where = f"/programs/{draft['id']}?as_of="
    desk.screens(bo)
    clock.now = at("03-04")
    assert desk.activates(draft).is_success
    clock.now = at("03-06")
    declared = turn(desk, draft, "flares", {"to_on": "2025-03-10"}, by=bo).json()
    clock.now = at("03-08")
    turn(desk, draft, f"flares/{declared['id']}/end", by=bo)
    clock.now = at("03-12")
    turn(desk, draft, "stop", {"reason": "no_time", "note": "Busy"}, by=bo)

    def shown(moment: str) -> tuple[Any, ...]:
        then = desk.get(f"{where}{moment}")
        ends = tuple(then[name] for name in ("ended_on", "end_reason", "end_note"))
        return then["status"], [one["to_on"] for one in then["flares"]], ends

    nothing, ended = (None, None, None), ("2025-03-12", "no_time", "Busy")
    for moment, expected in (
        ("2025-03-03T12:00:00Z", ("draft", [], nothing)),
        ("2025-03-04T11:59:59Z", ("draft", [], nothing)),
        ("2025-03-04T12:00:00Z", ("active", [], nothing)),
        ("2025-03-06T12:00:00Z", ("active", ["2025-03-10"], nothing)),
        ("2025-03-08T11:59:59Z", ("active", ["2025-03-10"], nothing)),
        ("2025-03-08T12:00:00Z", ("active", ["2025-03-08"], nothing)),
        ("2025-03-12T11:59:59Z", ("active", ["2025-03-08"], nothing)),
        ("2025-03-12T12:00:00Z", ("withdrawn", ["2025-03-08"], ended)),
        ("2030-01-01T00:00:00Z", ("withdrawn", ["2025-03-08"], ended)),
    ):
        assert shown(moment) == expected, moment
    assert_problem(desk.call("GET", f"{where}2025-03-03T11:59:59Z"), 404, "unknown")


def test_a_pause_is_unknown_before_it_was_told(desk: Desk, program: Json, clock: Clock) -> None:
    clock.now = at("03-10")
    turn(desk, program, "pauses", {"from_on": "2025-03-05", "to_on": "2025-03-20", "reason": "illness"})
    for moment, state, pauses in (("2025-03-08T12:00:00Z", "active", 0), ("2025-03-10T12:00:00Z", "paused", 1)):
        shown = desk.get(f"/programs/{program['id']}?as_of={moment}")
        assert (shown["status"], len(shown["pauses"])) == (state, pauses)


# The first day.


def test_a_draft_whose_day_has_passed_starts_when_it_is_handed_over(desk: Desk, bo: str, clock: Clock) -> None:
    draft = desk.drafts(bo, item("bird-dog", days_per_week=7))
    later = desk.drafts(bo, starts_on="2025-03-05", review_due_on="2025-03-20")
    clock.now = at("03-07")
    desk.screens(bo)
    started = desk.activates(draft).json()
    assert (started["starts_on"], started["review_due_on"]) == ("2025-03-07", "2025-04-04")
    kept = desk.activates(later).json()
    assert (kept["starts_on"], kept["review_due_on"]) == ("2025-03-07", "2025-03-20")
    clock.now = at("03-09")
    assert rates(desk, draft)["frequency"]["denominator"] == 2


def test_a_start_that_lies_ahead_or_was_dated_back_stays(desk: Desk, bo: str, clock: Clock) -> None:
    back, ahead = (desk.drafts(bo, starts_on=day) for day in ("2025-02-24", "2025-03-12"))
    clock.now = at("03-07")
    desk.screens(bo)
    for draft in (back, ahead):
        activated = desk.activates(draft).json()
        assert (activated["starts_on"], activated["review_due_on"]) == (draft["starts_on"], draft["review_due_on"])


def test_a_program_starts_within_a_year(desk: Desk, bo: str) -> None:
    for day in ("2024-03-01", "2026-03-05", "2999-01-01"):
        refused = desk.call("POST", f"/patients/{bo}/programs", {**KEEP, "starts_on": day})
        assert pointer(refused) == "/starts_on", day
    for day in ("2024-03-02", "2026-03-04"):
        assert desk.drafts(bo, starts_on=day)["starts_on"] == day


def test_a_review_follows_the_start(desk: Desk, bo: str) -> None:
    for day in ("2025-03-09", "2025-03-10"):
        said = {**KEEP, "starts_on": "2025-03-10", "review_due_on": day}
        assert pointer(desk.call("POST", f"/patients/{bo}/programs", said)) == "/review_due_on"
    assert desk.drafts(bo, starts_on="2025-03-10", review_due_on="2025-03-11")["review_due_on"] == "2025-03-11"


# Flares.


def test_without_a_plan_for_it_there_is_no_flare(desk: Desk, bo: str) -> None:
    program = desk.runs(bo)
    for by in ("therapist", bo):
        assert_problem(turn(desk, program, "flares", {}, by=by), 409, "no_flare_plan")
    assert desk.program(program)["flares"] == []


def test_on_a_flare_day_the_flare_plan_is_expected_and_logged(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    desk.logs(program)
    clock.now += DAY
    said = {"to_on": "2025-03-06", "joints": ["knee", "wrist_hand"], "note": "Both knees hot"}
    declared = turn(desk, program, "flares", said, by=bo)
    assert declared.status_code == 201
    shown = {name: declared.json()[name] for name in ("from_on", *said)}
    assert shown == {"from_on": "2025-03-04", **said}
    assert "A hot, swollen joint with fever needs medical help today." in declared.json()["advice"]
    desk.logs(program)
    course = {one["line_id"] for one in program["revision"]["phases"][0]["items"]}
    flare = {one["line_id"] for one in program["revision"]["flare"]["items"]}
    on_flare_day, before = desk.get(f"/programs/{program['id']}/sessions")["items"]
    assert {entry["line_id"] for entry in before["entries"]} == course
    assert {entry["line_id"] for entry in on_flare_day["entries"]} == flare
    assert len(course) == len(flare) == 2
    assert course.isdisjoint(flare)
    clock.now += DAY
    found = rates(desk, program)
    assert found["frequency"]["value"] == found["completeness"]["value"] == 1.0
    assert found["completeness"]["denominator"] == 4.0


def test_a_flare_without_days_is_for_today(desk: Desk, bo: str, program: Json) -> None:
    declared = turn(desk, program, "flares", {}, by=bo).json()
    assert (declared["from_on"], declared["to_on"]) == ("2025-03-03", "2025-03-03")
    assert desk.program(program, by=bo)["flares"] == [declared]


def test_a_flare_ends_with_the_day_it_is_said_to(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    declared = turn(desk, program, "flares", {"to_on": "2025-03-12"}, by=bo).json()
    clock.now = at("03-05")
    ended = turn(desk, program, f"flares/{declared['id']}/end", by=bo).json()
    assert (ended["from_on"], ended["to_on"]) == ("2025-03-03", "2025-03-05")
    again = turn(desk, program, f"flares/{declared['id']}/end", by=bo)
    assert again.json() == ended
    clock.now = at("03-06")
    desk.logs(program)
    (logged,) = desk.get(f"/programs/{program['id']}/sessions")["items"]
    course = {one["line_id"] for one in program["revision"]["phases"][0]["items"]}
    assert {entry["line_id"] for entry in logged["entries"]} == course


def test_a_flare_has_its_limits(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    clock.now = at("03-20")
    for said, where in (
        ({"from_on": "2025-03-12"}, "/from_on"),
        ({"to_on": "2025-03-19"}, "/to_on"),
        ({"to_on": "2025-04-03"}, "/to_on"),
        ({"from_on": "2025-03-22"}, "/from_on"),
        ({"joints": ["knees"]}, "/joints/0"),
    ):
        assert pointer(turn(desk, program, "flares", said, by=bo)) == where
    assert desk.program(program)["flares"] == []
    for said in ({"from_on": "2025-03-13"}, {"to_on": "2025-04-02"}, {"from_on": "2025-03-21"}):
        assert turn(desk, program, "flares", said, by=bo).status_code == 201


def test_a_flare_is_not_told_of_the_time_before_the_program(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    clock.now = at("03-05")
    assert pointer(turn(desk, program, "flares", {"from_on": "2025-03-02"}, by=bo)) == "/from_on"


def test_a_joint_that_flares_counts_in_the_check_of_that_day(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.runs(bo, item("step-up", side="both"), item("bird-dog", days_per_week=7), flare=FLARE)
    other = desk.runs(bo, item("step-up", side="both"))
    assert of_rule(desk.checks(program), "R-11") == []
    said = {"from_on": "2025-03-04", "to_on": "2025-03-06", "joints": ["knee"]}
    declared = turn(desk, program, "flares", said, by=bo).json()
    for day, flares in (("03-03", False), ("03-04", True), ("03-06", True), ("03-07", False)):
        clock.now = at(day)
        found = [one for one in of_rule(desk.checks(program), "R-11") if one["exercise"] == "step-up"]
        assert [(one["severity"], one["condition"]) for one in found] == [("block", "joint-flare")] * flares, day
        assert all("(knee)" in one["message"] for one in found)
    clock.now = at("03-05")
    turn(desk, program, f"flares/{declared['id']}/end", by=bo)
    clock.now = at("03-06")
    assert of_rule(desk.checks(program), "R-11") == []
    # Without a joint nobody knows what to spare.
    turn(desk, program, "flares", {}, by=bo)
    assert of_rule(desk.checks(program), "R-11") == []
    assert of_rule(desk.checks(other), "R-11") == []


def test_a_flare_of_another_program_is_unknown(desk: Desk, bo: str, program: Json) -> None:
    declared = turn(desk, desk.runs(bo, flare=FLARE), "flares", {}).json()
    assert_problem(turn(desk, program, f"flares/{declared['id']}/end"), 404, "unknown")


def test_the_flare_plan_may_be_a_protocols(desk: Desk, bo: str) -> None:
    program = desk.runs(bo, flare={"protocol": "ra-flare-day"})
    exercises = [one["exercise"] for one in program["revision"]["flare"]["items"] if one["exercise"]]
    protocol = desk.get("/protocols/ra-flare-day")["phases"][0]["items"]
    assert exercises == [one["exercise"] for one in protocol if one["exercise"]]
    refused = desk.call("POST", f"/patients/{bo}/programs", {**KEEP, "flare": {"protocol": "unheard-of"}})
    assert pointer(refused, 404) == "/flare/protocol"


# Reviews.


def test_a_review_is_due_when_its_day_is_over(desk: Desk, program: Json, clock: Clock) -> None:
    assert program["review_due_on"] == "2025-03-31"
    # Midnight in London, where summer time began the day before.
    clock.now = datetime(2025, 3, 31, 22, 59, 59, tzinfo=UTC)
    assert "review_due" not in worklist(desk, program)
    clock.now += timedelta(seconds=1)
    (row,) = (row for row in desk.get("/worklist?kind=review_due")["items"] if row["program_id"] == program["id"])
    assert (row["opened_at"], row["severity"]) == ("2025-03-31T23:00:00Z", "medium")
    assert row["evidence"] == "Four-week review was due on 31 Mar, 1 day ago."


def test_a_review_closes_what_was_due_and_the_next_is_in_four_weeks(
    desk: Desk, bo: str, program: Json, clock: Clock
) -> None:
    clock.now = at("04-02")
    assert "review_due" in worklist(desk, program)
    assert_problem(turn(desk, program, "reviews", {}, by=bo), 403)
    done = turn(desk, program, "reviews", {"note": "Pain down by 3."})
    assert done.status_code == 201
    assert (done.json()["note"], done.json()["next_review_on"]) == ("Pain down by 3.", "2025-04-30")
    assert done.json()["reviewed_by"] == str(desk.ines.account_id)
    assert "review_due" not in worklist(desk, program)
    assert desk.program(program)["review_due_on"] == "2025-04-30"
    clock.now = at("05-01")
    assert "review_due" in worklist(desk, program)
    turn(desk, program, "reviews", {"next_review_on": "2025-05-08"})
    listed = desk.get(f"/programs/{program['id']}/reviews")["items"]
    assert [one["next_review_on"] for one in listed] == ["2025-05-08", "2025-04-30"]


def test_the_next_review_lies_ahead(desk: Desk, program: Json) -> None:
    for day in ("2025-03-02", "2025-03-03"):
        assert pointer(turn(desk, program, "reviews", {"next_review_on": day})) == "/next_review_on"
    assert desk.program(program)["review_due_on"] == "2025-03-31"


def test_an_overdue_review_is_in_the_check_too(desk: Desk, program: Json, clock: Clock) -> None:
    clock.now = at("03-31")
    assert of_rule(desk.checks(program), "R-26") == []
    clock.now = at("04-01")
    assert [one["message"] for one in of_rule(desk.checks(program), "R-26")] == ["Four-week review due since 31 Mar."]


# Teaching.


def test_what_was_taught_is_kept(desk: Desk, program: Json, clock: Clock) -> None:
    clock.now += 8 * DAY
    first, second = (one["line_id"] for one in program["revision"]["phases"][0]["items"])
    assert len(of_rule(desk.checks(program), "R-28")) == 2
    shown = [{"line_id": first, "teach_back": "shown"}]
    assert turn(desk, program, "teachings", {"lines": shown, "taught_on": "2025-03-10"}).status_code == 201
    assert [one["line_ids"] for one in of_rule(desk.checks(program), "R-28")] == [[second]]
    (kept,) = desk.get(f"/programs/{program['id']}/teachings")["items"]
    assert (kept["line_id"], kept["taught_on"], kept["teach_back"]) == (first, "2025-03-10", "shown")
    assert pointer(turn(desk, program, "teachings", {"lines": shown, "taught_on": "2025-03-12"})) == "/taught_on"
    unknown = [*shown, {"line_id": program["id"], "teach_back": "shown"}]
    assert pointer(turn(desk, program, "teachings", {"lines": unknown}), 404) == "/lines/1/line_id"


# Ends.


def test_a_prescribed_program_ends_by_discharge_not_by_completion(desk: Desk, bo: str, program: Json) -> None:
    assert_problem(turn(desk, program, "complete"), 409, "wrong_status")
    assert status(desk, program) == "active"
    for kind in ("maintenance", "self_directed"):
        other = desk.runs(bo, type=kind)
        assert_problem(turn(desk, other, "complete", by=bo), 403)
        done = turn(desk, other, "complete").json()
        assert (done["status"], done["ended_on"]) == ("completed", "2025-03-03")
        assert status(desk, other) == "completed"


def test_a_discharge_begins_maintenance_and_the_check_ins(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    clock.now = at("03-10")
    given = turn(desk, program, "discharge", {"maintenance": KEEP, "acknowledged": ["R-17", "R-18", "R-27"]})
    assert given.status_code == 201, given.text
    ended, kept = given.json()["ended"], given.json()["maintenance"]
    assert (ended["status"], ended["ended_on"], ended["end_reason"]) == ("discharged", "2025-03-10", "discharged")
    assert (kept["type"], kept["status"], kept["starts_on"]) == ("maintenance", "active", "2025-03-10")
    assert (kept["previous_program_id"], kept["review_due_on"]) == (program["id"], None)
    (record,) = desk.get(f"/programs/{kept['id']}/checks")["items"]
    assert record["deed"] == "discharge"
    for by in ("therapist", bo):
        due = desk.get(f"/patients/{bo}/check-ins", by=by)["items"]
        assert [(one["month"], one["due_on"]) for one in due] == [
            (1, "2025-04-10"),
            (3, "2025-06-10"),
            (6, "2025-09-10"),
            (12, "2026-03-10"),
            (24, "2027-03-10"),
        ]
        assert {one["program_id"] for one in due} == {program["id"]}


def test_months_end_where_they_end(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    clock.now = at("03-03") + timedelta(days=334)
    assert clock.now.date().isoformat() == "2026-01-31"
    desk.screens(bo)
    said = {
        "maintenance": KEEP,
        "check_in_months": [24, 1, 3, 6, 12, 3],
        **answers(acknowledged=["R-17", "R-18", "R-27"]),
    }
    assert turn(desk, program, "discharge", said).status_code == 201
    due = [one["due_on"] for one in desk.get(f"/patients/{bo}/check-ins")["items"]]
    assert due == ["2026-02-28", "2026-04-30", "2026-07-31", "2027-01-31", "2028-01-31"]


def test_nobody_is_discharged_into_nothing(desk: Desk, bo: str, program: Json) -> None:
    problem: Any = assert_problem(turn(desk, program, "discharge", {}), 409, "safety_blocked")
    (finding,) = of_rule(problem, "R-24")
    assert (finding["finding"], finding["can_be_overridden"]) == ("R-24/maintenance", True)
    assert status(desk, program) == "active"
    assert desk.get(f"/patients/{bo}/check-ins")["items"] == []


def test_a_therapist_discharges_into_nothing_with_a_reason(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    clock.now += DAY
    why = {"R-24/maintenance": "Moves abroad; a colleague there goes on."}
    said = answers(why, ["R-27"])
    assert_problem(turn(desk, program, "discharge", said, by="admin"), 403, "not_allowed")
    given = turn(desk, program, "discharge", said)
    assert given.status_code == 201, given.text
    assert (given.json()["ended"]["status"], given.json()["maintenance"]) == ("discharged", None)
    *_, record = desk.get(f"/programs/{program['id']}/checks")["items"]
    assert record["decisions"]["R-24/maintenance"]["reason"] == why["R-24/maintenance"]
    assert len(desk.get(f"/patients/{bo}/check-ins")["items"]) == 5


def test_a_check_in_left_out_blocks_too(desk: Desk, bo: str, program: Json) -> None:
    said = {"maintenance": KEEP, "check_in_months": [1, 3, 6, 24]}
    problem: Any = assert_problem(turn(desk, program, "discharge", said), 409, "safety_blocked")
    (finding,) = of_rule(problem, "R-24")
    assert (finding["finding"], finding["message"]) == ("R-24/check-ins", "No check-in at 12 months.")
    listed = desk.get(f"/patients/{bo}/programs")["items"]
    assert [one["id"] for one in listed] == [program["id"]]
    given = turn(desk, program, "discharge", said | answers({finding["finding"]: REASON}, ["R-17", "R-18", "R-27"]))
    assert given.status_code == 201, given.text
    assert [one["month"] for one in desk.get(f"/patients/{bo}/check-ins")["items"]] == [1, 3, 6, 24]


def test_maintenance_of_a_back_keeps_its_strength(desk: Desk, bo: str, program: Json) -> None:
    desk.has(bo, "chronic-lbp")
    walking = {"phases": [phase(item("walk-easy", sets=1, reps=1, duration_minutes=30, days_per_week=5))]}
    said = {"maintenance": walking}
    problem: Any = assert_problem(turn(desk, program, "discharge", said), 409)
    assert [one["finding"] for one in of_rule(problem, "R-25")] == ["R-25/core", "R-25/strength"]
    assert {one["severity"] for one in of_rule(problem, "R-25")} == {"warn"}
    kept = {"maintenance": {"phases": [phase(item("bird-dog"), item("glute-bridge"))]}}
    problem = assert_problem(turn(desk, program, "discharge", kept), 409, "not_acknowledged")
    assert of_rule(problem, "R-25") == []


def test_what_is_wrong_with_the_maintenance_is_pointed_at(desk: Desk, program: Json) -> None:
    for maintenance, where in (
        ({"protocol": "unheard-of"}, "/maintenance/protocol"),
        ({"phases": [phase(item("unheard-of"))]}, "/maintenance/phases/0/items/0/exercise"),
    ):
        assert pointer(turn(desk, program, "discharge", {"maintenance": maintenance}), 404) == where
    said = {"maintenance": KEEP, **answers({"R-08": REASON})}
    assert pointer(turn(desk, program, "discharge", said)) == "/overrides/0/finding"
    assert pointer(turn(desk, program, "discharge", {"maintenance": KEEP, "check_in_months": [0]})) == (
        "/check_in_months/0"
    )
    assert status(desk, program) == "active"


def test_a_patient_stops_and_says_why(desk: Desk, bo: str, program: Json) -> None:
    stopped = turn(desk, program, "stop", {"reason": "not_helping", "note": "Three weeks and no better"}, by=bo).json()
    assert (stopped["status"], stopped["ended_on"]) == ("withdrawn", "2025-03-03")
    assert (stopped["end_reason"], stopped["end_note"]) == ("not_helping", "Three weeks and no better")
    assert desk.program(program)["end_note"] == "Three weeks and no better"
    assert status(desk, program, by=bo) == "withdrawn"
    (row,) = (row for row in desk.get("/worklist")["items"] if row["program_id"] == program["id"])
    assert (row["kind"], row["severity"]) == ("withdrawn", "high")
    assert pointer(turn(desk, desk.runs(bo), "stop", {"reason": "enough"}, by=bo)) == "/reason"


def test_a_new_program_follows_the_last_one_by_itself(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    assert program["previous_program_id"] is None
    clock.now += DAY
    turn(desk, program, "stop", {"reason": "feel_better"})
    draft = desk.drafts(bo)
    assert draft["previous_program_id"] == program["id"]
    clock.now += DAY
    # A draft that was never handed over is nobody's episode.
    assert desk.drafts(bo)["previous_program_id"] == program["id"]
    desk.screens(bo)
    assert desk.activates(draft).is_success
    clock.now += DAY
    assert desk.drafts(bo)["previous_program_id"] == draft["id"]
    assert desk.drafts(bo, previous_program_id=program["id"])["previous_program_id"] == program["id"]
    assert desk.drafts(desk.a_patient())["previous_program_id"] is None


TURNS: list[tuple[str, object]] = [
    ("activate", {}),
    ("pauses", {"from_on": "2025-03-03", "to_on": "2025-03-05", "reason": "holiday"}),
    ("resume", None),
    ("flares", {}),
    ("reviews", {}),
    ("discharge", {"maintenance": KEEP}),
    ("complete", None),
    ("stop", {"reason": "no_time"}),
]


@pytest.mark.parametrize("end", ["completed", "discharged", "withdrawn"])
def test_what_is_over_takes_no_further_turn(desk: Desk, bo: str, end: str) -> None:
    kind = "maintenance" if end == "completed" else "prescribed"
    program = desk.runs(bo, item("bird-dog"), flare=FLARE, type=kind)
    how: dict[str, tuple[str, object]] = {
        "completed": ("complete", None),
        "discharged": ("discharge", {"maintenance": KEEP, **answers(acknowledged=["R-17", "R-18", "R-27"])}),
        "withdrawn": ("stop", {"reason": "no_time"}),
    }
    flare = turn(desk, program, "flares", {"to_on": "2025-03-10"}).json()
    said = {"from_on": "2025-03-05", "to_on": "2025-03-20", "reason": "holiday"}
    pause = turn(desk, program, "pauses", said).json()
    ending = turn(desk, program, *how[end])
    assert ending.is_success, ending.text
    assert status(desk, program) == end
    before = desk.program(program)
    line = before["revision"]["phases"][0]["items"][0]["line_id"]
    taught = {"lines": [{"line_id": line, "teach_back": "shown"}]}
    ends = [(f"flares/{flare['id']}/end", None), (f"pauses/{pause['id']}/end", None)]
    for what, body in [*TURNS, *ends, ("teachings", taught)]:
        assert_problem(turn(desk, program, what, body), 409, "wrong_status")
    assert desk.get(f"/programs/{program['id']}/teachings")["items"] == []
    assert_problem(desk.revises(program, phase(item("glute-bridge"))), 409, "wrong_status")
    assert desk.program(program) == before


def test_a_draft_takes_no_turn_but_its_first(desk: Desk, bo: str) -> None:
    draft = desk.drafts(bo, item("bird-dog"), flare=FLARE)
    for what, body in TURNS[1:]:
        assert_problem(turn(desk, draft, what, body), 409, "wrong_status")
    desk.screens(bo)
    assert desk.activates(draft).is_success
    assert_problem(desk.activates(draft), 409, "wrong_status")


# Care beside the exercises.


def test_heat_is_ticked_and_is_not_exercise(desk: Desk, bo: str, clock: Clock) -> None:
    heat = care("heat-pack", duration_minutes=15, as_needed_max_per_day=3)
    program = desk.runs(bo, item("bird-dog", days_per_week=7), heat)
    bird, warm = program["revision"]["phases"][0]["items"]
    assert (warm["care"], warm["exercise"], warm["text"]) == (
        "heat-pack",
        None,
        "15 min; as needed, at most 3 times a day",
    )
    desk.logs(program, done="some", entries=[{"line_id": bird["line_id"]}])
    for _ in range(6):
        clock.now += DAY
        desk.logs(program, done="some", entries=[{"line_id": warm["line_id"]}])
    clock.now += DAY
    found = desk.get(f"/programs/{program['id']}/adherence")
    assert (found["last_day"], found["silence"]["missed"]) == ("2025-03-03", 6)
    assert found["rates"]["program"]["frequency"] == {"value": 0.1429, "numerator": 1.0, "denominator": 7.0}
    assert found["rates"]["program"]["completeness"] == {"value": 0.1429, "numerator": 1.0, "denominator": 7.0}
    logged = desk.get(f"/programs/{program['id']}/sessions")["items"]
    assert [[entry["line_id"] for entry in one["entries"]] for one in logged] == [
        *([[warm["line_id"]]] * 6),
        [bird["line_id"]],
    ]
    clock.now += 7 * DAY
    assert "silence" in worklist(desk, program)


def test_a_skipped_exercise_and_a_tick_of_care_are_not_exercise(desk: Desk, bo: str, clock: Clock) -> None:
    heat = care("heat-pack", duration_minutes=15, as_needed_max_per_day=3)
    program = desk.runs(bo, item("bird-dog", days_per_week=7), heat)
    bird, warm = (one["line_id"] for one in program["revision"]["phases"][0]["items"])
    desk.logs(program)
    for _ in range(6):
        clock.now += DAY
        desk.logs(program, done="some", entries=[{"line_id": bird, "skipped": True}, {"line_id": warm}])
    clock.now += DAY
    found = desk.get(f"/programs/{program['id']}/adherence")
    assert (found["last_day"], found["silence"]["missed"]) == ("2025-03-03", 6)
    for name in ("frequency", "completeness"):
        assert found["rates"]["program"][name] == {"value": 0.1429, "numerator": 1.0, "denominator": 7.0}


def test_care_of_every_day_is_not_expected_as_exercise_either(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.runs(bo, item("bird-dog", days_per_week=7), care("micro-breaks", days_per_week=7))
    for _ in range(2):
        desk.logs(program)
        clock.now += DAY
    assert rates(desk, program)["completeness"] == {"value": 1.0, "numerator": 2.0, "denominator": 2.0}
    assert desk.checks(program)["burden"][0]["items"] == 1


def test_a_list_of_care_alone_does_not_start_the_program(desk: Desk, bo: str, clock: Clock) -> None:
    program = desk.runs(bo, item("bird-dog", days_per_week=7), care("heat-pack", as_needed_max_per_day=2))
    warm = program["revision"]["phases"][0]["items"][1]["line_id"]
    for _ in range(8):
        desk.logs(program, done="some", entries=[{"line_id": warm}])
        clock.now += DAY
    found = desk.get(f"/programs/{program['id']}/adherence")
    assert (found["standing"], found["first_day"]) == ("not_started", None)
    assert "not_started" in worklist(desk, program)


def test_heat_alone_is_no_program_for_a_back(desk: Desk, bo: str) -> None:
    desk.has(bo, "chronic-lbp")
    desk.screens(bo)
    draft = desk.drafts(bo, care("heat-pack", duration_minutes=15, days_per_week=7))
    (finding,) = of_rule(desk.checks(draft), "R-02")
    assert (finding["severity"], finding["message"]) == ("block", "Passive treatment only: add active exercise.")
