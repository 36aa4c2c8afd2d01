"""The flags that watch a running program: pain, dose, exercises left out, doubts, flares, screening.

Each is one pure function from a `View` to at most one `Finding`. Those that look at a window of days are promises too:
the window is moved on, day by day and without another session, to the day on which it would open or fade.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from statistics import median
from uuid import UUID

from models.adherence.assessment import Assessment, Standing, assess
from models.adherence.chance import below, fell
from models.adherence.flags import Finding, FlagKind, Report, Severity
from models.adherence.plan import Plan
from models.adherence.rates import Bout, dose_share
from models.adherence.schedule import UNIT, WEEK, Schedule, line_weight, midnight_after
from models.adherence.silence import Done
from models.adherence.thresholds import DEFAULTS, Thresholds

DAY = timedelta(days=1)
LOOK_BACK_DAYS = 42
"""Days of entries the flags look at: declining compares 14 with the 28 before."""
AHEAD_DAYS = 42
"""How far ahead a window is moved without a session; by then silence has long been the matter."""
NEW_DAYS = timedelta(days=14)
"""How long what was said once stays on the list."""


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything the flags of one running program look at."""

    plan: Plan
    judged: Assessment
    now: datetime
    reports: Sequence[Report]
    """In the order they were done."""
    bouts: Sequence[Bout]
    """The sessions with exercise of the last `LOOK_BACK_DAYS` days, with their entries."""
    contacts: Sequence[datetime] = ()
    """Moments at which a phone had sent all it had."""
    touches: Sequence[datetime] = ()
    """When a phone was in touch lately, the first time on each day."""
    done: Sequence[Done] = ()
    unsure: Mapping[str, bool] = field(default_factory=dict)
    """Sessions in which someone was not sure how to do an exercise, or all of it."""
    trains: Mapping[UUID, frozenset[str]] = field(default_factory=dict)
    """Line → `strength`, `core`."""
    screened_on: date | None = None
    open: frozenset[FlagKind] = frozenset()
    """Flags that are open now: some close later than they open."""
    limits: Thresholds = DEFAULTS

    @cached_property
    def schedule(self) -> Schedule:
        """The plan on the calendar."""
        return Schedule(self.plan)

    @cached_property
    def days(self) -> "_Days":
        """What was expected and done, day by day."""
        return _Days(self)

    @cached_property
    def today(self) -> date:
        """The patient's date."""
        return self.now.astimezone(self.plan.zone).date()

    @cached_property
    def told(self) -> list[Report]:
        """The reports of sessions with exercise, in order."""
        return [report for report in self.reports if report.exercised]

    @property
    def silent_at(self) -> datetime | None:
        """When silence becomes the matter itself: flags about how the program is followed give way to it."""
        if self.judged.silence is None:
            return self.now  # not started yet: that is the matter
        return self.judged.silence.lapsed_at

    @property
    def nudged_at(self) -> datetime | None:
        """When the patient is reminded of their silence: from then on missing days are that silence's."""
        return self.judged.silence.watch_at if self.judged.silence else self.now

    def ends(self, day: date) -> datetime:
        """The instant at which a local day ends."""
        return midnight_after(day, self.plan.zone)


def pain_24h(view: View) -> Finding | None:
    """Pain that was not back to usual the next morning, or began 2 or more higher the next day, until a later session
    settles (pain-monitoring model; 2 is the minimum important change: engine study, section 7).
    """
    last: tuple[bool, Report] | None = None
    for before, report in zip([None, *view.reports], view.reports, strict=False):
        verdict = None if report.settled is None else not report.settled
        if verdict is None and before is not None and report.day - before.day == DAY:
            known = before.pain_before is not None and report.pain_before is not None
            rise = (report.pain_before or 0) - (before.pain_before or 0)
            verdict = rise >= view.limits.pain_change if known else None
        if verdict is not None:
            last = verdict, report
    if last is None or not last[0]:
        return None
    report = last[1]
    return Finding(
        kind=FlagKind.PAIN_24H,
        severity=Severity.HIGH,
        opens_at=report.received_at,
        episode=report.session_id,
        evidence={"session_id": report.session_id, "day": report.day.isoformat()},
    )


