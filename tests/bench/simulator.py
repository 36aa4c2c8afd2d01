"""Patients made up to be awkward: deliberately not the engine's own model.

What is theirs (engine study, 2.3): habits from two groups, a weekday rhythm in half, decay in 30 %, undeclared
illness (2 a year, median 6 days), holidays (1.5 a year, 7-16 days, half of them declared), 15 % who send a week's logs
at once and skip weeks, 3, 5 or 7 days a week, and a hazard of stopping for good that differs from person to person and
is 1.6 times as high in the first month. The sizes behind the words are assumptions; the study says which directions
come from the literature. The dice are `random.Random` seeded with seed and number, so that a patient is the same
whoever makes them.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import exp, log
from random import Random

from models.adherence import Done, Pause
from tests.bench.story import ON_DAYS, Declared, Story, midnight, prescribed

DAYS = 240
"""How long each patient is observed."""
START = date(2025, 1, 6)
"""A Monday."""
PER_WEEK = {5: 0.6, 3: 0.25, 7: 0.15}
KEEN, RELUCTANT, KEEN_SHARE = (9.0, 2.0), (1.5, 3.5), 0.55
"""The two groups' habits, each a Beta. The study tells them only by what the textbook model fits to its patients' logs:
habits of Beta(1.31, 1.0), a hazard of .0078; and by 49 % done. These give Beta(1.30, 1.21), .0073 and 50 %. It matters:
the more people differ, the more a rule that learns from each gains on one that does not."""
HAZARD = 0.0057
"""Of stopping for good, a day, before frailty: about 40 % within 12 weeks."""
FIRST_MONTH = 1.6
ILL_A_YEAR, ILL_MEDIAN_DAYS, ILL_SPREAD = 2.0, 6.0, 0.6
HOLIDAYS_A_YEAR, HOLIDAY_DAYS = 1.5, (7, 16)
DECAY_DAYS = 84
"""Over which the habit of those who decay loses 0.8 to 2 logits (90 % to 65 % is 1.6), to stay there."""
BATCHES = 0.15
"""The share who send a week's logs at once."""
SKIPS_A_WEEK = 0.125
"""Of those, the share of weeks in which nothing is sent. The study leaves it open; with one in eight, rules of 7, 14
and 21 silent days raise about as many false alarms as there (9.4, 3.1 and 1.3 a year; there 9.9, 2.6 and 1.1)."""


@dataclass(frozen=True, slots=True)
class Made:
    """A simulated patient with what only the simulator knows."""

    story: Story | None
    """None: nothing was ever received, so there is no silence to judge."""
    scheduled: int
    """Days on which exercise was due before the stop, pauses included."""
    done: int
    stop_day: int | None
    """Days after the start; None if later than the observation."""
    rhythm: bool
    decays: bool
    batches: bool
    illnesses: int
    holidays: int
    declared: int


def patient(seed: int, number: int) -> Made:
    """The patient with this number of this seed's cohort."""
    dice = Random(f"{seed}/{number}")
    weekdays = ON_DAYS[per_week := dice.choices(list(PER_WEEK), list(PER_WEEK.values()))[0]]
    habit = _Habit(dice)
    stop_day = _stop_day(dice)
    ill = _spells(dice, ILL_A_YEAR, lambda: max(1, round(dice.lognormvariate(log(ILL_MEDIAN_DAYS), ILL_SPREAD))))
    holidays = _spells(dice, HOLIDAYS_A_YEAR, lambda: dice.randint(*HOLIDAY_DAYS))
    away = {day for first, last in (*ill, *holidays) for day in range(first, last + 1)}

    active = range(DAYS if stop_day is None else stop_day)
    scheduled = [day for day in active if day % 7 in weekdays]
    done = [day for day in scheduled if dice.random() < habit.on(day) and day not in away]
    batches = dice.random() < BATCHES
    syncs = _weekly(dice) if batches else []
    until = midnight(START + timedelta(days=DAYS))
    sent = sorted((_sent(dice, day, syncs) for day in done), key=lambda sent: sent.received_at)
    logs = [one for one in sent if one.received_at < until]
    told = _declared(dice, holidays, len(active))
    story = Story(
        plan=prescribed(START, per_week),
        logs=tuple(logs),
        stopped_at=None if stop_day is None else midnight(START + timedelta(days=stop_day)),
        until=until,
        contacts=tuple(syncs if batches else _heart_beats(dice, len(active))),
        declared=tuple(told),
    )
    return Made(
        story=story if logs else None,
        scheduled=len(scheduled),
        done=len(done),
        stop_day=stop_day,
        rhythm=habit.rhythm,
        decays=habit.decay > 0,
        batches=batches,
        illnesses=len(ill),
        holidays=len(holidays),
        declared=len(told),
    )


