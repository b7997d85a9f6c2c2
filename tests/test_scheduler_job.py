"""The example's scheduler: its store, its servers, its tasks, and both of its spellings.

Everything that is about processes runs in real ones, found again by a marker in their
environment. PostgreSQL is tried wherever its binaries are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from resultflow import Err, Ok
from scheduler_job import servers, store
from scheduler_job.observe import MARKER, free_ports, kill_all, listeners, processes
from scheduler_job.outage import Database, PostgresPlan, SqlitePlan
from scheduler_job.settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from sqlalchemy.engine import Engine

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
PATIENCE = 30.0
HEARTBEAT = 0.3
STALE_AFTER = 5 * HEARTBEAT

T = TypeVar("T")


def until(condition: Callable[[], T], within: float = PATIENCE) -> T:
    """Wait for a condition, for a bounded time, and return what it gave."""
    pause = threading.Event()
    deadline = time.monotonic() + within
    while not (seen := condition()):
        assert time.monotonic() < deadline, f"not within {within} s"
        pause.wait(0.02)
    return seen


@contextmanager
def private_directory() -> Generator[Path]:
    """Make a directory that PostgreSQL's user may enter, and whose path is short."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o711)
        yield path


# --- the databases ---------------------------------------------------------------------------


@attrs.frozen
class Place:
    """An initialised database, and the server that it can be taken away by."""

    server: Database
    name: str
    url: str
    engine: Engine

    @contextmanager
    def away(self) -> Generator[None]:
        """Take the database away: SQLite is locked from outside, PostgreSQL is stopped."""
        with self.server.outage([self.name]).open():
            yield

    def tasks(self) -> dict[str, str]:
        """Tell the state of each task."""
        with self.engine.connect() as connection:
            rows = connection.execute(select(store.Task.key, store.Task.state)).all()
        return {row.key: row.state for row in rows}

    def outcomes(self, key: str) -> list[str | None]:
        """Tell how each attempt at a task ended, in order."""
        with self.engine.connect() as connection:
            return list(
                connection.scalars(
                    select(store.TaskRun.outcome)
                    .join(store.Task)
                    .where(store.Task.key == key)
                    .order_by(store.TaskRun.id)
                )
            )

    def jobs(self) -> list[str]:
        """Tell the state of each job, in order."""
        with self.engine.connect() as connection:
            return list(connection.scalars(select(store.Job.state).order_by(store.Job.id)))

    def claim(self, job: int) -> store.Claim:
        """Claim the next task, which there must be."""
        claim = store.claim(self.engine, job)
        assert claim is not None
        return claim


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Database]:
    """Run a PostgreSQL of our own, where there is one to run."""
    match PostgresPlan.found("fast"):
        case Err(impossible):
            pytest.skip(str(impossible))
        case Ok(plan):
            with private_directory() as path, plan.start(path, uuid.uuid4().hex).open() as server:
                yield server


@pytest.fixture
def sqlite() -> Iterator[Database]:
    """Keep SQLite files in a directory of their own."""
    with private_directory() as path, SqlitePlan().start(path, "").open() as server:
        yield server


# Taking a server away and back replaces what the module's fixture opened, and will close.
RESTARTS = pytest.mark.leaves_open(reason="the server's own fixture stops what was started anew")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=RESTARTS)])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Make a database of each kind."""
    server: Database = request.getfixturevalue(request.param)
    name = f"t{uuid.uuid4().hex[:12]}"
    url = server.create(name).unwrap()
    store.create(url)
    engine = store.connect(url)
    yield Place(server, name, url, engine)
    engine.dispose()


@pytest.fixture
def sqlite_file(sqlite: Database) -> Path:
    """Make an initialised SQLite file."""
    url = sqlite.create("scheduler").unwrap()
    store.create(url)
    return Path(url.removeprefix("sqlite:///"))


# --- processes -------------------------------------------------------------------------------


@attrs.define
class Running:
    """A real process of the example, and all that descends from it."""

    process: subprocess.Popen[bytes]
    log: Path
    marker: str
    ports: tuple[int, int]

    def said(self, pattern: str) -> list[str]:
        """Find the lines of its log in which a pattern occurs."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if re.search(pattern, line)]

    def says(self, pattern: str) -> list[str]:
        """Wait until it has said something."""
        return until(lambda: self.said(pattern))

    def exits(self, within: float = PATIENCE) -> int:
        """Wait for its end and return its status."""
        return self.process.wait(within)

    def left(self) -> list[str]:
        """Name what it has left behind: processes and ports."""
        table = processes(self.marker)
        held = listeners(self.ports, table)
        return [f"process {pid}" for pid in table] + [f"port {port}" for port in held]

    def leaves_nothing(self, within: float) -> bool:
        """Wait until nothing of it is left."""
        return until(lambda: not self.left(), within)

    def get(self, path: str, port: int) -> tuple[int, bytes]:
        """Ask one of its servers, once that listens."""
        until(lambda: port in listeners(self.ports, processes(self.marker)))
        return get(port, path)

    def logs(self, path: str) -> tuple[int, bytes]:
        """Ask the log server."""
        return self.get(path, self.ports[0])

    def health(self) -> tuple[int, object]:
        """Ask the health server."""
        status, body = self.get("/health", self.ports[1])
        return status, json.loads(body)["status"]


def two_ports() -> tuple[int, int]:
    """Find ports for the two servers."""
    logs, health = free_ports(2)
    return logs, health


