"""Telling the demo clinic's stories through the ordinary operations, each deed at the moment it was done.

Deterministic: the same day gives the same clinic. Nothing is written as rows; the worklist that comes out is what
the engine makes of these sessions.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from models.adherence.kinds import FlagKind
from models.operations import (
    accounts,
    checking,
    findings,
    handling,
    measures,
    outreach,
    patients,
    prescribing,
    programs,
    protocols,
    sessions,
    sign_ins,
    sweep,
)
from models.operations.callers import Caller, identify
from models.operations.credentials import hash_password
from models.operations.reporting.basis import SMALLEST_CELL
from models.operations.worklist import Wanted, worklist
from models.safety.red_flags import RED_FLAGS
from models.safety.rules import RULES
from models.tables import Channel, Clinic, ConditionStatus, DoneShare, PauseReason, Reached, Role

SEED = 1121
PEOPLE: dict[str, Any] = json.loads((Path(__file__).parent / "people.json").read_text(encoding="utf-8"))
PATIENTS = len(PEOPLE["patients"])
PASSWORD: str = PEOPLE["password"]
FLARING = frozenset({"ra-spine-safe", "lupus-joint-protective"})
"""Protocols whose patients get a plan for flare days."""
WARNINGS_READ = checking.Answers(acknowledged=tuple(RULES))
REVIEW_DAYS = (27, 55, 83)
CLEARED: dict[str, dict[str, str]] = {
    "sle": {"sun_plan_on": "2025-01-15"},
    "ra": {"neck_status": "unknown"},
    "corticosteroid-long-term": {"bone_status": "low", "bone_status_on": "2025-01-15"},
}
"""What the demo's patients told of a condition, beside having it."""
CALLED_AGO = timedelta(hours=2)
CALLS = (
    (Reached.NO_ANSWER, "Call again after work"),
    (Reached.REACHED_AGREED, None),
    (Reached.REACHED_CHANGED_PLAN, "Send the shorter plan"),
)
MAINTENANCE_DAYS = frozenset({0, 2, 4})


@dataclass(slots=True)
class _Story:
    """One patient's weeks as they are told."""

    tx: Session
    therapist: Caller
    now: datetime
    random: Random
    told: Mapping[str, Any]
    zone: ZoneInfo
    starts_on: date
    caller: Caller | None = None
    program_id: UUID | None = None
    maintenance_id: UUID | None = None
    deeds: list[tuple[datetime, Callable[[datetime], None]]] = field(default_factory=list)

    @property
    def days(self) -> int:
        return (self.now.astimezone(self.zone).date() - self.starts_on).days

    def at(self, day: int, hour: float) -> datetime:
        """An instant on the program's `day` (from 0), local time."""
        noon = datetime.combine(self.starts_on + timedelta(days=day), time(), self.zone)
        return (noon + timedelta(hours=hour)).astimezone(UTC)

    def then(self, moment: datetime, deed: Callable[[datetime], None]) -> None:
        if moment <= self.now:
            self.deeds.append((moment, deed))


def build(tx: Session, now: datetime) -> Iterator[str]:
    """Build the demo clinic, all in one transaction; yields each patient's name when their story is told."""
    began = now - timedelta(days=90)
    clinic = accounts.create_clinic(tx, **PEOPLE["clinic"], is_demo=True, shares_caseloads=True, now=began)
    clinic.settings = {SMALLEST_CELL: 0}  # nobody in it is real: its reports may show every number
    staff = [_staff(tx, clinic, member, began) for member in PEOPLE["staff"]]
    therapists = [caller for caller in staff if caller.role is Role.THERAPIST]
    for number, person in enumerate(PEOPLE["patients"]):
        _tell(tx, therapists[number % len(therapists)], person, Random(SEED + number), clinic, now)
        yield f"{person[0]} {person[1]}"
    while sweep.announce_due(tx, clinic.id, now=now, silently=True):
        tx.flush()  # the next batch must see this one as announced
    _reach_out(tx, therapists[0], now)


