from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.bench.logs import LogError, read, stories
from tests.bench.story import midnight

DAY = date(2025, 3, 3)


def written(folder: Path, text: str) -> Path:
    path = folder / "log.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_in_any_order_twice_and_with_other_columns_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, "date,person,pain\n2025-03-04,b,1\n2025-03-05,a,2\n2025-03-03,a,\n2025-03-05,a,3\n")
    assert read(path) == {"a": [date(2025, 3, 3), date(2025, 3, 5)], "b": [date(2025, 3, 4)]}


def test_bad_lines_are_named_with_their_number(tmp_path: Path) -> None:
    path = written(tmp_path, "person,date\na,2025-03-03\na,3 March\n,2025-03-04\nb\n")
    with pytest.raises(LogError) as refused:
        read(path)
    assert "line 3: not a date (YYYY-MM-DD): '3 March'" in str(refused.value)
    assert "line 4: no person" in str(refused.value)
    assert "line 5: not a date (YYYY-MM-DD): ''" in str(refused.value)
    assert "line 2" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "who,date\na,2025-03-03\n", "person,date\n"])
def test_what_is_no_log_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(LogError):
        read(written(tmp_path, text))


def test_a_long_silence_is_a_stop_and_what_follows_a_new_story() -> None:
    again = DAY + timedelta(days=100)
    first, second = stories({"a": [DAY, DAY + timedelta(days=2), again]}, 7)
    assert [log.day for log in first.logs] == [DAY, DAY + timedelta(days=2)]
    assert first.stopped_at == midnight(DAY + timedelta(days=3))
    assert first.until == first.stopped_at + timedelta(days=60)
    assert second.plan.starts_on == again


def test_who_may_yet_return_is_observed_until_their_last_day() -> None:
    others = [DAY + timedelta(days=59)]
    told = stories({"a": [DAY], "b": others}, 7)[0]
    assert told.stopped_at is None
    assert told.until == midnight(DAY + timedelta(days=1))


def test_a_silence_of_sixty_days_that_ends_in_a_return_is_no_stop() -> None:
    assert len(stories({"a": [DAY, DAY + timedelta(days=60)]}, 7)) == 1
