"""Child processes as resources: stopped with their descendants, whatever happens.

Every child leads a process group of its own, and the *group* is stopped: terminated, waited
for, killed, reaped. The leader is reaped last: as long as it is a zombie, the system gives its
number, which is also its group's, to nobody else, so that no signal can meet a stranger.

While a process has children it also has a guardian: a tiny process that reads a socket whose
other end only the parent holds. When the parent dies without a word (SIGKILL), the socket
ends, and the guardian stops the groups in its stead.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from time import monotonic, sleep
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, cast

from resultflow import _signals
from resultflow._result import Err, Ok
from resultflow.errors import ChildDied, ChildNotStarted
from resultflow.resource import Resource

if TYPE_CHECKING:
    import socket
    import subprocess
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from multiprocessing.connection import Connection
    from typing import IO, Any, NoReturn, TypeAlias

    from resultflow._result import Result
    from resultflow.exits import Exit

    _Stream: TypeAlias = "int | IO[Any] | None"

__all__ = ["Child", "child_process", "subprocess_child", "watch"]

_FOREVER: Final = float("inf")
_PROC: Final = "/proc"
# Of subprocess, which is imported only where a child starts.
_STDOUT: Final = -2
_DEVNULL: Final = -3
_KILL_SECONDS: Final = 5.0
"""How long after SIGKILL a group may still be there: only the kernel can hold it then."""
_COME_UP_SECONDS: Final = 10.0
"""How long a fork may take; one that takes longer hangs on a lock that a thread here held."""
_WORD_SECONDS: Final = 5.0
"""How long the guardian may take to read a word; one that takes longer was stopped."""
_LOST: Final = 255
"""What `multiprocessing` says when a fork server died that knew the exit code."""
_MARK: Final = "RESULTFLOW_GUARDIAN"
"""In the environment of a guardian: a program that finds it was started in place of Python."""

# A word is "group signal": stop that group with that signal, or, with 0, forget it.
# The modules are C ones, since importing `signal` and `os` would double time and memory.
_GUARDIAN: Final = """
import _signal, posix, time
for signum in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
    _signal.signal(signum, _signal.SIG_IGN)
groups, rest = {}, b""
try:
    posix.write(0, b"!")
except OSError:
    pass
try:
    while words := posix.read(0, 65536):
        *lines, rest = (rest + words).split(b"\\n")
        for line in lines:
            group, signum = map(int, line.split())
            if signum:
                groups[group] = signum
            else:
                groups.pop(group, None)
except OSError:
    pass
def send(signum):
    for group, own in list(groups.items()):
        try:
            posix.killpg(group, own if signum is None else signum)
        except ProcessLookupError:
            del groups[group]
        except PermissionError:
            pass
end = time.monotonic() + 1.0
send(None)
send(_signal.SIGCONT)
while groups and time.monotonic() < end:
    time.sleep(0.005)
    send(0)
send(_signal.SIGKILL)
posix._exit(0)
"""


class _Process(Protocol):
    """What `subprocess.Popen` and `multiprocessing` have in common, by adaptors."""

    pid: int
    is_ours: bool
    """Whether it is this process's child, to be reaped here."""

    def poll(self) -> int | None:
        """Ask the module: only where the child is not ours."""
        ...

    def take(self, exitcode: int) -> None:
        """Note that it has been reaped, and close what is open."""
        ...

    def forget(self) -> None:
        """In a forked process: it is somebody else's child."""
        ...


