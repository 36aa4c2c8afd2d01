"""The trade-off as one SVG: false alarms against delay, and the calibration, on a light ground, no script, no font."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import inf, log

from tests.bench.figures import Point
from tests.bench.rules import BINS

WIDTH, HEIGHT = 1320, 620
MOST_DAYS = 60
FEWEST, MOST = 0.2, 16.0
"""False alarms per patient-year, on a logarithmic scale."""
INK, FAINT = "#1f2933", "#d5dbe1"
LOOKS = (
    ("#00508a", 4.0, ""),
    ("#00508a", 2.5, "9 5"),
    ("#b84300", 2.5, ""),
    ("#7a5c00", 2.0, "3 4"),
    ("#00664d", 2.0, "12 4 3 4"),
    ("#8f2d6e", 2.0, "6 4"),
)
"""Colour, width and dashes of each curve in turn: told apart without colour too."""


class Panel:
    """A field with axes, from data to points on the page."""

    def __init__(self, left: float, width: float) -> None:
        self.left, self.width, self.top, self.height = left, width, 100.0, 380.0

    def at(self, rate: float) -> float:
        """Where a false-alarm rate lies across."""
        return self.left + self.width * log(rate / FEWEST) / log(MOST / FEWEST)

    def up(self, share: float) -> float:
        """Where a share of the height lies."""
        return self.top + self.height * (1 - share)

    def frame(self, title: str, across: str, upward: str) -> Iterator[str]:
        middle = self.left + self.width / 2
        yield f'<text x="{self.left}" y="{self.top - 14}" class="head">{escape(title)}</text>'
        yield f'<text x="{middle}" y="{self.up(0) + 44}" text-anchor="middle">{escape(across)}</text>'
        x, y = self.left - 50, self.top + self.height / 2
        yield f'<text x="{x}" y="{y}" text-anchor="middle" transform="rotate(-90 {x} {y})">{escape(upward)}</text>'
        yield f'<path d="M{self.left} {self.top}V{self.up(0)}H{self.left + self.width}" fill="none" stroke="{INK}"/>'

    def level(self, share: float, label: str) -> Iterator[str]:
        y = self.up(share)
        yield f'<path d="M{self.left} {y:.1f}H{self.left + self.width}" stroke="{FAINT}"/>'
        yield f'<text x="{self.left - 8}" y="{y + 5:.1f}" text-anchor="end">{label}</text>'


def draw(
    curves: Mapping[str, Sequence[Point]],
    named: Mapping[str, Point],
    calibration: Sequence[tuple[float, float]],
    *,
    source: str,
) -> str:
    """The chart as a document. `calibration` as from `truly_stopped`."""
    title = f"Noticing who has stopped: false alarms against delay ({source})"
    parts = [
        *_delays(Panel(70, 350), "Median delay", "median", curves, named),
        *_delays(Panel(500, 350), "Delay of the slowest tenth (p90)", "p90", curves, named),
        *_calibration(Panel(940, 340), calibration),
        *_legend(curves),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="13">'
    )
    return "\n".join(
        [
            head,
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(_told(named, calibration))}</desc>',
            f"<style>text {{ fill: {INK} }} .head {{ font-weight: 600; font-size: 16px }}</style>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            f'<text x="28" y="40" font-size="20" font-weight="600">{escape(title)}</text>',
            *parts,
            "</svg>\n",
        ]
    )


def _told(named: Mapping[str, Point], calibration: Sequence[tuple[float, float]]) -> str:
    """What the picture shows, for who does not see it."""
    points = "; ".join(
        f"{label} {found.false_a_year:.2f} false alarms a patient-year, median {_days(found.median)},"
        f" p90 {_days(found.p90)}"
        for label, found in named.items()
    )
    shares = "; ".join(
        f"{low:g} to {high:g}: {share:.2f}"
        for (low, high), (share, days) in zip(BINS, calibration, strict=True)
        if days
    )
    return f"Days from the true stop to the flag. {points}. Truly stopped where the engine says P(stopped) is {shares}."


def _days(value: float) -> str:
    return f"over {MOST_DAYS} days" if value == inf else f"{value:.0f} days"


def _delays(
    panel: Panel, title: str, what: str, curves: Mapping[str, Sequence[Point]], named: Mapping[str, Point]
) -> Iterator[str]:
    for days in range(0, MOST_DAYS + 1, 10):
        yield from panel.level(days / MOST_DAYS, str(days))
    for rate in (0.25, 0.5, 1, 2, 4, 8, 16):
        x = panel.at(rate)
        yield f'<path d="M{x:.1f} {panel.up(1)}V{panel.up(0)}" stroke="{FAINT}"/>'
        yield f'<text x="{x:.1f}" y="{panel.up(0) + 20}" text-anchor="middle">{rate:g}</text>'
    yield from panel.frame(title, "false alarms per patient-year", "days from true stop to flag")
    for (colour, width, dashes), points in zip(LOOKS, curves.values(), strict=False):
        shown = [
            f"{panel.at(found.false_a_year):.1f},{panel.up(getattr(found, what) / MOST_DAYS):.1f}"
            for found in points
            if FEWEST <= found.false_a_year <= MOST and getattr(found, what) <= MOST_DAYS
        ]
        yield (
            f'<polyline points="{" ".join(shown)}" fill="none" stroke="{colour}" stroke-width="{width}"'
            f' stroke-dasharray="{dashes}" stroke-linejoin="round"/>'
        )
    for label, found in named.items():
        delay = getattr(found, what)
        if FEWEST <= found.false_a_year <= MOST and delay <= MOST_DAYS:
            x, y = panel.at(found.false_a_year), panel.up(delay / MOST_DAYS)
            # At the median our curve lies below the fixed gap's, at the p90 above it: names go to the free side.
            below = label.startswith("engine") == (what == "median") and x - panel.left > 70
            yield from _mark(x, y, label, below=below)


def _mark(x: float, y: float, label: str, *, below: bool) -> Iterator[str]:
    """A named rule: ours are round, fixed gaps square; the name stands below left or above right of it."""
    if label.startswith("engine"):
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{LOOKS[0][0]}" stroke="#ffffff" stroke-width="1.5"/>'
    else:
        yield (
            f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="{LOOKS[2][0]}" stroke="#ffffff"'
            ' stroke-width="1.5"/>'
        )
    at = f'x="{x - 9:.1f}" y="{y + 18:.1f}" text-anchor="end"' if below else f'x="{x + 9:.1f}" y="{y - 7:.1f}"'
    yield f"<text {at} {_HALO}>{escape(label.removeprefix('engine: '))}</text>"


_HALO = 'paint-order="stroke" stroke="#ffffff" stroke-width="4" stroke-linejoin="round"'


def _calibration(panel: Panel, calibration: Sequence[tuple[float, float]]) -> Iterator[str]:
    for tenths in range(0, 11, 2):
        yield from panel.level(tenths / 10, f"{tenths * 10} %")
    yield from panel.frame("Is P(stopped) true?", "what the engine said", "share truly stopped")
    step = panel.width / len(BINS)
    for i, ((low, high), (share, days)) in enumerate(zip(BINS, calibration, strict=True)):
        x = panel.left + i * step
        yield f'<text x="{x + step / 2:.1f}" y="{panel.up(0) + 20}" text-anchor="middle">{low:g}-{high:g}</text>'
        if days:
            y = panel.up(share)
            yield (
                f'<rect x="{x + 14:.1f}" y="{y:.1f}" width="{step - 28:.1f}" height="{panel.up(0) - y:.1f}"'
                f' fill="{LOOKS[0][0]}" fill-opacity="0.75"/>'
            )
            yield f'<text x="{x + step / 2:.1f}" y="{y - 6:.1f}" text-anchor="middle" {_HALO}>{share:.2f}</text>'
        top, bottom = panel.up(high), panel.up(low)
        yield (
            f'<rect x="{x + 5:.1f}" y="{top:.1f}" width="{step - 10:.1f}" height="{bottom - top:.1f}" fill="none"'
            f' stroke="{LOOKS[2][0]}" stroke-width="2" stroke-dasharray="5 3"/>'
        )


def _legend(curves: Mapping[str, Sequence[Point]]) -> Iterator[str]:
    for i, ((colour, width, dashes), name) in enumerate(zip(LOOKS, curves, strict=False)):
        x, y = 70 + (i % 3) * 330, 566 + (i // 3) * 28
        yield (
            f'<path d="M{x} {y}h44" fill="none" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dashes}"/>'
        )
        yield f'<text x="{x + 52}" y="{y + 5}">{escape(name)}</text>'
    yield (
        f'<path d="M940 594h44" stroke="{LOOKS[2][0]}" stroke-width="2" stroke-dasharray="5 3"/>'
        '<text x="992" y="599">what was said (box); above it is cautious</text>'
    )
