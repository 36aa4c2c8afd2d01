"""Flags as the engine keeps them: opened, reworded, closed by themselves; at most one open of a kind.

What people closed by hand stays closed for its episode (docs/decisions/0006).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, inspect, or_, select, update
from sqlalchemy.orm import Session

from models.adherence.flags import FADING, HIDDEN_BY_PAUSES, RULES, SELF_CLOSING
from models.adherence.kinds import Finding, FlagKind, Severity, is_same_day
from models.adherence.rules.care import BARRIER_DAYS
from models.adherence.wording import pain_words, why
from models.database import insert_or_replace
from models.operations.courses import Course, pause_holds
from models.operations.ids import new_id
from models.safety.red_flags import PAIN_ADVICE, Alarm, SafetyAnswers
from models.tables import Flag, Patient


class Because(StrEnum):
    """Why a flag closed by itself."""

    RETURNED = "returned"
    AMENDED = "amended"
    LATE_DATA = "late_data"
    PLAN_CHANGED = "plan_changed"
    PAUSED = "paused"
    PROGRAM_ENDED = "program_ended"
    STARTED = "started"
    SETTLED = "settled"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    RECOUNTED = "recounted"
    REVIEWED = "reviewed"
    SCREENED = "screened"
    ANSWERED = "answered"


_OTHERS_WRITE = ("announced", "created_at")
"""Columns of a flag that are not ours to write back: the sweep changes them meanwhile. Therapists hold the patient as
the engine does, so of what they write nothing is lost.
"""
_ANEW = -1
"""In `announced`, until `save` has seen to it: something was added that everybody is told of, as of a rise."""
MOST_ANSWERS = 100
"""Answers a flag keeps beside the first: the latest."""
_ANSWERS_LAST = timedelta(days=BARRIER_DAYS)


@dataclass(frozen=True, slots=True)
class Heard:
    """Answers to act on from one source: a session, a week, a check-in. The same source again adds nothing."""

    source: str
    day: date
    alarms: Sequence[Alarm]


def raise_alarms(tx: Session, clinic_id: UUID, patient_id: UUID, heard: Sequence[Heard], *, now: datetime) -> None:
    """Open or add to the patient's safety flags, for answers that came without a session."""
    # Held like a course's patient: of two answers at once the second must see the first.
    tx.execute(
        select(Patient.id)
        .where(Patient.clinic_id == clinic_id, Patient.id == patient_id)
        .with_for_update(key_share=True)
    )
    stmt = (
        select(Flag)
        .where(Flag.clinic_id == clinic_id, Flag.about_id == patient_id, Flag.closed_at.is_(None))
        .execution_options(populate_existing=True)
    )
    known = [detached(tx, flag) for flag in tx.scalars(stmt).all()]
    save(tx, heed(known, heard, clinic_id, patient_id, None, now))


def keep_about_patient(
    tx: Session, clinic_id: UUID, patient_id: UUID, kind: FlagKind, finding: Finding | None, *, now: datetime
) -> None:
    """Let the one flag of a kind that is about the whole patient, who is held, say what `finding` says: open it, reword
    it, or close it as settled.
    """
    stmt = select(Flag).where(Flag.clinic_id == clinic_id, Flag.about_id == patient_id, Flag.kind == kind)
    found = tx.scalars(
        stmt.where(or_(Flag.closed_at.is_(None), Flag.closed_by.is_not(None))).execution_options(populate_existing=True)
    ).all()
    known = [detached(tx, flag) for flag in found]
    left = _unanswered(finding, [flag for flag in known if flag.closed_by is not None]) if finding else None
    flag = next((flag for flag in known if flag.closed_at is None), None)
    if flag is None:
        write = [_new_flag(clinic_id, patient_id, None, left, about_id=patient_id, now=now)] if left else []
    elif left is None:
        flag.closed_at, flag.closed_because = now, Because.SETTLED
        write = [flag]
    else:
        write = [flag] if _tells(flag, left, now) else []
    save(tx, write)


