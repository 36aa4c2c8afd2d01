"""What a new revision changes, in the words the patient is shown."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from models.prescription.dosage import Dosage, Side, amount_words, days_words, frequency_words, load_words, text, times


@dataclass(frozen=True, slots=True, kw_only=True)
class PrescribedLine:
    """One line of a prescription as people see it."""

    line_id: UUID
    name: str
    dosage: Dosage
    side: Side | None = None
    goal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrescribedPhase:
    """A stretch of days with its lines."""

    label: str
    from_day: int
    to_day: int | None
    """None runs on."""
    lines: tuple[PrescribedLine, ...]
    is_flare: bool = False
    """The plan for flare days: it has no days of its own."""


def changes(before: Sequence[PrescribedPhase], after: Sequence[PrescribedPhase]) -> list[str]:
    """One short sentence for each line or phase that differs: "Bird dog: 2 → 3 sets", "Cat-camel removed"."""
    old = {line.line_id: (phase, line) for phase in before for line in phase.lines}
    new = {line.line_id: (phase, line) for phase in after for line in phase.lines}
    renamed = _renamed(before, after)
    told = [f"Phase {was} is now called {now}" for was, now in renamed.items()]
    for line_id, (phase, line) in new.items():
        if line_id in old:
            was_phase, was = old[line_id]
            label = renamed.get(was_phase.label, was_phase.label)
            differing = _differences(label, was, phase.label, line)
            if differing:
                name = _name(was, was_phase, before, with_phase=label == phase.label)
                told.append(f"{name}: {'; '.join(differing)}")
    told += [
        f"{_name(line, phase, after)} added: {text(line.dosage, line.side)}"
        for line_id, (phase, line) in new.items()
        if line_id not in old
    ]
    gone = _gone(before, after, renamed)
    told += [
        f"{_name(line, phase, before)} removed"
        for line_id, (phase, line) in old.items()
        if line_id not in new and phase.label not in gone
    ]
    return told + _phase_changes(before, after, renamed) + [f"Phase {label} removed" for label in gone]


def _gone(before: Sequence[PrescribedPhase], after: Sequence[PrescribedPhase], renamed: Mapping[str, str]) -> list[str]:
    """The phases that are no more, where there were several: told once, not line by line."""
    course = [phase.label for phase in before if not phase.is_flare]
    kept = {phase.label for phase in after if not phase.is_flare} | renamed.keys()
    return [label for label in course if label not in kept] if len(course) > 1 else []


def _name(
    line: PrescribedLine, phase: PrescribedPhase, prescription: Sequence[PrescribedPhase], *, with_phase: bool = True
) -> str:
    """An exercise's name, with its phase and side where the name alone would not say which."""
    alike = [(one.label, other) for one in prescription for other in one.lines if other.name == line.name]
    elsewhere = any(label != phase.label for label, _ in alike)
    here = sum(label == phase.label for label, _ in alike)
    where = [
        *([phase.label] if with_phase and (elsewhere or phase.is_flare) else []),
        *([_side_words(line.side)] if here > 1 else []),
    ]
    return f"{line.name} ({', '.join(where)})" if where else line.name


def _renamed(before: Sequence[PrescribedPhase], after: Sequence[PrescribedPhase]) -> dict[str, str]:
    """Old label → new label, of phases that took their lines along to a phase of their own."""
    old, new = ([phase for phase in phases if not phase.is_flare] for phases in (before, after))
    known, place = (
        {phase.label for phase in old},
        {line.line_id: phase.label for phase in new for line in phase.lines},
    )
    went = {phase.label: {place[line.line_id] for line in phase.lines if line.line_id in place} for phase in old}
    gone = {was: labels for was, labels in went.items() if was not in {phase.label for phase in new}}
    comers = Counter(label for labels in gone.values() for label in labels)
    return {
        was: now
        for was, labels in gone.items()
        if len(labels) == 1
        for now in labels
        if now not in known and comers[now] == 1
    }


def _differences(old_label: str, old: PrescribedLine, new_label: str, new: PrescribedLine) -> list[str]:
    found = []
    if old.name != new.name:
        found.append(f"now {new.name}")
    if old_label != new_label:
        found.append(f"moved from {old_label} to {new_label}")
    found += _dosage_differences(old.dosage, new.dosage)
    if old.side != new.side:
        found.append(f"{_side_words(old.side)} → {_side_words(new.side)}")
    if old.goal != new.goal:
        found.append(f"now for {new.goal.replace('_', ' ')}" if new.goal else "no goal any more")
    return found


def _dosage_differences(old: Dosage, new: Dosage) -> list[str]:
    # One number that changed is told as a number; anything else as the whole before and after.
    numbers = (
        ("sets", "{0} → {1} sets"),
        ("reps", "{0} → {1} repetitions"),
        ("hold_seconds", "hold {0} → {1} s"),
        ("duration_minutes", "{0:g} → {1:g} min"),
        ("distance_m", "{0} → {1} m"),
        ("load_kg", "{0:g} → {1:g} kg"),
        ("rpe_target", "effort {0} → {1} of 10"),
        ("pain_limit", "pain limit {0} → {1} of 10"),
        ("rest_seconds", "rest {0} → {1} s"),
    )
    simple = all((getattr(old, name) is None) == (getattr(new, name) is None) for name, _ in numbers)
    found = []
    if simple:
        found = [
            words.format(getattr(old, name), getattr(new, name))
            for name, words in numbers
            if getattr(old, name) != getattr(new, name)
        ]
        if old.tempo != new.tempo:
            found.append("another tempo")
        if old.band != new.band:
            found.append(f"{old.band or 'no'} → {new.band or 'no'} band")
    elif (was := [*amount_words(old), *load_words(old)]) != (now := [*amount_words(new), *load_words(new)]):
        found.append(
            f"{', '.join(was)} → {', '.join(now)}" if was and now else f"now {', '.join(now) or 'as you like'}"
        )
    return found + _frequency_differences(old, new)


def _frequency_differences(old: Dosage, new: Dosage) -> list[str]:
    if old.as_needed_max_per_day is not None or new.as_needed_max_per_day is not None:
        was, now = frequency_words(old), frequency_words(new)
        return [f"{was} → {now}"] if was != now else []
    found = []
    if old.sessions_per_day != new.sessions_per_day:
        found.append(f"{times(old.sessions_per_day)} → {times(new.sessions_per_day)} a day")
    if days_words(old) != days_words(new):
        if old.days_per_week and new.days_per_week:
            found.append(f"{old.days_per_week} → {new.days_per_week} days a week")
        else:
            found.append(f"{days_words(old)} → {days_words(new)}")
    return found


def _side_words(side: Side | None) -> str:
    return {None: "no side", Side.BOTH: "both sides"}.get(side, f"{side} side")


def _phase_changes(
    before: Sequence[PrescribedPhase], after: Sequence[PrescribedPhase], renamed: Mapping[str, str]
) -> list[str]:
    old = {renamed.get(phase.label, phase.label): _days(phase) for phase in before if not phase.is_flare}
    new = {phase.label: _days(phase) for phase in after if not phase.is_flare}
    return [
        f"Phase {label}: now {days}"
        for label, days in new.items()
        # A lone phase that runs on has no days worth telling.
        if old.get(label) != days and (label in old or len(new) > 1)
    ]


def _days(phase: PrescribedPhase) -> str:
    return f"day {phase.from_day} to {phase.to_day}" if phase.to_day else f"from day {phase.from_day} on"
