"""Check-ins, weekly questions and measures: what is asked, what was answered, and what changed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from math import isfinite
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from models.adherence.kinds import FlagKind, Severity
from models.adherence.measures import (
    MEASURES,
    MUCH_WORSE,
    PAIN_SEVERE,
    PSYCHOSOCIAL_ITEMS,
    Bounds,
    Direction,
    Measure,
    Risk,
    Score,
    bounds,
    direction,
    examined,
    function_of,
    risk,
    scores_of,
    sentence,
    wrong,
)
from models.adherence.rules.care import measure_worse
from models.adherence.weeks import monday_of
from models.adherence.wording import pain_words, short_day
from models.database import insert_for
from models.operations.callers import Caller
from models.operations.courses import courses
from models.operations.flags import Because, Heard, keep_about_patient, raise_alarms
from models.operations.ids import new_id
from models.operations.patients import patient
from models.operations.policy import SOURCE, visible_patients
from models.operations.prescribing import RUNNING
from models.operations.sessions import LOW_TRUST_AFTER, Outcome
from models.operations.standings import restate
from models.refusals import Conflict, Invalid, NotAllowed, NotAsked, Unknown
from models.safety.conditions import INFLAMMATORY
from models.safety.red_flags import (
    CONTACT_ADVICE,
    MESSAGE_ADVICE,
    RECURRENCE_ADVICE,
    SEVERE_ADVICE,
    UNREAD_ADVICE,
    Alarm,
    alarms,
    salvage,
)
from models.tables import (
    AnswerVersion,
    CheckIn,
    Condition,
    ConditionStatus,
    Examination,
    Measurement,
    Patient,
    Program,
    ProgramStatus,
    RejectedSession,
    Source,
    TakenFrom,
    WeeklyAnswer,
)

SHOWN_AHEAD = timedelta(days=7)
"""A check-in is on the phone from so long before it is due."""
OPENS_AHEAD = timedelta(days=14)
"""And may be answered from so long before, on the telephone for instance."""
AMENDED_WITHIN = timedelta(days=14)
"""How long a patient may change an answer, as a log; staff may at any time."""
WEEKS_BACK = timedelta(weeks=52)
"""How far back the weekly questions may be answered: a phone that was offline for months loses nothing."""
WEEK, DAY = timedelta(weeks=1), timedelta(days=1)
SERIES = 200
"""Points of one measure that are shown, the latest."""
BASELINE_LEAD = timedelta(days=14)
"""What was measured so long before a program was written is its baseline, as the screening of those days is (R-01)."""
LONG_AGO = date(1900, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What is said to the questions of a week or a check-in; what is left out was not answered.

    Scores lie within the ranges of their measures.
    """

    pain: int | None = None
    pain_worst: int | None = None
    function: Sequence[Mapping[str, Any]] = ()
    """Own activities, each {activity, score}, 0-10, 10 as before."""
    recurrence: bool | None = None
    """Pain of 2 or more of 10 for 24 hours or longer since last asked (RECUR19)."""
    days_exercised: int | None = None
    still_doing: Sequence[str] = ()
    sleep: int | None = None
    stress: int | None = None
    sitting_hours: float | None = None
    confidence: int | None = None
    global_change: int | None = None
    stiffness_minutes: int | None = None
    fatigue: int | None = None
    flare_days: int | None = None
    wants_contact: bool | None = None
    chips: Sequence[str] = ()
    note: str | None = None
    ext: Mapping[str, Any] | None = None

    def said(self) -> dict[str, Any]:
        """What was answered, by question."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        known |= {name: list(dict.fromkeys(known[name])) for name in ("chips", "still_doing")}
        known |= {"function": [dict(one) for one in self.function]}
        return {name: value for name, value in known.items() if value is not None and value not in ([], {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Answers that were not stored."""

    about: UUID | date | None
    """The check-in, or the Monday, as it was named; None: neither can be read."""
    raw: str
    """As they were sent."""
    said: object
    """As far as they can be read."""
    code: str
    """Why they were refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of answers, and what to tell the patient now, gravest first."""

    row: CheckIn | WeeklyAnswer
    outcome: Outcome
    advice: Sequence[str]
    safety_raised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a patient's phone should ask today."""

    check_ins: Sequence[CheckIn]
    """Due, overdue, or due within a week; of one discharge, only the latest that is due."""
    monday: date | None
    """The week whose questions are due; None where they are answered or no program runs."""
    inflammatory: bool
    """Whether the weekly questions ask about stiffness, fatigue and flares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementDraft:
    """One score as it is reported."""

    code: str
    score: float | None = None
    activities: Sequence[Mapping[str, Any]] = ()
    """Patient-specific function only, instead of the score: each {activity, score}."""
    psychosocial: int | None = None
    """STarT Back only: the subscale."""
    taken_on: date | None = None
    """The patient's local date; None is today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One score in a series."""

    taken_on: date
    score: float
    parts: Mapping[str, Any] | None
    source: TakenFrom
    risk: Risk | None = None
    """STarT Back only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One measure of one patient through time, oldest first, and what its change comes to."""

    measure: Measure
    points: Sequence[Point]
    baseline: Point
    """The first of the current or latest program; where there is none, the first of all."""
    latest: Point
    change: float | None
    bounds: Bounds
    direction: Direction
    says: str | None


