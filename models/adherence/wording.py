"""Evidence in plain words: one sentence per flag, true at the moment it is read."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from models.adherence.kinds import FlagKind, Severity, meaning

_REASONS = {
    "symptoms_worse": "it made the symptoms worse",
    "afraid_of_harm": "afraid of doing harm",
    "unsure_how": "unsure how to do it",
    "unsure_if_correct": "unsure of doing it right",
    "not_helping": "it is not helping",
    "dont_believe_needed": "does not think it is needed",
    "feel_better": "feels better",
    "no_time": "no time",
    "forgot": "forgot",
    "no_space_or_equipment": "no space or equipment",
    "travel": "travelling",
    "ill": "ill",
    "fatigue": "too tired",
    "low_mood": "low mood",
    "no_support": "no support",
    "too_many_exercises": "too many exercises",
    "boring": "finds it boring",
    "app_problem": "trouble with the app",
}


OWN_WORDS = {
    "symptoms_worse": "It made the pain worse",
    "not_helping": "It does not help",
    "afraid_of_harm": "I am afraid of doing harm",
    "unsure_how": "I am not sure how to do it",
    "unsure_if_correct": "I am not sure I do it right",
    "feel_better": "I feel better",
    "no_time": "No time",
    "forgot": "I forgot",
    "ill": "I am ill",
    "fatigue": "I am too tired",
    "travel": "I am away",
    "no_space_or_equipment": "No room or equipment",
    "too_many_exercises": "It is too much",
    "boring": "It bores me",
    "low_mood": "I feel low",
    "no_support": "Nobody helps me with it",
    "dont_believe_needed": "I do not think I need it",
    "app_problem": "Trouble with the app",
    "other": "Something else",
}
"""Reasons as a patient taps them, those first that matter most (clinical content 7.2)."""


def sentence(kind: FlagKind, evidence: Mapping[str, Any], today: date) -> str:
    """Why this flag is on the list, as of the patient's local `today`; `evidence` as the finding stored it."""
    if "answers" in evidence:
        return _told(kind, evidence)
    return _SENTENCES[kind](evidence, today)


def next_step(kind: FlagKind, evidence: Mapping[str, Any], severity: Severity) -> str:
    """What a therapist would usually do next; a suggestion."""
    reason = evidence.get("reason")
    if meaning(reason) in _STEPS_BY_REASON:
        return _STEPS_BY_REASON[meaning(reason)]
    if kind is FlagKind.RED_FLAG and severity <= Severity.MEDIUM:
        return "Ask about it at the next contact."
    if kind is FlagKind.BARRIER and severity >= Severity.HIGH and reason is None:
        return "Call today: ask what hurt, worried or disappointed them."
    if kind is FlagKind.RED_FLAG and severity is not Severity.EMERGENCY:
        return "Call today and see that the patient gets medical advice."
    return _NEXT_STEPS[kind]


def missed_slots(slots_after_days: Sequence[int], since: date, today: date) -> int:
    """Expected sessions whose day had fully passed, since `since`, when `today` began."""
    return bisect_left(slots_after_days, (today - since).days)


def why(reason: str) -> str:
    """A reason code in words; what a newer app sent reads as "other"."""
    return _REASONS.get(meaning(reason) or "", "other")


def _silence(evidence: Mapping[str, Any], today: date) -> str:
    last = date.fromisoformat(evidence["last_day"])
    missed = missed_slots(evidence["slots_after_days"], last, today)
    more = "more than " if missed and missed == len(evidence["slots_after_days"]) else ""
    done, expected = evidence["usual_done"], evidence["usual_expected"]
    usual = (
        f"Usually {_count(min(done, expected))} of {_count(expected)} days a week" if expected else "Exercised before"
    )
    silent = f"nothing since {short_day(last)}"
    if "told_on" in evidence:
        said = why(evidence["reason"]) if "reason" in evidence else "nothing done"
        silent = (
            f"no exercise since {short_day(last)}, on {short_day(date.fromisoformat(evidence['told_on']))} said: {said}"
        )
    awaited = round(missed * evidence["habit"])
    if not awaited:
        return f"{usual}; {silent}."
    were = "session" if awaited == 1 else "sessions"
    return f"{usual}; {silent}; {more}{awaited} {were} missed that we would have expected."


