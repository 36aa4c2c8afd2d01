"""What a new revision changes, as the patient reads it."""

from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, strategies as st

from models.prescription.changes import PrescribedLine, PrescribedPhase, changes
from models.prescription.dosage import Dosage, Side, text
from tests.prescription.dosages import dosages, pairs, sides, without_amount

TWICE_TEN: dict[str, Any] = {"sets": 2, "reps": 10}
THREE_DAYS: dict[str, Any] = {"days_per_week": 3}
USUAL = Dosage(**TWICE_TEN, **THREE_DAYS)
GOALS = ("range", "core_strength", "fall_prevention")


def a_line(name: str = "Bird dog", **but: Any) -> PrescribedLine:
    said: dict[str, Any] = {"line_id": uuid4(), "name": name, "dosage": USUAL} | but
    return PrescribedLine(**said)


def a_phase(*lines: PrescribedLine, label: str = "Weeks 1 to 4", **but: Any) -> PrescribedPhase:
    """One that runs on."""
    said: dict[str, Any] = {"label": label, "from_day": 1, "to_day": None, "lines": lines} | but
    return PrescribedPhase(**said)


def calm(*lines: PrescribedLine, to_day: int = 14) -> PrescribedPhase:
    return a_phase(*lines, label="Calm", to_day=to_day)


def build(*lines: PrescribedLine, from_day: int = 15) -> PrescribedPhase:
    return a_phase(*lines, label="Build", from_day=from_day)


def flare(*lines: PrescribedLine, to_day: int | None = None) -> PrescribedPhase:
    return a_phase(*lines, label="flare plan", to_day=to_day, is_flare=True)


