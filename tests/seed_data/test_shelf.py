"""The shelf: complete, consistent, readable."""

import re
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.schemas.programs import DosageIn
from models.tables import (
    Category,
    Exercise,
    ExerciseNeed,
    Laterality,
    LoadTag,
    Precaution,
    PrecautionSeverity,
    Protocol,
)
from seed_data.load import exercises, load, precautions, protocols

EXERCISES = exercises()
BY_SLUG = {row["slug"]: row for row in EXERCISES}
PROTOCOLS = protocols()
MATRIX = precautions()
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
DOSAGES = [(row["slug"], row["dosage"]) for row in EXERCISES] + [
    (f"{protocol['slug']}: {item['exercise']}", item["dosage"])
    for protocol in PROTOCOLS
    for phase in [*protocol["phases"], {"items": protocol["maintenance"]}]
    for item in phase["items"]
]


def test_everything_is_there() -> None:
    assert (len(EXERCISES), len(MATRIX["load_tags"]), len(MATRIX["precautions"]), len(PROTOCOLS)) == (245, 36, 84, 19)


def test_slugs_are_unique_and_well_formed() -> None:
    for rows in (EXERCISES, PROTOCOLS):
        slugs = [row["slug"] for row in rows]
        assert len(slugs) == len(set(slugs))
        assert all(SLUG.fullmatch(slug) for slug in slugs)
    assert [row["code"] for row in PROTOCOLS] == [f"T{number:02d}" for number in range(1, 20)]


@pytest.mark.parametrize("row", EXERCISES, ids=lambda row: row["slug"])
def test_an_exercise_is_complete(row: dict[str, Any]) -> None:
    assert set(row) == {
        *("slug", "name", "summary", "category", "subcategory", "region", "position", "level", "laterality", "needs"),
        *("load_tags", "muscles", "trunk_sides", "dosage", "progression_of", "evidence"),
    }
    assert row["category"] in set(Category)
    assert row["laterality"] in set(Laterality)
    assert 0 <= row["level"] <= 4
    assert set(row["load_tags"]) <= set(MATRIX["load_tags"])
    assert set(row["trunk_sides"]) <= {"front", "sides", "back"}
    assert (row["category"] == "core") == bool(row["trunk_sides"])
    assert all(slot and "none" not in slot for slot in row["needs"])
    assert row["evidence"]


@pytest.mark.parametrize("row", EXERCISES, ids=lambda row: row["slug"])
def test_a_summary_is_one_plain_sentence(row: dict[str, Any]) -> None:
    text = row["summary"]
    assert text[0].isupper()
    assert text.endswith(".")
    assert text.count(".") == 1
    assert not set(text) & set('!?;"')
    assert text.isascii()
    assert 10 <= len(text.split()) <= 20
    assert "cure" not in text.lower().split()


def test_no_two_summaries_are_alike() -> None:
    assert max(Counter(row["summary"] for row in EXERCISES).values()) == 1


def test_summaries_read_at_sixth_grade() -> None:
    """Flesch-Kincaid: the shelf's mean at most 6, no sentence above 7.5, though each says position, movement and limit
    in one go and length is half of that formula.
    """
    grades = {row["slug"]: grade(row["summary"]) for row in EXERCISES}
    assert sum(grades.values()) / len(grades) <= 6
    assert {slug: found for slug, found in grades.items() if found > 7.5} == {}


def grade(text: str) -> float:
    words = _words(text)
    return 0.39 * len(words) + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z']+", text)


def _syllables(word: str) -> int:
    plain = re.sub(r"(?<=[^aeiouyl])e$|(?<=[^dt])ed$|(?<=[^sxzc])es$", "", word.lower())
    return max(1, len(re.findall(r"[aeiouy]+", plain)))


def test_progressions_are_trees_and_never_get_easier() -> None:
    placed: set[str] = set()
    for row in EXERCISES:  # each after the one it progresses from
        before = row["progression_of"]
        if before is not None:
            assert before in placed, f"{row['slug']} progresses from {before}"
            assert row["level"] >= BY_SLUG[before]["level"]
        placed.add(row["slug"])


@pytest.mark.parametrize(("where", "dosage"), DOSAGES, ids=[where for where, _ in DOSAGES])
def test_every_dosage_is_one_a_therapist_could_prescribe(where: str, dosage: dict[str, Any]) -> None:
    assert 0 not in dosage.values(), where
    try:
        DosageIn(**dosage)
    except ValidationError as error:
        pytest.fail(f"{where}: {error}")


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row["slug"])
def test_a_protocol_holds_together(row: dict[str, Any]) -> None:
    phases = row["phases"]
    items = [item for phase in phases for item in phase["items"]] + row["maintenance"]
    assert all(item["exercise"] in BY_SLUG for item in items)
    assert phases[0]["from_day"] == 1
    for one, following in pairwise(phases):
        assert following["from_day"] == one["to_day"] + 1
    assert phases[-1]["to_day"] == row["weeks"] * 7
    assert row["check_in_months"] == [1, 3, 6, 12, 24]
    assert row["maintenance"]
    assert {precaution["condition"] for precaution in MATRIX["precautions"]} >= set(row["conditions"]) - {
        "chronic-lbp",
        "neck-pain",
    }


@pytest.mark.parametrize("row", MATRIX["precautions"], ids=lambda row: f"{row['condition']}-{row['severity']}")
def test_a_precaution_is_complete(row: dict[str, Any]) -> None:
    assert row["severity"] in set(PrecautionSeverity)
    assert row["load_tags"]
    assert set(row["load_tags"]) <= set(MATRIX["load_tags"])
    assert row["reason"]
    assert row["source"]


def test_loading_is_complete_and_repeatable(tx: Session) -> None:
    """The fixture's database was loaded once already."""
    assert load(tx) == 0
    tx.flush()
    tables = (Exercise, LoadTag, Precaution, Protocol)
    assert [tx.scalar(select(func.count()).select_from(table)) for table in tables] == [245, 36, 84, 19]
    assert tx.scalars(select(Exercise.version).distinct()).all() == [1]


def test_a_changed_exercise_gets_a_new_version(tx: Session) -> None:
    row = tx.get(Exercise, "bird-dog")
    assert row is not None
    row.summary = "Something else."
    tx.add(ExerciseNeed(exercise_slug="cat-camel", slot=9, equipment="piano"))
    tx.flush()
    assert load(tx) == 2
    tx.flush()
    assert (row.version, row.summary) == (2, BY_SLUG["bird-dog"]["summary"])
    assert tx.get(ExerciseNeed, ("cat-camel", 9, "piano")) is None
