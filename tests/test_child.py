"""Child processes as resources: stopped with their descendants, whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.children import (
    fail,
    interrupt_me,
    leave,
    lives,
    pids_in,
    serve,
    sleep_as,
    sleep_deaf,
    sleep_with_descendants,
    until,
)

from resultflow import Child, Err, Ok, Result, child_process, subprocess_child
from resultflow.child import has_live_members
from resultflow.errors import ChildDied, ChildNotStarted

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_a_missing_program_is_an_err() -> None:
    """A program that is not there is ChildNotStarted, with what the system said."""
    outcome = subprocess_child(["no-such-program", "x"]).use(Ok)
    assert outcome.map_err(lambda error: (error.name, "No such file" in error.reason)) == Err(
        ("no-such-program", True)
    )


def test_a_program_gets_its_surroundings(tmp_path: Path) -> None:
    """cwd, env, stdin and stdout arrive; by default there is nothing to read."""
    out = tmp_path / "out"
    code = "import os, sys; print(os.getcwd(), os.environ['X'], repr(sys.stdin.read()))"
    with out.open("w") as stdout:
        program = subprocess_child(
            [sys.executable, "-c", code], cwd=tmp_path, env={"X": "y"}, stdout=stdout
        )
        assert program.use(lambda child: Ok(child.wait(20))) == Ok(0)
    assert out.read_text() == f"{tmp_path} y ''\n"


def test_a_program_may_want_another_signal() -> None:
    """stop_signal is what the group gets first."""
    outcome = subprocess_child(["sleep", "600"], stop_signal=signal.SIGINT).use(Ok)
    assert outcome.map(lambda child: child.exitcode) == Ok(-signal.SIGINT)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(child_process, leave, grace=-1), "grace=-1 is no time to wait"),
        (partial(child_process, leave, grace=float("nan")), "grace=nan is no time to wait"),
        (partial(child_process, cast("Any", "leave")), "target='leave' is not callable"),
        (partial(subprocess_child, ["x"], stop_signal=99), "stop_signal=99 is no signal"),
        (partial(child_process, leave, start_method="x"), "cannot find context for 'x'"),
        (partial(subprocess_child, []), r"argv=\[\] names no program"),
        (partial(subprocess_child, ["x"], stdout=subprocess.PIPE), "stdout=PIPE would block"),
        (partial(subprocess_child, "ls -l"), "argv='ls -l' is one string"),
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


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_child_that_has_not_come_up_is_stopped(method: str, tmp_path: Path) -> None:
    """A release right after the start ends a child that has no group yet."""
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
        "def die(self, started):\n"
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
    monkeypatch.setattr("resultflow.child.has_live_members", bool)
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
            return Ok(has_live_members(child.pid))
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
        if parent == os.getpid() and b"groups.discard" in words:
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
        os.kill(killed, signal.SIGKILL)
        if then == "release":
            return Ok(0)
        if then == "start another":
            until(lambda: not lives(killed), "the guardian is gone")
        return child_process(sleep_as, [tmp_path]).use(lambda _: Ok(guardian_pid() - killed))

    assert child_process(sleep_as, [tmp_path]).use(body).unwrap() != 0 or then == "release"
    assert guardian_pid() == 0


def test_without_a_guardian_there_is_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that cannot start its guardian starts nothing that it could not guard."""
    monkeypatch.setattr("sys.executable", "no-such-python")
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
