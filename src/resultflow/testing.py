"""For tests: what a Result must be, and what an interrupt at every place leaves behind.

`assert_ok` and `assert_err` take a Result apart, or fail with all that is known about it:

>>> assert_ok(Ok(8080))
8080
>>> assert_err(Err(LookupError("no job 3")), LookupError)
LookupError('no job 3')

`inject` runs a scenario again and again, with a signal at the first, second, third ... place
where CPython can run a signal handler, until a run ends without having been interrupted. After
each run it says what was leaked, released twice or in the wrong order, and which error or
signal was lost:

>>> from contextlib import ExitStack
>>> def scenario(ledger):
...     a, b = ledger.token("a"), ledger.token("b")
...     with ExitStack() as stack:
...         a.acquire()
...         stack.callback(a.release)
...         b.acquire()
...         stack.callback(b.release)
>>> report = inject(scenario)
>>> report.is_clean
False
>>> sorted({fault.kind for point in report.bad for fault in point.faults})
['leak']

The same with resources, which is what this package is for:

>>> def scenario(ledger):
...     return ledger.resource("a").both(ledger.resource("b")).use(Ok)
>>> inject(scenario).check()
"""

from __future__ import annotations

import _thread
import gc
import opcode
import os
import platform
import random
import signal
import sys
import threading
from functools import partial
from itertools import count
from time import perf_counter
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar, cast, overload

import attrs

from resultflow import _signals, _uninspected
from resultflow._result import Err, Ok, ResultBase, is_err, is_ok
from resultflow._trace import Report, chain, resolved
from resultflow.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType, TracebackType
    from typing import Any, Never, Self

    from resultflow._trace import Frame
    from resultflow.exits import Exit

    Handler: TypeAlias = Callable[[int, FrameType | None], object]

__all__ = [
    "Fault",
    "Inject",
    "InjectionReport",
    "Ledger",
    "Place",
    "Point",
    "Token",
    "UninspectedErr",
    "assert_err",
    "assert_ok",
    "inject",
]

T = TypeVar("T")
E = TypeVar("E")
F = TypeVar("F")

Mode: TypeAlias = Literal["signal", "opcode", "timer"]
Kind: TypeAlias = Literal[
    "leak", "double release", "wrong order", "lost error", "lost signal", "lost handler"
]

_Spot: TypeAlias = tuple[CodeType, int]


def assert_ok(result: Ok[T] | Err[object]) -> T:
    """`Ok(v)`: `v`. `Err`: fail with its report: the error, its context and the way it came.

    Args:
        result: what the code under test gave.

    Raises:
        AssertionError: on an `Err`.
        TypeError: when `result` is no Result, such as a coroutine that was not awaited.

    >>> assert_ok(Ok(3))
    3
    >>> assert_ok(Err("no port").context("reading the settings"))
    Traceback (most recent call last):
    AssertionError: expected an Ok, got an Err
    'no port'
      at ...
      while reading the settings

    .. versionadded:: 0.1.0
    """
    __tracebackhide__ = True
    _check_result(result, "assert_ok")
    if is_err(result):
        raise AssertionError(_told("an Ok", result))
    return result.value


@overload
def assert_err(result: Ok[object] | Err[E]) -> E: ...
@overload
def assert_err(result: Ok[object] | Err[object], kind: type[F] | tuple[type[F], ...]) -> F: ...
def assert_err(
    result: Ok[object] | Err[object], kind: type[object] | tuple[type[object], ...] = object
) -> object:
    """`Ok`: fail. `Err(e)`: `e`, when it is of class `kind`; fail with its report otherwise.

    Args:
        result: what the code under test gave.
        kind: the class that the error must have, or several.

    Raises:
        AssertionError: on an `Ok`, and on an `Err` whose error is not of class `kind`.
        TypeError: when `result` is no Result, such as a coroutine that was not awaited, and
            when `kind` is no class.

    >>> assert_err(Err("no port"))
    'no port'
    >>> assert_err(Ok(3))
    Traceback (most recent call last):
    AssertionError: expected an Err, got Ok(3)
    >>> assert_err(Err("no port"), OSError)
    Traceback (most recent call last):
    AssertionError: expected an Err of OSError, got an Err
    'no port'
      at ...

    .. versionadded:: 0.1.0
    """
    __tracebackhide__ = True
    _check_result(result, "assert_err")
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not kinds or not all(isinstance(each, type) for each in kinds):
        raise TypeError(f"kind={kind!r} is no class of errors: give one, or a tuple of them")
    wanted = "an Err" if kind is object else f"an Err of {' or '.join(map(_name_of, kinds))}"
    if is_ok(result):
        raise AssertionError(f"expected {wanted}, got {result!r}")
    error = result.error
    if any(map(partial(isinstance, error), kinds)):
        return error
    raise AssertionError(_told(wanted, result))


