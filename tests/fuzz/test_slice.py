"""A slice of `make fuzz`: every operation as every role, a few hundred cases a part, the same ones in CI each time."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from sqlalchemy import Engine

from tests.fuzz.cases import Operation, operations
from tests.fuzz.run import Tally, a_round, told
from tests.fuzz.worlds import ROLES, Fuzzed, fuzzed

PARTS = 4
"""So that the workers share it."""


@pytest.fixture(scope="session")
def known(app: FastAPI) -> dict[str, Operation]:
    return operations(app)


@pytest.fixture
def fuzzed_world(engine: Engine, app: FastAPI, portal: BlockingPortal, folder: Path) -> Iterator[Fuzzed]:
    with fuzzed(engine, app, portal, folder) as world:
        yield world


@pytest.mark.parametrize("part", range(PARTS))
def test_every_operation_as_every_role(fuzzed_world: Fuzzed, known: dict[str, Operation], part: int, kind: str) -> None:
    names = sorted(known)[part::PARTS]
    tally = Tally()
    # At home the dice fall anew; a fault says with which seed to meet it again.
    seed = part if "CI" in os.environ else Random().randrange(1_000_000)
    a_round(fuzzed_world, {name: known[name] for name in names}, tally, seed=seed, each=1, bytes_each=1)
    assert not tally.faults, told(tally, kind, 0)
    assert {(name, role) for _, name, role, _ in tally.answers} == {(name, role) for name in names for role in ROLES}
