"""What pyproject.toml's contracts cannot say."""

import ast
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
CALCULATION = {
    "bisect",
    "collections",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "itertools",
    "math",
    "re",
    "statistics",
    "typing",
    "uuid",
    "zoneinfo",
}


PRESCRIPTION = {"models.prescription", *(f"models.prescription.{name}" for name in ("burden", "changes", "dosage"))}


SIGNING = {"base64", "hashlib", "hmac", "ipaddress", "json", "urllib"}


@pytest.mark.parametrize(
    ("room", "neighbours"),
    [
        ("adherence", set()),
        ("delivery", SIGNING),
        ("prescription", set()),
        ("reports", set()),
        ("safety", {"models.adherence.kinds", *PRESCRIPTION}),
    ],
)
def test_the_pure_rooms_import_only_calculation(room: str, neighbours: set[str]) -> None:
    graph = grimp.build_graph("models", include_external_packages=True)
    rooms = graph.find_descendants(f"models.{room}") | {f"models.{room}"}
    imported = {found for module in rooms for found in graph.find_modules_directly_imported_by(module)}
    assert imported - rooms <= CALCULATION | neighbours


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def calls(path: Path) -> list[tuple[str, int]]:
    """Every call by its dotted name, with its line."""
    tree = ast.parse(path.read_text())
    return [(ast.unparse(node.func), node.lineno) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_nobody_commits_below_the_doors() -> None:
    found = [(path.name, name) for path in sources("models", "seed_data") for name, _ in calls(path)]
    assert not [(path, name) for path, name in found if name.endswith(".commit")]


def test_the_clock_is_read_at_the_doors_only() -> None:
    clocks = ("datetime.now", "datetime.utcnow", "date.today", "time.time")
    found = [(path.name, name) for path in sources("models", "seed_data", "api/routes") for name, _ in calls(path)]
    assert not [(path, name) for path, name in found if name in clocks]


def test_randomness_is_drawn_in_two_places() -> None:
    users = {
        path.name
        for path in sources("models", "api")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import) and any(name.name in {"random", "secrets"} for name in node.names)
    }
    assert users == {"credentials.py", "ids.py"}


def test_every_flush_says_why() -> None:
    silent = []
    for path in sources("models", "seed_data"):
        lines = path.read_text().splitlines()
        silent += [
            f"{path.name}:{line}" for name, line in calls(path) if name == "tx.flush" and "#" not in lines[line - 1]
        ]
    assert not silent


def test_middleware_is_pure_asgi() -> None:
    assert not [path for path in sources("api") if "BaseHTTPMiddleware" in path.read_text()]


def test_the_repository_names_no_registry_and_no_place_of_this_machine() -> None:
    told = list(ROOT.glob("requirements*.txt"))
    assert told
    for path in told:
        text = path.read_text()
        assert "http" not in text.replace("httptools", "").replace("httpx", "").replace("httpcore", "")
        assert "--index" not in text
