"""`Resource`: acquire, use, release, where the release cannot be skipped."""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
from contextvars import copy_context
from functools import lru_cache, partial
from itertools import repeat, starmap
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar, cast, overload

from resultflow import _signals
from resultflow._result import Err, Ok, ResultBase, err_with, extended
from resultflow._safe import failed, is_async
from resultflow._trace import Report, Suppressed, add_notes, chain
from resultflow.errors import EarlyReturn, ReleaseFailed, ReleaseTimedOut
from resultflow.exits import Cancelled, Failed, Raised, Succeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import CodeType, FrameType, TracebackType
    from typing import Any, Never, NoReturn, TypeAlias

    from resultflow._result import Result
    from resultflow.exits import Exit

__all__ = ["Close", "Resource"]

T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E")
F = TypeVar("F")
R = TypeVar("R")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")
T7 = TypeVar("T7")
T8 = TypeVar("T8")
E1 = TypeVar("E1")
E2 = TypeVar("E2")
E3 = TypeVar("E3")
E4 = TypeVar("E4")
E5 = TypeVar("E5")
E6 = TypeVar("E6")
E7 = TypeVar("E7")
E8 = TypeVar("E8")
T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)


class _Closable(Protocol):
    def close(self) -> object: ...


C = TypeVar("C", bound=_Closable)

Release: TypeAlias = "Callable[[Any, Exit], object]"
Failure: TypeAlias = "tuple[str, object]"
"""A release's label, and the `Err` that it returned or the exception that it raised."""

_LAST: Final = (-1,)
_NO_ARGUMENTS: Final = ((),)
_NO_ARGUMENTS_EVER: Final = repeat(())
_VALUE: Final = attrgetter("value")

_EXIT_SECONDS: Final = 10.0
"""How long the interpreter's end waits for a thread that is closing something."""
_AT_EXIT: Final = "the interpreter ends"
_BEFORE_OTHERS: Final = 100
"""A priority among finalizers of multiprocessing, whose own have 15 at the most."""


# A resource is a tree of these. It is walked with a list of what is still to do, never by
# recursion, so a chain of any length costs the same per link.


class Make(NamedTuple):
    """An acquire and its release."""

    acquire: Callable[[], Any]
    release: Release
    label: str
    is_async: bool = False
    is_manager: bool = False


class _Pure:
    # Not a NamedTuple, nor those below: making one of those classes takes as long as importing
    # one of this package's modules.
    __match_args__ = ("value",)
    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value: object = value


class _Map(NamedTuple):
    source: Node
    f: Callable[[Any], object]


class _AndThen(NamedTuple):
    source: Node
    f: Callable[[Any], Any]
    node_of: Callable[[object, object], Node]
    """How to look into what `f` made."""


class _All(NamedTuple):
    sources: tuple[Node, ...]
    build: Callable[[list[Any]], object]


class _Attempt:
    __match_args__ = ("source",)
    __slots__ = ("source",)

    def __init__(self, source: Node) -> None:
        self.source: Node = source


class _Within:
    __match_args__ = ("source", "seconds")
    __slots__ = ("seconds", "source")

    def __init__(self, source: Node, seconds: float) -> None:
        self.source: Node = source
        self.seconds: float = seconds


# And these stand for one of them that is under way.


class _Gathering:
    __match_args__ = ("rest", "values", "build")
    __slots__ = ("build", "rest", "values")

    def __init__(self, rest: Iterator[Node], build: Callable[[list[Any]], object]) -> None:
        self.rest = rest
        self.values: list[Any] = []
        self.build = build


class _Attempting:
    __match_args__ = ("mark",)
    __slots__ = ("mark",)

    def __init__(self, mark: int) -> None:
        self.mark = mark
        """How much was held before."""


class _Limited:
    __match_args__ = ("outer",)
    __slots__ = ("outer",)

    def __init__(self, outer: float | None) -> None:
        self.outer = outer
        """The deadline of releases outside."""


Node: TypeAlias = "Make | _Pure | _Map | _AndThen | _All | _Attempt | _Within"
_Todo: TypeAlias = "_Map | _AndThen | _Gathering | _Attempting | _Limited"


