"""Checking a prescription against the safety rules, and what a therapist answers to their findings."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, case, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from models.adherence.kinds import FlagKind, Reason, meaning
from models.operations.callers import Caller
from models.operations.courses import dosage_of, last_flare_day, prescriptions
from models.operations.ids import new_id
from models.prescription.burden import Burden, burden
from models.prescription.dosage import Dosage, Side
from models.refusals import Invalid, NotAcknowledged, NotAllowed, SafetyBlocked, Unknown
from models.safety import facts
from models.safety.conditions import effective
from models.safety.red_flags import RED_FLAGS
from models.safety.rules import RULES, Finding, RuleSeverity, check
from models.safety.rules.gate import GENERAL_QUESTIONS
from models.tables import (
    Care,
    Clinic,
    Condition,
    ConditionStatus,
    Deed,
    Examination,
    Exercise,
    ExerciseNeed,
    Flag,
    Flare,
    Item,
    Laterality,
    Patient,
    Phase,
    PhaseKind,
    Precaution,
    Program,
    ProgramStatus,
    ProgramType,
    Protocol,
    Revision,
    Role,
    SafetyCheck,
    Screening,
    SessionEntry,
    SessionLog,
    TeachBack,
    Teaching,
)

SHOWN = 3
"""Findings named in a refusal's sentence; all of them are beside it."""
LATELY = timedelta(days=28)
"""How far back "done lately" reaches (R-21)."""
_ANSWERED_ANEW = frozenset({"R-01", "R-23", "R-48"})
"""What rests on how the patient is today: an earlier answer never stands for it."""
Advice = dict[tuple[UUID, int], dict[UUID, list[str]]]
"""(Program, revision) → line → what the patient minds with it."""

