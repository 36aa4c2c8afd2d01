"""Who may do what on whose record: the one place that decides.

`MAY` says which roles a deed is for, `REACH` how far a role's sight goes. A route names its deed and the door asks
`may`; every read of records starts from `visible_patients` or `visible_programs`, or holds `patients_in_sight` against
the patients it joins. What is out of sight behaves exactly like what does not exist.
"""

from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import aliased

from models.operations.callers import Caller
from models.tables import STAFF, Account, Patient, Program, ProgramStatus, Role, Source


class Reach(StrEnum):
    """How far somebody's sight goes."""

    OWN = "own"
    """The one record that is theirs, or that they were named for as a carer."""
    CASELOAD = "caseload"
    """The patients they treat and those nobody treats yet; the whole clinic where the clinic says so."""
    CLINIC = "clinic"


class Deed(StrEnum):
    """What may be done. A route does one."""

    USE_OWN_SIGN_IN = "use_own_sign_in"
    USE_OWN_LOGIN = "use_own_login"
    """One's own password and second factor."""
    READ_SHELF = "read_shelf"
    READ_RECORD = "read_record"
    """What patients see of their own record too."""
    READ_CLINICAL = "read_clinical"
    """What the clinic noted: conditions, screenings, examinations, checks, reviews, flags, the worklist."""
    WRITE_RECORD = "write_record"
    PRESCRIBE = "prescribe"
    INVITE = "invite"
    """Phones and carers: let in and shut out."""
    SHUT_OUT = "shut_out"
    LOG = "log"
    ANSWER = "answer"
    """What a phone does for its patient: the first screen, the pull, check-ins, weekly questions."""
    WORK_FLAGS = "work_flags"
    READ_REPORTS = "read_reports"
    READ_STAFF = "read_staff"
    RUN_CLINIC = "run_clinic"
    TAKE_OUT = "take_out"
    """Exports of the whole clinic."""
    TAKE_RECORD = "take_record"
    """One patient's whole record, with the clinic's notes in it: the patient has a right to those too, which
    `READ_CLINICAL` is not for; a carer, an auditor or another system has none to a copy, which `READ_RECORD` is for.
    """
    CONSENT = "consent"
    """Agree to something, or take it back."""
    ERASE = "erase"
    """A patient, for good."""
    READ_AUDIT = "read_audit"


_A, _T, _P, _X, _I, _U = Role.ADMIN, Role.THERAPIST, Role.PATIENT, Role.PROXY, Role.INTEGRATION, Role.AUDITOR

MAY: dict[Deed, frozenset[Role]] = {
    Deed.USE_OWN_SIGN_IN: frozenset({_A, _T, _P, _X, _I, _U}),
    Deed.USE_OWN_LOGIN: STAFF,
    Deed.READ_SHELF: frozenset({_A, _T, _P, _X, _I, _U}),
    Deed.READ_RECORD: frozenset({_A, _T, _P, _X, _I, _U}),
    Deed.READ_CLINICAL: frozenset({_A, _T, _I, _U}),
    Deed.WRITE_RECORD: frozenset({_A, _T, _I}),
    Deed.PRESCRIBE: frozenset({_A, _T}),
    Deed.INVITE: frozenset({_A, _T}),
    Deed.SHUT_OUT: frozenset({_A, _T, _P}),
    Deed.LOG: frozenset({_A, _T, _P, _X, _I}),
    Deed.ANSWER: frozenset({_P, _X}),
    Deed.WORK_FLAGS: frozenset({_A, _T}),
    Deed.READ_REPORTS: frozenset({_A, _T, _I, _U}),
    Deed.READ_STAFF: frozenset({_A, _T, _U}),
    Deed.RUN_CLINIC: frozenset({_A}),
    Deed.TAKE_OUT: frozenset({_A}),
    Deed.TAKE_RECORD: frozenset({_A, _T, _P}),
    Deed.CONSENT: frozenset({_A, _T, _P}),
    Deed.ERASE: frozenset({_A}),
    Deed.READ_AUDIT: frozenset({_A, _U}),
}

