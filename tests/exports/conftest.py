from pathlib import Path

import pytest

from models.database import Database
from tests.conftest import Clock
from tests.exports.busy import EVENING, Office


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path / "files", Clock(EVENING))


@pytest.fixture
def shared_office(shared_database: Database, tmp_path: Path) -> Office:
    """One whose transactions really commit."""
    return Office(shared_database, tmp_path / "files", Clock(EVENING))
