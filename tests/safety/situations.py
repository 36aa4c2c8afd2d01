"""Situations for the rules, made from the shelf itself."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

from models.prescription.dosage import Dosage, Side
from models.safety.conditions import effective
from models.safety.facts import (
    Care,
    CareItem,
    Condition,
    Examination,
    Exercise,
    Item,
    Patient,
    Phase,
    Precaution,
    Program,
    Situation,
)
from models.safety.red_flags import RED_FLAGS
from models.safety.rules import Finding, check
from seed_data.load import care, exercises, precautions, protocols

TODAY = date(2025, 3, 3)


@cache
def catalogue() -> dict[str, Exercise]:
    return {
        row["slug"]: Exercise(
            **{name: row[name] for name in ("slug", "name", "category", "subcategory", "region", "position", "level")},
            one_sided=row["laterality"] == "each_side",
            load_tags=frozenset(row["load_tags"]),
            trunk_sides=frozenset(row["trunk_sides"]),
            muscles=frozenset(row["muscles"]),
            goals=tuple(row["goals"]),
            progression_of=row["progression_of"],
            needs=tuple(frozenset(slot) for slot in row["needs"]),
        )
        for row in exercises()
    }


@cache
def matrix() -> tuple[Precaution, ...]:
    return tuple(
        Precaution(**{**row, "load_tags": frozenset(row["load_tags"])}) for row in precautions()["precautions"]
    )


@cache
def cares() -> dict[str, Care]:
    wanted = ("slug", "name", "kind", "agent", "at_home", "max_minutes", "topic")
    return {row["slug"]: Care(**{name: row[name] for name in wanted}) for row in care()}


@cache
def protocol(code: str) -> dict[str, Any]:
    return next(row for row in protocols() if code in {row["code"], row["slug"]})


def dosage(**but: Any) -> Dosage:
    return Dosage(**dict[str, Any]({"sets": 2, "reps": 10, "days_per_week": 5} | but))


def item(slug: str, *, side: Side | None = None, goal: str | None = "strength", **but: Any) -> Item:
    """An exercise as a therapist would prescribe it: complete, with a side where it needs one."""
    exercise = catalogue()[slug]
    how_much = Dosage(**but) if but else dosage()
    return Item(exercise=exercise, dosage=how_much, side=side or (Side.BOTH if exercise.one_sided else None), goal=goal)


def care_item(slug: str, **but: Any) -> CareItem:
    return CareItem(care=cares()[slug], dosage=Dosage(**(but or {"as_needed_max_per_day": 3})))


def phase(*lines: Item | CareItem | str, number: int = 1, **but: Any) -> Phase:
    made = [item(line) if isinstance(line, str) else line for line in lines]
    return Phase(
        number=number,
        items=tuple(line for line in made if isinstance(line, Item)),
        care=tuple(line for line in made if isinstance(line, CareItem)),
        **({"label": f"Phase {number}"} | but),
    )


def has(code: str, **details: Any) -> Condition:
    fields = {name: details.pop(name) for name in ("onset_on", "joints", "is_confirmed", "side") if name in details}
    if "joints" in fields:
        fields["joints"] = frozenset(fields["joints"])
    return Condition(code=code, details=details, **fields)


BASELINE = Examination(examined_on=TODAY - timedelta(days=1), pain=4, function=6.0, has_tests=True)
ALL_EQUIPMENT = frozenset(thing for row in exercises() for slot in row["needs"] for thing in slot)


def a_patient(*conditions: Condition | str, **but: Any) -> Patient:
    """Everything asked: what is left out is not what the test is about."""
    asked: dict[str, Any] = {
        "age": 50,
        "falls_risk": False,
        "can_get_up_from_floor": True,
        "equipment": ALL_EQUIPMENT,
        "has_preferences": True,
    }
    made = tuple(has(one) if isinstance(one, str) else one for one in conditions)
    return Patient(conditions=made, **(asked | but))


def situation(patient: Patient, *phases: Phase, today: date = TODAY, **but: Any) -> Situation:
    """A draft for a patient who was screened and examined, unless said otherwise; `screened_on` answers every
    question that day.
    """
    ours = {"flare", "is_maintenance", "runs_since", "review_due_on", "exemptions"}
    ours |= {"check_in_months", "discharges"}
    program = Program(phases=phases, **{name: but.pop(name) for name in ours & but.keys()})
    asked_on = but.pop("screened_on", today)
    known: dict[str, Any] = {
        "screened": dict.fromkeys(RED_FLAGS, asked_on) if asked_on else {},
        "examination": BASELINE,
    }
    return Situation(
        today=today,
        patient=patient,
        program=program,
        conditions=effective(patient, today),
        precautions=matrix(),
        catalogue=catalogue(),
        **(known | but),
    )


def protocol_phases(code: str) -> tuple[Phase, ...]:
    row = protocol(code)
    return tuple(
        replace(phase(*_lines(each["items"]), number=number), **{k: each[k] for k in ("label", "from_day", "to_day")})
        for number, each in enumerate(row["phases"], start=1)
    )


def maintenance_phase(code: str) -> Phase:
    return phase(*_lines(protocol(code)["maintenance"]), label="Maintenance")


def _lines(rows: Sequence[dict[str, Any]]) -> Iterable[Item | CareItem]:
    for row in rows:
        if "care" in row:
            yield care_item(row["care"], **row["dosage"])
        else:
            yield item(row["exercise"], goal=row["goal"], **row["dosage"])


def rules_of(findings: Iterable[Finding], severity: str | None = None) -> set[str]:
    return {finding.rule for finding in findings if severity in {None, finding.severity}}


def found(patient: Patient, *phases: Phase, **but: Any) -> list[Finding]:
    return check(situation(patient, *phases, **but))


def said(s: Situation, rule: str) -> list[str]:
    """What one rule says, as "warn: Message", gravest first."""
    return [f"{finding.severity}: {finding.message}" for finding in check(s) if finding.rule == rule]


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def running(patient: Patient, *phases: Phase, for_days: int, **but: Any) -> Situation:
    """A program whose first day lies so many days back."""
    return situation(patient, *phases, **({"runs_since": ago(for_days)} | but))


Triggers = list[tuple[str, str, Situation, list[str]]]
"""(rule, when, situation, everything the rule says)."""
NearMisses = list[tuple[str, str, Situation]]
"""(rule, when, a situation in which it keeps silent)."""


def named(cases: Triggers | NearMisses) -> list[str]:
    return [f"{case[0]} {case[1]}" for case in cases]
