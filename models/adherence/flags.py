"""The flags: what puts a program or a patient on the therapist's list, from when, until when, and on whose word.

One row of `RULES` a kind. A rule is one pure function from a `View` to at most one finding; a finding is a promise: the
instants at which it opens and rises may lie ahead, and hold if nothing more is heard. Kinds without a function are
opened by answers, checks and measures (`models.operations`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.adherence.kinds import Finding, FlagKind, Severity
from models.adherence.rules import care, contact, following, pain
from models.adherence.view import View

Judge = Callable[[View], Finding | None]
_THERAPIST, _BESIDE = "the therapist", "shown beside the others"
_BY_THERAPIST = "A therapist closes it, saying who saw the patient and what was decided."


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRule:
    """One kind of flag: everything that is decided about it."""

    kind: FlagKind
    version: int = 1
    """Raised whenever the same history would be judged differently; stored beside every flag."""
    levels: tuple[Severity, ...]
    """How grave it may be, from its opening on."""
    audience: str = _THERAPIST
    opens: str
    closes: str
    """Besides being closed by hand."""
    source: str
    judge: Judge | None = None
    after_end: bool = False
    """Whether it concerns programs that are over, too."""
    hidden_by_pauses: bool = False
    """Whether it is on nobody's list while the program is paused; it comes back when the pause ends."""
    fades: bool = False
    """Whether it fades after `care.BARRIER_DAYS` where an answer without a stored session opened it. The others that
    answers open wait for a therapist: a danger, a fall, pain that is back, and whoever asked for a person."""
    moves: bool = False
    """Whether its evidence moves on with every session while it is open: then it says nothing of how it opened."""
    thresholds: tuple[str, ...] = ()
    """The lines a clinic may move (`models.adherence.thresholds`)."""


