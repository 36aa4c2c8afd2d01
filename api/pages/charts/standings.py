"""Standings over time: how many programs stood how, week by week."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from api.pages.charts.axes import DATE_AXIS_HEIGHT, WeekAxis, count_ticks
from api.pages.charts.drawing import Chart, Svg, chart, hint, legend, line, nothing_to_show, path, text, width_of
from api.pages.charts.patterns import Pattern, definitions, filled, sample
from api.pages.charts.wording import WITHHELD, count_in_words, counted, day_and_year, listed, span
from models.adherence import Standing

PATTERNS = {
    Standing.ON_TRACK: Pattern.FULL,
    Standing.WATCH: Pattern.RISING,
    Standing.LAPSED: Pattern.CROSSED,
    Standing.STOPPED: Pattern.GREY,
    Standing.WITHDRAWN: Pattern.DOTTED,
    Standing.PAUSED: Pattern.UPRIGHT,
    Standing.NOT_STARTED: Pattern.EMPTY,
    Standing.ENDED: Pattern.LEVEL,
}
"""From the foot of a bar upwards."""
TOP, HEIGHT = 16, 200
JOINED_UNDER = 12
"""Pixels a week."""
LEAST_WIDTH, MOST_WIDTH = 360, 680
"""Of the axis, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingsWeek:
    """How many programs stood how at the end of a week."""

    starts_on: date
    """Its Monday."""
    counts: Mapping[Standing, int | None]
    """Missing: none. None: withheld because too few."""

    @property
    def total(self) -> int:
        """Of the counts that are told."""
        return sum(count or 0 for count in self.counts.values())


def standings_over_time(weeks: Sequence[StandingsWeek], *, key: str) -> Chart:
    """A stacked bar per week, a pattern per standing; withheld counts are not drawn, and the legend says so.

    Args:
        weeks: In any order, each once; a missing one is a gap.
        key: Begins every id in the picture.

    """
    standings = [standing for standing in PATTERNS if any(week.counts.get(standing, 0) != 0 for week in weeks)]
    header = ("Week from", *(_words(standing).capitalize() for standing in standings))
    if not standings:
        return nothing_to_show(key, title="Programs by standing", header=header)
    weeks = sorted(weeks, key=lambda week: week.starts_on)
    first, last = weeks[0].starts_on, weeks[-1].starts_on
    ticks = count_ticks(max(week.total for week in weeks))
    left = 24 + width_of(f"{ticks[-1]:,}")
    axis = WeekAxis(first, last, left, LEAST_WIDTH, MOST_WIDTH)
    right, bottom = axis.right, TOP + HEIGHT
    shown = [standing for standing in standings if any(week.counts.get(standing) for week in weeks)]

    key_of_fills, end = legend(
        [sample(key, PATTERNS[standing], _words(standing).capitalize()) for standing in shown],
        x=left,
        y=bottom + DATE_AXIS_HEIGHT + 6,
        right=right,
    )
    note = _withheld(weeks)
    return chart(
        key,
        title=f"Programs by standing, weeks from {span(first, last)}",
        says=_says(weeks),
        size=(right + 28, end + 4 + 20 * note),
        body=[
            definitions(key, [PATTERNS[standing] for standing in shown]),
            *_scale(ticks, left, right),
            *(
                rectangle
                for week in weeks
                for rectangle in _bar(week, axis.middle_of(week.starts_on), axis.pitch, HEIGHT / ticks[-1], key)
            ),
            *([_outline(weeks, axis, HEIGHT / ticks[-1])] * (axis.pitch < JOINED_UNDER)),
            *axis.drawn(bottom),
            key_of_fills,
            *([text(WITHHELD, left, end + 11, paint="quiet")] * note),
        ],
        header=header,
        rows=[
            (day_and_year(week.starts_on), *(count_in_words(week.counts.get(standing, 0)) for standing in standings))
            for week in weeks
        ],
    )


def _bar(week: StandingsWeek, middle: float, pitch: float, pixels_each: float, key: str) -> Iterator[Svg]:
    # Narrow bars join into areas with an edge above and below alone, or their sides would hide the patterns.
    joined = pitch < JOINED_UNDER
    width = pitch if joined else pitch * 0.8
    foot: float = TOP + HEIGHT
    for standing, pattern in PATTERNS.items():
        if count := week.counts.get(standing):
            height = count * pixels_each
            foot -= height
            told = hint(f"Week of {day_and_year(week.starts_on)}: {count:,} {_words(standing)}")
            dashes = f"{width:.2f} {height:.2f}" if joined else None
            yield filled(key, pattern, middle - width / 2, foot, width, height, told, dashes=dashes)


def _outline(weeks: Sequence[StandingsWeek], axis: WeekAxis, pixels_each: float) -> Svg:
    """Around all joined bars, down to the axis where a week is missing."""
    foot = TOP + HEIGHT
    d = ""
    end = None
    for week in weeks:
        start = axis.middle_of(week.starts_on) - axis.pitch / 2
        if end is None or start - end > axis.pitch / 2:
            d += f"V{foot}" * bool(d) + f"M{start:.2f} {foot}"
        end = start + axis.pitch
        d += f"V{foot - week.total * pixels_each:.2f}H{end:.2f}"
    return path(f"{d}V{foot}", "slate", stroke_width=0.8)


def _scale(ticks: Sequence[int], left: float, right: float) -> list[Svg]:
    drawn = [path(f"M{left:g} {TOP}V{TOP + HEIGHT}H{right:g}", "axis")]
    for tick in ticks:
        y = TOP + HEIGHT * (1 - tick / ticks[-1])
        drawn += [
            line(left - 4, y, left, y, "axis"),
            text(f"{tick:,}", left - 8, y + 4, anchor="end", paint="quiet"),
        ]
    return drawn


def _words(standing: Standing) -> str:
    return "to watch" if standing is Standing.WATCH else standing.value.replace("_", " ")


def _says(weeks: Sequence[StandingsWeek]) -> str:
    first, last = weeks[0], weeks[-1]
    sentences = [f"{counted(len(weeks), 'week')}."]
    if len(weeks) > 1:
        sentences.append(_of_week(first))
    sentences.append(_of_week(last))
    if _withheld(weeks):
        sentences.append(WITHHELD)
    return " ".join(sentences)


def _of_week(week: StandingsWeek) -> str:
    parts = [f"{count:,} {_words(standing)}" for standing in PATTERNS if (count := week.counts.get(standing))]
    told = f": {listed(parts)}" if parts else ""
    shown = " shown" if _withheld([week]) else ""
    return f"Week of {day_and_year(week.starts_on)}, {counted(week.total, 'program')}{shown}{told}."


def _withheld(weeks: Sequence[StandingsWeek]) -> bool:
    return any(count is None for week in weeks for count in week.counts.values())
