"""The databases that can be taken away and given back.

Taking one away is itself a resource: `outage` acquires the outage and releases it, so that the
database comes back however the time in between ends.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import psycopg
from attrs import define, field, frozen
from psycopg.sql import SQL, Identifier

from resultflow import Err, Ok, Resource, Result, Succeeded, do, safe, subprocess_child
from resultflow.errors import ChildNotStarted, ReleaseFailed
from scheduler_job.observe import MARKER, free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from resultflow import Bind, Exit
    from resultflow.child import Child

DATABASES: Final = ("sqlite", "postgresql")
STOPS: Final = ("fast", "immediate", "lock")
LOCK_WITHIN: Final = 10.0
START_WITHIN: Final = 30.0
STOP_WITHIN: Final = 10.0
POLL: Final = 0.05
DEBIAN: Final = "/usr/lib/postgresql"
ADMINISTRATOR: Final = "postgres"
# initdb refuses root, and wants a user that has a name.
SPARE_USERS: Final = ("postgres", "nobody")
MANNERS: Final = {
    "fast": "stopped by a fast shutdown",
    "immediate": "stopped by an immediate shutdown",
    "lock": "its tables locked from outside",
}
SHUTDOWNS: Final[dict[str, signal.Signals]] = {
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}


@frozen
class PlanImpossible:
    """This machine or this database cannot do what was asked for."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@frozen
class DatabaseFailed:
    """A database did not start, did not stop, or did not let itself be locked."""

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


OutageFailed: TypeAlias = DatabaseFailed | ReleaseFailed[DatabaseFailed]
"""The database did not go, or did not come back."""


class Database(Protocol):
    """A database server, or the files that stand for one."""

    @property
    def title(self) -> str:
        """What it is, for people."""
        ...

    def create(self, name: str) -> Result[str, DatabaseFailed]:
        """Make an empty database and return its URL."""
        ...

    def outage(self, names: Sequence[str]) -> Resource[None, OutageFailed]:
        """The databases are away for as long as the resource is in use."""
        ...


class Plan(Protocol):
    """Which database will go away, and how; known to be possible."""

    @property
    def title(self) -> str:
        """What it is and how it goes, for people."""
        ...

    def start(self, directory: Path, marker: str) -> Resource[Database, DatabaseFailed]:
        """The database, in the directory, its processes marked, while the resource is in use."""
        ...


def plan(database: str, stop: str | None) -> Result[Plan, PlanImpossible]:
    """Make sure that the database can be taken away as asked."""
    if database == "sqlite":
        if stop not in {None, "lock"}:
            return Err(
                PlanImpossible(
                    f"argument --stop: {stop!r} needs a server, and SQLite has none; "
                    "leave it out, or take --stop lock or --database postgresql"
                )
            )
        return Ok(SqlitePlan())
    return PostgresPlan.found(stop or "fast")


@frozen
class SqlitePlan:
    """SQLite files, locked from outside."""

    title = f"SQLite {sqlite3.sqlite_version}, locked from outside as a VACUUM does"

    def start(self, directory: Path, marker: str) -> Resource[Database, DatabaseFailed]:
        """Name the directory: files need no server."""
        del marker
        return Resource.pure(Sqlite(directory, self.title))


@frozen
class Sqlite:
    """SQLite files in one directory."""

    directory: Path
    title: str

    def create(self, name: str) -> Result[str, DatabaseFailed]:
        """Name the file; the schema's creation makes it."""
        return Ok(f"sqlite:///{self._path(name)}")

    def outage(self, names: Sequence[str]) -> Resource[None, OutageFailed]:
        """Hold an exclusive lock on each file."""
        locks = [self._lock(self._path(name)) for name in names]
        return Resource.all_of(locks).map(lambda _: None)

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.db"

    @staticmethod
    def _lock(path: Path) -> Resource[sqlite3.Connection, DatabaseFailed]:
        @safe(sqlite3.Error, into=lambda exc: DatabaseFailed(f"no lock on {path.name}", str(exc)))
        def acquire() -> sqlite3.Connection:
            connection = sqlite3.connect(path, timeout=LOCK_WITHIN, isolation_level=None)
            try:
                connection.execute("BEGIN EXCLUSIVE")
            except BaseException:
                connection.close()
                raise
            return connection

        # Closing rolls the transaction back, and gives the lock back with it.
        return Resource.make(acquire, lambda connection, _exit: connection.close())