def _told(wanted: str, err: Err[object]) -> str:
    return f"expected {wanted}, got an Err\n{err.report()}"


def _name_of(kind: type) -> str:
    return kind.__qualname__


def _check_result(given: object, asker: str) -> None:
    __tracebackhide__ = True
    if not isinstance(given, ResultBase):
        is_waiting = hasattr(given, "__await__")
        way_out = "await it first" if is_waiting else "for plain values there is assert"
        raise TypeError(f"{asker} takes a Result, not {given!r}: {way_out}")


class UninspectedErr(Warning):
    """A test made an `Err` that was dropped before anybody had looked at it.

    The pytest plugin warns so where the option `resultflow_uninspected` is on.

    .. versionadded:: 0.1.0
    """


# Instructions at which no handler can run, neither by a check of their own nor in what they
# call: a signal before one of them is handled where a signal before the next one is. A return
# is none of them, for there may be a check in the middle of the instruction that called. What
# is not listed counts, so a future instruction costs time and hides nothing.
_PASSIVE: Final = frozenset(
    name
    for line in (
        "CACHE COPY COPY_FREE_VARS DELETE_FAST END_FOR IS_OP JUMP_FORWARD KW_NAMES LOAD_CLOSURE",
        "LOAD_CONST LOAD_DEREF LOAD_FAST LOAD_FAST_AND_CLEAR LOAD_FAST_CHECK LOAD_FAST_LOAD_FAST",
        "LOAD_GLOBAL MAKE_CELL MAKE_FUNCTION NOP POP_EXCEPT POP_JUMP_FORWARD_IF_NONE",
        "POP_JUMP_FORWARD_IF_NOT_NONE POP_JUMP_IF_NONE POP_JUMP_IF_NOT_NONE POP_TOP",
        "PUSH_EXC_INFO PUSH_NULL RERAISE SET_FUNCTION_ATTRIBUTE",
        "STORE_DEREF STORE_FAST STORE_FAST_LOAD_FAST STORE_FAST_STORE_FAST SWAP",
    )
    for name in line.split()
)

# Not among the signals that the gate holds back, so its handler tells at once where a check
# was, even if the handler of the signal under test has to wait there.
_MARKER: Final = signal.SIGTRAP if hasattr(signal, "SIGTRAP") else signal.SIGABRT


class _Trip(int):
    """A signal number whose attribute `now` makes the signal pending.

    There is no check for signals after the load of an attribute, and the getter is C code
    without one, so the handler does not run here but at the next check that the interrupted
    program comes to. A call of `signal.raise_signal` would run it at once.
    """

    now = property(_thread.interrupt_main)


