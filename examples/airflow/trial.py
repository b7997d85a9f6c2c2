"""Outages, lived through by Airflow's own scheduler and by the rewrite, side by side.

    python examples/airflow/trial.py NAME... --airflow PYTHON --airflow3 PYTHON --out DIRECTORY
        [--own-network]

Started by `prove.py`, in a network namespace of its own where the machine has them. Everything
is private to each outage: PostgreSQL, both supervisords, the directory that they live in. What
was seen goes to NAME.json in the directory; judging it is left to `prove.py`.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypedDict

import psycopg
from attrs import asdict, define, field, frozen
from psycopg.sql import SQL, Identifier

from resultflow import Err, Ok, Resource, Result, collect_all, do, run, safe, subprocess_child
from resultflow.errors import ChildDied, ChildNotStarted
from scheduler_job.observe import (
    MARKER,
    Supervisor,
    free_ports,
    kill_all,
    listeners,
    processes,
)
from scheduler_job.outage import DatabaseFailed, OutageFailed, PlanImpossible, PostgresPlan
from scheduler_job.stage import StageError, TookTooLong, ground

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Never

    from resultflow import Bind, Exit
    from resultflow.child import Child
    from scheduler_job.observe import Process
    from scheduler_job.outage import Database
    from scheduler_job.stage import Ground

HERE: Final = Path(__file__).resolve().parent
SOURCE: Final = HERE.parent.parent / "src"
ORIGINAL: Final = "original"
REWRITE: Final = "rewrite"
VARIANTS: Final = (ORIGINAL, REWRITE)

# The log server's, and for the scheduler the health server's; standalone has two more.
PORTS: Final = 4
COMPONENTS: Final = 4
MIGRATE_WITHIN: Final = 180.0
READY_WITHIN: Final = 180.0
RECOVER_WITHIN: Final = 15.0
STOP_WITHIN: Final = 25.0
SWEEP_WITHIN: Final = 10.0
GRACE: Final = 60.0
LOOK_EVERY: Final = 0.1
ASK_EVERY: Final = 0.5
LOG_LINES: Final = 20

SIOCGIFFLAGS: Final = 0x8913
SIOCSIFFLAGS: Final = 0x8914
IFF_UP: Final = 1


@frozen(kw_only=True)
class Scenario:
    """What both schedulers are put through.

    Attributes:
        name: for the command line.
        title: for the table.
        stop: how PostgreSQL goes, or None when it stays.
        down: seconds until what was taken away comes back.
        patience: seconds after that for which a rewrite that is late is waited for; more than it
            may take, so that one that is too slow is told from one that never comes.
        sigterms: when the scheduler gets SIGTERM, in seconds after the stop.
        health: whether Airflow's health server is on.
        deaf: whether that one ignores SIGTERM.
        port_taken: whether the log server's port is taken when the scheduler starts.
        startsecs: supervisord's.
        standalone: whether it is `airflow standalone` of Airflow 3.3, hit before it is ready, and
            not `airflow scheduler` of 2.6.3.
        hangs: whether the original must be seen hanging, as the story tells.
    """

    name: str
    title: str
    stop: str | None = "fast"
    down: float = 20.0
    patience: float = 45.0
    sigterms: tuple[float, ...] = ()
    health: bool = False
    deaf: bool = False
    port_taken: bool = False
    startsecs: int = 1
    standalone: bool = False
    hangs: bool = True


SCENARIOS: Final = (
    Scenario(name="fast", title="fast stop"),
    Scenario(name="immediate", title="immediate stop", stop="immediate"),
    Scenario(name="sigterm", title="fast stop, SIGTERM 0.2 s later", sigterms=(0.2,), hangs=False),
    Scenario(
        name="sigterms",
        title="fast stop, SIGTERM 0.2 s and 0.7 s later",
        sigterms=(0.2, 0.7),
        hangs=False,
    ),
    Scenario(name="health", title="fast stop, health server on", health=True),
    Scenario(
        name="deaf", title="fast stop, health server ignores SIGTERM", health=True, deaf=True
    ),
    Scenario(
        name="port", title="log port taken at the start", stop=None, port_taken=True, hangs=False
    ),
    Scenario(name="startsecs", title="fast stop for 90 s, startsecs=10", down=90.0, startsecs=10),
    Scenario(
        name="standalone",
        title="standalone of 3.3, stop for 1 s",
        down=1.0,
        patience=120.0,
        standalone=True,
    ),
)


@frozen(kw_only=True)
class Fate:
    """What became of one scheduler; times are seconds after the stop, None is never.

    Attributes:
        variant: the original or the rewrite.
        back: when what was taken away had come back.
        watched: when the watch ended.
        loop_dead: when the loop ended, by Airflow's own log.
        exited: when the process that met the outage was gone.
        status: how it ended, in supervisord's words.
        exits: how many times supervisord saw the scheduler end.
        state: supervisord's word at the end of the watch.
        same_pid: whether the process that met the outage is still supervisord's.
        left: how many processes from before the stop were there at the end of the watch.
        held: which ports those held.
        heartbeat: the first heartbeat after the return.
        run: the end of the first DAG run that was scheduled after the return; for standalone,
            when it said that it is ready.
        stopped: how long supervisord took to stop, seconds.
        left_after: how many processes were left then.
        held_after: which ports those held.
        report: what the first one to end told about its errors.
    """

    variant: str
    back: float
    watched: float
    loop_dead: float | None
    exited: float | None
    status: str
    exits: int
    state: str
    same_pid: bool
    left: int
    held: list[int]
    heartbeat: float | None
    run: float | None
    stopped: float | None
    left_after: int
    held_after: list[int]
    report: list[str]


TrialError: TypeAlias = StageError | PlanImpossible | OutageFailed


# What a scheduler's and supervisord's logs tell

_AIRFLOW_LINE: Final = re.compile(r"\[(\S+)\] \{\S+\} (?:\w+ - )?(.*)")
_SUPERVISORD_LINE: Final = re.compile(r"(\S+ \S+) \w+ (.*)")
_EXITED: Final = re.compile(r"exited: scheduler \((.*?)(?:; (?:not )?expected)?\)")
READY: Final = "Airflow is ready"
LOOP_FAILED: Final = "Exception when executing SchedulerJob._run_scheduler_loop"
LOOP_ENDED: Final = "Exited execute loop"
REPORT: Final = "resultflow: "


def loop_death(log: Iterable[str], *, after: float) -> float | None:
    """Find when the loop ended: with an exception, or else by a signal."""
    ended: list[float] = []
    for line in log:
        found = _AIRFLOW_LINE.match(line)
        if found is None or not found[2].startswith((LOOP_FAILED, LOOP_ENDED)):
            continue
        at = datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
        if at >= after:
            ended.append(at)
    return min(ended, default=None)


def exits(log: Iterable[str], *, after: float) -> list[str]:
    """List how the scheduler ended, each time that supervisord saw it end."""
    found: list[str] = []
    for line in log:
        parts = _SUPERVISORD_LINE.match(line)
        exited = parts and _EXITED.search(parts[2])
        if parts and exited:
            at = datetime.strptime(parts[1], "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=UTC)
            if at.timestamp() >= after:
                found.append(exited[1])
    return found


def first_report(log: Sequence[str]) -> list[str]:
    """Give the first report of an error in a log, without the places that it passed."""
    report: list[str] = []
    for line in log:
        if report and not line.startswith("  "):
            break
        if (report or line.startswith(REPORT)) and not line.lstrip().startswith("at "):
            report.append(line)
    return report


def lines_of(path: Path) -> list[str]:
    """Read the lines of a log, which may not be there yet."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


