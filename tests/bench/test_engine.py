from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.bench import engine
from tests.bench.bgnbd import Habits
from tests.bench.chart import draw
from tests.bench.figures import curve
from tests.bench.replay import Books
from tests.bench.rules import EngineSweep

SVG = "{http://www.w3.org/2000/svg}"


def test_a_block_is_the_same_again_for_the_same_seed() -> None:
    work = engine.Work(Habits(2, 6, 0.6, 20), seed=5, numbers=range(2))
    first, second = engine.replay_block(work), engine.replay_block(work)
    assert first.books == second.books
    assert {*first.books} >= {"engine", "engine + both", "fixed gap + pauses", "BG/NBD"}


def good_books() -> dict[str, Books]:
    size = len(EngineSweep.thresholds)
    sweep = Books(EngineSweep.thresholds, stops=1, active_days=365.25, delays=[[10.0] for _ in range(size)])
    sweep.false, sweep.days_at, sweep.days_gone = [*range(size, 0, -1)], [1.0] * size, [0.98] * size
    lapsed = Books((0.3, 0.5, 0.8), active_days=3652.5, false=[30, 15, 2], right=[9] * 3, delays=[[14.0]] * 3)
    return {
        "engine": lapsed,
        "engine + pauses": replace(lapsed, false=[30, 15, 2]),
        "engine, P(stopped)": replace(sweep, delays=[[11.0] for _ in range(size)]),
        "engine, P(stopped) + pauses": sweep,
        "engine, P(stopped) + both": replace(sweep, delays=[[9.0] for _ in range(size)]),
        "fixed gap": replace(sweep, delays=[[12.0] for _ in range(size)]),
        "fixed gap + pauses": replace(sweep, delays=[[11.5] for _ in range(size)]),
    }


def test_the_bars_hold_where_they_should_and_a_missed_one_is_named() -> None:
    books = good_books()
    assert [name for name, _, holds in engine.bars(books) if not holds] == []
    books["engine + pauses"].false[1] = 25
    books["fixed gap"].delays = [[11.0] for _ in books["fixed gap"].delays]
    books["engine, P(stopped) + pauses"].days_gone[4:8] = [0.2] * 4
    assert [name for name, _, holds in engine.bars(books) if not holds] == [
        "lapsed, false alarms a year",
        "mean delay at one false alarm a year",
        "P 0.3 to 0.5, truly stopped",
    ]


def test_beside_the_bars_stands_what_is_left_when_both_rules_know_the_same() -> None:
    told = dict(engine.beside(good_books()))
    assert told["mean delay at one false alarm a year, neither knows of pauses"].endswith("8.3% less")
    assert told["mean delay at one false alarm a year, both know of pauses"].endswith("13.0% less")


def test_the_chart_is_a_document_that_can_be_read_aloud() -> None:
    books = good_books()
    drawn = draw(
        {"engine & more": curve(books["engine, P(stopped)"]), "fixed gap": curve(books["fixed gap"])},
        dict(engine.named_points({"engine": books["engine"]})),
        [(0.5, 10.0)] * 5,
        source="nobody",
    )
    root = ET.fromstring(drawn)  # noqa: S314  (our own)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    told = root.find(f"{SVG}desc")
    assert told is not None
    assert "engine: lapsed 1.50 false alarms a patient-year, median 14 days" in (told.text or "")
    assert "engine & more" in {text.text for text in root.iter(f"{SVG}text")}


@pytest.mark.parametrize("wrong", ["person,date\na,yesterday\n", None])
def test_a_log_that_cannot_be_read_is_refused_with_its_line(
    wrong: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    if wrong:
        path.write_text(wrong, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["bench", "--csv", str(path)])
    assert engine.main() == 2
    said = capsys.readouterr().err
    assert "line 2: not a date" in said if wrong else "No such file" in said
