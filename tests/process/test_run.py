"""`run`: a process always exits, in bounded time, with the right status, and says what hung."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.children import lives, until

from resultflow import Resource, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
SIGNALS = pytest.mark.parametrize(
    "signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda signum: signum.name
)

PRELUDE = """
import atexit, faulthandler, os, pathlib, signal, subprocess, sys, threading, time
from resultflow import *
from resultflow.errors import *

def say(*words):
    print(*words, flush=True)

def tell(value, exit):
    say("released", type(exit).__name__, getattr(exit, "signum", ""))

def told(name="value"):
    return Resource.make(lambda: Ok(name), tell)

def forever():
    while True:
        time.sleep(600)
"""


class Program:
    """A program under `run`, started and watched."""

    def __init__(self, tmp_path: Path, main: str, ending: str, ignored: int | None) -> None:
        script = tmp_path / "program.py"
        body = textwrap.indent(textwrap.dedent(main), "    ")
        script.write_text(f"{PRELUDE}\ndef main():\n{body}\n\n{ending}\n")
        argv = [sys.executable, str(script)]
        if ignored is not None:
            argv = ["sh", "-c", f'trap \'\' {int(ignored)}; exec "$0" "$1"', *argv]
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=BUFFERED,
        )
        self.out = ""
        self.err = ""

    def read_line(self) -> str:
        """Wait for the program's next line."""
        assert self.process.stdout is not None
        line = str(self.process.stdout.readline())
        self.out += line
        return line.strip()

    def answer(self) -> None:
        """Let the program go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self, timeout: float = 60.0) -> int:
        """Wait for the program's end, and give its status."""
        out, self.err = self.process.communicate(timeout=timeout)
        self.out += out
        return int(self.process.returncode)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start programs; none outlives the test."""
    programs: list[Program] = []

    def begin(main: str, ending: str = "run(main)", ignored: int | None = None) -> Program:
        programs.append(Program(tmp_path, main, ending, ignored))
        return programs[-1]

    yield begin
    for program in programs:
        program.process.kill()
        program.process.communicate()


def test_ok_exits_zero(start: Callable[..., Program]) -> None:
    """An Ok is status 0, silent, after its releases."""
    program = start("return told().use(lambda _: Ok('fine'))")
    assert (program.end(), program.out.split(), program.err) == (0, ["released", "Succeeded"], "")


def test_err_exits_by_exit_code_with_its_report(start: Callable[..., Program]) -> None:
    """An Err is reported with context and trace, and exit_code gives the status."""
    program = start(
        """
        return Err('no database').context('starting up')
        """,
        "run(main, exit_code=lambda error: len(error))",
    )
    assert program.end() == len("no database")
    assert program.err.splitlines()[0] == "resultflow: 'no database'"
    assert "starting up" in program.err
    assert "program.py" in program.err


def test_err_without_exit_code_exits_one(start: Callable[..., Program]) -> None:
    """Without exit_code an Err is status 1."""
    assert start("return Err('x')").end() == 1


@pytest.mark.parametrize("code", ["0", "256", "-1", "True", "'x'", "None"])
def test_an_err_never_exits_zero(start: Callable[..., Program], code: str) -> None:
    """A status that is none, 0 and its disguises included, becomes 1, with a line."""
    program = start("return Err('x')", f"run(main, exit_code=lambda error: {code})")
    assert program.end() == 1
    assert f"exit_code gave {code}: an Err exits with 1 to 255" in program.err


def test_an_exit_code_that_raises_exits_one(start: Callable[..., Program]) -> None:
    """A bug in exit_code, or its SystemExit(0), is shown after the report; the status is 1."""
    program = start("return Err('x')", "run(main, exit_code=lambda error: sys.exit(0))")
    assert program.end() == 1
    assert "resultflow: 'x'" in program.err
    assert "SystemExit: 0" in program.err


def test_a_bug_exits_one_with_its_traceback(start: Callable[..., Program]) -> None:
    """An exception is shown as Python shows it, from the program's own frames on."""
    program = start("return told().use(lambda _: 1 // 0)")
    assert program.end() == 1
    assert program.out.split() == ["released", "Raised"]
    assert program.err.startswith("Traceback (most recent call last):\n  File")
    assert "program.py" in program.err.splitlines()[1]
    assert program.err.rstrip().endswith("ZeroDivisionError: integer division or modulo by zero")


