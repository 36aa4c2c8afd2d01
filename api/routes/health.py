"""Whether the server is alive, and whether it can do its work."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException

from api.schemas.words import Answer
from api.visit import AnybodysVisit
from models.operations.accounts import is_ready

router = APIRouter(tags=["operations"])


class HealthOut(Answer):
    """All is well."""

    status: str = "ok"


@router.get("/healthz", summary="Is the process alive?")
async def healthz(_visit: AnybodysVisit) -> HealthOut:
    return HealthOut()


@router.get("/readyz", summary="Does the database answer, with the tables this version needs?")
def readyz(visit: AnybodysVisit) -> HealthOut:
    if not is_ready(visit.database):
        raise HTTPException(503, "The database does not answer; has it been migrated?")
    return HealthOut()
