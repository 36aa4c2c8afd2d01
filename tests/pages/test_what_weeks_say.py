"""Weekly bars and standings week by week: heights, hatching, cuts, and the words' sums."""

import re
from datetime import timedelta

import pytest
from hypothesis import assume, given

from api.pages.charts import DoseWeek, StandingsWeek, standings, standings_over_time, weekly_bars, weeks as bars
from models.adherence import Standing
from tests.pages.cohorts import MONDAY, dose_seasons, standings_seasons
from tests.pages.drawings import SVG, hinted, parsed, words_of

ON_TRACK, LAPSED, PAUSED = Standing.ON_TRACK, Standing.LAPSED, Standing.PAUSED
SEASON = [
    DoseWeek(starts_on=MONDAY, done=17, expected=20),
    DoseWeek(starts_on=MONDAY + timedelta(weeks=1), done=12, expected=20),
    DoseWeek(starts_on=MONDAY + timedelta(weeks=2), done=1, expected=20, excluded=True),
    DoseWeek(starts_on=MONDAY + timedelta(weeks=3), done=0, expected=0),
    DoseWeek(starts_on=MONDAY + timedelta(weeks=4), done=0, expected=20),
    DoseWeek(starts_on=MONDAY + timedelta(weeks=5), done=22.5, expected=20),
]


def test_a_bar_is_as_high_as_its_share_and_tells_done_of_expected() -> None:
    drawn = hinted(parsed(weekly_bars(SEASON, key="k")))
    heights = {words: float(part.attrib["height"]) for words, part in drawn.items()}
    assert heights == {
        "Week of 3 Mar 2025: 17 of 20, 85 %": 0.85 * bars.HEIGHT,
        "Week of 10 Mar 2025: 12 of 20, 60 %": 0.6 * bars.HEIGHT,
        "Week of 17 Mar 2025: 1 of 20, excluded": bars.HEIGHT,
        "Week of 31 Mar 2025: 0 of 20, 0 %": 1,
        "Week of 7 Apr 2025: 22.5 of 20, 100 %": bars.HEIGHT,
    }


def test_only_excluded_weeks_are_hatched() -> None:
    drawn = hinted(parsed(weekly_bars(SEASON, key="k")))
    fills = {part.attrib["fill"] for words, part in drawn.items() if "excluded" not in words}
    assert fills == {"url(#k-full)"}
    assert drawn["Week of 17 Mar 2025: 1 of 20, excluded"].attrib["fill"] == "url(#k-falling)"


def test_the_cuts_stand_at_80_and_60_percent_with_their_names() -> None:
    root = parsed(weekly_bars(SEASON, key="k"))
    cuts = [float(part.attrib["y1"]) for part in root.iter(f"{SVG}line") if part.get("stroke-dasharray") == "6 2"]
    assert cuts == [bars.TOP + 0.2 * bars.HEIGHT, bars.TOP + 0.4 * bars.HEIGHT]
    assert {"80 %", "60 %"} <= set(words_of(root))


def test_the_words_of_six_weeks() -> None:
    chart = weekly_bars(SEASON, key="k")
    assert chart.says == (
        "6 weeks from 3 Mar 2025 to 7 Apr 2025. Dose: 49 of 80 expected, 61 %; 2 weeks at 80 % or more,"
        " 1 from 60 % to under 80 %, 1 under 60 %. Lowest: 0 % in the week of 31 Mar 2025."
        " Excluded, paused or in a flare: 1 week. Nothing was due: 1 week."
    )
    assert [row[3] for row in chart.rows] == ["85 %", "60 %", "excluded", "nothing due", "0 %", "100 %"]


def test_a_week_on_a_cut_is_in_the_band_above_it() -> None:
    season = [
        DoseWeek(starts_on=MONDAY + timedelta(weeks=week), done=done, expected=5) for week, done in enumerate((4, 3))
    ]
    says = weekly_bars(season, key="k").says
    assert "1 week at 80 % or more, 1 from 60 % to under 80 %, 0 under 60 %" in says


def test_a_week_nobody_told_of_is_a_gap() -> None:
    without = [SEASON[0], SEASON[1], SEASON[5]]
    xs = [float(part.attrib["x"]) for part in hinted(parsed(weekly_bars(without, key="k"))).values()]
    assert xs[2] - xs[1] == 4 * (xs[1] - xs[0])


def test_what_is_counted_is_named() -> None:
    chart = weekly_bars(SEASON, key="k", measure="Frequency")
    assert chart.title.startswith("Frequency per week")
    assert "Frequency: 49 of 80" in chart.says
    assert "Frequency done of expected" in words_of(parsed(chart))