def raise_dangers(
    tx: Session, clinic_id: UUID, patient_id: UUID, dangers: Mapping[UUID, Sequence[str]], *, now: datetime
) -> None:
    """Open, reword or close the flags of programs that new facts made unsafe: program → what the check finds."""
    stmt = (
        select(Flag)
        .where(
            Flag.clinic_id == clinic_id,
            Flag.patient_id == patient_id,
            Flag.kind == FlagKind.ENDANGERED,
            Flag.closed_at.is_(None),
        )
        .execution_options(populate_existing=True)
    )
    known = {flag.about_id: detached(tx, flag) for flag in tx.scalars(stmt).all()}
    write: list[Flag] = []
    for program_id, flag in known.items():
        if program_id in dangers:
            said = {"findings": list(dangers[program_id])}
            if set(said["findings"]) - set(flag.evidence["findings"]):
                _wake(flag)
            flag.version += flag.evidence != said
            flag.evidence = said
        else:
            flag.closed_at, flag.closed_because = now, Because.SETTLED
        write.append(flag)
    for program_id, findings in dangers.items():
        if program_id not in known:
            finding = Finding(
                kind=FlagKind.ENDANGERED,
                severity=Severity.HIGH,
                opens_at=now,
                episode=now.isoformat(),
                evidence={"findings": list(findings)},
            )
            write.append(_new_flag(clinic_id, patient_id, program_id, finding, about_id=program_id, now=now))
    save(tx, write)


def is_due(now: datetime) -> ColumnElement[bool]:
    """The flags on the list at `now`: come due, neither faded nor snoozed nor hidden by a pause."""
    paused = pause_holds(Flag.clinic_id, Flag.program_id, now)
    return and_(
        Flag.closed_at.is_(None),
        Flag.opens_at <= now,
        or_(Flag.expires_at.is_(None), Flag.expires_at > now),
        or_(Flag.snoozed_until.is_(None), Flag.snoozed_until <= now),
        or_(Flag.kind.not_in(HIDDEN_BY_PAUSES), ~paused),
    )


def severity_at(now: datetime) -> ColumnElement[int]:
    """How grave a due flag is at `now`: what it opened with, or what it has risen to."""
    return case((Flag.rises_at <= now, Flag.rises_to), else_=Flag.severity)


def settle(
    course: Course, known: Sequence[Flag], findings: Sequence[Finding], *, because: Because, now: datetime
) -> list[Flag]:
    """What to write so that the open ones of the `known` flags say what `findings` say: at most one open flag of a
    kind, and none of what the others, closed by hand, have answered.
    """
    by_hand = [flag for flag in known if flag.closed_by is not None]
    wanted = {finding.kind: left for finding in findings if (left := _unanswered(finding, by_hand)) is not None}
    write: list[Flag] = []
    for flag in known:
        if flag.closed_at is not None:
            continue
        finding = wanted.pop(flag.kind, None)
        ends = flag.kind is FlagKind.ENDANGERED and because is Because.PROGRAM_ENDED
        if flag.kind not in SELF_CLOSING and not ends:
            continue
        if finding is not None and _is_same(flag, finding, now):
            if _tells(flag, finding, now):
                write.append(flag)
            continue
        # Closed rows come before new ones: the index allows one open flag of a kind.
        flag.closed_at, flag.closed_because = now, _reason(course, flag, finding, because, now)
        write.append(flag)
        if finding is not None:
            faded = flag.closed_because == Because.EXPIRED
            wanted[finding.kind] = replace(finding, opens_at=max(finding.opens_at, now)) if faded else finding
    program = course.program
    write += [
        _new_flag(program.clinic_id, program.patient_id, program.id, finding, about_id=program.id, now=now)
        for finding in wanted.values()
    ]
    return write


def heed(
    known: Sequence[Flag],
    heard: Sequence[Heard],
    clinic_id: UUID,
    patient_id: UUID,
    program_id: UUID | None,
    now: datetime,
) -> list[Flag]:
    """What to write for answers to act on. They concern the patient, not a program, and close only by hand.

    An answer of a flag among `known` that was closed by hand is not heard again when its source is amended.
    """
    flags = {flag.kind: flag for flag in known if flag.closed_at is None}
    by_hand = [flag for flag in known if flag.closed_at is not None]
    changed: dict[UUID, Flag] = {}
    for flag in list(flags.values()):
        if flag.expires_at is not None and flag.expires_at <= now:
            # It has faded: what is said now is news, and is announced anew.
            flag.closed_at, flag.closed_because = now, Because.EXPIRED
            changed[flag.id] = flags.pop(flag.kind)
    for one in heard:
        for kind in sorted({alarm.kind for alarm in one.alarms}):
            alarms = [alarm for alarm in one.alarms if alarm.kind is kind]
            severity = max(alarm.severity for alarm in alarms)
            open_flag = flags.get(kind)
            answered = [old for old in by_hand if old.kind is kind]
            known_words = {said for old in (open_flag, *answered) for said in _words_of(old, one.source)}
            words = [alarm.said for alarm in alarms if alarm.said not in known_words]
            if open_flag is None and not words:
                continue
            answer = {"source": one.source, "day": one.day.isoformat(), "at": now.isoformat(), "said": words}
            if open_flag is None:
                evidence = {"answers": [answer]}
                # A reason or a pain told in a refused log fades.
                fades = now + _ANSWERS_LAST if kind in FADING else None
                finding = Finding(
                    kind=kind,
                    severity=severity,
                    opens_at=now,
                    expires_at=fades,
                    episode=one.source,
                    evidence=evidence,
                )
                open_flag = _new_flag(clinic_id, patient_id, program_id, finding, about_id=patient_id, now=now)
            elif words:
                told: list[Any] = open_flag.evidence["answers"]
                open_flag.evidence = {"answers": [*told[:1], *[*told[1:], answer][-MOST_ANSWERS:]]}
                open_flag.severity = max(open_flag.severity, severity)
                open_flag.expires_at = now + _ANSWERS_LAST if open_flag.expires_at else None
                _wake(open_flag)
                open_flag.version += 1
            flags[kind] = changed[open_flag.id] = open_flag
    return list(changed.values())


