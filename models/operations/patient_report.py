"""How one program was followed over a period: what a therapist reads before a visit."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from models.adherence import Pause, Plan, Standing
from models.adherence.episodes import absences, followed, silent_spans
from models.adherence.following import Exercised, Persistence, Trend, exercised, letter, own_words, trend
from models.adherence.rates import Bout, Rates, rates
from models.adherence.schedule import Schedule
from models.adherence.silence import Done
from models.adherence.weeks import LATE_AFTER, Week, monday_of, weeks
from models.operations.adherence import Following, following
from models.operations.callers import Caller
from models.operations.courses import Course, slug_of
from models.operations.timeline import Entry, EntryKind, timeline
from models.prescription.changes import changes
from models.refusals import Invalid
from models.safety.red_flags import SafetyAnswers

DAY = timedelta(days=1)
COMPARED_DAYS = 14
"""Days before and after a revision that are set beside each other."""
LONGEST = 3 * 366
_DONE_ABOUT = (EntryKind.FLAG_OPENED, EntryKind.FLAG_RISEN, EntryKind.FLAG_CLOSED, EntryKind.OUTREACH)
MOST_EVENTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Days that are in neither numerator nor denominator, both included."""

    kind: str
    """`pause`, `silence`; a `flare` is counted against the plan for flare days, and told here all the same."""
    from_on: date
    to_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Revised:
    """What a revision changed, and what followed: an association, no effect."""

    number: int
    effective_on: date
    note: str | None
    changes: Sequence[str]
    before: Rates | None
    """Of the 14 days before, as far as they are in the program."""
    after: Rates | None
    """Of the 14 days from then on, as far as they have passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Pain and effort of one day's session."""

    day: date
    pain: int | None
    effort: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advised:
    """What the patient was told on the phone after a session."""

    day: date
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientReport:
    """A program over a period, as it was known at a moment."""

    following: Following
    title: str
    from_on: date
    to_on: date
    data_through: datetime
    late_items: int
    """Sessions of the period that took more than 48 hours to arrive."""
    initiation_days: int | None
    """From the first day of the program to the first session; None: there is none."""
    persistence: Persistence | None
    implementation: Rates
    """Within episodes: days of pauses and of lapsed silences are in neither number."""
    weeks: Sequence[Week]
    exercises: Sequence[Exercised]
    reasons: Mapping[str, int]
    """Given for not exercising, or for leaving something out."""
    moments: Sequence[Moment]
    pain: Trend | None
    effort: Trend | None
    change_that_matters: float
    excluded: Sequence[Span]
    revisions: Sequence[Revised]
    advised: Sequence[Advised]
    events: Sequence[Entry] | None
    """Flags and what was done about them, in order; None for a patient, and of a past moment, whose list is not kept
    in every detail."""
    letter: str | None
    """None for a patient."""
    own_words: str


