"""The reference package agrees with our signatures."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from models.delivery.signing import body_of, message_id, secret_text, signed

ID = UUID("0195b2f1-e4b0-7cc8-a2f3-000000000001")
NEW, OLD = b"n" * 32, b"o" * 32


def test_the_reference_package_verifies_what_we_sign() -> None:
    now = datetime.now(UTC)
    body = body_of("flag.opened", now, {"flag_id": str(ID), "severity": "urgent"})
    headers = signed(message_id(ID), now, body, [NEW])
    told = Webhook(secret_text(NEW)).verify(body, headers)
    assert told == {
        "type": "flag.opened",
        "timestamp": now.isoformat(),
        "data": {"flag_id": str(ID), "severity": "urgent"},
    }
    assert headers["webhook-id"] == f"msg_{ID.hex}"
    for spoilt in (body + b" ", body.replace(b"urgent", b"info")):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret_text(NEW)).verify(spoilt, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_text(OLD)).verify(body, headers)


def test_while_a_secret_is_changed_both_holders_can_verify() -> None:
    now = datetime.now(UTC)
    body = body_of("flag.opened", now, {})
    headers = signed(message_id(ID), now, body, [NEW, OLD])
    for secret in (NEW, OLD):
        assert Webhook(secret_text(secret)).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_text(b"x" * 32)).verify(body, headers)


@given(
    secret=st.binary(min_size=32, max_size=32),
    said=st.dictionaries(st.text(max_size=9), st.text(max_size=20), max_size=4),
    at=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_we_and_the_reference_package_sign_alike(secret: bytes, said: dict[str, str], at: datetime) -> None:
    body = body_of("flag.risen", at, said)
    whole = at.replace(microsecond=0)
    reference = Webhook(secret_text(secret)).sign(message_id(ID), whole, body.decode())
    assert signed(message_id(ID), at, body, [secret])["webhook-signature"] == reference


def test_a_body_is_the_same_each_time_it_is_written() -> None:
    now = datetime(2025, 3, 3, 12, tzinfo=UTC)
    assert body_of("a", now, {"x": 1, "y": 2}) == body_of("a", now, {"y": 2, "x": 1})
    assert body_of("a", now, {}) != body_of("a", now + timedelta(seconds=1), {})
