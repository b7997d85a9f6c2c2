"""What child processes of the tests run; a module of its own, so that `spawn` can import it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from resultflow import Err, Ok, Result, child_process, run, subprocess_child

if TYPE_CHECKING:
    from collections.abc import Callable


def until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait for a condition, with a deadline."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        threading.Event().wait(0.005)


def lives(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        state = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}


def pids_in(folder: Path) -> list[int]:
    """Read the process ids that children have written as file names."""
    return [int(path.name) for path in folder.iterdir()]


def sleep_as(folder: Path) -> None:
    """Say who I am, and sleep."""
    (folder / str(os.getpid())).touch()
    time.sleep(600)


def sleep_deaf(folder: Path) -> None:
    """Ignore SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep_as(folder)


def sleep_with_descendants(folder: Path) -> None:
    """Have a child and a grandchild, the latter deaf."""
    if os.fork() == 0:
        if os.fork() == 0:
            sleep_deaf(folder)
        sleep_as(folder)
    sleep_as(folder)


def serve(port_file: Path) -> None:
    """Listen on a port, with a forked worker that listens too."""
    server = socket.create_server(("127.0.0.1", 0))
    os.fork()
    port_file.with_name(f"{os.getpid()}.tmp").write_text(str(server.getsockname()[1]))
    port_file.with_name(f"{os.getpid()}.tmp").rename(port_file.with_name(f"port{os.getpid()}"))
    time.sleep(600)


def leave(code: int) -> None:
    """Exit with a status."""
    raise SystemExit(code)


def fail() -> Result[None, str]:
    """Give an Err."""
    return Err("no database")


def divide(by: int) -> None:
    """Raise for 0, as a bug would."""
    sys.stdout.write(str(1 / by))


def have_a_child(method: str) -> None:
    """Exit 0 when a child of mine came and went, 3 when it could not be started."""
    outcome = child_process(leave, [7], start_method=method).use(lambda child: Ok(child.wait()))
    raise SystemExit(0 if outcome == Ok(7) else 3)


def show_signals() -> None:
    """Exit 0 when nothing of a parent's handling of signals is left here."""
    handled = [s for s in signal.valid_signals() if callable(signal.getsignal(s))]
    raise SystemExit((handled, signal.set_wakeup_fd(-1)) != ([signal.SIGINT], -1))


def interrupt_me() -> None:
    """Die by SIGINT's default."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(600)


def sleep_on(_: object) -> Result[None, str]:
    """Be the body of a scope that somebody else ends."""
    time.sleep(600)
    return Ok(None)


def be_parent(method: str, folder: str) -> None:
    """Run as a whole program: have children of both kinds until somebody ends it."""

    def main() -> Result[None, object]:
        family = child_process(
            sleep_with_descendants, [Path(folder)], start_method=method, grace=0.5
        )
        both = family.both(subprocess_child([sys.executable, "-c", _PROGRAM, folder]))
        return both.use(sleep_on)

    run(main)


_PROGRAM = (
    "import os, pathlib, sys, time; pathlib.Path(sys.argv[1], str(os.getpid())).touch();"
    "time.sleep(600)"
)
