"""Episodes of following a program, and the silences between them.

Implementation is judged within episodes and persistence by their end (ABC taxonomy, Vrijens 2012: engine study,
section 4): the days of a silence that had lapsed are neither missed days of a program that is being followed, nor the
end of it if the patient came back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from models.adherence.assessment import Assessment
from models.adherence.plan import Pause, Plan
from models.adherence.schedule import UNIT, Schedule, midnight_after
from models.adherence.silence import HISTORY_DAYS, Done, SilenceRule, listen

DAY = timedelta(days=1)
_FEWEST_MISSED = 4
"""No silence is a therapist's matter after fewer slots (k* is 5 for a perfect habit at the lowest threshold), but for
the net."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A silence that had become a therapist's matter before it ended."""

    last_day: date
    back: Done


def absences(
    plan: Plan, schedule: Schedule, done: Sequence[Done], contacts: Sequence[datetime], rule: SilenceRule, since: date
) -> list[Absence]:
    """The silences that had lapsed before they ended with a session on `since` or later, in order."""
    first_of = {one.day: one for one in sorted(done, key=lambda one: one.received_at, reverse=True)}
    found = []
    for before, after in pairwise(sorted(first_of)):
        gap = range(before.toordinal() + 1, after.toordinal())
        if after < since or len(gap) < _FEWEST_MISSED:
            continue
        missed = sum(map(schedule.weight, gap))
        if missed < UNIT or (missed < _FEWEST_MISSED * UNIT and len(gap) < rule.net_days):
            continue
        until = [one for one in done if before - HISTORY_DAYS * DAY <= one.day <= before]
        heard = listen(plan, schedule, until, contacts, rule)
        if heard.lapsed_at is not None and heard.lapsed_at <= midnight_after(after - DAY, plan.zone):
            found.append(Absence(before, first_of[after]))
    return found


def silent_spans(found: Iterable[Absence], judged: Assessment, at: datetime, last: date) -> list[tuple[date, date]]:
    """The days of lapsed silences, both included: those that ended, and the one that had lapsed by `at`, up to `last`;
    also where the program was paused or ended after it had.
    """
    spans = [(one.last_day + DAY, one.back.day - DAY) for one in found]
    silence = judged.silence
    if silence is not None and silence.lapsed_at is not None and silence.lapsed_at <= at and silence.last_day < last:
        spans.append((silence.last_day + DAY, last))
    return spans


def followed(plan: Plan, silent: Iterable[tuple[date, date]]) -> Plan:
    """The plan with the days of silences taken out like pauses: what is left is what was being followed."""
    return replace(plan, pauses=(*plan.pauses, *(Pause(first, last) for first, last in silent if first <= last)))