@frozen
class PostgresPlan:
    """A private PostgreSQL, started from the system's binaries."""

    binaries: Path
    user: str | None
    stop: str
    title: str

    @classmethod
    def found(cls, stop: str) -> Result[PostgresPlan, PlanImpossible]:
        """Look for the binaries, and for a user that may run them."""
        binaries = _binaries()
        if binaries is None:
            return Err(
                PlanImpossible(
                    "argument --database: 'postgresql' needs initdb and postgres, found neither "
                    f"in {DEBIAN}/*/bin nor on PATH; install postgresql, or take "
                    "--database sqlite"
                )
            )
        user = None
        if os.geteuid() == 0:
            user = next((name for name in SPARE_USERS if _exists(name)), None)
            if user is None:
                return Err(
                    PlanImpossible(
                        "argument --database: 'postgresql' does not run as root, and there is no "
                        f"user {' or '.join(SPARE_USERS)} to run it; run as another user, or "
                        "take --database sqlite"
                    )
                )
            place = Path(tempfile.gettempdir()).resolve()
            if not all(directory.stat().st_mode & 0o001 for directory in (place, *place.parents)):
                return Err(
                    PlanImpossible(
                        f"the temporary directory {str(place)!r} cannot be entered by the user "
                        f"{user!r}, who runs PostgreSQL; set TMPDIR to one that can"
                    )
                )
        return Ok(cls(binaries, user, stop, f"{_version(binaries)}, {MANNERS[stop]}"))

    def start(self, directory: Path, marker: str) -> Resource[Database, DatabaseFailed]:
        """Initialise a cluster, start it, and stop it at the end."""
        server = PostgresServer(self, directory / "postgresql", free_ports(1)[0], marker)

        @do
        def acquire(bind: Bind[DatabaseFailed]) -> PostgresServer:
            bind(server.initialise())
            bind(server.start())
            return server

        running = Resource.make(acquire, lambda started, _exit: started.close())
        return running  # noqa: RET504 (its exact type is inferred before it is widened)