class Child:
    """A running child process; the value of `child_process` and `subprocess_child`.

    It belongs to the process that started it: in a forked one `poll`, `wait`, `check`, `stop`
    and `kill` are a RuntimeError.

    Attributes:
        name: the name that it was given.
        pid: its process id, and the id of its process group.
        pidfd: a descriptor that can be read once it has ended, for a selector or an event loop;
            None where the system has none, and after the release.
        UNKNOWN: the exit code (511, which no process can exit with) of a child whose status
            somebody else took: an ignored SIGCHLD, a `waitpid(-1)`, or a fork server that
            died or that `multiprocessing` cannot tell from one that did (255).

    >>> import sys
    >>> from resultflow import subprocess_child
    >>> child = subprocess_child([sys.executable, "-c", "raise SystemExit(3)"])
    >>> child.use(lambda child: Ok(child.wait()))
    Ok(3)

    .. versionadded:: 0.1.0
    """

    # Not negative, which would be a signal, and not 0 in the eight bits that `exit` keeps.
    UNKNOWN: ClassVar[int] = 511

    def __init__(self, process: _Process, name: str, grace: float, stop_signal: int) -> None:
        self.name = name
        self.pid: int = process.pid
        self._process = process
        self._grace = grace
        self._stop_signal = stop_signal
        self._owner = os.getpid()
        self._exitcode: int | None = None
        self._group_is_gone = False
        self._is_closed = False
        self._member = 0
        self.pidfd = _open_pidfd(process.pid)
        # Without /proc nobody can tell a group from its zombie leader: that is reaped at once.
        self._keeps_zombie = (
            process.is_ours and hasattr(os, "waitid") and os.path.exists(f"{_PROC}/self/stat")
        )
        # Reentrant: a signal's handler may ask for the state that the body is just asking for.
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        if self._owner != os.getpid():
            state = f"of process {self._owner}"
        elif self.poll() is None:
            state = "running"
        else:
            state = (
                "exitcode=unknown"
                if self._exitcode == self.UNKNOWN
                else (f"exitcode={self._exitcode}")
            )
        return f"<Child {self.name!r} pid={self.pid} {state}>"

    @property
    def exitcode(self) -> int | None:
        """Its exit status, minus the number of the signal it died by, or None: it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """Look whether it has ended, without waiting: its exit code, or None.

        Raises:
            RuntimeError: in a forked process, whose child it is not.
        """
        self._check_owner()
        _guardian.renew()
        with self._lock:
            if self._exitcode is None:
                self._exitcode = self._look()
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

        Raises:
            TypeError: when `timeout` is no number.
            ValueError: when `timeout` is negative.
            RuntimeError: in a forked process, whose child it is not.
        """
        _check_timeout(timeout)
        _until(lambda: self.poll() is not None, timeout, [self.pidfd])
        return self.poll()

    def stop(self) -> None:
        """Stop it and its descendants now, as the release will: once, in bounded time.

        The whole group gets the stop signal, and SIGCONT, since a process that was stopped
        heeds nothing; when `grace` seconds later some of it is left, SIGKILL.

        Raises:
            TimeoutError: when the kernel still has a process of the group 5 seconds after
                SIGKILL (one that hangs in the kernel).
            PermissionError: when the whole group runs as another user.
            RuntimeError: in a forked process, whose child it is not.
        """
        self._send(self._stop_signal)
        self._send(signal.SIGCONT)
        if not _until(self._is_gone, self._grace, [self.pidfd]):
            self._send(signal.SIGKILL)
            if not _until(self._is_gone, _KILL_SECONDS, [self.pidfd]):
                msg = f"{self!r} is still there {_KILL_SECONDS:g} s after SIGKILL"
                raise TimeoutError(msg)
        if not _until(lambda: self.poll() is not None, 1.0, []):
            self._exitcode = self.UNKNOWN  # its fork server hangs
        with self._lock:
            if self._is_closed:
                return
            # Any of these may be done twice: a body's own call may be interrupted in between.
            # The guardian first: once the leader is reaped, its number may be a stranger's.
            _guardian.release(self.pid)
            if self._keeps_zombie:
                with contextlib.suppress(ChildProcessError):  # somebody else was faster
                    os.waitid(*self._id(), os.WEXITED | os.WNOHANG)
            self._process.take(cast("int", self._exitcode))
            self._close()
            self._is_closed = True

    def kill(self) -> None:
        """Kill what is left of it, at once, and do not wait.

        Raises:
            PermissionError: when the whole group runs as another user.
            RuntimeError: in a forked process, whose child it is not.
        """
        self._send(signal.SIGKILL)

    def forget(self) -> None:
        """In a forked process: let go of what is the parent's. Private to this module."""
        self._process.forget()
        self._close()

    def _close(self) -> None:
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None

    def _check_owner(self) -> None:
        # Before the lock, which another thread may have held when this process was forked.
        if self._owner != os.getpid():
            msg = f"{self!r} cannot be asked or stopped here: only its own parent can"
            raise RuntimeError(msg)

    def _id(self) -> tuple[int, int]:
        return (os.P_PID, self.pid) if self.pidfd is None else (os.P_PIDFD, self.pidfd)

    def _look(self) -> int | None:
        if not self._process.is_ours:
            # Its fork server's pipe also ends when that dies.
            if self.pidfd is not None and not _is_readable([self.pidfd], 0):
                return None
            exitcode = self._process.poll()
            return self.UNKNOWN if exitcode == _LOST else exitcode
        try:
            if self._keeps_zombie:
                seen = os.waitid(*self._id(), os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if seen is None:
                    return None
                return seen.si_status if seen.si_code == os.CLD_EXITED else -seen.si_status
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return self.UNKNOWN
        return os.waitstatus_to_exitcode(status) if pid else None

    def _has_ended(self) -> bool:
        if self.poll() is not None:
            return True
        with self._lock:
            return self.pidfd is not None and _is_readable([self.pidfd], 0)

    def _is_gone(self) -> bool:
        if not self._group_is_gone and self._has_ended():
            # Who was there at the last look is asked first: /proc is long on a busy machine.
            if not (self._member and _is_live_member(self._member, self.pid)):
                self._member = live_member(self.pid)
            self._group_is_gone = not self._member
        return self._group_is_gone

    def _send(self, signum: int) -> None:
        self._check_owner()
        with self._lock:
            if self._is_gone():
                return
            try:
                os.killpg(self.pid, signum)
            except ProcessLookupError:
                # It has not come to the line that makes its group.
                with contextlib.suppress(ProcessLookupError):
                    if self.pidfd is None:
                        os.kill(self.pid, signum)
                    else:
                        signal.pidfd_send_signal(self.pidfd, signum)
            except PermissionError as exc:
                msg = f"{self!r} runs as another user, which this process may not signal"
                raise PermissionError(msg) from exc


def watch(*children: Child, timeout: float | None = None) -> Result[None, ChildDied]:
    """Wait for the first of several children to end: `Err(ChildDied)` as soon as one has.

    `Ok` when all of them still run after `timeout` seconds; None waits as long as it takes.
    It is a body's pause that ends early when what the body needs is gone.

    Raises:
        TypeError: when `timeout` is no number.
        ValueError: when `timeout` is negative, or there is no child to watch.

    >>> import sys
    >>> from resultflow import Resource, subprocess_child
    >>> sleeper = subprocess_child([sys.executable, "-c", "input()"], name="reader")
    >>> both = sleeper.both(subprocess_child(["sleep", "60"]))
    >>> both.use(lambda pair: watch(*pair, timeout=20))
    Err(ChildDied(name='reader', exitcode=1))

    .. versionadded:: 0.1.0
    """
    _check_timeout(timeout)
    if not children:
        msg = "watch() has no child to watch: give it one at least"
        raise ValueError(msg)
    ended: list[Err[ChildDied]] = []

    def one_has_ended() -> bool:
        checked = (child.check() for child in children)
        ended.extend(result for result in checked if isinstance(result, Err))
        return bool(ended)

    fds = [child.pidfd for child in children]
    _until(one_has_ended, timeout, fds)
    return ended[0] if ended else Ok(None)


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
    killed, they are too (within 1 s, or at once where they heed SIGTERM). A program that
    ends without a release is not held up by its children, as `multiprocessing` would.

    The child begins with the system's actions for signals that this process handles; it may
    have children itself. What `target` raises is printed with its traceback, and an `Err` that
    it returns with its report; both exit 1. Whatever else it returns is dropped.

    Args:
        target: what to run; for `spawn` and `forkserver` it is pickled, with `args`.
        args: its arguments.
        name: for messages; by default the target's name.
        start_method: `fork`, `spawn` or `forkserver`; None is `multiprocessing`'s default.
        grace: seconds between the polite signal and SIGKILL.

    Raises:
        TypeError: when `target` is not callable or is a coroutine or generator function,
            `args` is a string or no sequence, `name` no string, or `grace` no number.
        ValueError: when `grace`, `name` or `start_method` is not possible.

    >>> import time
    >>> sleeper = child_process(time.sleep, [60], name="sleeper")
    >>> sleeper.use(lambda child: Ok((child.name, child.poll())))
    Ok(('sleeper', None))

    .. versionadded:: 0.1.0
    """
    if not callable(cast("object", target)):
        msg = f"target={target!r} is not callable: pass the function itself and its args apart"
        raise TypeError(msg)
    import inspect
    import multiprocessing  # here: it costs 20 ms, and few need it

    if (
        inspect.iscoroutinefunction(target)
        or inspect.isgeneratorfunction(target)
        or inspect.isasyncgenfunction(target)
    ):
        msg = f"target={target!r} would not run when called: wrap it in a function that runs it"
        raise TypeError(msg)
    arguments = _checked_list("args", args)
    methods = multiprocessing.get_all_start_methods()
    if start_method not in {None, *methods}:
        msg = f"start_method={start_method!r} is not one of this system: choose from {methods}"
        raise ValueError(msg)
    called = name if name is not None else getattr(target, "__qualname__", None) or repr(target)

    def start() -> _Process:
        # Not where the resource is described: from here on the program's default is fixed.
        method = start_method or multiprocessing.get_start_method()
        context: Any = multiprocessing.get_context(method)
        ours, theirs = _inheritance.pipe(context)
        process = context.Process(
            target=_child_main, args=(theirs, method, target, arguments), name=called
        )
        try:
            process.start()
            if method == "fork":
                _wait_for_fork(process, ours)
        except BaseException:
            _inheritance.close(ours)
            raise
        finally:
            _inheritance.close_theirs(theirs)
        return _Multiprocessing(process, ours, is_ours=method != "forkserver")

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
        stderr: likewise; `subprocess.STDOUT` is where `stdout` goes.

    Raises:
        TypeError: when `argv` is a string, or an argument is of a wrong type.
        ValueError: when `grace`, `name` or `stop_signal` is not possible, `argv` is empty or has
            a null character, or a stream is `subprocess.PIPE`, which nobody would read.

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
    words = [_checked_text("argv", word) for word in _checked_list("argv", argv)]
    if not words or not words[0]:
        msg = f"argv={argv!r} names no program: its first item must be one"
        raise ValueError(msg)
    if cwd is not None:
        _checked_text("cwd", cwd)
    if env is not None:
        if not hasattr(env, "items"):
            msg = f"env={env!r} is no mapping: give names and their values"
            raise TypeError(msg)
        env = {_checked_text("env", key): _checked_text("env", env[key]) for key in env}
    _check_user(user)
    for stream, given in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
        if given == subprocess.PIPE:
            msg = f"{stream}=PIPE would block the child once it is full: pass a file or DEVNULL"
            raise ValueError(msg)
        _check_stream(stream, given)

    def start() -> _Process:
        return _Subprocess(
            subprocess.Popen(
                words,
                cwd=cwd,
                env=env,
                user=user,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                process_group=0,
            )
        )

    return _child(
        start, name if name is not None else os.path.basename(words[0]), grace, stop_signal
    )


def _checked_list(name: str, given: object) -> list[Any]:
    items = cast("Iterable[Any]", given)
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        msg = f"{name}={given!r} is no list of arguments: write [{given!r}] for a single one"
        raise TypeError(msg)
    return list(items)


def _checked_text(name: str, given: object) -> str:
    text: object = given
    if isinstance(given, os.PathLike):
        text = os.fspath(cast("os.PathLike[str]", given))
    if not isinstance(text, str):
        msg = f"{name} has {given!r}, which is no text: write it as a str"
        raise TypeError(msg)
    if "\0" in text:
        msg = f"{name} has {given!r}: no program can be given a null character"
        raise ValueError(msg)
    return text


def _check_user(user: object) -> None:
    if user is not None and (not isinstance(user, (str, int)) or isinstance(user, bool)):
        msg = f"user={user!r} is neither a user's name nor a number"
        raise TypeError(msg)


def _check_stream(name: str, given: _Stream) -> None:
    if given is None or (given == _DEVNULL) or (name == "stderr" and given == _STDOUT):
        return
    if isinstance(given, int):
        if given < 0 or isinstance(given, bool):
            msg = f"{name}={given!r} is no file descriptor: those are 0 or more"
            raise ValueError(msg)
    elif not hasattr(cast("object", given), "fileno"):
        msg = f"{name}={given!r} is no file: give one that is open, its descriptor, or DEVNULL"
        raise TypeError(msg)


def _check_timeout(timeout: float | None) -> None:
    if timeout is not None and not _seconds("timeout", timeout) >= 0:
        msg = f"timeout={timeout!r} is no time to wait: give seconds, 0 or more, or None"
        raise ValueError(msg)


def _seconds(name: str, given: object) -> float:
    if not isinstance(given, (int, float)) or isinstance(given, bool):
        msg = f"{name}={given!r} is no number of seconds"
        raise TypeError(msg)
    return given


def _child(
    start: Callable[[], _Process], name: str, grace: float, stop_signal: int
) -> Resource[Child, ChildNotStarted]:
    if not _checked_text("name", name):
        msg = "name='' would name nothing in a message: give a text, or None for the default"
        raise ValueError(msg)
    if not 0 <= _seconds("grace", grace) < _FOREVER:
        msg = f"grace={grace!r} is no time to wait: give seconds, 0 or more"
        raise ValueError(msg)
    if stop_signal not in signal.valid_signals():
        msg = f"stop_signal={stop_signal!r} is no signal of this system: give a signal.Signals"
        raise ValueError(msg)

    def acquire() -> Result[Child, ChildNotStarted]:
        return _start(start, name, grace, int(stop_signal))

    def release(child: Child, exit: Exit) -> None:  # noqa: A002, ARG001 - the release's shape
        child.stop()

    release.__qualname__ = f"child {name}"
    return Resource.make(acquire, release)


def _start(
    start: Callable[[], _Process], name: str, grace: float, stop_signal: int
) -> Result[Child, ChildNotStarted]:
    if not hasattr(os, "killpg"):
        return Err(ChildNotStarted(name, "this system has no process groups to stop"))
    try:
        _guardian.reserve()
    except (OSError, RuntimeError) as exc:  # the latter: the interpreter is ending
        return Err(ChildNotStarted(name, f"its guardian: {type(exc).__qualname__}: {exc}"))
    try:
        process = start()
    except BaseException as exc:
        _guardian.give_up()
        if not isinstance(exc, Exception):
            raise
        # pickle raises whatever a class likes
        return Err(ChildNotStarted(name, f"{type(exc).__qualname__}: {exc}"))
    child = Child(process, name, grace, stop_signal)
    try:
        _guardian.guard(child, stop_signal)
    except (OSError, RuntimeError) as exc:
        child.stop()
        return Err(ChildNotStarted(name, f"its guardian: {type(exc).__qualname__}: {exc}"))
    if isinstance(process, _Multiprocessing):
        process.let_go()
    return Ok(child)


def children() -> list[Child]:
    """List the children that are not yet released, oldest first."""
    return list(_guardian.groups.values())


class _Subprocess:
    is_ours = True

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self.pid = popen.pid

    def poll(self) -> int | None:  # pragma: no cover (asked only where the child is not ours)
        return self._popen.poll()

    def take(self, exitcode: int) -> None:
        self._popen.returncode = exitcode  # there are no pipes to close

    def forget(self) -> None:
        self._popen.returncode = 0  # nothing to wait for


class _Multiprocessing:
    def __init__(self, process: Any, pipe: Connection, *, is_ours: bool) -> None:  # noqa: ANN401 - one class a start method
        from multiprocessing import process as module

        self._process = process
        self._pipe = pipe
        self.pid: int = process.pid
        self.is_ours = is_ours
        # Every start of another Process reaps those listed here that have ended, and the end of
        # the interpreter joins them without a bound. This one is reaped by its Child.
        known: set[object] = vars(module).get("_children", set())
        known.discard(process)

    def let_go(self) -> None:
        """Let the child run its target, now that its group is guarded.

        The pipe stays open: it tells the child that this process lived when the group was made.
        """
        with contextlib.suppress(OSError):  # it died already: poll() tells
            self._pipe.send_bytes(b"go")

    def poll(self) -> int | None:
        exitcode: int | None = self._process.exitcode
        return exitcode

    def take(self, exitcode: int) -> None:
        _inheritance.close(self._pipe)
        popen = self._process._popen  # noqa: SLF001 - without the code it asks the system again
        if popen is not None:
            popen.returncode = exitcode
            self._process.close()

    def forget(self) -> None:
        """Nothing would wait for it here; its pipe is closed with the others."""


def _wait_for_fork(process: Any, pipe: Connection) -> None:  # noqa: ANN401 - one class a start method
    """Wait until a forked child has given up this process's signal handlers."""
    if not pipe.poll(_COME_UP_SECONDS):
        process.kill()
        process.join()
        msg = f"the forked child did not come up in {_COME_UP_SECONDS:g} s"
        raise TimeoutError(msg)


def _child_main(
    pipe: Connection, method: str, target: Callable[..., object], args: Sequence[object]
) -> None:
    os.setpgid(0, 0)
    if method == "fork":
        # What the parent registered is the parent's to run, also when the target calls `run`;
        # a signal must not wake the parent's event loop, nor unwind the parent's scopes.
        atexit._clear()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # no other
        signal.set_wakeup_fd(-1)
        for signum in signal.valid_signals():
            if callable(signal.getsignal(signum)):
                _signals.restore_default(signum)
    try:
        if method == "fork":
            pipe.send_bytes(b"up")
        pipe.recv_bytes()
        # The pipe's end now: the parent died, perhaps before there was a group to be stopped.
        if pipe.poll():
            os._exit(1)
    except (EOFError, OSError):
        os._exit(1)
    pipe.close()
    made = target(*args)
    if isinstance(made, Err):
        sys.stderr.write(f"{made.report()}\n")
        raise SystemExit(1)


class _Inheritance:
    """What a process that is forked here, by whichever thread, must not inherit.

    A pipe whose end tells that this process died tells nothing while a stranger holds it too.
    """

    def __init__(self) -> None:
        # Held over every fork, by C functions alone: a signal's handler that raised between
        # two lines of an at-fork function would be lost, and the lock with it.
        self.lock = threading.RLock()
        self._ours: set[Connection | socket.socket] = set()
        self._theirs: dict[Connection, int] = {}

    def pipe(self, context: Any) -> tuple[Connection, Connection]:  # noqa: ANN401 - one class a start method
        """Make a pipe to a child that this thread is about to start."""
        with self.lock:
            ours, theirs = context.Pipe()
            self._ours.add(ours)
            self._theirs[theirs] = threading.get_ident()
        return ours, theirs

    def socketpair(self) -> tuple[socket.socket, socket.socket]:
        """Make the guardian's socket; called with the lock held until the other end is closed."""
        import socket

        ours, theirs = socket.socketpair()
        self._ours.add(ours)
        return ours, theirs

    def close(self, ours: Connection | socket.socket) -> None:
        """Close an end of this process."""
        with self.lock:
            self._ours.discard(ours)
            ours.close()

    def close_theirs(self, theirs: Connection) -> None:
        """Close the child's end, once the child has it."""
        with self.lock:
            self._theirs.pop(theirs, None)
            theirs.close()

    def drop(self) -> None:
        """In a forked process: close all, but for what its own start gives it."""
        for ours in self._ours:
            ours.close()
        self._ours.clear()
        for theirs, thread in self._theirs.items():
            if thread != threading.get_ident():
                theirs.close()
        self._theirs.clear()


_inheritance: Final = _Inheritance()


class _Guardian:
    """The process that outlives this one, and the groups it is to stop then.

    It lives as long as there are children: it ends when its socket does.
    """

    def __init__(self) -> None:
        self.groups: dict[int, Child] = {}
        self._signals: dict[int, int] = {}
        self._reserved = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._has_answered = False

    def reserve(self) -> None:
        """Make sure that there is a guardian, and keep it, for a child about to be started."""
        with _inheritance.lock:
            self._start()
            self._reserved += 1

    def give_up(self) -> None:
        """Say that the child was not started."""
        with _inheritance.lock:
            self._reserved -= 1
            self._stop_if_idle()

    def guard(self, child: Child, stop_signal: int) -> None:
        """Guard the child that was started, from when this returns."""
        with _inheritance.lock:
            self._reserved -= 1
            self.groups[child.pid] = child
            self._signals[child.pid] = stop_signal
            self._say(f"{child.pid} {stop_signal}\n")
        if not _until(self._is_at_work, _COME_UP_SECONDS, []):
            self._fail(f"did not answer in {_COME_UP_SECONDS:g} s")

    def release(self, group: int) -> None:
        """Guard a group no longer: it is gone."""
        with _inheritance.lock:
            self.groups.pop(group, None)
            self._signals.pop(group, None)
            with contextlib.suppress(OSError, RuntimeError):  # the next child is told
                if self._is_idle():
                    self._tell(f"{group} 0\n")
                else:
                    self._say(f"{group} 0\n")
            self._stop_if_idle()

    def renew(self) -> None:
        """Start another one where somebody has killed it."""
        process = self._process
        if process is None or process.poll() is None:
            return
        with _inheritance.lock, contextlib.suppress(OSError, RuntimeError):
            if self._process is process:  # pragma: no branch (another thread may be faster)
                self._start()

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        import subprocess

        self._end()
        interpreter = _interpreter()
        ours, theirs = _inheritance.socketpair()
        try:
            self._process = subprocess.Popen(
                [interpreter, "-I", "-S", "-c", _GUARDIAN, f"guardian of {os.getpid()}"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",  # it keeps no file system busy
                env={**os.environ, _MARK: str(os.getpid())},
                start_new_session=True,
            )
        except BaseException:
            _inheritance.close(ours)
            raise
        finally:
            theirs.close()
        self._socket = ours
        ours.settimeout(_WORD_SECONDS)
        with contextlib.suppress(OSError):  # it has died: who waits for its answer is told
            self._tell("".join(f"{group} {signum}\n" for group, signum in self._signals.items()))

    def _say(self, word: str) -> None:
        """Say a word; to another guardian, told all, when this one is dead or reads nothing."""
        try:
            self._start()
            self._tell(word)
        except OSError:
            self._end()
            self._start()

    def _tell(self, words: str) -> None:
        import socket

        if self._socket is not None:
            # A program may have given SIGPIPE back to the system.
            self._socket.sendall(words.encode(), getattr(socket, "MSG_NOSIGNAL", 0))

    def _is_at_work(self) -> bool:
        with _inheritance.lock:
            if self._has_answered:
                return True
            ours = self._socket
            if ours is not None and not _is_readable([ours.fileno()], 0):
                return False
            with contextlib.suppress(OSError):
                self._has_answered = ours is not None and ours.recv(1) == b"!"
            if not self._has_answered:
                self._fail("has ended")
            return True

    def _fail(self, how: str) -> NoReturn:
        with _inheritance.lock:
            self._end()
        msg = (
            f"{_interpreter()!r}, which should run it, {how}: if it is no Python interpreter,"
            " name one with multiprocessing.set_executable"
        )
        raise ChildProcessError(msg)

    def _is_idle(self) -> bool:
        return not self.groups and not self._reserved

    def _stop_if_idle(self) -> None:
        if self._process is None or not self._is_idle():
            return
        process = self._process
        self._close()
        _until(lambda: process.poll() is not None, 1.0, [])
        self._end()

    def _close(self) -> None:
        if self._socket is not None:
            _inheritance.close(self._socket)
            self._socket = None
        self._has_answered = False

    def _end(self) -> None:
        """Make sure that it is gone, and whatever it may have started."""
        self._close()
        if self._process is not None:
            if self._process.poll() is None:
                with contextlib.suppress(OSError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._process = None

    def forget(self) -> None:
        """In a forked child: it is somebody else's."""
        if self._process is not None:
            self._process.returncode = 0  # nothing to wait for
        for child in self.groups.values():
            child.forget()


_guardian = _Guardian()


def _interpreter() -> str:
    """Find a Python that can run the guardian, or say why there is none.

    In a frozen or embedded program `sys.executable` is that program, which would start itself
    again, and then again.
    """
    way_out = "name a Python interpreter with multiprocessing.set_executable"
    if _MARK in os.environ:
        msg = f"this program was started as the guardian of another one: {way_out} there"
        raise OSError(msg)
    path = sys.executable
    spawn = sys.modules.get("multiprocessing.spawn")
    if spawn is not None:
        path = os.fsdecode(spawn.get_executable() or "")
    if not path or (path == sys.executable and hasattr(sys, "frozen")):
        msg = f"sys.executable={sys.executable!r} is no Python interpreter: {way_out}"
        raise OSError(msg)
    return path


def _after_fork_in_child() -> None:
    global _guardian  # noqa: PLW0603 - one process has one guardian, and this is a new process
    try:
        _guardian.forget()
        _inheritance.drop()
    finally:
        _guardian = _Guardian()
        _inheritance.lock.release()


if hasattr(os, "register_at_fork"):  # pragma: no branch (Windows cannot fork)
    os.register_at_fork(
        before=_inheritance.lock.acquire,
        after_in_parent=_inheritance.lock.release,
        after_in_child=_after_fork_in_child,
    )


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None  # not Linux, an old kernel, or it has ended and was reaped


def _is_readable(fds: Sequence[int], seconds: float) -> bool:
    """Wait until a descriptor can be read: a pidfd's process has ended then."""
    import select

    poller = select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def _until(
    condition: Callable[[], bool], timeout: float | None, pidfds: Sequence[int | None]
) -> bool:
    """Wait until a condition holds, or `timeout` seconds have passed: whether it holds.

    While all processes of `pidfds` run, the wait costs nothing; after that, and where one is
    missing, the condition is asked again and again, every 20 ms at the latest.
    """
    end = _FOREVER if timeout is None else monotonic() + timeout
    pause = 0.0005
    known = [fd for fd in pidfds if fd is not None]
    is_silent = bool(known) and len(known) == len(pidfds)
    while not condition():
        left = end - monotonic()
        if left <= 0:
            return False
        if is_silent:
            # One has ended, or was closed by another thread's release.
            is_silent = not _is_readable(known, min(left, 1.0))
        else:
            sleep(min(pause, left))
            pause = min(pause * 2, 0.02)
    return True


def live_member(group: int) -> int:
    """Find a process of a group that is not a zombie: its id, or 0.

    `killpg(group, 0)` counts zombies, which stay for ever where process 1 reaps nothing (many
    containers), so Linux is asked process by process. Where nobody can be asked, the group's
    own number stands for its members.
    """
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return 0
    except PermissionError:
        pass  # there is one, under another user
    try:
        pids = [int(name) for name in os.listdir(_PROC) if name.isdigit()]
    except OSError:
        return group
    return next((pid for pid in pids if _is_live_member(pid, group)), 0)


def _is_live_member(pid: int, group: int) -> bool:
    try:
        if os.getpgid(pid) != group:  # 20 times cheaper than the file, and mostly enough
            return False
        # pid (name) state ...; the name may hold anything, so from its end on
        with open(f"{_PROC}/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            state = stat.read().rpartition(")")[2].split()[0]
    except OSError:  # it has ended since it was listed
        return False
    return state not in {"Z", "X"}
