"""Phones against the clinic, whatever happens: a random story at a time, on a real database, through the real app.

Two patients, three phones with clocks of their own. After every story the phones come to rest with a good network, and
then: nothing acknowledged is lost or doubled, every phone shows what the clinic holds, repeating all that was ever sent
changes nothing, every red flag that ever arrived is open, and every standing is what a recount makes of the history.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, event, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import sessionmaker

from api.schemas.sessions import SessionIn
from models.adherence.clock import SKEW_TOLERANCE
from models.adherence.kinds import FlagKind
from models.database import Database
from models.operations import patients, prescribing, programs, sweep
from models.operations.callers import Caller
from models.operations.policy import visible_programs
from models.operations.sessions import Deletion, Outcome, record_sessions
from models.refusals import Refusal
from models.safety.red_flags import alarms
from models.tables import Flag, PauseReason, SessionEntry, SessionLog, SessionVersion
from tests.asgi import InProcess
from tests.builders import ALL_WARNINGS, BORN, DAY, a_clinic, a_dosage, a_draft, a_patient, a_program, handed_over
from tests.conftest import Clock
from tests.sync.phone import Json, Phone, SignedOutError
from tests.sync.wire import Delivery, Trouble, Wire

EVES = (
    ("Australia/Lord_Howe", date(2025, 4, 5)),  # half an hour back
    ("Australia/Lord_Howe", date(2025, 10, 4)),  # half an hour forward
    ("Australia/Adelaide", date(2025, 10, 4)),
    ("America/St_Johns", date(2025, 3, 8)),
    ("Europe/Berlin", date(2025, 3, 29)),
    ("Europe/Berlin", date(2025, 10, 25)),
    ("America/New_York", date(2025, 11, 1)),
    ("Pacific/Chatham", date(2025, 4, 5)),
    ("Africa/Cairo", date(2025, 4, 24)),  # skips midnight
    ("America/Santiago", date(2025, 4, 5)),  # has one midnight twice
    ("Asia/Kathmandu", date(2025, 12, 31)),  # never changes
    ("Asia/Kolkata", date(2025, 2, 28)),
)
"""Where the patients live, and the local day before the clocks change there."""
HOURS = (time(0, 0), time(0, 30), time(2, 30), time(12, 0), time(23, 59, 59))
AHEAD = (0, 0, 5, -5, 11, -11, 3 * 1440, -3 * 1440, 730 * 1440, -730 * 1440)
"""By how many minutes a phone's clock is ahead."""
STORED = {"created", "updated", "deleted", "unchanged"}
EXPECTED = {
    "rejected": {"invalid", "wrong_local_date", "before_program", "after_program", "too_late"},
    "deferred": {"unknown", "program_not_active"},
}
"""What these stories may be refused for."""
REFUSALS = {"unchanged", "conflict", "rejected", "deferred"}
AGAIN = {"unchanged": {"unchanged", "conflict"}, "conflict": REFUSALS, "rejected": REFUSALS, "deferred": REFUSALS}
"""What the same item may be answered in the end. It was `unchanged` also when it agreed by chance with what another
phone had said; where that was changed since, it is a conflict. Nothing of it is ever stored.
"""
PLAIN = ("done", "reason", "pain_during", "effort", "note", "ext")

CHIPS = ("fall", "RF-01", "rf-10", "RF-99", "numb_or_weak", "tingling", "not_sure")

Words = st.fixed_dictionaries(
    {},
    optional={
        "pain_during": st.integers(0, 10),
        "effort": st.integers(0, 10),
        "chips": st.lists(st.sampled_from(CHIPS)),
        "reason": st.sampled_from(["no_time", "symptoms_worse", "ill", "moon_phase"]),
        "note": st.sampled_from(["stiff", "Fünf Übungen, 良い", "🦵"]),
        "ext": st.sampled_from([{"mood": 3}, {"watch": {"beats": [60, 61.5]}, "x": None}]),
    },
)
Wrong = st.sampled_from([{}] * 7 + [{"pain_after": 99}, {"mood": "new"}, {"local_date": "2001-01-01"}])
"""What a newer or broken app says that the clinic cannot take."""
Troubles = st.lists(st.sampled_from(Trouble), max_size=5)
Which = st.integers(0, 1000)


