"""Every operation once more behind the wall: it stands in nobody's way, and another clinic is as far as ever."""

import httpx
import pytest
from fastapi import FastAPI

from tests.api.conftest import Clinic, clinic, stranger
from tests.api.test_access import (
    MAY,
    OK_FOR_AN_ACTIVE_PROGRAM,
    SIGNED_IN,
    knock,
    named,
    test_a_patient_sees_nobody_else_of_their_own_clinic,
    test_another_clinics_record_does_not_exist,
    test_lists_hold_only_the_callers_clinic,
)

__all__ = [
    "clinic",
    "stranger",
    "test_a_patient_sees_nobody_else_of_their_own_clinic",
    "test_another_clinics_record_does_not_exist",
    "test_lists_hold_only_the_callers_clinic",
]


@pytest.mark.parametrize("name", SIGNED_IN)
def test_every_operation_works(app: FastAPI, client: httpx.Client, clinic: Clinic, name: str) -> None:
    headers = getattr(clinic, min(MAY[name]).value)
    answer = knock(client, named(app, name), clinic, headers)
    assert answer.status_code in OK_FOR_AN_ACTIVE_PROGRAM, answer.text
