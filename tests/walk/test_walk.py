"""The main job, on the running server over HTTP, on both databases: started as `make run` starts it."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest

from seed_data.demo import build as demo
from tests.conftest import ROOT, copied, new_database, once_a_run
from tests.postgres import wait_for

DEMO = {"username": "ines@demo.example", "password": "demo-followthrough", "grant_type": "password"}


@dataclass(frozen=True)
class Running:
    """A server process and how to reach it and its database."""

    base: str
    environment: dict[str, str]
    log: Path

    def command(self, *said: str) -> subprocess.CompletedProcess[str]:
        return command(self.environment, *said)


def command(environment: dict[str, str], *said: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *said],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
    )


@pytest.fixture(scope="module")
def clinic(kind: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of the demo clinic's database, as `make run` makes it."""

    def make(folder: Path) -> str:
        url = new_database(kind, folder / "a file.db")
        for said in (["migrate"], ["seed"], ["demo", "--if-empty"]) * 2:  # twice in a row, as two `make run`s
            done = command({**os.environ, "DATABASE_URL": url}, *said)
            assert done.returncode == 0, done.stderr
        return url

    return once_a_run(tmp_path_factory, f"a clinic {kind}", make)


@pytest.fixture(scope="module")
def server(clinic: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("a server")
    with ExitStack() as undo:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        environment = {
            **os.environ,
            "DATABASE_URL": undo.enter_context(copied(clinic)),
            "FOLLOWTHROUGH_PORT": port,
            "FOLLOWTHROUGH_EXPORTS": str(folder / "files"),
        }
        running = Running(f"http://127.0.0.1:{port}", environment, folder / "log")
        with running.log.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "serve"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            undo.callback(process.wait)
            undo.callback(process.terminate)
            wait_for(lambda: process.poll() is not None or is_up(running.base))
            assert process.poll() is None, running.log.read_text()
            yield running


def is_up(base: str) -> bool:
    try:
        return httpx.get(f"{base}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_the_main_job(server: Running) -> None:
    with httpx.Client(base_url=f"{server.base}/v1") as therapist, httpx.Client(base_url=f"{server.base}/v1") as phone:
        tokens = therapist.post("/auth/token", data=DEMO).json()
        assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 900)
        therapist.headers["Authorization"] = f"Bearer {tokens['access_token']}"

        worklist = therapist.get("/worklist").json()["items"]
        assert len(worklist) > 10
        assert [row for row in worklist if "missed that we would have expected" in row["evidence"]]

        said = {"given_name": "Nadia", "family_name": "Rossi", "birth_date": "1979-02-11"}
        patient = therapist.post("/patients", json=said).json()
        assert patient["time_zone"] == "Europe/Berlin"
        screening = {"answers": dict.fromkeys(("RF-01", "RF-02", "RF-05", "RF-06", "RF-08", "RF-10"), False)}
        assert therapist.post(f"/patients/{patient['id']}/screenings", json=screening).status_code == 201
        for path, told in (
            ("conditions", {"code": "chronic-lbp", "status": "confirmed"}),
            ("examinations", {"pain": 5, "function": 4, "tests": {"sit_to_stand_30s": 11}}),
        ):
            assert therapist.post(f"/patients/{patient['id']}/{path}", json=told).status_code == 201
        drafted = therapist.post(
            f"/patients/{patient['id']}/programs", json={"protocol": "chronic-lbp-core-stabilisation"}
        ).json()
        program = drafted["id"]
        assert (drafted["status"], drafted["revision"]["number"]) == ("draft", 1)
        assert [phase["label"] for phase in drafted["revision"]["phases"]] == ["Control", "Endurance", "Strength"]
        checked = therapist.post(f"/programs/{program}/check").json()
        assert (checked["blocks"], checked["warnings"]) == (0, 0)
        assert [burden["phase"] for burden in checked["burden"]] == ["Control", "Endurance", "Strength"]
        assert therapist.post(f"/programs/{program}/activate").json()["status"] == "active"

        invitation = therapist.post(f"/patients/{patient['id']}/invitation").json()
        grant = {"grant_type": "urn:followthrough:grant-type:invitation", "code": invitation["code"]}
        refused = phone.post("/auth/token", data=grant)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        tokens = phone.post("/auth/token", data={**grant, "birth_date": "1979-02-11"}).json()
        phone.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert phone.get("/me").json()["patient_id"] == patient["id"]
        assert phone.get("/worklist").status_code == 403

        now = datetime.now(UTC)
        today = now.astimezone(ZoneInfo("Europe/Berlin")).date().isoformat()
        session = {
            "program_id": program,
            "performed_at": now.isoformat(),
            "time_zone": "Europe/Berlin",
            "local_date": today,
            "done": "all",
            "pain_during": 3,
            "effort": 4,
        }
        session_id = uuid4()
        first = phone.put(f"/sessions/{session_id}", json=session)
        again = phone.put(f"/sessions/{session_id}", json=session)
        assert (first.status_code, first.json()["outcome"]) == (201, "created")
        assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")

        adherence = phone.get(f"/programs/{program}/adherence").json()
        assert (adherence["standing"], adherence["last_day"]) == ("on_track", today)
        assert adherence["rates"]["program"]["frequency"]["value"] == 1.0
        assert [change["standing"] for change in adherence["forecast"]] == ["watch", "lapsed", "stopped"]
        (logged,) = therapist.get(f"/programs/{program}/sessions").json()["items"]
        assert (logged["id"], len(logged["entries"]), logged["source"]) == (str(session_id), 6, "patient")

        tokens = phone.post(
            "/auth/token", data={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        )
        assert tokens.status_code == 200
        assert phone.post("/auth/revoke").status_code == 204
        assert phone.get("/me").status_code == 401


def by_the_shell(server: Running, tmp_path: Path, chapter: str) -> str:
    """The README's lines as they stand, by the shell; where there is no curl, by a stand-in that speaks the same few
    options. What they print.
    """
    readme = (ROOT / "README.md").read_text()
    walk = readme.split(f"## {chapter}")[1].split("```sh\n")[1].split("```")[0]
    assert "http://127.0.0.1:8000" in walk
    environment = server.environment
    if shutil.which("curl") is None:
        stand_in = tmp_path / "curl"
        stand_in.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{ROOT / 'tests/walk/curl.py'}' \"$@\"\n")
        stand_in.chmod(0o755)
        environment = {**environment, "PATH": f"{tmp_path}:{environment['PATH']}"}
    done = subprocess.run(
        [
            shutil.which("bash") or "/bin/bash",
            "-euo",
            "pipefail",
            "-c",
            walk.replace("http://127.0.0.1:8000", server.base),
        ],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_webhook_as_the_readme_registers_it(server: Running, tmp_path: Path) -> None:
    printed = by_the_shell(server, tmp_path, "Being told")
    assert '"secret":"whsec_' in printed
    assert '"kind":"webhook.test"' in printed


def test_the_readme_walk(server: Running, tmp_path: Path) -> None:
    printed = by_the_shell(server, tmp_path, "The walk")
    assert '"evidence"' in printed
    assert "\ninfo R-14 5 items a day" in printed
    assert "\nactive\n" in printed
    assert "['Wall side plank: hold 15 → 20 s', 'Cat and camel removed']" in printed
    assert '"outcome":"created"' in printed
    assert "| done 1\n" in printed
    assert "\nupdated version 2\n" in printed
    assert "\n1 session, 17 exercises; cursor " in printed
    adherence = json.loads("{" + printed.rsplit("\n{", 1)[1])
    assert adherence["standing"] == "on_track"


def test_what_serve_prints_is_true(server: Running) -> None:
    greeting = server.log.read_text()
    assert f"{server.base}/docs" in greeting
    logins = re.findall(r"(\S+@demo\.example)\s+password (\S+)", greeting)
    assert len(logins) == 3
    for username, password in logins:
        data = {"grant_type": "password", "username": username, "password": password}
        assert httpx.post(f"{server.base}/v1/auth/token", data=data).status_code == 200
    assert "curl -s" in greeting


def test_the_commands(server: Running, tmp_path: Path) -> None:
    assert re.fullmatch(
        r"\d+ flags announced, \d+ deliveries made, \d+ failed, 0 exports ready\.\n", server.command("sweep").stdout
    )
    verified = server.command("reassess", "--verify")
    assert (verified.returncode, verified.stdout) == (0, "0 programs differ.\n")
    assert server.command("reassess").returncode == 0
    assert json.loads(server.command("openapi").stdout)["info"]["title"] == "Followthrough"
    clinic = server.command("create-clinic", "Another", "--time-zone", "Asia/Kathmandu").stdout.strip()
    said = ["create-staff", "--clinic", clinic, "--role", "admin", "--name", "Ada", "--email", "ada@other.example"]
    server.environment["FOLLOWTHROUGH_PASSWORD"] = "correct horse battery"
    assert server.command(*said).returncode == 0
    twice = server.command(*said)
    assert (twice.returncode, twice.stderr) == (
        1,
        "followthrough: This e-mail address already has an account in this clinic.\n",
    )
    data = {"grant_type": "password", "username": "ADA@other.example", "password": "correct horse battery"}
    token = httpx.post(f"{server.base}/v1/auth/token", data=data).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{server.base}/v1/patients", headers=headers).json()["items"] == []
    told = server.command("report", "--clinic", clinic, "--out", str(tmp_path / "told"))
    assert (told.returncode, (tmp_path / "told" / "report.html").exists()) == (0, True)
    assert server.command("report", "--clinic", str(uuid4()), "--out", str(tmp_path)).returncode == 1
    nowhere = server.command("create-clinic", "Nowhere", "--time-zone", "Mars")
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (1, 1)
    assert server.command("demo").returncode == 1


def test_what_was_refused_is_listed_and_said_again(server: Running) -> None:
    tokens = httpx.post(f"{server.base}/v1/auth/token", data=DEMO).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    session_id, body = uuid4(), {"program_id": str(uuid4()), "note": "secret words"}
    assert httpx.put(f"{server.base}/v1/sessions/{session_id}", json=body, headers=headers).status_code == 422
    listed = server.command("rejects", "list")
    (line,) = [line for line in listed.stdout.splitlines() if str(session_id) in line]
    assert listed.returncode == 0
    assert "invalid" in line
    assert "secret" not in listed.stdout
    replayed = server.command("rejects", "replay", line.split()[0])
    assert (replayed.returncode, replayed.stdout) == (1, f"{line.split()[0]}  cannot be read\n")


def test_a_database_that_was_never_migrated_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path / 'empty.db'}"}
    running = Running("", environment, tmp_path / "log")
    misspelt = Running("", {**environment, "FOLLOWTHROUGH_SMTP_URL": "mail.example"}, tmp_path / "log").command("sweep")
    assert (misspelt.returncode, misspelt.stderr.count("\n")) == (1, 1)
    for said in ("serve", "seed", "demo", "sweep"):
        done = running.command(said)
        assert done.returncode == 1
        assert "followthrough migrate" in done.stderr
    environment["DATABASE_URL"] = "mysql://nobody@nowhere/nothing"
    assert "use sqlite or postgresql" in running.command("serve").stderr


PRODUCTION = {"FOLLOWTHROUGH_MODE": "production", "FOLLOWTHROUGH_BASE_URL": "https://ft.clinic.example"}


def test_the_demo_is_neither_served_nor_built_in_production(server: Running) -> None:
    there = Running("", {**server.environment, **PRODUCTION}, server.log)
    served = there.command("serve")
    assert (served.returncode, served.stdout) == (1, "")
    assert served.stderr.startswith("followthrough: not fit for production:\n")
    assert "demo clinic" in served.stderr
    built = there.command("demo")
    assert (built.returncode, "no demo clinic in production mode" in built.stderr) == (1, True)


def test_what_the_server_logged_names_nobody(server: Running) -> None:
    tokens = httpx.post(f"{server.base}/v1/auth/token", data=DEMO).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    shown = httpx.get(f"{server.base}/v1/worklist", headers=headers).json()["items"][0]
    httpx.get(f"{server.base}/v1/patients/{shown['patient']['id']}", headers=headers).raise_for_status()
    wait_for(lambda: '"route": "/v1/patients/{patient_id}"' in server.log.read_text())  # written once it is answered
    lines = [line for line in server.log.read_text().splitlines() if line.startswith("{")]
    people = [name for given, family, *_ in demo.PEOPLE["patients"] for name in (given, family)]
    told = [*people, "Nadia", "Rossi", "1979-02-11", DEMO["username"], DEMO["password"], "ft_"]
    assert not [(word, line) for line in lines for word in told if word in line and (len(word) > 3 or word == "ft_")]
