"""`run`: whatever hangs at the end, the process exits, in bounded time, and says what it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest
from tests.children import lives, until
from tests.process.programs import UNMEASURED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.process.programs import Program


@pytest.fixture
def environment() -> dict[str, str]:
    """Leave these programs alone: they are cut off."""
    return UNMEASURED


# What hangs, and what the report says about it. A line `pid N` names a process that must be gone.
AT_EXIT = {
    "thread": (
        "threading.Thread(target=forever, name='stuck').start()",
        ["thread 'stuck' is at", "in forever"],
    ),
    "thread executor": (
        """
        from concurrent.futures import ThreadPoolExecutor
        ThreadPoolExecutor(thread_name_prefix='stuck').submit(forever)
        """,
        ["thread 'stuck_0' is at", "in forever"],
    ),
    "process executor": (
        """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('fork'))
        pool.submit(forever)
        [worker] = multiprocessing.active_children()
        say('pid', worker.pid)
        """,
        ["multiprocessing child, pid "],
    ),
    "multiprocessing child": (
        """
        import multiprocessing
        child = multiprocessing.get_context('fork').Process(target=forever)
        child.start()
        say('pid', child.pid)
        """,
        ["multiprocessing child, pid "],
    ),
    "deaf multiprocessing child": (
        """
        import multiprocessing
        def deaf():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            say('pid', os.getpid())
            forever()
        multiprocessing.get_context('fork').Process(target=deaf, daemon=True).start()
        assert sys.stdin.readline()
        """,
        ["multiprocessing child, pid "],
    ),
    "atexit callback": ("atexit.register(forever)", ["thread 'MainThread' is at", "in forever"]),
    "scope left open": (
        "left = told().open()\nleft.__enter__()\natexit.register(forever)",
        ["resource 'tell' is held"],
    ),
}


@pytest.mark.parametrize("how", AT_EXIT)
def test_what_hangs_at_exit_is_cut_off(start: Callable[..., Program], how: str) -> None:
    """After grace the process exits all the same, with main's own status, and names what hung."""
    hang, named = AT_EXIT[how]
    begun = time.monotonic()
    program = start(
        f"{textwrap.dedent(hang)}\nprint('kept')\nreturn Err('x')",
        "run(main, exit_code=lambda error: 42, grace=0.5)",
    )
    left: list[int] = []
    if "'pid'" in hang:
        left.append(int(program.read_line().removeprefix("pid ")))
        program.answer()
    assert program.end() == 42
    assert 0.5 <= time.monotonic() - begun < 20
    assert program.out.endswith("kept\n")
    assert "0.5 s are over and this process has not ended" in program.err
    for words in named:
        assert words in program.err
    until(lambda: not any(map(lives, left)), "the children are gone")


@pytest.mark.parametrize(("end", "status"), [("Ok(None)", 1), ("sys.exit(7)", 7)])
def test_a_cut_off_success_is_none(start: Callable[..., Program], end: str, status: int) -> None:
    """An Ok that had to be cut off exits 1; a status that says failure stays."""
    program = start(
        f"threading.Thread(target=forever).start()\nreturn {end}", "run(main, grace=0.3)"
    )
    assert program.end() == status


AFTER_A_SIGNAL = {
    "acquire": (
        "Resource.make(lambda: (say('up'), forever()), tell).use(Ok)",
        ["in forever"],
    ),
    "body that swallows": (
        """
        def body(value):
            try:
                say('up')
                forever()
            except BaseException:
                forever()
        told().use(body)
        """,
        ["resource 'tell' is held", "in body"],
    ),
    "release": (
        """
        def stuck_release(value, exit):
            forever()
        stuck = Resource.make(lambda: Ok(1), stuck_release)
        told().both(stuck).use(lambda _: (say('up'), forever()))
        """,
        ["in stuck_release", "resource 'tell' is held"],
    ),
    "asyncio executor": (
        """
        import asyncio
        async def serve():
            threading.Timer(0.1, say, ['up']).start()
            await asyncio.to_thread(forever)
        asyncio.run(serve())
        """,
        ["thread 'asyncio_0' is at", "in forever"],
    ),
    "deaf child": (
        """
        deaf = "trap '' TERM; echo pid $$; while :; do sleep 600; done"
        child = subprocess_child(['sh', '-c', deaf], name='deaf', grace=600)
        child.use(lambda _: forever())
        """,
        ["child 'deaf', pid "],
    ),
    "grandchildren": (
        """
        deaf = "trap '' TERM; (sleep 600 & echo pid $!; wait) & wait"
        child = subprocess_child(['sh', '-c', deaf], name='deaf', grace=600)
        child.use(lambda _: forever())
        """,
        ["child 'deaf', pid "],
    ),
}


