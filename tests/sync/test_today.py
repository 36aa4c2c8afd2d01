"""The first screen: all of it in one request, never shaming, and safety before exercise."""

from datetime import timedelta
from typing import Any

import pytest

from models.safety.red_flags import EMERGENCY, FALL_ADVICE, KEEP_TO_COMFORT, PAIN_ADVICE, RED_FLAGS, SYMPTOMS
from tests.api.conftest import assert_problem
from tests.api.desk import ALL_RULES
from tests.architecture.statements import counting
from tests.builders import DAY, MONDAY, NOON, a_patient, a_program, log_days
from tests.sync.plain_phone import Wire


def today(wire: Wire) -> Any:
    answer = wire.client.get("/v1/me/today", headers=wire.header())
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_first_screen_of_a_new_patient(wire: Wire) -> None:
    screen = today(wire)
    assert (screen["day"], screen["given_name"], screen["time_zone"]) == ("2025-03-03", "Ann", "Europe/London")
    (program,) = screen["programs"]
    assert program["why"] == "phase"
    assert [(one["exercise"], one["kind"], one["times_done"]) for one in program["items"]] == [
        ("bird-dog", "due", 0),
        ("glute-bridge", "due", 0),
    ]
    assert program["items"][0]["text"]
    assert program["items"][0]["pain_limit"] == 5
    assert (program["sessions_today"], program["week_done"], program["week_expected"]) == (0, 0, 5)
    assert program["next_on"] == "2025-03-03"
    assert screen["streak_weeks"] == 0
    assert screen["safety"] == {"locked": False, "advice": []}
    assert screen["ask"]["settled_since"] is None
    assert [one["title"] for one in screen["messages"]] == ["Your program: Home exercise program"]
    assert screen["questions"]["monday"] == "2025-03-03"
    assert "pain" in [one["name"] for one in screen["questions"]["weekly_questions"]]


def test_what_every_log_offers_to_tap(wire: Wire) -> None:
    ask = today(wire)["ask"]
    chips = {one["code"]: one["text"] for one in ask["chips"]}
    assert {"further_down", "numb_or_weak", "dizzy", "hot_swollen_joint", "fall", "not_sure"} < chips.keys()
    for red_flag in ("RF-01", "RF-02", "RF-03", "RF-04", "RF-10"):
        assert chips[red_flag] == RED_FLAGS[red_flag].question
    assert {"symptoms_worse", "not_helping", "feel_better"} < {one["code"] for one in ask["reasons"]}


def test_a_session_done_moves_the_next_on(wire: Wire) -> None:
    said = wire.put(pain_during=4)
    wire.push(said)
    (program,) = today(wire)["programs"]
    assert [one["times_done"] for one in program["items"]] == [1, 1]
    assert (program["sessions_today"], program["week_done"]) == (1, 1)
    # Tomorrow is a flare day, and its plan has something to do.
    assert program["next_on"] == "2025-03-04"
    wire.push({"op": "delete", "id": said["id"], "base_version": 1})
    (program,) = today(wire)["programs"]
    assert (program["sessions_today"], program["next_on"]) == (0, "2025-03-03")


def test_the_morning_after_is_asked_once(wire: Wire) -> None:
    morning, evening = wire.put(pain_during=4), wire.put(at=NOON + timedelta(minutes=30), pain_during=1)
    wire.push(morning, evening)
    assert today(wire)["ask"]["settled_since"] is None
    wire.clock.now = NOON + DAY
    assert today(wire)["ask"]["settled_since"] == evening["id"]
    wire.push(wire.put(done="none", reason="no_time", settled_by_morning=True))
    assert today(wire)["ask"]["settled_since"] is None
    wire.clock.now = NOON + 2 * DAY
    assert today(wire)["ask"]["settled_since"] is None


def test_the_screen_is_of_ones_own_sessions_alone(wire: Wire) -> None:
    """What a neighbour of the same clinic did is asked of nobody else."""
    ines = wire.clinic.ines
    with wire.database.writing() as tx:
        neighbours = a_program(tx, ines, a_patient(tx, ines)).program
        log_days(tx, ines, neighbours.id, [MONDAY], pain_during=4)
    wire.clock.now = NOON + DAY
    screen = today(wire)
    assert (screen["streak_weeks"], screen["ask"]["settled_since"]) == (0, None)


def test_a_streak_counts_weeks_and_this_week_never_breaks_it(wire: Wire) -> None:
    for week in range(3):
        wire.clock.now = NOON + 7 * week * DAY
        wire.push(wire.put())
    assert today(wire)["streak_weeks"] == 3
    wire.clock.now = NOON + 27 * DAY  # Sunday of a week without a session
    assert today(wire)["streak_weeks"] == 3
    wire.clock.now = NOON + 28 * DAY
    assert today(wire)["streak_weeks"] == 0


@pytest.mark.parametrize(
    ("chip", "locked", "advice"), [("RF-01", True, EMERGENCY), ("fall", False, FALL_ADVICE), ("RF-99", True, None)]
)
def test_a_red_flag_stands_before_the_exercises(wire: Wire, chip: str, locked: bool, advice: str | None) -> None:
    wire.push(wire.put(chips=[chip]))
    screen = today(wire)
    assert screen["safety"]["locked"] is locked
    assert screen["safety"]["advice"]
    if advice:
        assert screen["safety"]["advice"] == [advice]
    assert (screen["programs"][0]["items"] == []) is locked
    assert screen["streak_weeks"] == (0 if locked else 1)