def pain_trend(view: View) -> Finding | None:
    """The median of the last three pains at least 2 points and 30 % above that of the first three, until three sessions
    in a row are back under (MIC08).
    """
    pains = [(report.worst_pain, report) for report in view.told if report.worst_pain is not None]
    if len(pains) < 2 * _FEW:
        return None
    baseline = median(pain for pain, _ in pains[:_FEW])
    least = max(baseline + view.limits.pain_change, baseline * (1 + view.limits.pain_change_percent / 100))
    windows = [
        (median(pain for pain, _ in pains[end - _FEW : end]), pains[end - 1][1])
        for end in range(2 * _FEW, len(pains) + 1)
    ]
    recent = [(level, report) for level, report in windows[-_FEW:] if level >= least]
    if not recent:
        return None
    report = recent[0][1]
    return Finding(
        kind=FlagKind.PAIN_TREND,
        severity=Severity.MEDIUM,
        opens_at=report.received_at,
        episode="",
        evidence={"baseline": baseline, "level": recent[-1][0], "day": recent[-1][1].day.isoformat()},
    )


def spreading(view: View) -> Finding | None:
    """Pain that moved further down a limb in two of the last four sessions (clinical content F-09, DP11); red beside
    numbness or weakness, which is a red flag of its own.
    """
    lately = [report for report in view.reports if "further_down" in report.chips][-2:]
    window = view.reports[-2 * _PAIR :]
    if len(lately) < _PAIR or any(report not in window for report in lately):
        return None
    numb = any("numb_or_weak" in report.chips for report in window)
    return Finding(
        kind=FlagKind.SPREADING,
        severity=Severity.HIGH if numb else Severity.MEDIUM,
        opens_at=max(report.received_at for report in lately),
        episode="",
        evidence={"days": [report.day.isoformat() for report in lately]},
    )


def returned(view: View) -> Finding | None:
    """A session after the silence had become a matter for the therapist, for 14 days: welcome back, and start lower."""
    days = sorted({one.day: one for one in reversed(view.done)}.values(), key=lambda one: one.day)
    for before, after in reversed(list(pairwise(days))):
        if after.received_at + NEW_DAYS <= view.now:
            return None
        if after.day - before.day < _SHORTEST_ABSENCE:
            continue
        until = [one for one in view.done if one.day <= before.day]
        heard = [contact for contact in view.contacts if contact < after.received_at]
        then = assess(view.plan, until, after.received_at, contacts=heard, rule=view.limits.silence)
        if then.standing in {Standing.LAPSED, Standing.STOPPED}:
            return Finding(
                kind=FlagKind.RETURNED,
                severity=Severity.INFO,
                opens_at=after.received_at,
                expires_at=after.received_at + NEW_DAYS,
                episode=after.day.isoformat(),
                evidence={"day": after.day.isoformat(), "absent_since": before.day.isoformat()},
            )
    return None


def sync_stale(view: View) -> Finding | None:
    """The phone has not been in touch for 7 days, or three times its usual gap if that is longer. Shown beside a
    silence, which it may explain.
    """
    touches = sorted(view.touches)
    if not touches:
        return None
    gaps = [(later - sooner) / DAY for sooner, later in pairwise(touches)]
    usual = median(gaps) if gaps else 0.0
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
    doubtful = [report for report in view.reports[-10:] if report.low_trust]
    if len(doubtful) < _FEW:
        return None
    last = max(report.received_at for report in doubtful)
    return Finding(
        kind=FlagKind.LOW_TRUST,
        severity=Severity.INFO,
        opens_at=sorted(report.received_at for report in doubtful)[_FEW - 1],
        expires_at=last + NEW_DAYS,
        episode=last.isoformat(),
        evidence={"sessions": len(doubtful)},
    )


def low_adherence(view: View) -> Finding | None:
    """Fewer than 80 % (red: 60 %) of the expected session days in 28 days, with 8 or more expected and P ≥ .8 that the
    rate is lower; until 5 points above (Bailey 2018, Jones 2025; engine study, section 7).
    """
    limits, is_open = view.limits, FlagKind.LOW_ADHERENCE in view.open

    def level(day: date) -> tuple[Severity, dict[str, object]] | None:
        done, expected = view.days.frequency(day, 28)
        if expected < limits.low_slots:
            return None
        told: dict[str, object] = {"done": round(done, 2), "expected": round(expected, 2), "days": 28}
        for cut, severity in ((limits.low_red, Severity.HIGH), (limits.low_amber, Severity.MEDIUM)):
            if below(cut, done, expected) >= limits.sure:
                return severity, told
        if is_open and done / expected < limits.low_amber + limits.slack:
            return Severity.MEDIUM, told
        return None

    return _over_days(view, FlagKind.LOW_ADHERENCE, level)


