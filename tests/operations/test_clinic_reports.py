"""What a clinic is told of its flags, exercises, stops and data: a clinic of a few patients on paper, every number of
every table beside it, counted by hand. Then the same clinic with the usual minimum, which shows next to nothing.

**Flags.** Five weekdays a week from Monday 3 March; everybody but Zoe does the first week and then falls silent. A
silence after five of five opens seven missed sessions later, on Tuesday 18 March at 00:00, and rises on the 22nd.
Today is Wednesday 2 April, the report is of 17 March to 1 April.

| who | what happened                                                     | fate of the last | attempt     | back     |
|-----|-------------------------------------------------------------------|------------------|-------------|----------|
| Ann | exercises on 20 March                                             | returned         |             |          |
| Ben | called on 18 March 18:00, exercises on the 19th                   | returned         | 18 h        | yes      |
| Cat | her session of 17 March arrives on the 20th                       | late data        |             |          |
| Dan | called on the 17th (written down on the 18th), paused on the 19th | settled          | 0 h, before | no       |
| Eve | called on the 21st 12:00, closed by hand on the 22nd 13:00        | handled          | 84 h        | too soon |
| Flo | closed as no problem on the 22nd                                  | dismissed        |             |          |
| Gus | called on the 18th 12:00 and the 20th                             | open             | 12 h        | no       |
| Hal | closed by hand on the 21st; it rises on the 22nd and opens anew   | open, his second |             |          |
| Ivy | stops on the 21st: no time                                        | ended            |             |          |

Beside the silences: Ann and Ben are told as returned, on 20 and 19 March, for 14 days: Ben's has just faded, which
counts as settled. With Cat's late session 6 of 11 expected days are known, low adherence, open; Ivy's withdrawal is.

**Exercises.** 3 to 9 March. B is the bird dog, G the glute bridge, C the cat-camel.

| who | program | sessions                                                                                        |
|-----|---------|-------------------------------------------------------------------------------------------------|
| Ann | B G     | Mon all; Tue B pain 3, no G (boring); Wed, after a revision, B pain 5, no G (no time)           |
| Ben | B G     | Mon B pain 1 not sure, no G (boring)                                                            |
| Cat | B G C   | Tue B, G, C pain 0 not sure; Wed nothing (ill); Thu all, taken back; Mon 10 March all, too late |

**Stops.** 1 March to 31 May, today 2 June; programs begin on Monday 3 March.

| who | what happened                                                            | how       | reason      | weeks |
|-----|--------------------------------------------------------------------------|-----------|-------------|-------|
| Ann | stops on 20 March: feels better                                          | improved  |             | 2     |
| Ben | stops on 31 March: no time                                               | withdrawn | no time     | 4     |
| Cat | the first week, then nothing but “ill”, taken back                       | silent    | none given  | 0     |
| Dan | the first week; on 12 March: feels better                                | improved  |             | 0     |
| Eve | the first week; on the 10th: boring, on the 11th: no time                | silent    | no time     | 0     |
| Flo | discharged on 26 May, the 84th day after                                 |           |             | 12    |
| Gus | a program of his own since 2 September, completed on 3 March, 182 days   |           |             | 26    |
| Hal | the first week, and again on 30 May: going on                            | not in it |             |       |
| Ivy | stops on 2 June                                                          | not in it |             |       |

**Data.** 3 to 12 March, today Thursday 13 March; the whole week is 3 to 9 March.

| who | sessions                                                                     | phone last in touch          |
|-----|------------------------------------------------------------------------------|------------------------------|
| Ann | Mon to Fri                                                                   | two: 12 March, never         |
| Ben | Mon after 3 days, Tue amended, 11 March                                      | never                        |
| Cat | Mon after 9 days (late, and dated back), Tue taken back                      | none                         |
| Dan | none                                                                         | 5 March                      |
| Eve | none                                                                         | one, shut out                |
| Flo | no program                                                                   | 12 March, in no row          |

Ann's phone sent an item of an unknown program, which has landed since, and one that is invalid; Ben's an invalid one.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from models.adherence.kinds import FlagKind
from models.operations import devices, prescribing, programs
from models.operations.callers import Caller
from models.operations.courses import Course
from models.operations.handling import Handled, close
from models.operations.outreach import OutreachDraft, reach_out
from models.operations.rejects import Refused, keep_refused
from models.operations.reporting.basis import SMALLEST_CELL, Period, period_of
from models.operations.reporting.data_quality import data_quality_report
from models.operations.reporting.exercises import exercises_report
from models.operations.reporting.flags import flags_report
from models.operations.reporting.stops import stops_report
from models.operations.sessions import Deletion, EntryReport, SessionReport, record_sessions
from models.reports.tables import WITHHELD, Report, Value
from models.tables import Channel, Clinic, DoneShare, Flag, Patient, PauseReason, ProgramType, Reached, SessionLog
from tests.architecture.statements import at_most
from tests.builders import (
    ALL_WARNINGS,
    DAY,
    MONDAY,
    NOON,
    a_clinic,
    a_dosage,
    a_draft,
    a_patient,
    a_program,
    a_report,
    as_patient,
    at,
    discharged,
    log_days,
    screened,
    weeks,
)

Rows = list[list[Value]]
REPORTS: dict[str, Callable[..., Report]] = {
    "flags": flags_report,
    "exercises": exercises_report,
    "stops": stops_report,
    "data-quality": data_quality_report,
}


class Ward:
    """A clinic, its therapist, and its patients by name."""

    def __init__(self, tx: Session, least: int | None = 0) -> None:
        self.tx, self.ines = tx, a_clinic(tx)
        if least is not None:
            tx.get_one(Clinic, self.ines.clinic_id).settings = {SMALLEST_CELL: least}
        self.patients: dict[str, Patient] = {}
        self.courses: dict[str, Course] = {}

    def admits(self, name: str, draft: prescribing.ProgramDraft | None = None) -> Course:
        self.patients[name] = a_patient(self.tx, self.ines, given_name=name)
        self.courses[name] = a_program(self.tx, self.ines, self.patients[name], draft)
        return self.courses[name]

    def id(self, name: str) -> UUID:
        return self.courses[name].program.id

    def does(self, name: str, days: Iterable[date], late: timedelta = timedelta()) -> None:
        log_days(self.tx, self.ines, self.id(name), list(days), late=late)

    def says(self, report: SessionReport | Deletion, now: datetime) -> None:
        (result,) = record_sessions(self.tx, self.ines, [report], now=now)
        assert result.refusal is None, result.refusal

    def silence(self, name: str) -> Flag:
        self.tx.flush()
        theirs = (Flag.patient_id == self.patients[name].id, Flag.kind == FlagKind.SILENCE, Flag.closed_at.is_(None))
        return self.tx.scalars(select(Flag).where(*theirs).execution_options(populate_existing=True)).one()

    def tries(self, name: str, told: datetime, now: datetime | None = None) -> None:
        """Somebody tries to reach a patient about their silence, and writes it down by `now`."""
        draft = OutreachDraft(channel=Channel.PHONE, outcome=Reached.NO_ANSWER, at=told, flag_id=self.silence(name).id)
        reach_out(self.tx, self.ines, self.patients[name].id, draft, now=now or told)

    def closes(self, name: str, because: Handled, now: datetime) -> None:
        flag = self.silence(name)
        close(self.tx, self.ines, flag.id, because, None, version=flag.version, now=now)

    def report(self, kind: str, from_on: str, to_on: str, today: str) -> Report:
        return report_of(self.tx, self.ines, kind, period(self.tx, self.ines, from_on, to_on, today), at(today))


def period(tx: Session, caller: Caller, from_on: str, to_on: str, today: str) -> Period:
    tx.flush()
    return period_of(tx, caller, at(from_on).date(), at(to_on).date(), now=at(today))


def report_of(tx: Session, caller: Caller, kind: str, of: Period, now: datetime) -> Report:
    """A report within three statements, that of late items among them."""
    with at_most(3):
        return REPORTS[kind](tx, caller, of, now=now)


def rows(report: Report, name: str) -> Rows:
    """A table's values in the order of its columns."""
    (table,) = [table for table in report.tables if table.name == name]
    assert table.columns[-1] is WITHHELD
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert all(list(row) == names for row in table.rows)
    return [[row[column] for column in names] for row in table.rows]


