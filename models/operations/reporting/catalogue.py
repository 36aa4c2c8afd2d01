"""The reports there are."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from models.operations.reporting.caseload import caseload_report
from models.operations.reporting.outcomes import outcomes_report
from models.operations.reporting.retention import retention_report
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
    "retention": Kind(
        title="Retention",
        says="Programs started; still going at 4 and 12 weeks, 6, 12 and 24 months, with 95 % limits.",
        make=retention_report,
        usual=timedelta(days=731),
    ),
    "outcomes": Kind(
        title="Outcomes by adherence",
        says="Change of pain and function by how much of the program was followed: an association.",
        make=outcomes_report,
        usual=timedelta(days=365),
    ),
}
