"""What proves who one is, and who may end it: passwords, second factors, sign-ins, staff accounts."""

from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Response
from starlette.concurrency import run_in_threadpool

from api.hashing import Hashing, HashingRoom
from api.schemas.identity import (
    EnrolmentOut,
    OtpIn,
    PasswordByLinkIn,
    PasswordChangeIn,
    PasswordLinkOut,
    PasswordResetIn,
    ProofIn,
    RecoveryCodesOut,
    SecondFactorIn,
    SecondFactorOut,
    SignInList,
    SignInOut,
    SignInRulesIn,
    SignInRulesOut,
    StaffOut,
)
from api.visit import (
    AnybodysVisit,
    ExpectedVersion,
    Sealing,
    ToReadStaff,
    ToRunClinic,
    ToUseOwnLogin,
    ToUseOwnSignIn,
    Visit,
    show_version,
)
from models.operations import accounts, passwords, second_factors, sign_in_rules, sign_ins
from models.operations.callers import Caller
from models.operations.credentials import fits
from models.refusals import Refusal

router = APIRouter(prefix="/v1", tags=["identity"])


@router.post("/auth/password-reset", status_code=202, summary="Have a link mailed that sets a new password")
def ask_password_reset(said: PasswordResetIn, visit: AnybodysVisit, afterwards: BackgroundTasks) -> None:
    with visit.database.writing() as tx:
        passwords.count_request(tx, said.email, address=visit.address, now=visit.now)
    # After the answer, which must not tell by how long it takes whether anyone has this address.
    afterwards.add_task(_mail_links, visit, said.email)


@router.post("/auth/password", status_code=204, summary="Set a password by a link, once; every sign-in ends")
async def set_password(said: PasswordByLinkIn, visit: AnybodysVisit, hashing: HashingRoom) -> None:
    token, new = said.token.get_secret_value(), said.password.get_secret_value()

    def look() -> list[str] | None:
        with visit.database.reading() as tx:
            return passwords.about_link(tx, token, address=visit.address, now=visit.now)

    def replace(password_hash: str | None) -> Refusal | None:
        with visit.database.writing() as tx:
            return passwords.set_by_link(tx, token, password_hash, address=visit.address, now=visit.now)

    about = await run_in_threadpool(look)
    hashed = await hashing.run(passwords.kept, new, about) if about is not None else None
    _raise(await run_in_threadpool(replace, hashed))


@router.put("/me/password", status_code=204, summary="Change one's password; every other sign-in ends")
async def change_password(said: PasswordChangeIn, visit: ToUseOwnLogin, hashing: HashingRoom) -> None:
    fitted, about = await _proven_again(visit, hashing, said.present.get_secret_value())
    hashed = await hashing.run(passwords.kept, said.password.get_secret_value(), about)

    def replace() -> None:
        with visit.writing() as (tx, caller):
            passwords.change(tx, caller, fitted, hashed, now=visit.now)

    await run_in_threadpool(replace)


@router.get("/me/sign-ins", summary="Where one is signed in")
def list_sign_ins(visit: ToUseOwnSignIn) -> SignInList:
    with visit.reading() as (tx, caller):
        found = sign_ins.open_sign_ins(tx, caller, now=visit.now)
        return SignInList(items=[SignInOut.model_validate(one) for one in found])


@router.delete("/me/sign-ins/{sign_in_id}", status_code=204, summary="End one of one's sign-ins, at once")
def revoke_sign_in(sign_in_id: UUID, visit: ToUseOwnSignIn) -> None:
    with visit.writing() as (tx, caller):
        sign_ins.revoke_sign_in(tx, caller, sign_in_id, visit.now)


@router.get("/me/second-factor", summary="How one stands with a second factor")
def get_second_factor(visit: ToUseOwnLogin) -> SecondFactorOut:
    with visit.reading() as (tx, caller):
        return SecondFactorOut.model_validate(second_factors.standing(tx, caller))


@router.post("/me/second-factor", summary="Begin to enrol an authenticator app; its secret is told this once")
async def begin_second_factor(
    said: SecondFactorIn, visit: ToUseOwnLogin, hashing: HashingRoom, seal: Sealing, response: Response
) -> EnrolmentOut:
    response.headers["Cache-Control"] = "no-store"
    await _proven_again(visit, hashing, said.present.get_secret_value())

    def begin() -> EnrolmentOut:
        with visit.writing() as (tx, caller):
            return EnrolmentOut.model_validate(second_factors.begin(tx, caller, seal, now=visit.now))

    return await run_in_threadpool(begin)


@router.post("/me/second-factor/confirm", summary="Put it into force by a first code; the recovery codes, this once")
def confirm_second_factor(said: OtpIn, visit: ToUseOwnLogin, seal: Sealing, response: Response) -> RecoveryCodesOut:
    response.headers["Cache-Control"] = "no-store"
    otp = said.otp.get_secret_value()
    with visit.writing() as (tx, caller):
        outcome = second_factors.confirm(tx, caller, seal, otp, address=visit.address, now=visit.now)
        _note_refusal(caller, outcome)
    return _codes(outcome)