def test_a_broken_excepthook_does_not_hide_the_bug(start: Callable[..., Program]) -> None:
    """When the program's own excepthook raises, the traceback is shown all the same."""
    program = start("sys.excepthook = None\n1 // 0")
    assert program.end() == 1
    assert "ZeroDivisionError" in program.err


def test_a_main_without_a_result_exits_one(start: Callable[..., Program]) -> None:
    """A main that forgets its Result is told what to write; that is no success."""
    program = start("pass")
    assert program.end() == 1
    assert "main must return a Result, not None: end it with 'return Ok(None)'" in program.err


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [("3", 3, ""), ("0", 0, ""), ("None", 0, ""), ("'gone'", 1, "gone"), ("256 + 7", 7, "")],
)
def test_system_exit_keeps_its_code(
    start: Callable[..., Program], code: str, status: int, text: str
) -> None:
    """sys.exit() means what it always means, after the releases."""
    program = start(f"return told().use(lambda _: sys.exit({code}))")
    assert program.end() == status
    assert program.out.split() == ["released", "Raised"]
    assert text in program.err


@SIGNALS
def test_a_signal_releases_and_kills(
    start: Callable[..., Program], signum: signal.Signals
) -> None:
    """SIGINT, SIGTERM, SIGHUP: the release sees which, and the process dies by that signal."""
    program = start("return told().use(lambda _: (say('up'), forever()))")
    program.read_line()
    program.process.send_signal(signum)
    assert program.end() == -signum
    assert program.out.splitlines()[1:] == [f"released Cancelled {signum}"]
    assert program.err == ""


@SIGNALS
def test_an_ignored_signal_stays_ignored(
    start: Callable[..., Program], signum: signal.Signals
) -> None:
    """What the parent ignores (nohup) does not reach the program."""
    program = start(
        """
        say('up')
        sys.stdin.readline()
        return Ok(None)
        """,
        ignored=signum,
    )
    program.read_line()
    program.process.send_signal(signum)
    program.answer()
    assert program.end() == 0


def test_a_handler_of_the_program_stays(start: Callable[..., Program]) -> None:
    """A signal that the program handles is the program's business."""
    program = start(
        """
        say('up')
        sys.stdin.readline()
        return Ok(None)
        """,
        "signal.signal(signal.SIGHUP, lambda *_: os.write(1, b'reload\\n'))\nrun(main)",
    )
    program.read_line()
    program.process.send_signal(signal.SIGHUP)
    assert program.read_line() == "reload"
    program.answer()
    assert program.end() == 0


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGHUP"])
def test_a_signal_of_the_program_starts_no_bound(start: Callable[..., Program], name: str) -> None:
    """A signal that the program handles may wait for an acquire, and does not end it."""
    program = start(
        f"""
        def get():
            os.kill(os.getpid(), signal.{name})
            return Ok(1)
        def body(value):
            watched = [t for t in threading.enumerate() if 'exit watch' in t.name]
            return Ok(say('body', len(watched)))
        return Resource.make(get, lambda value, exit: None).use(body)
        """,
        f"signal.signal(signal.{name}, lambda *_: os.write(1, b'handler\\n'))\nrun(main)",
    )
    assert (program.end(), program.out.split()) == (0, ["handler", "body", "0"])


def test_a_program_may_end_well_by_a_signal(start: Callable[..., Program]) -> None:
    """A main that takes SIGTERM as its cue and returns Ok exits 0."""
    program = start(
        """
        try:
            say('up')
            forever()
        except SignalReceived as stop:
            return Ok(stop.signum)
        """
    )
    program.read_line()
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == 0


def test_a_second_signal_does_not_cut_the_release(start: Callable[..., Program]) -> None:
    """The release runs to its end; the process dies by the first signal."""
    program = start(
        """
        def put(value, exit):
            say('releasing')
            sys.stdin.readline()
            say('released')
        return Resource.make(lambda: Ok(1), put).use(lambda _: (say('up'), forever()))
        """
    )
    assert program.read_line() == "up"
    program.process.send_signal(signal.SIGTERM)
    assert program.read_line() == "releasing"
    program.process.send_signal(signal.SIGTERM)
    program.answer()
    assert program.end() == -signal.SIGTERM
    assert program.out.splitlines()[-1] == "released"
    assert program.err == ""


