"""How a program is followed, and the worklist."""

from dataclasses import asdict
from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, create_model

from api.schemas.reports import DefinitionOut
from api.schemas.words import Answer, Said
from models.adherence import RULE_VERSION, Standing
from models.adherence.flags import RULES
from models.adherence.following import Trend
from models.adherence.kinds import FlagKind
from models.adherence.rates import Rate, Rates
from models.adherence.relapse import CAUTION, CONTEXT, CONTEXT_SOURCE, Advice
from models.adherence.schedule import UNIT
from models.adherence.thresholds import BOUNDS, DEFAULTS
from models.adherence.weeks import Week
from models.operations.adherence import Following
from models.operations.flag_settings import FlagSettings
from models.operations.patient_report import PatientReport
from models.operations.relapse import Watch
from models.operations.worklist import Counts, Row
from models.reports.definitions import OF_A_PROGRAM
from models.tables import Reached


class RateOut(Answer):
    """A rate and the numbers it came from."""

    value: float | None = Field(description="0-1; null where nothing was expected.", examples=[0.8])
    numerator: float = Field(examples=[4.0])
    denominator: float = Field(examples=[5.0])

    @classmethod
    def of(cls, rate: Rate) -> "RateOut":
        return cls(
            value=None if rate.value is None else round(rate.value, 4),
            numerator=round(rate.numerator, 4),
            denominator=round(rate.denominator, 4),
        )


class RatesOut(Answer):
    """The three rates of one window, always together."""

    first: date
    last: date
    frequency: RateOut = Field(description="Session days done ÷ expected.")
    completeness: RateOut = Field(description="Items touched ÷ expected.")
    dose: RateOut = Field(description="Mean share of the prescribed amount over the items touched.")
    excluded_days: int = Field(description="Days paused or outside the program: in neither number.")

    @classmethod
    def of(cls, rates: Rates) -> "RatesOut":
        return cls(
            first=rates.first,
            last=rates.last,
            frequency=RateOut.of(rates.frequency),
            completeness=RateOut.of(rates.completeness),
            dose=RateOut.of(rates.dose),
            excluded_days=rates.excluded_days,
        )


class ChangeOut(Answer):
    """What the standing becomes, and when, if nothing more is heard."""

    at: AwareDatetime
    standing: Standing


class SilenceOut(Answer):
    """The silence since the last day with exercise."""

    last_day: date
    usual_share: float = Field(description="Share of the expected days this patient has been doing lately, 0-1.")
    weekly_slots: float = Field(description="Session days expected a week.")
    missed: int = Field(description="Expected sessions missed since.")
    expected_missed: float = Field(description="Of those, how many this patient would have done by now.")
    probability_stopped: float = Field(description="Given the silence and the patient's habit; never of relapse.")
    sync_allowance_slots: int = Field(description="Slots granted because this patient's logs usually come late.")
    watch_at: AwareDatetime | None
    lapsed_at: AwareDatetime | None
    stopped_at: AwareDatetime | None


class AdherenceOut(Answer):
    """How a program is being followed as of a moment, with the numbers behind it."""

    program_id: UUID
    as_of: AwareDatetime
    rule_version: int
    standing: Standing
    changes_at: AwareDatetime | None = Field(description="When the standing changes if nothing more is heard.")
    forecast: list[ChangeOut]
    first_day: date | None
    last_day: date | None
    silence: SilenceOut | None = Field(description="Null before the first session.")
    not_started_at: AwareDatetime | None = Field(description="When a program without a session counts as not started.")
    rates: dict[str, RatesOut] = Field(description="Over 7, 14 and 28 days, and the whole program.")

    @classmethod
    def of(cls, known: Following) -> "AdherenceOut":
        judged = known.assessment
        silence = None
        if judged.silence is not None and known.probability_stopped is not None:
            heard = judged.silence
            silence = SilenceOut(
                last_day=heard.last_day,
                usual_share=round(heard.habit, 4),
                weekly_slots=round(heard.weekly_slots, 4),
                missed=known.missed,
                expected_missed=round(known.expected_missed, 2),
                probability_stopped=round(known.probability_stopped, 4),
                sync_allowance_slots=heard.allowance,
                watch_at=heard.watch_at,
                lapsed_at=heard.lapsed_at,
                stopped_at=heard.stopped_at,
            )
        return cls(
            program_id=known.program_id,
            as_of=known.as_of,
            rule_version=RULE_VERSION,
            standing=judged.standing,
            changes_at=judged.changes_at,
            forecast=[ChangeOut(at=change.at, standing=change.standing) for change in judged.forecast],
            first_day=known.first_day,
            last_day=known.last_day,
            silence=silence,
            not_started_at=judged.waiting.opens_at if judged.waiting else None,
            rates={name: RatesOut.of(rates) for name, rates in known.rates.items()},
        )


