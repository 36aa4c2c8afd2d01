"""Red flags: every question has its alarm and its advice, and broken bodies are still listened to."""

import pytest
from hypothesis import given, strategies as st

from models.adherence.kinds import PAIN_HIGH, SAME_DAY_REASONS, FlagKind, Reason, Severity
from models.safety.red_flags import (
    ASK,
    CHIPS,
    EMERGENCY,
    FALL_ADVICE,
    PAIN_ADVICE,
    RED_FLAGS,
    SAME_DAY,
    SYMPTOMS,
    UNKNOWN_RED_FLAG,
    WITHIN_DAYS,
    SafetyAnswers,
    alarms,
    salvage,
)

AT_ONCE = {"RF-01", "RF-03", "RF-04", "RF-10", "RF-12"}
"""Cauda equina, cord, stroke, heart, aorta (clinical content 2.5)."""


def test_the_thirteen_questions_and_how_grave_each_is() -> None:
    assert list(RED_FLAGS) == [f"RF-{number:02d}" for number in range(1, 14)]
    for flag in RED_FLAGS.values():
        assert (flag.severity is Severity.EMERGENCY) == (flag.id in AT_ONCE)
        assert (flag.advice == EMERGENCY) == (flag.id in AT_ONCE)


def test_every_red_flag_chip_raises_its_flag() -> None:
    for chip, flag in RED_FLAGS.items():
        (alarm,) = alarms([chip])
        assert (alarm.kind, alarm.severity, alarm.advice) == (FlagKind.RED_FLAG, flag.severity, flag.advice)


def test_a_red_flag_is_one_however_it_is_spelled_and_whoever_invented_it() -> None:
    assert alarms([" rf-01 "]) == alarms(["RF-01"])
    (newer,) = alarms(["RF-99"])
    assert (newer.kind, newer.severity, newer.said) == (FlagKind.RED_FLAG, Severity.URGENT, UNKNOWN_RED_FLAG)
    assert salvage({"chips": "RF-07"}).cannot_wait


def test_numbness_or_weakness_is_the_nerve_question() -> None:
    assert alarms(["numb_or_weak"]) == alarms(["RF-02"])


def test_the_gravest_comes_first_and_nothing_twice() -> None:
    found = alarms(["fall", "RF-09", "RF-01", "fall"])
    assert [alarm.severity for alarm in found] == [Severity.EMERGENCY, Severity.URGENT, Severity.MEDIUM]


def test_other_chips_raise_nothing() -> None:
    harmless = [chip for chip in CHIPS if chip not in {*RED_FLAGS, *SYMPTOMS, "fall", "numb_or_weak"}]
    assert harmless == ["not_sure"]
    assert alarms([*harmless, "something_newer"]) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(CHIPS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["chips", "reason", "pain_during"]), inner)
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_body_can_be_listened_to(body: object) -> None:
    heard = salvage(body)
    chips = body.get("chips") if isinstance(body, dict) else None
    if isinstance(chips, list):
        assert {chip for chip in chips if isinstance(chip, str)} == set(heard.chips)
    assert heard.matter in {True, False}
    assert all(alarm.said.isprintable() for alarm in alarms(heard.chips))


@pytest.mark.parametrize(
    ("body", "chips", "pain"),
    [
        ({"chips": "RF-07", "pain_during": 8.0}, ("RF-07",), 8),
        ({"chips": {"RF-01": True, "fall": False}, "pain_during": "8"}, ("RF-01",), 8),
        ({"chips": ["rf-\ud800", "x" * 33], "pain_during": float("nan")}, ("rf-\ud800",), None),
        ({"chips": ["fall"] * 1000, "pain_during": "9" * 40}, ("fall",) * 100, None),
    ],
)
def test_broken_answers_are_still_answers(body: object, chips: tuple[str, ...], pain: int | None) -> None:
    heard = salvage(body)
    assert (heard.chips, heard.worst_pain) == (chips, pain)


