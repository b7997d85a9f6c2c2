"""The gate: no Python signal handler runs inside an acquire, a release or the combinator.

CPython runs a signal handler between two bytecodes of the main thread, whichever those are.
One that raises (Ctrl-C) between an acquire and the note that it succeeded leaks what was
acquired, and no `try` can close that window from inside.

So, while a scope is open, every *callable* handler is replaced by a `Gate`, which decides by
walking the interrupted stack: marked frames tell whether this is critical code (the signal
waits) or nothing but scopes' bodies (the handler runs at once). Nothing is switched on or off
at the border of a region, so there is no instant at which a switch is wrong, and nesting,
recursion, generators and coroutines come out right by themselves. Scopes need not end in the
order in which they began (generators, tasks): the last one out puts the handlers back.

Not `pthread_sigmask`: children inherit a blocked mask and then ignore SIGTERM.
"""

from __future__ import annotations

# signal.signal spends ten times as long on making enum members.
import _signal  # pyright: ignore[reportMissingModuleSource]  # C code has none
import _thread
import os
import signal
import sys
import threading
from collections import deque
from itertools import repeat, starmap
from operator import is_
from time import monotonic
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Final, TypeVar, cast
from weakref import ref

from resultflow._trace import set_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from typing_extensions import TypeIs

    Handler = Callable[[int, FrameType | None], object]

F = TypeVar("F", bound="Callable[..., object]")

