"""Reports as pages for people: charts with their words and tables, one file, nothing loaded from elsewhere."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from html import escape

from api.pages.charts import (
    HORIZONS,
    Chart,
    Curve,
    Day,
    DayState,
    DoseWeek,
    Fate,
    FlagRow,
    ImportantChange,
    RevisionMark,
    SessionPoint,
    StandingsWeek,
    Step,
    calendar_strip,
    flags_by_kind,
    pain_and_effort,
    retention,
    standings_over_time,
    weekly_bars,
)
from models.adherence import Standing
from models.adherence.rates import Bout
from models.adherence.schedule import UNIT, Schedule, line_weight
from models.operations.patient_report import PatientReport, Span
from models.reports.definitions import OF_A_PROGRAM
from models.reports.retention import Life, at_risk, curve
from models.reports.tables import ColumnKind, Definition, Report, Table, Value

DAY = timedelta(days=1)
_PAGE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
body{color:#1b1b1b;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}figure{margin:1rem 0}figcaption{margin:.5rem 0}
svg{max-width:100%;height:auto}table{border-collapse:collapse;font-size:.9rem;margin:.5rem 0}
th,td{border:1px solid #767676;padding:.2rem .5rem;text-align:left;vertical-align:top}td.number{text-align:right}
.scroll{overflow-x:auto}.note{color:#4a4a4a}summary{cursor:pointer}
@media (prefers-color-scheme:dark){body{color:#ececec;background:#161616}.note{color:#c0c0c0}}
@media print{body{max-width:none;margin:0;color:#000;background:#fff}figure,tr{break-inside:avoid}}"""


def patient_page(report: PatientReport, *, name: str) -> str:
    """One program: the paragraph, the charts, the exercises, what changed, and how the numbers came about."""
    charts = patient_charts(report)
    parts = [f"<p>{escape(report.letter or report.own_words)}</p>"]
    parts += [_figure(chart) for chart in charts.values()]
    parts.append("<h2>Exercises</h2>")
    parts.append(
        _table(
            ("Exercise", "Expected", "Done", "Left out", "Why", "Not sure", "Worst pain"),
            [
                (
                    one.name,
                    f"{one.expected:.0f}",
                    str(one.done),
                    str(one.skipped),
                    ", ".join(f"{reason.replace('_', ' ')} ({times})" for reason, times in one.reasons.items()),
                    str(one.not_sure),
                    "" if one.worst_pain is None else str(one.worst_pain),
                )
                for one in report.exercises
            ],
        )
    )
    if report.revisions:
        parts.append("<h2>What was changed</h2><ul>")
        parts += [
            f"<li>{escape(f'Revision {one.number}, from {one.effective_on}: ' + ' '.join(one.changes))}</li>"
            for one in report.revisions
        ]
        parts.append("</ul>")
    if report.events:
        parts.append("<h2>Flags and what was done</h2><ul>")
        parts += [f"<li>{one.at:%Y-%m-%d}: {escape(one.says)}</li>" for one in report.events]
        parts.append("</ul>")
    if report.advised:
        parts.append("<h2>What the patient was told</h2><ul>")
        parts += [f"<li>{one.day}: {escape(one.says)}</li>" for one in report.advised]
        parts.append("</ul>")
    parts.append(_definitions(OF_A_PROGRAM))
    span = f"{report.from_on} to {report.to_on}; known up to {report.data_through:%Y-%m-%d %H:%M} UTC."
    return _page(f"Adherence: {name}, {report.title}", span, parts)