def _reach_out(tx: Session, therapist: Caller, now: datetime) -> None:
    """Calls of the morning about the gravest silences, and one more flag taken on."""
    silent = worklist(tx, therapist, wanted=Wanted(kinds=[FlagKind.SILENCE]), limit=len(CALLS) + 1, now=now)
    for row, (outcome, next_step) in zip(silent, CALLS, strict=False):
        draft = outreach.OutreachDraft(
            channel=Channel.PHONE, outcome=outcome, flag_id=row.flag_id, next_step=next_step, at=now - CALLED_AGO
        )
        outreach.reach_out(tx, therapist, row.patient_id, draft, now=now)
    for row in silent[len(CALLS) :]:
        handling.acknowledge(tx, therapist, row.flag_id, now=now)


def _staff(tx: Session, clinic: Clinic, member: Mapping[str, str], now: datetime) -> Caller:
    role = Role(member["role"])
    account = accounts.create_staff(
        tx,
        clinic.id,
        role=role,
        name=member["name"],
        email=member["email"],
        # Printed for everyone to read: the rules of passwords would protect nothing.
        password_hash=hash_password(PASSWORD),
        now=now,
    )
    return Caller(
        clinic_id=clinic.id,
        account_id=account.id,
        role=role,
        name=account.name,
        shares_caseloads=clinic.shares_caseloads,
    )


def _tell(tx: Session, therapist: Caller, person: list[Any], random: Random, clinic: Clinic, now: datetime) -> None:
    given, family, born, kind, protocol, days_ago = person
    told = PEOPLE["stories"][kind]
    zone = ZoneInfo(clinic.time_zone)
    story = _Story(
        tx=tx,
        therapist=therapist,
        now=now,
        random=random,
        told=told,
        zone=zone,
        starts_on=now.astimezone(zone).date() - timedelta(days=days_ago),
    )
    _prescribe(story, given, family, date(born, 1 + random.randrange(12), 1 + random.randrange(28)), protocol)
    _exercise(story)
    _pause(story)
    _review(story)
    _discharge(story, protocol)
    for moment, deed in sorted(story.deeds, key=lambda planned: planned[0]):
        deed(moment)


def _prescribe(story: _Story, given: str, family: str, born: date, protocol: str) -> None:
    """First visit: record, screening, program, and the invitation used on the spot."""
    tx, therapist, visit = story.tx, story.therapist, story.at(0, 9)
    mail = f"{given}.{family}@mail.example".lower().replace(" ", "")
    patient = patients.create_patient(
        tx,
        therapist,
        patients.PatientDraft(
            given_name=given,
            family_name=family,
            birth_date=born,
            email=mail,
            phone=f"+49 30 555 {story.random.randrange(10_000):04d}",
            minutes_available=story.random.choice([15, 20, 30]),
            preferences={"time": story.random.choice(["morning", "evening"])},
        ),
        now=visit,
    )
    patients.record_screening(tx, therapist, patient.id, dict.fromkeys(RED_FLAGS, False), None, now=visit)
    _examine(story, patient.id, protocol, visit)
    flare = prescribing.Flare(protocol="ra-flare-day") if protocol in FLARING else None
    draft = prescribing.ProgramDraft(protocol=protocol, starts_on=story.starts_on, flare=flare)
    story.program_id = prescribing.create_program(tx, therapist, patient.id, draft, now=visit).id
    programs.activate(tx, therapist, story.program_id, WARNINGS_READ, now=visit)
    _, code = patients.invite(tx, therapist, patient.id, now=visit)
    tokens = sign_ins.redeem(tx, code, born, "demo phone", address="", now=visit)
    assert isinstance(tokens, sign_ins.Tokens)
    tx.flush()  # the token must be there to be recognized
    story.caller = identify(tx, tokens.access, visit)


