"""The points of a relapse after discharge: each row where it counts, where it does not, and where nobody knows."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from models.adherence.rates import Rate
from models.adherence.relapse import Advice, Facts, Told, advice, points, total

DISCHARGED = date(2025, 1, 15)
ASKED = date(2025, 7, 1)
NOTHING = Facts(
    today=date(2025, 8, 1),
    discharged_on=DISCHARGED,
    second_month_on=date(2025, 2, 15),
    seventh_month_on=date(2025, 7, 15),
)
ROWS: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {
    "stopped": (3, {"stopped": True}, {"stopped": False}),
    "strength_lost": (2, {"strength_lost": True}, {"strength_lost": False}),
    "episodes": (2, {"episodes": 3}, {"episodes": 2}),
    "sitting": (1, {"sitting_hours": Told(5.5, ASKED)}, {"sitting_hours": Told(5, ASKED)}),
    "awkward_postures": (1, {"awkward_postures": True}, {"awkward_postures": False}),
    "few_minutes": (1, {"minutes": Rate(49, 100)}, {"minutes": Rate(50, 100)}),
    "confidence": (1, {"confidence": Told(5, ASKED)}, {"confidence": Told(6, ASKED)}),
    "recurred": (2, {"recurred": True}, {"recurred": False}),
}


@pytest.mark.parametrize("code", ROWS)
def test_each_row_counts_on_its_own_side_of_the_line(code: str) -> None:
    worth, over, under = ROWS[code]
    for facts, applies in ((over, True), (under, False)):
        found = points(replace(NOTHING, **facts))
        row = next(one for one in found if one.code == code)
        assert (row.applies, row.points, total(found)) == (applies, worth, worth if applies else 0)
        assert row.says.endswith(".")
        assert row.source


def test_what_nobody_knows_is_said_so_and_counts_nothing() -> None:
    found = points(NOTHING)
    unknown = [one.code for one in found if one.applies is None]
    assert unknown == [*ROWS][:-1]
    assert all(one.says for one in found)
    assert total(found) == 0


@pytest.mark.parametrize(
    ("today", "applies"),
    [
        (date(2025, 2, 14), False),
        (date(2025, 2, 15), True),
        (date(2025, 7, 14), True),
        (date(2025, 7, 15), False),
    ],
)
def test_months_two_to_six_count(today: date, applies: bool) -> None:
    row = next(one for one in points(replace(NOTHING, today=today)) if one.code == "risky_months")
    assert (row.applies, row.points) == (applies, 1)


def test_the_whole_list_is_fourteen_points() -> None:
    facts = {name: value for _, over, _ in ROWS.values() for name, value in over.items()}
    worst = replace(NOTHING, today=DISCHARGED + timedelta(days=60), **facts)
    assert (total(points(worst)), len(points(worst))) == (14, 9)


@pytest.mark.parametrize(
    ("count", "says"), [(0, "low"), (2, "low"), (3, "watch"), (4, "watch"), (5, "call"), (14, "call")]
)
def test_what_a_total_comes_to(count: int, says: str) -> None:
    assert advice(count) is Advice(says)
