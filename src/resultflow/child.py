"""Child processes as resources: stopped with their descendants, whatever happens.

Every child leads a process group of its own, and the *group* is stopped: terminated, waited
for, killed, reaped. While a process has children it also has a guardian: a tiny process that
reads a pipe whose other end only the parent holds. When the parent dies without a word
(SIGKILL), the pipe ends, and the guardian stops the groups in its stead.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, Protocol, cast

from resultflow import _signals
from resultflow._result import Err, Ok
from resultflow.errors import ChildDied, ChildNotStarted
from resultflow.resource import Resource

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence
    from multiprocessing.connection import Connection
    from typing import IO, Any, TypeAlias

    from resultflow._result import Result
    from resultflow.exits import Exit

    _Stream: TypeAlias = "int | IO[Any] | None"

__all__ = ["Child", "child_process", "subprocess_child"]

_FOREVER: Final = float("inf")
_PROC: Final = "/proc"
_DEVNULL: Final = -3  # subprocess.DEVNULL, whose module is imported only where a child starts
_KILL_SECONDS: Final = 5.0
"""How long after SIGKILL a group may still be there: only the kernel can hold it then."""
_COME_UP_SECONDS: Final = 10.0
"""How long a fork may take; one that takes longer hangs on a lock that a thread here held."""

_GUARDIAN: Final = """
import os, signal, sys, time
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
def send(signum):
    for group in list(groups):
        try:
            os.killpg(group, signum)
        except ProcessLookupError:
            groups.discard(group)
        except PermissionError:
            pass
end = time.monotonic() + 1.0
send(signal.SIGTERM)
send(signal.SIGCONT)
while groups and time.monotonic() < end:
    time.sleep(0.005)
    send(0)
