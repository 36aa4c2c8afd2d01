"""The engine said again, slowly and plainly, to hold the real one against. Dates and sums, nothing clever."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from math import ceil, exp

from models.adherence import Done, Phase, Plan, Standing

A0, B0, H, N_EFF = 1.31, 1.0, 0.0078, 2.0
LOOK_AHEAD = 900


def phase_on(plan: Plan, day: date) -> Phase | None:
    if day < plan.starts_on or (plan.ends_on and day > plan.ends_on):
        return None
    reigning = [revision for revision in plan.revisions if revision.effective_on <= day]
    if not reigning:
        return None
    revision = max(reigning, key=lambda one: one.number)
    if revision.flare and any(flare.from_on <= day <= flare.to_on for flare in plan.flares):
        return revision.flare
    number = (day - plan.starts_on).days + 1
    for phase in revision.phases:
        if phase.from_day <= number and (phase.to_day is None or number <= phase.to_day):
            return phase
    return None


def is_definite(plan: Plan, phase: Phase, day: date) -> bool:
    first = plan.starts_on + timedelta(days=phase.from_day - 1)
    return any(
        day.weekday() in line.weekdays
        or (line.every_n_days is not None and (day - first).days % line.every_n_days == 0)
        for line in phase.lines
        if not line.as_needed
    )


def is_paused(plan: Plan, day: date) -> bool:
    return any(pause.from_on <= day and (pause.to_on is None or day <= pause.to_on) for pause in plan.pauses)


def weight(plan: Plan, day: date, *, pauses: bool = True) -> Fraction:
    phase = phase_on(plan, day)
    if phase is None or (pauses and is_paused(plan, day)):
        return Fraction(0)
    if is_definite(plan, phase, day):
        return Fraction(1)
    flexible = [line.days_per_week or 0 for line in phase.lines if not line.as_needed]
    n = max(flexible, default=0)
    monday = day - timedelta(days=day.weekday())
    definite = sum(is_definite(plan, phase, monday + timedelta(days=i)) for i in range(7))
    return Fraction(max(0, n - definite), 7 - definite) if n else Fraction(0)


def end_of(plan: Plan, day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), plan.zone).astimezone(UTC)


def p_stopped(k: int, a: float, b: float) -> float:
    """By the explicit sum over the slot at which they stopped, not by the recursion."""

    def still(j: int) -> float:
        product = 1.0
        for i in range(j):
            product *= (b + i) / (a + b + i)
        return product

    active = (1 - H) ** k * still(k)
    stopped = H * sum((1 - H) ** j * still(j) for j in range(k))
    return stopped / (active + stopped)


def thresholds(  # noqa: C901  (all of it in one place, to be read beside the study)
    plan: Plan, sessions: Sequence[Done], contacts: Sequence[datetime]
) -> tuple[datetime | None, datetime | None, datetime | None]:
    """watch, lapsed, stopped."""
    days = {session.day for session in sessions}
    last = max(days)
    n = s = 0.0
    day = max(plan.starts_on, last - timedelta(days=239))
    while day <= last:
        fade = exp(-(last - day).days / 30)
        n += fade * float(weight(plan, day))
        s += fade * (day in days)
        day += timedelta(days=1)
    n = max(n, s)
    c = min(1.0, N_EFF / n)
    a, b = A0 + c * s, B0 + c * (n - s)

    delays = []
    for day in days:
        if (last - day).days < 30:
            received = min(one.received_at for one in sessions if one.day == day)
            delays.append(max(0, (received.astimezone(plan.zone).date() - day).days))
    weekly = sum(weight(plan, last + timedelta(days=i), pauses=False) for i in range(1, 8))
    raw = (1.4 * sum(delays) / (len(delays) + 3) - 0.5) * float(weekly) / 5
    allowance = max(0, ceil(round(raw, 9)))

    slots: list[date] = []
    total, silent, net = Fraction(0), 0, None
    for i in range(1, LOOK_AHEAD):
        day = last + timedelta(days=i)
        if plan.ends_on and day > plan.ends_on:
            break
        total += weight(plan, day)
        silent += not is_paused(plan, day)
        if total >= len(slots) + 1:
            slots.append(day)
        if net is None and silent >= 21 and slots:
            net = end_of(plan, day)

    def opens(tau: float) -> datetime | None:
        k = next((k for k in range(1, 400) if p_stopped(k, a, b) >= tau), 400)
        if len(slots) < k:
            return None
        ended = end_of(plan, slots[k - 1])
        moments = [contact for contact in contacts if contact >= ended][:]
        if len(slots) >= k + allowance:
            moments.append(end_of(plan, slots[k + allowance - 1]))
        return min(moments, default=None)

    watch, lapsed, stopped = opens(0.3), opens(0.5), opens(0.8)
    lapsed = min((m for m in (lapsed, net) if m), default=None)
    watch = min((m for m in (watch, lapsed) if m), default=None)
    return watch, lapsed, stopped


def standing(plan: Plan, sessions: Sequence[Done], contacts: Sequence[datetime], at: datetime) -> Standing:
    if plan.ends_on and at >= end_of(plan, plan.ends_on):
        return Standing.ENDED
    if is_paused(plan, at.astimezone(plan.zone).date()):
        return Standing.PAUSED
    if not sessions:
        return Standing.NOT_STARTED
    answer = Standing.ON_TRACK
    words = (Standing.WATCH, Standing.LAPSED, Standing.STOPPED)
    for moment, word in zip(thresholds(plan, sessions, contacts), words, strict=True):
        if moment is not None and at >= moment:
            answer = word
    return answer
