"""CSV read back by the standard library and by pandas, and what a spreadsheet could take for a formula."""

import csv
import re
import tracemalloc
from datetime import date, datetime
from io import BytesIO, StringIO
from typing import Literal

import pandas as pd
import pytest
from hypothesis import example, given, strategies as st

from api.exports.chunks import CHUNK
from api.exports.delimited import rows_as_csv
from models.reports.tables import ColumnKind, Table, Value
from tests.exports.tables import A_ROW, EVERY_KIND, HOSTILE, TEXTS, a_column, a_table, many_rows, tables

TEXT = a_column(ColumnKind.TEXT)


def parsed(file: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(StringIO(file.decode(), newline=""), delimiter=delimiter, strict=True))


def only_field(text: str) -> str:
    """The one text of a file as a reader finds it."""
    [_, [field]] = parsed(b"".join(rows_as_csv([TEXT], [{"text": text}])))
    return field


def read(field: str, kind: ColumnKind) -> Value:
    """What a machine makes of a field whose column's kind it knows; empty is None."""
    if not field or kind is ColumnKind.TEXT:
        return field or None
    if kind is ColumnKind.FLAG:
        return {"true": True, "false": False}[field]
    if kind is ColumnKind.DATE:
        return date.fromisoformat(field)
    if kind is ColumnKind.INSTANT:
        return datetime.fromisoformat(field)
    return int(field) if re.fullmatch(r"-?\d+", field) else float(field)


def originals(table: Table) -> list[list[Value]]:
    """The values as they were, an empty text as None."""
    return [[None if row[one.name] == "" else row[one.name] for one in table.columns] for row in table.rows]


def test_a_row_of_every_kind() -> None:
    file = b"".join(rows_as_csv(EVERY_KIND, [A_ROW, dict.fromkeys(A_ROW)]))
    assert file.decode() == (
        "text,count,number,rate,date,instant,flag\r\n"
        "Squat,1234,-2.5,0.8,2026-03-04,2026-03-04T06:30:00Z,true\r\n"
        ",,,,,,\r\n"
    )


def test_a_table_without_rows_is_its_header() -> None:
    assert b"".join(rows_as_csv([TEXT], [])) == b"text\r\n"


def test_the_byte_order_mark_stands_once_before_everything() -> None:
    file = b"".join(rows_as_csv([TEXT], [{"text": "Übung"}], bom=True))
    assert file == b"\xef\xbb\xbftext\r\n" + "Übung\r\n".encode()


def test_where_numbers_have_a_decimal_comma() -> None:
    columns = [a_column(ColumnKind.TEXT), a_column(ColumnKind.NUMBER), a_column(ColumnKind.INSTANT)]
    rows: list[dict[str, Value]] = [{"text": "1.5; 2", "number": -1.5, "instant": A_ROW["instant"]}]
    semicolons = b"".join(rows_as_csv(columns, rows, delimiter=";", decimal=","))
    assert semicolons.decode().splitlines()[1] == '"1.5; 2";-1,5;2026-03-04T06:30:00Z'
    assert parsed(b"".join(rows_as_csv(columns, rows, decimal=",")))[1] == ["1.5; 2", "-1,5", "2026-03-04T06:30:00Z"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
@pytest.mark.parametrize("before", ["", " ", "   ", "'", " '"])
def test_what_could_be_a_formula_gets_an_apostrophe(before: str, start: str) -> None:
    assert only_field(f"{before}{start}1+1") == f"'{before}{start}1+1"


@pytest.mark.parametrize("text", ["a=1", "1-1", "'quoted'", " indented", "", "#REF!"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert only_field(text) == text


def test_a_negative_number_is_a_number_and_a_negative_text_is_not() -> None:
    columns = [a_column(ColumnKind.NUMBER), a_column(ColumnKind.COUNT), TEXT]
    assert parsed(b"".join(rows_as_csv(columns, [{"number": -2.0, "count": -2, "text": "-2"}])))[1] == [
        "-2.0",
        "-2",
        "'-2",
    ]


def test_text_where_a_number_should_be_is_refused_and_not_repeated() -> None:
    with pytest.raises(TypeError, match=r"Column count holds count, which this str is not") as refused:
        list(rows_as_csv([a_column(ColumnKind.COUNT)], [{"count": "=cmd()"}]))
    assert "cmd" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ColumnKind.TEXT, 5),
        (ColumnKind.COUNT, True),
        (ColumnKind.COUNT, 1.0),
        (ColumnKind.NUMBER, float("nan")),
        (ColumnKind.NUMBER, float("inf")),
        (ColumnKind.RATE, False),
        (ColumnKind.DATE, datetime(2026, 3, 4)),  # noqa: DTZ001  (it is the point)
        (ColumnKind.INSTANT, date(2026, 3, 4)),
        (ColumnKind.INSTANT, datetime(2026, 3, 4)),  # noqa: DTZ001
        (ColumnKind.FLAG, 1),
    ],
)
def test_a_column_holds_its_own_kind_only(kind: ColumnKind, value: Value) -> None:
    with pytest.raises(TypeError):
        list(rows_as_csv([a_column(kind)], [{kind: value}]))


