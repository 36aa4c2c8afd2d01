"""A wrong clock is corrected, with the date it told."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from models.adherence.clock import SKEW_TOLERANCE, Moment, corrected, date_there, skew_of
from tests.builders import DAY, MONDAY, NOON

ZONES = (
    *("Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Australia/Adelaide"),
    *("Asia/Kathmandu", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"),
)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
skews = st.timedeltas(timedelta(days=-800), timedelta(days=800))


@pytest.mark.parametrize("minutes", [-10, -1, 0, 3, 10])
def test_a_small_skew_is_the_networks(minutes: int) -> None:
    said = Moment(NOON, MONDAY)
    assert corrected(said, "UTC", timedelta(minutes=minutes)) == said


def test_a_phone_two_years_behind_dates_its_session_today() -> None:
    sent_at = NOON - timedelta(days=730)
    said = Moment(sent_at - timedelta(hours=1), (sent_at - timedelta(hours=1)).date())
    assert corrected(said, "UTC", skew_of(sent_at, NOON)) == Moment(NOON - timedelta(hours=1), MONDAY)


def test_an_hour_off_moves_the_date_where_midnight_lies_between() -> None:
    said = Moment(datetime(2025, 3, 4, 0, 20, tzinfo=UTC), date(2025, 3, 4))
    assert corrected(said, "UTC", timedelta(hours=-1)) == Moment(datetime(2025, 3, 3, 23, 20, tzinfo=UTC), MONDAY)


def test_a_session_the_patient_dated_to_the_evening_before_stays_the_evening_before() -> None:
    said = Moment(datetime(2026, 3, 4, 0, 30, tzinfo=UTC), date(2026, 3, 3))
    moved = corrected(said, "UTC", timedelta(days=-365))
    assert moved == Moment(datetime(2025, 3, 4, 0, 30, tzinfo=UTC), MONDAY)


def test_a_phone_that_does_not_say_has_no_skew() -> None:
    assert skew_of(None, NOON) == timedelta(0)


@given(moments, skews, st.sampled_from(ZONES), st.integers(-1, 1))
def test_what_a_wrong_clock_told_is_what_a_right_one_would_have(
    at: datetime, skew: timedelta, zone: str, beside: int
) -> None:
    """In every zone, on days that are 23, 24 or 25 hours long, half hours and all."""
    true = Moment(at, date_there(at, zone) + beside * DAY)
    wrong_at = at - skew
    wrong = Moment(wrong_at, date_there(wrong_at, zone) + beside * DAY)
    if abs(skew) > SKEW_TOLERANCE:
        assert corrected(wrong, zone, skew) == true
    else:
        assert corrected(wrong, zone, skew) == wrong
