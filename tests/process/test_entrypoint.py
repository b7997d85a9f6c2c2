"""`entrypoint`: a `main` that ends the process when called, and that tests can still call."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.process.programs import BUFFERED

from resultflow import Err, Ok, Result, entrypoint, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@entrypoint
def main() -> Result[int, str]:
    """Do the job."""
    return Ok(1)


def test_the_original_is_there_for_tests() -> None:
    """`__wrapped__` gives the Result, and name and documentation are the original's."""
    assert main.__wrapped__() == Ok(1)
    assert (cast("Any", main).__name__, main.__doc__) == ("main", "Do the job.")


def test_an_entrypoint_travels_by_its_name() -> None:
    """It may be the target of a child under any start method."""
    assert pickle.loads(pickle.dumps(main)) is main  # noqa: S301 - written a moment before


def test_a_console_script_ends_by_it(tmp_path: Path) -> None:
    """Called as the wrapper of `[project.scripts]` calls it, it reports, and gives the status."""
    (tmp_path / "job.py").write_text(
        "from resultflow import *\n"
        "@entrypoint(exit_code=len, grace=5, report=lambda report: print('told', report.error))\n"
        "def main(): return Err('four')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from job import main; sys.exit(main())"],
        cwd=tmp_path,
        env=BUFFERED,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (4, "told four\n", "")


def test_a_bare_entrypoint_ends_by_it(tmp_path: Path) -> None:
    """Without arguments those of `run` hold."""
    (tmp_path / "job.py").write_text(
        "from resultflow import *\n@entrypoint\ndef main(): return Err('x')\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    done = subprocess.run(
        [sys.executable, "job.py"], cwd=tmp_path, env=BUFFERED, stderr=-1, check=False, timeout=60
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, b"resultflow: 'x'")


async def never_awaited() -> None:
    """Be what a beginner passes to `run`."""
    await asyncio.sleep(0)


def give_ok() -> Result[None, str]:
    """Be a `main` in order."""
    return Ok(None)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: run(cast("Any", Ok(None))),
            r"main=Ok\(None\) is not callable: give the function",
        ),
        (
            lambda: run(cast("Any", None)),
            r"main=None is not callable: .* 'main' and not 'main\(\)'",
        ),
        (lambda: entrypoint(cast("Any", Err("x"))), r"main=Err\('x'\) is not callable"),
        (lambda: run(cast("Any", never_awaited)), r"give 'lambda: asyncio.run\(main\(\)\)'"),
        (lambda: entrypoint(cast("Any", never_awaited)), "is a coroutine function"),
        (lambda: run(give_ok, exit_code=cast("Any", 3)), "exit_code=3 is not callable"),
        (lambda: entrypoint(exit_code=cast("Any", 3)), "exit_code=3 is not callable"),
        (lambda: run(give_ok, report=cast("Any", "log")), "report='log' is not callable"),
        (lambda: entrypoint(report=cast("Any", "log")), "report='log' is not callable"),
    ],
    ids=range(9),
)
def test_what_cannot_be_called_is_refused(make: Callable[[], object], text: str) -> None:
    """`run(main())` and its kin are a TypeError where they are written, which says the cure."""
    with pytest.raises(TypeError, match=text):
        make()


def test_a_bound_that_is_none_is_refused_at_once() -> None:
    """A wrong grace is found where the decorator stands, not when the program starts."""
    with pytest.raises(ValueError, match="grace=0 is no time to wait"):
        entrypoint(grace=0)