# What is asked.


def questions_for(tx: Session, clinic_id: UUID, patient_id: UUID, today: date, *, running: bool) -> Due:
    """What to ask a patient on their local `today`: one statement, and one more while a program is `running`.

    A check-in whose follower is due is not asked any more: the same questions twice on one day tell nothing.
    """
    stmt = select(CheckIn).where(
        CheckIn.clinic_id == clinic_id, CheckIn.patient_id == patient_id, CheckIn.due_on <= today + SHOWN_AHEAD
    )
    asked = tx.scalars(stmt.order_by(CheckIn.due_on, CheckIn.id)).all()
    latest_due = {one.program_id: one.id for one in asked if one.due_on <= today}
    open_ = [one for one in asked if one.version == 0 and (one.due_on > today or latest_due[one.program_id] == one.id)]
    if not running:
        return Due(check_ins=open_, monday=None, inflammatory=False)
    monday = monday_of(today)
    answered = select(WeeklyAnswer.monday).where(
        WeeklyAnswer.clinic_id == clinic_id, WeeklyAnswer.patient_id == patient_id, WeeklyAnswer.monday == monday
    )
    inflamed = select(Condition.id).where(
        Condition.clinic_id == clinic_id,
        Condition.patient_id == patient_id,
        Condition.code.in_(INFLAMMATORY),
        Condition.status != ConditionStatus.RESOLVED,
    )
    is_answered, inflammatory = tx.execute(select(answered.exists(), inflamed.exists())).one()
    return Due(check_ins=open_, monday=None if is_answered else monday, inflammatory=bool(inflammatory))


def due_now(tx: Session, caller: Caller, patient_id: UUID, *, now: datetime) -> Due:
    """What to ask a patient in the caller's sight now."""
    known = patient(tx, caller, patient_id)
    running = select(Program.id).where(
        Program.clinic_id == known.clinic_id, Program.patient_id == known.id, Program.status.in_(RUNNING)
    )
    runs = tx.scalars(running.limit(1)).one_or_none() is not None
    return questions_for(tx, caller.clinic_id, known.id, _today(known, now), running=runs)


def check_ins_of(tx: Session, caller: Caller, patient_id: UUID) -> Sequence[CheckIn]:
    """A patient's check-ins after discharge, in the order they are due."""
    known = patient(tx, caller, patient_id)
    return tx.scalars(
        select(CheckIn)
        .where(CheckIn.clinic_id == known.clinic_id, CheckIn.patient_id == known.id)
        .order_by(CheckIn.due_on, CheckIn.id)
        .limit(500)
    ).all()


def weeks_of(tx: Session, caller: Caller, patient_id: UUID) -> Sequence[WeeklyAnswer]:
    """A patient's weekly answers, latest first: two years of them."""
    known = patient(tx, caller, patient_id)
    return tx.scalars(
        select(WeeklyAnswer)
        .where(WeeklyAnswer.clinic_id == known.clinic_id, WeeklyAnswer.patient_id == known.id)
        .order_by(WeeklyAnswer.monday.desc())
        .limit(104)
    ).all()


# What is answered.


