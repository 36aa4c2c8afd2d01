"""How sure a handful of days makes us: the posterior of a rate, with Jeffreys' prior Beta(½, ½)."""

from math import erf, exp, lgamma, log, sqrt

_STEPS = 200
_PRECISION = 1e-12
_TINY = 1e-300


def below(cut: float, done: float, expected: float) -> float:
    """P(rate < cut) after `done` of `expected` days; counts may be fractions of days."""
    return _incomplete_beta(0.5 + done, 0.5 + max(0.0, expected - done), cut)


def fell(done: float, expected: float, done_before: float, expected_before: float, by: float) -> float:
    """P(rate now < rate before - `by`), both posteriors taken as normal: enough for an amber flag."""
    now, spread_now = _moments(done, expected)
    before, spread_before = _moments(done_before, expected_before)
    return 0.5 * (1.0 + erf((before - by - now) / sqrt(2.0 * (spread_now + spread_before))))


def _moments(done: float, expected: float) -> tuple[float, float]:
    """Mean and variance of the posterior."""
    a, b = 0.5 + done, 0.5 + max(0.0, expected - done)
    return a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1.0))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function I_x(a, b), by its continued fraction (Lentz's method)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1.0 - x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, 1.0 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1.0))
    result = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _nonzero(1.0 + term * d)
            c = _nonzero(1.0 + term / c)
            result *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return result


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
