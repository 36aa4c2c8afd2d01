"""Check-ins, weekly questions and measures, as patients and therapists meet them."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select

from api.schemas.sync import kept_item
from models.adherence.measures import MEASURES
from models.database import Database
from models.safety.red_flags import (
    CONTACT_ADVICE,
    EMERGENCY,
    FALL_ADVICE,
    MESSAGE_ADVICE,
    RECURRENCE_ADVICE,
    SEVERE_ADVICE,
    UNREAD_ADVICE,
)
from models.tables import Announcement, AnswerVersion, Flag, Measurement, RejectedSession, TakenFrom, WeeklyAnswer
from tests.api.conftest import Clinic, assert_problem
from tests.api.desk import ALL_RULES, Desk, Json, a_desk, answers, item, phase, pointer
from tests.builders import DAY, MONDAY
from tests.conftest import Clock

WEEK = 7 * DAY


@pytest.fixture
def desk(client: httpx.Client, database: Database, clock: Clock) -> Desk:
    return a_desk(client, database, clock)


@pytest.fixture
def bo(desk: Desk) -> str:
    return desk.a_patient()


def discharges(desk: Desk, patient: str) -> Json:
    """A program that ended today, with maintenance after it; the program."""
    program: Json = desk.runs(patient)
    keep = {"maintenance": {"phases": [phase(item("bird-dog"))]}, **answers(acknowledged=ALL_RULES)}
    desk.post(f"/programs/{program['id']}/discharge", keep)
    return program


def check_ins(desk: Desk, patient: str) -> list[Json]:
    found: list[Json] = desk.get(f"/patients/{patient}/check-ins")["items"]
    return found


def asked(desk: Desk, patient: str) -> Json:
    """What the patient's phone shows."""
    found: Json = desk.get("/me/check-ins", by=patient)
    return found


def answers_check_in(desk: Desk, patient: str, check_in: Json, *, by: str | None = None, **said: Any) -> httpx.Response:
    where = f"/me/check-ins/{check_in['id']}" if by is None else f"/patients/{patient}/check-ins/{check_in['id']}"
    return desk.call("PUT", where, said, by=by or patient)


def answers_week(desk: Desk, patient: str, monday: date = MONDAY, **said: Any) -> httpx.Response:
    return desk.call("PUT", f"/me/weeks/{monday}", said, by=patient)


def worklist(desk: Desk) -> dict[str, Json]:
    """The open flags about what was answered, by kind."""
    items = desk.get("/worklist")["items"]
    return {row["kind"]: row for row in items if row["kind"] not in {"silence", "not_started", "review_due"}}


def series(desk: Desk, patient: str, *, by: str = "therapist") -> dict[str, Json]:
    return {one["measure"]["code"]: one for one in desk.get(f"/patients/{patient}/measures", by=by)["items"]}


# What is asked.


def test_nothing_is_asked_where_nothing_runs(desk: Desk, bo: str) -> None:
    found = asked(desk, bo)
    assert (found["check_ins"], found["monday"], found["weekly_questions"]) == ([], None, [])


def test_the_weekly_questions_are_asked_until_they_are_answered(desk: Desk, bo: str, clock: Clock) -> None:
    desk.runs(bo)
    clock.now += 2 * DAY
    found = asked(desk, bo)
    assert found["monday"] == MONDAY.isoformat()
    assert "pain" in [question["name"] for question in found["weekly_questions"]]
    assert answers_week(desk, bo, pain=4).status_code == 201
    assert asked(desk, bo)["monday"] is None
    clock.now += 5 * DAY
    assert asked(desk, bo)["monday"] == (MONDAY + WEEK).isoformat()


@pytest.mark.parametrize(("code", "status"), [("ra", "confirmed"), ("sle", "suspected")])
def test_stiffness_is_asked_of_those_with_rheumatoid_arthritis_or_lupus(
    desk: Desk, bo: str, code: str, status: str
) -> None:
    desk.runs(bo)
    assert "stiffness_minutes" not in [question["name"] for question in asked(desk, bo)["weekly_questions"]]
    made = desk.has(bo, code, status=status)
    assert "stiffness_minutes" in [question["name"] for question in asked(desk, bo)["weekly_questions"]]
    desk.call("PUT", f"/patients/{bo}/conditions/{made['id']}", {"code": code, "status": "resolved"}, match=1)
    assert "stiffness_minutes" not in [question["name"] for question in asked(desk, bo)["weekly_questions"]]


@pytest.mark.parametrize(
    ("days", "months"),
    [
        (0, []),
        (23, []),
        (24, [1]),
        (31, [1]),
        (84, [1]),
        (85, [1, 3]),
        (91, [1, 3]),
        (92, [3]),
        (93, [3]),
        (177, [3, 6]),
    ],
)
def test_a_check_in_is_asked_from_a_week_ahead_until_the_next_is_due(
    desk: Desk, bo: str, clock: Clock, days: int, months: list[int]
) -> None:
    discharges(desk, bo)  # on 3 March: due on 3 April and 3 June, 31 and 92 days later
    clock.now += days * DAY
    assert [one["month"] for one in asked(desk, bo)["check_ins"]] == months


def test_what_is_answered_is_not_asked_again_nor_is_what_came_before_it(desk: Desk, bo: str, clock: Clock) -> None:
    discharges(desk, bo)
    clock.now += 100 * DAY
    (third,) = asked(desk, bo)["check_ins"]
    assert third["month"] == 3
    assert answers_check_in(desk, bo, third, pain=2).status_code == 200
    assert asked(desk, bo)["check_ins"] == []


