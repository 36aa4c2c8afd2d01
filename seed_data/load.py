"""Reading the shelf into a database, through the same operations as everyone."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from models.operations.catalogue import shelve_care, shelve_exercises, shelve_precautions, shelve_protocol

SHELF = Path(__file__).parent


def exercises() -> list[dict[str, Any]]:
    """Every exercise on the shelf, each after the one it progresses from."""
    rows = [row for path in sorted((SHELF / "exercises").glob("*.json")) for row in _read(path)]
    return list(_predecessors_first(rows))


def protocols() -> list[dict[str, Any]]:
    """Every protocol on the shelf, by code."""
    return sorted((_read(path) for path in (SHELF / "protocols").glob("*.json")), key=lambda row: str(row["code"]))


def precautions() -> dict[str, Any]:
    """The load tags and the precaution matrix: {load_tags, precautions}."""
    matrix: dict[str, Any] = _read(SHELF / "precautions.json")
    return matrix


def care() -> list[dict[str, Any]]:
    """Modalities, self-care and advice: what can be listed and ticked beside the exercises."""
    rows: list[dict[str, Any]] = _read(SHELF / "care.json")
    return rows


def load(tx: Session) -> int:
    """Put everything on the shelf into the catalogue; saying it twice changes nothing. Returns how many exercises,
    care items and protocols are new or changed.
    """
    matrix = precautions()
    changed = shelve_exercises(tx, exercises())
    shelve_precautions(tx, matrix["load_tags"], matrix["precautions"])
    changed += sum(shelve_care(tx, row) for row in care())
    return changed + sum(shelve_protocol(tx, row) for row in protocols())


def _predecessors_first(rows: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    waiting = list(rows)
    placed: set[str | None] = {None}
    while waiting:
        ready = [row for row in waiting if row["progression_of"] in placed]
        if not ready:
            raise ValueError(
                f"These exercises progress in a circle or from nowhere: {[row['slug'] for row in waiting]}"
            )
        yield from ready
        placed |= {row["slug"] for row in ready}
        waiting = [row for row in waiting if row["slug"] not in placed]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
