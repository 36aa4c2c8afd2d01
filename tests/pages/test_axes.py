"""Which days and counts an axis labels, and how labels are kept apart."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from api.pages.charts.axes import GAP, apart, count_ticks, labelled_days
from api.pages.charts.drawing import width_of
from models.adherence.wording import short_day
from tests.pages.cohorts import MONDAY


@pytest.mark.parametrize(
    ("days", "step"),
    [(1, 1), (10, 1), (20, 2), (60, 7), (150, 14), (300, 28), (365, 56), (730, 112), (3650, 448)],
)
def test_the_longer_the_time_the_fewer_days_are_labelled(days: int, step: int) -> None:
    last = MONDAY + timedelta(days=days - 1)
    assert labelled_days(MONDAY, last, pixels_per_day=686 / days) == [
        MONDAY + timedelta(days=day) for day in range(0, days, step)
    ]


def test_weeks_are_labelled_by_their_mondays_alone() -> None:
    labelled = labelled_days(MONDAY, MONDAY + timedelta(weeks=4), pixels_per_day=100, whole_weeks=True)
    assert labelled == [MONDAY + timedelta(weeks=week) for week in range(5)]


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)), st.integers(0, 5000), st.floats(0.05, 60), st.booleans())
def test_labels_of_days_never_touch(first: date, days: int, pixels: float, whole_weeks: bool) -> None:
    last = first + timedelta(days=days)
    labelled = labelled_days(first, last, pixels_per_day=pixels, whole_weeks=whole_weeks)
    assert labelled[0] == first
    ends = float("-inf")
    for day in labelled:
        middle, half = (day - first).days * pixels, width_of(short_day(day)) / 2
        assert middle - half >= ends + GAP * 0.9
        ends = middle + half


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (6, [0, 1, 2, 3, 4, 5, 6]),
        (7, [0, 2, 4, 6, 8]),
        (48, [0, 10, 20, 30, 40, 50]),
        (115, [0, 20, 40, 60, 80, 100, 120]),
        (4000, [0, 1000, 2000, 3000, 4000]),
    ],
)
def test_counts_are_labelled_in_round_steps(largest: int, ticks: list[int]) -> None:
    assert count_ticks(largest) == ticks


@given(st.integers(0, 10**9))
def test_the_ticks_reach_the_largest_count(largest: int) -> None:
    ticks = count_ticks(largest)
    assert ticks[-1] >= largest > ticks[-2] or largest == 0
    assert 2 <= len(ticks) <= 7


@given(st.lists(st.floats(0, 400), max_size=8))
def test_what_is_spread_keeps_its_order_its_distance_and_its_bounds(wanted: list[float]) -> None:
    placed = apart(sorted(wanted), gap=50, low=0, high=400)
    assert all(-1e-9 <= position <= 400 for position in placed)
    assert all(then - before >= 50 - 1e-9 for before, then in pairwise(placed))


def test_what_is_far_enough_apart_stays() -> None:
    assert apart([10, 100, 300], gap=50, low=0, high=400) == [10, 100, 300]
