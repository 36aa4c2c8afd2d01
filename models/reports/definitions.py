"""How the numbers of the reports came about: each with an id and a version that is raised when its meaning changes."""

from models.reports.tables import Definition

_ABC = "ABC taxonomy (Vrijens 2012); engine study, sections 1 and 4"

FREQUENCY = Definition(
    id="frequency",
    version=1,
    says="Session days done ÷ expected. Exercise cannot be banked: done is capped at expected in each seven days."
    " Pauses and days outside the program are in neither number.",
    source=_ABC,
)
COMPLETENESS = Definition(
    id="completeness",
    version=1,
    says="Items touched ÷ expected, each exercise capped at what was expected of it in seven days.",
    source=_ABC,
)
DOSE = Definition(
    id="dose",
    version=1,
    says="The mean share of the prescribed sets × repetitions × hold, or minutes, over the items touched, each at most"
    " 100 %. What was not told was done as prescribed.",
    source=_ABC,
)
IMPLEMENTATION = Definition(
    id="implementation",
    version=1,
    says="Frequency, completeness and dose within episodes: the days of silences that had lapsed are in neither"
    " number.",
    source=_ABC,
)
INITIATION = Definition(
    id="initiation",
    version=1,
    says="Days from the program's first day to the first session with exercise.",
    source=_ABC,
)
PERSISTENCE = Definition(
    id="persistence",
    version=1,
    says="Days from the first session to discontinuation, which is dated at the last session: the silence stands at"
    " “stopped”, or the patient said so. Censored while the program is followed, and at its planned end.",
    source=_ABC,
)
CHANGE = Definition(
    id="pain_change",
    version=1,
    says="The median of the last three pains told beside that of the first three; two points matter.",
    source="MIC08; Ostelo 2008",
)
WEEKLY_FREQUENCY = Definition(
    id="weekly_frequency",
    version=1,
    says="Session days done ÷ expected, capped in each ISO week, over whole weeks of the period and the weeks up to"
    " that of each program's last session: weeks of silence at the end are persistence, not implementation.",
    source=_ABC,
)

OF_A_PROGRAM = (INITIATION, FREQUENCY, COMPLETENESS, DOSE, IMPLEMENTATION, PERSISTENCE, CHANGE)
