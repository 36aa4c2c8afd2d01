"""The shelf: complete, consistent, readable."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.schemas.programs import DosageIn
from models.safety.conditions import VOCABULARY
from models.safety.precautions import HOLDS
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
from seed_data.load import care, exercises, load, precautions, protocols

EXERCISES = exercises()
BY_SLUG = {row["slug"]: row for row in EXERCISES}
PROTOCOLS = protocols()
MATRIX = precautions()
CARE = care()
CARE_BY_SLUG = {row["slug"]: row for row in CARE}
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
RULE = re.compile(r"R-\d\d")
GOALS = {
    *("range", "spasm_relief", "posture", "strength", "endurance", "motor_control", "core_strength", "balance"),
    *("fall_prevention", "fitness", "function", "pain_relief", "stress_relief", "flare_maintenance"),
}
TOPICS = {
    "modality": {"relief"},
    "self_care": {"mood", "pacing", "sleep"},
    "advice": {"ergonomics", "sleep", "footwear", "sun", "education"},
}
AGENTS = {"cold", "heat", "water", "massage", "ultrasound", "tens", "manual_therapy"}
ON_THE_FLOOR = {
    *("hook_lying", "supine", "prone", "side_lying", "long_sitting", "quadruped", "kneeling", "half_kneeling"),
}


def items_of(protocol: dict[str, Any]) -> list[dict[str, Any]]:
    """Every item of every phase and of the maintenance list."""
    return [item for phase in [*protocol["phases"], {"items": protocol["maintenance"]}] for item in phase["items"]]


ITEMS = [(protocol["slug"], item) for protocol in PROTOCOLS for item in items_of(protocol)]
DOSAGES = [(row["slug"], row["dosage"]) for row in EXERCISES] + [
    (f"{protocol}: {item['exercise']}", item["dosage"]) for protocol, item in ITEMS if "exercise" in item
]
CARE_ITEMS = [(f"{protocol}: {item['care']}", item) for protocol, item in ITEMS if "care" in item]


def test_everything_is_there() -> None:
    assert (len(EXERCISES), len(MATRIX["load_tags"]), len(MATRIX["precautions"]), len(PROTOCOLS)) == (245, 36, 84, 19)
    assert len(CARE) == 30


def test_slugs_are_unique_and_well_formed() -> None:
    for rows in (EXERCISES, PROTOCOLS, CARE):
        slugs = [row["slug"] for row in rows]
        assert len(slugs) == len(set(slugs))
        assert all(SLUG.fullmatch(slug) for slug in slugs)
    assert not set(BY_SLUG) & set(CARE_BY_SLUG)
    assert [row["code"] for row in PROTOCOLS] == [f"T{number:02d}" for number in range(1, 20)]


@pytest.mark.parametrize("row", EXERCISES, ids=lambda row: row["slug"])
def test_an_exercise_is_complete(row: dict[str, Any]) -> None:
    assert set(row) == {
        *("slug", "name", "summary", "category", "subcategory", "region", "position", "level", "laterality", "needs"),
        *("load_tags", "muscles", "goals", "trunk_sides", "dosage", "progression_of", "evidence"),
    }
    assert row["category"] in set(Category)
    assert row["laterality"] in set(Laterality)
    assert 0 <= row["level"] <= 4
    assert set(row["load_tags"]) <= set(MATRIX["load_tags"])
    assert set(row["trunk_sides"]) <= {"front", "sides", "back"}
    assert (row["category"] == "core") == bool(row["trunk_sides"])
    assert 1 <= len(row["goals"]) == len(set(row["goals"])) <= 3
    assert set(row["goals"]) <= GOALS
    assert all(slot and "none" not in slot for slot in row["needs"])
    assert row["evidence"]


def test_every_goal_is_some_exercise_s() -> None:
    assert {goal for row in EXERCISES for goal in row["goals"]} == GOALS


@pytest.mark.parametrize("row", EXERCISES, ids=lambda row: row["slug"])
def test_what_is_lain_knelt_or_sat_on_is_needed(row: dict[str, Any]) -> None:
    slots = [set(slot) for slot in row["needs"]]
    # A plank: the forearms are on the ball, the toes on the floor.
    if row["position"] in ON_THE_FLOOR and row["slug"] != "stir-the-pot":
        assert any(slot <= {"mat", "bed"} for slot in slots)
    if row["position"] == "bed":
        assert {"bed"} in slots
    if row["position"] == "chair_sitting":
        assert {"chair"} in slots
    if row["position"] == "ball_sitting":
        assert {"exercise_ball"} in slots


@pytest.mark.parametrize("row", CARE, ids=lambda row: row["slug"])
def test_care_is_complete(row: dict[str, Any]) -> None:
    assert set(row) == {
        *("slug", "kind", "name", "summary", "agent", "at_home", "max_minutes", "topic", "evidence"),
    }
    assert row["topic"] in TOPICS[row["kind"]]
    assert (row["kind"] == "modality") == (row["agent"] in AGENTS)
    assert (row["kind"] == "modality") == (row["agent"] is not None)
    assert isinstance(row["at_home"], bool)
    assert row["max_minutes"] is None or 1 <= row["max_minutes"] <= 90
    assert row["name"]
    assert row["evidence"]


def test_every_kind_of_care_is_there() -> None:
    assert {row["agent"] for row in CARE} == {None, *AGENTS}
    assert {(row["kind"], row["topic"]) for row in CARE} == {
        (kind, topic) for kind, topics in TOPICS.items() for topic in topics
    }
    assert len({row["name"] for row in CARE}) == len(CARE)


def test_what_is_cold_or_hot_at_home_has_an_end() -> None:
    limits = {row["slug"]: row["max_minutes"] for row in CARE if row["at_home"]}
    assert [limits[row["slug"]] for row in CARE if row["agent"] == "cold"] == [10]
    assert all(limits[row["slug"]] <= 20 for row in CARE if row["agent"] == "heat")
    assert limits["tens-home"] == 30


@pytest.mark.parametrize("row", EXERCISES + CARE, ids=lambda row: row["slug"])
def test_a_summary_is_one_plain_sentence(row: dict[str, Any]) -> None:
    text = row["summary"]
    assert text[0].isupper()
    assert text.endswith(".")
    assert text.count(".") == 1
    assert not set(text) & set('!?;"')
    assert text.isascii()
    assert 10 <= len(text.split()) <= 20


def test_no_two_summaries_are_alike() -> None:
    assert max(Counter(row["summary"] for row in EXERCISES + CARE).values()) == 1


def test_nothing_is_said_to_cure() -> None:
    said = list(_texts([EXERCISES, PROTOCOLS, MATRIX, CARE]))
    assert len(said) > 5000
    assert [text for text in said if re.search(r"\bcur(e|es|ed|ing|able)\b", text, re.IGNORECASE)] == []


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        yield from _texts(data.values())
    elif isinstance(data, Iterable):
        for part in data:
            yield from _texts(part)


def test_summaries_read_at_sixth_grade() -> None:
    """Flesch-Kincaid: the shelf's mean at most 6, no sentence above 7.5, though each says position, movement and limit
    in one go and length is half of that formula.
    """
    grades = {row["slug"]: grade(row["summary"]) for row in EXERCISES + CARE}
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
        said = DosageIn(**dosage).as_dosage()
    except ValidationError as error:
        pytest.fail(f"{where}: {error}")
    assert said.has_amount, where


@pytest.mark.parametrize(("where", "item"), CARE_ITEMS, ids=[where for where, _ in CARE_ITEMS])
def test_care_on_a_list_is_given_within_its_limit(where: str, item: dict[str, Any]) -> None:
    """It need not say how much."""
    assert set(item) == {"care", "dosage"}, where
    assert 0 not in item["dosage"].values()
    dosage = DosageIn(**item["dosage"]).as_dosage()
    assert set(item["dosage"]) <= {
        *("duration_minutes", "sessions_per_day", "days_per_week", "weekdays", "every_n_days", "as_needed_max_per_day"),
    }
    limit = CARE_BY_SLUG[item["care"]]["max_minutes"]
    assert limit is None or (dosage.duration_minutes is not None and dosage.duration_minutes <= limit)


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row["slug"])
def test_an_item_is_care_or_an_exercise_for_one_of_its_goals(row: dict[str, Any]) -> None:
    for item in items_of(row):
        if "care" in item:
            assert item["care"] in CARE_BY_SLUG
        else:
            assert set(item) == {"exercise", "goal", "dosage"}
            assert item["goal"] in BY_SLUG[item["exercise"]]["goals"], item["exercise"]


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row["slug"])
def test_no_list_says_anything_twice(row: dict[str, Any]) -> None:
    for items in [*(phase["items"] for phase in row["phases"]), row["maintenance"]]:
        slugs = [item.get("exercise", item.get("care")) for item in items]
        assert len(slugs) == len(set(slugs))


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row["slug"])
def test_whoever_goes_on_alone_has_something_to_read(row: dict[str, Any]) -> None:
    topics = {CARE_BY_SLUG[item["care"]]["topic"] for item in row["maintenance"] if "care" in item}
    assert topics & {"education", "ergonomics"}


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row["slug"])
def test_a_protocol_says_what_the_matrix_makes_of_it(row: dict[str, Any]) -> None:
    """Every caution that it runs into, with why it is taken; and nothing to avoid."""
    met = {
        (precaution["severity"], item["exercise"], precaution["condition"])
        for item in items_of(row)
        if "exercise" in item
        for precaution in MATRIX["precautions"]
        if precaution["condition"] in row["conditions"]
        if set(precaution["load_tags"]) & set(BY_SLUG[item["exercise"]]["load_tags"])
    }
    assert [found for found in met if found[0] == "avoid"] == []
    said = [(caution["exercise"], caution["condition"]) for caution in row["cautions"]]
    assert sorted(said) == sorted({(exercise, why) for severity, exercise, why in met if severity == "caution"})


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row["slug"])
def test_a_protocol_gives_its_reasons(row: dict[str, Any]) -> None:
    assert all(set(exempt) == {"rule", "why"} for exempt in row["rule_exemptions"])
    assert all(RULE.fullmatch(exempt["rule"]) for exempt in row["rule_exemptions"])
    assert len({exempt["rule"] for exempt in row["rule_exemptions"]}) == len(row["rule_exemptions"])
    assert all(set(caution) == {"exercise", "condition", "why"} for caution in row["cautions"])
    for reason in [*row["rule_exemptions"], *row["cautions"]]:
        assert reason["why"][0].isupper()
        assert reason["why"].endswith(".")
    assert set(row["clearance_for"]) <= set(row["conditions"])


def test_an_unstable_neck_needs_clearance() -> None:
    for row in PROTOCOLS:
        assert ("ra-cervical-instability" in row["clearance_for"]) == ("ra-cervical-instability" in row["conditions"])


@pytest.mark.parametrize("row", PROTOCOLS, ids=lambda row: row["slug"])
def test_a_protocol_holds_together(row: dict[str, Any]) -> None:
    assert set(row) == {
        *("code", "slug", "name", "indication", "conditions", "weeks", "phases", "maintenance", "progression"),
        *("not_for", "modalities", "rule_exemptions", "cautions", "clearance_for", "check_in_months", "sources"),
    }
    phases = row["phases"]
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
    assert set(row) - {"holds"} == {"condition", "severity", "load_tags", "reason", "advice", "source"}
    assert row.get("holds") is None or row["holds"] in HOLDS
    assert row["severity"] in set(PrecautionSeverity)
    assert row["load_tags"]
    assert set(row["load_tags"]) <= set(MATRIX["load_tags"])
    assert row["reason"]
    assert row["source"]


@pytest.mark.parametrize("row", MATRIX["precautions"], ids=lambda row: f"{row['condition']}-{row['severity']}")
def test_a_precaution_s_advice_is_a_sentence_for_the_patient(row: dict[str, Any]) -> None:
    advice = row["advice"]
    words = set(re.findall(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*", advice))
    assert advice.isascii()
    assert advice.endswith(".")
    assert 6 <= len(advice.split()) <= 22
    assert not {word.lower() for word in words} & {code for code in VOCABULARY if "-" in code}
    assert not words & set(MATRIX["load_tags"])
    assert "as above" not in advice.lower()


def test_every_way_to_hold_is_some_precaution_s() -> None:
    assert {row["holds"] for row in MATRIX["precautions"] if "holds" in row} == set(HOLDS)


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
