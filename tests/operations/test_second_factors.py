"""The second factor: what it takes, what it never takes twice, and who must have one."""

from datetime import timedelta
from typing import Any

import pytest
from pyotp import TOTP, parse_uri
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.operations import accounts, second_factors, sign_in_rules, sign_ins
from models.operations.callers import Caller, identify
from models.operations.credentials import hash_password, new_key
from models.operations.sealing import NO_KEY, Seal
from models.operations.throttles import PER_PROVEN_NAME, WINDOW
from models.refusals import (
    InvalidGrant,
    NoSecondFactor,
    NoSecretKey,
    NotSignedIn,
    OtpRequired,
    SecondFactorOn,
    TooManyAttempts,
    VersionMismatch,
)
from models.tables import Account, RecoveryCode, Role, SecondFactor
from tests.builders import NOON, a_clinic, a_member, a_patient, a_token, as_patient

PASSWORD = "a sentence of some length"
KEPT = hash_password(PASSWORD)
EMAIL = "ines@clinic.example"
SEAL = Seal((new_key(),))
HERE: dict[str, Any] = {"address": "192.0.2.1"}
STEP = timedelta(seconds=second_factors.STEP_SECONDS)


def a_login(tx: Session, *, role: Role = Role.THERAPIST) -> Caller:
    """Somebody of a clinic who signs in by password, signed in."""
    clinic_id = a_clinic(tx).clinic_id
    made = accounts.create_staff(tx, clinic_id, role=role, name="Ines", email=EMAIL, password_hash=KEPT, now=NOON)
    return identify(tx, a_token(tx, Caller(clinic_id=clinic_id, account_id=made.id, role=role, name="Ines")), NOON)


def an_app(tx: Session, caller: Caller) -> tuple[TOTP, list[str]]:
    """The caller's authenticator app, its first code used a minute ago, and the recovery codes."""
    app = TOTP(second_factors.begin(tx, caller, SEAL, now=NOON).secret)
    earlier = NOON - 2 * STEP
    codes = second_factors.confirm(tx, caller, SEAL, app.at(earlier), **HERE, now=earlier)
    assert isinstance(codes, list)
    return app, codes


def enter(tx: Session, otp: str | None, *, password: str = PASSWORD, seal: Seal = SEAL, now: Any = NOON) -> object:
    found = sign_ins.candidates(tx, EMAIL, None, **HERE, now=now)
    chosen = sign_ins.choose(found, password)
    return sign_ins.sign_in(tx, chosen, EMAIL, **HERE, otp=otp, seal=seal, now=now)


def test_an_app_is_enrolled_by_its_first_code(tx: Session) -> None:
    ines = a_login(tx)
    assert second_factors.standing(tx, ines).since is None
    begun = second_factors.begin(tx, ines, SEAL, now=NOON)
    told = parse_uri(begun.uri)
    assert (told.secret, told.name, told.issuer) == (begun.secret, EMAIL, "Followthrough")
    assert isinstance(enter(tx, None), sign_ins.Tokens)  # not in force yet
    wrong = second_factors.confirm(tx, ines, SEAL, "000000", **HERE, now=NOON)
    assert isinstance(wrong, InvalidGrant)
    codes = second_factors.confirm(tx, ines, SEAL, TOTP(begun.secret).at(NOON), **HERE, now=NOON)
    assert isinstance(codes, list)
    assert len(set(codes)) == second_factors.RECOVERY_CODES == 10
    assert second_factors.standing(tx, ines) == second_factors.Standing(NOON, 10)
    with pytest.raises(SecondFactorOn):
        second_factors.begin(tx, ines, SEAL, now=NOON)
    with pytest.raises(SecondFactorOn):
        second_factors.confirm(tx, ines, SEAL, "000000", **HERE, now=NOON)


def test_a_secret_drawn_again_is_another(tx: Session) -> None:
    ines = a_login(tx)
    first = second_factors.begin(tx, ines, SEAL, now=NOON)
    second = second_factors.begin(tx, ines, SEAL, now=NOON)
    refused = second_factors.confirm(tx, ines, SEAL, TOTP(first.secret).at(NOON), **HERE, now=NOON)
    assert isinstance(refused, InvalidGrant)
    assert isinstance(second_factors.confirm(tx, ines, SEAL, TOTP(second.secret).at(NOON), **HERE, now=NOON), list)