def flagged(tx: Session, least: int | None = 0) -> Ward:
    """The first story."""
    ward = Ward(tx, least)
    for name in ("Ann", "Ben", "Cat", "Dan", "Eve", "Flo", "Gus", "Hal", "Ivy"):
        ward.admits(name)
        ward.does(name, weeks(1))
    ward.tries("Gus", at("03-18"))
    ward.tries("Dan", at("03-17"), now=at("03-18"))
    ward.tries("Ben", at("03-18", 18))
    ward.does("Ben", [date(2025, 3, 19)])
    holiday = {"from_on": date(2025, 3, 10), "to_on": date(2025, 3, 30), "reason": PauseReason.HOLIDAY}
    programs.pause(tx, ward.ines, ward.id("Dan"), **holiday, now=at("03-19"))  # type: ignore[arg-type]
    ward.tries("Gus", at("03-20"))
    ward.does("Ann", [date(2025, 3, 20)])
    ward.does("Cat", [date(2025, 3, 17)], late=3 * DAY)
    ward.tries("Eve", at("03-21"))
    ward.closes("Hal", Handled.HANDLED, at("03-21"))
    programs.stop(tx, ward.ines, ward.id("Ivy"), reason="no_time", now=at("03-21"))
    ward.closes("Eve", Handled.REACHED_AGREED, at("03-22", 13))
    ward.closes("Flo", Handled.NOT_A_PROBLEM, at("03-22", 13))
    return ward