send(signal.SIGKILL)
"""


class _Process(Protocol):
    """What `subprocess.Popen` and `multiprocessing` have in common, by adaptors."""

    pid: int

    def poll(self) -> int | None: ...

    def close(self) -> None: ...


class Child:
    """A running child process; the value of `child_process` and `subprocess_child`.

    Attributes:
        name: the name that it was given.
        pid: its process id, and the id of its process group.

    >>> import sys
    >>> from resultflow import subprocess_child
    >>> child = subprocess_child([sys.executable, "-c", "raise SystemExit(3)"])
    >>> child.use(lambda child: Ok(child.wait()))
    Ok(3)

    .. versionadded:: 0.1.0
    """

    def __init__(self, process: _Process, name: str, grace: float, stop_signal: int) -> None:
        self.name = name
        self.pid = process.pid
        self._process = process
        self._grace = grace
        self._stop_signal = stop_signal
        self._exitcode: int | None = None
        self._group_is_gone = False
        self._is_closed = False
        self._pidfd = _open_pidfd(process.pid)
        # Reentrant: a signal's handler may ask for the state that the body is just asking for.
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        state = "running" if self.poll() is None else f"exitcode={self._exitcode}"
        return f"<Child {self.name!r} pid={self.pid} {state}>"

    @property
    def exitcode(self) -> int | None:
        """Its exit status, minus the number of the signal it died by, or None: it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """Look whether it has ended, without waiting: its exit code, or None."""
        with self._lock:
            if self._exitcode is None:
                self._exitcode = self._process.poll()
                if self._exitcode is not None and not has_live_members(self.pid):
                    # From here on the system may give the number to somebody else.
                    self._group_is_gone = True
            return self._exitcode

    def check(self) -> Result[None, ChildDied]:
        """`Ok` while it runs, `Err(ChildDied)` when it has ended: for a body that needs it.

        >>> import sys
        >>> child = subprocess_child([sys.executable, "-c", ""], name="helper")
        >>> child.use(lambda child: child.check() if child.wait() is None else child.check())
        Err(ChildDied(name='helper', exitcode=0))

        .. versionadded:: 0.1.0
        """
        exitcode = self.poll()
        return Ok(None) if exitcode is None else Err(ChildDied(self.name, exitcode))

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until it has ended: its exit code, or None when `timeout` seconds have passed.

        Descendants that it leaves behind are not waited for; the release stops them.
        """
        _until(lambda: self.poll() is not None, timeout, self._pidfd)
        return self.poll()

    def stop(self) -> None:
        """Stop it and its descendants now, as the release will: once, in bounded time.

        The whole group gets the stop signal; when `grace` seconds later some of it is left,
        SIGKILL.

        Raises:
            TimeoutError: when the kernel still has a process of the group 5 seconds after
                SIGKILL (one that hangs in the kernel).
        """
        self._send(self._stop_signal)
        if not _until(self._is_gone, self._grace, self._pidfd):
            self._send(signal.SIGKILL)
            if not _until(self._is_gone, _KILL_SECONDS, self._pidfd):
                msg = f"{self!r} is still there {_KILL_SECONDS:g} s after SIGKILL"
                raise TimeoutError(msg)
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            _guardian.release(self.pid)
            self._process.close()
            if self._pidfd is not None:
                os.close(self._pidfd)
                self._pidfd = None

    def _is_gone(self) -> bool:
        if self.poll() is not None and not self._group_is_gone:
            self._group_is_gone = not has_live_members(self.pid)
        return self._group_is_gone

    def kill(self) -> None:  # pragma: no cover (called where the process dies, see tests of run)
        """Kill what is left of it, at once."""
        self._send(signal.SIGKILL)

    def _send(self, signum: int) -> None:
        if self._is_gone():
            return
        try:
            os.killpg(self.pid, signum)
        except ProcessLookupError:
            # It has not come to the line that makes its group.
            if self.poll() is None:
                os.kill(self.pid, signum)


def child_process(
    target: Callable[..., object],
    args: Sequence[object] = (),
    *,
    name: str | None = None,
    start_method: str | None = None,
    grace: float = 3.0,
) -> Resource[Child, ChildNotStarted]:
    """Run `target(*args)` in a child process, by `multiprocessing`.

    `Ok` of a `Child` once it is started; `Err(ChildNotStarted)` when the system refuses, or
    pickle does. The release stops the child and its descendants, and when this process is
    killed, they are too (within 1 s, or at once where they heed SIGTERM). The child begins
    with the system's actions for SIGTERM and SIGHUP; a `target` that returns an `Err` reports
    it and exits 1.

    Args:
        target: what to run; for `spawn` and `forkserver` it is pickled, with `args`.
        args: its arguments.
        name: for messages; by default the target's name.
        start_method: `fork`, `spawn` or `forkserver`; None is `multiprocessing`'s default.
        grace: seconds between the polite signal and SIGKILL.

    Raises:
        TypeError: when `target` is not callable.
        ValueError: when `grace` or `start_method` is not possible.

    >>> import time
    >>> sleeper = child_process(time.sleep, [60], name="sleeper")
    >>> sleeper.use(lambda child: Ok((child.name, child.poll())))
    Ok(('sleeper', None))

    .. versionadded:: 0.1.0
    """
    if not callable(cast("object", target)):
        msg = f"target={target!r} is not callable: pass the function itself and its args apart"
        raise TypeError(msg)
    from multiprocessing import get_context  # here: it costs 20 ms, and few need it

    context: Any = get_context(start_method)
    called = name or getattr(target, "__qualname__", None) or repr(target)

    forks = context.get_start_method() == "fork"

    def start() -> _Process:
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_child_main, args=(theirs, ours if forks else None, target, args), name=called
        )
        try:
            process.start()
            if forks:
                _wait_for_fork(process, ours)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return _Multiprocessing(process, ours)

    return _child(start, called, grace, signal.SIGTERM)


def subprocess_child(  # noqa: PLR0913 - what Popen has, by name
    argv: Sequence[str | os.PathLike[str]],
    *,
    name: str | None = None,
    grace: float = 3.0,
    stop_signal: int = signal.SIGTERM,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    user: str | int | None = None,
    stdin: _Stream = _DEVNULL,
    stdout: _Stream = None,
    stderr: _Stream = None,
) -> Resource[Child, ChildNotStarted]:
    """Run a program in a child process, by `subprocess`.

    `Ok` of a `Child` once the program runs; `Err(ChildNotStarted)` when the system refuses.
    The release stops the child and its descendants, and when this process is killed, they
    are too.

    Args:
        argv: the program and its arguments; there is no shell.
        name: for messages; by default the program's name.
        grace: seconds between the stop signal and SIGKILL.
        stop_signal: the polite signal, for programs that want another than SIGTERM.
        cwd: its working directory.
        env: its environment; None is this process's.
        user: the user it runs as.
        stdin: a file or descriptor; by default nothing to read (`subprocess.DEVNULL`), since
            a group of its own may not read from the terminal.
        stdout: a file or descriptor; None is this process's.
        stderr: likewise.

    Raises:
        TypeError: when `argv` is a string.
        ValueError: when `grace` or `stop_signal` is not possible, `argv` is empty, or a stream is
            `subprocess.PIPE`, which nobody would read.

    >>> import sys
    >>> subprocess_child([sys.executable, "-c", ""]).use(lambda child: Ok(child.wait()))
    Ok(0)

    .. versionadded:: 0.1.0
    """
    import subprocess  # here: it costs 8 ms, and few need it

    if isinstance(argv, str):
        msg = (
            f"argv={argv!r} is one string: give a list, ['program', 'argument']; there is no shell"
        )
        raise TypeError(msg)
    if not argv:
        msg = "argv=[] names no program: its first item must be one"
        raise ValueError(msg)
    for stream, given in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
        if given == subprocess.PIPE:
            msg = f"{stream}=PIPE would block the child once it is full: pass a file or DEVNULL"
            raise ValueError(msg)

    def start() -> _Process:
        return _Subprocess(
            subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                user=user,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                process_group=0,
            )
        )

    return _child(start, name or os.path.basename(argv[0]), grace, stop_signal)


def _child(
    start: Callable[[], _Process], name: str, grace: float, stop_signal: int
) -> Resource[Child, ChildNotStarted]:
    if not 0 <= grace < _FOREVER:
        msg = f"grace={grace!r} is no time to wait: give seconds, 0 or more"
        raise ValueError(msg)
    if stop_signal not in signal.valid_signals():
        msg = f"stop_signal={stop_signal!r} is no signal of this system: give a signal.Signals"
        raise ValueError(msg)

    def acquire() -> Result[Child, ChildNotStarted]:
        try:
            _guardian.reserve()
        except OSError as exc:
            return Err(ChildNotStarted(name, f"its guardian: {type(exc).__qualname__}: {exc}"))
        try:
            process = start()
        except Exception as exc:  # noqa: BLE001 - pickle raises whatever a class likes
            _guardian.give_up()
            return Err(ChildNotStarted(name, f"{type(exc).__qualname__}: {exc}"))
        child = Child(process, name, grace, stop_signal)
        _guardian.guard(child)
        if isinstance(process, _Multiprocessing):
            process.let_go()
        return Ok(child)

    def release(child: Child, exit: Exit) -> None:  # noqa: A002, ARG001 - the release's shape
        child.stop()

    release.__qualname__ = f"child {name}"
    return Resource.make(acquire, release)


def children() -> list[Child]:
    """List the children that are not yet released, oldest first."""
    return list(_guardian.groups.values())


class _Subprocess:
    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid

    def poll(self) -> int | None:
        return self._popen.poll()

    def close(self) -> None:
        """Nothing is open: there are no pipes."""


class _Multiprocessing:
    def __init__(self, process: Any, pipe: Connection) -> None:  # noqa: ANN401 - one class a start method
        self._process = process
        self._pipe = pipe
        self.pid: int = process.pid

    def let_go(self) -> None:
        """Let the child run its target, now that its group is guarded.

        When this process dies before, the pipe ends, and so does the child.
        """
        with contextlib.suppress(OSError):  # it died already: poll() tells
            self._pipe.send_bytes(b"go")
        self._pipe.close()

    def poll(self) -> int | None:
        exitcode: int | None = self._process.exitcode
        return exitcode

    def close(self) -> None:
        self._process.join()
        self._process.close()


def _wait_for_fork(process: Any, pipe: Connection) -> None:  # noqa: ANN401 - one class a start method
    """Wait until a forked child has given up this process's signal handlers."""
    if not pipe.poll(_COME_UP_SECONDS):
        process.kill()
        process.join()
        msg = f"the forked child did not come up in {_COME_UP_SECONDS:g} s"
        raise TimeoutError(msg)