def test_a_second_factor_is_asked_for_only_where_the_password_fitted(tx: Session) -> None:
    app, _ = an_app(tx, a_login(tx))
    assert isinstance(enter(tx, None), OtpRequired)
    assert isinstance(enter(tx, ""), OtpRequired)
    for otp in (None, app.at(NOON)):
        refused = enter(tx, otp, password="a sentence of other length")
        assert isinstance(refused, InvalidGrant)
        assert str(refused) == "The e-mail or the password is wrong."
    assert isinstance(enter(tx, app.at(NOON)), sign_ins.Tokens)


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_clocks_may_differ_by_a_step(tx: Session, steps: int, taken: bool) -> None:
    later = NOON + 20 * STEP
    app, _ = an_app(tx, a_login(tx))
    assert isinstance(enter(tx, app.at(later + steps * STEP), now=later), sign_ins.Tokens) is taken


def test_a_code_is_taken_once_and_none_from_before_it(tx: Session) -> None:
    app, _ = an_app(tx, a_login(tx))
    assert isinstance(enter(tx, f" {app.at(NOON)[:3]} {app.at(NOON)[3:]} "), sign_ins.Tokens)
    assert isinstance(enter(tx, app.at(NOON)), InvalidGrant)
    assert isinstance(enter(tx, app.at(NOON - STEP)), InvalidGrant)
    assert isinstance(enter(tx, app.at(NOON + STEP)), sign_ins.Tokens)


def test_the_code_that_enrolled_does_not_sign_in(tx: Session) -> None:
    ines = a_login(tx)
    app = TOTP(second_factors.begin(tx, ines, SEAL, now=NOON).secret)
    second_factors.confirm(tx, ines, SEAL, app.at(NOON), **HERE, now=NOON)
    assert isinstance(enter(tx, app.at(NOON)), InvalidGrant)


def test_a_recovery_code_opens_once(tx: Session) -> None:
    ines = a_login(tx)
    _, codes = an_app(tx, ines)
    assert isinstance(enter(tx, codes[3].lower().replace("-", " ")), sign_ins.Tokens)
    assert isinstance(enter(tx, codes[3]), InvalidGrant)
    assert second_factors.standing(tx, ines).recovery_codes == 9
    kept = tx.scalars(select(RecoveryCode.hash)).all()
    assert all(len(one) == 32 for one in kept)
    assert not any(code.encode() in one for one in kept for code in codes)


def test_fresh_recovery_codes_end_the_earlier_ones(tx: Session) -> None:
    ines = a_login(tx)
    app, codes = an_app(tx, ines)
    refused = second_factors.renew_codes(tx, ines, SEAL, "000000", **HERE, now=NOON)
    assert isinstance(refused, InvalidGrant)
    fresh = second_factors.renew_codes(tx, ines, SEAL, app.at(NOON), **HERE, now=NOON)
    assert isinstance(fresh, list)
    assert isinstance(enter(tx, codes[0]), InvalidGrant)
    assert isinstance(enter(tx, fresh[0]), sign_ins.Tokens)


def test_anothers_recovery_code_opens_nothing(tx: Session) -> None:
    ines = a_login(tx)
    an_app(tx, ines)
    bob = a_member(tx, ines.clinic_id, Role.THERAPIST)
    _, theirs = an_app(tx, bob)
    assert isinstance(enter(tx, theirs[0]), InvalidGrant)
    assert second_factors.standing(tx, bob).recovery_codes == 10


@pytest.mark.parametrize("otp", ["000000", "0000-0000-0000", "12345", "\uff11\uff12\uff13\uff14\uff15\uff16", "é" * 6])
def test_guessing_codes_is_spent_whatever_they_look_like(tx: Session, otp: str) -> None:
    app, codes = an_app(tx, a_login(tx))
    for _ in range(PER_PROVEN_NAME):
        assert isinstance(enter(tx, otp), InvalidGrant)
    for right in (app.at(NOON), codes[0]):
        with pytest.raises(TooManyAttempts) as spent:
            enter(tx, right)
        assert spent.value.until == NOON + WINDOW
    with pytest.raises(TooManyAttempts):  # from anywhere: six digits are few
        sign_ins.sign_in(
            tx,
            sign_ins.choose(sign_ins.candidates(tx, EMAIL, None, address="192.0.2.9", now=NOON), PASSWORD),
            EMAIL,
            address="192.0.2.9",
            otp=app.at(NOON),
            seal=SEAL,
            now=NOON,
        )
    later = NOON + WINDOW
    assert isinstance(enter(tx, app.at(later), now=later), sign_ins.Tokens)


def test_an_app_that_comes_into_force_ends_what_a_password_alone_opened(tx: Session) -> None:
    ines = a_login(tx)
    before = enter(tx, None)
    assert isinstance(before, sign_ins.Tokens)
    assert ines.sign_in_id is not None
    an_app(tx, ines)
    with pytest.raises(NotSignedIn):
        identify(tx, before.access, NOON)
    assert [one.id for one in sign_ins.open_sign_ins(tx, ines, now=NOON)] == [ines.sign_in_id]


