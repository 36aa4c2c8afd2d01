"""Pain and effort: where points stand, where lines break, what is shaded, and what the words say of it."""

import re
from datetime import date, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, strategies as st

from api.pages.charts import Chart, ImportantChange, RevisionMark, SessionPoint, pain_and_effort
from api.pages.charts.pain import PAIN_HEIGHT
from tests.pages.cohorts import MONDAY, points, some_points
from tests.pages.drawings import SVG, boxes, hinted, parsed, words_of


def told(*pains: int | None, every_days: int = 1) -> list[SessionPoint]:
    return [
        SessionPoint(on=MONDAY + timedelta(days=every_days * index), pain=pain, effort=3)
        for index, pain in enumerate(pains)
    ]


def courses(chart: Chart) -> list[str]:
    """The lines of pain, undashed, in their paint."""
    return [
        part.attrib["d"]
        for part in parsed(chart).iter(f"{SVG}path")
        if part.attrib["class"] == "ft-line-rust" and "stroke-dasharray" not in part.attrib
    ]


def dots(root: ET.Element) -> list[tuple[float, float]]:
    return [(float(part.attrib["cx"]), float(part.attrib["cy"])) for part in root.iter(f"{SVG}circle")]


def test_ten_is_on_top_and_nought_on_the_axis() -> None:
    (_, worst), (_, half), (_, none) = dots(parsed(pain_and_effort(told(10, 5, 0), key="k")))
    assert none - worst == PAIN_HEIGHT
    assert half - worst == PAIN_HEIGHT / 2


def test_equal_days_are_equally_wide() -> None:
    xs = [x for x, _ in dots(parsed(pain_and_effort(told(1, 2, 3, 4), key="k")))]
    assert len({round(then - before, 1) for before, then in pairwise(xs)}) == 1


def test_two_sessions_of_a_day_share_its_width_in_their_order() -> None:
    twice = [SessionPoint(on=MONDAY, pain=2), SessionPoint(on=MONDAY, pain=7)]
    (first, low), (second, high) = dots(parsed(pain_and_effort(twice, key="k")))
    assert first < second
    assert low > high


def test_pain_is_round_and_solid_and_effort_square_and_dashed() -> None:
    root = parsed(pain_and_effort(some_points(4), key="k"))
    shapes = {words.split(": ")[1].split()[0]: part.tag for words, part in hinted(root).items()}
    assert shapes == {"pain": f"{SVG}circle", "effort": f"{SVG}rect"}
    dashes = {part.attrib["class"]: part.get("stroke-dasharray") for part in root.iter(f"{SVG}path")}
    assert dashes["ft-line-rust"] is None
    assert dashes["ft-line-blue"]


@pytest.mark.parametrize(
    ("session_points", "lines"),
    [
        (told(6, 5, 4), [3]),
        (told(6, 5, None, 4, 3, 3), [2, 3]),
        (told(6, None, 4), []),
        (told(6, 5, every_days=7), [2]),
        (told(6, 5, every_days=8), []),
    ],
    ids=["all told", "one not told", "alone", "a week", "more than a week"],
)
def test_a_line_breaks_where_nothing_was_told(session_points: list[SessionPoint], lines: list[int]) -> None:
    chart = pain_and_effort(session_points, key="k")
    assert [course.count("L") + 1 for course in courses(chart)] == lines


def test_the_change_that_matters_is_shaded_around_the_baseline_and_named() -> None:
    chart = pain_and_effort(told(6, 4, 8), change=ImportantChange(baseline=6, points=2), key="k")
    root = parsed(chart)
    shaded = [part.attrib for part in root.iter(f"{SVG}rect") if part.get("class") == "ft-fill-pale"][-1]
    _, low, high = (y for _, y in dots(root))
    assert float(shaded["y"]) == high
    assert float(shaded["y"]) + float(shaded["height"]) == low
    assert "within 2 of the starting 6: no change that matters" in words_of(root)


def test_the_shading_stays_within_nought_and_ten() -> None:
    chart = pain_and_effort(told(10, 0), change=ImportantChange(baseline=9, points=20), key="k")
    root = parsed(chart)
    shaded = [part.attrib for part in root.iter(f"{SVG}rect") if part.get("class") == "ft-fill-pale"][-1]
    assert float(shaded["height"]) == PAIN_HEIGHT


def test_nothing_is_shaded_where_the_change_is_not_known() -> None:
    assert "ft-fill-pale" not in pain_and_effort(told(6), key="k").svg.split("</style>")[1]


