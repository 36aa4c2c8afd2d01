"""The calendar strip: one square per day, weeks side by side, Monday on top."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from api.pages.charts.colours import Paint
from api.pages.charts.drawing import (
    LINE_HEIGHT,
    SWATCH,
    Chart,
    LegendItem,
    Svg,
    chart,
    element,
    hint,
    legend,
    line,
    nothing_to_show,
    path,
    text,
    width_of,
)
from api.pages.charts.wording import counted, listed, span, weekday_and_day

PITCH = 16
"""From one day's square to the next, in pixels."""
WEEKS_PER_STRIP = 44
"""More than ten months; a longer time goes on in a further strip below."""
LEFT, TOP = 46, 44
STRIP_HEIGHT = 7 * PITCH + 50


class DayState(StrEnum):
    """What became of a day."""

    DONE = "done"
    PARTLY = "partly"
    MISSED = "missed"
    PAUSED = "paused"
    FLARE = "flare"
    NOT_DUE = "not_due"
    SILENT = "silent"
    """After the last session of a silence that became a lapse."""
    UNKNOWN = "unknown"
    """Still to come, or nothing is known yet."""


@dataclass(frozen=True, slots=True)
class Day:
    """One local day of a program."""

    on: date
    state: DayState


WORDS = {
    DayState.DONE: "Done",
    DayState.PARTLY: "Partly done",
    DayState.MISSED: "Missed",
    DayState.PAUSED: "Paused",
    DayState.FLARE: "In a flare",
    DayState.NOT_DUE: "Not due",
    DayState.SILENT: "Silent since the last session",
    DayState.UNKNOWN: "To come or not known",
}

_FULL = SWATCH - 1


def _square(fill: Paint, edge: Paint) -> Svg:
    return element(
        "rect", x=0.5, y=0.5, width=_FULL, height=_FULL, rx=2, stroke_width=1, class_=f"ft-fill-{fill} ft-line-{edge}"
    )


SQUARES = {
    DayState.DONE: Svg(_square("blue", "blue") + path("M3.5 7.5L6 10L10.5 4.5", "on_blue", stroke_width=1.6)),
    DayState.PARTLY: Svg(_square("pale", "blue") + element("path", d="M1 1V13H13Z", class_="ft-fill-blue")),
    DayState.MISSED: Svg(_square("rose", "rust") + path("M4 4L10 10M10 4L4 10", "rust", stroke_width=1.6)),
    DayState.PAUSED: Svg(_square("mist", "slate") + path("M5 4V10M9 4V10", "slate", stroke_width=2)),
    DayState.FLARE: Svg(_square("amber", "brown") + element("path", d="M7 3L11 10.5H3Z", class_="ft-fill-brown")),
    DayState.NOT_DUE: element("circle", cx=7, cy=7, r=1.6, class_="ft-fill-axis"),
    DayState.SILENT: Svg(_square("grey", "grey") + path("M3.5 7H10.5", "on_grey", stroke_width=2)),
    DayState.UNKNOWN: element(
        "rect",
        x=0.5,
        y=0.5,
        width=_FULL,
        height=_FULL,
        rx=2,
        fill="none",
        stroke_width=1,
        stroke_dasharray="2 2",
        class_="ft-line-axis",
    ),
}
"""Each state's square, 14 by 14 pixels: its own mark, and a fill of its own lightness where it has one."""


