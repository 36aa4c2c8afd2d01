"""Weekly bars: how much of what was expected was done, with the reporting cuts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from api.pages.charts.axes import DATE_AXIS_HEIGHT, WeekAxis
from api.pages.charts.drawing import Chart, LegendItem, Svg, chart, hint, legend, line, nothing_to_show, path, text
from api.pages.charts.patterns import Pattern, definitions, filled, sample
from api.pages.charts.wording import counted, day_and_year, number, percent, span

CUTS = (0.8, 0.6)
"""High from 80 %, moderate from 60 %: for reporting only (Jones 2025, doi 10.1016/j.jphys.2025.03.004)."""
LEFT, TOP, HEIGHT = 52, 16, 160
LEAST_WIDTH, MOST_WIDTH = 240, 640
"""Of the axis, in pixels."""
CUT_LABEL = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseWeek:
    """One week of a program, in whatever unit the measure counts."""

    starts_on: date
    """Its Monday."""
    done: float
    expected: float
    """0: nothing was due."""
    excluded: bool = False
    """Paused or in a flare all week: it counts for nothing."""

    @property
    def share(self) -> float | None:
        """0-1, more than expected counts as 1; None where there is nothing to compare."""
        if self.excluded or not self.expected:
            return None
        return min(self.done / self.expected, 1)


def weekly_bars(weeks: Sequence[DoseWeek], *, key: str, measure: str = "Dose") -> Chart:
    """A bar per week from 0 to 100 %; excluded weeks hatched from top to bottom, cuts as thin lines.

    A week with nothing done has a flat bar on the axis, one with nothing due has none, a missing one is a gap.

    Args:
        weeks: In any order, each once.
        key: Begins every id in the picture.
        measure: What is counted, as the title and the words name it.

    """
    header = ("Week from", "Done", "Expected", "Share")
    if not weeks:
        return nothing_to_show(key, title=f"{measure} per week", header=header)
    weeks = sorted(weeks, key=lambda week: week.starts_on)
    first, last = weeks[0].starts_on, weeks[-1].starts_on
    axis = WeekAxis(first, last, LEFT, LEAST_WIDTH, MOST_WIDTH)
    right, bottom = axis.right, TOP + HEIGHT

    patterns = [Pattern.FULL] * any(week.share is not None for week in weeks)
    patterns += [Pattern.FALLING] * any(week.excluded for week in weeks)
    words = {Pattern.FULL: f"{measure} done of expected", Pattern.FALLING: "Excluded (paused or in a flare)"}
    samples = [sample(key, pattern, words[pattern]) for pattern in patterns]
    if any(week.share is None and not week.excluded for week in weeks):
        samples.append(LegendItem(sample=line(0, 12, 14, 12, "axis"), words="No bar: nothing was due"))
    key_of_fills, end = legend(
        samples,
        x=LEFT,
        y=bottom + DATE_AXIS_HEIGHT + 6,
        right=right + CUT_LABEL,
    )
    return chart(
        key,
        title=f"{measure} per week, weeks from {span(first, last)}",
        says=_says(weeks, measure),
        size=(right + CUT_LABEL + 4, end + 4),
        body=[
            definitions(key, patterns),
            *_scale(right),
            *(_bar(week, axis.middle_of(week.starts_on), axis.pitch * 0.76, key) for week in weeks),
            *_cuts(right),
            *axis.drawn(bottom),
            key_of_fills,
        ],
        header=header,
        rows=[
            (day_and_year(week.starts_on), number(week.done), number(week.expected), _share_in_words(week))
            for week in weeks
        ],
    )


def _bar(week: DoseWeek, middle: float, width: float, key: str) -> Svg:
    if week.share is None and not week.excluded:
        return Svg("")
    # What was not done at all still has to be seen: a bar of one pixel and its edge.
    height = HEIGHT if week.share is None else max(week.share * HEIGHT, 1)
    told = hint(
        f"Week of {day_and_year(week.starts_on)}: {number(week.done)} of {number(week.expected)},"
        f" {_share_in_words(week)}"
    )
    pattern = Pattern.FALLING if week.share is None else Pattern.FULL
    return filled(key, pattern, middle - width / 2, TOP + HEIGHT - height, width, height, told)


def _scale(right: float) -> list[Svg]:
    drawn = [path(f"M{LEFT} {TOP}V{TOP + HEIGHT}H{right:g}", "axis")]
    for share in (0, 0.5, 1):
        y = TOP + HEIGHT * (1 - share)
        drawn += [
            line(LEFT - 4, y, LEFT, y, "axis"),
            text(percent(share), LEFT - 8, y + 4, anchor="end", paint="quiet"),
        ]
    return drawn


def _cuts(right: float) -> list[Svg]:
    """Each cut over a wider line in the ground's colour, so that it is seen on bars as well."""
    drawn: list[Svg] = []
    for cut in CUTS:
        y = TOP + HEIGHT * (1 - cut)
        drawn += [
            line(LEFT, y, right, y, "ground", stroke_width=3),
            line(LEFT, y, right, y, "text", stroke_width=1, stroke_dasharray="6 2"),
            text(percent(cut), right + 6, y + 4),
        ]
    return drawn


def _share_in_words(week: DoseWeek) -> str:
    if week.share is None:
        return "excluded" if week.excluded else "nothing due"
    return percent(week.share)


def _says(weeks: Sequence[DoseWeek], measure: str) -> str:
    shares = [(week.share, week) for week in weeks if week.share is not None]
    high, moderate = CUTS
    sentences = [f"{counted(len(weeks), 'week')} from {span(weeks[0].starts_on, weeks[-1].starts_on)}."]
    if shares:
        done = sum(min(week.done, week.expected) for _, week in shares)
        expected = sum(week.expected for _, week in shares)
        between = sum(moderate <= share < high for share, _ in shares)
        below = sum(share < moderate for share, _ in shares)
        least, week = min(shares, key=lambda one: one[0])
        sentences += [
            f"{measure}: {number(done)} of {number(expected)} expected, {percent(done / expected)};",
            f"{counted(sum(share >= high for share, _ in shares), 'week')} at {percent(high)} or more,",
            f"{between} from {percent(moderate)} to under {percent(high)}, {below} under {percent(moderate)}.",
            f"Lowest: {percent(least)} in the week of {day_and_year(week.starts_on)}.",
        ]
    excluded = sum(week.excluded for week in weeks)
    empty = len(weeks) - len(shares) - excluded
    if excluded:
        sentences.append(f"Excluded, paused or in a flare: {counted(excluded, 'week')}.")
    if empty:
        sentences.append(f"Nothing was due: {counted(empty, 'week')}.")
    return " ".join(sentences)
