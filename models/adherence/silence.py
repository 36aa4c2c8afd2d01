"""Has this patient stopped? The silence detector, and the instants at which silence alone will answer.

Before each expected session a patient may stop for good (hazard `h`); while they go on they do each with
probability p, p ~ Beta(a, b) learnt from their own recent days. After k missed slots in a row the odds of
having stopped obey a one-line recursion (`slots_to_reach`). What history may claim about p is capped at
`n_eff` scheduled days' worth, memory fades over 30 days, the usual delay between doing and sending is
subtracted, and 21 silent days are enough whatever the odds say.

Under silence the odds only depend on the calendar, so the instants are known at the moment of writing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import ceil, exp

from models.adherence.plan import Plan
from models.adherence.schedule import UNIT, WEEK, Schedule, midnight_after

HISTORY_DAYS = 240
"""Days up to the last session that habit is learnt from; older ones weigh less than e^-8."""
SYNC_DAYS = 30
"""Days up to the last session over which the usual sync delay is judged."""
HORIZON_DAYS = 5 * 366
"""How far ahead silence is followed; a threshold not reached by then is never reached."""
NOT_STARTED_SLOTS = 5
"""Under the prior only 11 % of those who will start miss their first five slots (engine study, section 7)."""
NOT_STARTED_DAYS = 7
TOLD_DAYS = 91
"""Missed sessions are told one by one for at least this many days of silence."""
_MOST_SLOTS = 400


@dataclass(frozen=True, slots=True)
class SilenceRule:
    """The detector's constants (engine study, section 2.5: fitted on a simulator, checked on public logs)."""

    a0: float = 1.31
    b0: float = 1.0
    hazard: float = 0.0078
    n_eff: float = 2.0
    memory_days: float = 30.0
    net_days: int = 21
    watch: float = 0.3
    lapsed: float = 0.5
    stopped: float = 0.8


DEFAULT_RULE = SilenceRule()


@dataclass(frozen=True, slots=True)
class Done:
    """A day with exercise: any logged exercise counts, also a partial session or one on a rest day."""

    day: date
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Silence:
    """The silence that began after the last day with exercise, as far as the calendar knows it."""

    last_day: date
    habit: float
    """p-hat: the share of expected days done lately, 0-1."""
    usual_done: float
    usual_expected: float
    """Days a week done and expected lately, faded like the habit; what people are told."""
    weekly_slots: float
    """Session days expected in the week after the last one, pauses aside."""
    allowance: int
    """Slots granted for the usual delay between doing and sending."""
    slot_days: tuple[date, ...]
    """The day on which the 1st, 2nd, … expected session since will have been missed."""
    watch_at: datetime | None
    lapsed_at: datetime | None
    stopped_at: datetime | None
    prior: tuple[float, float]
    """The Beta's a' and b' in use."""

    def slots_after_days(self) -> list[int]:
        """`slot_days` as whole days after the last one."""
        return [(day - self.last_day).days for day in self.slot_days]


@dataclass(frozen=True, slots=True)
class NotStarted:
    """The wait for a first session."""

    opens_at: datetime | None
    slot_days: tuple[date, ...]


def listen(
    plan: Plan,
    schedule: Schedule,
    done: Sequence[Done],
    contacts: Sequence[datetime],
    rule: SilenceRule,
) -> Silence:
    """Follow the silence after the last of `done` (at least one) to its three thresholds."""
    first_received: dict[int, datetime] = {}
    for session in done:
        ordinal = session.day.toordinal()
        known = first_received.get(ordinal)
        first_received[ordinal] = session.received_at if known is None else min(known, session.received_at)
    last = max(first_received)
    n, s = _habit(schedule, first_received, last, rule)
    n = max(n, s)
    certainty = min(1.0, rule.n_eff / n)
    a, b = rule.a0 + certainty * s, rule.b0 + certainty * (n - s)
    weekly = sum(schedule.unpaused_weight(last + day) for day in range(1, WEEK + 1)) / UNIT
    allowance = _sync_allowance(plan, first_received, last, weekly)
    needed = slots_to_reach((rule.watch, rule.lapsed, rule.stopped), a, b, rule.hazard)

    slot_days, net_day = _walk(schedule, last, needed[2] + allowance, rule.net_days)
    watch, lapsed, stopped = (_opens_at(plan, slot_days, k, allowance, contacts) for k in needed)
    net = midnight_after(date.fromordinal(net_day), plan.zone) if net_day else None
    lapsed = _earlier(lapsed, net)
    return Silence(
        last_day=date.fromordinal(last),
        habit=s / n,
        # In the weeks that are missed now: what was usual under an earlier phase says nothing of these.
        usual_done=weekly * s / n,
        usual_expected=weekly,
        weekly_slots=weekly,
        allowance=allowance,
        slot_days=tuple(map(date.fromordinal, slot_days)),
        watch_at=_earlier(watch, lapsed),
        lapsed_at=lapsed,
        stopped_at=stopped,
        prior=(a, b),
    )


