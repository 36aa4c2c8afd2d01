"""What has ended once keeps when it did and why, whatever else ends afterwards."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.operations import carers, devices, patients, revocations, sign_ins
from models.operations.callers import Caller, identify
from models.refusals import NotSignedIn
from models.tables import Invitation, Proxy, Role, SignIn
from tests.builders import NOON, a_carer, a_clinic, a_patient, a_phone

LATER = NOON + timedelta(hours=1)


def ended(tx: Session, caller: Caller) -> list[tuple[object, str | None]]:
    """When and why an account's sign-ins ended."""
    tx.expire_all()
    found = tx.scalars(
        select(SignIn).where(SignIn.clinic_id == caller.clinic_id, SignIn.account_id == caller.account_id)
    )
    return [(one.revoked_at, one.revoked_because) for one in found]


def test_a_carers_ended_sign_in_and_used_invitation_stay_what_they_were(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    named, tokens = a_carer(tx, ines, ann)
    cara = identify(tx, tokens.access, NOON)
    sign_ins.sign_out(tx, cara, NOON)
    carers.end_carer(tx, ines, ann.id, named.proxy.id, now=LATER)
    assert ended(tx, cara) == [(NOON, "signed_out")]
    used = tx.scalars(select(Invitation).where(Invitation.clinic_id == ines.clinic_id)).one()
    assert (used.ended_at, used.ended_because) == (NOON, "used")


def test_a_used_invitation_is_not_replaced_by_the_next(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    a_phone(tx, ines, ann)
    patients.invite(tx, ines, ann.id, now=LATER)
    patients.invite(tx, ines, ann.id, now=LATER + LATER.resolution)
    tx.expire_all()
    of_clinic = Invitation.clinic_id == ines.clinic_id
    found = tx.scalars(select(Invitation).where(of_clinic).order_by(Invitation.created_at))
    assert [(one.ended_at, one.ended_because) for one in found] == [
        (NOON, "used"),
        (LATER + LATER.resolution, "replaced"),
        (None, None),
    ]


def test_a_phones_ended_sign_in_stays_what_it_was(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    tokens = a_phone(tx, ines, ann)
    phone = identify(tx, tokens.access, NOON)
    assert phone.device_id is not None
    sign_ins.sign_out(tx, phone, NOON)
    devices.revoke_device(tx, ines, ann.id, phone.device_id, now=LATER)
    revocations.revoke_sign_ins(tx, ines.clinic_id, phone.account_id, because="again", now=LATER)
    assert ended(tx, phone) == [(NOON, "signed_out")]


def test_who_is_no_carer_any_more_is_out_whatever_their_sign_in_says(tx: Session) -> None:
    ines = a_clinic(tx)
    named, tokens = a_carer(tx, ines, a_patient(tx, ines))
    assert identify(tx, tokens.access, NOON).role is Role.PROXY
    # As by a sign-in that began at the same moment: it is open still.
    of_clinic = Proxy.clinic_id == ines.clinic_id
    tx.execute(update(Proxy).where(of_clinic, Proxy.id == named.proxy.id).values(ended_at=NOON))
    with pytest.raises(NotSignedIn):
        identify(tx, tokens.access, NOON)