def declining(view: View) -> Finding | None:
    """The last 14 days 15 points below the 28 before, with P ≥ .9 (90 % to 65 % in twelve weeks is ordinary: engine
    study, 1.2). It fades when the difference is under 5 points.
    """
    limits, is_open = view.limits, FlagKind.DECLINING in view.open

    def level(day: date) -> tuple[Severity, dict[str, object]] | None:
        done, expected = view.days.frequency(day, 14)
        done_before, expected_before = view.days.frequency(day - 14 * DAY, 28)
        if expected < limits.declining_slots or expected_before < 2 * limits.declining_slots:
            return None
        surely = fell(done, expected, done_before, expected_before, limits.decline) >= limits.declining_sure
        still = is_open and done_before / expected_before - done / expected >= limits.slack
        if not surely and not still:
            return None
        told = {"share": round(done / expected, 4), "share_before": round(done_before / expected_before, 4)}
        return Severity.MEDIUM, {**told}

    return _over_days(view, FlagKind.DECLINING, level)


def incomplete(view: View) -> Finding | None:
    """Fewer than 70 % of the items touched in 14 days that were otherwise kept to 70 % or more (F-04): some exercises
    are left out again and again.
    """
    limits = view.limits

    def level(day: date) -> tuple[Severity, dict[str, object]] | None:
        done, expected = view.days.frequency(day, 14)
        if expected < limits.incomplete_slots or done / expected < limits.incomplete:
            return None
        touched, asked = view.days.items(day, 14)
        if touched / asked >= limits.incomplete:
            return None
        told = {"touched": round(touched, 2), "expected": round(asked, 2), "days": 14}
        return Severity.LOW, {**told}

    return _over_days(view, FlagKind.INCOMPLETE, level)


def partial_dose(view: View) -> Finding | None:
    """The median dose of the last six sessions under 80 % of what was prescribed."""
    doses = []
    for bout in view.bouts:
        stretch = view.schedule.stretch(bout.day.toordinal())
        lines = {line.line_id: line for line in stretch.phase.lines} if stretch else {}
        shares = [
            dose_share(lines[entry.line_id], entry)
            for entry in bout.entries
            if entry.line_id in lines and not entry.skipped and not lines[entry.line_id].as_needed
        ]
        if shares:
            doses.append((sum(shares) / len(shares), bout.day))
    last = doses[-_SIX:]
    if len(last) < _SIX or median(share for share, _ in last) >= view.limits.dose:
        return None
    received = [report.received_at for report in view.told if report.day <= last[-1][1]]
    return Finding(
        kind=FlagKind.PARTIAL_DOSE,
        severity=Severity.LOW,
        opens_at=max(received, default=view.now),
        episode="",
        evidence={"dose": round(median(share for share, _ in last), 4), "sessions": len(last)},
    )


def strength_dropped(view: View) -> Finding | None:
    """No strength exercise for 14 days (red: 28) though it is prescribed and others go on (F-05): strength lost is why
    backs relapse.
    """
    return _dropped(view, FlagKind.STRENGTH_DROPPED, "strength")


def core_dropped(view: View) -> Finding | None:
    """Core and stabilization exercises left out for 14 days while others go on (F-06)."""
    return _dropped(view, FlagKind.CORE_DROPPED, "core")


def unsure(view: View) -> Finding | None:
    """Someone was not sure how to do an exercise (F-07), in the last 14 days: show it again."""
    asked = [report for report in view.reports if view.unsure.get(report.session_id) or "not_sure" in report.chips]
    fresh = [report for report in asked if report.received_at + NEW_DAYS > view.now]
    if not fresh:
        return None
    last = max(fresh, key=lambda report: (report.received_at, report.session_id))
    first = min(fresh, key=lambda report: (report.received_at, report.session_id))
    return Finding(
        kind=FlagKind.UNSURE,
        severity=Severity.MEDIUM,
        opens_at=first.received_at,
        expires_at=last.received_at + NEW_DAYS,
        episode="",
        evidence={"day": last.day.isoformat(), "times": len(fresh)},
    )


