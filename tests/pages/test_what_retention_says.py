"""Retention: steps, bands, numbers at risk, and whether the words read the curve right."""

import re
from dataclasses import replace

import pytest
from hypothesis import given

from api.pages.charts import HORIZONS, Curve, Step, retention
from api.pages.charts.curves import HEIGHT, LEFT, RIGHT, TOP
from tests.pages.cohorts import a_curve, curves
from tests.pages.drawings import SVG, parsed, words_of

TWENTY = Curve(
    label="Low back",
    started=20,
    through_day=100,
    steps=[
        Step(day=10, share=0.9, low=0.7, high=0.98),
        Step(day=28, share=0.75, low=0.5, high=0.9),
        Step(day=50, share=0.5, low=0.3, high=0.7),
    ],
    at_risk={28: 15, 84: None},
)


def corners(d: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", d)]


def test_the_line_falls_in_steps_and_ends_with_the_follow_up() -> None:
    """Followed for 100 days, so the axis ends at 6 months, 182 days."""
    root = parsed(retention([TWENTY], key="k"))
    (course,) = (part.attrib["d"] for part in root.iter(f"{SVG}path") if part.get("stroke-width") == "2")
    wanted = [(0, 1), (10, 1), (10, 0.9), (28, 0.9), (28, 0.75), (50, 0.75), (50, 0.5), (100, 0.5)]
    places = [(LEFT + (RIGHT - LEFT) * day / 182, TOP + HEIGHT * (1 - share)) for day, share in wanted]
    assert corners(course) == [pytest.approx(place, abs=0.06) for place in places]


def test_the_band_lies_between_the_limits() -> None:
    root = parsed(retention([TWENTY], key="k"))
    (band,) = (part.attrib["d"] for part in root.iter(f"{SVG}path") if part.get("fill-opacity"))
    ys = {round(y, 1) for _, y in corners(band)}
    assert ys == {round(TOP + HEIGHT * (1 - limit), 1) for limit in (1, 0.98, 0.9, 0.7, 0.7, 0.5, 0.3)}


def test_the_numbers_at_risk_stand_under_their_horizons() -> None:
    root = parsed(retention([TWENTY], key="k"))
    words = [(part.text, part.attrib["x"]) for part in root.iter(f"{SVG}text") if part.get("text-anchor") == "middle"]
    assert [word for word, _ in words] == ["Start", "20", "4 weeks", "15", "12 weeks", "-", "6 months", "-"]
    assert all(above[1] == below[1] for above, below in zip(words[::2], words[1::2], strict=True))


def test_each_group_is_named_at_its_lines_end_and_beside_its_numbers() -> None:
    labels = ["Low back", "Neck", "Knee", "Hip"]
    words = words_of(
        parsed(retention([a_curve(label, every=20 + place) for place, label in enumerate(labels)], key="k"))
    )
    assert [words.count(label) for label in labels] == [2, 2, 2, 2]


def test_more_than_four_curves_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="at most 4 curves can be told apart, not 5"):
        retention([TWENTY] * 5, key="k")


def test_a_group_nobody_started_in_is_left_out() -> None:
    chart = retention([TWENTY, replace(TWENTY, label="Nobody", started=0)], key="k")
    assert "Nobody" not in chart.svg
    assert retention([replace(TWENTY, started=0)], key="k").says == "There is nothing to show yet."


def test_the_words_of_twenty_people() -> None:
    chart = retention([TWENTY], key="k")
    assert chart.says == (
        "Low back: 20 started; still going 75 % (50 to 90 %) after 4 weeks, 50 % (30 to 70 %) after 12 weeks,"
        " 50 % (30 to 70 %) on day 100, where the line ends. Half had stopped by day 50."
    )
    assert chart.rows == (
        ("Low back", "Start", "100 %", "", "20"),
        ("Low back", "4 weeks", "75 %", "50 to 90 %", "15"),
        ("Low back", "12 weeks", "50 %", "30 to 70 %", "not known"),
    )


def test_where_fewer_than_half_stopped_it_says_so() -> None:
    chart = retention([replace(TWENTY, steps=TWENTY.steps[:2])], key="k")
    assert chart.says.endswith("Fewer than half had stopped.")


@given(curves())
def test_the_words_read_the_curve_at_each_horizon(curve: Curve) -> None:
    says = retention([replace(curve, label="All")], key="k").says
    for day, words in HORIZONS.items():
        share = 1.0
        for step in curve.steps:
            if step.day <= day:
                share = step.share
        found = re.search(rf"(\d+) % \(\d+ to \d+ %\) after {words}", says)
        assert bool(found) == (day <= curve.through_day)
        if found:
            assert int(found.group(1)) == pytest.approx(100 * share, abs=0.51)