def told(old: PrescribedLine, new: PrescribedLine) -> list[str]:
    """The sentences where one phase has one line."""
    return changes([a_phase(old)], [a_phase(new)])


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        # a number
        (TWICE_TEN, {"sets": 3, "reps": 10}, "2 → 3 sets"),
        (TWICE_TEN, {"sets": 2, "reps": 12}, "10 → 12 repetitions"),
        ({"hold_seconds": 5}, {"hold_seconds": 8}, "hold 5 → 8 s"),
        ({"duration_minutes": 5}, {"duration_minutes": 7.5}, "5 → 7.5 min"),
        ({"distance_m": 100}, {"distance_m": 200}, "100 → 200 m"),
        (TWICE_TEN | {"load_kg": 2}, TWICE_TEN | {"load_kg": 2.5}, "2 → 2.5 kg"),
        (TWICE_TEN | {"rpe_target": 3}, TWICE_TEN | {"rpe_target": 5}, "effort 3 → 5 of 10"),
        (TWICE_TEN, TWICE_TEN | {"pain_limit": 3}, "pain limit 5 → 3 of 10"),
        (TWICE_TEN | {"rest_seconds": 60}, TWICE_TEN | {"rest_seconds": 30}, "rest 60 → 30 s"),
        # tempo and band
        (TWICE_TEN, TWICE_TEN | {"tempo": (2, 8, 2, 1)}, "another tempo"),
        (TWICE_TEN | {"tempo": (2, 0, 2, 0)}, TWICE_TEN | {"tempo": (2, 8, 2, 1)}, "another tempo"),
        (TWICE_TEN | {"band": "red"}, TWICE_TEN | {"band": "green"}, "red → green band"),
        (TWICE_TEN, TWICE_TEN | {"band": "red"}, "no → red band"),
        (TWICE_TEN | {"band": "red"}, TWICE_TEN, "red → no band"),
        # what was not there before, or is not there any more
        (TWICE_TEN, TWICE_TEN | {"load_kg": 2}, "2 × 10 → 2 × 10, 2 kg"),
        (TWICE_TEN | {"load_kg": 2}, TWICE_TEN, "2 × 10, 2 kg → 2 × 10"),
        (TWICE_TEN, TWICE_TEN | {"hold_seconds": 5}, "2 × 10 → 2 × 10, hold 5 s"),
        (TWICE_TEN, TWICE_TEN | {"rpe_target": 4}, "2 × 10 → 2 × 10, effort 4 of 10"),
        (TWICE_TEN, TWICE_TEN | {"rest_seconds": 30}, "2 × 10 → 2 × 10, rest 30 s between sets"),
        (TWICE_TEN, {"duration_minutes": 10}, "2 × 10 → 10 min"),
        (
            TWICE_TEN,
            {"sets": 3, "reps": 8, "load_kg": 2, "band": "red", "tempo": (2, 0, 2, 0), "pain_limit": 3},
            "2 × 10 → 3 × 8, tempo 2-0-2-0, 2 kg, red band, stop above pain 3 of 10",
        ),
        # minutes and metres, with what stands beside them
        ({"distance_m": 50, "sets": 3}, {"distance_m": 50, "sets": 4}, "3 → 4 sets"),
        ({"distance_m": 50}, {"distance_m": 50, "sets": 4}, "50 m → 4 × 50 m"),
        ({"duration_minutes": 10}, {"duration_minutes": 10, "sets": 3}, "10 min → 3 × 10 min"),
        ({"duration_minutes": 10}, {"duration_minutes": 10, "reps": 10}, "10 min → 10 min, 10 repetitions"),
        ({"duration_minutes": 10, "hold_seconds": 5}, {"duration_minutes": 10}, "10 min, hold 5 s → 10 min"),
        ({"duration_minutes": 10, "reps": 8}, {"duration_minutes": 10, "reps": 10}, "8 → 10 repetitions"),
        ({"duration_minutes": 10}, {"distance_m": 500}, "10 min → 500 m"),
        # no amount before, or none any more
        ({}, {"duration_minutes": 10}, "now 10 min"),
        ({}, {"sets": 4, "distance_m": 50}, "now 4 × 50 m"),
        ({}, TWICE_TEN | {"band": "red"}, "now 2 × 10, red band"),
        ({}, {"rpe_target": 4}, "now effort 4 of 10"),
        ({"band": "red"}, {"band": "red", "duration_minutes": 10}, "red band → 10 min, red band"),
        ({"duration_minutes": 10}, {}, "now as you like"),
        ({}, {"band": "red"}, "no → red band"),
        # several
        (TWICE_TEN, {"sets": 3, "reps": 8}, "2 → 3 sets; 10 → 8 repetitions"),
        (TWICE_TEN, {"sets": 3, "reps": 8, "band": "red"}, "2 → 3 sets; 10 → 8 repetitions; no → red band"),
    ],
)
def test_how_much(before: dict[str, Any], after: dict[str, Any], words: str) -> None:
    line = a_line(dosage=Dosage(**before, **THREE_DAYS))
    assert told(line, replace(line, dosage=Dosage(**after, **THREE_DAYS))) == [f"Bird dog: {words}"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (THREE_DAYS, {"days_per_week": 5}, "3 → 5 days a week"),
        (THREE_DAYS, {"days_per_week": 7}, "3 → 7 days a week"),
        (THREE_DAYS, {"weekdays": (0, 2, 4)}, "3 days a week → Mon Wed Fri"),
        ({"weekdays": (0, 2, 4)}, {"weekdays": (1, 3)}, "Mon Wed Fri → Tue Thu"),
        ({"weekdays": (0, 2, 4)}, {"every_n_days": 2}, "Mon Wed Fri → every other day"),
        ({"every_n_days": 2}, {"every_n_days": 3}, "every other day → every 3 days"),
        ({"every_n_days": 3}, {"days_per_week": 7}, "every 3 days → every day"),
        (THREE_DAYS, THREE_DAYS | {"sessions_per_day": 2}, "once → twice a day"),
        (THREE_DAYS | {"sessions_per_day": 3}, THREE_DAYS, "3 times → once a day"),
        (THREE_DAYS, {"days_per_week": 5, "sessions_per_day": 2}, "once → twice a day; 3 → 5 days a week"),
        (THREE_DAYS, {"as_needed_max_per_day": 3}, "3 days a week → as needed, at most 3 times a day"),
        ({"as_needed_max_per_day": 1}, {"days_per_week": 7}, "as needed, at most once a day → every day"),
        (
            {"as_needed_max_per_day": 1},
            {"weekdays": (0, 2), "sessions_per_day": 2},
            "as needed, at most once a day → twice a day, Mon Wed",
        ),
        (
            {"as_needed_max_per_day": 1},
            {"as_needed_max_per_day": 2},
            "as needed, at most once a day → as needed, at most twice a day",
        ),
    ],
)
def test_how_often(before: dict[str, Any], after: dict[str, Any], words: str) -> None:
    line = a_line(dosage=Dosage(**TWICE_TEN, **before))
    assert told(line, replace(line, dosage=Dosage(**TWICE_TEN, **after))) == [f"Bird dog: {words}"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"side": Side.LEFT}, {"side": Side.RIGHT}, "left side → right side"),
        ({"side": Side.AFFECTED}, {"side": Side.BOTH}, "affected side → both sides"),
        ({"side": None}, {"side": Side.LEFT}, "no side → left side"),
        ({"side": Side.BOTH}, {"side": None}, "both sides → no side"),
        ({"goal": None}, {"goal": "core_strength"}, "now for core strength"),
        ({"goal": "range"}, {"goal": "core_strength"}, "now for core strength"),
        ({"goal": "range"}, {"goal": None}, "no goal any more"),
    ],
)
def test_what_else_a_line_says(before: dict[str, Any], after: dict[str, Any], words: str) -> None:
    line = a_line(**before)
    assert told(line, replace(line, **after)) == [f"Bird dog: {words}"]


