"""Webhooks as admins see them."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from api.schemas.words import Answer, Flagged, Line, Said
from models.delivery.retries import Failure
from models.delivery.signing import message_id, secret_text
from models.operations.webhooks import Sent, WebhookDraft
from models.tables import Webhook

Url = Annotated[str, Field(min_length=1, max_length=500, examples=["https://hooks.clinic.example/followthrough"])]
Kind = Literal["flag.opened", "flag.risen"]


class WebhookIn(Said):
    """Where to send announcements, and which."""

    url: Url
    description: Line | None = Field(default=None, examples=["Our messenger"])
    kinds: Annotated[list[Kind], Field(min_length=1, max_length=10)] | None = Field(
        default=None, description="Only these; without, whatever happens.", examples=[["flag.opened", "flag.risen"]]
    )
    enabled: Flagged = Field(default=True, description="Enabling forgives earlier failures.")

    def as_draft(self) -> WebhookDraft:
        return WebhookDraft(url=self.url, description=self.description, kinds=self.kinds, enabled=self.enabled)


class WebhookOut(Answer):
    """A webhook; its secret is not shown again."""

    id: UUID
    url: str
    description: str | None
    kinds: list[str] | None = Field(description="Null: whatever happens.")
    enabled: bool
    disabled_at: AwareDatetime | None
    disabled_because: str | None = Field(
        description="by_hand; gone: it answered 410; failing: nothing arrived for five days.", examples=["gone"]
    )
    created_at: AwareDatetime
    previous_secret_until: AwareDatetime | None = Field(
        description="Until then, after a rotation, requests are signed with the previous secret too."
    )

    @classmethod
    def of(cls, webhook: Webhook) -> "WebhookOut":
        return cls(**_plain(webhook))


class WebhookPage(Answer):
    """The clinic's webhooks, the oldest first."""

    items: list[WebhookOut]


class WebhookSecretOut(WebhookOut):
    """A webhook with its secret, which is shown this once."""

    secret: str | None = Field(
        description="Verify each request with it (Standard Webhooks). Null: creation repeated after a rotation.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )

    @classmethod
    def of(cls, webhook: Webhook) -> "WebhookSecretOut":
        return cls(**_plain(webhook), secret=secret_text(webhook.secret))

    @classmethod
    def again(cls, webhook: Webhook) -> "WebhookSecretOut":
        """What its creation answered; a secret that came later was for another request."""
        made = cls.of(webhook)
        return made.model_copy(update={"secret": None}) if webhook.previous_secret else made


class DeliveryOut(Answer):
    """One announcement on its way to a webhook."""

    message_id: str = Field(description="The `webhook-id` it is sent under.", examples=["msg_0195b2f1e4b07cc8a2f3"])
    kind: str = Field(examples=["flag.opened"])
    status: Literal["waiting", "delivered", "gave_up"]
    attempts: int
    created_at: AwareDatetime
    last_tried_at: AwareDatetime | None
    failure: Failure | None = Field(description="Why the last attempt failed.")
    status_code: int | None = Field(description="What was answered to it.")
    next_try_at: AwareDatetime | None
    delivered_at: AwareDatetime | None
    gave_up_at: AwareDatetime | None

    @classmethod
    def of(cls, sent: Sent) -> "DeliveryOut":
        announcement, delivery = sent.announcement, sent.delivery
        ended = "delivered" if delivery.delivered_at else "gave_up"
        shown = ("attempts", "last_tried_at", "failure", "status_code", "next_try_at", "delivered_at", "gave_up_at")
        return cls.model_validate(
            {name: getattr(delivery, name) for name in shown}
            | {
                "message_id": message_id(announcement.id),
                "kind": announcement.kind,
                "status": "waiting" if delivery.next_try_at else ended,
                "created_at": announcement.created_at,
            }
        )


class DeliveryPage(Answer):
    """A page of them, the latest first."""

    items: list[DeliveryOut]
    next: str | None = Field(description="Cursor of the next page.")


def _plain(webhook: Webhook) -> dict[str, Any]:
    same = ("id", "url", "description", "kinds", "disabled_at", "disabled_because", "created_at")
    return {name: getattr(webhook, name) for name in same} | {
        "enabled": webhook.disabled_at is None,
        "previous_secret_until": webhook.previous_until,
    }
