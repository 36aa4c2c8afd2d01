"""The books, on stories small enough to check by hand."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from math import inf

import pytest

from models.adherence import Done, Pause, SilenceRule, assess
from models.adherence.silence import DEFAULT_RULE, slots_to_reach
from tests.bench.bgnbd import Habits
from tests.bench.figures import Point, at_rate, curve, margin, point, quantile, together, truly_stopped
from tests.bench.replay import Books, Knowing, known, replay
from tests.bench.rules import BINS, BgNbd, Cadence, Engine, EngineSweep, FixedGap, Known, MissedInARow, Rule
from tests.bench.simulator import patient
from tests.bench.story import Declared, Story, days_between, midnight, prescribed

MONDAY = date(2025, 3, 3)
LOGS, BOTH = Knowing(), Knowing(pauses=True, contacts=True)


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


def log(number: int, late: int = 0) -> Done:
    return Done(day(number), midnight(day(number + late)) + timedelta(hours=18))


def story(logs: Iterable[Done], stop: int | None = None, until: int = 100) -> Story:
    return Story(
        plan=prescribed(MONDAY, 7),
        logs=tuple(logs),
        stopped_at=None if stop is None else midnight(day(stop)),
        until=midnight(day(until)),
    )


class Silent:
    """Up at the end of the 5th silent day."""

    name = "five silent days"
    thresholds = (5.0,)

    def instants(self, known: Known, until: datetime) -> Sequence[datetime | None]:  # noqa: ARG002
        return [known.end_of_silent_day(5)]


def booked(one: Story, rule: Rule | None = None, knowing: Knowing = LOGS) -> Books:
    rule = rule or Silent()
    books = Books(rule.thresholds)
    replay(one, rule, knowing, books)
    return books


def test_a_flag_after_the_stop_is_right_and_its_delay_counts_from_the_stop() -> None:
    books = booked(story([log(0), log(1)], stop=3))
    assert (books.false, books.right, books.stops) == ([0], [1], 1)
    assert books.delays == [[4.0]]  # silent on days 2 to 6; the flag at the midnight that begins day 7
    assert books.active_days == pytest.approx(2.25)


def test_a_flag_while_active_is_false_and_so_is_the_next_one() -> None:
    books = booked(story([log(0), log(10), log(20), log(21)], stop=None, until=22))
    assert (books.false, books.right, books.stops, books.delays) == ([2], [0], 0, [[]])


def test_a_false_flag_that_stays_up_is_no_delay() -> None:
    books = booked(story([log(0)], stop=8))
    assert (books.false, books.right, books.delays) == ([1], [0], [[0.0]])


def test_a_late_log_moves_the_promise() -> None:
    """Day 3's log arrives on day 5 and moves the flag from the end of day 5 to the end of day 8."""
    without, with_it = booked(story([log(0)], stop=4)), booked(story([log(0), log(3, late=2)], stop=4))
    assert without.delays == [[2.0]]
    assert with_it.delays == [[5.0]]


def test_a_late_log_that_takes_a_flag_down_makes_the_delay_count_to_the_one_that_stays() -> None:
    books = booked(story([log(0), log(3, late=4)], stop=4))
    assert (books.false, books.right) == ([0], [2])
    assert books.delays == [[5.0]]


def test_nothing_is_known_before_it_is_received() -> None:
    views = list(known(story([log(0), log(5), log(3, late=4)]), LOGS))
    assert [(view.at.date(), view.last_day, view.days) for view, _ in views] == [
        (day(0), day(0), 1),
        (day(5), day(5), 2),
        (day(7), day(5), 3),
    ]
    assert [until for _, until in views] == [views[1][0].at, views[2][0].at, midnight(day(100))]


def test_a_stop_not_caught_in_sixty_days_is_never_caught_and_one_not_followed_so_long_is_not_judged() -> None:
    one = story([log(0)], stop=1, until=200)
    books = booked(one, FixedGap())
    assert books.delays[-1] == [60.0]
    away = Declared(midnight(day(0)), Pause(day(2), day(90)))
    assert booked(replace(one, declared=(away,)), knowing=BOTH).delays == [[inf]]
    assert booked(replace(one, until=midnight(day(60)))).stops == 0


def test_a_pause_counts_from_when_it_was_declared() -> None:
    one = story([log(0), log(30)], until=31)
    away = Pause(day(2), day(29))
    assert booked(one).false == [1]
    assert booked(replace(one, declared=(Declared(midnight(day(2)), away),)), knowing=BOTH).false == [0]
    assert booked(replace(one, declared=(Declared(midnight(day(9)), away),)), knowing=BOTH).false == [1]
    assert booked(replace(one, declared=(Declared(midnight(day(2)), away),)), knowing=LOGS).false == [1]


def test_person_days_are_split_at_the_thresholds_and_at_the_stop() -> None:
    books = booked(story([log(0)], stop=10, until=20), FixedGap())
    by_gap = dict(zip(books.thresholds, zip(books.days_at, books.days_gone, strict=True), strict=True))
    assert by_gap[3] == (1.0, 0.0)
    assert by_gap[8] == (1.0, 0.0)
    assert by_gap[9] == (1.0, 1.0)  # from the end of day 9, the very stop
    assert by_gap[16] == (2.0, 2.0)
    assert sum(books.days_at) == 16.0


