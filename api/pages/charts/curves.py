"""Retention: how many are still going, as Kaplan-Meier steps with their confidence band and the numbers at risk."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from api.pages.charts.axes import apart
from api.pages.charts.colours import Paint
from api.pages.charts.drawing import (
    LINE_HEIGHT,
    Chart,
    Svg,
    chart,
    element,
    fitted,
    line,
    nothing_to_show,
    path,
    text,
)
from api.pages.charts.wording import percent

HORIZONS = {28: "4 weeks", 84: "12 weeks", 182: "6 months", 365: "12 months", 730: "24 months"}
"""The days after the start at which retention is reported, in words."""
LEFT, RIGHT, WIDTH = 190, 620, 800
TOP, HEIGHT = 16, 220
LEAST_GAP = 70
"""Between the labels of two horizons, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where the curve falls: the shares from this day on."""

    day: int
    """After the start."""
    share: float
    """0-1 still going."""
    low: float
    high: float
    """The 95 % confidence limits, 0-1."""


_START = Step(day=0, share=1, low=1, high=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One group's course."""

    label: str
    started: int
    through_day: int
    """How far somebody has been followed; the line ends here."""
    steps: Sequence[Step]
    """By day; before the first everybody is still going."""
    at_risk: Mapping[int, int | None]
    """How many were still followed and going at each of `HORIZONS`; None or missing: not known or withheld."""

    def at(self, day: int) -> Step | None:
        """The shares on a day; None where nobody has been followed so long."""
        if day > self.through_day:
            return None
        return next((step for step in reversed(self.steps) if step.day <= day), _START)


_LINES: tuple[tuple[Paint, str | None], ...] = (
    ("blue", None),
    ("rust", "8 3"),
    ("green", "2 2"),
    ("violet", "10 3 2 3"),
)
"""A colour and a dash pattern per group."""


@dataclass(frozen=True, slots=True)
class _Time:
    ends: int

    def x_of(self, day: int) -> float:
        return LEFT + (RIGHT - LEFT) * day / self.ends


def retention(curves: Sequence[Curve], *, key: str) -> Chart:
    """Up to four groups' steps over a true (linear) axis of days, each with its band, its label and its own dashes.

    The early horizons lie close together; their labels are spread and tied to their place by a thin line.

    Args:
        curves: Groups nobody started in are left out.
        key: Begins every id in the picture.

    """
    if len(curves) > len(_LINES):
        raise ValueError(f"at most {len(_LINES)} curves can be told apart, not {len(curves)}")
    header = ("Group", "Time", "Still going", "95 % limits", "At risk")
    curves = [curve for curve in curves if curve.started]
    if not curves:
        return nothing_to_show(key, title="Still going", header=header)
    through = max(curve.through_day for curve in curves)
    horizons = [day for day in HORIZONS if day < through]
    horizons += [day for day in HORIZONS if day >= through][:1]
    time = _Time(max(horizons[-1], through))
    bottom = TOP + HEIGHT
    return chart(
        key,
        title="Still going since the start of the program",
        says=" ".join(_says(curve) for curve in curves),
        size=(WIDTH, bottom + 46 + len(curves) * LINE_HEIGHT),
        body=[
            *(_band(curve, time, paint) for curve, (paint, _) in zip(curves, _LINES, strict=False)),
            *_scale(),
            *_courses(curves, time),
            *_under_the_axis(curves, horizons, time),
        ],
        header=header,
        rows=list(_rows(curves)),
    )


def _y_of(share: float) -> float:
    return TOP + HEIGHT * (1 - share)


def _scale() -> list[Svg]:
    drawn = [path(f"M{LEFT} {TOP}V{TOP + HEIGHT}H{RIGHT}", "axis")]
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _y_of(share)
        drawn += [
            line(LEFT - 4, y, LEFT, y, "axis"),
            text(percent(share), LEFT - 8, y + 4, anchor="end", paint="quiet"),
        ]
    return [
        *drawn,
        text("Still going", 8, TOP + 4),
        text("Shaded: 95 % limits", 8, TOP + 4 + LINE_HEIGHT, paint="quiet"),
    ]


def _corners(curve: Curve, time: _Time, bound: str) -> list[tuple[float, float]]:
    """The corners of the stairs, from the start to the end of the follow-up."""
    y = _y_of(1)
    corners = [(time.x_of(0), y)]
    for step in curve.steps:
        x = time.x_of(step.day)
        corners.append((x, y))
        y = _y_of(getattr(step, bound))
        corners.append((x, y))
    return [*corners, (time.x_of(curve.through_day), y)]


