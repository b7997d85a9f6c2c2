"""Child processes as resources: stopped with their descendants, whatever happens."""

from __future__ import annotations

import multiprocessing
import multiprocessing.spawn
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.children import (
    fail,
    have_a_child,
    interrupt_me,
    leave,
    lives,
    pids_in,
    serve,
    show_signals,
    sleep_as,
    sleep_deaf,
    sleep_with_descendants,
    until,
)

import resultflow.child
from resultflow import Child, Err, Ok, Result, child_process, subprocess_child
from resultflow.child import live_member, watch
from resultflow.errors import ChildDied, ChildNotStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

METHODS = ["fork", "spawn", "forkserver"]
START_METHODS = pytest.mark.parametrize("method", METHODS)


@START_METHODS
def test_a_child_runs_and_is_stopped(method: str, tmp_path: Path) -> None:
    """After use the child is gone and reaped, with every start method."""
    pids: list[int] = []

    def body(child: Child) -> Result[str, str]:
        until(lambda: pids_in(tmp_path) == [child.pid], "the child has started")
        assert child.poll() is None
        assert child.check() == Ok(None)
        pids.append(child.pid)
        return Ok(child.name)

    sleeper = child_process(sleep_as, [tmp_path], name="sleeper", start_method=method)
    assert sleeper.use(body) == Ok("sleeper")
    assert not Path("/proc", str(pids[0])).exists()


@START_METHODS
def test_a_deaf_child_is_killed_after_its_grace(method: str, tmp_path: Path) -> None:
    """A child that ignores SIGTERM gets SIGKILL when its grace is over."""

    def body(child: Child) -> Result[Child, str]:
        until(lambda: bool(pids_in(tmp_path)), "the child is deaf")
        return Ok(child)

    deaf = child_process(sleep_deaf, [tmp_path], start_method=method, grace=0.2)
    outcome = deaf.use(body)
    assert outcome.map(lambda child: child.exitcode) == Ok(-signal.SIGKILL)


@START_METHODS
def test_descendants_are_stopped_with_the_child(method: str, tmp_path: Path) -> None:
    """The whole process group goes, a deaf grandchild included."""

    def body(child: Child) -> Result[list[int], str]:
        until(lambda: len(pids_in(tmp_path)) == 3, "all three have started")
        return Ok(pids_in(tmp_path))

    family = child_process(sleep_with_descendants, [tmp_path], start_method=method, grace=0.2)
    assert not [pid for pid in family.use(body).unwrap() if lives(pid)]


def test_descendants_of_a_dead_child_are_stopped(tmp_path: Path) -> None:
    """What a child that died by itself left behind is stopped by the release."""

    def body(child: Child) -> Result[list[int], str]:
        until(lambda: len(pids_in(tmp_path)) == 3, "all three have started")
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(20) == -signal.SIGKILL
        return Ok([pid for pid in pids_in(tmp_path) if pid != child.pid])

    family = child_process(sleep_with_descendants, [tmp_path], grace=0.2)
    left = family.use(body).unwrap()
    assert len(left) == 2
    assert not [pid for pid in left if lives(pid)]


