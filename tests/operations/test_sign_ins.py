"""Getting in: passwords, invitations, rotation, and what guessing costs."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.operations import accounts, patients, sign_ins
from models.operations.callers import Caller, identify
from models.operations.credentials import CODE_LENGTH, code_hash, fits, hash_password, new_code, new_token, read_token
from models.operations.throttles import PER_ADDRESS, PER_NAME_HERE, WINDOW, refuse_if_spent, throttle_keys
from models.refusals import EmailTaken, InvalidGrant, NotSignedIn, TooManyAttempts, WhichClinic
from models.tables import Account, Device, Invitation, Role, SignIn, Token
from tests.builders import BORN, DAY, NOON, a_clinic, a_patient, a_phone

PASSWORD = "a sentence of some length"
KEPT = hash_password(PASSWORD)
HERE: dict[str, Any] = {"address": "192.0.2.1"}


def a_login(tx: Session, clinic_id: UUID, email: str = "Ines@Clinic.example") -> Account:
    return accounts.create_staff(
        tx, clinic_id, role=Role.THERAPIST, name="Ines", email=email, password_hash=KEPT, now=NOON
    )


def sign_in(tx: Session, email: str, password: str, clinic_id: UUID | None = None) -> object:
    found = sign_ins.candidates(tx, email, clinic_id, **HERE, now=NOON)
    return sign_ins.sign_in(tx, sign_ins.choose(found, password), email, **HERE, now=NOON)


def test_staff_sign_in_whatever_the_case_of_the_address(tx: Session) -> None:
    account = a_login(tx, a_clinic(tx).clinic_id)
    tokens = sign_in(tx, " INES@clinic.EXAMPLE ", PASSWORD)
    assert isinstance(tokens, sign_ins.Tokens)
    tx.flush()
    caller = identify(tx, tokens.access, NOON)
    assert (caller.account_id, caller.role, caller.patient_id) == (account.id, Role.THERAPIST, None)


@pytest.mark.parametrize(("email", "password"), [("ines@clinic.example", "wrong"), ("nobody@clinic.example", PASSWORD)])
def test_a_wrong_password_and_an_unknown_address_are_answered_alike(tx: Session, email: str, password: str) -> None:
    a_login(tx, a_clinic(tx).clinic_id)
    refused = sign_in(tx, email, password)
    assert isinstance(refused, InvalidGrant)
    assert str(refused) == "The e-mail or the password is wrong."


def test_a_disabled_account_is_out_at_once(tx: Session) -> None:
    account = a_login(tx, a_clinic(tx).clinic_id)
    tokens = sign_in(tx, "ines@clinic.example", PASSWORD)
    assert isinstance(tokens, sign_ins.Tokens)
    account.disabled_at = NOON
    tx.flush()
    with pytest.raises(NotSignedIn):
        identify(tx, tokens.access, NOON)
    assert isinstance(sign_ins.refresh(tx, tokens.refresh, NOON), InvalidGrant)
    assert isinstance(sign_in(tx, "ines@clinic.example", PASSWORD), InvalidGrant)


def test_one_address_in_two_clinics_names_its_clinic(tx: Session) -> None:
    first, second = a_clinic(tx), a_clinic(tx)
    a_login(tx, first.clinic_id)
    a_login(tx, second.clinic_id)
    with pytest.raises(WhichClinic) as asked:
        sign_in(tx, "ines@clinic.example", PASSWORD)
    assert {clinic["clinic_id"] for clinic in asked.value.more["clinics"]} == {
        str(first.clinic_id),
        str(second.clinic_id),
    }
    assert isinstance(sign_in(tx, "ines@clinic.example", PASSWORD, second.clinic_id), sign_ins.Tokens)
    with pytest.raises(EmailTaken):
        a_login(tx, first.clinic_id, "ines@clinic.example")


def test_guessing_is_spent_after_a_few_tries_and_forgiven_after_a_while(tx: Session) -> None:
    a_login(tx, a_clinic(tx).clinic_id)
    for _ in range(PER_NAME_HERE):
        assert isinstance(sign_ins.sign_in(tx, None, "ines@clinic.example", **HERE, now=NOON), InvalidGrant)
    with pytest.raises(TooManyAttempts) as spent:
        sign_in(tx, "ines@clinic.example", PASSWORD)
    assert spent.value.until == NOON + WINDOW
    assert sign_ins.candidates(tx, "ines@clinic.example", None, address="192.0.2.9", now=NOON)  # not locked out
    assert sign_ins.candidates(tx, "ines@clinic.example", None, **HERE, now=NOON + WINDOW)


def test_an_invitation_binds_a_phone_once(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    _, code = patients.invite(tx, ines, ann.id, now=NOON)
    tokens = sign_ins.redeem(tx, code.lower().replace("-", " "), BORN, "Ann's phone", **HERE, now=NOON)
    assert isinstance(tokens, sign_ins.Tokens)
    tx.flush()
    caller = identify(tx, tokens.access, NOON)
    assert (caller.role, caller.patient_id) == (Role.PATIENT, ann.id)
    assert tx.scalars(select(Device.name)).all() == ["Ann's phone"]
    assert isinstance(sign_ins.redeem(tx, code, BORN, "another", **HERE, now=NOON), InvalidGrant)


def expired(tx: Session, ines: Caller, patient_id: UUID) -> tuple[str, date | None, object]:
    return patients.invite(tx, ines, patient_id, now=NOON - patients.INVITATION_LASTS)[1], BORN, None


def replaced(tx: Session, ines: Caller, patient_id: UUID) -> tuple[str, date | None, object]:
    code = patients.invite(tx, ines, patient_id, now=NOON)[1]
    tx.flush()
    patients.invite(tx, ines, patient_id, now=NOON)
    return code, BORN, None


def another_birthday(tx: Session, ines: Caller, patient_id: UUID) -> tuple[str, date | None, object]:
    return patients.invite(tx, ines, patient_id, now=NOON)[1], BORN + DAY, None


def no_birthday(tx: Session, ines: Caller, patient_id: UUID) -> tuple[str, date | None, object]:
    return patients.invite(tx, ines, patient_id, now=NOON)[1], None, None


def made_up(_tx: Session, _ines: Caller, _patient_id: UUID) -> tuple[str, date | None, object]:
    return "0000-0000-0000", BORN, None


@pytest.mark.parametrize("how", [expired, replaced, another_birthday, no_birthday, made_up])
def test_every_code_that_does_not_fit_is_answered_alike(
    tx: Session, how: Callable[[Session, Caller, UUID], tuple[str, date | None, object]]
) -> None:
    ines = a_clinic(tx)
    code, born, _ = how(tx, ines, a_patient(tx, ines).id)
    tx.flush()
    refused = sign_ins.redeem(tx, code, born, "phone", **HERE, now=NOON)
    assert isinstance(refused, InvalidGrant)
    assert str(refused).startswith("The code is not valid, was used or has expired")


def test_a_code_burns_after_five_wrong_birthdays(tx: Session) -> None:
    ines = a_clinic(tx)
    _, code = patients.invite(tx, ines, a_patient(tx, ines).id, now=NOON)
    for _ in range(sign_ins.INVITATION_TRIES):
        sign_ins.redeem(tx, code, BORN + DAY, "phone", **HERE, now=NOON)
    tx.flush()
    assert tx.scalars(select(Invitation.ended_because)).all() == ["too_many_tries"]
    assert isinstance(sign_ins.redeem(tx, code, BORN, "phone", **HERE, now=NOON), InvalidGrant)


def test_a_code_of_who_was_erased_opens_nothing(tx: Session) -> None:
    """Were one left: erasing ends them all."""
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    _, code = patients.invite(tx, ines, ann.id, now=NOON)
    ann.deleted_at = NOON
    tx.flush()
    assert isinstance(sign_ins.redeem(tx, code, BORN, "phone", **HERE, now=NOON), InvalidGrant)


def test_guessing_codes_is_spent_by_address(tx: Session) -> None:
    for number in range(PER_ADDRESS):
        refused = sign_ins.redeem(tx, f"0000-0000-{number:04d}", BORN, "phone", **HERE, now=NOON)
        assert isinstance(refused, InvalidGrant)
    with pytest.raises(TooManyAttempts):
        sign_ins.redeem(tx, "0000-0000-ZZZZ", BORN, "phone", **HERE, now=NOON)
    elsewhere = sign_ins.redeem(tx, "0000-0000-ZZZZ", BORN, "phone", address="192.0.2.9", now=NOON)
    assert isinstance(elsewhere, InvalidGrant)


def test_codes_are_long_plain_and_different() -> None:
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(len(code.replace("-", "")) == CODE_LENGTH and not set(code) & set("ILOU") for code in codes)
    assert code_hash("7KQ4-M2XD-0HT1") == code_hash("7kq4 m2xd ohti")


def a_pair(tx: Session) -> sign_ins.Tokens:
    ines = a_clinic(tx)
    return a_phone(tx, ines, a_patient(tx, ines))


def rotated(tx: Session, token: str, when: timedelta) -> sign_ins.Tokens:
    fresh = sign_ins.refresh(tx, token, NOON + when)
    assert isinstance(fresh, sign_ins.Tokens)
    tx.flush()
    return fresh


def test_an_access_token_lasts_a_quarter_of_an_hour(tx: Session) -> None:
    tokens = a_pair(tx)
    assert identify(tx, tokens.access, NOON + timedelta(minutes=14, seconds=59))
    with pytest.raises(NotSignedIn):
        identify(tx, tokens.access, NOON + timedelta(minutes=15))


def test_a_refresh_token_is_no_access_token(tx: Session) -> None:
    with pytest.raises(NotSignedIn):
        identify(tx, a_pair(tx).refresh, NOON)


def test_a_lost_answer_is_given_again_within_the_grace(tx: Session) -> None:
    tokens = a_pair(tx)
    first = rotated(tx, tokens.refresh, timedelta(0))
    again = rotated(tx, tokens.refresh, sign_ins.GRACE)
    assert first.refresh == again.refresh != tokens.refresh
    assert rotated(tx, first.refresh, timedelta(minutes=5))


def test_a_token_used_twice_revokes_the_family(tx: Session) -> None:
    tokens = a_pair(tx)
    first = rotated(tx, tokens.refresh, timedelta(0))
    stolen = sign_ins.refresh(tx, tokens.refresh, NOON + sign_ins.GRACE + timedelta(seconds=1))
    assert isinstance(stolen, InvalidGrant)
    tx.flush()
    assert tx.scalars(select(SignIn.revoked_because)).all() == ["refresh_token_reused"]
    assert isinstance(sign_ins.refresh(tx, first.refresh, NOON), InvalidGrant)
    with pytest.raises(NotSignedIn):
        identify(tx, first.access, NOON)


def test_a_phone_in_a_drawer_is_not_locked_out(tx: Session) -> None:
    tokens = a_pair(tx)
    later = sign_ins.PATIENT_REFRESH_LASTS
    assert rotated(tx, tokens.refresh, later - timedelta(seconds=1))
    assert isinstance(sign_ins.refresh(tx, a_pair(tx).refresh, NOON + later), InvalidGrant)


def test_signing_out_is_at_once(tx: Session) -> None:
    tokens = a_pair(tx)
    sign_ins.sign_out(tx, identify(tx, tokens.access, NOON), NOON)
    tx.expire_all()
    with pytest.raises(NotSignedIn):
        identify(tx, tokens.access, NOON)


def test_only_hashes_are_kept(tx: Session) -> None:
    tokens = a_pair(tx)
    sign_ins.refresh(tx, tokens.refresh, NOON)
    tx.flush()
    held = {read_token(tokens.access), read_token(tokens.refresh)}
    for row in tx.scalars(select(Token)):
        for token in held:
            assert token is not None
            assert row.hash != token.secret
            assert row.successor_sealed != token.secret


@pytest.mark.parametrize("text", [None, "", "ft_", "ft_!!!", "Bearer x", "ft_" + "A" * 64, "ft_" + "A" * 4000, "ft_é"])
def test_what_is_no_token_signs_nobody_in(tx: Session, text: str | None) -> None:
    with pytest.raises(NotSignedIn):
        identify(tx, text, NOON)
    assert isinstance(sign_ins.refresh(tx, text or "", NOON), InvalidGrant)


def test_a_phone_that_is_shut_out_is_out_whatever_its_sign_in_says(tx: Session) -> None:
    ines = a_clinic(tx)
    ann = a_patient(tx, ines)
    lost, kept = a_phone(tx, ines, ann), a_phone(tx, ines, ann)
    caller = identify(tx, kept.access, NOON)
    assert len(sign_ins.open_sign_ins(tx, caller, now=NOON)) == 2
    phone = identify(tx, lost.access, NOON).device_id
    # As by a sign-in that began at the same moment: it is open still.
    tx.execute(update(Device).where(Device.clinic_id == ines.clinic_id, Device.id == phone).values(revoked_at=NOON))
    with pytest.raises(NotSignedIn):
        identify(tx, lost.access, NOON)
    assert isinstance(sign_ins.refresh(tx, lost.refresh, NOON), InvalidGrant)
    assert [one.device_id for one in sign_ins.open_sign_ins(tx, caller, now=NOON)] == [caller.device_id]


def test_tokens_carry_their_clinic() -> None:
    clinic = UUID(int=7)
    token = new_token(clinic)
    assert read_token(token.text) == token
    assert len({new_token(clinic).text for _ in range(100)}) == 100


def test_a_password_fits_only_itself() -> None:
    kept = hash_password(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert fits(PASSWORD, kept)
    assert not fits(PASSWORD + " ", kept)
    assert not fits(PASSWORD, None)
    assert not fits(PASSWORD, "not a hash")


@pytest.mark.parametrize(
    ("other", "is_same"),
    [("2001:db8:0:7:ffff::1", True), ("2001:db8:0:8::1", False), ("192.0.2.1", False), ("not an address", False)],
)
def test_all_the_addresses_of_one_caller_are_one(tx: Session, other: str, is_same: bool) -> None:
    """Whoever has IPv6 has 2^64 of them."""
    for number in range(PER_ADDRESS):
        sign_ins.redeem(tx, f"0000-0000-00{number:02}", BORN, "phone", address=f"2001:db8:0:7::{number:x}", now=NOON)
    keys = throttle_keys("invitation", name="another", address=other)
    if is_same:
        with pytest.raises(TooManyAttempts):
            refuse_if_spent(tx, keys, NOON)
    else:
        refuse_if_spent(tx, keys, NOON)


def test_an_ipv4_address_told_as_ipv6_is_itself() -> None:
    told, mapped = (throttle_keys("login", name="a", address=one) for one in ("192.0.2.1", "::ffff:192.0.2.1"))
    assert told == mapped
