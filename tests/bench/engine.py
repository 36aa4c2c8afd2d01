"""`make bench-engine`: how early and how rightly the engine notices who has stopped, beside simpler rules.

Replays simulated patients, or with `--csv` any log of `person,date` rows, as they became known (tests/bench/replay.py
says what the words mean). On the simulator the bars below must hold; if one does not, the exit code is 1.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from time import perf_counter

from tests.bench.bgnbd import Habits, Seen, fit
from tests.bench.chart import draw
from tests.bench.figures import Point, at_rate, curve, margin, point, together, truly_stopped
from tests.bench.logs import GONE_DAYS, LogError, read, stories
from tests.bench.replay import FOLLOWED_DAYS, Books, Knowing, replay
from tests.bench.rules import BINS, BgNbd, Cadence, Engine, EngineSweep, FixedGap, MissedInARow, Rule, seen
from tests.bench.simulator import DAYS, Made, patient
from tests.bench.story import Story

RATES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""False alarms per patient-year at which rules are compared."""
BLOCKS = 30
"""Parts of the cohort: the unit of work, and of the 95 % margins."""
FITTED_ON = 1000
"""Other patients on whose logs, without the truth, the BG/NBD's parameters are fitted."""

LOGS, PAUSES, BEATS, BOTH = Knowing(), Knowing(pauses=True), Knowing(contacts=True), Knowing(pauses=True, contacts=True)
ADDED = {LOGS: "", PAUSES: " + pauses", BEATS: " + heart-beats", BOTH: " + both"}

ENGINE, SWEEP, GAP, MISSED, CADENCE, BG = (
    rule.name for rule in (Engine, EngineSweep, FixedGap, MissedInARow, Cadence, BgNbd)
)
NAMED: tuple[tuple[str, str, float], ...] = (
    ("7 days", GAP, 7),
    ("14 days", GAP, 14),
    ("21 days", GAP, 21),
    ("5 missed in a row", MISSED, 5),
    ("10 missed in a row", MISSED, 10),
    ("3 × own cadence", CADENCE, 3),
    ("5 × own cadence", CADENCE, 5),
    ("BG/NBD P(alive) < .5", BG, 0.5),
    ("BG/NBD P(alive) < .1", BG, 0.9),
    ("engine: watch", ENGINE, 0.3),
    ("engine: lapsed", ENGINE, 0.5),
    ("engine: stopped", ENGINE, 0.8),
)
"""What it is called, whose books, and the threshold."""


