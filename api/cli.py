"""The other door: `followthrough serve | migrate | seed | demo | …`."""

import argparse
import getpass
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError
from tqdm import tqdm

from api import logs, production
from api.exports import xlsx
from api.exports.jobs import lines, pages, path_of, private, remove
from api.settings import Settings, secret
from api.sweeping import Sweeper, carrier
from models.database import Database, open_database, sqlite_module
from models.operations import (
    accounts,
    audit,
    erasure,
    exporting,
    exports,
    feed,
    passwords,
    rejects,
    retention,
    sweep,
    walls,
)
from models.operations.backups import keeping
from models.operations.backups.postgres import Programs
from models.operations.credentials import new_key
from models.operations.pseudonyms import Veil
from models.operations.sessions import REFUSED
from models.refusals import Refusal
from models.reports.tables import Value
from models.tables import STAFF, ExportContent, ExportFormat, Role
from seed_data.demo import build as demo
from seed_data.load import load

if TYPE_CHECKING:
    from alembic.config import Config
    from fastapi import FastAPI

# What only some commands need is imported there: the routes and their words take half a second, twice what most do.
ROOT = Path(__file__).parent.parent

WALKS_THROUGH = """
But it holds nobody back who connects as {role}: PostgreSQL asks a superuser, or a role that may bypass row-level
security, nothing. Migrate as {role}; let the server connect as a role of its own:

  create role followthrough_app login password '...' nosuperuser nobypassrls;
  grant usage on schema public to followthrough_app;
  grant select, insert, update, delete on all tables in schema public to followthrough_app;
  alter default privileges in schema public grant select, insert, update, delete on tables to followthrough_app;"""