def _not_started(evidence: Mapping[str, Any], today: date) -> str:
    starts = date.fromisoformat(evidence["starts_on"])
    return f"Was to start on {short_day(starts)}, {_ago(starts, today)}; no session yet."


def _pain_high(evidence: Mapping[str, Any], _today: date) -> str:
    return (
        f"Pain {evidence['pain']} of 10 during or after exercise on {short_day(date.fromisoformat(evidence['day']))}."
    )


def _barrier(evidence: Mapping[str, Any], _today: date) -> str:
    what = "Left something out" if evidence.get("exercised") else "Did not exercise"
    return f"{what} on {short_day(date.fromisoformat(evidence['day']))}: {why(evidence['reason'])}."


def _withdrawn(evidence: Mapping[str, Any], _today: date) -> str:
    return f"Stopped the program on {short_day(date.fromisoformat(evidence['day']))}: {why(evidence['reason'])}."


def _review_due(evidence: Mapping[str, Any], today: date) -> str:
    due = date.fromisoformat(evidence["due_on"])
    return f"Four-week review was due on {short_day(due)}, {_ago(due, today)}."


def _endangered(evidence: Mapping[str, Any], _today: date) -> str:
    findings = evidence["findings"]
    more = f" And {len(findings) - 1} more." if len(findings) > 1 else ""
    return f"What is known now makes the running program unsafe. {findings[0]}{more}"


def _told(kind: FlagKind, evidence: Mapping[str, Any]) -> str:
    """Every answer, the latest first: a later one never hides an earlier."""
    said: dict[str, str] = {}
    for answer in reversed(evidence["answers"]):
        for words in answer["said"]:
            said.setdefault(words, short_day(date.fromisoformat(answer["day"])))
    if kind is FlagKind.CONTACT_WANTED:
        return " ".join(f"{words[:1].upper()}{words[1:]} on {day}." for words, day in said.items())
    return " ".join(f"Reported on {day}: {words}." for words, day in said.items())


def _pain_24h(evidence: Mapping[str, Any], _today: date) -> str:
    return f"Pain was not back to usual by the morning of {short_day(date.fromisoformat(evidence['day']))}."


def _pain_trend(evidence: Mapping[str, Any], _today: date) -> str:
    return f"Pain has risen: usually {evidence['baseline']:g} of 10 at the start, {evidence['level']:g} lately."


def _spreading(evidence: Mapping[str, Any], _today: date) -> str:
    days = " and ".join(short_day(date.fromisoformat(day)) for day in evidence["days"])
    return f"Pain moved further down the limb on {days}."


def _returned(evidence: Mapping[str, Any], _today: date) -> str:
    back, since = (date.fromisoformat(evidence[name]) for name in ("day", "absent_since"))
    return f"Back on {short_day(back)} after {(back - since).days} days without exercise."


def _sync_stale(evidence: Mapping[str, Any], today: date) -> str:
    last = date.fromisoformat(evidence["last_contact"])
    return f"The phone was last in touch on {short_day(last)}, {_ago(last, today)}; logs may be waiting on it."


def _low_trust(evidence: Mapping[str, Any], _today: date) -> str:
    return f"{evidence['sessions']} of the last 10 sessions were entered more than a week late."


def pain_words(pain: int) -> str:
    """A pain as it was told, also where it is off the scale: what nobody said is not made up."""
    return f"pain {pain} of 10" if pain <= 10 else f"pain “{min(pain, 999)}”, on a scale that ends at 10"


def _low_adherence(evidence: Mapping[str, Any], _today: date) -> str:
    done, expected = _count(evidence["done"]), _count(evidence["expected"])
    return f"{done} of {expected} expected days done in {_span(evidence['days'])} to {_through(evidence)}."


def _declining(evidence: Mapping[str, Any], _today: date) -> str:
    now, before = round(100 * evidence["share"]), round(100 * evidence["share_before"])
    return f"{now} % of the expected days in the two weeks to {_through(evidence)}, {before} % in the four before."