RULES = {
    rule.kind: rule
    for rule in (
        FlagRule(
            kind=FlagKind.RED_FLAG,
            levels=(Severity.MEDIUM, Severity.URGENT, Severity.EMERGENCY),
            audience="the therapist at once; the patient is told what to do",
            opens="A sign of something serious is ticked in any answer, also of a session that is refused.",
            closes=_BY_THERAPIST,
            source="clinical content 2.5, F-10; engine study, section 6",
        ),
        FlagRule(
            kind=FlagKind.FALL,
            levels=(Severity.HIGH, Severity.URGENT),
            audience="the therapist at once; the patient is told what to do",
            opens="A fall is reported.",
            closes=_BY_THERAPIST,
            source="clinical content F-15",
        ),
        FlagRule(
            kind=FlagKind.SYMPTOM,
            levels=(Severity.MEDIUM, Severity.HIGH),
            opens="Dizziness, a hot swollen joint or pain further down a limb is ticked.",
            closes="It fades 14 days after it was last said.",
            source="clinical content 7.2, F-09",
            fades=True,
        ),
        FlagRule(
            kind=FlagKind.PAIN_HIGH,
            levels=(Severity.URGENT,),
            audience="the therapist; the patient is told what to do",
            opens="Pain of 6 or more during or after exercise; of a week, 8 or more.",
            closes="Two later sessions in a row at 5 or less.",
            source="pain-monitoring model (engine study, section 6); clinical content F-08",
            judge=pain.pain_high_of,
            after_end=True,
            fades=True,
        ),
        FlagRule(
            kind=FlagKind.PAIN_24H,
            levels=(Severity.HIGH,),
            opens="Pain is not back to usual the next morning, or begins 2 or more higher the next day.",
            closes="A later session says that it settled.",
            source="24-hour rule of the pain-monitoring model; MIC08 (engine study, section 7)",
            judge=pain.pain_24h,
            thresholds=("pain_change",),
        ),
        FlagRule(
            kind=FlagKind.PAIN_TREND,
            levels=(Severity.MEDIUM,),
            opens="The median of the last three pains is 2 points and 30 % above that of the first three.",
            closes="Three sessions in a row back under.",
            source="MIC08 (engine study, section 7)",
            moves=True,
            judge=pain.pain_trend,
            thresholds=("pain_change", "pain_change_percent"),
        ),
        FlagRule(
            kind=FlagKind.SPREADING,
            levels=(Severity.MEDIUM, Severity.HIGH),
            opens="Pain moves further down a limb in two of the last four sessions; red beside numbness or weakness.",
            closes="It is in fewer than two of the last four sessions.",
            source="DP11 (clinical content F-09)",
            judge=pain.spreading,
        ),
        FlagRule(
            kind=FlagKind.NOT_STARTED,
            levels=(Severity.MEDIUM,),
            opens="No session by the fifth that was expected, or the seventh day.",
            closes="The first session.",
            source="engine study, section 7: 11 % of those who will start miss their first five",
            judge=lambda view: contact.not_started(view.judged, view.plan.starts_on),
            hidden_by_pauses=True,
        ),
        FlagRule(
            kind=FlagKind.SILENCE,
            levels=(Severity.MEDIUM, Severity.HIGH),
            audience="watch: the patient is reminded; lapsed and stopped: the therapist",
            opens="P(stopped) reaches .3 (watch), .5 or 21 silent days (lapsed), .8 (stopped), in the program's slots.",
            closes="Any later session; a declared pause that explains it; the program's end.",
            source="engine study, 2.5 and 7",
            judge=lambda view: contact.silence(view.judged, view.reports),
            hidden_by_pauses=True,
            thresholds=("watch", "lapsed", "stopped", "net_days"),
        ),
        FlagRule(
            kind=FlagKind.RETURNED,
            levels=(Severity.INFO,),
            audience=_BESIDE,
            opens="A session after a silence that had lapsed.",
            closes="It fades after 14 days.",
            source="engine study, section 7",
            judge=contact.returned,
        ),
        FlagRule(
            kind=FlagKind.SYNC_STALE,
            levels=(Severity.INFO,),
            audience=_BESIDE,
            opens="The phone has not been in touch for 7 days, or three times its usual gap.",
            closes="The phone is in touch.",
            source="engine study, section 7",
            judge=contact.sync_stale,
            hidden_by_pauses=True,
            thresholds=("sync_days",),
        ),
        FlagRule(
            kind=FlagKind.LOW_TRUST,
            levels=(Severity.INFO,),
            audience=_BESIDE,
            opens="Three of the last ten sessions are dated back by more than a week.",
            closes="It fades 14 days after the last of them.",
            source="EARS17 (clinical content F-16)",
            moves=True,
            judge=contact.low_trust,
        ),
        FlagRule(
            kind=FlagKind.LOW_ADHERENCE,
            levels=(Severity.MEDIUM, Severity.HIGH),
            opens="Surely fewer than 80 % (red: 60 %) of the expected session days in 28 days, of 8 or more expected.",
            closes="5 points above the line, or not sure any more for 14 days; a silence that lapses takes it over.",
            source="Bailey 2018, Jones 2025 (engine study, section 7)",
            moves=True,
            judge=following.low_adherence,
            hidden_by_pauses=True,
            thresholds=("low_amber", "low_red", "low_slots", "sure", "slack"),
        ),
        FlagRule(
            kind=FlagKind.DECLINING,
            levels=(Severity.MEDIUM,),
            opens="The last 14 days surely 15 points below the 28 before.",
            closes="The difference is under 5 points, or not sure any more for 14 days; a lapsed silence.",
            source="engine study, 1.2 and 7",
            moves=True,
            judge=following.declining,
            hidden_by_pauses=True,
            thresholds=("decline", "declining_slots", "declining_sure", "slack"),
        ),
        FlagRule(
            kind=FlagKind.INCOMPLETE,
            levels=(Severity.LOW,),
            opens="Fewer than 70 % of the items touched in 14 days in which 70 % of the days were kept.",
            closes="A session after which that is over; a lapsed silence.",
            source="clinical content F-04",
            moves=True,
            judge=following.incomplete,
            hidden_by_pauses=True,
            thresholds=("incomplete", "incomplete_slots"),
        ),
        FlagRule(
            kind=FlagKind.PARTIAL_DOSE,
            levels=(Severity.LOW,),
            opens="The median dose of the last six sessions is under 80 % of what was prescribed.",
            closes="A session after which that is over; a lapsed silence.",
            source="engine study, 1.1 and 7",
            moves=True,
            judge=following.partial_dose,
            hidden_by_pauses=True,
            thresholds=("dose",),
        ),
        FlagRule(
            kind=FlagKind.STRENGTH_DROPPED,
            levels=(Severity.MEDIUM, Severity.HIGH),
            opens="No strength exercise for 14 days (red: 28) on which it was prescribed, while others went on.",
            closes="A strength exercise; a lapsed silence.",
            source="clinical content F-05, S3",
            judge=following.strength_dropped,
            hidden_by_pauses=True,
            thresholds=("dropped_days",),
        ),
        FlagRule(
            kind=FlagKind.CORE_DROPPED,
            levels=(Severity.MEDIUM, Severity.HIGH),
            opens="No core or stabilization exercise for 14 days (red: 28), while others went on.",
            closes="A core or stabilization exercise; a lapsed silence.",
            source="clinical content F-06, S3-35",
            judge=following.core_dropped,
            hidden_by_pauses=True,
            thresholds=("dropped_days",),
        ),
        FlagRule(
            kind=FlagKind.UNSURE,
            levels=(Severity.MEDIUM,),
            opens="Somebody was not sure how to do an exercise.",
            closes="It fades after 14 days.",
            source="clinical content F-07, S3 shortfall 2",
            moves=True,
            judge=care.unsure,
        ),
        FlagRule(
            kind=FlagKind.BARRIER,
            levels=(Severity.MEDIUM, Severity.HIGH),
            opens="A reason is given for not exercising; hurt, afraid and no relief are red, the same day.",
            closes="It fades after 14 days; a graver reason stands before it.",
            source="PETS (engine study, 1.3 and 7); clinical content F-11",
            judge=care.barrier_of,
            after_end=True,
            fades=True,
        ),
        FlagRule(
            kind=FlagKind.WITHDRAWN,
            levels=(Severity.MEDIUM, Severity.HIGH),
            opens="The patient says they stopped; hurt, afraid and no relief are red.",
            closes="Nothing: somebody acts on it.",
            source="clinical content F-11; engine study, 1.3",
            judge=care.withdrawn,
            after_end=True,
        ),
        FlagRule(
            kind=FlagKind.FLARE_LONG,
            levels=(Severity.MEDIUM,),
            opens="A flare of more than 7 days, or the third within 60 days.",
            closes="It fades 14 days after the flare.",
            source="S1-07 (clinical content F-12)",
            judge=care.flare_long,
            thresholds=("flare_days", "flares"),
        ),
        FlagRule(
            kind=FlagKind.CHECK_IN_OVERDUE,
            levels=(Severity.MEDIUM, Severity.HIGH),
            opens="A check-in after discharge is 7 days overdue (red: 21 days).",
            closes="An answer.",
            source="clinical content F-13",
            judge=care.check_in_overdue,
            after_end=True,
        ),
        FlagRule(
            kind=FlagKind.RECURRENCE,
            levels=(Severity.MEDIUM,),
            opens="Pain of 2 or more of 10 came back for 24 hours or longer.",
            closes="Nothing: somebody acts on it.",
            source="RECUR19 (clinical content F-14)",
        ),
        FlagRule(
            kind=FlagKind.CONTACT_WANTED,
            levels=(Severity.LOW, Severity.MEDIUM),
            opens="The patient asks to be contacted, or leaves a message among answers.",
            closes="Nothing: somebody acts on it.",
            source="clinical content 7",
        ),
        FlagRule(
            kind=FlagKind.MEASURE_WORSE,
            levels=(Severity.MEDIUM,),
            opens="A measure is worse than at the beginning by the change that matters.",
            closes="It is back within.",
            source="MIC08, Stratford 1995 (engine study, sections 5 and 7)",
            moves=True,
        ),
        FlagRule(
            kind=FlagKind.REVIEW_DUE,
            levels=(Severity.MEDIUM,),
            opens="The four-week review is due.",
            closes="A review.",
            source="S3-04 (clinical content R-26)",
            judge=care.review_due,
        ),
        FlagRule(
            kind=FlagKind.SCREENING_DUE,
            levels=(Severity.MEDIUM,),
            opens="The red-flag questions were last asked 31 days ago.",
            closes="A screening; a lapsed silence takes it over.",
            source="clinical content 2.5, R-01",
            judge=care.screening_due,
            hidden_by_pauses=True,
            thresholds=("screening_days",),
        ),
        FlagRule(
            kind=FlagKind.ENDANGERED,
            levels=(Severity.HIGH,),
            opens="What is known now makes an exercise of a running program unsafe.",
            closes="The program is changed, or revised with a reason that overrides the finding; or it ends.",
            source="clinical content 5.1",
            moves=True,
        ),
    )
}
"""Every kind of flag. A kind may open at other levels only if its row says so."""

SELF_CLOSING = frozenset(rule.kind for rule in RULES.values() if rule.judge)
"""Kinds judged anew at every write; the others stay open until somebody acts."""
HIDDEN_BY_PAUSES = tuple(rule.kind for rule in RULES.values() if rule.hidden_by_pauses)
FADING = frozenset(rule.kind for rule in RULES.values() if rule.fades)


def findings(view: View) -> Sequence[Finding]:
    """Every flag of a program that is open or will open, if nothing more is heard."""
    judges = (rule.judge for rule in RULES.values() if rule.judge and (rule.after_end or not view.is_over))
    found = (judge(view) for judge in judges)
    return [one for one in found if one and (one.expires_at is None or one.expires_at > view.now)]
