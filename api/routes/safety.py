"""What must be asked and heard: the red-flag questions."""

from fastapi import APIRouter

from api.schemas.safety import RedFlagOut, RedFlagPage
from api.visit import SignedInVisit
from models.safety.red_flags import CHIPS, RED_FLAGS

router = APIRouter(prefix="/v1", tags=["safety"])


@router.get("/red-flags", summary="The red-flag questions, and the chips a session may carry")
def list_red_flags(visit: SignedInVisit) -> RedFlagPage:
    with visit.reading():
        return RedFlagPage(
            items=[RedFlagOut.of(flag) for flag in RED_FLAGS.values()],
            other_chips=[chip for chip in CHIPS if chip not in RED_FLAGS],
        )