@attrs.define
class Launcher:
    """Starts processes of the example, all with the same marker, directory and ports."""

    directory: Path
    inherited: dict[str, str]
    marker: str = attrs.field(factory=lambda: uuid.uuid4().hex)
    ports: tuple[int, int] = attrs.field(factory=two_ports)
    started: list[Running] = attrs.field(factory=list[Running])

    @property
    def run_dir(self) -> Path:
        """Where tasks write."""
        path = self.directory / "runs"
        path.mkdir(exist_ok=True)
        return path

    def environment(self, url: str) -> dict[str, str]:
        """Configure a scheduler."""
        return {
            **self.inherited,
            "PYTHONPATH": str(EXAMPLES),
            MARKER: self.marker,
            "SCHEDULER_DATABASE": url,
            "SCHEDULER_RUN_DIR": str(self.run_dir),
            "SCHEDULER_LOG_PORT": str(self.ports[0]),
            "SCHEDULER_HEALTH_PORT": str(self.ports[1]),
            "SCHEDULER_HEARTBEAT": str(HEARTBEAT),
            "SCHEDULER_DATABASE_WAIT": "30",
        }

    def start(self, url: str, *arguments: str, **changed: str) -> Running:
        """Start a Python process that is configured as a scheduler."""
        log = self.directory / f"{len(self.started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env={**self.environment(url), **changed},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        running = Running(process, log, self.marker, self.ports)
        self.started.append(running)
        return running

    def scheduler(self, spelling: str, url: str, **changed: str) -> Running:
        """Start a scheduler and wait until it is ready."""
        running = self.start(url, "-m", f"scheduler_job.{spelling}", **changed)
        running.says("scheduler ready")
        return running


@pytest.fixture
def launcher(tmp_path: Path, unmeasured: dict[str, str]) -> Iterator[Launcher]:
    """Start processes, and leave none behind whatever the test does."""
    made = Launcher(tmp_path, unmeasured)
    yield made
    kill_all(made.marker, within=PATIENCE)
    for running in made.started:
        running.process.wait(PATIENCE)


def get(port: int, path: str) -> tuple[int, bytes]:
    """Ask a server on loopback."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()


# --- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SCHEDULER_DATABASE", None, "is not set; set it"),
        ("SCHEDULER_DATABASE", "", "is not a database url; use sqlite:////"),
        ("SCHEDULER_DATABASE", "nonsense", "is not a database url; use sqlite:////"),
        ("SCHEDULER_DATABASE", "mysql://u:secret@h/d", "'mysql://u:***@h/d' is neither SQLite"),
        ("SCHEDULER_DATABASE", "sqlite://", "does not name a file by its absolute path"),
        ("SCHEDULER_DATABASE", "sqlite:///here.db", "does not name a file by its absolute path"),
        ("SCHEDULER_DATABASE", "sqlite:////a.db?mode=ro", "by its absolute path alone"),
        ("SCHEDULER_DATABASE", "postgresql://u@h/d", "nor PostgreSQL by psycopg; use"),
        ("SCHEDULER_DATABASE", "postgresql+psycopg://u@h", "names no database; use"),
        ("SCHEDULER_RUN_DIR", "no/such/directory", "'no/such/directory' is not a directory"),
        ("SCHEDULER_LOG_PORT", "0", "'0' is not a port; use a number from 1 to 65535"),
        ("SCHEDULER_LOG_PORT", "65536", "'65536' is not a port"),
        ("SCHEDULER_LOG_PORT", "http", "'http' is not a port"),
        ("SCHEDULER_HEALTH_PORT", "8793", "8793 is SCHEDULER_LOG_PORT too; give each"),
        ("SCHEDULER_HEARTBEAT", "0", "'0' is not a time above 0; give seconds"),
        ("SCHEDULER_HEARTBEAT", "inf", "'inf' is not a time above 0"),
        ("SCHEDULER_DATABASE_WAIT", "soon", "'soon' is not a time above 0"),
    ],
)
def test_a_bad_setting_is_refused(tmp_path: Path, name: str, value: str | None, said: str) -> None:
    """The refusal is one line that names the variable, the rule and the way out."""
    environment = {
        "SCHEDULER_DATABASE": "sqlite:////somewhere.db",
        "SCHEDULER_RUN_DIR": str(tmp_path),
        "SCHEDULER_LOG_PORT": "8793",
        "SCHEDULER_HEALTH_PORT": "8974",
    }
    assert Settings.from_environment(environment).heartbeat == 1.0
    changed = {**environment, name: value}
    with pytest.raises(SettingsError) as refusal:
        Settings.from_environment({key: text for key, text in changed.items() if text is not None})
    message = str(refusal.value)
    assert message.startswith(name)
    assert said in message
    assert "secret" not in message
    assert "\n" not in message


def test_a_run_directory_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run logs' directory must be writable, and the refusal says so."""

    def refuse(_path: Path, _mode: int) -> bool:
        return False  # root may write everywhere

    monkeypatch.setattr(os, "access", refuse)
    with pytest.raises(SettingsError, match="is not writable; change its mode"):
        Settings.from_environment(
            {"SCHEDULER_DATABASE": "sqlite:////a.db", "SCHEDULER_RUN_DIR": str(tmp_path)}
        )


@pytest.mark.parametrize("spelling", ["legacy", "pipeline"])
def test_a_scheduler_that_is_told_nonsense_exits_with_2(launcher: Launcher, spelling: str) -> None:
    """Bad settings end either spelling with one line and status 2, before anything starts."""
    scheduler = launcher.start("mysql://nowhere/at-all", "-m", f"scheduler_job.{spelling}")
    assert scheduler.exits() == 2
    assert len(scheduler.said("")) == 1
    assert scheduler.said("^scheduler: SCHEDULER_DATABASE: 'mysql://nowhere/at-all' is neither")


# --- the store: the file itself --------------------------------------------------------------


def test_creating_twice_changes_nothing(place: Place) -> None:
    """`create` on a scheduler's own database leaves it as it is."""
    store.add_task(place.engine, "kept")
    store.create(place.url)
    store.check(place.engine)
    assert place.tasks() == {"kept": "due"}


