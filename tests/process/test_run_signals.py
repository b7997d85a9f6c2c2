"""`run`: every signal in every phase; the process dies by it, and nothing is left behind."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.children import lives, until
from tests.process.programs import BUFFERED, ROOT, script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.process.programs import Program

STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
SIGNALS = pytest.mark.parametrize("signum", STOPPING, ids=lambda signum: signum.name)

PHASES = """
    phase = {phase!r}

    def at(here):
        if phase == here:
            say('at', here)
            sys.stdin.readline()

    def acquire():
        at('acquire')
        return Ok(1)

    def release(value, exit):
        at('release')
        tell(value, exit)

    atexit.register(at, 'after main')
    return Resource.make(acquire, release).use(lambda _: Ok(at('use')))
"""


@SIGNALS
@pytest.mark.parametrize(
    ("phase", "seen", "dies"),
    [
        ("acquire", "Cancelled", True),
        ("use", "Cancelled", True),
        ("release", "Succeeded", True),
        ("after main", "Succeeded", False),
    ],
)
def test_a_signal_in_every_phase(
    start: Callable[..., Program], signum: signal.Signals, phase: str, seen: str, *, dies: bool
) -> None:
    """The release sees the signal, unless it began before; after main the status stands."""
    program = start(PHASES.format(phase=phase))
    program.read_until(f"at {phase}")
    program.process.send_signal(signum)
    if phase != "use":
        program.answer()
    assert program.end() == (-signum if dies else 0)
    [released] = [line for line in program.out.splitlines() if line.startswith("released")]
    assert released.split() == ["released", seen, *([str(signum)] if seen == "Cancelled" else [])]
    assert program.err == ""


@pytest.mark.parametrize("phase", ["acquire", "use", "release", "after main"])
def test_sigquit_tells_and_dies_in_every_phase(start: Callable[..., Program], phase: str) -> None:
    """SIGQUIT ends the process at once, by SIGQUIT, and says where it was; nothing is released."""
    program = start(PHASES.format(phase=phase))
    program.read_until(f"at {phase}")
    program.process.send_signal(signal.SIGQUIT)
    assert program.end() == -signal.SIGQUIT
    assert ("released" in program.out) == (phase == "after main")
    by_c, _, by_python = program.err.partition("resultflow: SIGQUIT: this process ends here")
    assert "(most recent call first)" in by_c
    assert "program.py" in by_c
    assert "thread 'MainThread' is at" in by_python
    assert "in at\n" in by_python


def test_sigquit_lists_what_there_is(start: Callable[..., Program]) -> None:
    """SIGQUIT names every thread, what is held and the children, which die with the process."""
    program = start(
        """
        threading.Thread(target=forever, name='worker').start()
        inner = subprocess_child(['sleep', '600'], name='sleeper')
        return told().both(inner).use(lambda pair: (say(pair[1].pid), forever()))
        """
    )
    child = int(program.read_line())
    program.process.send_signal(signal.SIGQUIT)
    assert program.end() == -signal.SIGQUIT
    assert "thread 'worker' is at" in program.err
    assert "resource 'tell' is held\n  resource 'child sleeper' is held" in program.err
    assert f"child 'sleeper', pid {child}, is not released" in program.err
    assert "resultflow" not in program.err.replace("resultflow: SIGQUIT", "").split("thread '")[2]
    until(lambda: not lives(child), "the guardian has stopped the child")


def test_sigquit_among_busy_threads_is_no_crash(start: Callable[..., Program]) -> None:
    """Threads that run while SIGQUIT arrives do not turn it into a SIGSEGV."""
    for _ in range(4):
        program = start(
            """
            def deep(n):
                return n and 1 + deep(n - 1)
            def busy():
                while True:
                    deep(300)
            for _ in range(3):
                threading.Thread(target=busy, daemon=True).start()
            say('up')
            threading.Event().wait()
            """
        )
        program.read_line()
        program.process.send_signal(signal.SIGQUIT)
        assert program.end() == -signal.SIGQUIT
        assert program.err.count("thread 'Thread-") == 3


def test_where_c_code_holds_the_lock_is_told_at_once(start: Callable[..., Program]) -> None:
    """SIGQUIT shows the place though C code lets no Python code run; SIGKILL has to end it."""
    program = start(
        """
        import itertools
        say('up')
        sum(itertools.repeat(0))
        """
    )
    program.read_line()
    program.process.send_signal(signal.SIGQUIT)
    assert program.process.stderr is not None
    while "in main" not in program.err:
        program.err += program.process.stderr.readline()
    assert program.process.poll() is None
    program.process.kill()
    assert program.end() == -signal.SIGKILL


def test_a_signal_waits_for_c_code_that_holds_the_lock(start: Callable[..., Program]) -> None:
    """What comes while C code holds the interpreter's lock counts when it lets go."""
    program = start(
        """
        import itertools
        return told().use(lambda _: (say('up'), sum(itertools.repeat(0, 20_000_000)), forever()))
        """
    )
    program.read_line()
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM
    assert program.out.splitlines()[1:] == ["released Cancelled 15"]


