"""Who is silent, who never began, who is back; and what their phones have to do with it."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from statistics import median

from models.adherence.assessment import Assessment, Standing
from models.adherence.kinds import Finding, FlagKind, Report, Severity, by_time
from models.adherence.view import DAY, View

NEWS_LASTS = timedelta(days=14)
"""How long news stays on the list (engine study, section 7)."""
LATE_SESSIONS, OF_SESSIONS = 3, 10


def silence(assessment: Assessment, reports: Sequence[Report] = ()) -> Finding | None:
    """`watch` reminds the patient, `lapsed` and `stopped` are the therapist's; any later session ends it.

    The last of `reports` that came instead of exercise is told with it.
    """
    heard = assessment.silence
    if heard is None or heard.lapsed_at is None or _is_over(assessment):
        return None
    return Finding(
        kind=FlagKind.SILENCE,
        severity=Severity.MEDIUM,
        opens_at=heard.lapsed_at,
        rises_at=heard.stopped_at,
        rises_to=Severity.HIGH if heard.stopped_at else None,
        nudges_at=heard.watch_at,
        episode=heard.last_day.isoformat(),
        evidence={
            "last_day": heard.last_day.isoformat(),
            "habit": round(heard.habit, 4),
            "usual_done": round(heard.usual_done, 4),
            "usual_expected": round(heard.usual_expected, 4),
            "sync_allowance_slots": heard.allowance,
            # Days after the last one, by whose end the 1st, 2nd, … expected session was missed.
            "slots_after_days": heard.slots_after_days(),
            **_told_instead([report for report in reports if report.day >= heard.last_day]),
        },
    )


def not_started(assessment: Assessment, starts_on: date) -> Finding | None:
    """No session by the fifth expected one or the seventh day (engine study, section 7)."""
    waiting = assessment.waiting
    if waiting is None or waiting.opens_at is None or _is_over(assessment):
        return None
    return Finding(
        kind=FlagKind.NOT_STARTED,
        severity=Severity.MEDIUM,
        opens_at=waiting.opens_at,
        episode=starts_on.isoformat(),
        evidence={
            "starts_on": starts_on.isoformat(),
            "slots_after_days": [(day - starts_on).days + 1 for day in waiting.slot_days],
        },
    )


def returned(view: View) -> Finding | None:
    """A session after a silence that had become the therapist's matter, for 14 days: welcome back, and start lower."""
    back = [absence for absence in view.absences if absence.back.received_at + NEWS_LASTS > view.now]
    if not back:
        return None
    last = back[-1]
    return Finding(
        kind=FlagKind.RETURNED,
        severity=Severity.INFO,
        opens_at=last.back.received_at,
        expires_at=last.back.received_at + NEWS_LASTS,
        episode=last.back.day.isoformat(),
        evidence={"day": last.back.day.isoformat(), "absent_since": last.last_day.isoformat()},
    )


def sync_stale(view: View) -> Finding | None:
    """The phone has not been in touch for 7 days, or three times its usual gap if that is longer. Told beside a
    silence, which it may explain.
    """
    touches = sorted(view.touches)
    if not touches:
        return None
    usual = median((later - sooner) / DAY for sooner, later in pairwise(touches)) if len(touches) > 1 else 0.0
    waits = max(float(view.limits.sync_days), 3 * usual)
    return Finding(
        kind=FlagKind.SYNC_STALE,
        severity=Severity.INFO,
        opens_at=touches[-1] + timedelta(days=waits),
        episode=touches[-1].isoformat(),
        evidence={"last_contact": touches[-1].astimezone(view.plan.zone).date().isoformat()},
    )


def low_trust(view: View) -> Finding | None:
    """Three or more of the last ten sessions dated back by more than a week (F-16): shown, never accused of."""
    doubtful = [report for report in view.fresh(FlagKind.LOW_TRUST)[-OF_SESSIONS:] if report.low_trust]
    if len(doubtful) < LATE_SESSIONS:
        return None
    told = sorted(report.received_at for report in doubtful)
    return Finding(
        kind=FlagKind.LOW_TRUST,
        severity=Severity.INFO,
        opens_at=told[LATE_SESSIONS - 1],
        expires_at=told[-1] + NEWS_LASTS,
        episode=view.episode(FlagKind.LOW_TRUST),
        evidence={"sessions": len(doubtful)},
    )


def _told_instead(reports: Sequence[Report]) -> dict[str, str]:
    told = max((report for report in reports if not report.exercised), key=by_time, default=None)
    if told is None:
        return {}
    return {"told_on": told.day.isoformat()} | ({"reason": told.reason} if told.reason else {})


def _is_over(assessment: Assessment) -> bool:
    return assessment.standing in {Standing.ENDED, Standing.WITHDRAWN}
