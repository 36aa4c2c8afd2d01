"""Workbooks read back by openpyxl and by pandas: typed cells, no formula, nothing cut, the same bytes each time."""

import tempfile
import tracemalloc
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pandas as pd
import pytest
from hypothesis import example, given, settings, strategies as st
from openpyxl.utils.escape import unescape
from openpyxl.workbook.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from xlsxwriter.worksheet import Worksheet as LibrarySheet

from api.exports import xlsx
from api.exports.xlsx import DoesNotFit, heading, report_as_xlsx, rows_as_xlsx
from models.reports.tables import Column, ColumnKind, Report, Table, Value
from tests.exports.tables import A_ROW, EVERY_KIND, HOSTILE, NOW, TEXTS, a_column, a_report, a_table, many_rows, tables

TEXT = a_column(ColumnKind.TEXT)


def opened(pieces: Iterable[bytes]) -> Workbook:
    return openpyxl.load_workbook(BytesIO(b"".join(pieces)))


def sheet(book: Workbook, name: str) -> Worksheet:
    found = book[name]
    assert isinstance(found, Worksheet)
    return found


def written(report: Report) -> Workbook:
    return opened(report_as_xlsx(report, created=NOW))


def only_cell(column: Column, value: Value) -> object:
    return sheet(opened(rows_as_xlsx("One", [column], [{column.name: value}], created=NOW)), "One").cell(2, 1).value


def expected(value: Value) -> object:
    """What Excel shows for a value: documented in the writer's first lines."""
    if isinstance(value, str):
        lines = value.replace("\r\n", "\n").replace("\r", "\n")
        return "".join("\ufffd" if (one < " " and one not in "\t\n") or one in "\ufffe\uffff" else one for one in lines)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**15 else str(value)
    if isinstance(value, float):
        outside = value != 0 and not 2.2251e-308 <= abs(value) <= 9.99999999999999e307
        return str(value) if outside else pytest.approx(value, rel=1e-15, abs=0)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None)
    return datetime.combine(value, time()) if value >= date(1900, 3, 1) else value.isoformat()


def same(found: object, value: Value) -> bool:
    """Whether a reader found the value; instants to the millisecond, text escaped as the format has it."""
    wanted = expected(value)
    if isinstance(value, datetime):
        assert isinstance(found, datetime)
        assert isinstance(wanted, datetime)
        return abs(found - wanted) <= timedelta(milliseconds=1)
    if isinstance(found, str):
        found = unescape(found)
    return found == wanted and isinstance(found, bool) == isinstance(value, bool)


# Cells.


def test_a_row_of_every_kind_has_the_types_and_formats_of_its_columns() -> None:
    row = sheet(opened(rows_as_xlsx("Kinds", EVERY_KIND, [A_ROW], created=NOW)), "Kinds")[2]
    assert [(cell.value, cell.data_type, cell.number_format) for cell in row] == [
        ("Squat", "s", "@"),
        (1234, "n", "#,##0"),
        (-2.5, "n", "General"),
        (0.8, "n", "0.0%"),
        (datetime(2026, 3, 4), "d", "yyyy-mm-dd"),  # noqa: DTZ001  (a workbook has no zones)
        (datetime(2026, 3, 4, 6, 30), "d", "yyyy-mm-dd hh:mm:ss"),  # noqa: DTZ001
        (True, "b", "General"),
    ]


@settings(max_examples=30)
@example(a_table([TEXT], [{"text": text} for text in HOSTILE]))
@given(tables())
def test_openpyxl_reads_back_what_was_written_and_finds_no_formula(table: Table) -> None:
    told = sheet(written(a_report(table)), table.title)
    header, *rows = [list(row) for row in told.iter_rows()]
    assert [cell.value for cell in header] == [heading(column) for column in table.columns]
    assert len(rows) == len(table.rows)
    for cells, row in zip(rows, table.rows, strict=True):
        for cell, column in zip(cells, table.columns, strict=True):
            assert cell.data_type != "f"
            assert same(cell.value, row[column.name]), column.name


@settings(max_examples=25)
@example(a_table([TEXT], [{"text": text} for text in HOSTILE]))
@given(tables())
def test_pandas_reads_back_what_was_written(table: Table) -> None:
    file = BytesIO(b"".join(rows_as_xlsx("All", table.columns, table.rows, created=NOW)))
    found = pd.read_excel(file, sheet_name="All", dtype=object, keep_default_na=False, na_filter=False)
    lines = found.to_numpy().tolist()
    assert list(found.columns) == [heading(column) for column in table.columns]
    assert all(not any(map(_known, row.values())) for row in table.rows[len(lines) :])  # pandas drops these at the end
    for line, row in zip(lines, table.rows, strict=False):
        for one, column in zip(line, table.columns, strict=True):
            value = row[column.name]
            assert same(one, value) if _known(value) else one == ""


def _known(value: Value) -> bool:
    return value is not None and value != ""


