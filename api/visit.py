"""One request: who says they are calling, what they may be, when it came, and the database it came to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, Header, HTTPException, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, SecretStr
from sqlalchemy.orm import Session

from models.database import Database
from models.operations.audit import DONE, Done, add_events, note
from models.operations.callers import Caller, identify
from models.operations.policy import MAY, WHILE_ENROLLING, Deed, may, scopes_for
from models.operations.replies import earlier_resource, remember_resource
from models.operations.sealing import Seal
from models.refusals import NotAllowed, NotSignedIn, Refusal, SecondFactorRequired
from models.tables import Role

KEPT = "keep_refused"
"""The operation of keeping what a route refused, so that nothing a patient entered is lost."""
MOST_ASKED = 300
"""Characters of what was asked that are kept."""
UNRECORDED = frozenset({Deed.READ_SHELF, Deed.USE_OWN_SIGN_IN, Deed.USE_OWN_LOGIN})
"""Deeds whose reading shows nobody's record, unless somebody was named. Whatever they write is on record."""

_bearer = OAuth2PasswordBearer(tokenUrl="/v1/auth/token", auto_error=False)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that has not been believed yet: opening a transaction identifies the caller inside it."""

    database: Database
    credential: str | None
    now: datetime
    address: str
    deed: Deed | None
    """What is to be done. None: what anybody may, signed in or not."""
    request_line: str
    operation: str
    """The operationId."""
    request_id: str
    key: str | None = None
    """The Idempotency-Key."""

    @contextmanager
    def reading(self) -> Iterator[tuple[Session, Caller]]:
        """A read-only transaction and the caller, who may do the deed. What was read of whom is on record before the
        answer leaves.
        """
        with self._noting_refusals(writes=False) as known, self.database.reading() as tx:
            yield tx, known(tx)
        if self.deed not in UNRECORDED or known.caller.seen:
            self._append(known.caller, self._told(writes=False))

    @contextmanager
    def snapshot(self) -> Iterator[tuple[Session, Caller]]:
        """As `reading`, by a transaction that sees one moment."""
        with self._noting_refusals(writes=False) as known, self.database.snapshot() as tx:
            yield tx, known(tx)
        self._append(known.caller, self._told(writes=False))

    @contextmanager
    def writing(self) -> Iterator[tuple[Session, Caller]]:
        """A writing transaction and the caller, who may do the deed; the trail of it is in the same transaction."""
        with self._noting_refusals(writes=True) as known, self.database.writing() as tx:
            yield tx, known(tx)
            outcome = (known.caller.refused or [DONE])[0]
            note(tx, known.caller, replace(self._told(writes=True), outcome=outcome), now=self.now)

    def made_before(self, tx: Session, caller: Caller, said: BaseModel) -> UUID | None:
        """What this very request, by its Idempotency-Key, already created."""
        return earlier_resource(tx, caller, self.key, self._fingerprint(said))

    def remember(self, tx: Session, caller: Caller, said: BaseModel, made: UUID) -> None:
        """Keep what this request created, should it be repeated."""
        remember_resource(tx, caller, self.key, self._fingerprint(said), made, now=self.now)

    def _fingerprint(self, said: BaseModel) -> bytes:
        # Secrets are masked in JSON; another password is another request all the same.
        secrets = [value.get_secret_value() for _, value in said if isinstance(value, SecretStr)]
        return f"{self.request_line}\n{said.model_dump_json()}\n{secrets}".encode()

    @contextmanager
    def _noting_refusals(self, *, writes: bool) -> Iterator["_Known"]:
        """Who calls, and a note of it where somebody known is refused; a stranger is nobody's record."""
        known = _Known(self)
        try:
            yield known
        except Exception as error:
            if known.is_known:
                code = error.code if isinstance(error, Refusal) else "failed"
                self._append(known.caller, replace(self._told(writes=writes), outcome=code))
            raise

    def note_entrance(
        self,
        tx: Session,
        clinic_id: UUID,
        account_id: UUID | None,
        outcome: str = DONE,
        *,
        patient_id: UUID | None = None,
    ) -> None:
        """Keep that somebody came in, perhaps to a patient's record, or tried to: there is no caller yet."""
        done = replace(self._told(writes=True), outcome=outcome)
        add_events(tx, clinic_id, account_id, None, done, [patient_id], now=self.now)

    def _append(self, caller: Caller, deed: Done) -> None:
        with self.database.writing() as tx:
            note(tx, caller, deed, now=self.now)

    def _told(self, *, writes: bool) -> Done:
        return Done(
            operation=self.operation,
            writes=writes,
            # As it was sent: a path may hold what no database does, and be as long as it likes.
            asked=quote(self.request_line, safe=" /:")[:MOST_ASKED],
            address=self.address or None,
            request_id=self.request_id,
        )