def patient_charts(report: PatientReport) -> dict[str, Chart]:
    """By file name: the calendar, pain and effort, the weeks."""
    change = (
        None if report.pain is None else ImportantChange(baseline=report.pain.first, points=report.change_that_matters)
    )
    marks = [RevisionMark(number=one.number, on=one.effective_on) for one in report.revisions]
    points = [SessionPoint(on=one.day, pain=one.pain, effort=one.effort) for one in report.moments]
    counted = [week for week in report.weeks if week.expected or week.sessions or week.excluded_days]
    # What was done of all that was prescribed: a week in which nothing was done is an empty bar, not a missing one.
    doses = [
        DoseWeek(
            starts_on=week.monday,
            done=week.dose_sum,
            expected=week.items_expected / UNIT,
            excluded=not week.items_expected,
        )
        for week in counted
    ]
    return {
        "calendar": calendar_strip(_days(report), key="calendar"),
        "pain": pain_and_effort(points, marks, change, key="pain"),
        "dose": weekly_bars(doses, key="dose"),
    }


def clinic_page(reports: Iterable[Report], charts: Sequence[Chart], *, clinic: str, span: str) -> str:
    """Every report of a clinic, its charts first."""
    parts = [_figure(chart) for chart in charts]
    definitions: dict[str, Definition] = {}
    for report in reports:
        parts.append(f'<h2>{escape(report.title)}</h2><p class="note">{report.from_on} to {report.to_on}</p>')
        if report.caution:
            parts.append(f'<p class="note">{escape(report.caution)}</p>')
        for table in report.tables:
            parts.append(f"<h3>{escape(table.title)}</h3>{_report_table(table)}")
            if table.note:
                parts.append(f'<p class="note">{escape(table.note)}</p>')
        definitions |= {one.id: one for one in report.definitions}
    parts.append(_definitions(tuple(definitions.values())))
    return _page(f"Adherence reports: {clinic}", span, parts)


def clinic_charts(reports: Sequence[Report], lives: Sequence[Life], least: int) -> dict[str, Chart]:
    """By file name: retention, how programs stood, flags by what became of them."""
    tables = {(report.kind, table.name): table for report in reports for table in report.tables}
    charts = {"retention": _retention_chart(lives, least)}
    if table := tables.get(("standings", "standings_by_week")):
        charts["standings"] = _standings_chart(table)
    if table := tables.get(("flags", "flags")):
        charts["flags"] = _flags_chart(table)
    return charts


def _standings_chart(table: Table) -> Chart:
    weeks = []
    for row in table.rows:
        monday = row["monday"]
        assert isinstance(monday, date)  # the table's first column
        withheld = set(str(row["withheld"] or "").split())
        counts = {one: _count(row[one.value], withheld=one.value in withheld) for one in Standing if one.value in row}
        weeks.append(StandingsWeek(starts_on=monday, counts=counts))
    return standings_over_time(weeks, key="standings")


_FATES = {
    Fate.RETURNED: ("returned",),
    Fate.BY_HAND: ("handled", "dismissed"),
    Fate.LATE_DATA: ("late_data",),
    Fate.OTHER: ("settled", "ended"),
    Fate.OPEN: ("open",),
}
"""What the chart tells of the table's fates."""


def _flags_chart(table: Table) -> Chart:
    rows = []
    for row in table.rows:
        withheld = set(str(row["withheld"] or "").split())
        fates = {
            fate: None if withheld & set(names) else sum(_count(row[name], withheld=False) or 0 for name in names)
            for fate, names in _FATES.items()
        }
        if row["kind"] != "total":
            rows.append(FlagRow(kind=str(row["kind"]).replace("_", " "), fates=fates))
    return flags_by_kind(rows, key="flags")


def _count(value: Value, *, withheld: bool) -> int | None:
    return None if withheld or not isinstance(value, int) else value


