"""The rewrite of Airflow's commands against a stand-in for Airflow, and how the proof judges."""

from __future__ import annotations

import importlib
import itertools
import json
import logging
import os
import signal
import socket
import sys
import time
from argparse import Namespace
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import attrs
import prove
import pytest
import trial
from sqlalchemy.exc import OperationalError
from trial import SCENARIOS, Fate

from resultflow import Err, Ok, ReleaseFailed
from resultflow.child import children
from resultflow.errors import ChildDied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOST = OperationalError("SELECT 1", None, Exception("Connection refused\nhints"))
REASON = "sqlalchemy.exc.OperationalError: (builtins.Exception) Connection refused"

# Airflow, as far as the rewrite calls it


class AirflowException(Exception):  # noqa: N818 (Airflow's name)
    """Airflow's base class of errors."""


class AirflowConfigException(AirflowException):
    """Airflow's error of its configuration."""


@attrs.define
class Conf:
    """Airflow's configuration."""

    values: dict[str, object] = attrs.field(factory=dict[str, object])

    def get(self, section: str, key: str, **fallback: object) -> object:
        """Read a value, as `getboolean`, `getint` and `getfloat` do."""
        name = f"{section}.{key}".lower()
        if name not in self.values and not fallback:
            raise AirflowConfigException(f"section/key [{name}] not found in config")
        return self.values.get(name, fallback.get("fallback"))

    getboolean = getint = getfloat = get


@attrs.define
class World:
    """What the stand-in does when it is called, and what it was called with."""

    conf: Conf = attrs.field(factory=Conf)
    loop: Callable[[object], None] = lambda _runner: None
    prepare: Callable[[], None] = lambda: None
    complete: Callable[[], None] = lambda: None
    check: Callable[[], None] = lambda: None
    migrate: Callable[[], None] = lambda: None
    serve: Callable[[], None] = lambda: time.sleep(600)
    serves_logs: bool = True
    states: list[str] = attrs.field(factory=list[str])
    runner: dict[str, object] = attrs.field(factory=dict[str, object])


def modules(world: World) -> dict[str, ModuleType]:  # noqa: C901 (one stand-in, in one place)
    """Make the modules of the stand-in."""

    class Executor:
        serve_logs = world.serves_logs

    class Job:
        executor = Executor()

    class SchedulerJobRunner:
        def __init__(self, job: Job, subdir: object, **options: object) -> None:
            self.job = job
            world.runner = {"subdir": subdir, **options}

        def _execute(self) -> None:
            world.loop(self)

        def heartbeat_callback(self, session: object) -> None:
            world.states.append(f"heartbeat {session}")

    def run_job(job: Job, execute_callable: Callable[[], None]) -> None:
        # What `run_job` and `execute_job` of Airflow 2.6.3 do, in one.
        world.prepare()
        try:
            try:
                execute_callable()
                world.states.append("success")
            except SystemExit:
                world.states.append("success")
            except Exception:
                world.states.append("failed")
                raise
        finally:
            world.complete()

    class Loader:
        @staticmethod
        def import_default_executor_cls() -> tuple[type[Executor], str]:
            Executor.serve_logs = world.serves_logs
            return Executor, "core"

        @staticmethod
        def validate_database_executor_compatibility(executor: Executor) -> None:
            if world.conf.values.get("sqlite"):
                raise AirflowConfigException("error: cannot use SQLite with the LocalExecutor")

    class Internal:
        @staticmethod
        def force_database_direct_access() -> None: ...

    def action_cli(*, check_db: bool) -> Callable[[object], object]:
        world.states.append(f"check_db={check_db}")
        return lambda function: function

    # Looked up at the call: a test changes them after the import.
    def check() -> None:
        world.check()

    def migrate() -> None:
        world.migrate()

    def serve() -> None:
        world.serve()

    names: dict[str, dict[str, object]] = {
        "airflow": {},
        "airflow.configuration": {"conf": world.conf},
        "airflow.settings": {"HEADER": "the header", "DAEMON_UMASK": "0o077"},
        "airflow.api_internal": {},
        "airflow.api_internal.internal_api_call": {"InternalApiConfig": Internal},
        "airflow.cli": {},
        "airflow.cli.cli_parser": {},
        "airflow.exceptions": {
            "AirflowException": AirflowException,
            "AirflowConfigException": AirflowConfigException,
        },
        "airflow.executors": {},
        "airflow.executors.executor_loader": {"ExecutorLoader": Loader},
        "airflow.jobs": {},
        "airflow.jobs.job": {"Job": Job, "run_job": run_job},
        "airflow.jobs.scheduler_job_runner": {"SchedulerJobRunner": SchedulerJobRunner},
        "airflow.utils": {},
        "airflow.utils.cli": {"action_cli": action_cli, "process_subdir": str},
        "airflow.utils.db": {
            "check": check,
            "check_and_run_migrations": migrate,
            "synchronize_log_template": lambda: None,
        },
        "airflow.utils.scheduler_health": {"serve_health_check": serve},
        "airflow.utils.serve_logs": {"serve_logs": serve},
        "daemon": {"DaemonContext": object},
        "daemon.pidfile": {"TimeoutPIDLockFile": object},
    }
    made: dict[str, ModuleType] = {}
    for name, content in names.items():
        made[name] = ModuleType(name)
        vars(made[name]).update(content)
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(made[parent], last, made[name])
    return made


@pytest.fixture
def world() -> World:
    """Give a stand-in in which all goes well."""
    free = free_port()
    values: dict[str, object] = {
        "database.check_migrations": True,
        "logging.worker_log_server_port": free,
        "scheduler.enable_health_check": False,
        "scheduler.scheduler_health_check_server_port": free_port(),
    }
    return World(conf=Conf(values))


@pytest.fixture
def scheduler(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Import the rewrite, with the stand-in in Airflow's place."""
    for name, module in modules(world).items():
        monkeypatch.setitem(sys.modules, name, module)
    imported = importlib.import_module("scheduler")
    monkeypatch.setattr(sys.modules["database"], "ASK_EVERY", 0.001)
    yield imported
    for name in ("scheduler", "database"):
        del sys.modules[name]


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


def flags(**given: object) -> Namespace:
    """Give the flags as Airflow's parser does."""
    return Namespace(
        **{"subdir": None, "num_runs": -1, "do_pickle": False, "skip_serve_logs": True} | given
    )


def raiser(exc: BaseException) -> Callable[..., None]:
    """Make a function that raises."""

    def function(*_: object) -> None:
        raise exc

    return function


# What the rewrite makes of what Airflow does


def test_a_loop_that_ends_by_itself_is_ok(scheduler: ModuleType, world: World) -> None:
    """A loop that has done its runs is a success, entered as one; the flags reach the runner."""
    assert scheduler.main(flags(subdir="/dags", num_runs=3)) == Ok(None)
    assert world.states == ["check_db=False", "success"]
    assert world.runner == {"subdir": "/dags", "num_runs": 3, "do_pickle": False}


def test_both_errors_are_kept_and_the_first_is_the_cause(
    scheduler: ModuleType, world: World
) -> None:
    """The loop's error is the Err, and what the job's end failed with follows it."""
    world.loop, world.complete = raiser(LOST), raiser(LOST)
    failed = scheduler.main(flags())
    assert failed == Err(scheduler.LoopFailed(REASON))
    assert failed.suppressed == (Err(scheduler.JobNotCompleted(REASON)),)
    assert world.states[-1] == "failed"
    assert "JobNotCompleted" in str(failed.report())


def test_the_loops_error_alone(scheduler: ModuleType, world: World) -> None:
    """When the database is back for the job's end, only the loop's error is there."""
    world.loop = raiser(AirflowException("Job shut down externally."))
    failed = scheduler.main(flags())
    assert failed.error.reason.endswith("AirflowException: Job shut down externally.")
    assert failed.suppressed == ()


def test_an_end_that_cannot_be_entered_is_no_success(scheduler: ModuleType, world: World) -> None:
    """A loop that ended well is an Err all the same when that cannot be entered."""
    world.complete = raiser(LOST)
    failed = scheduler.main(flags())
    assert failed == Err(ReleaseFailed(None, (scheduler.JobNotCompleted(REASON),)))
    assert scheduler.exit_code(failed.error) == 1


def test_a_job_that_never_began(scheduler: ModuleType, world: World) -> None:
    """A job whose row cannot be entered has not run, and says so."""
    world.prepare = raiser(LOST)
    assert scheduler.main(flags()) == Err(scheduler.JobNotStarted(REASON))


def test_a_bug_of_the_loop_stays_an_exception(scheduler: ModuleType, world: World) -> None:
    """What nobody expects is not turned into a value."""
    world.loop = raiser(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        scheduler.main(flags())
    assert world.states[-1] == "failed"


def test_a_signal_ends_the_loop_well(scheduler: ModuleType, world: World) -> None:
    """Airflow's own answer to SIGTERM, a SystemExit with 0, is an end that was asked for."""
    world.loop = raiser(SystemExit(0))
    assert scheduler.main(flags()) == Ok(None)
    assert world.states[-1] == "success"


def test_a_signal_does_not_hide_the_error_it_came_upon(
    scheduler: ModuleType, world: World
) -> None:
    """A SystemExit out of the loop's own `finally` does not make a success of its error."""

    def loop(_runner: object) -> None:
        try:
            raise LOST
        finally:
            sys.exit(0)

    world.loop = loop
    assert scheduler.main(flags()) == Err(scheduler.LoopFailed(REASON))


def test_airflows_handlers_do_not_outlive_the_loop(scheduler: ModuleType, world: World) -> None:
    """The handlers from before the loop are back when its end is entered."""
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def loop(_runner: object) -> None:
        signal.signal(signal.SIGTERM, lambda _signum, _frame: sys.exit(0))

    def complete() -> None:
        handler = signal.getsignal(signal.SIGTERM)
        seen.append(getattr(handler, "stands_for", handler))

    world.loop, world.complete = loop, complete
    assert scheduler.main(flags()) == Ok(None)
    assert seen == [before]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_database_that_is_away_is_waited_for(scheduler: ModuleType, world: World) -> None:
    """The start asks until the database answers."""
    answers = iter([LOST, LOST, None])

    def check() -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    world.check = check
    assert scheduler.main(flags()) == Ok(None)
    assert next(answers, "all asked") == "all asked"


def test_the_wait_for_the_database_has_a_bound(scheduler: ModuleType, world: World) -> None:
    """A database that stays away is an Err after `[scheduler] database_wait` seconds."""
    world.check = raiser(LOST)
    world.conf.values["scheduler.database_wait"] = 0.05
    failed = scheduler.main(flags())
    assert failed == Err(scheduler.DatabaseGone(REASON))
    assert "waiting 0.05 s for the database" in str(failed.report())
    assert scheduler.exit_code(failed.error) == 1


def test_a_schema_of_another_airflow(scheduler: ModuleType, world: World) -> None:
    """Airflow's `sys.exit(1)` for a database that is not migrated is an Err with its status."""
    world.migrate = raiser(SystemExit(1))
    failed = scheduler.main(flags())
    assert failed == Err(scheduler.SchemaOutdated(1))
    assert scheduler.exit_code(failed.error) == 2


@pytest.mark.parametrize("missing", ["database.check_migrations", "scheduler.enable_health_check"])
def test_a_bad_configuration(scheduler: ModuleType, world: World, missing: str) -> None:
    """What Airflow's configuration lacks is an Err that names it, and no restart helps."""
    del world.conf.values[missing]
    failed = scheduler.main(flags())
    assert missing in failed.error.reason
    assert scheduler.exit_code(failed.error) == 2


def test_an_executor_that_does_not_fit(scheduler: ModuleType, world: World) -> None:
    """SQLite with an executor of several processes is an Err before anything starts."""
    world.conf.values["sqlite"] = True
    failed = scheduler.main(flags(skip_serve_logs=False))
    assert "cannot use SQLite" in failed.error.reason


def test_the_servers_run_while_the_loop_does(scheduler: ModuleType, world: World) -> None:
    """Both servers are children during the loop, and are gone when `main` returns."""
    world.conf.values["scheduler.enable_health_check"] = True
    pids: list[int] = []

    def loop(runner: object) -> None:
        servers = getattr(runner, "servers", ())
        assert [server.poll() for server in servers] == [None, None]
        pids.extend(server.pid for server in servers)

    world.loop = loop
    assert scheduler.main(flags(skip_serve_logs=False)) == Ok(None)
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize(("flag", "serves"), [(True, True), (False, False)])
def test_no_log_server_where_none_is_wanted(
    scheduler: ModuleType, world: World, *, flag: bool, serves: bool
) -> None:
    """`--skip-serve-logs`, or an executor that serves no logs, means no log server."""
    world.serves_logs = serves
    world.loop = lambda runner: world.states.append(str(getattr(runner, "servers", None)))
    assert scheduler.main(flags(skip_serve_logs=flag)) == Ok(None)
    assert "()" in world.states


def test_a_server_that_ends_is_seen_at_the_next_heartbeat(
    scheduler: ModuleType, world: World
) -> None:
    """The loop ends with the name and the status of a server that has ended."""
    world.serve = partial(os._exit, 3)
    world.loop = beat_until_it_ends
    failed = scheduler.main(flags(skip_serve_logs=False))
    port = world.conf.values["logging.worker_log_server_port"]
    assert failed == Err(ChildDied(f"serve_logs on port {port}", 3))
    assert scheduler.exit_code(failed.error) == 1
    assert world.states[-1] == "failed"


def beat_until_it_ends(runner: object, seconds: float = 20.0) -> None:
    """Tell heartbeats, as Airflow's loop does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        getattr(runner, "heartbeat_callback")(session="s")  # noqa: B009 (its type is the loop's)


def test_a_port_that_is_taken_is_an_err(scheduler: ModuleType, world: World) -> None:
    """The log server's port, listened on by somebody else, ends the start with its number."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        world.conf.values["logging.worker_log_server_port"] = port
        failed = scheduler.main(flags(skip_serve_logs=False))
    assert (failed.error.server, failed.error.port) == ("serve_logs", port)
    assert "in use" in failed.error.reason
    assert scheduler.exit_code(failed.error) == 1


# The same of standalone

COMPONENTS = 4
PROGRAM = """\
import os, pathlib, sys, time
print(f"{sys.argv[1]} is here\\nlast words", end="", flush=True)
while sys.argv[1] != "triggerer" or not pathlib.Path(os.environ["END"]).exists():
    time.sleep(0.01)
sys.exit(3)
"""


@attrs.define
class Command:
    """Airflow's `StandaloneCommand`; its triggerer ends when the file `end` is there."""

    folder: Path
    answers: Iterator[Exception]
    ready_time: float | None = None
    printed: list[str] = attrs.field(factory=list[str])

    @property
    def end(self) -> Path:
        """What ends the triggerer."""
        return self.folder / "end"

    def calculate_env(self) -> dict[str, str]:
        """Give the components' environment, in which the stand-in is `airflow`."""
        return {**os.environ, "PYTHONPATH": str(self.folder), "END": str(self.end)}

    def print_output(self, name: str, output: str) -> None:
        """Print a line."""
        self.printed.append(f"{name} | {output}")

    def is_ready(self) -> bool:
        """Ask the database, which answers when all that it is to fail with is used up."""
        answer = next(self.answers, None)
        if answer is not None:
            raise answer
        return sum(line.endswith("is here") for line in self.printed) == COMPONENTS

    def print_ready(self) -> None:
        """Say so, once, and let the triggerer end."""
        self.printed.append("ready")
        self.end.touch()

    def find_user_info(self) -> None:
        """Need no password."""

    def initialize_database(self) -> None:
        """Find it initialised."""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Give a command whose components run."""
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "__main__.py").write_text(PROGRAM)
    return Command(tmp_path, iter([]))


@pytest.fixture
def standalone(
    world: World, command: Command, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """Import the rewrite, with the stand-in in Airflow's place."""
    made = modules(world)

    def make() -> Command:
        return command

    def loaded(function: object) -> object:
        return function

    contents: dict[str, dict[str, object]] = {
        "airflow.cli.commands": {},
        "airflow.cli.commands.standalone_command": {"StandaloneCommand": make},
        "airflow.utils.providers_configuration_loader": {"providers_configuration_loaded": loaded},
    }
    for name, content in contents.items():
        made[name] = ModuleType(name)
        vars(made[name]).update(content)
    for name, module in made.items():
        monkeypatch.setitem(sys.modules, name, module)
    imported = importlib.import_module("standalone")
    monkeypatch.setattr(imported, "ASK_EVERY", 0.01)
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    yield imported
    for name in ("standalone", "database"):
        del sys.modules[name]


def test_a_blip_of_the_database_means_not_ready_yet(
    standalone: ModuleType, command: Command
) -> None:
    """Standalone gets ready after a blip; a component that ends then ends the others."""
    command.answers = iter([LOST, LOST])
    assert standalone.main() == Err(ChildDied("triggerer", 3))
    assert command.printed.count(f"standalone | waiting for the database: {REASON}") == 2
    assert "ready" in command.printed
    for name in standalone.COMPONENTS:
        assert f"{name} | {name} is here" in command.printed
        assert f"{name} | last words" in command.printed
    assert command.printed.index("standalone | Shutting down components") > 0


def test_a_database_that_stays_away_ends_standalone(
    standalone: ModuleType, world: World, command: Command
) -> None:
    """The wait for the database has a bound, after which all components are gone."""
    world.conf.values["scheduler.database_wait"] = 0.05
    command.answers = itertools.repeat(LOST)
    failed = standalone.main()
    assert failed == Err(standalone.DatabaseGone(REASON))
    assert standalone.exit_code(failed.error) == 1
    assert children() == []


def test_a_bad_configuration_of_standalone(
    standalone: ModuleType, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An executor that cannot be imported is an Err, before anything starts."""
    monkeypatch.setattr(Command, "calculate_env", raiser(ImportError("no such executor")))
    failed = standalone.main()
    assert failed == Err(standalone.BadConfiguration("builtins.ImportError: no such executor"))
    assert standalone.exit_code(failed.error) == 2
    assert command.printed == ["standalone | Starting Airflow Standalone"]


# What the trials read in the logs

AIRFLOW_LOG = """\
[2023-07-19T14:04:50.000+0000] {scheduler_job_runner.py:864} INFO - Exited execute loop
[2023-07-19T14:04:59.438+0000] {scheduler_job_runner.py:852} ERROR - Exception when executing \
SchedulerJob._run_scheduler_loop
Traceback (most recent call last):
[2023-07-19T14:04:59.482+0000] {scheduler_job_runner.py:864} INFO - Exited execute loop
""".splitlines()
SUPERVISORD_LOG = """\
2023-07-19 14:04:44,100 INFO success: scheduler entered RUNNING state, process has stayed up
2023-07-19 14:05:01,200 WARN exited: scheduler (exit status 1; not expected)
2023-07-19 14:05:09,200 INFO exited: scheduler (terminated by SIGTERM; not expected)
""".splitlines()
STOP = 1689775497.0  # 14:04:57


def test_when_the_loop_died() -> None:
    """The first of Airflow's two lines after the outage's begin tells when its loop ended."""
    assert trial.loop_death(AIRFLOW_LOG, after=STOP) == STOP + 2.438
    assert trial.loop_death(AIRFLOW_LOG[3:], after=STOP) == STOP + 2.482
    assert trial.loop_death(AIRFLOW_LOG, after=STOP + 10) is None


def test_how_supervisord_saw_it_end() -> None:
    """Every end after the outage's begin is there, in supervisord's words."""
    assert trial.exits(SUPERVISORD_LOG, after=STOP) == ["exit status 1", "terminated by SIGTERM"]
    assert trial.exits(SUPERVISORD_LOG, after=STOP + 5) == ["terminated by SIGTERM"]


def test_the_first_report_of_a_log() -> None:
    """A report ends where the next line of the log begins, and its places are left out."""
    log = ["INFO", "resultflow: LoopFailed()", "  at x.py:1 f", "  then JobNotCompleted()", "INFO"]
    assert trial.first_report(log) == ["resultflow: LoopFailed()", "  then JobNotCompleted()"]
    assert trial.first_report(["INFO"]) == []


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    """A scheduler that has not begun has said nothing."""
    assert trial.lines_of(tmp_path / "scheduler.log") == []


def test_airflow_is_told_nothing_of_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Airflow that is configured in the environment does not reach the trial's."""
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    told = trial.airflow_environment(tmp_path, "postgresql+psycopg://a@b:1/c", [1, 2, 3, 4])
    assert "AIRFLOW__CORE__FERNET_KEY" not in told
    assert told["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "postgresql+psycopg2://a@b:1/c"


# How the proof judges

STANDALONE = next(each for each in SCENARIOS if each.standalone)
FAST = next(each for each in SCENARIOS if each.name == "fast")
PORT = next(each for each in SCENARIOS if each.name == "port")
SIGTERM = next(each for each in SCENARIOS if each.name == "sigterm")
HUNG = Fate(
    variant=trial.ORIGINAL,
    back=20.0,
    watched=36.0,
    loop_dead=1.0,
    exited=None,
    status="",
    exits=0,
    state="RUNNING",
    same_pid=True,
    left=4,
    held=[8793],
    heartbeat=None,
    run=None,
    stopped=3.9,
    left_after=3,
    held_after=[8793],
    report=[],
)
CAME_BACK = attrs.evolve(
    HUNG,
    variant=trial.REWRITE,
    exited=2.0,
    status="exit status 1",
    exits=1,
    same_pid=False,
    left=0,
    held=[],
    heartbeat=6.1,
    run=8.0,
    left_after=0,
    held_after=[],
    report=["resultflow: LoopFailed()", "  then complete_execution failed: JobNotCompleted()"],
)


def test_the_story_and_its_cure_have_no_faults() -> None:
    """An original that hangs and a rewrite that comes back are what is expected."""
    assert prove.faults(FAST, HUNG) == []
    assert prove.faults(FAST, CAME_BACK) == []


@pytest.mark.parametrize(
    "change",
    [
        {"loop_dead": None},
        {"exited": 3.0},
        {"state": "EXITED"},
        {"same_pid": False},
        {"left": 1},
        {"heartbeat": 1.0},
        {"run": 1.0},
    ],
)
def test_an_original_that_does_not_hang_is_a_fault(change: dict[str, Any]) -> None:
    """Each part of the story is judged; where it does not tell how it ends, none is."""
    assert len(prove.faults(FAST, attrs.evolve(HUNG, **change))) == 1
    assert prove.faults(SIGTERM, attrs.evolve(HUNG, **change)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"exited": 6.1},
        {"status": "exit status 0"},
        {"state": "FATAL"},
        {"same_pid": True},
        {"left": 1},
        {"held": [8793]},
        {"run": 15.1},
        {"left_after": 1},
        {"held_after": [8793]},
        {"report": ["resultflow: LoopFailed()"]},
        {"report": ["resultflow: JobNotCompleted()"]},
    ],
)
def test_each_promise_of_the_rewrite_is_judged(change: dict[str, Any]) -> None:
    """A rewrite that breaks one promise has one fault."""
    assert len(prove.faults(FAST, attrs.evolve(CAME_BACK, **change))) == 1


def test_a_rewrite_that_never_ends_has_several_faults() -> None:
    """What hangs neither ends nor comes back."""
    assert len(prove.faults(FAST, attrs.evolve(HUNG, variant=trial.REWRITE))) > 5


def test_a_taken_port_has_to_be_told() -> None:
    """In that scenario the report names the port, and no loop dies."""
    told = attrs.evolve(CAME_BACK, loop_dead=None, report=["resultflow: PortTaken()"])
    assert prove.faults(PORT, told) == []
    assert len(prove.faults(PORT, attrs.evolve(told, report=[]))) == 1


def test_standalone_is_judged_by_what_it_says_and_leaves() -> None:
    """The original never gets ready and leaves its components; the rewrite does neither."""
    assert prove.faults(STANDALONE, HUNG) == []
    assert len(prove.faults(STANDALONE, attrs.evolve(HUNG, run=9.0, left_after=0))) == 2
    ready = attrs.evolve(CAME_BACK, exited=None, status="", same_pid=True, left=6, report=[])
    assert prove.faults(STANDALONE, ready) == []
    assert len(prove.faults(STANDALONE, attrs.evolve(ready, run=None, left_after=4))) == 2


def test_the_table_says_what_was_seen() -> None:
    """There is a row for each scheduler, with never where something never came."""
    _, _, original, rewrite = prove.table([(FAST, [HUNG, CAME_BACK])])
    assert "| never in 36 s |" in original
    assert "| 3.9 s: 3 left, 1 ports |" in original
    assert "| 2.0 s | exit status 1 | RUNNING, a new process | 0 | 0 | 6.1 s | 8.0 s |" in rewrite


def test_scenarios_are_shared_out_by_their_length() -> None:
    """Every scenario is in one part, and no part waits long for another."""
    parts = prove.shared_out(SCENARIOS, 2)
    assert sorted(each.name for part in parts for each in part) == sorted(
        each.name for each in SCENARIOS
    )
    lengths = [sum(prove.SET_UP + each.down for each in part) for part in parts]
    assert max(lengths) - min(lengths) <= prove.SET_UP + FAST.down
    assert len(prove.shared_out(SCENARIOS[:1], 4)) == 1


def test_what_a_trial_writes_is_what_the_proof_reads(tmp_path: Path) -> None:
    """Fates survive the way through the file; a file that is half written is none yet."""
    path = tmp_path / "fast.json"
    assert prove.read_fates(path) == []
    text = json.dumps([attrs.asdict(HUNG), attrs.asdict(CAME_BACK)])
    path.write_text(text[:-9])
    assert prove.read_fates(path) == []
    path.write_text(text)
    assert prove.read_fates(path) == [HUNG, CAME_BACK]


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments everything is tried; what is asked for alone is tried alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert prove.parse([]).scenarios == SCENARIOS
    assert prove.parse([]).cache == tmp_path / "resultflow-proof"
    assert prove.parse(["--only", "port", "--only", "fast"]).scenarios == (FAST, PORT)
    with pytest.raises(SystemExit, match="2"):
        prove.parse(["--only", "slow"])


def test_a_trial_needs_the_airflow_of_its_scenario(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trial of standalone needs the Python that has Airflow 3.3, and says so."""
    given = trial.parse(["fast", "--airflow", "python", "--out", str(tmp_path)])
    assert given.scenarios == (FAST,)
    with pytest.raises(SystemExit, match="2"):
        trial.parse(["standalone", "--airflow", "python", "--out", str(tmp_path)])
    assert "--airflow3" in capsys.readouterr().err


def test_an_installer_that_fails_is_an_err(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What uv says is in the error, when neither the day nor the pins can be installed."""
    program = tmp_path / "uv"
    program.write_text("#!/bin/sh\necho no such index >&2\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setattr(prove, "UV", program)
    failed = prove.install(prove.AIRFLOW, tmp_path / "cache")
    assert failed == Err(prove.NotInstalled("uv venv --quiet", "no such index\n"))