@define
class PostgresServer:
    """A private cluster that listens on loopback alone."""

    plan: PostgresPlan
    directory: Path
    port: int
    marker: str
    _running: ExitStack = field(factory=ExitStack, init=False)
    _child: Child | None = field(default=None, init=False)

    @property
    def title(self) -> str:
        """What it is, and how it goes."""
        return self.plan.title

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _log(self) -> Path:
        return self.directory / "postgresql.log"

    def initialise(self) -> Result[None, DatabaseFailed]:
        """Make the cluster."""
        self.directory.mkdir()
        if self.plan.user is not None:
            shutil.chown(self.directory, self.plan.user)
        initdb = self._program(
            "initdb",
            *("--pgdata", str(self._data), "--username", ADMINISTRATOR, "--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"),
        )
        return initdb.use(self._initialised).map_err(_as_database_failed)

    def _initialised(self, child: Child) -> Result[None, DatabaseFailed]:
        if child.wait(START_WITHIN) == 0:
            return Ok(None)
        return Err(DatabaseFailed("initdb failed", self._last_words()))

    def start(self) -> Result[None, DatabaseFailed]:
        """Start the server and wait until it can be connected to."""
        server = self._program(
            "postgres",
            *("-D", str(self._data), "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
            # All of it lies in the directory: nothing survives in /dev/shm if it is killed.
            *("-c", "dynamic_shared_memory_type=mmap", "-c", "fsync=off"),
        )
        self._child = self._running.enter_context(server.open())
        return self._ready(self._child)

    def _ready(self, child: Child) -> Result[None, DatabaseFailed]:
        deadline = time.monotonic() + START_WITHIN
        while child.poll() is None and time.monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                psycopg.connect(self._address(ADMINISTRATOR)).close()
                return Ok(None)
            time.sleep(POLL)
        return Err(DatabaseFailed("PostgreSQL did not start", self._last_words()))

    def stop(self) -> Result[None, DatabaseFailed]:
        """Stop the server in the manner of the plan, and wait until it has gone."""
        if self._child is None:
            return Ok(None)
        os.kill(self._child.pid, SHUTDOWNS[self.plan.stop])
        gone = self._child.wait(STOP_WITHIN) is not None
        self.close()
        if gone:
            return Ok(None)
        return Err(DatabaseFailed("PostgreSQL did not stop", f"not within {STOP_WITHIN:g} s"))

    def close(self) -> None:
        """Leave no process; the server may have ended before."""
        self._child = None
        self._running.close()

    @safe(psycopg.Error, into=lambda exc: DatabaseFailed("no database made", str(exc)))
    def create(self, name: str) -> str:
        """Make an empty database and return its URL."""
        with psycopg.connect(self._address(ADMINISTRATOR), autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        return f"postgresql+psycopg://{ADMINISTRATOR}@127.0.0.1:{self.port}/{name}"

    def outage(self, names: Sequence[str]) -> Resource[None, OutageFailed]:
        """Stop the server and start it again, or hold locks on the tables."""
        if self.plan.stop == "lock":
            return Resource.all_of([self._lock(name) for name in names]).map(lambda _: None)

        def release(_: None, ending: Exit) -> Result[None, DatabaseFailed]:
            # Nobody waits for its return when the run was broken off.
            return self.start() if isinstance(ending, Succeeded) else Ok(None)

        return Resource.make(self.stop, release)

    def _lock(self, name: str) -> Resource[psycopg.Connection, DatabaseFailed]:
        @safe(psycopg.Error, into=lambda exc: DatabaseFailed(f"no lock on {name}", str(exc)))
        def acquire() -> psycopg.Connection:
            limit = f"-c lock_timeout={LOCK_WITHIN:g}s"
            connection = psycopg.connect(self._address(name), options=limit)
            try:
                connection.execute("LOCK TABLE job, task, task_run IN ACCESS EXCLUSIVE MODE")
            except BaseException:
                connection.close()
                raise
            return connection

        return Resource.make(acquire, lambda connection, _exit: connection.close())

    def _address(self, name: str) -> str:
        return (
            f"host=127.0.0.1 port={self.port} user={ADMINISTRATOR} dbname={name} connect_timeout=2"
        )

    def _program(self, program: str, *arguments: str) -> Resource[Child, ChildNotStarted]:
        return Resource.from_context_manager(lambda: self._log.open("ab")).and_then(
            lambda log: subprocess_child(
                [str(self.plan.binaries / program), *arguments],
                name=program,
                stop_signal=signal.SIGINT,
                cwd=str(self.directory),
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", MARKER: self.marker},
                user=self.plan.user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        )

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return " | ".join(line.strip() for line in lines[-4:] if line.strip())


def _as_database_failed(error: ChildNotStarted | DatabaseFailed) -> DatabaseFailed:
    match error:
        case ChildNotStarted(name, reason):
            return DatabaseFailed(f"{name} did not start", reason)
        case DatabaseFailed():
            return error


def _binaries() -> Path | None:
    newest_first = sorted(Path(DEBIAN).glob("*/bin"), key=_major, reverse=True)
    on_path = [Path(place) for place in os.get_exec_path() if place]
    for place in (*newest_first, *on_path):
        if all(os.access(place / program, os.X_OK) for program in ("initdb", "postgres")):
            return place.resolve()
    return None


def _major(binaries: Path) -> int:
    return int(binaries.parent.name) if binaries.parent.name.isdigit() else 0


def _version(binaries: Path) -> str:
    answer = subprocess.run(
        [binaries / "postgres", "--version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"\d+(\.\d+)*", answer)
    return f"PostgreSQL {found[0]}" if found else "PostgreSQL"


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
