"""Charts for adherence reports: frozen data in, an SVG with its words and its table out. Pure.

Every chart can be read without colour, on a light and on a dark ground, on paper and by ear.
"""

from api.pages.charts.curves import HORIZONS, Curve, Step, retention
from api.pages.charts.days import Day, DayState, calendar_strip
from api.pages.charts.drawing import Chart
from api.pages.charts.flags import Fate, FlagRow, flags_by_kind
from api.pages.charts.pain import ImportantChange, RevisionMark, SessionPoint, pain_and_effort
from api.pages.charts.standings import StandingsWeek, standings_over_time
from api.pages.charts.weeks import DoseWeek, weekly_bars

__all__ = [
    "HORIZONS",
    "Chart",
    "Curve",
    "Day",
    "DayState",
    "DoseWeek",
    "Fate",
    "FlagRow",
    "ImportantChange",
    "RevisionMark",
    "SessionPoint",
    "StandingsWeek",
    "Step",
    "calendar_strip",
    "flags_by_kind",
    "pain_and_effort",
    "retention",
    "standings_over_time",
    "weekly_bars",
]