def test_every_question_of_the_phone_can_be_answered_as_it_is_told(desk: Desk, bo: str, clock: Clock) -> None:
    desk.has(bo, "ra")
    discharges(desk, bo)
    clock.now += 31 * DAY
    found = asked(desk, bo)
    monday = date.fromisoformat(found["monday"])
    kinds: dict[str, Any] = {"yes_no": False, "items": ["bird-dog"], "chips": ["dizzy"], "text": "All well"}
    for base, end in enumerate(("lowest", "highest")):
        for part in ("check_in_questions", "weekly_questions"):
            said: Json = {"base_version": base}
            for question in found[part]:
                value = kinds.get(question["kind"], question.get(end))
                if question["kind"] == "activities":
                    value = [{"activity": "Walk", "score": int(value)}]
                elif question["whole"]:
                    value = int(value)
                said[question["name"]] = value
            if part == "weekly_questions":
                answer = answers_week(desk, bo, monday, **said)
            else:
                answer = answers_check_in(desk, bo, found["check_ins"][0], **said)
            assert answer.is_success, answer.text


# Check-ins.

FULL: Json = {
    "pain": 2,
    "pain_worst": 4,
    "function": [{"activity": name, "score": score} for name, score in (("Lift", 7), ("Sit", 8), ("Run", 5))],
    "recurrence": False,
    "days_exercised": 3,
    "still_doing": ["bird-dog", "glute-bridge"],
    "confidence": 8,
    "sitting_hours": 6.5,
    "global_change": 4,
    "wants_contact": False,
    "ext": {"app": {"version": 7}},
}


def test_a_check_in_is_answered_kept_and_shown(desk: Desk, bo: str, clock: Clock) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)
    assert (first["version"], first["answers"], first["answered_on"]) == (0, None, None)
    answer = answers_check_in(desk, bo, first, **FULL).json()
    assert (answer["outcome"], answer["advice"], answer["safety_raised"]) == ("created", [], False)
    kept = check_ins(desk, bo)[0]
    assert kept == answer["check_in"]
    assert kept["answers"] == FULL
    assert (kept["version"], kept["answered_on"], kept["source"]) == (1, "2025-04-03", "patient")
    assert worklist(desk) == {}
    found = {code: one["latest"]["score"] for code, one in series(desk, bo).items()}
    numbers = {name: FULL[name] for name in FULL if name in MEASURES}
    assert found == pytest.approx(numbers | {"psfs": 20 / 3})
    assert {one["latest"]["source"] for one in series(desk, bo).values()} == {"check_in"}


def test_the_same_answers_again_change_nothing_and_others_amend(
    desk: Desk, database: Database, bo: str, clock: Clock
) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)
    answers_check_in(desk, bo, first, **FULL)
    clock.now += DAY
    again = {**FULL, "still_doing": ["glute-bridge", "bird-dog", "bird-dog"]}
    same = answers_check_in(desk, bo, first, **again).json()
    assert (same["outcome"], same["check_in"]["version"]) == ("unchanged", 1)
    assert same["check_in"]["answered_at"].startswith("2025-04-03")
    amended = answers_check_in(desk, bo, first, pain=3, confidence=6, base_version=1).json()
    assert (amended["outcome"], amended["check_in"]["version"]) == ("updated", 2)
    assert amended["check_in"]["answers"] == {"pain": 3, "confidence": 6}
    # The scores follow, in their place: none is left of the first answers, and the day stays.
    with database.reading() as tx:
        rows = tx.execute(select(Measurement.code, Measurement.score, Measurement.taken_on).order_by(Measurement.code))
        assert [tuple(row) for row in rows] == [("confidence", 6, date(2025, 4, 3)), ("pain", 3, date(2025, 4, 3))]


def test_a_patient_may_change_answers_for_14_days_and_staff_at_any_time(desk: Desk, bo: str, clock: Clock) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)
    answers_check_in(desk, bo, first, pain=3)
    clock.now += 14 * DAY
    assert answers_check_in(desk, bo, first, pain=4, base_version=1).json()["outcome"] == "updated"
    clock.now += DAY
    assert_problem(answers_check_in(desk, bo, first, pain=5, base_version=2), 409, "not_asked")
    assert answers_check_in(desk, bo, first, pain=4).json()["outcome"] == "unchanged"
    by_phone = answers_check_in(desk, bo, first, by="therapist", pain=5, base_version=2).json()
    assert (by_phone["outcome"], by_phone["check_in"]["source"]) == ("updated", "therapist")
    assert (by_phone["check_in"]["version"], by_phone["check_in"]["answered_on"]) == (3, "2025-04-03")


