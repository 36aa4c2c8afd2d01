"""XLSX for people: a sheet for each table, typed cells, and on the last sheet how the numbers came about.

What Excel cannot hold is never cut: a table of more rows goes on on further sheets, a longer text is refused, whole
numbers of more than 15 digits and days before 1 March 1900 (its calendar errs there) are written as text. A character
that XML forbids becomes U+FFFD, the mark for a character that could not be kept; any line break becomes LF, as Excel
breaks lines within a cell. Numbers have 16 significant digits, instants milliseconds.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from api.exports.cells import iso, record
from api.exports.chunks import CHUNK
from models.reports.tables import Column, ColumnKind, Report, Value

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

# Excel's own limits: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
SHEET_ROWS = 1_048_576
SHEET_COLUMNS = 16_384
CELL_LENGTH = 32_767
NAME_LENGTH = 31
"""The last two in UTF-16 code units."""

_NUMBER_FORMATS = {
    ColumnKind.TEXT: "@",  # stays text also when somebody edits the cell
    ColumnKind.COUNT: "#,##0",
    ColumnKind.NUMBER: "General",
    ColumnKind.RATE: "0.0%",
    ColumnKind.DATE: "yyyy-mm-dd",
    ColumnKind.INSTANT: "yyyy-mm-dd hh:mm:ss",
    ColumnKind.FLAG: "General",
}
_WIDTHS = {ColumnKind.DATE: 11, ColumnKind.INSTANT: 20}
_NARROWEST, _WIDEST = 8, 60
"""In characters, as Excel measures columns."""
_MEASURED_ROWS = 200
_FILTER_BUTTON = 3
_ABOUT_WIDTHS = (26, 30, 70, 50, 10)

_FORBIDDEN_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_FORBIDDEN_IN_NAMES = re.compile(r"[\[\]:*?/\\\n\t]")
_EXCELS_OWN_NAMES = {"history"}
_ABOUT = "About"
_CALENDAR_BEGINS = datetime(1900, 3, 1, tzinfo=UTC)


class DoesNotFit(ValueError):  # noqa: N818  (it says what is the matter)
    """Excel cannot hold it, and it may not be cut."""


def heading(column: Column) -> str:
    """A column's title as it stands above it: with its unit; Excel's times have no zone, so it is told here."""
    unit = "UTC" if column.kind is ColumnKind.INSTANT else column.unit
    return f"{column.title} ({unit})" if unit else column.title


def report_as_xlsx(report: Report, *, created: datetime) -> Iterator[bytes]:
    """A sheet for each of the report's tables and a last one, About, in pieces; the same report, the same bytes.

    `created` is an instant; it stands in the file's properties.
    Raises DoesNotFit, and KeyError and TypeError as `record` does, before the first piece.
    """

    def fill(book: _Book) -> None:
        names = [book.add_table(table.title, table.columns, table.rows) for table in report.tables]
        book.add_about(_about(report, names))

    return _pieces(fill, title=report.title, created=created)


def rows_as_xlsx(
    title: str,
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Value]],
    *,
    created: datetime,
    folder: Path | None = None,
) -> Iterator[bytes]:
    """One table, in pieces; memory does not grow with the rows, which pass through temporary files.

    `title` names the sheet. `folder`: where those files lie, if not where the system has them. `created` and what is
    raised: as for `report_as_xlsx`.
    """
    return _pieces(lambda book: book.add_table(title, columns, rows), title=title, created=created, folder=folder)


def _pieces(
    fill: Callable[["_Book"], object], *, title: str, created: datetime, folder: Path | None = None
) -> Iterator[bytes]:
    with TemporaryDirectory(dir=folder) as held:
        path = Path(held) / "book.xlsx"
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "tmpdir": held,
        }
        # Closed after a refusal too: nothing else lets go of the files the workbook has open.
        with Workbook(str(path), options) as workbook:
            workbook.set_properties({"title": _plain(title), "created": created.astimezone(UTC)})
            fill(_Book(workbook))
        with path.open("rb") as file:
            while piece := file.read(CHUNK):
                yield piece


class _Book:
    """A workbook on its way: rows only downwards, sheets one after the other."""

    def __init__(self, workbook: Workbook) -> None:
        self._workbook = workbook
        self._formats = {kind: workbook.add_format({"num_format": shown}) for kind, shown in _NUMBER_FORMATS.items()}
        self._head = workbook.add_format({"bold": True, "num_format": "@"})
        self._taken = {_ABOUT.casefold(), *_EXCELS_OWN_NAMES}

    def add_table(self, title: str, columns: Sequence[Column], rows: Iterable[Mapping[str, Value]]) -> list[str]:
        """Write a table on as many sheets as it needs, and say their names."""
        if len(columns) > SHEET_COLUMNS:
            raise DoesNotFit(f"Excel has {SHEET_COLUMNS} columns, {title} has {len(columns)}.")
        waiting = iter(rows)
        names = [self._add_sheet(title, columns, islice(waiting, SHEET_ROWS - 1))]
        # One more row tells that a further sheet is needed, and is its first.
        names.extend(self._add_sheet(title, columns, chain([row], islice(waiting, SHEET_ROWS - 2))) for row in waiting)
        return names

    def add_about(self, blocks: Iterable[Sequence[Sequence[Value]]]) -> None:
        """Write the last sheet: blocks under one another, the first line of each in bold."""
        sheet = self._workbook.add_worksheet(_ABOUT)
        wrapped = {
            kind: self._workbook.add_format({"num_format": shown, "text_wrap": True, "valign": "top", "align": "left"})
            for kind, shown in _NUMBER_FORMATS.items()
        }
        for number, width in enumerate(_ABOUT_WIDTHS):
            sheet.set_column(number, number, width)
        at = 0
        for block in blocks:
            for line, cells in enumerate(block):
                for number, value in enumerate(cells):
                    _write(sheet, at, number, value, wrapped[_kind_of(value)] if line else self._head)
                at += 1
            at += 1

    def _add_sheet(self, title: str, columns: Sequence[Column], rows: Iterable[Mapping[str, Value]]) -> str:
        name = self._free_name(title)
        sheet = self._workbook.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        widths = [len(heading(column)) + _FILTER_BUTTON for column in columns]
        for number, column in enumerate(columns):
            _write(sheet, 0, number, heading(column), self._head)
        formats = [self._formats[column.kind] for column in columns]
        at = 0
        for at, row in enumerate(rows, 1):
            for number, value in enumerate(record(columns, row).values()):
                _write(sheet, at, number, value, formats[number])
                if at <= _MEASURED_ROWS:
                    widths[number] = max(widths[number], _width(columns[number], value))
        sheet.autofilter(0, 0, at, len(columns) - 1)
        for number, width in enumerate(widths):
            sheet.set_column(number, number, min(max(width, _NARROWEST), _WIDEST))
        return name

    def _free_name(self, title: str) -> str:
        """The title as the name of a sheet: without what Excel forbids, short enough, and not taken in any case."""
        wanted = _FORBIDDEN_IN_NAMES.sub("-", _plain(title)).strip(" '") or "Sheet"
        name, number = _cut(wanted, NAME_LENGTH), 1
        while name.casefold() in self._taken:
            number += 1
            suffix = f" ({number})"
            name = _cut(wanted, NAME_LENGTH - len(suffix)) + suffix
        self._taken.add(name.casefold())
        return name


def _cut(text: str, length: int) -> str:
    """The text's first UTF-16 code units, no character halved; sheets' names do not end in a space or apostrophe."""
    return text.encode("utf-16-le")[: 2 * length].decode("utf-16-le", errors="ignore").rstrip(" '")


def _plain(text: str) -> str:
    """The text with what XML forbids marked and line breaks as Excel knows them."""
    return _FORBIDDEN_IN_XML.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _width(column: Column, value: Value) -> int:
    if column.kind in _WIDTHS:
        return _WIDTHS[column.kind]
    return 0 if value is None else max(map(len, str(value)[:1000].splitlines()), default=0) + 1


def _kind_of(value: Value) -> ColumnKind:
    """How a value of the last sheet is shown, where no column says it."""
    if isinstance(value, datetime):
        return ColumnKind.INSTANT
    if isinstance(value, date):
        return ColumnKind.DATE
    return ColumnKind.TEXT if isinstance(value, str) else ColumnKind.NUMBER


def _write(sheet: Worksheet, row: int, number: int, value: Value, shown: Format) -> None:
    if value is None:
        sheet.write_blank(row, number, None, shown)  # a row of nothing but unknowns is a row
    elif isinstance(value, bool):
        sheet.write_boolean(row, number, value, shown)
    elif isinstance(value, str):
        _write_text(sheet, row, number, value, shown)
    elif isinstance(value, date):
        _write_moment(sheet, row, number, value, shown)
    elif _keeps(value):
        sheet.write_number(row, number, value, shown)
    else:
        sheet.write_string(row, number, str(value), shown)


def _write_text(sheet: Worksheet, row: int, number: int, value: str, shown: Format) -> None:
    text = _plain(value)
    if len(text.encode("utf-16-le")) // 2 > CELL_LENGTH:
        raise DoesNotFit(f"{sheet.name}, row {row + 1}, column {number + 1}: longer than {CELL_LENGTH} characters.")
    if text.startswith("<r>") and text.endswith("</r>"):
        # XlsxWriter takes this for its own markup and would write it as it is; in pieces it is escaped like any text.
        sheet.write_rich_string(row, number, "<", "r>", text[3:], shown)
    else:
        sheet.write_string(row, number, text, shown)


def _write_moment(sheet: Worksheet, row: int, number: int, value: date, shown: Format) -> None:
    moment = value.astimezone(UTC) if isinstance(value, datetime) else datetime.combine(value, time(), UTC)
    if moment < _CALENDAR_BEGINS:
        sheet.write_string(row, number, iso(value), shown)
    else:
        sheet.write_datetime(row, number, moment.replace(tzinfo=None), shown)


def _keeps(value: float) -> bool:
    """Whether Excel keeps the number: whole ones to 15 digits, others within its range."""
    if isinstance(value, int):
        return abs(value) < 10**15
    return value == 0 or 2.2251e-308 <= abs(value) <= 9.99999999999999e307


def _about(report: Report, sheets: Sequence[Sequence[str]]) -> list[list[list[Value]]]:
    """The blocks of the last sheet; the first line of each is its heading."""
    withheld = "Counts of fewer people are withheld." if report.smallest_cell else "Nothing is withheld."
    facts: list[list[Value]] = [
        ["Report", report.title],
        ["Kind", report.kind],
        ["From", report.from_on or "Not about a period", "Local days, both included."],
        ["To", report.to_on or "Not about a period"],
        ["Data through (UTC)", report.data_through, "What had arrived by then is in it."],
        [
            "Late items",
            report.late_items,
            "Sessions that took more than 48 hours to arrive; empty: too few to say.",
        ],
        ["Smallest cell", report.smallest_cell, withheld],
        ["Caution", report.caution],
        ["Characters", "\ufffd", "Stands for a character a workbook cannot hold."],
    ]
    told: list[list[Value]] = [["Sheet", "Table", "Note"]]
    columns: list[list[Value]] = [["Sheet", "Column", "Unit", "Name in other formats", "Kind"]]
    for table, names in zip(report.tables, sheets, strict=True):
        told += [[name, table.title, table.note] for name in names]
        columns += [[names[0], heading(one), one.unit, one.name, one.kind.value] for one in table.columns]
    definitions: list[list[Value]] = [["Definition", "Version", "Says", "Source"]]
    definitions += [[one.id, one.version, one.says, one.source] for one in report.definitions]
    return [facts, definitions, told, columns]
