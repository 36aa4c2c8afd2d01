"""Protocols: those on the shelf, and a clinic's own, whose every version is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from models.operations.callers import Caller
from models.refusals import Invalid, NameTaken, Unknown, VersionMismatch
from models.safety.conditions import VOCABULARY
from models.tables import Care, Exercise, OwnProtocol, Protocol

FLARE_LABEL = "Flare plan"
"""What the plan for flare days is called; no phase of a course is."""
CHECK_IN_MONTHS = (1, 3, 6, 12, 24)
"""The common schedule after discharge (clinical content 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A protocol to prescribe from, whoever wrote it."""

    slug: str
    version: int
    is_own: bool
    code: str | None
    name: str
    indication: str
    conditions: Sequence[str]
    weeks: int | None
    """None: its last phase runs on."""
    phases: Sequence[Mapping[str, Any]]
    maintenance: Sequence[Mapping[str, Any]]
    progression: str
    not_for: str
    modalities: str = ""
    rule_exemptions: Sequence[Mapping[str, str]] = ()
    cautions: Sequence[Mapping[str, str]] = ()
    clearance_for: Sequence[str] = ()
    check_in_months: Sequence[int] = CHECK_IN_MONTHS
    sources: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDraft:
    """What a clinic says of its own protocol."""

    name: str
    indication: str
    conditions: Sequence[str]
    phases: Sequence[Mapping[str, Any]]
    """[{label, from_day, to_day, items: [{exercise or care, dosage, side, goal}]}]"""
    maintenance: Sequence[Mapping[str, Any]]
    progression: str = ""
    not_for: str = ""


def templates(tx: Session, caller: Caller) -> list[Template]:
    """Every protocol the caller can prescribe: the shelf's by code, then the clinic's own by name."""
    shelf = tx.scalars(select(Protocol).where(Protocol.retired_at.is_(None)).order_by(Protocol.code)).all()
    own = tx.scalars(_own(caller).where(OwnProtocol.retired_at.is_(None)).order_by(OwnProtocol.name)).all()
    return [*(_of_shelf(row) for row in shelf), *(_of_clinic(row) for row in own)]


def template(tx: Session, caller: Caller, slug: str, *, field: str = "/protocol") -> Template:
    """One protocol, of the shelf or the clinic's own, as it is now."""
    shelved = tx.get(Protocol, slug)
    if shelved is not None and shelved.retired_at is None:
        return _of_shelf(shelved)
    own = tx.scalars(_own(caller).where(OwnProtocol.slug == slug, OwnProtocol.retired_at.is_(None))).one_or_none()
    if own is None:
        raise Unknown(f"No protocol {slug}.", field=field)
    return _of_clinic(own)


def save_protocol(tx: Session, caller: Caller, slug: str, draft: OwnDraft, *, now: datetime) -> Template:
    """A new protocol of the clinic."""
    taken = tx.get(Protocol, slug) or tx.scalars(_own(caller).where(OwnProtocol.slug == slug)).one_or_none()
    if taken is not None:
        raise NameTaken(f"There is a protocol {slug} already.", field="/slug")
    return _write(tx, caller, slug, 1, draft, now)


def amend_protocol(tx: Session, caller: Caller, slug: str, draft: OwnDraft, *, version: int, now: datetime) -> Template:
    """A new version of the clinic's protocol. Programs prescribed from earlier ones stay as they are."""
    held = tx.scalars(_own(caller).where(OwnProtocol.slug == slug)).one_or_none()
    if held is None:
        raise Unknown(f"The clinic has no protocol {slug} of its own.")
    if held.version != version:
        raise VersionMismatch("Someone changed this protocol meanwhile; read it again.")
    return _write(tx, caller, slug, version + 1, draft, now)


def check_phases(phases: Sequence[tuple[str, int, int | None]]) -> None:
    """Refuse phases, as (label, from day, to day), that overlap, end before they begin or share a label."""
    labels = {FLARE_LABEL}
    for number, ((label, from_day, to_day), following) in enumerate(zip(phases, [*phases[1:], None], strict=True)):
        if to_day is not None and to_day < from_day:
            raise Invalid("A phase ends on or after the day it begins.", field=f"/phases/{number}/to_day")
        if following is not None and (to_day is None or following[1] <= to_day):
            raise Invalid("Phases follow one another without overlap.", field=f"/phases/{number + 1}/from_day")
        if label in labels:
            raise Invalid("Each phase has a label of its own.", field=f"/phases/{number}/label")
        labels.add(label)


def _write(tx: Session, caller: Caller, slug: str, version: int, draft: OwnDraft, now: datetime) -> Template:
    for number, code in enumerate(draft.conditions):
        if code not in VOCABULARY:
            raise Invalid(f"No condition {code}.", field=f"/conditions/{number}")
    check_phases([(phase["label"], phase["from_day"], phase["to_day"]) for phase in draft.phases])
    _check_things(tx, draft)
    row = OwnProtocol(
        clinic_id=caller.clinic_id,
        slug=slug,
        version=version,
        name=draft.name,
        indication=draft.indication,
        conditions=list(draft.conditions),
        phases=list(draft.phases),
        maintenance=list(draft.maintenance),
        progression=draft.progression,
        not_for=draft.not_for,
        author_id=caller.account_id,
        created_at=now,
    )
    tx.add(row)
    tx.flush()  # of two at once the second fails here, on the key
    return _of_clinic(row)


def _check_things(tx: Session, draft: OwnDraft) -> None:
    places = [
        *(
            (f"/phases/{number}/items/{position}", item)
            for number, phase in enumerate(draft.phases)
            for position, item in enumerate(phase["items"])
        ),
        *((f"/maintenance/{position}", item) for position, item in enumerate(draft.maintenance)),
    ]
    for kind, column in (("exercise", Exercise.slug), ("care", Care.slug)):
        wanted = {item[kind] for _, item in places if item.get(kind)}
        known = set(tx.scalars(select(column).where(column.in_(wanted)))) if wanted else set()
        for place, item in places:
            if item.get(kind) and item[kind] not in known:
                raise Unknown(f"No {kind} {item[kind]}.", field=f"{place}/{kind}")


def _own(caller: Caller) -> Any:
    """The latest version of each of the clinic's protocols."""
    latest = (
        select(OwnProtocol.slug, func.max(OwnProtocol.version).label("version"))
        .where(OwnProtocol.clinic_id == caller.clinic_id)
        .group_by(OwnProtocol.slug)
        .subquery()
    )
    return (
        select(OwnProtocol)
        .join(latest, and_(latest.c.slug == OwnProtocol.slug, latest.c.version == OwnProtocol.version))
        .where(OwnProtocol.clinic_id == caller.clinic_id)
    )


def _of_shelf(row: Protocol) -> Template:
    return Template(
        slug=row.slug,
        version=row.version,
        is_own=False,
        code=row.code,
        name=row.name,
        indication=row.indication,
        conditions=row.conditions,
        weeks=row.weeks,
        phases=row.phases,
        maintenance=row.maintenance,
        progression=row.progression,
        not_for=row.not_for,
        modalities=row.modalities,
        rule_exemptions=row.rule_exemptions,
        cautions=row.cautions,
        clearance_for=row.clearance_for,
        check_in_months=row.check_in_months,
        sources=row.sources,
    )


def _of_clinic(row: OwnProtocol) -> Template:
    last = row.phases[-1]["to_day"]
    return Template(
        slug=row.slug,
        version=row.version,
        is_own=True,
        code=None,
        name=row.name,
        indication=row.indication,
        conditions=row.conditions,
        weeks=None if last is None else -(-last // 7),
        phases=row.phases,
        maintenance=row.maintenance,
        progression=row.progression,
        not_for=row.not_for,
    )
