"""A fresh database of either kind to measure on."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.database import Database, open_database
from tests.conftest import migrate
from tests.postgres import PrivateServer


@contextmanager
def a_database(kind: str) -> Iterator[Database]:
    """Migrated and empty, `sqlite` or `postgresql`; gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        server = PrivateServer() if kind == "postgresql" else None
        engine, database = open_database(server.url if server else f"sqlite:///{Path(folder) / 'bench.db'}")
        try:
            migrate(engine)
            yield database
        finally:
            engine.dispose()
            if server:
                server.stop()