def _incomplete(evidence: Mapping[str, Any], _today: date) -> str:
    return (
        f"Exercises regularly, but touched {_count(evidence['touched'])} of {_count(evidence['expected'])} expected"
        f" items in the two weeks to {_through(evidence)}."
    )


def _span(days: int) -> str:
    return "the four weeks" if days == 28 else f"the {days} days"


def _through(evidence: Mapping[str, Any]) -> str:
    """The day of the last session, with which windows end; the days of a long silence before it are not in them."""
    through = short_day(date.fromisoformat(evidence["through"]))
    return f"{through}, a long silence left out" if evidence["silent_days"] else through


def _partial_dose(evidence: Mapping[str, Any], _today: date) -> str:
    return (
        f"About {round(100 * evidence['dose'])} % of the prescribed amount in the last {evidence['sessions']} sessions."
    )


def _dropped(what: str) -> Callable[[Mapping[str, Any], date], str]:
    def say(evidence: Mapping[str, Any], today: date) -> str:
        since = date.fromisoformat(evidence["since"])
        if not evidence["ever"]:
            return f"Exercises, but no {what} exercise since {short_day(since)} at least."
        return f"Exercises, but no {what} exercise since {short_day(since)}, {_ago(since, today)}."

    return say


def _unsure(evidence: Mapping[str, Any], _today: date) -> str:
    times = "once" if evidence["times"] == 1 else f"{evidence['times']} times"
    last = short_day(date.fromisoformat(evidence["day"]))
    return f"Not sure how to do an exercise: said {times}, last on {last}."


def _flare_long(evidence: Mapping[str, Any], _today: date) -> str:
    first, last = (short_day(date.fromisoformat(evidence[name])) for name in ("from_on", "to_on"))
    if evidence["why"] == "often":
        return f"{evidence['flares']} flares within 60 days, the last from {first} to {last}."
    return f"In a flare from {first} to {last}, more than {evidence['most_days']} days."


def _check_in_overdue(evidence: Mapping[str, Any], today: date) -> str:
    due = date.fromisoformat(evidence["due_on"])
    months = "1 month" if evidence["month"] == 1 else f"{evidence['month']} months"
    return f"The check-in at {months} was due on {short_day(due)}, {_ago(due, today)}; no answer yet."


def _measure_worse(evidence: Mapping[str, Any], _today: date) -> str:
    return " ".join(f"{one['name']}: {one['baseline']:g} → {one['latest']:g}." for one in evidence["measures"])


def _screening_due(evidence: Mapping[str, Any], today: date) -> str:
    asked = date.fromisoformat(evidence["screened_on"])
    return f"The red-flag questions were last asked on {short_day(asked)}, {_ago(asked, today)}."


_SENTENCES: dict[FlagKind, Callable[[Mapping[str, Any], date], str]] = {
    FlagKind.SILENCE: _silence,
    FlagKind.NOT_STARTED: _not_started,
    FlagKind.PAIN_HIGH: _pain_high,
    FlagKind.BARRIER: _barrier,
    FlagKind.WITHDRAWN: _withdrawn,
    FlagKind.REVIEW_DUE: _review_due,
    FlagKind.ENDANGERED: _endangered,
    FlagKind.PAIN_24H: _pain_24h,
    FlagKind.PAIN_TREND: _pain_trend,
    FlagKind.SPREADING: _spreading,
    FlagKind.RETURNED: _returned,
    FlagKind.SYNC_STALE: _sync_stale,
    FlagKind.LOW_TRUST: _low_trust,
    FlagKind.LOW_ADHERENCE: _low_adherence,
    FlagKind.DECLINING: _declining,
    FlagKind.INCOMPLETE: _incomplete,
    FlagKind.PARTIAL_DOSE: _partial_dose,
    FlagKind.STRENGTH_DROPPED: _dropped("strength"),
    FlagKind.CORE_DROPPED: _dropped("core or stabilization"),
    FlagKind.UNSURE: _unsure,
    FlagKind.FLARE_LONG: _flare_long,
    FlagKind.CHECK_IN_OVERDUE: _check_in_overdue,
    FlagKind.MEASURE_WORSE: _measure_worse,
    FlagKind.SCREENING_DUE: _screening_due,
}