def test_a_row_without_one_of_the_columns_is_refused() -> None:
    with pytest.raises(KeyError):
        list(rows_as_csv(EVERY_KIND, [{"text": "Squat"}]))


@given(TEXTS)
def test_no_guarded_text_begins_like_a_formula_and_one_apostrophe_away_is_the_text(text: str) -> None:
    field = only_field(text)
    assert field.lstrip(" ")[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n", "\0"}
    assert re.sub(r"^'(?=[ ']*[=+\-@\t\r\n\0])", "", field) == text


@example(a_table([TEXT], [{"text": text} for text in HOSTILE]), ";", True)
@given(tables(), st.sampled_from([",", ";"]), st.booleans())
def test_the_standard_library_reads_back_what_was_written(
    table: Table, delimiter: Literal[",", ";"], bom: bool
) -> None:
    file = b"".join(rows_as_csv(table.columns, table.rows, delimiter=delimiter, bom=bom, safe=False))
    header, *lines = parsed(file.removeprefix(b"\xef\xbb\xbf"), delimiter)
    assert file.startswith(b"\xef\xbb\xbf") is bom
    assert header == [column.name for column in table.columns]
    kinds = [column.kind for column in table.columns]
    assert [[read(*pair) for pair in zip(line, kinds, strict=True)] for line in lines] == originals(table)


@example(a_table([TEXT], [{"text": text} for text in HOSTILE]))
@given(tables())
def test_pandas_reads_back_what_was_written(table: Table) -> None:
    file = b"".join(rows_as_csv(table.columns, table.rows, bom=True, safe=False))
    # The Python engine: pandas' C engine ends a field at NUL, and skips a line of blanks.
    found = pd.read_csv(
        BytesIO(file),
        dtype=object,
        keep_default_na=False,
        engine="python",
        encoding="utf-8-sig",
        skip_blank_lines=False,
    )
    kinds = [column.kind for column in table.columns]
    assert list(found.columns) == [column.name for column in table.columns]
    lines = found.astype(object).to_numpy().tolist()
    assert [[read(*pair) for pair in zip(line, kinds, strict=True)] for line in lines] == originals(table)


def test_memory_does_not_grow_with_the_rows_and_writes_are_few() -> None:
    columns = [a_column(ColumnKind.TEXT), a_column(ColumnKind.DATE)]
    sizes: list[int] = []
    tracemalloc.start()
    try:
        sizes.extend(len(piece) for piece in rows_as_csv(columns, many_rows(200_000)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) > 10_000_000
    assert min(sizes[:-1]) >= CHUNK
    assert peak < 1_000_000