def _retention_chart(lives: Sequence[Life], least: int) -> Chart:
    """The curve of a whole clinic, as far as enough programs are left that no step tells of one of a few."""
    shown = [step for step in curve(lives) if step.at_risk >= max(least, 1)]
    counts = {day: at_risk(lives, day) for day in HORIZONS}
    drawn = Curve(
        label="All programs",
        started=len(lives),
        through_day=shown[-1].day if shown else 0,
        steps=[
            Step(
                day=step.day,
                share=step.survival,
                low=step.survival if step.low is None else step.low,
                high=step.survival if step.high is None else step.high,
            )
            for step in shown
        ],
        at_risk={day: None if 0 < count < least else count for day, count in counts.items()},
    )
    return retention([drawn] if len(lives) >= max(least, 1) else [], key="retention")


def _days(report: PatientReport) -> list[Day]:
    plan, bouts = report.following.plan, report.following.bouts
    schedule = Schedule(plan)
    done: dict[date, list[Bout]] = {}
    for bout in bouts:
        done.setdefault(bout.day, []).append(bout)
    count = (report.to_on - report.from_on).days + 1
    return [
        Day(on, _state(schedule, done.get(on, []), on, report.excluded, report.following.today))
        for on in (report.from_on + number * DAY for number in range(count))
    ]


def _state(schedule: Schedule, bouts: Sequence[Bout], on: date, spans: Sequence[Span], today: date) -> DayState:
    """What is exercised is seen before anything else; of several spans the pause before the flare."""
    inside = {span.kind for span in spans if span.from_on <= on <= span.to_on}
    if bouts:
        stretch = schedule.stretch(on.toordinal())
        # Of lines on any day of the week none is wanted on this one.
        wanted = (
            {
                line.line_id
                for line in stretch.phase.lines
                if not line.days_per_week and line_weight(line, stretch.phase_start, on.toordinal())
            }
            if stretch
            else set()
        )
        touched = {entry.line_id for bout in bouts for entry in bout.entries if not entry.skipped}
        return DayState.DONE if touched and wanted <= touched else DayState.PARTLY
    if "pause" in inside:
        return DayState.PAUSED
    if "silence" in inside:
        return DayState.SILENT
    if schedule.weight(on.toordinal()) < UNIT:
        return DayState.NOT_DUE
    if on >= today:
        return DayState.UNKNOWN
    return DayState.FLARE if "flare" in inside else DayState.MISSED


def _figure(chart: Chart) -> str:
    rows = _table(chart.header, chart.rows)
    return (
        f"<figure><figcaption><strong>{escape(chart.title)}</strong></figcaption>{chart.svg}"
        f"<p>{escape(chart.says)}</p><details><summary>The numbers</summary>{rows}</details></figure>"
    )


def _table(header: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _report_table(table: Table) -> str:
    shown = [column for column in table.columns if column.name != "withheld"]
    head = "".join(f'<th scope="col">{escape(one.title)}</th>' for one in shown)
    body = []
    for row in table.rows:
        withheld = set(str(row.get("withheld") or "").split())
        cells = []
        for column in shown:
            words = "withheld" if column.name in withheld else _words(row[column.name], column.kind)
            number = "" if column.kind in {ColumnKind.TEXT, ColumnKind.DATE, ColumnKind.INSTANT} else ' class="number"'
            cells.append(f"<td{number}>{escape(words)}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'


def _words(value: Value, kind: ColumnKind) -> str:
    if value is None:
        return ""
    if kind is ColumnKind.RATE and isinstance(value, int | float):
        return f"{100 * value:.0f} %"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).replace("_", " ") if kind is ColumnKind.TEXT else str(value)


def _definitions(definitions: Sequence[Definition]) -> str:
    rows = "".join(
        f"<dt>{escape(one.id.replace('_', ' '))}, version {one.version}</dt>"
        f"<dd>{escape(one.says)} <span class='note'>{escape(one.source)}</span></dd>"
        for one in definitions
    )
    return f"<h2>How the numbers came about</h2><dl>{rows}</dl>"


def _page(title: str, span: str, parts: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_PAGE}</style></head>"
        f'<body><h1>{escape(title)}</h1><p class="note">{escape(span)}</p>{"".join(parts)}</body></html>\n'
    )
