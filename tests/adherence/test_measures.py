"""Which change matters, and the words it is told in."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from models.adherence.measures import (
    MEASURES,
    Direction,
    Measure,
    Risk,
    Wanted,
    bounds,
    direction,
    examined,
    function_of,
    risk,
    scores_of,
    sentence,
    wrong,
)
from models.adherence.questions import CHECK_IN, INFLAMMATORY_QUESTIONS, WEEKLY, AnswerKind, weekly

BETTER, WORSE, SAME = Direction.BETTER, Direction.WORSE, Direction.NO_CHANGE_THAT_MATTERS


@pytest.mark.parametrize(
    ("code", "baseline", "latest", "found"),
    [
        # Two points, and 30 % of the baseline: the larger of the two is better.
        ("pain", 5, 3, BETTER),
        ("pain", 5, 4, SAME),
        ("pain", 6, 4, BETTER),
        ("pain", 7, 5, SAME),
        ("pain", 7, 4, BETTER),
        ("pain", 10, 8, SAME),
        ("pain", 10, 7, BETTER),
        ("pain", 3, 2, SAME),
        ("pain", 3, 1, BETTER),
        ("pain", 1, 0, SAME),
        # Worse are two points, from wherever.
        ("pain", 0, 2, WORSE),
        ("pain", 0, 1, SAME),
        ("pain", 8, 10, WORSE),
        ("pain", 9, 10, SAME),
        ("rmdq", 12, 7, BETTER),
        ("rmdq", 12, 8, SAME),
        ("rmdq", 20, 15, SAME),
        ("rmdq", 20, 14, BETTER),
        ("rmdq", 12, 17, WORSE),
        ("odi", 20, 10, BETTER),
        ("odi", 40, 30, SAME),
        ("odi", 40, 28, BETTER),
        ("psfs", 4, 6, BETTER),
        ("psfs", 13 / 3, 19 / 3, BETTER),
        ("psfs", 19 / 3, 13 / 3, WORSE),
        ("psfs", 4, 5.9, SAME),
        ("activity", 4, 6, SAME),
        ("activity", 4, 7, BETTER),
        ("ears", 10, 15, SAME),
        ("ears", 10, 16, BETTER),
        ("ears", 16, 10, WORSE),
        ("global_change", 0, 5, Direction.UNKNOWN),
        ("confidence", 2, 9, Direction.UNKNOWN),
        ("start_back", 9, 0, Direction.UNKNOWN),
    ],
)
def test_which_change_matters(code: str, baseline: float, latest: float, found: Direction) -> None:
    assert direction(MEASURES[code], baseline, latest) is found


@pytest.mark.parametrize(("baseline", "latest"), [(None, 3), (3, None), (None, None)])
def test_one_score_alone_has_not_changed(baseline: float | None, latest: float | None) -> None:
    assert direction(MEASURES["pain"], baseline, latest) is Direction.UNKNOWN
    assert sentence(MEASURES["pain"], baseline, latest) is None


def scores(measure: Measure) -> st.SearchStrategy[float]:
    low, high = measure.lowest, measure.highest
    whole: st.SearchStrategy[float] = st.integers(int(low), int(high)).map(float)
    return whole if measure.whole else whole | st.floats(low, high)


ALL = st.sampled_from(sorted(MEASURES.values(), key=lambda one: one.code))
COMPARED = st.sampled_from([one for one in MEASURES.values() if one.points is not None])
PAIRS = ALL.flatmap(lambda one: st.tuples(st.just(one), scores(one), scores(one)))
COMPARED_PAIRS = COMPARED.flatmap(lambda one: st.tuples(st.just(one), scores(one), scores(one)))


@given(COMPARED_PAIRS)
def test_better_is_never_said_below_the_change_that_matters(found: tuple[Measure, float, float]) -> None:
    measure, baseline, latest = found
    gain = baseline - latest if measure.wanted is Wanted.LOWER else latest - baseline
    assert measure.points is not None
    says = sentence(measure, baseline, latest) or ""
    enough = gain >= measure.points - 1e-6 and gain >= (measure.percent or 0) / 100 * baseline - 1e-6
    if not enough:
        assert direction(measure, baseline, latest) is not BETTER
        assert not re.search(r"\b(better|improv)", says)
    if gain >= max(measure.points, (measure.percent or 0) / 100 * baseline) + 1e-6:
        assert direction(measure, baseline, latest) is BETTER
        assert "better" in says
    assert ("worse" in says) is (direction(measure, baseline, latest) is WORSE)


@given(COMPARED_PAIRS)
def test_a_loss_of_the_points_is_never_overlooked(found: tuple[Measure, float, float]) -> None:
    measure, baseline, latest = found
    loss = latest - baseline if measure.wanted is Wanted.LOWER else baseline - latest
    assert measure.points is not None
    if loss >= measure.points + 1e-6:
        assert direction(measure, baseline, latest) is WORSE
    if loss < measure.points - 1e-6:
        assert direction(measure, baseline, latest) is not WORSE


@given(COMPARED_PAIRS)
def test_the_bounds_are_where_the_direction_turns(found: tuple[Measure, float, float]) -> None:
    measure, baseline, latest = found
    drawn = bounds(measure, baseline)
    for at, turns in ((drawn.better_at, BETTER), (drawn.worse_at, WORSE)):
        if at is None:
            assert direction(measure, baseline, latest) is not turns
        else:
            assert measure.lowest <= at <= measure.highest
            assert direction(measure, baseline, at) is turns
            beyond = measure.highest if at > baseline else measure.lowest
            assert direction(measure, baseline, beyond) is turns


@given(COMPARED.flatmap(lambda one: st.tuples(st.just(one), scores(one), st.lists(scores(one), min_size=2))))
def test_more_of_a_good_thing_is_never_judged_less(found: tuple[Measure, float, list[float]]) -> None:
    measure, baseline, some = found
    rank = {WORSE: 0, SAME: 1, BETTER: 2}
    ordered = sorted(some, reverse=measure.wanted is Wanted.LOWER)
    judged = [rank[direction(measure, baseline, score)] for score in ordered]
    assert all(one <= other for one, other in pairwise(judged))


@given(PAIRS)
def test_no_change_is_never_one_that_matters(found: tuple[Measure, float, float]) -> None:
    measure, baseline, latest = found
    assert direction(measure, baseline, baseline) in {SAME, Direction.UNKNOWN}
    assert wrong(measure.code, latest) is None


@pytest.mark.parametrize(
    ("code", "value"),
    [
        *(("pain", -1), ("pain", 11), ("pain", 4.5), ("global_change", -6), ("global_change", 0.5), ("rmdq", 25)),
        *(("odi", 100.5), ("start_back", 10), ("flare_days", 8), ("sitting_hours", 25), ("balance_stage", 5)),
    ],
)
def test_what_no_scale_holds_is_wrong(code: str, value: float) -> None:
    said = wrong(code, value)
    assert said is not None
    assert MEASURES[code].name in said


@pytest.mark.parametrize(
    ("total", "psychosocial", "found"),
    [
        (0, 0, Risk.LOW),
        (3, 3, Risk.LOW),
        (4, 3, Risk.MEDIUM),
        (7, 3, Risk.MEDIUM),
        (4, 4, Risk.HIGH),
        (9, 5, Risk.HIGH),
    ],
)
def test_start_back_sorts_by_total_and_subscale(total: int, psychosocial: int, found: Risk) -> None:
    assert risk(total, psychosocial) is found


def test_licensed_questionnaires_have_no_words_here() -> None:
    licensed = {code for code, one in MEASURES.items() if one.score_only}
    assert licensed == {"rmdq", "odi", "start_back", "ears"}
    for code in licensed:
        assert MEASURES[code].question is None
        assert not MEASURES[code].by_patient
    assert all(one.licence for one in MEASURES.values())
    assert all((one.source is None) is (one.points is None) for one in MEASURES.values())


def activities(*some: int) -> list[dict[str, object]]:
    return [{"activity": f"Thing {number}", "score": score} for number, score in enumerate(some)]


@pytest.mark.parametrize(
    ("some", "code", "mean"),
    [((4,), "activity", 4), ((4, 7), "activity", 5.5), ((1, 2, 6), "psfs", 3), ((1, 2, 3, 4, 5), "psfs", 3)],
)
def test_function_is_the_mean_of_own_activities(some: tuple[int, ...], code: str, mean: float) -> None:
    found = function_of(activities(*some))
    assert (found.code, found.value) == (code, mean)
    assert found.parts == {"activities": activities(*some)}


def test_every_number_of_an_answer_is_a_score() -> None:
    said = {
        "pain": 0,
        "sitting_hours": 6.5,
        "function": activities(3),
        "recurrence": True,
        "note": "Hello",
        "ext": {"pain_worst": 9},
    }
    found = {score.code: score.value for score in scores_of(said)}
    assert found == {"pain": 0, "sitting_hours": 6.5, "activity": 3}


def test_what_an_examination_measured_counts_as_far_as_it_is_known() -> None:
    tests = {"sit_to_stand_30s": 11, "plank_seconds": 42.5, "balance_stage": 7, "walk_minutes": "ten", "slr": 40}
    findings = {"pain": 5, "function": 4.5, "confidence": None, "tests": tests | {"side_plank_seconds": True}}
    found = {score.code: score.value for score in examined(findings)}
    assert found == {"pain": 5, "psfs": 4.5, "sit_to_stand_30s": 11, "plank_seconds": 42.5}


def test_stiffness_and_flares_are_asked_of_those_who_have_them() -> None:
    asked = {one.name for one in weekly(inflammatory=False)}
    assert {one.name for one in weekly(inflammatory=True)} - asked == set(INFLAMMATORY_QUESTIONS)
    assert {"pain", "function", "sleep", "stress", "sitting_hours", "confidence", "chips", "note"} == asked


def test_every_question_says_its_range() -> None:
    for question in (*WEEKLY, *CHECK_IN):
        if question.kind in {AnswerKind.NUMBER, AnswerKind.ACTIVITIES}:
            assert question.lowest is not None
            assert question.highest is not None
        assert question.text.endswith((".", "?"))
