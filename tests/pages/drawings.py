"""Reading a drawn chart back: its parts, where its words stand, its colours."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree as ET

from api.pages.charts import Chart
from api.pages.charts.colours import FONT_SIZE, STYLE
from api.pages.charts.drawing import width_of

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Box:
    """Where words stand, at most."""

    words: str
    left: float
    right: float
    baseline: float

    def touches(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and abs(self.baseline - other.baseline) < FONT_SIZE + 1
        )


def parsed(chart: Chart) -> ET.Element:
    return ET.fromstring(chart.svg)  # noqa: S314  (our own writing)


def described(root: ET.Element) -> tuple[str, str]:
    """Title and description, as a screen reader finds them."""
    named = {part.get("id"): part.text or "" for part in root.iter()}
    title, desc = root.attrib["aria-labelledby"].split()
    return named[title], named[desc]


def words_of(root: ET.Element) -> list[str]:
    return [part.text or "" for part in root.iter(f"{SVG}text")]


def boxes(root: ET.Element) -> Iterator[Box]:
    for part in root.iter(f"{SVG}text"):
        words, x, width = part.text or "", float(part.attrib["x"]), width_of(part.text or "")
        left = {"start": x, "middle": x - width / 2, "end": x - width}[part.attrib["text-anchor"]]
        yield Box(words, left, left + width, float(part.attrib["y"]))


def touching(root: ET.Element) -> list[tuple[str, str]]:
    """Pairs of words that touch each other."""
    return [(one.words, other.words) for one, other in combinations(boxes(root), 2) if one.touches(other)]


def outside(root: ET.Element) -> list[str]:
    """Words that leave the picture."""
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    return [
        box.words
        for box in boxes(root)
        if box.left < 0 or box.right > width or box.baseline - FONT_SIZE < 0 or box.baseline + 3 > height
    ]


def crossed(root: ET.Element) -> list[str]:
    """Words an upright line runs through."""
    uprights = [
        (float(part.attrib["x1"]), *sorted((float(part.attrib["y1"]), float(part.attrib["y2"]))))
        for part in root.iter(f"{SVG}line")
        if part.attrib["x1"] == part.attrib["x2"]
    ]
    return [
        box.words
        for box in boxes(root)
        for x, top, bottom in uprights
        if box.left < x < box.right and top < box.baseline and box.baseline - FONT_SIZE < bottom
    ]


def hinted(root: ET.Element) -> dict[str, ET.Element]:
    """The parts that tell a pointer something, by what they tell."""
    return {told.text or "": part for part in root.iter() if part is not root for told in part.findall(f"{SVG}title")}


def shades(scheme: str) -> dict[str, str]:
    """Every class of the style sheet with its colour in a scheme."""
    light, dark = STYLE.split("@media screen and (prefers-color-scheme:dark)")
    rules = light if scheme == "light" else dark
    return dict(re.findall(r"\.(ft-(?:fill|line)-\w+)\{(?:fill|stroke):(#[0-9a-f]{6})\}", rules))


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: 1 (the same) to 21 (black on white)."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` in sRGB, 0-1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
