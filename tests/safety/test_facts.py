"""What is known of an exercise, a phase and a patient, and what is assumed where nothing was said."""

from dataclasses import replace

import pytest

from models.safety.facts import HOUSEHOLD, Care, Examination, Exercise, Patient, Phase, Program, Situation
from tests.safety.situations import TODAY, ago, care_item, catalogue, has, item, phase

BARE = Exercise(
    slug="bare", name="Bare", category="core", subcategory="anterior", region="trunk", position="supine", level=0
)


@pytest.mark.parametrize(
    "thing", ["bed", "chair", "wall", "doorway", "pillow", "towel", "table", "counter", "shoes", "anchor"]
)
def test_every_home_has_it(thing: str) -> None:
    assert replace(BARE, needs=(frozenset({thing}),)).missing(frozenset()) == []
    assert thing in HOUSEHOLD


def test_every_slot_is_needed_and_any_thing_of_it_will_do() -> None:
    board, ball = frozenset({"balance_board", "balance_machine"}), frozenset({"small_ball"})
    exercise = replace(BARE, needs=(board, ball))
    assert exercise.missing(frozenset()) == [board, ball]
    assert exercise.missing(frozenset({"balance_machine"})) == [ball]
    assert exercise.missing(frozenset({"balance_board", "small_ball"})) == []


def test_little_is_assumed() -> None:
    assert not BARE.one_sided
    assert BARE.missing(frozenset()) == []
    assert Care(slug="music", name="Music", kind="self_care").at_home
    assert not Examination(examined_on=TODAY).has_tests
    assert not Examination(examined_on=TODAY).low_pressure_symptoms
    assert not Patient().has_preferences
    assert not BARE.is_retired
    assert not has("ra").is_cleared
    assert has("ra").is_confirmed
    program = Program(phases=())
    assert (program.is_maintenance, program.discharges, list(program.items()), list(program.care())) == (
        *(False, False),
        *([], []),
    )


@pytest.mark.parametrize(
    ("slug", "trains"),
    [
        *(("wall-plank", True), ("abdominal-brace", True), ("glute-bridge", True)),
        *(("calf-stretch-wall", False), ("sit-to-stand", False), ("heel-raise", False), ("tai-chi-seated", False)),
    ],
)
def test_core_and_stabilization_of_the_trunk_are_trunk_work(slug: str, trains: bool) -> None:
    assert catalogue()[slug].trains_trunk is trains


@pytest.mark.parametrize("region", ["low_back", "thoracic", "trunk", "hip", "whole_body"])
def test_stabilization_of_trunk_and_hips_trains_the_trunk(region: str) -> None:
    assert replace(BARE, category="stabilization", region=region).trains_trunk
    assert not replace(BARE, category="stretching", region=region).trains_trunk
    assert not replace(BARE, category="balance", region=region).trains_trunk


@pytest.mark.parametrize("region", ["neck", "shoulder", "elbow", "wrist_hand", "knee", "ankle", "foot"])
def test_strengthening_a_limb_does_not_but_core_work_always_does(region: str) -> None:
    assert not replace(BARE, category="stabilization", region=region).trains_trunk
    assert replace(BARE, category="core", region=region).trains_trunk


def test_the_weeks_of_a_phase() -> None:
    assert Phase(number=1, label="One", items=(), to_day=7).weeks == 1
    assert Phase(number=1, label="One", items=(), from_day=8, to_day=28).weeks == 3
    assert Phase(number=1, label="One", items=()).weeks is None


def test_flare_days_come_with_the_rest_but_are_not_ordinary_days() -> None:
    program = Program(
        phases=(phase("glute-set", care_item("music")), phase("quad-set", number=2)),
        flare=phase("clamshell", care_item("cold-pack"), label="Flare days"),
    )
    assert [(where.label, one.exercise.slug) for where, one in program.items()] == [
        ("Phase 1", "glute-set"),
        ("Phase 2", "quad-set"),
        ("Flare days", "clamshell"),
    ]
    assert [(where.label, one.care.slug) for where, one in program.care()] == [
        ("Phase 1", "music"),
        ("Flare days", "cold-pack"),
    ]
    assert [exercise.slug for exercise in program.exercises] == ["glute-set", "quad-set"]
    assert program.expected == program.exercises


def test_what_is_only_done_as_needed_is_not_expected() -> None:
    lines = (
        item("glute-set", sets=1, reps=5, days_per_week=1),
        item("quad-set", sets=1, reps=5, weekdays=(6,)),
        item("heel-raise", sets=1, reps=5, every_n_days=14),
        item("clamshell", sets=1, reps=5, as_needed_max_per_day=9),
        item("toe-raise", sets=1, reps=5),
    )
    program = Program(phases=(phase(*lines), phase("wall-plank", number=2)), flare=phase("step-up"))
    assert [exercise.slug for exercise in program.expected] == ["glute-set", "quad-set", "heel-raise", "wall-plank"]
    assert len(program.exercises) == 6


def test_a_situation_finds_conditions_and_days() -> None:
    s = Situation(
        today=TODAY, patient=Patient(), program=Program(phases=()), conditions=(has("ra"), has("sle"), has("ra"))
    )
    assert s.has("sle", "oa-hip")
    assert not s.has("oa-hip")
    assert [condition.code for condition in s.of("ra", "oa-hip")] == ["ra", "ra"]
    assert (s.within(ago(7), 7), s.within(ago(8), 7), s.within(None, 7)) == (True, False, False)
    assert not s.unknown_red_flag
    assert s.screened == {}


def test_a_line_is_neither_taught_nor_shown_until_someone_says_so() -> None:
    one = item("walk-easy", duration_minutes=5, days_per_week=1)
    assert (one.taught_on, one.taught_back) == (None, False)
    assert one.load.is_aerobic
    assert not item("glute-set").load.is_aerobic
