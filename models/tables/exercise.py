"""The catalogue: exercises, what they need, how they load the body, and whom that may harm."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import REFERENCE, Base


class Laterality(StrEnum):
    """How the sides of the body take part."""

    BOTH_TOGETHER = "both_together"
    EACH_SIDE = "each_side"
    ALTERNATING = "alternating"


class Category(StrEnum):
    """The five kinds of exercise."""

    STRETCHING = "stretching"
    STABILIZATION = "stabilization"
    CORE = "core"
    BALANCE = "balance"
    LOW_IMPACT_AEROBIC = "low_impact_aerobic"


class PrecautionSeverity(StrEnum):
    """What a condition makes of a load."""

    AVOID = "avoid"
    CAUTION = "caution"
    ADAPT = "adapt"


class Exercise(Base, kw_only=True):
    """One exercise. Its slug is never reused; retired exercises stay."""

    __tablename__ = "exercise"
    __table_args__ = (
        Index("ix_exercise_category", "category", "slug"),
        CheckConstraint("level BETWEEN 0 AND 4", "level"),
        {"info": REFERENCE},
    )

    slug: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    name: Mapped[str]
    summary: Mapped[str]
    """One plain sentence that says how it is done."""
    category: Mapped[Category]
    subcategory: Mapped[str]
    region: Mapped[str]
    position: Mapped[str]
    level: Mapped[int]
    """0 bed or flare day, 1 easy, 2 moderate, 3 hard, 4 advanced."""
    laterality: Mapped[Laterality]
    load_tags: Mapped[list[str]]
    muscles: Mapped[list[str]]
    trunk_sides: Mapped[list[str]]
    goals: Mapped[list[str]]
    """What it is for, the most important first."""
    dosage: Mapped[dict[str, Any]]
    """The starting dosage, which a therapist must confirm."""
    progression_of: Mapped[str | None] = mapped_column(ForeignKey("exercise.slug"), default=None)
    evidence: Mapped[str]
    steps: Mapped[list[str]] = mapped_column(default_factory=list)
    cues: Mapped[list[str]] = mapped_column(default_factory=list)
    common_errors: Mapped[list[str]] = mapped_column(default_factory=list)
    stop_if: Mapped[list[str]] = mapped_column(default_factory=list)
    alt_text: Mapped[str | None] = mapped_column(default=None)
    pose: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    search_text: Mapped[str]
    """Case-folded words a free-text search looks in."""
    retired_at: Mapped[datetime | None] = mapped_column(default=None)


class ExerciseNeed(Base, kw_only=True):
    """One thing an exercise can be done with: any row of a slot will do, every slot is needed."""

    __tablename__ = "exercise_need"
    __table_args__ = {"info": REFERENCE}

    exercise_slug: Mapped[str] = mapped_column(ForeignKey("exercise.slug"), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True)
    equipment: Mapped[str] = mapped_column(primary_key=True)


class CareKind(StrEnum):
    """What is listed beside the exercises."""

    MODALITY = "modality"
    SELF_CARE = "self_care"
    ADVICE = "advice"


class Care(Base, kw_only=True):
    """Something to do that can be listed and ticked, and is never active exercise: heat, breaks, advice."""

    __tablename__ = "care"
    __table_args__ = (CheckConstraint("max_minutes BETWEEN 1 AND 120", "max_minutes"), {"info": REFERENCE})

    slug: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    kind: Mapped[CareKind]
    name: Mapped[str]
    summary: Mapped[str]
    agent: Mapped[str | None] = mapped_column(default=None)
    """Of a modality: cold, heat, water, massage, ultrasound, tens, manual_therapy."""
    at_home: Mapped[bool]
    """Or only in the clinic."""
    max_minutes: Mapped[int | None] = mapped_column(default=None)
    topic: Mapped[str]
    evidence: Mapped[str]
    retired_at: Mapped[datetime | None] = mapped_column(default=None)


class LoadTag(Base, kw_only=True):
    """A mechanical load an exercise puts on the body."""

    __tablename__ = "load_tag"
    __table_args__ = {"info": REFERENCE}

    code: Mapped[str] = mapped_column(primary_key=True)
    meaning: Mapped[str]


class Precaution(Base, kw_only=True):
    """What a condition makes of some load tags, and why."""

    __tablename__ = "precaution"
    __table_args__ = {"info": REFERENCE}

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    condition: Mapped[str]
    severity: Mapped[PrecautionSeverity]
    load_tags: Mapped[list[str]]
    reason: Mapped[str]
    source: Mapped[str]
    advice: Mapped[str | None] = mapped_column(default=None)
    """What the patient is told beside the exercise."""
    holds: Mapped[str | None] = mapped_column(default=None)
    """When it applies (`models.safety.precautions.HOLDS`); None: always."""


class Protocol(Base, kw_only=True):
    """A template for a program: read as a whole, never queried by its items."""

    __tablename__ = "protocol"
    __table_args__ = {"info": REFERENCE}

    slug: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    code: Mapped[str]
    name: Mapped[str]
    indication: Mapped[str]
    conditions: Mapped[list[str]]
    weeks: Mapped[int]
    phases: Mapped[list[Any]]
    """[{label, from_day, to_day, items: [{exercise, goal, dosage} or {care, dosage}]}]"""
    maintenance: Mapped[list[Any]]
    """Items alike."""
    progression: Mapped[str]
    not_for: Mapped[str]
    modalities: Mapped[str]
    rule_exemptions: Mapped[list[Any]]
    """[{rule, why}]: where it departs from a safety rule on purpose."""
    cautions: Mapped[list[Any]]
    """[{exercise, condition, why}]: cautions it accepts, and how."""
    clearance_for: Mapped[list[str]]
    """Conditions a specialist must have cleared first."""
    check_in_months: Mapped[list[int]]
    sources: Mapped[str]
    retired_at: Mapped[datetime | None] = mapped_column(default=None)