def test_ports_are_free_when_the_release_returns(tmp_path: Path) -> None:
    """A port that a child and its worker listened on can be bound right after use."""

    def body(child: Child) -> Result[int, str]:
        until(lambda: len(list(tmp_path.glob("port*"))) == 2, "both listen")
        return Ok(int(next(tmp_path.glob("port*")).read_text()))

    port = child_process(serve, [tmp_path / "port"]).use(body).unwrap()
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.parametrize(
    ("target", "args", "exitcode"),
    [
        (time.sleep, [0], 0),
        (leave, [0], 0),
        (leave, [7], 7),
        (fail, [], 1),
        (interrupt_me, [], -signal.SIGINT),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_early_death_is_visible(
    target: Callable[..., object],
    args: list[int],
    exitcode: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A child that ends by itself shows its exit code; an Err that it returned is 1."""

    def body(child: Child) -> Result[None, ChildDied]:
        assert child.wait(20) is not None
        return child.check()

    died = child_process(target, args, name="early").use(body)
    if exitcode == -signal.SIGINT:
        exitcode = 1  # KeyboardInterrupt, which multiprocessing turns into its own status
    assert died == Err(ChildDied("early", exitcode))
    if target is fail:
        assert "no database" in capfd.readouterr().err


def test_waiting_has_a_bound(tmp_path: Path) -> None:
    """wait(timeout) gives None when the child still runs then."""
    assert child_process(sleep_as, [tmp_path]).use(lambda child: Ok(child.wait(0.05))) == Ok(None)


def test_stopping_early_is_stopping_once(tmp_path: Path) -> None:
    """stop() may be called in the body; the release then finds nothing to do."""

    def body(child: Child) -> Result[tuple[int | None, str], str]:
        child.stop()
        return Ok((child.exitcode, repr(child)))

    exitcode, text = child_process(sleep_as, [tmp_path], name="s").use(body).unwrap()
    assert exitcode == -signal.SIGTERM
    assert text.endswith("exitcode=-15>")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_what_cannot_be_pickled_is_an_err(method: str) -> None:
    """A target that cannot travel to the child is ChildNotStarted, and no guardian stays."""
    outcome = child_process(lambda: None, name="local", start_method=method).use(Ok)
    assert isinstance(outcome, Err)
    assert isinstance(outcome.error, ChildNotStarted)
    assert "pickle" in outcome.error.reason


class Leaves:
    """Ends the program when it is pickled."""

    def __reduce__(self) -> str:
        """Be no part of pickle's business."""
        raise SystemExit(5)


def test_what_pickling_raises_passes() -> None:
    """An exit or an interrupt on the way to the child is neither an Err nor a leak."""
    with pytest.raises(SystemExit):
        child_process(leave, [Leaves()], start_method="spawn").use(Ok)
    assert guardian_pid() == 0


def test_a_missing_program_is_an_err() -> None:
    """A program that is not there is ChildNotStarted, with what the system said."""
    outcome = subprocess_child(["no-such-program", "x"]).use(Ok)
    assert outcome.map_err(lambda error: (error.name, "No such file" in error.reason)) == Err(
        ("no-such-program", True)
    )


@pytest.mark.parametrize("given", ["file", "descriptor"])
def test_a_program_gets_its_surroundings(given: str, tmp_path: Path) -> None:
    """Folder, environment and streams arrive; by default there is nothing to read."""
    out = tmp_path / "out"
    code = (
        "import os, sys; print(os.getcwd(), os.environ['X'], repr(sys.stdin.read()), flush=True);"
        "print('and', file=sys.stderr)"
    )
    with out.open("w") as stdout:
        program = subprocess_child(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={"X": "y"},
            stdout=stdout if given == "file" else stdout.fileno(),
            stderr=subprocess.STDOUT,
        )
        assert program.use(lambda child: Ok(child.wait(20))) == Ok(0)
    assert out.read_text() == f"{tmp_path} y ''\nand\n"


def test_a_program_may_want_another_signal() -> None:
    """stop_signal is what the group gets first."""
    outcome = subprocess_child(["sleep", "600"], stop_signal=signal.SIGINT).use(Ok)
    assert outcome.map(lambda child: child.exitcode) == Ok(-signal.SIGINT)


async def coroutine() -> None:
    """Run only when awaited."""


# What no checker lets through, and who runs none writes all the same.
_process: Any = child_process
_program: Any = subprocess_child


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(child_process, leave, grace=-1), "grace=-1 is no time to wait"),
        (partial(child_process, leave, grace=float("nan")), "grace=nan is no time to wait"),
        (partial(child_process, cast("Any", "leave")), "target='leave' is not callable"),
        (partial(subprocess_child, ["x"], stop_signal=99), "stop_signal=99 is no signal"),
        (partial(child_process, leave, start_method="x"), "start_method='x' is not one of"),
        (partial(subprocess_child, []), r"argv=\[\] names no program"),
        (partial(subprocess_child, ["x"], stdout=subprocess.PIPE), "stdout=PIPE would block"),
        (partial(subprocess_child, "ls -l"), "argv='ls -l' is one string"),
        (partial(_program, [""]), r"argv=\[''\] names no program"),
        (partial(_program, ["x", 1]), "argv has 1, which is no text"),
        (partial(_program, ["x", "a\0"]), "no program can be given a null character"),
        (partial(_program, 5), "argv=5 is no list of arguments"),
        (partial(_program, ["x"], cwd=5), "cwd has 5, which is no text"),
        (partial(_program, ["x"], env=["a"]), r"env=\['a'\] is no mapping"),
        (partial(_program, ["x"], env={"A": 1}), "env has 1, which is no text"),
        (partial(_program, ["x"], user=1.5), "user=1.5 is neither"),
        (partial(_program, ["x"], stdin="f"), "stdin='f' is no file"),
        (partial(_program, ["x"], stdout=-7), "stdout=-7 is no file descriptor"),
        (partial(_program, ["x"], stdin=subprocess.STDOUT), "stdin=-2 is no file"),
        (partial(_program, ["x"], name=""), "name='' would name nothing"),
        (partial(_program, ["x"], name=3), "name has 3, which is no text"),
        (partial(_process, leave, grace="3"), "grace='3' is no number of seconds"),
        (partial(_process, leave, grace=True), "grace=True is no number of seconds"),
        (partial(_process, leave, "abc"), r"args='abc' is no list .* write \['abc'\]"),
        (partial(_process, leave, 5), r"args=5 is no list of arguments"),
        (partial(_process, coroutine), "would not run when called"),
    ],
)
def test_bad_arguments_are_named(make: Callable[[], object], message: str) -> None:
    """What cannot work is refused where the resource is described, not where it is used."""
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@START_METHODS
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=lambda s: s.name)
def test_nothing_survives_the_parent(method: str, signum: signal.Signals, tmp_path: Path) -> None:
    """The parent is killed, even by SIGKILL: within 2 s children and descendants are gone."""
    folder = tmp_path / "pids"
    folder.mkdir()
    code = f"from tests.children import be_parent; be_parent({method!r}, {str(folder)!r})"
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], process_group=0
    )
    try:
        until(lambda: len(pids_in(folder)) == 4, "all four have started")
        parent.send_signal(signum)
        assert parent.wait(20) == -signum
        left = pids_in(folder)
        until(lambda: not any(map(lives, left)), "all four are gone", seconds=2.0)
    finally:
        parent.kill()
        parent.wait()


def test_a_killed_guardian_is_replaced(tmp_path: Path) -> None:
    """Somebody kills the guardian: the next child is told about, and so is the first."""
    code = (
        "import os, pathlib, signal, sys, time\n"
        "import tests.children as t\n"
        "from resultflow import Ok, child_process, subprocess_child\n"
        "from resultflow.child import _guardian\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "def second(first):\n"
        "    os.kill(_guardian._process.pid, signal.SIGKILL)\n"
        "    t.until(lambda: not t.lives(_guardian._process.pid), 'the guardian is gone')\n"
        "    return child_process(t.sleep_as, [folder]).use(lambda _: Ok(time.sleep(600)))\n"
        "child_process(t.sleep_as, [folder]).use(second)\n"
    )
    folder = tmp_path / "pids"
    folder.mkdir()
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=Path(__file__).parents[1]
    )
    try:
        until(lambda: len(pids_in(folder)) == 2, "both have started")
        parent.kill()
        parent.wait(20)
        left = pids_in(folder)
        until(lambda: not any(map(lives, left)), "both are gone", seconds=2.0)
    finally:
        parent.kill()
        parent.wait()