def _examine(story: _Story, patient_id: UUID, protocol: str, visit: datetime) -> None:
    """What the protocol is for, and a baseline."""
    tx, therapist = story.tx, story.therapist
    for code in protocols.template(tx, therapist, protocol).conditions:
        if code == "ra-cervical-instability":
            continue  # what the neck status would say
        said = findings.ConditionDraft(code=code, status=ConditionStatus.CONFIRMED, details=CLEARED.get(code, {}))
        findings.record_condition(tx, therapist, patient_id, said, now=visit)
    examined = findings.ExaminationDraft(
        pain=story.random.randrange(3, 7),
        function=float(story.random.randrange(3, 7)),
        confidence=story.random.randrange(7, 11),
        tests={"sit_to_stand_30s": story.random.randrange(8, 16)},
    )
    findings.examine(tx, therapist, patient_id, examined, now=visit)


def _review(story: _Story) -> None:
    """A review every four weeks, but for those whose phones bring everything late: theirs is overdue."""
    if "sends_on" in story.told:
        return
    for day in REVIEW_DAYS:
        if day < story.told.get("discharged_after", story.days + 1):
            story.then(story.at(day, 11), partial(_reviewed, story))


def _reviewed(story: _Story, now: datetime) -> None:
    """A review, and the red-flag questions asked anew."""
    assert story.program_id is not None
    programs.review(story.tx, story.therapist, story.program_id, note=None, next_review_on=None, now=now)
    patient_id = prescribing.course(story.tx, story.therapist, story.program_id).program.patient_id
    patients.record_screening(story.tx, story.therapist, patient_id, dict.fromkeys(RED_FLAGS, False), None, now=now)


def _exercise(story: _Story) -> None:
    """Day by day: whether the patient exercised, and what they said."""
    told, random = story.told, story.random
    silent_from = told.get("stops_after", told.get("discharged_after", story.days + 1))
    for day in range(story.days + 1):
        habit = told["habit"]
        if "fades_to" in told:
            habit += (told["fades_to"] - habit) * min(1.0, day / max(1, story.days * 0.8))
        reports = "chip" in told and day == story.days - told["chip_days_ago"]
        exercised = (random.random() < habit or reports) and not _is_away(story, day)
        hour, wait = 7 + random.random() * 12, 0.1 + random.random() * 3
        said = _words(story, day) | ({"chips": [told["chip"]]} if reports else {})
        if not exercised or day >= silent_from:
            continue
        done_at = story.at(day, hour)
        if "sends_on" in told:
            # The phone finds a network once a week and brings everything.
            weekday = (story.starts_on + timedelta(days=day)).weekday()
            sent = story.at(day + (told["sends_on"] - weekday) % 7, 21)
        else:
            sent = done_at + timedelta(hours=wait)
        story.then(sent, _logging(story, day, done_at, said))
    if "last_word" in told:
        _last_words(story, told["stops_after"])


def _words(story: _Story, day: int) -> dict[str, Any]:
    """What is said of an ordinary session: pain that eases over the weeks, mostly all done."""
    random = story.random
    pain = max(0, min(5, round(4 - 3 * day / 60 + random.uniform(-1, 1))))
    share = DoneShare.ALL if random.random() < 0.75 else DoneShare.SOME
    return {
        "done": share,
        "pain_during": pain,
        "pain_before": min(10, pain + random.choice([0, 0, 1])),
        "effort": random.randrange(3, 7),
        "keep": random.uniform(0.5, 1.0),
    }


def _logging(
    story: _Story, day: int, done_at: datetime, said: dict[str, Any], *, maintenance: bool = False
) -> Callable[[datetime], None]:
    session_id = UUID(int=story.random.getrandbits(128), version=4)

    def log(now: datetime) -> None:
        assert story.caller is not None
        program_id = story.maintenance_id if maintenance else story.program_id
        assert program_id is not None
        words = {key: value for key, value in said.items() if key != "keep"}
        local = story.starts_on + timedelta(days=day)
        entries: list[sessions.EntryReport] = []
        if words["done"] is DoneShare.SOME:
            lines = prescribing.course(story.tx, story.caller, program_id).lines_on(local)
            kept = lines[: max(1, round(len(lines) * said["keep"]))]
            entries = [sessions.EntryReport(line_id=item.line_id) for item in kept]
        report = sessions.SessionReport(
            id=session_id,
            program_id=program_id,
            performed_at=done_at,
            time_zone=story.zone.key,
            local_date=local,
            entries=entries,
            **words,
        )
        result = sessions.record_sessions(story.tx, story.caller, [report], now=now)[0]
        if result.refusal is not None:
            raise result.refusal

    return log


