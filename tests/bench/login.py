"""`make bench-login`: whether the time of a refused login tells that an address has an account."""

import statistics
import sys
import time
from datetime import timedelta

import httpx
from anyio.from_thread import start_blocking_portal

from api.app import create_app
from api.settings import Settings
from models.database import Database
from models.operations import accounts
from models.operations.credentials import hash_password
from models.operations.throttles import WINDOW
from models.tables import Role
from tests.asgi import InProcess
from tests.bench.databases import a_database
from tests.builders import NOON, a_clinic

TRIES = 200
WARMING = 20
BAR = 0.05
KNOWN, UNKNOWN, DISABLED = "known@clinic.example", "unknown@clinic.example", "disabled@clinic.example"


def main() -> int:
    worst = 0.0
    for kind in ("sqlite", "postgresql"):
        with a_database(kind) as database:
            taken = _medians(database)
        known = taken[KNOWN]
        for email in (UNKNOWN, DISABLED):
            apart = abs(taken[email] - known) / known
            worst = max(worst, apart)
            name = email.partition("@")[0]
            print(
                f"login, {kind}: median {known:.2f} ms with an account, {taken[email]:.2f} ms {name}: "
                f"{apart:.1%} apart (bar {BAR:.0%})"
            )
    return 0 if worst <= BAR else 1


def _medians(database: Database) -> dict[str, float]:
    """Milliseconds, each of `TRIES` tries, in turn, so that whatever else the machine does befalls all alike."""
    with database.writing() as tx:
        clinic_id = a_clinic(tx).clinic_id
        for email in (KNOWN, DISABLED):
            account = accounts.create_staff(
                tx,
                clinic_id,
                role=Role.THERAPIST,
                name="Somebody",
                email=email,
                password_hash=hash_password("what nobody guesses"),
                now=NOON,
            )
            account.disabled_at = NOON if email == DISABLED else None
    app = create_app(Settings(sweep_seconds=0), database)
    taken: dict[str, list[float]] = {KNOWN: [], UNKNOWN: [], DISABLED: []}
    with (
        start_blocking_portal() as portal,
        httpx.Client(transport=InProcess(app, portal), base_url="http://bench") as http,
    ):
        for round_ in range(TRIES + WARMING):
            app.state.clock = lambda moment=NOON + round_ * (WINDOW + timedelta(seconds=1)): moment  # never throttled
            emails = list(taken)
            for email in emails[round_ % 3 :] + emails[: round_ % 3]:
                said = {"grant_type": "password", "username": email, "password": "a guess"}
                began = time.perf_counter()
                answer = http.post("/v1/auth/token", data=said)
                spent = time.perf_counter() - began
                assert answer.status_code == 400, answer.text
                if round_ >= WARMING:
                    taken[email].append(spent * 1000)
    return {email: statistics.median(each) for email, each in taken.items()}


if __name__ == "__main__":
    sys.exit(main())
