"""Checking a prescription against the safety rules, and what a therapist answers to their findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, case, func, select
from sqlalchemy.orm import Session

from models.adherence.flags import FlagKind
from models.operations.callers import Caller
from models.operations.courses import dosage_of, prescriptions
from models.operations.ids import new_id
from models.prescription.burden import Burden, burden
from models.prescription.dosage import Dosage, Side
from models.refusals import Invalid, NotAcknowledged, NotAllowed, SafetyBlocked, Unknown
from models.safety import facts
from models.safety.conditions import effective
from models.safety.red_flags import RED_FLAGS
from models.safety.rules import RULES, Finding, RuleSeverity, check
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

LATELY = timedelta(days=28)
"""How far back "done lately" reaches (R-21)."""
_TOLD_TO_PATIENTS = frozenset({"R-09", "R-10", "R-12"})
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

    overrides: Mapping[str, str] = field(default_factory=dict)
    """Finding key → the typed reason."""
    acknowledged: frozenset[str] = frozenset()
    """Finding keys, or rule ids for all findings of a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check says."""

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
    protocol: Protocol | None = None


def check_program(
    tx: Session,
    programs: Select[Program],
    clinic_id: UUID,
    program_id: UUID,
    *,
    now: datetime,
    proposed: Sequence[PhaseFacts] | None = None,
    discharge: "Discharge | None" = None,
) -> Checked:
    """Run every rule over one of `programs`: its latest revision, or `proposed` phases in its place.

    Seven statements, however many items, conditions and sessions there are.
    """
    known = _known_of_program(tx, programs, clinic_id, program_id)
    assert known.program is not None
    program = known.program
    today = now.astimezone(ZoneInfo(known.patient.time_zone)).date()
    catalogue = _catalogue(tx)
    written, taught = _written(tx, clinic_id, [program.id, program.previous_program_id], catalogue)
    mine = written.get(program.id, {})
    running = program.status in {ProgramStatus.ACTIVE, ProgramStatus.PAUSED}
    if proposed is None:
        phases = mine[max(mine)][1] if mine else []
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
        clearance_for=frozenset(known.protocol.clearance_for) if known.protocol else frozenset(),
        check_in_months=tuple(discharge.check_in_months) if discharge else None,
        discharges=discharge is not None,
    )
    if discharge is not None and discharge.of_program:
        # Nothing follows the program: what is checked is the maintenance program that is not there.
        course = replace(course, phases=(), flare=None)
    situation = _situation(tx, known, course, catalogue, clinic_id, today)
    return _checked(
        replace(
            situation,
            before=_in_force(mine, today) if running and proposed is not None else None,
            previous_last_phase=previous[-1] if previous else None,
        ),
        known.settings,
    )


def situation_of(
    tx: Session, patients: Select[Patient], clinic_id: UUID, patient_id: UUID, *, now: datetime
) -> facts.Situation:
    """What the rules know of one of `patients`, with the whole catalogue and no program."""
    known = _known_of_patient(tx, patients, clinic_id, patient_id)
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
    keys = {finding.key: finding for finding in checked.findings}
    rules = {finding.rule for finding in checked.findings}
    for number, (key, _) in enumerate(answers.overrides.items()):
        if key not in keys:
            raise Invalid(f"The check has no finding {key}.", field=f"/overrides/{number}/finding")
    for number, said in enumerate(sorted(answers.acknowledged)):
        if said not in keys and said not in rules and said not in RULES:
            raise Invalid(f"The check has no finding {said}.", field=f"/acknowledged/{number}")
    if answers.overrides and caller.role is not Role.THERAPIST:
        raise NotAllowed("Only a therapist overrides a safety rule.")
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
    }


def checks_of(tx: Session, clinic_id: UUID, program_id: UUID) -> Sequence[SafetyCheck]:
    """What was let through, earliest first: the record of overrides and acknowledgements."""
    return tx.scalars(
        select(SafetyCheck)
        .where(SafetyCheck.clinic_id == clinic_id, SafetyCheck.program_id == program_id)
        .order_by(SafetyCheck.checked_at, SafetyCheck.id)
    ).all()


def advice_of(tx: Session, clinic_id: UUID, program_id: UUID, revision_number: int) -> dict[UUID, list[str]]:
    """Line → what this patient minds with it: the cautions and adaptations found when the revision was let through."""
    rows = tx.scalars(
        select(SafetyCheck.findings)
        .where(
            SafetyCheck.clinic_id == clinic_id,
            SafetyCheck.program_id == program_id,
            SafetyCheck.revision_number == revision_number,
        )
        .order_by(SafetyCheck.checked_at.desc(), SafetyCheck.id.desc())
        .limit(1)
    )
    advice: dict[UUID, list[str]] = {}
    for finding in next(iter(rows), []):
        if finding["rule"] in _TOLD_TO_PATIENTS and finding["severity"] != RuleSeverity.BLOCK:
            words = finding["message"].split(": ", 1)[1]
            for line_id in finding["line_ids"]:
                advice.setdefault(UUID(line_id), []).append(words[0].upper() + words[1:])
    return advice


def switched_rules(settings: Mapping[str, Any]) -> dict[str, RuleSeverity]:
    """A clinic's own severities by rule id."""
    return {rule: RuleSeverity(one["severity"]) for rule, one in settings.get("rules", {}).items() if rule in RULES}