_NEXT_STEPS = {
    FlagKind.PAIN_24H: "Call today: hold the level or ease it until mornings are back to usual.",
    FlagKind.PAIN_TREND: "Look at what changed; ease the dose or swap what provokes it.",
    FlagKind.SPREADING: "Call: stop what moves the pain down the limb; examine again.",
    FlagKind.RETURNED: "Welcome back: restart with a smaller dose.",
    FlagKind.SYNC_STALE: "Ask them to open the app where there is a network.",
    FlagKind.LOW_TRUST: "Read the numbers with care; make logging easier.",
    FlagKind.LOW_ADHERENCE: "Offer a shorter plan: the three exercises that matter most.",
    FlagKind.DECLINING: "Ask what changed in the last weeks; offer a shorter plan before it stops.",
    FlagKind.INCOMPLETE: "Ask which exercises are left out, and why.",
    FlagKind.PARTIAL_DOSE: "Prescribe what is being done, and build up from there.",
    FlagKind.STRENGTH_DROPPED: "Explain why strength protects from relapse; offer one strength exercise to keep.",
    FlagKind.CORE_DROPPED: "Explain what the trunk exercises are for; offer the easiest two.",
    FlagKind.UNSURE: "Show the exercise again within three days.",
    FlagKind.FLARE_LONG: "Contact rheumatology; review the flare plan.",
    FlagKind.CHECK_IN_OVERDUE: "Remind, then call.",
    FlagKind.MEASURE_WORSE: "Examine again; change the program or refer.",
    FlagKind.SCREENING_DUE: "Ask the red-flag questions at the next contact.",
    FlagKind.SILENCE: "Call: ask what got in the way, and offer a shorter plan to restart.",
    FlagKind.NOT_STARTED: "Call: check that the app works and the first exercises are clear.",
    FlagKind.PAIN_HIGH: "Call today: offer an easier exercise or a smaller dose.",
    FlagKind.RED_FLAG: "Make sure the patient is being seen now.",
    FlagKind.FALL: "Call today; review falls risk; put balance exercises back to supported.",
    FlagKind.SYMPTOM: "Call: ask about it, and examine before anything is progressed.",
    FlagKind.BARRIER: "Ask what would make it easier.",
    FlagKind.WITHDRAWN: "Ask what would make it easier.",
    FlagKind.ENDANGERED: "Today: change the program or override with a reason, and tell the patient what to leave out.",
    FlagKind.REVIEW_DUE: "Review: progress, change or discharge, and record it.",
    FlagKind.RECURRENCE: "Offer the early-return plan: the first phase of the program that helped, after a safety"
    " check.",
    FlagKind.CONTACT_WANTED: "Read what was answered, and call or write back.",
}

_STEPS_BY_REASON: dict[str | None, str] = {
    "symptoms_worse": "Call today: find the exercise that hurts and ease it.",
    "afraid_of_harm": "Call today: explain what is safe and show it again.",
    "not_helping": "Call today: review the goal and the mix of exercises.",
    "unsure_how": "Show the exercise again.",
    "unsure_if_correct": "Watch the exercise together.",
    "feel_better": "Explain that the trouble tends to come back when exercise stops; offer a maintenance plan.",
    "travel": "Offer a pause until they are back.",
    "ill": "Offer a pause until they are well.",
    "too_many_exercises": "Shorten the plan to two to four exercises.",
}


def _count(days: float) -> str:
    """Whole days as people say them; a share below one day is said as such."""
    whole = round(days)
    return str(whole) if whole else "less than 1"


def _ago(day: date, today: date) -> str:
    days = (today - day).days
    return "1 day ago" if days == 1 else f"{days} days ago"


def short_day(day: date) -> str:
    """A day as people say it within a year: 9 Nov."""
    return f"{day.day} {day:%b}"
