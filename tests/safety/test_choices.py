"""Choosing for a patient: what suits, what could stand in its place, what comes before and after."""

from dataclasses import replace
from typing import Any

import pytest

from models.safety.choices import chain, choose, progressions, ranked, regressions, swaps
from models.safety.facts import Exercise, Patient, Situation
from tests.safety.situations import a_patient, ago, catalogue, found, has, item, phase, situation

WELL = a_patient()
HERE = Exercise(
    slug="here",
    name="Here",
    category="core",
    subcategory="anterior",
    region="trunk",
    position="supine",
    level=2,
    goals=("core_strength", "endurance"),
)


def like(slug: str, **but: Any) -> Exercise:
    return replace(HERE, **({"slug": slug, "name": slug} | but))


def among(*exercises: Exercise, patient: Patient = WELL, program: tuple[Exercise, ...] = ()) -> Situation:
    taken = phase(*(replace(item("wall-plank"), exercise=one) for one in program))
    return replace(situation(patient, taken), catalogue={one.slug: one for one in (HERE, *exercises)})


def swapped(s: Situation) -> list[str]:
    return [choice.exercise.slug for choice in swaps(HERE, s)]


@pytest.mark.parametrize(
    ("patient", "slug", "rank"),
    [
        (WELL, "pool-walk", 0),
        (a_patient("ra"), "pool-walk", 0),
        (a_patient(equipment=frozenset()), "pool-walk", 1),
        (a_patient(equipment=None), "pool-walk", 0),
        (a_patient("cardiac"), "pool-walk", 1),
        (a_patient("pool-exclusion"), "pool-walk", 2),
        (a_patient("pool-exclusion", "cardiac", equipment=frozenset()), "pool-walk", 2),
        (a_patient(can_get_up_from_floor=False), "bird-dog", 1),
    ],
)
def test_how_an_exercise_suits(patient: Patient, slug: str, rank: int) -> None:
    choice = choose(catalogue()[slug], situation(patient))
    assert choice.rank == rank
    assert choice.is_allowed == (rank < 2)


def test_a_choice_says_why() -> None:
    patient = a_patient("pool-exclusion", "cardiac", "raynaud", equipment=frozenset())
    choice = choose(catalogue()["pool-jog"], situation(patient))
    (reason,), (caution,), (adaptation,) = choice.reasons, choice.cautions, choice.adaptations
    assert reason.endswith(" (pool-exclusion)")
    assert caution.endswith(" (cardiac)")
    assert adaptation.endswith(" (raynaud)")
    assert choice.missing == ("pool",)
    assert choose(catalogue()["balance-board-rock"], situation(patient)).missing == (
        "balance_board or balance_machine",
    )


def test_what_would_do_is_told_in_order() -> None:
    things = ("anchor_bar", "bench", "cane", "dowel", "elastic", "foam")
    exercise = like("a", needs=(frozenset(things), frozenset({"zafu"})))
    choice = choose(exercise, situation(a_patient(equipment=frozenset())))
    assert choice.missing == (" or ".join(things), "zafu")


def test_the_same_reason_is_told_once() -> None:
    patient = a_patient(has("joint-flare", joints=["knee"]), has("joint-flare", joints=["knee"]))
    assert len(choose(catalogue()["heel-raise"], situation(patient)).reasons) == 1


def test_what_suits_comes_first() -> None:
    choices = ranked(situation(a_patient("pool-exclusion", "cardiac", equipment=frozenset({"mat"}))))
    assert len(choices) == len(catalogue())
    keys = [(choice.rank, choice.exercise.level, choice.exercise.slug) for choice in choices]
    assert keys == sorted(keys)
    assert [choice.place for choice in choices] == keys
    assert {rank for rank, *_ in keys} == {0, 1, 2}


def test_among_what_suits_the_easiest_comes_first() -> None:
    here = like("here", level=2, category="core")
    with_care = like("a-care", level=0, load_tags=frozenset({"GRP"}))
    others = (with_care, like("b", level=1), like("c", level=0), like("a", level=1), like("d", level=3))
    s = replace(among(*others, patient=a_patient("ra")), catalogue={one.slug: one for one in (here, *others)})
    assert [choice.exercise.slug for choice in ranked(s)] == ["c", "a", "b", "here", "d", "a-care"]


def test_what_is_retired_is_not_offered() -> None:
    offered, retired = like("a"), like("b", is_retired=True)
    s = among(offered, retired)
    assert {choice.exercise.slug for choice in ranked(s)} == {"a", "here"}
    assert swapped(s) == ["a"]
    steps = (like("a", progression_of="here"), like("b", progression_of="here", is_retired=True))
    assert [choice.exercise.slug for choice in progressions(HERE, among(*steps))] == ["a"]
    assert not HERE.is_retired
    # Where it stands it goes on: it can be judged, and one can step back to it.
    assert choose(retired, s).is_allowed
    (before,) = regressions(like("c", progression_of="b"), s)
    assert before.exercise == retired