@pytest.mark.parametrize("number", range(6))
def test_the_engine_replayed_is_the_product_asked_at_every_moment(number: int) -> None:
    """Heart-beats are handed over up to the next log at once; asking anew at each moment must say the same."""
    one = next(made.story for made in (patient(8, number * 7 + i) for i in range(50)) if made.story and made.batches)
    books = booked(one, Engine(), BOTH)
    contacts = sorted({*one.contacts, *(log.received_at for log in one.logs)})
    now, was = one.logs[0].received_at, [False] * 3
    raised = [0, 0, 0]
    while now < one.until:
        done = [log for log in one.logs if log.received_at <= now]
        pauses = tuple(told.pause for told in one.declared if max(told.at, one.logs[0].received_at) <= now)
        judged = assess(
            replace(one.plan, pauses=pauses), done, now, contacts=[moment for moment in contacts if moment <= now]
        ).silence
        assert judged is not None
        found = [m is not None and m <= now for m in (judged.watch_at, judged.lapsed_at, judged.stopped_at)]
        raised = [count + (up and not before) for count, up, before in zip(raised, found, was, strict=True)]
        was = found
        now = _next_moment(one, contacts, now)
    assert [false + right for false, right in zip(books.false, books.right, strict=True)] == raised


def _next_moment(one: Story, contacts: Sequence[datetime], now: datetime) -> datetime:
    """The next midnight, receipt, contact or declaration."""
    heard = [*contacts, *(log.received_at for log in one.logs), *(told.at for told in one.declared)]
    return min(moment for moment in (*heard, midnight(now.date() + timedelta(days=1))) if moment > now)


def test_the_sweep_is_the_product_at_other_thresholds() -> None:
    what, until = list(known(story([log(0), log(1), log(2)]), LOGS))[-1]
    swept = dict(zip(EngineSweep.thresholds, EngineSweep().instants(what, until), strict=False))
    judged = assess(what.plan, what.done, what.at, rule=SilenceRule(net_days=300)).silence
    assert judged is not None
    assert (swept[0.3], swept[0.5], swept[0.8]) == (judged.watch_at, judged.lapsed_at, judged.stopped_at)
    assert {edge for low_high in BINS for edge in low_high} <= set(EngineSweep.thresholds)


def test_two_missed_slots_never_reach_the_lowest_threshold() -> None:
    """So the product is not asked of silences shorter than three days; the surest habit reaches a' of 1.31 + 2."""
    (needed,) = slots_to_reach(EngineSweep.thresholds[:1], 3.31, 1.0, DEFAULT_RULE.hazard)
    assert needed == 3


@pytest.mark.parametrize("rule", [EngineSweep(), FixedGap(), MissedInARow(), Cadence(), BgNbd(Habits(1, 3, 0.9, 5))])
def test_higher_thresholds_are_crossed_later(rule: Rule) -> None:
    for what, until in list(known(story([log(0), log(2), log(3)]), LOGS))[-1:]:
        crossed = [moment for moment in rule.instants(what, until) if moment]
        assert crossed
        assert crossed == sorted(crossed)
        assert list(rule.thresholds) == sorted(rule.thresholds)


def test_simple_rules_by_hand() -> None:
    """Seven a week, done on days 0, 2 and 4: a mean gap of (4 + 1) / 3 days."""
    what, until = list(known(story([log(0), log(2), log(4)]), LOGS))[-1]

    def silent(rule: Rule, threshold: float) -> float:
        crossed = dict(zip(rule.thresholds, rule.instants(what, until), strict=False))[threshold]
        assert crossed is not None
        return days_between(midnight(day(5)), crossed)

    assert silent(FixedGap(), 7) == 7
    assert silent(MissedInARow(), 4) == 4
    assert silent(Cadence(), 3) == 5
    thrice = list(known(replace(story([log(0), log(2), log(4)]), plan=prescribed(MONDAY, 3)), LOGS))[-1][0]
    assert MissedInARow().instants(thrice, until)[1] == midnight(day(10))  # Monday 7 and Wednesday 9


def test_rates_between_two_thresholds_are_found_by_their_logarithm() -> None:
    books = Books((1.0, 2.0), active_days=365.25, false=[4, 1], right=[2, 2], delays=[[4.0, 6.0], [10.0, inf]])
    assert point(books, 1) == Point(1.0, mean=35.0, median=10.0, p90=inf, missed=0.5, precision=2 / 3)
    found = at_rate(books, 2.0)
    assert found is not None
    assert found.mean == pytest.approx((5 + 35) / 2)
    assert found.median == pytest.approx((4 + 10) / 2)
    assert found.p90 == inf
    assert at_rate(books, 8.0) is None


def test_the_smaller_figures() -> None:
    assert [quantile([1, 2, 3, 4], share) for share in (0.25, 0.5, 0.9)] == [1, 2, 4]
    assert margin([1.0, 1.0, 1.0]) == 0.0
    assert margin([1.0]) == inf
    one = Books((0.3, 0.5), stories=1, stops=1, active_days=2.0, days_at=[2.0, 4.0], days_gone=[1.0, 3.0])
    both = together([one, one])
    assert (both.stories, both.stops, both.active_days, both.days_at) == (2, 2, 4.0, [4.0, 8.0])
    assert truly_stopped(one)[0] == (0.5, 2.0)
    assert truly_stopped(one)[1] == (0.75, 4.0)
    assert len(curve(one)) == 2
