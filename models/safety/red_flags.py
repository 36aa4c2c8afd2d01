"""Red flags: answers that need a person now, what they may mean, and what the patient is told.

Single red flags predict little, so a clinician decides; the cauda equina and cord items are the exception:
act at once. Source: clinical content 2.5 and the engine study, section 6. Not signed off by a clinician.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any

from models.adherence.kinds import PAIN_HIGH, FlagKind, Reason, Severity, is_same_day, main_reason, meaning, worst_pain

EMERGENCY = "Stop exercising. Call the emergency number (112, 911, 999) now and say what you feel."
SAME_DAY = "Stop exercising. Get medical help today; if you cannot reach your clinic, go to urgent care."
WITHIN_DAYS = "Stop this program for now. See a doctor within the next few days."
ASK = "Tell your therapist at your next contact."
FALL_ADVICE = (
    "Rest. If you hit your head or cannot put weight on a limb, get medical help now; your therapist will call."
)
FLARE_ADVICE = (
    "Do only the short plan for flare days, and leave out what hurts the sore joint.",
    "A hot, swollen joint with fever needs medical help today.",
    "If the flare lasts more than 7 days, call your clinic.",
)
"""What a patient who switches to the flare plan is told (clinical content T07; not signed off by a clinician)."""
RECURRENCE_ADVICE = (
    "Your therapist has been told that the pain came back, and will contact you. Until then stay as active as the pain"
    " allows. New numbness, weakness, or trouble with urine or bowels needs help at once."
)
CONTACT_ADVICE = "Your therapist has been told that you would like to be contacted."
MESSAGE_ADVICE = (
    "Your therapist will see your message, but not at once. In an emergency call the emergency number (112, 911, 999)."
)
UNREAD_ADVICE = (
    "Your therapist has been told that you wrote a message, and will ask for it, but not at once. In an emergency call"
    " the emergency number (112, 911, 999)."
)
SEVERE_ADVICE = (
    "That sounds hard. Your therapist has been told and will contact you. Until then do only what feels right. New"
    " numbness, weakness, or trouble with urine or bowels needs help at once: call the emergency number (112, 911,"
    " 999)."
)
PAIN_ADVICE = "Stop the exercise that hurts and rest today. Your therapist has been told and will contact you."
TOLD_ADVICE = "Your therapist has been told and will contact you. Until then do only what feels right."
BETTER_ADVICE = (
    "Good news. Go on all the same: the muscles that hold your back and joints weaken within weeks of stopping, and"
    " then the pain tends to come back. Ask your therapist for a shorter plan if this one is too long."
)
"""Clinical content S3 and 7.2: strength dropped is why backs relapse. Not signed off by a clinician."""

KEEP_TO_COMFORT = "Your therapist knows of the pain. Do only what stays at 5 of 10 or less, and leave out the rest."
DIZZY_ADVICE = "Stop and sit down until it has passed. If you faint or it stays, get medical help."
JOINT_ADVICE = (
    "Do not load that joint today. A hot, swollen joint with fever or feeling ill needs medical help today;"
    " otherwise your therapist will be in touch."
)
SPREAD_ADVICE = (
    "Leave out what sends the pain further down. If it gets numb or weak, get medical help today; your therapist has"
    " been told."
)
SYMPTOMS = {
    "dizzy": (Severity.MEDIUM, "dizzy with exercise", DIZZY_ADVICE),
    "hot_swollen_joint": (Severity.HIGH, "a hot, swollen joint", JOINT_ADVICE),
    "further_down": (Severity.MEDIUM, "pain further down the leg or arm", SPREAD_ADVICE),
}
"""Chips that are no red flag by themselves and must not be lost (clinical content 2.5, 7.2; not signed off)."""

_BY_REASON = {
    Reason.SYMPTOMS_WORSE: PAIN_ADVICE,
    Reason.AFRAID_OF_HARM: TOLD_ADVICE,
    Reason.NOT_HELPING: TOLD_ADVICE,
    Reason.FEEL_BETTER: BETTER_ADVICE,
}


@dataclass(frozen=True, slots=True)
class RedFlag:
    """One screening question, as a patient reads it."""

    id: str
    question: str
    suspect: str
    severity: Severity
    advice: str


RED_FLAGS = {
    flag.id: flag
    for flag in (
        RedFlag(
            "RF-01",
            "Numb around the saddle area, new trouble starting, feeling or holding urine or bowels, sexual numbness,"
            " or pain now in both legs",
            "Cauda equina",
            Severity.EMERGENCY,
            EMERGENCY,
        ),
        RedFlag(
            "RF-02",
            "New or growing weakness in a leg, foot or arm",
            "Progressive nerve loss",
            Severity.URGENT,
            SAME_DAY,
        ),
        RedFlag(
            "RF-03",
            "New clumsy hands, unsteady legs, electric shocks on bending the neck, or pain at the skull base with"
            " numb limbs",
            "Cord compression, C1-C2",
            Severity.EMERGENCY,
            EMERGENCY,
        ),
        RedFlag(
            "RF-04",
            "Double vision, slurred speech, trouble swallowing, a drop attack, a drooping face, or the worst sudden"
            " headache",
            "Stroke or artery problem",
            Severity.EMERGENCY,
            EMERGENCY,
        ),
        RedFlag(
            "RF-05",
            "Bad pain after a fall or a lift with thin bones or steroids, or loss of height",
            "Fracture",
            Severity.URGENT,
            SAME_DAY,
        ),
        RedFlag(
            "RF-06",
            "Fever, feeling very ill, a recent infection or weak defences, with back pain or one hot joint",
            "Infection, septic joint",
            Severity.URGENT,
            SAME_DAY,
        ),
        RedFlag(
            "RF-07",
            "Flank pain, swollen ankles or face, or foamy or dark urine (lupus)",
            "Lupus nephritis",
            Severity.URGENT,
            SAME_DAY,
        ),
        RedFlag(
            "RF-08",
            "A history of cancer, weight loss without trying, or night pain that never eases",
            "Tumour",
            Severity.HIGH,
            WITHIN_DAYS,
        ),
        RedFlag(
            "RF-09",
            "Under 45, slow start, over 30 minutes of morning stiffness, better with movement, waking late at night",
            "Inflammatory back disease",
            Severity.MEDIUM,
            ASK,
        ),
        RedFlag(
            "RF-10",
            "Chest pain, breathless at rest, or fainting during exercise",
            "Heart or lung",
            Severity.EMERGENCY,
            EMERGENCY,
        ),
        RedFlag("RF-11", "One calf swollen, warm and painful", "Clot", Severity.URGENT, SAME_DAY),
        RedFlag("RF-12", "Deep tearing belly and back pain, over 60", "Aortic aneurysm", Severity.EMERGENCY, EMERGENCY),
        RedFlag(
            "RF-13",
            "Pregnant with bleeding, fluid loss, regular contractions, calf pain, dizziness or headache",
            "Obstetric",
            Severity.URGENT,
            "Stop exercising. Call your maternity unit now.",
        ),
    )
}

UNKNOWN_RED_FLAG = "a red flag that only a newer version knows; ask the patient"
"""Said in our words: text from a body that was refused is not repeated."""
NUMB_OR_WEAK = "numb_or_weak"
FALL = "fall"
MOST_CHIPS, MOST_ENTRIES, LONGEST_CHIP = 100, 100, 32
_PAINS = ("pain_during", "pain_after", "pain")
CHIPS = ("further_down", NUMB_OR_WEAK, "dizzy", "hot_swollen_joint", FALL, "not_sure", *RED_FLAGS)
"""What a session may report with one tap; anything else a newer phone sends is kept as sent."""

FIRST_SCREEN_CHIPS = {
    "further_down": "Pain goes further down the leg or arm",
    NUMB_OR_WEAK: "Numb or weak",
    "dizzy": "Dizzy",
    "hot_swollen_joint": "A hot, swollen joint",
    FALL: "I fell",
    "not_sure": "Not sure how to do one",
} | {id_: RED_FLAGS[id_].question for id_ in ("RF-01", "RF-02", "RF-03", "RF-04", "RF-10")}
"""What every log offers to tap, as a patient reads it (clinical content 2.5 and 7.2)."""

# Numbness or weakness tapped in a log is the nerve question asked in short.
_AS_RED_FLAG = {NUMB_OR_WEAK: "RF-02"} | {id_.lower(): id_ for id_ in RED_FLAGS}


def _plain(chip: str) -> str:
    """A chip as we spell it, however an app does: `RF 01`, `rf_01` and `RF01` are RF-01."""
    word = "_".join(chip.lower().replace("-", " ").replace("_", " ").split())
    if numbered := re.fullmatch(r"rf_?0*(\d{1,2})", word):
        return f"rf-{int(numbered[1]):02}"
    return FALL if word in {"fell", "i_fell", "fallen"} else word


@dataclass(frozen=True, slots=True)
class Alarm:
    """An answer to act on: which flag it opens and what to tell the patient."""

    kind: FlagKind
    severity: Severity
    said: str
    advice: str


def alarms(chips: Iterable[str]) -> list[Alarm]:
    """The alarms among a session's chips, however they are spelled, gravest first."""
    found = []
    for chip in dict.fromkeys(map(_plain, chips)):
        if chip in _AS_RED_FLAG:
            flag = RED_FLAGS[_AS_RED_FLAG[chip]]
            found.append(Alarm(FlagKind.RED_FLAG, flag.severity, flag.question, flag.advice))
        elif chip.startswith(("rf-", "rf_")):
            # A newer phone may ask more than we know; that it is a red flag we do know.
            found.append(Alarm(FlagKind.RED_FLAG, Severity.URGENT, UNKNOWN_RED_FLAG, SAME_DAY))
        elif chip in SYMPTOMS:
            severity, words, told = SYMPTOMS[chip]
            found.append(Alarm(FlagKind.SYMPTOM, severity, words, told))
        elif chip == FALL:
            found.append(Alarm(FlagKind.FALL, Severity.URGENT, "a fall", FALL_ADVICE))
    return sorted(found, key=lambda alarm: -alarm.severity)


