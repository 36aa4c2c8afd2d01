"""The colours of every chart, light and dark, as one constant style sheet.

Contrasts (WCAG 2.2, AA): words 4.5:1 and lines, edges and marks 3:1 on both grounds; a mark 3:1 on its own fill.
Nothing is told by colour alone. The sheet is the same in every chart, so a page may allow it by one hash.
"""

from dataclasses import dataclass
from typing import Literal

Paint = Literal[
    "ground", "text", "quiet", "axis", "blue", "on_blue", "rust", "rose", "slate", "mist", "amber", "brown",
    "grey", "on_grey", "pale", "green", "violet",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shade:
    """One paint on a light and on a dark ground, as `#rrggbb`."""

    light: str
    dark: str


SHADES: dict[Paint, Shade] = {
    "ground": Shade("#ffffff", "#14181d"),
    "text": Shade("#1d252d", "#e8ecf1"),
    "quiet": Shade("#515c68", "#aeb8c4"),
    "axis": Shade("#6b7682", "#8793a0"),
    "blue": Shade("#1b5e91", "#84c6f2"),
    "on_blue": Shade("#ffffff", "#10202c"),
    "rust": Shade("#a33a0c", "#ff9d73"),
    "rose": Shade("#fbe4da", "#33201a"),
    "slate": Shade("#3b4651", "#d0d8e0"),
    "mist": Shade("#d0d7de", "#3a4550"),
    "amber": Shade("#e9a94a", "#a06a12"),
    "brown": Shade("#6b3d00", "#ffd591"),
    "grey": Shade("#7b8590", "#8f99a4"),
    "on_grey": Shade("#ffffff", "#14181d"),
    "pale": Shade("#e9eef3", "#232b34"),
    "green": Shade("#2c6e49", "#7ed0a0"),
    "violet": Shade("#6b3fa0", "#c9a7f5"),
}
FONT_SIZE = 12
"""Of all words, in pixels at natural size."""


def _rules(scheme: Literal["light", "dark"]) -> str:
    shades = {paint: shade.light if scheme == "light" else shade.dark for paint, shade in SHADES.items()}
    return "".join(
        f".ft-fill-{paint}{{fill:{shade}}}.ft-line-{paint}{{stroke:{shade}}}" for paint, shade in shades.items()
    )


# No rule names an ancestor: within <use> it would not be found.
# Print is always light, whatever the reader's screen prefers.
STYLE = (
    f".ft-chart{{max-width:100%;height:auto;font:{FONT_SIZE}px system-ui,-apple-system,'Segoe UI',Roboto,Arial,"
    f"sans-serif}}{_rules('light')}@media screen and (prefers-color-scheme:dark){{{_rules('dark')}}}"
    "@media print{.ft-chart{print-color-adjust:exact;-webkit-print-color-adjust:exact}}"
)