def test_a_check_in_opens_two_weeks_before_it_is_due(desk: Desk, bo: str, clock: Clock) -> None:
    discharges(desk, bo)
    first, *_ = check_ins(desk, bo)
    clock.now += 16 * DAY
    assert_problem(answers_check_in(desk, bo, first, pain=3), 409, "not_asked")
    assert check_ins(desk, bo)[0]["version"] == 0
    clock.now += DAY
    assert answers_check_in(desk, bo, first, pain=3).status_code == 200


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"pain": 11}, "/pain"),
        ({"pain": "3"}, "/pain"),
        ({"pain": 2.5}, "/pain"),
        ({"global_change": -6}, "/global_change"),
        ({"days_exercised": 8}, "/days_exercised"),
        ({"sitting_hours": 24.5}, "/sitting_hours"),
        ({"recurrence": "yes"}, "/recurrence"),
        ({"function": [{"activity": "Sit", "score": 11}]}, "/function/0/score"),
        ({"function": [{"activity": " ", "score": 1}]}, "/function/0/activity"),
        ({"function": [{"activity": f"{number}", "score": 1} for number in range(6)]}, "/function"),
        ({"function": [{"activity": "Sit", "score": 1}, {"activity": "sit", "score": 2}]}, "/function/1/activity"),
        ({"still_doing": ["x" * 81]}, "/still_doing/0"),
        ({"ext": {"long": "x" * 2048}}, "/ext"),
        ({"stress": 3}, "/stress"),
        ({"chips": "fall"}, "/chips"),
    ],
)
def test_what_is_wrong_with_an_answer_is_pointed_at(desk: Desk, bo: str, clock: Clock, said: Json, where: str) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)
    assert pointer(answers_check_in(desk, bo, first, **said)) == where
    assert check_ins(desk, bo)[0]["version"] == 0
    assert series(desk, bo) == {}


@pytest.mark.parametrize("said", [{}, {"ext": {"a": 1}}, {"function": [], "chips": []}, {"pain": None}])
def test_an_answer_says_something(desk: Desk, bo: str, clock: Clock, said: Json) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)
    assert_problem(answers_check_in(desk, bo, first, **said), 422, "invalid")
    assert_problem(answers_week(desk, bo, MONDAY + 4 * WEEK, **said), 422, "invalid")


def test_nobody_answers_the_check_in_of_another(desk: Desk, bo: str, clock: Clock, stranger: Clinic) -> None:
    ann = desk.a_patient()
    discharges(desk, ann)
    clock.now += 31 * DAY
    hers, *_ = check_ins(desk, ann)
    for check_in in (hers, {"id": stranger.check_in_id}, {"id": uuid4()}):
        assert_problem(answers_check_in(desk, bo, check_in, pain=3), 404, "unknown")
        assert_problem(answers_check_in(desk, bo, check_in, by="therapist", pain=3), 404, "unknown")
    assert check_ins(desk, ann)[0]["version"] == 0
    assert_problem(answers_check_in(desk, ann, hers, by=ann, pain=3), 403, "not_allowed")


# What a therapist hears of.


def test_pain_that_came_back_is_on_the_worklist_and_the_patient_is_told(desk: Desk, bo: str, clock: Clock) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)
    answer = answers_check_in(desk, bo, first, recurrence=True).json()
    assert (answer["advice"], answer["safety_raised"]) == ([RECURRENCE_ADVICE], False)
    row = worklist(desk)["recurrence"]
    assert (row["severity"], row["patient"]["id"], row["program_id"]) == ("medium", bo, None)
    assert row["evidence"] == "Reported on 3 Apr: pain of 2 or more of 10 came back for 24 hours or longer."
    assert row["next_step"].startswith("Offer the early-return plan")
    # It does not fade while nobody has looked.
    clock.now += 60 * DAY
    assert worklist(desk)["recurrence"]["flag_id"] == row["flag_id"]


def test_who_wants_to_be_contacted_is_on_the_worklist_without_their_words(
    desk: Desk, database: Database, bo: str, clock: Clock
) -> None:
    desk.runs(bo)
    clock.now += DAY
    told = answers_week(desk, bo, note="My knee is blue").json()
    assert told["advice"] == [MESSAGE_ADVICE]
    row = worklist(desk)["contact_wanted"]
    assert (row["severity"], row["evidence"]) == ("low", "Left a message in the weekly questions on 4 Mar.")
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)
    told = answers_check_in(desk, bo, first, wants_contact=True, note="Call me").json()
    assert told["advice"] == [CONTACT_ADVICE, MESSAGE_ADVICE]
    again = worklist(desk)["contact_wanted"]
    assert (again["flag_id"], again["severity"]) == (row["flag_id"], "medium")
    assert again["evidence"] == (
        "Asked to be contacted on 4 Apr. Left a message in the check-in on 4 Apr."
        " Left a message in the weekly questions on 4 Mar."
    )
    assert again["next_step"] == "Read what was answered, and call or write back."
    with database.reading() as tx:
        assert "knee" not in str([one.payload for one in tx.scalars(select(Announcement))])


@pytest.mark.parametrize("asked_as", ["check-in", "week"])
def test_a_red_flag_in_an_answer_is_heard_at_once(desk: Desk, bo: str, clock: Clock, asked_as: str) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)
    said: Any = {"chips": ["fall", "rf-01"], "pain": 7}
    if asked_as == "week":
        answer = answers_week(desk, bo, MONDAY + 4 * WEEK, **said).json()
    else:
        answer = answers_check_in(desk, bo, first, **said).json()
    assert (answer["advice"], answer["safety_raised"]) == ([EMERGENCY, FALL_ADVICE], True)
    assert {kind: row["severity"] for kind, row in worklist(desk).items()} == {
        "red_flag": "emergency",
        "fall": "urgent",
    }
    # The average of a week is not pain during exercise: 6 or 7 opens no flag.
    assert "pain_high" not in worklist(desk)


