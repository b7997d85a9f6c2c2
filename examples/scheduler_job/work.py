"""What a task does, in a child process of its own: work, then say so exactly once."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from scheduler_job import store
from scheduler_job.settings import log_to_stderr

if TYPE_CHECKING:
    from pathlib import Path

RECORD_WITHIN = 30.0
"""Seconds for which a finished task tries to record itself: work that is done is not thrown
away because the database is locked or restarted just then."""

RECORD_EVERY = 0.5

RETRY_AFTER = 5.0
"""Seconds after which a task whose attempt failed is due again."""

NOT_RECORDED = 75
"""Exit status of a task that worked but could not be recorded (EX_TEMPFAIL in sysexits.h)."""

logger = logging.getLogger(__name__)


def run_task(database: str, run_dir: Path, claim: store.Claim) -> None:
    """Work for the task's duration, then record it as done and say so.

    The record is fenced by the claim: when it was taken back meanwhile (the scheduler was
    declared dead), this attempt ends without a trace in the database and another one counts.
    """
    log_to_stderr()
    attempt = f"job={claim.job_id} run={claim.run_id} pid={os.getpid()}"
    logger.info("task %s started %s", claim.key, attempt)
    with (run_dir / f"{claim.key}.log").open("a", buffering=1, encoding="utf-8") as run_log:
        run_log.write(f"{store.utc_now().isoformat()} started {attempt}\n")
        time.sleep(claim.duration)
        run_log.write(f"{store.utc_now().isoformat()} worked {attempt}\n")
    try:
        _record(database, claim)
    except store.ClaimLostError as exc:
        logger.warning("%s", exc)
        sys.exit(NOT_RECORDED)
    except OperationalError as exc:
        logger.error("task %s worked but is not recorded: %s", claim.key, exc.orig)  # noqa: TRY400
        sys.exit(NOT_RECORDED)
    logger.info("task %s done", claim.key)


def _record(database: str, claim: store.Claim) -> None:
    engine = store.connect(database)
    deadline = time.monotonic() + RECORD_WITHIN
    while True:
        try:
            return store.finish(engine, claim)
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(RECORD_EVERY)