def test_an_error_behind_a_signal_is_shown(start: Callable[..., Program]) -> None:
    """A release that fails on the way out is reported, and so is a bug that a signal followed."""
    program = start(
        """
        stuck = Resource.make(lambda: Ok(1), lambda value, exit: Err('not flushed'))
        return stuck.use(lambda _: (say('up'), forever()))
        """
    )
    program.read_line()
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM
    assert "not flushed" in program.err
    program = start(
        """
        def put(value, exit):
            os.kill(os.getpid(), signal.SIGTERM)
        return Resource.make(lambda: Ok(1), put).use(lambda _: 1 // 0)
        """
    )
    assert program.end() == -signal.SIGTERM
    assert "ZeroDivisionError" in program.err


HANGS = {
    "non-daemon thread": "threading.Thread(target=forever, name='stuck').start()",
    "executor": """
        from concurrent.futures import ThreadPoolExecutor
        ThreadPoolExecutor(thread_name_prefix='stuck').submit(forever)""",
    "atexit callback": "atexit.register(forever)",
}


@pytest.mark.parametrize("how", HANGS)
@pytest.mark.parametrize(
    ("end", "status"), [("Ok(None)", 1), ("Err('x')", 42), ("sys.exit(7)", 7)]
)
def test_what_hangs_at_exit_is_cut_off(
    start: Callable[..., Program], how: str, end: str, status: int
) -> None:
    """A thread, an executor or a callback that never ends: after grace the process exits.

    An Err keeps its status and its report; a success that had to be cut off is none.
    """
    begun = time.monotonic()
    program = start(
        f"{textwrap.dedent(HANGS[how])}\nsay('kept')\nreturn {end}",
        "run(main, exit_code=lambda error: 42, grace=0.5)",
    )
    assert program.end() == status
    assert time.monotonic() - begun < 20
    assert program.out == "kept\n"
    assert "0.5 s are over and this process has not ended" in program.err
    assert "forever" in program.err


def test_a_process_in_c_code_is_ended_too(start: Callable[..., Program]) -> None:
    """A hang in C with the interpreter's lock held at exit ends a second after grace."""
    program = start(
        """
        import re
        atexit.register(re.match, '(a+)+$', 'a' * 60 + 'b')
        return Err('x')
        """,
        "run(main, grace=0.3)",
    )
    assert program.end() == 1
    assert "resultflow: 'x'" in program.err
    assert "Timeout" in program.err


def test_a_release_that_hangs_after_a_signal_is_cut_off(start: Callable[..., Program]) -> None:
    """From the signal on the time is bounded: the process dies by it, naming the place."""
    program = start(
        """
        def stuck_release(value, exit):
            say('releasing')
            forever()
        return Resource.make(lambda: Ok(1), stuck_release).use(lambda _: (say('up'), forever()))
        """,
        "run(main, grace=0.5)",
    )
    program.read_line()
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM
    assert "stuck_release" in program.err


def test_the_third_signal_ends_the_wait(start: Callable[..., Program]) -> None:
    """While the exit waits for a thread, a third Ctrl-C ends the process at once."""
    program = start(
        """
        threading.Thread(target=forever).start()
        say('up')
        forever()
        """,
        "run(main, grace=600)",
    )
    program.read_line()
    begun = time.monotonic()
    while program.process.poll() is None:
        assert time.monotonic() - begun < 60
        program.process.send_signal(signal.SIGINT)
        threading.Event().wait(0.2)
    assert program.end() == -signal.SIGINT
    assert "asked a third time" in program.err


def test_a_signal_after_main_changes_nothing(start: Callable[..., Program]) -> None:
    """While the exit waits for a thread, a signal is counted; the status stays main's own."""
    program = start(
        """
        threading.Thread(target=sys.stdin.readline).start()
        say('up')
        atexit.register(say, 'atexit')
        return Ok(None)
        """
    )
    program.read_line()
    # Main may not have returned yet: it has when the watch over the exit has been started.
    tasks = Path("/proc", str(program.process.pid), "task")
    until(lambda: len(list(tasks.iterdir())) >= 3, "main has returned")
    program.process.send_signal(signal.SIGTERM)
    program.answer()
    assert (program.end(), program.err) == (0, "")
    assert program.out.split() == ["up", "atexit"]