def test_several_changes_of_a_line_are_one_sentence() -> None:
    line = a_line(side=Side.LEFT)
    new = replace(
        line,
        dosage=Dosage(sets=3, reps=10, days_per_week=5, sessions_per_day=2),
        side=Side.BOTH,
        goal="motor_control",
    )
    (sentence,) = told(line, new)
    assert sentence.split("; ") == [
        "Bird dog: 2 → 3 sets",
        "once → twice a day",
        "3 → 5 days a week",
        "left side → both sides",
        "now for motor control",
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Dosage(reps=10, **THREE_DAYS), Dosage(sets=1, reps=10, **THREE_DAYS)),
        (Dosage(hold_seconds=20, **THREE_DAYS), Dosage(reps=1, hold_seconds=20, **THREE_DAYS)),
        (Dosage(distance_m=50, **THREE_DAYS), Dosage(sets=1, reps=1, distance_m=50, **THREE_DAYS)),
        (Dosage(**THREE_DAYS), Dosage(rest_seconds=0, **THREE_DAYS)),
        (USUAL, replace(USUAL, rest_seconds=0)),
        (Dosage(**TWICE_TEN, days_per_week=7), Dosage(**TWICE_TEN, weekdays=tuple(range(7)))),
        (Dosage(**TWICE_TEN, weekdays=(0, 2, 4)), Dosage(**TWICE_TEN, weekdays=(4, 2, 0))),
    ],
)
def test_what_reads_the_same_has_not_changed(before: Dosage, after: Dosage) -> None:
    line = a_line(dosage=before)
    assert text(before) == text(after)
    assert told(line, replace(line, dosage=after)) == []


def test_another_exercise_in_a_line_s_place_is_told_by_the_old_name() -> None:
    line = a_line()
    assert told(line, replace(line, name="Cat-camel")) == ["Bird dog: now Cat-camel"]


def test_lines_come_and_go() -> None:
    stays = a_line("Bridge")
    goes = a_line("Cat-camel")
    comes = a_line("Clamshell", dosage=Dosage(sets=2, reps=12, hold_seconds=2, days_per_week=4), side=Side.BOTH)
    assert changes([a_phase(stays, goes)], [a_phase(stays, comes)]) == [
        "Clamshell added: 2 × 12, hold 2 s, each side; 4 days a week",
        "Cat-camel removed",
    ]


