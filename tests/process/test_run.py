"""`run`: a process always exits, in bounded time, with the right status, and says what hung."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.process.programs import BUFFERED, Program

from resultflow import Resource, run

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNALS = pytest.mark.parametrize(
    "signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda signum: signum.name
)


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
        child = multiprocessing.get_context('fork').Process(target=lambda: (say('up'), forever()))
        child.start()
        sys.stdin.readline()
        child.terminate()
        child.join()
        say(child.exitcode)
        return Ok(None)
        """
    )
    program.read_until("up")
    program.answer()
    assert (program.end(), program.out, program.err) == (0, "up\n-15\n", "")


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


def test_run_inside_a_scope_is_refused() -> None:
    """It would end the process before the release of what is held."""
    with (
        Resource.pure(1).open(),
        pytest.raises(RuntimeError, match="while a resource is open"),
    ):
        run(lambda: pytest.fail("main ran"))


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
    assert "what was written to sys.stdout is lost" in done.stderr


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


def test_a_report_goes_to_the_hook(start: Callable[..., Program]) -> None:
    """The hook gets the Report of an Err, or the exception, in place of standard error."""
    program = start(
        "return Err('no database').context('starting')",
        "run(main, report=lambda report: say(report.error, *report.context))",
    )
    assert (program.end(), program.out, program.err) == (1, "no database starting\n", "")
    program = start("1 // 0", "run(main, report=lambda exc: say(type(exc).__name__))")
    assert (program.end(), program.out, program.err) == (1, "ZeroDivisionError\n", "")


@pytest.mark.parametrize("how", ["1 // 0", "sys.exit(0)", "os.kill(os.getpid(), 15) or 1 // 0"])
def test_a_hook_that_breaks_hides_nothing(start: Callable[..., Program], how: str) -> None:
    """The report goes to standard error, the hook's own error after it, and the status stays."""
    program = start(
        "return Err('no database')",
        f"run(main, exit_code=lambda error: 42, report=lambda report: {how})",
    )
    assert program.end() == 42
    shown, _, broken = program.err.partition("Traceback")
    assert shown.startswith("resultflow: 'no database'")
    assert "ZeroDivisionError" in broken or "SystemExit" in shown + broken


def test_a_hook_that_hangs_is_cut_off(start: Callable[..., Program]) -> None:
    """The hook runs within the bound; the status is what main had earned until then."""
    program = start(
        "return Err('no database')", "run(main, grace=0.3, report=lambda report: forever())"
    )
    assert program.end() == 1
    assert "0.3 s are over" in program.err


def test_what_a_signal_hides_goes_to_the_hook(start: Callable[..., Program]) -> None:
    """A release that fails on the way out, also beside a SystemExit, is for the hook too."""
    hook = "run(main, report=lambda exc: say(*exc.__notes__))"
    program = start(
        """
        stuck = Resource.make(lambda: Ok(1), lambda value, exit: Err('not flushed'))
        return stuck.use(lambda _: sys.exit(0))
        """,
        hook,
    )
    assert (program.end(), program.err) == (1, "")
    assert "not flushed" in program.out


def test_a_closed_standard_error_gets_into_no_file(
    start: Callable[..., Program], tmp_path: Path
) -> None:
    """Where descriptor 2 was closed at the start, the file that has it now is left alone."""
    program = start(
        """
        threading.Thread(target=forever).start()
        return Err('no database')
        """,
        f"""
        stranger = os.open({str(tmp_path / "stranger")!r}, os.O_WRONLY | os.O_CREAT)
        say(stranger)
        run(main, grace=0.3)
        """,
        ["sh", "-c", 'exec "$@" 2>&-', "sh"],
    )
    assert (program.end(), program.out) == (1, "2\n")
    assert (tmp_path / "stranger").read_text() == ""


def test_a_standard_error_that_was_closed_is_silent(start: Callable[..., Program]) -> None:
    """A program that has closed descriptor 2 itself ends as it should, without reports."""
    program = start("return Err('no database')", "os.close(2)\nrun(main)")
    assert (program.end(), program.err) == (1, "")


def test_a_file_takes_reports_behind_what_it_has(
    start: Callable[..., Program], tmp_path: Path
) -> None:
    """With standard error in a file, reports and SIGQUIT's stacks come after what is there."""
    into_file = ["sh", "-c", 'exec "$@" 2>>"$0"', str(tmp_path / "err")]
    program = start("return Err('no database')", prefix=into_file)
    assert program.end() == 1
    program = start("say('up')\nforever()", prefix=into_file)
    program.read_line()
    program.process.send_signal(signal.SIGQUIT)
    assert program.end() == -signal.SIGQUIT
    written = (tmp_path / "err").read_text()
    assert written.startswith("resultflow: 'no database'")
    assert "Stack (most recent call first):" in written
    assert "resultflow: SIGQUIT" in written


def test_a_reader_that_has_gone_is_no_traceback(start: Callable[..., Program]) -> None:
    """`program | head`: an Ok whose output nobody took exits 120, with one line."""
    program = start("sys.stdin.readline()\nprint('lost')\nreturn Ok(None)")
    assert program.process.stdout is not None
    program.process.stdout.close()
    program.process.stdout = None
    program.answer()
    assert program.end() == 120
    assert program.err == (
        "resultflow: what was written to sys.stdout is lost: [Errno 32] Broken pipe\n"
    )


def test_a_stream_that_breaks_loses_only_itself(start: Callable[..., Program]) -> None:
    """A `sys.stdout` of the program's that raises anything is lost output, and no crash."""
    program = start(
        """
        class Broken:
            def flush(self):
                1 // 0
        sys.stdout = Broken()
        return Ok(None)
        """
    )
    assert program.end() == 120
    assert program.err.splitlines() == [
        "resultflow: what was written to sys.stdout is lost: integer division or modulo by zero"
    ]


def test_run_inside_run_is_refused(start: Callable[..., Program]) -> None:
    """The inner one would end the process under the outer one's hands."""
    program = start("run(lambda: Ok(None))")
    assert program.end() == 1
    assert "run was called inside run: call that main itself, and return its Result" in program.err