@pytest.mark.parametrize(
    ("acquire", "release"),
    [("hang", "lambda value, exit: None"), ("lambda: Ok(1)", "lambda value, exit: hang()")],
    ids=["acquire", "release"],
)
def test_a_scope_that_hangs_is_bounded_from_the_signal_on(
    start: Callable[..., Program], acquire: str, release: str
) -> None:
    """A signal that has to wait for an acquire or a release starts the bound all the same."""
    program = start(
        f"""
        def hang():
            say('up')
            forever()
        return Resource.make({acquire}, {release}).use(lambda value: Ok(value))
        """,
        "run(main, grace=0.5)",
    )
    program.read_line()
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM
    assert "0.5 s are over" in program.err
    assert "hang" in program.err


@pytest.mark.parametrize(
    ("body", "release"),
    [("Err('database lost')", "sys.exit(0)"), ("sys.exit(0)", "Err('database lost')")],
)
def test_an_err_beside_a_system_exit_is_no_success(
    start: Callable[..., Program], body: str, release: str
) -> None:
    """SystemExit(0) and an Err meet in one scope: the Err is shown, and the status is 1."""
    program = start(
        f"""
        held = Resource.make(lambda: Ok(1), lambda value, exit: {release})
        return held.use(lambda value: {body})
        """
    )
    assert program.end() == 1
    assert "database lost" in program.err


def test_the_latest_signal_counts(start: Callable[..., Program]) -> None:
    """A program that takes SIGHUP and goes on dies by the SIGTERM that comes later."""
    program = start(
        """
        try:
            say('up')
            forever()
        except SignalReceived:
            say('again')
            forever()
        """
    )
    assert program.read_line() == "up"
    program.process.send_signal(signal.SIGHUP)
    assert program.read_line() == "again"
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM


def test_an_interrupt_in_a_group_is_one(start: Callable[..., Program]) -> None:
    """What a task group makes of a signal still ends the process by that signal."""
    program = start(
        "raise BaseExceptionGroup('tasks', [ValueError('bug'), SignalReceived(signal.SIGTERM)])"
    )
    assert program.end() == -signal.SIGTERM
    assert "bug" in program.err
    assert start("raise BaseExceptionGroup('tasks', [SystemExit(0)])").end() == 1


def test_a_status_may_be_an_enum(start: Callable[..., Program]) -> None:
    """exit_code may give an IntEnum."""
    program = start("return Err('x')", "run(main, exit_code=lambda error: signal.SIGHUP)")
    assert program.end() == signal.SIGHUP


def test_a_plain_forked_child_has_the_systems_actions(start: Callable[..., Program]) -> None:
    """A child that is not ours dies by SIGTERM; it does not unwind its parent's program."""
    program = start(
        """
        import multiprocessing
        child = multiprocessing.get_context('fork').Process(target=forever)
        child.start()
        child.terminate()
        child.join()
        say(child.exitcode)
        return Ok(None)
        """
    )
    assert (program.end(), program.out, program.err) == (0, "-15\n", "")


def test_a_child_may_have_an_edge_of_its_own(start: Callable[..., Program]) -> None:
    """A forked child that calls run exits by it, and leaves its parent's atexit alone."""
    program = start(
        """
        parent = os.getpid()
        atexit.register(lambda: say('parent' if os.getpid() == parent else 'child'))
        child = child_process(run, [fail], start_method='fork')
        return child.use(lambda child: Ok(say(child.wait())))
        """,
        "def fail():\n    return Err('x')\n\nrun(main)",
    )
    assert (program.end(), program.out.split()) == (0, ["1", "parent"])


