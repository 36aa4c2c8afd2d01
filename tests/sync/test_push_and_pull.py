"""The phone's protocol over HTTP: one outcome per item, and a cursor that misses nothing."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from models.adherence.kinds import FlagKind
from models.operations.feed import CURSOR_LASTS
from models.safety.red_flags import EMERGENCY, PAIN_ADVICE
from models.tables import Flag, Patient, RejectedSession, SessionLog
from tests.api.conftest import Clinic, assert_problem
from tests.api.desk import ALL_RULES
from tests.builders import DAY, NOON
from tests.sync.plain_phone import Wire

# Push.


def test_each_item_has_its_own_outcome_in_order(wire: Wire) -> None:
    here, gone = wire.put(), wire.put()
    results = wire.push(
        here,
        here,
        wire.put(here["id"], base=1, pain_during=2),
        wire.put(here["id"], pain_during=9),
        gone,
        {"op": "delete", "id": gone["id"], "base_version": 1},
        wire.put(program_id=str(uuid4())),
        wire.put(pain_during=11),
        {"op": "delete", "id": str(uuid4()), "base_version": 1},
        "nonsense",
    )
    assert [(one["outcome"], one["version"], one["retryable"]) for one in results] == [
        ("created", 1, False),
        ("unchanged", 1, False),
        ("updated", 2, False),
        ("conflict", 2, False),
        ("created", 1, False),
        ("deleted", 2, False),
        ("deferred", None, True),
        ("rejected", None, False),
        ("deferred", None, True),
        ("rejected", None, False),
    ]
    assert results[3]["session"]["version"] == 2
    assert results[7]["problem"]["errors"] == [
        {"pointer": "/session/pain_during", "detail": "Input should be less than or equal to 10"}
    ]
    codes = [one["problem"]["code"] if one["problem"] else None for one in results]
    assert codes == [None, None, None, "conflict", None, None, "unknown", "invalid", "unknown", "invalid"]
    assert [one["id"] for one in results][-1] is None


def test_a_problem_points_into_its_item(wire: Wire) -> None:
    line = str(uuid4())
    (one,) = wire.push(wire.put(done="some", entries=[{"line_id": line}]))
    assert one["problem"]["errors"][0]["pointer"] == "/session/entries/0/line_id"
    assert one["problem"]["status"] == 422


def test_what_is_refused_is_kept_and_heard(wire: Wire) -> None:
    bad = wire.put(chips=["RF-01"], local_date="yesterday")
    worse = {"op": "put", "session": {"chips": ["fall"]}}
    lost = wire.put(program_id=str(uuid4()), pain_during=9)
    results = wire.push(bad, worse, lost, [1, 2], wire.put())
    assert [one["safety_raised"] for one in results] == [True, True, True, False, False]
    assert results[0]["advice"] == [EMERGENCY]
    assert results[2]["advice"] == [PAIN_ADVICE]
    with wire.database.reading() as tx:
        kept = tx.scalars(select(RejectedSession.code).order_by(RejectedSession.code)).all()
        assert kept == ["invalid", "invalid", "invalid", "unknown"]
        kinds = set(tx.scalars(select(Flag.kind).where(Flag.about_id == wire.clinic.patient_id)))
        assert kinds == {FlagKind.RED_FLAG, FlagKind.FALL, FlagKind.PAIN_HIGH}
    # Sent again and again, one copy is kept.
    wire.push(bad, worse, lost, [1, 2])
    with wire.database.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(RejectedSession)) == 4


def test_a_conflicting_copy_is_kept_too(wire: Wire) -> None:
    said = wire.put()
    wire.push(said)
    wire.push(wire.put(said["id"], chips=["RF-10"]))
    with wire.database.reading() as tx:
        assert tx.scalars(select(RejectedSession.code)).all() == ["conflict"]
        assert tx.scalars(select(Flag.kind).where(Flag.kind == FlagKind.RED_FLAG)).all()


def test_too_many_items_are_told_how_many(wire: Wire) -> None:
    answer = wire.client.post("/v1/sync/push", json={"items": [{}] * 201}, headers=wire.header())
    assert assert_problem(answer, 413, "too_large")["limit"] == 200
    answer = wire.client.post(
        "/v1/sync/push", content=b'{"items": ["' + b"x" * 1_100_000 + b'"]}', headers=wire.header()
    )
    assert assert_problem(answer, 413, "too_large")["limit"] == 1024 * 1024


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 422), (b"{}", 422), (b'{"items": 3}', 422), (b'{"items": [], "mood": 1}', 422)],
)
def test_a_push_that_is_none_is_refused_whole(wire: Wire, body: bytes, status: int) -> None:
    headers = {**wire.header(), "Content-Type": "application/json"}
    assert_problem(wire.client.post("/v1/sync/push", content=body, headers=headers), status)


def test_a_push_refused_whole_is_heard_all_the_same(wire: Wire) -> None:
    body = {"client_sent_at": "long ago", "items": [wire.put(chips=["RF-01"]), wire.put()]}
    problem = assert_problem(wire.client.post("/v1/sync/push", json=body, headers=wire.header()), 422)
    assert (problem["kept"], problem["safety_raised"], problem["advice"]) == (True, True, [EMERGENCY])
    with wire.database.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(RejectedSession)) == 2
        assert tx.scalar(select(func.count()).select_from(SessionLog)) == 0


def test_an_empty_push_is_a_contact(wire: Wire) -> None:
    assert wire.push(client_sent_at=NOON.isoformat()) == []
    (phone,) = wire.client.get(f"/v1/patients/{wire.clinic.patient_id}/devices", headers=wire.header()).json()["items"]
    assert datetime.fromisoformat(phone["last_sync_at"]) == NOON


def test_a_phone_two_years_ahead_is_corrected_not_locked_out(wire: Wire) -> None:
    ahead = NOON + timedelta(days=730)
    (one,) = wire.push(wire.put(at=ahead - timedelta(minutes=5)), client_sent_at=ahead.isoformat())
    assert one["outcome"] == "created"
    assert one["session"]["performed_at"] == "2025-03-03T11:55:00Z"
    assert one["session"]["local_date"] == "2025-03-03"
    assert one["session"]["said_local_date"] == "2027-03-03"
    (phone,) = wire.client.get(f"/v1/patients/{wire.clinic.patient_id}/devices", headers=wire.header()).json()["items"]
    assert phone["skew_seconds"] == -730 * 86_400


def test_what_a_newer_phone_says_comes_back_as_it_was(wire: Wire) -> None:
    said = wire.put(
        chips=["tingling_nose"], reason="lost_interest", spread_to="big_toe", ext={"v": {"deep": [1, None]}}
    )
    assert wire.outcomes(said) == ["created"]
    (back,) = wire.pull()["sessions"]
    for name in ("chips", "reason", "spread_to", "ext"):
        assert back[name] == said["session"][name]


def test_half_a_character_is_refused_not_an_accident(wire: Wire) -> None:
    raw = '{"items": [{"op": "put", "id": "\\ud800", "\\ud800": 1, "session": {"note": "\\ud800"}}, {"op": "\\ud800"}]}'
    headers = {**wire.header(), "Content-Type": "application/json"}
    answer = wire.client.post("/v1/sync/push", content=raw, headers=headers)
    assert [one["outcome"] for one in answer.json()["results"]] == ["rejected", "rejected"]


@pytest.mark.parametrize("depth", [50, 500, 900, 980, 1000, 100_000])
def test_a_body_as_deep_as_can_be_is_no_accident(wire: Wire, depth: int) -> None:
    item = '{"op": "put", "id": "0196c0de-0000-7000-8000-000000000001", "session": {"ext": {"a": %s}}}'
    headers = {**wire.header(), "Content-Type": "application/json"}
    for shape in ("[%s]", '{"items": [%s]}', '{"items": [' + item + "]}"):
        body = shape % ("[" * depth + "]" * depth)
        assert wire.client.post("/v1/sync/push", content=body, headers=headers).status_code in {200, 400, 422}


@pytest.mark.parametrize("number", ["1" * 5000, "1" * 300, "1e999", "NaN", "-Infinity", '"\\u0000"'])
def test_a_number_as_large_as_can_be_is_no_accident(wire: Wire, number: str) -> None:
    item = '{"op": "put", "id": %s, "base_version": %s, "session": {"note": %s, "ext": {"a": %s}, "pain_during": %s}}'
    headers = {**wire.header(), "Content-Type": "application/json"}
    body = '{"items": [' + item % ((number,) * 5) + "]}"
    assert wire.client.post("/v1/sync/push", content=body, headers=headers).status_code in {200, 400, 422}


@pytest.mark.parametrize("sent_at", ["1970-01-01T00:00:00Z", "1970-01-01T00:00:00+14:00", "2099-12-31T23:59:59Z"])
def test_a_clock_as_wrong_as_can_be_harms_nobody(wire: Wire, sent_at: str) -> None:
    """An empty battery begins at 1970 again; what cannot be right by any clock is refused alone."""
    at = datetime.fromisoformat(sent_at)
    early = wire.put(at=datetime(1969, 12, 31, tzinfo=UTC))
    late = wire.put(at=datetime(2099, 12, 31, tzinfo=UTC))
    results = wire.push(early, late, wire.put(at=at), wire.put(local_date="9999-12-31"), client_sent_at=sent_at)
    assert results[2]["outcome"] == "created"
    assert results[2]["session"]["performed_at"] == "2025-03-03T12:00:00Z"
    assert [results[one]["outcome"] for one in (0, 1, 3)].count("created") <= 1


def test_staff_push_for_several_patients(wire: Wire) -> None:
    said = wire.put()
    assert wire.outcomes(said, by=wire.clinic.therapist) == ["created"]
    gone = {"op": "delete", "id": said["id"], "base_version": 1}
    assert wire.outcomes(gone, by=wire.clinic.therapist) == ["deferred"]
    assert wire.outcomes({**gone, "program_id": str(wire.clinic.program_id)}, by=wire.clinic.therapist) == ["deleted"]


# One at a time.


def test_a_session_is_changed_and_taken_back_by_etag(wire: Wire) -> None:
    path, header = f"/v1/sessions/{uuid4()}", wire.header()
    made = wire.client.put(path, json=wire.session(), headers=header)
    assert (made.status_code, made.headers["etag"]) == (201, '"v1"')
    match = {**header, "If-Match": '"v1"'}
    changed = wire.client.put(path, json=wire.session(pain_during=3), headers=match)
    assert (changed.status_code, changed.headers["etag"], changed.json()["outcome"]) == (200, '"v2"', "updated")
    stale = assert_problem(wire.client.put(path, json=wire.session(pain_during=4), headers=match), 412)
    assert (stale["version"], stale["kept"]) == (2, True)
    by_body = wire.client.put(path, json=wire.session(pain_during=4, base_version=1), headers=header)
    conflict: Any = assert_problem(by_body, 409, "conflict")
    assert (conflict["session"]["pain_during"], conflict["version"]) == (3, 2)
    assert_problem(wire.client.delete(path, headers=header), 428)
    assert_problem(wire.client.delete(path, headers=match), 412)
    gone = wire.client.delete(path, headers={**header, "If-Match": '"v2"'})
    assert (gone.json()["outcome"], gone.headers["etag"]) == ("deleted", '"v3"')
    again = wire.client.delete(path, headers={**header, "If-Match": '"v2"'})
    assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
    assert wire.client.get(f"/v1/programs/{wire.clinic.program_id}/sessions", headers=header).json()["items"] == []
    assert_problem(wire.client.delete(f"/v1/sessions/{uuid4()}", headers=match), 404, "unknown")


def test_a_put_by_a_wrong_clock_is_corrected_too(wire: Wire) -> None:
    behind = NOON - timedelta(days=400)
    body = wire.session(at=behind, client_sent_at=behind.isoformat())
    answer = wire.client.put(f"/v1/sessions/{uuid4()}", json=body, headers=wire.header()).json()
    assert (answer["outcome"], answer["session"]["local_date"]) == ("created", "2025-03-03")


# Pull.


def test_the_first_pull_brings_the_program_and_what_it_names(wire: Wire) -> None:
    pulled = wire.pull()
    (program,) = pulled["programs"]
    assert program["id"] == str(wire.clinic.program_id)
    assert len(program["pauses"]) == len(program["flares"]) == 1
    assert {one["slug"] for one in pulled["exercises"]} == {"bird-dog", "glute-bridge", "bed-knee-rocks"}
    assert [one["kind"] for one in pulled["messages"]] == ["program_new"]
    assert (pulled["sessions"], pulled["tombstones"], pulled["has_more"]) == ([], [], False)
    again = wire.pull(pulled["cursor"])
    assert (again["programs"], again["exercises"], again["messages"]) == ([], [], [])


def test_every_change_is_pulled_once_and_in_pages(wire: Wire) -> None:
    cursor = wire.pull()["cursor"]
    items = [wire.put(note=str(number)) for number in range(7)]
    wire.push(*items)
    wire.push({"op": "delete", "id": items[0]["id"], "base_version": 1}, wire.put(items[1]["id"], base=1, note="new"))
    seen: list[tuple[str, int]] = []
    while True:
        page = wire.pull(cursor, limit=3)
        cursor = page["cursor"]
        assert len(page["sessions"]) + len(page["tombstones"]) <= 3
        seen += [(one["id"], one["version"]) for one in page["sessions"] + page["tombstones"]]
        if not page["has_more"]:
            break
    assert sorted(seen) == sorted([(one["id"], 1) for one in items[2:]] + [(items[0]["id"], 2), (items[1]["id"], 2)])
    assert wire.pull(cursor)["sessions"] == []


def test_a_revision_a_pause_and_the_end_are_told(wire: Wire) -> None:
    cursor, program = wire.pull()["cursor"], f"/v1/programs/{wire.clinic.program_id}"
    items = [{"exercise": "bird-dog", "side": "both", "dosage": {"sets": 2, "reps": 8, "days_per_week": 3}}]
    revision = {"phases": [{"label": "Less", "items": items}], "note": "Easier", "acknowledged": ALL_RULES}
    version = wire.client.get(program, headers=wire.clinic.therapist).json()["version"]
    tomorrow = (NOON + DAY).date().isoformat()
    revised = wire.client.post(
        f"{program}/revisions",
        json={**revision, "effective_on": tomorrow},
        headers={**wire.clinic.therapist, "If-Match": f'"v{version}"'},
    )
    assert revised.status_code == 201, revised.text
    pulled = wire.pull(cursor)
    (told,) = pulled["programs"]
    assert (told["revision"]["number"], [one["number"] for one in told["coming"]]) == (1, [2])
    assert told["coming"][0]["phases"][0]["label"] == "Less"
    assert pulled["messages"][-1]["title"] == "Your program changes on 4 Mar"
    assert pulled["messages"][-1]["lines"][-1] == "Easier"
    wire.client.post(f"{program}/stop", json={"reason": "no_time"}, headers=wire.header())
    (told,) = wire.pull(pulled["cursor"])["programs"]
    assert told["status"] == "withdrawn"


def test_a_draft_is_not_pulled(wire: Wire) -> None:
    cursor = wire.pull()["cursor"]
    wire.client.post(
        f"/v1/patients/{wire.clinic.patient_id}/programs",
        json={"protocol": "neck-posture-desk"},
        headers=wire.clinic.therapist,
    )
    assert wire.pull(cursor)["programs"] == []
    assert len(wire.pull()["programs"]) == 1


def resync(wire: Wire, cursor: str) -> None:
    answer = wire.client.get("/v1/sync/pull", params={"cursor": cursor}, headers=wire.header())
    assert_problem(answer, 409, "resync_required")


def test_a_cursor_that_cannot_be_gone_on_from_asks_to_start_anew(wire: Wire) -> None:
    wire.push(wire.put())
    cursor = wire.pull()["cursor"]
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=="))
    for place in (0, 15, 16, len(raw) - 1):
        forged = bytearray(raw)
        forged[place] ^= 1
        resync(wire, base64.urlsafe_b64encode(forged).decode().rstrip("="))
    for nonsense in ("x", "%%%", "AAAA", cursor[:-4]):
        resync(wire, nonsense)
    wire.clock.now += CURSOR_LASTS + timedelta(seconds=1)
    resync(wire, cursor)


def test_a_clinic_restored_from_a_backup_asks_to_start_anew(wire: Wire) -> None:
    wire.push(wire.put())
    cursor = wire.pull()["cursor"]
    with wire.database.writing() as tx:
        of_ann = (Patient.clinic_id == wire.clinic.ines.clinic_id, Patient.id == wire.clinic.patient_id)
        tx.execute(update(Patient).where(*of_ann).values(change_number=1))
    resync(wire, cursor)


def test_a_cursor_is_one_patients(wire: Wire, stranger: Clinic) -> None:
    cursor = wire.pull()["cursor"]
    answer = wire.client.get("/v1/sync/pull", params={"cursor": cursor}, headers=wire.header(stranger))
    assert_problem(answer, 409, "resync_required")


def test_sessions_pulled_are_whole(wire: Wire) -> None:
    said = wire.put(done="some", pain_during=4, entries=[{"line_id": str(wire.clinic.lines[0]), "sets": 2}])
    wire.push(said)
    (back,) = wire.pull()["sessions"]
    assert (back["id"], back["version"], back["deleted_at"]) == (said["id"], 1, None)
    assert [(one["line_id"], one["sets"]) for one in back["entries"]] == [(str(wire.clinic.lines[0]), 2)]
    assert UUID(back["program_id"]) == wire.clinic.program_id
