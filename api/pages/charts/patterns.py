"""Fills that are told apart without colour: each has its own lightness and its own pattern."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from api.pages.charts.colours import Paint
from api.pages.charts.drawing import SWATCH, LegendItem, Svg, element, path

_TILE = 6


class Pattern(StrEnum):
    """A fill."""

    FULL = "full"
    GREY = "grey"
    EMPTY = "empty"
    RISING = "rising"
    FALLING = "falling"
    CROSSED = "crossed"
    DOTTED = "dotted"
    UPRIGHT = "upright"
    LEVEL = "level"


@dataclass(frozen=True, slots=True)
class _Tile:
    fill: Paint
    lines: Paint | None = None
    d: str = ""
    line_width: float = 1.2


# Diagonals reach over the tile's edge, so that they meet those of the next tile.
TILES = {
    Pattern.FULL: _Tile("blue"),
    Pattern.GREY: _Tile("grey"),
    Pattern.EMPTY: _Tile("ground"),
    Pattern.RISING: _Tile("amber", "brown", "M-1 1L1 -1M0 6L6 0M5 7L7 5"),
    Pattern.FALLING: _Tile("ground", "axis", "M-1 5L1 7M0 0L6 6M5 -1L7 1"),
    Pattern.CROSSED: _Tile("rose", "rust", "M0 6L6 0M0 0L6 6"),
    Pattern.DOTTED: _Tile("pale", "slate", "M2 3H4", 2),
    Pattern.UPRIGHT: _Tile("mist", "slate", "M3 0V6", 1.6),
    Pattern.LEVEL: _Tile("pale", "slate", "M0 3H6"),
}


def definitions(key: str, patterns: Iterable[Pattern]) -> Svg:
    """What `filled` refers to, for the patterns that occur."""
    return element("defs", *(_definition(key, pattern) for pattern in Pattern if pattern in set(patterns)))


def filled(
    key: str,
    pattern: Pattern,
    x: float,
    y: float,
    width: float,
    height: float,
    *inside: Svg,
    dashes: str | None = None,
) -> Svg:
    """A rectangle with a pattern and an edge that stands out from the ground; `dashes` from the upper left corner."""
    return element(
        "rect",
        *inside,
        x=x,
        y=y,
        width=width,
        height=height,
        fill=f"url(#{key}-{pattern})",
        stroke_width=0.8,
        stroke_dasharray=dashes,
        class_="ft-line-slate",
    )


def sample(key: str, pattern: Pattern, words: str) -> LegendItem:
    """A pattern in the legend."""
    return LegendItem(sample=filled(key, pattern, 0.5, 0.5, SWATCH - 1, SWATCH - 1), words=words)


def _definition(key: str, pattern: Pattern) -> Svg:
    tile = TILES[pattern]
    lines = [path(tile.d, tile.lines, stroke_width=tile.line_width)] if tile.lines else []
    return element(
        "pattern",
        element("rect", width=_TILE, height=_TILE, class_=f"ft-fill-{tile.fill}"),
        *lines,
        id=f"{key}-{pattern}",
        width=_TILE,
        height=_TILE,
        patternUnits="userSpaceOnUse",
    )