# What a handler may be set for, without the signals of a fault in this very instruction
# (SIGSEGV, ...) and SIGQUIT, which cannot wait, since it asks where a program hangs (faulthandler
# writes that in C, and setting a handler anew would undo it), and the real-time ones, of which
# there are too many to ask.
SIGNALS: Final = tuple(
    int(getattr(signal, "SIG" + name))
    for name in (
        *("INT", "TERM", "HUP", "BREAK", "ALRM", "VTALRM", "PROF", "USR1", "USR2"),
        *("CHLD", "CONT", "TSTP", "TTIN", "TTOU", "WINCH", "IO", "URG", "PIPE"),
        *("PWR", "XCPU", "XFSZ"),
    )
    if hasattr(signal, "SIG" + name)
)
STOPPING: Final = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The signals by which somebody asks a program to end."""

# The third of these in one critical stretch, if the first came this long ago, is let through
# into the user's own acquire or release: by then somebody is pressing Ctrl-C at something that
# hangs. With the count alone a burst of signals would cut a release that was doing well.
_FORCE_COUNT: Final = 3
_FORCE_SECONDS: Final = 1.0

_critical: set[CodeType] = set()
_bodies: set[CodeType] = set()
_forceable: set[CodeType] = set()

_waiting: deque[int] = deque()
# Asked for an item, it takes a signal that waits and hands it to the interpreter anew.
_handed_over: Final = map(
    cast("Callable[[int], None]", _thread.interrupt_main),  # typeshed asks for signal.Signals
    starmap(_waiting.popleft, repeat(())),
)
_asked: list[float] = []
_main_thread = threading.main_thread().ident
_generation = 0
_observers: list[Callable[[int, Handler], None]] = []
_is_delivering = False
# The open scopes: of the main thread, which has the handlers gated, and of the others. Weakly,
# so that one whose end a debugger's exception cut off does not count for ever.
_users: dict[int, ref[object]] = {}
_elsewhere: dict[int, ref[object]] = {}
# The stretches of a main task that are critical although it is suspended now and then.
_sections: dict[int, ref[object]] = {}
# The handlers when they were last gated, before and after, and the gates among the latter.
_before: list[object] = []
_after: list[object] = []
_gates: list[tuple[int, Gate]] = []
_gates_own: set[CodeType] = set()
_PLAIN: Final = FunctionType, BuiltinFunctionType
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


def forceable(function: F) -> F:
    """Mark a critical function that calls users' acquires or releases: these can be forced.

    What it calls beside them has to be marked as critical too, or be C, or bear it.
    """
    _forceable.add(function.__code__)
    return critical(function)


def generation() -> int:
    """Count the forks between the first process and this one: a child releases nothing old."""
    return _generation


def _is_held(frame: FrameType | None) -> tuple[bool, bool]:
    """Tell whether code that runs at `frame` is critical, and whether it is the user's own.

    A body opens the one critical frame that called it; a scope inside another's release is
    critical all the same.
    """
    # A second signal, in the midst of deciding on the first.
    while frame is not None and frame.f_code in _gates_own:
        frame = frame.f_back  # pragma: no cover (nobody can aim at it)
    interrupted = frame
    opened = False
    while frame is not None and frame is not _fork_frame:
        code = frame.f_code
        if code in _bodies:
            opened = True
        elif code in _critical:
            if not opened:
                return True, code in _forceable and frame is not interrupted
            opened = False
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

    __slots__ = ("instead_of", "stands_for")

    def __init__(self, handler: Handler) -> None:
        self.stands_for = handler
        self.instead_of = handler
        """What is put back."""

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        held, is_users = _is_held(frame)
        held = held or (bool(_sections) and signum in STOPPING)
        if held and not (_is_forced(signum) and is_users):
            _waiting.append(signum)
            _tell(signum, self.stands_for)
        else:
            self.stands_for(signum, frame)


class Deferral(Gate):
    """Stands in for a handler where it must not run, and asks somebody to run it: `handle`.

    That is in an event loop, whose own code would be cut by what a handler raises.
    """

    __slots__ = ("ask", "came")

    def __init__(self, gate: Gate, came: deque[int], ask: Callable[[bool], None]) -> None:
        super().__init__(gate.stands_for)
        self.instead_of = gate
        self.came = came
        self.ask = ask

    def __call__(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's shape
        self.came.append(signum)
        _tell(signum, self.stands_for)
        self.ask(_is_forced(signum))


def _tell(signum: int, handler: Handler) -> None:
    for observer in _observers:
        observer(signum, handler)


def _is_forced(signum: int) -> bool:
    """Count a signal that has to wait; tell whether somebody has asked often enough."""
    if signum not in STOPPING:
        return False
    _asked.append(monotonic())
    return len(_asked) >= _FORCE_COUNT and _asked[-1] - _asked[0] >= _FORCE_SECONDS


def enter(user: object) -> None:
    """Open a scope: in the main thread, put a gate in place of every callable handler.

    Only the main thread runs handlers, so elsewhere the scope is only noted.
    """
    if threading.get_ident() != _main_thread:
        _elsewhere[id(user)] = ref(user)
        return
    _users[id(user)] = ref(user)
    gate()


def gate() -> None:
    """Gate the handlers that are new: also before releases, for those that a body installed."""
    global _after, _before, _gates
    handlers = _handlers()
    if handlers == _after or threading.get_ident() != _main_thread:
        return
    if _same(handlers, _before):
        found = _gates
    else:
        gates = [Gate(it) if _needs_gate(it) else it for it in handlers]
        found = [
            (signum, gate)
            for signum, gate in zip(SIGNALS, gates, strict=True)
            if isinstance(gate, Gate)
        ]
        if all(isinstance(gate.stands_for, _PLAIN) for _, gate in found):
            _before, _after, _gates = handlers, gates, found
        else:  # a handler that may hold anything is not kept, nor what it holds
            _before, _after, _gates = [], [], []
    for signum, gate in found:
        _signal.signal(signum, gate)


def _needs_gate(handler: object) -> TypeIs[Handler]:
    return callable(handler) and not isinstance(handler, Gate)


def _same(some: list[object], others: list[object]) -> bool:
    """Compare by identity: what is equal may be another handler all the same."""
    return len(some) == len(others) and all(map(is_, some, others))


def _handlers() -> list[object]:
    return list(map(_signal.getsignal, SIGNALS))


def leave(user: object, frame: FrameType | None) -> None:
    """Close a scope; the last one puts back what each gate stands for, where it still stands.

    `deliver` comes before it, while second signals still wait. What comes between the two is
    seen to here: delivered, or, when the handlers are back, handed to the interpreter anew, in
    one instruction, and it runs them when this package's code is left.
    """
    key = id(user)
    if threading.get_ident() == _main_thread and not _is_shared(user):
        try:
            put_back(Gate)
        except BaseException:  # pragma: no cover (nobody can aim at it)
            put_back(Gate)  # what was raised may have cut it short
            raise
        finally:
            # Each of these is done before there is a check for signals: the handlers are back.
            _users.pop(key, None)
            if _waiting and not _users:  # pragma: no cover (nobody can aim at it)
                try:  # noqa: SIM105 - a handler could raise in `suppress`
                    deque(_handed_over, 0)
                except IndexError:
                    pass  # all of them are
    _users.pop(key, None)
    _elsewhere.pop(key, None)
    if _waiting:
        deliver(frame)


def _is_shared(user: object) -> bool:
    """Tell whether the main thread has another open scope."""
    if len(_users) == (id(user) in _users):
        return False
    return any(it() is not None and it() is not user for it in list(_users.values()))


def put_back(kind: type[Gate]) -> None:
    """Put back what each gate of a kind stands for."""
    if threading.get_ident() != _main_thread:
        return
    raised: BaseException | None = None
    handlers = _handlers()
    found = zip(SIGNALS, handlers, strict=True) if handlers != _after else _gates
    for signum, handler in found:
        while isinstance(handler, kind) and _signal.getsignal(signum) is handler:
            try:
                _signal.signal(signum, handler.instead_of)
            # A handler that is back already may raise right here, before this one is.
            except BaseException as exc:  # noqa: BLE001  # pragma: no cover (nobody can aim at it)
                raised = _chained(exc, raised, None)
    raise_again(raised)


def set_aside() -> tuple[dict[int, ref[object]], list[object]]:
    """Have all be as if the main thread had no scope open, until `bring_back`."""
    around = dict(_users), _handlers()
    put_back(Gate)
    _users.clear()
    return around


def bring_back(around: tuple[dict[int, ref[object]], list[object]]) -> None:
    """Gate for the scopes again that were set aside."""
    users, handlers = around
    _users.update(users)
    for signum, handler in zip(SIGNALS, handlers, strict=True):
        if isinstance(handler, Gate):
            _signal.signal(signum, handler)


def defer(came: deque[int], ask: Callable[[bool], None]) -> None:
    """Have the signals that end programs put into `came`, and ask for `handle`, until `put_back`.

    Args:
        came: the signals' numbers, oldest first.
        ask: is called between any two bytecodes, and told whether somebody asks for the third
            time.
    """
    if threading.get_ident() != _main_thread:
        return
    _asked.clear()
    for signum in STOPPING:
        gate = _signal.getsignal(signum)
        if isinstance(gate, Gate):
            _signal.signal(signum, Deferral(gate, came, ask))


def handle(came: deque[int]) -> None:
    """Run the handlers of signals that were put off; what they raise is chained and raised."""
    _run_all(came, caller(0))


def hold(section: object) -> None:
    """Have the signals wait that ask the program to end, wherever they come, until `let_go`."""
    _sections[id(section)] = ref(section)


def let_go(section: object) -> None:
    """End a section; `deliver` comes next."""
    _sections.pop(id(section), None)


def deliver(frame: FrameType | None) -> None:
    """Run the handlers of the signals that waited, unless `frame` is itself critical code.

    Each runs though an earlier one raised; exceptions are chained by `__context__`. A critical
    function that leaves the gates where they are calls this last: the check for signals at this
    function's start comes before its look at what waits, and there is none after it up to the
    caller's return (CPython 3.11 to 3.13), so no signal can arrive too late to be seen and too
    early to run.
    """
    if not _waiting or _sections or threading.get_ident() != _main_thread or is_held(frame):
        return
    try:
        _run_all(_waiting, frame)
    finally:
        _asked.clear()


def _run_all(came: deque[int], frame: FrameType | None) -> None:
    raised: BaseException | None = None
    around = sys.exception()
    while came:
        try:
            _deliver_one(came.popleft(), frame)
        except BaseException as exc:  # noqa: BLE001 - raised when all have run
            raised = _chained(exc, raised, around)
    raise_again(raised)


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


def _chained(
    exc: BaseException, earlier: BaseException | None, around: BaseException | None
) -> BaseException:
    """Chain what handlers raised, between the last of it and what was being handled already."""
    last = exc
    while last is not earlier:
        context = last.__context__
        if context is None or context is around:
            break
        last = context
    if earlier is not None and last is not earlier:
        set_context(last, earlier)
    return exc


def raise_again(exc: BaseException | None) -> None:
    """Raise an exception, if there is one, with the context that it has."""
    if exc is not None:
        context = exc.__context__
        try:
            raise exc  # which makes what is being handled its context
        finally:
            if context is not None:
                set_context(exc, context)
            del exc, context  # the traceback holds this frame


def observe(observer: Callable[[int, Handler], None]) -> None:
    """Have a function told of every signal that has to wait, and for which handler.

    A forked child tells nobody.
    """
    _observers.append(observer)


def restore_default(signum: int) -> None:
    """Give a signal the action that it has when Python starts."""
    default = signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL
    signal.signal(signum, default)


def is_delivering() -> bool:
    """Tell a handler that its signal waited, and has been observed already."""
    return _is_delivering


def is_gated() -> bool:
    """Tell whether a scope is open in the main thread."""
    return any(user() is not None for user in _users.values())


def users() -> list[object]:
    """List the open scopes of all threads, the main thread's first, each the oldest first."""
    found = (user() for user in (*_users.values(), *_elsewhere.values()))
    return [user for user in found if user is not None]


