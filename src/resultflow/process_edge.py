"""`run`: from a Result to a process that exits, in bounded time, with the right status."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, cast

from resultflow import _signals
from resultflow._result import Err, Ok, ResultBase
from resultflow.child import children
from resultflow.errors import SignalReceived

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import NoReturn

__all__ = ["run"]

E = TypeVar("E")

_STOPPING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_FORCE_COUNT: Final = 3
_FLUSH_SECONDS: Final = 0.5
_STDERR: Final = 2
_FAILURE: Final = 1
_LAST_STATUS: Final = 255
_OUTPUT_LOST: Final = 120
"""What CPython exits with when standard output cannot be flushed at the end."""


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
) -> NoReturn:
    """Run a program's `main` and end the process: always, within a bound, with the right status.

    * `Ok`: status 0.
    * `Err`: its report goes to standard error, and the status is `exit_code(error)`, or 1
      without one. It is never 0: a supervisor would take that for an expected exit.
    * An exception (a bug): its traceback, status 1. `SystemExit` keeps its code.
    * SIGINT, SIGTERM and SIGHUP raise `SignalReceived` in the main thread, so that resources
      are released; then the process dies by that same signal, as its parent expects. A signal
      that is ignored when `run` is called (`nohup`), or has a handler of the program's, is
      left as it is.

    From the moment that `main` returns or a signal comes, the process has `grace` seconds to
    release, to join its threads and to run what is registered with `atexit`. When they are
    over it says on standard error what hangs (threads with their stacks, children), kills the
    children and exits; even C code that never lets go of the interpreter's lock cannot
    prevent that (status 1 then). A third signal ends the wait at once.

    Args:
        main: the program.
        exit_code: gives the status for each error, 1 to 255. Write it as a `match` over the
            error type, and a checker demands every case.
        grace: seconds; 10 is what supervisord allows before it kills.

    Raises:
        RuntimeError: when called outside the main thread, where no signal arrives, or while a
            resource is open, whose release would never run.
        ValueError: when `grace` is not possible.

    >>> import subprocess, sys
    >>> program = "from resultflow import Err, run; run(lambda: Err('no database'))"
    >>> done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    >>> done.returncode, done.stderr.splitlines()[0]
    (1, "resultflow: 'no database'")

    .. versionadded:: 0.1.0
    """
    if not 0 < grace < threading.TIMEOUT_MAX:
        msg = f"grace={grace!r} is no time to wait: give seconds, more than 0"
        raise ValueError(msg)
    if threading.current_thread() is not threading.main_thread():
        msg = "run was called in a thread: call it in the main thread, where signals arrive"
        raise RuntimeError(msg)
    if _signals.is_gated():
        msg = (
            "run was called while a resource is open: it would end the process before its release"
        )
        raise RuntimeError(msg)
    edge = _Edge(grace)
    status = edge.status_of(
        lambda: _run_main(edge, main), cast("Callable[[object], int] | None", exit_code)
    )
    edge.leave(status)


@_signals.body
def _run_main(edge: _Edge, main: Callable[[], object]) -> object:
    """Call `main` where signals are delivered: in all other code of `run` they only count."""
    edge.deliver()
    return main()


class _Edge:
    """One process on its way out."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._pid = os.getpid()
        self._received: list[int] = []
        self._is_bounded = False
        self._is_leaving = False
        self._status = _Status(_FAILURE)
        for signum in _STOPPING:
            handler = signal.getsignal(signum)
            if handler is signal.SIG_DFL or handler is signal.default_int_handler:
                signal.signal(signum, self._handle)
        _signals.observe(self._observe)
        os.register_at_fork(after_in_child=self._forget)

    def _note(self, signum: int) -> None:
        """Count a signal, and start the time that is left, though its handler may have to wait."""
        self._received.append(signum)
        if not self._is_leaving:
            self._status = _Status(128 + signum, signum)
        self._bound()

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
        if not _signals.is_held(frame):
            raise SignalReceived(signum)
        if self._is_leaving and len(self._received) >= _FORCE_COUNT:
            self._cut_off("asked a third time")  # pragma: no cover (the process dies, see tests)

    def _forget(self) -> None:
        """In a forked child: the edge is its parent's, and so are the handlers."""
        _signals.unobserve(self._observe)
        for signum in _STOPPING:
            handler = signal.getsignal(signum)
            if handler == self._handle:  # pragma: no branch (few forks are measured)
                _signals.restore_default(signum)

    def deliver(self) -> None:
        """Unwind the program by a signal that came before it began."""
        if self._received:  # pragma: no cover (the moment between `run` and `main`)
            raise SignalReceived(self._received[-1])

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
            if isinstance(result, Err):
                return self._status_of_err(cast("Err[object]", result), exit_code)
            if isinstance(result, Ok):
                return _Status(0)
            _say(f"main must return a Result, not {result!r}: end it with 'return Ok(None)'")
            return _Status(_FAILURE)
        except SystemExit as exc:
            return _status_of_system_exit(exc)
        except KeyboardInterrupt as exc:
            if _carries_an_error(exc):
                _show(exc)
            return _status_of_interrupt(exc)
        except BaseExceptionGroup as group:
            _show(group)
            interrupts, _ = group.split(KeyboardInterrupt)
            return _Status(_FAILURE) if interrupts is None else _status_of_interrupt(interrupts)
        except BaseException as exc:  # noqa: BLE001 - shown, and the status tells
            _show(exc)
            return _Status(_FAILURE)

    def _status_of_err(
        self, err: Err[object], exit_code: Callable[[object], int] | None
    ) -> _Status:
        _say(str(err.report()))
        try:
            code = _FAILURE if exit_code is None else exit_code(err.error)
        except BaseException as exc:  # noqa: BLE001 - shown, and an Err never exits 0
            _show(exc)
            return _Status(_FAILURE)
        if _is_status(code) and 1 <= code <= _LAST_STATUS:
            return _Status(int(code))
        _say(f"exit_code gave {code!r}: an Err exits with 1 to {_LAST_STATUS}, so this is 1")
        return _Status(_FAILURE)

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
        if self._is_bounded:
            return
        import faulthandler

        self._is_bounded = True
        # No Python thread runs while C code holds the interpreter's lock; this one is in C. It
        # comes second because its status is always 1 and it says less.
        faulthandler.dump_traceback_later(self._grace + 1.0, exit=True, file=_STDERR)
        watch = threading.Thread(target=self._watch, name="resultflow exit watch", daemon=True)
        with contextlib.suppress(RuntimeError):  # no thread to be had: the one in C will do
            watch.start()

    def _watch(self) -> None:
        time.sleep(self._grace)
        self._cut_off(f"{self._grace:g} s are over")

    def _cut_off(self, why: str) -> NoReturn:
        """Say what hangs, kill the children, end."""
        _say(f"{why} and this process has not ended; cutting off:")
        for line in _what_hangs():
            _say(f"  {line}")
        for child in children():  # pragma: no cover (the process dies by a signal then, see tests)
            with contextlib.suppress(OSError):
                child.kill()
        for pid in _multiprocessing_children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        _end(self._status.unless_success(_FAILURE), _FLUSH_SECONDS)