# One scheduler under its supervisord


@define
class Lane:
    """A scheduler with a database, a home, two ports and a supervisord of its own."""

    variant: str
    marker: str
    directory: Path
    url: str
    ports: list[int]
    supervisord: Child
    standalone: bool
    state: str = field(default="", init=False)
    pid: int = field(default=0, init=False)
    old: dict[int, Process] = field(factory=dict[int, "Process"], init=False)
    old_pid: int = field(default=0, init=False)
    exited: float | None = field(default=None, init=False)
    heartbeat: float | None = field(default=None, init=False)
    run: float | None = field(default=None, init=False)
    _asked: float = field(default=0.0, init=False)

    @property
    def log(self) -> list[str]:
        """What the scheduler and its children said."""
        return lines_of(self.directory / "scheduler.log")

    @property
    def supervisord_log(self) -> list[str]:
        """What supervisord saw."""
        return lines_of(self.directory / "supervisord.log")

    def begin(self) -> None:
        """Take down who is there as the outage begins."""
        self.look(None)
        self.old_pid = self.pid
        self.old = self.there()

    def there(self) -> dict[int, Process]:
        """The scheduler's processes, those included that nobody knows any more."""
        found = processes(self.marker)
        found.pop(self.supervisord.pid, None)
        return found

    def survivors(self) -> list[int]:
        """Those of before the outage that are still there."""
        now = self.there()
        return [pid for pid, process in self.old.items() if now.get(pid) == process]

    def look(self, since: float | None) -> None:
        """Look once; `since` is the moment from which on signs of life count."""
        program = Supervisor(self.directory / "supervisor.sock").program()
        if program is not None:
            self.state, self.pid = program.name, program.pid
        if self.old_pid and self.exited is None and self.old_pid not in self.survivors():
            self.exited = time.time()
        if since is not None and time.time() - self._asked >= ASK_EVERY:
            self._asked = time.time()
            self._ask(since)

    @property
    def works(self) -> bool:
        """Whether there was a heartbeat and a DAG run."""
        return self.heartbeat is not None and self.run is not None

    @property
    def starts_components(self) -> bool:
        """Whether all components of `airflow standalone` have been started."""
        return len(self.there()) > COMPONENTS

    def _ask(self, since: float) -> None:
        moment = datetime.fromtimestamp(since, UTC)
        try:
            with psycopg.connect(self.url, connect_timeout=2, autocommit=True) as connection:
                if self.heartbeat is None:
                    self.heartbeat = _moment(
                        connection.execute(
                            "SELECT min(latest_heartbeat) FROM job WHERE state = 'running'"
                            " AND job_type = 'SchedulerJob' AND latest_heartbeat > %s",
                            [moment],
                        )
                    )
                if self.standalone:
                    if self.run is None and any(READY in line for line in self.log):
                        self.run = time.time()
                elif self.run is None:
                    self.run = _moment(
                        connection.execute(
                            "SELECT min(end_date) FROM dag_run WHERE state = 'success'"
                            " AND run_type = 'scheduled' AND queued_at > %s",
                            [moment],
                        )
                    )
        except psycopg.OperationalError:
            pass  # it is away