class Resource(Generic[T_co, E_co]):
    """How to acquire a value and how to release it: a value itself, which does nothing yet.

    `use` acquires, runs a body and releases; `open` does so for a `with` block. For each
    acquire that gave an `Ok`, its release runs exactly once, in reverse order of acquisition,
    whether the body returns an `Ok` or an `Err`, raises, leaves by `bind`, or a signal handler
    raises at any point; a release that fails does not stop the others. In acquire and
    release, signal handlers wait; they run at the start of the body or after the last release.

    Nothing is lost and nothing is replaced. When the body failed, its `Err` or exception stays
    and what failed after it is `suppressed` on it (for an exception: notes, and the attribute
    `__suppressed__`). When the body succeeded, a release that returned an `Err` makes the whole
    `Err(ReleaseFailed(...))`, and one that raised is a bug, whose exception propagates.

    What cannot be promised: SIGKILL, `os._exit`, a crash of the interpreter, a signal whose
    action is the system's default (`resultflow.run` gives the usual ones a handler), and
    exceptions that a debugger or `PyThreadState_SetAsyncExc` puts into a function.

    >>> from resultflow import Result
    >>> def connect(name: str) -> Resource[str, str]:
    ...     def acquire() -> Result[str, str]:
    ...         return Err("no route") if name == "moon" else Ok(name)
    ...
    ...     return Resource.make(acquire, lambda name, exit: print("close", name))
    >>> connect("a").both(connect("b")).use(lambda pair: Ok("+".join(pair)))
    close b
    close a
    Ok('a+b')
    >>> connect("a").both(connect("moon")).use(lambda pair: Ok("+".join(pair)))
    close a
    Err('no route')

    .. versionadded:: 0.1.0
    """

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    # Making

    @overload
    @staticmethod
    def make(
        acquire: Callable[[], ResultBase[T, E]],
        release: Callable[[T, Exit], ResultBase[object, R]],
    ) -> Resource[T, E | ReleaseFailed[R]]: ...
    @overload
    @staticmethod
    def make(
        acquire: Callable[[], ResultBase[T, E]], release: Callable[[T, Exit], None]
    ) -> Resource[T, E]: ...
    @staticmethod
    def make(
        acquire: Callable[[], ResultBase[T, E]], release: Callable[[T, Exit], object]
    ) -> Resource[T, Any]:
        """Describe a resource by two functions.

        Args:
            acquire: gives `Ok` of the value, or an `Err` when there is nothing to release.
            release: is given the value and how the scope ended (`Succeeded`, `Failed`,
                `Raised` or `Cancelled`). It returns None, or a Result when it can fail, and
                then the error type of the resource includes `ReleaseFailed`.

        >>> log = []
        >>> resource = Resource.make(lambda: Ok("db"), lambda db, exit: log.append(exit))
        >>> resource.use(lambda db: Ok(db.upper()))
        Ok('DB')
        >>> log
        [Succeeded(value='DB')]

        .. versionadded:: 0.1.0
        """
        return Resource(make_node(acquire, release, label_of(release)))

    @staticmethod
    def pure(value: T) -> Resource[T, Never]:
        """Give a value that needs no release the shape of a resource.

        >>> Resource.pure(3).use(lambda n: Ok(n + 1))
        Ok(4)

        .. versionadded:: 0.1.0
        """
        return Resource(_Pure(value))

    @staticmethod
    def closing(acquire: Callable[[], ResultBase[C, E]]) -> Resource[C, E]:
        """Release by the value's own `close()`.

        >>> from resultflow import safe
        >>> Resource.closing(lambda: safe(OSError)(open)("no/such/file")).use(Ok)
        Err(FileNotFoundError(2, 'No such file or directory'))

        .. versionadded:: 0.1.0
        """

        def close(value: _Closable, exit: Exit) -> None:  # noqa: A002, ARG001 - Release's shape
            value.close()

        return Resource(make_node(acquire, close, f"{label_of(acquire)}.close"))

    @staticmethod
    def from_context_manager(
        factory: Callable[[], AbstractContextManager[T, Any]],
    ) -> Resource[T, Never]:
        """Use a context manager as a resource: `__enter__` acquires, `__exit__` releases.

        `__exit__` sees an exception exactly when the scope was left by one; for an `Err` it is
        called as after success, since it could not be told. An exception that it would swallow
        propagates.

        Raises:
            TypeError: when the manager is a generator with a bare `yield`, so that an exception
                in the body would skip what follows it. Where `factory` hides the generator (a
                lambda), the acquire raises this, before the generator has begun.

        >>> from contextlib import nullcontext
        >>> Resource.from_context_manager(lambda: nullcontext(3)).use(Ok)
        Ok(3)

        .. versionadded:: 0.1.0
        """
        check_callable(factory, "factory")
        refuse_bare_yield(factory)

        def acquire() -> Ok[tuple[AbstractContextManager[T, Any], T]]:
            manager = factory()
            refuse_bare_yield(manager)
            return Ok((manager, manager.__enter__()))

        def release(held: tuple[AbstractContextManager[T, Any], T], exit: Exit) -> None:  # noqa: A002 - Release's shape
            held[0].__exit__(*exc_info_of(exit))

        source: Node = make_node(acquire, release, f"{label_of(factory)}.__exit__")
        return Resource(map_node(source, second))

    # Composing

    def map(self, f: Callable[[T_co], U]) -> Resource[U, E_co]:
        """Change the value that the body sees; the release still gets the original.

        >>> Resource.pure(3).map(str).use(Ok)
        Ok('3')

        .. versionadded:: 0.1.0
        """
        return Resource(map_node(self._node, f))

    def and_then(self, f: Callable[[T_co], Resource[U, F]]) -> Resource[U, E_co | F]:
        """Acquire this, then the resource that `f` makes of its value; release in reverse.

        >>> Resource.pure(3).and_then(lambda n: Resource.pure(n + 1)).use(Ok)
        Ok(4)

        .. versionadded:: 0.1.0
        """
        return Resource(chain_node(self._node, f, node_of))

    def both(self, other: Resource[U, F]) -> Resource[tuple[T_co, U], E_co | F]:
        """Acquire this, then `other`; the body sees both values.

        >>> Resource.pure(1).both(Resource.pure("a")).use(Ok)
        Ok((1, 'a'))

        .. versionadded:: 0.1.0
        """
        return Resource(both_node(self._node, node_of(other, "both() takes")))

    @overload
    @staticmethod
    def all_of(resources: Iterable[Resource[T, E]], /) -> Resource[list[T], E]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: Resource[T1, E1],
        resource2: Resource[T2, E2],
        /,
    ) -> Resource[tuple[T1, T2], E1 | E2]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: Resource[T1, E1],
        resource2: Resource[T2, E2],
        resource3: Resource[T3, E3],
        /,
    ) -> Resource[tuple[T1, T2, T3], E1 | E2 | E3]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: Resource[T1, E1],
        resource2: Resource[T2, E2],
        resource3: Resource[T3, E3],
        resource4: Resource[T4, E4],
        /,
    ) -> Resource[tuple[T1, T2, T3, T4], E1 | E2 | E3 | E4]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: Resource[T1, E1],
        resource2: Resource[T2, E2],
        resource3: Resource[T3, E3],
        resource4: Resource[T4, E4],
        resource5: Resource[T5, E5],
        /,
    ) -> Resource[tuple[T1, T2, T3, T4, T5], E1 | E2 | E3 | E4 | E5]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: Resource[T1, E1],
        resource2: Resource[T2, E2],
        resource3: Resource[T3, E3],
        resource4: Resource[T4, E4],
        resource5: Resource[T5, E5],
        resource6: Resource[T6, E6],
        /,
    ) -> Resource[tuple[T1, T2, T3, T4, T5, T6], E1 | E2 | E3 | E4 | E5 | E6]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: Resource[T1, E1],
        resource2: Resource[T2, E2],
        resource3: Resource[T3, E3],
        resource4: Resource[T4, E4],
        resource5: Resource[T5, E5],
        resource6: Resource[T6, E6],
        resource7: Resource[T7, E7],
        /,
    ) -> Resource[tuple[T1, T2, T3, T4, T5, T6, T7], E1 | E2 | E3 | E4 | E5 | E6 | E7]: ...
    @overload
    @staticmethod
    def all_of(
        resource1: Resource[T1, E1],
        resource2: Resource[T2, E2],
        resource3: Resource[T3, E3],
        resource4: Resource[T4, E4],
        resource5: Resource[T5, E5],
        resource6: Resource[T6, E6],
        resource7: Resource[T7, E7],
        resource8: Resource[T8, E8],
        /,
    ) -> Resource[
        tuple[T1, T2, T3, T4, T5, T6, T7, T8], E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8
    ]: ...
    @staticmethod
    def all_of(*resources: Any) -> Resource[Any, Any]:
        """Acquire each in order, release in reverse; the body sees all the values.

        Of resources one by one (two to eight, of any types) that is a tuple of their values, of
        one iterable of resources a list.

        >>> Resource.all_of(Resource.pure(1), Resource.pure("a"), Resource.pure(None)).use(Ok)
        Ok((1, 'a', None))
        >>> Resource.all_of(Resource.pure(n) for n in range(3)).use(Ok)
        Ok([0, 1, 2])

        .. versionadded:: 0.1.0
        """
        return Resource(all_node(resources, node_of))

    def attempt(self) -> Resource[Ok[T_co] | Err[E_co], ReleaseFailed[object]]:
        """Give the body the Result of the acquire: `Ok` of the value, or the `Err` it failed with.

        After an `Err`, what had been acquired of this resource is released before the body
        begins. What is left in the error type is `ReleaseFailed`, when a release failed and the
        body did not.

        >>> Resource.closing(lambda: Err("no cache")).attempt().use(lambda cache: Ok(cache.ok()))
        Ok(None)

        .. versionadded:: 0.1.0
        """
        return Resource(attempt_node(self._node))

    @overload
    def on_exit(
        self, f: Callable[[Exit], ResultBase[object, R]]
    ) -> Resource[T_co, E_co | ReleaseFailed[R]]: ...
    @overload
    def on_exit(self, f: Callable[[Exit], None]) -> Resource[T_co, E_co]: ...
    def on_exit(self, f: Callable[[Exit], object]) -> Resource[T_co, Any]:
        """Call `f` after the release, however the scope ended; also when the acquire failed.

        `f` is a release that is given no value: it sees how the scope ended, runs exactly once,
        and returns None, or a Result when it can fail.

        >>> Resource.pure(3).on_exit(print).use(Ok)
        Succeeded(value=3)
        Ok(3)

        .. versionadded:: 0.1.0
        """
        check_callable(f, "what on_exit() is given")

        def acquire() -> Ok[None]:
            return Ok(None)

        def release(_: None, exit: Exit) -> object:  # noqa: A002 - Release's shape
            return f(exit)

        node = both_node(make_node(acquire, release, label_of(f)), self._node)
        return Resource(map_node(node, second))

    def release_within(
        self, seconds: float
    ) -> Resource[T_co, E_co | ReleaseFailed[ReleaseTimedOut]]:
        """Give each release of this resource `seconds`; one that takes longer is left behind.

        The other releases still run, and the failure, `ReleaseTimedOut`, says which one hung and
        where. Each release runs in a thread of its own, since nothing else can be left behind:
        not for a value that only the thread may use that made it (an `RLock`, a `sqlite3`
        connection). Where two limits meet, the shorter one counts.

        Raises:
            ValueError: when `seconds` is no time to wait.

        >>> import threading
        >>> stuck = Resource.make(lambda: Ok(3), lambda n, exit: threading.Event().wait(600))
        >>> print(stuck.release_within(0.01).use(Ok).err().failures[0].seconds)
        0.01

        .. versionadded:: 0.1.0
        """
        return Resource(within_node(self._node, seconds))

    # Using

    @_signals.critical
    def use(self, body: Callable[[T_co], ResultBase[U, F]]) -> Ok[U] | Err[E_co | F]:
        """Acquire, run `body` on the value, release; give what `body` gave.

        `Ok`: what `body` returned, when every release went well. `Err`: that of the acquire
        which failed, or of the body with failed releases `suppressed` on it, or
        `ReleaseFailed` when only releases failed.

        Raises:
            TypeError: when `body` is not callable; when it returns no Result, after the releases.

        >>> Resource.pure(3).use(lambda n: Err("odd") if n % 2 else Ok(n))
        Err('odd')

        .. versionadded:: 0.1.0
        """
        check_callable(body, "the body that use() is given")
        scope = Scope()
        outcome: Ok[U] | Err[E_co | F]
        try:
            try:
                _signals.enter(scope)
                acquired = scope.acquire(self._node)
                if isinstance(acquired, Ok):
                    _run_body(body, acquired.value, scope.outcome)
                    check_result(scope.outcome[0], body)
                outcome = scope.finish()
            except BaseException as exc:
                scope.abandon(exc)
                raise
            scope.end(_signals.caller(1))
        except BaseException:
            scope.end(_signals.caller(1))
            raise
        # No call from here on: the handlers are back, and what they raise would hide an `Err`.
        return outcome

    def open(self) -> AbstractContextManager[T_co, None]:
        """Acquire for a `with` block; release when it ends, however it ends.

        Prefer `use`: a `with` block cannot see an `Err` that the function returns from inside
        it, so the release is told `Succeeded(None)` then.

        Raises:
            UnwrapError: from the `with` statement, when the acquire gave an `Err` (which it
                reports), or when only releases failed.

        >>> with Resource.pure(3).open() as n:
        ...     print(n)
        3

        .. versionadded:: 0.1.0
        """
        return _Opened(self._node)

    @_signals.critical
    def allocated(self) -> Ok[tuple[T_co, Close]] | Err[E_co]:
        """Acquire, and give the value with the function that releases; `Err` of the acquire.

        It is for frameworks with a start and a stop, where no function spans both. Nothing can
        promise that you call `close`, so prefer `use`; what is still open when the interpreter
        ends is released then.

        >>> connection = Resource.make(lambda: Ok("db"), lambda db, exit: print("close", db))
        >>> value, close = connection.allocated().unwrap()
        >>> close(), close()
        close db
        (Ok(None), Ok(None))

        .. versionadded:: 0.1.0
        """
        scope = Scope()
        frame = _signals.caller(1)
        outcome: Err[E_co]
        try:
            try:
                _signals.enter(scope)
                acquired = scope.acquire(self._node)
                if isinstance(acquired, Ok):
                    close = Close(scope)
                    kept = Ok((acquired.value, close))
                    _keep(scope, close)
                    # Last, since what the handlers raise has to release.
                    _signals.deliver(frame)
                    _signals.leave(scope, frame)
                    return kept
                outcome = scope.finish()
            except BaseException as exc:
                scope.abandon(exc)
                raise
            scope.end(frame)
        except BaseException:
            scope.end(frame)
            raise
        return outcome


