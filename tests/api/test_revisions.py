"""Revisions: what changes, from which day on, in which words, and that what is past stays as it was judged."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from models.database import Database
from tests.api.conftest import Clinic, assert_problem
from tests.api.desk import ALL_RULES, Desk, Json, a_desk, care, item, of_rule, phase, pointer
from tests.builders import DAY, MONDAY
from tests.conftest import Clock

HOUR = timedelta(hours=1)


@pytest.fixture
def desk(client: httpx.Client, database: Database, clock: Clock) -> Desk:
    return a_desk(client, database, clock)


@pytest.fixture
def bo(desk: Desk) -> str:
    return desk.a_patient()


@pytest.fixture
def program(desk: Desk, bo: str) -> Json:
    """Running since Monday: two exercises."""
    found: Json = desk.runs(bo, item("bird-dog"), item("cat-camel"))
    return found


def lines(shown: Json) -> dict[str, str]:
    """Exercise → line id, of the revision in force."""
    found = [one for one_phase in shown["revision"]["phases"] for one in one_phase["items"]]
    return {one["exercise"] or one["care"]: one["line_id"] for one in found}


def revisions(desk: Desk, program: Json, *, by: str = "therapist") -> Any:
    return desk.get(f"/programs/{program['id']}/revisions", by=by)["items"]


def test_a_revision_names_the_version_it_was_read_from(desk: Desk, program: Json) -> None:
    where, said = f"/programs/{program['id']}/revisions", {"phases": [phase(item("bird-dog"))]}
    assert_problem(desk.call("POST", where, said), 428, "if_match_required")
    shown = desk.call("GET", f"/programs/{program['id']}")
    assert shown.headers["etag"] == f'"v{shown.json()["version"]}"'
    revised = desk.revises(program, phase(item("bird-dog")))
    assert revised.status_code == 201
    assert revised.headers["etag"] == f'"v{shown.json()["version"] + 1}"'
    stale = desk.revises(program, phase(item("glute-bridge")), match=shown.json()["version"])
    assert_problem(stale, 412, "version_mismatch")
    assert len(revisions(desk, program)) == 2


def test_a_line_goes_on_as_the_same_line_named_or_not(desk: Desk, program: Json) -> None:
    before = lines(program)
    bird = item("bird-dog", line_id=before["bird-dog"], rest_seconds=60)
    after = desk.revises(program, phase(bird, item("cat-camel"), item("glute-bridge"))).json()
    assert {name: line for name, line in lines(after).items() if name in before} == before
    assert lines(after)["glute-bridge"] not in before.values()


def test_a_line_keeps_its_exercise(desk: Desk, program: Json) -> None:
    before = lines(program)
    for other in (
        item("glute-bridge", line_id=before["bird-dog"]),
        item("cat-camel", line_id=before["bird-dog"]),
        {**care("heat-pack", duration_minutes=15, days_per_week=3), "line_id": before["bird-dog"]},
    ):
        phases = [phase(item("walk-easy"), other)]
        assert pointer(desk.revises(program, *phases)) == "/phases/0/items/1/line_id"
        checked = desk.call("POST", f"/programs/{program['id']}/check", {"phases": phases})
        assert pointer(checked) == "/phases/0/items/1/line_id"
    assert len(revisions(desk, program)) == 1


def test_another_exercise_in_its_place_is_another_line(desk: Desk, program: Json) -> None:
    before = lines(program)
    after = desk.revises(program, phase(item("glute-bridge"), item("cat-camel"))).json()
    assert lines(after)["cat-camel"] == before["cat-camel"]
    assert lines(after)["glute-bridge"] not in before.values()
    assert after["revision"]["changes"] == ["Glute bridge added: 2 × 8; 3 days a week", "Bird dog removed"]
    # Back again it is the line that it was, if someone says so.
    back = item("bird-dog", line_id=before["bird-dog"])
    assert lines(desk.revises(after, phase(back, item("cat-camel"))).json()) == before


def test_a_new_program_continues_no_line(desk: Desk, bo: str, program: Json) -> None:
    line = lines(program)["bird-dog"]
    for said, where in (
        ({"phases": [phase(item("bird-dog", line_id=line))]}, "/phases/0/items/0/line_id"),
        ({"phases": [phase(item("cat-camel"), item("bird-dog", line_id=str(uuid4())))]}, "/phases/0/items/1/line_id"),
        (
            {"phases": [phase(item("cat-camel"))], "flare": {"items": [item("bird-dog", line_id=line)]}},
            "/flare/items/0/line_id",
        ),
    ):
        assert pointer(desk.call("POST", f"/patients/{bo}/programs", said)) == where
    assert [one["id"] for one in desk.get(f"/patients/{bo}/programs")["items"]] == [program["id"]]


def test_a_line_that_nobody_knows_is_pointed_at(desk: Desk, program: Json) -> None:
    refused = desk.revises(program, phase(item("cat-camel"), item("bird-dog", line_id=str(uuid4()))))
    assert pointer(refused, 404) == "/phases/0/items/1/line_id"
    line = lines(program)["bird-dog"]
    refused = desk.revises(program, phase(item("bird-dog", line_id=line), item("cat-camel", line_id=line)))
    assert pointer(refused) == "/phases/0/items/1/line_id"
    assert len(revisions(desk, program)) == 1


def test_a_flare_line_that_nobody_knows_is_pointed_at(desk: Desk, program: Json) -> None:
    flare = {"items": [item("bed-knee-rocks", line_id=str(uuid4()))]}
    refused = desk.revises(program, phase(item("bird-dog"), item("cat-camel")), flare=flare)
    assert pointer(refused, 404) == "/flare/items/0/line_id"
    taken = {"items": [item("bed-knee-rocks", line_id=lines(program)["bird-dog"])]}
    refused = desk.revises(program, phase(item("bird-dog"), item("cat-camel")), flare=taken)
    assert pointer(refused) == "/flare/items/0/line_id"
    assert len(revisions(desk, program)) == 1


def test_what_changed_is_told_in_sentences(desk: Desk, bo: str) -> None:
    program = desk.runs(bo, item("bird-dog"), item("cat-camel"), item("walk-easy", sets=1, reps=1, duration_minutes=20))
    walk = item("walk-easy", sets=1, reps=1, duration_minutes=25, days_per_week=5)
    side = item("wall-side-plank", side="left", hold_seconds=10, sets=3, reps=1)
    after = desk.revises(program, phase(item("bird-dog", sets=3), walk, side), note="Sore wrist").json()
    told = [
        "Bird dog: 2 → 3 sets",
        "Easy walking: 20 → 25 min; 3 → 5 days a week",
        "Wall side plank added: 3 × 10 s, left side; 3 days a week",
        "Cat and camel removed",
    ]
    assert after["revision"]["changes"] == told
    assert (after["revision"]["number"], after["revision"]["note"]) == (2, "Sore wrist")
    latest, first = revisions(desk, program, by=bo)
    assert (latest["number"], latest["changes"]) == (2, told)
    assert (first["number"], first["changes"]) == (1, [])
    assert latest["author_id"] == str(desk.ines.account_id)


@pytest.mark.parametrize(
    ("phases", "told"),
    [
        (
            [
                phase(item("bird-dog"), item("cat-camel"), to_day=14),
                phase(item("glute-bridge"), label="Later", from_day=15),
            ],
            [
                "Glute bridge added: 2 × 8; 3 days a week",
                "Phase All along: now day 1 to 14",
                "Phase Later: now from day 15 on",
            ],
        ),
        (
            [phase(item("bird-dog"), item("cat-camel"), care("micro-breaks", days_per_week=5))],
            ["Short breaks from sitting added: 5 days a week"],
        ),
    ],
)
def test_phases_and_care_are_told_too(desk: Desk, program: Json, phases: list[Json], told: list[str]) -> None:
    after = desk.revises(program, *phases)
    assert after.status_code == 201, after.text
    assert after.json()["revision"]["changes"] == told


def test_a_phase_that_is_only_renamed_keeps_the_lines_it_names(desk: Desk, program: Json) -> None:
    kept = [item(exercise, line_id=line) for exercise, line in lines(program).items()]
    after = desk.revises(program, phase(*kept, label="Base")).json()
    assert after["revision"]["changes"] == ["Phase All along is now called Base"]
    assert lines(after) == lines(program)


def test_a_phase_that_is_renamed_takes_its_lines_along_unnamed(desk: Desk, program: Json) -> None:
    after = desk.revises(program, phase(item("bird-dog", sets=3), item("cat-camel"), label="Base")).json()
    assert after["revision"]["changes"] == ["Phase All along is now called Base", "Bird dog: 2 → 3 sets"]
    assert lines(after) == lines(program)


def test_the_flare_plan_is_revised_with_the_rest(desk: Desk, program: Json) -> None:
    both = phase(item("bird-dog"), item("cat-camel"))
    after = desk.revises(program, both, flare={"items": [item("bed-knee-rocks", days_per_week=7)]}).json()
    assert after["revision"]["changes"] == ["Bed knee rocks (Flare plan) added: 2 × 8; every day"]
    flare = after["revision"]["flare"]["items"]
    again = desk.revises(program, both, flare={"items": [item("bed-knee-rocks", reps=5, days_per_week=7)]}).json()
    assert again["revision"]["changes"] == ["Bed knee rocks (Flare plan): 8 → 5 repetitions"]
    assert again["revision"]["flare"]["items"][0]["line_id"] == flare[0]["line_id"]
    # Left out it stays; null takes it away.
    left = desk.revises(program, phase(item("bird-dog", sets=3), item("cat-camel"))).json()
    assert left["revision"]["flare"] == again["revision"]["flare"]
    assert left["revision"]["changes"] == ["Bird dog: 2 → 3 sets"]
    without = desk.revises(program, phase(item("bird-dog", sets=3), item("cat-camel")), flare=None).json()
    assert without["revision"]["flare"] is None
    assert without["revision"]["changes"] == ["Bed knee rocks (Flare plan) removed"]


def test_a_proposal_keeps_the_flare_plan_too(desk: Desk, bo: str) -> None:
    flare = {"items": [item("bed-knee-rocks", days_per_week=7)]}
    program = desk.runs(bo, item("bird-dog"), flare=flare)
    both = [phase(item("bird-dog"), item("cat-camel"))]
    for proposed, labels in (
        ({"phases": both}, ["All along", "Flare plan"]),
        ({"phases": both, "flare": None}, ["All along"]),
    ):
        assert [one["phase"] for one in desk.checks(program, proposed)["burden"]] == labels


def test_the_kept_flare_plan_is_checked_with_the_rest(desk: Desk, bo: str) -> None:
    program = desk.runs(bo, item("bird-dog"), flare={"items": [item("modified-curl-up")]})
    desk.has(bo, "osteoporosis")
    more = phase(item("bird-dog"), item("glute-bridge"))
    problem: Any = assert_problem(desk.revises(program, more), 409, "safety_blocked")
    assert [one["phases"] for one in of_rule(problem, "R-08")] == [["Flare plan"]]
    assert desk.revises(program, more, flare=None).status_code == 201


def test_never_backwards(desk: Desk, program: Json, clock: Clock) -> None:
    clock.now += 2 * DAY
    refused = desk.revises(program, phase(item("bird-dog")), effective_on="2025-03-04")
    assert pointer(refused) == "/effective_on"
    today = desk.revises(program, phase(item("bird-dog")), effective_on="2025-03-05")
    assert today.json()["revision"]["effective_on"] == "2025-03-05"


def test_a_draft_is_revised_freely_but_starts_when_it_starts(desk: Desk, bo: str) -> None:
    draft = desk.drafts(bo, item("bird-dog"))
    refused = desk.revises(draft, phase(item("glute-bridge")), effective_on="2025-03-12")
    assert pointer(refused) == "/effective_on"
    # Nobody has screened the patient, and a draft asks for no check.
    revised = desk.revises(draft, phase(item("modified-curl-up")))
    assert revised.status_code == 201, revised.text
    assert lines(revised.json()).keys() == {"modified-curl-up"}
    assert desk.get(f"/programs/{draft['id']}/checks")["items"] == []


def test_before_its_first_day_a_program_shows_what_it_will_begin_with(desk: Desk, bo: str) -> None:
    """The first revision was never checked: what is handed over is the second."""
    desk.screens(bo)
    desk.has(bo, "osteoporosis")
    draft = desk.drafts(bo, item("modified-curl-up"), starts_on="2025-03-10")
    revised = desk.revises(draft, phase(item("bird-dog"), item("cat-camel")))
    assert desk.activates(draft).is_success
    shown = desk.program(draft, by=bo)
    assert (shown["revision"]["number"], set(lines(shown))) == (2, {"bird-dog", "cat-camel"})
    assert shown["upcoming"] == []
    assert lines(revised.json()).keys() == {"bird-dog", "cat-camel"}


def test_a_later_revision_waits_for_its_day(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    harder = phase(item("bird-dog", sets=3), item("cat-camel"))
    after = desk.revises(program, harder, effective_on="2025-03-17", note="From week 3").json()
    assert after["revision"]["number"] == 1
    upcoming = {"number": 2, "effective_on": "2025-03-17", "note": "From week 3", "changes": ["Bird dog: 2 → 3 sets"]}
    assert desk.program(program, by=bo)["upcoming"] == [upcoming]
    clock.now += 13 * DAY + 11 * HOUR
    assert desk.program(program, by=bo)["revision"]["number"] == 1
    # Midnight in London.
    clock.now += HOUR
    shown = desk.program(program, by=bo)
    assert (shown["revision"]["number"], shown["upcoming"]) == (2, [])
    assert shown["revision"]["phases"][0]["items"][0]["dosage"]["sets"] == 3


def test_what_was_prescribed_can_be_asked_of_the_past(desk: Desk, bo: str, program: Json, clock: Clock) -> None:
    clock.now += 7 * DAY
    desk.revises(program, phase(item("glute-bridge")))
    where = f"/programs/{program['id']}"
    for moment, number, exercises in (
        ("2025-03-10T11:59:59Z", 1, {"bird-dog", "cat-camel"}),
        ("2025-03-10T12:00:00Z", 2, {"glute-bridge"}),
        ("2030-01-01T00:00:00Z", 2, {"glute-bridge"}),
    ):
        for by in ("therapist", bo):
            shown = desk.get(f"{where}?as_of={moment}", by=by)
            assert (shown["revision"]["number"], set(lines(shown))) == (number, exercises), moment


def test_a_later_revision_is_unknown_before_it_was_written(desk: Desk, program: Json, clock: Clock) -> None:
    clock.now += DAY
    desk.revises(program, phase(item("bird-dog")), effective_on="2025-03-10")
    where = f"/programs/{program['id']}?as_of="
    assert desk.get(f"{where}2025-03-04T11:00:00Z")["upcoming"] == []
    assert [one["number"] for one in desk.get(f"{where}2025-03-04T12:00:00Z")["upcoming"]] == [2]


def test_a_newer_revision_replaces_one_that_was_yet_to_begin(desk: Desk, program: Json, clock: Clock) -> None:
    assert desk.revises(program, phase(item("bird-dog", sets=3)), effective_on="2025-03-17").is_success
    now = desk.revises(program, phase(item("glute-bridge"))).json()
    assert (now["revision"]["number"], now["upcoming"]) == (3, [])
    clock.now += 14 * DAY
    assert desk.program(program)["revision"]["number"] == 3


def test_a_revision_that_will_never_begin_is_not_announced(desk: Desk, program: Json, clock: Clock) -> None:
    assert desk.revises(program, phase(item("bird-dog", sets=3)), effective_on="2025-03-17").is_success
    after = desk.revises(program, phase(item("glute-bridge")), effective_on="2025-03-10").json()
    clock.now += 14 * DAY
    assert desk.program(program)["revision"]["number"] == 3
    assert [one["number"] for one in after["upcoming"]] == [3]


def test_a_revision_that_changes_nothing_is_refused(desk: Desk, program: Json) -> None:
    same = phase(item("bird-dog"), item("cat-camel"))
    assert pointer(desk.revises(program, same)) == "/phases"
    assert len(revisions(desk, program)) == 1


def test_a_revision_yet_to_begin_can_be_brought_forward(desk: Desk, program: Json) -> None:
    harder = phase(item("bird-dog", sets=3), item("cat-camel"))
    assert desk.revises(program, harder, effective_on="2025-03-17").is_success
    now = desk.revises(program, harder)
    assert now.status_code == 201, now.text
    assert now.json()["revision"]["phases"][0]["items"][0]["dosage"]["sets"] == 3
    assert now.json()["revision"]["changes"] == ["Bird dog: 2 → 3 sets"]
    assert now.json()["upcoming"] == []


def test_a_revision_yet_to_begin_can_be_taken_back(desk: Desk, program: Json, clock: Clock) -> None:
    same = phase(item("bird-dog"), item("cat-camel"))
    harder = phase(item("bird-dog", sets=3), item("cat-camel"))
    assert desk.revises(program, harder, effective_on="2025-03-17").is_success
    back = desk.revises(program, same)
    assert back.status_code == 201, back.text
    assert (back.json()["revision"]["changes"], back.json()["upcoming"]) == ([], [])
    clock.now += 20 * DAY
    shown = desk.program(program)["revision"]
    assert (shown["number"], shown["phases"][0]["items"][0]["dosage"]["sets"]) == (3, 2)
    assert pointer(desk.revises(program, same)) == "/phases"


def test_what_changed_is_told_against_what_would_have_held_that_day(desk: Desk, program: Json) -> None:
    def sets(number: int, effective_on: str) -> Json:
        bird = phase(item("bird-dog", sets=number), item("cat-camel"))
        answer = desk.revises(program, bird, effective_on=effective_on)
        assert answer.status_code == 201, answer.text
        shown: Json = answer.json()
        return shown

    sets(3, "2025-03-17")
    later = sets(4, "2025-03-31")
    assert [one["effective_on"] for one in later["upcoming"]] == ["2025-03-17", "2025-03-31"]
    # Before either of them begins, and from then on.
    between = sets(1, "2025-03-24")
    assert [one["number"] for one in between["upcoming"]] == [2, 4]
    told = {one["number"]: one["changes"] for one in revisions(desk, program)}
    assert told == {
        1: [],
        2: ["Bird dog: 2 → 3 sets"],
        3: ["Bird dog: 3 → 4 sets"],
        4: ["Bird dog: 3 → 1 sets"],
    }


def test_an_unsafe_revision_is_blocked_and_nothing_of_it_is_written(desk: Desk, bo: str, program: Json) -> None:
    desk.has(bo, "osteoporosis")
    before = [desk.program(program), revisions(desk, program), desk.get(f"/programs/{program['id']}/checks")]
    unsafe = phase(item("bird-dog"), item("modified-curl-up"))
    problem: Any = assert_problem(desk.revises(program, unsafe), 409, "safety_blocked")
    assert [one["condition"] for one in of_rule(problem, "R-08")] == ["osteoporosis"]
    after = [desk.program(program), revisions(desk, program), desk.get(f"/programs/{program['id']}/checks")]
    assert after == before
    assert desk.revises(program, phase(item("bird-dog"))).status_code == 201


def test_a_revision_is_checked_against_what_the_patient_does_now(desk: Desk, program: Json) -> None:
    jump = desk.checks(program, {"phases": [phase(item("bird-dog", sets=3, reps=12), item("cat-camel"))]})
    (finding,) = of_rule(jump, "R-22")
    assert finding["message"] == "Bird dog: repetitions from 48 to 108 a week: too big a step."


def test_no_harder_while_it_hurts(desk: Desk, program: Json, clock: Clock) -> None:
    for pain in (2, 3, 7):
        desk.logs(program, pain_during=pain)
        clock.now += DAY
    harder, easier = phase(item("bird-dog", reps=9)), phase(item("bird-dog", reps=6))
    refused: Any = assert_problem(desk.revises(program, harder, acknowledged=[]), 409, "not_acknowledged")
    (finding,) = of_rule(refused, "R-23")
    assert finding["message"] == "Hold the level: pain 7 of 10 within the last 3 sessions."
    assert of_rule(desk.checks(program, {"phases": [easier]}), "R-23") == []
    assert desk.revises(program, harder, acknowledged=["R-23"]).status_code == 201


def test_the_days_before_are_judged_by_the_old_revision(desk: Desk, program: Json, clock: Clock) -> None:
    bird = lines(program)["bird-dog"]
    for day in range(7):
        if day in {0, 2, 4}:
            entries = [{"line_id": bird, "sets": 1}]
            desk.logs(program, done="some", entries=entries)
        clock.now += DAY
    where = f"/programs/{program['id']}/adherence"
    before = desk.get(where)["rates"]
    assert before["7_days"]["frequency"] == {"value": 1.0, "numerator": 3.0, "denominator": 3.0}
    assert before["7_days"]["completeness"] == {"value": 0.5, "numerator": 3.0, "denominator": 6.0}
    assert before["7_days"]["dose"] == {"value": 0.5, "numerator": 1.5, "denominator": 3.0}
    revised = desk.revises(program, phase(item("bird-dog", sets=1, days_per_week=7), item("glute-bridge")))
    assert revised.status_code == 201, revised.text
    assert desk.get(where)["rates"] == before
    # The day after is judged by the new one: two lines, one of them on every day.
    desk.logs(program)
    clock.now += DAY
    after = desk.get(where)["rates"]["program"]
    assert after["frequency"]["denominator"] == 3.0 + 1.0
    assert after["completeness"]["numerator"] > before["program"]["completeness"]["numerator"]
    as_it_was = desk.get(f"{where}?as_of={MONDAY + 7 * DAY}T11:59:00Z")["rates"]
    assert as_it_was == before


def test_revisions_come_in_pages(desk: Desk, bo: str, program: Json) -> None:
    for reps in (9, 10, 11, 12):
        assert desk.revises(program, phase(item("bird-dog", reps=reps), item("cat-camel"))).is_success
    whole = revisions(desk, program)
    assert [one["number"] for one in whole] == [5, 4, 3, 2, 1]
    where = f"/programs/{program['id']}/revisions?limit=2"
    for by in ("therapist", bo):
        found: list[Json] = []
        sizes = []
        cursor: str | None = ""
        while cursor is not None:
            page = desk.call("GET", f"{where}{'&cursor=' + cursor if cursor else ''}", by=by)
            assert ("link" in page.headers) == (page.json()["next"] is not None)
            found += page.json()["items"]
            sizes.append(len(page.json()["items"]))
            cursor = page.json()["next"]
        assert (found, sizes) == (whole, [2, 2, 1])
    assert pointer(desk.call("GET", f"{where}&cursor=none")) == "/cursor"


def test_what_is_sent_twice_under_one_key_is_written_once(desk: Desk, program: Json) -> None:
    """Also where something was read since, so that the version named is no longer the latest."""
    where = f"/programs/{program['id']}"
    own = {"slug": "ours", "name": "Ours", "indication": "Backs", "conditions": ["chronic-lbp"]}
    bird = phase(item("bird-dog"), to_day=28)
    for path, said, listed in (
        (f"{where}/revisions", {"phases": [phase(item("bird-dog"))], "acknowledged": ALL_RULES}, f"{where}/revisions"),
        (
            f"{where}/teachings",
            {"lines": [{"line_id": line, "teach_back": "shown"} for line in lines(program).values()]},
            f"{where}/teachings",
        ),
        ("/protocols", {**own, "phases": [bird], "maintenance": [item("bird-dog")]}, "/protocols"),
    ):
        before = len(desk.get(listed)["items"])
        key, version = str(uuid4()), desk.program(program)["version"]
        first = desk.call("POST", path, said, match=version, key=key)
        assert first.status_code == 201, first.text
        after = desk.get(listed)
        again = desk.call("POST", path, said, match=version, key=key)
        assert again.status_code == 201
        if path.endswith("/teachings"):
            told = [sorted(one.json()["items"], key=lambda line: line["line_id"]) for one in (first, again)]
            assert told[0] == told[1]
        else:
            assert again.json() == first.json(), path
        assert again.headers.get("etag") == first.headers.get("etag")
        assert desk.get(listed) == after
        assert len(after["items"]) > before
        other = {**said, "note" if "acknowledged" in said else "taught_on" if "lines" in said else "name": "2025-03-03"}
        assert_problem(desk.call("POST", path, other, match=version, key=key), 422, "idempotency_key_reused")


def test_a_program_that_is_over_is_not_revised(desk: Desk, program: Json) -> None:
    desk.post(f"/programs/{program['id']}/stop", {"reason": "feel_better"})
    assert_problem(desk.revises(program, phase(item("bird-dog"))), 409, "wrong_status")


def test_a_strangers_program_is_not_there(desk: Desk, stranger: Clinic) -> None:
    theirs = {"id": str(stranger.program_id)}
    assert_problem(desk.revises(theirs, phase(item("bird-dog")), match=3), 404, "unknown")
    assert_problem(desk.call("GET", f"/programs/{stranger.program_id}/revisions"), 404, "unknown")
