"""The programs of the page on Click and Typer, as real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.pages import sections
from tests.process.programs import UNMEASURED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Start = Callable[..., subprocess.Popen[str]]

WITHOUT_RUN = """
import time
import {program}

def waits(main, exit_code):
    print("held", flush=True)
    time.sleep(600)

{program}.run = waits
{program}.{call}()
"""
CALLS = {"jobs": "cli", "typed_jobs": "app"}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the files of the page."""
    folder = tmp_path_factory.mktemp("command-line")
    page = sections("how-to/command-line.md")
    jobs, typed = page["Write the program"]
    [test] = page["Test it"]
    common, decorator, _ = jobs.partition("@click.group()")
    assert decorator
    (folder / "jobs.py").write_text(jobs)
    (folder / "typed_jobs.py").write_text(common + typed)
    (folder / "test_jobs.py").write_text(test)
    (folder / "three").write_text("one two three")
    (folder / "binary").write_bytes(b"\xff")
    (folder / "taken").touch()
    return folder


@pytest.fixture
def start(programs: Path) -> Iterator[Start]:
    """Start programs; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=programs,
                env=UNMEASURED | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            )
        )
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("program", "arguments", "status", "out", "err"),
    [
        ("jobs", "--help", 0, "Look at files, and lock them.", ""),
        ("jobs", "count three", 0, "3\n", ""),
        ("jobs", "hold free --seconds 0", 0, "held\n", ""),
        ("jobs", "count", 2, "", "Missing argument"),
        ("jobs", "count nothing", 66, "", "resultflow: NotReadable(reason="),
        ("jobs", "hold taken", 75, "", "resultflow: Taken(lock="),
        ("jobs", "count binary", 1, "", "UnicodeDecodeError"),
        ("typed_jobs", "hold --help", 0, "Hold a lock for a time.", ""),
        ("typed_jobs", "count three", 0, "3\n", ""),
        ("typed_jobs", "hold taken --seconds=-1", 2, "", "Usage: typed_jobs.py hold"),
        ("typed_jobs", "hold taken", 75, "", "resultflow: Taken(lock="),
        ("typed_jobs", "count binary", 1, "", "UnicodeDecodeError"),
    ],
)
def test_each_end_has_its_status(  # noqa: PLR0913, PLR0917 - a row of the table
    start: Start, program: str, arguments: str, status: int, out: str, err: str
) -> None:
    """Click and Typer end what they refuse, `run` ends what a job gave or raised."""
    process = start(f"{program}.py", *arguments.split())
    said, complained = process.communicate(timeout=60)
    assert process.returncode == status, complained
    assert out in said
    assert err in complained
    assert ("Traceback" in complained) == (status == 1)


@pytest.mark.parametrize("program", ["jobs", "typed_jobs"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=lambda signum: signum.name)
def test_a_signal_in_the_job(
    start: Start, programs: Path, program: str, signum: signal.Signals
) -> None:
    """The process dies by it, the lock is gone, and nothing is said."""
    process = start(f"{program}.py", "hold", "locked")
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert (programs / "locked").exists()
    process.send_signal(signum)
    said, complained = process.communicate(timeout=60)
    assert (process.returncode, said, complained) == (-signum, "", "")
    assert not (programs / "locked").exists()


def without_reader(process: subprocess.Popen[str]) -> str:
    """Close the output of a program that waits for a line, let it go on, and read its errors."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stderr.read()


def test_a_reader_that_is_gone(start: Start, programs: Path) -> None:
    """Output that nobody reads is an `Err`, and the lock is gone."""
    process = start("-c", "input(); import jobs; jobs.cli()", "hold", "unread")
    assert "resultflow: ReaderGone()" in without_reader(process)
    assert process.wait(60) == 141
    assert not (programs / "unread").exists()


@pytest.mark.parametrize(
    ("lines", "status", "err"),
    [(1, 120, "what was written to sys.stdout is lost"), (9999, 1, "BrokenPipeError")],
    ids=["buffered", "flushed"],
)
def test_print_to_a_reader_that_is_gone(start: Start, lines: int, status: int, err: str) -> None:
    """What `print` cannot write is lost at the end, or a bug when its buffer is full."""
    job = f"lambda: Ok([print('line') for _ in range({lines})])"
    process = start("-c", f"input(); from resultflow import Ok, run; run({job})")
    assert err in without_reader(process)
    assert process.wait(60) == status


def test_the_tests_of_the_page_pass(start: Start) -> None:
    """The page's own test file is in order."""
    process = start("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_jobs.py")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "3 passed" in said


@pytest.mark.parametrize(
    ("program", "signum", "status"),
    [
        ("jobs", signal.SIGINT, 1),
        ("typed_jobs", signal.SIGINT, 130),
        ("jobs", signal.SIGTERM, -signal.SIGTERM),
    ],
    ids=["Click, Ctrl-C", "Typer, Ctrl-C", "Click, SIGTERM"],
)
def test_without_run(start: Start, program: str, signum: signal.Signals, status: int) -> None:
    """What the page says of Click and Typer alone is so."""
    code = WITHOUT_RUN.format(program=program, call=CALLS[program])
    process = start("-c", code, "hold", "x")
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.send_signal(signum)
    process.communicate(timeout=60)
    assert process.returncode == status