class Close:
    """What `Resource.allocated` gives to release by: exactly once, from any thread.

    Calling it gives `Ok(None)` when every release went well, `Err(ReleaseFailed(...))` when
    some failed. A second call has nothing left to do: it waits for the first, and gives
    `Ok(None)`.

    >>> resource = Resource.make(lambda: Ok("db"), lambda db, exit: print(exit))
    >>> db, close = resource.allocated().unwrap()
    >>> close(Failed("no more requests"))
    Failed(error='no more requests')
    Ok(None)

    .. versionadded:: 0.1.0
    """

    __slots__ = ("_lock", "_scope")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._lock = threading.RLock()

    @_signals.forceable
    def __call__(self, exit: Exit = Succeeded(None)) -> Result[None, ReleaseFailed[object]]:  # noqa: A002, B008 - the public word; it never changes
        """Release, telling the releases how it ended.

        Args:
            exit: what they are given; by default `Succeeded(None)`.

        Raises:
            TypeError: when `exit` is not one of the four that there are.
            BaseException: what a release raised, as from `Resource.use`.
        """
        check_exit(exit)
        scope = self._scope
        if scope.is_of_parent():
            return Ok(None)  # nor may it wait for the lock, which a thread of the parent may hold
        user = Scope()  # several threads may be in here
        outcome: Result[None, ReleaseFailed[object]]
        try:
            _signals.enter(user)
            _wait_for(self._lock)
            try:
                scope.release(exit)
                _allocated.pop(id(scope), None)
                scope.outcome[:] = [Ok(None)]
                outcome = scope.settled()
            except BaseException as exc:
                scope.abandon(exc)
                raise
            finally:
                self._lock.release()
        finally:
            user.end(_signals.caller(1))
        return outcome

    def at_exit(self, failures: Scope) -> None:
        """Release when the interpreter ends; what another thread is at is left to that one."""
        if self._scope.is_of_parent():
            return  # a thread of the parent may hold the lock
        if self._lock.acquire(timeout=_EXIT_SECONDS):  # pragma: no branch (a thread hangs in it)
            self._scope.release(Cancelled(SystemExit(_AT_EXIT)))
            failures.take(self._scope)
            self._lock.release()