def _child_main(
    pipe: Connection,
    parents_end: Connection | None,
    target: Callable[..., object],
    args: Sequence[object],
) -> None:
    os.setpgid(0, 0)
    for signum in _signals.SIGNALS:
        # A forked child has its parent's handlers, which would unwind the parent's scopes.
        if callable(signal.getsignal(signum)):
            _signals.restore_default(signum)
    try:
        if parents_end is not None:
            # What the parent registered is the parent's to run, also when the target calls `run`.
            atexit._clear()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # no other
            parents_end.close()
            pipe.send_bytes(b"up")
        pipe.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
    pipe.close()
    made = target(*args)
    if isinstance(made, Err):
        sys.stderr.write(f"{made.report()}\n")
        raise SystemExit(1)


class _Guardian:
    """The process that outlives this one, and the groups it is to stop then.

    It lives as long as there are children: it ends when its pipe does.
    """

    def __init__(self) -> None:
        self.groups: dict[int, Child] = {}
        # Held over every fork too: the pipe's end must not get into a process that nobody knows.
        self.lock = threading.RLock()
        self._reserved = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    def reserve(self) -> None:
        """Make sure that there is a guardian, and keep it, for a child about to be started."""
        with self.lock:
            self._start()
            self._reserved += 1

    def give_up(self) -> None:
        """Say that the child was not started."""
        with self.lock:
            self._reserved -= 1
            self._stop_if_idle()

    def guard(self, child: Child) -> None:
        """Guard the child that was started."""
        with self.lock:
            self._reserved -= 1
            self.groups[child.pid] = child
            self._write(f"+{child.pid}\n")

    def release(self, group: int) -> None:
        """Guard a group no longer: it is gone."""
        with self.lock:
            if self.groups.pop(group, None) is not None:  # pragma: no branch (stop comes once)
                self._write(f"-{group}\n")
                self._stop_if_idle()

    def _start(self) -> None:
        import subprocess

        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            os.close(self._pipe)  # somebody killed it: the new one is told everything
            self._process = None
        reader, writer = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable or "python3", "-I", "-S", "-c", _GUARDIAN],
                stdin=reader,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            os.close(writer)
            raise
        finally:
            os.close(reader)
        self._pipe = writer
        for group in self.groups:
            self._write(f"+{group}\n")

    def _stop_if_idle(self) -> None:
        process = self._process
        if self.groups or self._reserved or process is None:
            return
        self._process = None
        os.close(self._pipe)
        _until(lambda: process.poll() is not None, 1.0, None)
        process.kill()
        process.wait()

    def _write(self, line: str) -> None:
        try:
            os.write(self._pipe, line.encode())  # a line is short: the system writes it whole
        except BrokenPipeError:
            if self._process is not None:  # pragma: no branch (there is one while there is a pipe)
                self._process.wait()  # somebody kills it: the pipe breaks a moment before
            self._start()

    def forget(self) -> None:
        """In a forked child: let go of the pipe, whose end only the parent may hold."""
        if self._process is not None:
            self._process.returncode = 0  # not this process's child: nothing to wait for
            os.close(self._pipe)


