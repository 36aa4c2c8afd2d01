"""The catalogue: exercises and protocols."""

from typing import Annotated
from uuid import UUID, uuid5

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import TypeAdapter

from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.exercises import (
    CareOut,
    CarePage,
    ExerciseOut,
    ExercisePage,
    NewProtocolIn,
    OwnProtocolIn,
    ProtocolOut,
    ProtocolPage,
)
from api.schemas.words import Code, Line, Slug
from api.visit import ExpectedVersion, ToPrescribe, ToReadShelf, show_version
from models.operations import catalogue, choosing, protocols
from models.tables import Category

router = APIRouter(prefix="/v1", tags=["catalogue"])

_PLACE: TypeAdapter[tuple[int, int, Slug]] = TypeAdapter(tuple[int, int, Slug])


@router.get("/exercises", summary="Search the catalogue")
def list_exercises(
    visit: ToReadShelf,
    request: Request,
    response: Response,
    category: Category | None = None,
    region: Annotated[Code | None, Query(examples=["low_back"])] = None,
    position: Annotated[Code | None, Query(examples=["chair_sitting"])] = None,
    equipment: Annotated[
        list[Code] | None,
        Query(max_length=40, description="Everything at hand; repeat it. `none` alone: nothing at hand."),
    ] = None,
    min_level: Annotated[int | None, Query(ge=0, le=4)] = None,
    max_level: Annotated[int | None, Query(ge=0, le=4)] = None,
    q: Annotated[Line | None, Query(description="Words that must all occur in name, summary or muscles.")] = None,
    safe_for: Annotated[
        UUID | None,
        Query(description="A patient: what suits them comes first, and what is not allowed last, with the reasons."),
    ] = None,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> ExercisePage:
    wanted = catalogue.ExerciseFilter(
        category=category,
        region=region,
        position=position,
        equipment=equipment,
        min_level=min_level,
        max_level=max_level,
        text=q,
    )
    after = read_cursor(cursor, _PLACE)
    with visit.reading() as (tx, caller):
        if safe_for is not None:
            suited = choosing.catalogue_for(tx, caller, safe_for, wanted, after=after, limit=limit + 1, now=visit.now)
            places = [one.choice.place for one in suited]
            items = [ExerciseOut.suited(one) for one in suited]
        else:
            found = catalogue.exercises(tx, wanted, after=after[2] if after else None, limit=limit + 1)
            places = [(0, 0, one.exercise.slug) for one in found]
            items = [ExerciseOut.of(one) for one in found]
    place = places[limit - 1] if len(places) > limit else None
    return ExercisePage(items=items[:limit], next=next_cursor(request, response, place))


@router.get("/exercises/{slug}", summary="One exercise")
def get_exercise(slug: Annotated[Slug, Path(examples=["bird-dog"])], visit: ToReadShelf) -> ExerciseOut:
    with visit.reading() as (tx, _caller):
        return ExerciseOut.of(catalogue.exercise(tx, slug))


@router.get("/care", summary="Modalities, self-care and advice that can be listed beside the exercises")
def list_care(visit: ToReadShelf) -> CarePage:
    with visit.reading() as (tx, _caller):
        return CarePage(items=[CareOut.of(row) for row in catalogue.care_items(tx)])


@router.get("/protocols", summary="Every protocol, the shelf's and the clinic's own")
def list_protocols(visit: ToReadShelf) -> ProtocolPage:
    with visit.reading() as (tx, caller):
        return ProtocolPage(items=[ProtocolOut.of(one) for one in protocols.templates(tx, caller)])


@router.post("/protocols", status_code=201, summary="Save a protocol of the clinic's own")
def save_protocol(said: NewProtocolIn, visit: ToPrescribe, response: Response) -> ProtocolOut:
    with visit.writing() as (tx, caller):
        named = uuid5(caller.clinic_id, said.slug)
        if visit.made_before(tx, caller, said) == named:
            saved = protocols.template(tx, caller, said.slug)
        else:
            saved = protocols.save_protocol(tx, caller, said.slug, said.as_draft(), now=visit.now)
            visit.remember(tx, caller, said, named)
        show_version(response, saved.version)
        return ProtocolOut.of(saved)


@router.get("/protocols/{slug}", summary="One protocol")
def get_protocol(
    slug: Annotated[Slug, Path(examples=["chronic-lbp-core-stabilisation"])], visit: ToReadShelf, response: Response
) -> ProtocolOut:
    with visit.reading() as (tx, caller):
        found = protocols.template(tx, caller, slug, field="")
        show_version(response, found.version)
        return ProtocolOut.of(found)


@router.put("/protocols/{slug}", summary="A new version of the clinic's own protocol; programs stay as they are")
def amend_protocol(
    slug: Annotated[Slug, Path(examples=["our-back-course"])],
    said: OwnProtocolIn,
    version: ExpectedVersion,
    visit: ToPrescribe,
    response: Response,
) -> ProtocolOut:
    with visit.writing() as (tx, caller):
        amended = protocols.amend_protocol(tx, caller, slug, said.as_draft(), version=version, now=visit.now)
        show_version(response, amended.version)
        return ProtocolOut.of(amended)
