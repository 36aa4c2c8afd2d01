"""What is asked at the server's console is asked of one clinic."""

from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from models.operations import accounts, sweep
from models.refusals import Unknown
from models.tables import Role
from tests.builders import DAY, NOON, a_clinic, a_member, a_patient, a_program


def test_whoever_sits_at_the_console_is_the_clinics_first_admin(tx: Session) -> None:
    a_member(tx, a_clinic(tx).clinic_id, Role.ADMIN)
    ines = a_clinic(tx)
    for nobody in (ines.clinic_id, uuid4()):  # no admin yet; no clinic
        with pytest.raises(Unknown):
            accounts.console(tx, nobody)
    a_member(tx, ines.clinic_id, Role.ADMIN)
    first = a_member(tx, ines.clinic_id, Role.ADMIN, now=NOON - DAY)
    said = accounts.console(tx, ines.clinic_id)
    assert (said.clinic_id, said.account_id, said.role) == (ines.clinic_id, first.account_id, Role.ADMIN)


def test_programs_are_judged_anew_clinic_by_clinic(tx: Session) -> None:
    ines, other = a_clinic(tx), a_clinic(tx)
    mine = sorted(a_program(tx, ines, a_patient(tx, ines)).program.id for _ in range(3))
    a_program(tx, other, a_patient(tx, other))
    assert [list(batch) for batch in sweep.program_batches(tx, ines.clinic_id, 2)] == [mine[:2], mine[2:]]