@router.post("/me/second-factor/recovery-codes", summary="Fresh recovery codes; the earlier ones stop working")
def renew_recovery_codes(said: ProofIn, visit: ToUseOwnLogin, seal: Sealing, response: Response) -> RecoveryCodesOut:
    response.headers["Cache-Control"] = "no-store"
    otp = said.otp.get_secret_value()
    with visit.writing() as (tx, caller):
        outcome = second_factors.renew_codes(tx, caller, seal, otp, address=visit.address, now=visit.now)
        _note_refusal(caller, outcome)
    return _codes(outcome)


@router.post("/me/second-factor/take-off", status_code=204, summary="End one's second factor, by a last code of it")
def take_off_second_factor(said: ProofIn, visit: ToUseOwnLogin, seal: Sealing) -> None:
    otp = said.otp.get_secret_value()
    with visit.writing() as (tx, caller):
        outcome = second_factors.take_off(tx, caller, seal, otp, address=visit.address, now=visit.now)
        _note_refusal(caller, outcome)
    _raise(outcome)


@router.get("/sign-in-rules", summary="What the clinic asks of its staff")
def get_sign_in_rules(visit: ToReadStaff, response: Response) -> SignInRulesOut:
    with visit.reading() as (tx, caller):
        decided = sign_in_rules.sign_in_rules(tx, caller)
    show_version(response, decided.version)
    return SignInRulesOut.model_validate(decided)


@router.put("/sign-in-rules", summary="Ask a second factor of all staff, at once, or of nobody")
def decide_sign_in_rules(
    said: SignInRulesIn, version: ExpectedVersion, visit: ToRunClinic, seal: Sealing, response: Response
) -> SignInRulesOut:
    with visit.writing() as (tx, caller):
        decided = sign_in_rules.decide(
            tx, caller, seal, second_factor_required=said.second_factor_required, version=version
        )
    show_version(response, decided.version)
    return SignInRulesOut.model_validate(decided)


@router.post("/staff/{staff_id}/disable", summary="Shut a member of staff out, at once")
def disable_staff(staff_id: UUID, visit: ToRunClinic) -> StaffOut:
    with visit.writing() as (tx, caller):
        return StaffOut.model_validate(accounts.disable_staff(tx, caller, staff_id, now=visit.now))


@router.post("/staff/{staff_id}/enable", summary="Let a member of staff sign in again")
def enable_staff(staff_id: UUID, visit: ToRunClinic) -> StaffOut:
    with visit.writing() as (tx, caller):
        return StaffOut.model_validate(accounts.enable_staff(tx, caller, staff_id))


@router.post(
    "/staff/{staff_id}/invitation",
    status_code=201,
    summary="A link for a member of staff to set a password, told this once; earlier ones stop working",
)
def invite_staff(staff_id: UUID, visit: ToRunClinic, response: Response) -> PasswordLinkOut:
    response.headers["Cache-Control"] = "no-store"
    with visit.writing() as (tx, caller):
        link, until = passwords.invite(tx, accounts.member(tx, caller, staff_id, lock=True), now=visit.now)
    return PasswordLinkOut(token=link.text, expires_at=until)


@router.delete(
    "/staff/{staff_id}/second-factor", status_code=204, summary="Take off a colleague's, whose phone is lost"
)
def reset_second_factor(staff_id: UUID, visit: ToRunClinic) -> None:
    with visit.writing() as (tx, caller):
        accounts.reset_second_factor(tx, caller, staff_id, now=visit.now)


def _mail_links(visit: Visit, email: str) -> None:
    with visit.database.writing() as tx:
        passwords.mail_links(tx, email, now=visit.now)


async def _proven_again(visit: Visit, hashing: Hashing, present: str) -> tuple[str, list[str]]:
    """The hash that the caller's present password fits, and what is known about them; else refused, and counted."""

    def look() -> tuple[str, list[str]]:
        with visit.reading() as (tx, caller):
            return passwords.present_hash(tx, caller, address=visit.address, now=visit.now)

    def count() -> Refusal:
        with visit.writing() as (tx, caller):
            refused = passwords.count_misfit(tx, caller, address=visit.address, now=visit.now)
            _note_refusal(caller, refused)
            return refused

    held, about = await run_in_threadpool(look)
    if not await hashing.run(fits, present, held):
        raise await run_in_threadpool(count)
    return held, about


def _note_refusal(caller: Caller, outcome: object) -> None:
    """A refusal that is counted is no deed done, though its transaction commits."""
    if isinstance(outcome, Refusal):
        caller.refused.append(outcome.code)


def _codes(outcome: object) -> RecoveryCodesOut:
    if isinstance(outcome, Refusal):
        raise outcome
    return RecoveryCodesOut.model_validate({"codes": outcome})


def _raise(outcome: Refusal | None) -> None:
    if outcome is not None:
        raise outcome
