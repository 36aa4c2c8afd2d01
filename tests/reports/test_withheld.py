"""What is withheld of small groups: a clinic's table by hand, the rule's edges, and the proof that nothing comes back.

The proof takes the reader's place. It sees only what is published, solves for each withheld count, and must find at
least two values for it.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise, product
from random import Random
from typing import Any, TypeVar

import pytest
from hypothesis import example, given, settings, strategies as st

from models.reports.withheld import Cell, Shown, rate, withhold

Path = tuple[str, ...]
"""The way to a cell: the name of a split, the name of its part, the name of that part's split, …"""

LEASTS = st.integers(0, 6)
Tree = TypeVar("Tree", Cell, Shown)


def cell(count: int, **splits: Mapping[str, Any]) -> Cell:
    """A cell by its count and its splits; a part is told as a number where it is not split."""
    parts = {
        by: {name: part if isinstance(part, Cell) else Cell(part) for name, part in split.items()}
        for by, split in splits.items()
    }
    return Cell(count, parts)


def ones(count: int) -> Cell:
    """As many people, each in a part of their own."""
    return cell(count, by_person={f"person {number}": 1 for number in range(count)})


def walk(found: Tree, path: Path = ()) -> Iterator[tuple[Path, Tree]]:
    yield path, found
    for by, parts in found.splits.items():
        for name, part in parts.items():
            yield from walk(part, (*path, by, name))


def counts(shown: Shown) -> dict[str, int | None]:
    return {" / ".join(path): one.count for path, one in walk(shown)}


# What the clinic counts, and what it publishes where fewer than five are too few.
CLINIC = cell(
    60,
    standing={"on_track": 31, "watch": 11, "lapsed": 3, "stopped": 6, "paused": 0, "ended": 9},
    therapist={
        "Abel": cell(24, condition={"back": 16, "neck": 8, "knee": 0}),
        "Brand": cell(19, condition={"back": 14, "neck": 1, "knee": 4}),
        "Chen": cell(10, condition={"back": 4, "neck": 3, "knee": 3}, sex={"f": 5, "m": 5}),
        "Diaz": cell(7, condition={"back": 7, "neck": 0, "knee": 0}),
    },
    protocol={"A": 50, "B": 2, "C": 2, "D": 6, "E": 0},
    week={"1": cell(6, day={"Mon": 1, "Tue": 2, "Wed": 1, "Thu": 2}), "2": 54},
)
PUBLISHED = {
    "": 60,
    "standing / on_track": 31,
    "standing / watch": 11,
    "standing / lapsed": None,  # three
    "standing / stopped": None,  # the smallest of the others, so that 60 less the rest is nine, not three
    "standing / paused": 0,
    "standing / ended": 9,
    "therapist / Abel": 24,
    "therapist / Abel / condition / back": 16,
    "therapist / Abel / condition / neck": 8,
    "therapist / Abel / condition / knee": 0,
    "therapist / Brand": 19,
    "therapist / Brand / condition / back": 14,
    "therapist / Brand / condition / neck": None,  # one, and
    "therapist / Brand / condition / knee": None,  # four: together five, which is enough
    "therapist / Chen": 10,
    "therapist / Chen / condition / back": None,
    "therapist / Chen / condition / neck": None,
    "therapist / Chen / condition / knee": None,
    "therapist / Chen / sex / f": 5,
    "therapist / Chen / sex / m": 5,
    "therapist / Diaz": 7,
    "therapist / Diaz / condition / back": 7,
    "therapist / Diaz / condition / neck": 0,
    "therapist / Diaz / condition / knee": 0,
    "protocol / A": 50,
    "protocol / B": None,  # two, and
    "protocol / C": None,  # two: together four, too few
    "protocol / D": None,
    "protocol / E": 0,
    "week / 1": 6,
    "week / 1 / day / Mon": None,  # together six, more than the four that four withheld days are at least
    "week / 1 / day / Tue": None,
    "week / 1 / day / Wed": None,
    "week / 1 / day / Thu": None,
    "week / 2": 54,
}


def test_a_clinic_that_publishes_no_count_under_five() -> None:
    assert counts(withhold(CLINIC, 5)) == PUBLISHED


