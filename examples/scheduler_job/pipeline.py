"""The scheduler job as chained Results: the same job as `legacy`, call for call.

Whatever can fail says so in its type, and `exit_code` has a case for each. The servers, the job's
row and each task's child are resources: released on every way out, last acquired first, and a
release that fails does not hide what failed before it. `run` is the only door to the process: an
`Err` is reported whole, and never exits with 0.
"""

from __future__ import annotations

import logging
import os
import time
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, assert_never

import attrs
from sqlalchemy.exc import InterfaceError, OperationalError

from resultflow import (
    Bind,
    Cancelled,
    Err,
    Exit,
    Failed,
    Ok,
    Raised,
    ReleaseFailed,
    Resource,
    Result,
    Succeeded,
    child_process,
    do,
    run,
    safe,
)
from resultflow.errors import ChildDied, ChildNotStarted
from scheduler_job import servers, store
from scheduler_job.settings import BAD_USAGE, Settings, log_to_stderr
from scheduler_job.work import RETRY_AFTER, run_task

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from resultflow.child import Child

CHILD_GRACE = 1.0
EXIT_GRACE = 5.0
"""Seconds until the process is gone whatever hangs; less than supervisord's `stopwaitsecs`."""

logger = logging.getLogger("scheduler_job")


@attrs.frozen
class DatabaseGone:
    """The database cannot be reached, is locked, or broke the connection."""

    reason: str


@attrs.frozen
class DatabaseForeign:
    """The database is corrupt, something else's, or was never initialised."""

    reason: str


@attrs.frozen
class PortTaken:
    """A server could not start because something else listens on its port."""

    server: str


@attrs.frozen
class JobLost:
    """Another scheduler declared this job dead and took its claims back."""

    job: int


LoopError: TypeAlias = DatabaseGone | JobLost | PortTaken | ChildDied | ChildNotStarted
SchedulerError: TypeAlias = LoopError | DatabaseForeign | ReleaseFailed[DatabaseGone]


def exit_code(error: SchedulerError) -> int:  # noqa: PLR0911 (one return per error class)
    """Tell the supervisor what happened, in the words of sysexits.h."""
    match error:
        case DatabaseGone():
            return os.EX_TEMPFAIL
        case JobLost():
            return os.EX_TEMPFAIL
        case PortTaken():
            return os.EX_UNAVAILABLE
        case ChildDied():
            return os.EX_SOFTWARE
        case ChildNotStarted():
            return os.EX_OSERR
        case DatabaseForeign():
            return BAD_USAGE
        case ReleaseFailed():
            return os.EX_TEMPFAIL
        case _:
            assert_never(error)


_gone = safe(
    OperationalError,
    InterfaceError,
    into=lambda exc: DatabaseGone(str(exc.orig).partition("\n")[0]),  # what follows are hints
)
_foreign = safe(store.ForeignDatabaseError, into=lambda exc: DatabaseForeign(str(exc)))

check = _gone(_foreign(store.check))
prepare_for_execution = _gone(store.prepare_for_execution)
heartbeat = _gone(store.heartbeat)
complete_execution = _gone(store.complete_execution)
claim = _gone(store.claim)
give_back = _gone(store.give_back)
take_back = _gone(store.take_back)


def server_children(settings: Settings) -> Resource[list[Child], ChildNotStarted]:
    """Run the two servers."""
    logs = child_process(
        servers.serve_logs,
        (settings.run_dir, settings.log_port),
        name=f"log server on port {settings.log_port}",
        grace=CHILD_GRACE,
    )
    health = child_process(
        servers.serve_health,
        (settings.database, settings.health_port, settings.stale_after),
        name=f"health server on port {settings.health_port}",
        grace=CHILD_GRACE,
    )
    return Resource.all_of([logs, health])


