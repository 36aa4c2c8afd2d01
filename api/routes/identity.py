"""Signing in, staying signed in, and who is asking."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import StringConstraints

from api.schemas.clients import ASSERTION_TYPE, MAX_ASSERTION, ClientTokenOut
from api.schemas.identity import INVITATION_GRANT, MeOut, StaffIn, StaffOut, StaffPage, TokensOut
from api.visit import AnybodysVisit, ToReadStaff, ToRunClinic, ToUseOwnSignIn
from models.operations import accounts, clients, sign_ins
from models.refusals import Invalid, Refusal
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
def exchange_token(
    visit: AnybodysVisit,
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
) -> TokensOut | ClientTokenOut:
    # Tokens must not end in a cache (RFC 6749, 5.1).
    response.headers["Cache-Control"] = "no-store"
    database, now, address = visit.database, visit.now, visit.address
    outcome: sign_ins.Tokens | clients.ClientToken | Refusal
    if grant_type == "password":
        email, secret = _needed(username, "username"), _needed(password, "password")
        with database.reading() as tx:
            found = sign_ins.candidates(tx, email, clinic_id, address=address, now=now)
        chosen = sign_ins.choose(found, secret)
        with database.writing() as tx:
            outcome = sign_ins.sign_in(tx, chosen, email, address=address, now=now)
    elif grant_type == "refresh_token":
        presented = _needed(refresh_token, "refresh_token")
        with database.writing() as tx:
            outcome = sign_ins.refresh(tx, presented, now)
    elif grant_type == "client_credentials":
        if _needed(client_assertion_type, "client_assertion_type") != ASSERTION_TYPE:
            raise Invalid(f"Say {ASSERTION_TYPE}.", field="/client_assertion_type")
        assertion = _needed(client_assertion, "client_assertion")
        with database.writing() as tx:
            outcome = clients.sign_in(tx, assertion, client_id, scope, audience=audience, address=address, now=now)
    else:
        with database.writing() as tx:
            outcome = sign_ins.redeem(
                tx, _needed(code, "code"), birth_date, device_name or "phone", address=address, now=now
            )
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
def create_staff(said: StaffIn, visit: ToRunClinic) -> StaffOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            return next(StaffOut.model_validate(one) for one in accounts.staff(tx, caller) if one.id == known)
        account = accounts.create_staff(
            tx,
            caller.clinic_id,
            role=Role(said.role),
            name=said.name,
            email=said.email,
            password=said.password.get_secret_value(),
            now=visit.now,
        )
        visit.remember(tx, caller, said, account.id)
        return StaffOut.model_validate(account)


def _needed(value: str | None, name: str) -> str:
    if not value or "\x00" in value:
        raise Invalid(f"{name} is needed for this grant.", field=f"/{name}")
    return value