_BY_QUESTION = {flag.question: flag.id for flag in RED_FLAGS.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFacts:
    """One line to be checked that is not written yet."""

    slug: str
    dosage: Dosage
    is_care: bool = False
    side: Side | None = None
    goal: str | None = None
    line_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFacts:
    """One phase to be checked that is not written yet."""

    label: str
    items: Sequence[ItemFacts]
    from_day: int = 1
    to_day: int | None = None
    is_flare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a therapist says to the findings of a check."""

    overrides: Sequence[tuple[str, str]] = ()
    """Finding keys with the typed reasons."""
    acknowledged: Sequence[str] = ()
    """Finding keys, or rule ids for all findings of a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check says."""

    patient_id: UUID
    situation: facts.Situation
    findings: Sequence[Finding]

    @property
    def burdens(self) -> list[tuple[str, Burden]]:
        """What each phase asks of the patient, by label."""
        program = self.situation.program
        phases = [*program.phases, *([program.flare] if program.flare else [])]
        return [(phase.label, burden([item.load for item in phase.items])) for phase in phases]


@dataclass(slots=True)
class _Known:
    """A program's and its patient's rows, as one check needs them."""

    program: Program | None
    patient: Patient
    settings: Mapping[str, Any]
    conditions: list[Condition]
    red_flag: Flag | None
    flares: Sequence[Flare] = ()
    protocol: Protocol | None = None
    dealt_with_at: datetime | None = None
    """When a therapist last closed a red flag, having seen to it."""


def check_program(
    tx: Session,
    programs: Select[Program],
    clinic_id: UUID,
    program_id: UUID,
    *,
    now: datetime,
    proposed: Sequence[PhaseFacts] | None = None,
    revision: int | None = None,
    discharge: "Discharge | None" = None,
) -> Checked:
    """Run every rule over one of `programs`: its latest revision or the one named, or `proposed` phases in its place.

    Seven statements, however many items, conditions and sessions there are.
    """
    known = _known_of_program(tx, programs, clinic_id, program_id, now)
    assert known.program is not None
    program = known.program
    today = now.astimezone(ZoneInfo(known.patient.time_zone)).date()
    catalogue = _catalogue(tx)
    written, taught = _written(tx, clinic_id, [program.id, program.previous_program_id], catalogue, today)
    mine = written.get(program.id, {})
    running = program.status in {ProgramStatus.ACTIVE, ProgramStatus.PAUSED}
    if proposed is None:
        phases = mine[revision or max(mine)][1]
    else:
        phases = _proposed(proposed, catalogue, _cares(tx, proposed), taught)
    earlier = written.get(program.previous_program_id, {}) if program.previous_program_id else {}
    previous = [phase for phase in earlier[max(earlier)][1] if phase.number > 0] if earlier else []
    is_maintenance = program.type is ProgramType.MAINTENANCE
    course = facts.Program(
        phases=tuple(phase for phase in phases if phase.number > 0),
        flare=next((phase for phase in phases if phase.number == 0), None),
        is_maintenance=is_maintenance or (discharge is not None and discharge.of_program),
        runs_since=program.starts_on if running and program.starts_on <= today and discharge is None else None,
        review_due_on=program.review_due_on,
        exemptions={one["rule"]: one["why"] for one in known.protocol.rule_exemptions} if known.protocol else {},
        check_in_months=tuple(discharge.check_in_months) if discharge else None,
        discharges=discharge is not None,
    )
    if discharge is not None and discharge.of_program:
        # Nothing follows the program: what is checked is the maintenance program that is not there.
        course = replace(course, phases=(), flare=None)
    situation = _situation(tx, known, course, catalogue, clinic_id, today)
    situation = replace(
        situation,
        before=_in_force(mine, max(today, program.starts_on)) if running and proposed is not None else None,
        previous_last_phase=previous[-1] if previous else None,
    )
    return Checked(
        patient_id=program.patient_id,
        situation=situation,
        findings=check(situation, switched_rules(known.settings)),
    )


def situation_of(
    tx: Session, patients: Select[Patient], clinic_id: UUID, patient_id: UUID, *, now: datetime
) -> facts.Situation:
    """What the rules know of one of `patients`, with the whole catalogue and no program."""
    known = _known_of_patient(tx, patients, clinic_id, patient_id, now)
    today = now.astimezone(ZoneInfo(known.patient.time_zone)).date()
    return _situation(tx, known, facts.Program(phases=()), _catalogue(tx), clinic_id, today)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discharge:
    """What a discharge plans."""

    check_in_months: Sequence[int]
    of_program: bool
    """There is no maintenance program: the program checked is the one that ends."""


def accept(
    tx: Session,
    caller: Caller,
    checked: Checked,
    answers: Answers,
    *,
    program_id: UUID,
    revision_number: int,
    deed: Deed,
    now: datetime,
) -> SafetyCheck:
    """Let a prescription through, if every block is overridden with a reason and every warning acknowledged; keep what
    was found and what was answered.

    Answers given to the very same finding of an earlier revision still stand.
    """
    decisions = _standing_decisions(tx, caller.clinic_id, program_id)
    _check_answers(caller, checked, answers)
    kept: dict[str, Any] = {}
    open_findings = []
    for finding in checked.findings:
        decided = _decide(finding, answers, decisions.get(finding.key), caller, now)
        if decided is not None:
            kept[finding.key] = decided
        elif finding.severity is not RuleSeverity.INFO:
            open_findings.append(finding)
    if open_findings:
        raise _refusal(open_findings)
    done = SafetyCheck(
        clinic_id=caller.clinic_id,
        id=new_id(now),
        program_id=program_id,
        revision_number=revision_number,
        deed=deed,
        checked_by=caller.account_id,
        checked_at=now,
        findings=[told(finding) for finding in checked.findings],
        decisions=kept,
    )
    tx.add(done)
    return done


def _check_answers(caller: Caller, checked: Checked, answers: Answers) -> None:
    """Answers name findings there are; only a therapist overrides."""
    keys = {finding.key for finding in checked.findings}
    finals = {finding.key for finding in checked.findings if finding.final}
    for number, (key, _) in enumerate(answers.overrides):
        if key not in keys:
            raise Invalid(f"The check has no finding {key}.", field=f"/overrides/{number}/finding")
        if key in finals:
            raise Invalid(f"No reason overrides {key}.", field=f"/overrides/{number}/finding")
        if key in {other for other, _ in answers.overrides[:number]}:
            raise Invalid(f"Two reasons for {key}.", field=f"/overrides/{number}/finding")
    for number, said in enumerate(answers.acknowledged):
        if said not in keys and said not in RULES:
            raise Invalid(f"The check has no finding {said}.", field=f"/acknowledged/{number}")
    if answers.overrides and caller.role is not Role.THERAPIST:
        raise NotAllowed("Only a therapist overrides a safety rule.")


def told(finding: Finding) -> dict[str, Any]:
    """A finding as JSON."""
    return {
        "finding": finding.key,
        "rule": finding.rule,
        "rule_version": finding.version,
        "severity": finding.severity.value,
        "message": finding.message,
        "source": finding.source,
        "can_be_overridden": finding.severity is RuleSeverity.BLOCK and not finding.final,
        "exercise": finding.exercise,
        "condition": finding.condition,
        "phases": list(finding.phases),
        "line_ids": [str(line_id) for line_id in finding.line_ids],
        "suggestions": list(finding.suggestions),
        "advice": finding.advice,
    }


def checks_of(tx: Session, clinic_id: UUID, program_id: UUID) -> Sequence[SafetyCheck]:
    """What was let through, earliest first: the record of overrides and acknowledgements."""
    return tx.scalars(
        select(SafetyCheck)
        .where(SafetyCheck.clinic_id == clinic_id, SafetyCheck.program_id == program_id)
        .order_by(SafetyCheck.checked_at, SafetyCheck.id)
    ).all()


def not_overridden(tx: Session, clinic_id: UUID, program_id: UUID, findings: Iterable[Finding]) -> Sequence[Finding]:
    """The findings no therapist has overridden for this program as they are."""
    answered = _standing_decisions(tx, clinic_id, program_id)
    return [
        one
        for one in findings
        if not ((said := answered.get(one.key)) and said["reason"] is not None and _is_same(one, said))
    ]


def advice_of(tx: Session, clinic_id: UUID, revisions: Collection[tuple[UUID, int]]) -> Advice:
    """What the patient minds with the items of some revisions (program, number): the cautions and adaptations found
    when each was let through, by revision and line.
    """
    if not revisions:
        return {}
    let_through = tuple_(SafetyCheck.program_id, SafetyCheck.revision_number)
    rows = tx.execute(
        select(SafetyCheck.program_id, SafetyCheck.revision_number, SafetyCheck.findings)
        .where(SafetyCheck.clinic_id == clinic_id, let_through.in_(revisions))
        .order_by(SafetyCheck.checked_at.desc(), SafetyCheck.id.desc())
    )
    advice: Advice = {}
    for program_id, number, findings in rows:
        if (program_id, number) not in advice:  # the latest check of each counts
            advice[program_id, number] = _advice(findings)
    return advice


def _advice(findings: Sequence[Mapping[str, Any]]) -> dict[UUID, list[str]]:
    advice: dict[UUID, list[str]] = {}
    for finding in findings:
        for line_id in finding["line_ids"] if finding["advice"] else ():
            said = advice.setdefault(UUID(line_id), [])
            if finding["advice"] not in said:
                said.append(finding["advice"])
    return advice


def switched_rules(settings: Mapping[str, Any]) -> dict[str, RuleSeverity]:
    """A clinic's own severities by rule id."""
    return {rule: RuleSeverity(one["severity"]) for rule, one in settings.get("rules", {}).items() if rule in RULES}


def _refusal(findings: Sequence[Finding]) -> SafetyBlocked | NotAcknowledged:
    blocks = [finding for finding in findings if finding.severity is RuleSeverity.BLOCK]
    if blocks:
        fixed = any(finding.final for finding in blocks)
        how = "Some of it no reason overrides." if fixed else "A therapist may override with a typed reason."
        return SafetyBlocked(f"Blocked for safety. {_words(blocks)} {how}", findings=[told(one) for one in findings])
    return NotAcknowledged(
        f"Read and acknowledge first. {_words(findings)}", findings=[told(finding) for finding in findings]
    )


def _words(findings: Sequence[Finding]) -> str:
    """The first three findings, and how many more there are."""
    more = f" And {len(findings) - SHOWN} more." if len(findings) > SHOWN else ""
    return " ".join(finding.message for finding in findings[:SHOWN]) + more


def _decide(
    finding: Finding, answers: Answers, earlier: Mapping[str, Any] | None, caller: Caller, now: datetime
) -> dict[str, Any] | None:
    """The answer that settles a finding; None if there is none, or if it needs none."""
    if finding.severity is RuleSeverity.INFO or finding.final:
        return None
    reason = dict(answers.overrides).get(finding.key)
    is_acknowledged = finding.key in answers.acknowledged or finding.rule in answers.acknowledged
    if reason is not None or (is_acknowledged and finding.severity is RuleSeverity.WARN):
        return {
            "reason": reason,
            "by": str(caller.account_id),
            "at": now.isoformat(),
            "rule_version": finding.version,
            "message": finding.message,
            "fact": finding.fact,
        }
    if earlier is None or finding.rule in _ANSWERED_ANEW or not _is_same(finding, earlier):
        return None
    settles = finding.severity is RuleSeverity.WARN or earlier["reason"] is not None
    return dict(earlier) if settles else None


def _is_same(finding: Finding, earlier: Mapping[str, Any]) -> bool:
    """Whether an answer was given to this very finding: the same rule, sentence and facts."""
    then = (earlier["message"], earlier["rule_version"], earlier["fact"])
    return then == (finding.message, finding.version, finding.fact)


def _standing_decisions(tx: Session, clinic_id: UUID, program_id: UUID) -> dict[str, Any]:
    decisions: dict[str, Any] = {}
    stmt = select(SafetyCheck.decisions).where(SafetyCheck.clinic_id == clinic_id, SafetyCheck.program_id == program_id)
    for answered in tx.scalars(stmt.order_by(SafetyCheck.checked_at, SafetyCheck.id)):
        decisions |= answered
    return decisions


# Reading what the rules need.


def _known_of_program(
    tx: Session, programs: Select[Program], clinic_id: UUID, program_id: UUID, now: datetime
) -> _Known:
    stmt = (
        programs.join(Patient, and_(Patient.clinic_id == Program.clinic_id, Patient.id == Program.patient_id))
        .join(Protocol, Protocol.slug == Program.protocol_slug, isouter=True)
        .where(Program.clinic_id == clinic_id, Program.id == program_id)
        .add_columns(Patient, Protocol)
    )
    rows = tx.execute(_with_clinical_facts(stmt, clinic_id, now)).all()
    if not rows:
        raise Unknown(f"No program {program_id}.")
    program, patient, protocol, *_ = rows[0]
    return _known(rows, program, patient, protocol)


def _known_of_patient(
    tx: Session, patients: Select[Patient], clinic_id: UUID, patient_id: UUID, now: datetime
) -> _Known:
    rows = tx.execute(_with_clinical_facts(patients.where(Patient.id == patient_id), clinic_id, now)).all()
    if not rows:
        raise Unknown(f"No patient {patient_id}.")
    return _known(rows, None, rows[0][0], None)


def _with_clinical_facts(stmt: Select[Any], clinic_id: UUID, now: datetime) -> Select[Any]:
    """The clinic's settings, a row for each condition and each flare of these days, the open red flag: there is at
    most one; and when a therapist last closed one.
    """
    past = aliased(Flag)
    dealt_with = (
        select(func.max(past.closed_at))
        .where(
            past.clinic_id == clinic_id,
            past.about_id == Patient.id,
            past.kind == FlagKind.RED_FLAG,
            past.closed_by.is_not(None),
        )
        .correlate(Patient)
        .scalar_subquery()
    )
    other = aliased(Program)
    theirs = select(other.id).where(other.clinic_id == clinic_id, other.patient_id == Patient.id).correlate(Patient)
    return (
        stmt.join(Clinic, Clinic.id == Patient.clinic_id)
        .join(
            Condition,
            and_(
                Condition.clinic_id == Patient.clinic_id,
                Condition.patient_id == Patient.id,
                Condition.status != ConditionStatus.RESOLVED,
            ),
            isouter=True,
        )
        .join(
            Flag,
            and_(
                Flag.clinic_id == Patient.clinic_id,
                Flag.about_id == Patient.id,
                Flag.kind == FlagKind.RED_FLAG,
                Flag.closed_at.is_(None),
            ),
            isouter=True,
        )
        .join(
            Flare,
            and_(
                Flare.clinic_id == Patient.clinic_id,
                Flare.program_id.in_(theirs),
                # Give or take a day, whatever the patient's zone; _patient_facts looks at the day itself.
                Flare.from_on <= now.date() + timedelta(days=1),
                func.coalesce(Flare.ended_on, Flare.to_on) >= now.date() - timedelta(days=1),
            ),
            isouter=True,
        )
        .where(Patient.clinic_id == clinic_id, Clinic.id == clinic_id)
        .add_columns(dealt_with, Clinic.settings, Flare, Condition, Flag)
        .order_by(Condition.id)
    )


def _known(rows: Sequence[Any], program: Program | None, patient: Patient, protocol: Protocol | None) -> _Known:
    *_, dealt_with, settings, _, _, red_flag = rows[0]
    flares = {row[-3].id: row[-3] for row in rows if row[-3] is not None}
    conditions = {row[-2].id: row[-2] for row in rows if row[-2] is not None}
    return _Known(
        program,
        patient,
        settings or {},
        list(conditions.values()),
        red_flag,
        list(flares.values()),
        protocol,
        dealt_with,
    )


def _situation(
    tx: Session,
    known: _Known,
    program: facts.Program,
    catalogue: Mapping[str, facts.Exercise],
    clinic_id: UUID,
    today: date,
) -> facts.Situation:
    patient = _patient_facts(known, today)
    conditions = effective(patient, today)
    screened, red_flags, unknown_flag = _screening_facts(tx, known, clinic_id)
    logs, done_lately = _log_facts(tx, clinic_id, known.patient.id, today)
    return facts.Situation(
        today=today,
        patient=patient,
        program=program,
        conditions=conditions,
        precautions=_precautions(tx, {condition.code for condition in conditions}),
        catalogue=catalogue,
        screened=screened,
        red_flags=red_flags,
        unknown_red_flag=unknown_flag,
        examination=_examination_facts(tx, clinic_id, known.patient),
        logs=logs,
        done_lately=done_lately,
    )


def _patient_facts(known: _Known, today: date) -> facts.Patient:
    patient = known.patient
    born = patient.birth_date
    return facts.Patient(
        age=today.year - born.year - ((today.month, today.day) < (born.month, born.day)) if born else None,
        conditions=tuple(
            facts.Condition(
                code=one.code,
                is_confirmed=one.status is ConditionStatus.CONFIRMED,
                onset_on=one.onset_on,
                side=one.side,
                joints=frozenset(one.joints),
                details=one.details,
            )
            for one in known.conditions
        )
        + tuple(
            facts.Condition(code="joint-flare", joints=frozenset(flare.joints))
            for flare in known.flares
            if flare.joints and flare.from_on <= today <= last_flare_day(flare)
        ),
        falls_risk=patient.falls_risk,
        can_get_up_from_floor=patient.can_get_up_from_floor,
        equipment=frozenset(patient.equipment) if patient.equipment else None,
        minutes_available=patient.minutes_available,
        has_preferences=bool(patient.preferences),
    )


def _screening_facts(tx: Session, known: _Known, clinic_id: UUID) -> tuple[dict[str, date], frozenset[str], bool]:
    """When each red-flag question was answered last, the red flags still answered yes, and whether a phone reported one
    we do not know. A red flag is resolved by a later screening that answers no to it, one we do not know by all of the
    general questions asked later; and every one by the therapist who closed the flag it raised.
    """
    rows = tx.execute(
        select(Screening.screened_at, Screening.answers)
        .where(Screening.clinic_id == clinic_id, Screening.patient_id == known.patient.id)
        .order_by(Screening.screened_at.desc(), Screening.id.desc())
        .limit(50)
    ).all()
    answered: dict[str, tuple[datetime, bool]] = {}
    for screened_at, answers in rows:
        for question, present in answers.items():
            answered.setdefault(question, (screened_at, present))
    until = known.dealt_with_at
    present = {question for question, (told_at, yes) in answered.items() if yes and (not until or told_at > until)}
    general = [answered[question][0] for question in GENERAL_QUESTIONS if question in answered]
    asked_all = min(general) if len(general) == len(GENERAL_QUESTIONS) else None
    unknown_flag = False
    for answer in known.red_flag.evidence["answers"] if known.red_flag else ():
        told_at = _told_at(answer)
        for question in answer["said"]:
            flag_id = _BY_QUESTION.get(question)
            if flag_id is None:
                unknown_flag |= asked_all is None or asked_all < told_at
            elif flag_id not in answered or answered[flag_id][0] < told_at:
                present.add(flag_id)
    zone = ZoneInfo(known.patient.time_zone)
    days = {question: told_at.astimezone(zone).date() for question, (told_at, _) in answered.items()}
    return days, frozenset(present & RED_FLAGS.keys()), unknown_flag


def _told_at(answer: Mapping[str, Any]) -> datetime:
    if "at" in answer:
        return datetime.fromisoformat(answer["at"])
    # Told before we kept the instant: some time that day.
    return datetime.combine(date.fromisoformat(answer["day"]) + timedelta(days=1), time(), UTC)


def _examination_facts(tx: Session, clinic_id: UUID, patient: Patient) -> facts.Examination | None:
    """The latest of each measure; blood pressure and pulse as of the day they were taken."""
    rows = tx.scalars(
        select(Examination)
        .where(Examination.clinic_id == clinic_id, Examination.patient_id == patient.id)
        .order_by(Examination.examined_at.desc(), Examination.id.desc())
        .limit(50)
    ).all()
    if not rows:
        return None

    zone = ZoneInfo(patient.time_zone)

    def latest(*names: str) -> Examination | None:
        """The latest examination that says any of these."""
        return next((row for row in rows if any(getattr(row, name) is not None for name in names)), None)

    def value(row: Examination | None, name: str) -> Any:
        return getattr(row, name) if row else None

    def day(row: Examination | None) -> date | None:
        return row.examined_at.astimezone(zone).date() if row else None

    pressure, pulse, low = latest("systolic", "diastolic"), latest("resting_pulse"), latest("low_pressure_symptoms")
    return facts.Examination(
        examined_on=rows[0].examined_at.astimezone(zone).date(),
        pain=value(latest("pain"), "pain"),
        function=value(latest("function"), "function"),
        has_tests=any(row.tests for row in rows),
        confidence=value(latest("confidence"), "confidence"),
        systolic=value(pressure, "systolic"),
        diastolic=value(pressure, "diastolic"),
        pressure_on=day(pressure),
        resting_pulse=value(pulse, "resting_pulse"),
        pulse_on=day(pulse),
        low_pressure_symptoms=bool(value(low, "low_pressure_symptoms")),
        low_pressure_on=day(low),
    )


def _log_facts(
    tx: Session, clinic_id: UUID, patient_id: UUID, today: date
) -> tuple[tuple[facts.Logged, ...], frozenset[str]]:
    """The sessions of the last 28 days in order, also those of which nothing was done, and the exercises done in them,
    in one statement.
    """
    # A line is the same exercise in every revision: each counts once, however many revisions there are.
    line = (
        select(Item.program_id, Item.line_id, Item.exercise_slug)
        .join(Program, and_(Program.clinic_id == Item.clinic_id, Program.id == Item.program_id))
        .where(Item.clinic_id == clinic_id, Program.clinic_id == clinic_id, Program.patient_id == patient_id)
        .distinct()
        .subquery()
    )
    rows = tx.execute(
        select(
            SessionLog.id,
            SessionLog.local_date,
            SessionLog.worst_pain,
            SessionLog.settled_by_morning,
            SessionLog.chips,
            SessionLog.main_reason,
            line.c.exercise_slug,
        )
        .join(
            SessionEntry,
            and_(
                SessionEntry.clinic_id == SessionLog.clinic_id,
                SessionEntry.patient_id == SessionLog.patient_id,
                SessionEntry.session_id == SessionLog.id,
                SessionEntry.skipped.is_(False),
            ),
            isouter=True,
        )
        .join(
            line,
            and_(line.c.program_id == SessionLog.program_id, line.c.line_id == SessionEntry.line_id),
            isouter=True,
        )
        .where(
            SessionLog.clinic_id == clinic_id,
            SessionLog.patient_id == patient_id,
            SessionLog.local_date >= today - LATELY,
            SessionLog.deleted_at.is_(None),
        )
        .order_by(SessionLog.local_date, SessionLog.performed_at, SessionLog.id)
    )
    logs: dict[UUID, facts.Logged] = {}
    slugs = set()
    for session_id, day, pain, settled, chips, reason, slug in rows:
        hurt = meaning(reason) is Reason.SYMPTOMS_WORSE
        spread = "further_down" in chips
        logs[session_id] = facts.Logged(day=day, pain=pain, settled=settled, spread=spread, hurt=hurt)
        slugs.add(slug)
    return tuple(logs.values()), frozenset(slug for slug in slugs if slug)


_catalogues: dict[str, tuple[tuple[int, int], Mapping[str, facts.Exercise]]] = {}
"""Database → (how many exercises, the sum of their versions) and the catalogue as it was then."""


def _catalogue(tx: Session) -> Mapping[str, facts.Exercise]:
    """Every exercise with what it needs. It changes only when the shelf is loaded anew, and then a version rises: until
    then it is read once a process, which is half the cost of a check.
    """
    count, versions = tx.execute(select(func.count(), func.sum(Exercise.version)).select_from(Exercise)).one()
    database, stamp = str(tx.get_bind().engine.url), (count, versions or 0)
    held = _catalogues.get(database)
    if held is None or held[0] != stamp:
        held = _catalogues[database] = (stamp, _read_catalogue(tx))
    return held[1]


def _read_catalogue(tx: Session) -> Mapping[str, facts.Exercise]:
    rows = tx.execute(
        select(
            Exercise.slug,
            Exercise.name,
            Exercise.category,
            Exercise.subcategory,
            Exercise.region,
            Exercise.position,
            Exercise.level,
            Exercise.laterality,
            Exercise.load_tags,
            Exercise.trunk_sides,
            Exercise.muscles,
            Exercise.goals,
            Exercise.progression_of,
            Exercise.retired_at,
            ExerciseNeed.slot,
            ExerciseNeed.equipment,
        )
        .join(ExerciseNeed, ExerciseNeed.exercise_slug == Exercise.slug, isouter=True)
        .order_by(Exercise.slug, ExerciseNeed.slot, ExerciseNeed.equipment)
    )
    needs: dict[str, dict[int, set[str]]] = {}
    found: dict[str, Any] = {}
    for row in rows:
        found[row.slug] = row
        if row.equipment is not None:
            needs.setdefault(row.slug, {}).setdefault(row.slot, set()).add(row.equipment)
    return {
        slug: facts.Exercise(
            slug=slug,
            name=row.name,
            category=row.category.value,
            subcategory=row.subcategory,
            region=row.region,
            position=row.position,
            level=row.level,
            one_sided=row.laterality is Laterality.EACH_SIDE,
            load_tags=frozenset(row.load_tags),
            trunk_sides=frozenset(row.trunk_sides),
            muscles=frozenset(row.muscles),
            goals=tuple(row.goals),
            progression_of=row.progression_of,
            needs=tuple(frozenset(slot) for slot in needs.get(slug, {}).values()),
            is_retired=row.retired_at is not None,
        )
        for slug, row in found.items()
    }


def _precautions(tx: Session, codes: set[str]) -> tuple[facts.Precaution, ...]:
    rows = tx.scalars(select(Precaution).where(Precaution.condition.in_(codes)).order_by(Precaution.number))
    return tuple(
        facts.Precaution(
            condition=row.condition,
            severity=row.severity.value,
            load_tags=frozenset(row.load_tags),
            reason=row.reason,
            source=row.source,
            advice=row.advice,
            holds=row.holds,
        )
        for row in rows
    )


_Taught = Mapping[UUID, tuple[date | None, bool]]
"""Line → when it was taught last, and whether it was ever shown back."""
_Written = dict[int, tuple[date, list[facts.Phase]]]
"""Revision → when it takes effect, and its phases; the plan for flare days is numbered 0."""


def _written(
    tx: Session, clinic_id: UUID, programs: Sequence[UUID | None], catalogue: Mapping[str, facts.Exercise], today: date
) -> tuple[dict[UUID, _Written], _Taught]:
    """The prescriptions of some programs as the rules read them, from the one in force on, in one statement."""
    older = aliased(Revision)
    in_force = (
        select(func.max(older.number))
        .where(
            older.clinic_id == Revision.clinic_id, older.program_id == Revision.program_id, older.effective_on <= today
        )
        .correlate(Revision)
        .scalar_subquery()
    )
    wanted = [one for one in programs if one]
    teaching = (
        select(
            Teaching.program_id,
            Teaching.line_id,
            func.max(Teaching.taught_on).label("taught_on"),
            func.max(case((Teaching.teach_back == TeachBack.SHOWN, 1), else_=0)).label("shown"),
        )
        .where(Teaching.clinic_id == clinic_id, Teaching.program_id.in_(wanted))
        .group_by(Teaching.program_id, Teaching.line_id)
        .subquery()
    )
    rows = tx.execute(
        prescriptions(Revision.effective_on, Phase, Item, Care, teaching.c.taught_on, teaching.c.shown)
        .join(Care, Care.slug == Item.care_slug, isouter=True)
        .join(
            teaching, and_(teaching.c.program_id == Item.program_id, teaching.c.line_id == Item.line_id), isouter=True
        )
        .where(
            Revision.clinic_id == clinic_id,
            Revision.program_id.in_(wanted),
            Revision.number >= func.coalesce(in_force, 1),
        )
        .order_by(Revision.program_id, Revision.number, Phase.number, Item.position)
    )
    taught: dict[UUID, tuple[date | None, bool]] = {}
    found: dict[UUID, _Written] = {}
    for effective_on, phase, item, care, taught_on, shown in rows:
        taught[item.line_id] = (taught_on, bool(shown))
        made = _line(item.exercise_slug, care, catalogue, dosage_of(item), item.side, item.goal, item.line_id, taught)
        _, phases = found.setdefault(item.program_id, {}).setdefault(item.revision_number, (effective_on, []))
        is_flare = phase.kind is PhaseKind.FLARE
        number = 0 if is_flare else phase.number
        if not phases or phases[-1].number != number:
            phases.append(_phase(number, phase.label, phase.from_day, phase.to_day, []))
        phases[-1] = _with(phases[-1], made)
    return found, taught


def _phase(
    number: int,
    label: str,
    from_day: int,
    to_day: int | None,
    lines: Sequence[facts.Item | facts.CareItem],
) -> facts.Phase:
    """One phase; the plan for flare days is numbered 0."""
    empty = facts.Phase(number=number, label=label, from_day=from_day, to_day=to_day, items=())
    return _with(empty, *lines)


def _with(phase: facts.Phase, *lines: facts.Item | facts.CareItem) -> facts.Phase:
    return replace(
        phase,
        items=(*phase.items, *(line for line in lines if isinstance(line, facts.Item))),
        care=(*phase.care, *(line for line in lines if isinstance(line, facts.CareItem))),
    )


def _proposed(
    phases: Sequence[PhaseFacts],
    catalogue: Mapping[str, facts.Exercise],
    cares: Mapping[str, Care],
    taught: _Taught,
) -> list[facts.Phase]:
    made = []
    for number, phase in enumerate(phases, start=1):
        lines = [
            _line(
                None if item.is_care else item.slug,
                cares.get(item.slug),
                catalogue,
                item.dosage,
                item.side,
                item.goal,
                item.line_id,
                taught,
            )
            for item in phase.items
        ]
        shown = 0 if phase.is_flare else number
        made.append(_phase(shown, phase.label, phase.from_day, phase.to_day, lines))
    return made


def _line(
    slug: str | None,
    care: Care | None,
    catalogue: Mapping[str, facts.Exercise],
    dosage: Dosage,
    side: Side | None,
    goal: str | None,
    line_id: UUID | None,
    taught: _Taught,
) -> facts.Item | facts.CareItem:
    if slug is None:
        assert care is not None
        return facts.CareItem(care=_care(care), dosage=dosage, line_id=line_id)
    taught_on, shown = taught.get(line_id, (None, False)) if line_id else (None, False)
    exercise = catalogue[slug]
    return facts.Item(
        exercise=exercise,
        dosage=dosage,
        side=side if exercise.one_sided else None,
        goal=goal,
        line_id=line_id,
        taught_on=taught_on,
        taught_back=shown,
    )


def _cares(tx: Session, phases: Sequence[PhaseFacts]) -> dict[str, Care]:
    slugs = {item.slug for phase in phases for item in phase.items if item.is_care}
    return {row.slug: row for row in tx.scalars(select(Care).where(Care.slug.in_(slugs)))} if slugs else {}


def _care(row: Care) -> facts.Care:
    return facts.Care(
        slug=row.slug,
        name=row.name,
        kind=row.kind.value,
        agent=row.agent,
        at_home=row.at_home,
        max_minutes=row.max_minutes,
        topic=row.topic,
    )


def _in_force(written: _Written, today: date) -> tuple[facts.Phase, ...]:
    """The phases of the revision that holds today, or will first."""
    reigning = [number for number, (effective_on, _) in written.items() if effective_on <= today]
    number = max(reigning) if reigning else min(written)
    return tuple(phase for phase in written[number][1] if phase.number > 0)