def test_a_revision_is_an_upright_line_where_its_day_begins() -> None:
    marks = [RevisionMark(number=2, on=MONDAY + timedelta(days=2))]
    root = parsed(pain_and_effort(told(6, 5, 4, 3), marks, key="k"))
    part = hinted(root)["Revision 2 took effect on 5 Mar 2025"]
    xs = [x for x, _ in dots(root)]
    assert part.attrib["x1"] == part.attrib["x2"]
    assert xs[1] < float(part.attrib["x1"]) < xs[2]
    assert "Revision 2" in words_of(root)


def test_a_revision_too_close_to_be_named_is_still_drawn_and_told() -> None:
    marks = [RevisionMark(number=number, on=MONDAY + timedelta(days=number)) for number in range(1, 9)]
    chart = pain_and_effort(some_points(300), marks, key="k")
    named = [words for words in words_of(parsed(chart)) if words.startswith("Revision")]
    assert named == ["Revision 1", "Revision 2", "Revision 3"]
    assert len([words for words in hinted(parsed(chart)) if words.startswith("Revision")]) == 8
    assert chart.says.count("revision") == 8


def test_a_revision_on_the_last_day_is_named_on_the_left_of_its_line() -> None:
    marks = [RevisionMark(number=2, on=MONDAY + timedelta(days=299))]
    root = parsed(pain_and_effort(some_points(300), marks, key="k"))
    (name,) = (box for box in boxes(root) if box.words == "Revision 2")
    line = hinted(root)["Revision 2 took effect on 27 Dec 2025"]
    assert name.right < float(line.attrib["x1"])


def test_the_words_of_two_months() -> None:
    days = [date(2025, 3, 3), date(2025, 4, 1), date(2025, 4, 28)]
    sessions = [
        SessionPoint(on=days[0], pain=6, effort=4),
        SessionPoint(on=days[1], pain=7, effort=None),
        SessionPoint(on=days[2], pain=3, effort=4),
    ]
    chart = pain_and_effort(
        sessions,
        [RevisionMark(number=2, on=days[1])],
        ImportantChange(baseline=6, points=2),
        key="k",
    )
    assert chart.says == (
        "Pain fell from 6 to 3 between 3 Mar 2025 and 28 Apr 2025, lowest 3, highest 7; 3 of 3 sessions told it."
        " The last is 3 away from the starting 6, a change that matters: 2 is the least that does."
        " Effort was 4 at both ends between 3 Mar 2025 and 28 Apr 2025, lowest 4, highest 4; 2 of 3 sessions told it."
        " Took effect: revision 2 on 1 Apr 2025."
    )
    assert chart.rows == (
        ("Mon 3 Mar 2025", "6", "4", ""),
        ("Tue 1 Apr 2025", "", "", "Revision 2"),
        ("Tue 1 Apr 2025", "7", "not told", ""),
        ("Mon 28 Apr 2025", "3", "4", ""),
    )


@pytest.mark.parametrize(
    ("last", "words"), [(8, "a change that matters"), (7, "too little to matter"), (4, "a change that matters")]
)
def test_a_change_matters_from_the_least_that_does_either_way(last: int, words: str) -> None:
    chart = pain_and_effort(told(5, last), change=ImportantChange(baseline=6, points=2), key="k")
    assert f"The last is {abs(last - 6)} away from the starting 6, {words}" in chart.says


def test_pain_never_told_is_said() -> None:
    assert pain_and_effort(told(None, None), key="k").says.startswith("Pain was not told in 2 sessions. Effort")


@given(st.lists(points, min_size=1, max_size=20))
def test_the_words_repeat_what_was_told(sessions: list[SessionPoint]) -> None:
    chart = pain_and_effort(sessions, key="k")
    by_day = sorted(sessions, key=lambda one: one.on)
    for name, values in (
        ("Pain", [one.pain for one in by_day]),
        ("Effort", [one.effort for one in by_day]),
    ):
        known = [value for value in values if value is not None]
        if len(known) < 2:
            continue
        verb = "fell" if known[-1] < known[0] else "rose" if known[-1] > known[0] else "was"
        found = re.search(rf"{name} {verb}[^;]*lowest (\d+), highest (\d+); (\d+) of (\d+) session", chart.says)
        assert found
        assert [int(number) for number in found.groups()] == [min(known), max(known), len(known), len(values)]
        if verb != "was":
            assert f"{name} {verb} from {known[0]} to {known[-1]} between" in chart.says