class _Habit:
    """How likely this patient does what is due on a day, illness and holidays aside."""

    def __init__(self, dice: Random) -> None:
        group = KEEN if dice.random() < KEEN_SHARE else RELUCTANT
        usual = dice.betavariate(*group)
        self.logit = log(usual / (1 - usual))
        self.rhythm = dice.random() < 0.5
        self.by_weekday = [dice.gauss(0, 1) if self.rhythm else 0.0 for _ in range(7)]
        self.decay = dice.uniform(0.8, 2.0) if dice.random() < 0.3 else 0.0

    def on(self, day: int) -> float:
        logit = self.logit + self.by_weekday[day % 7] - self.decay * min(1.0, day / DECAY_DAYS)
        return 1 / (1 + exp(-logit))


def _stop_day(dice: Random) -> int | None:
    """The first day on which the patient is gone; frailty is Gamma(2) with mean 1."""
    hazard = HAZARD * dice.gammavariate(2, 0.5)
    for day in range(DAYS):
        if dice.random() < hazard * (FIRST_MONTH if day < 30 else 1):
            return day
    return None


def _spells(dice: Random, a_year: float, length: Callable[[], int]) -> list[tuple[int, int]]:
    """First and last days of what begins so often a year."""
    begun = [day for day in range(DAYS) if dice.random() < a_year / 365]
    return [(day, day + length() - 1) for day in begun]


def _weekly(dice: Random) -> list[datetime]:
    """When someone sends who does so once a week, and not in every week."""
    weekday = dice.randrange(7)
    return [
        midnight(START + timedelta(days=day)) + timedelta(hours=20)
        for day in range(weekday, DAYS + 28, 7)
        if dice.random() >= SKIPS_A_WEEK
    ]


def _sent(dice: Random, day: int, syncs: list[datetime]) -> Done:
    """A session done on a day, sent at once, now and then some days later, or with the week's others."""
    finished = midnight(START + timedelta(days=day)) + timedelta(minutes=dice.randint(8 * 60, 20 * 60))
    if syncs:
        received = syncs[min(bisect_left(syncs, finished), len(syncs) - 1)]
    else:
        received = finished + timedelta(days=dice.choices((0, 1, 2, 3), (92, 5, 2, 1))[0])
    return Done(START + timedelta(days=day), received)


def _heart_beats(dice: Random, active_days: int) -> list[datetime]:
    """A phone that sends at once is in touch on nine days of ten, and for some weeks after its owner has stopped."""
    kept = active_days + dice.expovariate(1 / 45)
    return [
        midnight(START + timedelta(days=day)) + timedelta(hours=21)
        for day in range(DAYS)
        if day < kept and dice.random() < 0.9
    ]


def _declared(dice: Random, holidays: list[tuple[int, int]], active_days: int) -> list[Declared]:
    """Half of the holidays, told up to five days ahead; who has stopped tells nothing more."""
    told = []
    for first, last in holidays:
        on, says = max(0, first - dice.randint(0, 5)), dice.random() < 0.5
        if says and on < active_days:
            pause = Pause(START + timedelta(days=first), START + timedelta(days=last))
            told.append(Declared(midnight(START + timedelta(days=on)) + timedelta(hours=7), pause))
    return sorted(told, key=lambda one: one.at)