LOCKED = """
    import ctypes
    lock = ctypes.create_string_buffer(64)
    libc = ctypes.CDLL(None)
    libc.pthread_mutex_lock(lock)
    return told().use(lambda _: (say('up'), libc.pthread_mutex_lock(lock)))
"""


def until_stuck(pid: int) -> None:
    """Wait until a main thread sleeps and does not even wake to ask for the interpreter's lock."""
    seen: list[list[str]] = []

    def is_stuck() -> bool:
        status = Path("/proc", str(pid), "status").read_text().splitlines()
        seen.append([line for line in status if line.startswith(("State", "voluntary"))])
        return "(sleeping)" in seen[-1][0] and seen[-20:].count(seen[-1]) == 20

    until(is_stuck, "the main thread is stuck")


def test_a_main_thread_that_is_stuck_in_c_is_bounded(start: Callable[..., Program]) -> None:
    """A driver that waits for ever, deaf to signals: no handler runs, and SIGTERM ends it."""
    program = start(LOCKED, "run(main, grace=0.5)")
    program.read_line()
    until_stuck(program.process.pid)
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM
    assert "0.5 s are over and this process has not ended" in program.err
    assert "libc.pthread_mutex_lock(lock)" in program.err
    assert "resource 'tell' is held" in program.err


def test_a_main_thread_that_is_stuck_in_c_heeds_sigquit(start: Callable[..., Program]) -> None:
    """SIGQUIT does not need the main thread either."""
    program = start(LOCKED)
    program.read_line()
    until_stuck(program.process.pid)
    program.process.send_signal(signal.SIGQUIT)
    assert program.end() == -signal.SIGQUIT
    assert "libc.pthread_mutex_lock(lock)" in program.err
    assert "resource 'tell' is held" in program.err


def test_a_childs_signal_is_not_its_parents(start: Callable[..., Program]) -> None:
    """A forked child that is terminated at once does not make its parent die."""
    program = start(
        """
        for _ in range(60):
            pid = os.fork()
            if pid == 0:
                forever()
            # CPython forgets signals that come before the child's first Python code.
            while os.waitpid(pid, os.WNOHANG) == (0, 0):
                os.kill(pid, signal.SIGTERM)
                time.sleep(0.001)  # faster than handlers run, they nest until RecursionError
        watched = [t for t in threading.enumerate() if t.name == 'resultflow exit watch']
        return Ok(say(len(watched)))
        """
    )
    assert (program.end(), program.out.split(), program.err) == (0, ["0"], "")


def test_a_forked_child_has_none_of_the_edge(start: Callable[..., Program]) -> None:
    """Neither handlers nor descriptors: a child may become a program with an edge of its own."""
    program = start(
        """
        before = len(os.listdir('/proc/self/fd'))
        pid = os.fork()
        if pid == 0:
            actions = [signal.getsignal(n) for n in (2, 15, 3)]
            mine = [signal.default_int_handler, signal.SIG_DFL, signal.SIG_DFL]
            wakeup = signal.set_wakeup_fd(-1)
            fewer = before - len(os.listdir('/proc/self/fd'))
            os._exit(0 if (actions, wakeup, fewer) == (mine, -1, 2) else 1)
        return Ok(say(os.waitpid(pid, 0)[1]))
        """
    )
    assert (program.end(), program.out.split()) == (0, ["0"])


