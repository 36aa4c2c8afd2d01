"""The one text form of a dosage, and what it counts."""

from typing import Any

import pytest
from hypothesis import given

from models.prescription.dosage import Dosage, Side, days_words, frequency_words, text, times
from tests.prescription.dosages import dosages, pairs, sides, without_amount

DAILY: dict[str, Any] = {"days_per_week": 7}


@pytest.mark.parametrize(
    ("dosage", "side", "words"),
    [
        # how much
        (Dosage(sets=3, reps=10, days_per_week=3), None, "3 × 10; 3 days a week"),
        (Dosage(sets=1, reps=10, days_per_week=7), None, "1 × 10; every day"),
        (Dosage(reps=10, days_per_week=7), None, "1 × 10; every day"),
        (Dosage(sets=3, reps=1, days_per_week=7), None, "3 × 1; every day"),
        (Dosage(sets=1, reps=10, hold_seconds=10, days_per_week=5), None, "1 × 10, hold 10 s; 5 days a week"),
        (Dosage(sets=3, reps=1, hold_seconds=20, days_per_week=7), None, "3 × 20 s; every day"),
        (Dosage(sets=3, hold_seconds=20, days_per_week=7), None, "3 × 20 s; every day"),
        (Dosage(hold_seconds=20, days_per_week=7), None, "1 × 20 s; every day"),
        (Dosage(sets=1, reps=1, duration_minutes=15, days_per_week=5), None, "15 min; 5 days a week"),
        (Dosage(duration_minutes=15, days_per_week=5), None, "15 min; 5 days a week"),
        (Dosage(duration_minutes=0.5, days_per_week=5), None, "0.5 min; 5 days a week"),
        (Dosage(sets=4, reps=1, duration_minutes=5, days_per_week=4), None, "4 × 5 min; 4 days a week"),
        (Dosage(sets=2, duration_minutes=7.5, days_per_week=4), None, "2 × 7.5 min; 4 days a week"),
        (Dosage(distance_m=20_000, days_per_week=1), None, "20000 m; 1 day a week"),
        (Dosage(sets=1, reps=1, distance_m=50, days_per_week=3), None, "50 m; 3 days a week"),
        (Dosage(sets=4, distance_m=50, days_per_week=3), None, "4 × 50 m; 3 days a week"),
        (Dosage(duration_minutes=30, distance_m=2_000, days_per_week=2), None, "30 min, 2000 m; 2 days a week"),
        (Dosage(sets=2, duration_minutes=30, distance_m=2_000, **DAILY), None, "2 × 30 min, 2 × 2000 m; every day"),
        # repetitions and a hold beside minutes or metres
        (Dosage(reps=10, duration_minutes=10, **DAILY), None, "10 min, 10 repetitions; every day"),
        (Dosage(reps=2, distance_m=50, **DAILY), None, "50 m, 2 repetitions; every day"),
        (Dosage(hold_seconds=5, duration_minutes=10, **DAILY), None, "10 min, hold 5 s; every day"),
        (Dosage(sets=3, reps=1, hold_seconds=5, duration_minutes=10, **DAILY), None, "3 × 10 min, hold 5 s; every day"),
        (
            Dosage(sets=3, reps=10, hold_seconds=5, duration_minutes=10, **DAILY),
            None,
            "3 × 10 min, 10 repetitions, hold 5 s; every day",
        ),
        (
            Dosage(sets=4, reps=6, hold_seconds=5, distance_m=50, tempo=(2, 0, 2, 0), **DAILY),
            None,
            "4 × 50 m, 6 repetitions, hold 5 s, tempo 2-0-2-0; every day",
        ),
        # which side
        (Dosage(sets=2, reps=8, days_per_week=7), Side.BOTH, "2 × 8, each side; every day"),
        (Dosage(sets=2, reps=8, days_per_week=7), Side.LEFT, "2 × 8, left side; every day"),
        (Dosage(sets=2, reps=8, days_per_week=7), Side.RIGHT, "2 × 8, right side; every day"),
        (Dosage(sets=2, reps=8, days_per_week=7), Side.AFFECTED, "2 × 8, affected side; every day"),
        # how
        (Dosage(sets=2, reps=8, tempo=(2, 8, 2, 1), **DAILY), None, "2 × 8, tempo 2-8-2-1; every day"),
        (Dosage(sets=2, reps=8, tempo=(3, 0, 10, 0), **DAILY), None, "2 × 8, tempo 3-0-10-0; every day"),
        (Dosage(sets=2, reps=8, rest_seconds=30, **DAILY), None, "2 × 8, rest 30 s between sets; every day"),
        (Dosage(sets=2, reps=8, rest_seconds=0, **DAILY), None, "2 × 8; every day"),
        (Dosage(sets=3, reps=8, load_kg=6, days_per_week=3), None, "3 × 8, 6 kg; 3 days a week"),
        (Dosage(sets=3, reps=8, load_kg=0.25, days_per_week=3), None, "3 × 8, 0.25 kg; 3 days a week"),
        (Dosage(sets=3, reps=10, band="red", days_per_week=3), None, "3 × 10, red band; 3 days a week"),
        (Dosage(duration_minutes=30, rpe_target=5, days_per_week=5), None, "30 min, effort 5 of 10; 5 days a week"),
        (Dosage(duration_minutes=30, rpe_target=0, days_per_week=5), None, "30 min, effort 0 of 10; 5 days a week"),
        (Dosage(sets=2, reps=8, pain_limit=5, **DAILY), None, "2 × 8; every day"),
        (Dosage(sets=2, reps=8, pain_limit=3, **DAILY), None, "2 × 8, stop above pain 3 of 10; every day"),
        (Dosage(sets=2, reps=8, pain_limit=0, **DAILY), None, "2 × 8, stop above pain 0 of 10; every day"),
        # how often
        (Dosage(sets=2, reps=8, sessions_per_day=2, **DAILY), None, "2 × 8; twice a day, every day"),
        (Dosage(sets=2, reps=8, sessions_per_day=8, days_per_week=5), None, "2 × 8; 8 times a day, 5 days a week"),
        (Dosage(sets=2, reps=8, weekdays=(0, 1, 2, 3, 4, 5, 6)), None, "2 × 8; every day"),
        (Dosage(sets=2, reps=8, weekdays=(6,)), None, "2 × 8; Sun"),
        (Dosage(sets=2, reps=8, weekdays=(5, 1, 3)), None, "2 × 8; Tue Thu Sat"),
        (Dosage(sets=2, reps=8, every_n_days=2), None, "2 × 8; every other day"),
        (Dosage(sets=2, reps=8, every_n_days=3), None, "2 × 8; every 3 days"),
        (Dosage(sets=2, reps=8, days_per_week=1), None, "2 × 8; 1 day a week"),
        (Dosage(sets=2, reps=8, days_per_week=6), None, "2 × 8; 6 days a week"),
        (Dosage(duration_minutes=10, as_needed_max_per_day=1), None, "10 min; as needed, at most once a day"),
        (Dosage(duration_minutes=10, as_needed_max_per_day=2), None, "10 min; as needed, at most twice a day"),
        (Dosage(duration_minutes=10, as_needed_max_per_day=3), None, "10 min; as needed, at most 3 times a day"),
        # care may leave out how much
        (Dosage(days_per_week=5), None, "5 days a week"),
        (Dosage(as_needed_max_per_day=3), None, "as needed, at most 3 times a day"),
        # together
        (
            Dosage(sets=3, reps=10, hold_seconds=5, sessions_per_day=2, weekdays=(0, 2, 4)),
            Side.BOTH,
            "3 × 10, hold 5 s, each side; twice a day, Mon Wed Fri",
        ),
        (
            Dosage(sets=2, reps=10, hold_seconds=2, band="red", rpe_target=5, days_per_week=3),
            Side.BOTH,
            "2 × 10, hold 2 s, each side, red band, effort 5 of 10; 3 days a week",
        ),
        (
            Dosage(
                sets=3,
                reps=6,
                hold_seconds=8,
                tempo=(2, 8, 2, 1),
                rest_seconds=30,
                load_kg=2.5,
                band="green",
                rpe_target=4,
                pain_limit=4,
                sessions_per_day=3,
                every_n_days=2,
            ),
            Side.AFFECTED,
            (
                "3 × 6, hold 8 s, tempo 2-8-2-1, rest 30 s between sets, affected side, 2.5 kg, "
                "green band, effort 4 of 10, stop above pain 4 of 10; 3 times a day, every other day"
            ),
        ),
    ],
)
def test_the_text(dosage: Dosage, side: Side | None, words: str) -> None:
    assert text(dosage, side) == words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Dosage(reps=10, **DAILY), Dosage(sets=1, reps=10, **DAILY)),
        (Dosage(sets=3, hold_seconds=20, **DAILY), Dosage(sets=3, reps=1, hold_seconds=20, **DAILY)),
        (Dosage(duration_minutes=10, **DAILY), Dosage(sets=1, reps=1, duration_minutes=10, **DAILY)),
        (Dosage(distance_m=50, **DAILY), Dosage(sets=1, reps=1, distance_m=50, **DAILY)),
        (Dosage(sets=2, reps=8, **DAILY), Dosage(sets=2, reps=8, rest_seconds=0, **DAILY)),
        (Dosage(sets=2, reps=8, **DAILY), Dosage(sets=2, reps=8, weekdays=tuple(range(7)))),
        (Dosage(sets=2, reps=8, weekdays=(0, 2, 4)), Dosage(sets=2, reps=8, weekdays=(4, 0, 2))),
        (
            Dosage(duration_minutes=10, as_needed_max_per_day=3),
            Dosage(duration_minutes=10, as_needed_max_per_day=3, sessions_per_day=2),
        ),
    ],
)
def test_what_means_the_same_reads_the_same(one: Dosage, other: Dosage) -> None:
    assert one != other
    assert text(one) == text(other)


