"""What patients agree to, on which text, and what they take back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.ids import new_id
from models.operations.patients import patient
from models.refusals import Invalid, Unknown
from models.tables import Consent, ConsentBy, Patient

RESEARCH = "research_export"
PURPOSES = {
    "treatment_data": "what is logged is kept and looked at for the treatment",
    "reminders": "being reminded",
    "remote_care": "care at a distance",
    RESEARCH: "being among the rows of de-identified exports",
}
"""The purposes this version knows; a clinic may name others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentDraft:
    """What was agreed to."""

    purpose: str
    text_version: str
    given_by: ConsentBy
    given_name: str | None = None
    """The guardian's name, where it was not the patient."""
    given_at: datetime | None = None
    """None: now."""


def consents_of(tx: Session, caller: Caller, patient_id: UUID) -> Sequence[Consent]:
    """What a patient agreed to, the latest first, withdrawn or not."""
    known = patient(tx, caller, patient_id)
    theirs = select(Consent).where(Consent.clinic_id == known.clinic_id, Consent.patient_id == known.id)
    return tx.scalars(theirs.order_by(Consent.given_at.desc(), Consent.id.desc()).limit(200)).all()


def consent(tx: Session, caller: Caller, patient_id: UUID, consent_id: UUID) -> Consent:
    """One consent of a patient in the caller's sight."""
    known = patient(tx, caller, patient_id)
    theirs = select(Consent).where(Consent.clinic_id == known.clinic_id, Consent.patient_id == known.id)
    found = tx.scalars(theirs.where(Consent.id == consent_id).execution_options(populate_existing=True)).one_or_none()
    if found is None:
        raise Unknown(f"No consent {consent_id}.")
    return found


def give(tx: Session, caller: Caller, patient_id: UUID, draft: ConsentDraft, *, now: datetime) -> Consent:
    """Record that somebody agreed. A guardian's consent has the guardian's name, and is the clinic's to record."""
    known = patient(tx, caller, patient_id, lock=True)
    given_at = draft.given_at or now
    if given_at > now:
        raise Invalid("Consent was given in the past.", field="/given_at")
    if draft.given_by is ConsentBy.GUARDIAN and not draft.given_name:
        raise Invalid("Say the guardian's name.", field="/given_name")
    if draft.given_by is ConsentBy.GUARDIAN and caller.is_patients:
        raise Invalid("A guardian's consent is recorded by the clinic.", field="/given_by")
    made = Consent(
        clinic_id=known.clinic_id,
        id=new_id(now),
        patient_id=known.id,
        purpose=draft.purpose,
        text_version=draft.text_version,
        given_by=draft.given_by,
        given_name=draft.given_name if draft.given_by is ConsentBy.GUARDIAN else None,
        given_at=given_at,
        recorded_by=caller.account_id,
        created_at=now,
    )
    tx.add(made)
    tx.flush()  # so that its foreign keys are checked here
    return made


def withdraw(tx: Session, caller: Caller, patient_id: UUID, consent_id: UUID, *, now: datetime) -> Consent:
    """Take back what was agreed to a purpose, on whichever texts; what was done until then stays lawful (GDPR art. 7
    (3)). Said again it changes nothing.
    """
    patient(tx, caller, patient_id, lock=True)
    known = consent(tx, caller, patient_id, consent_id)
    tx.execute(
        update(Consent)
        .where(
            Consent.clinic_id == known.clinic_id,
            Consent.patient_id == known.patient_id,
            Consent.purpose == known.purpose,
            Consent.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now, withdrawn_by=caller.account_id)
        .execution_options(synchronize_session=False)
    )
    return consent(tx, caller, patient_id, consent_id)


def has_not_withdrawn(purpose: str) -> ColumnElement[bool]:
    """Whether a patient stands by what they agreed to, or was never asked: a condition on `Patient`."""
    said = select(Consent.id).where(
        Consent.clinic_id == Patient.clinic_id, Consent.patient_id == Patient.id, Consent.purpose == purpose
    )
    return or_(~said.exists(), said.where(Consent.withdrawn_at.is_(None)).exists())
