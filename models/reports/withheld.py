"""What may be shown of small groups: a count too small to publish is withheld, and so is what would give it away.

A published table is a tree: a total, split into parts in one or more ways, each part perhaps split further. Whoever
knows every number shown, that zeros are always shown and that the splits add up, is left with at least two
possible values for every count withheld (complementary cell suppression; Hundepool et al., Statistical Disclosure
Control, 2012).

Two limits. Splits of one total must have nothing else in common: a cross table with the totals of its rows and of
its columns is not protected. And a reader who also knows `least` and replays this very rule may rule out some of the
values: with a `least` of 2, a count that is too small is always 1.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cell:
    """A count of people, and the ways it is split: parts by name, by the name of the split.

    A negative count, or parts that do not add up to their total, are a ValueError.
    """

    count: int
    splits: Mapping[str, Mapping[str, "Cell"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"A cell cannot count {self.count}.")
        for name, parts in self.splits.items():
            if (together := sum(part.count for part in parts.values())) != self.count:
                raise ValueError(f"The parts by {name} are {together} together, their total is {self.count}.")


@dataclass(frozen=True, slots=True)
class Shown:
    """A cell as it is published: the same splits and names."""

    count: int | None
    """None: withheld, which also says that it is not 0."""
    splits: Mapping[str, Mapping[str, "Shown"]]


def withhold(total: Cell, least: int) -> Shown:
    """The tree of `total` without its counts of 1 to `least` - 1, and without what would give them away.

    - Beside a withheld part, further parts of the same split are withheld, the smallest first and equal ones by name,
      until there are at least two, together at least `least`, and together more than the least they can be.
    - Where all parts of a split are not enough for that, their total is withheld.
    - All parts of a withheld cell are withheld, in all its splits; zeros are shown.

    A `least` of 0 or 1 withholds nothing.
    """
    return _withheld(total) if _must_be_withheld(total, least) else _shown(total, least)


def rate(numerator: int, denominator: int, least: int) -> float | None:
    """The share of `denominator`, 0-1: None where it is a share of nobody, or where the numerator or the others, by
    whom it is split, are too few to be shown.

    The share tells its numerator and its denominator: show it only where both are shown in every table beside it. A
    numerator below 0 or above the denominator is a ValueError.
    """
    split = {"numerator": Cell(numerator), "others": Cell(denominator - numerator)}
    shown = withhold(Cell(denominator, {"share": split}), least)
    if not denominator or any(part.count is None for part in shown.splits["share"].values()):
        return None
    return numerator / denominator


def _must_be_withheld(cell: Cell, least: int) -> bool:
    """Whether a cell cannot be shown, whatever is shown around it."""
    return 0 < cell.count < least or any(_to_withhold(parts, least) is None for parts in cell.splits.values())


def _to_withhold(parts: Mapping[str, Cell], least: int) -> set[str] | None:
    """The parts to withhold beside a total that is shown; None where even all of them are not enough."""
    names = {name for name, part in parts.items() if _must_be_withheld(part, least)}
    if not names:
        return names
    others = sorted((part.count, name) for name, part in parts.items() if part.count and name not in names)
    while not _keep_each_other([parts[name] for name in names], least):
        if not others:
            return None
        names.add(others.pop(0)[1])
    return names


def _keep_each_other(cells: Collection[Cell], least: int) -> bool:
    """Whether these cells may be withheld beside a total that is shown, which tells their sum.

    With one to spare beyond the least that each can be, every one of two or more may be that least or one more.
    """
    together = sum(cell.count for cell in cells)
    return len(cells) > 1 and together >= least and together > sum(_smallest_possible(cell) for cell in cells)


def _smallest_possible(cell: Cell) -> int:
    """The least that a withheld cell can be: its zeros are shown, and each other part is at least 1."""
    if not cell.count:
        return 0
    by_split = [sum(_smallest_possible(part) for part in parts.values()) for parts in cell.splits.values()]
    return max(by_split, default=1)


def _withheld(cell: Cell) -> Shown:
    splits = {by: {name: _withheld(part) for name, part in parts.items()} for by, parts in cell.splits.items()}
    return Shown(None if cell.count else 0, splits)


def _shown(cell: Cell, least: int) -> Shown:
    splits = {}
    for by, parts in cell.splits.items():
        names = _to_withhold(parts, least) or set()
        splits[by] = {name: _withheld(part) if name in names else _shown(part, least) for name, part in parts.items()}
    return Shown(cell.count, splits)
