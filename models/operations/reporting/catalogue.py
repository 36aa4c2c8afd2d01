"""The reports there are."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from models.operations.reporting.caseload import caseload_report
from models.operations.reporting.data_quality import data_quality_report
from models.operations.reporting.exercises import exercises_report
from models.operations.reporting.flags import flags_report
from models.operations.reporting.outcomes import outcomes_report
from models.operations.reporting.retention import retention_report
from models.operations.reporting.standings import standings_report
from models.operations.reporting.stops import stops_report
from models.reports.tables import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One report."""

    title: str
    says: str
    make: Callable[..., Report]
    """(tx, caller, period, *, now) → the report."""
    usual: timedelta = timedelta(days=90)
    """How long a period is, if none is named."""
    monthly: frozenset[str] | None = None
    """The tables that are about a month and nothing later: kept by month, in versions. None: none is."""


REPORTS = {
    "caseload": Kind(
        title="Caseload",
        says="Patients by standing, therapist, condition and protocol; the weeks of the period.",
        make=caseload_report,
        monthly=frozenset({"by_week"}),
    ),
    "standings": Kind(
        title="Standings over time",
        says="How many programs stood how at the end of each week.",
        make=standings_report,
    ),
    "retention": Kind(
        title="Retention",
        says="Programs started; still going at 4 and 12 weeks, 6, 12 and 24 months, with 95 % limits.",
        make=retention_report,
        usual=timedelta(days=731),
    ),
    "stops": Kind(
        title="Stops",
        says="How programs ended, and the reasons; improved and stopped apart from lapsed.",
        make=stops_report,
    ),
    "flags": Kind(
        title="Flags",
        says="Flags raised and what became of them; how often a silence was one; contact, and who returned.",
        make=flags_report,
    ),
    "exercises": Kind(
        title="Exercises",
        says="Which are skipped most, hurt most, and leave patients unsure.",
        make=exercises_report,
        monthly=frozenset({"exercises"}),
    ),
    "data-quality": Kind(
        title="Data quality",
        says="Late, back-dated and rejected sessions; phones that have not been in touch.",
        make=data_quality_report,
        monthly=frozenset({"sessions"}),
    ),
    "outcomes": Kind(
        title="Outcomes by adherence",
        says="Change of pain and function by how much of the program was followed: an association.",
        make=outcomes_report,
        usual=timedelta(days=365),
    ),
}
