"""Pain: too much of it, pain that lasts, rises or travels."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from statistics import median

from models.adherence.kinds import PAIN_HIGH, Finding, FlagKind, Report, Severity, by_time
from models.adherence.view import DAY, View

PAIN_SETTLED_SESSIONS = 2
FADES_AFTER = timedelta(days=14)
"""How long pain stays on the list once no session can settle it any more."""
FEW = 3
"""Sessions a level of pain is the median of."""


def pain_high(reports: Sequence[Report]) -> Finding | None:
    """Pain of 6 or more during or after exercise, until two later sessions in a row stay at 5 or less.

    Only what was told after it settles it: a queue that comes all at once, or a painful day that comes late, is heard.
    """
    told = [report for report in sorted(reports, key=by_time) if report.worst_pain is not None]
    high = [number for number, report in enumerate(told) if (report.worst_pain or 0) >= PAIN_HIGH]
    unsettled = [told[number] for number in high if not _settled(told[number], told[number + 1 :])]
    if not unsettled:
        return None
    report = max(unsettled, key=lambda one: (one.told_at, *by_time(one)))
    return Finding(
        kind=FlagKind.PAIN_HIGH,
        severity=Severity.URGENT,
        opens_at=report.told_at,
        episode="",
        evidence={"session_id": report.session_id, "day": report.day.isoformat(), "pain": report.worst_pain},
    )


def pain_high_of(view: View) -> Finding | None:
    """High pain of a program; once it has ended no session settles it, and it fades instead."""
    found = pain_high(view.reports)
    if found is None or view.plan.ended_at is None:
        return found
    return replace(found, expires_at=max(view.plan.ended_at, found.opens_at) + FADES_AFTER)


def pain_24h(view: View) -> Finding | None:
    """Pain that was not back to usual the next morning, or began 2 or more higher the next day, until a later session
    says that it settled, or begins less than that above where it was (pain-monitoring model; 2 is the minimum important
    change: engine study, section 7).
    """
    report: Report | None = None
    level: int | None = None
    """Where pain was before it rose, as far as it is known."""
    for before, after in zip([None, *view.reports], view.reports, strict=False):
        next_day = before is not None and after.day - before.day == DAY
        usual = level if report is not None else before.pain_before if before is not None and next_day else None
        rise = None if usual is None or after.pain_before is None else after.pain_before - usual
        lasted = None if after.settled is None else not after.settled
        if lasted is None and rise is not None:
            lasted = rise >= view.limits.pain_change
        if lasted and report is None:
            report, level = after, usual
        elif lasted is False:
            report = level = None
    if report is None:
        return None
    return Finding(
        kind=FlagKind.PAIN_24H,
        severity=Severity.HIGH,
        opens_at=report.told_at,
        episode=report.session_id,
        evidence={"session_id": report.session_id, "day": report.day.isoformat()},
    )


def pain_trend(view: View) -> Finding | None:
    """The median of the last three pains at least 2 points and 30 % above that of the first three, until three sessions
    in a row are back under (MIC08).
    """
    pains = [(report.worst_pain, report) for report in view.reports if report.worst_pain is not None]
    if len(pains) < 2 * FEW:
        return None
    baseline = median(pain for pain, _ in pains[:FEW])
    least = max(baseline + view.limits.pain_change, baseline * (1 + view.limits.pain_change_percent / 100))
    fresh = {report.session_id for report in view.fresh(FlagKind.PAIN_TREND)}
    levels = [
        (median(pain for pain, _ in pains[end - FEW : end]), pains[end - 1][1])
        for end in range(max(2 * FEW, len(pains) - FEW + 1), len(pains) + 1)
        if all(report.session_id in fresh for _, report in pains[end - FEW : end])
    ]
    high = [(level, report) for level, report in levels if level >= least]
    if not high:
        return None
    return Finding(
        kind=FlagKind.PAIN_TREND,
        severity=Severity.MEDIUM,
        opens_at=high[0][1].told_at,
        episode=view.episode(FlagKind.PAIN_TREND),
        evidence={"baseline": baseline, "level": high[-1][0], "day": high[-1][1].day.isoformat()},
    )


def spreading(view: View) -> Finding | None:
    """Pain that moved further down a limb in two of the last four sessions (clinical content F-09, DP11); red beside
    numbness or weakness, which is a red flag of its own.
    """
    # Who stops because it hurts has not seen it go away.
    window = [one for one in view.fresh(FlagKind.SPREADING) if one.exercised or "further_down" in one.chips][-4:]
    told = [report for report in window if "further_down" in report.chips]
    if len(told) < 2:
        return None
    numb = any("numb_or_weak" in report.chips for report in window)
    return Finding(
        kind=FlagKind.SPREADING,
        severity=Severity.HIGH if numb else Severity.MEDIUM,
        opens_at=max(report.told_at for report in told[:2]),
        episode=view.episode(FlagKind.SPREADING),
        evidence={"days": [report.day.isoformat() for report in told[-2:]], "numb": numb},
    )


def _settled(painful: Report, later: Sequence[Report]) -> bool:
    in_a_row = 0
    for report in later:
        if report.told_at <= painful.told_at:
            continue
        in_a_row = in_a_row + 1 if (report.worst_pain or 0) < PAIN_HIGH else 0
        if in_a_row == PAIN_SETTLED_SESSIONS:
            return True
    return False
