"""A plugin of pytest's that puts a mutant in the place of one of our modules: `-p tests.proof.in_place`, with the
module's name and the file of its source in the environment. It imports nothing of ours, since it must come first.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

MODULE = "FOLLOWTHROUGH_MUTANT"
SOURCE = "FOLLOWTHROUGH_MUTANT_SOURCE"
IS_FILTER = "FOLLOWTHROUGH_MUTANT_IS_FILTER"
"""Set where a clinic's filter is gone."""
STATEMENTS = "FOLLOWTHROUGH_MUTANT_STATEMENTS"
"""The file of the statements that these tests send with every guard in place."""
TWICE_SAID = 30
"""How a process ends where a statement without one of its filters was sent and yet says the clinic of each of its
tables: the filter was said twice, for the index or for who reads it.
"""
SECONDS = 900
"""Who takes longer is not missed."""


class _InPlace(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutant where the module is asked for."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Ours, or nobody's."""
        if fullname != os.environ[MODULE]:
            return None
        where = Path(*fullname.split(".")).with_suffix(".py").absolute()
        return importlib.util.spec_from_file_location(fullname, where, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed source."""
        source = Path(os.environ[SOURCE]).read_text()
        exec(compile(source, str(module.__file__), "exec"), module.__dict__)  # noqa: S102  (our own source)


def pytest_load_initial_conftests() -> None:
    """Before anything of ours is imported."""
    signal.alarm(SECONDS)
    if MODULE in os.environ:
        sys.meta_path.insert(0, _InPlace())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep what was sent, or say whether something else was."""
    from tests.architecture.statements import seen  # noqa: PLC0415  (what comes first comes without ours)

    statements = Path(os.environ[STATEMENTS])
    if MODULE not in os.environ:
        statements.write_text("\n".join(sorted(seen)))
    elif session.exitstatus == 0 and os.environ[IS_FILTER] and seen - set(statements.read_text().split("\n")):
        session.exitstatus = TWICE_SAID