def _refusal(findings: Sequence[Finding]) -> SafetyBlocked | NotAcknowledged:
    blocks = [finding for finding in findings if finding.severity is RuleSeverity.BLOCK]
    if blocks:
        fixed = sum(finding.final for finding in blocks)
        how = "give a reason for each in overrides" if not fixed else f"{fixed} of them cannot be overridden"
        message = f"{len(blocks)} safety finding{'s' if len(blocks) > 1 else ''} block: {blocks[0].message} ({how})"
        return SafetyBlocked(message, findings=[told(finding) for finding in findings])
    return NotAcknowledged(
        f"{len(findings)} warning{'s' if len(findings) > 1 else ''} to acknowledge: {findings[0].message}",
        findings=[told(finding) for finding in findings],
    )


def _decide(
    finding: Finding, answers: Answers, earlier: Mapping[str, Any] | None, caller: Caller, now: datetime
) -> dict[str, Any] | None:
    """The answer that settles a finding; None if there is none, or if it needs none."""
    if finding.severity is RuleSeverity.INFO or finding.final:
        return None
    reason = answers.overrides.get(finding.key)
    is_acknowledged = bool({finding.key, finding.rule} & answers.acknowledged)
    if reason is not None or (is_acknowledged and finding.severity is RuleSeverity.WARN):
        return {
            "reason": reason,
            "by": str(caller.account_id),
            "at": now.isoformat(),
            "rule_version": finding.version,
            "message": finding.message,
        }
    same = earlier is not None and (earlier["message"], earlier["rule_version"]) == (finding.message, finding.version)
    settles = same and earlier is not None and (finding.severity is RuleSeverity.WARN or earlier["reason"] is not None)
    return dict(earlier) if settles and earlier is not None else None


def _standing_decisions(tx: Session, clinic_id: UUID, program_id: UUID) -> dict[str, Any]:
    decisions: dict[str, Any] = {}
    for row in checks_of(tx, clinic_id, program_id):
        decisions |= row.decisions
    return decisions


def _checked(situation: facts.Situation, settings: Mapping[str, Any]) -> Checked:
    return Checked(situation=situation, findings=check(situation, switched_rules(settings)))


# Reading what the rules need.


def _known_of_program(tx: Session, programs: Select[Program], clinic_id: UUID, program_id: UUID) -> _Known:
    stmt = (
        programs.join(Patient, and_(Patient.clinic_id == Program.clinic_id, Patient.id == Program.patient_id))
        .join(Protocol, Protocol.slug == Program.protocol_slug, isouter=True)
        .where(Program.clinic_id == clinic_id, Program.id == program_id)
        .add_columns(Patient, Protocol)
    )
    rows = tx.execute(_with_clinical_facts(stmt, clinic_id)).all()
    if not rows:
        raise Unknown(f"No program {program_id}.")
    program, patient, protocol, *_ = rows[0]
    return _known(rows, program, patient, protocol)


def _known_of_patient(tx: Session, patients: Select[Patient], clinic_id: UUID, patient_id: UUID) -> _Known:
    rows = tx.execute(_with_clinical_facts(patients.where(Patient.id == patient_id), clinic_id)).all()
    if not rows:
        raise Unknown(f"No patient {patient_id}.")
    return _known(rows, None, rows[0][0], None)


def _with_clinical_facts(stmt: Select[Any], clinic_id: UUID) -> Select[Any]:
    """The clinic's settings, a row for each condition, and the open red flag: there is at most one."""
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
        .where(Patient.clinic_id == clinic_id, Clinic.id == clinic_id)
        .add_columns(Clinic.settings, Condition, Flag)
        .order_by(Condition.id)
    )


def _known(rows: Sequence[Any], program: Program | None, patient: Patient, protocol: Protocol | None) -> _Known:
    *_, settings, _, red_flag = rows[0]
    conditions = [row[-2] for row in rows if row[-2] is not None]
    return _Known(program, patient, settings or {}, conditions, red_flag, protocol)


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
        screened_on=screened.astimezone(ZoneInfo(known.patient.time_zone)).date() if screened else None,
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
        ),
        falls_risk=patient.falls_risk,
        can_get_up_from_floor=patient.can_get_up_from_floor,
        equipment=frozenset(patient.equipment) if patient.equipment else None,
        minutes_available=patient.minutes_available,
        has_preferences=bool(patient.preferences),
    )