class Token:
    """A thing to acquire and release, which a `Ledger` keeps account of; a context manager too.

    `acquire()` and `release()` are C code and take no arguments: a signal comes before or after
    them, never in between. So what goes wrong is the fault of the code that calls them.

    .. versionadded:: 0.1.0
    """

    __slots__ = ("acquire", "name", "release")

    def __init__(self, log: list[tuple[bool, str]], name: str) -> None:
        self.name: str = name
        self.acquire: Callable[[], None] = partial(log.append, (True, name))
        self.release: Callable[[], None] = partial(log.append, (False, name))

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class Ledger:
    """Keeps account of what one run of a scenario acquires, releases and fails with.

    >>> ledger = Ledger()
    >>> with ledger.token("a"):
    ...     print(*ledger.faults())
    leak: 'a'
    >>> list(ledger.faults())
    []

    .. versionadded:: 0.1.0
    """

    def __init__(self) -> None:
        self._log: list[tuple[bool, str]] = []
        self._errors: list[tuple[object, BaseException | None]] = []

    def token(self, name: str) -> Token:
        """Make a thing to acquire and release, under a name of its own."""
        return Token(self._log, name)

    def resource(self, name: str) -> Resource[Token, Never]:
        """Make a `Resource` whose value is a token of that name."""
        token = self.token(name)

        def acquire() -> Ok[Token]:
            token.acquire()
            return Ok(token)

        def release(token: Token, exit: Exit) -> None:  # noqa: A002, ARG001 - Release's shape
            token.release()

        return Resource.make(acquire, release)

    def error(self, error: E) -> E:
        """Give an error back, and expect it to be there in the end.

        An exception counts from when it is raised, an `Err` from when it is made here: from
        what the scenario returns or raises it must be reachable, as its cause, its context, a
        member of its group, or suppressed on it.

        >>> def body(ledger):
        ...     raise ledger.error(ValueError("full"))

        .. versionadded:: 0.1.0
        """
        value: object = error
        raised = value if isinstance(value, BaseException) else None
        if isinstance(value, Err):
            value = cast("Err[object]", value).error
        # There is no check for signals from here to the caller's return: with `append` there
        # would be one between the entry and the return, and then the error had never been.
        self._errors += [(value, raised)]
        return error

    def faults(self, outcome: object = None) -> Iterator[Fault]:
        """Say what went wrong, given what the scenario returned or raised.

        .. versionadded:: 0.1.0
        """
        held: list[str] = []
        passed: list[tuple[str, list[str]]] = []
        for acquired, name in self._log:
            if acquired:
                held.append(name)
            elif name in held:
                passed.append((name, held[held.index(name) + 1 :]))
                held.remove(name)
            else:
                yield Fault("double release", repr(name))
        if held:
            yield Fault("leak", ", ".join(map(repr, held)))
        for name, later in passed:
            # What was never released is a leak and no fault of the order.
            before = [other for other in later if other not in held]
            if before:
                yield Fault("wrong order", f"{name!r} before {', '.join(map(repr, before))}")
        kept = _reachable(outcome)
        for value, raised in self._errors:
            if id(value) not in kept and (raised is None or raised.__traceback__ is not None):
                yield Fault("lost error", repr(value))


@attrs.frozen
class Place:
    """An instruction: file and line for people, its offset in the function's code for sure.

    .. versionadded:: 0.1.0
    """

    file: str
    line: int
    function: str
    offset: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.function} +{self.offset}"


@attrs.frozen
class Fault:
    """One thing that a run left wrong.

    Attributes:
        kind: "leak", "double release", "wrong order", "lost error" (not reachable from what the
            scenario gave), "lost signal" (its handler never ran) or "lost handler" (another
            one is installed after the run).
        detail: which one.

    .. versionadded:: 0.1.0
    """

    kind: Kind
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


@attrs.frozen
class Point:
    """One interrupt, or two, at places where handlers ran, and what it left wrong.

    .. versionadded:: 0.1.0
    """

    places: tuple[Place, ...]
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        places = ", then ".join(map(str, self.places)) or "without an interrupt"
        return "\n".join([places, *(f"    {fault}" for fault in self.faults)])