@pytest.mark.parametrize("signum", [*STOPPING, signal.SIGQUIT], ids=lambda signum: signum.name)
@pytest.mark.parametrize("action", ["ignored", "handled"])
def test_a_signal_that_is_not_ours_is_left(
    start: Callable[..., Program], signum: signal.Signals, action: str
) -> None:
    """What the parent ignores stays ignored; what the program handles is the program's."""
    program = start(
        """
        say('up')
        sys.stdin.readline()
        return Ok(None)
        """,
        "run(main)"
        if action == "ignored"
        else f"signal.signal({signum:d}, lambda *_: os.write(1, b'mine\\n'))\nrun(main)",
        ["sh", "-c", f'trap "" {signum:d}; exec "$@"', "sh"] if action == "ignored" else (),
    )
    program.read_line()
    program.process.send_signal(signum)
    if action == "handled":
        assert program.read_line() == "mine"
    program.answer()
    assert (program.end(), program.err) == (0, "")


def test_a_c_handler_for_sigquit_is_left(start: Callable[..., Program]) -> None:
    """A program that has SIGQUIT dump its stacks, and go on, goes on."""
    program = start(
        """
        say('up')
        sys.stdin.readline()
        return Ok(None)
        """,
        "faulthandler.register(signal.SIGQUIT)\nrun(main)",
    )
    program.read_line()
    program.process.send_signal(signal.SIGQUIT)
    program.answer()
    assert program.end() == 0
    assert "(most recent call first)" in program.err
    assert "resultflow: SIGQUIT" not in program.err


@pytest.mark.parametrize(
    "holder",
    [
        "held = os.open('/dev/null', os.O_WRONLY | os.O_NONBLOCK)\nsignal.set_wakeup_fd(held)",
        "held = -1\nsys.modules['trio'] = sys",
    ],
    ids=["descriptor", "trio"],
)
def test_the_wakeup_descriptor_is_left(start: Callable[..., Program], holder: str) -> None:
    """There is one, and a program that has it keeps it; trio wants to find it free."""
    program = start(
        """
        say('up', signal.set_wakeup_fd(-1) == held)
        forever()
        """,
        f"{holder}\nrun(main)",
    )
    assert program.read_line() == "up True"
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM


def test_nohup_keeps_a_program_through_sighup(start: Callable[..., Program]) -> None:
    """Under the real nohup, SIGHUP is ignored and SIGTERM still releases."""
    program = start("return told().use(lambda _: (say('up'), forever()))", prefix=["nohup"])
    program.read_line()
    program.process.send_signal(signal.SIGHUP)
    program.process.send_signal(signal.SIGTERM)
    assert program.end() == -signal.SIGTERM
    assert program.out.splitlines()[1:] == ["released Cancelled 15"]


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


def test_a_signal_after_main_starts_no_new_time(start: Callable[..., Program]) -> None:
    """While the exit waits for a thread, a signal is counted; the status stays main's own."""
    program = start(
        """
        def wait():
            atexit_reached.wait()
            say('joining')
            sys.stdin.readline()
        atexit_reached = threading.Event()
        threading._register_atexit(atexit_reached.set)
        threading.Thread(target=wait).start()
        atexit.register(say, 'atexit')
        return Ok(None)
        """
    )
    assert program.read_line() == "joining"
    program.process.send_signal(signal.SIGTERM)
    program.answer()
    assert (program.end(), program.err) == (0, "")
    assert program.out.split() == ["joining", "atexit"]