@pytest.mark.parametrize(
    ("other", "is_offered"),
    [
        (like("a"), True),
        (like("a", level=1), True),
        (like("a", level=3), False),
        (like("a", region="low_back"), False),
        (like("a", category="stabilization"), False),
        (like("a", goals=("posture",)), False),
        (like("a", goals=("posture", "endurance")), True),
        (like("a", subcategory="posterior", position="prone"), True),
        (like("a", load_tags=frozenset({"WTR"})), False),
        (like("a", load_tags=frozenset({"GRP"})), True),
        (like("a", needs=(frozenset({"kettlebell"}),)), False),
        (like("a", needs=(frozenset({"kettlebell", "chair"}),)), True),
    ],
)
def test_what_can_stand_in_its_place(other: Exercise, is_offered: bool) -> None:
    patient = a_patient("pool-exclusion", "ra", equipment=frozenset())
    assert swapped(among(other, patient=patient)) == (["a"] if is_offered else [])


def test_nothing_the_program_has_stands_in_its_place() -> None:
    a, b = like("a"), like("b")
    assert swapped(among(a, b)) == ["a", "b"]
    assert swapped(among(a, b, program=(a,))) == ["b"]


def test_equipment_nobody_asked_about_stands_in_no_ones_way() -> None:
    assert swapped(among(like("a", needs=(frozenset({"kettlebell"}),)), patient=a_patient(equipment=None))) == ["a"]


def test_the_nearest_swap_comes_first() -> None:
    exercises = [
        like("g-cautious", load_tags=frozenset({"GRP"})),
        like("f-easiest", level=0),
        like("e-easier", level=1),
        like("d-one-goal", goals=("endurance",)),
        like("c-elsewhere", position="prone", subcategory="posterior"),
        like("b-other-position", position="prone"),
        like("a-other-kind", subcategory="posterior"),
        like("z-alike"),
        like("y-alike"),
    ]
    assert swapped(among(*exercises, patient=a_patient("ra"))) == [
        *("y-alike", "z-alike", "a-other-kind", "b-other-position", "c-elsewhere", "d-one-goal"),
        *("e-easier", "f-easiest", "g-cautious"),
    ]


def test_swaps_of_the_shelf_are_like_it_and_allowed() -> None:
    s = situation(a_patient("osteoporosis", equipment=frozenset({"mat", "band"})))
    for exercise in catalogue().values():
        for choice in swaps(exercise, s):
            other = choice.exercise
            assert other != exercise
            assert (other.category, other.region) == (exercise.category, exercise.region)
            assert set(other.goals) & set(exercise.goals)
            assert other.level <= exercise.level
            assert choice.is_allowed
            assert not choice.missing


def test_what_comes_next_hardest_last() -> None:
    next_steps = [choice.exercise for choice in progressions(catalogue()["seated-march"], situation(WELL))]
    assert [one.slug for one in next_steps] == [
        *("chair-aerobics", "corridor-walk", "march-in-place", "pool-walk", "recumbent-cycle", "walk-easy"),
    ]
    steps = [(c.exercise.level, c.exercise.slug) for c in progressions(catalogue()["walk-easy"], situation(WELL))]
    assert steps == sorted(steps)
    assert progressions(catalogue()["stir-the-pot"], situation(WELL)) == []
    harder = among(like("b", progression_of="here", level=3), like("c", progression_of="here"), like("a"))
    assert [choice.exercise.slug for choice in progressions(HERE, harder)] == ["c", "b"]


def test_what_came_before() -> None:
    s = situation(a_patient("osteoporosis"))
    (before,) = regressions(catalogue()["prone-press-up"], s)
    assert before == choose(catalogue()["prone-on-elbows"], s)
    assert regressions(catalogue()["single-knee-to-chest"], s) == []
    assert regressions(like("a", progression_of="gone"), among()) == []


def test_a_chain_leads_back_to_its_beginning() -> None:
    assert chain(catalogue()["lateral-step-down"], catalogue()) == {
        *("lateral-step-down", "step-up", "sit-to-stand-no-hands", "sit-to-stand"),
    }
    assert chain(catalogue()["glute-set"], catalogue()) == {"glute-set"}


def test_a_chain_ends_where_it_bites_its_tail_or_the_catalogue_ends() -> None:
    a, b = like("a", progression_of="b"), like("b", progression_of="a")
    assert chain(a, {"a": a, "b": b}) == {"a", "b"}
    own = like("a", progression_of="a")
    assert chain(own, {"a": own}) == {"a"}
    assert chain(like("a", progression_of="gone"), {}) == {"a"}


def test_what_is_refused_in_a_program_is_refused_as_a_choice() -> None:
    patient = a_patient("ra", "osteoporosis", has("joint-flare", joints=["knee"]), has("acute-strain", onset_on=ago(1)))
    slugs = list(catalogue())
    refused = {
        one.exercise
        for one in found(patient, phase(*slugs))
        if one.rule in {"R-08", "R-11", "R-12"}
        if one.severity == "block"
    }
    assert refused == {choice.exercise.slug for choice in ranked(situation(patient)) if not choice.is_allowed}
