"""Plans and days for the engine's tests: as examples, and at random."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from models.adherence import Done, Flare, Line, Pause, Phase, Plan, Revision

START = date(2025, 3, 3)
"""A Monday."""
LONDON = ZoneInfo("Europe/London")
ZONES = (
    LONDON,
    ZoneInfo("America/New_York"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("Africa/Cairo"),
    ZoneInfo("UTC"),
)
MON_FRI = frozenset(range(5))
MON_WED_FRI = frozenset({0, 2, 4})


def a_line(**but: Any) -> Line:
    return Line(**({"line_id": uuid4()} | but))


def a_plan(*lines: Line, zone: ZoneInfo = LONDON, pauses: Iterable[Pause] = (), ends_on: date | None = None) -> Plan:
    """One phase that runs on."""
    phase = Phase(from_day=1, to_day=None, lines=lines)
    revision = Revision(number=1, effective_on=START, phases=(phase,))
    return Plan(starts_on=START, zone=zone, revisions=(revision,), pauses=tuple(pauses), ends_on=ends_on)


def done(days: Iterable[date], late_days: int = 0) -> list[Done]:
    return [Done(day, datetime.combine(day + timedelta(days=late_days), time(12), UTC)) for day in days]


def weeks(weekdays: Sequence[int], count: int = 4) -> list[date]:
    return [START + timedelta(days=7 * week + day) for week in range(count) for day in weekdays]


def evening(day: date) -> datetime:
    return datetime.combine(day, time(20), UTC)


frequencies = st.one_of(
    st.integers(1, 7).map(lambda n: {"days_per_week": n}),
    st.frozensets(st.integers(0, 6), min_size=1, max_size=6).map(lambda days: {"weekdays": days}),
    st.integers(2, 5).map(lambda n: {"every_n_days": n}),
    st.just({"as_needed": True}),
)
lines = st.lists(frequencies.map(lambda frequency: a_line(**frequency)), min_size=1, max_size=4).map(tuple)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """One or two revisions of one or two phases, some pauses, any zone."""
    revisions = []
    effective = START
    for number in range(1, draw(st.integers(1, 2)) + 1):
        split = draw(st.none() | st.integers(3, 30))
        phases = [Phase(from_day=1, to_day=split, lines=draw(lines))]
        if split is not None:
            phases.append(
                Phase(from_day=split + 1, to_day=draw(st.sampled_from([None, split + 60])), lines=draw(lines))
            )
        flare = draw(st.none() | lines.map(lambda drawn: Phase(from_day=1, to_day=None, lines=drawn)))
        revisions.append(Revision(number=number, effective_on=effective, phases=tuple(phases), flare=flare))
        effective += timedelta(days=draw(st.integers(-5, 30)))
    pauses = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=2))
    flares = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=2))
    return Plan(
        starts_on=START,
        zone=draw(st.sampled_from(ZONES)),
        revisions=tuple(revisions),
        pauses=tuple(
            Pause(START + timedelta(days=first), START + timedelta(days=first + length)) for first, length in pauses
        ),
        flares=tuple(
            Flare(START + timedelta(days=first), START + timedelta(days=first + length)) for first, length in flares
        ),
        ends_on=draw(st.none() | st.integers(0, 90).map(lambda day: START + timedelta(days=day))),
    )


days_done = st.lists(
    st.tuples(st.integers(0, 45), st.integers(0, 6)).map(
        lambda drawn: Done(
            START + timedelta(days=drawn[0]),
            datetime.combine(START + timedelta(days=drawn[0] + drawn[1]), time(13), UTC),
        )
    ),
    max_size=25,
)
contacts = st.lists(
    st.integers(0, 24 * 80).map(lambda hour: datetime.combine(START, time(1), UTC) + timedelta(hours=hour)), max_size=3
)