def caller(depth: int) -> FrameType:
    """Give the frame `depth` calls above the function that asks."""
    return sys._getframe(depth + 1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # CPython has no other


def _after_fork_in_child() -> None:
    # A child forked inside an acquire runs on its parent's critical stack: with the gate left
    # in place it would hold SIGTERM back for the rest of its life.
    global _fork_frame, _generation, _main_thread  # noqa: PLW0603 - as above
    _generation += 1
    _main_thread = threading.get_ident()
    for kept in (_waiting, _asked, _users, _elsewhere, _sections, _observers):
        kept.clear()
    forked_in = caller(1)
    if is_held(forked_in):  # pragma: no branch (few forked children are measured)
        _fork_frame = forked_in
    for signum in SIGNALS:
        gate = _signal.getsignal(signum)
        if isinstance(gate, Gate):
            _signal.signal(signum, gate.stands_for)


if hasattr(os, "register_at_fork"):  # pragma: no branch (Windows cannot fork)
    os.register_at_fork(after_in_child=_after_fork_in_child)

for _function in (
    *(generation, enter, gate, _same, _handlers, leave, _is_shared, put_back, defer, handle),
    *(hold, let_go, deliver, _run_all, _deliver_one, _chained, raise_again),
):
    critical(_function)
_gates_own.update(
    function.__code__
    for function in (_is_held, _is_forced, _tell, Gate.__call__, Deferral.__call__)
)