FLAGS = ("flags", "03-17", "04-01", "04-02")


def test_the_flags_of_a_period_by_what_became_of_them(tx: Session) -> None:
    report = flagged(tx).report(*FLAGS)
    none = [None] * 8
    assert rows(report, "flags") == [
        # raised, patients; returned, ended, late data, settled, handled, dismissed, open
        ["silence", 10, 9, 2, 1, 1, 1, 1, 1, 2, None],
        ["returned", 2, 2, 0, 0, 0, 1, 0, 0, 1, None],
        ["low_adherence", 1, 1, 0, 0, 0, 0, 0, 0, 1, None],
        ["withdrawn", 1, 1, 0, 0, 0, 0, 0, 0, 1, None],
        ["total", 14, 13, *none],
    ]
    # Really gone: Ann and Ben, Ivy, Eve. Not: Cat, Dan, Flo. Not known: Gus, Hal.
    assert rows(report, "silence_precision") == [["silence", 9, 4, 3, 2, 4 / 7, None]]
    # 0, 12, 18 and 84 hours: half of them within 15.
    assert rows(report, "contact") == [
        ["silence", 9, 4, 5, 4 / 9, 15.0, None],
        ["returned", 2, 0, 2, 0.0, None, None],
        ["low_adherence", 1, 0, 1, 0.0, None, None],
        ["withdrawn", 1, 0, 1, 0.0, None, None],
    ]
    # Ben; Dan and Gus, whose 14 days are over; Eve has until 4 April.
    assert rows(report, "returns") == [["silence", 4, 1, 2, 1, 1 / 3, None]]


def test_few_flags_are_withheld(tx: Session) -> None:
    """Of nine silences seven parts of one or two each; and the silences themselves, or the others were 4."""
    report = flagged(tx, least=None).report(*FLAGS)
    fates = ["returned", "ended", "late_data", "settled", "handled", "dismissed", "open"]
    assert rows(report, "flags") == [
        ["low_adherence", None, None, 0, 0, 0, 0, 0, 0, None, "raised patients open"],
        ["returned", None, None, 0, 0, 0, None, 0, 0, None, "raised patients settled open"],
        ["silence", *[None] * 9, " ".join(["raised patients", *fates])],
        ["withdrawn", None, None, 0, 0, 0, 0, 0, 0, None, "raised patients open"],
        ["total", 14, 13, *[None] * 8],
    ]
    assert rows(report, "silence_precision") == [["silence", *[None] * 5, "patients true false unknown precision"]]
    assert rows(report, "contact")[2] == [
        "silence",
        *[None] * 5,
        "patients contacted not_contacted share_contacted median_hours",
    ]
    assert rows(report, "returns") == [
        ["silence", *[None] * 5, "contacted returned not_returned too_early share_returned"]
    ]


def test_a_promise_that_was_never_needed_and_one_that_lies_ahead_were_not_raised(tx: Session) -> None:
    ward = Ward(tx)
    ward.admits("Zoe")
    ward.does("Zoe", weeks(1))  # not started, promised for 8 March; silent, promised for 18 March
    assert rows(ward.report("flags", "03-03", "03-31", "03-17"), "flags") == [["total", 0, 0, *[None] * 8]]


