"""A report in JSON says what its files say, value for value."""

import csv
import json
from io import BytesIO, StringIO
from typing import Any

import openpyxl
import pytest
from hypothesis import example, given

from api.exports.delimited import rows_as_csv
from api.exports.ndjson import rows_as_ndjson
from api.exports.xlsx import report_as_xlsx
from api.schemas.reports import ReportOut
from models.reports.tables import ColumnKind, Table
from tests.exports.tables import A_ROW, EVERY_KIND, HOSTILE, NOW, a_column, a_report, a_table, tables


def wire(table: Table) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ReportOut.of(a_report(table)).model_dump_json())
    return told


def test_a_report_on_the_wire() -> None:
    table = a_table(
        [a_column(ColumnKind.TEXT), a_column(ColumnKind.NUMBER, "hold", unit="s")], [{"text": "a", "hold": 3}]
    )
    assert wire(table) == {
        "kind": "retention",
        "title": "Who is still going",
        "from_on": "2026-03-01",
        "to_on": "2026-03-31",
        "data_through": "2026-04-01T06:30:00Z",
        "late_items": 3,
        "smallest_cell": 5,
        "definitions": [
            {"id": "frequency", "version": 2, "says": "Days done ÷ expected.", "source": "House rule 4."},
        ],
        "tables": [
            {
                "name": "by_week",
                "title": "By week",
                "columns": [
                    {"name": "text", "title": "Text", "kind": "text", "unit": None},
                    {"name": "hold", "title": "Hold", "kind": "number", "unit": "s"},
                ],
                "rows": [{"text": "a", "hold": 3}],
                "note": "An association is no effect.",
            }
        ],
        "caution": "Read with care.",
    }


@example(a_table([a_column(ColumnKind.TEXT)], [{"text": text} for text in HOSTILE]))
@given(tables())
def test_the_rows_are_those_of_the_lines(table: Table) -> None:
    [told] = ReportOut.of(a_report(table)).tables
    for row, line in zip(table.rows, told.rows, strict=True):
        assert line == row
        assert all(type(value) is type(row[name]) for name, value in line.items())


def test_what_its_column_does_not_hold_is_refused() -> None:
    with pytest.raises(TypeError):
        ReportOut.of(a_report(a_table([a_column(ColumnKind.RATE)], [{"rate": float("nan")}])))


def test_one_row_in_four_formats() -> None:
    table = a_table(EVERY_KIND, [A_ROW])
    [line] = b"".join(rows_as_ndjson(table.columns, table.rows)).splitlines()
    as_objects = json.loads(line)
    [as_text] = csv.DictReader(StringIO(b"".join(rows_as_csv(table.columns, table.rows)).decode()))
    book = openpyxl.load_workbook(BytesIO(b"".join(report_as_xlsx(a_report(table), created=NOW))))
    as_cells: list[Any] = list(next(book["By week"].iter_rows(min_row=2, values_only=True)))
    [as_answer] = wire(table)["tables"][0]["rows"]
    assert as_answer == as_objects
    assert as_text == {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in as_answer.items()
    }
    day, instant = as_cells[4:6]
    as_cells[4:6] = [day.date().isoformat(), f"{instant.isoformat()}Z"]
    assert as_cells == list(as_answer.values())