def superseded(known: Sequence[Flag], stored: Collection[str], now: datetime) -> list[Flag]:
    """The open flags that answers of refused sessions had opened, closed if all of those sessions are stored by now:
    they speak for themselves.
    """
    closing = [
        flag
        for flag in known
        if flag.closed_at is None
        # Those that the session itself opens again: a symptom is in no other flag.
        and flag.kind in FADING & SELF_CLOSING
        and all(answer["source"] in stored for answer in flag.evidence["answers"])
    ]
    for flag in closing:
        flag.closed_at, flag.closed_because = now, Because.SUPERSEDED
    return closing


def loose_alarms(heard: SafetyAnswers) -> list[Alarm]:
    """A reason or a pain that no stored session holds: so the alarm does."""
    raised = []
    if heard.reason is not None:
        severity = Severity.HIGH if is_same_day(heard.reason) else Severity.MEDIUM
        raised.append(Alarm(FlagKind.BARRIER, severity, why(heard.reason), ""))
    if heard.hurts:
        raised.append(Alarm(FlagKind.PAIN_HIGH, Severity.URGENT, pain_words(heard.worst_pain or 0), PAIN_ADVICE))
    return raised


def detached(tx: Session, flag: Flag) -> Flag:
    """A flag as it was read; `_save` writes what becomes of it, all of them in one statement."""
    tx.expunge(flag)
    return flag


def save(tx: Session, flags: Sequence[Flag]) -> None:
    """Write flags, new and changed, in one statement and in this order; one more where something was added to a flag
    that had been announced: it is announced as a rise is, also if it is as grave as before.
    """
    insert_or_replace(tx, Flag, [_row(flag) for flag in flags], keeping=_OTHERS_WRITE)
    anew = [flag for flag in flags if flag.announced == _ANEW and flag.closed_at is None]
    if anew:
        tx.execute(
            update(Flag)
            .where(
                Flag.clinic_id == anew[0].clinic_id,
                Flag.id.in_([flag.id for flag in anew]),
                Flag.announced >= Flag.severity,
            )
            .values(announced=Flag.severity - 1)
            .execution_options(synchronize_session=False)
        )


def level_at(flag: Flag, moment: datetime) -> Severity:
    """How grave a flag was at a moment: what it opened with, or what it had risen to."""
    if flag.rises_at is not None and flag.rises_to is not None and flag.rises_at <= moment:
        return Severity(flag.rises_to)
    return Severity(flag.severity)


def _unanswered(finding: Finding, by_hand: Sequence[Flag]) -> Finding | None:
    """What is left of a finding after what people closed: all of it, or its rise to a level nobody had seen."""
    answered = [flag for flag in by_hand if flag.closed_at and _answers(flag, finding)]
    if not answered:
        return finding
    seen = max(level_at(flag, flag.closed_at) for flag in answered if flag.closed_at)
    closed_at = max(flag.closed_at for flag in answered if flag.closed_at)
    if finding.severity > seen:
        return replace(finding, opens_at=max(finding.opens_at, closed_at))
    if finding.rises_at is None or finding.rises_to is None or finding.rises_to <= seen:
        return None
    return replace(
        finding,
        severity=finding.rises_to,
        opens_at=max(finding.rises_at, closed_at),
        rises_at=None,
        rises_to=None,
        nudges_at=None,
    )