def _screening_facts(tx: Session, known: _Known, clinic_id: UUID) -> tuple[datetime | None, frozenset[str], bool]:
    """When the patient was screened last, the red flags still answered yes, and whether a phone reported one we do not
    know. A red flag is resolved by a later screening that answers no to it.
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
    present = {question for question, (_, yes) in answered.items() if yes}
    last = rows[0][0] if rows else None
    unknown_flag = False
    for answer in known.red_flag.evidence["answers"] if known.red_flag else ():
        told_at = _told_at(answer)
        for question in answer["said"]:
            flag_id = _BY_QUESTION.get(question)
            if flag_id is None:
                unknown_flag |= last is None or last < told_at
            elif flag_id not in answered or answered[flag_id][0] < told_at:
                present.add(flag_id)
    return last, frozenset(present & RED_FLAGS.keys()), unknown_flag


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

    def latest(name: str) -> Any:
        return next((value for row in rows if (value := getattr(row, name)) is not None), None)

    vital = next((row for row in rows if row.systolic or row.diastolic or row.resting_pulse), rows[0])
    return facts.Examination(
        examined_on=vital.examined_at.astimezone(ZoneInfo(patient.time_zone)).date(),
        pain=latest("pain"),
        function=latest("function"),
        has_tests=any(row.tests for row in rows),
        confidence=latest("confidence"),
        systolic=vital.systolic,
        diastolic=vital.diastolic,
        resting_pulse=vital.resting_pulse,
        low_pressure_symptoms=bool(vital.low_pressure_symptoms),
    )


def _log_facts(
    tx: Session, clinic_id: UUID, patient_id: UUID, today: date
) -> tuple[tuple[facts.Logged, ...], frozenset[str]]:
    """The sessions of the last 28 days in order, and the exercises done in them, in one statement."""
    rows = tx.execute(
        select(
            SessionLog.id,
            SessionLog.local_date,
            SessionLog.pain_during,
            SessionLog.settled_by_morning,
            SessionLog.chips,
            Item.exercise_slug,
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
            Item,
            and_(
                Item.clinic_id == SessionLog.clinic_id,
                Item.program_id == SessionLog.program_id,
                Item.line_id == SessionEntry.line_id,
            ),
            isouter=True,
        )
        .where(
            SessionLog.clinic_id == clinic_id,
            SessionLog.patient_id == patient_id,
            SessionLog.local_date >= today - LATELY,
            SessionLog.deleted_at.is_(None),
            SessionLog.exercised,
        )
        .order_by(SessionLog.local_date, SessionLog.performed_at, SessionLog.id)
    )
    logs: dict[UUID, facts.Logged] = {}
    slugs = set()
    for session_id, day, pain, settled, chips, slug in rows:
        logs[session_id] = facts.Logged(day=day, pain=pain, settled=settled, spread="further_down" in chips)
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
            holds=row.holds,
        )
        for row in rows
    )


_Taught = Mapping[UUID, tuple[date | None, bool]]
"""Line → when it was taught last, and whether it was ever shown back."""
_Written = dict[int, tuple[date, list[facts.Phase]]]
"""Revision → when it takes effect, and its phases; the plan for flare days is numbered 0."""


def _written(
    tx: Session, clinic_id: UUID, programs: Sequence[UUID | None], catalogue: Mapping[str, facts.Exercise]
) -> tuple[dict[UUID, _Written], _Taught]:
    """The prescriptions of some programs as the rules read them, in one statement."""
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
        .where(Revision.clinic_id == clinic_id, Revision.program_id.in_(wanted))
        .order_by(Revision.program_id, Revision.number, Phase.number, Item.position)
    )
    taught: dict[UUID, tuple[date | None, bool]] = {}
    lines: dict[UUID, dict[int, tuple[date, dict[int, tuple[Phase, list[facts.Item | facts.CareItem]]]]]] = {}
    for effective_on, phase, item, care, taught_on, shown in rows:
        taught[item.line_id] = (taught_on, bool(shown))
        _, phases = lines.setdefault(item.program_id, {}).setdefault(item.revision_number, (effective_on, {}))
        made = _line(item.exercise_slug, care, catalogue, dosage_of(item), item.side, item.goal, item.line_id, taught)
        phases.setdefault(phase.number, (phase, []))[1].append(made)
    return {
        program_id: {
            number: (effective_on, [_phase(position, row, made) for position, (row, made) in phases.items()])
            for number, (effective_on, phases) in revisions.items()
        }
        for program_id, revisions in lines.items()
    }, taught


def _phase(number: int, row: Phase, made: Sequence[facts.Item | facts.CareItem]) -> facts.Phase:
    return facts.Phase(
        number=0 if row.kind is PhaseKind.FLARE else number,
        label=row.label,
        from_day=row.from_day,
        to_day=row.to_day,
        items=tuple(one for one in made if isinstance(one, facts.Item)),
        care=tuple(one for one in made if isinstance(one, facts.CareItem)),
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
        made.append(
            facts.Phase(
                number=0 if phase.is_flare else number,
                label=phase.label,
                from_day=phase.from_day,
                to_day=phase.to_day,
                items=tuple(line for line in lines if isinstance(line, facts.Item)),
                care=tuple(line for line in lines if isinstance(line, facts.CareItem)),
            )
        )
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
    return facts.Item(
        exercise=catalogue[slug],
        dosage=dosage,
        side=side,
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
