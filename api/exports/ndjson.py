"""NDJSON: one JSON object to a line, for machines that read as it comes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic_core import to_json

from api.exports.cells import record
from api.exports.chunks import in_chunks
from models.reports.tables import Column, Value

MEDIA_TYPE = "application/x-ndjson"


def rows_as_ndjson(columns: Sequence[Column], rows: Iterable[Mapping[str, Value]]) -> Iterator[bytes]:
    r"""An object for each row with every column by its name, `\n` after each; memory does not grow with the rows.

    Written by what writes our answers, so that a line and an answer are alike: days are ISO 8601, instants too and in
    UTC (`Z`), None is null. Raises KeyError and TypeError as `record` does.
    """
    return in_chunks(to_json(record(columns, row)) + b"\n" for row in rows)