def test_a_full_standard_error_does_not_keep_the_process(tmp_path: Path) -> None:
    """Nobody reads the reports: they are cut, and the process ends with its status."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    script = tmp_path / "program.py"
    script.write_text("from resultflow import *\nrun(lambda: Err('x' * 100_000), grace=1)")
    done = subprocess.run(
        [sys.executable, str(script)], stderr=writer, check=False, timeout=60, env=BUFFERED
    )
    os.close(writer)
    os.close(reader)
    assert done.returncode == 1


def test_run_inside_a_scope_is_refused() -> None:
    """It would end the process before the release of what is held."""
    with (
        Resource.pure(1).open(),
        pytest.raises(RuntimeError, match="while a resource is open"),
    ):
        run(lambda: pytest.fail("main ran"))


def test_children_do_not_keep_a_dead_process(start: Callable[..., Program]) -> None:
    """A multiprocessing child that nobody ends is named, killed, and not waited for."""
    program = start(
        """
        import multiprocessing
        child = multiprocessing.get_context('fork').Process(target=forever)
        child.start()
        say(child.pid)
        return Err('x')
        """,
        "run(main, exit_code=lambda error: 42, grace=0.5)",
    )
    child = int(program.read_line())
    assert program.end() == 42
    assert f"multiprocessing child, pid {child}, is not joined" in program.err
    until(lambda: not lives(child), "the child is gone")


def test_a_child_resource_that_is_held_is_killed(start: Callable[..., Program]) -> None:
    """A child whose scope hangs in another release is named and killed with its group."""
    program = start(
        """
        def put(value, exit):
            forever()
        stuck = Resource.make(lambda: Ok(1), put)
        both = subprocess_child(['sleep', '600'], name='sleeper').both(stuck)
        return both.use(lambda pair: (say(pair[0].pid), forever()))
        """,
        "run(main, grace=0.5)",
    )
    child = int(program.read_line())
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM
    assert f"child 'sleeper', pid {child}, is not released" in program.err
    until(lambda: not lives(child), "the child is gone")


def test_output_is_flushed(start: Callable[..., Program]) -> None:
    """What was printed without a flush arrives, at a normal exit and at a cut-off one."""
    assert start("print('kept')\nreturn Err('x')").end() == 1
    program = start(
        "print('kept')\nthreading.Thread(target=forever).start()\nreturn Err('x')",
        "run(main, grace=0.3)",
    )
    assert (program.end(), program.out) == (1, "kept\n")


def test_output_that_cannot_be_written_is_no_success(tmp_path: Path) -> None:
    """An Ok whose output is lost (a full disk) exits 120, as CPython itself does."""
    if not Path("/dev/full").exists():  # pragma: no cover (Linux has it)
        pytest.skip("needs /dev/full")
    code = "from resultflow import *\nrun(lambda: Ok(print('lost')))"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=BUFFERED,
            check=False,
            timeout=60,
        )
    assert done.returncode == 120
    assert "standard output is lost" in done.stderr


def test_a_reader_that_is_gone_does_not_block(start: Callable[..., Program]) -> None:
    """Nobody reads a full pipe: the exit is bounded all the same."""
    program = start(
        """
        os.set_blocking(1, False)
        try:
            while True:
                os.write(1, b'x' * 4096)
        except BlockingIOError:
            os.set_blocking(1, True)
        print('lost')
        return Ok(None)
        """,
        "run(main, grace=0.5)",
    )
    assert program.process.wait(60) != 0


def test_atexit_callbacks_run(start: Callable[..., Program]) -> None:
    """What is registered with atexit runs, after the threads have been joined."""
    program = start(
        """
        atexit.register(say, 'atexit')
        threading.Thread(target=lambda: (time.sleep(0.1), say('thread'))).start()
        return Ok(None)
        """
    )
    assert (program.end(), program.out.split()) == (0, ["thread", "atexit"])


@pytest.mark.parametrize("grace", [0, -1, float("nan"), float("inf")])
def test_a_grace_that_is_no_time_is_refused(grace: float) -> None:
    """A bound that is none is an error before anything runs."""
    with pytest.raises(ValueError, match="is no time to wait: give seconds, more than 0"):
        run(lambda: pytest.fail("main ran"), grace=grace)


def test_run_belongs_in_the_main_thread() -> None:
    """In another thread no signal would arrive: refused."""
    errors: list[RuntimeError] = []

    def target() -> None:
        try:
            run(lambda: pytest.fail("main ran"))
        except RuntimeError as exc:
            errors.append(exc)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    assert "call it in the main thread" in str(errors[0])
