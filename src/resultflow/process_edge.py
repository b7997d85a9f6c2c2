"""`run`: from a Result to a process that exits, in bounded time, with the right status."""

from __future__ import annotations

import atexit
import contextlib
import inspect
import os
import signal
import sys
import threading
from functools import wraps

# Bound here: a program may put a fake clock into `time`, and the bound is real.
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar, cast, overload

from resultflow import _signals
from resultflow._result import Err, Ok, ResultBase
from resultflow.child import children
from resultflow.errors import SignalReceived
from resultflow.resource import open_resources

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import NoReturn, TypeAlias

    from resultflow._result import Result
    from resultflow._trace import Report

    _Hook: TypeAlias = "Callable[[Report | BaseException], object]"

__all__ = ["Entrypoint", "entrypoint", "notify_ready", "run"]

T = TypeVar("T")
E = TypeVar("E")
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)

_STOPPING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_QUIT: Final[int] = getattr(signal, "SIGQUIT", 0)
_FORCE_COUNT: Final = 3
_FLUSH_SECONDS: Final = 0.5
_SAY_SECONDS: Final = 1.0
_SPARE_SECONDS: Final = 3.0
"""How long after the bound the watch thread may still be without the interpreter's lock.

It shares that lock with every busy thread of the program, and the machine with others.
"""
_CUT_OFF_SECONDS: Final = 10.0
"""How long the cut-off may take: each of its steps is bounded, but a machine may be slow."""
_STDERR: Final = 2
_FAILURE: Final = 1
_LAST_STATUS: Final = 255
_OUTPUT_LOST: Final = 120
"""What CPython exits with when standard output cannot be flushed at the end."""
_CREDENTIALS_SPACE: Final = 64
"""Room for Linux's `struct ucred` (pid, uid, gid) and its header."""

_IS_READY: Final = "READY=1"
_IS_STOPPING: Final = "STOPPING=1"

_has_stderr = True
_edge_pid: int | None = None
_notifier: tuple[int, str] | None = None
_own_threads: list[threading.Thread] = []


class Entrypoint(Protocol[T_co, E_co]):
    """What `entrypoint` makes of a `main`: called, it runs it and ends the process.

    Attributes:
        __wrapped__: the `main` itself, which gives its Result; for tests.

    .. versionadded:: 0.1.0
    """

    @property
    def __wrapped__(self) -> Callable[[], Result[T_co, E_co]]: ...

    def __call__(self) -> NoReturn:
        """Run the `main` by `run`, which ends the process."""
        ...


class _Covered(Protocol[E]):
    """A decorator for mains whose errors are all covered by an `exit_code`."""

    def __call__(self, main: Callable[[], Result[T, E]], /) -> Entrypoint[T, E]: ...


class _Plain(Protocol):
    def __call__(self, main: Callable[[], Result[T, E]], /) -> Entrypoint[T, E]: ...


class _Status(NamedTuple):
    """How the process is to end: with an exit status, or by a signal."""

    code: int
    signum: int | None = None

    def unless_success(self, code: int) -> _Status:
        """Something was cut off or lost: that is no success."""
        return self._replace(code=self.code or code)


