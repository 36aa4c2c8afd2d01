"""What the books say: rates, delays, precision, calibration, and rules compared at the same false-alarm rate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, log, sqrt

from tests.bench.replay import FOLLOWED_DAYS, Books
from tests.bench.rules import BINS

YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Point:
    """One rule at one threshold, or between two. Delays in days, of stops observed long enough."""

    false_a_year: float
    mean: float
    """With `FOLLOWED_DAYS` for those never caught."""
    median: float
    p90: float
    missed: float
    """The share not caught within `FOLLOWED_DAYS`."""
    precision: float


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share does not exceed; `values` in order."""
    return values[ceil(share * len(values)) - 1]


def point(books: Books, i: int) -> Point:
    """How the rule did at its i-th threshold."""
    delays = sorted(books.delays[i]) or [inf]
    raised = books.false[i] + books.right[i]
    return Point(
        false_a_year=books.false[i] / books.active_days * YEAR if books.active_days else inf,
        mean=sum(min(delay, FOLLOWED_DAYS) for delay in delays) / len(delays),
        median=quantile(delays, 0.5),
        p90=quantile(delays, 0.9),
        missed=delays.count(inf) / len(delays),
        precision=books.right[i] / raised if raised else inf,
    )


def curve(books: Books) -> list[Point]:
    """Every threshold, from many false alarms to few."""
    return [point(books, i) for i in range(len(books.thresholds))]


def at_rate(books: Books, false_a_year: float) -> Point | None:
    """Between the two thresholds next to this rate, by its logarithm. None where no threshold comes so near."""
    for more, fewer in pairwise(curve(books)):
        if more.false_a_year >= false_a_year >= fewer.false_a_year > 0:
            width = log(more.false_a_year / fewer.false_a_year)
            part = log(more.false_a_year / false_a_year) / width if width else 0.0
            return Point(
                false_a_year,
                *(
                    _between(getattr(more, name), getattr(fewer, name), part)
                    for name in ("mean", "median", "p90", "missed", "precision")
                ),
            )
    return None


def _between(one: float, other: float, part: float) -> float:
    if inf in {one, other}:
        return one if not part else inf
    return one + part * (other - one)


def truly_stopped(books: Books) -> list[tuple[float, float]]:
    """For each of `BINS`: the share of person-days in it that were truly past the stop, and those person-days."""
    found = []
    for low, high in BINS:
        inside = [i for i, threshold in enumerate(books.thresholds) if low <= threshold < high]
        days = sum(books.days_at[i] for i in inside)
        found.append((sum(books.days_gone[i] for i in inside) / days if days else inf, days))
    return found


def margin(left_out: Sequence[float]) -> float:
    """Half the width of a 95 % interval for a figure, from its values with each block left out (jackknife)."""
    if len(left_out) < 2:
        return inf
    size = len(left_out)
    mean = sum(left_out) / size
    return 1.96 * sqrt((size - 1) / size * sum((one - mean) ** 2 for one in left_out))


def together(blocks: Iterable[Books]) -> Books:
    """All the books as one."""
    first, *others = blocks
    total = Books(first.thresholds)
    for books in (first, *others):
        total.add(books)
    return total