def test_changed_lines_are_told_first_and_the_days_of_phases_last() -> None:
    one, other, new = a_line("Bird dog"), a_line("Bridge"), a_line("Plank")
    more = replace(one, dosage=replace(USUAL, sets=3))
    assert changes([calm(other), build(one)], [calm(new, to_day=21), build(more, from_day=22)]) == [
        "Bird dog: 2 → 3 sets",
        "Plank added: 2 × 10; 3 days a week",
        "Bridge removed",
        "Phase Calm: now day 1 to 21",
        "Phase Build: now from day 22 on",
    ]


def test_the_same_exercise_given_anew_is_another_line() -> None:
    assert told(a_line(), a_line()) == ["Bird dog added: 2 × 10; 3 days a week", "Bird dog removed"]


def test_the_order_of_lines_is_no_change() -> None:
    one, other = a_line("Bird dog"), a_line("Bridge")
    assert changes([a_phase(one, other)], [a_phase(other, one)]) == []


def test_a_line_moves_between_phases() -> None:
    line, other = a_line(), a_line("Bridge")
    assert changes([calm(line), build(other)], [calm(), build(other, line)]) == ["Bird dog: moved from Calm to Build"]
    assert changes([calm(other), build(line)], [calm(line, other), build()]) == ["Bird dog: moved from Build to Calm"]


def test_a_line_that_moves_and_changes_says_both() -> None:
    line = a_line()
    more = replace(line, dosage=replace(USUAL, sets=3))
    assert changes([calm(line), build()], [calm(), build(more)]) == ["Bird dog: moved from Calm to Build; 2 → 3 sets"]


def test_an_exercise_in_two_phases_is_named_with_its_phase() -> None:
    early, late, other = a_line(), a_line(), a_line("Bridge")
    more = replace(late, dosage=replace(USUAL, sets=3))
    less = replace(other, dosage=replace(USUAL, sets=1))
    assert changes([calm(early), build(late, other)], [calm(early), build(more, less)]) == [
        "Bird dog (Build): 2 → 3 sets",
        "Bridge: 2 → 1 sets",
    ]
    assert changes([calm(early), build(late)], [calm(), build(late)]) == ["Bird dog (Calm) removed"]
    assert changes([calm(early), build()], [calm(early), build(late)]) == [
        "Bird dog (Build) added: 2 × 10; 3 days a week"
    ]


def test_an_exercise_twice_in_a_phase_is_named_with_its_side() -> None:
    left, right = a_line(side=Side.LEFT), a_line(side=Side.RIGHT)
    more = replace(left, dosage=replace(USUAL, sets=3))
    assert changes([calm(left, right), build()], [calm(more, right), build()]) == ["Bird dog (left side): 2 → 3 sets"]
    assert changes([calm(left, right)], [calm(left)]) == ["Bird dog (right side) removed"]
    assert changes([calm(left)], [calm(left, right)]) == [
        "Bird dog (right side) added: 2 × 10, right side; 3 days a week"
    ]


def test_an_exercise_in_two_phases_and_twice_in_one_is_named_with_both() -> None:
    left, right, late = a_line(side=Side.LEFT), a_line(side=Side.RIGHT), a_line()
    more, later = (replace(line, dosage=replace(USUAL, sets=3)) for line in (left, late))
    assert changes([calm(left, right), build(late)], [calm(more, right), build(later)]) == [
        "Bird dog (Calm, left side): 2 → 3 sets",
        "Bird dog (Build): 2 → 3 sets",
    ]
    assert changes([calm(left, right), build(late)], [calm(left), build()]) == [
        "Bird dog (Calm, right side) removed",
        "Bird dog (Build) removed",
    ]


def test_one_line_more_or_less_is_enough_to_name_the_phase() -> None:
    """A line is named as it stood, and one that comes as it stands."""
    early, late = a_line(), a_line()
    more = replace(early, dosage=replace(USUAL, sets=3))
    assert changes([calm(early), build(late)], [calm(more), build()]) == [
        "Bird dog (Calm): 2 → 3 sets",
        "Bird dog (Build) removed",
    ]
    assert changes([calm(early), build()], [calm(more), build(late)]) == [
        "Bird dog: 2 → 3 sets",
        "Bird dog (Build) added: 2 × 10; 3 days a week",
    ]


