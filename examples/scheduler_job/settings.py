"""What the scheduler is told by its environment, checked before anything starts."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn

BAD_USAGE = 2

T = TypeVar("T")


class SettingsError(ValueError):
    """A setting breaks a rule; the text names the value, the rule and the way out."""


@attrs.frozen
class Settings:
    """The whole configuration of one scheduler."""

    database: str
    run_dir: Path
    log_port: int
    health_port: int
    heartbeat: float = 1.0
    database_wait: float = 60.0

    @property
    def stale_after(self) -> float:
        """Seconds of silence after which a scheduler counts as dead."""
        return 5 * self.heartbeat

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read `SCHEDULER_*`.

        Raises:
            SettingsError: A variable is missing or breaks its rule.
        """

        def read(name: str, parse: Callable[[str], T], default: str | None = None) -> T:
            text = environ.get(name, default)
            if text is None:
                message = f"{name} is not set; set it in the scheduler's environment"
                raise SettingsError(message)
            try:
                return parse(text)
            except ValueError as exc:
                message = f"{name}: {exc}"
                raise SettingsError(message) from exc

        settings = cls(
            database=read("SCHEDULER_DATABASE", database_url),
            run_dir=read("SCHEDULER_RUN_DIR", _writable_directory),
            log_port=read("SCHEDULER_LOG_PORT", _port),
            health_port=read("SCHEDULER_HEALTH_PORT", _port),
            heartbeat=read("SCHEDULER_HEARTBEAT", _seconds, "1.0"),
            database_wait=read("SCHEDULER_DATABASE_WAIT", _seconds, "60"),
        )
        if settings.log_port == settings.health_port:
            message = (
                f"SCHEDULER_HEALTH_PORT: {settings.health_port!r} is SCHEDULER_LOG_PORT too; "
                "give each server a port of its own"
            )
            raise SettingsError(message)
        return settings

    @classmethod
    def load(cls) -> Settings:
        """Read the environment of this process, or end it with one line and status 2."""
        try:
            return cls.from_environment(os.environ)
        except SettingsError as exc:
            refuse(exc)


def database_url(text: str) -> str:
    """Check that `text` is a database that the scheduler can use.

    Raises:
        SettingsError: It is not; a password in it is not repeated.
    """
    way_out = "use sqlite:////absolute/path.db or postgresql+psycopg://user@host:port/name"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Not repeated: what cannot be parsed cannot be freed from its password either.
        message = f"the value is not a database url; {way_out}"
        raise SettingsError(message) from None
    shown = url.render_as_string(hide_password=True)
    if url.drivername == "sqlite":
        if url.query or not url.database or not Path(url.database).is_absolute():
            message = f"{shown!r} does not name a file by its absolute path alone; {way_out}"
            raise SettingsError(message)
    elif url.drivername != "postgresql+psycopg":
        message = f"{shown!r} is neither SQLite nor PostgreSQL by psycopg; {way_out}"
        raise SettingsError(message)
    elif not url.database:
        message = f"{shown!r} names no database; {way_out}"
        raise SettingsError(message)
    return text


def log_to_stderr() -> None:
    """Send log lines to stderr, with times in UTC as in the database."""
    handler = logging.StreamHandler()
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03d %(levelname)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def refuse(reason: object) -> NoReturn:
    """End the process as bad usage does: one line on stderr, status 2."""
    print(f"scheduler: {reason}", file=sys.stderr)
    sys.exit(BAD_USAGE)


def _writable_directory(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        message = f"{text!r} is not a directory; create it or name another"
        raise SettingsError(message)
    if not os.access(path, os.W_OK | os.X_OK):
        message = f"{text!r} is not writable; change its mode or name another"
        raise SettingsError(message)
    return path


def _port(text: str) -> int:
    highest = 65535
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= highest):
        message = f"{text!r} is not a port; use a number from 1 to {highest}"
        raise SettingsError(message)
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (0 < seconds < math.inf):
        message = f"{text!r} is not a time above 0; give seconds, such as 1.5"
        raise SettingsError(message)
    return seconds
