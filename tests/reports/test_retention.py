"""The retention curve: an example worked out by hand, the cases at its edges, and `lifelines` on random cohorts."""

from math import inf
from random import Random

import pytest
from hypothesis import given, settings, strategies as st
from lifelines import KaplanMeierFitter  # type: ignore[import-untyped]

from models.reports.retention import HORIZONS, Life, Step, at_risk, curve, survival_at

WORKED = [
    *(Life(days, stopped=True) for days in (3, 14, 14, 30, 84)),
    *(Life(days, stopped=False) for days in (10, 14, 60, 90, 120)),
]
"""Ten programs; the one last seen on day 14 was at risk of the two stops of that day.

The band is S^e and S^(1/e), with e = exp(1.96 × √V ÷ -ln S) and V = Greenwood's sum of stopped ÷ (at risk × left).

day  at risk  stopped  S                   V                          e        band
  3       10        1  9/10       = .9     1/(10×9)        = .011111  7.1055   .4730 - .9853
 14        8        2  .9 × 6/8   = .675   .011111 + 2/48  = .052778  3.1443   .2906 - .8825
 30        5        1  .675 × 4/5 = .54    .052778 + 1/20  = .102778  2.7724   .1812 - .8007
 84        3        1  .54 × 2/3  = .36    .102778 + 1/6   = .269444  2.7069   .0629 - .6856
120        1        0  .36                 .269444                    2.7069   .0629 - .6856
"""

lives = st.builds(Life, st.integers(0, 40), st.booleans())
cohorts = st.lists(lives, min_size=1, max_size=40)


def test_the_worked_example() -> None:
    assert [rounded(step) for step in curve(WORKED)] == [
        (0, 10, 0, 1.0, None, None),
        (3, 10, 1, 0.9, 0.4730, 0.9853),
        (14, 8, 2, 0.675, 0.2906, 0.8825),
        (30, 5, 1, 0.54, 0.1812, 0.8007),
        (84, 3, 1, 0.36, 0.0629, 0.6856),
        (120, 1, 0, 0.36, 0.0629, 0.6856),
    ]


@pytest.mark.parametrize(
    ("day", "survival", "going"),
    [
        (0, 1.0, 10),
        (2, 1.0, 10),
        (3, 0.9, 10),
        (13, 0.9, 8),
        (14, 0.675, 8),
        (28, 0.675, 5),
        (84, 0.36, 3),
        (120, 0.36, 1),
    ],
)
def test_what_holds_on_a_day(day: int, survival: float, going: int) -> None:
    step = survival_at(curve(WORKED), day)
    assert step is not None
    assert step.survival == pytest.approx(survival)
    assert at_risk(WORKED, day) == going


def test_after_the_last_day_observed_nobody_knows() -> None:
    assert [survival_at(curve(WORKED), day) is None for day in HORIZONS] == [False, False, True, True, True]
    assert survival_at(curve(WORKED), 121) is None
    assert at_risk(WORKED, 121) == 0


def test_nobody_knows_after_the_last_one_stopped_either() -> None:
    """The share is 0 on that day; nobody was observed for longer."""
    steps = curve([Life(5, stopped=True), Life(9, stopped=True)])
    last = survival_at(steps, 9)
    assert last is not None
    assert last.survival == 0.0
    assert survival_at(steps, 10) is None


def test_a_cohort_of_nobody_has_no_curve() -> None:
    assert curve([]) == []
    assert survival_at([], 0) is None
    assert at_risk([], 0) == 0


def test_the_horizons_are_weeks_and_months_as_people_say_them() -> None:
    assert HORIZONS == {28: "4 weeks", 84: "12 weeks", 183: "6 months", 365: "12 months", 730: "24 months"}


