"""The database as both rewritten commands wait for it, by Airflow's own check."""

# pyright: reportMissingModuleSource=false
# Airflow lives in an environment of its own; typings/ has stubs of what is called here.

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import attrs
from airflow.utils import db
from sqlalchemy.exc import SQLAlchemyError

from resultflow import Err, safe

if TYPE_CHECKING:
    from resultflow import Result

DATABASE_WAIT: Final = 300.0
"""Seconds to wait for the database, unless `[scheduler] database_wait` says otherwise."""
ASK_EVERY: Final = 1.0

logger = logging.getLogger("airflow.database")


@attrs.frozen
class DatabaseGone:
    """The database cannot be reached: not within the wait, or lost after it."""

    reason: str


def first_line(exc: BaseException) -> str:
    """Name an exception in one line; SQLAlchemy's others are the statement and hints."""
    kind = type(exc)
    text = str(exc).strip().partition("\n")[0]
    return f"{kind.__module__}.{kind.__qualname__}: {text}"


asked = safe(SQLAlchemyError, into=lambda exc: DatabaseGone(first_line(exc)))
ask_database = asked(db.check)


def wait_for_database(seconds: float) -> Result[None, DatabaseGone]:
    """Ask the database until it answers, but not for ever: then the supervisor shall see it."""
    deadline = time.monotonic() + seconds
    told = ""
    while True:
        match ask_database():
            case Err(DatabaseGone(reason)) if time.monotonic() < deadline:
                if reason != told:
                    logger.warning("waiting for the database: %s", reason)
                    told = reason
                time.sleep(ASK_EVERY)
            case answered:
                return answered.context(f"waiting {seconds:g} s for the database")