def _d(corners: Sequence[tuple[float, float]]) -> str:
    return f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in corners)}"


def _band(curve: Curve, time: _Time, paint: Paint) -> Svg:
    high, low = (_corners(curve, time, bound) for bound in ("high", "low"))
    edge = {"stroke_width": 0.6}
    area = element("path", d=f"{_d([*high, *reversed(low)])}Z", class_=f"ft-fill-{paint}", fill_opacity=0.12)
    return Svg(area + path(_d(high), paint, **edge) + path(_d(low), paint, **edge))


def _courses(curves: Sequence[Curve], time: _Time) -> Iterator[Svg]:
    """The stairs, and each group's name at the right, tied to the line's end."""
    ends = [_corners(curve, time, "share")[-1] for curve in curves]
    order = sorted(range(len(curves)), key=lambda index: ends[index][1])
    placed = apart([ends[index][1] for index in order], gap=LINE_HEIGHT, low=TOP, high=TOP + HEIGHT)
    for index, y in zip(order, placed, strict=True):
        curve, (paint, dashes) = curves[index], _LINES[index]
        corners = _corners(curve, time, "share")
        x_end, y_end = ends[index]
        yield path(_d(corners), paint, stroke_width=2, stroke_dasharray=dashes)
        # The dot ends the line, so that the way to its name is not taken for more of it.
        yield element("circle", cx=x_end, cy=y_end, r=3.2, class_=f"ft-fill-{paint}")
        yield line(x_end + 6, y_end, RIGHT + 12, y, "axis", stroke_dasharray="1 4")
        yield text(fitted(curve.label, WIDTH - RIGHT - 24), RIGHT + 16, y + 4)


def _under_the_axis(curves: Sequence[Curve], horizons: Sequence[int], time: _Time) -> Iterator[Svg]:
    axis, labels = TOP + HEIGHT, TOP + HEIGHT + 34
    places = apart([time.x_of(day) for day in (0, *horizons)], gap=LEAST_GAP, low=LEFT, high=RIGHT)
    yield text("Still followed (at risk)", 8, labels, paint="quiet")
    for day, x in zip((0, *horizons), places, strict=True):
        yield path(f"M{time.x_of(day):.1f} {axis}v5L{x:.1f} {axis + 18}v3", "axis")
        yield text(HORIZONS.get(day, "Start"), x, labels, anchor="middle", paint="quiet")
        for row, curve in enumerate(curves):
            at_risk = curve.at_risk.get(day) if day else curve.started
            y = labels + (row + 1) * LINE_HEIGHT + 4
            yield text("-" if at_risk is None else f"{at_risk:,}", x, y, anchor="middle")
    for row, (curve, (paint, dashes)) in enumerate(zip(curves, _LINES, strict=False)):
        y = labels + (row + 1) * LINE_HEIGHT + 4
        yield line(8, y - 4, 34, y - 4, paint, stroke_width=2, stroke_dasharray=dashes)
        yield text(fitted(curve.label, LEFT - 40 - 34), 40, y)


def _says(curve: Curve) -> str:
    told = [f"{_share(step)} after {words}" for day, words in HORIZONS.items() if (step := curve.at(day))]
    if curve.through_day not in HORIZONS:
        told.append(f"{_share(curve.at(curve.through_day) or _START)} on day {curve.through_day}, where the line ends")
    half = next((step.day for step in curve.steps if step.share <= 0.5), None)
    stopped = "Fewer than half had stopped." if half is None else f"Half had stopped by day {half}."
    return f"{curve.label}: {curve.started:,} started; still going {', '.join(told)}. {stopped}"


def _share(step: Step) -> str:
    return f"{percent(step.share)} ({_limits(step)})"


def _limits(step: Step) -> str:
    return f"{percent(step.low).removesuffix(' %')} to {percent(step.high)}"


def _rows(curves: Sequence[Curve]) -> Iterator[tuple[str, ...]]:
    for curve in curves:
        yield (curve.label, "Start", percent(1), "", f"{curve.started:,}")
        for day, words in HORIZONS.items():
            if step := curve.at(day):
                at_risk = curve.at_risk.get(day)
                yield (
                    curve.label,
                    words,
                    percent(step.share),
                    _limits(step),
                    "not known" if at_risk is None else f"{at_risk:,}",
                )
