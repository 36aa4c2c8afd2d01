"""The flags as pure functions, and the sentences they are told in."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from models.adherence import Pause, assess
from models.adherence.kinds import FlagKind, Reason, Report, Severity
from models.adherence.rules.care import barrier
from models.adherence.rules.contact import not_started, silence
from models.adherence.rules.pain import pain_high
from models.adherence.wording import next_step, sentence
from tests.adherence.plans import MON_FRI, START, a_line, a_plan, done, evening, weeks

FOREVER = Pause(START + timedelta(days=2), None)
NOW = datetime(2025, 3, 10, tzinfo=UTC)
LATER = evening(START + timedelta(days=40))


def a_report(day: int, pain: int | None = None, reason: str | None = None) -> Report:
    when = datetime(2025, 3, day, 12, tzinfo=UTC)
    return Report(
        session_id=str(day),
        day=when.date(),
        performed_at=when,
        received_at=when,
        exercised=reason is None,
        worst_pain=pain,
        reason=reason,
    )


def test_whoever_wants_a_person_is_told_in_words_that_quote_nothing() -> None:
    told = [
        {"source": "a", "day": "2025-03-04", "at": "", "said": ["left a message in the weekly questions"]},
        {"source": "b", "day": "2025-03-11", "at": "", "said": ["asked to be contacted"]},
        {"source": "b", "day": "2025-03-11", "at": "", "said": ["left a message in the weekly questions"]},
    ]
    found = sentence(FlagKind.CONTACT_WANTED, {"answers": told}, date(2025, 3, 12))
    assert found == "Left a message in the weekly questions on 11 Mar. Asked to be contacted on 11 Mar."
    assert sentence(FlagKind.FALL, {"answers": [{**told[0], "said": ["a fall"]}]}, date(2025, 3, 12)) == (
        "Reported on 4 Mar: a fall."
    )


@pytest.mark.parametrize("kind", list(FlagKind))
def test_every_kind_of_flag_has_a_next_step(kind: FlagKind) -> None:
    for severity in Severity:
        assert next_step(kind, {}, severity).endswith(".")


def test_a_pause_without_an_end_promises_nothing() -> None:
    plan = a_plan(a_line(weekdays=MON_FRI), pauses=[FOREVER])
    assert silence(assess(plan, done([START]), LATER)) is None
    assert not_started(assess(plan, [], LATER), START) is None


def test_a_program_that_is_over_is_nobodys_silence() -> None:
    plan = a_plan(a_line(weekdays=MON_FRI), ends_on=START + timedelta(days=30))
    assert silence(assess(plan, done(weeks(range(5))), LATER)) is None
    assert not_started(assess(plan, [], LATER), START) is None


@pytest.mark.parametrize(
    ("pains", "is_open"),
    [
        ([], False),
        ([5], False),
        ([6], True),
        ([6, 5], True),
        ([6, 5, 5], False),
        ([6, 5, None, 5], False),
        ([6, 5, 6, 5], True),
        ([9, 0, 10], True),
    ],
)
def test_high_pain_needs_two_calm_sessions(pains: list[int | None], is_open: bool) -> None:
    reports = [a_report(day, pain) for day, pain in enumerate(pains, start=3)]
    assert (pain_high(reports) is not None) is is_open


@pytest.mark.parametrize("reason", list(Reason))
def test_a_barrier_is_red_only_for_hurt_afraid_and_no_relief(reason: Reason) -> None:
    found = barrier([a_report(3, reason="boring"), a_report(4, reason=reason), a_report(5)], NOW)
    assert found is not None
    red = {"symptoms_worse", "afraid_of_harm", "not_helping"}
    assert found.severity == (Severity.HIGH if reason in red else Severity.MEDIUM)
    assert found.evidence["reason"] == reason
    told = sentence(FlagKind.BARRIER, found.evidence, date(2025, 3, 9))
    assert told.startswith("Did not exercise on 4 Mar: ")
    assert next_step(FlagKind.BARRIER, found.evidence, found.severity)


def test_a_reason_of_a_newer_app_reads_as_other() -> None:
    evidence = {"reason": "mercury_retrograde", "day": "2025-03-04"}
    assert sentence(FlagKind.BARRIER, evidence, date(2025, 3, 9)) == "Did not exercise on 4 Mar: other."


def test_the_gravest_reason_stays_until_it_is_two_weeks_old() -> None:
    reports = [a_report(3, reason="symptoms_worse"), a_report(5, reason="no_time")]
    for now, reason in ((NOW, "symptoms_worse"), (NOW + timedelta(days=8), "no_time")):
        found = barrier(reports, now)
        assert found is not None
        assert found.evidence["reason"] == reason
    assert barrier(reports, NOW + timedelta(days=10)) is None


def test_what_was_said_instead_is_told_with_the_silence() -> None:
    """Vector A, and on 31 March a day without exercise, with its reason."""
    judged = assess(a_plan(a_line(weekdays=MON_FRI)), done(weeks(range(5))), evening(date(2025, 4, 8)))
    found = silence(judged, [a_report(28), a_report(31, reason="feel_better")])
    assert found is not None
    assert sentence(FlagKind.SILENCE, found.evidence, date(2025, 4, 8)) == (
        "Usually 5 of 5 days a week; no exercise since 28 Mar, on 31 Mar said: feels better;"
        " 6 sessions missed that we would have expected."
    )
    assert "maintenance" in next_step(FlagKind.SILENCE, found.evidence, found.severity)


def test_a_later_answer_never_hides_an_earlier() -> None:
    first = {"source": "a", "day": "2025-03-03", "said": ["a fall", "numb"]}
    second = {"source": "b", "day": "2025-03-05", "said": ["fever", "a fall"]}
    told = sentence(FlagKind.RED_FLAG, {"answers": [first, second]}, date(2025, 3, 9))
    assert told == "Reported on 5 Mar: fever. Reported on 5 Mar: a fall. Reported on 3 Mar: numb."


def test_an_emergency_is_seen_now_the_rest_today() -> None:
    steps = {
        next_step(FlagKind.RED_FLAG, {"answers": []}, severity) for severity in (Severity.EMERGENCY, Severity.HIGH)
    }
    assert len(steps) == 2


SILENT: dict[str, Any] = {
    "last_day": "2025-03-03",
    "habit": 1.0,
    "usual_done": 5.0,
    "usual_expected": 5.0,
    "slots_after_days": [1, 2, 3, 4],
}


@pytest.mark.parametrize(
    ("but", "today", "expected"),
    [
        ({}, 4, "Usually 5 of 5 days a week; nothing since 3 Mar."),
        ({}, 5, "Usually 5 of 5 days a week; nothing since 3 Mar; 1 session missed that we would have expected."),
        ({}, 6, "Usually 5 of 5 days a week; nothing since 3 Mar; 2 sessions missed that we would have expected."),
        (
            {"habit": 0.6, "usual_done": 3.0},
            7,
            "Usually 3 of 5 days a week; nothing since 3 Mar; 2 sessions missed that we would have expected.",
        ),
        (
            {"usual_done": 6.0},
            5,
            "Usually 5 of 5 days a week; nothing since 3 Mar; 1 session missed that we would have expected.",
        ),
        (
            {"habit": 0.05, "usual_done": 0.25},
            7,
            "Usually less than 1 of 5 days a week; nothing since 3 Mar.",
        ),
        (
            {},
            30,
            "Usually 5 of 5 days a week; nothing since 3 Mar; more than 4 sessions missed that we would have expected.",
        ),
        (
            {"usual_expected": 0.0},
            6,
            "Exercised before; nothing since 3 Mar; 2 sessions missed that we would have expected.",
        ),
    ],
)
def test_silence_in_words(but: dict[str, Any], today: int, expected: str) -> None:
    """Missed are the expected sessions whose day had fully passed, times the habit."""
    assert sentence(FlagKind.SILENCE, SILENT | but, date(2025, 3, today)) == expected