def _wait_for(lock: threading.RLock) -> None:
    """Wait, and let a third signal cut that short: who holds the lock may hang."""
    lock.acquire()


class Scope:
    """One run of acquire, body and release; private to this package.

    An exception that somebody puts between any two of its instructions (a debugger does, signal
    handlers do not) costs no release: a call and the note that it was made are one instruction
    here, in C, and every step can be cut short and taken up again by `abandon` and `end`.
    """

    __slots__ = (
        *("_failures", "_generation", "_held", "_leaves", "_releasing", "outcome"),
        "__weakref__",
    )

    def __init__(self) -> None:
        # What the acquires gave, in order, and beside each what it is released by.
        self._held: list[ResultBase[Any, Any]] = []
        self._leaves: list[tuple[Make, float | None]] = []
        self._releasing: str | None = None
        self._failures: list[Failure] = []
        self._generation = _signals.generation()
        self.outcome: list[ResultBase[Any, Any]] = []
        """What the scope gives: one, or none yet."""

    @_signals.forceable
    def acquire(self, node: Node) -> ResultBase[Any, Any]:
        """Walk the tree; what is acquired is held at once. An `Err` is where it stopped."""
        walk = Walk()
        held = self._held
        while True:
            leaf = walk.descend(node, len(held))
            if isinstance(leaf, Make):
                self.expect(leaf, walk.deadline)
                held.extend(starmap(leaf.acquire, _NO_ARGUMENTS))
                if len(held) != len(self._leaves):
                    raise_stopped(leaf.acquire)
                result = held[-1]
                if not isinstance(result, Ok):
                    mark = self.refused(leaf, walk)
                    if mark is None:
                        return result
                    self.release(Failed(cast("Err[Any]", result).error), mark)
                    result = self.attempted()
                value = result.value
            else:
                value = leaf.value
            if not walk.todo:
                return Ok(value)
            node = walk.ascend(value)

    def expect(self, leaf: Make, deadline: float | None) -> None:
        """Note how what comes next is to be released."""
        del self._leaves[len(self._held) :]  # of an acquire that came to nothing
        self._leaves.append((leaf, deadline))

    def refused(self, leaf: Make, walk: Walk) -> int | None:
        """Let go of the `Err` of an acquire; tell how much stays held if an attempt goes on."""
        self.outcome.append(checked(self._held[-1], leaf.acquire))
        del self._held[-1]
        return walk.back_to_attempt()

    def attempted(self) -> Ok[Any]:
        """Make an `Err` of an acquire, and of the releases that followed, a value."""
        stop = _control_flow(_failed(self._failures))
        if stop is not None:
            try:
                raise stop
            finally:
                del stop  # its traceback holds this frame
        refused = cast("Err[Any]", self.outcome.pop())
        failures = _suppressed(_failed(self._failures))
        self._failures.clear()
        return Ok(extended(refused, *failures))

    @_signals.forceable
    def release(self, exit: Exit, mark: int = 0) -> None:  # noqa: A002 - the public word
        """Release what is held, down to `mark`, and note what fails."""
        _signals.gate()
        held = self._held
        if self.is_of_parent():
            held.clear()
        failures = self._failures
        exits = repeat(exit)
        popped = map(_VALUE, starmap(held.pop, _NO_ARGUMENTS_EVER))
        while len(held) > mark:
            leaf, deadline = self._leaves[len(held) - 1]
            label = leaf.label
            if not isinstance(held[-1], Ok):  # cut short between an acquire and a look at it
                failures.append((label, held[-1]))
                del held[-1]
                continue
            self._releasing = label
            try:
                # The first of the two that zip asks is the one that ends it: nothing more is
                # popped then.
                if deadline is None:
                    before = len(failures)
                    made = map(leaf.release, popped, exits)
                    failures.extend(zip((label,), made, strict=False))
                    if len(failures) == before:
                        raise_stopped(leaf.release)
                else:
                    self._release_in_thread(leaf, exit, deadline)
            except BaseException as exc:  # noqa: BLE001 - kept, and the others still run
                failures.append((label, without_first_frame(exc)))
            else:
                if not isinstance(failures[-1][1], Err):
                    failures.pop()
        self._releasing = None

    @_signals.forceable
    def _release_in_thread(self, leaf: Make, exit: Exit, deadline: float) -> None:  # noqa: A002 - the public word
        """Release what was acquired last, for so many seconds at the most."""
        value = cast("Ok[Any]", self._held[-1]).value
        worker = _Worker(leaf.release, exit)
        popped = map(_VALUE, map(self._held.pop, _LAST))
        start = map(_thread.start_new_thread, (worker.run,), zip(popped, strict=True))
        try:
            worker.threads.extend(start)
        except RuntimeError:  # no thread to be had
            worker.run(value)
        self._failures.append((leaf.label, worker.wait(leaf.label, deadline)))

    @_signals.critical
    def is_of_parent(self) -> bool:
        """Tell whether this is a forked child: what is held is its parent's to release."""
        return self._generation != _signals.generation()

    def ended(self) -> Exit:
        """Tell how the scope ended, by the Result that it has."""
        outcome = self.outcome[0]
        if isinstance(outcome, Err):
            return Failed(outcome.error)
        return Succeeded(cast("Ok[Any]", outcome).value)

    @_signals.critical
    def finish(self) -> Any:  # noqa: ANN401 - typed where it is returned
        """Release after a Result, and tell what the scope gives."""
        self.release(self.ended())
        return self.settled()

    @_signals.critical
    def settled(self) -> Any:  # noqa: ANN401 - typed where it is returned
        """Tell what the scope gives, now that all is released; raise what must not be a value."""
        outcome = self.outcome[0]
        if not self._failures:
            return outcome
        failures = _failed(self._failures)
        stop = _control_flow(failures)
        if stop is None and isinstance(outcome, Ok):
            stop = next((it for _, it in failures if isinstance(it, BaseException)), None)
        if stop is not None:
            try:
                raise stop
            finally:
                del stop, failures  # the traceback holds this frame
        suppressed = _suppressed(failures)
        if isinstance(outcome, Err):
            settled: Err[Any] = extended(outcome, *suppressed)
        else:
            errors = tuple(cast("Err[object]", failure).error for _, failure in failures)
            value = cast("Ok[Any]", outcome).value
            settled = err_with(ReleaseFailed(value, errors), chain(None, suppressed))
        self.outcome[:] = [settled]
        self._failures.clear()
        return settled

    def unwrap(self, outcome: ResultBase[Any, Any]) -> None:
        """Raise the `Err` that the scope gives, where there is nobody to return it to."""
        self.outcome.clear()
        outcome.unwrap()

    def take(self, other: Scope) -> None:
        """Take over the failures of another scope."""
        self._failures.extend(other._failures)
        other._failures.clear()

    @_signals.critical
    def abandon(self, exc: BaseException) -> None:
        """Release what is left after an exception, and put on it what failed."""
        self.release(exit_of(exc))
        self.attach(exc)

    @_signals.critical
    def attach(self, exc: BaseException) -> None:
        """Put on an exception that leaves the scope what it would hide."""
        failures = _suppressed(_failed(self._failures), but=exc) if self._failures else []
        if self.outcome and isinstance(self.outcome[0], Err):
            hidden: Err[Any] = self.outcome[0]
            failures = [
                Suppressed(extended(hidden, *failures) if failures else hidden, "the scope")
            ]
        if isinstance(exc, EarlyReturn):
            exc.err = extended(cast("Err[Any]", exc.err), *failures)
        else:
            attach(exc, failures)
        self.outcome.clear()
        self._failures.clear()

    @_signals.critical
    def end(self, frame: FrameType) -> None:
        """Put the handlers back and run those that waited; keep an `Err` they would hide."""
        try:
            try:
                if self._held:  # pragma: no cover (a debugger's work)
                    self.abandon(sys.exception() or GeneratorExit())
            finally:
                try:
                    _signals.deliver(frame)
                except BaseException as exc:
                    self.attach(exc)
                    raise
                finally:
                    _signals.leave(self, frame)
        except BaseException as exc:
            self.attach(exc)  # a handler that is back raised
            raise

    def labels(self) -> list[str]:
        """Name what is not released, oldest first."""
        held = [leaf.label for leaf, _ in self._leaves[: len(self._held)]]
        return held if self._releasing is None else [*held, f"{self._releasing} (in its release)"]