def _answers(flag: Flag, finding: Finding) -> bool:
    """Whether a flag that was closed by hand was about this very finding. High pain has no episode: there the session
    counts, and how bad it was.
    """
    said, now_said = flag.evidence, finding.evidence
    return (
        flag.kind is finding.kind
        and flag.episode == finding.episode
        and said.get("session_id") == now_said.get("session_id")
        and said.get("pain", 0) >= now_said.get("pain", 0)
    )


def _is_same(flag: Flag, finding: Finding, now: datetime) -> bool:
    """A promise that has not come due may be reworded; a flag someone may have seen only within its episode."""
    if flag.opens_at > now:
        return True
    if flag.expires_at is not None and flag.expires_at <= now:
        return False  # it has faded: what is found now is news
    return flag.episode == finding.episode and finding.opens_at <= now


def _tells(flag: Flag, finding: Finding, now: datetime) -> bool:
    """Write `finding` into `flag`; whether that changed anything."""
    said = _said(finding)
    if flag.opens_at <= now:
        # Never back-dated, never post-dated: it opened when it opened, and rose when it rose.
        said["opens_at"] = flag.opens_at
        if finding.rises_at is None and finding.severity == flag.rises_to and level_at(flag, now) == flag.rises_to:
            said |= {name: getattr(flag, name) for name in ("severity", "rises_at", "rises_to")}
        elif finding.severity > level_at(flag, now) or _is_worse(finding.evidence, flag.evidence):
            _wake(flag)
        if flag.snoozed_until is not None and said["rises_at"] is not None and said["rises_at"] > now:
            flag.snoozed_until = min(flag.snoozed_until, said["rises_at"])
    changed = False
    for name, value in said.items():
        if getattr(flag, name) != value:
            setattr(flag, name, value)
            changed = True
    flag.version += changed
    return changed


def _wake(flag: Flag) -> None:
    """News is for everybody: who has seen the flag, or put it off, has not seen this."""
    flag.acknowledged_at = flag.acknowledged_by = flag.snoozed_until = None
    flag.announced = _ANEW


def _is_worse(now_said: Mapping[str, Any], said: Mapping[str, Any]) -> bool:
    """Whether the same matter got worse than people have seen: a higher pain, a measure further off."""
    before = {one["code"]: abs(one["latest"] - one["baseline"]) for one in said.get("measures", ())}
    return now_said.get("pain", 0) > said.get("pain", 0) or any(
        abs(one["latest"] - one["baseline"]) > before.get(one["code"], 0) for one in now_said.get("measures", ())
    )


def _reason(course: Course, flag: Flag, finding: Finding | None, because: Because, now: datetime) -> Because:
    """Why an open flag closes, seen from what replaced it."""
    if flag.expires_at is not None and flag.expires_at <= now:
        return Because.EXPIRED
    if flag.kind is FlagKind.BARRIER and finding is not None:
        return Because.SUPERSEDED
    if because is not Because.RETURNED:
        return because
    if flag.kind is not FlagKind.SILENCE:
        return Because.STARTED if flag.kind is FlagKind.NOT_STARTED else Because.SETTLED
    # A session from before the flag opened had been done all along; one from after is a return.
    last = finding.evidence.get("last_day") if finding else None
    opened = flag.opens_at.astimezone(course.zone).date()
    return Because.LATE_DATA if last is not None and date.fromisoformat(last) < opened else Because.RETURNED


def _words_of(flag: Flag | None, source: str) -> set[str]:
    """What a source has already said in a flag."""
    answers = flag.evidence["answers"] if flag else []
    return {words for answer in answers if answer["source"] == source for words in answer["said"]}


def _new_flag(
    clinic_id: UUID, patient_id: UUID, program_id: UUID | None, finding: Finding, *, about_id: UUID, now: datetime
) -> Flag:
    return Flag(
        clinic_id=clinic_id,
        id=new_id(now),
        patient_id=patient_id,
        program_id=program_id,
        about_id=about_id,
        kind=finding.kind,
        created_at=now,
        **_said(finding),
    )


def _said(finding: Finding) -> dict[str, Any]:
    return {
        "severity": int(finding.severity),
        "opens_at": finding.opens_at,
        "rises_at": finding.rises_at,
        "rises_to": None if finding.rises_to is None else int(finding.rises_to),
        "nudges_at": finding.nudges_at,
        "expires_at": finding.expires_at,
        "episode": finding.episode,
        "evidence": finding.evidence,
        "rule_version": RULES[finding.kind].version,
    }


def _row(flag: Flag) -> dict[str, Any]:
    return {column.key: getattr(flag, column.key) for column in inspect(Flag).columns}