@dataclass(frozen=True, slots=True)
class Work:
    """One block of people for one process: simulated by number, or told."""

    habits: Habits
    seed: int = 0
    numbers: range = range(0)
    told: tuple[Story, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """What came of it: books by rule, and who was made."""

    books: Mapping[str, Books]
    made: tuple[Made, ...]


def main() -> int:
    asked = _asked()
    began = perf_counter()
    try:
        work = list(_told(asked) if asked.csv else _simulated(asked))
    except (LogError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    with get_context("spawn").Pool(min(asked.processes, len(work))) as pool:
        blocks = pool.map(replay_block, work, chunksize=1)
    books = {name: together(block.books[name] for block in blocks) for name in blocks[0].books}
    _print_cohort(asked, [made for block in blocks for made in block.made], books[SWEEP], work[0].habits)
    _print_named(books)
    _print_matched(books)
    _print_calibration(books)
    held = True
    if not asked.csv:
        held = _print_bars([block.books for block in blocks], books)
    _draw(asked, books)
    print(f"\nChart: {asked.svg}. Took {perf_counter() - began:.0f} s.")
    return 0 if held else 1


def _asked() -> Namespace:
    parser = ArgumentParser(prog="make bench-engine", description=__doc__)
    parser.add_argument("--csv", type=Path, help="a log of person,date rows instead of the simulator")
    parser.add_argument("--days-per-week", type=int, choices=range(1, 8), default=7, help="expected of a --csv log")
    parser.add_argument("--patients", type=int, default=3000, help="how many are simulated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--svg", type=Path, default=Path("build/engine.svg"), help="where the chart goes")
    parser.add_argument("--processes", type=int, default=cpu_count() or 1)
    asked = parser.parse_args()
    if asked.patients < 1 or asked.processes < 1:
        parser.error("at least one patient and one process")
    return asked


def _simulated(asked: Namespace) -> Iterator[Work]:
    others = (patient(asked.seed + 1_000_000, number).story for number in range(FITTED_ON))
    habits = fit([_whole(story) for story in others if story])
    size = -(-asked.patients // BLOCKS)
    for first in range(0, asked.patients, size):
        yield Work(habits, asked.seed, range(first, min(first + size, asked.patients)))


def _told(asked: Namespace) -> Iterator[Work]:
    """Every so-manieth story in a block; the BG/NBD is fitted with hindsight, on these very logs."""
    found = stories(read(asked.csv), asked.days_per_week)
    habits = fit([_whole(story) for story in found])
    blocks = min(BLOCKS, len(found))
    for block in range(blocks):
        yield Work(habits, told=tuple(found[block::blocks]))


def _whole(story: Story) -> Seen:
    """A story as seen at its end."""
    return seen(sorted({log.day for log in story.logs}), (story.until - timedelta(days=1)).date())


def rules_for(knowing: Knowing, habits: Habits) -> list[Rule]:
    """Which rules are replayed with what is known; a rule that cannot use more is not asked again."""
    engine: list[Rule] = [Engine(), EngineSweep()]
    if knowing == LOGS:
        return [*engine, FixedGap(), MissedInARow(), Cadence(), BgNbd(habits)]
    return [*engine, FixedGap(), MissedInARow(), Cadence()] if knowing == PAUSES else engine


def replay_block(work: Work) -> Block:
    """Replay one block's people through every rule, with and without pauses and heart-beats."""
    made = tuple(patient(work.seed, number) for number in work.numbers)
    people = work.told or tuple(one.story for one in made if one.story)
    books: dict[str, Books] = {}
    for knowing in [LOGS] if work.told else ADDED:
        for rule in rules_for(knowing, work.habits):
            kept = books[rule.name + ADDED[knowing]] = Books(rule.thresholds)
            for story in people:
                replay(story, rule, knowing, kept)
    return Block(books, made)


def _print_cohort(asked: Namespace, made: Sequence[Made], books: Books, habits: Habits) -> None:
    if asked.csv:
        print(
            f"{asked.csv}: {books.stories:,} stories (a person cut at silences of {GONE_DAYS} days or more), taken to"
            f" be expected {asked.days_per_week} days a week.\nA true stop is a silence of {GONE_DAYS} days or more,"
            " dated the day after the last log; a log counts as received on its day."
        )
        fitted = "these logs themselves, with hindsight"
    else:
        early = sum(one.stop_day is not None and one.stop_day < 84 for one in made)
        print(
            f"Simulated: {len(made):,} patients over {DAYS} days, seed {asked.seed}; {early / len(made):.0%} stopped by"
            f" 12 weeks; done/prescribed {sum(one.done for one in made) / sum(one.scheduled for one in made):.0%},"
            f" pauses included; {len(made) - books.stories} never sent anything and are left out."
        )
        fitted = f"{FITTED_ON:,} other patients' logs, seed {asked.seed + 1_000_000}"
    print(
        f"{books.active_days / 365.25:,.0f} active patient-years, {books.stops:,} true stops observed for"
        f" {FOLLOWED_DAYS} days. BG/NBD fitted on {fitted}: r {habits.r:.3g}, alpha {habits.alpha:.3g},"
        f" a {habits.a:.3g}, b {habits.b:.3g}.\n\n"
        "False alarm: a flag going up while truly active, per active patient-year. Delay: days from the true stop to\n"
        f"the flag that stays up; mean with {FOLLOWED_DAYS} for the never caught (not up within {FOLLOWED_DAYS} days)."
        " Precision: the share\nof all flags that went up after the true stop."
    )


def _days(value: float) -> str:
    return f">{FOLLOWED_DAYS}" if value == inf else f"{value:.1f}"


def named_points(books: Mapping[str, Books], added: str = "") -> Iterator[tuple[str, Point]]:
    """The rules at the thresholds people use, as far as they were replayed with what is `added`."""
    for label, rule, threshold in NAMED:
        kept = books.get(rule + added)
        if kept:
            yield label + added, point(kept, list(kept.thresholds).index(threshold))


def _print_named(books: Mapping[str, Books]) -> None:
    print(f"\n{'Named rules':<38}{'false/yr':>9}{'median':>8}{'p90':>7}{'mean':>7}{'never':>8}{'precision':>11}")
    for added in ADDED.values():
        for label, found in named_points(books, added):
            print(
                f"{label:<38}{found.false_a_year:>9.2f}{_days(found.median):>8}{_days(found.p90):>7}{found.mean:>7.1f}"
                f"{found.missed:>8.1%}{found.precision if found.precision != inf else 0:>11.2f}"
            )


def _print_matched(books: Mapping[str, Books]) -> None:
    print("\nAt the same false-alarm rate: mean | median | p90 delay, days")
    print(f"{'false alarms per patient-year':<34}" + "".join(f"{rate:>18g}" for rate in RATES))
    for name, kept in books.items():
        if name.startswith(SWEEP) or not name.startswith(ENGINE):
            print(f"{name:<34}" + "".join(f"{_cell(at_rate(kept, rate)):>18}" for rate in RATES))


def _cell(found: Point | None) -> str:
    return "none" if found is None else "|".join(map(_days, (found.mean, found.median, found.p90)))


def _print_calibration(books: Mapping[str, Books]) -> None:
    print("\nCalibration: share of person-days truly past the stop, by the engine's P(stopped)")
    print(f"{'':<34}" + "".join(f"{f'{low:g}-{high:g}':>12}" for low, high in BINS))
    for name, kept in books.items():
        if name.startswith(SWEEP):
            shares = "".join(f"{f'{share:.2f}' if days else 'none':>12}" for share, days in truly_stopped(kept))
            print(f"{name:<34}{shares}")
    days_in = "".join(f"{days:>12,.0f}" for _, days in truly_stopped(books[SWEEP]))
    print(f"{'  person-days in the bin':<34}{days_in}")


def _mean_at(kept: Books, rate: float = 1.0) -> float:
    found = at_rate(kept, rate)
    return found.mean if found else inf


def bars(books: Mapping[str, Books]) -> Iterator[tuple[str, str, bool]]:
    """What must hold on the simulator: the figure's name, the figure and its bar, and whether it holds.

    In the study's setting: the engine knows the pauses that were declared (half of the holidays), as it does in the
    product; the fixed gap, counting days, knows of none. `beside` tells what is left if both know the same.
    """
    known = ADDED[PAUSES]
    lapsed = point(books[ENGINE + known], 1)
    yield "lapsed, false alarms a year", f"{lapsed.false_a_year:.2f}, 1.2 to 1.9", 1.2 <= lapsed.false_a_year <= 1.9
    yield "lapsed, median delay", f"{lapsed.median:.1f}, at most 14 days", lapsed.median <= 14
    yield "lapsed, p90 delay", f"{lapsed.p90:.1f}, at most 21 days", lapsed.p90 <= 21
    ours, gap = _mean_at(books[SWEEP + known]), _mean_at(books[GAP])
    yield (
        "mean delay at one false alarm a year",
        f"{ours:.1f} against the fixed gap's {gap:.1f} days, {1 - ours / gap:.1%} less, at least 15 %",
        ours <= 0.85 * gap,
    )
    for (low, high), (share, days) in zip(BINS, truly_stopped(books[SWEEP + known]), strict=True):
        middle = (low + high) / 2
        yield (
            f"P {low:g} to {high:g}, truly stopped",
            f"{share:.2f}, at least {middle:.3g}",
            not days or share >= middle,
        )
    alone, both = _mean_at(books[SWEEP]), _mean_at(books[SWEEP + ADDED[BOTH]])
    less = 1 - both / alone
    yield (
        "better with pauses, still better with heart-beats",
        f"mean {alone:.1f}, {ours:.1f} with pauses ({1 - ours / alone:.1%} less), {both:.1f} with both ({less:.1%})",
        both < ours < alone,
    )


def beside(books: Mapping[str, Books]) -> Iterator[tuple[str, str]]:
    """What the bars leave out: the same figures where neither rule knows of pauses, and where both do."""
    lapsed = point(books[ENGINE], 1)
    yield "lapsed, with logs alone", f"{lapsed.false_a_year:.2f} false alarms a year"
    for label, added in (("neither knows of pauses", LOGS), ("both know of pauses", PAUSES)):
        ours, gap = _mean_at(books[SWEEP + ADDED[added]]), _mean_at(books[GAP + ADDED[added]])
        yield (
            f"mean delay at one false alarm a year, {label}",
            f"{ours:.1f} against the fixed gap's {gap:.1f} days, {1 - ours / gap:.1%} less",
        )
    slow = [at_rate(books[name], 1.0) for name in (SWEEP + ADDED[PAUSES], GAP + ADDED[PAUSES])]
    if all(slow):
        ours_slow, gap_slow = (_days(found.p90) for found in slow if found)
        yield (
            "the slowest tenth at one false alarm a year, both knowing",
            f"{ours_slow} against the gap's {gap_slow} days",
        )


def _print_bars(blocks: Sequence[Mapping[str, Books]], books: Mapping[str, Books]) -> bool:
    print("\nMust hold (the engine knowing declared pauses, the fixed gap not)")
    all_hold = True
    for name, figure, holds in bars(books):
        print(f"  {'holds' if holds else 'MISSED':<7} {name}: {figure}")
        all_hold &= holds
    print("Beside the bars")
    for name, figure in beside(books):
        print(f"  {name}: {figure}")
    rest = [_left_out(blocks, i) for i in range(len(blocks))] if len(blocks) > 1 else []
    known = ADDED[PAUSES]
    margins = {
        "lapsed, false alarms a year": [point(books[ENGINE + known], 1).false_a_year for books in rest],
        "gain over the gap as barred": [1 - _mean_at(books[SWEEP + known]) / _mean_at(books[GAP]) for books in rest],
        "neither knowing": [1 - _mean_at(books[SWEEP]) / _mean_at(books[GAP]) for books in rest],
        "both knowing": [1 - _mean_at(books[SWEEP + known]) / _mean_at(books[GAP + known]) for books in rest],
    }
    told = "; ".join(f"{name} ± {margin(values):.2f}" for name, values in margins.items())
    print(f"95 % margins, leaving out one of {len(blocks)} blocks of patients at a time: {told}")
    return all_hold


def _left_out(blocks: Sequence[Mapping[str, Books]], i: int) -> dict[str, Books]:
    """The books the margins are read from, without the i-th block."""
    rest = [*blocks[:i], *blocks[i + 1 :]]
    names = (ENGINE + ADDED[PAUSES], SWEEP, SWEEP + ADDED[PAUSES], GAP, GAP + ADDED[PAUSES])
    return {name: together(block[name] for block in rest) for name in names}


def _draw(asked: Namespace, books: Mapping[str, Books]) -> None:
    # A log by --csv has neither pauses nor contacts, so no curve for both.
    names = [name for name in (SWEEP, SWEEP + ADDED[BOTH], GAP, MISSED, CADENCE, BG) if name in books]
    marked = {"7 days", "14 days", "21 days", "engine: watch", "engine: lapsed", "engine: stopped"}
    asked.svg.parent.mkdir(parents=True, exist_ok=True)
    asked.svg.write_text(
        draw(
            {name.replace(ADDED[BOTH], " + pauses, heart-beats"): curve(books[name]) for name in names},
            {label: found for label, found in named_points(books) if label in marked},
            truly_stopped(books[SWEEP]),
            source=str(asked.csv.name) if asked.csv else f"{asked.patients:,} simulated patients, seed {asked.seed}",
        ),
        encoding="utf-8",
    )


if __name__ == "__main__":
    sys.exit(main())