def test_nothing_makes_a_missing_sqlite_file_but_create(tmp_path: Path) -> None:
    """Connecting to a file that is not there fails and does not make an empty one."""
    missing = tmp_path / "missing.db"
    with pytest.raises(OperationalError):
        store.check(store.connect(f"sqlite:///{missing}"))
    assert not missing.exists()
    store.create(f"sqlite:///{missing}")
    store.check(store.connect(f"sqlite:///{missing}"))


def test_an_empty_file_is_no_foreign_file(tmp_path: Path) -> None:
    """A file of no bytes, as `mktemp` makes it, may become a scheduler's database."""
    empty = tmp_path / "empty.db"
    empty.touch()
    with pytest.raises(store.ForeignDatabaseError, match="application_id"):
        store.check(store.connect(f"sqlite:///{empty}"))
    store.create(f"sqlite:///{empty}")
    store.check(store.connect(f"sqlite:///{empty}"))


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """`create` names the directory that it cannot write to."""
    with pytest.raises(SettingsError, match="is not a writable directory; create it"):
        store.create(f"sqlite:///{tmp_path}/missing/scheduler.db")


def not_a_database(file: Path) -> None:
    """Overwrite it with something else."""
    file.write_bytes(b"\x89PNG\r\n" * 500)


def another_application(file: Path) -> None:
    """Replace it with the database of somebody else."""
    file.unlink()
    connection = sqlite3.connect(file)
    connection.executescript("PRAGMA application_id = 7; CREATE TABLE job (id, pid)")
    connection.close()


def an_unmarked_database(file: Path) -> None:
    """Replace it with a database that bears no mark."""
    file.unlink()
    connection = sqlite3.connect(file)
    connection.executescript("CREATE TABLE letters (id)")
    connection.close()


def cut_off(file: Path) -> None:
    """Lose its second half."""
    os.truncate(file, file.stat().st_size // 2)


def scribbled_on(file: Path) -> None:
    """Damage all of it but the first page."""
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


def a_table_short(file: Path) -> None:
    """Lose a table."""
    connection = sqlite3.connect(file)
    connection.executescript("DROP TABLE task_run")
    connection.close()


def a_column_short(file: Path) -> None:
    """Lose a column."""
    connection = sqlite3.connect(file)
    connection.executescript("ALTER TABLE job RENAME COLUMN pid TO process")
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        not_a_database,
        another_application,
        an_unmarked_database,
        cut_off,
        scribbled_on,
        a_table_short,
        a_column_short,
    ],
)
def test_a_corrupt_or_foreign_file_is_refused_and_left_alone(
    sqlite_file: Path, damage: Callable[[Path], None]
) -> None:
    """Neither `check` nor `create` changes a byte of a file that is not a scheduler's."""
    damage(sqlite_file)
    before = sqlite_file.read_bytes()
    url = f"sqlite:///{sqlite_file}"
    attempts: tuple[Callable[[], None], ...] = (
        lambda: store.check(store.connect(url)),
        lambda: store.create(url),
    )
    for attempt in attempts:
        with pytest.raises(store.ForeignDatabaseError) as refusal:
            attempt()
        message = str(refusal.value)
        assert message.startswith(f"database {str(sqlite_file)!r} is not a scheduler's (")
        assert message.endswith("or make a new one with: python -m scheduler_job.store init")
        assert "\n" not in message
    assert sqlite_file.read_bytes() == before
    assert [path.name for path in sqlite_file.parent.iterdir()] == [sqlite_file.name]


def test_a_foreign_postgresql_database_is_refused_and_left_alone(postgresql: Database) -> None:
    """A table of the same name that is not ours stays as it is."""
    url = postgresql.create(f"t{uuid.uuid4().hex[:12]}").unwrap()
    engine = store.connect(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE job (id int, title text)"))
    with pytest.raises(store.ForeignDatabaseError, match="'job' has no column 'ended_at'"):
        store.create(url)
    with engine.connect() as connection:
        tables = connection.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        ).all()
    assert tables == [("job",)]
    engine.dispose()


def test_the_path_of_a_file_may_hold_anything(tmp_path: Path) -> None:
    """Characters that mean something in an address mean nothing in a path."""
    file = tmp_path / "50% of #1? (ü).db"
    url = "sqlite:///" + str(file).replace("%", "%25").replace("?", "%3F")
    store.create(url)
    store.add_task(store.connect(url), "kept")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_database_that_is_away_is_noticed_in_time(place: Place) -> None:
    """Whatever is asked of a database that is gone raises OperationalError within seconds."""
    job = store.prepare_for_execution(place.engine)
    with place.away():
        for ask in (
            lambda: store.check(place.engine),
            lambda: store.heartbeat(place.engine, job),
            lambda: store.claim(place.engine, job),
            lambda: store.take_back(place.engine, stale_after=1.0),
            lambda: store.latest_heartbeat(place.engine),
            lambda: store.complete_execution(place.engine, job, "failed"),
        ):
            began = time.monotonic()
            with pytest.raises(OperationalError):
                ask()
            assert time.monotonic() - began < 5
    assert store.heartbeat(place.engine, job)
    assert place.jobs() == ["running"]


# --- the store: claims -----------------------------------------------------------------------


def test_due_tasks_are_claimed_once_each_and_in_order(place: Place) -> None:
    """The task that is due for longest comes first; what is due later is not claimed."""
    job = store.prepare_for_execution(place.engine)
    for key in ("first", "second"):
        store.add_task(place.engine, key, duration=1.5)
    store.add_task(place.engine, "later", due_in=3600)
    claims = [place.claim(job), place.claim(job)]
    assert [claim.key for claim in claims] == ["first", "second"]
    assert claims[0].duration == 1.5
    assert claims[0].token != claims[1].token
    assert store.claim(place.engine, job) is None
    assert place.tasks() == {"first": "running", "second": "running", "later": "due"}


