"""Clients: other systems a clinic lets in, each with its own keys and scopes."""

from uuid import UUID

from fastapi import APIRouter, Response

from api.schemas.clients import ClientIn, ClientOut, ClientPage
from api.visit import ExpectedVersion, ToRunClinic, show_version
from models.operations import clients

router = APIRouter(prefix="/v1/clients", tags=["clients"])


@router.get("", summary="The clinic's clients, the latest first; those shut out last")
def list_clients(visit: ToRunClinic) -> ClientPage:
    with visit.reading() as (tx, caller):
        return ClientPage(items=[ClientOut.of(one) for one in clients.clients(tx, caller)])


@router.post("", status_code=201, summary="Let another system in, with its public keys and scopes")
def create_client(said: ClientIn, visit: ToRunClinic, response: Response) -> ClientOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            made = clients.client(tx, caller, known)
        else:
            made = clients.create_client(tx, caller, said.as_draft(), now=visit.now)
            visit.remember(tx, caller, said, made.client.id)
        show_version(response, made.client.version)
        return ClientOut.of(made)


@router.get("/{client_id}", summary="One client")
def get_client(client_id: UUID, visit: ToRunClinic, response: Response) -> ClientOut:
    with visit.reading() as (tx, caller):
        found = clients.client(tx, caller, client_id)
        show_version(response, found.client.version)
        return ClientOut.of(found)


@router.put("/{client_id}", summary="Change a client's name, scopes or keys; other keys end its tokens")
def amend_client(
    client_id: UUID, said: ClientIn, version: ExpectedVersion, visit: ToRunClinic, response: Response
) -> ClientOut:
    with visit.writing() as (tx, caller):
        amended = clients.amend_client(tx, caller, client_id, said.as_draft(), version=version, now=visit.now)
        show_version(response, amended.client.version)
        return ClientOut.of(amended)


@router.delete("/{client_id}", status_code=204, summary="Shut a client out, with its tokens, at once and for good")
def revoke_client(client_id: UUID, visit: ToRunClinic) -> None:
    with visit.writing() as (tx, caller):
        clients.revoke_client(tx, caller, client_id, now=visit.now)
