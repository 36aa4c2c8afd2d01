"""BG/NBD, the shop-keepers' model of who still buys: Fader, Hardie and Lee, Marketing Science 24:275 (2005).

While active, a person acts at Poisson rate lambda ~ Gamma(r, alpha); after each action they leave for good with
probability p ~ Beta(a, b). Known of each: x repeats, the last at t_x, observed until T, all in days since the first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, inf, lgamma, log, log1p


@dataclass(frozen=True, slots=True)
class Habits:
    """The four parameters; rates are per day."""

    r: float
    alpha: float
    a: float
    b: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one person."""

    repeats: int
    last: float
    """Days from the first action to the last."""
    observed: float
    """Days from the first action until now."""


def p_alive(habits: Habits, seen: Seen) -> float:
    """The probability that a person has not left. 1 without repeats: in this model nobody leaves before the first."""
    if not seen.repeats:
        return 1.0
    odds_gone = (
        habits.a
        / (habits.b + seen.repeats - 1)
        * exp((habits.r + seen.repeats) * log((habits.alpha + seen.observed) / (habits.alpha + seen.last)))
    )
    return 1 / (1 + odds_gone)


def log_likelihood(habits: Habits, seen: Seen) -> float:
    """Of what is known of one person."""
    r, alpha, a, b = habits.r, habits.alpha, habits.a, habits.b
    x = seen.repeats
    common = lgamma(r + x) - lgamma(r) + r * log(alpha) + lgamma(a + b) - lgamma(b)
    here = lgamma(b + x) - lgamma(a + b + x) - (r + x) * log(alpha + seen.observed)
    if not x:
        return common + here
    gone = log(a) + lgamma(b + x - 1) - lgamma(a + b + x) - (r + x) * log(alpha + seen.last)
    top, bottom = max(here, gone), min(here, gone)
    return common + top + log1p(exp(bottom - top))


def fit(people: Sequence[Seen]) -> Habits:
    """The parameters of greatest likelihood, by Nelder and Mead on their logarithms."""

    def cost(logs: Sequence[float]) -> float:
        if max(map(abs, logs)) > 12:
            return inf
        habits = Habits(*map(exp, logs))
        return -sum(log_likelihood(habits, seen) for seen in people)

    return Habits(*map(exp, _least(cost, [0.0, 1.0, -1.0, 2.0])))


def _least(cost: Callable[[Sequence[float]], float], start: Sequence[float]) -> list[float]:
    """Where `cost` is least, by the simplex of Nelder and Mead (1965)."""
    size = len(start)
    corners = [list(start)] + [[x + (i == j) for j, x in enumerate(start)] for i in range(size)]
    simplex = sorted((cost(corner), corner) for corner in corners)
    for _ in range(400):
        if simplex[-1][0] - simplex[0][0] < 1e-4:
            break
        centre = [sum(corner[i] for _, corner in simplex[:-1]) / size for i in range(size)]

        worst = simplex[-1][1]
        new = _tried(cost, centre, worst, -1.0)
        if new < simplex[0]:
            new = min(new, _tried(cost, centre, worst, -2.0))
        elif new >= simplex[-2]:
            new = min(new, _tried(cost, centre, worst, -0.5), _tried(cost, centre, worst, 0.5))
        if new < simplex[-1]:
            simplex[-1] = new
        else:
            best = simplex[0][1]
            shrunk = [[(x + y) / 2 for x, y in zip(best, corner, strict=True)] for _, corner in simplex[1:]]
            simplex = [simplex[0], *((cost(corner), corner) for corner in shrunk)]
        simplex.sort()
    return simplex[0][1]


def _tried(
    cost: Callable[[Sequence[float]], float], centre: Sequence[float], corner: Sequence[float], step: float
) -> tuple[float, list[float]]:
    """The cost on the line from the centre to a corner, so far along (negative: away from the corner)."""
    point = [c + step * (x - c) for c, x in zip(centre, corner, strict=True)]
    return cost(point), point
