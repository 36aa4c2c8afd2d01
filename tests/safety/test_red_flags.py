"""Red flags: every question has its alarm and its advice, and broken bodies are still listened to."""

import pytest
from hypothesis import given, strategies as st

from models.adherence.flags import FlagKind, Severity
from models.safety.red_flags import CHIPS, EMERGENCY, RED_FLAGS, UNKNOWN_RED_FLAG, alarms, salvage

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
    harmless = [chip for chip in CHIPS if chip not in {*RED_FLAGS, "fall", "numb_or_weak"}]
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
    assert (heard.chips, heard.pain_during) == (chips, pain)
