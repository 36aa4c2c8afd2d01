"""What a patient can have, what only that condition tells, and what follows from it.

Source: clinical content 2.3 and its amendments. Codes and details are the vocabulary the precaution matrix and the
rules are keyed to; anything else is recorded as `other`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from models.safety.facts import Condition, Patient

STEROID_DOSE = 2.5
"""Prednisone-equivalent mg a day from which bone loss is to be expected (GIOP22)."""
STEROID_DAYS = 90
"""More than three months at that dose (GIOP22)."""
PREGNANCY_DAYS = 280
BONE_STATUSES = ("unknown", "normal", "low", "osteoporosis")
NECK_STATUSES = ("unknown", "cleared", "unstable")
DIRECTIONS = ("flexion", "extension", "none", "unknown")
PROVOKED_BY = ("flexion", "extension", "rotation", "sitting", "standing")
JOINTS = (
    *("neck", "thoracic", "low_back", "hip", "knee", "ankle", "foot"),
    *("shoulder", "elbow", "wrist_hand"),
)


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing only some conditions tell."""

    kind: str
    """date, number, flag, name, one of `words`, or several of them."""
    words: tuple[str, ...] = ()
    limits: tuple[float, float] = (0, 0)


_DATE, _NAME = Detail("date"), Detail("name")
_CLEARANCE = {"cleared_by": _NAME, "cleared_on": _DATE}
_BACK_PAIN = {"back_pain_confirmed_by": _NAME, "back_pain_confirmed_on": _DATE}
_SPINE = {
    "direction_preference": Detail("one", DIRECTIONS),
    "provoked_by": Detail("several", PROVOKED_BY),
    # What a return of the pain is foretold by (RECUR19): `models.adherence.relapse`.
    "previous_episodes": Detail("number", limits=(0, 100)),
    "awkward_postures": Detail("flag"),
}
_STEROID = {
    "dose_mg_per_day": Detail("number", limits=(0, 200)),
    "bone_status": Detail("one", BONE_STATUSES),
    "bone_status_on": _DATE,
}
_SURGERY = {"surgery_on": _DATE, "released_on": _DATE, "released_by": _NAME}


@dataclass(frozen=True, slots=True)
class Word:
    """One code of the vocabulary."""

    code: str
    name: str
    details: Mapping[str, Detail] = field(default_factory=dict)


VOCABULARY = {
    word.code: word
    for word in (
        Word(
            "ra",
            "Rheumatoid arthritis",
            {
                "neck_status": Detail("one", NECK_STATUSES),
                "neck_cleared_by": _NAME,
                "neck_cleared_on": _DATE,
                "spine_involvement": Detail("one", ("none", "cervical", "thoracic", "lumbar", "unknown")),
                **_BACK_PAIN,
            },
        ),
        Word("ra-cervical-instability", "Unstable neck in rheumatoid arthritis", _CLEARANCE),
        Word("joint-flare", "Inflamed joint, for now", {"ends_on": _DATE}),
        Word("sle", "Lupus", {**_BACK_PAIN, **_CLEARANCE, "sun_plan_on": _DATE}),
        Word("lupus-nephritis", "Lupus nephritis"),
        Word("photosensitivity", "Skin that burns in the sun", {"sun_plan_on": _DATE}),
        Word("raynaud", "Raynaud's phenomenon"),
        Word("corticosteroid", "Takes corticosteroids; the onset is the first day", _STEROID),
        Word("corticosteroid-long-term", "Long-term corticosteroids", _STEROID),
        Word("beta-blocker", "Takes a beta-blocker"),
        Word("anticoagulant", "Takes an anticoagulant"),
        Word("osteoporosis", "Osteoporosis"),
        Word("vertebral-fracture", "Fracture of a vertebra; the onset is its day", {**_CLEARANCE}),
        Word("osteonecrosis", "Osteonecrosis"),
        Word("oa-knee", "Osteoarthritis of the knee"),
        Word("oa-hip", "Osteoarthritis of the hip"),
        Word("oa-hand", "Osteoarthritis of the hand"),
        Word("oa-spine", "Osteoarthritis of the spine", _SPINE),
        Word("acute-strain", "Acute back strain", _SPINE),
        Word("chronic-lbp", "Chronic low-back pain", _SPINE),
        Word("disc-herniation", "Disc herniation", _SPINE),
        Word("sciatica", "Sciatica", _SPINE),
        Word("cervical-radiculopathy", "Nerve-root pain from the neck", _SPINE),
        Word("spinal-stenosis", "Spinal stenosis", _SPINE),
        Word("spondylolisthesis", "Spondylolisthesis", _SPINE),
        Word("scoliosis", "Scoliosis", _SPINE),
        Word("si-joint-pain", "Sacroiliac joint pain", _SPINE),
        Word("piriformis", "Piriformis syndrome", _SPINE),
        Word("neck-pain", "Neck pain", _SPINE),
        Word("shoulder-impingement", "Subacromial shoulder pain"),
        Word("post-op-lumbar", "After surgery of the low back", _SURGERY),
        Word("post-op-hip", "After surgery of the hip", _SURGERY),
        Word("pregnancy", "Pregnancy", {"due_on": _DATE}),
        Word("falls-risk", "Risk of falls", {"is_high": Detail("flag")}),
        Word("hypertension", "High blood pressure", _CLEARANCE),
        Word("cardiac", "Heart disease", _CLEARANCE),
        Word("pool-exclusion", "A reason to stay out of the pool"),
        Word("hypermobility", "Hypermobility"),
        Word("cold-urticaria", "Hives from cold"),
        Word("cryoglobulinaemia", "Cryoglobulinaemia"),
        Word("poor-circulation", "Poor circulation"),
        Word("reduced-sensation", "Reduced feeling in the skin"),
        Word("broken-skin", "Broken or very thin skin"),
        Word("pacemaker", "Pacemaker"),
        Word("epilepsy", "Epilepsy"),
        Word("other", "Something else"),
    )
}

