"""Where the flags draw their lines: safe defaults, and the bounds within which a clinic may move them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from models.adherence.silence import SilenceRule


@dataclass(frozen=True, slots=True)
class Bound:
    """How far a threshold may be moved, both ends included."""

    low: float
    high: float
    whole: bool
    text: str


def _within(default: Any, low: float, high: float, text: str) -> Any:
    bound = Bound(low, high, isinstance(default, int), text)
    return field(default=default, metadata={"bound": bound})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The lines of every flag (engine study, sections 2.5 and 7; clinical content 5.2)."""

    watch: float = _within(0.3, 0.2, 0.45, "P(stopped) at which the patient is reminded")
    lapsed: float = _within(0.5, 0.45, 0.7, "P(stopped) at which the therapist is told")
    stopped: float = _within(0.8, 0.7, 0.95, "P(stopped) at which the silence counts as stopped")
    net_days: int = _within(21, 10, 28, "silent days that are enough, whatever the odds say")
    pain_change: int = _within(2, 1, 3, "points of pain, 0-10, that matter (MIC08)")
    pain_change_percent: int = _within(30, 20, 50, "percent of pain that matter (MIC08)")
    low_amber: float = _within(0.80, 0.60, 0.90, "share of expected days under which adherence is low")
    low_red: float = _within(0.60, 0.40, 0.75, "share of expected days under which it is very low")
    low_slots: int = _within(8, 6, 20, "session days expected before the share is judged")
    sure: float = _within(0.8, 0.6, 0.95, "how sure to be that adherence is low")
    slack: float = _within(0.05, 0.0, 0.1, "how far back above the line a flag fades")
    decline: float = _within(0.15, 0.1, 0.3, "fall of the share that is declining")
    declining_slots: int = _within(6, 4, 14, "session days expected in 14 days before decline is judged")
    declining_sure: float = _within(0.9, 0.7, 0.99, "how sure to be of it")
    incomplete: float = _within(0.7, 0.5, 0.9, "share of items under which a session is incomplete")
    incomplete_slots: int = _within(4, 3, 10, "session days expected before items are judged")
    dose: float = _within(0.8, 0.5, 0.9, "share of the prescribed amount under which the dose is partial")
    dropped_days: int = _within(14, 7, 28, "days without strength or core exercise; red at twice as many")
    sync_days: int = _within(7, 3, 21, "days without a phone's contact")
    flare_days: int = _within(7, 3, 14, "days of one flare")
    flares: int = _within(3, 2, 6, "flares in 60 days")
    screening_days: int = _within(31, 14, 92, "days after which the red-flag questions are asked anew")

    @property
    def silence(self) -> SilenceRule:
        """The detector's rule with these thresholds."""
        return replace(
            SilenceRule(), watch=self.watch, lapsed=self.lapsed, stopped=self.stopped, net_days=self.net_days
        )


DEFAULTS = Thresholds()
BOUNDS: dict[str, Bound] = {one.name: one.metadata["bound"] for one in fields(Thresholds)}


def wrong(name: str, value: float) -> str | None:
    """Why a threshold cannot be moved there, if it cannot."""
    bound = BOUNDS[name]
    if not bound.low <= value <= bound.high:
        return f"must lie between {bound.low:g} and {bound.high:g}"
    if bound.whole and value != int(value):
        return "must be a whole number"
    return None


def thresholds_of(settings: Mapping[str, Any]) -> Thresholds:
    """A clinic's thresholds, out of its settings; what is not there, or no longer allowed, is the default."""
    said = settings.get("thresholds", {})
    kept: dict[str, Any] = {
        name: int(value) if BOUNDS[name].whole else float(value)
        for name, value in said.items()
        if name in BOUNDS and wrong(name, value) is None
    }
    return Thresholds(**kept)