@_signals.critical
def run(
    main: Callable[[], ResultBase[object, E]],
    *,
    exit_code: Callable[[E], int] | None = None,
    grace: float = 10.0,
    report: Callable[[Report | BaseException], object] | None = None,
) -> NoReturn:
    """Run a program's `main` and end the process: always, within a bound, with the right status.

    * `Ok`: status 0, or 120 when its output is lost (a full disk, a reader that is gone).
    * `Err`: its report goes to standard error, and the status is `exit_code(error)`, or 1
      without one. It is never 0: a supervisor would take that for an expected exit.
    * An exception (a bug): its traceback, status 1. `SystemExit` keeps its code.
    * SIGINT, SIGTERM and SIGHUP raise `SignalReceived` in the main thread, so that resources
      are released; then the process dies by that same signal, as its parent expects.
    * SIGQUIT writes to standard error where every thread is, what is held and which children
      there are, and the process dies by it at once: nothing is released.

    A signal that is ignored when `run` is called (`nohup`), or has a handler of the program's,
    is left as it is.

    From the moment that `main` returns or a signal comes, the process has `grace` seconds to
    release, to join its threads and to run what is registered with `atexit`. When they are
    over it says on standard error what hangs (threads with their stacks, what is held,
    children), kills the children and exits. C code that never lets go of the interpreter's
    lock cannot prevent that: a few seconds later the process ends with status 1. A third
    signal ends the wait at once.

    Args:
        main: the program.
        exit_code: gives the status for each error, 1 to 255. Write it as a `match` over the
            error type, and a checker demands every case.
        grace: seconds; 10 is what supervisord allows before it kills.
        report: is given what would go to standard error: the `Report` of an `Err`, or the
            exception. When it raises, standard error gets both. It runs within the bound and
            has no say in the status.

    Raises:
        TypeError: when `main`, `exit_code` or `report` cannot be called, as in `run(main())`,
            or `main` is a coroutine function.
        RuntimeError: when called outside the main thread, where no signal arrives; inside
            another `run`; or while a resource is open, whose release would never run.
        ValueError: when `grace` is not possible.

    >>> import subprocess, sys
    >>> program = "from resultflow import Err, run; run(lambda: Err('no database'))"
    >>> done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    >>> done.returncode, done.stderr.splitlines()[0]
    (1, "resultflow: 'no database'")

    .. versionadded:: 0.1.0
    """
    global _edge_pid, _has_stderr  # noqa: PLW0603 - one process has one edge
    _check_main(main)
    _check_options(exit_code, grace, report)
    if threading.current_thread() is not threading.main_thread():
        msg = "run was called in a thread: call it in the main thread, where signals arrive"
        raise RuntimeError(msg)
    if _edge_pid == os.getpid():
        msg = "run was called inside run: call that main itself, and return its Result"
        raise RuntimeError(msg)
    if _signals.is_gated():
        msg = (
            "run was called while a resource is open: it would end the process before its release"
        )
        raise RuntimeError(msg)
    _edge_pid = os.getpid()
    _has_stderr = _is_stderr_open()
    edge = _Edge(grace, report)
    status = edge.status_of(
        lambda: _run_main(edge, main), cast("Callable[[object], int] | None", exit_code)
    )
    edge.leave(status)


@overload
def entrypoint(main: Callable[[], Result[T, E]], /) -> Entrypoint[T, E]: ...
@overload
def entrypoint(
    *,
    exit_code: Callable[[E], int],
    grace: float = 10.0,
    report: Callable[[Report | BaseException], object] | None = None,
) -> _Covered[E]: ...
@overload
def entrypoint(
    *,
    exit_code: None = None,
    grace: float = 10.0,
    report: Callable[[Report | BaseException], object] | None = None,
) -> _Plain: ...
def entrypoint(
    main: Callable[[], Result[object, object]] | None = None,
    /,
    *,
    exit_code: Callable[[E], int] | None = None,
    grace: float = 10.0,
    report: Callable[[Report | BaseException], object] | None = None,
) -> object:
    """Make a `main` end the process by `run` when it is called, whether it gives `Ok` or `Err`.

    For the entry points of a package, which are called with nothing around them
    (`[project.scripts]`, with `job = "package.module:main"`), and for
    `if __name__ == "__main__": main()`. The arguments are those of `run`; without any, write
    `@entrypoint`. Tests call `main.__wrapped__()`, which gives the Result.

    Raises:
        TypeError: when what it decorates, `exit_code` or `report` cannot be called, or `main`
            is a coroutine function. What else `run` raises comes when `main` is called.
        ValueError: when `grace` is not possible.

    >>> from resultflow import Result
    >>> def exit_code_of(error: OSError) -> int:
    ...     return 74 if error.errno else 1
    >>> @entrypoint(exit_code=exit_code_of)
    ... def main() -> Result[None, OSError]:
    ...     return Ok(None)
    >>> main.__wrapped__()
    Ok(None)

    .. versionadded:: 0.1.0
    """

    def decorate(main: Callable[[], ResultBase[object, E]]) -> Callable[[], NoReturn]:
        _check_main(main)

        @wraps(main)
        def edge() -> NoReturn:
            run(main, exit_code=exit_code, grace=grace, report=report)

        return edge

    _check_options(exit_code, grace, report)
    return decorate if main is None else decorate(cast("Callable[[], Result[object, E]]", main))


