"""Colours are strong enough on both grounds, and nothing is told by colour alone."""

import re
from itertools import combinations

import pytest

from api.pages.charts import DayState
from api.pages.charts.colours import SHADES
from api.pages.charts.days import SQUARES
from api.pages.charts.flags import PATTERNS as FATE_PATTERNS
from api.pages.charts.patterns import TILES, Pattern
from api.pages.charts.standings import PATTERNS as STANDING_PATTERNS
from models.adherence import Standing
from tests.pages.cohorts import DRAWN
from tests.pages.drawings import SVG, contrast, parsed, shades

WORDS, GRAPHICS = 4.5, 3.0
"""WCAG 2.2, success criteria 1.4.3 and 1.4.11."""

schemes = pytest.mark.parametrize("scheme", ["light", "dark"])


def paints(svg: str, use: str = "fill|line") -> list[str]:
    return re.findall(rf"ft-(?:{use})-(\w+)", svg)


def test_contrast_is_reckoned_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)
    assert contrast("#ff0000", "#ffffff") == pytest.approx(3.998, abs=0.001)


@schemes
def test_every_class_that_is_drawn_has_a_colour(scheme: str) -> None:
    parts = [part for draw in DRAWN.values() for part in parsed(draw("k")).iter()]
    used = {name for part in parts for name in part.get("class", "").split()}
    assert used - {"ft-chart"} <= set(shades(scheme))
    assert len(shades(scheme)) == 2 * len(SHADES)


@schemes
def test_words_stand_out(scheme: str) -> None:
    colours = shades(scheme)
    used = {part.attrib["class"] for draw in DRAWN.values() for part in parsed(draw("k")).iter(f"{SVG}text")}
    assert used
    for name in used:
        assert contrast(colours[name], colours["ft-fill-ground"]) >= WORDS, name


@schemes
def test_lines_edges_and_points_stand_out_from_the_ground(scheme: str) -> None:
    colours = shades(scheme)
    ground = colours["ft-fill-ground"]
    seen = set()
    for draw in DRAWN.values():
        root = parsed(draw("k"))
        seen |= {paint for part in root.iter(f"{SVG}circle") for paint in paints(part.get("class", ""), "fill")}
        seen |= {paint for part in root.iter() for paint in paints(part.get("class", ""), "line")}
    # A line in the ground's own colour clears the way for a cut; marks on a fill are looked at below.
    for paint in seen - {"ground", "on_blue", "on_grey"}:
        assert contrast(colours[f"ft-line-{paint}"], ground) >= GRAPHICS, paint


@schemes
@pytest.mark.parametrize("state", [one for one in DayState if one not in {DayState.NOT_DUE, DayState.UNKNOWN}])
def test_a_days_mark_stands_out_from_its_square(scheme: str, state: DayState) -> None:
    colours = shades(scheme)
    square, mark = re.findall(r"<[^>]*>", SQUARES[state])
    for paint in paints(mark):
        assert contrast(colours[f"ft-fill-{paint}"], colours[f"ft-fill-{paints(square, 'fill')[0]}"]) >= GRAPHICS


@schemes
@pytest.mark.parametrize("pattern", [pattern for pattern in Pattern if TILES[pattern].lines])
def test_a_patterns_lines_stand_out_from_its_fill(scheme: str, pattern: Pattern) -> None:
    colours = shades(scheme)
    tile = TILES[pattern]
    assert contrast(colours[f"ft-line-{tile.lines}"], colours[f"ft-fill-{tile.fill}"]) >= GRAPHICS


@schemes
def test_what_is_drawn_over_the_shaded_change_stands_out_from_it(scheme: str) -> None:
    colours = shades(scheme)
    for paint in ("rust", "text"):
        assert contrast(colours[f"ft-line-{paint}"], colours["ft-fill-pale"]) >= GRAPHICS


def test_every_state_of_a_day_has_a_shape_of_its_own() -> None:
    shapes = {re.sub(r' class="[^"]*"', "", SQUARES[state]) for state in DayState}
    assert len(shapes) == len(DayState)


@schemes
def test_the_filled_days_differ_in_lightness(scheme: str) -> None:
    colours = shades(scheme)
    filled = [DayState.DONE, DayState.SILENT, DayState.FLARE, DayState.PAUSED, DayState.MISSED]
    fills = [colours[f"ft-fill-{paints(SQUARES[state], 'fill')[0]}"] for state in filled]
    for one, other in combinations(fills, 2):
        assert contrast(one, other) >= 1.15


@schemes
def test_every_pattern_has_lines_or_a_lightness_of_its_own(scheme: str) -> None:
    colours = shades(scheme)
    lined = [tile.d for tile in TILES.values() if tile.lines]
    assert len(lined) == len(set(lined))
    bare = [colours[f"ft-fill-{tile.fill}"] for tile in TILES.values() if not tile.lines]
    for one, other in combinations(bare, 2):
        assert contrast(one, other) >= 1.5


def test_no_two_standings_and_no_two_fates_share_a_pattern() -> None:
    assert set(STANDING_PATTERNS) == set(Standing)
    for patterns in (list(STANDING_PATTERNS.values()), list(FATE_PATTERNS.values())):
        assert len(patterns) == len(set(patterns))


def test_four_groups_have_four_dash_patterns() -> None:
    root = parsed(DRAWN["4 curves"]("k"))
    courses = [part.get("stroke-dasharray") for part in root.iter(f"{SVG}path") if part.get("stroke-width") == "2"]
    assert len(courses) == 4 == len(set(courses))


@schemes
def test_print_is_light(scheme: str) -> None:
    """The dark colours are for screens alone."""
    ground = shades(scheme)["ft-fill-ground"]
    assert ground == {"light": "#ffffff", "dark": SHADES["ground"].dark}[scheme]
