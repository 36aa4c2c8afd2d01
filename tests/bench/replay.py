"""A story replayed as it became known, and the books kept of each rule's flags.

At every receipt of a log (and every declared pause, if pauses are known) the rule is asked anew, with what was known
then: when will silence cross each threshold? A flag goes up at that instant unless something is heard before, and
comes down when the answer moves beyond the present.

* A *false alarm* is a flag going up while the person is truly active. Down and up again counts again.
* The *delay* is from the true stop to the flag that stays up, in days; 0 if it already was up; endless if it is not up
  within 60 days. Only stops observed for 60 days have one.
* *Precision* is the share of all flags going up that did so after the true stop.
* Time at risk is from the first receipt to the true stop or the end of the observation.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import inf

from models.adherence import Done
from models.adherence.silence import HISTORY_DAYS
from tests.bench.rules import Known, Rule
from tests.bench.story import Story, days_between

FOLLOWED_DAYS = 60
"""A stop is only judged if observed for so long; what is not caught by then counts as never caught."""


@dataclass(frozen=True, slots=True)
class Knowing:
    """What is used beside the logs."""

    pauses: bool = False
    contacts: bool = False


def known(story: Story, knowing: Knowing) -> Iterator[tuple[Known, datetime]]:
    """What was known from each moment on that changed it, and until when."""
    told = story.declared if knowing.pauses else ()
    contacts = sorted({*story.contacts, *(log.received_at for log in story.logs)}) if knowing.contacts else []
    begins = story.logs[0].received_at
    moments = sorted({*(log.received_at for log in story.logs), *(max(one.at, begins) for one in told)})
    done: list[Done] = []
    plan, next_log, next_told = story.plan, 0, 0
    days = set()
    for at, until in zip(moments, [*moments[1:], story.until], strict=True):
        while next_log < len(story.logs) and story.logs[next_log].received_at <= at:
            done.append(story.logs[next_log])
            days.add(story.logs[next_log].day)
            next_log += 1
        while next_told < len(told) and told[next_told].at <= at:
            plan = replace(plan, pauses=(*plan.pauses, told[next_told].pause))
            next_told += 1
        last = max(days)
        oldest = last - timedelta(days=HISTORY_DAYS)
        if done[0].day <= oldest:
            done = [log for log in done if log.day > oldest]
        since = datetime.combine(last, datetime.min.time(), at.tzinfo)
        yield (
            Known(
                at=at,
                plan=plan,
                done=done,
                contacts=contacts[bisect_left(contacts, since) : bisect_left(contacts, until)],
                first_day=min(days),
                last_day=last,
                days=len(days),
            ),
            until,
        )


@dataclass
class Books:
    """What became of one rule's flags, at each of its thresholds. Books of different stories add up."""

    thresholds: Sequence[float]
    stories: int = 0
    stops: int = 0
    """True stops observed for `FOLLOWED_DAYS`."""
    active_days: float = 0.0
    false: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    delays: list[list[float]] = field(default_factory=list)
    days_at: list[float] = field(default_factory=list)
    """Person-days between this threshold and the next."""
    days_gone: list[float] = field(default_factory=list)
    """Of those, truly stopped."""

    def __post_init__(self) -> None:
        size = len(self.thresholds)
        self.false = self.false or [0] * size
        self.right = self.right or [0] * size
        self.delays = self.delays or [[] for _ in range(size)]
        self.days_at = self.days_at or [0.0] * size
        self.days_gone = self.days_gone or [0.0] * size

    def add(self, other: "Books") -> None:
        """Take another's entries in."""
        self.stories += other.stories
        self.stops += other.stops
        self.active_days += other.active_days
        for mine, theirs in zip(self.delays, other.delays, strict=True):
            mine.extend(theirs)
        for name in ("false", "right", "days_at", "days_gone"):
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, [one + two for one, two in zip(mine, theirs, strict=True)])


def replay(story: Story, rule: Rule, knowing: Knowing, books: Books) -> None:
    """Enter one story into the books of one rule."""
    stopped = story.stopped_at or story.until
    up: list[datetime | None] = [None] * len(books.thresholds)
    for what, until in known(story, knowing):
        crossed = [moment for moment in rule.instants(what, until) if moment and moment < until]
        for i, moment in enumerate(crossed):
            raised = max(moment, what.at)
            if up[i] is None or moment > what.at:
                up[i] = raised
                if raised < stopped:
                    books.false[i] += 1
                else:
                    books.right[i] += 1
            over = max(raised, crossed[i + 1]) if i + 1 < len(crossed) else until
            books.days_at[i] += days_between(raised, over)
            books.days_gone[i] += days_between(max(raised, stopped), max(over, stopped))
        up[len(crossed) :] = [None] * (len(up) - len(crossed))
    books.stories += 1
    books.active_days += max(0.0, days_between(story.logs[0].received_at, stopped))
    if story.stopped_at and story.stopped_at + timedelta(days=FOLLOWED_DAYS) <= story.until:
        books.stops += 1
        for i, raised_at in enumerate(up):
            delay = max(0.0, days_between(story.stopped_at, raised_at)) if raised_at else inf
            books.delays[i].append(delay if delay <= FOLLOWED_DAYS else inf)
