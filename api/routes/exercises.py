"""The catalogue: exercises and protocols."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import TypeAdapter

from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.exercises import ExerciseOut, ExercisePage, ProtocolOut, ProtocolPage
from api.schemas.words import Code, Line, Slug
from api.visit import SignedInVisit
from models.operations import catalogue
from models.tables import Category

router = APIRouter(prefix="/v1", tags=["catalogue"])

_PLACE: TypeAdapter[tuple[Slug]] = TypeAdapter(tuple[Slug])


@router.get("/exercises", summary="Search the catalogue")
def list_exercises(
    visit: SignedInVisit,
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
    with visit.reading() as (tx, _caller):
        found = catalogue.exercises(tx, wanted, after=after[0] if after else None, limit=limit + 1)
    place = (found[limit - 1].exercise.slug,) if len(found) > limit else None
    return ExercisePage(
        items=[ExerciseOut.of(one) for one in found[:limit]], next=next_cursor(request, response, place)
    )


@router.get("/exercises/{slug}", summary="One exercise")
def get_exercise(slug: Annotated[Slug, Path(examples=["bird-dog"])], visit: SignedInVisit) -> ExerciseOut:
    with visit.reading() as (tx, _caller):
        return ExerciseOut.of(catalogue.exercise(tx, slug))


@router.get("/protocols", summary="Every protocol")
def list_protocols(visit: SignedInVisit) -> ProtocolPage:
    with visit.reading() as (tx, _caller):
        return ProtocolPage(items=[ProtocolOut.of(row) for row in catalogue.protocols(tx)])


@router.get("/protocols/{slug}", summary="One protocol")
def get_protocol(
    slug: Annotated[Slug, Path(examples=["chronic-lbp-core-stabilisation"])], visit: SignedInVisit
) -> ProtocolOut:
    with visit.reading() as (tx, _caller):
        return ProtocolOut.of(catalogue.protocol(tx, slug))
