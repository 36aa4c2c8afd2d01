"""Pain and effort over time: two panels over one axis of dates, so that 300 sessions can still be read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from api.pages.charts.axes import DATE_AXIS_HEIGHT, GAP, date_axis, labelled_days
from api.pages.charts.colours import Paint
from api.pages.charts.drawing import (
    LINE_HEIGHT,
    Chart,
    Svg,
    chart,
    element,
    hint,
    line,
    nothing_to_show,
    path,
    text,
    width_of,
)
from api.pages.charts.wording import counted, day_and_year, listed, number, span, weekday_and_day

WORST = 10
"""Pain and effort are told from 0 to 10."""
SILENT_DAYS = 7
"""Over more days without a telling no line is drawn: nobody knows what lay between."""
LEFT, RIGHT, WIDTH = 40, 726, 760
NAMES_TOP = 26
"""Below the first panel's own words."""
PAIN_HEIGHT, EFFORT_HEIGHT = 150, 100
LABEL_ROWS = 3
"""Rows for the revisions' names; one that fits in none is told by the words and the table alone."""

Told = Literal["pain", "effort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPoint:
    """What one session told, 0-10; None: not told."""

    on: date
    pain: float | None = None
    effort: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionMark:
    """When a revision of the program took effect."""

    number: int
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportantChange:
    """The least change of pain that matters to patients, in points of 0-10, and the pain it is counted from."""

    baseline: float
    points: float


@dataclass(frozen=True, slots=True)
class _Time:
    """The common axis: where a moment lies."""

    first: date
    last: date

    @property
    def pixels_per_day(self) -> float:
        return (RIGHT - LEFT) / ((self.last - self.first).days + 1)

    def start_of(self, day: date) -> float:
        return LEFT + (day - self.first).days * self.pixels_per_day

    def middle_of(self, day: date) -> float:
        return self.start_of(day) + self.pixels_per_day / 2


@dataclass(frozen=True, slots=True)
class _Panel:
    """One measure's rows of pixels, from 10 on top to 0."""

    told: Told
    top: float
    height: float
    paint: Paint

    def y_of(self, value: float) -> float:
        return self.top + self.height * (1 - value / WORST)


@dataclass(frozen=True, slots=True)
class _Name:
    """Where a revision's name stands; its line comes up to the name's row from below."""

    mark: RevisionMark
    row: int
    line_x: float
    left: float
    right: float

    def meets(self, other: "_Name") -> bool:
        """Whether the names touch or one's line runs through the other's name."""
        side_by_side = self.row == other.row and self.left < other.right + GAP and other.left < self.right + GAP
        return side_by_side or self.runs_through(other) or other.runs_through(self)

    def runs_through(self, other: "_Name") -> bool:
        return self.row <= other.row and other.left <= self.line_x <= other.right


def pain_and_effort(
    points: Sequence[SessionPoint],
    revisions: Sequence[RevisionMark] = (),
    change: ImportantChange | None = None,
    *,
    key: str,
) -> Chart:
    """Pain above, a line with round points; effort below, dashed with squares; revisions as upright lines.

    A line breaks where a session told nothing and where more than a week passed without a telling.

    Args:
        points: One per session in the order of the sessions; those of one day share its width.
        revisions: What took effect, in any order.
        change: Shaded around its baseline; None: not known, nothing is shaded.
        key: Begins every id in the picture.

    """
    header = ("Day", "Pain (0-10)", "Effort (0-10)", "Took effect")
    if not points:
        return nothing_to_show(key, title="Pain and effort", header=header)
    points = sorted(points, key=lambda point: point.on)
    revisions = sorted(revisions, key=lambda mark: (mark.on, mark.number))
    days = sorted([point.on for point in points] + [mark.on for mark in revisions])
    time = _Time(days[0], days[-1])
    names = _names(revisions, time)
    rows = max((name.row + 1 for name in names), default=0)
    reaches = {name.mark: (rows - name.row) * LINE_HEIGHT + 4 for name in names}
    pain = _Panel("pain", NAMES_TOP + rows * LINE_HEIGHT + 6, PAIN_HEIGHT, "rust")
    effort = _Panel("effort", pain.top + PAIN_HEIGHT + 2 * LINE_HEIGHT + 12, EFFORT_HEIGHT, "blue")
    bottom = effort.top + EFFORT_HEIGHT
    labelled = labelled_days(time.first, time.last, pixels_per_day=time.pixels_per_day)
    return chart(
        key,
        title=f"Pain and effort per session, {span(points[0].on, points[-1].on)}",
        says=_says(points, revisions, change),
        size=(WIDTH, bottom + DATE_AXIS_HEIGHT + 6),
        body=[
            *_band(change, pain),
            *_scale(pain),
            *_scale(effort),
            *(
                _mark(mark, time.start_of(mark.on), panel, reach)
                for mark in revisions
                for panel, reach in ((pain, reaches.get(mark, 0)), (effort, 0))
            ),
            *(
                text(f"Revision {name.mark.number}", name.left, NAMES_TOP + name.row * LINE_HEIGHT + 11)
                for name in names
            ),
            *_course(points, time, pain),
            *_course(points, time, effort),
            *date_axis(labelled, x_of=time.middle_of, y=bottom),
        ],
        header=header,
        rows=list(_rows(points, revisions)),
    )


def _names(revisions: Sequence[RevisionMark], time: _Time) -> list[_Name]:
    """Each revision's name in the first row where neither it nor its line meets another's; left out where none is."""
    placed: list[_Name] = []
    for mark in revisions:
        line_x, width = time.start_of(mark.on), width_of(f"Revision {mark.number}")
        left = line_x + 4 if line_x + 4 + width <= WIDTH - 6 else line_x - 4 - width
        rows = (_Name(mark, row, line_x, left, left + width) for row in range(LABEL_ROWS))
        name = next((name for name in rows if not any(name.meets(other) for other in placed)), None)
        if name:
            placed.append(name)
    return placed


def _mark(mark: RevisionMark, x: float, panel: _Panel, reach: float) -> Svg:
    """An upright line through a panel and so far above it, to its name."""
    told = hint(f"Revision {mark.number} took effect on {day_and_year(mark.on)}")
    return element(
        "line", told, x1=x, y1=panel.top - reach, x2=x, y2=panel.y_of(0), stroke_dasharray="1 3", class_="ft-line-text"
    )


def _band(change: ImportantChange | None, panel: _Panel) -> list[Svg]:
    """The pain from which nothing that matters has changed, and the panel's line of words saying so."""
    words_y = NAMES_TOP - 8
    name = text("Pain, 0-10", LEFT, words_y)
    if change is None:
        return [name]
    high, low = (
        panel.y_of(min(max(value, 0), WORST))
        for value in (change.baseline + change.points, change.baseline - change.points)
    )
    x = LEFT + width_of("Pain, 0-10") + 18
    label = f"within {number(change.points)} of the starting {number(change.baseline)}: no change that matters"
    return [
        name,
        _shaded(x, words_y - 10, 22, 12),
        text(label, x + 28, words_y),
        _shaded(LEFT, high, RIGHT - LEFT, low - high),
    ]


def _shaded(x: float, y: float, width: float, height: float) -> Svg:
    return Svg(
        element("rect", x=x, y=y, width=width, height=height, class_="ft-fill-pale")
        + _edge(x, y, width)
        + _edge(x, y + height, width)
    )


def _edge(x: float, y: float, width: float) -> Svg:
    return line(x, y, x + width, y, "axis", stroke_width=0.8, stroke_dasharray="6 3")


def _scale(panel: _Panel) -> list[Svg]:
    drawn = [] if panel.told == "pain" else [text("Effort, 0-10", LEFT, panel.top - 10)]
    for value in (0, 5, 10):
        y = panel.y_of(value)
        drawn += [
            line(LEFT - 4, y, LEFT, y, "axis"),
            text(str(value), LEFT - 8, y + 4, anchor="end", paint="quiet"),
        ]
    drawn.append(path(f"M{LEFT} {panel.top:g}V{panel.y_of(0):g}H{RIGHT}", "axis"))
    return drawn


def _course(points: Sequence[SessionPoint], time: _Time, panel: _Panel) -> list[Svg]:
    per_day = Counter(point.on for point in points)
    seen: Counter[date] = Counter()
    runs: list[list[tuple[float, float]]] = [[]]
    drawn: list[Svg] = []
    size = min(max(time.pixels_per_day / 2, 2), 4)
    before: date | None = None
    for point in points:
        seen[point.on] += 1
        value = _told(point, panel.told)
        if value is None:
            runs.append([])
            continue
        if before and point.on - before > timedelta(days=SILENT_DAYS):
            runs.append([])
        before = point.on
        share_of_day = (seen[point.on] - 0.5) / per_day[point.on]
        x = time.start_of(point.on) + share_of_day * time.pixels_per_day
        runs[-1].append((x, panel.y_of(value)))
        told = hint(f"{weekday_and_day(point.on)}: {panel.told} {number(value)}")
        drawn.append(_point(x, panel.y_of(value), size, panel, told))
    width = 1.4 if time.pixels_per_day > 4 else 0.8
    dashes = None if panel.told == "pain" else "4 2"
    lines = [
        path(
            f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in run)}", panel.paint, stroke_width=width, stroke_dasharray=dashes
        )
        for run in runs
        if len(run) > 1
    ]
    return [*lines, *drawn]