class Walk:
    """A walk through a tree of nodes, from leaf to leaf."""

    __slots__ = ("deadline", "todo")

    def __init__(self) -> None:
        self.todo: list[_Todo] = []
        self.deadline: float | None = None
        """How many seconds a release has that is met here."""

    def descend(self, node: Node | None, held: int) -> Make | _Pure:
        """Go down to the first leaf, noting on the way what is to be done with its value."""
        while True:
            match node:
                case Make() | _Pure():
                    return node
                case _Map(source) | _AndThen(source):
                    self.todo.append(node)
                    node = source
                case _All(sources, build):
                    rest = iter(sources)
                    first = next(rest, None)
                    if first is None:
                        return _Pure(build([]))
                    self.todo.append(_Gathering(rest, build))
                    node = first
                case _Attempt(source):
                    self.todo.append(_Attempting(held))
                    node = source
                case _Within(source, seconds):
                    self.todo.append(_Limited(self.deadline))
                    self.deadline = min(seconds, self.deadline or seconds)
                    node = source
                case _:
                    msg = f"Resource({node!r}) describes nothing: see Resource.make and .pure"
                    raise TypeError(msg)

    def ascend(self, value: Any) -> Node:  # noqa: ANN401 - any value
        """Do with a value what was noted, up to the next node; at the end that is a `_Pure`."""
        todo = self.todo
        while todo:
            match todo[-1]:
                case _Map(_, f):
                    todo.pop()
                    value = f(value)
                case _AndThen(_, f, node_of):
                    todo.pop()
                    return node_of(f(value), f)
                case _Gathering(rest, values, build):
                    values.append(value)
                    following = next(rest, None)
                    if following is not None:
                        return following
                    todo.pop()
                    value = build(values)
                case _Attempting():
                    todo.pop()
                    value = Ok(value)
                case _Limited(outer):  # pragma: no branch (there is nothing else to do)
                    todo.pop()
                    self.deadline = outer
        return _Pure(value)

    def back_to_attempt(self) -> int | None:
        """Give up all that was to be done with a value, up to the nearest attempt, if any."""
        todo = self.todo
        while todo:
            match todo.pop():
                case _Attempting(mark):
                    return mark
                case _Limited(outer):
                    self.deadline = outer
                case _:
                    pass
        return None


