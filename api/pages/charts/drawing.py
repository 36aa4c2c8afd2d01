"""How a chart is written down: escaped SVG elements, its frame with title and description, its legend."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, NewType

from api.pages.charts.colours import FONT_SIZE, STYLE, Paint

Svg = NewType("Svg", str)
"""Finished SVG: what came from outside is already escaped."""
Anchor = Literal["start", "middle", "end"]

LINE_HEIGHT = 16
"""From one line of words to the next, in pixels."""
SWATCH = 14
"""The side of a legend's square, and of a day's."""

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[] -"), frozenset("mwMW@%&—…+=<>~#±→")
_LAST_LATIN = "\u024f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A picture, what it says in words, and the numbers behind it."""

    title: str
    says: str
    """The text alternative: what the picture shows."""
    svg: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The data table to be shown beside the picture; each row is as long as the header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendItem:
    """A sample and its words. The sample is drawn with its upper left corner at 0, 0 and moved into place."""

    sample: Svg
    words: str
    sample_width: float = SWATCH


def element(name: str, *inside: Svg, **attributes: str | float | None) -> Svg:
    """One element. `stroke_width` is written stroke-width, `class_` class; None is left out."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Svg(f"<{name}{said}>{''.join(inside)}</{name}>" if inside else f"<{name}{said}/>")


def plain(words: str) -> Svg:
    """Words from anywhere, fit to stand in XML; characters XML forbids become the replacement character."""
    return Svg(escape(_NOT_IN_XML.sub("\ufffd", words)))


def text(words: str, x: float, y: float, *, anchor: Anchor = "start", paint: Paint = "text") -> Svg:
    """One line of words with its baseline at `y`."""
    return element("text", plain(words), x=x, y=y, text_anchor=anchor, class_=f"ft-fill-{paint}")


def hint(words: str) -> Svg:
    """What a pointer resting on an element is told."""
    return element("title", plain(words))


def line(x1: float, y1: float, x2: float, y2: float, paint: Paint, **attributes: str | float | None) -> Svg:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=f"ft-line-{paint}", **attributes)


def path(d: str, paint: Paint, **attributes: str | float | None) -> Svg:
    """An open or closed outline, not filled."""
    return element("path", d=d, fill="none", class_=f"ft-line-{paint}", **attributes)


def width_of(words: str) -> float:
    """How wide words are at most, in pixels: reckoned from a wide system font (DejaVu Sans)."""
    return sum(map(_character_width, words)) * FONT_SIZE


def fitted(words: str, width: float) -> str:
    """Words cut to a width in pixels, the cut shown as …; line breaks become spaces."""
    words = " ".join(words.split())
    if width_of(words) <= width:
        return words
    while words and width_of(f"{words}…") > width:
        words = words[:-1]
    return f"{words.rstrip()}…"


def legend(items: Sequence[LegendItem], *, x: float, y: float, right: float) -> tuple[Svg, float]:
    """Samples with their words, wrapped between `x` and `right`, the first line's top at `y`; and where they end."""
    drawn: list[Svg] = []
    at, top = x, y
    for item in items:
        words = fitted(item.words, right - x - item.sample_width - 6)
        wide = item.sample_width + 6 + width_of(words)
        if at > x and at + wide > right:
            at, top = x, top + LINE_HEIGHT + 4
        drawn += [
            element("g", item.sample, transform=f"translate({_value(at)} {_value(top)})"),
            text(words, at + item.sample_width + 6, top + 11),
        ]
        at += wide + 18
    return Svg("".join(drawn)), top + LINE_HEIGHT + 4 if items else y


def chart(  # noqa: D417  (the rest is what it says)
    key: str,
    *,
    title: str,
    says: str,
    size: tuple[float, float],
    body: Sequence[Svg],
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> Chart:
    """Put a drawing of `size` (width, height) into its frame.

    Args:
        key: Begins every id in the picture, so that several fit one page: a letter, then letters, digits, - or _.

    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} cannot begin an id")
    width, height = size
    svg = element(
        "svg",
        element("title", plain(title), id=f"{key}-title"),
        element("desc", plain(says), id=f"{key}-desc"),
        element("style", Svg(STYLE)),
        element("rect", width=width, height=height, class_="ft-fill-ground"),
        *body,
        xmlns="http://www.w3.org/2000/svg",
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
        class_="ft-chart",
        width=width,
        height=height,
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        font_size=FONT_SIZE,
    )
    return Chart(title=title, says=says, svg=svg, header=tuple(header), rows=tuple(tuple(row) for row in rows))


def nothing_to_show(key: str, *, title: str, header: Sequence[str]) -> Chart:
    """The chart of no data."""
    says = "There is nothing to show yet."
    body = [text(says, 16, 36, paint="quiet")]
    return chart(key, title=title, says=says, size=(320, 60), body=body, header=header, rows=())


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return plain(value)
    # Two decimals are finer than a pixel on any screen; adding 0 turns -0 into 0.
    return f"{round(value, 2) + 0:.2f}".rstrip("0").rstrip(".")


def _character_width(character: str) -> float:
    if unicodedata.combining(character):
        return 0
    if character in _NARROW:
        return 0.42
    if character in _WIDE or unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character > _LAST_LATIN:
        return 0.85
    return 0.76 if character.isupper() else 0.65
