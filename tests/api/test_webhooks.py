"""Webhooks as an admin keeps them."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import select

from models.database import Database
from models.delivery.retries import Attempt, Failure
from models.operations import announcements, sweep, webhooks
from models.operations.announcements import Target
from models.tables import Delivery, DeliveryChannel, Webhook
from tests.api.conftest import Clinic, assert_problem
from tests.api.desk import Desk, a_desk, pointer
from tests.builders import DAY, NOON
from tests.conftest import Clock

URL = "https://hooks.example/ft"


@pytest.fixture
def desk(client: httpx.Client, database: Database, clock: Clock) -> Desk:
    return a_desk(client, database, clock)


@pytest.fixture
def webhook(desk: Desk) -> dict[str, Any]:
    made: dict[str, Any] = desk.post("/webhooks", {"url": URL, "description": "Ours"}, by="admin")
    return made


def get(desk: Desk, webhook: dict[str, Any], more: str = "") -> Any:
    return desk.get(f"/webhooks/{webhook['id']}{more}", by="admin")


def put(desk: Desk, webhook: dict[str, Any], match: int | None, **but: object) -> httpx.Response:
    return desk.call("PUT", f"/webhooks/{webhook['id']}", {"url": URL, **but}, by="admin", match=match)


def tried(desk: Desk, webhook: dict[str, Any], attempt: Attempt) -> None:
    """What waits for it is sent, with this outcome."""
    target = Target(DeliveryChannel.WEBHOOK, UUID(webhook["id"]))
    with desk.database.writing() as tx:
        for one in announcements.claim(tx, desk.ines.clinic_id, target, now=desk.clock.now):
            announcements.settle(tx, desk.ines.clinic_id, one, attempt, now=desk.clock.now)


def test_the_secret_is_shown_at_creation_and_never_again(desk: Desk, webhook: dict[str, Any]) -> None:
    assert webhook["secret"].startswith("whsec_")
    assert (webhook["url"], webhook["enabled"], webhook["kinds"]) == (URL, True, None)
    shown = get(desk, webhook)
    assert shown == {name: value for name, value in webhook.items() if name != "secret"}
    listed = desk.call("GET", "/webhooks", by="admin")
    assert listed.json()["items"] == [shown]
    for text in (
        listed.text,
        put(desk, webhook, 1).text,
        desk.call("GET", f"/webhooks/{webhook['id']}", by="admin").text,
    ):
        assert "whsec_" not in text


def test_a_creation_repeated_by_its_key_shows_its_secret_but_no_later_one(desk: Desk) -> None:
    said = {"url": URL}
    first = desk.call("POST", "/webhooks", said, by="admin", key="one").json()
    assert desk.call("POST", "/webhooks", said, by="admin", key="one").json()["secret"] == first["secret"]
    desk.post(f"/webhooks/{first['id']}/rotate", by="admin")
    assert desk.call("POST", "/webhooks", said, by="admin", key="one").json()["secret"] is None


def test_a_rotation_shows_a_new_secret_and_keeps_the_old_one_for_a_day(
    desk: Desk, webhook: dict[str, Any], clock: Clock
) -> None:
    answer = desk.call("POST", f"/webhooks/{webhook['id']}/rotate", by="admin")
    rotated = answer.json()
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != webhook["secret"]
    assert rotated["previous_secret_until"] == (NOON + DAY).isoformat().replace("+00:00", "Z")
    assert answer.headers["etag"] == '"v2"'
    for later, secrets in ((timedelta(), 2), (timedelta(hours=23), 2), (timedelta(hours=24), 1)):
        clock.now = NOON + later
        desk.call("POST", f"/webhooks/{webhook['id']}/test", by="admin")
        with desk.database.writing() as tx:
            target = Target(DeliveryChannel.WEBHOOK, UUID(webhook["id"]))
            (one,) = announcements.claim(tx, desk.ines.clinic_id, target, now=clock.now)
            announcements.settle(tx, desk.ines.clinic_id, one, Attempt(status=200), now=clock.now)
        assert len(one.secrets) == secrets


@pytest.mark.parametrize(
    ("but", "where"),
    [
        ({"url": "http://hooks.example/"}, "/url"),
        ({"url": "https://127.0.0.1/"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "https://169.254.169.254/"}, "/url"),
        ({"url": "https://[::1]/"}, "/url"),
        ({"url": "https://[::ffff:127.0.0.1]/"}, "/url"),
        ({"url": "https://user:secret@hooks.example/"}, "/url"),
        ({"url": "ftp://hooks.example/"}, "/url"),
        ({"url": "https://hooks.example/\x00"}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": "https://hooks.example/" + "a" * 500}, "/url"),
        ({"url": 7}, "/url"),
        ({"kinds": []}, "/kinds"),
        ({"kinds": ["flag.closed"]}, "/kinds/0"),
        ({"kinds": ["webhook.test"]}, "/kinds/0"),
        ({"enabled": "yes"}, "/enabled"),
        ({"description": "a\x00b"}, "/description"),
        ({"secret": "whsec_mine"}, "/secret"),
    ],
)
def test_a_bad_webhook_is_refused_and_named(
    desk: Desk, webhook: dict[str, Any], but: dict[str, Any], where: str
) -> None:
    body = {"url": URL, **but}
    assert pointer(desk.call("POST", "/webhooks", body, by="admin")) == where
    assert pointer(desk.call("PUT", f"/webhooks/{webhook['id']}", body, by="admin", match=1)) == where
    assert len(desk.get("/webhooks", by="admin")["items"]) == 1


def test_a_clinic_has_at_most_ten(desk: Desk) -> None:
    for _ in range(webhooks.MOST):
        made = desk.post("/webhooks", {"url": URL}, by="admin")
    assert_problem(desk.call("POST", "/webhooks", {"url": URL}, by="admin"), 409, "too_many_webhooks")
    assert desk.call("DELETE", f"/webhooks/{made['id']}", by="admin").status_code == 204
    assert desk.post("/webhooks", {"url": URL}, by="admin")


def test_a_webhook_is_replaced_only_by_who_read_the_latest(desk: Desk, webhook: dict[str, Any]) -> None:
    assert_problem(put(desk, webhook, None), 428)
    changed = put(desk, webhook, 1, kinds=["flag.risen", "flag.opened", "flag.risen"])
    assert (changed.headers["etag"], changed.json()["kinds"]) == ('"v2"', ["flag.opened", "flag.risen"])
    assert changed.json()["description"] is None
    assert_problem(put(desk, webhook, 1), 412, "version_mismatch")


def test_what_is_disabled_is_enabled_again_by_hand(desk: Desk, webhook: dict[str, Any]) -> None:
    off = put(desk, webhook, 1, enabled=False).json()
    assert (off["enabled"], off["disabled_because"]) == (False, "by_hand")
    refused = desk.call("POST", f"/webhooks/{webhook['id']}/test", by="admin")
    assert_problem(refused, 409, "wrong_status")
    on = put(desk, webhook, 2).json()
    assert (on["enabled"], on["disabled_at"], on["disabled_because"]) == (True, None, None)


def test_a_test_is_sent_once_at_a_time_and_its_way_can_be_followed(
    desk: Desk, webhook: dict[str, Any], clock: Clock
) -> None:
    first = desk.call("POST", f"/webhooks/{webhook['id']}/test", by="admin")
    assert first.status_code == 202
    told = first.json()
    assert (told["kind"], told["status"], told["attempts"]) == ("webhook.test", "waiting", 0)
    assert told["message_id"].startswith("msg_")
    again = desk.call("POST", f"/webhooks/{webhook['id']}/test", by="admin").json()
    assert again["message_id"] == told["message_id"]
    tried(desk, webhook, Attempt(failure=Failure.STATUS, status=500))
    (failed,) = get(desk, webhook, "/deliveries")["items"]
    assert (failed["status"], failed["failure"], failed["status_code"]) == ("waiting", "status", 500)
    assert failed["next_try_at"] > failed["last_tried_at"]
    clock.now += timedelta(minutes=1)
    tried(desk, webhook, Attempt(status=204))
    (arrived,) = get(desk, webhook, "/deliveries")["items"]
    assert (arrived["status"], arrived["attempts"], arrived["failure"]) == ("delivered", 2, None)
    assert arrived["next_try_at"] is None
    another = desk.call("POST", f"/webhooks/{webhook['id']}/test", by="admin").json()
    assert another["message_id"] != told["message_id"]


def test_deliveries_in_pages_the_latest_first(desk: Desk, webhook: dict[str, Any], clock: Clock) -> None:
    sent = []
    for _ in range(5):
        clock.now += timedelta(minutes=1)
        sent.append(desk.call("POST", f"/webhooks/{webhook['id']}/test", by="admin").json()["message_id"])
        tried(desk, webhook, Attempt(status=200))
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = get(desk, webhook, f"/deliveries?limit=2{'&cursor=' + cursor if cursor else ''}")
        seen += [one["message_id"] for one in page["items"]]
        cursor = page["next"]
    assert seen == sent[::-1]


def test_what_is_deleted_is_forgotten_with_what_waited_for_it(desk: Desk, webhook: dict[str, Any]) -> None:
    desk.call("POST", f"/webhooks/{webhook['id']}/test", by="admin")
    assert desk.call("DELETE", f"/webhooks/{webhook['id']}", by="admin").status_code == 204
    for method, more in (("GET", ""), ("DELETE", ""), ("GET", "/deliveries"), ("POST", "/rotate"), ("POST", "/test")):
        assert_problem(desk.call(method, f"/webhooks/{webhook['id']}{more}", by="admin"), 404, "unknown")
    with desk.database.reading() as tx:
        assert tx.scalars(select(Delivery)).all() == []


def test_another_clinics_deliveries_are_nobodys(
    client: httpx.Client, database: Database, clinic: Clinic, stranger: Clinic
) -> None:
    client.post(f"/v1/webhooks/{stranger.webhook_id}/test", headers=stranger.admin)
    for method, more in (
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/deliveries"),
        ("POST", "/rotate"),
        ("POST", "/test"),
    ):
        foreign = client.request(method, f"/v1/webhooks/{stranger.webhook_id}{more}", headers=clinic.admin)
        unknown = client.request(method, f"/v1/webhooks/{uuid4()}{more}", headers=clinic.admin)
        assert assert_problem(foreign, 404, "unknown").keys() == assert_problem(unknown, 404, "unknown").keys()
    with database.reading() as tx:
        assert len(tx.scalars(select(Delivery)).all()) == 1
        assert len(tx.scalars(select(Webhook)).all()) == 2


def test_an_opening_shows_among_the_deliveries_without_a_word_of_health(
    client: httpx.Client, database: Database, clinic: Clinic, clock: Clock
) -> None:
    body = {"answers": {"RF-01": True}}
    client.post(f"/v1/patients/{clinic.patient_id}/screenings", json=body, headers=clinic.therapist)
    with database.writing() as tx:
        assert sweep.announce_due(tx, clinic.ines.clinic_id, now=clock.now) == 1
    answer = client.get(f"/v1/webhooks/{clinic.webhook_id}/deliveries", headers=clinic.admin)
    (told,) = answer.json()["items"]
    assert (told["kind"], told["status"]) == ("flag.opened", "waiting")
    for word in ("red_flag", "Ann", str(clinic.patient_id)):
        assert word not in answer.text
