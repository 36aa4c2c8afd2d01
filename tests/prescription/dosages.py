"""Dosages at random: such as are told in full, and no two of them the same way."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from models.prescription.dosage import Dosage, Side

Parts = Mapping[str, Mapping[str, Any]]
"""What a dosage is made of, by what may change on its own."""

BANDS = ("tan", "yellow", "red", "green", "blue", "black", "silver", "gold")
SETS = st.integers(1, 6)
HOLDS = st.integers(1, 60)

# Left out because the text rightly tells them like something else (see test_what_means_the_same_reads_the_same):
# no sets for one, no repetitions for one hold, one repetition beside minutes or metres, no rest of 0 s, not all seven
# weekdays, no rounds where as needed.
minutes = st.integers(1, 180).map(lambda halves: halves / 2)
metres = st.integers(10, 20_000)
beside: dict[str, Any] = {"reps": st.integers(2, 30), "hold_seconds": HOLDS}
amounts: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"sets": SETS, "reps": st.integers(1, 30)}),
    st.fixed_dictionaries({"sets": SETS, "reps": st.integers(2, 30), "hold_seconds": HOLDS}),
    st.fixed_dictionaries({"sets": SETS, "reps": st.just(1), "hold_seconds": HOLDS}),
    st.fixed_dictionaries({"sets": SETS, "duration_minutes": minutes}, optional=beside),
    st.fixed_dictionaries({"sets": SETS, "distance_m": metres}, optional=beside),
    st.fixed_dictionaries({"sets": SETS, "duration_minutes": minutes, "distance_m": metres}, optional=beside),
)
frequencies: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"days_per_week": st.integers(1, 7), "sessions_per_day": st.integers(1, 8)}),
    st.fixed_dictionaries({"every_n_days": st.integers(2, 30), "sessions_per_day": st.integers(1, 8)}),
    st.fixed_dictionaries(
        {
            "weekdays": st.frozensets(st.integers(0, 6), min_size=1, max_size=6).map(lambda days: tuple(sorted(days))),
            "sessions_per_day": st.integers(1, 8),
        }
    ),
    st.fixed_dictionaries({"as_needed_max_per_day": st.integers(1, 8)}),
)


def maybe(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(st.just({}), st.fixed_dictionaries({name: values}))


PARTS: Mapping[str, st.SearchStrategy[dict[str, Any]]] = {
    "amount": amounts,
    "tempo": maybe("tempo", st.tuples(*[st.integers(0, 10)] * 4)),
    "rest": maybe("rest_seconds", st.integers(1, 180)),
    "load": maybe("load_kg", st.integers(1, 240).map(lambda quarters: quarters / 4)),
    "band": maybe("band", st.sampled_from(BANDS)),
    "effort": maybe("rpe_target", st.integers(0, 8)),
    "pain": maybe("pain_limit", st.integers(0, 10)),
    "frequency": frequencies,
}
parts: st.SearchStrategy[Parts] = st.fixed_dictionaries(dict(PARTS))
sides = st.sampled_from([None, *Side])


def made_of(some: Parts) -> Dosage:
    return Dosage(**{name: value for part in some.values() for name, value in part.items()})


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Dosage, Dosage]:
    """Two dosages that differ in one part at most."""
    one = draw(parts)
    changed = draw(st.sampled_from(sorted(PARTS)))
    return made_of(one), made_of({**one, changed: draw(PARTS[changed])})


dosages = parts.map(made_of)
without_amount = parts.map(lambda some: made_of({**some, "amount": {}}))
"""Care need not say how much."""