class KilledError(Exception):
    """The phone was killed in the middle of something."""


class Mortal(Phone):
    """A phone that dies inside one of its own transactions, when it is told to."""

    lives: int | None = None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with super()._writing():
            yield
            if self.lives is not None:
                self.lives -= 1
                if self.lives < 0:
                    raise KilledError


@dataclass
class Person:
    """A patient, and what the clinic must hold of them."""

    number: int
    id: UUID
    zone: ZoneInfo
    programs: list[UUID]
    lines: dict[UUID, UUID]
    said: dict[str, list[Json | None]] = field(default_factory=dict)
    """Session → what each version says; None: taken back."""
    moments: dict[str, tuple[datetime, date]] = field(default_factory=dict)
    """Session → when it really was."""
    alarmed: set[str] = field(default_factory=set)
    """The red flags that arrived, in the clinic's words."""


@dataclass
class Handset:
    """A phone in somebody's pocket."""

    owner: Person
    path: Path
    wire: Wire
    phone: Mortal
    ahead: timedelta
    entered: set[str] = field(default_factory=set)
    """What was logged on it and must be somewhere."""
    backup: tuple[bytes, timedelta] | None = None


class PhonesAndClinic(RuleBasedStateMachine):
    engine: ClassVar[Engine]
    app: ClassVar[FastAPI]
    portal: ClassVar[BlockingPortal]

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(prefix="phones-")
        self.connection = self.engine.connect()
        self.outer = self.connection.begin()
        begin = sessionmaker(self.connection, expire_on_commit=False, join_transaction_mode="create_savepoint").begin
        self.database = Database(reading=begin, snapshot=begin, writing=begin)
        self.clock = Clock()
        self.app.state.database = self.database
        self.app.state.clock = lambda: self.clock.now
        self.arrived: list[Delivery] = []
        self.seen = 0

    @initialize(eve=st.sampled_from(EVES), other=st.sampled_from(EVES), hour=st.integers(0, 23), ahead=st.data())
    def a_clinic_with_two_patients(self, eve: Any, other: Any, hour: int, ahead: Any) -> None:
        zone, day = eve
        self.clock.now = datetime.combine(day, time(hour, 7), ZoneInfo(zone)).astimezone(UTC)
        self.started = self.clock.now
        with self.database.writing() as tx:
            self.ines: Caller = a_clinic(tx, zone=zone, now=self.clock.now)
            self.people = [self._a_person(tx, number, name) for number, name in enumerate((zone, other[0]))]
        self.handsets = []
        for number, owner in enumerate((self.people[0], self.people[0], self.people[1])):
            minutes = timedelta(minutes=ahead.draw(st.sampled_from(AHEAD)))
            path = Path(self.folder.name, f"{number}.db")
            wire = Wire(InProcess(self.app, self.portal), owner.number, self.clock, self.arrived)
            self.handsets.append(Handset(owner, path, wire, self._booted(path, wire, minutes), minutes))
            self._invite(self.handsets[-1])

    def _a_person(self, tx: Any, number: int, zone: str) -> Person:
        now = self.clock.now
        ann = a_patient(tx, self.ines, time_zone=zone, now=now)
        today = now.astimezone(ZoneInfo(zone)).date()
        course = a_program(tx, self.ines, ann, a_draft(a_dosage(), a_dosage(), starts_on=today), now=now)
        drafted = prescribing.create_program(tx, self.ines, ann.id, a_draft(starts_on=today), now=now)
        lines = {course.program.id: course.items[0].line_id}
        return Person(number, ann.id, ZoneInfo(zone), [course.program.id, drafted.id], lines)

    # What patients do.

    @rule(
        which=Which,
        draft=Which,
        days=st.integers(0, 3),
        hour=st.sampled_from(HOURS),
        beside=st.booleans(),
        done=st.sampled_from(["all", "some", "none"]),
        words=Words,
        wrong=Wrong,
        entry=st.booleans(),
    )
    def log(
        self,
        which: int,
        draft: int,
        days: int,
        hour: time,
        beside: bool,
        done: str,
        words: Json,
        wrong: Json,
        entry: bool,
    ) -> None:
        handset = self._handset(which)
        owner = handset.owner
        program_id = owner.programs[draft % 7 == 0]
        at, day = self._a_moment(owner.zone, self.clock.now, days, hour)
        starts = self.started.astimezone(owner.zone).date()
        if day < starts:
            at, day = self.clock.now, self.clock.now.astimezone(owner.zone).date()
        shown = (at + handset.ahead).astimezone(owner.zone)
        said_day = shown.date()
        if beside and day > starts and hour < time(3):
            day, said_day = day - DAY, said_day - DAY  # done after midnight, counted to the evening
        if abs(handset.ahead) <= SKEW_TOLERANCE:
            at, day = shown.astimezone(UTC), said_day
            if day < starts:
                return
        body: Json = {
            "program_id": str(program_id), "performed_at": shown.isoformat(), "time_zone": str(owner.zone),
            "local_date": said_day.isoformat(), "done": done, **words, **wrong,
        }  # fmt: skip
        if entry and program_id in owner.lines:
            body["entries"] = [{"line_id": str(owner.lines[program_id]), "skipped": done == "none", "pain": 2}]
        session_id = handset.phone.log(body)
        handset.entered.add(session_id)
        owner.moments[session_id] = at, day

    @rule(which=Which, session=Which, words=Words, done=st.sampled_from([{}, {}, {"done": "some"}]), wrong=Wrong)
    def amend(self, which: int, session: int, words: Json, done: Json, wrong: Json) -> None:
        handset = self._handset(which)
        known = self._known(handset)
        if known:
            handset.phone.amend(known[session % len(known)], **words, **done, **wrong)

    @rule(which=Which, session=Which)
    def take_back(self, which: int, session: int) -> None:
        handset = self._handset(which)
        known = self._known(handset)
        if known:
            handset.phone.take_back(known[session % len(known)])
            self._forget_unsaid(handset)

    @rule(which=Which, mine=st.booleans())
    def decide(self, which: int, mine: bool) -> None:
        phone = self._handset(which).phone
        for session_id in phone.conflicts():
            (phone.keep_mine if mine else phone.take_theirs)(session_id)

    @rule(seed=st.integers(0, 2**32))
    def a_busy_day(self, seed: int) -> None:
        """Many of these at random: the stories that nobody would find one deed at a time."""
        dice = Random(seed)
        for _ in range(dice.randrange(5, 30)):
            dice.choice(DEEDS)(self, dice)
            self.every_answer_fits_what_was_said_before()

    # What becomes of phones.

    @rule(which=Which, troubles=Troubles, batch=st.sampled_from([1, 2, 200]), lives=st.none() | st.integers(0, 8))
    def sync(self, which: int, troubles: list[Trouble], batch: int, lives: int | None) -> None:
        handset = self._handset(which)
        handset.phone.batch, handset.wire.ahead = batch, list(troubles)
        handset.phone.lives = lives
        try:
            self._sync(handset)
        except KilledError:
            self._reboot(handset)
        handset.wire.ahead, handset.phone.lives = [], None

    @rule(which=Which)
    def sync_well(self, which: int) -> None:
        self._sync(self._handset(which))

    @rule(which=Which)
    def forget_the_cursor(self, which: int) -> None:
        """As after a restore of the clinic: what it is asked about it never said."""
        self._handset(which).phone._keep("cursor", "bm90IG91cnMgYXQgYWxs")

    @rule(which=Which)
    def back_up(self, which: int) -> None:
        handset = self._handset(which)
        handset.backup = handset.path.read_bytes(), handset.ahead

    @precondition(lambda self: any(handset.backup for handset in self.handsets))
    @rule(which=Which)
    def restore(self, which: int) -> None:
        handset = self._handset(which)
        if handset.backup:
            handset.phone.db.close()
            content, handset.ahead = handset.backup
            handset.path.write_bytes(content)
            self._reboot(handset)
            self._forget_unsaid(handset)

    @rule(which=Which, minutes=st.sampled_from(AHEAD))
    def set_the_clock(self, which: int, minutes: int) -> None:
        handset = self._handset(which)
        if not handset.phone.queued() and not handset.phone.conflicts():
            handset.ahead = timedelta(minutes=minutes)
            self._reboot(handset)

    @precondition(lambda self: self.arrived)
    @rule(which=Which)
    def an_old_request_arrives_again(self, which: int) -> None:
        old = self.arrived[which % len(self.arrived)]
        # As it was; or, where something in it was refused and may go differently by now, as a phone would repeat it.
        verbatim = all(result["outcome"] in STORED for result in old.results)
        self._push(old.patient, old.body if verbatim else old.now(self.clock.now))

    # What time and the clinic do.

    @rule(hours=st.sampled_from([0.01, 0.3, 1, 6, 24, 3 * 24, 15 * 24, 40 * 24]))
    def time_passes(self, hours: float) -> None:
        self.clock.now += timedelta(hours=hours)

    @rule(which=Which, deed=st.sampled_from(["pause", "resume", "revise", "hand over", "hand over", "end"]))
    def the_therapist_acts(self, which: int, deed: str) -> None:
        owner, now = self.people[which % 2], self.clock.now
        running, draft = owner.programs
        today = now.astimezone(owner.zone).date()
        try:
            with self.database.writing() as tx:
                if deed == "pause":
                    span = {"from_on": today - DAY, "to_on": today + 5 * DAY, "reason": PauseReason.HOLIDAY}
                    programs.pause(tx, self.ines, running, **span, now=now)  # type: ignore[arg-type]
                elif deed == "resume":
                    programs.resume(tx, self.ines, running, now=now)
                elif deed == "revise":
                    (phase,) = a_draft(a_dosage(sets=which % 4 + 1), a_dosage()).phases
                    version = prescribing.course(tx, self.ines, running).program.version
                    said = prescribing.RevisionDraft(phases=[phase])
                    prescribing.revise(tx, self.ines, running, said, ALL_WARNINGS, version=version, now=now)
                elif deed == "hand over":
                    handed_over(tx, self.ines, draft, now=now)
                elif which % 5 == 0:
                    programs.stop(tx, self.ines, running, reason="not_helping", now=now)
        except Refusal:
            pass

    @rule(which=Which, session=Which, gone=st.booleans())
    def the_clinic_corrects_a_session(self, which: int, session: int, gone: bool) -> None:
        owner = self.people[which % 2]
        if not owner.said:
            return
        session_id = list(owner.said)[session % len(owner.said)]
        versions = owner.said[session_id]
        body = next(version for version in reversed(versions) if version is not None)
        program_id = UUID(body["program_id"])
        with self.database.writing() as tx:
            if gone:
                item: Any = Deletion(id=UUID(session_id), base_version=len(versions), program_id=program_id)
            else:
                at, day = owner.moments[session_id]
                body = body | {
                    "performed_at": at.isoformat(), "local_date": day.isoformat(), "note": f"rung up, {len(versions)}",
                }  # fmt: skip
                item = SessionIn.model_validate(body).as_report(UUID(session_id), len(versions))
            (result,) = record_sessions(tx, self.ines, [item], now=self.clock.now)
        if result.outcome in {Outcome.UPDATED, Outcome.DELETED}:
            versions.append(None if gone else body)
        else:
            assert result.outcome is Outcome.UNCHANGED, result.refusal
        assert result.version == len(versions)

    # What must hold at any time.

    @invariant()
    def every_answer_fits_what_was_said_before(self) -> None:
        """One outcome an item, and each version in its turn: so nothing is doubled, and nothing is answered that is
        not so.
        """
        while self.seen < len(self.arrived):
            delivery = self.arrived[self.seen]
            self.seen += 1
            owner = self.people[delivery.patient]
            for item, result in zip(delivery.body["items"], delivery.results, strict=True):
                assert result["id"] == item["id"]
                self._account(owner, item, result)

    def _account(self, owner: Person, item: Json, result: Json) -> None:
        outcome, body = result["outcome"], item.get("session")
        event(f"answered {outcome}", payload=result["problem"]["code"] if result["problem"] else "")
        owner.alarmed |= {one.said for one in alarms((body or {}).get("chips", [])) if one.kind is FlagKind.RED_FLAG}
        versions = owner.said.get(item["id"], [])
        assert result["retryable"] == (outcome == "deferred")
        if outcome in {"created", "updated", "deleted"}:
            assert (outcome == "created") == (not versions)
            assert (outcome == "deleted") == (body is None)
            assert result["version"] == len(versions) + 1
            owner.said[item["id"]] = [*versions, body]
        elif outcome == "unchanged":
            assert result["version"] == len(versions)
            assert any(alike(body, version) for version in versions)
        elif outcome == "conflict":
            assert result["version"] == len(versions)
            assert result["session"]["version"] == len(versions)
        else:
            code = result["problem"]["code"]
            assert code in EXPECTED[outcome], item
            # A draft that was handed over begins that day; what was logged for it before is too early.
            assert code != "before_program" or UUID(item["session"]["program_id"]) == owner.programs[1]

    @invariant()
    def the_clinic_holds_as_many_sessions_as_were_created(self) -> None:
        with self.database.reading() as tx:
            counted = tx.scalar(select(func.count()).select_from(SessionLog).where(self._ours(SessionLog)))
        assert counted == sum(len(person.said) for person in self.people)

    # How every story ends.

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None and hasattr(self, "handsets"):
                self._come_to_rest()
                self._check_the_clinic()
                self._check_the_phones()
                self._repeat_everything()
                self._recount()
        finally:
            for handset in getattr(self, "handsets", []):
                handset.phone.db.close()
                handset.phone.http.close()
            self.outer.rollback()
            self.connection.close()
            self.folder.cleanup()

    def _come_to_rest(self) -> None:
        with self.database.writing() as tx:
            for person in self.people:
                if prescribing.course(tx, self.ines, person.programs[1]).program.activated_at is None:
                    handed_over(tx, self.ines, person.programs[1], now=self.clock.now)
        for turn in range(4):
            for handset in self.handsets:
                for session_id in handset.phone.conflicts():
                    (handset.phone.keep_mine if turn % 2 == 0 else handset.phone.take_theirs)(session_id)
                self._sync(handset)
                self.every_answer_fits_what_was_said_before()
        for handset in self.handsets:
            assert handset.phone.queued() == []
            assert handset.phone.conflicts() == []

    def _check_the_clinic(self) -> None:
        """Every version that was acknowledged is there as it was said, and no other."""
        with self.database.reading() as tx:
            held = {
                (row.patient_id, str(row.id)): row
                for row in tx.scalars(select(SessionLog).where(self._ours(SessionLog)))
            }
            past: dict[tuple[UUID, str], dict[int, SessionVersion]] = {key: {} for key in held}
            for row in tx.scalars(select(SessionVersion).where(self._ours(SessionVersion))):
                past[row.patient_id, str(row.session_id)][row.version] = row
            entries: dict[tuple[UUID, str], int] = dict.fromkeys(held, 0)
            for entry in tx.scalars(select(SessionEntry).where(self._ours(SessionEntry))):
                entries[entry.patient_id, str(entry.session_id)] += 1
        assert held.keys() == {(person.id, session_id) for person in self.people for session_id in person.said}
        for person in self.people:
            for session_id, versions in person.said.items():
                key = person.id, session_id
                assert held[key].version == len(versions)
                assert sorted(past[key]) == list(range(1, len(versions)))
                for number, body in enumerate(versions, 1):
                    content = past[key][number].content if number < len(versions) else plain(held[key])
                    check(content, body, person.moments[session_id])
                latest = versions[-1]
                if latest is None:
                    assert entries[key] == 0
                elif latest["done"] == "all" and UUID(latest["program_id"]) == person.programs[0]:
                    day = person.moments[session_id][1]
                    assert entries[key] >= (1 if day.weekday() < 5 else 0)

    def _check_the_phones(self) -> None:
        """Every phone of a patient shows the same, what the clinic holds, and nothing a patient entered is gone."""
        for handset in self.handsets:
            rows = handset.phone.db.execute("select id, version, deleted from session")
            known = {session_id: (version, bool(deleted)) for session_id, version, deleted in rows}
            said = handset.owner.said
            assert known == {session_id: (len(said[session_id]), said[session_id][-1] is None) for session_id in said}
            shown = handset.phone.sessions()
            for session_id, body in shown.items():
                latest = said[session_id][-1]
                assert latest is not None
                check(body, latest, handset.owner.moments[session_id])
            refused = {item["id"] for item, _ in handset.phone.refused()}
            assert handset.entered <= said.keys() | refused
            pulled = dict(handset.phone.db.execute("select id, json_extract(body, '$.version') from program"))
            with self.database.reading() as tx:
                for program_id in handset.owner.programs:
                    version = prescribing.course(tx, self.ines, program_id).program.version
                    assert pulled.pop(str(program_id)) == version
            assert pulled == {}
        first, second, _ = (handset.phone.sessions() for handset in self.handsets)
        assert first == second

    def _repeat_everything(self) -> None:
        before = self._everything()
        for old in list(self.arrived):
            items = [
                (item, result)
                for item, result in zip(old.body["items"], old.results, strict=True)
                # What was put off and is on no phone any more is nobody's to repeat.
                if result["outcome"] != "deferred" or item["id"] in self.people[old.patient].said
            ]
            body = old.now(self.clock.now) | {"items": [item for item, _ in items]}
            for (item, was), now in zip(items, self._push(old.patient, body), strict=True):
                allowed = AGAIN.get(was["outcome"], {"unchanged"})
                assert now["outcome"] in allowed, (item, was, now)
        self.every_answer_fits_what_was_said_before()
        assert self._everything() == before

    def _recount(self) -> None:
        with self.database.writing() as tx:
            mine = tx.scalars(visible_programs(self.ines)).all()
            differing = sweep.misjudged(tx, self.ines.clinic_id, [one.id for one in mine])
            tx.rollback()
        assert differing == []
        with self.database.reading() as tx:
            for person in self.people:
                flag = tx.scalars(
                    select(Flag).where(
                        Flag.clinic_id == self.ines.clinic_id, Flag.about_id == person.id,
                        Flag.kind == FlagKind.RED_FLAG, Flag.closed_at.is_(None),
                    )
                ).one_or_none()  # fmt: skip
                told = {words for answer in flag.evidence["answers"] for words in answer["said"]} if flag else set()
                assert told == person.alarmed

    # Helpers.

    def _a_moment(self, zone: ZoneInfo, now: datetime, days: int, hour: time) -> tuple[datetime, date]:
        day = now.astimezone(zone).date() - timedelta(days=days)
        at = min(datetime.combine(day, hour, zone).astimezone(UTC), now)
        return at, at.astimezone(zone).date()

    def _known(self, handset: Handset) -> list[str]:
        """What the patient can change, as it was logged: ids are made at random, a story must be told twice alike."""
        shown = handset.phone.sessions().keys() - set(handset.phone.conflicts())
        return [session_id for session_id in handset.owner.moments if session_id in shown]

    def _handset(self, which: int) -> Handset:
        return self.handsets[which % len(self.handsets)]

    def _booted(self, path: Path, wire: Wire, ahead: timedelta) -> Mortal:
        http = httpx.Client(transport=wire, base_url="http://test/v1")
        phone = Mortal(path, http, lambda: self.clock.now + ahead, Random(0))
        phone.db.execute("pragma synchronous = off")  # nobody cuts the power here
        return phone

    def _reboot(self, handset: Handset) -> None:
        handset.phone.db.close()
        handset.phone.http.close()
        handset.phone = self._booted(handset.path, handset.wire, handset.ahead)

    def _sync(self, handset: Handset) -> None:
        try:
            wait = handset.phone.sync()
        except SignedOutError:
            # Its refresh token is too old, or was used by a life it does not remember.
            handset.wire.ahead = []
            self._invite(handset)
            wait = handset.phone.sync()
        assert 0 <= wait <= 300
        if wait == 0:
            assert not [
                item for item in handset.phone.queued() if item["op"] == "put" and not self._waits(handset, item)
            ]

    def _waits(self, handset: Handset, item: Json) -> bool:
        """Whether an item rests on the program that is not handed over yet."""
        return bool(item["session"]["program_id"] == str(handset.owner.programs[1]))

    def _invite(self, handset: Handset) -> None:
        with self.database.writing() as tx:
            _, code = patients.invite(tx, self.ines, handset.owner.id, now=self.clock.now)
        handset.phone.sign_in(code, BORN.isoformat())

    def _push(self, patient: int, body: Json) -> list[Json]:
        handset = next(one for one in self.handsets if one.owner.number == patient)
        seen = len(self.arrived)
        try:
            answer = handset.phone._call("POST", "/sync/push", json=body)
        except SignedOutError:
            self._invite(handset)
            answer = handset.phone._call("POST", "/sync/push", json=body)
        assert answer.status_code == 200, answer.text
        assert len(self.arrived) == seen + 1
        results: list[Json] = answer.json()["results"]
        return results

    def _forget_unsaid(self, handset: Handset) -> None:
        """What was taken back, or forgotten by a restore, before it was ever sent, the clinic cannot know."""
        phone = handset.phone
        somewhere = {item["id"] for item in phone.queued()} | {item["id"] for item, _ in phone.refused()}
        handset.entered &= somewhere | handset.owner.said.keys() | set(phone.conflicts())

    def _ours(self, table: Any) -> Any:
        return table.clinic_id == self.ines.clinic_id

    def _everything(self) -> list[Any]:
        with self.database.reading() as tx:
            return [
                sorted(
                    (tuple(plain(row).items()) for row in tx.scalars(select(table).where(self._ours(table)))), key=repr
                )
                for table in (SessionLog, SessionVersion, SessionEntry)
            ]


