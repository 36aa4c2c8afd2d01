"""Signing in, staying signed in, and who is asking."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Header, Request, Response
from pydantic import StringConstraints
from starlette.concurrency import run_in_threadpool

from api.hashing import Hashing, HashingRoom
from api.schemas.clients import ASSERTION_TYPE, MAX_ASSERTION, ClientTokenOut
from api.schemas.identity import INVITATION_GRANT, MeOut, StaffIn, StaffOut, StaffPage, TokensOut
from api.visit import AnybodysVisit, Sealing, ToReadStaff, ToRunClinic, ToUseOwnSignIn, Visit
from models.operations import accounts, clients, passwords, sign_ins
from models.operations.audit import DONE
from models.operations.sealing import Seal
from models.refusals import Invalid, Refusal, WhichClinic
from models.tables import Role

router = APIRouter(prefix="/v1", tags=["identity"])

Said = Annotated[str | None, StringConstraints(max_length=300), Form()]


async def _token_endpoint(request: Request) -> str:
    """Whom an assertion must be meant for: us, where we are said to be, else where we were called."""
    found: str | None = request.app.state.token_endpoint
    return found or str(request.url.replace(query=""))


@router.post(
    "/auth/token", summary="Exchange a password, an invitation code, a refresh token or an assertion for tokens"
)
async def exchange_token(
    visit: AnybodysVisit,
    hashing: HashingRoom,
    seal: Sealing,
    response: Response,
    audience: Annotated[str, Depends(_token_endpoint)],
    grant_type: Annotated[
        Literal["password", "refresh_token", "urn:followthrough:grant-type:invitation", "client_credentials"],
        Form(
            description=f"Staff: password. They and phones: refresh_token. A patient's first time: {INVITATION_GRANT}. "
            "Another system: client_credentials, with an assertion it signed (RFC 7523)."
        ),
    ],
    username: Said = None,
    password: Said = None,
    otp: Annotated[
        str | None,
        StringConstraints(max_length=40),
        Form(description="Where the account has a second factor: six digits of the app, or a recovery code."),
    ] = None,
    clinic_id: Annotated[UUID | None, Form(description="Where an e-mail fits several clinics.")] = None,
    refresh_token: Said = None,
    code: Annotated[str | None, StringConstraints(max_length=40), Form(description="The invitation code.")] = None,
    birth_date: Annotated[date | None, Form(description="Asked with the code where it is on record.")] = None,
    device_name: Annotated[str | None, StringConstraints(max_length=100), Form()] = None,
    client_assertion_type: Annotated[str | None, Form(max_length=100, description=ASSERTION_TYPE)] = None,
    client_assertion: Annotated[
        str | None,
        Form(
            max_length=MAX_ASSERTION, description="`iss`, `sub`: its client_id; `aud`; `exp` within 5 minutes; `jti`."
        ),
    ] = None,
    client_id: Annotated[str | None, Form(max_length=100, description="With an assertion: whose it is.")] = None,
    scope: Annotated[str | None, Form(max_length=300, description="With an assertion: less than was given.")] = None,
    user_agent: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> TokensOut | ClientTokenOut:
    # Tokens must not end in a cache (RFC 6749, 5.1).
    response.headers["Cache-Control"] = "no-store"
    outcome: sign_ins.Tokens | clients.ClientToken | Refusal
    if grant_type == "password":
        login = _Login(_needed(username, "username"), _needed(password, "password"), clinic_id, otp, user_agent)
        outcome = await _by_password(visit, hashing, seal, login)
    elif grant_type == "refresh_token":
        outcome = await run_in_threadpool(_by_refresh, visit, _needed(refresh_token, "refresh_token"))
    elif grant_type == "client_credentials":
        if _needed(client_assertion_type, "client_assertion_type") != ASSERTION_TYPE:
            raise Invalid(f"Say {ASSERTION_TYPE}.", field="/client_assertion_type")
        assertion = _needed(client_assertion, "client_assertion")
        outcome = await run_in_threadpool(_by_assertion, visit, assertion, client_id, scope, audience)
    else:
        said = (_needed(code, "code"), birth_date, device_name or "phone")
        outcome = await run_in_threadpool(_by_invitation, visit, *said, user_agent)
    if isinstance(outcome, Refusal):
        raise outcome
    return ClientTokenOut.of(outcome) if isinstance(outcome, clients.ClientToken) else TokensOut.of(outcome)


@router.post("/auth/revoke", status_code=204, summary="Sign out: revoke the sign-in this token descends from")
def revoke_token(visit: ToUseOwnSignIn) -> None:
    with visit.writing() as (tx, caller):
        sign_ins.sign_out(tx, caller, visit.now)


@router.get("/me", summary="Who is asking")
def get_me(visit: ToUseOwnSignIn) -> MeOut:
    with visit.reading() as (_tx, caller):
        return MeOut.model_validate(caller)


@router.get("/staff", summary="The clinic's staff")
def list_staff(visit: ToReadStaff) -> StaffPage:
    with visit.reading() as (tx, caller):
        return StaffPage(items=[StaffOut.model_validate(account) for account in accounts.staff(tx, caller)])


@router.post("/staff", status_code=201, summary="Add a member of staff")
async def create_staff(said: StaffIn, visit: ToRunClinic, hashing: HashingRoom) -> StaffOut:
    hashed = None
    if said.password is not None:
        about = await run_in_threadpool(_about_new, visit, said)
        hashed = await hashing.run(passwords.kept, said.password.get_secret_value(), about)
    return await run_in_threadpool(_add, visit, said, hashed)


@dataclass(frozen=True, slots=True)
class _Login:
    email: str
    password: str
    clinic_id: UUID | None
    otp: str | None
    agent: str | None


async def _by_password(visit: Visit, hashing: Hashing, seal: Seal, login: _Login) -> sign_ins.Tokens | Refusal:
    def look() -> list[sign_ins.Candidate]:
        with visit.database.reading() as tx:
            return sign_ins.candidates(tx, login.email, login.clinic_id, address=visit.address, now=visit.now)

    def enter(chosen: sign_ins.Candidate | None) -> sign_ins.Tokens | Refusal:
        with visit.database.writing() as tx:
            outcome = sign_ins.sign_in(
                tx,
                chosen,
                login.email,
                address=visit.address,
                agent=login.agent,
                otp=login.otp,
                seal=seal,
                now=visit.now,
            )
            # Who tried is on record with every account they may have meant.
            for meant in [chosen] if chosen is not None else found:
                code = outcome.code if isinstance(outcome, Refusal) else DONE
                visit.note_entrance(tx, meant.clinic_id, meant.account_id, code)
            return outcome

    def turn_back(refused: WhichClinic) -> None:
        with visit.database.writing() as tx:
            for meant in found:
                visit.note_entrance(tx, meant.clinic_id, meant.account_id, refused.code)

    found = await run_in_threadpool(look)
    try:
        chosen = await hashing.run(sign_ins.choose, found, login.password)
    except WhichClinic as refused:
        await run_in_threadpool(turn_back, refused)
        raise
    return await run_in_threadpool(enter, chosen)


def _by_refresh(visit: Visit, presented: str) -> sign_ins.Tokens | Refusal:
    with visit.database.writing() as tx:
        outcome = sign_ins.refresh(tx, presented, visit.now)
        robbed = sign_ins.ended_by_reuse(tx, presented, visit.now) if isinstance(outcome, Refusal) else None
        if robbed is not None:
            visit.note_entrance(tx, *robbed, sign_ins.REUSED)
        return outcome


def _by_invitation(
    visit: Visit, code: str, birth_date: date | None, device_name: str, agent: str | None
) -> sign_ins.Tokens | Refusal:
    with visit.database.writing() as tx:
        outcome = sign_ins.redeem(tx, code, birth_date, device_name, address=visit.address, agent=agent, now=visit.now)
        account_id, told = (None, outcome.code) if isinstance(outcome, Refusal) else (outcome.account_id, DONE)
        # Who tried with a letter of somebody else's is on record with whom it was written to.
        invited = sign_ins.invited_by(tx, code)
        if invited is not None:
            visit.note_entrance(tx, invited[0], account_id, told, patient_id=invited[1])
        return outcome


def _by_assertion(
    visit: Visit, assertion: str, client_id: str | None, scope: str | None, audience: str
) -> clients.ClientToken | Refusal:
    with visit.database.writing() as tx:
        outcome = clients.sign_in(
            tx, assertion, client_id, scope, audience=audience, address=visit.address, now=visit.now
        )
        if isinstance(outcome, clients.ClientToken):
            visit.note_entrance(tx, outcome.clinic_id, outcome.account_id)
        return outcome


def _about_new(visit: Visit, said: StaffIn) -> list[str]:
    with visit.reading() as (tx, caller):
        return passwords.about_new_staff(tx, caller.clinic_id, said.name, said.email)


def _add(visit: Visit, said: StaffIn, password_hash: str | None) -> StaffOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            return StaffOut.model_validate(accounts.member(tx, caller, known))
        account = accounts.create_staff(
            tx,
            caller.clinic_id,
            role=Role(said.role),
            name=said.name,
            email=said.email,
            password_hash=password_hash,
            now=visit.now,
        )
        visit.remember(tx, caller, said, account.id)
        return StaffOut.model_validate(account)


def _needed(value: str | None, name: str) -> str:
    if not value or "\x00" in value:
        raise Invalid(f"{name} is needed for this grant.", field=f"/{name}")
    return value