@dataclass(frozen=True, slots=True)
class SafetyAnswers:
    """What a log says about safety."""

    chips: tuple[str, ...]
    reason: str | None
    """The gravest of the reasons given for the session and its entries."""
    worst_pain: int | None
    """The worst of the pains told during and after exercise, 0-10."""

    @property
    def matter(self) -> bool:
        """Whether anything here opens a flag."""
        return self.cannot_wait or self.reason is not None

    @property
    def cannot_wait(self) -> bool:
        """Whether the therapist must hear of it today."""
        return bool(alarms(self.chips) or is_same_day(self.reason) or self.hurts)

    @property
    def hurts(self) -> bool:
        """Whether exercise brought more pain than is acceptable."""
        return (self.worst_pain or 0) >= PAIN_HIGH

    def advice(self) -> list[str]:
        """What to tell the patient now, gravest first."""
        told = [alarm.advice for alarm in alarms(self.chips)]
        told += [PAIN_ADVICE] if self.hurts else []
        because = meaning(self.reason)
        told += [_BY_REASON[because]] if because in _BY_REASON else []
        return list(dict.fromkeys(told))


def salvage(body: object) -> SafetyAnswers:
    """Read the safety answers out of a log's body, however broken the rest is."""
    said: dict[Any, Any] = body if isinstance(body, dict) else {}
    entries = said.get("entries")
    parts = [said, *(entries[:MOST_ENTRIES] if isinstance(entries, list) else [])]
    parts = [part for part in parts if isinstance(part, dict)]
    reasons = [_reason(part.get("reason")) for part in parts]
    return SafetyAnswers(
        chips=tuple(_chips(said.get("chips"))[:MOST_CHIPS]),
        reason=main_reason(reasons[0], reasons[1:]) if reasons else None,
        worst_pain=worst_pain(_number(part.get(name)) for part in parts for name in _PAINS),
    )


def _reason(said: object) -> str | None:
    """A reason that we know; what else a broken body says there may be anything."""
    if not isinstance(said, str) or len(said) > LONGEST_CHIP:
        return None
    known = meaning(said)
    return None if known is Reason.OTHER and said != Reason.OTHER else known


def _chips(said: object) -> list[str]:
    """Chips as a list, as one word, or as words that are true."""
    if isinstance(said, dict):
        said = [chip for chip, present in said.items() if present is True]
    found = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    return [chip for chip in found if isinstance(chip, str) and len(chip) <= LONGEST_CHIP]


def _number(said: object) -> int | None:
    """A pain as it was meant: 11 of 10 is nonsense as a number, but not as an answer."""
    if isinstance(said, str) and said.strip().isascii() and said.strip().isdigit() and len(said) < LONGEST_CHIP:
        return int(said)
    if isinstance(said, float) and isfinite(said):
        return round(said)
    return said if isinstance(said, int) and not isinstance(said, bool) else None