def test_what_a_therapist_has_dealt_with_is_not_raised_again_by_an_amendment(
    desk: Desk, database: Database, bo: str
) -> None:
    desk.runs(bo)
    answers_week(desk, bo, chips=["RF-02"], note="Help")
    closed(database, desk)
    amended = answers_week(desk, bo, chips=["RF-02"], note="Help", pain=3, base_version=1).json()
    assert (amended["outcome"], amended["safety_raised"]) == ("updated", True)
    assert worklist(desk) == {}
    answers_week(desk, bo, chips=["RF-02", "fall"], note="Help again", pain=3, base_version=2)
    assert set(worklist(desk)) == {"fall", "contact_wanted"}


def closed(database: Database, desk: Desk) -> None:
    """Every flag of the clinic, as by hand."""
    with database.writing() as tx:
        for flag in tx.scalars(select(Flag).where(Flag.clinic_id == desk.ines.clinic_id, Flag.closed_at.is_(None))):
            flag.closed_at, flag.closed_because = desk.clock.now, "done"


@pytest.mark.parametrize(
    "path",
    [
        *("/me/check-ins/{first}", "/me/check-ins/{uuid}", "/me/check-ins/nonsense", "/me/check-ins/%00"),
        *("/me/weeks/2025-03-31", "/me/weeks/2025-04-01", "/me/weeks/soon"),
    ],
)
def test_a_refused_answer_is_heard_where_it_cannot_wait(desk: Desk, bo: str, clock: Clock, path: str) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)
    said = {"pain": 99, "chips": ["RF-01"], "recurrence": True, "wants_contact": True, "note": "Help"}
    answer = desk.call("PUT", path.format(first=first["id"], uuid=uuid4()), said, by=bo)
    problem = assert_problem(answer, 422, "invalid")
    assert problem["safety_raised"] is True
    assert problem["advice"] == [EMERGENCY, SEVERE_ADVICE, RECURRENCE_ADVICE, CONTACT_ADVICE, UNREAD_ADVICE]
    assert set(worklist(desk)) == {"red_flag", "pain_high", "recurrence", "contact_wanted"}
    assert check_ins(desk, bo)[0]["version"] == 0


def test_whatever_an_answer_is_refused_for_its_red_flag_is_heard(desk: Desk, bo: str, clock: Clock) -> None:
    discharges(desk, bo)
    first, second, *_ = check_ins(desk, bo)
    clock.now += 31 * DAY
    # Not asked yet; nobody's; a week too far ahead, and a day that is no Monday.
    for path, status in (
        (f"/me/check-ins/{second['id']}", 409),
        (f"/me/check-ins/{uuid4()}", 404),
        ("/me/weeks/2025-04-14", 422),
        ("/me/weeks/2025-04-01", 422),
        (f"/patients/{bo}/check-ins/{second['id']}", 409),
    ):
        by = bo if path.startswith("/me") else "therapist"
        problem = assert_problem(desk.call("PUT", path, {"chips": ["RF-06"]}, by=by), status)
        assert problem["safety_raised"] is True
    assert worklist(desk)["red_flag"]["evidence"].count("Fever") == 1
    unsafe = assert_problem(answers_check_in(desk, bo, first, pain="bad"), 422)
    assert (unsafe["safety_raised"], unsafe["advice"]) == (False, [])


def test_nothing_is_heard_of_strangers_or_of_what_cannot_be_read(
    desk: Desk, bo: str, clock: Clock, stranger: Clinic
) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)
    theirs = f"/patients/{stranger.patient_id}/check-ins/{first['id']}"
    problem = assert_problem(desk.call("PUT", theirs, {"chips": ["RF-01"]}), 404)
    assert "safety_raised" not in problem
    path = f"/v1/me/check-ins/{first['id']}"
    assert_problem(desk.client.put(path, json={"pain": 99, "chips": ["RF-01"]}), 401)
    made_up = {"Authorization": "Bearer ft_nothing"}
    assert "safety_raised" not in assert_problem(
        desk.client.put(path, json={"pain": 99, "chips": ["RF-01"]}, headers=made_up), 422
    )
    headers = desk._header(bo) | {"Content-Type": "application/json"}
    assert_problem(desk.client.put(path, content=b'{"chips": ["RF-01"]', headers=headers), 400, "malformed_json")
    assert_problem(desk.client.put(path, content=b"[]", headers=headers), 422)
    # Staff have no answers of their own.
    assert_problem(desk.call("PUT", f"/me/check-ins/{first['id']}", {"pain": 99, "chips": ["RF-01"]}), 422)
    assert worklist(desk) == {}


# Weeks.


def test_a_week_is_answered_once_whoever_says_it_how_often(desk: Desk, bo: str, database: Database) -> None:
    desk.runs(bo)
    said: Json = {
        "pain": 6,
        "function": [{"activity": "Lift", "score": 4}],
        "sleep": 5,
        "stress": 7,
        "sitting_hours": 9,
        "confidence": 6,
        "stiffness_minutes": 30,
        "fatigue": 4,
        "flare_days": 2,
    }
    first, again = (answers_week(desk, bo, **said) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert [one.json()["outcome"] for one in (first, again)] == ["created", "unchanged"]
    changed = answers_week(desk, bo, **{**said, "pain": 5, "base_version": 1}).json()
    assert (changed["outcome"], changed["week"]["version"]) == ("updated", 2)
    with database.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(WeeklyAnswer)) == 1
    found = {code: one["latest"]["score"] for code, one in series(desk, bo).items()}
    assert found == {**{name: said[name] for name in said if name != "function"}, "activity": 4, "pain": 5}
    assert worklist(desk) == {}