@pytest.mark.parametrize("text", ["<r>&</r>", "<r></r>", "<r><t>other</t></r>"])
def test_text_like_the_librarys_own_markup_is_text(text: str) -> None:
    assert only_cell(TEXT, text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\0b\x0b\x1f", "a\ufffdb\ufffd\ufffd"),
        ("\ud800", "\ufffd"),
        ("\ufffe\uffff", "\ufffd\ufffd"),
        ("a\r\nb\rc\nd\te", "a\nb\nc\nd\te"),
        ("\x7f\x85\u2028", "\x7f\x85\u2028"),
    ],
)
def test_a_character_xml_forbids_leaves_a_mark_and_a_line_break_is_a_line_break(text: str, kept: str) -> None:
    assert only_cell(TEXT, text) == kept


@pytest.mark.parametrize("number", [10**15 - 1, -(10**15) + 1])
def test_whole_numbers_of_fifteen_digits_are_numbers(number: int) -> None:
    assert only_cell(a_column(ColumnKind.COUNT), number) == number


@pytest.mark.parametrize("number", [10**15, -(2**63), 10**400, 1.5e308, 5e-324])
def test_numbers_excel_would_change_are_text(number: float) -> None:
    assert only_cell(a_column(ColumnKind.NUMBER), number) == str(number)


def test_days_before_excels_calendar_is_right_are_text() -> None:
    day = a_column(ColumnKind.DATE)
    assert only_cell(day, date(1900, 2, 28)) == "1900-02-28"
    assert only_cell(day, date(1900, 3, 1)) == datetime(1900, 3, 1)  # noqa: DTZ001
    assert only_cell(a_column(ColumnKind.INSTANT), datetime(1899, 1, 1, tzinfo=UTC)) == "1899-01-01T00:00:00Z"


# Limits.


@pytest.mark.parametrize("character", ["a", "🦵"])
def test_a_text_of_excels_length_is_kept_whole_and_a_longer_one_refused(character: str) -> None:
    fits = character * (32_767 // (len(character.encode("utf-16-le")) // 2))
    assert only_cell(TEXT, fits) == fits
    with pytest.raises(DoesNotFit, match="One, row 2, column 1: longer than 32767"):
        only_cell(TEXT, fits + character)


def test_long_text_like_the_librarys_own_markup_is_refused_too() -> None:
    with pytest.raises(DoesNotFit):
        only_cell(TEXT, "<r>" + "a" * 32_767 + "</r>")


def test_more_columns_than_excel_has_are_refused() -> None:
    wide = [a_column(ColumnKind.COUNT, f"c{number}") for number in range(16_385)]
    with pytest.raises(DoesNotFit, match="16385"):
        next(rows_as_xlsx("Wide", wide, [], created=NOW))


def test_the_limits_are_those_the_library_knows() -> None:
    library = LibrarySheet()
    known = (library.xls_rowmax, library.xls_colmax, library.xls_strmax)
    assert known == (xlsx.SHEET_ROWS, xlsx.SHEET_COLUMNS, xlsx.CELL_LENGTH)


@pytest.mark.parametrize(
    ("count", "parts"),
    [(0, [0]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])],
)
def test_a_table_longer_than_a_sheet_goes_on_on_the_next(
    count: int, parts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "SHEET_ROWS", 4)
    table = a_table([a_column(ColumnKind.COUNT)], [{"count": number} for number in range(count)])
    book = written(a_report(table))
    names = ["By week", "By week (2)", "By week (3)"][: len(parts)]
    assert book.sheetnames == [*names, "About"]
    found = [[row[0] for row in sheet(book, name).iter_rows(values_only=True)] for name in names]
    assert [len(rows) - 1 for rows in found] == parts
    assert {rows[0] for rows in found} == {"Count"}
    assert [number for rows in found for number in rows[1:]] == list(range(count))


def test_what_is_written_on_the_way_lies_in_one_folder_and_is_gone_after_a_refusal_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []

    def rows(last: Value) -> Iterator[dict[str, Value]]:
        yield {"text": "fine"}
        seen.append(len(list(tmp_path.iterdir())))
        yield {"text": last}

    with pytest.raises(TypeError):
        list(rows_as_xlsx("One", [TEXT], rows(5), created=NOW))
    list(rows_as_xlsx("One", [TEXT], rows("fine too"), created=NOW))
    assert seen == [1, 1]
    assert not list(tmp_path.iterdir())


# Sheets.


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Done / skipped: why?", "Done - skipped- why-"),
        ("[a]*b\\c", "-a--b-c"),
        ("'quoted'", "quoted"),
        ("", "Sheet"),
        ("a" * 31, "a" * 31),
        ("a" * 32, "a" * 31),
        ("🦵" * 16, "🦵" * 15),
        ("a" * 30 + " b", "a" * 30),
        ("About", "About (2)"),
        ("HISTORY", "HISTORY (2)"),
        ("bell\x07", "bell\ufffd"),
    ],
)
def test_a_title_becomes_a_name_excel_takes(title: str, name: str) -> None:
    assert written(a_report(a_table([TEXT], [], title=title))).sheetnames == [name, "About"]


