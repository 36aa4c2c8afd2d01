"""When an announcement is sent again, told without waiting for it."""

from datetime import timedelta
from uuid import UUID, uuid4

from hypothesis import given, strategies as st

from models.delivery.retries import FAILING_FOR, JITTER, LEASE, TIMEOUT, WAITS, next_try
from tests.builders import NOON

ONE, OTHER = UUID(int=1), UUID(int=2)


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    assert [wait.total_seconds() for wait in WAITS] == [
        5,
        5 * 60,
        30 * 60,
        *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24)),
    ]


@given(st.integers(1, 9), st.uuids(), st.uuids())
def test_a_wait_is_never_shorter_than_told_and_at_most_a_tenth_longer(made: int, one: UUID, other: UUID) -> None:
    again = next_try(made, one, other, now=NOON)
    assert again is not None
    assert WAITS[made - 1] <= again - NOON <= WAITS[made - 1] * (1 + JITTER)
    assert again == next_try(made, one, other, now=NOON)


def test_after_the_tenth_failure_nothing_is_tried_again() -> None:
    assert next_try(9, ONE, OTHER, now=NOON) is not None
    assert next_try(10, ONE, OTHER, now=NOON) is None


def test_what_failed_together_does_not_come_back_together() -> None:
    agains = {next_try(2, uuid4(), OTHER, now=NOON) for _ in range(100)}
    assert len(agains) == 100
    known = [again for again in agains if again is not None]
    assert max(known) - min(known) > timedelta(seconds=20)


def test_a_busy_endpoints_wish_is_heeded_up_to_a_day() -> None:
    assert next_try(1, ONE, OTHER, wish=timedelta(hours=1), now=NOON) == NOON + timedelta(hours=1)
    assert next_try(1, ONE, OTHER, wish=timedelta(days=400), now=NOON) == NOON + timedelta(days=1)
    late = next_try(9, ONE, OTHER, wish=timedelta(seconds=1), now=NOON)
    assert late is not None
    assert late >= NOON + timedelta(hours=24)


def test_the_times_fit_each_other() -> None:
    assert TIMEOUT * 2 < LEASE
    assert sum(WAITS, timedelta()) * (1 + JITTER) < FAILING_FOR