def test_an_attempt_before_the_flag_opened_took_no_hours(tx: Session) -> None:
    ward = Ward(tx)
    ward.admits("Dan")
    ward.does("Dan", weeks(1))
    ward.tries("Dan", at("03-17"), now=at("03-18"))
    assert rows(ward.report(*FLAGS), "contact") == [["silence", 1, 1, 0, 1.0, 0.0, None]]


def exercised(tx: Session, least: int | None = 0) -> Ward:
    """The second story."""
    ward = Ward(tx, least)
    two = a_draft(a_dosage(), a_dosage())
    for name, draft in (("Ann", two), ("Ben", two), ("Cat", a_draft(a_dosage(), a_dosage(), a_dosage()))):
        ward.admits(name, draft)
    monday, tuesday, wednesday, thursday, *_ = weeks(1)

    def does(name: str, day: date, *entries: dict[str, object]) -> None:
        lines = ward.courses[name].items
        told = [EntryReport(line_id=line.line_id, **said) for line, said in zip(lines, entries, strict=False)]  # type: ignore[arg-type]
        done = DoneShare.NONE if all(entry.skipped for entry in told) else DoneShare.SOME
        ward.says(a_report(ward.id(name), day, done=done, entries=told), at(day))

    ward.does("Ann", [monday])
    does("Ann", tuesday, {"pain": 3}, {"skipped": True, "reason": "boring"})
    _changes(ward, "Ann", at(wednesday, 6))
    does("Ann", wednesday, {"pain": 5}, {"skipped": True, "reason": "no_time"})
    does("Ben", monday, {"pain": 1, "not_sure": True}, {"skipped": True, "reason": "boring"})
    does("Cat", tuesday, {}, {}, {"pain": 0, "not_sure": True})
    does("Cat", wednesday, {"skipped": True, "reason": "ill"})
    taken_back = a_report(ward.id("Cat"), thursday)
    ward.says(taken_back, at(thursday))
    ward.says(Deletion(id=taken_back.id, base_version=1, program_id=ward.id("Cat")), at(thursday, 13))
    ward.does("Cat", [MONDAY + 7 * DAY])
    return ward


def _changes(ward: Ward, name: str, now: datetime) -> None:
    """A revision with other dosages for the same lines: an exercise is in the record twice, and counts once."""
    course = prescribing.course(ward.tx, ward.ines, ward.id(name))
    (phase,) = a_draft(a_dosage(reps=8), a_dosage(reps=8)).phases
    items = [replace(item, line_id=line.line_id) for item, line in zip(phase.items, course.items, strict=True)]
    screened(ward.tx, ward.ines, ward.patients[name].id, now=now)
    draft = prescribing.RevisionDraft(phases=[replace(phase, items=items)])
    version = course.program.version
    prescribing.revise(ward.tx, ward.ines, course.program.id, draft, ALL_WARNINGS, version=version, now=now)


EXERCISES = ("exercises", "03-03", "03-09", "03-12")


def test_how_each_exercise_went(tx: Session) -> None:
    report = exercised(tx).report(*EXERCISES)
    bird, bridge, camel = ["bird-dog", "Bird dog"], ["glute-bridge", "Glute bridge"], ["cat-camel", "Cat and camel"]
    assert rows(report, "exercises") == [
        # patients, done; skipped, by whom, share, why; not sure, who, share; pain told, by whom, mean, worst
        [*bird, 3, 5, 0, 0, 0.0, None, 1, 1, 1 / 3, 3, 2, 3.0, 5, None],
        [*camel, 1, 1, 0, 0, 0.0, None, 1, 1, 1.0, 1, 1, 0.0, 0, None],
        [*bridge, 3, 2, 3, 2, 0.6, "boring", 0, 0, 0.0, 0, 0, None, None, None],
    ]
    assert rows(report, "most_skipped") == [[*bridge, 3, 2, 3, 2, 0.6, "boring", None]]
    assert rows(report, "most_painful") == [[*bird, 3, 3, 2, 3.0, 5, None]]
    assert rows(report, "most_unsure") == [[*camel, 1, 1, 1, 1.0, None], [*bird, 3, 1, 1, 1 / 3, None]]


def test_sessions_that_were_taken_back_are_in_no_number(tx: Session) -> None:
    ward = exercised(tx)
    tx.execute(update(SessionLog).where(SessionLog.clinic_id == ward.ines.clinic_id).values(deleted_at=NOON))
    assert {row[3] for row in rows(ward.report(*EXERCISES), "exercises")} <= {0}