@dataclass(slots=True)
class _Known:
    """The caller of a visit, once they are identified."""

    visit: Visit
    caller: Caller = field(init=False)
    is_known: bool = False

    def __call__(self, tx: Session) -> Caller:
        """Identify the caller, who must be somebody who may."""
        caller = self.caller = identify(tx, self.visit.credential, self.visit.now)
        self.is_known = True
        if self.visit.deed is None or not may(caller, self.visit.deed):
            raise NotAllowed(_why_not(caller, self.visit.deed))
        if caller.must_enrol and self.visit.deed not in WHILE_ENROLLING:
            raise SecondFactorRequired("Your clinic requires a second factor; enrol one at /v1/me/second-factor first.")
        if caller.patient_id is not None and self.visit.deed not in UNRECORDED:
            caller.seen.add(caller.patient_id)
        return caller


def _why_not(caller: Caller, deed: Deed | None) -> str:
    scopes = scopes_for(deed) if deed and caller.role is Role.INTEGRATION else []
    return f"This needs the scope {' or '.join(scopes)}." if scopes else f"This is not for the role {caller.role}."


def credential_of(request: Request) -> str | None:
    """The bearer token of a request, if it has one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token else None


def visit_of(request: Request, credential: str | None, deed: Deed | None, key: str | None = None) -> Visit:
    """The visit that a request is."""
    state = request.app.state
    return Visit(
        database=state.database,
        credential=credential,
        now=state.clock(),
        address=request.client.host if request.client else "",
        deed=deed,
        request_line=f"{request.method} {request.url.path}",
        operation=request.scope["route"].name,
        request_id=request.state.request_id,
        key=key,
    )


class To:
    """The dependency that says what a route does: its signature is its access rule, and is what enforces it."""

    def __init__(self, deed: Deed) -> None:
        self.deed = deed

    # async, and without I/O, so that it costs no thread.
    async def __call__(  # noqa: D102  (FastAPI calls it)
        self,
        request: Request,
        credential: Annotated[str | None, Depends(_bearer)],
        idempotency_key: Annotated[
            str | None, Header(max_length=128, pattern=r"^[\x21-\x7e]+$", include_in_schema=False)
        ] = None,
    ) -> Visit:
        if credential is None:
            raise NotSignedIn("Sign in first: this needs a bearer token.")
        return visit_of(request, credential, self.deed, idempotency_key)


class ByAnybody:
    """The dependency of the few routes that are for callers who have not signed in."""

    async def __call__(self, request: Request) -> Visit:  # noqa: D102  (FastAPI calls it)
        return visit_of(request, None, None)


AnybodysVisit = Annotated[Visit, Depends(ByAnybody())]
ToUseOwnSignIn = Annotated[Visit, Depends(To(Deed.USE_OWN_SIGN_IN))]
ToUseOwnLogin = Annotated[Visit, Depends(To(Deed.USE_OWN_LOGIN))]
ToReadShelf = Annotated[Visit, Depends(To(Deed.READ_SHELF))]
ToReadRecord = Annotated[Visit, Depends(To(Deed.READ_RECORD))]
ToReadClinical = Annotated[Visit, Depends(To(Deed.READ_CLINICAL))]
ToWriteRecord = Annotated[Visit, Depends(To(Deed.WRITE_RECORD))]
ToPrescribe = Annotated[Visit, Depends(To(Deed.PRESCRIBE))]
ToInvite = Annotated[Visit, Depends(To(Deed.INVITE))]
ToShutOut = Annotated[Visit, Depends(To(Deed.SHUT_OUT))]
ToLog = Annotated[Visit, Depends(To(Deed.LOG))]
ToAnswer = Annotated[Visit, Depends(To(Deed.ANSWER))]
ToWorkFlags = Annotated[Visit, Depends(To(Deed.WORK_FLAGS))]
ToReadReports = Annotated[Visit, Depends(To(Deed.READ_REPORTS))]
ToReadStaff = Annotated[Visit, Depends(To(Deed.READ_STAFF))]
ToRunClinic = Annotated[Visit, Depends(To(Deed.RUN_CLINIC))]
ToTakeOut = Annotated[Visit, Depends(To(Deed.TAKE_OUT))]
ToTakeRecord = Annotated[Visit, Depends(To(Deed.TAKE_RECORD))]
ToConsent = Annotated[Visit, Depends(To(Deed.CONSENT))]
ToErase = Annotated[Visit, Depends(To(Deed.ERASE))]
ToReadAudit = Annotated[Visit, Depends(To(Deed.READ_AUDIT))]


def deed_of(route: APIRoute) -> Deed | None:
    """What a route's signature says it does; None for the routes that are for anybody."""
    (rule,) = (each.call for each in route.dependant.dependencies if isinstance(each.call, To | ByAnybody))
    return rule.deed if isinstance(rule, To) else None