def _moment(cursor: psycopg.Cursor[tuple[datetime | None]]) -> float | None:
    found = cursor.fetchone()
    return found[0].timestamp() if found and found[0] else None


def lane(
    variant: str, on: Ground, scenario: Scenario, ports: list[int], given: Options
) -> Resource[Lane, DatabaseFailed | ChildNotStarted]:
    """A scheduler that supervisord has been told to start; it need not be ready yet."""
    directory = on.place.directory / variant
    marker = f"{on.place.marker}/{variant}"

    @do
    def prepare(bind: Bind[DatabaseFailed]) -> str:
        (directory / "dags").mkdir(parents=True)
        (directory / "config").mkdir()
        shutil.copy(HERE / "beat.py", directory / "dags")
        if scenario.deaf:
            shutil.copy(HERE / "deaf.py", directory / "config" / "airflow_local_settings.py")
        return bind(copy_database(on.database, variant))

    def running(url: str) -> Resource[Lane, ChildNotStarted]:
        environment = {
            **airflow_environment(directory, url, ports, health=scenario.health),
            # The original finds its components there.
            "PATH": f"{given.airflow_of(scenario).parent}:{os.environ.get('PATH', os.defpath)}",
            MARKER: marker,
            "SCHEDULER_COMMAND": " ".join(map(str, command(variant, scenario, given))),
            "SCHEDULER_STATE_DIR": str(directory),
            "SCHEDULER_STARTSECS": str(scenario.startsecs),
        }
        return _supervisord(variant, directory, environment).map(
            lambda child: Lane(
                variant, marker, directory, plain(url), ports, child, scenario.standalone
            )
        )

    def sweep(_url: str, _exit: Exit) -> None:
        # What supervisord cannot reach: the original's orphans.
        kill_all(marker, within=SWEEP_WITHIN)

    return Resource.make(prepare, sweep).and_then(running)