def test_the_gravest_advice_comes_first(wire: Wire) -> None:
    wire.push(wire.put(chips=["fall", "RF-10"]))
    assert today(wire)["safety"]["advice"] == [EMERGENCY, FALL_ADVICE]


def test_what_was_told_of_pain_is_on_every_phone_and_fades(wire: Wire) -> None:
    wire.push(wire.put(pain_during=7))
    assert today(wire)["safety"] == {"locked": False, "advice": [PAIN_ADVICE]}
    wire.clock.now = NOON + DAY
    assert today(wire)["safety"]["advice"] == [KEEP_TO_COMFORT]
    wire.push(wire.put(pain_during=1))
    wire.clock.now = NOON + 2 * DAY
    wire.push(wire.put(pain_during=1))
    assert today(wire)["safety"]["advice"] == []


def test_what_to_mind_after_a_fall_is_shown_for_three_days(wire: Wire) -> None:
    wire.push(wire.put(chips=["fall"]))
    wire.clock.now = NOON + 3 * DAY - timedelta(minutes=1)
    assert today(wire)["safety"]["advice"] == [FALL_ADVICE]
    wire.clock.now = NOON + 3 * DAY
    assert today(wire)["safety"]["advice"] == []


@pytest.mark.parametrize("chip", list(SYMPTOMS))
def test_a_symptom_is_advised_on_and_reaches_the_list(wire: Wire, chip: str) -> None:
    severity, words, advice = SYMPTOMS[chip]
    (one,) = wire.push(wire.put(chips=[chip]))
    assert (one["advice"], one["safety_raised"]) == ([advice], True)
    assert today(wire)["safety"] == {"locked": False, "advice": [advice]}
    (row,) = wire.client.get("/v1/worklist?kind=symptom", headers=wire.clinic.therapist).json()["items"]
    assert (row["severity"], row["evidence"]) == (severity.word, f"Reported on 3 Mar: {words}.")


def test_an_empty_note_is_nothing_said(wire: Wire) -> None:
    assert wire.outcomes(wire.put(note="  ")) == ["created"]
    assert wire.pull()["sessions"][0]["note"] is None


def test_a_pause_asks_nothing(wire: Wire) -> None:
    pause = {"from_on": "2025-03-03", "to_on": "2025-03-20", "reason": "holiday"}
    path = f"/v1/programs/{wire.clinic.program_id}/pauses"
    assert wire.client.post(path, json=pause, headers=wire.header()).status_code == 201
    (program,) = today(wire)["programs"]
    assert (program["why"], program["pause_reason"], program["items"]) == ("paused", "holiday", [])
    assert program["week_expected"] == 0
    assert program["next_on"] is None


def test_news_is_shown_for_two_weeks(wire: Wire) -> None:
    program = f"/v1/programs/{wire.clinic.program_id}"
    version = wire.client.get(program, headers=wire.clinic.therapist).json()["version"]
    items = [{"exercise": "bird-dog", "side": "both", "dosage": {"sets": 2, "reps": 8, "days_per_week": 3}}]
    revision = {"phases": [{"label": "Less", "items": items}], "acknowledged": ALL_RULES}
    headers = {**wire.clinic.therapist, "If-Match": f'"v{version}"'}
    assert wire.client.post(f"{program}/revisions", json=revision, headers=headers).status_code == 201
    kinds = [one["kind"] for one in today(wire)["messages"]]
    assert kinds == ["program_new", "program_changed"]
    (shown,) = today(wire)["programs"]
    assert [(one["kind"], one["days_left"]) for one in shown["items"]] == [("flexible", 3)]
    wire.clock.now = NOON + 14 * DAY
    assert today(wire)["messages"] == []


def test_a_program_that_ended_is_told_and_not_shown(wire: Wire) -> None:
    path = f"/v1/programs/{wire.clinic.program_id}/stop"
    wire.client.post(path, json={"reason": "feel_better"}, headers=wire.header())
    screen = today(wire)
    assert screen["programs"] == []
    assert screen["messages"][-1]["kind"] == "program_ended"


def test_the_first_screen_is_a_patients(wire: Wire) -> None:
    assert_problem(wire.client.get("/v1/me/today", headers=wire.clinic.therapist), 403)
    assert_problem(wire.client.get("/v1/sync/pull", headers=wire.clinic.therapist), 403)


@pytest.mark.parametrize("days", [0, 150])
def test_what_the_first_screen_and_a_pull_cost(wire: Wire, days: int) -> None:
    for first in range(0, days, 30):
        wire.clock.now = NOON + (first + 30) * DAY
        wire.push(*(wire.put(at=NOON + (first + day) * DAY) for day in range(30)))
    cursor = wire.pull()["cursor"] if not days else wire.pull(limit=200)["cursor"]
    today(wire)  # the day's first contact is written down
    header = wire.header()
    with counting() as sent:
        wire.client.get("/v1/me/today", headers=header)
    assert len(sent) <= 11, "\n".join(sent)
    wire.push(wire.put(), wire.put())
    header = wire.header()
    with counting() as sent:
        answer = wire.client.get("/v1/sync/pull", params={"cursor": cursor}, headers=header)
    assert len(answer.json()["sessions"]) == 2
    assert len(sent) <= 8, "\n".join(sent)