def notify_ready() -> None:
    """Tell the service manager that this process serves now: systemd, for `Type=notify`.

    Only the program knows when that is, so nothing is sent without this call. After it, `run`
    says by itself that the process is stopping, when its end begins. Without a service manager
    (`NOTIFY_SOCKET` is not set) nothing happens.

    It neither raises nor blocks: a message that cannot be sent is a line on standard error.
    `NOTIFY_SOCKET` is taken out of the environment, so that children started from now on do
    not speak for this process.

    >>> notify_ready()

    .. versionadded:: 0.1.0
    """
    global _notifier  # noqa: PLW0603 - one process has one service manager
    address = os.environ.pop("NOTIFY_SOCKET", None)
    if address:
        _notifier = os.getpid(), address
    _notify(_IS_READY)


def _notify(state: str) -> None:
    global _notifier  # noqa: PLW0603 - as above
    # A forked child has its parent's address, and no word in the parent's name.
    if _notifier is None or _notifier[0] != os.getpid():
        return
    import socket

    address = _notifier[1]
    try:
        if address[0] not in "/@":
            raise OSError("it is neither a path nor a name that begins with @")  # noqa: TRY301 - one line for all that can be wrong
        target = f"\0{address[1:]}" if address[0] == "@" else address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0)
            sender.sendto(state.encode(), os.fsencode(target))
        if state == _IS_STOPPING:
            _notifier = None  # the last word
    except (OSError, AttributeError, ValueError) as exc:
        _notifier = None
        _say(f"NOTIFY_SOCKET={address!r} cannot be told {state}: {exc}")


def _check_main(main: object) -> None:
    if not callable(main):
        msg = f"main={main!r} is not callable: give the function itself, 'main' and not 'main()'"
        raise TypeError(msg)
    if inspect.iscoroutinefunction(main):
        msg = f"main={main!r} is a coroutine function: give 'lambda: asyncio.run(main())'"
        raise TypeError(msg)


def _check_options(exit_code: object, grace: float, report: object) -> None:
    for name, given in (("exit_code", exit_code), ("report", report)):
        if given is not None and not callable(given):
            msg = f"{name}={given!r} is not callable: give a function that takes the error"
            raise TypeError(msg)
    if not 0 < grace < threading.TIMEOUT_MAX:
        msg = f"grace={grace!r} is no time to wait: give seconds, more than 0"
        raise ValueError(msg)


@_signals.body
def _run_main(edge: _Edge, main: Callable[[], object]) -> object:
    """Call `main` where signals are delivered: in all other code of `run` they only count."""
    edge.deliver()
    return main()


class _Once:
    """A step that one thread takes, or a signal's handler that interrupts it there: once."""

    def __init__(self) -> None:
        self._tokens = [None]

    def take(self) -> bool:
        try:
            self._tokens.pop()
        except IndexError:
            return False
        return True


