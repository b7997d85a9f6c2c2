"""What the harness is told on its command line, checked before anything starts."""

from __future__ import annotations

import argparse
import errno
import math
import platform
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from resultflow import Err
from scheduler_job import outage

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, NoReturn

    from scheduler_job.outage import Plan

Spelling: TypeAlias = Literal["legacy", "pipeline"]

SPELLINGS: Final[tuple[Spelling, ...]] = ("legacy", "pipeline")
BAD_USAGE: Final = 2
SHORTEST_OUTAGE: Final = 1.0
LONGEST_OUTAGE: Final = 600.0
MOST_RUNS: Final = 1000
# A unix socket's path has 108 bytes; supervisord's lies below the temporary directory.
LONGEST_TMPDIR: Final = 60


class OneLineParser(argparse.ArgumentParser):
    """A parser whose complaint is one line, the value and the rule in it, and status 2."""

    def error(self, message: str) -> NoReturn:
        """Print the line and end the process."""
        print(f"{self.prog}: {message}; see --help", file=sys.stderr)
        raise SystemExit(BAD_USAGE)


def one_of(rule: str, *choices: str) -> Callable[[str], str]:
    """A converter that lets only the choices pass."""

    def convert(text: str) -> str:
        if text not in choices:
            listed = ", ".join(choices[:-1]) + f" or {choices[-1]}"
            raise argparse.ArgumentTypeError(f"{text!r} is not {rule}; choose {listed}")
        return text

    return convert


def seconds(text: str) -> float:
    """How long an outage lasts."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not SHORTEST_OUTAGE <= value <= LONGEST_OUTAGE:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of seconds from {SHORTEST_OUTAGE:g} to "
            f"{LONGEST_OUTAGE:g}; give one, such as 8 or 2.5"
        )
    return value


def count(text: str) -> int:
    """A number of runs."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_RUNS):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number from 1 to {MOST_RUNS}; give one, such as 10"
        )
    return int(text)


def outage_parser(program: str, description: str) -> OneLineParser:
    """A parser with the options that say which database goes away and how."""
    parser = OneLineParser(
        prog=f"python -m scheduler_job.{program}", description=description, allow_abbrev=False
    )
    parser.add_argument(
        "--database",
        type=one_of("a database of the demo", *outage.DATABASES),
        default="sqlite",
        metavar="|".join(outage.DATABASES),
        help="what is taken away (default: sqlite)",
    )
    parser.add_argument(
        "--stop",
        type=one_of("a way to stop a database", *outage.STOPS),
        metavar="|".join(outage.STOPS),
        help="how it goes: PostgreSQL's fast or immediate shutdown, or a lock held on its tables "
        "(default: fast for postgresql; lock, the only one, for sqlite)",
    )
    return parser


def add_down(parser: OneLineParser, default: float) -> None:
    """Add the option that says for how long the database is away."""
    parser.add_argument(
        "--down",
        type=seconds,
        default=default,
        metavar="SECONDS",
        help="how long it stays away (default: %(default)g)",
    )


def plan_of(parser: OneLineParser, database: str, stop: str | None) -> Plan:
    """How the database will go away, or the end of the process when that cannot be."""
    if sys.platform != "linux":
        parser.error(
            f"{platform.system()!r} has no /proc, in which processes and ports are watched; "
            "run it on Linux"
        )
    place = tempfile.gettempdir()
    if len(place.encode()) > LONGEST_TMPDIR:
        parser.error(
            f"the temporary directory {place!r} is too long for the path of a unix socket "
            f"(more than {LONGEST_TMPDIR} bytes); set TMPDIR to a shorter one"
        )
    planned = outage.plan(database, stop)
    if isinstance(planned, Err):
        parser.error(str(planned.error))
    return planned.value


def writable_file(parser: OneLineParser, text: str) -> Path:
    """A path that can be written, its directory made where there was none."""
    path = Path(text)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a directory")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as exc:
        parser.error(
            f"argument --out: {text!r} cannot be written ({exc.strerror}); name another file"
        )
    return path