@pytest.mark.parametrize(
    ("monday", "taken_on"),
    [
        (MONDAY - 53 * WEEK, None),
        (MONDAY - 52 * WEEK, MONDAY - 52 * WEEK + 6 * DAY),
        (MONDAY - WEEK, MONDAY - DAY),
        (MONDAY, MONDAY + 5 * DAY),
        (MONDAY + WEEK, None),
        (MONDAY + DAY, None),
    ],
)
def test_the_weeks_that_can_be_answered_on_a_saturday(
    desk: Desk, bo: str, clock: Clock, monday: date, taken_on: date | None
) -> None:
    clock.now += 5 * DAY
    answer = answers_week(desk, bo, monday, pain=3)
    if taken_on is None:
        assert pointer(answer) == "/monday"
    else:
        assert answer.json()["week"]["answered_on"] == taken_on.isoformat()
        assert series(desk, bo)["pain"]["latest"]["taken_on"] == taken_on.isoformat()


def test_a_phone_whose_monday_has_begun_may_answer_on_our_sunday(desk: Desk, bo: str, clock: Clock) -> None:
    clock.now += 6 * DAY
    week = answers_week(desk, bo, MONDAY + WEEK, pain=3).json()["week"]
    assert (week["monday"], week["answered_on"]) == ("2025-03-10", "2025-03-10")


def test_the_local_week_is_the_patients(desk: Desk, clock: Clock) -> None:
    kiri = desk.a_patient(time_zone="Pacific/Kiritimati")
    desk.runs(kiri)
    clock.now += 6 * DAY  # Sunday noon in UTC is Monday, two in the morning, there
    assert asked(desk, kiri)["monday"] == "2025-03-10"


def test_amending_one_week_leaves_the_scores_of_another(desk: Desk, bo: str, clock: Clock) -> None:
    clock.now += WEEK
    answers_week(desk, bo, MONDAY, pain=6, sleep=3)
    answers_week(desk, bo, MONDAY + WEEK, pain=5)
    answers_week(desk, bo, MONDAY + WEEK, pain=4, base_version=1)
    found = series(desk, bo)
    assert [point["score"] for point in found["pain"]["points"]] == [6, 4]
    assert [point["score"] for point in found["sleep"]["points"]] == [3]


def test_an_old_week_sent_again_by_a_slow_phone_is_unchanged(desk: Desk, bo: str, clock: Clock) -> None:
    answers_week(desk, bo, pain=3)
    clock.now += 10 * WEEK
    assert answers_week(desk, bo, pain=3).json()["outcome"] == "unchanged"
    assert_problem(answers_week(desk, bo, pain=4, base_version=1), 409, "not_asked")


def test_weeks_are_listed_latest_first(desk: Desk, bo: str, clock: Clock) -> None:
    for number in range(3):
        answers_week(desk, bo, MONDAY + number * WEEK, pain=number, note="Fine")
        clock.now += WEEK
    found = desk.get(f"/patients/{bo}/weeks")["items"]
    assert [one["answers"]["pain"] for one in found] == [2, 1, 0]
    assert found[0]["answers"] == {"pain": 2, "note": "Fine"}
    assert desk.get(f"/patients/{bo}/weeks", by=bo)["items"] == found


def test_a_phone_that_was_offline_for_weeks_loses_no_week_and_may_still_correct_it(
    desk: Desk, bo: str, clock: Clock
) -> None:
    clock.now += 5 * WEEK
    late = {
        monday: answers_week(desk, bo, MONDAY + monday * WEEK, pain=4).json()["week"]["late"] for monday in (0, 3, 4)
    }
    assert late == {0: True, 3: True, 4: False}
    clock.now += 14 * DAY
    changed = answers_week(desk, bo, pain=5, base_version=1).json()
    assert (changed["outcome"], changed["week"]["late"]) == ("updated", True)


# Duplicates, second phones, and what is refused.


def test_a_late_duplicate_undoes_no_change(desk: Desk, bo: str, database: Database) -> None:
    first: Json = {"pain": 5, "note": "bad week"}
    answers_week(desk, bo, **first)
    assert answers_week(desk, bo, pain=3, base_version=1).json()["outcome"] == "updated"
    assert answers_week(desk, bo, pain=2, base_version=2).json()["week"]["version"] == 3
    for said in (first, {"pain": 3, "base_version": 1}, {"pain": 2, "base_version": 2}, {"pain": 2}):
        again = answers_week(desk, bo, **said).json()
        assert (again["outcome"], again["week"]["version"]) == ("unchanged", 3)
        assert again["week"]["answers"] == {"pain": 2}
    with database.reading() as tx:
        past = tx.scalars(select(AnswerVersion).order_by(AnswerVersion.version)).all()
        assert [(one.version, one.answers) for one in past] == [(1, first), (2, {"pain": 3})]
        assert tx.scalars(select(Measurement.score)).all() == [2]