def job_row(engine: Engine) -> Resource[int, DatabaseGone | ReleaseFailed[DatabaseGone]]:
    """Enter the job, and at the end enter how it ended."""

    def complete(job: int, end: Exit) -> Result[None, DatabaseGone]:
        return complete_execution(engine, job, final_state(end))

    return Resource.make(lambda: prepare_for_execution(engine), complete)


def final_state(end: Exit) -> store.JobState:
    """Name the job's end: a signal stops it, an error of any kind fails it."""
    match end:
        case Succeeded():
            return "success"
        case Failed() | Raised():
            return "failed"
        case Cancelled():
            return "stopped"


@attrs.frozen
class Shift:
    """What the loop works with while the job runs."""

    settings: Settings
    engine: Engine
    servers: list[Child]
    job: int


@do
def main(bind: Bind[SchedulerError], settings: Settings) -> None:
    """Wait for the database, then run the loop between the servers and the job's row."""
    engine = bind(open_database(settings).context("waiting for the database"))
    held = server_children(settings).both(job_row(engine))
    say_so = partial(logger.error, "scheduler loop dead: %s")
    bind(held.use(lambda pair: loop(Shift(settings, engine, *pair)).inspect_err(say_so)))


def open_database(settings: Settings) -> Result[Engine, DatabaseGone | DatabaseForeign]:
    """Wait for the database, but not for ever: then the supervisor shall see that it is gone."""
    engine = store.connect(settings.database)
    deadline = time.monotonic() + settings.database_wait
    while True:
        match check(engine).flatten():
            case Err(DatabaseGone(reason)) if time.monotonic() < deadline:
                logger.warning("waiting for the database: %s", reason)
                time.sleep(settings.heartbeat)
            case checked:
                return checked.map(lambda _: engine)


@do
def loop(bind: Bind[LoopError], shift: Shift) -> None:
    """Claim due tasks and do them, until a signal or an error ends it."""
    logger.info("scheduler ready job=%s pid=%s", shift.job, os.getpid())
    while True:
        bind(alive(shift))
        for key in bind(take_back(shift.engine, stale_after=shift.settings.stale_after)):
            logger.warning("task %s taken back from a dead scheduler", key)
        due = bind(claim(shift.engine, shift.job))
        if due is None:
            time.sleep(shift.settings.heartbeat)
        else:
            bind(attend(shift, due))


def attend(shift: Shift, due: store.Claim) -> Result[None, LoopError]:
    """Do one task in a child process, which does not outlive this call."""
    arguments = (shift.settings.database, shift.settings.run_dir, due)
    task = child_process(run_task, arguments, name=f"task {due.key}", grace=CHILD_GRACE)
    return task.use(lambda child: watch(shift, due, child))


@do
def watch(bind: Bind[LoopError], shift: Shift, due: store.Claim, child: Child) -> None:
    """Wait for the task's child, with a sign of life between."""
    while (code := child.wait(shift.settings.heartbeat)) is None:
        bind(alive(shift))
    if code != 0:
        logger.error("%s failed with %s; it is due again in %s s", child.name, code, RETRY_AFTER)
        bind(give_back(shift.engine, due, due_in=RETRY_AFTER))


@do
def alive(bind: Bind[LoopError], shift: Shift) -> None:
    """Make sure that the servers run and the job is still ours, and tell the database so.

    A scheduler that cannot say that it is alive ends before others take its claims back.
    """
    for server in shift.servers:
        bind(server.check().map_err(port_taken_or_died))
    ours = bind(heartbeat(shift.engine, shift.job))
    bind(Ok(None) if ours else Err(JobLost(shift.job)))


def port_taken_or_died(server: ChildDied) -> PortTaken | ChildDied:
    """Tell by its status what ended a server."""
    return PortTaken(server.name) if server.exitcode == servers.PORT_TAKEN else server


if __name__ == "__main__":
    log_to_stderr()
    run(partial(main, Settings.load()), exit_code=exit_code, grace=EXIT_GRACE)
