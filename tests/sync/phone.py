"""A phone: the reference client of docs/mobile-client.md, to be read by whoever writes one.

It keeps two things apart in its own database. `session` is the clinic's copy as last heard; `queue` is what the patient
said and the clinic has not answered. What the patient sees is the one laid over the other, so nothing that comes in can
disturb what waits, and whatever is refused falls back to the clinic's copy by itself.

Every step is one transaction: killed anywhere, the phone goes on from its database alone. It never sleeps; it is given
a clock, which may be wrong, and says how long to wait.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx

Json = dict[str, Any]

MOST_ITEMS = 200
LONGEST_WAIT = 300.0
"""Seconds between tries when the clinic cannot be reached for long."""
ENTRY = ("line_id", "sets", "reps", "hold_seconds", "minutes", "skipped", "reason", "pain", "not_sure")
SESSION = (
    *("program_id", "performed_at", "time_zone", "local_date", "done", "reason", "pain_before", "pain_during"),
    *("pain_after", "effort", "settled_by_morning", "fatigue", "stiffness_minutes", "spread_to", "chips", "note"),
    *("ext", "entries"),
)
"""What of the clinic's copy is said again when a session is changed; the rest is the clinic's to say."""

TABLES = """
pragma synchronous = full;
create table if not exists kept (name text primary key, value text not null);
create table if not exists program (id text primary key, body text not null);
create table if not exists session (id text primary key, version integer not null, body text, deleted integer not null);
create table if not exists earlier (id text primary key, version integer not null, body text, deleted integer not null);
create table if not exists queue (place integer primary key autoincrement, id text not null, item text not null,
    sent integer not null default 0);
create index if not exists queue_of on queue (id, place);
create table if not exists conflict (id text primary key, mine text not null);
create table if not exists refused (place integer primary key, id text not null, item text not null,
    problem text not null);