def who_may(route: APIRoute) -> frozenset[Role]:
    """The roles a route is for; empty where it is for anybody."""
    deed = deed_of(route)
    return frozenset() if deed is None else MAY[deed]


def scopes_of(route: APIRoute) -> list[str]:
    """The scopes of which an integration needs one; empty where it needs none, or the route is not for it."""
    deed = deed_of(route)
    return [] if deed is None else scopes_for(deed)


async def _seal(request: Request) -> Seal:
    seal: Seal = request.app.state.seal
    return seal


Sealing = Annotated[Seal, Depends(_seal)]
"""What the installation seals secrets with."""


def etag(version: int) -> str:
    """A strong ETag of a versioned record."""
    return f'"v{version}"'


def show_version(response: Response, version: int) -> None:
    """Say which version is answered, for If-Match."""
    response.headers["ETag"] = etag(version)


async def _expected_version(
    if_match: Annotated[str | None, Header(max_length=40, description="The ETag you read, as it was given.")] = None,
) -> int:
    if if_match is None:
        raise HTTPException(428, "Say with If-Match which version you read; it is the ETag of the record.")
    version = _version_of(if_match)
    if version < 0:
        raise HTTPException(412, 'If-Match names one version, as its ETag was given: "v3", with the quotation marks.')
    return version


async def _matched_version(
    if_match: Annotated[str | None, Header(max_length=40, description="The ETag you read, as it was given.")] = None,
) -> int | None:
    return None if if_match is None else _version_of(if_match)


def _version_of(if_match: str) -> int:
    number = if_match.removeprefix('"v').removesuffix('"')
    # Anything that is not one of our ETags matches no version.
    return int(number) if number.isdecimal() and if_match == etag(int(number)) else -1


ExpectedVersion = Annotated[int, Depends(_expected_version)]
"""The version an If-Match names; without one the request is refused."""
MatchedVersion = Annotated[int | None, Depends(_matched_version)]
"""The version an If-Match names, where there is one."""