def _last_words(story: _Story, day: int) -> None:
    """The days before silence: a session that hurt, if it did, and the reason given for not going on."""
    if "pain" in story.told:
        hurt = {"done": DoneShare.SOME, "pain_during": story.told["pain"], "effort": 7, "keep": 0.5}
        done_at = story.at(day, 17)
        story.then(done_at + timedelta(hours=1), _logging(story, day, done_at, hurt))
    reason = story.told["last_word"]
    said = {"done": DoneShare.NONE, "reason": reason}
    told_at = story.at(day + 2, 19)
    story.then(told_at, _logging(story, day + 2, told_at, said))


def _paused_days(story: _Story) -> tuple[int, int] | None:
    """Days from and to, counted from 0: some are back, one is away now."""
    if "pause" not in story.told:
        return None
    away = 9 if story.told["pause"] == "flare" else 13
    first = story.days - 5 if story.days % 3 == 0 else story.days // 2
    return first, first + away


def _is_away(story: _Story, day: int) -> bool:
    """On a declared pause, or away without a word. In a flare the plan for it is done."""
    paused = None if story.told.get("pause") == "flare" else _paused_days(story)
    return any(away and away[0] <= day <= away[1] for away in (paused, story.told.get("away")))


def _pause(story: _Story) -> None:
    paused = _paused_days(story)
    if paused is None:
        return
    first, last = (story.starts_on + timedelta(days=day) for day in paused)

    def declare(now: datetime) -> None:
        assert story.caller is not None
        assert story.program_id is not None
        if story.told["pause"] == "flare":
            programs.declare_flare(
                story.tx, story.caller, story.program_id, from_on=first, to_on=last, joints=["knee"], note=None, now=now
            )
            return
        reason = PauseReason(story.told["pause"])
        programs.pause(story.tx, story.caller, story.program_id, from_on=first, to_on=last, reason=reason, now=now)

    story.then(story.at(paused[0], 6), declare)


def _discharge(story: _Story, protocol: str) -> None:
    """Discharged to maintenance; one goes on three times a week, the other lets it slip after three weeks."""
    last_day = story.told.get("discharged_after")
    if last_day is None:
        return

    def discharge(now: datetime) -> None:
        assert story.program_id is not None
        patient_id = prescribing.course(story.tx, story.therapist, story.program_id).program.patient_id
        patients.record_screening(story.tx, story.therapist, patient_id, dict.fromkeys(RED_FLAGS, False), None, now=now)
        maintenance = prescribing.ProgramDraft(protocol=protocol)
        following = programs.discharge(story.tx, story.therapist, story.program_id, maintenance, WARNINGS_READ, now=now)
        assert following is not None
        story.maintenance_id = following.id

    story.then(story.at(last_day, 10), discharge)
    goes_on = story.days % 2 == 1
    story.then(story.at(last_day + 31, 19), partial(_check_in, story, well=goes_on))
    until = story.days if goes_on else last_day + 21
    for day in range(last_day + 1, until + 1):
        if (story.starts_on + timedelta(days=day)).weekday() in MAINTENANCE_DAYS:
            done_at = story.at(day, 18)
            said = _words(story, day)
            story.then(done_at + timedelta(hours=1), _logging(story, day, done_at, said, maintenance=True))


def _check_in(story: _Story, now: datetime, *, well: bool) -> None:
    """The first check-in: all is well with who goes on; with who let it slip the pain is back."""
    caller = story.caller
    assert caller is not None
    assert caller.patient_id is not None
    first = measures.check_ins_of(story.tx, caller, caller.patient_id)[0]
    answers = measures.Answers(
        pain=1 if well else 4,
        recurrence=not well,
        days_exercised=3 if well else 0,
        confidence=8 if well else 4,
        wants_contact=not well,
    )
    measures.answer_check_in(story.tx, caller, caller.patient_id, first.id, answers, now=now)