@pytest.mark.parametrize(
    ("cohort", "steps"),
    [
        pytest.param(
            [Life(7, stopped=True)] * 3,
            [Step(0, 3, 0, 1.0, None, None), Step(7, 3, 3, 0.0, None, None)],
            id="everybody stopped on one day",
        ),
        pytest.param([Life(0, stopped=True)] * 2, [Step(0, 2, 2, 0.0, None, None)], id="everybody stopped on day 0"),
        pytest.param(
            [Life(0, stopped=False), Life(6, stopped=False)],
            [Step(0, 2, 0, 1.0, None, None), Step(6, 1, 0, 1.0, None, None)],
            id="nobody stopped",
        ),
        pytest.param([Life(0, stopped=False)], [Step(0, 1, 0, 1.0, None, None)], id="seen on day 0 only"),
    ],
)
def test_there_is_no_band_around_nobody_or_everybody(cohort: list[Life], steps: list[Step]) -> None:
    assert curve(cohort) == steps


def test_those_who_stop_on_day_0_were_at_risk_of_it() -> None:
    first, second = curve([Life(0, stopped=True), Life(0, stopped=False), *[Life(8, stopped=True)] * 2])
    assert (first.day, first.at_risk, first.stopped, first.survival) == (0, 4, 1, 0.75)
    assert first.low is not None
    assert (second.day, second.at_risk, second.survival) == (8, 2, 0.0)


def test_no_program_lasts_less_than_no_days() -> None:
    with pytest.raises(ValueError, match="-1 days"):
        curve([Life(3, stopped=True), Life(-1, stopped=True)])


@settings(max_examples=100)
@given(cohorts)
def test_lifelines_finds_the_same_steps(cohort: list[Life]) -> None:
    fitted = KaplanMeierFitter().fit([life.days for life in cohort], [life.stopped for life in cohort])
    steps = curve(cohort)
    assert [step.day for step in steps] == sorted({0, max(life.days for life in cohort), *stop_days(cohort)})
    for step in steps:
        counted = fitted.event_table.loc[step.day]
        assert (step.at_risk, step.stopped) == (counted["at_risk"], counted["observed"])
        assert at_risk(cohort, step.day) == step.at_risk
        assert step.survival == pytest.approx(fitted.survival_function_.loc[step.day].item(), abs=1e-12)
        band = fitted.confidence_interval_.loc[step.day].tolist()
        if 0.0 < step.survival < 1.0:
            assert [step.low, step.high] == pytest.approx(band, abs=1e-9)
        else:
            # There the scale has no value; lifelines puts the estimate itself in both places.
            assert band == [round(step.survival)] * 2
            assert step.low is step.high is None


@settings(max_examples=50)
@given(cohorts, st.integers(0, 50))
def test_lifelines_finds_the_same_share_on_any_day_observed(cohort: list[Life], day: int) -> None:
    found = survival_at(curve(cohort), day)
    if day > max(life.days for life in cohort):
        assert found is None
    else:
        fitted = KaplanMeierFitter().fit([life.days for life in cohort], [life.stopped for life in cohort])
        assert found is not None
        assert found.survival == pytest.approx(fitted.predict(day), abs=1e-12)


@given(cohorts)
def test_the_curve_only_falls_within_its_band(cohort: list[Life]) -> None:
    before = inf
    for step in curve(cohort):
        assert 0.0 <= step.survival <= before
        before = step.survival
        if step.low is not None and step.high is not None:
            assert 0.0 <= step.low < step.survival < step.high <= 1.0


@given(cohorts, st.randoms(use_true_random=False))
def test_the_order_of_the_programs_does_not_matter(cohort: list[Life], dice: Random) -> None:
    shuffled = cohort[:]
    dice.shuffle(shuffled)
    assert curve(shuffled) == curve(cohort)


def rounded(step: Step) -> tuple[float | None, ...]:
    numbers = (getattr(step, name) for name in ("day", "at_risk", "stopped", "survival", "low", "high"))
    return tuple(None if number is None else round(number, 4) for number in numbers)


def stop_days(cohort: list[Life]) -> set[int]:
    return {life.days for life in cohort if life.stopped}
