"""Tables of anything, hostile text among it, for every writer alike."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import strategies as st

from models.reports.tables import Column, ColumnKind, Definition, Report, Table, Value

HOSTILE = [
    "=1+1",
    '=HYPERLINK("http://evil.example","click")',
    "@SUM(A1:A9)",
    "+cmd|' /C calc'!A0",
    "-2",
    "-2+3",
    "  =1+1",
    "'=1+1",
    "''-1",
    "' @x",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\0=1+1",
    "\0",
    "nul\0within",
    "one\r\ntwo\rthree\nfour",
    'says "no", then; "yes"',
    "semi;colon, comma\ttab",
    "<r>&</r>",
    "<r></r>",
    "<b>&amp;</b>",
    "_x0041_",
    "\x0b\x1f\ufffe\uffff",
    "🦵🏽 pain \U0001f469\u200d\u2695\ufe0f",
    "\u200f\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c",
    "مرحبا",
    " leading and trailing ",
    "  ",
    "",
    "007",
    "1e5",
    "2026-03-04",
    "TRUE",
    "NA",
    "#REF!",
    "http://example.org/",
    "{=1+1}",
    "a'",
]
TEXTS = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
WHOLE = st.integers(-50, 50) | st.integers() | st.sampled_from([10**15 - 1, -(10**15), 2**63, 10**400])
NUMBERS = WHOLE | st.floats(allow_nan=False, allow_infinity=False)
VALUES: Mapping[ColumnKind, st.SearchStrategy[Value]] = {
    ColumnKind.TEXT: TEXTS,
    ColumnKind.COUNT: WHOLE,
    ColumnKind.NUMBER: NUMBERS,
    ColumnKind.RATE: st.floats(0, 1),
    ColumnKind.DATE: st.dates(date(1890, 1, 1), date(2100, 1, 1)),
    ColumnKind.INSTANT: st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=ZONES),  # noqa: DTZ001
    ColumnKind.FLAG: st.booleans(),
}
NOW = datetime(2026, 4, 1, 6, 30, tzinfo=UTC)


def a_column(kind: ColumnKind, name: str | None = None, unit: str | None = None) -> Column:
    return Column(name=name or kind, title=(name or kind).capitalize(), kind=kind, unit=unit)


EVERY_KIND = [a_column(kind) for kind in ColumnKind]
A_ROW: dict[str, Value] = {
    "text": "Squat",
    "count": 1234,
    "number": -2.5,
    "rate": 0.8,
    "date": date(2026, 3, 4),
    "instant": datetime(2026, 3, 4, 7, 30, tzinfo=timezone(timedelta(hours=1))),
    "flag": True,
}


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A few columns of any kinds, a few rows, and None wherever it likes."""
    kinds = draw(st.lists(st.sampled_from(ColumnKind), min_size=1, max_size=5))
    columns = [a_column(kind, f"{kind}_{number}") for number, kind in enumerate(kinds)]
    row = st.fixed_dictionaries({column.name: st.none() | VALUES[column.kind] for column in columns})
    return a_table(columns, draw(st.lists(row, max_size=6)))


def a_table(columns: Sequence[Column], rows: Sequence[Mapping[str, Value]], *, title: str = "By week") -> Table:
    return Table(name="by_week", title=title, columns=columns, rows=rows, note="An association is no effect.")


def a_report(*told: Table, caution: str | None = "Read with care.") -> Report:
    return Report(
        kind="retention",
        title="Who is still going",
        from_on=date(2026, 3, 1),
        to_on=date(2026, 3, 31),
        data_through=NOW,
        late_items=3,
        smallest_cell=5,
        definitions=[Definition(id="frequency", version=2, says="Days done ÷ expected.", source="House rule 4.")],
        tables=told,
        caution=caution,
    )


def many_rows(count: int) -> Iterator[dict[str, Value]]:
    """Rows of a text and a day, made as they are asked for."""
    for number in range(count):
        yield {"text": f"Exercise {number}, with a note that is long enough", "date": date(2026, 3, 4)}
