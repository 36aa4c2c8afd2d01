"""The catalogue: finding exercises and protocols, and putting them on the shelf."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, select
from sqlalchemy.orm import Session, aliased

from models.refusals import Unknown
from models.tables import Care, CareKind, Category, Exercise, ExerciseNeed, LoadTag, Precaution, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseFilter:
    """Which exercises; None asks for nothing."""

    category: Category | None = None
    region: str | None = None
    position: str | None = None
    max_level: int | None = None
    min_level: int | None = None
    equipment: Collection[str] | None = None
    """Everything at hand: only exercises that need nothing else."""
    text: str | None = None
    """Words that must all occur in the name, summary or muscles."""


@dataclass(frozen=True, slots=True)
class Found:
    """An exercise and what it needs: any thing of a slot will do, every slot is needed."""

    exercise: Exercise
    needs: list[list[str]]


def exercises(tx: Session, wanted: ExerciseFilter, *, after: str | None, limit: int) -> list[Found]:
    """A page of the catalogue by slug, retired exercises left out."""
    stmt = select(Exercise).where(Exercise.retired_at.is_(None))
    if wanted.category:
        stmt = stmt.where(Exercise.category == wanted.category)
    if wanted.region:
        stmt = stmt.where(Exercise.region == wanted.region)
    if wanted.position:
        stmt = stmt.where(Exercise.position == wanted.position)
    if wanted.min_level is not None:
        stmt = stmt.where(Exercise.level >= wanted.min_level)
    if wanted.max_level is not None:
        stmt = stmt.where(Exercise.level <= wanted.max_level)
    for word in (wanted.text or "").casefold().split():
        stmt = stmt.where(Exercise.search_text.contains(word, autoescape=True))
    if wanted.equipment is not None:
        # No slot may be left without a thing at hand.
        slot, choice = aliased(ExerciseNeed), aliased(ExerciseNeed)
        at_hand = (
            select(choice.slot)
            .where(
                choice.exercise_slug == slot.exercise_slug,
                choice.slot == slot.slot,
                choice.equipment.in_(wanted.equipment),
            )
            .exists()
        )
        stmt = stmt.where(~select(slot.slot).where(and_(slot.exercise_slug == Exercise.slug, ~at_hand)).exists())
    if after is not None:
        stmt = stmt.where(Exercise.slug > after)
    return _with_needs(tx, tx.scalars(stmt.order_by(Exercise.slug).limit(limit)).all())


def exercise(tx: Session, slug: str) -> Found:
    """One exercise, also a retired one."""
    found = tx.get(Exercise, slug)
    if found is None:
        raise Unknown(f"No exercise {slug}.")
    return _with_needs(tx, [found])[0]


def found_by_slug(tx: Session, slugs: Sequence[str]) -> dict[str, Found]:
    """Some exercises, by slug."""
    rows = tx.scalars(select(Exercise).where(Exercise.slug.in_(slugs))).all()
    return {found.exercise.slug: found for found in _with_needs(tx, rows)}


def care_items(tx: Session) -> Sequence[Care]:
    """Everything that can be listed beside the exercises, by kind."""
    return tx.scalars(select(Care).where(Care.retired_at.is_(None)).order_by(Care.kind, Care.slug)).all()


def shelve_exercises(tx: Session, rows: Iterable[dict[str, Any]]) -> int:
    """Put exercises on the shelf, or bring them up to date; `rows` as in `seed_data/exercises`, each after the one
    it progresses from. Returns how many are new or changed.
    """
    known = {row.slug: row for row in tx.scalars(select(Exercise))}
    needs: dict[str, list[list[str]]] = {
        found.exercise.slug: found.needs for found in _with_needs(tx, list(known.values()))
    }
    changed = 0
    for row in rows:
        values = {key: value for key, value in row.items() if key != "needs"}
        values["category"] = Category(row["category"])
        values["search_text"] = " ".join([row["name"], row["summary"], *row["muscles"]]).casefold()
        held = known.get(row["slug"])
        if held is None:
            tx.add(Exercise(**values))
        elif any(getattr(held, key) != value for key, value in values.items()) or needs[held.slug] != [
            sorted(slot) for slot in row["needs"]
        ]:
            for key, value in values.items():
                setattr(held, key, value)
            held.version += 1
            tx.execute(delete(ExerciseNeed).where(ExerciseNeed.exercise_slug == held.slug))
        else:
            continue
        changed += 1
        tx.flush()  # progressions and needs refer to the row
        tx.add_all(
            ExerciseNeed(exercise_slug=row["slug"], slot=slot, equipment=thing)
            for slot, things in enumerate(row["needs"])
            for thing in things
        )
    return changed


def shelve_precautions(tx: Session, load_tags: dict[str, str], rows: Iterable[dict[str, Any]]) -> None:
    """Replace the load tags and the precaution matrix."""
    tx.execute(delete(Precaution))
    tx.execute(delete(LoadTag))
    tx.add_all(LoadTag(code=code, meaning=meaning) for code, meaning in load_tags.items())
    tx.add_all(Precaution(number=number, **row) for number, row in enumerate(rows, start=1))


def shelve_protocol(tx: Session, row: dict[str, Any]) -> bool:
    """Put a protocol on the shelf, or bring it up to date; whether anything changed."""
    return _shelve(tx, Protocol, row)


def shelve_care(tx: Session, row: dict[str, Any]) -> bool:
    """Put a care item on the shelf, or bring it up to date; whether anything changed."""
    return _shelve(tx, Care, row | {"kind": CareKind(row["kind"])})


def _shelve(tx: Session, table: type[Protocol] | type[Care], row: dict[str, Any]) -> bool:
    held: Any = tx.get(table, row["slug"])
    if held is None:
        tx.add(table(**row))
        return True
    if all(getattr(held, key) == value for key, value in row.items()):
        return False
    for key, value in row.items():
        setattr(held, key, value)
    held.version += 1
    return True


def _with_needs(tx: Session, page: Sequence[Exercise]) -> list[Found]:
    slugs = [exercise.slug for exercise in page]
    rows = tx.execute(
        select(ExerciseNeed.exercise_slug, ExerciseNeed.slot, ExerciseNeed.equipment)
        .where(ExerciseNeed.exercise_slug.in_(slugs))
        .order_by(ExerciseNeed.exercise_slug, ExerciseNeed.slot, ExerciseNeed.equipment)
    )
    needs: dict[str, dict[int, list[str]]] = {}
    for slug, slot, thing in rows:
        needs.setdefault(slug, {}).setdefault(slot, []).append(thing)
    return [Found(exercise, list(needs.get(exercise.slug, {}).values())) for exercise in page]