def test_what_goes_is_named_as_it_stood_and_what_comes_as_it_stands() -> None:
    goes, comes, late = a_line(), a_line(), a_line()
    assert changes([calm(goes), build()], [calm(comes), build(late)]) == [
        "Bird dog (Calm) added: 2 × 10; 3 days a week",
        "Bird dog (Build) added: 2 × 10; 3 days a week",
        "Bird dog removed",
    ]
    assert changes([calm(goes), build(late)], [calm(comes), build()]) == [
        "Bird dog added: 2 × 10; 3 days a week",
        "Bird dog (Calm) removed",
        "Bird dog (Build) removed",
    ]
    assert changes([calm(goes), build()], [calm(), build(comes)]) == [
        "Bird dog added: 2 × 10; 3 days a week",
        "Bird dog removed",
    ]


def test_which_side_moves_is_told() -> None:
    left, right = a_line(side=Side.LEFT), a_line(side=Side.RIGHT)
    found = changes([calm(left, right), build()], [calm(), build(left, right)])
    assert len(set(found)) == 2
    assert all(f"{line.side} side" in sentence for line, sentence in zip((left, right), found, strict=True))


def test_which_side_changes_in_a_renamed_phase_is_told() -> None:
    left, right = a_line(side=Side.LEFT), a_line(side=Side.RIGHT)
    more = replace(left, dosage=replace(USUAL, sets=3))
    renamed, sentence = changes([calm(left, right)], [a_phase(more, right, label="Soothe", to_day=14)])
    assert renamed == "Phase Calm is now called Soothe"
    assert sentence.startswith("Bird dog (")
    assert "left side" in sentence


def test_a_renamed_phase_is_told_once() -> None:
    one, other, late = a_line("Bridge"), a_line("Plank"), a_line()
    before = [calm(one, other), build(late)]

    def soothe(*lines: PrescribedLine, to_day: int = 14) -> PrescribedPhase:
        return a_phase(*lines, label="Soothe", to_day=to_day)

    assert changes(before, [soothe(one, other), build(late)]) == ["Phase Calm is now called Soothe"]
    more, new = replace(other, dosage=replace(USUAL, sets=3)), a_line("Clamshell")
    assert changes(before, [soothe(more, new, to_day=21), build(late, from_day=22)]) == [
        "Phase Calm is now called Soothe",
        "Plank: 2 → 3 sets",
        "Clamshell added: 2 × 10; 3 days a week",
        "Bridge removed",
        "Phase Soothe: now day 1 to 21",
        "Phase Build: now from day 22 on",
    ]
    assert changes(before, [soothe(one, other), a_phase(late, label="Grow", from_day=15)]) == [
        "Phase Calm is now called Soothe",
        "Phase Build is now called Grow",
    ]
    assert changes([calm(one)], [soothe(one)]) == ["Phase Calm is now called Soothe"]


def test_a_line_that_joins_a_renamed_phase_has_moved() -> None:
    stays, joins = a_line("Bridge"), a_line()
    assert changes([calm(stays), build(joins)], [a_phase(stays, joins, label="Soothe", to_day=14), build()]) == [
        "Phase Calm is now called Soothe",
        "Bird dog: moved from Build to Soothe",
    ]


def test_a_phase_whose_lines_part_or_join_another_is_removed_not_renamed() -> None:
    one, other, late = a_line("Bridge"), a_line("Plank"), a_line()
    parts = [a_phase(one, label="Soothe", to_day=7), a_phase(other, label="Settle", from_day=8, to_day=14), build(late)]
    assert changes([calm(one, other), build(late)], parts) == [
        "Bridge: moved from Calm to Soothe",
        "Plank: moved from Calm to Settle",
        "Phase Soothe: now day 1 to 7",
        "Phase Settle: now day 8 to 14",
        "Phase Calm removed",
    ]
    assert changes([calm(one), build(late)], [build(one, late, from_day=1)]) == [
        "Bridge: moved from Calm to Build",
        "Phase Build: now from day 1 on",
        "Phase Calm removed",
    ]


