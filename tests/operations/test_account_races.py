"""Accounts changed by two at once, on real connections that really commit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from pyotp import TOTP
from sqlalchemy import select

from models.database import Database
from models.operations import accounts, passwords, second_factors, sign_ins
from models.operations.callers import Caller
from models.operations.credentials import hash_password, new_key
from models.operations.sealing import Seal
from models.refusals import InvalidGrant, LastAdmin, Refusal
from models.tables import Account, Role, SignIn
from tests.builders import NOON, a_clinic

KEPT, OTHER = hash_password("a sentence of some length"), hash_password("another sentence of length")
SEAL = Seal((new_key(),))
HERE: dict[str, Any] = {"address": "192.0.2.1"}


def at_once(count: int, deed: Callable[[int], Any]) -> list[Any]:
    together = Barrier(count)

    def step(number: int) -> Any:
        together.wait()
        return deed(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(step, range(count)))


def a_login(database: Database, role: Role, name: str, clinic_id: Any = None) -> Caller:
    with database.writing() as tx:
        clinic_id = clinic_id or a_clinic(tx).clinic_id
        made = accounts.create_staff(
            tx, clinic_id, role=role, name=name, email=f"{name}@clinic.example", password_hash=KEPT, now=NOON
        )
    return Caller(clinic_id=clinic_id, account_id=made.id, role=role, name=name)


def test_two_administrators_who_disable_each_other_do_not_both_succeed(shared_database: Database) -> None:
    ada = a_login(shared_database, Role.ADMIN, "ada")
    bob = a_login(shared_database, Role.ADMIN, "bob", ada.clinic_id)

    def disable(number: int) -> object:
        try:
            with shared_database.writing() as tx:
                return accounts.disable_staff(tx, ada, (ada, bob)[number].account_id, now=NOON)
        except LastAdmin as refused:
            return refused

    outcomes = at_once(2, disable)
    assert sorted(type(one).__name__ for one in outcomes) == ["Account", "LastAdmin"]
    with shared_database.reading() as tx:
        active = select(Account.id).where(Account.role == Role.ADMIN, Account.disabled_at.is_(None))
        assert len(tx.scalars(active).all()) == 1


def test_a_code_said_four_times_at_once_opens_once(shared_database: Database) -> None:
    ines = a_login(shared_database, Role.THERAPIST, "ines")
    with shared_database.writing() as tx:
        app = TOTP(second_factors.begin(tx, ines, SEAL, now=NOON).secret)
        codes = second_factors.confirm(tx, ines, SEAL, app.at(0), **HERE, now=NOON.fromtimestamp(0, NOON.tzinfo))
        assert isinstance(codes, list)

    for otp in (app.at(NOON), codes[0]):

        def enter(_: int, otp: str = otp) -> sign_ins.Tokens | Refusal:
            with shared_database.writing() as tx:
                (chosen,) = sign_ins.may_sign_in(tx, "ines@clinic.example", None)
                return sign_ins.sign_in(tx, chosen, "ines", **HERE, otp=otp, seal=SEAL, now=NOON)

        assert [type(one) for one in at_once(4, enter)].count(sign_ins.Tokens) == 1


def test_no_sign_in_survives_a_password_that_changes_meanwhile(shared_database: Database) -> None:
    """Whichever is first: the sign-in is refused, or it is there to be ended."""
    for number in range(10):
        ines = a_login(shared_database, Role.THERAPIST, f"ines{number}")
        with shared_database.reading() as tx:
            (chosen,) = sign_ins.may_sign_in(tx, f"ines{number}@clinic.example", None)

        def deed(which: int, ines: Caller = ines, chosen: sign_ins.Candidate = chosen) -> object:
            with shared_database.writing() as tx:
                if which:
                    passwords.change(tx, ines, KEPT, OTHER, now=NOON)
                    return None
                return sign_ins.sign_in(tx, chosen, "ines", **HERE, now=NOON)

        entered, _ = at_once(2, deed)
        assert isinstance(entered, sign_ins.Tokens | InvalidGrant)
        with shared_database.reading() as tx:
            alive = select(SignIn.id).where(SignIn.account_id == ines.account_id, SignIn.revoked_at.is_(None))
            assert tx.scalars(alive).all() == []


def test_a_link_used_eight_times_at_once_sets_one_password(shared_database: Database) -> None:
    ines = a_login(shared_database, Role.THERAPIST, "ines")
    with shared_database.writing() as tx:
        link, _ = passwords.invite(tx, tx.get_one(Account, (ines.clinic_id, ines.account_id)), now=NOON)

    def use(_: int) -> Refusal | None:
        with shared_database.writing() as tx:
            return passwords.set_by_link(tx, link.text, OTHER, **HERE, now=NOON)

    assert at_once(8, use).count(None) == 1