def _point(x: float, y: float, size: float, panel: _Panel, told: Svg) -> Svg:
    fill = f"ft-fill-{panel.paint}"
    if panel.told == "pain":
        return element("circle", told, cx=x, cy=y, r=size, class_=fill)
    return element("rect", told, x=x - size, y=y - size, width=2 * size, height=2 * size, class_=fill)


def _told(point: SessionPoint, told: Told) -> float | None:
    return point.pain if told == "pain" else point.effort


def _says(points: Sequence[SessionPoint], revisions: Sequence[RevisionMark], change: ImportantChange | None) -> str:
    sentences = [_trend(points, "pain")]
    pains = [point.pain for point in points if point.pain is not None]
    if change is not None and pains:
        away = abs(pains[-1] - change.baseline)
        matters = "a change that matters" if away >= change.points else "too little to matter"
        sentences.append(
            f"The last is {number(away)} away from the starting {number(change.baseline)}, {matters}:"
            f" {number(change.points)} is the least that does."
        )
    sentences.append(_trend(points, "effort"))
    if revisions:
        marks = listed([f"revision {mark.number} on {day_and_year(mark.on)}" for mark in revisions])
        sentences.append(f"Took effect: {marks}.")
    return " ".join(sentences)


def _trend(points: Sequence[SessionPoint], told: Told) -> str:
    said = [(point.on, value) for point in points if (value := _told(point, told)) is not None]
    name = told.capitalize()
    asked = f"{len(said)} of {counted(len(points), 'session')} told it."
    if not said:
        return f"{name} was not told in {counted(len(points), 'session')}."
    (first_day, first), (last_day, last) = said[0], said[-1]
    if len(said) == 1:
        return f"{name} was {number(first)} on {day_and_year(first_day)}; {asked}"
    days = f"between {day_and_year(first_day)} and {day_and_year(last_day)}"
    least, most = (number(bound([value for _, value in said])) for bound in (min, max))
    if first == last:
        course = f"was {number(first)} at both ends"
    else:
        course = f"{'fell' if last < first else 'rose'} from {number(first)} to {number(last)}"
    return f"{name} {course} {days}, lowest {least}, highest {most}; {asked}"


def _rows(points: Sequence[SessionPoint], revisions: Sequence[RevisionMark]) -> Iterator[tuple[str, ...]]:
    """Sessions and revisions by day, a revision before the sessions of its day."""
    rows = [(mark.on, 0, ("", "", f"Revision {mark.number}")) for mark in revisions]
    rows += [(point.on, 1, (_cell(point.pain), _cell(point.effort), "")) for point in points]
    for on, _, cells in sorted(rows, key=lambda row: row[:2]):
        yield (weekday_and_day(on), *cells)


def _cell(value: float | None) -> str:
    return "not told" if value is None else number(value)