def test_names_differ_also_where_case_and_the_end_are_all_that_differs() -> None:
    titles = ["Weeks", "weeks", "WEEKS", "a" * 31, "a" * 40, "A" * 32]
    names = written(a_report(*(a_table([TEXT], [], title=title) for title in titles))).sheetnames
    long = "a" * 31
    assert names == ["Weeks", "weeks (2)", "WEEKS (3)", long, f"{long[:27]} (2)", f"{long[:27].upper()} (3)", "About"]


@settings(max_examples=20)
@given(st.lists(TEXTS | st.text("ab'[ ", max_size=40), min_size=1, max_size=4))
def test_whatever_the_titles_every_table_has_a_sheet(titles: list[str]) -> None:
    names = written(a_report(*(a_table([TEXT], [], title=title) for title in titles))).sheetnames
    assert len({name.casefold() for name in names}) == len(titles) + 1
    assert all(len(name.encode("utf-16-le")) <= 62 for name in names)


def test_the_header_is_bold_frozen_and_filters_and_columns_are_as_wide_as_they_need() -> None:
    columns = [
        TEXT,
        a_column(ColumnKind.NUMBER, "hold", unit="s"),
        a_column(ColumnKind.INSTANT),
        a_column(ColumnKind.DATE),
    ]
    rows: list[dict[str, Value]] = [
        {"text": "x" * 30 + "\n" + "y" * 10, "hold": 5, "instant": NOW, "date": None},
        {"text": "z" * 500, "hold": 5, "instant": NOW, "date": None},
    ]
    narrow = sheet(opened(rows_as_xlsx("Holds", columns, rows[:1], created=NOW)), "Holds")
    assert [cell.value for cell in narrow[1]] == ["Text", "Hold (s)", "Instant (UTC)", "Date"]
    assert all(cell.font.b for cell in narrow[1])
    assert not any(cell.font.b for cell in narrow[2])
    assert narrow.freeze_panes == "A2"
    assert narrow.auto_filter.ref == "A1:D2"
    widths = [round(narrow.column_dimensions[letter].width) for letter in "ABCD"]
    assert widths[0] in {31, 32}
    assert widths[1] in {11, 12}
    assert widths[2] in {20, 21}
    assert widths[3] in {11, 12}
    wide = sheet(opened(rows_as_xlsx("Holds", columns, rows, created=NOW)), "Holds")
    assert round(wide.column_dimensions["A"].width) in {60, 61}


def test_the_last_sheet_tells_how_the_numbers_came_about() -> None:
    table = a_table([a_column(ColumnKind.RATE, "frequency"), a_column(ColumnKind.NUMBER, "hold", unit="s")], [])
    about = sheet(written(a_report(table, caution="=cmd")), "About")
    lines = [tuple(cell for cell in row if cell is not None) for row in about.iter_rows(values_only=True)]
    for line in [
        ("Report", "Who is still going"),
        ("Kind", "retention"),
        ("From", datetime(2026, 3, 1), "Local days, both included."),  # noqa: DTZ001
        ("To", datetime(2026, 3, 31)),  # noqa: DTZ001
        ("Data through (UTC)", datetime(2026, 4, 1, 6, 30), "What had arrived by then is in it."),  # noqa: DTZ001
        ("Late items", 3, "Sessions that took more than 48 hours to arrive; empty: too few to say."),
        ("Smallest cell", 5, "Counts of fewer people are withheld."),
        ("Caution", "=cmd"),
        ("frequency", 2, "Days done ÷ expected.", "House rule 4."),
        ("By week", "By week", "An association is no effect."),
        ("By week", "Frequency", "frequency", "rate"),
        ("By week", "Hold (s)", "s", "hold", "number"),
    ]:
        assert line in lines
    assert not [cell for row in about.iter_rows() for cell in row if cell.data_type == "f"]


# The file.


def test_the_same_report_is_the_same_bytes_and_says_when_it_was_made() -> None:
    report = a_report(a_table(EVERY_KIND, [A_ROW]))
    file = b"".join(report_as_xlsx(report, created=NOW))
    assert b"".join(report_as_xlsx(report, created=NOW)) == file
    properties = ZipFile(BytesIO(file)).read("docProps/core.xml").decode()
    assert properties.count("2026-04-01T06:30:00Z") == 2
    later = b"".join(report_as_xlsx(report, created=NOW + timedelta(hours=1)))
    assert later != file


def test_memory_does_not_grow_with_the_rows() -> None:
    columns = [TEXT, a_column(ColumnKind.DATE)]
    peaks = []
    for count in (1_000, 8_000):
        tracemalloc.start()
        try:
            for _ in rows_as_xlsx("Many", columns, many_rows(count), created=NOW):
                pass
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 2_000_000
    assert peaks[1] < 1.5 * peaks[0]
