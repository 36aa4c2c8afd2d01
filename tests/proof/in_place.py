"""A plugin of pytest's for the proof of the guards: it puts a mutant in the place of one of our modules, or notes which
tests reach which functions. What it is to do stands in the environment; it imports nothing of ours, since it must come
first.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from uuid import uuid4

import pytest

MODULE = "FOLLOWTHROUGH_MUTANT"
SOURCE = "FOLLOWTHROUGH_MUTANT_SOURCE"
STATEMENTS = "FOLLOWTHROUGH_MUTANT_STATEMENTS"
"""The file of the statements that the tests send with every guard in place; set where a clinic's filter is gone."""
FAILED = "FOLLOWTHROUGH_MUTANT_FAILED"
"""The file for the name of the test that failed."""
NOTES = "FOLLOWTHROUGH_MUTANT_NOTES"
"""The folder for notes of which tests reach what."""
TWICE_SAID = 30
"""How a process ends where a statement without one of its filters was sent and yet says the clinic of each of its
tables: the filter was said twice, for the index or for who reads it.
"""
SECONDS = 400
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


class Looking:
    """Notes the functions, by file and name at the top of it, that are called; to be made before the threads are."""

    def __init__(self) -> None:
        self.reached: set[tuple[str, str]] = set()
        """To be emptied between tests."""
        self._known: dict[CodeType, tuple[str, str] | None] = {}
        threading.setprofile(self._look)
        sys.setprofile(self._look)

    def stop(self) -> None:
        """For threads that begin later, and this one."""
        threading.setprofile(None)
        sys.setprofile(None)

    def _look(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            code = frame.f_code
            if code not in self._known:
                file = code.co_filename
                ours = "/models/operations/" in file or file.endswith("/api/visit.py")
                self._known[code] = (file, code.co_qualname.partition(".")[0]) if ours else None
            if (function := self._known[code]) is not None:
                self.reached.add(function)


_notes: list[tuple[str, list[tuple[str, str]]]] = []
_failed: set[str] = set()
_looking = Looking() if NOTES in os.environ else None


def pytest_load_initial_conftests() -> None:
    """Before anything of ours is imported."""
    if MODULE in os.environ:
        signal.alarm(SECONDS)
        sys.meta_path.insert(0, _InPlace())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Note what a test reaches."""
    if _looking is not None:
        _looking.reached = set()
    yield
    if _looking is not None:
        _notes.append((item.nodeid, sorted(_looking.reached)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Only tests that pass can fail for a mutant; which did is kept, to be asked again without it."""
    if _looking is not None and not report.passed:
        _failed.add(report.nodeid)
    if report.failed and (kept := os.environ.get(FAILED)):
        with Path(kept).open("a") as file:
            file.write(f"{report.nodeid}\n")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep what was sent and noted, or say whether something else was sent."""
    from tests.architecture.statements import seen  # noqa: PLC0415  (what comes first comes without ours)

    if _looking is not None:
        told = {"tests": [note for note in _notes if note[0] not in _failed], "statements": sorted(seen)}
        (Path(os.environ[NOTES]) / f"{uuid4().hex}.json").write_text(json.dumps(told))
    elif session.exitstatus == 0 and (known := os.environ.get(STATEMENTS)):
        session.exitstatus = TWICE_SAID if seen - set(Path(known).read_text().split("\n")) else 0