class Terminal:
    """A terminal with a program in its foreground."""

    def __init__(self, program: Path) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, str(program)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=ROOT,
            env=BUFFERED,
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""

    def read(self) -> bool:
        """Read what there is: False when the last process has left the terminal."""
        assert select.select([self._ours], [], [], 20.0)[0], self.seen
        try:
            self.seen += os.read(self._ours, 4096).decode().replace("\r\n", "\n")
        except OSError:  # EIO: how Linux says so
            return False
        return True

    def read_until(self, text: str) -> None:
        """Wait until the program has written something."""
        while text not in self.seen:
            assert self.read(), self.seen

    def press(self, key: str) -> None:
        """Press Ctrl and a key."""
        os.write(self._ours, bytes([ord(key) & 0x1F]))

    def has_ended_in(self, seconds: float) -> bool:
        """Take the time that a finger takes, or less if the program ends."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> int:
        """Wait for the end of all that runs in the terminal."""
        while self.read():
            pass
        return self.process.wait(60)

    def close(self) -> None:
        """End what is left."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Start programs, each in the foreground of a terminal."""
    terminals: list[Terminal] = []

    def begin(main: str, ending: str = "run(main)") -> Terminal:
        # The first terminal that the leader of a session opens becomes the session's own.
        own = "os.close(os.open(os.ttyname(0), os.O_RDWR))\n"
        terminals.append(Terminal(script(tmp_path, main, own + ending)))
        return terminals[-1]

    yield begin
    for each in terminals:
        each.close()


def test_ctrl_c_reaches_the_program_and_not_its_children(
    terminal: Callable[..., Terminal],
) -> None:
    """Ctrl-C at the terminal releases: a child hears of it by its release, in order."""
    shown = terminal(
        """
        deaf = "trap 'echo child: int' INT; trap 'echo child: term; exit' TERM; echo child: up;"
        child = subprocess_child(['sh', '-c', deaf + 'while :; do sleep 600 & wait; done'])
        return told().both(child).use(lambda _: forever())
        """
    )
    shown.read_until("child: up")
    shown.press("c")
    assert shown.end() == -signal.SIGINT
    seen = shown.seen.replace("^C", "").splitlines()
    assert seen == ["child: up", "child: term", "released Cancelled 2"]


def test_a_second_ctrl_c_does_not_cut_the_release(terminal: Callable[..., Terminal]) -> None:
    """Who presses twice gets the whole release, and the process dies by SIGINT."""
    shown = terminal(
        """
        def put(value, exit):
            say('releasing')
            time.sleep(0.3)
            say('all released')
        return Resource.make(lambda: Ok(1), put).use(lambda _: (say('up'), forever()))
        """
    )
    shown.read_until("up")
    shown.press("c")
    shown.read_until("releasing")
    shown.press("c")
    assert shown.end() == -signal.SIGINT
    assert "all released" in shown.seen
    assert "Traceback" not in shown.seen


def test_a_third_ctrl_c_cuts_one_release(terminal: Callable[..., Terminal]) -> None:
    """Who goes on pressing gets out of a release that hangs; the others still run."""
    shown = terminal(
        """
        def hang(value, exit):
            say('hanging')
            forever()
        stuck = Resource.make(lambda: Ok(1), hang)
        return told().both(stuck).use(lambda _: (say('up'), forever()))
        """,
        "run(main, grace=60)",
    )
    shown.read_until("up")
    shown.press("c")
    shown.read_until("hanging")
    pressed = 0
    while "released Cancelled" not in shown.seen:
        pressed += 1
        assert pressed < 100
        shown.press("c")
        shown.read()  # the terminal shows what was pressed
        shown.has_ended_in(0.2)
    assert shown.end() == -signal.SIGINT
    assert pressed >= 2


def test_the_third_ctrl_c_ends_the_wait(terminal: Callable[..., Terminal]) -> None:
    """While the exit waits for a thread, the third Ctrl-C ends the process at once."""
    shown = terminal(
        """
        threading.Thread(target=forever).start()
        say('up')
        forever()
        """,
        "run(main, grace=600)",
    )
    shown.read_until("up")
    pressed = 0
    while shown.process.poll() is None:
        pressed += 1
        assert pressed < 100
        shown.press("c")
        shown.has_ended_in(0.2)
    assert shown.end() == -signal.SIGINT
    assert pressed >= 3
    assert "asked a third time" in shown.seen


def test_ctrl_backslash_ends_a_program_at_its_terminal(terminal: Callable[..., Terminal]) -> None:
    """SIGQUIT from the terminal tells where the program is, and ends it by SIGQUIT."""
    shown = terminal("return told().use(lambda _: (say('up'), forever()))")
    shown.read_until("up")
    shown.press("\\")
    assert shown.end() == -signal.SIGQUIT
    assert "SIGQUIT: this process ends here, and releases nothing" in shown.seen
    assert "resource 'tell' is held" in shown.seen