class _Worker:
    """A release in a thread of its own, which can be left behind."""

    __slots__ = ("_claim", "_context", "_exit", "_finished", "_made", "_release", "threads")

    def __init__(self, release: Release, exit: Exit) -> None:  # noqa: A002 - the public word
        self._release = release
        self._context = copy_context()
        self._exit = exit
        self._made: object = None
        self._claim = [None]  # whoever takes it decides whether the release was in time
        self._finished = _thread.allocate_lock()
        self._finished.acquire()
        self.threads: list[int] = []

    def run(self, value: object) -> None:  # pragma: no cover (coverage sees no bare thread)
        """Release; what fails after the deadline is shown by `sys.unraisablehook`."""
        made: object
        try:
            made = self._context.run(self._release, value, self._exit)
        except BaseException as exc:
            made = exc
            if not self._is_first():
                raise
        else:
            if not self._is_first() and isinstance(made, Err):
                cast("Err[object]", made).unwrap()
        self._made = made
        del made  # its traceback holds this frame
        self._finished.release()

    def _is_first(self) -> bool:
        try:
            self._claim.pop()
        except IndexError:  # pragma: no cover (in the bare thread)
            return False
        return True

    def wait(self, label: str, seconds: float) -> object:
        """Give what the release gave in time, or an `Err` that says where it is."""
        try:
            is_in_time = self._finished.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))
        except BaseException:  # somebody asked a third time
            self._is_first()
            raise
        if not is_in_time and self._is_first():
            frame = sys._current_frames().get(self.threads[0])  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # CPython has no other
            return err_with(ReleaseTimedOut(label, seconds), chain(None, _stack(frame)))
        if not is_in_time:
            self._finished.acquire()  # pragma: no cover (it ends at this very moment)
        if isinstance(self._made, BaseException):
            raised, self._made = self._made, None
            try:
                raise raised
            finally:
                del raised  # its traceback holds this frame
        return self._made