class SpanOut(Answer):
    """Days told apart, both included: pauses and lapsed silences are in no rate; a flare has its own plan."""

    kind: str = Field(examples=["pause", "flare", "silence"])
    from_on: date
    to_on: date


class PersistenceOut(Answer):
    """From the first session on."""

    days: int = Field(description="To the last session of a program that was discontinued, else to the last day seen.")
    discontinued: bool
    on: date = Field(description="Of a discontinuation the last session, not the day it was noticed.")


class TrendOut(Answer):
    """Medians of the first three and the last three sessions in which it was told; null below six."""

    first: float
    last: float
    told: int

    @classmethod
    def of(cls, trend: Trend | None) -> "TrendOut | None":
        return None if trend is None else cls(first=trend.first, last=trend.last, told=trend.told)


class WeekOut(Answer):
    """One ISO week of the patient's calendar, done capped at expected within it."""

    monday: date
    frequency: RateOut
    completeness: RateOut
    dose: RateOut
    sessions: int
    excluded_days: int
    paused_days: int
    flare_days: int
    mean_pain: float | None
    worst_pain: int | None
    mean_effort: float | None

    @classmethod
    def of(cls, week: Week) -> "WeekOut":
        return cls(
            monday=week.monday,
            frequency=RateOut.of(Rate(week.done / UNIT, week.expected / UNIT)),
            completeness=RateOut.of(Rate(week.items_done / UNIT, week.items_expected / UNIT)),
            dose=RateOut.of(Rate(week.dose_sum, week.dose_count)),
            sessions=week.sessions,
            excluded_days=week.excluded_days,
            paused_days=week.paused_days,
            flare_days=week.flare_days,
            mean_pain=round(week.pain_sum / week.pain_count, 2) if week.pain_count else None,
            worst_pain=week.pain_worst,
            mean_effort=round(week.effort_sum / week.effort_count, 2) if week.effort_count else None,
        )


class ExercisedOut(Answer):
    """One exercise of the program over the period."""

    line_id: UUID
    name: str
    expected: float = Field(description="Rounds; of flexible lines their share of the week.")
    done: int
    skipped: int
    reasons: dict[str, int]
    not_sure: int
    worst_pain: int | None


class MomentOut(Answer):
    """Pain and effort of one session."""

    day: date
    pain: int | None
    effort: int | None


class RevisedOut(Answer):
    """What a revision changed, and the 14 days before and after it: an association, no effect."""

    number: int
    effective_on: date
    note: str | None
    changes: list[str]
    before: RatesOut | None
    after: RatesOut | None


class AdvisedOut(Answer):
    """What the patient was told after a session."""

    day: date
    says: str


class EventOut(Answer):
    """A flag, or what was done about one."""

    at: AwareDatetime
    kind: str
    says: str


