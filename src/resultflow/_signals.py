"""The gate: no Python signal handler runs inside an acquire, a release or the combinator.

CPython runs a signal handler between two bytecodes of the main thread, whichever those are.
One that raises (Ctrl-C) between an acquire and the note that it succeeded leaks what was
acquired, and no `try` can close that window from inside.

So, while a scope is open, every *callable* handler is replaced by a `Gate`, which decides by
walking the interrupted stack: marked frames tell whether this is critical code (the signal
waits) or nothing but scopes' bodies (the handler runs at once). Nothing is switched on or off
at the border of a region, so there is no instant at which a switch is wrong, and nesting,
recursion and generators come out right by themselves.

Not `pthread_sigmask`: children inherit a blocked mask and then ignore SIGTERM.
"""

from __future__ import annotations

# signal.signal spends ten times as long on making enum members.
import _signal  # pyright: ignore[reportMissingModuleSource]  # C code has none
import os
import signal
import sys
import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    Handler = Callable[[int, FrameType | None], object]

F = TypeVar("F", bound="Callable[..., object]")

SIGNALS: Final = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)

# The third signal in one critical stretch, if the first came this long ago, is let through
# into the user's own release: by then somebody is pressing Ctrl-C at something that hangs.
# With the count alone a burst of signals would cut a release that was doing well.
_FORCE_COUNT: Final = 3
_FORCE_SECONDS: Final = 1.0

_critical: set[CodeType] = set()
_bodies: set[CodeType] = set()
_releases: set[CodeType] = set()

_waiting: deque[int] = deque()
_waiting_since = 0.0
_main_thread = threading.main_thread().ident
_generation = 0
_observer: Callable[[int, Handler], None] | None = None
_is_delivering = False
# The frame in which this process was forked off, where that was critical: it and those below
# are the parent's business.
_fork_frame: FrameType | None = None


def critical(function: F) -> F:
    """Mark a function of this package: signals wait while it, or what it calls, runs."""
    _critical.add(function.__code__)
    return function


def body(function: F) -> F:
    """Mark a trampoline into a scope's body: below it signals are delivered at once."""
    _bodies.add(function.__code__)
    return function


def release(function: F) -> F:
    """Mark a trampoline into a user's release, the one critical place that can be forced."""
    _releases.add(function.__code__)
    return function


def generation() -> int:
    """Count the forks between the first process and this one: a child releases nothing old."""
    return _generation


def _is_held(frame: FrameType | None) -> tuple[bool, bool]:
    """Tell whether code that runs at `frame` is critical, and whether it is a user's release.

    A body opens the one critical frame that called it; a scope inside another's release is
    critical all the same.
    """
    opened = releasing = False
    while frame is not None and frame is not _fork_frame:
        code = frame.f_code
        if code in _bodies:
            opened = True
        elif code in _critical:
            if not opened:
                return True, releasing
            opened = False
        elif code in _releases:
            releasing = True
        frame = frame.f_back
    return False, False


def is_held(frame: FrameType | None) -> bool:
    """Tell whether a signal that comes at `frame` has to wait."""
    return _is_held(frame)[0]


class Gate:
    """Stands in for one handler: runs it at once, or keeps the signal until that is safe.

    One object per handler, so that a program which saves and restores handlers inside a scope
    gets back what it saved.
    """

    __slots__ = ("stands_for",)

    def __init__(self, handler: Handler) -> None:
        self.stands_for = handler

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        global _waiting_since  # noqa: PLW0603 - one process has one set of signal handlers
        held, releasing = _is_held(frame)
        if held:
            if not _waiting:
                _waiting_since = monotonic()
            forced = (
                releasing
                and len(_waiting) + 1 >= _FORCE_COUNT
                and monotonic() - _waiting_since >= _FORCE_SECONDS
            )
            if not forced:
                _waiting.append(signum)
                if _observer is not None:
                    _observer(signum, self.stands_for)
                return
        self.stands_for(signum, frame)