@given(dose_seasons)
def test_the_words_sum_the_weeks_that_count(season: list[DoseWeek]) -> None:
    counting = [(week.done, week.expected) for week in season if week.expected > 0 and not week.excluded]
    assume(counting)
    says = weekly_bars(season, key="k").says
    done, expected = sum(min(pair) for pair in counting), sum(pair[1] for pair in counting)
    assert f"Dose: {done} of {expected} expected" in says
    high = sum(10 * one >= 8 * other for one, other in counting)
    low = sum(10 * one < 6 * other for one, other in counting)
    found = re.search(r"(\d+) weeks? at 80 % or more, (\d+) from 60 % to under 80 %, (\d+) under 60 %", says)
    assert found
    assert [int(number) for number in found.groups()] == [high, len(counting) - high - low, low]
    assert ("Excluded" in says) == any(week.excluded for week in season)


def test_standings_are_stacked_from_the_axis_and_their_heights_are_their_counts() -> None:
    season = [StandingsWeek(starts_on=MONDAY, counts={LAPSED: 10, ON_TRACK: 40})]
    drawn = hinted(parsed(standings_over_time(season, key="k")))
    on_track, lapsed = (drawn[f"Week of 3 Mar 2025: {words}"].attrib for words in ("40 on track", "10 lapsed"))
    axis = standings.TOP + standings.HEIGHT
    assert float(on_track["y"]) + float(on_track["height"]) == axis
    assert float(lapsed["y"]) + float(lapsed["height"]) == float(on_track["y"])
    assert float(on_track["height"]) == 4 * float(lapsed["height"]) == 0.8 * standings.HEIGHT
    assert (on_track["fill"], lapsed["fill"]) == ("url(#k-full)", "url(#k-crossed)")


def test_narrow_bars_join_and_are_outlined_together_down_to_a_missing_week() -> None:
    """99 weeks of 10 programs, one missing in the middle: two runs, each up, across and down."""
    season = [
        StandingsWeek(starts_on=MONDAY + timedelta(weeks=week), counts={ON_TRACK: 10})
        for week in range(99)
        if week != 50
    ]
    root = parsed(standings_over_time(season, key="k"))
    (outline,) = (part.attrib["d"] for part in root.iter(f"{SVG}path") if part.get("class") == "ft-line-slate")
    foot = f"V{standings.TOP + standings.HEIGHT}"
    assert outline.count("M") == outline.count(foot) == 2
    assert outline.count("H") == 98
    bars = list(hinted(root).values())
    assert float(bars[1].attrib["x"]) - float(bars[0].attrib["x"]) == pytest.approx(
        float(bars[0].attrib["width"]), abs=0.011
    )


def test_the_words_of_the_first_and_the_last_week() -> None:
    season = [
        StandingsWeek(starts_on=MONDAY, counts={ON_TRACK: 30}),
        StandingsWeek(starts_on=MONDAY + timedelta(weeks=1), counts={ON_TRACK: 25, Standing.WATCH: 4, LAPSED: 1}),
    ]
    chart = standings_over_time(season, key="k")
    assert chart.says == (
        "2 weeks. Week of 3 Mar 2025, 30 programs: 30 on track."
        " Week of 10 Mar 2025, 30 programs: 25 on track, 4 to watch and 1 lapsed."
    )
    assert chart.header == ("Week from", "On track", "To watch", "Lapsed")
    assert chart.rows == (("3 Mar 2025", "30", "0", "0"), ("10 Mar 2025", "25", "4", "1"))


def test_a_withheld_count_is_not_drawn_and_not_passed_over() -> None:
    chart = standings_over_time([StandingsWeek(starts_on=MONDAY, counts={ON_TRACK: 12, PAUSED: None})], key="k")
    assert list(hinted(parsed(chart))) == ["Week of 3 Mar 2025: 12 on track"]
    assert chart.rows == (("3 Mar 2025", "12", "withheld"),)
    assert "12 programs shown: 12 on track. Some counts are withheld because too few." in chart.says
    assert "Some counts are withheld because too few." in words_of(parsed(chart))


def test_the_legend_names_the_standings_that_are_drawn() -> None:
    season = [StandingsWeek(starts_on=MONDAY, counts={ON_TRACK: 12, PAUSED: 0, LAPSED: 3})]
    words = words_of(parsed(standings_over_time(season, key="k")))
    assert [word for word in words if word in {"On track", "Paused", "Lapsed"}] == ["On track", "Lapsed"]


@given(standings_seasons)
def test_the_words_count_the_last_week(season: list[StandingsWeek]) -> None:
    assume(any(count != 0 for week in season for count in week.counts.values()))
    last = max(season, key=lambda week: week.starts_on)
    *_, sentence = re.findall(r"Week of [^.]*\.", standings_over_time(season, key="k").says)
    told = [int(number.replace(",", "")) for number in re.findall(r"([\d,]+) [a-z]", sentence)]
    assert sorted(told[1:]) == sorted(count for count in last.counts.values() if count)
    assert told[0] == sum(told[1:])