@pytest.mark.parametrize("asked_as", ["check-in", "week"])
@pytest.mark.parametrize("base", [None, 1, 3])
def test_a_second_phone_that_does_not_know_the_answers_cannot_wipe_them(
    desk: Desk, bo: str, database: Database, clock: Clock, asked_as: str, base: int | None
) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)

    def says(**said: Any) -> httpx.Response:
        if asked_as == "week":
            return answers_week(desk, bo, MONDAY + 4 * WEEK, **said)
        return answers_check_in(desk, bo, first, **said)

    says(pain=4)
    says(pain=5, note="My leg gave way", base_version=1)
    other: Json = {"confidence": 4, "chips": ["RF-02"]} | ({} if base is None else {"base_version": base})
    problem = assert_problem(says(**other), 409, "conflict")
    assert (problem["version"], problem["answers"]) == (2, {"pain": 5, "note": "My leg gave way"})
    assert (problem["kept"], problem["safety_raised"]) == (True, True)
    assert series(desk, bo)["pain"]["latest"]["score"] == 5
    with database.reading() as tx:
        kept = tx.scalars(select(RejectedSession)).one()
        assert (kept.code, str(kept.patient_id), kept.safety_raised) == ("conflict", bo, True)
        assert kept.about == ("week 2025-03-31" if asked_as == "week" else f"check-in {first['id']}")
    # Looked at, and said again on what is held.
    assert says(**other | {"base_version": 2, "pain": 5}).json()["outcome"] == "updated"


def test_refused_answers_are_kept_once_as_they_were_sent(desk: Desk, bo: str, database: Database, clock: Clock) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, second, *_ = check_ins(desk, bo)
    for _ in range(2):
        assert assert_problem(answers_check_in(desk, bo, first, pain=11), 422)["kept"] is True
        assert assert_problem(answers_check_in(desk, bo, second, pain=3), 409)["kept"] is True
        assert assert_problem(answers_week(desk, bo, MONDAY + 9 * WEEK, pain=3), 422)["kept"] is True
        assert assert_problem(answers_check_in(desk, bo, second, by="therapist", pain=4), 409)["kept"] is True
    with database.reading() as tx:
        kept = tx.scalars(select(RejectedSession)).all()
        assert sorted((one.code, one.body.replace(" ", ""), str(one.patient_id)) for one in kept) == [
            ("invalid", '{"pain":11}', bo),
            ("invalid", '{"pain":3}', bo),
            ("not_asked", '{"pain":3}', bo),
            ("not_asked", '{"pain":4}', bo),
        ]
        assert [kept_item(one.session_id, one.body) for one in kept] == [None] * 4  # `rejects replay` leaves them


@pytest.mark.parametrize("yes", [True, "true", "Yes", 1, "1"])
def test_refused_answers_say_yes_in_many_words(desk: Desk, bo: str, yes: object) -> None:
    said: Json = {"recurrence": yes, "wants_contact": yes, "stress": 1}
    problem = assert_problem(answers_check_in(desk, bo, {"id": uuid4()}, **said), 422)
    assert problem["advice"] == [RECURRENCE_ADVICE, CONTACT_ADVICE]
    assert set(worklist(desk)) == {"recurrence", "contact_wanted"}


@pytest.mark.parametrize("no", [False, "false", "no", 0, 2, None, [True], {"true": 1}, 1.5])
def test_what_is_no_yes_is_not_heard_as_one(desk: Desk, bo: str, no: object) -> None:
    said: Json = {"recurrence": no, "wants_contact": no, "stress": 1, "pain": 7, "global_change": -3}
    problem = assert_problem(answers_check_in(desk, bo, {"id": uuid4()}, **said), 422)
    assert (problem["advice"], problem["safety_raised"], worklist(desk)) == ([], False, {})


def test_a_message_in_refused_answers_is_asked_for(desk: Desk, bo: str) -> None:
    problem = assert_problem(answers_check_in(desk, bo, {"id": uuid4()}, pain="x", note="I cannot feel my foot"), 422)
    assert problem["advice"] == [UNREAD_ADVICE]
    row = worklist(desk)["contact_wanted"]
    assert (row["severity"], row["evidence"]) == (
        "low",
        "Left a message that could not be stored; ask for it on 3 Mar.",
    )


# Severe pain.


@pytest.mark.parametrize(
    ("said", "evidence"),
    [
        ({"pain": 8}, "pain 8 of 10 on average in the last week"),
        ({"pain_worst": 10}, "pain 10 of 10 at worst in the last week"),
        ({"global_change": -4}, "much worse than when the program began"),
        ({"pain": 7, "pain_worst": 7, "global_change": -3}, None),
    ],
)
@pytest.mark.parametrize("refused", [False, True])
def test_severe_pain_in_a_check_in_is_told_to_the_therapist(
    desk: Desk, bo: str, clock: Clock, said: Json, evidence: str | None, *, refused: bool
) -> None:
    discharges(desk, bo)
    clock.now += 31 * DAY
    first, *_ = check_ins(desk, bo)
    extra: Json = {"stress": 1} if refused else {}
    answer = answers_check_in(desk, bo, first, **said, **extra).json()
    assert answer["advice"] == ([SEVERE_ADVICE] if evidence else [])
    assert answer["safety_raised"] is bool(evidence)
    if evidence is None:
        assert worklist(desk) == {}
        return
    row = worklist(desk)["pain_high"]
    assert (row["severity"], row["program_id"]) == ("urgent", None)
    assert row["evidence"] == f"Reported on 3 Apr: {evidence}."
    clock.now += 40 * DAY
    assert "pain_high" not in worklist(desk)  # it fades