def flare_long(view: View) -> Finding | None:
    """A flare of more than 7 days, or the third within 60 days (F-12): rheumatology should know."""
    spans = _joined((flare.from_on, flare.to_on) for flare in view.plan.flares)
    if not spans:
        return None
    first, last = spans[-1]
    limits = view.limits
    opens: list[tuple[datetime, str]] = []
    if (last - first).days + 1 > limits.flare_days:
        opens.append((view.ends(first + (limits.flare_days - 1) * DAY), "long"))
    lately = [span for span in spans if span[0] > first - 60 * DAY]
    if len(lately) >= limits.flares:
        opens.append((view.ends(first - DAY), "often"))
    if not opens:
        return None
    opens_at, why = min(opens)
    return Finding(
        kind=FlagKind.FLARE_LONG,
        severity=Severity.MEDIUM,
        opens_at=opens_at,
        expires_at=view.ends(last) + NEW_DAYS,
        episode=first.isoformat(),
        evidence={"why": why, "from_on": first.isoformat(), "to_on": last.isoformat(), "flares": len(lately)},
    )


def screening_due(view: View) -> Finding | None:
    """The red-flag questions are asked anew each month (clinical content 2.5, R-01)."""
    if view.screened_on is None:
        return None
    due = view.screened_on + timedelta(days=view.limits.screening_days)
    return Finding(
        kind=FlagKind.SCREENING_DUE,
        severity=Severity.MEDIUM,
        opens_at=view.ends(due),
        episode=view.screened_on.isoformat(),
        evidence={"screened_on": view.screened_on.isoformat()},
    )


WATCHED: tuple[Callable[[View], Finding | None], ...] = (
    *(pain_24h, pain_trend, spreading, returned, sync_stale, low_trust, low_adherence, declining, incomplete),
    *(partial_dose, strength_dropped, core_dropped, unsure, flare_long, screening_due),
)

_FEW, _SIX, _PAIR = 3, 6, 2
_SHORTEST_ABSENCE = timedelta(days=4)
"""No silence is a therapist's matter sooner (k* of a daily program)."""


def _over_days(
    view: View, kind: FlagKind, level: Callable[[date], tuple[Severity, dict[str, object]] | None]
) -> Finding | None:
    """When a window that ends with each day would first be bad, rise, and be bad no more, if nothing more is heard; or
    until silence itself is the matter.
    """
    logged_today = any(bout.day == view.today for bout in view.bouts)
    first = view.today if logged_today else view.today - DAY
    opened: tuple[datetime, Severity, dict[str, object]] | None = None
    rises: datetime | None = None
    for number in range(AHEAD_DAYS):
        day = first + number * DAY
        ends = view.ends(day) if number else min(view.ends(day), view.now)
        if view.silent_at is not None and view.silent_at <= ends:
            return _window_finding(kind, opened, rises, view.silent_at)
        if view.nudged_at is not None and view.nudged_at <= ends:
            if opened is None and kind not in view.open:
                return None
            continue
        found = level(day)
        if opened is None:
            opened = (ends, *found) if found else None
        elif found is None:
            return _window_finding(kind, opened, rises, ends)
        elif found[0] > opened[1] and rises is None:
            rises = ends
    return _window_finding(kind, opened, rises, None)


def _window_finding(
    kind: FlagKind,
    opened: tuple[datetime, Severity, dict[str, object]] | None,
    rises: datetime | None,
    expires: datetime | None,
) -> Finding | None:
    if opened is None:
        return None
    opens_at, severity, evidence = opened
    return Finding(
        kind=kind,
        severity=severity,
        opens_at=opens_at,
        rises_at=rises,
        rises_to=Severity.HIGH if rises else None,
        expires_at=expires,
        episode="",
        evidence=dict(evidence),
    )


