"""Flags by kind and fate: what became of what was raised."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from api.pages.charts.axes import count_ticks
from api.pages.charts.drawing import (
    LINE_HEIGHT,
    Chart,
    Svg,
    chart,
    fitted,
    hint,
    legend,
    line,
    nothing_to_show,
    path,
    text,
    width_of,
)
from api.pages.charts.patterns import Pattern, definitions, filled, sample
from api.pages.charts.wording import WITHHELD, count_in_words, counted, listed

LEFT, RIGHT, TOP = 216, 620, 8
ROW, BAR = 24, 16


class Fate(StrEnum):
    """What became of a flag."""

    RETURNED = "returned"
    """The patient exercised again."""
    BY_HAND = "by_hand"
    LATE_DATA = "late_data"
    """Sessions that arrived late showed there had been no reason."""
    OTHER = "other"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRow:
    """One kind of flag."""

    kind: str
    """As people read it."""
    fates: Mapping[Fate, int | None]
    """Missing: none. None: withheld because too few."""

    @property
    def total(self) -> int:
        """Of the counts that are told."""
        return sum(count or 0 for count in self.fates.values())


PATTERNS = {
    Fate.RETURNED: Pattern.FULL,
    Fate.BY_HAND: Pattern.RISING,
    Fate.LATE_DATA: Pattern.LEVEL,
    Fate.OTHER: Pattern.GREY,
    Fate.OPEN: Pattern.EMPTY,
}
"""From the axis to the right."""
WORDS = {
    Fate.RETURNED: "Returned",
    Fate.BY_HAND: "Handled by hand",
    Fate.LATE_DATA: "Late data",
    Fate.OTHER: "Other",
    Fate.OPEN: "Still open",
}


def flags_by_kind(rows: Sequence[FlagRow], *, key: str) -> Chart:
    """A bar per kind, the most frequent on top, stacked by fate, its total at its end (+ where counts are withheld).

    Args:
        rows: Each kind once; kinds without a flag are listed in the table only.
        key: Begins every id in the picture.

    """
    header = ("Flag", *WORDS.values())
    rows = sorted(rows, key=lambda row: (-row.total, row.kind))
    table = [(row.kind, *(count_in_words(row.fates.get(fate, 0)) for fate in Fate)) for row in rows]
    drawn = [row for row in rows if any(count != 0 for count in row.fates.values())]
    if not drawn:
        return nothing_to_show(key, title="Flags by kind", header=header)
    ticks = count_ticks(max(row.total for row in drawn))
    bottom = TOP + len(drawn) * ROW
    fates = [fate for fate in Fate if any(row.fates.get(fate) for row in drawn)]
    key_of_fills, end = legend(
        [sample(key, PATTERNS[fate], WORDS[fate]) for fate in fates],
        x=16,
        y=bottom + 34,
        right=RIGHT,
    )
    note = _withheld(drawn)
    return chart(
        key,
        title="Flags by kind and by what became of them",
        says=_says(drawn),
        size=(RIGHT + 24 + width_of(f"{ticks[-1]:,}+"), end + 4 + 20 * note),
        body=[
            definitions(key, [PATTERNS[fate] for fate in fates]),
            *_scale(ticks, bottom),
            *(part for index, row in enumerate(drawn) for part in _bar(row, TOP + index * ROW, ticks[-1], key)),
            key_of_fills,
            *([text(WITHHELD, 16, end + 11, paint="quiet")] * note),
        ],
        header=header,
        rows=table,
    )


def _bar(row: FlagRow, top: float, most: int, key: str) -> Iterator[Svg]:
    y = top + (ROW - BAR) / 2
    yield text(fitted(row.kind, LEFT - 24), LEFT - 8, y + 12, anchor="end")
    x: float = LEFT
    for fate, pattern in PATTERNS.items():
        if count := row.fates.get(fate):
            width = count / most * (RIGHT - LEFT)
            yield filled(key, pattern, x, y, width, BAR, hint(f"{row.kind}: {count:,} {WORDS[fate].lower()}"))
            x += width
    total = f"{row.total:,}{'+' if _withheld([row]) else ''}" if row.total else "withheld"
    yield text(total, x + 6, y + 12)


def _scale(ticks: Sequence[int], bottom: float) -> list[Svg]:
    drawn = [path(f"M{LEFT} {TOP}V{bottom:g}H{RIGHT}", "axis")]
    for tick in ticks:
        x = LEFT + tick / ticks[-1] * (RIGHT - LEFT)
        drawn += [
            line(x, bottom, x, bottom + 4, "axis"),
            text(f"{tick:,}", x, bottom + 4 + LINE_HEIGHT - 2, anchor="middle", paint="quiet"),
        ]
    return drawn


def _says(rows: Sequence[FlagRow]) -> str:
    fates: Counter[Fate] = Counter()
    for row in rows:
        fates.update({fate: count or 0 for fate, count in row.fates.items()})
    total = sum(fates.values())
    shown = " shown" if _withheld(rows) else ""
    sentences = [f"{counted(total, 'flag')}{shown} of {counted(len(rows), 'kind')}{_by_fate(fates)}."]
    sentences += [f"{row.kind}, {counted(row.total, 'flag')}{shown}{_by_fate(row.fates)}." for row in rows[:3]]
    if _withheld(rows):
        sentences.append(WITHHELD)
    return " ".join(sentences)


def _by_fate(fates: Mapping[Fate, int | None]) -> str:
    parts = [f"{count:,} {WORDS[fate].lower()}" for fate in Fate if (count := fates.get(fate))]
    return f": {listed(parts)}" if parts else ""


def _withheld(rows: Sequence[FlagRow]) -> bool:
    return any(count is None for row in rows for count in row.fates.values())