def _words(dice: Random) -> Json:
    said: Json = {"pain_during": dice.randrange(11), "chips": dice.sample(CHIPS, dice.choice((0, 0, 1, 2)))}
    said |= {"note": f"note {dice.randrange(3)}"} if dice.random() < 0.5 else {}
    return said | ({"ext": {"dice": dice.randrange(3)}} if dice.random() < 0.3 else {})


def _which(dice: Random) -> int:
    return dice.randrange(1000)


def _wrong(dice: Random) -> Json:
    return {"pain_after": 99} if dice.random() < 0.05 else {}


def _log(stories: PhonesAndClinic, dice: Random) -> None:
    stories.log(
        which=_which(dice),
        draft=_which(dice),
        days=dice.randrange(3),
        hour=dice.choice(HOURS),
        beside=dice.random() < 0.5,
        done=dice.choice(("all", "all", "some", "none")),
        words=_words(dice),
        wrong=_wrong(dice),
        entry=dice.random() < 0.3,
    )


def _amend(stories: PhonesAndClinic, dice: Random) -> None:
    stories.amend(which=_which(dice), session=_which(dice), words=_words(dice), done={}, wrong=_wrong(dice))


def _sync(stories: PhonesAndClinic, dice: Random) -> None:
    troubles = dice.choices(list(Trouble), [5, 1, 2, 1, 1], k=4) if dice.random() < 0.6 else []
    lives = dice.randrange(12) if dice.random() < 0.2 else None
    stories.sync(which=_which(dice), troubles=troubles, batch=dice.choice((1, 2, 200)), lives=lives)