def calendar_strip(days: Sequence[Day], *, key: str) -> Chart:
    """A square per day, columns of weeks, rows from Monday to Sunday; a date nobody told of stays blank.

    Args:
        days: In any order, each date once.
        key: Begins every id in the picture.

    """
    header = ("Day", "What became of it")
    if not days:
        return nothing_to_show(key, title="Day by day", header=header)
    days = sorted(days, key=lambda day: day.on)
    first, last = days[0].on, days[-1].on
    monday = _monday(first)
    weeks = (last - monday).days // 7 + 1
    states = [state for state in DayState if any(day.state is state for day in days)]
    samples = [LegendItem(sample=SQUARES[state], words=WORDS[state]) for state in states]
    right = max(LEFT + min(weeks, WEEKS_PER_STRIP) * PITCH, 320)
    key_of_states, bottom = legend(samples, x=LEFT, y=TOP + _strips(weeks) * STRIP_HEIGHT - 40, right=right)
    squares = element("defs", *(element("g", SQUARES[state], id=f"{key}-{state}") for state in states))
    return chart(
        key,
        title=f"Day by day, {span(first, last)}",
        says=_says(days),
        size=(right + 16, bottom + 6),
        body=[
            squares,
            *(_labels(monday, first, last)),
            *(_placed(day, monday, key) for day in days),
            key_of_states,
        ],
        header=header,
        rows=[(weekday_and_day(day.on), WORDS[day.state]) for day in days],
    )


def _placed(day: Day, monday: date, key: str) -> Svg:
    x, y = _corner(day.on, monday)
    told = hint(f"{weekday_and_day(day.on)}: {WORDS[day.state].lower()}")
    return element("use", told, href=f"#{key}-{day.state}", x=x, y=y)


def _corner(day: date, monday: date) -> tuple[float, float]:
    strip, column = divmod((day - monday).days // 7, WEEKS_PER_STRIP)
    return LEFT + column * PITCH, TOP + strip * STRIP_HEIGHT + day.weekday() * PITCH


def _labels(monday: date, first: date, last: date) -> list[Svg]:
    drawn: list[Svg] = []
    for strip in range(_strips((last - monday).days // 7 + 1)):
        top = TOP + strip * STRIP_HEIGHT
        drawn += [
            text(name, LEFT - 8, top + row * PITCH + 11, anchor="end", paint="quiet")
            for row, name in ((0, "Mon"), (2, "Wed"), (4, "Fri"), (6, "Sun"))
        ]
        begins = monday + timedelta(weeks=strip * WEEKS_PER_STRIP)
        ends = min(last, begins + timedelta(weeks=WEEKS_PER_STRIP, days=-1))
        year = None
        for month in _labelled_months(max(first, begins), ends):
            x, _ = _corner(month, monday)
            drawn += [text(f"{month:%b}", x, top - 10, paint="quiet"), line(x + 0.5, top - 6, x + 0.5, top - 2, "axis")]
            if month.year != year:
                drawn.append(text(str(month.year), x, top - 10 - LINE_HEIGHT, paint="quiet"))
                year = month.year
    return drawn


def _labelled_months(first: date, last: date) -> list[date]:
    """The first day shown of each month, but of a month cut off at the beginning only if its label has room."""
    starts = [first]
    month = (first.replace(day=1) + timedelta(days=31)).replace(day=1)
    while month <= last:
        starts.append(month)
        month = (month + timedelta(days=31)).replace(day=1)
    cramped = len(starts) > 1 and (_monday(starts[1]) - _monday(first)).days // 7 * PITCH < width_of("May ")
    return starts[cramped:]


def _says(days: Sequence[Day]) -> str:
    counts = Counter(day.state for day in days)
    done, partly, missed = (counts[state] for state in (DayState.DONE, DayState.PARTLY, DayState.MISSED))
    also = [f"partly on {partly}"] * bool(partly) + [f"missed on {missed}"] * bool(missed)
    # Not "of so many": whoever may choose the days is not asked for each of them.
    course = listed([f"done on {counted(done, 'day')}", *also]) if done or also else "no day was due"
    others = [
        f"{words}: {counted(counts[state], 'day')}."
        for state, words in WORDS.items()
        if counts[state] and state not in {DayState.DONE, DayState.PARTLY, DayState.MISSED}
    ]
    return " ".join([f"{span(days[0].on, days[-1].on)}: {course}.", *others])


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _strips(weeks: int) -> int:
    return -(-weeks // WEEKS_PER_STRIP)
