"""A clinic with as many flags as asked for, written in bulk: what the list is read from, without the life behind it."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

_WORDS = {
    "sqlite": {
        "numbers": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)",
        "own": "printf('%032x', i)",
        "fresh": "lower(hex(randomblob(16)))",
        "uuid": "'{}'",
        "at": "datetime(:first, '+' || (i - 5000 * (i / 5000)) || ' minutes')",
    },
    "postgresql": {
        "numbers": "WITH n(i) AS (SELECT generate_series(1, :count))",
        "own": "CAST(lpad(to_hex(i), 32, '0') AS uuid)",
        "fresh": "gen_random_uuid()",
        "uuid": "CAST('{}' AS uuid)",
        "at": "CAST(:first AS timestamptz) + (i - 5000 * (i / 5000)) * interval '1 minute'",
    },
}
_EVIDENCE = (
    '{"last_day": "2025-03-28", "habit": 1.0, "usual_done": 5.0, "usual_expected": 5.0, "sync_allowance_slots": 0,'
    ' "slots_after_days": [3, 4, 5, 6, 7, 10]}'
)


def many_flags(
    tx: Session, clinic_id: UUID, therapist_id: UUID, *, programs: int, due: int, closed_each: int, now: datetime
) -> None:
    """So many patients with an open silence each, of which `due` are due at `now` and the others promised, and with a
    history of closed ones.
    """
    words = _WORDS[tx.get_bind().dialect.name]
    clinic, therapist = (
        words["uuid"].format(one.hex if "CAST" not in words["uuid"] else one) for one in (clinic_id, therapist_id)
    )
    tx.execute(
        text(
            "INSERT INTO patient (clinic_id, id, given_name, family_name, time_zone, language, therapist_id, equipment,"  # noqa: S608  (the numbers are ours)
            " preferences, version, change_number, created_at)"
            f" {words['numbers']} SELECT {clinic}, {words['own']}, 'Given', 'Family', 'Europe/London', 'en',"
            f" {therapist}, '[]', '{{}}', 1, 0, {words['at']} FROM n"
        ),
        {"count": programs, "first": "2024-01-01 00:00:00"},
    )
    soon, long_ago = now - timedelta(days=10), now - timedelta(days=300)
    ahead = now + timedelta(days=1)
    groups: list[tuple[int, int, datetime, datetime | None]] = [
        (due, 0, soon, None),
        (programs - due, due, ahead, None),
    ]
    groups += [
        (programs, 0, long_ago + timedelta(days=number), long_ago + timedelta(days=200))
        for number in range(closed_each)
    ]
    for count, skipped, opens, closed in groups:
        numbered = words["own"].replace("i)", f"i + {skipped})")
        ends = "NULL, NULL" if closed is None else f"{words['at'].replace(':first', ':closed')}, 'returned'"
        tx.execute(
            text(
                "INSERT INTO flag (clinic_id, id, patient_id, about_id, kind, severity, opens_at, episode, evidence,"  # noqa: S608  (as above)
                " closed_at, closed_because, deeds, version, rule_version, created_at)"
                f" {words['numbers']} SELECT {clinic}, {words['fresh']}, {numbered}, {words['fresh']}, 'silence',"
                f" 2 + (i - 2 * (i / 2)), {words['at']}, '2025-03-28', CAST(:evidence AS {_json(tx)}), {ends},"
                f" '[]', 1, 1, {words['at']} FROM n"
            ),
            {
                "count": count,
                "first": f"{opens:%Y-%m-%d %H:%M:%S}",
                "evidence": _EVIDENCE,
                **({} if closed is None else {"closed": f"{closed:%Y-%m-%d %H:%M:%S}"}),
            },
        )
    tx.execute(text("ANALYZE"))


def _json(tx: Session) -> str:
    return "jsonb" if tx.get_bind().dialect.name == "postgresql" else "text"