_guardian = _Guardian()


def _after_fork_in_child() -> None:
    global _guardian  # noqa: PLW0603 - one process has one guardian, and this is a new process
    _guardian.forget()
    _guardian = _Guardian()


def _before_fork() -> None:
    _guardian.lock.acquire()


def _after_fork_in_parent() -> None:
    _guardian.lock.release()


if hasattr(os, "register_at_fork"):  # pragma: no branch (Windows cannot fork)
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None  # not Linux, an old kernel, or it has ended and was reaped


def _until(condition: Callable[[], bool], timeout: float | None, pidfd: int | None) -> bool:
    """Wait until a condition holds, or `timeout` seconds have passed: whether it holds.

    While the process of `pidfd` runs the wait costs nothing; after that, and without one, the
    condition is asked again and again, every 20 ms at the latest.
    """
    end = _FOREVER if timeout is None else monotonic() + timeout
    pause = 0.0005
    while not condition():
        left = end - monotonic()
        if left <= 0:
            return False
        if pidfd is not None:
            import select

            poller = select.poll()
            poller.register(pidfd, select.POLLIN)
            if poller.poll(min(left, 1.0) * 1000):
                pidfd = None  # it has ended (or was closed by another thread's release)
        else:
            sleep(min(pause, left))
            pause = min(pause * 2, 0.02)
    return True


def has_live_members(group: int) -> bool:
    """Tell whether a process group has a process that is not a zombie.

    `killpg(group, 0)` counts zombies, which stay for ever where process 1 reaps nothing (many
    containers), so Linux is asked process by process.
    """
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # there is one, under another user
    try:
        pids = [name for name in os.listdir(_PROC) if name.isdigit()]
    except OSError:
        return True
    for pid in pids:
        try:
            # pid (name) state ppid pgrp ...; the name may hold anything, so from its end on
            with open(f"{_PROC}/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                state, _, pgrp = stat.read().rpartition(")")[2].split()[:3]
        except OSError:  # pragma: no cover (it has ended since it was listed)
            continue
        if int(pgrp) == group and state not in {"Z", "X"}:
            return True
    return False
