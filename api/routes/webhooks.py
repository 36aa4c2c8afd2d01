"""Webhooks: where a clinic's own systems are told that someone needs attention."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter

from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.webhooks import (
    DeliveryOut,
    DeliveryPage,
    WebhookIn,
    WebhookOut,
    WebhookPage,
    WebhookSecretOut,
)
from api.visit import ExpectedVersion, ToRunClinic, show_version
from models.delivery.addresses import Allowed
from models.operations import webhooks

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

_PLACE: TypeAdapter[tuple[UUID]] = TypeAdapter(tuple[UUID])


async def _allowed(request: Request) -> Allowed:
    found: Allowed = request.app.state.allowed
    return found


AllowedHere = Annotated[Allowed, Depends(_allowed)]
"""Where this installation lets webhooks lie."""


@router.get("", summary="The clinic's webhooks")
def list_webhooks(visit: ToRunClinic) -> WebhookPage:
    with visit.reading() as (tx, caller):
        return WebhookPage(items=[WebhookOut.of(one) for one in webhooks.webhooks(tx, caller)])


@router.post("", status_code=201, summary="Register a webhook; the answer shows its secret, once")
def create_webhook(said: WebhookIn, visit: ToRunClinic, allowed: AllowedHere, response: Response) -> WebhookSecretOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            found = webhooks.webhook(tx, caller, known)
            show_version(response, found.version)
            return WebhookSecretOut.again(found)
        made = webhooks.create_webhook(tx, caller, said.as_draft(), allowed, now=visit.now)
        visit.remember(tx, caller, said, made.id)
        show_version(response, made.version)
        return WebhookSecretOut.of(made)


@router.get("/{webhook_id}", summary="One webhook")
def get_webhook(webhook_id: UUID, visit: ToRunClinic, response: Response) -> WebhookOut:
    with visit.reading() as (tx, caller):
        found = webhooks.webhook(tx, caller, webhook_id)
        show_version(response, found.version)
        return WebhookOut.of(found)


@router.put("/{webhook_id}", summary="Change, disable or enable a webhook")
def amend_webhook(
    webhook_id: UUID,
    said: WebhookIn,
    version: ExpectedVersion,
    visit: ToRunClinic,
    allowed: AllowedHere,
    response: Response,
) -> WebhookOut:
    with visit.writing() as (tx, caller):
        amended = webhooks.amend_webhook(
            tx, caller, webhook_id, said.as_draft(), allowed, version=version, now=visit.now
        )
        show_version(response, amended.version)
        return WebhookOut.of(amended)


@router.delete("/{webhook_id}", status_code=204, summary="Forget a webhook and what was sent to it")
def delete_webhook(webhook_id: UUID, visit: ToRunClinic) -> None:
    with visit.writing() as (tx, caller):
        webhooks.delete_webhook(tx, caller, webhook_id)


@router.post("/{webhook_id}/rotate", summary="A new secret; for 24 hours requests are signed with the old one too")
def rotate_webhook_secret(webhook_id: UUID, visit: ToRunClinic, response: Response) -> WebhookSecretOut:
    with visit.writing() as (tx, caller):
        rotated = webhooks.rotate_secret(tx, caller, webhook_id, now=visit.now)
        show_version(response, rotated.version)
        return WebhookSecretOut.of(rotated)


@router.post("/{webhook_id}/test", status_code=202, summary="Have a test sent with the next sweep")
def try_webhook(webhook_id: UUID, visit: ToRunClinic) -> DeliveryOut:
    with visit.writing() as (tx, caller):
        return DeliveryOut.of(webhooks.try_webhook(tx, caller, webhook_id, now=visit.now))


@router.get("/{webhook_id}/deliveries", summary="What was sent to a webhook, and what came of it, the latest first")
def list_deliveries(
    webhook_id: UUID,
    visit: ToRunClinic,
    request: Request,
    response: Response,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DeliveryPage:
    after = read_cursor(cursor, _PLACE)
    with visit.reading() as (tx, caller):
        found = webhooks.deliveries(tx, caller, webhook_id, after=after[0] if after else None, limit=limit + 1)
    last = found[limit - 1].announcement.id if len(found) > limit else None
    return DeliveryPage(
        items=[DeliveryOut.of(one) for one in found[:limit]],
        next=next_cursor(request, response, None if last is None else (last,)),
    )