def wait_for_start(plan: Plan, schedule: Schedule) -> NotStarted:
    """When a program that has no session yet counts as not started: 5 slots or 7 days, whichever is sooner."""
    slot_days, day_limit = _walk(schedule, schedule.first - 1, NOT_STARTED_SLOTS, NOT_STARTED_DAYS)
    fifth = slot_days[NOT_STARTED_SLOTS - 1] if len(slot_days) >= NOT_STARTED_SLOTS else None
    due = min((day for day in (fifth, day_limit) if day), default=None)
    return NotStarted(
        opens_at=midnight_after(date.fromordinal(due), plan.zone) if due else None,
        slot_days=tuple(map(date.fromordinal, slot_days)),
    )


def slots_to_reach(thresholds: Sequence[float], a: float, b: float, hazard: float) -> list[int]:
    """The number of slots missed in a row at which P(stopped) reaches each of the rising `thresholds`.

    O_0 = 0; O_{k+1} = (O_k + h) / ((1 - h) q_k), q_k = (b + k) / (a + b + k): the posterior odds of the
    absorbing two-state model with p ~ Beta(a, b) (engine study, 2.2).
    """
    found: list[int] = []
    odds, k = 0.0, 0
    for threshold in thresholds:
        wanted = threshold / (1.0 - threshold)
        while odds < wanted and k < _MOST_SLOTS:
            odds = next_odds(odds, k, a, b, hazard)
            k += 1
        found.append(k)
    return found


def next_odds(odds: float, k: int, a: float, b: float, hazard: float) -> float:
    """The odds of having stopped after the (k+1)-th slot missed in a row."""
    return (odds + hazard) * (a + b + k) / ((1.0 - hazard) * (b + k))


def probability_stopped(missed: int, prior: tuple[float, float], rule: SilenceRule) -> float:
    """P(stopped) after `missed` slots in a row."""
    odds = 0.0
    for k in range(missed):
        odds = next_odds(odds, k, *prior, rule.hazard)
    return odds / (1.0 + odds)


def _habit(schedule: Schedule, done: dict[int, datetime], last: int, rule: SilenceRule) -> tuple[float, float]:
    """Faded sums up to `last`: n of what was expected, s of what was done, on any day, due or not."""
    fade = exp(-1.0 / rule.memory_days)
    n = s = 0.0
    for ordinal in range(max(schedule.first, last - HISTORY_DAYS + 1), last + 1):
        paused = schedule.is_paused(ordinal)
        n = n * fade + (0 if paused else schedule.unpaused_weight(ordinal) / UNIT)
        s = s * fade + (ordinal in done)
    return n, s


def _sync_allowance(plan: Plan, done: dict[int, datetime], last: int, weekly: float) -> int:
    """Slots subtracted because this patient's logs usually come late (engine study, 2.5.4, scaled to the week)."""
    delays = [
        max(0, received.astimezone(plan.zone).date().toordinal() - ordinal)
        for ordinal, received in done.items()
        if ordinal > last - SYNC_DAYS
    ]
    usual = 1.4 * sum(delays) / (len(delays) + 3) - 0.5
    return max(0, ceil(round(usual * weekly / 5, 9)))


def _walk(schedule: Schedule, last: int, slots: int, silent_days: int) -> tuple[list[int], int | None]:
    """Walk the days after `last`: the days on which slots fill up, and the first day by whose end
    `silent_days` unpaused days have passed and at least one slot was missed.
    """
    slot_days: list[int] = []
    net_day: int | None = None
    total = silent = 0
    for ordinal in range(last + 1, min(schedule.last, last + HORIZON_DAYS) + 1):
        if not schedule.is_paused(ordinal):
            silent += 1
            total += schedule.unpaused_weight(ordinal)
        if total >= UNIT * (len(slot_days) + 1):
            slot_days.append(ordinal)
        if net_day is None and silent >= silent_days and slot_days:
            net_day = ordinal
        if net_day is not None and len(slot_days) >= slots and ordinal >= last + TOLD_DAYS:
            break
    return slot_days, net_day


def _opens_at(
    plan: Plan, slot_days: Sequence[int], k: int, allowance: int, contacts: Sequence[datetime]
) -> datetime | None:
    """The end of slot k + allowance; or, once slot k has ended, the first contact: then nothing is on its way."""
    if len(slot_days) < k:
        return None
    missed = midnight_after(date.fromordinal(slot_days[k - 1]), plan.zone)
    in_touch = min((contact for contact in contacts if contact >= missed), default=None)
    if len(slot_days) < k + allowance:
        return in_touch
    return _earlier(in_touch, midnight_after(date.fromordinal(slot_days[k + allowance - 1]), plan.zone))


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((moment for moment in (one, other) if moment), default=None)
