"""How many are still going after so many days: the Kaplan-Meier curve, with its 95 % band and its numbers at risk.

Persistence runs from a program's first session to its discontinuation, and is censored while the program is followed
(ABC taxonomy, Vrijens 2012: engine study, section 4). Kaplan and Meier, J Am Stat Assoc 1958;53:457.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist

HORIZONS = {28: "4 weeks", 84: "12 weeks", 183: "6 months", 365: "12 months", 730: "24 months"}
"""The days after the first session at which retention is told, and how people say them."""

_WIDTH = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Life:
    """A program from its first session on."""

    days: int
    """Days from the first session to the discontinuation, or to the last day the program was observed; 0 or more."""
    stopped: bool
    """False: it was still going when last observed, and how long it will last is not known."""


@dataclass(frozen=True, slots=True)
class Step:
    """The curve from `day` until the next step."""

    day: int
    at_risk: int
    """Programs going and observed up to this day, those that stop on it included."""
    stopped: int
    """Programs that stop on this day."""
    survival: float
    """The estimated share still going after this day, 0-1."""
    low: float | None
    high: float | None
    """The 95 % band; None where nobody or everybody has stopped, for its scale has no value there: a band from 1 to 1
    would claim certainty after no stop at all.
    """


def curve(lives: Iterable[Life]) -> list[Step]:
    """The Kaplan-Meier curve: a step on day 0, on every day with a stop, and on the last day anybody was observed.

    Programs censored on a day with stops were at risk of them. The band is Greenwood's on the log(-log) scale, so it
    stays within 0 and 1 (Kalbfleisch and Prentice 1980). No lives have no curve. A life of negative days is a
    ValueError.
    """
    lives = list(lives)
    if not lives:
        return []
    lengths = sorted(life.days for life in lives)
    if lengths[0] < 0:
        raise ValueError(f"A program cannot have lasted {lengths[0]} days.")
    stops = Counter(life.days for life in lives if life.stopped)
    steps: list[Step] = []
    survival, greenwood = 1.0, 0.0
    for day in sorted({0, *stops, lengths[-1]}):
        going, stopped = _from(lengths, day), stops[day]
        left = going - stopped
        survival *= left / going
        # After the last one has stopped survival is 0 and has no band, so the infinite term is never needed.
        greenwood += stopped / (going * left) if left else 0.0
        low, high = _band(survival, greenwood)
        steps.append(Step(day=day, at_risk=going, stopped=stopped, survival=survival, low=low, high=high))
    return steps


def survival_at(steps: Sequence[Step], day: int) -> Step | None:
    """The step of a `curve` that holds on `day`; None after the last day anybody was observed: nobody knows."""
    if not steps or day > steps[-1].day:
        return None
    return steps[bisect_right(steps, day, key=lambda step: step.day) - 1]


def at_risk(lives: Iterable[Life], day: int) -> int:
    """How many were still going and observed up to `day`, those that stop or were last observed on it included."""
    return _from(sorted(life.days for life in lives), day)


def _from(lengths: Sequence[int], day: int) -> int:
    """How many of the sorted lengths are at least `day`."""
    return len(lengths) - bisect_left(lengths, day)


def _band(survival: float, greenwood: float) -> tuple[float | None, float | None]:
    """The 95 % band of a survival, from Greenwood's sum of stopped / (at risk x left)."""
    if not 0.0 < survival < 1.0:
        return None, None
    scale = log(survival)
    spread = _WIDTH * sqrt(greenwood) / -scale
    return exp(scale * exp(spread)), exp(scale * exp(-spread))