@pytest.mark.parametrize("least", [0, 1])
def test_a_clinic_that_withholds_nothing(least: int) -> None:
    assert counts(withhold(CLINIC, least)) == {" / ".join(path): one.count for path, one in walk(CLINIC)}


def test_equal_parts_are_withheld_by_name() -> None:
    assert counts(withhold(cell(22, by={"d": 6, "c": 4, "b": 6, "a": 6}), 5)) == {
        "": 22,
        "by / d": 6,
        "by / c": None,
        "by / b": 6,
        "by / a": None,
    }


def test_all_parts_of_a_withheld_cell_are_withheld_but_zeros() -> None:
    """`lapsed` is withheld for the sake of `stopped`, and with it what it is made of."""
    found = withhold(cell(40, by={"stopped": 3, "lapsed": cell(12, at={"home": 12, "clinic": 0}), "on_track": 25}), 5)
    assert counts(found) == {
        "": 40,
        "by / stopped": None,
        "by / lapsed": None,
        "by / lapsed / at / home": None,
        "by / lapsed / at / clinic": 0,
        "by / on_track": 25,
    }


def test_a_total_goes_where_its_parts_cannot_hide_each_other() -> None:
    """Five parts of at least one each are one each if their total is five; so it is withheld, in both splits, and the
    next part beside it.
    """
    five = Cell(5, {**ones(5).splits, **cell(5, sex={"f": 5, "m": 0}).splits})
    found = counts(withhold(cell(30, week={"1": five, "2": 10, "3": 15}), 5))
    assert {path: count for path, count in found.items() if count is not None} == {
        "": 30,
        "week / 1 / sex / m": 0,
        "week / 3": 15,
    }
    assert len(found) == 11


def test_it_goes_on_to_the_top() -> None:
    """Two of one each beneath one of two, and so on up: no total may be shown."""
    assert set(counts(withhold(cell(4, week={"1": ones(2), "2": ones(2)}), 2)).values()) == {None}


def test_a_withheld_part_is_at_least_what_its_own_parts_are() -> None:
    """Four and two look as if they could be three and three. But the four are four parts of at least one, whatever
    another split of theirs leaves open.
    """
    assert set(counts(withhold(cell(6, week={"1": ones(4), "2": ones(2)}), 5)).values()) == {None}
    four = Cell(4, {**ones(4).splits, **cell(4, sex={"f": 3, "m": 1}).splits})
    assert set(counts(withhold(cell(6, week={"1": four, "2": ones(2)}), 5)).values()) == {None}


@pytest.mark.parametrize(
    ("numerator", "denominator", "shown"),
    [
        (10, 40, 0.25),
        (5, 10, 0.5),
        (0, 10, 0.0),
        (10, 10, 1.0),
        (4, 40, None),
        (36, 40, None),
        (0, 4, None),
        (4, 4, None),
        (0, 0, None),
    ],
)
def test_a_share_is_shown_where_both_sides_of_it_are(numerator: int, denominator: int, shown: float | None) -> None:
    assert rate(numerator, denominator, 5) == shown


@pytest.mark.parametrize(("numerator", "denominator", "shown"), [(1, 4, 0.25), (0, 4, 0.0), (0, 0, None)])
def test_a_share_of_few_is_shown_where_nothing_is_withheld(
    numerator: int, denominator: int, shown: float | None
) -> None:
    assert rate(numerator, denominator, 0) == shown


def test_a_share_is_of_no_more_than_everybody() -> None:
    with pytest.raises(ValueError, match="-1"):
        rate(11, 10, 5)


def test_nobody_counts_less_than_nobody() -> None:
    with pytest.raises(ValueError, match="cannot count -3"):
        Cell(-3)


def test_parts_that_are_not_all_of_the_total_are_no_split() -> None:
    with pytest.raises(ValueError, match="by sex are 9 together, their total is 10"):
        cell(10, sex={"f": 4, "m": 5})


# The reader: the values a count can have, given all that is published.


