"""The audit trail as auditors and patients read it."""

from uuid import UUID

from pydantic import AwareDatetime, Field

from api.schemas.words import Answer
from models.operations.audit import Known
from models.tables import Role


class AuditEventOut(Answer):
    """One deed."""

    id: UUID
    at: AwareDatetime
    account_id: UUID | None
    name: str | None = Field(description="Of whom; null: nobody known.")
    role: Role | None
    operation: str = Field(description="The operationId, or the command of the console.", examples=["get_patient"])
    writes: bool
    outcome: str = Field(description="`done`, or the code of the refusal.", examples=["done"])
    patient_id: UUID | None
    asked: str | None = Field(description="Method and path.")
    address: str | None
    request_id: str | None
    seq: int | None = Field(description="Its place in the clinic's chain; null: not sealed yet.")
    hash: str | None

    @classmethod
    def of(cls, known: Known) -> "AuditEventOut":
        plain = {name: getattr(known.event, name) for name in cls.model_fields if name not in {"name", "hash"}}
        return cls(**plain, name=known.name, hash=known.event.hash.hex() if known.event.hash else None)


class AuditPage(Answer):
    """A clinic's trail, latest first."""

    items: list[AuditEventOut]
    next: str | None = Field(description="Where the next page begins.")


class AccessOut(Answer):
    """Somebody saw or changed a record."""

    at: AwareDatetime
    by: str | None = Field(description="Who; null: an account that was erased, or the console of the server.")
    role: Role | None
    operation: str = Field(examples=["get_timeline"])
    writes: bool = Field(description="Whether they may have changed it.")
    of_everybody: bool = Field(description="They took out the whole clinic's records.")

    @classmethod
    def of(cls, known: Known) -> "AccessOut":
        event = known.event
        return cls(
            at=event.at,
            by=known.name,
            role=event.role,
            operation=event.operation,
            writes=event.writes,
            of_everybody=event.patient_id is None,
        )


class AccessPage(Answer):
    """Who saw or changed one patient's record, latest first."""

    items: list[AccessOut]
    next: str | None = Field(description="Where the next page begins.")