def test_severe_pain_of_a_week_is_told_with_its_week_and_not_again_where_it_got_better(
    desk: Desk, bo: str, database: Database, clock: Clock
) -> None:
    clock.now += 5 * WEEK
    answers_week(desk, bo, pain=9)
    row = worklist(desk)["pain_high"]
    assert row["evidence"] == "Reported on 7 Apr: pain 9 of 10 on average in the week of 3 Mar."
    closed(database, desk)
    answers_week(desk, bo, pain=8, base_version=1)
    assert worklist(desk) == {}
    answers_week(desk, bo, pain=10, base_version=2)
    assert set(worklist(desk)) == {"pain_high"}


# Measures.


def records(desk: Desk, patient: str, code: str, score: float | None = None, **but: Any) -> httpx.Response:
    by = but.pop("by", "therapist")
    said = {"code": code, **({} if score is None else {"score": score}), **but}
    return desk.call("POST", f"/patients/{patient}/measures", said, by=by)


def test_the_registry_says_which_change_matters(desk: Desk, bo: str) -> None:
    found = {one["code"]: one for one in desk.get("/measures", by=bo)["items"]}
    assert list(found) == list(MEASURES)
    pain = found["pain"]
    assert (pain["lowest"], pain["highest"], pain["wanted"]) == (0, 10, "lower")
    assert (pain["points"], pain["percent"], pain["source"]) == (2, 30, "MIC08 (Ostelo 2008)")
    assert found["odi"]["question"] is None
    assert found["odi"]["score_only"] is True


def test_a_score_of_the_clinics_form_is_kept(desk: Desk, bo: str) -> None:
    taken = records(desk, bo, "rmdq", 12, taken_on="2025-02-28")
    assert taken.status_code == 201
    kept = taken.json()
    assert (kept["code"], kept["score"], kept["taken_on"]) == ("rmdq", 12, "2025-02-28")
    assert (kept["source"], kept["parts"], kept["risk"]) == ("clinic", None, None)
    assert kept["recorded_by"] == str(desk.ines.account_id)
    assert series(desk, bo)["rmdq"]["points"] == [
        {"taken_on": "2025-02-28", "score": 12, "parts": None, "source": "clinic", "risk": None}
    ]


def test_start_back_is_two_scores_and_a_risk(desk: Desk, bo: str) -> None:
    taken = records(desk, bo, "start_back", 7, psychosocial=4).json()
    assert (taken["risk"], taken["parts"]) == ("high", {"psychosocial": 4})
    assert series(desk, bo)["start_back"]["latest"]["risk"] == "high"


def test_function_is_taken_from_its_activities(desk: Desk, bo: str) -> None:
    said = [{"activity": name, "score": score} for name, score in (("Lift", 2), ("Sit", 3), ("Run", 5))]
    taken = records(desk, bo, "psfs", activities=said).json()
    assert (taken["code"], taken["parts"]) == ("psfs", {"activities": said})
    assert taken["score"] == pytest.approx(10 / 3)
    assert records(desk, bo, "psfs", activities=said[:1]).json()["code"] == "activity"
    assert records(desk, bo, "psfs", 4.5).json()["score"] == 4.5


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"code": "unheard-of", "score": 1}, "/code"),
        ({"code": "pain", "score": 11}, "/score"),
        ({"code": "pain", "score": 4.5}, "/score"),
        ({"code": "pain", "score": "4"}, "/score"),
        ({"code": "pain"}, "/score"),
        ({"code": "pain", "score": 4, "taken_on": "2025-03-04"}, "/taken_on"),
        ({"code": "pain", "score": 4, "psychosocial": 2}, "/psychosocial"),
        ({"code": "pain", "activities": [{"activity": "Sit", "score": 1}]}, "/activities"),
        ({"code": "psfs", "score": 4, "activities": [{"activity": "Sit", "score": 1}]}, "/score"),
        ({"code": "psfs", "activities": [{"activity": "Sit", "score": 1}] * 2}, "/activities/1/activity"),
        ({"code": "start_back", "score": 4}, "/psychosocial"),
        ({"code": "start_back", "score": 3, "psychosocial": 4}, "/psychosocial"),
        ({"code": "start_back", "score": 9, "psychosocial": 4}, "/psychosocial"),
        ({"code": "start_back", "score": 9, "psychosocial": 6}, "/psychosocial"),
        ({"code": "global_change", "score": -6}, "/score"),
        ({"code": "odi", "score": 100.5}, "/score"),
    ],
)
def test_what_is_wrong_with_a_score_is_pointed_at(desk: Desk, bo: str, said: Json, where: str) -> None:
    assert pointer(desk.call("POST", f"/patients/{bo}/measures", said)) == where
    assert series(desk, bo) == {}


def test_patients_report_what_is_theirs_to_report(desk: Desk, bo: str) -> None:
    for code, measure in MEASURES.items():
        answer = records(desk, bo, code, 1, by=bo, **({"psychosocial": 1} if code == "start_back" else {}))
        if measure.by_patient:
            assert answer.json()["source"] == "patient"
        else:
            assert_problem(answer, 403, "not_allowed")
    assert set(series(desk, bo, by=bo)) == {code for code, one in MEASURES.items() if one.by_patient}


def test_a_score_sent_twice_under_one_key_is_one(desk: Desk, bo: str) -> None:
    said = {"code": "pain", "score": 4}
    first, again = (desk.call("POST", f"/patients/{bo}/measures", said, key="once") for _ in range(2))
    assert first.json() == again.json()
    assert len(series(desk, bo)["pain"]["points"]) == 1
    other = desk.call("POST", f"/patients/{bo}/measures", {"code": "pain", "score": 5}, key="once")
    assert_problem(other, 422, "idempotency_key_reused")