@pytest.mark.parametrize(
    ("severity", "ids", "advice"),
    [
        (Severity.EMERGENCY, AT_ONCE, EMERGENCY),
        (Severity.URGENT, {"RF-02", "RF-05", "RF-06", "RF-07", "RF-11"}, SAME_DAY),
        (Severity.URGENT, {"RF-13"}, "Stop exercising. Call your maternity unit now."),
        (Severity.HIGH, {"RF-08"}, WITHIN_DAYS),
        (Severity.MEDIUM, {"RF-09"}, ASK),
    ],
)
def test_who_is_told_what(severity: Severity, ids: set[str], advice: str) -> None:
    assert {flag.id for flag in RED_FLAGS.values() if (flag.severity, flag.advice) == (severity, advice)} == ids


def test_the_advice_in_full() -> None:
    assert EMERGENCY.startswith("Stop exercising. Call the emergency number (112, 911, 999) now")
    assert SAME_DAY.startswith("Stop exercising. Get medical help today;")
    assert WITHIN_DAYS.startswith("Stop this program for now.")
    assert ASK == "Tell your therapist at your next contact."
    assert FALL_ADVICE.startswith("Rest. If you hit your head")
    assert PAIN_ADVICE.startswith("Stop the exercise that hurts and rest today.")
    (fall,) = alarms(["fall"])
    assert (fall.kind, fall.severity, fall.said, fall.advice) == (FlagKind.FALL, Severity.URGENT, "a fall", FALL_ADVICE)
    (newer,) = alarms(["rf-14"])
    assert newer.advice == SAME_DAY
    assert UNKNOWN_RED_FLAG == "a red flag that only a newer version knows; ask the patient"


def test_the_chips_of_the_page() -> None:
    assert CHIPS[:6] == ("further_down", "numb_or_weak", "dizzy", "hot_swollen_joint", "fall", "not_sure")
    assert CHIPS[6:] == tuple(RED_FLAGS)


def answers(*chips: str, reason: str | None = None, pain: int | None = None) -> SafetyAnswers:
    return SafetyAnswers(chips=chips, reason=reason, worst_pain=pain)


@pytest.mark.parametrize(
    ("heard", "matters", "cannot_wait"),
    [
        (answers(), False, False),
        (answers("not_sure"), False, False),
        (answers("dizzy"), True, True),
        (answers("fall"), True, True),
        (answers(pain=PAIN_HIGH - 1), False, False),
        (answers(pain=PAIN_HIGH), True, True),
        (answers(pain=0), False, False),
        *((answers(reason=reason), True, reason in SAME_DAY_REASONS) for reason in Reason),
    ],
)
def test_what_matters_and_what_cannot_wait(heard: SafetyAnswers, *, matters: bool, cannot_wait: bool) -> None:
    assert (heard.matter, heard.cannot_wait) == (matters, cannot_wait)


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        (answers(), []),
        (answers(pain=PAIN_HIGH - 1), []),
        (answers(pain=PAIN_HIGH), [PAIN_ADVICE]),
        (answers("fall", "RF-01", "RF-03", pain=10), [EMERGENCY, FALL_ADVICE, PAIN_ADVICE]),
    ],
)
def test_what_the_patient_is_told_now(heard: SafetyAnswers, told: list[str]) -> None:
    assert heard.advice() == told


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, answers()),
        ([], answers()),
        ({"reason": next(iter(Reason)).value}, answers(reason=next(iter(Reason)).value)),
        ({"reason": "because"}, answers()),
        ({"reason": ["pain"]}, answers()),
        ({"chips": {"fall": True, "dizzy": 1, "RF-01": "yes"}}, answers("fall")),
        ({"chips": 7}, answers()),
        ({"chips": [7, None, "x" * 32, "x" * 33]}, answers("x" * 32)),
        ({"pain_during": " 7 "}, answers(pain=7)),
        ({"pain_during": "0" * 30 + "7"}, answers(pain=7)),
        ({"pain_during": "0" * 31 + "7"}, answers()),
        ({"pain_during": "-7"}, answers()),
        ({"pain_during": "\u0667"}, answers()),
        ({"pain_during": ""}, answers()),
        ({"pain_during": 7.4}, answers(pain=7)),
        ({"pain_during": float("inf")}, answers()),
        ({"pain_during": True}, answers()),
        ({"pain_during": 11}, answers(pain=11)),
        ({"pain_during": None}, answers()),
    ],
)
def test_each_answer_is_read_as_it_was_meant(body: object, expected: SafetyAnswers) -> None:
    assert salvage(body) == expected