def command(variant: str, scenario: Scenario, given: Options) -> list[Path | str]:
    """The command that supervisord runs."""
    name = "standalone" if scenario.standalone else "scheduler"
    python = given.airflow_of(scenario)
    if variant == ORIGINAL:
        return [python, "-m", "airflow", name]
    return [python, HERE / f"{name}.py"]


def airflow_environment(
    home: Path, url: str, ports: Sequence[int], *, health: bool = False
) -> dict[str, str]:
    """Airflow's configuration; nothing of the caller's, whose Airflow may be another one."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(SOURCE),
        "HOME": str(home),
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url.replace("+psycopg:", "+psycopg2:"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(ports[0]),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": str(health),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(ports[1]),
        "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "1",
        # Of Airflow 3.
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(ports[2]),
        "AIRFLOW__API__PORT": str(ports[3]),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{ports[3]}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this trial alone, long enough for HS512 "
        * 2,
    }


def _supervisord(
    name: str, directory: Path, environment: Mapping[str, str]
) -> Resource[Child, ChildNotStarted]:
    output = Resource.from_context_manager(lambda: (directory / "supervisord.out").open("wb"))
    arguments = ["-m", "supervisor.supervisord", "-n", "-c", str(HERE / "supervisord.conf")]
    return output.and_then(
        lambda log: subprocess_child(
            [sys.executable, *arguments],
            name=f"supervisord of {name}",
            cwd=directory,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    )


# The database

TEMPLATE: Final = "migrated"


def plain(url: str) -> str:
    """The URL as psycopg itself reads it."""
    return url.replace("+psycopg:", ":")


@do
def migrate(bind: Bind[DatabaseFailed], on: Ground, scenario: Scenario, given: Options) -> None:
    """Make a database with Airflow's schema, to be copied for each scheduler."""
    url = bind(on.database.create(TEMPLATE))
    home = on.place.directory / TEMPLATE
    home.mkdir()
    verb = "migrate" if scenario.standalone else "upgrade"  # 2.6 does not know the new word
    migrated = subprocess_child(
        [given.airflow_of(scenario), "-m", "airflow", "db", verb],
        name=f"airflow db {verb}",
        cwd=home,
        env={**airflow_environment(home, url, [0] * PORTS), MARKER: on.place.marker},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ).use(lambda child: Ok(child.wait(MIGRATE_WITHIN)))
    match migrated:
        case Ok(0):
            pass
        case Ok(status):
            bind(Err(DatabaseFailed(f"airflow db {verb}", f"exit status {status}")))
        case Err(ChildNotStarted(name, reason)):
            bind(Err(DatabaseFailed(name, reason)))


@do
def copy_database(bind: Bind[DatabaseFailed], database: Database, name: str) -> str:
    """Copy the migrated database, and give the copy's URL."""
    url = bind(database.create(f"{name}_administration"))
    failed = safe(psycopg.Error, into=lambda exc: DatabaseFailed(f"no copy {name}", str(exc)))

    def copy() -> None:
        with psycopg.connect(plain(url), autocommit=True) as connection:
            connection.execute(
                SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    Identifier(name), Identifier(TEMPLATE)
                )
            )

    bind(failed(copy)())
    return url.removesuffix("_administration")


# The trial


@frozen(kw_only=True)
class Options:
    """What the trial was told."""

    scenarios: tuple[Scenario, ...]
    airflow: Path | None
    airflow3: Path | None
    out: Path
    own_network: bool

    def airflow_of(self, scenario: Scenario) -> Path:
        """The Python that has the Airflow of the scenario."""
        python = self.airflow3 if scenario.standalone else self.airflow
        assert python is not None  # noqa: S101 (`parse` has seen to it)
        return python


