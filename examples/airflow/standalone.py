"""`airflow standalone` of Airflow 3.3, rewritten: a blip of the database does not hang it.

    /path/to/airflow/bin/python /path/to/standalone.py

The components and all that is printed are Airflow's own. What is written anew is the loop around
them (`StandaloneCommand.run`): it asks the database ten times a second whether all are ready,
and an error of that leaves the main thread past "Shutting down components", so that the process
waits for four threads that nobody stops. Nor does it notice a component that has ended, and
SIGTERM ends it without them.
"""

# pyright: reportMissingModuleSource=false
# Airflow lives in an environment of its own; typings/ has stubs of what is called here.

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never, cast

import attrs
from airflow.cli import cli_parser
from airflow.cli.commands.standalone_command import StandaloneCommand
from airflow.configuration import conf
from airflow.exceptions import AirflowConfigException
from airflow.utils.providers_configuration_loader import providers_configuration_loaded
from database import DATABASE_WAIT, DatabaseGone, asked, first_line, wait_for_database

from resultflow import Bind, Err, Ok, Resource, do, run, safe, subprocess_child
from resultflow.errors import ChildDied, ChildNotStarted

if TYPE_CHECKING:
    from io import TextIOWrapper
    from typing import Never, NoReturn

    from resultflow import Exit
    from resultflow.child import Child

FAILURE: Final = 1
BAD_USAGE: Final = 2
COMPONENTS: Final = ("scheduler", "dag-processor", "api-server", "triggerer")
STOP_WITHIN: Final = 4.0
"""Seconds that all components have together, after SIGTERM."""
COMPONENT_GRACE: Final = 1.0
"""Seconds that each has after that, until SIGKILL."""
EXIT_GRACE: Final = 9.0
"""Seconds until the process is gone once it ends; below supervisord's `stopwaitsecs`."""
ASK_EVERY: Final = 1.0
LOOK_EVERY: Final = 0.1
CHUNK: Final = 65536


@attrs.frozen
class BadConfiguration:
    """Airflow's configuration cannot be used."""

    reason: str


StandaloneError: TypeAlias = DatabaseGone | BadConfiguration | ChildNotStarted | ChildDied


def exit_code(error: StandaloneError) -> int:
    """Tell the supervisor: 2 when a restart cannot help, else 1, and never 0."""
    match error:
        case BadConfiguration():
            return BAD_USAGE
        case DatabaseGone() | ChildNotStarted() | ChildDied():
            return FAILURE
        case _:
            assert_never(error)


_configured = safe(
    AirflowConfigException,
    ImportError,
    ValueError,
    into=lambda exc: BadConfiguration(first_line(exc)),
)


@do
def main(bind: Bind[StandaloneError]) -> None:
    """Prepare as Airflow does, then run the components until a signal or an error."""
    command = StandaloneCommand()
    command.print_output("standalone", "Starting Airflow Standalone")
    logging.getLogger().setLevel(logging.WARNING)
    wait = bind(_configured(conf.getfloat)("scheduler", "database_wait", fallback=DATABASE_WAIT))
    environment = bind(_configured(providers_configuration_loaded(command.calculate_env))())
    command.find_user_info()
    bind(wait_for_database(wait))
    bind(asked(command.initialize_database)())
    bind(components(command, environment).use(lambda running: attend(command, running, wait)))


@attrs.define
class Output:
    """What a component says: the pipe it writes to, and what of it is not yet printed."""

    command: StandaloneCommand
    name: str
    reader: int
    writer: int
    rest: bytes = b""

    def show(self) -> None:
        """Print what has come, line by line."""
        with suppress(BlockingIOError):
            while chunk := os.read(self.reader, CHUNK):
                *lines, self.rest = (self.rest + chunk).split(b"\n")
                for line in lines:
                    self.command.print_output(self.name, line.decode(errors="replace").strip())

    def close(self) -> None:
        """Print the last words; whoever wrote them has ended."""
        self.show()
        if self.rest:
            self.command.print_output(self.name, self.rest.decode(errors="replace").strip())
        os.close(self.reader)
        os.close(self.writer)


@attrs.frozen
class Component:
    """A part of Airflow that runs in a process of its own."""

    child: Child
    output: Output


def components(
    command: StandaloneCommand, environment: dict[str, str]
) -> Resource[list[Component], ChildNotStarted]:
    """Run all components; at the end all are told at once, and heard until they end."""

    def component(name: str) -> Resource[Component, ChildNotStarted]:
        return output(command, name).and_then(
            lambda out: subprocess_child(
                [sys.executable, "-m", "airflow", name],
                name=name,
                grace=COMPONENT_GRACE,
                env=environment,
                stdout=out.writer,
                stderr=subprocess.STDOUT,
            ).map(lambda child: Component(child, out))
        )

    def stop(running: list[Component], _exit: Exit) -> None:
        command.print_output("standalone", "Shutting down components")
        for each in running:
            if each.child.poll() is None:
                os.killpg(each.child.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN
        while time.monotonic() < deadline and any(each.child.poll() is None for each in running):
            show(running)

    started = Resource.all_of([component(name) for name in COMPONENTS])
    return started.and_then(lambda running: Resource.make(lambda: Ok(running), stop))


def output(command: StandaloneCommand, name: str) -> Resource[Output, Never]:
    """Make the pipe that a component writes to."""

    def make() -> Ok[Output]:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        return Ok(Output(command, name, reader, writer))

    return Resource.make(make, lambda made, _exit: made.close())


def show(running: list[Component]) -> None:
    """Print what has come, or wait a moment for more."""
    select.select([each.output.reader for each in running], [], [], LOOK_EVERY)
    for each in running:
        each.output.show()


@do
def attend(
    bind: Bind[DatabaseGone | ChildDied],
    command: StandaloneCommand,
    running: list[Component],
    wait: float,
) -> None:
    """Print what the components say and whether they are ready, until one of them ends.

    A database that does not answer means "not ready yet", for `wait` seconds.
    """
    answered = asked_at = time.monotonic()
    while True:
        show(running)
        for each in running:
            bind(each.child.check())
        now = time.monotonic()
        if command.ready_time is None and now - asked_at >= ASK_EVERY:
            asked_at = now
            answer = asked(command.is_ready)()
            match answer:
                case Ok(ready):
                    answered = now
                    if ready:
                        command.ready_time = now
                        command.print_ready()
                case Err(DatabaseGone(reason)):
                    command.print_output("standalone", f"waiting for the database: {reason}")
                    if now - answered >= wait:
                        bind(answer)


def start() -> NoReturn:
    """Read the flags of `airflow standalone`, of which there are none, and run it."""
    cli_parser.get_parser().parse_args(["standalone", *sys.argv[1:]])
    # Python put this folder first, where Airflow's plugins would find our modules before theirs.
    here = Path(__file__).resolve().parent
    sys.path[:] = [each for each in sys.path if Path(each).resolve() != here]
    # For who reads it from a pipe or a file while it runs.
    cast("TextIOWrapper", sys.stdout).reconfigure(line_buffering=True)
    run(main, exit_code=exit_code, grace=EXIT_GRACE)


if __name__ == "__main__":
    start()
