from math import exp, isclose
from random import Random

import pytest

from tests.bench.bgnbd import Habits, Seen, fit, log_likelihood, p_alive

PLAIN = Habits(r=1.0, alpha=1.0, a=1.0, b=1.0)


def test_p_alive_by_hand() -> None:
    """One repeat on day 1, seen until day 3: the odds of having left are 1/1 x (4/2)^2 = 4."""
    assert isclose(p_alive(PLAIN, Seen(1, 1, 3)), 1 / 5)
    assert isclose(p_alive(PLAIN, Seen(2, 1, 1)), 1 / (1 + 1 / 2))


def test_without_repeats_nobody_has_left() -> None:
    assert p_alive(PLAIN, Seen(0, 0, 500)) == 1.0


def test_silence_lowers_p_alive_towards_nothing() -> None:
    through_time = [p_alive(PLAIN, Seen(5, 30, 30 + silent)) for silent in (0, 5, 20, 100, 10_000)]
    assert through_time == sorted(through_time, reverse=True)
    assert through_time[-1] < 1e-6


def test_who_never_leaves_by_nature_is_alive() -> None:
    assert p_alive(Habits(r=1, alpha=1, a=1e-12, b=1), Seen(5, 30, 60)) > 1 - 1e-6


def test_the_likelihood_of_doing_nothing_by_hand() -> None:
    """Nobody leaves before a first repeat, so it is the chance of no action in a week: (1 / (1 + 7))^1."""
    assert isclose(exp(log_likelihood(PLAIN, Seen(0, 0, 7))), 1 / 8)


def test_the_likelihood_of_one_repeat_by_hand() -> None:
    """Still here: 1/2 x 1 x 1/(1 + 3)^2; left after it: 1/2 x 1/(1 + 1)^2."""
    assert isclose(exp(log_likelihood(PLAIN, Seen(1, 1, 3))), 1 / 32 + 1 / 8)


def test_the_fit_finds_the_habits_the_people_were_made_with() -> None:
    truth = Habits(r=2.0, alpha=6.0, a=1.0, b=9.0)
    dice = Random(5)
    found = fit([_person(dice, truth) for _ in range(700)])
    assert found.r / found.alpha == pytest.approx(truth.r / truth.alpha, rel=0.2)
    assert found.a / (found.a + found.b) == pytest.approx(0.1, rel=0.3)


def _person(dice: Random, habits: Habits) -> Seen:
    rate, leaves = dice.gammavariate(habits.r, 1 / habits.alpha), dice.betavariate(habits.a, habits.b)
    now, last, repeats = 0.0, 0.0, 0
    while (now := now + dice.expovariate(rate)) < 200:
        last, repeats = now, repeats + 1
        if dice.random() < leaves:
            break
    return Seen(repeats, last, 200)
