"""Records that do not say whose they are: pseudonyms in the place of ids, days moved, birth years."""

import hmac
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar
from uuid import UUID

FURTHEST = 26
"""Weeks that the days of a patient are moved at most, to either side; at least one."""
OLDEST = 90
"""Years: of whoever may be as old, no birth year is told (45 CFR 164.514(b)(2)(i)(C))."""

Moment = TypeVar("Moment", bound=date)


@dataclass(frozen=True, slots=True)
class Veil:
    """De-identification under one salt, which is drawn for one export and kept no longer than it is written.

    An id becomes an HMAC-SHA-256 of itself, cut to 128 bits: one person has one pseudonym in one export, and another in
    the next, so that two exports cannot be put together by it. The days of a patient are all moved by the same whole
    number of weeks, from 1 to 26 back or ahead: weekdays and intervals stay, dates do not. Of the birth date the year
    stays, or that it was 90 years ago or longer. Names, addresses, time zones, languages, notes and every other text
    that a person may have typed are left out; of words the known ones stay.

    This protects from whoever holds the file alone and looks for a name, an id or a date. It does not make the data
    anonymous: who knows what somebody did, a pattern of days and times, a rare combination of exercises, an age, may
    find that person again, and who has the clinic's own database surely can. A moved day still tells the season roughly
    and the time of day exactly, and the rows stand in the order of the clinic's keys. It is not the Safe Harbor method
    of HIPAA, which takes all dates but the year; pass such files on under an agreement, as data about people.
    """

    salt: bytes
    today: date
    """By which ages are reckoned."""

    def pseudonym(self, id_: UUID) -> str:
        """32 hexadecimal digits in the place of an id."""
        return self._digest(b"id", id_)[:16].hex()

    def moved(self, moment: Moment, patient_id: UUID) -> Moment:
        """A day or an instant, moved with all the others of the patient."""
        drawn = int.from_bytes(self._digest(b"weeks", patient_id)[:8]) % (2 * FURTHEST)
        return moment + timedelta(weeks=drawn - FURTHEST + (drawn >= FURTHEST))

    def is_oldest(self, born: date) -> bool:
        """Whether someone is 90, or becomes it this year: of a year alone it cannot be told."""
        return self.today.year - born.year >= OLDEST

    def birth_year(self, born: date) -> int | None:
        """The year, unless it is told by `is_oldest`."""
        return None if self.is_oldest(born) else born.year

    def _digest(self, use: bytes, id_: UUID) -> bytes:
        return hmac.digest(self.salt, use + id_.bytes, "sha256")
