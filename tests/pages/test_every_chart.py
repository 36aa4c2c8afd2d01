"""What holds for every chart: it is well-formed, says what it shows, fits its frame, and repeats itself."""

import html
import re

import pytest
from hypothesis import given, settings, strategies as st

from api.pages.charts import Chart, Curve, DoseWeek, Fate, FlagRow, flags_by_kind, retention, weekly_bars
from api.pages.charts.colours import FONT_SIZE
from api.pages.charts.drawing import LegendItem, Svg, fitted, legend, plain, width_of
from tests.pages.cohorts import DRAWN, MONDAY, any_chart
from tests.pages.drawings import SVG, crossed, described, outside, parsed, touching, words_of

HOSTILE = "</title><script>alert('\"&\x00\x1b\ud800\ufffe')</script> ]]> <!-- <b>"

every = pytest.mark.parametrize("name", DRAWN)


@every
def test_a_picture_has_a_role_a_title_and_a_description(name: str) -> None:
    chart = DRAWN[name]("k")
    root = parsed(chart)
    assert root.tag == f"{SVG}svg"
    assert root.attrib["role"] == "img"
    assert described(root) == (chart.title, chart.says)
    assert chart.title
    assert chart.says.endswith(".")


@every
def test_nothing_is_fetched_and_every_reference_is_inside(name: str) -> None:
    chart = DRAWN[name]("k")
    root = parsed(chart)
    ids = [part.attrib["id"] for part in root.iter() if "id" in part.attrib]
    assert len(ids) == len(set(ids))
    assert all(found.startswith("k-") for found in ids)
    referred = re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', chart.svg)
    assert {one or other for one, other in referred} <= set(ids)
    assert len(re.findall(r"url\(|href=", chart.svg)) == len(referred)
    assert re.findall(r"https?:[^\"]*", chart.svg) == ["http://www.w3.org/2000/svg"]


@every
def test_two_charts_share_no_id(name: str) -> None:
    one, other = (
        {part.attrib["id"] for part in parsed(DRAWN[name](key)).iter() if "id" in part.attrib} for key in ("a", "b")
    )
    assert one
    assert not one & other


@every
def test_words_touch_neither_each_other_nor_the_frame(name: str) -> None:
    root = parsed(DRAWN[name]("k"))
    assert words_of(root)
    assert touching(root) == []
    assert outside(root) == []
    assert crossed(root) == []


@every
def test_the_same_data_is_the_same_picture(name: str) -> None:
    assert DRAWN[name]("k") == DRAWN[name]("k")


@every
def test_words_are_large_enough_to_read(name: str) -> None:
    root = parsed(DRAWN[name]("k"))
    assert FONT_SIZE >= 11
    assert [part.get("font-size") for part in root.iter() if "font-size" in part.attrib] == [str(FONT_SIZE)]


@every
def test_the_table_has_a_cell_for_every_column(name: str) -> None:
    chart = DRAWN[name]("k")
    assert chart.header
    assert all(len(row) == len(chart.header) for row in chart.rows)
    assert bool(chart.rows) != name.startswith("no ")


@pytest.mark.parametrize("name", [name for name in DRAWN if name.startswith("no ")])
def test_no_data_says_that_there_is_nothing_to_show(name: str) -> None:
    chart = DRAWN[name]("k")
    assert words_of(parsed(chart)) == ["There is nothing to show yet."] == [chart.says]
    assert float(parsed(chart).attrib["height"]) <= 100


@settings(deadline=None, max_examples=300)
@given(any_chart)
def test_whatever_the_data_the_words_fit(chart: Chart) -> None:
    root = parsed(chart)
    assert touching(root) == []
    assert outside(root) == []
    assert crossed(root) == []
    assert "nan" not in chart.svg.replace(plain(chart.says), "")


@pytest.mark.parametrize(
    "chart",
    [
        weekly_bars([DoseWeek(starts_on=MONDAY, done=1, expected=2)], key="k", measure=HOSTILE),
        retention([Curve(label=HOSTILE, started=3, through_day=9, steps=(), at_risk={})], key="k"),
        flags_by_kind([FlagRow(kind=HOSTILE, fates={Fate.OPEN: 2})], key="k"),
    ],
    ids=["measure", "group", "kind"],
)
def test_hostile_words_stay_words(chart: Chart) -> None:
    root = parsed(chart)
    assert not list(root.iter(f"{SVG}script"))
    assert not list(root.iter(f"{SVG}b"))
    assert "<script>alert('\"&\ufffd" in described(root)[1]


@given(st.text(st.characters(exclude_categories=())))
def test_any_words_come_back_as_they_went_in_but_for_what_xml_forbids(words: str) -> None:
    told = html.unescape(plain(words))
    assert len(told) == len(words)
    assert all(one in {other, "\ufffd"} for one, other in zip(told, words, strict=True))


@pytest.mark.parametrize("key", ["", "1a", "a b", 'a"', "a#", "ä"])
def test_a_key_that_cannot_begin_an_id_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="cannot begin an id"):
        DRAWN["1 day"](key)


@given(st.text(max_size=80), st.floats(20, 300))
def test_fitted_words_fit(words: str, width: float) -> None:
    assert width_of(fitted(words, width)) <= width


def test_words_that_are_cut_say_so() -> None:
    assert fitted("Neck and shoulder", 60) == "Neck a…"
    assert fitted("Neck", 60) == "Neck"
    assert fitted("Neck\n and  arm", 600) == "Neck and arm"


def test_a_legend_wraps_before_the_right_edge() -> None:
    items = [LegendItem(sample=Svg("<g/>"), words="Handled by hand")] * 5
    drawn, end = legend(items, x=10, y=100, right=330)
    assert re.findall(r'y="(\d+)"', drawn) == ["111", "111", "131", "131", "151"]
    assert end == 160
