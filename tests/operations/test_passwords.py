"""Passwords: which are taken, what changing one ends, links that set one; and who is shut out."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.operations import accounts, announcements, passwords, sign_ins
from models.operations.announcements import Target
from models.operations.callers import Caller, identify
from models.operations.credentials import fits, hash_password
from models.operations.links import MAILED_FOR
from models.operations.sweep import forget_expired
from models.operations.throttles import PER_MAILED_NAME, PER_PROVEN_NAME
from models.refusals import Invalid, InvalidGrant, LastAdmin, NoPassword, NotSignedIn, TooManyAttempts, Unknown
from models.tables import Account, Announcement, Delivery, DeliveryChannel, PasswordLink, Role
from tests.builders import DAY, NOON, a_clinic, a_member, a_patient, a_token, as_patient

PASSWORD = "a sentence of some length"
KEPT = hash_password(PASSWORD)
OTHER = hash_password("another sentence of length")
EMAIL = "ines@clinic.example"
ABOUT = ["Ines Okafor", "ines.okafor@riverside.example", "Riverside Physiotherapy"]
HERE: dict[str, Any] = {"address": "192.0.2.1"}


@pytest.mark.parametrize(
    "password",
    [
        "a sentence of some length",
        "long enough for this",
        "mugs owl tin 42",
        "übrigens mag ich Käsespätzle",
        "ines walks to the riverside every morning",
        "kT9#qwzPv!x2Lm8",
        "人は城人は石垣人は堀情けは味方仇は敵",
        "a sentence of some length, and on and on" * 3,
    ],
)
def test_a_sentence_of_ones_own_is_taken(password: str) -> None:
    passwords.check_password(password, ABOUT)
    assert fits(password, passwords.kept(password, ABOUT))


@pytest.mark.parametrize(
    "password",
    [
        "",
        "kT9#qwzPv!x2Lm",
        "x" * 129,
        "123456789012345",
        "passwordpassword",
        "P@ssw0rdP@ssw0rd",
        "iloveyouiloveyou",
        "qwertyuiopasdfgh",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "followthrough2026",
        "Followthrough!!",
        "inesokafor12345",
        "ines.okafor@riverside.example",
        "Riverside Physiotherapy",
        "riverside-okafor",
        "riverside-ines-2026",
        "Riverside2026Winter!",
        "R1verside-0kafor",
    ],
)
def test_what_is_short_long_common_or_about_oneself_is_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        passwords.check_password(password, ABOUT)
    assert refused.value.field == "/password"


def test_what_is_known_of_one_account_is_forgotten_for_the_next() -> None:
    with pytest.raises(Invalid):
        passwords.check_password("zwergmaus-quintpfeil", ["Zwergmaus Quintpfeil"])
    passwords.check_password("zwergmaus-quintpfeil", ABOUT)


def test_a_password_is_the_same_on_every_keyboard() -> None:
    composed, decomposed = "\u00fcbrigens mag ich K\u00e4se", "u\u0308brigens mag ich Ka\u0308se"
    assert fits(decomposed, hash_password(composed))
    assert fits(composed, hash_password(decomposed))
    with pytest.raises(Invalid):  # 15 code points that are 14 letters
        passwords.check_password("u\u0308kT9#qwzPv!x2L", [])


def a_login(tx: Session, role: Role = Role.THERAPIST, *, clinic_id: Any = None, email: str = EMAIL) -> Caller:
    clinic_id = clinic_id or a_clinic(tx).clinic_id
    made = accounts.create_staff(tx, clinic_id, role=role, name="Ines", email=email, password_hash=KEPT, now=NOON)
    return identify(tx, a_token(tx, Caller(clinic_id=clinic_id, account_id=made.id, role=role, name="Ines")), NOON)


def held(tx: Session, caller: Caller) -> Account:
    return tx.get_one(Account, (caller.clinic_id, caller.account_id))


def is_out(tx: Session, token: str) -> bool:
    tx.flush()
    try:
        identify(tx, token, NOON)
    except NotSignedIn:
        return True
    return False


def test_a_changed_password_ends_every_other_sign_in(tx: Session) -> None:
    ines = a_login(tx)
    other = a_token(tx, ines)
    link = passwords.invite(tx, held(tx, ines), now=NOON)[0].text
    fitted, about = passwords.present_hash(tx, ines, **HERE, now=NOON)
    assert (fitted, about) == (KEPT, ["Ines", EMAIL, "Test clinic"])
    passwords.change(tx, ines, fitted, OTHER, now=NOON)
    assert is_out(tx, other)
    assert [one.is_this for one in sign_ins.open_sign_ins(tx, ines, now=NOON)] == [True]
    assert held(tx, ines).password_hash == OTHER
    assert passwords.about_link(tx, link, **HERE, now=NOON) is None
    with pytest.raises(Invalid):  # somebody else was first
        passwords.change(tx, ines, fitted, KEPT, now=NOON)


def test_a_sign_in_with_the_password_of_before_does_not_slip_through(tx: Session) -> None:
    """The password fitted, then it was changed, then the sign-in is opened."""
    ines = a_login(tx)
    chosen = sign_ins.choose(sign_ins.candidates(tx, EMAIL, None, **HERE, now=NOON), PASSWORD)
    passwords.change(tx, ines, KEPT, OTHER, now=NOON)
    tx.flush()
    assert isinstance(sign_ins.sign_in(tx, chosen, EMAIL, **HERE, now=NOON), InvalidGrant)


def test_a_sign_in_of_somebody_disabled_meanwhile_does_not_slip_through(tx: Session) -> None:
    ines = a_login(tx)
    admin = a_member(tx, ines.clinic_id, Role.ADMIN)
    chosen = sign_ins.choose(sign_ins.candidates(tx, EMAIL, None, **HERE, now=NOON), PASSWORD)
    accounts.disable_staff(tx, admin, ines.account_id, now=NOON)
    tx.flush()
    assert isinstance(sign_ins.sign_in(tx, chosen, EMAIL, **HERE, now=NOON), InvalidGrant)


def test_guessing_the_present_password_is_spent(tx: Session) -> None:
    ines = a_login(tx)
    for _ in range(PER_PROVEN_NAME):
        passwords.present_hash(tx, ines, **HERE, now=NOON)
        assert passwords.count_misfit(tx, ines, **HERE, now=NOON).field == "/present"
    with pytest.raises(TooManyAttempts):
        passwords.present_hash(tx, ines, address="192.0.2.9", now=NOON)
    bob = a_member(tx, ines.clinic_id, Role.THERAPIST)
    with pytest.raises(NoPassword):
        passwords.present_hash(tx, bob, **HERE, now=NOON)


def test_a_link_sets_a_password_once(tx: Session) -> None:
    ines = a_login(tx)
    token = a_token(tx, ines)
    link, until = passwords.invite(tx, held(tx, ines), now=NOON)
    assert until == NOON + passwords.INVITED_FOR
    assert link.secret not in tx.scalars(select(PasswordLink.hash)).one()
    assert passwords.about_link(tx, link.text, **HERE, now=NOON) == ["Ines", EMAIL, "Test clinic"]
    assert passwords.set_by_link(tx, link.text, OTHER, **HERE, now=NOON) is None
    assert is_out(tx, token)
    assert held(tx, ines).password_hash == OTHER
    assert isinstance(passwords.set_by_link(tx, link.text, KEPT, **HERE, now=NOON), InvalidGrant)
    assert held(tx, ines).password_hash == OTHER


def test_links_that_are_over_replaced_unknown_or_of_the_disabled_are_answered_alike(tx: Session) -> None:
    ines = a_login(tx)
    admin = a_member(tx, ines.clinic_id, Role.ADMIN)
    over = passwords.invite(tx, held(tx, ines), now=NOON - passwords.INVITED_FOR)[0].text
    replaced = passwords.invite(tx, held(tx, ines), now=NOON)[0].text
    of_disabled = passwords.invite(tx, held(tx, ines), now=NOON)[0].text
    accounts.disable_staff(tx, admin, ines.account_id, now=NOON)
    tx.flush()
    afterwards = passwords.invite(tx, held(tx, ines), now=NOON)[0].text  # by whoever did not see it yet
    answers = set()
    for token in (over, replaced, of_disabled, afterwards, "ft_" + "A" * 64, "nonsense"):
        assert passwords.about_link(tx, token, **HERE, now=NOON) is None
        refused = passwords.set_by_link(tx, token, OTHER, **HERE, now=NOON)
        assert isinstance(refused, InvalidGrant)
        answers.add(str(refused))
    assert len(answers) == 1
    assert held(tx, ines).password_hash == KEPT


def test_a_mailed_link_is_drawn_as_it_leaves_and_works_for_half_an_hour(tx: Session) -> None:
    ines = a_login(tx)
    passwords.mail_links(tx, " INES@clinic.example", now=NOON)
    assert tx.scalars(select(Announcement.payload)).all() == [{}]
    assert tx.scalars(select(PasswordLink)).all() == []
    target = Target(DeliveryChannel.MAIL, ines.account_id)
    soon = NOON + timedelta(minutes=20)
    (claimed,) = announcements.claim(tx, ines.clinic_id, target, now=soon)
    assert claimed.address == EMAIL
    assert claimed.link is not None
    tx.flush()
    assert tx.scalars(select(PasswordLink.expires_at)).all() == [NOON + MAILED_FOR]
    assert passwords.about_link(tx, claimed.link, **HERE, now=NOON + MAILED_FOR) is None
    assert passwords.set_by_link(tx, claimed.link, OTHER, **HERE, now=soon) is None


def test_a_mail_that_could_not_leave_in_time_is_given_up(tx: Session) -> None:
    ines = a_login(tx)
    passwords.mail_links(tx, EMAIL, now=NOON)
    target = Target(DeliveryChannel.MAIL, ines.account_id)
    assert announcements.claim(tx, ines.clinic_id, target, now=NOON + MAILED_FOR) == []
    assert tx.scalars(select(Delivery.gave_up_at)).all() == [NOON + MAILED_FOR]
    assert tx.scalars(select(PasswordLink)).all() == []


def test_who_cannot_sign_in_is_mailed_nothing(tx: Session) -> None:
    ines = a_login(tx)
    ann = a_patient(tx, ines, email="ann@home.example")
    as_patient(tx, ines, ann)
    held(tx, ines).disabled_at = NOON
    tx.flush()
    for email in (EMAIL, "ann@home.example", "nobody@clinic.example"):
        passwords.mail_links(tx, email, now=NOON)
    assert tx.scalars(select(Announcement)).all() == []


def test_wishes_for_mail_are_spent_whoever_has_the_address(tx: Session) -> None:
    a_login(tx)
    for email in (EMAIL, "nobody@clinic.example"):
        for number in range(PER_MAILED_NAME):
            passwords.count_request(tx, email.upper(), address=f"192.0.2.{number}", now=NOON)
        with pytest.raises(TooManyAttempts):
            passwords.count_request(tx, email, address="192.0.2.200", now=NOON)


def test_links_that_are_over_are_forgotten(tx: Session) -> None:
    ines = a_login(tx)
    _, until = passwords.invite(tx, held(tx, ines), now=NOON)
    tx.flush()
    forget_expired(tx, ines.clinic_id, now=until - timedelta(seconds=1))
    assert len(tx.scalars(select(PasswordLink)).all()) == 1
    forget_expired(tx, ines.clinic_id, now=until)
    assert tx.scalars(select(PasswordLink)).all() == []


def test_whoever_is_disabled_stays_out_and_comes_back_without_the_old_sign_ins(tx: Session) -> None:
    ines = a_login(tx)
    token, admin = a_token(tx, ines), a_member(tx, ines.clinic_id, Role.ADMIN)
    link = passwords.invite(tx, held(tx, ines), now=NOON)[0].text
    assert accounts.disable_staff(tx, admin, ines.account_id, now=NOON).disabled_at == NOON
    assert accounts.disable_staff(tx, admin, ines.account_id, now=NOON + DAY).disabled_at == NOON
    assert is_out(tx, token)
    assert sign_ins.candidates(tx, EMAIL, None, **HERE, now=NOON) == []
    assert accounts.enable_staff(tx, admin, ines.account_id).disabled_at is None
    assert is_out(tx, token)
    assert passwords.about_link(tx, link, **HERE, now=NOON) is None
    assert len(sign_ins.candidates(tx, EMAIL, None, **HERE, now=NOON)) == 1


def test_the_last_administrator_who_can_sign_in_is_not_disabled(tx: Session) -> None:
    ada = a_login(tx, Role.ADMIN)
    invited = a_member(tx, ada.clinic_id, Role.ADMIN)  # has no password yet
    a_login(tx, Role.ADMIN, email="far@clinic.example")  # of another clinic
    gone = a_login(tx, Role.ADMIN, clinic_id=ada.clinic_id, email="gone@clinic.example")
    accounts.disable_staff(tx, ada, gone.account_id, now=NOON)
    with pytest.raises(LastAdmin):
        accounts.disable_staff(tx, ada, ada.account_id, now=NOON)
    accounts.disable_staff(tx, ada, invited.account_id, now=NOON)
    accounts.enable_staff(tx, ada, gone.account_id)
    assert accounts.disable_staff(tx, ada, ada.account_id, now=NOON).disabled_at == NOON


def test_staff_are_the_clinics_own_and_no_patients(tx: Session) -> None:
    ada = a_member(tx, a_clinic(tx).clinic_id, Role.ADMIN)
    ann = as_patient(tx, ada, a_patient(tx, ada))
    for account_id in (ann.account_id, a_clinic(tx).account_id, uuid4()):
        with pytest.raises(Unknown):
            accounts.disable_staff(tx, ada, account_id, now=NOON)
        with pytest.raises(Unknown):
            accounts.reset_second_factor(tx, ada, account_id, now=NOON)


def test_ones_sign_ins_are_ones_own(tx: Session) -> None:
    ines = a_login(tx)
    bob = a_member(tx, ines.clinic_id, Role.ADMIN)
    theirs = identify(tx, a_token(tx, bob), NOON).sign_in_id
    assert theirs is not None
    entered = sign_ins.sign_in(
        tx,
        sign_ins.choose(sign_ins.candidates(tx, EMAIL, None, **HERE, now=NOON), PASSWORD),
        EMAIL,
        **HERE,
        agent="A browser\n\x00" + "x" * 300,
        now=NOON + timedelta(minutes=1),
    )
    assert isinstance(entered, sign_ins.Tokens)
    tx.flush()
    later, first = sign_ins.open_sign_ins(tx, ines, now=NOON)
    assert (later.address, later.agent, later.is_this) == ("192.0.2.1", "A browser" + "x" * 191, False)
    assert first.is_this
    with pytest.raises(Unknown):
        sign_ins.revoke_sign_in(tx, ines, theirs, NOON)
    sign_ins.revoke_sign_in(tx, ines, later.id, NOON)
    sign_ins.revoke_sign_in(tx, ines, later.id, NOON + DAY)
    assert is_out(tx, entered.access)
    assert isinstance(sign_ins.refresh(tx, entered.refresh, NOON), InvalidGrant)
    assert [one.id for one in sign_ins.open_sign_ins(tx, ines, now=NOON)] == [first.id]
    assert sign_ins.open_sign_ins(tx, ines, now=NOON + sign_ins.STAFF_REFRESH_LASTS) == []
