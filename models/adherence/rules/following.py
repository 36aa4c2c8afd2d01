"""How a running program is followed: how often, how much of it, and what is left out.

Windows end with the last session, and are walked back over those before it, so that what is said does not depend on the
order in which logs arrived. A silence that has become a matter of its own takes all of it over, and what people closed
is counted anew from the next day.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from statistics import median
from typing import Any

from models.adherence.chance import below, fell
from models.adherence.kinds import Finding, FlagKind, Severity
from models.adherence.rates import dose_share
from models.adherence.view import AHEAD_DAYS, DAY, LOOK_BACK_DAYS, WALK_DAYS, View

SESSIONS = 6
"""Sessions the dose is the median of."""
Judged = tuple[Severity, dict[str, Any]]
Level = Callable[[date, bool], Judged | None]
"""How grave a matter is over the window that ends with a day, and on what evidence; told whether it is open already."""


def low_adherence(view: View) -> Finding | None:
    """Fewer than 80 % (red: 60 %) of the expected session days in 28 days, with 8 or more expected and P ≥ .8 that the
    rate is lower; until 5 points above (Bailey 2018, Jones 2025; engine study, section 7).
    """
    limits, closed = view.limits, view.closed_on(FlagKind.LOW_ADHERENCE)

    def level(day: date, is_open: bool) -> Judged | None:  # noqa: FBT001  (a function of our own)
        done, expected = view.days.frequency(day, 28, closed)
        if expected < limits.low_slots:
            return None
        told = {"done": round(done, 2), "expected": round(expected, 2), "days": _days(view, day, 28)}
        told |= _window(view, day, 28)
        for cut, severity in ((limits.low_red, Severity.HIGH), (limits.low_amber, Severity.MEDIUM)):
            if done < cut * expected and below(cut, done, expected) >= limits.sure:
                return severity, told
        return (Severity.MEDIUM, told) if is_open and done < (limits.low_amber + limits.slack) * expected else None

    return _over_days(view, FlagKind.LOW_ADHERENCE, level)


def declining(view: View) -> Finding | None:
    """The last 14 days 15 points below the 28 before, with P ≥ .9 (90 % to 65 % in twelve weeks is ordinary: engine
    study, 1.2), until the difference is under 5 points.
    """
    limits, closed = view.limits, view.closed_on(FlagKind.DECLINING)

    def level(day: date, is_open: bool) -> Judged | None:  # noqa: FBT001  (a function of our own)
        done, expected = view.days.frequency(day, 14, closed)
        done_before, expected_before = view.days.frequency(day - 14 * DAY, 28, closed)
        if expected < limits.declining_slots or expected_before < 2 * limits.declining_slots:
            return None
        fall = done_before / expected_before - done / expected
        surely = (
            fall > limits.decline
            and fell(done, expected, done_before, expected_before, limits.decline) >= limits.declining_sure
        )
        if not surely and not (is_open and fall >= limits.slack):
            return None
        told = {"share": round(done / expected, 4), "share_before": round(done_before / expected_before, 4)}
        told |= _window(view, day, 42)
        return Severity.MEDIUM, told

    return _over_days(view, FlagKind.DECLINING, level)


def incomplete(view: View) -> Finding | None:
    """Fewer than 70 % of the items touched in the 14 days up to the last session, of which 70 % or more were kept
    (F-04): some exercises are left out again and again.
    """
    limits, closed = view.limits, view.closed_on(FlagKind.INCOMPLETE)
    if not view.bouts:
        return None
    last = view.bouts[-1].day
    done, expected = view.days.frequency(last, 14, closed)
    if expected < limits.incomplete_slots or done < limits.incomplete * expected:
        return None
    touched, asked = view.days.items(last, 14, closed)
    if touched >= limits.incomplete * asked:
        return None
    told = {"touched": round(touched, 2), "expected": round(asked, 2), "days": 14} | _window(view, last, 14)
    return _since_last_session(view, FlagKind.INCOMPLETE, told)


def partial_dose(view: View) -> Finding | None:
    """The median dose of the last six sessions under 80 % of what was prescribed."""
    closed = view.closed_on(FlagKind.PARTIAL_DOSE)
    last: list[float] = []
    for bout in reversed(view.bouts):
        if len(last) == SESSIONS or (closed is not None and bout.day <= closed):
            break
        stretch = view.schedule.stretch(bout.day.toordinal())
        lines = {line.line_id: line for line in stretch.phase.lines} if stretch else {}
        shares = [
            dose_share(lines[entry.line_id], entry)
            for entry in bout.entries
            if entry.line_id in lines and not entry.skipped and not lines[entry.line_id].as_needed
        ]
        if shares:
            last.append(sum(shares) / len(shares))
    if len(last) < SESSIONS or median(last) >= view.limits.dose:
        return None
    return _since_last_session(view, FlagKind.PARTIAL_DOSE, {"dose": round(median(last), 4), "sessions": SESSIONS})


def strength_dropped(view: View) -> Finding | None:
    """No strength exercise for 14 days (red: 28) though it is prescribed and others go on (F-05): strength lost is why
    backs relapse.
    """
    return _dropped(view, FlagKind.STRENGTH_DROPPED, "strength")


def core_dropped(view: View) -> Finding | None:
    """Core and stabilization exercises left out for 14 days (red: 28) while others go on (F-06)."""
    return _dropped(view, FlagKind.CORE_DROPPED, "core")


def _over_days(view: View, kind: FlagKind, level: Level) -> Finding | None:
    """Whether the window that ends with the last session's day is bad, since when, and from when gravely so.

    Looked at with each session of the days before: what a silence adds to a window is the silence's matter.
    """
    heard: dict[date, datetime] = {}
    for done in view.done:
        heard[done.day] = min(done.received_at, heard.get(done.day, done.received_at))
    last = max(heard, default=None)
    found: Finding | None = None
    for day in sorted(day for day in heard if last and day >= last - WALK_DAYS * DAY):
        judged = level(day, found is not None)
        if judged is None:
            found = None
            continue
        severity, told = judged
        if found is None:
            found = Finding(
                kind=kind,
                severity=severity,
                opens_at=heard[day],
                expires_at=view.lapses_at,
                episode=view.episode(kind),
                evidence=told,
            )
        elif severity > found.severity:
            rises_at = found.rises_at or heard[day]
            found = replace(found, rises_at=rises_at, rises_to=severity, evidence=told)
        else:
            found = replace(found, severity=severity, rises_at=None, rises_to=None, evidence=told)
    return found


def _days(view: View, last: date, days: int) -> int:
    """How many days a window has in a program that may be younger than it."""
    return min(days, (last - view.plan.starts_on).days + 1)


def _window(view: View, last: date, days: int) -> dict[str, Any]:
    """The window's last day, and how many of its days were a long silence's."""
    return {"through": last.isoformat(), "silent_days": view.days.silent(last, days)}


def _since_last_session(view: View, kind: FlagKind, told: dict[str, Any]) -> Finding:
    """What the last session showed: it holds until another shows otherwise, or silence takes over."""
    return Finding(
        kind=kind,
        severity=Severity.LOW,
        opens_at=max((report.told_at for report in view.reports if report.exercised), default=view.now),
        expires_at=view.lapses_at,
        episode=view.episode(kind),
        evidence=told,
    )


def _dropped(view: View, kind: FlagKind, what: str) -> Finding | None:
    """How long nothing of a kind was done on days on which the plan asks for it, while other exercise went on."""
    wanted = {line_id for line_id, kinds in view.trains.items() if what in kinds}
    done = [
        bout.day for bout in view.bouts if any(entry.line_id in wanted and not entry.skipped for entry in bout.entries)
    ]
    today = view.today.toordinal()
    asks = {
        stretch.first: any(line.line_id in wanted and not line.as_needed for line in stretch.phase.lines)
        for stretch in view.schedule.stretches
    }
    asked = [
        date.fromordinal(ordinal)
        for ordinal in range(today - LOOK_BACK_DAYS, today + AHEAD_DAYS)
        if (stretch := view.schedule.stretch(ordinal)) and asks[stretch.first] and view.days.counts(ordinal)
    ]
    if not asked:
        return None
    closed = view.closed_on(kind)
    since = max([*done[-1:], *([closed] if closed else []), asked[0] - DAY])
    if not any(bout.day > since for bout in view.bouts):
        return None  # nothing else went on either: that is silence
    missed = [day for day in asked if day > since]
    began = max(view.plan.starts_on, view.today - LOOK_BACK_DAYS * DAY)
    amber, red = (
        view.ends(missed[days - 1]) if len(missed) >= days else None
        for days in (view.limits.dropped_days, 2 * view.limits.dropped_days)
    )
    if amber is None or (view.nudges_at is not None and view.nudges_at <= amber):
        return None
    return Finding(
        kind=kind,
        severity=Severity.MEDIUM,
        opens_at=amber,
        rises_at=red,
        rises_to=Severity.HIGH if red else None,
        expires_at=view.lapses_at,
        # Not the day itself: where nothing was ever done it moves on with the look-back, and the matter is the same.
        episode=view.episode(kind),
        evidence={"since": (done[-1] if done else began).isoformat(), "ever": bool(done)},
    )
