"""What the policy's tables must say of each other, and whom nobody sees."""

from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from models.operations.callers import identify
from models.operations.policy import MAY, SCOPES, Deed, scopes_for, visible_patients
from models.refusals import Unknown
from models.tables import Account, Role
from tests.builders import NOON, a_carer, a_clinic, a_member, a_patient, as_patient


@pytest.mark.parametrize("deed", Deed)
def test_an_integration_may_what_some_scope_opens_and_nothing_else(deed: Deed) -> None:
    """A deed that is for integrations but in no scope would wait for the first careless one."""
    with_every_scope = deed is Deed.USE_OWN_SIGN_IN
    assert (Role.INTEGRATION in MAY[deed]) == (bool(scopes_for(deed)) or with_every_scope)


def test_every_scope_opens_something() -> None:
    assert all(SCOPES.values())


def test_nobody_sees_who_was_erased(tx: Session) -> None:
    """Were a token of theirs left, or a carer's, it would open nothing."""
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    _, carers_phone = a_carer(tx, ines, ann)
    everybody = [
        *(ines, replace(ines, shares_caseloads=False)),
        *(as_patient(tx, ines, ann), identify(tx, carers_phone.access, NOON)),
        *(a_member(tx, ines.clinic_id, role) for role in (Role.ADMIN, Role.AUDITOR)),
    ]
    assert [tx.scalars(visible_patients(one)).all() for one in everybody] == [[ann]] * 6
    ann.deleted_at = NOON
    tx.flush()
    assert [tx.scalars(visible_patients(one)).all() for one in everybody] == [[]] * 6


def test_who_was_shut_out_is_made_responsible_for_nobody(tx: Session) -> None:
    ines = a_clinic(tx)
    theo = a_member(tx, ines.clinic_id, Role.THERAPIST)
    assert a_patient(tx, ines, therapist_id=theo.account_id).therapist_id == theo.account_id
    tx.get_one(Account, {"clinic_id": ines.clinic_id, "id": theo.account_id}).disabled_at = NOON
    tx.flush()
    with pytest.raises(Unknown) as refused:
        a_patient(tx, ines, therapist_id=theo.account_id)
    assert refused.value.field == "/therapist_id"