WHILE_ENROLLING = frozenset({Deed.USE_OWN_SIGN_IN, Deed.USE_OWN_LOGIN})
"""What is left to those whose clinic requires a second factor that they do not have yet."""

REACH: dict[Role, Reach] = {
    Role.ADMIN: Reach.CLINIC,
    Role.THERAPIST: Reach.CASELOAD,
    Role.PATIENT: Reach.OWN,
    Role.PROXY: Reach.OWN,
    Role.INTEGRATION: Reach.CLINIC,
    Role.AUDITOR: Reach.CLINIC,
}

SOURCE: dict[Role, Source] = {
    Role.ADMIN: Source.THERAPIST,
    Role.THERAPIST: Source.THERAPIST,
    Role.PATIENT: Source.PATIENT,
    Role.PROXY: Source.PROXY,
    Role.INTEGRATION: Source.IMPORT,
}
"""Whose word a log or an answer is; auditors say nothing."""

SCOPES: dict[str, frozenset[Deed]] = {
    "shelf:read": frozenset({Deed.READ_SHELF}),
    "records:read": frozenset({Deed.READ_RECORD, Deed.READ_CLINICAL}),
    "records:write": frozenset({Deed.WRITE_RECORD}),
    "sessions:write": frozenset({Deed.LOG}),
    "reports:read": frozenset({Deed.READ_REPORTS}),
}
"""What an integration may be given, each scope a few deeds; `USE_OWN_SIGN_IN` goes with every one."""


def may(caller: Caller, deed: Deed) -> bool:
    """Whether the deed is for the caller's role and, of an integration, within its scopes."""
    if caller.role not in MAY[deed]:
        return False
    if caller.role is not Role.INTEGRATION or deed is Deed.USE_OWN_SIGN_IN:
        return True
    return any(deed in SCOPES[scope] for scope in caller.scopes)


def scopes_for(deed: Deed) -> list[str]:
    """The scopes of which an integration needs one for the deed, by name; none where none is enough, or none needed."""
    return sorted(scope for scope, deeds in SCOPES.items() if deed in deeds)


def reach(caller: Caller) -> Reach:
    """How far the caller's sight goes."""
    widened = caller.shares_caseloads and REACH[caller.role] is Reach.CASELOAD
    return Reach.CLINIC if widened else REACH[caller.role]


def patients_in_sight(caller: Caller) -> ColumnElement[bool]:
    """Which patients of their clinic the caller sees: a condition on `Patient`."""
    match reach(caller):
        case Reach.CLINIC:
            return Patient.deleted_at.is_(None)
        case Reach.OWN:
            return and_(Patient.deleted_at.is_(None), Patient.id == caller.patient_id)
        case Reach.CASELOAD:
            # Who was shut out treats nobody: a red flag must reach somebody.
            former = aliased(Account)
            gone = select(former.id).where(former.clinic_id == caller.clinic_id, former.disabled_at.is_not(None))
            theirs = or_(
                Patient.therapist_id == caller.account_id,
                Patient.therapist_id.is_(None),
                Patient.therapist_id.in_(gone),
            )
            return and_(Patient.deleted_at.is_(None), theirs)


def visible_patients(caller: Caller) -> Select[Patient]:
    """Every read of patients starts here."""
    return select(Patient).where(Patient.clinic_id == caller.clinic_id, patients_in_sight(caller))


def visible_programs(caller: Caller) -> Select[Program]:
    """Every read of programs starts here; drafts are the clinic's."""
    # Looked up program by program: SQLite would read every patient first.
    whose = visible_patients(caller).where(Patient.id == Program.patient_id).correlate(Program)
    seen = select(Program).where(Program.clinic_id == caller.clinic_id, whose.exists())
    return seen.where(Program.status != ProgramStatus.DRAFT) if reach(caller) is Reach.OWN else seen