@attrs.frozen
class InjectionReport:
    """What `inject` found; `str()` of it lists the bad places.

    Attributes:
        mode: as given to `inject`.
        runs: how often the scenario was run.
        points: one for each interrupt that reached the scenario; neighbouring places that have
            their next check for signals in common are one point.
        uninterrupted: what is wrong when nothing interrupts at all.

    .. versionadded:: 0.1.0
    """

    mode: Mode
    runs: int
    points: tuple[Point, ...]
    uninterrupted: tuple[Fault, ...]

    @property
    def bad(self) -> tuple[Point, ...]:
        """The points that left something wrong."""
        return tuple(point for point in self.points if point.faults)

    @property
    def is_clean(self) -> bool:
        """Whether no run left anything wrong."""
        return not self.bad and not self.uninterrupted

    def count(self, kind: Kind) -> int:
        """Count the points that left this kind of fault."""
        return sum(any(fault.kind == kind for fault in point.faults) for point in self.points)

    def check(self) -> None:
        """Do nothing when the report is clean.

        Raises:
            AssertionError: when it is not, with the report as its text.
        """
        __tracebackhide__ = True
        if not self.is_clean:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        bad = [Point((), self.uninterrupted)] if self.uninterrupted else []
        lines = [
            (
                f"{len(self.bad)} of {len(self.points)} points are bad (mode {self.mode}, "
                f"{self.runs} runs, CPython {platform.python_version()})"
            ),
            *(f"  {point}" for point in (*bad, *self.bad)),
        ]
        return "\n".join(lines)


class _TooLongError(BaseException):
    """Ends a scenario that came to too many places; nobody is to handle it."""


def _attempt(
    scenario: Callable[[Ledger], object], ledger: Ledger
) -> object:  # pragma: no cover (coverage's tracer is off)
    """Give what the scenario returns or raises; it runs in the frames that this one calls."""
    try:
        return scenario(ledger)
    except BaseException as exc:  # noqa: BLE001 - what it raises is its outcome
        return exc


def _stack(frame: FrameType | None) -> list[_Spot]:  # pragma: no cover (coverage's tracer is off)
    """List where the scenario is, innermost first; empty when `frame` is no part of it."""
    stack: list[_Spot] = []
    while frame is not None:
        if frame.f_code is _attempt.__code__:
            return stack
        if frame.f_code not in _own:
            stack.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return []


def _place(spot: _Spot) -> Place:
    [frame] = resolved(chain(None, [spot]))
    found = cast("Frame", frame)
    return Place(found.file, found.line, found.function, spot[1])


def _is_of_combinators(code: CodeType) -> bool:  # pragma: no cover (coverage's tracer is off)
    """Tell the package's own code, in which the ledger's functions stand for the user's."""
    return code.co_filename.startswith(_FOLDER) and code.co_filename != __file__


def _everywhere(code: CodeType) -> bool:  # noqa: ARG001 - the shape of `where`  # pragma: no cover (coverage's tracer is off)
    return True


def _behind(item: object) -> Iterator[object]:
    if isinstance(item, BaseException):
        yield from (item.__cause__, item.__context__, *item.args)
        yield from vars(item).get("__suppressed__", ())
        if isinstance(item, BaseExceptionGroup):
            yield from cast("BaseExceptionGroup[BaseException]", item).exceptions
    elif isinstance(item, Err):
        yield from (cast("Err[object]", item).error, cast("Err[object]", item).report())
    elif isinstance(item, Ok):
        yield cast("Ok[object]", item).value
    elif isinstance(item, Report):
        yield from (item.error, *item.causes, *item.suppressed)
    elif isinstance(item, list | tuple):
        yield from cast("Iterable[object]", item)
    elif attrs.has(type(item)):
        kind = cast("type[attrs.AttrsInstance]", type(item))
        yield from (getattr(item, field.name, None) for field in attrs.fields(kind))


def _reachable(outcome: object) -> dict[int, object]:
    """List by id what can be found from an outcome by a reader who follows every link."""
    found: dict[int, object] = {}
    todo = [outcome]
    while todo:
        item = todo.pop()
        if id(item) not in found:
            found[id(item)] = item
            todo.extend(_behind(item))
    return found