def test_exercises_of_few_patients_are_summed_up_and_their_sum_withheld(tx: Session) -> None:
    """Three patients in all: three exercises of fewer than five, 8 times done, and nothing is shown of it."""
    report = exercised(tx, least=None).report(*EXERCISES)
    few = ["3 of fewer than 5 patients each", None]
    told = "patients done skipped patients_skipped share_skipped not_sure patients_not_sure share_not_sure"
    pain = "pain_told patients_pain mean_pain worst_pain"
    assert rows(report, "exercises") == [[*few, *[None] * 13, f"{told} {pain}"]]
    unsure = "patients not_sure patients_not_sure share_not_sure"
    assert rows(report, "most_unsure") == [[*few, *[None] * 4, unsure]]


def test_what_only_one_of_three_did_is_withheld_beside_what_all_did(tx: Session) -> None:
    """With a minimum of three: the bird dog is shown, but not of whom it hurt; the cat-camel is summed up alone."""
    report = exercised(tx, least=3).report(*EXERCISES)
    pain = "pain_told patients_pain mean_pain worst_pain"
    few = ["1 of fewer than 3 patients each", None, None, None, 0, 0, 0.0, None]
    assert rows(report, "exercises") == [
        ["bird-dog", "Bird dog", 3, 5, 0, 0, 0.0, *[None] * 8, f"not_sure patients_not_sure share_not_sure {pain}"],
        [
            *("glute-bridge", "Glute bridge", 3, 2, None, None, None, None, 0, 0, 0.0, 0, 0, None, None),
            "skipped patients_skipped share_skipped reason",
        ],
        [*few, *[None] * 7, f"patients done not_sure patients_not_sure share_not_sure {pain}"],
    ]
    assert [row[0] for row in rows(report, "most_skipped")] == ["1 of fewer than 3 patients each"]


def test_a_reason_of_too_few_is_withheld_where_those_who_skipped_are_not(tx: Session) -> None:
    """Of three who skipped, two were bored: that they were three may be told, and nothing of why."""
    ward = Ward(tx, least=3)
    for name, reason in (("Ann", "boring"), ("Ben", "boring"), ("Cat", "no_time")):
        bird, bridge = ward.admits(name, a_draft(a_dosage(), a_dosage())).items
        entries = [
            EntryReport(line_id=bird.line_id),
            EntryReport(line_id=bridge.line_id, skipped=True, reason=reason),
        ]
        ward.says(a_report(ward.id(name), done=DoneShare.SOME, entries=entries), NOON)
    skipped = rows(ward.report(*EXERCISES), "most_skipped")
    assert skipped == [["glute-bridge", "Glute bridge", 3, 0, 3, 3, 1.0, None, "reason"]]


def stopped(tx: Session, least: int | None = 0) -> Ward:
    """The third story."""
    ward = Ward(tx, least)
    for name in ("Ann", "Ben", "Cat", "Dan", "Eve", "Flo", "Hal", "Ivy"):
        ward.admits(name)
    for name in ("Cat", "Dan", "Eve", "Hal"):
        ward.does(name, weeks(1))
    for name, day, reason in (("Dan", "03-12", "feel_better"), ("Eve", "03-10", "boring"), ("Eve", "03-11", "no_time")):
        said = a_report(ward.id(name), at(day).date(), done=DoneShare.NONE, reason=reason)
        ward.says(said, at(day))
    unsaid = a_report(ward.id("Cat"), date(2025, 3, 12), done=DoneShare.NONE, reason="ill")
    ward.says(unsaid, at("03-12"))
    ward.says(Deletion(id=unsaid.id, base_version=1, program_id=ward.id("Cat")), at("03-12", 13))
    own = a_draft(starts_on=date(2024, 9, 2), type=ProgramType.SELF_DIRECTED)
    programs.complete(tx, ward.ines, ward.admits("Gus", own).program.id, now=NOON)
    programs.stop(tx, ward.ines, ward.id("Ann"), reason="feel_better", now=at("03-20"))
    programs.stop(tx, ward.ines, ward.id("Ben"), reason="no_time", now=at("03-31"))
    discharged(tx, ward.ines, ward.id("Flo"), a_draft(starts_on=date(2025, 5, 26)), now=at("05-26"))
    ward.does("Hal", [date(2025, 5, 30)])
    programs.stop(tx, ward.ines, ward.id("Ivy"), reason="ill", now=at("06-02", 9))
    return ward


