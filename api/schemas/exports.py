"""Exports as admins ask for them and see them come along."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from api.schemas.words import Answer, Day, Flagged, Said
from models.operations.exports import ExportDraft, status_at
from models.tables import Export, ExportContent, ExportFailure, ExportFormat, ExportStatus


class ExportIn(Said):
    """What to write into a file."""

    content: ExportContent = Field(description="One kind of row.", examples=["sessions"])
    format: ExportFormat = Field(
        default=ExportFormat.NDJSON, description="NDJSON and CSV go on where they were stopped; XLSX begins anew."
    )
    bom: Flagged = Field(default=False, description="CSV: begin with a byte order mark, as Excel wants.")
    delimiter: Literal[",", ";"] = Field(default=",", description="CSV: between fields.")
    decimal: Literal[".", ","] = Field(default=".", description="CSV: within numbers.")
    de_identified: Flagged = Field(
        default=False,
        description="Pseudonyms, moved days, birth years; no names, texts, addresses. Not anonymous. Patients who "
        "withdrew their consent to `research_export` are left out.",
    )
    from_on: Day | None = Field(default=None, description="Sessions, entries, flags and weeks from this day on.")
    to_on: Day | None = Field(default=None, description="Up to this day, included.")

    @model_validator(mode="after")
    def _readable(self) -> "ExportIn":
        if self.decimal == self.delimiter:
            raise ValueError("numbers with a decimal comma need another delimiter")
        if self.format is not ExportFormat.CSV and (self.bom, self.delimiter, self.decimal) != (False, ",", "."):
            raise ValueError("bom, delimiter and decimal are for CSV")
        return self

    def as_draft(self) -> ExportDraft:
        options = {"bom": self.bom, "delimiter": self.delimiter, "decimal": self.decimal}
        return ExportDraft(
            content=self.content,
            format=self.format,
            options=options if self.format is ExportFormat.CSV else {},
            de_identified=self.de_identified,
            from_on=self.from_on,
            to_on=self.to_on,
        )


class ExportOut(Answer):
    """An export, and how far it has come."""

    id: UUID
    content: ExportContent
    format: ExportFormat
    options: dict[str, Any] = Field(description="Of CSV.")
    de_identified: bool
    from_on: Day | None
    to_on: Day | None
    requested_by: UUID
    requested_at: AwareDatetime
    status: ExportStatus
    progress: float = Field(description="0-1; 1 only when the file is ready.", examples=[0.42])
    rows_done: int = Field(description="Looked through, whether they were asked for or not.")
    rows_total: int | None = Field(description="To look through, as counted when it began; rows may have come since.")
    rows_written: int
    bytes_done: int
    finished_at: AwareDatetime | None
    expires_at: AwareDatetime | None = Field(description="When the file is removed.")
    failure: ExportFailure | None
    file: str | None = Field(description="Where the file is, once it is ready.", examples=["/v1/exports/…/file"])

    @classmethod
    def of(cls, known: Export, now: AwareDatetime) -> "ExportOut":
        same = set(cls.model_fields) - {"status", "progress", "file"}
        status = status_at(known, now)
        return cls.model_validate(
            {name: getattr(known, name) for name in same}
            | {
                "status": status,
                "progress": _progress(known),
                "file": f"/v1/exports/{known.id}/file" if status is ExportStatus.DONE else None,
            }
        )


class ExportPage(Answer):
    """A page of exports, the latest first."""

    items: list[ExportOut]
    next: str | None = Field(description="Cursor of the next page.")


def _progress(known: Export) -> float:
    if known.status in {ExportStatus.DONE, ExportStatus.EXPIRED}:
        return 1.0
    return min(known.rows_done / known.rows_total, 0.99) if known.rows_total else 0.0
