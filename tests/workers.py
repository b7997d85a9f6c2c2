"""What the workers of executors run; a module of its own, so that each of them can import it."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, NoReturn

from tests.children import until

from resultflow import Err, Ok, Resource, Result, subprocess_child

if TYPE_CHECKING:
    from pathlib import Path

    from resultflow import Child, Exit


def noted(folder: Path, what: str = "use") -> Resource[int, str]:
    """Give a resource that writes down each acquire and release, as the name of a file."""

    def acquire() -> Result[int, str]:
        (folder / f"{what} acquired {os.getpid()} {time.monotonic_ns()}").touch()
        return Ok(os.getpid())

    def release(pid: int, exit: Exit) -> None:
        (folder / f"{what} {type(exit).__name__} {pid} {time.monotonic_ns()}").touch()

    return Resource.make(acquire, release)


def notes(folder: Path) -> list[str]:
    """Read what was written down, sorted, without times."""
    return sorted(path.name.rpartition(" ")[0] for path in folder.glob("*acquired*")) + sorted(
        path.name.rpartition(" ")[0] for path in folder.iterdir() if "acquired" not in path.name
    )


def half(number: int) -> Result[int, str]:
    """Divide, and fail for odd numbers."""
    return Err(f"{number} is odd") if number % 2 else Ok(number // 2)


def die_at(number: int) -> Result[int, str]:
    """Kill the worker at 5."""
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return half(number)


def die_once(job: tuple[Path, int]) -> Result[int, str]:
    """Kill the worker at 5, the first time."""
    folder, number = job
    if number == 5 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return half(number)


def interrupted() -> NoReturn:
    """Be a bug."""
    raise ZeroDivisionError("a bug")


def use(job: tuple[Path, str]) -> Result[str, str]:
    """Use a resource, and end as it says."""
    folder, ending = job

    def body(_: int) -> Result[str, str]:
        if ending == "raise":
            interrupted()
        if ending == "wait":
            (folder / "begun").touch()
            until((folder / "go on").exists, "the word to go on")
        return Err(ending) if ending == "err" else Ok(ending)

    return noted(folder).use(body)


def have_a_child(folder: Path) -> Result[None, object]:
    """Have a child, and end when somebody says so."""

    def body(child: Child) -> Result[None, object]:
        (folder / str(child.pid)).touch()
        until((folder.parent / "go on").exists, "the word to go on")
        return Ok(None)

    return subprocess_child(["sleep", "600"]).use(body)


connection = -1
"""What a worker of a pool holds for all its items."""


def connect(folder: Path) -> None:
    """Open it when a worker starts."""
    global connection
    connection, _ = noted(folder, "pool").allocated().unwrap()


def is_connected(_: int) -> Result[int, str]:
    """Tell the worker if it holds it."""
    return Ok(connection) if connection == os.getpid() else Err("not connected")