STOPS = ("stops", "03-01", "05-31", "06-02")


def test_how_programs_ended(tx: Session) -> None:
    report = stopped(tx).report(*STOPS)
    assert rows(report, "ends") == [
        ["improved_and_stopped", 2, None],
        ["withdrawn", 1, None],
        ["went_silent", 2, None],
        ["completed", 1, None],
        ["discharged", 1, None],
        ["total", 7, None],
    ]
    assert rows(report, "improved") == [["withdrawn", 1, None], ["went_silent", 1, None]]
    assert rows(report, "reasons") == [["no_time", 1, 1, None], ["none_given", 0, 1, None]]
    assert rows(report, "weeks") == [
        # under 4, 4 to 11, 12 to 25, 26 and more
        ["improved_and_stopped", 2, 0, 0, 0, None],
        ["withdrawn", 0, 1, 0, 0, None],
        ["went_silent", 2, 0, 0, 0, None],
        ["completed", 0, 0, 0, 1, None],
        ["discharged", 0, 0, 1, 0, None],
    ]


def test_few_stops_are_withheld(tx: Session) -> None:
    """Two, one, two, one and one: the least that they can be, so the total would tell them all."""
    report = stopped(tx, least=None).report(*STOPS)
    assert {tuple(row[1:]) for row in rows(report, "ends")} == {(None, "count")}
    assert rows(report, "improved") == [["withdrawn", None, "count"], ["went_silent", None, "count"]]
    assert rows(report, "reasons") == [
        ["no_time", None, None, "withdrawn went_silent"],
        ["none_given", 0, None, "went_silent"],
    ]
    assert rows(report, "weeks")[:2] == [
        ["improved_and_stopped", None, 0, 0, 0, "under_4"],
        ["withdrawn", 0, None, 0, 0, "4_to_11"],
    ]


def test_a_silence_is_no_stop_before_it_has_gone_on_long_enough(tx: Session) -> None:
    """As it stood when the period ended, whether the program has been written to since or not."""
    ward = Ward(tx)
    ward.admits("Cat")
    ward.does("Cat", weeks(1))

    def silent(to_on: str) -> Value:
        report = ward.report("stops", "03-01", to_on, "06-02")
        return {row[0]: row[1] for row in rows(report, "ends")}["went_silent"]

    # The flag rises, lapsed to stopped, as 22 March begins.
    assert [silent("03-20"), silent("03-21")] == [0, 1]
    programs.review(tx, ward.ines, ward.id("Cat"), note=None, next_review_on=None, now=at("06-02"))
    assert [silent("03-20"), silent("03-22")] == [0, 1]


def logged(tx: Session, least: int | None = 0) -> Ward:
    """The fourth story."""
    ward = Ward(tx, least)
    for name in ("Ann", "Ben", "Cat", "Dan", "Eve"):
        ward.admits(name)
    phones = {name: as_patient(tx, ward.ines, ward.patients[name]) for name in ("Ann", "Ben", "Dan", "Eve")}
    monday, tuesday, *_ = weeks(1)
    landed = a_report(ward.id("Ann"), monday)
    for name, session_id, code in (
        ("Ann", landed.id, "unknown_program"),
        ("Ann", uuid4(), "invalid"),
        ("Ben", uuid4(), "invalid"),
    ):
        refused = Refused(session_id=session_id, raw=f"{session_id}", said=None, code=code)
        keep_refused(tx, phones[name], [refused], now=NOON)
    ward.says(landed, NOON + timedelta(hours=1))
    ward.does("Ann", weeks(1)[1:])
    ward.does("Ben", [monday], late=3 * DAY)
    ward.does("Cat", [monday], late=9 * DAY)
    ward.does("Ben", [date(2025, 3, 11)])
    told = {name: a_report(ward.id(name), tuesday) for name in ("Ben", "Cat")}
    for one in told.values():
        ward.says(one, at(tuesday))
    ward.says(replace(told["Ben"], effort=4, base_version=1), at(tuesday, 15))
    ward.says(Deletion(id=told["Cat"].id, base_version=1, program_id=ward.id("Cat")), at(tuesday, 15))

    flo = a_patient(tx, ward.ines, given_name="Flo")
    as_patient(tx, ward.ines, ward.patients["Ann"])
    for phone, day in ((phones["Ann"], "03-12"), (phones["Dan"], "03-05"), (as_patient(tx, ward.ines, flo), "03-12")):
        devices.in_touch(tx, phone, now=at(day))
    shut_out = phones["Eve"].device_id
    assert shut_out is not None
    devices.revoke_device(tx, ward.ines, ward.patients["Eve"].id, shut_out, now=at("03-06"))
    return ward


