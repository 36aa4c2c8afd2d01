"""What patients say in words, and what the clinic owes them: a look at a flare, a review, a question in time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from models.adherence.kinds import Finding, FlagKind, Report, Severity, by_time, is_same_day
from models.adherence.rules.contact import NEWS_LASTS
from models.adherence.schedule import midnight_after
from models.adherence.view import DAY, View

BARRIER_DAYS = 14
CHECK_IN_LATE = timedelta(days=7), timedelta(days=21)
"""When an unanswered check-in is overdue, and when gravely so (clinical content F-13)."""
FLARES_WITHIN = timedelta(days=60)


def barrier(reports: Sequence[Report], now: datetime) -> Finding | None:
    """The reason given for not exercising in the last 14 days, the gravest before the latest; red and the same day
    for hurt, afraid and no relief.
    """
    fresh = timedelta(days=BARRIER_DAYS)
    recent = [report for report in reports if report.reason and report.told_at + fresh > now]
    told = max(recent, key=lambda report: (is_same_day(report.reason), *by_time(report)), default=None)
    # As long as any of them is fresh: when the gravest has faded, nothing runs to say the next one.
    fades_at = max((report.told_at for report in recent), default=now) + fresh
    if told is None:
        return None
    return Finding(
        kind=FlagKind.BARRIER,
        severity=Severity.HIGH if is_same_day(told.reason) else Severity.MEDIUM,
        opens_at=told.told_at,
        expires_at=fades_at,
        episode=told.session_id,
        evidence={
            "session_id": told.session_id,
            "day": told.day.isoformat(),
            "reason": told.reason,
            "exercised": told.exercised,
        },
    )


def barrier_of(view: View) -> Finding | None:
    """The reason that nobody has answered; of a program that is over, only what was told after its end."""
    ended = view.plan.ended_at
    heard = [report for report in view.reports if ended is None or report.told_at > ended]
    return barrier([report for report in heard if (report.session_id, report.reason) not in view.answered], view.now)


def unsure(view: View) -> Finding | None:
    """Someone was not sure how to do an exercise (F-07), in the last 14 days: show it again."""
    told = [
        report
        for report in view.fresh(FlagKind.UNSURE)
        if (report.unsure or "not_sure" in report.chips) and report.told_at + NEWS_LASTS > view.now
    ]
    if not told:
        return None
    return Finding(
        kind=FlagKind.UNSURE,
        severity=Severity.MEDIUM,
        opens_at=min(report.told_at for report in told),
        expires_at=max(report.told_at for report in told) + NEWS_LASTS,
        episode=view.episode(FlagKind.UNSURE),
        evidence={"day": told[-1].day.isoformat(), "times": len(told)},
    )


def withdrawn(view: View) -> Finding | None:
    """The patient said they stopped, and why; hurt, afraid and no relief are red."""
    said = view.withdrawal
    if said is None:
        return None
    return Finding(
        kind=FlagKind.WITHDRAWN,
        severity=Severity.HIGH if is_same_day(said.reason) else Severity.MEDIUM,
        opens_at=said.told_at,
        episode=said.on.isoformat(),
        evidence={"reason": said.reason, "day": said.on.isoformat()},
    )


def flare_long(view: View) -> Finding | None:
    """A flare of more than 7 days, or the third within 60 days (F-12): rheumatology should know."""
    spans = _joined((flare.from_on, flare.to_on) for flare in view.plan.flares)
    limits = view.limits
    for first, last in reversed(spans):
        lately = [span for span in spans if first - FLARES_WITHIN < span[0] <= first]
        opens = []
        if (last - first).days + 1 > limits.flare_days:
            opens.append((view.ends(first + (limits.flare_days - 1) * DAY), "long"))
        if len(lately) >= limits.flares:
            opens.append((view.ends(first - DAY), "often"))
        if opens:
            return _flare_finding(view, first, last, len(lately), *min(opens))
    return None


def _flare_finding(view: View, first: date, last: date, flares: int, opens_at: datetime, why: str) -> Finding:
    return Finding(
        kind=FlagKind.FLARE_LONG,
        severity=Severity.MEDIUM,
        opens_at=opens_at,
        expires_at=view.ends(last) + NEWS_LASTS,
        episode=first.isoformat(),
        evidence={
            "why": why,
            "from_on": first.isoformat(),
            "to_on": last.isoformat(),
            "flares": flares,
            "most_days": view.limits.flare_days,
        },
    )


def review_due(view: View) -> Finding | None:
    """The four-week review is due when `review_due_on` has passed (clinical content R-26)."""
    due = view.review_due_on
    if due is None:
        return None
    return Finding(
        kind=FlagKind.REVIEW_DUE,
        severity=Severity.MEDIUM,
        opens_at=view.ends(due),
        episode=due.isoformat(),
        evidence={"due_on": due.isoformat()},
    )


def screening_due(view: View) -> Finding | None:
    """The red-flag questions are asked anew each month (clinical content 2.5, R-01). Who is silent is called for that
    already, and asked then.
    """
    asked = view.screened_on
    if asked is None or view.judged.silence is None:
        return None
    opens_at = view.ends(asked + timedelta(days=view.limits.screening_days))
    if view.lapses_at is not None and view.lapses_at <= opens_at:
        return None
    return Finding(
        kind=FlagKind.SCREENING_DUE,
        severity=Severity.MEDIUM,
        opens_at=opens_at,
        expires_at=view.lapses_at,
        episode=asked.isoformat(),
        evidence={"screened_on": asked.isoformat()},
    )


def check_in_overdue(view: View) -> Finding | None:
    """A check-in after discharge is 7 days overdue (red: 21 days; clinical content F-13)."""
    if view.check_in is None:
        return None
    due_on, month = view.check_in
    opens, rises = (midnight_after(due_on + late, view.plan.zone) for late in CHECK_IN_LATE)
    return Finding(
        kind=FlagKind.CHECK_IN_OVERDUE,
        severity=Severity.MEDIUM,
        opens_at=opens,
        rises_at=rises,
        rises_to=Severity.HIGH,
        episode=due_on.isoformat(),
        evidence={"due_on": due_on.isoformat(), "month": month},
    )


def measure_worse(worse: Sequence[Mapping[str, Any]], now: datetime) -> Finding | None:
    """Measures worse than at the beginning by enough to matter (engine study, section 5), as {code, name, baseline,
    latest, taken_on}; until they are back within. A measure that was closed is news again when it is taken anew.
    """
    if not worse:
        return None
    return Finding(
        kind=FlagKind.MEASURE_WORSE,
        severity=Severity.MEDIUM,
        opens_at=now,
        episode=max(one["taken_on"] for one in worse),
        evidence={"measures": [dict(one) for one in worse]},
    )


def _joined(spans: Iterable[tuple[date, date]]) -> list[tuple[date, date]]:
    """Spans of days in order, those that touch made one."""
    joined: list[tuple[date, date]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + DAY:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined
