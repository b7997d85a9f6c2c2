"""The place where a scheduler goes through an outage, set up and cleared away again.

Every part is a resource: the directory, the database, each supervisord. The directory is the
outermost; its release also kills what the others should have ended, and says so.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field, frozen
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from resultflow import Err, Ok, Resource, Result, do, safe, subprocess_child
from resultflow.errors import ChildDied, ChildNotStarted, ReleaseFailed
from scheduler_job import store
from scheduler_job.events import Kind
from scheduler_job.observe import MARKER, free_ports, health_probe, kill_all
from scheduler_job.outage import DatabaseFailed
from scheduler_job.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Final, Never

    from sqlalchemy.engine import Engine

    from resultflow import Bind, Exit
    from resultflow.child import Child
    from scheduler_job.events import Event
    from scheduler_job.observe import HealthProbe
    from scheduler_job.options import Spelling
    from scheduler_job.outage import Database, OutageFailed, Plan

EXAMPLES: Final = Path(__file__).resolve().parent.parent
SUPERVISORD_CONF: Final = Path(__file__).resolve().with_name("supervisord.conf")
LOOK_EVERY: Final = 0.1
SAY_EVERY: Final = 5.0
SWEEP_WITHIN: Final = 5.0
LOG_LINES: Final = 12
MOST_DETAIL: Final = 70
# It stops the scheduler in about a second; what takes longer is left to the sweep.
SUPERVISORD_GRACE: Final = 3.0
WORDS: Final = {
    Kind.SPAWNED: "supervisord starts the scheduler, pid {pid}",
    Kind.READY: "scheduler ready, pid {pid}",
    Kind.WAITING: "waits for the database: {detail}",
    Kind.TASK_STARTED: "task {detail} started",
    Kind.TASK_DONE: "task {detail} done",
    Kind.LOOP_DEAD: "loop dead: {detail}",
    Kind.GONE: "process {pid} has ended",
    Kind.EXITED: "supervisord saw it end: {detail}",
    Kind.RUNNING: "supervisord says RUNNING",
    Kind.GAVE_UP: "supervisord gave up: {detail}",
}


@frozen
class LeftBehind:
    """Processes that even the last sweep could not end."""

    pids: tuple[int, ...]


@frozen
class NoPlace:
    """No temporary directory could be made."""

    reason: str


@frozen
class TookTooLong:
    """Something that was waited for did not happen; the end of the log may tell why."""

    what: str
    seconds: float
    log: tuple[str, ...] = field(default=(), repr=False)


StageError: TypeAlias = (
    NoPlace
    | LeftBehind
    | DatabaseFailed
    | ChildNotStarted
    | ChildDied
    | TookTooLong
    | ReleaseFailed[LeftBehind]
    | ReleaseFailed[DatabaseFailed]
)


@frozen
class Place:
    """A directory of its own; its name marks every process that is started for it."""

    directory: Path

    @property
    def marker(self) -> str:
        """What the processes carry in their environment."""
        return self.directory.name


def place() -> Resource[Place, NoPlace | ReleaseFailed[LeftBehind]]:
    """A temporary directory; at the end it is gone, and every process of it is."""

    @safe(OSError, into=lambda exc: NoPlace(str(exc)))
    def acquire() -> Place:
        directory = Path(tempfile.mkdtemp(prefix="scheduler-"))
        # Passable, so that PostgreSQL's user reaches its own directory below; nothing more.
        directory.chmod(0o711)
        return Place(directory)

    def release(made: Place, _exit: Exit) -> Result[None, LeftBehind]:
        survivors = kill_all(made.marker, within=SWEEP_WITHIN)
        shutil.rmtree(made.directory, ignore_errors=True)
        return Err(LeftBehind(tuple(survivors))) if survivors else Ok(None)

    return Resource.make(acquire, release)


@frozen(kw_only=True)
class Tally:
    """What the database says about the tasks: each must be done in exactly one run."""

    done: int
    lost: int
    twice: int

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return self.done + self.lost + self.twice

    def __str__(self) -> str:
        faults = [f"{self.lost} lost"] * bool(self.lost) + [f"{self.twice} twice"] * bool(
            self.twice
        )
        return ", ".join([f"{self.done} of {self.total} done once", *faults])


@frozen(kw_only=True)
class Lane:
    """One spelling of the scheduler under its own supervisord, with a database of its own."""

    spelling: Spelling
    name: str
    watch: Watch
    engine: Engine
    supervisord: Child

    def add_task(
        self, key: str, *, due_in: float = 0.0, duration: float = 0.0
    ) -> Result[None, DatabaseFailed]:
        """Enter a task in the lane's database."""
        failed = safe(SQLAlchemyError, into=lambda exc: DatabaseFailed(f"no task {key}", str(exc)))
        added = failed(store.add_task)(self.engine, key, due_in=due_in, duration=duration)
        return added.map(lambda _: None)

    @safe(SQLAlchemyError, into=lambda exc: DatabaseFailed("no tasks", str(exc)))
    def dues(self) -> tuple[float, ...]:
        """When each of the tasks is due, in seconds since the epoch."""
        with self.engine.connect() as connection:
            return tuple(
                due.timestamp() for due in connection.execute(select(store.Task.due_at)).scalars()
            )

    @safe(SQLAlchemyError, into=lambda exc: DatabaseFailed("no tally", str(exc)))
    def tally(self) -> Tally:
        """Count, for every task, the runs that were done."""
        runs = (
            select(func.count())
            .where(store.TaskRun.task_id == store.Task.id, store.TaskRun.outcome == "done")
            .scalar_subquery()
        )
        with self.engine.connect() as connection:
            done = list(connection.execute(select(runs).select_from(store.Task)).scalars())
        return Tally(
            done=done.count(1), lost=done.count(0), twice=sum(count > 1 for count in done)
        )


def lane(
    spelling: Spelling, name: str, ground: Ground
) -> Resource[Lane, DatabaseFailed | ChildNotStarted]:
    """A scheduler that supervisord has been told to start; it need not be ready yet."""
    directory = ground.place.directory / name
    state, runs = directory / "state", directory / "runs"
    marker = f"{ground.place.marker}/{name}"

    @do
    def prepare(bind: Bind[DatabaseFailed]) -> str:
        state.mkdir(parents=True)
        runs.mkdir()
        url = bind(ground.database.create(name))
        bind(_create_schema(url))
        return url

    def running(url: str) -> Resource[Lane, ChildNotStarted]:
        ports = free_ports(2)
        environment = {
            **_without_settings(os.environ),
            "PYTHONPATH": os.pathsep.join(
                filter(None, (str(EXAMPLES), os.environ.get("PYTHONPATH")))
            ),
            "TZ": "UTC",
            MARKER: marker,
            "SCHEDULER_PYTHON": sys.executable,
            "SCHEDULER_SPELLING": spelling,
            "SCHEDULER_STATE_DIR": str(state),
            "SCHEDULER_DATABASE": url,
            "SCHEDULER_RUN_DIR": str(runs),
            "SCHEDULER_LOG_PORT": str(ports[0]),
            "SCHEDULER_HEALTH_PORT": str(ports[1]),
        }

        def assembled(parts: tuple[tuple[Engine, HealthProbe], Child]) -> Lane:
            (engine, probe), supervisord = parts
            watch = Watch(name, marker, tuple(ports), state, supervisord.pid, probe)
            return Lane(
                spelling=spelling, name=name, watch=watch, engine=engine, supervisord=supervisord
            )

        engine = Resource.make(lambda: Ok(store.connect(url)), lambda made, _exit: made.dispose())
        supervisord = _supervisord(name, state, environment)
        return engine.both(health_probe(ports[1])).both(supervisord).map(assembled)

    def sweep(_url: str, _exit: Exit) -> None:
        # What supervisord cannot reach: legacy's orphans. What resists is the place's to report.
        kill_all(marker, within=SWEEP_WITHIN)

    return Resource.make(prepare, sweep).and_then(running)


def _supervisord(
    name: str, state: Path, environment: dict[str, str]
) -> Resource[Child, ChildNotStarted]:
    output = Resource.from_context_manager(lambda: (state / "supervisord.out").open("wb"))
    return output.and_then(
        lambda log: subprocess_child(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(SUPERVISORD_CONF)],
            name=f"supervisord of {name}",
            grace=SUPERVISORD_GRACE,
            cwd=str(state),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    )


@safe(SQLAlchemyError, into=lambda exc: DatabaseFailed("no schema", str(exc)))
def _create_schema(url: str) -> None:
    store.create(url)


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environ.items() if not key.startswith("SCHEDULER_")}