def possible(shown: Shown, limit: int, sure: Mapping[Path, int], path: Path = ()) -> set[int]:
    """Every count up to `limit` that a cell can have, given all that is shown beneath it and what the reader takes for
    `sure`: what is withheld is at least 1, and each split adds up.
    """
    values = set(range(1, limit + 1)) if shown.count is None else {shown.count}
    if path in sure:
        values &= {sure[path]}
    for by, parts in shown.splits.items():
        sums = {0}
        for name, part in parts.items():
            found = possible(part, limit, sure, (*path, by, name))
            sums = {before + more for before in sums for more in found if before + more <= limit}
        values &= sums
    return values


def solutions(shown: Shown, path: Path, limit: int) -> Iterator[int]:
    """The counts a cell can have in the whole published tree: those with which it still adds up."""
    return (count for count in range(1, limit + 1) if possible(shown, limit, {path: count}))


def is_hidden(shown: Shown, path: Path, limit: int) -> bool:
    found = solutions(shown, path, limit)
    return next(found, None) is not None and next(found, None) is not None


def gone(one: Cell) -> Shown:
    """A cell withheld with all its parts, whatever else is published."""
    splits = {by: {name: gone(part) for name, part in parts.items()} for by, parts in one.splits.items()}
    return Shown(None if one.count else 0, splits)


def beside(total: int, *parts: Shown) -> Shown:
    """A total that is shown, and its parts, named by their number."""
    return Shown(total, {"by": {str(number): part for number, part in enumerate(parts)}})


HIDDEN = Shown(None, {})


@pytest.mark.parametrize(
    ("shown", "values"),
    [
        pytest.param(beside(10, HIDDEN, Shown(7, {})), {3}, id="one beside a shown one"),
        pytest.param(beside(2, HIDDEN, HIDDEN), {1}, id="two that are two"),
        pytest.param(beside(3, HIDDEN, HIDDEN, Shown(0, {})), {1, 2}, id="two that are three"),
        pytest.param(beside(5, gone(ones(3)), gone(ones(2))), {3}, id="parts of at least three and two"),
        pytest.param(beside(6, gone(ones(3)), gone(ones(2))), {3, 4}, id="the same with one to spare"),
        pytest.param(
            beside(9, Shown(None, {"a": {"x": HIDDEN, "y": HIDDEN}, "b": {"z": Shown(4, {})}}), HIDDEN),
            {4},
            id="given away by its other split",
        ),
    ],
)
def test_the_reader_finds_what_is_given_away(shown: Shown, values: set[int]) -> None:
    assert set(solutions(shown, ("by", "0"), 12)) == values


@given(st.lists(st.sampled_from([None, 0, 1, 2, 3]), min_size=1, max_size=4), st.integers(0, 8))
def test_the_reader_finds_what_trying_everything_finds(parts: list[int | None], total: int) -> None:
    choices = [range(1, 9) if part is None else [part] for part in parts]
    tried = [one for one in product(*choices) if sum(one) == total]
    shown = beside(total, *(Shown(part, {}) for part in parts))
    for number, part in enumerate(parts):
        if part is None:
            assert set(solutions(shown, ("by", str(number)), 8)) == {one[number] for one in tried}


@st.composite
def trees(draw: st.DrawFn, *, most: int = 12, levels: int = 2, of: int | None = None) -> Cell:
    """A total of up to `most` in up to two splits of one to four parts, split again in the same way."""
    count = draw(st.integers(0, most)) if of is None else of
    splits = {}
    for by in draw(st.sampled_from(["", "a", "ab"])) if levels else "":
        cuts = draw(st.lists(st.integers(0, count), max_size=3).map(sorted))
        sizes = [last - first for first, last in pairwise([0, *cuts, count])]
        splits[by] = {str(name): draw(trees(levels=levels - 1, of=size)) for name, size in enumerate(sizes)}
    return Cell(count, splits)