def patient_report(
    tx: Session,
    caller: Caller,
    program_id: UUID,
    *,
    from_on: date | None,
    to_on: date | None,
    as_of: datetime | None,
    now: datetime,
) -> PatientReport:
    """The program from its first day up to today, or between two days within that."""
    known = following(tx, caller, program_id, as_of=as_of, now=now)
    first, last = _period(known, from_on, to_on)
    silent = _silent(known)
    plan = followed(known.plan, silent)
    lately = [bout for bout in known.bouts if first <= bout.day <= last]
    told = [report for report in known.reports if first <= report.day <= last]
    counted_to = _counted_to(known, last)
    implementation = rates(plan, known.bouts, first, counted_to)
    persistence = _persistence(known)
    pain = trend(bout.pain for bout in lately)
    matters = known.course.thresholds.pain_change
    left_out = [entry.reason for bout in lately for entry in bout.entries if entry.skipped and entry.reason]
    # A grave reason of an entry is its session's, too.
    of_sessions = Counter(report.reason for report in told if report.reason)
    of_entries = Counter(left_out)
    reasons = {one: max(of_sessions[one], of_entries[one]) for one in of_sessions | of_entries}
    excluded = _excluded(known.plan, silent, first, last)
    initiation = None if known.first_day is None else (known.first_day - known.plan.starts_on).days
    staff = not caller.is_patients
    title = known.course.program.title
    return PatientReport(
        following=known,
        title=title,
        from_on=first,
        to_on=last,
        data_through=known.as_of,
        late_items=sum(bout.waited is not None and bout.waited > LATE_AFTER for bout in lately),
        initiation_days=initiation,
        persistence=persistence,
        implementation=implementation,
        # What lies before the period, or is yet to come of its last week, is in neither number.
        weeks=_weeks(plan, known, lately, first, counted_to, last),
        exercises=exercised(plan, _names(known.course), known.bouts, first, counted_to),
        reasons=reasons,
        moments=[Moment(day=bout.day, pain=bout.pain, effort=bout.effort) for bout in lately],
        pain=pain,
        effort=trend(bout.effort for bout in lately),
        change_that_matters=matters,
        excluded=excluded,
        revisions=_revisions(known, plan, first, last),
        advised=[
            Advised(day=report.day, says=says)
            for report in told
            for says in SafetyAnswers(chips=report.chips, reason=report.reason, worst_pain=report.worst_pain).advice()
        ],
        events=_events(tx, caller, known, first, last, now) if staff and as_of is None else None,
        letter=letter(
            title=title,
            first=first,
            last=last,
            initiation=initiation,
            rates=implementation,
            persistence=persistence,
            silent=known.assessment.standing is Standing.LAPSED,
            excluded={
                "pause": _days_of(excluded, "pause"),
                "silence": _days_of(excluded, "silence", but="pause"),
            },
            pain=pain,
            matters=matters,
            reasons=reasons,
        )
        if staff
        else None,
        own_words=own_words(
            rates=implementation,
            days=len({bout.day for bout in lately}),
            initiation=initiation,
            pain=pain,
            matters=matters,
            going=known.assessment.standing in {Standing.ON_TRACK, Standing.WATCH},
        ),
    )


def _period(known: Following, from_on: date | None, to_on: date | None) -> tuple[date, date]:
    starts_on = known.plan.starts_on
    end = min(known.today, known.plan.ends_on) if known.plan.ends_on else known.today
    first, last = max(from_on or starts_on, starts_on), min(to_on or max(end, starts_on), max(end, starts_on))
    if from_on is not None and to_on is not None and from_on > to_on:
        raise Invalid("The period ends before it begins.", field="/from")
    if first > last:
        raise Invalid(f"The program has run from {starts_on} to {end}; ask for days within that.", field="/from")
    return max(first, last - LONGEST * DAY), last


def _counted_to(known: Following, last: date) -> date:
    """An unfinished day is never a missed one: today counts once it is logged."""
    logged_today = any(bout.day == known.today for bout in known.bouts)
    return last - DAY if last == known.today and not logged_today else last


def _silent(known: Following) -> list[tuple[date, date]]:
    done = [Done(bout.day, bout.received_at) for bout in known.bouts if bout.received_at is not None]
    rule = known.course.thresholds.silence
    found = absences(known.plan, Schedule(known.plan), done, known.contacts, rule, date.min)
    last = min(known.today, known.plan.ends_on) if known.plan.ends_on else known.today
    return silent_spans(found, known.assessment, _observed_at(known), last)


def _observed_at(known: Following) -> datetime:
    """Up to when it was followed: now, or its end."""
    ended_at = known.plan.ended_at
    return known.as_of if ended_at is None else min(known.as_of, ended_at)