@frozen
class Trial:
    """Both schedulers, and what is going to be taken away from them."""

    scenario: Scenario
    database: Database
    lanes: list[Lane]
    blockers: list[socket.socket]

    def look_until(
        self, happened: Callable[[], bool], *, at_most: float, since: float | None
    ) -> Result[bool, ChildDied]:
        """Look on until something has happened, or for `at_most` seconds: did it happen?"""
        deadline = time.monotonic() + at_most
        while True:
            for each in self.lanes:
                each.look(since)
                alive = each.supervisord.check()
                if isinstance(alive, Err):
                    return alive
            done = happened()
            if done or time.monotonic() >= deadline:
                return Ok(done)
            time.sleep(LOOK_EVERY)

    def outage(self) -> Resource[None, OutageFailed]:
        """What the scenario takes away is away, for as long as the resource is in use."""
        if self.scenario.stop is not None:
            return self.database.outage([])

        def release(_: None, _exit: Exit) -> None:
            for each in self.blockers:
                each.close()

        return Resource.make(lambda: Ok(None), release)


def blockers(scenario: Scenario, ports: Sequence[int]) -> Resource[list[socket.socket], Never]:
    """Listen on the ports, if the scenario takes them."""

    def listen() -> Ok[list[socket.socket]]:
        taken = ports if scenario.port_taken else ()
        return Ok([socket.create_server(("127.0.0.1", port)) for port in taken])

    def close(made: list[socket.socket], _exit: Exit) -> None:
        for each in made:
            each.close()

    return Resource.make(listen, close)


@do
def stage(bind: Bind[TrialError], on: Ground, scenario: Scenario, given: Options) -> list[Fate]:
    """Set both schedulers up, and live the outage through."""
    bind(migrate(on, scenario, given))
    ports = free_ports(PORTS * len(VARIANTS))
    lanes = Resource.all_of(
        [
            lane(variant, on, scenario, ports[PORTS * index : PORTS * (index + 1)], given)
            for index, variant in enumerate(VARIANTS)
        ]
    )
    held = blockers(scenario, ports[::PORTS]).both(lanes)
    return bind(held.use(lambda both: live(Trial(scenario, on.database, both[1], both[0]))))


@do
def live(bind: Bind[TrialError], trial: Trial) -> list[Fate]:
    """Live the outage through, and tell what became of each scheduler."""
    lanes, scenario = trial.lanes, trial.scenario
    began = "a heartbeat and a DAG run"
    if scenario.port_taken:
        began = "supervisord to start it"
    elif scenario.standalone:
        began = "it to start its components"

    def ready(each: Lane) -> bool:
        if scenario.standalone:
            return each.starts_components
        return bool(each.pid) if scenario.port_taken else each.works

    are_ready = trial.look_until(lambda: all(map(ready, lanes)), at_most=READY_WITHIN, since=0.0)
    if not bind(are_ready):
        tail = [line for each in lanes for line in each.log[-LOG_LINES:]]
        bind(Err(TookTooLong(began, READY_WITHIN, tuple(tail))))
    for each in lanes:
        each.begin()
    stop = time.time()
    bind(trial.outage().use(lambda _: go_through(trial)))
    back = time.time()
    for each in lanes:
        each.heartbeat = each.run = None
    bind(trial.look_until(lambda: False, at_most=RECOVER_WITHIN, since=back))
    rewrite = [each for each in lanes if each.variant == REWRITE]
    bind(
        trial.look_until(
            lambda: all(each.works for each in rewrite),
            at_most=scenario.patience - RECOVER_WITHIN,
            since=back,
        )
    )
    watched = time.time()
    seen = [(each, each.survivors(), each.state, each.pid) for each in lanes]
    return [
        Fate(
            variant=each.variant,
            back=back - stop,
            watched=watched - stop,
            loop_dead=later(loop_death(each.log, after=stop), stop),
            exited=later(each.exited, stop),
            status=next(iter(ends := exits(each.supervisord_log, after=stop)), ""),
            exits=len(ends),
            state=state,
            same_pid=pid == each.old_pid,
            left=len(left),
            held=held_by(left, each.ports),
            heartbeat=later(each.heartbeat, back),
            run=later(each.run, back),
            report=first_report(each.log),
            **stopped(each),
        )
        for each, left, state, pid in seen
    ]


def go_through(trial: Trial) -> Result[bool, ChildDied]:
    """Send the signals and look on, for as long as the outage lasts."""
    began = time.monotonic()
    for moment in trial.scenario.sigterms:
        looked = trial.look_until(
            lambda: False, at_most=began + moment - time.monotonic(), since=None
        )
        if isinstance(looked, Err):
            return looked
        for each in trial.lanes:
            # It may have ended by now: that is what the rewrite is for.
            if each.old_pid in each.survivors():
                with suppress(ProcessLookupError):
                    os.kill(each.old_pid, signal.SIGTERM)
    left = began + trial.scenario.down - time.monotonic()
    return trial.look_until(lambda: False, at_most=left, since=None)


def later(moment: float | None, start: float) -> float | None:
    """The seconds from one moment to another, None when that never came."""
    return None if moment is None else moment - start


def held_by(pids: Collection[int], ports: Collection[int]) -> list[int]:
    """Which of the ports one of the processes listens on."""
    return sorted(port for port, owners in listeners(ports, pids).items() if owners)


class Stopped(TypedDict):
    """What was left when supervisord had stopped."""

    stopped: float | None
    left_after: int
    held_after: list[int]


def stopped(each: Lane) -> Stopped:
    """Stop supervisord as an operator does, and see what that leaves."""
    began = time.monotonic()
    os.kill(each.supervisord.pid, signal.SIGTERM)
    ended = each.supervisord.wait(STOP_WITHIN)
    left = each.there()
    return {
        "stopped": None if ended is None else time.monotonic() - began,
        "left_after": len(left),
        "held_after": held_by(left, each.ports),
    }


def loopback_up() -> None:
    """Bring the loopback interface of a new network namespace up."""
    request = struct.pack("16sH14x", b"lo", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        flags = struct.unpack("16sH14x", fcntl.ioctl(asked, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(asked, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line, or end the process with status 2."""
    parser = argparse.ArgumentParser(prog="trial.py", description="Outages of Airflow's.")
    names = [each.name for each in SCENARIOS]
    parser.add_argument("names", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--airflow", type=Path, help="the Python that has Airflow 2.6.3")
    parser.add_argument("--airflow3", type=Path, help="the Python that has Airflow 3.3")
    parser.add_argument("--out", type=Path, required=True, help="the directory for NAME.json")
    parser.add_argument(
        "--own-network", action="store_true", help="it runs in a network namespace of its own"
    )
    given = parser.parse_args(arguments)
    scenarios = tuple(each for each in SCENARIOS if each.name in given.names)
    for option, is_needed in (
        ("airflow", any(not each.standalone for each in scenarios)),
        ("airflow3", any(each.standalone for each in scenarios)),
    ):
        if is_needed and getattr(given, option) is None:
            parser.error(f"these trials need --{option}; name the Python of its environment")
    return Options(
        scenarios=scenarios,
        airflow=given.airflow,
        airflow3=given.airflow3,
        out=given.out,
        own_network=given.own_network,
    )


@do
def attempt(bind: Bind[TrialError], scenario: Scenario, given: Options) -> None:
    """Live one outage through, and write down what was seen."""
    plan = bind(PostgresPlan.found(scenario.stop or "fast"))
    fates = bind(ground(plan).use(lambda on: stage(on, scenario, given)))
    text = json.dumps([asdict(fate) for fate in fates], indent=2)
    (given.out / f"{scenario.name}.json").write_text(f"{text}\n", encoding="utf-8")


def main() -> Result[object, list[TrialError]]:
    """Live the outages through, one after another, whatever becomes of each."""
    given = parse(sys.argv[1:])
    if given.own_network:
        loopback_up()
    return collect_all(attempt(scenario, given) for scenario in given.scenarios)


if __name__ == "__main__":
    run(main, grace=GRACE)