def test_a_task_is_finished_once(place: Place) -> None:
    """Finishing again, as after a commit whose answer was lost, adds nothing."""
    job = store.prepare_for_execution(place.engine)
    store.add_task(place.engine, "once")
    claim = place.claim(job)
    store.finish(place.engine, claim)
    store.finish(place.engine, claim)
    store.give_back(place.engine, claim, due_in=0)
    assert place.tasks() == {"once": "done"}
    assert place.outcomes("once") == ["done"]
    assert store.claim(place.engine, job) is None


def test_an_attempt_whose_claim_was_taken_back_records_nothing(place: Place) -> None:
    """The token fences off the attempt of a job that is dead; the next attempt counts."""
    store.add_task(place.engine, "contested")
    dead = store.prepare_for_execution(place.engine)
    lost = place.claim(dead)
    store.complete_execution(place.engine, dead, "stopped")
    assert store.take_back(place.engine, stale_after=3600) == ["contested"]
    with pytest.raises(store.ClaimLostError, match="'contested' is not run 1's any more"):
        store.finish(place.engine, lost)
    alive = store.prepare_for_execution(place.engine)
    won = place.claim(alive)
    with pytest.raises(store.ClaimLostError):
        store.finish(place.engine, lost)
    store.give_back(place.engine, lost, due_in=0)
    store.finish(place.engine, won)
    assert place.outcomes("contested") == ["lost", "done"]


def test_claims_of_the_living_are_left_to_them(place: Place) -> None:
    """Only what a job claimed that ended or fell silent is taken back."""
    store.add_task(place.engine, "busy")
    job = store.prepare_for_execution(place.engine)
    place.claim(job)
    assert store.take_back(place.engine, stale_after=3600) == []
    assert place.tasks() == {"busy": "running"}
    assert place.outcomes("busy") == [None]


def test_a_job_that_fell_silent_is_declared_dead_and_finds_out(place: Place) -> None:
    """Its claims are taken back, its row says `failed`, its next heartbeat says so."""
    store.add_task(place.engine, "abandoned")
    job = store.prepare_for_execution(place.engine)
    place.claim(job)
    with place.engine.begin() as connection:
        long_ago = store.utc_now() - timedelta(seconds=60)
        connection.execute(update(store.Job).values(latest_heartbeat=long_ago))
    assert store.take_back(place.engine, stale_after=30) == ["abandoned"]
    assert store.take_back(place.engine, stale_after=30) == []
    assert place.jobs() == ["failed"]
    assert not store.heartbeat(place.engine, job)
    store.complete_execution(place.engine, job, "success")
    assert place.jobs() == ["failed"]


def test_a_failed_attempt_is_due_again_later(place: Place) -> None:
    """Giving a task back keeps the attempt on record and puts the task off."""
    store.add_task(place.engine, "again")
    job = store.prepare_for_execution(place.engine)
    store.give_back(place.engine, place.claim(job), due_in=3600)
    assert place.tasks() == {"again": "due"}
    assert place.outcomes("again") == ["failed"]
    assert store.claim(place.engine, job) is None


def test_the_database_itself_forbids_a_second_done(place: Place) -> None:
    """That a task is done once does not rest on the code alone."""
    store.add_task(place.engine, "once")
    job = store.prepare_for_execution(place.engine)
    claim = place.claim(job)
    store.finish(place.engine, claim)
    with pytest.raises(IntegrityError), place.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO task_run (task_id, job_id, started_at, outcome) "
                "VALUES (:task, :job, CURRENT_TIMESTAMP, 'done')"
            ),
            {"task": claim.task_id, "job": job},
        )


def test_times_are_aware_and_in_utc(place: Place) -> None:
    """What is stored with a zone comes back as the same moment; without one it is refused."""
    before = store.utc_now()
    store.prepare_for_execution(place.engine)
    latest = store.latest_heartbeat(place.engine)
    assert latest is not None
    assert latest.utcoffset() == timedelta(0)
    assert before <= latest <= store.utc_now()
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 (that it has no zone is the point)
    with (
        pytest.raises(StatementError, match="has no time zone; pass an aware time"),
        place.engine.begin() as connection,
    ):
        connection.execute(update(store.Job).values(latest_heartbeat=naive))


@pytest.mark.parametrize("key", ["", "../up", "a/b", "a.b", "-x", "x" * 65, "ü", "a\n"])
def test_a_key_that_cannot_name_a_file_is_refused(sqlite_file: Path, key: str) -> None:
    """A task's key names its run log, so it holds nothing that means something in a path."""
    engine = store.connect(f"sqlite:///{sqlite_file}")
    with pytest.raises(ValueError, match="is not a task key; use 1 to 64 letters"):
        store.add_task(engine, key)


CLAIMER = """
import os, sys, threading
from sqlalchemy.exc import OperationalError
from scheduler_job import store

def patiently(ask, *arguments):
    while True:
        try:
            return ask(engine, *arguments)
        except OperationalError:
            pass  # SQLite's turn went to the other for a second: ask again

engine = store.connect(os.environ["SCHEDULER_DATABASE"])
job = patiently(store.prepare_for_execution)
print("ready", flush=True)
sys.stdin.readline()
while (claim := patiently(store.claim, job)) is not None:
    threading.Event().wait(0.01)  # it works, and the other has its turn
    patiently(store.finish, claim)
    print(claim.key, flush=True)
"""