class _Opened(Generic[T_co]):
    """The context manager that `Resource.open` gives."""

    __slots__ = ("_node", "_scope")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._scope: Scope | None = None

    @_signals.critical
    def __enter__(self) -> T_co:
        if self._scope is not None:
            msg = "this open() is in use already: call open() again for another scope"
            raise RuntimeError(msg)
        _expect_end_of_child()
        scope = Scope()
        frame = _signals.caller(1)
        try:
            try:
                _signals.enter(scope)
                acquired = scope.acquire(self._node)
                if isinstance(acquired, Err):
                    scope.unwrap(scope.finish())
                self._scope = _entered[id(scope)] = scope
                value: T_co = cast("Ok[T_co]", acquired).value
                # A handler that waited runs here, where what it raises still releases.
                _signals.deliver(frame)
            except BaseException as exc:
                self._scope = None
                _entered.pop(id(scope), None)
                scope.abandon(exc)
                raise
        except BaseException:
            scope.end(frame)
            raise
        return value

    @_signals.critical
    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        scope = self._scope
        if scope is None:
            msg = "this open() is not in use: it is left before it was entered, or twice"
            raise RuntimeError(msg)
        self._scope = None
        _entered.pop(id(scope), None)
        try:
            try:
                if exc is None:
                    scope.outcome.append(Ok(None))
                    scope.unwrap(scope.finish())
                elif isinstance(exc, GeneratorExit):
                    # Whoever closes a generator swallows this: nobody would see what is put on it.
                    scope.release(exit_of(exc))
                    scope.outcome.append(Ok(None))
                    scope.unwrap(scope.settled())
                else:
                    scope.abandon(exc)
            except BaseException as new:
                scope.abandon(new)
                raise
            scope.end(_signals.caller(1))
        except BaseException:
            scope.end(_signals.caller(1))
            raise


@_signals.body
def _run_body(
    body: Callable[[T], ResultBase[U, E]], value: T, outcome: list[ResultBase[U, E]]
) -> None:
    _signals.deliver(_signals.caller(0))
    outcome.extend(map(body, (value,)))
    if not outcome:
        raise_stopped(body)


# The blocks that were entered and are not left, kept though nobody else may keep them.
_entered: dict[int, Scope] = {}
# What `allocated` gave out and nobody has closed, oldest first.
_allocated: dict[int, tuple[Scope, Close]] = {}


def _keep(scope: Scope, close: Close) -> None:
    """Have a scope released at exit at the latest, before what was registered by then.

    So a child is stopped before `multiprocessing`, which its start imported, joins it.
    """
    _allocated[id(scope)] = scope, close
    atexit.unregister(_release_open)
    atexit.register(_release_open)
    _expect_end_of_child()


def _expect_end_of_child() -> None:
    """Have it done in a child of multiprocessing, too.

    A forked one forgets what its parent has registered with atexit, and before CPython 3.13
    neither that nor one of a fork server calls what it has registered itself.
    """
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        _release_when_it_ends(os.getpid())


@lru_cache(1)
def _release_when_it_ends(pid: int) -> None:  # noqa: ARG001 - a forked child has to do it anew
    from multiprocessing.util import Finalize

    Finalize(None, _end_child, exitpriority=_BEFORE_OTHERS)


def _end_child() -> None:
    """Wait for threads first, as before the functions of atexit: they may use what is open."""
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]  # what the interpreter calls
    _release_open()


def _release_open() -> None:
    """Release all that is still open when the interpreter ends: nobody else will."""
    failures = Scope()
    for _, close in reversed(list(_allocated.values())):
        close.at_exit(failures)
    for scope in reversed(open_scopes()):
        scope.release(Cancelled(SystemExit(_AT_EXIT)))
        failures.take(scope)
    failures.outcome.append(Ok(None))
    failures.unwrap(failures.settled())


atexit.register(_release_open)


def open_scopes() -> list[Scope]:
    """List the scopes of this process in which something may be acquired."""
    found = [*_signals.users(), *(scope for scope, _ in _allocated.values())]
    return [scope for scope in found if isinstance(scope, Scope) and not scope.is_of_parent()]


def open_resources() -> list[str]:
    """Name all that is acquired and not yet released in this process, scope by scope."""
    return [label for scope in open_scopes() for label in scope.labels()]


def node_of(made: object, maker: object) -> Node:
    """Look into a resource, which a user's function may have made."""
    if isinstance(made, Resource):
        return cast("Resource[object, object]", made)._node  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # its own class
    who = maker if isinstance(maker, str) else f"{label_of(maker)} must return"
    msg = f"{who} a Resource, not {made!r}: see Resource.make and Resource.pure"
    raise TypeError(msg)


def make_node(acquire: Callable[[], Any], release: Release, label: str) -> Make:
    """Describe an acquire and its release, which must be plain functions."""
    for function, what in ((acquire, "acquire"), (release, "release")):
        check_callable(function, what)
        if is_async(function):
            msg = f"{what}={label_of(function)} is a coroutine function: use aio.Resource"
            raise TypeError(msg)
    return Make(acquire, release, label)


def all_node(resources: tuple[Any, ...], look: Callable[[object, object], Node]) -> Node:
    """Describe several resources, given one by one or as one iterable."""
    build: Callable[[list[Any]], object] = tuple
    if len(resources) == 1:
        (resources,) = resources
        build = list
        if not hasattr(resources, "__iter__"):
            msg = f"all_of() takes several resources, or one iterable of them, not {resources!r}"
            raise TypeError(msg)
    return _All(tuple(look(resource, "all_of() takes") for resource in resources), build)


def map_node(node: Node, f: Callable[[Any], object]) -> Node:
    """Describe a resource whose value is changed."""
    check_callable(f, "what map() is given")
    return _Map(node, f)


def chain_node(
    node: Node, f: Callable[[Any], Any], look: Callable[[object, object], Node]
) -> Node:
    """Describe a resource, and the one that is made of its value."""
    check_callable(f, "what and_then() is given")
    return _AndThen(node, f, look)


def both_node(first: Node, second: Node) -> Node:
    """Describe two resources."""
    return _All((first, second), tuple)


def attempt_node(node: Node) -> Node:
    """Describe a resource whose acquire may fail, with an `Err` that is a value then."""
    return _Attempt(node)


def within_node(node: Node, seconds: float) -> Node:
    """Describe a resource whose releases have a deadline."""
    check_seconds(seconds, "more than 0")
    return _Within(node, seconds)


def refuse_bare_yield(made: object) -> None:
    """Refuse a generator whose teardown an exception of the body would skip."""
    import contextlib

    factory: object = made
    while isinstance(factory, partial):
        factory = cast("partial[object]", factory).func
    code: CodeType | None = getattr(factory, "__code__", None)
    if code is not None and code.co_filename == contextlib.__file__:
        generator: object = getattr(factory, "__wrapped__", None)
        code = getattr(generator, "__code__", None)
    else:
        is_manager = type(made).__module__ == contextlib.__name__
        generator = getattr(made, "gen", None) if is_manager else None
        code = getattr(generator, "gi_code", None) or getattr(generator, "ag_code", None)
    if code is None:
        return
    from resultflow import _bare_yield

    found = _bare_yield.find(code)
    if found is not None:
        msg = (
            f"{code.co_qualname} has a bare yield in {code.co_filename}:{found.line}: when the "
            f"body raises, what follows from line {found.skipped} on is skipped; put the yield "
            "into 'try:' and what follows into 'finally:'"
        )
        raise TypeError(msg)


def exc_info_of(
    exit: Exit,  # noqa: A002 - the public word
) -> tuple[type[BaseException] | None, BaseException | None, TracebackType | None]:
    """Tell an exit in the words that `__exit__` takes."""
    match exit:
        case Raised(exc) | Cancelled(exc):
            return type(exc), exc, exc.__traceback__
        case Succeeded() | Failed():  # pragma: no branch (there are no other exits)
            return None, None, None


def second(pair: Sequence[Any]) -> Any:  # noqa: ANN401 - any value
    return pair[1]


def check_exit(exit: object) -> None:  # noqa: A002 - the public word
    """Refuse what is no way for a scope to end."""
    if not isinstance(exit, Succeeded | Failed | Raised | Cancelled):
        msg = f"exit={exit!r} is not how a scope ends: give Succeeded, Failed, Raised or Cancelled"
        raise TypeError(msg)


def check_seconds(seconds: object, least: str, name: str = "seconds") -> None:
    """Refuse what is no time to wait."""
    is_time = isinstance(seconds, int | float) and 0 <= seconds < float("inf")
    if is_time and (seconds or "more" not in least):
        return
    msg = f"{name}={seconds!r} is no time to wait: give seconds, {least}"
    raise ValueError(msg)


def raise_stopped(function: object) -> NoReturn:
    """Raise what stands for a StopIteration, which C code takes for the end of an iteration."""
    msg = f"{label_of(function)} raised StopIteration, which is for iterators: catch it there"
    raise RuntimeError(msg)


def check_callable(function: object, what: str) -> None:
    """Refuse what is no function where it is given, not where it is called."""
    if not callable(function):
        msg = f"{what} must be callable, but is {function!r}: give the function itself"
        raise TypeError(msg)


def label_of(function: object) -> str:
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def check_result(made: object, maker: object) -> None:
    if not isinstance(made, ResultBase):
        msg = f"{label_of(maker)} must return a Result, not {made!r}"
        raise TypeError(f"{msg}: wrap it in Ok(...) or Err(...)")


def checked(made: object, maker: object) -> ResultBase[object, object]:
    check_result(made, maker)
    return cast("ResultBase[object, object]", made)


def exit_of(exc: BaseException) -> Exit:
    if isinstance(exc, EarlyReturn):
        return Failed(cast("Err[Any]", exc.err).error)
    if isinstance(exc, KeyboardInterrupt):
        signum = getattr(exc, "signum", None)
        return Cancelled(exc, int(signum) if isinstance(signum, int) else int(signal.SIGINT))
    # Asked without importing them, which costs more than this whole package.
    for module, name in (("asyncio.exceptions", "CancelledError"), ("trio", "Cancelled")):
        cancelled = getattr(sys.modules.get(module), name, None)
        if cancelled is not None and _is_only(exc, cancelled):
            return Cancelled(exc)
    return Raised(exc)


def _is_only(exc: BaseException, kind: type[BaseException]) -> bool:
    """Tell whether an exception is of a kind, or a group of nothing else (as a nursery makes)."""
    if not isinstance(exc, BaseExceptionGroup):
        return isinstance(exc, kind)
    group = cast("BaseExceptionGroup[BaseException]", exc)
    return all(_is_only(member, kind) for member in group.exceptions)


def _stack(frame: FrameType | None) -> Iterator[tuple[CodeType, int]]:
    """List where a thread is, innermost first."""
    while frame is not None:
        yield frame.f_code, frame.f_lasti
        frame = frame.f_back


def _failed(noted: list[Failure]) -> list[Failure]:
    """Leave out a release that went well, whose note was not taken back in time."""
    return [(label, it) for label, it in noted if isinstance(it, Err | BaseException)]


def _control_flow(failures: list[Failure]) -> BaseException | None:
    """Find what left a release and may not be held back in an `Err`, such as a `SystemExit`."""
    for _, failure in failures:
        if isinstance(failure, BaseException) and not isinstance(failure, Exception):
            return failure
    return None


@_signals.critical
def without_first_frame(exc: BaseException) -> BaseException:
    return exc.with_traceback(exc.__traceback__ and exc.__traceback__.tb_next)


def _suppressed(failures: list[Failure], but: BaseException | None = None) -> list[Suppressed]:
    suppressed: list[Suppressed] = []
    for label, failure in failures:
        if failure is not but:
            err: Err[object] = (
                cast("Err[object]", failure)
                if isinstance(failure, Err)
                else failed(cast("BaseException", failure), None)
            )
            suppressed.append(Suppressed(err, label))
    return suppressed


def attach(exc: BaseException, failures: list[Suppressed]) -> None:
    """Put failures on an exception that goes on its way: readable as notes, and as objects."""
    if not failures:
        return
    earlier: tuple[object, ...] = getattr(exc, "__suppressed__", ())
    vars(exc)["__suppressed__"] = (*earlier, *(failure.failure for failure in failures))
    add_notes(exc, str(Report("", tuple(failures))).splitlines()[1:])