class _Edge:
    """One process on its way out."""

    def __init__(self, grace: float, report: _Hook | None) -> None:
        self._grace = grace
        self._report = report
        self._pid = os.getpid()
        self._received: list[int] = []
        self._bounding = _Once()
        self._cutting = _Once()
        self._quitting = _Once()
        self._quitter: int | None = None
        self._is_leaving = False
        self._status = _Status(_FAILURE)
        self._dump = _open_dump()
        self._wakeups: tuple[socket.socket, socket.socket] | None = None
        for signum in _STOPPING:
            handler = signal.getsignal(signum)
            if handler is signal.SIG_DFL or handler is signal.default_int_handler:
                signal.signal(signum, self._handle)
        self._handle_quit()
        with contextlib.suppress(OSError):  # no descriptors, or a kernel without credentials
            self._listen()
        _signals.observe(self._observe)
        if hasattr(os, "register_at_fork"):  # pragma: no branch (Windows cannot fork)
            os.register_at_fork(after_in_child=self._forget)

    # Signals

    def _handle_quit(self) -> None:
        import faulthandler

        if (
            not hasattr(faulthandler, "register")
            or signal.getsignal(_QUIT) is not signal.SIG_DFL
            or _is_caught_in_c(_QUIT)
        ):
            return
        signal.signal(_QUIT, self._quit)
        # Before that handler, and though C code may hold the interpreter's lock: where this
        # thread is. Not all threads: their frames change meanwhile, and reading them crashed in
        # one of six tries with busy threads (CPython 3.11 and 3.13).
        faulthandler.register(_QUIT, file=self._dump, all_threads=False, chain=True)

    def _listen(self) -> None:
        """Hear of signals in a thread too: the main one may be in C code that does not return.

        (That is: code which has let go of the interpreter's lock, a driver that waits for its
        database. Python runs handlers in the main thread only.)
        """
        if not sys.platform.startswith("linux") or "trio" in sys.modules:
            return  # trio warns when somebody has the wakeup descriptor, of which there is one
        import socket

        heard, told = self._wakeups = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        # The kernel says who wrote: a forked child that has not got to `_forget` yet writes too.
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        told.settimeout(0)
        earlier = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        if earlier != -1:
            signal.set_wakeup_fd(earlier)  # the program's
            return
        _start(lambda: self._hear(heard), "resultflow signal watch")

    def _hear(self, heard: socket.socket) -> None:
        while True:
            signums, ancillary, _, _ = heard.recvmsg(1, _CREDENTIALS_SPACE)
            sender = int.from_bytes(ancillary[0][2][:4] if ancillary else b"", sys.byteorder)
            if sender != self._pid:  # pragma: no cover (the first moment of a fork)
                continue
            for signum in signums:
                if signum == _QUIT and signal.getsignal(_QUIT) == self._quit:
                    self._quit(signum, None)  # pragma: no cover (the process dies, see tests)
                elif signum in _STOPPING and self._is_ours(signal.getsignal(signum)):
                    self._begin(signum)

    def _is_ours(self, handler: object) -> bool:
        """Tell whether a handler is this edge's, with a gate in front of it or without."""
        return getattr(handler, "stands_for", handler) == self._handle

    def _begin(self, signum: int) -> None:
        """Start the time that is left because of a signal, and die by that one."""
        if not self._is_leaving:
            self._status = _Status(128 + signum, signum)
        self._bound()

    def _note(self, signum: int) -> None:
        """Count a signal, whose handler may have to wait."""
        self._received.append(signum)
        self._begin(signum)
        _notify(_IS_STOPPING)

    def _observe(self, signum: int, handler: Callable[[int, FrameType | None], object]) -> None:
        """See a signal that has to wait; one that the program handles is its own business."""
        if handler == self._handle:
            self._note(signum)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # pragma: no cover (the moment before `_forget`, in a fork)
            self._forget()
            signal.raise_signal(signum)
        if not _signals.is_delivering():
            self._note(signum)
        # A gate in front of this handler has held the signal back, unless it comes for the third
        # time at a release that hangs: then it is to cut that one.
        is_forced = _signals.is_gated() and signal.getsignal(signum) != self._handle
        if is_forced or not _signals.is_held(frame):
            raise SignalReceived(signum)
        if self._is_leaving and len(self._received) >= _FORCE_COUNT:
            self._cut_off("asked a third time")  # pragma: no cover (the process dies, see tests)

    def _quit(
        self, signum: int, frame: FrameType | None
    ) -> None:  # pragma: no cover (the process dies by a signal, see tests)
        """Say where everything is, and die: in the thread that hears of it first."""
        del frame
        if self._quitting.take():
            self._quitter = threading.get_ident()
            self._arm(_CUT_OFF_SECONDS)
            _say(_listed("SIGQUIT: this process ends here, and releases nothing:"))
            _die_by(signum)
        while self._quitter != threading.get_ident():
            sleep(1.0)  # the other thread is about to end this one

    def _forget(self) -> None:
        """In a forked child: the edge is its parent's, and so are the handlers."""
        for signum in _STOPPING:
            if signal.getsignal(signum) == self._handle:  # pragma: no branch (as below)
                _signals.restore_default(signum)
        if _QUIT and signal.getsignal(_QUIT) == self._quit:  # pragma: no branch (as below)
            import faulthandler

            faulthandler.unregister(_QUIT)
            _signals.restore_default(_QUIT)
        if self._wakeups is not None:  # pragma: no branch (few forked children are measured)
            told = self._wakeups[1].fileno()
            earlier = signal.set_wakeup_fd(-1)
            if earlier != told:  # pragma: no cover (the child of a loop that took it)
                signal.set_wakeup_fd(earlier)
            for end in self._wakeups:
                end.close()
            self._wakeups = None

    def deliver(self) -> None:
        """Unwind the program by a signal that came before it began."""
        if self._received:  # pragma: no cover (the moment between `run` and `main`)
            raise SignalReceived(self._received[-1])

    # The status

    def status_of(  # noqa: PLR0911 - one return for each way in which a program ends
        self, main: Callable[[], object], exit_code: Callable[[object], int] | None
    ) -> _Status:
        """Run the program, report what went wrong, say how the process is to end."""
        try:
            try:
                result = main()
            finally:
                self._is_leaving = True
                self._bound()
                _notify(_IS_STOPPING)
            if isinstance(result, Err):
                return self._status_of_err(cast("Err[object]", result), exit_code)
            if isinstance(result, Ok):
                return _Status(0)
            _say(f"main must return a Result, not {result!r}: end it with 'return Ok(None)'")
            return _Status(_FAILURE)
        except SystemExit as exc:
            return self._status_of_system_exit(exc)
        except KeyboardInterrupt as exc:
            if _carries_an_error(exc):
                self._tell(exc)
            return _status_of_interrupt(exc)
        except BaseExceptionGroup as group:
            self._tell(group)
            interrupts, _ = group.split(KeyboardInterrupt)
            return _Status(_FAILURE) if interrupts is None else _status_of_interrupt(interrupts)
        except BaseException as exc:  # noqa: BLE001 - shown, and the status tells
            self._tell(exc)
            return _Status(_FAILURE)

    def _status_of_err(
        self, err: Err[object], exit_code: Callable[[object], int] | None
    ) -> _Status:
        self._tell(err.report())
        try:
            code = _FAILURE if exit_code is None else exit_code(err.error)
        except BaseException as exc:  # noqa: BLE001 - shown, and an Err never exits 0
            self._tell(exc)
            return _Status(_FAILURE)
        if _is_status(code) and 1 <= code <= _LAST_STATUS:
            return _Status(int(code))
        _say(f"exit_code gave {code!r}: an Err exits with 1 to {_LAST_STATUS}, so this is 1")
        return _Status(_FAILURE)

    def _status_of_system_exit(self, exc: SystemExit) -> _Status:
        status = _Status(0)
        if isinstance(exc.code, int):
            status = _Status(exc.code & _LAST_STATUS)
        elif exc.code is not None:
            _say(str(exc.code))
            status = _Status(_FAILURE)
        if hasattr(exc, "__notes__"):
            # What failed in the scopes that it left: neither that nor an Err may look like
            # success.
            self._tell(exc)
            status = status.unless_success(_FAILURE)
        return status

    def _tell(self, what: Report | BaseException) -> None:
        """Give what went wrong to the program's hook; else, or if that raises, show it."""
        broken: BaseException | None = None
        if self._report is not None:
            try:
                self._report(what)
            except BaseException as exc:  # noqa: BLE001 - shown, and it has no say in the status
                broken = exc
            else:
                return
        if isinstance(what, BaseException):
            _show(what)
        else:
            _say(str(what))
        if broken is not None:
            _show(broken)

    # The end

    def leave(self, status: _Status) -> NoReturn:
        """Do what the interpreter does at exit, in bounded time, and end the process."""
        self._status = status
        try:
            # What Py_FinalizeEx does first (CPython 3.11 to 3.14); it knows no bound, and a
            # process that is to die by a signal does not get that far.
            threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]  # as above
            atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
        finally:
            _end(status, self._grace)  # pragma: no cover (coverage has left by atexit)

    def _bound(self) -> None:
        """Start the time that is left; once."""
        if not self._bounding.take():
            return
        # No Python thread runs while C code holds the interpreter's lock; this one is in C. It
        # comes late because its status is always 1 and it says less.
        self._arm(self._grace + _SPARE_SECONDS)
        _start(self._watch, "resultflow exit watch")

    def _arm(self, seconds: float) -> None:
        import faulthandler

        _without_signals(
            lambda: faulthandler.dump_traceback_later(seconds, exit=True, file=self._dump)
        )

    def _watch(self) -> None:  # pragma: no cover (the process ends, see tests)
        sleep(self._grace)
        self._cut_off(f"{self._grace:g} s are over")

    def _cut_off(self, why: str) -> None:  # pragma: no cover (the process ends, see tests)
        """Say what hangs, kill the children, end."""
        if not self._cutting.take():
            return  # another thread is at it, and it does not return
        # This line is the proof that Python threads run. The watchdog in C must not strike now:
        # it would read frames that are changing, which can crash, and end with the status 1.
        self._arm(_CUT_OFF_SECONDS)
        _notify(_IS_STOPPING)
        _say(_listed(f"{why} and this process has not ended; cutting off:"))
        for child in children():
            with contextlib.suppress(Exception):
                child.kill()
        for pid in _multiprocessing_children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        _end(self._status.unless_success(_FAILURE), _FLUSH_SECONDS, is_cut_off=True)