def _persistence(known: Following) -> Persistence | None:
    """Discontinued is what has stopped by the silence, or by the patient's word; dated at the last session."""
    if known.first_day is None or known.last_day is None:
        return None
    stopped_at = known.assessment.silence.stopped_at if known.assessment.silence else None
    # Ending or pausing a program that had been stopped does not make it one that was kept up.
    gone = known.assessment.standing is Standing.WITHDRAWN or (
        stopped_at is not None and stopped_at <= _observed_at(known)
    )
    observed = min(known.today, known.plan.ends_on) if known.plan.ends_on else known.today
    on = known.last_day if gone else max(observed, known.last_day)
    return Persistence((on - known.first_day).days, gone, on)


def _excluded(plan: Plan, silent: Sequence[tuple[date, date]], first: date, last: date) -> list[Span]:
    pauses = [("pause", pause.from_on, pause.to_on or last) for pause in plan.pauses]
    flares = [("flare", flare.from_on, flare.to_on) for flare in plan.flares]
    spans = [*pauses, *flares, *(("silence", *span) for span in silent)]
    return [
        Span(kind=kind, from_on=max(one, first), to_on=min(other, last))
        for kind, one, other in sorted(spans, key=lambda span: span[1:])
        if max(one, first) <= min(other, last)
    ]


def _days_of(spans: Sequence[Span], kind: str, *, but: str | None = None) -> int:
    """How many days of a kind, those of another kind left out."""
    days: dict[str, set[int]] = {}
    for one in spans:
        days.setdefault(one.kind, set()).update(range(one.from_on.toordinal(), one.to_on.toordinal() + 1))
    return len(days.get(kind, set()) - days.get(but or "", set()))


def _names(course: Course) -> dict[UUID, str]:
    return {item.line_id: course.names[slug_of(item)] for item in course.items if item.exercise_slug is not None}


def _revisions(known: Following, plan: Plan, first: date, last: date) -> list[Revised]:
    """Those the patient was given that took effect within the period."""
    course, counted_to = known.course, _counted_to(known, last)
    found = []
    for number, revision in sorted(course.revisions.items()):
        base = course.base_of(number)
        on = max(revision.effective_on, plan.starts_on)
        if base is None or number <= course.first_seen or revision.created_at > known.as_of or not first <= on <= last:
            continue
        if course.revision_on(on, known.as_of).number != number:
            continue  # a later one took its place before it began
        before_from = max(on - COMPARED_DAYS * DAY, plan.starts_on)
        after_to = min(on + (COMPARED_DAYS - 1) * DAY, counted_to)
        found.append(
            Revised(
                number=number,
                effective_on=on,
                note=revision.note,
                changes=changes(course.prescribed(base), course.prescribed(number)),
                before=rates(plan, known.bouts, before_from, on - DAY) if before_from < on else None,
                after=rates(plan, known.bouts, on, after_to) if on <= after_to else None,
            )
        )
    return found


def _events(tx: Session, caller: Caller, known: Following, first: date, last: date, now: datetime) -> list[Entry]:
    program = known.course.program
    found = timeline(tx, caller, program.patient_id, kinds=_DONE_ABOUT, limit=MOST_EVENTS, now=now)
    zone = known.course.zone
    return [
        entry
        for entry in reversed(found)
        if first <= entry.at.astimezone(zone).date() <= last and entry.refs.get("program_id") in {None, str(program.id)}
    ]


def _weeks(
    plan: Plan, known: Following, lately: Sequence[Bout], first: date, counted_to: date, last: date
) -> list[Week]:
    """The weeks of the period, with nothing of them outside it; paused days are those of pauses alone."""
    within = replace(plan, ends_on=counted_to, pauses=(*plan.pauses, Pause(date.min, first - DAY)))
    paused = Schedule(known.plan)
    found = weeks(within, lately, _mondays(first, last))
    return [
        replace(
            week,
            paused_days=sum(
                paused.is_paused(day.toordinal())
                for day in (week.monday + number * DAY for number in range(7))
                if first <= day <= counted_to
            ),
        )
        for week in found
    ]


def _mondays(first: date, last: date) -> list[date]:
    count = (monday_of(last) - monday_of(first)).days // 7 + 1
    return [monday_of(first) + number * 7 * DAY for number in range(count)]
