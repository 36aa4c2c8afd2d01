"""Other systems as admins see them, and the tokens they get."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from api.schemas.words import Answer, Flagged, Name, Said
from models.operations.assertions import PRIVATE_KEY, is_private
from models.operations.clients import MOST_KEYS, ClientDraft, ClientToken, Registered, public_id
from models.operations.policy import SCOPES

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_ASSERTION = 4096

Part = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=100)]
Modulus = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=1400)]
KeyId = Annotated[str, Field(pattern=r"^[\x21-\x7e]+$", max_length=100)]
Scopes = Annotated[
    list[Annotated[str, Field(max_length=40, json_schema_extra={"enum": list(SCOPES)})]],
    Field(min_length=1, max_length=20),
]


class KeyIn(Said):
    """A public key (JWK, RFC 7517): EC on P-256 or P-384, Ed25519, or RSA of 2048 to 4096 bits."""

    kty: Literal["EC", "OKP", "RSA"]
    crv: Literal["P-256", "P-384", "Ed25519"] | None = None
    x: Part | None = None
    y: Part | None = None
    n: Modulus | None = None
    e: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=6)] | None = None
    kid: KeyId | None = Field(default=None, description="An assertion that names a key is checked with no other.")
    alg: Annotated[str, Field(max_length=10)] | None = Field(
        default=None, description="Then it signs with nothing else.", examples=["ES256"]
    )
    use: Literal["sig"] | None = Field(default=None, description="Not kept.")
    key_ops: Annotated[list[Literal["verify"]], Field(max_length=1)] | None = Field(
        default=None, description="Not kept."
    )
    ext: Flagged | None = Field(default=None, description="Not kept: browsers say it.")

    @model_validator(mode="before")
    @classmethod
    def _public(cls, said: Any) -> Any:
        if isinstance(said, dict) and is_private(said):
            raise ValueError(PRIVATE_KEY)
        return said

    def as_jwk(self) -> dict[str, str]:
        return self.model_dump(exclude_none=True, exclude={"use", "key_ops", "ext"})


class ClientIn(Said):
    """Another system: what it may do, and the public keys of the private ones it signs with."""

    name: Name = Field(examples=["Our record system"])
    scopes: Scopes = Field(examples=[["records:read", "sessions:write"]])
    keys: Annotated[list[KeyIn], Field(min_length=1, max_length=MOST_KEYS)] = Field(
        examples=[
            [
                {
                    "kty": "EC",
                    "crv": "P-256",
                    "kid": "2026-1",
                    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                }
            ]
        ]
    )

    def as_draft(self) -> ClientDraft:
        return ClientDraft(name=self.name, scopes=self.scopes, keys=[key.as_jwk() for key in self.keys])


class ClientOut(Answer):
    """Another system that may call."""

    id: UUID
    client_id: str = Field(
        description="What it calls itself: `iss` and `sub` of its assertions.", examples=["ftc_AZWyseSwfMij8wG..."]
    )
    name: str
    scopes: list[str]
    keys: list[dict[str, str]] = Field(description="Public keys, as JWKs.")
    account_id: UUID = Field(description="Whose name is on what it writes.")
    created_by: UUID
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None = Field(description="Shut out since then, for good.")

    @classmethod
    def of(cls, known: Registered) -> "ClientOut":
        client, account = known.client, known.account
        same = ("id", "keys", "account_id", "created_by", "created_at", "revoked_at")
        return cls.model_validate(
            {name: getattr(client, name) for name in same}
            | {
                "client_id": public_id(client.clinic_id, client.id),
                "name": account.name,
                "scopes": account.scopes or [],
            }
        )


class ClientPage(Answer):
    """The clinic's clients, the latest first; those shut out last."""

    items: list[ClientOut]


class ClientTokenOut(Answer):
    """A client's token (RFC 6749, 4.4.3): without a refresh token, since it proves itself again."""

    access_token: str = Field(examples=["ft_..."])
    token_type: Literal["bearer"] = Field(default="bearer")
    expires_in: int = Field(description="Seconds until the access token expires.", examples=[300])
    scope: str = Field(description="What it is good for, space-separated.", examples=["records:read sessions:write"])

    @classmethod
    def of(cls, token: ClientToken) -> "ClientTokenOut":
        return cls(access_token=token.access, expires_in=int(token.lasts.total_seconds()), scope=" ".join(token.scopes))