class AdherenceReportOut(AdherenceOut):
    """How a program is being followed, and was over a period: initiation, implementation, persistence, and the rest."""

    from_on: date
    to_on: date
    data_through: AwareDatetime
    late_items: int = Field(description="Sessions of the period that took more than 48 hours to arrive.")
    initiation_days: int | None = Field(description="From the program's first day to the first session.")
    persistence: PersistenceOut | None
    implementation: RatesOut = Field(description="Within episodes: pauses and lapsed silences in neither number.")
    weeks: list[WeekOut]
    exercises: list[ExercisedOut]
    reasons: dict[str, int] = Field(description="Given for not exercising, or for leaving something out.")
    moments: list[MomentOut]
    pain: TrendOut | None
    effort: TrendOut | None
    change_that_matters: float = Field(description="Points of pain (MIC08).")
    excluded: list[SpanOut]
    revisions: list[RevisedOut]
    advised: list[AdvisedOut]
    events: list[EventOut] | None = Field(
        description="Flags and what was done about them; null for patients, and of a past moment."
    )
    letter: str | None = Field(description="One paragraph for a letter; null for patients.")
    own_words: str = Field(description="One paragraph for the patient.")
    definitions: list[DefinitionOut]

    @classmethod
    def told(cls, report: PatientReport) -> "AdherenceReportOut":
        return cls(
            **AdherenceOut.of(report.following).model_dump(),
            from_on=report.from_on,
            to_on=report.to_on,
            data_through=report.data_through,
            late_items=report.late_items,
            initiation_days=report.initiation_days,
            persistence=None if report.persistence is None else PersistenceOut(**asdict(report.persistence)),
            implementation=RatesOut.of(report.implementation),
            weeks=[WeekOut.of(week) for week in report.weeks],
            exercises=[ExercisedOut(**{**asdict(one), "expected": round(one.expected, 2)}) for one in report.exercises],
            reasons=dict(report.reasons),
            moments=[MomentOut(**asdict(one)) for one in report.moments],
            pain=TrendOut.of(report.pain),
            effort=TrendOut.of(report.effort),
            change_that_matters=report.change_that_matters,
            excluded=[SpanOut(**asdict(one)) for one in report.excluded],
            revisions=[
                RevisedOut(
                    number=one.number,
                    effective_on=one.effective_on,
                    note=one.note,
                    changes=list(one.changes),
                    before=None if one.before is None else RatesOut.of(one.before),
                    after=None if one.after is None else RatesOut.of(one.after),
                )
                for one in report.revisions
            ],
            advised=[AdvisedOut(**asdict(one)) for one in report.advised],
            events=None
            if report.events is None
            else [EventOut(at=one.at, kind=one.kind.value, says=one.says) for one in report.events],
            letter=report.letter,
            own_words=report.own_words,
            definitions=[DefinitionOut(**asdict(one)) for one in OF_A_PROGRAM],
        )


class ContactOut(Answer):
    """How to reach a patient."""

    phone: str | None
    email: str | None


class WorklistPatient(Answer):
    """Whom a row is about."""

    id: UUID
    given_name: str
    family_name: str
    contact: ContactOut


Level = Literal["info", "low", "medium", "high", "urgent", "emergency"]


class TriedOut(Answer):
    """The last attempt to reach the patient, about whatever."""

    at: AwareDatetime
    outcome: Reached
    by: UUID
    by_name: str


class WorklistRow(Answer):
    """One reason to look at one patient."""

    flag_id: UUID
    kind: FlagKind
    severity: str = Field(examples=["high"], description="info < low < medium < high < urgent < emergency")
    severity_rank: int = Field(description="The same as a number, 0 to 5.")
    opened_at: AwareDatetime
    is_acknowledged: bool = Field(description="Somebody has taken it on, as grave as it is now.")
    last_outreach: TriedOut | None
    evidence: str = Field(
        examples=["Usually 4 of 5 days a week; nothing since 9 Nov; 6 sessions missed that we would have expected."]
    )
    next_step: str = Field(description="A suggestion.")
    beside: list[str] = Field(
        description="What is told beside it: a return, a phone that is not in touch, sessions entered late.",
        examples=[["The phone was last in touch on 9 Nov, 8 days ago; logs may be waiting on it."]],
    )
    rule_version: int
    version: int = Field(description='For If-Match, as `"v1"`.')
    patient: WorklistPatient
    program_id: UUID | None
    program_title: str | None
    therapist_id: UUID | None
    therapist_name: str | None

    @classmethod
    def of(cls, row: Row) -> "WorklistRow":
        plain = {name: getattr(row, name) for name in cls.model_fields if name not in _WORDED}
        return cls(
            **plain,
            beside=list(row.beside),
            severity=row.severity.word,
            severity_rank=int(row.severity),
            last_outreach=None if row.last_outreach is None else TriedOut.model_validate(row.last_outreach),
            patient=WorklistPatient(
                id=row.patient_id,
                given_name=row.given_name,
                family_name=row.family_name,
                contact=ContactOut(phone=row.phone, email=row.email),
            ),
        )


_WORDED = {"beside", "severity", "severity_rank", "last_outreach", "patient"}


