"""How a program stands at a moment, and until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from models.adherence.plan import Plan
from models.adherence.schedule import Schedule, midnight_after
from models.adherence.silence import DEFAULT_RULE, Done, NotStarted, Silence, SilenceRule, listen, wait_for_start

RULE_VERSION = 1
"""Raised whenever the same history would be judged differently; stored beside every judgement."""


class Standing(StrEnum):
    """What may be said of a program. `stopped` is a judgement about silence, `withdrawn` what the patient said."""

    NOT_STARTED = "not_started"
    ON_TRACK = "on_track"
    WATCH = "watch"
    LAPSED = "lapsed"
    STOPPED = "stopped"
    PAUSED = "paused"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Change:
    """From `at` on the standing is `standing`, if nothing more is heard."""

    at: datetime
    standing: Standing


@dataclass(frozen=True, slots=True)
class Assessment:
    """How a program stands, and its whole future under silence."""

    standing: Standing
    forecast: tuple[Change, ...]
    """Every later change if nothing more is heard, in order."""
    silence: Silence | None
    """None before the first session."""
    waiting: NotStarted | None
    """None once there was a session."""

    @property
    def changes_at(self) -> datetime | None:
        """The first moment the standing differs if nothing more is heard; None if it never does."""
        return self.forecast[0].at if self.forecast else None


def standing_at(standing: Standing, forecast: Sequence[Change], at: datetime) -> Standing:
    """What a stored standing and its forecast say of a later moment."""
    for change in forecast:
        if change.at > at:
            break
        standing = change.standing
    return standing


def assess(
    plan: Plan,
    done: Sequence[Done],
    at: datetime,
    *,
    contacts: Sequence[datetime] = (),
    withdrawn: bool = False,
    rule: SilenceRule = DEFAULT_RULE,
) -> Assessment:
    """Judge the days with exercise `done` against `plan` as of `at`.

    `contacts` are moments at which the patient's phone had sent all it had: silence proved, not presumed.
    `withdrawn` says that a program that has an end was ended by the patient.
    """
    schedule = Schedule(plan)
    silence = listen(plan, schedule, done, contacts, rule) if done else None
    waiting = None if done else wait_for_start(plan, schedule)
    over = Standing.WITHDRAWN if withdrawn else Standing.ENDED
    over_at = plan.ended_at or (midnight_after(plan.ends_on, plan.zone) if plan.ends_on else None)
    edges = _edges(plan, schedule, silence, over_at)

    def standing(moment: datetime) -> Standing:  # noqa: PLR0911  (one standing a line)
        if over_at and moment >= over_at:
            return over
        if schedule.is_paused(moment.astimezone(plan.zone).toordinal()):
            return Standing.PAUSED
        if silence is None:
            return Standing.NOT_STARTED
        if silence.stopped_at and moment >= silence.stopped_at:
            return Standing.STOPPED
        if silence.lapsed_at and moment >= silence.lapsed_at:
            return Standing.LAPSED
        if silence.watch_at and moment >= silence.watch_at:
            return Standing.WATCH
        return Standing.ON_TRACK

    now = latest = standing(at)
    forecast: list[Change] = []
    for moment in edges:
        if moment > at and (then := standing(moment)) != latest:
            forecast.append(Change(moment, then))
            latest = then
    return Assessment(standing=now, forecast=tuple(forecast), silence=silence, waiting=waiting)


def _edges(plan: Plan, schedule: Schedule, silence: Silence | None, over_at: datetime | None) -> list[datetime]:
    """Every moment at which the standing may change, in order."""
    edges = {over_at}
    if silence:
        edges |= {silence.watch_at, silence.lapsed_at, silence.stopped_at}
    for first, last in schedule.pauses():
        edges.add(midnight_after(date.fromordinal(first) - timedelta(days=1), plan.zone))
        if last < date.max.toordinal():
            edges.add(midnight_after(date.fromordinal(last), plan.zone))
    return sorted(edge for edge in edges if edge)
