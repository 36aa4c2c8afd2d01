"""The short form of `make torture`: the real server killed a few times while phones send."""

from pathlib import Path

import pytest

from tests.conftest import copied
from tests.sync.torture import torture


def test_a_server_that_is_killed_loses_and_doubles_nothing(kind: str, template: str, tmp_path: Path) -> None:
    with copied(template) as url:
        numbers = torture(kind, url, tmp_path, kills=2, seconds=0)
    print(numbers)
    assert numbers.faults == []
    assert (numbers.counted["kills"], numbers.counted["restarts"]) == (2, 2)
    assert (numbers.counted["lost"], numbers.counted["doubled"]) == (0, 0)
    if not numbers.counted["acknowledged sessions"]:
        pytest.fail("nothing was ever stored")