def main(said: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 when all went well, 1 when refused, 2 when misspelled."""
    arguments = _parser().parse_args(said)
    try:
        settings = Settings.from_environment()
        return int(arguments.run(settings, arguments) or 0)
    except Refusal as refusal:
        print(f"followthrough: {refusal}", file=sys.stderr)
    except SQLAlchemyError as error:
        print(f"followthrough: the database refused ({type(error).__name__}).", file=sys.stderr)
        print("Has it been migrated? Try: followthrough migrate", file=sys.stderr)
    except ValueError as error:
        print(f"followthrough: {error}", file=sys.stderr)
    return 1


def application() -> "FastAPI":
    """The HTTP application as a server process makes it."""
    from api import serving  # noqa: PLC0415  (only here)
    from api.app import create_app  # noqa: PLC0415  (only here)

    settings = Settings.from_environment()
    logs.start(settings.log_level)
    serving.give_memory_back()
    database = _database(settings)
    production.insist(settings, database)
    return create_app(settings, database)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="followthrough", description="Home exercise that notices who is stopping.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    serving = command("serve", serve, "Serve HTTP.")
    serving.add_argument("--workers", type=int, default=1, help="processes (PostgreSQL only)")
    command("migrate", migrate, "Bring the database's tables up to date.")
    command("seed", seed, "Put exercises, precautions and protocols into the catalogue.")
    showing = command("demo", build_demo, "Build the demo clinic.")
    showing.add_argument("--if-empty", action="store_true", help="only if there is no clinic yet")
    command("sweep", run_sweep, "Announce and deliver what has come due; forget what has expired; work on exports.")
    writing = command("export", run_export, "Write rows of a clinic into a file.")
    writing.add_argument("--clinic", required=True, type=UUID, help="the clinic's id")
    writing.add_argument("--content", required=True, choices=[one.value for one in ExportContent])
    writing.add_argument("--format", default=ExportFormat.NDJSON.value, choices=[one.value for one in ExportFormat])
    writing.add_argument("--out", required=True, type=Path, metavar="FILE", help="is not overwritten")
    writing.add_argument("--from", dest="from_on", type=date.fromisoformat, metavar="DAY", help="first local day")
    writing.add_argument("--to", dest="to_on", type=date.fromisoformat, metavar="DAY", help="last local day")
    writing.add_argument("--bom", action="store_true", help="CSV: begin with a byte order mark")
    writing.add_argument("--delimiter", default=",", choices=[",", ";"], help="CSV: between fields")
    writing.add_argument(
        "--de-identified", action="store_true", help="pseudonyms, moved days, birth years; not anonymous"
    )
    counting = command("reassess", run_reassess, "Judge every program anew from its sessions.")
    counting.add_argument("--verify", action="store_true", help="change nothing; fail if anything would change")
    refused = command("rejects", run_rejects, "Sessions that were refused and kept: list them, or say them again.")
    refused.add_argument("deed", choices=["list", "replay"])
    refused.add_argument("ids", nargs="*", type=UUID, metavar="ID", help="only these")
    refused.add_argument("--clinic", type=UUID, help="only of this clinic")
    refused.add_argument("--all", action="store_true", help="list also those whose session was stored since")
    _add_keeping(command)
    telling = command("report", run_report, "Write a report as a page with its charts and tables into a folder.")
    telling.add_argument("--clinic", required=True, type=UUID, help="the clinic's id")
    telling.add_argument("--program", type=UUID, help="of one program; else of the whole clinic")
    telling.add_argument("--from", dest="from_on", type=date.fromisoformat, help="first day, as 2026-03-04")
    telling.add_argument("--to", dest="to_on", type=date.fromisoformat, help="last day")
    telling.add_argument("--out", type=Path, default=Path("reports"), help="the folder (default: reports)")
    _add_duties(command)
    command("openapi", show_openapi, "Print the OpenAPI document.")
    founding = command("create-clinic", create_clinic, "Create a clinic.")
    founding.add_argument("name")
    founding.add_argument("--time-zone", required=True, help="IANA name, for example Europe/Berlin")
    founding.add_argument("--locale", default="en")
    hiring = command("create-staff", create_staff, "Create a member of staff; asks for the password.")
    hiring.add_argument("--clinic", required=True, type=UUID, help="the clinic's id")
    hiring.add_argument("--role", required=True, choices=sorted(STAFF))
    hiring.add_argument("--name", required=True)
    hiring.add_argument("--email", required=True)
    return parser


def _add_keeping(command: Callable[[str, object, str], argparse.ArgumentParser]) -> None:
    saving = command("backup", run_backup, "Write the whole database into one file, while it is served.")
    saving.add_argument("--out", required=True, type=Path, metavar="FILE", help="is not overwritten")
    restoring = command("restore", run_restore, "Put a backup into the database, or try it out.")
    restoring.add_argument("file", type=Path, metavar="FILE")
    restoring.add_argument("--verify", action="store_true", help="restore it elsewhere, look at that, change nothing")
    restoring.add_argument("--replace", action="store_true", help="also over a database that is not empty")
    restoring.add_argument(
        "--keep-sign-ins", action="store_true", help="whoever was signed in or invited then is so again"
    )
    for each in (saving, restoring):
        each.add_argument(
            "--programs", type=Path, metavar="FOLDER", help="where pg_dump and pg_restore are (default: on the PATH)"
        )
    command("resync", run_resync, "After a restore by other means: let every phone start its pull anew.")
    walling = command("db", run_walls, "PostgreSQL: let the database itself keep clinics apart (row-level security).")
    walling.add_argument("deed", choices=["harden", "soften"])
    walling.add_argument("--check", action="store_true", help="only say how the wall stands; fail if it does not")


def _add_duties(command: Callable[[str, object, str], argparse.ArgumentParser]) -> None:
    auditing = command("audit", run_audit, "Walk the audit trail's chains; fail if a row was altered, taken or moved.")
    auditing.add_argument("deed", choices=["verify"])
    auditing.add_argument("--clinic", type=UUID, help="only of this clinic")
    auditing.add_argument("--noted", metavar="NUMBER:HASH", help="the end of the clinic's chain as you noted it before")
    ending = command("retention", run_retention, "Erase patients whose records are over, and what has expired.")
    ending.add_argument("--clinic", required=True, type=UUID, help="the clinic's id")
    how = ending.add_mutually_exclusive_group(required=True)
    how.add_argument("--dry-run", action="store_true", help="change nothing; say what --apply would remove")
    how.add_argument("--apply", action="store_true", help="remove it, for good; stopped, it can be run again")
    keeping = command("record", show_kept, "Print the facts that are kept of an erased patient.")
    keeping.add_argument("--clinic", required=True, type=UUID, help="the clinic's id")
    keeping.add_argument("--patient", required=True, type=UUID, help="the patient's id")


def serve(settings: Settings, arguments: argparse.Namespace) -> None:
    """Serve HTTP until interrupted."""
    from api import serving  # noqa: PLC0415  (only here)

    is_sqlite = make_url(settings.database_url).get_backend_name() == "sqlite"
    if is_sqlite and arguments.workers > 1:
        raise ValueError("SQLite is served by one process; use PostgreSQL for more.")
    engine, database = open_database(settings.database_url)
    production.insist(settings, database)
    if production.is_open_trial(settings):
        print(
            f"WARNING: {settings.host} is open to other machines, and this is not production mode. Patients' data must "
            "not go here; set FOLLOWTHROUGH_MODE=production.",
            file=sys.stderr,
            flush=True,
        )
    with database.reading() as tx:
        clinic = accounts.demo_clinic(tx)
    engine.dispose()  # the application opens its own
    _greet(settings, is_demo=clinic is not None)
    serving.serve("api.cli:application", settings, workers=arguments.workers)


def migrate(settings: Settings, _arguments: argparse.Namespace) -> None:
    """Upgrade the schema to the newest revision."""
    _bring_up_to_date(settings.database_url)


def seed(settings: Settings, _arguments: argparse.Namespace) -> None:
    """Bring the catalogue up to date with the shelf."""
    with _database(settings).writing() as tx:
        changed = load(tx)
    print(f"Catalogue: {changed} exercises, care items and protocols new or changed.")


def build_demo(settings: Settings, arguments: argparse.Namespace) -> int:
    """Build the demo clinic, once; not where patients' data lie."""
    if settings.production:
        raise ValueError("there is no demo clinic in production mode.")
    with _database(settings).writing() as tx:
        known = accounts.any_clinic(tx) if arguments.if_empty else accounts.demo_clinic(tx)
        if known is not None:
            if not arguments.if_empty:
                print("There is a demo clinic already; `make demo-reset` builds it anew.", file=sys.stderr)
            return 0 if arguments.if_empty else 1
        told = demo.build(tx, datetime.now(UTC))
        for _ in tqdm(told, total=demo.PATIENTS, desc="Demo clinic", unit="patient"):
            pass
    return 0


def run_sweep(settings: Settings, _arguments: argparse.Namespace) -> None:
    """Announce and deliver what has come due, clinic by clinic."""
    swept = Sweeper(settings, _database(settings), carrier(settings)).sweep()
    print(
        f"{swept.announced} flags announced, {swept.delivered} deliveries made, {swept.failed} failed, "
        f"{swept.exported} exports ready."
    )


def run_export(settings: Settings, arguments: argparse.Namespace) -> None:
    """Write an export straight into a file that is not there yet."""
    if arguments.out.exists():
        raise ValueError(f"{arguments.out} is there already.")
    engine, database = open_database(settings.database_url)
    try:
        now = datetime.now(UTC)
        _write_export(database, arguments, now)
        _note(database, arguments.clinic, "export", [None], now)
    finally:
        engine.dispose()


def run_reassess(settings: Settings, arguments: argparse.Namespace) -> int:
    """Recount every program's standing and flags from its sessions."""
    database, now, differing = _database(settings), datetime.now(UTC), 0
    with database.reading() as tx:
        batches = [
            (clinic_id, batch) for clinic_id in sweep.every_clinic(tx) for batch in sweep.program_batches(tx, clinic_id)
        ]
    with tqdm(total=sum(len(batch) for _, batch in batches), desc="Programs", unit="program") as bar:
        for clinic_id, batch in batches:
            with database.writing() as tx:
                if arguments.verify:
                    differing += len(sweep.misjudged(tx, clinic_id, batch))
                    tx.rollback()
                else:
                    differing += len(sweep.reassess(tx, clinic_id, batch, now=now))
            bar.update(len(batch))
    print(f"{differing} programs {'differ' if arguments.verify else 'were restated'}.")
    return 1 if arguments.verify and differing else 0


def run_rejects(settings: Settings, arguments: argparse.Namespace) -> int:
    """List kept rejects, without what the patient wrote, or replay them; says what came of each."""
    from api.schemas.sync import kept_item  # noqa: PLC0415  (only here)

    database, left = _database(settings), 0
    with database.reading() as tx:
        clinics = [arguments.clinic] if arguments.clinic else sweep.every_clinic(tx)
    for clinic_id in clinics:
        with database.reading() as tx:
            found = rejects.rejects(tx, clinic_id, landed=arguments.all)
        for one in found:
            if arguments.ids and one.id not in arguments.ids:
                continue
            if arguments.deed == "list":
                raised = "safety raised" if one.safety_raised else "-"
                replayed = f"replayed: {one.replayed_to}" if one.replayed_to else "-"
                print(
                    one.id,
                    f"{one.received_at:%Y-%m-%d %H:%M}",
                    one.about or one.session_id,
                    one.code,
                    raised,
                    replayed,
                    sep="  ",
                )
                continue
            item = kept_item(one.session_id, one.body)
            if item is None:
                print(one.id, "cannot be read", sep="  ")
                left += 1
                continue
            now = datetime.now(UTC)
            with database.writing() as tx:
                result = rejects.replay(tx, one, item, now=now)
                done = _at_console("rejects replay", writes=True)
                audit.add_events(tx, clinic_id, None, None, done, [one.patient_id], now=now)
            why = f"{result.refusal}" if result.refusal else "-"
            print(one.id, result.outcome.value, why, sep="  ")
            left += result.outcome in REFUSED
    return 1 if left else 0


def run_backup(settings: Settings, arguments: argparse.Namespace) -> None:
    """Write a backup and say what is in it."""
    manifest = keeping.back_up(
        settings.database_url,
        arguments.out,
        Programs(arguments.programs),
        product=version("followthrough"),
        now=datetime.now(UTC),
    )
    print(f"{arguments.out}: {len(manifest.rows)} tables, {sum(manifest.rows.values())} rows.")


def run_restore(settings: Settings, arguments: argparse.Namespace) -> int:
    """Restore a backup, or only try it out; that one fails if anything is wrong with it."""
    programs = Programs(arguments.programs)
    if arguments.verify:
        verified = keeping.verify(arguments.file, settings.database_url, programs)
        manifest = verified.manifest
        print(f"{manifest.taken_at}, Followthrough {manifest.product}, tables {manifest.revision}")
        print(f"{manifest.database} {manifest.server}\n\n{'table':<20}{'backed up':>12}{'restored':>12}")
        for table, count in manifest.rows.items():
            print(f"{table:<20}{count:>12}{verified.rows.get(table, 'none'):>12}")
        for fault in verified.faults:
            print(f"followthrough: {fault}", file=sys.stderr)
        print("\nThe backup is sound." if not verified.faults else "\nThe backup is not sound.")
        return 1 if verified.faults else 0
    _, anew = keeping.restore(
        arguments.file,
        settings.database_url,
        programs,
        known=_known_revisions(),
        bring_up_to_date=_bring_up_to_date,
        replace=arguments.replace,
        keep_sign_ins=arguments.keep_sign_ins,
        now=datetime.now(UTC),
    )
    print(
        f"Restored. {anew.sign_ins} sign-ins and {anew.invitations} invitations ended; "
        f"the phones of {anew.clinics} clinics start anew."
    )
    return 0


def run_walls(settings: Settings, arguments: argparse.Namespace) -> int:
    """Raise the second wall, take it down, or say how it stands."""
    engine, _ = open_database(settings.database_url)
    try:
        with engine.begin() as connection:
            if not arguments.check:
                (walls.harden if arguments.deed == "harden" else walls.soften)(connection)
            found = walls.walls(connection)
    finally:
        engine.dispose()
    if arguments.deed == "soften" and not arguments.check:
        print("There is no second wall. Restart the server.")
        return 0
    if found.open:
        print(f"There is no second wall around: {', '.join(found.open)}.")
    else:
        print(
            "The second wall stands around every clinic's tables." + ("" if arguments.check else " Restart the server.")
        )
    if found.passes_through:
        print(WALKS_THROUGH.format(role=found.role))
    return 1 if arguments.check and not found.stands else 0


def run_resync(settings: Settings, _arguments: argparse.Namespace) -> None:
    """Void every cursor that was given out: a restored clinic may have forgotten what they count."""
    with _database(settings).writing() as tx:
        count = feed.void_cursors(tx)
    print(f"The phones of {count} clinics start anew.")


def run_report(settings: Settings, arguments: argparse.Namespace) -> None:
    """Write one program's, or a clinic's, report: a page, and each chart and table as a file of its own."""
    from api.pages.files import clinic_files, program_files  # noqa: PLC0415  (only here)

    now, asked = datetime.now(UTC), (arguments.from_on, arguments.to_on)
    database = _database(settings)
    with database.reading() as tx:
        caller = accounts.console(tx, arguments.clinic)
        if arguments.program is not None:
            files = program_files(tx, caller, arguments.program, *asked, now=now)
        else:
            files = clinic_files(tx, caller, *asked, now=now)
    _note(database, arguments.clinic, "report", sorted(caller.seen) or [None], now)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (arguments.out / name).write_bytes(content)
        print(arguments.out / name)


def run_audit(settings: Settings, arguments: argparse.Namespace) -> int:
    """Verify the audit trail, clinic by clinic; prints the end of each chain, to be noted down elsewhere."""
    database, flaws = _database(settings), 0
    if arguments.noted and not (arguments.clinic and re.fullmatch(r"\d{1,18}:[0-9a-f]{64}", arguments.noted)):
        raise ValueError("Say --noted NUMBER:HASH as it was printed, and with --clinic whose chain it was.")
    with database.reading() as tx:
        clinics = [arguments.clinic] if arguments.clinic else sweep.every_clinic(tx)
    for clinic_id in clinics:
        with database.snapshot() as tx:
            verdict = audit.verify(tx, clinic_id, noted=arguments.noted)
        for flaw in verdict.flaws:
            print(clinic_id, flaw.seq, flaw.what, sep="  ", file=sys.stderr)
        flaws += len(verdict.flaws)
        print(clinic_id, f"{verdict.events} events", f"{verdict.unsealed} not sealed yet", verdict.head, sep="  ")
    return 1 if flaws else 0


def run_retention(settings: Settings, arguments: argparse.Namespace) -> None:
    """Count, or remove, what a clinic need not keep any more: patient by patient, each in a transaction of its own."""
    engine, database = open_database(settings.database_url)
    try:
        _end_records(settings, database, arguments.clinic, datetime.now(UTC), applied=arguments.apply)
    finally:
        engine.dispose()


def show_kept(settings: Settings, arguments: argparse.Namespace) -> None:
    """Print what the law demands to be kept of somebody who was erased."""
    engine, database = open_database(settings.database_url)
    try:
        with database.reading() as tx:
            kept = erasure.kept_record(tx, arguments.clinic, arguments.patient)
        with database.writing() as tx:
            done, now = _at_console("record"), datetime.now(UTC)
            audit.add_events(tx, arguments.clinic, None, None, done, [arguments.patient], now=now)
    finally:
        engine.dispose()
    print(json.dumps(kept, indent=2, ensure_ascii=False))


def show_openapi(settings: Settings, _arguments: argparse.Namespace) -> None:
    """Print the OpenAPI document."""
    from api.app import create_app  # noqa: PLC0415  (only here)

    app = create_app(settings, _database(settings))
    print(json.dumps(app.openapi(), indent=2))


def create_clinic(settings: Settings, arguments: argparse.Namespace) -> None:
    """Create a clinic and print its id."""
    with _database(settings).writing() as tx:
        clinic = accounts.create_clinic(
            tx, name=arguments.name, time_zone=arguments.time_zone, locale=arguments.locale, now=datetime.now(UTC)
        )
        print(clinic.id)


def create_staff(settings: Settings, arguments: argparse.Namespace) -> None:
    """Create a member of staff and print the account's id; FOLLOWTHROUGH_PASSWORD says the password, or it is asked."""
    password = secret("FOLLOWTHROUGH_PASSWORD") or getpass.getpass("Password: ")
    database = _database(settings)
    with database.reading() as tx:
        about = passwords.about_new_staff(tx, arguments.clinic, arguments.name, arguments.email)
    hashed = passwords.kept(password, about)
    with database.writing() as tx:
        account = accounts.create_staff(
            tx,
            arguments.clinic,
            role=Role(arguments.role),
            name=arguments.name,
            email=arguments.email,
            password_hash=hashed,
            now=datetime.now(UTC),
        )
        print(account.id)


def _write_export(database: Database, arguments: argparse.Namespace, now: datetime) -> None:
    written_as = ExportFormat(arguments.format)
    csv_only = {"bom": arguments.bom, "delimiter": arguments.delimiter}
    draft = exports.ExportDraft(
        content=ExportContent(arguments.content),
        format=written_as,
        options=csv_only if written_as is ExportFormat.CSV else {},
        de_identified=arguments.de_identified,
        from_on=arguments.from_on,
        to_on=arguments.to_on,
    )
    veil = Veil(new_key(), now.date()) if draft.de_identified else None
    with database.reading() as tx:
        asked = exports.asked_of(tx, arguments.clinic, draft, now=now)
        total = exporting.count_rows(tx, arguments.clinic, asked)
    with tqdm(total=total, desc=draft.content.capitalize(), unit="row") as bar:

        def read() -> Iterator[list[dict[str, Value]]]:
            for page in pages(database.reading, arguments.clinic, asked, veil):
                yield page.rows
                bar.update(page.looked_at)

        told = exporting.columns(draft.content, de_identified=draft.de_identified)
        if written_as is ExportFormat.XLSX:
            every_row = (row for rows in read() for row in rows)
            title, folder = draft.content.capitalize(), arguments.out.absolute().parent
            pieces = xlsx.rows_as_xlsx(title, told, every_row, created=now, folder=folder)
        else:
            pieces = (
                lines(written_as, told, rows, draft.options, first=not number) for number, rows in enumerate(read())
            )
        out = private(arguments.out)
        try:
            with out.open("wb") as file:
                file.writelines(pieces)
        except BaseException:
            out.unlink()  # half a file would look like a whole one
            raise


def _note(database: Database, clinic_id: UUID, command: str, patients: Sequence[UUID | None], now: datetime) -> None:
    """What is done at the console is on record too, though nobody says who sits there."""
    with database.writing() as tx:
        audit.add_events(tx, clinic_id, None, None, _at_console(command), patients, now=now)


def _at_console(command: str, *, writes: bool = False) -> audit.Done:
    return audit.Done(operation=f"console: {command}", writes=writes)


def _end_records(settings: Settings, database: Database, clinic_id: UUID, now: datetime, *, applied: bool) -> None:
    with database.reading() as tx:
        years = retention.retention_settings(tx, clinic_id).keep_records_years
        removed = Counter(retention.count_expired(tx, clinic_id, now=now))
    print(f"Records are kept for {years} years after a treatment.")
    if applied:
        removed = Counter(dict(_remove_expired(database, clinic_id, now)))
    erased = 0
    for one in _finished(database, clinic_id, now):
        if applied:
            rows = _erase(settings, database, clinic_id, one.patient_id, now)
        else:
            with database.reading() as tx:
                rows = erasure.would_remove(tx, clinic_id, one.patient_id, now=now)
        if rows is not None:
            print(f"Patient {one.patient_id}, last treated on {one.last_treated_on}")
            removed.update(rows)
            erased += 1
    print(f"{erased} patients {'erased' if applied else 'would be erased'}; rows:")
    for table, number in sorted(removed.items()):
        if number:
            print(f"  {table:<20} {number:>9}")
    print(f"  {'together':<20} {removed.total():>9}")


def _remove_expired(database: Database, clinic_id: UUID, now: datetime) -> Iterator[tuple[str, int]]:
    for table in retention.expired(clinic_id, now=now):
        removed, more = 0, 1
        while more:
            with database.writing() as tx:
                more = retention.remove_expired(tx, clinic_id, table, now=now)
            removed += more
        yield str(table.__tablename__), removed


def _finished(database: Database, clinic_id: UUID, now: datetime) -> Iterator[retention.Finished]:
    after: UUID | None = None
    while True:
        with database.reading() as tx:
            over, after = retention.finished(tx, clinic_id, after=after, now=now)
        yield from over
        if after is None:
            return


def _erase(
    settings: Settings, database: Database, clinic_id: UUID, patient_id: UUID, now: datetime
) -> dict[str, int] | None:
    with database.writing() as tx:
        done = erasure.erase_finished(tx, clinic_id, patient_id, now=now)
        if done is not None:
            audit.add_events(tx, clinic_id, None, None, _at_console("retention", writes=True), [patient_id], now=now)
    for export_id in done.recalled if done else ():
        remove(path_of(settings.exports, export_id))
    return dict(done.removed) if done else None


def _bring_up_to_date(url: str) -> None:
    from alembic import command  # noqa: PLC0415  (the serving process has no use for it)

    engine, _ = open_database(url)
    with walls.owner_sees_all(engine), engine.connect() as connection:
        config = _alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


def _known_revisions() -> list[str]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415  (as above)

    return [script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()]


def _alembic() -> "Config":
    from alembic.config import Config  # noqa: PLC0415  (as above)

    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations").replace("%", "%%"))
    return config


def _database(settings: Settings) -> Database:
    _, database = open_database(settings.database_url)
    return database


def _greet(settings: Settings, *, is_demo: bool) -> None:
    base = settings.base_url or f"http://{settings.host}:{settings.port}"
    if make_url(settings.database_url).get_backend_name() == "sqlite":
        kept = f"SQLite {sqlite_module().sqlite_version}"
    else:
        kept = "PostgreSQL"
    print(f"\nFollowthrough on {kept}\n\n  Look around   {base}/docs")
    if is_demo:
        for member in demo.PEOPLE["staff"]:
            print(f"  Demo {member['role']:<9} {member['email']}   password {demo.PASSWORD}")
        print(
            f"\n  First question, who needs me now?\n\n"
            f"  TOKEN=$(curl -s {base}/v1/auth/token -d grant_type=password -d username=ines@demo.example \\\n"
            f'    -d password={demo.PASSWORD} | sed \'s/.*"access_token":"\\([^"]*\\)".*/\\1/\')\n'
            f'  curl -s {base}/v1/worklist -H "Authorization: Bearer $TOKEN"'
        )
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