BACK = frozenset(
    {
        *("acute-strain", "chronic-lbp", "disc-herniation", "sciatica", "spinal-stenosis", "spondylolisthesis"),
        *("si-joint-pain", "piriformis", "oa-spine", "scoliosis"),
    }
)
"""Conditions that make a program a back program (clinical content 5, as amended)."""
RADICULAR = frozenset({"sciatica", "disc-herniation", "cervical-radiculopathy", "spinal-stenosis"})
"""Pain that travels along a nerve: spreading away from the spine matters whatever its score."""
INFLAMMATORY = frozenset({"ra", "ra-cervical-instability", "sle", "lupus-nephritis"})
"""Asked each week of stiffness, fatigue and flares (clinical content 7.1)."""
POST_OP = frozenset({"post-op-lumbar", "post-op-hip"})
_LONGEST_NAME = 100
_PAIRS = (
    ("cleared_by", "cleared_on"),
    ("neck_cleared_by", "neck_cleared_on"),
    ("back_pain_confirmed_by", "back_pain_confirmed_on"),
)
_PAST = ("cleared_on", "neck_cleared_on", "back_pain_confirmed_on", "bone_status_on", "sun_plan_on", "surgery_on")


def errors(
    code: str, joints: Iterable[str], details: Mapping[str, Any], today: date, onset_on: date | None = None
) -> Iterator[tuple[str, str]]:
    """What is wrong with a condition as it was said: (JSON pointer, sentence)."""
    word = VOCABULARY.get(code)
    if word is None:
        yield "/code", f"No condition {code}; use one of the vocabulary, or other."
        return
    said = list(joints)
    yield from (
        (f"/joints/{number}", f"Say one of {', '.join(JOINTS)}.")
        for number, joint in enumerate(said)
        if joint not in JOINTS
    )
    if code == "joint-flare" and not said:
        yield "/joints", "Say which joints are inflamed."
    for name, value in details.items():
        if wrong := _wrong_detail(word, name, value, today):
            yield f"/details/{name}", wrong
    for by, on in _PAIRS:
        if (by in details) != (on in details):
            missing = on if by in details else by
            yield f"/details/{missing}", "A clearance names the clinician and the day."
    yield from _impossible_dates(details, onset_on, today)
    if details.get("neck_status") == "cleared" and "neck_cleared_by" not in details:
        yield "/details/neck_cleared_by", "Say who cleared the neck, and when."


def _impossible_dates(details: Mapping[str, Any], onset_on: date | None, today: date) -> Iterator[tuple[str, str]]:
    """A clearance before there was anything to clear, a release before the surgery, a birth in a year's time."""
    days = {name: date.fromisoformat(said) for name, said in details.items() if name.endswith("_on") and _is_date(said)}
    for name in ("cleared_on", "neck_cleared_on"):
        if onset_on and name in days and days[name] < onset_on:
            yield f"/details/{name}", "A clearance follows the onset."
    if (surgery := days.get("surgery_on") or onset_on) and (released := days.get("released_on")) and released < surgery:
        yield "/details/released_on", "A release follows the surgery."
    if (due := days.get("due_on")) and due > today + timedelta(days=PREGNANCY_DAYS):
        yield "/details/due_on", f"A due date lies at most {PREGNANCY_DAYS} days ahead."


