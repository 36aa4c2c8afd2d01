"""Axes: which days and counts are labelled, so that labels never touch, and how an axis is drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, count

from api.pages.charts.drawing import LINE_HEIGHT, Svg, line, text, width_of
from models.adherence.wording import short_day

GAP = 10
"""The least room between two labels, in pixels."""
WIDEST_WEEK = 40
"""The most room one week's bar is given, in pixels."""
DATE_AXIS_HEIGHT = 6 + 2 * LINE_HEIGHT
"""Tick, day and year."""


def labelled_days(first: date, last: date, *, pixels_per_day: float, whole_weeks: bool = False) -> list[date]:
    """The days to label, evenly from `first` on: every day, every second, or every 1, 2, 4, 8 … weeks."""
    room = width_of("30 May") + GAP
    steps = chain(() if whole_weeks else (1, 2), (7 * 2**power for power in count()))
    step = next(days for days in steps if days * pixels_per_day >= room)
    return [first + timedelta(days=days) for days in range(0, (last - first).days + 1, step)]


def date_axis(days: Sequence[date], *, x_of: Callable[[date], float], y: float) -> list[Svg]:
    """Ticks from `y` down with the day, and the year under the first day and under the first of each other year."""
    drawn: list[Svg] = []
    year = None
    for day in days:
        x = x_of(day)
        drawn += [
            line(x, y, x, y + 4, "axis"),
            text(short_day(day), x, y + 4 + LINE_HEIGHT - 2, anchor="middle", paint="quiet"),
        ]
        if day.year != year:
            drawn.append(text(str(day.year), x, y + 4 + 2 * LINE_HEIGHT - 2, anchor="middle", paint="quiet"))
            year = day.year
    return drawn


@dataclass(frozen=True, slots=True)
class WeekAxis:
    """Room for a bar per week, between weeks that begin on `first` and on `last`: wide for few, narrow for many."""

    first: date
    last: date
    left: float
    least_width: float
    most_width: float

    @property
    def right(self) -> float:
        """Where the axis ends."""
        return self.left + min(max(self._weeks * WIDEST_WEEK, self.least_width), self.most_width)

    @property
    def pitch(self) -> float:
        """From one week's middle to the next."""
        return min((self.right - self.left) / self._weeks, WIDEST_WEEK)

    def middle_of(self, monday: date) -> float:
        """Where the week's bar stands."""
        return self.left + ((monday - self.first).days / 7 + 0.5) * self.pitch

    def drawn(self, y: float) -> list[Svg]:
        """The labelled weeks, from `y` down."""
        days = labelled_days(self.first, self.last, pixels_per_day=self.pitch / 7, whole_weeks=True)
        return date_axis(days, x_of=self.middle_of, y=y)

    @property
    def _weeks(self) -> int:
        return (self.last - self.first).days // 7 + 1


def count_ticks(largest: int) -> list[int]:
    """Whole numbers from 0 to `largest` or just above: 2 to 7 of them, in steps of 1, 2 or 5 times a power of ten."""
    steps = (base * 10**power for power in count() for base in (1, 2, 5))
    largest = max(largest, 1)
    step = next(step for step in steps if largest <= 6 * step)
    return list(range(0, largest + step, step))[: -(-largest // step) + 1]


def apart(wanted: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Positions at least `gap` apart within `low` and `high`, in the given (rising) order, near what was wanted.

    There must be room: `gap` times one less than their number is at most `high - low`.
    """
    placed: list[float] = []
    for position in wanted:
        placed.append(max(position, low, placed[-1] + gap if placed else low))
    ceiling = high
    for index in reversed(range(len(placed))):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - gap
    return placed