class _Days:
    """What was expected and done on each day around today, ready to be summed over any window: the counting of
    `models.adherence.rates`, once instead of once a window.
    """

    def __init__(self, view: View) -> None:
        self._schedule = view.schedule
        self._first = view.today.toordinal() - LOOK_BACK_DAYS - 2
        self._bouts: dict[int, list[Bout]] = {}
        for bout in view.bouts:
            self._bouts.setdefault(bout.day.toordinal(), []).append(bout)
        self._expected, self._done = [0], [0]
        for ordinal in range(self._first, view.today.toordinal() + AHEAD_DAYS + 1):
            counts = not self._schedule.is_paused(ordinal) and self._schedule.stretch(ordinal) is not None
            self._expected.append(self._expected[-1] + self._schedule.weight(ordinal))
            self._done.append(self._done[-1] + (UNIT if counts and ordinal in self._bouts else 0))

    def frequency(self, last: date, days: int) -> tuple[float, float]:
        """Session days done and expected in the days up to `last`, done capped at expected in each seven."""
        done = expected = 0
        for first, end in self._blocks(last, days):
            due = self._expected[end] - self._expected[first]
            expected += due
            done += min(self._done[end] - self._done[first], due)
        return done / UNIT, expected / UNIT

    def items(self, last: date, days: int) -> tuple[float, float]:
        """Items touched and expected, touched capped at expected for each line in each seven days."""
        done = expected = 0
        for first, end in self._blocks(last, days):
            due: Counter[UUID] = Counter()
            touched: Counter[UUID] = Counter()
            for ordinal in range(self._first + first, self._first + end):
                self._count(ordinal, due, touched)
            expected += sum(due.values())
            done += sum(min(count, due[line_id]) for line_id, count in touched.items())
        return done / UNIT, expected / UNIT

    def _blocks(self, last: date, days: int) -> Iterable[tuple[int, int]]:
        end = last.toordinal() - self._first + 1
        start = max(0, end - days)
        while end > start:
            yield max(start, end - WEEK), end
            end -= WEEK

    def _count(self, ordinal: int, due: Counter[UUID], touched: Counter[UUID]) -> None:
        stretch = self._schedule.stretch(ordinal)
        if stretch is None or self._schedule.is_paused(ordinal):
            return
        today: Counter[UUID] = Counter()
        for bout in self._bouts.get(ordinal, ()):
            today.update(entry.line_id for entry in bout.entries if not entry.skipped)
        for line in stretch.phase.lines:
            if not line.as_needed:
                due[line.line_id] += line_weight(line, stretch.phase_start, ordinal) * line.sessions_per_day
                touched[line.line_id] += min(today[line.line_id], line.sessions_per_day) * UNIT


def _dropped(view: View, kind: FlagKind, what: str) -> Finding | None:
    """How long nothing of a kind was done that the plan asks for, pauses aside."""
    wanted = {line_id for line_id, kinds in view.trains.items() if what in kinds}
    done = [
        bout.day for bout in view.bouts if any(entry.line_id in wanted and not entry.skipped for entry in bout.entries)
    ]
    asked = [
        day
        for day in _days(view.today - LOOK_BACK_DAYS * DAY, view.today)
        if (stretch := view.schedule.stretch(day.toordinal()))
        and any(line.line_id in wanted and not line.as_needed for line in stretch.phase.lines)
    ]
    if not asked or asked[-1] < view.today:
        return None  # not prescribed now
    since = max(done) if done else asked[0] - DAY
    if not any(bout.day > since for bout in view.bouts):
        return None  # nothing else went on either: that is silence
    counted, amber, red = 0, None, None
    for number in range(1, LOOK_BACK_DAYS + AHEAD_DAYS):
        day = since + number * DAY
        counted += not view.schedule.is_paused(day.toordinal())
        if amber is None and counted >= view.limits.dropped_days:
            amber = view.ends(day)
        if counted >= 2 * view.limits.dropped_days:
            red = view.ends(day)
            break
    if amber is None:
        return None
    if view.nudged_at is not None and view.nudged_at <= amber:
        return None
    return Finding(
        kind=kind,
        severity=Severity.MEDIUM,
        opens_at=amber,
        rises_at=red,
        rises_to=Severity.HIGH if red else None,
        expires_at=view.silent_at,
        episode=since.isoformat(),
        evidence={"since": since.isoformat(), "ever": bool(done)},
    )


def _days(first: date, last: date) -> Iterable[date]:
    return (first + number * DAY for number in range((last - first).days + 1))


def _joined(spans: Iterable[tuple[date, date | None]]) -> list[tuple[date, date]]:
    """Spans of days in order, those that touch made one."""
    joined: list[tuple[date, date]] = []
    for first, last in sorted((first, last or first) for first, last in spans):
        if joined and first <= joined[-1][1] + DAY:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined
