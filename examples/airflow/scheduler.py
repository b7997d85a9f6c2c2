"""`airflow scheduler` of Airflow 2.6.3, rewritten: the same loop, the same flags, and it ends.

    command=/path/to/airflow/bin/python /path/to/scheduler.py [flags of `airflow scheduler`]

The loop, the job's row and the two servers are Airflow's own. What is written anew is the
command around them (`airflow/cli/commands/scheduler_command.py`), whose teardown stands after a
bare `yield`, so that an error of the loop leaves its children running and the process waiting
for them, for ever. Here whatever can fail is a Result, the servers are resources, and `run` is
the only door to the process.
"""

# pyright: reportMissingModuleSource=false
# Airflow lives in an environment of its own; typings/ has stubs of what is called here.

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

import attrs

# Before every other module of Airflow's: importing it first is what its own `__main__` does.
from airflow import configuration, settings
from airflow.api_internal.internal_api_call import InternalApiConfig
from airflow.cli import cli_parser
from airflow.exceptions import AirflowConfigException, AirflowException
from airflow.executors.executor_loader import ExecutorLoader
from airflow.jobs.job import Job, run_job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.utils import cli, db
from airflow.utils.scheduler_health import serve_health_check
from airflow.utils.serve_logs import serve_logs
from daemon import DaemonContext
from daemon.pidfile import TimeoutPIDLockFile
from database import DATABASE_WAIT, DatabaseGone, asked, first_line, wait_for_database
from sqlalchemy.exc import SQLAlchemyError

from resultflow import Bind, Err, Ok, ReleaseFailed, Resource, Result, child_process, do, run, safe
from resultflow.errors import ChildDied, ChildNotStarted

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from typing import Never, NoReturn

    from airflow.executors.base_executor import BaseExecutor
    from sqlalchemy.orm import Session

    from resultflow import Exit
    from resultflow.child import Child

FAILURE: Final = 1
BAD_USAGE: Final = 2
CHILD_GRACE: Final = 1.0
EXIT_GRACE: Final = 5.0
"""Seconds until the process is gone once its job has ended; below supervisord's `stopwaitsecs`."""

conf = configuration.conf


@attrs.frozen
class SchemaOutdated:
    """The database is not migrated to this Airflow; its log says what to do."""

    status: object


@attrs.frozen
class BadConfiguration:
    """Airflow's configuration, or a flag, cannot be used."""

    reason: str


@attrs.frozen
class PortTaken:
    """A server cannot start because something else listens on its port."""

    server: str
    port: int
    reason: str


@attrs.frozen
class JobNotStarted:
    """The job's row could not be entered: nothing has run yet."""

    reason: str


@attrs.frozen
class LoopFailed:
    """The scheduler loop ended with an error."""

    reason: str


@attrs.frozen
class JobNotCompleted:
    """How the job ended could not be entered into its row."""

    reason: str


StartError: TypeAlias = DatabaseGone | SchemaOutdated | BadConfiguration
LoopError: TypeAlias = LoopFailed | ChildDied
JobError: TypeAlias = JobNotStarted | LoopError | ReleaseFailed[JobNotCompleted]
ServerError: TypeAlias = PortTaken | ChildNotStarted
SchedulerError: TypeAlias = StartError | JobError | ServerError


def exit_code(error: SchedulerError) -> int:
    """Tell the supervisor: 2 when a restart cannot help, else 1, and never 0."""
    match error:
        case BadConfiguration() | SchemaOutdated():
            return BAD_USAGE
        case DatabaseGone() | JobNotStarted() | LoopFailed() | ReleaseFailed():
            return FAILURE
        case PortTaken() | ChildDied() | ChildNotStarted():
            return FAILURE
        case _:
            assert_never(error)


class Carried(Exception):  # noqa: N818 (no error of its own)
    """Takes an error through Airflow's code, which knows exceptions only."""

    def __init__(self, error: LoopError) -> None:
        super().__init__(error)
        self.error = error


class Runner(SchedulerJobRunner):
    """Airflow's loop, which also looks after the servers whenever it tells its heartbeat.

    Airflow never looks: a log server that gave up on its port is missing from then on.
    """

    servers: tuple[Child, ...] = ()
    failure: LoopError | None = None

    def heartbeat_callback(self, session: Session) -> None:
        """End the loop when a server has ended."""
        for server in self.servers:
            match server.check():
                case Err(died):
                    raise Carried(died)
                case Ok():
                    pass
        super().heartbeat_callback(session=session)

    def execute(self) -> None:
        """Run the loop, and note the error that it ends with: a signal may yet replace that."""
        try:
            self._execute()
        except LOOP_FAILURES as exc:
            self.failure = loop_error(exc)
            raise


def loop_error(exc: BaseException) -> LoopError:
    """Give what ended the loop."""
    return exc.error if isinstance(exc, Carried) else LoopFailed(first_line(exc))


LOOP_FAILURES: Final = (SQLAlchemyError, AirflowException, Carried)

_configured = safe(
    AirflowConfigException,
    ImportError,
    ValueError,
    into=lambda exc: BadConfiguration(first_line(exc)),
)
_migrated = safe(SystemExit, into=lambda exc: SchemaOutdated(exc.code))
_looped = safe(SQLAlchemyError, AirflowException, Carried, into=loop_error)

new_job = _configured(Job)
new_runner = _configured(Runner)
subdir_of = _configured(cli.process_subdir)
executor_class = _configured(ExecutorLoader.import_default_executor_cls)
check_compatibility = _configured(ExecutorLoader.validate_database_executor_compatibility)
is_set = _configured(conf.getboolean)
port_of = _configured(conf.getint)
seconds_of = _configured(conf.getfloat)
check_migrations = asked(_migrated(db.check_and_run_migrations))
synchronize_log_template = asked(db.synchronize_log_template)


@do
def main(bind: Bind[SchedulerError], args: Namespace) -> None:
    """Wait for the database, check it, then run the scheduler, as `airflow scheduler` does."""
    wait = bind(seconds_of("scheduler", "database_wait", fallback=DATABASE_WAIT))
    bind(wait_for_database(wait))
    if bind(is_set("database", "check_migrations")):
        bind(check_migrations().flatten())
    bind(synchronize_log_template())
    bind(scheduler(args))


# `scheduler` is the name in the audit log. It checks no database, since `main` has done so.
@cli.action_cli(check_db=False)
@do
def scheduler(bind: Bind[SchedulerError], args: Namespace) -> None:
    """Run the job between the two servers."""
    print(settings.HEADER)
    subdir = bind(subdir_of(args.subdir))
    job = bind(new_job())
    runner = bind(new_runner(job, subdir, num_runs=args.num_runs, do_pickle=args.do_pickle))
    bind(check_compatibility(bind(executor_of(job))))
    InternalApiConfig.force_database_direct_access()
    wanted = bind(servers(skip_serve_logs=args.skip_serve_logs))
    bind(Resource.all_of(wanted).use(lambda running: run_between(runner, running)))


@_configured
def executor_of(job: Job) -> BaseExecutor:
    """Give the job's executor, which is made when it is first asked for."""
    return job.executor


@do
def servers(
    bind: Bind[BadConfiguration], *, skip_serve_logs: bool
) -> list[Resource[Child, ServerError]]:
    """Name the servers that the configuration asks for."""
    wanted: list[Resource[Child, ServerError]] = []
    kind, _source = bind(executor_class())
    if kind.serve_logs and not skip_serve_logs:
        port = bind(port_of("logging", "WORKER_LOG_SERVER_PORT"))
        wanted.append(server(serve_logs, "serve_logs", port))
    if bind(is_set("scheduler", "ENABLE_HEALTH_CHECK")):
        port = bind(port_of("scheduler", "SCHEDULER_HEALTH_CHECK_SERVER_PORT"))
        wanted.append(server(serve_health_check, "serve_health_check", port))
    return wanted


def server(target: Callable[[], object], name: str, port: int) -> Resource[Child, ServerError]:
    """Run a server in a child process, once its port is known to be free.

    gunicorn tries a taken port five times and exits; its parent would learn that at its next
    heartbeat, but not why.
    """
    free = Resource.make(lambda: port_is_free(name, port), lambda _none, _exit: None)
    return free.and_then(
        lambda _none: child_process(target, name=f"{name} on port {port}", grace=CHILD_GRACE)
    )


def port_is_free(server: str, port: int) -> Result[None, PortTaken]:
    """Listen on the port for a moment, on all interfaces, as the servers will."""

    @safe(OSError, into=lambda exc: PortTaken(server, port, str(exc)))
    def listen() -> None:
        socket.create_server(
            ("", port),
            family=socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET,
            dualstack_ipv6=socket.has_dualstack_ipv6(),
        ).close()

    return listen()


def run_between(runner: Runner, running: list[Child]) -> Result[None, JobError]:
    """Run the job while the servers run; both its errors are kept, the loop's as the cause."""
    runner.servers = tuple(running)
    loops: list[Result[None, LoopError]] = []

    def execute() -> None:
        loops.append(loop(runner))
        match loops[0]:
            case Err(error):
                raise Carried(error)  # so that Airflow enters the job as failed
            case Ok():
                pass

    entered = enter_job(runner.job, execute)
    if not loops:
        return entered.map_err(lambda exc: JobNotStarted(first_line(exc)))

    # What `run_job` raises at its end replaces what the loop raised; here it follows that.
    def complete_execution(_exit: Exit) -> Result[None, JobNotCompleted]:
        return entered.map_err(lambda exc: JobNotCompleted(first_line(exc)))

    return Resource.pure(None).on_exit(complete_execution).use(lambda _none: loops[0])


@safe(SQLAlchemyError)
def enter_job(job: Job, execute: Callable[[], None]) -> None:
    """Enter the job into its row, execute, and enter how that ended: Airflow's `run_job`."""
    # The loop's own error is noted by `execute`; when it comes out, the end is entered.
    with suppress(Carried):
        run_job(job=job, execute_callable=execute)


def loop(runner: Runner) -> Result[None, LoopError]:
    """Run Airflow's loop until an error ends it, or (`Ok`) a signal, which it handles itself."""
    try:
        return signal_handlers().use(lambda _put_back: _looped(runner.execute)())
    except SystemExit as exc:  # how Airflow's handler ends the loop
        error = runner.failure or hidden_by(exc)
        return Ok(None) if error is None else Err(error)


def hidden_by(exc: SystemExit) -> LoopError | None:
    """Find the error that the loop was ending with when a signal came and hid it."""
    context = exc.__context__
    while context is not None and not isinstance(context, LOOP_FAILURES):
        context = context.__context__
    return None if context is None else loop_error(context)


def signal_handlers() -> Resource[list[Callable[[], object]], Never]:
    """Put the handlers back that Airflow's loop replaces and leaves behind.

    Its own exit with 0: after the loop, that would make a success of an error.
    """

    def save() -> Ok[list[Callable[[], object]]]:
        signums = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
        return Ok([partial(signal.signal, each, signal.getsignal(each)) for each in signums])

    def put_back(saved: list[Callable[[], object]], _exit: Exit) -> None:
        for each in saved:
            each()

    return Resource.make(save, put_back)


def detach(args: Namespace) -> None:
    """Become a daemon, for `--daemon`; before `run`, whose threads a fork would lose."""
    pid, stdout, stderr, log = cli.setup_locations(
        "scheduler", args.pid, args.stdout, args.stderr, args.log_file
    )
    log_stream = cli.setup_logging(log)
    DaemonContext(
        pidfile=TimeoutPIDLockFile(pid, -1),
        files_preserve=[log_stream],
        stdout=Path(stdout).open("w", encoding="utf-8"),  # noqa: SIM115 (its own from here on)
        stderr=Path(stderr).open("w", encoding="utf-8"),  # noqa: SIM115 (as above)
        umask=int(settings.DAEMON_UMASK, 8),
        signal_map={},  # `run` handles the signals
    ).open()


def start() -> NoReturn:
    """Read the flags of `airflow scheduler`, and run it."""
    if conf.get("core", "security") == "kerberos":
        os.environ["KRB5CCNAME"] = conf.get("kerberos", "ccache")
        os.environ["KRB5_KTNAME"] = conf.get("kerberos", "keytab")
    args = cli_parser.get_parser().parse_args(["scheduler", *sys.argv[1:]])
    # Python put this folder first, where DAGs would find our modules before their own.
    here = Path(__file__).resolve().parent
    sys.path[:] = [each for each in sys.path if Path(each).resolve() != here]
    if args.daemon:
        detach(args)
    else:
        signal.signal(signal.SIGQUIT, cli.sigquit_handler)
    run(partial(main, args), exit_code=exit_code, grace=EXIT_GRACE)


if __name__ == "__main__":
    start()