def _wrong_detail(word: Word, name: str, value: Any, today: date) -> str | None:
    detail = word.details.get(name)
    if detail is None:
        return f"{word.name} has no detail {name}."
    wrong = _wrong(detail, value)
    if wrong is None and name in _PAST and date.fromisoformat(value) > today:
        return "This lies in the future."
    return wrong


def _wrong(detail: Detail, value: Any) -> str | None:
    checks = {
        "date": (_is_date, "Say a date as 2026-03-04."),
        "flag": (lambda said: isinstance(said, bool), "Say true or false."),
        "name": (_is_name, f"Say a name of at most {_LONGEST_NAME} characters."),
        "number": (
            lambda said: (
                isinstance(said, int | float)
                and not isinstance(said, bool)
                and detail.limits[0] <= said <= detail.limits[1]
            ),
            f"Say a number from {detail.limits[0]:g} to {detail.limits[1]:g}.",
        ),
        "one": (lambda said: said in detail.words, f"Say one of {', '.join(detail.words)}."),
        "several": (
            lambda said: isinstance(said, list) and all(word in detail.words for word in said),
            f"Say a list out of {', '.join(detail.words)}.",
        ),
    }
    is_right, otherwise = checks[detail.kind]
    return None if is_right(value) else otherwise


def _is_date(said: Any) -> bool:
    if not isinstance(said, str) or not re.fullmatch(r"(19|20)\d\d-\d\d-\d\d", said):
        return False
    try:
        date.fromisoformat(said)
    except ValueError:
        return False
    return True


def _is_name(said: Any) -> bool:
    return isinstance(said, str) and said.isprintable() and 0 < len(said.strip()) <= _LONGEST_NAME


def effective(patient: Patient, today: date) -> tuple[Condition, ...]:
    """What the patient has today, recorded and derived.

    Derived: long-term steroids from dose and duration (assumed where either is unknown), osteoporosis from a bone
    status, an unstable neck from the neck status in rheumatoid arthritis, falls risk from the patient's record. A flare
    that has ended is left out.
    """
    found = [
        condition
        for condition in patient.conditions
        if condition.code != "joint-flare" or not ((ends := condition.on("ends_on")) and ends < today)
    ]
    codes = {condition.code for condition in found}

    def derive(code: str, *, source: Condition | None = None) -> None:
        # One for each source: of two courses of steroids the one that is not cleared of bone loss still counts.
        if code not in codes or source is not None:
            codes.add(code)
            found.append(replace(source, code=code) if source else Condition(code=code))

    for condition in list(found):
        if condition.code == "corticosteroid" and is_long_term(condition, today):
            derive("corticosteroid-long-term", source=condition)
        if condition.code.startswith("corticosteroid") and condition.details.get("bone_status") == "osteoporosis":
            derive("osteoporosis")
    if patient.falls_risk:
        derive("falls-risk")
    return (*found, *_unstable_neck(found))


def _unstable_neck(found: Sequence[Condition]) -> list[Condition]:
    """What an unstable neck status in rheumatoid arthritis adds: the instability, as sure as the arthritis is, unless
    it is recorded as sure already. A clearance recorded with a suspicion counts for it.
    """
    unstable = [one for one in found if one.code == "ra" and one.details.get("neck_status") == "unstable"]
    recorded = [one for one in found if one.code == "ra-cervical-instability"]
    is_sure = any(one.is_confirmed for one in unstable)
    if not unstable or any(one.is_confirmed for one in recorded) or (recorded and not is_sure):
        return []
    known = recorded[0] if recorded else Condition(code="ra-cervical-instability")
    return [replace(known, is_confirmed=is_sure)]


def is_long_term(steroid: Condition, today: date) -> bool:
    """2.5 mg a day or more for over three months; what is not known is assumed (GIOP22)."""
    dose = steroid.details.get("dose_mg_per_day")
    if dose is not None and dose < STEROID_DOSE:
        return False
    return steroid.onset_on is None or today - steroid.onset_on > timedelta(days=STEROID_DAYS)


def is_neck_cleared(ra: Condition) -> bool:
    """Whether a clinician recorded the neck as cleared; unknown counts as unstable (S1; RANECK13)."""
    if ra.details.get("neck_status") != "cleared":
        return False
    cleared = ra.on("neck_cleared_on")
    return cleared is None or ra.onset_on is None or cleared >= ra.onset_on