DATA = ("data-quality", "03-03", "03-12", "03-13")


def test_how_far_the_data_can_be_relied_on(tx: Session) -> None:
    ward = logged(tx)
    report = ward.report(*DATA)
    days, week = [MONDAY, MONDAY + 9 * DAY], [MONDAY, MONDAY + 6 * DAY]
    assert rows(report, "sessions") == [
        # In the week 5 of Ann's, 2 of Ben's, one of Cat's; by days also Ben's of the 11th and Cat's that is gone.
        ["late", *week, 8, 2, 0.25, 3, 2, None],
        ["dated back", *days, 10, 1, 0.1, 3, 1, None],
        ["amended", *days, 10, 1, 0.1, 3, 1, None],
        ["taken back", *days, 10, 1, 0.1, 3, 1, None],
    ]
    assert rows(report, "rejected") == [
        # items, landed, waiting; people, people of whom something waits
        ["invalid", 2, 0, 2, 2, 2, None],
        ["unknown_program", 1, 1, 0, 1, 0, None],
    ]
    assert rows(report, "phones") == [
        ["today or yesterday", 1, None],
        ["2 to 7 days ago", 0, None],
        ["8 to 30 days ago", 1, None],
        ["longer ago", 0, None],
        ["never", 1, None],
        ["no phone", 2, None],
        ["total", 5, None],
    ]
    assert report.late_items == 2


def test_few_people_are_withheld_behind_many_sessions(tx: Session) -> None:
    """Ten sessions, but of three people: the sessions are not shown either."""
    report = logged(tx, least=None).report(*DATA)
    hidden = "sessions such share people people_such"
    assert [row[3:] for row in rows(report, "sessions")] == [[*[None] * 5, hidden]] * 4
    assert rows(report, "rejected") == [
        ["invalid", None, 0, None, None, None, "items waiting people people_waiting"],
        ["unknown_program", None, None, 0, None, 0, "items landed people"],
    ]
    # Five patients in all may be told, and where there is nobody.
    assert [row[1] for row in rows(report, "phones")] == [None, 0, None, 0, None, None, 5]


def test_a_period_without_a_whole_week_says_nothing_of_late_sessions(tx: Session) -> None:
    report = Ward(tx).report("data-quality", "03-04", "03-12", "03-13")
    assert [row[0] for row in rows(report, "sessions")] == ["dated back", "amended", "taken back"]


@pytest.mark.parametrize(
    ("story", "asked"), [(flagged, FLAGS), (exercised, EXERCISES), (stopped, STOPS), (logged, DATA)]
)
def test_another_clinic_sees_nothing_of_it(
    tx: Session, story: Callable[[Session], Ward], asked: tuple[str, str, str, str]
) -> None:
    other = Ward(tx)
    before = other.report(*asked)
    theirs = story(tx).report(*asked)
    assert other.report(*asked) == before
    assert theirs.tables != before.tables


def test_whoever_is_erased_is_asked_for_by_no_phone(tx: Session) -> None:
    ward = logged(tx)
    tx.execute(update(Patient).where(Patient.clinic_id == ward.ines.clinic_id).values(deleted_at=NOON))
    assert {row[1] for row in rows(ward.report(*DATA), "phones")} == {0}


@pytest.mark.parametrize("asked", [FLAGS, EXERCISES, STOPS, DATA])
def test_every_number_has_its_definition_and_no_column_is_said_twice(
    tx: Session, asked: tuple[str, str, str, str]
) -> None:
    report = Ward(tx).report(*asked)
    assert report.kind == asked[0]
    assert len({one.id for one in report.definitions}) == len(report.definitions) > 0
    assert len({table.name for table in report.tables}) == len(report.tables)
    for table in report.tables:
        titles = [column.title for column in table.columns]
        assert len(set(titles)) == len(titles)
        assert table.columns[-1] is WITHHELD