def _clinic(stories: PhonesAndClinic, dice: Random) -> None:
    if dice.random() < 0.5:
        stories.the_clinic_corrects_a_session(which=_which(dice), session=_which(dice), gone=dice.random() < 0.3)
    else:
        deed = dice.choice(("pause", "resume", "revise", "revise", "hand over", "end"))
        stories.the_therapist_acts(which=_which(dice), deed=deed)


def _time(stories: PhonesAndClinic, dice: Random) -> None:
    stories.time_passes(hours=dice.choice((0.01, 0.3, 1, 6, 24, 24, 72, 360)))


def _again(stories: PhonesAndClinic, dice: Random) -> None:
    if stories.arrived:
        stories.an_old_request_arrives_again(which=_which(dice))


def _backup(stories: PhonesAndClinic, dice: Random) -> None:
    which = _which(dice)
    (stories.restore if stories.handsets[which % 3].backup and dice.random() < 0.6 else stories.back_up)(which=which)


DEEDS = (
    *(_log, _log, _log, _log, _amend, _amend, _amend, _amend, _sync, _sync, _sync, _sync, _sync, _sync),
    lambda stories, dice: stories.take_back(which=_which(dice), session=_which(dice)),
    lambda stories, dice: stories.decide(which=_which(dice), mine=dice.random() < 0.7),
    *(_clinic, _time, _time, _again, _backup),
)