@define
class Console:
    """Tells what happens, as it happens, in plain lines with the time since the start."""

    quiet: bool = False
    began: float = field(factory=time.time)

    def say(self, text: str, *, lane: str = "", at: float | None = None) -> None:
        """Print a line and let it out at once, whoever reads."""
        if self.quiet:
            return
        elapsed = (time.time() if at is None else at) - self.began
        print(f"{elapsed:7.1f} s  {lane:<9} {text}", flush=True)


def explain(error: object) -> None:
    """Print the log that belongs to an error, if one does: a report keeps to one line."""
    if isinstance(error, TookTooLong):
        print(f"gave up {error.what}; the end of the logs:", *error.log, sep="\n  ", flush=True)


@frozen
class Stage:
    """A database and one or two schedulers that live by it."""

    database: Database
    lanes: tuple[Lane, ...]
    console: Console

    @property
    def names(self) -> list[str]:
        """The names of the lanes and of their databases."""
        return [lane.name for lane in self.lanes]

    def outage(self) -> Resource[None, OutageFailed]:
        """The databases of all lanes are away, for as long as the resource is in use."""
        return self.database.outage(self.names)

    def look(self) -> Result[None, ChildDied]:
        """Look at every lane once and tell what is new."""
        for lane in self.lanes:
            for event in lane.watch.look():
                self.console.say(in_words(event), lane=lane.spelling, at=event.at)
            alive = lane.supervisord.check()
            match alive:
                case Err():
                    return alive
                case Ok():
                    pass
        return Ok(None)

    def look_until(
        self, happened: Callable[[], bool], what: str, *, at_most: float
    ) -> Result[bool, ChildDied]:
        """Look on until something has happened, or for `at_most` seconds: did it happen?"""
        began, said = time.monotonic(), 0.0
        while True:
            looked = self.look()
            match looked:
                case Err():
                    return looked
                case Ok():
                    pass
            waited, done = time.monotonic() - began, happened()
            if done or waited >= at_most:
                return Ok(done)
            if waited - said >= SAY_EVERY:
                said = waited
                self.console.say(f"... {what}: {waited:.0f} s so far, {at_most:g} s at most")
            time.sleep(max(0.0, min(LOOK_EVERY, at_most - waited)))

    def wait_for(
        self, happened: Callable[[], bool], what: str, *, at_most: float
    ) -> Result[None, ChildDied | TookTooLong]:
        """Look on until something has happened, which it must."""

        def judged(done: bool) -> Result[None, TookTooLong]:  # noqa: FBT001 (a callback's shape)
            if done:
                return Ok(None)
            log = (line for lane in self.lanes for line in lane.watch.log()[-LOG_LINES:])
            return Err(TookTooLong(what, at_most, tuple(log)))

        return self.look_until(happened, what, at_most=at_most).and_then(judged)


def in_words(event: Event) -> str:
    """An event as a line of the progress."""
    cut = len(event.detail) > MOST_DETAIL
    detail = f"{event.detail[:MOST_DETAIL]}..." if cut else event.detail
    return WORDS[event.kind].format(pid=event.pid, detail=detail)


@frozen
class Ground:
    """A place with a database in it: what stages are put up on."""

    place: Place
    database: Database


def ground(plan: Plan) -> Resource[Ground, StageError]:
    """A place and a running database, for as long as the resource is in use."""
    return place().and_then(
        lambda home: plan.start(home.directory, home.marker).map(
            lambda database: Ground(home, database)
        )
    )


def stage(
    on: Ground, spellings: Sequence[Spelling], console: Console, *, name: str = ""
) -> Resource[Stage, DatabaseFailed | ChildNotStarted]:
    """Schedulers with databases of their own, told to start, while the resource is in use.

    The name tells the lanes of several stages on the same ground from one another.
    """
    lanes = Resource.all_of([lane(spelling, f"{spelling}{name}", on) for spelling in spellings])
    return lanes.and_then(_stopped_together).map(
        lambda made: Stage(on.database, tuple(made), console)
    )


def _stopped_together(lanes: list[Lane]) -> Resource[list[Lane], Never]:
    def release(running: list[Lane], _exit: Exit) -> None:
        # Each supervisord is waited for in turn; told at once, they stop at the same time.
        for lane in running:
            if lane.supervisord.poll() is None:
                os.kill(lane.supervisord.pid, signal.SIGTERM)

    return Resource.make(lambda: Ok(lanes), release)