def _start(target: Callable[[], None], name: str) -> None:
    """Start a thread; without one the handlers and the watchdog in C must do."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    _own_threads.append(thread)
    with contextlib.suppress(RuntimeError):
        _without_signals(thread.start)


def _without_signals(start: Callable[[], None]) -> None:
    """Start a thread that the kernel gives no signal, but for those of its own faults.

    A new thread sets its mask, and takes what has not reached another one yet (Linux). It has no
    Python state then, so `faulthandler` would show nothing for a SIGQUIT.
    """
    if not hasattr(signal, "pthread_sigmask"):  # pragma: no cover (Windows)
        start()
        return
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, (*_signals.SIGNALS, _QUIT))
        start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


def _is_caught_in_c(signum: int) -> bool:
    """Tell whether something has installed a handler past Python's own table."""
    try:
        with open("/proc/self/status", encoding="utf-8") as status:  # noqa: PTH123 - as in `child`
            masks = [line.split()[1] for line in status if line.startswith("SigCgt:")]
    except OSError:  # pragma: no cover (not Linux)
        return False
    return bool(int(masks[0], 16) >> (signum - 1) & 1)


def _is_status(code: object) -> bool:
    return isinstance(code, int) and not isinstance(code, bool)


def _status_of_interrupt(exc: BaseException) -> _Status:
    while isinstance(exc, BaseExceptionGroup):
        exc = cast("BaseExceptionGroup[BaseException]", exc).exceptions[0]
    signum = getattr(exc, "signum", None)
    number = int(signum) if isinstance(signum, int) else int(signal.SIGINT)
    return _Status(128 + number, number)