@given(dosages, sides)
def test_the_text_is_one_line_that_ends_with_how_often(dosage: Dosage, side: Side | None) -> None:
    words = text(dosage, side)
    assert words.isprintable()
    assert words == words.strip()
    assert "None" not in words
    assert "  " not in words
    assert words.endswith(f"; {frequency_words(dosage)}")
    assert frequency_words(dosage)


@given(pairs(), sides)
def test_only_equal_dosages_read_the_same(pair: tuple[Dosage, Dosage], side: Side | None) -> None:
    one, other = pair
    assert (text(one, side) == text(other, side)) == (one == other)


@given(dosages, sides, sides)
def test_only_equal_sides_read_the_same(dosage: Dosage, one: Side | None, other: Side | None) -> None:
    assert (text(dosage, one) == text(dosage, other)) == (one == other)


@pytest.mark.parametrize(
    ("dosage", "days"),
    [
        (Dosage(days_per_week=3), 3),
        (Dosage(days_per_week=7), 7),
        (Dosage(weekdays=(0, 2, 4)), 3),
        (Dosage(weekdays=(2, 2, 0)), 2),
        (Dosage(every_n_days=2), 3.5),
        (Dosage(every_n_days=14), 0.5),
        (Dosage(as_needed_max_per_day=3), 0),
        (Dosage(), 0),
    ],
)
def test_days_a_week(dosage: Dosage, days: float) -> None:
    assert dosage.days_a_week == pytest.approx(days)