def test_examinations_answers_and_scores_make_one_series(desk: Desk, bo: str, clock: Clock) -> None:
    tests = {"sit_to_stand_30s": 11, "straight_leg_raise": 40}
    desk.post(f"/patients/{bo}/examinations", {"pain": 6, "function": 3.5, "tests": tests})
    desk.runs(bo)
    clock.now += WEEK
    answers_week(desk, bo, MONDAY + WEEK, pain=5)
    clock.now += WEEK
    records(desk, bo, "pain", 4)
    found = series(desk, bo)
    assert set(found) == {"pain", "psfs", "sit_to_stand_30s"}
    pain = found["pain"]
    assert [(point["taken_on"], point["score"], point["source"]) for point in pain["points"]] == [
        ("2025-03-03", 6, "clinic"),
        ("2025-03-10", 5, "weekly"),
        ("2025-03-17", 4, "clinic"),
    ]
    assert (pain["baseline"]["score"], pain["latest"]["score"], pain["change"]) == (6, 4, -2)
    assert (pain["direction"], pain["matters"]) == ("better", True)
    assert (pain["better_at"], pain["worse_at"]) == (4, 8)
    assert pain["says"].endswith("from 6 to 4 points; better, and by enough to matter.")


def test_a_change_below_what_matters_is_not_called_better(desk: Desk, bo: str, clock: Clock) -> None:
    records(desk, bo, "pain", 6)
    alone = series(desk, bo)["pain"]
    assert (alone["change"], alone["matters"], alone["direction"], alone["says"]) == (None, None, "unknown", None)
    clock.now += DAY
    records(desk, bo, "pain", 5)
    found = series(desk, bo)["pain"]
    assert (found["change"], found["matters"], found["direction"]) == (-1, False, "no_change_that_matters")
    assert "better" not in found["says"]
    clock.now += DAY
    records(desk, bo, "pain", 8)
    assert series(desk, bo)["pain"]["direction"] == "worse"
    for score in (0, 4):
        records(desk, bo, "global_change", score)
        clock.now += DAY
    rated = series(desk, bo)["global_change"]
    assert (rated["change"], rated["matters"], rated["direction"]) == (4, None, "unknown")


def test_the_baseline_is_the_first_of_the_latest_program(desk: Desk, bo: str, clock: Clock) -> None:
    records(desk, bo, "pain", 8)
    clock.now += 5 * DAY
    program = desk.runs(bo)
    # Five days before the program was written: its baseline, as the screening of that visit would be.
    assert series(desk, bo)["pain"]["baseline"]["score"] == 8
    clock.now += 60 * DAY
    records(desk, bo, "pain", 2)
    assert series(desk, bo)["pain"]["baseline"]["score"] == 8
    keep = {"maintenance": {"phases": [phase(item("bird-dog"))]}, **answers(acknowledged=ALL_RULES)}
    desk.screens(bo)
    desk.post(f"/programs/{program['id']}/discharge", keep)
    clock.now += 90 * DAY
    records(desk, bo, "pain", 5)
    found = series(desk, bo)["pain"]
    assert (found["baseline"]["score"], found["direction"]) == (2, "worse")


def test_a_draft_is_no_program_to_compare_with(desk: Desk, bo: str, clock: Clock) -> None:
    records(desk, bo, "pain", 8)
    clock.now += 60 * DAY
    records(desk, bo, "pain", 4)
    desk.drafts(bo)
    assert series(desk, bo)["pain"]["baseline"]["score"] == 8


def test_a_long_series_shows_the_latest_and_still_knows_its_baseline(
    desk: Desk, database: Database, bo: str, clock: Clock
) -> None:
    records(desk, bo, "pain", 9)
    desk.runs(bo)
    with database.writing() as tx:
        tx.add_all(
            Measurement(
                clinic_id=desk.ines.clinic_id,
                id=uuid4(),
                patient_id=UUID(bo),
                code="pain",
                taken_on=MONDAY + timedelta(days=day),
                score=day % 5,
                source=TakenFrom.CLINIC,
                recorded_by=desk.ines.account_id,
                created_at=clock.now,
            )
            for day in range(1, 251)
        )
    found = series(desk, bo)["pain"]
    assert len(found["points"]) == 200
    assert found["points"][0]["taken_on"] == (MONDAY + 51 * DAY).isoformat()
    assert (found["baseline"]["score"], found["latest"]["score"]) == (9, 0)


def test_nobody_sees_or_adds_to_the_scores_of_another(desk: Desk, bo: str, stranger: Clinic) -> None:
    ann = desk.a_patient()
    records(desk, ann, "pain", 4)
    for patient in (ann, stranger.patient_id, uuid4()):
        assert_problem(desk.call("GET", f"/patients/{patient}/measures", by=bo), 404, "unknown")
        assert_problem(desk.call("GET", f"/patients/{patient}/weeks", by=bo), 404, "unknown")
        assert_problem(records(desk, str(patient), "pain", 4, by=bo), 404, "unknown")
    assert len(series(desk, ann)["pain"]["points"]) == 1


def test_answers_are_kept_apart_by_patient(desk: Desk, bo: str) -> None:
    ann = desk.a_patient()
    answers_week(desk, bo, pain=3)
    answers_week(desk, ann, pain=7)
    answers_week(desk, ann, pain=8, base_version=1)
    assert {name: series(desk, name)["pain"]["latest"]["score"] for name in (bo, ann)} == {bo: 3, ann: 8}
