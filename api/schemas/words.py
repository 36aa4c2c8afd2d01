"""Words every schema uses: text without control characters, instants with an offset, bounded numbers.

Numbers are strict: "5" is not 5 and true is not 1. Dates and instants are ISO 8601 text.
"""

import re
from datetime import UTC, date, datetime
from math import isfinite
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from models.operations.accounts import TIME_ZONES

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CLOCKS_BEGIN = datetime(1969, 12, 31, tzinfo=UTC)
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("control characters are not allowed")
    return text


def _iso_text(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError("say it as ISO 8601 text")  # noqa: TRY004  (pydantic words ValueErrors)
    return value


def _in_our_time(moment: datetime) -> datetime:
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("must lie between the years 2000 and 2100")
    return moment


def _on_a_clock(moment: datetime) -> datetime:
    if not _CLOCKS_BEGIN <= moment <= _LATEST:
        raise ValueError("must lie between the years 1970 and 2100")
    return moment


def _in_living_memory(day: date) -> date:
    if not date(1900, 1, 1) <= day <= date(2100, 1, 1):
        raise ValueError("must lie between the years 1900 and 2100")
    return day


def _in_our_days(day: date) -> date:
    if day < _EARLIEST.date():
        raise ValueError("must lie between the years 2000 and 2100")
    return day


def _shaped(pattern: str, otherwise: str) -> AfterValidator:
    """Text of a certain shape, and how to say so to people."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(otherwise)
        return text

    return AfterValidator(check)


def _known_zone(name: str) -> str:
    if name not in TIME_ZONES:
        raise ValueError("must be an IANA time zone, for example Europe/Berlin")
    return name


_Stripped = StringConstraints(strip_whitespace=True, min_length=1)
Name = Annotated[str, _Stripped, Field(max_length=100), AfterValidator(_printable)]
Line = Annotated[str, _Stripped, Field(max_length=200), AfterValidator(_printable)]
Note = Annotated[str, _Stripped, Field(max_length=2000), AfterValidator(_printable)]
Code = Annotated[str, Field(min_length=1, max_length=32), AfterValidator(_printable)]
"""A word of an open vocabulary: newer apps may say more than we know."""
Reference = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_printable)]
"""An id or a slug of an open vocabulary."""
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=80)]
Email = Annotated[
    str, Field(max_length=254), _shaped(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+", "must be an e-mail address")
]
Phone = Annotated[
    str,
    Field(max_length=30, examples=["+49 30 1234567"]),
    _shaped(r"[+0-9][0-9 ()./-]{2,29}", "must be a telephone number: digits, spaces and + ( ) . / -"),
]
Language = Annotated[
    str,
    Field(max_length=6, examples=["en"]),
    _shaped(r"[a-z]{2,3}(-[A-Z]{2})?", "must be a language tag like en or pt-BR"),
]
Zone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_known_zone)]
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_iso_text),
    AfterValidator(_in_our_time),
    Field(examples=["2026-03-04T07:30:00+01:00"]),
]
PhoneInstant = Annotated[
    AwareDatetime,
    BeforeValidator(_iso_text),
    AfterValidator(_on_a_clock),
    Field(examples=["2026-03-04T07:30:00+01:00"]),
]
"""An instant by a phone's own clock, which begins at 1970 again when its battery was empty."""
_INSTANT: TypeAdapter[datetime] = TypeAdapter(PhoneInstant)


def instant_or_none(said: object) -> datetime | None:
    """An instant, out of a body that was refused."""
    try:
        return _INSTANT.validate_python(said)
    except ValidationError:
        return None


Day = Annotated[date, BeforeValidator(_iso_text), AfterValidator(_in_living_memory), Field(examples=["2026-03-04"])]
MonthName = Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", examples=["2026-10"])]
ProgramDay = Annotated[Day, AfterValidator(_in_our_days)]
"""A day of a program."""
Score = Annotated[int, Field(strict=True, ge=0, le=10)]
"""0-10, as patients are asked."""
Flagged = Annotated[bool, Field(strict=True)]


def whole(low: int, high: int) -> Any:
    """The constraints of a whole number from `low` to `high`."""
    return Field(strict=True, ge=low, le=high)


def number(low: float, high: float) -> Any:
    """The constraints of a number from `low` to `high`."""
    return Field(strict=True, ge=low, le=high, allow_inf_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        if len(value) > 20 or any(isinstance(one, list | dict) for one in value):
            raise ValueError("must be a short list of words")
        return [_plain(one) for one in value]
    if isinstance(value, str):
        if len(value) > 200:
            raise ValueError("must be at most 200 characters")
        return _printable(value)
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("must be a number")
    if isinstance(value, dict) or value is None:
        raise ValueError("must be a word, a number, true or false, or a list of words")
    return value


Plain = Annotated[Any, AfterValidator(_plain)]
"""One value of an open record: a word, a number, true or false, or a short list of them."""


class Said(BaseModel):
    """What comes in: nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """What goes out."""

    model_config = ConfigDict(from_attributes=True)
