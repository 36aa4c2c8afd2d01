"""Data for charts: any, by Hypothesis, and of a given length."""

from collections.abc import Callable
from datetime import date, timedelta

from hypothesis import strategies as st

from api.pages.charts import (
    HORIZONS,
    Chart,
    Curve,
    Day,
    DayState,
    DoseWeek,
    Fate,
    FlagRow,
    ImportantChange,
    RevisionMark,
    SessionPoint,
    StandingsWeek,
    Step,
    calendar_strip,
    flags_by_kind,
    pain_and_effort,
    retention,
    standings_over_time,
    weekly_bars,
)
from models.adherence import Standing

MONDAY = date(2025, 3, 3)

dates = st.dates(date(2020, 1, 1), date(2035, 12, 31))
scores = st.none() | st.integers(0, 10)
counts = st.none() | st.integers(0, 40_000)
labels = st.text(max_size=60)


def some_days(number: int, start: date = MONDAY) -> list[Day]:
    """Every state in turn."""
    states = list(DayState)
    return [Day(start + timedelta(days=index), states[index // 2 % len(states)]) for index in range(number)]


def some_points(number: int, start: date = MONDAY) -> list[SessionPoint]:
    return [
        SessionPoint(
            on=start + timedelta(days=index), pain=(index * 7) % 11, effort=None if index % 9 == 4 else index % 8
        )
        for index in range(number)
    ]


def some_weeks(number: int, start: date = MONDAY) -> list[DoseWeek]:
    return [
        DoseWeek(
            starts_on=start + timedelta(weeks=index),
            done=(index * 13) % 21,
            expected=0 if index % 11 == 7 else 20,
            excluded=index % 11 == 5,
        )
        for index in range(number)
    ]


def some_standings(number: int, start: date = MONDAY) -> list[StandingsWeek]:
    return [
        StandingsWeek(
            starts_on=start + timedelta(weeks=index),
            counts={standing: (index * 5 + place * 3) % 17 + 1 for place, standing in enumerate(Standing)},
        )
        for index in range(number)
    ]


def some_flags(number: int) -> list[FlagRow]:
    return [
        FlagRow(kind=f"Kind {index}", fates={fate: (index * 3 + place * 5) % 14 for place, fate in enumerate(Fate)})
        for index in range(1, number + 1)
    ]


def a_curve(label: str, *, through_day: int = 730, every: int = 20, started: int = 200) -> Curve:
    """One in twenty stops every so many days."""
    steps = [
        Step(day=day, share=0.95**index, low=0.94**index, high=0.96**index)
        for index, day in enumerate(range(every, through_day + 1, every), 1)
    ]
    at_risk = {day: started - day // 4 for day in HORIZONS if day <= through_day}
    return Curve(label=label, started=started, through_day=through_day, steps=steps, at_risk=at_risk)


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    through = draw(st.integers(0, 900))
    falls = sorted(draw(st.sets(st.integers(1, max(through, 1)), max_size=12)))
    share, steps = 1.0, []
    for day in falls:
        share *= draw(st.floats(0.3, 0.99))
        width = draw(st.floats(0, 0.3))
        if day <= through:
            steps.append(Step(day=day, share=share, low=max(0, share - width), high=min(1, share + width)))
    return Curve(
        label=draw(labels),
        started=draw(st.integers(1, 20000)),
        through_day=through,
        steps=steps,
        at_risk=draw(st.dictionaries(st.sampled_from(list(HORIZONS)), counts)),
    )


days = st.builds(Day, dates, st.sampled_from(DayState))
calendars = st.lists(days, max_size=40, unique_by=lambda day: day.on)
points = st.builds(SessionPoint, on=dates, pain=scores, effort=scores)
near = st.integers(0, 400).map(lambda since: MONDAY + timedelta(days=since))
revisions = st.lists(st.builds(RevisionMark, number=st.integers(1, 99), on=near), max_size=12)
changes = st.none() | st.builds(ImportantChange, baseline=st.integers(0, 10), points=st.sampled_from([1, 1.5, 2, 3]))
mondays = st.integers(0, 150).map(lambda week: MONDAY + timedelta(weeks=week))
dose_weeks = st.integers(0, 30).flatmap(
    lambda expected: st.builds(
        DoseWeek, starts_on=mondays, done=st.integers(0, 30), expected=st.just(expected), excluded=st.booleans()
    )
)
dose_seasons = st.lists(dose_weeks, max_size=30, unique_by=lambda week: week.starts_on)
standings_weeks = st.builds(StandingsWeek, starts_on=mondays, counts=st.dictionaries(st.sampled_from(Standing), counts))
standings_seasons = st.lists(standings_weeks, max_size=20, unique_by=lambda week: week.starts_on)
flag_rows = st.builds(FlagRow, kind=labels, fates=st.dictionaries(st.sampled_from(Fate), counts))
flag_tables = st.lists(flag_rows, max_size=12, unique_by=lambda row: row.kind)

any_chart: st.SearchStrategy[Chart] = st.one_of(
    st.builds(calendar_strip, calendars, key=st.just("a")),
    st.builds(pain_and_effort, st.lists(points, max_size=30), revisions, changes, key=st.just("a")),
    st.builds(weekly_bars, dose_seasons, key=st.just("a"), measure=labels),
    st.builds(retention, st.lists(curves(), max_size=4), key=st.just("a")),
    st.builds(standings_over_time, standings_seasons, key=st.just("a")),
    st.builds(flags_by_kind, flag_tables, key=st.just("a")),
)

GROUPS = ["Low back", "Neck and shoulder, after surgery, long", "Knee", "Ankylosing spondylitis"]
CHANGE = ImportantChange(baseline=6, points=2)


def _revised(number: int) -> list[RevisionMark]:
    return [RevisionMark(number=1 + day // 17, on=MONDAY + timedelta(days=day)) for day in range(0, number, 17)]


DRAWN: dict[str, Callable[[str], Chart]] = {
    "no days": lambda key: calendar_strip([], key=key),
    "1 day": lambda key: calendar_strip(some_days(1), key=key),
    "60 days": lambda key: calendar_strip(some_days(60), key=key),
    "300 days": lambda key: calendar_strip(some_days(300), key=key),
    "3 years": lambda key: calendar_strip(some_days(1100), key=key),
    "no session": lambda key: pain_and_effort([], key=key),
    "1 session": lambda key: pain_and_effort(some_points(1), _revised(1), CHANGE, key=key),
    "20 sessions": lambda key: pain_and_effort(some_points(20), _revised(20), CHANGE, key=key),
    "300 sessions": lambda key: pain_and_effort(some_points(300), _revised(300), CHANGE, key=key),
    "no week": lambda key: weekly_bars([], key=key),
    "1 week": lambda key: weekly_bars(some_weeks(1), key=key),
    "12 weeks": lambda key: weekly_bars(some_weeks(12), key=key),
    "100 weeks": lambda key: weekly_bars(some_weeks(100), key=key),
    "no curve": lambda key: retention([], key=key),
    "1 curve": lambda key: retention([a_curve("All", through_day=20, every=7)], key=key),
    "4 curves": lambda key: retention(
        [a_curve(label, every=20 + 9 * place, started=90000 >> place) for place, label in enumerate(GROUPS)], key=key
    ),
    "no standing": lambda key: standings_over_time([], key=key),
    "1 week of standings": lambda key: standings_over_time(some_standings(1), key=key),
    "100 weeks of standings": lambda key: standings_over_time(some_standings(100), key=key),
    "no flag": lambda key: flags_by_kind([], key=key),
    "1 kind": lambda key: flags_by_kind(some_flags(1), key=key),
    "29 kinds": lambda key: flags_by_kind(some_flags(29), key=key),
}
"""Every chart, with nothing, with one and with many."""
