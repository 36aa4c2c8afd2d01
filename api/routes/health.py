"""Whether the server is alive, and whether it can do its work."""

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from api.schemas.words import Answer
from api.visit import AnybodysVisit
from models.operations.accounts import any_clinic

router = APIRouter(tags=["operations"])


class HealthOut(Answer):
    """All is well."""

    status: str = "ok"


@router.get("/healthz", summary="Is the process alive?")
async def healthz(_visit: AnybodysVisit) -> HealthOut:
    return HealthOut()


@router.get("/readyz", summary="Does the database answer, with the tables this version needs?")
def readyz(visit: AnybodysVisit) -> HealthOut:
    try:
        with visit.database.reading() as tx:
            any_clinic(tx)
    except SQLAlchemyError as error:
        raise HTTPException(503, "The database does not answer; has it been migrated?") from error
    return HealthOut()
