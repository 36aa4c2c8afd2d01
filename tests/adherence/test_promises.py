"""What the engine promises, on plans and histories drawn at random."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from hypothesis import assume, example, given, settings, strategies as st

from models.adherence import Change, Done, Flare, Pause, Plan, SilenceRule, Standing, assess, standing_at
from models.adherence.schedule import UNIT, Schedule
from tests.adherence import reference
from tests.adherence.plans import MON_FRI, START, a_line, a_plan, contacts, days_done, done, plans, weeks

moments = st.integers(0, 24 * 100).map(lambda hour: datetime.combine(START, time(), UTC) + timedelta(hours=hour))
ORDER = [Standing.ON_TRACK, Standing.WATCH, Standing.LAPSED, Standing.STOPPED]


def known(sessions: Sequence[Done], at: datetime) -> list[Done]:
    return [session for session in sessions if session.received_at <= at]


@settings(max_examples=200)
@given(plans(), days_done, contacts, moments)
def test_a_slow_plain_reference_agrees(plan: Plan, sessions: list[Done], touched: list[datetime], at: datetime) -> None:
    heard = assess(plan, sessions, at, contacts=touched)
    assert heard.standing is reference.standing(plan, sessions, touched, at)
    if sessions:
        assert heard.silence is not None
        found = (heard.silence.watch_at, heard.silence.lapsed_at, heard.silence.stopped_at)
        assert found == reference.thresholds(plan, sessions, touched)


@given(plans(), st.integers(0, 90))
def test_the_reference_agrees_on_what_a_day_weighs(plan: Plan, day: int) -> None:
    on = START + timedelta(days=day)
    assert Schedule(plan).weight(on.toordinal()) == reference.weight(plan, on) * UNIT


@settings(max_examples=150)
@given(plans(), days_done, contacts, moments)
def test_a_standing_holds_until_exactly_when_it_says_it_changes(
    plan: Plan, sessions: list[Done], touched: list[datetime], at: datetime
) -> None:
    promised = assess(plan, sessions, at, contacts=touched)

    def later(moment: datetime) -> Standing:
        return assess(plan, sessions, moment, contacts=touched).standing

    for hours in range(0, 24 * 60, 7):
        moment = at + timedelta(hours=hours)
        assert later(moment) is standing_at(promised.standing, promised.forecast, moment)
    for change in promised.forecast:
        assert later(change.at) is change.standing
        assert later(change.at - timedelta(seconds=1)) is not change.standing


@given(plans(), days_done, moments, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(plan: Plan, sessions: list[Done], at: datetime, dice: Random) -> None:
    shuffled = sessions[:]
    dice.shuffle(shuffled)
    assert assess(plan, shuffled, at) == assess(plan, sessions, at)


@given(plans(), days_done, moments)
def test_saying_it_twice_changes_nothing(plan: Plan, sessions: list[Done], at: datetime) -> None:
    assert assess(plan, sessions + sessions, at) == assess(plan, sessions, at)


@given(plans(), days_done)
def test_silence_alone_only_raises(plan: Plan, sessions: list[Done]) -> None:
    assume(sessions)
    forecast: tuple[Change, ...] = assess(plan, sessions, datetime.combine(START, time(), UTC)).forecast
    judged = [change.standing for change in forecast if change.standing in ORDER]
    assert judged == sorted(judged, key=ORDER.index)
    heard = assess(plan, sessions, datetime.combine(START, time(), UTC)).silence
    assert heard is not None
    opened = [moment for moment in (heard.watch_at, heard.lapsed_at, heard.stopped_at) if moment]
    assert opened == sorted(opened)


@given(plans(), days_done, contacts, moments)
def test_a_session_today_leaves_nothing_silent_open(
    plan: Plan, sessions: list[Done], touched: list[datetime], at: datetime
) -> None:
    today = at.astimezone(plan.zone).date()
    assume(plan.starts_on <= today)
    before = [session for session in sessions if session.day <= today]
    earlier = [contact for contact in touched if contact <= at]
    judged = assess(plan, [*before, Done(today, at)], at, contacts=earlier)
    assert judged.standing in {Standing.ON_TRACK, Standing.PAUSED, Standing.ENDED}
    if before and max(session.day for session in before) < today:
        old, new = assess(plan, before, at).silence, judged.silence
        assert old is not None
        assert new is not None
        assert new.last_day > old.last_day
        assert net_of(plan, old.last_day, before, at) <= net_of(plan, today, [*before, Done(today, at)], at)


def net_of(plan: Plan, last: date, sessions: list[Done], at: datetime) -> datetime:
    """When 21 silent days alone would say lapsed: the detector with its odds switched off."""
    only_the_net = SilenceRule(watch=0.999_999_9, lapsed=0.999_999_99, stopped=0.999_999_999, hazard=1e-12)
    heard = assess(plan, sessions, at, rule=only_the_net).silence
    assert heard is not None
    assert heard.last_day == last
    return heard.lapsed_at or datetime.max.replace(tzinfo=UTC)


@given(plans(), days_done, st.integers(1, 30), st.integers(0, 30))
def test_a_later_pause_never_makes_a_flag_due_sooner(plan: Plan, sessions: list[Done], wait: int, length: int) -> None:
    assume(sessions)
    last = max(session.day for session in sessions)
    pause = Pause(last + timedelta(days=wait), last + timedelta(days=wait + length))
    at = datetime.combine(last, time(12), UTC)
    without = assess(plan, sessions, at).silence
    with_it = assess(replace(plan, pauses=(*plan.pauses, pause)), sessions, at).silence
    assert without is not None
    assert with_it is not None
    for name in ("watch_at", "lapsed_at", "stopped_at"):
        sooner, later = getattr(without, name), getattr(with_it, name)
        assert later is None or (sooner is not None and later >= sooner)


def shifted(plan: Plan, days: int) -> Plan:
    by = timedelta(days=days)
    return replace(
        plan,
        starts_on=plan.starts_on + by,
        revisions=tuple(replace(one, effective_on=one.effective_on + by) for one in plan.revisions),
        pauses=tuple(Pause(one.from_on + by, one.to_on + by if one.to_on else None) for one in plan.pauses),
        flares=tuple(Flare(one.from_on + by, one.to_on + by) for one in plan.flares),
        ends_on=plan.ends_on + by if plan.ends_on else None,
    )


@given(plans(), days_done, st.integers(1, 60))
def test_shifting_all_by_weeks_shifts_the_answer_by_weeks(plan: Plan, sessions: list[Done], weeks_later: int) -> None:
    """Compared as local dates: a clock change between the two moves the instant, never the date."""
    assume(sessions)
    by = timedelta(days=7 * weeks_later)
    at = datetime.combine(START, time(), UTC)
    moved = [Done(one.day + by, wall_clock_later(one.received_at, by, plan)) for one in sessions]
    first, second = assess(plan, sessions, at).silence, assess(shifted(plan, by.days), moved, at + by).silence
    assert first is not None
    assert second is not None
    for name in ("watch_at", "lapsed_at", "stopped_at"):
        one, other = local(getattr(first, name), plan), local(getattr(second, name), plan)
        assert other == (one + by if one else None)


def wall_clock_later(moment: datetime, by: timedelta, plan: Plan) -> datetime:
    """Later by so many days on the patient's own clock, whatever was done to it in between."""
    return (moment.astimezone(plan.zone).replace(tzinfo=None) + by).replace(tzinfo=plan.zone)


def local(moment: datetime | None, plan: Plan) -> date | None:
    return moment.astimezone(plan.zone).date() if moment else None


@given(plans(), days_done)
def test_every_instant_is_a_local_midnight_whatever_the_clocks_do(plan: Plan, sessions: list[Done]) -> None:
    assume(sessions)
    heard = assess(plan, sessions, datetime.combine(START, time(), UTC)).silence
    assert heard is not None
    for moment in (heard.watch_at, heard.lapsed_at, heard.stopped_at):
        if moment is not None:
            before = (moment - timedelta(microseconds=1)).astimezone(plan.zone)
            assert before.date() == moment.astimezone(plan.zone).date() - timedelta(days=1)


@example(4)
@given(st.integers(0, 40))
def test_a_late_log_of_an_older_day_never_ends_the_silence(late: int) -> None:
    days = weeks(range(5))
    plan = a_plan(a_line(weekdays=MON_FRI))
    received = datetime.combine(days[-1] + timedelta(days=late), time(12), UTC)
    judged = assess(plan, [*done(days[5:]), Done(days[0], received)], received)
    assert judged.silence is not None
    assert judged.silence.last_day == days[-1]
