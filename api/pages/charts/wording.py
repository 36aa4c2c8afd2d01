"""How numbers and days are said in the words of charts."""

from collections.abc import Sequence
from datetime import date

from models.adherence.wording import short_day

WITHHELD = "Some counts are withheld because too few."
"""Said wherever a count is None."""


def day_and_year(day: date) -> str:
    """9 Mar 2026."""
    return f"{short_day(day)} {day.year}"


def weekday_and_day(day: date) -> str:
    """Mon 9 Mar 2026."""
    return f"{day:%a} {day_and_year(day)}"


def span(first: date, last: date) -> str:
    """9 Mar 2026, or: 9 Mar 2026 to 28 Apr 2026."""
    return day_and_year(first) if first == last else f"{day_and_year(first)} to {day_and_year(last)}"


def percent(share: float) -> str:
    """A share of 1 in whole percents: 85 %."""
    return f"{100 * share:.0f} %"


def number(value: float) -> str:
    """At most one decimal: 12, 12.5."""
    return f"{value:.1f}".removesuffix(".0")


def counted(count: int, noun: str) -> str:
    """1 day, 2 days."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def count_in_words(count: int | None) -> str:
    """A count as a table says it."""
    return "withheld" if count is None else f"{count:,}"


def listed(parts: Sequence[str]) -> str:
    """One, two and three."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
