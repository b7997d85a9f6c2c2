"""The scheduler job as it was when the database went away: the shape of the outage.

Kept as a warning; `pipeline` is the same job as it should be. Three things that each look
harmless end here in a process that is neither alive nor dead:

1. `_serve_logs` and `_serve_health_check` tear down after a bare `yield`. An exception of the
   body is raised *at* that `yield`, so the line after it never runs and the child lives on.
2. The children are not daemonic. At interpreter exit `multiprocessing` joins them, for ever.
3. `run_job` enters the end of the job in its `finally`. With the database gone that raises too,
   and hides the error that ended the loop.

The traceback is printed, the process stays, and the supervisor sees nothing but RUNNING.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from contextlib import contextmanager
from multiprocessing import Process
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from scheduler_job import store
from scheduler_job.servers import serve_health, serve_logs
from scheduler_job.settings import Settings, log_to_stderr, refuse
from scheduler_job.work import RETRY_AFTER, run_task

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy.engine import Engine

logger = logging.getLogger(__name__)


class Job:
    """The scheduler's row in the database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.id: int
        self.state: store.JobState = "running"

    def prepare_for_execution(self) -> None:
        """Enter the row."""
        self.id = store.prepare_for_execution(self.engine)

    def heartbeat(self) -> None:
        """Say that the job is alive, if the database can be told."""
        try:
            store.heartbeat(self.engine, self.id)
        except OperationalError:
            logger.exception("job %s: heartbeat failed", self.id)

    def complete_execution(self) -> None:
        """Enter how the job ended."""
        store.complete_execution(self.engine, self.id, self.state)


class SchedulerJobRunner:
    """Claims due tasks and runs each in a child process."""

    def __init__(self, job: Job, settings: Settings) -> None:
        self.job = job
        self.settings = settings

    def execute(self) -> None:
        """Run the loop until a signal or an error ends it."""
        signal.signal(signal.SIGTERM, self._exit_gracefully)
        signal.signal(signal.SIGINT, self._exit_gracefully)
        logger.info("scheduler ready job=%s pid=%s", self.job.id, os.getpid())
        try:
            self._run_scheduler_loop()
        except Exception as exc:
            logger.exception("scheduler loop dead: %s", exc)  # noqa: TRY401 (the harness's marker)
            raise

    def _run_scheduler_loop(self) -> None:
        while True:
            self.job.heartbeat()
            store.take_back(self.job.engine, stale_after=self.settings.stale_after)
            claim = store.claim(self.job.engine, self.job.id)
            if claim is None:
                time.sleep(self.settings.heartbeat)
            else:
                self._run(claim)

    def _run(self, claim: store.Claim) -> None:
        process = Process(
            target=run_task, args=(self.settings.database, self.settings.run_dir, claim)
        )
        process.start()
        while process.is_alive():
            process.join(self.settings.heartbeat)
            self.job.heartbeat()
        if process.exitcode != 0:
            store.give_back(self.job.engine, claim, due_in=RETRY_AFTER)

    def _exit_gracefully(self, signum: int, _frame: object) -> None:
        logger.info("scheduler exiting on signal %s", signum)
        sys.exit(0)


def execute_job(job: Job, execute_callable: Callable[[], None]) -> None:
    """Run the callable and keep in mind how it ended."""
    try:
        execute_callable()
        job.state = "success"
    except SystemExit:
        job.state = "success"
    except Exception:
        job.state = "failed"
        raise


def run_job(job: Job, execute_callable: Callable[[], None]) -> None:
    """Run the callable between the two entries in the job's row."""
    job.prepare_for_execution()
    try:
        execute_job(job, execute_callable)
    finally:
        job.complete_execution()


@contextmanager
def _serve_logs(settings: Settings, *, skip_serve_logs: bool) -> Generator[None]:
    process = None
    if not skip_serve_logs:
        process = Process(target=serve_logs, args=(settings.run_dir, settings.log_port))
        process.start()
    yield
    if process:
        process.terminate()


@contextmanager
def _serve_health_check(settings: Settings) -> Generator[None]:
    process = Process(
        target=serve_health, args=(settings.database, settings.health_port, settings.stale_after)
    )
    process.start()
    yield
    process.terminate()


def _run_scheduler_job(job_runner: SchedulerJobRunner, *, skip_serve_logs: bool) -> None:
    settings = job_runner.settings
    with (
        _serve_logs(settings, skip_serve_logs=skip_serve_logs),
        _serve_health_check(settings),
    ):
        run_job(job_runner.job, job_runner.execute)


def main() -> None:
    """Run the scheduler as the environment says."""
    log_to_stderr()
    settings = Settings.load()
    engine = store.connect(settings.database)
    try:
        store.check(engine)
    except store.ForeignDatabaseError as exc:
        refuse(exc)
    job_runner = SchedulerJobRunner(Job(engine), settings)
    _run_scheduler_job(job_runner, skip_serve_logs=False)


if __name__ == "__main__":
    main()