def answer_check_in(
    tx: Session,
    caller: Caller,
    patient_id: UUID,
    check_in_id: UUID,
    answers: Answers,
    *,
    base_version: int | None = None,
    now: datetime,
) -> Answered:
    """Answer a check-in, or change its answers of `base_version`; the same again, however late, changes nothing."""
    said = _checked(answers)
    known = _held(tx, caller, patient_id)
    stmt = select(CheckIn).where(
        CheckIn.clinic_id == known.clinic_id, CheckIn.patient_id == known.id, CheckIn.id == check_in_id
    )
    # Read after the patient is held, and afresh: of two answers at once the second must see the first.
    found = tx.scalars(stmt.execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise Unknown(f"No check-in {check_in_id}.")
    today = _today(known, now)
    if today < found.due_on - OPENS_AHEAD:
        raise NotAsked(f"This check-in can be answered from {found.due_on - OPENS_AHEAD} on.")
    found.answered_on = found.answered_on or today
    return _keep(tx, caller, known, found, said, base_version, now)


def answer_week(
    tx: Session,
    caller: Caller,
    patient_id: UUID,
    monday: date,
    answers: Answers,
    *,
    base_version: int | None = None,
    now: datetime,
) -> Answered:
    """Answer the questions of the week that begins on `monday`, or change the answers of `base_version`.

    The same again, however late, changes nothing. The red-flag chips among them open their flags at once; pain, which
    is the average of a week and not the pain during an exercise, only where it is severe (`PAIN_SEVERE`).
    """
    if monday.weekday() != 0:
        raise Invalid("A week is named by its Monday.", field="/monday")
    said = _checked(answers)
    known = _held(tx, caller, patient_id)
    key = {"clinic_id": known.clinic_id, "patient_id": known.id, "monday": monday}
    found = tx.get(WeeklyAnswer, key, populate_existing=True)
    row = found or _new_week(tx, caller, known, monday, now)
    return _keep(tx, caller, known, row, said, base_version, now)


def keep_refused(
    tx: Session, caller: Caller, patient_id: UUID, refused: Refused, *, now: datetime
) -> tuple[bool, list[str]]:
    """Keep refused answers as they were sent, once; what a therapist must hear of is heard all the same.

    Returns whether safety was raised, and what to tell the patient.
    """
    known = patient(tx, caller, patient_id, lock=True)
    heard = _alarms(_salvaged(refused.said), _period(refused.about))
    if isinstance(refused.said, dict) and refused.said.get("note"):
        # The message is not with the answers: it can only be asked for.
        words = "left a message that could not be stored; ask for it"
        heard.append(Alarm(FlagKind.CONTACT_WANTED, Severity.LOW, words, UNREAD_ADVICE))
    raised = any(_is_safety(alarm) for alarm in heard)
    about = "answers" if refused.about is None else f"{_asked(refused.about)} {refused.about}"
    named = refused.about if isinstance(refused.about, UUID) else None
    row = {
        "clinic_id": known.clinic_id,
        "id": new_id(now),
        "account_id": caller.account_id,
        "patient_id": known.id,
        "session_id": named or UUID(bytes=sha256(f"{known.id} {about} {refused.raw}".encode()).digest()[:16]),
        "about": about,
        "body": refused.raw,
        "content_hash": sha256(refused.raw.encode()).digest(),
        "code": refused.code,
        "safety_raised": raised,
        "received_at": now,
    }
    tx.execute(insert_for(tx, RejectedSession).on_conflict_do_nothing(), [row])
    if heard:
        source = str(refused.about or row["session_id"])
        raise_alarms(tx, known.clinic_id, known.id, [Heard(source, _today(known, now), heard)], now=now)
    return raised, _advice(heard)


# What is measured.


def record_measurement(
    tx: Session, caller: Caller, patient_id: UUID, draft: MeasurementDraft, *, now: datetime
) -> Measurement:
    """Keep a score that was taken in the clinic, or that a patient reports."""
    if draft.code not in MEASURES:
        raise Invalid(f"No measure {draft.code}.", field="/code")
    if caller.is_patients and not MEASURES[draft.code].by_patient:
        raise NotAllowed(f"{MEASURES[draft.code].name} is taken in the clinic.")
    score = _score(draft)
    known = _held(tx, caller, patient_id)
    today = _today(known, now)
    if draft.taken_on is not None and draft.taken_on > today:
        raise Invalid("A score is taken today or earlier.", field="/taken_on")
    source = TakenFrom.PATIENT if caller.is_patients else TakenFrom.CLINIC
    taken = Measurement(**_row(caller, known, score, draft.taken_on or today, source, now))
    tx.add(taken)
    _watch(tx, known, now)
    return taken


def measurement(tx: Session, caller: Caller, patient_id: UUID, measurement_id: UUID) -> Measurement:
    """One score of a patient in the caller's sight."""
    known = patient(tx, caller, patient_id)
    stmt = select(Measurement).where(Measurement.clinic_id == known.clinic_id, Measurement.patient_id == known.id)
    found = tx.scalars(stmt.where(Measurement.id == measurement_id)).one_or_none()
    if found is None:
        raise Unknown(f"No measurement {measurement_id}.")
    return found


def series_of(tx: Session, caller: Caller, patient_id: UUID) -> list[Series]:
    """Every measure taken of a patient, in the registry's order, examinations included."""
    return _all_series(tx, patient(tx, caller, patient_id))


def _all_series(tx: Session, known: Patient) -> list[Series]:
    since = _baseline_from(tx, known)
    points: dict[str, list[tuple[date, datetime, Point]]] = {}
    for row in _measurements(tx, known, since):
        found = _point(row.code, row.taken_on, row.score, row.parts, row.source)
        points.setdefault(row.code, []).append((row.taken_on, row.created_at, found))
    for one in _examinations(tx, known):
        day = one.examined_at.astimezone(ZoneInfo(known.time_zone)).date()
        for score in examined({name: getattr(one, name) for name in ("pain", "function", "confidence", "tests")}):
            found = _point(score.code, day, score.value, None, TakenFrom.CLINIC)
            points.setdefault(score.code, []).append((day, one.examined_at, found))
    ordered = {code: [point for *_, point in sorted(some, key=lambda one: one[:2])] for code, some in points.items()}
    return [_series(measure, ordered[code], since) for code, measure in MEASURES.items() if code in ordered]


def risk_of(code: str, score: float, parts: Mapping[str, Any] | None) -> Risk | None:
    """The risk that a STarT Back score puts the patient in."""
    return risk(score, parts["psychosocial"]) if code == "start_back" and parts else None


def _new_week(tx: Session, caller: Caller, known: Patient, monday: date, now: datetime) -> WeeklyAnswer:
    """A week that has not been answered yet, and may be."""
    today = _today(known, now)
    # A phone's date may be a day ahead of the zone on record.
    if not monday_of(today) - WEEKS_BACK <= monday <= monday_of(today + DAY):
        weeks = WEEKS_BACK.days // 7
        raise Invalid(f"The weekly questions can be answered up to {weeks} weeks back, and not ahead.", field="/monday")
    new = WeeklyAnswer(
        clinic_id=known.clinic_id,
        patient_id=known.id,
        monday=monday,
        answers={},
        content_hash=b"",
        version=0,
        answered_on=max(monday, min(today, monday + WEEK - DAY)),
        received_at=now,
        late=today > monday + WEEK - DAY + LOW_TRUST_AFTER,
        answered_at=now,
        answered_by=caller.account_id,
        source=_source(caller),
    )
    tx.add(new)
    return new


def _keep(
    tx: Session,
    caller: Caller,
    known: Patient,
    row: CheckIn | WeeklyAnswer,
    said: dict[str, Any],
    base_version: int | None,
    now: datetime,
) -> Answered:
    """Write answers into their row, their numbers beside them, and what they ask of a therapist on the worklist."""
    everything = _alarms(said, _period(_name(row)), _where(row))
    answered = Answered(
        row=row,
        outcome=Outcome.UPDATED if row.version else Outcome.CREATED,
        advice=_advice(everything),
        safety_raised=any(map(_is_safety, everything)),
    )
    content_hash = _hash(said)
    if row.content_hash == content_hash or _was_said(tx, row, base_version, content_hash):
        return replace(answered, outcome=Outcome.UNCHANGED)
    if row.version:
        _check_change(caller, known, row, base_version, now)
        _archive(tx, row, now)
    news = _news(said, row.answers or {})
    row.answers, row.content_hash, row.version = said, content_hash, row.version + 1
    row.answered_at, row.answered_by, row.source = now, caller.account_id, _source(caller)
    _measure(tx, caller, known, row, now)
    if isinstance(row, CheckIn):
        chosen = select(Program).where(Program.clinic_id == known.clinic_id, Program.id == row.program_id)
        found = courses(tx, known.clinic_id, chosen, lock=True)
        restate(tx, known.clinic_id, found, because=Because.ANSWERED, now=now)
    _watch(tx, known, now)
    if raised := _alarms(news, _period(_name(row)), _where(row)):
        raise_alarms(tx, known.clinic_id, known.id, [Heard(_about(row), _today(known, now), raised)], now=now)
    return answered


def _was_said(tx: Session, row: CheckIn | WeeklyAnswer, base_version: int | None, content_hash: bytes) -> bool:
    """Whether this very change was made before: a duplicate that comes late undoes nothing."""
    version = (base_version or 0) + 1
    if version >= row.version:
        return False  # not replaced yet
    key = (row.clinic_id, row.patient_id, _taken_from(row), _about(row), version)
    stored = tx.get(AnswerVersion, key)
    return stored is not None and stored.content_hash == content_hash


def _check_change(
    caller: Caller, known: Patient, row: CheckIn | WeeklyAnswer, base_version: int | None, now: datetime
) -> None:
    """Refuse a change that does not know what is held, or comes too late."""
    if base_version != row.version:
        raise Conflict(
            f"These were answered meanwhile; the answers are at version {row.version}.",
            field="/base_version",
            version=row.version,
            answers=row.answers,
        )
    first = _today(known, row.received_at) if isinstance(row, WeeklyAnswer) else row.answered_on
    assert first is not None  # or there would be no version
    if caller.is_patients and _today(known, now) > first + AMENDED_WITHIN:
        raise NotAsked(f"Answers can be changed for {AMENDED_WITHIN.days} days; ask your therapist.")


def _archive(tx: Session, row: CheckIn | WeeklyAnswer, now: datetime) -> None:
    """Keep the version that is about to be replaced."""
    kept = ("clinic_id", "patient_id", "version", "answers", "content_hash", "answered_at", "answered_by", "source")
    columns = {name: getattr(row, name) for name in kept}
    columns |= {"asked": _taken_from(row), "answer": _about(row), "replaced_at": now}
    tx.execute(insert_for(tx, AnswerVersion), [columns])


def _checked(answers: Answers) -> dict[str, Any]:
    said = answers.said()
    if not said.keys() - {"ext"}:
        raise Invalid("Answer at least one question.")
    _check_activities(said.get("function", ()), "/function")
    return said


def _check_activities(activities: Sequence[Mapping[str, Any]], where: str) -> None:
    names = [one["activity"].casefold() for one in activities]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise Invalid("This activity is named twice.", field=f"{where}/{number}/activity")


def _measure(tx: Session, caller: Caller, known: Patient, row: CheckIn | WeeklyAnswer, now: datetime) -> None:
    """The numbers of an answer, in place of those it held before."""
    source = _taken_from(row)
    if row.version > 1:
        tx.execute(
            delete(Measurement)
            .where(
                Measurement.clinic_id == known.clinic_id,
                Measurement.patient_id == known.id,
                Measurement.source == source,
                Measurement.answer == _about(row),
            )
            .execution_options(synchronize_session=False)
        )
    assert row.answers is not None
    assert row.answered_on is not None
    rows = [
        _row(caller, known, score, row.answered_on, source, now) | {"answer": _about(row)}
        for score in scores_of(row.answers)
    ]
    if rows:
        tx.execute(insert_for(tx, Measurement), rows)


def _watch(tx: Session, known: Patient, now: datetime) -> None:
    """Open, reword or close the flag of measures that are worse than at the beginning (`measure_worse`)."""
    worse = [
        {
            "code": one.measure.code,
            "name": one.measure.name,
            "baseline": one.baseline.score,
            "latest": one.latest.score,
            "taken_on": one.latest.taken_on.isoformat(),
        }
        for one in _all_series(tx, known)
        if one.direction is Direction.WORSE
    ]
    keep_about_patient(tx, known.clinic_id, known.id, FlagKind.MEASURE_WORSE, measure_worse(worse, now), now=now)


def _row(
    caller: Caller, known: Patient, score: Score, taken_on: date, source: TakenFrom, now: datetime
) -> dict[str, Any]:
    return {
        "clinic_id": known.clinic_id,
        "id": new_id(now),
        "patient_id": known.id,
        "code": score.code,
        "taken_on": taken_on,
        "score": score.value,
        "parts": score.parts,
        "source": source,
        "recorded_by": caller.account_id,
        "created_at": now,
    }


def _score(draft: MeasurementDraft) -> Score:
    """The score of a draft, with what it is made of."""
    if draft.activities and draft.code not in {"psfs", "activity"}:
        raise Invalid("Only patient-specific function is made of activities.", field="/activities")
    if (draft.psychosocial is None) is (draft.code == "start_back"):
        raise Invalid(
            "The psychosocial subscale belongs to STarT Back, and STarT Back needs it.", field="/psychosocial"
        )
    if (draft.score is None) is not bool(draft.activities):
        raise Invalid("Say the score, or for patient-specific function the activities.", field="/score")
    if draft.activities:
        _check_activities(draft.activities, "/activities")
        return function_of(draft.activities)
    assert draft.score is not None  # or there were activities
    if problem := wrong(draft.code, draft.score):
        raise Invalid(problem, field="/score")
    if draft.psychosocial is None:
        return Score(code=draft.code, value=draft.score)
    others = MEASURES["start_back"].highest - PSYCHOSOCIAL_ITEMS
    if not draft.psychosocial <= draft.score <= draft.psychosocial + others:
        raise Invalid(f"The other {others:g} items make 0 to {others:g} points.", field="/psychosocial")
    return Score(code=draft.code, value=draft.score, parts={"psychosocial": draft.psychosocial})


def _news(said: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What was not said before: a therapist who has dealt with an answer is not told of it again."""
    news = {name: value for name, value in said.items() if value != before.get(name)}
    if "chips" in news:
        news["chips"] = [chip for chip in news["chips"] if chip not in before.get("chips", ())]
    for name, sign in (("pain", 1), ("pain_worst", 1), ("global_change", -1)):
        if name in news and name in before and sign * news[name] < sign * before[name]:
            del news[name]  # it got better
    return news


def _alarms(said: Mapping[str, Any], period: str, where: str | None = None) -> list[Alarm]:
    """What a therapist must hear of, gravest first; of a message, `where` it was left."""
    found = alarms(said.get("chips", ()))
    for name, how in (("pain", "on average"), ("pain_worst", "at worst")):
        if said.get(name, 0) >= PAIN_SEVERE:
            words = f"{pain_words(said[name])} {how} {period}"
            found.append(Alarm(FlagKind.PAIN_HIGH, Severity.URGENT, words, SEVERE_ADVICE))
    if said.get("global_change", 0) <= MUCH_WORSE:
        words = "much worse than when the program began"
        found.append(Alarm(FlagKind.PAIN_HIGH, Severity.URGENT, words, SEVERE_ADVICE))
    if said.get("recurrence"):
        words = "pain of 2 or more of 10 came back for 24 hours or longer"
        found.append(Alarm(FlagKind.RECURRENCE, Severity.MEDIUM, words, RECURRENCE_ADVICE))
    if said.get("wants_contact"):
        found.append(Alarm(FlagKind.CONTACT_WANTED, Severity.MEDIUM, "asked to be contacted", CONTACT_ADVICE))
    if where and said.get("note"):
        # The words themselves stay with the answers: what is on the worklist may be announced elsewhere.
        found.append(Alarm(FlagKind.CONTACT_WANTED, Severity.LOW, f"left a message in the {where}", MESSAGE_ADVICE))
    return found


def _salvaged(body: object) -> dict[str, Any]:
    """What a therapist must hear of in answers that were refused, however broken the rest of them is."""
    said = body if isinstance(body, dict) else {}
    found: dict[str, Any] = {name: _is_yes(said.get(name)) for name in ("recurrence", "wants_contact")}
    for name in ("pain", "pain_worst", "global_change"):
        if (value := _numeral(said.get(name))) is not None:
            found[name] = value  # 11 of 10 is nonsense as a number, but not as an answer
    return found | {"chips": salvage(said).chips}


def _is_yes(said: object) -> bool:
    """Whether it was meant as a yes."""
    return str(said).strip().lower() in {"true", "yes", "1"} if isinstance(said, bool | int | str) else False


def _numeral(said: object) -> int | None:
    """A number as it was meant."""
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    try:
        value = float(said)
    except (ValueError, OverflowError):
        return None
    return round(value) if isfinite(value) else None


def _advice(raised: Iterable[Alarm]) -> list[str]:
    return list(dict.fromkeys(alarm.advice for alarm in raised))


def _is_safety(alarm: Alarm) -> bool:
    return alarm.kind in {FlagKind.RED_FLAG, FlagKind.FALL, FlagKind.PAIN_HIGH}


def _name(row: CheckIn | WeeklyAnswer) -> UUID | date:
    return row.id if isinstance(row, CheckIn) else row.monday


def _about(row: CheckIn | WeeklyAnswer) -> str:
    """The answer's name, in flags and beside its scores."""
    return str(_name(row))


def _asked(about: UUID | date) -> str:
    return "check-in" if isinstance(about, UUID) else "week"


def _where(row: CheckIn | WeeklyAnswer) -> str:
    return "check-in" if isinstance(row, CheckIn) else "weekly questions"


def _period(about: UUID | date | None) -> str:
    """Of which days an answer speaks."""
    return f"in the week of {short_day(about)}" if isinstance(about, date) else "in the last week"


def _taken_from(row: CheckIn | WeeklyAnswer) -> TakenFrom:
    return TakenFrom.CHECK_IN if isinstance(row, CheckIn) else TakenFrom.WEEKLY


def _hash(said: Mapping[str, Any]) -> bytes:
    """SHA-256 of the canonical answers: the same words in any order hash alike."""
    body = dict(said) | {name: sorted(said[name]) for name in ("chips", "still_doing") if name in said}
    return sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).digest()


def _held(tx: Session, caller: Caller, patient_id: UUID) -> Patient:
    """A patient in the caller's sight, held until the transaction ends: answers come one after the other."""
    stmt = visible_patients(caller).where(Patient.id == patient_id).with_for_update(key_share=True)
    found = tx.scalars(stmt).one_or_none()
    if found is None:
        raise Unknown(f"No patient {patient_id}.")
    caller.seen.add(found.id)
    return found


def _today(known: Patient, now: datetime) -> date:
    return now.astimezone(ZoneInfo(known.time_zone)).date()


def _source(caller: Caller) -> Source:
    return SOURCE[caller.role]


def _baseline_from(tx: Session, known: Patient) -> date:
    """From which day on a score may be the baseline of the current or latest program."""
    row = tx.execute(
        select(Program.created_at, Program.starts_on)
        .where(
            Program.clinic_id == known.clinic_id,
            Program.patient_id == known.id,
            Program.status != ProgramStatus.DRAFT,
        )
        .order_by(Program.status.in_(RUNNING).desc(), Program.starts_on.desc(), Program.id.desc())
        .limit(1)
    ).one_or_none()
    return min(_today(known, row[0]), row[1]) - BASELINE_LEAD if row else LONG_AGO


def _measurements(tx: Session, known: Patient, since: date) -> Sequence[Any]:
    """The latest of each measure, with the first of all and the first from `since` on: those may be the baseline."""
    place = (Measurement.taken_on, Measurement.created_at, Measurement.id)
    ages = func.row_number().over(partition_by=Measurement.code, order_by=[column.desc() for column in place])
    begins = func.row_number().over(
        partition_by=(Measurement.code, Measurement.taken_on >= since), order_by=list(place)
    )
    numbered = (
        select(
            Measurement.code,
            Measurement.taken_on,
            Measurement.score,
            Measurement.parts,
            Measurement.source,
            Measurement.created_at,
            ages.label("age"),
            begins.label("number"),
        )
        .where(Measurement.clinic_id == known.clinic_id, Measurement.patient_id == known.id)
        .subquery()
    )
    return tx.execute(select(numbered).where(or_(numbered.c.age <= SERIES, numbered.c.number == 1))).all()


def _examinations(tx: Session, known: Patient) -> Sequence[Examination]:
    return tx.scalars(
        select(Examination)
        .where(Examination.clinic_id == known.clinic_id, Examination.patient_id == known.id)
        .order_by(Examination.examined_at.desc())
        .limit(SERIES)
    ).all()


def _point(code: str, day: date, score: float, parts: Mapping[str, Any] | None, source: TakenFrom) -> Point:
    return Point(taken_on=day, score=score, parts=parts, source=source, risk=risk_of(code, score, parts))


def _series(measure: Measure, points: Sequence[Point], since: date) -> Series:
    baseline = next((point for point in points if point.taken_on >= since), points[0])
    latest = points[-1]
    # One point alone has not changed, which is not the same as no change.
    compared = latest.score if latest is not baseline else None
    return Series(
        measure=measure,
        points=points[-SERIES:],
        baseline=baseline,
        latest=latest,
        change=None if compared is None else round(compared - baseline.score, 6),
        bounds=bounds(measure, baseline.score),
        direction=direction(measure, baseline.score, compared),
        says=sentence(measure, baseline.score, compared),
    )