def test_a_label_that_stays_is_not_renamed() -> None:
    """All of Calm went to a new phase, but there is still a Calm."""
    line, new = a_line(), a_line("Bridge")
    assert changes(
        [calm(line), build()], [calm(new), a_phase(line, label="Late", from_day=15), build(from_day=29)]
    ) == [
        "Bird dog: moved from Calm to Late",
        "Bridge added: 2 × 10; 3 days a week",
        "Phase Late: now from day 15 on",
        "Phase Build: now from day 29 on",
    ]


def test_phases_that_change_places_have_moved_lines() -> None:
    one, other = a_line("Bridge"), a_line("Plank")
    assert changes([calm(one), build(other)], [calm(other), build(one)]) == [
        "Plank: moved from Build to Calm",
        "Bridge: moved from Calm to Build",
    ]


def test_a_phase_does_not_become_the_flare_plan() -> None:
    early, late = a_line("Bridge"), a_line()
    found = changes([calm(early), build(late)], [calm(early), flare(late)])
    assert found == ["Bird dog: moved from Build to flare plan", "Phase Build removed"]


def test_the_flare_plan_does_not_become_a_phase() -> None:
    early, gentle = a_line("Bridge"), a_line()
    found = changes([calm(early), flare(gentle)], [calm(early), build(gentle)])
    assert found == ["Bird dog: moved from flare plan to Build", "Phase Build: now from day 15 on"]


def test_the_flare_plan_is_always_named() -> None:
    """Though the name stands only there."""
    usual, gentle = a_line("Bridge"), a_line(side=Side.LEFT)
    more = replace(gentle, dosage=replace(USUAL, sets=3))
    assert changes([a_phase(usual), flare(gentle)], [a_phase(usual), flare(more)]) == [
        "Bird dog (flare plan): 2 → 3 sets"
    ]
    assert changes([a_phase(usual)], [a_phase(usual), flare(gentle)]) == [
        "Bird dog (flare plan) added: 2 × 10, left side; 3 days a week"
    ]
    assert changes([a_phase(usual), flare(gentle)], [a_phase(usual), flare()]) == ["Bird dog (flare plan) removed"]
    right = a_line(side=Side.RIGHT)
    assert changes([a_phase(usual), flare(gentle, right)], [a_phase(usual), flare(more, right)]) == [
        "Bird dog (flare plan, left side): 2 → 3 sets"
    ]


def test_the_flare_plan_is_a_phase_without_days() -> None:
    usual, gentle = a_line(), a_line(dosage=Dosage(sets=1, reps=5, days_per_week=7))
    gentler = replace(gentle, dosage=replace(gentle.dosage, reps=3))
    assert changes([a_phase(usual), flare(gentle)], [a_phase(usual), flare(gentler, to_day=7)]) == [
        "Bird dog (flare plan): 5 → 3 repetitions"
    ]
    assert changes([a_phase(usual)], [a_phase(usual), flare(gentle)]) == [
        "Bird dog (flare plan) added: 1 × 5; every day"
    ]
    assert changes([a_phase(usual), flare(gentle)], [a_phase(usual)]) == ["Bird dog (flare plan) removed"]


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        ([calm(), build()], [calm(to_day=21), build()], ["Phase Calm: now day 1 to 21"]),
        ([calm(), build()], [calm(), build(from_day=22)], ["Phase Build: now from day 22 on"]),
        ([calm()], [calm(), build()], ["Phase Build: now from day 15 on"]),
        ([a_phase()], [a_phase(to_day=28)], ["Phase Weeks 1 to 4: now day 1 to 28"]),
        ([a_phase()], [a_phase(), flare()], []),
        ([], [a_phase()], []),
        ([], [calm(), build()], ["Phase Calm: now day 1 to 14", "Phase Build: now from day 15 on"]),
        ([calm(), build()], [calm()], ["Phase Build removed"]),
        ([calm(), build()], [build()], ["Phase Calm removed"]),
        ([calm(), build()], [build(from_day=1)], ["Phase Build: now from day 1 on", "Phase Calm removed"]),
        ([calm(), build(), flare()], [], ["Phase Calm removed", "Phase Build removed"]),
        ([calm()], [], []),
        ([calm(), flare()], [a_phase()], []),
    ],
)
def test_days_of_phases(before: list[PrescribedPhase], after: list[PrescribedPhase], sentences: list[str]) -> None:
    assert changes(before, after) == sentences


