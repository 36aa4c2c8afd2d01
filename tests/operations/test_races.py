"""Many at once, on real connections that really commit."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from models.adherence.kinds import FlagKind, Severity
from models.database import Database
from models.operations import (
    clients,
    findings,
    handling,
    measures,
    outreach,
    patients,
    prescribing,
    programs,
    sign_ins,
    sweep,
)
from models.operations.rejects import Refused, keep_refused
from models.operations.sessions import Outcome, Result, record_sessions
from models.operations.sign_ins import Tokens
from models.refusals import Conflict, FlagClosed, InvalidClient, Refusal, SafetyBlocked, VersionMismatch, WrongStatus
from models.safety.red_flags import RED_FLAGS
from models.tables import (
    Announcement,
    Channel,
    CheckIn,
    Clinic,
    ConditionStatus,
    DoneShare,
    Flag,
    Measurement,
    Program,
    ProgramStanding,
    Reached,
    Revision,
    Role,
    SafetyCheck,
    SessionEntry,
    SessionLog,
    Token,
    TokenKind,
    WeeklyAnswer,
)
from tests.builders import (
    ALL_WARNINGS,
    DAY,
    NOON,
    a_check_in,
    a_client_draft,
    a_clinic,
    a_draft,
    a_member,
    a_patient,
    a_phone,
    a_program,
    a_report,
    screened,
)


def at_once(count: int, deed: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(deed, range(count)))


def test_sixteen_phones_saying_the_same_log_it_once(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        program_id = a_program(tx, ines, a_patient(tx, ines)).program.id
    said = a_report(program_id, chips=["fall"])

    def log(_: int) -> Result:
        with shared_database.writing() as tx:
            return record_sessions(tx, ines, [said], now=NOON)[0]

    outcomes = [result.outcome for result in at_once(16, log)]
    assert sorted(outcomes) == [Outcome.CREATED] + [Outcome.UNCHANGED] * 15
    with shared_database.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(SessionLog)) == 1
        assert tx.scalar(select(func.count()).select_from(SessionEntry)) == 1
        assert tx.scalar(select(func.count()).select_from(Flag).where(Flag.kind == FlagKind.FALL)) == 1


def test_eight_presenting_the_same_assertion_get_one_token(shared_database: Database) -> None:
    key, here = ec.generate_private_key(ec.SECP256R1()), "https://here.example/v1/auth/token"
    with shared_database.writing() as tx:
        public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        known = clients.create_client(tx, a_clinic(tx), a_client_draft(keys=[public]), now=NOON).client
    name = clients.public_id(known.clinic_id, known.id)
    claims = {"iss": name, "sub": name, "aud": here, "exp": int(NOON.timestamp()) + 60, "jti": "1"}
    assertion = jwt.encode(claims, key, algorithm="ES256")

    def ask(_: int) -> clients.ClientToken | Refusal:
        with shared_database.writing() as tx:
            return clients.sign_in(tx, assertion, None, None, audience=here, address="", now=NOON)

    outcomes = at_once(8, ask)
    assert [isinstance(one, clients.ClientToken) for one in outcomes].count(True) == 1
    assert [isinstance(one, InvalidClient) for one in outcomes].count(True) == 7


def test_eight_first_logs_of_a_day_are_eight_sessions(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        program_id = a_program(tx, ines, a_patient(tx, ines)).program.id
    reports = [a_report(program_id, pain_during=number) for number in range(6)]
    reports += [replace(a_report(program_id), note="evening"), a_report(program_id)]

    def log(number: int) -> Result:
        with shared_database.writing() as tx:
            return record_sessions(tx, ines, [reports[number]], now=NOON)[0]

    assert {result.outcome for result in at_once(8, log)} == {Outcome.CREATED}
    with shared_database.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(SessionLog)) == 8
        assert tx.scalars(select(ProgramStanding.last_day)).one() == NOON.date()
        open_silence = select(func.count()).select_from(Flag).where(Flag.kind == FlagKind.SILENCE)
        assert tx.scalar(open_silence.where(Flag.closed_at.is_(None))) == 1


def test_eight_phones_answering_one_check_in_answer_it_once(shared_database: Database) -> None:
    """The same answers, and others: one row, one set of scores, and the flags of all that was said."""
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        ann = a_patient(tx, ines)
        asked = a_check_in(tx, a_program(tx, ines, ann).program).id

    def answer(number: int) -> Outcome:
        chips = [f"RF-0{number // 2 + 5}"]
        said = measures.Answers(pain=number // 2, confidence=5, chips=chips, recurrence=True)
        while True:
            try:
                with shared_database.writing() as tx:
                    return measures.answer_check_in(
                        tx, ines, ann.id, asked, said, base_version=known.get(number), now=NOON
                    ).outcome
            except Conflict as refusal:
                known[number] = refusal.more["version"]  # looked at, and said again

    known: dict[int, int] = {}
    outcomes = at_once(8, answer)
    assert outcomes.count(Outcome.CREATED) == 1
    with shared_database.reading() as tx:
        kept = tx.scalars(select(CheckIn)).one()
        assert kept.version == 1 + outcomes.count(Outcome.UPDATED)
        assert kept.answers is not None
        scores = {row.code: row.score for row in tx.scalars(select(Measurement))}
        assert scores == {"pain": kept.answers["pain"], "confidence": 5}
        assert tx.scalar(select(func.count()).select_from(Measurement)) == 2
        flag = tx.scalars(select(Flag).where(Flag.kind == FlagKind.RED_FLAG)).one()
        assert {words for told in flag.evidence["answers"] for words in told["said"]} == {
            RED_FLAGS[f"RF-0{number}"].question for number in (5, 6, 7, 8)
        }
        assert tx.scalar(select(func.count()).select_from(Flag).where(Flag.kind == FlagKind.RECURRENCE)) == 1


def test_eight_phones_answering_one_week_answer_it_once(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        ann = a_patient(tx, ines)

    def answer(number: int) -> Outcome:
        said = measures.Answers(pain=number % 2)
        try:
            with shared_database.writing() as tx:
                return measures.answer_week(tx, ines, ann.id, NOON.date(), said, now=NOON).outcome
        except Conflict:
            return Outcome.CONFLICT

    outcomes = at_once(8, answer)
    assert {one: outcomes.count(one) for one in set(outcomes)} == {
        Outcome.CREATED: 1,
        Outcome.UNCHANGED: 3,
        Outcome.CONFLICT: 4,
    }
    with shared_database.reading() as tx:
        week = tx.scalars(select(WeeklyAnswer)).one()
        assert week.version == 1
        assert tx.scalars(select(Measurement.score)).all() == [week.answers["pain"]]


def test_no_red_flag_is_lost_among_others(shared_database: Database) -> None:
    """Two programs of one patient, screenings and refused logs, all at once: one flag, every answer in it."""
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        ann = a_patient(tx, ines)
        both = [a_program(tx, ines, ann).program.id for _ in range(2)]
    chips = ["RF-01", "RF-02", "RF-05", "RF-06", "RF-08", "RF-10", "RF-11", "RF-12", "RF-13"]

    def tell(number: int) -> None:
        with shared_database.writing() as tx:
            if number % 3 == 0:
                patients.record_screening(tx, ines, ann.id, {chips[number]: True}, None, now=NOON)
            elif number % 3 == 1:
                record_sessions(tx, ines, [a_report(both[number % 2], chips=[chips[number]])], now=NOON)
            else:
                said = {"program_id": str(both[0]), "chips": [chips[number]]}
                refused = Refused(session_id=uuid4(), raw=f"{number}", said=said, code="invalid")
                keep_refused(tx, ines, [refused], now=NOON)

    at_once(len(chips), tell)
    with shared_database.reading() as tx:
        flag = tx.scalars(select(Flag).where(Flag.kind == FlagKind.RED_FLAG)).one()
    assert {words for answer in flag.evidence["answers"] for words in answer["said"]} == {
        RED_FLAGS[chip].question for chip in chips
    }
    assert flag.severity == Severity.EMERGENCY


def test_the_sweep_and_a_log_at_once_announce_once(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        programs = [a_program(tx, ines, a_patient(tx, ines)).program.id for _ in range(8)]

    def meet(number: int) -> None:
        with shared_database.writing() as tx:
            if number % 2:
                sweep.announce_due(tx, ines.clinic_id, now=NOON + 10 * DAY)
            else:
                said = a_report(programs[number // 2], done=DoneShare.NONE, reason="ill")
                record_sessions(tx, ines, [said], now=NOON + 10 * DAY)

    at_once(16, meet)
    meet(1)
    with shared_database.reading() as tx:
        told = [row.payload["flag_id"] for row in tx.scalars(select(Announcement))]
        open_flags = tx.scalars(select(Flag.id).where(Flag.closed_at.is_(None), Flag.opens_at <= NOON + 10 * DAY))
        assert {str(flag) for flag in open_flags} <= set(told)
    assert len(told) == len(set(told))


def test_a_refresh_sent_eight_times_has_one_successor(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        tokens = a_phone(tx, ines, a_patient(tx, ines))

    def refresh(_: int) -> object:
        with shared_database.writing() as tx:
            return sign_ins.refresh(tx, tokens.refresh, NOON)

    fresh = at_once(8, refresh)
    assert len({one.refresh for one in fresh if isinstance(one, Tokens)}) == 1
    assert all(isinstance(one, Tokens) for one in fresh)
    with shared_database.reading() as tx:
        kept = select(func.count()).select_from(Token).where(Token.kind == TokenKind.REFRESH)
        assert tx.scalar(kept) == 2


def test_four_sweepers_announce_each_opening_once(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        for _ in range(12):
            a_program(tx, ines, a_patient(tx, ines))

    def announce(_: int) -> int:
        with shared_database.writing() as tx:
            return sweep.announce_due(tx, ines.clinic_id, now=NOON + 10 * DAY)

    assert sum(at_once(4, announce)) == 12
    with shared_database.reading() as tx:
        told = [row.payload["flag_id"] for row in tx.scalars(select(Announcement))]
    assert len(told) == len(set(told)) == 12


def test_a_reading_transaction_cannot_write(shared_database: Database) -> None:
    clinic = Clinic(id=uuid4(), name="x", time_zone="UTC", locale="en", cursor_key=b"", created_at=NOON)
    with shared_database.reading() as tx:
        tx.add(clinic)
        with pytest.raises(DBAPIError):
            tx.flush()
        tx.rollback()


def turn(database: Database, deed: Callable[[Any], Any]) -> Any:
    """One deed in a transaction of its own; a refusal is its answer."""
    try:
        with database.writing() as tx:
            return deed(tx)
    except Refusal as refused:
        return refused


def test_a_program_is_handed_over_once(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        ann = a_patient(tx, ines)
        screened(tx, ines, ann.id)
        draft = prescribing.create_program(tx, ines, ann.id, a_draft(), now=NOON).id
    answers = at_once(
        8,
        lambda _: turn(shared_database, lambda tx: programs.activate(tx, ines, draft, ALL_WARNINGS, now=NOON)),
    )
    assert sum(isinstance(answer, WrongStatus) for answer in answers) == 7
    with shared_database.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(SafetyCheck)) == 1


def test_of_two_revisions_at_once_the_second_is_told(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        program_id = a_program(tx, ines, a_patient(tx, ines)).program.id
    (phase,) = a_draft().phases
    (item,) = phase.items

    def revise(number: int) -> Any:
        changed = replace(item, dosage=replace(item.dosage, sets=number % 2 + 1))
        said = prescribing.RevisionDraft(phases=[replace(phase, items=[changed])])
        return turn(
            shared_database,
            lambda tx: prescribing.revise(tx, ines, program_id, said, ALL_WARNINGS, version=2, now=NOON),
        )

    answers = at_once(8, revise)
    assert sum(isinstance(answer, VersionMismatch) for answer in answers) == 7
    with shared_database.reading() as tx:
        assert tx.scalars(select(Revision.number).order_by(Revision.number)).all() == [1, 2]


def test_a_condition_recorded_as_a_program_is_handed_over_is_seen_by_one_of_the_two(shared_database: Database) -> None:
    """Either the check knows of it, or the worklist does."""
    for _ in range(6):
        with shared_database.writing() as tx:
            ines = a_clinic(tx)
            ann = a_patient(tx, ines)
            screened(tx, ines, ann.id)
            (phase,) = a_draft().phases
            curl_up = replace(phase.items[0], exercise="modified-curl-up", side=None)
            said = a_draft(phases=[replace(phase, items=[curl_up])])
            draft = prescribing.create_program(tx, ines, ann.id, said, now=NOON).id
        brittle = findings.ConditionDraft(code="osteoporosis", status=ConditionStatus.CONFIRMED)
        deeds = [
            lambda tx: programs.activate(tx, ines, draft, ALL_WARNINGS, now=NOON),  # noqa: B023  (called at once)
            lambda tx: findings.record_condition(tx, ines, ann.id, brittle, now=NOON),  # noqa: B023  (called at once)
        ]
        answers = at_once(2, lambda number: turn(shared_database, deeds[number]))  # noqa: B023  (called at once)
        with shared_database.reading() as tx:
            flagged = tx.scalar(
                select(func.count()).select_from(Flag).where(Flag.kind == FlagKind.ENDANGERED, Flag.about_id == draft)
            )
            status = tx.scalars(select(Program.status).where(Program.id == draft)).one()
        assert (status, flagged) == (("draft", 0) if isinstance(answers[0], SafetyBlocked) else ("active", 1))


def test_of_eight_therapists_who_close_a_flag_at_once_one_does(shared_database: Database) -> None:
    """And who takes it on, logs for the patient or calls at the same moment undoes none of it."""
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        team = [a_member(tx, ines.clinic_id, Role.THERAPIST) for _ in range(8)]
        course = a_program(tx, ines, a_patient(tx, ines))
        program_id, patient_id = course.program.id, course.program.patient_id
        said = a_report(program_id, done=DoneShare.NONE, reason="ill")
        record_sessions(tx, ines, [said], now=NOON)
    with shared_database.reading() as tx:
        barrier = tx.scalars(select(Flag).where(Flag.kind == FlagKind.BARRIER)).one()
    draft = outreach.OutreachDraft(channel=Channel.PHONE, outcome=Reached.NO_ANSWER, flag_id=barrier.id)

    def meet(number: int) -> Any:
        mine, because = team[number // 4 % 8], handling.Handled.HANDLED
        deeds: list[Callable[[Any], Any]] = [
            lambda tx: handling.close(tx, mine, barrier.id, because, None, version=barrier.version, now=NOON),
            lambda tx: handling.acknowledge(tx, mine, barrier.id, now=NOON),
            lambda tx: record_sessions(tx, ines, [a_report(program_id, pain_during=number % 5)], now=NOON),
            lambda tx: outreach.reach_out(tx, mine, patient_id, draft, now=NOON),
        ]
        return turn(shared_database, deeds[number % 4])

    answers = at_once(32, meet)
    closings = answers[::4]
    assert {type(one) for one in closings} <= {Flag, FlagClosed, VersionMismatch}
    with shared_database.writing() as tx:
        flag = tx.get_one(Flag, {"clinic_id": ines.clinic_id, "id": barrier.id})
        assert sum(isinstance(one, Flag) for one in closings) == (flag.closed_at is not None)
        events = [deed["event"] for deed in flag.deeds]
        assert events.count("closed") == (flag.closed_at is not None)
        assert events.count("acknowledged") <= 1
        assert flag.version == 1 + len(events)
        assert sweep.misjudged(tx, ines.clinic_id, [program_id]) == []
        tx.rollback()


def test_of_eight_who_take_a_flag_on_at_once_the_first_stays(shared_database: Database) -> None:
    with shared_database.writing() as tx:
        ines = a_clinic(tx)
        team = [a_member(tx, ines.clinic_id, Role.THERAPIST) for _ in range(8)]
        program_id = a_program(tx, ines, a_patient(tx, ines)).program.id
        record_sessions(tx, ines, [a_report(program_id, chips=["fall"])], now=NOON)
    with shared_database.reading() as tx:
        fall = tx.scalars(select(Flag.id).where(Flag.kind == FlagKind.FALL)).one()

    def take(number: int) -> Any:
        return turn(shared_database, lambda tx: handling.acknowledge(tx, team[number], fall, now=NOON).acknowledged_by)

    assert len(set(at_once(8, take))) == 1
    with shared_database.reading() as tx:
        assert len(tx.scalars(select(Flag.deeds).where(Flag.id == fall)).one()) == 1