@pytest.mark.parametrize("how", AFTER_A_SIGNAL)
def test_what_hangs_after_a_signal_is_cut_off(start: Callable[..., Program], how: str) -> None:
    """From the signal on the time is bounded: the process dies by it, naming the place."""
    hang, named = AFTER_A_SIGNAL[how]
    program = start(f"{textwrap.dedent(hang)}\nreturn Ok(None)", "run(main, grace=0.5)")
    line = program.read_line()
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM
    assert "0.5 s are over and this process has not ended" in program.err
    for words in named:
        assert words in program.err
    if line.startswith("pid "):
        until(lambda: not lives(int(line.removeprefix("pid "))), "the child is gone")


def test_a_process_in_c_code_is_ended_too(start: Callable[..., Program]) -> None:
    """A hang in C with the interpreter's lock held at exit ends a few seconds after grace."""
    program = start(
        """
        import itertools
        atexit.register(sum, itertools.repeat(0))
        return Err('x')
        """,
        "run(main, grace=0.2)",
    )
    assert program.end() == 1
    assert "resultflow: 'x'" in program.err
    assert "Timeout" in program.err


def test_a_slow_cut_off_keeps_the_status(start: Callable[..., Program]) -> None:
    """A cut-off that takes its time is not overtaken by the watchdog, which crashes or gives 1."""
    program = start(
        """
        leave = os._exit
        def leave_late(code):
            end = time.monotonic() + 3.5
            while time.monotonic() < end:
                sum(range(100))
            leave(code)
        os._exit = leave_late
        def deep(n):
            return n and 1 + deep(n - 1)
        def busy():
            while True:
                deep(300)
        threading.Thread(target=busy).start()
        return Err('x')
        """,
        "run(main, exit_code=lambda error: 42, grace=0.2)",
    )
    assert program.end() == 42
    assert "Timeout" not in program.err


def full_pipe() -> tuple[int, int]:
    """Make a pipe that nobody reads, and that has no room."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


@pytest.mark.parametrize(
    ("hang", "status"),
    [
        ("pass", 42),
        ("threading.Thread(target=lambda: time.sleep(600)).start()", 42),
        ("atexit.register(sum, itertools.repeat(0))", 1),
    ],
    ids=["nothing", "thread", "C code"],
)
def test_a_full_standard_error_does_not_keep_the_process(
    tmp_path: Path, hang: str, status: int
) -> None:
    """Nobody reads the reports: they are cut, and the process ends with its status."""
    script = tmp_path / "program.py"
    script.write_text(
        "import atexit, itertools, threading, time\nfrom resultflow import *\n"
        f"def main():\n    {hang}\n    return Err('x' * 100_000)\n"
        "run(main, exit_code=lambda error: 42, grace=1.5)"
    )
    reader, writer = full_pipe()
    done = subprocess.run(
        [sys.executable, str(script)], stderr=writer, check=False, timeout=60, env=UNMEASURED
    )
    os.close(writer)
    os.close(reader)
    assert done.returncode == status


def test_sigquit_needs_no_standard_error(tmp_path: Path) -> None:
    """Nobody reads standard error, and SIGQUIT ends the process at once all the same."""
    script = tmp_path / "program.py"
    script.write_text(
        "import time\nfrom resultflow import *\n"
        "def main():\n    print('up', flush=True)\n    time.sleep(600)\n"
        "run(main)"
    )
    reader, writer = full_pipe()
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=writer, env=UNMEASURED
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGQUIT)
    assert process.wait(60) == -signal.SIGQUIT
    process.communicate()
    os.close(writer)
    os.close(reader)


def test_a_report_that_breaks_off_does_not_keep_the_process(start: Callable[..., Program]) -> None:
    """A bug in what is asked for the report is told, and the process ends."""
    program = start(
        """
        class Nameless(threading.Thread):
            name = property(lambda self: 1 // 0, lambda self, name: None)
        thread = Nameless(target=forever)
        thread.start()
        return Err('x')
        """,
        "run(main, grace=0.3)",
    )
    assert program.end() == 1
    assert "(the rest cannot be told: ZeroDivisionError" in program.err


def test_logged_lines_are_not_lost(start: Callable[..., Program]) -> None:
    """A handler that keeps its records until the end writes them, though the end is a cut-off."""
    program = start(
        """
        import logging, logging.handlers
        logging.getLogger().addHandler(
            logging.handlers.MemoryHandler(100, target=logging.StreamHandler(sys.stdout))
        )
        logging.warning('kept')
        threading.Thread(target=forever).start()
        return Err('x')
        """,
        "run(main, grace=0.3)",
    )
    assert (program.end(), program.out) == (1, "kept\n")


def test_a_fake_clock_does_not_end_the_process(start: Callable[..., Program]) -> None:
    """A program that replaces `time.sleep` has not shortened its bound."""
    program = start(
        """
        time.sleep = lambda seconds: None
        threading.Thread(target=sys.stdin.readline).start()
        say('up')
        return Ok(None)
        """
    )
    program.read_line()
    program.answer()
    assert (program.end(), program.err) == (0, "")