def plain(row: Any) -> Json:
    """A row's columns."""
    return {column.key: getattr(row, column.key) for column in type(row).__table__.columns}


def instant(said: str | datetime) -> datetime:
    return (datetime.fromisoformat(said) if isinstance(said, str) else said).astimezone(UTC)


def check(content: Json, body: Json | None, moment: tuple[datetime, date]) -> None:
    """A stored version says what was said, and when it really was."""
    if body is None:
        assert content["deleted_at"] is not None
        return
    assert content.get("deleted_at") is None
    assert {name: content.get(name) for name in PLAIN} == {name: body.get(name) for name in PLAIN}
    assert set(content.get("chips", [])) == set(body.get("chips", []))
    assert (instant(content["performed_at"]), str(content["local_date"])) == (moment[0], moment[1].isoformat())


def alike(one: Json | None, other: Json | None) -> bool:
    """Whether two bodies say the same."""
    if one is None or other is None:
        return one is other
    return canonical(one) == canonical(other)


def canonical(body: Json) -> Json:
    said = {name: value for name, value in body.items() if value not in (None, [])}
    said["performed_at"] = instant(body["performed_at"])
    said["chips"] = sorted(set(body.get("chips", [])))
    entries = [
        {name: value for name, value in entry.items() if value not in (None, False)}
        for entry in body.get("entries", [])
    ]
    return said | {"entries": sorted(entries, key=lambda entry: str(entry["line_id"]))}


MANY = int(os.environ.get("FOLLOWTHROUGH_STORIES", "0"))
"""So many stories instead of the few that a test run has time for."""


def test_phones_and_the_clinic_agree_in_the_end(
    kind: str, engine: Engine, app: FastAPI, portal: BlockingPortal
) -> None:
    on_this = type("OnThis", (PhonesAndClinic,), {"engine": engine, "app": app, "portal": portal})
    run_state_machine_as_test(
        on_this,
        settings=settings(
            max_examples=MANY or (20 if kind == "sqlite" else 10),
            stateful_step_count=20,
            deadline=None,
            # A story takes a second; making a failing one shorter takes minutes: only where many are asked for.
            phases=tuple(Phase) if MANY else (Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
