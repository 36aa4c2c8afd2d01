"""How one program was followed over a period, in numbers and in two paragraphs: for a letter, and for the patient."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from uuid import UUID

from models.adherence.plan import Plan
from models.adherence.rates import Bout, Rate, Rates
from models.adherence.schedule import UNIT, WEEK, Schedule, line_weight
from models.adherence.wording import short_day, why

UNTITLED = "Home exercise program"
"""What a program is called that nobody gave a title."""
FEW = 3
"""Sessions whose median is the pain at the beginning, and lately."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercised:
    """One line over a period: how often it was expected, done and left out."""

    line_id: UUID
    name: str
    expected: float
    """Rounds; flexible lines by their share of the week."""
    done: int
    skipped: int
    reasons: Mapping[str, int]
    """Why it was left out, as far as it was told."""
    not_sure: int
    worst_pain: int | None


@dataclass(frozen=True, slots=True)
class Trend:
    """A median of the first and of the last sessions in which it was told."""

    first: float
    last: float
    told: int
    """Sessions."""


@dataclass(frozen=True, slots=True)
class Persistence:
    """From the first session on."""

    days: int
    """To the last session of a program that was discontinued, else to the last day it was observed."""
    discontinued: bool
    on: date
    """The day that ends it: of a discontinuation the last session, not the day it was noticed."""


def exercised(plan: Plan, names: Mapping[UUID, str], bouts: Sequence[Bout], first: date, last: date) -> list[Exercised]:
    """Every line that was expected or done between two days, in the order of its first expectation."""
    schedule = Schedule(plan)
    expected: dict[UUID, float] = {}
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        stretch = schedule.stretch(ordinal)
        if stretch is None or schedule.is_paused(ordinal):
            continue
        for line in stretch.phase.lines:
            rounds = line_weight(line, stretch.phase_start, ordinal) * line.sessions_per_day / UNIT
            expected[line.line_id] = expected.get(line.line_id, 0.0) + rounds
    entries = [entry for bout in bouts if first <= bout.day <= last for entry in bout.entries]
    found = []
    for line_id in dict.fromkeys([*expected, *(entry.line_id for entry in entries)]):
        if line_id not in names:
            continue
        own = [entry for entry in entries if entry.line_id == line_id]
        pains = [entry.pain for entry in own if entry.pain is not None]
        found.append(
            Exercised(
                line_id=line_id,
                name=names[line_id],
                expected=expected.get(line_id, 0.0),
                done=sum(not entry.skipped for entry in own),
                skipped=sum(entry.skipped for entry in own),
                reasons=Counter(entry.reason for entry in own if entry.skipped and entry.reason is not None),
                not_sure=sum(entry.not_sure for entry in own),
                worst_pain=max(pains, default=None),
            )
        )
    return found


def trend(told: Iterable[int | None]) -> Trend | None:
    """The median of the first three and of the last three that were told; None below six: they would overlap."""
    known = [value for value in told if value is not None]
    if len(known) < 2 * FEW:
        return None
    return Trend(float(median(known[:FEW])), float(median(known[-FEW:])), len(known))


def letter(
    *,
    title: str,
    first: date,
    last: date,
    initiation: int | None,
    rates: Rates,
    persistence: Persistence | None,
    silent: bool,
    excluded: Mapping[str, int],
    pain: Trend | None,
    matters: float,
    reasons: Mapping[str, int],
) -> str:
    """One paragraph a therapist can paste into a letter, from the same numbers as the tables beside it; `silent` is
    whether a silence has lapsed that may yet end.
    """
    named = f" “{title}”" if title != UNTITLED else ""
    told = [f"Home exercise program{named}, {long_day(first)} to {long_day(last)}."]
    if initiation is None:
        return " ".join([*told, "No session has been logged."])
    told.append("Begun on the first day." if initiation == 0 else f"Begun {_days(initiation)} after the start.")
    shares = [
        _share("exercised on", rates.frequency, "expected days"),
        _share("did", rates.completeness, "of the exercises prescribed for them", of_what=False),
        f"{_percent(rates.dose)} of the prescribed amount of those" if rates.dose.denominator else "",
    ]
    told.append(f"While following it the patient {', '.join(part for part in shares if part)}." if shares[0] else "")
    left_out = [f"{_days(days)} of {what}" for what, days in excluded.items() if days]
    told.append(f"Not counted: {', '.join(left_out)}." if left_out else "")
    if persistence is not None:
        told.append(
            f"Last session on {long_day(persistence.on)}, {_days(persistence.days)} after the first; none since."
            if persistence.discontinued
            else "Silent at present, not yet counted as stopped."
            if silent
            else f"Still going {_days(persistence.days)} after the first session."
        )
    told.append(_pain(pain, matters))
    if reasons:
        most = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))[:3]
        told.append(
            f"Reasons given for leaving exercise out: {', '.join(f'{why(code)} ({times})' for code, times in most)}."
        )
    told.append("From the patient's own logs, which tend to say somewhat more than was done.")
    return " ".join(part for part in told if part)


def own_words(
    *, rates: Rates, days: int, initiation: int | None, pain: Trend | None, matters: float, going: bool
) -> str:
    """One paragraph for the patient: what was done, never what was not. `days` are those with exercise; praise for
    keeping on is for who is `going` on.
    """
    if initiation is None:
        return "Your program is ready when you are. Start with whatever feels easiest."
    done, due = round(rates.frequency.numerator), round(rates.frequency.denominator)
    told = [f"You exercised on {done} of {due} planned days." if due else f"You exercised on {_days(days)}."]
    if due and going and rates.frequency.value is not None and rates.frequency.value >= 0.8:
        told.append("That is as much as people do who get the most out of it.")
    if pain is not None and pain.first - pain.last >= matters:
        told.append(f"Your pain with exercise went from about {pain.first:g} to about {pain.last:g} of 10.")
    if pain is not None and pain.last - pain.first >= matters:
        told.append("Exercise has been hurting more lately: tell your therapist, the plan can be changed.")
    told.append("Every session counts, also a short one.")
    return " ".join(told)


def long_day(day: date) -> str:
    """A day with its year, for letters."""
    return f"{short_day(day)} {day.year}"


def weeks_before(day: date, count: int) -> tuple[date, date]:
    """So many weeks that end the day before."""
    return day - count * WEEK * DAY, day - DAY


def _pain(pain: Trend | None, matters: float) -> str:
    if pain is None:
        return ""
    change = pain.last - pain.first
    verdict = "a change that matters" if abs(change) >= matters else "less than the change that matters"
    if change == 0:
        return f"Pain with exercise stayed at {pain.first:g} of 10 (medians of the first and last three told)."
    return (
        f"Pain with exercise went from {pain.first:g} to {pain.last:g} of 10 (medians of the first and last three"
        f" told), {verdict} ({matters:g})."
    )


def _share(did: str, rate: Rate, what: str, *, of_what: bool = True) -> str:
    if rate.denominator < 1:
        return ""  # of less than one whole day no share can be told
    counted = f"{rate.numerator:.0f} of {rate.denominator:.0f} {what} ({_percent(rate)})"
    return f"{did} {counted}" if of_what else f"{did} {_percent(rate)} {what}"


def _percent(rate: Rate) -> str:
    return f"{round(100 * (rate.value or 0.0))} %"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
