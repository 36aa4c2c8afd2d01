"""Programs: prescribing them, and the turns of their life."""

from uuid import UUID

from fastapi import APIRouter, Response

from api.schemas.programs import (
    DischargeIn,
    PauseIn,
    PauseOut,
    ProgramBrief,
    ProgramIn,
    ProgramOut,
    ProgramPage,
    StopIn,
)
from api.visit import SignedInVisit, StaffVisit, show_version
from models.operations import programs
from models.refusals import Refusal

router = APIRouter(prefix="/v1", tags=["programs"])


@router.get("/patients/{patient_id}/programs", summary="A patient's programs, latest first")
def list_programs(patient_id: UUID, visit: SignedInVisit) -> ProgramPage:
    with visit.reading() as (tx, caller):
        found = programs.programs_of(tx, caller, patient_id)
        return ProgramPage(items=[ProgramBrief.model_validate(one) for one in found])


@router.post("/patients/{patient_id}/programs", status_code=201, summary="Prescribe a program, as a draft")
def create_program(patient_id: UUID, said: ProgramIn, visit: StaffVisit, response: Response) -> ProgramOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is None:
            known = programs.create_program(tx, caller, patient_id, said.as_draft(), now=visit.now).id
            visit.remember(tx, caller, said, known)
        course = programs.course(tx, caller, known)
        show_version(response, course.program.version)
        return ProgramOut.of(course)


@router.get("/programs/{program_id}", summary="One program with its prescription")
def get_program(program_id: UUID, visit: SignedInVisit, response: Response) -> ProgramOut:
    with visit.reading() as (tx, caller):
        course = programs.course(tx, caller, program_id)
        show_version(response, course.program.version)
        return ProgramOut.of(course)


@router.post("/programs/{program_id}/activate", summary="Hand the program to the patient")
def activate_program(program_id: UUID, visit: StaffVisit, response: Response) -> ProgramOut:
    with visit.writing() as (tx, caller):
        course = programs.activate(tx, caller, program_id, now=visit.now)
        show_version(response, course.program.version)
        return ProgramOut.of(course)


@router.post("/programs/{program_id}/pauses", status_code=201, summary="Expect nothing for a while")
def pause_program(program_id: UUID, said: PauseIn, visit: SignedInVisit) -> PauseOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            pauses = programs.course(tx, caller, program_id).pauses
            return next(PauseOut.model_validate(one) for one in pauses if one.id == known)
        declared = programs.pause(
            tx, caller, program_id, from_on=said.from_on, to_on=said.to_on, reason=said.reason, now=visit.now
        )
        visit.remember(tx, caller, said, declared.id)
        return PauseOut.model_validate(declared)


@router.post(
    "/programs/{program_id}/discharge", status_code=201, summary="End the program and begin the maintenance program"
)
def discharge_patient(program_id: UUID, said: DischargeIn, visit: StaffVisit) -> ProgramOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is None:
            try:
                known = programs.discharge(tx, caller, program_id, said.maintenance.as_draft(), now=visit.now).id
            except Refusal as refusal:
                # What is wrong with the maintenance program lies one level down in what was said.
                refusal.field = refusal.field and f"/maintenance{refusal.field}"
                raise
            visit.remember(tx, caller, said, known)
        return ProgramOut.of(programs.course(tx, caller, known))


@router.post("/programs/{program_id}/stop", summary="The patient stops, and says why")
def stop_program(program_id: UUID, said: StopIn, visit: SignedInVisit) -> ProgramBrief:
    with visit.writing() as (tx, caller):
        stopped = programs.stop(tx, caller, program_id, reason=said.reason, now=visit.now)
        return ProgramBrief.model_validate(stopped)
