"""CSV by RFC 4180: CRLF, UTF-8, quotes where they are needed; no text becomes a formula."""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Literal

from api.exports.cells import iso, record
from api.exports.chunks import in_chunks
from models.reports.tables import Column, Value

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"

# What spreadsheets take for a formula, or skip on the way to one (OWASP CSV Injection, ASVS 1.2.10). Apostrophes are
# looked through, so that whoever takes one away from a text like these has the text as it was.
_FORMULA = re.compile(r"[ ']*[=+\-@\t\r\n\0]")


class _Line:
    """What csv.writer writes to: it hands each line back."""

    def write(self, line: str) -> bytes:
        return line.encode()


def rows_as_csv(
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Value]],
    *,
    bom: bool = False,
    delimiter: Literal[",", ";"] = ",",
    decimal: Literal[".", ","] = ".",
    safe: bool = True,
    header: bool = True,
) -> Iterator[bytes]:
    """A header of the columns' names and a line for each row, in pieces; memory does not grow with the rows.

    Days are ISO 8601, instants too and in UTC (`Z`), rates are 0-1, flags `true` or `false`; None and the empty text
    are both an empty field. Numbers stay numbers, also negative ones.

    `bom`: Excel takes UTF-8 for UTF-8 only behind a byte order mark.
    `delimiter`, `decimal`: `;` and `,` are what Excel expects where numbers have a decimal comma; with a point, it may
    read 1.5 there as the first of May.
    `safe`: a text that begins with `= + - @`, a tab, a line break or NUL, also after spaces or apostrophes, gets one
    apostrophe in front; False is for machines. Opening a file with another delimiter than it was written with defeats
    any guard.
    `header`: False continues a file that has one, and no second byte order mark is written either.

    Raises KeyError and TypeError as `record` does.
    """
    lines = _lines(columns, rows, delimiter=delimiter, decimal=decimal, safe=safe)
    if header:
        first = csv.writer(_Line(), delimiter=delimiter, lineterminator="\r\n").writerow([one.name for one in columns])
        lines = chain([BOM_UTF8 + first if bom else first], lines)
    return in_chunks(lines)


def _lines(
    columns: Sequence[Column],
    rows: Iterable[Mapping[str, Value]],
    *,
    delimiter: str,
    decimal: str,
    safe: bool,
) -> Iterator[bytes]:
    writer = csv.writer(_Line(), delimiter=delimiter, lineterminator="\r\n")
    for row in rows:
        yield writer.writerow([_field(value, decimal=decimal, safe=safe) for value in record(columns, row).values()])


def _field(value: Value, *, decimal: str, safe: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if safe and _FORMULA.match(value) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return iso(value)
    return str(value).replace(".", decimal)
