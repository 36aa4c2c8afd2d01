"""How it is kept: one module per noun, no rules."""

from models.tables.account import Account, Device, Login, Reply, Role, SignIn, Throttle, Token, TokenKind
from models.tables.base import Base
from models.tables.clinic import Clinic
from models.tables.exercise import (
    Category,
    Exercise,
    ExerciseNeed,
    Laterality,
    LoadTag,
    Precaution,
    PrecautionSeverity,
    Protocol,
)
from models.tables.patient import Condition, ConditionStatus, Invitation, InvitationCode, Patient, Screening
from models.tables.program import (
    Item,
    Pause,
    PauseReason,
    Phase,
    Program,
    ProgramStatus,
    ProgramType,
    Revision,
    Side,
    TeachBack,
)
from models.tables.session import DoneShare, RejectedSession, SessionEntry, SessionLog, Source
from models.tables.standing import Announcement, Flag, ProgramStanding

__all__ = [
    "Account",
    "Announcement",
    "Base",
    "Category",
    "Clinic",
    "Condition",
    "ConditionStatus",
    "Device",
    "DoneShare",
    "Exercise",
    "ExerciseNeed",
    "Flag",
    "Invitation",
    "InvitationCode",
    "Item",
    "Laterality",
    "LoadTag",
    "Login",
    "Patient",
    "Pause",
    "PauseReason",
    "Phase",
    "Precaution",
    "PrecautionSeverity",
    "Program",
    "ProgramStanding",
    "ProgramStatus",
    "ProgramType",
    "Protocol",
    "RejectedSession",
    "Reply",
    "Revision",
    "Role",
    "Screening",
    "SessionEntry",
    "SessionLog",
    "Side",
    "SignIn",
    "Source",
    "TeachBack",
    "Throttle",
    "Token",
    "TokenKind",
]