def _is_status(code: object) -> bool:
    return isinstance(code, int) and not isinstance(code, bool)


def _status_of_interrupt(exc: BaseException) -> _Status:
    while isinstance(exc, BaseExceptionGroup):
        exc = cast("BaseExceptionGroup[BaseException]", exc).exceptions[0]
    signum = getattr(exc, "signum", None)
    number = int(signum) if isinstance(signum, int) else int(signal.SIGINT)
    return _Status(128 + number, number)


def _status_of_system_exit(exc: SystemExit) -> _Status:
    status = _Status(0)
    if isinstance(exc.code, int):
        status = _Status(exc.code & _LAST_STATUS)
    elif exc.code is not None:
        _say(str(exc.code))
        status = _Status(_FAILURE)
    if hasattr(exc, "__notes__"):
        # What failed in the scopes that it left: neither that nor an Err may look like success.
        _say("\n".join(["SystemExit", *map(str, exc.__notes__)]))
        status = status.unless_success(_FAILURE)
    return status


def _say(text: str) -> None:
    """Write to standard error past its buffers, which a thread that hangs may have locked."""
    import select

    left = f"resultflow: {text}\n".encode(errors="backslashreplace")
    writable = select.poll()
    writable.register(_STDERR, select.POLLOUT)
    with contextlib.suppress(OSError):
        # A pipe that nobody reads must not keep the process: what it has no room for is dropped.
        while left and writable.poll(1000 * _FLUSH_SECONDS):
            left = left[os.write(_STDERR, left[: select.PIPE_BUF]) :]


def _show(exc: BaseException) -> None:
    traceback = exc.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    exc.__traceback__ = traceback  # the hook prints this one, whatever it is given
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


def _what_hangs() -> Iterator[str]:
    import traceback

    frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # no other
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame is None or thread is threading.current_thread():
            continue
        yield f"thread {thread.name!r}{' (daemon)' if thread.daemon else ''} is at"
        for entry in traceback.format_stack(frame):
            yield from (f"  {line}" for line in entry.rstrip().splitlines())
    for child in children():  # pragma: no cover (the process dies by a signal then, see tests)
        yield f"child {child.name!r}, pid {child.pid}, is not released"
    for pid in _multiprocessing_children():
        yield f"multiprocessing child, pid {pid}, is not joined"


def _multiprocessing_children() -> list[int]:
    """List the children that only `multiprocessing` knows of, if it was imported at all."""
    module = sys.modules.get("multiprocessing.process")
    if module is None:
        return []  # pragma: no cover (coverage itself imports it)
    known = {child.pid for child in children()}
    return [process.pid for process in module.active_children() if process.pid not in known]


def _end(
    status: _Status, seconds: float
) -> NoReturn:  # pragma: no cover (coverage has left by atexit)
    """Flush the streams, for `seconds` at the most, and end the process."""
    flushed: list[bool] = []
    flushing = threading.Thread(target=lambda: flushed.append(_flush()), daemon=True)
    try:
        flushing.start()
        flushing.join(seconds)
    except RuntimeError:  # no thread to be had
        flushed.append(_flush())
    if flushed != [True]:
        status = status.unless_success(_OUTPUT_LOST)
    if status.signum is not None:
        _die_by(status.signum)
    os._exit(status.code)


def _flush() -> bool:  # pragma: no cover (coverage has left by atexit)
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
    except (OSError, ValueError) as exc:
        _say(f"standard output is lost: {exc}")
        return False
    return True


def _die_by(signum: int) -> None:  # pragma: no cover (as above)
    """Give a signal the system's action and send it to this process.

    `signal.signal` works in the main thread only, and that may be the one that hangs.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signum, signal.SIG_DFL)
    else:
        import ctypes

        ctypes.pythonapi.PyOS_setsig(signum, None)
    os.kill(os.getpid(), signum)
