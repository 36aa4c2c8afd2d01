"""Programs: prescribing and checking them, and the turns of their life."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from api.paging import Cursor, Limit, next_cursor, read_cursor
from api.schemas.agenda import AgendaDayOut, AgendaOut
from api.schemas.exercises import SuggestionOut, SuggestionPage
from api.schemas.programs import (
    DischargeIn,
    DischargeOut,
    FlareDaysIn,
    FlareDaysOut,
    PauseIn,
    PauseOut,
    ProgramBrief,
    ProgramIn,
    ProgramOut,
    ProgramPage,
    ProposalIn,
    ReviewIn,
    ReviewOut,
    ReviewPage,
    RevisionIn,
    RevisionOut,
    RevisionPage,
    SafetyCheckOut,
    SafetyCheckPage,
    StopIn,
    TaughtOut,
    TeachingIn,
    TeachingPage,
)
from api.schemas.safety import AnswersIn, CheckOut
from api.schemas.words import Instant, ProgramDay
from api.visit import ExpectedVersion, ToLog, ToPrescribe, ToReadClinical, ToReadRecord, show_version
from models.operations import agenda, checking, choosing, prescribing, programs
from models.operations.courses import Course
from models.refusals import Refusal

router = APIRouter(prefix="/v1", tags=["programs"])

_REVISION: TypeAdapter[tuple[int]] = TypeAdapter(tuple[int])


@router.get("/patients/{patient_id}/programs", summary="A patient's programs, latest first")
def list_programs(patient_id: UUID, visit: ToReadRecord) -> ProgramPage:
    with visit.reading() as (tx, caller):
        found = programs.programs_of(tx, caller, patient_id, now=visit.now)
        return ProgramPage(items=[ProgramBrief.listed(one) for one in found])


@router.post("/patients/{patient_id}/programs", status_code=201, summary="Prescribe a program, as a draft")
def create_program(patient_id: UUID, said: ProgramIn, visit: ToPrescribe, response: Response) -> ProgramOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is None:
            known = prescribing.create_program(tx, caller, patient_id, said.as_draft(), now=visit.now).id
            visit.remember(tx, caller, said, known)
        return _shown(prescribing.course_with_advice(tx, caller, known, now=visit.now), response, visit.now)


@router.get("/programs/{program_id}", summary="One program with its prescription, now or as it was")
def get_program(
    program_id: UUID,
    visit: ToReadRecord,
    response: Response,
    as_of: Annotated[Instant | None, Query(description="A past moment; now if left out.")] = None,
) -> ProgramOut:
    with visit.reading() as (tx, caller):
        moment = min(as_of or visit.now, visit.now)
        known = prescribing.course_with_advice(tx, caller, program_id, now=moment)
        return _shown(known, response, visit.now, as_of)


@router.get("/programs/{program_id}/agenda", summary="What is expected on each local day, and why")
def get_agenda(
    program_id: UUID,
    visit: ToReadRecord,
    first: Annotated[ProgramDay | None, Query(alias="from", description="Today, if left out.")] = None,
    last: Annotated[ProgramDay | None, Query(alias="to", description="Six days on, if left out.")] = None,
) -> AgendaOut:
    with visit.reading() as (tx, caller):
        days = agenda.agenda(tx, caller, program_id, first=first, last=last, now=visit.now)
        return AgendaOut(program_id=program_id, days=[AgendaDayOut.of(one) for one in days])


@router.delete("/programs/{program_id}", status_code=204, summary="Throw a draft away")
def discard_program(program_id: UUID, visit: ToPrescribe) -> None:
    with visit.writing() as (tx, caller):
        prescribing.discard(tx, caller, program_id)


@router.post("/programs/{program_id}/check", summary="What the safety rules say of it, or of a proposed revision")
def check_program(program_id: UUID, visit: ToReadClinical, said: ProposalIn | None = None) -> CheckOut:
    with visit.reading() as (tx, caller):
        proposed = said.as_draft() if said else None
        return CheckOut.of(prescribing.check(tx, caller, program_id, proposed, now=visit.now))


@router.get("/programs/{program_id}/checks", summary="The record of its safety checks, overrides with their reasons")
def list_checks(program_id: UUID, visit: ToReadClinical) -> SafetyCheckPage:
    with visit.reading() as (tx, caller):
        known = prescribing.course(tx, caller, program_id)
        found = checking.checks_of(tx, caller.clinic_id, known.program.id)
        return SafetyCheckPage(items=[SafetyCheckOut.model_validate(one) for one in found])


@router.get("/programs/{program_id}/suggestions", summary="Progressions, regressions and swaps, for you to approve")
def list_suggestions(program_id: UUID, visit: ToReadClinical) -> SuggestionPage:
    with visit.reading() as (tx, caller):
        hold, found = choosing.suggestions(tx, caller, program_id, now=visit.now)
        return SuggestionPage(hold=hold, items=[SuggestionOut.of(one) for one in found])


@router.post("/programs/{program_id}/activate", summary="Hand the program to the patient, if the safety check lets it")
def activate_program(
    program_id: UUID, visit: ToPrescribe, response: Response, said: AnswersIn | None = None
) -> ProgramOut:
    with visit.writing() as (tx, caller):
        answers = (said or AnswersIn()).as_answers()
        programs.activate(tx, caller, program_id, answers, now=visit.now)
        return _shown(prescribing.course_with_advice(tx, caller, program_id, now=visit.now), response, visit.now)


@router.get("/programs/{program_id}/revisions", summary="A program's revisions, latest first, with what each changed")
def list_revisions(
    program_id: UUID,
    visit: ToReadRecord,
    request: Request,
    response: Response,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> RevisionPage:
    before = read_cursor(cursor, _REVISION)
    with visit.reading() as (tx, caller):
        course = prescribing.course(tx, caller, program_id)
        first = course.first_seen if caller.is_patients else 1
        listed = [one for one in sorted(course.revisions, reverse=True) if one >= first]
        numbers = [one for one in listed if before is None or one < before[0]]
        place = (numbers[limit - 1],) if len(numbers) > limit else None
        return RevisionPage(
            items=[RevisionOut.of(course, course.revisions[number], {}, since=first) for number in numbers[:limit]],
            next=next_cursor(request, response, place),
        )


@router.post(
    "/programs/{program_id}/revisions",
    status_code=201,
    summary="Change the prescription from a day on, never backwards",
)
def revise_program(
    program_id: UUID, said: RevisionIn, version: ExpectedVersion, visit: ToPrescribe, response: Response
) -> ProgramOut:
    with visit.writing() as (tx, caller):
        if visit.made_before(tx, caller, said) is None:
            prescribing.revise(
                tx, caller, program_id, said.as_draft(), said.as_answers(), version=version, now=visit.now
            )
            visit.remember(tx, caller, said, program_id)
        return _shown(prescribing.course_with_advice(tx, caller, program_id, now=visit.now), response, visit.now)


@router.post("/programs/{program_id}/pauses", status_code=201, summary="Expect nothing for a while")
def pause_program(program_id: UUID, said: PauseIn, visit: ToLog) -> PauseOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            pauses = prescribing.course(tx, caller, program_id).pauses
            return next(PauseOut.of(one) for one in pauses if one.id == known)
        declared = programs.pause(
            tx, caller, program_id, from_on=said.from_on, to_on=said.to_on, reason=said.reason, now=visit.now
        )
        visit.remember(tx, caller, said, declared.id)
        return PauseOut.of(declared)


@router.post("/programs/{program_id}/pauses/{pause_id}/end", summary="End one pause today, or call it off")
def end_pause(program_id: UUID, pause_id: UUID, visit: ToLog) -> PauseOut:
    with visit.writing() as (tx, caller):
        return PauseOut.of(programs.end_pause(tx, caller, program_id, pause_id, now=visit.now))


@router.post("/programs/{program_id}/resume", summary="End the pause today")
def resume_program(program_id: UUID, visit: ToLog, response: Response) -> ProgramOut:
    with visit.writing() as (tx, caller):
        programs.resume(tx, caller, program_id, now=visit.now)
        return _shown(prescribing.course_with_advice(tx, caller, program_id, now=visit.now), response, visit.now)


@router.post("/programs/{program_id}/flares", status_code=201, summary="Switch to the plan for flare days")
def declare_flare(program_id: UUID, said: FlareDaysIn, visit: ToLog) -> FlareDaysOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            return FlareDaysOut.of(programs.flare(tx, caller, program_id, known))
        declared = programs.declare_flare(
            tx,
            caller,
            program_id,
            from_on=said.from_on,
            to_on=said.to_on,
            joints=said.joints,
            note=said.note,
            now=visit.now,
        )
        visit.remember(tx, caller, said, declared.id)
        return FlareDaysOut.of(declared)


@router.post("/programs/{program_id}/flares/{flare_id}/end", summary="The flare ends with today")
def end_flare(program_id: UUID, flare_id: UUID, visit: ToLog) -> FlareDaysOut:
    with visit.writing() as (tx, caller):
        return FlareDaysOut.of(programs.end_flare(tx, caller, program_id, flare_id, now=visit.now))


@router.get("/programs/{program_id}/reviews", summary="A program's reviews, latest first")
def list_reviews(program_id: UUID, visit: ToReadClinical) -> ReviewPage:
    with visit.reading() as (tx, caller):
        found = programs.reviews_of(tx, caller, program_id)
        return ReviewPage(items=[ReviewOut.model_validate(one) for one in found])


@router.post(
    "/programs/{program_id}/reviews", status_code=201, summary="Record a review; the next is due in four weeks"
)
def review_program(program_id: UUID, said: ReviewIn, visit: ToPrescribe) -> ReviewOut:
    with visit.writing() as (tx, caller):
        known = visit.made_before(tx, caller, said)
        if known is not None:
            found = programs.reviews_of(tx, caller, program_id)
            return next(ReviewOut.model_validate(one) for one in found if one.id == known)
        done = programs.review(
            tx, caller, program_id, note=said.note, next_review_on=said.next_review_on, now=visit.now
        )
        visit.remember(tx, caller, said, done.id)
        return ReviewOut.model_validate(done)


@router.get("/programs/{program_id}/teachings", summary="What was taught in person, latest first")
def list_teachings(program_id: UUID, visit: ToReadClinical) -> TeachingPage:
    with visit.reading() as (tx, caller):
        found = programs.teachings_of(tx, caller, program_id)
        return TeachingPage(items=[TaughtOut.model_validate(one) for one in found])


@router.post("/programs/{program_id}/teachings", status_code=201, summary="Record exercises taught and shown back")
def teach_program(program_id: UUID, said: TeachingIn, visit: ToPrescribe) -> TeachingPage:
    with visit.writing() as (tx, caller):
        first = visit.made_before(tx, caller, said)
        if first is not None:
            known = programs.teachings_of(tx, caller, program_id)
            made_at = next((one.created_at for one in known if one.id == first), None)
            return TeachingPage(items=[TaughtOut.model_validate(one) for one in known if one.created_at == made_at])
        shown = [(one.line_id, one.teach_back) for one in said.lines]
        taught = programs.teach(tx, caller, program_id, shown, taught_on=said.taught_on, now=visit.now)
        visit.remember(tx, caller, said, taught[0].id)
        return TeachingPage(items=[TaughtOut.model_validate(one) for one in taught])


@router.post(
    "/programs/{program_id}/discharge", status_code=201, summary="End the program and begin the maintenance program"
)
def discharge_patient(program_id: UUID, said: DischargeIn, visit: ToPrescribe) -> DischargeOut:
    with visit.writing() as (tx, caller):
        if visit.made_before(tx, caller, said) is None:
            with _one_level_down("/maintenance"):
                programs.discharge(
                    tx,
                    caller,
                    program_id,
                    said.maintenance.as_draft() if said.maintenance else None,
                    said.as_answers(),
                    check_in_months=said.check_in_months,
                    now=visit.now,
                )
            visit.remember(tx, caller, said, program_id)
        ended = prescribing.course(tx, caller, program_id).program
        following = programs.maintenance_after(tx, caller, program_id)
        shown = prescribing.course_with_advice(tx, caller, following, now=visit.now) if following else None
        return DischargeOut(
            ended=ProgramBrief.listed(programs.Listed(program=ended, status=ended.status)),
            maintenance=ProgramOut.of(shown[0], visit.now, advice=shown[1]) if shown else None,
        )


@router.post("/programs/{program_id}/complete", summary="A maintenance or self-directed program has run its course")
def complete_program(program_id: UUID, visit: ToPrescribe) -> ProgramBrief:
    with visit.writing() as (tx, caller):
        ended = programs.complete(tx, caller, program_id, now=visit.now)
        return ProgramBrief.listed(programs.Listed(program=ended, status=ended.status))


@router.post("/programs/{program_id}/stop", summary="The patient stops, and says why")
def stop_program(program_id: UUID, said: StopIn, visit: ToLog) -> ProgramBrief:
    with visit.writing() as (tx, caller):
        stopped = programs.stop(tx, caller, program_id, reason=said.reason, note=said.note, now=visit.now)
        return ProgramBrief.listed(programs.Listed(program=stopped, status=stopped.status))


def _shown(
    known: tuple[Course, dict[UUID, list[str]]], response: Response, now: datetime, as_of: datetime | None = None
) -> ProgramOut:
    """A program with what its patient minds with each item, and its version."""
    course, advice = known
    show_version(response, course.program.version)
    return ProgramOut.of(course, now, as_of=as_of, advice=advice)


@contextmanager
def _one_level_down(where: str) -> Iterator[None]:
    """What is wrong with the maintenance program lies one level down in what was said."""
    try:
        yield
    except Refusal as refusal:
        if refusal.field and not refusal.field.startswith(("/overrides", "/acknowledged", "/check_in_months")):
            refusal.field = f"{where}{refusal.field}"
        raise
