"""NDJSON: a line is an object, whatever the text in it, and memory does not grow with the rows."""

import json
import tracemalloc
from datetime import date, datetime

import pytest
from hypothesis import example, given

from api.exports.chunks import CHUNK
from api.exports.ndjson import rows_as_ndjson
from models.reports.tables import ColumnKind, Table
from tests.exports.tables import A_ROW, EVERY_KIND, HOSTILE, a_column, a_table, many_rows, tables


def test_a_row_of_every_kind() -> None:
    file = b"".join(rows_as_ndjson(EVERY_KIND, [A_ROW, {**dict.fromkeys(A_ROW), "more": 1}]))
    assert file.decode() == (
        '{"text":"Squat","count":1234,"number":-2.5,"rate":0.8,"date":"2026-03-04",'
        '"instant":"2026-03-04T06:30:00Z","flag":true}\n'
        '{"text":null,"count":null,"number":null,"rate":null,"date":null,"instant":null,"flag":null}\n'
    )


def test_no_rows_are_no_bytes() -> None:
    assert list(rows_as_ndjson(EVERY_KIND, [])) == []


def test_what_is_no_number_in_json_is_refused() -> None:
    with pytest.raises(TypeError):
        list(rows_as_ndjson([a_column(ColumnKind.NUMBER)], [{"number": float("nan")}]))


@example(a_table([a_column(ColumnKind.TEXT)], [{"text": text} for text in HOSTILE]))
@given(tables())
def test_every_line_reads_back_as_its_row(table: Table) -> None:
    lines = b"".join(rows_as_ndjson(table.columns, table.rows)).split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == len(table.rows)
    for line, row in zip(lines, table.rows, strict=True):
        found = json.loads(line)
        assert list(found) == [column.name for column in table.columns]
        for column in table.columns:
            told = found[column.name]
            if told is not None and column.kind is ColumnKind.DATE:
                told = date.fromisoformat(told)
            if told is not None and column.kind is ColumnKind.INSTANT:
                assert told.endswith("Z")
                told = datetime.fromisoformat(told)
            assert told == row[column.name]
            assert type(told) is type(row[column.name])


def test_memory_does_not_grow_with_the_rows_and_writes_are_few() -> None:
    columns = [a_column(ColumnKind.TEXT), a_column(ColumnKind.DATE)]
    sizes: list[int] = []
    tracemalloc.start()
    try:
        sizes.extend(len(piece) for piece in rows_as_ndjson(columns, many_rows(200_000)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) > 10_000_000
    assert min(sizes[:-1]) >= CHUNK
    assert peak < 1_000_000