class _Injector:
    """Runs a scenario with interrupts, and puts everything back that this takes.

    To count places a tracer is called before each instruction of the selected code. At the
    chosen one it goes out of the way and makes the signal pending; the interpreter runs the
    handler at the program's own next check. A tracer that stayed on would come to that check
    first. The marker, a second signal, tells where it was and turns the tracer on again.
    """

    _is_active = False

    def __init__(  # noqa: PLR0913, PLR0917 - private; what `inject` was given
        self,
        scenario: Callable[[Ledger], object],
        mode: Mode,
        signum: int,
        handler: Handler,
        where: Callable[[CodeType], bool] | None,
        leaks: Callable[[], object] | None,
        limit: int,
    ) -> None:
        default = _is_of_combinators if mode == "opcode" else _everywhere
        self._scenario = scenario
        self._mode: Final = mode
        self._signum = signum
        self._handler = handler
        self._where = where or default
        self._leaks = leaks
        self._limit = limit
        self._trips = (_Trip(_MARKER), _Trip(signum))
        self._stops: dict[int, tuple[CodeType, bytes]] = {}
        # A trace function that switches itself off is freed while it runs, unless somebody
        # holds it, and CPython 3.11 crashes then.
        self._tracer = self._trace
        self._on_signal_ref = self._on_signal
        self._count = self._target = self._second = self._tripped = self._ran = self._pid = 0
        self._is_due = False
        self._stacks: list[list[_Spot]] = []  # one for each interrupt: where the handler ran
        self._tripped_at: list[_Spot] = []
        self._raised: list[BaseException] = []
        self._seconds = 0.0
        self.runs = 0
        self.uninterrupted: tuple[Fault, ...] = ()

    # Setting up

    def __enter__(self) -> Self:
        if _Injector._is_active:  # pragma: no cover (coverage's tracer is off)
            raise RuntimeError("inject was called by a scenario of inject: call it on its own")
        if sys.version_info >= (3, 12):  # pragma: no cover (one of the two is not there)
            self._tool = self._free_tool()
            sys.monitoring.use_tool_id(self._tool, __name__)
            sys.monitoring.set_events(self._tool, sys.monitoring.events.INSTRUCTION)
            sys.monitoring.restart_events()
        _Injector._is_active = True
        # With a scope open around it, the last one of the scenario's would put no handlers back.
        self._around = _signals.set_aside()
        self._before = (
            signal.signal(self._signum, self._on_signal_ref),
            signal.signal(_MARKER, self._on_marker),
            sys.unraisablehook,
            gc.isenabled(),
        )
        sys.unraisablehook = self._on_unraisable
        # Finalizers that run whenever the collector feels like it are no part of the scenario.
        gc.disable()
        return self

    def __exit__(self, *_: object) -> None:
        handler, marker, hook, is_collecting = self._before
        signal.signal(self._signum, handler)
        signal.signal(_MARKER, marker)
        _signals.bring_back(self._around)
        sys.unraisablehook = hook
        if is_collecting:
            gc.enable()
        if sys.version_info >= (3, 12):  # pragma: no cover (one of the two is not there)
            sys.monitoring.set_events(self._tool, 0)
            sys.monitoring.free_tool_id(self._tool)
        _Injector._is_active = False

    if sys.version_info >= (3, 12):  # pragma: no cover (one of the two is not there)

        @staticmethod
        def _free_tool() -> int:
            # 0 to 2 and 5 are for debuggers, coverage, profilers and optimizers.
            for tool in (4, 3):
                if sys.monitoring.get_tool(tool) is None:
                    return tool
            raise RuntimeError(
                "sys.monitoring has no free tool id, 3 is taken by "
                f"{sys.monitoring.get_tool(3)!r} and 4 by {sys.monitoring.get_tool(4)!r}: "
                "run inject in a process without them"
            )

        def _resume(self, frame: FrameType | None) -> None:  # noqa: ARG002 - for 3.11  # pragma: no cover (coverage's tracer is off)
            sys.monitoring.register_callback(
                self._tool, sys.monitoring.events.INSTRUCTION, self._instruction
            )

        def _pause(self) -> None:  # pragma: no cover (coverage's tracer is off)
            sys.monitoring.register_callback(self._tool, sys.monitoring.events.INSTRUCTION, None)

        def _instruction(
            self, code: CodeType, offset: int
        ) -> object:  # pragma: no cover (coverage's tracer is off)
            if threading.get_ident() != _main_thread:
                return None
            if not self._stops_of(code)[offset // 2]:
                return sys.monitoring.DISABLE
            return self._step()

    else:

        def _resume(
            self, frame: FrameType | None
        ) -> None:  # pragma: no cover (coverage's tracer is off)
            sys.settrace(self._tracer)
            # These were entered while there was no tracer.
            while frame is not None and frame.f_code is not _attempt.__code__:
                if frame.f_code not in _own and self._where(frame.f_code):
                    frame.f_trace, frame.f_trace_opcodes = self._tracer, True
                frame = frame.f_back

        def _pause(self) -> None:  # pragma: no cover (coverage's tracer is off)
            sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:  # noqa: ANN401, ARG002 - as settrace wants it  # pragma: no cover (coverage's tracer is off)
        if event == "opcode":
            if self._stops_of(frame.f_code)[frame.f_lasti // 2]:
                self._step()
        elif event == "call":
            if frame.f_code in _own or not self._where(frame.f_code):
                return None
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        return self._tracer

    def _stops_of(self, code: CodeType) -> bytes:  # pragma: no cover (coverage's tracer is off)
        """Tell for each instruction of a function whether it is a place for an interrupt."""
        found = self._stops.get(id(code))
        if found is None:
            raw = code.co_code
            stops = bytearray(len(raw) // 2)
            if code not in _own and self._where(code):
                stop = False
                for index in reversed(range(len(stops))):
                    name = opcode.opname[raw[2 * index]]
                    if name != "EXTENDED_ARG":  # goes with the instruction that it extends
                        stop = self._mode == "opcode" or name not in _PASSIVE
                    stops[index] = stop
            # The code object is held, so that no other one gets its id.
            found = self._stops[id(code)] = (code, bytes(stops))
        return found[1]

    # Interrupting

    def _step(self) -> None:  # pragma: no cover (coverage's tracer is off)
        self._count += 1
        if self._count == self._target:
            self._pause()
            if os.getpid() != self._pid:
                return  # a forked child counts on, but is not what is tested
            self._tripped += 1
            self._is_due = True
            self._tripped_at = _stack(_signals.caller(1))
            if self._mode == "opcode":
                self._stacks.append(self._tripped_at)
                raise self._noted(KeyboardInterrupt())
            marker, trip = self._trips
            marker.now  # noqa: B018 - see _Trip
            trip.now  # noqa: B018
        elif self._count > self._limit:
            self._pause()
            raise _TooLongError

    def _noted(
        self, exc: BaseException
    ) -> BaseException:  # pragma: no cover (coverage's tracer is off)
        self._raised.append(exc)
        return exc

    def _arrive(
        self, frame: FrameType | None
    ) -> bool:  # pragma: no cover (coverage's tracer is off)
        """Note where a handler runs, if the scenario does still run."""
        stack = _stack(frame)
        if stack and len(self._stacks) < self._tripped:
            self._stacks.append(stack)
            if self._second:
                self._count, self._target, self._second = 0, self._second, 0
                self._resume(frame)
        return bool(stack)

    def _on_marker(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler  # pragma: no cover (coverage's tracer is off)
        self._arrive(frame)

    def _on_signal(
        self, signum: int, frame: FrameType | None
    ) -> None:  # pragma: no cover (coverage's tracer is off)
        self._ran += 1
        self._is_due = False
        if self._mode == "timer":
            self._tripped += 1
        # Not `frame`: that of a signal which had to wait is wherever it is delivered.
        if self._arrive(_signals.caller(1)):
            try:
                self._handler(signum, frame)
            except BaseException as exc:
                self._raised += [exc]
                raise

    def _on_unraisable(
        self, unraisable: sys.UnraisableHookArgs
    ) -> None:  # pragma: no cover (coverage's tracer is off)
        # What a destructor swallowed is reported as lost, and need not be printed too.
        if all(unraisable.exc_value is not exc for exc in self._raised):
            self._before[2](unraisable)

    # Running

    def _run(self, first: int = 0, second: int = 0, delay: float = 0.0) -> tuple[Fault, ...]:
        """Run the scenario once, and judge it."""
        self.runs += 1
        if self.runs > self._limit:
            raise self._endless("runs")
        self._pid = os.getpid()
        self._count, self._target, self._second = 0, first, second
        self._tripped = self._ran = 0
        self._is_due = False
        self._stacks = []
        self._raised = []
        before = self._leaks() if self._leaks else None
        ledger, outcome = self._perform(delay)
        signal.pthread_sigmask(signal.SIG_BLOCK, ())  # it checks for signals
        if isinstance(outcome, _TooLongError):
            raise self._endless("places")
        faults = [*ledger.faults(outcome), *self._faults(outcome)]
        after = self._leaks() if self._leaks else None
        if before != after:
            faults.append(Fault("leak", f"{before!r} before, {after!r} after"))
        del outcome, ledger
        _signals.deliver(None)  # what was lost must not turn up in the next run,
        gc.collect(0)  # nor must what only a cycle holds end there
        return tuple(faults)

    def _perform(
        self, delay: float
    ) -> tuple[Ledger, object]:  # pragma: no cover (coverage's tracer is off)
        """Run the scenario once with a tracer; or with a timer, until that has expired."""
        outside = sys.gettrace()
        sys.settrace(None)
        if delay:
            signal.setitimer(signal.ITIMER_REAL, delay)
        if self._mode != "timer":
            self._resume(None)
        while True:
            ledger = Ledger()
            started = perf_counter()
            outcome = _attempt(self._scenario, ledger)
            self._seconds = perf_counter() - started
            # No timer is fine enough to hit a scenario of microseconds at a wanted place. A
            # signal that the kernel gave to another thread may be noticed late or never.
            if not delay or self._ran or not signal.getitimer(signal.ITIMER_REAL)[0]:
                break
        self._pause()
        sys.settrace(outside)
        return ledger, outcome

    def _faults(self, outcome: object) -> Iterator[Fault]:
        kept = _reachable(outcome)
        for exc in self._raised:
            if id(exc) not in kept:
                yield Fault("lost error", repr(exc))
        # Two that wait for their handler at once are one, as with the kernel's.
        if self._mode == "signal" and self._is_due:
            yield Fault("lost signal", signal.Signals(self._signum).name)
        found = signal.getsignal(self._signum)
        if found != self._on_signal_ref:
            yield Fault("lost handler", f"{found!r} in place of the one before")
            signal.signal(self._signum, self._on_signal_ref)

    def _endless(self, what: str) -> RuntimeError:
        return RuntimeError(
            f"the scenario came to more than {self._limit} {what}: make it end, make it do the "
            "same in each run, narrow it by `where`, or raise `limit`"
        )

    def sweep(self, pairs: int) -> list[Point]:
        """Interrupt at each place in turn, until nothing is interrupted any more."""
        points: list[Point] = []
        last: list[list[_Spot]] = []
        self.uninterrupted = self._run()
        for first in count(1):
            for second in count(1, pairs) if pairs else (0,):
                faults = self._run(first, second)
                if not self._tripped:
                    return points
                if not self._stacks and faults != self.uninterrupted:
                    # Another handler ran, none did, or the scenario had ended by then.
                    self._stacks.append(self._tripped_at)
                if self._stacks and self._stacks == last:
                    # Neither of the two places has a check: it was the same one after both.
                    earlier = points.pop().faults
                    kinds = {fault.kind for fault in earlier}
                    faults = (*earlier, *(fault for fault in faults if fault.kind not in kinds))
                if self._stacks:
                    points.append(self._point(faults))
                last = self._stacks
                if second and self._tripped == 1:
                    break
        raise AssertionError  # pragma: no cover (counting has no end)

    def rain(self, hits: int) -> list[Point]:
        """Have the kernel interrupt at random times, until enough have hit the scenario."""
        points: list[Point] = []
        self.uninterrupted = self._run()
        seconds = self._seconds + 1e-4
        while len(points) < hits:
            # A delay of 0 would switch the timer off.
            faults = self._run(delay=random.uniform(1e-6, seconds))  # noqa: S311 - no secret
            if self._stacks:
                points.append(self._point(faults))
        return points

    def _point(self, faults: tuple[Fault, ...]) -> Point:
        return Point(tuple(_place(stack[0]) for stack in self._stacks), faults)


_FOLDER: Final = os.path.dirname(__file__)  # noqa: PTH120 - pathlib costs more than this module
_main_thread: Final = threading.main_thread().ident
_own: Final = {
    function.__code__
    for function in (*vars(_Injector).values(), _attempt, _stack)
    if isinstance(function, FunctionType)
}


def inject(  # noqa: PLR0913 - each is a choice of the user's
    scenario: Callable[[Ledger], object],
    *,
    mode: Mode = "signal",
    signum: int = signal.SIGINT,
    where: Callable[[CodeType], bool] | None = None,
    leaks: Callable[[], object] | None = None,
    pairs: int = 0,
    hits: int = 1000,
    limit: int = 100_000,
) -> InjectionReport:
    """Run a scenario with an interrupt at one place after the other; tell what each left wrong.

    The scenario must do the same in each run. It is judged as soon as it has returned or raised:
    what only the garbage collector would free later, counts as leaked. It may fail; its own
    exceptions end the run and nothing else.

    Args:
        scenario: is given a fresh `Ledger`; use its tokens and resources, or your own and `leaks`.
        mode: "signal": a signal at each place where CPython can run its handler. "opcode": a
            `KeyboardInterrupt` before each single instruction, which no signal can do but a
            debugger can. "timer": real signals from the kernel, SIGALRM, at random times.
        signum: the signal, for mode "signal"; it has a handler, which usually raises.
        where: tells in which code to interrupt; by default, all that the scenario runs in this
            thread, and in mode "opcode" resultflow's own.
        leaks: is called before and after each run; two unequal answers are a leak. Open files,
            children, locks: whatever can be counted.
        pairs: when not 0, each signal is followed by a second one, 1, 1 + pairs, 1 + 2 * pairs
            ... places later.
        hits: how many signals must reach the scenario, for mode "timer".
        limit: how many places and how many runs are too many.

    Raises:
        ValueError: when an argument is wrong, or no interrupt reached the scenario.
        RuntimeError: outside the main thread, inside another `inject`, when no tool id of
            `sys.monitoring` is free, and when `limit` is reached.

    >>> def scenario(ledger):
    ...     token = ledger.token("a")
    ...     token.acquire()
    ...     try:
    ...         return len("work")
    ...     finally:
    ...         token.release()
    >>> [point] = inject(scenario).bad
    >>> print(*point.faults)
    leak: 'a'

    .. versionadded:: 0.1.0
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            f"inject was called in {threading.current_thread().name!r}, but Python runs signal "
            "handlers in the main thread only: call it there"
        )
    if mode not in {"signal", "opcode", "timer"}:
        raise ValueError(f"mode must be 'signal', 'opcode' or 'timer', but is {mode!r}")
    if pairs < 0 or (pairs and mode != "signal"):
        raise ValueError(f"pairs is a stride for mode 'signal', but is {pairs!r} for {mode!r}")
    if signum == _MARKER:
        raise ValueError(f"inject needs {_MARKER.name} for itself: choose another signal")
    handler: object = signal.default_int_handler
    if mode == "signal":
        handler = signal.getsignal(signum)
        if isinstance(handler, _signals.Gate):
            handler = handler.stands_for
    elif mode == "timer":
        signum = signal.SIGALRM
    if not callable(handler):
        raise ValueError(  # noqa: TRY004 - it is `signum` that is wrong
            f"{signal.Signals(signum).name} has no handler that could raise: install one with "
            "signal.signal, signal.default_int_handler for one"
        )
    with (
        _uninspected.paused(),
        _Injector(scenario, mode, signum, handler, where, leaks, limit) as injector,
    ):
        points = injector.rain(hits) if mode == "timer" else injector.sweep(pairs)
        if not points:
            raise ValueError(
                "no interrupt reached the scenario: it runs no Python code that `where` selects"
            )
        return InjectionReport(mode, injector.runs, tuple(points), injector.uninterrupted)


Inject: TypeAlias = "Callable[..., InjectionReport]"
"""What the pytest fixture `inject` is: `inject`, which fails the test where it is not clean."""