def test_two_schedulers_never_claim_the_same_task(place: Place, launcher: Launcher) -> None:
    """Claimers in processes of their own, let loose at once, share the tasks out exactly."""
    keys = [f"task-{number}" for number in range(60)]
    for key in keys:
        store.add_task(place.engine, key)
    claimers = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER],
            env=launcher.environment(place.url),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for claimer in claimers:
            assert claimer.stdout is not None
            assert claimer.stdout.readline() == "ready\n"
        for claimer in claimers:
            assert claimer.stdin is not None
            claimer.stdin.write("go\n")
            claimer.stdin.flush()
        shares = [claimer.communicate(timeout=PATIENCE)[0].split() for claimer in claimers]
    finally:
        for claimer in claimers:
            claimer.kill()
            claimer.wait()
    assert Counter(shares[0] + shares[1]) == Counter(keys)
    assert all(shares)
    assert all(place.outcomes(key) == ["done"] for key in keys)


# --- the operator's command ------------------------------------------------------------------


def operate(url: str, *arguments: str) -> tuple[int, str, str]:
    """Run the store's command."""
    ended = subprocess.run(
        [sys.executable, "-m", "scheduler_job.store", *arguments],
        env={**os.environ, "PYTHONPATH": str(EXAMPLES), "SCHEDULER_DATABASE": url},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_an_operator_makes_a_database_and_enters_tasks(tmp_path: Path) -> None:
    """`init`, `add` and `list` do what they say; `list` prints one line a task."""
    url = f"sqlite:///{tmp_path}/scheduler.db"
    assert operate(url, "init") == (0, "", "")
    assert operate(url, "add", "now") == (0, "", "")
    assert operate(url, "add", "later", "--in", "60", "--duration", "2") == (0, "", "")
    status, listing, _ = operate(url, "list")
    assert status == 0
    assert [line.split()[:2] for line in listing.splitlines()] == [
        ["now", "due"],
        ["later", "due"],
    ]
    assert listing.count("attempts=0 done=0") == 2


def test_an_operator_is_told_what_is_wrong(sqlite_file: Path, tmp_path: Path) -> None:
    """Each refusal is one line on stderr; status 2 for bad input, 1 for a database away."""
    url = f"sqlite:///{sqlite_file}"
    foreign = tmp_path / "foreign.db"
    not_a_database(foreign)
    assert operate(url, "add", "taken")[0] == 0
    for status, line, given in [
        (2, "'taken' is the key of another task; use a new one", (url, "add", "taken")),
        (2, "'a/b' is not a task key; use 1 to 64", (url, "add", "a/b")),
        (2, "-1.0 is not a time; give seconds from 0 up", (url, "add", "new", "--in", "-1")),
        (2, "the value is not a database url", ("", "list")),
        (2, "(file is not a database); name another", (f"sqlite:///{foreign}", "init")),
        (1, "the database cannot be reached: unable to open", (f"{url}.missing", "list")),
    ]:
        ended, printed, refusal = operate(*given)
        assert (ended, printed) == (status, "")
        assert refusal.startswith("scheduler: ")
        assert line in refusal
        assert refusal.count("\n") == 1


# --- the servers -----------------------------------------------------------------------------

SERVE_LOGS = """
import os
from pathlib import Path
from scheduler_job.servers import serve_logs
serve_logs(Path(os.environ["SCHEDULER_RUN_DIR"]), int(os.environ["SCHEDULER_LOG_PORT"]))
"""
SERVE_HEALTH = """
import os
from scheduler_job.servers import serve_health
database, port = os.environ["SCHEDULER_DATABASE"], int(os.environ["SCHEDULER_HEALTH_PORT"])
serve_health(database, port, 30.0)
"""


def test_the_log_server_serves_run_logs_and_nothing_else(launcher: Launcher) -> None:
    """A run log is served whole; links, other files and every way out of the directory are not."""
    run_dir = launcher.run_dir
    (run_dir / "job-1.log").write_text("worked\n", encoding="utf-8")
    (run_dir / "secret.txt").write_text("secret", encoding="utf-8")
    (launcher.directory / "outside.log").write_text("secret", encoding="utf-8")
    (run_dir / "link.log").symlink_to(launcher.directory / "outside.log")
    (run_dir / "directory.log").mkdir()
    os.mkfifo(run_dir / "pipe.log")
    server = launcher.start("", "-c", SERVE_LOGS)
    assert server.logs("/job-1.log") == (200, b"worked\n")
    for path in (
        "/",
        "/missing.log",
        "/secret.txt",
        "/link.log",
        "/directory.log",
        "/pipe.log",
        "/../outside.log",
        "/..%2Foutside.log",
        "/%2e%2e/outside.log",
        f"/{launcher.directory}/outside.log",
        "/job-1.log/",
        "/job-1.log%00",
        "/job-1.log?x=1",
    ):
        assert server.logs(path) == (404, b"not found\n"), path


def test_the_log_server_is_a_master_and_its_worker(launcher: Launcher) -> None:
    """SIGTERM to the master ends both; a worker that dies takes the master with it."""
    server = launcher.start("", "-c", SERVE_LOGS)
    server.logs("/")
    assert len(processes(launcher.marker)) == 2
    server.process.terminate()
    assert server.exits() == 0
    assert server.left() == []
    again = launcher.start("", "-c", SERVE_LOGS)
    again.logs("/")
    (worker,) = processes(launcher.marker).keys() - {again.process.pid}
    os.kill(worker, signal.SIGKILL)
    assert again.exits() == 1
    assert again.said(f"log server: worker {worker} ended by itself with -9")
    assert again.left() == []


@pytest.mark.parametrize("program", [SERVE_LOGS, SERVE_HEALTH], ids=["log", "health"])
def test_a_server_whose_port_is_taken_says_so(
    launcher: Launcher, sqlite_file: Path, program: str
) -> None:
    """It exits with a status of its own and one line that names the port."""
    first = launcher.start(f"sqlite:///{sqlite_file}", "-c", program)
    until(lambda: listeners(launcher.ports, processes(launcher.marker)))
    second = launcher.start(f"sqlite:///{sqlite_file}", "-c", program)
    assert second.exits() == servers.PORT_TAKEN
    (line,) = second.said("")
    assert re.search(r"server: port \d+ is taken; free it or configure another$", line)
    assert first.process.poll() is None


def test_health_tells_a_fresh_heartbeat_from_a_stale_one(place: Place, launcher: Launcher) -> None:
    """200 while a running job is heard of; 503 when none runs, is silent, or nobody can tell."""
    server = launcher.start(place.url, "-c", SERVE_HEALTH)
    assert server.health() == (503, "stale")
    store.prepare_for_execution(place.engine)
    status, body = server.get("/health", launcher.ports[1])
    answer = json.loads(body)
    assert status == 200
    assert answer["status"] == "fresh"
    assert 0 <= answer["age"] < PATIENCE
    assert datetime.fromisoformat(answer["latest_heartbeat"]) <= store.utc_now()
    with place.away():
        began = time.monotonic()
        assert server.health() == (503, "database gone")
        assert time.monotonic() - began < 5
    assert server.health() == (200, "fresh")
    with place.engine.begin() as connection:
        long_ago = store.utc_now() - timedelta(seconds=60)
        connection.execute(update(store.Job).values(latest_heartbeat=long_ago))
    assert server.health() == (503, "stale")
    assert server.get("/other", launcher.ports[1])[0] == 404


def test_health_does_not_wait_for_a_frozen_database(
    sqlite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that never answers is as good as gone; one that thaws is asked again."""
    thawed = threading.Event()

    def frozen(_engine: Engine) -> datetime:
        assert thawed.wait(PATIENCE)
        return store.utc_now()

    monkeypatch.setattr(store, "latest_heartbeat", frozen)
    monkeypatch.setattr(servers, "ANSWER_WITHIN", 0.1)
    engine = store.connect(f"sqlite:///{sqlite_file}")
    for _ in range(2):
        assert servers.health(engine, 30.0) == servers.Health("database gone")
    thawed.set()
    monkeypatch.setattr(servers, "ANSWER_WITHIN", PATIENCE)
    assert servers.health(engine, 30.0).status == "fresh"


# --- the work --------------------------------------------------------------------------------

WORK = """
import os
from pathlib import Path
from scheduler_job import store
from scheduler_job.work import run_task
claim = store.Claim(**{claim})
run_task(os.environ["SCHEDULER_DATABASE"], Path(os.environ["SCHEDULER_RUN_DIR"]), claim)
"""


def work(launcher: Launcher, place: Place, claim: store.Claim) -> Running:
    """Do the claimed task in a process of its own."""
    return launcher.start(place.url, "-c", WORK.format(claim=attrs.asdict(claim)))


def test_a_task_works_and_is_recorded(place: Place, launcher: Launcher) -> None:
    """It keeps a run log, is done once in the database, and says so."""
    store.add_task(place.engine, "job-1", duration=0.1)
    claim = place.claim(store.prepare_for_execution(place.engine))
    task = work(launcher, place, claim)
    assert task.exits() == 0
    assert task.said("INFO task job-1 started job=1 run=1 pid=")
    assert task.said("INFO task job-1 done$")
    assert place.outcomes("job-1") == ["done"]
    run_log = (launcher.run_dir / "job-1.log").read_text(encoding="utf-8").splitlines()
    assert [line.split()[1] for line in run_log] == ["started", "worked"]


def test_work_that_is_done_while_the_database_is_away_is_recorded_later(
    place: Place, launcher: Launcher
) -> None:
    """A short outage at the wrong moment does not throw finished work away."""
    store.add_task(place.engine, "job-1")
    claim = place.claim(store.prepare_for_execution(place.engine))
    run_log = launcher.run_dir / "job-1.log"
    with place.away():
        task = work(launcher, place, claim)
        until(lambda: run_log.exists() and " worked " in run_log.read_text(encoding="utf-8"))
        assert task.process.poll() is None
    assert task.exits() == 0
    assert place.outcomes("job-1") == ["done"]


def test_a_task_whose_claim_was_taken_back_does_not_say_done(
    place: Place, launcher: Launcher
) -> None:
    """It ends with a warning and a status that is not 0."""
    store.add_task(place.engine, "job-1")
    job = store.prepare_for_execution(place.engine)
    claim = place.claim(job)
    store.complete_execution(place.engine, job, "failed")
    store.take_back(place.engine, stale_after=3600)
    task = work(launcher, place, claim)
    assert task.exits() != 0
    assert task.said("WARNING task 'job-1' is not run 1's any more; leave it alone")
    assert not task.said("job-1 done")
    assert place.outcomes("job-1") == ["lost"]


# --- both spellings --------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["legacy", "pipeline"])
def test_a_scheduler_does_what_is_due(place: Place, launcher: Launcher, spelling: str) -> None:
    """Both spellings claim, run and record tasks, serve their logs and tell their health."""
    store.add_task(place.engine, "first", duration=0.1)
    scheduler = launcher.scheduler(spelling, place.url)
    scheduler.says("task first done")
    store.add_task(place.engine, "second", due_in=0.2)
    scheduler.says("task second done")
    assert place.outcomes("first") == place.outcomes("second") == ["done"]
    assert b"worked" in scheduler.logs("/first.log")[1]
    assert scheduler.health() == (200, "fresh")


@pytest.mark.parametrize("spelling", ["legacy", "pipeline"])
def test_a_failed_attempt_does_not_end_the_scheduler(
    place: Place, launcher: Launcher, spelling: str
) -> None:
    """A task that breaks is put off, and the next one is done."""
    (launcher.run_dir / "broken.log").mkdir()
    store.add_task(place.engine, "broken")
    store.add_task(place.engine, "whole")
    scheduler = launcher.scheduler(spelling, place.url)
    scheduler.says("task whole done")
    assert place.tasks() == {"broken": "due", "whole": "done"}
    assert place.outcomes("broken") == ["failed"]


@pytest.mark.parametrize("spelling", ["legacy", "pipeline"])
def test_a_scheduler_refuses_a_foreign_file(
    launcher: Launcher, tmp_path: Path, spelling: str
) -> None:
    """It says what is wrong, exits with 2, and leaves the file as it was."""
    foreign = tmp_path / "foreign.db"
    not_a_database(foreign)
    before = foreign.read_bytes()
    scheduler = launcher.start(f"sqlite:///{foreign}", "-m", f"scheduler_job.{spelling}")
    assert scheduler.exits() == 2
    assert scheduler.said(
        "foreign.db' is not a scheduler's .file is not a database.; name another"
    )
    assert not scheduler.said("Traceback")
    assert foreign.read_bytes() == before
    assert scheduler.leaves_nothing(within=5)


# --- the legacy spelling ---------------------------------------------------------------------


def test_legacy_stops_when_it_is_asked_to(place: Place, launcher: Launcher) -> None:
    """As in the story, SIGTERM with the database up is a clean end with status 0."""
    scheduler = launcher.scheduler("legacy", place.url)
    scheduler.process.terminate()
    assert scheduler.exits() == 0
    assert scheduler.leaves_nothing(within=5)
    assert place.jobs() == ["success"]


def test_legacy_hangs_when_the_database_goes(place: Place, launcher: Launcher) -> None:
    """The story's outage: two errors, a traceback, and a process that neither works nor ends."""
    scheduler = launcher.scheduler("legacy", place.url)
    scheduler.health()
    scheduler.logs("/")
    with place.away():
        scheduler.says("ERROR scheduler loop dead: ")
        scheduler.says("in complete_execution")
        assert scheduler.said("During handling of the above exception, another exception occurred")
    with pytest.raises(subprocess.TimeoutExpired):
        scheduler.exits(within=3)
    store.add_task(place.engine, "never")
    assert len(processes(launcher.marker)) == 4
    assert set(listeners(launcher.ports, processes(launcher.marker))) == set(launcher.ports)
    assert place.tasks() == {"never": "due"}
    scheduler.process.terminate()
    scheduler.exits()
    assert len(processes(launcher.marker)) == 3, "its children outlive it, and hold both ports"


# --- the pipeline ----------------------------------------------------------------------------


def test_the_pipeline_ends_when_the_database_goes(place: Place, launcher: Launcher) -> None:
    """It reports both errors, the loop's first, exits non-zero in 5 s and leaves nothing."""
    scheduler = launcher.scheduler("pipeline", place.url)
    with place.away():
        scheduler.says("ERROR scheduler loop dead: DatabaseGone")
        assert scheduler.exits(within=5) == os.EX_TEMPFAIL
        assert scheduler.left() == []
    report = scheduler.log.read_text(encoding="utf-8").partition("loop dead")[2]
    assert report.count("DatabaseGone(reason=") == 3  # the line itself, the cause, the release
    assert re.search(
        r"DatabaseGone.*\n(.*\n)*  then job_row.*complete failed: DatabaseGone", report
    )
    assert place.jobs() == ["running"]
    again = launcher.scheduler("pipeline", place.url)
    until(lambda: place.jobs() == ["failed", "running"])
    assert again.health() == (200, "fresh")


def test_the_pipeline_waits_for_the_database_at_its_start(
    place: Place, launcher: Launcher
) -> None:
    """Started during an outage it says what it waits for, and goes on when that is there."""
    store.add_task(place.engine, "due-meanwhile")
    with place.away():
        scheduler = launcher.start(place.url, "-m", "scheduler_job.pipeline")
        scheduler.says("WARNING waiting for the database: ")
        assert scheduler.process.poll() is None
    scheduler.says("task due-meanwhile done")


def test_the_pipeline_does_not_wait_for_ever(place: Place, launcher: Launcher) -> None:
    """After SCHEDULER_DATABASE_WAIT it exits, so that its supervisor sees that it is not up."""
    with place.away():
        scheduler = launcher.start(
            place.url, "-m", "scheduler_job.pipeline", SCHEDULER_DATABASE_WAIT="0.5"
        )
        assert scheduler.exits() == os.EX_TEMPFAIL
    assert scheduler.said("while waiting for the database")
    assert not scheduler.said("scheduler ready")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_pipeline_dies_by_the_signal_that_stops_it(
    place: Place, launcher: Launcher, signum: signal.Signals
) -> None:
    """Stopped while idle: the row says `stopped`, children and ports are gone."""
    scheduler = launcher.scheduler("pipeline", place.url)
    scheduler.process.send_signal(signum)
    assert scheduler.exits(within=5) == -signum
    assert scheduler.left() == []
    assert place.jobs() == ["stopped"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_task_that_was_killed_with_its_scheduler_is_run_again(
    place: Place, launcher: Launcher, signum: signal.Signals
) -> None:
    """The next scheduler takes it back; it is attempted twice and done once."""
    store.add_task(place.engine, "long", duration=2)
    scheduler = launcher.scheduler("pipeline", place.url)
    scheduler.says("task long started")
    scheduler.process.send_signal(signum)
    assert scheduler.exits(within=5) == -signum
    assert scheduler.leaves_nothing(within=2)
    assert place.outcomes("long") == [None]
    again = launcher.scheduler("pipeline", place.url)
    again.says("WARNING task long taken back from a dead scheduler")
    again.says("task long done")
    assert place.outcomes("long") == ["lost", "done"]
    assert place.jobs() == ["stopped" if signum == signal.SIGTERM else "failed", "running"]


def test_a_task_that_ran_when_the_database_went_is_run_again(
    place: Place, launcher: Launcher
) -> None:
    """It ends with its scheduler, in time, and is done once when the database is back."""
    store.add_task(place.engine, "long", duration=2)
    scheduler = launcher.scheduler("pipeline", place.url)
    scheduler.says("task long started")
    with place.away():
        scheduler.says("scheduler loop dead: DatabaseGone")
        assert scheduler.exits(within=5) == os.EX_TEMPFAIL
        assert scheduler.left() == []
    again = launcher.scheduler("pipeline", place.url)
    again.says("task long done")
    assert place.outcomes("long") == ["lost", "done"]


def test_the_pipeline_ends_when_a_port_is_taken(place: Place, launcher: Launcher) -> None:
    """A server that cannot start ends the scheduler, by name, instead of being missed later."""
    first = launcher.scheduler("pipeline", place.url)
    first.health()
    first.logs("/")
    other = free_ports(1)[0]
    second = launcher.start(
        place.url, "-m", "scheduler_job.pipeline", SCHEDULER_HEALTH_PORT=str(other)
    )
    assert second.exits() == os.EX_UNAVAILABLE
    assert second.said(rf"log server: port {launcher.ports[0]} is taken; free it")
    assert second.said(rf"loop dead: PortTaken.server='log server on port {launcher.ports[0]}'")
    assert place.jobs() == ["running", "failed"]
    assert first.health() == (200, "fresh")


def test_the_pipeline_ends_when_a_server_dies(place: Place, launcher: Launcher) -> None:
    """The early death of a child is an error of the scheduler, even while it waits for a task."""
    store.add_task(place.engine, "long", duration=PATIENCE)
    scheduler = launcher.scheduler("pipeline", place.url)
    scheduler.says("task long started")
    scheduler.health()
    table = processes(launcher.marker)
    (server,) = listeners([launcher.ports[1]], table)[launcher.ports[1]]
    os.kill(server, signal.SIGKILL)
    assert scheduler.exits() == os.EX_SOFTWARE
    assert scheduler.said("loop dead: ChildDied.name='health server on port .*exitcode=-9")
    assert scheduler.left() == []
    assert place.jobs() == ["failed"]


def test_the_pipeline_ends_when_it_was_declared_dead(place: Place, launcher: Launcher) -> None:
    """A scheduler whose claims were taken back does not go on as if they were its own."""
    scheduler = launcher.scheduler("pipeline", place.url)
    with place.engine.begin() as connection:
        connection.execute(update(store.Job).values(state="failed"))
    assert scheduler.exits() == os.EX_TEMPFAIL
    assert scheduler.said("loop dead: JobLost.job=1")
    assert scheduler.left() == []


# --- the proof -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Share mypy's cache among the copies: SQLAlchemy is read once."""
    return tmp_path_factory.mktemp("mypy-cache")


@attrs.frozen
class Copy:
    """A copy of the examples that may be edited."""

    directory: Path
    cache: Path

    @property
    def pipeline(self) -> Path:
        """The file that is edited."""
        return self.directory / "scheduler_job" / "pipeline.py"

    def edit(self, old: str, new: str) -> None:
        """Replace a text that occurs exactly once."""
        source = self.pipeline.read_text(encoding="utf-8")
        assert source.count(old) == 1, old
        self.pipeline.write_text(source.replace(old, new), encoding="utf-8")

    def mypy(self) -> tuple[int, str]:
        """Check the edited file as `make types` does, and return status and output."""
        checked = subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "mypy",
                    "--strict",
                    "--config-file=",
                    "--no-error-summary",
                ),
                *("--cache-dir", str(self.cache), "-m", "scheduler_job.pipeline"),
            ],
            env={**os.environ, "MYPYPATH": f"{self.directory}:{ROOT / 'src'}"},
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=10 * PATIENCE,
            check=False,
        )
        return checked.returncode, checked.stdout + checked.stderr