@st.composite
def plans(draw: st.DrawFn, least: int = 0) -> list[PrescribedPhase]:
    """Up to three phases of so many lines at least, and perhaps a flare plan; every line another exercise."""
    names = iter(f"Exercise {letter}" for letter in "ABCDEFGHIJKLMNOP")

    def lines() -> list[PrescribedLine]:
        return [
            PrescribedLine(
                line_id=UUID(int=ord(name[-1])),
                name=name,
                dosage=draw(dosages),
                side=draw(sides),
                goal=draw(st.sampled_from([None, *GOALS])),
            )
            for name, _ in zip(names, range(draw(st.integers(least, 3))), strict=False)
        ]

    count = draw(st.integers(1, 3))
    found = [
        a_phase(*lines(), label=f"Phase {number}", from_day=1 + 14 * number, to_day=14 + 14 * number)
        for number in range(count)
    ]
    return [*found, flare(*lines())] if draw(st.booleans()) else found


@st.composite
def repetitive_plans(draw: st.DrawFn) -> list[PrescribedPhase]:
    """As above, but the same few exercises again and again, each once a phase and side."""
    things = st.lists(st.tuples(st.sampled_from(["Bird dog", "Bridge"]), sides), max_size=4, unique=True)
    found = [calm(), build(), flare()]
    return [replace(phase, lines=tuple(a_line(name, side=side) for name, side in draw(things))) for phase in found]


def lines_of(plan: list[PrescribedPhase]) -> dict[UUID, PrescribedLine]:
    return {line.line_id: line for phase in plan for line in phase.lines}


def with_lines(plan: list[PrescribedPhase], lines: dict[UUID, PrescribedLine]) -> list[PrescribedPhase]:
    """The plan with these lines in their places, and no others."""
    return [
        replace(phase, lines=tuple(lines[line.line_id] for line in phase.lines if line.line_id in lines))
        for phase in plan
    ]


@given(plans())
def test_nothing_changes_by_itself(plan: list[PrescribedPhase]) -> None:
    assert changes(plan, plan) == []


def called(plan: list[PrescribedPhase], line: PrescribedLine) -> str:
    """A line whose name stands nowhere else."""
    return f"{line.name} (flare plan)" if any(phase.is_flare and line in phase.lines for phase in plan) else line.name


def subjects(sentences: list[str], ending: str) -> list[str]:
    """Of the sentences that go on like this."""
    return [sentence[: sentence.index(ending)] for sentence in sentences if ending in sentence]


@given(plans(1), pairs(), st.data())
def test_one_changed_line_is_one_sentence(
    plan: list[PrescribedPhase], pair: tuple[Dosage, Dosage], data: st.DataObject
) -> None:
    lines = lines_of(plan)
    was = data.draw(st.sampled_from(list(lines.values())))
    old = replace(was, dosage=pair[0])
    new = replace(
        old,
        **data.draw(
            st.one_of(
                st.just({"dosage": pair[1]}),
                st.fixed_dictionaries({"side": sides}),
                st.fixed_dictionaries({"goal": st.sampled_from([None, *GOALS])}),
            )
        ),
    )
    found = changes(with_lines(plan, lines | {old.line_id: old}), with_lines(plan, lines | {old.line_id: new}))
    assert [sentence.startswith(f"{called(plan, was)}: ") for sentence in found] == [True] * (old != new)


