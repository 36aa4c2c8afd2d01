"""The peopled clinics, here too, and its patient's phone."""

import httpx
import pytest

from models.database import Database
from tests.api.conftest import Clinic, clinic, connection, peopled, stranger
from tests.conftest import Clock
from tests.sync.plain_phone import Wire

__all__ = ["clinic", "connection", "peopled", "stranger"]


@pytest.fixture
def wire(client: httpx.Client, database: Database, clinic: Clinic, clock: Clock) -> Wire:
    return Wire(client, database, clinic, clock)