@given(dosages)
def test_only_as_needed_has_no_days(dosage: Dosage) -> None:
    assert 0 <= dosage.days_a_week <= 7
    assert (dosage.days_a_week == 0) == (dosage.as_needed_max_per_day is not None)
    assert (days_words(dosage) == "") == (dosage.as_needed_max_per_day is not None)


@pytest.mark.parametrize(
    ("dosage", "says"),
    [
        (Dosage(sets=3, reps=10), True),
        (Dosage(hold_seconds=20), True),
        (Dosage(sets=3, hold_seconds=20), True),
        (Dosage(duration_minutes=10), True),
        (Dosage(distance_m=100), True),
        (Dosage(sets=3), False),
        (Dosage(reps=10), False),
        (Dosage(tempo=(2, 0, 2, 0), rest_seconds=30, load_kg=2, band="red", rpe_target=5), False),
        (Dosage(days_per_week=7, sessions_per_day=2), False),
    ],
)
def test_whether_it_says_how_much(dosage: Dosage, says: bool) -> None:
    assert dosage.has_amount is says


@pytest.mark.parametrize(
    ("dosage", "count"),
    [
        (Dosage(), 0),
        (Dosage(sessions_per_day=3), 0),
        (Dosage(days_per_week=3), 1),
        (Dosage(weekdays=(0,)), 1),
        (Dosage(every_n_days=2), 1),
        (Dosage(as_needed_max_per_day=3), 1),
        (Dosage(days_per_week=3, weekdays=(0, 2, 4)), 2),
        (Dosage(days_per_week=3, weekdays=(0, 2, 4), every_n_days=2, as_needed_max_per_day=3), 4),
    ],
)
def test_how_many_frequencies_it_says(dosage: Dosage, count: int) -> None:
    assert dosage.frequencies == count


@given(dosages)
def test_a_whole_dosage_says_how_much_and_one_frequency(dosage: Dosage) -> None:
    assert dosage.has_amount
    assert dosage.frequencies == 1


@given(without_amount)
def test_a_dosage_may_say_only_how_and_how_often(dosage: Dosage) -> None:
    assert not dosage.has_amount
    assert dosage.frequencies == 1


@pytest.mark.parametrize(("count", "words"), [(1, "once"), (2, "twice"), (3, "3 times"), (8, "8 times")])
def test_times(count: int, words: str) -> None:
    assert times(count) == words