@given(st.one_of(dosages, without_amount), st.one_of(dosages, without_amount))
def test_an_arrow_has_words_on_both_sides(one: Dosage, other: Dosage) -> None:
    line = a_line(dosage=one)
    found = told(line, replace(line, dosage=other))
    assert len(found) == (one != other)
    for sentence in found:
        name, _, words = sentence.partition(": ")
        assert name == "Bird dog"
        assert "None" not in words
        for part in words.split("; "):
            assert all(words and words == words.strip() for words in part.split(" → "))
            assert part.count("→") <= 1
            assert part != "now"


@given(plans(), st.data())
def test_every_line_that_comes_or_goes_is_told(plan: list[PrescribedPhase], data: st.DataObject) -> None:
    lines = lines_of(plan)
    kept = st.sets(st.sampled_from(sorted(lines))) if lines else st.just(set[UUID]())
    before, after = data.draw(kept), data.draw(kept)
    found = changes(
        with_lines(plan, {key: lines[key] for key in before}), with_lines(plan, {key: lines[key] for key in after})
    )
    comes = {f"{called(plan, lines[key])} added: {text(lines[key].dosage, lines[key].side)}" for key in after - before}
    goes = {f"{called(plan, lines[key])} removed" for key in before - after}
    assert sorted(found) == sorted(comes | goes)


@given(plans(1), st.data())
def test_a_moved_line_is_one_sentence(plan: list[PrescribedPhase], data: st.DataObject) -> None:
    """The phase it left stays, if only with nothing in it."""
    line = data.draw(st.sampled_from(list(lines_of(plan).values())))
    place = data.draw(st.sampled_from(plan))
    moved = [
        replace(
            phase,
            lines=(*(one for one in phase.lines if one != line), *([line] if phase == place else [])),
        )
        for phase in plan
    ]
    (left,) = (phase.label for phase in plan if line in phase.lines)
    found = changes(plan, moved)
    assert len(found) == (left != place.label)
    assert all(one.startswith(line.name) and one.endswith(f": moved from {left} to {place.label}") for one in found)


@given(plans(1), st.sets(st.integers(0, 2)))
def test_renamed_phases_are_all_that_is_told(plan: list[PrescribedPhase], numbers: set[int]) -> None:
    after = [
        replace(phase, label=f"Later {phase.label}") if number in numbers and not phase.is_flare else phase
        for number, phase in enumerate(plan)
    ]
    assert changes(plan, after) == [
        f"Phase {old.label} is now called {new.label}" for old, new in zip(plan, after, strict=True) if old != new
    ]


@given(plans(1), st.sets(st.integers(0, 2)))
def test_phases_that_go_are_told_once_and_not_line_by_line(plan: list[PrescribedPhase], numbers: set[int]) -> None:
    stays = [phase for number, phase in enumerate(plan) if phase.is_flare or number not in numbers]
    gone = [phase for phase in plan if phase not in stays]
    several = sum(not phase.is_flare for phase in plan) > 1
    lines = [f"{line.name} removed" for phase in gone for line in phase.lines if not several]
    assert changes(plan, stays) == lines + [f"Phase {phase.label} removed" for phase in gone if several]


@given(repetitive_plans())
def test_no_two_lines_are_called_the_same(plan: list[PrescribedPhase]) -> None:
    """And where the name says it, it is told alone."""
    lines = lines_of(plan)
    more = with_lines(plan, {key: replace(line, dosage=replace(USUAL, sets=3)) for key, line in lines.items()})
    none = with_lines(plan, {})
    names = Counter(line.name for line in lines.values())
    in_flare = {line.line_id for phase in plan if phase.is_flare for line in phase.lines}
    for found in (
        subjects(changes(plan, more), ": 2 → 3 sets"),
        subjects(changes(none, plan), " added: "),
        subjects(changes(plan, none), " removed"),
    ):
        assert len(found) == len(set(found)) == len(lines)
        for subject, line in zip(found, lines.values(), strict=True):
            assert subject.startswith(line.name)
            assert (subject == line.name) == (names[line.name] == 1 and line.line_id not in in_flare)
            assert ("flare plan" in subject) == (line.line_id in in_flare)