class CountsOut(Answer):
    """How many rows there are under the same filters, whatever kinds are asked for."""

    kinds: dict[FlagKind, int] = Field(examples=[{"silence": 4, "pain_high": 1}])
    levels: dict[str, int] = Field(examples=[{"urgent": 1, "medium": 4}])

    @classmethod
    def of(cls, counts: Counts) -> "CountsOut":
        return cls(kinds=counts.kinds, levels={level.word: count for level, count in counts.levels.items()})


class Worklist(Answer):
    """Who needs a therapist now, gravest first, then oldest."""

    as_of: AwareDatetime
    items: list[WorklistRow]
    counts: CountsOut
    next: str | None = Field(description="Cursor of the next page.")


class ThresholdOut(Answer):
    """A line a clinic may move."""

    name: str = Field(examples=["low_amber"])
    text: str
    value: float
    default: float
    lowest: float
    highest: float


class FlagRuleOut(Answer):
    """Everything that is decided about one kind of flag."""

    kind: FlagKind
    version: int
    levels: list[str] = Field(examples=[["medium", "high"]])
    audience: str
    opens: str = Field(
        description="With the default lines; `thresholds` are the clinic's own. Amber is medium, red high."
    )
    closes: str
    source: str
    thresholds: list[ThresholdOut]


class FlagRulesOut(Answer):
    """The registry of flags."""

    items: list[FlagRuleOut]
    is_applied: bool = Field(description="Whether every program has been judged by these thresholds.")

    @classmethod
    def of(cls, settings: FlagSettings) -> "FlagRulesOut":
        lines = {
            name: ThresholdOut(
                name=name,
                text=bound.text,
                value=getattr(settings.thresholds, name),
                default=getattr(DEFAULTS, name),
                lowest=bound.low,
                highest=bound.high,
            )
            for name, bound in BOUNDS.items()
        }
        items = [
            FlagRuleOut(
                kind=rule.kind,
                version=rule.version,
                levels=[level.word for level in rule.levels],
                audience=rule.audience,
                opens=rule.opens,
                closes=rule.closes,
                source=rule.source,
                thresholds=[lines[name] for name in rule.thresholds],
            )
            for rule in RULES.values()
        ]
        return cls(items=items, is_applied=settings.is_applied)


class RelapsePointOut(Answer):
    """One reason on the list."""

    code: str = Field(examples=["sitting"])
    points: int = Field(description="What it counts if it applies.")
    applies: bool | None = Field(description="Null: nobody knows; it counts nothing until somebody asks.")
    says: str = Field(examples=["Sits 7 hours a day (told on 3 Mar)."])
    source: str


class RelapseWatchOut(Answer):
    """What speaks for a return of the pain after discharge: read the reasons, not the total."""

    patient_id: UUID
    as_of: AwareDatetime
    program_id: UUID | None = Field(description="The program the discharge ended; null: there is nothing to watch.")
    following_id: UUID | None = Field(description="The program that goes on after it.")
    discharged_on: date | None
    points: list[RelapsePointOut]
    total: int | None = Field(description="The points that apply.")
    most: int | None = Field(description="What the total would be if everything unknown applied.")
    advice: Advice | None = Field(description="0-2 `low`, 3-4 `watch`, 5 and more `call`.")
    calibrated: bool = Field(description="Always false: nobody has measured what a total means.")
    caution: str
    context: str
    context_source: str

    @classmethod
    def of(cls, watch: Watch) -> "RelapseWatchOut":
        watched = watch.program_id is not None
        return cls(
            patient_id=watch.patient_id,
            as_of=watch.as_of,
            program_id=watch.program_id,
            following_id=watch.following_id,
            discharged_on=watch.discharged_on,
            points=[
                RelapsePointOut(code=one.code, points=one.points, applies=one.applies, says=one.says, source=one.source)
                for one in watch.points
            ],
            total=watch.total if watched else None,
            most=watch.most if watched else None,
            advice=watch.advice,
            calibrated=False,
            caution=CAUTION,
            context=CONTEXT,
            context_source=CONTEXT_SOURCE,
        )


_LINES: dict[str, Any] = {
    name: (float | None, Field(default=None, strict=True, ge=bound.low, le=bound.high, description=bound.text))
    for name, bound in BOUNDS.items()
}
ThresholdsIn = create_model(
    "ThresholdsIn",
    __base__=Said,
    __doc__="The lines to move; null puts one back to its default, what is left out stays.",
    **_LINES,
)