def _is_stderr_open() -> bool:
    """Tell whether descriptor 2 is standard error.

    Where it was closed when the process began, it is by now whatever was opened first.
    """
    try:
        os.fstat(_STDERR)
    except OSError:
        return False
    return sys.__stderr__ is not None


def _open_dump() -> int:
    """Open standard error for what C code writes there: a full pipe must not keep the process.

    For a pipe or a terminal that takes an open file of its own, since the flag that prevents
    blocking belongs to the open file, which others share.
    """
    if not _has_stderr:
        return os.open(os.devnull, os.O_WRONLY)
    import stat

    mode = os.fstat(_STDERR).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        with contextlib.suppress(OSError, AttributeError):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            return os.open(f"/proc/self/fd/{_STDERR}", flags)
    return _STDERR


def _say(text: str) -> None:
    """Write to standard error past its buffers, which a thread that hangs may have locked."""
    if not _has_stderr:
        return
    import select

    left = f"resultflow: {text}\n".encode(errors="backslashreplace")
    # Nothing on Windows says whether a pipe has room.
    if sys.platform == "win32":  # pragma: no cover (measured on Linux)
        os.write(_STDERR, left)
        return
    end = monotonic() + _SAY_SECONDS
    writable = select.poll()
    writable.register(_STDERR, select.POLLOUT)
    with contextlib.suppress(OSError):
        # A pipe that nobody reads must not keep the process: what it has no room for is dropped.
        while left and writable.poll(1000 * max(0.0, end - monotonic())):
            left = left[os.write(_STDERR, left[: select.PIPE_BUF]) :]


