"""How a program is being followed: pure rules, no clock, no I/O.

Give `assess` a plan, the days done and a moment; it says how things stand and what silence alone will change.
"""

from models.adherence.assessment import RULE_VERSION, Assessment, Change, Standing, assess, standing_at
from models.adherence.plan import Flare, Line, Pause, Phase, Plan, Revision
from models.adherence.silence import Done, SilenceRule

__all__ = [
    "RULE_VERSION",
    "Assessment",
    "Change",
    "Done",
    "Flare",
    "Line",
    "Pause",
    "Phase",
    "Plan",
    "Revision",
    "SilenceRule",
    "Standing",
    "assess",
    "standing_at",
]