def test_a_forked_process_leaves_its_parents_children_alone(tmp_path: Path) -> None:
    """A raw fork holds neither the guardian's pipe nor the children: its exit stops nothing."""

    def body(child: Child) -> Result[int | None, str]:
        until(lambda: bool(pids_in(tmp_path)), "the child has started")
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return Ok(child.poll())

    assert child_process(sleep_as, [tmp_path]).use(body) == Ok(None)


@pytest.mark.parametrize("system", ["with pidfd", "without"])
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_child_that_has_not_come_up_is_stopped(
    method: str, system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release right after the start ends a child that has no group yet."""
    if system == "without":
        monkeypatch.delattr("os.pidfd_open")
    early = child_process(sleep_as, [tmp_path], start_method=method)
    stopped = early.use(Ok).unwrap()
    assert stopped.exitcode is not None
    assert not lives(stopped.pid)


_slow_fork = threading.Event()


def _delay_a_slow_fork() -> None:
    if _slow_fork.is_set():
        time.sleep(600)


os.register_at_fork(after_in_child=_delay_a_slow_fork)


def test_a_fork_that_hangs_is_an_err(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked child that does not come up (a lock held at the fork) is killed, not waited for."""
    monkeypatch.setattr("resultflow.child._COME_UP_SECONDS", 0.1)
    _slow_fork.set()
    try:
        outcome = child_process(leave, [0], start_method="fork", name="slow").use(Ok)
    finally:
        _slow_fork.clear()
    assert isinstance(outcome, Err)
    assert "did not come up in 0.1 s" in outcome.error.reason


def test_a_parent_that_dies_early_leaves_no_child(tmp_path: Path) -> None:
    """Killed between the start of a child and its guarding: the child ends, its target unrun."""
    code = (
        "import os, pathlib, signal, sys\n"
        "from tests.children import sleep_as\n"
        "from resultflow import Ok, child, child_process\n"
        "def die(self, started, stop_signal):\n"
        "    pathlib.Path(sys.argv[2]).write_text(str(started.pid))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "child._Guardian.guard = die\n"
        "child_process(sleep_as, [pathlib.Path(sys.argv[1])], start_method='spawn').use(Ok)\n"
    )
    folder = tmp_path / "pids"
    folder.mkdir()
    pid_file = tmp_path / "pid"
    argv = [sys.executable, "-c", code, str(folder), str(pid_file)]
    done = subprocess.run(argv, cwd=Path(__file__).parents[1], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    until(lambda: not lives(int(pid_file.read_text())), "the child is gone")
    assert pids_in(folder) == []


def test_what_the_kernel_holds_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A process that survives SIGKILL is a TimeoutError that names it, in bounded time."""
    monkeypatch.setattr("resultflow.child._KILL_SECONDS", 0.05)
    monkeypatch.setattr("resultflow.child.live_member", abs)
    held: list[Child] = []

    def body(child: Child) -> Result[None, str]:
        held.append(child)
        return Ok(None)

    with pytest.raises(TimeoutError, match=r"'held' .* is still there 0.05 s after SIGKILL"):
        child_process(sleep_as, [tmp_path], name="held", grace=0.05).use(body)
    monkeypatch.undo()
    held[0].stop()


def test_a_system_without_pidfd_and_proc_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the kernel offers neither, children are waited for and stopped all the same."""
    monkeypatch.delattr("os.pidfd_open")
    monkeypatch.setattr("resultflow.child._PROC", str(tmp_path / "none"))
    assert child_process(leave, [7]).use(lambda child: Ok(child.wait(20))) == Ok(7)

    def body(child: Child) -> Result[list[int], str]:
        until(lambda: len(pids_in(tmp_path)) == 3, "all three have started")
        return Ok(pids_in(tmp_path))

    family = child_process(sleep_with_descendants, [tmp_path], grace=0.2)
    monkeypatch.setattr("resultflow.child._KILL_SECONDS", 20.0)
    assert not [pid for pid in family.use(body).unwrap() if lives(pid)]


def test_another_users_group_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A group that may not be signalled is one that lives."""

    def refuse(group: int, signum: int) -> None:
        raise PermissionError

    def body(child: Child) -> Result[bool, str]:
        monkeypatch.setattr("os.killpg", refuse)
        try:
            return Ok(live_member(child.pid) == child.pid)
        finally:
            monkeypatch.undo()

    assert child_process(sleep_as, [tmp_path]).use(body) == Ok(value=True)


def guardian_pid() -> int:
    """Find the guardian among this process's children."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            words = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"guardian of" in words:
            return int(path.name)
    return 0


def test_the_guardian_lives_as_long_as_there_are_children(tmp_path: Path) -> None:
    """It is started with the first child and gone with the last."""
    assert guardian_pid() == 0
    inner = child_process(sleep_as, [tmp_path])
    pids = child_process(sleep_as, [tmp_path]).use(
        lambda _: inner.use(lambda _: Ok(guardian_pid())).map(lambda pid: (pid, guardian_pid()))
    )
    first, second = pids.unwrap()
    assert first == second != 0
    assert guardian_pid() == 0


@pytest.mark.parametrize("then", ["start another", "release", "start another at once"])
def test_a_guardian_that_was_killed_is_replaced_here_too(then: str, tmp_path: Path) -> None:
    """The next word to it finds that out, and starts one that is told about every child."""

    def body(child: Child) -> Result[int, object]:
        killed = guardian_pid()
        assert killed
        os.kill(killed, signal.SIGKILL)
        if then == "release":
            return Ok(0)
        if then == "start another":
            until(lambda: not lives(killed), "the guardian is gone")
        return child_process(sleep_as, [tmp_path]).use(lambda _: Ok(guardian_pid() - killed))

    assert child_process(sleep_as, [tmp_path]).use(body).unwrap() != 0 or then == "release"
    assert guardian_pid() == 0


def test_without_a_guardian_there_is_no_child(set_executable: Callable[[str], None]) -> None:
    """An interpreter that cannot start its guardian starts nothing that it could not guard."""
    set_executable("no-such-python")
    outcome = child_process(leave, [0]).use(Ok)
    assert isinstance(outcome, Err)
    assert "no-such-python" in outcome.error.reason


def test_threads_share_the_guardian(tmp_path: Path) -> None:
    """Children that come and go in many threads are all started, guarded and stopped."""
    outcomes: list[Result[int | None, object]] = []

    def work() -> None:
        for _ in range(15):
            sleeper = subprocess_child(["sleep", "600"], cwd=tmp_path)
            outcomes.append(sleeper.use(Ok).map(lambda child: child.exitcode))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [Ok(-signal.SIGTERM)] * 60
    assert guardian_pid() == 0


# What nobody else may do to it


def run_script(
    code: str, *argv: object, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program that uses the library, with what these tests have at hand."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, argv)],
        cwd=Path(__file__).parents[1],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


FORKS_WHEN_PICKLED = """
import os, stat, sys, threading
from tests.children import leave
from resultflow import Ok, child_process

def sockets():
    return sum(stat.S_ISSOCK(os.fstat(fd).st_mode) for fd in range(3, 64) if is_open(fd))

def is_open(fd):
    try:
        return bool(os.fstat(fd))
    except OSError:
        return False

class Forks:
    def __reduce__(self):
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
        return (int, ())

def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(sockets())
    inherited.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

inherited = []
before = sockets()
outer = child_process(leave, [0], start_method="spawn")
inner = child_process(leave, [Forks()], start_method=sys.argv[1])
outer.use(lambda _: inner.use(lambda child: Ok(child.wait()))).unwrap()
print(before, inherited)
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_fork_in_another_thread_inherits_nothing(method: str) -> None:
    """A process forked while a child is being started holds neither its pipe nor the guardian's.

    With one of them in a stranger's hands, the death of this process would tell nobody.
    """
    done = run_script(FORKS_WHEN_PICKLED, method)
    before, inherited = done.stdout.split(maxsplit=1)
    assert inherited == f"[{before}]\n"


def test_threads_start_children_while_another_forks() -> None:
    """Neither waits for the other for ever, and every child is stopped."""
    outcomes: list[Result[int | None, object]] = []

    def work() -> None:
        for _ in range(5):
            sleeper = child_process(time.sleep, [600], start_method="spawn")
            outcomes.append(sleeper.use(Ok).map(lambda child: child.exitcode))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: there are threads
            pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    assert outcomes == [Ok(-signal.SIGTERM)] * 10


def test_the_thread_that_started_a_child_may_end(tmp_path: Path) -> None:
    """A child outlives the thread that started it, and another one may stop it."""
    opened = child_process(sleep_as, [tmp_path]).open()
    started: list[Child] = []
    thread = threading.Thread(target=lambda: started.append(opened.__enter__()))
    thread.start()
    thread.join()
    until(lambda: pids_in(tmp_path) == [started[0].pid], "the child has started")
    assert started[0].wait(0.05) is None
    opened.__exit__(None, None, None)
    assert started[0].exitcode == -signal.SIGTERM


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_childs_number_is_kept_until_its_guardian_has_dropped_it(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reaped last, whoever else looks: before, its number can be nobody else's."""
    present: list[bool] = []
    drop = resultflow.child._Guardian.release  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a moment nobody sees from outside

    def look_and_drop(guardian: Any, group: int) -> None:  # noqa: ANN401 - as above
        present.append(Path("/proc", str(group)).exists())
        drop(guardian, group)

    monkeypatch.setattr("resultflow.child._Guardian.release", look_and_drop)

    def body(child: Child) -> Result[int, str]:
        assert child.wait(20) == 0
        multiprocessing.active_children()  # reaps all that multiprocessing knows
        present.append(Path("/proc", str(child.pid)).exists())
        return Ok(child.pid)

    pid = child_process(leave, [0], start_method=method).use(body).unwrap()
    assert present == [True, True]
    assert not Path("/proc", str(pid)).exists()


def test_a_released_child_is_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be a stranger's by then: kill and stop do nothing."""
    child = subprocess_child(["true"]).use(Ok).unwrap()

    def hit(group: int, signum: int) -> None:
        pytest.fail("a stranger was hit")

    monkeypatch.setattr("os.killpg", hit)
    child.kill()
    child.stop()


@START_METHODS
def test_an_exit_code_that_somebody_else_took_is_unknown(method: str) -> None:
    """With SIGCHLD ignored nothing raises, nothing hangs, and the exit code is no lie."""
    done = run_script(
        "import signal, sys\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "from tests.children import leave\n"
        "from resultflow import Child, Ok, child_process, subprocess_child\n"
        "def outcome(child): return Ok((child.wait(20), child.check()))\n"
        "print(child_process(leave, [0], start_method=sys.argv[1]).use(outcome))\n"
        "print(subprocess_child(['true']).use(outcome))\n"
        "print(subprocess_child(['sleep', '600']).use(Ok).unwrap())\n",
        method,
    )
    first, second, third = done.stdout.splitlines()
    code = 0 if method == "forkserver" else 511  # a fork server reaps its children itself
    assert first == f"Ok(({code}, Err(ChildDied(name='leave', exitcode={code}))))"
    assert second == "Ok((511, Err(ChildDied(name='true', exitcode=511))))"
    assert done.stderr == ""
    assert third.endswith("exitcode=unknown>")


@pytest.mark.parametrize("system", ["with /proc", "without"])
def test_somebody_else_may_reap_a_child(
    system: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After another's `waitpid(-1)` the exit code is unknown, and the release is calm."""
    if system == "without":
        monkeypatch.setattr("resultflow.child._PROC", str(tmp_path / "none"))
        monkeypatch.delattr("os.pidfd_open")

    def body(child: Child) -> Result[int | None, str]:
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        return Ok(child.wait(20))

    assert child_process(leave, [0], start_method="spawn").use(body) == Ok(Child.UNKNOWN)
    assert subprocess_child(["sleep", "600"]).use(body) == Ok(Child.UNKNOWN)
    assert guardian_pid() == 0


def test_a_release_that_is_beaten_to_the_reaping_is_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody reaps the child in the last moment, when its exit code is known."""
    drop = resultflow.child._Guardian.release  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a moment nobody sees from outside

    def drop_and_reap(guardian: Any, group: int) -> None:  # noqa: ANN401 - as above
        drop(guardian, group)
        os.waitpid(group, 0)

    monkeypatch.setattr("resultflow.child._Guardian.release", drop_and_reap)
    assert subprocess_child(["sleep", "600"]).use(Ok).unwrap().exitcode == -signal.SIGTERM


@pytest.mark.parametrize("after", ["_Guardian.release", "_Multiprocessing.take"])
def test_a_stop_that_is_interrupted_is_finished(
    after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in a body's own stop() leaves nothing undone: the release goes on from there."""
    owner, name = after.split(".")
    done = getattr(getattr(resultflow.child, owner), name)

    def interrupt(*args: object) -> None:
        done(*args)
        monkeypatch.undo()
        raise KeyboardInterrupt

    def body(child: Child) -> Result[Child, str]:
        monkeypatch.setattr(f"resultflow.child.{after}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            child.stop()
        return Ok(child)

    child = child_process(time.sleep, [600], start_method="spawn").use(body).unwrap()
    assert (child.exitcode, child.pidfd) == (-signal.SIGTERM, None)
    assert not Path("/proc", str(child.pid)).exists()
    assert guardian_pid() == 0


def test_a_forked_process_cannot_ask_for_its_parents_child() -> None:
    """Neither is it told a lie: poll, wait, stop and kill are a RuntimeError there."""

    def body(child: Child) -> Result[int, str]:
        pid = os.fork()
        if pid == 0:
            told: list[str] = []
            for ask in (child.poll, child.wait, child.check, child.stop, child.kill):
                try:
                    told.append(repr(ask()))
                except RuntimeError as exc:
                    told.append(str(exc))
            right = [f"of process {os.getppid()}>" in text for text in told] == [True] * 5
            os._exit(0 if right and not resultflow.child.children() else 1)
        return Ok(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    held = subprocess_child(["sleep", "600"]).both(child_process(leave, [0], start_method="fork"))
    assert held.use(lambda pair: body(pair[0])) == Ok(0)


def test_a_fork_without_children_is_calm() -> None:
    """A process that has no child yet may be forked, and start some there."""
    pid = os.fork()
    if pid == 0:
        os._exit(subprocess_child(["true"]).use(lambda child: Ok(child.wait(20))) != Ok(0))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


# The parent's death


@pytest.mark.parametrize("method", METHODS)
def test_a_parent_killed_before_its_child_has_come_up(method: str, tmp_path: Path) -> None:
    """The child has no group yet that the guardian could stop: it ends, its target unrun."""
    folder = tmp_path / "pids"
    folder.mkdir()
    pid_file = tmp_path / "pid"
    done = run_script(
        "import os, pathlib, signal, sys\n"
        "from tests.children import sleep_as\n"
        "from resultflow import child_process\n"
        "def die(child):\n"
        "    pathlib.Path(sys.argv[2]).write_text(str(child.pid))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "child_process(sleep_as, [folder], start_method=sys.argv[3]).use(die)\n",
        folder,
        pid_file,
        method,
    )
    assert done.returncode == -signal.SIGKILL
    until(lambda: not lives(int(pid_file.read_text())), "the child is gone", seconds=5.0)


@START_METHODS
def test_a_program_that_forgets_its_child_ends(method: str, tmp_path: Path) -> None:
    """A child that is not released holds no program up, and does not outlive it."""
    done = run_script(
        "import pathlib, sys\n"
        "from tests.children import sleep_as, until\n"
        "from resultflow import child_process\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "opened = child_process(sleep_as, [folder], start_method=sys.argv[2]).open()\n"
        "opened.__enter__()\n"
        "until(lambda: list(folder.iterdir()), 'it runs')\n"
        "sys.kept = opened\n",
        tmp_path,
        method,
    )
    assert (done.returncode, done.stderr) == (0, "")
    until(lambda: not any(map(lives, pids_in(tmp_path))), "the child is gone", seconds=5.0)


def test_the_guardian_sends_each_childs_own_stop_signal(tmp_path: Path) -> None:
    """When the parent is killed, a child that asked for SIGINT gets SIGINT."""
    said = tmp_path / "said"
    program = (
        "import pathlib, signal, sys, time\n"
        "def say(signum, frame): pathlib.Path(sys.argv[1]).write_text(str(signum)); sys.exit()\n"
        "signal.signal(signal.SIGINT, say)\n"
        "print(flush=True)\n"
        "time.sleep(600)\n"
    )
    done = run_script(
        "import os, signal, sys\n"
        "from resultflow import subprocess_child\n"
        "reader, writer = os.pipe()\n"
        "argv = [sys.executable, '-c', *sys.argv[1:]]\n"
        "child = subprocess_child(argv, stop_signal=signal.SIGINT, stdout=writer)\n"
        "child.use(lambda _: os.read(reader, 1) and os.kill(os.getpid(), signal.SIGKILL))\n",
        program,
        said,
    )
    assert done.returncode == -signal.SIGKILL
    until(lambda: said.exists() and said.read_text() == "2", "the child was told by SIGINT")


def test_a_guardian_holds_nothing_but_its_socket(tmp_path: Path) -> None:
    """No port, file or folder stays busy by it, whatever is inheritable here."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.set_inheritable(True)

        def body(_: Child) -> Result[tuple[list[str], Path], str]:
            guardian = Path("/proc", str(guardian_pid()))
            fds = sorted(path.name for path in (guardian / "fd").iterdir())
            return Ok((fds, (guardian / "cwd").readlink()))

        held = child_process(sleep_as, [tmp_path]).use(body)
    assert held == Ok((["0", "1", "2"], Path("/")))


def test_a_look_at_a_child_finds_a_dead_guardian(tmp_path: Path) -> None:
    """poll, check and wait replace a guardian that somebody killed."""

    def body(child: Child) -> Result[None, str]:
        killed = guardian_pid()
        assert killed
        os.kill(killed, signal.SIGKILL)

        def is_replaced() -> bool:
            return child.check() == Ok(None) and guardian_pid() not in {0, killed}

        until(is_replaced, "there is another guardian")
        return Ok(None)

    assert child_process(sleep_as, [tmp_path]).use(body) == Ok(None)
    assert guardian_pid() == 0


def test_a_guardian_that_reads_nothing_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody stops it: once its socket is full, another takes over; nothing waits for ever."""
    monkeypatch.setattr("resultflow.child._WORD_SECONDS", 0.05)
    guardian = resultflow.child._guardian  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # a full socket takes long otherwise

    def body(_: Child) -> Result[bool, object]:
        stopped = guardian_pid()
        assert stopped
        assert guardian._socket is not None  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
        guardian._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 0)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
        os.kill(stopped, signal.SIGSTOP)
        for _attempt in range(100):
            if guardian_pid() != stopped:
                break
            assert isinstance(subprocess_child(["true"]).use(Ok), Ok)
        return Ok(guardian_pid() not in {0, stopped})

    assert subprocess_child(["sleep", "600"]).use(body) == Ok(value=True)


def test_a_guardian_that_does_not_leave_is_killed() -> None:
    """A guardian that somebody stopped cannot see that it is over; it does not stay for that."""

    def body(_: Child) -> Result[int, str]:
        os.kill(guardian_pid() or os.getpid(), signal.SIGSTOP)
        return Ok(guardian_pid())

    stopped = subprocess_child(["sleep", "600"]).use(body).unwrap()
    assert not Path("/proc", str(stopped)).exists()


def test_a_broken_pipe_to_the_guardian_kills_nobody() -> None:
    """A program that gave SIGPIPE back to the system outlives its guardian."""
    done = run_script(
        "import os, signal\n"
        "from resultflow import Ok, child, subprocess_child\n"
        "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
        "def body(_):\n"
        "    guardian = child._guardian._process\n"
        "    os.kill(guardian.pid, signal.SIGKILL)\n"
        "    os.waitid(os.P_PID, guardian.pid, os.WEXITED | os.WNOWAIT)\n"
        "    return Ok('alive')\n"
        "print(subprocess_child(['sleep', '600']).use(body))\n"
    )
    assert (done.stdout, done.returncode) == ("Ok('alive')\n", 0)


# Who can be a guardian


@pytest.fixture
def set_executable() -> Iterator[Callable[[str], None]]:
    """Give `multiprocessing.set_executable`, and put back what it was."""
    before = multiprocessing.spawn.get_executable()
    yield multiprocessing.set_executable
    multiprocessing.set_executable(before)


def test_a_frozen_program_starts_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its executable is itself, not Python: the error names the way out, which works."""
    monkeypatch.setattr("sys.frozen", True, raising=False)
    outcome = subprocess_child(["true"]).use(Ok)
    assert isinstance(outcome, Err)
    assert "is no Python interpreter: name a Python interpreter with" in outcome.error.reason


def test_a_frozen_program_may_name_a_python(
    monkeypatch: pytest.MonkeyPatch, set_executable: Callable[[str], None]
) -> None:
    """`multiprocessing.set_executable` is the way out that the error names."""
    set_executable(sys.executable)
    monkeypatch.setattr("sys.frozen", True, raising=False)
    monkeypatch.setattr("sys.executable", "/usr/bin/frozen-program")
    assert subprocess_child(["true"]).use(lambda child: Ok(child.wait(20))) == Ok(0)


@pytest.mark.parametrize("program", ["true", "cat", "sleep 600"])
def test_what_is_no_python_guards_nothing(
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    set_executable: Callable[[str], None],
) -> None:
    """One that ends at once, says something else or nothing: the child is stopped."""
    pretender = tmp_path / "pretender"
    pretender.write_text(f"#!/bin/sh\nexec {program}\n")
    pretender.chmod(0o755)
    set_executable(str(pretender))
    monkeypatch.setattr("resultflow.child._COME_UP_SECONDS", 0.2)
    outcome = subprocess_child(["sleep", "600"], name="unguarded").use(Ok)
    assert isinstance(outcome, Err)
    assert "if it is no Python interpreter, name one" in outcome.error.reason
    assert resultflow.child.children() == []


def test_a_program_that_is_its_own_executable_starts_itself_once(tmp_path: Path) -> None:
    """No fork bomb: the copy that was meant to be a guardian finds that out and stops there."""
    app = tmp_path / "app"
    app.write_text(
        f"#!{sys.executable}\n"
        "import os, pathlib, sys\n"
        "sys.executable = __file__\n"
        "from resultflow import Ok, subprocess_child\n"
        "print(subprocess_child(['true']).use(lambda child: Ok(child.wait())), file=sys.stderr)\n"
        f"pathlib.Path({str(tmp_path)!r}, f'ran{{os.getpid()}}').touch()\n"
    )
    app.chmod(0o755)
    done = subprocess.run([app], stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert "did" in done.stderr or "has ended" in done.stderr
    assert len(list(tmp_path.glob("ran*"))) <= 2


# The child itself


def test_a_stopped_child_can_still_clean_up() -> None:
    """A child that SIGSTOP holds gets SIGCONT with its stop signal: it need not be killed."""

    def body(child: Child) -> Result[Child, str]:
        os.kill(child.pid, signal.SIGSTOP)
        state = Path("/proc", str(child.pid), "stat")
        until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", "it is stopped")
        return Ok(child)

    stopped = subprocess_child(["sleep", "600"], grace=20).use(body)
    assert stopped.map(lambda child: child.exitcode) == Ok(-signal.SIGTERM)


@START_METHODS
def test_what_a_target_raises_is_shown(method: str) -> None:
    """A bug in the child is a traceback on standard error and exit code 1."""
    done = run_script(
        "import sys\n"
        "from tests.children import divide\n"
        "from resultflow import Ok, child_process\n"
        "child = child_process(divide, [0], start_method=sys.argv[1])\n"
        "print(child.use(lambda child: Ok(child.wait(20))))\n",
        method,
    )
    assert done.stdout == "Ok(1)\n"
    assert "ZeroDivisionError" in done.stderr


@START_METHODS
def test_a_child_may_have_children(method: str) -> None:
    """It is no daemon of multiprocessing, and its own guardian guards what it starts."""
    parent = child_process(have_a_child, [method], start_method=method)
    assert parent.use(lambda child: Ok(child.wait(30))) == Ok(0)


def test_a_daemon_of_multiprocessing_gets_an_err() -> None:
    """Because multiprocessing forbids its daemons children, ChildNotStarted says so."""
    process = multiprocessing.get_context("spawn").Process(
        target=have_a_child, args=("spawn",), daemon=True
    )
    process.start()
    process.join(60)
    assert process.exitcode == 3


def test_a_child_outlives_its_fork_server(tmp_path: Path) -> None:
    """When the server dies the child still runs; its exit code is unknown later."""
    done = run_script(
        "import os, pathlib, signal, sys\n"
        "from multiprocessing import forkserver\n"
        "from tests.children import lives, sleep_as, until\n"
        "from resultflow import Ok, child_process\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "def body(child):\n"
        "    until(lambda: list(folder.iterdir()), 'it runs')\n"
        "    server = forkserver._forkserver._forkserver_pid\n"
        "    os.kill(server, signal.SIGKILL)\n"
        "    os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)\n"
        "    seen = child.wait(0.2)\n"
        "    os.kill(child.pid, signal.SIGKILL)\n"
        "    return Ok((seen, child.wait(20)))\n"
        "print(child_process(sleep_as, [folder], start_method='forkserver').use(body))\n",
        tmp_path,
    )
    assert (done.stdout, done.stderr) == ("Ok((None, 511))\n", "")


def test_a_fork_server_that_hangs_holds_up_no_release(tmp_path: Path) -> None:
    """It knows the exit code and says nothing: after a second that is unknown, and the end."""
    done = run_script(
        "import os, pathlib, signal, sys\n"
        "from multiprocessing import forkserver\n"
        "from tests.children import until\n"
        "from tests.children import sleep_as\n"
        "from resultflow import Ok, child_process\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "def body(child):\n"
        "    until(lambda: list(folder.iterdir()), 'it runs')\n"
        "    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGSTOP)\n"
        "    return Ok(child)\n"
        "child = child_process(sleep_as, [folder], start_method='forkserver', grace=0.2)\n"
        "print(child.use(body).unwrap())\n"
        "os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)\n",
        tmp_path,
    )
    assert done.stdout.endswith("exitcode=unknown>\n")


def test_a_forked_child_answers_signals_by_itself() -> None:
    """It has neither its parent's handlers nor the wake-up of its parent's event loop."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)  # noqa: FBT003 - its parameter has no name
    before = signal.signal(signal.SIGCHLD, lambda signum, frame: None)
    signal.set_wakeup_fd(writer.fileno())
    try:
        with reader, writer:
            child = child_process(show_signals, start_method="fork")
            assert child.use(lambda child: Ok(child.wait(20))) == Ok(0)
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, before)


def test_a_child_of_another_user_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that may not be signalled is a PermissionError that says which and why."""

    def refuse(group: int, signum: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    held: list[Child] = []

    def body(child: Child) -> Result[None, str]:
        held.append(child)
        monkeypatch.setattr("os.killpg", refuse)
        return Ok(None)

    with pytest.raises(PermissionError, match=r"'setuid' .* runs as another user"):
        subprocess_child(["sleep", "600"], name="setuid").use(body)
    monkeypatch.undo()
    assert resultflow.child.children() == held
    held[0].stop()
    assert guardian_pid() == 0


def test_a_system_without_process_groups_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is nothing to stop as a whole, nothing is started."""
    monkeypatch.delattr("os.killpg")
    outcome = child_process(leave, [0], name="w").use(Ok)
    assert outcome == Err(ChildNotStarted("w", "this system has no process groups to stop"))


def test_the_default_start_method_stays_the_programs_choice() -> None:
    """Describing a child fixes nothing; starting it follows what the program chose meanwhile."""
    done = run_script(
        "import multiprocessing\n"
        "from tests.children import leave\n"
        "from resultflow import Ok, child_process\n"
        "child = child_process(leave, [7])\n"
        "multiprocessing.set_start_method('spawn')\n"
        "print(child.use(lambda child: Ok(child.wait())), multiprocessing.get_start_method())\n"
    )
    assert (done.stdout, done.stderr) == ("Ok(7) spawn\n", "")


# Several


def test_watch_finds_the_first_death() -> None:
    """It gives Ok when its time is over, and Err as soon as one of them has ended."""
    both = subprocess_child(["sleep", "600"]).both(subprocess_child(["sleep", "600"], name="b"))

    def body(pair: tuple[Child, Child]) -> Result[None, ChildDied]:
        assert watch(*pair, timeout=0.05) == Ok(None)
        assert watch(*pair, timeout=0) == Ok(None)
        os.kill(pair[1].pid, signal.SIGKILL)
        return watch(*pair)

    assert both.use(body) == Err(ChildDied("b", -signal.SIGKILL))


def test_a_pidfd_can_be_selected() -> None:
    """An event loop is told of a child's end by its pidfd, which the release closes."""

    def body(child: Child) -> Result[Child, str]:
        assert child.pidfd is not None
        assert select.select([child.pidfd], [], [], 0)[0] == []
        os.kill(child.pid, signal.SIGKILL)
        assert select.select([child.pidfd], [], [], 20)[0] == [child.pidfd]
        return Ok(child)

    assert subprocess_child(["sleep", "600"]).use(body).unwrap().pidfd is None


def test_a_wait_ends_when_another_thread_releases() -> None:
    """Who waits for a child is woken when somebody else stops it."""
    waited: list[int | None] = []

    def body(child: Child) -> Result[threading.Thread, str]:
        thread = threading.Thread(target=lambda: waited.append(child.wait(20)))
        thread.start()
        return Ok(thread)

    subprocess_child(["sleep", "600"]).use(body).unwrap().join()
    assert waited == [-signal.SIGTERM]


def test_watch_wants_a_child() -> None:
    """Without one it would wait for ever."""
    with pytest.raises(ValueError, match="has no child to watch"):
        watch()


@pytest.mark.parametrize("timeout", [-1, float("nan"), "1", True])
def test_bad_timeouts_are_named(timeout: float) -> None:
    """Both wait and watch take seconds, 0 or more, or None."""

    def body(child: Child) -> Result[None, str]:
        for wait in (child.wait, partial(watch, child)):
            with pytest.raises((TypeError, ValueError), match=f"timeout={timeout!r} is no"):
                wait(timeout=timeout)
        return Ok(None)

    assert subprocess_child(["sleep", "600"]).use(body) == Ok(None)


# Signals


# As in test_signals: the handler disarms itself before it raises. One start method a run.
STORM = """
import os, random, signal, sys, threading, time
from tests.children import leave
from resultflow import Ok, child, child_process, subprocess_child

if sys.argv[1] == "program":
    one = subprocess_child(["true"])
else:
    one = child_process(leave, [0], start_method=sys.argv[1])
armed, storming, hits, lost = False, True, 0, 0
def handler(signum, frame):
    global armed, raised
    if armed:
        armed, raised = False, True
        raise KeyboardInterrupt
signal.signal(signal.SIGINT, handler)
sys.unraisablehook = lambda unraisable: print("unraisable", unraisable, flush=True)
def storm():
    while storming:
        time.sleep(random.random() * 0.01)
        os.kill(os.getpid(), signal.SIGINT)
sender = threading.Thread(target=storm)
sender.start()
end = time.monotonic() + 60
while hits < 40 and time.monotonic() < end:
    raised = False
    try:
        armed = True
        one.use(Ok).unwrap()
        armed = False
        lost += raised
    except KeyboardInterrupt:
        hits += 1
storming = False
sender.join()
left = []
for name in filter(str.isdigit, os.listdir("/proc")):
    try:
        words = open(f"/proc/{name}/cmdline").read()
        ppid = open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[1]
    except OSError:
        continue
    if int(ppid) == os.getpid() and "resource_tracker" not in words and "forkserver" not in words:
        left.append((name, words))
print(hits, lost, left, child.children())
"""


@pytest.mark.parametrize("kind", [*METHODS, "program"])
def test_a_storm_of_signals_leaves_no_child(kind: str, unmeasured: dict[str, str]) -> None:
    """Ctrl-C at random times in start and release: no orphan, no zombie, no interrupt lost."""
    done = run_script(STORM, kind, env=unmeasured)
    assert (done.stdout, done.returncode, done.stderr) == ("40 0 [] []\n", 0, "")