@settings(max_examples=500)
@given(trees(), LEASTS)
@example(CLINIC, 5)
@example(cell(6, a={"0": ones(4), "1": ones(2)}), 5)
@example(cell(7, a={"0": ones(4), "1": ones(2), "2": 1}, b={"0": ones(7)}), 2)
@example(cell(6, a={"0": Cell(4, {**ones(4).splits, "b": {"0": Cell(4)}}), "1": ones(2)}), 5)
def test_every_withheld_count_could_be_another(total: Cell, least: int) -> None:
    shown = withhold(total, least)
    limit = total.count + 2
    truth = dict(walk(total))
    for path, one in walk(shown):
        if one.count is None:
            assert possible(shown, limit, {path: truth[path].count})
            assert is_hidden(shown, path, limit)


@given(trees(), LEASTS)
def test_what_is_shown_is_true_and_never_small(total: Cell, least: int) -> None:
    truth = dict(walk(total))
    shown = dict(walk(withhold(total, least)))
    assert list(shown) == list(truth)
    for path, one in shown.items():
        assert one.count in {None, truth[path].count}
        assert one.count is None or one.count == 0 or one.count >= least
        if truth[path].count == 0:
            assert one.count == 0
        if one.count is None:
            assert all(not beneath.count for _, beneath in walk(one))


@given(trees(), LEASTS)
def test_what_is_left_of_a_shown_total_is_never_small(total: Cell, least: int) -> None:
    for _, one in walk(withhold(total, least)):
        for parts in one.splits.values():
            if one.count is not None:
                left = one.count - sum(part.count or 0 for part in parts.values())
                assert left == 0 or left >= least


@given(trees(), LEASTS)
def test_nothing_is_withheld_where_nothing_is_small(total: Cell, least: int) -> None:
    many = times(total, max(least, 1))
    assert withhold(many, least) == withhold(many, 0)


def times(one: Cell, factor: int) -> Cell:
    splits = {by: {name: times(part, factor) for name, part in parts.items()} for by, parts in one.splits.items()}
    return Cell(one.count * factor, splits)


@settings(max_examples=200)
@given(trees(), LEASTS)
@example(cell(9, a={"0": 1, "1": 2, "2": 6}), 5)
@example(cell(30, a={"0": ones(5), "1": 10, "2": 15}), 5)
def test_nothing_is_withheld_needlessly(total: Cell, least: int) -> None:
    """Beside a shown total: only parts that could not be shown anywhere, and then the smallest others, the last of
    which is needed. A total: only if it is small itself, or one of its splits cannot be hidden beside it.
    """
    truth = dict(walk(total))
    for path, one in walk(withhold(total, least)):
        if one.count is not None:
            for by, parts in one.splits.items():
                check_split({name: truth[*path, by, name] for name in parts}, parts, least)
    if withhold(total, least).count is None:
        splits = [list(parts.values()) for parts in total.splits.values()]
        assert total.count < least or any(not would_hide(parts, least) for parts in splits)


def check_split(truth: Mapping[str, Cell], shown: Mapping[str, Shown], least: int) -> None:
    must = {name for name, part in truth.items() if withhold(part, least).count is None}
    also = sorted((truth[name].count, name) for name, part in shown.items() if part.count is None and name not in must)
    others = sorted((part.count, name) for name, part in shown.items() if part.count)
    assert all(shown[name].count is None for name in must)
    assert sorted(also + others)[: len(also)] == also
    if also:
        assert must
        assert not would_hide([truth[name] for name in {*must, *(name for _, name in also[:-1])}], least)


def would_hide(parts: list[Cell], least: int) -> bool:
    """Whether these parts, withheld beside a total that tells their sum, are neither few nor given away."""
    together = sum(part.count for part in parts)
    shown = beside(together, *(gone(part) for part in parts))
    hidden = all(is_hidden(shown, path, together) for path, one in walk(shown) if one.count is None)
    return together >= least and hidden


@given(trees(), LEASTS, st.randoms(use_true_random=False))
def test_the_order_of_the_parts_does_not_matter(total: Cell, least: int, dice: Random) -> None:
    assert withhold(shuffled(total, dice), least) == withhold(total, least)


def shuffled(one: Cell, dice: Random) -> Cell:
    splits = [
        (by, dice.sample([(name, shuffled(part, dice)) for name, part in parts.items()], len(parts)))
        for by, parts in one.splits.items()
    ]
    return Cell(one.count, {by: dict(parts) for by, parts in dice.sample(splits, len(splits))})
