"""Carers: who may act for a patient, on whose consent, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.operations.ids import new_id
from models.operations.patients import invite, patient
from models.operations.revocations import revoke_sign_ins
from models.refusals import Invalid, Unknown
from models.tables import Account, ConsentBy, Invitation, Proxy, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class CarerDraft:
    """What staff say of a carer, and of the consent that lets them in."""

    name: str
    relationship: str
    consent_by: ConsentBy
    consent_name: str | None = None
    """The guardian's name, where it was not the patient who agreed."""
    consented_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Carer:
    """A carer and what they are called."""

    proxy: Proxy
    name: str


def name_carer(tx: Session, caller: Caller, patient_id: UUID, draft: CarerDraft, *, now: datetime) -> Carer:
    """Name a carer for one patient. Nobody is let in without consent, and a guardian's has the guardian's name."""
    known = patient(tx, caller, patient_id, lock=True)
    if draft.consented_on > now.date():
        raise Invalid("Consent was given on a day that is past.", field="/consented_on")
    if draft.consent_by is ConsentBy.GUARDIAN and not draft.consent_name:
        raise Invalid("Say the guardian's name.", field="/consent_name")
    account = Account(clinic_id=known.clinic_id, id=new_id(now), role=Role.PROXY, name=draft.name, created_at=now)
    tx.add(account)
    tx.flush()  # the carer's foreign key needs it
    proxy = Proxy(
        clinic_id=known.clinic_id,
        id=new_id(now),
        patient_id=known.id,
        account_id=account.id,
        relationship=draft.relationship,
        consent_by=draft.consent_by,
        consent_name=draft.consent_name,
        consented_on=draft.consented_on,
        named_by=caller.account_id,
        created_at=now,
    )
    tx.add(proxy)
    tx.flush()  # an invitation's foreign key needs it
    return Carer(proxy=proxy, name=account.name)


def carers_of(tx: Session, caller: Caller, patient_id: UUID) -> Sequence[Carer]:
    """A patient's carers, the latest first, former ones too."""
    known = patient(tx, caller, patient_id)
    rows = tx.execute(
        select(Proxy, Account.name)
        .join(Account, and_(Account.clinic_id == Proxy.clinic_id, Account.id == Proxy.account_id))
        .where(Proxy.clinic_id == known.clinic_id, Proxy.patient_id == known.id)
        .order_by(Proxy.created_at.desc(), Proxy.id.desc())
        .limit(100)
    )
    return [Carer(proxy=proxy, name=name) for proxy, name in rows]


def carer(tx: Session, caller: Caller, patient_id: UUID, carer_id: UUID) -> Carer:
    """One carer of a patient in the caller's sight."""
    found = next((one for one in carers_of(tx, caller, patient_id) if one.proxy.id == carer_id), None)
    if found is None:
        raise Unknown(f"No carer {carer_id}.")
    return found


def invite_carer(
    tx: Session, caller: Caller, patient_id: UUID, carer_id: UUID, *, now: datetime
) -> tuple[Invitation, str]:
    """A fresh invitation of a carer's phone; it asks for the patient's birth date, where that is on record."""
    found = carer(tx, caller, patient_id, carer_id)
    if found.proxy.ended_at is not None:
        raise Invalid("They are no carer any more; name them again.")
    return invite(tx, caller, patient_id, proxy_id=found.proxy.id, now=now)


def end_carer(tx: Session, caller: Caller, patient_id: UUID, carer_id: UUID, *, now: datetime) -> None:
    """Shut a carer out, at once and for good: their phones, and invitations not yet used. What they logged stays."""
    known = carer(tx, caller, patient_id, carer_id).proxy
    if known.ended_at is None:
        shut_out(tx, known, caller.account_id, now=now)


def shut_out(tx: Session, proxy: Proxy, by: UUID, *, now: datetime) -> None:
    """End what a carer could do."""
    proxy.ended_at, proxy.ended_by = now, by
    revoke_sign_ins(tx, proxy.clinic_id, proxy.account_id, because="carer_ended", now=now)
    tx.execute(
        update(Invitation)
        .where(Invitation.clinic_id == proxy.clinic_id, Invitation.proxy_id == proxy.id, Invitation.ended_at.is_(None))
        .values(ended_at=now, ended_because="carer_ended")
    )