create table if not exists advice (place integer primary key, text text not null);
"""


def _moved(session: Json, by: timedelta) -> Json:
    """When a session was, by a clock that was set; it stays as many days beside the date as the patient counted it."""
    zone, said = ZoneInfo(session["time_zone"]), datetime.fromisoformat(session["performed_at"])
    beside = date.fromisoformat(session["local_date"]) - said.astimezone(zone).date()
    at = (said + by).astimezone(zone)
    return {"performed_at": at.isoformat(), "local_date": (at.date() + beside).isoformat()}


class SignedOutError(Exception):
    """The clinic does not know this phone any more: the patient needs a new invitation. All data stays."""


class _LaterError(Exception):
    """No answer, or none that can be used now."""

    def __init__(self, at_least: float = 0.0) -> None:
        self.at_least = at_least


class Phone:
    """One patient's phone. `http` has the address of the API as its base; `clock` is what the phone shows."""

    def __init__(self, path: Path, http: httpx.Client, clock: Callable[[], datetime], dice: Random) -> None:
        self.http, self.clock, self.dice = http, clock, dice
        self.batch = MOST_ITEMS
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript(TABLES)

    # What the patient does. None of it needs a network, and all of it is safe before anything is sent.

    def log(self, session: Json) -> str:
        """Log a session. Its id is made here, once: whatever is sent again is sent under the same id."""
        session_id = str(uuid4())
        with self._writing():
            self._enqueue({"op": "put", "id": session_id, "session": session})
        return session_id

    def amend(self, session_id: str, **changed: Any) -> None:
        """Change a session, wherever it was logged."""
        with self._writing():
            shown = self.sessions()[session_id]
            # What changes nothing is not said: it would make no version for the next change to rest on.
            if shown | changed != shown:
                self._change({"op": "put", "id": session_id, "session": shown | changed})

    def take_back(self, session_id: str) -> None:
        """Delete a session."""
        with self._writing():
            self._change({"op": "delete", "id": session_id})

    def keep_mine(self, session_id: str) -> None:
        """Of two versions the patient prefers their own: said again, resting on the clinic's copy they were shown."""
        with self._writing():
            (mine,) = self.db.execute("select mine from conflict where id = ?", [session_id]).fetchone()
            self.db.execute("delete from conflict where id = ?", [session_id])
            self._enqueue(json.loads(mine) | {"base_version": self._version(session_id)})

    def take_theirs(self, session_id: str) -> None:
        """Of two versions the patient prefers the clinic's, which is here already."""
        with self._writing():
            self.db.execute("delete from conflict where id = ?", [session_id])

    def clock_was_set(self, by: timedelta) -> None:
        """The system says that the clock was moved `by`: what was logged by the old one and never sent moves along."""
        with self._writing():
            rows = self.db.execute("select place, item from queue where not sent").fetchall()
            for place, text in rows:
                item = json.loads(text)
                # A change says again what the clinic has heard already; that it does not move.
                if item["op"] == "put" and item.get("base_version") is None:
                    item["session"] |= _moved(item["session"], by)
                    self.db.execute("update queue set item = ? where place = ?", [json.dumps(item), place])

    def sessions(self) -> dict[str, Json]:
        """Every session as the patient sees it: the clinic's copy with what waits laid over it."""
        rows = self.db.execute("select id, body from session where not deleted order by id")
        shown = {session_id: json.loads(body) for session_id, body in rows}
        waiting = "select mine from conflict union all select * from (select item from queue order by place)"
        for (text,) in self.db.execute(waiting).fetchall():
            item = json.loads(text)
            shown.pop(item["id"], None)
            if item["op"] == "put":
                shown[item["id"]] = item["session"]
        return shown

    def conflicts(self) -> list[str]:
        """The sessions that wait for the patient's decision; leave them alone until then."""
        return [row[0] for row in self.db.execute("select id from conflict order by id")]

    def refused(self) -> list[tuple[Json, Json]]:
        """What the clinic could not take, with the problem, for the patient to correct and log again."""
        rows = self.db.execute("select item, problem from refused order by place")
        return [(json.loads(item), json.loads(problem)) for item, problem in rows]

    def queued(self) -> list[Json]:
        """What waits, oldest first."""
        return [json.loads(row[0]) for row in self.db.execute("select item from queue order by place")]

    def advice(self) -> list[str]:
        """What to show the patient at once."""
        return [row[0] for row in self.db.execute("select text from advice order by place")]

    # Talking to the clinic.

    def sign_in(self, code: str, birth_date: str) -> None:
        """Exchange an invitation. On a phone that was signed out the queue and everything else stay."""
        grant = "urn:followthrough:grant-type:invitation"
        self._exchange({"grant_type": grant, "code": code, "birth_date": birth_date})

    def sync(self) -> float:
        """Send what waits, then hear what is new. Returns the seconds to wait before trying again; 0: all is said and
        heard. Call it when the patient logs, when the network comes back, and after each wait.
        """
        try:
            self._push()
            while self._pull():
                self._push()
        except _LaterError as later:
            failures = int(self._kept("failures") or 0) + 1
            with self._writing():
                self._keep("failures", str(failures))
            # Growing, so that a clinic in trouble is left alone; with chance, so that phones do not come all at once.
            wait = min(LONGEST_WAIT, 2.0 ** min(failures - 1, 10)) * self.dice.uniform(0.5, 1.0)
            return max(wait, later.at_least)
        with self._writing():
            self._keep("failures", "0")
        return 0.0

    def _push(self) -> None:
        """Send the queue, oldest first, until everything in it was answered once."""
        put_off: set[str] = set()
        while batch := self._next_batch(put_off):
            with self._writing():
                # From here on the clinic may know it, whether or not we hear so: it must not be changed in place.
                self.db.executemany("update queue set sent = 1 where place = ?", [(place,) for place, _ in batch])
            # Read as it is sent: it tells the clinic how wrong our clock is.
            said = {"client_sent_at": self.clock().isoformat(), "items": [item for _, item in batch]}
            answer = self._call("POST", "/sync/push", json=said)
            results: list[Json]
            if answer.status_code == 413 and len(batch) > 1:
                self.batch = len(batch) // 2
                continue
            if answer.status_code == 413:
                # Too large by itself: refused, so that it does not stand in the way of the others for ever.
                results = [{"outcome": "rejected", "problem": answer.json(), "session": None, "advice": []}]
            else:
                results = answer.raise_for_status().json()["results"]
            for (place, item), result in zip(batch, results, strict=True):
                # One transaction an item: killed in between, the rest is sent again and answered `unchanged`.
                with self._writing():
                    if not self._settle(place, item, result):
                        put_off.add(item["id"])

    def _next_batch(self, put_off: set[str]) -> list[tuple[int, Json]]:
        """The oldest change of each session: one that rests on another waits until that was answered."""
        oldest = "select id, place, item from queue where place in (select min(place) from queue group by id)"
        rows = self.db.execute(f"{oldest} order by place")
        waiting = ((place, json.loads(item)) for session_id, place, item in rows if session_id not in put_off)
        return list(islice(waiting, self.batch))

    def _settle(self, place: int, item: Json, result: Json) -> bool:
        """Act on the answer to one item; False if it stays queued."""
        for text in result["advice"]:
            self.db.execute("insert into advice (text) values (?)", [text])
        if result["session"] is not None:
            self._take(result["session"])
        outcome: Literal["created", "updated", "deleted", "unchanged", "conflict", "rejected", "deferred"]
        outcome = result["outcome"]
        if outcome == "deferred":
            return False
        self.db.execute("delete from queue where place = ?", [place])
        if outcome == "conflict":
            # The patient decides, by the latest of what they said; it all rests on what is not so.
            rows = self.db.execute("select item from queue where id = ? order by place", [item["id"]]).fetchall()
            mine = rows[-1][0] if rows else json.dumps(item)
            self.db.execute("delete from queue where id = ?", [item["id"]])
            self.db.execute("insert or replace into conflict values (?, ?)", [item["id"], mine])
        elif outcome == "rejected":
            refused = [item["id"], json.dumps(item), json.dumps(result["problem"])]
            self.db.execute("insert into refused (id, item, problem) values (?, ?, ?)", refused)
            self._rest_lower(item["id"])
        elif result["session"] is None:
            # The clinic holds what we said, under this version.
            held = item["session"] if item["op"] == "put" else None
            self._store(item["id"], result["version"], held)
        return True

    def _rest_lower(self, session_id: str) -> None:
        """A change was refused, so those queued behind it rest on the version before."""
        rows = self.db.execute("select place, item from queue where id = ?", [session_id]).fetchall()
        for place, text in rows:
            item = json.loads(text)
            item["base_version"] = item["base_version"] - 1 or None
            if item["op"] == "delete" and item["base_version"] is None:
                # It was never there; asking to delete it would be put off for ever.
                self.db.execute("delete from queue where place = ?", [place])
            else:
                self.db.execute("update queue set item = ? where place = ?", [json.dumps(item), place])

    def _pull(self) -> bool:
        """Hear what is new, page by page; True if that showed something to be said again."""
        while True:
            cursor = self._kept("cursor")
            answer = self._call("GET", "/sync/pull", params={"cursor": cursor} if cursor else {})
            if answer.status_code == 409 and answer.json()["code"] == "resync_required":
                with self._writing():
                    self.db.execute("delete from kept where name = 'cursor'")
                continue
            answer.raise_for_status()
            page = answer.json()
            with self._writing():
                # The page and its cursor together: killed before, it is pulled again; after, it is all here.
                if cursor is None:
                    # Everything anew. The clinic's word replaces ours, the queue stays: it is the patient's. What was
                    # heard earlier is kept until all is heard: a clinic restored from a backup has forgotten some.
                    self.db.execute("insert or replace into earlier select * from session")
                    self.db.execute("delete from session")
                    self.db.execute("delete from program")
                for program in page["programs"]:
                    self.db.execute(
                        "insert or replace into program values (?, ?)", [program["id"], json.dumps(program)]
                    )
                for session in page["sessions"]:
                    self._take(session)
                for tombstone in page["tombstones"]:
                    self._store(tombstone["id"], tombstone["version"], None)
                self._keep("cursor", page["cursor"])
                if not page["has_more"]:
                    return self._say_again()

    def _say_again(self) -> bool:
        """Queue what the clinic had acknowledged and does not know any more, at the version it knows."""
        rows = self.db.execute(
            "select earlier.id, earlier.body, session.version from earlier left join session using (id)"
            " where earlier.version > coalesce(session.version, 0) and (session.id is not null or not earlier.deleted)"
            " and session.body is not earlier.body"
            " and id not in (select id from queue union select id from conflict) order by id"
        ).fetchall()
        for session_id, text, version in rows:
            body = json.loads(text)
            said = {"op": "delete"} if body is None else {"op": "put", "session": body}
            self._enqueue({"id": session_id, "base_version": version} | said)
        self.db.execute("delete from earlier")
        return bool(rows)

    def _call(self, method: str, path: str, **said: Any) -> httpx.Response:
        """A request as the patient; with a fresh token if the one at hand has run out."""
        for is_last in (False, True):
            headers = {"Authorization": f"Bearer {self._kept('access')}"}
            answer = self._request(method, path, headers=headers, **said)
            if answer.status_code != 401:
                return answer
            if not is_last:
                self._exchange({"grant_type": "refresh_token", "refresh_token": self._kept("refresh") or ""})
        raise SignedOutError

    def _exchange(self, grant: dict[str, str]) -> None:
        """Get tokens. Store both at once, before they are used: a refresh token is good for one exchange."""
        answer = self._request("POST", "/auth/token", data=grant)
        if answer.status_code == 400:
            raise SignedOutError
        answer.raise_for_status()
        tokens = answer.json()
        with self._writing():
            self._keep("access", tokens["access_token"])
            self._keep("refresh", tokens["refresh_token"])

    def _request(self, method: str, path: str, **said: Any) -> httpx.Response:
        """Any request; what may go better later is told from what is wrong."""
        try:
            answer = self.http.request(method, path, **said)
        except httpx.TransportError:
            raise _LaterError from None
        if answer.status_code == 429 or answer.status_code >= 500:
            raise _LaterError(float(answer.headers.get("Retry-After", 0)))
        if answer.is_error and answer.json().get("retryable"):
            raise _LaterError
        return answer

    # The phone's database.

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: all of it, or, killed in the middle, nothing."""
        self.db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.db.execute("rollback")
            raise
        self.db.execute("commit")

    def _change(self, item: Json) -> None:
        """Queue a change of a session that is known here."""
        last = self.db.execute(
            "select place, item, sent from queue where id = ? order by place desc limit 1", [item["id"]]
        ).fetchone()
        if last is None:
            base = self._version(item["id"])
            if item["op"] == "put" or base is not None:
                self._enqueue(item | {"base_version": base})
            return
        place, waiting, sent = last[0], json.loads(last[1]), last[2]
        base = waiting.get("base_version")
        if sent:
            # The clinic may have it by now: the change comes behind it, resting on the version it will have.
            self._enqueue(item | {"base_version": (base or 0) + 1})
            return
        # Nobody but us has seen it: it is changed where it waits.
        self.db.execute("delete from queue where place = ?", [place])
        if item["op"] == "put" or base is not None:
            self._enqueue(item | {"base_version": base})

    def _enqueue(self, item: Json) -> None:
        self.db.execute("insert into queue (id, item) values (?, ?)", [item["id"], json.dumps(item)])

    def _take(self, theirs: Json) -> None:
        """The clinic's copy of a session, unless a later one is here."""
        body = {name: theirs[name] for name in SESSION}
        body["entries"] = [{name: entry[name] for name in ENTRY} for entry in theirs["entries"]]
        self._store(theirs["id"], theirs["version"], None if theirs["deleted_at"] else body)

    def _store(self, session_id: str, version: int, body: Json | None) -> None:
        """Not lower, rather than higher: our own come back with what the clinic filled in."""
        if version >= (self._version(session_id) or 0):
            row = [session_id, version, json.dumps(body), body is None]
            self.db.execute("insert or replace into session values (?, ?, ?, ?)", row)

    def _version(self, session_id: str) -> int | None:
        row = self.db.execute("select version from session where id = ?", [session_id]).fetchone()
        return row[0] if row else None

    def _kept(self, name: str) -> str | None:
        row = self.db.execute("select value from kept where name = ?", [name]).fetchone()
        return row[0] if row else None

    def _keep(self, name: str, value: str) -> None:
        self.db.execute("insert or replace into kept values (?, ?)", [name, value])