@pytest.fixture
def copy(tmp_path: Path, mypy_cache: Path) -> Copy:
    """Copy the examples."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return Copy(tmp_path / "examples", mypy_cache)


def cases() -> list[str]:
    """Read from the source which error classes `exit_code` has a case for."""
    source = (EXAMPLES / "scheduler_job" / "pipeline.py").read_text(encoding="utf-8")
    body = source.partition("def exit_code(")[2].partition("assert_never")[0]
    return re.findall(r"case (\w+)\(\):", body)


def test_the_pipeline_as_it_stands_is_exhaustive(copy: Copy) -> None:
    """The checker finds nothing in an unedited copy, so what it finds below is due to the edit."""
    assert copy.mypy() == (0, "")


@pytest.mark.parametrize("name", cases())
def test_a_case_that_is_deleted_is_missed(copy: Copy, name: str) -> None:
    """Without its case, an error class makes mypy fail in `exit_code`, by name."""
    (case,) = re.findall(
        rf"        case {name}\(\):\n            return [\w.]+\n",
        copy.pipeline.read_text(encoding="utf-8"),
    )
    copy.edit(case, "")
    status, found = copy.mypy()
    assert status == 1
    (line,) = found.splitlines()
    assert re.search(rf'pipeline.py:\d+: error: Argument 1 to "assert_never" .*"{name}', line)


def test_an_error_that_is_added_must_be_handled(copy: Copy) -> None:
    """A new way to fail is a type error until `exit_code` says what it means."""
    copy.edit(
        "SchedulerError: TypeAlias = LoopError |",
        '@attrs.frozen\nclass DiskFull:\n    """New."""\n\n\n'
        "SchedulerError: TypeAlias = DiskFull | LoopError |",
    )
    status, found = copy.mypy()
    assert status == 1
    (line,) = found.splitlines()
    assert re.search(r'pipeline.py:\d+: error: Argument 1 to "assert_never" .*"DiskFull"', line)