def _show(exc: BaseException) -> None:
    traceback = exc.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    exc.with_traceback(traceback)  # the hook prints this one, whatever it is given
    try:
        sys.excepthook(type(exc), exc, traceback)
    except BaseException:  # noqa: BLE001 - the program's own hook broke: show with the plain one
        sys.__excepthook__(type(exc), exc, traceback)


def _carries_an_error(exc: BaseException | None) -> bool:
    """Tell whether an interrupt hides an error, which is then shown with it."""
    while isinstance(exc, KeyboardInterrupt):
        if hasattr(exc, "__notes__"):
            return True
        exc = exc.__cause__ or exc.__context__
    return exc is not None


def _listed(title: str) -> str:  # pragma: no cover (the process ends, see tests)
    """List under a title what keeps this process."""
    lines = [title]
    try:
        lines.extend(f"  {line}" for line in _what_hangs())
    except Exception as exc:  # noqa: BLE001 - a report that breaks off must not keep the process
        lines.append(f"  (the rest cannot be told: {exc!r})")
    return "\n".join(lines)


def _what_hangs() -> Iterator[str]:  # pragma: no cover (the process ends, see tests)
    import traceback

    frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # no other
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame is None or thread in _own_threads:
            continue
        yield f"thread {thread.name!r}{' (daemon)' if thread.daemon else ''} is at"
        for entry in traceback.format_stack(frame):
            yield from (f"  {line}" for line in entry.rstrip().splitlines())
    for label in open_resources():
        yield f"resource {label!r} is held"
    for child in children():
        yield f"child {child.name!r}, pid {child.pid}, is not released"
    for pid in _multiprocessing_children():
        yield f"multiprocessing child, pid {pid}, is not joined"


def _multiprocessing_children() -> list[int]:  # pragma: no cover (the process ends, see tests)
    """List the children that only `multiprocessing` knows of, if it was imported at all."""
    module = sys.modules.get("multiprocessing.process")
    if module is None:
        return []
    known = {child.pid for child in children()}
    return [process.pid for process in module.active_children() if process.pid not in known]


def _end(
    status: _Status, seconds: float, *, is_cut_off: bool = False
) -> NoReturn:  # pragma: no cover (coverage has left by atexit)
    """Flush the streams, for `seconds` at the most, and end the process."""
    flushed: list[bool] = []

    def flush() -> None:
        flushed.append(_flush())
        logging = sys.modules.get("logging")
        if is_cut_off and logging is not None:
            logging.shutdown()  # what `atexit` was to do

    try:
        flushing = threading.Thread(target=flush, name="resultflow flush", daemon=True)
        flushing.start()
        flushing.join(seconds)
    except RuntimeError:  # no thread to be had
        flush()
    if flushed != [True]:
        status = status.unless_success(_OUTPUT_LOST)
    if status.signum is not None:
        _die_by(status.signum)
    os._exit(status.code)


def _flush() -> bool:  # pragma: no cover (coverage has left by atexit)
    """Flush both streams, each though the other fails: whether nothing is lost."""
    is_kept = True
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
        except Exception as exc:  # noqa: BLE001 - a stream of the program's may raise anything
            _say(f"what was written to sys.{name} is lost: {exc}")
            is_kept = False
    return is_kept


def _die_by(signum: int) -> None:  # pragma: no cover (as above)
    """Give a signal the system's action and send it to this process.

    `signal.signal` works in the main thread only, and that may be the one that hangs.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signum, signal.SIG_DFL)
    else:
        import ctypes

        ctypes.pythonapi.PyOS_setsig(signum, None)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signum,))
    os.kill(os.getpid(), signum)