def test_it_is_taken_off_by_a_code_of_it(tx: Session) -> None:
    ines = a_login(tx)
    with pytest.raises(NoSecondFactor):
        second_factors.take_off(tx, ines, SEAL, "000000", **HERE, now=NOON)
    _, codes = an_app(tx, ines)
    assert isinstance(second_factors.take_off(tx, ines, SEAL, "000000", **HERE, now=NOON), InvalidGrant)
    assert second_factors.take_off(tx, ines, SEAL, codes[0], **HERE, now=NOON) is None
    assert isinstance(enter(tx, None), sign_ins.Tokens)
    assert second_factors.standing(tx, ines) == second_factors.Standing(None, 0)


def test_an_admin_takes_a_lost_one_off(tx: Session) -> None:
    ines = a_login(tx)
    an_app(tx, ines)
    token = a_token(tx, ines)
    admin = a_member(tx, ines.clinic_id, Role.ADMIN)
    accounts.reset_second_factor(tx, admin, ines.account_id, now=NOON)
    with pytest.raises(NotSignedIn):
        identify(tx, token, NOON)
    assert isinstance(enter(tx, None), sign_ins.Tokens)
    assert tx.scalars(select(func.count()).select_from(SecondFactor)).one() == 0


def test_who_has_only_the_database_has_no_codes(tx: Session) -> None:
    ines = a_login(tx)
    begun = second_factors.begin(tx, ines, SEAL, now=NOON)
    tx.flush()
    factor = tx.scalars(select(SecondFactor)).one()
    assert begun.secret.encode() not in factor.sealed
    with pytest.raises(NoSecretKey):
        second_factors.confirm(tx, ines, NO_KEY, TOTP(begun.secret).at(NOON), **HERE, now=NOON)
    # Nor does it help to copy a secret that one knows into another's row.
    bob = a_member(tx, ines.clinic_id, Role.ADMIN)
    known = second_factors.begin(tx, bob, SEAL, now=NOON)
    tx.flush()
    factor.sealed = tx.scalars(select(SecondFactor.sealed).where(SecondFactor.account_id == bob.account_id)).one()
    tx.flush()
    with pytest.raises(NoSecretKey):
        second_factors.confirm(tx, ines, SEAL, TOTP(known.secret).at(NOON), **HERE, now=NOON)


def test_a_new_key_is_put_in_front_of_the_old_one(tx: Session) -> None:
    app, codes = an_app(tx, a_login(tx))
    new = new_key()
    assert isinstance(enter(tx, app.at(NOON), seal=Seal((new, *SEAL.keys))), sign_ins.Tokens)
    with pytest.raises(NoSecretKey):
        enter(tx, app.at(NOON + STEP), seal=Seal((new,)))
    assert isinstance(enter(tx, codes[0], seal=NO_KEY), sign_ins.Tokens)  # what is only compared needs no key


def test_without_a_key_nobody_enrols_and_no_clinic_requires_it(tx: Session) -> None:
    ines = a_login(tx, role=Role.ADMIN)
    with pytest.raises(NoSecretKey):
        second_factors.begin(tx, ines, NO_KEY, now=NOON)
    with pytest.raises(NoSecretKey):
        sign_in_rules.decide(tx, ines, NO_KEY, second_factor_required=True, version=1)
    assert sign_in_rules.decide(tx, ines, NO_KEY, second_factor_required=False, version=1).version == 2


def test_a_clinic_that_requires_it_asks_it_of_whoever_has_a_password(tx: Session) -> None:
    ines = a_login(tx, role=Role.ADMIN)
    token = a_token(tx, ines)
    ann = a_patient(tx, ines)
    assert not identify(tx, token, NOON).must_enrol
    assert sign_in_rules.decide(tx, ines, SEAL, second_factor_required=True, version=1).second_factor_required
    with pytest.raises(VersionMismatch):
        sign_in_rules.decide(tx, ines, SEAL, second_factor_required=False, version=1)
    tx.flush()
    assert identify(tx, token, NOON).must_enrol  # who is signed in already, too
    assert not as_patient(tx, ines, ann).must_enrol
    an_app(tx, ines)
    assert not identify(tx, a_token(tx, ines), NOON).must_enrol
    elsewhere = a_clinic(tx)
    tx.get_one(Account, (elsewhere.clinic_id, elsewhere.account_id)).password_hash = KEPT
    tx.flush()
    assert not identify(tx, a_token(tx, elsewhere), NOON).must_enrol