def enter(gated: list[tuple[int, Gate]]) -> None:
    """Put a gate in place of every callable handler, and list which and where.

    Call it again before the releases: a handler that the body installed is gated then. Only
    the main thread runs handlers, so elsewhere there is nothing to do.
    """
    if threading.get_ident() != _main_thread:
        return
    for signum in SIGNALS:
        handler = _signal.getsignal(signum)
        if callable(handler) and not isinstance(handler, Gate):
            gate = Gate(handler)
            gated.append((signum, gate))
            _signal.signal(signum, gate)


def leave(gated: list[tuple[int, Gate]]) -> None:
    """Put back what each gate stands for, where it still stands."""
    if threading.get_ident() != _main_thread:
        return
    raised: BaseException | None = None
    while gated:
        signum, gate = gated.pop()
        try:
            if _signal.getsignal(signum) is gate:
                _signal.signal(signum, gate.stands_for)
        # A handler that is back may raise right here.
        except BaseException as exc:  # noqa: BLE001  # pragma: no cover (nobody can aim at it)
            raised = _chained(exc, raised)
    _raise(raised)


def deliver(frame: FrameType | None) -> None:
    """Run the handlers of the signals that waited, unless `frame` is itself critical code.

    Each runs though an earlier one raised; exceptions are chained by `__context__`. A critical
    function calls this last: the check for signals at this function's start comes before its
    look at what waits, and there is none after it up to the caller's return (CPython 3.11 to
    3.13), so no signal can arrive too late to be seen and too early to run.
    """
    if not _waiting or threading.get_ident() != _main_thread or is_held(frame):
        return
    raised: BaseException | None = None
    while _waiting:
        try:
            _deliver_one(_waiting.popleft(), frame)
        except BaseException as exc:  # noqa: BLE001 - raised when all have run
            raised = _chained(exc, raised)
    _raise(raised)


def _deliver_one(signum: int, frame: FrameType | None) -> None:
    global _is_delivering  # noqa: PLW0603 - one process has one set of signal handlers
    handler = _signal.getsignal(signum)
    if isinstance(handler, Gate):
        handler = handler.stands_for
    if callable(handler):
        _is_delivering = True
        try:
            handler(signum, frame)
        finally:
            _is_delivering = False
    elif handler == signal.SIG_DFL:
        signal.raise_signal(signum)  # pragma: no cover (it ends the process; a test sees that)


def _chained(exc: BaseException, earlier: BaseException | None) -> BaseException:
    if earlier is not None and exc.__context__ is None:
        exc.__context__ = earlier
    return exc


def _raise(exc: BaseException | None) -> None:
    if exc is not None:
        try:
            raise exc
        finally:
            del exc  # its traceback holds this frame


def observe(observer: Callable[[int, Handler], None] | None) -> None:
    """Have a function told of every signal that has to wait, and for which handler."""
    global _observer  # noqa: PLW0603 - one process has one edge
    _observer = observer


def restore_default(signum: int) -> None:
    """Give a signal the action that it has when Python starts."""
    default = signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL
    signal.signal(signum, default)


def is_delivering() -> bool:
    """Tell a handler that its signal waited, and has been observed already."""
    return _is_delivering


def is_gated() -> bool:
    """Tell whether a scope is open in the main thread."""
    return any(isinstance(_signal.getsignal(signum), Gate) for signum in SIGNALS)


def caller(depth: int) -> FrameType:
    """Give the frame `depth` calls above the function that asks."""
    return sys._getframe(depth + 1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # CPython has no other


def _after_fork_in_child() -> None:
    # A child forked inside an acquire runs on its parent's critical stack: with the gate left
    # in place it would hold SIGTERM back for the rest of its life.
    global _fork_frame, _generation, _main_thread  # noqa: PLW0603 - as above
    _generation += 1
    _main_thread = threading.get_ident()
    _waiting.clear()
    forked_in = caller(1)
    if is_held(forked_in):  # pragma: no branch (few forked children are measured)
        _fork_frame = forked_in
    for signum in SIGNALS:
        gate = _signal.getsignal(signum)
        if isinstance(gate, Gate):
            _signal.signal(signum, gate.stands_for)


if hasattr(os, "register_at_fork"):  # pragma: no branch (Windows cannot fork)
    os.register_at_fork(after_in_child=_after_fork_in_child)

for _function in (enter, leave, deliver, _deliver_one, _raise):
    critical(_function)
